/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets on their way to a model: the parts that train() and predict see, the digest beside the
 * training, and the common rate, slice by slice, against that of a workflow's window, row by row. */
#include <sqlite3.h>

#include "base/column_view.h"
#include "edgeops/dataset.h"
#include "node_fixture.h"
#include "runtime/window.h"

TestSuite(node_ops_dataset, .init = fixture_enter, .fini = fixture_leave, .timeout = 110);

/* Says how many rows and windows it got of each part, and of which times. */
#define LOOK_SOURCE                                                                                \
    "import time\n"                                                                                \
    "def train(d, params, run):\n"                                                                 \
    "    for part in (d, d.test, d.validation):\n"                                                 \
    "        if part is not None:\n"                                                               \
    "            run.metric(part.subset + '/rows', len(part))\n"                                   \
    "            run.metric(part.subset + '/windows', len(part.windows()))\n"                      \
    "            run.metric(part.subset + '/last', part.values[-1, 0])\n"                          \
    "            run.metric(part.subset + '/classes', len(set(part.labels)))\n"                    \
    "    if params['gain'] > 5: time.sleep(params['gain'] / 10)\n"                                 \
    "    if params['gain'] == 3: raise ValueError('no')\n"                                         \
    "    return 20.0\n"                                                                            \
    "def predict(model, w, params):\n"                                                             \
    "    a = float(w.column('a')[-1])\n"                                                           \
    "    return {'class': 'high' if a >= model else 'low', 'score': a}\n"

static double metric(const eop_json *result, const char *name) {
    return eop_json_number(eop_json_get(result, "metrics"), name, -1);
}

Test(node_ops_dataset, train_gets_its_part_and_predict_the_test) {
    import_rows(40);
    add_workflow(LOOK_SOURCE, 4);
    must_do("dataset.create", "{\"name\":\"d\",\"assets\":[\"m/1\"],\"split\":"
                              "\"time:2026-01-01T00:00:30Z\",\"validation\":"
                              "\"2026-01-01T00:00:24Z\",\"window\":\"4\"}");
    eop_json *r = must("train", "{\"workflow\":\"flow\",\"dataset\":\"d\",\"name\":\"m\"}");
    cr_expect(eq(dbl, metric(r, "train/rows"), 24));
    cr_expect(eq(dbl, metric(r, "train/windows"), 21));
    cr_expect(eq(dbl, metric(r, "train/last"), 23));
    cr_expect(eq(dbl, metric(r, "validation/rows"), 6));
    cr_expect(eq(dbl, metric(r, "validation/windows"), 3));
    cr_expect(eq(dbl, metric(r, "test/rows"), 10));
    cr_expect(eq(dbl, metric(r, "test/last"), 39));
    cr_expect(eq(dbl, metric(r, "test/classes"), 1));
    eop_json_free(r);
    static const struct {
        const char *part;
        int windows;
    } parts[] = {{"", 7},
                 {",\"part\":\"test\"", 7},
                 {",\"part\":\"train\"", 21},
                 {",\"part\":\"validation\"", 3},
                 {",\"part\":\"all\"", 37}};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        char *args = eop_format("{\"model\":\"m\",\"dataset\":\"d\"%s}", parts[i].part);
        char *out = NULL;
        r = bulk(fixture_node, "predict", args, NULL, &out);
        cr_expect(eq(i64, eop_json_integer(r, "windows", 0), parts[i].windows), "%s", args);
        eop_json_free(r);
        eop_free(out);
        eop_free(args);
    }
    must_do("dataset.create", "{\"name\":\"plain\",\"assets\":[\"m/1\"]}");
    must_fail(EDGEOPS_E_INVALID, "predict",
              "{\"model\":\"m\",\"dataset\":\"plain\",\"part\":\"test\"}", "no split");
    must_fail(EDGEOPS_E_INVALID, "predict", "{\"model\":\"m\",\"asset\":\"m/1\",\"part\":\"test\"}",
              "part");
}

