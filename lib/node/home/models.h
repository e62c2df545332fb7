/* SPDX-License-Identifier: Apache-2.0 */
/* Models of a home, and the store of the workflows they need. */
#ifndef EOP_NODE_HOME_MODELS_H
#define EOP_NODE_HOME_MODELS_H

#include "node/home/home.h"

typedef struct eop_model {
    eop_json *record;
    edgeops_workflow *workflow;
    char *directory;
    char *params_json;
} eop_model;
/** Finds a model and its workflow. E_NOTFOUND, E_CORRUPT. */
edgeops_status eop_model_open(eop_model **out, edgeops_node *node, const char *name);
void eop_model_free(eop_model *model);
bool eop_model_exists(edgeops_node *node, const char *name);
/** HOME/store: any thread. */
char *eop_workflow_store(const edgeops_node *node);

#endif /* EOP_NODE_HOME_MODELS_H */
