/* SPDX-License-Identifier: Apache-2.0 */
/* The list of a store's watchers: adding, calling and closing them. watch.h describes the lock. */
#include "store/watch.h"
#include "store/birth.h"

#include "base/error.h"
#include "base/memory.h"
#include "store/internal.h"

struct edgeops_watch {
    edgeops_store *store; /* NULL: the store was closed first */
    edgeops_watch_fn fn;
    void *user_data;
    edgeops_watch *next;
};

edgeops_status edgeops_watch_open(edgeops_watch **out, edgeops_store *store, edgeops_watch_fn fn,
                                  void *user_data) {
    EOP_REQUIRE(out != NULL, "store");
    *out = NULL;
    EOP_REQUIRE(store != NULL && fn != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_watch *watch = eop_calloc(1, sizeof *watch);
    if (watch == NULL) {
        return eop_fail_nomem("store");
    }
    watch->store = store;
    watch->fn = fn;
    watch->user_data = user_data;
    pthread_mutex_lock(&store->watch_lock);
    watch->next = store->watches;
    store->watches = watch;
    pthread_mutex_unlock(&store->watch_lock);
    *out = watch;
    return EDGEOPS_OK;
}

void edgeops_watch_close(edgeops_watch *watch) {
    if (watch == NULL) {
        return;
    }
    edgeops_store *store = watch->store;
    if (store != NULL && !eop_born_here(&store->birth)) {
        return;
    }
    if (store != NULL) {
        pthread_mutex_lock(&store->watch_lock);
        for (edgeops_watch **at = &store->watches; *at != NULL; at = &(*at)->next) {
            if (*at == watch) {
                *at = watch->next;
                break;
            }
        }
        pthread_mutex_unlock(&store->watch_lock);
    }
    eop_free(watch);
}

void eop_watches_tell(const edgeops_store *store, const char *asset, uint64_t ordinal) {
    for (const edgeops_watch *watch = store->watches; watch != NULL; watch = watch->next) {
        watch->fn(asset, ordinal, watch->user_data);
    }
}

void eop_watches_dispose(edgeops_store *store) {
    for (edgeops_watch *watch = store->watches; watch != NULL; watch = watch->next) {
        watch->store = NULL;
    }
    store->watches = NULL;
}
