/* SPDX-License-Identifier: Apache-2.0 */
/* Times as the field writes them: by their look, by a format, in a zone. */
#include "codec/time_text.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/time.h"
#include "codec/when.h"
#include "failing_memory.h"

typedef struct time_case {
    const char *text;
    const char *time; /**< as eop_format_time() writes it; NULL: refused */
} time_case;

/* The text lies at the end of its memory, so that a sanitizer sees a read past it. */
static bool read_time(edgeops_time *out, eop_time_seen *seen, const eop_times *times,
                      const char *text) {
    size_t size = strlen(text);
    char *copy = malloc(size > 0 ? size : 1);
    cr_assert_not_null(copy);
    memcpy(copy, text, size);
    bool good = eop_time_text(out, seen, times, copy, size);
    free(copy);
    return good;
}

static void check(const eop_times *times, const time_case *cases, size_t n) {
    for (size_t i = 0; i < n; i++) {
        edgeops_time time = 42;
        char text[40] = "";
        bool good = read_time(&time, NULL, times, cases[i].text);
        if (cases[i].time == NULL) {
            eop_format_time(text, time);
            cr_expect(!good, "'%s' became %s", cases[i].text, text);
            cr_expect_eq(time, 42, "'%s' was refused and touched the time", cases[i].text);
            continue;
        }
        cr_expect(good, "'%s' was refused", cases[i].text);
        eop_format_time(text, time);
        cr_expect_str_eq(text, cases[i].time, "'%s' became %s, not %s", cases[i].text, text,
                         cases[i].time);
    }
}

static eop_times *times_of(const char *format, const char *unit, const char *zone) {
    eop_times *times = NULL;
    const eop_times_options options = {.format = format, .unit = unit, .zone = zone};
    edgeops_status status = eop_times_new(&times, &options);
    cr_assert_eq(status, EDGEOPS_OK, "%s", status != 0 ? edgeops_error_last()->message : "");
    return times;
}

#define CHECK(times, ...)                                                                          \
    do {                                                                                           \
        static const time_case cases[] = {__VA_ARGS__};                                            \
        check(times, cases, sizeof(cases) / sizeof(cases[0]));                                     \
    } while (0)

static void check_format(const char *format, const time_case *cases, size_t n) {
    eop_times *times = times_of(format, NULL, NULL);
    check(times, cases, n);
    eop_times_free(times);
}

#define FORMAT(format, ...)                                                                        \
    do {                                                                                           \
        static const time_case cases[] = {__VA_ARGS__};                                            \
        check_format(format, cases, sizeof(cases) / sizeof(cases[0]));                             \
    } while (0)

Test(codec_time, iso_8601_in_full_and_at_the_ends_of_its_range) {
    CHECK(NULL, {"1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z"},
          {"1970-01-01T00:00:00.000000001Z", "1970-01-01T00:00:00.000000001Z"},
          {"1969-12-31T23:59:59.999999999Z", "1969-12-31T23:59:59.999999999Z"},
          {"2022-07-11T10:06:17.810Z", "2022-07-11T10:06:17.810Z"},
          {"2022-07-11 12:06:17.810+02:00", "2022-07-11T10:06:17.810Z"},
          {"2022-07-11T08:36:17,81-0130", "2022-07-11T10:06:17.810Z"},
          {"2024-02-29T00:00:00", "2024-02-29T00:00:00Z"},
          {"1677-09-21T00:12:43.145224192Z", "1677-09-21T00:12:43.145224192Z"},
          {"2262-04-11T23:47:16.854775807Z", "2262-04-11T23:47:16.854775807Z"});
}

