/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that close things from inside a callback, as one does in a hurry: the node from a prediction, an answer, an
 * event; the lane from its answer; the source from its state; the runtime from the end of a training. It is done, done
 * later or refused, never a crash or a hang, and the home is free when the context is gone. */
#include <string.h>
#include <unistd.h>

#include "host.h"

static int fired;
static edgeops_runtime *runtime;
static edgeops_lane *lane;
static edgeops_source *source;
static edgeops_workflow *workflow;

static void close_node(void) {
    if (fired++ == 0) {
        edgeops_node_close(node);
        node = NULL;
    }
}

static void on_prediction(const edgeops_node_prediction *prediction, void *unused) {
    (void)prediction;
    (void)unused;
    close_node();
}

static void on_answer(edgeops_status status, const char *result, const char *message,
                      void *unused) {
    (void)status;
    (void)result;
    (void)message;
    (void)unused;
    close_node();
}

static void on_event(const char *event, void *unused) {
    (void)event;
    (void)unused;
    close_node();
}

static void the_home_is_free(const char *home) {
    edgeops_store *again = NULL;
    edgeops_ctx_free(ctx);
    CHECK(fired > 0, "the callback did not fire");
    CHECK(edgeops_store_open(&again, home, NULL) == EDGEOPS_OK, "%s", why());
    edgeops_store_close(again);
}

static int from_prediction(void *home) {
    node_up(home);
    echo_up();
    deploy_up();
    edgeops_node_on_prediction(node, on_prediction, NULL);
    NEED(edgeops_node_start(node) == EDGEOPS_OK, "%s", why());
    turn(200, NULL);
    NEED(put("x", 100, 1) == EDGEOPS_OK && put("x", 101, 1) == EDGEOPS_OK, "%s", why());
    turn(5000, &fired);
    turn(300, NULL);
    the_home_is_free(home);
    return host_wrong() != 0;
}

static int shown;
static int stop_it;

static void on_prediction_stop(const edgeops_node_prediction *prediction, void *unused) {
    (void)unused;
    shown += prediction->status == EDGEOPS_OK;
    if (stop_it) {
        stop_it = 0;
        fired++;
        edgeops_node_stop(node);
    }
}

/* Stopped inside a prediction, started again, also at once: each sample is predicted once. */
static int stop_and_start(void *home) {
    node_up(home);
    echo_up();
    deploy_up();
    edgeops_node_on_prediction(node, on_prediction_stop, NULL);
    NEED(edgeops_node_start(node) == EDGEOPS_OK, "%s", why());
    turn(200, NULL);
    for (int round = 0; round < 3; round++) {
        stop_it = 1;
        fired = 0;
        for (int i = 0; i < 10; i++) {
            NEED(put("x", 100 + 10 * round + i, i) == EDGEOPS_OK, "%s", why());
        }
        turn(5000, &fired);
        CHECK(fired == 1, "stopped %d times", fired);
        turn(round * 100, NULL);
        NEED(edgeops_node_start(node) == EDGEOPS_OK, "%s", why());
        for (int i = 0; i < 100 && rows_of(store, "predictions/dep") < (uint64_t)(round + 1) * 10;
             i++) {
            turn(50, NULL);
        }
        CHECK(rows_of(store, "predictions/dep") == (uint64_t)(round + 1) * 10,
              "round %d: %llu predictions are stored", round,
              (unsigned long long)rows_of(store, "predictions/dep"));
        CHECK(shown == (round + 1) * 10, "round %d: %d predictions were shown", round, shown);
    }
    edgeops_node_close(node);
    the_home_is_free(home);
    return host_wrong() != 0;
}

static void on_answer_then_stop(edgeops_status status, const char *result, const char *message,
                                void *unused) {
    on_answer(status, result, message, unused);
    edgeops_ctx_stop(ctx);
}

/* The host frees the context at once, without another turn, while a training runs. */
static int and_free_at_once(void *home) {
    node_up(home);
    echo_up();
    NEED(edgeops_node_call_start(NULL, node, "train",
                                 "{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"m\"}", NULL,
                                 NULL, NULL) == EDGEOPS_OK,
         "%s", why());
    turn(100, NULL);
    NEED(edgeops_node_call_start(NULL, node, "asset.ls", NULL, NULL, on_answer_then_stop, NULL) ==
             EDGEOPS_OK,
         "%s", why());
    CHECK(edgeops_ctx_run(ctx, 10 * EDGEOPS_SECOND) == EDGEOPS_OK, "%s", why());
    the_home_is_free(home);
    return host_wrong() != 0;
}

/* The answer comes inside edgeops_node_call(), which then returns to a host that has closed the node. */
static int inside_a_call(void *home) {
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    node_up(home);
    echo_up();
    options.on_event = on_event;
    edgeops_status status = edgeops_node_call(
        NULL, node, "train", "{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"m\"}", &options);
    CHECK(status == EDGEOPS_OK || status == EDGEOPS_E_CANCELED, "%s", why());
    turn(100, NULL);
    the_home_is_free(home);
    return host_wrong() != 0;
}

static int from_answer(void *home) {
    node_up(home);
    NEED(put("x", 1, 1) == EDGEOPS_OK, "%s", why());
    for (int i = 0; i < 3; i++) {
        NEED(edgeops_node_call_start(NULL, node, "asset.ls", NULL, NULL, on_answer, NULL) ==
                 EDGEOPS_OK,
             "%s", why());
    }
    turn(5000, &fired);
    turn(200, NULL);
    the_home_is_free(home);
    return host_wrong() != 0;
}

