/* SPDX-License-Identifier: Apache-2.0 */
/* Files of blobs: on the disk before what promises them, whatever call a power cut comes before;
 * damaged ones are told by asset and mended when the same bytes come again. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/str.h"
#include "dataset/dataset.h"
#include "edgeops/dataset.h"
#include "store/blob.h"
#include "store/blob_sync.h"
#include "store/inner.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/verify.h"
#include "store_fixture.h"
#include "support/disk.h"
#include "support/life.h"

TestSuite(store_blob, .init = make_home, .fini = remove_home, .timeout = 200);

enum { IMAGE_MAX = 3000 };

static edgeops_status open_as(edgeops_store **store, edgeops_durability durability) {
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 1;
    options.durability = durability;
    options.sync_interval = EDGEOPS_FOREVER; /* a test says when */
    return edgeops_store_open(store, home, &options);
}

static edgeops_store *open_process(void) {
    edgeops_store *store = NULL;
    CHECK_OK(open_as(&store, EDGEOPS_DURABILITY_PROCESS));
    return store;
}

/* Rows 2 and 3, 4 and 5, ... have the same image. */
static size_t make_image(char image[IMAGE_MAX], int n) {
    uint64_t state = (uint64_t)(n / 2) * 7919 + 1;
    size_t size = 100 + (size_t)(n / 2 * 577 % (IMAGE_MAX - 100));
    for (size_t i = 0; i < size; i++) {
        state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
        image[i] = (char)(state >> 56);
    }
    return size;
}

static edgeops_status put_image(edgeops_store *store, const char *asset, int n) {
    char image[IMAGE_MAX];
    size_t size = make_image(image, n);
    return put(store, asset, n, 0, "image",
               (edgeops_value){.type = EDGEOPS_TYPE_BLOB, .size = (uint32_t)size, .as.data = image},
               NULL);
}

/* What reading the image of a row gives; *there: whether there is such a row. */
static edgeops_status get_image(bool *there, edgeops_store *store, const char *asset, int n) {
    char wanted[IMAGE_MAX];
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    edgeops_blob blob;
    void *data = NULL;
    size_t size = 0;
    query.asset = asset;
    query.start = n;
    query.end = n + 1;
    edgeops_status status = edgeops_store_read(&table, store, &query);
    *there = status == EDGEOPS_OK && table->rows == 1;
    if (!*there) {
        edgeops_table_free(table);
        return EDGEOPS_OK;
    }
    memcpy(&blob, table->columns[0].data, sizeof blob);
    edgeops_table_free(table);
    status = edgeops_blob_read(&data, &size, store, blob.digest);
    cr_assert(status != EDGEOPS_OK ||
              (size == make_image(wanted, n) && memcmp(data, wanted, size) == 0));
    edgeops_free(data);
    return status;
}

static char *path_of(edgeops_store *store, int n) {
    char image[IMAGE_MAX];
    char hex[65];
    uint8_t digest[32];
    CHECK_OK(eop_sha256_of(hex, image, make_image(image, n)));
    cr_assert(eop_hex_take(digest, 32, hex));
    return eop_blob_path(store, digest);
}

/* -- cuts -- */

typedef enum act { CHUNK, FREEZE, SWITCH, CLOSE, POWER, ACTS } act;
static const char *const act_names[ACTS] = {"chunk", "freeze", "switch", "close", "power"};

enum { ROWS = 12, LAST = ROWS + 1 };

typedef struct shared {
    _Atomic int acknowledged; /* rows 2.. */
    _Atomic bool done;
    _Atomic bool failed;
} shared;
static shared *told;

static edgeops_status make_dataset(edgeops_store *store, const char *name) {
    const char *asset = "cam";
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = name;
    options.assets = &asset;
    options.asset_count = 1;
    return edgeops_dataset_create(store, &options);
}

static edgeops_status promise(edgeops_store *store, act what) {
    switch (what) {
    case CHUNK:
        return eop_store_flush(store);
    case FREEZE:
        return make_dataset(store, "d");
    case SWITCH:
        return edgeops_store_set_durability(store, EDGEOPS_DURABILITY_POWER);
    case CLOSE:
        edgeops_store_close(store);
        return EDGEOPS_OK;
    default:
        return EDGEOPS_OK;
    }
}

