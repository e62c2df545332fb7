/* SPDX-License-Identifier: Apache-2.0 */
/* Else `open` would be another name of `open64`, and both are defined here. */
#undef _FILE_OFFSET_BITS
#include "disk.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "disk_model.h"

enum { PATH = 512 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static atomic_bool watching;
static bool power;
static char root[PATH];
static size_t root_size;
static disk_plan plan;
static uint64_t counted;
static bool happened;
static bool after_short;

/* -- control -- */

void disk_watch(const char *folder, bool with_power) {
    disk_release();
    pthread_mutex_lock(&lock);
    root_size = (size_t)snprintf(root, sizeof root, "%s", folder);
    power = with_power;
    if (power) {
        model_begin(folder);
    }
    atomic_store(&watching, true);
    pthread_mutex_unlock(&lock);
}

void disk_doubt(const char *folder) {
    pthread_mutex_lock(&lock);
    model_doubt(folder);
    pthread_mutex_unlock(&lock);
}

void disk_set(const disk_plan *given) {
    pthread_mutex_lock(&lock);
    plan = *given;
    plan.times = plan.times > 0 ? plan.times : 1;
    plan.error = plan.error != 0 ? plan.error : EIO;
    counted = 0;
    happened = false;
    after_short = false;
    pthread_mutex_unlock(&lock);
}

uint64_t disk_counted(void) {
    pthread_mutex_lock(&lock);
    uint64_t n = counted;
    pthread_mutex_unlock(&lock);
    return n;
}

bool disk_happened(void) {
    pthread_mutex_lock(&lock);
    bool did = happened;
    pthread_mutex_unlock(&lock);
    return did;
}

void disk_release(void) {
    pthread_mutex_lock(&lock);
    atomic_store(&watching, false);
    if (power) {
        model_end();
    }
    power = false;
    plan = (disk_plan){0};
    pthread_mutex_unlock(&lock);
}

static void die(void) {
    for (;;) {
        kill(getpid(), SIGKILL);
        pause();
    }
}

static void cut_locked(uint64_t seed) {
    char out[PATH + 8];
    snprintf(out, sizeof out, "%s.cut", root);
    model_cut(out, seed);
    die();
}

void disk_cut(uint64_t seed) {
    pthread_mutex_lock(&lock);
    cut_locked(seed);
}

static bool remove_tree(const char *path) {
    char command[PATH + 16];
    snprintf(command, sizeof command, "rm -rf '%s'", path);
    return system(command) == 0;
}

bool disk_restore(const char *folder) {
    char out[PATH + 8];
    struct stat st;
    snprintf(out, sizeof out, "%s.cut", folder);
    return lstat(out, &st) == 0 && remove_tree(folder) && rename(out, folder) == 0;
}

/* -- the plan; the lock is held -- */

/* Whether the call fails, with errno; *half: a write writes half. */
static bool judge(disk_call call, const char *path, bool *half) {
    if (after_short && call == DISK_WRITE) {
        after_short = false;
        errno = plan.error;
        return true;
    }
    if ((plan.calls & call) == 0 || (plan.name != NULL && strstr(path, plan.name) == NULL)) {
        return false;
    }
    counted++;
    if (plan.action == DISK_NOTHING || counted < plan.nth || counted - plan.nth >= plan.times) {
        return false;
    }
    happened = true;
    if (plan.action == DISK_KILL) {
        die();
    } else if (plan.action == DISK_CUT) {
        cut_locked(plan.seed);
    } else if (plan.action == DISK_SHORT && call == DISK_WRITE && half != NULL) {
        *half = after_short = true;
        return false;
    }
    errno = plan.error;
    return true;
}

static bool below(const char *path) {
    return atomic_load(&watching) && strncmp(path, root, root_size) == 0 &&
           (path[root_size] == '/' || path[root_size] == '\0');
}

/* Locks when it is one of ours. */
static bool enter(const char *path) {
    if (!below(path)) {
        return false;
    }
    pthread_mutex_lock(&lock);
    if (below(path)) {
        return true;
    }
    pthread_mutex_unlock(&lock);
    return false;
}

static bool enter_fd(char path[PATH], int fd) {
    char link[32];
    if (!atomic_load(&watching)) {
        return false;
    }
    int before = errno;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, PATH - 1);
    errno = before;
    if (n <= 0) {
        return false;
    }
    path[n] = '\0';
    n = (ssize_t)strlen(path);
    if (n >= 4 && strcmp(path + n - 4, "-shm") == 0) {
        return false;
    }
    return enter(path);
}

static void leave(void) {
    int before = errno;
    pthread_mutex_unlock(&lock);
    errno = before;
}

/* -- the calls -- */

static int open_file(int folder, const char *path, int flags, mode_t mode) {
    struct stat st;
    if (path[0] != '/' || !enter(path)) {
        return (int)syscall(SYS_openat, folder, path, flags, mode);
    }
    int fd = -1;
    if (!judge(DISK_OPEN, path, NULL)) {
        bool existed = lstat(path, &st) == 0;
        fd = (int)syscall(SYS_openat, folder, path, flags, mode);
        if (power && fd >= 0 && fstat(fd, &st) == 0) {
            if (!existed) {
                model_created(path, &st);
            } else if ((flags & O_TRUNC) != 0) {
                model_resized(&st, 0);
            }
        }
    }
    leave();
    return fd;
}

/* The libraries call these, too. */
#pragma GCC visibility push(default)

