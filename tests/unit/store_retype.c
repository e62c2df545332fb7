/* SPDX-License-Identifier: Apache-2.0 */
/* A channel gets another type: no value changes, or the call refuses and says which; nulls, quality
 * codes, order and place stay; a program that is killed at any call leaves the old or the new. */
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/column_view.h"
#include "base/file.h"
#include "catalog/policy.h"
#include "edgeops/dataset.h"
#include "store/backup.h"
#include "store/compact.h"
#include "store/inner.h"
#include "store/internal.h"
#include "store/retention.h"
#include "store_fixture.h"
#include "store_sound.h"
#include "support/disk.h"

TestSuite(store_retype, .init = make_home, .fini = remove_home, .timeout = 100);

static edgeops_status retype(edgeops_store *store, const char *asset, const char *channel,
                             edgeops_type type) {
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    options.asset = asset;
    options.channel = channel;
    options.type = type;
    return edgeops_channel_retype(NULL, store, &options);
}

/* The writer removes what it has replaced. */
static void wait_purged(edgeops_store *store) {
    for (bool due = true; due;) {
        CHECK_OK(eop_store_flush(store));
        pthread_mutex_lock(&store->lock);
        due = store->purge_due;
        pthread_mutex_unlock(&store->lock);
        usleep(1000);
    }
}

/* -- one value -- */

typedef struct conversion {
    edgeops_value from;
    edgeops_value to; /* NULL: it does not fit */
    edgeops_type type;
} conversion;

static edgeops_value f32(float value) {
    return (edgeops_value){.type = EDGEOPS_TYPE_FLOAT32, .as.f32 = value};
}

static edgeops_value typed(edgeops_type type, int64_t value) {
    return (edgeops_value){.type = type, .as.i64 = value};
}

static const edgeops_value none = {.type = EDGEOPS_TYPE_NULL};

static bool same_bits(const edgeops_column *c, uint64_t row, const edgeops_value *value) {
    if (c->type == EDGEOPS_TYPE_STRING) {
        size_t size = c->offsets[row + 1] - c->offsets[row];
        return size == value->size &&
               memcmp((const char *)c->bytes + c->offsets[row], value->as.str, size) == 0;
    }
    char wanted[8];
    size_t width = eop_type_width(c->type);
    eop_value_save(wanted, value);
    return memcmp((const char *)eop_column_data(c) + row * width, wanted, width) == 0;
}

static void check_conversion(edgeops_store *store, const conversion *c, int number) {
    char asset[32];
    snprintf(asset, sizeof asset, "a%d", number);
    edgeops_sample sample = {asset, 5, 1, 1, (const char *const[]){"x"}, &c->from, NULL};
    CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
    edgeops_status status = retype(store, asset, "x", c->type);
    bool fits = c->to.type != EDGEOPS_TYPE_NULL;
    cr_assert_eq(status, fits ? EDGEOPS_OK : EDGEOPS_E_INVALID, "%d: %s", number,
                 edgeops_error_last()->message);
    if (!fits) {
        cr_assert(strstr(edgeops_error_last()->message, "(seq 1)") != NULL ||
                      c->from.type == EDGEOPS_TYPE_BLOB,
                  "%s", edgeops_error_last()->message);
    }
    edgeops_table *table = read_all(store, asset);
    const edgeops_value *wanted = fits ? &c->to : &c->from;
    cr_assert_eq(table->columns[0].type, wanted->type, "%d", number);
    cr_assert_eq(table->rows, 1);
    cr_assert(same_bits(&table->columns[0], 0, wanted), "conversion %d", number);
    edgeops_table_free(table);
}

