/* SPDX-License-Identifier: Apache-2.0 */
/* Windows as a host gives them, tables and arrays, and calls that wait for answers. */
#include <math.h>

#include "runtime_fixture.h"

static edgeops_workflow *workflow;
static edgeops_lane *lane;
static uint64_t answered[64];
static edgeops_status statuses[64];
static size_t answer_count;
static bool close_on_answer;
static edgeops_status inside; /* of a call that waits, made in a callback */
static bool call_inside;

static void close_all(void) {
    edgeops_lane_close(lane);
    edgeops_workflow_close(workflow);
    fixture_leave();
}

TestSuite(runtime_lane_predict, .init = fixture_enter, .fini = close_all, .timeout = 60);

static const double one[] = {1, 2};
static const edgeops_time now[] = {100};

static void on_prediction(const edgeops_prediction *p, void *user_data) {
    (void)user_data;
    answered[answer_count] = p->id;
    statuses[answer_count++] = p->status;
    if (call_inside) {
        const edgeops_prediction *answer = NULL;
        inside = edgeops_lane_predict(&answer, lane, one, now, 1);
        cr_expect(eq(ptr, (void *)answer, NULL));
    }
    if (close_on_answer) {
        edgeops_lane_close(lane);
        lane = NULL;
    }
}

/* A lane of a workflow whose model is 5; with: has on_prediction. */
static void open_ports(const char *source, const char *ports, const char *more, const char *params,
                       uint32_t depth, bool with) {
    edgeops_lane_options options = EDGEOPS_LANE_OPTIONS_INIT;
    char *text = eop_format("def load(path): return 5\n%s", source);
    workflow = workflow_with(text, ports, more);
    edgeops_model *model = model_of(workflow, params);
    options.depth = depth;
    options.on_prediction = with ? on_prediction : NULL;
    edgeops_status status =
        edgeops_lane_open(&lane, fixture_runtime, model, depth > 0 || with ? &options : NULL);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    edgeops_model_close(model);
    eop_free(text);
}

static void open_lane(const char *source, const char *more, uint32_t depth, bool with) {
    open_ports(source, FIXTURE_PORTS, more, NULL, depth, with);
}

static void expect_invalid(edgeops_status status, const char *part) {
    cr_expect(eq(int, status, EDGEOPS_E_INVALID), "no '%s'", part);
    expect_in(edgeops_error_last()->message, part);
}

static void expect_text(const edgeops_prediction *p, const char *text) {
    cr_assert(eq(int, p->status, EDGEOPS_OK), "%s", p->message);
    cr_expect(eq(sz, p->count, 2));
    cr_expect(eq(sz, p->values[0].size, strlen(text)));
    cr_expect(eq(int, memcmp(p->values[0].as.str, text, strlen(text)), 0), "'%.*s' is not '%s'",
              (int)p->values[0].size, p->values[0].as.str, text);
}

/* -- tables -- */

#define TWO_ROWS ",\"window\":{\"rows\":2}"
#define ANY      "def predict(m, w, p): return {'class': 'ok', 'score': w.values.sum()}\n"

static const double a[] = {1, 2, 3};
static const double b[] = {10, 20, 30};
static const edgeops_time times[] = {5, 6, 7};

static edgeops_status submit(const edgeops_column *columns, const edgeops_time *at,
                             const int64_t *seqs) {
    const edgeops_table table = {
        .asset = "m", .rows = 3, .times = at, .seqs = seqs, .column_count = 2, .columns = columns};
    return edgeops_lane_submit(lane, 7, &table, 1, 2);
}

Test(runtime_lane_predict, wrong_tables_are_refused_by_name) {
    edgeops_column good[] = {
        {.name = "a", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .data = a, .length = 1},
        {.name = "b", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = b}};
    open_lane(ANY, TWO_ROWS, 0, true);
    const edgeops_column swapped[] = {good[1], good[0]};
    expect_invalid(submit(swapped, times, NULL), "column 1 of a window is 'b'");
    edgeops_column wrong[] = {good[0], good[1]};
    wrong[1].name = NULL;
    expect_invalid(submit(wrong, times, NULL), "input 2");
    wrong[1] = good[1];
    wrong[1].length = 3;
    expect_invalid(submit(wrong, times, NULL), "float64[3]");
    wrong[1] = good[1];
    wrong[1].type = EDGEOPS_TYPE_INT64;
    expect_invalid(submit(wrong, times, NULL), "int64");
    wrong[1] = good[1];
    wrong[1].f64 = NULL;
    expect_invalid(submit(wrong, times, NULL), "'b' of a window has no values");
    expect_invalid(submit(good, NULL, NULL), "times");
    const edgeops_time back[] = {5, 7, 6};
    expect_invalid(submit(good, back, NULL), "row 2");
    const edgeops_time same[] = {5, 6, 6};
    expect_invalid(submit(good, same, NULL), "row 2");
    const int64_t seqs[] = {0, 4, 4};
    expect_invalid(submit(good, same, seqs), "row 2");
    const int64_t later[] = {0, 4, 5};
    cr_expect(eq(int, submit(good, same, later), EDGEOPS_OK));
    /* Only the window is looked at. */
    const edgeops_time before[] = {9, 6, 7};
    cr_expect(eq(int, submit(good, before, NULL), EDGEOPS_OK));
}