Test(codec_time, iso_8601_as_it_is_really_written) {
    CHECK(
        NULL, {"2023-11-05", "2023-11-05T00:00:00Z"}, {"2023-11", "2023-11-01T00:00:00Z"},
        {"2023-11-05T07", "2023-11-05T07:00:00Z"}, {"2023-11-05 07:08", "2023-11-05T07:08:00Z"},
        {"2023-11-05t07:08z", "2023-11-05T07:08:00Z"},
        {"2023-11-05T07:08+03", "2023-11-05T04:08:00Z"},
        {"2023-11-05T07:08:09-0530", "2023-11-05T12:38:09Z"},
        {"2023-11-05 07:08:09 UTC", "2023-11-05T07:08:09Z"},
        {"2023-11-05 07:08:09GMT", "2023-11-05T07:08:09Z"},
        {"2023-11-05 07:08:09.25 +01:00", "2023-11-05T06:08:09.250Z"},
        {"1890-04-01 00:00:00+01:05:21", "1890-03-31T22:54:39Z"},
        {"2023-11-05T07:08:09+01:00[Europe/Vienna]", "2023-11-05T06:08:09Z"},
        {"20231105T070809Z", "2023-11-05T07:08:09Z"}, {"20231105T0708", "2023-11-05T07:08:00Z"},
        {"20231105T070809,125+0100", "2023-11-05T06:08:09.125Z"},
        {"20231105 07:08:09", "2023-11-05T07:08:09Z"}, {"20231105070809Z", "2023-11-05T07:08:09Z"},
        {"20231105070809 +0100", "2023-11-05T06:08:09Z"}, {"2023-309", "2023-11-05T00:00:00Z"},
        {"2023-309T12:00", "2023-11-05T12:00:00Z"}, {"2023309T12Z", "2023-11-05T12:00:00Z"},
        {"2024-366", "2024-12-31T00:00:00Z"}, {"2023-W44-7", "2023-11-05T00:00:00Z"},
        {"2023-W44", "2023-10-30T00:00:00Z"}, {"2023W447T0708", "2023-11-05T07:08:00Z"},
        {"2020-W53-7", "2021-01-03T00:00:00Z"}, {"2024-1-5 7:05", "2024-01-05T07:05:00Z"},
        {"2024/1/5 07:05", "2024-01-05T07:05:00Z"}, {"2024.01.05 07:05:06", "2024-01-05T07:05:06Z"},
        {"2024-02-28T24:00", "2024-02-29T00:00:00Z"},
        {"2023-12-31T24:00:00.0Z", "2024-01-01T00:00:00Z"},
        {"  2023-11-05T07:08:09Z \t", "2023-11-05T07:08:09Z"},
        {"2023-11-05   07:08", "2023-11-05T07:08:00Z"}, {"2023-11-05Z", "2023-11-05T00:00:00Z"},
        {"2023-11-05+02:00", "2023-11-04T22:00:00Z"},
        {"2023-11-05T07:08:09.1234567899", "2023-11-05T07:08:09.123456789Z"},
        {"2023-11-05T07:08:09.00000000000000000000000001Z", "2023-11-05T07:08:09Z"},
        {"2023-11-05T07:08:09,5", "2023-11-05T07:08:09.500Z"});
}

Test(codec_time, text_of_a_time_reads_back_the_same) {
    srand(11);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits = ((uint64_t)(unsigned)rand() << 40) ^ ((uint64_t)(unsigned)rand() << 20) ^
                        (uint64_t)(unsigned)rand();
        edgeops_time t = (edgeops_time)(i % 3 == 0 ? bits / 1000000 * 1000000 : bits);
        t = i == 0 ? INT64_MIN : i == 1 ? INT64_MAX : t;
        char text[40];
        edgeops_time back = 0;
        cr_assert_eq(eop_format_time(text, t), strlen(text));
        cr_assert(eop_time_text(&back, NULL, NULL, text, strlen(text)), "%s", text);
        cr_assert_eq(back, t, "%s", text);
    }
}

