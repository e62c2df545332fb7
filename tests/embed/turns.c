/* SPDX-License-Identifier: Apache-2.0 */
/* A host with a loop of its own: "one turn that does not block". The longest turn while each kind of operation runs on
 * 500,000 rows. A turn that the machine held up is tried again. */
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host.h"

enum { ROWS = 250000, TRIES = 3 };
#define LONGEST 0.1

static int done;
static edgeops_status how;
static char reason[300];

static void on_done(edgeops_status status, const char *result, const char *message, void *unused) {
    (void)result;
    (void)unused;
    done = 1;
    how = status;
    (void)snprintf(reason, sizeof reason, "%s", message != NULL ? message : "");
}

static void fill(const char *asset) {
    static const char *const names[4] = {"v", "b", "c", "d"};
    edgeops_column columns[4];
    edgeops_time *times = calloc(ROWS, sizeof *times);
    double *values = calloc(4 * (size_t)ROWS, sizeof *values);
    NEED(times != NULL && values != NULL, "memory");
    memset(columns, 0, sizeof columns);
    for (int i = 0; i < ROWS; i++) {
        times[i] = i * EDGEOPS_MILLISECOND;
    }
    for (int i = 0; i < 4 * ROWS; i++) {
        values[i] = rand() % 100000 / 100.0;
    }
    for (int k = 0; k < 4; k++) {
        columns[k] = (edgeops_column){
            .name = names[k], .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .length = 1};
        columns[k].data = columns[k].f64 = values + (size_t)k * ROWS;
    }
    edgeops_table table = {
        .asset = asset, .rows = ROWS, .times = times, .column_count = 4, .columns = columns};
    NEED(edgeops_store_append_tables(NULL, store, &table, 1, NULL) == EDGEOPS_OK, "%s", why());
    free(times);
    free(values);
}

/* Runs an operation to its end, with poll() as the host's loop. Gives the longest turn, the call that starts included. */
static double longest_turn(const char *operation, const char *args) {
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    if (strcmp(operation, "predict") == 0 || strcmp(operation, "data.export") == 0) {
        options.output = open("/dev/null", O_WRONLY | O_CLOEXEC);
    }
    done = 0;
    double worst = now_s();
    edgeops_status status =
        edgeops_node_call_start(NULL, node, operation, args, &options, on_done, NULL);
    worst = now_s() - worst;
    CHECK(status == EDGEOPS_OK, "%s: %s", operation, why());
    for (double end = now_s() + 60; status == EDGEOPS_OK && !done && now_s() < end;) {
        struct pollfd fd = {edgeops_ctx_fd(ctx), POLLIN, 0};
        edgeops_duration left = edgeops_ctx_timeout(ctx);
        (void)poll(&fd, 1,
                   left > 100 * EDGEOPS_MILLISECOND ? 100 : (int)(left / EDGEOPS_MILLISECOND) + 1);
        double start = now_s();
        NEED(edgeops_ctx_dispatch(ctx) == EDGEOPS_OK, "%s", why());
        worst = now_s() - start > worst ? now_s() - start : worst;
    }
    CHECK(done && how == EDGEOPS_OK, "%s: %s", operation, done ? reason : "no answer");
    if (options.output >= 0) {
        (void)close(options.output);
    }
    return worst;
}

int main(void) {
    (void)host_begin();
    need_worker();
    char *workflow =
        make_workflow("echo", "def train(dataset, params, run):\n    return 1.0\n"
                              "def predict(model, window, params):\n    return {'y': 1.0}\n"
                              "def predict_batch(model, windows, params):\n"
                              "    return [{'y': 1.0} for w in windows.values]\n");
    node_up(path_of("home"));
    fill("p/a");
    fill("p/b");
    /* A '%d' is the number of the try: names are taken once. */
    const char *calls[][2] = {
        {"workflow.add", text_of("{\"path\":\"%s\"}", workflow)},
        {"node.status", "{}"},
        {"asset.ls", "{}"},
        {"data.head", "{\"asset\":\"p/a\"}"},
        {"data.stats", "{\"asset\":\"p/a\"}"},
        {"data.aggregate", "{\"asset\":\"p/a\",\"every\":\"100ms\",\"channels\":[\"v\"]}"},
        {"data.export", "{\"asset\":\"p/a\",\"end\":\"1970-01-01T00:01:00Z\"}"},
        {"dataset.create", "{\"name\":\"d%d\",\"assets\":[\"p/*\"]}"},
        {"dataset.create", "{\"name\":\"e%d\",\"assets\":[\"p/*\"],\"filter\":\"v > "
                           "500\",\"split\":\"fraction:0.2\"}"},
        {"dataset.show", "{\"name\":\"d0\"}"},
        {"train", "{\"workflow\":\"echo\",\"dataset\":\"d0\",\"name\":\"m%d\"}"},
        {"predict", "{\"model\":\"m0\",\"asset\":\"p/a\",\"end\":\"1970-01-01T00:00:05Z\"}"},
        {"data.compact", "{}"},
        {"retention.run", "{}"},
        {"doctor", "{\"deep\":true}"},
        {"asset.rename", "{\"name\":\"p/b\",\"to\":\"q/%d\"}"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        double best = 1e9;
        for (int k = 0; k < TRIES && best > LONGEST; k++) {
            const char *number = strstr(calls[i][1], "%d");
            char *args = number == NULL ? text_of("%s", calls[i][1])
                                        : text_of("%.*s%d%s", (int)(number - calls[i][1]),
                                                  calls[i][1], k, number + 2);
            double turn_s = longest_turn(calls[i][0], args);
            best = turn_s < best ? turn_s : best;
        }
        printf("%-16s longest turn %6.1f ms\n", calls[i][0], best * 1e3);
        CHECK(best <= LONGEST, "%s: in each of %d tries a turn took %.0f ms or more", calls[i][0],
              TRIES, best * 1e3);
    }
    node_down();
    return host_end();
}