/* Nothing of Criterion here. */
static void append_and_promise(act what, const disk_plan *plan, bool before) {
    edgeops_store *store = NULL;
    char blobs[200];
    edgeops_status status = EDGEOPS_OK;
    disk_watch(folder, true);
    if (before) {
        snprintf(blobs, sizeof blobs, "%s/data/blobs", home);
        disk_doubt(blobs);
    }
    disk_set(plan);
    status = open_as(&store, what == POWER ? EDGEOPS_DURABILITY_POWER : EDGEOPS_DURABILITY_PROCESS);
    for (int n = 2; !before && status == EDGEOPS_OK && n <= LAST; n++) {
        status = put_image(store, "cam", n);
        if (status == EDGEOPS_OK) {
            atomic_store(&told->acknowledged, n);
        }
    }
    if (status == EDGEOPS_OK) {
        status = promise(store, what);
    }
    atomic_store(&told->failed, status != EDGEOPS_OK);
    atomic_store(&told->done, status == EDGEOPS_OK);
    disk_cut(plan->seed);
}

/* Rows in chunks have their images, a dataset its own; what was promised is there. */
static void check_promise(act what, const char *when) {
    edgeops_store *store = NULL;
    bool done = atomic_load(&told->done);
    int rows = 0;
    int64_t in_chunks = 0;
    char path[200];
    snprintf(path, sizeof path, "%s/data/telemetry.db", home);
    if (eop_file_exists(path) &&
        ask_sql("data/telemetry.db", "SELECT count(*) FROM sqlite_master WHERE name = 'chunk'") >
            0) {
        in_chunks = ask_sql("data/telemetry.db", "SELECT coalesce(max(ord1), 0) FROM chunk");
    }
    CHECK_OK(open_as(&store, EDGEOPS_DURABILITY_DEFAULT));
    for (int n = 2; n <= LAST; n++) {
        bool there = false;
        edgeops_status status = get_image(&there, store, "cam", n);
        bool wanted =
            n - 1 <= in_chunks || done || (what == POWER && n <= atomic_load(&told->acknowledged));
        rows += there;
        cr_assert(status == EDGEOPS_OK || !wanted, "%s, %s: the image of row %d: %s",
                  act_names[what], when, n, edgeops_error_last()->message);
        cr_assert(there || what != POWER || n > atomic_load(&told->acknowledged), "%s: row %d",
                  when, n);
    }
    cr_assert(!done || what == CLOSE || rows == ROWS, "%s, %s: %d rows", act_names[what], when,
              rows);
    edgeops_status status = edgeops_dataset_verify(store, "d");
    cr_assert(status == EDGEOPS_OK || (status == EDGEOPS_E_NOTFOUND && (what != FREEZE || !done)),
              "%s, %s: %s", act_names[what], when, edgeops_error_last()->message);
    edgeops_store_close(store);
}

static void run_child(act what, const disk_plan *plan, bool before) {
    int status = 0;
    atomic_store(&told->acknowledged, 0);
    atomic_store(&told->done, false);
    atomic_store(&told->failed, false);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) {
        append_and_promise(what, plan, before);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
    cr_assert(!atomic_load(&told->failed), "%s failed", act_names[what]);
    cr_assert(disk_restore(folder));
}

