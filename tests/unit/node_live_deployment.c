/* SPDX-License-Identifier: Apache-2.0 */
/* Deployments with real workers: what comes in is answered once, in order, over restarts and
 * deaths of the worker; and on MQTT with a real broker. */
#include "node_live_fixture.h"

#include "node/live/deployment.h"
#include "store/inner.h"
#include "support/broker.h"

enum { SEEN_MAX = 20000 };

static const char *expected_asset = "m/1";

static struct {
    size_t count;
    size_t good;
    size_t errors;
    size_t timed; /* with a latency */
    edgeops_time times[SEEN_MAX];
    char last_class[16];
    char last_message[256];
} seen;

static void on_prediction(const edgeops_node_prediction *p, void *user_data) {
    (void)user_data;
    cr_assert(lt(sz, seen.count, SEEN_MAX));
    cr_expect(eq(str, (char *)p->asset, (char *)expected_asset));
    seen.times[seen.count++] = p->time;
    seen.timed += p->latency > 0;
    if (p->status == EDGEOPS_OK) {
        seen.good++;
        cr_assert(eq(sz, p->count, 2));
        (void)snprintf(seen.last_class, sizeof seen.last_class, "%.*s", (int)p->values[0].size,
                       p->values[0].as.str);
    } else {
        seen.errors++;
        (void)snprintf(seen.last_message, sizeof seen.last_message, "%s", p->message);
    }
}

static void enter(void) {
    fixture_enter();
    memset(&seen, 0, sizeof seen);
    edgeops_node_on_prediction(fixture_node, on_prediction, NULL);
}

TestSuite(node_live_deployment, .init = enter, .fini = fixture_leave, .timeout = 60);

static void run_until(const size_t *counter, size_t n) {
    edgeops_duration until = eop_monotonic() + 40 * EDGEOPS_SECOND;
    while (*counter < n) {
        cr_assert(lt(i64, eop_monotonic(), until), "%zu of %zu; %s", *counter, n,
                  seen.last_message);
        (void)!edgeops_ctx_run(fixture_ctx, 5 * EDGEOPS_MILLISECOND);
    }
}

/* Appends rows a = from .. to - 1, later than those of make_model(). */
static void append(size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        append_row(edgeops_node_store(fixture_node), T0 + (edgeops_time)(100 + i) * EDGEOPS_SECOND,
                   (double)i);
    }
}

/* a = 13 gives nothing, 17 an error. */
static void expect_times(size_t from, size_t n) {
    size_t i = from;
    for (size_t k = 0; k < n; k++, i++) {
        i += i == 13;
        cr_assert(eq(i64, seen.times[k], T0 + (edgeops_time)(100 + i) * EDGEOPS_SECOND), "%zu", k);
    }
}

Test(node_live_deployment, predicts_what_comes_in) {
    make_model(1);
    start();
    eop_json *r = must("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\"}");
    cr_expect(eq(str, (char *)eop_json_string(r, "name", ""), "m1-m.1"));
    eop_json_free(r);
    append(0, 30);
    run_until(&seen.count, 29);
    expect_times(0, 29);
    cr_expect(eq(sz, seen.errors, 1));
    cr_expect(ne(ptr, strstr(seen.last_message, "unlucky"), NULL), "%s", seen.last_message);
    cr_expect(eq(str, seen.last_class, "high"));
    cr_expect(gt(sz, seen.timed, 0));
    cr_expect(eq(i64, rows_of("predictions/m1-m.1"), 28));
    r = must("deployment.show", "{\"name\":\"m1-m.1\"}");
    cr_expect(eq(str, (char *)eop_json_string(r, "state", ""), "running"));
    cr_expect(eq(i64, eop_json_integer(r, "predictions", 0), 28));
    cr_expect(eq(i64, eop_json_integer(r, "errors", 0), 1));
    cr_expect(eq(i64, eop_json_integer(r, "lag", -1), 0));
    cr_expect(gt(i64, eop_json_integer(eop_json_get(r, "latency_us"), "count", 0), 0));
    cr_expect(eq(ptr, (void *)eop_json_string(r, "publish", NULL), NULL));
    eop_json_free(r);
    must_fail(EDGEOPS_E_BUSY, "model.rm", "{\"model\":\"m1\"}", "m1-m.1");
    must_fail(EDGEOPS_E_BUSY, "asset.rm", "{\"name\":\"m/1\"}", "m1-m.1");
    must_fail(EDGEOPS_E_EXISTS, "deploy", "{\"model\":\"m1\",\"asset\":\"m/1\"}", "m1-m.1");
    must_do("deployment.rm", "{\"name\":\"m1-m.1\"}");
    must_do("model.rm", "{\"model\":\"m1\"}");
}

