/* SPDX-License-Identifier: Apache-2.0 */
/* Retention: which samples are kept for how long.
 *
 * A policy holds for the assets that its pattern matches. Of several, the most specific one (a
 * name, else the longest pattern, else the first by bytes) decides on an asset's age and its
 * rollups; sizes and free disk are asked of all assets that a pattern matches, whatever else holds
 * for them: the oldest of them go first. So "*" with a size is the budget of the home.
 *
 * What goes are whole chunks, by their newest sample: an age is a promise to keep, not to delete to
 * the second. Not dropped: what a dataset holds, and what is in the journal still. Labels stay.
 * What of an asset was dropped is known by its greatest time: a sample that arrives and is not
 * newer is expired, since nobody can say whether it was there. */
#ifndef EOP_STORE_RETENTION_H
#define EOP_STORE_RETENTION_H

#include <stdbool.h>

#include "edgeops/store.h"

typedef struct eop_retained {
    uint64_t chunks; /**< that were dropped, or would be */
    uint64_t rows;
    uint64_t bytes;
    uint64_t assets;
    uint64_t held;      /**< chunks that are due, but a dataset holds them */
    edgeops_time until; /**< greatest time of a sample dropped; INT64_MIN: none was */
    bool short_of;      /**< nothing more may go, and a size or the free disk is not reached */
} eop_retained;
/** Applies the policies now and waits for it. dry: only says what would go. go_on: asked now and
 * then, false ends it (E_CANCELED); may be NULL. E_BUSY while a dataset is being made. */
edgeops_status eop_retention_run(eop_retained *out, edgeops_store *store, bool dry,
                                 bool (*go_on)(void *user_data), void *user_data);
/** The same in the background, soon; call it from a timer. Any thread. */
void eop_store_retain(edgeops_store *store);

/** A run of the policies; the writer's thread makes, steps and frees it. */
typedef struct eop_retain_run eop_retain_run;
edgeops_status eop_retain_new(eop_retain_run **out, edgeops_store *store);
edgeops_status eop_retain_step(edgeops_store *store, void *run);
void eop_retain_free(eop_retain_run *run);

#endif /* EOP_STORE_RETENTION_H */
