/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the folder of a model and the workflow it was trained with. The object never changes after
 * that; it is counted, so that lanes on any thread may outlive the caller's handle. */
#include "runtime/model.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "codec/time_text.h"
#include "runtime/model_file.h"
#include "runtime/runtime.h"
#include "runtime/seal.h"

static edgeops_status open_workflow(edgeops_model *model, const char *workflows) {
    const eop_json *workflow = eop_json_get(model->json, "workflow");
    const char *digest = eop_json_string(workflow, "digest", "");
    edgeops_status status = edgeops_workflow_open(&model->workflow, workflows, digest);
    if (status == EDGEOPS_E_NOTFOUND) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "runtime",
                          "workflow '%s' (digest %.12s), which the model in '%s' was trained with, "
                          "is not installed any more; add it again",
                          eop_json_string(workflow, "name", ""), digest, model->directory);
    }
    return status;
}

static char *print_member(const eop_json *json, const char *key) {
    const eop_json *member = eop_json_get(json, key);
    return member != NULL ? eop_json_print(member) : eop_strdup("{}");
}

static edgeops_status fill_info(edgeops_model *model) {
    const eop_json *workflow = eop_json_get(model->json, "workflow");
    const eop_json *dataset = eop_json_get(model->json, "dataset");
    const char *created = eop_json_string(model->json, "created", "");
    model->text = eop_json_print(model->json);
    model->params = print_member(model->json, "params");
    model->metrics = print_member(model->json, "metrics");
    if (model->text == NULL || model->params == NULL || model->metrics == NULL) {
        return eop_fail_nomem("runtime");
    }
    model->info = (edgeops_model_info){
        .directory = model->directory,
        .manifest = edgeops_workflow_info_of(model->workflow)->manifest,
        .workflow = eop_json_string(workflow, "name", ""),
        .workflow_version = eop_json_string(workflow, "version", ""),
        .workflow_digest = eop_json_string(workflow, "digest", ""),
        .dataset = eop_json_string(dataset, "name", ""),
        .dataset_digest = eop_json_string(dataset, "digest", ""),
        .params_json = model->params,
        .metrics_json = model->metrics,
        .size_bytes = (uint64_t)eop_json_integer(model->json, "size_bytes", 0),
        .json = model->text,
    };
    if (!eop_time_text(&model->info.created, NULL, NULL, created, strlen(created))) {
        return eop_fail(EDGEOPS_E_CORRUPT, "runtime",
                        "the model in '%s' was created at '%.40s', which is not a time",
                        model->directory, created);
    }
    return EDGEOPS_OK;
}

/* json: taken. files: where in the folder, NULL: in the folder itself. */
static edgeops_status make(edgeops_model **out, const char *directory, const char *files,
                           eop_json *json, const char *workflows) {
    edgeops_model *model = eop_calloc(1, sizeof *model);
    if (model == NULL || json == NULL) {
        eop_free(model);
        eop_json_free(json);
        return eop_fail_nomem("runtime");
    }
    atomic_init(&model->users, 1);
    model->json = json;
    edgeops_status status = eop_absolute(&model->directory, directory);
    if (status == EDGEOPS_OK) {
        model->artifacts =
            files != NULL ? eop_path_join(model->directory, files) : eop_strdup(model->directory);
        status =
            model->artifacts != NULL ? open_workflow(model, workflows) : eop_fail_nomem("runtime");
    }
    if (status == EDGEOPS_OK) {
        status = fill_info(model);
    }
    if (status < 0) {
        edgeops_model_close(model);
        return status;
    }
    *out = model;
    return EDGEOPS_OK;
}

edgeops_status eop_model_of_record(edgeops_model **out, const char *directory,
                                   const eop_json *record, const char *workflows) {
    eop_json *json = NULL;

    *out = NULL;
    edgeops_status status = eop_model_read(&json, directory);
    if (status == EDGEOPS_OK) {
        return make(out, directory, EOP_MODEL_FILES, json, workflows);
    }
    if (status != EDGEOPS_E_NOTFOUND) {
        return status;
    }
    const char *files = eop_model_is_old(record) ? NULL : EOP_MODEL_FILES;
    return make(out, directory, files, eop_json_copy(record), workflows);
}

edgeops_status edgeops_model_open(edgeops_model **out, const char *directory,
                                  const char *workflows) {
    edgeops_model *model = NULL;
    eop_json *json = NULL;

    EOP_REQUIRE(out != NULL, "runtime");
    *out = NULL;
    EOP_REQUIRE(directory != NULL && workflows != NULL, "runtime");
    edgeops_status status = eop_model_read(&json, directory);
    if (status == EDGEOPS_OK) {
        status = make(&model, directory, EOP_MODEL_FILES, json, workflows);
    }
    if (status == EDGEOPS_OK) {
        status = eop_seal_check_all(model->directory, eop_json_get(model->json, "files"), true);
    }
    if (status < 0) {
        edgeops_model_close(model);
        return status;
    }
    *out = model;
    return EDGEOPS_OK;
}

const edgeops_model_info *edgeops_model_info_of(const edgeops_model *model) {
    return model != NULL ? &model->info : NULL;
}

edgeops_model *eop_model_share(const edgeops_model *model) {
    edgeops_model *shared = (edgeops_model *)(uintptr_t)model; /* only the count changes */
    atomic_fetch_add(&shared->users, 1);
    return shared;
}

void edgeops_model_close(edgeops_model *model) {
    if (model == NULL || atomic_fetch_sub(&model->users, 1) > 1) {
        return;
    }
    edgeops_workflow_close(model->workflow);
    eop_json_free(model->json);
    eop_free(model->directory);
    eop_free(model->artifacts);
    eop_free(model->text);
    eop_free(model->params);
    eop_free(model->metrics);
    eop_free(model);
}
