/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors return rows in order of arrival across chunks and memory, and get past removed assets
 * and damage. */
#include "store/room.h"
#include "store_fixture.h"

TestSuite(store_cursor, .init = make_home, .fini = remove_home);

static uint64_t expect_rows(edgeops_cursor *cursor, size_t max, uint64_t first, uint64_t n) {
    const edgeops_table *block = NULL;
    uint64_t next = first;
    while (next < first + n) {
        CHECK_OK(edgeops_cursor_next(&block, cursor, max));
        cr_assert(block->rows >= 1 && block->rows <= max);
        for (uint64_t i = 0; i < block->rows; i++) {
            cr_assert_eq(block->ordinals[i], next, "%d, not %d", (int)block->ordinals[i],
                         (int)next);
            cr_assert_eq(block->columns[0].f64[i], (double)next);
            next++;
        }
    }
    cr_assert_eq(edgeops_cursor_next(&block, cursor, max), EDGEOPS_DONE);
    return next;
}

/* Row n has ordinal and value n; times go up and down. */
static void put_rows(edgeops_store *store, uint64_t first, uint64_t n) {
    for (uint64_t i = first; i < first + n; i++) {
        CHECK_OK(put(store, "a", (int64_t)(i ^ 5), 0, "x", f64((double)i), NULL));
    }
}

Test(store_cursor, gives_rows_in_order_of_arrival_across_chunks_and_memory) {
    edgeops_store *store = open_store();
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, 0}));
    cr_assert_eq(edgeops_cursor_next(&block, cursor, 10), EDGEOPS_DONE);
    put_rows(store, 1, 5000);
    CHECK_OK(eop_store_flush(store));
    put_rows(store, 5001, 100);
    uint64_t next = expect_rows(cursor, 777, 1, 5100);
    put_rows(store, next, 1);
    next = expect_rows(cursor, 1, next, 1);
    CHECK_OK(eop_store_flush(store));
    put_rows(store, next, 3);
    next = expect_rows(cursor, 65536, next, 3);
    edgeops_cursor_close(cursor);
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, 4990}));
    expect_rows(cursor, 8, 4991, next - 4991);
    edgeops_cursor_close(cursor);
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, UINT64_MAX}));
    cr_assert_eq(edgeops_cursor_next(&block, cursor, 10), EDGEOPS_DONE);
    put_rows(store, next, 2);
    expect_rows(cursor, 10, next, 2);
    edgeops_cursor_close(cursor);
    edgeops_store_close(store);
}

Test(store_cursor, unknown_channel_is_null_until_it_comes) {
    static const char *const names[2] = {"later", "x"};
    edgeops_store *store = open_store();
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", names, 2, 0}));
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    CHECK_OK(edgeops_cursor_next(&block, cursor, 10));
    cr_assert_eq(block->column_count, 2);
    cr_assert_eq(block->columns[0].type, EDGEOPS_TYPE_FLOAT64);
    cr_assert_eq(block->columns[0].valid[0], 0);
    CHECK_OK(put(store, "a", 2, 0, "later", text("now"), NULL));
    CHECK_OK(edgeops_cursor_next(&block, cursor, 10));
    cr_assert_eq(block->columns[0].type, EDGEOPS_TYPE_STRING);
    cr_assert_eq(memcmp(block->columns[0].bytes, "now", 3), 0);
    cr_assert_eq(block->columns[1].nulls, 1);
    edgeops_cursor_close(cursor);
    edgeops_store_close(store);
}

Test(store_cursor, goes_on_after_its_asset_was_removed_and_made_again) {
    edgeops_store *store = open_store();
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, 0}));
    put_rows(store, 1, 20);
    expect_rows(cursor, 10, 1, 20);
    CHECK_OK(edgeops_asset_remove(store, "a"));
    cr_assert_eq(edgeops_cursor_next(&block, cursor, 10), EDGEOPS_DONE);
    put_rows(store, 21, 2);
    expect_rows(cursor, 10, 21, 2);
    edgeops_cursor_close(cursor);
    edgeops_store_close(store);
}

/* Two chunks and 100 rows in memory; the first chunk is damaged. */
static void expect_rest(const char *damage) {
    edgeops_store *store = open_store();
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_cursor *cursor = NULL;
    eop_store_stats stats;
    put_rows(store, 1, 5000);
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    run_sql("data/telemetry.db", damage);
    store = open_store();
    put_rows(store, 5001, 100);
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, 0}));
    expect_rows(cursor, 777, 4081, 1020);
    edgeops_cursor_close(cursor);
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, 17}));
    expect_rows(cursor, 777, 4081, 1020);
    edgeops_cursor_close(cursor);
    CHECK_OK(eop_store_get_stats(store, &stats));
    cr_assert_eq(stats.damaged, 1);
    /* Whether it is there cannot be known. */
    CHECK_OK(put(store, "a", 100, 7, "x", f64(1), &result));
    cr_assert_eq(result.appended, 1);
    CHECK_OK(put(store, "a", 4999 ^ 5, 0, "x", f64(4999), &result));
    cr_assert_eq(result.duplicates, 1);
    CHECK_OK(eop_store_get_stats(store, &stats));
    cr_assert_eq(stats.damaged, 1);
    CHECK_OK(edgeops_asset_remove(store, "a"));
    edgeops_store_close(store);
    CHECK_OK(eop_remove_tree(home));
}

Test(store_cursor, damaged_chunk_is_passed_over_and_keeps_nobody_from_appending) {
    expect_rest("UPDATE cell SET data = zeroblob(32784) WHERE id % 2048 = 1024 AND id / 2048 ="
                " (SELECT id FROM chunk WHERE ord0 = 1)");
    expect_rest("UPDATE cell SET data = zeroblob(3) WHERE id % 2048 = 1024 AND id / 2048 ="
                " (SELECT id FROM chunk WHERE ord0 = 1)");
    expect_rest("UPDATE cell SET data = zeroblob(500) WHERE id / 2048 ="
                " (SELECT id FROM chunk WHERE ord0 = 1)");
}

Test(store_cursor, damaged_index_keeps_nobody_from_appending) {
    edgeops_store *store = open_store();
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    eop_store_stats stats;
    put_rows(store, 1, 100);
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    run_sql("data/telemetry.db", "UPDATE chunk SET rows = 7");
    store = open_store();
    CHECK_OK(put(store, "a", 50, 7, "x", f64(1), &result));
    cr_assert_eq(result.appended, 1);
    CHECK_OK(eop_store_get_stats(store, &stats));
    cr_assert_eq(stats.damaged, 1);
    edgeops_store_close(store);
}
