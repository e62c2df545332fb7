/* SPDX-License-Identifier: Apache-2.0 */
/* Operations of a local node: their answers, their errors, what stays after a restart. */
#include <errno.h>
#include <pthread.h>

#include "node_fixture.h"

#include <sys/stat.h>

#include "node/control/call.h"
#include "node/control/dispatch.h"
#include "node/files/predict.h"
#include "node/ops/ops_table.h"

TestSuite(node_control_call, .init = fixture_enter, .fini = fixture_leave, .timeout = 60);

static int64_t integer(const eop_json *json, const char *key) {
    return eop_json_integer(json, key, -1);
}

static void reopen(void) {
    edgeops_node_close(fixture_node);
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
}

/* Whatever else its arguments are, no operation takes this one. */
static void refuses_an_unknown_argument(const char *name, bool output) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    options.output = output ? memfd_create("o", 0) : -1;
    (void)call_with(fixture_node, &status, name, "{\"colour\":1}", &options);
    cr_expect(eq(int, status, EDGEOPS_E_INVALID), "%s: %s", name, edgeops_error_last()->message);
    if (options.output >= 0) {
        close(options.output);
    }
}

static void is_one_of(const char *name, const char *word, const char *const *words, size_t n) {
    bool found = false;
    for (size_t i = 0; i < n; i++) {
        found = found || strcmp(word, words[i]) == 0;
    }
    cr_expect(found, "%s: '%s'", name, word);
}

Test(node_control_call, every_operation_is_listed_with_all_that_is_said_of_it) {
    static const char *const roles[] = {"viewer", "operator", "engineer", "admin"};
    static const char *const effects[] = {"read", "change", "remove"};
    eop_json *ops = must("node.ops", NULL);
    const eop_json *items = eop_json_get(ops, "items");
    size_t n = 0;
    for (const eop_json *op = eop_json_first(items); op != NULL; op = eop_json_next(op), n++) {
        const char *name = eop_json_string(op, "name", "");
        const eop_op *found = eop_op_find(fixture_node, name);
        cr_assert(ne(ptr, (void *)found, NULL), "%s", name);
        cr_expect(eq(ptr, (void *)found->spec, (void *)eop_op_specs[n]), "%s", name);
        bool runs = found->run != NULL;
        cr_expect(runs != (found->start != NULL), "%s", name);
        is_one_of(name, eop_json_string(op, "role", ""), roles, EOP_COUNT(roles));
        is_one_of(name, eop_json_string(op, "effect", ""), effects, EOP_COUNT(effects));
        cr_expect(ne(str, (char *)eop_json_string(op, "summary", ""), ""), "%s", name);
        cr_expect(eq(int, eop_json_size(eop_json_get(op, "args")) > 0, 1), "%s", name);
        cr_expect(eq(int, eop_json_size(eop_json_get(op, "result")) > 0, 1), "%s", name);
        bool streams = eop_json_size(eop_json_get(op, "events")) > 0;
        cr_expect(streams == eop_json_bool(op, "streams", !streams), "%s", name);
        if (strcmp(name, "node.stop") != 0) {
            refuses_an_unknown_argument(name, eop_json_bool(op, "bulk_out", false));
        }
    }
    cr_expect(eq(ptr, (void *)eop_op_specs[n], NULL));
    cr_expect(gt(sz, n, 45));
    eop_json_free(ops);
}

