/* SPDX-License-Identifier: Apache-2.0 */
/* Walks and copies folders with all that is in them, as backup and restore need it: in the order of
 * names, never through a link that could lead out, and on the disk when it returns. */
#include "base/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/str.h"

#define PIECE ((size_t)256 * 1024)

/* -- walking -- */

typedef struct level {
    const char *root;
    const char *path; /* below root; "" for it */
    unsigned depth;
    eop_tree_fn fn;
    void *user_data;
} level;

static edgeops_status walk_folder(const level *l);

static edgeops_status take_entry(const level *l, const char *full, const char *path) {
    struct stat st;
    int rc = l->depth == 0 ? stat(full, &st) : lstat(full, &st);
    if (rc != 0) {
        return errno == ENOENT ? EDGEOPS_OK : eop_fail_errno(errno, "base", "'%s'", full);
    }
    if (S_ISLNK(st.st_mode)) {
        return eop_fail(EDGEOPS_E_INVALID, "base",
                        "'%s' is a link: put what it points to in its place", full);
    }
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)) {
        return EDGEOPS_OK;
    }
    eop_tree_entry entry = {.path = path,
                            .folder = S_ISDIR(st.st_mode),
                            .mode = (unsigned)st.st_mode & 07777u,
                            .size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0};
    edgeops_status status = l->fn(&entry, l->user_data);
    if (!entry.folder || status != EDGEOPS_OK) {
        return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    }
    if (l->depth + 1 >= EOP_TREE_DEPTH) {
        return eop_fail(EDGEOPS_E_LIMIT, "base", "'%s': folders nest too deep", full);
    }
    level below = *l;
    below.path = path;
    below.depth++;
    return walk_folder(&below);
}

static edgeops_status on_name(const char *name, void *user_data) {
    const level *l = user_data;
    char *path = l->path[0] != '\0' ? eop_path_join(l->path, name) : eop_strdup(name);
    char *full = path != NULL ? eop_path_join(l->root, path) : NULL;
    edgeops_status status = full != NULL ? take_entry(l, full, path) : eop_fail_nomem("base");
    eop_free(full);
    eop_free(path);
    return status;
}

static edgeops_status walk_folder(const level *l) {
    char *full = l->path[0] != '\0' ? eop_path_join(l->root, l->path) : eop_strdup(l->root);
    if (full == NULL) {
        return eop_fail_nomem("base");
    }
    edgeops_status status = EDGEOPS_OK;
    if (l->depth == 0 || eop_file_exists(full)) {
        status = eop_dir_walk(full, on_name, (void *)(uintptr_t)l);
    }
    eop_free(full);
    return status;
}

edgeops_status eop_tree_walk(const char *root, eop_tree_fn fn, void *user_data) {
    level top = {.root = root, .path = "", .fn = fn, .user_data = user_data};
    return walk_folder(&top);
}

/* -- copying -- */

static edgeops_status copy_bytes(eop_sha256 *hash, int from, uint64_t size, int to, char *piece,
                                 eop_copy_fn fn, void *user_data) {
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && size > 0) {
        ssize_t n = read(from, piece, size < PIECE ? (size_t)size : PIECE);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? EDGEOPS_OK : eop_fail_errno(errno, "base", "cannot read");
        }
        if (hash != NULL) {
            eop_sha256_update(hash, piece, (size_t)n);
        }
        status = eop_write_all(to, piece, (size_t)n);
        if (status == EDGEOPS_OK && fn != NULL) {
            status = fn((uint64_t)n, user_data);
        }
        size -= (uint64_t)n;
    }
    return status;
}

edgeops_status eop_file_copy_fd(char hex[65], int fd, uint64_t size, const char *to, unsigned mode,
                                eop_copy_fn fn, void *user_data) {
    eop_sha256 *hash = NULL;
    edgeops_status status = EDGEOPS_OK;
    char *piece = eop_alloc(PIECE);
    int out = -1;
    if (piece == NULL) {
        return eop_fail_nomem("base");
    }
    if (hex != NULL) {
        status = eop_sha256_new(&hash);
    }
    if (status == EDGEOPS_OK) {
        out = eop_open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        status = out >= 0 ? EDGEOPS_OK : eop_fail_errno(errno, "base", "cannot make '%s'", to);
    }
    if (status == EDGEOPS_OK) {
        status = copy_bytes(hash, fd, size, out, piece, fn, user_data);
    }
    if (status == EDGEOPS_OK && (fchmod(out, (mode_t)mode) != 0 || fsync(out) != 0)) {
        status = eop_fail_errno(errno, "base", "cannot write '%s'", to);
    }
    if (status == EDGEOPS_OK && hash != NULL) {
        eop_sha256_finish(hash, hex);
        hash = NULL;
    }
    eop_sha256_free(hash);
    eop_free(piece);
    if (out >= 0) {
        close(out);
    }
    return status;
}

edgeops_status eop_file_copy(char hex[65], const char *from, const char *to, unsigned mode,
                             eop_copy_fn fn, void *user_data) {
    struct stat st;
    int fd = eop_open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) != 0) {
        edgeops_status status = eop_fail_errno(errno, "base", "cannot read '%s'", from);
        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    edgeops_status status =
        S_ISREG(st.st_mode)
            ? eop_file_copy_fd(hex, fd, UINT64_MAX, to, mode, fn, user_data)
            : eop_fail(EDGEOPS_E_INVALID, "base", "'%s' is not a regular file", from);
    close(fd);
    return status;
}

/* -- syncing -- */

static edgeops_status sync_entry(const eop_tree_entry *entry, void *user_data) {
    if (!entry->folder) {
        return EDGEOPS_OK;
    }
    char *path = eop_path_join(user_data, entry->path);
    edgeops_status status = path != NULL ? eop_dir_sync(path) : eop_fail_nomem("base");
    eop_free(path);
    return status;
}

edgeops_status eop_tree_sync(const char *root) {
    edgeops_status status = eop_tree_walk(root, sync_entry, (void *)(uintptr_t)root);
    return status == EDGEOPS_OK ? eop_dir_sync(root) : status;
}
