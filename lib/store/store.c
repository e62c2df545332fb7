/* SPDX-License-Identifier: Apache-2.0 */
/* Opens a store: lock file, catalog, chunks, journal, writer, in this order; closes them in
 * reverse. internal.h describes the locks. */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "catalog/sql.h"
#include "catalog/version.h"
#include "store/append.h"
#include "store/ballast.h"
#include "store/birth.h"
#include "store/blob_sync.h"
#include "store/durable.h"
#include "store/home.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/lookup.h"
#include "store/memtable.h"
#include "store/queue.h"
#include "store/replay.h"
#include "store/retype.h"
#include "store/room.h"
#include "store/telemetry.h"
#include "store/watch.h"
#include "store/writer.h"

enum { MIB = 1024 * 1024 };

void edgeops_store_options_init(edgeops_store_options *options, size_t struct_size) {
    static const edgeops_store_options defaults = EDGEOPS_STORE_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

static edgeops_status take_options(edgeops_store_options *out,
                                   const edgeops_store_options *options) {
    *out = (edgeops_store_options)EDGEOPS_STORE_OPTIONS_INIT;
    edgeops_status status = EOP_STRUCT_TAKE(out, options, "store", EDGEOPS_STORE_OPTIONS_INIT);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (out->ahead_limit <= 0) {
        out->ahead_limit = 24 * 3600 * EDGEOPS_SECOND;
    }
    if (out->sync_interval <= 0) {
        out->sync_interval = EDGEOPS_SECOND;
    }
    if (out->segment_bytes == 0) {
        out->segment_bytes = 2 * MIB;
    }
    if (out->free_floor_bytes == 0) {
        out->free_floor_bytes = 64 * MIB;
    }
    if (out->segment_bytes < MIB || out->segment_bytes > 1024u * MIB) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "a journal segment has 1 MiB to 1 GiB, not %llu bytes",
                        (unsigned long long)out->segment_bytes);
    }
    out->segment_bytes = out->segment_bytes / 8 * 8;
    return EDGEOPS_OK;
}

/* -- opening -- */