Test(node_control_call, errors_name_what_is_wrong) {
    must_fail(EDGEOPS_E_NOTFOUND, "node.dance", NULL, "node.dance");
    must_fail(EDGEOPS_E_INVALID, "data.head", "{\"asset\":\"x\",\"rows\":0}", "rows");
    must_fail(EDGEOPS_E_INVALID, "data.head", "{\"asset\":\"x\",\"row\":5}", "row");
    must_fail(EDGEOPS_E_INVALID, "data.head", "{", "data.head");
    must_fail(EDGEOPS_E_INVALID, "data.head", "{}", "asset");
    must_fail(EDGEOPS_E_NOTFOUND, "data.head", "{\"asset\":\"x\"}", "x");
    must_fail(EDGEOPS_E_NOTFOUND, "asset.show", "{\"name\":\"x\"}", "'x'");
    must_fail(EDGEOPS_E_NOTFOUND, "model.show", "{\"model\":\"x\"}", "'x'");
    must_fail(EDGEOPS_E_NOTFOUND, "run.show", "{\"id\":5}", "'5'");
    must_fail(EDGEOPS_E_NOTFOUND, "source.show", "{\"name\":\"x\"}", "'x'");
    must_fail(EDGEOPS_E_NOTFOUND, "deployment.rm", "{\"name\":\"x\"}", "'x'");
    must_fail(EDGEOPS_E_NOTFOUND, "dataset.show", "{\"name\":\"x\"}", "x");
    must_fail(EDGEOPS_E_NOTFOUND, "workflow.show", "{\"workflow\":\"x\"}", "x");
    must_fail(EDGEOPS_E_INVALID, "data.import", "{\"asset\":\"x\"}", "input");
    must_fail(EDGEOPS_E_INVALID, "data.export", "{\"asset\":\"x\"}", "output");
    must_fail(EDGEOPS_E_INVALID, "node.stop", "{}", "daemon");
    must_fail(EDGEOPS_E_INVALID, "label.add",
              "{\"asset\":\"x\",\"start\":\"yesterday\",\"label\":\"l\"}", "yesterday");
}

Test(node_control_call, a_home_that_cannot_be_made_says_what_the_system_said) {
    edgeops_node *node = fixture_node;
    char file[96];
    char inside[112];
    (void)snprintf(file, sizeof file, "%s/file", fixture_root);
    (void)snprintf(inside, sizeof inside, "%s/home", file);
    cr_assert(eq(int, eop_file_write(file, "x", 1, 0600), EDGEOPS_OK));
    cr_expect(eq(int, edgeops_node_open(&node, fixture_ctx, inside, NULL), EDGEOPS_E_IO));
    cr_expect(eq(ptr, node, NULL));
    cr_expect(eq(int, edgeops_error_last()->os_errno, ENOTDIR));
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, inside), NULL), "%s",
              edgeops_error_last()->message);
}

Test(node_control_call, status_and_doctor_say_how_it_is) {
    eop_json *status = must("node.status", "{}");
    cr_expect(eq(str, (char *)eop_json_string(status, "layer", ""), "edge"));
    cr_expect(eq(str, (char *)eop_json_string(status, "mode", ""), "local"));
    cr_expect(eq(i64, integer(status, "pid"), getpid()));
    cr_expect(eq(str, (char *)eop_json_string(eop_json_get(status, "disk"), "state", ""), "ok"));
    eop_json_free(status);
    eop_json *doctor = must("doctor", NULL);
    cr_expect(gt(sz, eop_json_size(eop_json_get(doctor, "checks")), 5));
    eop_json_free(doctor);
}

Test(node_control_call, durability_is_set_and_kept) {
    eop_json *r = must("node.status", NULL);
    cr_expect(eq(str, (char *)eop_json_string(r, "durability", ""), "process"));
    eop_json_free(r);
    r = must("node.set", "{\"durability\":\"power\"}");
    cr_expect(eq(str, (char *)eop_json_string(r, "durability", ""), "power"));
    eop_json_free(r);
    must_fail(EDGEOPS_E_INVALID, "node.set", "{\"durability\":\"hope\"}", "durability");
    edgeops_node_close(fixture_node);
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    r = must("node.status", NULL);
    cr_expect(eq(str, (char *)eop_json_string(r, "durability", ""), "power"));
    eop_json_free(r);
}

