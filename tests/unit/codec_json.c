/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/json.h"

#include <criterion/criterion.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "codec/json_reader.h"
#include "codec_corpus.h"
#include "failing_memory.h"

static bool reads(const char *text, size_t size) {
    eop_reader reader;
    eop_token token = EOP_TOKEN_NULL;
    eop_reader_init(&reader, text, size, EOP_READER_DEPTH);
    while (token != EOP_TOKEN_END && token != EOP_TOKEN_ERROR) {
        token = eop_reader_next(&reader);
    }
    return token == EOP_TOKEN_END;
}

static edgeops_status parse(eop_json **out, const char *text) {
    return eop_json_parse(out, text, strlen(text), "doc", NULL);
}

static void refused(const char *text, edgeops_status code, const char *message) {
    eop_json *json = NULL;
    cr_expect_eq(parse(&json, text), code, "%s", text);
    cr_expect_null(json);
    cr_expect_str_eq(edgeops_error_last()->message, message);
    eop_json_free(json);
}

static uint64_t bits(double value) {
    uint64_t out;
    memcpy(&out, &value, sizeof(out));
    return out;
}

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void) { /* xorshift64 */
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state;
}

/* Sound JSON that a control document may not hold: double keys, NUL. */
static bool is_refused(const char *name) {
    return strstr(name, "duplicated_key") != NULL || strstr(name, "null_in_key") != NULL ||
           strcmp(name, "y_string_null_escape.json") == 0;
}

static void check_any_file(const char *name, const char *data, size_t size) {
    eop_json *json = NULL;
    eop_json *again = NULL;
    if (eop_json_parse(&json, data, size, name, NULL) == EDGEOPS_OK) {
        char *text = eop_json_print(json);
        cr_expect_eq(parse(&again, text), EDGEOPS_OK, "%s: %s", name, text);
        char *text_again = eop_json_print(again);
        cr_expect_str_eq(text_again, text, "%s", name);
        eop_free(text_again);
        eop_free(text);
    }
    eop_json_free(again);
    eop_json_free(json);
}

static void check_suite_file(const char *name, const char *data, size_t size) {
    eop_json *json = NULL;
    bool read = reads(data, size);
    bool parsed = eop_json_parse(&json, data, size, name, NULL) == EDGEOPS_OK;
    if (name[0] == 'y') {
        cr_expect(read, "%s", name);
        cr_expect_eq(parsed, !is_refused(name), "%s: %s", name, edgeops_error_last()->message);
    } else if (name[0] == 'n') {
        cr_expect(!read && !parsed, "%s", name);
    }
    eop_json_free(json);
    check_any_file(name, data, size);
}

Test(codec_json, json_test_suite) {
    size_t files = corpus_each("json-torture/JSONTestSuite/test_parsing", check_suite_file);
    cr_assert(files == 0 || files == 318, "%zu files", files);
    corpus_each("json-torture/JSONTestSuite/test_transform", check_any_file);
}

static void check_checker_file(const char *name, const char *data, size_t size) {
    if (strstr(name, "EXCLUDE") == NULL) {
        cr_expect_eq(reads(data, size), strncmp(name, "pass", 4) == 0, "%s", name);
    }
}

static void check_roundtrip_file(const char *name, const char *data, size_t size) {
    eop_json *json = NULL;
    eop_json *again = NULL;
    if (eop_json_parse(&json, data, size, name, NULL) != EDGEOPS_OK) {
        cr_expect(strstr(edgeops_error_last()->message, "2^53") != NULL, "%s: %s", name,
                  edgeops_error_last()->message);
        return;
    }
    char *text = eop_json_print(json);
    cr_expect_eq(parse(&again, text), EDGEOPS_OK, "%s", name);
    const eop_json *a = eop_json_first(json);
    const eop_json *b = eop_json_first(again);
    cr_expect_eq(bits(eop_json_value(a)), bits(eop_json_value(b)), "%s: %s", name, text);
    eop_json_free(json);
    eop_json_free(again);
    eop_free(text);
}

Test(codec_json, native_json_benchmark) {
    corpus_each("json-torture/nativejson/jsonchecker", check_checker_file);
    corpus_each("json-torture/nativejson/roundtrip", check_roundtrip_file);
    corpus_each("json-torture/blns", check_any_file);
}