Test(codec_time, what_is_no_time_is_refused) {
    CHECK(NULL, {""}, {"  "}, {"-"}, {"soon"}, {"2022-13-01T00:00:00Z"}, {"2022-00-01T00:00:00Z"},
          {"2023-02-29T00:00:00Z"}, {"2022-04-31T00:00:00Z"}, {"2022-01-01T24:00:01Z"},
          {"2022-01-01T24:01"}, {"2022-01-01T24:00:00.1Z"}, {"2022-01-01T25:00"},
          {"2022-01-01T00:60:00Z"}, {"2022-01-01T00:00:60Z"}, {"2022-01-01T00:00:00.Z"},
          {"2022-01-01T00:00:00Zx"}, {"2022-01-01T00:00:00+24:00"}, {"2022-01-01T00:00:00+1"},
          {"2022-01-01T00:00:00+01:6"}, {"2022-01-01T00:00:00 CET"}, {"2022-01-01T"},
          {"2022-01-01TZ"}, {"2022-01-01T12:3"}, {"2022-01-01-08"}, {"2022-1"}, {"2022-01-"},
          {"2022-01-001"}, {"2022-000"}, {"2023-366"}, {"2023-W53-1"}, {"2023-W00"}, {"2023-W44-8"},
          {"2023/11"}, {"20231105T"}, {"202311T12"}, {"05/11/2023"}, {"11-05-2023"}, {"07:08"},
          {"2023-11-05T07:08:09+01:00[Europe/Vienna"}, {"2023-11-05T07:08:09+01:00]"},
          {"2023-11-05T07:08:09[a]b]"}, {"2262-04-11T23:47:16.854775808Z"},
          {"1677-09-21T00:12:43.145224191Z"}, {"9999-12-31T00:00:00Z"}, {"+002023-11-05"},
          {"10ab-01-31T12:00:00Z"}, {"2a26-01-31T12:00:00Z"}, {"2026-0x-31T12:00:00Z"},
          {"2026-01-31T12:00:00.5xZ"}, {"2026-01-31T12:00:00.Z"}, {"NaN"}, {"0x10"}, {"1e"},
          {"1.5.5"}, {"9223372036854775808"}, {"1e30"}, {"1,2,3"});
}

Test(codec_time, numbers_by_magnitude_and_exponent) {
    CHECK(NULL, {"1699168089", "2023-11-05T07:08:09Z"},
          {"1699168089.5", "2023-11-05T07:08:09.500Z"},
          {"1699168089,5", "2023-11-05T07:08:09.500Z"}, {"1699168089000", "2023-11-05T07:08:09Z"},
          {"1699168089000000", "2023-11-05T07:08:09Z"},
          {"1699168089000000001", "2023-11-05T07:08:09.000000001Z"},
          {"1.699168089E9", "2023-11-05T07:08:09Z"}, {"1.699168089000E+12", "2023-11-05T07:08:09Z"},
          {"1699168089.1234567899", "2023-11-05T07:08:09.123456789Z"},
          {"-1.5", "1969-12-31T23:59:58.500Z"}, {" 0 ", "1970-01-01T00:00:00Z"},
          {"2023", "1970-01-01T00:33:43Z"}, {"170e-3", "1970-01-01T00:00:00.170Z"});
}

