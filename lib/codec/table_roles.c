/* SPDX-License-Identifier: Apache-2.0 */
/* What the columns are for, by the options: time, sequence, labels, the pieces of the asset's name,
 * channels of given types, and, in wide files of several assets, whose channel a column is. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/table_parts.h"

static edgeops_status set_role(eop_table_reader *s, size_t *at, const char *name, eop_role role) {
    if (name == NULL) {
        return EDGEOPS_OK;
    }
    size_t i = eop_table_find(s, name, strlen(name));
    if (i == EOP_NOWHERE) {
        return s->is_json ? EDGEOPS_OK : eop_table_no_column(s, name, strlen(name));
    }
    eop_reader_column *c = &s->columns[i];
    if (c->role != EOP_ROLE_CHANNEL && c->role != EOP_ROLE_SKIP && c->role != EOP_ROLE_QUALITY &&
        c->role != role) {
        return eop_fail(EDGEOPS_E_INVALID, "table", "%s: column '%s' cannot serve two purposes",
                        s->what, name);
    }
    c->role = role;
    *at = i;
    s->named = true;
    return EDGEOPS_OK;
}

static edgeops_status skip_column(eop_table_reader *s, const char *name) {
    size_t i = eop_table_find(s, name, strlen(name));
    if (i == EOP_NOWHERE) {
        return s->is_json ? EDGEOPS_OK : eop_table_no_column(s, name, strlen(name));
    }
    if (s->columns[i].role == EOP_ROLE_CHANNEL || s->columns[i].role == EOP_ROLE_QUALITY) {
        s->columns[i].role = EOP_ROLE_SKIP;
    }
    s->named = true;
    return EDGEOPS_OK;
}

/* -- the asset's name -- */

static edgeops_status add_piece(eop_table_reader *s, eop_reader_piece_kind kind, const char *text,
                                size_t size, size_t index) {
    if (!eop_grow(&s->pieces, &s->piece_capacity, s->piece_count + 1, sizeof(*s->pieces))) {
        return eop_fail_nomem("table");
    }
    eop_reader_piece *p = &s->pieces[s->piece_count];
    *p = (eop_reader_piece){.kind = kind, .column = index};
    p->text = eop_strndup(text, size);
    if (p->text == NULL) {
        return eop_fail_nomem("table");
    }
    s->piece_count++;
    return EDGEOPS_OK;
}

/* "{name}": a column, or the columns' part of the asset's name. */
static edgeops_status add_filled(eop_table_reader *s, const char *name, size_t size) {
    size_t i = eop_table_find(s, name, size);
    bool is_part = s->options.column_pattern != NULL && size == 5 && memcmp(name, "asset", 5) == 0;
    if (i == EOP_NOWHERE && is_part) {
        return add_piece(s, EOP_PIECE_PART, "", 0, 0);
    }
    if (i == EOP_NOWHERE && !s->is_json) {
        return eop_table_no_column(s, name, size);
    }
    s->one_asset = false;
    return add_piece(s, EOP_PIECE_COLUMN, name, size, i);
}

static edgeops_status parse_asset(eop_table_reader *s, const char *pattern) {
    const char *p = pattern;
    edgeops_status status = EDGEOPS_OK;
    s->one_asset = s->options.column_pattern == NULL;
    while (*p != '\0' && status == EDGEOPS_OK) {
        size_t plain = strcspn(p, "{}");
        if (plain > 0) {
            status = add_piece(s, EOP_PIECE_TEXT, p, plain, 0);
            p += plain;
            continue;
        }
        size_t end = strcspn(p, "}");
        if (*p == '}' || p[end] == '\0') {
            return eop_fail(EDGEOPS_E_INVALID, "table", "asset '%s': a brace is alone", pattern);
        }
        status = add_filled(s, p + 1, end - 1);
        p += end + 1;
    }
    return status;
}

/* Columns that name the asset are no channels; those of JSON lines may have come since. */
static void place_pieces(eop_table_reader *s) {
    for (size_t i = 0; i < s->piece_count; i++) {
        eop_reader_piece *p = &s->pieces[i];
        if (p->kind != EOP_PIECE_COLUMN) {
            continue;
        }
        p->column = eop_table_find(s, p->text, strlen(p->text));
        if (p->column != EOP_NOWHERE) {
            s->named = true;
            if (s->columns[p->column].role == EOP_ROLE_CHANNEL) {
                s->columns[p->column].role = EOP_ROLE_SKIP;
            }
        }
    }
}

/* -- columns of several assets -- */

/* Takes the name apart by a pattern such as "{asset}.{channel}": the text between the two is looked
 * for from the front. False: it does not fit. */
