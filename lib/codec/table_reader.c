/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of CSV to samples. The header gives each column its role; the first rows are kept and looked
 * at for the types that are not given. Assets are kept in a table by name, each with its last time
 * and open label. One row at a time: what it borrows is valid until the next. */
#include "codec/table_reader.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/type.h"
#include "codec/csv.h"

#define SNIFF_ROWS     512
#define SNIFF_BYTES    (4u * 1024 * 1024)
#define MAX_CHANNELS   1024
#define MAX_NAME       128
#define MAX_ASSET      200
#define MAX_ASSETS     100000
#define MAX_LABEL      1024
#define DEFAULT_PERIOD EDGEOPS_SECOND

typedef enum role { SKIP, CHANNEL, TIME, SEQ, LABEL, GROUP } role;

typedef struct column {
    char *name;
    role role;
    edgeops_type type;
    uint32_t length; /* elements of an array; else 1 */
    size_t channel;  /* index, for CHANNEL and text */
    bool text;       /* a string channel beside its role */
    char *elements;  /* of the row at hand, for an array */
} column;

/* A record kept from the first look. */
typedef struct record {
    struct record *next;
    uint64_t line;
    size_t count;
    eop_field fields[];
} record;

typedef struct asset {
    char *name;
    uint64_t rows;
    edgeops_time time;
    int64_t seq;
    char *label; /* of the open run; NULL: none */
    edgeops_time label_start;
    edgeops_time label_last;
} asset;

/* A piece of the asset's name: a text, or what a column holds. */
typedef struct piece {
    char *text;
    size_t column;
} piece;

struct eop_table_reader {
    eop_table_options options;
    char *what;
    eop_rules *rules;
    eop_records *records;
    column *columns;
    size_t column_count;
    eop_table_column *channels;
    size_t channel_count;
    size_t *where; /* columns of options.where */
    piece *pieces;
    size_t piece_count;
    size_t piece_capacity;
    record *first;
    record **last;
    size_t kept_bytes;
    record *current; /* whose fields the last row borrows */
    asset *assets;
    size_t asset_count;
    size_t asset_capacity;
    eop_map by_name; /* index + 1 of an asset */
    eop_buf name;
    const char **names; /* of the row */
    edgeops_value *values;
    size_t flushed; /* assets whose last run was given */
};

/* -- the header -- */

static size_t find_column(const eop_table_reader *s, const char *name, size_t size) {
    size_t i = 0;
    while (i < s->column_count &&
           (strlen(s->columns[i].name) != size || memcmp(s->columns[i].name, name, size) != 0)) {
        i++;
    }
    return i;
}

static edgeops_status no_column(const eop_table_reader *s, const char *name, size_t size) {
    eop_buf list = {0};
    for (size_t i = 0; i < s->column_count && i < 20; i++) {
        eop_buf_printf(&list, "%s%s", i > 0 ? ", " : "", s->columns[i].name);
    }
    edgeops_status status = eop_fail(
        EDGEOPS_E_INVALID, "csv", "%s: there is no column '%.*s'; it has %s%s", s->what, (int)size,
        name, list.data != NULL ? list.data : "none", s->column_count > 20 ? ", ..." : "");
    eop_buf_dispose(&list);
    return status;
}

static edgeops_status read_header(eop_table_reader *s) {
    const eop_field *fields = NULL;
    size_t count = 0;
    edgeops_status status = s->records->next(s->records, &fields, &count);
    if (status == EDGEOPS_DONE) {
        return eop_fail(EDGEOPS_E_INVALID, "csv", "%s: empty; a header with column names is needed",
                        s->what);
    }
    if (status < 0) {
        return status;
    }
    s->columns = eop_calloc(count, sizeof(*s->columns));
    if (s->columns == NULL) {
        return eop_fail_nomem("csv");
    }
    for (size_t i = 0; i < count; i++) {
        const char *name = fields[i].text;
        size_t size = fields[i].size;
        if (strlen(name) != size || find_column(s, name, size) < s->column_count) {
            return eop_fail(EDGEOPS_E_INVALID, "csv", "%s:1: column '%s' is there twice", s->what,
                            name);
        }
        s->columns[i].role = CHANNEL;
        s->columns[i].name = eop_strndup(name, size);
        if (s->columns[i].name == NULL) {
            return eop_fail_nomem("csv");
        }
        s->column_count = i + 1;
    }
    return EDGEOPS_OK;
}

