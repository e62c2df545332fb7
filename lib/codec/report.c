/* SPDX-License-Identifier: Apache-2.0 */
/* What a reader met, kept as counters and short texts of bounded number, and put together as JSON on
 * demand. What a row calls allocates nothing but for a word or a bad row that is new. */
#include "codec/report.h"

#include <string.h>

#include "base/memory.h"
#include "base/time.h"

#define WORDS_MAX     64u
#define REASONS_MAX   64u
#define SENTENCES_MAX 32u
#define TEXT_MAX      60u
#define YEAR_1980     INT64_C(315532800000000000)
#define YEAR_2101     INT64_C(4133980800000000000)

/* A text and how often it came. */
typedef struct tally {
    char *text;
    uint64_t count;
} tally;

typedef struct tallies {
    tally *items;
    size_t count;
    size_t capacity;
    uint64_t beyond; /* more than the limit: they are counted alone */
} tallies;

typedef struct channel {
    char *name;
    edgeops_type type;
    uint32_t length;
    char *unit;
    char *why;
    uint64_t values;
    uint64_t nulls;
    tallies words;
} channel;

typedef struct bad_row {
    uint64_t line;
    char *column;
    char *reason;
    char *text;
} bad_row;

struct eop_report {
    channel *channels;
    size_t count;
    size_t capacity;
    uint64_t times;
    edgeops_time first;
    edgeops_time last;
    uint64_t forms[EOP_TIME_FORMAT + 1];
    eop_time_unit unit;
    unsigned units; /* a bit for each that was met */
    uint64_t zoned;
    uint64_t repeated;
    uint64_t missing;
    char *zone;
    uint64_t bad;
    bad_row *rows;
    size_t row_count;
    size_t row_capacity;
    tallies reasons;
    tallies warnings;
    tallies notes;
};

eop_report *eop_report_new(void) {
    return eop_calloc(1, sizeof(eop_report));
}

static void tallies_dispose(tallies *t) {
    for (size_t i = 0; i < t->count; i++) {
        eop_free(t->items[i].text);
    }
    eop_free(t->items);
}

void eop_report_free(eop_report *report) {
    if (report == NULL) {
        return;
    }
    for (size_t i = 0; i < report->count; i++) {
        channel *c = &report->channels[i];
        eop_free(c->name);
        eop_free(c->unit);
        eop_free(c->why);
        tallies_dispose(&c->words);
    }
    for (size_t i = 0; i < report->row_count; i++) {
        eop_free(report->rows[i].column);
        eop_free(report->rows[i].reason);
        eop_free(report->rows[i].text);
    }
    eop_free(report->channels);
    eop_free(report->rows);
    eop_free(report->zone);
    tallies_dispose(&report->reasons);
    tallies_dispose(&report->warnings);
    tallies_dispose(&report->notes);
    eop_free(report);
}

/* Counts a text, which is copied when it is new. */
static void tallies_add(tallies *t, const char *text, size_t max) {
    for (size_t i = 0; i < t->count; i++) {
        if (strcmp(t->items[i].text, text) == 0) {
            t->items[i].count++;
            return;
        }
    }
    if (t->count == max || !eop_grow(&t->items, &t->capacity, t->count + 1, sizeof(*t->items))) {
        t->beyond++;
        return;
    }
    t->items[t->count] = (tally){.text = eop_strdup(text), .count = 1};
    t->count += t->items[t->count].text != NULL;
}

/* -- while reading -- */

static void set_text(char **place, const char *text) {
    if (text != NULL && (*place == NULL || strcmp(*place, text) != 0)) {
        eop_free(*place);
        *place = eop_strdup(text);
    }
}

size_t eop_report_channel(eop_report *report, const char *name, edgeops_type type, uint32_t length,
                          const char *unit, const char *why) {
    size_t i = 0;
    while (i < report->count && strcmp(report->channels[i].name, name) != 0) {
        i++;
    }
    if (i == report->count) {
        if (!eop_grow(&report->channels, &report->capacity, i + 1, sizeof(*report->channels))) {
            return SIZE_MAX;
        }
        report->channels[i] = (channel){.name = eop_strdup(name)};
        if (report->channels[i].name == NULL) {
            return SIZE_MAX;
        }
        report->count++;
    }
    channel *c = &report->channels[i];
    c->type = type;
    c->length = length;
    set_text(&c->unit, unit);
    set_text(&c->why, why);
    return i;
}

