/* SPDX-License-Identifier: Apache-2.0 */
/* The only file with code for a certain processor. EOP_INLINE bodies are written once and compiled
 * twice: better instructions are their only gain. The other loops have an AVX2 form, which leaves
 * the values that do not fill a register to the plain form. */
#include "column/pack_kernels.h"

#include <string.h>

#include "base/compiler.h"

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_AVX2 1
#endif

const double eop_powers_of_ten[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* Adding this to a double puts its whole number into the low bits. magic_bits are the bits of the
 * constant itself. */
static const double magic = 6755399441055744.0; /* 1.5 * 2^52 */
static const uint64_t magic_bits = 0x4338000000000000u;

/* -- plain -- */

/* Reads one value at `bit`: with up to 64 bits it may touch nine bytes. */
EOP_INLINE uint64_t load_bits(const uint8_t *in, size_t bit, unsigned width) {
    uint64_t word;
    unsigned skip = bit & 7;
    memcpy(&word, in + (bit >> 3), sizeof word);
    word >>= skip;
    if (width + skip > 64) {
        word |= (uint64_t)in[(bit >> 3) + 8] << (64 - skip);
    }
    return word & (UINT64_MAX >> (64 - width));
}

static void unpack_from(uint64_t *out, const uint8_t *in, const uint8_t *end, unsigned width,
                        size_t i, size_t n) {
    size_t size = (size_t)(end - in);
    if (width == 0) {
        memset(out + i, 0, (n - i) * sizeof *out);
        return;
    }
    for (; i < n && (i * width >> 3) + 9 <= size; i++) {
        out[i] = load_bits(in, i * width, width);
    }
    for (; i < n; i++) {
        uint8_t tail[16] = {0};
        size_t at = i * width >> 3;
        memcpy(tail, in + at, size - at < 9 ? size - at : 9);
        out[i] = load_bits(tail, i * width & 7, width);
    }
}

static void unpack_plain(uint64_t *out, const uint8_t *in, const uint8_t *end, unsigned width,
                         size_t n) {
    unpack_from(out, in, end, width, 0, n);
}

static void join_from(uint64_t *out, const uint8_t *symbols, unsigned shift, size_t i, size_t n) {
    for (; i < n; i++) {
        out[i] = (shift > 0 ? out[i] : 0) | (uint64_t)symbols[i] << shift;
    }
}

static void join_plain(uint64_t *out, const uint8_t *symbols, unsigned shift, size_t n) {
    join_from(out, symbols, shift, 0, n);
}

static void line_from(uint64_t *values, eop_predictor *state, size_t i, size_t n) {
    for (; i < n; i++) {
        values[i] = state->last + eop_unzigzag(values[i]);
        state->last += state->step;
    }
}

static void line_plain(uint64_t *values, eop_predictor *state, size_t n) {
    line_from(values, state, 0, n);
}

static void delta_from(uint64_t *values, eop_predictor *state, size_t i, size_t n) {
    for (; i < n; i++) {
        values[i] = state->last += state->step + eop_unzigzag(values[i]);
    }
}

static void delta_plain(uint64_t *values, eop_predictor *state, size_t n) {
    delta_from(values, state, 0, n);
}

static void bend_from(uint64_t *values, eop_predictor *state, size_t i, size_t n) {
    for (; i < n; i++) {
        state->step += eop_unzigzag(values[i]);
        values[i] = state->last += state->step;
    }
}

static void bend_plain(uint64_t *values, eop_predictor *state, size_t n) {
    bend_from(values, state, 0, n);
}

static void scale_from(uint64_t *values, uint64_t first, uint64_t divisor, size_t i, size_t n) {
    for (; i < n; i++) {
        values[i] = first + values[i] * divisor;
    }
}

static void scale_plain(uint64_t *values, uint64_t first, uint64_t divisor, size_t n) {
    scale_from(values, first, divisor, 0, n);
}

EOP_INLINE double whole_to_double(uint64_t value) {
    double whole;
    value += magic_bits;
    memcpy(&whole, &value, sizeof whole);
    return whole - magic;
}

static void to_double_from(double *out, const uint64_t *values, eop_decimal decimal, size_t i,
                           size_t n) {
    double power = eop_powers_of_ten[decimal.exponent];
    for (; i < n; i++) {
        double value = whole_to_double(values[i]) / power;
        out[i] = decimal.narrow ? (double)(float)value : value;
    }
}

static void to_double_plain(double *out, const uint64_t *values, eop_decimal decimal, size_t n) {
    to_double_from(out, values, decimal, 0, n);
}

static void to_float_from(float *out, const uint64_t *values, eop_decimal decimal, size_t i,
                          size_t n) {
    double power = eop_powers_of_ten[decimal.exponent];
    for (; i < n; i++) {
        out[i] = (float)(whole_to_double(values[i]) / power);
    }
}

static void to_float_plain(float *out, const uint64_t *values, eop_decimal decimal, size_t n) {
    to_float_from(out, values, decimal, 0, n);
}

static size_t from_double_from(uint64_t *values, uint8_t *odd, const double *in,
                               eop_decimal decimal, size_t i, size_t n) {
    double power = eop_powers_of_ten[decimal.exponent];
    double bound = (double)EOP_PACK_WHOLE;
    size_t count = 0;
    for (; i < n; i++) {
        double scaled = in[i] * power;
        double shifted = scaled + magic;
        double back = (shifted - magic) / power;
        uint64_t whole;
        back = decimal.narrow ? (double)(float)back : back;
        memcpy(&whole, &shifted, sizeof whole);
        bool good = scaled < bound && scaled > -bound && memcmp(&back, &in[i], sizeof back) == 0;
        values[i] = good ? whole - magic_bits : 0;
        odd[i] = !good;
        count += !good;
    }
    return count;
}

static size_t from_double_plain(uint64_t *values, uint8_t *odd, const double *in,
                                eop_decimal decimal, size_t n) {
    return from_double_from(values, odd, in, decimal, 0, n);
}

static void residuals_from(uint64_t *out, const uint64_t *values, unsigned predictor,
                           eop_predictor state, size_t i, size_t n) {
    for (; i < n && predictor == EOP_PACK_LINE; i++) {
        out[i] = eop_zigzag(values[i] - state.last - state.step * i);
    }
    for (; i < n && predictor == EOP_PACK_DELTA; i++) {
        out[i] = eop_zigzag(values[i] - *(values + i - 1) - state.step);
    }
    for (; i < n; i++) {
        out[i] = eop_zigzag(values[i] - 2 * *(values + i - 1) + *(values + i - 2));
    }
}

static void residuals_plain(uint64_t *out, const uint64_t *values, unsigned predictor,
                            eop_predictor state, size_t n) {
    residuals_from(out, values, predictor, state, 0, n);
}

static void lengths_from(uint8_t *out, const uint64_t *values, size_t i, size_t n) {
    for (; i < n; i++) {
        out[i] = values[i] != 0 ? (uint8_t)(64 - __builtin_clzll(values[i])) : 0;
    }
}

static void lengths_plain(uint8_t *out, const uint64_t *values, size_t n) {
    lengths_from(out, values, 0, n);
}

EOP_INLINE uint64_t refill_stream(const eop_code_stream *stream) {
    size_t at = stream->bit >> 3;
    uint64_t word;
    memcpy(&word, stream->data + (at < stream->limit ? at : stream->limit), sizeof word);
    return __builtin_bswap64(word) << (stream->bit & 7);
}

/* Decodes `each` codes of each stream in a round: what fits into the 57 bits that a refill gives at
 * least. */
EOP_INLINE size_t symbols_rounds(uint8_t *out, eop_code_stream *streams, const uint16_t *table,
                                 unsigned bits, size_t each, size_t n) {
    unsigned shift = 64 - bits;
    size_t round = each * EOP_PACK_STREAMS;
    eop_code_stream a = streams[0], b = streams[1], c = streams[2], d = streams[3];
    size_t i = 0;
    for (; n - i >= round; i += round) {
        uint64_t wa = refill_stream(&a), wb = refill_stream(&b), wc = refill_stream(&c),
                 wd = refill_stream(&d);
        /* The low bytes add up the lengths, at most 56. */
        uint32_t sa = 0, sb = 0, sc = 0, sd = 0;
        for (size_t k = 0; k < each; k++) {
            uint32_t ea = table[wa >> shift], eb = table[wb >> shift];
            uint32_t ec = table[wc >> shift], ed = table[wd >> shift];
            wa <<= ea & 63;
            wb <<= eb & 63;
            wc <<= ec & 63;
            wd <<= ed & 63;
            sa += ea;
            sb += eb;
            sc += ec;
            sd += ed;
            out[i + 4 * k] = (uint8_t)(ea >> 8);
            out[i + 4 * k + 1] = (uint8_t)(eb >> 8);
            out[i + 4 * k + 2] = (uint8_t)(ec >> 8);
            out[i + 4 * k + 3] = (uint8_t)(ed >> 8);
        }
        a.bit += sa & 0xff;
        b.bit += sb & 0xff;
        c.bit += sc & 0xff;
        d.bit += sd & 0xff;
    }
    streams[0] = a;
    streams[1] = b;
    streams[2] = c;
    streams[3] = d;
    return i;
}

EOP_INLINE void symbols_body(uint8_t *out, eop_code_stream *streams, const uint16_t *table,
                             unsigned bits, size_t n) {
    unsigned shift = 64 - bits;
    size_t i = bits <= EOP_PACK_QUICK_BITS ? symbols_rounds(out, streams, table, bits, 7, n)
                                           : symbols_rounds(out, streams, table, bits, 5, n);
    for (; i < n; i++) {
        eop_code_stream *stream = &streams[i % EOP_PACK_STREAMS];
        uint32_t entry = table[refill_stream(stream) >> shift];
        stream->bit += entry & 0xff;
        out[i] = (uint8_t)(entry >> 8);
    }
}

static void symbols_plain(uint8_t *out, eop_code_stream streams[EOP_PACK_STREAMS],
                          const uint16_t *table, unsigned bits, size_t n) {
    symbols_body(out, streams, table, bits, n);
}

const eop_kernels eop_kernels_plain = {
    .unpack = unpack_plain,
    .join = join_plain,
    .line = line_plain,
    .delta = delta_plain,
    .bend = bend_plain,
    .scale = scale_plain,
    .to_double = to_double_plain,
    .to_float = to_float_plain,
    .from_double = from_double_plain,
    .residuals = residuals_plain,
    .lengths = lengths_plain,
    .symbols = symbols_plain,
};

/* -- AVX2 -- */

#if defined(HAVE_AVX2)
#define AVX2 EOP_TARGET("avx2,bmi2")

AVX2 static __m256i load4(const void *from) {
    return _mm256_loadu_si256((const __m256i *)from);
}

AVX2 static void store4(void *to, __m256i values) {
    _mm256_storeu_si256((__m256i *)to, values);
}

/* Eight values of up to 25 bits take `width` whole bytes, so that every eight have the same places
 * in them. The first four are found in the 16 bytes at `in`, the others in those half way on. */
AVX2 static void unpack_avx2(uint64_t *out, const uint8_t *in, const uint8_t *end, unsigned width,
                             size_t n) {
    size_t i = 0;
    if (width > 0 && width <= 25) {
        int half = (int)(width * 4 >> 3);
        __m256i bits =
            _mm256_sub_epi32(_mm256_mullo_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7),
                                                _mm256_set1_epi32((int)width)),
                             _mm256_setr_epi32(0, 0, 0, 0, half * 8, half * 8, half * 8, half * 8));
        __m256i places = _mm256_add_epi32(
            _mm256_mullo_epi32(_mm256_srli_epi32(bits, 3), _mm256_set1_epi32(0x01010101)),
            _mm256_set1_epi32(0x03020100));
        __m256i shifts = _mm256_and_si256(bits, _mm256_set1_epi32(7));
        __m256i mask = _mm256_set1_epi32((int)((1u << width) - 1));
        const uint8_t *p = in;
        for (; i + 8 <= n && end - p >= half + 16; i += 8, p += width) {
            __m128i low = _mm_loadu_si128((const __m128i *)(const void *)p);
            __m128i high = _mm_loadu_si128((const __m128i *)(const void *)(p + half));
            __m256i all = _mm256_inserti128_si256(_mm256_castsi128_si256(low), high, 1);
            all =
                _mm256_and_si256(_mm256_srlv_epi32(_mm256_shuffle_epi8(all, places), shifts), mask);
            store4(out + i, _mm256_cvtepu32_epi64(_mm256_castsi256_si128(all)));
            store4(out + i + 4, _mm256_cvtepu32_epi64(_mm256_extracti128_si256(all, 1)));
        }
    }
    unpack_from(out, in, end, width, i, n);
}