/* A process that appends and is killed at once. */
static void append_and_die(void) {
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        edgeops_store *store = NULL;
        status = open_as(&store, EDGEOPS_DURABILITY_PROCESS) != EDGEOPS_OK;
        for (int n = 2; status == 0 && n <= LAST; n++) {
            status = put_image(store, "cam", n) != EDGEOPS_OK;
        }
        _exit(status);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Cuts before each call, until one comes after the promise. */
static void cut_everywhere(act what, bool before) {
    uint64_t step = life_rounds(1) > 1 ? 1 : 5;
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cr_assert(told != MAP_FAILED);
    for (uint64_t nth = 1;; nth += step) {
        char when[64];
        disk_plan plan = {.calls = DISK_ANY, .nth = nth, .action = DISK_CUT, .seed = nth * 31 + 7};
        snprintf(when, sizeof when, "cut before call %d", (int)nth);
        CHECK_OK(eop_mkdirs(folder, 0700));
        if (before) {
            append_and_die();
        }
        run_child(what, &plan, before);
        check_promise(what, when);
        bool done = atomic_load(&told->done);
        CHECK_OK(eop_remove_tree(home));
        if (done) {
            break;
        }
        cr_assert_lt(nth, 3000);
    }
    munmap(told, sizeof *told);
}

Test(store_blob, images_are_on_the_disk_before_their_chunk) {
    cut_everywhere(CHUNK, false);
}
Test(store_blob, images_are_on_the_disk_before_their_dataset) {
    cut_everywhere(FREEZE, false);
}
Test(store_blob, images_are_on_the_disk_when_the_durability_is_power) {
    cut_everywhere(SWITCH, false);
}
Test(store_blob, images_are_on_the_disk_after_a_close) {
    cut_everywhere(CLOSE, false);
}
Test(store_blob, images_are_on_the_disk_when_an_append_with_power_returns) {
    cut_everywhere(POWER, false);
}
Test(store_blob, images_that_a_killed_process_left_are_on_the_disk_before_their_chunk) {
    cut_everywhere(CHUNK, true);
}
Test(store_blob, images_that_a_killed_process_left_are_on_the_disk_before_their_dataset) {
    cut_everywhere(FREEZE, true);
}
Test(store_blob, images_that_a_killed_process_left_are_on_the_disk_with_power) {
    cut_everywhere(SWITCH, true);
}

/* -- the durability changes while images come -- */

static void *append_on(void *data) {
    for (int n = 2; n < 400; n++) {
        if (put_image(data, "cam", n) != EDGEOPS_OK) {
            _exit(2);
        }
        atomic_store(&told->acknowledged, n);
    }
    return NULL;
}

/* All that was acknowledged before the switch began or after it ended is there after a cut. held:
 * one append has begun to store its image before, and goes on after. */
static void switch_and_cut(uint64_t seed, bool held) {
    edgeops_store *store = NULL;
    pthread_t thread;
    disk_watch(folder, true);
    if (open_as(&store, EDGEOPS_DURABILITY_PROCESS) != EDGEOPS_OK) {
        _exit(3);
    }
    if (held) {
        pthread_rwlock_wrlock(&store->blob_lock);
    }
    if (pthread_create(&thread, NULL, append_on, store) != 0) {
        _exit(4);
    }
    for (int i = 0; held ? i < 2000 : atomic_load(&told->acknowledged) < 20; i++) {
        sched_yield();
    }
    if (edgeops_store_set_durability(store, EDGEOPS_DURABILITY_POWER) != EDGEOPS_OK) {
        _exit(5);
    }
    if (held) {
        pthread_rwlock_unlock(&store->blob_lock);
        while (atomic_load(&told->acknowledged) < 2) {
            sched_yield();
        }
    }
    disk_cut(seed);
}

static void switch_often(bool held) {
    told = mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; i < life_rounds(12); i++) {
        int status = 0;
        edgeops_store *store = NULL;
        CHECK_OK(eop_mkdirs(folder, 0700));
        atomic_store(&told->acknowledged, 0);
        pid_t pid = fork();
        if (pid == 0) {
            switch_and_cut((uint64_t)i * 131 + 5, held);
        }
        cr_assert_eq(waitpid(pid, &status, 0), pid);
        cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "%x", (unsigned)status);
        cr_assert(disk_restore(folder));
        CHECK_OK(open_as(&store, EDGEOPS_DURABILITY_DEFAULT));
        for (int n = 2; n <= atomic_load(&told->acknowledged); n++) {
            bool there = false;
            CHECK_OK(get_image(&there, store, "cam", n));
            cr_assert(there, "row %d of %d", n, atomic_load(&told->acknowledged));
        }
        edgeops_store_close(store);
        CHECK_OK(eop_remove_tree(home));
    }
    munmap(told, sizeof *told);
}

Test(store_blob, images_that_come_while_the_durability_becomes_power_are_kept) {
    switch_often(false);
}
Test(store_blob, image_of_an_append_that_began_before_the_durability_was_power_is_kept) {
    switch_often(true);
}

/* -- damage -- */

typedef enum damage { EMPTY, SHORT, LONG, OTHER, LINK, DANGLING, FOLDER, GONE, DAMAGES } damage;
static const char *const damage_names[DAMAGES] = {"empty", "short",         "long",   "other bytes",
                                                  "link",  "dangling link", "folder", "gone"};

