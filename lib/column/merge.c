/* SPDX-License-Identifier: Apache-2.0 */
/* Merges sorted rows by their keys and puts their columns into blocks. A run is appended to a lead
 * that ends before it, or is part of one that has the same keys; only leads are merged row by row.
 * A column takes its runs one behind the other as long as they come so; from the first one that
 * does not, an index says where the cell of each row is. Owns its keys; not locked. */
#include "column/merge.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

#define NO_CELL UINT32_MAX

static void empty(eop_rows *rows) {
    eop_rows_drop_ordinals(rows);
    eop_rows_clear(rows);
}

static void drop_index(eop_merge *merge, size_t column) {
    eop_free(merge->index[column]);
    merge->index[column] = NULL;
}

void eop_merge_dispose(eop_merge *merge) {
    for (size_t i = 0; i < merge->lead_made; i++) {
        eop_rows_dispose(&merge->leads[i]);
    }
    for (size_t k = 0; k < merge->index_count; k++) {
        drop_index(merge, k);
    }
    eop_rows_dispose(&merge->merged);
    eop_free(merge->leads);
    eop_free(merge->runs);
    eop_free(merge->places);
    eop_free(merge->starts);
    eop_free(merge->heap);
    eop_free(merge->next);
    eop_free(merge->index);
    eop_free(merge->views);
    *merge = (eop_merge){0};
}

void eop_merge_begin(eop_merge *merge, bool fold) {
    for (size_t i = 0; i < merge->lead_count; i++) {
        empty(&merge->leads[i]);
    }
    empty(&merge->merged);
    merge->lead_count = 0;
    merge->run_count = 0;
    merge->fold = fold;
}

/* -- keys -- */

/* Looks for the keys in a lead, all of them one after the other. */
static bool has_keys(size_t *at, const eop_rows *lead, const eop_rows *rows, size_t from,
                     size_t to) {
    size_t n = to - from;
    return eop_rows_find(at, lead, rows->times[from], rows->seqs[from]) && lead->rows - *at >= n &&
           memcmp(lead->times + *at, rows->times + from, n * sizeof *rows->times) == 0 &&
           memcmp(lead->seqs + *at, rows->seqs + from, n * sizeof *rows->seqs) == 0;
}

static edgeops_status take_least_ordinals(eop_rows *lead, size_t at, const eop_rows *rows,
                                          size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        uint64_t ordinal = eop_rows_ordinal(rows, i);
        size_t row = at + (i - from);
        if (ordinal < eop_rows_ordinal(lead, row)) {
            edgeops_status status = eop_rows_keep_ordinals(lead);
            if (status != EDGEOPS_OK) {
                return status;
            }
            lead->ordinals[row] = ordinal;
        }
    }
    return EDGEOPS_OK;
}

static bool ends_before(const eop_rows *lead, const eop_rows *rows, size_t from) {
    size_t last = lead->rows - 1;
    return eop_key_compare(lead->times[last], lead->seqs[last], rows->times[from],
                           rows->seqs[from]) < 0;
}

/* A lead that ends before the rows, else a new one. */
static edgeops_status find_lead(uint32_t *out, eop_merge *merge, const eop_rows *rows,
                                size_t from) {
    uint32_t i = 0;
    while (i < merge->lead_count && !ends_before(&merge->leads[i], rows, from)) {
        i++;
    }
    *out = i;
    if (i < merge->lead_made) {
        return EDGEOPS_OK;
    }
    if (!eop_grow(&merge->leads, &merge->lead_capacity, i + 1, sizeof *merge->leads)) {
        return eop_fail_nomem("store");
    }
    merge->leads[i] = (eop_rows){0};
    merge->lead_made++;
    return EDGEOPS_OK;
}

