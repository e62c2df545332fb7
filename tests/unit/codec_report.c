/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "codec/report.h"

static eop_report *report;
static eop_json *json;

static void setup(void) {
    report = eop_report_new();
    cr_assert_not_null(report);
}

static void teardown(void) {
    eop_json_free(json);
    eop_report_free(report);
}

TestSuite(codec_report, .init = setup, .fini = teardown, .timeout = 60);

static const eop_json *at(const eop_json *array, size_t i) {
    const eop_json *item = eop_json_first(array);
    while (i-- > 0 && item != NULL) {
        item = eop_json_next(item);
    }
    cr_assert_not_null(item);
    return item;
}

Test(codec_report, channels_count_values_and_nulls_by_word) {
    size_t a = eop_report_channel(report, "a", EDGEOPS_TYPE_NULL, 1, NULL, "found");
    size_t b = eop_report_channel(report, "b", EDGEOPS_TYPE_FLOAT32, 16, "bar", "given");
    cr_expect_eq(eop_report_channel(report, "a", EDGEOPS_TYPE_FLOAT64, 1, "K", NULL), a);
    eop_report_value(report, a);
    eop_report_null(report, a, "NA");
    eop_report_null(report, a, "NA");
    eop_report_null(report, a, "");
    eop_report_value(report, b);
    eop_report_value(report, SIZE_MAX);
    json = eop_report_json(report);
    const eop_json *first = at(eop_json_get(json, "channels"), 0);
    cr_expect_str_eq(eop_json_string(first, "name", ""), "a");
    cr_expect_str_eq(eop_json_string(first, "type", ""), "float64");
    cr_expect_str_eq(eop_json_string(first, "why", ""), "found");
    cr_expect_str_eq(eop_json_string(first, "unit", ""), "K");
    cr_expect_eq(eop_json_integer(first, "values", 0), 1);
    cr_expect_eq(eop_json_integer(first, "nulls", 0), 3);
    cr_expect_eq(eop_json_integer(eop_json_get(first, "words"), "NA", 0), 2);
    const eop_json *second = at(eop_json_get(json, "channels"), 1);
    cr_expect_str_eq(eop_json_string(second, "type", ""), "float32[16]");
    cr_expect_null(eop_json_get(json, "first"));
}

Test(codec_report, times_have_a_range_a_form_and_a_zone) {
    eop_time_seen iso = {.form = EOP_TIME_ISO, .missing = true};
    eop_time_seen number = {.form = EOP_TIME_NUMBER, .unit = EOP_UNIT_MS, .zoned = true};
    eop_report_time(report, 5000000000, &iso);
    eop_report_time(report, 1000000000, &iso);
    json = eop_report_json(report);
    const eop_json *times = eop_json_get(json, "times");
    cr_expect_str_eq(eop_json_string(json, "first", ""), "1970-01-01T00:00:01Z");
    cr_expect_str_eq(eop_json_string(json, "last", ""), "1970-01-01T00:00:05Z");
    cr_expect_str_eq(eop_json_string(times, "form", ""), "iso");
    cr_expect_str_eq(eop_json_string(times, "zone", ""), "UTC (assumed)");
    cr_expect_eq(eop_json_integer(times, "missing", 0), 2);
    eop_json_free(json);
    eop_report_zone(report, "Europe/Vienna");
    eop_report_time(report, 1000000000, &number);
    json = eop_report_json(report);
    times = eop_json_get(json, "times");
    cr_expect_str_eq(eop_json_string(times, "form", ""), "several");
    cr_expect_str_eq(eop_json_string(times, "unit", ""), "ms");
    cr_expect_str_eq(eop_json_string(times, "zone", ""), "Europe/Vienna");
}

Test(codec_report, bad_rows_are_counted_by_reason_and_the_first_hundred_shown) {
    char line[64];
    char wide[200];
    memset(wide, 'x', sizeof wide);
    memcpy(wide + 58, "\xc3\xa4\xc3\xa4", 4); /* the cut falls between its bytes */
    for (int i = 0; i < 150; i++) {
        snprintf(line, sizeof line, "text %d", i);
        eop_report_bad(report, (uint64_t)i + 2, "temp", i < 120 ? "not a time" : "too few fields",
                       line, strlen(line));
    }
    json = eop_report_json(report);
    cr_expect_eq(eop_json_integer(json, "skipped", 0), 150);
    cr_expect_eq(eop_json_size(eop_json_get(json, "bad_rows")), EOP_REPORT_ROWS);
    const eop_json *reason = at(eop_json_get(json, "reasons"), 1);
    cr_expect_str_eq(eop_json_string(reason, "reason", ""), "too few fields");
    cr_expect_eq(eop_json_integer(reason, "rows", 0), 30);
    const eop_json *row = at(eop_json_get(json, "bad_rows"), 99);
    cr_expect_eq(eop_json_integer(row, "line", 0), 101);
    cr_expect_str_eq(eop_json_string(row, "text", ""), "text 99");
    cr_expect_str_eq(eop_json_string(row, "column", ""), "temp");
    eop_json_free(json);
    eop_report_free(report);
    report = eop_report_new();
    eop_report_bad(report, 7, NULL, "wide", wide, sizeof wide);
    eop_report_bad(report, 8, NULL, "none", NULL, 0);
    json = eop_report_json(report);
    const char *text = eop_json_string(at(eop_json_get(json, "bad_rows"), 0), "text", "");
    cr_expect_eq(strlen(text), 63, "%s", text);
    cr_expect_eq(eop_utf8_valid(text, strlen(text)), strlen(text));
    cr_expect_null(eop_json_get(at(eop_json_get(json, "bad_rows"), 1), "text"));
}

Test(codec_report, sentences_come_once_and_are_bounded) {
    for (int i = 0; i < 40; i++) {
        eop_report_warn(report, "number %d", i);
        eop_report_warn(report, "number %d", i / 2);
        eop_report_note(report, "the same");
    }
    json = eop_report_json(report);
    cr_expect_eq(eop_json_size(eop_json_get(json, "notes")), 1);
    const eop_json *warnings = eop_json_get(json, "warnings");
    cr_expect_eq(eop_json_size(warnings), 33);
    cr_expect_str_eq(eop_json_text(at(warnings, 0)), "number 0");
    cr_expect_str_eq(eop_json_text(at(warnings, 32)), "and 8 more");
}

Test(codec_report, times_that_look_wrong_are_warned_of) {
    const eop_time_seen seen = {.form = EOP_TIME_NUMBER, .unit = EOP_UNIT_NS, .zoned = true};
    eop_report_time(report, 0, NULL); /* of a start and a period */
    eop_report_clocks(report);
    json = eop_report_json(report);
    cr_expect_null(eop_json_first(eop_json_get(json, "warnings")));
    eop_json_free(json);
    eop_report_time(report, INT64_C(1793000000000000000), &seen);
    eop_report_clocks(report);
    json = eop_report_json(report);
    const eop_json *warning = at(eop_json_get(json, "warnings"), 0);
    cr_expect_not_null(strstr(eop_json_text(warning), "not all between 1980 and 2100"));
}
