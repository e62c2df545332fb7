/* SPDX-License-Identifier: Apache-2.0 */
/* What all readers of a zip's records share: bytes at a place, and extra fields. */
#include "codec/zip_format.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

edgeops_status eop_zip_corrupt(const eop_zip *zip, const char *why) {
    return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: %s", zip->what, why);
}

edgeops_status eop_zip_read_at(const eop_zip *zip, void *out, size_t size, uint64_t offset) {
    char *p = out;
    if (offset > zip->size || size > zip->size - offset) {
        return eop_zip_corrupt(zip, "the zip points past its end; it is cut short or damaged");
    }
    while (size > 0) {
        ssize_t n = pread(zip->fd, p, size, (off_t)offset);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n == 0 ? eop_zip_corrupt(zip, "the file became shorter while it was read")
                          : eop_fail_errno(errno, "codec", "cannot read '%s'", zip->what);
        }
        p += n;
        size -= (size_t)n;
        offset += (uint64_t)n;
    }
    return EDGEOPS_OK;
}

enum { FIELD_HEAD = 4 };

/* Sizes of 4 GiB and more, or of a writer that did not know: the field holds, in this order, just
 * those that the fixed part has no room for. */
static edgeops_status take_extra64(const eop_zip *zip, const unsigned char *p, size_t size,
                                   uint64_t *wanted[3]) {
    for (size_t i = 0; i < 3; i++) {
        if (wanted[i] == NULL || *wanted[i] != UINT32_MAX) {
            continue;
        }
        if (size < 8) {
            return eop_zip_corrupt(zip, "a ZIP64 extra field is missing or too short");
        }
        *wanted[i] = eop_zip_get64(p);
        p += 8;
        size -= 8;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_zip_take_extra(const eop_zip *zip, const char *name, bool *renamed,
                                  const unsigned char *extra, size_t extra_size,
                                  uint64_t *wanted[3]) {
    const unsigned char *large = NULL;
    size_t large_size = 0;
    while (extra_size >= FIELD_HEAD) {
        size_t n = eop_zip_get16(extra + 2);
        const unsigned char *field = extra + FIELD_HEAD;
        if (n > extra_size - FIELD_HEAD) {
            return eop_zip_corrupt(zip, "an extra field runs over its end");
        }
        if (eop_zip_get16(extra) == EOP_ZIP_EXTRA64 && large == NULL) {
            large = field;
            large_size = n;
        }
        /* Version and checksum of the other name, 5 bytes, then the name. */
        if (eop_zip_get16(extra) == EOP_ZIP_EXTRA_NAME &&
            (n != strlen(name) + 5 || memcmp(field + 5, name, n - 5) != 0)) {
            *renamed = true;
        }
        extra += FIELD_HEAD + n;
        extra_size -= FIELD_HEAD + n;
    }
    return take_extra64(zip, large, large_size, wanted);
}