Test(node_control_call, import_export_and_labels) {
    char *csv = csv_rows(10);
    char *out = NULL;
    static const char args[] = "{\"asset\":\"m/1\",\"label_column\":\"class\",\"columns\":{\"a\":"
                               "{\"type\":\"float64\",\"unit\":\"um\"}},\"batch\":3}";
    eop_json *r = bulk(fixture_node, "data.import", args, csv, NULL);
    cr_expect(eq(i64, integer(r, "rows"), 10));
    cr_expect(eq(i64, integer(r, "appended"), 10));
    cr_expect(eq(i64, integer(r, "labels"), 2));
    eop_json_free(r);
    /* Once more: nothing is doubled. */
    r = bulk(fixture_node, "data.import", args, csv, NULL);
    cr_expect(eq(i64, integer(r, "appended"), 0));
    cr_expect(eq(i64, integer(r, "duplicates"), 10));
    cr_expect(eq(i64, integer(r, "labels"), 0));
    eop_json_free(r);
    r = must("asset.show", "{\"name\":\"m/1\"}");
    const eop_json *a = eop_json_first(eop_json_get(r, "channels"));
    cr_expect(eq(str, (char *)eop_json_string(a, "unit", ""), "um"));
    eop_json_free(r);
    r = bulk(fixture_node, "data.export",
             "{\"asset\":\"m/1\",\"labels\":true,\"start\":\"2026-01-01T00:00:04Z\","
             "\"end\":\"2026-01-01T00:00:06Z\"}",
             NULL, &out);
    cr_expect(eq(i64, integer(r, "rows"), 2));
    cr_expect(eq(str, out,
                 "time,a,b,label\n2026-01-01T00:00:04Z,4,40,low\n"
                 "2026-01-01T00:00:05Z,5,50,high\n"));
    eop_free(out);
    eop_json_free(r);
    r = bulk(fixture_node, "data.export",
             "{\"asset\":\"m/1\",\"format\":\"jsonl\",\"channels\":[\"b\"],\"start\":"
             "\"2026-01-01T00:00:09Z\"}",
             NULL, &out);
    cr_expect(eq(str, out, "{\"time\":\"2026-01-01T00:00:09Z\",\"b\":90}\n"));
    eop_free(out);
    eop_json_free(r);
    r = must("data.stats", "{\"asset\":\"m/1\"}");
    a = eop_json_first(eop_json_get(r, "channels"));
    cr_expect(eq(dbl, eop_json_number(a, "mean", 0), 4.5));
    cr_expect(eq(dbl, eop_json_number(a, "max", 0), 9));
    eop_json_free(r);
    r = must("data.head", "{\"asset\":\"m/1\",\"rows\":1,\"last\":true}");
    char *text = eop_json_print(r);
    cr_expect(eq(str, text,
                 "{\"columns\":[\"time\",\"a\",\"b\"],\"rows\":"
                 "[[\"2026-01-01T00:00:09Z\",9,90]]}"));
    eop_free(text);
    eop_json_free(r);
    eop_free(csv);
}

Test(node_control_call, a_bad_row_names_its_line) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    options.input = file_of("time,a\n\nnever,1\n2026-01-01T00:00:00Z,2\n");
    (void)call_with(fixture_node, &status, "data.import", "{\"asset\":\"x\",\"what\":\"x.csv\"}",
                    &options);
    cr_expect(eq(int, status, EDGEOPS_E_INVALID));
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, "x.csv:3"), NULL), "%s",
              edgeops_error_last()->message);
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, "no row was stored"), NULL), "%s",
              edgeops_error_last()->message);
    close(options.input);
}

Test(node_control_call, an_import_that_breaks_off_says_what_is_there) {
    static const char args[] = "{\"asset\":\"x\",\"batch\":2}";
    static const char rows[] = "time,a\n2026-01-01T00:00:00Z,1\n2026-01-01T00:00:01Z,2\n"
                               "2026-01-01T00:00:02Z,3\n";
    edgeops_status status = EDGEOPS_OK;
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    char *broken = eop_format("%snever,4\n", rows);
    options.input = file_of(broken);
    (void)call_with(fixture_node, &status, "data.import", args, &options);
    const char *message = edgeops_error_last()->message;
    cr_expect(eq(int, status, EDGEOPS_E_INVALID));
    cr_expect(ne(ptr, strstr(message, "3 rows before it are stored"), NULL), "%s", message);
    cr_expect(ne(ptr, strstr(message, "again is safe"), NULL), "%s", message);
    eop_json *r = bulk(fixture_node, "data.import", args, rows, NULL);
    cr_expect(eq(i64, integer(r, "duplicates"), 3));
    cr_expect(eq(i64, integer(r, "appended"), 0));
    eop_json_free(r);
    close(options.input);
    eop_free(broken);
}

