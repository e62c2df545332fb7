/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads model.json. A reader trusts nothing in it: the folder may have come from
 * elsewhere. */
#include "runtime/model_file.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/time.h"
#include "codec/schema.h"
#include "edgeops/version.h"
#include "runtime/seal.h"

#define FORMAT      1
#define JSON_BYTES  ((size_t)64 << 20)

#define TEXT_OF_(x) #x
#define TEXT_OF(x)  TEXT_OF_(x)
#define PROGRAM                                                                                    \
    "edgeops " TEXT_OF(EDGEOPS_VERSION_MAJOR) "." TEXT_OF(EDGEOPS_VERSION_MINOR) "." TEXT_OF(      \
        EDGEOPS_VERSION_PATCH)

static void set_copy(eop_json *to, const char *key, const eop_json *value) {
    eop_json_set(to, key, value != NULL ? eop_json_copy(value) : eop_json_object());
}

static eop_json *usage_of(const edgeops_usage *usage) {
    eop_json *json = eop_json_object();
    eop_json_set_number(json, "user_s", usage->user_s);
    eop_json_set_number(json, "system_s", usage->system_s);
    eop_json_set_number(json, "wall_s", usage->wall_s);
    eop_json_set_integer(json, "peak_memory_bytes", (int64_t)usage->peak_memory_bytes);
    return json;
}

static char *describe(const eop_model_parts *parts, eop_json *files, uint64_t size_bytes) {
    const edgeops_workflow_info *info = edgeops_workflow_info_of(parts->workflow);
    eop_json *json = eop_json_object();
    eop_json *workflow = eop_json_object();
    eop_json *dataset = eop_json_object();
    eop_json_set_integer(json, "format", FORMAT);
    eop_json_set_string(json, "program", PROGRAM);
    eop_json_set_string(workflow, "name", info->manifest->name);
    eop_json_set_string(workflow, "version", info->manifest->version);
    eop_json_set_string(workflow, "digest", info->digest);
    eop_json_set(json, "workflow", workflow);
    eop_json_set_string(dataset, "name", parts->dataset);
    eop_json_set_string(dataset, "digest", parts->dataset_digest);
    eop_json_set(json, "dataset", dataset);
    set_copy(json, "params", parts->params);
    set_copy(json, "metrics", parts->metrics);
    eop_json_set(json, "usage", usage_of(parts->usage));
    if (parts->python != NULL) {
        set_copy(json, "python", parts->python);
    }
    eop_json_set_time(json, "created", eop_now());
    eop_json_set_integer(json, "size_bytes", (int64_t)size_bytes);
    eop_json_set(json, "files", files);
    char *text = eop_json_print_pretty(json);
    eop_json_free(json);
    return text;
}

edgeops_status eop_model_write(const char *folder, const eop_model_parts *parts, eop_seal_go_fn go,
                               void *user_data) {
    eop_json *files = NULL;
    uint64_t size_bytes = 0;
    edgeops_status status = eop_seal(&files, &size_bytes, folder, go, user_data);
    if (status != EDGEOPS_OK) {
        return status;
    }
    char *text = describe(parts, files, size_bytes);
    char *path = eop_path_join(folder, EOP_MODEL_JSON);
    status = text != NULL && path != NULL ? eop_file_write(path, text, strlen(text), 0600)
                                          : eop_fail_nomem("runtime");
    eop_free(path);
    eop_free(text);
    return status;
}

static bool is_in_files(const char *name) {
    return strncmp(name, EOP_MODEL_FILES "/", strlen(EOP_MODEL_FILES) + 1) == 0;
}

bool eop_model_is_old(const eop_json *record) {
    const eop_json *first = eop_json_first(eop_json_get(record, "files"));
    return first != NULL && !is_in_files(eop_json_string(first, "name", ""));
}

/* In the folder of the files, and no name leads out of it. */
static bool is_below(const char *name) {
    if (!is_in_files(name)) {
        return false;
    }
    for (const char *part = name; part != NULL; part = strchr(part, '/')) {
        part += *part == '/';
        size_t size = strcspn(part, "/");
        if (size == 0 || (size == 1 && part[0] == '.') ||
            (size == 2 && strncmp(part, "..", 2) == 0)) {
            return false;
        }
    }
    return true;
}

static edgeops_status check(const eop_json *json, const char *text, size_t size, const char *path) {
    if (eop_json_number(json, "format", FORMAT) > FORMAT) {
        return eop_fail(EDGEOPS_E_VERSION, "runtime",
                        "'%s' was written by a newer program (format %g)", path,
                        eop_json_number(json, "format", 0));
    }
    edgeops_status status = eop_schema_check_text(eop_model_schema, json, text, size, path);
    const eop_json *files = eop_json_get(json, "files");
    for (const eop_json *f = status == EDGEOPS_OK ? eop_json_first(files) : NULL;
         status == EDGEOPS_OK && f != NULL; f = eop_json_next(f)) {
        if (!is_below(eop_json_string(f, "name", ""))) {
            status = eop_fail(EDGEOPS_E_INVALID, "runtime", "'%s': a file cannot be named '%.200s'",
                              path, eop_json_string(f, "name", ""));
        }
    }
    return status;
}

edgeops_status eop_model_read(eop_json **out, const char *folder) {
    const eop_json_limits limits = {.max_bytes = JSON_BYTES};
    eop_json *json = NULL;
    char *text = NULL;
    size_t size = 0;

    *out = NULL;
    char *path = eop_path_join(folder, EOP_MODEL_JSON);
    edgeops_status status =
        path != NULL ? eop_file_read(&text, &size, path, JSON_BYTES) : eop_fail_nomem("runtime");
    if (status == EDGEOPS_E_NOTFOUND) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "runtime",
                          "'%s' does not hold a model: it has no " EOP_MODEL_JSON, folder);
    }
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(&json, text, size, path, &limits);
    }
    if (status == EDGEOPS_OK) {
        status = check(json, text, size, path);
    }
    if (status == EDGEOPS_E_INVALID) {
        status = eop_fail_with(EDGEOPS_E_CORRUPT, "runtime", edgeops_error_last()->message);
    }
    if (status == EDGEOPS_OK) {
        *out = json;
        json = NULL;
    }
    eop_json_free(json);
    eop_free(text);
    eop_free(path);
    return status;
}