AVX2 static void join_avx2(uint64_t *out, const uint8_t *symbols, unsigned shift, size_t n) {
    size_t i = 0;
    __m128i count = _mm_cvtsi32_si128((int)shift);
    for (; shift == 0 && i + 4 <= n; i += 4) {
        uint32_t four;
        memcpy(&four, symbols + i, sizeof four);
        store4(out + i, _mm256_cvtepu8_epi64(_mm_cvtsi32_si128((int)four)));
    }
    for (; i + 4 <= n; i += 4) {
        uint32_t four;
        memcpy(&four, symbols + i, sizeof four);
        __m256i high = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128((int)four));
        store4(out + i, _mm256_or_si256(load4(out + i), _mm256_sll_epi64(high, count)));
    }
    join_from(out, symbols, shift, i, n);
}

AVX2 static __m256i unzigzag4(__m256i values) {
    __m256i sign =
        _mm256_sub_epi64(_mm256_setzero_si256(), _mm256_and_si256(values, _mm256_set1_epi64x(1)));
    return _mm256_xor_si256(_mm256_srli_epi64(values, 1), sign);
}

/* Running sums of four. */
AVX2 static __m256i sums4(__m256i values) {
    values = _mm256_add_epi64(values, _mm256_slli_si256(values, 8));
    __m256i low = _mm256_permute4x64_epi64(values, 0x55);
    return _mm256_add_epi64(values, _mm256_blend_epi32(_mm256_setzero_si256(), low, 0xf0));
}

