/* SPDX-License-Identifier: Apache-2.0 */
/* Rows across assets against slow references, and made live against made from history: the same
 * samples in any order that the wait allows, with restarts that forget where they were. */
#include "join/join.h"

#include "codec/json.h"
#include "edgeops/context.h"
#include "failing_memory.h"
#include "store/inner.h"
#include "store_fixture.h"

TestSuite(join_join, .init = make_home, .fini = remove_home, .timeout = 110);

#define ASSETS   3
#define SAMPLES  400
#define WAIT     50
#define CHANNELS 4

/* a:x, a:word, b:x, c:n, each null now and then; in event time and arrival time. */
typedef struct event {
    int asset;
    int64_t time;
    int64_t at;
    bool has[2];
    int64_t value;
    char word[16];
} event;

static int event_count;
static const char *const assets[ASSETS] = {"in/a", "in/b", "in/c"};

static int by_arrival(const void *x, const void *y) {
    const event *a = x;
    const event *b = y;
    return a->at != b->at ? (a->at > b->at) - (a->at < b->at)
                          : (a->time > b->time) - (a->time < b->time);
}

/* Times of one asset ascend; each asset lags by its own and by chance, below the wait. */
static void make_events(event *events, dice *d, int64_t step) {
    event_count = ASSETS * SAMPLES;
    for (int a = 0; a < ASSETS; a++) {
        int64_t time = (int64_t)below(d, 100);
        int64_t arrived = 0;
        for (int i = 0; i < SAMPLES; i++) {
            event *e = &events[a * SAMPLES + i];
            time += 1 + (int64_t)below(d, (uint64_t)step * (uint64_t)(a + 1));
            time += below(d, 60) == 0 ? 40 * step : 0;
            int64_t at = time + (int64_t)below(d, WAIT);
            arrived = at > arrived ? at : arrived;
            *e = (event){
                a, time, arrived, {below(d, 4) > 0, below(d, 3) > 0}, (int64_t)below(d, 1000), ""};
            snprintf(e->word, sizeof e->word, "w%d", (int)below(d, 40));
            if (a > 0) {
                e->has[0] = true;
            }
        }
    }
    qsort(events, ASSETS * SAMPLES, sizeof *events, by_arrival);
}

/* The two channels of the first asset come each by itself, at times of their own. */
static void take_apart(event *events, dice *d) {
    int64_t arrived = 0;
    for (int i = 0; i < ASSETS * SAMPLES; i++) {
        if (events[i].asset == 0 && events[i].has[1]) {
            event *part = &events[event_count++];
            *part = events[i];
            part->has[0] = false;
            events[i].has[1] = false;
            part->at = part->time + (int64_t)below(d, WAIT);
            part->at = part->at > arrived ? part->at : arrived;
            arrived = part->at;
        }
    }
    qsort(events, (size_t)event_count, sizeof *events, by_arrival);
}

/* Samples of one asset overtake each other. */
static void shuffle(event *events, dice *d) {
    for (int i = 0; i < event_count; i++) {
        events[i].at = events[i].time + (int64_t)below(d, WAIT);
    }
    qsort(events, (size_t)event_count, sizeof *events, by_arrival);
}

static void append(edgeops_store *store, const event *e) {
    const char *names[2];
    edgeops_value values[2];
    uint16_t qualities[2] = {(uint16_t)(e->value % 3), EDGEOPS_QUALITY_NONE};
    size_t n = 0;
    if (e->has[0]) {
        names[n] = e->asset == 2 ? "n" : "x";
        values[n++] = e->asset == 2 ? i64(e->value) : f64((double)e->value * 0.5);
    }
    if (e->asset == 0 && e->has[1]) {
        names[n] = "word";
        values[n++] = text(e->word);
    }
    if (n > 0) {
        edgeops_sample sample = {assets[e->asset], e->time, 0, n, names, values, qualities};
        CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
    }
}

