/* SPDX-License-Identifier: Apache-2.0 */
/* One table of the kinds of compressed data that are read, each with the few calls of its library.
 * Libraries that a build lacks leave a row without calls, so that such data is named. */
#include "codec/decompress.h"

#include <limits.h>
#include <string.h>

#include <zstd.h>
#include <zstd_errors.h>
#ifdef EOP_HAVE_BZIP2
#include <bzlib.h>
#endif
#ifdef EOP_HAVE_XZ
#include <lzma.h>
#endif

#include "base/error.h"
#include "base/memory.h"
#include "codec/deflate.h"

#define MEMORY_MIB 128

typedef struct kind {
    const char *name;
    edgeops_status (*begin)(eop_decompress *u);
    edgeops_status (*some)(eop_decompress *u, eop_decompress_io *io);
    void (*end)(eop_decompress *u);
    const char *magic;
    size_t magic_size;
} kind;

struct eop_decompress {
    const kind *kind;
    const char *what;
    union {
        z_stream z;
        ZSTD_DCtx *zstd;
#ifdef EOP_HAVE_BZIP2
        bz_stream bz;
#endif
#ifdef EOP_HAVE_XZ
        lzma_stream xz;
#endif
    } as;
};

static edgeops_status broken(const eop_decompress *u, const char *why) {
    return eop_fail(EDGEOPS_E_CORRUPT, "codec", "%s: broken %s data (%s)", u->what, u->kind->name,
                    why);
}

static edgeops_status too_large(const eop_decompress *u) {
    return eop_fail(EDGEOPS_E_UNSUPPORTED, "codec",
                    "%s: over %d MiB of memory are needed to unpack it; pack it again at a lower "
                    "level",
                    u->what, MEMORY_MIB);
}

static unsigned at_most_uint(size_t size) {
    return size < UINT_MAX ? (unsigned)size : UINT_MAX;
}

static void moved(eop_decompress_io *io, size_t in_left, size_t out_left) {
    io->in += io->in_size - in_left;
    io->in_size = in_left;
    io->out += io->out_size - out_left;
    io->out_size = out_left;
}

static edgeops_status gzip_begin(eop_decompress *u) {
    return eop_inflate_begin(&u->as.z, MAX_WBITS + 32);
}

static edgeops_status gzip_some(eop_decompress *u, eop_decompress_io *io) {
    z_stream *z = &u->as.z;
    const unsigned in = at_most_uint(io->in_size);
    const unsigned out = at_most_uint(io->out_size);
    z->next_in = io->in;
    z->avail_in = in;
    z->next_out = io->out;
    z->avail_out = out;
    int rc = inflate(z, Z_NO_FLUSH);
    moved(io, io->in_size - (in - z->avail_in), io->out_size - (out - z->avail_out));
    if (rc == Z_MEM_ERROR) {
        return eop_fail_nomem("codec");
    }
    if (rc != Z_OK && rc != Z_BUF_ERROR && rc != Z_STREAM_END) {
        return broken(u, z->msg != NULL ? z->msg : "unknown format");
    }
    return rc == Z_STREAM_END ? EDGEOPS_DONE : EDGEOPS_OK;
}

static void gzip_end(eop_decompress *u) {
    inflateEnd(&u->as.z);
}

static edgeops_status zstd_begin(eop_decompress *u) {
    u->as.zstd = ZSTD_createDCtx();
    return u->as.zstd != NULL ? EDGEOPS_OK : eop_fail_nomem("codec");
}

/* Its own limit of a window is 128 MiB. */
static edgeops_status zstd_some(eop_decompress *u, eop_decompress_io *io) {
    ZSTD_inBuffer in = {io->in, io->in_size, 0};
    ZSTD_outBuffer out = {io->out, io->out_size, 0};
    size_t rc = ZSTD_decompressStream(u->as.zstd, &out, &in);
    moved(io, in.size - in.pos, out.size - out.pos);
    if (ZSTD_isError(rc) == 0) {
        return rc == 0 ? EDGEOPS_DONE : EDGEOPS_OK;
    }
    switch (ZSTD_getErrorCode(rc)) {
    case ZSTD_error_memory_allocation:
        return eop_fail_nomem("codec");
    case ZSTD_error_frameParameter_windowTooLarge:
        return too_large(u);
    default:
        return broken(u, ZSTD_getErrorName(rc));
    }
}

