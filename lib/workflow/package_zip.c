/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that come as a zip, and the zips that `workflow pack` makes. The codec's reader settles
 * what the zip holds before anything is unpacked; here is the policy on it: regular files and
 * folders, no encryption, stored or deflated, names, sizes, count and ratio as in entries.h. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "workflow/package.h"

/* Which kind of thing this is. Unix and macOS writers give the mode; others mark folders by the '/'
 * at the end. */
static edgeops_status check_kind(const eop_zip *zip, const eop_zip_entry *e, size_t number,
                                 bool *directory) {
    size_t size = strlen(e->name);
    const char *kind = NULL;
    *directory = size > 0 && e->name[size - 1] == '/';
    switch (e->mode & S_IFMT) {
    case 0:
        break;
    case S_IFREG:
        kind = *directory ? "file with the name of a folder" : NULL;
        break;
    case S_IFDIR:
        *directory = true;
        break;
    case S_IFLNK:
        kind = "symbolic link";
        break;
    default:
        kind = "device, FIFO or socket";
        break;
    }
    return kind == NULL
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_DENIED, "workflow",
                          "%s: entry %zu is a %s; a package holds regular files and folders only",
                          zip->what, number, kind);
}

static edgeops_status check_packing(const eop_zip *zip, const eop_zip_entry *e, size_t number) {
    if (e->encrypted) {
        return eop_fail(EDGEOPS_E_DENIED, "workflow",
                        "%s: entry %zu is encrypted; pack without a password", zip->what, number);
    }
    if (e->method != EOP_ZIP_STORED && e->method != EOP_ZIP_DEFLATED) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "workflow",
                        "%s: entry %zu is compressed by method %u; pack with deflate", zip->what,
                        number, e->method);
    }
    if (e->size > EOP_ENTRY_RATIO_FROM && e->size / EOP_ENTRY_RATIO_MAX >= e->packed) {
        return eop_fail(EDGEOPS_E_LIMIT, "workflow",
                        "%s: entry %zu unpacks to more than %d times its size", zip->what, number,
                        EOP_ENTRY_RATIO_MAX);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_package_index_zip(eop_entries *entries, eop_zip *zip, int fd, const char *what) {
    edgeops_status status = eop_zip_open(zip, fd, what, EOP_ENTRY_COUNT_MAX);
    for (size_t i = 0; status == EDGEOPS_OK && i < zip->count; i++) {
        const eop_zip_entry *e = &zip->entries[i];
        bool directory = false;
        status = check_kind(zip, e, i + 1, &directory);
        if (status == EDGEOPS_OK) {
            status = check_packing(zip, e, i + 1);
        }
        if (status == EDGEOPS_OK) {
            status = eop_entries_add(entries, e->name, strlen(e->name), e->size, directory, what);
        }
    }
    if (status == EDGEOPS_OK) {
        status = eop_entries_check_ratio(entries, zip->size, what);
    }
    if (status == EDGEOPS_OK) {
        status = eop_entries_seal(entries, what);
    }
    return status == EDGEOPS_OK ? eop_zip_check(zip) : status;
}

/* The sealed entry of one of the zip's. */
static eop_entry *find_entry(const eop_entries *entries, const char *name) {
    char path[EOP_ENTRY_PATH_MAX + 1];
    size_t size = strlen(name);
    if (size > 1 && name[size - 1] == '/') {
        size--;
    }
    if (size > EOP_ENTRY_PATH_MAX) {
        return NULL;
    }
    memcpy(path, name, size);
    path[size] = '\0';
    return eop_entries_find(entries, path);
}

static edgeops_status read_entry(const eop_zip *zip, const eop_zip_entry *e, eop_entry *entry,
                                 const eop_sink *sink, char *block) {
    eop_zip_stream *stream = NULL;
    eop_content content = {0};
    edgeops_status status = eop_zip_stream_open(&stream, zip, e);
    if (status == EDGEOPS_OK) {
        status = eop_content_begin(&content, entry, sink);
    }
    while (status == EDGEOPS_OK && content.size < e->size) {
        uint64_t left = e->size - content.size;
        size_t n = left < EOP_CONTENT_BLOCK ? (size_t)left : EOP_CONTENT_BLOCK;
        status = eop_zip_stream_read(stream, block, n);
        if (status == EDGEOPS_OK) {
            status = eop_content_put(&content, block, n);
        }
    }
    if (status == EDGEOPS_OK) {
        status = eop_content_end(&content);
    }
    eop_content_dispose(&content);
    eop_zip_stream_close(stream);
    return status;
}

edgeops_status eop_package_read_zip(eop_entries *entries, const eop_zip *zip,
                                    const eop_sink *sink) {
    char *block = eop_alloc(EOP_CONTENT_BLOCK);
    edgeops_status status = block != NULL ? EDGEOPS_OK : eop_fail_nomem("workflow");
    for (size_t i = 0; status == EDGEOPS_OK && i < zip->count; i++) {
        eop_entry *entry = find_entry(entries, zip->entries[i].name);
        if (entry != NULL && !entry->directory) {
            status = read_entry(zip, &zip->entries[i], entry, sink, block);
        }
    }
    eop_free(block);
    return status;
}

/* -- writing -- */

typedef struct writer {
    int fd;
    const char *what;
    eop_zip_writer zip;
    eop_buf buf; /* on its way to fd */
    char *block;
} writer;

static edgeops_status flush(writer *w) {
    if (w->buf.failed) {
        return eop_fail_nomem("workflow");
    }
    edgeops_status status = eop_write_all(w->fd, w->buf.data, w->buf.size);
    eop_buf_clear(&w->buf);
    return status;
}

static edgeops_status write_entry(writer *w, const eop_entry *entry, int from) {
    edgeops_status status =
        eop_zip_begin(&w->zip, &w->buf, entry->path, entry->size, EOP_ZIP_DEFLATED);
    bool whole = true;
    while (status == EDGEOPS_OK && whole) {
        ssize_t n = read(from, w->block, EOP_CONTENT_BLOCK);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return eop_fail_errno(errno, "workflow", "cannot read '%s'", entry->path);
        }
        if (n == 0) {
            break;
        }
        whole = (uint64_t)n <= w->zip.left;
        if (whole) {
            eop_zip_put(&w->zip, &w->buf, w->block, (size_t)n);
            status = flush(w);
        }
    }
    if (status == EDGEOPS_OK && (!whole || w->zip.left > 0)) {
        status = eop_fail(EDGEOPS_E_BUSY, "workflow",
                          "'%s' changed while it was packed; pack again", entry->path);
    }
    if (status == EDGEOPS_OK) {
        eop_zip_end(&w->zip, &w->buf);
    }
    return status;
}

edgeops_status eop_package_write_zip(int fd, const eop_entries *entries, const char *what,
                                     eop_open_source_fn open_source, void *user_data) {
    writer w = {.fd = fd, .what = what, .block = eop_alloc(EOP_CONTENT_BLOCK)};
    edgeops_status status = w.block != NULL ? EDGEOPS_OK : eop_fail_nomem("workflow");
    for (size_t i = 0; status == EDGEOPS_OK && i < entries->count; i++) {
        const eop_entry *entry = &entries->items[i];
        int from = -1;
        if (entry->directory) {
            continue;
        }
        status = open_source(&from, entry, user_data);
        if (status == EDGEOPS_OK) {
            status = write_entry(&w, entry, from);
        }
        if (from >= 0) {
            close(from);
        }
    }
    if (status == EDGEOPS_OK) {
        eop_zip_finish(&w.zip, &w.buf);
        status = flush(&w);
    }
    eop_zip_writer_dispose(&w.zip);
    eop_buf_dispose(&w.buf);
    eop_free(w.block);
    return status;
}