Test(node_ops_dataset, no_window_spans_two_blocks) {
    import_rows(40);
    add_workflow(LOOK_SOURCE, 4);
    must_do("dataset.create", "{\"name\":\"d\",\"assets\":[\"m/1\"],\"split\":\"fraction:0.4\","
                              "\"block\":\"5s\",\"seed\":1}");
    eop_json *r = must("train", "{\"workflow\":\"flow\",\"dataset\":\"d\",\"name\":\"m\"}");
    double rows = metric(r, "train/rows") + metric(r, "test/rows");
    double windows = metric(r, "train/windows") + metric(r, "test/windows");
    cr_expect(eq(dbl, rows, 40));
    /* 3 less for each run of blocks. */
    int runs = (int)(40 - windows) / 3;
    cr_expect(eq(dbl, windows, 40 - 3 * runs));
    cr_expect(gt(int, runs, 1));
    eop_json_free(r);
}

Test(node_ops_dataset, other_windows_than_the_manifests_are_refused) {
    import_rows(40);
    add_workflow(LOOK_SOURCE, 4);
    must_do("dataset.create", "{\"name\":\"rows\",\"assets\":[\"m/1\"],\"window\":\"8\"}");
    must_fail(EDGEOPS_E_INVALID, "train", "{\"workflow\":\"flow\",\"dataset\":\"rows\"}",
              "windows of 8 rows");
    must_do("dataset.create", "{\"name\":\"time\",\"assets\":[\"m/1\"],\"window\":\"4s\"}");
    must_fail(EDGEOPS_E_INVALID, "train", "{\"workflow\":\"flow\",\"dataset\":\"time\"}", "rate");
    must_do("dataset.create",
            "{\"name\":\"good\",\"assets\":[\"m/1\"],\"window\":\"2s\",\"rate\":\"2Hz\"}");
    eop_json *r = must("train", "{\"workflow\":\"flow\",\"dataset\":\"good\"}");
    cr_expect(eq(dbl, metric(r, "train/rows"), 79));
    eop_json_free(r);
    must_fail(EDGEOPS_E_INVALID, "dataset.create",
              "{\"name\":\"x\",\"assets\":[\"m/1\"],\"rate\":\"2\"}", "rate");
    must_fail(EDGEOPS_E_INVALID, "dataset.create",
              "{\"name\":\"x\",\"assets\":[\"m/1\"],\"split\":\"row:0.2\"}", "split");
    must_fail(EDGEOPS_E_INVALID, "dataset.create",
              "{\"name\":\"x\",\"assets\":[\"m/1\"],\"split\":\"time:2\"}", "split");
    must_fail(EDGEOPS_E_INVALID, "dataset.create",
              "{\"name\":\"x\",\"assets\":[\"m/1\"],\"window\":\"0\"}", "window");
}

/* -- the digest beside the training -- */

static void spoil(void) {
    char path[120];
    sqlite3 *db = NULL;
    (void)snprintf(path, sizeof path, "%s/catalog.db", fixture_home);
    cr_assert(eq(int, sqlite3_open(path, &db), SQLITE_OK));
    /* Its last digit, which is always there to be changed. */
    cr_assert(eq(int,
                 sqlite3_exec(db,
                              "UPDATE dataset SET digest = substr(digest, 1, length(digest) - 1) "
                              "|| iif(substr(digest, -1) = '0', '1', '0')",
                              NULL, NULL, NULL),
                 SQLITE_OK));
    sqlite3_close(db);
}

