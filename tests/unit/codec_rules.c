/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "codec/rules.h"

static eop_rules *rules;

static void teardown(void) {
    eop_rules_free(rules);
    rules = NULL;
}

TestSuite(codec_rules, .fini = teardown, .timeout = 60);

static void make(const eop_rules_options *options) {
    cr_assert_eq(eop_rules_new(&rules, options), EDGEOPS_OK, "%s", edgeops_error_last()->message);
}

static edgeops_type type(const char *text) {
    return eop_rules_type(rules, text, strlen(text));
}

/* The value of a text, or NULL's bad sibling where there is none. */
static bool value(edgeops_value *out, edgeops_type wanted, const char *text) {
    return eop_rules_value(rules, out, wanted, text, strlen(text));
}

static void is_float(const char *text, double wanted) {
    edgeops_value v = {0};
    cr_expect(value(&v, EDGEOPS_TYPE_FLOAT64, text), "%s", text);
    cr_expect_eq(v.type, EDGEOPS_TYPE_FLOAT64, "%s", text);
    cr_expect_eq(v.as.f64, wanted, "%s gives %.17g", text, v.as.f64);
}

static void is_null(edgeops_type of, const char *text) {
    edgeops_value v = {.type = EDGEOPS_TYPE_BLOB};
    cr_expect(value(&v, of, text), "'%s'", text);
    cr_expect_eq(v.type, EDGEOPS_TYPE_NULL, "'%s'", text);
}

static void is_bad(edgeops_type of, const char *text) {
    edgeops_value v = {.type = EDGEOPS_TYPE_BLOB};
    cr_expect(!value(&v, of, text), "'%s'", text);
    cr_expect_eq(v.type, EDGEOPS_TYPE_BLOB, "'%s'", text);
}

Test(codec_rules, words_for_null_are_nulls_among_numbers) {
    static const char *const words[] = {"NA",   "N/A",  "#N/A", "n/a",  "NaN",  "nan", "NAN",
                                        "-nan", "null", "NULL", "Null", "None", "?",   "-",
                                        "--",   "<NA>", "",     "  ",   " NA "};
    static const edgeops_type types[] = {EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_FLOAT32,
                                         EDGEOPS_TYPE_INT64, EDGEOPS_TYPE_UINT8, EDGEOPS_TYPE_BOOL};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        cr_expect_eq(type(words[i]), EDGEOPS_TYPE_NULL, "'%s'", words[i]);
        cr_expect_not_null(eop_rules_null(NULL, words[i], strlen(words[i])));
        for (size_t t = 0; t < sizeof(types) / sizeof(types[0]); t++) {
            is_null(types[t], words[i]);
        }
    }
    cr_expect_str_eq(eop_rules_null(NULL, " N/A", 4), "N/A");
    static const char *const none[] = {"Na", "nAn0", "nil", "---", "x", "0", "nullx"};
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        cr_expect_null(eop_rules_null(NULL, none[i], strlen(none[i])), "%s", none[i]);
    }
    cr_expect_null(eop_rules_null(NULL, "NA\0x", 4));
}

Test(codec_rules, texts_keep_the_words) {
    edgeops_value v;
    cr_assert(value(&v, EDGEOPS_TYPE_STRING, "NA"));
    cr_expect_eq(v.type, EDGEOPS_TYPE_STRING);
    cr_expect_eq(v.size, 2);
    is_null(EDGEOPS_TYPE_STRING, "");
    cr_assert(value(&v, EDGEOPS_TYPE_STRING, " "));
    cr_expect_eq(v.size, 1);
}

Test(codec_rules, the_users_words_are_asked_first) {
    const char *const words[] = {"-999", "missing", "false"};
    make(&(eop_rules_options){.nulls = words, .null_count = 3});
    is_null(EDGEOPS_TYPE_FLOAT64, "-999");
    is_null(EDGEOPS_TYPE_INT16, " -999");
    is_null(EDGEOPS_TYPE_BOOL, "false");
    is_null(EDGEOPS_TYPE_FLOAT64, "missing");
    is_null(EDGEOPS_TYPE_FLOAT64, "NA");
    is_float("-999.0", -999);
    cr_expect_eq(type("-999"), EDGEOPS_TYPE_NULL);
    cr_expect_str_eq(eop_rules_null(rules, "missing", 7), "missing");
}

Test(codec_rules, nan_may_be_a_value) {
    edgeops_value v;
    make(&(eop_rules_options){.nan_is_value = true});
    cr_assert(value(&v, EDGEOPS_TYPE_FLOAT64, "NaN"));
    cr_expect(isnan(v.as.f64));
    cr_assert(value(&v, EDGEOPS_TYPE_FLOAT32, "nan"));
    cr_expect_eq(v.type, EDGEOPS_TYPE_FLOAT32);
    cr_expect_eq(type("nan"), EDGEOPS_TYPE_FLOAT64);
    is_null(EDGEOPS_TYPE_FLOAT64, "NA");
    is_bad(EDGEOPS_TYPE_INT64, "NaN");
}