Test(codec_json, errors_tell_line_column_and_reason) {
    refused("", EDGEOPS_E_INVALID, "doc:1:1: nothing but blanks");
    refused("{\"a\":1}\n x", EDGEOPS_E_INVALID, "doc:2:2: more text behind the value");
    refused("{\"\xc3\xa9\":1 \"b\":2}", EDGEOPS_E_INVALID, "doc:1:8: a comma or '}' is missing");
    refused("[1,]", EDGEOPS_E_INVALID, "doc:1:4: a value is missing or misspelt");
    refused("{\"a\":1,}", EDGEOPS_E_INVALID, "doc:1:8: a comma with nothing behind it");
    refused("[01]", EDGEOPS_E_INVALID, "doc:1:2: a malformed number");
    refused("[1e999]", EDGEOPS_E_INVALID, "doc:1:2: this number is beyond float64");
    refused("[NaN]", EDGEOPS_E_INVALID, "doc:1:2: NaN and Infinity are no JSON numbers");
    refused("{'a':1}", EDGEOPS_E_INVALID, "doc:1:2: a key in double quotes is missing");
    refused("\"\\ud800x\"", EDGEOPS_E_INVALID, "doc:1:2: half of a surrogate pair");
    refused("\"a\xff\"", EDGEOPS_E_INVALID, "doc:1:3: bytes that are not UTF-8");
    refused("\"a\\u0000\"", EDGEOPS_E_INVALID, "doc:1:1: \\u0000 has no place in a text");
    refused("\xef\xbb\xbf{}", EDGEOPS_E_INVALID,
            "doc:1:1: a byte order mark: save the file as UTF-8 without one");
    refused("{\"a\":{\"b\":1},\n\"a\":2}", EDGEOPS_E_INVALID,
            "doc:2:1: this key is there twice in one object: a");
    refused("[9007199254740993]", EDGEOPS_E_INVALID,
            "doc:1:2: this integer is beyond +-2^53 and would lose digits: write it as a string");
}

Test(codec_json, equal_keys_in_two_objects_are_fine) {
    eop_json *json = NULL;
    cr_assert_eq(parse(&json, "[{\"a\":1,\"b\":{\"a\":2}},{\"a\":3}]"), EDGEOPS_OK);
    eop_json_free(json);
}

Test(codec_json, limits_hold) {
    eop_json *json = NULL;
    eop_json_limits depth = {.max_depth = 2};
    eop_json_limits nodes = {.max_nodes = 3};
    eop_json_limits size = {.max_bytes = 4};
    cr_expect_eq(eop_json_parse(&json, "[[1]]", 5, "doc", &depth), EDGEOPS_OK);
    eop_json_free(json);
    cr_expect_eq(eop_json_parse(&json, "[[[]]]", 6, "doc", &depth), EDGEOPS_E_LIMIT);
    cr_expect_eq(eop_json_parse(&json, "[1,2]", 5, "doc", &nodes), EDGEOPS_OK);
    eop_json_free(json);
    cr_expect_eq(eop_json_parse(&json, "[1,2,3]", 7, "doc", &nodes), EDGEOPS_E_LIMIT);
    cr_expect_eq(eop_json_parse(&json, "[1,2]", 5, "doc", &size), EDGEOPS_E_LIMIT);
    cr_expect_null(json);
}

Test(codec_json, many_keys_of_one_object_take_linear_time) {
    eop_buf buf = {0};
    eop_json *json = NULL;
    for (int i = 0; i < 200000; i++) {
        eop_buf_printf(&buf, "%s\"key%d\":%d", i == 0 ? "{" : ",", i, i);
    }
    eop_buf_puts(&buf, "}");
    cr_assert_eq(eop_json_parse(&json, buf.data, buf.size, "doc", NULL), EDGEOPS_OK);
    cr_expect_eq(eop_json_size(json), 200000);
    eop_json_free(json);
    eop_buf_dispose(&buf);
}