Test(store_retype, no_value_changes_in_secret) {
    const int64_t two53 = INT64_C(1) << 53;
    const conversion all[] = {
        {i64(7), f64(7), EDGEOPS_TYPE_FLOAT64},
        {i64(two53), f64(0x1p53), EDGEOPS_TYPE_FLOAT64},
        {i64(two53 + 1), none, EDGEOPS_TYPE_FLOAT64},
        {i64(INT64_MIN), f64(-0x1p63), EDGEOPS_TYPE_FLOAT64},
        {i64(INT64_MAX), none, EDGEOPS_TYPE_FLOAT64},
        {i64(INT64_MAX), text("9223372036854775807"), EDGEOPS_TYPE_STRING},
        {i64(255), typed(EDGEOPS_TYPE_UINT8, 255), EDGEOPS_TYPE_UINT8},
        {i64(256), none, EDGEOPS_TYPE_UINT8},
        {i64(-1), none, EDGEOPS_TYPE_UINT64},
        {i64(1), boolean(1), EDGEOPS_TYPE_BOOL},
        {i64(2), none, EDGEOPS_TYPE_BOOL},
        {boolean(1), i64(1), EDGEOPS_TYPE_INT64},
        {boolean(0), f64(0), EDGEOPS_TYPE_FLOAT64},
        {boolean(0), text("false"), EDGEOPS_TYPE_STRING},
        {f64(3), i64(3), EDGEOPS_TYPE_INT64},
        {f64(1.5), none, EDGEOPS_TYPE_INT64},
        {f64(-0.0), none, EDGEOPS_TYPE_INT64},
        {f64(0x1p63), none, EDGEOPS_TYPE_INT64},
        {f64(NAN), none, EDGEOPS_TYPE_INT64},
        {f64(1), boolean(1), EDGEOPS_TYPE_BOOL},
        {f64(-0.0), none, EDGEOPS_TYPE_BOOL},
        {f64(0.5), f32(0.5f), EDGEOPS_TYPE_FLOAT32},
        {f64(0.1), none, EDGEOPS_TYPE_FLOAT32},
        {f64(1e300), none, EDGEOPS_TYPE_FLOAT32},
        {f64(INFINITY), f32(INFINITY), EDGEOPS_TYPE_FLOAT32},
        {f64(-0.0), text("-0"), EDGEOPS_TYPE_STRING},
        {f64(0.1), text("0.1"), EDGEOPS_TYPE_STRING},
        {f32(0.1f), f64((double)0.1f), EDGEOPS_TYPE_FLOAT64},
        {f32(0.1f), text("0.1"), EDGEOPS_TYPE_STRING},
        {typed(EDGEOPS_TYPE_UINT64, -1), text("18446744073709551615"), EDGEOPS_TYPE_STRING},
        {typed(EDGEOPS_TYPE_UINT64, -1), none, EDGEOPS_TYPE_INT64},
        {text("12"), i64(12), EDGEOPS_TYPE_INT64},
        {text("-12"), f64(-12), EDGEOPS_TYPE_FLOAT64},
        {text("1.50"), f64(1.5), EDGEOPS_TYPE_FLOAT64},
        {text("1e3"), f64(1000), EDGEOPS_TYPE_FLOAT64},
        {text("1.5"), none, EDGEOPS_TYPE_INT64},
        {text("007"), none, EDGEOPS_TYPE_INT64},
        {text("007"), none, EDGEOPS_TYPE_FLOAT64},
        {text("+7"), none, EDGEOPS_TYPE_INT64},
        {text("9007199254740993"), none, EDGEOPS_TYPE_FLOAT64},
        {text("9007199254740993"), i64(two53 + 1), EDGEOPS_TYPE_INT64},
        {text("9223372036854775808"), none, EDGEOPS_TYPE_INT64},
        {text("0.1"), f32(0.1f), EDGEOPS_TYPE_FLOAT32},
        {text("NaN"), f64(NAN), EDGEOPS_TYPE_FLOAT64},
        {text("-Infinity"), f64(-INFINITY), EDGEOPS_TYPE_FLOAT64},
        {text("NaN"), none, EDGEOPS_TYPE_INT64},
        {text("NA"), none, EDGEOPS_TYPE_FLOAT64},
        {text(""), none, EDGEOPS_TYPE_FLOAT64},
        {text("abc"), none, EDGEOPS_TYPE_FLOAT64},
        {text("0x10"), none, EDGEOPS_TYPE_INT64},
        {text("true"), boolean(1), EDGEOPS_TYPE_BOOL},
        {text("False"), boolean(0), EDGEOPS_TYPE_BOOL},
        {text("yes"), none, EDGEOPS_TYPE_BOOL},
    };
    edgeops_store *store = open_store();
    for (size_t i = 0; i < EOP_COUNT(all); i++) {
        check_conversion(store, &all[i], (int)i);
    }
    wait_purged(store);
    check_sound(store);
    edgeops_store_close(store);
    store = open_store();
    for (size_t i = 0; i < EOP_COUNT(all); i++) {
        char asset[32];
        snprintf(asset, sizeof asset, "a%d", (int)i);
        edgeops_table *table = read_all(store, asset);
        const edgeops_value *wanted =
            all[i].to.type != EDGEOPS_TYPE_NULL ? &all[i].to : &all[i].from;
        cr_assert_eq(table->columns[0].type, wanted->type);
        cr_assert(same_bits(&table->columns[0], 0, wanted), "conversion %d", (int)i);
        edgeops_table_free(table);
    }
    edgeops_store_close(store);
}

/* -- a whole channel -- */

enum { ROWS = 3000 };

/* Row n of asset "a": channel x beside others, with nulls and quality codes; each seventh row is
 * late. */
static void put_row(edgeops_store *store, int64_t n, bool as_float) {
    const char *names[] = {"first", "x", "last"};
    uint16_t codes[] = {EDGEOPS_QUALITY_NONE,
                        n % 5 == 0 ? (uint16_t)(n % 900) : (uint16_t)EDGEOPS_QUALITY_NONE, 3};
    edgeops_value values[] = {i64(n), as_float ? f64((double)(n / 2)) : i64(n / 2), text("t")};
    if (n % 11 == 10) {
        values[1].type = EDGEOPS_TYPE_NULL;
    }
    int64_t time = n * 1000 - (n % 7 == 0 ? 55500 : 0);
    edgeops_sample sample = {"a", time, 0, 3, names, values, codes};
    CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
}

static double number_at(const edgeops_column *c, uint64_t i) {
    return c->type == EDGEOPS_TYPE_FLOAT64 ? c->f64[i] : (double)c->i64[i];
}

