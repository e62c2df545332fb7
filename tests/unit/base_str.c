/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

Test(base_str, buffer_grows_and_gives_away) {
    eop_buf buf = {0};
    for (int i = 0; i < 1000; i++) {
        eop_buf_printf(&buf, "%d,", i);
    }
    cr_assert(eq(sz, buf.size, 3890));
    char *text = eop_buf_take(&buf);
    cr_assert(eq(sz, strlen(text), 3890));
    cr_assert(eq(ptr, buf.data, NULL));
    eop_free(text);
    text = eop_buf_take(&buf);
    cr_assert(eq(str, text, ""));
    eop_free(text);
}

Test(base_str, utf8_ends_at_the_first_wrong_byte) {
    static const struct {
        const char *text;
        size_t size;
        size_t valid;
    } cases[] = {
        {"plain ascii, long", 17, 17}, {"\xC3\xA9", 2, 2},   {"\xE2\x82\xAC", 3, 3},
        {"\xF0\x9F\x98\x80", 4, 4},    {"a\xC0\xAF", 3, 1},  {"a\xED\xA0\x80", 4, 1},
        {"a\xF4\x90\x80\x80", 5, 1},   {"ab\xE2\x82", 4, 2}, {"\x80", 1, 0},
        {"12345678\xFF", 9, 8},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        cr_assert(eq(sz, eop_utf8_valid(cases[i].text, cases[i].size), cases[i].valid), "case %zu",
                  i);
    }
}

Test(base_str, names) {
    static const char *const good[] = {"a",     "line 1/press", "watch/s01", "\xC3\xBC-1",
                                       "x_acc", "a.b",          "...",       "a b:c(d)"};
    static const char *const bad[] = {"",      "/a",  "a/",    "a//b",      ".",    "a/../b",
                                      "a/./b", "a\n", "a\x7F", "\xC2\x85x", "\xFF", "a\xC3"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        cr_assert(eop_name_valid(good[i], strlen(good[i]), 200), "%s", good[i]);
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(not(eop_name_valid(bad[i], strlen(bad[i]), 200)), "case %zu", i);
    }
    cr_assert(not(eop_name_valid("abcd", 4, 3)));
    cr_assert(eop_id_valid("plant-1"));
    cr_assert(not(eop_id_valid("Plant")));
    cr_assert(not(eop_id_valid("-x")));
    cr_assert(not(eop_id_valid("")));
}

Test(base_str, glob) {
    cr_assert(eop_glob("watch/*", "watch/s01"));
    cr_assert(eop_glob("*", ""));
    cr_assert(eop_glob("a*b*c", "aXXbYYbZc"));
    cr_assert(not(eop_glob("a*b", "aXXbc")));
    cr_assert(not(eop_glob("", "a")));
}

Test(base_str, sizes) {
    uint64_t n = 0;
    cr_assert(eop_parse_size(&n, "512MiB"));
    cr_assert(eq(u64, n, UINT64_C(512) << 20));
    cr_assert(eop_parse_size(&n, "1000"));
    cr_assert(eq(u64, n, 1000));
    static const char *const bad[] = {
        "", "-1", "1.5MiB", "MiB", "99999999999999999999", "9TB x", "9999999999TiB"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(not(eop_parse_size(&n, bad[i])), "%s", bad[i]);
    }
}

Test(base_str, text_of_a_double_reads_back_the_same_bits) {
    char text[32];
    eop_format_double(text, 0.1);
    cr_assert(eq(str, text, "0.1"));
    eop_format_double(text, -0.0);
    cr_assert(eq(str, text, "-0"));
    eop_format_double(text, NAN);
    cr_assert(eq(str, text, "NaN"));
    srand(3);
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = ((uint64_t)(unsigned)rand() << 42) ^ ((uint64_t)(unsigned)rand() << 21) ^
                        (uint64_t)(unsigned)rand();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        eop_format_double(text, value);
        double back = strtod(text, NULL);
        cr_assert(memcmp(&back, &value, sizeof value) == 0, "%s", text);
    }
}

Test(base_str, whole_numbers_have_all_their_digits) {
    static const struct {
        double value;
        const char *text, *as_float;
    } cases[] = {{5142800, "5142800", "5142800"},
                 {-1000000, "-1000000", "-1000000"},
                 {16777217, "16777217", "16777216"},
                 {999999999999999, "999999999999999", "1e+15"},
                 {1e15, "1e+15", "1e+15"},
                 {-9007199254740992, "-9007199254740992", "-9.007199e+15"},
                 {0, "0", "0"},
                 {1e-7, "1e-07", "1e-07"},
                 {123456789.5, "123456789.5", "123456792"}};
    char text[32];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        eop_format_double(text, cases[i].value);
        cr_assert(eq(str, text, (char *)cases[i].text));
        eop_format_float(text, (float)cases[i].value);
        cr_assert(eq(str, text, (char *)cases[i].as_float));
    }
}

Test(base_str, an_error_is_one_line_and_keeps_whole_characters) {
    cr_assert(eq(int, eop_fail(EDGEOPS_E_NOTFOUND, "store", "asset '%s' does\nnot exist", "a"),
                 EDGEOPS_E_NOTFOUND));
    cr_assert(eq(str, edgeops_error_last()->message, "asset 'a' does not exist"));
    (void)eop_fail(EDGEOPS_E_IO, "store", "again: %s", edgeops_error_last()->message);
    cr_assert(eq(str, edgeops_error_last()->message, "again: asset 'a' does not exist"));
    char big[3000];
    for (size_t i = 0; i + 2 < sizeof big; i += 2) {
        memcpy(big + i, "\xC3\xA9", 3);
    }
    (void)eop_fail(EDGEOPS_E_IO, "store", "x%s", big);
    const char *message = edgeops_error_last()->message;
    cr_assert(eq(sz, eop_utf8_valid(message, strlen(message)), strlen(message)));
    cr_assert(eq(str, edgeops_status_name(EDGEOPS_E_LIMIT), "EDGEOPS_E_LIMIT"));
    cr_assert(eq(int, eop_status_from_name("EDGEOPS_E_LIMIT"), EDGEOPS_E_LIMIT));
    cr_assert(eq(int, eop_status_from_name("nonsense"), EDGEOPS_E_INTERNAL));
}
