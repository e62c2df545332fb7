/* SPDX-License-Identifier: Apache-2.0 */
/* The background writer: writes sealed segments as chunks, drops removed assets, checkpoints the
 * catalog and does the chores. Takes `lock` only to begin and end a step, never while it writes to
 * the disk. */
#include <errno.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/thread.h"
#include "base/time.h"
#include "store/ballast.h"
#include "store/blob_sync.h"
#include "store/chores.h"
#include "store/durable.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/queue.h"
#include "store/wal.h"
#include "store/writer.h"

static void finish_segment(edgeops_store *store, eop_segment *segment) {
    eop_memtable_release(segment);
    store->sealed = segment->next;
    if (store->sealed == NULL) {
        store->last_sealed = NULL;
    }
    store->sealed_count--;
    store->chunk_epoch++;
    eop_store_note_synced(store, segment->write);
    eop_lookup_tick(&store->lookup);
    eop_journal_retire(store->journal, segment->number);
}

static bool take_checkpoint_due(edgeops_store *store) {
    pthread_mutex_lock(&store->wake_lock);
    bool due = store->checkpoint_due;
    store->checkpoint_due = false;
    pthread_mutex_unlock(&store->wake_lock);
    return due;
}

static void checkpoint_catalog(edgeops_store *store) {
    int in_wal = 0;
    int copied = 0;
    int rc = sqlite3_wal_checkpoint_v2(store->checkpoint.db, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                       &in_wal, &copied);
    if (rc != SQLITE_OK || copied < in_wal) {
        /* While somebody reads an older snapshot there may be nothing to copy, and then SQLite does
         * not sync either. */
        (void)eop_sql_sync_wal(&store->checkpoint);
    }
    if (rc == SQLITE_OK && copied < in_wal && in_wal > 4096) {
        /* Commits kept coming, so the WAL was never copied whole and cannot begin anew: hold them
         * back for the little that is left. */
        eop_catalog_lock(&store->catalog);
        (void)sqlite3_wal_checkpoint_v2(store->checkpoint.db, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                        &in_wal, &copied);
        eop_catalog_unlock(&store->catalog);
    }
}

/* Brings new names to the disk. Whoever commits names says so before a row that uses them is in a
 * segment: so after a segment was taken this covers all names of its rows. */
static void sync_names(edgeops_store *store) {
    if (take_checkpoint_due(store)) {
        checkpoint_catalog(store);
    }
}

/* The oldest sealed segment. DONE: there is none. */
static edgeops_status write_oldest(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    eop_segment *segment = store->sealed;
    store->written = segment;
    if (segment != NULL) {
        eop_tries_begin(&store->writes_tried);
        eop_segment_complete(segment);
    }
    pthread_mutex_unlock(&store->lock);
    if (segment == NULL) {
        return EDGEOPS_DONE;
    }
    sync_names(store);
    edgeops_status status = eop_blob_sync_segment(store, segment);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_write(&store->writer, segment);
    }
    if (status == EDGEOPS_OK) {
        eop_store_checkpoint_chunks(store, false);
    }
    pthread_mutex_lock(&store->lock);
    bool news = eop_tries_end(&store->writes_tried, status);
    if (status == EDGEOPS_OK) {
        finish_segment(store, segment);
    } else {
        /* The next try must not bring back assets that were removed and dropped in between. */
        eop_segment_drop_series(segment, NULL, false);
    }
    store->written = NULL;
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
    if (status == EDGEOPS_OK) {
        eop_segment_free(segment);
    }
    if (news) {
        eop_store_log(store, EDGEOPS_LOG_ERROR, "cannot write chunks: %s",
                      edgeops_error_last()->message);
    }
    return status;
}

/* One step of dropping removed assets: first chunks, then the space they took. DONE: nothing to
 * do. */
