/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the rows of one asset in order of time. Copies the memtable's rows and begins the
 * snapshot of the chunks under one hold of the lock, so that it sees each row once; after that it
 * needs no lock. */
#include "store/scan.h"

#include "base/error.h"
#include "base/memory.h"
#include "store/internal.h"

/* -- the memtable's part -- */

/* In a sorted block the wanted rows are adjacent. */
static edgeops_status copy_sorted(eop_rows *out, const eop_block *block, const eop_scan *scan) {
    const eop_selection *want = &scan->want;
    const eop_rows *data = &block->data;
    size_t from = eop_times_lower(data->times, data->rows, want->from);
    size_t to = eop_times_upper(data->times, data->rows, want->to);
    if (data->first_ordinal > want->max_ordinal) {
        return EDGEOPS_OK;
    }
    if (want->max_ordinal - data->first_ordinal < to) {
        to = (size_t)(want->max_ordinal - data->first_ordinal) + 1;
    }
    if (from >= to) {
        return EDGEOPS_OK;
    }
    bool all = want->condition_count == 0;
    if (all && want->limit > 0 && to - from > want->limit) {
        to = from + (size_t)want->limit;
    }
    if (all && want->last > 0 && to - from > want->last) {
        from = to - (size_t)want->last;
    }
    return eop_rows_copy(out, data, from, to, scan->channels);
}

static bool is_wanted(const eop_rows *data, size_t row, const eop_selection *want) {
    return data->times[row] >= want->from && data->times[row] <= want->to &&
           data->first_ordinal + row <= want->max_ordinal;
}

static edgeops_status copy_unsorted(eop_rows *out, const eop_block *block, const eop_scan *scan) {
    const eop_rows *data = &block->data;
    for (size_t from = 0; from < data->rows;) {
        size_t to = from;
        while (to < data->rows && is_wanted(data, to, &scan->want)) {
            to++;
        }
        if (to > from) {
            edgeops_status status = eop_rows_copy(out, data, from, to, scan->channels);
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
        from = to + 1;
    }
    return EDGEOPS_OK;
}

static edgeops_status copy_memtable(eop_scan *scan, uint64_t applied) {
    const eop_selection *want = &scan->want;
    const eop_series *series = eop_series_by_id(&scan->store->assets, want->asset);
    if (series == NULL) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "store", "the asset was removed");
    }
    edgeops_status status = EDGEOPS_OK;
    for (const eop_block *block = series->blocks; status == EDGEOPS_OK && block != NULL;
         block = block->next) {
        if (block->segment <= applied || block->data.rows == 0 || block->t_max < want->from ||
            block->t_min > want->to) {
            continue;
        }
        status = block->sorted ? copy_sorted(&scan->memory, block, scan)
                               : copy_unsorted(&scan->memory, block, scan);
    }
    return status;
}

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
        status = copy_memtable(scan, applied);
    }
    pthread_mutex_unlock(&scan->store->lock);
    return status;
}

/* -- pieces -- */

static edgeops_status add_piece(eop_scan *scan, eop_piece piece) {
    if (!eop_grow(&scan->pieces, &scan->piece_capacity, scan->piece_count + 1,
                  sizeof *scan->pieces)) {
        return eop_fail_nomem("store");
    }
    scan->pieces[scan->piece_count++] = piece;
    return EDGEOPS_OK;
}

/* The first row from `from` on with a later time. */
static size_t first_after(const eop_rows *rows, size_t from, int64_t time) {
    size_t row = eop_times_upper(rows->times, rows->rows, time);
    return row > from ? row : from;
}

/* Splits the time range at points that no chunk spans. */
static edgeops_status cut_pieces(eop_scan *scan) {
    const eop_chunk_list *chunks = &scan->chunks;
    const eop_rows *memory = &scan->memory;
    edgeops_status status = EDGEOPS_OK;
    size_t row = 0;
    for (size_t i = 0; status == EDGEOPS_OK && i < chunks->count;) {
        int64_t end = chunks->items[i].t1;
        size_t n = 1;
        while (i + n < chunks->count && chunks->items[i + n].t0 <= end) {
            end = chunks->items[i + n].t1 > end ? chunks->items[i + n].t1 : end;
            n++;
        }
        size_t before = eop_times_lower(memory->times, memory->rows, chunks->items[i].t0);
        before = before > row ? before : row;
        if (before > row) {
            status = add_piece(scan, (eop_piece){i, 0, row, before});
        }
        row = first_after(memory, before, end);
        if (status == EDGEOPS_OK) {
            status = add_piece(scan, (eop_piece){i, n, before, row});
        }
        i += n;
    }
    if (status == EDGEOPS_OK && row < memory->rows) {
        status = add_piece(scan, (eop_piece){chunks->count, 0, row, memory->rows});
    }
    return status;
}

/* -- which rows of a chunk -- */

/* Judges a chunk by its statistics. *open: bit i is set when condition i must be tested row by
 * row. */
