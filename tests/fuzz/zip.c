/* SPDX-License-Identifier: Apache-2.0 */
/* A zip from anywhere: what the reader accepts it reads twice with the same bytes, within the sizes
 * that it stated. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "codec/zip.h"

enum { CONTENT_MAX = 1 << 22 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static edgeops_status read_entry(const eop_zip *zip, const eop_zip_entry *entry, eop_buf *out,
                                 size_t piece) {
    char block[512];
    eop_zip_stream *stream = NULL;
    edgeops_status status = eop_zip_stream_open(&stream, zip, entry);
    for (uint64_t left = entry->size; status == EDGEOPS_OK && left > 0;) {
        size_t n = left < piece ? (size_t)left : piece;
        status = eop_zip_stream_read(stream, block, n);
        left -= n;
        if (status == EDGEOPS_OK) {
            eop_buf_put(out, block, n);
        }
    }
    eop_zip_stream_close(stream);
    return status;
}

static edgeops_status read_zip(int fd, eop_buf *out, size_t piece) {
    eop_zip zip;
    edgeops_status status = eop_zip_open(&zip, fd, "fuzz", 1000);
    if (status == EDGEOPS_OK) {
        status = eop_zip_check(&zip);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < zip.count && out->size < CONTENT_MAX; i++) {
        status = read_entry(&zip, &zip.entries[i], out, piece);
    }
    eop_zip_dispose(&zip);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    eop_buf first = {0}, second = {0};
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    if (fd < 0 || write(fd, data, size) != (ssize_t)size) {
        abort();
    }
    if (read_zip(fd, &first, 512) == EDGEOPS_OK &&
        (read_zip(fd, &second, 13) != EDGEOPS_OK || first.size != second.size ||
         (first.size > 0 && memcmp(first.data, second.data, first.size) != 0))) {
        abort();
    }
    eop_buf_dispose(&first);
    eop_buf_dispose(&second);
    close(fd);
    return 0;
}
