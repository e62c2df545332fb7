/* SPDX-License-Identifier: Apache-2.0 */
/* predict on an asset, live. */
#ifndef EOP_NODE_OPS_FOLLOW_H
#define EOP_NODE_OPS_FOLLOW_H

#include "node/control/call.h"

edgeops_status eop_follow_start(edgeops_call *call);

#endif /* EOP_NODE_OPS_FOLLOW_H */
