/* SPDX-License-Identifier: Apache-2.0 */
/* The pool of connections that read chunks: each reader takes one and returns it. While the writer
 * empties the WAL (wal.c) readers wait. Under `pool_lock`, a leaf. */
#include "store/readers.h"

#include "store/internal.h"

edgeops_status eop_reader_take(eop_telemetry *out, edgeops_store *store) {
    bool pooled = false;
    pthread_mutex_lock(&store->pool_lock);
    while (store->hold_readers) {
        pthread_cond_wait(&store->pool_changed, &store->pool_lock);
    }
    store->reading++;
    if (store->pool_count > 0) {
        *out = store->pool[--store->pool_count];
        pooled = true;
    }
    pthread_mutex_unlock(&store->pool_lock);
    if (pooled) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_telemetry_open(out, store->telemetry_path, false, &store->access);
    if (status != EDGEOPS_OK) {
        eop_reader_give(store, out);
    }
    return status;
}

void eop_reader_give(edgeops_store *store, eop_telemetry *reader) {
    pthread_mutex_lock(&store->pool_lock);
    if (--store->reading == 0 && store->hold_readers) {
        pthread_cond_broadcast(&store->pool_changed);
    }
    if (reader->sql.db != NULL && store->pool_count < EOP_READERS) {
        store->pool[store->pool_count++] = *reader;
        *reader = (eop_telemetry){0};
    }
    pthread_mutex_unlock(&store->pool_lock);
    if (reader->sql.db != NULL) {
        eop_telemetry_close(reader);
    }
}
