/* SPDX-License-Identifier: Apache-2.0 */
/* A call: an operation that was asked for and is not answered yet. Only the loop touches its list
 * and its members. */
#ifndef EOP_NODE_CONTROL_CALL_H
#define EOP_NODE_CONTROL_CALL_H

#include "node/control/operation.h"

#define EOP_NODE_CALLS_MAX 256

struct edgeops_call {
    edgeops_call *next;
    edgeops_call *previous;
    edgeops_node *node;
    const eop_op *op; /**< NULL in a remote node */
    uint64_t id;
    enum { EOP_CALL_READY, EOP_CALL_RUNNING, EOP_CALL_DONE } state;
    bool canceled;
    bool cut_off;   /**< canceled by the end of the daemon, not by who asked */
    eop_json *args; /**< checked, with defaults */
    int input;
    int output;
    edgeops_event_fn on_event;
    void *event_data;
    edgeops_call_fn on_done;
    void *done_data;
    edgeops_status status;
    char *result;
    char *message;
    /** answer.h: the call fails with this text at its end; NULL: all answers match. */
    char *misfit;
    /** Set by an operation that takes time, or by the client. edgeops_call_cancel() calls it. */
    void (*cancel)(edgeops_call *call);
    void *data;  /**< the operation's */
    int64_t run; /**< that it works on, 0 for none */
    /** Bytes of events that the receiver has not taken yet; NULL: it takes them at once. */
    size_t (*queued)(void *user_data);
};

/** Ends a call: the answer is sent in a later turn. result: taken, NULL means {}. After a failure
 * the text is this thread's last error. A second end is ignored. */
void eop_call_finish(edgeops_call *call, edgeops_status status, eop_json *result);
void eop_call_fail(edgeops_call *call, edgeops_status status, const char *message);
/** Puts a new call into the list of its node, which runs or sends it in its next turn. */
void eop_call_link(edgeops_call *call);
/** For a call that was not linked. NULL is allowed. */
void eop_call_free(edgeops_call *call);
/** Sends an event. Taken. */
void eop_call_event(edgeops_call *call, eop_json *event);
/** True when the receiver of events lags: make no more events for now. */
bool eop_call_congested(const edgeops_call *call);
/** Runs what is ready, answers what is done. */
void eop_calls_turn(edgeops_node *node);
/** Cancels all calls; they end later. */
void eop_calls_cancel(edgeops_node *node);
/** Cancels all calls and turns the loop until each was answered and every job has ended. */
void eop_calls_end(edgeops_node *node);

#endif /* EOP_NODE_CONTROL_CALL_H */
