/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the codec: plain C for every processor, AVX2 for those that have it. Both give
 * the same bits for all input, also for damaged input. */
#ifndef EOP_COLUMN_PACK_KERNELS_H
#define EOP_COLUMN_PACK_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Values a tile: what a loop works on at a time, in the first-level cache. */
#define EOP_PACK_TILE 256u
/** Largest power of ten, and the bound of the whole numbers that are scaled by it. */
#define EOP_PACK_EXPONENT 15u
#define EOP_PACK_WHOLE    ((int64_t)1 << 51)
/** A code of the entropy stage has at most so many bits. */
#define EOP_PACK_CODE_BITS 11u
/** Most often it has at most so many, and is read faster then. */
#define EOP_PACK_QUICK_BITS 8u
/** Streams that the codes of a page are dealt to in turn. */
#define EOP_PACK_STREAMS 4u

/** See pack.h. */
enum { EOP_PACK_LINE, EOP_PACK_DELTA, EOP_PACK_BEND };

/** Where a predictor stands. */
typedef struct eop_predictor {
    uint64_t last; /**< value before the next one; of a line: the next one, without residual */
    uint64_t step;
} eop_predictor;

/** A value is of a double that went through a float. */
typedef struct eop_decimal {
    uint8_t exponent; /**< 0..15 */
    bool narrow;
} eop_decimal;

/** One stream of codes, most significant bit first. */
typedef struct eop_code_stream {
    const uint8_t *data;
    size_t limit; /**< 8 bytes can be read at data + limit and before */
    size_t bit;   /**< next one */
} eop_code_stream;

typedef struct eop_kernels {
    /** Takes n values of `width` bits (0..64), value i at bit i * width, least significant first.
     * There are (n * width + 7) / 8 bytes at least from in to end; reads nothing behind end. */
    void (*unpack)(uint64_t *out, const uint8_t *in, const uint8_t *end, unsigned width, size_t n);
    /** out[i] |= symbols[i] << shift; when shift is 0, out[i] = symbols[i]. */
    void (*join)(uint64_t *out, const uint8_t *symbols, unsigned shift, size_t n);
    /** Residuals to values, in place; the predictors of pack.h. */
    void (*line)(uint64_t *values, eop_predictor *state, size_t n);
    void (*delta)(uint64_t *values, eop_predictor *state, size_t n);
    void (*bend)(uint64_t *values, eop_predictor *state, size_t n);
    /** value = first + value * divisor */
    void (*scale)(uint64_t *values, uint64_t first, uint64_t divisor, size_t n);
    /** value / 10^exponent, by a float when narrow. Right for values within +-2^51. */
    void (*to_double)(double *out, const uint64_t *values, eop_decimal decimal, size_t n);
    void (*to_float)(float *out, const uint64_t *values, eop_decimal decimal, size_t n);
    /** The opposite: odd[i] = 1 (and a value of 0) where the bits would not come back. Gives how
     * many are odd. */
    size_t (*from_double)(uint64_t *values, uint8_t *odd, const double *in, eop_decimal decimal,
                          size_t n);
    /** Values to residuals, those that the three loops above undo, in zigzag. A delta reads
     * values[-1], a bend values[-2] as well. The state is that before values[0]. */
    void (*residuals)(uint64_t *out, const uint64_t *values, unsigned predictor,
                      eop_predictor state, size_t n);
    /** Significant bits of each value, 0..64. */
    void (*lengths)(uint8_t *out, const uint64_t *values, size_t n);
    /** Decodes n symbols with a table of 2^bits entries, each symbol << 8 | length of its code. */
    void (*symbols)(uint8_t *out, eop_code_stream streams[EOP_PACK_STREAMS], const uint16_t *table,
                    unsigned bits, size_t n);
} eop_kernels;

extern const eop_kernels eop_kernels_plain;
/** The fastest ones this processor can run. */
const eop_kernels *eop_kernels_best(void);

/** 10^exponent */
extern const double eop_powers_of_ten[EOP_PACK_EXPONENT + 1];

static inline uint64_t eop_zigzag(uint64_t value) {
    return value << 1 ^ (0 - (value >> 63));
}
static inline uint64_t eop_unzigzag(uint64_t value) {
    return value >> 1 ^ (0 - (value & 1));
}

#endif /* EOP_COLUMN_PACK_KERNELS_H */