Test(codec_rules, infinity_is_a_value) {
    is_float("Infinity", (double)INFINITY);
    is_float("-inf", -(double)INFINITY);
    is_float("+Inf", (double)INFINITY);
    is_bad(EDGEOPS_TYPE_INT64, "inf");
}

Test(codec_rules, integers_may_have_exponents) {
    static const struct {
        const char *text;
        int64_t wanted;
    } good[] = {{"1e3", 1000},    {"12.5e1", 125}, {"5.0", 5},
                {"-2E+02", -200}, {"500e-2", 5},   {"9007199254740993", 9007199254740993}};
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        edgeops_value v;
        cr_assert(value(&v, EDGEOPS_TYPE_INT64, good[i].text), "%s", good[i].text);
        cr_expect_eq(v.as.i64, good[i].wanted, "%s", good[i].text);
    }
    is_bad(EDGEOPS_TYPE_INT64, "1e-3");
    is_bad(EDGEOPS_TYPE_INT64, "1.5");
    is_bad(EDGEOPS_TYPE_INT64, "1e19");
    is_bad(EDGEOPS_TYPE_INT8, "1e3");
    is_bad(EDGEOPS_TYPE_INT64, "007");
    is_float("1e3", 1000);
    cr_expect_eq(type("1e3"), EDGEOPS_TYPE_FLOAT64);
    cr_expect_eq(type("12"), EDGEOPS_TYPE_INT64);
    cr_expect_eq(type("007"), EDGEOPS_TYPE_STRING);
    cr_expect_eq(type("+7"), EDGEOPS_TYPE_STRING);
    cr_expect_eq(type("true"), EDGEOPS_TYPE_BOOL);
}

Test(codec_rules, decimal_comma) {
    make(&(eop_rules_options){.decimal = ','});
    is_float("1,5", 1.5);
    is_float(" -0,25 ", -0.25);
    is_float("1,5E+03", 1500);
    is_float("7", 7);
    is_float(",5", 0.5);
    is_bad(EDGEOPS_TYPE_FLOAT64, "1.5");
    is_bad(EDGEOPS_TYPE_FLOAT64, "1,5,2");
    is_bad(EDGEOPS_TYPE_FLOAT64, "1,5x");
    is_bad(EDGEOPS_TYPE_FLOAT64, "01,5");
    is_null(EDGEOPS_TYPE_FLOAT64, "-");
    cr_expect_eq(type("2,5"), EDGEOPS_TYPE_FLOAT64);
    cr_expect_eq(type("2.5"), EDGEOPS_TYPE_STRING);
    cr_expect_eq(type("42"), EDGEOPS_TYPE_INT64);
}

Test(codec_rules, thousands) {
    make(&(eop_rules_options){.decimal = ',', .thousands = '.'});
    is_float("1.234.567,5", 1234567.5);
    is_float("-1.234", -1234);
    is_float("1234,5", 1234.5);
    cr_expect_eq(type("1.234"), EDGEOPS_TYPE_INT64);
    static const char *const bad[] = {"1.23",   "1.2345", "1234.567", ".123",
                                      "1..234", "1.234.", "."};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        is_bad(EDGEOPS_TYPE_FLOAT64, bad[i]);
    }
    eop_rules_free(rules);
    make(&(eop_rules_options){.thousands = ' '});
    is_float("1 234.5", 1234.5);
    is_float("1\xc2\xa0"
             "234\xe2\x80\xaf"
             "567",
             1234567);
    is_bad(EDGEOPS_TYPE_FLOAT64, "1 23");
    eop_rules_free(rules);
    make(&(eop_rules_options){.thousands = '\''});
    edgeops_value v;
    cr_assert(value(&v, EDGEOPS_TYPE_INT32, "1'234'567"));
    cr_expect_eq(v.as.i64, 1234567);
}

Test(codec_rules, signs_are_checked) {
    static const eop_rules_options bad[] = {{.decimal = ';'},
                                            {.thousands = '.'},
                                            {.decimal = ',', .thousands = ','},
                                            {.thousands = '_'},
                                            {.times.unit = "h"}};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(eop_rules_new(&rules, &bad[i]), EDGEOPS_E_INVALID, "%zu", i);
        cr_expect_null(rules);
    }
}

