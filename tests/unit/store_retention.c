/* SPDX-License-Identifier: Apache-2.0 */
/* Retention: which samples are kept for how long, and which are never dropped. */
#include "store/retention.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/time.h"
#include "catalog/policy.h"
#include "edgeops/dataset.h"
#include "store/inner.h"
#include "store_fixture.h"
#include "store_sound.h"

TestSuite(store_retention, .init = make_home, .fini = remove_home, .timeout = 120);

#define HOUR (3600 * EDGEOPS_SECOND)

/* n rows a second apart, the last one `age` before now, flushed: chunks of 100 rows. */
static int64_t put_aged(edgeops_store *store, const char *asset, int64_t n, edgeops_duration age) {
    int64_t first = eop_now() / EDGEOPS_SECOND * EDGEOPS_SECOND - age - (n - 1) * EDGEOPS_SECOND;
    for (int64_t i = 0; i < n; i++) {
        CHECK_OK(put(store, asset, first + i * EDGEOPS_SECOND, 0, "x", f64((double)i), NULL));
    }
    CHECK_OK(eop_store_flush(store));
    return first;
}

static void set_policy(edgeops_store *store, const char *pattern, edgeops_duration max_age,
                       uint64_t max_bytes) {
    eop_policy policy = {.pattern = pattern, .max_age = max_age, .max_bytes = max_bytes};
    CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
}

static eop_retained run_policies(edgeops_store *store) {
    eop_retained would = {0};
    eop_retained done = {0};
    CHECK_OK(eop_retention_run(&would, store, EOP_RETENTION_DRY, NULL, NULL));
    CHECK_OK(eop_retention_run(&done, store, EOP_RETENTION_DROP, NULL, NULL));
    cr_assert_eq(would.rows, done.rows);
    cr_assert_eq(would.chunks, done.chunks);
    cr_assert_eq(would.bytes, done.bytes);
    cr_assert_eq(would.assets, done.assets);
    return done;
}

typedef struct seen {
    const char *name;
    edgeops_asset_info info;
} seen;

static edgeops_status see(const edgeops_asset_info *info, void *user_data) {
    seen *s = user_data;
    if (strcmp(info->name, s->name) == 0) {
        s->info = *info;
    }
    return EDGEOPS_OK;
}

static edgeops_asset_info asset_info(edgeops_store *store, const char *name) {
    seen s = {.name = name};
    CHECK_OK(edgeops_asset_list(store, NULL, see, &s));
    return s.info;
}

Test(store_retention, drops_what_is_too_old_and_nothing_else) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_store *store = open_store();
    int64_t first = put_aged(store, "a", 4000, 50 * HOUR);
    int64_t second = put_aged(store, "a", 500, 10 * HOUR);
    CHECK_OK(put(store, "b", first, 0, "x", f64(1), NULL));
    CHECK_OK(eop_store_flush(store));
    set_policy(store, "a", 24 * HOUR, 0);
    eop_retained done = run_policies(store);
    cr_assert_eq(done.rows, 4000);
    cr_assert_eq(done.assets, 1);
    cr_assert_eq(count_rows(store, "a"), 500);
    cr_assert_eq(count_rows(store, "b"), 1);
    for (int round = 0; round < 2; round++) {
        edgeops_asset_info info = asset_info(store, "a");
        cr_assert_eq(info.rows, 500);
        cr_assert_eq(info.first, second);
        cr_assert_eq(info.last_ordinal, 4500);
        cr_assert_eq(info.dropped, 4000);
        cr_assert_eq(info.dropped_until, first + 3999 * EDGEOPS_SECOND);
        /* Once more, and one between: nobody can know whether they were there. */
        CHECK_OK(put(store, "a", first + 7 * EDGEOPS_SECOND, 0, "x", f64(7), &result));
        cr_assert_eq(result.expired, 1);
        cr_assert_eq(result.appended, 0);
        CHECK_OK(put(store, "a", first + 1, 0, "x", f64(7), &result));
        cr_assert_eq(result.expired, 1);
        CHECK_OK(put(store, "a", second, 0, "x", f64(0), &result));
        cr_assert_eq(result.duplicates, 1);
        edgeops_store_close(store);
        store = open_store();
    }
    CHECK_OK(put(store, "a", second - 1, 0, "x", f64(7), &result));
    cr_assert_eq(result.appended, 1);
    cr_assert_eq(asset_info(store, "a").first, second - 1);
    edgeops_store_close(store);
}

Test(store_retention, all_rows_may_go_and_others_come) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_store *store = open_store();
    put_aged(store, "a", 300, 50 * HOUR);
    set_policy(store, "*", HOUR, 0);
    cr_assert_eq(run_policies(store).rows, 300);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(asset_info(store, "a").rows, 0);
        cr_assert_eq(count_rows(store, "a"), 0);
        CHECK_OK(put(store, "a", eop_now() - 51 * HOUR, 0, "x", f64(7), &result));
        cr_assert_eq(result.expired, 1);
        edgeops_store_close(store);
        store = open_store();
    }
    int64_t first = put_aged(store, "a", 20, 0);
    edgeops_asset_info info = asset_info(store, "a");
    cr_assert_eq(info.rows, 20);
    cr_assert_eq(info.first, first);
    cr_assert_eq(info.last_ordinal, 320);
    edgeops_store_close(store);
    store = open_store();
    cr_assert_eq(asset_info(store, "a").first, first);
    edgeops_store_close(store);
}