void eop_report_value(eop_report *report, size_t index) {
    if (index < report->count) {
        report->channels[index].values++;
    }
}

void eop_report_null(eop_report *report, size_t index, const char *word) {
    if (index >= report->count) {
        return;
    }
    report->channels[index].nulls++;
    if (word != NULL && word[0] != '\0') {
        tallies_add(&report->channels[index].words, word, WORDS_MAX);
    }
}

void eop_report_time(eop_report *report, edgeops_time time, const eop_time_seen *seen) {
    report->first = report->times == 0 || time < report->first ? time : report->first;
    report->last = report->times == 0 || time > report->last ? time : report->last;
    report->times++;
    if (seen != NULL) {
        report->forms[seen->form]++;
        report->unit = seen->form == EOP_TIME_NUMBER ? seen->unit : report->unit;
        report->units |= seen->form == EOP_TIME_NUMBER ? 1u << seen->unit : 0;
        report->zoned += seen->zoned;
        report->repeated += seen->repeated;
        report->missing += seen->missing;
    }
}

/* Not of rows that have their times of a start and a period. */
static void warn_of_range(eop_report *report) {
    char first[64], last[64];
    uint64_t read = 0;
    for (size_t i = 0; i < EOP_COUNT(report->forms); i++) {
        read += report->forms[i];
    }
    if (read == 0 || (report->first >= YEAR_1980 && report->last < YEAR_2101)) {
        return;
    }
    eop_format_time(first, report->first);
    eop_format_time(last, report->last);
    eop_report_warn(report,
                    "times from %s to %s are not all between 1980 and 2100: are column, unit "
                    "(--time-unit) and form (--time-format) right?",
                    first, last);
}

void eop_report_clocks(eop_report *report) {
    warn_of_range(report);
    if (report->repeated > 0) {
        eop_report_note(
            report,
            "%llu times lie in an hour that the clocks showed twice: taken as its first "
            "pass until the times of the asset step back, then as the second",
            (unsigned long long)report->repeated);
    }
    if (report->missing > 0) {
        eop_report_warn(report,
                        "%llu times lie in an hour that the clocks left out, read by the clock "
                        "before it: is the time zone right?",
                        (unsigned long long)report->missing);
    }
    if ((report->units & (report->units - 1)) != 0) {
        eop_report_warn(report,
                        "the times are numbers of different units since 1970, each taken by "
                        "its size: --time-unit if all have one");
    }
}

void eop_report_zone(eop_report *report, const char *name) {
    set_text(&report->zone, name);
}

/* A piece of a text that may be anything, as JSON can hold it. */
static char *shown(const char *text, size_t size) {
    size_t n = size > TEXT_MAX ? TEXT_MAX : size;
    n = eop_utf8_valid(text, n);
    const char *nul = memchr(text, '\0', n);
    n = nul != NULL ? (size_t)(nul - text) : n;
    return eop_format("%.*s%s", (int)n, text, n < size ? "..." : "");
}

void eop_report_bad(eop_report *report, uint64_t line, const char *column, const char *reason,
                    const char *text, size_t size) {
    report->bad++;
    tallies_add(&report->reasons, reason, REASONS_MAX);
    if (report->row_count == EOP_REPORT_ROWS ||
        !eop_grow(&report->rows, &report->row_capacity, report->row_count + 1,
                  sizeof(*report->rows))) {
        return;
    }
    report->rows[report->row_count++] =
        (bad_row){.line = line,
                  .column = column != NULL ? eop_strdup(column) : NULL,
                  .reason = eop_strdup(reason),
                  .text = text != NULL ? shown(text, size) : NULL};
}

EOP_PRINTF(2, 0)
static void add_sentence(tallies *t, const char *format, va_list args) {
    char *text = eop_vformat(format, args);
    if (text != NULL) {
        tallies_add(t, text, SENTENCES_MAX);
        eop_free(text);
    }
}

void eop_report_warn(eop_report *report, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_sentence(&report->warnings, format, args);
    va_end(args);
}

void eop_report_note(eop_report *report, const char *format, ...) {
    va_list args;
    va_start(args, format);
    add_sentence(&report->notes, format, args);
    va_end(args);
}

/* -- as JSON -- */

