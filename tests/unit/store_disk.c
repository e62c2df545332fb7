/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that is full, on a small tmpfs: needs the right to mount one. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "store_fixture.h"

enum { DISK = 24 * 1024 * 1024, BALLAST = 10 * 1024 * 1024 };

static edgeops_status put_big(edgeops_store *store, int64_t n) {
    static char filler[4001];
    memset(filler, 'f', 4000);
    return put(store, "a", n, 0, "s", text(filler), NULL);
}

static void make_ballast(const char *path) {
    int fd = open(path, O_RDWR | O_CREAT, 0600);
    cr_assert(fd >= 0 && posix_fallocate(fd, 0, BALLAST) == 0);
    close(fd);
}

Test(store_disk, full_disk_refuses_cleanly_and_recovers, .timeout = 60) {
    char options[64];
    char ballast[96];
    int64_t n = 0;
    edgeops_label label = {.asset = "a", .start = 0, .end = 1, .label = "l"};
    make_home();
    snprintf(options, sizeof options, "size=%d", DISK);
    if (mount("tmpfs", folder, "tmpfs", 0, options) != 0) {
        int error = errno;
        remove_home();
        cr_skip_test("cannot mount a tmpfs: %s", strerror(error));
    }
    snprintf(ballast, sizeof ballast, "%s/ballast", folder);
    for (int cycle = 0; cycle < 3; cycle++) {
        make_ballast(ballast);
        edgeops_store *store = open_store();
        edgeops_status status = EDGEOPS_OK;
        while (status == EDGEOPS_OK) {
            status = put_big(store, n);
            n += status == EDGEOPS_OK;
        }
        cr_assert_eq(status, EDGEOPS_E_LIMIT, "%s", edgeops_error_last()->message);
        CHECK_CODE(EDGEOPS_E_LIMIT, put_big(store, n));
        CHECK_CODE(EDGEOPS_E_LIMIT, eop_store_ready(store));
        cr_assert_eq(count_rows(store, "a"), (uint64_t)n);
        if (cycle == 1) {
            edgeops_store_close(store);
            store = open_store();
            cr_assert_eq(count_rows(store, "a"), (uint64_t)n);
        }
        cr_assert_eq(unlink(ballast), 0);
        /* The writer sees the room by itself, within a second. */
        CHECK_OK(eop_store_flush(store));
        CHECK_OK(eop_store_ready(store));
        CHECK_OK(put_big(store, n++));
        CHECK_OK(edgeops_store_label(store, &label, 1, NULL));
        cr_assert_eq(count_rows(store, "a"), (uint64_t)n);
        CHECK_OK(edgeops_store_remove_asset(store, "a"));
        n = 0;
        edgeops_store_close(store);
    }
    cr_assert_eq(umount(folder), 0);
    cr_assert_eq(rmdir(folder), 0);
}
