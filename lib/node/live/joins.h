/* SPDX-License-Identifier: Apache-2.0 */
/* The joins of a home: definitions of derived assets, kept as records, and the thread of a started
 * node that keeps their rows up to date. In a node that was not started a join goes on when it is
 * asked to. Functions are for the loop unless they say otherwise. */
#ifndef EOP_NODE_LIVE_JOINS_H
#define EOP_NODE_LIVE_JOINS_H

#include "join/spec.h"
#include "node/home/home.h"

#define EOP_NODE_JOINS_MAX 256u

typedef struct eop_node_join eop_node_join;

edgeops_status eop_joins_load(edgeops_node *node);
/** Keeps all up to date from now on. */
void eop_joins_start(edgeops_node *node);
/** Ends within a step of a join, and keeps where they are. */
void eop_joins_stop(edgeops_node *node);
/** NULL is allowed. */
void eop_joins_free(eop_joins *joins);

/** In the order in which they were made. */
size_t eop_joins_count(const edgeops_node *node);
eop_node_join *eop_joins_at(const edgeops_node *node, size_t at);
/** NULL: the asset is not a derived one, or there is none. */
eop_node_join *eop_joins_find(edgeops_node *node, const char *asset);
/** One with the same inputs, names and rule; NULL: none. */
eop_node_join *eop_joins_find_equal(edgeops_node *node, const eop_join_spec *spec);
/** Makes a derived asset. spec: taken, also after a failure. missing: inputs need not be there yet.
 * E_EXISTS: the name is taken; E_NOTFOUND, E_INVALID. */
edgeops_status eop_joins_add(eop_node_join **out, edgeops_node *node, eop_join_spec *spec,
                             bool missing);
const eop_join_spec *eop_node_join_spec(const eop_node_join *join);
/** The definition alone. */
eop_json *eop_node_join_definition(const eop_node_join *join);
/** The definition, and how it goes. */
eop_json *eop_node_join_describe(eop_node_join *join);

/** Keeps it allocated, so that a job can work on it. */
void eop_node_join_hold(eop_node_join *join);
/** Any thread. NULL is allowed. */
void eop_node_join_release(eop_node_join *join);
/** Any thread: works until nothing is left but rows that wait, and for those as long as `patience`.
 *
 *  @param go_on  called between steps with what is done, 0..1; false ends with E_CANCELED
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND: it was removed; why it cannot go on */
edgeops_status eop_node_join_work(eop_node_join *join, edgeops_duration patience,
                                  bool (*go_on)(double part, void *user_data), void *user_data);

/** E_BUSY where the asset is an input of a join. */
edgeops_status eop_joins_check_unused(edgeops_node *node, const char *asset);
/** The derived asset stands still until eop_joins_reopen(). */
void eop_joins_close(edgeops_node *node, const char *asset);
/** The derived asset was removed: so is its definition. */
edgeops_status eop_joins_removed(edgeops_node *node, const char *asset);
/** Renames an asset, or one of its channels (channel not NULL), in all definitions: before the store
 * does it. Where the store then fails, call it the other way round. At the end of either
 * eop_joins_reopen(). names: gets the derived assets that are made of it. */
edgeops_status eop_joins_rename(eop_json *names, edgeops_node *node, const char *asset,
                                const char *channel, const char *to);
void eop_joins_reopen(edgeops_node *node);

#endif /* EOP_NODE_LIVE_JOINS_H */
