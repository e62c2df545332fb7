/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "journal/table_frame.h"
#include "store/ballast.h"
#include "store/watch.h"

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
    rc = rc != 0 ? rc : pthread_rwlock_init(&store->blob_lock, NULL);
    rc = rc != 0 ? rc : pthread_mutex_init(&store->wake_lock, NULL);
    rc = rc != 0 ? rc : pthread_mutex_init(&store->pool_lock, NULL);
    rc = rc != 0 ? rc : pthread_mutex_init(&store->watch_lock, NULL);
    return rc == 0 ? EDGEOPS_OK : eop_fail_errno(rc, "store", "cannot make a lock");
}

static edgeops_status open_home(edgeops_store *store, const char *home) {
    int owner = 0;
    char *path = NULL;
    store->home = eop_strdup(home);
    if (store->home == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    if (!eop_file_exists(home)) {
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
    status = eop_lock_file(&store->lock_fd, &owner, path);
    if (status == EDGEOPS_E_BUSY) {
        /* Between a lock and its pid there is a moment. */
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
    eop_sql_options options = {.path = path, .version = EOP_HOME_VERSION};
    bool used = false;
    edgeops_status status = eop_home_in_use(&used, store->home);
    if (status == EDGEOPS_OK) {
        status = eop_catalog_open(&store->catalog, path, !used);
    }
    if (status == EDGEOPS_OK) {
        status = eop_sql_open(&store->checkpoint, &options);
    }
    if (status == EDGEOPS_OK) {
        status = eop_catalog_load(&store->catalog, &store->mem);
    }
    eop_free(path);
    return status;
}

static edgeops_status take_state(uint32_t id, const eop_state *state, void *user_data) {
    edgeops_store *store = user_data;
    if (id >= EOP_ROLLUP_ID) {
        return EDGEOPS_OK; /* goes with its asset */
    }
    eop_asset *asset = eop_memtable_by_id(&store->mem, id);
    eop_memtable_skip_id(&store->mem, id);
    if (asset == NULL) {
        /* Its removal was cut short: the writer goes on with it. */
        if (!eop_grow(&store->drops, &store->drop_capacity, store->drop_count + 1,
                      sizeof *store->drops)) {
            return eop_fail_nomem("store");
        }
        store->drops[store->drop_count++] = id;
        return EDGEOPS_OK;
    }
    uint64_t base = asset->all.ordinal;
    asset->all = state->extent;
    if (base > state->extent.ordinal) {
        asset->all.ordinal = base;
    }
    asset->stored = asset->all;
    asset->dropped = state->dropped;
    asset->until = state->until;
    return EDGEOPS_OK;
}

static edgeops_status open_telemetry(edgeops_store *store) {
    char *data = eop_path_join(store->home, "data");
    store->telemetry_path = data != NULL ? eop_path_join(data, "telemetry.db") : NULL;
    if (store->telemetry_path == NULL) {
        eop_free(data);
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_mkdirs(data, 0700);
    eop_free(data);
    if (status == EDGEOPS_OK) {
        status = eop_home_open_telemetry(store);
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_begin_writing(&store->writer);
    }
    if (status == EDGEOPS_OK) {
        status = eop_lookup_open(&store->lookup, store->telemetry_path);
        store->lookup.on_damage = eop_store_note_damage;
        store->lookup.user_data = store;
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_states(&store->writer, take_state, store);
    }
    return status;
}

/* The segment of that number becomes the one that takes rows. */
static edgeops_status enter_segment(edgeops_store *store, uint64_t number) {
    if (store->active != NULL && store->active->number == number) {
        return EDGEOPS_OK;
    }
    eop_segment *segment = eop_calloc(1, sizeof *segment);
    if (segment == NULL) {
        return eop_fail_nomem("store");
    }
    segment->number = number;
    segment->write = 1;
    if (store->active != NULL) {
        eop_store_seal(store, store->active);
    }
    store->active = segment;
    return EDGEOPS_OK;
}

/* Whether the catalog knows the channels; a power cut may leave it behind the journal. */
static bool channels_fit(const eop_asset *asset, const eop_frame_row *row, const eop_cell *cells) {
    for (uint32_t i = 0; i < row->cell_count; i++) {
        if (cells[i].channel >= asset->channel_count ||
            !eop_channel_holds(asset->channels[cells[i].channel], &cells[i].value)) {
            return false;
        }
    }
    return true;
}

void eop_store_note_misfit(edgeops_store *store, eop_asset *asset, uint64_t ordinal) {
    /* The next row must not get its ordinal: it would be taken for this one. */
    asset->all.ordinal = ordinal;
    store->misfits = true;
}

typedef struct replay {
    edgeops_store *store;
    eop_cell cells[EOP_CHANNELS_MAX];
} replay;

static edgeops_status replay_frame(uint64_t number, const char *payload, size_t size,
                                   void *user_data) {
    replay *r = user_data;
    edgeops_store *store = r->store;
    const char *end = payload + size;
    eop_asset *asset = NULL;
    edgeops_status status = enter_segment(store, number);
    if (status != EDGEOPS_OK) {
        return status;
    }
    store->active->bytes += size;
    for (;;) {
        eop_frame_row row;
        if (eop_table_frame_is_next(payload, end)) {
            status = eop_replay_table(store, &payload, end);
            if (status == EDGEOPS_OK) {
                continue;
            }
            if (status != EDGEOPS_E_CORRUPT) {
                return status;
            }
            break;
        }
        status = eop_frame_next(&row, r->cells, &payload, end);
        if (status != EDGEOPS_OK) {
            break;
        }
        if (asset == NULL || asset->id != row.asset) {
            asset = eop_memtable_by_id(&store->mem, row.asset);
            eop_memtable_skip_id(&store->mem, row.asset);
        }
        if (asset == NULL || row.ordinal <= asset->all.ordinal || row.ordinal > INT64_MAX) {
            /* Mostly rows of an asset that was removed since. */
            store->skipped_rows++;
            continue;
        }
        if (!channels_fit(asset, &row, r->cells)) {
            eop_store_note_misfit(store, asset, row.ordinal);
            store->skipped_rows++;
            continue;
        }
        status = eop_memtable_push(asset, store->active, row.ordinal, row.time, row.seq, r->cells,
                                   row.cell_count);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (status == EDGEOPS_E_CORRUPT) {
        store->skipped_rows++;
    }
    return EDGEOPS_OK;
}

static edgeops_status open_journal(edgeops_store *store) {
    eop_journal_options options = {.segment_bytes = store->options.segment_bytes,
                                   .floor_bytes = store->options.free_floor_bytes};
    replay *r = eop_calloc(1, sizeof *r);
    char *folder = eop_path_join(store->home, "data/journal");
    edgeops_status status = EDGEOPS_OK;
    if (r == NULL || folder == NULL) {
        status = eop_fail_nomem("store");
        goto out;
    }
    r->store = store;
    options.folder = folder;
    status = eop_telemetry_applied(&options.applied, &store->writer);
    if (status == EDGEOPS_OK) {
        status = eop_journal_open(&store->journal, &options, replay_frame, r);
    }
    if (status == EDGEOPS_OK && eop_journal_active(store->journal) != 0) {
        status = enter_segment(store, eop_journal_active(store->journal));
    } else if (status == EDGEOPS_OK && store->active != NULL) {
        /* The last file was put aside: what was replayed before it takes no more rows. */
        eop_store_seal(store, store->active);
        store->active = NULL;
    }
out:
    eop_free(folder);
    eop_free(r);
    return status;
}

/* Rows of channels that a power cut took from the catalog must not come back under the name of the
 * next channel, after another crash: all that was replayed becomes chunks before anything new
 * comes. Where that cannot be, on a full disk, there is a later try: the segments are sealed. */
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

/* What is replayed is read while the databases are opened. */
static void prefetch(const edgeops_store *store) {
    char *folder = eop_path_join(store->home, "data/journal");
    if (folder != NULL) {
        eop_journal_prefetch(folder);
        eop_free(folder);
    }
}

edgeops_status edgeops_store_open(edgeops_store **out, const char *home,
                                  const edgeops_store_options *options) {
    EOP_REQUIRE(out != NULL && home != NULL, "store");
    *out = NULL;
    edgeops_store *store = eop_calloc(1, sizeof *store);
    if (store == NULL) {
        return eop_fail_nomem("store");
    }
    store->lock_fd = -1;
    store->wal_limit = EOP_WAL_LIMIT;
    edgeops_status status = init_locks(store);
    if (status != EDGEOPS_OK) {
        eop_free(store);
        return status;
    }
    status = take_options(&store->options, options);
    if (status == EDGEOPS_OK) {
        status = eop_append_scratch_new(&store->scratch);
    }
    if (status == EDGEOPS_OK) {
        status = open_home(store, home);
    }
    if (status == EDGEOPS_OK) {
        prefetch(store);
        status = open_catalog(store);
    }
    if (status == EDGEOPS_OK) {
        status = open_telemetry(store);
    }
    if (status == EDGEOPS_OK) {
        status = open_journal(store);
    }
    if (status == EDGEOPS_OK) {
        status = eop_writer_start(store);
    }
    if (status == EDGEOPS_OK) {
        bury_misfits(store);
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

void edgeops_store_close(edgeops_store *store) {
    if (store == NULL) {
        return;
    }
    eop_writer_stop(store);
    for (size_t i = 0; i < store->pool_count; i++) {
        eop_telemetry_close(&store->pool[i]);
    }
    eop_lookup_close(&store->lookup);
    eop_telemetry_close(&store->writer);
    eop_sql_close(&store->checkpoint);
    eop_catalog_close(&store->catalog);
    if (store->journal != NULL) {
        eop_journal_settle(store->journal);
        eop_ballast_settle(store);
    }
    eop_journal_close(store->journal);
    while (store->sealed != NULL) {
        eop_segment *next = store->sealed->next;
        eop_segment_free(store->sealed);
        store->sealed = next;
    }
    eop_segment_free(store->active);
    eop_memtable_dispose(&store->mem);
    eop_append_scratch_free(store->scratch);
    eop_free(store->drops);
    eop_free(store->telemetry_path);
    eop_free(store->home);
    if (store->lock_fd >= 0) {
        close(store->lock_fd);
    }
    destroy_locks(store);
    eop_free(store);
}

/* -- disk -- */

void eop_store_log(edgeops_store *store, edgeops_log_level level, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    pthread_mutex_lock(&store->wake_lock);
    eop_log log = store->log;
    pthread_mutex_unlock(&store->wake_lock);
    eop_log_write(&log, level, "store", "%s", text);
}

void eop_store_set_log(edgeops_store *store, const eop_log *log) {
    pthread_mutex_lock(&store->wake_lock);
    store->log = *log;
    store->damaged_told = 0;
    store->woken = true;
    pthread_cond_signal(&store->wake);
    pthread_mutex_unlock(&store->wake_lock);
    pthread_mutex_lock(&store->lock);
    uint64_t damaged = eop_journal_damaged(store->journal);
    uint64_t skipped = store->skipped_rows;
    pthread_mutex_unlock(&store->lock);
    if (damaged > 0) {
        eop_log_write(log, EDGEOPS_LOG_ERROR, "store",
                      "the journal was damaged in %llu places; the rest was kept",
                      (unsigned long long)damaged);
    }
    if (skipped > 0) {
        eop_log_write(log, EDGEOPS_LOG_WARN, "store",
                      "%llu rows of the journal belong to no asset any more and were left out",
                      (unsigned long long)skipped);
    }
}

edgeops_status eop_store_ready(edgeops_store *store) {
    EOP_REQUIRE(store != NULL, "store");
    uint64_t free_bytes = 0;
    edgeops_status status = eop_disk_free(&free_bytes, store->home);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (free_bytes < store->options.free_floor_bytes) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "the disk of '%s' has %llu MiB free and %llu MiB must stay free: make room",
                        store->home, (unsigned long long)(free_bytes / MIB),
                        (unsigned long long)(store->options.free_floor_bytes / MIB));
    }
    status = eop_store_make_spare(store);
    pthread_mutex_lock(&store->lock);
    bool failing = store->writes_tried.status != EDGEOPS_OK;
    if (status == EDGEOPS_OK && failing && store->sealed_count >= EOP_SEALED_SLOW) {
        status = eop_fail_with(EDGEOPS_E_LIMIT, "store", store->writes_tried.message);
    }
    pthread_mutex_unlock(&store->lock);
    if (failing || eop_ballast_missing(store)) {
        eop_writer_wake(store);
    }
    return status;
}

static uint64_t file_bytes(const char *folder, const char *name) {
    struct stat st;
    uint64_t bytes = 0;
    char *path = eop_path_join(folder, name);
    if (path != NULL && lstat(path, &st) == 0 && S_ISREG(st.st_mode)) {
        bytes = (uint64_t)st.st_blocks * 512;
    }
    eop_free(path);
    return bytes;
}

typedef struct folder_sum {
    const char *folder;
    uint64_t bytes;
} folder_sum;

static edgeops_status add_file(const char *name, void *user_data) {
    folder_sum *sum = user_data;
    if (strcmp(name, EOP_BALLAST_NAME) != 0) {
        sum->bytes += file_bytes(sum->folder, name);
    }
    return EDGEOPS_OK;
}

static edgeops_status disk_bytes(uint64_t *out, edgeops_store *store) {
    static const char *const folders[] = {"", "data", "data/journal"};
    uint64_t total = 0;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < EOP_COUNT(folders); i++) {
        char *folder = eop_path_join(store->home, folders[i]);
        if (folder == NULL) {
            return eop_fail_nomem("store");
        }
        folder_sum sum = {.folder = folder};
        status = eop_dir_walk(folder, add_file, &sum);
        total += sum.bytes;
        eop_free(folder);
    }
    *out = total;
    return status;
}

edgeops_status eop_store_get_stats(edgeops_store *store, eop_store_stats *stats) {
    EOP_REQUIRE(store != NULL && stats != NULL, "store");
    eop_store_stats out = {.floor_bytes = store->options.free_floor_bytes};
    edgeops_status status = disk_bytes(&out.disk_bytes, store);
    if (status == EDGEOPS_OK) {
        status = eop_disk_free(&out.free_bytes, store->home);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    pthread_mutex_lock(&store->lock);
    out.assets = store->mem.count;
    for (size_t i = 0; i < store->mem.count; i++) {
        out.samples += store->mem.assets[i]->all.rows;
    }
    out.journal_bytes = eop_journal_used(store->journal);
    for (const eop_segment *segment = store->sealed; segment != NULL; segment = segment->next) {
        out.journal_bytes += segment->bytes;
    }
    out.damaged = eop_journal_damaged(store->journal);
    pthread_mutex_unlock(&store->lock);
    pthread_mutex_lock(&store->wake_lock);
    out.damaged += store->damaged_count;
    pthread_mutex_unlock(&store->wake_lock);
    *stats = out;
    return EDGEOPS_OK;
}
