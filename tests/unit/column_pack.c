/* SPDX-License-Identifier: Apache-2.0 */
/* Packed integers come back for all patterns of values, with plain and AVX2 kernels alike, and
 * damaged data is refused. */
#include <math.h>

#include "column/pack.h"
#include "value_fixture.h"

enum { PATTERNS = 12 };

static void draw(uint64_t *values, dice *d, size_t n, unsigned pattern) {
    uint64_t walk = roll(d) >> below(d, 64);
    uint64_t step = roll(d) >> below(d, 64);
    unsigned bits = (unsigned)below(d, 65);
    for (size_t i = 0; i < n; i++) {
        uint64_t random = bits > 0 ? roll(d) >> (64 - bits) : 0;
        switch (pattern) {
        case 0: /* regular */
            values[i] = walk += step;
            break;
        case 1: /* evenly spread */
            values[i] = random;
            break;
        case 2: /* walk */
            values[i] = walk += random - step % 7;
            break;
        case 3: /* few outliers */
            values[i] = below(d, 60) == 0 ? roll(d) : below(d, 9);
            break;
        case 4: /* times in whole milliseconds */
            values[i] = walk += 1000000 * (below(d, 201) + 900);
            break;
        case 5: /* bell */
            values[i] = walk += below(d, 8) + below(d, 8) + below(d, 8) - 10;
            break;
        case 6: /* stairs */
            values[i] = walk + i / 100 * step;
            break;
        case 7: /* bend */
            values[i] = walk += step += below(d, 3);
            break;
        case 8: /* ends of the range */
            values[i] = below(d, 2) == 0 ? (uint64_t)INT64_MIN : (uint64_t)INT64_MAX;
            break;
        case 9: /* a common divisor with outliers */
            values[i] = walk + (step | 1) * below(d, 50) + (below(d, 900) == 0);
            break;
        case 10: /* bell with a wide foot */
            values[i] = walk += (below(d, 8) + below(d, 8) + below(d, 8)) << below(d, 9);
            break;
        default:
            values[i] = roll(d) >> below(d, 64);
            break;
        }
    }
}

static void check(const eop_buf *buf, const uint64_t *values, size_t n, size_t need,
                  const eop_kernels *kernels, bool skip) {
    uint64_t tile[EOP_PACK_TILE];
    eop_unpack unpack;
    /* An allocation of the very size, so that a sanitizer sees a read past its end. */
    char *data = malloc(buf->size);
    memcpy(data, buf->data, buf->size);
    cr_assert(eop_unpack_open(&unpack, data, buf->size, n, need));
    unpack.kernels = kernels;
    for (size_t at = 0; at < need; at += EOP_PACK_TILE) {
        size_t m = n - at < EOP_PACK_TILE ? n - at : EOP_PACK_TILE;
        if (skip && at / EOP_PACK_TILE % 2 == 0) {
            cr_assert(eop_unpack_skip(&unpack));
            continue;
        }
        cr_assert(eop_unpack_next(&unpack, tile));
        m = m < need - at ? m : need - at;
        cr_assert_arr_eq(tile, values + at, m * sizeof *tile);
    }
    free(data);
}

Test(column_pack, integers_come_back_with_any_kernels) {
    dice d = {17};
    uint64_t values[EOP_PACK_MAX];
    uint64_t work[EOP_PACK_MAX];
    for (int round = 0; round < 4000; round++) {
        eop_buf buf = {0};
        size_t n = 1 + below(&d, round % 4 == 0 ? EOP_PACK_MAX : 700);
        draw(values, &d, n, (unsigned)round % PATTERNS);
        memcpy(work, values, sizeof work);
        eop_pack(&buf, work, n, round % 2 == 0 ? EOP_SAVING_FAST : EOP_SAVING_SMALL);
        check(&buf, values, n, n, eop_kernels_best(), false);
        check(&buf, values, n, n, &eop_kernels_plain, false);
        check(&buf, values, n, 1 + below(&d, n), eop_kernels_best(), true);
        eop_buf_dispose(&buf);
    }
}

Test(column_pack, every_width_is_packed) {
    dice d = {18};
    uint64_t values[300];
    uint64_t back[300];
    for (unsigned width = 0; width <= 64; width++) {
        for (size_t n = 1; n <= 300; n += 1 + below(&d, 40)) {
            eop_buf buf = {0};
            for (size_t i = 0; i < n; i++) {
                values[i] = width > 0 ? roll(&d) >> (64 - width) : 0;
            }
            eop_put_bits(&buf, values, width, n);
            cr_assert_eq(buf.size, eop_bits_size(n, width));
            uint8_t *data = malloc(buf.size + 1);
            if (buf.size > 0) {
                memcpy(data, buf.data, buf.size);
            }
            const eop_kernels *both[] = {&eop_kernels_plain, eop_kernels_best()};
            for (int k = 0; k < 2; k++) {
                both[k]->unpack(back, data, data + buf.size, width, n);
                cr_assert_arr_eq(back, values, n * sizeof *back);
            }
            free(data);
            eop_buf_dispose(&buf);
        }
    }
}

