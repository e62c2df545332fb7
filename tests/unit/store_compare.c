/* SPDX-License-Identifier: Apache-2.0 */
/* Samples whose cells come in parts: what an append makes of each part, wherever the others of its
 * row are, and that an append that fails leaves no cell behind. What is stored is asked by appends,
 * not by readers, but where all is in one block. */
#include "base/time.h"
#include "catalog/policy.h"
#include "failing_memory.h"
#include "store/inner.h"
#include "store/internal.h"
#include "store/retention.h"
#include "store_fixture.h"

TestSuite(store_compare, .init = make_home, .fini = remove_home, .timeout = 100);

/* -- rows of channels of all kinds -- */

enum { CHANNELS = 8, ARRAY = 4, BLOB = 6, ALL = (1 << CHANNELS) - 1 };

static const char *const names[CHANNELS] = {"f", "i", "b", "s", "a", "l", "g", "q"};

typedef struct cells {
    char texts[2][32];
    char bytes[32];
    double array[3];
    edgeops_value values[CHANNELS];
    uint16_t codes[CHANNELS];
} cells;

/* variant: another value or code for each. */
static void make_cells(cells *c, int64_t key, int variant) {
    snprintf(c->texts[0], sizeof c->texts[0], "text %d of %d", variant, (int)key);
    snprintf(c->texts[1], sizeof c->texts[1], "%.*s", (int)(key % 9) + variant, "long enough");
    memset(c->bytes, 0, sizeof c->bytes);
    snprintf(c->bytes, sizeof c->bytes, "bytes %d of %d", variant, (int)key);
    for (int i = 0; i < 3; i++) {
        c->array[i] = (double)(key * 3 + i + 100 * variant);
    }
    for (int k = 0; k < CHANNELS; k++) {
        c->codes[k] = (key + k) % 3 == 0 ? (uint16_t)(key + k) : EDGEOPS_QUALITY_NONE;
    }
    c->values[0] = f64((double)key + 0.5 * variant);
    c->values[1] = i64(key * 7 + variant);
    c->values[2] = boolean((int)(key & 1) ^ variant);
    c->values[3] = text(c->texts[0]);
    c->values[ARRAY] = (edgeops_value){EDGEOPS_TYPE_FLOAT64, sizeof c->array, {.data = c->array}};
    c->values[5] = text(c->texts[1]);
    c->values[BLOB] = (edgeops_value){EDGEOPS_TYPE_BLOB, sizeof c->bytes, {.data = c->bytes}};
    c->values[7] = f64(-1);
    c->codes[7] = (uint16_t)(10 + variant);
}

static int64_t time_of(int64_t key) {
    return key / 3 * 10;
}

/* The cells of `mask` of a row as a sample, in an order by `turn`; that of channel `changed`, -1:
 * none, is another one. */
typedef struct part {
    cells right;
    cells wrong;
    const char *channels[CHANNELS];
    edgeops_value values[CHANNELS];
    uint16_t codes[CHANNELS];
    edgeops_sample sample;
} part;

static void make_part(part *p, const char *asset, int64_t key, unsigned mask, int changed,
                      unsigned turn) {
    size_t n = 0;
    make_cells(&p->right, key, 0);
    make_cells(&p->wrong, key, 1);
    for (unsigned i = 0; i < CHANNELS; i++) {
        unsigned k = (i * 3 + turn) % CHANNELS;
        const cells *from = (int)k == changed ? &p->wrong : &p->right;
        if ((mask >> k & 1) != 0) {
            p->channels[n] = names[k];
            p->values[n] = from->values[k];
            p->codes[n++] = from->codes[k];
        }
    }
    p->sample = (edgeops_sample){asset, time_of(key), key % 3, n, p->channels, p->values, p->codes};
}

typedef struct judged {
    edgeops_append_result result;
    edgeops_outcome outcome;
    uint32_t marks;
    uint64_t ordinal;
    char channel[32];
    edgeops_type stored;
} judged;

