/* SPDX-License-Identifier: Apache-2.0 */
/* Renamed assets and channels keep rows, labels, ordinals and datasets. */
#include "edgeops/dataset.h"
#include "edgeops/label.h"
#include "store_fixture.h"

TestSuite(store_rename, .init = make_home, .fini = remove_home);

static void append(edgeops_store *store, const char *asset, int64_t first, int64_t n) {
    for (int64_t i = first; i < first + n; i++) {
        CHECK_OK(put(store, asset, i, 0, "x", f64((double)i), NULL));
    }
}

Test(store_rename, asset_keeps_rows_labels_and_ordinals) {
    edgeops_store *store = open_store();
    edgeops_label label = {.asset = "old", .start = 1, .end = 3, .label = "good"};
    append(store, "old", 0, 5);
    CHECK_OK(eop_store_flush(store));
    append(store, "old", 5, 5);
    CHECK_OK(edgeops_label_add(NULL, store, &label, 1));
    append(store, "other", 0, 1);
    CHECK_CODE(EDGEOPS_E_EXISTS, edgeops_asset_rename(store, "old", "other"));
    CHECK_CODE(EDGEOPS_E_EXISTS, edgeops_asset_rename(store, "old", "old"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_asset_rename(store, "none", "new"));
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_asset_rename(store, "old", "a//b"));
    CHECK_OK(edgeops_asset_rename(store, "old", "line/new"));
    append(store, "line/new", 10, 2);
    append(store, "old", 0, 1); /* another one */
    for (int round = 0; round < 3; round++) {
        edgeops_table *table = read_all(store, "line/new");
        cr_assert_eq(table->rows, 12);
        cr_assert_eq(table->ordinals[11], 12);
        edgeops_table_free(table);
        table = read_all(store, "old");
        cr_assert_eq(table->rows, 1);
        cr_assert_eq(table->ordinals[0], 11); /* behind those that the name had */
        edgeops_table_free(table);
        CHECK_OK(eop_store_flush(store));
        edgeops_store_close(store);
        store = open_store();
    }
    cr_assert_eq(ask_sql("catalog.db", "SELECT count(*) FROM label JOIN asset ON asset.id ="
                                       " label.asset WHERE asset.name = 'line/new'"),
                 1);
    edgeops_store_close(store);
}

/* Who follows a name by ordinals must see what comes, also from an asset that gets the name. */
Test(store_rename, ordinals_go_on_behind_those_of_a_name_that_was_used) {
    edgeops_store *store = open_store();
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    append(store, "a", 0, 20);
    CHECK_OK(edgeops_asset_remove(store, "a"));
    append(store, "b", 0, 3);
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, 20}));
    CHECK_OK(edgeops_asset_rename(store, "b", "a"));
    append(store, "a", 3, 2);
    CHECK_OK(edgeops_cursor_next(&block, cursor, 10));
    cr_assert_eq(block->rows, 2);
    cr_assert_eq(block->ordinals[0], 21);
    edgeops_cursor_close(cursor);
    edgeops_store_close(store); /* the two rows are in the journal only */
    store = open_store();
    cr_assert_eq(count_rows(store, "a"), 5);
    edgeops_store_close(store);
}

Test(store_rename, cursor_of_the_old_name_waits_for_another_asset) {
    edgeops_store *store = open_store();
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    append(store, "a", 0, 2);
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, 0}));
    CHECK_OK(edgeops_cursor_next(&block, cursor, 10));
    CHECK_OK(edgeops_asset_rename(store, "a", "b"));
    append(store, "b", 2, 2);
    CHECK_CODE(EDGEOPS_DONE, edgeops_cursor_next(&block, cursor, 10));
    append(store, "a", 7, 1);
    CHECK_OK(edgeops_cursor_next(&block, cursor, 10));
    cr_assert_eq(block->rows, 1);
    cr_assert_eq(block->times[0], 7);
    edgeops_cursor_close(cursor);
    edgeops_store_close(store);
}

Test(store_rename, dataset_keeps_its_digest_and_its_names) {
    edgeops_store *store = open_store();
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    edgeops_dataset *dataset = NULL;
    const char *asset = "a";
    append(store, "a", 0, 4);
    options.name = "frozen";
    options.assets = &asset;
    options.asset_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
    CHECK_OK(edgeops_asset_rename(store, "a", "b"));
    CHECK_OK(edgeops_channel_rename(store, "b", "x", "temperature"));
    CHECK_OK(edgeops_dataset_read(&dataset, store, "frozen"));
    cr_assert_eq(dataset->rows, 4);
    cr_assert_str_eq(dataset->parts[0].table->asset, "a");
    cr_assert_str_eq(dataset->parts[0].table->columns[0].name, "x");
    edgeops_dataset_free(dataset);
    edgeops_store_close(store);
}

Test(store_rename, channel_keeps_its_values) {
    edgeops_store *store = open_store();
    append(store, "a", 0, 3);
    CHECK_OK(put(store, "a", 0, 1, "y", i64(7), NULL));
    CHECK_CODE(EDGEOPS_E_EXISTS, edgeops_channel_rename(store, "a", "x", "y"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_channel_rename(store, "a", "z", "w"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_channel_rename(store, "b", "x", "w"));
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_channel_rename(store, "a", "x", "w/"));
    CHECK_OK(edgeops_channel_rename(store, "a", "x", "z"));
    CHECK_OK(put(store, "a", 9, 0, "z", f64(9), NULL));
    CHECK_OK(put(store, "a", 10, 0, "x", text("a new channel"), NULL));
    for (int round = 0; round < 3; round++) {
        edgeops_table *table = read_all(store, "a");
        cr_assert_eq(table->column_count, 3);
        cr_assert_str_eq(table->columns[0].name, "z");
        cr_assert_eq(table->columns[0].f64[4], 9);
        cr_assert_str_eq(table->columns[2].name, "x");
        cr_assert_eq(table->columns[2].nulls, 5);
        edgeops_table_free(table);
        CHECK_OK(eop_store_flush(store));
        edgeops_store_close(store);
        store = open_store();
    }
    edgeops_store_close(store);
}
