/* SPDX-License-Identifier: Apache-2.0 */
/* Appending samples: verdicts, types, refusals that take the whole call back, and assets and homes
 * that are opened, listed and removed. */
#include <math.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include "base/time.h"
#include "catalog/version.h"
#include "edgeops/dataset.h"
#include "store_fixture.h"

TestSuite(store_append, .init = make_home, .fini = remove_home, .timeout = 60);

Test(store_append, values_come_back_bit_exact) {
    edgeops_store *store = open_store();
    uint64_t payload_nan = 0x7ff4000000000abcu;
    double odd[4] = {-0.0, INFINITY, -INFINITY, 0};
    memcpy(&odd[3], &payload_nan, 8);
    const char *names[4] = {"f", "i", "b", "s"};
    for (int i = 0; i < 4; i++) {
        edgeops_value values[4] = {f64(odd[i]), i64(INT64_MAX - i), boolean(i & 1),
                                   text(i == 0 ? "" : "gr\xc3\xbc\xc3\x9f")};
        edgeops_sample sample = {"line/1", INT64_MIN + i, 0, 4, names, values};
        CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
    }
    for (int round = 0; round < 3; round++) {
        edgeops_table *table = read_all(store, "line/1");
        cr_assert_eq(table->rows, 4);
        cr_assert_eq(table->column_count, 4);
        cr_assert_eq(memcmp(table->columns[0].f64, odd, sizeof odd), 0);
        cr_assert_eq(table->columns[1].i64[3], INT64_MAX - 3);
        cr_assert_eq(table->columns[2].u8[1], 1);
        cr_assert_eq(table->columns[3].offsets[1], 0);
        cr_assert_eq(memcmp(table->columns[3].bytes, "gr\xc3\xbc\xc3\x9f", 6), 0);
        cr_assert(table->columns[0].valid == NULL);
        cr_assert_eq(table->times[0], INT64_MIN);
        edgeops_table_free(table);
        if (round == 0) {
            CHECK_OK(eop_store_flush(store));
        } else {
            edgeops_store_close(store);
            store = open_store();
        }
    }
    edgeops_store_close(store);
}

Test(store_append, duplicates_conflicts_and_late_samples_are_told_apart) {
    edgeops_store *store = open_store();
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    CHECK_OK(put(store, "a", 10, 0, "x", f64(1), &r));
    cr_assert(r.appended == 1 && r.late == 0);
    CHECK_OK(put(store, "a", 20, 0, "x", f64(2), &r));
    for (int round = 0; round < 3; round++) {
        CHECK_OK(put(store, "a", 10, 0, "x", f64(1), &r));
        cr_assert(r.duplicates == 1 && r.appended == 0, "round %d", round);
        CHECK_OK(put(store, "a", 10, 0, "x", i64(1), &r));
        cr_assert_eq(r.duplicates, 1);
        CHECK_OK(put(store, "a", 10, 0, "x", f64(-1), &r));
        cr_assert_eq(r.conflicts, 1);
        CHECK_OK(put(store, "a", 20, 0, "y", f64(2), &r));
        cr_assert(r.merged == (round == 0) && r.duplicates == (round > 0) && r.late == 0);
        CHECK_OK(put(store, "a", 11 + round, 0, "x", f64(3), &r));
        cr_assert(r.appended == 1 && r.late == 1);
        CHECK_OK(put(store, "a", 20, 1 + round, "x", f64(3), &r));
        cr_assert(r.appended == 1 && r.late == 0);
        if (round == 0) {
            CHECK_OK(eop_store_flush(store));
        } else {
            edgeops_store_close(store);
            store = open_store();
        }
    }
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->rows, 8);
    cr_assert_eq(table->columns[0].f64[0], 1);
    cr_assert_eq(table->columns[1].f64[4], 2);
    cr_assert_eq(table->columns[1].nulls, 7);
    for (uint64_t i = 1; i < table->rows; i++) {
        cr_assert(table->times[i - 1] < table->times[i] || table->seqs[i - 1] < table->seqs[i]);
    }
    edgeops_table_free(table);
    edgeops_store_close(store);
}

