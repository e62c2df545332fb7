/* SPDX-License-Identifier: Apache-2.0 */
/* What the options leave open about a file as a whole is decided from its first rows: whether the
 * header is one, which column has the time, which sign is before the decimals. All that is decided
 * is said in the report. */
#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"
#include "codec/table_parts.h"

#define LEADING   5u /* rows below the header that need not be data */
#define YEAR_1980 INT64_C(315532800000000000)
#define YEAR_2101 INT64_C(4133980800000000000)

static bool same_name(const char *a, const char *b) {
    return strlen(a) == strlen(b) && eop_ascii_equal(a, b, strlen(a));
}

/* -- is the header one? -- */

/* What the header's cells look like. */
typedef struct cells {
    size_t count;
    size_t numbers;
    bool years;       /* all numbers are years or dates */
    bool consecutive; /* each number is one more than that before it */
} cells;

static bool is_year(const char *text, size_t size) {
    eop_decimal d;
    int64_t year = 0;
    return size >= 4 && eop_decimal_scan(&d, text, size) == size &&
           (d.shape & EOP_DECIMAL_EXPONENT) == 0 && eop_decimal_int64(&year, &d) && year >= 1500 &&
           year <= 2200;
}

static cells look_at(const eop_table_reader *s, const eop_record *r) {
    cells c = {.years = true, .consecutive = true};
    double before = 0;
    for (size_t i = 0; i < r->count; i++) {
        const eop_field *f = &r->fields[i];
        edgeops_type type = eop_rules_type(s->rules, f->text, f->size);
        edgeops_time time = 0;
        eop_time_seen seen = {0};
        edgeops_value value = {0};
        c.count += f->size > 0;
        if (type == EDGEOPS_TYPE_STRING && f->size >= 8 &&
            eop_time_text(&time, &seen, NULL, f->text, f->size) && seen.form == EOP_TIME_ISO) {
            c.numbers++; /* a date as the name of a column is as good as a year */
            c.consecutive = false;
            continue;
        }
        if (type != EDGEOPS_TYPE_INT64 && type != EDGEOPS_TYPE_FLOAT64) {
            continue;
        }
        (void)eop_rules_value(s->rules, &value, EDGEOPS_TYPE_FLOAT64, f->text, f->size);
        bool is_date = f->size == 8 && eop_time_text(&time, &seen, NULL, f->text, f->size) &&
                       seen.form == EOP_TIME_COMPACT;
        c.years = c.years && (is_year(f->text, f->size) || is_date);
        c.consecutive = c.consecutive && type == EDGEOPS_TYPE_INT64 &&
                        (c.numbers == 0 || value.as.f64 == before + 1);
        before = value.as.f64;
        c.numbers++;
    }
    return c;
}

edgeops_status eop_table_check_header(eop_table_reader *s) {
    if (s->header == NULL) {
        return EDGEOPS_OK;
    }
    cells c = look_at(s, &s->header->record);
    unsigned long long line = s->header_line;
    if (c.numbers * 2 <= c.count || c.numbers == 0) {
        return EDGEOPS_OK;
    }
    bool named = s->named || s->time_at != EOP_NOWHERE;
    bool could_be_names = c.numbers > 1 && (c.years || c.consecutive);
    if (!named && !could_be_names) {
        return eop_fail(EDGEOPS_E_INVALID, "table",
                        "%s:%llu: the header has numbers where names should be: if this row is "
                        "data: --no-header, with names: --no-header --names a,b,...",
                        s->what, line);
    }
    if (!named || !could_be_names) {
        eop_report_warn(s->report,
                        "line %llu has numbers and is taken as the header: if it is data: "
                        "--no-header",
                        line);
    }
    return EDGEOPS_OK;
}

