/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bytes. The only file that knows zstd; it trusts no size that it reads. */
#include "column/packed_bytes.h"

#include <zstd.h>

#include "base/error.h"
#include "base/memory.h"
#include "column/chunk_page.h"

enum { LEVEL = 3, PLAIN = 0, ZSTD = 1 };

void eop_packed_bytes_put(eop_buf *buf, const void *data, size_t size) {
    size_t bound = ZSTD_compressBound(size);
    void *place = size > 64 ? eop_alloc(bound) : NULL;
    size_t packed = size;
    char form = PLAIN;
    if (place != NULL) {
        packed = ZSTD_compress(place, bound, data, size, LEVEL);
        form = !ZSTD_isError(packed) && packed + 4 < size ? ZSTD : PLAIN;
        packed = form == ZSTD ? packed : size;
    }
    eop_buf_put(buf, &form, 1);
    eop_put_varint(buf, packed);
    eop_buf_put(buf, form == ZSTD ? place : data, packed);
    eop_free(place);
}

edgeops_status eop_packed_bytes_take(const char **data, char **owned, const uint8_t **at,
                                     const uint8_t *end, size_t total, const char *what) {
    uint64_t size = 0;
    *owned = NULL;
    if (*at == end) {
        return eop_column_damaged(what);
    }
    uint8_t form = *(*at)++;
    if (!eop_take_varint(&size, at, end) || size > (size_t)(end - *at)) {
        return eop_column_damaged(what);
    }
    const uint8_t *packed = *at;
    *at += size;
    if (form == PLAIN) {
        *data = (const char *)packed;
        return size == total ? EDGEOPS_OK : eop_column_damaged(what);
    }
    /* The frame states its content size; allocate only when that is what the reader expects. */
    if (form != ZSTD || total == 0 || ZSTD_getFrameContentSize(packed, (size_t)size) != total) {
        return eop_column_damaged(what);
    }
    char *content = eop_alloc(total);
    if (content == NULL) {
        return eop_fail_nomem("store");
    }
    *owned = content;
    *data = content;
    return ZSTD_decompress(content, total, packed, (size_t)size) == total
               ? EDGEOPS_OK
               : eop_column_damaged(what);
}
