/* SPDX-License-Identifier: Apache-2.0 */
/* Walks what a training left, depth first and by name, and takes each file's size and SHA-256 on
 * the way to the disk. Links, pipes and devices are refused: what is listed here is what a lane
 * reads later. Holds no lock; the folder must not change meanwhile. */
#include "runtime/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"

#define FILES_MAX   100000u
#define DEPTH_MAX   32u
#define PIECE_BYTES ((size_t)1 << 20)

typedef struct seal {
    eop_json *files;
    uint64_t total;
    size_t count;
    const char *folder; /**< path of the folder that is walked */
    const char *prefix; /**< its name within the model, "" for the top */
    unsigned depth;
    eop_seal_go_fn go;
    void *user_data;
} seal;

/* Asks after each piece whether to go on: a sparse file of a TiB takes no room, but half an hour. */
static edgeops_status hash_file(seal *s, char hex[65], uint64_t *size, int fd, const char *name) {
    eop_sha256 *hash = NULL;
    ssize_t n = 1;
    char *piece = eop_alloc(PIECE_BYTES);
    edgeops_status status = piece != NULL ? eop_sha256_new(&hash) : eop_fail_nomem("runtime");
    while (status == EDGEOPS_OK && n > 0) {
        n = read(fd, piece, PIECE_BYTES);
        if (n < 0 && errno == EINTR) {
            n = 1;
        } else if (n < 0) {
            status = eop_fail_errno(errno, "runtime", "model file '%s'", name);
        } else {
            eop_sha256_update(hash, piece, (size_t)n);
            *size += (uint64_t)n;
            status = s->go(s->user_data);
        }
    }
    if (status == EDGEOPS_OK) {
        eop_sha256_finish(hash, hex);
        hash = NULL;
    }
    eop_sha256_free(hash);
    eop_free(piece);
    return status;
}

static edgeops_status take_file(seal *s, const char *path, const char *name) {
    char hex[65];
    uint64_t size = 0;
    int fd = eop_open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return eop_fail_errno(errno, "runtime", "model file '%s'", name);
    }
    edgeops_status status = hash_file(s, hex, &size, fd, name);
    if (status == EDGEOPS_OK && fsync(fd) != 0) {
        status = eop_fail_errno(errno, "runtime", "model file '%s'", name);
    }
    close(fd);
    if (status == EDGEOPS_OK && ++s->count > FILES_MAX) {
        status =
            eop_fail(EDGEOPS_E_LIMIT, "runtime", "the training left more than %u files", FILES_MAX);
    }
    if (status == EDGEOPS_OK) {
        eop_json *file = eop_json_object();
        eop_json_set_string(file, "name", name);
        eop_json_set_integer(file, "size", (int64_t)size);
        eop_json_set_string(file, "sha256", hex);
        eop_json_append(s->files, file);
        s->total += size;
    }
    return status;
}

static edgeops_status walk(seal *s, const char *folder, const char *prefix);

static edgeops_status take_entry(const char *entry, void *user_data) {
    seal *s = user_data;
    struct stat info;
    char *path = eop_path_join(s->folder, entry);
    char *name = s->prefix[0] != '\0' ? eop_path_join(s->prefix, entry) : eop_strdup(entry);
    edgeops_status status = EDGEOPS_OK;
    if (path == NULL || name == NULL) {
        status = eop_fail_nomem("runtime");
    } else if (lstat(path, &info) != 0) {
        status = eop_fail_errno(errno, "runtime", "model file '%s'", name);
    } else if (S_ISDIR(info.st_mode)) {
        status = walk(s, path, name);
    } else if (S_ISREG(info.st_mode)) {
        status = take_file(s, path, name);
    } else {
        status = eop_fail(EDGEOPS_E_DENIED, "runtime",
                          "the training left '%s', which is neither file nor folder", name);
    }
    eop_free(path);
    eop_free(name);
    return status;
}

static edgeops_status walk(seal *s, const char *folder, const char *prefix) {
    seal inner = *s;
    if (s->depth >= DEPTH_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "runtime", "the training left folders over %u deep",
                        DEPTH_MAX);
    }
    inner.folder = folder;
    inner.prefix = prefix;
    inner.depth++;
    edgeops_status status = eop_dir_walk(folder, take_entry, &inner);
    s->total = inner.total;
    s->count = inner.count;
    return status == EDGEOPS_OK ? eop_dir_sync(folder) : status;
}

edgeops_status eop_seal(eop_json **files, uint64_t *total, const char *folder, eop_seal_go_fn go,
                        void *user_data) {
    seal s = {.files = eop_json_array(), .go = go, .user_data = user_data};
    edgeops_status status = s.files != NULL ? walk(&s, folder, "") : eop_fail_nomem("runtime");
    if (status != EDGEOPS_OK) {
        eop_json_free(s.files);
        return status;
    }
    *files = s.files;
    *total = s.total;
    return EDGEOPS_OK;
}

/* -- compared again -- */

static edgeops_status differs(const char *name, const char *how) {
    return eop_fail(EDGEOPS_E_CORRUPT, "runtime", "'%.200s' %s", name, how);
}

static edgeops_status check_open(int fd, const char *name, uint64_t size, const char *sha256,
                                 bool deep) {
    struct stat info;
    char hex[65];
    if (fstat(fd, &info) != 0) {
        return eop_fail_errno(errno, "runtime", "'%s'", name);
    }
    if (!S_ISREG(info.st_mode)) {
        return differs(name, "is not a file any more");
    }
    if ((uint64_t)info.st_size != size) {
        return differs(name, "has another size");
    }
    edgeops_status status = deep ? eop_sha256_of_fd(hex, NULL, fd, name) : EDGEOPS_OK;
    if (deep && status == EDGEOPS_OK && strcmp(hex, sha256) != 0) {
        status = differs(name, "has other content");
    }
    return status;
}

edgeops_status eop_seal_check(const char *folder, const char *name, uint64_t size,
                              const char *sha256, bool deep) {
    char *path = eop_path_join(folder, name);
    if (path == NULL) {
        return eop_fail_nomem("runtime");
    }
    int fd = eop_open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    int error = errno;
    eop_free(path);
    if (fd < 0) {
        return error == ENOENT  ? differs(name, "is missing")
               : error == ELOOP ? differs(name, "is a link now")
                                : eop_fail_errno(error, "runtime", "'%s'", name);
    }
    edgeops_status status = check_open(fd, name, size, sha256, deep);
    close(fd);
    return status;
}

edgeops_status eop_seal_check_all(const char *folder, const eop_json *files, bool deep) {
    edgeops_status status = EDGEOPS_OK;
    for (const eop_json *f = files != NULL ? eop_json_first(files) : NULL;
         status == EDGEOPS_OK && f != NULL; f = eop_json_next(f)) {
        status = eop_seal_check(folder, eop_json_string(f, "name", ""),
                                (uint64_t)eop_json_integer(f, "size", 0),
                                eop_json_string(f, "sha256", ""), deep);
    }
    return status;
}
