/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one asset: keys (time, seq, ordinal) and a vector for each channel. Copies, sorts,
 * truncates and searches whole rows. Rows own their arrays and are not locked. */
#include "column/rows.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

void eop_rows_dispose(eop_rows *rows) {
    for (size_t i = 0; i < rows->vector_count; i++) {
        eop_vector_dispose(&rows->vectors[i]);
    }
    eop_free(rows->vectors);
    eop_free(rows->times);
    eop_free(rows->seqs);
    eop_free(rows->ordinals);
    *rows = (eop_rows){0};
}

void eop_rows_clear(eop_rows *rows) {
    for (size_t i = 0; i < rows->vector_count; i++) {
        eop_vector_clear(&rows->vectors[i]);
    }
    rows->rows = 0;
}

edgeops_status eop_rows_reserve(eop_rows *rows, size_t n) {
    if (EOP_LIKELY(n <= rows->capacity)) {
        return EDGEOPS_OK;
    }
    size_t capacity = rows->capacity > 0 ? rows->capacity : 8;
    while (capacity < n) {
        if (capacity > SIZE_MAX / 32) {
            return eop_fail_nomem("store");
        }
        capacity = eop_rows_more(capacity);
    }
    int64_t *times = eop_realloc_array(rows->times, capacity, sizeof *times);
    if (times == NULL) {
        return eop_fail_nomem("store");
    }
    rows->times = times;
    int64_t *seqs = eop_realloc_array(rows->seqs, capacity, sizeof *seqs);
    if (seqs == NULL) {
        return eop_fail_nomem("store");
    }
    rows->seqs = seqs;
    if (rows->ordinals != NULL) {
        uint64_t *ordinals = eop_realloc_array(rows->ordinals, capacity, sizeof *ordinals);
        if (ordinals == NULL) {
            return eop_fail_nomem("store");
        }
        rows->ordinals = ordinals;
    }
    rows->capacity = capacity;
    return EDGEOPS_OK;
}

edgeops_status eop_rows_add_vector(eop_rows *rows, edgeops_type type, uint32_t length) {
    if (!eop_grow(&rows->vectors, &rows->vector_capacity, rows->vector_count + 1,
                  sizeof *rows->vectors)) {
        return eop_fail_nomem("store");
    }
    rows->vectors[rows->vector_count++] = (eop_vector){.type = type, .length = length};
    return EDGEOPS_OK;
}

edgeops_status eop_rows_keep_ordinals(eop_rows *rows) {
    if (rows->ordinals != NULL) {
        return EDGEOPS_OK;
    }
    rows->ordinals = eop_alloc((rows->capacity > 0 ? rows->capacity : 1) * sizeof *rows->ordinals);
    if (rows->ordinals == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < rows->rows; i++) {
        rows->ordinals[i] = rows->first_ordinal + i;
    }
    return EDGEOPS_OK;
}

void eop_rows_drop_ordinals(eop_rows *rows) {
    eop_free(rows->ordinals);
    rows->ordinals = NULL;
}

size_t eop_rows_bytes(const eop_rows *rows) {
    size_t key = sizeof *rows->times + sizeof *rows->seqs;
    key += rows->ordinals != NULL ? sizeof *rows->ordinals : 0;
    size_t bytes = rows->capacity * key + rows->vector_capacity * sizeof *rows->vectors;
    for (size_t k = 0; k < rows->vector_count; k++) {
        bytes += eop_vector_bytes(&rows->vectors[k]);
    }
    return bytes;
}

