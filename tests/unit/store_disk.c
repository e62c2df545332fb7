/* SPDX-License-Identifier: Apache-2.0 */
/* What the store takes of the disk, and a full disk: a small tmpfs, which needs the right to
 * mount one. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "catalog/policy.h"
#include "edgeops/label.h"
#include "store/ballast.h"
#include "store/inner.h"
#include "store/retention.h"
#include "store/room.h"
#include "store_fixture.h"

enum { DISK = 24 * 1024 * 1024, BALLAST = 10 * 1024 * 1024 };

/* 4,000 characters that no codec makes much shorter. */
static edgeops_status put_big(edgeops_store *store, const char *asset, int64_t n) {
    char filler[4001] = "";
    dice d = {(uint64_t)n + 1};
    for (size_t i = 0; i < 4000; i += 10) {
        uint64_t bits = roll(&d);
        for (size_t k = 0; k < 10; k++, bits >>= 6) {
            filler[i + k] = (char)('0' + (bits & 63));
        }
    }
    return put(store, asset, n, 0, "s", text(filler), NULL);
}

/* On `folder`. */
static void mount_disk(void) {
    char options[64];
    make_home();
    snprintf(options, sizeof options, "size=%d", DISK);
    if (mount("tmpfs", folder, "tmpfs", 0, options) != 0) {
        int error = errno;
        remove_home();
        cr_skip_test("cannot mount a tmpfs: %s", strerror(error));
    }
}

static void unmount_disk(void) {
    cr_assert_eq(umount(folder), 0);
    cr_assert_eq(rmdir(folder), 0);
}

static void make_ballast(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert(fd >= 0 && posix_fallocate(fd, 0, BALLAST) == 0);
    close(fd);
}

/* The room is there again: a sample is taken within 10 s, and nobody has to help. */
static void wait_for_room(edgeops_store *store, int64_t n) {
    edgeops_duration until = eop_monotonic() + 10 * EDGEOPS_SECOND;
    while (put_big(store, "a", n) != EDGEOPS_OK) {
        cr_assert_lt(eop_monotonic(), until, "%s", edgeops_error_last()->message);
        sched_yield();
    }
}

TestSuite(store_disk, .timeout = 120);

Test(store_disk, full_disk_refuses_cleanly_and_recovers) {
    char ballast[96];
    int64_t n = 0;
    edgeops_label label = {.asset = "a", .start = 0, .end = 1, .label = "l"};
    mount_disk();
    snprintf(ballast, sizeof ballast, "%s/ballast", folder);
    for (int cycle = 0; cycle < 10; cycle++) {
        make_ballast(ballast);
        edgeops_store *store = open_store();
        edgeops_status status = EDGEOPS_OK;
        while (status == EDGEOPS_OK) {
            status = put_big(store, "a", n);
            n += status == EDGEOPS_OK;
        }
        cr_assert_eq(status, EDGEOPS_E_LIMIT, "%s", edgeops_error_last()->message);
        CHECK_CODE(EDGEOPS_E_LIMIT, put_big(store, "a", n));
        CHECK_CODE(EDGEOPS_E_LIMIT, eop_store_ready(store));
        cr_assert_eq(count_rows(store, "a"), (uint64_t)n);
        if (cycle % 3 == 1) {
            edgeops_store_close(store);
            store = open_store();
            cr_assert_eq(count_rows(store, "a"), (uint64_t)n);
        }
        cr_assert_eq(unlink(ballast), 0);
        wait_for_room(store, n++);
        CHECK_OK(eop_store_flush(store));
        CHECK_OK(eop_store_ready(store));
        CHECK_OK(edgeops_label_add(NULL, store, &label, 1));
        cr_assert_eq(count_rows(store, "a"), (uint64_t)n);
        CHECK_OK(edgeops_asset_remove(store, "a"));
        CHECK_OK(eop_store_flush(store));
        n = 0;
        edgeops_store_close(store);
    }
    unmount_disk();
}