Test(node_live_deployment, goes_on_without_a_gap_after_a_restart) {
    make_model(3);
    start();
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"live\"}");
    append(20, 30);
    run_until(&seen.count, 8); /* 22, 23, ... 29 */
    reopen();
    append(30, 40); /* while nobody looks */
    memset(&seen, 0, sizeof seen);
    start();
    run_until(&seen.count, 10); /* 30 sees the rows 28 and 29 as well */
    expect_times(30, 10);
    must_do("deployment.stop", "{\"name\":\"live\"}");
    append(40, 50);
    reopen();
    start();
    eop_json *r = must("deployment.show", "{\"name\":\"live\"}");
    cr_expect(eq(str, (char *)eop_json_string(r, "state", ""), "stopped"));
    cr_expect(eq(i64, eop_json_integer(r, "lag", 0), 10));
    eop_json_free(r);
    memset(&seen, 0, sizeof seen);
    must_do("deployment.start", "{\"name\":\"live\"}");
    run_until(&seen.count, 10);
    expect_times(40, 10);
    cr_expect(eq(i64, rows_of("predictions/live"), 28));
}

Test(node_live_deployment, now_stays_now_when_nothing_was_predicted) {
    make_model(1);
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"live\"}");
    append(20, 25);
    reopen();
    start();
    run_until(&seen.count, 5);
    expect_times(20, 5);
}

Test(node_live_deployment, catches_up_from_the_start) {
    make_model(1);
    append(100, 5100);
    start();
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"all\",\"from\":\"start\"}");
    run_until(&seen.count, 5039);
    cr_expect(eq(i64, rows_of("predictions/all"), 5038));
    cr_expect(eq(i64, seen.times[5038], T0 + (edgeops_time)(100 + 5099) * EDGEOPS_SECOND));
}

static int64_t number_of(const char *name, const char *key) {
    char *args = eop_format("{\"name\":\"%s\"}", name);
    eop_json *r = must("deployment.show", args);
    int64_t value = eop_json_integer(r, key, -1);
    eop_json_free(r);
    eop_free(args);
    return value;
}

/* Turns the loop until the deployment shows this text under this key. */
static void wait_text(const char *name, const char *key, const char *part) {
    char *args = eop_format("{\"name\":\"%s\"}", name);
    edgeops_duration until = eop_monotonic() + 20 * EDGEOPS_SECOND;
    for (bool found = false; !found;) {
        eop_json *r = must("deployment.show", args);
        const char *text = eop_json_string(r, key, "");
        found = strstr(text, part) != NULL;
        cr_assert(lt(i64, eop_monotonic(), until), "%s: '%s'", key, text);
        eop_json_free(r);
        (void)!edgeops_ctx_run(fixture_ctx, 5 * EDGEOPS_MILLISECOND);
    }
    eop_free(args);
}

static void append_values(const char *asset, edgeops_time time, size_t n,
                          const char *const *channels, const edgeops_value *values) {
    edgeops_sample sample = {
        .asset = asset, .time = time, .count = n, .channels = channels, .values = values};
    cr_assert(eq(int,
                 edgeops_store_append(NULL, edgeops_node_store(fixture_node), &sample, 1, NULL),
                 EDGEOPS_OK));
}

static const char *const ab[] = {"a", "b"};
static const edgeops_value ones[] = {{.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 1},
                                     {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 1}};

