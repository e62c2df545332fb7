/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that come in random parts, over appends, segments, chunks and reopenings, read by time in
 * every way, against a table of cells that knows which arrival brought which of them. */
#include <math.h>

#include "measured_memory.h"
#include "store_fixture.h"

TestSuite(store_scan, .init = make_home, .fini = remove_home, .timeout = 110);

enum { CHANNELS = 6, ARRAY = 4, LENGTH = 3, KEYS_MAX = 12000 };
static const char *const names[CHANNELS] = {"f", "i", "s", "b", "a", "g"};
static const edgeops_type types[CHANNELS] = {EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_INT64,
                                             EDGEOPS_TYPE_STRING,  EDGEOPS_TYPE_BOOL,
                                             EDGEOPS_TYPE_INT16,   EDGEOPS_TYPE_FLOAT32};

/* Arrival 0: not yet. A cell that is never to come has none in `wants`. */
typedef struct model_row {
    int64_t time;
    int64_t seq;
    uint64_t first;
    bool wants[CHANNELS];
    uint64_t arrived[CHANNELS];
    edgeops_value values[CHANNELS];
    uint16_t quality[CHANNELS];
    int16_t array[LENGTH];
    char text[8];
} model_row;

typedef struct model {
    dice d;
    edgeops_store *store;
    model_row rows[KEYS_MAX]; /* by key */
    size_t count;
    uint64_t ordinal;
    size_t order[KEYS_MAX];
} model;

static void draw_row(model *m, model_row *row) {
    dice *d = &m->d;
    for (int k = 0; k < CHANNELS; k++) {
        edgeops_value *value = &row->values[k];
        *value = (edgeops_value){.type = types[k]};
        row->wants[k] = below(d, 6) > 0;
        row->quality[k] = below(d, 12) == 0 ? (uint16_t)below(d, 90) : EDGEOPS_QUALITY_NONE;
        if (k == 2) {
            value->size = (uint32_t)snprintf(row->text, sizeof row->text, "t%d", (int)below(d, 40));
            value->as.str = row->text;
        } else if (k == ARRAY) {
            for (int e = 0; e < LENGTH; e++) {
                row->array[e] = (int16_t)below(d, 60);
            }
            value->size = sizeof row->array;
            value->as.data = row->array;
        } else if (k == 0) {
            value->as.f64 = below(d, 30) == 0 ? (double)NAN : (double)below(d, 1000) / 8;
        } else if (k == 5) {
            value->as.f32 = (float)below(d, 100) / 4;
        } else {
            value->as.i64 = k == 3 ? (int64_t)below(d, 2) : (int64_t)below(d, 1000) - 500;
        }
    }
}

static void draw_keys(model *m, size_t count) {
    int64_t time = -200;
    m->count = count;
    m->ordinal = 0;
    for (size_t i = 0; i < count; i++) {
        model_row *row = &m->rows[i];
        *row = (model_row){.time = time};
        if (i > 0 && m->rows[i - 1].time == time) {
            row->seq = m->rows[i - 1].seq + 1;
        }
        draw_row(m, row);
        time += below(&m->d, 8) == 0 ? 0 : 1 + (int64_t)below(&m->d, 20);
    }
}

/* Appends some cells of a row that are not there, or, in vain, some that are. */
static void append_part(model *m, model_row *row, const bool chosen[CHANNELS]) {
    const char *channels[CHANNELS];
    edgeops_value values[CHANNELS];
    uint16_t qualities[CHANNELS];
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_sample sample = {"a", row->time, row->seq, 0, channels, values, qualities};
    bool fresh = false;
    for (int k = 0; k < CHANNELS; k++) {
        if (chosen[k] && row->wants[k]) {
            channels[sample.count] = names[k];
            qualities[sample.count] = row->quality[k];
            values[sample.count++] = row->values[k];
            fresh = fresh || row->arrived[k] == 0;
        }
    }
    if (sample.count == 0) {
        return;
    }
    CHECK_OK(edgeops_store_append(&result, m->store, &sample, 1, NULL));
    cr_assert_eq(result.conflicts, 0);
    cr_assert_eq(result.duplicates, fresh ? 0 : 1);
    cr_assert_eq(result.merged, fresh && row->first > 0);
    if (fresh) {
        m->ordinal++;
        row->first = row->first > 0 ? row->first : m->ordinal;
    }
    for (int k = 0; k < CHANNELS; k++) {
        if (chosen[k] && row->wants[k] && row->arrived[k] == 0) {
            row->arrived[k] = m->ordinal;
        }
    }
}

