/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts rows into windows: the same code for training, batch prediction and live. Fed with rows of
 * one asset in order of arrival (live) or of time (a whole table), it gives the windows one by one.
 *
 * Late rows: a row that is not newer (by time, then seq) than the newest one has no place in a
 * window of several rows and is counted; when max(16, rows) rows in a row are late but in order
 * among themselves, the asset's clock was set back, and the cutter starts anew with them. With
 * windows of one row and no grid every row is its own window, late or not.
 *
 * Pauses: a pause between two rows longer than max_gap starts anew: no window spans it. On a grid,
 * a pause of more than EOP_WINDOW_MAX_FILL points always does.
 *
 * Grid (period > 0): points are the multiples of the period since the epoch, so that any start
 * gives the same ones. A point takes, for each channel: fill previous: its last value at or before
 * the point since the last start; linear: for float64 the value on the line between the values
 * before and after it (the newer one must stand in the very row that comes next, else as
 * previous), other types as previous; none: its last value within the period that ends at the
 * point. The label of a point is that of the last row at or before it.
 *
 * Inputs without a value (missing): null stays null. previous: the input's newest value of the rows
 * before, by (time, seq), over pauses too; null while there is none. On a grid that comes first. */
#ifndef EOP_RUNTIME_WINDOW_H
#define EOP_RUNTIME_WINDOW_H

#include <stdbool.h>

#include "codec/json.h"
#include "edgeops/store.h"
#include "edgeops/workflow.h"

#define EOP_WINDOW_MAX_FILL 65536
#define EOP_WINDOW_MAX_ROWS 1000000

typedef struct eop_window_cutter eop_window_cutter;

/** Where a cutter stands after a window: what a checkpoint needs to go on with the next one. */
typedef struct eop_window_state {
    uint64_t ordinal;    /**< of the sample that completed the window */
    edgeops_time until;  /**< time of the window's newest row (a sample may complete several) */
    uint64_t history;    /**< feed samples again from this ordinal on */
    uint32_t wait;       /**< rows until the next window is due */
    edgeops_time newest; /**< time of the newest row; EDGEOPS_TIME_MAX: not known */
} eop_window_state;

/** A window: rows first .. first + rows of a table with the inputs as columns. Borrowed until the
 * next call on its cutter. */
typedef struct eop_window {
    const edgeops_table *table;
    uint64_t first;
    uint64_t rows;
    edgeops_time time; /**< of its newest row */
    int64_t seq;       /**< 0 on a grid */
    int32_t label;     /**< the label all its rows share, else -1 */
    eop_window_state state;
} eop_window;

typedef struct eop_window_stats {
    uint64_t rows;    /**< fed */
    uint64_t late;    /**< without a place in a window */
    uint64_t starts;  /**< pauses and set-back clocks after which it started anew */
    uint64_t windows; /**< given */
} eop_window_stats;

/** @param inputs  copied; the columns of the windows, found by name in what is fed. With count 0
 * the windows have times only.
 *  @return E_INVALID for a spec out of its range; E_LIMIT for a window over 32 MiB; E_NOMEM */
edgeops_status eop_window_new(eop_window_cutter **out, const edgeops_window_spec *spec,
                              const edgeops_port *inputs, size_t count);
/** NULL is allowed. */
void eop_window_free(eop_window_cutter *cutter);

/** Keeps all rows instead of only those that a later window needs: the table then has every row
 * (on the grid, where there is one) since the first. Before the first feed. */
void eop_window_keep(eop_window_cutter *cutter);
/** All rows so far; for eop_window_keep(). label of a row by eop_window_row_label(). */
const edgeops_table *eop_window_table(const eop_window_cutter *cutter);
int32_t eop_window_row_label(const eop_window_cutter *cutter, uint64_t row);

/** Goes on where `state` was made: rows up to there that are fed again only fill the memory. The
 * caller feeds from state->history on, and for `missing: previous` first lets it learn the newest
 * values of the rows before, up to state->newest. Before the first feed. */
void eop_window_restore(eop_window_cutter *cutter, const eop_window_state *state);

/** Gives the cutter rows first .. first + count of a table, which stays borrowed until
 * eop_window_next() says EDGEOPS_DONE.
 *
 *  @param labels  a label for each of the table's rows, -1 for none; NULL: none at all
 *  @return E_INVALID for a table without an input, or with one of another type (named) */
edgeops_status eop_window_feed(eop_window_cutter *cutter, const edgeops_table *table,
                               uint64_t first, uint64_t count, const int32_t *labels);
/** The next row that is fed starts anew, as after a pause, and has nothing before it. */
void eop_window_restart(eop_window_cutter *cutter);
/** Values of a row that is not fed, or was without them: for `missing: previous`, else nothing
 * happens. One for each input, of its type or null. E_NOMEM. */
edgeops_status eop_window_learn(eop_window_cutter *cutter, const edgeops_value *values,
                                edgeops_time time, int64_t seq);
/** The next window. EDGEOPS_DONE: feed more; E_NOMEM, E_LIMIT. */
edgeops_status eop_window_next(eop_window_cutter *cutter, eop_window *window);

void eop_window_get_stats(const eop_window_cutter *cutter, eop_window_stats *stats);

/** For a checkpoint: an object, NULL when there is no memory. */
eop_json *eop_window_state_json(const eop_window_state *state);
/** False when it is not such an object. */
bool eop_window_state_parse(eop_window_state *state, const eop_json *json);

#endif /* EOP_RUNTIME_WINDOW_H */
