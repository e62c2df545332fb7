/* SPDX-License-Identifier: Apache-2.0 */
/* From the name of an operation to a call. Looks the operation up in the table that node.c hands
 * in, checks the arguments against its schema and fills in their defaults; in a remote node it
 * sends the call to the daemon instead. */

#include "node/control/dispatch.h"

#include <string.h>

#include "base/abi.h"
#include "codec/schema.h"
#include "node/control/socket_client.h"
#include "store/home.h"
#include "store/room.h"

void edgeops_call_options_init(edgeops_call_options *options, size_t struct_size) {
    static const edgeops_call_options defaults = EDGEOPS_CALL_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

const eop_op *eop_op_find(const edgeops_node *node, const char *name) {
    for (const eop_op *const *group = node->ops; *group != NULL; group++) {
        for (const eop_op *op = *group; op->spec != NULL; op++) {
            if (strcmp(op->spec->name, name) == 0) {
                return op;
            }
        }
    }
    return NULL;
}

static edgeops_status check_args(eop_json **out, const eop_op *op, const char *args_json) {
    eop_json *args = NULL;
    eop_json *schema = NULL;
    const char *text = args_json != NULL ? args_json : "{}";
    size_t size = strlen(text);
    edgeops_status status = eop_json_parse(&args, text, size, op->spec->name, NULL);
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(&schema, op->spec->args, strlen(op->spec->args), "schema", NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_schema_check(schema, args, text, size, op->spec->name);
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
    call->op = eop_op_find(call->node, operation);
    if (call->op == NULL) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "node",
                        "there is no operation '%.64s'; 'node.ops' lists them", operation);
    }
    if ((call->op->spec->flags & EOP_OP_DAEMON) != 0 && !eop_node_is_daemon(call->node)) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "%s needs a running daemon; none runs on '%s'",
                        call->op->spec->name, call->node->home);
    }
    if ((call->op->spec->flags & (EOP_OP_OUTPUT | EOP_OP_OPTIONAL)) == EOP_OP_OUTPUT &&
        call->output < 0) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "%s needs a descriptor for its output",
                        call->op->spec->name);
    }
    if ((call->op->spec->flags & EOP_OP_INPUT) == 0 && call->input >= 0) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "%s takes no input", call->op->spec->name);
    }
    edgeops_status status = EDGEOPS_OK;
    if (call->op->spec->effect != EOP_EFFECT_READ) {
        status = eop_store_check_writable(call->node->store);
    }
    if (call->op->spec->effect == EOP_EFFECT_REMOVE ||
        strcmp(call->op->spec->name, "retention.set") == 0) {
        eop_store_make_way(call->node->store);
    }
    return status == EDGEOPS_OK ? check_args(&call->args, call->op, args_json) : status;
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
    EOP_REQUIRE_HERE(eop_ctx_birth(node->ctx), "node", "node");
    status = EOP_STRUCT_TAKE(&given, options, "node", EDGEOPS_CALL_OPTIONS_INIT);
    if (status != EDGEOPS_OK) {
        return status;
    }
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
        eop_call_free(call);
        return status;
    }
    eop_call_link(call);
    if (out != NULL) {
        *out = call;
    }
    return EDGEOPS_OK;
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
    EOP_REQUIRE_HERE(eop_ctx_birth(node->ctx), "node", "node");
    /* An empty turn first: called from inside a callback it fails, before anything was started. */
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
