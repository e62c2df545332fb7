/* SPDX-License-Identifier: Apache-2.0 */
/* Tables through the Arrow C data interface: every struct bit by bit, in whatever order they are
 * released, and after each allocation that fails. */
#include "edgeops/arrow.h"

#include <errno.h>

#include "failing_memory.h"
#include "store_fixture.h"

TestSuite(store_arrow, .init = make_home, .fini = remove_home);

enum { ROWS = 11 };

static const struct {
    const char *name;
    edgeops_type type;
    const char *format;
    size_t width;
} numbers[] = {
    {"f64", EDGEOPS_TYPE_FLOAT64, "g", 8}, {"f32", EDGEOPS_TYPE_FLOAT32, "f", 4},
    {"i8", EDGEOPS_TYPE_INT8, "c", 1},     {"i16", EDGEOPS_TYPE_INT16, "s", 2},
    {"i32", EDGEOPS_TYPE_INT32, "i", 4},   {"i64", EDGEOPS_TYPE_INT64, "l", 8},
    {"u8", EDGEOPS_TYPE_UINT8, "C", 1},    {"u16", EDGEOPS_TYPE_UINT16, "S", 2},
    {"u32", EDGEOPS_TYPE_UINT32, "I", 4},  {"u64", EDGEOPS_TYPE_UINT64, "L", 8},
};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

/* Row i has no value of the channel where bit i of `nulls` is set. */
static void put_rows(edgeops_store *store, const char *channel, const edgeops_value *values,
                     unsigned nulls, int64_t seq) {
    for (int i = 0; i < ROWS; i++) {
        const char *names[] = {channel, "row"};
        edgeops_value row[] = {(nulls >> i & 1) != 0 ? (edgeops_value){0} : values[i], i64(i)};
        edgeops_sample sample = {.asset = channel,
                                 .time = 1700000000000000000 + i,
                                 .seq = seq * i,
                                 .count = 2,
                                 .channels = names,
                                 .values = row};
        CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
    }
}

static edgeops_table *take(edgeops_store *store, const char *asset) {
    edgeops_table *table = NULL;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = asset;
    CHECK_OK(edgeops_store_read(&table, store, &query));
    return table;
}

static bool bit(const void *bits, int64_t i) {
    return (((const uint8_t *)bits)[i / 8] >> (i % 8) & 1) != 0;
}

/* What holds for every node. */
static void check_leaf(const struct ArrowArray *array, int64_t length, int64_t nulls,
                       int64_t buffers) {
    cr_assert_eq(array->length, length);
    cr_assert_eq(array->null_count, nulls);
    cr_assert_eq(array->offset, 0);
    cr_assert_eq(array->n_buffers, buffers);
    cr_assert_eq(array->dictionary, NULL);
    cr_assert(array->release != NULL);
    cr_assert_eq(nulls == 0, array->buffers[0] == NULL);
}

static void check_field(const struct ArrowSchema *field, const char *format, const char *name,
                        int64_t flags, int64_t children) {
    cr_assert_str_eq(field->format, format);
    cr_assert_str_eq(field->name, name);
    cr_assert_eq(field->flags, flags, "%s", name);
    cr_assert_eq(field->n_children, children);
    cr_assert_eq(field->dictionary, NULL);
    cr_assert(field->release != NULL);
}

static void end(struct ArrowSchema *schema, struct ArrowArray *array) {
    schema->release(schema);
    array->release(array);
    cr_assert(schema->release == NULL && array->release == NULL);
}

Test(store_arrow, structs_have_the_layout_of_the_specification) {
    cr_assert_eq(sizeof(struct ArrowSchema), 72);
    cr_assert_eq(offsetof(struct ArrowSchema, release), 56);
    cr_assert_eq(sizeof(struct ArrowArray), 80);
    cr_assert_eq(offsetof(struct ArrowArray, buffers), 40);
    cr_assert_eq(offsetof(struct ArrowArray, release), 64);
    cr_assert_eq(sizeof(struct ArrowArrayStream), 40);
}