static void make_spec(eop_join_spec *spec, edgeops_store *store, int64_t period,
                      int64_t tolerance) {
    static const char *const texts[CHANNELS] = {"in/a:x", "in/b:x=other", "in/c:n", "in/a:word"};
    *spec = (eop_join_spec){
        .name = eop_strdup("out/rows"), .period = period, .tolerance = tolerance, .wait = WAIT};
    for (int i = 0; i < CHANNELS; i++) {
        CHECK_OK(eop_join_spec_add_text(spec, store, texts[i]));
    }
    CHECK_OK(eop_join_spec_settle(spec));
}

static void run(eop_join *join, int64_t now) {
    edgeops_duration due = 0;
    edgeops_status status = EDGEOPS_OK;
    while ((status = eop_join_step(join, now, &due)) == EDGEOPS_OK) {
    }
    CHECK_CODE(EDGEOPS_DONE, status);
}

/* All at once, then joined. */
static edgeops_table *from_history(const event *events, int64_t period, int64_t tolerance) {
    eop_join_spec spec;
    eop_join *join = NULL;
    strcat(home, "h");
    edgeops_store *store = open_store();
    for (int i = 0; i < event_count; i++) {
        append(store, &events[i]);
    }
    make_spec(&spec, store, period, tolerance);
    CHECK_OK(eop_join_spec_check(&spec, store, false));
    CHECK_OK(eop_join_open(&join, store, &spec, NULL));
    run(join, 0);
    run(join, WAIT + tolerance);
    eop_join_view view;
    eop_join_look(&view, join);
    cr_assert_eq(view.late, 0);
    cr_assert_eq(view.conflicts, 0);
    cr_assert_eq(view.part, 1);
    cr_assert_str_eq(view.problem, "");
    edgeops_table *table = read_all(store, "out/rows");
    cr_assert_eq(view.rows >= table->rows, 1);
    eop_join_close(join);
    eop_join_spec_dispose(&spec);
    edgeops_store_close(store);
    return table;
}

/* As they arrive, the first ones before there is a join. kept: what a restart knows, which may be
 * old. */
static edgeops_table *live(const event *events, int64_t period, int64_t tolerance, dice *d,
                           int ahead) {
    eop_join_spec spec;
    eop_join *join = NULL;
    eop_json *kept = NULL;
    strcat(home, "l");
    edgeops_store *store = open_store();
    make_spec(&spec, store, period, tolerance);
    CHECK_OK(eop_join_spec_check(&spec, store, true));
    int first = 0;
    while (ahead > 0 && first < ahead) {
        append(store, &events[first++]);
    }
    CHECK_OK(eop_join_open(&join, store, &spec, NULL));
    kept = eop_join_state(join);
    int64_t now = 0;
    for (int i = first; i < event_count; i++) {
        now = events[i].at;
        append(store, &events[i]);
        if (below(d, 3) > 0) {
            run(join, now);
        }
        if (below(d, 40) == 0) {
            eop_json_free(kept);
            kept = eop_join_state(join);
        }
        if (below(d, 50) == 0) {
            eop_join_close(join);
            CHECK_OK(eop_join_open(&join, store, &spec, kept));
        }
        if (below(d, 300) == 0) {
            eop_join_close(join);
            edgeops_store_close(store);
            store = open_store();
            CHECK_OK(eop_join_open(&join, store, &spec, kept));
        }
    }
    run(join, now);
    run(join, now + 2 * WAIT + tolerance);
    eop_join_view view;
    eop_join_look(&view, join);
    cr_assert_eq(view.late, 0);
    cr_assert_eq(view.conflicts, 0);
    cr_assert_str_eq(view.problem, "");
    edgeops_table *table = read_all(store, "out/rows");
    eop_json_free(kept);
    eop_join_close(join);
    eop_join_spec_dispose(&spec);
    edgeops_store_close(store);
    return table;
}

static bool same_value(edgeops_value a, edgeops_value b) {
    if (a.type != b.type) {
        return false;
    }
    return a.type == EDGEOPS_TYPE_NULL ? true
           : a.type == EDGEOPS_TYPE_STRING
               ? a.size == b.size && memcmp(a.as.str, b.as.str, a.size) == 0
               : a.as.i64 == b.as.i64;
}

static const edgeops_column *column_of(const edgeops_table *t, const char *name) {
    for (size_t k = 0; k < t->column_count; k++) {
        if (strcmp(t->columns[k].name, name) == 0) {
            return &t->columns[k];
        }
    }
    cr_assert(false, "no column %s", name);
    return NULL;
}

