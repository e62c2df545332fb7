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
    status = eop_store_extract(&folder, package, store);
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
            status = eop_store_sweep(store);
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
