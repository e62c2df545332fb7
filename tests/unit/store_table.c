/* SPDX-License-Identifier: Apache-2.0 */
/* Rows appended as columns equal the same rows appended one by one. */
#include <math.h>

#include "store_fixture.h"

TestSuite(store_table, .init = make_home, .fini = remove_home);

enum { ROWS = 9000 };

static edgeops_time times[ROWS];
static int64_t seqs[ROWS];
static double values[ROWS];
static int32_t counts[ROWS];
static uint8_t flags[ROWS];
static uint8_t valid[ROWS];
static uint16_t codes[ROWS];
static float blocks[ROWS * 3];
static uint32_t offsets[ROWS + 1];
static char bytes[ROWS * 4];

enum { COLUMNS = 5 };
static edgeops_column columns[COLUMNS];

static edgeops_table make_table(const char *asset) {
    memset(columns, 0, sizeof columns);
    for (int i = 0; i < ROWS; i++) {
        times[i] = 1000 + i * 10;
        seqs[i] = i % 3;
        values[i] = i % 100 == 7 ? -0.0 : i / 100.0;
        counts[i] = i * 1000 - 7;
        flags[i] = (uint8_t)(i & 1);
        valid[i] = i % 11 != 0;
        codes[i] = i % 5 == 0 ? 192 : EDGEOPS_QUALITY_NONE;
        for (int e = 0; e < 3; e++) {
            blocks[i * 3 + e] = (float)i + (float)e / 4;
        }
        offsets[i] = (uint32_t)(i * 2);
        memcpy(bytes + i * 2, i % 2 == 0 ? "ab" : "\xc3\xbc", 2);
    }
    offsets[ROWS] = ROWS * 2;
    columns[0] = (edgeops_column){.name = "value",
                                  .type = EDGEOPS_TYPE_FLOAT64,
                                  .f64 = values,
                                  .valid = valid,
                                  .quality = codes};
    columns[1] = (edgeops_column){.name = "count", .type = EDGEOPS_TYPE_INT32, .data = counts};
    columns[2] = (edgeops_column){.name = "flag", .type = EDGEOPS_TYPE_BOOL, .u8 = flags};
    columns[3] = (edgeops_column){.name = "text",
                                  .type = EDGEOPS_TYPE_STRING,
                                  .offsets = offsets,
                                  .bytes = bytes,
                                  .valid = valid};
    columns[4] = (edgeops_column){
        .name = "block", .type = EDGEOPS_TYPE_FLOAT32, .data = blocks, .length = 3};
    return (edgeops_table){.asset = asset,
                           .rows = ROWS,
                           .times = times,
                           .seqs = seqs,
                           .column_count = COLUMNS,
                           .columns = columns};
}

static void append_singly(edgeops_store *store, const char *asset, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        edgeops_value row[COLUMNS];
        uint16_t row_codes[COLUMNS];
        const char *names[COLUMNS];
        for (size_t k = 0; k < COLUMNS; k++) {
            edgeops_column column = columns[k];
            column.data = column.type == EDGEOPS_TYPE_FLOAT64 ? values
                          : column.type == EDGEOPS_TYPE_BOOL  ? (const void *)flags
                                                              : column.data;
            column.length = column.length > 0 ? column.length : 1;
            row[k] = edgeops_column_value(&column, i);
            row_codes[k] = column.quality != NULL && row[k].type != EDGEOPS_TYPE_NULL
                               ? column.quality[i]
                               : EDGEOPS_QUALITY_NONE;
            names[k] = column.name;
        }
        edgeops_sample sample = {.asset = asset,
                                 .time = times[i],
                                 .seq = seqs[i],
                                 .count = COLUMNS,
                                 .channels = names,
                                 .values = row,
                                 .qualities = row_codes};
        CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
    }
}

static edgeops_table *read_columns(edgeops_store *store, const char *asset) {
    edgeops_table *table = NULL;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    static const char *const names[COLUMNS] = {"value", "count", "flag", "text", "block"};
    query.asset = asset;
    query.channels = names;
    query.channel_count = COLUMNS;
    CHECK_OK(edgeops_store_read(&table, store, &query));
    return table;
}

static void check_same(edgeops_store *store, const char *a, const char *b) {
    edgeops_table *x = read_columns(store, a);
    edgeops_table *y = read_columns(store, b);
    cr_assert_eq(x->rows, y->rows);
    cr_assert_eq(memcmp(x->times, y->times, x->rows * 8), 0);
    cr_assert_eq(memcmp(x->seqs, y->seqs, x->rows * 8), 0);
    for (size_t k = 0; k < COLUMNS; k++) {
        const edgeops_column *c = &x->columns[k];
        const edgeops_column *d = &y->columns[k];
        cr_assert_eq(c->type, d->type);
        cr_assert_eq(c->nulls, d->nulls);
        for (uint64_t i = 0; i < x->rows; i++) {
            edgeops_value v = edgeops_column_value(c, i);
            edgeops_value w = edgeops_column_value(d, i);
            cr_assert_eq(v.type, w.type);
            cr_assert_eq(v.size, w.size);
            cr_assert(v.size > 0 ? memcmp(v.as.data, w.as.data, v.size) == 0
                                 : v.as.u64 == w.as.u64 || v.type == EDGEOPS_TYPE_NULL);
            uint16_t p = c->quality != NULL ? c->quality[i] : EDGEOPS_QUALITY_NONE;
            uint16_t q = d->quality != NULL ? d->quality[i] : EDGEOPS_QUALITY_NONE;
            cr_assert_eq(p, q);
        }
    }
    edgeops_table_free(x);
    edgeops_table_free(y);
}

