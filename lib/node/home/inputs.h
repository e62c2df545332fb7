/* SPDX-License-Identifier: Apache-2.0 */
/* Whether an asset has what a model needs. */
#ifndef EOP_NODE_HOME_INPUTS_H
#define EOP_NODE_HOME_INPUTS_H

#include "node/home/home.h"
#include "runtime/window.h"

/** *missing: NULL when every input is there, else what has not come yet, for people; free with
 * eop_free. E_INVALID names an input that the asset has with another type. Any thread. */
edgeops_status eop_inputs_look(char **missing, edgeops_store *store, const edgeops_manifest *m,
                               const char *asset);
/** E_INVALID for an asset that has samples and lacks inputs (named), or has them with other types.
 * Any thread. */
edgeops_status eop_inputs_require(edgeops_store *store, const edgeops_manifest *m,
                                  const char *asset);

/** Lets a cutter learn the newest value that each input had before its first row, for
 * `missing: previous`: of rows with ordinals up to max_ordinal, 0: none.
 *
 *  @param newest  of the cutter's state; EDGEOPS_TIME_MAX: whatever comes is newer
 * Blocks while it reads. Any thread that has the cutter. */
edgeops_status eop_inputs_before(eop_window_cutter *cutter, edgeops_store *store,
                                 const edgeops_manifest *m, const char *asset, uint64_t max_ordinal,
                                 edgeops_time newest);

/** The newest ordinal of an asset, 0 when there is no such asset. Any thread. */
edgeops_status eop_asset_last_ordinal(uint64_t *out, edgeops_store *store, const char *asset);

#endif /* EOP_NODE_HOME_INPUTS_H */
