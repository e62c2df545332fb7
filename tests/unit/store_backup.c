/* SPDX-License-Identifier: Apache-2.0 */
/* A backup of a store in use has all that was acknowledged before, and nothing half done. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "dataset/dataset.h"
#include "dataset/label.h"
#include "edgeops/context.h"
#include "edgeops/dataset.h"
#include "edgeops/label.h"
#include "store/backup.h"
#include "store/internal.h"
#include "store/room.h"
#include "store/verify.h"
#include "store_fixture.h"
#include "support/disk.h"

TestSuite(store_backup, .init = make_home, .fini = remove_home, .timeout = 120);

static char copy[96];

static void make_copy(edgeops_store *store) {
    snprintf(copy, sizeof copy, "%s/copy", folder);
    CHECK_OK(eop_remove_tree(copy));
    CHECK_OK(eop_mkdirs(copy, 0700));
    CHECK_OK(eop_store_backup(store, copy, NULL, NULL, NULL));
}

/* The fixture's functions look at `home`. */
static edgeops_store *open_copy(void) {
    strcpy(home, copy);
    return open_store();
}

static void fill(edgeops_store *store, const char *asset, int from, int to) {
    for (int i = from; i < to; i++) {
        CHECK_OK(put(store, asset, i, 0, "x", i64(INT64_C(9007199254740993) + i), NULL));
    }
}

static void check_rows(edgeops_store *store, const char *asset, uint64_t rows) {
    edgeops_table *table = read_all(store, asset);
    cr_assert_eq(table->rows, rows, "%s: %d", asset, (int)table->rows);
    for (uint64_t i = 0; i < table->rows; i++) {
        cr_assert_eq(table->times[i], (int64_t)i);
        cr_assert_eq(table->columns[0].i64[i], INT64_C(9007199254740993) + (int64_t)i);
        cr_assert_eq(table->ordinals[i], i + 1);
    }
    edgeops_table_free(table);
}

static void freeze(edgeops_store *store, const char *name, const char *asset) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = name;
    options.assets = &asset;
    options.asset_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
}

Test(store_backup, holds_chunks_and_journal_datasets_and_labels) {
    edgeops_label label = {.asset = "a", .start = 0, .end = 10, .label = "l"};
    edgeops_dataset *set = NULL;
    edgeops_store *store = open_store();
    fill(store, "a", 0, 5000);
    CHECK_OK(eop_store_flush(store));
    fill(store, "a", 5000, 6000);
    fill(store, "b", 0, 10);
    CHECK_OK(edgeops_label_add(NULL, store, &label, 1));
    freeze(store, "d", "a");
    make_copy(store);
    fill(store, "a", 6000, 7000); /* does not touch the copy */
    edgeops_store_close(store);
    store = open_copy();
    check_rows(store, "a", 6000);
    check_rows(store, "b", 10);
    CHECK_OK(edgeops_dataset_read(&set, store, "d")); /* checks its digest */
    cr_assert_eq(set->rows, 6000);
    edgeops_dataset_free(set);
    fill(store, "a", 6000, 6500);
    CHECK_OK(eop_store_flush(store));
    check_rows(store, "a", 6500);
    edgeops_store_close(store);
    cr_assert_eq(ask_sql("catalog.db", "SELECT count(*) FROM label"), 1);
}

Test(store_backup, of_an_empty_store) {
    edgeops_store *store = open_store();
    make_copy(store);
    edgeops_store_close(store);
    store = open_copy();
    fill(store, "a", 0, 10);
    check_rows(store, "a", 10);
    edgeops_store_close(store);
}

static edgeops_status cancel_later(uint64_t bytes, void *user_data) {
    uint64_t *left = user_data;
    *left = *left > bytes ? *left - bytes : 0;
    return *left == 0 ? EDGEOPS_E_CANCELED : EDGEOPS_OK;
}

Test(store_backup, a_canceled_one_lets_go) {
    edgeops_store *store = open_store();
    fill(store, "a", 0, 20000);
    CHECK_OK(eop_store_flush(store));
    for (uint64_t bytes = 1; bytes < 300000; bytes = bytes * 2 + 1000) {
        uint64_t left = bytes;
        snprintf(copy, sizeof copy, "%s/copy-%d", folder, (int)bytes);
        CHECK_OK(eop_mkdirs(copy, 0700));
        CHECK_CODE(EDGEOPS_E_CANCELED, eop_store_backup(store, copy, cancel_later, NULL, &left));
        cr_assert_eq(store->backups, 0);
    }
    make_copy(store);
    edgeops_store_close(store);
    store = open_copy();
    check_rows(store, "a", 20000);
    edgeops_store_close(store);
}

/* -- under load -- */

