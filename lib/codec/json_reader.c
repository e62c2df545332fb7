/* SPDX-License-Identifier: Apache-2.0 */
/* The strict reader. Each call gives one token; what may come next is kept in `expect` and a bit an
 * open object, so that no memory is needed however deep the text goes. */
#include "codec/json_reader.h"

#include <string.h>

#include "base/compiler.h"
#include "base/str.h"

enum { VALUE, VALUE_OR_END, KEY, KEY_OR_END, COMMA_OR_END, DONE, FAILED };

/* Bytes that end the quick way through a string: quote, backslash, controls, all beyond ASCII. */
static inline bool is_plain(unsigned char c) {
    return c >= 0x20 && c < 0x80 && c != '"' && c != '\\';
}

void eop_reader_init(eop_reader *reader, const char *text, size_t size, uint32_t max_depth) {
    memset(reader, 0, sizeof(*reader));
    reader->text = text;
    reader->size = size;
    reader->max_depth = max_depth < EOP_READER_DEPTH ? max_depth : EOP_READER_DEPTH;
    reader->expect = VALUE;
}

void eop_reader_seek(eop_reader *reader, size_t at) {
    reader->at = at;
    reader->depth = 0;
    reader->expect = VALUE;
}

static eop_token fail_at(eop_reader *r, size_t at, const char *problem) {
    r->start = at;
    r->problem = problem;
    r->expect = FAILED;
    return EOP_TOKEN_ERROR;
}

static void skip_blanks(eop_reader *r) {
    while (r->at < r->size) {
        char c = r->text[r->at];
        if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
            return;
        }
        r->at++;
    }
}

static bool in_object(const eop_reader *r) {
    uint32_t i = r->depth - 1;
    return (r->objects[i / 64] >> (i % 64) & 1) != 0;
}

