/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that must reach a broker, and the progress of deployments, in catalog.db. Each message
 * belongs to a deployment and waits for a destination, or is set aside. Any thread. */
#ifndef EOP_CATALOG_OUTBOX_H
#define EOP_CATALOG_OUTBOX_H

#include <stdbool.h>

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
/** In one transaction: the messages go into the outbox of `deployment`, whose checkpoint becomes
 * `ordinal` with `state_json`. messages[i].id is set. With 1,000,000 messages of the deployment
 * waiting for a destination: E_LIMIT. */
edgeops_status eop_outbox_commit(eop_catalog *catalog, const char *deployment, uint64_t ordinal,
                                 const char *state_json, eop_outbox_message *messages, size_t n);
typedef edgeops_status (*eop_outbox_fn)(const eop_outbox_message *message, void *user_data);
/** Walks at most max messages that wait, of a deployment for a destination, with id > after,
 * ascending. */
edgeops_status eop_outbox_list(eop_catalog *catalog, const char *destination,
                               const char *deployment, uint64_t after, size_t max, eop_outbox_fn fn,
                               void *user_data);
/** Removes messages that were delivered; those that are gone already are left out. */
edgeops_status eop_outbox_done(eop_catalog *catalog, const uint64_t *ids, size_t n);
/** A message that the broker does not take waits no more, but is kept with the reason. */
edgeops_status eop_outbox_set_aside(eop_catalog *catalog, uint64_t id, const char *reason);
/** What was set aside waits again, in its old place. *out: how many. */
edgeops_status eop_outbox_again(uint64_t *out, eop_catalog *catalog, const char *destination,
                                const char *deployment);
/** Drops at most max messages, the oldest first: of those that wait, or, with refused, that are set
 * aside. *out: how many, also after a failure. */
edgeops_status eop_outbox_drop(uint64_t *out, eop_catalog *catalog, const char *destination,
                               const char *deployment, bool refused, uint64_t max);
/** Drops all messages for a destination. */
edgeops_status eop_outbox_purge(eop_catalog *catalog, const char *destination);

typedef struct eop_outbox_counts {
    uint64_t waiting;
    uint64_t refused; /**< set aside */
} eop_outbox_counts;
void eop_outbox_count(eop_outbox_counts *out, eop_catalog *catalog, const char *destination,
                      const char *deployment);
/** Why the newest message that is set aside is: free with eop_free. NULL: there is none. */
edgeops_status eop_outbox_reason(char **out, eop_catalog *catalog, const char *destination,
                                 const char *deployment);
/** The deployments with messages for a destination; free with eop_outbox_free_names(). */
edgeops_status eop_outbox_deployments(char ***out, size_t *count, eop_catalog *catalog,
                                      const char *destination);
void eop_outbox_free_names(char **names, size_t count);
/** The checkpoint of a deployment. E_NOTFOUND before the first one. *state_json: may be NULL; free
 * with eop_free. */
edgeops_status eop_checkpoint_get(uint64_t *ordinal, char **state_json, eop_catalog *catalog,
                                  const char *deployment);
edgeops_status eop_checkpoint_remove(eop_catalog *catalog, const char *deployment);

#endif /* EOP_CATALOG_OUTBOX_H */