Test(codec_time, compact_dates_are_dates_unless_a_unit_is_given) {
    CHECK(NULL, {"19580329", "1958-03-29T00:00:00Z"}, {"20140204", "2014-02-04T00:00:00Z"},
          {"20140204.0", "2014-02-04T00:00:00Z"}, {"2.0140204e7", "2014-02-04T00:00:00Z"},
          {"201402041230", "2014-02-04T12:30:00Z"}, {"20140204123015", "2014-02-04T12:30:15Z"},
          {"20140204123015.000", "2014-02-04T12:30:15Z"},
          {"20140204123015.25", "2014-02-04T12:30:15.250Z"},
          {"20140204123015.1234567899", "2014-02-04T12:30:15.123456789Z"},
          {"20140204240000", "2014-02-05T00:00:00Z"}, {"21001231", "2100-12-31T00:00:00Z"},
          /* not a date of the calendar, or of other years: numbers */
          {"20140230", "1970-08-22T02:30:30Z"}, {"18991231", "1970-08-08T19:20:31Z"},
          {"+20140204", "1970-08-22T02:30:04Z"}, {"20140204.5", "1970-08-22T02:30:04.500Z"});
    eop_times *seconds = times_of(NULL, "s", NULL);
    CHECK(seconds, {"20140204", "1970-08-22T02:30:04Z"},
          {"20140204T000000", "2014-02-04T00:00:00Z"});
    eop_times_free(seconds);
    static const char *const scanned[] = {"20140204", "20140204.0", "1.4e9"};
    static const eop_time_form forms[] = {EOP_TIME_COMPACT, EOP_TIME_COMPACT, EOP_TIME_NUMBER};
    for (size_t i = 0; i < 3; i++) {
        eop_decimal decimal;
        eop_time_seen seen = {0};
        edgeops_time time = 0;
        size_t size = eop_decimal_scan(&decimal, scanned[i], strlen(scanned[i]));
        cr_assert(eop_time_number(&time, &seen, NULL, &decimal, scanned[i], size));
        cr_expect_eq(seen.form, forms[i], "%s", scanned[i]);
    }
}

Test(codec_time, how_it_was_read_is_seen) {
    static const struct {
        const char *text;
        eop_time_form form;
        eop_time_unit unit;
        bool zoned;
    } cases[] = {
        {"2023-11-05T07:08:09", EOP_TIME_ISO, EOP_UNIT_GUESS, false},
        {"2023-11-05T07:08:09+00", EOP_TIME_ISO, EOP_UNIT_GUESS, true},
        {"20231105", EOP_TIME_COMPACT, EOP_UNIT_GUESS, false},
        {"1699168089", EOP_TIME_NUMBER, EOP_UNIT_S, true},
        {"1699168089000.5", EOP_TIME_NUMBER, EOP_UNIT_MS, true},
        {"1699168089000000", EOP_TIME_NUMBER, EOP_UNIT_US, true},
        {"1699168089000000000", EOP_TIME_NUMBER, EOP_UNIT_NS, true},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        eop_time_seen seen;
        edgeops_time time = 0;
        cr_assert(read_time(&time, &seen, NULL, cases[i].text));
        cr_expect(seen.form == cases[i].form && seen.unit == cases[i].unit &&
                      seen.zoned == cases[i].zoned && !seen.repeated && !seen.missing,
                  "%s", cases[i].text);
    }
}