/* Any bits, also those that no writer makes. */
Test(column_pack, kernels_give_the_same_bits) {
    dice d = {19};
    const eop_kernels *best = eop_kernels_best();
    const eop_kernels *plain = &eop_kernels_plain;
    for (int round = 0; round < 3000; round++) {
        uint64_t in[EOP_PACK_TILE];
        uint64_t a[EOP_PACK_TILE];
        uint64_t b[EOP_PACK_TILE];
        uint8_t small[2][EOP_PACK_TILE];
        float narrow[2][EOP_PACK_TILE];
        double wide[2][EOP_PACK_TILE];
        size_t n = below(&d, EOP_PACK_TILE + 1);
        unsigned shift = (unsigned)below(&d, 64);
        eop_decimal decimal = {(uint8_t)below(&d, 16), below(&d, 2) == 0};
        eop_predictor states[2] = {{roll(&d), roll(&d)}};
        void (*const loops[2][3])(uint64_t *, eop_predictor *, size_t) = {
            {plain->line, plain->delta, plain->bend}, {best->line, best->delta, best->bend}};
        for (size_t i = 0; i < n; i++) {
            in[i] = roll(&d) >> shift;
        }
        for (int k = 0; k < 3; k++) {
            states[1] = states[0];
            memcpy(a, in, sizeof a);
            memcpy(b, in, sizeof b);
            loops[0][k](a, &states[0], n);
            loops[1][k](b, &states[1], n);
            cr_assert_arr_eq(a, b, n * sizeof *a);
            cr_assert(states[0].last == states[1].last && states[0].step == states[1].step);
        }
        plain->scale(a, in[0], roll(&d), n);
        memcpy(a, in, sizeof a);
        memcpy(b, in, sizeof b);
        plain->scale(a, states[0].last, states[0].step, n);
        best->scale(b, states[0].last, states[0].step, n);
        cr_assert_arr_eq(a, b, n * sizeof *a);
        plain->lengths(small[0], in, n);
        best->lengths(small[1], in, n);
        cr_assert_arr_eq(small[0], small[1], n);
        plain->join(a, small[0], shift, n);
        best->join(b, small[0], shift, n);
        cr_assert_arr_eq(a, b, n * sizeof *a);
        plain->to_double(wide[0], in, decimal, n);
        best->to_double(wide[1], in, decimal, n);
        cr_assert_arr_eq(wide[0], wide[1], n * sizeof(double));
        plain->to_float(narrow[0], in, decimal, n);
        best->to_float(narrow[1], in, decimal, n);
        cr_assert_arr_eq(narrow[0], narrow[1], n * sizeof(float));
        if (round % 2 == 0) {
            memcpy(wide[0], in, sizeof in);
        }
        cr_assert_eq(plain->from_double(a, small[0], wide[0], decimal, n),
                     best->from_double(b, small[1], wide[0], decimal, n));
        cr_assert_arr_eq(a, b, n * sizeof *a);
        cr_assert_arr_eq(small[0], small[1], n);
    }
}

/* Damage is told or gives some integers; it never reads what is not there. */
Test(column_pack, decoder_survives_damage) {
    dice d = {20};
    uint64_t values[1000];
    for (int round = 0; round < 20000; round++) {
        eop_buf buf = {0};
        eop_unpack unpack;
        uint64_t tile[EOP_PACK_TILE];
        size_t n = 1 + below(&d, 1000);
        draw(values, &d, n, (unsigned)round % PATTERNS);
        eop_pack(&buf, values, n, EOP_SAVING_SMALL);
        size_t size = below(&d, 3) == 0 ? 1 + below(&d, buf.size) : buf.size;
        char *data = malloc(size);
        memcpy(data, buf.data, size);
        for (uint64_t k = below(&d, 4); k > 0; k--) {
            data[below(&d, below(&d, 2) == 0 || size < 30 ? size : 30)] = (char)roll(&d);
        }
        if (eop_unpack_open(&unpack, data, size, n, n)) {
            for (size_t at = 0; at < n && eop_unpack_next(&unpack, tile); at += EOP_PACK_TILE) {
            }
        }
        free(data);
        eop_buf_dispose(&buf);
    }
}

Test(column_pack, codes_are_complete_and_limited) {
    dice d = {21};
    for (int round = 0; round < 3000; round++) {
        uint32_t counts[256];
        uint8_t lengths[256];
        uint16_t table[1u << EOP_PACK_CODE_BITS];
        size_t count = 1 + below(&d, 256);
        size_t there = 0;
        for (size_t i = 0; i < count; i++) {
            counts[i] = (uint32_t)(roll(&d) >> (32 + below(&d, 32)));
            there += counts[i] > 0;
        }
        if (round == 0) { /* Fibonacci numbers make the longest codes */
            count = 40;
            counts[0] = counts[1] = 1;
            for (size_t i = 2; i < 40; i++) {
                counts[i] = counts[i - 1] + counts[i - 2] > 1u << 20
                                ? 1u << 20
                                : counts[i - 1] + counts[i - 2];
            }
            there = 40;
        }
        size_t bits = eop_code_lengths(lengths, counts, count);
        cr_assert_eq(bits > 0, there >= 2);
        if (bits > 0) {
            cr_assert_neq(eop_code_table(table, lengths, count), 0);
        }
        for (size_t i = 0; bits > 0 && i < count; i++) {
            cr_assert_eq(lengths[i] > 0, counts[i] > 0);
        }
    }
}
