/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/type.h"

static edgeops_value real(double x) {
    return (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = x};
}

static edgeops_value whole(edgeops_type type, int64_t x) {
    return (edgeops_value){.type = type, .as.i64 = x};
}

static edgeops_value large(uint64_t x) {
    return (edgeops_value){.type = EDGEOPS_TYPE_UINT64, .as.u64 = x};
}

Test(base_type, names_and_lengths_go_there_and_back) {
    for (unsigned i = 1; i < EOP_TYPES; i++) {
        edgeops_type type = EDGEOPS_TYPE_NULL;
        uint32_t length = 0;
        char text[EOP_TYPE_TEXT];
        cr_assert_eq(eop_type_from_name(eop_type_name((edgeops_type)i)), (edgeops_type)i);
        cr_assert(eop_type_parse(&type, &length, eop_type_text(text, (edgeops_type)i, 1)));
        cr_assert_eq(type, (edgeops_type)i);
        cr_assert_eq(length, 1);
        bool arrays = eop_type_is_numeric((edgeops_type)i);
        cr_assert_eq(
            eop_type_parse(&type, &length, eop_type_text(text, (edgeops_type)i, EOP_LENGTH_MAX)),
            arrays);
        cr_assert_eq(length, arrays ? EOP_LENGTH_MAX : 1);
    }
    static const char *const bad[] = {"",
                                      "null",
                                      "float",
                                      "float32[1]",
                                      "float32[0]",
                                      "float32[-2]",
                                      "float32[",
                                      "float32[4",
                                      "[4]",
                                      "float32[4]x",
                                      "float32[ 4]",
                                      "string[4]",
                                      "bool[2]",
                                      "float32[65537]",
                                      "int8[99999999999999999999]"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        edgeops_type type;
        uint32_t length;
        cr_assert_not(eop_type_parse(&type, &length, bad[i]), "%s", bad[i]);
    }
    cr_assert_str_eq(eop_type_name((edgeops_type)99), "unknown");
    cr_assert_eq(eop_type_from_name("null"), EDGEOPS_TYPE_NULL);
}

