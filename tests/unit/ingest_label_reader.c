/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that are labels. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "edgeops/ingest.h"
#include "ingest/label_reader.h"

TestSuite(ingest_label_reader, .timeout = 30);

static eop_label_reader *make(const char *config) {
    eop_json *json = NULL;
    eop_label_reader *reader = NULL;
    cr_assert_eq(eop_json_parse(&json, config, strlen(config), "labels", NULL), EDGEOPS_OK);
    cr_assert_eq(eop_label_reader_new(&reader, json, "mqtt", "line"), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    eop_json_free(json);
    return reader;
}

static void expect(eop_label_reader *reader, const char *message, const char *expected) {
    const edgeops_label *labels = NULL;
    size_t n = 0;
    char text[1024] = "";
    cr_assert_eq(
        eop_label_reader_decode(reader, "plant/m7/labels", message, strlen(message), &labels, &n),
        EDGEOPS_OK, "%s: %s", message, edgeops_error_last()->message);
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s|%lld|%lld|%s|%s|%s;", labels[i].asset,
                 (long long)labels[i].start, (long long)labels[i].end, labels[i].label,
                 labels[i].author, labels[i].source);
    }
    cr_expect_str_eq(text, expected);
}

static void refuse(eop_label_reader *reader, const char *message, const char *part) {
    const edgeops_label *labels = NULL;
    size_t n = 0;
    cr_expect_eq(eop_label_reader_decode(reader, "t", message, strlen(message), &labels, &n),
                 EDGEOPS_E_INVALID, "%s", message);
    cr_expect_not_null(strstr(edgeops_error_last()->message, part), "'%s' is not in '%s'", part,
                       edgeops_error_last()->message);
}

Test(ingest_label_reader, reads_points_and_intervals_exactly) {
    eop_label_reader *r = make("{\"topics\":[\"#\"],\"asset\":\"{2}\"}");
    expect(r, "{\"start\":\"2026-01-01T00:00:00Z\",\"label\":\"ok\"}",
           "m7|1767225600000000000|1767225600000000000|ok||mqtt:line/plant/m7/labels;");
    expect(r,
           "{\"time\":1767225600.1,\"end\":1767225601.000000001,\"label\":\"ok\",\"author\":\"a\","
           "\"asset\":\"x/y\",\"more\":{\"deep\":[1]}}",
           "x/y|1767225600100000000|1767225601000000001|ok|a|mqtt:line/plant/m7/labels;");
    expect(r, "[{\"start\":1,\"label\":\"a\"},{\"start\":2,\"end\":null,\"label\":\"b\"}]",
           "m7|1000000000|1000000000|a||mqtt:line/plant/m7/labels;"
           "m7|2000000000|2000000000|b||mqtt:line/plant/m7/labels;");
    expect(r, "{\"start\":1767225600123456789,\"label\":7}",
           "m7|1767225600123456789|1767225600123456789|7||mqtt:line/plant/m7/labels;");
    eop_label_reader_free(r);
}

Test(ingest_label_reader, members_have_other_names) {
    eop_label_reader *r =
        make("{\"topics\":[\"#\"],\"asset\":\"a\",\"time_unit\":\"ms\",\"members\":{\"start\":"
             "\"at.from\",\"end\":\"at.to\",\"label\":\"class\",\"author\":\"by\"}}");
    expect(r, "{\"at\":{\"from\":5,\"to\":7},\"class\":\"c\",\"by\":\"b\",\"label\":\"no\"}",
           "a|5000000|7000000|c|b|mqtt:line/plant/m7/labels;");
    eop_label_reader_free(r);
    r = make("{\"topics\":[\"#\"],\"asset\":\"a\",\"members\":{\"start\":\"time\"}}");
    expect(r, "{\"time\":5,\"label\":\"c\"}",
           "a|5000000000|5000000000|c||mqtt:line/plant/m7/labels;");
    eop_label_reader_free(r);
}

Test(ingest_label_reader, a_member_names_the_asset) {
    eop_label_reader *r = make("{\"topics\":[\"#\"],\"asset\":\"{2}/{meta.line}\"}");
    expect(r, "{\"start\":1,\"label\":\"ok\",\"meta\":{\"line\":7}}",
           "m7/7|1000000000|1000000000|ok||mqtt:line/plant/m7/labels;");
    refuse(r, "{\"start\":1,\"label\":\"ok\"}", "meta.line");
    eop_label_reader_free(r);
}

