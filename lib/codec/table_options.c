/* SPDX-License-Identifier: Apache-2.0 */
/* Reading options from JSON, in one place for all that read tables. What can be said without the
 * file is checked here: an error names the option, not a line. */
#include "codec/table_options.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "base/type.h"
#include "codec/value.h"
#include "codec/when.h"

static edgeops_status take_texts(const char ***out, size_t *count, const eop_json *json,
                                 const char *key) {
    const eop_json *array = eop_json_get(json, key);
    *out = NULL;
    *count = 0;
    if (eop_json_size(array) == 0) {
        return EDGEOPS_OK;
    }
    *out = eop_calloc(eop_json_size(array), sizeof(**out));
    if (*out == NULL) {
        return eop_fail_nomem("codec");
    }
    for (const eop_json *item = eop_json_first(array); item != NULL; item = eop_json_next(item)) {
        const char *text = eop_json_text(item);
        (*out)[(*count)++] = text != NULL ? text : "";
    }
    return EDGEOPS_OK;
}

/* One sign of ASCII that does something; '\0' without the member. */
static edgeops_status take_sign(char *out, const eop_json *json, const char *key) {
    const char *text = eop_json_string(json, key, NULL);
    *out = text != NULL ? text[0] : '\0';
    if (text != NULL &&
        (strlen(text) != 1 || (unsigned char)*out >= 0x80 || strchr("\r\n", *out) != NULL)) {
        return eop_fail(EDGEOPS_E_INVALID, "codec", "%s is one ASCII character, not '%.16s'", key,
                        text);
    }
    return EDGEOPS_OK;
}

static edgeops_status take_separator(eop_csv_dialect *d, const eop_json *json) {
    const char *text = eop_json_string(json, "separator", NULL);
    if (text == NULL) {
        return EDGEOPS_OK;
    }
    bool tab = strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0;
    bool blank = strcmp(text, "blank") == 0;
    d->separator = tab ? "\t" : blank ? " " : text;
    size_t size = strlen(d->separator);
    if (size < 1 || size > 2 || strpbrk(d->separator, "\r\n\"") != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "separator is one or two characters such as , ; | or ', ', or the word "
                        "tab, or blank for any run of blanks and tabs, not '%.16s'",
                        text);
    }
    for (const char *p = d->separator; *p != '\0'; p++) {
        if (*p == d->quote || *p == d->escape || *p == d->comment ||
            (d->quote == '\0' && *p == '"')) {
            return eop_fail(EDGEOPS_E_INVALID, "codec",
                            "'%c' cannot be in the separator and be another sign, too", *p);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status take_dialect(eop_csv_dialect *d, const eop_json *json) {
    edgeops_status status = take_sign(&d->quote, json, "quote");
    if (status == EDGEOPS_OK) {
        status = take_sign(&d->escape, json, "escape");
    }
    if (status == EDGEOPS_OK) {
        status = take_sign(&d->comment, json, "comment");
    }
    if (status == EDGEOPS_OK) {
        status = take_separator(d, json);
    }
    d->skip_rows = (uint32_t)eop_json_integer(json, "skip_rows", 0);
    return status;
}

static edgeops_status take_rules(eop_table_args *a, const eop_json *json) {
    eop_rules_options *o = &a->options.rules;
    eop_rules *rules = NULL;
    o->nan_is_value = strcmp(eop_json_string(json, "nan", "null"), "value") == 0;
    o->decimal = eop_json_string(json, "decimal", "\0")[0];
    o->times.unit = eop_json_string(json, "time_unit", NULL);
    o->times.format = eop_json_string(json, "time_format", NULL);
    o->times.zone = eop_json_string(json, "time_zone", NULL);
    edgeops_status status = take_texts(&a->nulls, &o->null_count, json, "null");
    o->nulls = a->nulls;
    if (status == EDGEOPS_OK) {
        status = take_sign(&o->thousands, json, "thousands");
    }
    if (status == EDGEOPS_OK && o->times.format != NULL && o->times.unit != NULL) {
        status =
            eop_fail(EDGEOPS_E_INVALID, "codec", "time_format and time_unit exclude each other");
    }
    /* Made again with the table: here, since a wrong sign or zone is not the file's fault. */
    if (status == EDGEOPS_OK) {
        status = eop_rules_new(&rules, o);
    }
    eop_rules_free(rules);
    return status;
}

static edgeops_status take_columns(eop_table_args *a, const eop_json *json) {
    const eop_json *columns = eop_json_get(json, "columns");
    size_t n = eop_json_size(columns);
    a->columns = eop_calloc(n + 1, sizeof(*a->columns));
    if (a->columns == NULL) {
        return eop_fail_nomem("codec");
    }
    for (const eop_json *c = eop_json_first(columns); c != NULL; c = eop_json_next(c)) {
        const char *type = eop_json_string(c, "type", NULL);
        eop_table_column *column = &a->columns[a->options.column_count++];
        column->name = eop_json_key(c);
        column->unit = eop_json_string(c, "unit", NULL);
        column->length = 1;
        edgeops_status status = type != NULL ? eop_type_read(&column->type, &column->length, type,
                                                             "columns/", column->name)
                                             : EDGEOPS_OK;
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    a->options.columns = a->columns;
    return EDGEOPS_OK;
}

/* "DATE+TIME" names two columns; where the clock's is given, a '+' is one of the name. */
static edgeops_status take_time_columns(eop_table_args *a, const eop_json *json) {
    eop_table_options *o = &a->options;
    const char *plus = NULL;
    o->time_column = eop_json_string(json, "time_column", NULL);
    o->clock_column = eop_json_string(json, "clock_column", NULL);
    if (o->clock_column != NULL && o->time_column == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "clock_column needs time_column, the one with the date");
    }
    if (o->time_column != NULL && o->clock_column == NULL) {
        plus = strchr(o->time_column, '+');
    }
    if (plus == NULL || plus == o->time_column || plus[1] == '\0') {
        return EDGEOPS_OK;
    }
    a->date = eop_strdup(o->time_column);
    if (a->date == NULL) {
        return eop_fail_nomem("codec");
    }
    a->date[plus - o->time_column] = '\0';
    o->clock_column = a->date + (plus - o->time_column) + 1;
    o->time_column = a->date;
    return EDGEOPS_OK;
}

static edgeops_status take_times(eop_table_args *a, const eop_json *json) {
    eop_table_options *o = &a->options;
    const char *start = eop_json_string(json, "start", NULL);
    const char *period = eop_json_string(json, "period", NULL);
    edgeops_status status = take_time_columns(a, json);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (start != NULL && o->time_column != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "codec", "start and time_column exclude each other");
    }
    if (start == NULL && period != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "period is for data without times and needs start, the time of the first "
                        "row");
    }
    if (period != NULL && (!eop_parse_duration(&o->period, period) || o->period <= 0)) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "period: '%.32s' is not a duration such as 20ms", period);
    }
    if (start != NULL && !eop_when(&o->start, start, eop_now())) {
        return eop_fail(EDGEOPS_E_INVALID, "codec", "start: '%.64s' is not a time; " EOP_WHEN_FORMS,
                        start);
    }
    return EDGEOPS_OK;
}