/* Training that is over first, that is over last, and that fails by itself. */
Test(node_ops_dataset, a_wrong_digest_is_the_runs_error_whichever_ends_first) {
    static const char *const gains[] = {"2", "30", "3"};
    import_rows(40);
    add_workflow(LOOK_SOURCE, 1);
    must_do("dataset.create", "{\"name\":\"d\",\"assets\":[\"m/1\"]}");
    must_fail(EDGEOPS_E_WORKER, "train",
              "{\"workflow\":\"flow\",\"dataset\":\"d\",\"params\":{\"gain\":3}}", "no");
    spoil();
    for (size_t i = 0; i < sizeof gains / sizeof *gains; i++) {
        char *args = eop_format("{\"workflow\":\"flow\",\"dataset\":\"d\",\"name\":\"m\","
                                "\"params\":{\"gain\":%s}}",
                                gains[i]);
        must_fail(EDGEOPS_E_CORRUPT, "train", args, "is not what was frozen");
        eop_free(args);
    }
    eop_json *r = must("model.ls", NULL);
    cr_expect(eq(sz, eop_json_size(eop_json_get(r, "items")), 0));
    eop_json_free(r);
}

/* -- the common rate and the grid -- */

static uint64_t dice = 3;

static uint32_t roll(uint32_t n) {
    dice = dice * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(dice >> 33) % n;
}

static void append(edgeops_store *store, edgeops_time time, int64_t seq) {
    static const char *const names[] = {"x", "word"};
    char text[8];
    (void)snprintf(text, sizeof text, "w%u", roll(9));
    edgeops_value values[] = {
        {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = roll(1000)},
        {.type = EDGEOPS_TYPE_STRING, .size = (uint32_t)strlen(text), .as.str = text}};
    edgeops_sample sample = {"g", time, seq, roll(2) + 1u, names, values};
    cr_assert(eq(int, edgeops_store_append(NULL, store, &sample, 1, NULL), EDGEOPS_OK));
}

static void compare(const edgeops_table *aligned, const edgeops_table *grid) {
    static const edgeops_type types[] = {EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_STRING};
    cr_assert(eq(u64, aligned->rows, grid->rows));
    for (uint64_t i = 0; i < grid->rows; i++) {
        cr_assert(eq(i64, aligned->times[i], grid->times[i]));
        for (size_t k = 0; k < grid->column_count; k++) {
            edgeops_value a = eop_column_widen(&aligned->columns[k], i, types[k]);
            edgeops_value b = eop_column_widen(&grid->columns[k], i, types[k]);
            cr_assert(eq(int, (int)a.type, (int)b.type));
            if (a.type == EDGEOPS_TYPE_FLOAT64) {
                cr_assert(eq(dbl, a.as.f64, b.as.f64));
            } else if (a.type == EDGEOPS_TYPE_STRING) {
                cr_assert(eq(u32, a.size, b.size));
                cr_assert(eq(int, memcmp(a.as.str, b.as.str, a.size), 0));
            }
        }
    }
}

