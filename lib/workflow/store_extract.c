/* SPDX-License-Identifier: Apache-2.0 */
/* One object on its way to the content store: a new folder beside the objects gets the files, then
 * everything is synced and made read-only. Nobody else knows the folder, so no lock is needed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/memory.h"
#include "workflow/store.h"

typedef struct extraction {
    int root;                          /* the temporary folder */
    int file;                          /* the file that is written, or -1 */
    char last[EOP_ENTRY_PATH_MAX + 1]; /* folder made last */
} extraction;

/* Makes the folders above path, inside root. The names have passed policy, and root is new and
 * ours. */
static edgeops_status make_parents(extraction *x, const char *path) {
    char folder[EOP_ENTRY_PATH_MAX + 1];
    const char *slash = strrchr(path, '/');
    size_t n = slash != NULL ? (size_t)(slash - path) : 0;
    if (n == 0 || (strlen(x->last) == n && memcmp(x->last, path, n) == 0)) {
        return EDGEOPS_OK;
    }
    memcpy(folder, path, n);
    folder[n] = '\0';
    for (char *p = folder;; p++) {
        if (*p != '/' && *p != '\0') {
            continue;
        }
        char saved = *p;
        *p = '\0';
        if (mkdirat(x->root, folder, 0755) != 0 && errno != EEXIST) {
            return eop_fail_errno(errno, "workflow", "cannot make folder '%s'", folder);
        }
        *p = saved;
        if (saved == '\0') {
            break;
        }
    }
    memcpy(x->last, folder, n + 1);
    return EDGEOPS_OK;
}

static edgeops_status extract_begin(const eop_entry *entry, void *user_data) {
    extraction *x = user_data;
    edgeops_status status = make_parents(x, entry->path);
    if (status == EDGEOPS_OK) {
        x->file = eop_openat(x->root, entry->path,
                             O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0444);
        if (x->file < 0) {
            status = eop_fail_errno(errno, "workflow", "cannot write '%s'", entry->path);
        }
    }
    return status;
}

static edgeops_status extract_data(const void *data, size_t size, void *user_data) {
    extraction *x = user_data;
    return eop_write_all(x->file, data, size);
}

static edgeops_status extract_end(const eop_entry *entry, void *user_data) {
    extraction *x = user_data;
    int fd = x->file;
    x->file = -1;
    if (close(fd) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot write '%s'", entry->path);
    }
    return EDGEOPS_OK;
}

/* Syncs a file or folder below root, and makes folders read-only. */
static edgeops_status seal_one(int root, const char *path, bool folder) {
    int fd = eop_openat(root, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | (folder ? O_DIRECTORY : 0));
    edgeops_status status = EDGEOPS_OK;
    if (fd < 0 || (folder && fchmod(fd, 0555) != 0) || fsync(fd) != 0) {
        status = eop_fail_errno(errno, "workflow", "cannot sync '%s'", path);
    }
    if (fd >= 0) {
        close(fd);
    }
    return status;
}

/* Seals the folders above path that are not also above the path before it. */
static edgeops_status seal_parents(int root, const char *path, const char *before) {
    char folder[EOP_ENTRY_PATH_MAX + 1];
    edgeops_status status = EDGEOPS_OK;
    for (const char *slash = strchr(path, '/'); status == EDGEOPS_OK && slash != NULL;
         slash = strchr(slash + 1, '/')) {
        size_t n = (size_t)(slash - path) + 1;
        if (before != NULL && strncmp(path, before, n) == 0) {
            continue;
        }
        memcpy(folder, path, n - 1);
        folder[n - 1] = '\0';
        status = seal_one(root, folder, true);
    }
    return status;
}

/* Everything is written before anything is synced, so that the kernel writes it in one go. */
static edgeops_status seal_tree(int root, const eop_entries *entries) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < entries->count; i++) {
        if (!entries->items[i].directory) {
            status = seal_one(root, entries->items[i].path, false);
        }
    }
    const char *before = NULL;
    for (size_t i = 0; status == EDGEOPS_OK && i < entries->count; i++) {
        if (!entries->items[i].directory) {
            status = seal_parents(root, entries->items[i].path, before);
            before = entries->items[i].path;
        }
    }
    return status == EDGEOPS_OK ? seal_one(root, ".", true) : status;
}

edgeops_status eop_store_extract(char **folder, eop_package *package, const char *store) {
    extraction x = {.root = -1, .file = -1};
    const eop_sink sink = {extract_begin, extract_data, extract_end, &x};
    edgeops_status status = EDGEOPS_OK;
    char *path = eop_store_path(store, "objects", ".tmp-XXXXXX");
    if (path == NULL) {
        return eop_fail_nomem("workflow");
    }
    if (mkdtemp(path) == NULL) {
        status = eop_fail_errno(errno, "workflow", "cannot make a folder in the store '%s'", store);
        eop_free(path);
        return status;
    }
    *folder = path;
    x.root = eop_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (x.root < 0) {
        return eop_fail_errno(errno, "workflow", "cannot open '%s'", path);
    }
    status = eop_package_read(package, &sink);
    if (status == EDGEOPS_OK) {
        status = seal_tree(x.root, &package->entries);
    }
    if (x.file >= 0) {
        close(x.file);
    }
    close(x.root);
    return status;
}
