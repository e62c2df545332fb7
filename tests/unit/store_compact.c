/* SPDX-License-Identifier: Apache-2.0 */
/* Merging small chunks changes the disk, but nothing that readers see. */
#include "edgeops/dataset.h"
#include "store/compact.h"
#include "store_fixture.h"

TestSuite(store_compact, .init = make_home, .fini = remove_home);

/* Rows from..to of an asset: x of each, y of every third, both known by the row. */
static void put_rows(edgeops_store *store, const char *asset, int64_t from, int64_t to) {
    static const char *const names[] = {"x", "y"};
    for (int64_t i = from; i < to; i++) {
        edgeops_value values[] = {f64((double)i / 10), text(i % 2 != 0 ? "odd" : "even")};
        edgeops_sample sample = {asset, i * 1000, 0, i % 3 == 0 ? 2u : 1u, names, values};
        CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
    }
}

static void check_rows(edgeops_store *store, const char *asset, int64_t n) {
    edgeops_table *table = read_all(store, asset);
    cr_assert_eq(table->rows, (uint64_t)n);
    for (int64_t i = 0; i < n; i++) {
        cr_assert_eq(table->times[i], i * 1000);
        cr_assert_eq(table->columns[0].f64[i], (double)i / 10);
        cr_assert_eq(table->columns[1].valid == NULL || table->columns[1].valid[i], i % 3 == 0);
    }
    edgeops_table_free(table);
}

static void check_cursor(edgeops_store *store, const char *asset, int64_t n) {
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    int64_t at = 0;
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), asset, NULL, 0, 0}));
    while (edgeops_cursor_next(&block, cursor, 1000) == EDGEOPS_OK) {
        for (size_t i = 0; i < block->rows; i++, at++) {
            cr_assert_eq(block->columns[0].f64[i], (double)at / 10);
        }
    }
    cr_assert_eq(at, n);
    edgeops_cursor_close(cursor);
}

static int64_t chunks(void) {
    return ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk");
}

Test(store_compact, many_small_chunks_become_few) {
    edgeops_store *store = open_store();
    for (int64_t i = 0; i < 300; i++) {
        put_rows(store, "a", i * 40, (i + 1) * 40);
        CHECK_OK(eop_store_flush(store));
    }
    check_rows(store, "a", 12000);
    check_cursor(store, "a", 12000);
    edgeops_store_close(store);
    cr_assert_leq(chunks(), 18);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk WHERE rows = 4080"), 2);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT sum(rows) FROM chunk"), 12000);
    cr_assert_eq(ask_sql("data/telemetry.db",
                         "SELECT count(*) FROM cell WHERE id / 2048 NOT IN (SELECT id"
                         " FROM chunk)"),
                 0);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT (SELECT count(*) FROM stat) - count(*) FROM"
                                              " cell WHERE id % 2048 < 1024"),
                 0);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT rows FROM state"), 12000);
    store = open_store();
    check_rows(store, "a", 12000);
    edgeops_store_close(store);
}

Test(store_compact, a_row_is_written_a_few_times_only) {
    edgeops_store *store = open_store();
    for (int64_t i = 0; i < 513; i++) {
        put_rows(store, "a", i, i + 1);
        CHECK_OK(eop_store_flush(store));
    }
    check_rows(store, "a", 513);
    edgeops_store_close(store);
    /* One of 512 rows, which were in chunks of 1, 8 and 64 before, and one of 1. */
    cr_assert_eq(chunks(), 2);
    int64_t small =
        ask_sql("data/telemetry.db", "SELECT max(id) FROM chunk WHERE id < 1099511627776");
    cr_assert_eq(small, 513);
}

