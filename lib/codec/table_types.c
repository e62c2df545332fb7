/* SPDX-License-Identifier: Apache-2.0 */
/* The types of the channels: given, said in the header, decided by the asset, or found from the
 * first rows, in this order; and the list of the channels. A channel without a value in the first
 * rows gets its type with its first one. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/table_parts.h"

#define MAX_NAME 128

/* -- one field -- */

static uint32_t array_length(const char *text, size_t size) {
    uint32_t n = 1;
    for (size_t i = 0; i < size; i++) {
        n += text[i] == ',';
    }
    return n;
}

edgeops_type eop_table_field_type(const eop_table_reader *s, const eop_rules *rules,
                                  const eop_field *field, uint32_t *length) {
    *length = 1;
    if (field->kind == EOP_FIELD_ABSENT) {
        return EDGEOPS_TYPE_NULL;
    }
    if (field->kind == EOP_FIELD_TEXT) {
        bool is_null = field->size > 0 && eop_rules_null(rules, field->text, field->size) != NULL;
        return is_null ? EDGEOPS_TYPE_NULL : EDGEOPS_TYPE_STRING;
    }
    if (s->is_json && field->size > 1 && field->text[0] == '[') {
        *length = array_length(field->text, field->size);
        return EDGEOPS_TYPE_FLOAT64;
    }
    edgeops_type type = eop_rules_type(s->is_json && s->json_rules != NULL ? s->json_rules : rules,
                                       field->text, field->size);
    return type == EDGEOPS_TYPE_INT64 ? EDGEOPS_TYPE_FLOAT64 : type;
}

static bool is_date(const eop_field *f) {
    edgeops_time time = 0;
    eop_time_seen seen = {0};
    return f->size == 8 && eop_time_text(&time, &seen, NULL, f->text, f->size) &&
           seen.form == EOP_TIME_COMPACT;
}

/* Such as 1.013,25 or 1'000'000 or 12 500; not 1,013, which may be a decimal comma. */
static bool is_grouped(eop_found *f, const eop_field *field) {
    static const char digits[] = "0123456789";
    const char *p = field->text + (*field->text == '-' || *field->text == '+');
    size_t n = strspn(p, digits);
    char sign = p[n];
    size_t groups = 0;
    if (n < 1 || n > 3 || sign == '\0' || strchr(".,' ", sign) == NULL) {
        return false;
    }
    for (p += n; *p == sign && strspn(p + 1, digits) == 3; p += 4) {
        groups++;
    }
    char decimal = *p;
    bool has_decimal = (decimal == '.' || decimal == ',') && decimal != sign;
    p += has_decimal ? 1 + strspn(p + 1, digits) : 0;
    if (groups == 0 || *p != '\0' ||
        (groups == 1 && !has_decimal && (sign == '.' || sign == ','))) {
        return false;
    }
    if (f->grouped == 0) {
        f->group_sign = sign;
        f->group_decimal = has_decimal ? decimal : sign == '.' ? ',' : '.';
    }
    return true;
}

/* Ids with zeros or a sign in front are none. */
static bool is_beyond(const eop_field *field) {
    eop_decimal d;
    const char *digits = field->text + (*field->text == '-');
    return *digits >= '0' && *digits <= '9' && !(digits[0] == '0' && digits[1] != '.') &&
           eop_decimal_scan(&d, field->text, field->size) == field->size;
}

void eop_table_see(const eop_table_reader *s, eop_found *f, const eop_rules *rules,
                   const eop_field *field, uint64_t line) {
    uint32_t length = 1;
    switch (eop_table_field_type(s, rules, field, &length)) {
    case EDGEOPS_TYPE_NULL:
        f->nulls++;
        break;
    case EDGEOPS_TYPE_FLOAT64:
        if (length > 1 || (s->is_json && field->text[0] == '[')) {
            f->length = f->arrays == 0 || f->length == length ? length : 0;
            f->arrays++;
            break;
        }
        f->numbers++;
        f->integers += eop_rules_type(rules, field->text, field->size) == EDGEOPS_TYPE_INT64;
        f->dates += is_date(field);
        break;
    case EDGEOPS_TYPE_BOOL:
        f->bools++;
        break;
    default:
        if (f->texts++ == 0) {
            f->text = field->text;
            f->text_line = line;
        }
        f->grouped += field->kind != EOP_FIELD_TEXT && is_grouped(f, field);
        f->beyond += field->kind != EOP_FIELD_TEXT && is_beyond(field);
    }
}

