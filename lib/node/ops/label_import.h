/* SPDX-License-Identifier: Apache-2.0 */
/* label.import. */
#ifndef EOP_NODE_OPS_LABEL_IMPORT_H
#define EOP_NODE_OPS_LABEL_IMPORT_H

#include "node/control/call.h"

edgeops_status eop_label_import_start(edgeops_call *call);

#endif /* EOP_NODE_OPS_LABEL_IMPORT_H */
