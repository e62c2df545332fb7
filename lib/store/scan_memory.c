/* SPDX-License-Identifier: Apache-2.0 */
/* Copies the wanted rows of the memtable under the store's lock, with no more work than that: they
 * are sorted, and the parts of a row joined, when the lock is free again. */
#include "store/scan_memory.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/internal.h"

void eop_scan_rows_dispose(eop_scan_rows *rows) {
    eop_rows_dispose(&rows->rows);
    eop_free(rows->later);
    eop_free(rows->ordinals);
    *rows = (eop_scan_rows){0};
}

/* -- copying -- */

/* How many of the block's rows had begun by an ordinal: they are in order of arrival. */
static size_t rows_arrived(const eop_rows *data, uint64_t max_ordinal) {
    size_t low = 0;
    size_t high = data->rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (eop_rows_ordinal(data, middle) <= max_ordinal) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static edgeops_status note_later(eop_scan_rows *out, const eop_block *block, size_t from,
                                 size_t to) {
    for (size_t row = from; block->parts->later_count > 0 && row < to; row++) {
        if (!eop_parts_later(block->parts, row)) {
            continue;
        }
        if (!eop_grow(&out->ordinals, &out->capacity, out->count + 1, sizeof *out->ordinals)) {
            return eop_fail_nomem("store");
        }
        out->ordinals[out->count++] = eop_rows_ordinal(&block->data, row);
    }
    return EDGEOPS_OK;
}

static edgeops_status copy_rows(eop_scan_rows *out, const eop_block *block,
                                const eop_selection *want, const uint32_t *channels, size_t from,
                                size_t to) {
    size_t at = out->rows.rows;
    if (from >= to) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_rows_copy(&out->rows, &block->data, from, to, channels);
    if (status == EDGEOPS_OK && block->parts != NULL) {
        status = eop_parts_hide(&out->rows, at, block->parts, block->data.first_ordinal, from, to,
                                want->max_ordinal, channels);
        status = status == EDGEOPS_OK ? note_later(out, block, from, to) : status;
    }
    return status;
}

/* In a sorted block the wanted rows are adjacent. The first N keys of an asset are among the first
 * N of each block, also where the rows of several become one. */
static edgeops_status copy_sorted(eop_scan_rows *out, const eop_block *block,
                                  const eop_selection *want, const uint32_t *channels, size_t n) {
    size_t from = eop_times_lower(block->data.times, n, want->from);
    size_t to = eop_times_upper(block->data.times, n, want->to);
    bool all = want->condition_count == 0;
    if (all && want->limit > 0 && to > from && to - from > want->limit) {
        to = from + (size_t)want->limit;
    }
    if (all && want->last > 0 && to > from && to - from > want->last) {
        from = to - (size_t)want->last;
    }
    return copy_rows(out, block, want, channels, from, to);
}

static edgeops_status copy_unsorted(eop_scan_rows *out, const eop_block *block,
                                    const eop_selection *want, const uint32_t *channels, size_t n) {
    const int64_t *times = block->data.times;
    edgeops_status status = EDGEOPS_OK;
    for (size_t from = 0; status == EDGEOPS_OK && from < n;) {
        size_t to = from;
        while (to < n && times[to] >= want->from && times[to] <= want->to) {
            to++;
        }
        status = copy_rows(out, block, want, channels, from, to);
        from = to + 1;
    }
    return status;
}

edgeops_status eop_scan_copy(eop_scan_rows *out, edgeops_store *store, const eop_selection *want,
                             const uint32_t *channels, uint64_t applied) {
    const eop_series *series = eop_series_by_id(&store->assets, want->asset);
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
        size_t n = rows_arrived(&block->data, want->max_ordinal);
        status = block->sorted ? copy_sorted(out, block, want, channels, n)
                               : copy_unsorted(out, block, want, channels, n);
    }
    return status;
}

/* -- arranging -- */

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A row has the ordinal of its first part: it began elsewhere when that part did. */
static edgeops_status mark_later(eop_scan_rows *out) {
    out->later = eop_calloc(out->rows.rows, sizeof *out->later);
    if (out->later == NULL) {
        return eop_fail_nomem("store");
    }
    qsort(out->ordinals, out->count, sizeof *out->ordinals, by_number);
    for (size_t row = 0; row < out->rows.rows; row++) {
        uint64_t ordinal = eop_rows_ordinal(&out->rows, row);
        out->later[row] =
            bsearch(&ordinal, out->ordinals, out->count, sizeof *out->ordinals, by_number) != NULL;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_scan_arrange(eop_scan_rows *out) {
    edgeops_status status = eop_rows_complete(&out->rows);
    if (status == EDGEOPS_OK) {
        status = eop_rows_sort(&out->rows);
    }
    if (status == EDGEOPS_OK && out->count > 0) {
        status = eop_rows_fold(&out->rows);
        status = status == EDGEOPS_OK ? mark_later(out) : status;
    }
    return status;
}
