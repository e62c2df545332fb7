/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/schema.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/memory.h"

static edgeops_status check(const char *schema, const char *text) {
    eop_json *json = NULL;
    edgeops_status status = eop_json_parse(&json, text, strlen(text), "doc", NULL);
    if (status == EDGEOPS_OK) {
        status = eop_schema_check_text(schema, json, text, strlen(text), "doc");
    }
    eop_json_free(json);
    return status;
}

static void fits(const char *schema, const char *text) {
    cr_expect_eq(check(schema, text), EDGEOPS_OK, "%s against %s: %s", text, schema,
                 edgeops_error_last()->message);
}

static void fails(const char *schema, const char *text, const char *message) {
    cr_expect_eq(check(schema, text), EDGEOPS_E_INVALID, "%s against %s", text, schema);
    cr_expect_str_eq(edgeops_error_last()->message, message);
}

static void is_no_schema(const char *schema) {
    cr_expect_eq(check(schema, "1"), EDGEOPS_E_INTERNAL, "%s", schema);
}

Test(codec_schema, types) {
    fits("{\"type\":\"integer\"}", "3");
    fits("{\"type\":\"integer\"}", "3.0");
    fits("{\"type\":\"number\"}", "3.5");
    fits("{\"type\":[\"string\",\"null\"]}", "null");
    fits("true", "{}");
    fails("{\"type\":\"integer\"}", "3.5", "doc:1:1: the document must be a whole number, not 3.5");
    fails("{\"type\":\"boolean\"}", "[]",
          "doc:1:1: the document must be true or false, not an array");
    fails("{\"type\":[\"string\",\"null\"]}", "{}",
          "doc:1:1: the document must be a string or null, not an object");
    fails("{\"properties\":{\"a\":false}}", "{\"a\":1}", "doc:1:6: /a is not allowed");
    fits("{\"type\":\"string\",\"default\":\"20s\"}", "\"5s\"");
    fails("{\"type\":\"string\",\"default\":\"20s\"}", "5",
          "doc:1:1: the document must be a string such as '20s', not 5");
    fails("{\"type\":[\"null\",\"string\"],\"default\":\"1MiB\"}", "[]",
          "doc:1:1: the document must be null or a string such as '1MiB', not an array");
    fails("{\"type\":\"string\",\"default\":\"\"}", "5",
          "doc:1:1: the document must be a string, not 5");
    fails("{\"type\":\"number\",\"default\":\"7\"}", "[]",
          "doc:1:1: the document must be a number, not an array");
}

Test(codec_schema, unknown_and_missing_keys_are_named) {
    const char *schema =
        "{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"name\"],"
        "\"properties\":{\"name\":{},\"unit\":{},\"inputs\":{\"items\":{\"$ref\":"
        "\"#/$defs/port\"}}},\"$defs\":{\"port\":{\"additionalProperties\":false,"
        "\"properties\":{\"colour\":{}}}}}";
    fits(schema, "{\"name\":1,\"inputs\":[{\"colour\":1}]}");
    fails(schema, "{\"unit\":1}", "doc:1:1: key 'name' is missing in the document");
    fails(schema, "{\"name\":1,\n  \"untis\":1}",
          "doc:2:3: unknown key 'untis' in the document; did you mean 'unit'?");
    fails(schema, "{\"name\":1,\"xyz\":1}", "doc:1:11: unknown key 'xyz' in the document");
    fails(schema, "{\"name\":1,\n\"inputs\":[{},\n{\"color\":1}]}",
          "doc:3:2: unknown key 'color' in /inputs/1; did you mean 'colour'?");
    fails(schema, "{\"a/~\":1}", "doc:1:2: unknown key 'a/~' in the document");
}

Test(codec_schema, additional_properties_may_be_a_schema) {
    const char *schema =
        "{\"properties\":{\"a\":{}},\"additionalProperties\":{\"type\":\"number\"}}";
    fits(schema, "{\"a\":\"x\",\"b\":1}");
    fails(schema, "{\"b\":\"x\"}", "doc:1:6: /b must be a number, not 'x'");
}

Test(codec_schema, enum_and_const) {
    fits("{\"enum\":[1,\"two\",null]}", "1.0");
    fits("{\"const\":{\"a\":1,\"b\":[2]}}", "{\"b\":[2],\"a\":1}");
    fails("{\"enum\":[\"float64\",\"int64\"]}", "\"flaot64\"",
          "doc:1:1: the document must be one of 'float64', 'int64', not 'flaot64'; did you mean "
          "'float64'?");
    fails("{\"const\":1}", "2", "doc:1:1: the document must be 1, not 2");
    fails("{\"enum\":[true]}", "1", "doc:1:1: the document must be true, not 1");
}

Test(codec_schema, numbers) {
    fits("{\"minimum\":1,\"maximum\":2}", "1");
    fits("{\"minimum\":1,\"maximum\":2}", "\"not a number\"");
    fails("{\"minimum\":1.5}", "1", "doc:1:1: the document must be at least 1.5, not 1");
    fails("{\"maximum\":1}", "2", "doc:1:1: the document must be at most 1, not 2");
    fails("{\"exclusiveMinimum\":1}", "1", "doc:1:1: the document must be more than 1, not 1");
    fails("{\"exclusiveMaximum\":1}", "1", "doc:1:1: the document must be less than 1, not 1");
}

