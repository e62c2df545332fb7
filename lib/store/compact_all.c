/* SPDX-License-Identifier: Apache-2.0 */
/* Compacts on request: merges the chunks that are still small and rewrites those of older formats.
 * Runs as upkeep in the writer's thread, one transaction a step. */

#include <sqlite3.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "column/chunk.h"
#include "store/compact.h"
#include "store/inner.h"
#include "store/internal.h"
#include "store/queue.h"
#include "store/room.h"
#include "store/telemetry_db.h"
#include "store/upkeep.h"
#include "store/wal.h"

enum { LOOKS = 256 }; /* most chunks without work that one step skips */

typedef struct work {
    edgeops_store *store;
    uint32_t *assets;
    size_t at;
    uint64_t next; /* first ordinal of the asset not yet examined */
    bool again;    /* parts became rows, so chunks that are not full may be neighbours now */
    uint8_t version;
    eop_buf buf;
    eop_compacted sum; /* under `lock` */
    eop_compact_fn fn;
    void *user_data;
} work;

/* Whether all columns have the newest format. */
static edgeops_status is_new(bool *out, eop_telemetry *telemetry, int64_t id, uint8_t version) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, CHUNK_VERSIONS);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, eop_cell_id(id, 0));
        eop_sql_bind_int(select, 2, eop_cell_id(id, SLOT_ORDINALS));
        status = eop_sql_next(&telemetry->sql, select);
    }
    if (status == EDGEOPS_OK) {
        const uint8_t *first = sqlite3_column_blob(select, 0);
        /* A chunk of a newer format is left alone. */
        *out = first != NULL && sqlite3_column_bytes(select, 0) > 0 && *first >= version;
        sqlite3_reset(select);
    }
    return status;
}

/* Finds chunks without a gap from `next` on that need rewriting, in order of arrival. None: the
 * asset is done, unless `next` has grown. */
static edgeops_status find_run(eop_chunk_info *chunks, size_t *count, work *w, uint32_t asset,
                               size_t cut) {
    eop_telemetry *telemetry = &w->store->writer;
    eop_compact_sum sum = {.group_count = 0};
    *count = 0;
    for (size_t looks = 0;
         looks < LOOKS && *count < EOP_COMPACT_RUN && !eop_compact_makes_full(&sum, cut); looks++) {
        eop_chunk_info chunk;
        bool good = false;
        uint64_t from = *count > 0 ? chunks[*count - 1].ord1 + 1 : w->next;
        edgeops_status status = eop_telemetry_at(&chunk, telemetry, asset, from);
        if (status == EDGEOPS_OK) {
            status = is_new(&good, telemetry, chunk.id, w->version);
        }
        if (status == EDGEOPS_DONE) {
            break;
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
        bool full = good && chunk.rows >= cut / 4 * 3;
        if (*count > 0 && (full || chunk.ord0 != from)) {
            break;
        }
        if (full) {
            w->next = chunk.ord1 + 1;
            continue;
        }
        eop_compact_add(&sum, &chunk);
        if (*count > 0 && eop_compact_too_much(&sum, cut)) {
            break;
        }
        chunks[(*count)++] = chunk;
    }
    if (*count == 1) {
        bool good = false;
        edgeops_status status = is_new(&good, telemetry, chunks[0].id, w->version);
        if (status == EDGEOPS_OK && good) {
            w->next = chunks[0].ord1 + 1;
            *count = 0;
        }
        return status;
    }
    return EDGEOPS_OK;
}

static void reverse_chunks(eop_chunk_info *chunks, size_t count) {
    for (size_t i = 0; i < count / 2; i++) {
        eop_chunk_info swap = chunks[i];
        chunks[i] = chunks[count - 1 - i];
        chunks[count - 1 - i] = swap;
    }
}

/* Where to go on behind the chunks that were just written up to `end`: a remainder may be merged
 * with those behind it. */
static edgeops_status go_behind(work *w, uint32_t asset, uint64_t first, uint64_t end, size_t cut) {
    eop_chunk_info last;
    edgeops_status status = eop_telemetry_at(&last, &w->store->writer, asset, end - 1);
    if (status == EDGEOPS_OK) {
        w->next = last.ord0 > first && last.rows < cut ? last.ord0 : end;
    }
    return status;
}

/* Puts one chunk, or a few full ones, in the place of some. */
static edgeops_status merge_chunks(work *w, uint32_t asset, eop_rows *rows,
                                   const eop_chunk_info *chunks, size_t count, size_t cut) {
    eop_telemetry *telemetry = &w->store->writer;
    eop_parts parts = {0};
    size_t before = 0;
    edgeops_status status = eop_compact_read(rows, &parts, &count, telemetry, chunks, cut);
    uint64_t end = chunks[0].ord1 + 1;
    telemetry->grown = 0;
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        before += chunks[i].rows;
        status = eop_telemetry_remove_chunk(telemetry, chunks[i].id);
    }
    int64_t made = telemetry->next_id[0] + telemetry->next_id[1];
    w->next = end;
    if (status == EDGEOPS_OK && rows->rows > 0) {
        status = eop_telemetry_replace_rows(telemetry, asset, rows, &parts, &w->buf);
        made = telemetry->next_id[0] + telemetry->next_id[1] - made;
        w->again = w->again || (made == 1 && rows->rows < before && rows->rows < cut / 4 * 3);
        if (status == EDGEOPS_OK) {
            status = go_behind(w, asset, chunks[count - 1].ord0, end, cut);
        }
    } else {
        made = 0;
    }
    if (status == EDGEOPS_OK) {
        pthread_mutex_lock(&w->store->lock);
        w->sum.chunks += count;
        w->sum.into += (uint64_t)made;
        pthread_mutex_unlock(&w->store->lock);
    }
    eop_parts_dispose(&parts);
    return status;
}

