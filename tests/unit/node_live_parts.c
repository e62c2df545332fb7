/* SPDX-License-Identifier: Apache-2.0 */
/* Deployments on assets whose rows come in parts, with real workers: each row is answered once, in
 * the order of the first parts, whole or when its wait is over, over restarts and kills. */
#include <math.h>

#include "node_live_fixture.h"

#define ASSET "line/1"
/* Rows of it begin here. */
#define T1 (T0 + 1000 * EDGEOPS_SECOND)

enum { SEEN_MAX = 5000 };

typedef struct answer {
    edgeops_time time;
    int64_t seq;
    char lacks[8]; /* what was null */
    double score;  /* a + b / 1000 of the newest row, a null as -1 */
} answer;

static struct {
    size_t count;
    answer list[SEEN_MAX];
} seen;

#define PARTS_SOURCE                                                                               \
    "import math\n"                                                                                \
    "def train(d, params, run):\n"                                                                 \
    "    return 1\n"                                                                               \
    "def predict(model, w, params):\n"                                                             \
    "    a, b = float(w.column('a')[-1]), float(w.column('b')[-1])\n"                              \
    "    lacks = ('a' if math.isnan(a) else '') + ('b' if math.isnan(b) else '')\n"                \
    "    a, b = (-1 if math.isnan(x) else x for x in (a, b))\n"                                    \
    "    return {'class': lacks or 'none', 'score': a + b / 1000}\n"

static void on_prediction(const edgeops_node_prediction *p, void *user_data) {
    (void)user_data;
    cr_assert(lt(sz, seen.count, SEEN_MAX));
    cr_assert(eq(int, p->status, EDGEOPS_OK), "%s", p->message);
    answer *a = &seen.list[seen.count++];
    a->time = p->time;
    a->seq = p->seq;
    a->score = p->values[1].as.f64;
    (void)snprintf(a->lacks, sizeof a->lacks, "%.*s", (int)p->values[0].size, p->values[0].as.str);
}

static void enter(void) {
    fixture_enter();
    memset(&seen, 0, sizeof seen);
    edgeops_node_on_prediction(fixture_node, on_prediction, NULL);
}

TestSuite(node_live_parts, .init = enter, .fini = fixture_leave, .timeout = 120);

static void make_parts_model(const char *window) {
    make_model_of(4, PARTS_SOURCE, window);
}

static void deploy(const char *more) {
    char *args = eop_format("{\"model\":\"m1\",\"asset\":\"" ASSET "\",\"name\":\"live\"%s}", more);
    must_do("deploy", args);
    eop_free(args);
}

static void turn(edgeops_duration time) {
    edgeops_duration until = eop_monotonic() + time;
    do {
        (void)!edgeops_ctx_run(fixture_ctx, 2 * EDGEOPS_MILLISECOND);
    } while (eop_monotonic() < until);
}

static void run_until(size_t n) {
    edgeops_duration until = eop_monotonic() + 30 * EDGEOPS_SECOND;
    while (seen.count < n) {
        cr_assert(lt(i64, eop_monotonic(), until), "%zu of %zu", seen.count, n);
        turn(0);
    }
}

static edgeops_time time_of(size_t row) {
    return T1 + (edgeops_time)row * EDGEOPS_SECOND;
}

/* A part of row i: a = i, b = 10 i; channels: "a", "b" or "ab". */
static void put(size_t row, const char *channels) {
    const char *names[2];
    edgeops_value values[2];
    size_t n = 0;
    for (const char *c = channels; *c != '\0'; c++, n++) {
        names[n] = *c == 'a' ? "a" : "b";
        values[n] = (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64,
                                    .as.f64 = (double)row * (*c == 'a' ? 1 : 10)};
    }
    edgeops_sample sample = {
        .asset = ASSET, .time = time_of(row), .count = n, .channels = names, .values = values};
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    cr_assert(eq(int,
                 edgeops_store_append(&result, edgeops_node_store(fixture_node), &sample, 1, NULL),
                 EDGEOPS_OK),
              "%s", edgeops_error_last()->message);
    cr_assert(eq(u64, result.appended + result.merged, 1));
}

