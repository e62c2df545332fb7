/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that make descriptors, without 0-2. No state, any thread. */
#include "base/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FIRST = 3 };

int eop_fd_high(int fd) {
    if (fd < 0 || fd >= FIRST) {
        return fd;
    }
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
    int error = errno == EINVAL ? EMFILE : errno; /* a limit of 3 or less */
    (void)close(fd);
    errno = error;
    return moved;
}

static int takes_mode(int flags) {
    return (flags & O_CREAT) != 0 || (flags & O_TMPFILE) == O_TMPFILE;
}

int eop_open(const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = takes_mode(flags) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return eop_fd_high(open(path, flags, mode));
}

int eop_openat(int folder, const char *path, int flags, ...) {
    va_list args;
    va_start(args, flags);
    mode_t mode = takes_mode(flags) ? va_arg(args, mode_t) : 0;
    va_end(args);
    return eop_fd_high(openat(folder, path, flags, mode));
}

int eop_mkostemp(char *path, int flags) {
    return eop_fd_high(mkostemp(path, flags));
}

int eop_dup(int fd) {
    return fcntl(fd, F_DUPFD_CLOEXEC, FIRST);
}

/* Both or none. */
static int high_pair(int ends[2]) {
    ends[0] = eop_fd_high(ends[0]);
    int error = errno;
    ends[1] = eop_fd_high(ends[1]);
    error = ends[0] < 0 ? error : errno;
    if (ends[0] >= 0 && ends[1] >= 0) {
        return 0;
    }
    for (int i = 0; i < 2; i++) {
        if (ends[i] >= 0) {
            (void)close(ends[i]);
        }
        ends[i] = -1;
    }
    errno = error;
    return -1;
}

int eop_pipe2(int ends[2], int flags) {
    return pipe2(ends, flags) == 0 ? high_pair(ends) : -1;
}

int eop_socketpair2(int family, int type, int protocol, int ends[2]) {
    return socketpair(family, type, protocol, ends) == 0 ? high_pair(ends) : -1;
}

int eop_socket(int family, int type, int protocol) {
    return eop_fd_high(socket(family, type, protocol));
}

int eop_accept4(int listener, struct sockaddr *address, socklen_t *size, int flags) {
    return eop_fd_high(accept4(listener, address, size, flags));
}

int eop_memfd(const char *name, unsigned flags) {
    return eop_fd_high(memfd_create(name, flags));
}

int eop_eventfd(unsigned value, int flags) {
    return eop_fd_high(eventfd(value, flags));
}

DIR *eop_opendir(const char *path) {
    int fd = eop_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL && fd >= 0) {
        int error = errno;
        (void)close(fd);
        errno = error;
    }
    return dir;
}

void eop_fd_fill_stdio(void) {
    for (int fd = 0; fd < FIRST; fd++) {
        if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF) {
            continue;
        }
        /* Lowest first, so that it lands where the hole is, unless the host was faster. */
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        if (null >= FIRST) {
            (void)close(null);
        }
    }
}
