/* SPDX-License-Identifier: Apache-2.0 */
/* A host with four threads: one store and one model between them, a context, a runtime and a lane each. They
 * append, read, predict and train at once. Plain main() with threads of its own: made for the thread sanitizer. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"

enum { THREADS = 4, ROUNDS = 60 };

static edgeops_store *shared;
static edgeops_model *model;
static const char *workflows;
static pthread_barrier_t opened;
static atomic_int failures;

/* host_check() is for one thread. */
#define MUST(condition)                                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            printf("line %d: not so: %s: %s\n", __LINE__, #condition, why());                      \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

typedef struct outcome {
    edgeops_ctx *ctx;
    int ended;
    edgeops_status status;
} outcome;

static void on_done(edgeops_status status, const char *message, const edgeops_usage *usage,
                    void *user_data) {
    outcome *o = user_data;
    (void)usage;
    if (status != EDGEOPS_OK) {
        printf("training: %s\n", message);
    }
    o->ended = 1;
    o->status = status;
    edgeops_ctx_stop(o->ctx);
}

static edgeops_status append_one(const char *asset, edgeops_time time, double value) {
    const char *channel = "v";
    edgeops_value one = {EDGEOPS_TYPE_FLOAT64, 0, {.f64 = value}};
    edgeops_sample sample = {
        .asset = asset, .time = time, .count = 1, .channels = &channel, .values = &one};
    return edgeops_store_append(NULL, shared, &sample, 1, NULL);
}

static void train(edgeops_ctx *own, edgeops_runtime *runtime, const char *directory) {
    edgeops_workflow *workflow = NULL;
    edgeops_training *training = NULL;
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    outcome o = {own, 0, EDGEOPS_OK};
    MUST(edgeops_workflow_open(&workflow, workflows, "echo") == EDGEOPS_OK);
    options.workflow = workflow;
    options.store = shared;
    options.dataset = "d";
    options.directory = directory;
    options.on_done = on_done;
    options.user_data = &o;
    MUST(edgeops_training_start(&training, runtime, &options) == EDGEOPS_OK);
    while (!o.ended) {
        (void)!edgeops_ctx_run(own, 60 * EDGEOPS_SECOND);
    }
    MUST(o.status == EDGEOPS_OK);
    edgeops_workflow_close(workflow);
}

static void work(edgeops_lane *lane, const char *asset, int number) {
    for (int i = 1; i <= ROUNDS; i++) {
        const edgeops_prediction *p = NULL;
        const double value = number * 1000.0 + i;
        const edgeops_time time = i;
        edgeops_table *table = NULL;
        edgeops_query query = EDGEOPS_QUERY_INIT;
        MUST(append_one(asset, time, value) == EDGEOPS_OK);
        query.asset = asset;
        query.last = 1;
        MUST(edgeops_store_read(&table, shared, &query) == EDGEOPS_OK);
        MUST(table->rows == 1 && table->columns[0].f64[0] == value);
        MUST(edgeops_lane_predict(&p, lane, table->columns[0].f64, table->times, 1) == EDGEOPS_OK);
        atomic_fetch_add(&failures, p->values[0].as.f64 != value);
        edgeops_table_free(table);
    }
}

static void *run(void *data) {
    int number = *(int *)data;
    edgeops_ctx *own = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_lane *lane = NULL;
    char asset[16];
    char directory[512];
    (void)snprintf(asset, sizeof asset, "t/%d", number);
    (void)snprintf(directory, sizeof directory, "%s-again-%d", workflows, number);
    MUST(edgeops_ctx_new(&own, NULL) == EDGEOPS_OK);
    MUST(edgeops_runtime_new(&runtime, own, NULL) == EDGEOPS_OK);
    MUST(edgeops_lane_open(&lane, runtime, model, NULL) == EDGEOPS_OK);
    (void)pthread_barrier_wait(&opened); /* the main thread closes the model now */
    if (number % 2 == 0) {
        train(own, runtime, directory);
    }
    work(lane, asset, number);
    edgeops_lane_close(lane);
    edgeops_runtime_free(runtime);
    edgeops_ctx_free(own);
    return NULL;
}

static void make_model(const char *directory) {
    edgeops_ctx *own = NULL;
    edgeops_runtime *runtime = NULL;
    const char *asset = "x";
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    char *source = make_workflow("echo", "def train(dataset, params, run):\n"
                                         "    return len(dataset.values)\n"
                                         "def predict(model, window, params):\n"
                                         "    return {'y': float(window.values[-1, 0])}\n");
    for (int i = 0; i < 100; i++) {
        MUST(append_one(asset, i, i) == EDGEOPS_OK);
    }
    options.name = "d";
    options.assets = &asset;
    options.asset_count = 1;
    MUST(edgeops_dataset_create(shared, &options) == EDGEOPS_OK);
    MUST(edgeops_workflow_install(NULL, workflows, source) == EDGEOPS_OK);
    MUST(edgeops_ctx_new(&own, NULL) == EDGEOPS_OK);
    MUST(edgeops_runtime_new(&runtime, own, NULL) == EDGEOPS_OK);
    train(own, runtime, directory);
    MUST(edgeops_model_open(&model, directory, workflows) == EDGEOPS_OK);
    edgeops_runtime_free(runtime);
    edgeops_ctx_free(own);
}

int main(void) {
    pthread_t threads[THREADS];
    int numbers[THREADS];
    host_begin();
    need_worker();
    workflows = path_of("workflows");
    NEED(edgeops_store_open(&shared, path_of("home"), NULL) == EDGEOPS_OK, "%s", why());
    make_model(path_of("model"));
    NEED(pthread_barrier_init(&opened, NULL, THREADS + 1) == 0, "barrier");
    for (int i = 0; i < THREADS; i++) {
        numbers[i] = i;
        NEED(pthread_create(&threads[i], NULL, run, &numbers[i]) == 0, "thread");
    }
    (void)pthread_barrier_wait(&opened);
    edgeops_model_close(model);
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
    }
    CHECK(atomic_load(&failures) == 0, "%d wrong answers", atomic_load(&failures));
    for (int i = 0; i < THREADS; i++) {
        CHECK(rows_of(shared, text_of("t/%d", i)) == ROUNDS, "rows of thread %d", i);
    }
    edgeops_store_close(shared);
    return host_end();
}