static void disturb(model *m) {
    uint64_t luck = below(&m->d, 1500);
    if (luck == 0) {
        CHECK_OK(eop_store_flush(m->store));
    } else if (luck == 1) {
        edgeops_store_close(m->store);
        m->store = open_store();
    }
}

/* Each column group by itself, one after the other, as files; a part of the rows not at all. */
static void fill_by_files(model *m) {
    for (int file = 0; file < 3; file++) {
        for (size_t i = 0; i < m->count; i++) {
            bool chosen[CHANNELS] = {false};
            chosen[file * 2] = true;
            chosen[file * 2 + 1] = true;
            if (i < m->count * 2 / 3 || (i + (size_t)file) % 5 > 0) {
                append_part(m, &m->rows[i], chosen);
            }
            disturb(m);
        }
        CHECK_OK(eop_store_flush(m->store));
    }
}

/* Mostly in order, some much later; single cells or several. */
static void fill_at_random(model *m, size_t arrivals) {
    for (size_t i = 0; i < arrivals; i++) {
        size_t front = m->count * (i + 1) / arrivals;
        size_t back = below(&m->d, 20) == 0 ? below(&m->d, front + 1) : below(&m->d, 30);
        bool chosen[CHANNELS];
        for (int k = 0; k < CHANNELS; k++) {
            chosen[k] = below(&m->d, 3) == 0;
        }
        size_t row = front > back ? front - back : 0;
        append_part(m, &m->rows[row < m->count ? row : m->count - 1], chosen);
        disturb(m);
    }
}

/* -- what must come out -- */

static bool shows(const model_row *row, int k, uint64_t max) {
    return row->arrived[k] > 0 && row->arrived[k] <= max;
}

static bool fulfils(const edgeops_condition *c, const model_row *row, uint64_t max) {
    int k = 0;
    while (strcmp(names[k], c->channel) != 0) {
        k++;
    }
    bool there = shows(row, k, max);
    if (!there || c->compare >= EDGEOPS_COMPARE_IS_NULL) {
        return c->compare == (there ? EDGEOPS_COMPARE_NOT_NULL : EDGEOPS_COMPARE_IS_NULL);
    }
    double x = k == 0   ? row->values[k].as.f64
               : k == 5 ? (double)row->values[k].as.f32
                        : (double)row->values[k].as.i64;
    double y = k == 2 ? 0 : c->value.as.f64;
    if (k == 2) {
        x = strcmp(row->text, c->value.as.str);
    }
    switch (c->compare) {
    case EDGEOPS_COMPARE_EQ:
        return x == y;
    case EDGEOPS_COMPARE_NE:
        return x != y;
    case EDGEOPS_COMPARE_LT:
        return x < y;
    case EDGEOPS_COMPARE_LE:
        return x <= y;
    case EDGEOPS_COMPARE_GT:
        return x > y;
    default:
        return x >= y;
    }
}

static uint64_t max_of(const edgeops_query *query) {
    return query->max_ordinal > 0 ? query->max_ordinal : UINT64_MAX;
}

/* The rows that a query wants, in m->order. */
static size_t expect(model *m, const edgeops_query *query) {
    size_t n = 0;
    uint64_t max = max_of(query);
    for (size_t i = 0; i < m->count; i++) {
        const model_row *row = &m->rows[i];
        bool in = row->first > 0 && row->first <= max && row->time >= query->start &&
                  (row->time < query->end || query->end == EDGEOPS_TIME_MAX);
        for (size_t c = 0; in && c < query->condition_count; c++) {
            in = fulfils(&query->conditions[c], row, max);
        }
        if (in) {
            m->order[n++] = i;
        }
    }
    if (query->limit > 0 && n > query->limit) {
        n = query->limit;
    }
    if (query->last > 0 && n > query->last) {
        memmove(m->order, m->order + n - query->last, query->last * sizeof *m->order);
        n = query->last;
    }
    return n;
}

typedef struct question {
    edgeops_query query;
    edgeops_condition conditions[2];
    char texts[2][8];
    const char *channels[CHANNELS];
    int columns[CHANNELS];
} question;

