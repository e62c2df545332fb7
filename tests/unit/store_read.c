/* SPDX-License-Identifier: Apache-2.0 */
/* All forms of reads return the rows of one plain read. */
#include <math.h>

#include "base/type.h"
#include "store_fixture.h"

TestSuite(store_read, .init = make_home, .fini = remove_home);

enum { CHANNELS = 7, ROWS = 14000 };
static const char *const names[CHANNELS] = {"f", "i", "b", "s", "h", "u", "c"};
static const edgeops_type types[CHANNELS] = {
    EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_INT64,  EDGEOPS_TYPE_BOOL, EDGEOPS_TYPE_STRING,
    EDGEOPS_TYPE_FLOAT32, EDGEOPS_TYPE_UINT64, EDGEOPS_TYPE_INT16};

static edgeops_value draw(dice *d, edgeops_type type, char text_place[8]) {
    static const double odd[] = {-0.0, (double)NAN, (double)INFINITY, 1e308, -3.5};
    edgeops_value value = {.type = type};
    uint64_t luck = below(d, 30);
    switch (type) {
    case EDGEOPS_TYPE_FLOAT64:
        value.as.f64 = luck < 5 ? odd[luck] : (double)below(d, 1000) / 8;
        break;
    case EDGEOPS_TYPE_FLOAT32:
        value.as.f32 = luck == 0 ? NAN : (float)below(d, 100) / 4;
        break;
    case EDGEOPS_TYPE_BOOL:
        value.as.i64 = (int64_t)below(d, 2);
        break;
    case EDGEOPS_TYPE_STRING:
        value.size = (uint32_t)snprintf(text_place, 8, "t%d", (int)below(d, 20));
        value.as.str = text_place;
        break;
    case EDGEOPS_TYPE_UINT64:
        value.as.u64 = luck == 0 ? UINT64_MAX - below(d, 9) : below(d, 1000);
        break;
    case EDGEOPS_TYPE_INT16:
        value.as.i64 = (int64_t)below(d, 65536) - 32768;
        break;
    default:
        value.as.i64 = luck == 0 ? (int64_t)roll(d) : (int64_t)below(d, 1000) - 500;
        break;
    }
    return value;
}

/* Mostly in order; some late; the channels come one after the other, so that chunks lack some. */
static void fill(edgeops_store *store, dice *d, int64_t lateness) {
    char places[CHANNELS][8];
    int64_t clock = 0;
    for (int k = 0; k < CHANNELS; k++) {
        CHECK_OK(
            edgeops_store_declare(store, "a", &(edgeops_channel_info){names[k], "m", types[k], 1}));
    }
    for (int row = 0; row < ROWS; row++) {
        const char *channels[CHANNELS];
        edgeops_value values[CHANNELS];
        edgeops_sample sample = {.asset = "a", .channels = channels, .values = values};
        clock += (int64_t)below(d, 1000);
        sample.time = clock;
        if (lateness > 0 && below(d, 50) == 0) {
            sample.time -= (int64_t)below(d, (uint64_t)lateness);
        }
        sample.seq = (int64_t)below(d, 3);
        for (int k = 0; k < CHANNELS; k++) {
            if (row >= k * 1000 && below(d, 9) > 0) {
                channels[sample.count] = names[k];
                values[sample.count++] = draw(d, types[k], places[k]);
            }
        }
        CHECK_OK(edgeops_store_append(NULL, store, &sample, sample.count > 0, NULL));
        if (below(d, 4000) == 0) {
            CHECK_OK(eop_store_flush(store));
        }
    }
}

/* -- what must come out -- */

/* Exact for what draw() gives: no whole number there is lost as a long double or else the text
 * decides. */
static int compare(const edgeops_value *a, const edgeops_value *b) {
    if (a->type == EDGEOPS_TYPE_STRING) {
        size_t n = a->size < b->size ? a->size : b->size;
        int order = memcmp(a->as.str, b->as.str, n);
        return order != 0 ? order : (int)a->size - (int)b->size;
    }
    long double x[2];
    for (int i = 0; i < 2; i++) {
        const edgeops_value *v = i == 0 ? a : b;
        x[i] = v->type == EDGEOPS_TYPE_FLOAT64   ? (long double)v->as.f64
               : v->type == EDGEOPS_TYPE_FLOAT32 ? (long double)v->as.f32
               : v->type == EDGEOPS_TYPE_UINT64  ? (long double)v->as.u64
                                                 : (long double)v->as.i64;
    }
    return x[0] < x[1] ? -1 : x[0] > x[1] ? 1 : x[0] == x[1] ? 0 : 99;
}