Test(node_control_call, labels_imported_twice_are_there_once) {
    static const char labels[] = "asset,start,end,label,author\n"
                                 "m/1,2026-01-01T00:00:00Z,2026-01-01T00:00:02Z,low,me\n"
                                 "m/1,2026-01-01T00:00:02Z,,high,\n"
                                 "n/1,2026-01-01T00:00:00.5Z,2026-01-01T00:00:03Z,\"a, b\",you\n";
    import_rows(4); /* with two labels of its own */
    eop_json_free(bulk(fixture_node, "data.import", "{\"asset\":\"n/1\"}",
                       "time,a\n2026-01-01T00:00:00Z,1\n", NULL));
    for (int i = 0; i < 3; i++) {
        eop_json_free(bulk(fixture_node, "label.import", "{}", labels, NULL));
        eop_json *r = must("label.ls", NULL);
        cr_expect(eq(sz, eop_json_size(eop_json_get(r, "items")), 5));
        eop_json_free(r);
        reopen();
    }
}

Test(node_control_call, labels_come_and_go) {
    import_rows(4);
    eop_json *r = must("label.add", "{\"asset\":\"m/1\",\"start\":\"2026-01-01T00:00:01Z\","
                                    "\"label\":\"odd\",\"author\":\"me\"}");
    char *args = eop_format("{\"id\":%lld}", (long long)integer(r, "id"));
    eop_json_free(r);
    r = bulk(fixture_node, "label.import", "{\"asset\":\"m/1\"}",
             "start,end,label\n2026-01-01T00:00:00Z,2026-01-01T00:00:02Z,low\n", NULL);
    cr_expect(eq(i64, integer(r, "labels"), 1));
    eop_json_free(r);
    r = must("label.ls", "{\"asset\":\"m/1\"}");
    cr_expect(eq(sz, eop_json_size(eop_json_get(r, "items")), 4));
    eop_json_free(r);
    must_do("label.rm", args);
    must_fail(EDGEOPS_E_NOTFOUND, "label.rm", args, "");
    eop_free(args);
}

static bool has_check(const eop_json *json, const char *key) {
    return eop_json_get(json, key) != NULL;
}