Test(store_retention, the_most_specific_policy_decides_on_age) {
    edgeops_store *store = open_store();
    put_aged(store, "line/1/a", 10, 50 * HOUR);
    put_aged(store, "line/1/b", 10, 50 * HOUR);
    put_aged(store, "line/2", 10, 50 * HOUR);
    set_policy(store, "*", HOUR, 0);
    set_policy(store, "line/1/*", 100 * HOUR, 0);
    set_policy(store, "line/1/b", 2 * HOUR, 0);
    cr_assert_eq(run_policies(store).rows, 20);
    cr_assert_eq(count_rows(store, "line/1/a"), 10);
    CHECK_OK(eop_policy_remove(eop_store_catalog(store), "line/1/*"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, eop_policy_remove(eop_store_catalog(store), "line/1/*"));
    cr_assert_eq(run_policies(store).rows, 10);
    edgeops_store_close(store);
}

Test(store_retention, a_size_drops_the_oldest_of_all) {
    edgeops_store *store = open_store();
    for (int64_t i = 8; i >= 1; i--) {
        put_aged(store, "old", 4080, (2 * i + 1) * 2 * HOUR);
        put_aged(store, "new", 4080, 2 * i * 2 * HOUR);
    }
    uint64_t bytes = (uint64_t)ask_sql("data/telemetry.db", "SELECT sum(bytes) FROM state");
    uint64_t real = (uint64_t)ask_sql("data/telemetry.db", "SELECT sum(length(data)) FROM cell");
    cr_assert_eq(bytes, real);
    set_policy(store, "*", 0, bytes / 2 + 10);
    eop_retained done = run_policies(store);
    cr_assert_eq(done.chunks, 8);
    cr_assert_eq(count_rows(store, "old"), 4 * 4080);
    cr_assert_eq(count_rows(store, "new"), 4 * 4080);
    cr_assert_eq(run_policies(store).chunks, 0);
    edgeops_store_close(store);
}

Test(store_retention, what_a_dataset_holds_stays) {
    static const char *const assets[] = {"a"};
    char digest[65];
    edgeops_dataset *dataset = NULL;
    edgeops_store *store = open_store();
    int64_t first = put_aged(store, "a", 4080, 70 * HOUR);
    put_aged(store, "a", 4080, 50 * HOUR);
    put_aged(store, "a", 4080, 30 * HOUR);
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "d";
    options.assets = assets;
    options.asset_count = 1;
    options.start = first + 2 * EDGEOPS_SECOND;
    options.end = first + 4 * EDGEOPS_SECOND;
    CHECK_OK(edgeops_dataset_create(store, &options));
    CHECK_OK(edgeops_dataset_read(&dataset, store, "d"));
    strcpy(digest, dataset->digest);
    edgeops_dataset_free(dataset);
    set_policy(store, "*", HOUR, 0);
    eop_retained done = run_policies(store);
    cr_assert_eq(done.rows, 2 * 4080);
    cr_assert_eq(done.held, 1);
    CHECK_OK(edgeops_dataset_read(&dataset, store, "d"));
    cr_assert_str_eq(dataset->digest, digest);
    edgeops_dataset_free(dataset);
    cr_assert_eq(asset_info(store, "a").first, first);
    CHECK_OK(edgeops_dataset_remove(store, "d"));
    cr_assert_eq(run_policies(store).rows, 4080);
    edgeops_store_close(store);
}

Test(store_retention, a_cursor_goes_on_behind_what_was_dropped) {
    edgeops_cursor *cursor = NULL;
    const edgeops_table *block = NULL;
    edgeops_store *store = open_store();
    put_aged(store, "a", 4000, 50 * HOUR);
    put_aged(store, "a", 500, 10 * HOUR);
    CHECK_OK(edgeops_cursor_open(
        &cursor, store,
        &(edgeops_cursor_options){sizeof(edgeops_cursor_options), "a", NULL, 0, 17}));
    set_policy(store, "a", 24 * HOUR, 0);
    run_policies(store);
    CHECK_OK(edgeops_cursor_next(&block, cursor, 1000));
    cr_assert_eq(block->ordinals[0], 4001);
    cr_assert_eq(block->rows, 500);
    cr_assert_eq(edgeops_cursor_skipped(cursor), 4000 - 17);
    edgeops_cursor_close(cursor);
    edgeops_store_close(store);
}

Test(store_retention, says_nothing_where_there_is_nothing_to_say) {
    edgeops_store *store = open_store();
    eop_policy nothing = {.pattern = "a"};
    eop_policy odd = {.pattern = "a", .max_age = HOUR, .rollups = {2, 1}, .rollup_count = 2};
    CHECK_CODE(EDGEOPS_E_INVALID, eop_policy_put(eop_store_catalog(store), &nothing));
    CHECK_CODE(EDGEOPS_E_INVALID, eop_policy_put(eop_store_catalog(store), &odd));
    cr_assert_eq(run_policies(store).rows, 0);
    for (int i = 0; i < (int)EOP_POLICIES_MAX; i++) {
        char pattern[16];
        snprintf(pattern, sizeof pattern, "a%d", i);
        set_policy(store, pattern, HOUR, 0);
        set_policy(store, pattern, 2 * HOUR, 0);
    }
    eop_policy more = {.pattern = "more", .max_age = HOUR};
    CHECK_CODE(EDGEOPS_E_LIMIT, eop_policy_put(eop_store_catalog(store), &more));
    edgeops_store_close(store);
}

Test(store_retention, rollups_go_with_their_asset) {
    edgeops_store *store = open_store();
    put_aged(store, "a", 4000, 50 * HOUR);
    eop_policy policy = {
        .pattern = "*", .max_age = HOUR, .rollups = {60 * EDGEOPS_SECOND, HOUR}, .rollup_count = 2};
    CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
    run_policies(store);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM rollup"), 2);
    cr_assert_geq(ask_sql("data/telemetry.db", "SELECT sum(rows) FROM chunk"), 4000 / 60 + 2);
    edgeops_store_close(store);
    store = open_store();
    CHECK_OK(edgeops_asset_remove(store, "a"));
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM rollup"), 0);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM state"), 0);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk"), 0);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM cell"), 0);
}

