/* SPDX-License-Identifier: Apache-2.0 */
/* Canonical Huffman codes of limited length, for the packing "codes" of pack.h: chooses the
 * lengths, writes the streams, and makes the table that a decoder reads them by. */
#include <stdlib.h>
#include <string.h>

#include "column/pack.h"

/* Shorter codes are read faster: their table is small, and one refill holds more of them. Mostly
 * they cost hardly any more bits. */
enum { LONGEST = EOP_PACK_CODE_BITS, QUICK = EOP_PACK_QUICK_BITS, SYMBOLS = 256 };

/* Each integer holds the count of a symbol above the symbol itself. */
static int by_count(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* Turns ascending weights into code lengths, in place: Moffat and Katajainen, "In-place calculation
 * of minimum-redundancy codes", WADS 1995. n >= 2. */
static void minimum_redundancy(uint32_t *a, size_t n) {
    size_t root = 0;
    size_t leaf = 2;
    a[0] += a[1];
    for (size_t next = 1; next + 1 < n; next++) {
        if (leaf >= n || a[root] < a[leaf]) {
            a[next] = a[root];
            a[root++] = (uint32_t)next;
        } else {
            a[next] = a[leaf++];
        }
        if (leaf >= n || (root < next && a[root] < a[leaf])) {
            a[next] += a[root];
            a[root++] = (uint32_t)next;
        } else {
            a[next] += a[leaf++];
        }
    }
    a[n - 2] = 0;
    for (size_t next = n - 2; next-- > 0;) {
        a[next] = a[a[next]] + 1;
    }
    /* Turns the depths of inner nodes into those of leaves. */
    size_t inner = n - 1;
    size_t next = n;
    size_t open = 1;
    for (uint32_t depth = 0; open > 0; depth++) {
        size_t used = 0;
        while (inner > 0 && a[inner - 1] == depth) {
            used++;
            inner--;
        }
        while (open > used) {
            a[--next] = depth;
            open--;
        }
        open = 2 * used;
    }
}

/* Cuts lengths down to `longest` and lengthens shorter codes until the code is complete again. */
static void limit_lengths(size_t number[LONGEST + 1], const uint32_t *lengths, size_t n,
                          unsigned longest) {
    size_t total = 0;
    memset(number, 0, (LONGEST + 1) * sizeof *number);
    for (size_t i = 0; i < n; i++) {
        number[lengths[i] < longest ? lengths[i] : longest]++;
    }
    for (size_t length = 1; length <= longest; length++) {
        total += number[length] << (longest - length);
    }
    for (; total > (size_t)1 << longest; total--) {
        size_t length = longest - 1;
        while (number[length] == 0) {
            length--;
        }
        number[longest]--;
        number[length]--;
        number[length + 1] += 2;
    }
}

/* Returns the total bits of the coded values. sorted: symbols by count, ascending. */
static size_t set_lengths(uint8_t *lengths, const uint64_t *sorted, const size_t *number) {
    size_t bits = 0;
    size_t next = 0;
    for (size_t length = LONGEST; length > 0; length--) {
        for (size_t k = number[length]; k > 0; k--, next++) {
            lengths[sorted[next] & 0xff] = (uint8_t)length;
            bits += length * (size_t)(sorted[next] >> 8);
        }
    }
    return bits;
}

size_t eop_code_lengths(uint8_t *lengths, const uint32_t *counts, size_t count) {
    uint64_t sorted[SYMBOLS];
    uint32_t weights[SYMBOLS];
    size_t number[LONGEST + 1];
    size_t n = 0;
    memset(lengths, 0, count);
    for (size_t i = 0; i < count; i++) {
        if (counts[i] > 0) {
            sorted[n++] = (uint64_t)counts[i] << 8 | i;
        }
    }
    if (n < 2) {
        return 0;
    }
    qsort(sorted, n, sizeof *sorted, by_count);
    for (size_t i = 0; i < n; i++) {
        weights[i] = (uint32_t)(sorted[i] >> 8);
    }
    minimum_redundancy(weights, n);
    limit_lengths(number, weights, n, LONGEST);
    size_t bits = set_lengths(lengths, sorted, number);
    if (n <= (size_t)1 << QUICK) {
        limit_lengths(number, weights, n, QUICK);
        size_t quick = set_lengths(lengths, sorted, number);
        if (quick <= bits + bits / 64) {
            return quick;
        }
        limit_lengths(number, weights, n, LONGEST);
        set_lengths(lengths, sorted, number);
    }
    return bits;
}

typedef struct code {
    uint16_t bits;
    uint16_t length;
} code;

static void make_codes(code *codes, const uint8_t *lengths, size_t symbols) {
    unsigned at = 0;
    for (unsigned length = 1; length <= LONGEST; length++) {
        for (size_t i = 0; i < symbols; i++) {
            if (lengths[i] == length) {
                codes[i] = (code){(uint16_t)(at >> (LONGEST - length)), (uint16_t)length};
                at += 1u << (LONGEST - length);
            }
        }
    }
}

static char *put_stream(char *out, const uint64_t *values, unsigned shift, size_t n,
                        const code *codes, size_t symbols) {
    uint64_t bits = 0;
    unsigned held = 0;
    for (size_t i = 0; i < n; i += EOP_PACK_STREAMS) {
        uint64_t symbol = values[i] >> shift;
        code c = codes[symbol < symbols ? symbol : 0];
        bits = bits << c.length | c.bits;
        held += c.length;
        if (held >= 32) {
            held -= 32;
            uint32_t word = __builtin_bswap32((uint32_t)(bits >> held));
            memcpy(out, &word, sizeof word);
            out += sizeof word;
        }
    }
    while (held > 0) {
        unsigned take = held < 8 ? held : 8;
        held -= take;
        *out++ = (char)(bits >> held << (8 - take));
        bits &= ((uint64_t)1 << held) - 1;
    }
    return out;
}

void eop_code_put(eop_buf *buf, const uint64_t *values, unsigned shift, size_t n,
                  const uint8_t *lengths, size_t symbols) {
    code codes[SYMBOLS] = {{0, 0}};
    uint16_t sizes[EOP_PACK_STREAMS] = {0};
    make_codes(codes, lengths, symbols);
    char *start = eop_buf_reserve(buf, sizeof sizes + n * LONGEST / 8 + 8 * EOP_PACK_STREAMS);
    if (start == NULL) {
        return;
    }
    char *out = start + sizeof sizes;
    for (size_t k = 0; k < EOP_PACK_STREAMS && k < n; k++) {
        char *end = put_stream(out, values + k, shift, n - k, codes, symbols);
        sizes[k] = (uint16_t)(end - out);
        out = end;
    }
    memcpy(start, sizes, sizeof sizes);
    buf->size += (size_t)(out - start);
}

unsigned eop_code_table(uint16_t table[1u << EOP_PACK_CODE_BITS], const uint8_t *lengths,
                        size_t symbols) {
    unsigned bits = 0;
    unsigned at = 0;
    size_t total = 0;
    for (size_t i = 0; i < symbols; i++) {
        if (lengths[i] > LONGEST) {
            return 0;
        }
        bits = lengths[i] > bits ? lengths[i] : bits;
        total += lengths[i] > 0 ? (size_t)1 << (LONGEST - lengths[i]) : 0;
    }
    if (total != (size_t)1 << LONGEST) {
        return 0;
    }
    for (unsigned length = 1; length <= bits; length++) {
        for (size_t i = 0; i < symbols; i++) {
            if (lengths[i] == length) {
                uint16_t entry = (uint16_t)(i << 8 | length);
                for (unsigned end = at + (1u << (bits - length)); at < end; at++) {
                    table[at] = entry;
                }
            }
        }
    }
    return bits;
}
