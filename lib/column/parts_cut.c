/* SPDX-License-Identifier: Apache-2.0 */
/* Some of the arrivals of a collection: what was there at an ordinal, the arrivals one by one, a
 * piece of them. Each notes which shapes show or hide cells of which rows ("marks"), and then goes
 * through the columns one by one. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "column/parts.h"

/* The channels of a shape are shown or hidden in a row of the result. */
typedef struct mark {
    uint32_t row;
    uint32_t shape;
    bool show;
} mark;

typedef struct marks {
    mark *list;
    size_t count;
    size_t capacity;
} marks;

/* The same by channel: those of channel c are [starts[c], starts[c + 1]). */
typedef struct cell_marks {
    size_t *starts;
    uint32_t *rows;
    uint8_t *show;
    uint32_t channel_limit;
} cell_marks;

static edgeops_status add_mark(marks *all, size_t row, uint32_t shape, bool show) {
    if (!eop_grow(&all->list, &all->capacity, all->count + 1, sizeof *all->list)) {
        return eop_fail_nomem("store");
    }
    all->list[all->count++] = (mark){(uint32_t)row, shape, show};
    return EDGEOPS_OK;
}

static void cell_marks_dispose(cell_marks *cells) {
    eop_free(cells->starts);
    eop_free(cells->rows);
    eop_free(cells->show);
    *cells = (cell_marks){0};
}

/* A counting sort: marks of one channel stay in order. */
static edgeops_status sort_marks(cell_marks *cells, const eop_parts *parts, const marks *all) {
    size_t n;
    cells->channel_limit = parts->channel_limit;
    cells->starts = eop_calloc((size_t)parts->channel_limit + 2, sizeof *cells->starts);
    if (cells->starts == NULL) {
        return eop_fail_nomem("store");
    }
    size_t *starts = cells->starts + 1; /* the next place of each channel, and so its end */
    for (size_t i = 0; i < all->count; i++) {
        const uint16_t *channels = eop_parts_shape(&n, parts, all->list[i].shape);
        for (size_t k = 0; k < n; k++) {
            starts[channels[k] + 1]++;
        }
    }
    for (uint32_t c = 0; c < parts->channel_limit; c++) {
        starts[c + 1] += starts[c];
    }
    size_t total = starts[parts->channel_limit];
    cells->rows = eop_realloc_array(NULL, total, sizeof *cells->rows);
    cells->show = eop_alloc(total);
    if (cells->rows == NULL || cells->show == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < all->count; i++) {
        const uint16_t *channels = eop_parts_shape(&n, parts, all->list[i].shape);
        for (size_t k = 0; k < n; k++) {
            size_t place = starts[channels[k]]++;
            cells->rows[place] = all->list[i].row;
            cells->show[place] = all->list[i].show;
        }
    }
    return EDGEOPS_OK;
}

static size_t marks_of(size_t *from, const cell_marks *cells, size_t column,
                       const uint32_t *channels) {
    size_t channel = channels != NULL ? channels[column] : column;
    if (channel >= cells->channel_limit) {
        return 0;
    }
    *from = cells->starts[channel];
    return cells->starts[channel + 1] - *from;
}

edgeops_status eop_parts_hide(eop_rows *rows, size_t at, const eop_parts *parts, uint64_t first,
                              size_t from, size_t to, uint64_t max_ordinal,
                              const uint32_t *channels) {
    marks all = {0};
    cell_marks cells = {0};
    edgeops_status status = EDGEOPS_OK;
    /* Arrivals before `end` stay. */
    size_t end = max_ordinal < first ? 0 : parts->count;
    if (end > 0 && max_ordinal - first < parts->count) {
        end = (size_t)(max_ordinal - first) + 1;
    }
    for (size_t row = from; end < parts->count && row < to; row++) {
        for (uint32_t i = parts->last[row];
             status == EDGEOPS_OK && i >= end && parts->before[i] != EOP_PARTS_NONE;
             i = parts->before[i]) {
            status = add_mark(&all, at + (row - from), parts->shapes[i], false);
        }
    }
    if (status == EDGEOPS_OK && all.count > 0) {
        status = sort_marks(&cells, parts, &all);
    }
    for (size_t k = 0; status == EDGEOPS_OK && all.count > 0 && k < rows->vector_count; k++) {
        size_t start = 0;
        size_t n = marks_of(&start, &cells, k, channels);
        status = n > 0 ? eop_vector_hide(&rows->vectors[k], cells.rows + start, n) : status;
    }
    cell_marks_dispose(&cells);
    eop_free(all.list);
    return status;
}