/* All rows up to `n`, each once, in either type. */
static edgeops_type check_rows(edgeops_store *store, int64_t n) {
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->rows, (uint64_t)n);
    cr_assert_eq(table->column_count, 3);
    cr_assert_str_eq(table->columns[0].name, "first");
    cr_assert_str_eq(table->columns[1].name, "x");
    cr_assert_str_eq(table->columns[2].name, "last");
    const edgeops_column *x = &table->columns[1];
    for (uint64_t i = 0; i < table->rows; i++) {
        int64_t k = table->columns[0].i64[i];
        cr_assert_eq(table->ordinals[i], (uint64_t)k + 1);
        bool null = x->valid != NULL && x->valid[i] == 0;
        cr_assert_eq(null, k % 11 == 10);
        cr_assert(null || number_at(x, i) == (double)(k / 2), "row %d", (int)k);
        uint16_t code = x->quality != NULL ? x->quality[i] : EDGEOPS_QUALITY_NONE;
        cr_assert_eq(code, null || k % 5 != 0 ? EDGEOPS_QUALITY_NONE : k % 900);
    }
    edgeops_type type = x->type;
    edgeops_table_free(table);
    return type;
}

static int64_t duplicates_of(edgeops_store *store, int64_t n, bool as_float) {
    const char *names[] = {"first", "x", "last"};
    uint16_t codes[] = {EDGEOPS_QUALITY_NONE, (uint16_t)(n % 900), 3};
    edgeops_value values[] = {i64(n), as_float ? f64((double)(n / 2)) : i64(n / 2), text("t")};
    edgeops_sample sample = {"a", n * 1000 - (n % 7 == 0 ? 55500 : 0), 0, 3, names, values, codes};
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    CHECK_OK(edgeops_store_append(&result, store, &sample, 1, NULL));
    return (int64_t)result.duplicates;
}

Test(store_retype, nulls_codes_order_and_place_stay) {
    edgeops_store *store = open_store();
    for (int64_t n = 0; n < ROWS; n++) {
        put_row(store, n, false);
        if (n % 400 == 399) {
            CHECK_OK(eop_store_flush(store));
        }
    }
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    edgeops_cursor_options from = EDGEOPS_CURSOR_OPTIONS_INIT;
    from.asset = "a";
    CHECK_OK(edgeops_cursor_open(&cursor, store, &from));
    CHECK_OK(edgeops_cursor_next(&block, cursor, 100));
    cr_assert_eq(block->columns[1].type, EDGEOPS_TYPE_INT64);

    edgeops_retype_result result = EDGEOPS_RETYPE_RESULT_INIT;
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    options.asset = "a";
    options.channel = "x";
    options.type = EDGEOPS_TYPE_FLOAT64;
    options.dry_run = 1;
    CHECK_OK(edgeops_channel_retype(&result, store, &options));
    cr_assert_eq(result.rows, ROWS);
    cr_assert_eq(result.values, ROWS - ROWS / 11);
    cr_assert_eq(result.was, EDGEOPS_TYPE_INT64);
    cr_assert_eq(check_rows(store, ROWS), EDGEOPS_TYPE_INT64);
    options.dry_run = 0;
    CHECK_OK(edgeops_channel_retype(&result, store, &options));
    CHECK_OK(edgeops_channel_retype(&result, store, &options)); /* it has the type already */
    cr_assert_eq(result.was, EDGEOPS_TYPE_FLOAT64);
    cr_assert_eq(check_rows(store, ROWS), EDGEOPS_TYPE_FLOAT64);
    /* The cursor goes on with the new type. */
    uint64_t seen = 100;
    for (edgeops_status status;
         (status = edgeops_cursor_next(&block, cursor, 700)) == EDGEOPS_OK;) {
        cr_assert_eq(block->column_count, 3);
        cr_assert_eq(block->columns[1].type, EDGEOPS_TYPE_FLOAT64);
        for (uint64_t i = 0; i < block->rows; i++, seen++) {
            cr_assert_eq(block->columns[0].i64[i], (int64_t)seen);
            cr_assert(seen % 11 == 10 || block->columns[1].f64[i] == (double)(seen / 2));
        }
    }
    cr_assert_eq(seen, ROWS);
    edgeops_cursor_close(cursor);
    /* The same samples are known, given as either type; 1 is exactly a float64. */
    cr_assert_eq(duplicates_of(store, 1005, true), 1);
    cr_assert_eq(duplicates_of(store, 1005, false), 1);
    wait_purged(store);
    cr_assert_eq(duplicates_of(store, 2005, false), 1);
    check_sound(store);
    for (int64_t n = ROWS; n < 2 * ROWS; n++) {
        put_row(store, n, true);
    }
    eop_compacted compacted;
    CHECK_OK(eop_store_compact(&compacted, store, NULL, NULL, NULL));
    cr_assert_eq(check_rows(store, 2 * ROWS), EDGEOPS_TYPE_FLOAT64);
    edgeops_store_close(store);
    store = open_store();
    cr_assert_eq(check_rows(store, 2 * ROWS), EDGEOPS_TYPE_FLOAT64);
    CHECK_OK(retype(store, "a", "x", EDGEOPS_TYPE_INT64));
    CHECK_OK(retype(store, "a", "x", EDGEOPS_TYPE_FLOAT64));
    wait_purged(store);
    cr_assert_eq(check_rows(store, 2 * ROWS), EDGEOPS_TYPE_FLOAT64);
    check_sound(store);
    edgeops_store_close(store);
    /* Nothing is left of the earlier types but their positions. */
    cr_assert_eq(ask_sql("catalog.db", "SELECT count(*) FROM channel"), 6);
    cr_assert_eq(
        ask_sql("data/telemetry.db", "SELECT count(*) FROM cell WHERE id & 2047 IN (1, 3, 4)"), 0);
    cr_assert_eq(
        ask_sql("data/telemetry.db", "SELECT count(*) FROM stat WHERE id & 2047 IN (1, 3, 4)"), 0);
    cr_assert_eq(ask_sql("data/telemetry.db",
                         "SELECT (SELECT sum(bytes) FROM state) - (SELECT sum(length(data))"
                         " FROM cell)"),
                 0);
}

