/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites with real workers share: a folder, a loop, workflows from their text. */
#ifndef EOP_TESTS_RUNTIME_FIXTURE_H
#define EOP_TESTS_RUNTIME_FIXTURE_H

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "edgeops/context.h"
#include "edgeops/runtime.h"
#include "edgeops/workflow.h"
#include "runtime/model_file.h"
#include "runtime/params.h"

static char fixture_root[64];
static edgeops_ctx *fixture_ctx;
static edgeops_runtime *fixture_runtime;
static int fixture_workflows;

#define FIXTURE_PORTS                                                                              \
    "\"inputs\":[{\"name\":\"a\",\"type\":\"float64\"},{\"name\":\"b\",\"type\":\"float64\"}],"    \
    "\"outputs\":[{\"name\":\"class\",\"type\":\"string\"},"                                       \
    "{\"name\":\"score\",\"type\":\"float64\"}]"

static char *path_of(const char *name) {
    return eop_path_join(fixture_root, name);
}

static char *new_dir(const char *name) {
    char *path = path_of(name);
    cr_assert(eq(int, eop_mkdirs(path, 0700), EDGEOPS_OK));
    return path;
}

static void fixture_enter(void) {
    edgeops_runtime_options options = EDGEOPS_RUNTIME_OPTIONS_INIT;
    strcpy(fixture_root, "/tmp/edgeops-runtime-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(fixture_root), NULL));
    cr_assert(eq(int, edgeops_ctx_new(&fixture_ctx, NULL), EDGEOPS_OK));
    options.log_limit_bytes = 200000;
    cr_assert(eq(int, edgeops_runtime_new(&fixture_runtime, fixture_ctx, &options), EDGEOPS_OK));
}

static void fixture_leave(void) {
    edgeops_runtime_free(fixture_runtime);
    /* What was closed is freed in the loop's next turn. */
    (void)!edgeops_ctx_run(fixture_ctx, 0);
    edgeops_ctx_free(fixture_ctx);
    cr_assert(eq(int, eop_remove_tree(fixture_root), EDGEOPS_OK));
}

/* Installs a workflow with one module. ports: "inputs" and "outputs" of the manifest; more: further
 * members, with a comma before each. */
static edgeops_workflow *workflow_with(const char *source, const char *ports, const char *more) {
    edgeops_workflow *workflow = NULL;
    char name[32];
    (void)snprintf(name, sizeof name, "source-%d", ++fixture_workflows);
    char *dir = new_dir(name);
    char *store = path_of("store");
    char *module = eop_path_join(dir, "flow.py");
    char *manifest = eop_path_join(dir, "workflow.json");
    char *text = eop_format("{\"format\":1,\"name\":\"flow-%d\",\"version\":\"1.0.0\","
                            "\"python\":{\"module\":\"flow\"},%s%s}",
                            fixture_workflows, ports, more);
    cr_assert(eq(int, eop_file_write(module, source, strlen(source), 0600), EDGEOPS_OK));
    cr_assert(eq(int, eop_file_write(manifest, text, strlen(text), 0600), EDGEOPS_OK));
    edgeops_status status = edgeops_workflow_install(&workflow, store, dir);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    eop_free(text);
    eop_free(manifest);
    eop_free(module);
    eop_free(store);
    eop_free(dir);
    return workflow;
}

__attribute__((__unused__)) static edgeops_workflow *workflow_of(const char *source,
                                                                 const char *more) {
    return workflow_with(source, FIXTURE_PORTS, more);
}

static inline edgeops_status always(void *user_data) {
    (void)user_data;
    return EDGEOPS_OK;
}

/* A model without a file, as if a training of this workflow had made it: fixture_root/model. */
static inline edgeops_model *model_of(const edgeops_workflow *workflow, const char *params) {
    const edgeops_usage usage = {0};
    eop_json *resolved = NULL;
    edgeops_model *model = NULL;
    char *folder = path_of("model");
    char *store = path_of("store");
    cr_assert(eq(int, eop_remove_tree(folder), EDGEOPS_OK));
    eop_free(new_dir("model/" EOP_MODEL_FILES));
    edgeops_status status =
        eop_params_resolve(&resolved, edgeops_workflow_info_of(workflow)->manifest, params);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    const eop_model_parts parts = {.workflow = workflow,
                                   .dataset = "none",
                                   .dataset_digest = "",
                                   .params = resolved,
                                   .usage = &usage};
    cr_assert(eq(int, eop_model_write(folder, &parts, always, NULL), EDGEOPS_OK));
    status = edgeops_model_open(&model, folder, store);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    eop_json_free(resolved);
    eop_free(store);
    eop_free(folder);
    return model;
}

__attribute__((__unused__)) static char *read_log(const char *run) {
    char *dir = path_of(run);
    char *path = eop_path_join(dir, "log");
    char *text = NULL;
    size_t size = 0;
    cr_assert(eq(int, eop_file_read(&text, &size, path, 1 << 20), EDGEOPS_OK));
    eop_free(path);
    eop_free(dir);
    return text;
}

static void expect_in(const char *text, const char *part) {
    cr_expect(ne(ptr, strstr(text, part), NULL), "'%s' is not in '%s'", part, text);
}

#endif /* EOP_TESTS_RUNTIME_FIXTURE_H */