Test(store_arrow, numbers_are_the_tables_own_memory) {
    edgeops_store *store = open_store();
    for (int k = 0; k < NUMBERS; k++) {
        edgeops_value values[ROWS];
        CHECK_OK(edgeops_store_declare(
            store, numbers[k].name,
            &(edgeops_channel_info){numbers[k].name, k == 0 ? "mm/s" : NULL, numbers[k].type, 1}));
        for (int i = 0; i < ROWS; i++) {
            values[i] = i64(i * 3);
        }
        put_rows(store, numbers[k].name, values, 0, 0);
        edgeops_table *table = take(store, numbers[k].name);
        struct ArrowSchema schema;
        struct ArrowArray array;
        CHECK_OK(edgeops_table_arrow(&schema, &array, table));
        check_field(&schema, "+s", "", 0, 3);
        check_field(schema.children[0], "tsn:UTC", "time", 0, 0);
        check_field(schema.children[1], numbers[k].format, numbers[k].name, ARROW_FLAG_NULLABLE, 0);
        check_leaf(&array, ROWS, 0, 1);
        cr_assert_eq(array.n_children, 3);
        check_leaf(array.children[0], ROWS, 0, 2);
        cr_assert_eq(array.children[0]->buffers[1], table->times);
        check_leaf(array.children[1], ROWS, 0, 2);
        cr_assert_eq(array.children[1]->buffers[1], table->columns[0].data);
        if (k == 0) {
            static const char unit[] = "\1\0\0\0\4\0\0\0unit\4\0\0\0mm/s";
            cr_assert_arr_eq(schema.children[1]->metadata, unit, sizeof unit - 1);
        } else {
            cr_assert_eq(schema.children[1]->metadata, NULL);
        }
        end(&schema, &array);
        edgeops_table_free(table);
    }
    edgeops_store_close(store);
}

Test(store_arrow, nulls_and_bools_are_bits) {
    edgeops_store *store = open_store();
    edgeops_value values[ROWS];
    for (int i = 0; i < ROWS; i++) {
        values[i] = boolean(i % 3 == 0);
    }
    put_rows(store, "b", values, 0x212, 0); /* rows 1, 4, 9 */
    edgeops_table *table = take(store, "b");
    struct ArrowSchema schema;
    struct ArrowArray array;
    CHECK_OK(edgeops_table_arrow(&schema, &array, table));
    check_field(schema.children[1], "b", "b", ARROW_FLAG_NULLABLE, 0);
    check_leaf(array.children[1], ROWS, 3, 2);
    for (int i = 0; i < ROWS; i++) {
        bool null = (0x212 >> i & 1) != 0;
        cr_assert_eq(bit(array.children[1]->buffers[0], i), !null);
        cr_assert_eq(bit(array.children[1]->buffers[1], i), !null && i % 3 == 0);
    }
    static const char asset[] = "\1\0\0\0\5\0\0\0asset\1\0\0\0b";
    cr_assert_arr_eq(schema.metadata, asset, sizeof asset - 1);
    end(&schema, &array);
    edgeops_table_free(table);
    edgeops_store_close(store);
}

Test(store_arrow, texts_arrays_and_blobs) {
    edgeops_store *store = open_store();
    edgeops_value values[ROWS];
    static const float block[] = {1.5F, -0.0F, 3.0F};
    for (int i = 0; i < ROWS; i++) {
        values[i] = text(i % 2 == 0 ? "\xc3\xbc" : "");
    }
    put_rows(store, "text", values, 4, 0);
    for (int i = 0; i < ROWS; i++) {
        values[i] =
            (edgeops_value){.type = EDGEOPS_TYPE_FLOAT32, .size = sizeof block, .as.data = block};
    }
    put_rows(store, "block", values, 8, 0);
    for (int i = 0; i < ROWS; i++) {
        values[i] = (edgeops_value){
            .type = EDGEOPS_TYPE_BLOB, .size = (uint32_t)i, .as.data = "0123456789"};
    }
    put_rows(store, "blob", values, 16, 0);
    struct ArrowSchema schema;
    struct ArrowArray array;
    edgeops_table *table = take(store, "text");
    CHECK_OK(edgeops_table_arrow(&schema, &array, table));
    check_field(schema.children[1], "u", "text", ARROW_FLAG_NULLABLE, 0);
    check_leaf(array.children[1], ROWS, 1, 3);
    cr_assert_eq(array.children[1]->buffers[1], table->columns[0].offsets);
    cr_assert_eq(array.children[1]->buffers[2], table->columns[0].bytes);
    end(&schema, &array);
    edgeops_table_free(table);

    table = take(store, "block");
    CHECK_OK(edgeops_table_arrow(&schema, &array, table));
    check_field(schema.children[1], "+w:3", "block", ARROW_FLAG_NULLABLE, 1);
    check_field(schema.children[1]->children[0], "f", "item", ARROW_FLAG_NULLABLE, 0);
    check_leaf(array.children[1], ROWS, 1, 1);
    cr_assert(!bit(array.children[1]->buffers[0], 3) && bit(array.children[1]->buffers[0], 10));
    check_leaf(array.children[1]->children[0], ROWS * 3, 0, 2);
    cr_assert_eq(array.children[1]->children[0]->buffers[1], table->columns[0].data);
    end(&schema, &array);
    edgeops_table_free(table);

    table = take(store, "blob");
    const edgeops_blob *blobs = table->columns[0].data;
    CHECK_OK(edgeops_table_arrow(&schema, &array, table));
    check_field(schema.children[1], "+s", "blob", ARROW_FLAG_NULLABLE, 2);
    check_field(schema.children[1]->children[0], "w:32", "digest", ARROW_FLAG_NULLABLE, 0);
    check_field(schema.children[1]->children[1], "L", "size", ARROW_FLAG_NULLABLE, 0);
    check_leaf(array.children[1], ROWS, 1, 1);
    for (int i = 0; i < ROWS; i++) {
        const struct ArrowArray *blob = array.children[1];
        cr_assert_arr_eq((const uint8_t *)blob->children[0]->buffers[1] + i * 32, blobs[i].digest,
                         32);
        cr_assert_eq(((const uint64_t *)blob->children[1]->buffers[1])[i],
                     (uint64_t)(i == 4 ? 0 : i));
    }
    end(&schema, &array);
    edgeops_table_free(table);
    edgeops_store_close(store);
}

