/* SPDX-License-Identifier: Apache-2.0 */
/* The long format, a value a record: consecutive records of one asset and time make one row, and a
 * channel that comes again begins the next. The row is gathered in `values`; its strings are copied,
 * since records are borrowed. */
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "codec/table_parts.h"

static const eop_field *field_at(const eop_record *r, size_t i) {
    static const eop_field absent = {"", 0, EOP_FIELD_ABSENT};
    return i < r->count ? &r->fields[i] : &absent;
}

/* -- channels -- */

static eop_long_channel *find_channel(const eop_table_reader *s, uint64_t hash,
                                      const eop_field *name) {
    size_t step = 0;
    uintptr_t i;
    while ((i = eop_map_next(&s->by_channel, hash, &step)) != 0) {
        if (strcmp(s->longs[i - 1].name, name->text) == 0) {
            return &s->longs[i - 1];
        }
    }
    return NULL;
}

static void take_given(const eop_table_reader *s, eop_reader_column *c) {
    const eop_table_options *o = &s->options;
    for (size_t i = 0; i < o->column_count; i++) {
        const eop_table_column *given = &o->columns[i];
        if (strcmp(given->name, c->name) == 0) {
            c->unit = given->unit != NULL ? (char *)(uintptr_t)given->unit : c->unit;
            if (given->type != EDGEOPS_TYPE_NULL) {
                c->cell.type = given->type;
                c->cell.length = given->length > 1 ? given->length : 1;
                c->why = EOP_WHY_GIVEN;
            }
        }
    }
}

/* A new channel; found: its values in the first rows, or NULL. */
static edgeops_status add_channel(eop_table_reader *s, const eop_record *r, uint64_t hash,
                                  const eop_found *found) {
    const eop_field *name = field_at(r, s->name_at);
    const eop_field *unit = field_at(r, s->unit_at);
    if (!eop_map_reserve(&s->by_channel) ||
        !eop_grow(&s->longs, &s->long_capacity, s->long_count + 1, sizeof(*s->longs))) {
        return eop_fail_nomem("table");
    }
    eop_long_channel *l = &s->longs[s->long_count];
    *l = (eop_long_channel){.name = eop_strdup(name->text),
                            .unit = unit->size > 0 ? eop_strdup(unit->text) : NULL};
    if (l->name == NULL || (unit->size > 0 && l->unit == NULL)) {
        eop_free(l->name);
        eop_free(l->unit);
        return eop_fail_nomem("table");
    }
    eop_map_add(&s->by_channel, hash, ++s->long_count);
    eop_reader_column c = {.raw = l->name,
                           .name = l->name,
                           .unit = l->unit,
                           .cell = {.length = 1, .rules = s->rules, .report = EOP_NOWHERE}};
    if (found != NULL) {
        eop_table_decide(s, &c, found);
    }
    take_given(s, &c);
    if (s->one_asset) {
        eop_table_ask_asset(s, &c, s->options.asset);
    }
    edgeops_status status = eop_table_add_channel(s, &l->channel, &c);
    l->cell = c.cell;
    l->given = c.why == EOP_WHY_GIVEN;
    return status;
}

/* The channel that the record at hand names. */
static edgeops_status name_channel(eop_table_reader *s, size_t *out) {
    const eop_field *name = field_at(&s->record, s->name_at);
    uint64_t hash = eop_hash64(name->text, name->size);
    const eop_long_channel *l = find_channel(s, hash, name);
    if (l != NULL) {
        *out = (size_t)(l - s->longs);
        return EDGEOPS_OK;
    }
    if (!eop_name_valid(name->text, name->size, 128)) {
        return eop_table_bad(s, s->columns[s->name_at].raw, "not a valid name for a channel", name,
                             "");
    }
    *out = s->long_count;
    return add_channel(s, &s->record, hash, NULL);
}

/* -- the first look -- */