static void do_damage(edgeops_store *store, int n, damage how) {
    char image[IMAGE_MAX + 1];
    size_t size = make_image(image, n);
    char *path = path_of(store, n);
    char *elsewhere = eop_format("%s/elsewhere", folder);
    image[size] = 'x';
    cr_assert(how == GONE || how >= LINK || truncate(path, how == SHORT ? 50 : 0) == 0);
    if (how == LONG || how == OTHER) {
        FILE *f = fopen(path, "w");
        image[size / 2] ^= how == OTHER;
        cr_assert_eq(fwrite(image, 1, size + (how == LONG), f), size + (how == LONG));
        fclose(f);
    } else if (how >= LINK) {
        cr_assert_eq(unlink(path), 0);
        cr_assert(how != FOLDER || mkdir(path, 0700) == 0);
        CHECK_OK(eop_file_write(elsewhere, "not it", 6, 0600));
        cr_assert(how != LINK || symlink(elsewhere, path) == 0);
        cr_assert(how != DANGLING || symlink("/nowhere/at/all", path) == 0);
    }
    eop_free(elsewhere);
    eop_free(path);
}

static void expect_image(edgeops_store *store, const char *asset, int n, const char *when) {
    bool there = false;
    edgeops_status status = get_image(&there, store, asset, n);
    cr_assert(there && status == EDGEOPS_OK, "%s: row %d: %s", when, n,
              edgeops_error_last()->message);
}

static void expect_damage(edgeops_store *store, int n, damage how) {
    bool there = false;
    edgeops_status wanted = how == GONE || how == DANGLING ? EDGEOPS_E_NOTFOUND : EDGEOPS_E_CORRUPT;
    edgeops_status status = get_image(&there, store, "cam", n);
    cr_assert(there && status == wanted, "%s: %s", damage_names[how], edgeops_status_name(status));
    cr_assert(strstr(edgeops_error_last()->message, "again") != NULL &&
                  strstr(edgeops_error_last()->message, "backup") != NULL,
              "%s", edgeops_error_last()->message);
}

static void mend_each_kind(edgeops_durability durability, bool in_chunks) {
    edgeops_store *store = NULL;
    char elsewhere[100];
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    CHECK_OK(open_as(&store, durability));
    for (damage how = EMPTY; how < DAMAGES; how++) {
        int n = 10 * how + 10;
        CHECK_OK(put_image(store, "cam", n));
        if (in_chunks) {
            CHECK_OK(eop_store_flush(store));
        }
        do_damage(store, n, how);
        expect_damage(store, n, how);
        CHECK_OK(put_image(store, "cam", n)); /* the same sample */
        expect_image(store, "cam", n, damage_names[how]);
        do_damage(store, n, how);
        CHECK_OK(put_image(store, "cam", n + 1)); /* another one of the same asset */
        expect_image(store, "cam", n, damage_names[how]);
        do_damage(store, n, how);
        CHECK_OK(put_image(store, "other", n)); /* of another asset */
        expect_image(store, "cam", n + 1, damage_names[how]);
        char *text = NULL;
        CHECK_OK(eop_file_read(&text, NULL, elsewhere, 100));
        cr_assert_str_eq(text, "not it", "%s", damage_names[how]); /* a link leads nowhere */
        eop_free(text);
    }
    edgeops_store_close(store);
}

static void enter_elsewhere(void) {
    char path[100];
    snprintf(path, sizeof path, "%s/elsewhere", folder);
    CHECK_OK(eop_file_write(path, "not it", 6, 0600));
}

Test(store_blob, damaged_image_is_mended_by_the_same_image) {
    enter_elsewhere();
    mend_each_kind(EDGEOPS_DURABILITY_PROCESS, false);
}
Test(store_blob, damaged_image_of_a_chunk_is_mended) {
    enter_elsewhere();
    mend_each_kind(EDGEOPS_DURABILITY_PROCESS, true);
}
Test(store_blob, damaged_image_is_mended_with_power) {
    enter_elsewhere();
    mend_each_kind(EDGEOPS_DURABILITY_POWER, true);
}

