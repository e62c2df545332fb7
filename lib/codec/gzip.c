/* SPDX-License-Identifier: Apache-2.0 */
/* Packs a stream as gzip; one zlib stream, whose output is put where the caller says. */
#include "codec/gzip.h"

#include "base/error.h"
#include "base/memory.h"
#include "codec/deflate.h"

enum { PIECE = 64 * 1024, GZIP = 16 };

struct eop_gzip {
    z_stream z;
};

edgeops_status eop_gzip_new(eop_gzip **out) {
    eop_gzip *gzip = eop_calloc(1, sizeof *gzip);
    *out = NULL;
    if (gzip == NULL) {
        return eop_fail_nomem("codec");
    }
    edgeops_status status = eop_deflate_begin(&gzip->z, MAX_WBITS + GZIP);
    if (status != EDGEOPS_OK) {
        eop_free(gzip);
        return status;
    }
    *out = gzip;
    return EDGEOPS_OK;
}

edgeops_status eop_gzip_put(eop_gzip *gzip, eop_buf *out, const void *data, size_t size,
                            bool last) {
    z_stream *z = &gzip->z;
    const unsigned char *from = data;
    do {
        unsigned n = size < PIECE ? (unsigned)size : PIECE;
        bool end = last && n == size;
        z->next_in = from;
        z->avail_in = n;
        do {
            char *place = eop_buf_reserve(out, PIECE);
            if (place == NULL) {
                return eop_fail_nomem("codec");
            }
            z->next_out = (unsigned char *)place;
            z->avail_out = PIECE;
            (void)deflate(z, end ? Z_FINISH : Z_NO_FLUSH);
            out->size += PIECE - z->avail_out;
        } while (z->avail_out == 0);
        from += n;
        size -= n;
    } while (size > 0);
    return EDGEOPS_OK;
}

void eop_gzip_free(eop_gzip *gzip) {
    if (gzip != NULL) {
        deflateEnd(&gzip->z);
        eop_free(gzip);
    }
}
