/* SPDX-License-Identifier: Apache-2.0 */
/* Columns of all types as BLOBs: what is encoded comes back, damaged BLOBs are refused, and
 * statistics match the values. */
#include <math.h>
#include <stdio.h>

#include "base/hash.h"
#include "base/type.h"
#include "column/chunk.h"
#include "value_fixture.h"

static unsigned nulls_of_100 = 20;

static edgeops_value draw(dice *d, edgeops_type type) {
    static const char words[] = "the quick brown fox";
    static const uint64_t odd[] = {0x8000000000000000u, 0x7ff8000000000000u, 0xfff0000000000123u,
                                   0x7ff0000000000000u, 1};
    edgeops_value value = {.type = type};
    if (below(d, 100) < nulls_of_100) {
        return (edgeops_value){.type = EDGEOPS_TYPE_NULL};
    }
    switch (type) {
    case EDGEOPS_TYPE_FLOAT64:
        memcpy(&value.as.f64, &odd[below(d, 5)], 8);
        break;
    case EDGEOPS_TYPE_BOOL:
        value.as.i64 = (int64_t)below(d, 2);
        break;
    case EDGEOPS_TYPE_STRING:
        value.size = (uint32_t)below(d, sizeof words);
        value.as.str = words;
        break;
    default:
        value.as.i64 = (int64_t)roll(d);
        break;
    }
    return value;
}

static void fill(eop_vector *vector, edgeops_value *values, size_t n, dice *d) {
    for (size_t i = 0; i < n; i++) {
        values[i] = draw(d, vector->type);
        CHECK_OK(eop_vector_put(vector, &values[i]));
    }
}

Test(column_chunk, every_type_comes_back_bit_exact_in_any_slice) {
    dice d = {42};
    edgeops_value values[300];
    for (int round = 0; round < 1000; round++) {
        static const unsigned shares[] = {0, 1, 20, 90, 97, 100};
        nulls_of_100 = shares[round % 6];
        eop_vector vector = {.type = (edgeops_type)(1 + below(&d, 4))};
        eop_vector back = {.type = vector.type};
        eop_buf buf = {0};
        size_t n = 1 + below(&d, 300);
        fill(&vector, values, n, &d);
        eop_chunk_encode(&buf, &vector);
        size_t from = below(&d, n);
        size_t to = from + below(&d, n - from + 1);
        CHECK_OK(eop_chunk_decode(&back, buf.data, buf.size, n, from, to));
        CHECK_OK(eop_chunk_decode(&back, buf.data, buf.size, n, 0, n));
        for (size_t i = from; i < to; i++) {
            cr_assert(eop_vector_equals(&back, i - from, &values[i]));
        }
        for (size_t i = 0; i < n; i++) {
            cr_assert(eop_vector_equals(&back, to - from + i, &values[i]));
        }
        eop_buf_dispose(&buf);
        eop_vector_dispose(&vector);
        eop_vector_dispose(&back);
    }
}

static void reseal(char *blob, size_t size) {
    uint32_t crc = eop_crc32c(eop_crc32c(0, blob, 4), blob + 8, size - 8);
    memcpy(blob + 4, &crc, 4);
}

/* Columns of all types as they come from machines, and as they do not. */
typedef struct shape {
    edgeops_type type;
    uint32_t length;
    unsigned pattern;
    unsigned nulls; /* of 100 */
    unsigned codes; /* of 100 */
} shape;

enum { PATTERNS = 9 };

static double decimal_of(dice *d, int64_t *walk, unsigned pattern) {
    static const double odd[] = {-0.0, NAN, INFINITY, -INFINITY, 1e300, 5e-324, 0.1};
    double noise;
    uint64_t bits;
    switch (pattern) {
    case 0:
        return 20.25;
    case 1:
        return (double)(*walk += (int64_t)below(d, 9) - 4) / 100;
    case 2:
        *walk += (int64_t)below(d, 2001) - 1000;
        return below(d, 40) == 0 ? odd[below(d, 7)] : (double)*walk / 10000;
    case 3:
        bits = roll(d);
        memcpy(&noise, &bits, sizeof noise);
        return noise;
    case 4:
        return (double)(float)((double)(*walk += (int64_t)below(d, 9) - 4) / 10);
    case 5:
        return below(d, 4) * 0.1234567890123456789;
    case 6:
        return sin((double)(*walk)++ / 50);
    case 7:
        return (double)((*walk)++ % 100) * 0.25;
    default:
        return (double)roll(d) * 1e-10;
    }
}

