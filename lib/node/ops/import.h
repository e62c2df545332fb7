/* SPDX-License-Identifier: Apache-2.0 */
/* data.import. */
#ifndef EOP_NODE_OPS_IMPORT_H
#define EOP_NODE_OPS_IMPORT_H

#include "node/control/call.h"

edgeops_status eop_import_start(edgeops_call *call);

#endif /* EOP_NODE_OPS_IMPORT_H */