static void expect_answer(size_t k, size_t row, const char *lacks) {
    const answer *a = &seen.list[k];
    cr_assert(lt(sz, k, seen.count));
    cr_expect(eq(i64, a->time, time_of(row)), "answer %zu", k);
    cr_expect(eq(str, (char *)a->lacks, (char *)lacks), "answer %zu", k);
    if (strcmp(lacks, "none") == 0) {
        cr_expect(eq(dbl, a->score, (double)row + 10 * (double)row / 1000), "answer %zu", k);
    }
}

/* A count of `parts` in deployment.show; -1: null. */
static int64_t part_count(const char *key) {
    eop_json *r = must("deployment.show", "{\"name\":\"live\"}");
    int64_t value = eop_json_integer(eop_json_get(r, "parts"), key, -1);
    eop_json_free(r);
    return value;
}

static void expect_text(const char *key, const char *in, const char *part) {
    eop_json *r = must("deployment.show", "{\"name\":\"live\"}");
    const eop_json *object = in != NULL ? eop_json_get(r, in) : r;
    const char *text = eop_json_string(object, key, "");
    cr_expect(ne(ptr, strstr(text, part), NULL), "%s: '%s'", key, text);
    eop_json_free(r);
}

static int64_t lag(void) {
    eop_json *r = must("deployment.show", "{\"name\":\"live\"}");
    int64_t value = eop_json_integer(r, "lag", -1);
    eop_json_free(r);
    return value;
}

/* The asset's rows come in parts from now on: row 0, 1. */
static void begin_in_parts(void) {
    put(0, "a");
    put(0, "b");
    put(1, "b");
    put(1, "a");
}

Test(node_live_parts, parts_become_one_prediction_each_in_the_order_of_the_first) {
    make_parts_model("\"rows\":1");
    begin_in_parts();
    start();
    deploy(",\"from\":\"start\"");
    run_until(2);
    expect_text("wait", "parts", "1s");
    for (size_t i = 2; i < 100; i += 7) {
        for (size_t k = i; k < i + 7; k++) {
            put(k, k % 2 == 0 ? "a" : "b");
        }
        turn(0);
        for (size_t k = i + 7; k-- > i;) { /* the other way round */
            put(k, k % 2 == 0 ? "b" : "a");
        }
    }
    run_until(100);
    turn(20 * EDGEOPS_MILLISECOND);
    cr_expect(eq(sz, seen.count, 100));
    for (size_t i = 0; i < 100; i++) {
        expect_answer(i, i, "none");
    }
    cr_expect(eq(i64, lag(), 0));
    cr_expect(eq(i64, part_count("incomplete"), 0));
    cr_expect(eq(i64, part_count("late_parts"), 0));
    cr_expect(eq(i64, part_count("held"), 0));
    must_do("deployment.stop", "{\"name\":\"live\"}");
    cr_expect(eq(i64, lag(), 0));
    put(100, "b");
    cr_expect(eq(i64, lag(), 1));
    put(100, "a");
    must_do("deployment.start", "{\"name\":\"live\"}");
    run_until(101);
    cr_expect(eq(i64, lag(), 0));
    /* The same as a batch, bit for bit. */
    char *out = NULL;
    eop_json_free(bulk(fixture_node, "predict",
                       "{\"model\":\"m1\",\"asset\":\"" ASSET "\",\"format\":\"jsonl\"}", NULL,
                       &out));
    size_t n = 0;
    for (char *line = strtok(out, "\n"); line != NULL; line = strtok(NULL, "\n"), n++) {
        eop_json *row = NULL;
        cr_assert(eq(int, eop_json_parse(&row, line, strlen(line), "row", NULL), EDGEOPS_OK));
        double score = eop_json_value(eop_json_get(eop_json_get(row, "outputs"), "score"));
        cr_assert(eq(dbl, score, seen.list[n].score), "%s", line);
        eop_json_free(row);
    }
    cr_expect(eq(sz, n, 101));
    eop_free(out);
}

/* Rows that nothing can answer yet still take their parts. */
Test(node_live_parts, rows_wait_for_the_worker_and_take_parts_meanwhile) {
    make_model_of(4, "import time\ntime.sleep(0.7)\n" PARTS_SOURCE, "\"rows\":1,\"wait\":\"0s\"");
    begin_in_parts();
    start();
    deploy("");
    for (size_t i = 2; i < 10; i++) {
        put(i, "a");
        turn(10 * EDGEOPS_MILLISECOND);
        put(i, "b");
    }
    run_until(8);
    for (size_t i = 0; i < 8; i++) {
        expect_answer(i, i + 2, "none");
    }
    cr_expect(eq(i64, part_count("late_parts"), 0));
    cr_expect(eq(i64, part_count("incomplete"), 0));
}