AVX2 static __m256i last4(__m256i values) {
    return _mm256_permute4x64_epi64(values, 0xff);
}

AVX2 static uint64_t first_of(__m256i values) {
    return (uint64_t)_mm_cvtsi128_si64(_mm256_castsi256_si128(values));
}

AVX2 static void line_avx2(uint64_t *values, eop_predictor *state, size_t n) {
    uint64_t step = state->step;
    size_t i = 0;
    __m256i at = _mm256_add_epi64(
        _mm256_set1_epi64x((long long)state->last),
        _mm256_setr_epi64x(0, (long long)step, (long long)(2 * step), (long long)(3 * step)));
    __m256i on = _mm256_set1_epi64x((long long)(4 * step));
    for (; i + 4 <= n; i += 4) {
        store4(values + i, _mm256_add_epi64(at, unzigzag4(load4(values + i))));
        at = _mm256_add_epi64(at, on);
    }
    state->last = first_of(at);
    line_from(values, state, i, n);
}

AVX2 static void delta_avx2(uint64_t *values, eop_predictor *state, size_t n) {
    size_t i = 0;
    __m256i last = _mm256_set1_epi64x((long long)state->last);
    __m256i step = _mm256_set1_epi64x((long long)state->step);
    for (; i + 4 <= n; i += 4) {
        __m256i sums = sums4(_mm256_add_epi64(unzigzag4(load4(values + i)), step));
        store4(values + i, _mm256_add_epi64(last, sums));
        last = _mm256_add_epi64(last, last4(sums));
    }
    state->last = first_of(last);
    delta_from(values, state, i, n);
}