static judged judge(edgeops_store *store, const edgeops_sample *sample) {
    judged j = {.result = EDGEOPS_APPEND_RESULT_INIT};
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    options.verdicts = 1;
    CHECK_OK(edgeops_store_append(&j.result, store, sample, 1, &options));
    const edgeops_verdict *v = j.result.verdicts;
    j.outcome = v->outcome;
    j.marks = v->marks;
    j.ordinal = v->ordinal;
    j.stored = v->stored.type;
    snprintf(j.channel, sizeof j.channel, "%s", v->channel != NULL ? v->channel : "");
    edgeops_free(j.result.verdicts);
    const edgeops_append_result *r = &j.result;
    cr_assert_eq(r->appended + r->merged + r->duplicates + r->conflicts + r->expired, 1);
    cr_assert_eq(r->appended, j.outcome == EDGEOPS_OUTCOME_APPENDED);
    cr_assert_eq(r->merged, j.outcome == EDGEOPS_OUTCOME_MERGED);
    cr_assert_eq(r->duplicates, j.outcome == EDGEOPS_OUTCOME_DUPLICATE);
    cr_assert_eq(r->conflicts, j.outcome == EDGEOPS_OUTCOME_CONFLICT);
    cr_assert_eq(r->expired, j.outcome == EDGEOPS_OUTCOME_EXPIRED);
    return j;
}

static judged judge_part(edgeops_store *store, const char *asset, int64_t key, unsigned mask,
                         int changed, unsigned turn) {
    part p;
    make_part(&p, asset, key, mask, changed, turn);
    return judge(store, &p.sample);
}

static judged judge_one(edgeops_store *store, const char *asset, int64_t time, const char *channel,
                        edgeops_value value) {
    edgeops_sample sample = {asset, time, 0, 1, &channel, &value, NULL};
    return judge(store, &sample);
}

static eop_extent extent_of(edgeops_store *store, const char *asset) {
    const eop_series *series = eop_series_find(eop_store_lock_assets(store), asset);
    eop_extent all = series->all;
    eop_store_unlock_assets(store);
    return all;
}

static void rotate(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    CHECK_OK(eop_store_rotate(store, 0));
    pthread_mutex_unlock(&store->lock);
}

static void reopen(edgeops_store **store) {
    edgeops_store_close(*store);
    *store = open_store();
}

/* -- what becomes of parts -- */

enum { KEYS = 90 };

typedef struct stored {
    unsigned masks[KEYS];
    uint64_t ordinal;
    uint64_t rows;
    uint64_t parts;
} stored;

static void add_part(stored *s, edgeops_store *store, dice *d) {
    int64_t key = (int64_t)below(d, KEYS);
    unsigned have = s->masks[key];
    unsigned mask = 1u << below(d, CHANNELS) | (below(d, 3) == 0 ? (unsigned)below(d, ALL) : 0);
    int changed = (int)below(d, CHANNELS);
    changed = below(d, 8) == 0 && (mask & have & 1u << changed) != 0 ? changed : -1;
    judged j = judge_part(store, "a", key, mask, changed, (unsigned)below(d, CHANNELS));
    if (changed >= 0) {
        cr_assert_eq(j.outcome, EDGEOPS_OUTCOME_CONFLICT);
        cr_assert_str_eq(j.channel, names[changed]);
        cr_assert_neq(j.stored, EDGEOPS_TYPE_NULL);
        return;
    }
    edgeops_outcome expected = (mask & ~have) == 0 ? EDGEOPS_OUTCOME_DUPLICATE
                               : have == 0         ? EDGEOPS_OUTCOME_APPENDED
                                                   : EDGEOPS_OUTCOME_MERGED;
    cr_assert_eq(j.outcome, expected, "key %d has %x, gets %x: %d instead of %d", (int)key, have,
                 mask, (int)j.outcome, (int)expected);
    s->masks[key] |= mask;
    s->rows += expected == EDGEOPS_OUTCOME_APPENDED;
    s->parts += expected == EDGEOPS_OUTCOME_MERGED;
    s->ordinal += expected != EDGEOPS_OUTCOME_DUPLICATE;
    cr_assert_eq(j.ordinal, expected == EDGEOPS_OUTCOME_DUPLICATE ? 0 : s->ordinal);
}