edgeops_status eop_merge_add(eop_merge *merge, const eop_rows *rows, size_t from, size_t to) {
    eop_merge_run run = {.count = to - from};
    edgeops_status status = EDGEOPS_OK;
    if (!eop_grow(&merge->runs, &merge->run_capacity, merge->run_count + 1, sizeof *merge->runs)) {
        return eop_fail_nomem("store");
    }
    while (merge->fold && run.lead < merge->lead_count &&
           !has_keys(&run.at, &merge->leads[run.lead], rows, from, to)) {
        run.lead++;
    }
    if (merge->fold && run.lead < merge->lead_count) {
        status = take_least_ordinals(&merge->leads[run.lead], run.at, rows, from, to);
    } else {
        status = find_lead(&run.lead, merge, rows, from);
        if (status == EDGEOPS_OK) {
            eop_rows *lead = &merge->leads[run.lead];
            run.at = lead->rows;
            status = eop_rows_append_keys(lead, rows, from, to);
            lead->rows += status == EDGEOPS_OK ? run.count : 0;
        }
        merge->lead_count += status == EDGEOPS_OK && run.lead == merge->lead_count;
    }
    if (status == EDGEOPS_OK) {
        merge->runs[merge->run_count++] = run;
    }
    return status;
}

/* -- places -- */

/* Whether the next row of lead a comes before that of lead b. */
static bool comes_first(const eop_merge *merge, uint32_t a, uint32_t b) {
    const eop_rows *x = &merge->leads[a];
    const eop_rows *y = &merge->leads[b];
    size_t i = merge->next[a];
    size_t j = merge->next[b];
    int order = eop_key_compare(x->times[i], x->seqs[i], y->times[j], y->seqs[j]);
    return order != 0 ? order < 0 : a < b;
}

static void sift_down(eop_merge *merge, size_t at, size_t n) {
    uint32_t *heap = merge->heap;
    for (size_t child = 2 * at + 1; child < n; child = 2 * at + 1) {
        child += child + 1 < n && comes_first(merge, heap[child + 1], heap[child]);
        if (!comes_first(merge, heap[child], heap[at])) {
            return;
        }
        uint32_t lead = heap[at];
        heap[at] = heap[child];
        heap[child] = lead;
        at = child;
    }
}

/* Gives the next row of a lead its place. The merged keys have room. */
static void place_row(eop_merge *merge, uint32_t lead) {
    eop_rows *out = &merge->merged;
    const eop_rows *rows = &merge->leads[lead];
    size_t row = merge->next[lead]++;
    size_t last = out->rows - 1;
    uint64_t ordinal = eop_rows_ordinal(rows, row);
    if (merge->fold && out->rows > 0 && out->times[last] == rows->times[row] &&
        out->seqs[last] == rows->seqs[row]) {
        out->ordinals[last] = ordinal < out->ordinals[last] ? ordinal : out->ordinals[last];
    } else {
        last = out->rows++;
        out->times[last] = rows->times[row];
        out->seqs[last] = rows->seqs[row];
        out->ordinals[last] = ordinal;
    }
    merge->places[merge->starts[lead] + row] = (uint32_t)last;
}

static edgeops_status begin_places(eop_merge *merge) {
    size_t n = merge->lead_count;
    size_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        rows += merge->leads[i].rows;
    }
    if (rows >= NO_CELL) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "too many samples overlap in time; read a shorter range");
    }
    if (!eop_grow(&merge->places, &merge->place_capacity, rows, sizeof *merge->places) ||
        !eop_grow(&merge->starts, &merge->start_capacity, n, sizeof *merge->starts) ||
        !eop_grow(&merge->next, &merge->next_capacity, n, sizeof *merge->next) ||
        !eop_grow(&merge->heap, &merge->heap_capacity, n, sizeof *merge->heap)) {
        return eop_fail_nomem("store");
    }
    rows = 0;
    for (size_t i = 0; i < n; i++) {
        merge->starts[i] = rows;
        merge->next[i] = 0;
        merge->heap[i] = (uint32_t)i;
        rows += merge->leads[i].rows;
    }
    edgeops_status status = eop_rows_reserve(&merge->merged, rows);
    return status == EDGEOPS_OK ? eop_rows_keep_ordinals(&merge->merged) : status;
}