Test(node_control_call, train_and_predict) {
    eop_json *r = NULL;
    char *out = NULL;
    make_model(1);
    r = must("model.show", "{\"model\":\"m1\"}");
    cr_expect(eq(dbl, eop_json_number(eop_json_get(r, "metrics"), "cut", 0), 20));
    cr_expect(eq(dbl, eop_json_number(eop_json_get(r, "params"), "gain", 0), 2));
    cr_expect(gt(sz, eop_json_size(eop_json_get(r, "files")), 0));
    char *run_args = eop_format("{\"id\":%lld}", (long long)integer(r, "run"));
    eop_json_free(r);
    r = must("run.show", run_args);
    cr_expect(eq(str, (char *)eop_json_string(r, "state", ""), "succeeded"));
    cr_expect(eq(sz, eop_json_size(eop_json_get(r, "history")), 1));
    cr_expect(has_check(r, "usage"));
    eop_json_free(r);
    r = bulk(fixture_node, "run.log", run_args, NULL, &out);
    cr_expect(ne(ptr, strstr(out, "the cut is at 20"), NULL), "%s", out);
    eop_free(out);
    eop_json_free(r);
    eop_free(run_args);
    /* On a dataset: 40 rows, one gives None, one raises. */
    r = bulk(fixture_node, "predict", "{\"model\":\"m1\",\"dataset\":\"d1\"}", NULL, &out);
    cr_expect(eq(i64, integer(r, "windows"), 40));
    cr_expect(eq(i64, integer(r, "predictions"), 38));
    cr_expect(eq(i64, integer(r, "errors"), 1));
    cr_expect(eq(i64, integer(r, "skipped"), 1));
    cr_expect(eq(dbl, eop_json_number(eop_json_get(r, "metrics"), "accuracy", 0), 1));
    cr_expect(eq(dbl, eop_json_number(eop_json_get(r, "metrics"), "macro_f1", 0), 1));
    cr_expect(ne(ptr,
                 strstr(out, "time,asset,class,score,label,error\n"
                             "2026-01-01T00:00:00Z,m/1,low,0,low,\n"),
                 NULL),
              "%s", out);
    cr_expect(ne(ptr, strstr(out, "unlucky"), NULL));
    eop_free(out);
    eop_json_free(r);
    r = bulk(fixture_node, "predict",
             "{\"model\":\"m1\",\"asset\":\"m/1\",\"end\":\"2026-01-01T00:00:18Z\"}", NULL, &out);
    cr_expect(ne(ptr,
                 strstr(out, "time,asset,class,score,label,error\n"
                             "2026-01-01T00:00:00Z,m/1,low,0,low,\n"),
                 NULL),
              "%s", out);
    cr_expect(ne(ptr, strstr(eop_json_string(r, "first_error", ""), "unlucky"), NULL));
    eop_free(out);
    eop_json_free(r);
    /* Not one window comes through. */
    edgeops_status status = EDGEOPS_OK;
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    options.input = file_of("b,a\n1,17\n1,17\n");
    (void)call_with(fixture_node, &status, "predict", "{\"model\":\"m1\"}", &options);
    cr_expect(eq(int, status, EDGEOPS_E_WORKER));
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, "unlucky"), NULL), "%s",
              edgeops_error_last()->message);
    close(options.input);
    /* On a file without times. */
    r = bulk(fixture_node, "predict", "{\"model\":\"m1\",\"format\":\"jsonl\"}",
             "b,a\n1,19\n1,20\n", &out);
    cr_expect(
        eq(str, out,
           "{\"time\":\"1970-01-01T00:00:00Z\",\"outputs\":{\"class\":\"low\",\"score\":38}}\n"
           "{\"time\":\"1970-01-01T00:00:01Z\",\"outputs\":{\"class\":\"high\",\"score\":40}}"
           "\n"));
    eop_free(out);
    eop_json_free(r);
    /* On a range of an asset, without rows. */
    r = bulk(fixture_node, "predict",
             "{\"model\":\"m1\",\"asset\":\"m/1\",\"start\":\"2026-01-01T00:00:30Z\"}", NULL, NULL);
    cr_expect(eq(i64, integer(r, "windows"), 10));
    eop_json_free(r);
    must_fail(EDGEOPS_E_INVALID, "predict", "{\"model\":\"m1\"}", "dataset");
    must_fail(EDGEOPS_E_EXISTS, "train",
              "{\"workflow\":\"flow\",\"dataset\":\"d1\",\"name\":\"m1\"}", "m1");
    must_fail(EDGEOPS_E_INVALID, "train",
              "{\"workflow\":\"flow\",\"dataset\":\"d1\",\"params\":{\"gian\":1}}", "gian");
    must_fail(EDGEOPS_E_BUSY, "workflow.rm", "{\"workflow\":\"flow\"}", "m1");
    reopen();
    r = must("run.ls", "{\"limit\":2}");
    cr_expect(eq(sz, eop_json_size(eop_json_get(r, "items")), 2));
    eop_json_free(r);
    must_do("model.rm", "{\"model\":\"m1\"}");
    must_do("workflow.rm", "{\"workflow\":\"flow\"}");
    char *models = eop_path_join(fixture_home, "models/m1");
    cr_expect(not(eop_file_exists(models)));
    eop_free(models);
}

Test(node_control_call, a_relative_home_works) {
    edgeops_node_close(fixture_node);
    cr_assert(eq(int, chdir(fixture_root), 0));
    strcpy(fixture_home, "./nowhere/../relative");
    cr_assert(eq(int, mkdir("nowhere", 0700), 0));
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    make_model(1);
    eop_json *r = must("predict", "{\"model\":\"m1\",\"dataset\":\"d1\"}");
    cr_expect(eq(i64, integer(r, "predictions"), 38));
    eop_json_free(r);
    r = must("node.status", NULL);
    char *expected = eop_format("%s/relative", fixture_root);
    cr_expect(eq(str, (char *)eop_json_string(r, "home", ""), expected));
    eop_free(expected);
    eop_json_free(r);
}

