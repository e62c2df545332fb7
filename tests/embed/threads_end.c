/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts with thread pools: what one thread opened, started or trained, another one uses when the first has ended. A node,
 * a training, a lane and its deployments outlive the threads that made them; errors belong to their thread. */
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

static edgeops_lane *lane;
static int done;
static edgeops_status how;
static char reason[512];
static int seen;

static void run(void *(*fn)(void *), void *given) {
    pthread_t thread;
    NEED(pthread_create(&thread, NULL, fn, given) == 0, "pthread_create");
    (void)pthread_join(thread, NULL);
}

static void on_prediction(const edgeops_node_prediction *prediction, void *unused) {
    (void)unused;
    seen += prediction->status == EDGEOPS_OK;
}

static void on_done(edgeops_status status, const char *result, const char *message, void *unused) {
    (void)result;
    (void)unused;
    how = status;
    (void)snprintf(reason, sizeof reason, "%s", message != NULL ? message : "");
    done = 1;
}

static void *open_it(void *home) {
    node_up(home);
    echo_up();
    return NULL;
}

/* Turns the loop until the worker is under way, then ends. */
static void *start_training(void *unused) {
    char *slow = make_workflow(
        "slow",
        "import time\ndef train(dataset, params, run):\n    time.sleep(1.2)\n    return 1.0\n"
        "def predict(model, window, params):\n    return {'y': 1.0}\n");
    NEED(call("workflow.add", text_of("{\"path\":\"%s\"}", slow)) == EDGEOPS_OK, "%s", why());
    NEED(edgeops_node_call_start(NULL, node, "train",
                                 "{\"workflow\":\"slow\",\"dataset\":\"d\",\"name\":\"s\"}", NULL,
                                 on_done, NULL) == EDGEOPS_OK,
         "%s", why());
    turn(400, &done);
    return unused;
}

static void *open_lane(void *unused) {
    edgeops_runtime *runtime = NULL;
    edgeops_model *model = NULL;
    const edgeops_prediction *answer = NULL;
    double value = 3;
    edgeops_time time = 1;
    deploy_up();
    NEED(edgeops_node_model(&model, node, "m") == EDGEOPS_OK &&
             edgeops_node_runtime(&runtime, node) == EDGEOPS_OK,
         "%s", why());
    NEED(edgeops_lane_open(&lane, runtime, model, NULL) == EDGEOPS_OK, "%s", why());
    CHECK(edgeops_lane_predict(&answer, lane, &value, &time, 1) == EDGEOPS_OK, "%s", why());
    edgeops_model_close(model);
    edgeops_node_on_prediction(node, on_prediction, NULL);
    NEED(edgeops_node_start(node) == EDGEOPS_OK, "%s", why());
    turn(300, NULL);
    return unused;
}

static void *fail_here(void *expected) {
    edgeops_workflow *none = NULL;
    CHECK(strcmp(why(), "") == 0 || strstr(why(), "elsewhere") == NULL,
          "another thread's error: %s", why());
    CHECK(edgeops_workflow_open(&none, "/nowhere", expected) == EDGEOPS_E_NOTFOUND, "%s", why());
    CHECK(strstr(why(), "/nowhere") != NULL || strstr(why(), expected) != NULL, "%s", why());
    return NULL;
}

static void *append_some(void *from) {
    for (int i = 0; i < 50; i++) {
        CHECK(put("pool", *(int *)from * 50 + i, i) == EDGEOPS_OK, "%s", why());
    }
    return NULL;
}

int main(void) {
    edgeops_workflow *none = NULL;
    const edgeops_prediction *answer = NULL;
    double value = 4;
    edgeops_time time = 2;
    (void)host_begin();
    need_worker();
    run(open_it, path_of("home"));
    run(start_training, NULL);
    turn(15000, &done);
    CHECK(done && how == EDGEOPS_OK, "a training whose thread ended: %s: %s",
          done ? edgeops_status_name(how) : "no answer", reason);
    run(open_lane, NULL);
    sleep_ms(100);
    CHECK(edgeops_lane_predict(&answer, lane, &value, &time, 1) == EDGEOPS_OK &&
              answer->values[0].as.f64 == 4,
          "a lane whose thread ended: %s", why());
    for (int i = 0; i < 5; i++) {
        NEED(put("x", 100 + i, i) == EDGEOPS_OK, "%s", why());
    }
    turn(300, NULL);
    for (int i = 0; i < 50 && seen < 5; i++) {
        turn(100, NULL);
    }
    CHECK(seen == 5, "%d of 5 predictions of a deployment whose thread ended", seen);
    CHECK(edgeops_workflow_open(&none, "/elsewhere", "elsewhere") < 0, "%s", why());
    run(fail_here, text_of("nobody"));
    CHECK(strstr(why(), "elsewhere") != NULL, "the error of this thread became: %s", why());
    for (int i = 0; i < 200; i++) {
        run(append_some, &i);
    }
    CHECK(rows_of(store, "pool") == 10000, "%llu rows", (unsigned long long)rows_of(store, "pool"));
    edgeops_lane_close(lane);
    node_down();
    return host_end();
}