Test(store_blob, folder_with_files_in_the_place_of_an_image_is_told) {
    edgeops_store *store = open_process();
    CHECK_OK(put_image(store, "cam", 2));
    do_damage(store, 2, FOLDER);
    char *path = path_of(store, 2);
    char *inside = eop_path_join(path, "precious");
    CHECK_OK(eop_file_write(inside, "x", 1, 0600));
    CHECK_CODE(EDGEOPS_E_IO, put_image(store, "cam", 3));
    cr_assert(strstr(edgeops_error_last()->message, "is a folder") != NULL);
    cr_assert(eop_file_exists(inside));
    cr_assert_eq(count_rows(store, "cam"), 1);
    CHECK_OK(eop_remove_tree(path));
    CHECK_OK(put_image(store, "cam", 3));
    expect_image(store, "cam", 2, "folder moved");
    eop_free(inside);
    eop_free(path);
    edgeops_store_close(store);
}

/* A file that cannot be opened or read is replaced like one that is damaged. */
Test(store_blob, unreadable_image_is_replaced) {
    edgeops_store *store = open_process();
    CHECK_OK(put_image(store, "cam", 2));
    char *path = path_of(store, 2);
    disk_watch(folder, false);
    disk_plan plan = {.calls = DISK_OPEN,
                      .name = strrchr(path, '/'),
                      .nth = 1,
                      .error = EACCES,
                      .action = DISK_FAIL};
    disk_set(&plan);
    CHECK_OK(put_image(store, "cam", 3));
    cr_assert(disk_happened());
    plan.times = 1000;
    disk_set(&plan);
    bool there = false;
    CHECK_CODE(EDGEOPS_E_DENIED, get_image(&there, store, "cam", 2));
    disk_release();
    expect_image(store, "cam", 2, "unreadable");
    eop_free(path);
    edgeops_store_close(store);
}

/* Nothing stops because of it: the rows become chunks. */
Test(store_blob, damaged_image_does_not_hold_back_its_chunk) {
    edgeops_store *store = open_process();
    for (damage how = EMPTY; how < DAMAGES; how++) {
        CHECK_OK(put_image(store, "cam", 2 + 2 * how));
        do_damage(store, 2 + 2 * how, how);
    }
    CHECK_OK(eop_store_flush(store));
    cr_assert_eq(ask_sql("data/telemetry.db", "SELECT max(ord1) FROM chunk"), DAMAGES);
    /* The process that wrote them left them whole, so what is there is no remains of a cut. */
    for (damage how = EMPTY; how < DAMAGES; how++) {
        expect_damage(store, 2 + 2 * how, how);
    }
    edgeops_store_close(store);
}

/* After a sync that failed the bytes go into a new file; only when that fails, too, it is an
 * error. */
Test(store_blob, failed_sync_of_an_image_is_made_up_for) {
    char shard[4];
    edgeops_store *store = open_process();
    CHECK_OK(put_image(store, "cam", 2));
    char *path = path_of(store, 2);
    struct stat before;
    struct stat after;
    cr_assert_eq(stat(path, &before), 0);
    snprintf(shard, sizeof shard, "%.2s/", strrchr(path, '/') - 2);
    disk_watch(folder, false);
    disk_plan plan = {.calls = DISK_SYNC, .name = shard, .nth = 1, .times = 2, .action = DISK_FAIL};
    disk_set(&plan);
    CHECK_CODE(EDGEOPS_E_IO, eop_store_sync(store));
    cr_assert(disk_happened());
    plan.times = 1;
    disk_set(&plan);
    CHECK_OK(eop_store_sync(store));
    cr_assert_eq(stat(path, &after), 0);
    cr_assert_neq(before.st_ino, after.st_ino);
    disk_set(&plan);
    CHECK_OK(eop_store_sync(store));
    cr_assert_not(disk_happened(), "it was synced before");
    disk_release();
    expect_image(store, "cam", 2, "failed sync");
    eop_free(path);
    edgeops_store_close(store);
}