Test(node_live_deployment, an_asset_that_lacks_inputs_is_refused) {
    static const edgeops_value text[] = {{.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 1},
                                         {.type = EDGEOPS_TYPE_STRING, .as.str = "x", .size = 1}};
    make_model(1);
    start();
    append_values("half", T0, 1, ab, ones);
    append_values("typed", T0, 2, ab, text);
    static const char *const operations[] = {"deploy", "predict.follow", "predict"};
    for (size_t i = 0; i < EOP_COUNT(operations); i++) {
        must_fail(EDGEOPS_E_INVALID, operations[i], "{\"model\":\"m1\",\"asset\":\"half\"}",
                  "no channel 'b'");
        must_fail(EDGEOPS_E_INVALID, operations[i], "{\"model\":\"m1\",\"asset\":\"typed\"}",
                  "'b' is string");
    }
    eop_json *r = must("deployment.ls", NULL);
    cr_expect(eq(sz, eop_json_size(eop_json_get(r, "items")), 0));
    eop_json_free(r);
}

Test(node_live_deployment, waits_for_what_has_not_come) {
    make_model(1);
    start();
    expected_asset = "new";
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"new\",\"name\":\"live\"}");
    wait_text("live", "state", "waiting");
    wait_text("live", "detail", "asset 'new' has no samples yet");
    append_values("new", T0, 1, ab, ones);
    wait_text("live", "detail", "channel 'b' of asset 'new' has not come yet");
    append_values("new", T0 + EDGEOPS_SECOND, 2, ab, ones);
    run_until(&seen.good, 2); /* the one that came first, too */
    wait_text("live", "state", "running");
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"never\",\"name\":\"idle\"}");
    must_do("deployment.rm", "{\"name\":\"idle\"}");
    must_fail(EDGEOPS_E_NOTFOUND, "asset.show", "{\"name\":\"predictions/idle\"}", "idle");
}

Test(node_live_deployment, a_type_that_comes_out_wrong_fails_it) {
    static const edgeops_value text[] = {{.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 1},
                                         {.type = EDGEOPS_TYPE_STRING, .as.str = "x", .size = 1}};
    make_model(1);
    start();
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"new\",\"name\":\"live\"}");
    wait_text("live", "state", "waiting");
    append_values("new", T0, 2, ab, text);
    wait_text("live", "state", "failed");
    wait_text("live", "detail", "'b' is string");
}

Test(node_live_deployment, failing_windows_are_seen) {
    make_model(1);
    start();
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"live\"}");
    eop_json *r = must("deployment.show", "{\"name\":\"live\"}");
    const eop_json *latency = eop_json_get(r, "latency_us");
    cr_expect(eq(int, eop_json_type(eop_json_get(latency, "p50")), EOP_JSON_NULL));
    cr_expect(eq(i64, eop_json_integer(latency, "count", -1), 0));
    cr_expect(not(eop_json_bool(r, "published", true)));
    cr_expect(ne(ptr, strstr(eop_json_string(r, "note", ""), "not published"), NULL));
    eop_json_free(r);
    for (size_t i = 0; i < 30; i++) {
        append_row(edgeops_node_store(fixture_node), T0 + (edgeops_time)(100 + i) * EDGEOPS_SECOND,
                   17);
    }
    run_until(&seen.errors, 30);
    wait_text("live", "detail", "30 of the last 30 windows failed");
    wait_text("live", "detail", "unlucky");
    wait_text("live", "state", "running");
    r = must("doctor", NULL);
    char *text = eop_json_print(r);
    const char *check = strstr(text, "\"deployment live\",\"state\":\"warn\"");
    cr_expect(ne(ptr, (void *)check, NULL), "%s", text);
    eop_free(text);
    eop_json_free(r);
    /* Long enough well again: no more of it. */
    append(40, 100);
    run_until(&seen.good, 60);
    r = must("deployment.show", "{\"name\":\"live\"}");
    cr_expect(eq(str, (char *)eop_json_string(r, "detail", "?"), ""));
    eop_json_free(r);
    r = must("node.status", NULL);
    cr_expect(eq(i64, eop_json_integer(eop_json_get(r, "runs"), "running", -1), 0));
    eop_json_free(r);
}

static void expect_counters(int64_t windows, int64_t predictions) {
    cr_expect(eq(i64, number_of("live", "windows"), windows));
    cr_expect(eq(i64, number_of("live", "predictions"), predictions));
    cr_expect(eq(i64, number_of("live", "errors"), 1));
    cr_expect(eq(i64, number_of("live", "skipped"), 1));
}