Test(store_compact, a_dataset_stays_what_it_is) {
    static const char *const assets[] = {"a"};
    char digest[65];
    edgeops_dataset *dataset = NULL;
    edgeops_store *store = open_store();
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "d";
    options.assets = assets;
    options.asset_count = 1;
    for (int64_t i = 0; i < 5; i++) {
        put_rows(store, "a", i * 100, (i + 1) * 100);
        CHECK_OK(eop_store_flush(store));
    }
    CHECK_OK(edgeops_dataset_create(store, &options));
    CHECK_OK(edgeops_dataset_read(&dataset, store, "d"));
    strcpy(digest, dataset->digest);
    edgeops_dataset_free(dataset);
    for (int64_t i = 5; i < 100; i++) {
        put_rows(store, "a", i * 100, (i + 1) * 100);
        CHECK_OK(eop_store_flush(store));
        if (i % 10 == 0) {
            CHECK_OK(edgeops_dataset_read(&dataset, store, "d"));
            cr_assert_str_eq(dataset->digest, digest);
            cr_assert_eq(dataset->rows, 500);
            edgeops_dataset_free(dataset);
        }
    }
    edgeops_store_close(store);
}

/* The lookup knows chunks that are merged under it. */
Test(store_compact, duplicates_are_found_while_chunks_are_merged) {
    dice d = {4711};
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_store *store = open_store();
    int64_t n = 0;
    for (int round = 0; round < 400; round++) {
        int64_t more = 1 + (int64_t)below(&d, 30);
        put_rows(store, "a", n, n + more);
        n += more;
        CHECK_OK(eop_store_flush(store));
        for (int i = 0; i < 20; i++) {
            int64_t row = (int64_t)below(&d, (uint64_t)n);
            CHECK_OK(put(store, "a", row * 1000, 0, "x", f64(-1), &result));
            cr_assert_eq(result.appended, 0, "row %lld of %lld", (long long)row, (long long)n);
            cr_assert_eq(result.conflicts, 1);
        }
    }
    check_rows(store, "a", n);
    edgeops_store_close(store);
}

Test(store_compact, rows_out_of_order_stay_in_order_of_arrival) {
    edgeops_store *store = open_store();
    dice d = {3};
    static int64_t times[6000];
    for (int64_t i = 0; i < 6000; i++) {
        times[i] = i;
    }
    for (size_t i = 6000; i-- > 1;) {
        size_t k = below(&d, i + 1);
        int64_t t = times[i];
        times[i] = times[k];
        times[k] = t;
    }
    for (int64_t i = 0; i < 6000; i++) {
        CHECK_OK(put(store, "a", times[i], 0, "x", i64(i), NULL));
        if (i % 60 == 59) {
            CHECK_OK(eop_store_flush(store));
        }
    }
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->rows, 6000);
    for (int64_t i = 0; i < 6000; i++) {
        cr_assert_eq(table->times[i], i);
        cr_assert_eq(times[table->columns[0].i64[i]], i);
    }
    edgeops_table_free(table);
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    int64_t at = 0;
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, 0}));
    while (edgeops_cursor_next(&block, cursor, 777) == EDGEOPS_OK) {
        for (size_t i = 0; i < block->rows; i++, at++) {
            cr_assert_eq(block->columns[0].i64[i], at);
        }
    }
    cr_assert_eq(at, 6000);
    edgeops_cursor_close(cursor);
    edgeops_store_close(store);
    cr_assert_leq(chunks(), 14);
}

Test(store_compact, a_channel_may_come_later) {
    edgeops_store *store = open_store();
    for (int64_t i = 0; i < 64; i++) {
        CHECK_OK(put(store, "a", i, 0, i < 20 ? "x" : i < 40 ? "y" : "z", i64(i), NULL));
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->column_count, 3);
    for (int64_t i = 0; i < 64; i++) {
        size_t k = i < 20 ? 0 : i < 40 ? 1 : 2;
        for (size_t c = 0; c < 3; c++) {
            cr_assert_eq(table->columns[c].valid == NULL || table->columns[c].valid[i], c == k);
        }
        cr_assert_eq(table->columns[k].i64[i], i);
    }
    edgeops_table_free(table);
    edgeops_store_close(store);
    cr_assert_leq(chunks(), 15);
}

