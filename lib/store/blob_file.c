/* SPDX-License-Identifier: Apache-2.0 */
/* Writes, compares and reads the file of one blob; see blob_file.h. */
#include "store/blob_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/memory.h"
#include "store/birth.h"
#include "store/internal.h"

#define HEX_SIZE (2 * EOP_BLOB_DIGEST + 1)

char *eop_blob_path(const edgeops_store *store, const uint8_t *digest) {
    char hex[HEX_SIZE];
    eop_hex_put(hex, digest, EOP_BLOB_DIGEST);
    return eop_format("%s/" EOP_BLOB_FOLDER "/%.2s/%s", store->home, hex, hex + 2);
}

/* -- folders -- */

edgeops_status eop_blob_sync_folders(edgeops_store *store, const eop_blob_folders *folders) {
    edgeops_status status = EDGEOPS_OK;
    bool all_known = true;
    for (unsigned i = 0; status == EDGEOPS_OK && i < 256; i++) {
        if ((folders->bits[i / 64] >> i % 64 & 1) == 0) {
            continue;
        }
        char *path = eop_format("%s/" EOP_BLOB_FOLDER "/%02x", store->home, i);
        status = path != NULL ? eop_dir_sync(path) : eop_fail_nomem("store");
        eop_free(path);
        if (status == EDGEOPS_E_NOTFOUND) {
            status = EDGEOPS_OK; /* no file, no name */
        }
        all_known = all_known && (atomic_load(&store->blob_folders[i / 64]) >> i % 64 & 1) != 0;
    }
    if (status != EDGEOPS_OK || all_known) {
        return status;
    }
    char *top = eop_path_join(store->home, EOP_BLOB_FOLDER);
    status = top != NULL ? eop_dir_sync(top) : eop_fail_nomem("store");
    if (status == EDGEOPS_OK) {
        status = eop_dir_sync_parent(top);
    }
    eop_free(top);
    for (size_t i = 0; status == EDGEOPS_OK && i < EOP_COUNT(folders->bits); i++) {
        (void)atomic_fetch_or(&store->blob_folders[i], folders->bits[i]);
    }
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
}

static edgeops_status make_folder(edgeops_store *store, const uint8_t *digest) {
    char *folder = eop_format("%s/" EOP_BLOB_FOLDER "/%02x", store->home, digest[0]);
    char *top = eop_path_join(store->home, EOP_BLOB_FOLDER);
    edgeops_status status =
        folder != NULL && top != NULL ? eop_mkdirs(top, 0700) : eop_fail_nomem("store");
    if (status == EDGEOPS_OK && mkdir(folder, 0700) == 0) {
        (void)atomic_fetch_and(&store->blob_folders[digest[0] / 64],
                               ~(UINT64_C(1) << digest[0] % 64));
    } else if (status == EDGEOPS_OK && errno != EEXIST) {
        status = eop_fail_errno(errno, "store", "cannot make folder '%s'", folder);
    }
    eop_free(folder);
    eop_free(top);
    return status;
}

static edgeops_status sync_name(edgeops_store *store, const uint8_t *digest) {
    eop_blob_folders folders = {{0}};
    eop_blob_folders_add(&folders, digest);
    return eop_blob_sync_folders(store, &folders);
}

/* -- writing -- */

