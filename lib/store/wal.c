/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the WAL of telemetry.db short: copies it into the database, and now and then holds new
 * readers back until it can begin anew. The writer's thread only; takes `pool_lock`. */
#include <time.h>

#include "store/internal.h"
#include "store/wal.h"

enum { HOLD_MS = 500, CHECKPOINT_BYTES = 4 * 1024 * 1024 };

static void set_deadline(struct timespec *until) {
    clock_gettime(CLOCK_MONOTONIC, until);
    until->tv_nsec += HOLD_MS * 1000000L;
    if (until->tv_nsec >= 1000000000L) {
        until->tv_nsec -= 1000000000L;
        until->tv_sec++;
    }
}

/* Keeps new snapshots from beginning and waits for the others to end. False: some have not ended in
 * time. */
static bool hold_readers(edgeops_store *store) {
    struct timespec until;
    int rc = 0;
    set_deadline(&until);
    pthread_mutex_lock(&store->pool_lock);
    store->hold_readers = true;
    while (store->reading > 0 && rc == 0) {
        rc = pthread_cond_timedwait(&store->pool_changed, &store->pool_lock, &until);
    }
    bool none = store->reading == 0;
    pthread_mutex_unlock(&store->pool_lock);
    return none;
}

static void free_readers(edgeops_store *store) {
    pthread_mutex_lock(&store->pool_lock);
    store->hold_readers = false;
    pthread_cond_broadcast(&store->pool_changed);
    pthread_mutex_unlock(&store->pool_lock);
}

void eop_store_checkpoint_chunks(edgeops_store *store, bool at_once) {
    uint64_t bytes = 0;
    /* Each checkpoint costs two syncs: too many for each small segment. */
    if (!at_once && eop_telemetry_wal_bytes(&store->writer) < CHECKPOINT_BYTES) {
        return;
    }
    eop_telemetry_checkpoint(&bytes, &store->writer);
    if (bytes < store->wal_limit && (!at_once || bytes == 0)) {
        return;
    }
    bool done = hold_readers(store) && eop_telemetry_truncate(&store->writer);
    free_readers(store);
    /* A reader takes long: do not try again for each segment. */
    store->wal_limit = done ? EOP_WAL_LIMIT : bytes + EOP_WAL_LIMIT;
}