Test(runtime_lane_predict, texts_and_arrays_of_tables_are_looked_at) {
    static const float block[][2] = {{1, 2}, {3, 4}, {5, 6}};
    uint32_t offsets[] = {0, 1, 3, 4};
    edgeops_column columns[] = {
        {.name = "s", .unit = "", .type = EDGEOPS_TYPE_STRING, .offsets = offsets, .bytes = "xabz"},
        {.name = "f", .unit = "", .type = EDGEOPS_TYPE_FLOAT32, .data = block, .length = 2}};
    open_ports("def predict(m, w, p):\n"
               "    return {'y': w.column('s')[0] + str(w.column('f')[1].tolist())}\n",
               "\"inputs\":[{\"name\":\"s\",\"type\":\"string\"},{\"name\":\"f\",\"type\":"
               "\"float32[2]\"}],\"outputs\":[{\"name\":\"y\",\"type\":\"string\"}]",
               TWO_ROWS, NULL, 0, true);
    cr_expect(eq(int, submit(columns, times, NULL), EDGEOPS_OK));
    columns[0].bytes = "xa\xffz";
    expect_invalid(submit(columns, times, NULL), "UTF-8 in row 1");
    columns[0].bytes = "xabz";
    offsets[3] = 2;
    expect_invalid(submit(columns, times, NULL), "row 2");
    offsets[3] = 4;
    columns[1].length = 3;
    expect_invalid(submit(columns, times, NULL), "float32[3]");
    expect_invalid(edgeops_lane_submit_rows(lane, 1, one, now, 2), "edgeops_lane_submit()");
    while (answer_count < 1) {
        (void)!edgeops_ctx_run(fixture_ctx, 10 * EDGEOPS_MILLISECOND);
    }
    cr_expect(eq(int, statuses[0], EDGEOPS_OK));
}

/* -- arrays -- */

Test(runtime_lane_predict, numbers_come_in_the_types_of_the_inputs) {
    const edgeops_prediction *p = NULL;
    open_ports("import numpy as np\n"
               "def predict(m, w, p):\n"
               "    f, i, on, d = (w.column(n) for n in ('f', 'i', 'on', 'd'))\n"
               "    assert f.dtype == np.float32 and i[0] == -7, (f, i)\n"
               "    assert np.isnan(f[1]) and np.isnan(w.values[1, 1]) and np.isnan(on[1])\n"
               "    assert on[0] == 1 and w.times.tolist() == [5, 6]\n"
               "    return {'y': float(d[0]) + float(f[0])}\n",
               "\"inputs\":[{\"name\":\"f\",\"type\":\"float32\"},{\"name\":\"i\",\"type\":"
               "\"int16\"},{\"name\":\"on\",\"type\":\"bool\"},{\"name\":\"d\",\"type\":"
               "\"float64\"}],\"outputs\":[{\"name\":\"y\",\"type\":\"float64\"}]",
               TWO_ROWS, NULL, 0, false);
    double values[] = {0.5, -7, 1, 1e300, NAN, NAN, NAN, NAN};
    edgeops_status status = edgeops_lane_predict(&p, lane, values, times, 2);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    cr_expect(eq(dbl, p->values[0].as.f64, 1e300));
    const struct {
        size_t at;
        double value;
        const char *name;
    } bad[] = {{1, 0.5, "'i'"}, {5, 40000, "row 1 has 40000"}, {2, 2, "'on'"}, {0, 1e300, "'f'"}};
    for (size_t i = 0; i < EOP_COUNT(bad); i++) {
        double changed[8];
        memcpy(changed, values, sizeof changed);
        changed[bad[i].at] = bad[i].value;
        expect_invalid(edgeops_lane_predict(&p, lane, changed, times, 2), bad[i].name);
        cr_expect(eq(ptr, (void *)p, NULL));
    }
    expect_invalid(edgeops_lane_predict(&p, lane, values, times, 1), "2 rows, not 1");
    expect_invalid(edgeops_lane_predict(&p, lane, values, NULL, 2), "the times");
    expect_invalid(edgeops_lane_predict(&p, lane, NULL, times, 2), "the values");
    const edgeops_time same[] = {5, 5};
    expect_invalid(edgeops_lane_predict(&p, lane, values, same, 2), "row 1");
    expect_invalid(edgeops_lane_submit_rows(lane, 1, values, times, 2), "on_prediction");
    cr_expect(eq(int, edgeops_lane_predict(&p, lane, values, times, 2), EDGEOPS_OK));
}

