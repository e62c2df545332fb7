/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of messages for channels that their asset holds as numbers or bools: read by the rules of all
 * readers, as those are that a configuration lists. Asked only when the store has refused samples, so
 * that the usual ones pay nothing. No state, any thread. */
#ifndef EOP_NODE_LIVE_FIT_H
#define EOP_NODE_LIVE_FIT_H

#include "edgeops/store.h"

/** Samples with texts read as numbers, bools and nulls. The rest is borrowed from those given. */
typedef struct eop_fitted {
    edgeops_sample *samples; /**< NULL: no text stands for anything else */
    edgeops_value *values;
} eop_fitted;

/** E_NOMEM, or what the store says of an asset. */
edgeops_status eop_fit(eop_fitted *out, edgeops_store *store, const edgeops_sample *samples,
                       size_t n);
void eop_fitted_dispose(eop_fitted *fitted);

#endif /* EOP_NODE_LIVE_FIT_H */
