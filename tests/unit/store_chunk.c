/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>

#include "base/hash.h"
#include "store/chunk.h"
#include "store/telemetry.h"
#include "store_fixture.h"

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

Test(store_chunk, every_type_comes_back_bit_exact_in_any_slice) {
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
    uint32_t crc = eop_crc32c(eop_crc32c(0, blob, 8), blob + 12, size - 12);
    memcpy(blob + 8, &crc, 4);
}

Test(store_chunk, damaged_blobs_are_refused) {
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
Test(store_chunk, decoder_survives_what_has_a_good_checksum) {
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
        size_t size = 16 + below(&d, buf.size - 15);
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

Test(store_chunk, nulls_take_no_place) {
    eop_vector vector = {.type = EDGEOPS_TYPE_FLOAT64};
    eop_buf buf = {0};
    edgeops_value value = f64(1.5);
    CHECK_OK(eop_vector_pad(&vector, 4000));
    CHECK_OK(eop_vector_put(&vector, &value));
    CHECK_OK(eop_vector_pad(&vector, 4096));
    eop_chunk_encode(&buf, &vector);
    cr_assert_eq(buf.size, 16 + 2 + 8);
    eop_buf_dispose(&buf);
    eop_vector_dispose(&vector);
}

Test(store_chunk, unknown_encoding_asks_for_a_newer_program) {
    eop_vector vector = {.type = EDGEOPS_TYPE_INT64};
    edgeops_value value = i64(1);
    eop_buf buf = {0};
    CHECK_OK(eop_vector_put(&vector, &value));
    eop_chunk_encode(&buf, &vector);
    buf.data[1] = 9;
    reseal(buf.data, buf.size);
    CHECK_CODE(EDGEOPS_E_VERSION, eop_chunk_decode(&vector, buf.data, buf.size, 1, 0, 1));
    eop_buf_dispose(&buf);
    eop_vector_dispose(&vector);
}

Test(store_chunk, statistics_leave_null_and_nan_out) {
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

static edgeops_status add_rows(uint32_t asset, const eop_state *state, void *data) {
    (void)asset;
    *(uint64_t *)data += state->extent.rows;
    return EDGEOPS_OK;
}

/* A commit may be done and yet be told to have failed: the writer tries again. */
Test(store_chunk, segment_is_applied_once) {
    char path[100];
    eop_telemetry telemetry = {0};
    eop_memtable table = {.next_id = 1};
    eop_asset *asset = NULL;
    uint64_t rows = 0;
    eop_segment *segment = eop_calloc(1, sizeof *segment);
    eop_cell cell = {0, EDGEOPS_QUALITY_NONE, f64(1)};
    make_home();
    snprintf(path, sizeof path, "%s/telemetry.db", folder);
    CHECK_OK(eop_telemetry_open(&telemetry, path, true));
    CHECK_OK(eop_memtable_add(&asset, &table, "a", 1));
    CHECK_OK(eop_asset_add_channel(asset, "x", EDGEOPS_TYPE_FLOAT64, 1, ""));
    segment->number = 3;
    CHECK_OK(eop_memtable_push(asset, segment, 1, 10, 0, &cell, 1));
    for (int try = 0; try < 2; try++) {
        CHECK_OK(eop_telemetry_write(&telemetry, segment));
        cr_assert_eq(segment->blocks->extent.rows, 1);
    }
    CHECK_OK(eop_telemetry_states(&telemetry, add_rows, &rows));
    cr_assert_eq(rows, 1);
    eop_segment_free(segment);
    eop_memtable_dispose(&table);
    eop_telemetry_close(&telemetry);
    remove_home();
}
