/* SPDX-License-Identifier: Apache-2.0 */
/* Which writes are on the disk, and waiting for them. Writes into the journal are numbered. The
 * first thread that waits for one syncs all writes made so far, without the lock. Threads that come
 * meanwhile wait for it; then one of them does the same for all of them.
 *
 * With PROCESS nobody waits: the writer syncs a while after the first append that was not.
 *
 * After a failed sync nobody knows what of the segment is on the disk, and another sync would not
 * tell, because the kernel may have dropped the pages. Then its rows are safe only when they are in
 * chunks, and nothing more is written to the segment. */
#include "store/durable.h"
#include "base/error.h"
#include "base/time.h"
#include "store/birth.h"
#include "store/blob_sync.h"
#include "store/inner.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/queue.h"

uint64_t eop_store_durable(const edgeops_store *store) {
    return store->power ? store->synced : UINT64_MAX;
}

void eop_store_note_synced(edgeops_store *store, uint64_t write) {
    if (store->synced < write) {
        store->synced = write;
        pthread_cond_broadcast(&store->changed);
    }
}

/* Releases the lock while it syncs. */
static edgeops_status sync_journal(edgeops_store *store) {
    eop_journal_sync sync;
    uint64_t write = store->writes;
    edgeops_status status = eop_journal_sync_begin(&sync, store->journal);
    if (status != EDGEOPS_OK) {
        return status;
    }
    store->syncing = true;
    pthread_mutex_unlock(&store->lock);
    status = eop_journal_sync_run(&sync, store->journal);
    pthread_mutex_lock(&store->lock);
    store->syncing = false;
    if (status == EDGEOPS_OK) {
        eop_journal_sync_end(store->journal, &sync);
        eop_store_note_synced(store, write);
    } else {
        eop_journal_sync_failed(store->journal);
        store->doubtful = store->writes;
        store->doubtful_segment = eop_journal_active(store->journal);
    }
    pthread_cond_broadcast(&store->changed);
    return status;
}

/* Under `lock`. One step towards having the doubtful rows in chunks. begun: tries of the
 * writer when this thread came: the failure of one of them is not about its rows. */
static edgeops_status wait_for_chunks(edgeops_store *store, uint64_t begun) {
    if (store->active != NULL && store->active->number <= store->doubtful_segment) {
        edgeops_status status = eop_store_rotate(store, 0);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (store->sealed == NULL) {
        return eop_fail(EDGEOPS_E_IO, "store",
                        "'%s/data/journal' cannot be synced: look at the disk and the kernel's log",
                        store->home);
    }
    if (eop_tries_failed(&store->writes_tried, begun) != EDGEOPS_OK) {
        return eop_fail_with(EDGEOPS_E_IO, "store", store->writes_tried.message);
    }
    eop_writer_wake(store);
    pthread_cond_wait(&store->changed, &store->lock);
    return EDGEOPS_OK;
}

edgeops_status eop_store_wait_synced(edgeops_store *store, uint64_t write) {
    uint64_t begun = store->writes_tried.begun;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && store->synced < write) {
        if (store->doubtful > store->synced) {
            status = wait_for_chunks(store, begun);
        } else if (store->syncing) {
            pthread_cond_wait(&store->changed, &store->lock);
        } else {
            status = sync_journal(store);
            if (store->doubtful > store->synced) {
                status = EDGEOPS_OK; /* chunks are another way */
            }
        }
    }
    return status;
}

/* Under `lock`. Whether there is something to sync in the background; if not, whether the next append
 * wakes the writer. */
static bool is_recent(edgeops_store *store) {
    bool wanted = !store->power && store->options.sync_interval != EDGEOPS_FOREVER;
    bool clean = store->synced >= store->writes;
    store->sync_idle = wanted && clean;
    /* What is doubtful gets to the disk in chunks. */
    return wanted && !clean && store->doubtful <= store->synced;
}

