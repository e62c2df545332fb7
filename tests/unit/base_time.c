/* SPDX-License-Identifier: Apache-2.0 */
#include "base/time.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

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
