/* SPDX-License-Identifier: Apache-2.0 */
/* Installs packages into the content store and removes them. All writing happens under the
 * store's lock file; readers need no lock, because each step is a rename (see store.h for the
 * order). */
#include "workflow/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/memory.h"

#define TEMPORARY ".tmp-"

enum { SEEN_MAX = 4096 };

/* -- one object on its way to disk -- */

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

/* Reads the package into a new folder beside the objects. *folder is set as soon as it is there. */
static edgeops_status extract(char **folder, eop_package *package, const char *store) {
    extraction x = {.root = -1, .file = -1};
    const eop_sink sink = {extract_begin, extract_data, extract_end, &x};
    edgeops_status status = EDGEOPS_OK;
    char *path = eop_store_path(store, "objects", TEMPORARY "XXXXXX");
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

/* -- sweeping -- */

typedef struct sweep {
    const char *store;
    const char *folder;
    const eop_installed *items;
    size_t count;
    size_t seen;
} sweep;

static bool is_referenced(const sweep *s, const char *name) {
    for (size_t i = 0; i < s->count; i++) {
        if (strncmp(s->items[i].digest, name, 64) == 0) {
            return true;
        }
    }
    return false;
}

static edgeops_status drop(const sweep *s, const char *name) {
    char *path = eop_store_path(s->store, s->folder, name);
    edgeops_status status = path != NULL ? eop_remove_tree(path) : eop_fail_nomem("workflow");
    eop_free(path);
    return status;
}

static edgeops_status sweep_object(const char *name, void *user_data) {
    const sweep *s = user_data;
    return is_referenced(s, name) ? EDGEOPS_OK : drop(s, name);
}

static edgeops_status sweep_index(const char *name, void *user_data) {
    eop_installed item;
    return eop_installed_parse_name(&item, name) ? EDGEOPS_OK : drop(user_data, name);
}

static edgeops_status count_seen(const char *name, void *user_data) {
    (void)name;
    ((sweep *)user_data)->seen++;
    return EDGEOPS_OK;
}

static edgeops_status sweep_seen(const char *name, void *user_data) {
    return drop(user_data, name);
}

static edgeops_status sweep_folder(sweep *s, const char *folder, eop_dir_fn fn) {
    char *path = eop_store_path(s->store, folder, NULL);
    s->folder = folder;
    edgeops_status status = path != NULL ? eop_dir_walk(path, fn, s) : eop_fail_nomem("workflow");
    eop_free(path);
    return status;
}

/* Removes what a crash left. The caller holds the lock, so nobody works on it. While an index entry
 * is damaged, nobody knows which objects are referenced, and they stay. */
static edgeops_status sweep_store(const char *store) {
    eop_installed *items = NULL;
    size_t damaged = 0;
    sweep s = {.store = store};
    edgeops_status status = eop_installed_load(&items, &s.count, &damaged, store);
    s.items = items;
    if (status == EDGEOPS_OK && damaged == 0) {
        status = sweep_folder(&s, "objects", sweep_object);
    }
    if (status == EDGEOPS_OK) {
        status = sweep_folder(&s, "index", sweep_index);
    }
    if (status == EDGEOPS_OK) {
        status = sweep_folder(&s, "seen", count_seen);
    }
    /* It is a cache: emptying it is cheaper than keeping an order of age. */
    if (status == EDGEOPS_OK && s.seen > SEEN_MAX) {
        status = sweep_folder(&s, "seen", sweep_seen);
    }
    eop_free(items);
    return status;
}

/* -- installing -- */

static edgeops_status lock_store(int *lock, const char *store) {
    static const char *const folders[] = {"objects", "index", "seen"};
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < EOP_COUNT(folders); i++) {
        char *path = eop_store_path(store, folders[i], NULL);
        status = path != NULL ? eop_mkdirs(path, 0755) : eop_fail_nomem("workflow");
        eop_free(path);
    }
    char *path = eop_store_path(store, "lock", NULL);
    int owner = 0;
    if (status == EDGEOPS_OK) {
        status = path != NULL ? eop_lock_file(lock, &owner, path) : eop_fail_nomem("workflow");
    }
    eop_free(path);
    return status;
}

