/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/window.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "failing_memory.h"

#define S       EDGEOPS_SECOND
#define MAX_ROW 4096

static const edgeops_port one_input[] = {{"v", "", EDGEOPS_TYPE_FLOAT64}};
static const edgeops_port two_inputs[] = {{"v", "", EDGEOPS_TYPE_FLOAT64},
                                          {"state", "", EDGEOPS_TYPE_STRING}};

/* A table under construction: v is the row's number, unless told. */
typedef struct feed {
    edgeops_time times[MAX_ROW];
    int64_t seqs[MAX_ROW];
    uint64_t ordinals[MAX_ROW];
    double values[MAX_ROW];
    uint8_t valid[MAX_ROW];
    int32_t labels[MAX_ROW];
    edgeops_column column;
    edgeops_table table;
} feed;

static feed *feed_new(void) {
    feed *f = calloc(1, sizeof *f);
    cr_assert(ne(ptr, f, NULL));
    f->column =
        (edgeops_column){.name = "v", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = f->values};
    f->table = (edgeops_table){.asset = "m",
                               .times = f->times,
                               .seqs = f->seqs,
                               .ordinals = f->ordinals,
                               .column_count = 1,
                               .columns = &f->column};
    return f;
}

static void put_value(feed *f, edgeops_time time, double value) {
    uint64_t i = f->table.rows++;
    cr_assert(i < MAX_ROW);
    f->times[i] = time;
    f->ordinals[i] = i + 1;
    f->values[i] = value;
    f->labels[i] = -1;
    f->valid[i] = 1;
}

static void put(feed *f, edgeops_time time) {
    put_value(f, time, (double)f->table.rows);
}

static void put_null(feed *f, edgeops_time time) {
    put_value(f, time, NAN);
    f->valid[f->table.rows - 1] = 0;
    f->column.valid = f->valid;
    f->column.nulls++;
}

/* The windows as text: "0-2@2 " for rows with values 0, 1, 2 that end at second 2. */
static void run_text(char *out, size_t size, eop_window_cutter *cutter, feed *f, uint64_t first,
                     uint64_t count) {
    eop_window w;
    edgeops_status status;
    size_t at = strlen(out);
    cr_assert(eq(int, eop_window_feed(cutter, &f->table, first, count, f->labels), EDGEOPS_OK));
    while ((status = eop_window_next(cutter, &w)) == EDGEOPS_OK) {
        const double *v = w.table->columns[0].f64 + w.first;
        cr_assert(le(u64, w.first + w.rows, w.table->rows));
        at += (size_t)snprintf(out + at, size - at, "%g-%g@%lld ", v[0], v[w.rows - 1],
                               (long long)(w.time / S));
        cr_assert(at < size);
    }
    cr_assert(eq(int, status, EDGEOPS_DONE));
}

static eop_window_cutter *cutter_of(edgeops_window_spec spec) {
    eop_window_cutter *cutter = NULL;
    cr_assert(eq(int, eop_window_new(&cutter, &spec, one_input, 1), EDGEOPS_OK));
    return cutter;
}

/* All rows at once. */
static void expect(edgeops_window_spec spec, feed *f, const char *text) {
    char got[4096] = "";
    eop_window_cutter *cutter = cutter_of(spec);
    run_text(got, sizeof got, cutter, f, 0, f->table.rows);
    cr_expect(eq(str, got, (char *)text));
    eop_window_free(cutter);
    /* Fed one by one it must be the same. */
    got[0] = '\0';
    cutter = cutter_of(spec);
    for (uint64_t i = 0; i < f->table.rows; i++) {
        run_text(got, sizeof got, cutter, f, i, 1);
    }
    cr_expect(eq(str, got, (char *)text));
    eop_window_free(cutter);
}