static void check_same(const edgeops_table *a, const edgeops_table *b) {
    static const char *const names[CHANNELS] = {"x", "other", "n", "word"};
    for (uint64_t r = 0; r < a->rows && r < b->rows; r++) {
        cr_assert_eq(a->times[r], b->times[r], "row %llu: %lld, %lld", (unsigned long long)r,
                     (long long)a->times[r], (long long)b->times[r]);
        cr_assert_eq(a->seqs[r], b->seqs[r]);
        for (size_t k = 0; k < CHANNELS; k++) {
            const edgeops_column *x = column_of(a, names[k]);
            const edgeops_column *y = column_of(b, names[k]);
            edgeops_value v = edgeops_column_value(x, r);
            edgeops_value w = edgeops_column_value(y, r);
            cr_assert(same_value(v, w), "time %lld, channel %s: %d %lld, %d %lld",
                      (long long)a->times[r], names[k], (int)v.type, (long long)v.as.i64,
                      (int)w.type, (long long)w.as.i64);
            uint16_t p = x->quality != NULL ? x->quality[r] : EDGEOPS_QUALITY_NONE;
            uint16_t q = y->quality != NULL ? y->quality[r] : EDGEOPS_QUALITY_NONE;
            cr_assert_eq(p, q);
        }
    }
    cr_assert_eq(a->rows, b->rows, "%llu, %llu rows", (unsigned long long)a->rows,
                 (unsigned long long)b->rows);
}

/* The value of a channel of the events by a rule: at `time` (EXACT), last before, or nearest. */
typedef enum rule { EXACT, BEFORE, NEAREST } rule;

static const event *search(const event *events, int channel, int64_t time, rule how,
                           int64_t tolerance) {
    static const int asset_of[CHANNELS] = {0, 1, 2, 0};
    const event *best = NULL;
    for (int i = 0; i < event_count; i++) {
        const event *e = &events[i];
        if (e->asset != asset_of[channel] || !e->has[channel == 3]) {
            continue;
        }
        int64_t gap = e->time > time ? e->time - time : time - e->time;
        if ((how == EXACT && gap != 0) || (how == BEFORE && e->time > time) ||
            (tolerance > 0 && gap > tolerance)) {
            continue;
        }
        int64_t least = best == NULL        ? INT64_MAX
                        : best->time > time ? best->time - time
                                            : time - best->time;
        if (gap < least || (gap == least && e->time < best->time)) {
            best = e;
        }
    }
    return best;
}

static void check_value(const edgeops_table *t, uint64_t row, int channel, const event *e) {
    static const char *const names[CHANNELS] = {"x", "other", "n", "word"};
    edgeops_value is = edgeops_column_value(column_of(t, names[channel]), row);
    edgeops_value wanted = {.type = EDGEOPS_TYPE_NULL};
    if (e != NULL) {
        wanted = channel == 3   ? text(e->word)
                 : channel == 2 ? i64(e->value)
                                : f64((double)e->value * 0.5);
    }
    cr_assert(same_value(is, wanted), "time %lld, channel %d", (long long)t->times[row], channel);
}

typedef enum arrivals { WHOLE, APART, SHUFFLED } arrivals;

static void check_all(rule how, int64_t period, int64_t tolerance, int64_t step, uint64_t seed,
                      arrivals order) {
    static event events[(ASSETS + 1) * SAMPLES];
    dice d = {seed};
    make_events(events, &d, step);
    if (order >= APART) {
        take_apart(events, &d);
    }
    if (order >= SHUFFLED) {
        shuffle(events, &d);
    }
    edgeops_table *history = from_history(events, period, tolerance);
    cr_assert(history->rows > 50, "%llu rows, to %lld", (unsigned long long)history->rows,
              (long long)history->times[history->rows - 1]);
    for (uint64_t r = 0; r < history->rows; r++) {
        for (int k = 0; k < CHANNELS; k++) {
            bool own = how == NEAREST && (k == 0 || k == 3);
            check_value(
                history, r, k,
                search(events, k, history->times[r], own ? EXACT : how, own ? 0 : tolerance));
        }
    }
    for (int i = 0; i < 3; i++) {
        edgeops_table *table = live(events, period, tolerance, &d, order == WHOLE ? 0 : 60);
        check_same(history, table);
        edgeops_table_free(table);
    }
    edgeops_table_free(history);
}

