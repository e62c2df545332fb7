/* SPDX-License-Identifier: Apache-2.0 */
/* Quantiles of a stream in little memory: sorted buffers of EOP_QUANTILES_KEPT values, where two of
 * one weight become one of twice the weight by keeping every other value (Munro and Paterson 1980;
 * Manku, Rajagopalan and Lindsay 1998). Exact up to EOP_QUANTILES_KEPT values; of n values the rank
 * of an answer is off by at most n log2(n / KEPT) / (2 KEPT): 0.3 % for 10 million. What is kept
 * depends on the values and their order alone. */
#ifndef EOP_DATASET_QUANTILES_H
#define EOP_DATASET_QUANTILES_H

#include <stddef.h>
#include <stdint.h>

#include "edgeops/status.h"

#define EOP_QUANTILES_KEPT   2048u
#define EOP_QUANTILES_LEVELS 48u

typedef struct eop_quantiles {
    double *levels[EOP_QUANTILES_LEVELS]; /**< sorted and full; NULL: no buffer of that weight */
    double *fresh;                        /**< the values not yet in a level, not sorted */
    double *scratch;
    size_t fresh_count;
    uint64_t odd; /**< bit i: the next merge on level i keeps the odd places */
    uint64_t count;
} eop_quantiles;

void eop_quantiles_dispose(eop_quantiles *q);
/** Adds a value, which is not NaN. E_NOMEM. */
edgeops_status eop_quantiles_add(eop_quantiles *q, double value);
/** The quantiles at n parts (0..1, ascending). Needs at least one value. */
edgeops_status eop_quantiles_get(double *out, eop_quantiles *q, const double *parts, size_t n);

#endif /* EOP_DATASET_QUANTILES_H */
