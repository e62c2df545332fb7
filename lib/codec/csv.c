/* SPDX-License-Identifier: Apache-2.0 */
/* RFC 4180 records from a descriptor. Bytes are looked up in a table and scanned in place; a
 * record's fields point into the buffer, which grows up to the limit of one record. */
#include "codec/csv.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/input.h"

#define MAX_RECORD   ((size_t)1 << 20)
#define MAX_FIELDS   4096
#define FIRST_BUFFER ((size_t)128 << 10)

/* What a byte means; the first two may be in any field. */
enum { PLAIN, HIGH, SEPARATOR, QUOTE, NEWLINE, RETURN, NUL };

typedef enum scan_state {
    AT_FIELD,
    IN_PLAIN,
    IN_QUOTED,
    AFTER_QUOTE, /* a quote in a quoted field: its end, or half of a pair */
    AFTER_RETURN,
    AFTER_RECORD
} scan_state;

/* Where a field lies in its record, quotes left out. */
typedef struct span {
    uint32_t start;
    uint32_t end;
    bool quoted;
    bool pairs; /* holds "" */
    bool high;  /* holds bytes beyond ASCII */
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
    span now;
    size_t count;
    span *spans;
    size_t span_capacity;
    eop_field *fields;
    size_t field_capacity;
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

edgeops_status eop_csv_open(eop_csv_reader **out, int fd, int cancel_fd,
                            const eop_csv_dialect *dialect, const char *what) {
    *out = NULL;
    char separator = dialect->separator != NULL ? dialect->separator[0] : ',';
    if (separator == '\0' || separator == '"' || separator == '\n' || separator == '\r' ||
        (unsigned char)separator >= 0x80) {
        return eop_fail(EDGEOPS_E_INVALID, "csv",
                        "this character cannot part fields; ',', ';' and tab are usual");
    }
    eop_csv_reader *r = eop_calloc(1, sizeof(*r));
    if (r == NULL) {
        return eop_fail_nomem("csv");
    }
    r->records = (eop_records){.next = records_next,
                               .line = records_line,
                               .offset = records_offset,
                               .close = records_close};
    r->what = eop_strdup(what != NULL ? what : "csv");
    r->capacity = FIRST_BUFFER;
    r->buffer = eop_alloc(r->capacity + 1);
    r->next_line = 1;
    memset(r->meaning + 0x80, HIGH, 0x80);
    r->meaning[0] = NUL;
    r->meaning['"'] = QUOTE;
    r->meaning['\n'] = NEWLINE;
    r->meaning['\r'] = RETURN;
    r->meaning[(unsigned char)separator] = SEPARATOR;
    edgeops_status status = EDGEOPS_OK;
    if (r->what == NULL || r->buffer == NULL) {
        status = eop_fail_nomem("csv");
    } else {
        status = eop_input_open(&r->input, fd, cancel_fd, r->what);
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

/* The next byte that matters in a quoted field: the quote, or a NUL. */
static const char *skip_quoted(eop_csv_reader *r, const char *p, const char *end) {
    for (; p < end; p++) {
        uint8_t m = r->meaning[(unsigned char)*p];
        if (m == QUOTE || m == NUL) {
            break;
        }
        r->next_line += m == NEWLINE;
        r->now.high = r->now.high || m == HIGH;
    }
    return p;
}

/* Reads what follows a field at p: its separator or the end of the record, else an error. */
static edgeops_status take_separator(eop_csv_reader *r, const char *base, const char *p) {
    switch (r->meaning[(unsigned char)*p]) {
    case QUOTE:
        return refuse(r, EDGEOPS_E_INVALID,
                      "a quote inside a field that is not quoted; write the field as \"...\" and "
                      "the quote as \"\"");
    case NUL:
        return refuse(r, EDGEOPS_E_INVALID, "a NUL byte; is this a text file?");
    case PLAIN:
    case HIGH:
        return refuse(r, EDGEOPS_E_INVALID,
                      "text behind a closing quote; a quote inside a field is written \"\"");
    default:
        r->state = *p == '\r' ? AFTER_RETURN : *p == '\n' ? AFTER_RECORD : AT_FIELD;
        return end_field(r, (size_t)(p - base) - (r->now.quoted ? 1 : 0));
    }
}

/* One step of the scan: a field's content, or the byte behind it. */
static edgeops_status step(eop_csv_reader *r, const char *base, const char **at, const char *end) {
    const char *p = *at;
    edgeops_status status = EDGEOPS_OK;
    switch (r->state) {
    case AT_FIELD:
        r->now = (span){.start = (uint32_t)(p - base), .quoted = *p == '"'};
        r->state = r->now.quoted ? IN_QUOTED : IN_PLAIN;
        r->now.start += r->now.quoted;
        p += r->now.quoted;
        break;
    case IN_QUOTED:
        p = skip_quoted(r, p, end);
        if (p < end && *p == '\0') {
            status = refuse(r, EDGEOPS_E_INVALID, "a NUL byte; is this a text file?");
        } else if (p < end) {
            r->state = AFTER_QUOTE;
            p++;
        }
        break;
    case AFTER_QUOTE:
        if (*p == '"') {
            r->now.pairs = true;
            r->state = IN_QUOTED;
        } else {
            status = take_separator(r, base, p);
        }
        p++;
        break;
    case IN_PLAIN:
        p = skip_plain(r->meaning, p, end, &r->now.high);
        if (p < end) {
            status = take_separator(r, base, p);
            p++;
        }
        break;
    default: /* AFTER_RETURN */
        if (*p != '\n') {
            status =
                refuse(r, EDGEOPS_E_INVALID, "a carriage return inside a field that is not quoted");
        }
        r->state = AFTER_RECORD;
        p++;
    }
    *at = p;
    return status;
}

/* Scans on. EDGEOPS_OK: a whole record, the next one begins at r->scanned; EDGEOPS_DONE: more bytes
 * are needed. */
static edgeops_status scan(eop_csv_reader *r) {
    const char *base = r->buffer + r->at;
    const char *end = r->buffer + r->size;
    const char *p = base + r->scanned;
    edgeops_status status = EDGEOPS_OK;
    while (p < end && status == EDGEOPS_OK && r->state != AFTER_RECORD) {
        status = step(r, base, &p, end);
    }
    r->scanned = (size_t)(p - base);
    return status != EDGEOPS_OK || r->state == AFTER_RECORD ? status : EDGEOPS_DONE;
}

/* The descriptor is at its end: what is open is the last record. */
static edgeops_status scan_end(eop_csv_reader *r) {
    if (r->scanned == 0) {
        return EDGEOPS_DONE;
    }
    switch (r->state) {
    case IN_QUOTED:
        return refuse(r, EDGEOPS_E_INVALID, "the file ends inside quotes");
    case AFTER_RETURN:
        return EDGEOPS_OK;
    case AT_FIELD:
        r->now = (span){.start = (uint32_t)r->scanned};
        return end_field(r, r->scanned);
    default:
        return end_field(r, r->scanned - (r->state == AFTER_QUOTE ? 1 : 0));
    }
}

static size_t join_pairs(char *text, size_t size) {
    size_t w = 0;
    for (size_t i = 0; i < size; i++) {
        text[w++] = text[i];
        i += text[i] == '"';
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
        char *text = base + s->start;
        size_t size = s->end - s->start;
        if (s->high && eop_utf8_valid(text, size) != size) {
            return eop_fail(EDGEOPS_E_INVALID, "csv",
                            "%s:%llu: field %zu is not UTF-8; convert the file first", r->what,
                            (unsigned long long)r->line, i + 1);
        }
        if (s->pairs) {
            size = join_pairs(text, size);
        }
        text[size] = '\0';
        r->fields[i] = (eop_field){text, size, s->quoted ? EOP_FIELD_QUOTED : EOP_FIELD_PLAIN};
    }
    return EDGEOPS_OK;
}

static void begin_record(eop_csv_reader *r) {
    r->at += r->scanned;
    r->scanned = 0;
    r->state = AT_FIELD;
    r->count = 0;
    r->line = r->next_line;
}

static edgeops_status take_record(eop_csv_reader *r) {
    edgeops_status status = scan(r);
    while (status == EDGEOPS_DONE && !r->at_end) {
        status = refill(r);
        if (status == EDGEOPS_OK) {
            status = r->at_end ? EDGEOPS_DONE : scan(r);
        }
    }
    if (status == EDGEOPS_DONE) {
        return scan_end(r);
    }
    if (status == EDGEOPS_OK && r->scanned > MAX_RECORD) {
        return refuse(r, EDGEOPS_E_LIMIT, "the record is over 1 MiB");
    }
    r->next_line++;
    return status;
}

edgeops_status eop_csv_next(eop_csv_reader *reader, const eop_field **fields, size_t *count) {
    eop_csv_reader *r = reader;
    edgeops_status status = EDGEOPS_OK;
    if (r->line == 0) {
        status = skip_mark(r);
    }
    while (status == EDGEOPS_OK) {
        begin_record(r);
        status = take_record(r);
        bool blank = r->count == 1 && !r->spans[0].quoted && r->spans[0].start == r->spans[0].end;
        if (status == EDGEOPS_OK && !blank) {
            status = give_fields(r);
            break;
        }
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
