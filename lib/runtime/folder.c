/* SPDX-License-Identifier: Apache-2.0 */
/* The temporary folder is locked (flock) while its process lives, so that the next one of the same
 * name can tell what a killed process left from what another one is filling. */
#include "runtime/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "runtime/runtime.h"

#define SUFFIX "XXXXXX"

/* Splits path into the folder it is in, which is made where absent, and its last part. */
static edgeops_status split(char **parent, char **name, const char *path) {
    size_t end = strlen(path);
    while (end > 1 && path[end - 1] == '/') {
        end--;
    }
    size_t start = end;
    while (start > 0 && path[start - 1] != '/') {
        start--;
    }
    *name = eop_strndup(path + start, end - start);
    char *given = start > 0 ? eop_strndup(path, start) : eop_strdup(".");
    edgeops_status status = *name != NULL && given != NULL ? EDGEOPS_OK : eop_fail_nomem("runtime");
    if (status == EDGEOPS_OK &&
        ((*name)[0] == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0)) {
        status = eop_fail(EDGEOPS_E_INVALID, "runtime", "'%s' does not name a new folder", path);
    }
    if (status == EDGEOPS_OK) {
        status = eop_mkdirs(given, 0700);
    }
    if (status == EDGEOPS_OK) {
        status = eop_absolute(parent, given);
    }
    eop_free(given);
    return status;
}

static int open_locked(const char *path) {
    int fd = eop_open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
        close(fd);
        fd = -1;
    }
    return fd;
}

typedef struct leftovers {
    const char *parent;
    const char *prefix;
} leftovers;

static edgeops_status sweep_one(const char *entry, void *user_data) {
    const leftovers *l = user_data;
    size_t size = strlen(l->prefix);
    if (strncmp(entry, l->prefix, size) != 0 || strlen(entry) != size + strlen(SUFFIX)) {
        return EDGEOPS_OK;
    }
    char *path = eop_path_join(l->parent, entry);
    int lock = path != NULL ? open_locked(path) : -1;
    if (lock >= 0) {
        (void)eop_remove_tree(path); /* what cannot go now is in nobody's way */
        close(lock);
    }
    eop_free(path);
    return EDGEOPS_OK;
}

static edgeops_status make_temporary(eop_new_folder *folder, const char *name) {
    char *prefix = eop_format(".tmp-%s-", name);
    char *pattern = prefix != NULL ? eop_format("%s/%s" SUFFIX, folder->parent, prefix) : NULL;
    edgeops_status status = pattern != NULL ? EDGEOPS_OK : eop_fail_nomem("runtime");
    if (status == EDGEOPS_OK) {
        leftovers l = {folder->parent, prefix};
        status = eop_dir_walk(folder->parent, sweep_one, &l);
    }
    if (status == EDGEOPS_OK && mkdtemp(pattern) == NULL) {
        status = eop_fail_errno(errno, "runtime", "no folder can be made in '%s'", folder->parent);
    }
    if (status == EDGEOPS_OK) {
        folder->temporary = pattern;
        pattern = NULL;
        /* Without a lock it works all the same; another one of the same name would sweep it. */
        folder->lock = open_locked(folder->temporary);
    }
    eop_free(pattern);
    eop_free(prefix);
    return status;
}

edgeops_status eop_new_folder_begin(eop_new_folder *folder, const char *path) {
    char *name = NULL;
    struct stat info;

    *folder = EOP_NEW_FOLDER_NONE;
    edgeops_status status = split(&folder->parent, &name, path);
    if (status == EDGEOPS_OK) {
        folder->place = eop_path_join(folder->parent, name);
        status = folder->place != NULL ? EDGEOPS_OK : eop_fail_nomem("runtime");
    }
    if (status == EDGEOPS_OK && lstat(folder->place, &info) == 0) {
        status = eop_fail(EDGEOPS_E_EXISTS, "runtime", "there is a '%s' already", path);
    }
    if (status == EDGEOPS_OK) {
        status = make_temporary(folder, name);
    }
    eop_free(name);
    if (status < 0) {
        eop_new_folder_dispose(folder);
    }
    return status;
}

edgeops_status eop_new_folder_commit(eop_new_folder *folder) {
    edgeops_status status = eop_dir_sync(folder->temporary);
    if (status < 0) {
        return status;
    }
    int rc = renameat2(AT_FDCWD, folder->temporary, AT_FDCWD, folder->place, RENAME_NOREPLACE);
    if (rc != 0 && (errno == EINVAL || errno == ENOSYS)) {
        /* A file system without it: a folder takes the place of an empty one at worst. */
        rc = rename(folder->temporary, folder->place);
    }
    if (rc != 0) {
        return errno == EEXIST || errno == ENOTEMPTY
                   ? eop_fail(EDGEOPS_E_EXISTS, "runtime", "there is a '%s' already", folder->place)
                   : eop_fail_errno(errno, "runtime", "'%s'", folder->place);
    }
    eop_free(folder->temporary);
    folder->temporary = NULL;
    status = eop_dir_sync(folder->parent);
    if (status < 0) {
        (void)eop_remove_tree(folder->place); /* not known to last: as if it had not been */
    }
    return status;
}

void eop_new_folder_dispose(eop_new_folder *folder) {
    if (folder->temporary != NULL) {
        (void)eop_remove_tree(folder->temporary);
    }
    if (folder->lock >= 0) {
        close(folder->lock);
    }
    eop_free(folder->parent);
    eop_free(folder->place);
    eop_free(folder->temporary);
    *folder = EOP_NEW_FOLDER_NONE;
}
