/* SPDX-License-Identifier: Apache-2.0 */
/* Files and folders by path: whole reads, replacements that are old or new but never a mix,
 * locks, walks. Each call is complete in itself; no descriptor stays open except those that are
 * given out. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/fork.h"
#include "base/memory.h"
#include "base/str.h"

char *eop_path_join(const char *a, const char *b) {
    size_t n = strlen(a);
    return eop_format("%s%s%s", a, n > 0 && a[n - 1] == '/' ? "" : "/", b);
}

edgeops_status eop_path_absolute(char **out, const char *path) {
    char *here = NULL;
    if (path[0] != '/' && (here = getcwd(NULL, 0)) == NULL) {
        return eop_fail_errno(errno, "base", "the working directory, from which '%s' is", path);
    }
    char *full = here != NULL ? eop_path_join(here, path) : eop_strdup(path);
    free(here);
    if (full == NULL) {
        return eop_fail_nomem("base");
    }
    *out = full;
    return EDGEOPS_OK;
}

bool eop_file_exists(const char *path) {
    struct stat st;
    return stat(path, &st) == 0;
}

edgeops_status eop_file_read(char **data, size_t *size, const char *path, size_t limit) {
    edgeops_status status = EDGEOPS_OK;
    char *text = NULL;
    size_t used = 0;
    int fd = eop_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        status = eop_fail_errno(errno, "base", "cannot read '%s'", path);
        goto out;
    }
    if (!S_ISREG(st.st_mode)) {
        status = eop_fail(EDGEOPS_E_INVALID, "base", "'%s' is not a regular file", path);
        goto out;
    }
    if ((uint64_t)st.st_size > limit) {
        status = eop_fail(EDGEOPS_E_LIMIT, "base", "'%s' has %lld bytes, at most %zu are read",
                          path, (long long)st.st_size, limit);
        goto out;
    }
    text = eop_alloc((size_t)st.st_size + 1);
    if (text == NULL) {
        status = eop_fail_nomem("base");
        goto out;
    }
    while (used < (size_t)st.st_size) {
        ssize_t n = read(fd, text + used, (size_t)st.st_size - used);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            status = eop_fail_errno(errno, "base", "cannot read '%s'", path);
            goto out;
        }
        if (n == 0) {
            break;
        }
        used += (size_t)n;
    }
    text[used] = '\0';
    *data = text;
    text = NULL;
    if (size != NULL) {
        *size = used;
    }
out:
    eop_free(text);
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

/* Also where the descriptor does not block: its owner set that, and the wait is ours. */
static edgeops_status wait_readable(bool *hung_up, int fd, int cancel_fd) {
    for (;;) {
        struct pollfd fds[2] = {{.fd = fd, .events = POLLIN},
                                {.fd = cancel_fd > 0 ? cancel_fd : -1, .events = POLLIN}};
        int n = poll(fds, 2, -1);
        if (n < 0 && errno != EINTR) {
            return eop_fail_errno(errno, "base", "cannot wait");
        }
        if (n > 0 && fds[1].revents != 0) {
            return eop_fail(EDGEOPS_E_CANCELED, "base", "ended on request");
        }
        if (n > 0 && fds[0].revents != 0) {
            *hung_up = (fds[0].revents & POLLHUP) != 0;
            return EDGEOPS_OK;
        }
    }
}

edgeops_status eop_read_some(size_t *got, int fd, int cancel_fd, void *data, size_t size,
                             const char *what) {
    for (;;) {
        struct stat info;
        bool hung_up = false;
        edgeops_status status = wait_readable(&hung_up, fd, cancel_fd);
        if (status != EDGEOPS_OK) {
            return status;
        }
        ssize_t n = read(fd, data, size);
        if (n == 0 && hung_up && fstat(fd, &info) == 0 && S_ISCHR(info.st_mode)) {
            /* A terminal that went away reads as empty; nobody said that this was all. */
            return eop_fail(EDGEOPS_E_IO, "base", "cannot read %s: the terminal is gone", what);
        }
        if (n >= 0) {
            *got = (size_t)n;
            return EDGEOPS_OK;
        }
        if (errno != EINTR && errno != EAGAIN) {
            return eop_fail_errno(errno, "base", "cannot read %s", what);
        }
    }
}

edgeops_status eop_write_all(int fd, const void *data, size_t size) {
    const char *p = data;
    while (size > 0) {
        ssize_t n = write(fd, p, size);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return eop_fail_errno(errno, "base", "cannot write");
        }
        p += n;
        size -= (size_t)n;
    }
    return EDGEOPS_OK;
}

/* "dir/name" -> "dir"; "name" -> ".". */
static char *parent_of(const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL) {
        return eop_strdup(".");
    }
    return eop_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

edgeops_status eop_dir_sync(const char *path) {
    int fd = eop_open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return eop_fail_errno(errno, "base", "cannot open folder '%s'", path);
    }
    edgeops_status status = EDGEOPS_OK;
    if (fsync(fd) != 0) {
        status = eop_fail_errno(errno, "base", "cannot sync folder '%s'", path);
    }
    close(fd);
    return status;
}