Test(store_arrow, seqs_come_where_there_are_some_and_keys_give_way_to_channels) {
    edgeops_store *store = open_store();
    edgeops_value values[ROWS];
    for (int i = 0; i < ROWS; i++) {
        values[i] = i64(i);
    }
    put_rows(store, "time", values, 0, 0);
    put_rows(store, "seq", values, 0, 7);
    struct ArrowSchema schema;
    struct ArrowArray array;
    edgeops_table *table = take(store, "time");
    CHECK_OK(edgeops_table_arrow(&schema, &array, table));
    check_field(schema.children[0], "tsn:UTC", "time_", 0, 0);
    check_field(schema.children[1], "l", "time", ARROW_FLAG_NULLABLE, 0);
    end(&schema, &array);
    edgeops_table_free(table);
    table = take(store, "seq");
    CHECK_OK(edgeops_table_arrow(&schema, &array, table));
    cr_assert_eq(schema.n_children, 4);
    check_field(schema.children[1], "l", "seq_", 0, 0);
    cr_assert_eq(array.children[1]->buffers[1], table->seqs);
    end(&schema, &array);
    edgeops_table_free(table);
    edgeops_store_close(store);
}

Test(store_arrow, who_releases_last_frees_whatever_the_order) {
    edgeops_store *store = open_store();
    edgeops_value values[ROWS];
    for (int i = 0; i < ROWS; i++) {
        values[i] = f64(i);
    }
    put_rows(store, "a", values, 2, 0);
    edgeops_table *table = take(store, "a");
    edgeops_store_close(store);
    struct ArrowSchema schema;
    struct ArrowArray array;
    CHECK_OK(edgeops_table_arrow(&schema, &array, table));
    edgeops_table_free(table);
    /* A child is moved out, as the specification allows, and outlives its parent. */
    struct ArrowArray moved = *array.children[1];
    struct ArrowSchema field = *schema.children[1];
    array.children[1]->release = NULL;
    schema.children[1]->release = NULL;
    end(&schema, &array);
    cr_assert_str_eq(field.name, "a");
    cr_assert_eq(((const double *)moved.buffers[1])[ROWS - 1], ROWS - 1);
    end(&field, &moved);
}

Test(store_arrow, an_asset_without_rows_is_an_empty_batch) {
    edgeops_store *store = open_store();
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"s", NULL, EDGEOPS_TYPE_STRING, 1}));
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"blob", NULL, EDGEOPS_TYPE_BLOB, 1}));
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"bool", NULL, EDGEOPS_TYPE_BOOL, 1}));
    edgeops_table *table = take(store, "a");
    struct ArrowSchema schema;
    struct ArrowArray array;
    CHECK_OK(edgeops_table_arrow(&schema, &array, table));
    cr_assert_eq(array.length, 0);
    cr_assert_eq(array.n_children, 4);
    check_leaf(array.children[1], 0, 0, 3);
    cr_assert_eq(((const int32_t *)array.children[1]->buffers[1])[0], 0);
    end(&schema, &array);
    edgeops_table_free(table);
    edgeops_store_close(store);
}