static bool match_pattern(const char *pattern, const char *name, const char **asset,
                          size_t *asset_size, const char **channel, size_t *channel_size) {
    const char *p = pattern;
    while (*p != '\0') {
        bool is_asset = strncmp(p, "{asset}", 7) == 0;
        bool is_channel = strncmp(p, "{channel}", 9) == 0;
        if (!is_asset && !is_channel) {
            if (*p++ != *name++) {
                return false;
            }
            continue;
        }
        p += is_asset ? 7 : 9;
        size_t literal = strcspn(p, "{");
        const char *end = name + strlen(name);
        if (literal > 0 && p[literal] == '\0') {
            end = strlen(name) >= literal ? end - literal : name;
            end = strncmp(end, p, literal) == 0 ? end : name;
        } else if (literal > 0) {
            end = memmem(name, strlen(name), p, literal);
        }
        if (end == NULL || end == name) {
            return false;
        }
        *(is_asset ? asset : channel) = name;
        *(is_asset ? asset_size : channel_size) = (size_t)(end - name);
        name = end;
    }
    return *name == '\0';
}

static edgeops_status check_pattern(const char *pattern) {
    const char *asset = strstr(pattern, "{asset}");
    const char *channel = strstr(pattern, "{channel}");
    if (asset == NULL || channel == NULL || asset + 7 == channel || channel + 9 == asset) {
        return eop_fail(EDGEOPS_E_INVALID, "table",
                        "the column pattern '%s' needs {asset} and {channel} with a text between "
                        "them, such as '{asset}.{channel}'",
                        pattern);
    }
    return EDGEOPS_OK;
}

static edgeops_status take_pattern(eop_table_reader *s, size_t i) {
    const char *pattern = s->options.column_pattern;
    const char *asset = NULL;
    const char *channel = NULL;
    size_t asset_size = 0, channel_size = 0;
    eop_reader_column *c = &s->columns[i];
    if (c->role != EOP_ROLE_CHANNEL || c->part != NULL) {
        return EDGEOPS_OK;
    }
    if (c->nameless) {
        c->role = EOP_ROLE_SKIP;
        eop_report_note(s->report, "the column without a name in place %zu is left out", i + 1);
        return EDGEOPS_OK;
    }
    if (!match_pattern(pattern, c->name, &asset, &asset_size, &channel, &channel_size)) {
        return eop_fail(EDGEOPS_E_INVALID, "table",
                        "%s: column '%s' does not fit the pattern '%s': mend the pattern or skip "
                        "the column (--skip-column)",
                        s->what, c->raw, pattern);
    }
    char *name = eop_strndup(channel, channel_size);
    c->part = eop_strndup(asset, asset_size);
    if (name == NULL || c->part == NULL) {
        eop_free(name);
        return eop_fail_nomem("table");
    }
    eop_free(c->name);
    c->name = name;
    return EDGEOPS_OK;
}

static edgeops_status take_patterns(eop_table_reader *s) {
    bool has_part = false;
    if (s->options.column_pattern == NULL) {
        return EDGEOPS_OK;
    }
    edgeops_status status = check_pattern(s->options.column_pattern);
    for (size_t i = 0; i < s->piece_count; i++) {
        has_part = has_part || s->pieces[i].kind == EOP_PIECE_PART;
    }
    if (status == EDGEOPS_OK && !has_part) {
        return eop_fail(EDGEOPS_E_INVALID, "table",
                        "asset '%s': with a column pattern the name needs {asset}, such as "
                        "'plant/{asset}'",
                        s->options.asset);
    }
    for (size_t i = 0; i < s->column_count && status == EDGEOPS_OK; i++) {
        status = take_pattern(s, i);
    }
    return status;
}

/* -- given columns -- */

static edgeops_status take_given(eop_table_reader *s, const eop_table_column *given) {
    size_t i = eop_table_find(s, given->name, strlen(given->name));
    if (i == EOP_NOWHERE) {
        return s->is_json || s->options.channel_column != NULL
                   ? EDGEOPS_OK
                   : eop_table_no_column(s, given->name, strlen(given->name));
    }
    eop_reader_column *c = &s->columns[i];
    s->named = true;
    c->role = c->role == EOP_ROLE_SKIP ? EOP_ROLE_CHANNEL : c->role;
    c->nameless = false;
    if (given->type != EDGEOPS_TYPE_NULL) {
        c->cell.type = given->type;
        c->cell.length = given->length > 1 ? given->length : 1;
        c->cell.rules = s->rules;
        c->why = EOP_WHY_GIVEN;
    }
    if (given->unit != NULL && c->unit == NULL) {
        c->unit = eop_strdup(given->unit);
        return c->unit != NULL ? EDGEOPS_OK : eop_fail_nomem("table");
    }
    return EDGEOPS_OK;
}

static void skip_others(eop_table_reader *s) {
    for (size_t i = 0; i < s->column_count; i++) {
        eop_reader_column *c = &s->columns[i];
        c->role = c->role == EOP_ROLE_CHANNEL && c->why != EOP_WHY_GIVEN ? EOP_ROLE_SKIP : c->role;
    }
}

