/* SPDX-License-Identifier: Apache-2.0 */
/* Values of all types, arrays, nulls and quality codes come back from everywhere a row can be. */
#include <float.h>
#include <math.h>

#include "base/time.h"
#include "base/type.h"
#include "edgeops/dataset.h"
#include "store/blob.h"
#include "store_fixture.h"

TestSuite(store_types, .init = make_home, .fini = remove_home);

enum { TYPES = EOP_TYPES, LENGTH = 5, ROWS = 40 };

/* What a row of the test holds: bits, whatever the type makes of them. */
static void make_bits(uint8_t *out, edgeops_type type, size_t elements, uint64_t seed) {
    static const uint64_t special[] = {0,
                                       UINT64_MAX,
                                       UINT64_C(0x8000000000000000), /* -0.0 and the least int64 */
                                       UINT64_C(0x7ff0000000000000),
                                       UINT64_C(0x7ff4000000001234), /* a signalling NaN */
                                       UINT64_C(0x7f8123457f812345), /* and two of float32 */
                                       UINT64_C(0x8000000080000000),
                                       UINT64_C(0x7fffffffffffffff)};
    size_t width = eop_type_width(type);
    dice d = {seed * 77 + 1};
    for (size_t i = 0; i < elements; i++) {
        uint64_t bits = below(&d, 3) == 0 ? roll(&d) : special[below(&d, 8)];
        if (type == EDGEOPS_TYPE_BOOL) {
            bits &= 1;
        }
        memcpy(out + i * width, &bits, width);
    }
}

static bool null_here(uint64_t row, unsigned type) {
    return (row * 7 + type) % 5 == 0;
}

static uint16_t code_here(uint64_t row, unsigned type) {
    return (row + type) % 3 == 0 ? EDGEOPS_QUALITY_NONE : (uint16_t)(row * 64 + type);
}

/* Numeric types and BOOL come as scalars, and the numeric ones also as arrays. */
static bool has_column(unsigned type, unsigned array) {
    edgeops_type t = (edgeops_type)type;
    return array != 0 ? eop_type_is_numeric(t) : eop_type_is_numeric(t) || t == EDGEOPS_TYPE_BOOL;
}

static void append_rows(edgeops_store *store, uint64_t first, uint64_t end) {
    static uint8_t bits[2][TYPES][LENGTH * 8];
    char names[2 * TYPES + 1][24];
    const char *channels[2 * TYPES + 1];
    edgeops_value values[2 * TYPES + 1];
    uint16_t codes[2 * TYPES + 1];
    for (uint64_t row = first; row < end; row++) {
        size_t n = 0;
        for (unsigned array = 0; array < 2; array++) {
            for (unsigned t = 1; t < TYPES; t++) {
                if (!has_column(t, array)) {
                    continue;
                }
                size_t elements = array != 0 ? LENGTH : 1;
                snprintf(names[n], sizeof names[n], "%s%u", eop_type_name((edgeops_type)t), array);
                channels[n] = names[n];
                make_bits(bits[array][t], (edgeops_type)t, elements, row * 100 + t);
                values[n] = eop_value_load((edgeops_type)t, bits[array][t]);
                if (array != 0) {
                    values[n].size = (uint32_t)(elements * eop_type_width((edgeops_type)t));
                    values[n].as.data = bits[array][t];
                }
                if (null_here(row, t)) {
                    values[n] = (edgeops_value){.type = EDGEOPS_TYPE_NULL};
                }
                codes[n] = code_here(row, t);
                n++;
            }
        }
        edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
        edgeops_sample sample = {.asset = "all",
                                 .time = (edgeops_time)(row ^ 1) * 10, /* not in order */
                                 .count = n,
                                 .channels = channels,
                                 .values = values,
                                 .qualities = codes};
        CHECK_OK(edgeops_store_append(&r, store, &sample, 1, NULL));
        cr_assert_eq(r.appended, 1);
        CHECK_OK(edgeops_store_append(&r, store, &sample, 1, NULL));
        cr_assert_eq(r.duplicates, 1, "row %d", (int)row);
    }
}