#define MODE_OF(flags, mode)                                                                       \
    do {                                                                                           \
        if (((flags) & (O_CREAT | O_TMPFILE)) != 0) {                                              \
            va_list args;                                                                          \
            va_start(args, flags);                                                                 \
            (mode) = (mode_t)va_arg(args, int);                                                    \
            va_end(args);                                                                          \
        }                                                                                          \
    } while (0)

int open(const char *path, int flags, ...) {
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return open_file(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...) {
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return open_file(folder, path, flags, mode);
}

int mkostemp(char *template, int flags) {
    static atomic_uint serial;
    char *end = template + strlen(template) - 6;
    for (;;) {
        snprintf(end, 7, "%06x",
                 (atomic_fetch_add(&serial, 1) ^ (unsigned)getpid() << 12) & 0xffffff);
        int fd = open_file(AT_FDCWD, template, flags | O_RDWR | O_CREAT | O_EXCL, 0600);
        if (fd >= 0 || errno != EEXIST) {
            return fd;
        }
    }
}

static ssize_t write_at(int fd, const void *data, size_t size, off_t offset, bool here) {
    char path[PATH];
    struct stat st;
    ssize_t n = -1;
    bool half = false;
    bool ours = enter_fd(path, fd);
    if (!ours || !judge(DISK_WRITE, path, &half)) {
        if (half && size > 1) {
            size /= 2;
        }
        off_t at = here && ours ? (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR) : offset;
        n = here ? syscall(SYS_write, fd, data, size)
                 : syscall(SYS_pwrite64, fd, data, size, offset);
        if (ours && power && n > 0 && fstat(fd, &st) == 0) {
            model_written(&st, (uint64_t)at, data, (size_t)n);
        }
    }
    if (ours) {
        leave();
    }
    return n;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) {
    return write_at(fd, data, size, offset, false);
}

ssize_t write(int fd, const void *data, size_t size) {
    return write_at(fd, data, size, 0, true);
}

static int sync_file(int fd, long number) {
    char path[PATH];
    struct stat st;
    if (!enter_fd(path, fd)) {
        return (int)syscall(number, fd);
    }
    int rc = -1;
    bool known = power && fstat(fd, &st) == 0;
    if (!judge(DISK_SYNC, path, NULL)) {
        /* Nobody cuts the real power: what it would cost is saved. */
        rc = 0;
        if (known) {
            model_synced(&st);
        }
    } else if (known) {
        model_sync_failed(&st, plan.seed + counted);
        errno = plan.error;
    }
    leave();
    return rc;
}

int fsync(int fd) {
    return sync_file(fd, SYS_fsync);
}

int fdatasync(int fd) {
    return sync_file(fd, SYS_fdatasync);
}

int ftruncate(int fd, off_t size) {
    char path[PATH];
    struct stat st;
    if (!enter_fd(path, fd)) {
        return (int)syscall(SYS_ftruncate, fd, size);
    }
    int rc = -1;
    if (!judge(DISK_RESIZE, path, NULL)) {
        rc = (int)syscall(SYS_ftruncate, fd, size);
        if (power && rc == 0 && fstat(fd, &st) == 0) {
            model_resized(&st, (uint64_t)size);
        }
    }
    leave();
    return rc;
}

/* Gives the error, and leaves errno alone. */
int posix_fallocate(int fd, off_t offset, off_t size) {
    char path[PATH];
    struct stat st;
    int before = errno;
    bool ours = enter_fd(path, fd);
    int rc = ours && judge(DISK_RESIZE, path, NULL) ? errno : 0;
    if (rc == 0) {
        bool known = fstat(fd, &st) == 0;
        rc = syscall(SYS_fallocate, fd, 0, offset, size) == 0 ? 0 : errno;
        if (ours && power && known && rc == 0 && offset + size > st.st_size) {
            model_resized(&st, (uint64_t)(offset + size));
        }
    }
    if (ours) {
        leave();
    }
    errno = before;
    return rc;
}

int rename(const char *from, const char *to) {
    struct stat st;
    if (!enter(from)) {
        return (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
    }
    int rc = -1;
    if (!judge(DISK_RENAME, to, NULL)) {
        bool known = lstat(from, &st) == 0;
        rc = (int)syscall(SYS_renameat, AT_FDCWD, from, AT_FDCWD, to);
        if (power && rc == 0 && known) {
            model_renamed(from, to, &st);
        }
    }
    leave();
    return rc;
}

int unlink(const char *path) {
    if (!enter(path)) {
        return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    }
    int rc = -1;
    if (!judge(DISK_UNLINK, path, NULL)) {
        rc = (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
        if (power && rc == 0) {
            model_removed(path);
        }
    }
    leave();
    return rc;
}

int mkdir(const char *path, mode_t mode) {
    struct stat st;
    if (!enter(path)) {
        return (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    }
    int rc = (int)syscall(SYS_mkdirat, AT_FDCWD, path, mode);
    if (power && rc == 0 && lstat(path, &st) == 0) {
        model_created(path, &st);
    }
    leave();
    return rc;
}

/* -- the same calls under the names that programs with large files use -- */

int open64(const char *path, int flags, ...) {
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return open_file(AT_FDCWD, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...) {
    mode_t mode = 0;
    MODE_OF(flags, mode);
    return open_file(folder, path, flags, mode);
}

int mkostemp64(char *template, int flags) {
    return mkostemp(template, flags);
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset) {
    return write_at(fd, data, size, offset, false);
}

int ftruncate64(int fd, off64_t size) {
    return ftruncate(fd, size);
}

int posix_fallocate64(int fd, off64_t offset, off64_t size) {
    return posix_fallocate(fd, offset, size);
}

#pragma GCC visibility pop