static uint64_t whole_of(dice *d, int64_t *walk, unsigned pattern) {
    switch (pattern) {
    case 0:
        return 77;
    case 1:
        return (uint64_t)(*walk += (int64_t)below(d, 9) - 4);
    case 2:
        return (uint64_t)(*walk += 1000000 * ((int64_t)below(d, 21) + 990));
    case 3:
        return roll(d);
    case 4:
        return below(d, 100) == 0 ? roll(d) : below(d, 3);
    case 5:
        return below(d, 2) * UINT64_C(0xdeadbeefcafe);
    case 6:
        return (uint64_t)(*walk)++ / 37;
    case 7:
        return (uint64_t)((*walk)++ % 100) * 7;
    default:
        return roll(d) >> below(d, 64);
    }
}

static edgeops_value element(dice *d, int64_t *walk, const shape *s, char *room) {
    edgeops_value value = {.type = s->type};
    if (s->type == EDGEOPS_TYPE_STRING) {
        char text[32];
        value.size = (uint32_t)snprintf(text, sizeof text, s->pattern % 2 == 0 ? "state %u" : "%u",
                                        (unsigned)whole_of(d, walk, s->pattern));
        memcpy(room, text, value.size);
        value.as.str = room;
    } else if (s->type == EDGEOPS_TYPE_BLOB) {
        edgeops_blob blob = {.size = whole_of(d, walk, s->pattern)};
        memcpy(blob.digest, &blob.size, sizeof blob.size);
        memcpy(room, &blob, sizeof blob);
        value.size = sizeof blob;
        value.as.data = room;
    } else if (s->type == EDGEOPS_TYPE_FLOAT64) {
        value.as.f64 = decimal_of(d, walk, s->pattern);
    } else if (s->type == EDGEOPS_TYPE_FLOAT32) {
        uint32_t bits = (uint32_t)roll(d);
        value.as.f32 = (float)decimal_of(d, walk, s->pattern);
        if (s->pattern == 3) {
            memcpy(&value.as.f32, &bits, sizeof bits);
        }
    } else {
        value.as.u64 = whole_of(d, walk, s->pattern);
        if (s->type == EDGEOPS_TYPE_BOOL) {
            value.as.u64 &= 1;
        }
    }
    return value;
}

static eop_vector make_vector(dice *d, const shape *s, size_t n) {
    eop_vector vector = {.type = s->type, .length = s->length};
    size_t width = eop_vector_width(s->type);
    char *row = malloc(s->length * 64 + 128);
    int64_t walk = (int64_t)below(d, 100000);
    for (size_t i = 0; i < n; i++) {
        edgeops_value value = {.type = EDGEOPS_TYPE_NULL};
        if (below(d, 100) >= s->nulls) {
            value = element(d, &walk, s, row);
        }
        if (value.type != EDGEOPS_TYPE_NULL && s->length > 1) {
            for (size_t k = 0; k < s->length; k++) {
                char unused[128];
                edgeops_value one = element(d, &walk, s, unused);
                eop_value_save(row + k * width, &one);
            }
            value.size = (uint32_t)(s->length * width);
            value.as.data = row;
        }
        CHECK_OK(eop_vector_put(&vector, &value));
        if (value.type != EDGEOPS_TYPE_NULL && below(d, 100) < s->codes) {
            uint16_t code = (uint16_t)below(d, 3);
            CHECK_OK(eop_vector_rate(&vector, i, &code, 1));
        }
    }
    free(row);
    return vector;
}

static void check_same(const eop_vector *back, size_t at, const eop_vector *vector, size_t from,
                       size_t n, const shape *s) {
    for (size_t i = 0; i < n; i++) {
        edgeops_value value = eop_vector_value(vector, from + i);
        cr_assert(eop_vector_equals(back, at + i, &value), "type %d[%u] pattern %u row %zu",
                  s->type, s->length, s->pattern, from + i);
        cr_assert_eq(eop_vector_quality(back, at + i), eop_vector_quality(vector, from + i));
    }
}

/* As numbers of its own type and as doubles, row by row with a gap between them. */
static void check_target(const eop_vector *vector, const eop_buf *buf, size_t from, size_t to,
                         const shape *s) {
    for (int wide = 0; wide < 2; wide++) {
        edgeops_type type = wide ? EDGEOPS_TYPE_FLOAT64 : s->type;
        size_t width = eop_vector_width(type);
        size_t stride = width * s->length + (from % 2 == 0 ? 0 : 8 * width);
        char *out = malloc((to - from) * stride + 1);
        uint8_t *valid = malloc(to - from + 1);
        eop_chunk_target target = {out, stride, type, valid};
        CHECK_OK(eop_chunk_decode_to(&target, buf->data, buf->size, s->type, s->length,
                                     vector->filled, from, to));
        for (size_t i = from; i < to; i++) {
            const char *row = out + (i - from) * stride;
            bool null = eop_vector_is_null(vector, i);
            cr_assert_eq(valid[i - from], !null);
            for (size_t k = 0; k < s->length; k++) {
                const char *at =
                    (const char *)vector->data + (i * s->length + k) * eop_vector_width(s->type);
                edgeops_value value = eop_value_load(s->type, at);
                char wanted[8];
                edgeops_value number = {.type = EDGEOPS_TYPE_FLOAT64,
                                        .as.f64 = eop_value_double(&value)};
                eop_value_save(wanted, wide && s->type != type ? &number : &value);
                if (null) {
                    eop_null_fill(wanted, type, 1);
                }
                double a, b;
                memcpy(&a, wanted, sizeof a);
                memcpy(&b, row + k * width, width == 8 ? sizeof b : 0);
                cr_assert(memcmp(wanted, row + k * width, width) == 0 ||
                              (wide && s->type != type && a != a && b != b),
                          "type %d[%u] pattern %u row %zu as %d", s->type, s->length, s->pattern, i,
                          type);
            }
        }
        free(out);
        free(valid);
    }
}

