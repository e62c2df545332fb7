/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the input of a command until it has ended, so that the command needs the home only then: in
 * `data export A | data import B` both want the same home, one after the other. A small input stays
 * in memory, a large one goes to an unnamed file, which is gone with this process. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "cli.h"

#define MEMORY_MAX ((size_t)8 << 20)
#define FREE_MIN   ((uint64_t)64 << 20) /* what is left of the disk for others */
#define PIECE      ((size_t)1 << 16)

static const char *place(void) {
    const char *folder = getenv("TMPDIR");
    return folder != NULL && *folder != 0         ? folder
           : access("/var/tmp", W_OK | X_OK) == 0 ? "/var/tmp"
                                                  : "/tmp";
}

static int unnamed_file(const char *folder) {
    int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0) { /* a file system that has no such files */
        char *name = cli_format("%s/edgeopsctl-XXXXXX", folder);
        fd = mkostemp(name, O_CLOEXEC);
        if (fd >= 0) {
            unlink(name);
        }
        free(name);
    }
    return fd;
}

static bool has_room(int fd) {
    struct statvfs disk;
    return fstatvfs(fd, &disk) != 0 || (uint64_t)disk.f_bavail * disk.f_frsize >= FREE_MIN;
}

static bool write_all(int fd, const char *data, size_t size) {
    while (size > 0) {
        ssize_t n = write(fd, data, size);
        if (n < 0 && errno != EINTR) {
            return false;
        }
        data += n > 0 ? n : 0;
        size -= n > 0 ? (size_t)n : 0;
    }
    return true;
}

/* Bytes read, 0 at the end, below 0 for an error. Standard input may be one that does not block. */
static ssize_t read_some(int fd, char *data, size_t size) {
    for (;;) {
        ssize_t n = read(fd, data, size);
        if (n >= 0 || (errno != EINTR && errno != EAGAIN)) {
            return n;
        }
        struct pollfd p = {.fd = fd, .events = POLLIN};
        (void)!poll(&p, 1, -1);
    }
}

static int fail_room(const char *folder) {
    return cli_fail(CLI_FAILED,
                    "name another folder with TMPDIR, or run `edgeopsctl node serve`, which takes "
                    "the input as it comes",
                    "the input is too large for the rest of the disk of %s", folder);
}

/* From memory to a file, once it is not small any more. */
static int move_to_file(int *to, const char *folder, char *data, size_t size) {
    int file = unnamed_file(folder);
    if (file < 0) {
        return cli_fail(CLI_FAILED, "name another folder with TMPDIR",
                        "cannot keep the input in %s: %s", folder, strerror(errno));
    }
    for (off_t at = 0;;) {
        ssize_t n = pread(*to, data, size, at);
        if (n <= 0) {
            break;
        }
        if (!write_all(file, data, (size_t)n)) {
            close(file);
            return fail_room(folder);
        }
        at += n;
    }
    close(*to);
    *to = file;
    return CLI_OK;
}

static int copy_all(int *to, int from, char *data) {
    const char *folder = place();
    size_t kept = 0;
    bool in_memory = true;
    for (;;) {
        ssize_t n = read_some(from, data, PIECE);
        if (n < 0) {
            return cli_fail(CLI_FAILED, NULL, "cannot read the input: %s", strerror(errno));
        }
        if (n == 0) {
            return CLI_OK;
        }
        if ((!in_memory && !has_room(*to)) || !write_all(*to, data, (size_t)n)) {
            return fail_room(folder);
        }
        kept += (size_t)n;
        if (in_memory && kept > MEMORY_MAX) {
            int code = move_to_file(to, folder, data, PIECE);
            if (code != CLI_OK) {
                return code;
            }
            in_memory = false;
        }
    }
}

bool cli_is_pipe(int fd) {
    struct stat st;
    int domain = 0;
    socklen_t size = sizeof domain;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return false;
    }
    return S_ISFIFO(st.st_mode) ||
           (S_ISSOCK(st.st_mode) && getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) == 0 &&
            domain == AF_UNIX);
}

int cli_spool(int *out, int fd) {
    char *data = cli_calloc(1, PIECE);
    int to = memfd_create("edgeopsctl-input", MFD_CLOEXEC);
    to = to >= 0 ? to : unnamed_file(place());
    int code = to >= 0 ? copy_all(&to, fd, data)
                       : cli_fail(CLI_FAILED, "name another folder with TMPDIR",
                                  "cannot keep the input: %s", strerror(errno));
    if (code == CLI_OK && lseek(to, 0, SEEK_SET) == 0) {
        *out = to;
    } else if (to >= 0) {
        close(to);
    }
    free(data);
    return code;
}
