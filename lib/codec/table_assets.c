/* SPDX-License-Identifier: Apache-2.0 */
/* The assets of a file, by name, each with the types that it has decided, its last time, the times
 * it had so far and its open label; and the place of a row in time. */
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "codec/table_parts.h"

#define MAX_ASSET  200
#define MAX_ASSETS 100000
#define MAX_LABEL  1024

/* -- by name -- */

static eop_reader_asset *known_asset(const eop_table_reader *s, uint64_t hash, const char *name) {
    size_t step = 0;
    uintptr_t i;
    while ((i = eop_map_next(&s->by_name, hash, &step)) != 0) {
        if (strcmp(s->assets[i - 1].name, name) == 0) {
            return &s->assets[i - 1];
        }
    }
    return NULL;
}

/* Where the asset depends on the row, its types are its own. */
static edgeops_status ask_types(eop_table_reader *s, eop_reader_asset *a) {
    if (s->options.on_known == NULL || s->one_asset) {
        return EDGEOPS_OK;
    }
    a->known = eop_calloc(s->channel_count + 1, sizeof(*a->known));
    if (a->known == NULL) {
        return eop_fail_nomem("table");
    }
    bool any = false;
    for (size_t i = 0; i < s->channel_count; i++) {
        eop_table_column *k = &a->known[i];
        if (s->options.on_known(a->name, s->channels[i].name, &k->type, &k->length,
                                s->options.user_data) &&
            k->type != EDGEOPS_TYPE_NULL && k->type != EDGEOPS_TYPE_BLOB) {
            any = true;
        } else {
            k->type = EDGEOPS_TYPE_NULL;
        }
    }
    a->known_count = any ? s->channel_count : 0;
    return EDGEOPS_OK;
}

void eop_table_known_type(eop_table_reader *s, const eop_reader_asset *a, size_t channel,
                          edgeops_type *type, uint32_t *length) {
    if (channel < a->known_count && a->known[channel].type != EDGEOPS_TYPE_NULL) {
        *type = a->known[channel].type;
        *length = a->known[channel].length > 1 ? a->known[channel].length : 1;
        s->of_asset = true;
    }
}

static edgeops_status add_asset(eop_table_reader *s, uint64_t hash, const char *name) {
    if (s->asset_count == MAX_ASSETS) {
        return eop_fail(EDGEOPS_E_LIMIT, "table", "%s:%llu: over %d assets", s->what,
                        (unsigned long long)s->record.line, MAX_ASSETS);
    }
    if (!eop_map_reserve(&s->by_name) ||
        !eop_grow(&s->assets, &s->asset_capacity, s->asset_count + 1, sizeof(*s->assets))) {
        return eop_fail_nomem("table");
    }
    eop_reader_asset *a = &s->assets[s->asset_count];
    *a = (eop_reader_asset){.name = eop_strdup(name)};
    if (a->name == NULL) {
        return eop_fail_nomem("table");
    }
    eop_map_add(&s->by_name, hash, ++s->asset_count);
    return ask_types(s, a);
}

/* EOP_NOWHERE, or the piece whose column is empty. */
static size_t put_name(eop_table_reader *s, const char *part) {
    size_t empty = EOP_NOWHERE;
    eop_buf_clear(&s->name);
    for (size_t i = 0; i < s->piece_count; i++) {
        const eop_reader_piece *p = &s->pieces[i];
        if (p->kind == EOP_PIECE_TEXT) {
            eop_buf_puts(&s->name, p->text);
        } else if (p->kind == EOP_PIECE_PART) {
            eop_buf_puts(&s->name, part);
        } else if (p->column < s->record.count && s->record.fields[p->column].size > 0) {
            const eop_field *f = &s->record.fields[p->column];
            eop_buf_put(&s->name, f->text, f->size);
        } else {
            empty = i;
        }
    }
    return empty;
}

