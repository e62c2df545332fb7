/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal text to numbers: 64-bit integers where they are exact, 128-bit ones for most others, and
 * strtod in the C locale for the few that 19 digits do not decide. */
#include "codec/number.h"

#include <math.h>
#include <string.h>

#include "base/locale.h"

#define MAX_DIGITS   19
#define MAX_EXPONENT 100000
#define MAX_TEXT     1000
#define TWO_53       ((uint64_t)1 << 53)

__extension__ typedef unsigned __int128 wide;

static const double tens[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
static const uint64_t integer_tens[] = {1u,
                                        10u,
                                        100u,
                                        1000u,
                                        10000u,
                                        100000u,
                                        1000000u,
                                        10000000u,
                                        100000000u,
                                        1000000000u,
                                        10000000000u,
                                        100000000000u,
                                        1000000000000u,
                                        10000000000000u,
                                        100000000000000u,
                                        1000000000000000u,
                                        10000000000000000u,
                                        100000000000000000u,
                                        1000000000000000000u,
                                        10000000000000000000u};

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* Takes a run of digits; those before the point (scale 0) or behind it (scale 1). */
static const char *take_digits(eop_decimal *d, unsigned *significant, const char *p,
                               const char *end, int scale) {
    uint64_t digits = d->digits;
    unsigned n = *significant;
    int32_t exponent = d->exponent;
    while (p < end && is_digit(*p)) {
        if (n < MAX_DIGITS) {
            digits = digits * 10 + (uint64_t)(*p - '0');
            n += digits != 0;
            exponent -= scale;
        } else {
            d->cut = d->cut || *p != '0';
            exponent += 1 - scale;
        }
        p++;
    }
    d->digits = digits;
    d->exponent = exponent;
    *significant = n;
    return p;
}

static const char *take_exponent(eop_decimal *d, const char *p, const char *end) {
    const char *q = p + 1;
    bool negative = false;
    if (q < end && (*q == '+' || *q == '-')) {
        negative = *q == '-';
        q++;
    }
    if (q >= end || !is_digit(*q)) {
        return p;
    }
    int32_t exponent = 0;
    while (q < end && is_digit(*q)) {
        if (exponent < MAX_EXPONENT) {
            exponent = exponent * 10 + (*q - '0');
        }
        q++;
    }
    d->exponent += negative ? -exponent : exponent;
    d->shape |= EOP_DECIMAL_EXPONENT;
    return q;
}

size_t eop_decimal_scan(eop_decimal *out, const char *text, size_t size) {
    eop_decimal d = {0};
    /* Keeps the exponent far from overflow; no real number is longer. */
    const char *end = text + (size < MAX_EXPONENT ? size : MAX_EXPONENT);
    const char *p = text;
    unsigned significant = 0;
    if (p < end && (*p == '-' || *p == '+')) {
        d.negative = *p == '-';
        d.shape |= d.negative ? 0 : EOP_DECIMAL_PLUS;
        p++;
    }
    const char *first = p;
    p = take_digits(&d, &significant, p, end, 0);
    if (p == first) {
        d.shape |= EOP_DECIMAL_NO_INTEGER;
    } else if (*first == '0' && p > first + 1) {
        d.shape |= EOP_DECIMAL_LEADING_ZERO;
    }
    if (p < end && *p == '.') {
        const char *fraction = p + 1;
        const char *q = take_digits(&d, &significant, fraction, end, 1);
        if (q == fraction) {
            d.shape |= EOP_DECIMAL_NO_FRACTION;
        }
        d.shape |= EOP_DECIMAL_POINT;
        p = q;
    }
    if ((d.shape & EOP_DECIMAL_NO_INTEGER) != 0 &&
        (d.shape & (EOP_DECIMAL_POINT | EOP_DECIMAL_NO_FRACTION)) != EOP_DECIMAL_POINT) {
        return 0;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p = take_exponent(&d, p, end);
    }
    *out = d;
    return (size_t)(p - text);
}

/* Rounds value * 2^exponent to the nearest double, ties to even; sticky: bits were lost below.
 * value has 64 bits at least when sticky is set, and the result is far from both ends of the
 * range. */
static double round_wide(wide value, int exponent, bool sticky) {
    uint64_t high = (uint64_t)(value >> 64);
    int bits = high != 0 ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)value);
    int drop = bits - 53;
    if (drop <= 0) {
        return ldexp((double)(uint64_t)value, exponent);
    }
    uint64_t kept = (uint64_t)(value >> drop);
    wide rest = value & (((wide)1 << drop) - 1);
    wide half = (wide)1 << (drop - 1);
    if (rest > half || (rest == half && (sticky || (kept & 1) != 0))) {
        kept++;
    }
    return ldexp((double)kept, exponent + drop);
}

/* digits * 10^exponent for |exponent| <= 19 in integers: a product that fits 128 bits, or one
 * division whose remainder says on which side of a tie the value lies. */
static double scale_exact(uint64_t digits, int exponent) {
    if (exponent >= 0) {
        return round_wide((wide)digits * integer_tens[exponent], 0, false);
    }
    uint64_t divisor = integer_tens[-exponent];
    int up = __builtin_clzll(digits);
    int down = __builtin_clzll(divisor);
    wide dividend = (wide)(digits << up) << 63;
    divisor <<= down;
    wide quotient = dividend / divisor;
    return round_wide(quotient, down - up - 63, dividend % divisor != 0);
}

