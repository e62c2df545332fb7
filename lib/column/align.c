/* SPDX-License-Identifier: Apache-2.0 */
/* Puts rows with any times on a common rate. Works on one slice of rows at a time and carries the
 * last value of each column over to the next slice. Owns these carried values only; the rows are
 * borrowed, not locked. */
#include "column/align.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* In this file row numbers begin at 1; 0 means the value carried from earlier rows. */
#define NONE UINT32_MAX

typedef struct column {
    eop_vector carry; /* one element: the last value of earlier slices, or null */
    eop_vector null;  /* one element */
    bool carried;     /* `carry` is a value from after the last start */
    int64_t carry_time;
    uint32_t at;   /* rows of the slice that were examined */
    uint32_t last; /* the last of these with a value, or NONE */
} column;

struct eop_align {
    eop_align_rule rule;
    column *columns;
    size_t column_count;
    uint32_t *base;   /* for each point: the last row at or before it */
    uint32_t *chosen; /* for each point: the row whose value the column takes */
    size_t capacity;
    uint64_t points; /* returned so far */
    bool started;
    bool exhausted; /* no further point fits into int64 */
    int64_t next;
    bool has_row;
    int64_t row_time; /* of the last row in `taken` */
    int32_t carry_label;
    uint64_t carry_ordinal;
    const eop_rows *rows;
    const int32_t *labels;
    uint32_t taken;
};

edgeops_status eop_align_new(eop_align **out, const eop_align_rule *rule) {
    *out = eop_calloc(1, sizeof **out);
    if (*out == NULL) {
        return eop_fail_nomem("store");
    }
    (*out)->rule = *rule;
    (*out)->carry_label = -1;
    return EDGEOPS_OK;
}

void eop_align_free(eop_align *align) {
    if (align == NULL) {
        return;
    }
    for (size_t k = 0; k < align->column_count; k++) {
        eop_vector_dispose(&align->columns[k].carry);
        eop_vector_dispose(&align->columns[k].null);
    }
    eop_free(align->columns);
    eop_free(align->base);
    eop_free(align->chosen);
    eop_free(align);
}

static edgeops_status make_columns(eop_align *align, const eop_rows *rows) {
    align->columns = eop_calloc(rows->vector_count, sizeof *align->columns);
    if (align->columns == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    for (; status == EDGEOPS_OK && align->column_count < rows->vector_count;
         align->column_count++) {
        column *c = &align->columns[align->column_count];
        const eop_vector *vector = &rows->vectors[align->column_count];
        *c = (column){.last = NONE};
        c->null = c->carry = (eop_vector){.type = vector->type, .length = vector->length};
        status = eop_vector_pad(&c->null, 1);
        if (status == EDGEOPS_OK) {
            status = eop_vector_pad(&c->carry, 1);
        }
    }
    return status;
}

edgeops_status eop_align_feed(eop_align *align, const eop_rows *rows, const int32_t *labels) {
    if (rows->rows >= NONE - 1) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "a dataset has at most 4,294,967,293 rows of an asset; take a shorter "
                        "range");
    }
    align->rows = rows;
    align->labels = labels;
    align->taken = 0;
    return align->columns == NULL ? make_columns(align, rows) : EDGEOPS_OK;
}

/* -- the points -- */

/* The first point at or after a time; false when int64 cannot hold it. */
static bool first_point(int64_t *out, int64_t time, int64_t period) {
    int64_t rest = time % period;
    if (rest == 0) {
        *out = time;
        return true;
    }
    return !__builtin_add_overflow(time - rest, rest > 0 ? period : 0, out);
}

static bool is_pause(const eop_align *align, int64_t time) {
    return align->has_row &&
           ((uint64_t)time - (uint64_t)align->row_time) / (uint64_t)align->rule.period >
               EOP_ALIGN_PAUSE;
}

static void start_anew(eop_align *align) {
    align->started = false;
    align->exhausted = false;
    align->has_row = false;
    for (size_t k = 0; k < align->column_count; k++) {
        align->columns[k].at = align->taken;
        align->columns[k].last = NONE;
        align->columns[k].carried = false;
    }
}

void eop_align_abandon(eop_align *align) {
    align->rows = NULL;
    for (size_t k = 0; k < align->column_count; k++) {
        column *c = &align->columns[k];
        c->at = 0;
        c->last = c->carried ? 0 : NONE;
    }
}

void eop_align_restart(eop_align *align) {
    align->taken = 0;
    align->carry_label = -1;
    start_anew(align);
}

edgeops_status eop_align_resume(eop_align *align, const eop_rows *last, const int64_t *times,
                                int64_t from) {
    edgeops_status status = make_columns(align, last);
    for (size_t k = 0; status == EDGEOPS_OK && k < align->column_count; k++) {
        column *c = &align->columns[k];
        if (!eop_vector_is_null(&last->vectors[k], 0)) {
            eop_vector_clear(&c->carry);
            status = eop_vector_append(&c->carry, &last->vectors[k], 0, 1);
            c->carry_time = times[k];
            c->carried = true;
            c->last = 0;
        }
    }
    align->started = true;
    align->exhausted = !first_point(&align->next, from, align->rule.period);
    return status;
}

