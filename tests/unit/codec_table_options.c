/* SPDX-License-Identifier: Apache-2.0 */
#include "codec/table_options.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "edgeops/types.h"

static eop_json *parsed(const char *text) {
    eop_json *json = NULL;
    cr_assert(eop_json_parse(&json, text, strlen(text), "test", NULL) == EDGEOPS_OK, "%s", text);
    return json;
}

static void is_refused(const char *text, const char *word) {
    eop_table_args args;
    eop_json *json = parsed(text);
    edgeops_status status = eop_table_args_read(&args, json, "op");
    const char *message = edgeops_error_last()->message;
    cr_expect(status == EDGEOPS_E_INVALID, "%s: %d", text, status);
    cr_expect(strncmp(message, "op: ", 4) == 0 && strstr(message, word) != NULL, "%s: %s", text,
              message);
    eop_table_args_dispose(&args);
    eop_json_free(json);
}

Test(codec_table_options, nothing_given_is_all_zero) {
    eop_table_args args;
    eop_json *json = parsed("{\"asset\": \"a\"}");
    cr_assert(eop_table_args_read(&args, json, "op") == EDGEOPS_OK);
    const eop_table_options *o = &args.options;
    cr_expect(o->time_column == NULL && o->clock_column == NULL && o->dialect.separator == NULL);
    cr_expect(o->bad_rows == EOP_BAD_ERROR && !o->no_header && o->column_count == 0);
    cr_expect(!o->rules.nan_is_value && o->rules.null_count == 0 && o->period == 0);
    eop_table_args_dispose(&args);
    eop_json_free(json);
}

Test(codec_table_options, all_are_read) {
    eop_table_args args;
    eop_json *json = parsed(
        "{\"separator\": \"tab\", \"quote\": \"'\", \"escape\": \"\\\\\", \"comment\": \"#\","
        " \"skip_rows\": 3, \"no_header\": true, \"names\": [\"time\", \"x\"],"
        " \"null\": [\"-999\", \"\"], \"nan\": \"value\", \"decimal\": \",\","
        " \"thousands\": \".\", \"time_format\": \"%d.%m.%Y\", \"bad_rows\": \"skip\","
        " \"time_column\": \"day\", \"clock_column\": \"a+b\", \"seq_column\": \"n\","
        " \"label_column\": \"l\", \"skip_columns\": [\"z\"], \"column_pattern\": "
        "\"{asset}/{channel}\","
        " \"columns\": {\"x\": {\"type\": \"float32[4]\", \"unit\": \"bar\"}, "
        "\"y\": {\"unit\": \"K\"}}}");
    cr_assert(eop_table_args_read(&args, json, "op") == EDGEOPS_OK, "%s",
              edgeops_error_last()->message);
    const eop_table_options *o = &args.options;
    cr_expect_str_eq(o->dialect.separator, "\t");
    cr_expect(o->dialect.quote == '\'' && o->dialect.escape == '\\' && o->dialect.comment == '#');
    cr_expect(o->dialect.skip_rows == 3 && o->no_header && o->name_count == 2);
    cr_expect_str_eq(o->names[1], "x");
    cr_expect(o->rules.null_count == 2 && strcmp(o->rules.nulls[0], "-999") == 0);
    cr_expect(o->rules.nan_is_value && o->rules.decimal == ',' && o->rules.thousands == '.');
    cr_expect_str_eq(o->rules.times.format, "%d.%m.%Y");
    cr_expect(o->bad_rows == EOP_BAD_SKIP);
    cr_expect_str_eq(o->time_column, "day");
    cr_expect_str_eq(o->clock_column, "a+b");
    cr_expect(o->skip_count == 1 && o->column_count == 2);
    cr_expect(o->columns[0].type == EDGEOPS_TYPE_FLOAT32 && o->columns[0].length == 4);
    cr_expect_str_eq(o->columns[0].unit, "bar");
    cr_expect(o->columns[1].type == EDGEOPS_TYPE_NULL);
    cr_expect_str_eq(o->columns[1].unit, "K");
    eop_table_args_dispose(&args);
    eop_json_free(json);
}

Test(codec_table_options, a_date_and_a_clock_come_in_one_text) {
    static const char *const plain[] = {"+x", "x+", "day"};
    eop_table_args args;
    eop_json *json = parsed("{\"time_column\": \"day+time of day\"}");
    cr_assert(eop_table_args_read(&args, json, "op") == EDGEOPS_OK);
    cr_expect_str_eq(args.options.time_column, "day");
    cr_expect_str_eq(args.options.clock_column, "time of day");
    eop_table_args_dispose(&args);
    eop_json_free(json);
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        json = eop_json_object();
        eop_json_set_string(json, "time_column", plain[i]);
        cr_assert(eop_table_args_read(&args, json, "op") == EDGEOPS_OK);
        cr_expect_str_eq(args.options.time_column, plain[i]);
        cr_expect(args.options.clock_column == NULL);
        eop_table_args_dispose(&args);
        eop_json_free(json);
    }
}

Test(codec_table_options, separators_are_signs_and_words) {
    static const char *const words[][2] = {{"tab", "\t"}, {"\\\\t", "\t"}, {"blank", " "},
                                           {" ", " "},    {", ", ", "},    {"||", "||"}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        char text[64];
        eop_table_args args;
        snprintf(text, sizeof text, "{\"separator\": \"%s\"}", words[i][0]);
        eop_json *json = parsed(text);
        cr_assert(eop_table_args_read(&args, json, "op") == EDGEOPS_OK, "%s", text);
        cr_expect_str_eq(args.options.dialect.separator, words[i][1]);
        eop_table_args_dispose(&args);
        eop_json_free(json);
    }
}

Test(codec_table_options, what_cannot_be_is_named) {
    is_refused("{\"separator\": \"\"}", "separator");
    is_refused("{\"separator\": \"abc\"}", "tab");
    is_refused("{\"separator\": \"\\\"\"}", "separator");
    is_refused("{\"separator\": \";\", \"comment\": \";\"}", "';'");
    is_refused("{\"quote\": \"\xc3\xa4\"}", "quote");
    is_refused("{\"quote\": \"\\n\"}", "quote");
    is_refused("{\"thousands\": \"xx\"}", "thousands");
    is_refused("{\"start\": \"2026-01-01T00:00:00Z\", \"time_column\": \"t\"}", "exclude");
    is_refused("{\"start\": \"soon\"}", "start");
    is_refused("{\"period\": \"1s\"}", "start");
    is_refused("{\"start\": \"2026-01-01T00:00:00Z\", \"period\": \"0s\"}", "period");
    is_refused("{\"clock_column\": \"t\"}", "time_column");
    is_refused("{\"time_format\": \"%Y\", \"time_unit\": \"s\"}", "time_unit");
    is_refused("{\"channel_column\": \"c\"}", "value_column");
    is_refused("{\"value_column\": \"c\"}", "channel_column");
    is_refused("{\"channel_column\": \"c\", \"value_column\": \"v\", \"column_pattern\": "
               "\"{channel}\"}",
               "column_pattern");
    is_refused("{\"column_pattern\": \"{asset}\"}", "{channel}");
    is_refused("{\"columns\": {\"x\": {\"type\": \"float\"}}}", "x");
    is_refused("{\"as_text\": true, \"decimal\": \",\"}", "decimal");
}
