/* SPDX-License-Identifier: Apache-2.0 */
/* A host that forks while its other threads are inside the library: they hold locks of ours and of SQLite at that
 * moment. The child opens a home of its own all the same, appends and reads; the parent loses nothing. */
#include <pthread.h>
#include <stdatomic.h>

#include "host.h"

enum { FORKS = 80, THREADS = 3 };

static atomic_int stop;
static atomic_long added;
static int turn_of;

static edgeops_status nothing(const edgeops_label *label, void *unused) {
    (void)label;
    (void)unused;
    return EDGEOPS_OK;
}

static void *label_and_list(void *unused) {
    const edgeops_label label = {.asset = "x", .start = 1, .end = 2, .label = "good"};
    (void)unused;
    while (!atomic_load(&stop)) {
        CHECK(edgeops_label_add(NULL, store, &label, 1) == EDGEOPS_OK, "%s", why());
        CHECK(edgeops_label_list(NULL, store, NULL, nothing, NULL) == EDGEOPS_OK, "%s", why());
    }
    return NULL;
}

static void *freeze(void *unused) {
    const char *asset = "x";
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "d";
    options.assets = &asset;
    options.asset_count = 1;
    (void)unused;
    while (!atomic_load(&stop)) {
        CHECK(edgeops_dataset_create(store, &options) == EDGEOPS_OK, "%s", why());
        CHECK(edgeops_dataset_remove(store, "d") == EDGEOPS_OK, "%s", why());
    }
    return NULL;
}

static void *append(void *unused) {
    (void)unused;
    while (!atomic_load(&stop)) {
        CHECK(put("more", atomic_fetch_add(&added, 1), 1) == EDGEOPS_OK, "%s", why());
    }
    return NULL;
}

static int store_of_its_own(void *unused) {
    edgeops_store *own = NULL;
    edgeops_ctx *loop = NULL;
    (void)unused;
    NEED(edgeops_ctx_new(&loop, NULL) == EDGEOPS_OK, "%s", why());
    NEED(edgeops_store_open(&own, path_of("child-%d", turn_of), NULL) == EDGEOPS_OK, "%s", why());
    store = own;
    CHECK(put("x", 1, 1) == EDGEOPS_OK && rows_of(own, "x") == 1, "%s", why());
    edgeops_store_close(own);
    edgeops_ctx_free(loop);
    return host_wrong();
}

int main(void) {
    static void *(*const work[THREADS])(void *) = {label_and_list, freeze, append};
    pthread_t threads[THREADS];
    (void)host_begin();
    node_up(path_of("home"));
    for (int i = 0; i < 100; i++) {
        NEED(put("x", i, i) == EDGEOPS_OK, "%s", why());
    }
    for (int i = 0; i < THREADS; i++) {
        NEED(pthread_create(&threads[i], NULL, work[i], NULL) == 0, "pthread_create");
    }
    for (turn_of = 0; turn_of < FORKS; turn_of++) {
        int code = in_child(store_of_its_own, NULL, 10);
        NEED(code == 0, "child %d ended with %d", turn_of, code);
    }
    atomic_store(&stop, 1);
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    CHECK(rows_of(store, "more") == (uint64_t)atomic_load(&added), "samples are lost");
    node_down();
    return host_end();
}