/* -- rows that are still in the journal -- */

/* n rows from `first`, a second apart, that stay in the journal. */
static void put_recent(edgeops_store *store, const char *asset, int64_t n, int64_t first) {
    for (int64_t i = 0; i < n; i++) {
        CHECK_OK(put(store, asset, first + i * EDGEOPS_SECOND, 0, "x", f64((double)i), NULL));
    }
}

static void put_recent_table(edgeops_store *store, const char *asset, int64_t n, int64_t first) {
    edgeops_time times[200];
    double values[200];
    for (int64_t i = 0; i < n; i++) {
        times[i] = first + i * EDGEOPS_SECOND;
        values[i] = (double)i;
    }
    edgeops_column column = {.name = "x", .unit = "", .type = EDGEOPS_TYPE_FLOAT64, .f64 = values};
    edgeops_table table = {
        .asset = asset, .rows = (uint64_t)n, .times = times, .column_count = 1, .columns = &column};
    CHECK_OK(edgeops_store_append_tables(NULL, store, &table, 1, NULL));
}

Test(store_retention, rows_of_the_journal_go_when_they_are_due) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_store *store = open_store();
    int64_t old = eop_now() - 50 * HOUR;
    put_recent(store, "a", 30, old);
    put_recent_table(store, "t", 150, old);
    put_recent(store, "kept", 20, old);
    put_recent(store, "new", 10, eop_now() - HOUR / 2);
    set_policy(store, "*", HOUR, 0);
    set_policy(store, "kept", 100 * HOUR, 0);
    eop_retained done = run_policies(store);
    cr_assert_eq(done.rows, 180);
    cr_assert_eq(done.assets, 2);
    cr_assert_not(done.short_of);
    for (int round = 0; round < 2; round++) {
        cr_assert_eq(count_rows(store, "a"), 0);
        cr_assert_eq(count_rows(store, "t"), 0);
        cr_assert_eq(count_rows(store, "kept"), 20);
        cr_assert_eq(count_rows(store, "new"), 10);
        cr_assert_eq(asset_info(store, "t").dropped, 150);
        CHECK_OK(put(store, "a", old + 3 * EDGEOPS_SECOND, 0, "x", f64(3), &result));
        cr_assert_eq(result.expired, 1);
        edgeops_store_close(store);
        store = open_store();
    }
    edgeops_store_close(store);
}

/* Also those that came before the store was opened. */
Test(store_retention, rows_of_a_journal_that_was_replayed_go_too) {
    edgeops_store *store = open_store();
    put_recent(store, "a", 30, eop_now() - 50 * HOUR);
    put_recent_table(store, "a", 100, eop_now() - 40 * HOUR);
    set_policy(store, "a", HOUR, 0);
    edgeops_store_close(store);
    store = open_store();
    cr_assert_eq(run_policies(store).rows, 130);
    cr_assert_eq(asset_info(store, "a").last_ordinal, 130);
    edgeops_store_close(store);
}

