/* SPDX-License-Identifier: Apache-2.0 */
/* Trainings by real workers: what a workflow sees, and everything it may do wrong. */
#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "edgeops/dataset.h"
#include "edgeops/label.h"
#include "edgeops/store.h"
#include "runtime_fixture.h"

enum { ROWS = 6 };

/* Two assets with three rows each: a counts, b is 10 a; labels x x y | y - -. */
static const edgeops_time times[ROWS] = {0, 1, 2, 0, 1, 2};
static const double column_a[ROWS] = {0, 1, 2, 3, 4, 5};
static const double column_b[ROWS] = {0, 10, 20, 30, NAN, 50};
static const uint8_t valid_b[ROWS] = {1, 1, 1, 1, 0, 1};
static const int32_t labels[ROWS] = {0, 0, 1, 1, -1, -1};
static const char *const label_names[] = {"x", "y"};

static edgeops_store *store;

static void open_store(void) {
    char *home = path_of("home");
    if (store == NULL) {
        cr_assert(eq(int, edgeops_store_open(&store, home, NULL), EDGEOPS_OK));
    }
    eop_free(home);
}

static void freeze(const char *name, const char *assets) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = name;
    options.assets = &assets;
    options.asset_count = 1;
    edgeops_status status = edgeops_dataset_create(store, &options);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
}

static void make_dataset(void) {
    if (store != NULL) {
        return;
    }
    open_store();
    for (size_t i = 0; i < 2; i++) {
        size_t first = i * 3;
        /* In another order than the inputs. */
        const edgeops_column columns[] = {
            {.name = "b",
             .unit = "",
             .type = EDGEOPS_TYPE_FLOAT64,
             .f64 = column_b + first,
             .valid = i == 1 ? valid_b + first : NULL,
             .nulls = i},
            {.name = "a", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = column_a + first}};
        const edgeops_table table = {.asset = i == 0 ? "m/1" : "m/2",
                                     .rows = 3,
                                     .times = times + first,
                                     .column_count = 2,
                                     .columns = columns};
        cr_assert(eq(int, edgeops_store_append_tables(NULL, store, &table, 1, NULL), EDGEOPS_OK));
        for (size_t row = 0; row < 3; row++) {
            if (labels[first + row] < 0) {
                continue;
            }
            const edgeops_label label = {.asset = table.asset,
                                         .start = times[row],
                                         .end = times[row],
                                         .label = label_names[labels[first + row]]};
            cr_assert(eq(int, edgeops_label_add(NULL, store, &label, 1), EDGEOPS_OK));
        }
    }
    freeze("d", "m/*");
}

static void leave(void) {
    edgeops_store_close(store);
    fixture_leave();
}

TestSuite(runtime_train, .init = fixture_enter, .fini = leave, .timeout = 60);

typedef struct outcome {
    edgeops_training *training;
    bool ended;
    edgeops_status status;
    char message[1024];
    edgeops_usage usage;
    int lines;
    int metrics;
    int64_t last_step;
    double progress;
    double metric;
    char name[129];
    char first_line[256];
    char states[128];
    bool cancel_on_line;
} outcome;

static void on_event(const edgeops_train_event *event, void *user_data) {
    outcome *o = user_data;
    if (event->kind == EDGEOPS_TRAIN_LOG) {
        if (o->lines++ == 0) {
            (void)snprintf(o->first_line, sizeof o->first_line, "%s", event->text);
        }
        if (o->cancel_on_line) {
            edgeops_training_cancel(o->training);
        }
    } else if (event->kind == EDGEOPS_TRAIN_METRIC) {
        o->metrics++;
        o->metric = event->value;
        o->last_step = event->step;
        (void)snprintf(o->name, sizeof o->name, "%s", event->name);
    } else if (event->kind == EDGEOPS_TRAIN_PROGRESS) {
        o->progress = event->progress;
    } else {
        (void)snprintf(o->states + strlen(o->states), sizeof o->states - strlen(o->states), "%s ",
                       event->text);
    }
}

static void on_done(edgeops_status status, const char *message, const edgeops_usage *usage,
                    void *user_data) {
    outcome *o = user_data;
    o->ended = true;
    o->status = status;
    o->usage = *usage;
    (void)snprintf(o->message, sizeof o->message, "%s", message);
    edgeops_ctx_stop(fixture_ctx);
}

