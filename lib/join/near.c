/* SPDX-License-Identifier: Apache-2.0 */
/* Each row of the first input takes the nearest values of the others. Its rows are taken in order of
 * arrival, each when all others have reached past its time and the tolerance, or when its wait is
 * over; a later part of a row passes on its own cells only. A late row is made like any other: rows
 * do not depend on each other. The first input's `seen` is the last row that was stored. */
#include <stdlib.h>
#include <string.h>

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "join/state.h"

/* Rows that are read of another input at a time. */
#define READ_ROWS 65536u

/* The rows of a step, by time. */
typedef struct target {
    int64_t time;
    uint32_t row; /* of the block */
} target;

/* Where a row finds a value of another input: a row of what was read, from 1; 0: none. */
typedef struct found {
    edgeops_table *table;
    size_t *places;
} found;

edgeops_status eop_join_near_open(eop_join *join) {
    join->near = (eop_join_near){.made = join->made_before};
    join->wait = join->spec->wait + join->spec->tolerance;
    return EDGEOPS_OK;
}

static int64_t plus(int64_t time, int64_t duration) {
    int64_t sum = 0;
    return __builtin_add_overflow(time, duration, &sum) ? (duration > 0 ? INT64_MAX : INT64_MIN)
                                                        : sum;
}

/* -- the nearest value -- */

static bool is_null(const edgeops_column *c, uint64_t row) {
    return c->valid != NULL && c->valid[row] == 0;
}

/* The row of the value nearest to the time, from 1, the older of two as near; 0: none within the
 * tolerance. upper: first row with a time behind it. */
static uint64_t nearest(const edgeops_table *t, const edgeops_column *c, int64_t time,
                        uint64_t upper, uint64_t tolerance) {
    uint64_t before = upper;
    uint64_t after = upper;
    while (before > 0 && (uint64_t)time - (uint64_t)t->times[before - 1] <= tolerance &&
           is_null(c, before - 1)) {
        before--;
    }
    while (after < t->rows && (uint64_t)t->times[after] - (uint64_t)time <= tolerance &&
           is_null(c, after)) {
        after++;
    }
    uint64_t back = before > 0 ? (uint64_t)time - (uint64_t)t->times[before - 1] : UINT64_MAX;
    uint64_t ahead = after < t->rows ? (uint64_t)t->times[after] - (uint64_t)time : UINT64_MAX;
    if (back <= ahead && back <= tolerance) {
        return before;
    }
    return ahead <= tolerance ? after + 1 : 0;
}

static uint64_t upper_of(const edgeops_table *t, int64_t time) {
    uint64_t low = 0;
    uint64_t high = t->rows;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (t->times[middle] <= time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static edgeops_status take_nearest(eop_join *join, const found *f, const target *targets,
                                   size_t n) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        uint64_t upper = upper_of(f->table, targets[i].time);
        for (size_t k = 0; status == EDGEOPS_OK && k < f->table->column_count; k++) {
            const edgeops_column *c = &f->table->columns[k];
            uint64_t row =
                nearest(f->table, c, targets[i].time, upper, (uint64_t)join->spec->tolerance);
            if (row > 0) {
                eop_vector *vector = &join->out.rows.vectors[f->places[k]];
                edgeops_value value = eop_column_widen(c, row - 1, vector->type);
                status =
                    eop_vector_set(vector, targets[i].row, &value,
                                   c->quality != NULL ? c->quality[row - 1] : EDGEOPS_QUALITY_NONE);
            }
        }
    }
    return status;
}

/* How many targets, in one read: those that follow each other closely. */
static size_t group(const eop_join *join, const target *targets, size_t n) {
    uint64_t gap = 2 * (uint64_t)join->spec->tolerance;
    size_t count = 1;
    while (count < n && (uint64_t)targets[count].time - (uint64_t)targets[count - 1].time <= gap) {
        count++;
    }
    return count;
}

/* Reads around the first targets and gives them their values; *done: how many. */
static edgeops_status join_some(size_t *done, eop_join *join, const eop_join_input *input, found *f,
                                const target *targets, size_t n) {
    int64_t tolerance = join->spec->tolerance;
    size_t count = group(join, targets, n);
    uint64_t limit = READ_ROWS;
    edgeops_status status = EDGEOPS_OK;
    for (;;) {
        int64_t from = plus(targets[0].time, -tolerance);
        int64_t to = plus(targets[count - 1].time, tolerance);
        status = eop_join_read(&f->table, f->places, join, input, from, to, limit, SIZE_MAX);
        if (status != EDGEOPS_OK || f->table == NULL) {
            *done = n; /* nothing is there */
            return status;
        }
        if (f->table->rows == limit) {
            int64_t last = f->table->times[limit - 1];
            while (count > 0 && plus(targets[count - 1].time, tolerance) >= last) {
                count--;
            }
        }
        if (count > 0) {
            break;
        }
        count = 1;
        limit *= 2;
        edgeops_table_free(f->table);
        f->table = NULL;
    }
    status = take_nearest(join, f, targets, count);
    edgeops_table_free(f->table);
    f->table = NULL;
    *done = count;
    return status;
}

static edgeops_status join_input(eop_join *join, const eop_join_input *input, const target *targets,
                                 size_t n) {
    found f = {.places = eop_calloc(input->count + 1, sizeof *f.places)};
    edgeops_status status = f.places != NULL ? EDGEOPS_OK : eop_fail_nomem("join");
    for (size_t at = 0, done = 0; status == EDGEOPS_OK && at < n; at += done) {
        status = join_some(&done, join, input, &f, targets + at, n - at);
    }
    eop_free(f.places);
    return status;
}

