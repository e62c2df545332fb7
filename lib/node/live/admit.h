/* SPDX-License-Identifier: Apache-2.0 */
/* Caps how many assets a source may make: a topic or a name in a message makes an asset, and who
 * may publish may invent names. Of a batch the samples of assets that are there, or may be made, go
 * to the store, in their order; the rest is refused. */
#ifndef EOP_NODE_LIVE_ADMIT_H
#define EOP_NODE_LIVE_ADMIT_H

#include "base/map.h"
#include "edgeops/store.h"
#include "node/home/derived.h"
#include "node/live/fed.h"

typedef struct eop_admitted {
    const edgeops_sample *samples; /**< borrowed: the given ones, or `copy` */
    size_t count;
    size_t refused;      /**< samples of assets that may not be made, or that joins make */
    const char *derived; /**< one of the latter, borrowed from the samples; NULL: none */
    edgeops_sample *copy;
    const char **fresh; /**< names of the assets to be made, borrowed from the samples */
    size_t fresh_count;
    size_t fresh_capacity;
    eop_map fresh_set; /**< hashes of `fresh` */
} eop_admitted;

/** Decides. Any thread, one batch of a source at a time.
 *
 *  @param max  assets that the source may have made
 *  @return EDGEOPS_OK, then eop_admit_end() follows; EDGEOPS_E_NOMEM */
edgeops_status eop_admit(eop_admitted *out, eop_fed *fed, edgeops_store *store,
                         eop_derived *derived, const edgeops_sample *samples, size_t n,
                         uint64_t max);
/** After the append, whatever became of it: counts the assets that it made. Frees. */
void eop_admit_end(eop_admitted *admitted, eop_fed *fed, edgeops_store *store);

#endif /* EOP_NODE_LIVE_ADMIT_H */
