/* SPDX-License-Identifier: Apache-2.0 */
/* A host that may not make another thread (RLIMIT_NPROC, a cgroup): each call that needs one says so, none ends the
 * process or hangs, and with room again the same call works. Root has no such limit, so a user is taken. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

enum { SOMEBODY = 54321 };

static char *home;
static char *echo_path;

static void *nothing(void *unused) {
    return unused;
}

static void allow(int any) {
    struct rlimit limit = {any ? 1000 : 0, 1000};
    (void)setrlimit(RLIMIT_NPROC, &limit);
}

static int become_somebody(void) {
    pthread_t thread;
    if (getuid() == 0 && (setgid(SOMEBODY) != 0 || setuid(SOMEBODY) != 0)) {
        return 0;
    }
    allow(0);
    int made = pthread_create(&thread, NULL, nothing, NULL) == 0;
    if (made) {
        (void)pthread_join(thread, NULL);
    }
    allow(1);
    return !made;
}

/* Each operation without threads, then with them. */
static void operations(void) {
    const char *const calls[][2] = {
        {"node.status", NULL},
        {"workflow.add", text_of("{\"path\":\"%s\"}", echo_path)},
        {"dataset.create", "{\"name\":\"d\",\"assets\":[\"x\"]}"},
        {"train", "{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"m\"}"},
        {"deploy", "{\"model\":\"m\",\"asset\":\"x\",\"name\":\"dep\"}"},
        {"data.stats", "{\"asset\":\"x\"}"},
        {"data.compact", NULL},
        {"doctor", "{\"deep\":true}"},
        {"node.backup", text_of("{\"path\":\"%s\"}", path_of("open/backup"))},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        allow(0);
        double start = now_s();
        edgeops_status status = call(calls[i][0], calls[i][1]);
        CHECK(now_s() - start < 10, "%s took %.1f s", calls[i][0], now_s() - start);
        printf("%-16s without threads: %s%s%s\n", calls[i][0], edgeops_status_name(status),
               status < 0 ? ": " : "", status < 0 ? why() : "");
        allow(1);
        if (status < 0) {
            status = call(calls[i][0], calls[i][1]);
            CHECK(status == EDGEOPS_OK, "%s with threads again: %s: %s", calls[i][0],
                  edgeops_status_name(status), why());
        }
    }
}

static int run_all(void *unused) {
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    (void)unused;
    if (!become_somebody()) {
        return 77;
    }
    options.mode = EDGEOPS_NODE_LOCAL;
    allow(0);
    NEED(edgeops_ctx_new(&ctx, NULL) == EDGEOPS_OK, "%s", why());
    edgeops_status status = edgeops_node_open(&node, ctx, home, &options);
    CHECK(status < 0 && node == NULL, "a node without a thread for its writer: %s",
          edgeops_status_name(status));
    printf("node_open without threads: %s: %s\n", edgeops_status_name(status), why());
    allow(1);
    NEED(edgeops_node_open(&node, ctx, home, &options) == EDGEOPS_OK, "%s", why());
    store = edgeops_node_store(node);
    for (int i = 0; i < 100; i++) {
        NEED(put("x", i, i) == EDGEOPS_OK, "%s", why());
    }
    operations();
    allow(0);
    (void)!edgeops_node_start(node);
    (void)!edgeops_node_serve(node);
    turn(200, NULL);
    allow(1);
    turn(200, NULL);
    CHECK(put("x", 500, 1) == EDGEOPS_OK && rows_of(store, "x") == 101, "%s", why());
    node_down();
    return host_wrong() != 0;
}

int main(void) {
    (void)host_begin();
    need_worker();
    home = path_of("open/home");
    NEED(chmod(path_of("."), 0755) == 0 && mkdir(path_of("open"), 0777) == 0 &&
             chmod(path_of("open"), 0777) == 0,
         "chmod");
    echo_path =
        make_workflow("echo", "def train(dataset, params, run):\n    return 1.0\n"
                              "def predict(model, window, params):\n    return {'y': 1.0}\n");
    NEED(chmod(echo_path, 0755) == 0, "chmod");
    int code = in_child(run_all, NULL, 60);
    if (code == 77) {
        host_skip("the number of threads cannot be limited here");
    }
    CHECK(code == 0, "ended with %d", code);
    return host_end();
}