Test(runtime_window, windows_overlap_by_step) {
    feed *f = feed_new();
    for (int i = 0; i < 7; i++) {
        put(f, i * S);
    }
    expect((edgeops_window_spec){.rows = 3, .step = 2}, f, "0-2@2 2-4@4 4-6@6 ");
    expect((edgeops_window_spec){.rows = 3, .step = 1}, f, "0-2@2 1-3@3 2-4@4 3-5@5 4-6@6 ");
    expect((edgeops_window_spec){.rows = 2, .step = 3}, f, "0-1@1 3-4@4 ");
    expect((edgeops_window_spec){.rows = 1, .step = 3}, f, "0-0@0 3-3@3 6-6@6 ");
    expect((edgeops_window_spec){.rows = 8, .step = 1}, f, "");
    free(f);
}

Test(runtime_window, pause_starts_anew) {
    feed *f = feed_new();
    const int seconds[] = {0, 1, 2, 10, 11, 12, 13};
    for (size_t i = 0; i < 7; i++) {
        put(f, seconds[i] * S);
    }
    expect((edgeops_window_spec){.rows = 2, .step = 1, .max_gap = 5 * S}, f,
           "0-1@1 1-2@2 3-4@11 4-5@12 5-6@13 ");
    expect((edgeops_window_spec){.rows = 2, .step = 1}, f,
           "0-1@1 1-2@2 2-3@10 3-4@11 4-5@12 5-6@13 ");
    free(f);
}

Test(runtime_window, late_rows_are_counted_and_left_out) {
    feed *f = feed_new();
    const int seconds[] = {0, 1, 5, 3, 4, 5, 6};
    for (size_t i = 0; i < 7; i++) {
        put(f, seconds[i] * S);
    }
    f->seqs[5] = 1; /* second 5 again, a later sequence number: newer */
    expect((edgeops_window_spec){.rows = 2, .step = 1}, f, "0-1@1 1-2@5 2-5@5 5-6@6 ");
    eop_window_cutter *cutter = cutter_of((edgeops_window_spec){.rows = 2, .step = 1});
    char got[256] = "";
    eop_window_stats stats;
    run_text(got, sizeof got, cutter, f, 0, 7);
    eop_window_get_stats(cutter, &stats);
    cr_expect(eq(u64, stats.rows, 7));
    cr_expect(eq(u64, stats.late, 2));
    cr_expect(eq(u64, stats.windows, 4));
    cr_expect(eq(u64, stats.starts, 0));
    eop_window_free(cutter);
    /* Each row is a window of its own then. */
    expect((edgeops_window_spec){.rows = 1, .step = 1}, f,
           "0-0@0 1-1@1 2-2@5 3-3@3 4-4@4 5-5@5 6-6@6 ");
    free(f);
}

Test(runtime_window, set_back_clock_starts_anew) {
    feed *f = feed_new();
    put(f, 1000 * S);
    put(f, 1001 * S);
    for (int i = 0; i < 20; i++) {
        put(f, i * S);
    }
    expect((edgeops_window_spec){.rows = 2, .step = 1}, f,
           "0-1@1001 17-18@16 18-19@17 19-20@18 20-21@19 ");
    free(f);
}

Test(runtime_window, label_is_the_one_all_rows_share) {
    feed *f = feed_new();
    const int32_t labels[] = {3, 3, 3, 4, 4, -1, -1};
    const int32_t wanted[] = {3, 3, -1, 4, -1, -1};
    for (int i = 0; i < 7; i++) {
        put(f, i * S);
        f->labels[i] = labels[i];
    }
    eop_window_cutter *cutter = cutter_of((edgeops_window_spec){.rows = 2, .step = 1});
    eop_window w;
    cr_assert(eq(int, eop_window_feed(cutter, &f->table, 0, 7, f->labels), EDGEOPS_OK));
    for (size_t i = 0; i < 6; i++) {
        cr_assert(eq(int, eop_window_next(cutter, &w), EDGEOPS_OK));
        cr_expect(eq(i32, w.label, wanted[i]));
    }
    cr_assert(eq(int, eop_window_next(cutter, &w), EDGEOPS_DONE));
    eop_window_free(cutter);
    free(f);
}

