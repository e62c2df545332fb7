/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that must reach a broker, and the progress of deployments, in catalog.db. Any thread. */
#ifndef EOP_CATALOG_OUTBOX_H
#define EOP_CATALOG_OUTBOX_H

#include "edgeops/types.h"

typedef struct eop_catalog eop_catalog;

typedef struct eop_outbox_message {
    uint64_t id;             /**< set by the store, ascending */
    const char *destination; /**< the publisher: name of the deployment's source */
    const char *topic;
    const void *payload;
    size_t size;
    uint8_t qos;
    uint8_t retain;
} eop_outbox_message;
/** In one transaction: the messages go into the outbox and the checkpoint of `deployment` becomes
 * `ordinal` with `state_json`. messages[i].id is set. With more than 1,000,000 messages waiting for
 * a destination: E_LIMIT. */
edgeops_status eop_outbox_commit(eop_catalog *catalog, const char *deployment, uint64_t ordinal,
                                 const char *state_json, eop_outbox_message *messages, size_t n);
typedef edgeops_status (*eop_outbox_fn)(const eop_outbox_message *message, void *user_data);
/** Walks at most max messages of a destination with id > after, ascending. */
edgeops_status eop_outbox_list(eop_catalog *catalog, const char *destination, uint64_t after,
                               size_t max, eop_outbox_fn fn, void *user_data);
/** Removes messages that were delivered. */
edgeops_status eop_outbox_done(eop_catalog *catalog, const uint64_t *ids, size_t n);
edgeops_status eop_outbox_count(uint64_t *out, eop_catalog *catalog, const char *destination);
/** The checkpoint of a deployment. E_NOTFOUND before the first one. *state_json: may be NULL; free
 * with eop_free. */
edgeops_status eop_checkpoint_get(uint64_t *ordinal, char **state_json, eop_catalog *catalog,
                                  const char *deployment);
edgeops_status eop_checkpoint_remove(eop_catalog *catalog, const char *deployment);

#endif /* EOP_CATALOG_OUTBOX_H */
