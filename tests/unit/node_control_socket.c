/* SPDX-License-Identifier: Apache-2.0 */
/* The socket face: a daemon in a thread with a loop of its own, clients in this one. */
#include "node_fixture.h"

#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "platform/platform.h"

static pthread_t daemon_thread;
static sem_t daemon_ready;
static edgeops_ctx *daemon_ctx;
static bool daemon_joined;

static void *daemon_main(void *user_data) {
    (void)user_data;
    cr_assert(eq(int, edgeops_ctx_new(&daemon_ctx, NULL), EDGEOPS_OK));
    edgeops_node *node = open_node(daemon_ctx, EDGEOPS_NODE_LOCAL);
    cr_assert(eq(int, edgeops_node_start(node), EDGEOPS_OK));
    cr_assert(eq(int, edgeops_node_serve(node), EDGEOPS_OK), "%s", edgeops_error_last()->message);
    sem_post(&daemon_ready);
    cr_expect(eq(int, edgeops_ctx_run(daemon_ctx, EDGEOPS_FOREVER), EDGEOPS_OK));
    edgeops_node_close(node);
    (void)!edgeops_ctx_run(daemon_ctx, 0);
    edgeops_ctx_free(daemon_ctx);
    return NULL;
}

static void enter(void) {
    strcpy(fixture_root, "/tmp/edgeops-node-XXXXXX");
    cr_assert(ne(ptr, mkdtemp(fixture_root), NULL));
    (void)snprintf(fixture_home, sizeof fixture_home, "%s/home", fixture_root);
    cr_assert(eq(int, edgeops_ctx_new(&fixture_ctx, NULL), EDGEOPS_OK));
    cr_assert(eq(int, sem_init(&daemon_ready, 0, 0), 0));
    cr_assert(eq(int, pthread_create(&daemon_thread, NULL, daemon_main, NULL), 0));
    while (sem_wait(&daemon_ready) != 0) {
    }
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_AUTO);
}

static void join_daemon(void) {
    cr_assert(eq(int, pthread_join(daemon_thread, NULL), 0));
    daemon_joined = true;
    sem_destroy(&daemon_ready);
}

static void leave(void) {
    if (!daemon_joined) {
        edgeops_ctx_stop(daemon_ctx);
        join_daemon();
    }
    fixture_leave();
}

TestSuite(node_control_socket, .init = enter, .fini = leave, .timeout = 60);

Test(node_control_socket, a_client_sees_the_daemon) {
    edgeops_node *second = NULL;
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    cr_expect(edgeops_node_is_remote(fixture_node));
    cr_expect(eq(ptr, edgeops_node_store(fixture_node), NULL));
    eop_json *r = must("node.status", NULL);
    cr_expect(eq(str, (char *)eop_json_string(r, "mode", ""), "daemon"));
    eop_json_free(r);
    must_fail(EDGEOPS_E_NOTFOUND, "asset.show", "{\"name\":\"x\"}", "there is no asset 'x'");
    must_fail(EDGEOPS_E_INVALID, "asset.show", "{\"nmae\":\"x\"}", "nmae");
    must_fail(EDGEOPS_E_INVALID, "asset.show", "{\"name\":", "asset.show");
    cr_expect(eq(int, edgeops_node_start(fixture_node), EDGEOPS_E_INVALID));
    cr_expect(eq(int, edgeops_node_serve(fixture_node), EDGEOPS_E_INVALID));
    options.mode = EDGEOPS_NODE_LOCAL; /* a daemon stays: no wait */
    edgeops_duration begun = eop_monotonic();
    cr_expect(
        eq(int, edgeops_node_open(&second, fixture_ctx, fixture_home, &options), EDGEOPS_E_BUSY));
    cr_expect(lt(i64, eop_monotonic() - begun, 5 * EDGEOPS_SECOND));
}

Test(node_control_socket, bulk_data_goes_through_descriptors) {
    char *csv = csv_rows(1000);
    char *out = NULL;
    eop_json *r = bulk(fixture_node, "data.import", "{\"asset\":\"m/1\"}", csv, NULL);
    cr_expect(eq(i64, eop_json_integer(r, "appended", 0), 1000));
    eop_json_free(r);
    r = bulk(fixture_node, "data.export", "{\"asset\":\"m/1\"}", NULL, &out);
    cr_expect(eq(str, out, csv));
    eop_json_free(r);
    eop_free(out);
    eop_free(csv);
}

Test(node_control_socket, training_and_prediction_work_from_afar) {
    char *out = NULL;
    make_model(1);
    eop_json *r =
        bulk(fixture_node, "predict", "{\"model\":\"m1\",\"dataset\":\"d1\"}", NULL, &out);
    cr_expect(eq(i64, eop_json_integer(r, "windows", 0), 40));
    eop_json_free(r);
    eop_free(out);
}

