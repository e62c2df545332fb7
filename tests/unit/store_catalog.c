/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sys/stat.h>

#include "store/dead_letter.h"
#include "store/inner.h"
#include "store/outbox.h"
#include "store/record.h"
#include "store/room.h"
#include "store_fixture.h"

TestSuite(store_catalog, .init = make_home, .fini = remove_home, .timeout = 60);

static edgeops_status join(const char *name, const char *json, void *data) {
    sprintf((char *)data + strlen(data), "%s=%s ", name, json);
    return EDGEOPS_OK;
}

Test(store_catalog, records_are_put_listed_and_removed) {
    edgeops_store *store = open_store();
    char out[200] = "";
    char *json = NULL;
    int64_t number = 0;
    CHECK_OK(eop_record_put(eop_store_catalog(store), "run", "b", "{}", true));
    CHECK_OK(eop_record_put(eop_store_catalog(store), "run", "a", "{}", false));
    CHECK_OK(eop_record_put(eop_store_catalog(store), "model", "a", "[]", true));
    CHECK_CODE(EDGEOPS_E_EXISTS, eop_record_put(eop_store_catalog(store), "run", "b", "1", true));
    CHECK_OK(eop_record_put(eop_store_catalog(store), "run", "b", "2", false));
    CHECK_OK(eop_record_list(eop_store_catalog(store), "run", join, out));
    cr_assert_str_eq(out, "b=2 a={} ");
    CHECK_OK(eop_record_get(&json, eop_store_catalog(store), "model", "a"));
    cr_assert_str_eq(json, "[]");
    eop_free(json);
    CHECK_CODE(EDGEOPS_E_NOTFOUND, eop_record_get(&json, eop_store_catalog(store), "model", "b"));
    CHECK_OK(eop_record_remove(eop_store_catalog(store), "run", "b"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, eop_record_remove(eop_store_catalog(store), "run", "b"));
    CHECK_OK(eop_record_number(&number, eop_store_catalog(store), "run"));
    cr_assert_eq(number, 1);
    edgeops_store_close(store);
    store = open_store();
    CHECK_OK(eop_record_number(&number, eop_store_catalog(store), "run"));
    cr_assert_eq(number, 2);
    CHECK_OK(eop_record_number(&number, eop_store_catalog(store), "other"));
    cr_assert_eq(number, 1);
    edgeops_store_close(store);
}

static edgeops_status take_id(const eop_outbox_message *message, void *data) {
    sprintf((char *)data + strlen(data), "%d:%.*s ", (int)message->id, (int)message->size,
            (const char *)message->payload);
    return EDGEOPS_OK;
}

Test(store_catalog, outbox_and_checkpoint_go_together) {
    edgeops_store *store = open_store();
    char out[4000] = "";
    uint64_t ordinal = 0;
    uint64_t count = 0;
    char *state = NULL;
    eop_outbox_message messages[3] = {
        {.destination = "m", .topic = "t/1", .payload = "one", .size = 3, .qos = 1},
        {.destination = "n", .topic = "t/2", .payload = "two", .size = 3},
        {.destination = "m", .topic = "t/3", .payload = "", .size = 0, .retain = 1}};
    CHECK_CODE(EDGEOPS_E_NOTFOUND,
               eop_checkpoint_get(&ordinal, &state, eop_store_catalog(store), "d"));
    CHECK_OK(eop_outbox_commit(eop_store_catalog(store), "d", 41, NULL, NULL, 0));
    CHECK_OK(eop_outbox_commit(eop_store_catalog(store), "d", 42, "{\"n\":1}", messages, 3));
    cr_assert(messages[0].id < messages[1].id && messages[1].id < messages[2].id);
    edgeops_store_close(store);
    store = open_store();
    CHECK_OK(eop_checkpoint_get(&ordinal, &state, eop_store_catalog(store), "d"));
    cr_assert_eq(ordinal, 42);
    cr_assert_str_eq(state, "{\"n\":1}");
    eop_free(state);
    CHECK_OK(eop_outbox_count(&count, eop_store_catalog(store), "m"));
    cr_assert_eq(count, 2);
    CHECK_OK(eop_outbox_list(eop_store_catalog(store), "m", 0, 10, take_id, out));
    cr_assert_str_eq(out, "1:one 3: ");
    uint64_t ids[2] = {messages[0].id, 99};
    CHECK_OK(eop_outbox_done(eop_store_catalog(store), ids, 2));
    CHECK_OK(eop_outbox_done(eop_store_catalog(store), ids, 2));
    CHECK_OK(eop_outbox_count(&count, eop_store_catalog(store), "m"));
    cr_assert_eq(count, 1);
    for (int i = 0; i < 600; i++) {
        messages[0].id = 0;
        CHECK_OK(eop_outbox_commit(eop_store_catalog(store), "d", 43, NULL, messages, 1));
        cr_assert(messages[0].id > messages[2].id, "ids are not used twice");
    }
    out[0] = '\0';
    CHECK_OK(
        eop_outbox_list(eop_store_catalog(store), "m", messages[0].id - 300, 300, take_id, out));
    cr_assert(strlen(out) > 300 * 7);
    CHECK_OK(eop_checkpoint_remove(eop_store_catalog(store), "d"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND,
               eop_checkpoint_get(&ordinal, NULL, eop_store_catalog(store), "d"));
    edgeops_store_close(store);
}

typedef struct letters {
    size_t count;
    int64_t newest;
} letters;

static edgeops_status take_letter(const eop_dead_letter *letter, void *data) {
    letters *l = data;
    if (l->count++ == 0) {
        l->newest = letter->time;
        cr_assert_str_eq(letter->topic, "t");
        cr_assert_str_eq(letter->reason, "broken");
        cr_assert_eq(letter->payload_size, 512);
        cr_assert_eq(letter->message_size, 4000);
    }
    return EDGEOPS_OK;
}

Test(store_catalog, newest_thousand_dead_letters_are_kept) {
    edgeops_store *store = open_store();
    static char payload[4000];
    static eop_dead_letter list[700];
    letters l = {0};
    memset(payload, 'p', sizeof payload);
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < 700; i++) {
            list[i] = (eop_dead_letter){k * 700 + i, "t", "broken", payload, 4000, 4000};
        }
        CHECK_OK(eop_dead_letter_add(eop_store_catalog(store), "s", list, 700));
    }
    CHECK_OK(eop_dead_letter_add(eop_store_catalog(store), "other", list, 1));
    CHECK_OK(eop_dead_letter_list(eop_store_catalog(store), "s", 5000, take_letter, &l));
    cr_assert_eq(l.count, 1000);
    cr_assert_eq(l.newest, 2099);
    CHECK_OK(eop_dead_letter_remove(eop_store_catalog(store), "s"));
    l = (letters){0};
    CHECK_OK(eop_dead_letter_list(eop_store_catalog(store), "s", 5000, take_letter, &l));
    cr_assert_eq(l.count, 0);
    CHECK_OK(eop_dead_letter_list(eop_store_catalog(store), "other", 5000, take_letter, &l));
    cr_assert_eq(l.count, 1);
    edgeops_store_close(store);
}

Test(store_catalog, stats_count_what_is_there) {
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

Test(store_catalog, wal_stays_small_while_ingest_keeps_the_writer_busy) {
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