Test(runtime_window, grid_takes_previous_linear_or_nothing) {
    feed *f = feed_new();
    put_value(f, 5 * S / 10, 10); /* 0.5 s */
    put_value(f, 20 * S / 10, 20);
    put_value(f, 52 * S / 10, 52);
    /* Points 1, 2, 3, 4, 5; the sample at 2 counts for 2. */
    expect((edgeops_window_spec){.rows = 1, .step = 1, .period = S}, f,
           "10-10@1 20-20@2 20-20@3 20-20@4 20-20@5 ");
    expect((edgeops_window_spec){.rows = 1, .step = 1, .period = S, .fill = 1}, f,
           "13.3333-13.3333@1 20-20@2 30-30@3 40-40@4 50-50@5 ");
    expect((edgeops_window_spec){.rows = 1, .step = 1, .period = S, .fill = 2}, f,
           "10-10@1 20-20@2 nan-nan@3 nan-nan@4 nan-nan@5 ");
    expect((edgeops_window_spec){.rows = 2, .step = 2, .period = S}, f, "10-20@2 20-20@4 ");
    free(f);
}

Test(runtime_window, grid_works_before_1970_and_skips_long_pauses) {
    feed *f = feed_new();
    put_value(f, -25 * S / 10, 1);
    put_value(f, -5 * S / 10, 2);
    put_value(f, 5 * S / 10, 3);
    put_value(f, (int64_t)EDGEOPS_TIME_MAX - 1, 4); /* a pause of two centuries */
    expect((edgeops_window_spec){.rows = 1, .step = 1, .period = S}, f, "1-1@-2 1-1@-1 2-2@0 ");
    free(f);
}

Test(runtime_window, grid_carries_values_over_nulls) {
    feed *f = feed_new();
    put_value(f, 0, 1);
    put_null(f, 1 * S);
    put_value(f, 2 * S, 3);
    put_null(f, 3 * S);
    expect((edgeops_window_spec){.rows = 1, .step = 1, .period = S}, f, "1-1@0 1-1@1 3-3@2 3-3@3 ");
    expect((edgeops_window_spec){.rows = 1, .step = 1}, f, "1-1@0 nan-nan@1 3-3@2 nan-nan@3 ");
    free(f);
}

#define PREVIOUS .missing = EDGEOPS_MISSING_PREVIOUS

Test(runtime_window, nulls_get_the_value_before) {
    feed *f = feed_new();
    put_null(f, 0);
    put_value(f, 1 * S, 1);
    put_null(f, 2 * S);
    put_value(f, 3 * S, 3);
    put_null(f, 90 * S); /* no pause ends it */
    expect((edgeops_window_spec){.rows = 1, .step = 1, PREVIOUS}, f,
           "nan-nan@0 1-1@1 1-1@2 3-3@3 3-3@90 ");
    expect((edgeops_window_spec){.rows = 2, .step = 1, .max_gap = 5 * S, PREVIOUS}, f,
           "nan-1@1 1-1@2 1-3@3 ");
    put_null(f, 91 * S);
    expect((edgeops_window_spec){.rows = 2, .step = 1, .max_gap = 5 * S, PREVIOUS}, f,
           "nan-1@1 1-1@2 1-3@3 3-3@91 ");
    /* On a grid, too: none alone would forget it. */
    expect((edgeops_window_spec){.rows = 1, .step = 90, .period = S, .fill = 2, PREVIOUS}, f,
           "nan-nan@0 3-3@90 ");
    free(f);
}

Test(runtime_window, a_late_row_puts_no_older_value_back) {
    feed *f = feed_new();
    put_value(f, 1 * S, 1);
    put_value(f, 5 * S, 5);
    put_value(f, 3 * S, 3); /* late */
    put_null(f, 6 * S);
    put_null(f, 4 * S); /* late: the newest that is known */
    expect((edgeops_window_spec){.rows = 1, .step = 1, PREVIOUS}, f,
           "1-1@1 5-5@5 3-3@3 5-5@6 5-5@4 ");
    expect((edgeops_window_spec){.rows = 2, .step = 1, PREVIOUS}, f, "1-5@5 5-5@6 ");
    free(f);
    /* But a value that is newer than the input's own counts, though its row is late. */
    f = feed_new();
    put_value(f, 1 * S, 1);
    put_null(f, 5 * S);
    put_value(f, 3 * S, 3);
    put_null(f, 6 * S);
    expect((edgeops_window_spec){.rows = 1, .step = 1, PREVIOUS}, f, "1-1@1 1-1@5 3-3@3 3-3@6 ");
    expect((edgeops_window_spec){.rows = 2, .step = 1, PREVIOUS}, f, "1-1@5 1-3@6 ");
    free(f);
}