static void ask(question *q, model *m) {
    dice *d = &m->d;
    int64_t end = m->rows[m->count - 1].time + 2;
    *q = (question){.query = EDGEOPS_QUERY_INIT};
    q->query.asset = "a";
    if (below(d, 2) > 0) {
        q->query.start = (int64_t)below(d, (uint64_t)end + 300) - 250;
        q->query.end = q->query.start + (int64_t)below(d, (uint64_t)end / (1 + below(d, 60)) + 1);
    }
    if (below(d, 2) == 0) {
        q->query.max_ordinal = 1 + below(d, m->ordinal + 5);
    }
    uint64_t cut = below(d, 4);
    if (cut < 2) {
        *(cut == 0 ? &q->query.limit : &q->query.last) =
            1 + below(d, m->count / (1 + below(d, 300)) + 1);
    }
    q->query.condition_count = below(d, 2) * below(d, 3);
    q->query.conditions = q->conditions;
    for (size_t i = 0; i < q->query.condition_count; i++) {
        int k = (int)below(d, CHANNELS);
        edgeops_condition *c = &q->conditions[i];
        snprintf(q->texts[i], sizeof q->texts[i], "t%d", (int)below(d, 50));
        c->channel = names[k];
        c->compare = (edgeops_compare)(1 + below(d, 8));
        c->value = k == 2 ? text(q->texts[i]) : f64((double)below(d, 1200) / 8 - 20);
        if (k == ARRAY && c->compare < EDGEOPS_COMPARE_IS_NULL) {
            c->compare = below(d, 2) > 0 ? EDGEOPS_COMPARE_IS_NULL : EDGEOPS_COMPARE_NOT_NULL;
        }
    }
    q->query.channels = q->channels;
    q->query.channel_count = 1 + below(d, CHANNELS);
    for (size_t k = 0; k < q->query.channel_count; k++) {
        q->columns[k] = (int)below(d, CHANNELS);
        q->channels[k] = names[q->columns[k]];
    }
}

static void check_cell(const edgeops_column *column, uint64_t at, const model_row *row, int k,
                       uint64_t max) {
    edgeops_value got = edgeops_column_value(column, at);
    uint16_t quality = column->quality != NULL ? column->quality[at] : EDGEOPS_QUALITY_NONE;
    if (!shows(row, k, max)) {
        cr_assert_eq(got.type, EDGEOPS_TYPE_NULL);
        cr_assert_eq(quality, EDGEOPS_QUALITY_NONE);
        return;
    }
    cr_assert_eq(got.type, types[k], "%s at %d", names[k], (int)row->time);
    cr_assert_eq(quality, row->quality[k]);
    cr_assert_eq(got.size, row->values[k].size);
    const void *a = got.size > 0 ? got.as.data : (const void *)&got.as;
    const void *b = got.size > 0 ? row->values[k].as.data : (const void *)&row->values[k].as;
    size_t size = got.size > 0 ? got.size : k == 5 ? sizeof(float) : sizeof(double);
    cr_assert_eq(memcmp(a, b, size), 0);
}

static void check_read(model *m, const question *q, size_t n) {
    edgeops_table *table = NULL;
    uint64_t count = 0;
    CHECK_OK(edgeops_store_read(&table, m->store, &q->query));
    cr_assert_eq(table->rows, n, "%d rows, not %d", (int)table->rows, (int)n);
    for (size_t i = 0; i < n; i++) {
        const model_row *row = &m->rows[m->order[i]];
        cr_assert_eq(table->times[i], row->time);
        cr_assert_eq(table->seqs[i], row->seq);
        cr_assert_eq(table->ordinals[i], row->first);
        for (size_t k = 0; k < table->column_count; k++) {
            check_cell(&table->columns[k], i, row, q->columns[k], max_of(&q->query));
        }
    }
    edgeops_table_free(table);
    CHECK_OK(edgeops_store_count(&count, m->store, &q->query));
    cr_assert_eq(count, n);
}