Test(store_arrow, a_stream_gives_one_batch) {
    edgeops_store *store = open_store();
    edgeops_value values[ROWS];
    for (int i = 0; i < ROWS; i++) {
        values[i] = f64(i);
    }
    put_rows(store, "a", values, 0, 0);
    edgeops_table *table = take(store, "a");
    edgeops_store_close(store);
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray array;
    CHECK_OK(edgeops_table_arrow_stream(&stream, table));
    edgeops_table_free(table);
    cr_assert_eq(stream.get_last_error(&stream), NULL);
    cr_assert_eq(stream.get_schema(&stream, &schema), 0);
    cr_assert_eq(schema.n_children, 3);
    cr_assert_eq(stream.get_next(&stream, &array), 0);
    cr_assert_eq(array.length, ROWS);
    struct ArrowArray after = {.release = array.release};
    cr_assert_eq(stream.get_next(&stream, &after), 0);
    cr_assert(after.release == NULL, "no release says that there is no more");
    stream.release(&stream);
    cr_assert(stream.release == NULL);
    cr_assert_eq(((const double *)array.children[1]->buffers[1])[3], 3.0);
    end(&schema, &array);
}

Test(store_arrow, what_is_not_to_be_shared_is_refused) {
    edgeops_store *store = open_store();
    edgeops_value values[ROWS];
    for (int i = 0; i < ROWS; i++) {
        values[i] = f64(i);
    }
    put_rows(store, "a", values, 2, 3);
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, 0}));
    CHECK_OK(edgeops_cursor_next(&block, cursor, 5));
    struct ArrowSchema schema = {.name = "untouched"};
    struct ArrowArray array = {.length = -5};
    struct ArrowArrayStream stream = {0};
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_table_arrow(&schema, &array, (edgeops_table *)block));
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_table_arrow_stream(&stream, (edgeops_table *)block));
    cr_assert_str_eq(schema.name, "untouched");
    cr_assert_eq(array.length, -5);
    edgeops_table *copy = NULL;
    CHECK_OK(edgeops_table_copy(&copy, block));
    CHECK_OK(edgeops_cursor_next(&block, cursor, 65536));
    edgeops_cursor_close(cursor);
    edgeops_store_close(store);
    cr_assert_eq(copy->rows, 5);
    cr_assert_eq(copy->ordinals[4], 5);
    cr_assert_eq(copy->seqs[4], 12);
    cr_assert_eq(copy->columns[0].valid[1], 0);
    CHECK_OK(edgeops_table_arrow(&schema, &array, copy));
    edgeops_table_free(copy);
    cr_assert_eq(array.length, 5);
    cr_assert_eq(array.children[2]->null_count, 1);
    end(&schema, &array);
}

/* -- memory -- */

Test(store_arrow, each_allocation_fails_and_nothing_leaks) {
    take_failing_memory();
    edgeops_store *store = open_store();
    edgeops_value values[ROWS];
    for (int i = 0; i < ROWS; i++) {
        values[i] = (edgeops_value){.type = EDGEOPS_TYPE_BLOB, .size = 1, .as.data = "x"};
    }
    put_rows(store, "a", values, 2, 3);
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"many", "Pa", EDGEOPS_TYPE_FLOAT32, 4}));
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"flag", "1", EDGEOPS_TYPE_BOOL, 1}));
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"word", NULL, EDGEOPS_TYPE_STRING, 1}));
    edgeops_table *table = take(store, "a");
    edgeops_store_close(store);
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct ArrowArrayStream stream;
    edgeops_table *copy = NULL;
    long before = alive;
    size_t failures = 0;
    for (fail_at = 1;; fail_at++) {
        allocations = 0;
        edgeops_status status = edgeops_table_arrow(&schema, &array, table);
        if (status == EDGEOPS_OK) {
            end(&schema, &array);
            status = edgeops_table_copy(&copy, table);
            edgeops_table_free(copy);
        }
        if (status == EDGEOPS_OK) {
            status = edgeops_table_arrow_stream(&stream, table);
        }
        if (status == EDGEOPS_OK) {
            stream.release(&stream);
        }
        cr_assert_eq(alive, before, "allocation %ld", fail_at);
        if (status == EDGEOPS_OK) {
            break;
        }
        cr_assert_eq(status, EDGEOPS_E_NOMEM);
        failures++;
    }
    cr_assert_gt(failures, 40);
    fail_at = 0;
    edgeops_table_free(table);
}
