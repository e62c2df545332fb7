/* SPDX-License-Identifier: Apache-2.0 */
/* Verify finds damage and names what is affected. */
#include <fcntl.h>
#include <unistd.h>

#include "base/str.h"
#include "dataset/dataset.h"
#include "edgeops/dataset.h"
#include "store/internal.h"
#include "store/verify.h"
#include "store_fixture.h"

/* Two assets in chunks, of a third one rows in the journal; a dataset, labels. */
static void enter(void) {
    make_home();
    edgeops_store *store = open_store();
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    const char *asset = "m/a";
    for (int i = 0; i < 3000; i++) {
        CHECK_OK(put(store, "m/a", i, 0, "x", f64(i * 0.5), NULL));
        CHECK_OK(put(store, "m/a", 10000 + i, 0, "y", i64(i), NULL));
        CHECK_OK(put(store, "m/b", i, i % 2, "text", text(i % 3 == 0 ? "on" : "off"), NULL));
    }
    CHECK_OK(eop_store_flush(store));
    for (int i = 0; i < 100; i++) {
        CHECK_OK(put(store, "m/c", i, 0, "z", f64(i), NULL));
    }
    options.name = "d";
    options.assets = &asset;
    options.asset_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
    edgeops_store_close(store);
}

TestSuite(store_verify, .init = enter, .fini = remove_home, .timeout = 60);

static void note(const eop_finding *f, void *user_data) {
    eop_buf *out = user_data;
    eop_buf_printf(out, "%s|%s|%s|%d|%d|%s|%s\n", f->what, f->asset != NULL ? f->asset : "",
                   f->channel != NULL ? f->channel : "", (int)(f->has_range ? f->first : -1),
                   (int)(f->has_range ? f->last : -1), f->detail, f->hint);
}

static edgeops_status go_on(double part, void *user_data) {
    (void)user_data;
    cr_assert(part >= 0 && part <= 1);
    return EDGEOPS_OK;
}

/* Lines of what was found; free with eop_free. */
static char *verify(eop_verified *sum) {
    eop_buf out = {0};
    eop_verify_handler handler = {
        .above = eop_datasets_check, .finding = note, .progress = go_on, .user_data = &out};
    edgeops_store *store = open_store();
    CHECK_OK(eop_store_verify(sum, store, &handler));
    cr_assert_eq(store->backups, 0);
    edgeops_store_close(store);
    return eop_buf_take(&out);
}

static void expect_found(uint64_t count, const char *part) {
    eop_verified sum = {0};
    char *text = verify(&sum);
    cr_expect_eq(sum.findings, count, "%s", text);
    cr_expect(strstr(text, part) != NULL, "'%s' is not in '%s'", part, text);
    eop_free(text);
}

Test(store_verify, a_sound_home_has_no_findings) {
    eop_verified sum = {0};
    char *text = verify(&sum);
    cr_expect_str_eq(text, "");
    cr_expect_eq(sum.rows, 9000);
    cr_expect_geq(sum.chunks, 3);
    cr_expect_geq(sum.columns, 3);
    cr_expect_eq(sum.frames, 100);
    cr_expect_eq(sum.datasets, 1);
    eop_free(text);
}

/* Rows that were appended in columns are blocks of the journal, beside single rows. */
Test(store_verify, blocks_of_the_journal_are_sound_and_read) {
    edgeops_time times[3] = {100, 200, 300};
    double values[3] = {1, 2, 3};
    uint32_t offsets[4] = {0, 1, 3, 3};
    edgeops_column columns[] = {
        {.name = "v", .type = EDGEOPS_TYPE_FLOAT64, .f64 = values, .length = 1},
        {.name = "w",
         .type = EDGEOPS_TYPE_STRING,
         .offsets = offsets,
         .bytes = "abc",
         .length = 1}};
    edgeops_table table = {
        .asset = "m/t", .rows = 3, .times = times, .column_count = 2, .columns = columns};
    edgeops_store *store = open_store();
    CHECK_OK(edgeops_store_append_tables(NULL, store, &table, 1, NULL));
    edgeops_store_close(store);
    eop_verified sum = {0};
    char *text = verify(&sum);
    cr_expect_str_eq(text, "");
    cr_expect_geq(sum.frames, 1);
    eop_free(text);
}