static int from_event(void *home) {
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    node_up(home);
    echo_up();
    options.on_event = on_event;
    NEED(edgeops_node_call_start(NULL, node, "train",
                                 "{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"m\"}",
                                 &options, NULL, NULL) == EDGEOPS_OK,
         "%s", why());
    turn(10000, &fired);
    turn(500, NULL);
    the_home_is_free(home);
    return host_wrong() != 0;
}

static void on_lane(const edgeops_prediction *prediction, void *unused) {
    (void)prediction;
    (void)unused;
    fired++;
    edgeops_lane_close(lane);
    lane = NULL;
    edgeops_runtime_free(runtime);
    runtime = NULL;
}

static int lane_from_answer(void *home) {
    edgeops_model *model = NULL;
    edgeops_lane_options options = EDGEOPS_LANE_OPTIONS_INIT;
    double value = 1;
    edgeops_time time = 1;
    node_up(home);
    echo_up();
    deploy_up();
    NEED(edgeops_node_model(&model, node, "m") == EDGEOPS_OK, "%s", why());
    NEED(edgeops_runtime_new(&runtime, ctx, NULL) == EDGEOPS_OK, "%s", why());
    options.on_prediction = on_lane;
    NEED(edgeops_lane_open(&lane, runtime, model, &options) == EDGEOPS_OK, "%s", why());
    for (int i = 0; i < 3; i++) {
        NEED(edgeops_lane_submit_rows(lane, (uint64_t)i, &value, &time, 1) == EDGEOPS_OK, "%s",
             why());
    }
    turn(10000, &fired);
    turn(300, NULL);
    CHECK(fired == 1, "%d answers after the lane was closed", fired - 1);
    edgeops_model_close(model);
    edgeops_node_close(node);
    the_home_is_free(home);
    return host_wrong() != 0;
}

static void on_trained(edgeops_status status, const char *message, const edgeops_usage *usage,
                       void *unused) {
    (void)usage;
    (void)unused;
    CHECK(status == EDGEOPS_OK, "%s", message);
    edgeops_runtime_free(runtime);
    edgeops_workflow_close(workflow);
    edgeops_store_close(store);
    fired++;
}

static int all_from_training(void *home) {
    edgeops_training *training = NULL;
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    char *workflows = text_of("%s-workflows", (char *)home);
    node_up(home);
    echo_up();
    node_down();
    NEED(edgeops_ctx_new(&ctx, NULL) == EDGEOPS_OK &&
             edgeops_store_open(&store, home, NULL) == EDGEOPS_OK,
         "%s", why());
    NEED(edgeops_workflow_install(&workflow, workflows, path_of("workflow-echo")) == EDGEOPS_OK,
         "%s", why());
    NEED(edgeops_runtime_new(&runtime, ctx, NULL) == EDGEOPS_OK, "%s", why());
    options.workflow = workflow;
    options.store = store;
    options.dataset = "d";
    options.directory = text_of("%s-model", (char *)home);
    options.on_done = on_trained;
    NEED(edgeops_training_start(&training, runtime, &options) == EDGEOPS_OK, "%s", why());
    turn(20000, &fired);
    turn(200, NULL);
    the_home_is_free(home);
    return host_wrong() != 0;
}

static edgeops_status take(edgeops_append_result *result, const edgeops_sample *samples, size_t n,
                           const edgeops_append_options *options, void *unused) {
    (void)samples;
    (void)options;
    (void)unused;
    result->appended = n;
    return EDGEOPS_OK;
}

static void on_state(edgeops_source_state state, const char *detail, void *unused) {
    (void)state;
    (void)detail;
    (void)unused;
    if (fired++ == 0) {
        edgeops_source_close(source);
        source = NULL;
    }
}

static int source_from_state(void *home) {
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    char *recording = text_of("%s.csv", (char *)home);
    FILE *file = fopen(recording, "we");
    NEED(file != NULL && fputs("time,v\n2026-01-01T00:00:00Z,1\n", file) >= 0 && fclose(file) == 0,
         "%s", recording);
    NEED(edgeops_ctx_new(&ctx, NULL) == EDGEOPS_OK, "%s", why());
    options.name = "s";
    options.driver = "replay";
    options.config_json = text_of("{\"path\":\"%s\",\"asset\":\"a\"}", recording);
    options.append = take;
    options.on_state = on_state;
    NEED(edgeops_source_open(&source, ctx, &options) == EDGEOPS_OK &&
             edgeops_source_start(source) == EDGEOPS_OK,
         "%s", why());
    turn(5000, &fired);
    turn(200, NULL);
    CHECK(fired == 1, "%d states after the source was closed", fired - 1);
    edgeops_ctx_free(ctx);
    return host_wrong() != 0;
}

int main(void) {
    (void)host_begin();
    need_worker();
    CHECK(in_child(from_prediction, path_of("prediction"), 30) == 0, "the node, from a prediction");
    CHECK(in_child(stop_and_start, path_of("stop"), 60) == 0,
          "the node stopped, from a prediction");
    CHECK(in_child(from_answer, path_of("answer"), 30) == 0, "the node, from an answer");
    CHECK(in_child(from_event, path_of("event"), 30) == 0, "the node, from an event");
    CHECK(in_child(and_free_at_once, path_of("once"), 30) == 0,
          "the node, and the context right after");
    CHECK(in_child(inside_a_call, path_of("inside"), 30) == 0,
          "the node, inside a call that waits");
    CHECK(in_child(lane_from_answer, path_of("lane"), 30) == 0, "lane and runtime, from an answer");
    CHECK(in_child(all_from_training, path_of("training"), 40) == 0,
          "all, from the end of a training");
    CHECK(in_child(source_from_state, path_of("source"), 30) == 0, "a source, from its state");
    return host_end();
}
