/* SPDX-License-Identifier: Apache-2.0 */
/* Prediction lanes with real workers: answers in order, deadlines, deaths and replay. */
#include <math.h>

#include "runtime_fixture.h"

TestSuite(runtime_lane, .init = fixture_enter, .fini = fixture_leave, .timeout = 60);

enum { MAX_ANSWERS = 4096, TABLE_ROWS = 512 };

typedef struct answer {
    uint64_t id;
    edgeops_status status;
    double score;
    bool score_is_null;
    char text[64];
    char message[256];
} answer;

typedef struct bench {
    edgeops_workflow *workflow;
    edgeops_lane *lane;
    answer answers[MAX_ANSWERS];
    size_t count;
    size_t wanted; /* answers until the loop stops */
    int ready;
    int deaths;
    int deaths_wanted;
    edgeops_status death;
    char death_message[256];
    int drained;
    bool close_on_answer;
    uint64_t submitted;
} bench;

static bench b;
static double values_a[TABLE_ROWS];
static double values_b[TABLE_ROWS];
static edgeops_time times[TABLE_ROWS];
static const edgeops_column columns[] = {
    {.name = "a", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = values_a},
    {.name = "b", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = values_b}};
static const edgeops_table table = {
    .asset = "m", .rows = TABLE_ROWS, .times = times, .column_count = 2, .columns = columns};

static void on_prediction(const edgeops_prediction *p, void *user_data) {
    cr_assert(eq(ptr, user_data, &b));
    cr_assert(lt(sz, b.count, MAX_ANSWERS));
    answer *a = &b.answers[b.count++];
    a->id = p->id;
    a->status = p->status;
    (void)snprintf(a->message, sizeof a->message, "%s", p->message);
    cr_assert(ge(i64, p->duration, 0));
    if (p->status == EDGEOPS_OK) {
        cr_assert(eq(sz, p->count, 2));
        (void)snprintf(a->text, sizeof a->text, "%.*s", (int)p->values[0].size,
                       p->values[0].type == EDGEOPS_TYPE_STRING ? p->values[0].as.str : "");
        a->score_is_null = p->values[1].type == EDGEOPS_TYPE_NULL;
        a->score = p->values[1].as.f64;
    } else {
        cr_assert(eq(sz, p->count, 0));
    }
    if (b.close_on_answer) {
        edgeops_lane_close(b.lane);
        b.lane = NULL;
        edgeops_ctx_stop(fixture_ctx);
    }
    if (b.count == b.wanted) {
        edgeops_ctx_stop(fixture_ctx);
    }
}

static void on_state(edgeops_status status, const char *message, void *user_data) {
    (void)user_data;
    if (status == EDGEOPS_OK) {
        b.ready++;
        return;
    }
    b.death = status;
    (void)snprintf(b.death_message, sizeof b.death_message, "%s", message);
    if (++b.deaths == b.deaths_wanted) {
        edgeops_ctx_stop(fixture_ctx);
    }
}

static void on_drain(void *user_data) {
    (void)user_data;
    b.drained++;
}

/* A model without content, so that no training is needed. */
#define MODEL "def load(path): return 5\n"

static void open_lane(const char *source, const char *more, uint32_t depth) {
    edgeops_lane_options options = EDGEOPS_LANE_OPTIONS_INIT;
    char *run = new_dir("run");
    memset(&b, 0, sizeof b);
    for (size_t i = 0; i < TABLE_ROWS; i++) {
        values_a[i] = (double)i;
        values_b[i] = (double)i * 10;
        times[i] = (edgeops_time)i;
    }
    b.workflow = workflow_of(source, more);
    edgeops_model *model = model_of(b.workflow, NULL);
    options.run_dir = run;
    options.depth = depth;
    options.on_prediction = on_prediction;
    options.on_state = on_state;
    options.on_drain = on_drain;
    options.user_data = &b;
    edgeops_status status = edgeops_lane_open(&b.lane, fixture_runtime, model, &options);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    edgeops_model_close(model); /* the lane keeps what it needs */
    eop_free(run);
}

static void close_lane(void) {
    edgeops_lane_close(b.lane);
    edgeops_workflow_close(b.workflow);
}

/* Windows of one row with a = 0, 1, 2, ... */
static void submit(size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t row = b.submitted++;
        edgeops_status status = edgeops_lane_submit(b.lane, 1000 + row, &table, row, 1);
        cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    }
}

