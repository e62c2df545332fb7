/* SPDX-License-Identifier: Apache-2.0 */
/* Answers of a lane that are kept for a caller: copies with texts of their own. */
#ifndef EOP_RUNTIME_PREDICTIONS_H
#define EOP_RUNTIME_PREDICTIONS_H

#include <stdbool.h>

#include "edgeops/runtime.h"

/** {0} is an empty list. */
typedef struct eop_predictions {
    edgeops_prediction *items;
    size_t count;
    size_t capacity;
} eop_predictions;

/** False when there is no memory. */
bool eop_predictions_keep(eop_predictions *list, const edgeops_prediction *given);
/** Empties, keeps the memory of the list. */
void eop_predictions_clear(eop_predictions *list);
void eop_predictions_dispose(eop_predictions *list);

#endif /* EOP_RUNTIME_PREDICTIONS_H */