static void check_column(const edgeops_table *table, const edgeops_column *column) {
    unsigned type = (unsigned)column->type;
    uint32_t length = column->name[strlen(column->name) - 1] == '1' ? LENGTH : 1;
    size_t bytes = eop_type_width(column->type) * length;
    cr_assert_eq(column->length, length);
    cr_assert(column->quality != NULL);
    cr_assert_eq(column->f64 != NULL, column->type == EDGEOPS_TYPE_FLOAT64 && length == 1);
    cr_assert_eq(column->i64 != NULL, column->type == EDGEOPS_TYPE_INT64 && length == 1);
    for (uint64_t i = 0; i < table->rows; i++) {
        uint64_t row = (uint64_t)(table->times[i] / 10) ^ 1;
        uint8_t expected[LENGTH * 8];
        edgeops_value value = edgeops_column_value(column, i);
        const char *place = (const char *)column->data + i * bytes;
        make_bits(expected, column->type, length, row * 100 + type);
        if (null_here(row, type)) {
            static const uint64_t nan64 = UINT64_C(0x7ff8000000000000);
            static const uint32_t nan32 = UINT32_C(0x7fc00000);
            cr_assert_eq(column->valid[i], 0);
            cr_assert_eq(value.type, EDGEOPS_TYPE_NULL);
            cr_assert_eq(column->quality[i], EDGEOPS_QUALITY_NONE);
            memset(expected, 0, sizeof expected);
            for (uint32_t e = 0; e < length; e++) {
                if (column->type == EDGEOPS_TYPE_FLOAT64) {
                    memcpy(expected + e * 8, &nan64, 8);
                } else if (column->type == EDGEOPS_TYPE_FLOAT32) {
                    memcpy(expected + e * 4, &nan32, 4);
                }
            }
            cr_assert_eq(memcmp(place, expected, bytes), 0);
            continue;
        }
        cr_assert_eq(memcmp(place, expected, bytes), 0, "%s, row %d", column->name, (int)row);
        cr_assert_eq(value.type, column->type);
        cr_assert_eq(eop_value_length(&value), length);
        cr_assert_eq(column->quality[i], code_here(row, type));
    }
}

static void check_rows(edgeops_store *store, uint64_t rows) {
    edgeops_table *table = read_all(store, "all");
    cr_assert_eq(table->rows, rows);
    for (size_t k = 0; k < table->column_count; k++) {
        check_column(table, &table->columns[k]);
    }
    edgeops_table_free(table);
    /* The same in order of arrival, and a part of it. */
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    uint64_t seen = 0;
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "all", NULL, 0, 0}));
    while (edgeops_cursor_next(&block, cursor, 7) == EDGEOPS_OK) {
        seen += block->rows;
        for (size_t k = 0; k < block->column_count; k++) {
            if (block->columns[k].quality != NULL) {
                check_column(block, &block->columns[k]);
            }
        }
    }
    cr_assert_eq(seen, rows);
    edgeops_cursor_close(cursor);
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = "all";
    query.start = 35;
    query.max_ordinal = rows - 3;
    CHECK_OK(edgeops_store_read(&table, store, &query));
    for (size_t k = 0; k < table->column_count; k++) {
        check_column(table, &table->columns[k]);
    }
    edgeops_table_free(table);
}

Test(store_types, every_type_comes_back_bit_by_bit) {
    edgeops_store *store = open_store();
    append_rows(store, 0, ROWS);
    check_rows(store, ROWS); /* memory */
    edgeops_store_close(store);
    store = open_store();
    check_rows(store, ROWS); /* replayed from the journal */
    CHECK_OK(eop_store_flush(store));
    check_rows(store, ROWS); /* chunks */
    append_rows(store, ROWS, ROWS + 9);
    check_rows(store, ROWS + 9); /* both */
    edgeops_store_close(store);
    store = open_store();
    check_rows(store, ROWS + 9);
    edgeops_store_close(store);
}