/* -- rows that come in parts -- */

/* Part p of a row is its channel p; the last ones come when later rows have begun. */
static void list_parts(int64_t *rows, int *channels, size_t *count, int64_t n) {
    *count = 0;
    for (int64_t i = 0; i < n; i++) {
        for (int p = 0; p < 3; p++) {
            int64_t row = p == 2 ? i - 70 : i;
            if (row >= 0 && !(p == 1 && row % 11 == 10)) {
                rows[*count] = row;
                channels[(*count)++] = p;
            }
        }
    }
}

static void put_part(edgeops_store *store, int64_t row, int channel, bool as_float) {
    static const char *const names[] = {"first", "x", "last"};
    const edgeops_value values[] = {i64(row), as_float ? f64((double)(row / 2)) : i64(row / 2),
                                    text("t")};
    uint16_t code = row % 5 == 0 ? (uint16_t)(row % 900) : (uint16_t)EDGEOPS_QUALITY_NONE;
    edgeops_sample sample = {"p", row * 1000, 0, 1, &names[channel], &values[channel], &code};
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    CHECK_OK(edgeops_store_append(&result, store, &sample, 1, NULL));
    cr_assert_eq(result.appended, channel == 0);
    cr_assert_eq(result.merged, channel != 0);
}

enum { PART_ROWS = 1000 };
static int64_t part_rows[3 * PART_ROWS];
static int part_channels[3 * PART_ROWS];

/* Appends parts [from, to) of the list. */
static void put_parts(edgeops_store *store, size_t from, size_t to, bool as_float) {
    for (size_t i = from; i < to; i++) {
        put_part(store, part_rows[i], part_channels[i], as_float);
    }
}

/* A cursor gives the first n parts as they came, and a read gives them as rows. */
static edgeops_type check_parts(edgeops_store *store, size_t n) {
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    edgeops_cursor_options from = EDGEOPS_CURSOR_OPTIONS_INIT;
    edgeops_type type = EDGEOPS_TYPE_NULL;
    size_t seen = 0;
    size_t begun = 0;
    from.asset = "p";
    CHECK_OK(edgeops_cursor_open(&cursor, store, &from));
    for (edgeops_status status;
         (status = edgeops_cursor_next(&block, cursor, 333)) == EDGEOPS_OK;) {
        type = block->columns[1].type;
        for (uint64_t i = 0; i < block->rows; i++, seen++) {
            int64_t row = part_rows[seen];
            cr_assert_eq(block->ordinals[i], seen + 1);
            cr_assert_eq(block->times[i], row * 1000);
            cr_assert_eq(block->parts != NULL && block->parts[i] != 0, part_channels[seen] != 0);
            begun += part_channels[seen] == 0;
            for (int k = 0; k < 3; k++) {
                const edgeops_column *c = &block->columns[k];
                bool null = c->valid != NULL && c->valid[i] == 0;
                cr_assert_eq(null, k != part_channels[seen], "part %zu, channel %d", seen, k);
            }
            cr_assert(part_channels[seen] != 1 ||
                      number_at(&block->columns[1], i) == (double)(row / 2));
        }
    }
    edgeops_cursor_close(cursor);
    cr_assert_eq(seen, n);
    edgeops_table *table = read_all(store, "p");
    cr_assert_eq(table->rows, begun);
    const edgeops_column *x = &table->columns[1];
    for (uint64_t i = 0; i < table->rows; i++) {
        bool null = x->valid != NULL && x->valid[i] == 0;
        cr_assert(null ? i % 11 == 10 || i + 1 == table->rows : number_at(x, i) == (double)(i / 2));
        cr_assert(null || i % 5 != 0 || x->quality[i] == i % 900);
    }
    edgeops_table_free(table);
    return type;
}

Test(store_retype, parts_are_those_of_the_new_type) {
    size_t count = 0;
    list_parts(part_rows, part_channels, &count, PART_ROWS);
    edgeops_store *store = open_store();
    for (size_t i = 0; i < count; i += 300) {
        put_parts(store, i, i + 300 < count ? i + 300 : count, false);
        if (i % 600 == 0) {
            CHECK_OK(eop_store_flush(store));
        }
    }
    edgeops_retype_result result = EDGEOPS_RETYPE_RESULT_INIT;
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    options.asset = "p";
    options.channel = "x";
    options.type = EDGEOPS_TYPE_FLOAT64;
    CHECK_OK(edgeops_channel_retype(&result, store, &options));
    cr_assert_eq(result.rows, PART_ROWS);
    cr_assert_eq(result.values, PART_ROWS - PART_ROWS / 11);
    cr_assert_eq(check_parts(store, count), EDGEOPS_TYPE_FLOAT64);
    wait_purged(store);
    cr_assert_eq(check_parts(store, count), EDGEOPS_TYPE_FLOAT64);
    check_sound(store);
    eop_compacted compacted;
    CHECK_OK(eop_store_compact(&compacted, store, NULL, NULL, NULL));
    cr_assert_eq(check_parts(store, count), EDGEOPS_TYPE_FLOAT64);
    /* A part is known in either type, and one of its own that differs is refused. */
    edgeops_append_result again = EDGEOPS_APPEND_RESULT_INIT;
    CHECK_OK(put(store, "p", 5000, 0, "x", i64(2), &again));
    cr_assert_eq(again.conflicts, 1, "5 has a quality code");
    CHECK_OK(put(store, "p", 6000, 0, "x", i64(3), &again));
    cr_assert_eq(again.duplicates, 1);
    CHECK_OK(retype(store, "p", "x", EDGEOPS_TYPE_INT32));
    CHECK_OK(retype(store, "p", "x", EDGEOPS_TYPE_INT64));
    edgeops_store_close(store);
    store = open_store();
    wait_purged(store);
    cr_assert_eq(check_parts(store, count), EDGEOPS_TYPE_INT64);
    check_sound(store);
    edgeops_store_close(store);
}

