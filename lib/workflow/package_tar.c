/* SPDX-License-Identifier: Apache-2.0 */
/* Packages that come as a packed tar. The policy is the zips' (entries.h). The first pass unpacks
 * everything and keeps nothing; the second one gives the contents, and each entry must be one that
 * the first pass saw. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "workflow/package.h"
#include "workflow/tar_reader.h"

static edgeops_status index_entries(eop_entries *entries, eop_tar *tar, const char *what) {
    eop_tar_entry e;
    edgeops_status status = eop_tar_next(&e, tar);
    while (status == EDGEOPS_OK) {
        status = eop_entries_add(entries, e.path, e.path_size, e.size, e.directory, what);
        if (status == EDGEOPS_OK) {
            status = eop_entries_check_ratio(entries, eop_tar_packed(tar), what);
        }
        if (status == EDGEOPS_OK) {
            status = eop_tar_next(&e, tar);
        }
    }
    return status == EDGEOPS_DONE ? eop_entries_seal(entries, what) : status;
}

edgeops_status eop_package_index_tar(eop_entries *entries, int fd, const char *what) {
    eop_tar *tar = NULL;
    edgeops_status status = eop_tar_open(&tar, fd, what);
    if (status == EDGEOPS_OK) {
        status = index_entries(entries, tar, what);
    }
    eop_tar_close(tar);
    return status;
}

static edgeops_status changed(const char *what) {
    return eop_fail(EDGEOPS_E_BUSY, "workflow", "'%s' changed while it was read; try again", what);
}

/* The entry of the first pass that this one is. */
static edgeops_status match(eop_entry **out, const eop_entries *entries, const eop_tar_entry *e,
                            const char *what) {
    char path[EOP_ENTRY_PATH_MAX + 1];
    size_t size =
        e->path_size > 1 && e->path[e->path_size - 1] == '/' ? e->path_size - 1 : e->path_size;
    eop_entry *entry = NULL;
    if (size <= EOP_ENTRY_PATH_MAX) {
        memcpy(path, e->path, size);
        path[size] = '\0';
        entry = eop_entries_find(entries, path);
    }
    if (entry == NULL || entry->directory != e->directory || entry->size != e->size ||
        entry->digest[0] != '\0') {
        return changed(what);
    }
    *out = entry;
    return EDGEOPS_OK;
}

static edgeops_status read_content(eop_tar *tar, eop_entry *entry, const char *what,
                                   const eop_sink *sink, char *block) {
    eop_content content = {0};
    edgeops_status status = eop_content_begin(&content, entry, sink);
    while (status == EDGEOPS_OK && content.size <= entry->size) {
        size_t n = 0;
        status = eop_tar_read(tar, block, EOP_CONTENT_BLOCK, &n);
        if (status != EDGEOPS_OK || n == 0) {
            break;
        }
        status = eop_content_put(&content, block, n);
    }
    if (status == EDGEOPS_OK && content.size != entry->size) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "workflow", "%s: '%s' has another size than stated",
                          what, entry->path);
    }
    if (status == EDGEOPS_OK) {
        status = eop_content_end(&content);
    }
    eop_content_dispose(&content);
    return status;
}

static edgeops_status read_entries(eop_entries *entries, eop_tar *tar, const char *what,
                                   const eop_sink *sink, char *block) {
    eop_tar_entry e;
    size_t seen = 0;
    edgeops_status status = eop_tar_next(&e, tar);
    while (status == EDGEOPS_OK) {
        eop_entry *entry = NULL;
        status = match(&entry, entries, &e, what);
        if (status == EDGEOPS_OK && !entry->directory) {
            status = read_content(tar, entry, what, sink, block);
        }
        seen++;
        if (status == EDGEOPS_OK) {
            status = eop_tar_next(&e, tar);
        }
    }
    if (status == EDGEOPS_DONE) {
        status = seen == entries->count ? EDGEOPS_OK : changed(what);
    }
    return status;
}

edgeops_status eop_package_read_tar(eop_entries *entries, int fd, const char *what,
                                    const eop_sink *sink) {
    eop_tar *tar = NULL;
    char *block = eop_alloc(EOP_CONTENT_BLOCK);
    edgeops_status status =
        block != NULL ? eop_tar_open(&tar, fd, what) : eop_fail_nomem("workflow");
    if (status == EDGEOPS_OK) {
        status = read_entries(entries, tar, what, sink, block);
    }
    eop_tar_close(tar);
    eop_free(block);
    return status;
}
