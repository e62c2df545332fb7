/* SPDX-License-Identifier: Apache-2.0 */
/* The zips that `workflow pack` makes, by the codec's writer. Memory is bounded by one block: what
 * is packed goes to the file at once. */
#include <errno.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "workflow/package.h"

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