static bool fulfils(const edgeops_condition *c, const edgeops_table *all, uint64_t row) {
    int k = 0;
    while (strcmp(names[k], c->channel) != 0) {
        k++;
    }
    edgeops_value value = edgeops_column_value(&all->columns[k], row);
    if (value.type == EDGEOPS_TYPE_NULL || c->compare >= EDGEOPS_COMPARE_IS_NULL) {
        return (value.type == EDGEOPS_TYPE_NULL) == (c->compare == EDGEOPS_COMPARE_IS_NULL) &&
               c->compare >= EDGEOPS_COMPARE_IS_NULL;
    }
    int order = compare(&value, &c->value);
    if (order == 99) {
        return c->compare == EDGEOPS_COMPARE_NE;
    }
    switch (c->compare) {
    case EDGEOPS_COMPARE_EQ:
        return order == 0;
    case EDGEOPS_COMPARE_NE:
        return order != 0;
    case EDGEOPS_COMPARE_LT:
        return order < 0;
    case EDGEOPS_COMPARE_LE:
        return order <= 0;
    case EDGEOPS_COMPARE_GT:
        return order > 0;
    default:
        return order >= 0;
    }
}

/* Numbers of the rows of `all` that a query wants. */
static size_t expect(uint32_t *out, const edgeops_table *all, const edgeops_query *query) {
    size_t n = 0;
    for (uint64_t row = 0; row < all->rows; row++) {
        bool in = all->times[row] >= query->start && all->times[row] < query->end &&
                  (query->max_ordinal == 0 || all->ordinals[row] <= query->max_ordinal);
        for (size_t i = 0; in && i < query->condition_count; i++) {
            in = fulfils(&query->conditions[i], all, row);
        }
        if (in) {
            out[n++] = (uint32_t)row;
        }
    }
    if (query->limit > 0 && n > query->limit) {
        n = query->limit;
    }
    if (query->last > 0 && n > query->last) {
        memmove(out, out + n - query->last, query->last * sizeof *out);
        n = query->last;
    }
    return n;
}

static bool same(const edgeops_column *a, uint64_t row_a, const edgeops_column *b, uint64_t row_b) {
    edgeops_value x = edgeops_column_value(a, row_a);
    edgeops_value y = edgeops_column_value(b, row_b);
    if (x.type != y.type || x.size != y.size) {
        return false;
    }
    return x.type == EDGEOPS_TYPE_STRING ? memcmp(x.as.str, y.as.str, x.size) == 0
                                         : memcmp(&x.as, &y.as, sizeof x.as) == 0;
}

/* -- random questions -- */

typedef struct question {
    edgeops_query query;
    edgeops_condition conditions[3];
    char places[3][8];
    const char *channels[CHANNELS];
    int columns[CHANNELS]; /* of all */
} question;

static void ask(question *q, dice *d, int64_t end, uint64_t rows) {
    *q = (question){.query = EDGEOPS_QUERY_INIT};
    q->query.asset = "a";
    if (below(d, 3) > 0) {
        q->query.start = (int64_t)below(d, (uint64_t)end);
        q->query.end = q->query.start + (int64_t)below(d, (uint64_t)end / (1 + below(d, 100)) + 1);
    }
    if (below(d, 3) == 0) {
        q->query.max_ordinal = 1 + below(d, rows);
    }
    uint64_t cut = below(d, 4);
    if (cut < 2) {
        *(cut == 0 ? &q->query.limit : &q->query.last) =
            1 + below(d, rows / (1 + below(d, 500)) + 1);
    }
    q->query.condition_count = below(d, 2) * below(d, 4);
    q->query.conditions = q->conditions;
    for (size_t i = 0; i < q->query.condition_count; i++) {
        int k = (int)below(d, CHANNELS);
        edgeops_condition *c = &q->conditions[i];
        c->channel = names[k];
        c->compare = (edgeops_compare)(1 + below(d, 8));
        c->value =
            draw(d, types[k] == EDGEOPS_TYPE_STRING ? types[k] : types[below(d, 3)], q->places[i]);
    }
    q->query.channels = q->channels;
    q->query.channel_count = 1 + below(d, CHANNELS);
    for (size_t k = 0; k < q->query.channel_count; k++) {
        q->columns[k] = (int)below(d, CHANNELS);
        q->channels[k] = names[q->columns[k]];
    }
}