static edgeops_status drop_some(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    bool drop = store->drop_count > 0;
    uint32_t asset = drop ? store->drops[0] : 0;
    bool shrink = store->shrink_due;
    if (drop || shrink) {
        eop_tries_begin(&store->drops_tried);
    }
    pthread_mutex_unlock(&store->lock);
    if (!drop && !shrink) {
        return EDGEOPS_DONE;
    }
    edgeops_status status =
        drop ? eop_telemetry_drop(&store->writer, asset) : eop_telemetry_shrink(&store->writer);
    bool done = status == EDGEOPS_DONE;
    if (status >= 0) {
        /* The file system gets the space only when the WAL was copied. */
        eop_store_checkpoint_chunks(store, done && !drop);
        status = EDGEOPS_OK;
    }
    pthread_mutex_lock(&store->lock);
    if (drop && done) {
        /* Others may have been added behind it. */
        memmove(store->drops, store->drops + 1, --store->drop_count * sizeof *store->drops);
        store->shrink_due = true;
        store->sweep_due = true;
    } else if (done) {
        store->shrink_due = false;
    }
    bool news = eop_tries_end(&store->drops_tried, status);
    pthread_cond_broadcast(&store->changed);
    pthread_mutex_unlock(&store->lock);
    if (news) {
        eop_store_log(store, EDGEOPS_LOG_WARN, "cannot make room of a removed asset: %s",
                      edgeops_error_last()->message);
    }
    return status;
}

static void on_wal(void *user_data) {
    eop_writer_sync_names(user_data);
}

/* Waits for work, or until `due`; after a failure at most a second, because space may be free
 * again. */
static bool wait_for_work(edgeops_store *store, bool failed, edgeops_duration due) {
    edgeops_duration second = eop_monotonic() + EDGEOPS_SECOND;
    due = failed && (due == 0 || due > second) ? second : due;
    struct timespec until = {.tv_sec = (time_t)(due / EDGEOPS_SECOND),
                             .tv_nsec = (long)(due % EDGEOPS_SECOND)};
    pthread_mutex_lock(&store->wake_lock);
    while (!store->woken && !store->stop) {
        if (due == 0) {
            pthread_cond_wait(&store->wake, &store->wake_lock);
        } else if (pthread_cond_timedwait(&store->wake, &store->wake_lock, &until) == ETIMEDOUT) {
            break;
        }
    }
    bool go_on = !store->stop;
    store->woken = false;
    pthread_mutex_unlock(&store->wake_lock);
    return go_on;
}

static bool is_stopping(edgeops_store *store) {
    pthread_mutex_lock(&store->wake_lock);
    bool stop = store->stop;
    pthread_mutex_unlock(&store->wake_lock);
    return stop;
}

static void *run_writer(void *user_data) {
    edgeops_store *store = user_data;
    edgeops_status written = EDGEOPS_OK;
    edgeops_status dropped = EDGEOPS_OK;
    edgeops_status kept = EDGEOPS_OK;
    edgeops_duration sync_due = 0;
    bool released = false;
    while (wait_for_work(store, written < 0 || dropped < 0, sync_due)) {
        do {
            eop_store_sync_recent(&sync_due, store);
            /* The spare first, so that the next rotation finds one. Under steady load there is
             * always a segment to write, so everything else has its turn after each segment. */
            (void)eop_store_make_spare(store);
            sync_names(store); /* also where there is no segment: the WAL must not grow */
            eop_store_log_damage(store);
            eop_blob_sync_loose(store);
            written = write_oldest(store);
            /* Also after a failed write: dropping may make room for it. */
            dropped = drop_some(store);
            kept = eop_chores_some(store);
            if (written == EDGEOPS_E_LIMIT || dropped == EDGEOPS_E_LIMIT) {
                released = eop_ballast_release(store);
            } else {
                released = false;
                eop_ballast_keep(store);
            }
        } while (
            (released || written == EDGEOPS_OK || dropped == EDGEOPS_OK || kept == EDGEOPS_OK) &&
            !is_stopping(store));
    }
    eop_chores_stop(store);
    return NULL;
}

edgeops_status eop_writer_start(edgeops_store *store) {
    int rc = eop_thread_create(&store->thread, NULL, run_writer, store);
    if (rc != 0) {
        return eop_fail_errno(rc, "store", "cannot start a thread");
    }
    store->thread_made = true;
    eop_catalog_on_wal(&store->catalog, on_wal, store);
    if (store->sealed != NULL || store->drop_count > 0 || store->purge_due ||
        eop_ballast_missing(store)) {
        eop_writer_wake(store);
    }
    return EDGEOPS_OK;
}

void eop_writer_stop(edgeops_store *store) {
    if (!store->thread_made) {
        return;
    }
    eop_catalog_on_wal(&store->catalog, NULL, NULL);
    pthread_mutex_lock(&store->wake_lock);
    store->stop = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->wake_lock);
    pthread_join(store->thread, NULL);
    store->thread_made = false;
    eop_ballast_keep(store);
}
