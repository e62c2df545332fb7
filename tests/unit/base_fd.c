/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/compiler.h"
#include "base/fd.h"

/* What Criterion has on 0-2 comes back before anything is reported. */
static int kept[3];

static void close_stdio(void) {
    for (int i = 0; i < 3; i++) {
        kept[i] = fcntl(i, F_DUPFD_CLOEXEC, 100);
        close(i);
    }
}

static void restore_stdio(void) {
    for (int i = 0; i < 3; i++) {
        dup2(kept[i], i);
        close(kept[i]);
    }
}

static bool is_closed(int fd) {
    return fcntl(fd, F_GETFD) < 0 && errno == EBADF;
}

enum { MADE = 14 };
static DIR *listed; /* its descriptor is one of those that were made */

static void make_all(int *fds) {
    char name[] = "/tmp/edgeops-fd-XXXXXX";
    fds[0] = eop_open("/dev/null", O_RDONLY | O_CLOEXEC);
    fds[1] = eop_openat(AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC);
    fds[2] = eop_mkostemp(name, O_CLOEXEC);
    unlink(name);
    fds[3] = eop_dup(fds[0]);
    (void)eop_pipe2(&fds[4], O_CLOEXEC);
    fds[6] = eop_socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)eop_socketpair2(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, &fds[7]);
    fds[9] = eop_memfd("test", MFD_CLOEXEC);
    fds[10] = eop_eventfd(0, EFD_CLOEXEC);
    fds[11] = eop_fd_high(open("/dev/null", O_RDONLY | O_CLOEXEC));
    listed = eop_opendir("/tmp");
    fds[12] = listed != NULL ? dirfd(listed) : -1;
    fds[13] = eop_open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

Test(base_fd, nothing_lands_on_a_closed_standard_descriptor) {
    int fds[MADE];
    bool closed = true;
    close_stdio();
    make_all(fds);
    for (int i = 0; i < 3; i++) {
        closed = closed && is_closed(i);
    }
    restore_stdio();
    cr_assert(closed);
    for (size_t i = 0; i < EOP_COUNT(fds); i++) {
        cr_assert_gt(fds[i], 2, "descriptor of call %zu is %d", i, fds[i]);
        cr_assert_eq(fcntl(fds[i], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC, "call %zu", i);
    }
    closedir(listed);
}

/* Without a number that is 3 or more there is none, and none is left open. */
Test(base_fd, no_descriptor_left_is_an_error_without_a_leak) {
    struct rlimit before;
    int fds[MADE];
    int errors = 0;
    bool closed = true;
    cr_assert_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    close_stdio();
    struct rlimit three = {3, before.rlim_max};
    int rc = setrlimit(RLIMIT_NOFILE, &three);
    memset(fds, 0xff, sizeof fds);
    make_all(fds);
    errors = errno;
    for (int i = 0; i < 3; i++) {
        closed = closed && is_closed(i);
    }
    (void)setrlimit(RLIMIT_NOFILE, &before);
    restore_stdio();
    cr_assert_eq(rc, 0);
    cr_assert(closed);
    cr_assert_eq(errors, EMFILE);
    for (size_t i = 0; i < EOP_COUNT(fds); i++) {
        cr_assert_lt(fds[i], 0, "descriptor of call %zu is %d", i, fds[i]);
    }
}

Test(base_fd, fill_opens_the_closed_ones_only) {
    close_stdio();
    dup2(kept[1], 1);
    eop_fd_fill_stdio();
    bool filled = !is_closed(0) && !is_closed(2);
    bool same = fcntl(1, F_GETFD) == 0; /* not close-on-exec: untouched */
    restore_stdio();
    cr_assert(filled && same);
}