Test(store_append, only_rows_declare_channels) {
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    const char *names[2] = {"x", "phantom"};
    const char *others[2] = {"phantom", "kept"};
    edgeops_value conflict[2] = {f64(9), text("t")};
    edgeops_value row[2] = {f64(2), f64(3)};
    edgeops_sample samples[3] = {{"a", 10, 0, 2, names, conflict},
                                 {"a", 20, 0, 1, &others[1], row},
                                 {"a", 20, 0, 2, others, row}};
    edgeops_store *store = open_store();
    CHECK_OK(put(store, "a", 10, 0, "x", f64(1), NULL));
    for (int round = 0; round < 3; round++) {
        CHECK_OK(edgeops_store_append(&r, store, samples, 1, NULL));
        cr_assert_eq(r.conflicts, 1);
        CHECK_OK(edgeops_store_append(&r, store, samples, 3, NULL));
        cr_assert(r.conflicts == 2 && r.duplicates == (round > 0));
        CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 10, 0, "x", text("t"), NULL));
        edgeops_store_close(store);
        cr_assert_eq(ask_sql("catalog.db", "SELECT COUNT(*) FROM channel"), 2);
        store = open_store();
        edgeops_table *table = read_all(store, "a");
        cr_assert(table->rows == 2 && table->column_count == 2);
        cr_assert_str_eq(table->columns[1].name, "kept");
        edgeops_table_free(table);
    }
    /* The name is free for a row, with any type. */
    samples[0].time = 30;
    CHECK_OK(edgeops_store_append(&r, store, samples, 1, NULL));
    cr_assert_eq(r.appended, 1);
    edgeops_store_close(store);
    cr_assert_eq(ask_sql("catalog.db", "SELECT type FROM channel WHERE name = 'phantom'"),
                 EDGEOPS_TYPE_STRING);
}

Test(store_append, duplicates_within_one_call_are_found) {
    edgeops_store *store = open_store();
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    const char *x = "x";
    edgeops_value one = f64(1);
    edgeops_value two = f64(2);
    edgeops_sample samples[5] = {{"a", 5, 0, 1, &x, &one},
                                 {"b", 5, 0, 1, &x, &one},
                                 {"a", 5, 0, 1, &x, &one},
                                 {"a", 4, 0, 1, &x, &one},
                                 {"a", 4, 0, 1, &x, &two}};
    CHECK_OK(edgeops_store_append(&r, store, samples, 5, NULL));
    cr_assert(r.appended == 3 && r.duplicates == 1 && r.conflicts == 1 && r.late == 1);
    cr_assert_eq(count_rows(store, "a"), 2);
    cr_assert_eq(count_rows(store, "b"), 1);
    edgeops_store_close(store);
}

Test(store_append, absent_channel_is_null_and_compares_as_null) {
    edgeops_store *store = open_store();
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    const char *names[2] = {"x", "y"};
    edgeops_value values[2] = {f64(1), {.type = EDGEOPS_TYPE_NULL}};
    edgeops_sample sample = {"a", 1, 0, 2, names, values};
    CHECK_OK(edgeops_store_append(&r, store, &sample, 1, NULL));
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), &r));
    cr_assert_eq(r.duplicates, 1);
    values[1] = text("late channel");
    sample.time = 2;
    CHECK_OK(edgeops_store_append(&r, store, &sample, 1, NULL));
    for (int round = 0; round < 2; round++) {
        edgeops_table *table = read_all(store, "a");
        cr_assert_eq(table->column_count, 2);
        cr_assert_eq(table->columns[1].nulls, 1);
        cr_assert_eq(table->columns[1].valid[0], 0);
        cr_assert_eq(table->columns[1].valid[1], 1);
        cr_assert(table->columns[0].valid == NULL);
        edgeops_table_free(table);
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
}