/* E_EXISTS: the name and version are installed with other content; DONE: with the same. */
static edgeops_status compare_installed(const eop_installed *item, const char *store) {
    char name[128];
    eop_installed old;
    (void)snprintf(name, sizeof name, "%s@%s", item->name, item->version);
    edgeops_status status = eop_installed_find(&old, store, name);
    if (status == EDGEOPS_E_NOTFOUND) {
        return EDGEOPS_OK;
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (strcmp(old.digest, item->digest) != 0) {
        return eop_fail(EDGEOPS_E_EXISTS, "workflow",
                        "workflow %s is installed with other content; give this one a new version",
                        name);
    }
    char *object = eop_store_path(store, "objects", item->digest);
    status = object == NULL            ? eop_fail_nomem("workflow")
             : eop_file_exists(object) ? EDGEOPS_DONE
                                       : EDGEOPS_OK;
    eop_free(object);
    return status;
}

/* Writes the listing, then the object, then the index entry: each is durable before the next. */
static edgeops_status publish(const char *folder, const eop_package *package,
                              const eop_installed *item, const char *store) {
    eop_buf listing = {0};
    char hex[65];
    char *object = eop_store_path(store, "objects", item->digest);
    char *objects = eop_store_path(store, "objects", NULL);
    char *list = object != NULL ? eop_format("%s.list", object) : NULL;
    edgeops_status status = EDGEOPS_OK;
    if (list == NULL || objects == NULL) {
        status = eop_fail_nomem("workflow");
    }
    if (status == EDGEOPS_OK) {
        status = eop_entries_digest(&package->entries, hex, &listing);
    }
    if (status == EDGEOPS_OK) {
        status = eop_file_write(list, listing.data, listing.size, 0444);
    }
    if (status == EDGEOPS_OK && rename(folder, object) != 0) {
        /* An object that is there under this name has this content: it was renamed as a whole. */
        status = errno == ENOTEMPTY || errno == EEXIST
                     ? eop_remove_tree(folder)
                     : eop_fail_errno(errno, "workflow", "cannot move '%s' into place", folder);
    }
    if (status == EDGEOPS_OK) {
        status = eop_dir_sync(objects);
    }
    if (status == EDGEOPS_OK) {
        status = eop_installed_write(item, store);
    }
    eop_buf_dispose(&listing);
    eop_free(list);
    eop_free(objects);
    eop_free(object);
    return status;
}

static void describe(eop_installed *item, const eop_package *package) {
    const edgeops_manifest *m = &package->manifest.view;
    *item = (eop_installed){.size_bytes = package->entries.total};
    (void)snprintf(item->name, sizeof item->name, "%s", m->name);
    (void)snprintf(item->version, sizeof item->version, "%s", m->version);
    memcpy(item->digest, package->digest, sizeof item->digest);
}

/* The file must not change while it is read, or its digest means nothing. */
static edgeops_status same_file(const struct stat *before, int fd, const char *path) {
    struct stat now;
    if (fstat(fd, &now) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot look at '%s'", path);
    }
    bool same = before->st_size == now.st_size && before->st_mtim.tv_sec == now.st_mtim.tv_sec &&
                before->st_mtim.tv_nsec == now.st_mtim.tv_nsec;
    return same ? EDGEOPS_OK
                : eop_fail(EDGEOPS_E_BUSY, "workflow", "'%s' changed while it was read; try again",
                           path);
}

static edgeops_status install_new(eop_installed *item, eop_package *package, const char *store) {
    char *folder = NULL;
    edgeops_status status = EDGEOPS_OK;
    struct stat before;
    if (fstat(package->fd, &before) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot look at '%s'", package->path);
    }
    /* A folder is cheap to hash, and often installed already. */
    if (package->form == EOP_FORM_FOLDER) {
        status = eop_package_read(package, NULL);
        if (status == EDGEOPS_OK) {
            describe(item, package);
            status = compare_installed(item, store);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    status = extract(&folder, package, store);
    if (status == EDGEOPS_OK && package->form != EOP_FORM_FOLDER) {
        status = same_file(&before, package->fd, package->path);
    }
    if (status == EDGEOPS_OK) {
        describe(item, package);
        status = compare_installed(item, store);
    }
    if (status == EDGEOPS_OK) {
        status = publish(folder, package, item, store);
    }
    /* Where the folder was moved into place, nothing is left to remove. */
    if (folder != NULL && status != EDGEOPS_OK) {
        eop_kept_error kept;
        eop_keep_error(&kept);
        (void)eop_remove_tree(folder);
        if (status < 0) {
            (void)eop_fail_kept(&kept);
        }
    }
    eop_free(folder);
    return status;
}

edgeops_status edgeops_workflow_install(edgeops_workflow **out, const char *store,
                                        const char *path) {
    eop_package package = {.fd = -1};
    eop_installed item = {0};
    bool seen = false;
    int lock = -1;
    edgeops_status status = EDGEOPS_OK;
    if (out != NULL) {
        *out = NULL;
    }
    EOP_REQUIRE(store != NULL && path != NULL, "workflow");
    int fd = eop_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        status = eop_fail_errno(errno, "workflow", "cannot open package '%s'", path);
        goto out;
    }
    if (S_ISREG(st.st_mode) && (uint64_t)st.st_size <= EOP_ENTRY_ZIP_MAX) {
        status = eop_seen_find(&item, &seen, store, fd);
    }
    if (status != EDGEOPS_OK) {
        goto out;
    }
    if (seen) {
        status = EDGEOPS_DONE;
    } else {
        status = eop_package_open(&package, path);
        if (status == EDGEOPS_OK) {
            status = lock_store(&lock, store);
        }
        if (status == EDGEOPS_OK) {
            status = sweep_store(store);
        }
        if (status == EDGEOPS_OK) {
            status = install_new(&item, &package, store);
        }
        if (status >= EDGEOPS_OK && package.form != EOP_FORM_FOLDER) {
            eop_seen_add(&item, store, package.fd);
        }
    }
    if (status >= EDGEOPS_OK && out != NULL) {
        edgeops_status opened = eop_installed_open(out, &item, store);
        status = opened == EDGEOPS_OK ? status : opened;
    }
out:
    eop_unlock_file(lock);
    if (fd >= 0) {
        close(fd);
    }
    eop_package_close(&package);
    return status;
}

edgeops_status edgeops_workflow_remove(const char *store, const char *reference) {
    EOP_REQUIRE(store != NULL && reference != NULL, "workflow");
    eop_installed item;
    char name[128];
    int lock = -1;
    char *entry = NULL, *index = NULL, *object = NULL, *list = NULL;
    edgeops_status status = eop_installed_find(&item, store, reference);
    /* A damaged entry is removed, too; the next install sweeps its object. */
    bool damaged = status == EDGEOPS_E_CORRUPT && eop_installed_parse_name(&item, reference);
    if (status == EDGEOPS_OK || damaged) {
        status = lock_store(&lock, store);
    }
    if (status != EDGEOPS_OK) {
        goto out;
    }
    (void)snprintf(name, sizeof name, "%s@%s", item.name, item.version);
    entry = eop_store_path(store, "index", name);
    index = eop_store_path(store, "index", NULL);
    object = eop_store_path(store, "objects", item.digest);
    list = object != NULL ? eop_format("%s.list", object) : NULL;
    if (entry == NULL || index == NULL || object == NULL || list == NULL) {
        status = eop_fail_nomem("workflow");
        goto out;
    }
    if (unlink(entry) != 0 && errno != ENOENT) {
        status = eop_fail_errno(errno, "workflow", "cannot remove '%s'", entry);
        goto out;
    }
    status = eop_dir_sync(index);
    /* Without an index entry the workflow is removed; the rest only frees the disk. */
    if (status == EDGEOPS_OK && !damaged) {
        status = eop_remove_tree(object);
    }
    if (status == EDGEOPS_OK && !damaged) {
        status = eop_remove_tree(list);
    }
out:
    eop_unlock_file(lock);
    eop_free(entry);
    eop_free(index);
    eop_free(object);
    eop_free(list);
    return status;
}