static void turn(void) {
    cr_assert(eq(int, edgeops_ctx_run(fixture_ctx, 50 * EDGEOPS_SECOND), EDGEOPS_OK),
              "%zu of %zu answers; %s", b.count, b.wanted, b.death_message);
}

static void wait_answers(size_t n) {
    b.wanted = n;
    while (b.count < n) {
        turn();
    }
    cr_assert(eq(sz, b.count, n));
}

static void expect_order(void) {
    for (size_t i = 0; i < b.count; i++) {
        cr_assert(eq(u64, b.answers[i].id, 1000 + i));
    }
}

Test(runtime_lane, answers_come_in_order) {
    open_lane(MODEL
              "def predict(model, w, params):\n"
              "    assert w.values.shape == (1, 2) and not w.values.flags.writeable\n"
              "    assert w.column('b')[0] == w.values[0, 1] and len(w) == 1\n"
              "    assert w.columns == ['a', 'b'] and w.times[0] == w.values[0, 0]\n"
              "    if w.values[0, 0] == 7: return None\n"
              "    return {'class': 'c%d' % w.values[0, 0], 'score': w.values[0, 1] + model}\n",
              "", 0);
    submit(64);
    cr_expect(eq(int, edgeops_lane_submit(b.lane, 1, &table, 0, 1), EDGEOPS_E_AGAIN));
    wait_answers(64);
    expect_order();
    for (size_t i = 0; i < 64; i++) {
        char text[32];
        (void)snprintf(text, sizeof text, "c%zu", i);
        cr_assert(eq(int, b.answers[i].status, i == 7 ? EDGEOPS_DONE : EDGEOPS_OK), "%s",
                  b.answers[i].message);
        if (i != 7) {
            cr_assert(eq(str, b.answers[i].text, text));
            cr_assert(eq(dbl, b.answers[i].score, 10.0 * (double)i + 5));
        }
    }
    cr_expect(eq(int, b.ready, 1));
    cr_expect(eq(int, b.deaths, 0));
    cr_expect(eq(int, b.drained, 1));
    close_lane();
}

Test(runtime_lane, wrong_windows_are_refused) {
    open_lane(MODEL "def predict(m, w, p): return None\n", ",\"window\":{\"rows\":2}", 1);
    edgeops_table narrow = table;
    narrow.column_count = 1;
    edgeops_column other[] = {columns[0], columns[1]};
    other[1].type = EDGEOPS_TYPE_INT64;
    edgeops_table mixed = table;
    mixed.columns = other;
    cr_expect(eq(int, edgeops_lane_submit(b.lane, 1, &table, 0, 1), EDGEOPS_E_INVALID));
    cr_expect(
        eq(int, edgeops_lane_submit(b.lane, 1, &table, TABLE_ROWS - 1, 2), EDGEOPS_E_INVALID));
    cr_expect(eq(int, edgeops_lane_submit(b.lane, 1, &table, UINT64_MAX, 2), EDGEOPS_E_INVALID));
    cr_expect(eq(int, edgeops_lane_submit(b.lane, 1, &narrow, 0, 2), EDGEOPS_E_INVALID));
    cr_expect(eq(int, edgeops_lane_submit(b.lane, 1, &mixed, 0, 2), EDGEOPS_E_INVALID));
    edgeops_table parted = table;
    parted.parts = (const uint8_t[TABLE_ROWS]){0};
    cr_expect(eq(int, edgeops_lane_submit(b.lane, 1, &parted, 0, 2), EDGEOPS_E_INVALID));
    edgeops_table later = table;
    later.reserved[1] = times;
    cr_expect(eq(int, edgeops_lane_submit(b.lane, 1, &later, 0, 2), EDGEOPS_E_INVALID));
    edgeops_table bare = table;
    bare.columns = NULL;
    cr_expect(eq(int, edgeops_lane_submit(b.lane, 1, &bare, 0, 2), EDGEOPS_E_INVALID));
    cr_expect(strstr(edgeops_error_last()->message, "needs its columns") != NULL);
    cr_expect(eq(int, edgeops_lane_submit(b.lane, 1, &table, 0, 2), EDGEOPS_OK));
    cr_expect(eq(int, edgeops_lane_submit(b.lane, 1, &table, 0, 2), EDGEOPS_E_AGAIN));
    wait_answers(1);
    cr_expect(eq(int, b.answers[0].status, EDGEOPS_DONE));
    close_lane();
}