static void check_table(edgeops_store *store, const question *q, const edgeops_table *all,
                        const uint32_t *rows, size_t n) {
    edgeops_table *table = NULL;
    uint64_t count = 0;
    CHECK_OK(edgeops_store_read(&table, store, &q->query));
    cr_assert_eq(table->rows, n);
    for (size_t i = 0; i < n; i++) {
        cr_assert_eq(table->times[i], all->times[rows[i]]);
        cr_assert_eq(table->seqs[i], all->seqs[rows[i]]);
        cr_assert_eq(table->ordinals[i], all->ordinals[rows[i]]);
        for (size_t k = 0; k < table->column_count; k++) {
            cr_assert(same(&table->columns[k], i, &all->columns[q->columns[k]], rows[i]));
        }
    }
    edgeops_table_free(table);
    CHECK_OK(edgeops_store_count(&count, store, &q->query));
    cr_assert_eq(count, n);
}

static bool is_number(edgeops_type type) {
    return type != EDGEOPS_TYPE_STRING;
}

/* A cell as it must be written; gives its bytes. */
static size_t cell(char out[8], const edgeops_column *column, uint64_t row, bool as_double) {
    edgeops_value value = edgeops_column_value(column, row);
    if (as_double) {
        double number = value.type == EDGEOPS_TYPE_NULL ? (double)NAN : eop_value_double(&value);
        memcpy(out, &number, sizeof number);
        return sizeof number;
    }
    size_t width = eop_type_width(column->type);
    memcpy(out, (const char *)column->data + row * width, width);
    return width;
}

/* Everywhere something that no read writes. */
static char *dirty(size_t size) {
    char *memory = malloc(size + 1);
    cr_assert(memory != NULL);
    memset(memory, 0x5a, size + 1);
    return memory;
}

static void check_targets(edgeops_store *store, dice *d, const question *q,
                          const edgeops_table *all, const uint32_t *rows, size_t n) {
    edgeops_target targets[CHANNELS] = {{0}};
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    edgeops_time *times = (edgeops_time *)dirty(n * 8);
    int64_t *seqs = (int64_t *)dirty(n * 8);
    uint64_t *ordinals = (uint64_t *)dirty(n * 8);
    uint64_t got = 99;
    layout.capacity = n;
    layout.targets = targets;
    layout.channel_count = q->query.channel_count;
    layout.times = below(d, 2) > 0 ? times : NULL;
    layout.seqs = below(d, 4) == 0 ? seqs : NULL;
    layout.ordinals = below(d, 4) == 0 ? ordinals : NULL;
    for (size_t k = 0; k < layout.channel_count; k++) {
        edgeops_type type = types[q->columns[k]];
        if (is_number(type) && below(d, 8) > 0) {
            targets[k].type = below(d, 2) > 0   ? EDGEOPS_TYPE_FLOAT64
                              : below(d, 2) > 0 ? EDGEOPS_TYPE_NULL
                                                : type;
            targets[k].stride = below(d, 2) * (8 + below(d, 20));
            size_t step = targets[k].stride > 0 ? targets[k].stride : 8;
            targets[k].data = dirty(n * step + 8) + below(d, 2);
            targets[k].valid = below(d, 2) > 0 ? (uint8_t *)dirty(n) : NULL;
        }
    }
    CHECK_OK(edgeops_store_read_into(&got, store, &q->query, &layout));
    cr_assert_eq(got, n);
    for (size_t i = 0; i < n; i++) {
        cr_assert(layout.times == NULL || times[i] == all->times[rows[i]]);
        cr_assert(layout.seqs == NULL || seqs[i] == all->seqs[rows[i]]);
        cr_assert(layout.ordinals == NULL || ordinals[i] == all->ordinals[rows[i]]);
    }
    for (size_t k = 0; k < layout.channel_count; k++) {
        const edgeops_column *column = &all->columns[q->columns[k]];
        const edgeops_target *t = &targets[k];
        bool as_double = t->type == EDGEOPS_TYPE_FLOAT64 && column->type != EDGEOPS_TYPE_FLOAT64;
        for (size_t i = 0; t->data != NULL && i < n; i++) {
            char wanted[8];
            size_t width = cell(wanted, column, rows[i], as_double);
            size_t step = t->stride > 0 ? t->stride : width;
            cr_assert(memcmp((char *)t->data + i * step, wanted, width) == 0);
            cr_assert(t->valid == NULL ||
                      t->valid[i] == (column->valid == NULL || column->valid[rows[i]]));
        }
        if (t->data != NULL) {
            free((char *)t->data - ((uintptr_t)t->data & 1));
            free(t->valid);
        }
    }
    free(times);
    free(seqs);
    free(ordinals);
}