Test(store_types, dataset_keeps_its_digest_in_memory_and_in_chunks) {
    edgeops_store *store = open_store();
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    const char *asset = "all";
    edgeops_dataset *dataset = NULL;
    append_rows(store, 0, ROWS);
    options.name = "every-type";
    options.assets = &asset;
    options.asset_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
    CHECK_OK(eop_store_flush(store));
    append_rows(store, ROWS, ROWS + 5);
    CHECK_OK(edgeops_dataset_read(&dataset, store, "every-type"));
    cr_assert_eq(dataset->rows, ROWS);
    for (size_t k = 0; k < dataset->parts[0].table->column_count; k++) {
        check_column(dataset->parts[0].table, &dataset->parts[0].table->columns[k]);
    }
    edgeops_dataset_free(dataset);
    edgeops_store_close(store);
}

Test(store_types, number_is_taken_where_its_channel_has_it_exactly) {
    edgeops_store *store = open_store();
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"u8", "", EDGEOPS_TYPE_UINT8, 1}));
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"f32", "", EDGEOPS_TYPE_FLOAT32, 1}));
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"u64", "", EDGEOPS_TYPE_UINT64, 1}));
    CHECK_OK(put(store, "a", 1, 0, "u8", f64(255), &r));
    CHECK_OK(put(store, "a", 2, 0, "u8", i64(7), &r));
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 3, 0, "u8", f64(256), &r));
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 3, 0, "u8", f64(0.5), &r));
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 3, 0, "u8", boolean(1), &r));
    CHECK_OK(put(store, "a", 3, 0, "f32", f64(0.1), &r));
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 4, 0, "f32", f64(1e39), &r));
    CHECK_OK(put(store, "a", 4, 0, "u64", f64(0x1p63), &r));
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 5, 0, "u64", i64(-1), &r));
    cr_assert_str_eq(edgeops_error_last()->message,
                     "asset 'a', channel 'u64': -1 does not fit uint64 exactly");
    /* An INT8 that is none. */
    edgeops_value bad = {.type = EDGEOPS_TYPE_INT8, .as.i64 = 200};
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 5, 0, "i8", bad, &r));
    edgeops_table *table = read_all(store, "a");
    const uint8_t *bytes = table->columns[0].data;
    cr_assert_eq(bytes[0], 255);
    cr_assert_eq(bytes[1], 7);
    cr_assert_eq(((const float *)table->columns[1].data)[2], 0.1f);
    cr_assert_eq(((const uint64_t *)table->columns[2].data)[3], UINT64_C(1) << 63);
    edgeops_table_free(table);
    edgeops_store_close(store);
}

static edgeops_value doubles(const double *elements, size_t n) {
    return (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64,
                           .size = (uint32_t)(n * sizeof *elements),
                           .as.data = elements};
}

