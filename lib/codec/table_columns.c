/* SPDX-License-Identifier: Apache-2.0 */
/* The columns of a table: names from the header, from the options or from their places, made
 * different where the file repeats them, and what stands behind a name (column_name.h). */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/locale.h"
#include "base/map.h"
#include "base/memory.h"
#include "codec/column_name.h"
#include "codec/table_parts.h"

#define SHOWN_NAMES 20
#define HINT_ROWS   64

size_t eop_table_find(const eop_table_reader *s, const char *name, size_t size) {
    for (size_t i = 0; i < s->column_count; i++) {
        if (strlen(s->columns[i].raw) == size && memcmp(s->columns[i].raw, name, size) == 0) {
            return i;
        }
    }
    for (size_t i = 0; i < s->column_count; i++) {
        if (strlen(s->columns[i].name) == size && memcmp(s->columns[i].name, name, size) == 0) {
            return i;
        }
    }
    return EOP_NOWHERE;
}

/* -- what may be the matter -- */

static bool has_cell(const eop_record *r, const char *name, size_t size) {
    for (size_t i = 0; i < r->count; i++) {
        if (r->fields[i].size == size && eop_ascii_equal(r->fields[i].text, name, size)) {
            return true;
        }
    }
    return false;
}

/* The line that has the name, when lines stand above the header. 0: none. */
static uint64_t named_line(const eop_table_reader *s, const char *name, size_t size) {
    size_t rows = 0;
    const eop_kept *k = s->first;
    while (k != NULL && rows++ < HINT_ROWS && !has_cell(&k->record, name, size)) {
        k = k->next;
    }
    return k != NULL && rows <= HINT_ROWS ? k->record.line : 0;
}

/* The first line that is as wide as most behind it. 0: the header is where it should be. */
static uint64_t wide_line(const eop_table_reader *s) {
    size_t rows = 0;
    size_t width = s->column_count;
    for (const eop_kept *k = s->first; k != NULL && rows < HINT_ROWS; k = k->next, rows++) {
        width = k->record.count > 0 ? k->record.count : width;
    }
    const eop_kept *k = width > s->column_count ? s->first : NULL;
    while (k != NULL && k->record.count != width) {
        k = k->next;
    }
    return k != NULL ? k->record.line : 0;
}

/* A header of one column that has a sign which parts fields elsewhere. */
static const char *other_separator(const eop_table_reader *s) {
    const char *raw = s->column_count == 1 && !s->is_json ? s->columns[0].raw : "";
    const char *sign = strpbrk(raw, ";\t|");
    const char *blank = strchr(raw, ' ');
    if (sign != NULL) {
        return *sign == ';' ? ";" : *sign == '|' ? "|" : "tab";
    }
    return blank != NULL && strchr(blank + 1, ' ') != NULL ? "blank" : NULL;
}

/* Decimal commas make the rows wider than such a header. */
static bool parts_rows(const eop_table_reader *s, const char *sign) {
    char c = strcmp(sign, "tab") == 0 ? '\t' : *sign;
    const eop_record *r = s->first != NULL ? &s->first->record : NULL;
    for (size_t i = 0; r != NULL && r->status == EDGEOPS_OK && i < r->count; i++) {
        if (memchr(r->fields[i].text, c, r->fields[i].size) != NULL) {
            return true;
        }
    }
    return false;
}

void eop_table_put_hint(eop_table_reader *s, eop_buf *out, const char *name, size_t size) {
    uint64_t line = 0;
    const char *sign = other_separator(s);
    const char *is_time = size == 4 && memcmp(name, "time", 4) == 0
                              ? "; if one of them has the time: --time-column NAME"
                              : "";
    if (!s->is_json && !s->options.no_header && eop_table_look(s, HINT_ROWS) == EDGEOPS_OK) {
        line = named_line(s, name, size);
        bool is_other = sign != NULL && strcmp(sign, "blank") != 0 && parts_rows(s, sign);
        line = line > 0 || is_other ? line : wide_line(s);
    }
    if (line > 1) {
        eop_buf_printf(out, "; if the names are in line %llu: --skip-rows %llu",
                       (unsigned long long)line, (unsigned long long)line - 1);
    } else if (sign != NULL) {
        eop_buf_printf(out, "; if '%s' parts the fields: --separator '%s'", sign, sign);
    } else {
        bool has_header = !s->is_json && !s->options.no_header;
        eop_buf_printf(out, "%s%s", is_time, has_header ? "; without a header: --no-header" : "");
    }
}

