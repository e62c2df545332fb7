/* SPDX-License-Identifier: Apache-2.0 */
/* One chunk of a scan. Decoded chunks are kept while pieces of time move through them, as many as
 * fit into CACHE_BYTES; the others are decoded again when they are needed again. */
#include "store/scan_chunk.h"

#include "base/error.h"
#include "base/memory.h"

#define CACHE_BYTES ((size_t)64 * 1024 * 1024)

/* -- by statistics -- */

static edgeops_status judge(eop_verdict *verdict, eop_scan *scan, const eop_chunk_info *chunk,
                            const eop_condition *condition) {
    eop_chunk_stats stats;
    edgeops_status status = eop_telemetry_stats(&stats, &scan->reader, chunk, condition->channel);
    if (status >= 0) {
        *verdict =
            eop_condition_judge(condition, status == EDGEOPS_OK ? &stats : NULL, chunk->rows);
    }
    return status < 0 ? status : EDGEOPS_OK;
}

/* *open: bit i is set when condition i must be tested row by row. */
static edgeops_status judge_chunk(eop_verdict *verdict, uint32_t *open, eop_scan *scan,
                                  const eop_chunk_info *chunk) {
    *verdict = EOP_ALL_ROWS;
    *open = 0;
    for (size_t i = 0; i < scan->want.condition_count; i++) {
        eop_verdict one = EOP_SOME_ROWS;
        edgeops_status status = judge(&one, scan, chunk, &scan->want.conditions[i]);
        if (status != EDGEOPS_OK) {
            return status;
        }
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

/* Whether cells of its rows came after max_ordinal: they are in the statistics, but not wanted. */
static bool has_hidden(const eop_scan *scan, const eop_chunk_info *chunk) {
    return chunk->ord1 > scan->want.max_ordinal && eop_chunk_has_parts(chunk);
}

edgeops_status eop_scan_are_out(bool *out, eop_scan *scan, const uint32_t *chunks, size_t n) {
    *out = false;
    for (size_t i = 0; !*out && i < scan->want.condition_count; i++) {
        const eop_condition *condition = &scan->want.conditions[i];
        /* What is null in each chunk may be null in the whole row, or not. */
        *out = condition->compare != EDGEOPS_COMPARE_IS_NULL;
        for (size_t k = 0; *out && k < n; k++) {
            const eop_chunk_info *chunk = &scan->chunks.items[chunks[k]];
            eop_verdict verdict = EOP_NO_ROWS;
            edgeops_status status = EDGEOPS_OK;
            if (chunk->ord0 <= scan->want.max_ordinal) {
                status = judge(&verdict, scan, chunk, condition);
            }
            if (status != EDGEOPS_OK) {
                return status;
            }
            *out = verdict == EOP_NO_ROWS;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status need_entries(eop_scan *scan) {
    if (scan->entries == NULL) {
        scan->entries = eop_calloc(scan->chunks.count, sizeof *scan->entries);
    }
    return scan->entries != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
}

edgeops_status eop_scan_is_out(bool *out, eop_scan *scan, uint32_t i) {
    const eop_chunk_info *chunk = &scan->chunks.items[i];
    edgeops_status status = need_entries(scan);
    if (status == EDGEOPS_OK && !scan->entries[i].judged) {
        bool none = chunk->ord0 > scan->want.max_ordinal;
        if (!none && has_hidden(scan, chunk)) {
            status = eop_scan_are_out(&none, scan, &i, 1);
        } else if (!none) {
            eop_verdict verdict = EOP_ALL_ROWS;
            uint32_t open = 0;
            status = judge_chunk(&verdict, &open, scan, chunk);
            none = verdict == EOP_NO_ROWS;
        }
        scan->entries[i].out = none;
        scan->entries[i].judged = status == EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        *out = scan->entries[i].out;
    }
    return status;
}

/* -- decoded -- */

static edgeops_status clear_rows(eop_rows *rows, const eop_rows *like) {
    edgeops_status status = EDGEOPS_OK;
    eop_rows_drop_ordinals(rows);
    eop_rows_clear(rows);
    for (size_t k = rows->vector_count; status == EDGEOPS_OK && k < like->vector_count; k++) {
        status = eop_rows_add_vector(rows, like->vectors[k].type, like->vectors[k].length);
    }
    return status;
}

static edgeops_status decode(eop_rows *rows, eop_scan *scan, uint32_t i) {
    const eop_selection *want = &scan->want;
    eop_chunk_filter filter = {want->from, want->to, want->max_ordinal};
    scan->has_keys = false;
    return eop_telemetry_read(rows, &scan->reader, &scan->chunks.items[i], &filter, scan->channels);
}

edgeops_status eop_scan_load(const eop_rows **out, bool *kept, eop_scan *scan, uint32_t i) {
    edgeops_status status = need_entries(scan);
    *kept = status == EDGEOPS_OK && scan->entries[i].rows != NULL;
    if (*kept || status != EDGEOPS_OK) {
        *out = status == EDGEOPS_OK ? scan->entries[i].rows : NULL;
        return status;
    }
    status = clear_rows(&scan->spare, &scan->merged);
    if (status == EDGEOPS_OK) {
        status = decode(&scan->spare, scan, i);
    }
    *out = &scan->spare;
    size_t bytes = eop_rows_bytes(&scan->spare);
    if (status == EDGEOPS_OK && scan->cached + bytes <= CACHE_BYTES) {
        eop_rows *entry = eop_alloc(sizeof *entry);
        if (entry == NULL) {
            return eop_fail_nomem("store");
        }
        *entry = scan->spare;
        scan->spare = (eop_rows){0};
        scan->entries[i].rows = entry;
        scan->entries[i].bytes = bytes;
        scan->cached += bytes;
        *kept = true;
        *out = entry;
    }
    return status;
}

edgeops_status eop_scan_load_keys(const eop_rows **out, eop_scan *scan, uint32_t i) {
    edgeops_status status = need_entries(scan);
    bool kept = false;
    if (status == EDGEOPS_OK && (scan->entries[i].rows != NULL || scan->cached < CACHE_BYTES / 2)) {
        return eop_scan_load(out, &kept, scan, i);
    }
    if (status == EDGEOPS_OK) {
        status = clear_rows(&scan->spare_keys, &scan->spare_keys);
    }
    *out = &scan->spare_keys;
    return status == EDGEOPS_OK ? decode(&scan->spare_keys, scan, i) : status;
}

void eop_scan_forget(eop_scan *scan, uint32_t i) {
    if (scan->entries != NULL && scan->entries[i].rows != NULL) {
        scan->cached -= scan->entries[i].bytes;
        /* Its memory is there for the next chunk. */
        eop_rows_dispose(&scan->spare);
        scan->spare = *scan->entries[i].rows;
        eop_free(scan->entries[i].rows);
        scan->entries[i].rows = NULL;
    }
}

/* -- its wanted rows -- */

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

edgeops_status eop_scan_test(eop_scan *scan, eop_slice *slice) {
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

const uint8_t *eop_scan_later(const eop_scan *scan, const eop_slice *slice) {
    if (slice->chunk == NULL) {
        return slice->later;
    }
    return slice->chunk->later > 0 ? scan->reader.parts.later : NULL;
}

/* Which rows of a decoded chunk began elsewhere. */
static edgeops_status mark_later(eop_scan *scan, eop_slice *slice, const eop_chunk_info *chunk) {
    size_t n = 0;
    edgeops_status status = eop_telemetry_keys(&scan->reader, chunk);
    if (status != EDGEOPS_OK) {
        return status;
    }
    const eop_rows *keys = &scan->reader.keys;
    eop_free(scan->cut_later);
    scan->cut_later = eop_calloc(chunk->rows, sizeof *scan->cut_later);
    if (scan->cut_later == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < keys->rows; i++) {
        if (keys->times[i] >= scan->want.from && keys->times[i] <= scan->want.to &&
            eop_rows_ordinal(keys, i) <= scan->want.max_ordinal) {
            scan->cut_later[n++] = eop_parts_later(&scan->reader.parts, i);
        }
    }
    slice->later = scan->cut_later;
    return EDGEOPS_OK;
}

/* Of a chunk with cells that came after max_ordinal. There is at most one in a scan. */
static edgeops_status cut_chunk(eop_slice *slice, eop_scan *scan, uint32_t i) {
    const eop_rows *rows = NULL;
    bool kept = false;
    bool out = false;
    *slice = (eop_slice){0};
    edgeops_status status = eop_scan_is_out(&out, scan, i);
    if (status != EDGEOPS_OK || out) {
        return status;
    }
    status = eop_scan_load(&rows, &kept, scan, i);
    if (status == EDGEOPS_OK) {
        status = eop_rows_complete(kept ? scan->entries[i].rows : &scan->spare);
    }
    if (status == EDGEOPS_OK) {
        *slice = (eop_slice){.rows = rows, .to = rows->rows, .count = rows->rows};
        status = eop_scan_test(scan, slice);
    }
    if (status == EDGEOPS_OK && scan->chunks.items[i].later > 0) {
        status = mark_later(scan, slice, &scan->chunks.items[i]);
    }
    return status;
}

edgeops_status eop_scan_chunk(eop_slice *slice, eop_scan *scan, size_t i) {
    const eop_selection *want = &scan->want;
    const eop_chunk_info *chunk = &scan->chunks.items[i];
    scan->has_keys = false;
    eop_verdict verdict = EOP_ALL_ROWS;
    uint32_t open = 0;
    if (has_hidden(scan, chunk)) {
        return cut_chunk(slice, scan, (uint32_t)i);
    }
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