/* All that was given is there, and nothing else. */
static void check_stored(const stored *s, edgeops_store *store) {
    eop_extent all = extent_of(store, "a");
    cr_assert_eq(all.rows, s->rows);
    cr_assert_eq(all.parts, s->parts);
    cr_assert_eq(all.ordinal, s->ordinal);
    cr_assert_eq(eop_store_parts(store, "a"), s->parts);
    for (int64_t key = 0; key < KEYS; key++) {
        if (s->masks[key] != 0) {
            judged j = judge_part(store, "a", key, s->masks[key], -1, 0);
            cr_assert_eq(j.outcome, EDGEOPS_OUTCOME_DUPLICATE, "key %d, outcome %d, channel %s",
                         (int)key, (int)j.outcome, j.channel);
        }
        for (int k = 0; k < CHANNELS; k++) {
            if ((s->masks[key] >> k & 1) != 0) {
                judged j = judge_part(store, "a", key, ALL, k, 0);
                cr_assert_eq(j.outcome, EDGEOPS_OUTCOME_CONFLICT);
                cr_assert_str_eq(j.channel, names[k]);
            }
        }
    }
}

static void try_parts(uint64_t seed, int every) {
    dice d = {seed};
    stored s = {{0}, 0, 0, 0};
    edgeops_store *store = open_store();
    for (int i = 0; i < 1500; i++) {
        add_part(&s, store, &d);
        if (below(&d, (uint64_t)every) == 0) {
            eop_extent before = extent_of(store, "a");
            switch (below(&d, 4)) {
            case 0:
                CHECK_OK(eop_store_flush(store));
                break;
            case 1:
                rotate(store);
                break;
            default:
                reopen(&store);
            }
            eop_extent after = extent_of(store, "a");
            cr_assert_eq(memcmp(&before, &after, sizeof before), 0);
        }
    }
    for (int round = 0; round < 3; round++) {
        check_stored(&s, store);
        if (round == 0) {
            CHECK_OK(eop_store_flush(store));
        } else {
            reopen(&store);
        }
    }
    cr_assert_eq(s.rows, KEYS);
    edgeops_store_close(store);
    CHECK_OK(eop_remove_tree(home));
}

Test(store_compare, parts_in_any_order_anywhere_are_told_apart) {
    try_parts(1, 30);
    try_parts(2, 12);
    try_parts(3, 400);
}

Test(store_compare, a_conflict_in_any_holder_refuses_the_whole_sample) {
    edgeops_store *store = open_store();
    const char *channels[4] = {"w", "z", "y", "x"};
    cr_assert_eq(judge_one(store, "a", 5, "x", f64(1)).outcome, EDGEOPS_OUTCOME_APPENDED);
    CHECK_OK(eop_store_flush(store));
    cr_assert_eq(judge_one(store, "a", 5, "y", f64(2)).outcome, EDGEOPS_OUTCOME_MERGED);
    CHECK_OK(eop_store_flush(store));
    cr_assert_eq(judge_one(store, "a", 5, "z", f64(3)).outcome, EDGEOPS_OUTCOME_MERGED);
    for (int wrong = 1; wrong < 4; wrong++) {
        edgeops_value values[4] = {f64(9), f64(3), f64(2), f64(1)};
        values[wrong] = f64(-1);
        edgeops_sample sample = {"a", 5, 0, 4, channels, values, NULL};
        judged j = judge(store, &sample);
        cr_assert_eq(j.outcome, EDGEOPS_OUTCOME_CONFLICT);
        cr_assert_str_eq(j.channel, channels[wrong]);
    }
    cr_assert_eq(extent_of(store, "a").parts, 2);
    edgeops_asset_info *info = NULL;
    CHECK_OK(edgeops_asset_get(&info, store, "a"));
    cr_assert_eq(info->rows, 1);
    cr_assert_eq(info->last_ordinal, 3);
    cr_assert_eq(info->channel_count, 3, "the refused samples made no channel");
    edgeops_free(info);
    /* Its quality is a part of a cell, too. */
    uint16_t code = 3;
    edgeops_value three = f64(3);
    edgeops_sample coded = {"a", 5, 0, 1, &channels[1], &three, &code};
    cr_assert_eq(judge(store, &coded).outcome, EDGEOPS_OUTCOME_CONFLICT);
    edgeops_value values[4] = {f64(9), f64(3), f64(2), f64(1)};
    edgeops_sample sample = {"a", 5, 0, 4, channels, values, NULL};
    judged j = judge(store, &sample);
    cr_assert_eq(j.outcome, EDGEOPS_OUTCOME_MERGED);
    cr_assert_eq(j.ordinal, 4);
    edgeops_store_close(store);
}