/* A sweep gets its turn also while blobs are appended all the time. */
static int init_blob_lock(pthread_rwlock_t *lock) {
    pthread_rwlockattr_t fair;
    int rc = pthread_rwlockattr_init(&fair);
    if (rc != 0) {
        return rc;
    }
#ifdef __GLIBC__
    rc = pthread_rwlockattr_setkind_np(&fair, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
#endif
    rc = rc != 0 ? rc : pthread_rwlock_init(lock, &fair);
    pthread_rwlockattr_destroy(&fair);
    return rc;
}

static edgeops_status init_locks(edgeops_store *store) {
    pthread_condattr_t monotonic;
    int rc = pthread_condattr_init(&monotonic);
    if (rc == 0) {
        rc = pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
        rc = rc != 0 ? rc : pthread_cond_init(&store->wake, &monotonic);
        rc = rc != 0 ? rc : pthread_cond_init(&store->pool_changed, &monotonic);
        rc = rc != 0 ? rc : pthread_cond_init(&store->changed, &monotonic);
        pthread_condattr_destroy(&monotonic);
    }
    rc = rc != 0 ? rc : pthread_mutex_init(&store->lock, NULL);
    rc = rc != 0 ? rc : pthread_mutex_init(&store->spare_lock, NULL);
    rc = rc != 0 ? rc : pthread_rwlock_init(&store->hold, NULL);
    rc = rc != 0 ? rc : init_blob_lock(&store->blob_lock);
    rc = rc != 0 ? rc : pthread_mutex_init(&store->wake_lock, NULL);
    rc = rc != 0 ? rc : pthread_mutex_init(&store->pool_lock, NULL);
    rc = rc != 0 ? rc : pthread_mutex_init(&store->watch_lock, NULL);
    return rc == 0 ? EDGEOPS_OK : eop_fail_errno(rc, "store", "cannot make a lock");
}

static edgeops_status open_home(edgeops_store *store, const char *home) {
    int owner = 0;
    char *path = NULL;
    edgeops_status status = eop_path_absolute(&store->home, home);
    if (status == EDGEOPS_OK) {
        eop_home_look(&store->access, store->home);
    }
    if (status == EDGEOPS_OK && !eop_file_exists(home)) {
        status = eop_mkdirs(home, 0700);
        if (status == EDGEOPS_OK) {
            status = eop_dir_sync_parent(home);
        }
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    path = eop_path_join(home, "lock");
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    status = store->access.status == EDGEOPS_OK
                 ? eop_lock_file(&store->lock_fd, &owner, path)
                 : eop_lock_file_shared(&store->lock_fd, &owner, path);
    if (status == EDGEOPS_E_BUSY) {
        /* The owner may have locked the file but not yet written its pid. */
        status = owner > 0 ? eop_fail(EDGEOPS_E_BUSY, "store", "home '%s' is in use by process %d",
                                      home, owner)
                           : eop_fail(EDGEOPS_E_BUSY, "store",
                                      "home '%s' is in use by another process", home);
    }
    eop_free(path);
    return status;
}

static edgeops_status open_catalog(edgeops_store *store) {
    char *path = eop_path_join(store->home, "catalog.db");
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    eop_sql_options options = {.path = path, .version = EOP_HOME_VERSION, .access = &store->access};
    bool used = false;
    edgeops_status status = eop_home_in_use(&used, store->home);
    if (status == EDGEOPS_OK) {
        status = eop_catalog_open(&store->catalog, path, !used, &store->access);
    }
    if (status == EDGEOPS_OK) {
        status = eop_sql_open(&store->checkpoint, &options);
    }
    if (status == EDGEOPS_OK) {
        status = eop_catalog_load(&store->catalog, &store->assets);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < store->assets.count; i++) {
        eop_series_begin(eop_series_at(&store->assets, i));
    }
    store->purge_due = status == EDGEOPS_OK && eop_retype_purge_due(store);
    eop_free(path);
    return status;
}

static edgeops_status take_state(uint32_t id, const eop_state *state, void *user_data) {
    edgeops_store *store = user_data;
    if (id >= EOP_ROLLUP_ID) {
        return EDGEOPS_OK; /* dropped together with its asset */
    }
    eop_series *series = eop_series_by_id(&store->assets, id);
    eop_asset_list_skip_id(&store->assets, id);
    if (series == NULL) {
        /* Its removal was interrupted: the writer continues it. */
        if (!eop_grow(&store->drops, &store->drop_capacity, store->drop_count + 1,
                      sizeof *store->drops)) {
            return eop_fail_nomem("store");
        }
        store->drops[store->drop_count++] = id;
        return EDGEOPS_OK;
    }
    uint64_t base = series->all.ordinal;
    series->all = state->extent;
    if (base > state->extent.ordinal) {
        series->all.ordinal = base;
    }
    series->stored = series->all;
    series->blobs_synced = series->all.ordinal;
    series->dropped = state->dropped;
    series->until = state->until;
    return EDGEOPS_OK;
}

static edgeops_status open_telemetry(edgeops_store *store) {
    char *data = eop_path_join(store->home, "data");
    store->telemetry_path = data != NULL ? eop_path_join(data, "telemetry.db") : NULL;
    if (store->telemetry_path == NULL) {
        eop_free(data);
        return eop_fail_nomem("store");
    }
    edgeops_status status =
        store->access.status == EDGEOPS_OK ? eop_mkdirs(data, 0700) : EDGEOPS_OK;
    eop_free(data);
    if (status == EDGEOPS_OK) {
        status = eop_home_open_telemetry(store);
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_begin_writing(&store->writer);
    }
    if (status == EDGEOPS_OK) {
        status = eop_lookup_open(&store->lookup, store->telemetry_path, &store->access);
        store->lookup.on_damage = eop_store_note_damage;
        store->lookup.user_data = store;
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_states(&store->writer, take_state, store);
    }
    return status;
}

/* With little room the index of the WAL is kept in memory, see eop_access; else its file gets all
 * the blocks that it will need. */
static void choose_index(edgeops_store *store) {
    uint64_t bytes = 0;
    uint64_t files = 0;
    edgeops_status status = eop_disk_room(&bytes, &files, store->home);
    store->access.alone = status == EDGEOPS_OK &&
                          (bytes < store->options.free_floor_bytes || files < EOP_FILES_FLOOR);
}

static void reserve_indexes(edgeops_store *store) {
    if (store->access.status == EDGEOPS_OK && !store->access.alone) {
        store->index_fds[0] = eop_sql_reserve_index(store->catalog.sql.path);
        store->index_fds[1] = eop_sql_reserve_index(store->telemetry_path);
    }
}

static void drop_index(int *fd, const char *path) {
    eop_sql_drop_index(*fd, path);
    *fd = -1;
}

static void close_databases(edgeops_store *store) {
    char *catalog = eop_path_join(store->home != NULL ? store->home : "", "catalog.db");
    eop_lookup_close(&store->lookup);
    eop_telemetry_close(&store->writer);
    eop_sql_close(&store->checkpoint);
    eop_catalog_close(&store->catalog);
    drop_index(&store->index_fds[0], catalog != NULL ? catalog : "");
    drop_index(&store->index_fds[1], store->telemetry_path);
    eop_free(catalog);
    eop_asset_list_dispose(&store->assets);
    store->assets = (eop_asset_list){.item_bytes = sizeof(eop_series)};
    eop_free(store->telemetry_path);
    store->telemetry_path = NULL;
    store->drop_count = 0;
}

static edgeops_status open_databases(edgeops_store *store) {
    choose_index(store);
    edgeops_status status = open_catalog(store);
    if (status == EDGEOPS_OK) {
        status = open_telemetry(store);
    }
    if (status == EDGEOPS_OK) {
        reserve_indexes(store);
    }
    return status;
}

/* On a full disk with the space of the ballast, and where there is none, for reading alone. */
static edgeops_status open_where_full(edgeops_store *store) {
    edgeops_status status = open_databases(store);
    if (status == EDGEOPS_E_LIMIT && eop_ballast_release(store)) {
        close_databases(store);
        status = open_databases(store);
    }
    if (status != EDGEOPS_E_LIMIT) {
        return status;
    }
    eop_kept_error why;
    eop_keep_error(&why);
    close_databases(store);
    store->access.status = EDGEOPS_E_LIMIT;
    (void)snprintf(store->access.text, sizeof store->access.text,
                   "the disk of '%.200s' is full, so its home was opened for reading alone: make "
                   "room on the disk, then open it again",
                   store->home);
    return open_databases(store) == EDGEOPS_OK ? EDGEOPS_OK : eop_fail_kept(&why);
}

/* A power cut may take channels from the catalog. After another crash their rows must not come back
 * under the name of the next channel: so all replayed rows become chunks before new ones come. On a
 * full disk a later try does it, because the segments are sealed. */
static void bury_misfits(edgeops_store *store) {
    if (store->misfits) {
        pthread_mutex_lock(&store->lock);
        edgeops_status status = eop_store_rotate(store, 0);
        pthread_mutex_unlock(&store->lock);
        if (status == EDGEOPS_OK) {
            (void)eop_store_flush(store);
        }
    }
}

/* Reads the journal ahead while the databases are opened. */
static void prefetch_journal(const edgeops_store *store) {
    char *folder = eop_path_join(store->home, "data/journal");
    if (folder != NULL) {
        eop_journal_prefetch(folder);
        eop_free(folder);
    }
}

_Static_assert(offsetof(edgeops_store, birth) == 0, "eop_store_birth() looks there");

edgeops_status edgeops_store_open(edgeops_store **out, const char *home,
                                  const edgeops_store_options *options) {
    EOP_REQUIRE(out != NULL, "store");
    *out = NULL;
    EOP_REQUIRE(home != NULL, "store");
    edgeops_store *store = eop_calloc(1, sizeof *store);
    if (store == NULL) {
        return eop_fail_nomem("store");
    }
    eop_birth_set(&store->birth);
    store->lock_fd = -1;
    store->index_fds[0] = store->index_fds[1] = -1;
    store->wal_limit = EOP_WAL_LIMIT;
    store->assets.item_bytes = sizeof(eop_series);
    edgeops_status status = init_locks(store);
    if (status != EDGEOPS_OK) {
        eop_free(store);
        return status;
    }
    status = take_options(&store->options, options);
    if (status == EDGEOPS_OK) {
        uint64_t most = eop_memory_limit() / EOP_GROWN_SHARE;
        store->grown_bytes = most < EOP_GROWN_MAX ? most : EOP_GROWN_MAX;
        status = eop_append_scratch_new(&store->scratch);
    }
    if (status == EDGEOPS_OK) {
        status = open_home(store, home);
    }
    if (status == EDGEOPS_OK) {
        prefetch_journal(store);
        status = open_where_full(store);
    }
    if (status == EDGEOPS_OK) {
        status = eop_replay_journal(store);
    }
    if (status == EDGEOPS_OK && store->access.status == EDGEOPS_OK) {
        status = eop_writer_start(store);
        if (status == EDGEOPS_OK) {
            bury_misfits(store);
        }
    }
    if (status == EDGEOPS_OK) {
        status = eop_store_begin_durability(store);
    }
    if (status != EDGEOPS_OK) {
        edgeops_store_close(store);
        return status;
    }
    *out = store;
    return EDGEOPS_OK;
}

static void destroy_locks(edgeops_store *store) {
    pthread_cond_destroy(&store->wake);
    pthread_cond_destroy(&store->pool_changed);
    pthread_cond_destroy(&store->changed);
    pthread_mutex_destroy(&store->lock);
    pthread_mutex_destroy(&store->spare_lock);
    pthread_rwlock_destroy(&store->hold);
    pthread_rwlock_destroy(&store->blob_lock);
    pthread_mutex_destroy(&store->wake_lock);
    pthread_mutex_destroy(&store->pool_lock);
    eop_watches_dispose(store);
    pthread_mutex_destroy(&store->watch_lock);
}

/* Closes the journal on the disk. The catalog keeps the number: so a segment that is lost later is
 * missed, and the blobs of its rows are known to be on the disk. */
static void settle_journal(edgeops_store *store, bool blobs_synced) {
    if (store->journal != NULL) {
        uint64_t closed = eop_journal_settle(store->journal, store->sealed != NULL);
        if (closed != 0 && blobs_synced && closed != (uint64_t)store->journal_closed) {
            (void)eop_catalog_set_meta(&store->catalog, "journal", (int64_t)closed);
        }
    }
}

void edgeops_store_close(edgeops_store *store) {
    if (store == NULL || !eop_born_here(&store->birth)) {
        return;
    }
    /* What is left to do is done after the next opening. */
    bool blobs_synced = store->thread_made && eop_blob_sync_rows(store) == EDGEOPS_OK;
    eop_writer_stop(store);
    for (size_t i = 0; i < store->pool_count; i++) {
        eop_telemetry_close(&store->pool[i]);
    }
    eop_lookup_close(&store->lookup);
    eop_telemetry_close(&store->writer);
    settle_journal(store, blobs_synced);
    close_databases(store);
    eop_journal_close(store->journal);
    while (store->sealed != NULL) {
        eop_segment *next = store->sealed->next;
        eop_segment_free(store->sealed);
        store->sealed = next;
    }
    eop_segment_free(store->active);
    eop_append_scratch_free(store->scratch);
    eop_free(store->drops);
    eop_free(store->home);
    eop_unlock_file(store->lock_fd);
    destroy_locks(store);
    eop_free(store);
}
