/* SPDX-License-Identifier: Apache-2.0 */
/* Records to rows where each column is a channel: one sample a record, or one for each asset that
 * the columns name. A record is good or bad as a whole: its values are all read before any of its
 * samples is given. */
#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "codec/table_parts.h"

static bool is_wanted(const eop_table_reader *s, const eop_record *r) {
    for (size_t i = 0; i < s->options.where_count; i++) {
        size_t at = s->where[i];
        if (at >= r->count || strcmp(r->fields[at].text, s->options.where[i].text) != 0) {
            return false;
        }
    }
    return true;
}

/* Columns at the end that have no name may be left out. */
static size_t least_fields(const eop_table_reader *s) {
    size_t n = s->column_count;
    while (n > 0 && s->columns[n - 1].nameless) {
        n--;
    }
    return n;
}

/* Behind "file:line: ". */
static const char *width_hint(const eop_table_reader *s) {
    const char *hint = strstr(s->width_hint + strlen(s->what), ": ");
    return hint != NULL ? hint + 2 : s->width_hint;
}

/* The record as it could be written: what is left out may be mended and read again. NULL: no memory. */
static const eop_field *whole_text(eop_table_reader *s, eop_field *out) {
    eop_buf_clear(&s->joined);
    for (size_t i = 0; i < s->record.count; i++) {
        const eop_field *f = &s->record.fields[i];
        bool absent = f->size == 0 && f->kind != EOP_FIELD_QUOTED;
        eop_buf_put(&s->joined, ",", i > 0 ? 1 : 0);
        eop_csv_put(&s->joined, absent ? NULL : f->text, f->size, ',');
    }
    *out = (eop_field){s->joined.data, s->joined.size, EOP_FIELD_PLAIN};
    return s->joined.failed || s->joined.data == NULL ? NULL : out;
}

static edgeops_status check_count(eop_table_reader *s) {
    const eop_record *r = &s->record;
    char hint[64];
    eop_field text;
    bool fewer = r->count < s->column_count;
    if (fewer ? r->count >= least_fields(s) : eop_record_width(r) <= s->column_count) {
        if (!fewer && !s->said_extra) {
            s->said_extra = true;
            eop_report_note(s->report,
                            "line %llu has empty fields behind the last column, which are left out",
                            (unsigned long long)r->line);
        }
        return EDGEOPS_OK;
    }
    if (!fewer && s->width_hint != NULL) {
        return eop_table_bad(s, NULL, "too many fields", whole_text(s, &text), width_hint(s));
    }
    (void)eop_snprintf(hint, sizeof hint, "%zu fields, the %s has %zu", r->count,
                       s->header != NULL ? "header" : "first row", s->column_count);
    return eop_table_bad(s, NULL, fewer ? "too few fields" : "too many fields",
                         whole_text(s, &text), hint);
}

edgeops_status eop_table_check_record(eop_table_reader *s, bool *out) {
    const eop_record *r = &s->record;
    edgeops_status status = EDGEOPS_OK;
    *out = false;
    if (r->status != EDGEOPS_OK) {
        return eop_table_bad_record(s);
    }
    if (s->is_json) {
        status = r->count > s->column_count ? eop_table_grow(s) : EDGEOPS_OK;
    } else if (s->is_timed && r->count != 1 && eop_record_width(r) == 0) {
        s->first_blank = s->blanks++ == 0 ? r->line : s->first_blank;
        return EDGEOPS_OK;
    } else if (eop_table_is_header(s, r)) {
        eop_table_note_header(s, r);
        return EDGEOPS_OK;
    } else if (r->count != s->column_count) {
        status = check_count(s);
    }
    *out = status == EDGEOPS_OK && is_wanted(s, r);
    return status;
}

/* -- values -- */

edgeops_status eop_table_quality(eop_table_reader *s, size_t at, uint16_t *out) {
    edgeops_value value = {0};
    *out = EDGEOPS_QUALITY_NONE;
    if (at >= s->record.count || s->columns[at].role != EOP_ROLE_QUALITY) {
        return EDGEOPS_OK;
    }
    const eop_field *f = &s->record.fields[at];
    if (f->size == 0) {
        return EDGEOPS_OK;
    }
    if (!eop_rules_value(s->rules, &value, EDGEOPS_TYPE_UINT16, f->text, f->size) ||
        (value.type != EDGEOPS_TYPE_NULL && value.as.u64 == EDGEOPS_QUALITY_NONE)) {
        return eop_table_bad(s, s->columns[at].raw, "not a quality code from 0 to 65534", f, "");
    }
    if (value.type != EDGEOPS_TYPE_NULL) {
        *out = (uint16_t)value.as.u64;
    }
    return EDGEOPS_OK;
}

void eop_table_give_null(eop_table_row *row, const char *const *channel) {
    static const edgeops_value null = {.type = EDGEOPS_TYPE_NULL};
    if (row->sample.count == 0 && *channel != NULL) {
        row->sample.channels = channel;
        row->sample.values = &null;
        row->sample.qualities = NULL;
        row->sample.count = 1;
    }
}