Test(runtime_window, a_clock_that_is_set_back_brings_new_values) {
    feed *f = feed_new();
    char got[4096] = "";
    put_value(f, 1000 * S, 1);
    for (int i = 0; i < 20; i++) {
        put_value(f, i * S, 100 + i);
    }
    put_null(f, 20 * S);
    const edgeops_window_spec specs[] = {{.rows = 1, .step = 1, PREVIOUS},
                                         {.rows = 2, .step = 1, PREVIOUS}};
    for (size_t i = 0; i < EOP_COUNT(specs); i++) {
        eop_window_cutter *cutter = cutter_of(specs[i]);
        run_text(got, sizeof got, cutter, f, 0, f->table.rows);
        cr_expect(ne(ptr, strstr(got, "119@20 "), NULL), "%s", got);
        eop_window_free(cutter);
    }
    free(f);
}

Test(runtime_window, what_was_learned_comes_before_and_a_restart_forgets) {
    feed *f = feed_new();
    char got[256] = "";
    eop_window_cutter *cutter = cutter_of((edgeops_window_spec){.rows = 1, .step = 1, PREVIOUS});
    const edgeops_value seven = {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 7};
    const edgeops_value eight = {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 8};
    const edgeops_value null = {.type = EDGEOPS_TYPE_NULL};
    for (int i = 0; i < 4; i++) {
        put_null(f, i * S);
    }
    cr_assert(eq(int, eop_window_learn(cutter, &seven, -2 * S, 0), EDGEOPS_OK));
    cr_assert(eq(int, eop_window_learn(cutter, &eight, -3 * S, 0), EDGEOPS_OK)); /* older */
    cr_assert(eq(int, eop_window_learn(cutter, &null, -1 * S, 0), EDGEOPS_OK));
    run_text(got, sizeof got, cutter, f, 0, 1);
    cr_assert(eq(int, eop_window_learn(cutter, &eight, -2 * S, 1), EDGEOPS_OK));
    run_text(got, sizeof got, cutter, f, 1, 1);
    eop_window_restart(cutter);
    run_text(got, sizeof got, cutter, f, 2, 1);
    cr_expect(eq(str, got, "7-7@0 8-8@1 nan-nan@2 "));
    eop_window_free(cutter);
    cutter = cutter_of((edgeops_window_spec){.rows = 1, .step = 1});
    cr_assert(eq(int, eop_window_learn(cutter, &seven, -2 * S, 0), EDGEOPS_OK));
    got[0] = '\0';
    run_text(got, sizeof got, cutter, f, 0, 1);
    cr_expect(eq(str, got, "nan-nan@0 ")); /* missing: null */
    eop_window_free(cutter);
    free(f);
}