static void make_texts(eop_table_reader *s) {
    const eop_table_options *o = &s->options;
    for (size_t i = 0; i < s->column_count; i++) {
        s->columns[i].text = true;
        s->columns[i].cell.type = EDGEOPS_TYPE_STRING;
        s->columns[i].cell.length = 1;
        s->columns[i].why = EOP_WHY_GIVEN;
    }
    for (size_t i = 0; i < o->skip_count; i++) {
        size_t c = eop_table_find(s, o->skip[i], strlen(o->skip[i]));
        if (c != EOP_NOWHERE) {
            s->columns[c].text = false;
        }
    }
}

static edgeops_status set_where(eop_table_reader *s) {
    const eop_table_options *o = &s->options;
    if (s->where == NULL) {
        s->where = eop_calloc(o->where_count, sizeof(*s->where));
    }
    if (s->where == NULL) {
        return eop_fail_nomem("table");
    }
    for (size_t i = 0; i < o->where_count; i++) {
        const char *name = o->where[i].column;
        s->where[i] = eop_table_find(s, name, strlen(name));
        if (s->where[i] == EOP_NOWHERE && !s->is_json) {
            return eop_table_no_column(s, name, strlen(name));
        }
    }
    return EDGEOPS_OK;
}

/* The columns of the time, unless a default's has to be guessed. */
static edgeops_status set_time(eop_table_reader *s) {
    const eop_table_options *o = &s->options;
    const char *time = o->time_column;
    bool is_default = time != NULL && o->clock_column == NULL && strcmp(time, "time") == 0;
    s->is_timed = time != NULL;
    if (time == NULL || ((is_default || o->time_optional) &&
                         eop_table_find(s, time, strlen(time)) == EOP_NOWHERE)) {
        return EDGEOPS_OK; /* eop_table_guess_time() */
    }
    edgeops_status status = set_role(s, &s->time_at, time, EOP_ROLE_TIME);
    return status == EDGEOPS_OK ? set_role(s, &s->clock_at, o->clock_column, EOP_ROLE_CLOCK)
                                : status;
}

/* Beside a channel "label:float64" a column "label" is no channel, but what exports call so. "seq" is
 * looked at with its values. */
static void set_beside(eop_table_reader *s) {
    static const char *const names[] = {"label", "asset", "time"};
    for (size_t k = 0; k < EOP_COUNT(names) && !s->options.as_text; k++) {
        size_t plain = eop_table_find(s, names[k], strlen(names[k]));
        for (size_t i = 0; plain != EOP_NOWHERE && i < s->column_count; i++) {
            eop_reader_column *c = &s->columns[plain];
            if (i != plain && s->columns[i].why == EOP_WHY_HEADER && c->why == EOP_WHY_FOUND &&
                c->role == EOP_ROLE_CHANNEL && strcmp(s->columns[i].name, names[k]) == 0) {
                c->role = EOP_ROLE_SKIP;
                eop_report_note(s->report,
                                "column '%s' stands beside the channel '%s' and is left out; "
                                "%s takes it",
                                c->raw, s->columns[i].raw,
                                k == 0   ? "--label-column label"
                                : k == 1 ? "{asset} in the asset's name"
                                         : "--time-column time");
            }
        }
    }
}

edgeops_status eop_table_set_roles(eop_table_reader *s) {
    const eop_table_options *o = &s->options;
    edgeops_status status = s->piece_count == 0 ? parse_asset(s, o->asset) : EDGEOPS_OK;
    place_pieces(s);
    for (size_t i = 0; i < o->skip_count && status == EDGEOPS_OK; i++) {
        status = skip_column(s, o->skip[i]);
    }
    if (status < 0 || (status = set_time(s)) < 0 ||
        (status = set_role(s, &s->seq_at, o->seq_column, EOP_ROLE_SEQ)) < 0 ||
        (status = set_role(s, &s->label_at, o->label_column, EOP_ROLE_LABEL)) < 0 ||
        (status = set_role(s, &s->name_at, o->channel_column, EOP_ROLE_NAME)) < 0 ||
        (status = set_role(s, &s->value_at, o->value_column, EOP_ROLE_VALUE)) < 0 ||
        /* Rows may be grouped by what also names the asset. */
        (status = set_role(s, &s->group_at, o->group_column, EOP_ROLE_GROUP)) < 0) {
        return status;
    }
    for (size_t i = 0; i < o->column_count && status == EDGEOPS_OK; i++) {
        status = take_given(s, &o->columns[i]);
    }
    if (status == EDGEOPS_OK) {
        status = take_patterns(s);
    }
    if (o->only_given) {
        skip_others(s);
    }
    set_beside(s);
    if (o->as_text) {
        make_texts(s);
    }
    return status == EDGEOPS_OK ? set_where(s) : status;
}
