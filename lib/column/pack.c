/* SPDX-License-Identifier: Apache-2.0 */
/* Packs integers: takes out a common divisor, chooses the predictor whose residuals cost least, and
 * writes the residuals as blocks or as codes. pack.h has the format; unpack.c reads it. */
#include "column/pack.h"

#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/memory.h"

enum { WINDOWS = 4, WINDOW = 128, SAMPLES = 33, CODED_BITS = 6, CODED_MAX = 1 << CODED_BITS };

void eop_put_varint(eop_buf *buf, uint64_t value) {
    char bytes[10];
    size_t n = 0;
    while (value >= 0x80) {
        bytes[n++] = (char)(value | 0x80);
        value >>= 7;
    }
    bytes[n++] = (char)value;
    eop_buf_put(buf, bytes, n);
}

static void put_byte(eop_buf *buf, unsigned value) {
    char byte = (char)value;
    eop_buf_put(buf, &byte, 1);
}

void eop_put_bits(eop_buf *buf, const uint64_t *values, unsigned width, size_t n) {
    size_t size = eop_bits_size(n, width);
    char *out = width > 0 ? eop_buf_reserve(buf, size + 8) : NULL;
    uint64_t mask = width > 0 ? UINT64_MAX >> (64 - width) : 0;
    uint64_t bits = 0;
    unsigned held = 0;
    if (out == NULL) {
        return;
    }
    buf->size += size;
    for (size_t i = 0; i < n; i++) {
        uint64_t value = values[i] & mask;
        bits |= value << held;
        held += width;
        if (held >= 64) {
            memcpy(out, &bits, sizeof bits);
            out += sizeof bits;
            held -= 64;
            bits = held > 0 ? value >> (width - held) : 0;
        }
    }
    memcpy(out, &bits, sizeof bits);
}

/* -- a common divisor -- */

static uint64_t magnitude_of(uint64_t value) {
    return value >> 63 != 0 ? 0 - value : value;
}

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b != 0) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Dividing without a remainder is multiplying by the inverse modulo 2^64 (Warren, "Hacker's
 * Delight", 10-17). */
typedef struct exact {
    unsigned twos;
    uint64_t inverse; /* of the divisor's odd part */
    uint64_t bound;
} exact;

static exact make_exact(uint64_t divisor) {
    exact e = {.twos = (unsigned)__builtin_ctzll(divisor)};
    uint64_t odd = divisor >> e.twos;
    e.inverse = odd; /* correct in 3 bits; each step doubles that */
    for (int k = 0; k < 5; k++) {
        e.inverse *= 2 - odd * e.inverse;
    }
    e.bound = (uint64_t)INT64_MAX / odd;
    return e;
}

EOP_INLINE uint64_t quotient(uint64_t value, const exact *e) {
    return (uint64_t)((int64_t)value >> e->twos) * e->inverse;
}

/* The greatest common divisor of all differences from the first value; 1 when all are 0. */
static uint64_t find_divisor(const uint64_t *values, size_t n) {
    uint64_t divisor = 0;
    size_t stride = n > 16 ? n / 16 : 1;
    for (size_t i = stride; i < n && divisor != 1; i += stride) {
        divisor = common_divisor(divisor, magnitude_of(values[i] - values[0]));
    }
    if (divisor == 1) {
        return 1;
    }
    exact e = {0};
    uint64_t known = 0;
    for (size_t i = 1; i < n; i++) {
        uint64_t value = values[i] - values[0];
        if (divisor == 0 || known != divisor) {
            divisor = common_divisor(divisor, magnitude_of(value));
            if (divisor == 0) {
                continue;
            }
            if (divisor == 1) {
                return 1;
            }
            e = make_exact(divisor);
            known = divisor;
        }
        if ((value & (((uint64_t)1 << e.twos) - 1)) != 0 ||
            quotient(value, &e) + e.bound > 2 * e.bound) {
            divisor = common_divisor(divisor, magnitude_of(value));
            i -= divisor != known;
        }
    }
    return divisor > 1 ? divisor : 1;
}

static void divide_values(uint64_t *values, size_t n, uint64_t divisor) {
    exact e = make_exact(divisor);
    uint64_t first = values[0];
    for (size_t i = 0; i < n; i++) {
        values[i] = quotient(values[i] - first, &e);
    }
}

/* -- the predictor -- */

typedef struct plan {
    unsigned predictor;
    uint64_t base;
    uint64_t step;
} plan;

/* Cost of a block in bits at its best width. hist: number of residuals by significant bits. */
static size_t block_cost(unsigned *width, const uint16_t hist[65], size_t n) {
    unsigned most = 64;
    while (most > 0 && hist[most] == 0) {
        most--;
    }
    size_t best = n * most;
    size_t above = 0;
    *width = most;
    for (unsigned w = most; w-- > 0;) {
        above += hist[w + 1];
        size_t cost = n * w + 16 + above * (8 + most - w);
        if (cost < best) {
            best = cost;
            *width = w;
        }
        if (above * 8 > best) {
            break;
        }
    }
    return best;
}

/* Four counters for each length: incrementing one counter twice in a row would stall. */
static void count_lengths(uint16_t hist[65], const uint8_t *lengths, size_t n) {
    uint16_t some[4][65] = {{0}};
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        some[0][lengths[i]]++;
        some[1][lengths[i + 1]]++;
        some[2][lengths[i + 2]]++;
        some[3][lengths[i + 3]]++;
    }
    for (; i < n; i++) {
        some[0][lengths[i]]++;
    }
    for (size_t k = 0; k < 65; k++) {
        hist[k] = (uint16_t)(some[0][k] + some[1][k] + some[2][k] + some[3][k]);
    }
}