Test(store_append, refused_sample_takes_the_whole_call_with_it) {
    edgeops_store *store = open_store();
    const char *x = "x";
    const char *twice[2] = {"x", "x"};
    edgeops_value number = f64(1);
    edgeops_value word = text("w");
    edgeops_value numbers[2] = {number, number};
    edgeops_value inexact = i64((INT64_C(1) << 53) + 1);
    edgeops_value bad_text = {.type = EDGEOPS_TYPE_STRING, .size = 2, .as.str = "\xff\xff"};
    edgeops_value nul_text = {.type = EDGEOPS_TYPE_STRING, .size = 2, .as.str = "a\0"};
    edgeops_value bad_bool = {.type = EDGEOPS_TYPE_BOOL, .as.i64 = 2};
    CHECK_OK(put(store, "a", 1, 0, "x", number, NULL));
    edgeops_sample bad[] = {{"a", 3, 0, 1, &x, &word},      {"a", 3, 0, 2, twice, numbers},
                            {"a", 3, 0, 1, &x, &inexact},   {"a//b", 3, 0, 1, &x, &number},
                            {"../a", 3, 0, 1, &x, &number}, {"", 3, 0, 1, &x, &number},
                            {"n", 3, 0, 1, &x, &bad_text},  {"n", 3, 0, 1, &x, &nul_text},
                            {"n", 3, 0, 1, &x, &bad_bool},  {"n", 3, 0, 0, &x, &number}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        edgeops_append_result r = {sizeof r, 99, 99, 99, 99, 99, 99};
        edgeops_sample samples[3] = {
            {"new/asset", 2, 0, 1, &x, &number}, {"a", 2, 0, 1, &x, &number}, bad[i]};
        CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append(&r, store, samples, 3, NULL));
        cr_assert_eq(r.appended, 99);
    }
    cr_assert_eq(count_rows(store, "a"), 1);
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = "new/asset";
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_store_read(&table, store, &query));
    edgeops_store_close(store);
    store = open_store();
    cr_assert_eq(count_rows(store, "a"), 1);
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_store_read(&table, store, &query));
    edgeops_store_close(store);
}

/* A refused call brings channel y with one type; the next call may give it another. */
static void retype(edgeops_value first, edgeops_value second, bool flush) {
    edgeops_store *store = open_store();
    const char *names[2] = {"x", "y"};
    edgeops_value refused[2] = {f64(2), first};
    edgeops_value taken[2] = {f64(3), second};
    edgeops_value word = text("no number");
    edgeops_sample batch[2] = {{"a", 2, 0, 2, names, refused}, {"a", 3, 0, 1, names, &word}};
    edgeops_sample good = {"a", 4, 0, 2, names, taken};
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append(NULL, store, batch, 2, NULL));
    CHECK_OK(edgeops_store_append(NULL, store, &good, 1, NULL));
    if (flush) {
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_table *table = read_all(store, "a");
    const edgeops_column *y = &table->columns[1];
    cr_assert_eq(table->rows, 2);
    cr_assert_eq(y->type, second.type);
    if (second.type == EDGEOPS_TYPE_STRING) {
        cr_assert_eq(y->offsets[2] - y->offsets[1], second.size);
        cr_assert_eq(memcmp(y->bytes + y->offsets[1], second.as.str, second.size), 0);
    } else {
        cr_assert_eq(y->f64[1], second.as.f64);
    }
    edgeops_table_free(table);
    CHECK_OK(edgeops_asset_remove(store, "a"));
    edgeops_store_close(store);
}

Test(store_append, channel_of_a_refused_call_leaves_no_type_behind) {
    for (int flush = 0; flush < 2; flush++) {
        retype(text("text"), f64(3.5), flush != 0);
        retype(f64(9), text("hello"), flush != 0);
        retype(boolean(1), f64(-1), flush != 0);
    }
}

Test(store_append, channel_keeps_its_declared_type_and_unit) {
    edgeops_store *store = open_store();
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"n", "um", EDGEOPS_TYPE_INT64, 1}));
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 1, 0, "n", f64(1.5), &r));
    CHECK_CODE(EDGEOPS_E_INVALID, put(store, "a", 1, 0, "n", text("1"), &r));
    CHECK_OK(put(store, "a", 1, 0, "n", i64(1), &r));
    CHECK_CODE(EDGEOPS_E_INVALID,
               edgeops_store_declare(store, "a",
                                     &(edgeops_channel_info){"n", "um", EDGEOPS_TYPE_FLOAT64, 1}));
    CHECK_OK(edgeops_store_declare(store, "a",
                                   &(edgeops_channel_info){"n", "mm", EDGEOPS_TYPE_INT64, 1}));
    edgeops_store_close(store);
    store = open_store();
    edgeops_table *table = read_all(store, "a");
    cr_assert_str_eq(table->columns[0].unit, "mm");
    cr_assert_eq(table->columns[0].type, EDGEOPS_TYPE_INT64);
    edgeops_table_free(table);
    edgeops_store_close(store);
}

