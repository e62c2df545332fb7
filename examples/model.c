/* SPDX-License-Identifier: Apache-2.0 */
/* A model of one's own, without a node: model FOLDER
 *
 * Rows and labels into a store, a frozen dataset, a workflow (the skeleton that edgeopsctl workflow
 * init writes), a training by names, the model as an object, predictions on arrays. A second run
 * finds the model there and only predicts. */
#include <edgeops.h>
#include <stdio.h>
#include <string.h>

typedef struct app {
    char home[600], source[600], workflows[600], directory[600];
    edgeops_ctx *ctx;
    edgeops_store *store;
    edgeops_runtime *runtime;
    edgeops_status trained;
} app;

/* Good parts lie around (0, 0), bad ones around (5, 5). */
static edgeops_status record(app *a) {
    static const char *const channels[] = {"x", "y"};
    edgeops_status status = EDGEOPS_OK;
    for (int i = 0; i < 100 && status == EDGEOPS_OK; i++) {
        double base = i < 50 ? 0 : 5;
        edgeops_value values[] = {{EDGEOPS_TYPE_FLOAT64, 0, {.f64 = base + i % 7 * 0.1}},
                                  {EDGEOPS_TYPE_FLOAT64, 0, {.f64 = base + i % 5 * 0.1}}};
        edgeops_sample sample = {.asset = "press",
                                 .time = i * EDGEOPS_SECOND,
                                 .count = 2,
                                 .channels = channels,
                                 .values = values};
        status = edgeops_store_append(NULL, a->store, &sample, 1, NULL);
    }
    edgeops_label labels[] = {
        {.asset = "press", .start = 0, .end = 49 * EDGEOPS_SECOND, .label = "good"},
        {.asset = "press",
         .start = 50 * EDGEOPS_SECOND,
         .end = 99 * EDGEOPS_SECOND,
         .label = "bad"}};
    if (status == EDGEOPS_OK) {
        status = edgeops_label_add_new(NULL, a->store, labels, 2);
    }
    const char *asset = "press";
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "parts";
    options.assets = &asset;
    options.asset_count = 1;
    if (status == EDGEOPS_OK) {
        status = edgeops_dataset_create(a->store, &options);
    }
    return status == EDGEOPS_E_EXISTS ? EDGEOPS_OK : status;
}

static void on_event(const edgeops_train_event *event, void *user_data) {
    (void)user_data;
    if (event->kind == EDGEOPS_TRAIN_METRIC) {
        printf("%s: %g\n", event->name, event->value);
    }
}

static void on_done(edgeops_status status, const char *message, const edgeops_usage *usage,
                    void *user_data) {
    app *a = user_data;
    a->trained = status;
    if (status < 0) {
        printf("no model: %s\n", message);
    } else {
        printf("trained in %.2f s\n", usage->wall_s);
    }
    edgeops_ctx_stop(a->ctx);
}

static edgeops_status train(app *a) {
    edgeops_workflow *workflow = NULL;
    edgeops_training *training = NULL;
    edgeops_status status = edgeops_workflow_init(a->source, "nearest");
    if (status == EDGEOPS_OK || status == EDGEOPS_E_EXISTS) {
        status = edgeops_workflow_install(&workflow, a->workflows, a->source);
    }
    if (status >= 0) {
        edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
        options.workflow = workflow;
        options.store = a->store;
        options.dataset = "parts";
        options.params_json = "{\"shrink\": 0.1}";
        options.directory = a->directory;
        options.on_event = on_event;
        options.on_done = on_done;
        options.user_data = a;
        status = edgeops_training_start(&training, a->runtime, &options);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_ctx_run(a->ctx, EDGEOPS_FOREVER);
        status = status == EDGEOPS_OK ? a->trained : status;
    }
    edgeops_workflow_close(workflow);
    return status == EDGEOPS_E_EXISTS ? EDGEOPS_OK : status; /* by an earlier run */
}

static edgeops_status predict(app *a) {
    static const double parts[3][2] = {{0.2, 0.1}, {5.1, 4.8}, {2.0, 2.1}};
    static const edgeops_time times[3] = {1, 2, 3};
    const edgeops_prediction *answers = NULL;
    edgeops_model *model = NULL;
    edgeops_lane *lane = NULL;
    size_t count = 0;
    edgeops_status status = edgeops_model_open(&model, a->directory, a->workflows);
    if (status == EDGEOPS_OK) {
        const edgeops_model_info *info = edgeops_model_info_of(model);
        printf("%s %s on %s: %s\n", info->workflow, info->workflow_version, info->dataset,
               info->metrics_json);
        status = edgeops_lane_open(&lane, a->runtime, model, NULL);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_lane_predict_many(&answers, &count, lane, parts[0], times, 3);
    }
    for (size_t i = 0; i < count; i++) {
        const edgeops_value *class = answers[i].values;
        printf("(%g, %g): %.*s\n", parts[i][0], parts[i][1],
               answers[i].status == EDGEOPS_OK ? (int)class->size : 0,
               answers[i].status == EDGEOPS_OK ? class->as.str : "");
    }
    edgeops_lane_close(lane);
    edgeops_model_close(model);
    return status;
}

int main(int argc, char **argv) {
    app a = {.trained = EDGEOPS_OK};
    if (argc != 2 || strlen(argv[1]) > 500) {
        fprintf(stderr, "usage: model FOLDER\n");
        return 2;
    }
    (void)snprintf(a.home, sizeof a.home, "%s/home", argv[1]);
    (void)snprintf(a.source, sizeof a.source, "%s/nearest", argv[1]);
    (void)snprintf(a.workflows, sizeof a.workflows, "%s/workflows", argv[1]);
    (void)snprintf(a.directory, sizeof a.directory, "%s/models/nearest", argv[1]);
    int ok = !edgeops_ctx_new(&a.ctx, NULL) && !edgeops_store_open(&a.store, a.home, NULL) &&
             !edgeops_runtime_new(&a.runtime, a.ctx, NULL) && !record(&a) && !train(&a) &&
             !predict(&a);
    if (!ok) {
        fprintf(stderr, "model: %s\n", edgeops_error_last()->message);
    }
    edgeops_runtime_free(a.runtime);
    edgeops_store_close(a.store);
    edgeops_ctx_free(a.ctx);
    return !ok;
}
