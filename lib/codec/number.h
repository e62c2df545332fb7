/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal texts to numbers: correctly rounded, exact where the target is, no locale. */
#ifndef EOP_CODEC_NUMBER_H
#define EOP_CODEC_NUMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/type.h"

/** What eop_decimal_scan() met, beside plain digits. */
enum {
    EOP_DECIMAL_POINT = 1,
    EOP_DECIMAL_EXPONENT = 2,
    EOP_DECIMAL_PLUS = 4,         /**< "+1" */
    EOP_DECIMAL_LEADING_ZERO = 8, /**< "01" */
    EOP_DECIMAL_NO_INTEGER = 16,  /**< ".5" */
    EOP_DECIMAL_NO_FRACTION = 32  /**< "5." */
};
/** With any of these it is not a JSON number. */
#define EOP_DECIMAL_NOT_JSON                                                                       \
    (EOP_DECIMAL_PLUS | EOP_DECIMAL_LEADING_ZERO | EOP_DECIMAL_NO_INTEGER | EOP_DECIMAL_NO_FRACTION)

/** A decimal number: (-1)^negative * digits * 10^exponent. */
typedef struct eop_decimal {
    uint64_t digits;  /**< the first 19 significant ones */
    int32_t exponent; /**< far inside int32: a longer one in the text is clamped */
    uint8_t shape;    /**< EOP_DECIMAL_* */
    bool negative;
    bool cut; /**< there were more than 19 significant digits, and not all of the rest were 0 */
} eop_decimal;

/** Reads the longest [+-]digits[.digits][e[+-]digits] at the front of text.
 *
 *  @return bytes of it; 0: there is no number
 */
size_t eop_decimal_scan(eop_decimal *out, const char *text, size_t size);

/** True for digits alone, with or without a sign. */
static inline bool eop_decimal_is_integer(const eop_decimal *decimal) {
    return (decimal->shape & (EOP_DECIMAL_POINT | EOP_DECIMAL_EXPONENT)) == 0;
}

/** The nearest double, ties to even.
 *
 *  @param text  the text that was scanned: needed when 19 digits do not decide
 *  @return false beyond the range of float64 (too small is 0), or when text is over 1,000 bytes */
bool eop_decimal_double(double *out, const eop_decimal *decimal, const char *text, size_t size);

/** False for a fraction (1.0 is none) and beyond int64. */
bool eop_decimal_int64(int64_t *out, const eop_decimal *decimal);

/** The same up to 2^64 - 1, whose 20 digits are in the text that was scanned. */
bool eop_decimal_uint64(uint64_t *out, const eop_decimal *decimal, const char *text, size_t size);
/** A value of a numeric type: floats to the nearest, integers only exactly. False when it is out of
 * range or has a fraction that the type does not have, and for a type that is not numeric. */
bool eop_decimal_value(edgeops_value *out, edgeops_type type, const eop_decimal *decimal,
                       const char *text, size_t size);

/** Units of a time stamp that is a number. */
typedef enum eop_time_unit {
    EOP_UNIT_GUESS = 0, /**< by magnitude: < 1e11 s, < 1e14 ms, < 1e17 us, else ns */
    EOP_UNIT_S,
    EOP_UNIT_MS,
    EOP_UNIT_US,
    EOP_UNIT_NS
} eop_time_unit;
/** The unit that EOP_UNIT_GUESS takes for this number. */
eop_time_unit eop_decimal_unit(const eop_decimal *decimal);
/** Exact; digits past the nanosecond are cut off. False beyond int64 ns. */
bool eop_decimal_time(edgeops_time *out, const eop_decimal *decimal, eop_time_unit unit);

/** The whole text is a decimal integer as "%lld" writes it. */
bool eop_int64_text(int64_t *out, const char *text, size_t size);

#endif /* EOP_CODEC_NUMBER_H */