Test(store_retype, texts_become_null_only_where_they_are_named) {
    static const char *const texts[] = {"1.5", "NA", "2.50", "-", "3", "NaN"};
    static const char *const nulls[] = {"NA", "-", "NaN"};
    edgeops_store *store = open_store();
    for (int i = 0; i < 6; i++) {
        CHECK_OK(put(store, "a", i, 0, "x", text(texts[i]), NULL));
    }
    edgeops_retype_result result = EDGEOPS_RETYPE_RESULT_INIT;
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    options.asset = "a";
    options.channel = "x";
    options.type = EDGEOPS_TYPE_FLOAT64;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_channel_retype(&result, store, &options));
    const char *message = edgeops_error_last()->message;
    cr_assert(strstr(message, "asset 'a', channel 'x', the value of 1970-01-01T00:00:00.000000001Z"
                              " (seq 0): 'NA' is not a float64") == message,
              "%s", message);
    cr_assert(strstr(message, "; 1 more values do not fit") != NULL, "%s", message);
    options.nulls = nulls;
    options.null_count = 3;
    CHECK_OK(edgeops_channel_retype(&result, store, &options));
    cr_assert_eq(result.nulled, 3);
    cr_assert_eq(result.respelled, 1);
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->columns[0].nulls, 3);
    cr_assert_eq(table->columns[0].f64[2], 2.5);
    edgeops_table_free(table);
    edgeops_store_close(store);
}

Test(store_retype, arrays_keep_their_length) {
    double numbers[] = {1, 2, 0.5};
    edgeops_store *store = open_store();
    edgeops_value array = {
        .type = EDGEOPS_TYPE_FLOAT64, .size = sizeof numbers, .as.data = numbers};
    CHECK_OK(put(store, "a", 1, 0, "x", array, NULL));
    CHECK_CODE(EDGEOPS_E_INVALID, retype(store, "a", "x", EDGEOPS_TYPE_INT16));
    CHECK_CODE(EDGEOPS_E_INVALID, retype(store, "a", "x", EDGEOPS_TYPE_STRING));
    CHECK_CODE(EDGEOPS_E_INVALID, retype(store, "a", "x", EDGEOPS_TYPE_BLOB));
    CHECK_OK(retype(store, "a", "x", EDGEOPS_TYPE_FLOAT32));
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->columns[0].type, EDGEOPS_TYPE_FLOAT32);
    cr_assert_eq(table->columns[0].length, 3);
    cr_assert_eq(((const float *)eop_column_data(&table->columns[0]))[2], 0.5f);
    edgeops_table_free(table);
    edgeops_store_close(store);
}

static void make_set(edgeops_store *store, const char *name, const char *channel,
                     const char *where) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    static const char *const assets[] = {"a"};
    options.name = name;
    options.assets = assets;
    options.asset_count = 1;
    options.channels = &channel;
    options.channel_count = 1;
    options.filter = where;
    CHECK_OK(edgeops_dataset_create(store, &options));
}

Test(store_retype, what_a_dataset_holds_stays) {
    edgeops_store *store = open_store();
    for (int64_t n = 0; n < 100; n++) {
        put_row(store, n, false);
    }
    make_set(store, "d1", "x", NULL);
    make_set(store, "d2", "first", "x > 3");
    make_set(store, "d3", "first", NULL);
    CHECK_CODE(EDGEOPS_E_BUSY, retype(store, "a", "x", EDGEOPS_TYPE_FLOAT64));
    cr_assert(strstr(edgeops_error_last()->message, ": d1, d2;") != NULL, "%s",
              edgeops_error_last()->message);
    CHECK_OK(edgeops_dataset_remove(store, "d1"));
    CHECK_CODE(EDGEOPS_E_BUSY, retype(store, "a", "x", EDGEOPS_TYPE_FLOAT64));
    CHECK_OK(edgeops_dataset_remove(store, "d2"));
    CHECK_OK(retype(store, "a", "x", EDGEOPS_TYPE_FLOAT64));
    edgeops_dataset *set = NULL;
    CHECK_OK(edgeops_dataset_read(&set, store, "d3")); /* and its digest is right */
    edgeops_dataset_free(set);
    make_set(store, "d4", "x", NULL);
    edgeops_store_close(store);
}

