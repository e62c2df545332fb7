/* SPDX-License-Identifier: Apache-2.0 */
/* The daemon's end of HOME/edgeops.sock: frames of JSON to calls and back. */

#include "node/control/socket_server.h"

#include <string.h>
#include <unistd.h>

#include "node/control/call.h"
#include "node/control/dispatch.h"
#include "node/control/frame.h"

#define SESSIONS_MAX 256
/* Clients over the limit that wait for their first answer, which is the refusal. */
#define REFUSED_MAX 16
#define IDLE_MAX    (10 * 60 * EDGEOPS_SECOND)

typedef struct session session;

/** One call of a client. Outlives its session when the operation is detached. */
typedef struct served {
    struct served *next;
    session *session; /**< NULL: the client went away */
    eop_server *server;
    edgeops_call *call;
    int64_t id;
    int input;
    int output;
    bool stops;
    bool detached;
} served;

struct session {
    session *next;
    eop_server *server;
    eop_link *link;
    bool refused;
    size_t calls;
    edgeops_duration active; /**< monotonic, of the last frame or answer */
};

struct eop_server {
    edgeops_node *node;
    eop_listener *listener;
    session *sessions;
    size_t session_count; /**< that are served */
    size_t refused_count;
    served *served;
};

static void unlink_session(session *s) {
    for (session **at = &s->server->sessions; *at != NULL; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            s->server->session_count -= !s->refused;
            s->server->refused_count -= s->refused;
            return;
        }
    }
}

/* The client is gone: its calls end, unless the operation is detached. */
static void end_session(session *s) {
    unlink_session(s);
    for (served *c = s->server->served; c != NULL; c = c->next) {
        if (c->session == s) {
            c->session = NULL;
            if (!c->detached) {
                edgeops_call_cancel(c->call);
            }
        }
    }
    eop_link_free(s->link);
    eop_free(s);
}

static edgeops_status send_json(session *s, eop_json *frame) {
    edgeops_status status = EDGEOPS_OK;
    char *text = eop_json_print(frame);
    size_t size = text != NULL ? strlen(text) : 0;
    eop_json_free(frame);
    if (text == NULL) {
        status = eop_fail_nomem("node");
    } else if (size > EOP_NODE_FRAME_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "node", "the answer is over 16 MiB; ask for less");
    } else {
        status = eop_link_send(s->link, text, size, NULL, 0);
    }
    eop_free(text);
    return status;
}

/* The text of an object goes out as it is, not parsed and printed again. */
static edgeops_status send_text(session *s, int64_t id, const char *key, const char *json) {
    edgeops_status status = EDGEOPS_OK;
    eop_buf frame = {0};
    eop_buf_printf(&frame, "{\"id\":%lld,\"%s\":", (long long)id, key);
    eop_buf_puts(&frame, json);
    eop_buf_puts(&frame, "}");
    if (frame.failed) {
        status = eop_fail_nomem("node");
    } else if (frame.size > EOP_NODE_FRAME_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "node", "the answer is over 16 MiB; ask for less");
    } else {
        status = eop_link_send(s->link, frame.data, frame.size, NULL, 0);
    }
    eop_buf_dispose(&frame);
    return status;
}

static edgeops_status send_error(session *s, int64_t id, edgeops_status status,
                                 const char *message) {
    eop_json *frame = eop_json_object();
    eop_json *error = eop_json_object();
    eop_json_set_integer(frame, "id", id);
    eop_json_set_string(error, "code", edgeops_status_name(status));
    eop_json_set_string(error, "message", message);
    eop_json_set(frame, "error", error);
    return send_json(s, frame);
}

static edgeops_status send_last_error(session *s, int64_t id, edgeops_status status) {
    char *message = eop_strdup(edgeops_error_last()->message);
    status = send_error(s, id, status, message != NULL ? message : "out of memory");
    eop_free(message);
    return status;
}