Test(store_append, too_many_channels_are_refused) {
    edgeops_store *store = open_store();
    char name[16];
    for (int i = 0; i < 1024; i++) {
        snprintf(name, sizeof name, "c%d", i);
        CHECK_OK(put(store, "a", i, 0, name, f64(i), NULL));
    }
    CHECK_CODE(EDGEOPS_E_LIMIT, put(store, "a", 2000, 0, "c1024", f64(1), NULL));
    CHECK_OK(put(store, "a", 2000, 0, "c1023", f64(1), NULL));
    CHECK_OK(eop_store_flush(store));
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->column_count, 1024);
    cr_assert_eq(table->columns[500].f64[500], 500);
    cr_assert_eq(table->columns[500].nulls, 1024);
    edgeops_table_free(table);
    edgeops_store_close(store);
}

typedef struct news {
    char assets[64];
    uint64_t ordinals;
} news;

static void on_news(const char *asset, uint64_t last, void *data) {
    news *n = data;
    strcat(n->assets, asset);
    n->ordinals += last;
}

Test(store_append, watchers_are_told_of_each_asset_once) {
    edgeops_store *store = open_store();
    news n = {0};
    const char *x = "x";
    edgeops_value one = f64(1);
    edgeops_sample samples[4] = {{"a", 1, 0, 1, &x, &one},
                                 {"b", 1, 0, 1, &x, &one},
                                 {"a", 2, 0, 1, &x, &one},
                                 {"a", 1, 0, 1, &x, &one}};
    edgeops_watch *watch = NULL;
    edgeops_watch *other = NULL;
    news also = {0};
    CHECK_OK(edgeops_watch_open(&watch, store, on_news, &n));
    CHECK_OK(edgeops_watch_open(&other, store, on_news, &also));
    CHECK_OK(edgeops_store_append(NULL, store, samples, 4, NULL));
    cr_assert_str_eq(n.assets, "ab");
    cr_assert_eq(n.ordinals, 3);
    CHECK_OK(edgeops_store_append(NULL, store, samples, 4, NULL));
    cr_assert_str_eq(n.assets, "ab");
    edgeops_watch_close(watch);
    CHECK_OK(put(store, "c", 1, 0, "x", one, NULL));
    cr_assert_str_eq(n.assets, "ab");
    cr_assert_str_eq(also.assets, "abc", "one that is closed leaves the others alone");
    edgeops_store_close(store);
    edgeops_watch_close(other);
}

static edgeops_status sum_assets(const edgeops_asset_info *info, void *data) {
    char *out = data;
    sprintf(out + strlen(out), "%s:%d:%d:%d ", info->name, (int)info->rows, (int)info->first,
            (int)info->last);
    return EDGEOPS_OK;
}

Test(store_append, assets_are_walked_and_removed) {
    edgeops_store *store = open_store();
    char out[200] = "";
    CHECK_OK(put(store, "line/2", 5, 0, "x", f64(1), NULL));
    CHECK_OK(put(store, "line/1", 7, 0, "x", f64(1), NULL));
    CHECK_OK(put(store, "line/1", 3, 0, "x", f64(1), NULL));
    CHECK_OK(put(store, "other", 1, 0, "x", f64(1), NULL));
    CHECK_OK(edgeops_asset_list(store, "line/*", sum_assets, out));
    cr_assert_str_eq(out, "line/1:2:3:7 line/2:1:5:5 ");
    CHECK_OK(eop_store_flush(store));
    CHECK_OK(put(store, "line/1", 9, 0, "x", f64(1), NULL));
    CHECK_OK(edgeops_asset_remove(store, "line/1"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_asset_remove(store, "line/1"));
    out[0] = '\0';
    CHECK_OK(edgeops_asset_list(store, NULL, sum_assets, out));
    cr_assert_str_eq(out, "line/2:1:5:5 other:1:1:1 ");
    edgeops_store_close(store);
    store = open_store();
    CHECK_OK(put(store, "line/1", 3, 0, "x", f64(2), NULL));
    edgeops_table *table = read_all(store, "line/1");
    cr_assert_eq(table->rows, 1);
    cr_assert_eq(table->ordinals[0], 4, "ordinals go on");
    edgeops_table_free(table);
    edgeops_store_close(store);
}

Test(store_append, removal_that_was_cut_short_goes_on_after_the_opening) {
    edgeops_store *store = open_store();
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    CHECK_OK(put(store, "b", 1, 0, "x", f64(1), NULL));
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    run_sql("catalog.db", "PRAGMA foreign_keys=ON; DELETE FROM asset WHERE name = 'a'");
    /* Even where it cannot: the other assets can be used. */
    run_sql("data/telemetry.db", "CREATE TRIGGER keep BEFORE DELETE ON chunk BEGIN"
                                 " SELECT RAISE(ABORT, 'kept'); END");
    store = open_store();
    CHECK_OK(put(store, "b", 2, 0, "x", f64(1), NULL));
    cr_assert(eop_store_flush(store) < 0);
    cr_assert_eq(count_rows(store, "b"), 2);
    edgeops_store_close(store);
    run_sql("data/telemetry.db", "DROP TRIGGER keep");
    store = open_store();
    CHECK_OK(eop_store_flush(store));
    cr_assert_eq(count_rows(store, "b"), 2);
    edgeops_store_close(store);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT COUNT(*) FROM state"), 1);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT COUNT(DISTINCT asset) FROM chunk"), 1);
}