Test(runtime_lane, outputs_are_checked_against_the_manifest) {
    static const struct {
        const char *expression;
        const char *message; /* NULL: fine */
    } cases[] = {
        {"{'class': np.str_('x'), 'score': np.float32(0.5)}", NULL},
        {"{'class': 'x', 'score': 3}", NULL},
        {"{'class': 'x', 'score': np.int64(3)}", NULL},
        {"{'class': 'x', 'score': np.array(2.5)}", NULL},
        {"{'class': None, 'score': float('nan')}", NULL},
        {"{'class': 'x', 'score': None}", NULL},
        {"{'class': 'x'}", "no 'score'"},
        {"{'class': 'x', 'score': 1.0, 'more': 2}", "'more'"},
        {"{'class': 5, 'score': 1.0}", "'class': 5, the manifest says string"},
        {"{'class': 'x', 'score': 'high'}", "manifest says float64"},
        {"{'class': 'x', 'score': True}", "manifest says float64"},
        {"{'class': b'x', 'score': 1.0}", "manifest says string"},
        {"{'class': 'x', 'score': np.array([1.0])}", "manifest says float64"},
        {"{'class': 'x', 'score': 10**400}", "manifest says float64"},
        {"{'class': 'a\\0b', 'score': 1.0}", "NUL"},
        {"{'class': '\\udc80', 'score': 1.0}", "not Unicode"},
        {"{'class': 'x' * 70000, 'score': 1.0}", "64 KiB"},
        {"[1, 2]", "must return a dict or None"},
        {"1 / 0", "ZeroDivisionError: division by zero (flow.py:"},
        {"sys.exit(1)", "sys.exit(1)"},
        {"[][0]", "IndexError"},
    };
    eop_buf source = {0};
    eop_buf_puts(&source, "import sys, numpy as np\n" MODEL "def predict(m, w, p):\n"
                          "    i = int(w.values[0, 0])\n");
    for (size_t i = 0; i < EOP_COUNT(cases); i++) {
        eop_buf_printf(&source, "    if i == %zu: return %s\n", i, cases[i].expression);
    }
    char *text = eop_buf_take(&source);
    open_lane(text, "", 0);
    submit(EOP_COUNT(cases));
    wait_answers(EOP_COUNT(cases));
    expect_order();
    for (size_t i = 0; i < EOP_COUNT(cases); i++) {
        if (cases[i].message == NULL) {
            cr_expect(eq(int, b.answers[i].status, EDGEOPS_OK), "%s: %s", cases[i].expression,
                      b.answers[i].message);
        } else {
            cr_expect(eq(int, b.answers[i].status, EDGEOPS_E_WORKER), "%s", cases[i].expression);
            expect_in(b.answers[i].message, cases[i].message);
        }
    }
    cr_expect(isnan(b.answers[4].score) && b.answers[5].score_is_null);
    cr_expect(eq(int, b.deaths, 0));
    eop_free(text);
    close_lane();
}

Test(runtime_lane, hanging_window_is_answered_and_the_rest_replayed) {
    open_lane(MODEL "def predict(m, w, p):\n"
                    "    while w.values[0, 0] == 5: pass\n"
                    "    return {'class': 'ok', 'score': w.values[0, 0]}\n",
              ",\"limits\":{\"predict_timeout\":\"200ms\"}", 0);
    submit(20);
    wait_answers(20);
    expect_order();
    for (size_t i = 0; i < 20; i++) {
        cr_assert(eq(int, b.answers[i].status, i == 5 ? EDGEOPS_E_TIMEOUT : EDGEOPS_OK), "%s",
                  b.answers[i].message);
    }
    expect_in(b.answers[5].message, "limit of 200ms");
    cr_expect(eq(int, b.deaths, 1));
    cr_expect(eq(int, b.death, EDGEOPS_E_TIMEOUT));
    cr_expect(eq(int, b.ready, 2));
    char *log = read_log("run");
    expect_in(log, "flow.py\", line 3 in predict");
    eop_free(log);
    close_lane();
}