/* Most records may have another number of fields than the header. */
edgeops_status eop_table_check_width(eop_table_reader *s) {
    size_t fit = 0, wide = 0;
    const eop_kept *first = NULL;
    if (s->header == NULL) {
        return EDGEOPS_OK;
    }
    for (const eop_kept *k = s->first; k != NULL; k = k->next) {
        size_t width = k->record.status == EDGEOPS_OK ? eop_record_width(&k->record) : 0;
        fit += width > 0 && width <= s->column_count;
        wide += width > s->column_count;
        first = first == NULL && width > s->column_count ? k : first;
    }
    if (wide == 0 || wide <= fit) {
        return EDGEOPS_OK;
    }
    size_t width = eop_record_width(&first->record);
    unsigned long long line = first->record.line;
    bool is_r = fit == 0 && wide > 1 && first == s->first && width == s->column_count + 1 &&
                look_at(s, &first->record).numbers > 0;
    s->width_hint =
        is_r ? eop_format("%s:%llu: the header has a name less than the rows, perhaps that of the "
                          "first column: --names NAME,...",
                          s->what, (unsigned long long)s->header_line)
             : eop_format("%s:%llu: %zu fields, the header in line %llu has %zu: if the names are "
                          "in line %llu: --skip-rows %llu",
                          s->what, line, width, (unsigned long long)s->header_line, s->column_count,
                          line, line - 1);
    if (s->width_hint == NULL) {
        return eop_fail_nomem("table");
    }
    bool is_known = !s->is_timed || s->time_at != EOP_NOWHERE; /* else there is a better message */
    return fit == 0 && wide > 1 && is_known
               ? eop_fail(EDGEOPS_E_INVALID, "table", "%s", s->width_hint)
               : EDGEOPS_OK;
}

/* -- the time -- */

static bool is_time(eop_table_reader *s, const eop_record *r, size_t date, size_t clock) {
    edgeops_time time = 0;
    const eop_field *field = &r->fields[date];
    const eop_times *times = eop_rules_times(s->rules);
    eop_time_seen seen = {0};
    if (clock == EOP_NOWHERE) {
        /* Small numbers may be anything, unless the column is called "time" or was given. */
        return eop_time_text(&time, &seen, times, field->text, field->size) &&
               (seen.form != EOP_TIME_NUMBER || s->columns[date].role == EOP_ROLE_TIME ||
                (time >= YEAR_1980 && time < YEAR_2101));
    }
    eop_buf_clear(&s->joined);
    eop_buf_put(&s->joined, field->text, field->size);
    eop_buf_put(&s->joined, " ", 1);
    eop_buf_put(&s->joined, r->fields[clock].text, r->fields[clock].size);
    return !s->joined.failed && memchr(r->fields[clock].text, ':', r->fields[clock].size) != NULL &&
           eop_time_text(&time, NULL, times, s->joined.data, s->joined.size);
}

static bool is_there(const eop_record *r, size_t column) {
    return r->status == EDGEOPS_OK && column < r->count && r->fields[column].size > 0 &&
           r->fields[column].kind != EOP_FIELD_ABSENT;
}

/* The first rows have times there, but for a few on top and one in ten. */
static bool fits(eop_table_reader *s, size_t date, size_t clock) {
    size_t good = 0, bad = 0, leading = 0;
    for (const eop_kept *k = s->first; k != NULL; k = k->next) {
        if (!is_there(&k->record, date) || (clock != EOP_NOWHERE && !is_there(&k->record, clock))) {
            continue;
        }
        bool is = is_time(s, &k->record, date, clock);
        good += is;
        leading += !is && good == 0 && leading < LEADING;
        bad += !is;
    }
    bad -= leading;
    return (good > 0 || s->first == NULL) && bad * 10 <= good;
}

/* The column of that name (upper or lower case) that nothing else is known of. */
static size_t free_column(const eop_table_reader *s, const char *name) {
    for (size_t i = 0; i < s->column_count; i++) {
        const eop_reader_column *c = &s->columns[i];
        if ((c->role == EOP_ROLE_CHANNEL || c->role == EOP_ROLE_TIME) && c->why == EOP_WHY_FOUND &&
            same_name(c->raw, name)) {
            return i;
        }
    }
    return EOP_NOWHERE;
}

static bool take_pair(eop_table_reader *s) {
    size_t date = free_column(s, "date");
    size_t clock = free_column(s, "time");
    if (date == EOP_NOWHERE || clock == EOP_NOWHERE || !fits(s, date, clock)) {
        return false;
    }
    s->time_at = date;
    s->clock_at = clock;
    s->columns[date].role = EOP_ROLE_TIME;
    s->columns[clock].role = EOP_ROLE_CLOCK;
    eop_report_note(s->report, "columns '%s' and '%s' have the date and the time of day",
                    s->columns[date].raw, s->columns[clock].raw);
    return true;
}

static bool all_years(const eop_table_reader *s, size_t at) {
    size_t years = 0, others = 0, leading = 0;
    for (const eop_kept *k = s->first; k != NULL; k = k->next) {
        if (is_there(&k->record, at)) {
            bool is = is_year(k->record.fields[at].text, k->record.fields[at].size);
            years += is;
            leading += !is && years == 0 && leading < LEADING;
            others += !is;
        }
    }
    return years > 0 && others == leading;
}