edgeops_status eop_table_asset(eop_table_reader *s, size_t *out, const char *part) {
    if (s->one_asset && s->asset_count > 0) {
        *out = 0;
        return EDGEOPS_OK;
    }
    size_t empty = put_name(s, part);
    if (s->name.failed) {
        return eop_fail_nomem("table");
    }
    if (empty != EOP_NOWHERE) {
        const eop_field nothing = {"", 0, EOP_FIELD_PLAIN};
        return eop_table_bad(s, s->pieces[empty].text, "no part of an asset's name", &nothing, "");
    }
    if (s->name.size == 0 || !eop_name_valid(s->name.data, s->name.size, MAX_ASSET)) {
        const eop_field text = {s->name.size > 0 ? s->name.data : "", s->name.size,
                                EOP_FIELD_PLAIN};
        return eop_table_bad(s, "asset", "not a valid name for an asset", &text, "");
    }
    uint64_t hash = eop_hash64(s->name.data, s->name.size);
    const eop_reader_asset *a = known_asset(s, hash, s->name.data);
    if (a != NULL) {
        *out = (size_t)(a - s->assets);
        return EDGEOPS_OK;
    }
    *out = s->asset_count;
    return add_asset(s, hash, s->name.data);
}

/* -- the time -- */

static const eop_field *field_at(const eop_table_reader *s, size_t i) {
    static const eop_field absent = {"", 0, EOP_FIELD_ABSENT};
    return i < s->record.count ? &s->record.fields[i] : &absent;
}

static bool read_year(edgeops_time *out, eop_time_seen *seen, const eop_times *times,
                      const eop_field *field) {
    eop_decimal d;
    int64_t year = 0;
    const char *text = field->text + strspn(field->text, " \t");
    size_t size = strcspn(text, " \t");
    char date[16] = "0000-01-01";
    if (size == 0 || eop_decimal_scan(&d, text, size) != size || !eop_decimal_int64(&year, &d) ||
        year < 1000 || year > 9999) {
        return false;
    }
    for (int i = 3; i >= 0; i--, year /= 10) {
        date[i] = (char)('0' + year % 10);
    }
    return eop_time_text(out, seen, times, date, 10);
}

bool eop_table_reader_end(const eop_table_reader *reader, edgeops_time *out, edgeops_time start,
                          const char *text, size_t size) {
    const eop_times *times = eop_rules_times(reader->rules);
    const eop_field field = {text, size, EOP_FIELD_PLAIN};
    return (reader->years && read_year(out, NULL, times, &field)) ||
           eop_time_end(out, NULL, times, start, text, size);
}

edgeops_status eop_table_time(eop_table_reader *s, edgeops_time *out, eop_time_seen *seen) {
    const eop_field *field = field_at(s, s->time_at);
    const eop_times *times = eop_rules_times(s->rules);
    eop_field joined;
    bool good = false;
    if (s->years) {
        good = read_year(out, seen, times, field);
    } else if (s->clock_at != EOP_NOWHERE) {
        const eop_field *clock = field_at(s, s->clock_at);
        eop_buf_clear(&s->joined);
        eop_buf_put(&s->joined, field->text, field->size);
        eop_buf_put(&s->joined, " ", 1);
        eop_buf_put(&s->joined, clock->text, clock->size);
        if (s->joined.failed) {
            return eop_fail_nomem("table");
        }
        joined = (eop_field){s->joined.data, s->joined.size, EOP_FIELD_PLAIN};
        good = field->size > 0 && clock->size > 0 &&
               eop_time_text(out, seen, times, joined.text, joined.size);
        field = &joined;
    } else {
        good = eop_time_text(out, seen, times, field->text, field->size);
    }
    if (good) {
        return EDGEOPS_OK;
    }
    const char *column =
        s->time_at < s->column_count ? s->columns[s->time_at].raw : s->options.time_column;
    bool by_format = s->options.rules.times.format != NULL;
    return eop_table_bad(
        s, column,
        by_format ? "not a time of the given format" : "not a time (ISO 8601 or a number)", field,
        by_format ? "" : "; in another form: --time-format, such as '%d.%m.%Y %H:%M:%S'");
}

/* -- sequence, label, group -- */