typedef struct outcome {
    bool done;
    edgeops_status status;
    edgeops_call *call;
    int events;
} outcome;

static void on_done(edgeops_status status, const char *result, const char *message,
                    void *user_data) {
    (void)result;
    (void)message;
    outcome *o = user_data;
    o->done = true;
    o->status = status;
}

static void on_event(const char *event_json, void *user_data) {
    (void)event_json;
    outcome *o = user_data;
    o->events++;
    edgeops_ctx_stop(fixture_ctx);
}

/* An import from a pipe that nobody writes to. */
static void start_waiting_import(outcome *o, edgeops_node *node, int ends[2]) {
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    cr_assert(eq(int, pipe(ends), 0));
    options.input = ends[0];
    cr_assert(eq(int,
                 edgeops_node_call_start(&o->call, node, "data.import", "{\"asset\":\"x\"}",
                                         &options, on_done, o),
                 EDGEOPS_OK));
}

Test(node_control_socket, a_call_can_be_canceled) {
    int ends[2];
    outcome o = {0};
    start_waiting_import(&o, fixture_node, ends);
    must_do("node.status", NULL); /* the daemon has begun with it */
    edgeops_call_cancel(o.call);
    while (!o.done) {
        (void)!edgeops_ctx_run(fixture_ctx, 10 * EDGEOPS_MILLISECOND);
    }
    cr_expect(eq(int, o.status, EDGEOPS_E_CANCELED));
    close(ends[0]);
    close(ends[1]);
}

/* In one piece: a daemon that does not like the size closes before a second one comes. */
static void send_raw(int fd, const char *text, uint32_t size) {
    struct iovec parts[2] = {{&size, sizeof size}, {(void *)(uintptr_t)text, strlen(text)}};
    cr_assert(eq(i64, writev(fd, parts, 2), (int64_t)(sizeof size + strlen(text))));
}

static void read_raw(int fd, char *text, size_t capacity) {
    uint32_t size = 0;
    cr_assert(eq(i64, recv(fd, &size, sizeof size, MSG_WAITALL), (int64_t)sizeof size));
    cr_assert(lt(sz, size, capacity));
    cr_assert(eq(i64, recv(fd, text, size, MSG_WAITALL), (int64_t)size));
    text[size] = '\0';
}