Test(store_compare, nulls_are_no_cells) {
    edgeops_store *store = open_store();
    const char *channels[3] = {"x", "y", "z"};
    const edgeops_value null = {.type = EDGEOPS_TYPE_NULL};
    edgeops_value nulls[3] = {null, null, null};
    edgeops_value some[3] = {null, f64(2), null};
    edgeops_sample sample = {"a", 1, 0, 3, channels, nulls, NULL};
    cr_assert_eq(judge(store, &sample).outcome, EDGEOPS_OUTCOME_APPENDED, "a row without cells");
    cr_assert_eq(judge(store, &sample).outcome, EDGEOPS_OUTCOME_DUPLICATE);
    for (int round = 0; round < 2; round++) {
        sample.values = some;
        cr_assert_eq(judge(store, &sample).outcome,
                     round == 0 ? EDGEOPS_OUTCOME_MERGED : EDGEOPS_OUTCOME_DUPLICATE);
        sample.values = nulls;
        cr_assert_eq(judge(store, &sample).outcome, EDGEOPS_OUTCOME_DUPLICATE);
        reopen(&store);
    }
    CHECK_OK(eop_store_flush(store));
    cr_assert_eq(judge(store, &sample).outcome, EDGEOPS_OUTCOME_DUPLICATE);
    cr_assert_eq(judge_one(store, "a", 1, "x", f64(1)).outcome, EDGEOPS_OUTCOME_MERGED);
    edgeops_store_close(store);
}

Test(store_compare, a_thousand_channels_come_one_by_one) {
    enum { N = EOP_CHANNELS_MAX };
    static char texts[N][8];
    static const char *channels[N];
    static edgeops_value values[N];
    static edgeops_sample samples[N];
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_store *store = open_store();
    for (int i = 0; i < N; i++) {
        int at = i * 7 % N; /* not in the order of the channels, but for the first row */
        snprintf(texts[i], sizeof texts[i], "c%d", i);
        channels[i] = texts[i];
        values[i] = f64(i);
        samples[i] = (edgeops_sample){"a", 1, 0, 1, &channels[at], &values[at], NULL};
    }
    edgeops_sample whole = {"a", 1, 0, N, channels, values, NULL};
    for (int i = 0; i < N; i++) {
        CHECK_OK(edgeops_store_append(&r, store, &samples[i], 1, NULL));
        cr_assert(r.appended == (i == 0) && r.merged == (i > 0));
        samples[i].time = 2;
    }
    CHECK_OK(edgeops_store_append(&r, store, samples, N, NULL));
    cr_assert(r.appended == 1 && r.merged == N - 1);
    for (int round = 0; round < 3; round++) {
        eop_extent all = extent_of(store, "a");
        cr_assert(all.rows == 2 && all.parts == 2 * (N - 1) && all.ordinal == 2 * N);
        for (whole.time = 1; whole.time <= 2; whole.time++) {
            CHECK_OK(edgeops_store_append(&r, store, &whole, 1, NULL));
            cr_assert_eq(r.duplicates, 1);
        }
        if (round == 0) {
            reopen(&store);
        } else {
            CHECK_OK(eop_store_flush(store));
        }
    }
    edgeops_store_close(store);
}

