/* SPDX-License-Identifier: Apache-2.0 */
/* All operations: node.c hands them to the node. */
#ifndef EOP_NODE_OPS_OPS_H
#define EOP_NODE_OPS_OPS_H

#include "node/control/operation.h"

/** Groups that end with an empty entry each; NULL at the end. */
extern const eop_op *const eop_op_groups[];

#endif /* EOP_NODE_OPS_OPS_H */
