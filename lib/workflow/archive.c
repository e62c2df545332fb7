/* SPDX-License-Identifier: Apache-2.0 */
#include "workflow/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"

enum { BLOCK = 64 << 10 };

/* libarchive converts names through the thread's locale and spoils them in "C". The host's locale
 * is not ours to set, this thread's is, for the length of a call. */
typedef struct utf8_scope {
    locale_t own;
    locale_t old;
} utf8_scope;

static utf8_scope enter_utf8(void) {
    utf8_scope scope = {newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0), (locale_t)0};
    if (scope.own != (locale_t)0) {
        scope.old = uselocale(scope.own);
    }
    return scope;
}

static void leave_utf8(utf8_scope scope) {
    if (scope.own != (locale_t)0) {
        (void)uselocale(scope.old);
        freelocale(scope.own);
    }
}

typedef struct source {
    int fd;
    int64_t position;
    char block[BLOCK];
} source;

static la_ssize_t source_read(struct archive *a, void *user_data, const void **data) {
    source *s = user_data;
    ssize_t n;
    do {
        n = pread(s->fd, s->block, sizeof s->block, s->position);
    } while (n < 0 && errno == EINTR);
    if (n < 0) {
        archive_set_error(a, errno, "cannot read");
        return ARCHIVE_FATAL;
    }
    s->position += n;
    *data = s->block;
    return n;
}

static la_int64_t source_skip(struct archive *a, void *user_data, la_int64_t request) {
    (void)a;
    source *s = user_data;
    s->position += request;
    return request;
}

static la_int64_t source_seek(struct archive *a, void *user_data, la_int64_t offset, int whence) {
    source *s = user_data;
    if (whence == SEEK_END) {
        off_t size = lseek(s->fd, 0, SEEK_END);
        if (size < 0) {
            archive_set_error(a, errno, "cannot seek");
            return ARCHIVE_FATAL;
        }
        offset += size;
    } else if (whence == SEEK_CUR) {
        offset += s->position;
    }
    s->position = offset < 0 ? 0 : offset;
    return s->position;
}

static edgeops_status archive_fault(struct archive *a, const char *what, const char *path) {
    const char *text = archive_error_string(a);
    edgeops_status code = archive_errno(a) == ENOMEM ? EDGEOPS_E_NOMEM
                          : archive_errno(a) == EIO  ? EDGEOPS_E_IO
                                                     : EDGEOPS_E_CORRUPT;

    return eop_fail(code, "workflow", "%s: %s%s%s%s", what, path != NULL ? "'" : "",
                    path != NULL ? path : "", path != NULL ? "': " : "",
                    text != NULL ? text : "is damaged");
}

/* The entry of the first pass that libarchive stands on. */
static edgeops_status match(eop_entry **out, const eop_entries *entries,
                            struct archive_entry *given, const char *what) {
    const char *name = archive_entry_pathname_utf8(given);
    if (name == NULL) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: a name is no UTF-8", what);
    }
    size_t size = strlen(name);
    if (size > 1 && name[size - 1] == '/') {
        size--;
    }
    char path[EOP_ENTRY_PATH_MAX + 1] = "";
    eop_entry *entry = NULL;
    if (size <= EOP_ENTRY_PATH_MAX) {
        memcpy(path, name, size);
        path[size] = '\0';
        entry = eop_entries_find(entries, path);
    }
    if (entry == NULL) {
        return eop_fail(EDGEOPS_E_CORRUPT, "workflow",
                        "%s: an entry has two names, one in the directory and one in front of it",
                        what);
    }
    unsigned type = archive_entry_filetype(given);
    bool good = entry->directory ? type == AE_IFDIR : type == AE_IFREG;
    if (!good || archive_entry_hardlink(given) != NULL || archive_entry_symlink(given) != NULL) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: '%s' is no regular file or folder", what,
                        entry->path);
    }
    if (archive_entry_is_encrypted(given)) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: '%s' is encrypted", what, entry->path);
    }
    if (entry->digest[0] != '\0') {
        return eop_fail(EDGEOPS_E_DENIED, "workflow", "%s: '%s' is there twice", what, entry->path);
    }
    *out = entry;
    return EDGEOPS_OK;
}

static edgeops_status read_content(struct archive *a, eop_entry *entry, const char *what,
                                   const eop_sink *sink, char *block) {
    eop_sha256 *hash = NULL;
    uint64_t size = 0;
    edgeops_status rc = eop_sha256_new(&hash);
    if (rc == EDGEOPS_OK && sink->begin != NULL) {
        rc = sink->begin(entry, sink->user_data);
    }
    while (rc == EDGEOPS_OK) {
        la_ssize_t n = archive_read_data(a, block, BLOCK);
        if (n == 0) {
            break;
        }
        if (n < 0) {
            rc = archive_fault(a, what, entry->path);
            break;
        }
        size += (uint64_t)n;
        if (size > entry->size) {
            break;
        }
        eop_sha256_update(hash, block, (size_t)n);
        if (sink->data != NULL) {
            rc = sink->data(block, (size_t)n, sink->user_data);
        }
    }
    if (rc == EDGEOPS_OK && size != entry->size) {
        rc = eop_fail(EDGEOPS_E_CORRUPT, "workflow", "%s: '%s' has another size than stated", what,
                      entry->path);
    }
    if (rc == EDGEOPS_OK) {
        eop_sha256_finish(hash, entry->digest);
        hash = NULL;
        if (sink->end != NULL) {
            rc = sink->end(entry, sink->user_data);
        }
    }
    eop_sha256_free(hash);
    return rc;
}