Test(store_compare, predictions_are_whole_rows) {
    edgeops_store *store = open_store();
    const char *channels[2] = {"x", "y"};
    edgeops_value values[2] = {f64(1), f64(2)};
    static const char *const assets[] = {"predictions/d", "predictions/line/d"};
    for (size_t i = 0; i < EOP_COUNT(assets); i++) {
        edgeops_sample two = {assets[i], 1, 0, 2, channels, values, NULL};
        cr_assert_eq(judge(store, &two).outcome, EDGEOPS_OUTCOME_APPENDED);
        for (int round = 0; round < 2; round++) {
            cr_assert_eq(judge(store, &two).outcome, EDGEOPS_OUTCOME_DUPLICATE);
            judged less = judge_one(store, assets[i], 1, "x", f64(1));
            cr_assert_eq(less.outcome, EDGEOPS_OUTCOME_CONFLICT);
            cr_assert_str_eq(less.channel, "y");
            cr_assert_eq(less.stored, EDGEOPS_TYPE_FLOAT64);
            judged more = judge_one(store, assets[i], 1, "z", f64(3));
            cr_assert_eq(more.outcome, EDGEOPS_OUTCOME_CONFLICT);
            cr_assert_str_eq(more.channel, "z");
            cr_assert_eq(more.stored, EDGEOPS_TYPE_NULL);
            CHECK_OK(eop_store_flush(store));
        }
        cr_assert_eq(eop_store_parts(store, assets[i]), 0);
    }
    static const char *const others[] = {"predictions", "predictionsx/d", "a/predictions/d"};
    for (size_t i = 0; i < EOP_COUNT(others); i++) {
        cr_assert_eq(judge_one(store, others[i], 1, "x", f64(1)).outcome, EDGEOPS_OUTCOME_APPENDED);
        cr_assert_eq(judge_one(store, others[i], 1, "y", f64(1)).outcome, EDGEOPS_OUTCOME_MERGED);
    }
    edgeops_store_close(store);
}

Test(store_compare, merged_samples_are_late_and_ahead_like_others) {
    edgeops_store *store = open_store();
    edgeops_time now = eop_now();
    edgeops_time ahead = now + 48 * 3600 * EDGEOPS_SECOND;
    cr_assert_eq(judge_one(store, "a", now - 10, "x", f64(1)).marks, 0);
    cr_assert_eq(judge_one(store, "a", now - 5, "x", f64(1)).marks, 0);
    judged j = judge_one(store, "a", now - 5, "y", f64(1));
    cr_assert(j.outcome == EDGEOPS_OUTCOME_MERGED && j.marks == 0 && j.result.late == 0);
    j = judge_one(store, "a", now - 10, "y", f64(1));
    cr_assert(j.outcome == EDGEOPS_OUTCOME_MERGED && j.marks == EDGEOPS_MARK_LATE &&
              j.result.late == 1);
    cr_assert_eq(judge_one(store, "a", ahead, "x", f64(1)).marks, EDGEOPS_MARK_AHEAD);
    j = judge_one(store, "a", ahead, "y", f64(1));
    cr_assert(j.outcome == EDGEOPS_OUTCOME_MERGED && j.marks == EDGEOPS_MARK_AHEAD &&
              j.result.ahead == 1);
    edgeops_store_close(store);
}

Test(store_compare, parts_of_dropped_rows_are_expired) {
    eop_retained retained;
    eop_policy policy = {.pattern = "old", .max_age = EDGEOPS_SECOND};
    edgeops_store *store = open_store();
    CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
    cr_assert_eq(judge_one(store, "old", 5, "x", f64(1)).outcome, EDGEOPS_OUTCOME_APPENDED);
    cr_assert_eq(judge_one(store, "old", 5, "y", f64(1)).outcome, EDGEOPS_OUTCOME_MERGED);
    CHECK_OK(eop_store_flush(store));
    CHECK_OK(eop_retention_run(&retained, store, EOP_RETENTION_DROP, NULL, NULL));
    cr_assert_eq(extent_of(store, "old").rows, 0);
    cr_assert_eq(judge_one(store, "old", 5, "z", f64(1)).outcome, EDGEOPS_OUTCOME_EXPIRED);
    cr_assert_eq(judge_one(store, "old", 5, "x", f64(2)).outcome, EDGEOPS_OUTCOME_EXPIRED);
    cr_assert_eq(judge_one(store, "old", 6, "x", f64(2)).outcome, EDGEOPS_OUTCOME_APPENDED);
    cr_assert_eq(judge_one(store, "old", 6, "y", f64(2)).outcome, EDGEOPS_OUTCOME_MERGED);
    edgeops_store_close(store);
}

/* -- tables -- */

enum { ROWS = 10000 };