static const char *why_of(const eop_found *f) {
    return f->texts > 0 && f->numbers > 0   ? "found: numbers and texts"
           : f->texts > 0                   ? "found: texts"
           : f->bools > 0 && f->numbers > 0 ? "found: numbers and bools"
           : f->bools > 0                   ? "found: true and false"
           : f->arrays > 0                  ? "found: arrays of numbers"
           : f->numbers > 0                 ? "found: all values are numbers"
                                            : "no value in the first rows";
}

/* Where bad rows are left out, a few texts among numbers are such rows. */
static bool mostly_numbers(const eop_table_reader *s, const eop_found *f) {
    return s->options.bad_rows == EOP_BAD_SKIP && f->texts > 0 && f->bools + f->arrays == 0 &&
           f->numbers / 4 >= f->texts;
}

static edgeops_type type_of(const eop_found *f, uint32_t *length) {
    *length = 1;
    size_t kinds = (f->numbers > 0) + (f->bools > 0) + (f->texts > 0) + (f->arrays > 0);
    if (kinds == 0) {
        return EDGEOPS_TYPE_NULL;
    }
    if (kinds > 1 || f->texts > 0) {
        return EDGEOPS_TYPE_STRING;
    }
    if (f->arrays > 0) {
        *length = f->length;
        return f->length > 1 && f->length <= EOP_LENGTH_MAX ? EDGEOPS_TYPE_FLOAT64
                                                            : EDGEOPS_TYPE_STRING;
    }
    if (f->bools > 0) {
        return EDGEOPS_TYPE_BOOL;
    }
    return EDGEOPS_TYPE_FLOAT64;
}

/* -- columns -- */

/* A column of sequence numbers by its name and its values. Lines of JSON may be without: exports
 * leave out a 0. */
static bool is_seq(const eop_table_reader *s, const eop_reader_column *c, const eop_found *f) {
    return s->seq_at == EOP_NOWHERE && !s->options.as_text && c->why == EOP_WHY_FOUND &&
           strcmp(c->raw, "seq") == 0 && f->numbers > 0 && f->integers == f->numbers &&
           f->bools + f->texts + f->arrays == 0 && (f->nulls == 0 || s->is_json);
}

static void warn_of(eop_table_reader *s, const eop_reader_column *c, const eop_found *f) {
    size_t values = f->numbers + f->bools + f->texts;
    size_t size = f->text != NULL ? strlen(f->text) : 0;
    if (f->texts > 0 && f->grouped == f->texts) {
        eop_report_warn(s->report,
                        "column '%s' became text: '%.*s' in line %llu looks like a number with "
                        "groups of three digits: --decimal %c --thousands \"%c\"; --column "
                        "%s=string if it is none",
                        c->raw, (int)(size > 40 ? 40 : size), f->text,
                        (unsigned long long)f->text_line, f->group_decimal, f->group_sign, c->raw);
    } else if (f->texts > 0 && f->beyond == f->texts) {
        eop_report_warn(s->report,
                        "column '%s' became text: '%.*s%s' in line %llu looks like a number that "
                        "is too large: --column %s=uint64 if that holds all of them, --column "
                        "%s=string if it is right",
                        c->raw, (int)(size > 40 ? 40 : size), f->text, size > 40 ? "..." : "",
                        (unsigned long long)f->text_line, c->raw, c->raw);
    } else if (f->texts > 0 && f->numbers > 0 && f->numbers >= f->texts) {
        eop_report_warn(s->report,
                        "column '%s' became text: %zu of its first %zu values are numbers, '%.*s' "
                        "in line %llu is not: --null '%.*s' if it means no value, --column "
                        "%s=float64 if such rows are bad, --column %s=string if it is right",
                        c->raw, f->numbers, values, (int)(size > 40 ? 40 : size), f->text,
                        (unsigned long long)f->text_line, (int)(size > 40 ? 40 : size), f->text,
                        c->raw, c->raw);
    }
    if (f->texts == 0 && f->dates > 1 && f->dates == f->numbers) {
        eop_report_warn(s->report,
                        "column '%s' has numbers that look like dates; --time-column %s if it has "
                        "the time",
                        c->raw, c->raw);
    }
}