static void close_fd(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

static void served_free(served *c) {
    for (served **at = &c->server->served; *at != NULL; at = &(*at)->next) {
        if (*at == c) {
            *at = c->next;
            break;
        }
    }
    close_fd(c->input);
    close_fd(c->output);
    eop_free(c);
}

static void on_event(const char *event_json, void *user_data) {
    served *c = user_data;
    if (c->session != NULL) {
        (void)send_text(c->session, c->id, "event", event_json);
    }
}

static size_t queued(void *user_data) {
    const served *c = user_data;
    return c->session != NULL ? eop_link_queued(c->session->link) : 0;
}

static void on_done(edgeops_status status, const char *result_json, const char *message,
                    void *user_data) {
    served *c = user_data;
    edgeops_ctx *ctx = c->server->node->ctx;
    bool stop = c->stops && status == EDGEOPS_OK;
    if (c->session != NULL) {
        c->session->calls--;
        c->session->active = eop_monotonic();
        if (status == EDGEOPS_OK) {
            status = send_text(c->session, c->id, "result", result_json);
            if (status != EDGEOPS_OK) {
                status = send_last_error(c->session, c->id, status);
            }
        } else {
            status = send_error(c->session, c->id, status, message);
        }
        if (status != EDGEOPS_OK) {
            /* It does not read, and would wait for this answer forever. */
            end_session(c->session);
        }
    }
    served_free(c);
    if (stop) {
        edgeops_ctx_stop(ctx);
    }
}

static edgeops_status start(session *s, int64_t id, const eop_json *frame, int *fds) {
    edgeops_status status = EDGEOPS_OK;
    const eop_json *args = eop_json_get(frame, "args");
    const char *operation = eop_json_string(frame, "op", "");
    char *text = args != NULL ? eop_json_print(args) : eop_strdup("{}");
    served *c = eop_calloc(1, sizeof(*c));
    if (text == NULL || c == NULL) {
        status = eop_fail_nomem("node");
        goto out;
    }
    const eop_op *op = eop_op_find(s->server->node, operation);
    c->server = s->server;
    c->session = s;
    c->id = id;
    c->input = fds[0];
    c->output = fds[1];
    c->detached = op != NULL && (op->spec->flags & EOP_OP_DETACHED) != 0;
    c->stops = op != NULL && strcmp(op->spec->name, "node.stop") == 0;
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    options.input = c->input;
    options.output = c->output;
    options.on_event = on_event;
    options.user_data = c;
    status =
        edgeops_node_call_start(&c->call, s->server->node, operation, text, &options, on_done, c);
    if (status == EDGEOPS_OK) {
        fds[0] = fds[1] = -1;
        c->call->queued = queued;
        c->next = s->server->served;
        s->server->served = c;
        s->calls++;
        c = NULL;
    }
out:
    eop_free(text);
    eop_free(c);
    return status;
}

static void cancel(session *s, int64_t id) {
    for (served *c = s->server->served; c != NULL; c = c->next) {
        if (c->session == s && c->id == id) {
            edgeops_call_cancel(c->call);
        }
    }
}

static void close_all(const int *fds, size_t n) {
    for (size_t i = 0; i < n; i++) {
        close(fds[i]);
    }
}

/* Sorts the descriptors of a frame by what it says about them: input, then output. */
static edgeops_status sort_fds(int sorted[2], const eop_json *frame, const int *fds, size_t n) {
    size_t used = 0;
    sorted[0] = sorted[1] = -1;
    if (eop_json_bool(frame, "input", false) && used < n) {
        sorted[0] = fds[used++];
    }
    if (eop_json_bool(frame, "output", false) && used < n) {
        sorted[1] = fds[used++];
    }
    size_t wanted =
        (size_t)eop_json_bool(frame, "input", false) + eop_json_bool(frame, "output", false);
    close_all(fds + used, n - used);
    return used == n && wanted == n
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_PROTOCOL, "node", "descriptors do not match the frame");
}