Test(store_types, array_channel_keeps_its_length) {
    edgeops_store *store = open_store();
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    const double elements[4] = {1, 2, 3, 4.5};
    CHECK_OK(edgeops_store_declare(
        store, "a", &(edgeops_channel_info){"block", "Pa", EDGEOPS_TYPE_FLOAT32, 4}));
    CHECK_CODE(EDGEOPS_E_INVALID,
               edgeops_store_declare(
                   store, "a", &(edgeops_channel_info){"block", "Pa", EDGEOPS_TYPE_FLOAT32, 5}));
    cr_assert_str_eq(edgeops_error_last()->message,
                     "asset 'a': channel 'block' holds float32[4], it cannot become float32[5]");
    CHECK_CODE(EDGEOPS_E_INVALID,
               edgeops_store_declare(store, "a",
                                     &(edgeops_channel_info){"words", "", EDGEOPS_TYPE_STRING, 4}));
    CHECK_CODE(EDGEOPS_E_INVALID,
               edgeops_store_declare(store, "a",
                                     &(edgeops_channel_info){"none", "", EDGEOPS_TYPE_BOOL, 2}));
    CHECK_CODE(EDGEOPS_E_INVALID,
               edgeops_store_declare(
                   store, "a",
                   &(edgeops_channel_info){"many", "", EDGEOPS_TYPE_INT8, EDGEOPS_LENGTH_MAX + 1}));
    CHECK_OK(put(store, "a", 1, 0, "block", doubles(elements, 4), &r));
    CHECK_OK(put(store, "a", 1, 0, "block", doubles(elements, 4), &r));
    cr_assert_eq(r.duplicates, 1);
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 2, 0, "block", doubles(elements, 3), &r));
    cr_assert_str_eq(edgeops_error_last()->message,
                     "asset 'a', channel 'block' holds float32[4], not float64[3]");
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 2, 0, "block", f64(1), &r));
    /* The first value decides; an array of one is a scalar. */
    CHECK_OK(put(store, "a", 2, 0, "three", doubles(elements, 3), &r));
    CHECK_OK(put(store, "a", 3, 0, "one", doubles(elements + 3, 1), &r));
    CHECK_OK(put(store, "a", 4, 0, "one", f64(8), &r));
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 5, 0, "three", f64(8), &r));
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 5, 0, "one", doubles(elements, 2), &r));
    edgeops_value torn = doubles(elements, 2);
    torn.size -= 3;
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 5, 0, "torn", torn, &r));
    for (int round = 0; round < 2; round++) {
        edgeops_table *table = read_all(store, "a");
        const float *block = table->columns[0].data;
        cr_assert_eq(table->columns[0].length, 4);
        cr_assert_eq(block[3], 4.5f);
        cr_assert(isnan(block[4]));
        cr_assert_eq(table->columns[1].length, 3);
        cr_assert_eq(table->columns[2].length, 1);
        cr_assert_eq(table->columns[2].f64[2], 4.5);
        edgeops_table_free(table);
        CHECK_OK(eop_store_flush(store));
        edgeops_store_close(store);
        store = open_store();
    }
    edgeops_store_close(store);
}

/* Audio: chunks of so wide rows are cut by bytes. */
Test(store_types, wide_arrays_make_chunks_of_few_rows) {
    enum { WIDE = 4096, BLOCKS = 300 };
    static float samples[WIDE];
    edgeops_store *store = open_store();
    edgeops_value value = {
        .type = EDGEOPS_TYPE_FLOAT32, .size = sizeof samples, .as.data = samples};
    for (int i = 0; i < BLOCKS; i++) {
        for (int k = 0; k < WIDE; k++) {
            samples[k] = (float)(i * k);
        }
        CHECK_OK(put(store, "microphone", i, 0, "block", value, NULL));
    }
    CHECK_OK(eop_store_flush(store));
    edgeops_table *table = read_all(store, "microphone");
    cr_assert_eq(table->rows, BLOCKS);
    const float *data = table->columns[0].data;
    for (size_t i = 0; i < BLOCKS; i++) {
        cr_assert_eq(data[i * WIDE + 4095], (float)(i * 4095));
    }
    edgeops_table_free(table);
    edgeops_store_close(store);
    cr_assert_leq(ask_sql("data/telemetry.db", "SELECT max(length(data)) FROM cell"),
                  4 * 1024 * 1024 + 4096);
}