Test(codec_json, getters_give_the_default_for_what_is_not_there) {
    eop_json *json = NULL;
    cr_assert_eq(parse(&json, "{\"s\":\"t\",\"n\":1.5,\"i\":-7,\"b\":true,\"z\":null,\"l\":[1,2],"
                              "\"big\":\"9223372036854775807\",\"small\":\"12\"}"),
                 EDGEOPS_OK);
    cr_expect_str_eq(eop_json_string(json, "s", "d"), "t");
    cr_expect_str_eq(eop_json_string(json, "n", "d"), "d");
    cr_expect_eq(eop_json_number(json, "n", 0), 1.5);
    cr_expect_eq(eop_json_integer(json, "i", 0), -7);
    cr_expect_eq(eop_json_integer(json, "n", 3), 3);
    cr_expect_eq(eop_json_integer(json, "big", 3), INT64_MAX);
    cr_expect_eq(eop_json_integer(json, "small", 3), 3);
    cr_expect_eq(eop_json_bool(json, "b", false), true);
    cr_expect_eq(eop_json_bool(json, "none", true), true);
    cr_expect_eq(eop_json_type(eop_json_get(json, "z")), EOP_JSON_NULL);
    cr_expect_eq(eop_json_size(eop_json_get(json, "l")), 2);
    cr_expect_null(eop_json_get(eop_json_get(json, "l"), "x"));
    cr_expect_null(eop_json_get(NULL, "x"));
    cr_expect_str_eq(eop_json_key(eop_json_first(json)), "s");
    eop_json_free(json);
}

Test(codec_json, builder_prints_what_was_set) {
    eop_json *json = eop_json_object();
    eop_json *list = eop_json_array();
    eop_json_set_string(json, "text", "q\"\\\n\x01\x7f\xc3\xa9\xff");
    eop_json_set_string(json, "none", NULL);
    eop_json_set_number(json, "nan", (double)NAN);
    eop_json_set_number(json, "third", 0.1);
    eop_json_set_number(json, "huge", 9007199254740994.0);
    eop_json_set_integer(json, "n", 5);
    eop_json_set_integer(json, "n", INT64_MIN);
    eop_json_set_bool(json, "yes", true);
    eop_json_set_time(json, "t", 1500000000);
    eop_json_append_string(list, "a");
    eop_json_append_format(list, "%s of %d", "\"b\"", 2);
    eop_json_append(list, eop_json_copy(json));
    eop_json_remove(json, "yes");
    eop_json_set(json, "list", list);
    char *text = eop_json_print(json);
    cr_expect_str_eq(text,
                     "{\"text\":\"q\\\"\\\\\\n\\u0001\x7f\xc3\xa9\xef\xbf\xbd\",\"none\":null,"
                     "\"nan\":null,\"third\":0.1,\"huge\":9007199254740994.0,"
                     "\"n\":\"-9223372036854775808\",\"t\":\"1970-01-01T00:00:01.500Z\","
                     "\"list\":[\"a\",\"\\\"b\\\" of "
                     "2\",{\"text\":\"q\\\"\\\\\\n\\u0001\x7f\xc3\xa9\xef\xbf\xbd\","
                     "\"none\":null,\"nan\":null,\"third\":0.1,\"huge\":9007199254740994.0,"
                     "\"n\":\"-9223372036854775808\",\"yes\":true,"
                     "\"t\":\"1970-01-01T00:00:01.500Z\"}]}");
    eop_free(text);
    eop_json_free(json);
}

Test(codec_json, a_tree_that_lost_a_member_does_not_print) {
    eop_json *json = eop_json_object();
    eop_json *inner = eop_json_object();
    eop_json_set(inner, "lost", NULL);
    eop_json_set(json, "inner", inner);
    cr_expect_null(eop_json_print(json));
    eop_json *copy = eop_json_copy(json);
    cr_expect_null(eop_json_print_pretty(copy));
    eop_json_free(copy);
    eop_json_free(json);
    eop_json_set_bool(NULL, "x", true);
    eop_json_append(NULL, eop_json_object());
    cr_expect_null(eop_json_print(NULL));
}