/* Rows made of some cells of rows of a collection. */
typedef struct cut {
    const eop_parts *parts;
    const uint32_t *channels; /* of the columns; NULL: their numbers */
    size_t count;
    uint32_t *sources; /* the row of the collection; all arrays have one a row */
    uint32_t *shown;   /* the same where all its cells are shown that no mark hides, else NONE */
    bool any_shown;
    uint32_t *scratch;
    uint64_t *ordinals;
    marks marks;
    cell_marks cells;
} cut;

static edgeops_status cut_begin(cut *c, size_t max) {
    c->sources = eop_realloc_array(NULL, max, sizeof *c->sources);
    c->shown = eop_realloc_array(NULL, max, sizeof *c->shown);
    c->scratch = eop_realloc_array(NULL, max, sizeof *c->scratch);
    c->ordinals = eop_realloc_array(NULL, max, sizeof *c->ordinals);
    return c->sources != NULL && c->shown != NULL && c->scratch != NULL && c->ordinals != NULL
               ? EDGEOPS_OK
               : eop_fail_nomem("store");
}

static void cut_dispose(cut *c) {
    eop_free(c->sources);
    eop_free(c->shown);
    eop_free(c->scratch);
    eop_free(c->ordinals);
    eop_free(c->marks.list);
    cell_marks_dispose(&c->cells);
}

/* Adds the row that arrival i begins. Where that is its first arrival here, it brought what no
 * other one brought: of those, the ones from arrival `hide_from` on are hidden. */
static edgeops_status cut_row(cut *c, uint32_t i, uint64_t first, uint32_t hide_from) {
    const eop_parts *parts = c->parts;
    uint32_t row = parts->rows[i];
    bool begins = parts->before[i] == EOP_PARTS_NONE;
    edgeops_status status = EDGEOPS_OK;
    c->sources[c->count] = row;
    c->shown[c->count] = begins ? row : EOP_PARTS_NONE;
    c->any_shown = c->any_shown || begins;
    c->ordinals[c->count] = first + i;
    for (uint32_t k = parts->last[row]; begins && status == EDGEOPS_OK && k >= hide_from && k != i;
         k = parts->before[k]) {
        status = add_mark(&c->marks, c->count, parts->shapes[k], false);
    }
    c->count++;
    return status;
}

static edgeops_status cut_keys(eop_rows *out, const eop_rows *rows, const cut *c) {
    size_t at = out->rows;
    edgeops_status status = eop_rows_reserve(out, at + c->count);
    if (status != EDGEOPS_OK || c->count == 0) {
        return status;
    }
    if (out->ordinals == NULL && at == 0) {
        out->first_ordinal = c->ordinals[0];
    }
    bool gap = out->ordinals == NULL && out->first_ordinal + at != c->ordinals[0];
    for (size_t i = 1; i < c->count; i++) {
        gap = gap || c->ordinals[i] != c->ordinals[0] + i;
    }
    if (gap) {
        status = eop_rows_keep_ordinals(out);
    }
    if (status == EDGEOPS_OK && out->ordinals != NULL) {
        memcpy(out->ordinals + at, c->ordinals, c->count * sizeof *c->ordinals);
    }
    for (size_t i = 0; i < c->count; i++) {
        out->times[at + i] = rows->times[c->sources[i]];
        out->seqs[at + i] = rows->seqs[c->sources[i]];
    }
    return status;
}

static edgeops_status cut_column(eop_vector *out, size_t at, const eop_vector *vector, const cut *c,
                                 size_t column) {
    const uint32_t *index = c->shown;
    size_t from = 0;
    size_t n = marks_of(&from, &c->cells, column, c->channels);
    /* Parts of wide rows leave most columns alone. */
    if (vector->filled == 0 || (n == 0 && !c->any_shown)) {
        return EDGEOPS_OK;
    }
    if (n > 0) {
        memcpy(c->scratch, c->shown, c->count * sizeof *c->scratch);
        for (size_t i = from; i < from + n; i++) {
            uint32_t row = c->cells.rows[i];
            c->scratch[row] = c->cells.show[i] != 0 ? c->sources[row] : EOP_PARTS_NONE;
        }
        index = c->scratch;
    }
    edgeops_status status = eop_vector_pad(out, at);
    return status == EDGEOPS_OK ? eop_vector_pick(out, vector, index, c->count) : status;
}

