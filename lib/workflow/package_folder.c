/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that are source folders. Folders are opened level by level and no link is followed,
 * so the files that are read lie below the folder, or beside it where the manifest includes
 * them. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/memory.h"
#include "workflow/package.h"

typedef struct walk {
    eop_entries *entries;
    const char *what;
    const char *name; /* of the workflow */
} walk;

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && strcmp(text + n - m, end) == 0;
}

static bool left_out(const walk *w, const char *name, bool root) {
    size_t n = strlen(w->name);
    return name[0] == '.' || strcmp(name, "__pycache__") == 0 || ends_with(name, ".pyc") ||
           (root && strncmp(name, w->name, n) == 0 && name[n] == '-' && ends_with(name, ".zip"));
}

static edgeops_status walk_folder(const walk *w, int parent, const char *name, const char *path,
                                  const char *source, unsigned depth);

/* One entry of a folder. path: in the package; source: from the package's folder. */
static edgeops_status walk_one(const walk *w, int parent, const char *name, const char *path,
                               const char *source, unsigned depth) {
    struct stat st;
    if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return eop_fail_errno(errno, "workflow", "%s: cannot look at '%s'", w->what, source);
    }
    if (S_ISDIR(st.st_mode)) {
        return walk_folder(w, parent, name, path, source, depth + 1);
    }
    if (!S_ISREG(st.st_mode)) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow",
                        "%s: '%s' is a %s; a package holds regular files and folders only", w->what,
                        source, S_ISLNK(st.st_mode) ? "symbolic link" : "device, FIFO or socket");
    }
    edgeops_status status =
        eop_entries_add(w->entries, path, strlen(path), (uint64_t)st.st_size, false, w->what);
    if (status == EDGEOPS_OK) {
        eop_entry *entry = &w->entries->items[w->entries->count - 1];
        entry->source = eop_strdup(source);
        status = entry->source != NULL ? EDGEOPS_OK : eop_fail_nomem("workflow");
    }
    return status;
}

static edgeops_status walk_folder(const walk *w, int parent, const char *name, const char *path,
                                  const char *source, unsigned depth) {
    edgeops_status status = EDGEOPS_OK;
    if (depth > EOP_ENTRY_DEPTH_MAX) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: '%s' has more than 16 levels", w->what,
                        source);
    }
    int fd = eop_openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    if (dir == NULL) {
        status = eop_fail_errno(errno, "workflow", "%s: cannot open folder '%s'", w->what, source);
        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    struct dirent *e = NULL;
    while (status == EDGEOPS_OK && (status = eop_dir_next(&e, dir, source)) == EDGEOPS_OK) {
        if (left_out(w, e->d_name, *path == '\0')) {
            continue;
        }
        char *below = eop_format("%s%s%s", path, *path != '\0' ? "/" : "", e->d_name);
        char *from = eop_format("%s%s%s", source, *source != '\0' ? "/" : "", e->d_name);
        status = below != NULL && from != NULL ? walk_one(w, fd, e->d_name, below, from, depth)
                                               : eop_fail_nomem("workflow");
        eop_free(below);
        eop_free(from);
    }
    closedir(dir);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

/* "../common/forest.py" becomes "forest.py" at the root. It may go one step up at most: a package
 * is made of its folder and of what its neighbours share with it. */
static edgeops_status add_include(const walk *w, int fd, const eop_manifest *m, const char *source,
                                  size_t index) {
    char at[64];
    const char *rest = strncmp(source, "../", 3) == 0 ? source + 3 : source;
    const char *slash = strrchr(source, '/');
    const char *name = slash != NULL ? slash + 1 : source;
    (void)snprintf(at, sizeof at, "/python/include/%zu", index);
    if (!eop_name_valid(rest, strlen(rest), EOP_ENTRY_PATH_MAX)) {
        return eop_manifest_fail(m, at,
                                 "'%s' must be relative to the source folder, with at most one "
                                 "leading '../' and no other '..'",
                                 source);
    }
    struct stat st;
    if (fstatat(fd, source, &st, AT_SYMLINK_NOFOLLOW) != 0) {
        return eop_manifest_fail(m, at, "'%s' is not there", source);
    }
    int parent = eop_dup(fd);
    if (parent < 0) {
        return eop_fail_errno(errno, "workflow", "cannot open '%s'", source);
    }
    /* Level by level, so that no link is followed on the way. */
    edgeops_status status = EDGEOPS_OK;
    for (const char *p = source; status == EDGEOPS_OK && p < name;) {
        char level[EOP_ENTRY_PATH_MAX + 1];
        size_t n = strcspn(p, "/");
        memcpy(level, p, n);
        level[n] = '\0';
        int next = eop_openat(parent, level, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        close(parent);
        parent = next;
        if (next < 0) {
            return eop_manifest_fail(m, at, "'%s' leads through something that is not a folder",
                                     source);
        }
        p += n + 1;
    }
    status = walk_one(w, parent, name, name, source, 0);
    close(parent);
    return status;
}

edgeops_status eop_folder_index(eop_entries *entries, int fd, const eop_manifest *manifest,
                                const char *what) {
    walk w = {.entries = entries, .what = what, .name = manifest->view.name};
    edgeops_status status = walk_folder(&w, fd, ".", "", "", 0);
    const eop_json *include = eop_json_get(eop_json_get(manifest->json, "python"), "include");
    size_t index = 0;
    for (const eop_json *p = eop_json_first(include); status == EDGEOPS_OK && p != NULL;
         p = eop_json_next(p)) {
        status = add_include(&w, fd, manifest, eop_json_text(p), index++);
    }
    return status == EDGEOPS_OK ? eop_entries_seal(entries, what) : status;
}

static edgeops_status changed(const eop_entry *entry) {
    return eop_fail(EDGEOPS_E_BUSY, "workflow", "'%s' changed while it was read; try again",
                    entry->source);
}

edgeops_status eop_folder_open(int *fd, const eop_entry *entry, void *user_data) {
    const int *root = user_data;
    struct stat st;
    *fd = eop_openat(*root, entry->source, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (*fd < 0 || fstat(*fd, &st) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot read '%s'", entry->source);
    }
    if (!S_ISREG(st.st_mode) || (uint64_t)st.st_size != entry->size) {
        return changed(entry);
    }
    return EDGEOPS_OK;
}

static edgeops_status read_file(eop_entry *entry, int fd, const eop_sink *sink, char *block) {
    eop_content content = {0};
    int from = -1;
    edgeops_status status = eop_folder_open(&from, entry, &fd);
    if (status == EDGEOPS_OK) {
        status = eop_content_begin(&content, entry, sink);
    }
    while (status == EDGEOPS_OK) {
        ssize_t n = read(from, block, EOP_CONTENT_BLOCK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            status = eop_fail_errno(errno, "workflow", "cannot read '%s'", entry->source);
        }
        if (n <= 0) {
            break;
        }
        status = eop_content_put(&content, block, (size_t)n);
    }
    if (status == EDGEOPS_OK) {
        status = content.size == entry->size ? eop_content_end(&content) : changed(entry);
    }
    eop_content_dispose(&content);
    if (from >= 0) {
        close(from);
    }
    return status;
}

edgeops_status eop_folder_read(eop_entries *entries, int fd, const eop_sink *sink) {
    edgeops_status status = EDGEOPS_OK;
    char *block = eop_alloc(EOP_CONTENT_BLOCK);
    if (block == NULL) {
        return eop_fail_nomem("workflow");
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < entries->count; i++) {
        status = read_file(&entries->items[i], fd, sink, block);
    }
    eop_free(block);
    return status;
}