edgeops_status eop_dir_sync_parent(const char *path) {
    char *parent = parent_of(path);
    edgeops_status status = parent != NULL ? eop_dir_sync(parent) : eop_fail_nomem("base");
    eop_free(parent);
    return status;
}

edgeops_status eop_replacement_open(eop_replacement *out, const char *path, unsigned mode) {
    struct stat st;
    edgeops_status status = EDGEOPS_OK;
    *out = (eop_replacement){.fd = -1};
    bool exists = stat(path, &st) == 0;
    if (exists && !S_ISREG(st.st_mode)) {
        return eop_fail(EDGEOPS_E_INVALID, "base", "'%s' is not a regular file and is not replaced",
                        path);
    }
    char *target = exists ? realpath(path, NULL) : NULL; /* a link stays one */
    out->path = eop_strdup(target != NULL ? target : path);
    free(target);
    out->temporary = out->path != NULL ? eop_format("%s.XXXXXX", out->path) : NULL;
    if (out->temporary == NULL) {
        status = eop_fail_nomem("base");
        goto out;
    }
    out->fd = eop_mkostemp(out->temporary, O_CLOEXEC);
    if (out->fd < 0 || fchmod(out->fd, (mode_t)mode) != 0) {
        status = eop_fail_errno(errno, "base", "cannot write '%s'", path);
    }
out:
    if (status < 0) {
        eop_replacement_dispose(out);
    }
    return status;
}

edgeops_status eop_replacement_commit(eop_replacement *file) {
    edgeops_status status = EDGEOPS_OK;
    if (fsync(file->fd) != 0 || rename(file->temporary, file->path) != 0) {
        status = eop_fail_errno(errno, "base", "cannot write '%s'", file->path);
    } else {
        eop_free(file->temporary); /* gone: it has taken the place */
        file->temporary = NULL;
        status = eop_dir_sync_parent(file->path);
    }
    eop_replacement_dispose(file);
    return status;
}

void eop_replacement_dispose(eop_replacement *file) {
    if (file->fd >= 0) {
        close(file->fd);
        if (file->temporary != NULL) {
            unlink(file->temporary);
        }
    }
    eop_free(file->temporary);
    eop_free(file->path);
    *file = (eop_replacement){.fd = -1};
}

edgeops_status eop_file_write(const char *path, const void *data, size_t size, unsigned mode) {
    eop_replacement file;
    edgeops_status status = eop_replacement_open(&file, path, mode);
    if (status < 0) {
        return status;
    }
    status = eop_write_all(file.fd, data, size);
    if (status < 0) {
        eop_replacement_dispose(&file);
        return status;
    }
    return eop_replacement_commit(&file);
}

edgeops_status eop_mkdirs(const char *path, unsigned mode) {
    char *copy = eop_strdup(path);
    if (copy == NULL) {
        return eop_fail_nomem("base");
    }
    edgeops_status status = EDGEOPS_OK;
    for (char *p = copy + 1; status == EDGEOPS_OK; p++) {
        if (*p != '/' && *p != '\0') {
            continue;
        }
        char saved = *p;
        *p = '\0';
        if (mkdir(copy, (mode_t)mode) != 0 && errno != EEXIST) {
            status = eop_fail_errno(errno, "base", "cannot make folder '%s'", copy);
        }
        *p = saved;
        if (saved == '\0') {
            break;
        }
    }
    struct stat st;
    if (status == EDGEOPS_OK && (stat(copy, &st) != 0 || !S_ISDIR(st.st_mode))) {
        status = eop_fail(EDGEOPS_E_IO, "base", "'%s' is not a folder", path);
    }
    eop_free(copy);
    return status;
}

edgeops_status eop_dir_next(struct dirent **out, DIR *dir, const char *path) {
    struct dirent *e = NULL;
    do {
        errno = 0; /* the only way to tell an error from the end */
        e = readdir(dir);
    } while (e != NULL && (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0));
    if (e == NULL && errno != 0) {
        return eop_fail_errno(errno, "base", "cannot read folder '%s'", path);
    }
    *out = e;
    return e != NULL ? EDGEOPS_OK : EDGEOPS_DONE;
}

/* Depth is bounded by the kernel's PATH_MAX for what this program makes; deeper trees fail with a
 * clear error. */
static edgeops_status remove_at(int parent, const char *name, unsigned depth) {
    if (unlinkat(parent, name, 0) == 0 || errno == ENOENT) {
        return EDGEOPS_OK;
    }
    if (errno != EISDIR && errno != EPERM) {
        return eop_fail_errno(errno, "base", "cannot remove '%s'", name);
    }
    if (depth > 128) {
        return eop_fail(EDGEOPS_E_LIMIT, "base", "cannot remove '%s': folders nest too deep", name);
    }
    int fd = eop_openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        edgeops_status status = eop_fail_errno(errno, "base", "cannot open folder '%s'", name);
        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    (void)fchmod(fd, 0700); /* installed workflows are read-only */
    edgeops_status status = EDGEOPS_OK;
    struct dirent *e = NULL;
    while (status == EDGEOPS_OK && (status = eop_dir_next(&e, dir, name)) == EDGEOPS_OK) {
        status = remove_at(fd, e->d_name, depth + 1);
    }
    status = status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    closedir(dir);
    if (status == EDGEOPS_OK && unlinkat(parent, name, AT_REMOVEDIR) != 0) {
        status = eop_fail_errno(errno, "base", "cannot remove folder '%s'", name);
    }
    return status;
}