static void check_matrix(edgeops_store *store, const question *q, const edgeops_table *all,
                         const uint32_t *rows, size_t n) {
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    uint64_t got = 99;
    size_t width = q->query.channel_count;
    bool numbers = true;
    for (size_t k = 0; k < width; k++) {
        numbers = numbers && is_number(types[q->columns[k]]);
    }
    layout.values = (double *)dirty(n * width * 8);
    layout.channel_count = width;
    layout.capacity = n;
    if (!numbers) {
        CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_read_into(&got, store, &q->query, &layout));
    } else {
        CHECK_OK(edgeops_store_read_into(&got, store, &q->query, &layout));
        cr_assert_eq(got, n);
        for (size_t i = 0; i < n * width; i++) {
            char wanted[8];
            const edgeops_column *column = &all->columns[q->columns[i % width]];
            cell(wanted, column, rows[i / width], column->type != EDGEOPS_TYPE_FLOAT64);
            cr_assert(memcmp(&layout.values[i], wanted, 8) == 0);
        }
        if (n > 0) {
            layout.capacity = n - 1;
            CHECK_CODE(EDGEOPS_E_LIMIT, edgeops_store_read_into(&got, store, &q->query, &layout));
        }
    }
    free(layout.values);
}

static void compare_reads(uint64_t seed, int64_t lateness) {
    dice d = {seed};
    question q;
    edgeops_store *store = open_store();
    fill(store, &d, lateness);
    edgeops_table *all = read_all(store, "a");
    uint32_t *rows = malloc((all->rows + 1) * sizeof *rows);
    cr_assert(rows != NULL);
    const char *given = getenv("EDGEOPS_TEST_ROUNDS");
    for (int i = given != NULL ? atoi(given) : 150; i > 0; i--) {
        ask(&q, &d, all->times[all->rows - 1], all->rows);
        size_t n = expect(rows, all, &q.query);
        check_table(store, &q, all, rows, n);
        check_targets(store, &d, &q, all, rows, n);
        check_matrix(store, &q, all, rows, n);
    }
    free(rows);
    edgeops_table_free(all);
    edgeops_store_close(store);
}

Test(store_read, agrees_with_a_plain_read) {
    compare_reads(11, 0);
}

Test(store_read, agrees_with_a_plain_read_of_late_rows) {
    compare_reads(12, 20000);
}

Test(store_read, agrees_with_a_plain_read_of_very_late_rows) {
    compare_reads(13, 5000000);
}

/* -- one thing at a time -- */

static void append_numbers(edgeops_store *store, int n) {
    for (int i = 0; i < n; i++) {
        CHECK_OK(put(store, "a", i, 0, "x", f64(i), NULL));
    }
}

/* The chunk's BLOB is no chunk: who decodes it fails. */
static void spoil_cells(const char *which) {
    char sql[160];
    snprintf(sql, sizeof sql, "UPDATE cell SET data = x'00' WHERE id IN (SELECT id FROM stat%s)",
             which);
    run_sql("data/telemetry.db", sql);
}

Test(store_read, statistics_rule_chunks_out_undecoded) {
    edgeops_store *store = open_store();
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    append_numbers(store, 9000);
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    spoil_cells(" WHERE max < 8500");
    store = open_store();
    edgeops_condition condition = {"x", EDGEOPS_COMPARE_GE, i64(8990)};
    query.asset = "a";
    query.conditions = &condition;
    query.condition_count = 1;
    CHECK_OK(edgeops_store_read(&table, store, &query));
    cr_assert_eq(table->rows, 10);
    cr_assert_eq(table->columns[0].f64[0], 8990);
    edgeops_table_free(table);
    table = NULL;
    condition.value = i64(8000);
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_store_read(&table, store, &query));
    edgeops_store_close(store);
}