Test(column_chunk, columns_of_all_kinds_come_back_bit_exact) {
    dice d = {7};
    for (int round = 0; round < 1500; round++) {
        static const unsigned shares[] = {0, 0, 0, 2, 50, 97, 100};
        shape s = {.type = (edgeops_type)(1 + below(&d, 13)),
                   .length = 1,
                   .pattern = (unsigned)below(&d, PATTERNS),
                   .nulls = shares[below(&d, 7)],
                   .codes = shares[below(&d, 7)]};
        bool numbers = s.type != EDGEOPS_TYPE_STRING && s.type != EDGEOPS_TYPE_BLOB;
        size_t n = below(&d, 3) == 0 ? 1 + below(&d, 4096) : 1 + below(&d, 600);
        if (numbers && s.type != EDGEOPS_TYPE_BOOL && below(&d, 4) == 0) {
            s.length = 2 + (uint32_t)below(&d, below(&d, 5) == 0 ? 5000 : 30);
            n = 1 + below(&d, 40);
        }
        eop_vector vector = make_vector(&d, &s, n);
        eop_vector back = {.type = s.type, .length = s.length};
        eop_buf buf = {0};
        eop_chunk_encode(&buf, &vector);
        cr_assert(!buf.failed);
        size_t from = below(&d, n);
        size_t to = from + below(&d, n - from + 1);
        CHECK_OK(eop_chunk_decode(&back, buf.data, buf.size, n, from, to));
        CHECK_OK(eop_chunk_decode(&back, buf.data, buf.size, n, 0, n));
        cr_assert_eq(back.filled, to - from + n);
        check_same(&back, 0, &vector, from, to - from, &s);
        check_same(&back, to - from, &vector, 0, n, &s);
        if (numbers) {
            check_target(&vector, &buf, from, to, &s);
        }
        eop_buf_dispose(&buf);
        eop_vector_dispose(&vector);
        eop_vector_dispose(&back);
    }
}

Test(column_chunk, keys_come_back) {
    dice d = {3};
    int64_t values[9000];
    int64_t back[9000];
    for (int round = 0; round < 200; round++) {
        eop_buf buf = {0};
        size_t n = 1 + below(&d, round < 20 ? 9000 : 500);
        int64_t walk = INT64_C(1700000000000000000);
        for (size_t i = 0; i < n; i++) {
            values[i] = (int64_t)whole_of(&d, &walk, (unsigned)round % PATTERNS);
        }
        eop_chunk_encode_int(&buf, values, n);
        CHECK_OK(eop_chunk_decode_int(back, buf.data, buf.size, n));
        cr_assert_arr_eq(back, values, n * sizeof *values);
        eop_buf_dispose(&buf);
    }
}

/* Bytes of a column of n float64. */
static size_t size_of(const double *values, size_t n) {
    eop_buf buf = {0};
    eop_vector vector = {
        .type = EDGEOPS_TYPE_FLOAT64, .filled = n, .data = (void *)(uintptr_t)values};
    eop_chunk_encode(&buf, &vector);
    size_t size = buf.size;
    eop_buf_dispose(&buf);
    return size;
}

Test(column_chunk, what_repeats_takes_little_and_noise_takes_no_more) {
    dice d = {11};
    double values[4096];
    int64_t times[4096];
    eop_buf buf = {0};
    int64_t walk = 0;
    for (size_t i = 0; i < 4096; i++) {
        values[i] = 21.5;
        times[i] = INT64_C(1700000000123000000) + (int64_t)i * 1000000000;
    }
    cr_assert_leq(size_of(values, 4096), 24);
    eop_chunk_encode_int(&buf, times, 4096);
    cr_assert_leq(buf.size, 40);
    eop_buf_dispose(&buf);
    for (size_t i = 1; i < 4096; i++) {
        times[i] = times[i - 1] + (900 + (int64_t)below(&d, 201)) * 1000000; /* 7.65 bits */
    }
    eop_chunk_encode_int(&buf, times, 4096);
    cr_assert_leq(buf.size, 4096 * 785 / 800);
    eop_buf_dispose(&buf);
    for (size_t i = 0; i < 4096; i++) {
        values[i] = decimal_of(&d, &walk, 1); /* nine steps: 3.17 bits */
    }
    cr_assert_leq(size_of(values, 4096), 4096 * 33 / 80);
    for (size_t i = 0; i < 4096; i++) {
        values[i] = decimal_of(&d, &walk, 3);
    }
    cr_assert_leq(size_of(values, 4096), 4096 * 8 + 16);
}