edgeops_status eop_remove_tree(const char *path) {
    return remove_at(AT_FDCWD, path, 0);
}

/* Without the lock: says who has it. A file that nobody could write to names one that ended long
 * ago. */
static edgeops_status fail_held(int *owner, int fd, const char *path) {
    char text[32] = {0};
    if (pread(fd, text, sizeof text - 1, 0) > 0) {
        int pid = atoi(text);
        *owner = pid > 0 && (kill(pid, 0) == 0 || errno != ESRCH) ? pid : 0;
    }
    return *owner > 0 ? eop_fail(EDGEOPS_E_BUSY, "base", "'%s' is held by process %d", path, *owner)
                      : eop_fail(EDGEOPS_E_BUSY, "base", "'%s' is held by another process", path);
}

static edgeops_status take_lock(int *owner, int fd, const char *path, int how) {
    if (flock(fd, how | LOCK_NB) == 0) {
        return EDGEOPS_OK;
    }
    return errno == EWOULDBLOCK ? fail_held(owner, fd, path)
                                : eop_fail_errno(errno, "base", "cannot lock '%s'", path);
}

edgeops_status eop_lock_file(int *out, int *owner, const char *path) {
    *out = -1;
    *owner = 0;
    int fd = eop_open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return eop_fail_errno(errno, "base", "cannot open lock '%s'", path);
    }
    edgeops_status status = take_lock(owner, fd, path, LOCK_EX);
    if (status != EDGEOPS_OK) {
        close(fd);
        return status;
    }
    char text[32] = {0};
    int n = snprintf(text, sizeof text, "%d\n", (int)getpid());
    /* In this order: on a full disk a file that was made empty may get no block again. */
    if (pwrite(fd, text, (size_t)n, 0) != n || ftruncate(fd, n) != 0) {
        /* The pid is a courtesy for the message of the next one; the lock holds without it (full
         * disk). */
        (void)ftruncate(fd, 0);
    }
    eop_fork_close(fd);
    *out = fd;
    return EDGEOPS_OK;
}

edgeops_status eop_lock_file_shared(int *out, int *owner, const char *path) {
    *out = -1;
    *owner = 0;
    int fd = eop_open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return errno == ENOENT ? EDGEOPS_OK
                               : eop_fail_errno(errno, "base", "cannot open lock '%s'", path);
    }
    edgeops_status status = take_lock(owner, fd, path, LOCK_SH);
    if (status != EDGEOPS_OK) {
        close(fd);
        return status;
    }
    eop_fork_close(fd);
    *out = fd;
    return EDGEOPS_OK;
}

void eop_unlock_file(int fd) {
    if (fd >= 0) {
        eop_fork_forget(fd);
        close(fd);
    }
}

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

edgeops_status eop_dir_walk(const char *path, eop_dir_fn fn, void *user_data) {
    DIR *dir = eop_opendir(path);
    if (dir == NULL) {
        return eop_fail_errno(errno, "base", "cannot open folder '%s'", path);
    }
    edgeops_status status = EDGEOPS_OK;
    char **names = NULL;
    size_t count = 0;
    size_t capacity = 0;
    struct dirent *e = NULL;
    while ((status = eop_dir_next(&e, dir, path)) == EDGEOPS_OK) {
        char *name = eop_strdup(e->d_name);
        if (name == NULL || !eop_grow(&names, &capacity, count + 1, sizeof *names)) {
            eop_free(name);
            status = eop_fail_nomem("base");
            goto out;
        }
        names[count++] = name;
    }
    if (status != EDGEOPS_DONE) {
        goto out;
    }
    status = EDGEOPS_OK;
    if (count > 0) {
        qsort(names, count, sizeof *names, by_name);
    }
    for (size_t i = 0; i < count && status == EDGEOPS_OK; i++) {
        status = fn(names[i], user_data);
    }
out:
    for (size_t i = 0; i < count; i++) {
        eop_free(names[i]);
    }
    eop_free(names);
    closedir(dir);
    return status;
}

edgeops_status eop_disk_room(uint64_t *bytes, uint64_t *files, const char *path) {
    struct statvfs st;
    if (statvfs(path, &st) != 0) {
        return eop_fail_errno(errno, "base", "cannot tell the free disk of '%s'", path);
    }
    *bytes = (uint64_t)st.f_bavail * st.f_frsize;
    *files = st.f_files > 0 ? (uint64_t)st.f_favail : UINT64_MAX; /* btrfs and others count none */
    return EDGEOPS_OK;
}

edgeops_status eop_disk_free(uint64_t *out, const char *path) {
    uint64_t files = 0;
    return eop_disk_room(out, &files, path);
}
