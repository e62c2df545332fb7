/* SPDX-License-Identifier: Apache-2.0 */
/* Which function runs each operation. The rest of its description is in the JSON files of this
 * folder, of which table.py makes ops_table.h; an operation that is not bound here does not build.
 * Each array ends with an empty entry. */
#ifndef EOP_NODE_OPS_GROUPS_H
#define EOP_NODE_OPS_GROUPS_H

#include "node/control/call.h"
#include "node/home/args.h"
#include "node/ops/ops_table.h"

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

#endif /* EOP_NODE_OPS_GROUPS_H */