void eop_table_ask_asset(eop_table_reader *s, eop_reader_column *c, const char *asset) {
    edgeops_type type = EDGEOPS_TYPE_NULL;
    uint32_t length = 1;
    if (s->options.on_known == NULL || c->why > EOP_WHY_FOUND || c->text ||
        !s->options.on_known(asset, c->name, &type, &length, s->options.user_data) ||
        type == EDGEOPS_TYPE_NULL || type == EDGEOPS_TYPE_BLOB) {
        return;
    }
    c->cell.type = type;
    c->cell.length = length > 1 ? length : 1;
    c->why = EOP_WHY_ASSET;
}

void eop_table_decide(eop_table_reader *s, eop_reader_column *c, const eop_found *f) {
    if (s->one_asset) {
        eop_table_ask_asset(s, c, s->options.asset);
    }
    if (c->why != EOP_WHY_FOUND) {
        return;
    }
    if (mostly_numbers(s, f)) {
        c->cell.type = EDGEOPS_TYPE_FLOAT64;
        c->found = "found: most values are numbers";
        eop_report_warn(s->report,
                        "column '%s' is taken as numbers: %zu of its first %zu values are, rows "
                        "such as line %llu are left out: --column %s=string if it has texts",
                        c->raw, f->numbers, f->numbers + f->texts, (unsigned long long)f->text_line,
                        c->raw);
        return;
    }
    c->cell.type = type_of(f, &c->cell.length);
    c->found = why_of(f);
    warn_of(s, c, f);
}

static void find_type(eop_table_reader *s, size_t i) {
    eop_reader_column *c = &s->columns[i];
    eop_found f = {0};
    for (const eop_kept *k = s->first; k != NULL; k = k->next) {
        const eop_record *r = &k->record;
        if (r->status == EDGEOPS_OK && i < r->count &&
            (s->is_json || eop_record_width(r) <= s->column_count)) {
            eop_table_see(s, &f, c->cell.rules, &r->fields[i], r->line);
        }
    }
    if (is_seq(s, c, &f)) {
        c->role = EOP_ROLE_SEQ;
        s->seq_at = i;
        eop_report_note(s->report,
                        "column 'seq' has the sequence numbers; --column seq=float64 makes it a "
                        "channel");
        return;
    }
    if (strcmp(c->raw, "seq") == 0 && f.numbers > 0 && f.integers == f.numbers && f.nulls > 0 &&
        s->seq_at == EOP_NOWHERE && c->why == EOP_WHY_FOUND) {
        eop_report_warn(s->report, "column 'seq' does not have a number in each row and is a "
                                   "channel; --seq-column seq if it is not");
    }
    eop_table_decide(s, c, &f);
}

/* -- channels -- */

edgeops_status eop_table_reserve(eop_table_reader *s, size_t n) {
    if (n <= s->value_capacity) {
        return EDGEOPS_OK;
    }
    size_t capacity = n < 16 ? 16 : n * 2;
    const char **names = eop_realloc_array(s->names, capacity, sizeof(*names));
    s->names = names != NULL ? names : s->names;
    uint32_t *ids = eop_realloc_array(s->ids, capacity, sizeof(*ids));
    s->ids = ids != NULL ? ids : s->ids;
    edgeops_value *values = eop_realloc_array(s->values, capacity, sizeof(*values));
    s->values = values != NULL ? values : s->values;
    uint16_t *qualities = eop_realloc_array(s->qualities, capacity, sizeof(*qualities));
    s->qualities = qualities != NULL ? qualities : s->qualities;
    if (names == NULL || ids == NULL || values == NULL || qualities == NULL) {
        return eop_fail_nomem("table");
    }
    s->value_capacity = capacity;
    return EDGEOPS_OK;
}