static void after_value(eop_reader *r) {
    r->expect = r->depth == 0 ? DONE : COMMA_OR_END;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads four hex digits; -1 when there are fewer. */
static int32_t hex4(const char *p, const char *end) {
    int32_t value = 0;
    if (end - p < 4) {
        return -1;
    }
    for (int i = 0; i < 4; i++) {
        int digit = hex_digit(p[i]);
        if (digit < 0) {
            return -1;
        }
        value = value * 16 + digit;
    }
    return value;
}

/* The length of the escape at p, which points to a backslash; 0 with a problem. */
static size_t check_escape(const char *p, const char *end, const char **problem) {
    *problem = "unknown escape in a string";
    if (end - p < 2) {
        *problem = "a string without its closing quote";
        return 0;
    }
    if (p[1] != 'u') {
        return p[1] != '\0' && strchr("\"\\/bfnrt", p[1]) != NULL ? 2 : 0;
    }
    int32_t unit = hex4(p + 2, end);
    if (unit < 0) {
        *problem = "\\u without four hex digits";
        return 0;
    }
    if (unit < 0xd800 || unit > 0xdfff) {
        return 6;
    }
    *problem = "half of a surrogate pair";
    if (unit > 0xdbff || end - p < 12 || p[6] != '\\' || p[7] != 'u') {
        return 0;
    }
    int32_t low = hex4(p + 8, end);
    return low >= 0xdc00 && low <= 0xdfff ? 12 : 0;
}

/* at is behind the opening quote. */
static bool take_string(eop_reader *r) {
    const char *begin = r->text + r->at;
    const char *end = r->text + r->size;
    const char *p = begin;
    bool beyond_ascii = false;
    r->escaped = false;
    for (;;) {
        while (p < end && is_plain((unsigned char)*p)) {
            p++;
        }
        if (p == end) {
            fail_at(r, r->start, "a string without its closing quote");
            return false;
        }
        unsigned char c = (unsigned char)*p;
        if (c == '"') {
            break;
        }
        if (c >= 0x80) {
            beyond_ascii = true;
            p++;
        } else if (c == '\\') {
            const char *problem = NULL;
            size_t length = check_escape(p, end, &problem);
            if (length == 0) {
                fail_at(r, (size_t)(p - r->text), problem);
                return false;
            }
            r->escaped = true;
            p += length;
        } else {
            fail_at(r, (size_t)(p - r->text), "a control character in a string: escape it");
            return false;
        }
    }
    r->raw = begin;
    r->raw_size = (size_t)(p - begin);
    if (beyond_ascii) {
        size_t valid = eop_utf8_valid(begin, r->raw_size);
        if (valid != r->raw_size) {
            fail_at(r, r->at + valid, "bytes that are not UTF-8");
            return false;
        }
    }
    r->at += r->raw_size + 1;
    return true;
}

static bool starts_word(const eop_reader *r, const char *word, size_t size) {
    return r->size - r->at >= size && memcmp(r->text + r->at, word, size) == 0;
}

/* What may follow a bare word or a number. */
static bool at_boundary(const eop_reader *r) {
    if (r->at >= r->size) {
        return true;
    }
    char c = r->text[r->at];
    return c == ',' || c == '}' || c == ']' || c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static eop_token take_word(eop_reader *r) {
    static const struct {
        const char *word;
        uint8_t size;
        uint8_t token;
    } words[] = {{"true", 4, EOP_TOKEN_TRUE},     {"false", 5, EOP_TOKEN_FALSE},
                 {"null", 4, EOP_TOKEN_NULL},     {"NaN", 3, EOP_TOKEN_WORD},
                 {"Infinity", 8, EOP_TOKEN_WORD}, {"-Infinity", 9, EOP_TOKEN_WORD}};
    for (size_t i = 0; i < EOP_COUNT(words); i++) {
        if (!starts_word(r, words[i].word, words[i].size)) {
            continue;
        }
        r->raw = r->text + r->at;
        r->raw_size = words[i].size;
        r->at += words[i].size;
        if (!at_boundary(r)) {
            break;
        }
        if (words[i].token == EOP_TOKEN_WORD && !r->words) {
            return fail_at(r, r->start, "NaN and Infinity are no JSON numbers");
        }
        after_value(r);
        return (eop_token)words[i].token;
    }
    return fail_at(r, r->start, "a value is missing or misspelt");
}

static eop_token take_number(eop_reader *r) {
    size_t used = eop_decimal_scan(&r->number, r->text + r->at, r->size - r->at);
    if (used == 0) {
        return take_word(r); /* "-Infinity", or nothing */
    }
    r->raw = r->text + r->at;
    r->raw_size = used;
    r->at += used;
    if ((r->number.shape & EOP_DECIMAL_NOT_JSON) != 0 || !at_boundary(r)) {
        return fail_at(r, r->start, "a malformed number");
    }
    after_value(r);
    return EOP_TOKEN_NUMBER;
}

static eop_token open_nest(eop_reader *r, bool object) {
    if (r->depth >= r->max_depth) {
        r->too_deep = true;
        return fail_at(r, r->start, "nested too deeply");
    }
    uint64_t bit = (uint64_t)1 << (r->depth % 64);
    uint64_t *set = &r->objects[r->depth / 64];
    *set = object ? *set | bit : *set & ~bit;
    r->depth++;
    r->at++;
    r->expect = object ? KEY_OR_END : VALUE_OR_END;
    return object ? EOP_TOKEN_OBJECT : EOP_TOKEN_ARRAY;
}

static eop_token close_nest(eop_reader *r, eop_token token) {
    r->depth--;
    r->at++;
    after_value(r);
    return token;
}

static eop_token take_value(eop_reader *r, char c) {
    switch (c) {
    case '{':
        return open_nest(r, true);
    case '[':
        return open_nest(r, false);
    case '"':
        r->at++;
        if (!take_string(r)) {
            return EOP_TOKEN_ERROR;
        }
        after_value(r);
        return EOP_TOKEN_STRING;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        return take_number(r);
    case '\'':
        return fail_at(r, r->start, "text is written in double quotes in JSON");
    default:
        return take_word(r);
    }
}

static eop_token take_key(eop_reader *r, char c) {
    if (c != '"') {
        return fail_at(r, r->start,
                       c == '}' ? "a comma with nothing behind it"
                                : "a key in double quotes is missing");
    }
    r->at++;
    if (!take_string(r)) {
        return EOP_TOKEN_ERROR;
    }
    skip_blanks(r);
    if (r->at >= r->size || r->text[r->at] != ':') {
        return fail_at(r, r->at, "a colon behind the key is missing");
    }
    r->at++;
    r->expect = VALUE;
    return EOP_TOKEN_KEY;
}

static eop_token at_end(eop_reader *r) {
    if (r->expect == DONE) {
        return EOP_TOKEN_END;
    }
    return fail_at(r, r->size, r->depth == 0 ? "nothing but blanks" : "the text ends too early");
}

eop_token eop_reader_next(eop_reader *r) {
    if (r->expect == FAILED) {
        return EOP_TOKEN_ERROR;
    }
    for (;;) {
        skip_blanks(r);
        r->start = r->at;
        if (r->at >= r->size) {
            return at_end(r);
        }
        char c = r->text[r->at];
        switch (r->expect) {
        case KEY_OR_END:
            if (c == '}') {
                return close_nest(r, EOP_TOKEN_OBJECT_END);
            }
            return take_key(r, c);
        case KEY:
            return take_key(r, c);
        case VALUE_OR_END:
            if (c == ']') {
                return close_nest(r, EOP_TOKEN_ARRAY_END);
            }
            return take_value(r, c);
        case VALUE:
            return take_value(r, c);
        case COMMA_OR_END: {
            bool object = in_object(r);
            if (c == ',') {
                r->at++;
                r->expect = object ? KEY : VALUE;
                continue;
            }
            if (c == (object ? '}' : ']')) {
                return close_nest(r, object ? EOP_TOKEN_OBJECT_END : EOP_TOKEN_ARRAY_END);
            }
            return fail_at(r, r->at,
                           object ? "a comma or '}' is missing" : "a comma or ']' is missing");
        }
        default:
            return fail_at(r, r->at, "more text behind the value");
        }
    }
}

static char *put_utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        *out++ = (char)c;
    } else if (c < 0x800) {
        *out++ = (char)(0xc0 | c >> 6);
        *out++ = (char)(0x80 | (c & 0x3f));
    } else if (c < 0x10000) {
        *out++ = (char)(0xe0 | c >> 12);
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    } else {
        *out++ = (char)(0xf0 | c >> 18);
        *out++ = (char)(0x80 | (c >> 12 & 0x3f));
        *out++ = (char)(0x80 | (c >> 6 & 0x3f));
        *out++ = (char)(0x80 | (c & 0x3f));
    }
    return out;
}

