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

#define EOP_POLICIES_MAX 64u
#define EOP_ROLLUPS_MAX  4u
/** The name of such records. */
#define EOP_RETENTION_KIND "retention"

typedef struct eop_policy {
    const char *pattern;      /**< name of an asset or a pattern with '*'; 1..200 bytes */
    edgeops_duration max_age; /**< 0: any */
    uint64_t max_bytes;       /**< of all of them together, as their columns are stored; 0: any */
    uint64_t min_free;        /**< bytes that the file system keeps free; 0: does not matter */
    edgeops_duration rollups[EOP_ROLLUPS_MAX]; /**< periods, ascending, >= 1 ms */
    size_t rollup_count;
} eop_policy;

/** Sets the policy of a pattern. E_INVALID where it says nothing; E_LIMIT. */
edgeops_status eop_policy_put(edgeops_store *store, const eop_policy *policy);
/** E_NOTFOUND. */
edgeops_status eop_policy_remove(edgeops_store *store, const char *pattern);
typedef edgeops_status (*eop_policy_fn)(const eop_policy *policy, void *user_data);
/** In the order in which they were made; what is given is borrowed. */
edgeops_status eop_policy_list(edgeops_store *store, eop_policy_fn fn, void *user_data);

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
