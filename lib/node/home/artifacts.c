/* SPDX-License-Identifier: Apache-2.0 */
/* What a training left in its folder: made durable and listed with sizes and digests before a record
 * speaks of it. */
#include "node/home/artifacts.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"

#define FILES_MAX 100000u
#define DEPTH_MAX 32u

typedef struct seal {
    eop_json *files;
    uint64_t total;
    size_t count;
    const char *folder; /**< path of the folder that is walked */
    const char *prefix; /**< its name within the model, "" for the top */
    unsigned depth;
} seal;

static edgeops_status take_file(seal *s, const char *path, const char *name) {
    char hex[65];
    uint64_t size = 0;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) {
        return eop_fail_errno(errno, "node", "model file '%s'", name);
    }
    edgeops_status status = eop_sha256_of_fd(hex, &size, fd, name);
    if (status == EDGEOPS_OK && fsync(fd) != 0) {
        status = eop_fail_errno(errno, "node", "model file '%s'", name);
    }
    close(fd);
    if (status == EDGEOPS_OK && ++s->count > FILES_MAX) {
        status =
            eop_fail(EDGEOPS_E_LIMIT, "node", "the training left more than %u files", FILES_MAX);
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
        status = eop_fail_nomem("node");
    } else if (lstat(path, &info) != 0) {
        status = eop_fail_errno(errno, "node", "model file '%s'", name);
    } else if (S_ISDIR(info.st_mode)) {
        status = walk(s, path, name);
    } else if (S_ISREG(info.st_mode)) {
        status = take_file(s, path, name);
    } else {
        status = eop_fail(EDGEOPS_E_DENIED, "node",
                          "the training left '%s', which is neither file nor folder", name);
    }
    eop_free(path);
    eop_free(name);
    return status;
}

static edgeops_status walk(seal *s, const char *folder, const char *prefix) {
    seal inner = *s;
    if (s->depth >= DEPTH_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "node", "the training left folders over %u deep",
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

edgeops_status eop_artifacts_seal(eop_json **files, uint64_t *total, const char *directory) {
    seal s = {.files = eop_json_array()};
    edgeops_status status = s.files != NULL ? walk(&s, directory, "") : eop_fail_nomem("node");
    if (status != EDGEOPS_OK) {
        eop_json_free(s.files);
        return status;
    }
    *files = s.files;
    *total = s.total;
    return EDGEOPS_OK;
}
