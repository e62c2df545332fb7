/* SPDX-License-Identifier: Apache-2.0 */
/* Models: HOME/models/NAME with a training's files, and a record that is written last. */

#include "node/home/models.h"

#include <string.h>

#include "node/home/records.h"

char *eop_workflow_store(const edgeops_node *node) {
    return eop_node_path(node, "store", NULL);
}

bool eop_model_exists(edgeops_node *node, const char *name) {
    char *json = NULL;
    bool exists = eop_record_get(&json, node->store, "model", name) == EDGEOPS_OK;
    eop_free(json);
    return exists;
}

void eop_model_free(eop_model *model) {
    if (model != NULL) {
        edgeops_workflow_close(model->workflow);
        eop_json_free(model->record);
        eop_free(model->directory);
        eop_free(model->params_json);
        eop_free(model);
    }
}

static edgeops_status open_workflow(eop_model *model, edgeops_node *node) {
    const eop_json *workflow = eop_json_get(model->record, "workflow");
    const char *name = eop_json_string(workflow, "name", "");
    const char *digest = eop_json_string(workflow, "digest", "");
    char *store = eop_workflow_store(node);
    if (store == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = edgeops_workflow_open(&model->workflow, store, digest);
    if (status == EDGEOPS_E_NOTFOUND) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "node",
                          "workflow '%s' (digest %.12s), which model '%s' was trained with, is not "
                          "installed any more; add it again",
                          name, digest, eop_json_string(model->record, "name", ""));
    }
    eop_free(store);
    return status;
}

edgeops_status eop_model_open(eop_model **out, edgeops_node *node, const char *name) {
    edgeops_status status = EDGEOPS_OK;
    eop_model *model = eop_calloc(1, sizeof(*model));
    if (model == NULL) {
        return eop_fail_nomem("node");
    }
    status = eop_get_record(&model->record, node, "model", name);
    if (status != EDGEOPS_OK) {
        goto out;
    }
    const eop_json *params = eop_json_get(model->record, "params");
    model->directory = eop_node_path(node, "models", name);
    model->params_json = params != NULL ? eop_json_print(params) : eop_strdup("{}");
    if (model->directory == NULL || model->params_json == NULL) {
        status = eop_fail_nomem("node");
        goto out;
    }
    status = open_workflow(model, node);
    if (status == EDGEOPS_OK) {
        *out = model;
        model = NULL;
    }
out:
    eop_model_free(model);
    return status;
}