/* Puts the value of a column behind the n that the record has so far. */
static edgeops_status take_value(eop_table_reader *s, eop_reader_part *part, size_t i, size_t *n) {
    const eop_reader_asset *a = &s->assets[part->of];
    eop_reader_column *c = &s->columns[i];
    const eop_field *field = &s->record.fields[i];
    if (c->cell.type == EDGEOPS_TYPE_NULL && field->size > 0) {
        edgeops_status status = eop_table_late_type(s, c, field);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (c->cell.type == EDGEOPS_TYPE_NULL && c->channel == EOP_NOWHERE) {
        return EDGEOPS_OK; /* neither a name nor a value */
    }
    edgeops_type type = c->cell.type;
    uint32_t length = c->cell.length;
    s->of_asset = c->why == EOP_WHY_ASSET;
    if (c->why <= EOP_WHY_FOUND && !c->text) {
        eop_table_known_type(s, a, c->channel, &type, &length);
    }
    if (type == EDGEOPS_TYPE_NULL) {
        type = EDGEOPS_TYPE_FLOAT64; /* a word for null, or nothing */
    }
    if (!eop_table_cell(s, &s->values[*n], &c->cell, type, length, field)) {
        return eop_table_bad_cell(s, c->raw, type, length, field);
    }
    if (s->values[*n].type == EDGEOPS_TYPE_NULL) {
        /* Our own output gives a channel its type where an empty field stands for a null. */
        bool is_said = field->size > 0 || (c->why == EOP_WHY_HEADER && s->part_count == 1 &&
                                           field->kind != EOP_FIELD_ABSENT);
        part->null = is_said ? c->name : part->null;
        return EDGEOPS_OK;
    }
    edgeops_status status =
        s->has_qualities ? eop_table_quality(s, c->quality, &s->qualities[*n]) : EDGEOPS_OK;
    s->ids[*n] = (uint32_t)i;
    s->names[(*n)++] = c->name;
    return status;
}

static edgeops_status take_values(eop_table_reader *s) {
    size_t n = 0;
    for (size_t p = 0; p < s->part_count; p++) {
        eop_reader_part *part = &s->parts[p];
        edgeops_status status = eop_table_asset(s, &part->of, part->asset);
        part->at = n;
        part->null = NULL;
        for (size_t k = 0; k < part->count && status == EDGEOPS_OK; k++) {
            size_t i = s->order[part->first + k];
            status = i < s->record.count ? take_value(s, part, i, &n) : EDGEOPS_OK;
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
        part->values = n - part->at;
    }
    return EDGEOPS_OK;
}

/* Reads a record as far as it is the same for all its samples. */
static edgeops_status take_record(eop_table_reader *s, bool *wanted) {
    size_t columns = s->column_count;
    edgeops_status status = eop_table_check_record(s, wanted);
    if (status != EDGEOPS_OK || !*wanted) {
        return status;
    }
    if (s->column_count != columns) { /* JSON lines with new members */
        if ((status = eop_table_set_roles(s)) != EDGEOPS_OK ||
            (status = eop_table_set_channels(s)) != EDGEOPS_OK) {
            return status;
        }
    }
    memset(&s->head, 0, sizeof s->head);
    s->head.line = s->record.line;
    if (s->is_timed) {
        status = eop_table_time(s, &s->head.sample.time, &s->seen);
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_heads(s, &s->head);
    }
    return status == EDGEOPS_OK ? take_values(s) : status;
}

static edgeops_status give_part(eop_table_reader *s, eop_table_row *row) {
    const eop_reader_part *part = &s->parts[s->next_part++];
    eop_reader_asset *a = &s->assets[part->of];
    *row = s->head;
    row->sample.channels = s->names + part->at;
    row->sample.values = s->values + part->at;
    row->sample.qualities = s->has_qualities ? s->qualities + part->at : NULL;
    row->sample.count = part->values;
    eop_table_give_null(row, &part->null);
    if (row->sample.count == 0 && s->part_count > 1 && row->label == NULL && a->label == NULL &&
        s->is_timed) {
        return EDGEOPS_OK; /* nothing of this asset */
    }
    edgeops_status status = eop_table_place(s, a, row, part->at, part->values, s->head.sample.time,
                                            s->is_timed ? &s->seen : NULL);
    return status == EDGEOPS_OK ? eop_table_step_run(s, a, row->label, row->sample.time) : status;
}

edgeops_status eop_table_next_wide(eop_table_reader *s, eop_table_row *row) {
    for (;;) {
        while (s->next_part < s->part_count) {
            edgeops_status status = give_part(s, row);
            if (status != EDGEOPS_OK || row->sample.count > 0) {
                return status;
            }
            s->valueless += s->part_count == 1;
        }
        bool wanted = false;
        s->next_part = SIZE_MAX;
        edgeops_status status = eop_table_take(s);
        if (status == EDGEOPS_OK) {
            status = take_record(s, &wanted);
        }
        if (status == EDGEOPS_OK) {
            s->next_part = wanted ? 0 : SIZE_MAX;
        } else if (!s->is_bad || s->options.bad_rows != EOP_BAD_SKIP) {
            return status;
        }
    }
}
