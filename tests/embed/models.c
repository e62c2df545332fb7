/* SPDX-License-Identifier: Apache-2.0 */
/* A host that predicts with a model of its node: opened by name, with the parameters it was trained with, on
 * tables and arrays of its own. What does not fit is refused by name, never predicted on in silence. */
#include <stdlib.h>
#include <string.h>

#include "host.h"

static int ready;
static int answers;
static double last;

static void on_state(edgeops_status status, const char *message, void *user_data) {
    (void)message;
    (void)user_data;
    ready = status == EDGEOPS_OK;
}

static void on_prediction(const edgeops_prediction *p, void *user_data) {
    (void)user_data;
    answers++;
    last = p->status == EDGEOPS_OK ? p->values[0].as.f64 : -1;
}

static edgeops_lane *open_lane(const char *name, edgeops_model **model) {
    edgeops_runtime *runtime = NULL;
    edgeops_lane *lane = NULL;
    edgeops_lane_options options = EDGEOPS_LANE_OPTIONS_INIT;
    options.on_prediction = on_prediction;
    options.on_state = on_state;
    NEED(edgeops_node_runtime(&runtime, node) == EDGEOPS_OK, "%s", why());
    NEED(edgeops_node_model(model, node, name) == EDGEOPS_OK, "%s", why());
    NEED(edgeops_lane_open(&lane, runtime, *model, &options) == EDGEOPS_OK, "%s", why());
    ready = 0;
    turn(20000, &ready);
    NEED(ready, "the worker is not ready");
    return lane;
}

static void add(const char *name, const char *inputs, const char *parameters, const char *python) {
    char *path = make_workflow(name, python);
    char *text =
        text_of("{\"format\":1,\"name\":\"%s\",\"version\":\"1.0.0\",\"python\":{\"module\":"
                "\"%s\"},\"inputs\":[%s],\"window\":{\"rows\":1}%s,"
                "\"outputs\":[{\"name\":\"y\",\"type\":\"float64\"}]}",
                name, name, inputs, parameters);
    FILE *file = fopen(text_of("%s/workflow.json", path), "we");
    NEED(file != NULL && fputs(text, file) >= 0 && fclose(file) == 0, "%s", path);
    NEED(call("workflow.add", text_of("{\"path\":\"%s\"}", path)) == EDGEOPS_OK, "%s", why());
}

static void parameters_come_from_the_model(void) {
    edgeops_model *model = NULL;
    const edgeops_prediction *p = NULL;
    const double value = 1;
    const edgeops_time time = 5;
    add("gain", "{\"name\":\"v\",\"type\":\"float64\"}",
        ",\"parameters\":[{\"name\":\"gain\",\"type\":\"number\",\"default\":1.0}]",
        "def train(dataset, params, run):\n"
        "    return 1.0\n"
        "def predict(model, window, params):\n"
        "    return {'y': float(window.values[-1, 0]) * params['gain']}\n");
    NEED(call("train",
              "{\"workflow\":\"gain\",\"dataset\":\"d\",\"name\":\"m\",\"params\":{\"gain\":"
              "10}}") == EDGEOPS_OK,
         "%s", why());
    edgeops_lane *lane = open_lane("m", &model);
    CHECK(strcmp(edgeops_model_info_of(model)->params_json, "{\"gain\":10}") == 0, "%s",
          edgeops_model_info_of(model)->params_json);
    edgeops_model_close(model);
    NEED(edgeops_lane_predict(&p, lane, &value, &time, 1) == EDGEOPS_OK, "%s", why());
    CHECK(p->values[0].as.f64 == 10, "gain 10 gives %g", p->values[0].as.f64);
    edgeops_lane_close(lane);
}

static const edgeops_time times[] = {1, 2, 3};
static const double a[] = {5, 6, 7};
static const double b[] = {3, 3, 3};

static edgeops_status submit(edgeops_lane *lane, const edgeops_column *columns, size_t count,
                             const edgeops_time *at, uint64_t first, uint64_t rows) {
    const edgeops_table table = {
        .asset = "x", .rows = 3, .times = at, .column_count = count, .columns = columns};
    int before = answers;
    edgeops_status status = edgeops_lane_submit(lane, 1, &table, first, rows);
    while (status == EDGEOPS_OK && answers == before) {
        turn(5, NULL);
    }
    return status;
}

static void columns_are_looked_at(void) {
    edgeops_model *model = NULL;
    add("two", "{\"name\":\"a\",\"type\":\"float64\"},{\"name\":\"b\",\"type\":\"float64\"}", "",
        "def train(dataset, params, run):\n"
        "    return 1.0\n"
        "def predict(model, window, params):\n"
        "    return {'y': float(window.values[-1, 0] - window.values[-1, 1])}\n");
    const edgeops_column both[] = {
        {.name = "a", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .data = a, .length = 1},
        {.name = "b", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = b}};
    const edgeops_table table = {
        .asset = "ab", .rows = 3, .times = times, .column_count = 2, .columns = both};
    NEED(edgeops_store_append_tables(NULL, store, &table, 1, NULL) == EDGEOPS_OK, "%s", why());
    NEED(call("dataset.create", "{\"name\":\"ab\",\"assets\":[\"ab\"]}") == EDGEOPS_OK, "%s",
         why());
    NEED(call("train", "{\"workflow\":\"two\",\"dataset\":\"ab\",\"name\":\"m2\"}") == EDGEOPS_OK,
         "%s", why());
    edgeops_lane *lane = open_lane("m2", &model);
    edgeops_model_close(model);
    CHECK(submit(lane, both, 2, times, 1, 1) == EDGEOPS_OK && last == 3, "%s %g", why(), last);
    const edgeops_column swapped[] = {both[1], both[0]};
    CHECK(submit(lane, swapped, 2, times, 0, 1) == EDGEOPS_E_INVALID && strstr(why(), "'a'"), "%s",
          why());
    edgeops_column changed[] = {both[0], both[1]};
    changed[1].length = 3;
    CHECK(submit(lane, changed, 2, times, 0, 1) == EDGEOPS_E_INVALID, "length 3");
    changed[1] = both[1];
    changed[1].type = EDGEOPS_TYPE_FLOAT32;
    CHECK(submit(lane, changed, 2, times, 0, 1) == EDGEOPS_E_INVALID, "float32");
    changed[1] = both[1];
    changed[1].f64 = NULL;
    CHECK(submit(lane, changed, 2, times, 0, 1) == EDGEOPS_E_INVALID, "no values");
    CHECK(submit(lane, both, 1, times, 0, 1) == EDGEOPS_E_INVALID, "one column");
    CHECK(submit(lane, both, 2, NULL, 0, 1) == EDGEOPS_E_INVALID, "no times");
    CHECK(submit(lane, both, 2, times, 3, 1) == EDGEOPS_E_INVALID, "behind the end");
    CHECK(submit(lane, both, 2, times, UINT64_MAX, 1) == EDGEOPS_E_INVALID, "far behind the end");
    CHECK(submit(lane, both, 2, times, 0, 2) == EDGEOPS_E_INVALID, "two rows");
    CHECK(submit(lane, both, 2, times, 2, 1) == EDGEOPS_OK && last == 4, "%s %g", why(), last);
    edgeops_lane_close(lane);
}

int main(void) {
    host_begin();
    need_worker();
    node_up(path_of("home"));
    echo_up();
    parameters_come_from_the_model();
    columns_are_looked_at();
    node_down();
    return host_end();
}