Test(node_live_deployment, counters_go_on_over_stops_and_restarts) {
    make_model(1);
    start();
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"live\"}");
    append(0, 30);
    run_until(&seen.count, 29);
    expect_counters(30, 28);
    must_do("deployment.stop", "{\"name\":\"live\"}");
    expect_counters(30, 28);
    must_do("deployment.start", "{\"name\":\"live\"}");
    append(30, 40);
    run_until(&seen.count, 39);
    expect_counters(40, 38);
    reopen();
    expect_counters(40, 38);
    eop_json *r = must("deployment.start", "{\"name\":\"live\"}");
    cr_expect(ne(ptr, strstr(eop_json_string(r, "note", ""), "node serve"), NULL));
    eop_json_free(r);
    start();
    append(40, 41);
    run_until(&seen.count, 40);
    expect_counters(41, 39);
}

Test(node_live_deployment, predictions_that_stand_in_the_way_are_told) {
    make_model(1);
    must_do("train", "{\"workflow\":\"flow\",\"dataset\":\"d1\",\"name\":\"m2\","
                     "\"params\":{\"gain\":3}}");
    start();
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"live\",\"from\":\"start\"}");
    run_until(&seen.count, 39);
    must_do("deployment.rm", "{\"name\":\"live\"}");
    must_do("deploy", "{\"model\":\"m2\",\"asset\":\"m/1\",\"name\":\"live\",\"from\":\"start\"}");
    run_until(&seen.count, 78);
    cr_expect(eq(i64, number_of("live", "predictions"), 38));
    cr_expect(eq(i64, number_of("live", "conflicts"), 37)); /* 3 * 0 is 2 * 0 */
    wait_text("live", "note", "37 predictions are not stored");
}

/* Row i of "m/2", whose channel a began with a whole number. */
static edgeops_status append_typed(size_t i, double a) {
    static const char *const names[] = {"a", "b"};
    bool whole = (double)(int64_t)a == a;
    edgeops_value values[] = {{.type = EDGEOPS_TYPE_INT64, .as.i64 = (int64_t)a},
                              {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 1.5}};
    if (!whole) {
        values[0] = (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = a};
    }
    edgeops_sample sample = {
        "m/2", T0 + (edgeops_time)(100 + i) * EDGEOPS_SECOND, 0, 2, names, values, NULL};
    return edgeops_store_append(NULL, edgeops_node_store(fixture_node), &sample, 1, NULL);
}

Test(node_live_deployment, goes_on_when_a_channel_changes_its_type) {
    expected_asset = "m/2";
    make_model(1);
    start();
    for (size_t i = 20; i < 30; i++) {
        cr_assert(eq(int, append_typed(i, (double)i), EDGEOPS_OK));
    }
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"m/2\",\"name\":\"live\",\"from\":\"start\"}");
    run_until(&seen.count, 10);
    cr_assert(eq(int, append_typed(30, 30.5), EDGEOPS_E_INVALID));
    must_fail(EDGEOPS_E_BUSY, "asset.set",
              "{\"name\":\"m/2\",\"channel\":\"a\",\"type\":\"string\"}",
              "deployment 'live' takes channel 'a' as float64; stop it first");
    must_fail(EDGEOPS_E_BUSY, "asset.set",
              "{\"name\":\"predictions/live\",\"channel\":\"score\",\"type\":\"string\"}",
              "deployment 'live' writes asset 'predictions/live'; remove it first");
    must_do("asset.set", "{\"name\":\"m/2\",\"channel\":\"a\",\"type\":\"float64\"}");
    for (size_t i = 30; i < 40; i++) {
        cr_assert(eq(int, append_typed(i, (double)i + 0.5), EDGEOPS_OK));
    }
    run_until(&seen.count, 20);
    expect_times(20, 20);
    cr_expect(eq(sz, seen.errors, 0));
    cr_expect(eq(i64, rows_of("predictions/live"), 20));
}

