/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the rows of one asset in order of time. Copies the memtable's rows and begins the
 * snapshot of the chunks under one hold of the lock, so that it sees each row once; after that it
 * needs no lock. Merges piece by piece what overlaps, and gives it in blocks. */
#include "store/scan.h"

#include "base/error.h"
#include "base/memory.h"
#include "store/internal.h"
#include "store/scan_chunk.h"

#define BLOCK_BYTES ((size_t)8 * 1024 * 1024)
#define FROM_MEMORY UINT32_MAX

enum { BLOCK_LEAST = 512, BLOCK_MOST = 16384 };

/* -- opening -- */

/* Positions are found before the snapshot begins; a channel that changed its type in between has
 * left its one. */
static edgeops_status check_channels(const eop_scan *scan) {
    const eop_asset *asset = eop_asset_list_by_id(&scan->store->assets, scan->want.asset);
    size_t n = scan->column_count + scan->want.condition_count;
    for (size_t k = 0; asset != NULL && k < n; k++) {
        uint32_t at = scan->channels[k];
        if (at < asset->channel_count && asset->channels[at]->state != EOP_CHANNEL_LIVE) {
            return eop_fail(EDGEOPS_E_AGAIN, "store",
                            "asset '%s': a channel has just changed its type; read again",
                            asset->name);
        }
    }
    return EDGEOPS_OK;
}

/* Begins the snapshot and copies the memtable's rows that are not in it. */
static edgeops_status take_snapshot(eop_scan *scan) {
    uint64_t applied = 0;
    pthread_mutex_lock(&scan->store->lock);
    edgeops_status status = check_channels(scan);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_begin(&scan->reader);
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_applied(&applied, &scan->reader);
    }
    if (status == EDGEOPS_OK) {
        status = eop_scan_copy(&scan->memory, scan->store, &scan->want, scan->channels, applied);
    }
    pthread_mutex_unlock(&scan->store->lock);
    return status;
}

/* -- pieces of several chunks, or of chunks and memory -- */

static edgeops_status add_run(eop_scan *scan, const eop_rows *rows, const eop_piece *piece,
                              uint32_t source) {
    size_t n = scan->merge.run_count;
    size_t from = piece->row;
    size_t to = piece->row_end;
    if (source != FROM_MEMORY) {
        from = eop_times_lower(rows->times, rows->rows, piece->from);
        to = eop_times_upper(rows->times, rows->rows, piece->to);
    }
    if (from >= to) {
        return EDGEOPS_OK;
    }
    if (!eop_grow(&scan->sources, &scan->source_capacity, n + 1, sizeof *scan->sources) ||
        !eop_grow(&scan->firsts, &scan->first_capacity, n + 1, sizeof *scan->firsts)) {
        return eop_fail_nomem("store");
    }
    scan->sources[n] = source;
    scan->firsts[n] = from;
    return eop_merge_add(&scan->merge, rows, from, to);
}

static edgeops_status add_chunk_run(eop_scan *scan, const eop_piece *piece, uint32_t chunk) {
    const eop_rows *rows = NULL;
    bool out = scan->chunks.items[chunk].ord0 > scan->want.max_ordinal;
    edgeops_status status = EDGEOPS_OK;
    /* A row with parts elsewhere, in memory too, cannot be judged by one of them. */
    if (!out && !piece->later) {
        status = eop_scan_is_out(&out, scan, chunk);
    }
    if (status != EDGEOPS_OK || out) {
        return status;
    }
    status = eop_scan_load_keys(&rows, scan, chunk);
    return status == EDGEOPS_OK ? add_run(scan, rows, piece, chunk) : status;
}

static edgeops_status begin_merge(eop_scan *scan, const eop_piece *piece) {
    const uint32_t *chunks = scan->pieces.chunks + piece->first;
    bool out = false;
    edgeops_status status = EDGEOPS_OK;
    eop_merge_begin(&scan->merge, piece->later);
    scan->at = 0;
    if (piece->later && piece->row == piece->row_end) {
        status = eop_scan_are_out(&out, scan, chunks, piece->count);
    }
    for (size_t i = 0; status == EDGEOPS_OK && !out && i < piece->count; i++) {
        status = add_chunk_run(scan, piece, chunks[i]);
    }
    if (status == EDGEOPS_OK) {
        status = add_run(scan, &scan->memory.rows, piece, FROM_MEMORY);
    }
    if (status == EDGEOPS_OK) {
        status = eop_merge_finish(&scan->merge);
    }
    if (status == EDGEOPS_OK) {
        scan->merging = piece;
    }
    return status;
}