edgeops_status eop_table_no_column(eop_table_reader *s, const char *name, size_t size) {
    eop_buf list = {0};
    if (s->is_json && s->column_count == 0) {
        return eop_fail(EDGEOPS_E_INVALID, "table", "%s: there is no object with members", s->what);
    }
    for (size_t i = 0; i < s->column_count && i < SHOWN_NAMES; i++) {
        eop_buf_printf(&list, "%s%s", i > 0 ? ", " : "", s->columns[i].raw);
    }
    eop_buf_printf(&list, "%s",
                   s->column_count > SHOWN_NAMES ? ", ..."
                   : s->column_count == 0        ? "none"
                                                 : "");
    eop_table_put_hint(s, &list, name, size);
    edgeops_status status =
        eop_fail(EDGEOPS_E_INVALID, "table", "%s: there is no column '%.*s'; it has %s", s->what,
                 (int)size, name, list.data != NULL ? list.data : "");
    eop_buf_dispose(&list);
    return status;
}

/* -- columns -- */

static edgeops_status nul_in_name(const eop_table_reader *s) {
    return eop_fail(EDGEOPS_E_INVALID, "table", "%s:%llu: a name with a NUL byte", s->what,
                    (unsigned long long)s->header_line);
}

static bool is_unnamed(const char *text, size_t size) {
    static const char pandas[] = "Unnamed: ";
    if (size < sizeof pandas - 1 || memcmp(text, pandas, sizeof pandas - 1) != 0) {
        return size == 0;
    }
    return strspn(text + sizeof pandas - 1, "0123456789") == size - (sizeof pandas - 1);
}

static bool is_raw(const eop_table_reader *s, const char *name) {
    size_t i = 0;
    while (i < s->column_count && strcmp(s->columns[i].raw, name) != 0) {
        i++;
    }
    return i < s->column_count;
}

static bool is_name(const eop_table_reader *s, const char *name) {
    return eop_table_find(s, name, strlen(name)) != EOP_NOWHERE;
}

/* A name that no column has: the text, or with _2, _3, ... */
static char *unique_name(const eop_table_reader *s, const char *text, size_t size,
                         bool (*is_there)(const eop_table_reader *s, const char *name)) {
    char *name = eop_strndup(text, size);
    for (size_t n = 2; name != NULL && is_there(s, name); n++) {
        eop_free(name);
        name = eop_format("%.*s_%zu", (int)size, text, n);
    }
    return name;
}

/* Takes the suffix off. */
static edgeops_status split_name(eop_table_reader *s, eop_reader_column *c) {
    eop_column_name parts;
    bool found = eop_column_name_read(&parts, c->raw, strlen(c->raw));
    if (found && parts.quality && eop_table_find(s, c->raw, parts.size) == EOP_NOWHERE) {
        found = false; /* what comes later in the header is looked at again: link_quality() */
    }
    size_t size = found && !parts.quality ? parts.size : strlen(c->raw);
    c->name = eop_strndup(c->raw, size);
    if (c->name != NULL && !eop_column_name_is_taken(c->name)) {
        eop_free(c->name); /* of "x" and "x:float64" both are channels */
        c->name = unique_name(s, c->raw, size, is_name);
    }
    if (c->name == NULL) {
        return eop_fail_nomem("table");
    }
    if (strlen(c->name) != size) {
        eop_report_note(s->report, "channel '%.*s' is there again: column '%s' becomes '%s'",
                        (int)size, c->raw, c->raw, c->name);
    }
    if (found && !parts.quality) {
        c->cell.type = parts.type;
        c->cell.length = parts.length;
        c->cell.rules = s->own_rules;
        c->why = EOP_WHY_HEADER;
    }
    return EDGEOPS_OK;
}