static edgeops_status start(outcome *o, const edgeops_workflow *workflow, const char *params) {
    char *run = new_dir("run");
    char *model = path_of("model");
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    make_dataset();
    cr_assert(eq(int, eop_remove_tree(model), EDGEOPS_OK));
    options.workflow = workflow;
    options.store = store;
    options.dataset = "d";
    options.params_json = params;
    options.directory = model;
    options.run_dir = run;
    options.on_event = on_event;
    options.on_done = on_done;
    options.user_data = o;
    edgeops_status status = edgeops_training_start(&o->training, fixture_runtime, &options);
    eop_free(run);
    eop_free(model);
    return status;
}

static void wait_for(outcome *o) {
    while (!o->ended) {
        cr_assert(eq(int, edgeops_ctx_run(fixture_ctx, 50 * EDGEOPS_SECOND), EDGEOPS_OK));
    }
}

static void train(outcome *o, const char *source, const char *more) {
    edgeops_workflow *workflow = workflow_of(source, more);
    memset(o, 0, sizeof *o);
    edgeops_status status = start(o, workflow, NULL);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    wait_for(o);
    edgeops_workflow_close(workflow);
}

static void expect_failure(const char *source, const char *more, edgeops_status status,
                           const char *message) {
    outcome o;
    train(&o, source, more);
    cr_expect(eq(int, o.status, status), "%s", o.message);
    expect_in(o.message, message);
}

static bool has_file(const char *name) {
    char *path = path_of(name);
    bool is = eop_file_exists(path);
    eop_free(path);
    return is;
}