Test(codec_schema, strings) {
    fits("{\"minLength\":2,\"maxLength\":2}", "\"\xc3\xa9\xc3\xa9\"");
    fits("{\"pattern\":\"^[a-z][a-z0-9-]*$\"}", "\"ab-1\"");
    fails("{\"minLength\":1}", "\"\"",
          "doc:1:1: the document must have at least 1 character, not 0");
    fails("{\"maxLength\":1}", "\"ab\"",
          "doc:1:1: the document must have at most 1 characters, not 2");
    fails("{\"pattern\":\"^[a-z]+$\"}", "\"aB\"",
          "doc:1:1: the document is 'aB', which does not match ^[a-z]+$");
}

Test(codec_schema, arrays) {
    fits("{\"prefixItems\":[{\"type\":\"string\"}],\"items\":{\"type\":\"number\"}}",
         "[\"a\",1,2]");
    fits("{\"uniqueItems\":true}", "[1,\"1\",[1],{\"a\":1},true,null]");
    fails("{\"prefixItems\":[{\"type\":\"string\"}],\"items\":false}", "[\"a\",1]",
          "doc:1:6: /1 is not allowed");
    fails("{\"minItems\":1}", "[]", "doc:1:1: the document must have at least 1 item, not 0");
    fails("{\"maxItems\":1}", "[1,2]", "doc:1:1: the document must have at most 1 item, not 2");
    fails("{\"uniqueItems\":true}", "[{\"a\":1,\"b\":2},0,{\"b\":2,\"a\":1.0}]",
          "doc:1:18: /2 is there already: an object");
}

Test(codec_schema, choices_report_the_branch_that_was_meant) {
    const char *schema = "{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\","
                         "\"properties\":{\"n\":{\"type\":\"integer\"}}}]}";
    fits(schema, "\"x\"");
    fits(schema, "{\"n\":1}");
    fails(schema, "{\"n\":\"x\"}", "doc:1:6: /n must be a whole number, not 'x'");
    fails(schema, "5",
          "doc:1:1: the document has none of the allowed forms, for one: the document must be a "
          "string, not 5");
    fits("{\"oneOf\":[{\"minimum\":5},{\"maximum\":3}]}", "6");
    fails("{\"oneOf\":[{\"minimum\":1},{\"maximum\":3}]}", "2",
          "doc:1:1: the document fits 2 forms of which only one may fit");
}

Test(codec_schema, a_wrong_schema_is_our_bug) {
    is_no_schema("{\"patternProperties\":{}}");
    is_no_schema("{\"type\":\"int\"}");
    is_no_schema("{\"$ref\":\"#/$defs/none\"}");
    is_no_schema("{\"$defs\":{\"a\":{\"$ref\":\"#/$defs/a\"}},\"$ref\":\"#/$defs/a\"}");
    is_no_schema("{\"pattern\":5}");
    is_no_schema("{\"pattern\":\"((a{99}){99}){99}\"}");
    is_no_schema("{\"pattern\":\"a{1,70000\"}");
    is_no_schema("{\"items\":[]}");
    is_no_schema("{");
    cr_expect_eq(check("{\"pattern\":\"[\"}", "\"x\""), EDGEOPS_E_INTERNAL);
}

Test(codec_schema, without_text_there_is_no_position) {
    eop_json *json = NULL;
    cr_assert_eq(eop_json_parse(&json, "5", 1, "doc", NULL), EDGEOPS_OK);
    cr_expect_eq(eop_schema_check_text("{\"type\":\"string\"}", json, NULL, 0, "doc"),
                 EDGEOPS_E_INVALID);
    cr_expect_str_eq(edgeops_error_last()->message, "doc: the document must be a string, not 5");
    eop_json_free(json);
}

Test(codec_schema, defaults_fill_what_is_absent) {
    const char *schema_text =
        "{\"properties\":{\"a\":{\"default\":1},\"b\":{\"$ref\":\"#/$defs/b\"},\"c\":{\"items\":{"
        "\"$ref\":\"#/$defs/b\"}}},\"additionalProperties\":{\"$ref\":\"#/$defs/b\"},"
        "\"$defs\":{\"b\":{\"properties\":{\"x\":{\"default\":[true]}}}}}";
    const char *text = "{\"b\":{},\"c\":[{},{\"x\":2},5],\"other\":{}}";
    eop_json *schema = NULL;
    eop_json *json = NULL;
    cr_assert_eq(eop_json_parse(&schema, schema_text, strlen(schema_text), "schema", NULL),
                 EDGEOPS_OK);
    cr_assert_eq(eop_json_parse(&json, text, strlen(text), "doc", NULL), EDGEOPS_OK);
    eop_schema_defaults(schema, json);
    char *printed = eop_json_print(json);
    cr_expect_str_eq(printed, "{\"b\":{\"x\":[true]},\"c\":[{\"x\":[true]},{\"x\":2},5],"
                              "\"other\":{\"x\":[true]},\"a\":1}");
    eop_free(printed);
    eop_json_free(json);
    eop_json_free(schema);
}