Test(codec_json, pretty_print_is_indented) {
    eop_json *json = NULL;
    cr_assert_eq(parse(&json, "{\"a\":[1,{}],\"b\":[]}"), EDGEOPS_OK);
    char *text = eop_json_print_pretty(json);
    cr_expect_str_eq(text, "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
    eop_free(text);
    eop_json_free(json);
}

Test(codec_json, locate_finds_keys_and_values) {
    const char *text = "{\n  \"a/b\": [10, {\"c\": true}],\n  \"~\\u00e9\": 5\n}";
    size_t line = 0;
    size_t column = 0;
    cr_assert(eop_json_locate(text, strlen(text), "", false, &line, &column));
    cr_expect(line == 1 && column == 1);
    cr_assert(eop_json_locate(text, strlen(text), "/a~1b/1/c", false, &line, &column));
    cr_expect(line == 2 && column == 21, "%zu:%zu", line, column);
    cr_assert(eop_json_locate(text, strlen(text), "/a~1b/1/c", true, &line, &column));
    cr_expect(line == 2 && column == 16, "%zu:%zu", line, column);
    cr_assert(eop_json_locate(text, strlen(text), "/~0\xc3\xa9", true, &line, &column));
    cr_expect(line == 3 && column == 3, "%zu:%zu", line, column);
    cr_expect_not(eop_json_locate(text, strlen(text), "/a~1b/2", false, &line, &column));
    cr_expect_not(eop_json_locate(text, strlen(text), "/a~1b/01", false, &line, &column));
    cr_expect_not(eop_json_locate(text, strlen(text), "/none", false, &line, &column));
    cr_expect_not(eop_json_locate("[1", 2, "/1", false, &line, &column));
}

static double to_double(const char *text) {
    eop_decimal d;
    double value = -1;
    size_t size = strlen(text);
    cr_expect_eq(eop_decimal_scan(&d, text, size), size, "%s", text);
    cr_expect(eop_decimal_double(&value, &d, text, size), "%s", text);
    return value;
}

Test(codec_json, decimals_round_as_strtod_does) {
    static const char *const cases[] = {
        "0",
        "-0",
        "0.30000000000000004",
        "9007199254740993",
        "9007199254740992.5",
        "9007199254740993.0000000000000000000000000000001",
        "1.7976931348623157e308",
        "5e-324",
        "2.2250738585072011e-308",
        "1e22",
        "1e23",
        "8.5e-19",
        "18446744073709551615",
        "1234567890123456789e-19",
        "9999999999999999999e19",
        "1e-400",
        "0.1e-6",
        "123456789012345678901234567890",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(bits(to_double(cases[i])), bits(strtod(cases[i], NULL)), "%s", cases[i]);
    }
    for (int i = 0; i < 300000; i++) {
        char text[64];
        uint64_t raw = next_random();
        double value;
        memcpy(&value, &raw, sizeof(value));
        if (i % 3 != 0) { /* the sizes that machines send */
            value = (double)(int64_t)raw / pow(10, (double)(i % 25));
        }
        if (!isfinite(value)) {
            continue;
        }
        snprintf(text, sizeof(text), "%.*g", 15 + i % 6, value);
        cr_assert_eq(bits(to_double(text)), bits(strtod(text, NULL)), "%s", text);
    }
}

Test(codec_json, numbers_do_not_know_the_locale) {
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8") == NULL) {
        fprintf(stderr, "locale de_DE.UTF-8 is not installed: checked with \"C\" only\n");
    }
    cr_expect_eq(to_double("1.234567890123456789012e-5"), 1.234567890123456789012e-5);
    eop_json *json = NULL;
    cr_assert_eq(parse(&json, "[0.5,1.25e-30]"), EDGEOPS_OK);
    char *text = eop_json_print(json);
    cr_expect_str_eq(text, "[0.5,1.25e-30]");
    eop_free(text);
    eop_json_free(json);
}

Test(codec_json, int64_is_exact_or_refused) {
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"1.0", true, 1},
        {"12e2", true, 1200},
        {"1.5", false, 0},
        {"1e19", false, 0},
        {"100000000000000000000000e-20", true, 1000},
        {"1.00000000000000000000000001", false, 0},
        {"0e99999", true, 0},
        {"0.0000000000000000000000001", false, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        eop_decimal d;
        int64_t value = 0;
        eop_decimal_scan(&d, cases[i].text, strlen(cases[i].text));
        bool ok = eop_decimal_int64(&value, &d);
        cr_expect(ok == cases[i].ok && value == cases[i].value, "%s", cases[i].text);
    }
}

Test(codec_json, every_failed_allocation_is_an_error) {
    const char *text = "{\"a\":[1,2,{\"b\":\"c\\n\"}],\"d\":{\"e\":null}}";
    take_failing_memory();
    for (fail_at = 1;; fail_at++) {
        eop_json *json = NULL;
        allocations = 0;
        edgeops_status status = parse(&json, text);
        char *printed = status == EDGEOPS_OK ? eop_json_print(json) : NULL;
        eop_json_free(json);
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM);
        if (printed != NULL) {
            cr_expect_str_eq(printed, text);
            eop_free(printed);
            break;
        }
    }
    cr_expect_gt(fail_at, 2);
}
