/* SPDX-License-Identifier: Apache-2.0 */
/* The operations by noun; each array ends with an entry without a name. */
#ifndef EOP_NODE_OPS_OPS_H
#define EOP_NODE_OPS_OPS_H

#include "node/control/call.h"
#include "node/home/args.h"

extern const eop_op eop_node_ops[];
extern const eop_op eop_backup_ops[];
extern const eop_op eop_source_ops[];
extern const eop_op eop_asset_ops[];
extern const eop_op eop_data_ops[];
extern const eop_op eop_label_ops[];
extern const eop_op eop_dataset_ops[];
extern const eop_op eop_workflow_ops[];
extern const eop_op eop_train_ops[];
extern const eop_op eop_predict_ops[];
extern const eop_op eop_model_ops[];
extern const eop_op eop_deployment_ops[];
extern const eop_op eop_run_ops[];
extern const eop_op eop_doctor_ops[];
extern const eop_op eop_retention_ops[];

/** All of them; NULL at the end. */
extern const eop_op *const eop_op_groups[];

/* Pieces of schemas. */
#define EOP_ARGS_NONE "{\"type\":\"object\",\"additionalProperties\":false}"
#define EOP_ARGS(required, properties)                                                             \
    "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[" required                  \
    "],\"properties\":{" properties "}}"
#define EOP_STRING(key, text)                                                                      \
    "\"" key "\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":4096,\"description\":\"" text  \
    "\"}"
#define EOP_TIME(key, text) EOP_STRING(key, text ": ISO 8601, or ns since 1970 as text")

#endif /* EOP_NODE_OPS_OPS_H */