static edgeops_status set_role(eop_table_reader *s, const char *name, role what) {
    if (name == NULL) {
        return EDGEOPS_OK;
    }
    size_t i = find_column(s, name, strlen(name));
    if (i == s->column_count) {
        return no_column(s, name, strlen(name));
    }
    if (s->columns[i].role != CHANNEL && s->columns[i].role != SKIP) {
        return eop_fail(EDGEOPS_E_INVALID, "csv", "%s: column '%s' cannot serve two purposes",
                        s->what, name);
    }
    s->columns[i].role = what;
    return EDGEOPS_OK;
}

/* -- the asset's name -- */

static edgeops_status add_piece(eop_table_reader *s, const char *text, size_t size, size_t index) {
    if (!eop_grow(&s->pieces, &s->piece_capacity, s->piece_count + 1, sizeof(*s->pieces))) {
        return eop_fail_nomem("csv");
    }
    piece *p = &s->pieces[s->piece_count];
    p->column = index;
    p->text = text != NULL ? eop_strndup(text, size) : NULL;
    if (text != NULL && p->text == NULL) {
        return eop_fail_nomem("csv");
    }
    s->piece_count++;
    return EDGEOPS_OK;
}

static edgeops_status parse_asset(eop_table_reader *s, const char *pattern) {
    const char *p = pattern;
    while (*p != '\0') {
        size_t plain = strcspn(p, "{}");
        edgeops_status status = EDGEOPS_OK;
        if (plain > 0) {
            status = add_piece(s, p, plain, 0);
            p += plain;
        } else {
            size_t end = strcspn(p, "}");
            if (*p == '}' || p[end] == '\0') {
                return eop_fail(EDGEOPS_E_INVALID, "csv", "asset '%s': a brace is alone", pattern);
            }
            size_t i = find_column(s, p + 1, end - 1);
            if (i == s->column_count) {
                return no_column(s, p + 1, end - 1);
            }
            s->columns[i].role = s->columns[i].role == CHANNEL ? SKIP : s->columns[i].role;
            status = add_piece(s, NULL, 0, i);
            p += end + 1;
        }
        if (status < 0) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

/* -- the columns' roles and types -- */

static edgeops_status set_where(eop_table_reader *s, const eop_table_options *o) {
    s->where = eop_calloc(o->where_count, sizeof(*s->where));
    if (s->where == NULL) {
        return eop_fail_nomem("csv");
    }
    for (size_t i = 0; i < o->where_count; i++) {
        const char *name = o->where[i].column;
        s->where[i] = find_column(s, name, strlen(name));
        if (s->where[i] == s->column_count) {
            return no_column(s, name, strlen(name));
        }
    }
    return EDGEOPS_OK;
}

static void make_texts(eop_table_reader *s, const eop_table_options *o) {
    for (size_t i = 0; i < s->column_count; i++) {
        s->columns[i].text = true;
        s->columns[i].type = EDGEOPS_TYPE_STRING;
    }
    for (size_t i = 0; i < o->skip_count; i++) {
        s->columns[find_column(s, o->skip[i], strlen(o->skip[i]))].text = false;
    }
}

static edgeops_status set_roles(eop_table_reader *s, const eop_table_options *o) {
    edgeops_status status = parse_asset(s, o->asset);
    const char *time = o->time_column;
    if (time != NULL && o->time_optional && find_column(s, time, strlen(time)) == s->column_count) {
        time = s->options.time_column = NULL;
    }
    for (size_t i = 0; i < o->skip_count && status == EDGEOPS_OK; i++) {
        status = set_role(s, o->skip[i], SKIP);
    }
    if (status < 0 || (status = set_role(s, time, TIME)) < 0 ||
        (status = set_role(s, o->seq_column, SEQ)) < 0 ||
        (status = set_role(s, o->label_column, LABEL)) < 0) {
        return status;
    }
    /* Rows may be grouped by what also names the asset. */
    if (o->group_column != NULL && (status = set_role(s, o->group_column, GROUP)) < 0) {
        return status;
    }
    for (size_t i = 0; i < o->column_count; i++) {
        size_t c = find_column(s, o->columns[i].name, strlen(o->columns[i].name));
        if (c == s->column_count) {
            return no_column(s, o->columns[i].name, strlen(o->columns[i].name));
        }
        s->columns[c].type = o->columns[i].type;
        s->columns[c].length = o->columns[i].length;
        s->columns[c].role = s->columns[c].role == SKIP ? CHANNEL : s->columns[c].role;
    }
    if (o->as_text) {
        make_texts(s, o);
    }
    return set_where(s, o);
}

static edgeops_status set_channels(eop_table_reader *s) {
    s->channels = eop_calloc(s->column_count, sizeof(*s->channels));
    s->names = eop_calloc(s->column_count, sizeof(*s->names));
    s->values = eop_calloc(s->column_count, sizeof(*s->values));
    if (s->channels == NULL || s->names == NULL || s->values == NULL) {
        return eop_fail_nomem("csv");
    }
    for (size_t i = 0; i < s->column_count; i++) {
        column *c = &s->columns[i];
        if (c->role != CHANNEL && !c->text) {
            continue;
        }
        if (!eop_name_valid(c->name, strlen(c->name), MAX_NAME)) {
            return eop_fail(
                EDGEOPS_E_INVALID, "csv",
                "%s:1: '%s' is not a valid name for a channel; rename or skip the column", s->what,
                c->name);
        }
        if (s->channel_count == MAX_CHANNELS) {
            return eop_fail(EDGEOPS_E_INVALID, "csv",
                            "%s: over %d channels; skip columns that are not needed", s->what,
                            MAX_CHANNELS);
        }
        c->channel = s->channel_count++;
        s->channels[c->channel] = (eop_table_column){c->name, c->type, c->length, NULL};
        if (c->length > 1) {
            c->elements = eop_realloc_array(NULL, c->length, eop_type_width(c->type));
            if (c->elements == NULL) {
                return eop_fail_nomem("csv");
            }
        }
    }
    if (s->channel_count == 0) {
        return eop_fail(EDGEOPS_E_INVALID, "csv", "%s: no column is left that could be a channel",
                        s->what);
    }
    return EDGEOPS_OK;
}

static edgeops_type type_of(const eop_table_reader *s, const eop_field *field) {
    edgeops_type type = eop_rules_type(s->rules, field->text, field->size);
    return type == EDGEOPS_TYPE_INT64 ? EDGEOPS_TYPE_FLOAT64 : type;
}

static edgeops_type join(edgeops_type a, edgeops_type b) {
    return a == EDGEOPS_TYPE_NULL || a == b ? b : b == EDGEOPS_TYPE_NULL ? a : EDGEOPS_TYPE_STRING;
}

static edgeops_status keep_record(eop_table_reader *s, const eop_field *fields, size_t count) {
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += fields[i].size + 1;
    }
    size_t total = sizeof(record) + count * sizeof(eop_field) + size;
    record *r = eop_alloc(total);
    if (r == NULL) {
        return eop_fail_nomem("csv");
    }
    char *text = (char *)(r->fields + count);
    for (size_t i = 0; i < count; i++) {
        r->fields[i] = (eop_field){text, fields[i].size, fields[i].kind};
        memcpy(text, fields[i].text, fields[i].size);
        text[fields[i].size] = '\0';
        text += fields[i].size + 1;
    }
    r->next = NULL;
    r->line = s->records->line(s->records);
    r->count = count;
    *s->last = r;
    s->last = &r->next;
    s->kept_bytes += total;
    return EDGEOPS_OK;
}

static bool types_are_known(const eop_table_reader *s) {
    size_t i = 0;
    while (i < s->channel_count && s->channels[i].type != EDGEOPS_TYPE_NULL) {
        i++;
    }
    return i == s->channel_count;
}

/* Looks at the first rows; errors in them come when it is their turn. */
static edgeops_status sniff(eop_table_reader *s) {
    if (types_are_known(s)) {
        return EDGEOPS_OK; /* rows that come slowly, through a pipe, are not waited for */
    }
    edgeops_type *found = eop_calloc(s->column_count, sizeof(*found));
    edgeops_status status = found != NULL ? EDGEOPS_OK : eop_fail_nomem("csv");
    for (size_t n = 0; n < SNIFF_ROWS && s->kept_bytes < SNIFF_BYTES && status == EDGEOPS_OK; n++) {
        const eop_field *fields = NULL;
        size_t count = 0;
        status = s->records->next(s->records, &fields, &count);
        for (size_t i = 0; i < count && i < s->column_count && status == EDGEOPS_OK; i++) {
            found[i] = join(found[i], type_of(s, &fields[i]));
        }
        if (status == EDGEOPS_OK) {
            status = keep_record(s, fields, count);
        }
    }
    for (size_t i = 0; status >= 0 && i < s->column_count; i++) {
        column *c = &s->columns[i];
        if (c->role == CHANNEL && c->type == EDGEOPS_TYPE_NULL) {
            c->type = found[i];
            s->channels[c->channel].type = found[i];
        }
    }
    eop_free(found);
    return status < 0 ? status : EDGEOPS_OK;
}

/* -- assets -- */

static asset *known_asset(const eop_table_reader *s, uint64_t hash, const char *name) {
    size_t step = 0;
    uintptr_t i;
    while ((i = eop_map_next(&s->by_name, hash, &step)) != 0) {
        if (strcmp(s->assets[i - 1].name, name) == 0) {
            return &s->assets[i - 1];
        }
    }
    return NULL;
}

static edgeops_status add_asset(eop_table_reader *s, uint64_t hash, const char *name,
                                uint64_t line) {
    if (s->asset_count == MAX_ASSETS) {
        return eop_fail(EDGEOPS_E_LIMIT, "csv", "%s:%llu: over %d assets", s->what,
                        (unsigned long long)line, MAX_ASSETS);
    }
    if (!eop_map_reserve(&s->by_name) ||
        !eop_grow(&s->assets, &s->asset_capacity, s->asset_count + 1, sizeof(*s->assets))) {
        return eop_fail_nomem("csv");
    }
    asset *a = &s->assets[s->asset_count];
    *a = (asset){.name = eop_strdup(name)};
    if (a->name == NULL) {
        return eop_fail_nomem("csv");
    }
    eop_map_add(&s->by_name, hash, ++s->asset_count);
    return EDGEOPS_OK;
}

static edgeops_status find_asset(eop_table_reader *s, const record *r, asset **out) {
    eop_buf_clear(&s->name);
    for (size_t i = 0; i < s->piece_count; i++) {
        const piece *p = &s->pieces[i];
        if (p->text != NULL) {
            eop_buf_puts(&s->name, p->text);
        } else {
            eop_buf_put(&s->name, r->fields[p->column].text, r->fields[p->column].size);
        }
    }
    if (s->name.failed) {
        return eop_fail_nomem("csv");
    }
    if (s->name.data == NULL || !eop_name_valid(s->name.data, s->name.size, MAX_ASSET)) {
        return eop_fail(EDGEOPS_E_INVALID, "csv", "%s:%llu: '%s' is not a valid name for an asset",
                        s->what, (unsigned long long)r->line,
                        s->name.data != NULL ? s->name.data : "");
    }
    uint64_t hash = eop_hash64(s->name.data, s->name.size);
    *out = known_asset(s, hash, s->name.data);
    if (*out != NULL) {
        return EDGEOPS_OK;
    }
    edgeops_status status = add_asset(s, hash, s->name.data, r->line);
    *out = status == EDGEOPS_OK ? &s->assets[s->asset_count - 1] : NULL;
    return status;
}

/* -- labels -- */

static edgeops_status end_run(eop_table_reader *s, asset *a) {
    edgeops_status status = EDGEOPS_OK;
    if (a->label != NULL && s->options.on_label != NULL) {
        edgeops_time end = a->label_last < EDGEOPS_TIME_MAX ? a->label_last + 1 : EDGEOPS_TIME_MAX;
        status = s->options.on_label(a->name, a->label_start, end, a->label, s->options.user_data);
    }
    eop_free(a->label);
    a->label = NULL;
    return status;
}

static edgeops_status step_run(eop_table_reader *s, asset *a, const char *label,
                               edgeops_time time) {
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
            status = eop_fail_nomem("csv");
        }
    }
    return status;
}

