/* SPDX-License-Identifier: Apache-2.0 */
/* Records of RFC 4180 and its dialects from a descriptor. Bytes are looked up in a table and scanned
 * in place; a record's fields point into the buffer, which grows up to the limit of one record.
 * A bad record ends with its first line: what follows is read afresh, so that a stray quote costs
 * the line that it is in. */
#include "codec/csv.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/input.h"

#define MAX_RECORD   ((size_t)1 << 20)
#define MAX_FIELDS   4096
#define FIRST_BUFFER ((size_t)128 << 10)

/* What a byte means; the first two may be in any field. */
enum { PLAIN, HIGH, SEPARATOR, QUOTE, ESCAPE, NEWLINE, RETURN, FEED, NUL };

typedef enum scan_state {
    AT_FIELD,
    IN_PLAIN,
    IN_QUOTED,
    AFTER_QUOTE, /* a quote in a quoted field: its end, or half of a pair */
    AFTER_RETURN,
    IN_LINE, /* a line that is left out, whatever is in it */
    AFTER_RECORD
} scan_state;

/* The first ends of lines decide for the file. */
typedef enum line_ends { UNKNOWN, FEEDS, RETURNS } line_ends;

/* Where a field lies in its record, quotes left out. */
typedef struct span {
    uint32_t start;
    uint32_t end;
    bool quoted;
    bool marked; /* holds "" or an escape */
    bool high;   /* holds bytes beyond ASCII */
} span;

struct eop_csv_reader {
    eop_records records;
    eop_input *input;
    char *what;
    uint64_t line; /* first line of the record */
    uint64_t next_line;
    char *buffer;
    size_t capacity; /* one more byte is there for a NUL */
    size_t at;       /* start of the record */
    size_t size;
    bool at_end;
    /* The scan of the record so far; all relative to `at`, so that the buffer may move. */
    size_t scanned;
    scan_state state;
    scan_state before; /* the carriage return */
    size_t returned;   /* behind the first carriage return of the record's end */
    span now;
    size_t count;
    span *spans;
    size_t span_capacity;
    eop_field *fields;
    size_t field_capacity;
    /* How the text is written. */
    line_ends ends;
    bool blanks; /* any run of blanks parts fields */
    char second; /* of the separator; '\0': it has one character */
    char quote;
    char escape;
    char comment;
    uint64_t skip_rows;        /* still to come */
    size_t width;              /* fields of the first record */
    uint8_t kinds[MAX_FIELDS]; /* of the first line of one that has several */
    bool refused;              /* the record at hand is bad */
    bool whole;                /* and known to its end; else only its first line is left out */
    uint8_t meaning[256];
};

static edgeops_status refuse(const eop_csv_reader *r, edgeops_status code, const char *problem) {
    return eop_fail(code, "csv", "%s:%llu: %s", r->what, (unsigned long long)r->line, problem);
}

static edgeops_status records_next(eop_records *records, const eop_field **fields, size_t *count) {
    return eop_csv_next((eop_csv_reader *)records, fields, count);
}

static uint64_t records_line(const eop_records *records) {
    return eop_csv_line((const eop_csv_reader *)records);
}

static uint64_t records_offset(const eop_records *records) {
    return eop_csv_offset((const eop_csv_reader *)records);
}

static void records_close(eop_records *records) {
    eop_csv_close((eop_csv_reader *)records);
}

eop_records *eop_csv_records(eop_csv_reader *reader) {
    return &reader->records;
}

/* Bytes up to the end of the first line, or of the record. */
static size_t text_size(const eop_csv_reader *r) {
    const char *text = r->buffer + r->at;
    size_t size = 0;
    if (r->whole) {
        size = r->scanned;
        size -= size > 0 && text[size - 1] == (r->ends == RETURNS ? '\r' : '\n');
    } else {
        while (size < r->size - r->at && text[size] != '\n' &&
               (text[size] != '\r' || r->ends == FEEDS)) {
            size++;
        }
    }
    while (size > 0 && text[size - 1] == '\r') {
        size--;
    }
    return size;
}

static const char *records_text(const eop_records *records, size_t *size) {
    const eop_csv_reader *r = (const eop_csv_reader *)records;
    *size = r->refused ? text_size(r) : 0;
    return r->refused ? r->buffer + r->at : NULL;
}

