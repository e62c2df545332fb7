/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the files of workflows and models with what was recorded of them: sizes always, digests
 * when asked. Only reads. */
#include "node/files/doctor_files.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "node/home/models.h"
#include "runtime/model_file.h"
#include "runtime/seal.h"

#define LIST_MAX ((size_t)64 << 20)
#define LIST_TAG "edgeops-content 1\n"

/* One line "SHA256 SIZE PATH"; cut at its end. */
static edgeops_status check_line(const char *folder, char *line, bool deep) {
    char sha256[65];
    uint64_t size = 0;
    int used = 0;
    if (sscanf(line, "%64[0-9a-f] %" SCNu64 " %n", sha256, &size, &used) != 2 || used == 0 ||
        strlen(sha256) != 64 || line[used] == '\0') {
        return eop_fail(EDGEOPS_E_CORRUPT, "node", "the list of its files is damaged");
    }
    return eop_seal_check(folder, line + used, size, sha256, deep);
}

/* The digest is that of the list: the list counts only when it gives the same digest. */
edgeops_status eop_check_workflow(const edgeops_workflow *workflow, bool deep) {
    const char *folder = edgeops_workflow_info_of(workflow)->directory;
    char *path = eop_format("%s.list", folder);
    char *text = NULL;
    size_t size = 0;
    char hex[65];
    edgeops_status status =
        path != NULL ? eop_file_read(&text, &size, path, LIST_MAX) : eop_fail_nomem("node");
    eop_free(path);
    if (status == EDGEOPS_OK) {
        status = eop_sha256_of(hex, text, size);
    }
    if (status == EDGEOPS_OK && (strcmp(hex, edgeops_workflow_info_of(workflow)->digest) != 0 ||
                                 strncmp(text, LIST_TAG, strlen(LIST_TAG)) != 0)) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "node", "the list of its files is damaged");
    }
    char *at = status == EDGEOPS_OK ? text + strlen(LIST_TAG) : NULL;
    while (status == EDGEOPS_OK && *at != '\0') {
        char *end = strchr(at, '\n');
        if (end == NULL) {
            status = eop_fail(EDGEOPS_E_CORRUPT, "node", "the list of its files is damaged");
            break;
        }
        *end = '\0';
        status = check_line(folder, at, deep);
        at = end + 1;
    }
    eop_free(text);
    return status;
}

/* Whether model.json is there and lists the files that the record does. */
static edgeops_status check_description(const char *folder, const eop_json *record) {
    eop_json *own = NULL;
    edgeops_status status = eop_model_read(&own, folder);
    if (status == EDGEOPS_E_NOTFOUND) {
        return eop_model_is_old(record)
                   ? EDGEOPS_OK
                   : eop_fail(EDGEOPS_E_CORRUPT, "node", "'" EOP_MODEL_JSON "' is missing");
    }
    char *listed = status == EDGEOPS_OK ? eop_json_print(eop_json_get(own, "files")) : NULL;
    char *recorded = status == EDGEOPS_OK ? eop_json_print(eop_json_get(record, "files")) : NULL;
    if (status == EDGEOPS_OK && (listed == NULL || recorded == NULL)) {
        status = eop_fail_nomem("node");
    } else if (status == EDGEOPS_OK && strcmp(listed, recorded) != 0) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "node",
                          "'" EOP_MODEL_JSON "' lists other files than the catalog");
    }
    eop_free(listed);
    eop_free(recorded);
    eop_json_free(own);
    return status;
}

edgeops_status eop_check_model(const edgeops_node *node, const eop_json *record, bool deep) {
    char *folder = eop_node_path(node, "models", eop_json_string(record, "name", ""));
    edgeops_status status = folder != NULL
                                ? eop_seal_check_all(folder, eop_json_get(record, "files"), deep)
                                : eop_fail_nomem("node");
    if (status == EDGEOPS_OK) {
        status = check_description(folder, record);
    }
    eop_free(folder);
    return status;
}

edgeops_status eop_check_model_workflow(const edgeops_node *node, const eop_json *record) {
    const eop_json *needed = eop_json_get(record, "workflow");
    const char *digest = eop_json_string(needed, "digest", "");
    edgeops_workflow *workflow = NULL;
    char *store = eop_workflow_store(node);
    edgeops_status status =
        store != NULL ? edgeops_workflow_open(&workflow, store, digest) : eop_fail_nomem("node");
    if (status == EDGEOPS_E_NOTFOUND) {
        status =
            eop_fail(EDGEOPS_E_NOTFOUND, "node", "its workflow '%s@%s' is missing",
                     eop_json_string(needed, "name", ""), eop_json_string(needed, "version", ""));
    }
    edgeops_workflow_close(workflow);
    eop_free(store);
    return status;
}

static edgeops_status count_one(const char *name, void *user_data) {
    *(uint64_t *)user_data += strncmp(name, ".tmp-", 5) == 0;
    return EDGEOPS_OK;
}

uint64_t eop_count_temporary(const char *folder) {
    uint64_t count = 0;
    if (eop_file_exists(folder)) {
        (void)eop_dir_walk(folder, count_one, &count);
    }
    return count;
}