/* What cannot be read now may be read by a repaired or a newer program: it stays. */
Test(store_compact, a_damaged_chunk_is_left_alone) {
    edgeops_store *store = open_store();
    for (int64_t i = 0; i < 5; i++) {
        put_rows(store, "a", i * 10, (i + 1) * 10);
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
    run_sql("data/telemetry.db", "UPDATE cell SET data = zeroblob(length(data)) WHERE id / 2048 ="
                                 " (SELECT id FROM chunk WHERE ord0 = 21)");
    store = open_store();
    for (int64_t i = 5; i < 100; i++) {
        put_rows(store, "a", i * 10, (i + 1) * 10);
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk WHERE ord0 = 21 AND"
                                              " ord1 = 30"),
                 1);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk WHERE ord0 <= 20"), 2);
    cr_assert_leq(chunks(), 18);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT sum(rows) FROM chunk"), 1000);
}

static bool count_calls(const eop_compacted *so_far, void *user_data) {
    cr_assert_leq(so_far->assets, so_far->asset_count);
    ++*(int *)user_data;
    return true;
}

static bool never(const eop_compacted *so_far, void *user_data) {
    (void)so_far;
    (void)user_data;
    return false;
}

Test(store_compact, compacting_merges_all_and_gives_the_room_back) {
    int calls = 0;
    eop_compacted done = {0};
    edgeops_store *store = open_store();
    for (int64_t i = 0; i < 130; i++) {
        put_rows(store, "a", i * 40, (i + 1) * 40);
        put_rows(store, "b", i, i + 1);
        CHECK_OK(eop_store_flush(store));
    }
    put_rows(store, "b", 130, 140);
    CHECK_OK(eop_store_compact(&done, store, NULL, count_calls, &calls));
    cr_assert_eq(done.assets, 2);
    cr_assert_lt(done.after, done.before);
    cr_assert_eq(chunks(), 3);
    cr_assert_eq(ask_sql("data/telemetry.db", "PRAGMA freelist_count"), 0);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT sum(bytes) FROM state"),
                 ask_sql("data/telemetry.db", "SELECT sum(length(data)) FROM cell"));
    check_rows(store, "a", 5200);
    check_rows(store, "b", 140);
    check_cursor(store, "a", 5200);
    CHECK_OK(eop_store_compact(&done, store, "a*", NULL, NULL));
    cr_assert_eq(done.chunks, 0);
    cr_assert_eq(done.assets, 1);
    CHECK_CODE(EDGEOPS_E_NOTFOUND, eop_store_compact(&done, store, "x*", NULL, NULL));
    edgeops_store_close(store);
    store = open_store();
    check_rows(store, "a", 5200);
    edgeops_store_close(store);
}

Test(store_compact, compacting_leaves_what_it_cannot_read) {
    eop_compacted done = {0};
    edgeops_store *store = open_store();
    for (int64_t i = 0; i < 7; i++) {
        put_rows(store, "a", i * 10, (i + 1) * 10);
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
    run_sql("data/telemetry.db", "UPDATE cell SET data = zeroblob(length(data)) WHERE id / 2048 ="
                                 " (SELECT id FROM chunk WHERE ord0 = 31)");
    store = open_store();
    CHECK_OK(eop_store_compact(&done, store, "a", NULL, NULL));
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT sum(rows) FROM chunk"), 70);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT rows FROM chunk WHERE ord0 = 41"), 30);
    (void)eop_store_compact(&done, store, "a", never, NULL);
    edgeops_store_close(store);
}

/* -- rows that come in parts -- */

enum { WIDE = 64, MESSAGES = 8 };

static const char *channel_name(int k) {
    static char names[WIDE][8];
    snprintf(names[k], sizeof names[k], "c%02d", k);
    return names[k];
}

