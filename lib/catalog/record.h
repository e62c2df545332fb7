/* SPDX-License-Identifier: Apache-2.0 */
/* Records of the node in catalog.db: one JSON document for each (kind, name); kind is "source",
 * "model", "run", "deployment", "join", "join-state", "node", "retention". Any thread. Every write is
 * one transaction (BEGIN IMMEDIATE), durable against kill -9 when it returns. */
#ifndef EOP_CATALOG_RECORD_H
#define EOP_CATALOG_RECORD_H

#include <stdbool.h>

#include "edgeops/types.h"

typedef struct eop_catalog eop_catalog;

typedef edgeops_status (*eop_record_fn)(const char *name, const char *json, void *user_data);
/** insert_only: E_EXISTS when the name is taken. */
edgeops_status eop_record_put(eop_catalog *catalog, const char *kind, const char *name,
                              const char *json, bool insert_only);
/** *json: free with eop_free. E_NOTFOUND. */
edgeops_status eop_record_get(char **json, eop_catalog *catalog, const char *kind,
                              const char *name);
/** Walks the records of a kind in the order in which they were first put. */
edgeops_status eop_record_list(eop_catalog *catalog, const char *kind, eop_record_fn fn,
                               void *user_data);
edgeops_status eop_record_remove(eop_catalog *catalog, const char *kind, const char *name);
/** The next number of a named sequence, from 1; never returns one twice. */
edgeops_status eop_record_number(int64_t *out, eop_catalog *catalog, const char *sequence);

#endif /* EOP_CATALOG_RECORD_H */