Test(column_chunk, damaged_blobs_are_refused) {
    dice d = {1};
    edgeops_value values[100];
    for (int type = 1; type <= 4; type++) {
        eop_vector vector = {.type = (edgeops_type)type};
        eop_buf buf = {0};
        fill(&vector, values, 100, &d);
        eop_chunk_encode(&buf, &vector);
        for (size_t at = 0; at < buf.size; at++) {
            eop_vector back = {.type = vector.type};
            buf.data[at] = (char)(buf.data[at] ^ 1);
            CHECK_CODE(EDGEOPS_E_CORRUPT, eop_chunk_decode(&back, buf.data, buf.size, 100, 0, 100));
            buf.data[at] = (char)(buf.data[at] ^ 1);
            eop_vector_dispose(&back);
        }
        eop_buf_dispose(&buf);
        eop_vector_dispose(&vector);
    }
}

/* With a checksum that is right again: the lengths inside must not be trusted either. */
Test(column_chunk, decoder_survives_what_has_a_good_checksum) {
    dice d = {5};
    edgeops_value values[64];
    for (int round = 0; round < 20000; round++) {
        nulls_of_100 = round % 2 == 0 ? 20 : 97;
        eop_vector vector = {.type = (edgeops_type)(1 + below(&d, 4))};
        eop_vector back = {.type = vector.type};
        eop_buf buf = {0};
        size_t n = 1 + below(&d, 64);
        fill(&vector, values, n, &d);
        eop_chunk_encode(&buf, &vector);
        size_t size = 8 + below(&d, buf.size - 7);
        char *blob = malloc(size);
        memcpy(blob, buf.data, size);
        for (uint64_t k = below(&d, 4); k > 0; k--) {
            blob[below(&d, size)] = (char)roll(&d);
        }
        reseal(blob, size);
        size_t from = below(&d, n);
        edgeops_status status = eop_chunk_decode(&back, blob, size, n, from, n);
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_CORRUPT ||
                  status == EDGEOPS_E_VERSION);
        cr_assert(status != EDGEOPS_OK || back.filled == n - from);
        free(blob);
        eop_buf_dispose(&buf);
        eop_vector_dispose(&vector);
        eop_vector_dispose(&back);
    }
}

Test(column_chunk, nulls_take_no_place) {
    eop_vector vector = {.type = EDGEOPS_TYPE_FLOAT64};
    eop_buf buf = {0};
    edgeops_value value = f64(1.5);
    CHECK_OK(eop_vector_pad(&vector, 4000));
    CHECK_OK(eop_vector_put(&vector, &value));
    CHECK_OK(eop_vector_pad(&vector, 4096));
    eop_chunk_encode(&buf, &vector);
    cr_assert_leq(buf.size, 16 + 2 + 8);
    eop_buf_dispose(&buf);
    eop_vector_dispose(&vector);
}

Test(column_chunk, unknown_encoding_asks_for_a_newer_program) {
    eop_vector vector = {.type = EDGEOPS_TYPE_INT64};
    edgeops_value value = i64(1);
    eop_buf buf = {0};
    CHECK_OK(eop_vector_put(&vector, &value));
    eop_chunk_encode(&buf, &vector);
    buf.data[3] = 9;
    reseal(buf.data, buf.size);
    CHECK_CODE(EDGEOPS_E_VERSION, eop_chunk_decode(&vector, buf.data, buf.size, 1, 0, 1));
    eop_buf_dispose(&buf);
    eop_vector_dispose(&vector);
}

Test(column_chunk, statistics_leave_null_and_nan_out) {
    eop_vector vector = {.type = EDGEOPS_TYPE_FLOAT64};
    edgeops_value values[5] = {f64(2), f64(-3), f64(NAN), {.type = EDGEOPS_TYPE_NULL}, f64(0.5)};
    eop_chunk_stats stats;
    for (int i = 0; i < 5; i++) {
        CHECK_OK(eop_vector_put(&vector, &values[i]));
    }
    eop_chunk_measure(&stats, &vector);
    cr_assert_eq(stats.count, 3);
    cr_assert_eq(stats.nulls, 1);
    cr_assert(stats.min == -3 && stats.max == 2 && stats.sum == -0.5);
    eop_vector_dispose(&vector);
}