static edgeops_append_result append_columns(edgeops_store *store, int64_t first, size_t rows,
                                            const char *const *channels, size_t n) {
    static edgeops_time times[2 * ROWS];
    static double values[2 * ROWS];
    edgeops_column columns[3] = {{0}};
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    for (size_t i = 0; i < rows; i++) {
        times[i] = (first + (int64_t)i) * 5;
        values[i] = (double)(first + (int64_t)i) / 4;
    }
    for (size_t k = 0; k < n; k++) {
        columns[k] = (edgeops_column){
            .name = channels[k], .type = EDGEOPS_TYPE_FLOAT64, .data = values, .f64 = values};
    }
    edgeops_table table = {
        .asset = "a", .rows = rows, .times = times, .column_count = n, .columns = columns};
    CHECK_OK(edgeops_store_append_tables(&r, store, &table, 1, NULL));
    return r;
}

Test(store_compare, tables_of_the_same_times_become_one) {
    const char *const channels[3] = {"x", "y", "z"};
    for (int way = 0; way < 3; way++) {
        edgeops_store *store = open_store();
        for (size_t k = 0; k < 2; k++) {
            edgeops_append_result r = append_columns(store, 0, ROWS, &channels[k], 1);
            cr_assert(r.appended == (k == 0 ? ROWS : 0) && r.merged == (k == 0 ? 0 : ROWS));
            if (way == 1) {
                CHECK_OK(eop_store_flush(store));
            } else if (way == 2) {
                reopen(&store);
            }
        }
        /* Half of the rows are there, the others are newer than all. */
        edgeops_append_result r = append_columns(store, ROWS / 2, ROWS, channels, 3);
        cr_assert(r.merged == ROWS / 2 && r.appended == ROWS / 2 && r.duplicates == 0);
        /* By column, into a block with parts. */
        r = append_columns(store, ROWS * 3 / 2, ROWS, channels, 2);
        cr_assert_eq(r.appended, ROWS);
        r = append_columns(store, ROWS * 3 / 2, ROWS, &channels[2], 1);
        cr_assert_eq(r.merged, ROWS);
        eop_extent before = extent_of(store, "a");
        cr_assert_eq(before.rows, ROWS * 5 / 2);
        cr_assert_eq(before.parts, ROWS * 5 / 2);
        reopen(&store);
        eop_extent after = extent_of(store, "a");
        cr_assert_eq(memcmp(&before, &after, sizeof before), 0);
        for (int round = 0; round < 2; round++) {
            r = append_columns(store, 0, ROWS, channels, 2);
            cr_assert_eq(r.duplicates, ROWS);
            r = append_columns(store, ROWS / 2, 2 * ROWS, channels, 3);
            cr_assert_eq(r.duplicates, 2 * ROWS);
            CHECK_OK(eop_store_flush(store));
        }
        r = append_columns(store, 0, ROWS / 2, &channels[2], 1);
        cr_assert_eq(r.merged, ROWS / 2);
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
}

/* So many files of one channel each that a search asks which chunks have a cell. Each has two thirds
 * of the rows, so that the first part of a row is in the first or second file. */
enum { FILES = 24, LINES = 7500 };

static bool has_line(int64_t i, size_t k) {
    return i % 11 != 0 && (i + (int64_t)k) % 3 != 0;
}

static void append_file(edgeops_store *store, size_t k, const char *name) {
    static edgeops_time times[LINES];
    static double values[LINES];
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_table table = {.asset = "a", .times = times, .column_count = 1};
    for (int64_t i = 0; i < LINES; i++) {
        if (has_line(i, k)) {
            times[table.rows] = i;
            values[table.rows++] = (double)(i + 1000 * (int64_t)k);
        }
    }
    edgeops_column column = {.name = name, .type = EDGEOPS_TYPE_FLOAT64, .data = values};
    table.columns = &column;
    CHECK_OK(edgeops_store_append_tables(&r, store, &table, 1, NULL));
    cr_assert_eq(r.appended + r.merged, table.rows);
}

static void check_file_row(edgeops_store *store, int64_t i, const char *const *channels) {
    const char *given[FILES];
    edgeops_value values[FILES];
    size_t n = 0;
    for (size_t k = 0; k < FILES; k++) {
        if (has_line(i, k)) {
            given[n] = channels[k];
            values[n++] = f64((double)(i + 1000 * (int64_t)k));
        }
    }
    edgeops_sample sample = {"a", i, 0, n, given, values, NULL};
    const edgeops_value null = {.type = EDGEOPS_TYPE_NULL};
    if (n == 0) {
        return;
    }
    cr_assert_eq(judge(store, &sample).outcome, EDGEOPS_OUTCOME_DUPLICATE, "row %d", (int)i);
    cr_assert_eq(judge_one(store, "a", i, "c0", null).outcome, EDGEOPS_OUTCOME_DUPLICATE);
    for (size_t k = 0; k < n; k++) {
        values[k].as.f64 += 0.5;
        judged j = judge(store, &sample);
        cr_assert_eq(j.outcome, EDGEOPS_OUTCOME_CONFLICT);
        cr_assert_str_eq(j.channel, given[k]);
        values[k].as.f64 -= 0.5;
        sample.count = 1;
        sample.channels = &given[k];
        sample.values = &values[k];
        cr_assert_eq(judge(store, &sample).outcome, EDGEOPS_OUTCOME_DUPLICATE);
        sample.count = n;
        sample.channels = given;
        sample.values = values;
    }
}

Test(store_compare, a_search_of_many_chunks_asks_for_channels) {
    static char texts[FILES][24];
    static const char *channels[FILES];
    edgeops_store *store = open_store();
    for (size_t k = 0; k < FILES; k++) {
        snprintf(texts[k], sizeof texts[k], "c%zu", k);
        channels[k] = texts[k];
        append_file(store, k, channels[k]);
        CHECK_OK(eop_store_flush(store));
    }
    cr_assert_geq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk WHERE t0 <= 2000 AND"
                                               " t1 >= 2000"),
                  10);
    for (int64_t i = 0; i < LINES; i += 7) {
        check_file_row(store, i, channels);
    }
    eop_extent before = extent_of(store, "a");
    uint64_t rows = 0;
    for (int64_t i = 0; i < LINES; i++) {
        bool there = i % 11 != 0;
        rows += !there;
        cr_assert_eq(judge_one(store, "a", i, "new", f64(1)).outcome,
                     there ? EDGEOPS_OUTCOME_MERGED : EDGEOPS_OUTCOME_APPENDED, "row %d", (int)i);
    }
    eop_extent after = extent_of(store, "a");
    cr_assert_eq(after.rows, before.rows + rows);
    cr_assert_eq(after.parts, before.parts + LINES - rows);
    edgeops_store_close(store);
}

