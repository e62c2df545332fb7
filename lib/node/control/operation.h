/* SPDX-License-Identifier: Apache-2.0 */
/* What an operation is. The table of them is made in ops/, looked up by dispatch.c and run by
 * call.c. */
#ifndef EOP_NODE_CONTROL_OPERATION_H
#define EOP_NODE_CONTROL_OPERATION_H

#include "node/home/home.h"

enum {
    EOP_OP_INPUT = 1,     /**< takes bulk data */
    EOP_OP_OUTPUT = 2,    /**< gives bulk data */
    EOP_OP_STREAMS = 4,   /**< sends events */
    EOP_OP_DAEMON = 8,    /**< only where `node serve` runs */
    EOP_OP_DETACHED = 16, /**< continues when the client that asked disconnects */
    EOP_OP_OPTIONAL = 32  /**< its output is optional */
};
/** Who may call it. Each role includes those before it. */
typedef enum eop_role {
    EOP_ROLE_VIEWER,
    EOP_ROLE_OPERATOR,
    EOP_ROLE_ENGINEER,
    EOP_ROLE_ADMIN
} eop_role;
/** What it does to the node. */
typedef enum eop_effect {
    EOP_EFFECT_READ,
    EOP_EFFECT_CHANGE,
    EOP_EFFECT_REMOVE /**< something is lost that cannot be restored */
} eop_effect;

/** The description of an operation, made of ops/NOUN.json. Texts are JSON. */
typedef struct eop_op_spec {
    const char *name;
    const char *summary;
    const char *args;   /**< JSON Schema */
    const char *result; /**< JSON Schema */
    const char *events; /**< array of JSON Schemas */
    eop_role role;
    eop_effect effect;
    unsigned flags;
} eop_op_spec;

struct eop_op {
    const eop_op_spec *spec;
    /** One of the two. run answers at once; *result is taken also after a failure. start answers
     * later through eop_call_finish(), unless it fails. */
    edgeops_status (*run)(edgeops_call *call, eop_json **result);
    edgeops_status (*start)(edgeops_call *call);
};

#endif /* EOP_NODE_CONTROL_OPERATION_H */