typedef struct load {
    edgeops_store *store;
    int number;
    atomic_int acknowledged;
    atomic_bool stop;
} load;

/* Many rows at once, so that segments are sealed and used again all the time. */
static void *append_on(void *user_data) {
    enum { N = 200 };
    load *l = user_data;
    char asset[16];
    edgeops_sample samples[N];
    const char *channel = "x";
    edgeops_value values[N];
    snprintf(asset, sizeof asset, "load/%d", l->number);
    for (int at = 0; !atomic_load(&l->stop); at += N) {
        for (int i = 0; i < N; i++) {
            values[i] = i64(INT64_C(9007199254740993) + at + i);
            samples[i] = (edgeops_sample){asset, at + i, 0, 1, &channel, &values[i]};
        }
        CHECK_OK(edgeops_store_append(NULL, l->store, samples, N, NULL));
        atomic_store(&l->acknowledged, at + N);
    }
    return NULL;
}

Test(store_backup, under_load_has_all_that_was_acknowledged_before) {
    enum { THREADS = 3, ROUNDS = 8 };
    load loads[THREADS] = {0};
    pthread_t threads[THREADS];
    int before[ROUNDS][THREADS];
    edgeops_store *store = open_store();
    for (int i = 0; i < THREADS; i++) {
        loads[i].store = store;
        loads[i].number = i;
        cr_assert_eq(pthread_create(&threads[i], NULL, append_on, &loads[i]), 0);
    }
    for (int round = 0; round < ROUNDS; round++) {
        usleep(30000);
        for (int i = 0; i < THREADS; i++) {
            before[round][i] = atomic_load(&loads[i].acknowledged);
        }
        snprintf(copy, sizeof copy, "%s/copy-%d", folder, round);
        CHECK_OK(eop_mkdirs(copy, 0700));
        CHECK_OK(eop_store_backup(store, copy, NULL, NULL, NULL));
    }
    for (int i = 0; i < THREADS; i++) {
        atomic_store(&loads[i].stop, true);
        pthread_join(threads[i], NULL);
    }
    edgeops_store_close(store);
    for (int round = 0; round < ROUNDS; round++) {
        snprintf(copy, sizeof copy, "%s/copy-%d", folder, round);
        store = open_copy();
        for (int i = 0; i < THREADS; i++) {
            char asset[16];
            eop_store_stats stats;
            snprintf(asset, sizeof asset, "load/%d", i);
            CHECK_OK(eop_store_get_stats(store, &stats));
            cr_assert_eq(stats.damaged, 0);
            uint64_t rows = before[round][i] > 0 ? count_rows(store, asset) : 0;
            cr_assert_geq(rows, (uint64_t)before[round][i], "round %d", round);
            cr_assert_eq(rows % 200, 0, "no append is half there");
            if (rows > 0) {
                check_rows(store, asset, rows);
            }
        }
        edgeops_store_close(store);
    }
}

Test(store_backup, a_kill_on_the_way_leaves_the_home_as_it_was) {
    edgeops_store *store = open_store();
    fill(store, "a", 0, 20000);
    edgeops_store_close(store);
    for (int round = 0; round < 15; round++) {
        snprintf(copy, sizeof copy, "%s/copy", folder);
        CHECK_OK(eop_remove_tree(copy));
        CHECK_OK(eop_mkdirs(copy, 0700));
        pid_t child = fork();
        cr_assert_geq(child, 0);
        if (child == 0) {
            store = open_store();
            _exit(eop_store_backup(store, copy, NULL, NULL, NULL) == EDGEOPS_OK ? 0 : 1);
        }
        usleep((useconds_t)(round * 1500));
        kill(child, SIGKILL);
        cr_assert_eq(waitpid(child, NULL, 0), child);
        store = open_store();
        check_rows(store, "a", 20000);
        edgeops_store_close(store);
    }
}

/* -- every allocation fails once -- */

static atomic_long counter;
static atomic_long fail_at;

static bool fails(void) {
    return atomic_fetch_add(&counter, 1) + 1 == atomic_load(&fail_at);
}

static void *counting_alloc(void *data, size_t size) {
    (void)data;
    return fails() ? NULL : malloc(size);
}

static void *counting_realloc(void *data, void *memory, size_t size) {
    (void)data;
    return fails() ? NULL : realloc(memory, size);
}

static void counting_free(void *data, void *memory) {
    (void)data;
    free(memory);
}

static void no_finding(const eop_finding *finding, void *user_data) {
    (void)user_data;
    cr_assert(false, "%s: %s", finding->what, finding->detail);
}

static edgeops_status go_on(double part, void *user_data) {
    (void)part;
    (void)user_data;
    return EDGEOPS_OK;
}

