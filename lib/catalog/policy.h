/* SPDX-License-Identifier: Apache-2.0 */
/* Policies of retention as records of the catalog: which samples are kept for how long.
 * store/retention.h says how several policies work together. Any thread. */
#ifndef EOP_CATALOG_POLICY_H
#define EOP_CATALOG_POLICY_H

#include "edgeops/types.h"

typedef struct eop_catalog eop_catalog;

#define EOP_POLICIES_MAX 64u
#define EOP_ROLLUPS_MAX  4u
/** The kind of these records. */
#define EOP_RETENTION_KIND "retention"

typedef struct eop_policy {
    const char *pattern;      /**< a name or a pattern with '*'; 1..200 bytes */
    edgeops_duration max_age; /**< 0: any */
    uint64_t max_bytes;       /**< of all matching assets together, as stored; 0: any */
    uint64_t min_free;        /**< bytes to keep free in the file system; 0: any */
    edgeops_duration rollups[EOP_ROLLUPS_MAX]; /**< periods, ascending, >= 1 ms */
    size_t rollup_count;
} eop_policy;

/** Sets the policy of a pattern. E_INVALID, also when it limits nothing; E_LIMIT. */
edgeops_status eop_policy_put(eop_catalog *catalog, const eop_policy *policy);
/** E_NOTFOUND: the pattern has no policy. */
edgeops_status eop_policy_remove(eop_catalog *catalog, const char *pattern);
typedef edgeops_status (*eop_policy_fn)(const eop_policy *policy, void *user_data);
/** Walks the policies in the order in which they were made; each is borrowed during the call. */
edgeops_status eop_policy_list(eop_catalog *catalog, eop_policy_fn fn, void *user_data);

#endif /* EOP_CATALOG_POLICY_H */
