/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that come one by one, on a common rate: each is handed to column/align, the one place that
 * knows what a point takes, as rows of its own. Here is only what a live cutter needs beside: which
 * samples have a part in a point. */
#include "runtime/grid.h"

#include "base/error.h"
#include "base/memory.h"
#include "column/align.h"
#include "runtime/window.h"

_Static_assert(EOP_WINDOW_MAX_FILL == EOP_ALIGN_PAUSE, "both start anew after the same pause");

/* How far back the ordinal of a value may lie behind the newest sample to count as history: a
 * channel that is heard of less often than that is null after a restart until it is heard of. */
#define MAX_CARRY 65536
/* Points that are made at a time: most rows have none or one. */
#define POINTS 16

/* The last value of a channel. */
typedef struct carry {
    bool there;
    uint64_t ordinal;
} carry;

struct eop_grid {
    edgeops_duration period;
    eop_align *align;
    size_t count;
    carry *carried;
    edgeops_value *values; /* of the point that was given last */
    bool started;
    uint64_t ordinal; /* of the last row that was taken in */
    eop_rows row;     /* the one that was fed */
    bool open;        /* it is not taken in yet */
    eop_rows points;
    int32_t row_label;
    int32_t labels[POINTS];
    size_t given; /* of the points */
};

edgeops_status eop_grid_new(eop_grid **out, const edgeops_window_spec *spec,
                            const edgeops_port *inputs, size_t count) {
    *out = NULL;
    eop_grid *grid = eop_calloc(1, sizeof *grid);
    if (grid == NULL) {
        return eop_fail_nomem("runtime");
    }
    grid->period = spec->period;
    grid->count = count;
    grid->carried = eop_calloc(count, sizeof *grid->carried);
    grid->values = eop_calloc(count, sizeof *grid->values);
    eop_align_rule rule = {.period = spec->period, .fill = spec->fill};
    edgeops_status status = grid->carried == NULL || grid->values == NULL
                                ? eop_fail_nomem("runtime")
                                : eop_align_new(&grid->align, &rule);
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        status = eop_rows_add_vector(&grid->row, inputs[i].type, inputs[i].length);
        if (status == EDGEOPS_OK) {
            status = eop_rows_add_vector(&grid->points, inputs[i].type, inputs[i].length);
        }
    }
    if (status != EDGEOPS_OK) {
        eop_grid_free(grid);
        return status;
    }
    *out = grid;
    return EDGEOPS_OK;
}

void eop_grid_free(eop_grid *grid) {
    if (grid == NULL) {
        return;
    }
    eop_align_free(grid->align);
    eop_rows_dispose(&grid->row);
    eop_rows_dispose(&grid->points);
    eop_free(grid->carried);
    eop_free(grid->values);
    eop_free(grid);
}

static void forget_points(eop_grid *grid) {
    if (grid->points.rows > 0) {
        eop_rows_clear(&grid->points);
        grid->given = 0;
    }
}

void eop_grid_abandon(eop_grid *grid) {
    eop_align_abandon(grid->align);
    forget_points(grid);
    grid->open = false;
}

void eop_grid_restart(eop_grid *grid) {
    eop_grid_abandon(grid);
    eop_align_restart(grid->align);
    for (size_t i = 0; i < grid->count; i++) {
        grid->carried[i].there = false;
    }
    grid->started = false;
}

uint64_t eop_grid_distance(const eop_grid *grid, edgeops_time from, edgeops_time to) {
    return ((uint64_t)to - (uint64_t)from) / (uint64_t)grid->period;
}

edgeops_status eop_grid_feed(eop_grid *grid, edgeops_time time, uint64_t ordinal,
                             const edgeops_value *values, int32_t label) {
    eop_rows *one = &grid->row;
    if (grid->open) {
        eop_grid_abandon(grid);
    }
    eop_rows_clear(one);
    edgeops_status status = eop_rows_reserve(one, 1);
    for (size_t i = 0; status == EDGEOPS_OK && i < grid->count; i++) {
        status = eop_vector_put(&one->vectors[i], &values[i]);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    one->times[0] = time;
    one->seqs[0] = 0;
    one->first_ordinal = ordinal;
    one->rows = 1;
    grid->row_label = label;
    grid->open = true;
    if (!grid->started) {
        grid->started = true;
        grid->ordinal = one->first_ordinal;
    }
    return eop_align_feed(grid->align, one, &grid->row_label);
}

/* What the row holds is now the last of its channels. */
static void take_in(eop_grid *grid) {
    for (size_t i = 0; i < grid->count; i++) {
        if (!eop_vector_is_null(&grid->row.vectors[i], 0)) {
            grid->carried[i] = (carry){true, grid->row.first_ordinal};
        }
    }
    grid->ordinal = grid->row.first_ordinal;
    grid->open = false;
}

static uint64_t history_of(const eop_grid *grid) {
    uint64_t history = grid->ordinal;
    for (size_t i = 0; i < grid->count; i++) {
        if (grid->carried[i].there && grid->carried[i].ordinal < history) {
            history = grid->carried[i].ordinal;
        }
    }
    if (grid->ordinal > MAX_CARRY && history < grid->ordinal - MAX_CARRY) {
        history = grid->ordinal - MAX_CARRY;
    }
    return history;
}

static void give(eop_grid *grid, eop_grid_point *point) {
    size_t at = grid->given++;
    point->time = grid->points.times[at];
    if (grid->open && point->time == grid->row.times[0]) {
        take_in(grid);
    }
    for (size_t i = 0; i < grid->count; i++) {
        grid->values[i] = eop_vector_value(&grid->points.vectors[i], at);
    }
    point->values = grid->values;
    point->label = grid->labels[at];
    point->history = history_of(grid);
}

edgeops_status eop_grid_next(eop_grid *grid, eop_grid_point *point) {
    if (grid->given == grid->points.rows) {
        size_t count = 0;
        forget_points(grid);
        edgeops_status status =
            eop_align_next(grid->align, &grid->points, grid->labels, POINTS, &count);
        if (status < 0) {
            eop_rows_clear(&grid->points);
            eop_grid_abandon(grid);
            return status;
        }
        if (status == EDGEOPS_DONE) {
            if (grid->open) {
                take_in(grid);
            }
            return status;
        }
    }
    give(grid, point);
    return EDGEOPS_OK;
}