Test(runtime_train, workflow_sees_the_dataset) {
    outcome o;
    train(&o,
          "import numpy as np, os\n"
          "def train(d, params, run):\n"
          "    assert d.values.shape == (6, 2) and d.values.dtype == np.float64\n"
          "    assert not d.values.flags.writeable and not d.values.flags.owndata\n"
          "    assert d.columns == ['a', 'b'], d.columns\n"
          "    assert d.values[:, 0].tolist() == [0, 1, 2, 3, 4, 5]\n"
          "    assert d.values[:4, 1].tolist() == [0, 10, 20, 30] and np.isnan(d.values[4, 1])\n"
          "    assert d.times.tolist() == [0, 1, 2, 0, 1, 2]\n"
          "    assert d.labels.tolist() == ['x', 'x', 'y', 'y', '', '']\n"
          "    assert d.groups.tolist() == ['m/1'] * 3 + ['m/2'] * 3\n"
          "    assert d.column('a').tolist() == [0, 1, 2, 3, 4, 5]\n"
          "    try: d.column('c')\n"
          "    except KeyError as e: assert 'a, b' in str(e)\n"
          "    else: raise AssertionError\n"
          "    f = d.to_pandas()\n"
          "    assert list(f.columns) == ['a', 'b', 'asset', 'label'] and len(f) == 6\n"
          "    f['b'].fillna(0.0, inplace=True)\n"
          "    f['a'] /= 2\n"
          "    f.loc[f['a'] > 1, 'b'] = 7.0\n"
          "    assert f['b'].tolist()[-1] == 7 and f['a'].sum() == 7.5\n"
          "    assert d.values[:4, 1].tolist() == [0, 10, 20, 30] and np.isnan(d.values[4, 1])\n"
          "    w = d.windows()\n"
          "    assert w.values.shape == (6, 1, 2) and len(w) == 6\n"
          "    assert w.labels.tolist() == d.labels.tolist()\n"
          "    assert os.listdir('.') == [] and os.environ.get('EDGEOPS_SECRET') is None\n"
          "    run.log('hello', 5)\n"
          "    run.metric('loss', 0.5, step=3)\n"
          "    run.metric('f1/macro', np.float32(0.25))\n"
          "    run.progress(0.75)\n"
          "    return {'mean': float(d.values[:, 0].mean())}\n",
          "");
    cr_assert(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    cr_expect(eq(str, o.message, ""));
    cr_expect(eq(int, o.metrics, 2));
    cr_expect(eq(str, o.name, "f1/macro"));
    cr_expect(eq(dbl, o.metric, 0.25));
    cr_expect(eq(i64, o.last_step, -1));
    cr_expect(eq(dbl, o.progress, 0.75));
    cr_expect(eq(str, o.first_line, "hello 5"));
    cr_expect(gt(dbl, o.usage.wall_s, 0.01));
    cr_expect(gt(dbl, o.usage.user_s, 0.01));
    cr_expect(gt(u64, o.usage.peak_memory_bytes, 1 << 20));
    cr_expect(has_file("model/files/model.pkl"));
    cr_expect(not(has_file("run/work")));
    char *log = read_log("run");
    expect_in(log, "hello 5\n");
    eop_free(log);
}

/* The worker has a working directory of its own, and the host may change its. */
Test(runtime_train, relative_paths_reach_the_worker) {
    outcome o = {0};
    edgeops_workflow *workflow = NULL;
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    edgeops_workflow_close(workflow_of("def train(dataset, params, run):\n    return 1\n\n"
                                       "def predict(model, window, params):\n    return None\n",
                                       ""));
    make_dataset();
    eop_free(new_dir("run"));
    cr_assert(eq(int, chdir(fixture_root), 0));
    edgeops_status status = edgeops_workflow_open(&workflow, "store", "flow-1");
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    options.workflow = workflow;
    options.store = store;
    options.dataset = "d";
    options.directory = "model";
    options.run_dir = "run";
    options.on_done = on_done;
    options.user_data = &o;
    status = edgeops_training_start(&o.training, fixture_runtime, &options);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    cr_assert(eq(int, chdir("/"), 0));
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    cr_expect(has_file("model/model.json"));
    edgeops_workflow_close(workflow);
}

Test(runtime_train, windows_are_cut_by_the_manifest) {
    outcome o;
    train(&o,
          "import numpy as np\n"
          "def train(d, params, run):\n"
          "    w = d.windows()\n"
          "    assert w.values.shape == (4, 2, 2), w.values.shape\n"
          "    assert w.values[:, :, 0].tolist() == [[0, 1], [1, 2], [3, 4], [4, 5]]\n"
          "    assert w.labels.tolist() == ['x', '', '', ''], w.labels\n"
          "    assert w.groups.tolist() == ['m/1', 'm/1', 'm/2', 'm/2']\n"
          "    assert w.times.tolist() == [1, 2, 1, 2]\n"
          "    assert w.column('a').tolist() == w.values[:, :, 0].tolist()\n"
          "    return 1\n",
          ",\"window\":{\"rows\":2}");
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    train(&o,
          "def train(d, params, run):\n"
          "    assert d.times.tolist() == [0, 0], d.times\n"
          "    assert d.windows().values.tolist() == [[[0, 0]], [[3, 30]]]\n"
          "    assert d.labels.tolist() == ['x', 'y']\n"
          "    return 1\n",
          ",\"window\":{\"duration\":\"1s\",\"rate\":\"1Hz\"}");
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
}

/* Trains a workflow of such inputs, with windows of two rows, on these columns. */
static void train_on(const char *source, const char *inputs, const edgeops_column *given,
                     size_t count) {
    static const edgeops_time at[ROWS] = {0, 1, 2, 3, 4, 5};
    const edgeops_table table = {
        .asset = "m", .rows = ROWS, .times = at, .column_count = count, .columns = given};
    outcome o = {0};
    char *ports =
        eop_format("\"inputs\":[%s],\"outputs\":[{\"name\":\"y\",\"type\":\"bool\"}]", inputs);
    edgeops_workflow *workflow = workflow_with(source, ports, ",\"window\":{\"rows\":2}");
    open_store();
    cr_assert(eq(int, edgeops_store_append_tables(NULL, store, &table, 1, NULL), EDGEOPS_OK));
    freeze("d", "m");
    edgeops_status status = start(&o, workflow, NULL);
    cr_assert(eq(int, status, EDGEOPS_OK), "%s", edgeops_error_last()->message);
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    eop_free(ports);
    edgeops_workflow_close(workflow);
}

Test(runtime_train, other_types_come_as_they_are) {
    static const char source[] =
        "import numpy as np\n"
        "def train(d, params, run):\n"
        "    assert d.column('n').dtype == np.int64 and d.column('n')[0] == 2**53 + 1\n"
        "    assert d.column('n').tolist()[1:] == [1, 2, 3, 4, 5]\n"
        "    on = d.column('on')\n"
        "    assert on.dtype == np.float64 and np.isnan(on[5]) and on[:5].tolist() == [1, 0, 1, 0, "
        "1]\n"
        "    assert d.column('s').tolist() == ['a', None, '', '\\u00e4', 'eee', 'f']\n"
        "    assert np.isnan(d.values[:, 2]).all() and d.values[3].tolist()[:2] == [3, 0]\n"
        "    w = d.windows()\n"
        "    assert w.column('s')[1].tolist() == [None, '']\n"
        "    d.to_pandas()\n"
        "    return 1\n";
    static const int64_t numbers[ROWS] = {(1LL << 53) + 1, 1, 2, 3, 4, 5};
    static const uint8_t on[ROWS] = {1, 0, 1, 0, 1, 0};
    static const uint8_t on_valid[ROWS] = {1, 1, 1, 1, 1, 0};
    static const uint32_t offsets[ROWS + 1] = {0, 1, 1, 1, 3, 6, 7};
    static const uint8_t text_valid[ROWS] = {1, 0, 1, 1, 1, 1};
    const edgeops_column mixed[] = {
        {.name = "n", .unit = "", .type = EDGEOPS_TYPE_INT64, .i64 = numbers},
        {.name = "on",
         .unit = "",
         .type = EDGEOPS_TYPE_BOOL,
         .u8 = on,
         .valid = on_valid,
         .nulls = 1},
        {.name = "s",
         .unit = "",
         .type = EDGEOPS_TYPE_STRING,
         .offsets = offsets,
         .bytes = "a\xc3\xa4"
                  "eeef",
         .valid = text_valid,
         .nulls = 1},
    };
    train_on(source,
             "{\"name\":\"n\",\"type\":\"int64\"},{\"name\":\"on\",\"type\":\"bool\"},"
             "{\"name\":\"s\",\"type\":\"string\"}",
             mixed, EOP_COUNT(mixed));
}

Test(runtime_train, arrays_and_narrow_numbers_come_in_their_type) {
    static const char source[] =
        "import numpy as np\n"
        "def train(d, params, run):\n"
        "    block = d.column('block')\n"
        "    assert block.dtype == np.float32 and block.shape == (6, 2)\n"
        "    assert block[5].tolist() == [np.float32(10.5), 11.5] and np.isnan(block[1]).all()\n"
        "    assert d.column('u').dtype == np.uint64 and d.column('u')[0] == 2**64 - 1\n"
        "    assert d.column('small').dtype == np.int16 and d.column('small').tolist()[:2] == [-5, "
        "1]\n"
        "    assert d.column('wide').tolist() == [200, 1, 2, 3, 4, 5]\n"
        "    assert np.isnan(d.values[:, 0]).all() and d.values[2].tolist()[2:] == [2, 2]\n"
        "    w = d.windows()\n"
        "    assert w.column('block').shape == (5, 2, 2) and len(d.to_pandas()) == 6\n"
        "    return 1\n";
    static const float block[ROWS][2] = {{0.5f, 1.5f}, {NAN, NAN},   {4.5f, 5.5f},
                                         {6.5f, 7.5f}, {8.5f, 9.5f}, {10.5f, 11.5f}};
    static const uint8_t block_valid[ROWS] = {1, 0, 1, 1, 1, 1};
    static const uint64_t u[ROWS] = {UINT64_MAX, 1, 2, 3, 4, 5};
    static const int8_t small[ROWS] = {-5, 1, 2, 3, 4, 5};
    static const uint8_t wide[ROWS] = {200, 1, 2, 3, 4, 5};
    const edgeops_column mixed[] = {
        {.name = "block",
         .unit = "",
         .type = EDGEOPS_TYPE_FLOAT32,
         .data = block,
         .length = 2,
         .valid = block_valid,
         .nulls = 1},
        {.name = "u", .unit = "", .type = EDGEOPS_TYPE_UINT64, .data = u, .length = 1},
        {.name = "small", .unit = "", .type = EDGEOPS_TYPE_INT8, .data = small, .length = 1},
        {.name = "wide", .unit = "", .type = EDGEOPS_TYPE_UINT8, .data = wide, .length = 1},
    };
    train_on(source,
             "{\"name\":\"block\",\"type\":\"float32[2]\"},{\"name\":\"u\",\"type\":\"uint64\"},"
             "{\"name\":\"small\",\"type\":\"int16\"},{\"name\":\"wide\",\"type\":\"float64\"}",
             mixed, EOP_COUNT(mixed));
}

#define ONE_PARAMETER                                                                              \
    ",\"parameters\":[{\"name\":\"trees\",\"type\":\"integer\",\"default\":100,\"minimum\":1,"     \
    "\"maximum\":1000},{\"name\":\"mode\",\"type\":\"string\",\"default\":\"fast\"}]"

Test(runtime_train, parameters_are_checked_and_filled_in) {
    static const struct {
        const char *params;
        const char *message;
    } bad[] = {{"{\"tres\":5}", "tres"}, {"{\"trees\":0}", "trees"}, {"{\"trees\":2.5}", "trees"},
               {"{\"mode\":7}", "mode"}, {"[]", "parameters"},       {"{\"trees\":", "parameters"}};
    edgeops_workflow *workflow =
        workflow_of("def train(d, params, run):\n"
                    "    assert params == {'trees': 7, 'mode': 'fast'}, params\n"
                    "    return 1\n",
                    ONE_PARAMETER);
    for (size_t i = 0; i < EOP_COUNT(bad); i++) {
        outcome o = {0};
        cr_expect(eq(int, start(&o, workflow, bad[i].params), EDGEOPS_E_INVALID));
        expect_in(edgeops_error_last()->message, bad[i].message);
        cr_expect(eq(ptr, o.training, NULL));
    }
    outcome o = {0};
    cr_assert(eq(int, start(&o, workflow, "{\"trees\":7}"), EDGEOPS_OK));
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    edgeops_workflow_close(workflow);
}

Test(runtime_train, dataset_without_an_input_is_refused_by_name) {
    edgeops_workflow *workflow = workflow_with(
        "def train(d, p, r): return 1\n",
        "\"inputs\":[{\"name\":\"a\",\"type\":\"float64\"},{\"name\":\"missing\",\"type\":"
        "\"float64\"}],\"outputs\":[{\"name\":\"y\",\"type\":\"bool\"}]",
        "");
    outcome o = {0};
    cr_assert(eq(int, start(&o, workflow, NULL), EDGEOPS_OK));
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_E_INVALID));
    expect_in(o.message, "'missing'");
    cr_expect(not(has_file("model")));
    edgeops_workflow_close(workflow);
}

