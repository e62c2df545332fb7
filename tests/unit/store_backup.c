/* SPDX-License-Identifier: Apache-2.0 */
/* A backup of a store in use has all that was acknowledged before, and nothing half done. */
#include <errno.h>
#include <fcntl.h>
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

/* -- a journal that goes bad under a running store -- */

enum { FRAME = 56 }; /* bytes of a frame with one INT64 */

static char *active_path(edgeops_store *store) {
    return eop_format("%s/data/journal/%016d.seg", home, (int)eop_journal_active(store->journal));
}

/* Negative: counted from the end of the frames. */
static void flip(edgeops_store *store, int offset) {
    char *path = active_path(store);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    off_t at = offset >= 0 ? offset : 64 + (off_t)eop_journal_used(store->journal) + offset;
    char byte = 0;
    cr_assert_geq(fd, 0, "%s", path);
    cr_assert_eq(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    cr_assert_eq(pwrite(fd, &byte, 1, at), 1);
    close(fd);
    eop_free(path);
}

static void flip_header(edgeops_store *store) {
    flip(store, 16);
}

static void flip_first(edgeops_store *store) {
    flip(store, 64 + 16 + 5);
}

static void flip_middle(edgeops_store *store) {
    flip(store, 64 + 300 * FRAME + 20);
}

static void flip_last(edgeops_store *store) {
    flip(store, -FRAME + 16 + 5);
}

static void cut_in_frames(edgeops_store *store) {
    char *path = active_path(store);
    cr_assert_eq(truncate(path, 64 + 100 * FRAME), 0);
    eop_free(path);
}

static void cut_all(edgeops_store *store) {
    char *path = active_path(store);
    cr_assert_eq(truncate(path, 0), 0);
    eop_free(path);
}

static void remove_file(edgeops_store *store) {
    char *path = active_path(store);
    cr_assert_eq(unlink(path), 0);
    eop_free(path);
}

static void count_moment(void *user_data) {
    ++*(int *)user_data;
}

/* Into an empty folder; returns how many moments were chosen, one for each copy. */
static int copy_counted(edgeops_store *store) {
    int moments = 0;
    snprintf(copy, sizeof copy, "%s/copy", folder);
    CHECK_OK(eop_remove_tree(copy));
    CHECK_OK(eop_mkdirs(copy, 0700));
    CHECK_OK(eop_store_backup(store, copy, NULL, count_moment, &moments));
    cr_assert_eq(store->backups, 0);
    return moments;
}

static void check_copy(uint64_t rows) {
    char first[sizeof home];
    eop_store_stats stats;
    strcpy(first, home);
    edgeops_store *store = open_copy();
    CHECK_OK(eop_store_get_stats(store, &stats));
    cr_expect_eq(stats.damaged, 0);
    check_rows(store, "a", rows);
    edgeops_store_close(store);
    strcpy(home, first);
}

Test(store_backup, has_what_the_journal_lost_while_the_store_was_open) {
    static void (*const harms[])(edgeops_store *) = {
        flip_header, flip_first, flip_middle, flip_last, cut_in_frames, cut_all, remove_file};
    edgeops_store *store = open_store();
    int rows = 0;
    for (size_t i = 0; i < EOP_COUNT(harms); i++) {
        fill(store, "a", rows, rows + 700);
        rows += 700;
        harms[i](store);
        /* No moment can be chosen while a file is missing. */
        cr_expect_eq(copy_counted(store), harms[i] == remove_file ? 1 : 2, "harm %d", (int)i);
        check_copy((uint64_t)rows);
        /* The home is sound again, too. */
        cr_expect_eq(copy_counted(store), 1, "harm %d", (int)i);
    }
    edgeops_store_close(store);
    store = open_store();
    check_rows(store, "a", (uint64_t)rows);
    edgeops_store_close(store);
}

Test(store_backup, leaves_a_bad_segment_without_rows) {
    static void (*const harms[])(edgeops_store *) = {flip_header, cut_all, remove_file};
    edgeops_store *store = open_store();
    fill(store, "a", 0, 10);
    for (int i = 0; i < (int)EOP_COUNT(harms); i++) {
        CHECK_OK(eop_store_flush(store));
        harms[i](store);
        (void)copy_counted(store);
        check_copy(10 + 10 * (uint64_t)i);
        fill(store, "a", 10 + 10 * i, 20 + 10 * i);
        cr_expect_eq(copy_counted(store), 1, "harm %d", i);
        check_copy(20 + 10 * (uint64_t)i);
    }
    edgeops_store_close(store);
}

/* The store itself has no more than that. */
Test(store_backup, copies_what_was_damaged_at_the_opening_once) {
    pid_t child = fork();
    cr_assert_geq(child, 0);
    if (child == 0) {
        edgeops_store *killed = open_store();
        fill(killed, "a", 0, 700);
        flip_middle(killed);
        _exit(0);
    }
    cr_assert_eq(waitpid(child, NULL, 0), child);
    edgeops_store *store = open_store();
    cr_assert_eq(count_rows(store, "a"), 699);
    cr_expect_eq(copy_counted(store), 1);
    /* A second frame beside the first one is not known. */
    flip(store, 64 + 301 * FRAME + 20);
    cr_expect_eq(copy_counted(store), 2);
    edgeops_store_close(store);
    store = open_copy();
    cr_expect_eq(count_rows(store, "a"), 699);
    edgeops_store_close(store);
}

static void flip_each_time(void *user_data) {
    flip_header(user_data);
}

static void cut_each_time(void *user_data) {
    cut_all(user_data);
}

Test(store_backup, tells_a_journal_that_stays_bad) {
    static void (*const harms[])(void *) = {flip_each_time, cut_each_time};
    edgeops_store *store = open_store();
    for (size_t i = 0; i < EOP_COUNT(harms); i++) {
        fill(store, "a", (int)i * 700, (int)i * 700 + 700);
        snprintf(copy, sizeof copy, "%s/copy-%d", folder, (int)i);
        CHECK_OK(eop_mkdirs(copy, 0700));
        CHECK_CODE(EDGEOPS_E_CORRUPT, eop_store_backup(store, copy, NULL, harms[i], store));
        char *path = active_path(store);
        const char *text = edgeops_error_last()->message;
        cr_expect(strstr(text, path) != NULL, "%s", text);
        cr_expect(strstr(text, "'doctor --deep'") != NULL, "%s", text);
        cr_assert_eq(store->backups, 0);
        eop_free(path);
    }
    (void)copy_counted(store);
    check_copy(1400);
    edgeops_store_close(store);
}

Test(store_backup, of_a_sound_home_under_load_is_copied_once) {
    load l = {.store = open_store()};
    pthread_t thread;
    cr_assert_eq(pthread_create(&thread, NULL, append_on, &l), 0);
    for (int round = 0; round < 20; round++) {
        usleep(5000);
        cr_expect_eq(copy_counted(l.store), 1, "round %d", round);
    }
    atomic_store(&l.stop, true);
    pthread_join(thread, NULL);
    edgeops_store_close(l.store);
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