/* The first and the last channel, a number as a double and a float as it is. */
static void check_into(model *m, const question *q, size_t n) {
    const char *both[2] = {"i", "g"};
    edgeops_query query = q->query;
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    double *i = malloc((n + 1) * sizeof *i);
    float *g = malloc((n + 1) * sizeof *g);
    uint8_t *valid = malloc(n + 1);
    uint64_t *ordinals = malloc((n + 1) * sizeof *ordinals);
    edgeops_target targets[2] = {{.data = i, .type = EDGEOPS_TYPE_FLOAT64},
                                 {.data = g, .valid = valid}};
    uint64_t got = 0;
    query.channels = both;
    query.channel_count = 2;
    layout.capacity = n;
    layout.targets = targets;
    layout.channel_count = 2;
    layout.ordinals = ordinals;
    CHECK_OK(edgeops_store_read_into(&got, m->store, &query, &layout));
    cr_assert_eq(got, n);
    for (size_t at = 0; at < n; at++) {
        const model_row *row = &m->rows[m->order[at]];
        bool there = shows(row, 1, max_of(&query));
        cr_assert_eq(ordinals[at], row->first);
        cr_assert(there ? i[at] == (double)row->values[1].as.i64 : isnan(i[at]));
        there = shows(row, 5, max_of(&query));
        cr_assert_eq(valid[at], there);
        cr_assert(there ? g[at] == row->values[5].as.f32 : isnan(g[at]));
    }
    free(i);
    free(g);
    free(valid);
    free(ordinals);
}

static void check_bucket(const model *m, const question *q, const edgeops_bucket *bucket,
                         size_t n) {
    uint64_t rows = 0;
    uint64_t counts[CHANNELS] = {0};
    double sums[CHANNELS] = {0};
    int64_t first = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        const model_row *row = &m->rows[m->order[i]];
        if (row->time < bucket->start || (row->time >= bucket->end && bucket->end < INT64_MAX)) {
            continue;
        }
        rows++;
        first = row->time < first ? row->time : first;
        for (int k = 0; k < CHANNELS; k++) {
            if (shows(row, k, max_of(&q->query))) {
                counts[k]++;
                sums[k] += k == 0   ? (isnan(row->values[k].as.f64) ? 0 : row->values[k].as.f64)
                           : k == 5 ? (double)row->values[k].as.f32
                           : k == 1 || k == 3 ? (double)row->values[k].as.i64
                                              : 0;
            }
        }
    }
    cr_assert_eq(bucket->rows, rows, "%d rows, not %d", (int)bucket->rows, (int)rows);
    cr_assert_eq(bucket->first, first);
    for (size_t c = 0; c < q->query.channel_count; c++) {
        int k = q->columns[c];
        const edgeops_aggregate *got = &bucket->channels[c];
        cr_assert_eq(got->count, counts[k], "%s: %d, not %d", names[k], (int)got->count,
                     (int)counts[k]);
        cr_assert_eq(got->nulls, rows - counts[k]);
        if (k != 2 && k != ARRAY) {
            cr_assert_float_eq(got->sum, sums[k], 1e-6 * (1 + fabs(sums[k])));
        }
    }
}

static void check_aggregate(model *m, const question *q) {
    edgeops_query query = q->query;
    edgeops_summary *summary = NULL;
    uint64_t rows = 0;
    query.limit = 0;
    query.last = 0;
    size_t n = expect(m, &query);
    edgeops_duration every = below(&m->d, 3) == 0 ? 0 : 1 + (int64_t)below(&m->d, 40000);
    CHECK_OK(edgeops_store_aggregate(&summary, m->store, &query, every));
    for (size_t i = 0; i < summary->bucket_count; i++) {
        check_bucket(m, q, &summary->buckets[i], n);
        rows += summary->buckets[i].rows;
    }
    cr_assert_eq(rows, n);
    edgeops_summary_free(summary);
}

static void check_all(model *m, int rounds) {
    question q;
    const char *given = getenv("EDGEOPS_TEST_ROUNDS");
    for (int i = given != NULL ? atoi(given) : rounds; i > 0; i--) {
        ask(&q, m);
        check_aggregate(m, &q);
        size_t n = expect(m, &q.query);
        check_read(m, &q, n);
        check_into(m, &q, n);
    }
}

static void begin(model *m, uint64_t seed, size_t count) {
    m->d = (dice){seed};
    m->store = open_store();
    for (int k = 0; k < CHANNELS; k++) {
        CHECK_OK(edgeops_store_declare(
            m->store, "a",
            &(edgeops_channel_info){names[k], "", types[k], k == ARRAY ? LENGTH : 1}));
    }
    draw_keys(m, count);
}

static model it;