/* The rare long way. */
static bool by_strtod(double *out, const char *text, size_t size) {
    char buf[MAX_TEXT + 1];
    if (size > MAX_TEXT) {
        return false;
    }
    memcpy(buf, text, size);
    buf[size] = '\0';
    *out = eop_strtod(buf, NULL);
    return isfinite(*out) != 0;
}

bool eop_decimal_double(double *out, const eop_decimal *decimal, const char *text, size_t size) {
    double value = 0.0;
    int32_t exponent = decimal->exponent;
    if (decimal->digits == 0) {
        value = 0.0;
    } else if (!decimal->cut && decimal->digits <= TWO_53 && exponent >= -22 && exponent <= 22) {
        /* Both are exact doubles, so that the one operation rounds once. */
        value = exponent < 0 ? (double)decimal->digits / tens[-exponent]
                             : (double)decimal->digits * tens[exponent];
    } else if (!decimal->cut && exponent >= -MAX_DIGITS && exponent <= MAX_DIGITS) {
        value = scale_exact(decimal->digits, exponent);
    } else {
        return by_strtod(out, text, size);
    }
    *out = decimal->negative ? -value : value;
    return true;
}

/* digits * 10^exponent as an unsigned integer; what lies behind the point goes to *fraction. */
static bool to_integer(uint64_t *out, bool *fraction, const eop_decimal *d, int32_t exponent) {
    uint64_t value = d->digits;
    *fraction = d->cut;
    if (value == 0) {
        *out = 0;
        return true;
    }
    if (exponent < 0) {
        if (exponent < -MAX_DIGITS) {
            *fraction = true;
            *out = 0;
            return true;
        }
        uint64_t divisor = integer_tens[-exponent];
        *fraction = *fraction || value % divisor != 0;
        *out = value / divisor;
        return true;
    }
    return exponent <= MAX_DIGITS && (!d->cut || exponent == 0) &&
           !__builtin_mul_overflow(value, integer_tens[exponent], out);
}

static bool with_sign(int64_t *out, uint64_t magnitude, bool negative) {
    if (magnitude > (uint64_t)INT64_MAX + (negative ? 1u : 0u)) {
        return false;
    }
    *out = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
    return true;
}

bool eop_decimal_int64(int64_t *out, const eop_decimal *decimal) {
    uint64_t magnitude = 0;
    bool fraction = false;
    return to_integer(&magnitude, &fraction, decimal, decimal->exponent) && !fraction &&
           with_sign(out, magnitude, decimal->negative);
}

bool eop_decimal_uint64(uint64_t *out, const eop_decimal *decimal, const char *text, size_t size) {
    uint64_t magnitude = 0;
    bool fraction = false;
    if (decimal->negative && decimal->digits > 0) {
        return false;
    }
    if (decimal->cut && eop_decimal_is_integer(decimal)) {
        for (size_t i = 0; i < size; i++) {
            if (text[i] >= '0' && text[i] <= '9' &&
                (__builtin_mul_overflow(magnitude, UINT64_C(10), &magnitude) ||
                 __builtin_add_overflow(magnitude, (uint64_t)(text[i] - '0'), &magnitude))) {
                return false;
            }
        }
    } else if (!to_integer(&magnitude, &fraction, decimal, decimal->exponent) || fraction) {
        return false;
    }
    *out = magnitude;
    return true;
}

bool eop_decimal_value(edgeops_value *out, edgeops_type type, const eop_decimal *decimal,
                       const char *text, size_t size) {
    edgeops_value value = {.type = type};
    if (eop_type_is_float(type)) {
        value.type = EDGEOPS_TYPE_FLOAT64;
        return eop_decimal_double(&value.as.f64, decimal, text, size) &&
               eop_value_convert(out, &value, type);
    }
    bool good = eop_type_is_unsigned(type)  ? eop_decimal_uint64(&value.as.u64, decimal, text, size)
                : eop_type_is_integer(type) ? eop_decimal_int64(&value.as.i64, decimal)
                                            : false;
    if (good && eop_value_in_range(&value)) {
        *out = value;
        return true;
    }
    return false;
}

eop_time_unit eop_decimal_unit(const eop_decimal *decimal) {
    uint64_t whole = 0;
    bool fraction = false;
    if (!to_integer(&whole, &fraction, decimal, decimal->exponent)) {
        return EOP_UNIT_NS;
    }
    return whole < 100000000000u         ? EOP_UNIT_S
           : whole < 100000000000000u    ? EOP_UNIT_MS
           : whole < 100000000000000000u ? EOP_UNIT_US
                                         : EOP_UNIT_NS;
}

bool eop_decimal_time(edgeops_time *out, const eop_decimal *decimal, eop_time_unit unit) {
    static const int powers[] = {0, 9, 6, 3, 0};
    int power = powers[unit == EOP_UNIT_GUESS ? eop_decimal_unit(decimal) : unit];
    uint64_t magnitude = 0;
    bool fraction = false;
    return to_integer(&magnitude, &fraction, decimal, decimal->exponent + power) &&
           with_sign(out, magnitude, decimal->negative);
}

bool eop_int64_text(int64_t *out, const char *text, size_t size) {
    eop_decimal d;
    return size > 0 && size <= 20 && eop_decimal_scan(&d, text, size) == size && d.shape == 0 &&
           !(d.negative && d.digits == 0) && eop_decimal_int64(out, &d);
}