Test(node_live_deployment, a_dead_worker_is_replaced) {
    import_rows(40);
    must_do("dataset.create", "{\"name\":\"d1\",\"assets\":[\"m/1\"]}");
    add_workflow("import os, signal\n"
                 "def train(d, p, run):\n    return 1\n"
                 "def predict(m, w, p):\n"
                 "    a = float(w.column('a')[0])\n"
                 "    if a == 25: os.kill(os.getpid(), signal.SIGKILL)\n"
                 "    return {'class': 'x', 'score': a}\n",
                 1);
    must_do("train", "{\"workflow\":\"flow\",\"dataset\":\"d1\",\"name\":\"m1\"}");
    start();
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"live\"}");
    append(20, 40);
    run_until(&seen.count, 20);
    cr_expect(eq(sz, seen.good, 19));
    cr_expect(eq(sz, seen.errors, 1));
    expect_times(20, 20);
    eop_json *r = must("deployment.show", "{\"name\":\"live\"}");
    cr_expect(gt(i64, eop_json_integer(r, "restarts", 0), 0));
    cr_expect(eq(str, (char *)eop_json_string(r, "state", ""), "running"));
    eop_json_free(r);
}

Test(node_live_deployment, a_crash_of_the_node_loses_and_doubles_nothing) {
    make_model(1);
    start();
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"live\"}");
    edgeops_node_close(fixture_node);
    for (int kill_at = 1; kill_at <= 40; kill_at += 13) {
        pid_t child = fork();
        cr_assert(ge(int, child, 0));
        if (child == 0) {
            /* Killed in the middle of its work. */
            open_in_child();
            memset(&seen, 0, sizeof seen);
            start();
            append((size_t)kill_at * 100, (size_t)kill_at * 100 + 200);
            while (seen.count < (size_t)kill_at) {
                (void)!edgeops_ctx_run(fixture_ctx, EDGEOPS_MILLISECOND);
            }
            (void)raise(SIGKILL);
        }
        expect_killed(child);
    }
    open_again();
    start();
    for (int64_t rows = 0; rows < 800;) {
        (void)!edgeops_ctx_run(fixture_ctx, 5 * EDGEOPS_MILLISECOND);
        rows = rows_of("predictions/live");
        cr_assert(le(i64, rows, 800));
    }
    eop_json *r = must("run.ls", NULL);
    const eop_json *run = eop_json_next(eop_json_first(eop_json_get(r, "items")));
    cr_expect(eq(str, (char *)eop_json_string(run, "state", ""), "lost"));
    eop_json_free(r);
}

/* -- with a broker -- */

static void add_named(const char *name, const char *url) {
    char *args = eop_format(
        "{\"name\":\"%s\",\"driver\":\"mqtt\",\"config\":{\"url\":\"%s\",\"topics\":[\"m/#\"],"
        "\"password\":\"not asked for\",\"user\":\"u\"}}",
        name, url);
    must_do("source.add", args);
    eop_free(args);
}

static void add_source(const test_broker *broker) {
    add_named("line", test_broker_url(broker));
}

static char *messages(size_t from, size_t to) {
    eop_buf buf = {0};
    for (size_t i = from; i < to; i++) {
        char time[40];
        eop_format_time(time, T0 + (edgeops_time)(100 + i) * EDGEOPS_SECOND);
        eop_buf_printf(&buf, "{\"time\":\"%s\",\"a\":%zu,\"b\":%zu}\n", time, i, 10 * i);
    }
    return eop_buf_take(&buf);
}

static bool source_runs(void) {
    eop_json *r = must("source.show", "{\"name\":\"line\"}");
    bool runs = strcmp(eop_json_string(r, "state", ""), "running") == 0;
    eop_json_free(r);
    return runs;
}

static void wait_source(void) {
    edgeops_duration until = eop_monotonic() + 20 * EDGEOPS_SECOND;
    while (!source_runs()) {
        cr_assert(lt(i64, eop_monotonic(), until));
        (void)!edgeops_ctx_run(fixture_ctx, 5 * EDGEOPS_MILLISECOND);
    }
}

static void wait_outbox(void) {
    edgeops_duration until = eop_monotonic() + 20 * EDGEOPS_SECOND;
    eop_outbox_counts counts = {.waiting = 1};
    while (counts.waiting > 0) {
        cr_assert(lt(i64, eop_monotonic(), until));
        (void)!edgeops_ctx_run(fixture_ctx, 5 * EDGEOPS_MILLISECOND);
        eop_outbox_count(&counts, eop_store_catalog(edgeops_node_store(fixture_node)), "line",
                         "live");
    }
}