Test(codec_time, formats_of_the_user) {
    FORMAT("%d/%m/%Y %H:%M:%S", {"05/11/2023 07:08:09", "2023-11-05T07:08:09Z"},
           {"5/1/2023 7:8:9", "2023-01-05T07:08:09Z"},
           {"05/11/2023  07:08:09.25", "2023-11-05T07:08:09.250Z"},
           {" 05/11/2023 07:08:09 ", "2023-11-05T07:08:09Z"},
           {"31/12/2023 24:00:00", "2024-01-01T00:00:00Z"}, {"31/11/2023 07:08:09"},
           {"05/11/23 07:08:09"}, {"05/11/2023 07:08"}, {"05/11/2023 07:08:09Z"},
           {"2023-11-05T07:08:09Z"}, {"1699168089"}, {""});
    FORMAT("%d.%m.%y", {"05.11.23", "2023-11-05T00:00:00Z"}, {"05.11.69", "1969-11-05T00:00:00Z"},
           {"05.11.68", "2068-11-05T00:00:00Z"});
    FORMAT("%m/%d/%Y %I:%M %p", {"11/05/2023 12:30 AM", "2023-11-05T00:30:00Z"},
           {"11/05/2023 12:30 pm", "2023-11-05T12:30:00Z"},
           {"11/05/2023 1:30 P.M.", "2023-11-05T13:30:00Z"}, {"11/05/2023 13:30 PM"},
           {"11/05/2023 0:30 AM"});
    FORMAT("%a %b %e %T %Y", {"Sun Nov  5 07:08:09 2023", "2023-11-05T07:08:09Z"},
           {"sunday NOVEMBER 5 07:08:09 2023", "2023-11-05T07:08:09Z"},
           {"Son Nov 5 07:08:09 2023"});
    FORMAT("%A, %d-%h-%y %R %Z", {"Sunday, 05-Nov-23 07:08 GMT", "2023-11-05T07:08:00Z"},
           {"Sunday, 05-Nov-23 07:08 CET"}, {"Sunday, 05-Nov-23 07:08 +01"});
    FORMAT("%Y%m%d-%H%M%S%z", {"20231105-070809+0100", "2023-11-05T06:08:09Z"},
           {"20231105-070809Z", "2023-11-05T07:08:09Z"});
    FORMAT("%d/%b/%Y:%T %z", {"05/Nov/2023:07:08:09 -0800", "2023-11-05T15:08:09Z"});
    FORMAT("%F %H:%M:%S.%f", {"2023-11-05 07:08:09.000012", "2023-11-05T07:08:09.000012Z"},
           {"2023-11-05 07:08:09.0000123456789", "2023-11-05T07:08:09.000012345Z"},
           {"2023-11-05 07:08:09", "2023-11-05T07:08:09Z"}, {"2023-11-05 07:08:09."});
    FORMAT("%H:%M:%S:%L %D", {"07:08:09:045 11/05/23", "2023-11-05T07:08:09.045Z"},
           {"07:08:09:45 11/05/23"});
    FORMAT("%Y.%j", {"2023.309", "2023-11-05T00:00:00Z"}, {"2023.366"}, {"2023.0"});
    FORMAT("%Y", {"2023", "2023-01-01T00:00:00Z"}, {"23"}, {"20231"});
    FORMAT("%H:%M", {"07:08", "1970-01-01T07:08:00Z"});
    FORMAT("@%s", {"@1699168089", "2023-11-05T07:08:09Z"},
           {"@1699168089.25", "2023-11-05T07:08:09.250Z"}, {"@-0.25", "1969-12-31T23:59:59.750Z"},
           {"1699168089"});
    FORMAT("%-d.%-m.%Y%n100%%%t", {"5.1.2023 100% ", "2023-01-05T00:00:00Z"},
           {"5.1.2023100%", "2023-01-05T00:00:00Z"});
}

Test(codec_time, a_number_is_read_by_the_format_too) {
    eop_times *times = times_of("%Y", NULL, NULL);
    eop_decimal decimal;
    eop_time_seen seen;
    edgeops_time time = 0;
    cr_assert_eq(eop_decimal_scan(&decimal, "2020", 4), 4);
    cr_assert(eop_time_number(&time, &seen, times, &decimal, "2020", 4));
    cr_assert_eq(time, INT64_C(1577836800000000000));
    cr_assert_eq(seen.form, EOP_TIME_FORMAT);
    cr_assert(!seen.zoned);
    cr_assert_eq(eop_decimal_scan(&decimal, "20.5", 4), 4);
    cr_assert(!eop_time_number(&time, &seen, times, &decimal, "20.5", 4));
    eop_times_free(times);
}

Test(codec_time, formats_do_not_depend_on_the_locale) {
    if (setlocale(LC_ALL, "de_DE.UTF-8") == NULL && setlocale(LC_ALL, "de_AT.UTF-8") == NULL) {
        cr_skip_test("no German locale is installed");
    }
    FORMAT("%d %b %Y", {"5 Dec 2023", "2023-12-05T00:00:00Z"}, {"5 Dez 2023"});
    CHECK(NULL, {"1699168089.5", "2023-11-05T07:08:09.500Z"});
    setlocale(LC_ALL, "C");
}