static edgeops_status take_candidate(eop_table_reader *s) {
    static const char *const names[] = {"time",       "timestamp",  "date",      "datetime",
                                        "ts",         "date_time",  "date time", "time_stamp",
                                        "time stamp", "@timestamp", "year"};
    size_t found = EOP_NOWHERE;
    size_t other = EOP_NOWHERE;
    for (size_t i = 0; i < EOP_COUNT(names); i++) {
        size_t at = free_column(s, names[i]);
        bool is = at != EOP_NOWHERE &&
                  (strcmp(names[i], "year") == 0 ? all_years(s, at) : fits(s, at, EOP_NOWHERE));
        if (is) {
            other = found != EOP_NOWHERE ? at : other;
            found = found == EOP_NOWHERE ? at : found;
        }
    }
    if (s->options.no_header && s->options.name_count == 0) {
        for (size_t i = 0; i < s->column_count; i++) {
            if (fits(s, i, EOP_NOWHERE)) {
                other = found != EOP_NOWHERE ? i : other;
                found = found == EOP_NOWHERE ? i : found;
            }
        }
    }
    if (found != EOP_NOWHERE && other == EOP_NOWHERE) {
        s->time_at = found;
        s->columns[found].role = EOP_ROLE_TIME;
        eop_report_note(s->report, "column '%s' has the time", s->columns[found].raw);
        return EDGEOPS_OK;
    }
    if (s->options.time_optional) {
        s->is_timed = false;
        return EDGEOPS_OK;
    }
    if (other != EOP_NOWHERE) {
        return eop_fail(EDGEOPS_E_INVALID, "table",
                        "%s: columns '%s' and '%s' both could have the time: --time-column '%s'",
                        s->what, s->columns[found].raw, s->columns[other].raw,
                        s->columns[found].raw);
    }
    size_t date = free_column(s, "date");
    size_t clock = free_column(s, "time");
    if (date != EOP_NOWHERE && clock != EOP_NOWHERE) {
        return eop_fail(
            EDGEOPS_E_INVALID, "table",
            "%s: columns '%s' and '%s' seem to have the date and the time of day: "
            "--time-column '%s+%s', with --time-format such as '%%d/%%m/%%Y %%H:%%M:%%S'",
            s->what, s->columns[date].raw, s->columns[clock].raw, s->columns[date].raw,
            s->columns[clock].raw);
    }
    for (size_t i = 0; i < EOP_COUNT(names); i++) {
        size_t at = free_column(s, names[i]);
        if (at != EOP_NOWHERE) {
            return eop_fail(EDGEOPS_E_INVALID, "table",
                            "%s: there is no column 'time', and what '%s' has are not times: "
                            "--time-column NAME, --time-format such as '%%d.%%m.%%Y %%H:%%M'",
                            s->what, s->columns[at].raw);
        }
    }
    return eop_table_no_column(s, "time", 4);
}

edgeops_status eop_table_guess_time(eop_table_reader *s) {
    const eop_table_options *o = &s->options;
    if (!s->is_timed) {
        return EDGEOPS_OK;
    }
    bool is_default = o->clock_column == NULL && strcmp(o->time_column, "time") == 0;
    if (is_default && (s->time_at == EOP_NOWHERE || !fits(s, s->time_at, EOP_NOWHERE))) {
        if (take_pair(s)) {
            return EDGEOPS_OK;
        }
    }
    edgeops_status status = EDGEOPS_OK;
    if (s->time_at == EOP_NOWHERE && (is_default || o->time_optional)) {
        status = take_candidate(s);
    } else if (s->time_at == EOP_NOWHERE) {
        status = eop_table_no_column(s, o->time_column, strlen(o->time_column));
    }
    if (status == EDGEOPS_OK && s->is_timed && s->clock_at == EOP_NOWHERE &&
        o->rules.times.unit == NULL && o->rules.times.format == NULL && all_years(s, s->time_at)) {
        s->years = true;
        eop_report_note(s->report,
                        "column '%s' has years: a row is at the beginning of its year "
                        "(--time-unit s if these are seconds)",
                        s->columns[s->time_at].raw);
    }
    return status;
}

/* -- the sign before the decimals -- */