AVX2 static void bend_avx2(uint64_t *values, eop_predictor *state, size_t n) {
    size_t i = 0;
    __m256i last = _mm256_set1_epi64x((long long)state->last);
    __m256i step = _mm256_set1_epi64x((long long)state->step);
    for (; i + 4 <= n; i += 4) {
        __m256i steps = sums4(unzigzag4(load4(values + i)));
        __m256i sums = sums4(_mm256_add_epi64(step, steps));
        step = _mm256_add_epi64(step, last4(steps));
        store4(values + i, _mm256_add_epi64(last, sums));
        last = _mm256_add_epi64(last, last4(sums));
    }
    state->last = first_of(last);
    state->step = first_of(step);
    bend_from(values, state, i, n);
}

/* AVX2 cannot multiply 64 bits: three products of 32 bits make the low half. */
AVX2 static void scale_avx2(uint64_t *values, uint64_t first, uint64_t divisor, size_t n) {
    size_t i = 0;
    __m256i base = _mm256_set1_epi64x((long long)first);
    __m256i low = _mm256_set1_epi64x((long long)divisor);
    __m256i high = _mm256_srli_epi64(low, 32);
    for (; i + 4 <= n; i += 4) {
        __m256i v = load4(values + i);
        __m256i cross = _mm256_add_epi64(_mm256_mul_epu32(v, high),
                                         _mm256_mul_epu32(_mm256_srli_epi64(v, 32), low));
        __m256i product = _mm256_add_epi64(_mm256_mul_epu32(v, low), _mm256_slli_epi64(cross, 32));
        store4(values + i, _mm256_add_epi64(base, product));
    }
    scale_from(values, first, divisor, i, n);
}