/* What a power cut leaves of images that were not synced. */
Test(store_blob, incomplete_image_of_a_row_that_came_back_is_removed) {
    edgeops_store *store = NULL;
    bool there = false;
    append_and_die();
    CHECK_OK(open_as(&store, EDGEOPS_DURABILITY_DEFAULT));
    do_damage(store, 2, EMPTY);
    do_damage(store, 4, OTHER);
    do_damage(store, 6, GONE);
    CHECK_CODE(EDGEOPS_E_CORRUPT, get_image(&there, store, "cam", 5));
    CHECK_CODE(EDGEOPS_E_CORRUPT, make_dataset(store, "d"));
    cr_assert(strstr(edgeops_error_last()->message, "asset 'cam', channel 'image' at 1970-01-01T00:"
                                                    "00:00.000000002Z") != NULL,
              "%s", edgeops_error_last()->message);
    CHECK_CODE(EDGEOPS_E_NOTFOUND, get_image(&there, store, "cam", 2));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, get_image(&there, store, "cam", 5));
    CHECK_OK(put_image(store, "cam", 2));
    CHECK_OK(put_image(store, "cam", 5));
    CHECK_OK(put_image(store, "cam", 7));
    CHECK_OK(make_dataset(store, "d"));
    CHECK_OK(edgeops_dataset_verify(store, "d"));
    edgeops_store_close(store);
}

static void note_line(edgeops_log_level level, const char *subsystem, const char *message,
                      void *user_data) {
    (void)level;
    (void)subsystem;
    eop_buf_printf(user_data, "%s\n", message);
}

/* After a clean close damage is no remains of a cut: it stays as it is, to be looked at. */
Test(store_blob, damaged_image_stays_after_a_close) {
    edgeops_store *store = open_process();
    bool there = false;
    CHECK_OK(put_image(store, "cam", 2));
    CHECK_OK(put_image(store, "cam", 4));
    edgeops_store_close(store);
    store = open_process();
    do_damage(store, 2, OTHER);
    disk_watch(folder, false);
    disk_plan plan = {.calls = DISK_SYNC, .name = "/data/blobs/", .action = DISK_NOTHING};
    disk_set(&plan);
    CHECK_OK(eop_store_flush(store));
    cr_assert_eq(disk_counted(), 0); /* nor are the others synced again */
    disk_release();
    CHECK_CODE(EDGEOPS_E_CORRUPT, get_image(&there, store, "cam", 2));
    CHECK_OK(put_image(store, "cam", 3));
    expect_image(store, "cam", 2, "after a close");
    edgeops_store_close(store);
}

/* A close that could not sync them does not count. */
Test(store_blob, images_that_a_close_could_not_sync_are_synced_later) {
    edgeops_store *store = open_process();
    disk_watch(folder, false);
    CHECK_OK(put_image(store, "cam", 2));
    disk_plan plan = {
        .calls = DISK_SYNC, .name = "/data/blobs/", .nth = 1, .times = 100, .action = DISK_FAIL};
    disk_set(&plan);
    edgeops_store_close(store);
    cr_assert(disk_happened());
    plan.action = DISK_NOTHING;
    disk_set(&plan);
    store = open_process();
    CHECK_OK(eop_store_flush(store));
    cr_assert_geq(disk_counted(), 2);
    disk_release();
    expect_image(store, "cam", 2, "after a failed sync");
    edgeops_store_close(store);
}

Test(store_blob, log_tells_what_a_cut_took_and_what_was_mended) {
    edgeops_store *store = NULL;
    eop_buf lines = {0};
    append_and_die();
    CHECK_OK(open_as(&store, EDGEOPS_DURABILITY_DEFAULT));
    eop_store_set_log(store, &(eop_log){note_line, &lines, EDGEOPS_LOG_WARN});
    do_damage(store, 2, EMPTY);
    do_damage(store, 4, EMPTY);
    do_damage(store, 6, OTHER);
    CHECK_OK(eop_store_flush(store));
    do_damage(store, 8, OTHER);
    CHECK_OK(put_image(store, "cam", 9));
    CHECK_OK(eop_store_flush(store));
    CHECK_OK(put_image(store, "cam", 100)); /* the writer has another turn */
    CHECK_OK(eop_store_flush(store));
    eop_store_set_log(store, &(eop_log){0});
    edgeops_store_close(store);
    char *text = eop_buf_take(&lines);
    cr_assert(strstr(text, "asset 'cam': 3 blobs are lost or damaged, the first: '") != NULL, "%s",
              text);
    cr_assert(strstr(text, "1 damaged files in '") != NULL, "%s", text);
    eop_free(text);
}

/* -- datasets and verify -- */