Test(store_types, quality_tells_a_sample_from_its_duplicate) {
    edgeops_store *store = open_store();
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    const char *x = "x";
    edgeops_value value = f64(1);
    uint16_t code = 0xc0;
    edgeops_sample sample = {"a", 1, 0, 1, &x, &value, &code};
    CHECK_OK(edgeops_store_append(&r, store, &sample, 1, NULL));
    CHECK_OK(edgeops_store_append(&r, store, &sample, 1, NULL));
    cr_assert_eq(r.duplicates, 1);
    code = 0x80;
    CHECK_OK(edgeops_store_append(&r, store, &sample, 1, NULL));
    cr_assert_eq(r.conflicts, 1);
    CHECK_OK(put(store, "a", 2, 0, "x", value, &r));
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->columns[0].quality[0], 0xc0);
    cr_assert_eq(table->columns[0].quality[1], EDGEOPS_QUALITY_NONE);
    edgeops_table_free(table);
    edgeops_store_close(store);
}

static edgeops_value image(const void *bytes, size_t size) {
    return (edgeops_value){.type = EDGEOPS_TYPE_BLOB, .size = (uint32_t)size, .as.data = bytes};
}

static void check_blob(edgeops_store *store, uint64_t row, const char *bytes) {
    edgeops_table *table = read_all(store, "camera");
    void *data = NULL;
    size_t size = 0;
    edgeops_value value = edgeops_column_value(&table->columns[0], row);
    edgeops_blob blob;
    cr_assert_eq(value.type, EDGEOPS_TYPE_BLOB);
    cr_assert_eq(value.size, sizeof blob);
    memcpy(&blob, value.as.data, sizeof blob);
    CHECK_OK(edgeops_blob_read(&data, &size, store, blob.digest));
    cr_assert_eq(size, strlen(bytes));
    cr_assert_eq(blob.size, size);
    cr_assert_eq(memcmp(data, bytes, size), 0);
    edgeops_free(data);
    edgeops_table_free(table);
}

Test(store_types, blob_is_kept_once_and_read_back_checked) {
    edgeops_store *store = open_store();
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    CHECK_OK(put(store, "camera", 1, 0, "image", image("first", 5), &r));
    CHECK_OK(put(store, "camera", 2, 0, "image", image("second", 6), &r));
    CHECK_OK(put(store, "camera", 3, 0, "image", image("first", 5), &r));
    CHECK_OK(put(store, "camera", 4, 0, "image", image(NULL, 0), &r));
    CHECK_OK(put(store, "camera", 5, 0, "other", f64(1), &r));
    CHECK_OK(put(store, "camera", 2, 0, "image", image("second", 6), &r));
    cr_assert_eq(r.duplicates, 1);
    CHECK_OK(put(store, "camera", 2, 0, "image", image("third", 5), &r));
    cr_assert_eq(r.conflicts, 1);
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "camera", 6, 0, "image", text("no image"), &r));
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "camera", 6, 0, "other", image("x", 1), &r));
    CHECK_CODE(EDGEOPS_E_INVALID,
               put(store, "camera", 6, 0, "image", image("", EDGEOPS_BLOB_MAX + 1), &r));
    for (int round = 0; round < 3; round++) {
        check_blob(store, 0, "first");
        check_blob(store, 1, "second");
        check_blob(store, 2, "first");
        check_blob(store, 3, "");
        edgeops_store_close(store);
        store = open_store();
        if (round == 1) {
            CHECK_OK(eop_store_flush(store));
        }
    }
    edgeops_table *table = read_all(store, "camera");
    edgeops_blob blob;
    static const edgeops_blob none;
    memcpy(&blob, table->columns[0].data, sizeof blob);
    cr_assert_eq(memcmp((const char *)table->columns[0].data + 4 * sizeof blob, &none, sizeof none),
                 0);
    edgeops_table_free(table);
    char *path = eop_blob_path(store, blob.digest);
    CHECK_OK(eop_file_write(path, "fir5t", 5, 0600));
    void *data = NULL;
    size_t size = 0;
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_blob_read(&data, &size, store, blob.digest));
    cr_assert(data == NULL);
    blob.digest[0] ^= 1;
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_blob_read(&data, &size, store, blob.digest));
    eop_free(path);
    edgeops_store_close(store);
}