/* SQLite cannot know that this is wrong. */
static void damage_cell(int channel) {
    char sql[256];
    snprintf(sql, sizeof sql,
             "UPDATE cell SET data = CAST(substr(data, 1, 40) || x'a5a5a5' || substr(data, 44) AS"
             " BLOB) WHERE id IN (SELECT chunk.id << 11 | %d FROM chunk WHERE asset = 1)",
             channel);
    run_sql("data/telemetry.db", sql);
}

Test(store_verify, a_damaged_column_is_told_with_asset_channel_and_range) {
    damage_cell(1);
    eop_verified sum = {0};
    char *text = verify(&sum);
    cr_expect(strstr(text, "|m/a|y|") != NULL, "%s", text);
    cr_expect(strstr(text, "|m/a|x|") == NULL, "%s", text);
    cr_expect(strstr(text, "|m/b|") == NULL, "%s", text);
    cr_expect(strstr(text, "dataset d|") != NULL, "%s", text);
    cr_expect(strstr(text, "12999|cannot be read") != NULL, "%s", text);
    eop_free(text);
}

Test(store_verify, damaged_times_are_told) {
    run_sql("data/telemetry.db", "UPDATE cell SET data = CAST(substr(data, 1, 30) || x'ff' ||"
                                 " substr(data, 32) AS BLOB) WHERE id % 2048 = 1024 AND"
                                 " id / 2048 IN (SELECT id FROM chunk WHERE asset = 2)");
    eop_verified sum = {0};
    char *text = verify(&sum);
    cr_expect(strstr(text, "|m/b||0|2999|cannot be read") != NULL, "%s", text);
    eop_free(text);
}

Test(store_verify, statistics_of_other_values_are_told) {
    run_sql("data/telemetry.db", "UPDATE stat SET max = 7777.0 WHERE id = (SELECT min(id) FROM stat"
                                 " WHERE id & 2047 = 0 AND max > 1000)");
    expect_found(1, "|m/a|x|");
    expect_found(1, "statistics of other values");
    run_sql("data/telemetry.db", "DELETE FROM stat WHERE max = 7777.0");
    expect_found(1, "has no statistics");
}

Test(store_verify, what_belongs_nowhere_is_told) {
    run_sql("data/telemetry.db", "INSERT INTO cell VALUES(9999 << 11, x'00');"
                                 "INSERT INTO stat VALUES(9998 << 11, 1, 0, 1, 1, 1);");
    expect_found(2, "1 columns belong to no chunk");
    run_sql("data/telemetry.db", "DELETE FROM cell WHERE id >> 11 = 9999;"
                                 "DELETE FROM stat WHERE id >> 11 = 9998;");
    run_sql("catalog.db", "DELETE FROM channel WHERE asset = 2; DELETE FROM asset WHERE id = 2");
    /* Its state says that it is being removed: the writer goes on with that. */
    expect_found(0, "");
}

Test(store_verify, a_dataset_with_other_values_is_told) {
    run_sql("catalog.db", "UPDATE dataset SET digest = replace(digest, '1', '2')");
    expect_found(1, "dataset d|");
}

Test(store_verify, a_damaged_page_of_a_database_is_told) {
    char path[128];
    char garbage[512];
    memset(garbage, 0xa5, sizeof garbage);
    snprintf(path, sizeof path, "%s/data/telemetry.db", home);
    int64_t page =
        ask_sql("data/telemetry.db", "SELECT rootpage FROM sqlite_schema WHERE name = 'stat'");
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_geq(fd, 0);
    cr_assert_eq(pwrite(fd, garbage, sizeof garbage, (page - 1) * 16384), 512);
    close(fd);
    eop_verified sum = {0};
    char *text = verify(&sum);
    cr_expect_gt(sum.findings, 0);
    cr_expect(strstr(text, "data/telemetry.db|") != NULL, "%s", text);
    eop_free(text);
}