edgeops_status eop_merge_finish(eop_merge *merge) {
    size_t n = merge->lead_count;
    if (n < 2) {
        return EDGEOPS_OK;
    }
    edgeops_status status = begin_places(merge);
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (size_t i = n / 2; i-- > 0;) {
        sift_down(merge, i, n);
    }
    while (n > 0) {
        uint32_t lead = merge->heap[0];
        place_row(merge, lead);
        if (merge->next[lead] == merge->leads[lead].rows) {
            merge->heap[0] = merge->heap[--n];
        }
        sift_down(merge, 0, n);
    }
    return EDGEOPS_OK;
}

const eop_rows *eop_merge_keys(const eop_merge *merge) {
    return merge->lead_count == 1 ? &merge->leads[0] : &merge->merged;
}

/* -- blocks -- */

/* The merged row of row i of a run. */
static size_t place_of(const eop_merge *merge, const eop_merge_run *run, size_t i) {
    if (merge->lead_count == 1) {
        return run->at + i;
    }
    return merge->places[merge->starts[run->lead] + run->at + i];
}

edgeops_status eop_merge_block(eop_merge *merge, eop_rows *out, size_t from, size_t to) {
    size_t count = out->vector_count;
    merge->from = from;
    merge->to = to;
    empty(out);
    if (count > merge->index_count) {
        if (!eop_grow(&merge->index, &merge->index_capacity, count, sizeof *merge->index) ||
            !eop_grow(&merge->views, &merge->view_capacity, count, sizeof *merge->views)) {
            return eop_fail_nomem("store");
        }
        while (merge->index_count < count) {
            merge->index[merge->index_count++] = NULL;
        }
    }
    for (size_t k = 0; k < count; k++) {
        drop_index(merge, k);
        merge->views[k] = (eop_vector){0};
    }
    edgeops_status status = eop_rows_append_keys(out, eop_merge_keys(merge), from, to);
    out->rows = status == EDGEOPS_OK ? to - from : 0;
    return status;
}

/* The first row of a run whose place is not before `place`. */
static size_t run_lower(const eop_merge *merge, const eop_merge_run *run, size_t place) {
    size_t low = 0;
    size_t high = run->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (place_of(merge, run, middle) < place) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

void eop_merge_part(size_t *from, size_t *to, const eop_merge *merge, size_t run) {
    *from = run_lower(merge, &merge->runs[run], merge->from);
    *to = run_lower(merge, &merge->runs[run], merge->to);
}

static edgeops_status begin_index(uint32_t **index, const eop_vector *column, size_t rows) {
    if (*index != NULL) {
        return EDGEOPS_OK;
    }
    *index = eop_realloc_array(NULL, rows, sizeof **index);
    if (*index == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < rows; i++) {
        (*index)[i] = i < column->filled ? (uint32_t)i : NO_CELL;
    }
    return EDGEOPS_OK;
}

/* Appends n rows of the source from `row` on, which are rows from `from` on of the run, and points
 * the index of the block to their cells. */
static edgeops_status put_apart(eop_merge *merge, size_t k, eop_vector *column,
                                const eop_merge_run *run, size_t from, const eop_vector *source,
                                size_t row, size_t n) {
    edgeops_status status = begin_index(&merge->index[k], column, merge->to - merge->from);
    uint32_t *index = merge->index[k];
    size_t base = column->filled;
    if (status == EDGEOPS_OK && base + n >= NO_CELL) {
        status = eop_fail(EDGEOPS_E_LIMIT, "store",
                          "too many samples overlap in time; read a shorter range");
    }
    if (status == EDGEOPS_OK) {
        status = eop_vector_append(column, source, row, row + n);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        size_t place = place_of(merge, run, from + i) - merge->from;
        if (!eop_vector_is_null(column, base + i) &&
            (index[place] == NO_CELL || eop_vector_is_null(column, index[place]))) {
            index[place] = (uint32_t)(base + i);
        }
    }
    return status;
}

static bool all_null(const eop_vector *vector, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        if (vector->valid == NULL || vector->valid[i] != 0) {
            return false;
        }
    }
    return true;
}

