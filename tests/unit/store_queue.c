/* SPDX-License-Identifier: Apache-2.0 */
/* The size of the journal's segments, and what they cost when many assets share them. */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "store/internal.h"
#include "store_fixture.h"
#include "support/disk.h"

TestSuite(store_queue, .init = make_home, .fini = remove_home, .timeout = 110);

enum { BATCH = 500, LEAST = 1024 * 1024, ASSETS = 600, GROWN = ASSETS * EOP_PART_BYTES };

static void name_asset(char name[16], size_t asset) {
    snprintf(name, 16, "plant/%04zu", asset);
}

/* Appends rows from..to of each of n assets, one of each and then the next, in another order each
 * time. Nothing of Criterion here. */
static edgeops_status feed(edgeops_store *store, size_t n, size_t from, size_t to,
                           edgeops_duration wait) {
    static const size_t steps[] = {1, 7919, 104729, 15485863};
    static char names[BATCH][16];
    static edgeops_sample samples[BATCH];
    static edgeops_value values[BATCH];
    static const char *const channel = "x";
    size_t count = 0;
    for (size_t row = from; row < to; row++) {
        for (size_t i = 0; i < n; i++) {
            size_t asset = i * steps[row % 4] % n;
            name_asset(names[count], asset);
            values[count] = f64((double)(row % 100) / 10);
            samples[count] = (edgeops_sample){names[count], (int64_t)row * 1000, 0,   1,
                                              &channel,     &values[count],      NULL};
            if (++count == BATCH || (i + 1 == n && row + 1 == to)) {
                edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
                options.wait = wait;
                edgeops_status status = edgeops_store_append(NULL, store, samples, count, &options);
                if (status != EDGEOPS_OK) {
                    return status;
                }
                count = 0;
            }
        }
    }
    return EDGEOPS_OK;
}

static void check_rows(edgeops_store *store, size_t n, size_t rows) {
    for (size_t asset = 0; asset < n; asset++) {
        char name[16];
        name_asset(name, asset);
        edgeops_table *table = read_all(store, name);
        cr_assert_eq(table->rows, rows, "%s", name);
        for (size_t row = 0; row < rows; row++) {
            cr_assert_eq(table->times[row], (int64_t)row * 1000);
            cr_assert_eq(table->columns[0].f64[row], (double)(row % 100) / 10);
        }
        edgeops_table_free(table);
    }
}

static uint64_t active_bytes(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    uint64_t bytes = eop_journal_bytes(store->journal);
    pthread_mutex_unlock(&store->lock);
    return bytes;
}

enum { ROUNDS = 4 };

/* Each flush takes the spare, and the writer makes the next one before it writes chunks: so it has
 * the size that suits the segment before. Nothing of Criterion here. */
static edgeops_status feed_and_flush(edgeops_store *store, size_t n, size_t from) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t row = from; status == EDGEOPS_OK && row < from + ROUNDS; row++) {
        status = feed(store, n, row, row + 1, 0);
        if (status == EDGEOPS_OK) {
            status = eop_store_flush(store);
        }
    }
    return status;
}

/* A store whose active segment has grown; the first ROUNDS rows of each asset are in chunks. */
static edgeops_store *open_grown(void) {
    edgeops_store *store = open_store();
    store->grown_bytes = EOP_GROWN_MAX;
    CHECK_OK(feed_and_flush(store, ASSETS, 0));
    cr_assert_eq(active_bytes(store), GROWN, "%d", (int)active_bytes(store));
    return store;
}

Test(store_queue, page_of_chunks_is_written_once_a_segment) {
    enum { MANY = 2000, ROWS = 120 };
    int pages = 0;
    int most = 0;
    edgeops_store *store = open_store();
    store->grown_bytes = 0;
    CHECK_OK(feed(store, MANY, 0, ROWS, 0));
    CHECK_OK(eop_store_flush(store));
    cr_assert_eq(active_bytes(store), LEAST);
    sqlite3_db_status(store->writer.sql.db, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &most, 0);
    cr_assert_lt((uint64_t)pages * 16384, UINT64_C(300) * MANY * ROWS, "%d pages", pages);
    check_rows(store, MANY, ROWS);
    edgeops_store_close(store);
}