/* -- rows -- */

/* Takes the next record: a kept one, or one made of what the reader gives. */
static edgeops_status next_record(eop_table_reader *s) {
    eop_free(s->current);
    s->current = NULL;
    if (s->first == NULL) {
        const eop_field *fields = NULL;
        size_t count = 0;
        edgeops_status status = s->records->next(s->records, &fields, &count);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if ((status = keep_record(s, fields, count)) < 0) {
            return status;
        }
    }
    s->current = s->first;
    s->first = s->current->next;
    if (s->first == NULL) {
        s->last = &s->first;
    }
    return EDGEOPS_OK;
}

static edgeops_status bad_field(const eop_table_reader *s, const record *r, size_t i,
                                const char *wanted) {
    const eop_field *field = &r->fields[i];
    int shown = field->size > 60 ? 60 : (int)field->size;
    return eop_fail(EDGEOPS_E_INVALID, "csv", "%s:%llu: column '%s': '%.*s' is not %s", s->what,
                    (unsigned long long)r->line, s->columns[i].name, shown, field->text, wanted);
}

static edgeops_status bad_value(const eop_table_reader *s, const record *r, size_t i) {
    const column *c = &s->columns[i];
    char type[EOP_TYPE_TEXT], text[EOP_TYPE_TEXT + 40];
    if (c->type == EDGEOPS_TYPE_BOOL) {
        return bad_field(s, r, i, "a bool (true, false)");
    }
    if (c->type == EDGEOPS_TYPE_STRING) {
        return bad_field(s, r, i, "a string of at most 64 KiB of UTF-8");
    }
    (void)snprintf(text, sizeof text, "%s %s%s", eop_type_article(c->type),
                   eop_type_text(type, c->type, c->length), c->length > 1 ? ", such as [1,2]" : "");
    return bad_field(s, r, i, text);
}

