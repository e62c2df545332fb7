/* SPDX-License-Identifier: Apache-2.0 */
/* The folder of a model:
 *     model.json   what the model was made of and the digests of its files (model.schema.json);
 *                  written last
 *     files/       what the training left: run.artifact_dir of the workflow, and what load() gets
 * It is made under the name ".tmp-NAME-XXXXXX" beside its place, synced and renamed, so that after
 * a crash there is a whole model or none. */
#ifndef EOP_RUNTIME_MODEL_FILE_H
#define EOP_RUNTIME_MODEL_FILE_H

#include <stdbool.h>

#include "codec/json.h"
#include "edgeops/runtime.h"
#include "runtime/seal.h"

#define EOP_MODEL_JSON  "model.json"
#define EOP_MODEL_FILES "files"

/** model.schema.json. */
extern const char eop_model_schema[];

/** What a model.json says. All are borrowed; NULL objects become empty ones. */
typedef struct eop_model_parts {
    const edgeops_workflow *workflow;
    const char *dataset; /**< name */
    const char *dataset_digest;
    const eop_json *params;
    const eop_json *metrics;
    const eop_json *python; /**< as a worker tells it; may be NULL */
    const edgeops_usage *usage;
} eop_model_parts;

/** Seals what is in folder/files and writes folder/model.json. E_DENIED, E_LIMIT, E_IO, E_NOMEM.
 *
 *  @param go  as of eop_seal()
 *  Threads: any. */
edgeops_status eop_model_write(const char *folder, const eop_model_parts *parts, eop_seal_go_fn go,
                               void *user_data);

/** Reads and checks folder/model.json; free with eop_json_free. E_NOTFOUND when there is none,
 * E_CORRUPT, E_VERSION when a newer program wrote it. Any thread. */
edgeops_status eop_model_read(eop_json **out, const char *folder);

/** Whether a node's record is of a model that was made before models described themselves: its
 * files are in the folder itself and there is no model.json. */
bool eop_model_is_old(const eop_json *record);

#endif /* EOP_RUNTIME_MODEL_FILE_H */