AVX2 static __m256d quotients4(const uint64_t *values, __m256d power) {
    __m256i shifted = _mm256_add_epi64(load4(values), _mm256_set1_epi64x((long long)magic_bits));
    return _mm256_div_pd(_mm256_sub_pd(_mm256_castsi256_pd(shifted), _mm256_set1_pd(magic)), power);
}

AVX2 static void to_double_avx2(double *out, const uint64_t *values, eop_decimal decimal,
                                size_t n) {
    __m256d power = _mm256_set1_pd(eop_powers_of_ten[decimal.exponent]);
    size_t i = 0;
    if (decimal.narrow) {
        for (; i + 4 <= n; i += 4) {
            _mm256_storeu_pd(out + i,
                             _mm256_cvtps_pd(_mm256_cvtpd_ps(quotients4(values + i, power))));
        }
    }
    for (; i + 4 <= n; i += 4) {
        _mm256_storeu_pd(out + i, quotients4(values + i, power));
    }
    to_double_from(out, values, decimal, i, n);
}

AVX2 static void to_float_avx2(float *out, const uint64_t *values, eop_decimal decimal, size_t n) {
    __m256d power = _mm256_set1_pd(eop_powers_of_ten[decimal.exponent]);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        _mm_storeu_ps(out + i, _mm256_cvtpd_ps(quotients4(values + i, power)));
    }
    to_float_from(out, values, decimal, i, n);
}

AVX2 static size_t from_double_avx2(uint64_t *values, uint8_t *odd, const double *in,
                                    eop_decimal decimal, size_t n) {
    __m256d power = _mm256_set1_pd(eop_powers_of_ten[decimal.exponent]);
    __m256d add = _mm256_set1_pd(magic);
    __m256d bound = _mm256_set1_pd((double)EOP_PACK_WHOLE);
    __m256d sign = _mm256_set1_pd(-0.0);
    size_t i = 0;
    size_t count = 0;
    for (; i + 4 <= n; i += 4) {
        __m256d value = _mm256_loadu_pd(in + i);
        __m256d scaled = _mm256_mul_pd(value, power);
        __m256d shifted = _mm256_add_pd(scaled, add);
        __m256d back = _mm256_div_pd(_mm256_sub_pd(shifted, add), power);
        if (decimal.narrow) {
            back = _mm256_cvtps_pd(_mm256_cvtpd_ps(back));
        }
        __m256i same = _mm256_cmpeq_epi64(_mm256_castpd_si256(back), _mm256_castpd_si256(value));
        __m256d in_range = _mm256_cmp_pd(_mm256_andnot_pd(sign, scaled), bound, _CMP_LT_OQ);
        __m256i good = _mm256_and_si256(same, _mm256_castpd_si256(in_range));
        __m256i whole = _mm256_sub_epi64(_mm256_castpd_si256(shifted),
                                         _mm256_set1_epi64x((long long)magic_bits));
        unsigned bad = ~(unsigned)_mm256_movemask_pd(_mm256_castsi256_pd(good)) & 15u;
        store4(values + i, _mm256_and_si256(whole, good));
        /* Bit k to byte k. */
        uint32_t flags = _pdep_u32(bad, 0x01010101u);
        memcpy(odd + i, &flags, sizeof flags);
        count += (unsigned)__builtin_popcount(bad);
    }
    return count + from_double_from(values, odd, in, decimal, i, n);
}