static edgeops_status take_label(eop_table_reader *s, eop_table_row *row) {
    if (s->label_at != EOP_NOWHERE) {
        const eop_field *field = field_at(s, s->label_at);
        if (field->size > MAX_LABEL || strlen(field->text) != field->size) {
            return eop_table_bad(s, s->columns[s->label_at].raw, "not a label", field, "");
        }
        row->label = field->size > 0 ? field->text : NULL;
    }
    if (s->group_at != EOP_NOWHERE) {
        row->group = field_at(s, s->group_at)->text;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_table_heads(eop_table_reader *s, eop_table_row *row) {
    edgeops_value value = {0};
    if (s->seq_at != EOP_NOWHERE) {
        const eop_field *field = field_at(s, s->seq_at);
        /* Of JSON the rows without the member are counted. */
        s->seq_missing = field->kind == EOP_FIELD_ABSENT ||
                         (s->is_json && field->kind == EOP_FIELD_PLAIN && field->size == 0);
        if (s->seq_missing) {
            return take_label(s, row);
        }
        if (field->size == 0 ||
            !eop_rules_value(s->rules, &value, EDGEOPS_TYPE_INT64, field->text, field->size) ||
            value.type != EDGEOPS_TYPE_INT64) {
            return eop_table_bad(s, s->columns[s->seq_at].raw, "not a sequence number", field,
                                 s->options.seq_column == NULL
                                     ? "; --column seq=float64 makes the column a channel"
                                     : "");
        }
        row->sample.seq = value.as.i64;
    }
    return take_label(s, row);
}

/* -- the place of a row -- */

/* Of an hour that the clocks show twice: the first pass, until the times of the asset step back, by
 * not much more than that hour: rows may also lie in another order. Times that never stood still so
 * far, such as those of hourly data, do so at the same time, too, unless what comes is a part of the
 * row before. */
static edgeops_time choose_pass(const eop_reader_asset *a, edgeops_time time,
                                const eop_time_seen *seen, bool repeats) {
    if (!seen->repeated || a->rows == 0) {
        return time;
    }
    edgeops_duration back;
    bool near = !__builtin_sub_overflow(a->time, time, &back) && back < 2 * (seen->second - time);
    return (back > 0 && near) || (back == 0 && !a->stood_still && repeats) ? seen->second : time;
}

static void note_zone(eop_table_reader *s, const eop_time_seen *seen) {
    if (!s->said_zone && !seen->zoned && s->options.rules.times.zone == NULL) {
        s->said_zone = true;
        eop_report_note(s->report, "times have no zone and are taken as UTC; --time-zone NAME "
                                   "for another");
    }
}

static bool has_number(const eop_table_reader *s) {
    return s->seq_at != EOP_NOWHERE && !s->seq_missing;
}

/* The times that the row's own is one of. */
static eop_seqs_times *times_of(eop_table_reader *s, eop_reader_asset *a,
                                const eop_table_row *row) {
    return row->group == NULL ? &a->seen
                              : eop_seqs_asset(&s->seqs, row->group, strlen(row->group), 0);
}

/* Whether the row would be another one than the last row, which has its time. */
static edgeops_status look_at_last(bool *repeats, eop_table_reader *s, eop_reader_asset *a,
                                   const eop_table_row *row, edgeops_time time, const uint32_t *ids,
                                   size_t n) {
    eop_seqs_times *of = times_of(s, a, row);
    bool good = of != NULL;
    *repeats =
        good && of->rows > 0 && of->time == time && eop_seqs_repeats(&s->seqs, of, ids, n, &good);
    return good ? EDGEOPS_OK : eop_fail_nomem("table");
}

/* Which row of its time it is, or a part of which, wherever in the file that time was. */
static edgeops_status number_row(eop_table_reader *s, eop_reader_asset *a, eop_table_row *row,
                                 edgeops_time time, const uint32_t *ids, size_t n) {
    uint64_t parts = s->seqs.parts;
    eop_seqs_times *of = times_of(s, a, row);
    if (of == NULL) {
        return eop_fail_nomem("table");
    }
    eop_seqs_outcome outcome =
        eop_seqs_take(&s->seqs, of, time, ids, n, has_number(s), &row->sample.seq);
    row->part = s->seqs.parts > parts;
    switch (outcome) {
    case EOP_SEQS_OK:
        return EDGEOPS_OK;
    case EOP_SEQS_FORGOTTEN:
        return eop_fail(EDGEOPS_E_LIMIT, "table",
                        "%s:%llu: times step back behind more rows than are remembered: sort the "
                        "file by time, or number rows of one time (--seq-column)",
                        s->what, (unsigned long long)s->record.line);
    case EOP_SEQS_NONE_LEFT:
        return eop_fail(EDGEOPS_E_LIMIT, "table",
                        "%s:%llu: no sequence number is left for it at its time", s->what,
                        (unsigned long long)s->record.line);
    default:
        return eop_fail_nomem("table");
    }
}

static edgeops_status place_untimed(eop_table_reader *s, const eop_reader_asset *a,
                                    edgeops_time *time) {
    int64_t offset = 0;
    if (a->rows > INT64_MAX ||
        __builtin_mul_overflow((int64_t)a->rows, s->options.period, &offset) ||
        __builtin_add_overflow(s->options.start, offset, time)) {
        return eop_fail(EDGEOPS_E_INVALID, "table", "%s:%llu: start + rows * period is over 2262",
                        s->what, (unsigned long long)s->record.line);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_table_place(eop_table_reader *s, eop_reader_asset *a, eop_table_row *row,
                               size_t first, size_t n, edgeops_time time,
                               const eop_time_seen *seen) {
    edgeops_sample *sample = &row->sample;
    edgeops_status status = EDGEOPS_OK;
    bool numbered = has_number(s);
    if (seen == NULL) {
        status = place_untimed(s, a, &time);
    } else {
        bool repeats = true;
        if (seen->repeated && !numbered && n > 0) {
            status = look_at_last(&repeats, s, a, row, time, s->ids + first, n);
        }
        time = choose_pass(a, time, seen, repeats);
        note_zone(s, seen);
    }
    if (status == EDGEOPS_OK && seen != NULL && (!numbered || s->is_json)) {
        status = number_row(s, a, row, time, s->ids + first, n);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    sample->asset = a->name;
    sample->time = time;
    a->stood_still = a->stood_still || (a->rows > 0 && a->time == time && !row->part);
    a->time = time;
    a->rows++;
    if (sample->count > 0) {
        eop_report_time(s->report, time, seen);
    }
    return EDGEOPS_OK;
}

/* -- labels -- */

static edgeops_status end_run(eop_table_reader *s, eop_reader_asset *a) {
    edgeops_status status = EDGEOPS_OK;
    if (a->label != NULL && s->options.on_label != NULL) {
        edgeops_time end = a->label_last < EDGEOPS_TIME_MAX ? a->label_last + 1 : EDGEOPS_TIME_MAX;
        status = s->options.on_label(a->name, a->label_start, end, a->label, s->options.user_data);
    }
    eop_free(a->label);
    a->label = NULL;
    return status;
}

edgeops_status eop_table_step_run(eop_table_reader *s, eop_reader_asset *a, const char *label,
                                  edgeops_time time) {
    if (a->label == NULL && label == NULL) {
        return EDGEOPS_OK;
    }
    if (a->label != NULL && label != NULL && strcmp(a->label, label) == 0 &&
        time >= a->label_last) {
        a->label_last = time;
        return EDGEOPS_OK;
    }
    edgeops_status status = end_run(s, a);
    if (status == EDGEOPS_OK && label != NULL) {
        a->label = eop_strdup(label);
        a->label_start = time;
        a->label_last = time;
        if (a->label == NULL) {
            status = eop_fail_nomem("table");
        }
    }
    return status;
}

edgeops_status eop_table_flush_runs(eop_table_reader *s) {
    while (s->flushed < s->asset_count) {
        edgeops_status status = end_run(s, &s->assets[s->flushed++]);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_DONE;
}
