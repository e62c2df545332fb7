/* SPDX-License-Identifier: Apache-2.0 */
/* data.stats and data.aggregate. */
#ifndef EOP_NODE_OPS_AGGREGATE_H
#define EOP_NODE_OPS_AGGREGATE_H

#include "node/control/call.h"

edgeops_status eop_stats_start(edgeops_call *call);
edgeops_status eop_aggregate_start(edgeops_call *call);

#endif /* EOP_NODE_OPS_AGGREGATE_H */
