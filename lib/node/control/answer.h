/* SPDX-License-Identifier: Apache-2.0 */
/* Whether what an operation gives keeps to what is said of it. For tests: they set
 * EDGEOPS_CHECK_ANSWERS=1, and a build with NDEBUG has none of it. */
#ifndef EOP_NODE_CONTROL_ANSWER_H
#define EOP_NODE_CONTROL_ANSWER_H

#include "node/control/operation.h"

#ifndef NDEBUG
/** text: of a result. E_INTERNAL says how it does not fit the schema of the operation. OK where
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
