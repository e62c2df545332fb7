/* SPDX-License-Identifier: Apache-2.0 */
#include "store/upkeep.h"

#include <stdio.h>

#include "base/error.h"
#include "base/time.h"
#include "store/ballast.h"
#include "store/blob.h"
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

/* Under `lock`. */
static void end(edgeops_store *store, edgeops_status status, const char *message) {
    eop_upkeep *work = store->upkeep;
    store->upkeep = work->next;
    work->status = status;
    snprintf(work->message, sizeof work->message, "%s", message);
    work->ended = true;
    pthread_cond_broadcast(&store->changed);
}

void eop_upkeep_stop(edgeops_store *store) {
    eop_retain_free(store->retaining);
    store->retaining = NULL;
    pthread_mutex_lock(&store->lock);
    while (store->upkeep != NULL) {
        end(store, EDGEOPS_E_CANCELED, "the store is being closed");
    }
    pthread_mutex_unlock(&store->lock);
}

static edgeops_status asked(edgeops_store *store, eop_upkeep *work, bool canceled) {
    edgeops_status status = canceled ? eop_fail(EDGEOPS_E_CANCELED, "store", "it was canceled")
                                     : work->step(store, work->data);
    if (status != EDGEOPS_OK) {
        pthread_mutex_lock(&store->lock);
        end(store, status, status < 0 ? edgeops_error_last()->message : "");
        pthread_mutex_unlock(&store->lock);
    }
    return status < 0 ? EDGEOPS_OK : status;
}

/* Policies that are due in the background. What fails is tried again with the next tick. */
static edgeops_status retain(edgeops_store *store) {
    edgeops_status status = EDGEOPS_OK;
    if (store->retaining == NULL) {
        status = eop_retain_new(&store->retaining, store);
    }
    if (status == EDGEOPS_OK) {
        status = eop_retain_step(store, store->retaining);
    }
    /* A full disk is what it is there for: it begins anew at once with the room of the ballast. */
    bool again = status == EDGEOPS_E_LIMIT && eop_ballast_release(store);
    bool news = status < 0 && status != EDGEOPS_E_BUSY && !again && !store->retain_failing;
    if (status != EDGEOPS_OK) {
        eop_retain_free(store->retaining);
        store->retaining = NULL;
        store->retain_failing = status < 0 && (news || store->retain_failing);
        pthread_mutex_lock(&store->lock);
        store->retain_due = again;
        pthread_mutex_unlock(&store->lock);
    }
    if (news) {
        eop_store_log(store, EDGEOPS_LOG_WARN, "retention: %s", edgeops_error_last()->message);
    }
    if (again) {
        return EDGEOPS_OK;
    }
    return status < 0 ? EDGEOPS_DONE : status;
}

/* Rows are gone: the files that they alone referred to go as well. While a backup is under way they
 * stay, and the next rows that go have them removed. */
static void sweep(edgeops_store *store) {
    eop_blob_stats stats = {0};
    edgeops_status status = eop_blob_sweep(store, &stats);
    if (status < 0 && status != EDGEOPS_E_BUSY) {
        eop_store_log(store, EDGEOPS_LOG_WARN, "blobs: %s", edgeops_error_last()->message);
    }
}

edgeops_status eop_upkeep_some(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    bool swept = store->sweep_due;
    store->sweep_due = false;
    eop_upkeep *work = store->upkeep;
    bool canceled = work != NULL && work->canceled;
    bool due = store->retain_due;
    pthread_mutex_unlock(&store->lock);
    edgeops_status status = work != NULL ? asked(store, work, canceled) : EDGEOPS_DONE;
    if (swept) {
        sweep(store);
    }
    edgeops_status retained = due ? retain(store) : EDGEOPS_DONE;
    return status == EDGEOPS_OK || retained == EDGEOPS_OK || work != NULL ? EDGEOPS_OK
                                                                          : EDGEOPS_DONE;
}
