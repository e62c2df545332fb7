/* SPDX-License-Identifier: Apache-2.0 */
/* A host that forks while workers run: a training, a lane, a deployment, and a second node over a daemon's socket. In the
 * child each call on them is refused, each close is harmless and exit() is, too; the parent loses nothing by it. The
 * handles without workers are in tests/unit/api_fork.c. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

static edgeops_runtime *runtime;
static edgeops_model *model;
static edgeops_lane *lane;
static edgeops_training *training;
static edgeops_workflow *workflow;
static edgeops_dataset *dataset;
static int done;
static edgeops_status how;
static char reason[512];
static int seen;

static void on_trained(edgeops_status status, const char *message, const edgeops_usage *usage,
                       void *unused) {
    (void)usage;
    (void)unused;
    how = status;
    (void)snprintf(reason, sizeof reason, "%s", message);
    done = 1;
}

static void on_prediction(const edgeops_node_prediction *prediction, void *unused) {
    (void)unused;
    seen += prediction->status == EDGEOPS_OK;
}

static void train(const char *name) {
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    done = 0;
    options.workflow = workflow;
    options.store = store;
    options.dataset = "d";
    options.directory = path_of("model-%s", name);
    options.on_done = on_trained;
    NEED(edgeops_training_start(&training, runtime, &options) == EDGEOPS_OK, "%s", why());
}

static void refused(edgeops_status status, const char *what) {
    CHECK(status == EDGEOPS_E_INVALID && strstr(why(), "fork") != NULL, "%s in the child: %s: %s",
          what, edgeops_status_name(status), why());
}

static int use(void *unused) {
    const edgeops_prediction *answer = NULL;
    edgeops_lane *other = NULL;
    edgeops_model *again = NULL;
    edgeops_runtime *made = NULL;
    edgeops_training *second = NULL;
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    double value = 1;
    edgeops_time time = 1;
    (void)unused;
    refused(edgeops_lane_predict(&answer, lane, &value, &time, 1), "lane_predict");
    refused(edgeops_lane_submit_rows(lane, 1, &value, &time, 1), "lane_submit_rows");
    refused(edgeops_lane_open(&other, runtime, model, NULL), "lane_open");
    refused(edgeops_node_model(&again, node, "m"), "node_model");
    refused(edgeops_node_runtime(&made, node), "node_runtime");
    options.workflow = workflow;
    options.store = store;
    options.dataset = "d";
    options.directory = path_of("model-of-a-child");
    options.on_done = on_trained;
    refused(edgeops_training_start(&second, runtime, &options), "training_start");
    refused(edgeops_node_call(NULL, node, "node.status", NULL, NULL), "node_call");
    refused(edgeops_ctx_run(ctx, 0), "ctx_run");
    refused(put("x", 900, 1), "store_append");
    /* What a call gave is memory like any other. */
    CHECK(strcmp(edgeops_model_info_of(model)->workflow, "echo") == 0, "the model's info");
    CHECK(dataset->rows == 10, "%llu rows", (unsigned long long)dataset->rows);
    return host_wrong() != 0;
}

static int close_all(void *unused) {
    (void)unused;
    edgeops_training_cancel(training);
    edgeops_lane_close(lane);
    edgeops_model_close(model);
    edgeops_workflow_close(workflow);
    edgeops_dataset_free(dataset);
    edgeops_runtime_free(runtime);
    edgeops_node_stop(node);
    edgeops_node_close(node);
    edgeops_ctx_free(ctx);
    return 0;
}

static int only_exit(void *unused) {
    (void)unused;
    exit(0);
}

/* A child may be a host of its own, with workers. */
static int own_life(void *unused) {
    (void)unused;
    node_up(path_of("home-of-a-child"));
    echo_up();
    deploy_up();
    node_down();
    return host_wrong() != 0;
}

/* Through a daemon: the parent's connection is not the child's. */
static edgeops_node *remote;
static int use_remote(void *unused) {
    (void)unused;
    refused(edgeops_node_call(NULL, remote, "node.status", NULL, NULL),
            "node_call of a remote node");
    edgeops_node_close(remote);
    return host_wrong() != 0;
}

static int daemon_life(void *ready) {
    node_up(path_of("daemon"));
    NEED(edgeops_node_serve(node) == EDGEOPS_OK, "%s", why());
    NEED(write(*(int *)ready, "r", 1) == 1, "write");
    (void)!edgeops_ctx_run(ctx, EDGEOPS_FOREVER);
    return 0;
}

static void over_a_socket(void) {
    edgeops_ctx *mine = NULL;
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    int ends[2];
    char byte = 0;
    NEED(pipe(ends) == 0, "pipe");
    pid_t child = fork();
    if (child == 0) {
        (void)alarm(60);
        _exit(daemon_life(&ends[1]));
    }
    NEED(read(ends[0], &byte, 1) == 1, "the daemon");
    options.mode = EDGEOPS_NODE_REMOTE;
    NEED(edgeops_ctx_new(&mine, NULL) == EDGEOPS_OK, "%s", why());
    NEED(edgeops_node_open(&remote, mine, path_of("daemon"), &options) == EDGEOPS_OK, "%s", why());
    CHECK(in_child(use_remote, NULL, 10) == 0, "a remote node in a child");
    CHECK(edgeops_node_call(NULL, remote, "node.status", NULL, NULL) == EDGEOPS_OK,
          "after the child: %s", why());
    edgeops_node_close(remote);
    edgeops_ctx_free(mine);
    (void)kill(child, SIGKILL);
    (void)close(ends[0]);
    (void)close(ends[1]);
}

int main(void) {
    static int (*const children[])(void *) = {use, close_all, only_exit, own_life};
    const edgeops_prediction *answer = NULL;
    double value = 5;
    edgeops_time time = 1;
    (void)host_begin();
    need_worker();
    over_a_socket();
    node_up(path_of("home"));
    echo_up();
    deploy_up();
    NEED(edgeops_node_model(&model, node, "m") == EDGEOPS_OK &&
             edgeops_node_runtime(&runtime, node) == EDGEOPS_OK,
         "%s", why());
    NEED(edgeops_workflow_open(&workflow, edgeops_node_workflows(node), "echo") == EDGEOPS_OK, "%s",
         why());
    NEED(edgeops_dataset_read(&dataset, store, "d") == EDGEOPS_OK, "%s", why());
    NEED(edgeops_lane_open(&lane, runtime, model, NULL) == EDGEOPS_OK, "%s", why());
    edgeops_node_on_prediction(node, on_prediction, NULL);
    NEED(edgeops_node_start(node) == EDGEOPS_OK, "%s", why());
    turn(300, NULL);
    for (int i = 0; i < 4; i++) {
        train(text_of("%d", i));
        turn(30, &done);
        CHECK(in_child(children[i], NULL, 20) == 0, "child %d", i);
        turn(20000, &done);
        CHECK(done && how == EDGEOPS_OK, "the training beside child %d: %s: %s", i,
              edgeops_status_name(how), reason);
        CHECK(edgeops_lane_predict(&answer, lane, &value, &time, 1) == EDGEOPS_OK,
              "the lane after child %d: %s", i, why());
        CHECK(put("x", 100 + i, i) == EDGEOPS_OK, "%s", why());
        for (int k = 0; k < 100 && seen <= i; k++) {
            turn(30, NULL);
        }
        CHECK(seen == i + 1, "%d predictions of %d after child %d", seen, i + 1, i);
    }
    edgeops_lane_close(lane);
    edgeops_model_close(model);
    edgeops_workflow_close(workflow);
    edgeops_dataset_free(dataset);
    node_down();
    return host_end();
}