static void zstd_end(eop_decompress *u) {
    ZSTD_freeDCtx(u->as.zstd);
}

#ifdef EOP_HAVE_BZIP2
static void *bz_alloc(void *opaque, int count, int size) {
    (void)opaque;
    return count < 0 || size < 0 ? NULL : eop_calloc((size_t)count, (size_t)size);
}

static void bz_free(void *opaque, void *memory) {
    (void)opaque;
    eop_free(memory);
}

static edgeops_status bzip2_begin(eop_decompress *u) {
    u->as.bz = (bz_stream){.bzalloc = bz_alloc, .bzfree = bz_free};
    return BZ2_bzDecompressInit(&u->as.bz, 0, 0) == BZ_OK ? EDGEOPS_OK : eop_fail_nomem("codec");
}

static edgeops_status bzip2_some(eop_decompress *u, eop_decompress_io *io) {
    bz_stream *bz = &u->as.bz;
    const unsigned in = at_most_uint(io->in_size);
    const unsigned out = at_most_uint(io->out_size);
    /* The library's interface lacks a const. */
    memcpy(&bz->next_in, &io->in, sizeof(bz->next_in));
    bz->avail_in = in;
    bz->next_out = (char *)io->out;
    bz->avail_out = out;
    int rc = BZ2_bzDecompress(bz);
    moved(io, io->in_size - (in - bz->avail_in), io->out_size - (out - bz->avail_out));
    if (rc == BZ_MEM_ERROR) {
        return eop_fail_nomem("codec");
    }
    if (rc != BZ_OK && rc != BZ_STREAM_END) {
        return broken(u, rc == BZ_DATA_ERROR ? "incorrect data check" : "unknown format");
    }
    return rc == BZ_STREAM_END ? EDGEOPS_DONE : EDGEOPS_OK;
}

static void bzip2_end(eop_decompress *u) {
    BZ2_bzDecompressEnd(&u->as.bz);
}
#endif

#ifdef EOP_HAVE_XZ
static void *xz_alloc(void *opaque, size_t count, size_t size) {
    (void)opaque;
    return eop_calloc(count, size);
}

static void xz_free(void *opaque, void *memory) {
    (void)opaque;
    eop_free(memory);
}

static const lzma_allocator xz_memory = {xz_alloc, xz_free, NULL};

static edgeops_status xz_begin(eop_decompress *u) {
    u->as.xz = (lzma_stream)LZMA_STREAM_INIT;
    u->as.xz.allocator = &xz_memory;
    return lzma_stream_decoder(&u->as.xz, (uint64_t)MEMORY_MIB << 20, 0) == LZMA_OK
               ? EDGEOPS_OK
               : eop_fail_nomem("codec");
}

static edgeops_status xz_some(eop_decompress *u, eop_decompress_io *io) {
    lzma_stream *xz = &u->as.xz;
    xz->next_in = io->in;
    xz->avail_in = io->in_size;
    xz->next_out = io->out;
    xz->avail_out = io->out_size;
    lzma_ret rc = lzma_code(xz, LZMA_RUN);
    moved(io, xz->avail_in, xz->avail_out);
    switch (rc) {
    case LZMA_OK:
    case LZMA_BUF_ERROR:
        return EDGEOPS_OK;
    case LZMA_STREAM_END:
        return EDGEOPS_DONE;
    case LZMA_MEM_ERROR:
        return eop_fail_nomem("codec");
    case LZMA_MEMLIMIT_ERROR:
        return too_large(u);
    default:
        return broken(u, rc == LZMA_DATA_ERROR ? "incorrect data check" : "unknown format");
    }
}

static void xz_end(eop_decompress *u) {
    lzma_end(&u->as.xz);
}
#endif