static eop_json *channel_json(const channel *c) {
    char type[EOP_TYPE_TEXT];
    eop_json *json = eop_json_object();
    eop_json *words = eop_json_object();
    eop_json_set_string(json, "name", c->name);
    eop_json_set_string(json, "type", eop_type_text(type, c->type, c->length));
    eop_json_set_string(json, "why", c->why != NULL ? c->why : "");
    if (c->unit != NULL && c->unit[0] != '\0') {
        eop_json_set_string(json, "unit", c->unit);
    }
    eop_json_set_integer(json, "values", (int64_t)c->values);
    eop_json_set_integer(json, "nulls", (int64_t)c->nulls);
    for (size_t i = 0; i < c->words.count; i++) {
        eop_json_set_integer(words, c->words.items[i].text, (int64_t)c->words.items[i].count);
    }
    eop_json_set(json, "words", words);
    return json;
}

static const char *zone_of(const eop_report *report) {
    uint64_t numbers = report->forms[EOP_TIME_NUMBER];
    if (numbers >= report->times) {
        return "UTC";
    }
    if (report->zoned >= report->times) {
        return "in the text";
    }
    return report->zone != NULL ? report->zone : "UTC (assumed)";
}

static void put_times(eop_json *json, const eop_report *report) {
    static const char *const forms[] = {"iso", "compact", "number", "format"};
    static const char *const units[] = {"", "s", "ms", "us", "ns"};
    const char *form = NULL;
    if (report->times == 0) {
        return;
    }
    for (size_t i = 0; i < EOP_COUNT(forms); i++) {
        form = report->forms[i] == 0 ? form : form == NULL ? forms[i] : "several";
    }
    eop_json_set_time(json, "first", report->first);
    eop_json_set_time(json, "last", report->last);
    if (form == NULL) {
        return; /* made of a start and a period */
    }
    eop_json *times = eop_json_object();
    eop_json_set_string(times, "form", form);
    if (report->unit != EOP_UNIT_GUESS) {
        eop_json_set_string(times, "unit", units[report->unit]);
    }
    eop_json_set_string(times, "zone", zone_of(report));
    if (report->repeated > 0) {
        eop_json_set_integer(times, "repeated", (int64_t)report->repeated);
    }
    if (report->missing > 0) {
        eop_json_set_integer(times, "missing", (int64_t)report->missing);
    }
    eop_json_set(json, "times", times);
}

static void put_bad(eop_json *json, const eop_report *report) {
    eop_json *reasons = eop_json_array();
    eop_json *rows = eop_json_array();
    for (size_t i = 0; i < report->reasons.count; i++) {
        eop_json *reason = eop_json_object();
        eop_json_set_string(reason, "reason", report->reasons.items[i].text);
        eop_json_set_integer(reason, "rows", (int64_t)report->reasons.items[i].count);
        eop_json_append(reasons, reason);
    }
    for (size_t i = 0; i < report->row_count; i++) {
        const bad_row *r = &report->rows[i];
        eop_json *row = eop_json_object();
        eop_json_set_integer(row, "line", (int64_t)r->line);
        if (r->column != NULL) {
            eop_json_set_string(row, "column", r->column);
        }
        eop_json_set_string(row, "reason", r->reason != NULL ? r->reason : "");
        if (r->text != NULL) {
            eop_json_set_string(row, "text", r->text);
        }
        eop_json_append(rows, row);
    }
    eop_json_set_integer(json, "skipped", (int64_t)report->bad);
    eop_json_set(json, "reasons", reasons);
    eop_json_set(json, "bad_rows", rows);
}

static eop_json *sentences(const tallies *t) {
    eop_json *array = eop_json_array();
    for (size_t i = 0; i < t->count; i++) {
        eop_json_append_string(array, t->items[i].text);
    }
    if (t->beyond > 0) {
        eop_json_append_format(array, "and %llu more", (unsigned long long)t->beyond);
    }
    return array;
}

eop_json *eop_report_json(const eop_report *report) {
    eop_json *json = eop_json_object();
    eop_json *channels = eop_json_array();
    for (size_t i = 0; i < report->count; i++) {
        eop_json_append(channels, channel_json(&report->channels[i]));
    }
    eop_json_set(json, "channels", channels);
    put_times(json, report);
    put_bad(json, report);
    eop_json_set(json, "notes", sentences(&report->notes));
    eop_json_set(json, "warnings", sentences(&report->warnings));
    return json;
}
