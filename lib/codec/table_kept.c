/* SPDX-License-Identifier: Apache-2.0 */
/* Records between their source and the rows: those of the first look are copied and kept in a queue,
 * with those that could not be read in their place; later ones pass through, borrowed until the
 * next. Bad rows are refused here. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/table_parts.h"

#define LOOK_BYTES ((size_t)4 * 1024 * 1024)
#define SHOWN      60

bool eop_record_is_blank(const eop_record *r) {
    return r->count > 1 && eop_record_width(r) == 0;
}

size_t eop_record_width(const eop_record *r) {
    size_t n = r->count;
    while (n > 0 && r->fields[n - 1].size == 0 && r->fields[n - 1].kind != EOP_FIELD_QUOTED) {
        n--;
    }
    return n;
}

bool eop_table_is_header(const eop_table_reader *s, const eop_record *r) {
    const eop_record *header = s->header != NULL ? &s->header->record : NULL;
    if (header == NULL || r->count != header->count || r->count < 2) {
        return false;
    }
    for (size_t i = 0; i < r->count; i++) {
        if (r->fields[i].size != header->fields[i].size ||
            memcmp(r->fields[i].text, header->fields[i].text, r->fields[i].size) != 0) {
            return false;
        }
    }
    return true;
}

void eop_table_note_header(eop_table_reader *s, const eop_record *r) {
    eop_report_note(s->report, "line %llu has the header again and is left out",
                    (unsigned long long)r->line);
}

void eop_table_drop_headers(eop_table_reader *s) {
    eop_kept **at = &s->first;
    while (*at != NULL) {
        eop_kept *k = *at;
        if (k->record.status == EDGEOPS_OK && eop_table_is_header(s, &k->record)) {
            eop_table_note_header(s, &k->record);
            *at = k->next;
            eop_free(k);
        } else {
            at = &k->next;
        }
    }
    s->last = at;
}

edgeops_status eop_table_keep(eop_table_reader *s, const eop_record *record) {
    size_t size = record->message != NULL ? strlen(record->message) + 1 : 0;
    for (size_t i = 0; i < record->count; i++) {
        size += record->fields[i].size + 1;
    }
    size_t total = sizeof(eop_kept) + record->count * sizeof(eop_field) + size;
    eop_kept *k = eop_alloc(total);
    if (k == NULL) {
        return eop_fail_nomem("table");
    }
    char *text = (char *)(k->fields + record->count);
    for (size_t i = 0; i < record->count; i++) {
        const eop_field *field = &record->fields[i];
        k->fields[i] = (eop_field){text, field->size, field->kind};
        memcpy(text, field->text, field->size);
        text[field->size] = '\0';
        text += field->size + 1;
    }
    k->next = NULL;
    k->record = *record;
    k->record.fields = k->fields;
    if (record->message != NULL) {
        memcpy(text, record->message, strlen(record->message) + 1);
        k->record.message = text;
    }
    *s->last = k;
    s->last = &k->next;
    s->kept_bytes += total;
    return EDGEOPS_OK;
}

/* What the source gives next; E_INVALID and E_LIMIT are of the record alone, whose one field is its
 * text then. */
static edgeops_status read_on(eop_table_reader *s, eop_record *out) {
    *out = (eop_record){0};
    out->status = s->records->next(s->records, &out->fields, &out->count);
    out->line = s->records->line(s->records);
    if (out->status == EDGEOPS_E_INVALID || out->status == EDGEOPS_E_LIMIT) {
        size_t size = 0;
        const char *text = s->records->text != NULL ? s->records->text(s->records, &size) : NULL;
        s->refused = (eop_field){text != NULL ? text : "", size, EOP_FIELD_PLAIN};
        out->fields = &s->refused;
        out->count = 1;
        return EDGEOPS_OK;
    }
    s->at_end = out->status == EDGEOPS_DONE;
    return out->status;
}

edgeops_status eop_table_look(eop_table_reader *s, size_t rows) {
    size_t n = 0;
    for (const eop_kept *k = s->first; k != NULL; k = k->next) {
        n++;
    }
    while (n++ < rows && s->kept_bytes < LOOK_BYTES && !s->at_end) {
        eop_record record;
        edgeops_status status = read_on(s, &record);
        if (status == EDGEOPS_DONE) {
            break;
        }
        if (status == EDGEOPS_OK && record.status != EDGEOPS_OK) {
            record.message = eop_strdup(edgeops_error_last()->message);
            status = record.message != NULL ? EDGEOPS_OK : eop_fail_nomem("table");
        }
        if (status == EDGEOPS_OK) {
            status = eop_table_keep(s, &record);
        }
        eop_free(record.message);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

void eop_table_drop(eop_table_reader *s) {
    eop_kept *k = s->first;
    s->first = k->next;
    if (s->first == NULL) {
        s->last = &s->first;
    }
    eop_free(k);
}

edgeops_status eop_table_take(eop_table_reader *s) {
    eop_free(s->current);
    s->current = NULL;
    s->is_bad = false;
    if (s->first == NULL) {
        return s->at_end ? EDGEOPS_DONE : read_on(s, &s->record);
    }
    s->current = s->first;
    s->first = s->current->next;
    if (s->first == NULL) {
        s->last = &s->first;
    }
    s->record = s->current->record;
    return EDGEOPS_OK;
}

static edgeops_status refuse(eop_table_reader *s, const char *column, const char *reason,
                             const eop_field *text) {
    s->is_bad = true;
    eop_report_bad(s->report, s->record.line, column, reason, text != NULL ? text->text : NULL,
                   text != NULL ? text->size : 0);
    if (s->options.on_bad != NULL && s->options.bad_rows == EOP_BAD_SKIP) {
        s->options.on_bad(s->record.line, column, reason, text != NULL ? text->text : NULL,
                          text != NULL ? text->size : 0, s->options.user_data);
    }
    return EDGEOPS_E_INVALID;
}

edgeops_status eop_table_bad(eop_table_reader *s, const char *column, const char *reason,
                             const eop_field *field, const char *hint) {
    unsigned long long line = s->record.line;
    edgeops_status status = refuse(s, column, reason, field);
    if (s->options.bad_rows == EOP_BAD_SKIP) {
        return status; /* nobody reads a message */
    }
    if (field == NULL || column == NULL) {
        return eop_fail(status, "table", "%s:%llu: %s", s->what, line,
                        hint[0] != '\0' ? hint : reason);
    }
    size_t size = eop_utf8_valid(field->text, field->size > SHOWN ? SHOWN : field->size);
    return eop_fail(status, "table", "%s:%llu: column '%s': '%.*s%s' is %s%s", s->what, line,
                    column, (int)size, field->text, size < field->size ? "..." : "", reason, hint);
}

edgeops_status eop_table_bad_record(eop_table_reader *s) {
    const eop_record *r = &s->record;
    const char *message = r->message != NULL ? r->message : edgeops_error_last()->message;
    /* The place has members of its own. */
    const char *reason = message;
    size_t what = strlen(s->what);
    if (strncmp(message, s->what, what) == 0 && message[what] == ':') {
        reason += what + 1;
        reason += strspn(reason, "0123456789");
        reason = strncmp(reason, ": ", 2) == 0 ? reason + 2 : message;
    }
    edgeops_status status = r->status;
    char *copy = eop_strdup(message);
    (void)refuse(s, NULL, reason, r->fields);
    if (copy != NULL) {
        status = eop_fail_with(r->status, "table", copy);
    }
    eop_free(copy);
    return status;
}