Test(store_scan, files_that_each_bring_some_channels_are_whole_rows) {
    begin(&it, 31, KEYS_MAX);
    fill_by_files(&it);
    check_all(&it, 150);
    edgeops_store_close(it.store);
}

Test(store_scan, random_parts_are_whole_rows) {
    begin(&it, 32, KEYS_MAX / 2);
    for (int i = 0; i < 3; i++) {
        fill_at_random(&it, 8000);
        check_all(&it, 60);
    }
    CHECK_OK(eop_store_flush(it.store));
    check_all(&it, 100);
    edgeops_store_close(it.store);
}

/* Every ordinal as the bound. */
Test(store_scan, each_ordinal_shows_what_was_there) {
    begin(&it, 33, 60);
    fill_at_random(&it, 150);
    for (int flushed = 0; flushed < 2; flushed++) {
        for (uint64_t max = 1; max <= it.ordinal + 1; max++) {
            question q = {.query = EDGEOPS_QUERY_INIT};
            q.query.asset = "a";
            q.query.channels = names;
            q.query.channel_count = CHANNELS;
            for (int k = 0; k < CHANNELS; k++) {
                q.columns[k] = k;
            }
            q.query.max_ordinal = max;
            check_aggregate(&it, &q);
            check_read(&it, &q, expect(&it, &q.query));
        }
        fill_at_random(&it, flushed == 0 ? 100 : 0);
        CHECK_OK(eop_store_flush(it.store));
    }
    edgeops_store_close(it.store);
}

/* -- what is not decoded -- */

/* Two full chunks a file, so that none has rows of both. */
enum { SPOILED_ROWS = 2 * 4080 };

/* x in one file, y in another; some BLOBs are none from then on: who decodes them fails. */
static edgeops_store *open_spoiled(const char *which) {
    char sql[160];
    edgeops_store *store = open_store();
    for (int file = 0; file < 2; file++) {
        for (int i = 0; i < SPOILED_ROWS; i++) {
            CHECK_OK(put(store, "a", i, 0, file == 0 ? "x" : "y", f64(i), NULL));
        }
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
    snprintf(sql, sizeof sql, "UPDATE cell SET data = x'00' WHERE %s", which);
    run_sql("data/telemetry.db", sql);
    return open_store();
}

Test(store_scan, a_piece_is_ruled_out_when_no_chunk_of_it_can_meet_a_condition) {
    edgeops_store *store = open_spoiled("id IN (SELECT id FROM stat WHERE max < 4080)");
    edgeops_condition condition = {"x", EDGEOPS_COMPARE_GE, f64(SPOILED_ROWS - 10)};
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = "a";
    query.conditions = &condition;
    query.condition_count = 1;
    CHECK_OK(edgeops_store_read(&table, store, &query));
    cr_assert_eq(table->rows, 10);
    for (size_t c = 0; c < 2; c++) {
        cr_assert_eq(table->columns[c].f64[0], SPOILED_ROWS - 10);
    }
    edgeops_table_free(table);
    table = NULL;
    /* In each chunk one of the two is null in all rows, and in no whole row. */
    condition.compare = EDGEOPS_COMPARE_IS_NULL;
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_store_read(&table, store, &query));
    query.start = 4080;
    uint64_t count = 1;
    CHECK_OK(edgeops_store_count(&count, store, &query));
    cr_assert_eq(count, 0);
    edgeops_store_close(store);
}

/* The chunk alone fails the condition; with what memory has of its rows it does not. */
Test(store_scan, a_chunk_is_not_ruled_out_when_memory_has_parts_of_its_rows) {
    edgeops_store *store = open_store();
    for (int file = 0; file < 2; file++) {
        for (int i = 0; i < 100; i++) {
            CHECK_OK(put(store, "a", i, 0, file == 0 ? "x" : "y", f64(i), NULL));
        }
        if (file == 0) {
            CHECK_OK(eop_store_flush(store));
        }
    }
    edgeops_condition condition = {"y", EDGEOPS_COMPARE_GE, f64(90)};
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = "a";
    query.conditions = &condition;
    query.condition_count = 1;
    CHECK_OK(edgeops_store_read(&table, store, &query));
    cr_assert_eq(table->rows, 10);
    for (uint64_t i = 0; i < table->rows; i++) {
        cr_assert_eq(table->ordinals[i], 91 + i);
        for (size_t c = 0; c < 2; c++) {
            cr_assert_eq(table->columns[c].nulls, 0);
            cr_assert_eq(table->columns[c].f64[i], 90.0 + (double)i);
        }
    }
    edgeops_table_free(table);
    edgeops_store_close(store);
}