Test(node_live_parts, the_first_later_part_ever_may_come_too_late) {
    make_parts_model("\"rows\":1,\"wait\":\"200ms\"");
    put(0, "ab");
    start();
    deploy("");
    put(1, "a"); /* passes at once: rows of this asset came whole so far */
    run_until(1);
    expect_answer(0, 1, "b");
    cr_expect(eq(i64, part_count("wait"), -1));
    put(1, "b");
    put(2, "a");
    turn(20 * EDGEOPS_MILLISECOND);
    cr_expect(eq(i64, part_count("late_parts"), 1));
    cr_expect(eq(i64, part_count("held"), 1));
    expect_text("note", NULL, "parts that came after their rows were predicted: 1");
    eop_json *r = must("doctor", NULL);
    char *text = eop_json_print(r);
    const char *check = strstr(text, "\"deployment live parts\",\"state\":\"warn\"");
    cr_expect(ne(ptr, (void *)check, NULL), "%s", text);
    eop_free(text);
    eop_json_free(r);
    cr_expect(eq(sz, seen.count, 1));
    put(2, "b");
    run_until(2);
    expect_answer(1, 2, "none");
    /* It counts once, whatever restarts. */
    reopen();
    start();
    put(3, "b");
    put(3, "a");
    run_until(3);
    cr_expect(eq(i64, part_count("late_parts"), 1));
    must_do("deployment.stop", "{\"name\":\"live\"}");
    cr_expect(eq(i64, part_count("late_parts"), 1));
}

Test(node_live_parts, what_never_comes_is_waited_for_once) {
    make_parts_model("\"rows\":1");
    begin_in_parts();
    start();
    deploy(",\"wait\":\"300ms\"");
    expect_text("wait", "parts", "300ms");
    edgeops_duration before = eop_monotonic();
    put(2, "a");
    put(3, "ab"); /* held behind it */
    turn(20 * EDGEOPS_MILLISECOND);
    cr_expect(eq(sz, seen.count, 0));
    cr_expect(eq(i64, part_count("held"), 2));
    cr_expect(gt(i64, lag(), 0));
    run_until(2);
    cr_expect(ge(i64, eop_monotonic() - before, 300 * EDGEOPS_MILLISECOND));
    expect_answer(0, 2, "b");
    expect_answer(1, 3, "none");
    cr_expect(eq(i64, part_count("incomplete"), 1));
    put(2, "b");
    turn(20 * EDGEOPS_MILLISECOND);
    cr_expect(eq(sz, seen.count, 2));
    cr_expect(eq(i64, part_count("late_parts"), 1));
    cr_expect(eq(i64, lag(), 0));
    must_fail(EDGEOPS_E_INVALID, "deploy",
              "{\"model\":\"m1\",\"asset\":\"" ASSET "\",\"name\":\"x\",\"wait\":\"2h\"}",
              "wait: '2h'");
    must_fail(EDGEOPS_E_INVALID, "deploy",
              "{\"model\":\"m1\",\"asset\":\"" ASSET "\",\"name\":\"x\",\"wait\":\"soon\"}",
              "wait: 'soon'");
}

Test(node_live_parts, a_wait_that_was_asked_for_holds_before_the_first_later_part) {
    make_parts_model("\"rows\":1");
    put(0, "ab");
    start();
    deploy(",\"wait\":\"1h\"");
    put(1, "a");
    turn(20 * EDGEOPS_MILLISECOND);
    cr_expect(eq(sz, seen.count, 0));
    put(1, "b");
    run_until(1);
    expect_answer(0, 1, "none");
    cr_expect(eq(i64, part_count("late_parts"), 0));
}

Test(node_live_parts, held_rows_stay_held_over_a_stop) {
    make_parts_model("\"rows\":2");
    begin_in_parts();
    start();
    deploy(",\"wait\":\"1h\"");
    put(2, "ab");
    put(3, "b");
    put(4, "ab");
    put(5, "a");
    turn(50 * EDGEOPS_MILLISECOND);
    cr_expect(eq(sz, seen.count, 0));
    for (int life = 0; life < 3; life++) {
        reopen();
        start();
        turn(100 * EDGEOPS_MILLISECOND);
        cr_expect(eq(sz, seen.count, 0));
    }
    edgeops_node_close(fixture_node); /* the part comes while nobody looks */
    open_again();
    put(3, "a");
    start();
    run_until(2);
    expect_answer(0, 3, "none");
    expect_answer(1, 4, "none");
    put(5, "b");
    run_until(3);
    expect_answer(2, 5, "none");
    turn(20 * EDGEOPS_MILLISECOND);
    cr_expect(eq(sz, seen.count, 3));
    cr_expect(eq(i64, lag(), 0));
}