Test(join_join, points_of_a_rate_are_those_of_history) {
    check_all(BEFORE, 7, 0, 5, 1, WHOLE);
    check_all(BEFORE, 50, 0, 5, 2, WHOLE);
    check_all(BEFORE, 3, 20, 9, 3, WHOLE);
}

Test(join_join, nearest_values_are_those_of_history) {
    check_all(NEAREST, 0, 4, 5, 4, WHOLE);
    check_all(NEAREST, 0, 60, 9, 5, WHOLE);
}

Test(join_join, rows_of_one_time_are_those_of_history) {
    check_all(EXACT, 0, 0, 2, 6, WHOLE);
    check_all(EXACT, 0, 0, 9, 7, WHOLE);
}

Test(join_join, an_asset_whose_channels_come_apart_is_no_exception) {
    check_all(BEFORE, 7, 0, 5, 9, APART);
    check_all(BEFORE, 50, 30, 5, 10, APART);
    check_all(NEAREST, 0, 6, 5, 11, APART);
    check_all(EXACT, 0, 0, 5, 12, APART);
}

Test(join_join, samples_that_overtake_others_are_waited_for) {
    check_all(BEFORE, 7, 0, 5, 13, SHUFFLED);
    check_all(BEFORE, 50, 30, 5, 14, SHUFFLED);
    check_all(NEAREST, 0, 6, 5, 15, SHUFFLED);
    check_all(EXACT, 0, 0, 5, 16, SHUFFLED);
}

/* -- faults -- */

/* Works through what is there although one allocation fails; false: none did. */
static bool run_with_fault(edgeops_store *store, const eop_join_spec *spec, long fault) {
    eop_join *join = NULL;
    edgeops_duration due = 0;
    long before = allocations;
    fail_at = before + fault;
    edgeops_status status = eop_join_open(&join, store, spec, NULL);
    if (status == EDGEOPS_E_NOMEM) {
        cr_assert_null(join);
        status = eop_join_open(&join, store, spec, NULL);
    }
    CHECK_OK(status);
    for (int64_t now = 0; now <= 2 * WAIT; now += 2 * WAIT) {
        while ((status = eop_join_step(join, now, &due)) != EDGEOPS_DONE) {
            cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM, "%s",
                      edgeops_error_last()->message);
        }
    }
    fail_at = 0;
    eop_json_free(eop_join_state(join));
    eop_join_close(join);
    return allocations >= before + fault;
}

Test(join_join, a_failed_allocation_costs_no_row) {
    static const int64_t rules[3][2] = {{0, 0}, {7, 0}, {0, 9}};
    static event events[(ASSETS + 1) * SAMPLES];
    dice d = {8};
    take_failing_memory();
    make_events(events, &d, 5);
    edgeops_store *store = open_store();
    for (int i = 0; i < event_count; i++) {
        append(store, &events[i]);
    }
    for (int r = 0; r < 3; r++) {
        edgeops_table *whole = NULL;
        long stride = 1;
        for (long fault = 1000000000, next = 0; fault > 0; fault = next) {
            eop_join_spec spec;
            char name[40];
            make_spec(&spec, store, rules[r][0], rules[r][1]);
            snprintf(name, sizeof name, "out/%d-%ld", r, fault);
            eop_free(spec.name);
            spec.name = eop_strdup(name);
            bool failed = run_with_fault(store, &spec, fault);
            edgeops_table *table = read_all(store, name);
            eop_join_spec_dispose(&spec);
            if (whole == NULL) {
                whole = table;
                next = 1;
                continue;
            }
            check_same(whole, table);
            edgeops_table_free(table);
            CHECK_OK(edgeops_asset_remove(store, name));
            stride += fault > 200 ? 3 : 0; /* later ones are much like those before */
            next = failed ? fault + stride : 0;
        }
        edgeops_table_free(whole);
    }
    edgeops_store_close(store);
}