Test(runtime_train, files_of_the_workflow_itself) {
    outcome o;
    train(&o,
          "import os\n"
          "def train(d, params, run):\n"
          "    os.mkdir(run.artifact_dir + '/deep')\n"
          "    open(run.artifact_dir + '/deep/weights', 'w').write('w')\n"
          "def load(path): return open(path + '/deep/weights').read()\n",
          "");
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    cr_expect(has_file("model/files/deep/weights"));
    cr_expect(not(has_file("model/files/model.pkl")));
}

Test(runtime_train, errors_of_the_workflow_are_told) {
    expect_failure("def train(d, p, r):\n    x = 1\n    raise ValueError('bad\\nthing')\n", "",
                   EDGEOPS_E_WORKER, "bad thing (flow.py:3)");
    char *log = read_log("run");
    expect_in(log, "Traceback");
    expect_in(log, "raise ValueError");
    cr_expect(eq(ptr, strstr(log, "<edgeops>"), NULL));
    eop_free(log);
    expect_failure("import no_such_thing\n", "", EDGEOPS_E_WORKER,
                   "No module named 'no_such_thing' (flow.py:1)");
    expect_failure("def train(:\n", "", EDGEOPS_E_WORKER, "flow.py:1");
    expect_failure("x = 1\n", "", EDGEOPS_E_WORKER, "has no function train()");
    expect_failure("def train(d, p, r): return None\n", "", EDGEOPS_E_WORKER, "returned None");
    expect_failure("def train(d, p, r): return 1\ndef load(path): pass\n", "", EDGEOPS_E_WORKER,
                   "there are none");
    expect_failure("def train(d, p, r): return lambda: 1\n", "", EDGEOPS_E_WORKER, "ickl");
    expect_failure("def train(d, p, r): d.values[0, 0] = 1\n", "", EDGEOPS_E_WORKER, "read-only");
    expect_failure("def train(d, p, r): r.metric('', 1)\n", "", EDGEOPS_E_WORKER, "metric");
}

