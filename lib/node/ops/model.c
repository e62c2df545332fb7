/* SPDX-License-Identifier: Apache-2.0 */
/* model.*: a model that a deployment, a prediction or a backup uses is not removed. */
#include <string.h>

#include "catalog/record.h"
#include "dataset/dataset.h"
#include "node/home/records.h"
#include "node/live/deployments.h"
#include "node/ops/groups.h"
#include "node/ops/join.h"

static void copy_member(eop_json *to, const eop_json *from, const char *key) {
    const eop_json *member = eop_json_get(from, key);
    if (member != NULL) {
        eop_json_set(to, key, eop_json_copy(member));
    }
}

static edgeops_status list_one(const char *name, const char *json, void *user_data) {
    eop_json *record = NULL;
    edgeops_status status = eop_json_parse(&record, json, strlen(json), "model", NULL);
    if (status != EDGEOPS_OK) {
        return status;
    }
    const eop_json *workflow = eop_json_get(record, "workflow");
    eop_json *item = eop_json_object();
    eop_json_set_string(item, "name", name);
    eop_json_set_string(item, "workflow", eop_json_string(workflow, "name", ""));
    eop_json_set_string(item, "version", eop_json_string(workflow, "version", ""));
    eop_json_set_string(item, "dataset",
                        eop_json_string(eop_json_get(record, "dataset"), "name", ""));
    copy_member(item, record, "created");
    copy_member(item, record, "metrics");
    eop_json_append(user_data, item);
    eop_json_free(record);
    return EDGEOPS_OK;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    eop_json *items = NULL;
    *result = eop_items(&items);
    return eop_record_list(call->node->catalog, "model", list_one, items);
}

/* What the assets of its dataset are made of, while the dataset is there as it was. */
static eop_json *joins_behind(edgeops_node *node, const eop_json *dataset) {
    char *text = NULL;
    eop_json *json = NULL;
    eop_json *joins = eop_json_object();
    if (eop_dataset_describe(&text, node->store, eop_json_string(dataset, "name", "")) ==
            EDGEOPS_OK &&
        eop_json_parse(&json, text, strlen(text), "dataset", NULL) == EDGEOPS_OK &&
        strcmp(eop_json_string(json, "digest", ""), eop_json_string(dataset, "digest", "")) == 0) {
        eop_joins_add_lineage(joins, node, eop_json_get(json, "assets"));
    }
    eop_free(text);
    eop_json_free(json);
    return joins;
}

static edgeops_status run_show(edgeops_call *call, eop_json **result) {
    edgeops_status status =
        eop_get_record(result, call->node, "model", eop_json_string(call->args, "model", ""));
    const eop_json *dataset = eop_json_get(*result, "dataset");
    if (status == EDGEOPS_OK && dataset != NULL) {
        eop_json *copy = eop_json_copy(dataset);
        eop_json *joins = joins_behind(call->node, dataset);
        copy_member(copy, joins, "joins");
        eop_json_set(*result, "dataset", copy);
        eop_json_free(joins);
    }
    return status;
}

static edgeops_status check_unused(const edgeops_node *node, const char *name) {
    if (node->backing_up) {
        return eop_fail(EDGEOPS_E_BUSY, "node",
                        "a backup is under way; remove model '%s' when it is done", name);
    }
    for (size_t i = 0; i < node->deployment_count; i++) {
        const eop_json *record = eop_deployment_record(node->deployments[i]);
        if (strcmp(eop_json_string(record, "model", ""), name) == 0) {
            return eop_fail(EDGEOPS_E_BUSY, "node",
                            "model '%s' is deployed as '%s'; remove that deployment first", name,
                            eop_json_string(record, "name", ""));
        }
    }
    for (const edgeops_call *call = node->calls; call != NULL; call = call->next) {
        if (call->state == EOP_CALL_RUNNING && call->op->start != NULL &&
            strcmp(eop_json_string(call->args, "model", ""), name) == 0) {
            return eop_fail(EDGEOPS_E_BUSY, "node", "model '%s' is in use by %s", name,
                            call->op->spec->name);
        }
    }
    return EDGEOPS_OK;
}

/* The record first: a folder that is left by a crash in between is swept at the next open. */
static edgeops_status run_rm(edgeops_call *call, eop_json **result) {
    (void)result;
    eop_json *record = NULL;
    const char *name = eop_json_string(call->args, "model", "");
    edgeops_status status = eop_get_record(&record, call->node, "model", name);
    eop_json_free(record);
    if (status == EDGEOPS_OK) {
        status = check_unused(call->node, name);
    }
    if (status == EDGEOPS_OK) {
        status = eop_record_remove(call->node->catalog, "model", name);
    }
    if (status == EDGEOPS_OK) {
        char *directory = eop_node_path(call->node, "models", name);
        status = directory != NULL ? eop_remove_tree(directory) : eop_fail_nomem("node");
        eop_free(directory);
    }
    return status;
}

const eop_op eop_model_ops[] = {
    {&eop_spec_model_ls, .run = run_ls},
    {&eop_spec_model_show, .run = run_show},
    {&eop_spec_model_rm, .run = run_rm},
    {0},
};