Test(runtime_lane, window_that_kills_its_worker_is_answered_and_the_rest_replayed) {
    open_lane(
        "import os, ctypes\n" MODEL "def predict(m, w, p):\n"
        "    if w.values[0, 0] == 2: ctypes.string_at(0)\n"
        "    if w.values[0, 0] == 4: os._exit(7)\n"
        "    if w.values[0, 0] == 6: os.write(3, b'\\x10\\0\\0\\0' + b'\\x12' + b'\\0' * 15)\n"
        "    return {'class': 'ok', 'score': 1.0}\n",
        "", 0);
    submit(10);
    wait_answers(10);
    expect_order();
    for (size_t i = 0; i < 10; i++) {
        bool guilty = i == 2 || i == 4 || i == 6;
        cr_assert(eq(int, b.answers[i].status, guilty ? EDGEOPS_E_WORKER : EDGEOPS_OK), "%zu: %s",
                  i, b.answers[i].message);
    }
    expect_in(b.answers[2].message, "signal 11");
    expect_in(b.answers[4].message, "code 7");
    expect_in(b.answers[6].message, "protocol");
    cr_expect(eq(int, b.deaths, 3));
    close_lane();
}

Test(runtime_lane, model_that_does_not_load_is_told_and_tried_again) {
    open_lane("import os\n"
              "def load(path):\n"
              "    if not os.path.exists(path + '/again'):\n"
              "        open(path + '/again', 'w')\n"
              "        raise RuntimeError('not yet')\n"
              "    return 5\n"
              "def predict(m, w, p): return {'class': 'ok', 'score': 1.0}\n",
              "", 0);
    submit(3);
    wait_answers(3);
    expect_order();
    cr_expect(eq(int, b.deaths, 1));
    cr_expect(eq(int, b.ready, 1));
    cr_expect(eq(int, b.death, EDGEOPS_E_WORKER));
    expect_in(b.death_message, "RuntimeError: not yet (flow.py:5)");
    for (size_t i = 0; i < 3; i++) {
        cr_expect(eq(int, b.answers[i].status, EDGEOPS_OK));
    }
    close_lane();
}

Test(runtime_lane, pickled_model_is_missing) {
    open_lane("def predict(m, w, p): return None\n", "", 0);
    b.deaths_wanted = 1;
    turn();
    expect_in(b.death_message, "model.pkl");
    close_lane();
}

Test(runtime_lane, worker_that_dies_without_work_blames_no_window) {
    open_lane("import os, threading\n" MODEL "first = [True]\n"
              "def predict(m, w, p):\n"
              "    if w.values[0, 0] == 0: threading.Timer(0.1, lambda: os._exit(9)).start()\n"
              "    return {'class': 'ok', 'score': 1.0}\n",
              "", 0);
    submit(1);
    wait_answers(1);
    b.deaths_wanted = 1;
    turn();
    cr_expect(eq(sz, b.count, 1));
    cr_expect(eq(int, b.deaths, 1));
    expect_in(b.death_message, "code 9");
    submit(1);
    wait_answers(2);
    cr_expect(eq(int, b.answers[1].status, EDGEOPS_OK));
    close_lane();
}

#define BATCH                                                                                      \
    "import os, time, numpy as np\n" MODEL "sizes = []\n"                                          \
    "def predict(m, w, p):\n"                                                                      \
    "    if w.values[0, 0] == 0: time.sleep(0.3)\n"                                                \
    "    if w.values[0, 0] == 30: GUILTY\n"                                                        \
    "    return {'class': 'one', 'score': w.values[0, 0]}\n"                                       \
    "def predict_batch(m, ws, p):\n"                                                               \
    "    assert ws.values.shape == (len(ws), 1, 2) and ws.times.shape == (len(ws),)\n"             \
    "    assert ws.column('a').shape == (len(ws), 1)\n"                                            \
    "    if (ws.values[:, 0, 0] == 30).any(): GUILTY\n"                                            \
    "    return [{'class': 'many', 'score': v} for v in ws.values[:, 0, 0]]\n"

static char *batch_source(const char *guilty) {
    eop_buf out = {0};
    const char *at = BATCH;
    for (const char *hit; (hit = strstr(at, "GUILTY")) != NULL; at = hit + 6) {
        eop_buf_put(&out, at, (size_t)(hit - at));
        eop_buf_puts(&out, guilty);
    }
    eop_buf_puts(&out, at);
    return eop_buf_take(&out);
}