static edgeops_status give_up(double part, void *user_data) {
    *(double *)user_data = part;
    return part > 0.4 ? EDGEOPS_E_CANCELED : EDGEOPS_OK;
}

Test(store_retype, a_canceled_one_leaves_the_old_type) {
    edgeops_store *store = open_store();
    double part = 0;
    for (int64_t n = 0; n < ROWS; n++) {
        put_row(store, n, false);
    }
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    options.asset = "a";
    options.channel = "x";
    options.type = EDGEOPS_TYPE_FLOAT64;
    options.progress = give_up;
    options.user_data = &part;
    eop_store_hold_rows(store); /* the writer waits before it switches */
    CHECK_CODE(EDGEOPS_E_CANCELED, edgeops_channel_retype(NULL, store, &options));
    eop_store_release_rows(store);
    cr_assert(part > 0.4);
    wait_purged(store);
    cr_assert_eq(check_rows(store, ROWS), EDGEOPS_TYPE_INT64);
    check_sound(store);
    CHECK_OK(retype(store, "a", "x", EDGEOPS_TYPE_FLOAT64));
    cr_assert_eq(check_rows(store, ROWS), EDGEOPS_TYPE_FLOAT64);
    edgeops_store_close(store);
}

/* -- beside others -- */

/* Does something between filling and switching, for which the writer waits while rows are held. */
typedef struct meanwhile {
    edgeops_store *store;
    void (*deed)(edgeops_store *store);
    int done;
} meanwhile;

static edgeops_status do_meanwhile(double part, void *user_data) {
    meanwhile *m = user_data;
    if (part > 0.4 && m->done++ == 0) {
        m->deed(m->store);
        eop_store_release_rows(m->store);
    }
    return EDGEOPS_OK;
}

static edgeops_store *open_with_rows(void) {
    edgeops_store *store = open_store();
    for (int64_t n = 0; n < ROWS; n++) {
        CHECK_OK(put(store, "w", n, 0, "x", i64(n), NULL));
    }
    return store;
}

static edgeops_status retype_while(edgeops_store *store, void (*deed)(edgeops_store *store)) {
    meanwhile m = {.store = store, .deed = deed};
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    options.asset = "w";
    options.channel = "x";
    options.type = EDGEOPS_TYPE_FLOAT64;
    options.progress = do_meanwhile;
    options.user_data = &m;
    eop_store_hold_rows(store);
    edgeops_status status = edgeops_channel_retype(NULL, store, &options);
    cr_assert(m.done > 0);
    return status;
}

static edgeops_type type_of(edgeops_store *store, const char *asset, const char *channel) {
    edgeops_asset_info *info = NULL;
    edgeops_type type = EDGEOPS_TYPE_NULL;
    CHECK_OK(edgeops_asset_get(&info, store, asset));
    for (size_t i = 0; i < info->channel_count; i++) {
        type = strcmp(info->channels[i].name, channel) == 0 ? info->channels[i].type : type;
    }
    edgeops_free(info);
    return type;
}

static void back_up(edgeops_store *store) {
    char copy[200];
    snprintf(copy, sizeof copy, "%s/copy", folder);
    CHECK_OK(eop_mkdirs(copy, 0700));
    CHECK_OK(eop_store_backup(store, copy, NULL, NULL, NULL));
}

Test(store_retype, a_backup_meanwhile_has_the_old_type) {
    edgeops_store *store = open_with_rows();
    CHECK_OK(retype_while(store, back_up));
    cr_assert_eq(type_of(store, "w", "x"), EDGEOPS_TYPE_FLOAT64);
    edgeops_store_close(store);
    char copy[200];
    snprintf(copy, sizeof copy, "%s/copy", folder);
    CHECK_OK(edgeops_store_open(&store, copy, NULL));
    edgeops_table *table = read_all(store, "w");
    cr_assert_eq(table->rows, ROWS);
    cr_assert_eq(table->column_count, 1);
    for (uint64_t i = 0; i < table->rows; i++) {
        cr_assert_eq(table->columns[0].i64[i], (int64_t)i);
    }
    edgeops_table_free(table);
    wait_purged(store);
    check_sound(store);
    CHECK_OK(retype(store, "w", "x", EDGEOPS_TYPE_STRING));
    cr_assert_eq(type_of(store, "w", "x"), EDGEOPS_TYPE_STRING);
    edgeops_store_close(store);
}

static void freeze(edgeops_store *store) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    static const char *const assets[] = {"w"};
    options.name = "late";
    options.assets = assets;
    options.asset_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
}

Test(store_retype, a_dataset_made_meanwhile_keeps_the_old_type) {
    edgeops_dataset *set = NULL;
    edgeops_store *store = open_with_rows();
    CHECK_CODE(EDGEOPS_E_BUSY, retype_while(store, freeze));
    cr_assert(strstr(edgeops_error_last()->message, ": late;") != NULL);
    cr_assert_eq(type_of(store, "w", "x"), EDGEOPS_TYPE_INT64);
    wait_purged(store);
    CHECK_OK(edgeops_dataset_read(&set, store, "late"));
    cr_assert_eq(set->rows, ROWS);
    edgeops_dataset_free(set);
    check_sound(store);
    edgeops_store_close(store);
}