Test(codec_time, options_that_are_none_are_named) {
    static const struct {
        eop_times_options options;
        const char *says;
    } cases[] = {
        {{.format = "%d.%m.%Q"}, "'%Q'"},
        {{.format = "%d %Ey"}, "'%Ey'"},
        {{.format = "%d %"}, "'%'"},
        {{.format = "%d.%m.%Q"}, "%Y %y %m"},
        {{.format = "yyyy-MM-dd"}, "%d.%m.%Y"},
        {{.format = ""}, "%d.%m.%Y"},
        {{.format = "%I:%M"}, "%p"},
        {{.format = "%H:%M %p"}, "%I"},
        {{.unit = "m"}, "'m'"},
        {{.format = "%Y", .unit = "s"}, "exclude"},
        {{.zone = "Europe/Atlantis"}, "'Europe/Atlantis'"},
        {{.zone = "Europe"}, "'Europe'"},
        {{.zone = ""}, "''"},
        {{.zone = "../zoneinfo/Europe/Vienna"}, "not a time zone"},
        {{.zone = "/usr/share/zoneinfo/Europe/Vienna"}, "not a time zone"},
        {{.zone = "Europe//Vienna"}, "not a time zone"},
        {{.zone = "+25:00"}, "not a time zone"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        eop_times *times = (eop_times *)&times;
        edgeops_status status = eop_times_new(&times, &cases[i].options);
        if (status == EDGEOPS_E_NOTFOUND && access("/usr/share/zoneinfo", F_OK) != 0) {
            continue;
        }
        cr_expect_eq(status, EDGEOPS_E_INVALID, "case %zu", i);
        cr_expect_null(times);
        cr_expect(strstr(edgeops_error_last()->message, cases[i].says) != NULL, "case %zu: %s", i,
                  edgeops_error_last()->message);
    }
}

Test(codec_time, a_fixed_offset_needs_no_file) {
    eop_times *times = times_of(NULL, NULL, "+02:00");
    CHECK(times, {"2023-11-05 07:08", "2023-11-05T05:08:00Z"}, {"20231105", "2023-11-04T22:00:00Z"},
          {"2023-11-05T07:08Z", "2023-11-05T07:08:00Z"}, {"1699168089", "2023-11-05T07:08:09Z"});
    eop_times_free(times);
    times = times_of("%d.%m.%Y %H:%M", NULL, "-0330");
    CHECK(times, {"05.11.2023 07:08", "2023-11-05T10:38:00Z"});
    eop_times_free(times);
    eop_times_free(times_of(NULL, NULL, "UTC"));
}

Test(codec_time, the_repeated_and_the_missing_hour) {
    if (access("/usr/share/zoneinfo/Europe/Vienna", R_OK) != 0) {
        cr_skip_test("no zone files are installed (package tzdata)");
    }
    eop_times *times = times_of(NULL, NULL, "Europe/Vienna");
    CHECK(
        times, {"2023-07-01 12:00", "2023-07-01T10:00:00Z"},
        {"2023-12-01 12:00", "2023-12-01T11:00:00Z"}, {"2150-07-01 12:00", "2150-07-01T10:00:00Z"},
        {"1880-07-01 12:00", "1880-07-01T10:54:39Z"},
        {"2023-10-29 01:59:59", "2023-10-28T23:59:59Z"},
        {"2023-10-29 02:00", "2023-10-29T00:00:00Z"},
        {"2023-10-29 02:59:59.5", "2023-10-29T00:59:59.500Z"},
        {"2023-10-29 03:00", "2023-10-29T02:00:00Z"},
        {"2024-03-31 01:59:59", "2024-03-31T00:59:59Z"},
        {"2024-03-31 02:30", "2024-03-31T01:30:00Z"}, {"2024-03-31 03:00", "2024-03-31T01:00:00Z"},
        {"2024-03-31 02:30+02", "2024-03-31T00:30:00Z"});
    eop_time_seen seen;
    edgeops_time time = 0;
    char text[40];
    cr_assert(read_time(&time, &seen, times, "2023-10-29 02:30:00.25"));
    cr_assert(seen.repeated && !seen.missing && !seen.zoned);
    eop_format_time(text, seen.second);
    cr_assert_str_eq(text, "2023-10-29T01:30:00.250Z");
    cr_assert(read_time(&time, &seen, times, "2024-03-31 02:30"));
    cr_assert(!seen.repeated && seen.missing);
    cr_assert(read_time(&time, &seen, times, "2024-03-31 03:00"));
    cr_assert(!seen.repeated && !seen.missing);
    eop_times_free(times);
}

Test(codec_time, moments_that_people_give) {
    static const time_case cases[] = {
        {"now", "2026-03-01T12:00:00Z"},
        {"now-1d", "2026-02-28T12:00:00Z"},
        {"now+90s", "2026-03-01T12:01:30Z"},
        {"-1h", "2026-03-01T11:00:00Z"},
        {"-30m", "2026-03-01T11:30:00Z"},
        {"-1.5h", "2026-03-01T10:30:00Z"},
        {"+2 h", "2026-03-01T14:00:00Z"},
        {"2026-01-31", "2026-01-31T00:00:00Z"},
        {"2026-01-31 08:30+02", "2026-01-31T06:30:00Z"},
        {"20260131", "2026-01-31T00:00:00Z"},
        {"1769848200", "2026-01-31T08:30:00Z"},
        {"1769848200000", "2026-01-31T08:30:00Z"},
        {"1769848200000000001", "2026-01-31T08:30:00.000000001Z"},
        {"1.7698482E9", "2026-01-31T08:30:00Z"},
        {"100000000", "1973-03-03T09:46:40Z"},
        {"0", "1970-01-01T00:00:00Z"},
        /* a year, seconds, nanoseconds? */
        {"2026"},
        {"1000"},
        {"-86400"},
        {"99999999"},
        {"now "},
        {"nowish"},
        {"now1h"},
        {"-1"},
        {"-1 week"},
        {"-9999999d"},
        {"yesterday"},
        {""},
    };
    const edgeops_time now = INT64_C(1772366400000000000);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[40] = "";
        edgeops_time time = 42;
        bool good = eop_when(&time, cases[i].text, now);
        cr_expect_eq(good, cases[i].time != NULL, "%s", cases[i].text);
        if (good && cases[i].time != NULL) {
            eop_format_time(text, time);
            cr_expect_str_eq(text, cases[i].time, "%s became %s", cases[i].text, text);
        } else {
            cr_expect_eq(time, 42, "%s", cases[i].text);
        }
    }
    edgeops_time time = 0;
    cr_expect_eq(edgeops_time_parse(&time, "2026-03-01T12"), EDGEOPS_OK);
    cr_expect_eq(time, now);
    cr_expect_eq(edgeops_time_parse(&time, "2026"), EDGEOPS_E_INVALID);
    cr_expect_not_null(strstr(edgeops_error_last()->message, "'2026' is not a time"));
}

