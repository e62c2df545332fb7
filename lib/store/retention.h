/* SPDX-License-Identifier: Apache-2.0 */
/* Retention: which samples are kept for how long.
 *
 * A policy applies to the assets that its pattern matches. Where several match an asset, the most
 * specific one (a name, else the longest pattern, else the first by bytes) decides on its age and
 * its rollups. Sizes and free disk cover all assets that a pattern matches, whatever other policies
 * apply to them; the oldest samples are dropped first. So "*" with a size is the budget of a home.
 *
 * Whole chunks are dropped, by their newest sample: an age is a promise to keep, not to delete to
 * the second. Samples of the journal that are due become chunks of their own: when a run is asked
 * for; in the background when all that the journal has of their asset are due, or some are twice as
 * old as they may be. A sample that came in parts goes with its first part (trim.h). Samples that a
 * dataset holds are never dropped; labels stay. An asset keeps the greatest time of its dropped
 * samples: a sample that arrives later and is not newer is expired, because nobody can tell whether
 * it was stored before. */
#ifndef EOP_STORE_RETENTION_H
#define EOP_STORE_RETENTION_H

#include <stdbool.h>

#include "edgeops/store.h"

typedef struct eop_retained {
    uint64_t chunks; /**< dropped chunks, or those that would be */
    uint64_t rows;
    uint64_t bytes;
    uint64_t assets;
    uint64_t held;      /**< due chunks that a dataset holds */
    edgeops_time until; /**< greatest time of a dropped sample; INT64_MIN: none */
    bool short_of;      /**< nothing more may be dropped, but a size or the free disk is not
                             reached; or rows of the journal cannot be written as chunks */
} eop_retained;
typedef enum eop_retention_how {
    EOP_RETENTION_DROP,
    EOP_RETENTION_DRY, /**< counts what a run would drop; rows of the journal that are due become
                            chunks, too */
    EOP_RETENTION_LOOK /**< counts what the background would drop */
} eop_retention_how;
/** Applies the policies now and waits for the result. go_on: called now and then, false ends the run
 * (E_CANCELED); may be NULL. E_BUSY while a dataset is being made. */
edgeops_status eop_retention_run(eop_retained *out, edgeops_store *store, eop_retention_how how,
                                 bool (*go_on)(void *user_data), void *user_data);
/** Asks the writer to apply the policies soon; call it from a timer. Any thread. */
void eop_store_retain(edgeops_store *store);

/** A run of the policies; the writer's thread makes, steps and frees it. */
typedef struct eop_retain_run eop_retain_run;
edgeops_status eop_retain_new(eop_retain_run **out, edgeops_store *store);
edgeops_status eop_retain_step(edgeops_store *store, void *run);
void eop_retain_free(eop_retain_run *run);

#endif /* EOP_STORE_RETENTION_H */