/* Makes the files older than any sweep. */
static void age_blobs(void) {
    char command[200];
    snprintf(command, sizeof command, "find '%s/data/blobs' -type f -exec touch -d 2001-01-01 {} +",
             home);
    cr_assert_eq(system(command), 0);
}

static int count_blobs(void) {
    char command[200];
    int n = 0;
    snprintf(command, sizeof command, "find '%s/data/blobs' -type f | wc -l", home);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe != NULL);
    cr_assert_eq(fscanf(pipe, "%d", &n), 1);
    pclose(pipe);
    return n;
}

Test(store_types, sweep_removes_blobs_that_no_row_refers_to) {
    edgeops_store *store = open_store();
    eop_blob_stats stats;
    CHECK_OK(eop_blob_sweep(store, &stats));
    cr_assert_eq(stats.kept + stats.removed, 0);
    CHECK_OK(put(store, "camera", 1, 0, "image", image("chunk", 5), NULL));
    CHECK_OK(put(store, "gone", 1, 0, "image", image("gone", 4), NULL));
    CHECK_OK(put(store, "gone", 2, 0, "image", image("chunk", 5), NULL));
    CHECK_OK(eop_store_flush(store));
    CHECK_OK(put(store, "camera", 2, 0, "image", image("memory", 6), NULL));
    /* Rows of a refused call leave theirs behind. */
    const char *names[2] = {"image", "x"};
    edgeops_value values[2] = {image("refused", 7), f64(1)};
    edgeops_sample sample = {"camera", 3, 0, 2, names, values};
    CHECK_OK(put(store, "camera", 4, 0, "x", text("a text"), NULL));
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append(NULL, store, &sample, 1, NULL));
    CHECK_OK(edgeops_asset_remove(store, "gone"));
    CHECK_OK(eop_store_flush(store));
    CHECK_OK(eop_blob_sweep(store, &stats));
    cr_assert_eq(stats.removed, 0); /* all are too young to be sure */
    cr_assert_eq(count_blobs(), 4);
    age_blobs();
    /* The writer may do the same at this moment, as rows went. */
    CHECK_OK(eop_blob_sweep(store, &stats));
    cr_assert_eq(stats.kept, 2);
    cr_assert_eq(count_blobs(), 2);
    check_blob(store, 0, "chunk");
    check_blob(store, 1, "memory");
    edgeops_store_close(store);
}

Test(store_types, clock_that_jumped_ahead_makes_nothing_late) {
    edgeops_store *store = open_store();
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    const edgeops_time now = eop_now();
    const edgeops_time day = 24 * 3600 * EDGEOPS_SECOND;
    CHECK_OK(put(store, "a", now, 0, "x", f64(1), &r));
    CHECK_OK(put(store, "a", now + 400 * day, 0, "x", f64(2), &r));
    cr_assert_eq(r.ahead, 1);
    cr_assert_eq(r.late, 0);
    for (int round = 0; round < 2; round++) {
        CHECK_OK(put(store, "a", now + 10 + round * 10, 0, "x", f64(3), &r));
        cr_assert_eq(r.late + r.ahead, 0);
        CHECK_OK(put(store, "a", now + 1 + round, 0, "x", f64(4), &r));
        cr_assert_eq(r.late, 1);
        cr_assert_eq(r.ahead, 0);
        edgeops_store_close(store);
        store = open_store();
    }
    /* After the opening nothing is known but the newest, which is ahead. */
    cr_assert_eq(count_rows(store, "a"), 6);
    edgeops_store_close(store);
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.ahead_limit = EDGEOPS_FOREVER;
    CHECK_OK(edgeops_store_open(&store, home, &options));
    CHECK_OK(put(store, "b", now + 400 * day, 0, "x", f64(2), &r));
    cr_assert_eq(r.ahead, 0);
    CHECK_OK(put(store, "b", now, 0, "x", f64(2), &r));
    cr_assert_eq(r.late, 1);
    edgeops_store_close(store);
}