static edgeops_status add_column(eop_table_reader *s, const eop_field *cell) {
    const char *text = cell->text;
    size_t size = cell->size;
    while (cell->kind == EOP_FIELD_PLAIN && size > 0 && (*text == ' ' || *text == '\t')) {
        text++;
        size--;
    }
    while (cell->kind == EOP_FIELD_PLAIN && size > 0 &&
           (text[size - 1] == ' ' || text[size - 1] == '\t')) {
        size--;
    }
    if (memchr(text, '\0', size) != NULL) {
        return nul_in_name(s);
    }
    if (!eop_grow(&s->columns, &s->column_capacity, s->column_count + 1, sizeof(*s->columns))) {
        return eop_fail_nomem("table");
    }
    char place[32];
    bool nameless = !s->is_json && is_unnamed(text, size);
    if (nameless) {
        size = (size_t)snprintf(place, sizeof place, "column_%zu", s->column_count + 1);
        text = place;
    }
    eop_reader_column *c = &s->columns[s->column_count];
    *c = (eop_reader_column){.role = EOP_ROLE_CHANNEL,
                             .channel = EOP_NOWHERE,
                             .quality = EOP_NOWHERE,
                             .nameless = nameless,
                             .cell = {.length = 1, .rules = s->rules, .report = EOP_NOWHERE}};
    c->raw = unique_name(s, text, size, is_raw);
    if (c->raw == NULL) {
        return eop_fail_nomem("table");
    }
    if (strlen(c->raw) != size) {
        eop_report_note(s->report, "column '%.*s' is there again: the one in place %zu is '%s'",
                        (int)size, text, s->column_count + 1, c->raw);
    }
    edgeops_status status = split_name(s, c);
    s->column_count++; /* also half made, for the end */
    return status;
}

/* The channel of a name; of two the one with a type behind it: beside "time:float64", "time" is the
 * time. */
static size_t find_channel(const eop_table_reader *s, const char *name, size_t size) {
    size_t found = EOP_NOWHERE;
    for (size_t i = 0; i < s->column_count; i++) {
        const eop_reader_column *c = &s->columns[i];
        if (c->role == EOP_ROLE_CHANNEL && strlen(c->name) == size &&
            memcmp(c->name, name, size) == 0 &&
            (found == EOP_NOWHERE || c->why == EOP_WHY_HEADER)) {
            found = i;
        }
    }
    return found;
}

/* "x:quality" has the codes of "x", wherever that stands. */
static void link_quality(eop_table_reader *s, size_t first) {
    for (size_t i = first; i < s->column_count; i++) {
        eop_column_name parts;
        const char *raw = s->columns[i].raw;
        if (!eop_column_name_read(&parts, raw, strlen(raw)) || !parts.quality) {
            continue;
        }
        size_t of = find_channel(s, raw, parts.size);
        if (of != EOP_NOWHERE && of != i) {
            s->columns[of].quality = i;
            s->columns[i].role = EOP_ROLE_QUALITY;
            s->has_qualities = true;
        }
    }
}

/* -- the header -- */

