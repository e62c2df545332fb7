/* SPDX-License-Identifier: Apache-2.0 */
/* Packs up to 4096 integers of 64 bits into few bytes. All arithmetic is modulo 2^64, so signed
 * and unsigned integers are stored alike. The reader knows the count of the integers.
 *
 * Numbers are little-endian. A varint holds 7 bits a byte, least significant first; bit 7 is set
 * in all bytes but the last one, and there are at most ten bytes. A zigzag varint is the varint of
 * v << 1 ^ v >> 63. Bit fields are least significant bit first: value i of `width` bits begins at
 * bit i * width, and zero bits fill the last byte.
 *
 *   u8             form: bits 0..1 predictor, bits 2..3 packing, bit 4 divided; the others are 0
 *   only when divided (then value = first + y * divisor, else value = y):
 *     zigzag varint  first
 *     varint         divisor, >= 2
 *   zigzag varint  base
 *   zigzag varint  step
 *   the packed residuals
 *
 * Predictors give y[i] from the residuals z[i]; what is packed is the zigzag of z[i]:
 *   0  line   y[i] = base + step * i + z[i]
 *   1  delta  y[i] = y[i-1] + step + z[i]                 y[-1] = base
 *   2  bend   d[i] = d[i-1] + z[i], y[i] = y[i-1] + d[i]  d[-1] = step, y[-1] = base
 *
 * Packing 0 (nothing): all residuals are 0, and no bytes follow.
 *
 * Packing 1 (blocks): blocks of m = 256 residuals; the last block may have fewer:
 *   u8             bits 0..6 width (0..64), bit 7 patched
 *   bits           m values of `width` bits
 *   only when patched:
 *     u8             count - 1
 *     u8             patch width, 1..64 - width
 *     u8 [count]     places in the block, ascending
 *     bits           count values of the patch width: the bits above the `width` low ones
 *
 * Packing 2 (codes): each residual is symbol << shift | low bits:
 *   u8             shift, 0..56
 *   u8             symbols - 1
 *   u4 [symbols]   length of each symbol's code: 0 for none, 1..11; symbol 0 is the low half of
 *                  the first byte. The codes are canonical: by length, then by symbol
 *   u16 [4]        sizes of the four streams
 *   streams        residual i is in stream i % 4; codes are written most significant bit first,
 *                  and zero bits fill the last byte of each stream
 *   varint         patches
 *   only when there are patches:
 *     u8             patch width, 1..64 - shift
 *     u16 [patches]  places, ascending
 *     bits           one value of the patch width for each patch: residual >> shift of its place;
 *                    the symbol decoded there is ignored
 *   bits           the low bits: a value of `shift` bits for each residual */
#ifndef EOP_COLUMN_PACK_H
#define EOP_COLUMN_PACK_H

#include "base/str.h"
#include "column/pack_kernels.h"

#define EOP_PACK_MAX 4096u

/** Values for `saving`: codes are used when they save at least one bit in N, because they are read
 * at half the speed. NONE: never. */
enum { EOP_SAVING_NONE = 0, EOP_SAVING_FAST = 16, EOP_SAVING_SMALL = 100 };

/** Appends n (1..4096) integers; may change `values`. Sets buf->failed when memory runs out. */
void eop_pack(eop_buf *buf, uint64_t *values, size_t n, size_t saving);

/** Reads the integers one tile at a time. */
typedef struct eop_unpack {
    const eop_kernels *kernels;
    const uint8_t *at;  /**< the next block or low bits */
    const uint8_t *end; /**< nothing is read from here on */
    size_t count;
    size_t done;
    eop_predictor state;
    uint64_t first;
    uint64_t divisor;
    uint8_t predictor;
    uint8_t packing;
    uint8_t shift;
    uint8_t patch_width;
    size_t patch; /**< the next patch */
    size_t patches;
    const uint8_t *places;
    const uint8_t *patched;
    uint8_t symbols[EOP_PACK_MAX];
} eop_unpack;

/** Opens `count` integers, of which at most the first `need` will be read. data: borrowed while
 * they are read. Trusts nothing in it; false: damaged. */
bool eop_unpack_open(eop_unpack *unpack, const void *data, size_t size, size_t count, size_t need);
/** Reads the next tile, or what is left. False: damaged. */
bool eop_unpack_next(eop_unpack *unpack, uint64_t *out);
/** Skips what eop_unpack_next() would read. */
bool eop_unpack_skip(eop_unpack *unpack);

/* -- what the parts share -- */

enum { EOP_PACK_NOTHING, EOP_PACK_BLOCKS, EOP_PACK_CODES };
enum { EOP_PACK_PREDICTOR = 3, EOP_PACK_PACKING_SHIFT = 2, EOP_PACK_DIVIDED = 16 };
enum { EOP_PACK_PATCHED = 0x80 };

void eop_put_varint(eop_buf *buf, uint64_t value);
/** Moves *at behind the varint; false when it runs over the end or is too long. */
bool eop_take_varint(uint64_t *out, const uint8_t **at, const uint8_t *end);
/** Appends the low `width` bits of n values. */
void eop_put_bits(eop_buf *buf, const uint64_t *values, unsigned width, size_t n);
/** Size in bytes of n values of `width` bits. */
static inline size_t eop_bits_size(size_t n, unsigned width) {
    return (n * width + 7) / 8;
}

/** Chooses code lengths 1..11 by the counts of the symbols, 0 for symbols that do not occur.
 * Returns the total bits of the coded values; 0 when fewer than two symbols occur. count <= 256. */
size_t eop_code_lengths(uint8_t *lengths, const uint32_t *counts, size_t count);
/** Appends the stream sizes and the streams of values[i] >> shift; a value without a code is
 * written as symbol 0. */
void eop_code_put(eop_buf *buf, const uint64_t *values, unsigned shift, size_t n,
                  const uint8_t *lengths, size_t symbols);
/** Fills the table for eop_kernels.symbols and returns its bits; 0 when the lengths do not form a
 * complete code. */
unsigned eop_code_table(uint16_t table[1u << EOP_PACK_CODE_BITS], const uint8_t *lengths,
                        size_t symbols);

#endif /* EOP_COLUMN_PACK_H */