static void note_finding(const eop_finding *f, void *user_data) {
    eop_buf_printf(user_data, "%s|%s|%s|%d|%d|%.40s\n", f->what, f->asset != NULL ? f->asset : "",
                   f->channel != NULL ? f->channel : "", (int)(f->has_range ? f->first : -1),
                   (int)(f->has_range ? f->last : -1), f->detail);
}

static edgeops_status go_on(double part, void *user_data) {
    (void)user_data;
    cr_assert(part >= 0 && part <= 1);
    return EDGEOPS_OK;
}

static char *verify(edgeops_store *store, uint64_t *blobs) {
    eop_buf out = {0};
    eop_verified sum = {0};
    eop_verify_handler handler = {
        .above = eop_datasets_check, .finding = note_finding, .progress = go_on, .user_data = &out};
    CHECK_OK(eop_store_verify(&sum, store, &handler));
    *blobs = sum.blobs;
    eop_buf_puts(&out, "");
    return eop_buf_take(&out);
}

Test(store_blob, damage_is_reported_by_asset_and_channel) {
    edgeops_store *store = open_process();
    uint64_t blobs = 0;
    for (int n = 2; n <= 21; n++) {
        CHECK_OK(put_image(store, n <= 11 ? "cam" : "m/b", n));
        if (n == 15) {
            CHECK_OK(eop_store_flush(store)); /* the others are in the journal only */
        }
    }
    CHECK_OK(make_dataset(store, "d"));
    char *text = verify(store, &blobs);
    cr_assert_str_eq(text, "");
    cr_assert_eq(blobs, 10);
    eop_free(text);
    do_damage(store, 4, OTHER);
    do_damage(store, 6, GONE);
    do_damage(store, 14, EMPTY);
    do_damage(store, 20, OTHER);
    text = verify(store, &blobs);
    cr_assert_str_eq(text,
                     "dataset d|||-1|-1|dataset 'd': asset 'cam', channel 'image\n"
                     "blobs|cam|image|4|7|2 samples lack a blob, 2 have a damaged \n"
                     "blobs|m/b|image|14|21|0 samples lack a blob, 4 have a damaged \n",
                     "%s", text);
    eop_free(text);
    edgeops_store_close(store);
}

Test(store_blob, image_without_a_sample_is_reported_without_an_asset) {
    edgeops_store *store = open_process();
    uint64_t blobs = 0;
    CHECK_OK(put_image(store, "cam", 2));
    CHECK_OK(put_image(store, "gone", 4));
    CHECK_OK(edgeops_asset_remove(store, "gone"));
    CHECK_OK(eop_store_flush(store));
    do_damage(store, 4, OTHER);
    char *text = verify(store, &blobs);
    cr_assert_eq(strncmp(text, "blob ", 5), 0, "%s", text);
    cr_assert(strstr(text, "|||-1|-1|has other content than its name says; no") != NULL, "%s",
              text);
    eop_free(text);
    edgeops_store_close(store);
}

Test(store_blob, dataset_check_reads_its_images) {
    edgeops_store *store = open_process();
    const char *cam = "cam";
    for (int n = 2; n <= 9; n++) {
        CHECK_OK(put_image(store, "cam", n));
    }
    CHECK_OK(put(store, "cam", 100, 0, "other", f64(1), NULL));
    CHECK_OK(make_dataset(store, "d"));
    CHECK_OK(edgeops_dataset_verify(store, "d"));
    do_damage(store, 6, OTHER);
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_dataset_verify(store, "d"));
    CHECK_OK(eop_dataset_verify(store, "d", EOP_VERIFY_VALUES, NULL, NULL));
    do_damage(store, 6, GONE);
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_dataset_verify(store, "d"));
    CHECK_CODE(EDGEOPS_E_CORRUPT, make_dataset(store, "e"));
    /* Not of this one. */
    const char *channel = "other";
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = "f";
    options.assets = &cam;
    options.asset_count = 1;
    options.channels = &channel;
    options.channel_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
    CHECK_OK(put_image(store, "cam", 7));
    CHECK_OK(edgeops_dataset_verify(store, "d"));
    CHECK_OK(make_dataset(store, "e"));
    edgeops_store_close(store);
}

/* -- many -- */

