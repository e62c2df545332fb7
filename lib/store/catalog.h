/* SPDX-License-Identifier: Apache-2.0 */
/* What the node keeps in catalog.db beside assets, labels and datasets. All calls: any thread.
 * Every write is one transaction (BEGIN IMMEDIATE), durable against kill -9 when it returns. */
#ifndef EOP_STORE_CATALOG_H
#define EOP_STORE_CATALOG_H

#include <stdbool.h>

#include "base/log.h"
#include "edgeops/store.h"

/** The version of a home this program writes (`user_version` of catalog.db). A newer one is refused
 * with E_VERSION. */
#define EOP_HOME_VERSION 2

/* -- records: one JSON document for each (kind, name); kind is "source", "model", "run",
 * "deployment", "node" -- */
typedef edgeops_status (*eop_record_fn)(const char *name, const char *json, void *user_data);
/** insert_only: E_EXISTS when the name is taken. */
edgeops_status eop_record_put(edgeops_store *store, const char *kind, const char *name,
                              const char *json, bool insert_only);
/** *json: free with eop_free. E_NOTFOUND. */
edgeops_status eop_record_get(char **json, edgeops_store *store, const char *kind,
                              const char *name);
/** Walks in the order in which they were first put. */
edgeops_status eop_record_list(edgeops_store *store, const char *kind, eop_record_fn fn,
                               void *user_data);
edgeops_status eop_record_remove(edgeops_store *store, const char *kind, const char *name);
/** Next number of a named sequence, from 1; never given twice. */
edgeops_status eop_record_number(int64_t *out, edgeops_store *store, const char *sequence);

/* -- outbox: messages that must reach the broker, and how far a deployment has come -- */
typedef struct eop_outbox_message {
    uint64_t id;             /**< given by the store, ascending */
    const char *destination; /**< which publisher: name of the deployment's source */
    const char *topic;
    const void *payload;
    size_t size;
    uint8_t qos;
    uint8_t retain;
} eop_outbox_message;
/** In one transaction: the messages go into the outbox and the checkpoint of `deployment` becomes
 * `ordinal` with `state_json`. messages[i].id is set. With more than 1,000,000 messages waiting for
 * a destination: E_LIMIT. */
edgeops_status eop_outbox_commit(edgeops_store *store, const char *deployment, uint64_t ordinal,
                                 const char *state_json, eop_outbox_message *messages, size_t n);
typedef edgeops_status (*eop_outbox_fn)(const eop_outbox_message *message, void *user_data);
/** Walks at most max messages of a destination with id > after, ascending. */
edgeops_status eop_outbox_list(edgeops_store *store, const char *destination, uint64_t after,
                               size_t max, eop_outbox_fn fn, void *user_data);
/** Delivered: removes them. */
edgeops_status eop_outbox_done(edgeops_store *store, const uint64_t *ids, size_t n);
edgeops_status eop_outbox_count(uint64_t *out, edgeops_store *store, const char *destination);
/** Checkpoint of a deployment. E_NOTFOUND before the first one. *state_json may be NULL; free with
 * eop_free. */
edgeops_status eop_checkpoint_get(uint64_t *ordinal, char **state_json, edgeops_store *store,
                                  const char *deployment);
edgeops_status eop_checkpoint_remove(edgeops_store *store, const char *deployment);

/* -- dead letters: the newest 1,000 of each source -- */
typedef struct eop_dead_letter {
    edgeops_time time;
    const char *topic;
    const char *reason;
    const void *payload; /**< at most 512 bytes are kept */
    size_t payload_size;
    uint64_t message_size;
} eop_dead_letter;
edgeops_status eop_dead_letter_add(edgeops_store *store, const char *source,
                                   const eop_dead_letter *letters, size_t n);
typedef edgeops_status (*eop_dead_letter_fn)(const eop_dead_letter *letter, void *user_data);
/** Newest first, at most max. */
edgeops_status eop_dead_letter_list(edgeops_store *store, const char *source, size_t max,
                                    eop_dead_letter_fn fn, void *user_data);
edgeops_status eop_dead_letter_remove(edgeops_store *store, const char *source);

#endif /* EOP_STORE_CATALOG_H */
