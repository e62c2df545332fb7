/* SPDX-License-Identifier: Apache-2.0 */
/* The chores of the background writer, one step at a time between its transactions: requested work
 * (upkeep.c), policies that are due, and blobs that no row refers to. */
#include "store/chores.h"

#include "base/error.h"
#include "store/ballast.h"
#include "store/blob.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/retention.h"
#include "store/retype.h"
#include "store/upkeep.h"

void eop_chores_stop(edgeops_store *store) {
    eop_retain_free(store->retaining);
    store->retaining = NULL;
    pthread_mutex_lock(&store->lock);
    while (store->upkeep != NULL) {
        eop_upkeep_end(store, EDGEOPS_E_CANCELED, "the store is being closed");
    }
    pthread_mutex_unlock(&store->lock);
}

static edgeops_status do_requested(edgeops_store *store, eop_upkeep *work, bool canceled) {
    edgeops_status status = canceled ? eop_fail(EDGEOPS_E_CANCELED, "store", "it was canceled")
                                     : work->step(store, work->data);
    if (status != EDGEOPS_OK) {
        pthread_mutex_lock(&store->lock);
        eop_upkeep_end(store, status, status < 0 ? edgeops_error_last()->message : "");
        pthread_mutex_unlock(&store->lock);
    }
    return status < 0 ? EDGEOPS_OK : status;
}

/* One step of the policies in the background. After a failure the next tick tries again. */
static edgeops_status retain_some(edgeops_store *store) {
    edgeops_status status = EDGEOPS_OK;
    if (store->retaining == NULL) {
        status = eop_retain_new(&store->retaining, store);
    }
    if (status == EDGEOPS_OK) {
        status = eop_retain_step(store, store->retaining);
    }
    /* A full disk is what retention is for: begins anew at once with the space of the ballast. */
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

/* Removes blobs that only dropped rows referred to. During a backup they stay until the next time
 * rows are dropped. */
static void sweep_blobs(edgeops_store *store) {
    eop_blob_stats stats = {0};
    edgeops_status status = eop_blob_sweep(store, &stats);
    if (status == EDGEOPS_E_AGAIN) {
        pthread_mutex_lock(&store->lock);
        store->sweep_due = true; /* at the writer's next turn */
        pthread_mutex_unlock(&store->lock);
    } else if (status < 0 && status != EDGEOPS_E_BUSY) {
        eop_store_log(store, EDGEOPS_LOG_WARN, "blobs: %s", edgeops_error_last()->message);
    }
}

/* What cannot be purged now stays until the next opening: it takes room only. */
static edgeops_status purge_some(edgeops_store *store) {
    edgeops_status status = eop_retype_purge(store);
    if (status < 0) {
        eop_store_log(store, EDGEOPS_LOG_WARN, "cannot make room of an earlier type: %s",
                      edgeops_error_last()->message);
        pthread_mutex_lock(&store->lock);
        store->purge_due = false;
        pthread_mutex_unlock(&store->lock);
        return EDGEOPS_DONE;
    }
    return status;
}

edgeops_status eop_chores_some(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    bool swept = store->sweep_due;
    store->sweep_due = false;
    eop_upkeep *work = store->upkeep;
    bool canceled = work != NULL && work->canceled;
    bool due = store->retain_due;
    pthread_mutex_unlock(&store->lock);
    edgeops_status status = work != NULL ? do_requested(store, work, canceled) : EDGEOPS_DONE;
    if (swept) {
        sweep_blobs(store);
    }
    edgeops_status retained = due ? retain_some(store) : EDGEOPS_DONE;
    edgeops_status purged = work == NULL ? purge_some(store) : EDGEOPS_DONE;
    return status == EDGEOPS_OK || retained == EDGEOPS_OK || purged == EDGEOPS_OK || work != NULL
               ? EDGEOPS_OK
               : EDGEOPS_DONE;
}
