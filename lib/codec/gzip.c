/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/gzip.h"

#define ZLIB_CONST
#include <zlib.h>

#include "base/error.h"
#include "base/memory.h"

enum { PIECE = 64 * 1024, GZIP = 16, LEVEL = 6 };

struct eop_gzip {
    z_stream z;
};

static void *z_alloc(void *opaque, unsigned count, unsigned size) {
    (void)opaque;
    return eop_calloc(count, size);
}

static void z_free(void *opaque, void *memory) {
    (void)opaque;
    eop_free(memory);
}

edgeops_status eop_gzip_new(eop_gzip **out) {
    eop_gzip *gzip = eop_calloc(1, sizeof *gzip);
    *out = NULL;
    if (gzip == NULL) {
        return eop_fail_nomem("codec");
    }
    gzip->z.zalloc = z_alloc;
    gzip->z.zfree = z_free;
    if (deflateInit2(&gzip->z, LEVEL, Z_DEFLATED, MAX_WBITS + GZIP, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK) {
        eop_free(gzip);
        return eop_fail_nomem("codec");
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