/* -- an append that fails -- */

/* Rows 0..11 with some cells of each; what is read of them before and after a failure is the same.
 * All are in one block. with_parts: they came in parts already. */
static edgeops_store *open_rows(bool with_parts) {
    edgeops_store *store = open_store();
    for (int64_t key = 0; key < 12; key++) {
        unsigned first = with_parts ? 0x35 : 0x3d;
        cr_assert_eq(judge_part(store, "a", key, first, -1, 0).outcome, EDGEOPS_OUTCOME_APPENDED);
        if (with_parts && key % 2 == 0) {
            cr_assert_eq(judge_part(store, "a", key, 0x08, -1, 0).outcome, EDGEOPS_OUTCOME_MERGED);
        }
    }
    return store;
}

static void check_same_table(const edgeops_table *a, const edgeops_table *b) {
    cr_assert_eq(a->rows, b->rows);
    cr_assert_eq(a->column_count, b->column_count);
    for (size_t k = 0; k < a->column_count; k++) {
        const edgeops_column *x = &a->columns[k];
        const edgeops_column *y = &b->columns[k];
        cr_assert_eq(x->nulls, y->nulls, "%s", x->name);
        for (uint64_t i = 0; i < a->rows; i++) {
            edgeops_value v = edgeops_column_value(x, i);
            edgeops_value w = edgeops_column_value(y, i);
            cr_assert_eq(v.type, w.type);
            cr_assert_eq(v.size, w.size);
            cr_assert(v.size > 0 ? memcmp(v.as.data, w.as.data, v.size) == 0
                                 : v.type == EDGEOPS_TYPE_STRING || v.type == EDGEOPS_TYPE_NULL ||
                                       v.as.u64 == w.as.u64);
            cr_assert_eq(x->quality != NULL ? x->quality[i] : EDGEOPS_QUALITY_NONE,
                         y->quality != NULL ? y->quality[i] : EDGEOPS_QUALITY_NONE);
        }
    }
}

