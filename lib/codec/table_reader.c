/* SPDX-License-Identifier: Apache-2.0 */
/* The life of a table reader: opens the records, lets the header, the roles, the first rows and the
 * types follow from each other in this order, and gives row after row. What a row borrows is valid
 * until the next. */
#include "codec/table_reader.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"
#include "codec/column_name.h"
#include "codec/json_lines.h"
#include "codec/table_parts.h"

#define DEFAULT_PERIOD EDGEOPS_SECOND

static edgeops_status make_rules(eop_table_reader *s) {
    eop_rules_options o = s->options.rules;
    edgeops_status status = eop_rules_new(&s->rules, &o);
    if (status == EDGEOPS_OK && s->is_json && (o.decimal == ',' || o.thousands != '\0')) {
        o.decimal = '.';
        o.thousands = '\0';
        status = eop_rules_new(&s->json_rules, &o);
    }
    o = s->options.rules;
    o.nan_is_value = true;
    return status == EDGEOPS_OK ? eop_rules_new(&s->own_rules, &o) : status;
}

/* An array that is one value: its type is known to have elements. */
static bool is_whole(const char *name, void *user_data) {
    const eop_table_reader *s = user_data;
    const eop_table_options *o = &s->options;
    eop_column_name parts;
    edgeops_type type = EDGEOPS_TYPE_NULL;
    uint32_t length = 1;
    for (size_t i = 0; i < o->column_count; i++) {
        if (strcmp(o->columns[i].name, name) == 0 && o->columns[i].type != EDGEOPS_TYPE_NULL) {
            return o->columns[i].length > 1;
        }
    }
    if (eop_column_name_read(&parts, name, strlen(name))) {
        return parts.length > 1;
    }
    return o->on_known != NULL && strchr(o->asset, '{') == NULL &&
           o->on_known(o->asset, name, &type, &length, o->user_data) && length > 1;
}

static edgeops_status open_records(eop_table_reader *s, int fd) {
    const eop_table_options *o = &s->options;
    if (s->is_json) {
        return eop_json_lines_open(&s->records, fd, o->cancel_fd, s->what, is_whole, s);
    }
    eop_csv_reader *csv = NULL;
    edgeops_status status = eop_csv_open(&csv, fd, o->cancel_fd, &o->dialect, s->what);
    s->records = status == EDGEOPS_OK ? eop_csv_records(csv) : NULL;
    return status;
}

/* Rows that come slowly, through a pipe, are not waited for where all is known. */
static size_t rows_to_look_at(const eop_table_reader *s) {
    if (s->options.channel_column != NULL || (s->is_timed && s->time_at == EOP_NOWHERE)) {
        return EOP_TABLE_LOOK;
    }
    for (size_t i = 0; i < s->column_count; i++) {
        const eop_reader_column *c = &s->columns[i];
        if (c->role == EOP_ROLE_CHANNEL && c->cell.type == EDGEOPS_TYPE_NULL) {
            return EOP_TABLE_LOOK;
        }
    }
    return 1;
}

/* Names of JSON lines come with the lines. */
static edgeops_status look(eop_table_reader *s) {
    size_t columns = s->column_count;
    edgeops_status status = eop_table_look(s, rows_to_look_at(s));
    if (status == EDGEOPS_OK && s->is_json) {
        status = eop_table_grow(s);
    }
    eop_table_drop_headers(s);
    return status == EDGEOPS_OK && s->column_count != columns ? eop_table_set_roles(s) : status;
}

static edgeops_status reader_init(eop_table_reader *s, int fd) {
    edgeops_status status = EDGEOPS_OK;
    if (s->options.period < 0) {
        return eop_fail(EDGEOPS_E_INVALID, "table", "the period is negative");
    }
    s->options.period = s->options.period > 0 ? s->options.period : DEFAULT_PERIOD;
    if ((status = make_rules(s)) < 0 || (status = open_records(s, fd)) < 0 ||
        (status = eop_table_read_header(s)) < 0 || (status = eop_table_set_roles(s)) < 0 ||
        (status = look(s)) < 0 || (status = eop_table_check_header(s)) < 0 ||
        (status = eop_table_check_width(s)) < 0 || (status = eop_table_guess_time(s)) < 0 ||
        (status = eop_table_guess_decimal(s)) < 0 || (status = eop_table_skip_below(s)) < 0) {
        return status;
    }
    if (s->options.rules.times.zone != NULL) {
        eop_report_zone(s->report, s->options.rules.times.zone);
    }
    return s->options.channel_column != NULL ? eop_table_long_types(s) : eop_table_find_types(s);
}

edgeops_status eop_table_reader_open(eop_table_reader **out, int fd,
                                     const eop_table_options *options) {
    *out = NULL;
    if (options->asset == NULL || options->asset[0] == '\0') {
        return eop_fail(EDGEOPS_E_INVALID, "table", "the name of the asset is missing");
    }
    eop_table_reader *s = eop_calloc(1, sizeof(*s));
    if (s == NULL) {
        return eop_fail_nomem("table");
    }
    s->last = &s->first;
    s->options = *options;
    s->is_json = options->format == EOP_TABLE_JSON_LINES;
    s->time_at = s->clock_at = s->seq_at = s->label_at = s->group_at = EOP_NOWHERE;
    s->name_at = s->value_at = s->unit_at = EOP_NOWHERE;
    s->next_part = SIZE_MAX;
    s->report = eop_report_new();
    s->what = eop_strdup(options->what != NULL ? options->what : "input");
    edgeops_status status =
        s->what != NULL && s->report != NULL ? reader_init(s, fd) : eop_fail_nomem("table");
    if (status < 0) {
        eop_table_reader_close(s);
        return status;
    }
    *out = s;
    return EDGEOPS_OK;
}