Test(ingest_label_reader, times_by_format_and_in_a_zone) {
    eop_label_reader *r =
        make("{\"topics\":[\"#\"],\"asset\":\"a\",\"time_format\":\"%d.%m.%Y %H:%M\","
             "\"time_zone\":\"+02:00\"}");
    expect(r, "{\"start\":\"01.01.2026 02:00\",\"end\":\"01.01.2026 03:00\",\"label\":\"x\"}",
           "a|1767225600000000000|1767229200000000000|x||mqtt:line/plant/m7/labels;");
    refuse(r, "{\"start\":\"2026-01-01T00:00:00Z\",\"label\":\"x\"}",
           "start '2026-01-01T00:00:00Z'");
    eop_label_reader_free(r);
    r = make("{\"topics\":[\"#\"],\"asset\":\"a\"}");
    expect(r, "{\"start\":\"20260101\",\"end\":\"2026-01-01 01:00\",\"label\":\"x\"}",
           "a|1767225600000000000|1767229200000000000|x||mqtt:line/plant/m7/labels;");
    expect(r, "{\"start\":\"1767225600\",\"end\":\"N/A\",\"label\":\"NA\"}",
           "a|1767225600000000000|1767225600000000000|NA||mqtt:line/plant/m7/labels;");
    eop_label_reader_free(r);
    eop_json *json = NULL;
    const char *const bad[] = {"{\"topics\":[\"#\"],\"time_zone\":\"Nowhere/City\"}",
                               "{\"topics\":[\"#\"],\"time_format\":\"%d.%Q\"}",
                               "{\"topics\":[\"#\"],\"time_format\":\"%d\",\"time_unit\":\"s\"}"};
    for (size_t i = 0; i < 3; i++) {
        cr_assert_eq(eop_json_parse(&json, bad[i], strlen(bad[i]), "labels", NULL), EDGEOPS_OK);
        cr_expect_lt(eop_label_reader_new(&r, json, "mqtt", "line"), 0, "%s", bad[i]);
        cr_expect_null(r);
        eop_json_free(json);
    }
}

Test(ingest_label_reader, the_end_in_a_repeated_hour) {
    if (access("/usr/share/zoneinfo/Europe/Vienna", R_OK) != 0) {
        cr_skip_test("no zone files are installed (package tzdata)");
    }
    eop_label_reader *r =
        make("{\"topics\":[\"#\"],\"asset\":\"a\",\"time_zone\":\"Europe/Vienna\"}");
    expect(r, "{\"start\":\"2023-10-29 02:50\",\"end\":\"2023-10-29 02:10\",\"label\":\"x\"}",
           "a|1698540600000000000|1698541800000000000|x||mqtt:line/plant/m7/labels;");
    eop_label_reader_free(r);
}

Test(ingest_label_reader, what_is_no_label_is_refused) {
    eop_label_reader *r = make("{\"topics\":[\"#\"]}");
    refuse(r, "", "");
    refuse(r, "{", "");
    refuse(r, "{}", "");
    refuse(r, "[]", "");
    refuse(r, "{\"start\":1}", "no text");
    refuse(r, "{\"label\":\"x\"}", "no start");
    refuse(r, "{\"start\":1,\"label\":\"\"}", "no text");
    refuse(r, "{\"start\":\"soon\",\"label\":\"x\"}", "'soon' is not a time");
    refuse(r, "[{\"start\":1,\"label\":\"x\"},{\"start\":1,\"end\":\"later\",\"label\":\"x\"}]",
           "label 2: end");
    refuse(r, "{\"start\":1,\"label\":{\"a\":1}}", "");
    refuse(r, "{\"start\":1,\"label\":\"x\",\"label\":\"y\"}", "");
    eop_label_reader_free(r);
}

Test(ingest_label_reader, takes_topics_as_the_broker_does) {
    static const struct {
        const char *filter;
        const char *topic;
        bool takes;
    } cases[] = {{"a/+/l", "a/b/l", true},
                 {"a/+/l", "a/b/c/l", false},
                 {"a/#", "a", true},
                 {"a/#", "a/b/c", true},
                 {"a/#", "ab", false},
                 {"#", "a/b", true},
                 {"+", "a", true},
                 {"+", "a/b", false},
                 {"a/+", "a/", true},
                 {"a", "a/b", false},
                 {"a/b", "a", false},
                 {"+/+", "/a", true},
                 {"$share/g/a/+", "a/b", true},
                 {"$share/g/a/+", "g/a/b", false}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char config[128];
        snprintf(config, sizeof config, "{\"topics\":[\"x\",\"%s\"]}", cases[i].filter);
        eop_label_reader *r = make(config);
        cr_expect_eq(eop_label_reader_takes(r, cases[i].topic), cases[i].takes, "%s %s",
                     cases[i].filter, cases[i].topic);
        eop_label_reader_free(r);
    }
    cr_expect(!eop_label_reader_takes(NULL, "a"));
}

Test(ingest_label_reader, a_bad_configuration_is_named) {
    static const struct {
        const char *labels;
        const char *part;
    } bad[] = {{"{}", "topics"},
               {"{\"topics\":[]}", "topics"},
               {"{\"topics\":[\"a/#/b\"]}", "labels/topics/0"},
               {"{\"topics\":[\"a\"],\"colour\":1}", "colour"},
               {"{\"topics\":[\"a\"],\"asset\":\"{0}\"}", "labels"},
               {"{\"topics\":[\"a\"],\"members\":{\"label\":\"end\"}}", "labels"}};
    if (edgeops_source_check("mqtt", "{}") == EDGEOPS_E_NOTFOUND) {
        cr_skip_test("built without MQTT");
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        char config[256];
        snprintf(config, sizeof config, "{\"url\":\"h\",\"labels\":%s}", bad[i].labels);
        cr_expect_eq(edgeops_source_check("mqtt", config), EDGEOPS_E_INVALID, "%s", config);
        cr_expect_not_null(strstr(edgeops_error_last()->message, bad[i].part), "%s: %s", config,
                           edgeops_error_last()->message);
    }
    cr_expect_eq(edgeops_source_check("mqtt", "{\"url\":\"h\",\"labels\":{\"topics\":[\"a\"]}}"),
                 EDGEOPS_OK, "%s", edgeops_error_last()->message);
}