/* A power cut leaves the catalog behind the chunks or the journal. */
static void lose_names(bool flush) {
    char path[120];
    char *bytes = NULL;
    size_t size = 0;
    edgeops_store *store = open_store();
    CHECK_OK(put(store, "base", 1, 0, "x", f64(1), NULL));
    edgeops_store_close(store);
    snprintf(path, sizeof path, "%s/catalog.db", home);
    CHECK_OK(eop_file_read(&bytes, &size, path, 16 * 1024 * 1024));
    store = open_store();
    CHECK_OK(put(store, "old", 100, 0, "x", f64(-1), NULL));
    CHECK_OK(put(store, "old", 101, 0, "x", f64(-2), NULL));
    if (flush) {
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
    CHECK_OK(eop_file_write(path, bytes, size, 0600));
    eop_free(bytes);
    store = open_store();
    CHECK_OK(put(store, "new", 200, 0, "x", f64(7), NULL));
    edgeops_store_close(store);
    store = open_store();
    edgeops_table *table = read_all(store, "new");
    cr_assert_eq(table->rows, 1);
    cr_assert_eq(table->columns[0].f64[0], 7);
    edgeops_table_free(table);
    edgeops_store_close(store);
    CHECK_OK(eop_remove_tree(home));
}

Test(store_append, id_of_a_lost_name_is_not_given_again) {
    lose_names(false);
    lose_names(true);
}

Test(store_append, second_opener_is_told_who_has_it) {
    edgeops_store *store = open_store();
    edgeops_store *other = store;
    CHECK_CODE(EDGEOPS_E_BUSY, edgeops_store_open(&other, home, NULL));
    cr_assert(other == NULL);
    edgeops_store_close(store);
}

static void set_version(const char *file, int version) {
    char path[160];
    char pragma[64];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/%s", home, file);
    snprintf(pragma, sizeof pragma, "PRAGMA user_version=%d", version);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, pragma, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

Test(store_append, newer_home_is_refused) {
    edgeops_store *store = open_store();
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    edgeops_store_close(store);
    set_version("catalog.db", EOP_HOME_VERSION + 1);
    CHECK_CODE(EDGEOPS_E_VERSION, edgeops_store_open(&store, home, NULL));
    cr_assert(store == NULL);
    set_version("catalog.db", EOP_HOME_VERSION);
    set_version("data/telemetry.db", 4);
    CHECK_CODE(EDGEOPS_E_VERSION, edgeops_store_open(&store, home, NULL));
    set_version("data/telemetry.db", 3);
    store = open_store();
    cr_assert_eq(count_rows(store, "a"), 1);
    edgeops_store_close(store);
}

Test(store_append, foreign_or_broken_catalog_is_refused) {
    char path[160];
    edgeops_store *store = NULL;
    CHECK_OK(eop_mkdirs(home, 0700));
    snprintf(path, sizeof path, "%s/catalog.db", home);
    CHECK_OK(eop_file_write(path, "this is no database at all, not in the least", 44, 0600));
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_store_open(&store, home, NULL));
    cr_assert(store == NULL);
}

Test(store_append, files_are_private) {
    static const char *const files[] = {"", "/catalog.db", "/data/telemetry.db", "/catalog.db-wal",
                                        "/data/journal/0000000000000001.seg"};
    edgeops_store *store = open_store();
    CHECK_OK(put(store, "a", 1, 0, "x", f64(1), NULL));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[200];
        struct stat st;
        snprintf(path, sizeof path, "%s%s", home, files[i]);
        cr_assert_eq(stat(path, &st), 0, "%s", path);
        cr_assert_eq(st.st_mode & 077, 0, "%s", path);
    }
    edgeops_store_close(store);
}