/* Texts and arrays of any length are copied; the narrow type of a channel is that of the input. */
Test(runtime_window, carried_texts_arrays_and_narrow_numbers) {
    enum { N = 300 };
    static const edgeops_port inputs[] = {{"t", "", EDGEOPS_TYPE_STRING},
                                          {"a", "", EDGEOPS_TYPE_FLOAT32, 3},
                                          {"n", "", EDGEOPS_TYPE_FLOAT64}};
    eop_window_cutter *cutter = NULL;
    const edgeops_window_spec spec = {.rows = 3, .step = 1, PREVIOUS};
    cr_assert(eq(int, eop_window_new(&cutter, &spec, inputs, 3), EDGEOPS_OK));
    char text[N + 1];
    memset(text, 'x', sizeof text);
    for (uint32_t i = 0; i < N; i++) { /* a table of one row each, whose memory is reused */
        bool has = i % 4 == 0;
        uint32_t offsets[] = {0, has ? i : 0};
        float array[] = {(float)i, (float)i + 1, (float)i + 2};
        int16_t number = (int16_t)i;
        uint8_t valid = has;
        edgeops_time time = i * S;
        text[0] = (char)('a' + i % 26);
        const edgeops_column columns[] = {
            {.name = "t",
             .type = EDGEOPS_TYPE_STRING,
             .offsets = offsets,
             .bytes = text,
             .valid = &valid,
             .nulls = !has},
            {.name = "a",
             .type = EDGEOPS_TYPE_FLOAT32,
             .length = 3,
             .data = array,
             .valid = &valid,
             .nulls = !has},
            {.name = "n",
             .type = EDGEOPS_TYPE_INT16,
             .data = &number,
             .valid = &valid,
             .nulls = !has},
        };
        const edgeops_table table = {
            .rows = 1, .times = &time, .column_count = 3, .columns = columns};
        eop_window w;
        cr_assert(eq(int, eop_window_feed(cutter, &table, 0, 1, NULL), EDGEOPS_OK));
        for (edgeops_status s; (s = eop_window_next(cutter, &w)) != EDGEOPS_DONE;) {
            cr_assert(eq(int, s, EDGEOPS_OK));
            for (uint64_t r = 0; r < 3; r++) {
                uint32_t from = (i - 2 + (uint32_t)r) / 4 * 4;
                const edgeops_column *c = w.table->columns;
                edgeops_value got = edgeops_column_value(&c[0], w.first + r);
                cr_assert(eq(u32, got.size, from));
                cr_assert(from == 0 || got.as.str[0] == (char)('a' + from % 26));
                float element = 0;
                memcpy(&element, (const char *)edgeops_column_value(&c[1], w.first + r).as.data + 4,
                       4);
                cr_assert(eq(flt, element, (float)from + 1));
                cr_assert(eq(dbl, c[2].f64[w.first + r], from));
            }
        }
        memset(array, 0, sizeof array);
    }
    eop_window_free(cutter);
}

/* Cuts rows first.. and stops after `windows` of them, or at the end. */
static size_t cut_states(eop_window_cutter *cutter, feed *f, uint64_t first, eop_window *out,
                         double *newest, size_t max) {
    size_t n = 0;
    eop_window w;
    uint64_t rows = f->table.rows - first;
    cr_assert(eq(int, eop_window_feed(cutter, &f->table, first, rows, NULL), EDGEOPS_OK));
    while (n < max && eop_window_next(cutter, &w) == EDGEOPS_OK) {
        const double *v = w.table->columns[0].f64 + w.first;
        newest[n] = 0;
        for (uint64_t i = 0; i < w.rows; i++) {
            newest[n] = newest[n] * 1.25 + (isnan(v[i]) ? 0.5 : v[i]);
        }
        out[n++] = w;
    }
    return n;
}

/* What a store knows of the rows before. */
static void learn_before(eop_window_cutter *cutter, const feed *f, const eop_window_state *state) {
    for (uint64_t r = 0; r < state->history - 1; r++) {
        edgeops_value value = edgeops_column_value(&f->column, r);
        if (f->times[r] <= state->newest) {
            cr_assert(
                eq(int, eop_window_learn(cutter, &value, f->times[r], f->seqs[r]), EDGEOPS_OK));
        }
    }
}