/* Residuals of values[from..]. The first values of a delta or a bend have no predecessor: their
 * residual is 0. */
static void find_residuals(uint64_t *out, const uint64_t *values, size_t from, size_t n,
                           const plan *p, const eop_kernels *kernels) {
    eop_predictor state = {p->base + p->step * from, p->step};
    /* Predictor N looks N values back. */
    size_t skip = p->predictor > from ? p->predictor - from : 0;
    skip = skip < n ? skip : n;
    memset(out, 0, skip * sizeof *out);
    kernels->residuals(out + skip, values + from + skip, p->predictor, state, n - skip);
}

/* Estimates the cost of a plan from a few windows of the values. */
static size_t plan_cost(const uint64_t *values, size_t n, const plan *p,
                        const eop_kernels *kernels) {
    uint64_t window[WINDOW];
    uint8_t lengths[WINDOW];
    uint16_t hist[65];
    size_t windows = n < (size_t)WINDOWS * WINDOW ? (n + WINDOW - 1) / WINDOW : WINDOWS;
    size_t cost = 0;
    for (size_t k = 0; k < windows; k++) {
        unsigned width;
        size_t from = n / windows * k;
        size_t m = n - from < WINDOW ? n - from : WINDOW;
        find_residuals(window, values, from, m, p, kernels);
        kernels->lengths(lengths, window, m);
        count_lengths(hist, lengths, m);
        cost += block_cost(&width, hist, m);
    }
    return cost;
}