static void give_point(eop_align *align, int64_t *times, size_t *count) {
    align->base[*count] = align->taken;
    times[(*count)++] = align->next;
    align->exhausted = __builtin_add_overflow(align->next, align->rule.period, &align->next);
}

/* Makes at most max points; stops before a pause, so that one call never mixes two starts. */
static size_t make_points(eop_align *align, int64_t *times, size_t max) {
    const eop_rows *rows = align->rows;
    size_t count = 0;
    while (align->taken < rows->rows && count < max) {
        int64_t time = rows->times[align->taken];
        if (is_pause(align, time)) {
            if (count > 0) {
                break;
            }
            start_anew(align);
        }
        if (!align->started) {
            align->started = true;
            align->exhausted = !first_point(&align->next, time, align->rule.period);
        }
        while (!align->exhausted && align->next < time && count < max) {
            give_point(align, times, &count);
        }
        if (count == max) {
            break;
        }
        align->taken++;
        align->has_row = true;
        align->row_time = time;
        if (!align->exhausted && align->next == time) {
            give_point(align, times, &count);
        }
    }
    return count;
}

/* -- the columns -- */

/* Finds for each point the last row at or before it where the column has a value. */
static void choose_rows(const eop_align *align, column *c, const eop_vector *vector,
                        uint32_t *chosen, size_t n) {
    if (vector->nulls == 0) {
        for (size_t i = 0; i < n; i++) {
            chosen[i] = align->base[i] > 0 ? align->base[i] : c->last;
        }
        return;
    }
    for (size_t i = 0; i < n; i++) {
        for (; c->at < align->base[i]; c->at++) {
            c->last = vector->valid[c->at] != 0 ? c->at + 1 : c->last;
        }
        chosen[i] = c->last;
    }
}

static int64_t time_of(const eop_align *align, const column *c, uint32_t row) {
    return row > 0 ? align->rows->times[row - 1] : c->carry_time;
}

/* Values older than the tolerance become null. */
static void forget_old(const eop_align *align, const column *c, const int64_t *times,
                       uint32_t *chosen, size_t n) {
    uint64_t limit = align->rule.tolerance > 0 ? (uint64_t)align->rule.tolerance : UINT64_MAX;
    if (align->rule.fill == EDGEOPS_FILL_NONE && (uint64_t)align->rule.period - 1 < limit) {
        limit = (uint64_t)align->rule.period - 1;
    }
    for (size_t i = 0; limit < UINT64_MAX && i < n; i++) {
        if (chosen[i] != NONE &&
            (uint64_t)times[i] - (uint64_t)time_of(align, c, chosen[i]) > limit) {
            chosen[i] = NONE;
        }
    }
}

static edgeops_status pick_any(eop_vector *out, const column *c, const eop_vector *vector,
                               const uint32_t *chosen, size_t n) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        if (chosen[i] == NONE) {
            status = eop_vector_pad(out, out->filled + 1);
        } else if (chosen[i] == 0) {
            status = eop_vector_append(out, &c->carry, 0, 1);
        } else {
            status = eop_vector_append(out, vector, chosen[i] - 1, chosen[i]);
        }
    }
    return status;
}

static edgeops_status pick_values(eop_vector *out, const column *c, const eop_vector *vector,
                                  const uint32_t *chosen, size_t n) {
    uint64_t *place = NULL;
    size_t nulls = 0;
    if (vector->type == EDGEOPS_TYPE_STRING || eop_vector_row_bytes(vector) != sizeof *place) {
        return pick_any(out, c, vector, chosen, n);
    }
    edgeops_status status = eop_vector_extend((void **)&place, out, n);
    if (status != EDGEOPS_OK) {
        return status;
    }
    const uint64_t *values = vector->data;
    uint64_t carry = *(const uint64_t *)c->carry.data;
    uint64_t null = *(const uint64_t *)c->null.data;
    size_t i = 0;
    for (; i < n && (chosen[i] == 0 || chosen[i] == NONE); i++) {
        place[i] = chosen[i] == 0 ? carry : null;
        nulls += chosen[i] != 0;
    }
    for (; i < n; i++) {
        /* Behind the first row of the slice no point takes the carried value. */
        nulls += chosen[i] == NONE;
        place[i] = chosen[i] == NONE ? null : values[chosen[i] - 1];
    }
    if (nulls == 0) {
        return EDGEOPS_OK;
    }
    uint8_t *flags = eop_alloc(n);
    if (flags == NULL) {
        return eop_fail_nomem("store");
    }
    for (i = 0; i < n; i++) {
        flags[i] = chosen[i] != NONE;
    }
    status = eop_vector_mark(out, flags, n);
    eop_free(flags);
    return status;
}