Test(store_scan, rows_in_parts_are_counted_and_summed_up_undecoded) {
    edgeops_store *store = open_spoiled("id % 2048 <= 1024");
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_summary *summary = NULL;
    uint64_t count = 0;
    query.asset = "a";
    CHECK_OK(edgeops_store_count(&count, store, &query));
    cr_assert_eq(count, SPOILED_ROWS);
    CHECK_OK(edgeops_store_aggregate(&summary, store, &query, 0));
    cr_assert_eq(summary->buckets[0].rows, SPOILED_ROWS);
    for (size_t c = 0; c < 2; c++) {
        const edgeops_aggregate *got = &summary->buckets[0].channels[c];
        cr_assert_eq(got->count, SPOILED_ROWS);
        cr_assert_eq(got->nulls, 0);
        cr_assert_eq(got->max.as.f64, SPOILED_ROWS - 1);
        cr_assert_eq(got->sum, (SPOILED_ROWS - 1.0) * SPOILED_ROWS / 2);
    }
    edgeops_summary_free(summary);
    edgeops_store_close(store);
}

/* -- memory -- */

/* Rows [0, rows) of some channels, in one segment. */
static void append_file(edgeops_store *store, size_t rows, const char *const *channels,
                        size_t count, uint32_t length, double base) {
    size_t width = rows * length;
    edgeops_time *times = malloc(rows * sizeof *times);
    double *values = malloc(count * width * sizeof *values);
    edgeops_column columns[4];
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    cr_assert(times != NULL && values != NULL && count <= 4);
    for (size_t i = 0; i < rows; i++) {
        times[i] = (edgeops_time)i * 10;
    }
    for (size_t c = 0; c < count; c++) {
        for (size_t i = 0; i < width; i++) {
            values[c * width + i] = base + (double)c + (double)i * 0.25;
        }
        columns[c] = (edgeops_column){.name = channels[c],
                                      .unit = "",
                                      .type = EDGEOPS_TYPE_FLOAT64,
                                      .f64 = values + c * width,
                                      .data = values + c * width,
                                      .length = length};
    }
    edgeops_table table = {
        .asset = "a", .rows = rows, .times = times, .column_count = count, .columns = columns};
    CHECK_OK(edgeops_store_append_tables(&result, store, &table, 1, NULL));
    cr_assert_eq(result.appended + result.merged, rows);
    CHECK_OK(eop_store_flush(store));
    free(times);
    free(values);
}

static size_t growth(edgeops_store *store, const edgeops_query *query, const edgeops_layout *layout,
                     size_t rows) {
    uint64_t got = 0;
    size_t before = atomic_load(&live_bytes);
    atomic_store(&peak_bytes, before);
    CHECK_OK(edgeops_store_read_into(&got, store, query, layout));
    cr_assert_eq(got, rows);
    return atomic_load(&peak_bytes) - before;
}

Test(store_scan, two_long_files_are_read_in_the_memory_of_a_few_chunks) {
    enum { ROWS = 200000 };
    static const char *const channels[4] = {"p", "q", "r", "s"};
    static double values[ROWS * 4];
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    edgeops_table *last = NULL;
    take_measured_memory();
    edgeops_store *store = open_store();
    append_file(store, ROWS, channels, 2, 1, 1);
    append_file(store, ROWS, channels + 2, 2, 1, 3);
    query.asset = "a";
    query.channels = channels;
    query.channel_count = 4;
    layout.values = values;
    layout.channel_count = 4;
    layout.capacity = ROWS;
    size_t bytes = growth(store, &query, &layout, ROWS);
    cr_assert_lt(bytes, 3u * 1024 * 1024, "%zu bytes", bytes);
    for (size_t i = 0; i < ROWS; i++) {
        for (size_t c = 0; c < 4; c++) {
            cr_assert_eq(values[i * 4 + c], 1 + (double)c + (double)i * 0.25);
        }
    }
    atomic_store(&peak_bytes, atomic_load(&live_bytes));
    bytes = atomic_load(&live_bytes);
    query.last = 10;
    CHECK_OK(edgeops_store_read(&last, store, &query));
    cr_assert_eq(last->rows, 10);
    cr_assert_eq(last->columns[3].f64[9], values[ROWS * 4 - 1]);
    cr_assert_lt(atomic_load(&peak_bytes) - bytes, 2u * 1024 * 1024);
    edgeops_table_free(last);
    edgeops_store_close(store);
}