static int by_value(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Median of some values (back = 1: of some steps): a base that outliers do not move. */
static uint64_t median_value(const uint64_t *values, size_t n, size_t back) {
    int64_t some[SAMPLES];
    size_t count = 0;
    size_t stride = n > SAMPLES ? n / SAMPLES : 1;
    for (size_t i = back; i < n && count < SAMPLES; i += stride) {
        some[count++] = (int64_t)(values[i] - (back > 0 ? values[i - 1] : 0));
    }
    qsort(some, count, sizeof *some, by_value);
    return (uint64_t)some[count / 2];
}

/* The middle between the least and the greatest residual, with room for one more below it than
 * above, as zigzag has. For evenly spread values it is a better base than the median. */
static uint64_t centre_of_residuals(const uint64_t *residuals, size_t n) {
    uint64_t most = 0;  /* zigzag of the greatest non-negative residual */
    uint64_t least = 0; /* zigzag of the least negative residual */
    for (size_t i = 0; i < n; i++) {
        uint64_t positive = residuals[i] & ((residuals[i] & 1) - 1);
        uint64_t negative = residuals[i] & (0 - (residuals[i] & 1));
        most = positive > most ? positive : most;
        least = negative > least ? negative : least;
    }
    uint64_t below = (least >> 1) + (least & 1);
    uint64_t range = (most >> 1) + below;
    return range / 2 + (range & 1) - below;
}

static plan choose_plan(const uint64_t *values, size_t n, const eop_kernels *kernels) {
    plan best = {.predictor = EOP_PACK_LINE, .base = values[0]};
    if (n == 1) {
        return best;
    }
    plan line = {.predictor = EOP_PACK_LINE,
                 .base = values[0],
                 .step = (uint64_t)((int64_t)(values[n - 1] - values[0]) / (int64_t)(n - 1))};
    plan delta = {.predictor = EOP_PACK_DELTA, .step = median_value(values, n, 1)};
    plan bend = {.predictor = EOP_PACK_BEND, .step = values[1] - values[0]};
    best.base = median_value(values, n, 0);
    const plan *others[] = {&line, &delta, &bend};
    size_t cost = plan_cost(values, n, &best, kernels);
    for (size_t k = 0; k < EOP_COUNT(others) && cost > 0; k++) {
        size_t other = plan_cost(values, n, others[k], kernels);
        if (other < cost) {
            cost = other;
            best = *others[k];
        }
    }
    if (best.predictor != EOP_PACK_LINE) {
        best.base = values[0] - best.step;
    }
    return best;
}

/* Chooses the plan and writes its residuals. */
static plan predict_values(uint64_t *residuals, const uint64_t *values, size_t n,
                           const eop_kernels *kernels) {
    plan best = choose_plan(values, n, kernels);
    find_residuals(residuals, values, 0, n, &best, kernels);
    uint64_t shift = best.predictor != EOP_PACK_BEND ? centre_of_residuals(residuals, n) : 0;
    if (shift != 0) {
        plan even = best;
        even.base += even.predictor == EOP_PACK_LINE ? shift : 0 - shift;
        even.step += even.predictor == EOP_PACK_DELTA ? shift : 0;
        if (plan_cost(values, n, &even, kernels) <= plan_cost(values, n, &best, kernels)) {
            best = even;
            find_residuals(residuals, values, 0, n, &best, kernels);
        }
    }
    return best;
}

/* -- packing: blocks -- */

static void put_block(eop_buf *buf, const uint64_t *values, const uint8_t *lengths, size_t n,
                      unsigned width) {
    uint64_t high[EOP_PACK_TILE];
    char places[EOP_PACK_TILE];
    unsigned most = 0;
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (lengths[i] > width) {
            high[count] = values[i] >> width;
            places[count++] = (char)i;
            most = lengths[i] > most ? lengths[i] : most;
        }
    }
    put_byte(buf, width | (count > 0 ? EOP_PACK_PATCHED : 0));
    eop_put_bits(buf, values, width, n);
    if (count > 0) {
        put_byte(buf, (unsigned)count - 1);
        put_byte(buf, most - width);
        eop_buf_put(buf, places, count);
        eop_put_bits(buf, high, most - width, count);
    }
}

/* -- packing: codes -- */

typedef struct coding {
    unsigned shift;
    unsigned most; /* significant bits of the greatest value */
    size_t patches;
    size_t symbols;
    uint8_t lengths[CODED_MAX];
} coding;

static void count_symbols(uint32_t counts[CODED_MAX], const uint64_t *values, unsigned shift,
                          size_t n) {
    uint32_t some[4][CODED_MAX] = {{0}};
    for (size_t i = 0; i < n; i++) {
        uint64_t symbol = values[i] >> shift;
        some[i % 4][symbol < CODED_MAX ? symbol : 0]++;
    }
    for (size_t k = 0; k < CODED_MAX; k++) {
        counts[k] = some[0][k] + some[1][k] + some[2][k] + some[3][k];
    }
}

/* Returns the cost in bits; SIZE_MAX when codes do not apply. hist: number of values by significant
 * bits. */
static size_t choose_coding(coding *c, const uint64_t *values, size_t n, const uint32_t hist[65]) {
    uint32_t counts[CODED_MAX];
    unsigned most = 64;
    while (hist[most] == 0) {
        most--;
    }
    unsigned width = most;
    size_t above = 0;
    while (width > CODED_BITS && above + hist[width] <= n / 256) {
        above += hist[width--];
    }
    c->most = most;
    c->shift = width > CODED_BITS ? width - CODED_BITS : 0;
    c->symbols = 0;
    if (c->shift > 56) {
        return SIZE_MAX;
    }
    count_symbols(counts, values, c->shift, n);
    for (size_t i = 0; i < CODED_MAX; i++) {
        c->symbols = counts[i] > 0 ? i + 1 : c->symbols;
    }
    c->patches = above;
    size_t bits = eop_code_lengths(c->lengths, counts, c->symbols);
    if (bits == 0) {
        return SIZE_MAX;
    }
    return bits + n * c->shift + above * (16 + most - c->shift) + c->symbols * 4 + 12 * 8;
}

