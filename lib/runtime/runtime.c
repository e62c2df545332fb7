/* SPDX-License-Identifier: Apache-2.0 */
/* The runtime itself: finds the worker program, counts its users and is freed by the last of
 * them. All calls are made on the thread of the context. */
#include "runtime/runtime.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"

#define DEFAULT_LOG_LIMIT ((uint64_t)16 << 20)

void edgeops_runtime_options_init(edgeops_runtime_options *options, size_t struct_size) {
    static const edgeops_runtime_options defaults = EDGEOPS_RUNTIME_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

void edgeops_lane_options_init(edgeops_lane_options *options, size_t struct_size) {
    static const edgeops_lane_options defaults = EDGEOPS_LANE_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

/* Beside the library, as it lies in a build folder or in a prefix that was moved; NULL when it is
 * not there. */
static char *worker_near_library(void) {
    static const char *const places[] = {"worker/edgeops-worker",
                                         "../libexec/edgeops/edgeops-worker",
                                         "../../libexec/edgeops/edgeops-worker"};
    char *dir = NULL;
    char *found = NULL;
    if (eop_library_dir(&dir) < 0) {
        return NULL;
    }
    for (size_t i = 0; i < EOP_COUNT(places) && found == NULL; i++) {
        char *path = eop_path_join(dir, places[i]);
        if (path != NULL && access(path, X_OK) == 0) {
            found = path;
            path = NULL;
        }
        eop_free(path);
    }
    eop_free(dir);
    return found;
}

static edgeops_status find_worker(char **out, const char *given) {
    const char *path = given != NULL ? given : getenv("EDGEOPS_WORKER");
    char *near = NULL;

    if (path == NULL || path[0] == '\0') {
        near = worker_near_library();
        path = near != NULL ? near : EOP_WORKER_PATH;
    }
    edgeops_status status = EDGEOPS_OK;
    char *full = realpath(path, NULL);
    if (full == NULL || access(full, X_OK) != 0) {
        status = eop_fail(errno == EACCES ? EDGEOPS_E_DENIED : EDGEOPS_E_NOTFOUND, "runtime",
                          "there is no worker program at '%s'; install edgeops-worker or set "
                          "EDGEOPS_WORKER",
                          path);
    } else {
        *out = eop_strdup(full);
        status = *out != NULL ? EDGEOPS_OK : eop_fail_nomem("runtime");
    }
    free(full);
    eop_free(near);
    return status;
}

edgeops_status eop_absolute(char **out, const char *path) {
    char *full = realpath(path, NULL);

    if (full == NULL) {
        return eop_fail_errno(errno, "runtime", "'%s'", path);
    }
    *out = eop_strdup(full);
    free(full);
    return *out != NULL ? EDGEOPS_OK : eop_fail_nomem("runtime");
}

edgeops_status eop_work_dir(char **out, const char *run_dir) {
    char *path = eop_path_join(run_dir, "work");

    if (path == NULL) {
        return eop_fail_nomem("runtime");
    }
    edgeops_status status = eop_mkdirs(path, 0700);
    if (status == EDGEOPS_OK) {
        status = eop_absolute(out, path);
    }
    eop_free(path);
    return status;
}

edgeops_status edgeops_runtime_new(edgeops_runtime **out, edgeops_ctx *ctx,
                                   const edgeops_runtime_options *given) {
    edgeops_runtime_options options = EDGEOPS_RUNTIME_OPTIONS_INIT;

    EOP_REQUIRE(out != NULL, "runtime");
    *out = NULL;
    EOP_REQUIRE(ctx != NULL, "runtime");
    EOP_REQUIRE_HERE(eop_ctx_birth(ctx), "runtime", "context");
    edgeops_status status =
        EOP_STRUCT_TAKE(&options, given, "runtime", EDGEOPS_RUNTIME_OPTIONS_INIT);
    if (status < 0) {
        return status;
    }
    edgeops_runtime *runtime = eop_calloc(1, sizeof *runtime);
    if (runtime == NULL) {
        return eop_fail_nomem("runtime");
    }
    status = find_worker(&runtime->worker, options.worker);
    if (status < 0) {
        eop_free(runtime);
        return status;
    }
    runtime->users = 1;
    runtime->ctx = ctx;
    runtime->log_limit_bytes =
        options.log_limit_bytes != 0 ? options.log_limit_bytes : DEFAULT_LOG_LIMIT;
    eop_ctx_ref(ctx);
    *out = runtime;
    return EDGEOPS_OK;
}

edgeops_runtime *eop_runtime_hold(edgeops_runtime *runtime) {
    runtime->users++;
    return runtime;
}

void eop_runtime_release(edgeops_runtime *runtime) {
    if (--runtime->users == 0) {
        eop_ctx_unref(runtime->ctx);
        eop_free(runtime->worker);
        eop_free(runtime);
    }
}

void edgeops_runtime_free(edgeops_runtime *runtime) {
    if (runtime != NULL && eop_born_here(eop_ctx_birth(runtime->ctx))) {
        eop_runtime_release(runtime);
    }
}
