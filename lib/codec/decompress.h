/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed data of one kind, member after member: gzip, bzip2, xz, zstd. Memory is bounded
 * whatever the data asks for. */
#ifndef EOP_CODEC_DECOMPRESS_H
#define EOP_CODEC_DECOMPRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "edgeops/status.h"

typedef enum eop_packing {
    EOP_PACKED_NOT,
    EOP_PACKED_GZIP,
    EOP_PACKED_BZIP2,
    EOP_PACKED_XZ,
    EOP_PACKED_ZSTD
} eop_packing;

/** Bytes in and room for bytes out; both are moved on. */
typedef struct eop_decompress_io {
    const unsigned char *in;
    size_t in_size;
    unsigned char *out;
    size_t out_size;
} eop_decompress_io;

typedef struct eop_decompress eop_decompress;

/** What data begins with. *more: it may be packed, a byte more could tell. */
eop_packing eop_decompress_kind(const void *data, size_t size, bool *more);
/** "gzip", "bzip2", "xz", "zstd". */
const char *eop_decompress_name(eop_packing packing);

/** what: borrowed, names the data in errors. E_UNSUPPORTED: not in this build; E_NOMEM. */
edgeops_status eop_decompress_new(eop_decompress **out, eop_packing packing, const char *what);
/** Unpacks what it can. EDGEOPS_DONE: the member is at its end; what is in comes behind it.
 * E_CORRUPT; E_UNSUPPORTED: more memory is needed than may be (128 MiB); E_NOMEM. */
edgeops_status eop_decompress_some(eop_decompress *packed, eop_decompress_io *io);
/** For the next member. E_NOMEM. */
edgeops_status eop_decompress_again(eop_decompress *packed);
/** NULL is allowed. */
void eop_decompress_free(eop_decompress *packed);

#endif /* EOP_CODEC_DECOMPRESS_H */