/* More than one batch of a sync, and more than wait for it. */
Test(store_blob, many_images_are_synced_each_once) {
    enum { MANY = 6000 };
    edgeops_store *store = NULL;
    append_and_die();
    CHECK_OK(open_as(&store, EDGEOPS_DURABILITY_PROCESS));
    disk_watch(folder, false);
    disk_plan plan = {.calls = DISK_SYNC, .name = "/data/blobs/", .action = DISK_NOTHING};
    disk_set(&plan);
    for (int n = 20; n < 20 + MANY; n++) {
        CHECK_OK(put(store, "cam", n, 0, "image",
                     (edgeops_value){.type = EDGEOPS_TYPE_BLOB, .size = sizeof n, .as.data = &n},
                     NULL));
    }
    CHECK_OK(eop_store_sync(store));
    uint64_t synced = disk_counted();
    cr_assert_geq(synced, MANY + ROWS / 2);
    /* Each file once, and for each batch of them at most all folders. */
    cr_assert_leq(synced, 2 * MANY + 2 * 256 * (MANY / EOP_BLOBS_LOOSE + 2), "%d", (int)synced);
    disk_set(&plan);
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    cr_assert_eq(disk_counted(), 0);
    disk_release();
}

/* The writer does it without waiting for a chunk. */
Test(store_blob, images_do_not_wait_for_ever) {
    edgeops_store *store = open_process();
    bool done = false;
    for (int n = 0; n < (int)EOP_BLOBS_LOOSE; n++) {
        CHECK_OK(put(store, "cam", n, 0, "image",
                     (edgeops_value){.type = EDGEOPS_TYPE_BLOB, .size = sizeof n, .as.data = &n},
                     NULL));
    }
    for (int i = 0; !done && i < 20000; i++) {
        pthread_mutex_lock(&store->lock);
        done = eop_series_find(&store->assets, "cam")->blobs_synced == EOP_BLOBS_LOOSE;
        pthread_mutex_unlock(&store->lock);
        usleep(1000);
    }
    cr_assert(done);
    edgeops_store_close(store);
}

/* With each sync in the background, and those that a killed process left, too. */
Test(store_blob, images_are_synced_with_their_samples) {
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    bool done = false;
    append_and_die();
    options.free_floor_bytes = 1;
    options.sync_interval = EDGEOPS_MILLISECOND;
    CHECK_OK(edgeops_store_open(&store, home, &options));
    CHECK_OK(put_image(store, "other", 30));
    for (int i = 0; !done && i < 20000; i++) {
        pthread_mutex_lock(&store->lock);
        done = eop_series_find(&store->assets, "cam")->blobs_synced == ROWS &&
               eop_series_find(&store->assets, "other")->blobs_synced == 1;
        pthread_mutex_unlock(&store->lock);
        usleep(1000);
    }
    cr_assert(done);
    edgeops_store_close(store);
}

/* An append of blobs that waits for room waits for the writer, which may be who sweeps. */
Test(store_blob, sweep_does_not_wait_for_an_append_for_ever) {
    edgeops_store *store = open_process();
    eop_blob_stats stats;
    CHECK_OK(put_image(store, "cam", 2));
    pthread_rwlock_rdlock(&store->blob_lock);
    CHECK_CODE(EDGEOPS_E_AGAIN, eop_blob_sweep(store, &stats));
    CHECK_OK(put_image(store, "cam", 3)); /* others go on */
    pthread_rwlock_unlock(&store->blob_lock);
    CHECK_OK(eop_blob_sweep(store, &stats));
    cr_assert_eq(stats.kept, 1);
    edgeops_store_close(store);
}

/* With power there is nothing left to do for the writer. */
Test(store_blob, images_of_power_are_not_synced_again) {
    edgeops_store *store = NULL;
    CHECK_OK(open_as(&store, EDGEOPS_DURABILITY_POWER));
    for (int n = 2; n <= LAST; n++) {
        CHECK_OK(put_image(store, "cam", n));
    }
    disk_watch(folder, false);
    disk_plan plan = {.calls = DISK_SYNC, .name = "/data/blobs/", .action = DISK_NOTHING};
    disk_set(&plan);
    CHECK_OK(eop_store_sync(store));
    CHECK_OK(eop_store_flush(store));
    cr_assert_eq(disk_counted(), 0);
    disk_release();
    edgeops_store_close(store);
}
