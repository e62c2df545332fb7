/* SPDX-License-Identifier: Apache-2.0 */
/* From the name of an operation to its answer: the same for the host's own calls and for those that
 * come in through the socket. */
#include "node/controller.h"

#include <string.h>

#include "codec/schema.h"

#define END_WITHIN (30 * EDGEOPS_SECOND)

void edgeops_call_options_init(edgeops_call_options *options, size_t struct_size) {
    static const edgeops_call_options defaults = EDGEOPS_CALL_OPTIONS_INIT;
    memset(options, 0, struct_size);
    memcpy(options, &defaults, struct_size < sizeof(defaults) ? struct_size : sizeof(defaults));
    options->struct_size = struct_size;
}

static void call_free(edgeops_call *call) {
    if (call != NULL) {
        eop_json_free(call->args);
        eop_free(call->result);
        eop_free(call->message);
        eop_free(call);
    }
}

static void call_link(edgeops_call *call) {
    edgeops_node *node = call->node;
    call->previous = node->calls_last;
    if (node->calls_last != NULL) {
        node->calls_last->next = call;
    } else {
        node->calls = call;
    }
    node->calls_last = call;
    node->call_count++;
}

static void call_unlink(edgeops_call *call) {
    edgeops_node *node = call->node;
    *(call->previous != NULL ? &call->previous->next : &node->calls) = call->next;
    *(call->next != NULL ? &call->next->previous : &node->calls_last) = call->previous;
    node->call_count--;
}

static edgeops_status check_args(eop_json **out, const eop_op *op, const char *args_json) {
    eop_json *args = NULL;
    eop_json *schema = NULL;
    const char *text = args_json != NULL ? args_json : "{}";
    size_t size = strlen(text);
    edgeops_status status = eop_json_parse(&args, text, size, op->name, NULL);
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(&schema, op->args, strlen(op->args), "schema", NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_schema_check(schema, args, text, size, op->name);
    }
    if (status == EDGEOPS_OK) {
        eop_schema_defaults(schema, args);
        *out = args;
        args = NULL;
    }
    eop_json_free(schema);
    eop_json_free(args);
    return status;
}

static edgeops_status check_local(edgeops_call *call, const char *operation,
                                  const char *args_json) {
    call->op = eop_op_find(operation);
    if (call->op == NULL) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "node",
                        "there is no operation '%.64s'; 'node.ops' lists them", operation);
    }
    if ((call->op->flags & EOP_OP_DAEMON) != 0 && !eop_node_is_daemon(call->node)) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "%s needs a running daemon; none runs on '%s'",
                        call->op->name, call->node->home);
    }
    if ((call->op->flags & (EOP_OP_OUTPUT | EOP_OP_OPTIONAL)) == EOP_OP_OUTPUT &&
        call->output < 0) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "%s needs a descriptor for its output",
                        call->op->name);
    }
    if ((call->op->flags & EOP_OP_INPUT) == 0 && call->input >= 0) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "%s takes no input", call->op->name);
    }
    return check_args(&call->args, call->op, args_json);
}

edgeops_status edgeops_node_call_start(edgeops_call **out, edgeops_node *node,
                                       const char *operation, const char *args_json,
                                       const edgeops_call_options *options, edgeops_call_fn on_done,
                                       void *user_data) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_call *call = NULL;
    edgeops_call_options given = EDGEOPS_CALL_OPTIONS_INIT;
    if (out != NULL) {
        *out = NULL;
    }
    EOP_REQUIRE(node != NULL && operation != NULL, "node");
    EOP_OPTIONS_COPY(&given, options);
    if (node->closing) {
        return eop_fail(EDGEOPS_E_CLOSED, "node", "the node is being closed");
    }
    if (node->call_count >= EOP_NODE_CALLS_MAX) {
        return eop_fail(EDGEOPS_E_BUSY, "node",
                        "%d operations are under way; try again when one has ended",
                        EOP_NODE_CALLS_MAX);
    }
    call = eop_calloc(1, sizeof(*call));
    if (call == NULL) {
        return eop_fail_nomem("node");
    }
    call->node = node;
    call->input = given.input;
    call->output = given.output;
    call->on_event = given.on_event;
    call->event_data = given.user_data;
    call->on_done = on_done;
    call->done_data = user_data;
    if (node->client != NULL) {
        status = eop_client_send(node->client, call, operation, args_json);
        call->state = EOP_CALL_RUNNING;
    } else {
        status = check_local(call, operation, args_json);
        call->state = EOP_CALL_READY;
    }
    if (status != EDGEOPS_OK) {
        call_free(call);
        return status;
    }
    call_link(call);
    eop_wake_send(node->turn);
    if (out != NULL) {
        *out = call;
    }
    return EDGEOPS_OK;
}

void edgeops_call_cancel(edgeops_call *call) {
    if (call == NULL || call->canceled || call->state == EOP_CALL_DONE) {
        return;
    }
    call->canceled = true;
    if (call->op == NULL) {
        eop_client_cancel(call->node->client, call);
    } else if (call->state == EOP_CALL_READY) {
        eop_call_fail(call, EDGEOPS_E_CANCELED, "ended on request");
    } else if (call->cancel != NULL) {
        call->cancel(call);
    }
}

static void end(edgeops_call *call, edgeops_status status, char *result, char *message) {
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
        call_free(call);
    }
}

void eop_calls_end(edgeops_node *node) {
    for (edgeops_call *call = node->calls; call != NULL; call = call->next) {
        call->cut_off = node->server != NULL && !call->canceled;
        edgeops_call_cancel(call);
    }
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

typedef struct waiting {
    bool done;
    edgeops_status status;
    char *result;
} waiting;

static void on_waited(edgeops_status status, const char *result_json, const char *message,
                      void *user_data) {
    waiting *w = user_data;
    w->done = true;
    w->status = status;
    if (status < 0) {
        (void)eop_fail_with(status, "node", message);
        return;
    }
    w->result = eop_strdup(result_json);
    if (w->result == NULL) {
        w->status = eop_fail_nomem("node");
    }
}

edgeops_status edgeops_node_call(char **result, edgeops_node *node, const char *operation,
                                 const char *args_json, const edgeops_call_options *options) {
    waiting w = {0};
    edgeops_call *call = NULL;
    if (result != NULL) {
        *result = NULL;
    }
    EOP_REQUIRE(node != NULL && operation != NULL, "node");
    /* An empty turn first: from inside a callback it says so, before anything was started. */
    edgeops_status status = eop_ctx_turn(node->ctx, 0);
    if (status == EDGEOPS_OK) {
        status = edgeops_node_call_start(&call, node, operation, args_json, options, on_waited, &w);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    while (!w.done && status == EDGEOPS_OK) {
        status = eop_ctx_turn(node->ctx, EDGEOPS_FOREVER);
    }
    if (!w.done) {
        call->on_done = NULL;
        call->on_event = NULL;
        edgeops_call_cancel(call);
        return status;
    }
    if (result != NULL) {
        *result = w.result;
    } else {
        eop_free(w.result);
    }
    return w.status;
}
