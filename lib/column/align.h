/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the rows of one asset on a common rate, column by column. This is the only place that
 * decides which value a point takes: datasets use it (edgeops_dataset_options documents the rule),
 * and so do windows, through runtime/grid. */
#ifndef EOP_COLUMN_ALIGN_H
#define EOP_COLUMN_ALIGN_H

#include "column/rows.h"

/** After a pause of more points than this the points start anew. */
#define EOP_ALIGN_PAUSE 65536u

typedef struct eop_align eop_align;

typedef struct eop_align_rule {
    int64_t period;      /**< from point to point, > 0 */
    uint32_t fill;       /**< edgeops_fill */
    int64_t tolerance;   /**< 0: none */
    uint64_t max_points; /**< 0: no limit */
} eop_align_rule;

/** rule: copied. */
edgeops_status eop_align_new(eop_align **out, const eop_align_rule *rule);
/** NULL is allowed. */
void eop_align_free(eop_align *align);
/** Feeds the next rows, sorted and complete, with a label for each. All calls pass the same
 * columns. Rows and labels are borrowed until eop_align_next() returns DONE. */
edgeops_status eop_align_feed(eop_align *align, const eop_rows *rows, const int32_t *labels);
/** Drops the rows that were fed, with the points not yet returned. For use after an error. */
void eop_align_abandon(eop_align *align);
/** Forgets all rows: the next ones start anew. Not allowed between eop_align_feed() and DONE. */
void eop_align_restart(eop_align *align);
/** Goes on as one that was fed rows before: `last` is one row with the last value of each column,
 * times[k] the time of that in column k. The next point is the first one at or after `from`. For a
 * new aligner. */
edgeops_status eop_align_resume(eop_align *align, const eop_rows *last, const int64_t *times,
                                int64_t from);
/** Appends at most max points to `out`, whose columns are set up, and writes their labels to
 * labels[0..max). *count: number of points. EDGEOPS_DONE: no point is left, feed more rows;
 * E_LIMIT: over rule.max_points. */
edgeops_status eop_align_next(eop_align *align, eop_rows *out, int32_t *labels, size_t max,
                              size_t *count);

#endif /* EOP_COLUMN_ALIGN_H */
