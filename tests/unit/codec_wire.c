/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/wire.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const edgeops_type all_types[] = {EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_INT64,
                                         EDGEOPS_TYPE_BOOL, EDGEOPS_TYPE_STRING};

Test(codec_wire, answer_comes_back) {
    const edgeops_value values[] = {
        {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = -0.0},
        {.type = EDGEOPS_TYPE_INT64, .as.i64 = INT64_MIN},
        {.type = EDGEOPS_TYPE_BOOL, .as.i64 = 1},
        {.type = EDGEOPS_TYPE_STRING, .as.str = "\xc3\xa4.", .size = 3},
    };
    edgeops_value back[4];
    eop_buf buf = {0};
    eop_wire_head head;
    const char *body;
    size_t size;
    eop_wire_put_answer(&buf, 7, values, 4);
    cr_assert(eq(int, eop_wire_open(&head, &body, &size, buf.data, buf.size), EDGEOPS_OK));
    cr_expect(eq(int, head.kind, EOP_WIRE_ANSWER));
    cr_expect(eq(u64, head.id, 7));
    cr_assert(eq(int, eop_wire_get_answer(back, all_types, 4, body, size), EDGEOPS_OK));
    cr_expect(signbit(back[0].as.f64) != 0);
    cr_expect(eq(i64, back[1].as.i64, INT64_MIN));
    cr_expect(eq(i64, back[2].as.i64, 1));
    cr_expect(eq(u32, back[3].size, 3));
    cr_expect(eq(int, memcmp(back[3].as.str, "\xc3\xa4.", 3), 0));
    eop_buf_dispose(&buf);
}

/* Whatever a worker sends, reading it stays inside the message: checked by the sanitizers, since
 * each message has a heap block of exactly its size. */
Test(codec_wire, mangled_answers_are_refused_or_sound) {
    const edgeops_value values[] = {
        {.type = EDGEOPS_TYPE_NULL},
        {.type = EDGEOPS_TYPE_INT64, .as.i64 = 5},
        {.type = EDGEOPS_TYPE_BOOL, .as.i64 = 0},
        {.type = EDGEOPS_TYPE_STRING, .as.str = "hello", .size = 5},
    };
    eop_buf buf = {0};
    unsigned seed = 1;
    int refused = 0;
    eop_wire_put_answer(&buf, 1, values, 4);
    for (int i = 0; i < 20000; i++) {
        size_t size = i % 3 == 0 ? (size_t)rand_r(&seed) % (buf.size + 1) : buf.size;
        char *copy = malloc(size + (size == 0));
        eop_wire_head head;
        edgeops_value back[4];
        const char *body;
        size_t body_size;
        memcpy(copy, buf.data, size);
        for (int k = rand_r(&seed) % 4; k > 0 && size > 0; k--) {
            copy[(size_t)rand_r(&seed) % size] = (char)rand_r(&seed);
        }
        edgeops_status status = eop_wire_open(&head, &body, &body_size, copy, size);
        if (status == EDGEOPS_OK) {
            status = eop_wire_get_answer(back, all_types, 4, body, body_size);
        }
        if (status == EDGEOPS_OK && back[3].type == EDGEOPS_TYPE_STRING && back[3].size > 0) {
            cr_assert(eq(sz, eop_utf8_valid(back[3].as.str, back[3].size), back[3].size));
        }
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_PROTOCOL);
        refused += status != EDGEOPS_OK;
        free(copy);
    }
    cr_expect(gt(int, refused, 1000));
    eop_buf_dispose(&buf);
}

