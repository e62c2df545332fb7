/* SPDX-License-Identifier: Apache-2.0 */
/* The calls of a node, from the moment they are taken to their answer: the same for the host's own
 * calls, for those that come in through the socket, and for those that go to a daemon. */
#include "node/control/call.h"

#include "node/control/answer.h"

#define END_WITHIN (30 * EDGEOPS_SECOND)

void eop_call_free(edgeops_call *call) {
    if (call != NULL) {
        eop_json_free(call->args);
        eop_free(call->result);
        eop_free(call->message);
        eop_free(call->misfit);
        eop_free(call);
    }
}

void eop_call_link(edgeops_call *call) {
    edgeops_node *node = call->node;
    call->previous = node->calls_last;
    if (node->calls_last != NULL) {
        node->calls_last->next = call;
    } else {
        node->calls = call;
    }
    node->calls_last = call;
    node->call_count++;
    eop_wake_send(node->turn);
}

static void call_unlink(edgeops_call *call) {
    edgeops_node *node = call->node;
    *(call->previous != NULL ? &call->previous->next : &node->calls) = call->next;
    *(call->next != NULL ? &call->next->previous : &node->calls_last) = call->previous;
    node->call_count--;
}

void edgeops_call_cancel(edgeops_call *call) {
    if (call == NULL || !eop_born_here(eop_ctx_birth(call->node->ctx)) || call->canceled ||
        call->state == EOP_CALL_DONE) {
        return;
    }
    call->canceled = true;
    if (call->state == EOP_CALL_READY) {
        eop_call_fail(call, EDGEOPS_E_CANCELED, "ended on request");
    } else if (call->cancel != NULL) {
        call->cancel(call);
    }
}

/* Keeps why the first answer did not match its schema. */
static void note_misfit(edgeops_call *call, edgeops_status status) {
    if (status != EDGEOPS_OK && call->misfit == NULL) {
        call->misfit = eop_strdup(edgeops_error_last()->message);
    }
}

static void end(edgeops_call *call, edgeops_status status, char *result, char *message) {
    if (call->misfit != NULL) {
        eop_log_write(node_log(call->node), EDGEOPS_LOG_ERROR, "node", "%s", call->misfit);
        eop_free(message);
        message = call->misfit;
        call->misfit = NULL;
        status = EDGEOPS_E_INTERNAL;
    }
    if (call->cut_off && status == EDGEOPS_E_CANCELED) {
        char *text = eop_strdup("the daemon stopped");
        if (text != NULL) {
            eop_free(message);
            message = text;
        }
        status = EDGEOPS_E_CLOSED;
    }
    call->status = status;
    call->result = result;
    call->message = message;
    call->state = EOP_CALL_DONE;
    eop_wake_send(call->node->turn);
}

void eop_call_finish(edgeops_call *call, edgeops_status status, eop_json *result) {
    char *text = NULL;
    if (call->state == EOP_CALL_DONE) {
        eop_json_free(result);
        return;
    }
    if (status >= 0) {
        if (result == NULL) {
            result = eop_json_object();
        }
        text = eop_json_print(result);
        status = text != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
        if (text != NULL && call->op != NULL) {
            note_misfit(call, eop_answer_check_result(call->op, text));
        }
    }
    end(call, status, text, status < 0 ? eop_strdup(edgeops_error_last()->message) : NULL);
    eop_json_free(result);
}

void eop_call_fail(edgeops_call *call, edgeops_status status, const char *message) {
    if (call->state != EOP_CALL_DONE) {
        end(call, status, NULL, eop_strdup(message));
    }
}

void eop_call_event(edgeops_call *call, eop_json *event) {
    if (call->op != NULL && event != NULL) {
        note_misfit(call, eop_answer_check_event(call->op, event));
    }
    if (call->on_event != NULL && call->state == EOP_CALL_RUNNING) {
        char *text = eop_json_print(event);
        if (text != NULL) {
            call->on_event(text, call->event_data);
        }
        eop_free(text);
    }
    eop_json_free(event);
}

bool eop_call_congested(const edgeops_call *call) {
    return call->queued != NULL && call->queued(call->event_data) > ((size_t)1 << 20);
}

static void run(edgeops_call *call) {
    call->state = EOP_CALL_RUNNING;
    if (call->op->run != NULL) {
        eop_json *result = NULL;
        edgeops_status status = call->op->run(call, &result);
        eop_call_finish(call, status, result);
        return;
    }
    edgeops_status status = call->op->start(call);
    if (status != EDGEOPS_OK) {
        eop_call_finish(call, status, NULL);
    }
}

static edgeops_call *first_done(const edgeops_node *node) {
    edgeops_call *call = node->calls;
    while (call != NULL && call->state != EOP_CALL_DONE) {
        call = call->next;
    }
    return call;
}

void eop_calls_turn(edgeops_node *node) {
    edgeops_call *call = node->calls;
    while (call != NULL) {
        if (call->state == EOP_CALL_READY) {
            run(call);
        }
        call = call->next;
    }
    while ((call = first_done(node)) != NULL) {
        call_unlink(call);
        if (call->on_done != NULL) {
            const char *message = call->message != NULL ? call->message : "out of memory";
            call->on_done(call->status, call->status < 0 ? NULL : call->result,
                          call->status < 0 ? message : NULL, call->done_data);
        }
        eop_call_free(call);
    }
}

void eop_calls_cancel(edgeops_node *node) {
    for (edgeops_call *call = node->calls; call != NULL; call = call->next) {
        call->cut_off = node->server != NULL && !call->canceled;
        edgeops_call_cancel(call);
    }
}

void eop_calls_end(edgeops_node *node) {
    eop_calls_cancel(node);
    edgeops_duration until = eop_monotonic() + END_WITHIN;
    while (node->call_count > 0 || node->job_count > 0) {
        if (eop_ctx_turn(node->ctx, 100 * EDGEOPS_MILLISECOND) != EDGEOPS_OK ||
            eop_monotonic() > until) {
            eop_log_write(node_log(node), EDGEOPS_LOG_ERROR, "node",
                          "%zu operations did not end within 30 s", node->call_count);
            return;
        }
    }
}