static edgeops_status put_run(eop_scan *scan, size_t run) {
    const eop_rows *rows = &scan->memory.rows;
    bool kept = true;
    size_t from = 0;
    size_t to = 0;
    edgeops_status status = EDGEOPS_OK;
    eop_merge_part(&from, &to, &scan->merge, run);
    if (from == to) {
        return EDGEOPS_OK;
    }
    if (scan->sources[run] != FROM_MEMORY) {
        status = eop_scan_load(&rows, &kept, scan, scan->sources[run]);
    }
    if (status == EDGEOPS_OK) {
        status = eop_merge_put(&scan->merge, &scan->merged, run, rows, scan->firsts[run], kept);
    }
    return status;
}

static bool is_complete(const eop_rows *rows) {
    for (size_t k = 0; k < rows->vector_count; k++) {
        if (rows->vectors[k].filled < rows->rows) {
            return false;
        }
    }
    return true;
}

/* The rows of the piece as they are, when they are all in one place. *there: they are. */
static edgeops_status show_run(eop_slice *slice, bool *there, eop_scan *scan) {
    const eop_rows *rows = &scan->memory.rows;
    bool kept = true;
    *there = scan->at == 0 && scan->merge.run_count == 1;
    if (*there && scan->sources[0] != FROM_MEMORY) {
        edgeops_status status = eop_scan_load(&rows, &kept, scan, scan->sources[0]);
        if (status != EDGEOPS_OK) {
            return status;
        }
        *there = is_complete(rows);
    }
    if (*there) {
        size_t n = scan->merge.runs[0].count;
        size_t from = scan->firsts[0];
        *slice = (eop_slice){.rows = rows, .from = from, .to = from + n, .count = n};
        scan->at = n;
    }
    return EDGEOPS_OK;
}

/* The next rows of the piece that is merged. */
static edgeops_status next_block(eop_slice *slice, eop_scan *scan) {
    const eop_rows *keys = eop_merge_keys(&scan->merge);
    size_t n = scan->merge.run_count > 0 ? keys->rows : 0;
    bool there = n == 0;
    *slice = (eop_slice){.rows = keys, .to = n, .count = n};
    edgeops_status status = EDGEOPS_OK;
    if (n > 0 && scan->merged.vector_count == 0) {
        there = true;
        scan->at = n;
    } else if (n > 0) {
        status = show_run(slice, &there, scan);
    }
    if (status == EDGEOPS_OK && !there) {
        size_t to = n - scan->at > scan->block ? scan->at + scan->block : n;
        status = eop_merge_block(&scan->merge, &scan->merged, scan->at, to);
        for (size_t i = 0; status == EDGEOPS_OK && i < scan->merge.run_count; i++) {
            status = put_run(scan, i);
        }
        if (status == EDGEOPS_OK) {
            status = eop_merge_end(&scan->shown, &scan->merge, &scan->merged);
        }
        *slice = (eop_slice){.rows = &scan->shown, .to = to - scan->at, .count = to - scan->at};
        scan->at = to;
    }
    if (scan->at == n) {
        scan->merging = NULL;
    }
    return status == EDGEOPS_OK ? eop_scan_test(scan, slice) : status;
}

/* -- all pieces -- */

/* The slice may end up without rows; more may follow while scan->merging. */
static edgeops_status open_piece(eop_slice *slice, eop_scan *scan, const eop_piece *piece) {
    const uint32_t *chunk = scan->pieces.chunks + piece->first;
    if (piece->count == 0) {
        *slice = (eop_slice){.rows = &scan->memory.rows,
                             .from = piece->row,
                             .to = piece->row_end,
                             .count = piece->row_end - piece->row};
        return eop_scan_test(scan, slice);
    }
    if (piece->count == 1 && piece->row == piece->row_end &&
        scan->chunks.items[*chunk].t0 >= piece->from &&
        scan->chunks.items[*chunk].t1 <= piece->to) {
        return eop_scan_chunk(slice, scan, *chunk);
    }
    edgeops_status status = begin_merge(scan, piece);
    return status == EDGEOPS_OK ? next_block(slice, scan) : status;
}

