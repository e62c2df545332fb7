/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/grid.h"

#include <string.h>

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "runtime/rows.h"

enum { FILL_PREVIOUS = 0, FILL_LINEAR = 1, FILL_NONE = 2 };

/* How far back the ordinal of a value may lie behind the newest sample to count as history: a
 * channel that is heard of less often than that is null after a restart until it is heard of. */
#define MAX_CARRY 65536

/* The last value of a channel. */
typedef struct carry {
    edgeops_value value; /* a text stands in `text` */
    edgeops_time time;
    uint64_t ordinal;
    char *text;
    size_t capacity;
} carry;

struct eop_grid {
    edgeops_duration period;
    uint32_t fill;
    size_t count;
    edgeops_type *types;
    carry *carried;
    edgeops_value *values; /* of the point that was given last */
    bool started;
    bool exhausted; /* no further point fits into int64 */
    edgeops_time next;
    int32_t label; /* of the last row that was taken in */
    uint64_t ordinal;
    /* the row that was fed, until it is taken in */
    bool open;
    const edgeops_table *table;
    const size_t *map;
    uint64_t row;
    int32_t row_label;
};

edgeops_status eop_grid_new(eop_grid **out, const edgeops_window_spec *spec,
                            const edgeops_port *inputs, size_t count) {
    *out = NULL;
    eop_grid *grid = eop_calloc(1, sizeof *grid);
    if (grid == NULL) {
        return eop_fail_nomem("runtime");
    }
    grid->period = spec->period;
    grid->fill = spec->fill;
    grid->count = count;
    grid->label = -1;
    grid->types = eop_calloc(count, sizeof *grid->types);
    grid->carried = eop_calloc(count, sizeof *grid->carried);
    grid->values = eop_calloc(count, sizeof *grid->values);
    if (grid->types == NULL || grid->carried == NULL || grid->values == NULL) {
        eop_grid_free(grid);
        return eop_fail_nomem("runtime");
    }
    for (size_t i = 0; i < count; i++) {
        grid->types[i] = inputs[i].type;
    }
    *out = grid;
    return EDGEOPS_OK;
}

void eop_grid_free(eop_grid *grid) {
    if (grid == NULL) {
        return;
    }
    for (size_t i = 0; grid->carried != NULL && i < grid->count; i++) {
        eop_free(grid->carried[i].text);
    }
    eop_free(grid->types);
    eop_free(grid->carried);
    eop_free(grid->values);
    eop_free(grid);
}

void eop_grid_restart(eop_grid *grid) {
    for (size_t i = 0; i < grid->count; i++) {
        grid->carried[i].value.type = EDGEOPS_TYPE_NULL;
    }
    grid->started = false;
    grid->exhausted = false;
    grid->open = false;
    grid->label = -1;
}

uint64_t eop_grid_distance(const eop_grid *grid, edgeops_time from, edgeops_time to) {
    return ((uint64_t)to - (uint64_t)from) / (uint64_t)grid->period;
}

/* The first point at or after a time; false when there is none in int64. */
static bool first_point(edgeops_time *out, edgeops_time time, edgeops_duration period) {
    edgeops_time rest = time % period;

    if (rest == 0) {
        *out = time;
        return true;
    }
    return !__builtin_add_overflow(time - rest, rest > 0 ? period : 0, out);
}

void eop_grid_feed(eop_grid *grid, const edgeops_table *table, const size_t *map, uint64_t row,
                   int32_t label) {
    grid->table = table;
    grid->map = map;
    grid->row = row;
    grid->row_label = label;
    grid->open = true;
    if (!grid->started) {
        grid->started = true;
        grid->exhausted = !first_point(&grid->next, table->times[row], grid->period);
        grid->ordinal = table->ordinals != NULL ? table->ordinals[row] : 0;
    }
}

void eop_grid_abandon(eop_grid *grid) {
    grid->open = false;
}

