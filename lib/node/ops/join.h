/* SPDX-License-Identifier: Apache-2.0 */
/* asset.join, and joins where other operations need one. */
#ifndef EOP_NODE_OPS_JOIN_H
#define EOP_NODE_OPS_JOIN_H

#include "edgeops/dataset.h"
#include "node/control/call.h"
#include "node/control/job.h"
#include "node/live/joins.h"

edgeops_status eop_asset_join_start(edgeops_call *call);

/** The join that puts the channels of a dataset's assets side by side, made where there is none like
 * it: asked for by "join", or where a common rate is asked for and the assets have no channel in
 * common. The options then name its asset instead. NULL: the dataset needs none. */
edgeops_status eop_join_for_dataset(eop_node_join **out, edgeops_call *call,
                                    edgeops_dataset_options *options);
/** Joins that are held. */
typedef struct eop_join_list {
    eop_node_join *items[EOP_NODE_JOINS_MAX];
    size_t count;
} eop_join_list;
/** Loop: holds the joins of derived assets that names and patterns mean, and those that they are
 * made of. */
void eop_join_list_hold(eop_join_list *list, edgeops_node *node, const char *const *patterns,
                        size_t count);
/** Job's thread: brings them up to date. */
edgeops_status eop_join_list_work(eop_join_list *list, eop_job *job);
/** Any thread. */
void eop_join_list_release(eop_join_list *list);

/** Adds "joins": the definitions behind those of the assets ({"name": ...}) that are derived. */
void eop_joins_add_lineage(eop_json *json, edgeops_node *node, const eop_json *assets);

#endif /* EOP_NODE_OPS_JOIN_H */