/* No piece from the next one on needs the chunks that ended in the one before. */
static void forget_past(eop_scan *scan) {
    if (scan->next == 0 || scan->entries == NULL) {
        return;
    }
    const eop_piece *past = &scan->pieces.items[scan->next - 1];
    for (size_t i = past->first; i < past->first + past->count; i++) {
        if (scan->chunks.items[scan->pieces.chunks[i]].t1 <= past->to) {
            eop_scan_forget(scan, scan->pieces.chunks[i]);
        }
    }
}

/* Who walks without an order needs no pieces. */
static edgeops_status need_pieces(eop_scan *scan) {
    if (scan->cut) {
        return EDGEOPS_OK;
    }
    scan->cut = true;
    return eop_pieces_cut(&scan->pieces, &scan->chunks, &scan->memory.rows,
                          scan->memory.later != NULL);
}

/* Finds the piece in which the last N rows begin. */
static edgeops_status go_to_last(eop_scan *scan) {
    uint64_t sum = 0;
    edgeops_status cut = need_pieces(scan);
    if (cut != EDGEOPS_OK) {
        return cut;
    }
    scan->next = scan->pieces.count;
    while (scan->next > 0 && sum < scan->want.last) {
        eop_slice slice;
        edgeops_status status = open_piece(&slice, scan, &scan->pieces.items[--scan->next]);
        sum += status == EDGEOPS_OK ? slice.count : 0;
        while (status == EDGEOPS_OK && scan->merging != NULL) {
            status = next_block(&slice, scan);
            sum += status == EDGEOPS_OK ? slice.count : 0;
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    scan->skip = sum > scan->want.last ? sum - scan->want.last : 0;
    return EDGEOPS_OK;
}

static edgeops_status set_columns(eop_scan *scan, const eop_vector *columns, size_t n) {
    size_t conditions = scan->want.condition_count;
    size_t row_bytes = 1;
    scan->column_count = n;
    scan->channels = eop_calloc(n + conditions, sizeof *scan->channels);
    if (scan->channels == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < n + conditions; k++) {
        const eop_condition *condition = k < n ? NULL : &scan->want.conditions[k - n];
        edgeops_type type = k < n ? columns[k].type : condition->type;
        uint32_t length = k < n ? columns[k].length : condition->length;
        scan->channels[k] = k < n ? scan->want.channels[k] : condition->channel;
        status = eop_rows_add_vector(&scan->memory.rows, type, length);
        if (status == EDGEOPS_OK) {
            status = eop_rows_add_vector(&scan->merged, type, length);
        }
        if (status == EDGEOPS_OK) {
            row_bytes += eop_vector_row_bytes(&scan->merged.vectors[k]);
        }
    }
    scan->block = BLOCK_BYTES / row_bytes;
    scan->block = scan->block > BLOCK_MOST ? BLOCK_MOST : scan->block;
    scan->block = scan->block < BLOCK_LEAST ? BLOCK_LEAST : scan->block;
    return status;
}

static edgeops_status find_chunks(eop_scan *scan) {
    const eop_selection *want = &scan->want;
    edgeops_status status =
        eop_telemetry_find(&scan->chunks, &scan->reader, want->asset, want->from, want->to);
    scan->splits = scan->memory.later != NULL;
    for (size_t i = 0; status == EDGEOPS_OK && i < scan->chunks.count; i++) {
        scan->splits = scan->splits || scan->chunks.items[i].later > 0;
    }
    return status;
}

edgeops_status eop_scan_open(eop_scan *scan, edgeops_store *store, const eop_selection *want,
                             const eop_vector *columns, size_t n) {
    *scan = (eop_scan){.store = store, .want = *want, .left = UINT64_MAX};
    edgeops_status status = set_columns(scan, columns, n);
    if (status == EDGEOPS_OK) {
        status = eop_reader_take(&scan->reader, store);
        scan->reading = status == EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        status = take_snapshot(scan);
    }
    if (status == EDGEOPS_OK) {
        status = eop_scan_arrange(&scan->memory);
    }
    if (status == EDGEOPS_OK) {
        status = find_chunks(scan);
    }
    if (status == EDGEOPS_OK && want->last > 0) {
        status = go_to_last(scan);
    }
    if (want->limit > 0) {
        scan->left = want->limit;
    }
    return status;
}

void eop_scan_dispose(eop_scan *scan) {
    if (scan->reading) {
        eop_telemetry_end(&scan->reader);
        eop_reader_give(scan->store, &scan->reader);
    }
    for (size_t i = 0; scan->entries != NULL && i < scan->chunks.count; i++) {
        eop_scan_forget(scan, (uint32_t)i);
    }
    eop_scan_rows_dispose(&scan->memory);
    eop_pieces_dispose(&scan->pieces);
    eop_merge_dispose(&scan->merge);
    eop_rows_dispose(&scan->merged);
    eop_rows_dispose(&scan->spare);
    eop_rows_dispose(&scan->spare_keys);
    eop_vector_dispose(&scan->tested);
    eop_free(scan->chunks.items);
    eop_free(scan->entries);
    eop_free(scan->cut_later);
    eop_free(scan->sources);
    eop_free(scan->firsts);
    eop_free(scan->channels);
    eop_free(scan->keep);
    *scan = (eop_scan){0};
}

static void drop_head(eop_slice *slice, size_t n) {
    if (slice->keep != NULL) {
        slice->keep += n;
    } else {
        slice->from += n;
    }
    slice->count -= n;
}

edgeops_status eop_scan_next(eop_scan *scan, eop_slice *slice) {
    edgeops_status cut = need_pieces(scan);
    if (cut != EDGEOPS_OK) {
        return cut;
    }
    while ((scan->merging != NULL || scan->next < scan->pieces.count) && scan->left > 0) {
        edgeops_status status = EDGEOPS_OK;
        if (scan->merging != NULL) {
            status = next_block(slice, scan);
        } else {
            forget_past(scan);
            status = open_piece(slice, scan, &scan->pieces.items[scan->next++]);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
        size_t skipped = slice->count < scan->skip ? slice->count : (size_t)scan->skip;
        drop_head(slice, skipped);
        scan->skip -= skipped;
        if (slice->count > scan->left) {
            slice->count = (size_t)scan->left;
        }
        if (slice->keep == NULL) {
            slice->to = slice->from + slice->count;
        }
        scan->left -= slice->count;
        if (slice->count > 0) {
            return EDGEOPS_OK;
        }
    }
    return EDGEOPS_DONE;
}

uint64_t eop_scan_bound(const eop_scan *scan) {
    uint64_t bound = scan->memory.rows.rows;
    for (size_t i = 0; i < scan->chunks.count; i++) {
        bound += scan->chunks.items[i].rows;
    }
    if (scan->want.last > 0 && bound > scan->want.last) {
        return scan->want.last;
    }
    return bound < scan->left ? bound : scan->left;
}

/* -- without an order -- */

edgeops_status eop_scan_next_loose(eop_scan *scan, eop_slice *slice) {
    size_t i = scan->next;
    size_t n = scan->memory.rows.rows;
    if (i > scan->chunks.count) {
        return EDGEOPS_DONE;
    }
    if (i > 0) {
        eop_scan_forget(scan, (uint32_t)i - 1);
    }
    scan->next++;
    if (i < scan->chunks.count) {
        return eop_scan_chunk(slice, scan, i);
    }
    *slice =
        (eop_slice){.rows = &scan->memory.rows, .to = n, .count = n, .later = scan->memory.later};
    return eop_scan_test(scan, slice);
}

typedef struct dropped {
    uint32_t asset;
    int64_t until;
} dropped;

static edgeops_status take_dropped(uint32_t asset, const eop_state *state, void *user_data) {
    dropped *d = user_data;
    if (asset == d->asset && state->dropped > 0) {
        d->until = state->until;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_scan_is_loose(bool *loose, eop_scan *scan) {
    dropped d = {.asset = scan->want.asset, .until = INT64_MIN};
    *loose = !scan->splits;
    if (*loose || scan->want.condition_count > 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_telemetry_states(&scan->reader, take_dropped, &d);
    *loose = true;
    for (size_t i = 0; i < scan->chunks.count; i++) {
        const eop_chunk_info *chunk = &scan->chunks.items[i];
        *loose = *loose && (chunk->later == 0 || chunk->t0 > d.until);
    }
    for (size_t i = 0; scan->memory.later != NULL && i < scan->memory.rows.rows; i++) {
        *loose = *loose && (scan->memory.later[i] == 0 || scan->memory.rows.times[i] > d.until);
    }
    return status;
}