static edgeops_status keep_bytes(carry *c, const edgeops_value *value) {
    if (!eop_grow(&c->text, &c->capacity, (size_t)value->size + 1, 1)) {
        return eop_fail_nomem("runtime");
    }
    memcpy(c->text, value->as.data, value->size);
    c->value.as.data = c->text;
    return EDGEOPS_OK;
}

/* Makes the values of the open row the last ones. Done twice after a failure it does no harm. */
static edgeops_status take_in(eop_grid *grid) {
    for (size_t i = 0; i < grid->count; i++) {
        carry *c = &grid->carried[i];
        edgeops_value value =
            eop_column_widen(&grid->table->columns[grid->map[i]], grid->row, grid->types[i]);
        if (value.type == EDGEOPS_TYPE_NULL) {
            continue;
        }
        c->value = value;
        if (value.size > 0) {
            edgeops_status status = keep_bytes(c, &value);
            if (status < 0) {
                c->value.type = EDGEOPS_TYPE_NULL;
                return status;
            }
        }
        c->time = grid->table->times[grid->row];
        c->ordinal = grid->table->ordinals != NULL ? grid->table->ordinals[grid->row] : 0;
    }
    grid->label = grid->row_label;
    grid->ordinal = grid->table->ordinals != NULL ? grid->table->ordinals[grid->row] : 0;
    grid->open = false;
    return EDGEOPS_OK;
}

static double between(const carry *before, double after, edgeops_time after_time,
                      edgeops_time time) {
    double part = (double)((uint64_t)time - (uint64_t)before->time) /
                  (double)((uint64_t)after_time - (uint64_t)before->time);
    return before->value.as.f64 + (after - before->value.as.f64) * part;
}

static edgeops_value value_at(const eop_grid *grid, size_t i, edgeops_time time) {
    const carry *c = &grid->carried[i];
    edgeops_value value = c->value;

    if (value.type == EDGEOPS_TYPE_NULL) {
        return value;
    }
    if (grid->fill == FILL_NONE && (uint64_t)time - (uint64_t)c->time >= (uint64_t)grid->period) {
        value = (edgeops_value){.type = EDGEOPS_TYPE_NULL};
    } else if (grid->fill == FILL_LINEAR && grid->open && value.type == EDGEOPS_TYPE_FLOAT64 &&
               value.size == 0 && c->time < time) {
        edgeops_value after =
            eop_column_widen(&grid->table->columns[grid->map[i]], grid->row, EDGEOPS_TYPE_FLOAT64);
        if (after.type == EDGEOPS_TYPE_FLOAT64) {
            value.as.f64 = between(c, after.as.f64, grid->table->times[grid->row], time);
        }
    }
    return value;
}

static void give(eop_grid *grid, eop_grid_point *point) {
    uint64_t history = grid->ordinal;

    for (size_t i = 0; i < grid->count; i++) {
        grid->values[i] = value_at(grid, i, grid->next);
        if (grid->carried[i].value.type != EDGEOPS_TYPE_NULL &&
            grid->carried[i].ordinal < history) {
            history = grid->carried[i].ordinal;
        }
    }
    if (grid->ordinal > MAX_CARRY && history < grid->ordinal - MAX_CARRY) {
        history = grid->ordinal - MAX_CARRY;
    }
    point->time = grid->next;
    point->values = grid->values;
    point->label = grid->label;
    point->history = history;
    grid->exhausted = __builtin_add_overflow(grid->next, grid->period, &grid->next);
}

edgeops_status eop_grid_next(eop_grid *grid, eop_grid_point *point) {
    if (grid->open) {
        edgeops_time time = grid->table->times[grid->row];
        if (!grid->exhausted && grid->next < time) {
            give(grid, point);
            return EDGEOPS_OK;
        }
        edgeops_status status = take_in(grid);
        if (status < 0) {
            return status;
        }
        if (!grid->exhausted && grid->next == time) {
            give(grid, point);
            return EDGEOPS_OK;
        }
    }
    return EDGEOPS_DONE;
}
