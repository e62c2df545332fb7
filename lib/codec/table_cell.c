/* SPDX-License-Identifier: Apache-2.0 */
/* From a field to a value of a known type, counted in the report, or refused with what to do. */
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "codec/table_parts.h"

static void count_null(eop_table_reader *s, const eop_cell_rules *cell, const eop_field *field) {
    const char *word = field->size > 0 ? eop_rules_null(cell->rules, field->text, field->size) : "";
    eop_report_null(s->report, cell->report, word);
}

static bool make_room(eop_cell_rules *cell, edgeops_type type, uint32_t length) {
    size_t size = (size_t)length * eop_type_width(type);
    if (size > cell->elements_size) {
        eop_free(cell->elements);
        cell->elements = eop_alloc(size);
        cell->elements_size = cell->elements != NULL ? size : 0;
    }
    return cell->elements != NULL;
}

bool eop_table_cell(eop_table_reader *s, edgeops_value *out, eop_cell_rules *cell,
                    edgeops_type type, uint32_t length, const eop_field *field) {
    *out = (edgeops_value){.type = EDGEOPS_TYPE_NULL};
    if (field->size == 0) {
        if (type == EDGEOPS_TYPE_STRING &&
            (field->kind == EOP_FIELD_QUOTED || field->kind == EOP_FIELD_TEXT)) {
            *out = (edgeops_value){.type = type, .as.str = field->text};
            eop_report_value(s->report, cell->report);
            return true;
        }
        eop_report_null(s->report, cell->report, "");
        return true;
    }
    const eop_rules *rules =
        field->kind == EOP_FIELD_PLAIN && s->json_rules != NULL ? s->json_rules : cell->rules;
    bool good = length > 1 ? make_room(cell, type, length) &&
                                 eop_rules_array(rules, out, cell->elements, type, length,
                                                 field->text, field->size)
                           : eop_rules_value(rules, out, type, field->text, field->size);
    if (!good) {
        return false;
    }
    if (out->type == EDGEOPS_TYPE_NULL) {
        count_null(s, cell, field);
    } else {
        eop_report_value(s->report, cell->report);
    }
    return true;
}

static bool is_comma_number(const eop_field *field) {
    const char *comma = memchr(field->text, ',', field->size);
    return comma != NULL && field->size < 40 &&
           strspn(field->text, "+-0123456789.,eE") == field->size;
}

edgeops_status eop_table_bad_cell(eop_table_reader *s, const char *column, edgeops_type type,
                                  uint32_t length, const eop_field *field) {
    char name[EOP_TYPE_TEXT], reason[EOP_TYPE_TEXT + 40], hint[256] = "";
    size_t size = eop_utf8_valid(field->text, field->size > 30 ? 30 : field->size);
    if (type == EDGEOPS_TYPE_BOOL) {
        (void)snprintf(reason, sizeof reason, "not a bool (true, false)");
    } else if (type == EDGEOPS_TYPE_STRING) {
        (void)snprintf(reason, sizeof reason, "not a string of at most 64 KiB of UTF-8");
    } else {
        (void)snprintf(reason, sizeof reason, "not %s %s%s", eop_type_article(type),
                       eop_type_text(name, type, length), length > 1 ? ", such as [1,2]" : "");
    }
    if (type == EDGEOPS_TYPE_FLOAT64 && length == 1 &&
        eop_rules_type(NULL, field->text, field->size) == EDGEOPS_TYPE_INT64) {
        (void)snprintf(hint, sizeof hint,
                       ", which has 53 bits: --column %.80s=int64, or =string if these are not "
                       "numbers",
                       column);
    } else if (type != EDGEOPS_TYPE_STRING && length == 1 && s->options.rules.decimal == '\0' &&
               is_comma_number(field)) {
        (void)snprintf(hint, sizeof hint,
                       "; if the comma is before the decimals: --decimal , (if it parts thousands: "
                       "--thousands ,)");
    } else if (type != EDGEOPS_TYPE_STRING && length == 1) {
        char texts[120];
        (void)snprintf(texts, sizeof texts, "--column %.80s=string", column);
        (void)snprintf(hint, sizeof hint,
                       "; if it means no value: --null '%.*s'; if the column has texts: %s; to "
                       "leave such rows out: --bad-rows skip",
                       (int)size, field->text, s->of_asset ? "asset set --type string" : texts);
    }
    return eop_table_bad(s, column, reason, field, hint);
}