Test(node_control_call, windows_do_not_span_groups) {
    char *out = NULL;
    make_model(2);
    eop_json *r = bulk(
        fixture_node, "predict", "{\"model\":\"m1\",\"group_column\":\"g\",\"label_column\":\"l\"}",
        "g,a,b,l\nx,1,0,low\nx,2,0,low\ny,30,0,high\ny,31,0,low\ny,32,0,low\nx,3,0,low\n", &out);
    cr_expect(eq(str, out,
                 "time,asset,class,score,label,error\n"
                 "1970-01-01T00:00:01Z,x,low,4,low,\n"
                 "1970-01-01T00:00:03Z,y,high,62,,\n"
                 "1970-01-01T00:00:04Z,y,high,64,low,\n"
                 "1970-01-01T00:00:05Z,x,low,6,low,\n"),
              "%s", out);
    cr_expect(eq(i64, integer(eop_json_get(r, "metrics"), "labelled"), 3));
    eop_free(out);
    eop_json_free(r);
}

Test(node_control_call, a_training_that_fails_leaves_a_run_and_no_model) {
    import_rows(4);
    must_do("dataset.create", "{\"name\":\"d1\",\"assets\":[\"m/1\"]}");
    add_workflow("def train(d, p, run):\n    raise RuntimeError('no idea')\n"
                 "def predict(m, w, p):\n    return None\n",
                 1);
    must_fail(EDGEOPS_E_WORKER, "train", "{\"workflow\":\"flow\",\"dataset\":\"d1\"}", "no idea");
    eop_json *r = must("run.ls", NULL);
    const eop_json *run = eop_json_first(eop_json_get(r, "items"));
    cr_expect(eq(str, (char *)eop_json_string(run, "state", ""), "failed"));
    eop_json_free(r);
    r = must("model.ls", NULL);
    cr_expect(eq(sz, eop_json_size(eop_json_get(r, "items")), 0));
    eop_json_free(r);
}

typedef struct outcome {
    bool done;
    edgeops_status status;
    edgeops_call *call;
    int events;
} outcome;

static void on_done(edgeops_status status, const char *result, const char *message,
                    void *user_data) {
    outcome *o = user_data;
    o->done = true;
    o->status = status;
    cr_expect(eq(int, status == EDGEOPS_OK, result != NULL));
    cr_expect(eq(int, status < 0, message != NULL));
}

static void on_event_cancel(const char *event_json, void *user_data) {
    outcome *o = user_data;
    o->events++;
    if (strstr(event_json, "\"progress\"") != NULL) {
        edgeops_call_cancel(o->call);
    }
}

static void wait_for(const outcome *o) {
    while (!o->done) {
        cr_assert(eq(int, edgeops_ctx_run(fixture_ctx, 0) == EDGEOPS_E_INVALID, 0));
    }
}

Test(node_control_call, a_training_can_be_canceled) {
    outcome o = {0};
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    import_rows(4);
    must_do("dataset.create", "{\"name\":\"d1\",\"assets\":[\"m/1\"]}");
    add_workflow("def train(d, p, run):\n    run.progress(0.1)\n    while True: pass\n"
                 "def predict(m, w, p):\n    return None\n",
                 1);
    options.on_event = on_event_cancel;
    options.user_data = &o;
    cr_assert(eq(int,
                 edgeops_node_call_start(&o.call, fixture_node, "train",
                                         "{\"workflow\":\"flow\",\"dataset\":\"d1\"}", &options,
                                         on_done, &o),
                 EDGEOPS_OK));
    cr_expect(not(o.done));
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_E_CANCELED));
    eop_json *r = must("run.show", "{\"id\":1}");
    cr_expect(eq(str, (char *)eop_json_string(r, "state", ""), "canceled"));
    eop_json_free(r);
}