static edgeops_status take_channel(eop_table_reader *s, const record *r, size_t i,
                                   edgeops_sample *sample) {
    column *c = &s->columns[i];
    const eop_field *field = &r->fields[i];
    edgeops_value value = {0};
    if (field->size == 0 && !(field->kind == EOP_FIELD_QUOTED && c->type == EDGEOPS_TYPE_STRING)) {
        return EDGEOPS_OK;
    }
    if (c->type == EDGEOPS_TYPE_NULL) {
        c->type = type_of(s, field);
        s->channels[c->channel].type = c->type;
    }
    if (field->size == 0) {
        value = (edgeops_value){.type = EDGEOPS_TYPE_STRING, .as.str = field->text};
    } else if (c->length > 1
                   ? !eop_rules_array(s->rules, &value, c->elements, c->type, c->length,
                                      field->text, field->size)
                   : !eop_rules_value(s->rules, &value, c->type, field->text, field->size)) {
        return bad_value(s, r, i);
    }
    s->names[sample->count] = c->name;
    s->values[sample->count] = value;
    sample->count++;
    return EDGEOPS_OK;
}

static edgeops_status take_field(eop_table_reader *s, const record *r, size_t i, eop_table_row *row,
                                 bool *has_seq) {
    const eop_field *field = &r->fields[i];
    edgeops_value value = {0};
    if (s->columns[i].text && s->columns[i].role != CHANNEL) {
        edgeops_status status = take_channel(s, r, i, &row->sample);
        if (status < 0) {
            return status;
        }
    }
    switch (s->columns[i].role) {
    case CHANNEL:
        return take_channel(s, r, i, &row->sample);
    case TIME:
        if (!eop_time_text(&row->sample.time, NULL, eop_rules_times(s->rules), field->text,
                           field->size)) {
            return bad_field(s, r, i, "a time (ISO 8601 or a number)");
        }
        return EDGEOPS_OK;
    case SEQ:
        if (field->size == 0 ||
            !eop_rules_value(s->rules, &value, EDGEOPS_TYPE_INT64, field->text, field->size)) {
            return bad_field(s, r, i, "a sequence number");
        }
        row->sample.seq = value.as.i64;
        *has_seq = true;
        return EDGEOPS_OK;
    case LABEL:
        if (field->size > MAX_LABEL || strlen(field->text) != field->size) {
            return bad_field(s, r, i, "a label");
        }
        row->label = field->size > 0 ? field->text : NULL;
        return EDGEOPS_OK;
    case GROUP:
        row->group = field->text;
        return EDGEOPS_OK;
    case SKIP:
        break;
    }
    return EDGEOPS_OK;
}