/* Columns that have no role in the long format; two have one by their names. */
static void set_others(eop_table_reader *s) {
    eop_buf unused = {0};
    for (size_t i = 0; i < s->column_count; i++) {
        eop_reader_column *c = &s->columns[i];
        if (c->role != EOP_ROLE_CHANNEL) {
            continue;
        }
        eop_reader_column *value = &s->columns[s->value_at];
        if (strcmp(c->raw, "quality") == 0 && value->quality == EOP_NOWHERE) {
            c->role = EOP_ROLE_QUALITY;
            value->quality = i;
            s->has_qualities = true;
            eop_report_note(s->report, "column 'quality' has the quality codes");
            continue;
        }
        c->role = EOP_ROLE_SKIP;
        if (strcmp(c->raw, "unit") == 0 && s->unit_at == EOP_NOWHERE) {
            s->unit_at = i;
            eop_report_note(s->report, "column 'unit' has the units of the channels");
        } else {
            eop_buf_printf(&unused, "%s%s", unused.size > 0 ? ", " : "", c->raw);
        }
    }
    if (unused.size > 0 && !unused.failed) {
        eop_report_note(s->report, "columns that the long format does not use: %s", unused.data);
    }
    eop_buf_dispose(&unused);
}

typedef struct looked {
    const eop_record *first; /* that names the channel */
    uint64_t hash;
    eop_found found;
} looked;

static edgeops_status look_at_values(eop_table_reader *s, looked **out, size_t *count) {
    looked *all = NULL;
    size_t n = 0, capacity = 0;
    for (const eop_kept *k = s->first; k != NULL; k = k->next) {
        const eop_field *name = field_at(&k->record, s->name_at);
        if (k->record.status != EDGEOPS_OK || !eop_name_valid(name->text, name->size, 128)) {
            continue;
        }
        uint64_t hash = eop_hash64(name->text, name->size);
        size_t i = 0;
        while (i < n && (all[i].hash != hash ||
                         strcmp(field_at(all[i].first, s->name_at)->text, name->text) != 0)) {
            i++;
        }
        if (i == n) {
            if (!eop_grow(&all, &capacity, n + 1, sizeof(*all))) {
                eop_free(all);
                return eop_fail_nomem("table");
            }
            all[n++] = (looked){.first = &k->record, .hash = hash};
        }
        eop_table_see(s, &all[i].found, s->rules, field_at(&k->record, s->value_at),
                      k->record.line);
    }
    *out = all;
    *count = n;
    return EDGEOPS_OK;
}

edgeops_status eop_table_long_types(eop_table_reader *s) {
    looked *all = NULL;
    size_t n = 0;
    if (s->name_at == EOP_NOWHERE || s->value_at == EOP_NOWHERE) {
        const char *name =
            s->name_at == EOP_NOWHERE ? s->options.channel_column : s->options.value_column;
        return eop_table_no_column(s, name, strlen(name));
    }
    set_others(s);
    edgeops_status status = look_at_values(s, &all, &n);
    for (size_t i = 0; i < n && status == EDGEOPS_OK; i++) {
        status = add_channel(s, all[i].first, all[i].hash, &all[i].found);
    }
    eop_free(all);
    return status;
}

/* -- rows -- */

static edgeops_status decide_late(eop_table_reader *s, eop_long_channel *l,
                                  const eop_field *field) {
    eop_cell_rules *cell = &l->cell;
    cell->type = eop_table_field_type(s, cell->rules, field, &cell->length);
    s->channels[l->channel].type = cell->type;
    s->channels[l->channel].length = cell->length;
    (void)eop_report_channel(s->report, l->name, cell->type, cell->length, l->unit,
                             "found: its first value");
    return EDGEOPS_OK;
}

