/* SPDX-License-Identifier: Apache-2.0 */
/* Hosts that change their folder after they opened things by relative paths: home, workflow store, model, backup,
 * run folder. Everything stays where it was opened, and nothing is written where the host stands. */
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host.h"

static int done;
static edgeops_status how;
static char reason[512];

static void on_trained(edgeops_status status, const char *message, const edgeops_usage *usage,
                       void *unused) {
    (void)usage;
    (void)unused;
    how = status;
    (void)snprintf(reason, sizeof reason, "%s", message);
    done = 1;
}

static int entries(const char *path) {
    int n = -2;
    DIR *folder = opendir(path);
    while (folder != NULL && readdir(folder) != NULL) {
        n++;
    }
    (void)closedir(folder);
    return n;
}

/* The typed calls: a store of workflows, a training and a lane, all by relative paths. */
static void typed_calls(const char *root, const char *elsewhere) {
    edgeops_workflow *workflow = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_training *training = NULL;
    edgeops_model *model = NULL;
    edgeops_lane *lane = NULL;
    const edgeops_prediction *answer = NULL;
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    double value = 7;
    edgeops_time time = 1;
    NEED(chdir(root) == 0 && mkdir("run", 0700) == 0, "chdir");
    NEED(edgeops_workflow_install(NULL, "workflows", "workflow-echo") == EDGEOPS_OK, "%s", why());
    NEED(edgeops_workflow_open(&workflow, "workflows", "echo") == EDGEOPS_OK, "%s", why());
    NEED(edgeops_runtime_new(&runtime, ctx, NULL) == EDGEOPS_OK, "%s", why());
    options.workflow = workflow;
    options.store = store;
    options.dataset = "d";
    options.directory = "model";
    options.run_dir = "run";
    options.on_done = on_trained;
    NEED(edgeops_training_start(&training, runtime, &options) == EDGEOPS_OK, "%s", why());
    NEED(chdir(elsewhere) == 0, "chdir");
    turn(30000, &done);
    CHECK(done && how == EDGEOPS_OK, "trained: %s: %s", edgeops_status_name(how), reason);
    CHECK(access(path_of("model/model.json"), R_OK) == 0,
          "the model is not where it was asked for");
    CHECK(access(path_of("run/log"), R_OK) == 0, "the log is not where it was asked for");
    NEED(chdir(root) == 0, "chdir");
    NEED(edgeops_model_open(&model, "model", "workflows") == EDGEOPS_OK, "%s", why());
    NEED(edgeops_lane_open(&lane, runtime, model, NULL) == EDGEOPS_OK, "%s", why());
    NEED(chdir(elsewhere) == 0, "chdir");
    CHECK(edgeops_lane_predict(&answer, lane, &value, &time, 1) == EDGEOPS_OK &&
              answer->values[0].as.f64 == 7,
          "%s", why());
    edgeops_lane_close(lane);
    edgeops_model_close(model);
    edgeops_runtime_free(runtime);
    edgeops_workflow_close(workflow);
}

int main(void) {
    const char *root = host_begin();
    need_worker();
    char *elsewhere = path_of("elsewhere");
    NEED(mkdir(elsewhere, 0700) == 0 && chdir(root) == 0, "chdir");
    node_up("home");
    NEED(chdir(elsewhere) == 0, "chdir");
    echo_up();
    deploy_up();
    CHECK(edgeops_node_start(node) == EDGEOPS_OK && edgeops_node_serve(node) == EDGEOPS_OK, "%s",
          why());
    CHECK(call("node.backup", text_of("{\"path\":\"%s\"}", path_of("backup"))) == EDGEOPS_OK, "%s",
          why());
    CHECK(call("doctor", "{\"deep\":true}") == EDGEOPS_OK, "%s", why());
    for (int i = 0; i < 200000; i += 10) { /* beyond a segment of the journal */
        NEED(put("y", i, i) == EDGEOPS_OK, "%s", why());
    }
    CHECK(call("data.compact", NULL) == EDGEOPS_OK, "%s", why());
    typed_calls(root, elsewhere);
    CHECK(entries(elsewhere) == 0, "%d things lie where the host stands", entries(elsewhere));
    /* The folder that the host stands in goes away. */
    NEED(rmdir(elsewhere) == 0, "rmdir");
    CHECK(call("train", "{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"late\"}") ==
              EDGEOPS_OK,
          "%s", why());
    CHECK(put("x", 500, 1) == EDGEOPS_OK && call("asset.ls", NULL) == EDGEOPS_OK, "%s", why());
    node_down();
    NEED(chdir("/") == 0, "chdir");
    NEED(edgeops_store_open(&store, path_of("home"), NULL) == EDGEOPS_OK, "%s", why());
    CHECK(rows_of(store, "y") == 20000, "%llu rows", (unsigned long long)rows_of(store, "y"));
    edgeops_store_close(store);
    return host_end();
}