/* -- memory runs out -- */

Test(codec_time, no_memory_is_an_error_and_loses_nothing) {
    bool zones = access("/usr/share/zoneinfo/Europe/Vienna", R_OK) == 0;
    const eop_times_options options = {.format = "%d.%m.%Y %H:%M",
                                       .zone = zones ? "Europe/Vienna" : "+01:00"};
    take_failing_memory();
    edgeops_status status = EDGEOPS_E_NOMEM;
    for (fail_at = 1; status != EDGEOPS_OK; fail_at++) {
        eop_times *times = NULL;
        allocations = 0;
        status = eop_times_new(&times, &options);
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM, "%ld: %d", fail_at, status);
        cr_assert_eq(status == EDGEOPS_OK, times != NULL);
        eop_times_free(times);
        cr_assert_eq(alive, 0, "%ld: %ld are left", fail_at, alive);
    }
    cr_assert_gt(fail_at, 3);
}

/* -- files of zones that nobody has -- */

static char folder[] = "/tmp/edgeops-zones-XXXXXX";

static void put_zone(const char *name, const void *data, size_t size) {
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *file = fopen(path, "wb");
    cr_assert_not_null(file);
    cr_assert_eq(fwrite(data, 1, size, file), size);
    fclose(file);
}

static void drop_zone(const char *name) {
    char path[200];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    unlink(path);
}

