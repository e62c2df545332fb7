/* SPDX-License-Identifier: Apache-2.0 */
/* A host that watches the node's store beside the node, with several watchers that come and go: all of them see each
 * sample, deployments go on, and a watcher that is closed is not called any more. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "host.h"

enum { WATCHERS = 5, SAMPLES = 20, THREADS = 3, EACH = 400 };

static atomic_int told[WATCHERS];
static atomic_ullong newest[WATCHERS];
static int seen;

static void on_samples(const char *asset, uint64_t ordinal, void *which) {
    atomic_ullong *last = &newest[(intptr_t)which];
    if (strcmp(asset, "x") == 0) {
        CHECK(ordinal >= atomic_load(last), "the ordinals went back");
        atomic_store(last, ordinal);
        atomic_fetch_add(&told[(intptr_t)which], 1);
    }
}

static void count_only(const char *asset, uint64_t ordinal, void *which) {
    (void)asset;
    (void)ordinal;
    atomic_fetch_add(&told[(intptr_t)which], 1);
}

static void on_prediction(const edgeops_node_prediction *prediction, void *unused) {
    (void)unused;
    seen += prediction->status == EDGEOPS_OK;
}

static void *append_many(void *from) {
    for (int i = 0; i < EACH; i++) {
        CHECK(put(text_of("t%d", *(int *)from), i, i) == EDGEOPS_OK, "%s", why());
    }
    return NULL;
}

/* Watchers that come and go while threads append. */
static void come_and_go(void) {
    pthread_t threads[THREADS];
    int numbers[THREADS];
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        NEED(pthread_create(&threads[i], NULL, append_many, &numbers[i]) == 0, "pthread_create");
    }
    for (int i = 0; i < 200; i++) {
        edgeops_watch *watch = NULL;
        NEED(edgeops_watch_open(&watch, store, count_only, (void *)0) == EDGEOPS_OK, "%s", why());
        edgeops_watch_close(watch);
        int before = atomic_load(&told[0]);
        sleep_ms(i % 20 == 0 ? 1 : 0);
        CHECK(atomic_load(&told[0]) == before, "a closed watcher was called");
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
}

int main(void) {
    edgeops_watch *watches[WATCHERS] = {NULL};
    (void)host_begin();
    need_worker();
    node_up(path_of("home"));
    echo_up();
    deploy_up();
    edgeops_node_on_prediction(node, on_prediction, NULL);
    NEED(edgeops_watch_open(&watches[0], store, on_samples, (void *)0) == EDGEOPS_OK, "%s", why());
    NEED(edgeops_node_start(node) == EDGEOPS_OK, "%s", why());
    turn(300, NULL);
    for (intptr_t i = 1; i < WATCHERS; i++) {
        NEED(edgeops_watch_open(&watches[i], store, on_samples, (void *)i) == EDGEOPS_OK, "%s",
             why());
    }
    for (int i = 0; i < SAMPLES; i++) {
        NEED(put("x", 100 + i, i) == EDGEOPS_OK, "%s", why());
        if (i == SAMPLES / 2) {
            edgeops_watch_close(watches[2]);
        }
    }
    for (int i = 0; i < 100 && seen < SAMPLES; i++) {
        turn(50, NULL);
    }
    CHECK(seen == SAMPLES, "%d predictions of %d samples", seen, SAMPLES);
    for (int i = 0; i < WATCHERS; i++) {
        int expected = i == 2 ? SAMPLES / 2 + 1 : SAMPLES;
        CHECK(atomic_load(&told[i]) == expected, "watcher %d was told %d times, not %d", i,
              atomic_load(&told[i]), expected);
        if (i != 2) {
            edgeops_watch_close(watches[i]);
        }
    }
    come_and_go();
    CHECK(put("x", 500, 1) == EDGEOPS_OK, "%s", why());
    for (int i = 0; i < 100 && seen < SAMPLES + 1; i++) {
        turn(50, NULL);
    }
    CHECK(seen == SAMPLES + 1, "no prediction after the host's watchers were closed");
    node_down();
    return host_end();
}