/* After each window: a new cutter with its state gives the windows that follow, and no other. */
static void check_restores(edgeops_window_spec spec, feed *f) {
    static eop_window given[65536];
    static eop_window rest[65536];
    static double sums[65536];
    static double rest_sums[65536];
    eop_window_cutter *cutter = cutter_of(spec);
    size_t n = cut_states(cutter, f, 0, given, sums, 65536);
    eop_window_free(cutter);
    cr_assert(gt(sz, n, 10));
    cr_assert(lt(sz, n, 65536));
    for (size_t i = 0; i < n; i += 1 + n / 97) {
        eop_window_state state;
        eop_json *json = eop_window_state_json(&given[i].state);
        cr_assert(eop_window_state_parse(&state, json));
        eop_json_free(json);
        cr_assert(eq(u64, state.ordinal, given[i].state.ordinal));
        cr_assert(eq(i64, state.until, given[i].time));
        cr_assert(eq(u64, state.history, given[i].state.history));
        cr_assert(eq(u32, state.wait, given[i].state.wait));
        cr_assert(le(u64, state.history, state.ordinal));
        cr_assert(ge(u64, state.history, 1));
        cutter = cutter_of(spec);
        learn_before(cutter, f, &state);
        eop_window_restore(cutter, &state);
        size_t m = cut_states(cutter, f, state.history - 1, rest, rest_sums, 65536);
        eop_window_free(cutter);
        cr_assert(eq(sz, m, n - i - 1), "after window %zu of %zu: %zu windows follow", i, n, m);
        for (size_t k = 0; k < m; k++) {
            cr_assert(eq(i64, rest[k].time, given[i + 1 + k].time));
            cr_assert(eq(dbl, rest_sums[k], sums[i + 1 + k]), "window %zu after %zu", k, i);
        }
    }
}

/* The value from before must not keep out those of a clock that is set back after a restart. */
Test(runtime_window, a_clock_that_is_set_back_after_a_restart_brings_new_values) {
    const edgeops_window_spec spec = {.rows = 1, .step = 1, PREVIOUS};
    feed *f = feed_new();
    eop_window_state state;
    eop_window w;
    char got[4096] = "";
    put_value(f, 1000 * S, 1);
    put_null(f, 1001 * S);
    put_null(f, -1 * S); /* the newest of all is not the one before the restart */
    for (int i = 0; i < 20; i++) {
        put_value(f, i * S, 100 + i);
    }
    put_null(f, 20 * S);
    eop_window_cutter *cutter = cutter_of(spec);
    cr_assert(eq(int, eop_window_feed(cutter, &f->table, 0, 3, NULL), EDGEOPS_OK));
    for (int i = 0; i < 3; i++) {
        cr_assert(eq(int, eop_window_next(cutter, &w), EDGEOPS_OK));
        state = w.state;
    }
    cr_expect(eq(i64, state.newest, 1001 * S));
    eop_window_free(cutter);
    cutter = cutter_of(spec);
    learn_before(cutter, f, &state);
    eop_window_restore(cutter, &state);
    run_text(got, sizeof got, cutter, f, state.history - 1, f->table.rows - state.history + 1);
    cr_expect(ne(ptr, strstr(got, "119-119@20 "), NULL), "%s", got);
    eop_window_free(cutter);
    free(f);
}

static feed *random_feed(unsigned seed, bool sets_back) {
    feed *f = feed_new();
    edgeops_time now = 0;
    for (int i = 0; i < 600; i++) {
        int r = rand_r(&seed) % 100;
        now += (1 + rand_r(&seed) % 20) * (S / 10);
        if (r < 8) {
            put(f, now - (rand_r(&seed) % 50) * (S / 10)); /* late, mostly */
        } else if (r < 11) {
            now += 100 * S;
            put(f, now);
        } else if (r < 20) {
            put_null(f, now);
        } else if (r == 99 && sets_back) {
            for (int k = 0; k < 24; k++) { /* a clock that was set back for a while */
                put(f, now - 1000 * S + k * S);
            }
        } else {
            put(f, now);
        }
    }
    return f;
}

Test(runtime_window, restored_cutter_goes_on_without_gap_or_double) {
    feed *f = random_feed(7, true);
    const edgeops_window_spec specs[] = {
        {.rows = 1, .step = 1},
        {.rows = 1, .step = 4},
        {.rows = 5, .step = 1},
        {.rows = 5, .step = 3, .max_gap = 50 * S},
        {.rows = 4, .step = 9},
        {.rows = 40, .step = 7},
        {.rows = 1, .step = 1, .period = S},
        {.rows = 6, .step = 2, .period = S / 2, .max_gap = 50 * S},
        {.rows = 6, .step = 5, .period = S, .max_gap = 50 * S, .fill = 1},
        {.rows = 3, .step = 4, .period = S / 5, .max_gap = 50 * S, .fill = 2},
    };
    for (size_t i = 0; i < EOP_COUNT(specs); i++) {
        check_restores(specs[i], f);
    }
    free(f);
}