/* Both parts with one type and no change, then the footer. */
static size_t make_zone(char *out, const char *footer) {
    static const unsigned char header[] = {'T', 'Z', 'i', 'f', '2', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                           0,   0,   0,   0,   0,   0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
                                           0,   0,   0,   0,   0,   0, 0, 0, 0, 1, 0, 0, 0, 4};
    static const unsigned char body[] = {0, 0, 0x0e, 0x10, 0, 0, 'X', 'X', 'X', 0};
    size_t n = 0;
    for (int i = 0; i < 2; i++) {
        memcpy(out + n, header, sizeof(header));
        memcpy(out + n + sizeof(header), body, sizeof(body));
        n += sizeof(header) + sizeof(body);
    }
    return n + (size_t)sprintf(out + n, "\n%s\n", footer);
}

Test(codec_time, footers_rules_and_damaged_files) {
    static const struct {
        const char *footer;
        const char *summer; /**< 2023-07-01T12:00 there; NULL: refused */
    } cases[] = {
        {"XXX-1", "2023-07-01T11:00:00Z"},
        {"<+0530>-5:30", "2023-07-01T06:30:00Z"},
        {"XXX-1YYY,M3.5.0,M10.5.0/3", "2023-07-01T10:00:00Z"},
        {"XXX5YYY3:30,J60/0,J300/0", "2023-07-01T15:30:00Z"},
        {"XXX3YYY2,M10.1.0/-1,M2.4.6/167:59:59", "2023-07-01T15:00:00Z"},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", "2023-07-01T11:00:00Z"},
        {"XXX4YYY,0/0,J365/25", "2023-07-01T15:00:00Z"},
        {"", "2023-07-01T11:00:00Z"},
        {"XX-1", NULL},
        {"XXX", NULL},
        {"XXX-1YYY", NULL},
        {"XXX-1YYY,M13.1.0,M1.1.0", NULL},
        {"XXX-1YYY,M3.5.0", NULL},
        {"XXX-1YYY,M3.5.0,M10.5.0x", NULL},
        {"XXX-25", NULL},
        {"<XXX-1", NULL},
    };
    char data[400];
    cr_assert_not_null(mkdtemp(folder));
    setenv("TZDIR", folder, 1);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        put_zone("Own", data, make_zone(data, cases[i].footer));
        eop_times *times = NULL;
        const eop_times_options options = {.zone = "Own"};
        edgeops_status status = eop_times_new(&times, &options);
        if (cases[i].summer == NULL) {
            cr_expect_eq(status, EDGEOPS_E_INVALID, "%s", cases[i].footer);
            continue;
        }
        cr_assert_eq(status, EDGEOPS_OK, "%s", cases[i].footer);
        const time_case one = {"2023-07-01 12:00", cases[i].summer};
        check(times, &one, 1);
        eop_times_free(times);
    }
    /* A file that ends anywhere is refused or, behind its first part, read; it is never read past. */
    size_t size = make_zone(data, "XXX-1YYY,M3.5.0,M10.5.0/3");
    for (size_t n = 0; n < size; n++) {
        eop_times *times = NULL;
        const eop_times_options options = {.zone = "Own"};
        put_zone("Own", data, n);
        cr_expect_eq(eop_times_new(&times, &options), EDGEOPS_E_INVALID, "%zu bytes", n);
        eop_times_free(times);
    }
    drop_zone("Own");
    rmdir(folder);
    eop_times *times = NULL;
    const eop_times_options options = {.zone = "Europe/Vienna"};
    cr_assert_eq(eop_times_new(&times, &options), EDGEOPS_E_NOTFOUND);
    cr_assert_not_null(strstr(edgeops_error_last()->message, "tzdata"));
}
