/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on the values of a row. */
#ifndef EOP_COLUMN_CONDITION_H
#define EOP_COLUMN_CONDITION_H

#include <stdbool.h>

#include "column/chunk.h"

#define EOP_CONDITIONS_MAX 16u

/** An edgeops_condition of an asset. */
typedef struct eop_condition {
    uint32_t channel; /**< UINT32_MAX: always null */
    edgeops_type type;
    uint32_t length; /**< of the channel */
    edgeops_compare compare;
    edgeops_value value; /**< text is borrowed */
} eop_condition;

/** Whether a value of such a channel can be compared so: E_INVALID. */
edgeops_status eop_condition_check(const edgeops_condition *condition, edgeops_type type,
                                   uint32_t length);
/** Keeps of the n rows `keep`, which are rows of the vector less `first`, those that it holds for;
 * gives their number. The vector may lag. */
size_t eop_condition_filter(uint32_t *keep, size_t n, const eop_condition *condition,
                            const eop_vector *vector, size_t first);

typedef enum eop_verdict { EOP_SOME_ROWS, EOP_NO_ROWS, EOP_ALL_ROWS } eop_verdict;
/** What the statistics of a column of `rows` rows tell. stats NULL: all are null. */
eop_verdict eop_condition_judge(const eop_condition *condition, const eop_chunk_stats *stats,
                                size_t rows);

#endif /* EOP_COLUMN_CONDITION_H */