Test(store_disk, removing_an_asset_makes_room_again) {
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = 8 * 1024 * 1024;
    mount_disk();
    CHECK_OK(edgeops_store_open(&store, home, &options));
    for (int cycle = 0; cycle < 3; cycle++) {
        int64_t n = 0;
        edgeops_status status = EDGEOPS_OK;
        while (status == EDGEOPS_OK) {
            status = put_big(store, n % 4 == 0 ? "small" : "big", cycle * 100000 + n);
            n += status == EDGEOPS_OK;
        }
        cr_assert_eq(status, EDGEOPS_E_LIMIT, "%s", edgeops_error_last()->message);
        cr_assert_gt(n, 600);
        CHECK_CODE(EDGEOPS_E_LIMIT, eop_store_ready(store));
        CHECK_OK(edgeops_asset_remove(store, cycle == 1 ? "small" : "big"));
        /* Each call is one more try of the writer. */
        for (int tries = 0; tries < 100 && eop_store_flush(store) != EDGEOPS_OK; tries++) {
        }
        CHECK_OK(eop_store_ready(store));
        CHECK_OK(edgeops_asset_remove(store, cycle == 1 ? "big" : "small"));
        CHECK_OK(eop_store_flush(store));
    }
    edgeops_store_close(store);
    unmount_disk();
}

static atomic_bool done;

static void *read_always(void *data) {
    edgeops_store *store = data;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = "a";
    query.end = 2000;
    while (!atomic_load(&done)) {
        edgeops_table *table = NULL;
        CHECK_OK(edgeops_store_read(&table, store, &query));
        edgeops_table_free(table);
    }
    return NULL;
}

Test(store_disk, wal_stays_bounded_while_reads_overlap) {
    enum { READERS = 3, ROWS = 60000 };
    pthread_t threads[READERS];
    char path[120];
    struct stat st;
    off_t most = 0;
    make_home();
    snprintf(path, sizeof path, "%s/data/telemetry.db-wal", home);
    edgeops_store *store = open_store();
    for (int64_t i = 0; i < ROWS; i++) {
        for (int k = 0; i == 2000 && k < READERS; k++) {
            cr_assert_eq(pthread_create(&threads[k], NULL, read_always, store), 0);
        }
        CHECK_OK(put_big(store, "a", i));
        if (i % 500 == 0 && stat(path, &st) == 0 && st.st_size > most) {
            most = st.st_size;
        }
    }
    atomic_store(&done, true);
    for (int k = 0; k < READERS; k++) {
        pthread_join(threads[k], NULL);
    }
    cr_assert_lt(most, 144 * 1024 * 1024, "%lld bytes", (long long)most);
    edgeops_store_close(store);
    remove_home();
}

/* -- ten times full -- */

enum { SMALL_FLOOR = 8 * 1024 * 1024 };

static edgeops_store *open_with_ballast(void) {
    edgeops_store *store = NULL;
    edgeops_store_options options = EDGEOPS_STORE_OPTIONS_INIT;
    options.segment_bytes = 1024 * 1024;
    options.free_floor_bytes = SMALL_FLOOR;
    CHECK_OK(edgeops_store_open(&store, home, &options));
    return store;
}

static bool has_ballast(void) {
    char path[120];
    struct stat st;
    snprintf(path, sizeof path, "%s/data/%s", home, EOP_BALLAST_NAME);
    return stat(path, &st) == 0 && st.st_size == SMALL_FLOOR / 8;
}

/* Another program takes all there is, to the last byte. */
static void fill_disk(const char *path) {
    static char block[65536];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
    cr_assert_geq(fd, 0);
    for (size_t size = sizeof block; size > 0; size /= 2) {
        while (write(fd, block, size) > 0) {
        }
    }
    close(fd);
}

/* As a node does, once a second. */
static void wait_until_ready(edgeops_store *store, int64_t within) {
    int64_t until = eop_monotonic() + within;
    while (eop_store_ready(store) != EDGEOPS_OK || !has_ballast()) {
        cr_assert_lt(eop_monotonic(), until, "%s", edgeops_error_last()->message);
        eop_store_retain(store);
        usleep(50000);
    }
}