Test(store_append, call_larger_than_a_segment_is_one_frame) {
    edgeops_store *store = open_store();
    enum { N = 40000 };
    edgeops_sample *samples = calloc(N, sizeof *samples);
    edgeops_value *values = calloc(N, sizeof *values);
    const char *x = "x";
    edgeops_append_result r = EDGEOPS_APPEND_RESULT_INIT;
    for (int i = 0; i < N; i++) {
        values[i] = f64(i);
        samples[i] = (edgeops_sample){"a", i, 0, 1, &x, &values[i]};
    }
    CHECK_OK(put(store, "a", -1, 0, "x", f64(-1), NULL));
    CHECK_OK(edgeops_store_append(&r, store, samples, N, NULL));
    cr_assert_eq(r.appended, N);
    edgeops_store_close(store);
    store = open_store();
    cr_assert_eq(count_rows(store, "a"), N + 1);
    CHECK_OK(edgeops_store_append(&r, store, samples, N, NULL));
    cr_assert_eq(r.duplicates, N);
    CHECK_OK(eop_store_flush(store));
    CHECK_OK(edgeops_store_append(&r, store, samples, N, NULL));
    cr_assert_eq(r.duplicates, N);
    free(samples);
    free(values);
    edgeops_store_close(store);
}

Test(store_append, options_are_checked_and_init_equals_the_macro) {
    edgeops_store *store = NULL;
    edgeops_store_options macro = EDGEOPS_STORE_OPTIONS_INIT;
    edgeops_store_options function;
    edgeops_query query_macro = EDGEOPS_QUERY_INIT;
    edgeops_query query_function;
    edgeops_dataset_options set_macro = EDGEOPS_DATASET_OPTIONS_INIT;
    edgeops_dataset_options set_function;
    memset(&function, 1, sizeof function);
    edgeops_store_options_init(&function, sizeof function);
    /* Without what pads the end. */
    cr_assert_eq(memcmp(&macro, &function, offsetof(edgeops_store_options, durability)), 0);
    cr_assert_eq(macro.durability, function.durability);
    edgeops_query_init(&query_function, sizeof query_function);
    cr_assert_eq(memcmp(&query_macro, &query_function, sizeof query_macro), 0);
    edgeops_dataset_options_init(&set_function, sizeof set_function);
    cr_assert(set_macro.start == set_function.start && set_macro.end == set_function.end &&
              set_macro.struct_size == set_function.struct_size && set_function.name == NULL);
    macro.segment_bytes = 1;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_open(&store, home, &macro));
}

/* What an asset costs before its first row must not make the segments of a plant with many small: a
 * segment is a chunk of each of them. */
Test(store_append, many_assets_in_turn_fill_their_segments) {
    enum { ASSETS = 3750, CHANNELS = 12, ROUNDS = 5 };
    static edgeops_sample samples[ASSETS];
    static char assets[ASSETS][8];
    const char *names[CHANNELS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
    edgeops_value values[CHANNELS];
    edgeops_store *store = open_store();
    for (int k = 0; k < CHANNELS; k++) {
        values[k] = boolean(k & 1);
    }
    for (int i = 0; i < ASSETS; i++) {
        snprintf(assets[i], sizeof assets[i], "m%d", i);
        samples[i] = (edgeops_sample){assets[i], 0, 0, CHANNELS, names, values};
    }
    for (int round = 0; round < ROUNDS; round++) {
        for (int i = 0; i < ASSETS; i += 50) {
            for (int k = 0; k < 50; k++) {
                samples[i + k].time = round;
            }
            CHECK_OK(edgeops_store_append(NULL, store, &samples[i], 50, NULL));
        }
    }
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    /* 1.2 MB of frames. */
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT value FROM meta WHERE key = 'applied'"), 2);
    cr_assert_leq(ask_sql("data/telemetry.db", "SELECT COUNT(*) FROM chunk"), 2 * ASSETS);
}

/* -- verdicts -- */

static edgeops_append_result append_judged(edgeops_store *store, const edgeops_sample *samples,
                                           size_t n) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    options.verdicts = 1;
    CHECK_OK(edgeops_store_append(&result, store, samples, n, &options));
    cr_assert_eq(result.verdict_count, n);
    return result;
}