static void on_frame(eop_link *link, const char *data, size_t size, const int *fds, size_t fd_count,
                     void *user_data) {
    (void)link;
    session *s = user_data;
    eop_json *frame = NULL;
    int sorted[2] = {-1, -1};
    edgeops_status status = eop_json_parse(&frame, data, size, "frame", NULL);
    int64_t id = eop_json_integer(frame, "id", 0);
    s->active = eop_monotonic();
    /* Even when the parse failed every descriptor must have an owner, or be closed. */
    if (status == EDGEOPS_OK) {
        status = sort_fds(sorted, frame, fds, fd_count);
    } else {
        close_all(fds, fd_count);
    }
    if (status == EDGEOPS_OK && id <= 0) {
        status = eop_fail(EDGEOPS_E_PROTOCOL, "node", "a frame without an id");
    }
    if (status == EDGEOPS_OK && s->refused) {
        status = eop_fail(EDGEOPS_E_BUSY, "node",
                          "%d clients are connected to this node; try again when one has ended",
                          SESSIONS_MAX);
    } else if (status == EDGEOPS_OK && eop_json_bool(frame, "cancel", false)) {
        cancel(s, id);
    } else if (status == EDGEOPS_OK) {
        status = start(s, id, frame, sorted);
    }
    close_fd(sorted[0]);
    close_fd(sorted[1]);
    if (status != EDGEOPS_OK) {
        /* If this cannot be sent the link is about to close, which tells the client. */
        (void)send_last_error(s, id, status);
    }
    eop_json_free(frame);
    if (s->refused) {
        end_session(s);
    }
}

static void on_close(eop_link *link, edgeops_status reason, void *user_data) {
    (void)link;
    (void)reason;
    end_session(user_data);
}

static edgeops_status check_peer(const session *s) {
    uid_t uid = 0;
    pid_t pid = 0;
    edgeops_status status = eop_link_peer(s->link, &uid, &pid);
    if (status == EDGEOPS_OK && uid != geteuid() && uid != 0) {
        eop_log_write(node_log(s->server->node), EDGEOPS_LOG_WARN, "node",
                      "refused process %ld of user %ld on the socket", (long)pid, (long)uid);
        return eop_fail(EDGEOPS_E_DENIED, "node", "the home belongs to another user");
    }
    return status;
}

/* Ends the client that has been without a call for longest, and at least for this time. Idle
 * clients keep their place while nobody else needs it, and connect again with their next call. */
static void make_room(eop_server *server, bool refused, edgeops_duration idle) {
    edgeops_duration now = eop_monotonic();
    session *oldest = NULL;
    for (session *s = server->sessions; s != NULL; s = s->next) {
        bool free = s->refused == refused && s->calls == 0 && now - s->active >= idle;
        oldest = free && (oldest == NULL || s->active < oldest->active) ? s : oldest;
    }
    if (oldest != NULL) {
        end_session(oldest);
    }
}

static void on_accept(int fd, void *user_data) {
    static const eop_link_handler handler = {.on_frame = on_frame, .on_close = on_close};
    eop_server *server = user_data;
    if (server->session_count >= SESSIONS_MAX) {
        make_room(server, false, IDLE_MAX);
    }
    /* It is refused with the answer to its first call: before that there is no id to answer to. */
    bool refused = server->session_count >= SESSIONS_MAX;
    if (refused && server->refused_count >= REFUSED_MAX) {
        make_room(server, true, 0);
    }
    session *s = eop_calloc(1, sizeof(*s));
    if (s == NULL) {
        close(fd);
        return;
    }
    s->server = server;
    s->refused = refused;
    s->active = eop_monotonic();
    if (eop_link_new(&s->link, server->node->ctx, fd, EOP_NODE_FRAME_MAX, &handler, s) !=
            EDGEOPS_OK ||
        check_peer(s) != EDGEOPS_OK) {
        eop_link_free(s->link);
        eop_free(s);
        return;
    }
    s->next = server->sessions;
    server->sessions = s;
    server->session_count += !refused;
    server->refused_count += refused;
}

edgeops_status eop_server_new(eop_server **out, edgeops_node *node) {
    eop_server *server = eop_calloc(1, sizeof(*server));
    char *path = eop_node_path(node, "edgeops.sock", NULL);
    edgeops_status status = EDGEOPS_OK;
    if (server == NULL || path == NULL) {
        status = eop_fail_nomem("node");
        goto out;
    }
    server->node = node;
    status = eop_listener_new(&server->listener, node->ctx, path, on_accept, server);
    if (status == EDGEOPS_OK) {
        *out = server;
        server = NULL;
    }
out:
    eop_free(path);
    eop_free(server);
    return status;
}

/* The calls have ended before. */
void eop_server_free(eop_server *server) {
    if (server == NULL) {
        return;
    }
    eop_listener_free(server->listener);
    while (server->sessions != NULL) {
        end_session(server->sessions);
    }
    eop_free(server);
}
