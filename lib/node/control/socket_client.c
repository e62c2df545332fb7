/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that go to the daemon of a home. All share one link, which is made again when the daemon
 * was restarted. */

#include "node/control/socket_client.h"

#include <string.h>
#include <unistd.h>

#include "node/control/frame.h"

struct eop_client {
    edgeops_node *node;
    char *path;
    eop_link *link; /**< NULL after the daemon went away */
    uint64_t last_id;
};

static void lost(eop_client *client, edgeops_status reason) {
    eop_link_free(client->link);
    client->link = NULL;
    for (edgeops_call *call = client->node->calls; call != NULL; call = call->next) {
        char *text = eop_format("the daemon on '%s' went away%s", client->node->home,
                                reason == EDGEOPS_E_PROTOCOL ? ": it broke the protocol" : "");
        eop_call_fail(call, EDGEOPS_E_CLOSED, text != NULL ? text : "the daemon went away");
        eop_free(text);
    }
}

static edgeops_call *find(const eop_client *client, int64_t id) {
    for (edgeops_call *call = client->node->calls; call != NULL; call = call->next) {
        if (id > 0 && call->id == (uint64_t)id) {
            return call;
        }
    }
    return NULL;
}

static void take_error(edgeops_call *call, const eop_json *error) {
    edgeops_status status = eop_status_from_name(eop_json_string(error, "code", ""));
    eop_call_fail(call, status < 0 ? status : EDGEOPS_E_INTERNAL,
                  eop_json_string(error, "message", "the daemon gave no reason"));
}

static void on_frame(eop_link *link, const char *data, size_t size, const int *fds, size_t fd_count,
                     void *user_data) {
    (void)link;
    for (size_t i = 0; i < fd_count; i++) {
        close(fds[i]); /* a daemon sends none */
    }
    eop_client *client = user_data;
    eop_json *frame = NULL;
    if (eop_json_parse(&frame, data, size, "answer", NULL) != EDGEOPS_OK) {
        lost(client, EDGEOPS_E_PROTOCOL);
        return;
    }
    edgeops_call *call = find(client, eop_json_integer(frame, "id", 0));
    const eop_json *event = eop_json_get(frame, "event");
    const eop_json *result = eop_json_get(frame, "result");
    if (call == NULL) {
        eop_json_free(frame);
        return;
    }
    if (event != NULL) {
        eop_call_event(call, eop_json_copy(event));
    } else if (result != NULL) {
        eop_call_finish(call, EDGEOPS_OK, eop_json_copy(result));
    } else {
        take_error(call, eop_json_get(frame, "error"));
    }
    eop_json_free(frame);
}

static void on_close(eop_link *link, edgeops_status reason, void *user_data) {
    (void)link;
    lost(user_data, reason);
}

static edgeops_status connect_link(eop_client *client) {
    static const eop_link_handler handler = {.on_frame = on_frame, .on_close = on_close};
    int fd = -1;
    edgeops_status status = eop_connect(&fd, client->path);
    if (status != EDGEOPS_OK) {
        return status;
    }
    return eop_link_new(&client->link, client->node->ctx, fd, EOP_NODE_FRAME_MAX, &handler, client);
}

edgeops_status eop_client_new(eop_client **out, edgeops_node *node) {
    edgeops_status status = EDGEOPS_OK;
    eop_client *client = eop_calloc(1, sizeof(*client));
    if (client == NULL) {
        return eop_fail_nomem("node");
    }
    client->node = node;
    client->path = eop_node_path(node, "edgeops.sock", NULL);
    status = client->path != NULL ? connect_link(client) : eop_fail_nomem("node");
    if (status != EDGEOPS_OK) {
        eop_client_free(client);
        return status;
    }
    *out = client;
    return EDGEOPS_OK;
}

void eop_client_free(eop_client *client) {
    if (client != NULL) {
        eop_link_free(client->link);
        eop_free(client->path);
        eop_free(client);
    }
}

static edgeops_status send_json(eop_client *client, eop_json *frame, const int *fds, size_t n) {
    edgeops_status status = EDGEOPS_OK;
    char *text = eop_json_print(frame);
    size_t size = text != NULL ? strlen(text) : 0;
    if (text == NULL) {
        status = eop_fail_nomem("node");
    } else if (size > EOP_NODE_FRAME_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "node", "the arguments are over 16 MiB");
    } else {
        status = eop_link_send(client->link, text, size, fds, n);
    }
    eop_free(text);
    eop_json_free(frame);
    return status;
}

static void cancel_there(edgeops_call *call) {
    eop_client *client = call->node->client;
    if (client->link == NULL) {
        return;
    }
    eop_json *frame = eop_json_object();
    eop_json_set_integer(frame, "id", (int64_t)call->id);
    eop_json_set_bool(frame, "cancel", true);
    if (send_json(client, frame, NULL, 0) != EDGEOPS_OK) {
        eop_call_fail(call, EDGEOPS_E_CANCELED, edgeops_error_last()->message);
    }
}

edgeops_status eop_client_send(eop_client *client, edgeops_call *call, const char *operation,
                               const char *args_json) {
    eop_json *args = NULL;
    const char *text = args_json != NULL ? args_json : "{}";
    edgeops_status status = eop_json_parse(&args, text, strlen(text), operation, NULL);
    if (status == EDGEOPS_OK && client->link == NULL) {
        status = connect_link(client);
    }
    if (status != EDGEOPS_OK) {
        eop_json_free(args);
        return status;
    }
    call->id = ++client->last_id;
    call->cancel = cancel_there;
    eop_json *frame = eop_json_object();
    eop_json_set_integer(frame, "id", (int64_t)call->id);
    eop_json_set_string(frame, "op", operation);
    eop_json_set(frame, "args", args);
    int fds[2];
    size_t n = 0;
    if (call->input >= 0) {
        eop_json_set_bool(frame, "input", true);
        fds[n++] = call->input;
    }
    if (call->output >= 0) {
        eop_json_set_bool(frame, "output", true);
        fds[n++] = call->output;
    }
    return send_json(client, frame, fds, n);
}
