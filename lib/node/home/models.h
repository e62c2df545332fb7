/* SPDX-License-Identifier: Apache-2.0 */
/* Models of a home, and the store of the workflows they need. */
#ifndef EOP_NODE_HOME_MODELS_H
#define EOP_NODE_HOME_MODELS_H

#include "node/home/home.h"

/** Opens a model by name, by its model.json or, where it has none, its record; its files are not
 * read. E_NOTFOUND, E_CORRUPT. */
edgeops_status eop_home_model(edgeops_model **out, edgeops_node *node, const char *name);
bool eop_model_exists(edgeops_node *node, const char *name);
/** HOME/store: any thread. */
char *eop_workflow_store(const edgeops_node *node);

#endif /* EOP_NODE_HOME_MODELS_H */