Test(store_retention, rows_of_the_journal_that_a_dataset_holds_stay) {
    static const char *const assets[] = {"a"};
    edgeops_dataset *dataset = NULL;
    edgeops_store *store = open_store();
    put_recent(store, "a", 30, eop_now() - 50 * HOUR);
    put_recent(store, "b", 30, eop_now() - 50 * HOUR);
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "d";
    options.assets = assets;
    options.asset_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
    set_policy(store, "*", HOUR, 0);
    eop_retained done = run_policies(store);
    cr_assert_eq(done.rows, 30);
    cr_assert_eq(done.held, 1);
    cr_assert_eq(count_rows(store, "b"), 0);
    cr_assert_eq(count_rows(store, "a"), 30);
    CHECK_OK(edgeops_dataset_read(&dataset, store, "d"));
    cr_assert_eq(dataset->rows, 30);
    edgeops_dataset_free(dataset);
    edgeops_store_close(store);
}

Test(store_retention, a_small_size_holds_for_the_journal_too) {
    edgeops_store *store = open_store();
    put_recent(store, "a", 500, eop_now() - 5 * HOUR);
    put_recent_table(store, "b", 200, eop_now() - 50 * HOUR);
    set_policy(store, "*", 0, 1);
    cr_assert_eq(run_policies(store).rows, 700);
    /* What is far within its size stays where it is. */
    put_recent(store, "a", 100, eop_now());
    set_policy(store, "*", 0, 1u << 30);
    uint64_t chunks = (uint64_t)ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk");
    cr_assert_eq(run_policies(store).rows, 0);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk"), (int64_t)chunks);
    edgeops_store_close(store);
}

/* Rows that came in any order: a run that is asked for takes those that are due and no other. */
Test(store_retention, old_rows_of_the_journal_go_from_between_new_ones) {
    int64_t now = eop_now();
    edgeops_store *store = open_store();
    put_recent(store, "a", 20, now - 50 * HOUR);
    put_recent(store, "a", 30, now - HOUR / 2);
    put_recent(store, "a", 40, now - 70 * HOUR);
    put_recent_table(store, "t", 150, now - 50 * HOUR);
    put_recent_table(store, "t", 50, now - HOUR / 2);
    put_recent(store, "b", 5, now - HOUR / 2);
    set_policy(store, "*", HOUR, 0);
    cr_assert_eq(run_policies(store).rows, 210);
    for (int round = 0; round < 2; round++) {
        edgeops_table *table = read_all(store, "a");
        cr_assert_eq(table->rows, 30);
        cr_assert_eq(table->times[0], now - HOUR / 2);
        cr_assert_eq(table->ordinals[0], 21);
        edgeops_table_free(table);
        cr_assert_eq(count_rows(store, "t"), 50);
        cr_assert_eq(count_rows(store, "b"), 5);
        cr_assert_eq(asset_info(store, "a").dropped, 60);
        edgeops_store_close(store);
        store = open_store();
    }
    edgeops_store_close(store);
}

/* Rows that alternate do not become a chunk each. */
Test(store_retention, mixed_rows_do_not_become_many_chunks) {
    int64_t now = eop_now();
    edgeops_store *store = open_store();
    for (int64_t i = 0; i < 400; i++) {
        put_recent(store, "a", 1, now - (i % 2 == 0 ? 50 * HOUR : HOUR / 2) + i * EDGEOPS_SECOND);
    }
    set_policy(store, "a", HOUR, 0);
    eop_retained done = run_policies(store);
    cr_assert_gt(done.rows, 0);
    cr_assert_leq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk"), 9);
    cr_assert_eq(count_rows(store, "a"), 400 - done.rows);
    edgeops_store_close(store);
}

/* The background makes no small chunk at each tick: it waits until all of a block are due, or some
 * have twice the age. */
Test(store_retention, the_background_waits_for_a_slow_asset) {
    eop_retained due = {0};
    edgeops_store *store = open_store();
    put_recent(store, "a", 10, eop_now() - HOUR - HOUR / 2);
    put_recent(store, "a", 10, eop_now() - HOUR / 2);
    set_policy(store, "a", HOUR, 0);
    CHECK_OK(eop_retention_run(&due, store, EOP_RETENTION_LOOK, NULL, NULL));
    cr_assert_eq(due.rows, 0);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk"), 0);
    set_policy(store, "a", HOUR / 2 + 60 * EDGEOPS_SECOND, 0);
    CHECK_OK(eop_retention_run(&due, store, EOP_RETENTION_LOOK, NULL, NULL));
    cr_assert_eq(due.rows, 10);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT count(*) FROM chunk"), 2);
    cr_assert_eq(run_policies(store).rows, 10);
    cr_assert_eq(count_rows(store, "a"), 10);
    edgeops_store_close(store);
}

/* In the background, as a node does. */
Test(store_retention, the_background_takes_rows_of_the_journal_too) {
    edgeops_store *store = open_store();
    put_recent(store, "a", 300, eop_now() - 50 * HOUR);
    set_policy(store, "a", HOUR, 0);
    eop_store_retain(store);
    while (asset_info(store, "a").rows > 0) {
        sched_yield();
    }
    cr_assert_eq(asset_info(store, "a").dropped, 300);
    edgeops_store_close(store);
}