/* The time of a row where no column has it, and its number among rows of one time. */
static edgeops_status place_row(eop_table_reader *s, asset *a, eop_table_row *row, bool has_time,
                                bool has_seq) {
    edgeops_sample *sample = &row->sample;
    if (!has_time) {
        int64_t offset = 0;
        if (a->rows > INT64_MAX ||
            __builtin_mul_overflow((int64_t)a->rows, s->options.period, &offset) ||
            __builtin_add_overflow(s->options.start, offset, &sample->time)) {
            return eop_fail(EDGEOPS_E_INVALID, "csv", "%s:%llu: start + rows * period is over 2262",
                            s->what, (unsigned long long)row->line);
        }
    }
    if (!has_seq) {
        sample->seq = a->rows > 0 && a->time == sample->time ? a->seq + 1 : 0;
    }
    a->time = sample->time;
    a->seq = sample->seq;
    a->rows++;
    return EDGEOPS_OK;
}

static bool is_wanted(const eop_table_reader *s, const record *r) {
    size_t i = 0;
    while (i < s->options.where_count &&
           strcmp(r->fields[s->where[i]].text, s->options.where[i].text) == 0) {
        i++;
    }
    return i == s->options.where_count;
}

static edgeops_status make_row(eop_table_reader *s, eop_table_row *row) {
    const record *r = s->current;
    asset *a = NULL;
    bool has_seq = false;
    memset(row, 0, sizeof(*row));
    row->line = r->line;
    row->sample.channels = s->names;
    row->sample.values = s->values;
    if (r->count != s->column_count) {
        return eop_fail(EDGEOPS_E_INVALID, "csv", "%s:%llu: %zu fields, the header has %zu",
                        s->what, (unsigned long long)r->line, r->count, s->column_count);
    }
    if (!is_wanted(s, r)) {
        return EDGEOPS_OK;
    }
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < r->count && status == EDGEOPS_OK; i++) {
        status = take_field(s, r, i, row, &has_seq);
    }
    if (status < 0 || (status = find_asset(s, r, &a)) < 0 ||
        (status = place_row(s, a, row, s->options.time_column != NULL, has_seq)) < 0) {
        return status;
    }
    row->sample.asset = a->name;
    return step_run(s, a, row->label, row->sample.time);
}