Test(runtime_train, ends_of_the_process_are_told) {
    expect_failure("import sys\ndef train(d, p, r): sys.exit(3)\n", "", EDGEOPS_E_WORKER,
                   "sys.exit(3)");
    expect_failure("import os\ndef train(d, p, r): os._exit(4)\n", "", EDGEOPS_E_WORKER,
                   "exited with code 4");
    expect_failure("import os\ndef train(d, p, r): os._exit(0)\n", "", EDGEOPS_E_WORKER,
                   "exited with code 0");
    expect_failure("import ctypes\ndef train(d, p, r): ctypes.string_at(0)\n", "", EDGEOPS_E_WORKER,
                   "signal 11");
    char *log = read_log("run");
    expect_in(log, "flow.py\", line 2 in train");
    eop_free(log);
    expect_failure("import os\ndef train(d, p, r): os.kill(os.getpid(), 9)\n", "", EDGEOPS_E_WORKER,
                   "signal 9");
    expect_failure("import os\ndef train(d, p, r): os.abort()\n", "", EDGEOPS_E_WORKER, "signal 6");
}

Test(runtime_train, broken_protocol_ends_the_worker) {
    expect_failure("import os, time\ndef train(d, p, r):\n    os.close(3)\n    time.sleep(60)\n",
                   "", EDGEOPS_E_WORKER, "descriptor 3");
    expect_failure("import os, time\ndef train(d, p, r):\n    os.write(3, b'\\xff' * 100)\n"
                   "    time.sleep(60)\n",
                   "", EDGEOPS_E_WORKER, "protocol");
    expect_failure("import os, time\ndef train(d, p, r):\n    os.write(3, b'\\x03\\0\\0\\0abc')\n"
                   "    time.sleep(60)\n",
                   "", EDGEOPS_E_WORKER, "protocol");
    expect_failure(
        "import os, time\ndef train(d, p, r):\n"
        "    os.write(3, b'\\x10\\0\\0\\0' + b'\\x11' + b'\\0' * 15)\n    time.sleep(60)\n",
        "", EDGEOPS_E_WORKER, "protocol");
    /* DONE without being done. */
    expect_failure("import os\ndef train(d, p, r):\n"
                   "    os.write(3, b'\\x10\\0\\0\\0' + b'\\x17' + b'\\0' * 15)\n    os._exit(0)\n",
                   "", EDGEOPS_E_WORKER, "left no file");
}