static edgeops_status cut_rows(eop_rows *out, const eop_rows *rows, cut *c) {
    edgeops_status status = cut_keys(out, rows, c);
    if (status == EDGEOPS_OK) {
        status = sort_marks(&c->cells, c->parts, &c->marks);
    }
    for (size_t k = out->vector_count; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        status = eop_rows_add_vector(out, rows->vectors[k].type, rows->vectors[k].length);
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        status = cut_column(&out->vectors[k], out->rows, &rows->vectors[k], c, k);
    }
    if (status == EDGEOPS_OK) {
        out->rows += c->count;
    } else {
        eop_rows_truncate(out, out->rows);
    }
    return status;
}

edgeops_status eop_parts_arrivals(eop_rows *out, uint8_t *flags, const eop_rows *rows,
                                  const eop_parts *parts, uint64_t first, size_t from, size_t to,
                                  const uint32_t *channels) {
    cut c = {.parts = parts, .channels = channels};
    edgeops_status status = cut_begin(&c, to - from);
    for (size_t i = from; status == EDGEOPS_OK && i < to; i++) {
        if (parts->shapes[i] != 0) {
            status = add_mark(&c.marks, c.count, parts->shapes[i], true);
        }
        if (status == EDGEOPS_OK) {
            status = cut_row(&c, (uint32_t)i, first, 0);
        }
        if (flags != NULL) {
            flags[i - from] = eop_parts_is_later(parts, i);
        }
    }
    if (status == EDGEOPS_OK) {
        status = cut_rows(out, rows, &c);
    }
    cut_dispose(&c);
    return status;
}

/* Whether arrival i is the first one from `from` on of its row. */
static bool begins_from(const eop_parts *parts, size_t i, size_t from) {
    return parts->before[i] == EOP_PARTS_NONE || parts->before[i] < from;
}

size_t eop_parts_fit(const eop_parts *parts, size_t from, size_t max_rows) {
    size_t rows = 0;
    size_t end = parts->count - from < EOP_PARTS_MAX ? parts->count : from + EOP_PARTS_MAX;
    for (size_t i = from; i < end; i++) {
        rows += begins_from(parts, i, from) ? 1 : 0;
        if (rows > max_rows) {
            return i > from ? i - from : 1;
        }
    }
    return end - from;
}

/* The arrival as one of the piece. */
static edgeops_status slice_arrival(cut *c, eop_parts *out, size_t i, size_t from) {
    const eop_parts *parts = c->parts;
    if (begins_from(parts, i, from)) {
        return eop_parts_row(out, eop_parts_is_later(parts, i));
    }
    size_t n;
    const uint16_t *channels = eop_parts_shape(&n, parts, parts->shapes[i]);
    return eop_parts_join(out, out->rows[parts->before[i] - from], channels, n);
}

edgeops_status eop_parts_slice(eop_rows *out, eop_parts *out_parts, const eop_rows *rows,
                               const eop_parts *parts, uint64_t first, size_t from, size_t to) {
    cut c = {.parts = parts};
    edgeops_status status = cut_begin(&c, to - from);
    if (status == EDGEOPS_OK) {
        status = eop_parts_reserve(out_parts, to - from, 0);
    }
    for (size_t i = from; status == EDGEOPS_OK && i < to; i++) {
        status = slice_arrival(&c, out_parts, i, from);
        if (status == EDGEOPS_OK && begins_from(parts, i, from)) {
            status = cut_row(&c, (uint32_t)i, first, (uint32_t)to);
        }
        uint32_t row = status == EDGEOPS_OK ? out_parts->rows[i - from] : 0;
        if (status == EDGEOPS_OK && c.shown[row] == EOP_PARTS_NONE) {
            status = add_mark(&c.marks, row, parts->shapes[i], true);
        }
    }
    if (status == EDGEOPS_OK) {
        status = cut_rows(out, rows, &c);
    }
    cut_dispose(&c);
    return status;
}
