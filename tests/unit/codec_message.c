/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/message.h"

#include <criterion/criterion.h>
#include <math.h>

#include "edgeops/types.h"

static const char *const names[] = {"f", "i", "u", "b", "s", "n", "big", "inf", "g", "a"};
static const float elements[] = {0.5f, -1.0f};
static const edgeops_value values[] = {
    {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = -0.0},
    {.type = EDGEOPS_TYPE_INT64, .as.i64 = 9007199254740993},
    {.type = EDGEOPS_TYPE_UINT64, .as.u64 = UINT64_MAX},
    {.type = EDGEOPS_TYPE_BOOL, .as.i64 = 1},
    {.type = EDGEOPS_TYPE_STRING, .size = 4, .as.str = "\"\n{\\ and what is not borrowed"},
    {.type = EDGEOPS_TYPE_NULL},
    {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 9007199254740994.0},
    {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = INFINITY},
    {.type = EDGEOPS_TYPE_FLOAT32, .as.f32 = 0.1f},
    {.type = EDGEOPS_TYPE_FLOAT32, .size = sizeof elements, .as.data = elements},
};

Test(codec_message, a_sample_is_one_line_with_its_types_kept) {
    edgeops_sample sample = {"plant/a", 1500000000, 7, 10, names, values, NULL};
    eop_buf buf = {0};
    eop_message_put_sample(&buf, &sample, sample.asset);
    cr_expect_str_eq(buf.data,
                     "{\"asset\":\"plant/a\",\"time\":\"1970-01-01T00:00:01.500Z\",\"seq\":7,"
                     "\"f\":-0,\"i\":9007199254740993,\"u\":18446744073709551615,\"b\":true,"
                     "\"s\":\"\\\"\\n{\\\\\",\"n\":null,\"big\":9007199254740994.0,"
                     "\"inf\":null,\"g\":0.1,\"a\":[0.5,-1]}");
    eop_buf_dispose(&buf);
}

Test(codec_message, what_is_not_there_is_left_out) {
    edgeops_sample sample = {NULL, 0, 0, 1, names, values + 3, NULL};
    eop_buf buf = {0};
    eop_message_put_sample(&buf, &sample, NULL);
    cr_expect_str_eq(buf.data, "{\"time\":\"1970-01-01T00:00:00Z\",\"f\":true}");
    eop_buf_dispose(&buf);
}

Test(codec_message, a_text_that_ends_in_a_brace_needs_a_comma_behind_it) {
    eop_buf buf = {0};
    eop_buf_puts(&buf, "{");
    eop_message_put_text(&buf, "a{", "b{");
    eop_message_put_text(&buf, "left out", NULL);
    eop_message_put_key(&buf, "outputs");
    eop_buf_puts(&buf, "{");
    eop_message_put_value(&buf, "x", &values[3]);
    eop_message_put_value(&buf, "y", &values[3]);
    eop_buf_puts(&buf, "}}");
    cr_expect_str_eq(buf.data, "{\"a{\":\"b{\",\"outputs\":{\"x\":true,\"y\":true}}");
    eop_buf_dispose(&buf);
}