Test(runtime_train, endless_training_is_killed_and_shows_where) {
    outcome o;
    train(&o, "def train(d, p, r):\n    while True:\n        pass\n",
          ",\"limits\":{\"train_timeout\":\"1s\"}");
    cr_expect(eq(int, o.status, EDGEOPS_E_TIMEOUT), "%s", o.message);
    expect_in(o.message, "limit of 1s");
    char *log = read_log("run");
    expect_in(log, "flow.py\", line");
    eop_free(log);
}

Test(runtime_train, cancel_ends_it) {
    edgeops_workflow *workflow =
        workflow_of("import time\ndef train(d, p, r):\n    print('on')\n    time.sleep(60)\n", "");
    outcome o = {.cancel_on_line = true};
    cr_assert(eq(int, start(&o, workflow, NULL), EDGEOPS_OK));
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_E_CANCELED));
    edgeops_workflow_close(workflow);
}

/* -- who ends with whom -- */

static edgeops_workflow *patient;

/* Starts a training, turns the loop until its worker runs, and ends. */
static void *start_and_end(void *user_data) {
    outcome *o = user_data;
    if (start(o, patient, NULL) == EDGEOPS_OK) {
        while (o->lines == 0 && !o->ended) {
            (void)!edgeops_ctx_run(fixture_ctx, 20 * EDGEOPS_MILLISECOND);
        }
    }
    return NULL;
}