static edgeops_status read_all(struct archive *a, eop_entries *entries, const char *what,
                               const eop_sink *sink, char *block) {
    size_t seen = 0;
    for (;;) {
        struct archive_entry *given = NULL;
        eop_entry *entry = NULL;
        int got = archive_read_next_header(a, &given);
        if (got == ARCHIVE_EOF) {
            break;
        }
        if (got != ARCHIVE_OK) {
            return archive_fault(a, what, NULL);
        }
        edgeops_status rc = match(&entry, entries, given, what);
        if (rc == EDGEOPS_OK && !entry->directory) {
            rc = read_content(a, entry, what, sink, block);
        }
        if (rc != EDGEOPS_OK) {
            return rc;
        }
        seen++;
    }
    /* Every file was met once; folders have no digest, so they are counted. */
    bool whole = seen == entries->count;
    for (size_t i = 0; whole && i < entries->count; i++) {
        whole = entries->items[i].directory || entries->items[i].digest[0] != '\0';
    }
    return whole ? EDGEOPS_OK
                 : eop_fail(EDGEOPS_E_CORRUPT, "workflow",
                            "%s: entries are missing from what the directory lists", what);
}

edgeops_status eop_archive_read(eop_entries *entries, int fd, const char *what,
                                const eop_sink *sink) {
    edgeops_status rc = eop_archive_load();
    if (rc != EDGEOPS_OK) {
        return rc;
    }
    utf8_scope scope = enter_utf8();
    struct archive *a = archive_read_new();
    source *s = eop_calloc(1, sizeof *s);
    char *block = eop_alloc(BLOCK);
    if (entries->count == 0) {
        goto out;
    }
    if (a == NULL || s == NULL || block == NULL) {
        rc = eop_fail_nomem("workflow");
        goto out;
    }
    s->fd = fd;
    /* The seekable reader alone: the streaming one takes zips that are cut short. */
    if (archive_read_support_format_zip_seekable(a) != ARCHIVE_OK ||
        archive_read_set_option(a, "zip", "hdrcharset", "UTF-8") != ARCHIVE_OK ||
        archive_read_set_read_callback(a, source_read) != ARCHIVE_OK ||
        archive_read_set_skip_callback(a, source_skip) != ARCHIVE_OK ||
        archive_read_set_seek_callback(a, source_seek) != ARCHIVE_OK ||
        archive_read_set_callback_data(a, s) != ARCHIVE_OK || archive_read_open1(a) != ARCHIVE_OK) {
        rc = archive_fault(a, what, NULL);
        goto out;
    }
    rc = read_all(a, entries, what, sink, block);
out:
    if (a != NULL) {
        (void)archive_read_free(a);
    }
    eop_free(block);
    eop_free(s);
    leave_utf8(scope);
    return rc;
}

static edgeops_status write_entry(struct archive *a, struct archive_entry *given, int from,
                                  const eop_entry *entry, const char *what, char *block) {
    archive_entry_clear(given);
    archive_entry_set_pathname_utf8(given, entry->path);
    archive_entry_set_filetype(given, AE_IFREG);
    archive_entry_set_perm(given, 0644);
    archive_entry_set_size(given, (la_int64_t)entry->size);
    if (archive_write_header(a, given) != ARCHIVE_OK) {
        return archive_fault(a, what, entry->path);
    }
    uint64_t size = 0;
    for (;;) {
        ssize_t n = read(from, block, BLOCK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return eop_fail_errno(errno, "workflow", "cannot read '%s'", entry->path);
        }
        if (n == 0) {
            break;
        }
        size += (uint64_t)n;
        if (size > entry->size || archive_write_data(a, block, (size_t)n) != n) {
            break;
        }
    }
    if (size != entry->size) {
        return eop_fail(EDGEOPS_E_BUSY, "workflow", "'%s' changed while it was packed; pack again",
                        entry->path);
    }
    return archive_write_finish_entry(a) == ARCHIVE_OK ? EDGEOPS_OK
                                                       : archive_fault(a, what, entry->path);
}

edgeops_status eop_archive_write(int fd, const eop_entries *entries, const char *what,
                                 eop_open_source_fn open_source, void *user_data) {
    edgeops_status rc = eop_archive_load();
    if (rc != EDGEOPS_OK) {
        return rc;
    }
    utf8_scope scope = enter_utf8();
    struct archive *a = archive_write_new();
    struct archive_entry *given = archive_entry_new();
    char *block = eop_alloc(BLOCK);
    if (a == NULL || given == NULL || block == NULL) {
        rc = eop_fail_nomem("workflow");
        goto out;
    }
    /* No padding of the last block: the file ends with the zip's end record. */
    if (archive_write_set_format_zip(a) != ARCHIVE_OK ||
        archive_write_zip_set_compression_deflate(a) != ARCHIVE_OK ||
        archive_write_set_option(a, "zip", "hdrcharset", "UTF-8") != ARCHIVE_OK ||
        archive_write_set_bytes_in_last_block(a, 1) != ARCHIVE_OK ||
        archive_write_open_fd(a, fd) != ARCHIVE_OK) {
        rc = archive_fault(a, what, NULL);
        goto out;
    }
    for (size_t i = 0; rc == EDGEOPS_OK && i < entries->count; i++) {
        const eop_entry *entry = &entries->items[i];
        int from = -1;
        if (entry->directory) {
            continue;
        }
        rc = open_source(&from, entry, user_data);
        if (rc == EDGEOPS_OK) {
            rc = write_entry(a, given, from, entry, what, block);
        }
        if (from >= 0) {
            close(from);
        }
    }
    if (rc == EDGEOPS_OK && archive_write_close(a) != ARCHIVE_OK) {
        rc = archive_fault(a, what, NULL);
    }
out:
    archive_entry_free(given);
    if (a != NULL) {
        (void)archive_write_free(a);
    }
    eop_free(block);
    leave_utf8(scope);
    return rc;
}