static edgeops_status judge_chunk(eop_verdict *verdict, uint32_t *open, eop_scan *scan,
                                  const eop_chunk_info *chunk) {
    *verdict = EOP_ALL_ROWS;
    *open = 0;
    for (size_t i = 0; i < scan->want.condition_count; i++) {
        const eop_condition *condition = &scan->want.conditions[i];
        eop_chunk_stats stats;
        edgeops_status status =
            eop_telemetry_stats(&stats, &scan->reader, chunk, condition->channel);
        if (status < 0) {
            return status;
        }
        eop_verdict one =
            eop_condition_judge(condition, status == EDGEOPS_OK ? &stats : NULL, chunk->rows);
        if (one == EOP_NO_ROWS) {
            *verdict = EOP_NO_ROWS;
            return EDGEOPS_OK;
        }
        if (one == EOP_SOME_ROWS) {
            *verdict = EOP_SOME_ROWS;
            *open |= 1u << i;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status begin_keep(eop_scan *scan, eop_slice *slice) {
    if (!eop_grow(&scan->keep, &scan->keep_capacity, slice->count, sizeof *scan->keep)) {
        return eop_fail_nomem("store");
    }
    if (slice->keep == NULL) {
        for (size_t i = 0; i < slice->count; i++) {
            scan->keep[i] = (uint32_t)(slice->from + i);
        }
        slice->keep = scan->keep;
    }
    return EDGEOPS_OK;
}

static edgeops_status keep_arrived(eop_scan *scan, eop_slice *slice) {
    size_t kept = 0;
    edgeops_status status = begin_keep(scan, slice);
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (size_t i = 0; i < slice->count; i++) {
        if (eop_rows_ordinal(&scan->reader.keys, scan->keep[i]) <= scan->want.max_ordinal) {
            scan->keep[kept++] = scan->keep[i];
        }
    }
    slice->count = kept;
    return EDGEOPS_OK;
}

/* Decodes only the columns that the open conditions test. */
static edgeops_status keep_fitting(eop_scan *scan, eop_slice *slice, uint32_t open) {
    edgeops_status status = begin_keep(scan, slice);
    for (size_t i = 0; status == EDGEOPS_OK && i < scan->want.condition_count; i++) {
        const eop_condition *condition = &scan->want.conditions[i];
        const void *blob = NULL;
        size_t size = 0;
        if ((open >> i & 1u) == 0 || slice->count == 0) {
            continue;
        }
        eop_vector_dispose(&scan->tested);
        scan->tested = (eop_vector){.type = condition->type, .length = condition->length};
        status = eop_telemetry_cell(&blob, &size, &scan->reader, slice->chunk, condition->channel);
        if (status == EDGEOPS_OK) {
            status = eop_chunk_decode(&scan->tested, blob, size, slice->chunk->rows, slice->from,
                                      slice->to);
        }
        if (status >= 0) {
            slice->count = eop_condition_filter(scan->keep, slice->count, condition, &scan->tested,
                                                slice->from);
            status = EDGEOPS_OK;
        }
    }
    return status;
}

edgeops_status eop_scan_keys(eop_scan *scan, const eop_slice *slice) {
    if (scan->has_keys) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_telemetry_keys(&scan->reader, slice->chunk);
    scan->has_keys = status == EDGEOPS_OK;
    return status;
}

edgeops_status eop_scan_chunk(eop_slice *slice, eop_scan *scan, size_t i) {
    const eop_selection *want = &scan->want;
    const eop_chunk_info *chunk = &scan->chunks.items[i];
    scan->has_keys = false;
    eop_verdict verdict = EOP_ALL_ROWS;
    uint32_t open = 0;
    *slice = (eop_slice){.chunk = chunk, .to = chunk->rows, .count = chunk->rows};
    if (chunk->ord0 > want->max_ordinal) {
        slice->count = 0;
        return EDGEOPS_OK;
    }
    edgeops_status status = judge_chunk(&verdict, &open, scan, chunk);
    if (status != EDGEOPS_OK || verdict == EOP_NO_ROWS) {
        slice->count = 0;
        return status;
    }
    if (chunk->t0 < want->from || chunk->t1 > want->to) {
        status = eop_scan_keys(scan, slice);
        if (status != EDGEOPS_OK) {
            return status;
        }
        const eop_rows *keys = &scan->reader.keys;
        slice->from = eop_times_lower(keys->times, keys->rows, want->from);
        slice->to = eop_times_upper(keys->times, keys->rows, want->to);
        slice->count = slice->to > slice->from ? slice->to - slice->from : 0;
    }
    if (slice->count > 0 && chunk->ord1 > want->max_ordinal) {
        status = eop_scan_keys(scan, slice);
        if (status == EDGEOPS_OK) {
            status = keep_arrived(scan, slice);
        }
    }
    if (status == EDGEOPS_OK && slice->count > 0 && open != 0) {
        status = keep_fitting(scan, slice, open);
    }
    return status;
}

/* -- merged rows -- */

/* Tests the rows in slice->rows. */
static edgeops_status test_rows(eop_scan *scan, eop_slice *slice) {
    if (scan->want.condition_count == 0 || slice->count == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = begin_keep(scan, slice);
    for (size_t i = 0; status == EDGEOPS_OK && i < scan->want.condition_count; i++) {
        slice->count = eop_condition_filter(scan->keep, slice->count, &scan->want.conditions[i],
                                            &slice->rows->vectors[scan->column_count + i], 0);
    }
    return status;
}

static edgeops_status merge_piece(eop_slice *slice, eop_scan *scan, const eop_piece *piece) {
    const eop_selection *want = &scan->want;
    eop_chunk_filter filter = {want->from, want->to, want->max_ordinal};
    eop_rows *rows = &scan->merged;
    edgeops_status status = EDGEOPS_OK;
    eop_free(rows->ordinals);
    rows->ordinals = NULL;
    eop_rows_clear(rows);
    for (size_t i = 0; status == EDGEOPS_OK && i < piece->chunk_count; i++) {
        const eop_chunk_info *chunk = &scan->chunks.items[piece->chunk + i];
        eop_verdict verdict = EOP_ALL_ROWS;
        uint32_t open = 0;
        status = judge_chunk(&verdict, &open, scan, chunk);
        if (status == EDGEOPS_OK && verdict != EOP_NO_ROWS) {
            status = eop_telemetry_read(rows, &scan->reader, chunk, &filter, scan->channels);
        }
    }
    if (status == EDGEOPS_OK && piece->to > piece->from) {
        status = eop_rows_copy(rows, &scan->memory, piece->from, piece->to, NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_complete(rows);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_sort(rows);
    }
    *slice = (eop_slice){.rows = rows, .to = rows->rows, .count = rows->rows};
    return status == EDGEOPS_OK ? test_rows(scan, slice) : status;
}

static edgeops_status open_memory(eop_slice *slice, eop_scan *scan, size_t from, size_t to) {
    *slice = (eop_slice){.rows = &scan->memory, .from = from, .to = to, .count = to - from};
    return test_rows(scan, slice);
}

edgeops_status eop_scan_memory(eop_slice *slice, eop_scan *scan) {
    return open_memory(slice, scan, 0, scan->memory.rows);
}

/* The slice may end up without rows. */
static edgeops_status open_piece(eop_slice *slice, eop_scan *scan, const eop_piece *piece) {
    if (piece->chunk_count == 0) {
        return open_memory(slice, scan, piece->from, piece->to);
    }
    if (piece->chunk_count == 1 && piece->from == piece->to) {
        return eop_scan_chunk(slice, scan, piece->chunk);
    }
    return merge_piece(slice, scan, piece);
}

/* -- the scan -- */

/* Finds the piece in which the last N rows begin. */
static edgeops_status go_to_last(eop_scan *scan) {
    uint64_t sum = 0;
    scan->next = scan->piece_count;
    while (scan->next > 0 && sum < scan->want.last) {
        eop_slice slice;
        edgeops_status status = open_piece(&slice, scan, &scan->pieces[--scan->next]);
        if (status != EDGEOPS_OK) {
            return status;
        }
        sum += slice.count;
    }
    scan->skip = sum > scan->want.last ? sum - scan->want.last : 0;
    return EDGEOPS_OK;
}

static edgeops_status set_columns(eop_scan *scan, const eop_vector *columns, size_t n) {
    size_t conditions = scan->want.condition_count;
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
        status = eop_rows_add_vector(&scan->memory, type, length);
        if (status == EDGEOPS_OK) {
            status = eop_rows_add_vector(&scan->merged, type, length);
        }
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
        status = eop_rows_complete(&scan->memory);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_sort(&scan->memory);
    }
    if (status == EDGEOPS_OK) {
        status =
            eop_telemetry_find(&scan->chunks, &scan->reader, want->asset, want->from, want->to);
    }
    if (status == EDGEOPS_OK) {
        status = cut_pieces(scan);
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
    eop_rows_dispose(&scan->memory);
    eop_rows_dispose(&scan->merged);
    eop_vector_dispose(&scan->tested);
    eop_free(scan->chunks.items);
    eop_free(scan->pieces);
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
    while (scan->next < scan->piece_count && scan->left > 0) {
        edgeops_status status = open_piece(slice, scan, &scan->pieces[scan->next++]);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (scan->skip > 0) {
            drop_head(slice, (size_t)scan->skip);
            scan->skip = 0;
        }
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
    uint64_t bound = scan->memory.rows;
    for (size_t i = 0; i < scan->chunks.count; i++) {
        bound += scan->chunks.items[i].rows;
    }
    if (scan->want.last > 0 && bound > scan->want.last) {
        return scan->want.last;
    }
    return bound < scan->left ? bound : scan->left;
}