static edgeops_status flush_runs(eop_table_reader *s) {
    while (s->flushed < s->asset_count) {
        edgeops_status status = end_run(s, &s->assets[s->flushed++]);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_DONE;
}

edgeops_status eop_table_reader_next(eop_table_reader *samples, eop_table_row *row) {
    edgeops_status status = EDGEOPS_OK;
    do {
        status = next_record(samples);
        if (status == EDGEOPS_DONE) {
            return flush_runs(samples);
        }
        if (status == EDGEOPS_OK) {
            status = make_row(samples, row);
        }
    } while (status == EDGEOPS_OK && row->sample.count == 0);
    return status;
}

/* -- life -- */

static edgeops_status samples_init(eop_table_reader *s, int fd, const eop_table_options *o) {
    s->what = eop_strdup(o->what != NULL ? o->what : "csv");
    if (s->what == NULL) {
        return eop_fail_nomem("csv");
    }
    edgeops_status status = eop_rules_new(&s->rules, &o->rules);
    if (status < 0) {
        return status;
    }
    if (o->period < 0) {
        return eop_fail(EDGEOPS_E_INVALID, "csv", "the period is negative");
    }
    s->options.period = o->period > 0 ? o->period : DEFAULT_PERIOD;
    eop_csv_reader *csv = NULL;
    status = eop_csv_open(&csv, fd, o->cancel_fd, &o->dialect, s->what);
    s->records = status == EDGEOPS_OK ? eop_csv_records(csv) : NULL;
    if (status < 0 || (status = read_header(s)) < 0 || (status = set_roles(s, o)) < 0 ||
        (status = set_channels(s)) < 0) {
        return status;
    }
    return sniff(s);
}

edgeops_status eop_table_reader_open(eop_table_reader **out, int fd,
                                     const eop_table_options *options) {
    *out = NULL;
    if (options->asset == NULL || options->asset[0] == '\0') {
        return eop_fail(EDGEOPS_E_INVALID, "csv", "the name of the asset is missing");
    }
    eop_table_reader *s = eop_calloc(1, sizeof(*s));
    if (s == NULL) {
        return eop_fail_nomem("csv");
    }
    s->last = &s->first;
    s->options = *options;
    edgeops_status status = samples_init(s, fd, options);
    if (status < 0) {
        eop_table_reader_close(s);
        return status;
    }
    *out = s;
    return EDGEOPS_OK;
}

bool eop_table_reader_timed(const eop_table_reader *samples) {
    return samples->options.time_column != NULL;
}

size_t eop_table_reader_channels(const eop_table_reader *samples, const eop_table_column **out) {
    *out = samples->channels;
    return samples->channel_count;
}

uint64_t eop_table_reader_offset(const eop_table_reader *samples) {
    return samples->records->offset(samples->records);
}

eop_json *eop_table_reader_report(const eop_table_reader *samples) {
    (void)samples;
    return eop_json_object();
}

void eop_table_reader_close(eop_table_reader *s) {
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->asset_count; i++) {
        eop_free(s->assets[i].name);
        eop_free(s->assets[i].label);
    }
    for (size_t i = 0; i < s->column_count; i++) {
        eop_free(s->columns[i].name);
        eop_free(s->columns[i].elements);
    }
    for (size_t i = 0; i < s->piece_count; i++) {
        eop_free(s->pieces[i].text);
    }
    while (s->first != NULL) {
        record *next = s->first->next;
        eop_free(s->first);
        s->first = next;
    }
    eop_free(s->current);
    eop_free(s->assets);
    eop_map_dispose(&s->by_name);
    eop_free(s->columns);
    eop_free(s->channels);
    eop_free(s->names);
    eop_free(s->values);
    eop_free(s->where);
    eop_free(s->pieces);
    eop_buf_dispose(&s->name);
    if (s->records != NULL) {
        s->records->close(s->records);
    }
    eop_free(s->what);
    eop_rules_free(s->rules);
    eop_free(s);
}
