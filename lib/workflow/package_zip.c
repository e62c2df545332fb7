/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that come as a zip. The codec's reader settles what the zip holds before anything is
 * unpacked; here is the policy on it: regular files and folders, no encryption, stored or deflated,
 * names, sizes, count and ratio as in entries.h. */
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
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