/* A reading of 12 bits with noise, and a time that is not quite regular. */
static double value_of(int64_t row, int k) {
    uint64_t noise = (uint64_t)(row * WIDE + k + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (double)(noise >> 52) / 16;
}

static int64_t time_of(int64_t row) {
    return row * 1000000 + row * 7919 % 4096;
}

/* Cells [from, to) of a row as one sample. */
static void put_cells(edgeops_store *store, const char *asset, int64_t row, int from, int to) {
    const char *names[WIDE];
    edgeops_value values[WIDE];
    for (int k = from; k < to; k++) {
        names[k - from] = channel_name(k);
        values[k - from] = f64(value_of(row, k));
    }
    edgeops_sample sample = {asset, time_of(row), 0, (size_t)(to - from), names, values, NULL};
    CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
}

static void check_cells(edgeops_store *store, const char *asset, int64_t rows, int channels) {
    edgeops_table *table = read_all(store, asset);
    cr_assert_eq(table->rows, (uint64_t)rows);
    cr_assert_eq(table->column_count, (size_t)channels);
    for (int64_t i = 0; i < rows; i++) {
        cr_assert_eq(table->times[i], time_of(i));
        for (int k = 0; k < channels; k++) {
            cr_assert_eq(table->columns[k].f64[i], value_of(i, k), "row %d, channel %d", (int)i, k);
        }
    }
    edgeops_table_free(table);
}

/* Each part is there once, with one cell and its ordinal. */
static void check_part_cursor(edgeops_store *store, const char *asset, uint64_t parts) {
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    edgeops_cursor_options options = EDGEOPS_CURSOR_OPTIONS_INIT;
    uint64_t next = 1;
    options.asset = asset;
    CHECK_OK(edgeops_cursor_open(&cursor, store, &options));
    while (edgeops_cursor_next(&block, cursor, 1000) == EDGEOPS_OK) {
        for (size_t i = 0; i < block->rows; i++) {
            size_t cells = 0;
            for (size_t k = 0; k < block->column_count; k++) {
                const edgeops_column *c = &block->columns[k];
                cells += c->valid == NULL || c->valid[i] != 0;
            }
            cr_assert_eq(cells, 1);
            cr_assert_eq(block->ordinals[i], next++);
        }
    }
    cr_assert_eq(next, parts + 1);
    edgeops_cursor_close(cursor);
}

/* A column a segment for the same rows, so merged chunks have no more rows than before. */
Test(store_compact, a_part_is_written_a_few_times_only) {
    enum { ROWS = 300 };
    eop_compacted done = {0};
    edgeops_store *store = open_store();
    for (int k = 0; k < WIDE; k++) {
        for (int64_t i = 0; i < ROWS; i++) {
            put_cells(store, "a", i, k, k + 1);
        }
        CHECK_OK(eop_store_flush(store));
        /* As many chunks as the digits of their number to the base of the factor. */
        cr_assert_eq(chunks(), (k + 1) / 64 + (k + 1) % 64 / 8 + (k + 1) % 8, "%d segments", k + 1);
        if (k == 40) {
            check_cells(store, "a", ROWS, k + 1);
            check_part_cursor(store, "a", (uint64_t)(k + 1) * ROWS);
        }
    }
    check_cells(store, "a", ROWS, WIDE);
    check_part_cursor(store, "a", (uint64_t)WIDE * ROWS);
    put_cells(store, "a", ROWS, 0, 1);
    CHECK_OK(eop_store_compact(&done, store, NULL, NULL, NULL));
    cr_assert_eq(done.chunks, 2);
    cr_assert_eq(done.into, 1);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT rows FROM chunk"), ROWS + 1);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT parts FROM state"), (WIDE - 1) * ROWS);
    edgeops_store_close(store);
}