/* 20 chunks of 4 MiB that all overlap: more than are kept decoded. */
Test(store_scan, chunks_that_do_not_fit_into_memory_are_decoded_again) {
    enum { ROWS = 4000, FILES = 20, WIDTH = 128 };
    static double first[ROWS * WIDTH];
    static double final[ROWS * WIDTH];
    static char texts[FILES][8];
    const char *channels[FILES];
    edgeops_target targets[FILES] = {{.data = first}};
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    edgeops_store *store = NULL;
    options.segment_bytes = (uint64_t)32 * 1024 * 1024;
    take_measured_memory();
    CHECK_OK(edgeops_store_open(&store, home, &options));
    for (int k = 0; k < FILES; k++) {
        snprintf(texts[k], sizeof texts[k], "w%d", k);
        channels[k] = texts[k];
        append_file(store, ROWS, &channels[k], 1, WIDTH, k);
    }
    query.asset = "a";
    query.channels = channels;
    query.channel_count = FILES;
    targets[FILES - 1].data = final;
    layout.targets = targets;
    layout.channel_count = FILES;
    layout.capacity = ROWS;
    size_t bytes = growth(store, &query, &layout, ROWS);
    cr_assert_lt(bytes, 90u * 1024 * 1024, "%zu bytes", bytes);
    for (size_t i = 0; i < (size_t)ROWS * WIDTH; i++) {
        cr_assert_eq(first[i], (double)i * 0.25);
        cr_assert_eq(final[i], FILES - 1 + (double)i * 0.25);
    }
    edgeops_store_close(store);
}

static edgeops_status read_in_all_ways(model *m, bool check) {
    question q = {.query = EDGEOPS_QUERY_INIT};
    edgeops_table *table = NULL;
    edgeops_summary *summary = NULL;
    uint64_t count = 0;
    q.query.asset = "a";
    q.query.max_ordinal = m->ordinal - 20;
    edgeops_status status = edgeops_store_read(&table, m->store, &q.query);
    cr_assert(!check || table->rows == expect(m, &q.query));
    edgeops_table_free(table);
    table = NULL;
    q.query.last = 30;
    q.query.condition_count = 1;
    q.query.conditions = q.conditions;
    q.conditions[0] = (edgeops_condition){"f", EDGEOPS_COMPARE_GE, f64(20)};
    if (status == EDGEOPS_OK) {
        status = edgeops_store_read(&table, m->store, &q.query);
        cr_assert(!check || table->rows == expect(m, &q.query));
        edgeops_table_free(table);
    }
    q.query.last = 0;
    if (status == EDGEOPS_OK) {
        status = edgeops_store_aggregate(&summary, m->store, &q.query, 5000);
        edgeops_summary_free(summary);
    }
    q.query.condition_count = 0;
    if (status == EDGEOPS_OK) {
        status = edgeops_store_count(&count, m->store, &q.query);
        cr_assert(!check || count == expect(m, &q.query));
    }
    return status;
}

Test(store_scan, each_allocation_of_a_read_may_fail) {
    edgeops_status status = EDGEOPS_E_NOMEM;
    long n = 0;
    take_measured_memory();
    begin(&it, 34, 3000);
    fill_at_random(&it, 3000);
    CHECK_OK(eop_store_flush(it.store));
    fill_at_random(&it, 500);
    CHECK_OK(read_in_all_ways(&it, true));
    while (status != EDGEOPS_OK) {
        size_t before = atomic_load(&live_bytes);
        atomic_store(&allocations, 0);
        atomic_store(&fail_at, ++n);
        status = read_in_all_ways(&it, false);
        atomic_store(&fail_at, 0);
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM, "allocation %ld: %s", n,
                  edgeops_error_last()->message);
        cr_assert(atomic_load(&live_bytes) < before + 1024 * 1024, "allocation %ld", n);
    }
    cr_assert_gt(n, 300);
    CHECK_OK(read_in_all_ways(&it, true));
    edgeops_store_close(it.store);
}