Test(node_live_parts, a_value_that_does_not_change_is_the_one_before) {
    make_parts_model("\"rows\":1,\"missing\":\"previous\"");
    put(0, "ab");
    for (size_t i = 1; i < 50; i++) {
        put(i, "a"); /* b was told long ago */
    }
    start();
    deploy("");
    put(50, "a");
    run_until(1);
    cr_expect(eq(str, seen.list[0].lacks, "none"));
    cr_expect(eq(dbl, seen.list[0].score, 50.0));
    put(51, "b");
    run_until(2);
    cr_expect(eq(dbl, seen.list[1].score, 50 + 0.51));
    reopen();
    put(52, "a");
    start();
    run_until(3);
    cr_expect(eq(dbl, seen.list[2].score, 52 + 0.51));
    /* One that comes late still counts for what follows. */
    put(52, "b");
    put(53, "a");
    run_until(4);
    cr_expect(eq(dbl, seen.list[3].score, 53 + 0.52));
    cr_expect(eq(i64, part_count("late_parts"), 1));
    expect_text("wait", "parts", "0s");
    char *out = NULL; /* a batch from the middle on knows what was before, too */
    eop_json_free(bulk(fixture_node, "predict",
                       "{\"model\":\"m1\",\"asset\":\"" ASSET
                       "\",\"start\":\"2026-01-01T00:17:30Z\",\"end\":\"2026-01-01T00:17:31Z\"}",
                       NULL, &out));
    cr_expect(ne(ptr, strstr(out, "none,50"), NULL), "%s", out);
    eop_free(out);
}

/* Parts of rows from .. to - 1, mixed; one row in ten is never whole. */
static void put_mixed(size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        put(i, i % 3 == 0 ? "b" : "a");
        if (i >= from + 4 && (i - 4) % 10 != 9) {
            put(i - 4, (i - 4) % 3 == 0 ? "a" : "b");
        }
    }
    for (size_t i = to - 4; i < to; i++) {
        if (i % 10 != 9) {
            put(i, i % 3 == 0 ? "a" : "b");
        }
    }
}

/* A process of its own is killed in the middle of its work. */
static void live_and_die(size_t from, size_t answers) {
    pid_t child = fork();
    cr_assert(ge(int, child, 0));
    if (child == 0) {
        open_in_child();
        memset(&seen, 0, sizeof seen);
        start();
        put_mixed(from, from + 100);
        while (seen.count < answers) {
            (void)!edgeops_ctx_run(fixture_ctx, EDGEOPS_MILLISECOND);
        }
        (void)raise(SIGKILL);
    }
    expect_killed(child);
}

static void wait_rows(const char *asset, int64_t wanted) {
    edgeops_duration until = eop_monotonic() + 40 * EDGEOPS_SECOND;
    for (int64_t rows = 0; rows < wanted;) {
        turn(0);
        rows = rows_of(asset);
        cr_assert(le(i64, rows, wanted));
        cr_assert(lt(i64, eop_monotonic(), until), "%lld", (long long)rows);
    }
}

static const char *lacks_of(size_t row) {
    return row % 10 != 9 ? "none" : row % 3 == 0 ? "a" : "b";
}

/* a + b / 1000 of a row, a null as -1. */
static double score_of(size_t row) {
    const char *lacks = lacks_of(row);
    double a = lacks[0] == 'a' ? -1 : (double)row;
    double b = lacks[0] == 'b' ? -1 : 10 * (double)row;
    return a + b / 1000;
}

