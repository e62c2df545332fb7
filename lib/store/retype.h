/* SPDX-License-Identifier: Apache-2.0 */
/* Gives a channel another type. What is written is not rewritten in place: the channel gets a new
 * position in its asset, and cells of the new type beside those of the old one in the same chunks.
 *
 *   1 look     all values are converted for a trial, without a trace
 *   2 reserve  the catalog gets the new position, hidden (catalog/asset_list.h)
 *   3 fill     the writer adds the new cells to the chunks, some in each of its transactions
 *   4 switch   one transaction of the catalog hides the old position and gives its name to the new
 *              one. No row of the asset is in the journal only then, so that none has a value at
 *              the old position: appends wait for the last segment
 *   5 purge    the writer removes the cells of hidden positions
 *
 * A program that ends before 4 leaves the old channel, one that ends behind it the new one. Opening
 * the store goes on with 5: what 3 left is purged like what was replaced. A position is never used
 * again. */
#ifndef EOP_STORE_RETYPE_H
#define EOP_STORE_RETYPE_H

#include <stdbool.h>

#include "edgeops/store.h"
#include "store/retype_value.h"

/** What stands in the way, and what would be done. */
typedef struct eop_retype_look {
    edgeops_retype_result sum;
    uint64_t misfits; /**< values that the new type does not have */
    char *misfit;     /**< the first of them in order of arrival; NULL: none */
    char *datasets;   /**< "a, b": those that hold the channel; NULL: none */
} eop_retype_look;
/** Looks at all values. E_NOTFOUND; E_INVALID: types that cannot become one another; E_CANCELED.
 * Dispose of it also after a failure. */
edgeops_status eop_retype_look_at(eop_retype_look *out, edgeops_store *store,
                                  const edgeops_retype_options *options);
void eop_retype_look_dispose(eop_retype_look *look);
/** The error that a look makes: E_BUSY, E_INVALID. */
edgeops_status eop_retype_judge(const eop_retype_look *look, const edgeops_retype_options *options);

/** The writer's thread: removes some cells of hidden positions. DONE: there are none. */
edgeops_status eop_retype_purge(edgeops_store *store);
/** Under `lock`, or before there are threads: whether an asset has a position to purge. */
bool eop_retype_purge_due(const edgeops_store *store);

#endif /* EOP_STORE_RETYPE_H */