Test(store_append, each_sample_gets_a_verdict) {
    edgeops_store *store = open_store();
    const char *names[2] = {"x", "word"};
    edgeops_value first[2] = {f64(1), {EDGEOPS_TYPE_STRING, 11, {.str = "stored text"}}};
    edgeops_value other[2] = {f64(1), {EDGEOPS_TYPE_STRING, 10, {.str = "other text"}}};
    edgeops_value less[1] = {f64(1)};
    edgeops_time tomorrow = eop_now() + 48 * 3600 * EDGEOPS_SECOND;
    edgeops_sample samples[7] = {{"a", 10, 0, 2, names, first}, {"a", 10, 0, 2, names, first},
                                 {"a", 10, 0, 2, names, other}, {"a", 10, 0, 1, names, less},
                                 {"a", 5, 0, 1, names, less},   {"a", tomorrow, 0, 1, names, less},
                                 {"a", 5, 0, 2, names, other}};
    edgeops_append_result result = append_judged(store, samples, 7);
    const edgeops_verdict *v = result.verdicts;
    cr_assert_eq(v[0].outcome, EDGEOPS_OUTCOME_APPENDED);
    cr_assert_eq(v[0].ordinal, 1);
    cr_assert_eq(v[1].outcome, EDGEOPS_OUTCOME_DUPLICATE);
    cr_assert_eq(v[2].outcome, EDGEOPS_OUTCOME_CONFLICT);
    cr_assert_str_eq(v[2].channel, "word");
    cr_assert_eq(v[2].stored.size, 11);
    cr_assert_eq(memcmp(v[2].stored.as.str, "stored text", 11), 0);
    cr_assert_eq(v[3].outcome, EDGEOPS_OUTCOME_DUPLICATE, "a part of what is there");
    cr_assert_eq(v[3].ordinal, 0);
    cr_assert_eq(v[4].outcome, EDGEOPS_OUTCOME_APPENDED);
    cr_assert_eq(v[4].marks, EDGEOPS_MARK_LATE);
    cr_assert_eq(v[4].ordinal, 2);
    cr_assert_eq(v[5].outcome, EDGEOPS_OUTCOME_APPENDED);
    cr_assert_eq(v[5].marks, EDGEOPS_MARK_AHEAD);
    cr_assert_eq(v[6].outcome, EDGEOPS_OUTCOME_MERGED);
    cr_assert_eq(v[6].marks, EDGEOPS_MARK_LATE);
    cr_assert_eq(v[6].ordinal, 4);
    cr_assert_eq(result.appended, 3);
    cr_assert_eq(result.duplicates, 2);
    cr_assert_eq(result.conflicts, 1);
    cr_assert_eq(result.late, 2);
    static const uint64_t nothing[2] = {0};
    for (size_t i = 0; i < result.verdict_count; i++) {
        cr_assert_eq(memcmp(v[i].reserved, nothing, sizeof v[i].reserved), 0);
        cr_assert_eq(memcmp(v[i].reserved16, nothing, sizeof v[i].reserved16), 0);
    }
    cr_assert_eq(result.merged, 1);
    edgeops_free(result.verdicts);
    edgeops_store_close(store);
}