static const char *reason_of(const eop_reader_column *c) {
    static const char *const reasons[] = {"", "of the asset", "in the header", "given"};
    return c->why == EOP_WHY_FOUND ? c->found != NULL ? c->found : "no value in the first rows"
                                   : reasons[c->why];
}

static edgeops_status bad_name(eop_table_reader *s, const char *name) {
    eop_buf hint = {0};
    size_t size = strlen(name);
    size_t shown = eop_utf8_valid(name, size > MAX_NAME ? 60 : size);
    eop_table_put_hint(s, &hint, name, size);
    edgeops_status status =
        eop_fail(EDGEOPS_E_INVALID, "table",
                 "%s:%llu: '%.*s%s' is not a valid name for a channel; rename or skip the column%s",
                 s->what, (unsigned long long)s->header_line, (int)shown, name,
                 shown < size ? "..." : "", hint.data != NULL ? hint.data : "");
    eop_buf_dispose(&hint);
    return status;
}

edgeops_status eop_table_add_channel(eop_table_reader *s, size_t *out, eop_reader_column *c) {
    if (!eop_name_valid(c->name, strlen(c->name), MAX_NAME)) {
        return bad_name(s, c->name);
    }
    if (s->channel_count == EOP_TABLE_CHANNELS && s->options.column_pattern == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "table",
                        "%s: over %u channels; skip columns that are not needed", s->what,
                        EOP_TABLE_CHANNELS);
    }
    if (!eop_grow(&s->channels, &s->channel_capacity, s->channel_count + 1, sizeof(*s->channels))) {
        return eop_fail_nomem("table");
    }
    *out = s->channel_count++;
    s->channels[*out] = (eop_table_column){c->name, c->cell.type, c->cell.length, c->unit};
    c->cell.report =
        eop_report_channel(s->report, c->name, c->cell.type, c->cell.length, c->unit, reason_of(c));
    return eop_table_reserve(s, s->channel_count);
}

static bool is_taken(const eop_table_reader *s, const eop_reader_column *c) {
    for (size_t i = 0; i < s->column_count; i++) {
        const eop_reader_column *other = &s->columns[i];
        if (other != c && other->channel != EOP_NOWHERE && strcmp(other->name, c->name) == 0 &&
            strcmp(other->part != NULL ? other->part : "", c->part != NULL ? c->part : "") == 0) {
            return true;
        }
    }
    return false;
}

/* Two channels of one name, such as "x" and "x:float64": the later one gets another. */
static edgeops_status part_names(eop_table_reader *s, eop_reader_column *c) {
    char *before = NULL;
    for (size_t n = 2; is_taken(s, c); n++) {
        char *name = eop_format("%s_%zu", before != NULL ? before : c->name, n);
        if (name == NULL) {
            eop_free(before);
            return eop_fail_nomem("table");
        }
        if (before == NULL) {
            before = c->name;
        } else {
            eop_free(c->name);
        }
        c->name = name;
    }
    if (before != NULL) {
        eop_report_note(s->report, "channel '%s' is there again: column '%s' becomes '%s'", before,
                        c->raw, c->name);
        eop_free(before);
    }
    return EDGEOPS_OK;
}

static edgeops_status set_channel(eop_table_reader *s, eop_reader_column *c) {
    edgeops_status status = part_names(s, c);
    if (status == EDGEOPS_OK) {
        if (s->one_asset) {
            eop_table_ask_asset(s, c, s->options.asset);
        }
        status = eop_table_add_channel(s, &c->channel, c);
    }
    if (status == EDGEOPS_OK && c->why == EOP_WHY_HEADER) {
        char type[EOP_TYPE_TEXT];
        eop_report_note(s->report, "column '%s' is the channel '%s' of type %s", c->raw, c->name,
                        eop_type_text(type, c->cell.type, c->cell.length));
    }
    return status;
}