/* Makes the file that is renamed later; its folder where there is none. */
static edgeops_status make_temporary(int *fd, char **temporary, edgeops_store *store,
                                     const uint8_t *digest, const char *path) {
    for (int tries = 0; tries < 2; tries++) {
        eop_free(*temporary);
        *temporary = eop_format("%s.XXXXXX", path);
        if (*temporary == NULL) {
            return eop_fail_nomem("store");
        }
        *fd = eop_mkostemp(*temporary, O_CLOEXEC);
        if (*fd >= 0 || errno != ENOENT || tries > 0) {
            break;
        }
        edgeops_status status = make_folder(store, digest);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return *fd >= 0 ? EDGEOPS_OK : eop_fail_errno(errno, "store", "cannot write '%s'", path);
}

/* Also in place of a link, or of an empty folder. */
static edgeops_status take_place(const char *temporary, const char *path) {
    if (rename(temporary, path) == 0) {
        return EDGEOPS_OK;
    }
    if ((errno == EISDIR || errno == EEXIST || errno == ENOTEMPTY) && rmdir(path) == 0 &&
        rename(temporary, path) == 0) {
        return EDGEOPS_OK;
    }
    if (errno == EISDIR || errno == EEXIST || errno == ENOTEMPTY) {
        return eop_fail(EDGEOPS_E_IO, "store",
                        "'%s' is a folder where the file of a blob belongs: move it away", path);
    }
    return eop_fail_errno(errno, "store", "cannot write '%s'", path);
}

edgeops_status eop_blob_write(edgeops_store *store, const uint8_t *digest, const void *data,
                              size_t size, bool sync) {
    int fd = -1;
    char *temporary = NULL;
    char *path = eop_blob_path(store, digest);
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = make_temporary(&fd, &temporary, store, digest, path);
    if (status == EDGEOPS_OK) {
        status = eop_write_all(fd, data, size);
        if (status == EDGEOPS_OK && sync && fsync(fd) != 0) {
            status = eop_fail_errno(errno, "store", "cannot sync '%s'", path);
        }
        close(fd);
        if (status == EDGEOPS_OK) {
            status = take_place(temporary, path);
        }
        if (status != EDGEOPS_OK) {
            (void)unlink(temporary);
        }
    }
    if (status == EDGEOPS_OK && sync) {
        status = sync_name(store, digest);
    }
    eop_free(temporary);
    eop_free(path);
    return status;
}

/* -- using -- */

static bool has_bytes(int fd, const char *data, size_t size) {
    char buf[16 * 1024];
    size_t at = 0;
    while (at < size) {
        size_t want = size - at < sizeof buf ? size - at : sizeof buf;
        ssize_t n = pread(fd, buf, want, (off_t)at);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0 || memcmp(buf, data + at, (size_t)n) != 0) {
            return false;
        }
        at += (size_t)n;
    }
    return true;
}

eop_blob_use eop_blob_use_again(edgeops_store *store, const uint8_t *digest, const void *data,
                                size_t size, bool sync) {
    struct stat st;
    char *path = eop_blob_path(store, digest);
    int fd = path != NULL ? eop_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK) : -1;
    bool absent = path != NULL && fd < 0 && errno == ENOENT;
    eop_free(path);
    if (fd < 0) {
        return absent ? EOP_BLOB_ABSENT : EOP_BLOB_DAMAGED;
    }
    bool good = fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && (uint64_t)st.st_size == size &&
                has_bytes(fd, data, size) && futimens(fd, NULL) == 0 &&
                (!sync || (fsync(fd) == 0 && sync_name(store, digest) == EDGEOPS_OK));
    close(fd);
    return good ? EOP_BLOB_USED : EOP_BLOB_DAMAGED;
}

/* -- reading -- */

static edgeops_status fail_missing(const char *hex) {
    return eop_fail(EDGEOPS_E_NOTFOUND, "store",
                    "there is no blob sha256:%s: if a sample has it, append it again or restore a "
                    "backup",
                    hex);
}

static edgeops_status fail_damaged(const char *path, const char *why) {
    return eop_fail(EDGEOPS_E_CORRUPT, "store",
                    "'%s' is damaged: %s; append the same bytes again, or restore the file from a "
                    "backup",
                    path, why);
}

static edgeops_status check_content(int fd, const char *path, const char *wanted) {
    char hex[HEX_SIZE];
    edgeops_status status = eop_sha256_of_fd(hex, NULL, fd, path);
    if (status == EDGEOPS_OK && strcmp(hex, wanted) != 0) {
        status = fail_damaged(path, "its bytes have another SHA-256");
    }
    return status;
}

