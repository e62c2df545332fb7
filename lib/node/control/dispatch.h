/* SPDX-License-Identifier: Apache-2.0 */
/* Looks operations up in the node's table. edgeops_node_call_start() and edgeops_node_call() are
 * made here, too. */
#ifndef EOP_NODE_CONTROL_DISPATCH_H
#define EOP_NODE_CONTROL_DISPATCH_H

#include "node/control/operation.h"

/** NULL when there is none. */
const eop_op *eop_op_find(const edgeops_node *node, const char *name);

#endif /* EOP_NODE_CONTROL_DISPATCH_H */