edgeops_status eop_table_reader_next(eop_table_reader *reader, eop_table_row *row) {
    edgeops_status status = reader->options.channel_column != NULL
                                ? eop_table_next_long(reader, row)
                                : eop_table_next_wide(reader, row);
    return status == EDGEOPS_DONE ? eop_table_flush_runs(reader) : status;
}

bool eop_table_reader_timed(const eop_table_reader *reader) {
    return reader->is_timed;
}

size_t eop_table_reader_channels(const eop_table_reader *reader, const eop_table_column **out) {
    *out = reader->channels;
    return reader->channel_count;
}

uint64_t eop_table_reader_offset(const eop_table_reader *reader) {
    return reader->records->offset(reader->records);
}

/* -- the report -- */

edgeops_status eop_table_reader_refuse(eop_table_reader *reader, const char *column,
                                       const char *reason, const char *text, size_t size) {
    const eop_field field = {.text = text, .size = size};
    edgeops_status status = eop_table_bad(reader, column, reason, text != NULL ? &field : NULL, "");
    reader->is_bad = false; /* the row itself was read */
    return reader->options.bad_rows == EOP_BAD_SKIP ? EDGEOPS_OK : status;
}

/* What the options name and no line had: JSON lines and the long format may still have it. */
static void warn_of_given(const eop_table_reader *s) {
    for (size_t i = 0; i < s->options.column_count; i++) {
        const char *name = s->options.columns[i].name;
        size_t channel = 0;
        while (channel < s->channel_count && strcmp(s->channels[channel].name, name) != 0) {
            channel++;
        }
        if (channel == s->channel_count && eop_table_find(s, name, strlen(name)) == EOP_NOWHERE) {
            eop_report_warn(s->report, "nothing is called '%s', which has a type given", name);
        }
    }
    for (size_t i = 0; i < s->options.skip_count; i++) {
        const char *name = s->options.skip[i];
        if (eop_table_find(s, name, strlen(name)) == EOP_NOWHERE) {
            eop_report_warn(s->report, "nothing is called '%s', which is to be left out", name);
        }
    }
}

void eop_table_reader_note(eop_table_reader *reader, const char *sentence) {
    eop_report_note(reader->report, "%s", sentence);
}

eop_json *eop_table_reader_report(const eop_table_reader *reader) {
    warn_of_given(reader);
    eop_report_clocks(reader->report);
    if (reader->options.on_known != NULL) { /* they are stored */
        eop_seqs_note(&reader->seqs, reader->report);
    }
    if (reader->blanks > 0) {
        eop_report_note(
            reader->report, "rows of separators alone are left out, the first in line %llu: %llu",
            (unsigned long long)reader->first_blank, (unsigned long long)reader->blanks);
    }
    if (reader->valueless > 0) {
        eop_report_note(reader->report,
                        "rows without a value in any channel, which are not taken: %llu",
                        (unsigned long long)reader->valueless);
    }
    return eop_report_json(reader->report);
}

/* -- the end -- */

static void free_asset(eop_reader_asset *a) {
    eop_free(a->name);
    eop_free(a->known);
    eop_free(a->label);
    eop_seqs_times_dispose(&a->seen);
}

static void free_column(eop_reader_column *c) {
    eop_free(c->raw);
    eop_free(c->name);
    eop_free(c->unit);
    eop_free(c->part);
    eop_free(c->cell.elements);
}

static void free_lists(eop_table_reader *s) {
    for (size_t i = 0; i < s->asset_count; i++) {
        free_asset(&s->assets[i]);
    }
    for (size_t i = 0; i < s->column_count; i++) {
        free_column(&s->columns[i]);
    }
    for (size_t i = 0; i < s->piece_count; i++) {
        eop_free(s->pieces[i].text);
    }
    for (size_t i = 0; i < s->long_count; i++) {
        eop_free(s->longs[i].name);
        eop_free(s->longs[i].unit);
        eop_free(s->longs[i].cell.elements);
    }
    while (s->first != NULL) {
        eop_table_drop(s);
    }
    eop_free(s->header);
    eop_free(s->width_hint);
    eop_free(s->current);
    eop_free(s->assets);
    eop_free(s->columns);
    eop_free(s->pieces);
    eop_free(s->longs);
    eop_free(s->channels);
    eop_free(s->order);
    eop_free(s->parts);
    eop_free(s->where);
    eop_free(s->names);
    eop_free(s->ids);
    eop_free(s->values);
    eop_free(s->qualities);
}

void eop_table_reader_close(eop_table_reader *reader) {
    eop_table_reader *s = reader;
    if (s == NULL) {
        return;
    }
    free_lists(s);
    eop_map_dispose(&s->by_name);
    eop_seqs_dispose(&s->seqs);
    eop_map_dispose(&s->by_channel);
    eop_buf_dispose(&s->name);
    eop_buf_dispose(&s->joined);
    eop_buf_dispose(&s->texts);
    eop_buf_dispose(&s->long_label);
    if (s->records != NULL) {
        s->records->close(s->records);
    }
    eop_rules_free(s->rules);
    eop_rules_free(s->own_rules);
    eop_rules_free(s->json_rules);
    eop_report_free(s->report);
    eop_free(s->what);
    eop_free(s);
}