/* Rewrites one run of an asset's chunks. DONE: there are no more. */
static edgeops_status compact_run(work *w, uint32_t asset) {
    eop_chunk_info chunks[EOP_COMPACT_RUN];
    eop_rows rows = {0};
    size_t count = 0;
    uint64_t before = w->next;
    edgeops_status status = eop_store_columns(&rows, w->store, asset, EOP_CHANNELS_MAX);
    size_t cut = eop_telemetry_cut(&rows);
    if (status == EDGEOPS_OK) {
        status = find_run(chunks, &count, w, asset, cut);
    }
    if (status == EDGEOPS_OK && count > 0) {
        reverse_chunks(chunks, count);
        status = merge_chunks(w, asset, &rows, chunks, count, cut);
    } else if (status == EDGEOPS_OK && w->next == before && w->again) {
        /* Some chunks became one, so this comes to its end. */
        w->again = false;
        w->next = 1;
    } else if (status == EDGEOPS_OK && w->next == before) {
        status = EDGEOPS_DONE;
    }
    eop_rows_dispose(&rows);
    return status;
}

static edgeops_status compact_asset(work *w, edgeops_store *store) {
    edgeops_status status = eop_sql_begin(&store->writer.sql);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = compact_run(w, w->assets[w->at]);
    bool done = status == EDGEOPS_DONE || status == EDGEOPS_E_NOTFOUND;
    status = eop_sql_end(&store->writer.sql, done ? EDGEOPS_OK : status);
    if (status != EDGEOPS_OK) {
        return status;
    }
    pthread_mutex_lock(&store->lock);
    store->chunk_epoch++;
    w->sum.assets += done;
    pthread_mutex_unlock(&store->lock);
    w->at += done;
    w->next = done ? 1 : w->next;
    w->again = w->again && !done;
    eop_store_checkpoint_chunks(store, false);
    return EDGEOPS_OK;
}

static edgeops_status compact_step(edgeops_store *store, void *data) {
    work *w = data;
    if (w->at < w->sum.asset_count) {
        return compact_asset(w, store);
    }
    edgeops_status status = eop_telemetry_shrink(&store->writer);
    eop_store_checkpoint_chunks(store, status == EDGEOPS_DONE);
    return status;
}

static bool go_on(void *user_data) {
    work *w = user_data;
    pthread_mutex_lock(&w->store->lock);
    eop_compacted sum = w->sum;
    pthread_mutex_unlock(&w->store->lock);
    return w->fn(&sum, w->user_data);
}

static edgeops_status list_assets(work *w, const char *pattern) {
    edgeops_store *store = w->store;
    size_t n = 0;
    pthread_mutex_lock(&store->lock);
    w->assets = eop_calloc(store->assets.count, sizeof *w->assets);
    for (size_t i = 0; w->assets != NULL && i < store->assets.count; i++) {
        const eop_asset *asset = store->assets.items[i];
        if (pattern == NULL || eop_glob(pattern, asset->name)) {
            w->assets[n++] = asset->id;
        }
    }
    pthread_mutex_unlock(&store->lock);
    w->sum.asset_count = n;
    if (w->assets == NULL) {
        return eop_fail_nomem("store");
    }
    return n > 0 || pattern == NULL ? EDGEOPS_OK : eop_fail_no_asset(pattern);
}

/* Finds the version byte of columns as they are written now. */
static edgeops_status know_version(work *w) {
    int64_t zero = 0;
    eop_chunk_encode_int(&w->buf, &zero, 1);
    if (w->buf.failed) {
        return eop_fail_nomem("store");
    }
    w->version = (uint8_t)w->buf.data[0];
    return EDGEOPS_OK;
}

static edgeops_status measure_disk(uint64_t *out, edgeops_store *store) {
    eop_store_stats stats;
    edgeops_status status = eop_store_get_stats(store, &stats);
    if (status == EDGEOPS_OK) {
        *out = stats.disk_bytes;
    }
    return status;
}

edgeops_status eop_store_compact(eop_compacted *out, edgeops_store *store, const char *pattern,
                                 eop_compact_fn fn, void *user_data) {
    EOP_REQUIRE(out != NULL && store != NULL, "store");
    work w = {.store = store, .next = 1, .fn = fn, .user_data = user_data};
    edgeops_status status = know_version(&w);
    if (status == EDGEOPS_OK) {
        status = list_assets(&w, pattern);
    }
    if (status == EDGEOPS_OK) {
        status = measure_disk(&w.sum.before, store);
    }
    if (status == EDGEOPS_OK) {
        status = eop_store_flush(store);
    }
    if (status == EDGEOPS_OK) {
        status = eop_upkeep_do(store, compact_step, &w, fn != NULL ? go_on : NULL, &w);
    }
    if (status == EDGEOPS_OK) {
        status = measure_disk(&w.sum.after, store);
    }
    if (status == EDGEOPS_OK) {
        *out = w.sum;
    }
    eop_free(w.assets);
    eop_buf_dispose(&w.buf);
    return status;
}