/* Samples of half a KiB that say which they are, until the disk takes no more. */
static int64_t put_until_full(edgeops_store *store, int64_t n, int64_t most) {
    static char filler[401];
    const char *names[] = {"n", "s"};
    for (int64_t end = n + most; n < end; n++) {
        edgeops_value values[] = {i64(n), text(filler)};
        edgeops_sample sample = {"a", n, 0, 2, names, values};
        dice d = {(uint64_t)n + 1};
        for (int k = 0; k < 400; k++) {
            filler[k] = (char)('0' + below(&d, 64));
        }
        edgeops_status status = edgeops_store_append(NULL, store, &sample, 1, NULL);
        if (status != EDGEOPS_OK) {
            cr_assert_eq(status, EDGEOPS_E_LIMIT, "%s", edgeops_error_last()->message);
            break;
        }
    }
    return n;
}

/* All that was acknowledged and not dropped, each once. */
static void check_numbers(edgeops_store *store, int64_t from, int64_t to) {
    edgeops_table *table = read_all(store, "a");
    cr_assert_eq(table->rows, (uint64_t)(to - from), "%lld rows of %lld to %lld",
                 (long long)table->rows, (long long)from, (long long)to);
    for (uint64_t i = 0; i < table->rows; i++) {
        cr_assert_eq(table->times[i], from + (int64_t)i);
        cr_assert_eq(table->columns[0].i64[i], from + (int64_t)i);
    }
    edgeops_table_free(table);
}

static edgeops_status take_dropped(const edgeops_asset_info *info, void *user_data) {
    *(int64_t *)user_data = (int64_t)info->dropped;
    return EDGEOPS_OK;
}

Test(store_disk, ten_times_full_to_the_last_byte) {
    char filler[96];
    int64_t n = 0;
    mount_disk();
    snprintf(filler, sizeof filler, "%s/filler", folder);
    edgeops_store *store = open_with_ballast();
    wait_until_ready(store, 10 * EDGEOPS_SECOND);
    for (int cycle = 0; cycle < 10; cycle++) {
        n = put_until_full(store, n, 300);
        fill_disk(filler);
        CHECK_CODE(EDGEOPS_E_LIMIT, eop_store_ready(store));
        n = put_until_full(store, n, 100000);
        CHECK_CODE(EDGEOPS_E_LIMIT, eop_store_ready(store));
        check_numbers(store, 0, n);
        if (cycle % 3 == 2) {
            edgeops_store_close(store);
            store = open_with_ballast();
            check_numbers(store, 0, n);
        }
        cr_assert_eq(unlink(filler), 0);
        wait_until_ready(store, 10 * EDGEOPS_SECOND);
        int64_t before = n;
        n = put_until_full(store, n, 100);
        cr_assert_eq(n, before + 100);
        if (cycle % 5 == 4) {
            CHECK_OK(edgeops_asset_remove(store, "a"));
            CHECK_OK(eop_store_flush(store));
            n = 0;
        }
    }
    edgeops_store_close(store);
    unmount_disk();
}

/* On the full disk itself: what is oldest makes room for what is new. */
Test(store_disk, retention_makes_room_on_a_full_disk) {
    char filler[96];
    int64_t dropped = 0;
    int64_t n = 0;
    mount_disk();
    snprintf(filler, sizeof filler, "%s/filler", folder);
    edgeops_store *store = open_with_ballast();
    wait_until_ready(store, 10 * EDGEOPS_SECOND);
    n = put_until_full(store, n, 9000);
    CHECK_OK(eop_store_flush(store));
    eop_policy policy = {.pattern = "*", .max_bytes = 1024 * 1024};
    CHECK_OK(eop_policy_put(eop_store_catalog(store), &policy));
    fill_disk(filler);
    n = put_until_full(store, n, 100000);
    CHECK_CODE(EDGEOPS_E_LIMIT, eop_store_ready(store));
    int64_t until = eop_monotonic() + 10 * EDGEOPS_SECOND;
    while (dropped == 0) {
        cr_assert_lt(eop_monotonic(), until, "%s", edgeops_error_last()->message);
        (void)eop_store_ready(store);
        eop_store_retain(store);
        usleep(50000);
        CHECK_OK(edgeops_asset_list(store, "a", take_dropped, &dropped));
    }
    cr_assert_eq(unlink(filler), 0);
    wait_until_ready(store, 10 * EDGEOPS_SECOND);
    CHECK_OK(eop_store_flush(store));
    CHECK_OK(edgeops_asset_list(store, "a", take_dropped, &dropped));
    check_numbers(store, dropped, n);
    edgeops_store_close(store);
    unmount_disk();
}