Test(runtime_window, restored_cutter_knows_the_values_before) {
    const edgeops_window_spec specs[] = {
        {.rows = 1, .step = 1, PREVIOUS},
        {.rows = 1, .step = 3, PREVIOUS},
        {.rows = 5, .step = 3, .max_gap = 50 * S, PREVIOUS},
        {.rows = 20, .step = 1, PREVIOUS},
        {.rows = 6, .step = 5, .period = S, .max_gap = 50 * S, PREVIOUS},
        {.rows = 6, .step = 5, .period = S, .max_gap = 50 * S, .fill = 2, PREVIOUS},
    };
    for (unsigned seed = 1; seed < 4; seed++) {
        feed *f = random_feed(seed, false);
        for (size_t i = 0; i < EOP_COUNT(specs); i++) {
            check_restores(specs[i], f);
        }
        free(f);
    }
}

Test(runtime_window, kept_rows_are_all_there) {
    feed *f = feed_new();
    for (int i = 0; i < 1000; i++) {
        put(f, i * S);
    }
    eop_window_cutter *cutter = cutter_of((edgeops_window_spec){.rows = 10, .step = 5});
    eop_window w;
    eop_window_keep(cutter);
    cr_assert(eq(int, eop_window_feed(cutter, &f->table, 0, 1000, NULL), EDGEOPS_OK));
    uint64_t first = 0;
    while (eop_window_next(cutter, &w) == EDGEOPS_OK) {
        cr_assert(eq(u64, w.first, first));
        first += 5;
    }
    cr_expect(eq(u64, eop_window_table(cutter)->rows, 1000));
    cr_expect(eq(dbl, eop_window_table(cutter)->columns[0].f64[999], 999));
    eop_window_free(cutter);
    free(f);
}

Test(runtime_window, texts_and_whole_numbers_keep_their_rows) {
    /* A channel that does not exist yet reads as null float64: fits every input. */
    enum { N = 500 };
    static int64_t numbers[N];
    static edgeops_time times[N];
    static uint32_t offsets[N + 1];
    static char bytes[N * 8];
    static uint8_t valid[N];
    for (int i = 0; i < N; i++) {
        numbers[i] = i;
        times[i] = i * S;
        valid[i] = i % 3 != 0;
        int n = valid[i] ? snprintf(bytes + offsets[i], 8, "s%d", i) : 0;
        offsets[i + 1] = offsets[i] + (uint32_t)n;
    }
    const edgeops_column columns[] = {
        {.name = "extra", .unit = "", .type = EDGEOPS_TYPE_INT64, .i64 = numbers},
        {.name = "state",
         .unit = "",
         .type = EDGEOPS_TYPE_STRING,
         .offsets = offsets,
         .bytes = bytes,
         .valid = valid,
         .nulls = 167},
        {.name = "v", .unit = "", .type = EDGEOPS_TYPE_INT64, .i64 = numbers},
    };
    const edgeops_table table = {
        .asset = "m", .rows = N, .times = times, .column_count = 3, .columns = columns};
    const edgeops_window_spec specs[] = {{.rows = 4, .step = 1},
                                         {.rows = 4, .step = 1, .period = S, .fill = 2}};
    for (size_t s = 0; s < 2; s++) {
        eop_window_cutter *cutter = NULL;
        eop_window w;
        int windows = 0;
        cr_assert(eq(int, eop_window_new(&cutter, &specs[s], two_inputs, 2), EDGEOPS_OK));
        cr_assert(eq(int, eop_window_feed(cutter, &table, 0, N, NULL), EDGEOPS_OK));
        for (; eop_window_next(cutter, &w) == EDGEOPS_OK; windows++) {
            const edgeops_column *text = &w.table->columns[1];
            for (uint64_t r = 0; r < 4; r++) {
                uint64_t at = w.first + r;
                int row = windows + (int)r;
                char wanted[16] = "";
                if (row % 3 != 0) {
                    (void)snprintf(wanted, sizeof wanted, "s%d", row);
                }
                cr_assert(eq(dbl, w.table->columns[0].f64[at], row));
                cr_assert(eq(int, text->valid == NULL || text->valid[at], row % 3 != 0));
                cr_assert(eq(sz, text->offsets[at + 1] - text->offsets[at], strlen(wanted)));
                cr_assert(
                    eq(int, strncmp(text->bytes + text->offsets[at], wanted, strlen(wanted)), 0));
            }
        }
        cr_expect(eq(int, windows, N - 3));
        eop_window_free(cutter);
    }
}