static edgeops_status check_dialect(const eop_csv_reader *r, const char *separator) {
    const char signs[] = {separator[0], r->second, r->quote, r->escape, r->comment};
    size_t n = sizeof(signs);
    for (size_t i = 0; i < n; i++) {
        bool wrong = signs[i] == '\n' || signs[i] == '\r' || (unsigned char)signs[i] >= 0x80;
        for (size_t k = i == 0 ? 2 : i + 1; k < n; k++) {
            wrong = wrong || (signs[i] != '\0' && signs[i] == signs[k]);
        }
        if (wrong) {
            return eop_fail(EDGEOPS_E_INVALID, "csv",
                            "this character cannot part fields, quote, escape or begin a comment: "
                            "the signs must differ and be ASCII; ',', ';' and tab are usual");
        }
    }
    if (separator[0] == '\0' || (separator[1] != '\0' && separator[2] != '\0')) {
        return eop_fail(
            EDGEOPS_E_INVALID, "csv",
            "the separator must have one or two characters; ',', ';' and tab are usual");
    }
    return EDGEOPS_OK;
}

static edgeops_status set_dialect(eop_csv_reader *r, const eop_csv_dialect *dialect) {
    const char *separator = dialect->separator != NULL ? dialect->separator : ",";
    r->blanks = strcmp(separator, " ") == 0;
    r->second = separator[0] != '\0' ? separator[1] : '\0';
    r->quote = dialect->quote != '\0' ? dialect->quote : '"';
    r->escape = dialect->escape != r->quote ? dialect->escape : '\0'; /* "" is a quote anyway */
    r->comment = dialect->comment;
    r->skip_rows = dialect->skip_rows;
    memset(r->meaning + 0x80, HIGH, 0x80);
    r->meaning[(unsigned char)r->escape] = ESCAPE;
    r->meaning[0] = NUL;
    r->meaning[(unsigned char)r->quote] = QUOTE;
    r->meaning['\n'] = NEWLINE;
    r->meaning['\r'] = RETURN;
    r->meaning[(unsigned char)separator[0]] = SEPARATOR;
    if (r->blanks) {
        r->meaning['\t'] = SEPARATOR;
    }
    return check_dialect(r, separator);
}

edgeops_status eop_csv_open(eop_csv_reader **out, int fd, int cancel_fd,
                            const eop_csv_dialect *dialect, const char *what) {
    *out = NULL;
    eop_csv_reader *r = eop_calloc(1, sizeof(*r));
    if (r == NULL) {
        return eop_fail_nomem("csv");
    }
    r->records = (eop_records){.next = records_next,
                               .line = records_line,
                               .offset = records_offset,
                               .close = records_close,
                               .text = records_text};
    r->what = eop_strdup(what != NULL ? what : "csv");
    r->capacity = FIRST_BUFFER;
    r->buffer = eop_alloc(r->capacity + 1);
    r->next_line = 1;
    edgeops_status status =
        r->what == NULL || r->buffer == NULL ? eop_fail_nomem("csv") : set_dialect(r, dialect);
    if (status == EDGEOPS_OK) {
        status = eop_input_open(&r->input, fd, cancel_fd, r->what, EOP_INPUT_TEXT);
    }
    if (status != EDGEOPS_OK) {
        eop_csv_close(r);
        return status;
    }
    *out = r;
    return EDGEOPS_OK;
}

/* Makes room behind what is there and reads on. */
static edgeops_status refill(eop_csv_reader *r) {
    if (r->state == IN_LINE) {
        r->at += r->scanned;
        r->scanned = 0;
    }
    size_t held = r->size - r->at;
    if (held > MAX_RECORD) {
        return refuse(r, EDGEOPS_E_LIMIT, "the record is over 1 MiB; is a closing quote missing?");
    }
    if (r->at > 0) {
        memmove(r->buffer, r->buffer + r->at, held);
        r->at = 0;
        r->size = held;
    }
    if (r->size == r->capacity) {
        char *grown = eop_realloc(r->buffer, r->capacity * 2 + 1);
        if (grown == NULL) {
            return eop_fail_nomem("csv");
        }
        r->buffer = grown;
        r->capacity *= 2;
    }
    size_t got = 0;
    edgeops_status status =
        eop_input_read(r->input, r->buffer + r->size, r->capacity - r->size, &got);
    r->size += got;
    r->at_end = status == EDGEOPS_OK && got == 0;
    return status;
}