Test(runtime_train, goes_on_when_the_thread_that_started_it_ends) {
    pthread_t thread;
    outcome o = {0};
    patient = workflow_of("import time\ndef train(d, p, r):\n"
                          "    print('on', flush=True)\n    time.sleep(1)\n    return 1\n",
                          "");
    cr_assert(eq(int, pthread_create(&thread, NULL, start_and_end, &o), 0));
    cr_assert(eq(int, pthread_join(thread, NULL), 0));
    cr_assert(eq(int, o.lines, 1), "%s", edgeops_error_last()->message);
    cr_assert(eq(int, o.ended, false));
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    edgeops_workflow_close(patient);
}

/* The thread that starts workers is not there in a child: it makes one of its own. */
static int train_in_child(void) {
    outcome o = {0};
    store = NULL;
    fixture_enter();
    patient = workflow_of("def train(d, p, r):\n    print('on')\n    return 1\n", "");
    if (start(&o, patient, NULL) != EDGEOPS_OK) {
        return 1;
    }
    wait_for(&o);
    edgeops_workflow_close(patient);
    leave();
    return o.status == EDGEOPS_OK ? 0 : 2;
}

Test(runtime_train, a_forked_child_has_workers_of_its_own) {
    outcome o;
    int code = 0;
    train(&o, "def train(d, p, r):\n    return 1\n", "");
    cr_assert(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    pid_t child = fork();
    if (child == 0) {
        alarm(30);
        _exit(train_in_child());
    }
    cr_assert(eq(int, waitpid(child, &code, 0), child));
    cr_expect(eq(int, code, 0));
    train(&o, "def train(d, p, r):\n    return 1\n", "");
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
}

/* Gone, or a zombie that nobody here may reap. */
static bool has_ended(int pid) {
    char path[64];
    char state = 'X';
    (void)snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *file = fopen(path, "re");
    if (file != NULL) {
        (void)!fscanf(file, "%*d %*s %c", &state);
        fclose(file);
    }
    return state == 'X' || state == 'Z';
}

/* A host of its own: tells the pid of its worker, then dies without a word. */
static void be_killed(int tell) {
    outcome o = {0};
    store = NULL;
    fixture_enter();
    patient = workflow_of("import os, time\ndef train(d, p, r):\n"
                          "    print(os.getpid(), flush=True)\n    time.sleep(60)\n",
                          "");
    (void)start_and_end(&o);
    (void)!write(tell, o.first_line, strlen(o.first_line));
    (void)kill(getpid(), SIGKILL);
}

Test(runtime_train, worker_ends_with_a_host_that_is_killed) {
    char text[32] = "";
    int ends[2];
    cr_assert(eq(int, pipe(ends), 0));
    pid_t host = fork();
    if (host == 0) {
        be_killed(ends[1]);
        _exit(1);
    }
    close(ends[1]);
    (void)!read(ends[0], text, sizeof text - 1);
    close(ends[0]);
    cr_assert(eq(int, waitpid(host, NULL, 0), host));
    int worker = atoi(text);
    cr_assert(gt(int, worker, 1), "the host told '%s'", text);
    for (int i = 0; i < 200 && !has_ended(worker); i++) {
        usleep(10000);
    }
    cr_expect(eq(int, has_ended(worker), true));
}

Test(runtime_train, memory_over_the_limit_is_told) {
    outcome o;
    train(&o,
          "import numpy as np\n"
          "def train(d, p, r):\n"
          "    held = []\n"
          "    while True: held.append(np.ones(4 << 20))\n",
          ",\"limits\":{\"memory\":\"256MiB\"}");
    cr_expect(eq(int, o.status, EDGEOPS_E_LIMIT), "%s", o.message);
    expect_in(o.message, "memory");
    cr_expect(lt(u64, o.usage.peak_memory_bytes, (uint64_t)600 << 20));
}

Test(runtime_train, endless_output_is_cut_and_does_not_block) {
    outcome o;
    train(&o,
          "import sys\n"
          "def train(d, p, r):\n"
          "    for i in range(200000): print('line', i)\n"
          "    sys.stdout.write('x' * 100000 + '\\n')\n"
          "    sys.stdout.write('\\udc80\\x01tail without an end')\n"
          "    return 1\n",
          "");
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    char *log = read_log("run");
    cr_expect(lt(sz, strlen(log), 210000));
    expect_in(log, "reached its limit");
    eop_free(log);
    cr_expect(lt(int, o.lines, 5000), "%d lines", o.lines);
}

static int count_processes(const char *mark) {
    int n = 0;
    DIR *dir = opendir("/proc");
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[300];
        char text[4096] = "";
        (void)snprintf(path, sizeof path, "/proc/%s/cmdline", e->d_name);
        FILE *file = fopen(path, "re");
        if (file == NULL) {
            continue;
        }
        size_t got = fread(text, 1, sizeof text - 1, file);
        (void)fclose(file);
        n += memmem(text, got, mark, strlen(mark)) != NULL;
    }
    (void)closedir(dir);
    return n;
}