/* Killed while rows go from the journal into chunks and out: all old or all new, nothing else. */
Test(store_retention, kill_between_journal_and_drop_leaves_no_mix) {
    dice d = {4711};
    for (int round = 0; round < 12; round++) {
        int64_t old = eop_now() - 50 * HOUR;
        pid_t pid = fork();
        cr_assert_geq(pid, 0);
        if (pid == 0) {
            edgeops_store *store = open_store();
            put_recent_table(store, "a", 200, old);
            put_recent(store, "a", 100, old + HOUR);
            set_policy(store, "a", HOUR, 0);
            eop_store_retain(store);
            for (uint64_t wait = roll(&d) % 40000 * (uint64_t)round; wait > 0; wait--) {
                (void)eop_monotonic();
            }
            kill(getpid(), SIGKILL);
        }
        cr_assert_eq(waitpid(pid, NULL, 0), pid);
        edgeops_store *store = open_store();
        edgeops_asset_info info = asset_info(store, "a");
        cr_assert_eq(info.last_ordinal, 300);
        cr_assert_eq(info.rows + info.dropped, 300);
        cr_assert_eq(count_rows(store, "a"), info.rows);
        cr_assert(info.rows == 0 || info.rows == 300, "%d rows", (int)info.rows);
        cr_assert_eq(run_policies(store).rows, info.rows);
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
}

/* -- killed at any moment -- */

static void live(int64_t first, int64_t n, int said) {
    edgeops_store *store = open_store();
    for (int64_t i = 0;; i++) {
        CHECK_OK(
            put(store, "a", first + (n + i) * EDGEOPS_SECOND, 0, "x", f64((double)(n + i)), NULL));
        cr_assert_eq(write(said, &i, sizeof i), sizeof i);
        if (i % 50 == 0) {
            CHECK_OK(eop_store_flush(store));
            eop_store_retain(store);
        }
    }
}

/* The newest rows are there without a gap, each once; the dataset's as well. */
static void check_after(int64_t first, int64_t rows) {
    edgeops_dataset *dataset = NULL;
    edgeops_store *store = open_store();
    edgeops_asset_info info = asset_info(store, "a");
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->rows, info.rows);
    cr_assert_eq(table->times[0], info.first);
    cr_assert_geq(info.last_ordinal, (uint64_t)rows);
    cr_assert_eq(info.last_ordinal, info.rows + info.dropped);
    int64_t at = -1;
    for (uint64_t i = 0; i < table->rows; i++) {
        int64_t row = (table->times[i] - first) / EDGEOPS_SECOND;
        cr_assert_eq(table->columns[0].f64[i], (double)row);
        cr_assert_eq(table->ordinals[i], (uint64_t)row + 1);
        cr_assert_gt(row, at);
        at = row;
    }
    cr_assert_eq(at + 1, (int64_t)info.last_ordinal);
    edgeops_table_free(table);
    CHECK_OK(edgeops_dataset_read(&dataset, store, "d"));
    cr_assert_eq(dataset->rows, 100);
    edgeops_dataset_free(dataset);
    edgeops_store_close(store);
}

Test(store_retention, kill_loses_and_doubles_nothing) {
    static const char *const assets[] = {"a"};
    dice d = {99};
    int64_t n = 3000;
    edgeops_store *store = open_store();
    int64_t first = put_aged(store, "a", n, 2 * HOUR);
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "d";
    options.assets = assets;
    options.asset_count = 1;
    options.start = first + 1000 * EDGEOPS_SECOND;
    options.end = first + 1100 * EDGEOPS_SECOND;
    CHECK_OK(edgeops_dataset_create(store, &options));
    eop_policy policy = {
        .pattern = "*", .max_bytes = 300, .rollups = {60 * EDGEOPS_SECOND}, .rollup_count = 1};
    CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
    edgeops_store_close(store);
    for (int round = 0; round < 12; round++) {
        int said[2];
        int64_t last = -1;
        cr_assert_eq(pipe(said), 0);
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            close(said[0]);
            live(first, n, said[1]);
            _exit(0);
        }
        close(said[1]);
        for (uint64_t left = 100 + below(&d, 900); left > 0; left--) {
            cr_assert_eq(read(said[0], &last, sizeof last), sizeof last);
        }
        kill(child, SIGKILL);
        while (read(said[0], &last, sizeof last) == sizeof last) {
        }
        close(said[0]);
        waitpid(child, NULL, 0);
        n += last + 1;
        check_after(first, n);
        store = open_store();
        n = (int64_t)asset_info(store, "a").last_ordinal;
        edgeops_store_close(store);
    }
    cr_assert_gt(ask_sql("data/telemetry.db", "SELECT dropped FROM state WHERE asset = 1"), 3000);
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT sum(rows) FROM chunk WHERE asset < 2147483648"
                                              ""),
                 ask_sql("data/telemetry.db", "SELECT sum(rows) FROM state WHERE asset <"
                                              " 2147483648"));
}