/* Moves the points onto the line from the last value to that of the row right after the point. */
static void draw_lines(const eop_align *align, const column *c, const eop_vector *vector,
                       const int64_t *times, const uint32_t *chosen, double *out, size_t n) {
    const double *values = vector->data;
    for (size_t i = 0; i < n; i++) {
        uint32_t next = align->base[i];
        bool on_row = next > 0 && align->rows->times[next - 1] == times[i];
        if (chosen[i] == NONE || on_row || next >= align->rows->rows ||
            eop_vector_is_null(vector, next)) {
            continue;
        }
        int64_t before = time_of(align, c, chosen[i]);
        double part = (double)((uint64_t)times[i] - (uint64_t)before) /
                      (double)((uint64_t)align->rows->times[next] - (uint64_t)before);
        out[i] += (values[next] - out[i]) * part;
    }
}

static edgeops_status fill_column(eop_align *align, size_t k, eop_vector *out, const int64_t *times,
                                  size_t n) {
    column *c = &align->columns[k];
    const eop_vector *vector = &align->rows->vectors[k];
    choose_rows(align, c, vector, align->chosen, n);
    forget_old(align, c, times, align->chosen, n);
    edgeops_status status = pick_values(out, c, vector, align->chosen, n);
    eop_free(out->quality); /* a quality code belongs to a sample, not to a point */
    out->quality = NULL;
    if (status == EDGEOPS_OK && align->rule.fill == EDGEOPS_FILL_LINEAR &&
        vector->type == EDGEOPS_TYPE_FLOAT64 && eop_vector_length(vector) == 1) {
        draw_lines(align, c, vector, times, align->chosen, (double *)out->data + out->filled - n,
                   n);
    }
    return status;
}

/* All rows of the slice are used: carries their last values over to the next slice. */
static edgeops_status carry_on(eop_align *align) {
    const eop_rows *rows = align->rows;
    uint32_t n = (uint32_t)rows->rows;
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && n > 0 && k < align->column_count; k++) {
        column *c = &align->columns[k];
        const eop_vector *vector = &rows->vectors[k];
        for (; vector->nulls > 0 && c->at < n; c->at++) {
            c->last = vector->valid[c->at] != 0 ? c->at + 1 : c->last;
        }
        uint32_t last = vector->nulls > 0 ? c->last : n;
        if (last > 0) {
            eop_vector_clear(&c->carry);
            status = last == NONE ? eop_vector_pad(&c->carry, 1)
                                  : eop_vector_append(&c->carry, vector, last - 1, last);
            c->carry_time = last == NONE ? 0 : rows->times[last - 1];
            c->carried = last != NONE;
            c->last = last == NONE ? NONE : 0;
        }
        c->at = 0;
    }
    if (n > 0) {
        align->carry_label = align->labels[n - 1];
        align->carry_ordinal = eop_rows_ordinal(rows, n - 1);
    }
    align->rows = NULL;
    return status;
}

static edgeops_status make_room(eop_align *align, eop_rows *out, size_t max) {
    edgeops_status status = eop_rows_reserve(out, out->rows + max);
    if (status == EDGEOPS_OK) {
        status = eop_rows_keep_ordinals(out);
    }
    if (status == EDGEOPS_OK && align->capacity < max) {
        uint32_t *base = eop_realloc_array(align->base, max, sizeof *base);
        align->base = base != NULL ? base : align->base;
        uint32_t *chosen = eop_realloc_array(align->chosen, max, sizeof *chosen);
        align->chosen = chosen != NULL ? chosen : align->chosen;
        if (base == NULL || chosen == NULL) {
            return eop_fail_nomem("store");
        }
        align->capacity = max;
    }
    return status;
}

edgeops_status eop_align_next(eop_align *align, eop_rows *out, int32_t *labels, size_t max,
                              size_t *count) {
    if (align->rows == NULL) {
        return EDGEOPS_DONE;
    }
    edgeops_status status = make_room(align, out, max);
    if (status != EDGEOPS_OK) {
        return status;
    }
    int64_t *times = out->times + out->rows;
    uint64_t *ordinals = out->ordinals + out->rows;
    size_t n = make_points(align, times, max);
    align->points += n;
    if (align->rule.max_points > 0 && align->points > align->rule.max_points) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "the common rate makes over %llu points of one asset; take a longer period "
                        "or a shorter range",
                        (unsigned long long)align->rule.max_points);
    }
    if (n == 0) {
        status = carry_on(align);
        return status == EDGEOPS_OK ? EDGEOPS_DONE : status;
    }
    memset(out->seqs + out->rows, 0, n * sizeof *out->seqs);
    for (size_t i = 0; i < n; i++) {
        uint32_t row = align->base[i];
        ordinals[i] = row > 0 ? eop_rows_ordinal(align->rows, row - 1) : align->carry_ordinal;
        labels[i] = row > 0 ? align->labels[row - 1] : align->carry_label;
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < align->column_count; k++) {
        status = fill_column(align, k, &out->vectors[k], times, n);
    }
    if (status == EDGEOPS_OK) {
        out->rows += n;
        *count = n;
    }
    return status;
}
