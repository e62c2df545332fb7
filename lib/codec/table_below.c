/* SPDX-License-Identifier: Apache-2.0 */
/* Rows between the header and the data: units, types, comments, as loggers write them. They are told
 * from data by what they lack: a time, and numbers in the columns of numbers. */
#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"
#include "codec/table_parts.h"

#define BELOW_MAX 5
#define UNIT_MAX  24u

typedef enum cell_kind { CELL_NONE, CELL_NUMBER, CELL_OTHER } cell_kind;

static cell_kind kind_of(const eop_reader_column *c, const eop_field *f) {
    switch (eop_rules_type(c->cell.rules, f->text, f->size)) {
    case EDGEOPS_TYPE_NULL:
        return CELL_NONE;
    case EDGEOPS_TYPE_STRING:
        return CELL_OTHER;
    default:
        return CELL_NUMBER; /* a bool is as far from a unit */
    }
}

static bool is_cell(const eop_reader_column *c, const eop_record *r, size_t i) {
    return (c->role == EOP_ROLE_CHANNEL || c->role == EOP_ROLE_VALUE) && !c->text && i < r->count;
}

/* A column whose values behind the record are numbers. */
static bool has_numbers(const eop_table_reader *s, const eop_kept *k, size_t i) {
    const eop_reader_column *c = &s->columns[i];
    size_t numbers = 0;
    if (c->cell.type != EDGEOPS_TYPE_NULL) {
        return c->cell.type != EDGEOPS_TYPE_STRING && c->cell.length == 1;
    }
    size_t others = 0;
    for (const eop_kept *next = k->next; next != NULL; next = next->next) {
        if (next->record.status != EDGEOPS_OK || i >= next->record.count) {
            continue;
        }
        cell_kind kind = kind_of(c, &next->record.fields[i]);
        /* The rows that follow may be such rows, too. */
        others = kind == CELL_OTHER ? others + 1 : others;
        numbers += kind == CELL_NUMBER;
    }
    return numbers > 0 && others < BELOW_MAX && others <= numbers;
}

static bool has_digit(const eop_field *f) {
    for (size_t i = 0; i < f->size; i++) {
        if (f->text[i] >= '0' && f->text[i] <= '9') {
            return true;
        }
    }
    return false;
}

static bool is_time_cell(const eop_table_reader *s, const eop_record *r) {
    edgeops_time time = 0;
    if (s->time_at >= r->count) {
        return false;
    }
    const eop_field *f = &r->fields[s->time_at];
    return has_digit(f) || eop_time_text(&time, NULL, eop_rules_times(s->rules), f->text, f->size);
}

static bool is_below(const eop_table_reader *s, const eop_kept *k) {
    const eop_record *r = &k->record;
    size_t texts = 0;
    if (r->status != EDGEOPS_OK || eop_record_width(r) > s->column_count ||
        eop_record_is_blank(r) || is_time_cell(s, r)) {
        return false;
    }
    for (size_t i = 0; i < s->column_count; i++) {
        const eop_reader_column *c = &s->columns[i];
        if (!is_cell(c, r, i)) {
            continue;
        }
        cell_kind kind = kind_of(c, &r->fields[i]);
        if (kind == CELL_NUMBER || (kind == CELL_OTHER && has_numbers(s, k, i))) {
            texts += kind == CELL_OTHER;
            if (kind == CELL_NUMBER && has_numbers(s, k, i)) {
                return false;
            }
        }
    }
    return texts > 0;
}

/* -- units -- */

static bool is_type_word(const eop_field *f) {
    static const char *const words[] = {"float",   "double",  "int",    "integer", "string",
                                        "text",    "bool",    "number", "real",    "numeric",
                                        "float32", "float64", "int32",  "int64"};
    for (size_t i = 0; i < EOP_COUNT(words); i++) {
        if (strlen(words[i]) == f->size && eop_ascii_equal(words[i], f->text, f->size)) {
            return true;
        }
    }
    return false;
}

/* What may be units: short, and not all of them names of types. */
static bool are_units(const eop_table_reader *s, const eop_record *r) {
    bool only_types = true;
    for (size_t i = 0; i < s->column_count && i < r->count; i++) {
        const eop_field *f = &r->fields[i];
        if (!is_cell(&s->columns[i], r, i) || f->size == 0) {
            continue;
        }
        if (f->size > UNIT_MAX || strlen(f->text) != f->size) {
            return false;
        }
        only_types = only_types && is_type_word(f);
    }
    return !only_types;
}

static edgeops_status take_unit(eop_reader_column *c, const eop_field *f) {
    const char *text = f->text;
    size_t size = f->size;
    bool wrapped = size > 2 && ((text[0] == '[' && text[size - 1] == ']') ||
                                (text[0] == '(' && text[size - 1] == ')'));
    if (wrapped) {
        text++;
        size -= 2;
    }
    if (c->unit != NULL || size == 0 || eop_rules_null(NULL, text, size) != NULL) {
        return EDGEOPS_OK;
    }
    c->unit = eop_strndup(text, size);
    return c->unit != NULL ? EDGEOPS_OK : eop_fail_nomem("table");
}

static edgeops_status take_units(eop_table_reader *s, const eop_record *r) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < s->column_count && status == EDGEOPS_OK; i++) {
        if (is_cell(&s->columns[i], r, i)) {
            status = take_unit(&s->columns[i], &r->fields[i]);
        }
    }
    eop_report_note(s->report, "line %llu has the units", (unsigned long long)r->line);
    return status;
}

edgeops_status eop_table_skip_below(eop_table_reader *s) {
    bool has_units = false;
    edgeops_status status = EDGEOPS_OK;
    if (s->is_json || s->options.as_text || s->options.no_header) {
        return EDGEOPS_OK;
    }
    for (int n = 0; n < BELOW_MAX && status == EDGEOPS_OK; n++) {
        status = eop_table_look(s, 1);
        if (status != EDGEOPS_OK || s->first == NULL || !is_below(s, s->first)) {
            break;
        }
        const eop_record *r = &s->first->record;
        if (!has_units && are_units(s, r)) {
            has_units = true;
            status = take_units(s, r);
        } else {
            eop_report_note(s->report, "line %llu is no row of data and left out",
                            (unsigned long long)r->line);
        }
        eop_table_drop(s);
    }
    return status;
}
