/* SPDX-License-Identifier: Apache-2.0 */
/* A host with a poll() loop of its own, in which EdgeOps is one descriptor and one timeout: while a slow
 * predict() runs it is woken seldom and takes no processor time, its own events are served meanwhile, and an
 * idle lane costs nothing. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "host.h"

static int pipe_ends[2];
static int own_events;
static int turns;
static int answers;
static int trained;
static edgeops_status outcome;

static double cpu_s(void) {
    struct rusage usage;
    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_utime.tv_sec + (double)usage.ru_utime.tv_usec / 1e6 +
           (double)usage.ru_stime.tv_sec + (double)usage.ru_stime.tv_usec / 1e6;
}

static void serve(void) {
    char byte;
    struct pollfd fds[2] = {{edgeops_ctx_fd(ctx), POLLIN, 0}, {pipe_ends[0], POLLIN, 0}};
    edgeops_duration due = edgeops_ctx_timeout(ctx);
    int ms =
        due > EDGEOPS_SECOND ? 1000 : (int)((due + EDGEOPS_MILLISECOND - 1) / EDGEOPS_MILLISECOND);
    (void)poll(fds, 2, ms);
    turns++;
    NEED(edgeops_ctx_dispatch(ctx) == EDGEOPS_OK, "%s", why());
    if (fds[1].revents != 0 && read(pipe_ends[0], &byte, 1) == 1) {
        own_events++;
    }
}

static void serve_until(const int *flag, int wanted, double seconds) {
    double end = now_s() + seconds;
    while (*flag < wanted && now_s() < end) {
        serve();
    }
}

static void on_prediction(const edgeops_prediction *p, void *user_data) {
    (void)user_data;
    answers += p->status == EDGEOPS_OK;
}

static void on_trained(edgeops_status status, const char *message, const edgeops_usage *usage,
                       void *user_data) {
    (void)message;
    (void)usage;
    (void)user_data;
    trained = 1;
    outcome = status;
}

/* A training of the host's own, from its loop, into a folder of its own. */
static edgeops_model *train(edgeops_runtime *runtime, edgeops_workflow *workflow) {
    edgeops_model *model = NULL;
    edgeops_training *training = NULL;
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    char *directory = path_of("models/slow");
    options.workflow = workflow;
    options.store = store;
    options.dataset = "d";
    options.directory = directory;
    options.on_done = on_trained;
    NEED(edgeops_training_start(&training, runtime, &options) == EDGEOPS_OK, "%s", why());
    serve_until(&trained, 1, 30);
    NEED(trained && outcome == EDGEOPS_OK, "%d", (int)outcome);
    NEED(edgeops_model_open(&model, directory, edgeops_node_workflows(node)) == EDGEOPS_OK, "%s",
         why());
    return model;
}

int main(void) {
    edgeops_workflow *workflow = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_lane *lane = NULL;
    edgeops_lane_options options = EDGEOPS_LANE_OPTIONS_INIT;
    const double value = 4;
    const edgeops_time time = 1;
    host_begin();
    need_worker();
    NEED(pipe(pipe_ends) == 0, "pipe");
    node_up(path_of("home"));
    echo_up();
    char *path = make_workflow("slow", "import time\n"
                                       "def train(dataset, params, run):\n"
                                       "    return 1.0\n"
                                       "def predict(model, window, params):\n"
                                       "    time.sleep(0.8)\n"
                                       "    return {'y': float(window.values[-1, 0])}\n");
    NEED(call("workflow.add", text_of("{\"path\":\"%s\"}", path)) == EDGEOPS_OK, "%s", why());
    NEED(edgeops_workflow_open(&workflow, edgeops_node_workflows(node), "slow") == EDGEOPS_OK, "%s",
         why());
    NEED(edgeops_node_runtime(&runtime, node) == EDGEOPS_OK, "%s", why());
    edgeops_model *model = train(runtime, workflow);
    edgeops_workflow_close(workflow);
    options.on_prediction = on_prediction;
    NEED(edgeops_lane_open(&lane, runtime, model, &options) == EDGEOPS_OK, "%s", why());
    edgeops_model_close(model);
    NEED(edgeops_lane_submit_rows(lane, 1, &value, &time, 1) == EDGEOPS_OK, "%s", why());
    serve_until(&answers, 1, 30); /* the model is loaded then */
    NEED(answers == 1, "no answer");

    NEED(edgeops_lane_submit_rows(lane, 2, &value, &time, 1) == EDGEOPS_OK, "%s", why());
    turns = 0;
    double cpu = cpu_s();
    (void)!write(pipe_ends[1], "x", 1);
    serve_until(&own_events, 1, 5);
    CHECK(answers == 1, "the host's event waited for the prediction");
    serve_until(&answers, 2, 10);
    CHECK(answers == 2, "no answer");
    CHECK(turns <= 50, "%d turns for one prediction of 0.8 s", turns);
    CHECK(cpu_s() - cpu < 0.2, "%g s of processor", cpu_s() - cpu);
    turns = 0;
    cpu = cpu_s();
    serve_until(&answers, 3, 2);
    CHECK(turns <= 20, "%d turns of an idle lane in 2 s", turns);
    CHECK(cpu_s() - cpu < 0.2, "%g s of processor", cpu_s() - cpu);
    edgeops_lane_close(lane);
    node_down();
    return host_end();
}
