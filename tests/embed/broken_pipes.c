/* SPDX-License-Identifier: Apache-2.0 */
/* A host with SIGPIPE at its default, which ends the process: outputs that nobody reads any more, inputs that end early, a
 * daemon that dies, workers that die. Each is an answer of a call. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host.h"

static void *read_a_little(void *fd) {
    char data[100];
    (void)!read((int)(intptr_t)fd, data, sizeof data);
    (void)close((int)(intptr_t)fd);
    return NULL;
}

static void outputs(void) {
    static const char *const calls[][2] = {
        {"data.export", "{\"asset\":\"x\"}"},
        {"data.export", "{\"asset\":\"x\",\"format\":\"jsonl\"}"},
        {"data.export", "{\"asset\":\"x\",\"format\":\"npz\"}"},
        {"run.log", "{\"id\":1}"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        for (int early = 0; early < 2; early++) {
            edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
            pthread_t reader;
            int ends[2];
            NEED(pipe(ends) == 0, "pipe");
            if (early) {
                (void)close(ends[0]);
            } else {
                NEED(pthread_create(&reader, NULL, read_a_little, (void *)(intptr_t)ends[0]) == 0,
                     "pthread_create");
            }
            options.output = ends[1];
            edgeops_status status =
                edgeops_node_call(NULL, node, calls[i][0], calls[i][1], &options);
            /* A short log fits into the pipe before its reader goes. */
            CHECK(status == EDGEOPS_E_CLOSED ||
                      (status == EDGEOPS_OK && strcmp(calls[i][0], "run.log") == 0),
                  "%s %s: %s: %s", calls[i][0], calls[i][1], edgeops_status_name(status), why());
            (void)close(ends[1]);
            if (!early) {
                (void)pthread_join(reader, NULL);
            }
        }
    }
}

static void inputs(void) {
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    int ends[2];
    NEED(pipe(ends) == 0 && write(ends[1], "time,v\n2026-01-01T00:0", 22) == 22, "pipe");
    (void)close(ends[1]);
    options.input = ends[0];
    edgeops_status status = edgeops_node_call(NULL, node, "data.import",
                                              "{\"asset\":\"cut\",\"format\":\"csv\"}", &options);
    CHECK(rows_of(store, "cut") == 0, "a row that was cut off was taken: %s",
          edgeops_status_name(status));
    (void)close(ends[0]);
}

static int daemon_life(int ready) {
    node_up(path_of("daemon"));
    NEED(put("x", 1, 1) == EDGEOPS_OK && edgeops_node_serve(node) == EDGEOPS_OK, "%s", why());
    NEED(write(ready, "r", 1) == 1, "write");
    (void)!edgeops_ctx_run(ctx, EDGEOPS_FOREVER);
    return 0;
}

static void a_daemon_that_dies(void) {
    edgeops_ctx *mine = NULL;
    edgeops_node *remote = NULL;
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    int ends[2];
    char byte = 0;
    NEED(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(60);
        _exit(daemon_life(ends[1]));
    }
    NEED(read(ends[0], &byte, 1) == 1, "the daemon");
    options.mode = EDGEOPS_NODE_REMOTE;
    NEED(edgeops_ctx_new(&mine, NULL) == EDGEOPS_OK, "%s", why());
    NEED(edgeops_node_open(&remote, mine, path_of("daemon"), &options) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_node_call(NULL, remote, "asset.ls", NULL, NULL) == EDGEOPS_OK, "%s", why());
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    for (int i = 0; i < 5; i++) {
        edgeops_status status = edgeops_node_call(NULL, remote, "asset.ls", NULL, NULL);
        CHECK(status < 0, "a call to a dead daemon: %s", edgeops_status_name(status));
    }
    edgeops_node_close(remote);
    edgeops_ctx_free(mine);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

static void workers_that_die(void) {
    char *path = make_workflow(
        "dies", "import os, signal\ndef train(dataset, params, run):\n    return 1.0\n"
                "def predict(model, window, params):\n    os.kill(os.getpid(), signal.SIGKILL)\n");
    edgeops_model *model = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_lane *lane = NULL;
    const edgeops_prediction *answer = NULL;
    double value = 1;
    edgeops_time time = 1;
    NEED(call("workflow.add", text_of("{\"path\":\"%s\"}", path)) == EDGEOPS_OK, "%s", why());
    NEED(call("train", "{\"workflow\":\"dies\",\"dataset\":\"d\",\"name\":\"dies\"}") == EDGEOPS_OK,
         "%s", why());
    NEED(edgeops_node_model(&model, node, "dies") == EDGEOPS_OK &&
             edgeops_node_runtime(&runtime, node) == EDGEOPS_OK,
         "%s", why());
    NEED(edgeops_lane_open(&lane, runtime, model, NULL) == EDGEOPS_OK, "%s", why());
    for (int i = 0; i < 3; i++) {
        edgeops_status status = edgeops_lane_predict(&answer, lane, &value, &time, 1);
        CHECK(status == EDGEOPS_E_WORKER, "%s: %s", edgeops_status_name(status), why());
    }
    edgeops_lane_close(lane);
    edgeops_model_close(model);
}

static int run_all(void *unused) {
    (void)unused;
    (void)signal(SIGPIPE, SIG_DFL);
    a_daemon_that_dies();
    node_up(path_of("home"));
    echo_up();
    deploy_up();
    for (int i = 0; i < 100000; i++) {
        NEED(put("x", 100 + i, i / 7.0) == EDGEOPS_OK, "%s", why());
    }
    outputs();
    inputs();
    workers_that_die();
    CHECK(call("node.status", NULL) == EDGEOPS_OK, "%s", why());
    node_down();
    return host_wrong() != 0;
}

int main(void) {
    (void)host_begin();
    need_worker();
    int code = in_child(run_all, NULL, 60);
    CHECK(code == 0, "ended with %d, %d is SIGPIPE", code, 128 + SIGPIPE);
    return host_end();
}