/* error: why there is no stat of it, 0 for none. */
static edgeops_status check_size(const edgeops_blob *blob, const char *path, const char *hex,
                                 const struct stat *st, int error) {
    char why[96];
    if (error == ENOENT) {
        return fail_missing(hex);
    }
    if (error != 0) {
        return eop_fail_errno(error, "store", "cannot read '%s'", path);
    }
    if (!S_ISREG(st->st_mode)) {
        return fail_damaged(path, "it is not a regular file");
    }
    if ((uint64_t)st->st_size != blob->size) {
        snprintf(why, sizeof why, "it has %llu bytes, not %llu", (unsigned long long)st->st_size,
                 (unsigned long long)blob->size);
        return fail_damaged(path, why);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_blob_open(int *out, const edgeops_store *store, const edgeops_blob *blob,
                             bool content) {
    struct stat st;
    char hex[HEX_SIZE];
    *out = -1;
    eop_hex_put(hex, blob->digest, EOP_BLOB_DIGEST);
    char *path = eop_blob_path(store, blob->digest);
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    int fd = eop_open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    int error = fd >= 0 && fstat(fd, &st) == 0 ? 0 : errno;
    edgeops_status status = check_size(blob, path, hex, &st, error);
    if (status == EDGEOPS_OK && content) {
        status = check_content(fd, path, hex);
    }
    if (status == EDGEOPS_OK) {
        *out = fd;
    } else if (fd >= 0) {
        close(fd);
    }
    eop_free(path);
    return status;
}

edgeops_status eop_blob_check(const edgeops_store *store, const edgeops_blob *blob, bool content) {
    struct stat st;
    char hex[HEX_SIZE];
    int fd = -1;
    if (content) {
        edgeops_status status = eop_blob_open(&fd, store, blob, true);
        if (fd >= 0) {
            close(fd);
        }
        return status;
    }
    eop_hex_put(hex, blob->digest, EOP_BLOB_DIGEST);
    char *path = eop_blob_path(store, blob->digest);
    if (path == NULL) {
        return eop_fail_nomem("store");
    }
    int error = stat(path, &st) == 0 ? 0 : errno;
    edgeops_status status = check_size(blob, path, hex, &st, error);
    eop_free(path);
    return status;
}

edgeops_status edgeops_blob_read(void **data, size_t *size, edgeops_store *store,
                                 const uint8_t *digest) {
    EOP_REQUIRE(data != NULL && size != NULL, "store");
    *data = NULL;
    EOP_REQUIRE(store != NULL && digest != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    char hex[HEX_SIZE];
    char wanted[HEX_SIZE];
    char *bytes = NULL;
    size_t count = 0;
    eop_hex_put(wanted, digest, EOP_BLOB_DIGEST);
    char *path = eop_blob_path(store, digest);
    edgeops_status status = path != NULL ? eop_file_read(&bytes, &count, path, EDGEOPS_BLOB_MAX)
                                         : eop_fail_nomem("store");
    if (status == EDGEOPS_E_NOTFOUND) {
        status = fail_missing(wanted);
    } else if (status == EDGEOPS_E_INVALID || status == EDGEOPS_E_LIMIT) {
        status = fail_damaged(path, status == EDGEOPS_E_LIMIT ? "it is larger than any blob"
                                                              : "it is not a regular file");
    }
    if (status == EDGEOPS_OK) {
        status = eop_sha256_of(hex, bytes, count);
    }
    if (status == EDGEOPS_OK && strcmp(hex, wanted) != 0) {
        char why[96];
        snprintf(why, sizeof why, "it has %zu bytes with another SHA-256", count);
        status = fail_damaged(path, count > 0 ? why : "it is empty");
    }
    eop_free(path);
    if (status != EDGEOPS_OK) {
        eop_free(bytes);
        return status;
    }
    *data = bytes;
    *size = count;
    return EDGEOPS_OK;
}