static void expect_dead_letter(void) {
    edgeops_duration until = eop_monotonic() + 20 * EDGEOPS_SECOND;
    for (bool found = false; !found;) {
        cr_assert(lt(i64, eop_monotonic(), until));
        (void)!edgeops_ctx_run(fixture_ctx, 5 * EDGEOPS_MILLISECOND);
        eop_json *r = must("source.show", "{\"name\":\"line\"}");
        const eop_json *letter = eop_json_first(eop_json_get(r, "dead_letters"));
        if (letter != NULL) {
            found = true;
            cr_expect(eq(str, (char *)eop_json_string(letter, "topic", ""), "m/1"));
            cr_expect(eq(str, (char *)eop_json_string(letter, "payload", ""), "{\"a\":"));
            cr_expect(ne(str, (char *)eop_json_string(letter, "reason", ""), ""));
        }
        eop_json_free(r);
    }
}

Test(node_live_deployment, from_mqtt_to_mqtt) {
    if (!has_mqtt()) {
        cr_skip_test("built without MQTT");
    }
    if (test_broker_missing() != NULL) {
        cr_skip_test("%s", test_broker_missing());
    }
    test_broker_options options = {0};
    test_broker *broker = test_broker_new(&options);
    test_broker_start(broker);
    make_model(1);
    add_source(broker);
    start();
    wait_source();
    eop_json *r = must("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"live\"}");
    cr_expect(eq(str, (char *)eop_json_string(r, "publish", ""), "edgeops/predictions/live"));
    cr_expect(eq(str, (char *)eop_json_string(r, "source", ""), "line"));
    eop_json_free(r);
    int sub = test_subscribe(broker, "edgeops/predictions/#", "out");
    char *lines = messages(20, 30);
    test_publish(broker, "m/1", 1, lines, NULL);
    eop_free(lines);
    run_until(&seen.good, 10);
    wait_outbox();
    char *text = test_wait_messages(broker, "out", 10);
    cr_expect(ne(ptr,
                 strstr(text, "{\"deployment\":\"live\",\"model\":\"m1\",\"asset\":\"m/1\","
                              "\"time\":\"2026-01-01T00:02:00Z\",\"outputs\":{\"class\":\"high\","
                              "\"score\":40},\"latency_us\":"),
                 NULL),
              "%s", text);
    free(text);
    /* What is no sample is kept, with the reason. */
    test_publish(broker, "m/1", 1, "{\"a\":\n", NULL);
    expect_dead_letter();
    char *args = eop_format("{\"driver\":\"mqtt\",\"config\":{\"url\":\"%s\",\"topics\":[\"m/#\"]},"
                            "\"seconds\":3}",
                            test_broker_url(broker));
    r = must("source.test", args);
    cr_expect(eop_json_bool(r, "ok", false), "%s", eop_json_string(r, "detail", ""));
    eop_json_free(r);
    eop_free(args);
    /* The broker is away: what is predicted meanwhile waits, and goes when it is back. */
    must_fail(EDGEOPS_E_BUSY, "source.rm", "{\"name\":\"line\"}", "live");
    test_unsubscribe(sub);
    test_broker_kill(broker);
    append(30, 40);
    run_until(&seen.good, 20);
    test_broker_start(broker);
    sub = test_subscribe(broker, "edgeops/predictions/#", "later");
    wait_outbox();
    text = test_wait_messages(broker, "later", 1);
    free(text);
    test_unsubscribe(sub);
    r = must("node.status", NULL);
    char *status = eop_json_print(r);
    cr_expect(eq(ptr, strstr(status, "not asked for"), NULL));
    eop_free(status);
    eop_json_free(r);
    edgeops_node_stop(fixture_node);
    test_broker_free(broker);
}

static test_broker *broker_or_skip(void) {
    if (!has_mqtt()) {
        cr_skip_test("built without MQTT");
    }
    if (test_broker_missing() != NULL) {
        cr_skip_test("%s", test_broker_missing());
    }
    test_broker_options options = {0};
    test_broker *broker = test_broker_new(&options);
    test_broker_start(broker);
    return broker;
}