edgeops_status eop_rows_append_keys(eop_rows *rows, const eop_rows *source, size_t from,
                                    size_t to) {
    size_t n = to - from;
    size_t at = rows->rows;
    if (n == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_rows_reserve(rows, at + n);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (rows->ordinals == NULL) {
        if (at == 0 && source->ordinals == NULL) {
            rows->first_ordinal = source->first_ordinal + from;
        } else if (source->ordinals != NULL ||
                   rows->first_ordinal + at != source->first_ordinal + from) {
            status = eop_rows_keep_ordinals(rows);
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
    }
    memcpy(rows->times + at, source->times + from, n * sizeof *rows->times);
    memcpy(rows->seqs + at, source->seqs + from, n * sizeof *rows->seqs);
    if (rows->ordinals != NULL) {
        for (size_t i = 0; i < n; i++) {
            rows->ordinals[at + i] = eop_rows_ordinal(source, from + i);
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_rows_copy(eop_rows *rows, const eop_rows *source, size_t from, size_t to,
                             const uint32_t *map) {
    edgeops_status status = eop_rows_append_keys(rows, source, from, to);
    for (size_t k = rows->vector_count;
         status == EDGEOPS_OK && map == NULL && k < source->vector_count; k++) {
        status = eop_rows_add_vector(rows, source->vectors[k].type, source->vectors[k].length);
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        size_t from_vector = map != NULL ? map[k] : k;
        if (from_vector >= source->vector_count) {
            continue;
        }
        const eop_vector *vector = &source->vectors[from_vector];
        if (vector->filled <= from) {
            continue;
        }
        status = eop_vector_pad(&rows->vectors[k], rows->rows);
        if (status == EDGEOPS_OK) {
            status = eop_vector_append(&rows->vectors[k], vector, from,
                                       vector->filled < to ? vector->filled : to);
        }
    }
    if (status == EDGEOPS_OK) {
        rows->rows += to - from;
    } else {
        eop_rows_truncate(rows, rows->rows);
    }
    return status;
}

eop_vector eop_vector_view(const eop_vector *source, size_t from, size_t to) {
    eop_vector view = *source;
    view.filled = to - from;
    view.data = (char *)source->data + from * eop_vector_row_bytes(source);
    view.quality = source->quality != NULL ? source->quality + from : NULL;
    view.nulls = 0;
    if (source->valid != NULL) {
        view.valid = source->valid + from;
        for (size_t i = 0; i < view.filled; i++) {
            view.nulls += view.valid[i] == 0;
        }
    }
    return view;
}

edgeops_status eop_rows_view(eop_rows *view, const eop_rows *source, size_t from, size_t to) {
    for (size_t k = 0; k < source->vector_count; k++) {
        if (source->vectors[k].filled < to) {
            return EDGEOPS_DONE;
        }
    }
    if (source->ordinals != NULL) {
        return EDGEOPS_DONE;
    }
    eop_vector *vectors = eop_realloc_array(NULL, source->vector_count, sizeof *vectors);
    if (vectors == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t k = 0; k < source->vector_count; k++) {
        vectors[k] = eop_vector_view(&source->vectors[k], from, to);
    }
    *view = (eop_rows){.rows = to - from,
                       .times = source->times + from,
                       .seqs = source->seqs + from,
                       .first_ordinal = source->first_ordinal + from,
                       .vectors = vectors,
                       .vector_count = source->vector_count};
    return EDGEOPS_OK;
}

void eop_rows_view_dispose(eop_rows *view) {
    eop_free(view->vectors);
    *view = (eop_rows){0};
}

edgeops_status eop_rows_gather_keys(eop_rows *rows, const uint32_t *index, size_t n) {
    edgeops_status status = eop_rows_keep_ordinals(rows);
    if (status != EDGEOPS_OK) {
        return status;
    }
    int64_t *scratch = eop_alloc((n > 0 ? n : 1) * sizeof *scratch);
    if (scratch == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < n; i++) {
        scratch[i] = rows->times[index[i]];
    }
    memcpy(rows->times, scratch, n * sizeof *scratch);
    for (size_t i = 0; i < n; i++) {
        scratch[i] = rows->seqs[index[i]];
    }
    memcpy(rows->seqs, scratch, n * sizeof *scratch);
    for (size_t i = 0; i < n; i++) {
        scratch[i] = (int64_t)rows->ordinals[index[i]];
    }
    memcpy(rows->ordinals, scratch, n * sizeof *scratch);
    rows->rows = n;
    eop_free(scratch);
    return EDGEOPS_OK;
}

edgeops_status eop_rows_gather(eop_rows *rows, const uint32_t *index, size_t n) {
    edgeops_status status = eop_rows_complete(rows);
    for (size_t k = 0; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        status = eop_vector_gather(&rows->vectors[k], index, n);
    }
    return status == EDGEOPS_OK ? eop_rows_gather_keys(rows, index, n) : status;
}

void eop_rows_truncate(eop_rows *rows, size_t n) {
    for (size_t k = 0; k < rows->vector_count; k++) {
        eop_vector_truncate(&rows->vectors[k], n);
    }
    rows->rows = n;
}

edgeops_status eop_rows_complete(eop_rows *rows) {
    for (size_t k = 0; k < rows->vector_count; k++) {
        edgeops_status status = eop_vector_pad(&rows->vectors[k], rows->rows);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

static bool in_order(const eop_rows *rows, bool by_arrival, uint32_t a, uint32_t b) {
    if (by_arrival) {
        return rows->ordinals[a] <= rows->ordinals[b];
    }
    return eop_key_compare(rows->times[a], rows->seqs[a], rows->times[b], rows->seqs[b]) <= 0;
}

/* End of the ascending run that begins at `from`. */
static size_t run_end(const eop_rows *rows, bool by_arrival, const uint32_t *index, size_t from,
                      size_t n) {
    size_t end = from + 1;
    while (end < n && in_order(rows, by_arrival, index[end - 1], index[end])) {
        end++;
    }
    return end;
}

static void merge_runs(const eop_rows *rows, bool by_arrival, uint32_t *out, const uint32_t *a,
                       const uint32_t *a_end, const uint32_t *b_end) {
    const uint32_t *b = a_end;
    while (a < a_end && b < b_end) {
        *out++ = in_order(rows, by_arrival, *a, *b) ? *a++ : *b++;
    }
    memcpy(out, a, (size_t)(a_end - a) * sizeof *a);
    out += a_end - a;
    memcpy(out, b, (size_t)(b_end - b) * sizeof *b);
}

/* Natural merge sort: the input is mostly a few sorted runs one after the other. */
static edgeops_status order_rows(uint32_t **out, const eop_rows *rows, bool by_arrival) {
    size_t n = rows->rows;
    if (n > UINT32_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "a read gives at most 4,294,967,295 rows; read a shorter range");
    }
    uint32_t *index = eop_realloc_array(NULL, n, 2 * sizeof *index);
    if (index == NULL) {
        return eop_fail_nomem("store");
    }
    uint32_t *from = index;
    uint32_t *to = index + n;
    for (size_t i = 0; i < n; i++) {
        from[i] = (uint32_t)i;
    }
    while (run_end(rows, by_arrival, from, 0, n) < n) {
        for (size_t start = 0; start < n;) {
            size_t middle = run_end(rows, by_arrival, from, start, n);
            size_t end = middle < n ? run_end(rows, by_arrival, from, middle, n) : n;
            merge_runs(rows, by_arrival, to + start, from + start, from + middle, from + end);
            start = end;
        }
        uint32_t *other = from;
        from = to;
        to = other;
    }
    if (from != index) {
        memcpy(index, from, n * sizeof *index);
    }
    *out = index;
    return EDGEOPS_OK;
}

static edgeops_status sort_rows(eop_rows *rows, bool by_arrival) {
    uint32_t *index = NULL;
    edgeops_status status = order_rows(&index, rows, by_arrival);
    if (status == EDGEOPS_OK) {
        status = eop_rows_gather(rows, index, rows->rows);
    }
    eop_free(index);
    return status;
}

static bool in_key_order(const eop_rows *rows) {
    for (size_t i = 1; i < rows->rows; i++) {
        if (eop_key_compare(rows->times[i - 1], rows->seqs[i - 1], rows->times[i], rows->seqs[i]) >
            0) {
            return false;
        }
    }
    return true;
}

edgeops_status eop_rows_order(uint32_t **index, const eop_rows *rows) {
    *index = NULL;
    return in_key_order(rows) ? EDGEOPS_OK : order_rows(index, rows, false);
}

edgeops_status eop_rows_sort(eop_rows *rows) {
    return in_key_order(rows) ? EDGEOPS_OK : sort_rows(rows, false);
}

edgeops_status eop_rows_sort_by_arrival(eop_rows *rows) {
    if (rows->ordinals == NULL) {
        return EDGEOPS_OK;
    }
    for (size_t i = 1; i < rows->rows; i++) {
        if (rows->ordinals[i - 1] > rows->ordinals[i]) {
            return sort_rows(rows, true);
        }
    }
    return EDGEOPS_OK;
}

bool eop_all_zero(const int64_t *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (values[i] != 0) {
            return false;
        }
    }
    return true;
}

size_t eop_times_lower(const int64_t *times, size_t n, int64_t time) {
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (times[middle] < time) {
            low = middle + 1;
        } else {
            n = middle;
        }
    }
    return low;
}

size_t eop_times_upper(const int64_t *times, size_t n, int64_t time) {
    size_t low = 0;
    while (low < n) {
        size_t middle = low + (n - low) / 2;
        if (times[middle] <= time) {
            low = middle + 1;
        } else {
            n = middle;
        }
    }
    return low;
}

bool eop_rows_find(size_t *row, const eop_rows *rows, int64_t time, int64_t seq) {
    size_t low = 0;
    size_t high = rows->rows;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (eop_key_compare(rows->times[middle], rows->seqs[middle], time, seq) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *row = low;
    return low < rows->rows && rows->times[low] == time && rows->seqs[low] == seq;
}