void eop_store_sync_recent(edgeops_duration *due, edgeops_store *store) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_duration now = eop_monotonic();
    pthread_mutex_lock(&store->lock);
    bool recent = is_recent(store);
    bool ripe = recent && *due != 0 && now >= *due;
    if (ripe && !store->syncing) {
        status = sync_journal(store);
        recent = is_recent(store);
    }
    if (!recent) {
        *due = 0;
    } else if (*due == 0 || ripe) {
        *due = now + store->options.sync_interval;
    }
    bool blobs = ripe && store->loose_blobs > 0;
    pthread_mutex_unlock(&store->lock);
    if (status != EDGEOPS_OK) {
        eop_store_log(store, EDGEOPS_LOG_WARN, "cannot sync the journal: %s",
                      edgeops_error_last()->message);
    }
    if (blobs) {
        /* Last, because they may take long, and samples without them do not wait for them. */
        (void)eop_blob_sync_rows(store); /* who needs it tries again and reports */
    }
}

edgeops_status eop_store_sync(edgeops_store *store) {
    /* First, so that no row is on the disk without its blobs. */
    edgeops_status status = eop_blob_sync_rows(store);
    if (status == EDGEOPS_OK) {
        pthread_mutex_lock(&store->lock);
        status = eop_store_wait_synced(store, store->writes);
        pthread_mutex_unlock(&store->lock);
    }
    return status;
}

/* -- the setting -- */

static void set_power(edgeops_store *store, bool power) {
    pthread_mutex_lock(&store->spare_lock);
    pthread_mutex_lock(&store->lock);
    store->power = power;
    store->sync_idle = true;
    eop_journal_set_written(store->journal, power);
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_unlock(&store->spare_lock);
    eop_catalog_lock(&store->catalog);
    store->catalog.power = power;
    eop_catalog_unlock(&store->catalog);
}

/* Includes what a killed process had written but not synced. */
static edgeops_status sync_all(edgeops_store *store) {
    eop_catalog_lock(&store->catalog);
    edgeops_status status = eop_sql_sync_wal(&store->catalog.sql);
    eop_catalog_unlock(&store->catalog);
    return status == EDGEOPS_OK ? eop_store_sync(store) : status;
}

edgeops_status edgeops_store_set_durability(edgeops_store *store, edgeops_durability durability) {
    EOP_REQUIRE(store != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    if (durability == EDGEOPS_DURABILITY_DEFAULT) {
        return EDGEOPS_OK;
    }
    if (durability != EDGEOPS_DURABILITY_PROCESS && durability != EDGEOPS_DURABILITY_POWER) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "durability %d is neither process nor power",
                        (int)durability);
    }
    bool power = durability == EDGEOPS_DURABILITY_POWER;
    bool before = edgeops_store_durability(store) == EDGEOPS_DURABILITY_POWER;
    if (power) {
        set_power(store, true);
    }
    edgeops_status status = power ? sync_all(store) : EDGEOPS_OK;
    int64_t known = 0;
    if (status == EDGEOPS_OK) {
        status = eop_catalog_meta(&known, &store->catalog, "durability");
    }
    if (status == EDGEOPS_OK && known != (int64_t)durability) {
        status = eop_catalog_set_meta(&store->catalog, "durability", (int64_t)durability);
    }
    set_power(store, status == EDGEOPS_OK ? power : before);
    return status;
}

edgeops_durability edgeops_store_durability(edgeops_store *store) {
    if (store == NULL || !eop_born_here(&store->birth)) {
        return EDGEOPS_DURABILITY_DEFAULT;
    }
    pthread_mutex_lock(&store->lock);
    bool power = store->power;
    pthread_mutex_unlock(&store->lock);
    return power ? EDGEOPS_DURABILITY_POWER : EDGEOPS_DURABILITY_PROCESS;
}

edgeops_status eop_store_begin_durability(edgeops_store *store) {
    int64_t known = 0;
    edgeops_durability durability = store->options.durability;
    if (durability == EDGEOPS_DURABILITY_DEFAULT) {
        edgeops_status status = eop_catalog_meta(&known, &store->catalog, "durability");
        if (status != EDGEOPS_OK) {
            return status;
        }
        durability = (edgeops_durability)known;
    }
    bool frozen = store->access.status != EDGEOPS_OK;
    pthread_mutex_lock(&store->lock);           /* the writer runs already */
    store->writes = 1;                          /* all replayed segments count as one */
    store->synced = frozen ? 1 : store->synced; /* there is nothing that it could sync */
    pthread_mutex_unlock(&store->lock);
    if (frozen) {
        set_power(store, durability == EDGEOPS_DURABILITY_POWER);
        return EDGEOPS_OK;
    }
    return edgeops_store_set_durability(store, durability);
}
