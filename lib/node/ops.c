/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of operations. */
#include "node/ops.h"

#include <string.h>

static const eop_op *const groups[] = {
    eop_node_ops,  eop_backup_ops,     eop_source_ops,   eop_asset_ops,  eop_data_ops,
    eop_label_ops, eop_dataset_ops,    eop_workflow_ops, eop_train_ops,  eop_predict_ops,
    eop_model_ops, eop_deployment_ops, eop_run_ops,      eop_doctor_ops, eop_retention_ops,
};

const eop_op *eop_op_at(size_t index) {
    for (size_t g = 0; g < EOP_COUNT(groups); g++) {
        for (const eop_op *op = groups[g]; op->name != NULL; op++) {
            if (index-- == 0) {
                return op;
            }
        }
    }
    return NULL;
}

const eop_op *eop_op_find(const char *name) {
    const eop_op *op = NULL;
    for (size_t i = 0; (op = eop_op_at(i)) != NULL; i++) {
        if (strcmp(op->name, name) == 0) {
            return op;
        }
    }
    return NULL;
}