static void rename_both(edgeops_store *store) {
    CHECK_OK(edgeops_channel_rename(store, "w", "x", "y"));
    CHECK_OK(edgeops_asset_rename(store, "w", "v"));
    CHECK_CODE(EDGEOPS_E_BUSY, retype(store, "v", "y", EDGEOPS_TYPE_STRING));
    CHECK_OK(put(store, "v", ROWS, 0, "y", i64(ROWS), NULL));
    CHECK_OK(put(store, "v", ROWS, 1, "z", i64(0), NULL));
}

Test(store_retype, new_names_and_rows_meanwhile_stay) {
    edgeops_store *store = open_with_rows();
    CHECK_OK(retype_while(store, rename_both));
    cr_assert_eq(type_of(store, "v", "y"), EDGEOPS_TYPE_FLOAT64);
    cr_assert_eq(type_of(store, "v", "z"), EDGEOPS_TYPE_INT64);
    CHECK_CODE(EDGEOPS_E_NOTFOUND, retype(store, "v", "x", EDGEOPS_TYPE_STRING));
    edgeops_table *table = read_all(store, "v");
    cr_assert_eq(table->rows, ROWS + 2);
    cr_assert_eq(table->columns[0].f64[ROWS], (double)ROWS);
    cr_assert_eq(table->columns[0].valid[ROWS + 1], 0);
    edgeops_table_free(table);
    wait_purged(store);
    check_sound(store);
    edgeops_store_close(store);
}

static void put_misfit(edgeops_store *store) {
    CHECK_OK(put(store, "w", ROWS, 0, "x", i64((INT64_C(1) << 53) + 1), NULL));
}

Test(store_retype, a_value_that_comes_meanwhile_may_stop_it) {
    edgeops_store *store = open_with_rows();
    CHECK_CODE(EDGEOPS_E_INVALID, retype_while(store, put_misfit));
    cr_assert(strstr(edgeops_error_last()->message, "came meanwhile: 9007199254740993") != NULL);
    cr_assert_eq(type_of(store, "w", "x"), EDGEOPS_TYPE_INT64);
    CHECK_OK(put(store, "w", ROWS + 1, 0, "x", i64(5), NULL)); /* appends go on */
    wait_purged(store);
    cr_assert_eq(count_rows(store, "w"), ROWS + 2);
    check_sound(store);
    edgeops_store_close(store);
}

static void remove_it(edgeops_store *store) {
    CHECK_OK(edgeops_asset_remove(store, "w"));
    CHECK_OK(put(store, "w", 1, 0, "x", text("another"), NULL));
}

Test(store_retype, an_asset_that_is_removed_meanwhile_is_gone) {
    edgeops_store *store = open_with_rows();
    CHECK_CODE(EDGEOPS_E_NOTFOUND, retype_while(store, remove_it));
    wait_purged(store);
    cr_assert_eq(count_rows(store, "w"), 1);
    check_sound(store);
    edgeops_store_close(store);
}

typedef struct feed {
    edgeops_store *store;
    atomic_bool stop;
    _Atomic int64_t next;
} feed;

static void *feed_rows(void *user_data) {
    feed *f = user_data;
    while (!atomic_load(&f->stop)) {
        put_row(f->store, atomic_load(&f->next), false);
        atomic_fetch_add(&f->next, 1);
    }
    return NULL;
}

Test(store_retype, appends_and_cursors_go_on_meanwhile) {
    static const edgeops_type types[] = {EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_INT64,
                                         EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_INT32,
                                         EDGEOPS_TYPE_INT64};
    edgeops_store *store = open_store();
    feed f = {.store = store};
    pthread_t thread;
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    edgeops_cursor_options from = EDGEOPS_CURSOR_OPTIONS_INIT;
    from.asset = "a";
    CHECK_OK(edgeops_cursor_open(&cursor, store, &from));
    cr_assert_eq(pthread_create(&thread, NULL, feed_rows, &f), 0);
    int64_t seen = 0;
    for (size_t i = 0; i < EOP_COUNT(types); i++) {
        while (atomic_load(&f.next) < (int64_t)(i + 1) * 2000) {
            usleep(500);
        }
        CHECK_OK(retype(store, "a", "x", types[i]));
        while (edgeops_cursor_next(&block, cursor, 999) == EDGEOPS_OK) {
            for (uint64_t k = 0; k < block->rows; k++, seen++) {
                cr_assert_eq(block->columns[0].i64[k], seen);
                const edgeops_column *x = &block->columns[1];
                double value = x->type == EDGEOPS_TYPE_INT32
                                   ? ((const int32_t *)eop_column_data(x))[k]
                                   : number_at(x, k);
                cr_assert(seen % 11 == 10 || value == (double)(seen / 2), "row %d", (int)seen);
            }
        }
    }
    atomic_store(&f.stop, true);
    pthread_join(thread, NULL);
    edgeops_cursor_close(cursor);
    wait_purged(store);
    cr_assert_eq(check_rows(store, atomic_load(&f.next)), EDGEOPS_TYPE_INT64);
    check_sound(store);
    edgeops_store_close(store);
}

