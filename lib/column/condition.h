/* SPDX-License-Identifier: Apache-2.0 */
/* Conditions on the values of a row: on decoded vectors, and on the statistics of a whole chunk, so
 * that chunks without a match need not be read. */
#ifndef EOP_COLUMN_CONDITION_H
#define EOP_COLUMN_CONDITION_H

#include <stdbool.h>

#include "column/chunk.h"

#define EOP_CONDITIONS_MAX 16u

/** An edgeops_condition, resolved for one asset. */
typedef struct eop_condition {
    uint32_t channel; /**< UINT32_MAX: always null */
    edgeops_type type;
    uint32_t length; /**< elements of a row of the channel */
    edgeops_compare compare;
    edgeops_value value; /**< a text is borrowed */
} eop_condition;

/** E_INVALID when the condition cannot be applied to a channel of this type. */
edgeops_status eop_condition_check(const edgeops_condition *condition, edgeops_type type,
                                   uint32_t length);
/** Filters the n row numbers in `keep`, which count from row `first` of the vector: keeps those
 * where the condition holds and returns their number. The vector may lag. */
size_t eop_condition_filter(uint32_t *keep, size_t n, const eop_condition *condition,
                            const eop_vector *vector, size_t first);

typedef enum eop_verdict { EOP_SOME_ROWS, EOP_NO_ROWS, EOP_ALL_ROWS } eop_verdict;
/** Judges a column of `rows` rows by its statistics. stats NULL: all rows are null. */
eop_verdict eop_condition_judge(const eop_condition *condition, const eop_chunk_stats *stats,
                                size_t rows);

#endif /* EOP_COLUMN_CONDITION_H */
