/* SPDX-License-Identifier: Apache-2.0 */
/* Rows one by one on a grid of time, for the cutter of windows. What a point takes is the rule of
 * column/align, which the common rate of datasets follows, too. */
#ifndef EOP_RUNTIME_GRID_H
#define EOP_RUNTIME_GRID_H

#include <stdbool.h>

#include "edgeops/store.h"
#include "edgeops/workflow.h"

/** Puts rows that come one by one, each newer than the one before, on a grid of time. See window.h
 * for what a point takes. */
typedef struct eop_grid eop_grid;

typedef struct eop_grid_point {
    edgeops_time time;
    const edgeops_value *values; /**< borrowed until the next call */
    int32_t label;
    uint64_t history; /**< ordinal of the oldest sample with a part in it */
} eop_grid_point;

edgeops_status eop_grid_new(eop_grid **out, const edgeops_window_spec *spec,
                            const edgeops_port *inputs, size_t count);
/** NULL is allowed. */
void eop_grid_free(eop_grid *grid);
/** Forgets all rows. */
void eop_grid_restart(eop_grid *grid);
/** Points from one time to a later one. */
uint64_t eop_grid_distance(const eop_grid *grid, edgeops_time from, edgeops_time to);
/** Gives the next row, which is copied: values has one for each input, of its type or null. What an
 * error left of the row before is let go. E_NOMEM. */
edgeops_status eop_grid_feed(eop_grid *grid, edgeops_time time, uint64_t ordinal,
                             const edgeops_value *values, int32_t label);
/** Lets go of the row without taking it in: after an error. */
void eop_grid_abandon(eop_grid *grid);
/** The next point at or before the row. EDGEOPS_DONE, E_NOMEM. */
edgeops_status eop_grid_next(eop_grid *grid, eop_grid_point *point);

#endif /* EOP_RUNTIME_GRID_H */