static edgeops_status ignore_label(const edgeops_label *label, void *user_data) {
    (void)label;
    (void)user_data;
    return EDGEOPS_OK;
}

static edgeops_status add_verify_copy(edgeops_store *store, int64_t *id) {
    edgeops_label label = {.asset = "a", .start = 5, .end = 200, .label = "l", .author = "x"};
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    eop_label_stats_options options = {
        .start = EDGEOPS_TIME_MIN, .end = EDGEOPS_TIME_MAX, .conflicts = 5};
    eop_verify_handler handler = {
        .above = eop_datasets_check, .finding = no_finding, .progress = go_on};
    edgeops_label_result result = EDGEOPS_LABEL_RESULT_INIT;
    eop_verified sum;
    char *json = NULL;
    edgeops_status status = edgeops_label_correct(id, store, *id, &label);
    if (status == EDGEOPS_OK) {
        label.author = "y";
        label.start++;
        status = edgeops_label_add_new(&result, store, &label, 1);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_label_list(NULL, store, &query, ignore_label, NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_label_stats(&json, store, &options);
        eop_free(json);
    }
    if (status == EDGEOPS_OK) {
        status = eop_store_verify(&sum, store, &handler);
    }
    return status == EDGEOPS_OK ? eop_store_backup(store, copy, NULL, NULL, NULL) : status;
}

Test(store_backup, every_failed_allocation_is_reported_and_lets_go) {
    edgeops_allocator allocator = {counting_alloc, counting_realloc, counting_free, NULL};
    edgeops_label label = {.asset = "a", .start = 0, .end = 10, .label = "l"};
    int64_t id = 0;
    CHECK_OK(edgeops_set_allocator(&allocator));
    edgeops_store *store = open_store();
    fill(store, "a", 0, 300);
    CHECK_OK(edgeops_label_add(&id, store, &label, 1));
    CHECK_OK(eop_store_flush(store));
    fill(store, "a", 300, 400);
    freeze(store, "d", "a");
    snprintf(copy, sizeof copy, "%s/copy", folder);
    long n = 0;
    for (bool done = false; !done;) {
        CHECK_OK(eop_mkdirs(copy, 0700));
        atomic_store(&counter, 0);
        atomic_store(&fail_at, ++n);
        edgeops_status status = add_verify_copy(store, &id);
        done = atomic_load(&counter) < n;
        atomic_store(&fail_at, 0);
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM, "allocation %ld: %s", n,
                  edgeops_error_last()->message);
        cr_assert(!done || status == EDGEOPS_OK);
        cr_assert_eq(store->backups, 0, "allocation %ld", n);
        if (!done) {
            CHECK_OK(eop_remove_tree(copy));
        }
    }
    cr_assert_gt(n, 50);
    check_rows(store, "a", 400);
    edgeops_store_close(store);
    store = open_copy();
    check_rows(store, "a", 400);
    edgeops_store_close(store);
}

/* -- every call to the disk fails once -- */

/* The home's files and the copy's; what is acknowledged stays, and a copy that is told to be good
 * is good. */
static void fail_each(unsigned calls, const char *name, int error, edgeops_status expected) {
    disk_plan plan = {.calls = calls, .name = name, .error = error, .action = DISK_FAIL};
    bool done = false;
    edgeops_store *store = open_store();
    fill(store, "a", 0, 2000);
    CHECK_OK(eop_store_flush(store));
    fill(store, "a", 2000, 2100);
    snprintf(copy, sizeof copy, "%s/copy", folder);
    for (plan.nth = 1; !done; plan.nth++) {
        CHECK_OK(eop_mkdirs(copy, 0700));
        disk_watch(folder, false);
        disk_set(&plan);
        edgeops_status status = eop_store_backup(store, copy, NULL, NULL, NULL);
        done = !disk_happened();
        disk_release();
        cr_assert(done ? status == EDGEOPS_OK : status == expected, "call %d: %d, %s",
                  (int)plan.nth, (int)status, edgeops_error_last()->message);
        cr_assert_eq(store->backups, 0);
        if (!done) {
            CHECK_OK(eop_remove_tree(copy));
        }
    }
    cr_assert_gt(plan.nth, 2);
    edgeops_store_close(store);
    store = open_copy();
    check_rows(store, "a", 2100);
    edgeops_store_close(store);
}

Test(store_backup, a_full_disk_is_told) {
    fail_each(DISK_WRITE, "/copy/", ENOSPC, EDGEOPS_E_LIMIT);
}

Test(store_backup, a_failed_write_is_told) {
    fail_each(DISK_WRITE, "/copy/", EIO, EDGEOPS_E_IO);
}

Test(store_backup, a_failed_sync_is_told) {
    fail_each(DISK_SYNC, "/copy/", EIO, EDGEOPS_E_IO);
}
