/* SPDX-License-Identifier: Apache-2.0 */
/* Checks results and events against the schemas of their operation. For tests, which set
 * EDGEOPS_CHECK_ANSWERS=1; a build with NDEBUG has no check. */
#ifndef EOP_NODE_CONTROL_ANSWER_H
#define EOP_NODE_CONTROL_ANSWER_H

#include "node/control/operation.h"

#ifndef NDEBUG
/** text: of a result. E_INTERNAL says how it does not match the schema of the operation. OK where
 * nobody asked for the check. */
edgeops_status eop_answer_check_result(const eop_op *op, const char *text);
/** The same for an event, which must fit one of the operation's. */
edgeops_status eop_answer_check_event(const eop_op *op, const eop_json *event);
#else
static inline edgeops_status eop_answer_check_result(const eop_op *op, const char *text) {
    (void)op;
    (void)text;
    return EDGEOPS_OK;
}
static inline edgeops_status eop_answer_check_event(const eop_op *op, const eop_json *event) {
    (void)op;
    (void)event;
    return EDGEOPS_OK;
}
#endif

#endif /* EOP_NODE_CONTROL_ANSWER_H */