static void put_coded(eop_buf *buf, const uint64_t *values, size_t n, const coding *c) {
    put_byte(buf, c->shift);
    put_byte(buf, (unsigned)c->symbols - 1);
    for (size_t i = 0; i < c->symbols; i += 2) {
        unsigned next = i + 1 < c->symbols ? c->lengths[i + 1] : 0;
        put_byte(buf, c->lengths[i] | next << 4);
    }
    eop_code_put(buf, values, c->shift, n, c->lengths, c->symbols);
    eop_put_varint(buf, c->patches);
    if (c->patches > 0) {
        uint64_t high[EOP_PACK_MAX / 256];
        size_t count = 0;
        put_byte(buf, c->most - c->shift);
        for (size_t i = 0; i < n; i++) {
            if (values[i] >> c->shift >= CODED_MAX) {
                uint16_t place = (uint16_t)i;
                eop_buf_put(buf, &place, sizeof place);
                high[count++] = values[i] >> c->shift;
            }
        }
        eop_put_bits(buf, high, c->most - c->shift, count);
    }
    eop_put_bits(buf, values, c->shift, n);
}

/* -- all together -- */

static void put_residuals(eop_buf *buf, size_t form_at, const uint64_t *values, size_t n,
                          size_t saving, const eop_kernels *kernels) {
    uint8_t lengths[EOP_PACK_MAX];
    uint8_t widths[EOP_PACK_MAX / EOP_PACK_TILE];
    uint32_t total[65] = {0};
    size_t cost = 0;
    kernels->lengths(lengths, values, n);
    for (size_t at = 0; at < n; at += EOP_PACK_TILE) {
        uint16_t hist[65];
        unsigned width;
        size_t m = n - at < EOP_PACK_TILE ? n - at : EOP_PACK_TILE;
        count_lengths(hist, lengths + at, m);
        cost += 8 + block_cost(&width, hist, m);
        widths[at / EOP_PACK_TILE] = (uint8_t)width;
        for (size_t k = 0; k < 65; k++) {
            total[k] += hist[k];
        }
    }
    unsigned packing = EOP_PACK_BLOCKS;
    coding c;
    if (total[0] == n) {
        packing = EOP_PACK_NOTHING;
    } else if (cost > n && saving > EOP_SAVING_NONE) {
        /* Below n bits codes cannot win: each takes at least one bit. */
        size_t coded = choose_coding(&c, values, n, total);
        packing = coded < cost - cost / saving ? EOP_PACK_CODES : EOP_PACK_BLOCKS;
    }
    if (packing == EOP_PACK_CODES) {
        put_coded(buf, values, n, &c);
    } else if (packing == EOP_PACK_BLOCKS) {
        for (size_t at = 0; at < n; at += EOP_PACK_TILE) {
            size_t m = n - at < EOP_PACK_TILE ? n - at : EOP_PACK_TILE;
            put_block(buf, values + at, lengths + at, m, widths[at / EOP_PACK_TILE]);
        }
    }
    if (!buf->failed) {
        buf->data[form_at] =
            (char)((unsigned char)buf->data[form_at] | packing << EOP_PACK_PACKING_SHIFT);
    }
}

void eop_pack(eop_buf *buf, uint64_t *values, size_t n, size_t saving) {
    /* Not on the stack: a host's threads may have small ones. */
    uint64_t *residuals = eop_alloc(n * sizeof *residuals);
    const eop_kernels *kernels = eop_kernels_best();
    size_t form_at = buf->size;
    uint64_t first = values[0];
    if (residuals == NULL) {
        buf->failed = true;
        return;
    }
    uint64_t divisor = find_divisor(values, n);
    if (divisor > 1) {
        divide_values(values, n, divisor);
    }
    plan p = predict_values(residuals, values, n, kernels);
    put_byte(buf, p.predictor | (divisor > 1 ? EOP_PACK_DIVIDED : 0));
    if (divisor > 1) {
        eop_put_varint(buf, eop_zigzag(first));
        eop_put_varint(buf, divisor);
    }
    eop_put_varint(buf, eop_zigzag(p.base));
    eop_put_varint(buf, eop_zigzag(p.step));
    put_residuals(buf, form_at, residuals, n, saving, kernels);
    eop_free(residuals);
}