/* A chunk whose parts cannot be read stays, with all before it; those behind it are merged. */
Test(store_compact, parts_that_cannot_be_read_stay) {
    eop_compacted done = {0};
    edgeops_store *store = open_store();
    for (int k = 0; k < 5; k++) {
        for (int64_t i = 0; i < 50; i++) {
            put_cells(store, "a", i, 2 * k, 2 * k + 1);
            put_cells(store, "a", i, 2 * k + 1, 2 * k + 2);
        }
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
    run_sql("data/telemetry.db", "UPDATE cell SET data = zeroblob(length(data)) WHERE id ="
                                 " (SELECT id << 11 | 1027 FROM chunk WHERE ord0 = 201)");
    store = open_store();
    for (int round = 0; round < 2; round++) {
        CHECK_OK(eop_store_compact(&done, store, "a", NULL, NULL));
        cr_assert_eq(ask_sql("data/telemetry.db", "SELECT rows % 65536 FROM chunk WHERE ord0 = 301"
                                                  " AND ord1 = 500"),
                     50);
        cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk WHERE ord0 = 201 AND"
                                                  " ord1 = 300"),
                     1);
        cr_assert_eq(ask_sql("data/telemetry.db", "SELECT sum(ord1 - ord0 + 1) FROM chunk"), 500);
    }
    edgeops_store_close(store);
}

static int64_t bytes_of(int asset) {
    char query[128];
    snprintf(query, sizeof query, "SELECT bytes FROM state WHERE asset = %d", asset);
    return ask_sql("data/telemetry.db", query);
}

/* The same rows whole, a channel a message, the same where messages overtake one another, and a
 * channel after the other in small portions. */
Test(store_compact, rows_in_parts_take_little_more_than_whole_ones) {
    enum { ROWS = 9000 };
    dice d = {7};
    eop_compacted done = {0};
    edgeops_store *store = open_store();
    for (int64_t i = 0; i < ROWS; i++) {
        int order[MESSAGES];
        put_cells(store, "whole", i, 0, MESSAGES);
        for (int k = 0; k < MESSAGES; k++) {
            put_cells(store, "parts", i, k, k + 1);
            order[k] = k;
        }
        for (int k = 1; k < MESSAGES; k++) {
            if (below(&d, 10) == 0) {
                int swap = order[k];
                order[k] = order[k - 1];
                order[k - 1] = swap;
            }
        }
        for (int k = 0; k < MESSAGES; k++) {
            put_cells(store, "overtaken", i, order[k], order[k] + 1);
        }
        for (int64_t k = 0; i % 100 == 99 && k < MESSAGES * 100; k++) {
            put_cells(store, "portions", i / 100 * 100 + k % 100, (int)(k / 100),
                      (int)(k / 100) + 1);
        }
    }
    CHECK_OK(eop_store_compact(&done, store, NULL, NULL, NULL));
    check_cells(store, "whole", ROWS, MESSAGES);
    for (int a = 1; a < 4; a++) {
        static const char *const names[] = {"whole", "parts", "overtaken", "portions"};
        edgeops_query query = EDGEOPS_QUERY_INIT;
        uint64_t rows = 0;
        query.asset = names[a];
        CHECK_OK(edgeops_store_count(&rows, store, &query));
        cr_assert_eq(rows, ROWS);
        check_part_cursor(store, names[a], (uint64_t)ROWS * MESSAGES);
        cr_log_info("%s: %d bytes, whole: %d", names[a], (int)bytes_of(a + 1), (int)bytes_of(1));
        cr_expect_leq((double)bytes_of(a + 1), 1.3 * (double)bytes_of(1), "%s: %d bytes, not %d",
                      names[a], (int)bytes_of(a + 1), (int)bytes_of(1));
    }
    check_cells(store, "parts", ROWS, MESSAGES);
    edgeops_store_close(store);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk WHERE asset = 2"),
                 ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk WHERE asset = 1"));
}
