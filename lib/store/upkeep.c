/* SPDX-License-Identifier: Apache-2.0 */
/* Hands work to the background writer and waits for it. The list of work is under `lock`; each item
 * is on the stack of the waiting thread. */
#include "store/upkeep.h"

#include <stdio.h>

#include "base/error.h"
#include "base/time.h"
#include "store/home.h"
#include "store/internal.h"
#include "store/queue.h"
#include "store/retention.h"

enum { ASK_MS = 100 };

void eop_store_retain(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    store->retain_due = true;
    pthread_mutex_unlock(&store->lock);
    eop_writer_wake(store);
}

edgeops_status eop_upkeep_do(edgeops_store *store, eop_upkeep_fn step, void *data,
                             bool (*go_on)(void *user_data), void *user_data) {
    edgeops_status status = eop_store_check_writable(store);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_upkeep work = {.step = step, .data = data};
    eop_upkeep **at = &store->upkeep;
    pthread_mutex_lock(&store->lock);
    while (*at != NULL) {
        at = &(*at)->next;
    }
    *at = &work;
    eop_writer_wake(store);
    while (!work.ended) {
        (void)eop_store_wait_changed(store, eop_monotonic() + ASK_MS * EDGEOPS_MILLISECOND);
        if (go_on != NULL && !work.ended && !work.canceled) {
            pthread_mutex_unlock(&store->lock);
            bool more = go_on(user_data);
            pthread_mutex_lock(&store->lock);
            work.canceled = !more;
        }
    }
    pthread_mutex_unlock(&store->lock);
    return work.status < 0 ? eop_fail_with(work.status, "store", work.message) : EDGEOPS_OK;
}

void eop_upkeep_end(edgeops_store *store, edgeops_status status, const char *message) {
    eop_upkeep *work = store->upkeep;
    store->upkeep = work->next;
    work->status = status;
    snprintf(work->message, sizeof work->message, "%s", message);
    work->ended = true;
    pthread_cond_broadcast(&store->changed);
}