/* Each asset has had hundreds of full chunks: those of one fill a page of each index. */
Test(store_queue, pages_of_full_chunks_are_left_alone_by_small_ones) {
    int before = 0;
    int pages = 0;
    int most = 0;
    edgeops_store *store = open_store();
    CHECK_OK(feed_and_flush(store, ASSETS, 0));
    edgeops_store_close(store);
    run_sql("data/telemetry.db",
            "WITH RECURSIVE n(k) AS (SELECT 1 UNION ALL SELECT k + 1 FROM n WHERE k < 300)"
            " INSERT INTO chunk SELECT 1099511627776 + k * 1000 + asset, asset, k * 10 - 5000,"
            " k * 10 - 4991, k * 4080 - 2000000, k * 4080 - 1995921, 4080 FROM n, state");
    store = open_store();
    sqlite3_db_status(store->writer.sql.db, SQLITE_DBSTATUS_CACHE_WRITE, &before, &most, 0);
    CHECK_OK(feed_and_flush(store, ASSETS, ROUNDS));
    sqlite3_db_status(store->writer.sql.db, SQLITE_DBSTATUS_CACHE_WRITE, &pages, &most, 0);
    cr_assert_lt(pages - before, ROUNDS * ASSETS / 4, "%d pages", pages - before);
    edgeops_store_close(store);
}

Test(store_queue, segments_grow_and_shrink_with_the_assets_in_them) {
    edgeops_store *store = open_grown();
    CHECK_OK(feed_and_flush(store, 100, ROUNDS));
    cr_assert_eq(active_bytes(store), LEAST);
    check_rows(store, 100, 2 * ROUNDS);
    edgeops_store_close(store);
}

Test(store_queue, segments_grow_up_to_a_share_of_the_memory) {
    edgeops_store *store = open_store();
    cr_assert_leq(store->grown_bytes, eop_memory_limit() / 32);
    cr_assert_leq(store->grown_bytes, 32u * 1024 * 1024);
    cr_assert_gt(store->grown_bytes, 0);
    store->grown_bytes = 2 * LEAST;
    CHECK_OK(feed_and_flush(store, ASSETS, 0));
    cr_assert_eq(active_bytes(store), 2 * LEAST);
    edgeops_store_close(store);
}

Test(store_queue, few_assets_leave_the_size_of_the_options) {
    edgeops_store *store = open_store();
    for (size_t row = 0; row < 2000; row += 500) {
        CHECK_OK(feed(store, LEAST / EOP_PART_BYTES, row, row + 500, 0));
        cr_assert_eq(active_bytes(store), LEAST);
    }
    edgeops_store_close(store);
}

Test(store_queue, rows_of_a_grown_segment_are_there_after_a_kill) {
    int status = 0;
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        edgeops_store *store = NULL;
        edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
        options.segment_bytes = LEAST;
        options.free_floor_bytes = 1;
        bool good = edgeops_store_open(&store, home, &options) == EDGEOPS_OK &&
                    feed_and_flush(store, ASSETS, 0) == EDGEOPS_OK &&
                    feed(store, ASSETS, ROUNDS, 100, 0) == EDGEOPS_OK;
        _exit(good && active_bytes(store) == GROWN ? 7 : 1);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 7, "%x", (unsigned)status);
    edgeops_store *store = open_store();
    cr_assert_eq(eop_journal_wanted(store->journal), GROWN);
    cr_assert_eq(active_bytes(store), GROWN);
    check_rows(store, ASSETS, 100);
    CHECK_OK(eop_store_flush(store));
    check_rows(store, ASSETS, 100);
    edgeops_store_close(store);
}

/* The memory of rows that wait is bounded, whatever size their segments have. */
Test(store_queue, fewer_segments_wait_once_they_have_grown) {
    char path[200];
    sqlite3 *db = NULL;
    edgeops_store *store = open_grown();
    snprintf(path, sizeof path, "%s/data/telemetry.db", home);
    cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    size_t rows = ROUNDS;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && rows < 4000) {
        status = feed(store, BATCH, rows, rows + 1, -1);
        rows += status == EDGEOPS_OK;
    }
    CHECK_CODE(EDGEOPS_E_AGAIN, status);
    cr_assert_eq(store->sealed_count, 3);
    cr_assert_eq(sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
    CHECK_OK(eop_store_flush(store));
    check_rows(store, BATCH, rows);
    edgeops_store_close(store);
}

Test(store_queue, segment_of_the_least_size_is_made_where_a_grown_one_has_no_room) {
    static const disk_plan full = {
        .calls = DISK_RESIZE, .name = "spare.new", .nth = 1, .error = ENOSPC, .action = DISK_FAIL};
    edgeops_store *store = open_grown();
    disk_watch(folder, false);
    disk_set(&full);
    CHECK_OK(feed(store, ASSETS, ROUNDS, ROUNDS + 1, 0));
    CHECK_OK(eop_store_flush(store)); /* takes the grown spare, and makes another */
    cr_assert(disk_happened());
    disk_release();
    CHECK_OK(feed(store, ASSETS, ROUNDS + 1, ROUNDS + 2, 0));
    CHECK_OK(eop_store_flush(store));
    cr_assert_eq(active_bytes(store), LEAST);
    check_rows(store, ASSETS, ROUNDS + 2);
    edgeops_store_close(store);
}