/* How numbers are written in a column. */
typedef struct written {
    size_t texts;
    size_t commas; /* that are numbers by a comma alone */
    size_t points; /* that are numbers by a point alone */
    size_t groups; /* of the commas: three digits behind it, which could be thousands */
    size_t others;
} written;

static void see_text(written *w, const eop_table_reader *s, const eop_rules *comma,
                     const eop_field *f) {
    edgeops_type with_point = eop_rules_type(s->rules, f->text, f->size);
    edgeops_type with_comma = eop_rules_type(comma, f->text, f->size);
    bool point = with_point == EDGEOPS_TYPE_INT64 || with_point == EDGEOPS_TYPE_FLOAT64;
    bool is_comma = with_comma == EDGEOPS_TYPE_INT64 || with_comma == EDGEOPS_TYPE_FLOAT64;
    const char *sign = memchr(f->text, ',', f->size);
    w->texts += with_point != EDGEOPS_TYPE_NULL;
    w->points += point && !is_comma;
    w->commas += is_comma && !point;
    w->others += !point && !is_comma && with_point != EDGEOPS_TYPE_NULL;
    w->groups += is_comma && !point && sign != NULL && *f->text != '0' && sign - f->text <= 4 &&
                 strspn(sign + 1, "0123456789") == 3 && sign[4] == '\0';
}

static written see_column(const eop_table_reader *s, const eop_rules *comma, size_t i) {
    written w = {0};
    for (const eop_kept *k = s->first; k != NULL; k = k->next) {
        if (k->record.status == EDGEOPS_OK && i < k->record.count) {
            see_text(&w, s, comma, &k->record.fields[i]);
        }
    }
    return w;
}

static edgeops_status use_comma(eop_table_reader *s, const char *example, bool groups) {
    eop_rules_options o = s->options.rules;
    eop_rules *rules = NULL;
    eop_rules *own = NULL;
    o.decimal = ',';
    edgeops_status status = eop_rules_new(&rules, &o);
    o.nan_is_value = true;
    if (status == EDGEOPS_OK) {
        status = eop_rules_new(&own, &o);
    }
    if (status != EDGEOPS_OK) {
        eop_rules_free(rules);
        return status;
    }
    for (size_t i = 0; i < s->column_count; i++) {
        eop_cell_rules *cell = &s->columns[i].cell;
        cell->rules = cell->rules == s->own_rules ? own : rules;
    }
    eop_rules_free(s->rules);
    eop_rules_free(s->own_rules);
    s->rules = rules;
    s->own_rules = own;
    eop_report_note(s->report,
                    "a comma is before the decimals (column '%s'); --decimal . if it is not",
                    example);
    if (groups) {
        eop_report_warn(s->report,
                        "numbers such as those of column '%s' have three digits behind each comma, "
                        "which is taken as decimal: if it parts thousands: --thousands ,",
                        example);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_table_guess_decimal(eop_table_reader *s) {
    const eop_table_options *o = &s->options;
    eop_rules_options with_comma = o->rules;
    eop_rules *comma = NULL;
    const char *example = NULL;
    bool points = false;
    size_t commas = 0, groups = 0;
    if (s->is_json || o->as_text || o->rules.decimal != '\0' || o->rules.thousands == ',') {
        return EDGEOPS_OK;
    }
    with_comma.decimal = ',';
    edgeops_status status = eop_rules_new(&comma, &with_comma);
    for (size_t i = 0; i < s->column_count && status == EDGEOPS_OK; i++) {
        const eop_reader_column *c = &s->columns[i];
        if ((c->role != EOP_ROLE_CHANNEL && c->role != EOP_ROLE_VALUE) ||
            c->cell.type == EDGEOPS_TYPE_STRING || c->cell.length > 1) {
            continue;
        }
        written w = see_column(s, comma, i);
        points = points || w.points > 0;
        if (w.commas > 0 && w.points == 0 && w.others <= LEADING && w.others * 2 <= w.texts) {
            example = example == NULL ? c->raw : example;
            commas += w.commas;
            groups += w.groups;
        }
    }
    eop_rules_free(comma);
    const char *separator = o->dialect.separator != NULL ? o->dialect.separator : ",";
    if (status != EDGEOPS_OK || example == NULL) {
        return status;
    }
    if (!points && strchr(separator, ',') == NULL) {
        return use_comma(s, example, groups == commas);
    }
    eop_report_warn(s->report,
                    "column '%s' seems to have numbers with a comma before the decimals: "
                    "--decimal , (or --thousands , if it parts thousands)",
                    example);
    return EDGEOPS_OK;
}
