/* SPDX-License-Identifier: Apache-2.0 */
/* The inner loops of the codec: plain C for every processor, AVX2 for those that have it. Both give
 * the same bits for any input, even damaged input. */
#ifndef EOP_COLUMN_PACK_KERNELS_H
#define EOP_COLUMN_PACK_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Values in a tile: what a loop handles at a time, small enough for the first-level cache. */
#define EOP_PACK_TILE 256u
/** The largest power of ten, and the bound of the whole numbers that it scales. */
#define EOP_PACK_EXPONENT 15u
#define EOP_PACK_WHOLE    ((int64_t)1 << 51)
/** Longest code in bits. */
#define EOP_PACK_CODE_BITS 11u
/** Longest code in bits of a table that is read faster; most tables are. */
#define EOP_PACK_QUICK_BITS 8u
/** Number of streams: code i of a page goes to stream i % N. */
#define EOP_PACK_STREAMS 4u

/** Predictors; pack.h defines them. */
enum { EOP_PACK_LINE, EOP_PACK_DELTA, EOP_PACK_BEND };

/** State of a predictor. */
typedef struct eop_predictor {
    uint64_t last; /**< the value before the next one; for a line the next one without its
                        residual */
    uint64_t step;
} eop_predictor;

/** How a whole number becomes a float: divided by 10^exponent and, when narrow, rounded to a
 * float. */
typedef struct eop_decimal {
    uint8_t exponent; /**< 0..15 */
    bool narrow;
} eop_decimal;

/** One stream of codes, most significant bit first. */
typedef struct eop_code_stream {
    const uint8_t *data;
    size_t limit; /**< 8 bytes can be read from data + limit, and from before it */
    size_t bit;   /**< of the next code */
} eop_code_stream;

typedef struct eop_kernels {
    /** Unpacks n values of `width` bits (0..64): value i begins at bit i * width, least significant
     * first. [in, end) has at least (n * width + 7) / 8 bytes; reads nothing behind end. */
    void (*unpack)(uint64_t *out, const uint8_t *in, const uint8_t *end, unsigned width, size_t n);
    /** out[i] |= symbols[i] << shift; when shift is 0, out[i] = symbols[i]. */
    void (*join)(uint64_t *out, const uint8_t *symbols, unsigned shift, size_t n);
    /** Residuals to values, in place; the predictors of pack.h. */
    void (*line)(uint64_t *values, eop_predictor *state, size_t n);
    void (*delta)(uint64_t *values, eop_predictor *state, size_t n);
    void (*bend)(uint64_t *values, eop_predictor *state, size_t n);
    /** value = first + value * divisor */
    void (*scale)(uint64_t *values, uint64_t first, uint64_t divisor, size_t n);
    /** value / 10^exponent, rounded to a float when narrow. Correct for values within +-2^51. */
    void (*to_double)(double *out, const uint64_t *values, eop_decimal decimal, size_t n);
    void (*to_float)(float *out, const uint64_t *values, eop_decimal decimal, size_t n);
    /** The inverse: odd[i] = 1 (and a value of 0) where the bits would not come back. Returns the
     * number of odd ones. */
    size_t (*from_double)(uint64_t *values, uint8_t *odd, const double *in, eop_decimal decimal,
                          size_t n);
    /** Values to zigzag residuals, the inverse of line, delta and bend. A delta also reads
     * values[-1], a bend values[-2] as well. state: before values[0]. */
    void (*residuals)(uint64_t *out, const uint64_t *values, unsigned predictor,
                      eop_predictor state, size_t n);
    /** Significant bits of each value, 0..64. */
    void (*lengths)(uint8_t *out, const uint64_t *values, size_t n);
    /** Decodes n symbols with a table of 2^bits entries: symbol << 8 | length of its code. */
    void (*symbols)(uint8_t *out, eop_code_stream streams[EOP_PACK_STREAMS], const uint16_t *table,
                    unsigned bits, size_t n);
} eop_kernels;

extern const eop_kernels eop_kernels_plain;
/** The fastest kernels that this processor can run. */
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