Test(store_retype, rollups_stay_those_of_the_channel) {
    edgeops_store *store = open_store();
    eop_policy policy = {.pattern = "*",
                         .max_age = EDGEOPS_SECOND,
                         .rollups = {60 * EDGEOPS_SECOND},
                         .rollup_count = 1};
    eop_retained retained;
    edgeops_summary *before = NULL;
    edgeops_summary *after = NULL;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = "a";
    for (int64_t i = 0; i < 9000; i++) {
        edgeops_value values[] = {i64(i), i64(-i)};
        edgeops_sample sample = {
            "a", i * EDGEOPS_SECOND, 0, 2, (const char *const[]){"x", "y"}, values, NULL};
        CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
    }
    CHECK_OK(eop_store_flush(store));
    CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
    CHECK_OK(eop_retention_run(&retained, store, EOP_RETENTION_DROP, NULL, NULL));
    cr_assert(retained.rows > 0);
    CHECK_OK(edgeops_store_aggregate(&before, store, &query, 60 * EDGEOPS_SECOND));
    CHECK_OK(retype(store, "a", "x", EDGEOPS_TYPE_FLOAT64));
    wait_purged(store);
    CHECK_OK(edgeops_store_aggregate(&after, store, &query, 60 * EDGEOPS_SECOND));
    cr_assert_eq(before->bucket_count, after->bucket_count);
    for (uint64_t i = 0; i < before->bucket_count; i++) {
        for (uint64_t k = 0; k < 2; k++) {
            const edgeops_aggregate *a = &before->buckets[i].channels[k];
            const edgeops_aggregate *b = &after->buckets[i].channels[k];
            cr_assert_eq(a->count, b->count);
            cr_assert_eq(a->sum, b->sum);
        }
    }
    edgeops_summary_free(before);
    edgeops_summary_free(after);
    check_sound(store);
    edgeops_store_close(store);
}

/* -- kill -9 -- */

static void retype_and_die(const disk_plan *plan, int64_t rows, edgeops_type type) {
    edgeops_store *store = open_store();
    put_row(store, rows, type == EDGEOPS_TYPE_INT64);
    disk_watch(folder, false);
    disk_set(plan);
    CHECK_OK(retype(store, "a", "x", type));
    wait_purged(store);
    _exit(0);
}

static void retype_parts_and_die(const disk_plan *plan, int64_t parts, edgeops_type type) {
    edgeops_store *store = open_store();
    put_parts(store, (size_t)parts, (size_t)parts + 1, type == EDGEOPS_TYPE_INT64);
    disk_watch(folder, false);
    disk_set(plan);
    CHECK_OK(retype(store, "p", "x", type));
    wait_purged(store);
    _exit(0);
}

typedef void (*deadly)(const disk_plan *plan, int64_t rows, edgeops_type type);

/* Whether the child came to the kill. */
static bool kill_at(deadly deed, uint64_t nth, int64_t rows, edgeops_type type) {
    int result = 0;
    disk_plan plan = {.calls = DISK_ANY, .nth = nth, .action = DISK_KILL};
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        deed(&plan, rows, type);
    }
    cr_assert_eq(waitpid(pid, &result, 0), pid);
    cr_assert(WIFSIGNALED(result) ? WTERMSIG(result) == SIGKILL : WEXITSTATUS(result) == 0);
    return WIFSIGNALED(result);
}

Test(store_retype, killed_at_any_call_it_leaves_the_old_or_the_new) {
    int64_t rows = 0;
    int left[2] = {0};
    edgeops_type type = EDGEOPS_TYPE_INT64;
    edgeops_store *store = open_store();
    for (; rows < 500; rows++) {
        put_row(store, rows, false);
        if (rows % 100 == 99) {
            CHECK_OK(eop_store_flush(store));
        }
    }
    edgeops_store_close(store);
    for (uint64_t nth = 1;; nth++) {
        edgeops_type wanted =
            type == EDGEOPS_TYPE_INT64 ? EDGEOPS_TYPE_FLOAT64 : EDGEOPS_TYPE_INT64;
        bool killed = kill_at(retype_and_die, nth, rows++, wanted);
        store = open_store();
        edgeops_type now = check_rows(store, rows);
        left[now == wanted]++;
        wait_purged(store);
        cr_assert_eq(check_rows(store, rows), now);
        check_sound(store);
        edgeops_store_close(store);
        type = now;
        if (!killed) {
            cr_assert_eq(now, wanted);
            break;
        }
    }
    cr_expect(left[0] > 5 && left[1] > 2, "%d times the old one, %d times the new", left[0],
              left[1]);
}

Test(store_retype, killed_at_any_call_parts_are_those_of_the_old_or_the_new) {
    size_t parts = 0;
    size_t all = 0;
    edgeops_type type = EDGEOPS_TYPE_INT64;
    list_parts(part_rows, part_channels, &all, PART_ROWS);
    edgeops_store *store = open_store();
    for (; parts < 500; parts += 100) {
        put_parts(store, parts, parts + 100, false);
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
    for (uint64_t nth = 1;; nth++) {
        edgeops_type wanted =
            type == EDGEOPS_TYPE_INT64 ? EDGEOPS_TYPE_FLOAT64 : EDGEOPS_TYPE_INT64;
        bool killed = kill_at(retype_parts_and_die, nth, (int64_t)parts++, wanted);
        store = open_store();
        type = check_parts(store, parts);
        wait_purged(store);
        cr_assert_eq(check_parts(store, parts), type);
        check_sound(store);
        edgeops_store_close(store);
        if (!killed) {
            cr_assert_eq(type, wanted);
            break;
        }
    }
}