/* The windows of rows 100 to 699, each once. */
static void expect_windows(size_t rows) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = "predictions/live";
    cr_assert(
        eq(int, edgeops_store_read(&table, edgeops_node_store(fixture_node), &query), EDGEOPS_OK));
    cr_assert(eq(u64, table->rows, 601 - rows));
    for (uint64_t i = 0; i < table->rows; i++) {
        edgeops_value lacks = edgeops_column_value(&table->columns[0], i);
        size_t row = (size_t)i + 99 + rows;
        const char *wanted = lacks_of(row);
        double score = 0;
        cr_assert(eq(i64, table->times[i], time_of(row)));
        cr_assert(eq(u32, lacks.size, (uint32_t)strlen(wanted)), "row %zu", row);
        cr_assert(eq(int, memcmp(lacks.as.str, wanted, lacks.size), 0), "row %zu", row);
        for (size_t k = row + 1 - rows; k <= row; k++) {
            score = score * 2 + score_of(k);
        }
        cr_assert(epsilon_eq(dbl, table->columns[1].f64[i], score, 1e-6), "row %zu", row);
    }
    edgeops_table_free(table);
}

#define SUM_SOURCE                                                                                 \
    "import math\n"                                                                                \
    "def train(d, params, run):\n"                                                                 \
    "    return 1\n"                                                                               \
    "def predict(model, w, params):\n"                                                             \
    "    score, rows = 0.0, [[float(x) for x in row] for row in w.values]\n"                       \
    "    for a, b in rows:\n"                                                                      \
    "        score = score * 2 + (-1 if a != a else a) + (-1 if b != b else b) / 1000\n"           \
    "    lacks = ''.join(n for n, x in zip('ab', rows[-1]) if x != x)\n"                           \
    "    return {'class': lacks or 'none', 'score': score}\n"

/* window: of so many rows. */
static void kill_again_and_again(const char *window, size_t rows) {
    make_model_of(4, SUM_SOURCE, window);
    begin_in_parts();
    start();
    deploy(",\"wait\":\"50ms\"");
    edgeops_node_close(fixture_node);
    for (size_t life = 0; life < 6; life++) {
        live_and_die(life * 100 + 100, life * 17 + 1);
    }
    open_again();
    memset(&seen, 0, sizeof seen);
    start();
    wait_rows("predictions/live", 601 - (int64_t)rows);
    turn(100 * EDGEOPS_MILLISECOND);
    expect_windows(rows);
    eop_json *r = must("deployment.show", "{\"name\":\"live\"}");
    cr_expect(eq(i64, eop_json_integer(r, "predictions", 0), 601 - (int64_t)rows));
    cr_expect(eq(i64, eop_json_integer(r, "conflicts", -1), 0));
    eop_json_free(r);
    cr_expect(eq(i64, part_count("incomplete"), 60));
    cr_expect(eq(i64, part_count("late_parts"), 0));
}

Test(node_live_parts, a_crash_of_the_node_loses_and_doubles_no_row) {
    kill_again_and_again("\"rows\":1", 1);
}

Test(node_live_parts, windows_of_rows_are_the_same_over_crashes) {
    kill_again_and_again("\"rows\":3", 3);
}

/* A training keeps the rows that it saw; predictions compare. */
#define SAME_SOURCE                                                                                \
    "import numpy as np\n"                                                                         \
    "def train(d, params, run):\n"                                                                 \
    "    wins = d.windows()\n"                                                                     \
    "    run.metric('windows', len(wins.times))\n"                                                 \
    "    return {int(t): np.asarray(v).tobytes() for t, v in zip(wins.times, wins.values)}\n"      \
    "def predict(model, w, params):\n"                                                             \
    "    same = model[int(w.times[-1])] == np.asarray(w.values).tobytes()\n"                       \
    "    v = w.values[-1]\n"                                                                       \
    "    nulls = ''.join(n for n, x in zip('ab', v) if x != x)\n"                                  \
    "    return {'class': nulls or 'none', 'score': 1.0 if same else 0.0}\n"

static void train_on_parts(const char *window) {
    for (size_t i = 0; i < 200; i++) {
        put(i, i == 0 ? "ab" : i % 2 == 0 ? "a" : "b");
    }
    for (size_t i = 200; i-- > 1;) {
        if (i % 5 != 0) {
            put(i, i % 2 == 0 ? "b" : "a");
        }
    }
    must_do("dataset.create", "{\"name\":\"d1\",\"assets\":[\"" ASSET "\"]}");
    add_workflow_of(SAME_SOURCE, window);
    must_do("train", "{\"workflow\":\"flow\",\"dataset\":\"d1\",\"name\":\"m1\"}");
}