Test(node_control_call, a_reader_that_waits_is_canceled) {
    int ends[2];
    outcome o = {0};
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    cr_assert(eq(int, pipe(ends), 0));
    options.input = ends[0];
    cr_assert(eq(int,
                 edgeops_node_call_start(&o.call, fixture_node, "data.import", "{\"asset\":\"x\"}",
                                         &options, on_done, &o),
                 EDGEOPS_OK));
    (void)!edgeops_ctx_run(fixture_ctx, 20 * EDGEOPS_MILLISECOND);
    cr_expect(not(o.done));
    edgeops_call_cancel(o.call);
    wait_for(&o);
    cr_expect(eq(int, o.status, EDGEOPS_E_CANCELED));
    close(ends[0]);
    close(ends[1]);
}

Test(node_control_call, closing_ends_what_is_under_way) {
    int ends[2];
    outcome o = {0};
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    cr_assert(eq(int, pipe(ends), 0));
    options.input = ends[0];
    cr_assert(eq(int,
                 edgeops_node_call_start(&o.call, fixture_node, "data.import", "{\"asset\":\"x\"}",
                                         &options, on_done, &o),
                 EDGEOPS_OK));
    reopen();
    cr_expect(o.done);
    cr_expect(eq(int, o.status, EDGEOPS_E_CANCELED));
    close(ends[0]);
    close(ends[1]);
}

static void call_inside(const char *event_json, void *user_data) {
    (void)event_json;
    edgeops_status *status = user_data;
    *status = edgeops_node_call(NULL, fixture_node, "node.status", NULL, NULL);
}

Test(node_control_call, a_blocking_call_inside_a_callback_is_refused) {
    edgeops_status inside = EDGEOPS_OK;
    edgeops_call_options options = EDGEOPS_CALL_OPTIONS_INIT;
    import_rows(4);
    must_do("dataset.create", "{\"name\":\"d1\",\"assets\":[\"m/1\"]}");
    add_workflow(FLOW_SOURCE, 1);
    options.on_event = call_inside;
    options.user_data = &inside;
    cr_assert(eq(int,
                 edgeops_node_call(NULL, fixture_node, "train",
                                   "{\"workflow\":\"flow\",\"dataset\":\"d1\"}", &options),
                 EDGEOPS_OK));
    cr_expect(eq(int, inside, EDGEOPS_E_INVALID));
}

Test(node_control_call, sources_persist_and_hide_secrets) {
    if (!has_mqtt()) {
        cr_skip_test("built without MQTT");
    }
    must_do("source.add",
            "{\"name\":\"line\",\"driver\":\"mqtt\",\"config\":{\"url\":\"127.0.0.1:1\","
            "\"topics\":[\"t/#\"],\"user\":\"u\",\"password\":\"hush\"}}");
    must_fail(EDGEOPS_E_EXISTS, "source.add",
              "{\"name\":\"line\",\"driver\":\"mqtt\",\"config\":{\"url\":\"127.0.0.1:1\","
              "\"topics\":[\"t/#\"]}}",
              "line");
    must_fail(EDGEOPS_E_INVALID, "source.add",
              "{\"name\":\"bad\",\"driver\":\"mqtt\",\"config\":{\"url\":\"127.0.0.1:1\","
              "\"topics\":[\"t/#\"],\"colour\":1}}",
              "colour");
    must_fail(EDGEOPS_E_NOTFOUND, "source.add", "{\"name\":\"bad\",\"driver\":\"smoke\"}", "smoke");
    must_fail(EDGEOPS_E_INVALID, "source.add", "{\"name\":\"Bad Name\",\"driver\":\"mqtt\"}",
              "Bad Name");
    reopen();
    eop_json *r = must("source.show", "{\"name\":\"line\"}");
    char *text = eop_json_print(r);
    cr_expect(eq(ptr, strstr(text, "hush"), NULL), "%s", text);
    cr_expect(ne(ptr, strstr(text, "***"), NULL), "%s", text);
    cr_expect(eq(str, (char *)eop_json_string(r, "state", ""), "stopped"));
    eop_free(text);
    eop_json_free(r);
    must_do("source.stop", "{\"name\":\"line\"}");
    must_do("source.rm", "{\"name\":\"line\"}");
    r = must("source.ls", NULL);
    cr_expect(eq(sz, eop_json_size(eop_json_get(r, "items")), 0));
    eop_json_free(r);
}

