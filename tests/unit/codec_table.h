/* SPDX-License-Identifier: Apache-2.0 */
/* What the suites of the table reader share: a table from a text, its rows as texts, its report. */
#ifndef EOP_TESTS_CODEC_TABLE_H
#define EOP_TESTS_CODEC_TABLE_H

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/str.h"
#include "codec/table_reader.h"

static int table_fd = -1;
static eop_table_reader *table;
static eop_json *table_json;

static inline void table_close(void) {
    eop_table_reader_close(table);
    eop_json_free(table_json);
    table = NULL;
    table_json = NULL;
    if (table_fd >= 0) {
        close(table_fd);
    }
    table_fd = -1;
}

static inline void table_write(const char *text) {
    char name[] = "/tmp/edgeops-table-XXXXXX";
    table_close();
    table_fd = mkostemp(name, O_CLOEXEC);
    cr_assert_geq(table_fd, 0);
    unlink(name);
    cr_assert_eq(write(table_fd, text, strlen(text)), (ssize_t)strlen(text));
    lseek(table_fd, 0, SEEK_SET);
}

/* Times as whole nanoseconds, unless a test is about times. */
static inline eop_table_options table_options(void) {
    return (eop_table_options){
        .what = "t.csv", .asset = "a", .time_column = "time", .rules.times.unit = "ns"};
}

static inline void table_open(const char *text, const eop_table_options *options) {
    table_write(text);
    cr_assert_eq(eop_table_reader_open(&table, table_fd, options), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
}

static inline void table_refuses(const char *text, const eop_table_options *options,
                                 const char *word) {
    table_write(text);
    cr_expect_eq(eop_table_reader_open(&table, table_fd, options), EDGEOPS_E_INVALID, "%s", text);
    cr_expect_not_null(strstr(edgeops_error_last()->message, word), "%s",
                       edgeops_error_last()->message);
}

static inline void table_put_value(eop_buf *out, const edgeops_value *v) {
    char number[EOP_VALUE_TEXT];
    if (v->type == EDGEOPS_TYPE_STRING) {
        eop_buf_printf(out, "'%.*s'", (int)v->size, v->as.str);
    } else if (v->type == EDGEOPS_TYPE_NULL) {
        eop_buf_puts(out, "null");
    } else if (eop_value_is_array(v)) {
        eop_buf_printf(out, "[%u]", eop_value_length(v));
    } else {
        (void)eop_value_format(number, v);
        eop_buf_puts(out, number);
    }
}

/* All rows, one a line: "asset time.seq x=1 s='text' !17 /label"; a bad row is "bad", and fails
 * nothing. The result is valid until the next call. */
static inline const char *table_rows(void) {
    static eop_buf out;
    eop_table_row row;
    edgeops_status status;
    eop_buf_clear(&out);
    eop_buf_puts(&out, "");
    while ((status = eop_table_reader_next(table, &row)) != EDGEOPS_DONE) {
        if (status != EDGEOPS_OK) {
            cr_assert_eq(status, EDGEOPS_E_INVALID, "%s", edgeops_error_last()->message);
            eop_buf_puts(&out, "bad\n");
            continue;
        }
        eop_buf_printf(&out, "%s %lld.%lld", row.sample.asset, (long long)row.sample.time,
                       (long long)row.sample.seq);
        for (size_t i = 0; i < row.sample.count; i++) {
            eop_buf_printf(&out, " %s=", row.sample.channels[i]);
            table_put_value(&out, &row.sample.values[i]);
            if (row.sample.qualities != NULL && row.sample.qualities[i] != EDGEOPS_QUALITY_NONE) {
                eop_buf_printf(&out, "!%u", row.sample.qualities[i]);
            }
        }
        if (row.label != NULL) {
            eop_buf_printf(&out, " /%s", row.label);
        }
        eop_buf_puts(&out, "\n");
    }
    cr_assert_not(out.failed);
    return out.data;
}

#define table_expect(wanted)                                                                       \
    do {                                                                                           \
        const char *got = table_rows();                                                            \
        cr_expect_str_eq(got, wanted, "%s", got);                                                  \
    } while (0)

/* The report as one text. */
static inline const eop_json *table_report(void) {
    eop_json_free(table_json);
    table_json = eop_table_reader_report(table);
    cr_assert_not_null(table_json);
    return table_json;
}

/* Whether a sentence of "notes" or "warnings" has the word. */
static inline bool table_says(const char *kind, const char *word) {
    for (const eop_json *s = eop_json_first(eop_json_get(table_report(), kind)); s != NULL;
         s = eop_json_next(s)) {
        if (strstr(eop_json_text(s), word) != NULL) {
            return true;
        }
    }
    return false;
}

#define table_notes(word) cr_expect(table_says("notes", word), "%s", word)
#define table_warns(word) cr_expect(table_says("warnings", word), "%s", word)
/* Warns of nothing but the times, which are those of 1970 here. */
static inline void table_is_calm(void) {
    for (const eop_json *s = eop_json_first(eop_json_get(table_report(), "warnings")); s != NULL;
         s = eop_json_next(s)) {
        cr_expect_not_null(strstr(eop_json_text(s), "1970"), "%s", eop_json_text(s));
    }
}

/* A channel of the report; its type and why. */
static inline const eop_json *table_channel(const char *name) {
    for (const eop_json *c = eop_json_first(eop_json_get(table_report(), "channels")); c != NULL;
         c = eop_json_next(c)) {
        if (strcmp(eop_json_string(c, "name", ""), name) == 0) {
            return c;
        }
    }
    cr_assert_fail("no channel %s", name);
    return NULL;
}

static inline void table_type(const char *name, const char *type, const char *why) {
    const eop_json *c = table_channel(name);
    cr_expect_str_eq(eop_json_string(c, "type", ""), type, "%s is %s", name,
                     eop_json_string(c, "type", ""));
    cr_expect_not_null(strstr(eop_json_string(c, "why", ""), why), "%s: %s", name,
                       eop_json_string(c, "why", ""));
}

#endif /* EOP_TESTS_CODEC_TABLE_H */