Test(store_read, times_are_not_decoded_when_nobody_wants_them) {
    double values[9000];
    uint64_t rows = 0;
    edgeops_store *store = open_store();
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    append_numbers(store, 9000);
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    run_sql("data/telemetry.db", "UPDATE cell SET data = x'00' WHERE id % 2048 = 1024");
    store = open_store();
    query.asset = "a";
    layout.capacity = 9000;
    layout.values = values;
    layout.channel_count = 1;
    CHECK_OK(edgeops_store_read_into(&rows, store, &query, &layout));
    cr_assert_eq(rows, 9000);
    cr_assert_eq(values[8999], 8999);
    CHECK_OK(edgeops_store_count(&rows, store, &query));
    cr_assert_eq(rows, 9000);
    edgeops_store_close(store);
}

Test(store_read, refuses_what_does_not_fit) {
    double values[4];
    uint64_t rows = 7;
    edgeops_store *store = open_store();
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    edgeops_target target = {.data = values, .stride = 4};
    edgeops_condition conditions[17];
    append_numbers(store, 2);
    CHECK_OK(put(store, "a", 5, 0, "s", text("t"), NULL));
    query.asset = "a";
    layout.capacity = 4;
    layout.values = values;
    layout.channel_count = 1;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_read_into(&rows, store, &query, &layout));
    layout.targets = &target;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_read_into(&rows, store, &query, &layout));
    const char *x = "x";
    query.channels = &x;
    query.channel_count = 1;
    layout.values = NULL;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_read_into(&rows, store, &query, &layout));
    cr_assert_eq(rows, 7);
    target.stride = 0;
    CHECK_OK(edgeops_store_read_into(&rows, store, &query, &layout));
    cr_assert_eq(rows, 3);
    cr_assert(isnan(values[2]));
    for (size_t i = 0; i < 17; i++) {
        conditions[i] = (edgeops_condition){"x", EDGEOPS_COMPARE_LT, i64(1)};
    }
    query.conditions = conditions;
    query.condition_count = 17;
    CHECK_CODE(EDGEOPS_E_LIMIT, edgeops_store_count(&rows, store, &query));
    query.condition_count = 1;
    conditions[0].value = text("t");
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_count(&rows, store, &query));
    conditions[0].channel = "none";
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_store_count(&rows, store, &query));
    conditions[0] = (edgeops_condition){"s", (edgeops_compare)0, text("t")};
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_count(&rows, store, &query));
    edgeops_store_close(store);
}

Test(store_read, layout_macro_and_function_agree) {
    edgeops_layout macro = EDGEOPS_LAYOUT_INIT;
    edgeops_layout function;
    edgeops_layout_init(&function, sizeof function);
    cr_assert_eq(memcmp(&macro, &function, sizeof macro), 0);
}

enum { WIDE = 40, WIDE_ROWS = 60 };

/* A chunk has few of the channels that are read; some are not there at all. */
static void check_wide(edgeops_store *store, const edgeops_query *query, int channels) {
    edgeops_table *table = NULL;
    CHECK_OK(edgeops_store_read(&table, store, query));
    cr_assert_eq(table->column_count, WIDE);
    for (uint64_t i = 0; i < table->rows; i++) {
        for (int c = 0; c < WIDE; c++) {
            int number = atoi(table->columns[c].name + 1);
            bool there = number < channels && (table->times[i] + number) % 7 != 0;
            edgeops_value value = edgeops_column_value(&table->columns[c], i);
            cr_assert_eq(value.type, there ? EDGEOPS_TYPE_INT64 : EDGEOPS_TYPE_NULL);
            cr_assert(!there || value.as.i64 == table->times[i] * 100 + number);
        }
    }
    cr_assert_eq(table->rows, WIDE_ROWS);
    edgeops_table_free(table);
}

Test(store_read, wide_rows_of_a_channel_at_a_time) {
    edgeops_store *store = open_store();
    edgeops_query query = EDGEOPS_QUERY_INIT;
    uint64_t half = 0;
    query.asset = "wide";
    for (int c = 0; c < WIDE; c++) {
        char name[8];
        snprintf(name, sizeof name, "c%d", c);
        for (int64_t i = 0; i < WIDE_ROWS; i++) {
            if ((i + c) % 7 != 0) {
                CHECK_OK(put(store, "wide", i, 0, name, i64(i * 100 + c), NULL));
                half += c < WIDE / 2;
            }
        }
        if (c % 3 == 0 && c < 30) {
            CHECK_OK(eop_store_flush(store));
        }
    }
    for (int round = 0; round < 2; round++) {
        query.max_ordinal = 0;
        check_wide(store, &query, WIDE);
        query.max_ordinal = half;
        check_wide(store, &query, WIDE / 2);
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
}