static edgeops_status skip_mark(eop_csv_reader *r) {
    while (r->size < 3 && !r->at_end) {
        edgeops_status status = refill(r);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (r->size >= 3 && memcmp(r->buffer, "\xef\xbb\xbf", 3) == 0) {
        r->at = 3;
    } else if (r->size >= 2 &&
               (memcmp(r->buffer, "\xff\xfe", 2) == 0 || memcmp(r->buffer, "\xfe\xff", 2) == 0)) {
        r->at = r->size;
        r->at_end = true;
        r->line = 1;
        return eop_fail(EDGEOPS_E_INVALID, "csv", "%s: this is UTF-16; save it as UTF-8", r->what);
    }
    return EDGEOPS_OK;
}

static edgeops_status end_field(eop_csv_reader *r, size_t end) {
    if (r->count == r->span_capacity) {
        if (r->count == MAX_FIELDS) {
            return refuse(r, EDGEOPS_E_LIMIT, "the record has over 4,096 fields");
        }
        if (!eop_grow(&r->spans, &r->span_capacity, r->count + 1, sizeof(*r->spans))) {
            return eop_fail_nomem("csv");
        }
    }
    r->now.end = (uint32_t)end;
    r->spans[r->count++] = r->now;
    return EDGEOPS_OK;
}

/* Skips plain bytes. Returns where it stopped; *high: some were beyond ASCII. */
static const char *skip_plain(const uint8_t *meaning, const char *p, const char *end, bool *high) {
    uint8_t seen = PLAIN;
    while (p < end) {
        uint8_t m = meaning[(unsigned char)*p];
        if (m > HIGH) {
            break;
        }
        seen |= m;
        p++;
    }
    *high = *high || seen != PLAIN;
    return p;
}

/* The next byte that matters in a quoted field: the quote, an escape or a NUL. */
static const char *skip_quoted(eop_csv_reader *r, const char *p, const char *end) {
    for (; p < end; p++) {
        uint8_t m = r->meaning[(unsigned char)*p];
        if (m == QUOTE || m == ESCAPE || m == NUL) {
            break;
        }
        r->next_line += m == NEWLINE;
        r->now.high = r->now.high || m == HIGH;
    }
    return p;
}

static const char *skip_line(const eop_csv_reader *r, const char *p, const char *end) {
    while (p < end && r->meaning[(unsigned char)*p] != NEWLINE &&
           r->meaning[(unsigned char)*p] != RETURN && r->meaning[(unsigned char)*p] != FEED) {
        p++;
    }
    return p;
}

/* The first record, or a line above it, ends with a carriage return alone: so do all where the next
 * line does, and one more follows. A single one may be a stray one. EDGEOPS_DONE: more bytes are
 * needed. */
static edgeops_status look_for_returns(const eop_csv_reader *r, const char *base, const char *p,
                                       const char *end, bool *found) {
    *found = (size_t)(p - base) > r->returned;
    while (!*found && p < end && *p != '\n' && *p != '\r') {
        p++;
    }
    if (*found || (p < end && *p == '\n')) {
        return EDGEOPS_OK;
    }
    if (p + 1 < end) {
        *found = p[1] != '\n';
        return EDGEOPS_OK;
    }
    return r->at_end ? EDGEOPS_OK : EDGEOPS_DONE;
}

/* They do. */
static void choose_returns(eop_csv_reader *r, const char *base) {
    r->ends = RETURNS;
    r->meaning['\r'] = NEWLINE;
    r->meaning['\n'] = FEED;
    r->next_line = r->line;
    for (size_t i = 0; i + 1 < r->returned; i++) {
        r->next_line += base[i] == '\r';
    }
}

/* Refuses what follows a field and does not end it. */
static edgeops_status refuse_byte(eop_csv_reader *r, uint8_t meaning, char byte) {
    switch (meaning) {
    case QUOTE:
        return refuse(r, EDGEOPS_E_INVALID,
                      "a quote inside a field that is not quoted; write the field as \"...\" and "
                      "the quote as \"\"");
    case FEED:
        return refuse(r, EDGEOPS_E_INVALID,
                      "a line feed inside a field that is not quoted; the lines of this file end "
                      "with a carriage return alone");
    case NUL:
        return refuse(r, EDGEOPS_E_INVALID, "a NUL byte; is this a text file?");
    default:
        break;
    }
    if (r->next_line != r->line) {
        return refuse(
            r, EDGEOPS_E_INVALID,
            "the quotes that open here reach over lines to one where text is behind them; "
            "a quote inside a field is written \"\"");
    }
    if (r->line == 1 && (byte == ';' || byte == '\t' || byte == '|')) {
        return refuse(r, EDGEOPS_E_INVALID,
                      byte == ';'   ? "';' behind a closing quote; if it parts the fields: "
                                      "--separator ';'"
                      : byte == '|' ? "'|' behind a closing quote; if it parts the fields: "
                                      "--separator '|'"
                                    : "a tab behind a closing quote; if it parts the fields: "
                                      "--separator tab");
    }
    return refuse(r, EDGEOPS_E_INVALID,
                  "text behind a closing quote; a quote inside a field is written \"\"");
}

/* Reads what follows a field at *at: its separator or the end of the record, else an error.
 * EDGEOPS_DONE: more bytes are needed. */
static edgeops_status take_separator(eop_csv_reader *r, const char *base, const char **at,
                                     const char *end) {
    const char *p = (*at)++;
    uint8_t m = r->meaning[(unsigned char)*p];
    if (m == SEPARATOR && r->second != '\0') {
        if (p + 1 == end && !r->at_end) {
            *at = p;
            return EDGEOPS_DONE;
        }
        if (p + 1 == end || p[1] != r->second) {
            return r->state == IN_PLAIN ? EDGEOPS_OK : refuse_byte(r, PLAIN, *p);
        }
        ++*at;
    }
    switch (m) {
    case SEPARATOR:
        r->state = AT_FIELD;
        break;
    case NEWLINE:
        r->state = AFTER_RECORD;
        break;
    case RETURN:
        r->before = r->state;
        r->state = AFTER_RETURN;
        r->returned = (size_t)(*at - base);
        break;
    default:
        return refuse_byte(r, m, *p);
    }
    return end_field(r, (size_t)(p - base) - (r->now.quoted ? 1 : 0));
}

/* The escape character and the one behind it. */
static edgeops_status take_escape(eop_csv_reader *r, const char **at, const char *end) {
    if (*at + 1 == end) {
        return r->at_end ? refuse(r, EDGEOPS_E_INVALID, "the file ends behind an escape character")
                         : EDGEOPS_DONE;
    }
    uint8_t m = r->meaning[(unsigned char)(*at)[1]];
    if (m == NUL) {
        return refuse_byte(r, NUL, '\0');
    }
    r->now.marked = true;
    r->now.high = r->now.high || m == HIGH;
    r->next_line += m == NEWLINE;
    *at += 2;
    return EDGEOPS_OK;
}

/* What follows a carriage return. Several before a line feed are what a careless writer made of one
 * end of a line. */
static edgeops_status after_return(eop_csv_reader *r, const char *base, const char **at,
                                   const char *end) {
    if (**at == '\r') {
        ++*at;
        return EDGEOPS_OK;
    }
    if (**at == '\n') {
        ++*at;
        r->state = AFTER_RECORD;
        return EDGEOPS_OK;
    }
    if (r->ends == UNKNOWN) {
        bool found = false;
        edgeops_status status = look_for_returns(r, base, *at, end, &found);
        if (found) {
            *at = base + r->returned;
            r->state = AFTER_RECORD;
            choose_returns(r, base);
        }
        if (found || status != EDGEOPS_OK) {
            return status;
        }
        r->ends = FEEDS;
    }
    if (r->before == IN_LINE) {
        r->state = IN_LINE;
        return EDGEOPS_OK;
    }
    return refuse(r, EDGEOPS_E_INVALID, "a carriage return inside a field that is not quoted");
}

/* The start of a field, or of a comment. Runs of blanks hold no empty fields. */
static void begin_field(eop_csv_reader *r, const char *base, const char **at, const char *end) {
    const char *p = *at;
    if (p == base && r->comment != '\0' && *p == r->comment) {
        r->state = IN_LINE;
        return;
    }
    while (r->blanks && p < end && r->meaning[(unsigned char)*p] == SEPARATOR) {
        p++;
    }
    *at = p;
    if (p == end) {
        return;
    }
    uint8_t m = r->meaning[(unsigned char)*p];
    if (r->blanks && (m == NEWLINE || m == RETURN)) {
        *at = p + 1;
        r->before = AT_FIELD;
        r->state = m == NEWLINE ? AFTER_RECORD : AFTER_RETURN;
        r->returned = (size_t)(*at - base);
        return;
    }
    bool quoted = m == QUOTE;
    *at += quoted;
    r->now = (span){.start = (uint32_t)(*at - base), .quoted = quoted};
    r->state = quoted ? IN_QUOTED : IN_PLAIN;
}

/* A field without quotes, or the rest of it. */
static edgeops_status take_plain(eop_csv_reader *r, const char *base, const char **at,
                                 const char *end) {
    *at = skip_plain(r->meaning, *at, end, &r->now.high);
    if (*at == end) {
        return EDGEOPS_OK;
    }
    return r->meaning[(unsigned char)**at] == ESCAPE ? take_escape(r, at, end)
                                                     : take_separator(r, base, at, end);
}

static edgeops_status take_quoted(eop_csv_reader *r, const char **at, const char *end) {
    *at = skip_quoted(r, *at, end);
    if (*at == end) {
        return EDGEOPS_OK;
    }
    switch (r->meaning[(unsigned char)**at]) {
    case ESCAPE:
        return take_escape(r, at, end);
    case NUL:
        return refuse_byte(r, NUL, '\0');
    default:
        ++*at;
        r->state = AFTER_QUOTE;
        return EDGEOPS_OK;
    }
}

/* A line that is left out, up to its end. */
static void pass_line(eop_csv_reader *r, const char *base, const char **at, const char *end) {
    *at = skip_line(r, *at, end);
    if (*at < end) {
        uint8_t m = r->meaning[(unsigned char)**at];
        ++*at;
        r->before = IN_LINE;
        r->state = m == RETURN ? AFTER_RETURN : AFTER_RECORD;
        r->returned = (size_t)(*at - base);
    }
}

/* One step of the scan: a field, a part of one, or the byte behind it. */
static edgeops_status step(eop_csv_reader *r, const char *base, const char **at, const char *end) {
    switch (r->state) {
    case AT_FIELD:
        begin_field(r, base, at, end);
        return r->state == IN_PLAIN ? take_plain(r, base, at, end) : EDGEOPS_OK;
    case IN_PLAIN:
        return take_plain(r, base, at, end);
    case IN_QUOTED:
        return take_quoted(r, at, end);
    case AFTER_QUOTE:
        if (**at != r->quote) {
            return take_separator(r, base, at, end);
        }
        ++*at;
        r->now.marked = true;
        r->state = IN_QUOTED;
        return EDGEOPS_OK;
    case IN_LINE:
        pass_line(r, base, at, end);
        return EDGEOPS_OK;
    default:
        return after_return(r, base, at, end);
    }
}

/* The bulk of all files: fields without quotes whose ends are at hand. Stops in front of all else. */
static const char *scan_simple(eop_csv_reader *r, const char *base, const char *p,
                               const char *end) {
    while (r->count < r->span_capacity) {
        bool high = false;
        const char *q = skip_plain(r->meaning, p, end, &high);
        uint8_t m = q < end ? r->meaning[(unsigned char)*q] : NUL;
        if (m != SEPARATOR && m != NEWLINE) {
            break;
        }
        r->spans[r->count++] =
            (span){.start = (uint32_t)(p - base), .end = (uint32_t)(q - base), .high = high};
        p = q + 1;
        if (m == NEWLINE) {
            r->state = AFTER_RECORD;
            break;
        }
    }
    return p;
}

/* Scans on. EDGEOPS_OK: a whole record, the next one begins at r->scanned; EDGEOPS_DONE: more bytes
 * are needed. */
static edgeops_status scan(eop_csv_reader *r) {
    const char *base = r->buffer + r->at;
    const char *end = r->buffer + r->size;
    const char *p = base + r->scanned;
    const bool simple = r->second == '\0' && !r->blanks && r->comment == '\0';
    edgeops_status status = EDGEOPS_OK;
    while (p < end && status == EDGEOPS_OK && r->state != AFTER_RECORD) {
        if (simple && r->state == AT_FIELD) {
            p = scan_simple(r, base, p, end);
        }
        if (p < end && r->state != AFTER_RECORD) {
            status = step(r, base, &p, end);
        }
    }
    r->scanned = (size_t)(p - base);
    return status != EDGEOPS_OK || r->state == AFTER_RECORD ? status : EDGEOPS_DONE;
}

/* The descriptor is at its end: what is open is the last record. */
static edgeops_status scan_end(eop_csv_reader *r) {
    switch (r->state) {
    case IN_QUOTED:
        return refuse(r, EDGEOPS_E_INVALID, "the file ends inside quotes");
    case AFTER_RETURN:
    case IN_LINE:
        return EDGEOPS_OK;
    case AT_FIELD:
        r->now = (span){.start = (uint32_t)r->scanned};
        return r->blanks ? EDGEOPS_OK : end_field(r, r->scanned);
    default:
        return end_field(r, r->scanned - (r->state == AFTER_QUOTE ? 1 : 0));
    }
}

/* Takes escapes and the second of each pair of quotes out. */
static size_t unmark(const eop_csv_reader *r, bool quoted, char *text, size_t size) {
    size_t w = 0;
    for (size_t i = 0; i < size; i++) {
        if (r->escape != '\0' && text[i] == r->escape) {
            text[w++] = text[++i];
        } else {
            text[w++] = text[i];
            i += quoted && text[i] == r->quote;
        }
    }
    return w;
}

static edgeops_status give_fields(eop_csv_reader *r) {
    if (!eop_grow(&r->fields, &r->field_capacity, r->count, sizeof(*r->fields))) {
        return eop_fail_nomem("csv");
    }
    char *base = r->buffer + r->at;
    for (size_t i = 0; i < r->count; i++) {
        const span *s = &r->spans[i];
        if (s->high && eop_utf8_valid(base + s->start, s->end - s->start) != s->end - s->start) {
            return eop_fail(EDGEOPS_E_INVALID, "csv",
                            "%s:%llu: field %zu is not UTF-8; convert the file first", r->what,
                            (unsigned long long)r->line, i + 1);
        }
    }
    for (size_t i = 0; i < r->count; i++) {
        const span *s = &r->spans[i];
        char *text = base + s->start;
        size_t size = s->end - s->start;
        if (s->marked) {
            size = unmark(r, s->quoted, text, size);
        }
        text[size] = '\0';
        r->fields[i] = (eop_field){text, size, s->quoted ? EOP_FIELD_QUOTED : EOP_FIELD_PLAIN};
    }
    return EDGEOPS_OK;
}

static void begin_record(eop_csv_reader *r) {
    r->at += r->scanned;
    r->scanned = 0;
    r->state = r->skip_rows > 0 ? IN_LINE : AT_FIELD;
    r->count = 0;
    r->line = r->next_line;
}

static edgeops_status take_record(eop_csv_reader *r) {
    edgeops_status status = scan(r);
    while (status == EDGEOPS_DONE && !r->at_end) {
        status = refill(r);
        if (status == EDGEOPS_OK) {
            status = scan(r);
        }
    }
    if (status == EDGEOPS_DONE && r->scanned > 0) {
        status = scan_end(r);
    }
    if (status == EDGEOPS_OK && r->scanned > MAX_RECORD && r->count > 0) {
        status = refuse(r, EDGEOPS_E_LIMIT, "the record is over 1 MiB");
    }
    if (status == EDGEOPS_OK) {
        r->next_line++;
        r->ends = r->ends == UNKNOWN ? FEEDS : r->ends;
    }
    return status;
}

/* The next record begins behind the first line of the one that was refused. */
static edgeops_status recover(eop_csv_reader *r) {
    r->refused = false;
    if (r->whole) {
        return EDGEOPS_OK;
    }
    r->scanned = 0;
    r->state = IN_LINE;
    r->count = 0;
    r->next_line = r->line;
    return take_record(r);
}

enum { NOTHING, NUMBER, TEXT };

/* What a field begins like, whatever quotes are there. */
static uint8_t kind_of(const eop_csv_reader *r, const char *p, const char *end) {
    while (p < end && (*p == ' ' || *p == r->quote)) {
        p++;
    }
    if (p == end || r->meaning[(unsigned char)*p] == SEPARATOR ||
        r->meaning[(unsigned char)*p] == NEWLINE || *p == '\r') {
        return NOTHING;
    }
    return strchr("+-.0123456789", *p) != NULL ? NUMBER : TEXT;
}

/* Whether a line has as many fields as the first record, and numbers where the first line has them.
 * *numbers: there are some. */
static bool line_fits(eop_csv_reader *r, const char *p, const char *end, bool first,
                      bool *numbers) {
    for (size_t field = 0; field < r->width; field++) {
        uint8_t kind = kind_of(r, p, end);
        r->kinds[field] = first ? kind : r->kinds[field];
        if (kind + r->kinds[field] == NUMBER + TEXT) {
            return false;
        }
        *numbers = *numbers || (!first && kind == NUMBER && r->kinds[field] == NUMBER);
        while (p < end && (r->meaning[(unsigned char)*p] != SEPARATOR ||
                           (r->second != '\0' && (p + 1 == end || p[1] != r->second)))) {
            p++;
        }
        if (p >= end) {
            return field + 1 == r->width;
        }
        p += r->second != '\0' ? 2 : 1;
    }
    return false;
}

/* Lines that are records each, made one by a quote in the first and one in the last: nobody can
 * know what was meant. A text of several lines is hardly like that. */
static bool is_torn(eop_csv_reader *r) {
    const char *p = r->buffer + r->at;
    const char *end = p + r->scanned;
    const uint64_t lines = r->next_line - r->line;
    if (r->blanks || lines < 2 || r->width < 2 || (r->width == 2 && lines < 3)) {
        return false;
    }
    bool first = true;
    bool numbers = false;
    while (p < end) {
        const char *line = p;
        while (p < end && r->meaning[(unsigned char)*p] != NEWLINE) {
            p++;
        }
        if (!line_fits(r, line, p, first, &numbers)) {
            return false;
        }
        first = false;
        p++;
    }
    return numbers;
}

static edgeops_status check_record(eop_csv_reader *r) {
    if (is_torn(r)) {
        return refuse(r, EDGEOPS_E_INVALID,
                      "quotes make one record of lines that each have as many fields as the first "
                      "record; is there a quote too many?");
    }
    r->width = r->width > 0 ? r->width : r->count;
    return give_fields(r);
}

/* The next record that is not blank. */
static edgeops_status find_record(eop_csv_reader *r) {
    edgeops_status status = EDGEOPS_OK;
    bool blank = true;
    while (status == EDGEOPS_OK && blank) {
        const bool skip = r->skip_rows > 0;
        begin_record(r);
        status = take_record(r);
        r->skip_rows -= skip;
        blank = r->count == 0 ||
                (r->count == 1 && !r->spans[0].quoted && r->spans[0].start == r->spans[0].end);
    }
    r->whole = status == EDGEOPS_OK;
    return status == EDGEOPS_OK ? check_record(r) : status;
}

edgeops_status eop_csv_next(eop_csv_reader *reader, const eop_field **fields, size_t *count) {
    eop_csv_reader *r = reader;
    edgeops_status status = EDGEOPS_OK;
    if (r->line == 0) {
        status = skip_mark(r);
    } else if (r->refused) {
        status = recover(r);
    }
    if (status == EDGEOPS_OK) {
        status = find_record(r);
        r->refused = status == EDGEOPS_E_INVALID || status == EDGEOPS_E_LIMIT;
    }
    if (status == EDGEOPS_OK) {
        *fields = r->fields;
        *count = r->count;
    }
    return status;
}

uint64_t eop_csv_line(const eop_csv_reader *reader) {
    return reader->line;
}

uint64_t eop_csv_offset(const eop_csv_reader *reader) {
    return eop_input_taken(reader->input);
}

void eop_csv_close(eop_csv_reader *reader) {
    if (reader == NULL) {
        return;
    }
    eop_input_close(reader->input);
    eop_free(reader->what);
    eop_free(reader->buffer);
    eop_free(reader->spans);
    eop_free(reader->fields);
    eop_free(reader);
}

void eop_csv_put(eop_buf *buf, const char *text, size_t size, char separator) {
    if (text == NULL) {
        return;
    }
    bool quote = size == 0 || text[0] == ' ' || text[size - 1] == ' ';
    for (size_t i = 0; i < size && !quote; i++) {
        quote = text[i] == separator || text[i] == '"' || text[i] == '\n' || text[i] == '\r';
    }
    if (!quote) {
        eop_buf_put(buf, text, size);
        return;
    }
    eop_buf_put(buf, "\"", 1);
    size_t from = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '"') {
            eop_buf_put(buf, text + from, i + 1 - from);
            from = i; /* the quote once more */
        }
    }
    eop_buf_put(buf, text + from, size - from);
    eop_buf_put(buf, "\"", 1);
}
