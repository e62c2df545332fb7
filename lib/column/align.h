/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one asset on a common rate, column by column: the one rule of what a point takes, for
 * datasets (edgeops_dataset_options says it) and, through runtime/grid, for windows. */
#ifndef EOP_COLUMN_ALIGN_H
#define EOP_COLUMN_ALIGN_H

#include "column/rows.h"

/** A pause of more points than that starts anew. */
#define EOP_ALIGN_PAUSE 65536u

typedef struct eop_align eop_align;

typedef struct eop_align_rule {
    int64_t period;      /**< of the points, > 0 */
    uint32_t fill;       /**< edgeops_fill */
    int64_t tolerance;   /**< 0: none */
    uint64_t max_points; /**< 0: no limit */
} eop_align_rule;

/** rule: copied. */
edgeops_status eop_align_new(eop_align **out, const eop_align_rule *rule);
/** NULL is allowed. */
void eop_align_free(eop_align *align);
/** The next rows, sorted and complete, with a label for each. All calls give the same columns. They
 * stay borrowed until eop_align_next() says DONE. */
edgeops_status eop_align_feed(eop_align *align, const eop_rows *rows, const int32_t *labels);
/** Lets go of rows that were fed, with what was not given of them: after an error. */
void eop_align_abandon(eop_align *align);
/** Forgets all rows: the next ones start anew. None are fed at this moment. */
void eop_align_restart(eop_align *align);
/** Appends at most max points to `out`, which has the columns set up, and their labels to
 * labels[0..max). *count: how many. EDGEOPS_DONE: none, feed more; E_LIMIT: too many of them. */
edgeops_status eop_align_next(eop_align *align, eop_rows *out, int32_t *labels, size_t max,
                              size_t *count);

#endif /* EOP_COLUMN_ALIGN_H */