Test(base_type, numbers_convert_only_where_nothing_is_lost) {
    const double two53 = 9007199254740992.0;
    const struct {
        edgeops_value value;
        edgeops_type type;
        bool fits;
    } cases[] = {
        {whole(EDGEOPS_TYPE_INT64, 127), EDGEOPS_TYPE_INT8, true},
        {whole(EDGEOPS_TYPE_INT64, 128), EDGEOPS_TYPE_INT8, false},
        {whole(EDGEOPS_TYPE_INT64, -128), EDGEOPS_TYPE_INT8, true},
        {whole(EDGEOPS_TYPE_INT64, -129), EDGEOPS_TYPE_INT8, false},
        {whole(EDGEOPS_TYPE_INT16, -1), EDGEOPS_TYPE_UINT64, false},
        {whole(EDGEOPS_TYPE_INT32, 255), EDGEOPS_TYPE_UINT8, true},
        {whole(EDGEOPS_TYPE_INT32, 256), EDGEOPS_TYPE_UINT8, false},
        {large(UINT64_MAX), EDGEOPS_TYPE_INT64, false},
        {large(INT64_MAX), EDGEOPS_TYPE_INT64, true},
        {large(UINT64_MAX), EDGEOPS_TYPE_FLOAT64, false},
        {large(UINT64_C(1) << 63), EDGEOPS_TYPE_FLOAT64, true},
        {large(UINT32_MAX), EDGEOPS_TYPE_UINT32, true},
        {whole(EDGEOPS_TYPE_INT64, (INT64_C(1) << 53) + 1), EDGEOPS_TYPE_FLOAT64, false},
        {whole(EDGEOPS_TYPE_INT64, INT64_MAX), EDGEOPS_TYPE_FLOAT64, false},
        {whole(EDGEOPS_TYPE_INT64, INT64_MIN), EDGEOPS_TYPE_FLOAT64, true},
        {whole(EDGEOPS_TYPE_INT64, 16777216), EDGEOPS_TYPE_FLOAT32, true},
        {whole(EDGEOPS_TYPE_INT64, 16777217), EDGEOPS_TYPE_FLOAT32, false},
        {real(3), EDGEOPS_TYPE_UINT8, true},
        {real(-0.0), EDGEOPS_TYPE_UINT8, true},
        {real(3.5), EDGEOPS_TYPE_INT64, false},
        {real(NAN), EDGEOPS_TYPE_INT64, false},
        {real(INFINITY), EDGEOPS_TYPE_UINT64, false},
        {real(two53), EDGEOPS_TYPE_INT64, true},
        {real(0x1p63), EDGEOPS_TYPE_INT64, false},
        {real(0x1p63), EDGEOPS_TYPE_UINT64, true},
        {real(0x1p64), EDGEOPS_TYPE_UINT64, false},
        {real(-0x1p63), EDGEOPS_TYPE_INT64, true},
        {real(0.1), EDGEOPS_TYPE_FLOAT32, true},
        {real(1e300), EDGEOPS_TYPE_FLOAT32, false},
        {real(INFINITY), EDGEOPS_TYPE_FLOAT32, true},
        {real(1), EDGEOPS_TYPE_BOOL, false},
        {whole(EDGEOPS_TYPE_BOOL, 1), EDGEOPS_TYPE_INT8, false},
        {{.type = EDGEOPS_TYPE_STRING, .size = 1, .as.str = "1"}, EDGEOPS_TYPE_INT8, false},
        {{.type = EDGEOPS_TYPE_FLOAT64, .size = 16, .as.data = ""}, EDGEOPS_TYPE_FLOAT32, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        edgeops_value out = {.type = EDGEOPS_TYPE_NULL};
        cr_assert_eq(eop_value_convert(&out, &cases[i].value, cases[i].type), cases[i].fits,
                     "case %zu", i);
        if (cases[i].fits) {
            cr_assert_eq(out.type, cases[i].type);
            cr_assert(eop_value_in_range(&out));
            if (cases[i].type != EDGEOPS_TYPE_FLOAT32) {
                cr_assert_eq(eop_value_double(&out), eop_value_double(&cases[i].value), "%zu", i);
            }
        }
    }
    edgeops_value out;
    edgeops_value tenth = real(0.1);
    cr_assert(eop_value_convert(&out, &tenth, EDGEOPS_TYPE_FLOAT32));
    cr_assert_eq(out.as.f32, 0.1f);
}

Test(base_type, values_stand_in_memory_as_their_type) {
    const edgeops_value values[] = {real(-0.0),
                                    whole(EDGEOPS_TYPE_INT8, -128),
                                    whole(EDGEOPS_TYPE_INT16, -32768),
                                    whole(EDGEOPS_TYPE_INT32, INT32_MIN),
                                    whole(EDGEOPS_TYPE_INT64, INT64_MIN),
                                    whole(EDGEOPS_TYPE_BOOL, 1),
                                    whole(EDGEOPS_TYPE_UINT8, 255),
                                    whole(EDGEOPS_TYPE_UINT16, 65535),
                                    whole(EDGEOPS_TYPE_UINT32, UINT32_MAX),
                                    large(UINT64_MAX)};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        char place[16];
        memset(place, 0x55, sizeof place);
        eop_value_save(place + 1, &values[i]);
        cr_assert_eq(place[1 + eop_type_width(values[i].type)], 0x55);
        edgeops_value back = eop_value_load(values[i].type, place + 1);
        cr_assert_eq(back.type, values[i].type);
        cr_assert_eq(back.as.u64, values[i].as.u64, "value %zu", i);
    }
    /* A signalling NaN keeps its bits. */
    uint32_t signal = UINT32_C(0x7f812345);
    uint32_t bits = 0;
    edgeops_value nan = eop_value_load(EDGEOPS_TYPE_FLOAT32, &signal);
    eop_value_save(&bits, &nan);
    cr_assert_eq(bits, signal);
}

Test(base_type, text_has_all_digits) {
    const struct {
        edgeops_value value;
        const char *text;
    } cases[] = {
        {large(UINT64_MAX), "18446744073709551615"},
        {whole(EDGEOPS_TYPE_INT64, INT64_MIN), "-9223372036854775808"},
        {{.type = EDGEOPS_TYPE_FLOAT32, .as.f32 = 0.1f}, "0.1"},
        {{.type = EDGEOPS_TYPE_FLOAT32, .as.f32 = -INFINITY}, "-Infinity"},
        {{.type = EDGEOPS_TYPE_FLOAT32, .as.f32 = 16777216.0f}, "16777216"},
        {real(0.1), "0.1"},
        {whole(EDGEOPS_TYPE_BOOL, 0), "false"},
        {{.type = EDGEOPS_TYPE_NULL}, ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out[EOP_VALUE_TEXT];
        cr_assert_eq(eop_value_format(out, &cases[i].value), strlen(cases[i].text));
        cr_assert_str_eq(out, cases[i].text);
    }
}