static void expect_same(const char *window, size_t windows, bool nulls) {
    train_on_parts(window);
    start();
    deploy(",\"from\":\"start\",\"wait\":\"0s\"");
    run_until(windows);
    turn(20 * EDGEOPS_MILLISECOND);
    cr_expect(eq(sz, seen.count, windows));
    size_t with_nulls = 0;
    for (size_t i = 0; i < seen.count; i++) {
        with_nulls += strcmp(seen.list[i].lacks, "none") != 0;
        cr_expect(eq(dbl, seen.list[i].score, 1.0), "%zu", i);
    }
    cr_expect(eq(int, with_nulls > 0, nulls));
    char *out = NULL;
    eop_json *r =
        bulk(fixture_node, "predict", "{\"model\":\"m1\",\"dataset\":\"d1\"}", NULL, &out);
    cr_expect(eq(i64, eop_json_integer(r, "predictions", 0), (int64_t)windows));
    cr_expect(eq(ptr, strstr(out, ",0\n"), NULL));
    eop_json_free(r);
    eop_free(out);
}

Test(node_live_parts, training_sees_the_nulls_that_live_sees) {
    expect_same("\"rows\":3,\"step\":2", 99, true);
}

Test(node_live_parts, training_sees_the_values_before_that_live_sees) {
    expect_same("\"rows\":3,\"step\":2,\"missing\":\"previous\"", 99, false);
}

Test(node_live_parts, training_sees_single_rows_as_live_does) {
    expect_same("\"rows\":1,\"missing\":\"previous\"", 200, false);
}

Test(node_live_parts, training_sees_the_points_of_a_rate_that_live_sees) {
    expect_same(
        "\"duration\":\"4s\",\"rate\":\"500mHz\",\"fill\":\"none\",\"missing\":\"previous\"", 99,
        false);
}

Test(node_live_parts, too_many_rows_to_hold_are_given_early) {
    make_parts_model("\"rows\":1");
    begin_in_parts();
    start();
    deploy(",\"wait\":\"1h\"");
    for (size_t i = 2; i < 4202; i++) {
        put(i, "a");
    }
    run_until(104);
    turn(50 * EDGEOPS_MILLISECOND);
    cr_expect(eq(sz, seen.count, 104));
    cr_expect(eq(i64, part_count("early"), 104));
    cr_expect(eq(i64, part_count("held"), 4096));
    put(106, "b"); /* the oldest of them */
    run_until(105);
    expect_answer(104, 106, "none");
}

/* Between the samples of a turn and its checkpoint. */
static void die_at_prediction(const char *asset, uint64_t last_ordinal, void *user_data) {
    (void)last_ordinal;
    (void)user_data;
    if (strcmp(asset, "predictions/live") == 0) {
        (void)raise(SIGKILL);
    }
}

static void store_and_die(void) {
    pid_t child = fork();
    cr_assert(ge(int, child, 0));
    if (child == 0) {
        edgeops_watch *watch = NULL;
        open_in_child();
        if (edgeops_watch_open(&watch, edgeops_node_store(fixture_node), die_at_prediction, NULL) !=
            EDGEOPS_OK) {
            _exit(1);
        }
        start();
        put(2, "a");
        put(3, "ab");
        for (;;) {
            (void)!edgeops_ctx_run(fixture_ctx, EDGEOPS_MILLISECOND);
        }
    }
    expect_killed(child);
}

/* The clock released row 2 and its prediction was stored; its part comes before the restart. */
Test(node_live_parts, what_was_stored_before_a_crash_is_what_is_told) {
    make_parts_model("\"rows\":1");
    begin_in_parts();
    start();
    deploy(",\"wait\":\"100ms\"");
    edgeops_node_close(fixture_node);
    store_and_die();
    open_again();
    put(2, "b");
    start();
    run_until(2);
    expect_answer(0, 2, "b");
    cr_expect(eq(dbl, seen.list[0].score, 2 - 0.001));
    expect_answer(1, 3, "none");
    put(4, "b");
    put(4, "a");
    run_until(3);
    expect_answer(2, 4, "none");
    eop_json *r = must("deployment.show", "{\"name\":\"live\"}");
    cr_expect(eq(i64, eop_json_integer(r, "predictions", 0), 3));
    cr_expect(eq(i64, eop_json_integer(r, "conflicts", -1), 1));
    eop_json_free(r);
    wait_rows("predictions/live", 3);
}