/* What excludes each other, whatever the table has. */
static edgeops_status check_shape(const eop_table_options *o, const eop_json *json) {
    if ((o->channel_column != NULL) != (o->value_column != NULL)) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "the long format needs both channel_column and value_column");
    }
    if (o->column_pattern != NULL && o->channel_column != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "column_pattern is for wide files, channel_column for long ones: give one");
    }
    if (o->column_pattern != NULL && strstr(o->column_pattern, "{channel}") == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "column_pattern needs {channel}, as in '{asset}.{channel}', not '%.64s'",
                        o->column_pattern);
    }
    if (o->as_text && (o->rules.decimal != '\0' || o->rules.thousands != '\0' ||
                       eop_json_get(json, "nan") != NULL)) {
        return eop_fail(
            EDGEOPS_E_INVALID, "codec",
            "as_text leaves all columns as they are written: without decimal, thousands "
            "and nan");
    }
    return EDGEOPS_OK;
}

static edgeops_status read_all(eop_table_args *a, const eop_json *json) {
    eop_table_options *o = &a->options;
    o->no_header = eop_json_bool(json, "no_header", false);
    o->as_text = eop_json_bool(json, "as_text", false);
    o->seq_column = eop_json_string(json, "seq_column", NULL);
    o->label_column = eop_json_string(json, "label_column", NULL);
    o->channel_column = eop_json_string(json, "channel_column", NULL);
    o->value_column = eop_json_string(json, "value_column", NULL);
    o->column_pattern = eop_json_string(json, "column_pattern", NULL);
    o->bad_rows = strcmp(eop_json_string(json, "bad_rows", "error"), "skip") == 0 ? EOP_BAD_SKIP
                                                                                  : EOP_BAD_ERROR;
    edgeops_status status = take_dialect(&o->dialect, json);
    if (status == EDGEOPS_OK) {
        status = take_times(a, json);
    }
    if (status == EDGEOPS_OK) {
        status = take_columns(a, json);
    }
    if (status == EDGEOPS_OK) {
        status = take_texts(&a->skip, &o->skip_count, json, "skip_columns");
        o->skip = a->skip;
    }
    if (status == EDGEOPS_OK) {
        status = take_texts(&a->names, &o->name_count, json, "names");
        o->names = a->names;
    }
    if (status == EDGEOPS_OK) {
        status = take_rules(a, json);
    }
    return status == EDGEOPS_OK ? check_shape(o, json) : status;
}

edgeops_status eop_table_args_read(eop_table_args *out, const eop_json *json, const char *what) {
    *out = (eop_table_args){0};
    edgeops_status status = read_all(out, json);
    return status == EDGEOPS_E_INVALID
               ? eop_fail(status, "codec", "%s: %s", what, edgeops_error_last()->message)
               : status;
}

void eop_table_args_dispose(eop_table_args *args) {
    eop_free(args->nulls);
    eop_free(args->names);
    eop_free(args->skip);
    eop_free(args->columns);
    eop_free(args->date);
    *args = (eop_table_args){0};
}