/* bzip2: its letters alone could begin a header. */
static const kind kinds[] = {
    [EOP_PACKED_NOT] = {.name = "plain"},
    [EOP_PACKED_GZIP] = {"gzip", gzip_begin, gzip_some, gzip_end, "\x1f\x8b", 2},
    [EOP_PACKED_BZIP2] = {.name = "bzip2",
                          .magic = "BZh",
                          .magic_size = 3,
#ifdef EOP_HAVE_BZIP2
                          .begin = bzip2_begin,
                          .some = bzip2_some,
                          .end = bzip2_end
#endif
    },
    [EOP_PACKED_XZ] = {.name = "xz",
                       .magic = "\xfd"
                                "7zXZ\0",
                       .magic_size = 6,
#ifdef EOP_HAVE_XZ
                       .begin = xz_begin,
                       .some = xz_some,
                       .end = xz_end
#endif
    },
    [EOP_PACKED_ZSTD] = {"zstd", zstd_begin, zstd_some, zstd_end, "\x28\xb5\x2f\xfd", 4},
};

/* The start of bzip2 is "BZh", a level and the start of a block or of the end. */
static bool is_bzip2(const unsigned char *data, size_t size, bool *more) {
    static const unsigned char block[] = {0x31, 0x41, 0x59, 0x26, 0x53, 0x59};
    static const unsigned char end[] = {0x17, 0x72, 0x45, 0x38, 0x50, 0x90};
    size_t n = size < 4 ? 0 : size - 4;
    n = n < sizeof(block) ? n : sizeof(block);
    bool so_far = size < 4 || (data[3] >= '1' && data[3] <= '9' &&
                               (memcmp(data + 4, block, n) == 0 || memcmp(data + 4, end, n) == 0));
    *more = *more || (so_far && n < sizeof(block));
    return so_far && n == sizeof(block);
}

/* Frames of zstd that hold no data may come first. */
static bool is_skippable(const unsigned char *data, size_t size, bool *more) {
    bool so_far = size == 0 || (data[0] & 0xf0) == 0x50;
    size_t n = size == 0 ? 0 : size - 1;
    n = n < 3 ? n : 3;
    so_far = so_far && (size < 2 || memcmp(data + 1, "\x2a\x4d\x18", n) == 0);
    *more = *more || (so_far && n < 3);
    return so_far && n == 3;
}

eop_packing eop_decompress_kind(const void *data, size_t size, bool *more) {
    *more = false;
    for (size_t i = EOP_PACKED_GZIP; i <= EOP_PACKED_ZSTD; i++) {
        const kind *k = &kinds[i];
        size_t n = size < k->magic_size ? size : k->magic_size;
        if (memcmp(data, k->magic, n) != 0) {
            continue;
        }
        if (i != EOP_PACKED_BZIP2) {
            *more = *more || n < k->magic_size;
        }
        if (i == EOP_PACKED_BZIP2 ? is_bzip2(data, size, more) : n == k->magic_size) {
            return (eop_packing)i;
        }
    }
    return is_skippable(data, size, more) ? EOP_PACKED_ZSTD : EOP_PACKED_NOT;
}

const char *eop_decompress_name(eop_packing packing) {
    return kinds[packing].name;
}

edgeops_status eop_decompress_new(eop_decompress **out, eop_packing packing, const char *what) {
    *out = NULL;
    if (kinds[packing].begin == NULL) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "codec",
                        "%s: this is %s data, which this build does not read; unpack it first",
                        what, kinds[packing].name);
    }
    eop_decompress *u = eop_calloc(1, sizeof(*u));
    if (u == NULL) {
        return eop_fail_nomem("codec");
    }
    u->kind = &kinds[packing];
    u->what = what;
    edgeops_status status = u->kind->begin(u);
    if (status < 0) {
        eop_free(u);
        return status;
    }
    *out = u;
    return EDGEOPS_OK;
}

edgeops_status eop_decompress_some(eop_decompress *packed, eop_decompress_io *io) {
    return packed->kind->some(packed, io);
}

edgeops_status eop_decompress_again(eop_decompress *packed) {
    packed->kind->end(packed);
    memset(&packed->as, 0, sizeof(packed->as));
    return packed->kind->begin(packed);
}

void eop_decompress_free(eop_decompress *packed) {
    if (packed != NULL) {
        packed->kind->end(packed);
        eop_free(packed);
    }
}