static void *unlock_soon(void *fd) {
    (void)usleep(200 * 1000);
    (void)close(*(int *)fd);
    return NULL;
}

Test(node_control_call, a_home_that_is_free_soon_is_waited_for) {
    static const edgeops_node_mode modes[] = {EDGEOPS_NODE_AUTO, EDGEOPS_NODE_LOCAL};
    for (size_t i = 0; i < 2; i++) {
        edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
        edgeops_node *node = NULL;
        char home[100], lock[120];
        int fd = -1, owner = 0;
        pthread_t thread;
        (void)snprintf(home, sizeof home, "%s/other%zu", fixture_root, i);
        (void)snprintf(lock, sizeof lock, "%s/lock", home);
        cr_assert(eq(int, eop_mkdirs(home, 0700), EDGEOPS_OK));
        cr_assert(eq(int, eop_lock_file(&fd, &owner, lock), EDGEOPS_OK));
        cr_assert(eq(int, ftruncate(fd, 0), 0)); /* as before the pid is in it */
        options.mode = modes[i];
        options.wait = 100 * EDGEOPS_MILLISECOND;
        edgeops_duration begun = eop_monotonic();
        cr_expect(eq(int, edgeops_node_open(&node, fixture_ctx, home, &options), EDGEOPS_E_BUSY));
        cr_expect(ge(i64, eop_monotonic() - begun, options.wait));
        cr_expect(ne(ptr, strstr(edgeops_error_last()->message, "by another process"), NULL), "%s",
                  edgeops_error_last()->message);
        options.wait = 0;
        cr_assert(eq(int, pthread_create(&thread, NULL, unlock_soon, &fd), 0));
        cr_expect(eq(int, edgeops_node_open(&node, fixture_ctx, home, &options), EDGEOPS_OK));
        (void)pthread_join(thread, NULL);
        edgeops_node_close(node);
    }
}

Test(node_control_call, a_second_owner_is_told_who_has_the_home) {
    char pid[32];
    edgeops_node *second = NULL;
    edgeops_node_options options = EDGEOPS_NODE_OPTIONS_INIT;
    options.mode = EDGEOPS_NODE_LOCAL;
    options.wait = -1;
    (void)snprintf(pid, sizeof pid, "%d", getpid());
    cr_expect(
        eq(int, edgeops_node_open(&second, fixture_ctx, fixture_home, &options), EDGEOPS_E_BUSY));
    cr_expect(eq(ptr, second, NULL));
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, pid), NULL), "%s",
              edgeops_error_last()->message);
    options.mode = EDGEOPS_NODE_REMOTE;
    cr_expect(eq(int, edgeops_node_open(&second, fixture_ctx, fixture_home, &options),
                 EDGEOPS_E_NOTFOUND));
    options.mode = EDGEOPS_NODE_AUTO;
    options.must_exist = 1;
    cr_expect(eq(int, edgeops_node_open(&second, fixture_ctx, "/nonexistent/home", &options),
                 EDGEOPS_E_NOTFOUND));
}

Test(node_control_call, scores_are_those_of_the_textbook) {
    eop_score score = {0};
    static const char *const pairs[][2] = {{"a", "a"}, {"a", "b"}, {"b", "b"},
                                           {"b", "b"}, {"c", "a"}, {"a", "a"}};
    for (size_t i = 0; i < 6; i++) {
        cr_assert(eq(int, eop_score_add(&score, pairs[i][0], pairs[i][1], strlen(pairs[i][1])),
                     EDGEOPS_OK));
    }
    eop_json *json = eop_score_json(&score);
    cr_expect(epsilon_eq(dbl, eop_json_number(json, "accuracy", 0), 4.0 / 6, 1e-12));
    /* f1: a 4/6, b 4/5, c 0 */
    cr_expect(epsilon_eq(dbl, eop_json_number(json, "macro_f1", 0), (4.0 / 6 + 0.8) / 3, 1e-12));
    eop_json_free(json);
    eop_score_dispose(&score);
}
