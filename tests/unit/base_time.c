/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

static bool parse(edgeops_time *out, const char *text) {
    return eop_parse_time(out, text, strlen(text));
}

Test(base_time, reads_what_iso_8601_allows) {
    static const struct {
        const char *text;
        int64_t ns;
    } cases[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"1970-01-01T00:00:00.000000001Z", 1},
        {"1969-12-31T23:59:59.999999999Z", -1},
        {"2022-07-11T10:06:17.810Z", INT64_C(1657533977810000000)},
        {"2022-07-11 12:06:17.810+02:00", INT64_C(1657533977810000000)},
        {"2022-07-11T08:36:17,81-0130", INT64_C(1657533977810000000)},
        {"2024-02-29T00:00:00", INT64_C(1709164800000000000)},
        {"1677-09-21T00:12:43.145224192Z", INT64_MIN},
        {"2262-04-11T23:47:16.854775807Z", INT64_MAX},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        edgeops_time t = 7;
        cr_assert(parse(&t, cases[i].text), "%s", cases[i].text);
        cr_assert(eq(i64, t, cases[i].ns), "%s", cases[i].text);
    }
}

Test(base_time, refuses_what_is_no_time) {
    static const char *const cases[] = {
        "",
        "2022",
        "2022-13-01T00:00:00Z",
        "2022-00-01T00:00:00Z",
        "2023-02-29T00:00:00Z",
        "2022-04-31T00:00:00Z",
        "2022-01-01T24:00:00Z",
        "2022-01-01T00:60:00Z",
        "2022-01-01T00:00:60Z",
        "2022-01-01T00:00:00.Z",
        "2022-01-01T00:00:00.1234567890Z",
        "2022-01-01T00:00:00Zx",
        "2022-01-01T00:00:00+24:00",
        "2022-1-01T00:00:00Z",
        "2262-04-11T23:47:16.854775808Z",
        "1677-09-21T00:12:43.145224191Z",
        "9999-12-31T00:00:00Z",
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        edgeops_time t = 7;
        cr_assert(not(parse(&t, cases[i])), "%s", cases[i]);
        cr_assert(eq(i64, t, 7));
    }
}

Test(base_time, text_of_a_time_reads_back_the_same) {
    srand(11);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = ((uint64_t)(unsigned)rand() << 40) ^ ((uint64_t)(unsigned)rand() << 20) ^
                        (uint64_t)(unsigned)rand();
        edgeops_time t = (edgeops_time)(i % 3 == 0 ? bits / 1000000 * 1000000 : bits);
        t = i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : t;
        char text[40];
        edgeops_time back = 0;
        size_t n = eop_format_time(text, t);
        cr_assert(eq(sz, n, strlen(text)));
        cr_assert(parse(&back, text), "%s", text);
        cr_assert(eq(i64, back, t), "%s", text);
    }
}

Test(base_time, durations) {
    edgeops_duration d = 0;
    cr_assert(eop_parse_duration(&d, "500ms"));
    cr_assert(eq(i64, d, 500000000));
    cr_assert(eop_parse_duration(&d, "1.5 s"));
    cr_assert(eq(i64, d, 1500000000));
    cr_assert(eop_parse_duration(&d, "30m"));
    cr_assert(eq(i64, d, INT64_C(1800000000000)));
    static const char *const bad[] = {"",     "5",       "ms",  "-1s",  "1.s",
                                      "1e3s", "5 weeks", "1s ", "0x1s", "99999999999d"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        cr_assert(not(eop_parse_duration(&d, bad[i])), "%s", bad[i]);
    }
    char text[32];
    eop_format_duration(text, 1500000000);
    cr_assert(eq(str, text, "1.5s"));
    eop_format_duration(text, 0);
    cr_assert(eq(str, text, "0s"));
}

Test(base_time, rates_are_read_in_mhz) {
    static const struct {
        const char *text;
        uint64_t mhz;
    } good[] = {{"50Hz", 50000},
                {"12.5 kHz", 12500000},
                {"100mHz", 100},
                {"0.5Hz", 500},
                {"1000kHz", 1000000000}};
    static const char *const bad[] = {"",       "Hz",   "0Hz",  "1001kHz", "50",
                                      "1.5mHz", "5.Hz", "-1Hz", "1e3Hz",   "50hz"};
    uint64_t mhz = 0;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cr_assert(eop_parse_rate(&mhz, good[i].text), "%s", good[i].text);
        cr_assert_eq(mhz, good[i].mhz);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cr_assert_not(eop_parse_rate(&mhz, bad[i]), "%s", bad[i]);
    }
    cr_assert_eq(eop_rate_period(50000), 20000000);
    cr_assert_eq(eop_rate_period(60000), 16666667);
}