/* The first window keeps the worker busy, so that the others are there together. */
static void check_batch(const char *guilty, edgeops_status status, int deaths) {
    char *source = batch_source(guilty);
    size_t many = 0;
    open_lane(source, ",\"limits\":{\"predict_timeout\":\"500ms\"}", 128);
    eop_free(source);
    submit(1);
    while (b.ready == 0) {
        (void)!edgeops_ctx_run(fixture_ctx, EDGEOPS_MILLISECOND);
    }
    submit(99);
    wait_answers(100);
    expect_order();
    for (size_t i = 0; i < 100; i++) {
        cr_assert(eq(int, b.answers[i].status, i == 30 ? status : EDGEOPS_OK), "%zu: %s", i,
                  b.answers[i].message);
        if (b.answers[i].status == EDGEOPS_OK) {
            cr_assert(eq(dbl, b.answers[i].score, (double)i));
            many += strcmp(b.answers[i].text, "many") == 0;
        }
    }
    cr_expect(ge(sz, many, 30), "%zu", many);
    cr_expect(eq(int, b.deaths, deaths), "%s", b.death_message);
    close_lane();
}

Test(runtime_lane, waiting_windows_go_together) {
    check_batch("pass", EDGEOPS_OK, 0);
}

Test(runtime_lane, batch_that_raises_is_tried_one_by_one) {
    check_batch("raise ValueError('thirty')", EDGEOPS_E_WORKER, 0);
}

Test(runtime_lane, batch_that_crashes_finds_the_guilty_window) {
    check_batch("os._exit(3)", EDGEOPS_E_WORKER, 2);
}

Test(runtime_lane, batch_that_hangs_finds_the_guilty_window) {
    check_batch("time.sleep(60)", EDGEOPS_E_TIMEOUT, 2);
}

Test(runtime_lane, lane_may_be_closed_in_a_callback) {
    open_lane(MODEL "def predict(m, w, p): return {'class': 'ok', 'score': 1.0}\n", "", 0);
    b.close_on_answer = true;
    submit(5);
    turn();
    cr_expect(eq(sz, b.count, 1));
    close_lane();
    /* With a worker that dies on it. */
    open_lane("import os\n" MODEL "def predict(m, w, p): os._exit(1)\n", "", 0);
    b.close_on_answer = true;
    submit(5);
    turn();
    cr_expect(eq(sz, b.count, 1));
    close_lane();
    /* Before anything happened. */
    open_lane(MODEL, "", 0);
    close_lane();
}

Test(runtime_lane, prints_and_failures_do_not_fill_the_disk) {
    open_lane(MODEL "def predict(m, w, p):\n"
                    "    print('x' * 1000)\n"
                    "    raise ValueError('always')\n",
              "", 512);
    for (size_t i = 0; i < 8; i++) {
        b.submitted = 0;
        submit(500);
        wait_answers((i + 1) * 500);
    }
    char *log = read_log("run");
    cr_expect(lt(sz, strlen(log), 210000));
    eop_free(log);
    close_lane();
}

Test(runtime_lane, large_windows_pass) {
    enum { ROWS = 200000 };
    static double big_a[ROWS];
    static edgeops_time big_times[ROWS];
    const edgeops_column wide[] = {
        {.name = "a", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = big_a},
        {.name = "b", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = big_a}};
    const edgeops_table big = {
        .asset = "m", .rows = ROWS, .times = big_times, .column_count = 2, .columns = wide};
    for (size_t i = 0; i < ROWS; i++) {
        big_a[i] = (double)i;
        big_times[i] = (edgeops_time)i;
    }
    open_lane(MODEL "def predict(m, w, p): return {'class': 'ok', 'score': w.values.sum()}\n",
              ",\"window\":{\"rows\":200000}", 0);
    edgeops_status status = EDGEOPS_OK;
    uint64_t n = 0;
    while ((status = edgeops_lane_submit(b.lane, 1000 + n, &big, 0, ROWS)) == EDGEOPS_OK) {
        n++;
    }
    cr_assert(eq(int, status, EDGEOPS_E_AGAIN));
    cr_expect(ge(u64, n, 10));
    cr_expect(lt(u64, n, 64));
    wait_answers(n);
    expect_order();
    for (size_t i = 0; i < n; i++) {
        cr_assert(eq(dbl, b.answers[i].score, 2.0 * ROWS * (ROWS - 1.0) / 2));
    }
    close_lane();
}
