/* SPDX-License-Identifier: Apache-2.0 */
/* A cache of packages that were installed, by their identity on disk and by their SHA-256, so that
 * installing one again is a stat or a hash. It needs no lock: an entry is written once, as a whole,
 * and counts only while the index agrees with it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/time.h"
#include "workflow/store.h"

/* A file that was written within the last moment can be written again without its times moving. */
#define TIME_GRAIN (100 * EDGEOPS_MILLISECOND)

/* The identity of a file on disk; "" when it is too young to be told from a later content. */
static edgeops_status identity_key(char key[65], int fd, bool fresh_counts) {
    struct stat st;
    char text[256];
    if (fstat(fd, &st) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot look at the package");
    }
    edgeops_time changed = (edgeops_time)st.st_ctim.tv_sec * EDGEOPS_SECOND + st.st_ctim.tv_nsec;
    key[0] = '\0';
    if (!fresh_counts && eop_now() - changed < TIME_GRAIN) {
        return EDGEOPS_OK;
    }
    int n = snprintf(text, sizeof text, "edgeops-seen 1 %llu %llu %lld %lld.%09ld %lld.%09ld",
                     (unsigned long long)st.st_dev, (unsigned long long)st.st_ino,
                     (long long)st.st_size, (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec,
                     (long long)st.st_ctim.tv_sec, st.st_ctim.tv_nsec);
    return eop_sha256_of(key, text, (size_t)n);
}

/* From the file's start, where it leaves the descriptor: the package is read from there. */
static edgeops_status content_key(char key[65], int fd) {
    if (lseek(fd, 0, SEEK_SET) != 0) {
        return eop_fail_errno(errno, "workflow", "cannot read the package");
    }
    edgeops_status status = eop_sha256_of_fd(key, NULL, fd, "the package");
    if (status == EDGEOPS_OK && lseek(fd, 0, SEEK_SET) != 0) {
        status = eop_fail_errno(errno, "workflow", "cannot read the package");
    }
    return status;
}

/* What is remembered counts only while the index and the object agree with it. */
static bool lookup(eop_installed *out, const char *store, const char *key) {
    char *path = eop_store_path(store, "seen", key);
    char *text = NULL;
    char *object = NULL;
    char name[128] = "", digest[65] = "";
    bool found = path != NULL && eop_file_exists(path) &&
                 eop_file_read(&text, NULL, path, 4096) == EDGEOPS_OK &&
                 sscanf(text, "%127s %64[0-9a-f]", name, digest) == 2 &&
                 eop_installed_parse_name(out, name) &&
                 eop_installed_find(out, store, name) == EDGEOPS_OK &&
                 strcmp(out->digest, digest) == 0;
    if (found) {
        object = eop_store_path(store, "objects", digest);
        found = object != NULL && eop_file_exists(object);
    }
    eop_free(object);
    eop_free(text);
    eop_free(path);
    return found;
}

static void remember(const eop_installed *item, const char *store, const char *key) {
    char text[256];
    int n = snprintf(text, sizeof text, "%s@%s %s\n", item->name, item->version, item->digest);
    char *path = eop_store_path(store, "seen", key);
    if (path != NULL && !eop_file_exists(path)) {
        (void)eop_file_write(path, text, (size_t)n, 0644);
    }
    eop_free(path);
}

static void remember_identity(const eop_installed *item, const char *store, int fd) {
    char key[65];
    if (identity_key(key, fd, false) == EDGEOPS_OK && key[0] != '\0') {
        remember(item, store, key);
    }
}

edgeops_status eop_seen_find(eop_installed *out, bool *found, const char *store, int fd) {
    char key[65];
    char *seen = eop_store_path(store, "seen", NULL);
    bool any = seen != NULL && eop_file_exists(seen);
    *found = false;
    eop_free(seen);
    if (!any) {
        return EDGEOPS_OK;
    }
    edgeops_status status = identity_key(key, fd, true);
    if (status == EDGEOPS_OK && lookup(out, store, key)) {
        *found = true;
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        status = content_key(key, fd);
    }
    if (status == EDGEOPS_OK && lookup(out, store, key)) {
        *found = true;
        remember_identity(out, store, fd);
    }
    return status;
}

void eop_seen_add(const eop_installed *item, const char *store, int fd) {
    char key[65];
    remember_identity(item, store, fd);
    if (content_key(key, fd) == EDGEOPS_OK) {
        remember(item, store, key);
    }
}
