/* SPDX-License-Identifier: Apache-2.0 */
/* zlib's streams with the library's allocator. */
#include "codec/deflate.h"

#include "base/error.h"
#include "base/memory.h"

enum { LEVEL = 6, MEMORY_LEVEL = 8 };

static void *z_alloc(void *opaque, unsigned count, unsigned size) {
    (void)opaque;
    return eop_calloc(count, size);
}

static void z_free(void *opaque, void *memory) {
    (void)opaque;
    eop_free(memory);
}

edgeops_status eop_inflate_begin(z_stream *z, int window_bits) {
    *z = (z_stream){.zalloc = z_alloc, .zfree = z_free};
    return inflateInit2(z, window_bits) == Z_OK ? EDGEOPS_OK : eop_fail_nomem("codec");
}

edgeops_status eop_deflate_begin(z_stream *z, int window_bits) {
    *z = (z_stream){.zalloc = z_alloc, .zfree = z_free};
    return deflateInit2(z, LEVEL, Z_DEFLATED, window_bits, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK
               ? EDGEOPS_OK
               : eop_fail_nomem("codec");
}