/* A frame and a descriptor in one message, as eop_link wants it. */
static void send_with_fd(int fd, const char *text, int passed) {
    uint32_t size = (uint32_t)strlen(text);
    struct iovec parts[2] = {{&size, sizeof size}, {(void *)(uintptr_t)text, size}};
    union {
        struct cmsghdr header;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr message = {.msg_iov = parts,
                             .msg_iovlen = 2,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(c), &passed, sizeof passed);
    cr_assert(eq(i64, sendmsg(fd, &message, 0), (int64_t)(sizeof size + size)));
}

Test(node_control_socket, bulk_ends_when_its_client_vanishes) {
    int ends[2];
    int fd = -1;
    char answer[4096];
    char *path = eop_path_join(fixture_home, "edgeops.sock");
    cr_assert(eq(int, pipe(ends), 0));
    cr_assert(eq(int, eop_connect(&fd, path), EDGEOPS_OK));
    send_with_fd(fd, "{\"id\":1,\"op\":\"data.import\",\"args\":{\"asset\":\"x\"},\"input\":true}",
                 ends[0]);
    send_raw(fd, "{\"id\":22,\"op\":\"node.status\"}", 28);
    read_raw(fd, answer, sizeof answer); /* of the second: the first one has begun */
    close(ends[0]);
    close(fd);
    /* The daemon lets go of its end of the pipe. */
    struct pollfd gone = {.fd = ends[1], .events = 0};
    cr_expect(eq(int, poll(&gone, 1, 20000), 1));
    cr_expect(ne(int, gone.revents &POLLERR, 0));
    close(ends[1]);
    eop_free(path);
}

Test(node_control_socket, a_training_outlives_its_client) {
    import_rows(40);
    must_do("dataset.create", "{\"name\":\"d1\",\"assets\":[\"m/1\"]}");
    add_workflow(FLOW_SOURCE, 1);
    int fd = -1;
    char *path = eop_path_join(fixture_home, "edgeops.sock");
    static const char frame[] = "{\"id\":7,\"op\":\"train\",\"args\":{\"workflow\":\"flow\","
                                "\"dataset\":\"d1\",\"name\":\"m1\"}}";
    char event[4096];
    cr_assert(eq(int, eop_connect(&fd, path), EDGEOPS_OK));
    send_raw(fd, frame, sizeof frame - 1);
    read_raw(fd, event, sizeof event); /* it has begun */
    close(fd);
    eop_free(path);
    for (const char *state = "running"; strcmp(state, "running") == 0;) {
        eop_json *r = must("run.show", "{\"id\":1}");
        state = strcmp(eop_json_string(r, "state", ""), "running") == 0 ? "running" : "ended";
        eop_json_free(r);
    }
    must_do("model.show", "{\"model\":\"m1\"}");
}

Test(node_control_socket, follow_streams_until_canceled) {
    outcome o = {0};
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    make_model(1);
    options.on_event = on_event;
    options.user_data = &o;
    cr_assert(eq(int,
                 edgeops_node_call_start(&o.call, fixture_node, "predict.follow",
                                         "{\"model\":\"m1\",\"asset\":\"m/1\",\"from\":\"start\"}",
                                         &options, on_done, &o),
                 EDGEOPS_OK));
    while (o.events < 40) { /* ready, and 40 rows of which one gives nothing */
        cr_assert(not(o.done));
        (void)!edgeops_ctx_run(fixture_ctx, EDGEOPS_SECOND);
    }
    edgeops_call_cancel(o.call);
    while (!o.done) {
        (void)!edgeops_ctx_run(fixture_ctx, 10 * EDGEOPS_MILLISECOND);
    }
    cr_expect(eq(int, o.status, EDGEOPS_E_CANCELED));
}

Test(node_control_socket, nonsense_gets_an_error_and_harms_nobody) {
    static const char *const frames[] = {"",
                                         "{",
                                         "[]",
                                         "{\"id\":0,\"op\":\"node.status\"}",
                                         "{\"id\":3,\"op\":\"node.status\",\"input\":true}",
                                         "{\"id\":4}",
                                         "{\"id\":5,\"op\":5,\"args\":[]}"};
    char answer[4096];
    int fd = -1;
    char *path = eop_path_join(fixture_home, "edgeops.sock");
    cr_assert(eq(int, eop_connect(&fd, path), EDGEOPS_OK));
    for (size_t i = 0; i < EOP_COUNT(frames); i++) {
        send_raw(fd, frames[i], (uint32_t)strlen(frames[i]));
        read_raw(fd, answer, sizeof answer);
        cr_expect(ne(ptr, strstr(answer, "\"error\""), NULL), "%s -> %s", frames[i], answer);
    }
    /* A frame that would not end. */
    send_raw(fd, "x", UINT32_MAX);
    cr_expect(le(i64, recv(fd, answer, 1, 0), 0));
    close(fd);
    eop_free(path);
    must_do("node.status", NULL);
}

/* The answer says so before the link ends: a client that waits for a reason gets one. */
Test(node_control_socket, one_client_too_many_is_told_so) {
    enum { CLIENTS = 255 }; /* and the fixture's */
    int fds[CLIENTS];
    int late = -1;
    char answer[4096];
    char *path = eop_path_join(fixture_home, "edgeops.sock");
    must_do("node.status", NULL);
    for (size_t i = 0; i < CLIENTS; i++) {
        cr_assert(eq(int, eop_connect(&fds[i], path), EDGEOPS_OK));
        send_raw(fds[i], "{\"id\":1,\"op\":\"node.ops\"}", 24);
    }
    for (size_t i = 0; i < CLIENTS; i++) {
        uint32_t size = 0;
        cr_assert(eq(i64, recv(fds[i], &size, sizeof size, MSG_WAITALL), (int64_t)sizeof size));
    }
    cr_assert(eq(int, eop_connect(&late, path), EDGEOPS_OK));
    send_raw(late, "{\"id\":1,\"op\":\"node.status\"}", 27);
    read_raw(late, answer, sizeof answer);
    cr_expect(ne(ptr, strstr(answer, "EDGEOPS_E_BUSY"), NULL), "%s", answer);
    cr_expect(ne(ptr, strstr(answer, "256 clients"), NULL), "%s", answer);
    cr_expect(le(i64, recv(late, answer, 1, 0), 0)); /* then it ends */
    close(late);
    /* A place that got free is taken again. */
    close(fds[0]);
    must_do("node.status", NULL);
    cr_assert(eq(int, eop_connect(&late, path), EDGEOPS_OK));
    send_raw(late, "{\"id\":1,\"op\":\"driver.ls\"}", 25);
    read_raw(late, answer, sizeof answer);
    cr_expect(ne(ptr, strstr(answer, "\"result\""), NULL), "%s", answer);
    close(late);
    for (size_t i = 1; i < CLIENTS; i++) {
        close(fds[i]);
    }
    eop_free(path);
}

Test(node_control_socket, stop_is_answered_and_ends_the_daemon) {
    int ends[2];
    outcome o = {0};
    start_waiting_import(&o, fixture_node, ends);
    must_do("node.stop", NULL);
    join_daemon();
    while (!o.done) {
        (void)!edgeops_ctx_run(fixture_ctx, 10 * EDGEOPS_MILLISECOND);
    }
    cr_expect(eq(int, o.status, EDGEOPS_E_CLOSED));
    must_fail(EDGEOPS_E_NOTFOUND, "node.status", NULL, "");
    close(ends[0]);
    close(ends[1]);
}