Test(codec_rules, arrays_have_points_and_values) {
    double memory[3];
    edgeops_value v;
    const char *text = "[1, 2.5,NaN]";
    make(&(eop_rules_options){.decimal = ','});
    cr_assert(eop_rules_array(rules, &v, memory, EDGEOPS_TYPE_FLOAT64, 3, text, strlen(text)));
    cr_expect_eq(memory[1], 2.5);
    cr_expect(isnan(memory[2]));
    cr_expect(!eop_rules_array(rules, &v, memory, EDGEOPS_TYPE_FLOAT64, 2, text, strlen(text)));
    cr_assert(eop_rules_array(rules, &v, memory, EDGEOPS_TYPE_FLOAT64, 3, "", 0));
    cr_expect_eq(v.type, EDGEOPS_TYPE_NULL);
}

Test(codec_rules, types_of_texts) {
    static const struct {
        const char *text;
        edgeops_type type;
    } cases[] = {
        {"", EDGEOPS_TYPE_NULL},
        {"  ", EDGEOPS_TYPE_NULL},
        {"0", EDGEOPS_TYPE_INT64},
        {"-12", EDGEOPS_TYPE_INT64},
        {" 5 ", EDGEOPS_TYPE_INT64},
        {"9223372036854775807", EDGEOPS_TYPE_INT64},
        {"9223372036854775808", EDGEOPS_TYPE_STRING},
        {"12345678901234567890", EDGEOPS_TYPE_STRING},
        {"007", EDGEOPS_TYPE_STRING},
        {"+49", EDGEOPS_TYPE_STRING},
        {"-0", EDGEOPS_TYPE_FLOAT64},
        {"1.5", EDGEOPS_TYPE_FLOAT64},
        {"+1.5e+03", EDGEOPS_TYPE_FLOAT64},
        {".5", EDGEOPS_TYPE_FLOAT64},
        {"5.", EDGEOPS_TYPE_FLOAT64},
        {"1e3", EDGEOPS_TYPE_FLOAT64},
        {"1e999", EDGEOPS_TYPE_STRING},
        {"nan", EDGEOPS_TYPE_NULL},
        {"-Inf", EDGEOPS_TYPE_FLOAT64},
        {"Infinity", EDGEOPS_TYPE_FLOAT64},
        {"true", EDGEOPS_TYPE_BOOL},
        {"False", EDGEOPS_TYPE_BOOL},
        {"tRUE", EDGEOPS_TYPE_STRING},
        {"1,5", EDGEOPS_TYPE_STRING},
        {"0x10", EDGEOPS_TYPE_STRING},
        {"1e", EDGEOPS_TYPE_STRING},
        {"-", EDGEOPS_TYPE_NULL},
        {".", EDGEOPS_TYPE_STRING},
        {"1 2", EDGEOPS_TYPE_STRING},
        {"2026-01-02", EDGEOPS_TYPE_STRING},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        cr_expect_eq(type(cases[i].text), cases[i].type, "'%s'", cases[i].text);
    }
}

Test(codec_rules, values_of_texts) {
    edgeops_value v = {0};
    cr_expect(value(&v, EDGEOPS_TYPE_FLOAT64, "0.1") && v.as.f64 == 0.1);
    cr_expect(value(&v, EDGEOPS_TYPE_FLOAT64, "-0") && v.as.f64 == 0.0 && signbit(v.as.f64));
    cr_expect(value(&v, EDGEOPS_TYPE_FLOAT64, "-inf") && v.as.f64 == -(double)INFINITY);
    cr_expect(value(&v, EDGEOPS_TYPE_FLOAT64, "9007199254740994") &&
              v.as.f64 == 9007199254740994.0);
    cr_expect_not(value(&v, EDGEOPS_TYPE_FLOAT64, "9007199254740993"));
    cr_expect_not(value(&v, EDGEOPS_TYPE_FLOAT64, "x"));
    cr_expect(value(&v, EDGEOPS_TYPE_INT64, "-9223372036854775808") && v.as.i64 == INT64_MIN);
    cr_expect_not(value(&v, EDGEOPS_TYPE_INT64, "1.5"));
    cr_expect(value(&v, EDGEOPS_TYPE_BOOL, "TRUE") && v.as.i64 == 1);
    cr_expect(value(&v, EDGEOPS_TYPE_BOOL, "0") && v.as.i64 == 0);
    cr_expect_not(value(&v, EDGEOPS_TYPE_BOOL, "2"));
    cr_expect(value(&v, EDGEOPS_TYPE_STRING, " 007 ") && v.size == 5);
    cr_expect(value(&v, EDGEOPS_TYPE_INT64, " ") && v.type == EDGEOPS_TYPE_NULL);
    cr_expect(value(&v, EDGEOPS_TYPE_STRING, "") && v.type == EDGEOPS_TYPE_NULL);
}