Test(store_append, conflict_tells_what_is_stored_in_chunks_too) {
    edgeops_store *store = open_store();
    const char *names[2] = {"x", "y"};
    edgeops_value one[2] = {f64(1.5), i64(7)};
    edgeops_value two[2] = {f64(1.5), i64(8)};
    edgeops_value three[1] = {f64(2)};
    uint16_t good[2] = {192, 192};
    uint16_t bad[2] = {192, 0};
    edgeops_sample sample = {"a", 1, 0, 2, names, one, good};
    CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
    CHECK_OK(eop_store_flush(store));
    edgeops_sample samples[3] = {{"a", 1, 0, 2, names, two, good},
                                 {"a", 1, 0, 2, names, one, bad},
                                 {"a", 1, 0, 1, names, three, good}};
    edgeops_append_result result = append_judged(store, samples, 3);
    for (int i = 0; i < 2; i++) {
        cr_assert_str_eq(result.verdicts[i].channel, "y");
        cr_assert_eq(result.verdicts[i].stored.type, EDGEOPS_TYPE_INT64);
        cr_assert_eq(result.verdicts[i].stored.as.i64, 7);
        cr_assert_eq(result.verdicts[i].quality, 192);
    }
    cr_assert_str_eq(result.verdicts[2].channel, "x");
    cr_assert_eq(result.verdicts[2].stored.as.f64, 1.5);
    edgeops_free(result.verdicts);
    edgeops_store_close(store);
}

Test(store_append, rows_of_tables_get_verdicts_one_after_the_other) {
    edgeops_store *store = open_store();
    edgeops_time times[3] = {1, 2, 3};
    double values[3] = {1, 2, 3};
    edgeops_column column = {.name = "x", .type = EDGEOPS_TYPE_FLOAT64, .data = values};
    edgeops_table tables[2] = {
        {.asset = "a", .rows = 3, .times = times, .column_count = 1, .columns = &column},
        {.asset = "b", .rows = 2, .times = times, .column_count = 1, .columns = &column}};
    for (int again = 0; again < 2; again++) {
        edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
        edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
        options.verdicts = 1;
        CHECK_OK(edgeops_store_append_tables(&result, store, tables, 2, &options));
        cr_assert_eq(result.verdict_count, 5);
        for (uint64_t i = 0; i < 5; i++) {
            cr_assert_eq(result.verdicts[i].outcome,
                         again ? EDGEOPS_OUTCOME_DUPLICATE : EDGEOPS_OUTCOME_APPENDED);
            cr_assert_eq(result.verdicts[i].ordinal, again ? 0 : i < 3 ? i + 1 : i - 2);
        }
        edgeops_free(result.verdicts);
    }
    tables[0].parts = (const uint8_t *)"\0\0\0";
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append_tables(NULL, store, tables, 1, NULL));
    tables[0].parts = NULL;
    for (int i = 0; i < 2; i++) {
        tables[0].reserved[i] = tables;
        CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append_tables(NULL, store, tables, 1, NULL));
        tables[0].reserved[i] = NULL;
    }
    CHECK_OK(edgeops_store_append_tables(NULL, store, tables, 1, NULL));
    edgeops_store_close(store);
}

Test(store_append, verdicts_have_an_owner_or_are_not_made) {
    edgeops_store *store = open_store();
    struct {
        edgeops_append_result result;
        unsigned char canary[32];
    } older;
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    edgeops_value one = f64(1);
    const char *x = "x";
    edgeops_sample sample = {"a", 1, 0, 1, &x, &one};
    memset(&older, 0xab, sizeof older);
    older.result.struct_size = offsetof(edgeops_append_result, verdicts);
    options.verdicts = 1;
    CHECK_OK(edgeops_store_append(&older.result, store, &sample, 1, &options));
    cr_assert_eq(older.result.appended, 1);
    cr_assert_eq((uintptr_t)older.result.verdicts & 0xff, 0xab,
                 "an older caller has no room for it");
    options.reserved = 1;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_store_append(NULL, store, &sample, 1, &options));
    edgeops_store_close(store);
}

Test(store_append, one_asset_is_found_without_a_walk) {
    edgeops_store *store = open_store();
    edgeops_asset_info *info = NULL;
    CHECK_OK(put(store, "line/a", 3, 0, "x", f64(1), NULL));
    CHECK_OK(put(store, "line/ab", 4, 0, "x", f64(1), NULL));
    CHECK_OK(edgeops_asset_get(&info, store, "line/a"));
    cr_assert_str_eq(info->name, "line/a");
    cr_assert_eq(info->rows, 1);
    cr_assert_eq(info->first, 3);
    cr_assert_eq(info->channel_count, 1);
    cr_assert_str_eq(info->channels[0].name, "x");
    edgeops_free(info);
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_asset_get(&info, store, "line/*"));
    cr_assert_null(info);
    edgeops_store_close(store);
}