/* The channels in the order of the file, those of one asset together. */
static edgeops_status set_order(eop_table_reader *s) {
    size_t *order = eop_realloc_array(s->order, s->column_count + 1, sizeof(*order));
    eop_reader_part *parts = eop_realloc_array(s->parts, s->column_count + 1, sizeof(*parts));
    s->order = order != NULL ? order : s->order;
    s->parts = parts != NULL ? parts : s->parts;
    if (order == NULL || parts == NULL) {
        return eop_fail_nomem("table");
    }
    s->order_count = 0;
    s->part_count = 0;
    for (size_t first = 0; first < s->column_count; first++) {
        const eop_reader_column *c = &s->columns[first];
        const char *asset = c->part != NULL ? c->part : "";
        size_t p = 0;
        while (p < s->part_count && strcmp(s->parts[p].asset, asset) != 0) {
            p++;
        }
        if ((c->role != EOP_ROLE_CHANNEL && !c->text) || p < s->part_count) {
            continue;
        }
        eop_reader_part *part = &s->parts[s->part_count++];
        *part = (eop_reader_part){.asset = asset, .first = s->order_count};
        for (size_t i = first; i < s->column_count; i++) {
            const eop_reader_column *other = &s->columns[i];
            if ((other->role == EOP_ROLE_CHANNEL || other->text) &&
                strcmp(other->part != NULL ? other->part : "", asset) == 0) {
                s->order[s->order_count++] = i;
            }
        }
        part->count = s->order_count - part->first;
    }
    return EDGEOPS_OK;
}

static void note_place(eop_table_reader *s, const eop_reader_column *c) {
    eop_report_note(s->report, "the column without a name in place %zu is called '%s'",
                    (size_t)(c - s->columns) + 1, c->name);
}

edgeops_status eop_table_set_channels(eop_table_reader *s) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < s->column_count && status == EDGEOPS_OK; i++) {
        eop_reader_column *c = &s->columns[i];
        bool is_channel = c->role == EOP_ROLE_CHANNEL || c->text;
        if (is_channel && c->channel == EOP_NOWHERE &&
            (!c->nameless || c->cell.type != EDGEOPS_TYPE_NULL)) {
            status = set_channel(s, c);
            if (status == EDGEOPS_OK && c->nameless) {
                note_place(s, c);
            }
        }
    }
    return status == EDGEOPS_OK ? set_order(s) : status;
}

edgeops_status eop_table_find_types(eop_table_reader *s) {
    for (size_t i = 0; i < s->column_count; i++) {
        const eop_reader_column *c = &s->columns[i];
        if (c->role == EOP_ROLE_CHANNEL && c->cell.type == EDGEOPS_TYPE_NULL) {
            find_type(s, i);
        }
    }
    edgeops_status status = eop_table_reserve(s, 1); /* JSON lines may have no channel so far */
    if (status == EDGEOPS_OK) {
        status = eop_table_set_channels(s);
    }
    if (status == EDGEOPS_OK && s->order_count == 0 && !s->is_json) {
        return eop_fail(EDGEOPS_E_INVALID, "table", "%s: no column is left that could be a channel",
                        s->what);
    }
    return status;
}

edgeops_status eop_table_late_type(eop_table_reader *s, eop_reader_column *c,
                                   const eop_field *field) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_type type = eop_table_field_type(s, c->cell.rules, field, &c->cell.length);
    if (type == EDGEOPS_TYPE_NULL) {
        return EDGEOPS_OK;
    }
    c->cell.type = type;
    c->found = "found: its first value";
    if (c->channel == EOP_NOWHERE) {
        status = set_channel(s, c);
        if (status == EDGEOPS_OK) {
            note_place(s, c);
        }
        return status;
    }
    s->channels[c->channel].type = c->cell.type;
    s->channels[c->channel].length = c->cell.length;
    (void)eop_report_channel(s->report, c->name, c->cell.type, c->cell.length, c->unit, c->found);
    return EDGEOPS_OK;
}