Test(node_live_deployment, the_broker_of_an_asset_is_known_after_a_restart) {
    test_broker *broker = broker_or_skip();
    make_model(1);
    start();
    add_source(broker);
    /* The answer came when it was connected: what is published now is not missed. */
    cr_assert(source_runs());
    char *lines = messages(20, 21);
    test_publish(broker, "m/1", 1, lines, NULL);
    eop_free(lines);
    edgeops_duration until = eop_monotonic() + 20 * EDGEOPS_SECOND;
    while (rows_of("m/1") < 41) {
        cr_assert(lt(i64, eop_monotonic(), until));
        (void)!edgeops_ctx_run(fixture_ctx, 5 * EDGEOPS_MILLISECOND);
    }
    add_named("other", "127.0.0.1:1");
    must_fail(EDGEOPS_E_INVALID, "deploy", "{\"model\":\"m1\",\"asset\":\"m/2\"}", "--source");
    reopen();
    start();
    eop_json *r = must("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"live\"}");
    cr_expect(eq(str, (char *)eop_json_string(r, "source", ""), "line"));
    cr_expect(eop_json_bool(r, "published", false));
    eop_json_free(r);
    edgeops_node_stop(fixture_node);
    test_broker_free(broker);
}

static bool has_row(size_t i) {
    char time[40];
    eop_format_time(time, T0 + (edgeops_time)(100 + i) * EDGEOPS_SECOND);
    eop_json *r = must("asset.show", "{\"name\":\"m/1\"}");
    bool found = strcmp(eop_json_string(r, "last", ""), time) == 0;
    eop_json_free(r);
    return found;
}

static void publish_rows(const test_broker *broker, size_t from, size_t to) {
    char *lines = messages(from, to);
    test_publish(broker, "m/1", 1, lines, NULL);
    eop_free(lines);
}

Test(node_live_deployment, nothing_is_kept_for_a_source_that_was_removed) {
    test_broker *broker = broker_or_skip();
    import_rows(40);
    start();
    add_source(broker);
    must_do("source.rm", "{\"name\":\"line\"}");
    publish_rows(broker, 20, 30); /* nobody is there to take them */
    add_source(broker);
    wait_source();
    publish_rows(broker, 30, 31);
    edgeops_duration until = eop_monotonic() + 20 * EDGEOPS_SECOND;
    while (!has_row(30)) {
        cr_assert(lt(i64, eop_monotonic(), until));
        (void)!edgeops_ctx_run(fixture_ctx, 5 * EDGEOPS_MILLISECOND);
    }
    cr_expect(eq(i64, rows_of("m/1"), 41));
    edgeops_node_stop(fixture_node);
    test_broker_free(broker);
}

Test(node_live_deployment, publishes_once_a_source_feeds_its_asset) {
    test_broker *broker = broker_or_skip();
    make_model(1);
    start();
    must_do("deploy", "{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"live\"}");
    wait_text("live", "note", "not published");
    add_source(broker);
    cr_assert(source_runs());
    char *lines = messages(20, 21);
    test_publish(broker, "m/1", 1, lines, NULL);
    eop_free(lines);
    wait_text("live", "source", "line");
    wait_text("live", "publish", "edgeops/predictions/live");
    int sub = test_subscribe(broker, "edgeops/predictions/#", "out");
    lines = messages(21, 25);
    test_publish(broker, "m/1", 1, lines, NULL);
    eop_free(lines);
    run_until(&seen.good, 5);
    wait_outbox();
    free(test_wait_messages(broker, "out", 4));
    test_unsubscribe(sub);
    edgeops_node_stop(fixture_node);
    test_broker_free(broker);
}

Test(node_live_deployment, a_test_of_a_source_tells_what_is_refused) {
    test_broker *broker = broker_or_skip();
    static const char *const retain[] = {"-r", NULL};
    test_publish(broker, "m/old", 1, "{\"a\":\n", retain);
    char *args = eop_format("{\"driver\":\"mqtt\",\"config\":{\"url\":\"%s\",\"topics\":[\"m/#\"]},"
                            "\"seconds\":0.5}",
                            test_broker_url(broker));
    eop_json *r = must("source.test", args);
    cr_expect(not(eop_json_bool(r, "ok", true)));
    cr_expect(eq(i64, eop_json_integer(r, "refused", 0), 1));
    cr_expect(eq(str, (char *)eop_json_string(r, "first_refused_topic", ""), "m/old"));
    cr_expect(ne(str, (char *)eop_json_string(r, "first_refused_reason", ""), ""));
    eop_json_free(r);
    eop_free(args);
    test_broker_free(broker);
}
