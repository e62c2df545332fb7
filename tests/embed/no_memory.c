/* SPDX-License-Identifier: Apache-2.0 */
/* The host's allocator gives nothing once: each trial lets another allocation of a whole life fail, from the context over
 * the node, a training and a deployment to the close. Each call works or says EDGEOPS_E_NOMEM, soon; nothing acknowledged
 * is lost; the home opens again; what was allocated is given back. */
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

static atomic_long count;
static atomic_long blocks;
static atomic_long fail_at = -1;

static int fails(void) {
    return atomic_fetch_add(&count, 1) + 1 == atomic_load(&fail_at);
}

static void *host_alloc(void *unused, size_t size) {
    (void)unused;
    void *made = fails() ? NULL : malloc(size);
    atomic_fetch_add(&blocks, made != NULL);
    return made;
}

static void *host_realloc(void *unused, void *old, size_t size) {
    (void)unused;
    void *made = fails() ? NULL : realloc(old, size);
    atomic_fetch_add(&blocks, old == NULL && made != NULL);
    return made;
}

static void host_free(void *unused, void *old) {
    (void)unused;
    atomic_fetch_sub(&blocks, old != NULL);
    free(old);
}

static long now_failing;
static int acknowledged;

static int fine(edgeops_status status, const char *what) {
    CHECK(status >= 0 || status == EDGEOPS_E_NOMEM, "allocation %ld: %s: %s: %s", now_failing, what,
          edgeops_status_name(status), why());
    return status >= 0;
}

static void calls_of_a_life(const char *workflow) {
    const char *calls[][2] = {
        {"node.status", NULL},
        {"workflow.add", text_of("{\"path\":\"%s\"}", workflow)},
        {"dataset.create", "{\"name\":\"d\",\"assets\":[\"x\"]}"},
        {"train", "{\"workflow\":\"echo\",\"dataset\":\"d\",\"name\":\"m\"}"},
        {"deploy", "{\"model\":\"m\",\"asset\":\"x\",\"name\":\"dep\"}"},
        {"model.ls", NULL},
        {"data.head", "{\"asset\":\"x\"}"},
        {"data.stats", "{\"asset\":\"x\"}"},
        {"label.add", "{\"asset\":\"x\",\"label\":\"a\",\"start\":\"2026-01-01T00:00:00Z\"}"},
        {"deployment.ls", NULL},
    };
    int good = 1;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        double start = now_s();
        char *result = NULL;
        edgeops_status status = edgeops_node_call(&result, node, calls[i][0], calls[i][1], NULL);
        CHECK(now_s() - start < 10, "allocation %ld: %s took %.1f s", now_failing, calls[i][0],
              now_s() - start);
        /* What comes after a failed call may lack what that one would have made. */
        good = (!good || fine(status, calls[i][0])) && status >= 0 && good;
        CHECK(status != EDGEOPS_OK || (result != NULL && result[0] == '{'), "%s gave %s",
              calls[i][0], result);
        edgeops_free(result);
    }
}

static void predicts(void) {
    edgeops_model *model = NULL;
    edgeops_runtime *runtime = NULL;
    edgeops_lane *lane = NULL;
    const edgeops_prediction *answer = NULL;
    double value = 1;
    edgeops_time time = 1;
    edgeops_status status = edgeops_node_model(&model, node, "m");
    if (status == EDGEOPS_E_NOTFOUND) {
        return; /* the training failed */
    }
    if (fine(status, "node_model") && fine(edgeops_node_runtime(&runtime, node), "node_runtime") &&
        fine(edgeops_lane_open(&lane, runtime, model, NULL), "lane_open")) {
        (void)fine(edgeops_lane_predict(&answer, lane, &value, &time, 1), "lane_predict");
    }
    edgeops_lane_close(lane);
    edgeops_model_close(model);
}

static void life(const char *home, const char *workflow) {
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    options.mode = EDGEOPS_NODE_LOCAL;
    options.wait = -1;
    acknowledged = 0;
    if (!fine(edgeops_ctx_new(&ctx, NULL), "ctx_new")) {
        CHECK(ctx == NULL, "a context after a failure");
        return;
    }
    if (fine(edgeops_node_open(&node, ctx, home, &options), "node_open")) {
        store = edgeops_node_store(node);
        for (int i = 0; i < 5; i++) {
            acknowledged += fine(put("x", i, i), "append");
        }
        calls_of_a_life(workflow);
        predicts();
        if (fine(edgeops_node_start(node), "node_start")) {
            turn(20, NULL);
            acknowledged += fine(put("x", 100, 1), "append");
            turn(40, NULL);
        }
        edgeops_node_close(node);
    }
    edgeops_ctx_free(ctx);
}

int main(int argc, char **argv) {
    edgeops_allocator allocator = {host_alloc, host_realloc, host_free, NULL};
    (void)host_begin();
    need_worker();
    NEED(edgeops_set_allocator(&allocator) == EDGEOPS_OK, "%s", why());
    char *workflow =
        make_workflow("echo", "def train(dataset, params, run):\n    return 1.0\n"
                              "def predict(model, window, params):\n    return {'y': 1.0}\n");
    life(path_of("whole"), workflow);
    CHECK(acknowledged == 6, "%d appends", acknowledged);
    long total = atomic_load(&count);
    long kept = atomic_load(&blocks);
    life(path_of("again"), workflow);
    CHECK(atomic_load(&blocks) == kept, "%ld blocks more after a second life",
          atomic_load(&blocks) - kept);
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 8;
    double end = now_s() + seconds;
    long trials = 0;
    /* A stride that has no divisor in common with most totals visits all of it before it comes again. */
    for (long at = 1; now_s() < end && trials < total; at = at + 97, trials++) {
        char *home = path_of("%ld", trials);
        now_failing = 1 + at % total;
        atomic_store(&count, 0);
        atomic_store(&fail_at, now_failing);
        life(home, workflow);
        atomic_store(&fail_at, -1);
        edgeops_store *again = NULL;
        CHECK(edgeops_store_open(&again, home, NULL) == EDGEOPS_OK,
              "after allocation %ld failed: %s", now_failing, why());
        CHECK(rows_of(again, "x") >= (uint64_t)acknowledged, "allocation %ld: %llu of %d rows",
              now_failing, (unsigned long long)rows_of(again, "x"), acknowledged);
        edgeops_store_close(again);
        CHECK(atomic_load(&blocks) <= kept + 8, "allocation %ld: %ld blocks more than before",
              now_failing, atomic_load(&blocks) - kept);
        kept = atomic_load(&blocks);
    }
    printf("%ld of %ld allocations failed, one at a time\n", trials, total);
    return host_end();
}