/* While the store is open: the opening finds it itself. */
Test(store_verify, a_damaged_frame_is_told) {
    eop_buf out = {0};
    eop_verified sum = {0};
    eop_verify_handler handler = {
        .above = eop_datasets_check, .finding = note, .progress = go_on, .user_data = &out};
    edgeops_store *store = open_store();
    char *path =
        eop_format("%s/data/journal/%016d.seg", home, (int)eop_journal_active(store->journal));
    int fd = open(path, O_RDWR | O_CLOEXEC);
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(pwrite(fd, "\xa5\xa5\xa5", 3, 64 + 16 + 5), 3);
    close(fd);
    CHECK_OK(eop_store_verify(&sum, store, &handler));
    char *text = eop_buf_take(&out);
    cr_expect_eq(sum.findings, 1, "%s", text);
    cr_expect(strstr(text, ".seg|||-1|-1|is damaged: samples in 56 bytes from byte 64") != NULL,
              "%s", text);
    edgeops_store_close(store);
    eop_free(text);
    eop_free(path);
    /* The rows were in memory, and are in chunks now. */
    text = verify(&sum);
    cr_expect_str_eq(text, "");
    cr_expect_eq(sum.rows, 9100);
    eop_free(text);
}

/* While the store is open. */
Test(store_verify, rows_of_a_segment_that_is_gone_are_saved) {
    eop_buf out = {0};
    eop_verified sum = {0};
    eop_verify_handler handler = {
        .above = eop_datasets_check, .finding = note, .progress = go_on, .user_data = &out};
    edgeops_store *store = open_store();
    CHECK_OK(put(store, "m/c", 500, 0, "z", f64(1), NULL));
    uint64_t active = eop_journal_active(store->journal);
    for (uint64_t number = active > 3 ? active - 3 : 1; number <= active; number++) {
        char *path = eop_format("%s/data/journal/%016d.seg", home, (int)number);
        (void)unlink(path);
        eop_free(path);
    }
    CHECK_OK(eop_store_verify(&sum, store, &handler));
    char *text = eop_buf_take(&out);
    cr_expect_eq(sum.findings, 1, "%s", text);
    cr_expect(strstr(text, "No such file") != NULL, "%s", text);
    cr_expect_eq(sum.rows, 9101);
    edgeops_store_close(store);
    eop_free(text);
    text = verify(&sum);
    cr_expect_str_eq(text, "");
    cr_expect_eq(sum.rows, 9101);
    eop_free(text);
}

static edgeops_status end_at(double part, void *user_data) {
    return part >= *(double *)user_data ? EDGEOPS_E_CANCELED : EDGEOPS_OK;
}

static void ignore(const eop_finding *f, void *user_data) {
    (void)f;
    (void)user_data;
}

Test(store_verify, can_be_canceled_anywhere) {
    edgeops_store *store = open_store();
    for (double at = 0; at < 0.75; at += 0.05) {
        eop_verified sum = {0};
        eop_verify_handler handler = {
            .above = eop_datasets_check, .finding = ignore, .progress = end_at, .user_data = &at};
        CHECK_CODE(EDGEOPS_E_CANCELED, eop_store_verify(&sum, store, &handler));
        cr_assert_eq(store->backups, 0);
    }
    edgeops_store_close(store);
}

/* -- rows that come in parts -- */

/* 200 rows of "p" in two chunks: the first has two parts of each, the second the third one. */
static void put_parts(void) {
    edgeops_store *store = open_store();
    for (int i = 0; i < 200; i++) {
        CHECK_OK(put(store, "p", i, 0, "x", f64(i), NULL));
        CHECK_OK(put(store, "p", i, 0, "y", i64(i), NULL));
    }
    CHECK_OK(eop_store_flush(store));
    for (int i = 0; i < 200; i++) {
        CHECK_OK(put(store, "p", i, 0, "z", boolean(i % 2), NULL));
    }
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    expect_found(0, "");
}

#define PARTS_OF_FIRST                                                                             \
    "id = (SELECT min(id) << 11 | 1027 FROM chunk WHERE rows = 200 AND ord1 > 300)"