Test(store_retention, aggregates_know_what_was_dropped) {
    edgeops_summary *before = NULL;
    edgeops_summary *after = NULL;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_store *store = open_store();
    put_aged(store, "a", 10000, 50 * HOUR);
    put_aged(store, "a", 100, 0);
    eop_policy policy = {.pattern = "*",
                         .max_age = HOUR,
                         .rollups = {60 * EDGEOPS_SECOND, 420 * EDGEOPS_SECOND},
                         .rollup_count = 2};
    CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
    query.asset = "a";
    CHECK_OK(edgeops_store_aggregate(&before, store, &query, 10 * 60 * EDGEOPS_SECOND));
    cr_assert_geq(run_policies(store).rows, 8160);
    CHECK_OK(edgeops_store_aggregate(&after, store, &query, 10 * 60 * EDGEOPS_SECOND));
    cr_assert_eq(after->bucket_count, before->bucket_count);
    for (size_t i = 0; i < after->bucket_count; i++) {
        const edgeops_aggregate *a = &after->buckets[i].channels[0];
        const edgeops_aggregate *b = &before->buckets[i].channels[0];
        cr_assert_eq(after->buckets[i].start, before->buckets[i].start);
        cr_assert_eq(after->buckets[i].rows, before->buckets[i].rows);
        cr_assert_eq(a->count, b->count);
        cr_assert_eq(a->min.as.f64, b->min.as.f64);
        cr_assert_eq(a->max.as.f64, b->max.as.f64);
        cr_assert_float_eq(a->mean, b->mean, 1e-6);
    }
    edgeops_summary_free(after);
    edgeops_summary_free(before);
    /* No period kept divides that. */
    CHECK_OK(edgeops_store_aggregate(&after, store, &query, 90 * EDGEOPS_SECOND));
    uint64_t rows = 0;
    for (size_t i = 0; i < after->bucket_count; i++) {
        rows += after->buckets[i].rows;
    }
    cr_assert_eq(rows, asset_info(store, "a").rows);
    edgeops_summary_free(after);
    edgeops_store_close(store);
}

/* -- beside readers -- */

typedef struct poller {
    edgeops_store *store;
    atomic_bool stop;
    atomic_int wrong;
    atomic_int polls;
} poller;

enum { POLLED = 20000 };

/* Sums up a minute a bucket: samples and what rollups keep of those that were dropped. */
static void *poll_aggregates(void *user_data) {
    poller *p = user_data;
    while (!atomic_load(&p->stop)) {
        edgeops_query query = EDGEOPS_QUERY_INIT;
        edgeops_summary *summary = NULL;
        uint64_t count = 0;
        query.asset = "a";
        if (edgeops_store_aggregate(&summary, p->store, &query, 60 * EDGEOPS_SECOND) < 0) {
            atomic_fetch_add(&p->wrong, 1);
            continue;
        }
        for (size_t i = 0; i < summary->bucket_count; i++) {
            count += summary->buckets[i].channels[0].count;
        }
        atomic_fetch_add(&p->wrong, count != POLLED);
        atomic_fetch_add(&p->polls, 1);
        edgeops_summary_free(summary);
    }
    return NULL;
}

Test(store_retention, aggregates_neither_stop_it_nor_miss_what_it_drops) {
    static edgeops_time times[POLLED];
    static double values[POLLED];
    edgeops_store *store = open_store();
    edgeops_time now = eop_now() / EDGEOPS_SECOND * EDGEOPS_SECOND;
    for (int64_t i = 0; i < POLLED; i++) {
        times[i] = now - (POLLED - i) * EDGEOPS_SECOND;
        values[i] = (double)i;
    }
    edgeops_column column = {.name = "x", .type = EDGEOPS_TYPE_FLOAT64, .data = values};
    for (int64_t i = 0; i < POLLED; i += 500) {
        column.data = values + i;
        edgeops_table table = {
            .asset = "a", .rows = 500, .times = times + i, .column_count = 1, .columns = &column};
        CHECK_OK(edgeops_store_append_tables(NULL, store, &table, 1, NULL));
        CHECK_OK(eop_store_flush(store));
    }
    poller p = {.store = store};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, poll_aggregates, &p), 0);
    }
    uint64_t dropped = 0;
    for (int k = 1; k <= 36; k++) {
        eop_retained done = {0};
        eop_policy policy = {.pattern = "a",
                             .max_age = (POLLED - 500 * k) * EDGEOPS_SECOND,
                             .rollups = {60 * EDGEOPS_SECOND},
                             .rollup_count = 1};
        CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
        CHECK_OK(eop_retention_run(&done, store, EOP_RETENTION_DROP, NULL, NULL));
        dropped += done.rows;
    }
    atomic_store(&p.stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert_gt(dropped, POLLED / 2);
    cr_assert_gt(atomic_load(&p.polls), 0);
    cr_assert_eq(atomic_load(&p.wrong), 0);
    edgeops_store_close(store);
}

/* -- rows that come in parts -- */

static const char *const part_names[] = {"x", "y", "z"};

/* One part of row i: its value is i. */
static void put_part(edgeops_store *store, int64_t time, int channel, int64_t i) {
    CHECK_OK(put(store, "p", time, 0, part_names[channel], i64(i), NULL));
}