size_t eop_reader_unescape(char *out, const char *raw, size_t raw_size) {
    static const char from[] = "bfnrt";
    static const char to[] = "\b\f\n\r\t";
    const char *end = raw + raw_size;
    char *w = out;
    for (const char *p = raw; p < end;) {
        if (*p != '\\') {
            *w++ = *p++;
            continue;
        }
        if (p[1] != 'u') {
            const char *found = strchr(from, p[1]);
            *w++ = found != NULL ? to[found - from] : p[1];
            p += 2;
            continue;
        }
        uint32_t c = (uint32_t)hex4(p + 2, end);
        p += 6;
        if (c >= 0xd800 && c <= 0xdbff) {
            c = 0x10000 + ((c - 0xd800) << 10) + ((uint32_t)hex4(p + 2, end) - 0xdc00);
            p += 6;
        }
        w = put_utf8(w, c);
    }
    return (size_t)(w - out);
}

void eop_text_position(size_t *line, size_t *column, const char *text, size_t size, size_t at) {
    *line = 1;
    *column = 1;
    for (size_t i = 0; i < at && i < size; i++) {
        if (text[i] == '\n') {
            *line += 1;
            *column = 1;
        } else {
            *column += ((unsigned char)text[i] & 0xc0) != 0x80;
        }
    }
}