AVX2 static __m256i zigzag4(__m256i values) {
    __m256i sign = _mm256_cmpgt_epi64(_mm256_setzero_si256(), values);
    return _mm256_xor_si256(_mm256_slli_epi64(values, 1), sign);
}

AVX2 static void residuals_avx2(uint64_t *out, const uint64_t *values, unsigned predictor,
                                eop_predictor state, size_t n) {
    size_t i = 0;
    uint64_t step = state.step;
    __m256i at = _mm256_set1_epi64x((long long)step);
    if (predictor == EOP_PACK_LINE) {
        __m256i on = _mm256_set1_epi64x((long long)(4 * step));
        at = _mm256_add_epi64(
            _mm256_set1_epi64x((long long)state.last),
            _mm256_setr_epi64x(0, (long long)step, (long long)(2 * step), (long long)(3 * step)));
        for (; i + 4 <= n; i += 4) {
            store4(out + i, zigzag4(_mm256_sub_epi64(load4(values + i), at)));
            at = _mm256_add_epi64(at, on);
        }
    }
    for (; predictor == EOP_PACK_DELTA && i + 4 <= n; i += 4) {
        __m256i delta = _mm256_sub_epi64(load4(values + i), load4(values + i - 1));
        store4(out + i, zigzag4(_mm256_sub_epi64(delta, at)));
    }
    for (; predictor == EOP_PACK_BEND && i + 4 <= n; i += 4) {
        __m256i before = load4(values + i - 1);
        __m256i delta = _mm256_sub_epi64(load4(values + i), before);
        store4(out + i,
               zigzag4(_mm256_sub_epi64(delta, _mm256_sub_epi64(before, load4(values + i - 2)))));
    }
    residuals_from(out, values, predictor, state, i, n);
}

/* By the exponent of the value as a double. Of a value that has more than 52 bits, without its low
 * 32. */
AVX2 static void lengths_avx2(uint8_t *out, const uint64_t *values, size_t n) {
    __m256i fraction = _mm256_set1_epi64x(0x4330000000000000); /* 2^52 */
    __m256i evens = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256i v = load4(values + i);
        __m256i small = _mm256_cmpeq_epi64(_mm256_srli_epi64(v, 52), _mm256_setzero_si256());
        __m256i w = _mm256_blendv_epi8(_mm256_srli_epi64(v, 32), v, small);
        __m256d number = _mm256_sub_pd(_mm256_castsi256_pd(_mm256_or_si256(w, fraction)),
                                       _mm256_castsi256_pd(fraction));
        __m256i exponent = _mm256_srli_epi64(_mm256_castpd_si256(number), 52);
        __m256i less = _mm256_add_epi32(_mm256_set1_epi32(1022 - 32),
                                        _mm256_and_si256(small, _mm256_set1_epi32(32)));
        __m256i bits = _mm256_permutevar8x32_epi32(_mm256_sub_epi32(exponent, less), evens);
        __m128i low = _mm_max_epi32(_mm256_castsi256_si128(bits), _mm_setzero_si128());
        low = _mm_packs_epi32(low, low);
        uint32_t four = (uint32_t)_mm_cvtsi128_si32(_mm_packus_epi16(low, low));
        memcpy(out + i, &four, sizeof four);
    }
    lengths_from(out, values, i, n);
}

AVX2 static void symbols_avx2(uint8_t *out, eop_code_stream streams[EOP_PACK_STREAMS],
                              const uint16_t *table, unsigned bits, size_t n) {
    symbols_body(out, streams, table, bits, n);
}

static const eop_kernels kernels_avx2 = {
    .unpack = unpack_avx2,
    .join = join_avx2,
    .line = line_avx2,
    .delta = delta_avx2,
    .bend = bend_avx2,
    .scale = scale_avx2,
    .to_double = to_double_avx2,
    .to_float = to_float_avx2,
    .from_double = from_double_avx2,
    .residuals = residuals_avx2,
    .lengths = lengths_avx2,
    .symbols = symbols_avx2,
};
#endif

const eop_kernels *eop_kernels_best(void) {
#if defined(HAVE_AVX2)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi2")) {
        return &kernels_avx2;
    }
#endif
    return &eop_kernels_plain;
}
