/* SPDX-License-Identifier: Apache-2.0 */
/* What an operation is: the table of them is made in ops/, looked up by dispatch.c, run by call.c. */
#ifndef EOP_NODE_CONTROL_OPERATION_H
#define EOP_NODE_CONTROL_OPERATION_H

#include "node/home/home.h"

enum {
    EOP_OP_INPUT = 1,     /**< takes bulk data */
    EOP_OP_OUTPUT = 2,    /**< gives bulk data */
    EOP_OP_STREAMS = 4,   /**< sends events */
    EOP_OP_DAEMON = 8,    /**< only where `node serve` runs */
    EOP_OP_DETACHED = 16, /**< goes on when the client that asked goes away */
    EOP_OP_OPTIONAL = 32  /**< may do without its output */
};
struct eop_op {
    const char *name;
    const char *summary;
    const char *args;   /**< JSON Schema, text */
    const char *result; /**< JSON Schema, text; NULL: an object */
    unsigned flags;
    /** One of the two. run answers at once; *result is taken also after a failure. start answers
     * later through eop_call_finish(), unless it fails. */
    edgeops_status (*run)(edgeops_call *call, eop_json **result);
    edgeops_status (*start)(edgeops_call *call);
};

#endif /* EOP_NODE_CONTROL_OPERATION_H */
