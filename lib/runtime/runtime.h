/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. */
#ifndef EOP_RUNTIME_RUNTIME_H
#define EOP_RUNTIME_RUNTIME_H

#include "codec/json.h"
#include "edgeops/runtime.h"
#include "platform/platform.h"

struct edgeops_runtime {
    edgeops_ctx *ctx;
    char *worker; /* path of the program */
    uint64_t log_limit_bytes;
    size_t users; /* the caller's handle, trainings, lanes: the last one frees it */
};

edgeops_runtime *eop_runtime_hold(edgeops_runtime *runtime);
void eop_runtime_release(edgeops_runtime *runtime);

/** The path from the root of what exists, without links, since a worker has another working
 * directory; free with eop_free. E_NOTFOUND, E_IO. */
edgeops_status eop_absolute(char **out, const char *path);

/** Makes the folder `work` in a run's folder, for a worker's working directory; path as
 * eop_absolute() gives it. */
edgeops_status eop_work_dir(char **out, const char *run_dir);

/** What a worker is told to do: the JSON text of its first frame, free with eop_free; NULL when
 * there is no memory. dataset: taken, also on failure; may be NULL. */
char *eop_job_text(const char *mode, const edgeops_workflow *workflow, const char *artifact_dir,
                   const eop_json *params, eop_json *dataset);

#endif /* EOP_RUNTIME_RUNTIME_H */
