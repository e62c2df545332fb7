/* SPDX-License-Identifier: Apache-2.0 */
/* The store reports what it takes of the disk, and that stays small under load. */
#include <pthread.h>
#include <sys/stat.h>

#include "catalog/outbox.h"
#include "store/inner.h"
#include "store/room.h"
#include "store_fixture.h"

TestSuite(store_room, .init = make_home, .fini = remove_home, .timeout = 60);

Test(store_room, stats_count_what_is_there) {
    edgeops_store *store = open_store();
    eop_store_stats stats;
    for (int i = 0; i < 100; i++) {
        CHECK_OK(put(store, i % 2 ? "a" : "b", i, 0, "x", f64(i), NULL));
    }
    CHECK_OK(eop_store_ready(store));
    CHECK_OK(eop_store_get_stats(store, &stats));
    cr_assert(stats.assets == 2 && stats.samples == 100 && stats.damaged == 0);
    cr_assert(stats.journal_bytes > 3000 && stats.disk_bytes > 1000000 && stats.free_bytes > 0);
    CHECK_OK(eop_store_flush(store));
    CHECK_OK(eop_store_get_stats(store, &stats));
    cr_assert(stats.samples == 100 && stats.journal_bytes == 0);
    edgeops_store_close(store);
}

typedef struct load {
    edgeops_store *store;
    pthread_mutex_t lock;
    bool stop;
} load;

/* As fast as the background writer can make chunks, so that there is always one to make. */
static void *append_always(void *data) {
    enum { N = 256 };
    load *l = data;
    const char *names[2] = {"x", "s"};
    edgeops_value values[2] = {f64(1), text("a text of some length, so that segments fill soon")};
    edgeops_sample samples[N];
    for (int64_t time = 0;;) {
        pthread_mutex_lock(&l->lock);
        bool stop = l->stop;
        pthread_mutex_unlock(&l->lock);
        if (stop) {
            return NULL;
        }
        for (int i = 0; i < N; i++) {
            samples[i] = (edgeops_sample){"a", time++, 0, 2, names, values};
        }
        CHECK_OK(edgeops_store_append(NULL, l->store, samples, N, NULL));
    }
}

Test(store_room, wal_stays_small_while_ingest_keeps_the_writer_busy) {
    load l = {.store = open_store(), .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    char path[120];
    static char payload[2048];
    struct stat st;
    snprintf(path, sizeof path, "%s/catalog.db-wal", home);
    cr_assert_eq(pthread_create(&thread, NULL, append_always, &l), 0);
    for (int i = 0; i < 12000; i++) {
        eop_outbox_message message = {
            .destination = "m", .topic = "t", .payload = payload, .size = sizeof payload};
        CHECK_OK(
            eop_outbox_commit(eop_store_catalog(l.store), "d", (uint64_t)i, NULL, &message, 1));
        CHECK_OK(eop_outbox_done(eop_store_catalog(l.store), &message.id, 1));
    }
    pthread_mutex_lock(&l.lock);
    l.stop = true;
    pthread_mutex_unlock(&l.lock);
    pthread_join(thread, NULL);
    cr_assert_eq(stat(path, &st), 0);
    cr_assert_lt(st.st_size, 80 * 1024 * 1024, "%lld bytes", (long long)st.st_size);
    edgeops_store_close(l.store);
}