Test(runtime_lane_predict, a_lane_has_the_parameters_of_its_model) {
    const edgeops_prediction *p = NULL;
    open_ports("def predict(m, w, p): return {'class': p['mode'], 'score': p['gain'] * 1.0}\n",
               FIXTURE_PORTS,
               ",\"parameters\":[{\"name\":\"gain\",\"type\":\"integer\",\"default\":1},"
               "{\"name\":\"mode\",\"type\":\"string\",\"default\":\"fast\"}]",
               "{\"gain\":10}", 0, false);
    cr_assert(eq(int, edgeops_lane_predict(&p, lane, one, now, 1), EDGEOPS_OK));
    expect_text(p, "fast");
    cr_expect(eq(dbl, p->values[1].as.f64, 10.0));
}

/* -- waiting -- */

Test(runtime_lane_predict, one_window_is_waited_for) {
    const edgeops_prediction *p = NULL;
    open_lane("import time\n"
              "def predict(m, w, p):\n"
              "    a = w.values[0, 0]\n"
              "    if a == 2: return None\n"
              "    if a == 3: raise ValueError('three')\n"
              "    if a == 4: time.sleep(60)\n"
              "    return {'class': 'c%d' % a, 'score': w.values[0, 1]}\n",
              ",\"limits\":{\"predict_timeout\":\"300ms\"}", 0, false);
    static const edgeops_status wanted[] = {EDGEOPS_OK, EDGEOPS_DONE, EDGEOPS_E_WORKER,
                                            EDGEOPS_E_TIMEOUT, EDGEOPS_OK};
    for (size_t i = 0; i < EOP_COUNT(wanted); i++) {
        const double values[] = {(double)i + 1, 0.25};
        edgeops_status status = edgeops_lane_predict(&p, lane, values, now, 1);
        cr_assert(eq(int, status, wanted[i]), "%zu: %s", i, edgeops_error_last()->message);
        cr_assert(ne(ptr, (void *)p, NULL));
        cr_expect(eq(int, p->status, wanted[i]));
        cr_expect(eq(sz, p->count, wanted[i] == EDGEOPS_OK ? 2 : 0));
    }
    expect_text(p, "c5");
    cr_expect(gt(i64, p->duration, 0));
}

Test(runtime_lane_predict, many_windows_are_cut_by_the_manifest) {
    enum { ROWS = 9001 };
    static double values[ROWS][2];
    static edgeops_time at[ROWS];
    const edgeops_prediction *p = NULL;
    size_t count = 0;
    open_lane("def predict(m, w, p):\n"
              "    if w.values[0, 0] == 10: return None\n"
              "    return {'class': 'w%d' % w.values[0, 0], 'score': w.values[:, 0].sum()}\n",
              ",\"window\":{\"rows\":3,\"step\":2,\"max_gap\":\"1s\"}", 8, false);
    for (size_t i = 0; i < ROWS; i++) {
        values[i][0] = (double)i;
        at[i] = (edgeops_time)i * EDGEOPS_MILLISECOND;
    }
    edgeops_status status = edgeops_lane_predict_many(&p, &count, lane, values[0], at, ROWS);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    cr_assert(eq(sz, count, (ROWS - 3) / 2 + 1));
    for (size_t i = 0; i < count; i++) {
        cr_assert(eq(u64, p[i].id, 2 * i + 2));
        cr_assert(eq(int, p[i].status, i == 5 ? EDGEOPS_DONE : EDGEOPS_OK), "%s", p[i].message);
        if (i != 5) {
            cr_assert(eq(dbl, p[i].values[1].as.f64, 6.0 * (double)i + 3));
        }
    }
    expect_text(&p[count - 1], "w8998");
    /* No window spans the pause. */
    for (size_t i = 4; i < ROWS; i++) {
        at[i] += 10 * EDGEOPS_SECOND;
    }
    cr_assert(eq(int, edgeops_lane_predict_many(&p, &count, lane, values[0], at, 8), EDGEOPS_OK));
    cr_assert(eq(sz, count, 2));
    cr_expect(eq(u64, p[0].id, 2));
    cr_expect(eq(u64, p[1].id, 6));
    cr_expect(eq(int, edgeops_lane_predict_many(&p, &count, lane, values[0], at, 2), EDGEOPS_OK));
    cr_expect(eq(sz, count, 0));
    cr_expect(eq(int, edgeops_lane_predict_many(&p, &count, lane, NULL, NULL, 0), EDGEOPS_OK));
    at[7] = at[6];
    expect_invalid(edgeops_lane_predict_many(&p, &count, lane, values[0], at, 8), "row 7");
    cr_expect(eq(ptr, (void *)p, NULL));
}