static edgeops_status given_names(eop_table_reader *s, const eop_record *r) {
    const eop_table_options *o = &s->options;
    char place[32];
    size_t count = r->count;
    /* A separator at the end of each record makes no column. */
    if (o->name_count > 0 && o->name_count < count && o->name_count >= eop_record_width(r)) {
        count = o->name_count;
    }
    if (o->name_count > 0 && o->name_count != count) {
        return eop_fail(EDGEOPS_E_INVALID, "table", "%s: %zu names are given for %zu columns",
                        s->what, o->name_count, count);
    }
    for (size_t i = 0; i < count; i++) {
        (void)snprintf(place, sizeof place, "c%zu", i + 1);
        const char *name = o->name_count > 0 ? o->names[i] : place;
        eop_field cell = {name, strlen(name), EOP_FIELD_QUOTED};
        edgeops_status status = add_column(s, &cell);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

/* 1, 2, 3, ... */
static bool is_counted(const eop_field *f, uint64_t number) {
    char text[24];
    int size = snprintf(text, sizeof text, "%llu", (unsigned long long)number);
    return f->size == (size_t)size && memcmp(f->text, text, f->size) == 0;
}

static bool has_plain(const eop_record *r) {
    size_t i = 0;
    while (i < r->count && r->fields[i].kind == EOP_FIELD_QUOTED) {
        i++;
    }
    return i < r->count;
}

/* R writes a name for each row but none for their column. A header that lost a separator looks alike,
 * so all first rows must have one field more, with 1, 2, 3, ... or different texts in quotes in
 * front; where the first row has nothing but quotes, it may be the header, and lines above it. */
static edgeops_status has_row_names(bool *out, eop_table_reader *s, const eop_record *header) {
    eop_map seen = {0};
    uint64_t rows = 0;
    bool counted = true;
    bool quoted = true;
    edgeops_status status = eop_table_look(s, 1);
    const eop_kept *k = s->first;
    *out = false;
    if (status == EDGEOPS_OK && k != NULL && k->record.count == header->count + 1) {
        status = eop_table_look(s, EOP_TABLE_LOOK); /* only then others are waited for */
    }
    for (; status == EDGEOPS_OK && k != NULL && (counted || quoted); k = k->next, rows++) {
        const eop_field *f = k->record.fields;
        bool fits =
            k->record.status == EDGEOPS_OK && eop_record_width(&k->record) == header->count + 1;
        bool fresh = false;
        if (!eop_map_note(&seen, eop_hash64(f->text, f->size), &fresh)) {
            status = eop_fail_nomem("table");
        }
        quoted = fits && quoted && f->kind == EOP_FIELD_QUOTED && f->size > 0 && fresh &&
                 (rows > 0 || has_plain(&k->record));
        counted = fits && counted && is_counted(f, rows + 1);
    }
    eop_map_dispose(&seen);
    *out = status == EDGEOPS_OK && rows > 1 && (counted || quoted);
    return status;
}

static edgeops_status named_header(eop_table_reader *s) {
    static const eop_field nameless = {"", 0, EOP_FIELD_PLAIN};
    const eop_record *r = &s->header->record;
    bool rows_have_names = false;
    edgeops_status status = has_row_names(&rows_have_names, s, r);
    if (status == EDGEOPS_OK && rows_have_names) {
        status = add_column(s, &nameless);
        eop_report_note(s->report, "the header has a name less than the rows, as R writes them: "
                                   "the first column has the names of the rows");
    }
    for (size_t i = 0; i < r->count && status == EDGEOPS_OK; i++) {
        status = add_column(s, &r->fields[i]);
    }
    return status;
}

static edgeops_status csv_header(eop_table_reader *s) {
    edgeops_status status = eop_table_look(s, 1);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (s->first == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "table",
                        "%s: empty; a header with column names is needed", s->what);
    }
    const eop_record *r = &s->first->record;
    if (r->status != EDGEOPS_OK) {
        return eop_fail_with(r->status, "table", r->message);
    }
    s->header_line = r->line;
    if (!s->options.no_header) {
        s->header = s->first; /* which is also asked for what it looks like */
        s->first = NULL;
        s->last = &s->first;
        s->kept_bytes = 0;
    }
    return s->options.no_header || s->options.name_count > 0 ? given_names(s, r) : named_header(s);
}

edgeops_status eop_table_grow(eop_table_reader *s) {
    size_t count = 0;
    size_t first = s->column_count;
    const char *const *names = s->records->names(s->records, &count);
    edgeops_status status = EDGEOPS_OK;
    while (s->column_count < count && status == EDGEOPS_OK) {
        const char *name = names[s->column_count];
        status = add_column(s, &(eop_field){name, strlen(name), EOP_FIELD_TEXT});
    }
    link_quality(s, first);
    return status;
}

edgeops_status eop_table_read_header(eop_table_reader *s) {
    edgeops_status status = EDGEOPS_OK;
    if (s->is_json) {
        status = eop_table_look(s, 1);
        if (status == EDGEOPS_OK) {
            status = eop_table_grow(s);
        }
        bool is_bad = s->first != NULL && s->first->record.status != EDGEOPS_OK;
        return status == EDGEOPS_OK && s->column_count == 0 && is_bad &&
                       s->options.bad_rows == EOP_BAD_ERROR
                   ? eop_fail(s->first->record.status, "table",
                              "%s; each line is an object, or all lines are one array",
                              s->first->record.message)
                   : status;
    }
    status = csv_header(s);
    if (status == EDGEOPS_OK) {
        link_quality(s, 0);
    }
    return status;
}