/* -- rows -- */

static int by_time(const void *a, const void *b) {
    const target *x = a;
    const target *y = b;
    return x->time != y->time ? (x->time < y->time ? -1 : 1)
                              : (x->row > y->row) - (x->row < y->row);
}

/* Copies a row of the first input with its own cells; *any: it has one. */
static edgeops_status put_row(bool *any, eop_join *join, uint64_t row) {
    const eop_join_input *first = &join->inputs[0];
    const edgeops_table *block = first->block;
    eop_rows *out = &join->out.rows;
    edgeops_status status = EDGEOPS_OK;
    *any = false;
    for (size_t k = 0; status == EDGEOPS_OK && k < block->column_count; k++) {
        const edgeops_column *c = &block->columns[k];
        eop_vector *vector = &out->vectors[first->columns[k]];
        if (!is_null(c, row)) {
            edgeops_value value = eop_column_widen(c, row, vector->type);
            status = eop_vector_set(vector, out->rows, &value,
                                    c->quality != NULL ? c->quality[row] : EDGEOPS_QUALITY_NONE);
            *any = true;
        }
    }
    if (status == EDGEOPS_OK && *any) {
        out->times[out->rows] = block->times[row];
        out->seqs[out->rows++] = block->seqs[row];
    }
    return status;
}

/* Makes rows [at, to) of the block. */
static edgeops_status make_rows(eop_join *join, size_t at, size_t to) {
    const edgeops_table *block = join->inputs[0].block;
    size_t n = 0;
    target *targets = eop_calloc(to - at, sizeof *targets);
    edgeops_status status = targets != NULL ? eop_join_begin_out(join) : eop_fail_nomem("join");
    if (status == EDGEOPS_OK) {
        status = eop_rows_reserve(&join->out.rows, to - at);
    }
    for (size_t i = at; status == EDGEOPS_OK && i < to; i++) {
        bool any = false;
        status = put_row(&any, join, i);
        if (status == EDGEOPS_OK && any && !eop_is_later_part(block, i)) {
            targets[n++] = (target){block->times[i], (uint32_t)(join->out.rows.rows - 1)};
        }
    }
    if (n > 0) {
        qsort(targets, n, sizeof *targets, by_time);
        join->near.made =
            targets[n - 1].time > join->near.made ? targets[n - 1].time : join->near.made;
    }
    for (size_t i = 1; status == EDGEOPS_OK && n > 0 && i < join->input_count; i++) {
        status = join_input(join, &join->inputs[i], targets, n);
    }
    eop_free(targets);
    return status == EDGEOPS_OK ? eop_join_append_out(join) : status;
}

/* How many rows from `at` on nothing can change any more. */
static size_t count_ready(const eop_join *join) {
    const edgeops_table *block = join->inputs[0].block;
    int64_t reached = eop_join_reached(join, 1);
    size_t at = join->near.at;
    while (at < block->rows) {
        bool passed = plus(block->times[at], join->spec->tolerance) <= reached;
        if (!passed && (int64_t)block->ordinals[at] > join->marks.released) {
            break;
        }
        at++;
    }
    return at - join->near.at;
}

static edgeops_status look_at_others(bool *more, eop_join *join) {
    edgeops_status status = EDGEOPS_OK;
    int64_t late = join->near.made != EOP_JOIN_NEVER ? plus(join->near.made, join->spec->tolerance)
                                                     : EOP_JOIN_NEVER;
    *more = false;
    for (size_t i = 1; status == EDGEOPS_OK && i < join->input_count; i++) {
        int64_t oldest = 0;
        status = eop_join_drain(join, &join->inputs[i], late, &oldest);
        *more = *more || status == EDGEOPS_E_AGAIN;
        status = status == EDGEOPS_E_AGAIN ? EDGEOPS_OK : status;
    }
    return status;
}

static edgeops_status next_of_first(eop_join *join) {
    eop_join_input *first = &join->inputs[0];
    if (first->version_of_types != join->version) {
        eop_join_close_cursor(first); /* a block would still have the columns of before */
        first->version_of_types = join->version;
    }
    edgeops_status status = eop_join_open_cursor(join, first);
    if (status == EDGEOPS_OK && first->block == NULL) {
        join->near.at = 0;
        status = eop_join_next_block(join, first);
    }
    return status;
}

edgeops_status eop_join_near_step(eop_join *join, edgeops_duration now, edgeops_duration *due) {
    eop_join_input *first = &join->inputs[0];
    bool more = false;
    edgeops_status status = eop_join_look_at_inputs(join);
    if (status == EDGEOPS_OK) {
        eop_join_note(join, (int64_t)first->last, now);
        status = look_at_others(&more, join);
    }
    if (status != EDGEOPS_OK || more) {
        return status;
    }
    eop_join_release(join, now, due);
    status = next_of_first(join);
    if (status != EDGEOPS_OK) {
        *due = INT64_MAX; /* no row waits */
        return status;
    }
    size_t ready = count_ready(join);
    if (ready == 0) {
        return EDGEOPS_DONE;
    }
    status = make_rows(join, join->near.at, join->near.at + ready);
    if (status == EDGEOPS_OK) {
        join->near.at += ready;
        first->seen = first->block->ordinals[join->near.at - 1];
        first->block = join->near.at < first->block->rows ? first->block : NULL;
        join->dirty = true;
    }
    return status;
}