Test(node_ops_dataset, a_common_rate_gives_the_points_of_a_grid) {
    static const edgeops_port inputs[] = {{"x", "", EDGEOPS_TYPE_FLOAT64},
                                          {"word", "", EDGEOPS_TYPE_STRING}};
    static const char *const channels[] = {"x", "word"};
    static const char *const assets[] = {"g"};
    edgeops_store *store = NULL;
    char *home = eop_path_join(fixture_root, "store");
    cr_assert(eq(int, edgeops_store_open(&store, home, NULL), EDGEOPS_OK));
    edgeops_time time = -5000;
    for (int i = 0; i < 500; i++) {
        uint32_t step = roll(40);
        append(store, time, i);
        time += step == 0 ? 70 * 65536 : step == 1 ? (70 - time % 70) % 70 : step * 5;
    }
    for (uint32_t fill = 0; fill < 3; fill++) {
        edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
        edgeops_window_spec spec = {.rows = 1, .step = 1, .period = 70, .fill = fill};
        edgeops_dataset *raw = NULL;
        edgeops_dataset *aligned = NULL;
        eop_window_cutter *cutter = NULL;
        eop_window window;
        char name[16];
        options.assets = assets;
        options.asset_count = 1;
        options.channels = channels;
        options.channel_count = 2;
        for (int on_rate = 0; on_rate < 2; on_rate++) {
            (void)snprintf(name, sizeof name, "d%u-%d", fill, on_rate);
            options.name = name;
            options.period = on_rate ? 70 : 0;
            options.fill = on_rate ? fill : 0;
            cr_assert(eq(int, edgeops_dataset_create(store, &options), EDGEOPS_OK), "%s",
                      edgeops_error_last()->message);
            cr_assert(
                eq(int, edgeops_dataset_read(on_rate ? &aligned : &raw, store, name), EDGEOPS_OK));
        }
        cr_assert(eq(int, eop_window_new(&cutter, &spec, inputs, 2), EDGEOPS_OK));
        eop_window_keep(cutter);
        const edgeops_table *rows = raw->parts[0].table;
        cr_assert(eq(int, eop_window_feed(cutter, rows, 0, rows->rows, NULL), EDGEOPS_OK));
        while (eop_window_next(cutter, &window) == EDGEOPS_OK) {
        }
        compare(aligned->parts[0].table, eop_window_table(cutter));
        eop_window_free(cutter);
        edgeops_dataset_free(raw);
        edgeops_dataset_free(aligned);
    }
    edgeops_store_close(store);
    eop_free(home);
}

#define SUM_SOURCE                                                                                 \
    "import numpy as np\n"                                                                         \
    "def train(d, params, run):\n"                                                                 \
    "    w = d.windows()\n"                                                                        \
    "    run.metric('rows', len(d))\n"                                                             \
    "    run.metric('windows', len(w))\n"                                                          \
    "    run.metric('sum', w.values.sum())\n"                                                      \
    "    run.metric('second', (np.asarray(w.groups) == 'm/2').sum())\n"                            \
    "    run.metric('high', (np.asarray(d.labels) == 'high').sum())\n"                             \
    "    run.metric('mixed', sum(l not in ('low', 'high') for l in w.labels))\n"                   \
    "    run.metric('time', int(d.times[-1] - d.times[0]))\n"                                      \
    "    return 20.0\n"                                                                            \
    "def predict(model, w, params):\n"                                                             \
    "    return {'class': 'low', 'score': 1.0}\n"

/* The rows go from the store straight to the worker; the windows are cut there. */
static void train_on_two(int window_rows, int windows, double sum, int second, int mixed) {
    char *csv = csv_rows(10);
    import_rows(40);
    eop_json_free(bulk(fixture_node, "data.import",
                       "{\"asset\":\"m/2\",\"label_column\":\"class\"}", csv, NULL));
    eop_free(csv);
    add_workflow(SUM_SOURCE, window_rows);
    must_do("dataset.create", "{\"name\":\"d\",\"assets\":[\"m/*\"]}");
    eop_json *r = must("train", "{\"workflow\":\"flow\",\"dataset\":\"d\",\"name\":\"m\"}");
    cr_expect(eq(dbl, metric(r, "rows"), 50));
    cr_expect(eq(dbl, metric(r, "windows"), windows));
    cr_expect(eq(dbl, metric(r, "sum"), sum));
    cr_expect(eq(dbl, metric(r, "second"), second));
    cr_expect(eq(dbl, metric(r, "high"), 25));
    cr_expect(eq(dbl, metric(r, "mixed"), mixed));
    cr_expect(eq(dbl, metric(r, "time"), 9e9));
    eop_json_free(r);
}

Test(node_ops_dataset, windows_of_rows_that_come_straight_from_the_store) {
    /* 11 (4 k + 6) summed over k < 37 and k < 7 */
    train_on_two(4, 44, 31746 + 1386, 7, 6);
}

Test(node_ops_dataset, rows_that_come_straight_from_the_store) {
    train_on_two(1, 50, 11 * (780 + 45), 10, 0);
}