Test(codec_wire, metrics_and_progress_are_checked) {
    eop_buf buf = {0};
    eop_wire_metric metric = {.name = "loss", .name_size = 4, .value = 0.5, .step = 3};
    eop_wire_metric back;
    double progress;
    eop_wire_put_metric(&buf, &metric);
    const char *body = buf.data + sizeof(eop_wire_head);
    size_t size = buf.size - sizeof(eop_wire_head);
    cr_assert(eq(int, eop_wire_get_metric(&back, body, size), EDGEOPS_OK));
    cr_expect(eq(dbl, back.value, 0.5));
    cr_expect(eq(i64, back.step, 3));
    cr_expect(eq(sz, back.name_size, 4));
    cr_expect(eq(int, eop_wire_get_metric(&back, body, 16), EDGEOPS_E_PROTOCOL));
    buf.data[buf.size - 1] = '\n';
    cr_expect(eq(int, eop_wire_get_metric(&back, body, size), EDGEOPS_E_PROTOCOL));
    eop_buf_clear(&buf);
    eop_wire_put_progress(&buf, NAN);
    body = buf.data + sizeof(eop_wire_head);
    cr_expect(eq(int, eop_wire_get_progress(&progress, body, 8), EDGEOPS_E_PROTOCOL));
    cr_expect(eq(int, eop_wire_get_progress(&progress, body, 7), EDGEOPS_E_PROTOCOL));
    eop_buf_dispose(&buf);
}

Test(codec_wire, block_holds_rows_of_several_parts) {
    static const edgeops_time times[] = {1, 2, 3};
    static const double f64[] = {0.5, 1.5, 2.5};
    static const int64_t i64[] = {(1LL << 53) + 1, 2, 3};
    static const uint8_t u8[] = {1, 0, 1};
    static const uint8_t valid[] = {1, 0, 1};
    static const uint32_t offsets[] = {0, 2, 2, 5};
    const edgeops_column columns[] = {{.name = "f", .type = EDGEOPS_TYPE_FLOAT64, .f64 = f64},
                                      {.name = "i", .type = EDGEOPS_TYPE_INT64, .i64 = i64},
                                      {.name = "b", .type = EDGEOPS_TYPE_BOOL, .u8 = u8},
                                      {.name = "s",
                                       .type = EDGEOPS_TYPE_STRING,
                                       .offsets = offsets,
                                       .bytes = "aaccc",
                                       .valid = valid,
                                       .nulls = 1}};
    const edgeops_table table = {.rows = 3, .times = times, .column_count = 4, .columns = columns};
    const eop_wire_part parts[] = {{&table, 1, 2}, {&table, 0, 1}};
    size_t size = 0;
    eop_wire_view view;
    cr_assert(eq(int, eop_wire_block_size(&size, all_types, 4, parts, 2), EDGEOPS_OK));
    char *block = malloc(size);
    memset(block, 0x55, size);
    eop_wire_block_write(block, all_types, 4, parts, 2);
    cr_assert(eq(int, eop_wire_block_read(&view, block, size), EDGEOPS_OK));
    cr_assert(eq(u64, view.rows, 3));
    cr_assert(eq(u32, view.extra_count, 3));
    double values[3][4];
    memcpy(values, block + view.values, sizeof values);
    cr_expect(eq(dbl, values[0][0], 1.5));
    cr_expect(eq(dbl, values[2][0], 0.5));
    cr_expect(eq(dbl, values[1][1], 3));
    cr_expect(eq(dbl, values[0][2], 0));
    cr_expect(isnan(values[0][3]));
    int64_t exact;
    memcpy(&exact, block + view.extras[0].data + 16, 8);
    cr_expect(eq(i64, exact, (1LL << 53) + 1));
    uint64_t ends[4];
    memcpy(ends, block + view.extras[2].data, sizeof ends);
    cr_expect(eq(u64, ends[1], 0));
    cr_expect(eq(u64, ends[2], 3));
    cr_expect(eq(u64, ends[3], 5));
    cr_expect(eq(int, memcmp(block + view.extras[2].bytes, "cccaa", 5), 0));
    cr_expect(eq(int, block[view.extras[2].valid], 0));
    /* Cut anywhere, it is refused. */
    for (size_t n = 0; n < size - 8; n++) {
        cr_assert(eq(int, eop_wire_block_read(&view, block, n), EDGEOPS_E_PROTOCOL));
    }
    free(block);
}