Test(store_table, columns_are_the_same_as_rows) {
    edgeops_store *store = open_store();
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_table table = make_table("columns");
    CHECK_OK(edgeops_store_append_tables(&result, store, &table, 1, NULL));
    cr_assert_eq(result.appended, ROWS);
    cr_assert_eq(result.late + result.duplicates + result.conflicts, 0);
    append_singly(store, "rows", 0, ROWS);
    check_same(store, "columns", "rows");
    edgeops_store_close(store);
    store = open_store(); /* from the journal */
    check_same(store, "columns", "rows");
    CHECK_OK(eop_store_flush(store));
    check_same(store, "columns", "rows");
    edgeops_store_close(store);
}

Test(store_table, rows_that_are_there_are_not_doubled) {
    edgeops_store *store = open_store();
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_table table = make_table("a");
    append_singly(store, "b", 0, ROWS);
    append_singly(store, "a", 100, 200);
    CHECK_OK(edgeops_store_append_tables(&result, store, &table, 1, NULL));
    cr_assert_eq(result.duplicates, 100);
    cr_assert_eq(result.appended, ROWS - 100);
    cr_assert_eq(result.late, 100);
    check_same(store, "a", "b");
    CHECK_OK(edgeops_store_append_tables(&result, store, &table, 1, NULL));
    cr_assert_eq(result.duplicates, ROWS);
    cr_assert_eq(result.appended, 0);
    values[50] += 1;
    CHECK_OK(edgeops_store_append_tables(&result, store, &table, 1, NULL));
    cr_assert_eq(result.conflicts, 1);
    edgeops_store_close(store);
}

Test(store_table, other_numbers_are_taken_where_they_fit) {
    edgeops_store *store = open_store();
    int64_t whole[4] = {1, 2, 3, INT64_C(9007199254740993)};
    edgeops_column column = {.name = "x", .type = EDGEOPS_TYPE_INT64, .i64 = whole};
    edgeops_table table = {
        .asset = "a", .rows = 3, .times = times, .column_count = 1, .columns = &column};
    make_table("a");
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"x", NULL, EDGEOPS_TYPE_FLOAT64, 1}));
    CHECK_OK(edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    table.rows = 4;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    cr_assert_eq(count_rows(store, "a"), 3);
    edgeops_store_close(store);
}

Test(store_table, bad_tables_are_refused_whole) {
    edgeops_store *store = open_store();
    edgeops_table table = make_table("a");
    columns[1].name = "value";
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    table = make_table("a");
    flags[5] = 2;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    table = make_table("a");
    bytes[20] = (char)0xff;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    table = make_table("a");
    offsets[7] = 3;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    table = make_table("a");
    columns[4].data = NULL;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    table = make_table("../a");
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    edgeops_table *read = NULL;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = "a";
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_store_read(&read, store, &query));
    edgeops_store_close(store);
}

Test(store_table, columns_come_and_go_between_tables) {
    edgeops_store *store = open_store();
    edgeops_table table = make_table("a");
    table.rows = 100;
    table.column_count = 2;
    CHECK_OK(edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    table.times = times + 100;
    table.seqs = seqs + 100;
    table.columns = columns + 1;
    table.column_count = 1;
    CHECK_OK(edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    CHECK_OK(put(store, "a", times[300], 0, "late", f64(4), NULL));
    table.times = times + 400;
    table.seqs = seqs + 400;
    table.columns = columns;
    table.column_count = 1;
    CHECK_OK(edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    edgeops_store_close(store);
    store = open_store();
    for (int round = 0; round < 2; round++) {
        edgeops_table *read = NULL;
        edgeops_query query = EDGEOPS_QUERY_INIT;
        query.asset = "a";
        CHECK_OK(edgeops_store_read(&read, store, &query));
        cr_assert_eq(read->rows, 301);
        cr_assert_eq(read->columns[0].nulls, 100 + 1 + 2 * 10);
        cr_assert_eq(read->columns[1].nulls, 101);
        cr_assert_eq(read->columns[2].nulls, 300);
        edgeops_table_free(read);
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
}

Test(store_table, several_tables_go_in_together_or_not_at_all) {
    edgeops_store *store = open_store();
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_table tables[3] = {make_table("a"), make_table("b"), make_table("a")};
    tables[0].rows = 5000;
    tables[2].rows = 4000;
    tables[2].times = times + 5000;
    tables[2].seqs = seqs + 5000;
    columns[1].name = "value";
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append_tables(&result, store, tables, 3, NULL));
    make_table("a");
    edgeops_table *read = NULL;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = "b";
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_store_read(&read, store, &query));
    CHECK_OK(edgeops_store_append_tables(&result, store, tables, 3, NULL));
    cr_assert_eq(result.appended, ROWS + 9000);
    CHECK_OK(edgeops_store_append_tables(&result, store, tables, 3, NULL));
    cr_assert_eq(result.appended, 0);
    cr_assert_eq(result.duplicates + result.conflicts, ROWS + 9000);
    CHECK_OK(edgeops_store_append_tables(&result, store, NULL, 0, NULL));
    cr_assert_eq(result.duplicates, 0);
    edgeops_store_close(store);
    store = open_store();
    cr_assert_eq(count_rows(store, "a"), 9000);
    cr_assert_eq(count_rows(store, "b"), ROWS);
    edgeops_store_close(store);
}