/* Cells in the middle and at the end of columns, a channel that is new, a new row and a part of
 * it. */
enum { BATCH = 9 };

static void make_batch(part *parts, edgeops_sample *samples) {
    static const struct {
        int64_t key;
        unsigned mask;
    } batch[BATCH] = {{3, 0x42},  {11, 0x02}, {2, 0x80},  {11, 0xc0}, {5, 0x02},
                      {12, 0x21}, {12, 0x9a}, {13, 0x08}, {0, 0xc2}};
    for (int i = 0; i < BATCH; i++) {
        make_part(&parts[i], "a", batch[i].key, batch[i].mask, -1, 5);
        samples[i] = parts[i].sample;
    }
}

Test(store_compare, a_refused_call_takes_its_cells_back) {
    static part parts[BATCH];
    edgeops_sample samples[BATCH + 1];
    const char *f = "f";
    edgeops_value word = text("not a number");
    for (int with_parts = 0; with_parts < 2; with_parts++) {
        edgeops_store *store = open_rows(with_parts);
        edgeops_table *before = read_all(store, "a");
        eop_extent all = extent_of(store, "a");
        make_batch(parts, samples);
        for (int n = 0; n <= BATCH; n++) {
            samples[n] = (edgeops_sample){"a", 1000, 0, 1, &f, &word, NULL};
            CHECK_CODE(EDGEOPS_E_INVALID,
                       edgeops_store_append(NULL, store, samples, (size_t)n + 1, NULL));
            make_batch(parts, samples);
            edgeops_table *after = read_all(store, "a");
            check_same_table(before, after);
            edgeops_table_free(after);
            eop_extent now = extent_of(store, "a");
            cr_assert_eq(memcmp(&all, &now, sizeof all), 0);
            pthread_mutex_lock(&store->lock);
            const eop_block *block = eop_series_find(&store->assets, "a")->newest;
            cr_assert_eq(block->parts != NULL, with_parts != 0);
            cr_assert_eq(block->data.ordinals != NULL, with_parts != 0);
            pthread_mutex_unlock(&store->lock);
        }
        edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
        CHECK_OK(edgeops_store_append(&r, store, samples, BATCH, NULL));
        cr_assert(r.merged == BATCH - 2 && r.appended == 2);
        edgeops_table *taken = read_all(store, "a");
        reopen(&store);
        edgeops_table *replayed = read_all(store, "a");
        check_same_table(taken, replayed);
        CHECK_OK(edgeops_store_append(&r, store, samples, BATCH, NULL));
        cr_assert_eq(r.duplicates, BATCH);
        edgeops_table_free(before);
        edgeops_table_free(taken);
        edgeops_table_free(replayed);
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
}

Test(store_compare, each_allocation_fails_and_leaves_no_cell) {
    static part parts[BATCH];
    edgeops_sample samples[BATCH];
    take_failing_memory();
    make_batch(parts, samples);
    for (int with_parts = 0; with_parts < 2; with_parts++) {
        bool failed = true;
        long nth = 0;
        edgeops_store_close(open_rows(with_parts));
        while (failed) {
            /* Opened anew: else what was allocated would stay. */
            edgeops_store *store = open_store();
            edgeops_table *before = read_all(store, "a");
            edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
            fail_here = ++nth;
            edgeops_status status = edgeops_store_append(&r, store, samples, BATCH, NULL);
            failed = fail_here == 0;
            fail_here = 0;
            edgeops_table *after = read_all(store, "a");
            if (status != EDGEOPS_OK) {
                CHECK_CODE(EDGEOPS_E_NOMEM, status);
                check_same_table(before, after);
            } else {
                cr_assert(r.merged == BATCH - 2 && r.appended == 2);
                cr_assert_eq(after->rows, 14);
            }
            edgeops_table_free(before);
            edgeops_table_free(after);
            edgeops_store_close(store);
            if (status == EDGEOPS_OK) { /* some allocations only save time */
                CHECK_OK(eop_remove_tree(home));
                edgeops_store_close(open_rows(with_parts));
            }
        }
        CHECK_OK(eop_remove_tree(home));
        cr_assert_gt(nth, 20, "%d", (int)nth);
    }
}