/* What a run puts: rows [from, to) of it, the first at `place` of the block. */
typedef struct part {
    const eop_merge_run *run;
    size_t from;
    size_t to;
    size_t place;
    bool adjacent; /* their places are */
    bool whole;    /* they are all rows of the block, and may be borrowed */
} part;

/* Puts a column, which has cells in rows [from, to) of the source. */
static edgeops_status put_column(eop_merge *merge, size_t k, eop_vector *column, const part *p,
                                 const eop_vector *source, size_t from, size_t to) {
    eop_vector *view = &merge->views[k];
    edgeops_status status = EDGEOPS_OK;
    if (p->whole && to - from == p->to - p->from && view->filled == 0 && column->filled == 0) {
        *view = eop_vector_view(source, from, to);
        return EDGEOPS_OK;
    }
    if (view->filled > 0) {
        status = eop_vector_append(column, view, 0, view->filled);
        *view = (eop_vector){0};
    }
    if (status == EDGEOPS_OK &&
        (!p->adjacent || merge->index[k] != NULL || p->place < column->filled)) {
        return put_apart(merge, k, column, p->run, p->from, source, from, to - from);
    }
    if (status == EDGEOPS_OK) {
        status = eop_vector_pad(column, p->place);
    }
    return status == EDGEOPS_OK ? eop_vector_append(column, source, from, to) : status;
}

edgeops_status eop_merge_put(eop_merge *merge, eop_rows *out, size_t number, const eop_rows *rows,
                             size_t first, bool stays) {
    part p = {.run = &merge->runs[number]};
    edgeops_status status = EDGEOPS_OK;
    eop_merge_part(&p.from, &p.to, merge, number);
    if (p.from == p.to) {
        return EDGEOPS_OK;
    }
    p.place = place_of(merge, p.run, p.from) - merge->from;
    p.adjacent = place_of(merge, p.run, p.to - 1) - merge->from == p.place + (p.to - 1 - p.from);
    p.whole = stays && p.adjacent && p.to - p.from == out->rows;
    for (size_t k = 0; status == EDGEOPS_OK && k < out->vector_count; k++) {
        const eop_vector *source = &rows->vectors[k];
        size_t from = first + p.from;
        size_t to = source->filled < first + p.to ? source->filled : first + p.to;
        if (to > from && !all_null(source, from, to)) {
            status = put_column(merge, k, &out->vectors[k], &p, source, from, to);
        }
    }
    return status;
}

/* Brings the cells of a column into the order of the rows. */
static edgeops_status apply_index(eop_vector *column, uint32_t *index, size_t rows) {
    size_t nothing = column->filled;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < rows; i++) {
        if (index[i] == NO_CELL) {
            status = eop_vector_pad(column, nothing + 1);
            index[i] = (uint32_t)nothing;
        }
    }
    return status == EDGEOPS_OK ? eop_vector_gather(column, index, rows) : status;
}

edgeops_status eop_merge_end(eop_rows *shown, eop_merge *merge, eop_rows *out) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < out->vector_count; k++) {
        eop_vector *column = &out->vectors[k];
        if (merge->views[k].filled > 0) {
            continue;
        }
        if (merge->index[k] != NULL) {
            status = apply_index(column, merge->index[k], out->rows);
            drop_index(merge, k);
        }
        if (status == EDGEOPS_OK) {
            status = eop_vector_pad(column, out->rows);
        }
        merge->views[k] = *column;
    }
    *shown = *out;
    shown->vectors = merge->views;
    return status;
}