Test(runtime_window, wrong_tables_and_specs_are_refused_by_name) {
    eop_window_cutter *cutter = NULL;
    const edgeops_window_spec bad[] = {{.rows = 0},
                                       {.rows = 1000001},
                                       {.rows = 1, .max_gap = -1},
                                       {.rows = 1, .fill = 3},
                                       {.rows = 1, .missing = EDGEOPS_MISSING_SKIP}};
    for (size_t i = 0; i < EOP_COUNT(bad); i++) {
        cr_expect(eq(int, eop_window_new(&cutter, &bad[i], one_input, 1), EDGEOPS_E_INVALID));
        cr_expect(eq(ptr, cutter, NULL));
    }
    const edgeops_window_spec huge = {.rows = 1000000};
    static edgeops_port many[64];
    for (size_t i = 0; i < 64; i++) {
        many[i] = one_input[0];
    }
    cr_expect(eq(int, eop_window_new(&cutter, &huge, many, 64), EDGEOPS_E_LIMIT));

    feed *f = feed_new();
    put(f, 0);
    cr_assert(eq(int, eop_window_new(&cutter, &(edgeops_window_spec){.rows = 1}, two_inputs, 2),
                 EDGEOPS_OK));
    cr_expect(eq(int, eop_window_feed(cutter, &f->table, 0, 1, NULL), EDGEOPS_E_INVALID));
    cr_expect(ne(ptr, strstr(edgeops_error_last()->message, "'state'"), NULL));
    f->column.name = "state";
    f->table.columns = (edgeops_column[]){f->column, f->column};
    f->table.column_count = 2;
    cr_expect(eq(int, eop_window_feed(cutter, &f->table, 0, 1, NULL), EDGEOPS_E_INVALID));
    eop_window_free(cutter);
    free(f);
}

static edgeops_status cut_all(const edgeops_window_spec *spec, feed *f, size_t *windows) {
    eop_window_cutter *cutter = NULL;
    eop_window w;
    edgeops_status status = eop_window_new(&cutter, spec, one_input, 1);
    if (status == EDGEOPS_OK) {
        status = eop_window_feed(cutter, &f->table, 0, f->table.rows, NULL);
    }
    *windows = 0;
    while (status == EDGEOPS_OK && (status = eop_window_next(cutter, &w)) == EDGEOPS_OK) {
        ++*windows;
    }
    eop_window_free(cutter);
    return status;
}

Test(runtime_window, every_failed_allocation_is_an_error) {
    const edgeops_window_spec specs[] = {{.rows = 100, .step = 1},
                                         {.rows = 100, .step = 1, .period = S / 2},
                                         {.rows = 100, .step = 1, PREVIOUS}};
    take_failing_memory();
    feed *f = feed_new();
    for (int i = 0; i < 1000; i++) {
        put(f, i * S);
    }
    for (size_t s = 0; s < EOP_COUNT(specs); s++) {
        size_t windows = 0;
        edgeops_status status = EDGEOPS_E_NOMEM;
        int failures = 0;
        for (long n = 1; status == EDGEOPS_E_NOMEM; n++) {
            allocations = 0;
            fail_at = n;
            status = cut_all(&specs[s], f, &windows);
            failures += status == EDGEOPS_E_NOMEM;
        }
        fail_at = 0;
        cr_expect(eq(int, status, EDGEOPS_DONE));
        cr_expect(gt(int, failures, 5));
        cr_expect(eq(sz, windows, s != 1 ? 901 : 1900));
    }
    free(f);
}