Test(store_verify, parts_that_are_damaged_or_gone_are_told) {
    put_parts();
    run_sql("data/telemetry.db", "UPDATE cell SET data = CAST(substr(data, 1, 12) || x'77' ||"
                                 " substr(data, 14) AS BLOB) WHERE " PARTS_OF_FIRST);
    expect_found(1, "|p||0|199|cannot be read");
    run_sql("data/telemetry.db", "DELETE FROM cell WHERE " PARTS_OF_FIRST);
    expect_found(1, "has lost which samples came in parts");
    /* What of it can be read is still there: the other chunk, to a cursor. */
    edgeops_store *store = open_store();
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    edgeops_cursor_options options = EDGEOPS_CURSOR_OPTIONS_INIT;
    options.asset = "p";
    CHECK_OK(edgeops_cursor_open(&cursor, store, &options));
    CHECK_OK(edgeops_cursor_next(&block, cursor, 1000));
    cr_assert_eq(block->rows, 200);
    cr_assert_eq(block->ordinals[0], 401);
    cr_assert_eq(edgeops_cursor_skipped(cursor), 400);
    edgeops_cursor_close(cursor);
    edgeops_store_close(store);
}

Test(store_verify, counts_that_parts_do_not_have_are_told) {
    put_parts();
    /* The first has 200 later rows fewer than this says. */
    run_sql("data/telemetry.db", "UPDATE chunk SET rows = 200 WHERE rows > 65536 AND ord0 = 401");
    expect_found(1, "|p||-1|-1|counts 200 samples and 400 more parts of them, but has 400 and 200");
    run_sql("data/telemetry.db",
            "UPDATE chunk SET rows = 200 + 199 * 65536 WHERE rows = 200 AND ord0 = 401");
    expect_found(2, "has lost which samples came in parts");
    run_sql("data/telemetry.db", "UPDATE chunk SET rows = 200 + 201 * 65536 WHERE ord0 = 401");
    expect_found(1, "is damaged");
    run_sql("data/telemetry.db", "UPDATE chunk SET rows = 200 + 200 * 65536 WHERE ord0 = 401;"
                                 "UPDATE chunk SET ord1 = 399 WHERE ord0 = 1 AND ord1 = 400");
    expect_found(1, "|p||0|199|cannot be read");
    run_sql("data/telemetry.db", "UPDATE chunk SET ord1 = 400 WHERE ord0 = 1 AND ord1 = 399;"
                                 "UPDATE state SET rows = 201 WHERE rows = 200");
    expect_found(1, "counts 201 samples");
    run_sql("data/telemetry.db",
            "UPDATE state SET rows = 200, parts = 399 WHERE rows = 201 AND parts = 400");
    expect_found(1, "and 399 more parts of them, but has 200 and 400");
}

/* The parts of another chunk say that a row got a channel twice. */
Test(store_verify, a_cell_that_came_twice_is_told) {
    put_parts();
    eop_parts parts = {0};
    eop_buf blob = {0};
    sqlite3 *db = NULL;
    sqlite3_stmt *update = NULL;
    char path[160];
    CHECK_OK(eop_parts_begin(&parts, 200));
    for (uint32_t i = 0; i < 200; i++) {
        uint16_t channel = 1;
        CHECK_OK(eop_parts_join(&parts, i / 2, &channel, 1));
    }
    eop_parts_encode(&blob, &parts);
    snprintf(path, sizeof path, "%s/data/telemetry.db", home);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(
        sqlite3_prepare_v2(db, "UPDATE cell SET data = ? WHERE " PARTS_OF_FIRST, -1, &update, NULL),
        SQLITE_OK);
    sqlite3_bind_blob(update, 1, blob.data, (int)blob.size, SQLITE_STATIC);
    cr_assert_eq(sqlite3_step(update), SQLITE_DONE);
    cr_assert_eq(sqlite3_changes(db), 1);
    sqlite3_finalize(update);
    sqlite3_close(db);
    eop_buf_dispose(&blob);
    eop_parts_dispose(&parts);
    expect_found(1, "|p||0|199|has times or ordinals that are out of order");
}