Test(runtime_train, children_end_with_the_worker) {
    outcome o;
    train(&o,
          "import subprocess, os\n"
          "def train(d, p, r):\n"
          "    subprocess.Popen(['sleep', '94.75'])\n"
          "    if os.fork() == 0:\n"
          "        import time; time.sleep(94)\n"
          "    return 1\n",
          "");
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    /* Killed, but the kernel may take a moment; the suite's timeout ends this loop. */
    while (count_processes("94.75") > 0) {
        (void)!edgeops_ctx_run(fixture_ctx, 10 * EDGEOPS_MILLISECOND);
    }
    cr_expect(lt(dbl, o.usage.wall_s, 20));
}

Test(runtime_train, threads_may_report) {
    outcome o;
    train(&o,
          "import threading\n"
          "def train(d, p, r):\n"
          "    def work():\n"
          "        for i in range(200): r.metric('m', i, i)\n"
          "    t = [threading.Thread(target=work) for _ in range(4)]\n"
          "    [x.start() for x in t]; [x.join() for x in t]\n"
          "    return 1\n",
          "");
    cr_expect(eq(int, o.status, EDGEOPS_OK), "%s", o.message);
    cr_expect(eq(int, o.metrics, 800));
}

Test(runtime_train, python_that_is_too_old_is_told) {
    edgeops_workflow *workflow = NULL;
    outcome o = {0};
    char *dir = new_dir("old");
    char *workflows = path_of("store");
    char *module = eop_path_join(dir, "flow.py");
    char *manifest = eop_path_join(dir, "workflow.json");
    const char *text =
        "{\"format\":1,\"name\":\"old\",\"version\":\"1.0.0\",\"python\":{\"module\":"
        "\"flow\",\"requires\":\">=3.9, <3.10\"}," FIXTURE_PORTS "}";
    const char *source = "def train(d, p, r): return 1\n";
    cr_assert(eq(int, eop_file_write(module, source, strlen(source), 0600), EDGEOPS_OK));
    cr_assert(eq(int, eop_file_write(manifest, text, strlen(text), 0600), EDGEOPS_OK));
    cr_assert(eq(int, edgeops_workflow_install(&workflow, workflows, dir), EDGEOPS_OK));
    cr_assert(eq(int, start(&o, workflow, NULL), EDGEOPS_OK));
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_E_WORKER));
    expect_in(o.message, "needs Python >=3.9, <3.10");
    edgeops_workflow_close(workflow);
    eop_free(dir);
    eop_free(workflows);
    eop_free(module);
    eop_free(manifest);
}

Test(runtime_train, worker_that_is_not_there_is_told) {
    edgeops_runtime_options options = EDGEOPS_RUNTIME_OPTIONS_INIT;
    edgeops_runtime *runtime = NULL;
    edgeops_runtime_options inited;
    edgeops_runtime_options_init(&inited, sizeof inited);
    cr_expect(eq(int, memcmp(&inited, &options, sizeof inited), 0));
    options.worker = "/nowhere/edgeops-worker";
    cr_expect(eq(int, edgeops_runtime_new(&runtime, fixture_ctx, &options), EDGEOPS_E_NOTFOUND));
    cr_expect(eq(ptr, runtime, NULL));
    expect_in(edgeops_error_last()->message, "EDGEOPS_WORKER");
}
