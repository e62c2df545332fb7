/* SPDX-License-Identifier: Apache-2.0 */
/* A model that is open: its description, its folder and its workflow. */
#ifndef EOP_RUNTIME_MODEL_H
#define EOP_RUNTIME_MODEL_H

#include <stdatomic.h>

#include "codec/json.h"
#include "edgeops/runtime.h"

struct edgeops_model {
    atomic_uint users; /**< the caller's handle and each lane */
    edgeops_workflow *workflow;
    eop_json *json;  /**< as in model.json */
    char *directory; /**< absolute */
    char *artifacts; /**< what load() gets */
    char *text;
    char *params;
    char *metrics;
    edgeops_model_info info; /**< of the members above */
};

/** Opens a model of a node that has a record and, when it was trained before models described
 * themselves, no model.json: its files are in the folder itself then. Does not read the files.
 *
 *  @param record  has the members of a model.json but for format; borrowed
 *  @return as edgeops_model_open() */
edgeops_status eop_model_of_record(edgeops_model **out, const char *directory,
                                   const eop_json *record, const char *workflows);
/** For whoever keeps it beside its owner: edgeops_model_close() once more. Any thread. */
edgeops_model *eop_model_share(const edgeops_model *model);

#endif /* EOP_RUNTIME_MODEL_H */
