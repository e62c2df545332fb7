/* SPDX-License-Identifier: Apache-2.0 */
/* Models: HOME/models/NAME, a folder that describes itself (runtime/model_file.h), and a record in
 * the catalog that is written after it: what has no record is not there. Models of homes that are
 * older than model.json have their files in the folder itself; their record has all that
 * model.json would say, and is used instead. */

#include "node/home/models.h"

#include "catalog/record.h"
#include "node/home/records.h"
#include "runtime/model.h"

char *eop_workflow_store(const edgeops_node *node) {
    return eop_node_path(node, "store", NULL);
}

bool eop_model_exists(edgeops_node *node, const char *name) {
    char *json = NULL;
    bool exists = eop_record_get(&json, node->catalog, "model", name) == EDGEOPS_OK;
    eop_free(json);
    return exists;
}

edgeops_status eop_home_model(edgeops_model **out, edgeops_node *node, const char *name) {
    eop_json *record = NULL;
    char *directory = eop_node_path(node, "models", name);
    char *store = eop_workflow_store(node);

    *out = NULL;
    edgeops_status status =
        directory != NULL && store != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    if (status == EDGEOPS_OK) {
        status = eop_get_record(&record, node, "model", name);
    }
    if (status == EDGEOPS_OK) {
        status = eop_model_of_record(out, directory, record, store);
    }
    eop_json_free(record);
    eop_free(directory);
    eop_free(store);
    return status;
}
