/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of operations: node.c hands it to the node. */
#include "node/ops/ops.h"

#include "node/ops/groups.h"

const eop_op *const eop_op_groups[] = {
    eop_node_ops,  eop_backup_ops,  eop_source_ops,    eop_asset_ops,
    eop_data_ops,  eop_label_ops,   eop_dataset_ops,   eop_workflow_ops,
    eop_train_ops, eop_predict_ops, eop_model_ops,     eop_deployment_ops,
    eop_run_ops,   eop_doctor_ops,  eop_retention_ops, NULL,
};