/* Adds the value of the record at hand to the row. */
static edgeops_status put_value(eop_table_reader *s, eop_long_channel *l) {
    const eop_field *field = field_at(&s->record, s->value_at);
    size_t n = s->long_values;
    edgeops_status status = eop_table_reserve(s, n + 1);
    if (status == EDGEOPS_OK && l->cell.type == EDGEOPS_TYPE_NULL && field->size > 0) {
        status = decide_late(s, l, field);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    edgeops_type type = l->cell.type != EDGEOPS_TYPE_NULL ? l->cell.type : EDGEOPS_TYPE_FLOAT64;
    uint32_t length = l->cell.length;
    s->of_asset = false;
    if (!l->given) {
        eop_table_known_type(s, &s->assets[s->long_asset], l->channel, &type, &length);
    }
    edgeops_value *value = &s->values[n];
    if (!eop_table_cell(s, value, &l->cell, type, length, field)) {
        return eop_table_bad_cell(s, l->name, type, length, field);
    }
    l->in_row = s->long_row;
    if (value->type == EDGEOPS_TYPE_NULL) {
        s->long_null = field->size > 0 ? l->name : s->long_null;
        return EDGEOPS_OK;
    }
    if (s->has_qualities) {
        status = eop_table_quality(s, s->columns[s->value_at].quality, &s->qualities[n]);
    }
    if (status == EDGEOPS_OK && value->type == EDGEOPS_TYPE_STRING) {
        size_t at = s->texts.size;
        eop_buf_put(&s->texts, value->as.str, value->size);
        eop_buf_put(&s->texts, "", 1);
        value->as.u64 = at; /* until the row is given: the buffer may move */
        status = s->texts.failed ? eop_fail_nomem("table") : EDGEOPS_OK;
    }
    s->names[n] = l->name;
    s->ids[n] = (uint32_t)l->channel;
    s->long_values += status == EDGEOPS_OK;
    return status;
}

static void begin_row(eop_table_reader *s, size_t asset, const eop_table_row *head) {
    s->long_row++;
    s->is_open = true;
    s->long_asset = asset;
    s->long_values = 0;
    s->long_null = NULL;
    eop_buf_clear(&s->texts);
    eop_buf_clear(&s->long_label);
    s->head = *head;
    s->head.line = s->record.line;
    eop_buf_puts(&s->long_label, head->label != NULL ? head->label : "");
    eop_buf_put(&s->long_label, "", 1);
    eop_buf_puts(&s->long_label, head->group != NULL ? head->group : "");
}

/* The record at hand as a part of a row. *out is false when the row before it has to be given. */
static edgeops_status take_part(eop_table_reader *s, bool *out) {
    eop_table_row head = {0};
    eop_time_seen seen = {0};
    size_t asset = 0, channel = 0;
    edgeops_status status = EDGEOPS_OK;
    *out = true;
    if (s->is_timed) {
        status = eop_table_time(s, &head.sample.time, &seen);
    }
    if (status < 0 || (status = eop_table_heads(s, &head)) < 0 ||
        (status = eop_table_asset(s, &asset, "")) < 0 || (status = name_channel(s, &channel)) < 0) {
        return status;
    }
    eop_long_channel *l = &s->longs[channel];
    if (s->is_open && (asset != s->long_asset || head.sample.time != s->head.sample.time ||
                       (s->seq_at != EOP_NOWHERE && head.sample.seq != s->head.sample.seq) ||
                       l->in_row == s->long_row)) {
        *out = false;
        return EDGEOPS_OK;
    }
    if (!s->is_open) {
        begin_row(s, asset, &head);
        s->seen = seen;
    }
    return s->long_label.failed ? eop_fail_nomem("table") : put_value(s, l);
}

static edgeops_status give_row(eop_table_reader *s, eop_table_row *row) {
    eop_reader_asset *a = &s->assets[s->long_asset];
    s->is_open = false;
    *row = s->head;
    const char *label = s->long_label.data;
    row->label = label[0] != '\0' ? label : NULL;
    row->group = s->head.group != NULL ? label + strlen(label) + 1 : NULL;
    for (size_t i = 0; i < s->long_values; i++) {
        if (s->values[i].type == EDGEOPS_TYPE_STRING) {
            s->values[i].as.str = s->texts.data + s->values[i].as.u64;
        }
    }
    row->sample.channels = s->names;
    row->sample.values = s->values;
    row->sample.qualities = s->has_qualities ? s->qualities : NULL;
    row->sample.count = s->long_values;
    eop_table_give_null(row, &s->long_null);
    edgeops_status status = eop_table_place(s, a, row, 0, s->long_values, s->head.sample.time,
                                            s->is_timed ? &s->seen : NULL);
    return status == EDGEOPS_OK ? eop_table_step_run(s, a, row->label, row->sample.time) : status;
}

edgeops_status eop_table_next_long(eop_table_reader *s, eop_table_row *row) {
    for (;;) {
        bool wanted = true;
        bool taken = true;
        edgeops_status status = s->again ? EDGEOPS_OK : eop_table_take(s);
        bool at_end = status == EDGEOPS_DONE;
        if (status == EDGEOPS_OK && !s->again) {
            status = eop_table_check_record(s, &wanted);
        }
        s->again = false;
        if (status == EDGEOPS_OK && wanted) {
            status = take_part(s, &taken);
        }
        if (s->is_open && (at_end || (status == EDGEOPS_OK && !taken))) {
            s->again = !at_end;
            status = give_row(s, row);
            if (status != EDGEOPS_OK || row->sample.count > 0) {
                return status;
            }
            continue;
        }
        if (status != EDGEOPS_OK && !(s->is_bad && s->options.bad_rows == EOP_BAD_SKIP)) {
            return status;
        }
    }
}