/* Values of each channel in rows and in what rollups keep of dropped ones. */
static void sum_up(uint64_t *counts, double *sums, edgeops_store *store) {
    edgeops_summary *summary = NULL;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = "p";
    CHECK_OK(edgeops_store_aggregate(&summary, store, &query, 60 * EDGEOPS_SECOND));
    for (int k = 0; k < 3; k++) {
        counts[k] = 0;
        sums[k] = 0;
        for (size_t b = 0; b < summary->bucket_count; b++) {
            counts[k] += summary->buckets[b].channels[k].count;
            sums[k] += summary->buckets[b].channels[k].sum;
        }
    }
    edgeops_summary_free(summary);
}

static void set_rolling(edgeops_store *store, edgeops_duration max_age) {
    eop_policy policy = {
        .pattern = "p", .max_age = max_age, .rollups = {60 * EDGEOPS_SECOND}, .rollup_count = 1};
    CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
}

/* Rows as many as are counted, each with its first part. */
static uint64_t check_rest(edgeops_store *store) {
    edgeops_table *table = read_all(store, "p");
    uint64_t rows = table->rows;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    uint64_t counted = 0;
    query.asset = "p";
    CHECK_OK(edgeops_store_count(&counted, store, &query));
    cr_assert_eq(counted, rows);
    cr_assert_eq(asset_info(store, "p").rows, rows);
    cr_assert_eq(rows > 0 ? table->columns[0].nulls : 0, 0);
    edgeops_table_free(table);
    return rows;
}

Test(store_retention, a_row_goes_with_its_first_part) {
    int64_t now = eop_now() / EDGEOPS_SECOND * EDGEOPS_SECOND;
    int64_t old = now - 50 * HOUR;
    int64_t new = now - HOUR / 2;
    uint64_t counts[3];
    double sums[3];
    edgeops_store *store = open_store();
    for (int64_t i = 0; i < 100; i++) {
        put_part(store, old + i * EDGEOPS_SECOND, 0, i);
    }
    CHECK_OK(eop_store_flush(store));
    /* At its beginning, in the middle and at its end this chunk has parts of those rows. */
    for (int64_t i = 0; i < 30; i++) {
        put_part(store, old + i * EDGEOPS_SECOND, 1, i);
        if (i >= 10 && i < 20) {
            put_part(store, new + i *EDGEOPS_SECOND, 0, i);
            put_part(store, new + i *EDGEOPS_SECOND, 2, i);
        }
    }
    CHECK_OK(eop_store_flush(store));
    /* This one has nothing else. */
    for (int64_t i = 0; i < 50; i++) {
        put_part(store, old + i * EDGEOPS_SECOND, 2, i);
    }
    CHECK_OK(eop_store_flush(store));
    for (int64_t i = 10; i < 20; i++) {
        put_part(store, new + i *EDGEOPS_SECOND, 1, i);
        put_part(store, old + i * 2 * EDGEOPS_SECOND + 60 * EDGEOPS_SECOND, 1, 7);
    }
    CHECK_OK(eop_store_flush(store));
    sum_up(counts, sums, store);
    cr_assert_eq(check_rest(store), 110);
    set_rolling(store, HOUR);
    eop_retained done = run_policies(store);
    cr_assert_eq(done.rows, 100);
    for (int round = 0; round < 2; round++) {
        uint64_t now_counts[3];
        double now_sums[3];
        cr_assert_eq(check_rest(store), 10);
        edgeops_table *table = read_all(store, "p");
        for (int k = 0; k < 3; k++) {
            cr_assert_eq(table->columns[k].nulls, 0);
            cr_assert_eq(table->columns[k].i64[9], 19);
        }
        cr_assert_eq(table->times[0], new + 10 * EDGEOPS_SECOND);
        edgeops_table_free(table);
        sum_up(now_counts, now_sums, store);
        for (int k = 0; k < 3; k++) {
            cr_assert_eq(now_counts[k], counts[k], "channel %d", k);
            cr_assert_eq(now_sums[k], sums[k], "channel %d", k);
        }
        cr_assert_eq(asset_info(store, "p").dropped, 100);
        cr_assert_eq(asset_info(store, "p").parts, 30 + 10 + 50 + 10 + 10);
        check_sound(store);
        edgeops_store_close(store);
        store = open_store();
    }
    cr_assert_eq(run_policies(store).rows, 0);
    edgeops_store_close(store);
}

