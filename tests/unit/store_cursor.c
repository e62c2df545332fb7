/* SPDX-License-Identifier: Apache-2.0 */
/* Cursors return rows in order of arrival across chunks and memory, and get past removed assets
 * and damage. */
#include "parts_model.h"
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

/* -- rows that come in parts -- */

static const char *const part_names[MODEL_CHANNELS] = {"c0", "c1", "c2", "c3", "c4",
                                                       "c5", "c6", "c7", "c8"};

/* Appends arrival i; one without cells has a null. */
static void put_part(edgeops_store *store, const model *m, size_t i) {
    const model_arrival *a = &m->arrivals[i];
    const char *names[MODEL_CHANNELS];
    edgeops_value values[MODEL_CHANNELS];
    uint16_t qualities[MODEL_CHANNELS];
    float numbers[3];
    char words[64];
    edgeops_sample sample = {"a", a->time, a->seq, 0, names, values, qualities};
    for (uint32_t k = 0; k < MODEL_CHANNELS; k++) {
        if ((a->cells >> k & 1) == 0) {
            continue;
        }
        size_t n = sample.count++;
        names[n] = part_names[k];
        values[n] = model_value(a, k);
        qualities[n] = model_quality(a, k);
        if (k == 2) {
            memcpy(words, values[n].as.str, values[n].size);
            values[n].as.str = words;
        } else if (k == 4) {
            memcpy(numbers, values[n].as.data, sizeof numbers);
            values[n].as.data = numbers;
        }
    }
    if (sample.count == 0) {
        names[0] = part_names[0];
        values[0] = (edgeops_value){EDGEOPS_TYPE_NULL, 0, {0}};
        qualities[0] = EDGEOPS_QUALITY_NONE;
        sample.count = 1;
    }
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    CHECK_OK(edgeops_store_append(&result, store, &sample, 1, NULL));
    cr_assert_eq(result.appended + result.merged, 1);
    cr_assert_eq(result.merged, a->later);
}

/* The rows of a cursor from `first` on are the arrivals. channels: those that it reads. */
static void expect_arrivals(edgeops_cursor *cursor, const model *m, uint64_t first, size_t max,
                            const uint32_t *channels, size_t count) {
    const edgeops_table *block = NULL;
    edgeops_status status = EDGEOPS_OK;
    while ((status = edgeops_cursor_next(&block, cursor, max)) == EDGEOPS_OK) {
        bool any = false;
        cr_assert_leq(block->rows, max);
        cr_assert_eq(block->column_count, count);
        for (uint64_t i = 0; i < block->rows; i++, first++) {
            const model_arrival *a = &m->arrivals[first - 1];
            bool later = block->parts != NULL && block->parts[i] != 0;
            cr_assert_eq(block->ordinals[i], first);
            cr_assert_eq(block->times[i], a->time);
            cr_assert_eq(block->seqs[i], a->seq);
            cr_assert_eq(later, a->later);
            any = any || later;
            for (size_t k = 0; k < count; k++) {
                edgeops_value got = edgeops_column_value(&block->columns[k], i);
                bool there = (a->cells >> channels[k] & 1) != 0;
                edgeops_value want = there ? model_value(a, channels[k])
                                           : (edgeops_value){EDGEOPS_TYPE_NULL, 0, {0}};
                cr_assert_eq(got.type, want.type, "ordinal %d, channel %u", (int)first,
                             channels[k]);
                const uint16_t *quality = block->columns[k].quality;
                cr_assert_eq(quality != NULL ? quality[i] : EDGEOPS_QUALITY_NONE,
                             there ? model_quality(a, channels[k]) : EDGEOPS_QUALITY_NONE);
                if (want.size > 0) {
                    cr_assert_eq(got.size, want.size);
                    cr_assert_eq(memcmp(got.as.data, want.as.data, want.size), 0);
                } else if (there) {
                    cr_assert_eq(got.as.u64, want.as.u64);
                }
            }
        }
        cr_assert_eq(any, block->parts != NULL, "no flags where no row is a later part");
    }
    cr_assert_eq(status, EDGEOPS_DONE, "%s", edgeops_error_last()->message);
    cr_assert_eq(first, m->count + 1);
    cr_assert_eq(edgeops_cursor_skipped(cursor), 0);
}

static void follow(edgeops_store *store, const model *m, uint64_t after, size_t max) {
    static const uint32_t all[] = {0, 1, 2, 3, 4, 6, 7, 8};
    static const uint32_t some[] = {7, 2};
    static const char *const names[] = {"c7", "c2"};
    const uint32_t *channels = max % 2 == 0 ? some : all;
    edgeops_cursor *cursor = NULL;
    edgeops_cursor_options options = EDGEOPS_CURSOR_OPTIONS_INIT;
    const char *every[8];
    for (size_t k = 0; k < 8; k++) {
        every[k] = part_names[all[k]];
    }
    options.asset = "a";
    options.after = after;
    options.channels = max % 2 == 0 ? names : every;
    options.channel_count = max % 2 == 0 ? 2 : 8;
    CHECK_OK(edgeops_cursor_open(&cursor, store, &options));
    expect_arrivals(cursor, m, after + 1, max, channels, options.channel_count);
    edgeops_cursor_close(cursor);
}

Test(store_cursor, gives_parts_as_they_came_from_memory_and_chunks) {
    model *m = calloc(1, sizeof *m);
    for (uint64_t seed = 1; seed <= 4; seed++) {
        dice d = {seed};
        m->count = 0;
        edgeops_store *store = open_store();
        for (int round = 0; round < 8; round++) {
            size_t from = m->count;
            model_roll(m, &d, 100, ~(1u << 5));
            for (size_t i = from; i < m->count; i++) {
                put_part(store, m, i);
            }
            follow(store, m, 0, 1 + below(&d, 50));
            follow(store, m, below(&d, m->count), 1000 + below(&d, 2));
            if (round % 2 == 1) {
                CHECK_OK(eop_store_flush(store));
                follow(store, m, 0, 1 + below(&d, 50));
            }
        }
        edgeops_store_close(store);
        store = open_store();
        follow(store, m, 0, 64);
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
    free(m);
}