Test(runtime_lane_predict, many_windows_on_a_rate_and_with_errors) {
    const edgeops_prediction *p = NULL;
    size_t count = 0;
    open_lane("import os\n"
              "def predict(m, w, p):\n"
              "    if w.values[0, 0] == 30: os._exit(3)\n"
              "    return {'class': 'x', 'score': w.values[0, 0]}\n"
              "def predict_batch(m, ws, p): return [predict(m, w, p) for w in ws]\n",
              ",\"window\":{\"duration\":\"1s\",\"rate\":\"1Hz\"}", 0, false);
    double values[10];
    edgeops_time at[5];
    for (size_t i = 0; i < 5; i++) {
        values[2 * i] = (double)i * 10;
        values[2 * i + 1] = 0;
        at[i] = (edgeops_time)i * EDGEOPS_SECOND;
    }
    edgeops_status status = edgeops_lane_predict_many(&p, &count, lane, values, at, 5);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    cr_assert(eq(sz, count, 5));
    for (size_t i = 0; i < 5; i++) {
        cr_expect(eq(int, p[i].status, i == 3 ? EDGEOPS_E_WORKER : EDGEOPS_OK), "%zu: %s", i,
                  p[i].message);
        cr_expect(eq(u64, p[i].id, i));
    }
}

Test(runtime_lane_predict, a_callback_cannot_wait) {
    const edgeops_prediction *p = NULL;
    open_lane(ANY, "", 0, true);
    call_inside = true;
    cr_assert(eq(int, edgeops_lane_submit_rows(lane, 70, one, now, 1), EDGEOPS_OK));
    cr_assert(eq(int, edgeops_lane_submit_rows(lane, 71, one, now, 1), EDGEOPS_OK));
    /* While a call waits, and without one. */
    cr_assert(eq(int, edgeops_lane_predict(&p, lane, one, now, 1), EDGEOPS_OK));
    cr_assert(eq(sz, answer_count, 2));
    cr_expect(eq(u64, answered[0], 70));
    cr_expect(eq(u64, answered[1], 71));
    cr_expect(eq(int, inside, EDGEOPS_E_INVALID));
    cr_expect(eq(dbl, p->values[1].as.f64, 3.0));
    inside = EDGEOPS_OK;
    cr_assert(eq(int, edgeops_lane_submit_rows(lane, 72, one, now, 1), EDGEOPS_OK));
    while (answer_count < 3) {
        (void)!edgeops_ctx_run(fixture_ctx, 10 * EDGEOPS_MILLISECOND);
    }
    cr_expect(eq(int, inside, EDGEOPS_E_INVALID));
    cr_expect(eq(dbl, p->values[1].as.f64, 3.0)); /* still there */
}

Test(runtime_lane_predict, a_lane_that_is_closed_meanwhile_is_told) {
    const edgeops_prediction *p = NULL;
    size_t count = 0;
    open_lane(ANY, "", 1, true);
    close_on_answer = true;
    cr_assert(eq(int, edgeops_lane_submit_rows(lane, 70, one, now, 1), EDGEOPS_OK));
    cr_expect(eq(int, edgeops_lane_predict_many(&p, &count, lane, one, now, 1), EDGEOPS_E_CLOSED));
    cr_expect(eq(ptr, (void *)p, NULL));
}

Test(runtime_lane_predict, a_model_that_does_not_load_ends_the_wait) {
    const edgeops_prediction *p = NULL;
    open_lane("import os\n"
              "def load(path):\n"
              "    if not os.path.exists(path + '/there'): raise OSError('not there')\n"
              "def predict(m, w, p): return {'class': 'ok', 'score': w.values[0, 0]}\n",
              "", 2, true);
    for (int i = 0; i < 5; i++) { /* more than the lane holds */
        cr_assert(eq(int, edgeops_lane_predict(&p, lane, one, now, 1), EDGEOPS_E_WORKER));
        expect_in(edgeops_error_last()->message, "not there");
        cr_assert(eq(ptr, (void *)p, NULL));
        if (i == 1) {
            cr_assert(eq(int, edgeops_lane_submit_rows(lane, 80, one, now, 1), EDGEOPS_OK));
        }
    }
    char *path = path_of("model/files/there");
    cr_assert(eq(int, eop_file_write(path, "", 0, 0600), EDGEOPS_OK));
    eop_free(path);
    cr_assert(eq(int, edgeops_lane_predict(&p, lane, one, now, 1), EDGEOPS_OK), "%s",
              edgeops_error_last()->message);
    cr_expect(eq(dbl, p->values[1].as.f64, 1.0));
    cr_assert(eq(sz, answer_count, 1));
    cr_expect(eq(u64, answered[0], 80));
    cr_expect(eq(int, statuses[0], EDGEOPS_OK));
}