/* Also a part that is in the journal: in the background, and when a size decides. */
Test(store_retention, parts_in_the_journal_go_with_their_row) {
    for (int by_size = 0; by_size < 2; by_size++) {
        int64_t now = eop_now();
        edgeops_store *store = open_store();
        put_part(store, now - HOUR - HOUR / 2, 0, 1);
        CHECK_OK(eop_store_flush(store));
        put_part(store, now - HOUR - HOUR / 2, 1, 1);
        put_part(store, now - HOUR / 2, 0, 2);
        set_policy(store, "p", by_size ? 0 : HOUR, by_size ? 1 : 0);
        eop_store_retain(store);
        for (int tries = 0; asset_info(store, "p").dropped == 0 && tries < 10000; tries++) {
            usleep(1000);
        }
        cr_assert_gt(asset_info(store, "p").dropped, 0);
        cr_assert_eq(check_rest(store), by_size ? 0 : 1);
        CHECK_OK(eop_store_flush(store));
        cr_assert_eq(check_rest(store), by_size ? 0 : 1);
        check_sound(store);
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
}

/* Two files of which each brings a channel: their chunks end at different rows. */
Test(store_retention, a_row_that_stays_is_whole) {
    for (int by_size = 0; by_size < 2; by_size++) {
        int64_t now = eop_now() / EDGEOPS_SECOND * EDGEOPS_SECOND;
        edgeops_store *store = open_store();
        for (int k = 0; k < 2; k++) {
            for (int64_t i = 1000 * k; i < 9000; i++) {
                put_part(store, now - (9000 - i) * EDGEOPS_SECOND, k, i);
            }
            CHECK_OK(eop_store_flush(store));
        }
        if (by_size) {
            set_policy(store, "p", 0, 1800);
        } else {
            set_rolling(store, HOUR);
        }
        eop_retained done = run_policies(store);
        cr_assert_gt(done.rows, 0);
        cr_assert(by_size || done.rows == 4080);
        for (int round = 0; round < 2; round++) {
            cr_assert_eq(check_rest(store), 9000 - done.rows);
            edgeops_table *table = read_all(store, "p");
            cr_assert_eq(table->columns[1].nulls, 0);
            edgeops_table_free(table);
            check_sound(store);
            cr_assert_eq(run_policies(store).rows, 0);
        }
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
}

/* Rows of 1,000 to 800 minutes, of which some parts are still to come. */
static void freeze_middle(edgeops_store *store, int64_t now) {
    static const char *const assets[] = {"p"};
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "d";
    options.assets = assets;
    options.asset_count = 1;
    options.start = now - 1000 * 60 * EDGEOPS_SECOND;
    options.end = now - 800 * 60 * EDGEOPS_SECOND;
    CHECK_OK(edgeops_dataset_create(store, &options));
}

/* Row i is i minutes old; its parts come in any order within some hundred others. */
static void put_shuffled(edgeops_store *store, dice *d, int64_t now, int64_t n, int64_t lag) {
    int64_t sent[3] = {n, n, n}; /* next row of each channel, from the oldest on */
    bool frozen = false;
    while (sent[2] > 0) {
        if (!frozen && sent[0] < n / 2) {
            freeze_middle(store, now);
            frozen = true;
        }
        int k = (int)below(d, 3);
        int64_t ahead = sent[k] - (k > 0 ? sent[k - 1] : sent[0]);
        if (sent[k] > 0 && (k == 0 ? sent[2] - sent[0] < lag : ahead > 0)) {
            int64_t i = sent[k]--;
            put_part(store, now - i * 60 * EDGEOPS_SECOND, k, i);
            if (below(d, 100) == 0) {
                CHECK_OK(eop_store_flush(store));
            }
        }
    }
    CHECK_OK(eop_store_flush(store));
}

Test(store_retention, rows_in_parts_are_counted_right_at_any_age) {
    for (uint64_t seed = 1; seed <= 4; seed++) {
        dice d = {seed};
        int64_t now = eop_now() / EDGEOPS_SECOND * EDGEOPS_SECOND;
        uint64_t counts[3];
        double sums[3];
        edgeops_store *store = open_store();
        put_shuffled(store, &d, now, 1500, seed % 2 == 0 ? 20 : 700);
        cr_assert_eq(check_rest(store), 1500);
        sum_up(counts, sums, store);
        for (int64_t age = 1400; age > 0; age -= 1 + (int64_t)below(&d, 500)) {
            set_rolling(store, age * 60 * EDGEOPS_SECOND);
            eop_retained done = {0};
            CHECK_OK(eop_retention_run(&done, store, EOP_RETENTION_DROP, NULL, NULL));
            uint64_t rows = check_rest(store);
            cr_assert_geq(rows, (uint64_t)age);
            cr_assert_eq(asset_info(store, "p").dropped, 1500 - rows);
            /* What is there is whole. */
            edgeops_table *table = read_all(store, "p");
            for (int k = 0; k < 3; k++) {
                cr_assert_eq(table->columns[k].nulls, 0);
            }
            edgeops_table_free(table);
            uint64_t now_counts[3];
            double now_sums[3];
            sum_up(now_counts, now_sums, store);
            for (int k = 0; k < 3; k++) {
                cr_assert_eq(now_counts[k], counts[k], "channel %d", k);
                cr_assert_eq(now_sums[k], sums[k], "channel %d", k);
            }
            check_sound(store);
            /* What it held is held, and its digest is right. */
            edgeops_dataset *set = NULL;
            CHECK_OK(edgeops_dataset_read(&set, store, "d"));
            cr_assert_eq(set->rows, 200);
            edgeops_dataset_free(set);
        }
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
}
