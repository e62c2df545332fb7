/* SPDX-License-Identifier: Apache-2.0 */
/* JSON for the command line, which sees only public headers: a strict parser into a tree that one
 * document owns, and a writer into a text. Memory that runs out ends the program (text.c). */
#include "json.h"

#include <stdlib.h>
#include <string.h>

#define DEPTH_LIMIT 64

/* Nodes and unescaped texts live in blocks that never move. */
typedef struct block {
    struct block *previous;
    size_t used, size;
    _Alignas(16) char data[];
} block;

struct json_document {
    block *blocks;
    json_value *root;
    char *source;
};

typedef struct reader {
    json_document *document;
    const char *begin, *at, *end;
    const char *error;
    int depth;
} reader;

static void *take(json_document *document, size_t size) {
    size = (size + 15) & ~(size_t)15;
    if (document->blocks == NULL || document->blocks->size - document->blocks->used < size) {
        size_t room = size > 16384 ? size : 16384;
        block *fresh = cli_calloc(1, sizeof *fresh + room);
        fresh->previous = document->blocks;
        fresh->size = room;
        document->blocks = fresh;
    }
    void *memory = document->blocks->data + document->blocks->used;
    document->blocks->used += size;
    return memory;
}

static bool fail(reader *r, const char *error) {
    if (r->error == NULL) {
        r->error = error;
    }
    return false;
}

static void skip_space(reader *r) {
    while (r->at < r->end && strchr(" \t\r\n", *r->at) != NULL && *r->at != 0) {
        r->at++;
    }
}

static bool take_char(reader *r, char c) {
    if (r->at < r->end && *r->at == c) {
        r->at++;
        return true;
    }
    return false;
}

static bool read_hex4(reader *r, uint32_t *out) {
    *out = 0;
    for (int i = 0; i < 4; i++, r->at++) {
        if (r->at >= r->end) {
            return fail(r, "text ends inside a string");
        }
        char c = *r->at;
        uint32_t digit = c >= '0' && c <= '9'   ? (uint32_t)(c - '0')
                         : c >= 'a' && c <= 'f' ? (uint32_t)(c - 'a' + 10)
                         : c >= 'A' && c <= 'F' ? (uint32_t)(c - 'A' + 10)
                                                : 16;
        if (digit == 16) {
            return fail(r, "\\u wants four hex digits");
        }
        *out = *out * 16 + digit;
    }
    return true;
}

static size_t put_utf8(char *out, uint32_t c) {
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6) {
        out[i] = (char)(0x80 | (c & 0x3F));
    }
    out[0] = (char)(lead[n] | c);
    return n;
}

static bool read_escape(reader *r, char *out, size_t *size) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    if (r->at >= r->end) {
        return fail(r, "text ends inside a string");
    }
    char c = *r->at++;
    const char *known = c != 0 ? strchr(from, c) : NULL;
    if (known != NULL) {
        out[(*size)++] = to[known - from];
        return true;
    }
    uint32_t code, low;
    if (c != 'u') {
        return fail(r, "unknown escape in a string");
    }
    if (!read_hex4(r, &code)) {
        return false;
    }
    if (code >= 0xD800 && code < 0xDC00) {
        if (r->end - r->at < 6 || r->at[0] != '\\' || r->at[1] != 'u') {
            return fail(r, "half a surrogate pair in a string");
        }
        r->at += 2;
        if (!read_hex4(r, &low)) {
            return false;
        }
        if (low < 0xDC00 || low > 0xDFFF) {
            return fail(r, "half a surrogate pair in a string");
        }
        code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    } else if (code >= 0xDC00 && code < 0xE000) {
        return fail(r, "half a surrogate pair in a string");
    }
    *size += put_utf8(out + *size, code);
    return true;
}

/* After the opening quote. */
static bool read_string(reader *r, const char **text, size_t *size) {
    const char *end = r->at;
    while (end < r->end && *end != '"') {
        end += *end == '\\' && end + 1 < r->end ? 2 : 1;
    }
    if (end >= r->end) {
        return fail(r, "text ends inside a string");
    }
    char *out = take(r->document, (size_t)(end - r->at) + 1);
    size_t n = 0;
    while (r->at < end) {
        unsigned char c = (unsigned char)*r->at++;
        if (c < 0x20) {
            return fail(r, "control character in a string");
        }
        if (c != '\\') {
            out[n++] = (char)c;
        } else if (!read_escape(r, out, &n)) {
            return false;
        }
    }
    r->at = end + 1;
    out[n] = 0;
    *text = out;
    *size = n;
    return true;
}

static size_t number_length(const char *at, const char *end) {
    const char *p = at;
    p += p < end && *p == '-';
    const char *first = p;
    while (p < end && *p >= '0' && *p <= '9') {
        p++;
    }
    if (p == first || (*first == '0' && p - first > 1)) {
        return 0;
    }
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        while (p < end && *p >= '0' && *p <= '9') {
            p++;
        }
        if (p == fraction) {
            return 0;
        }
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        p += p < end && (*p == '+' || *p == '-');
        const char *exponent = p;
        while (p < end && *p >= '0' && *p <= '9') {
            p++;
        }
        if (p == exponent) {
            return 0;
        }
    }
    return (size_t)(p - at);
}

bool json_is_number(const char *text, size_t size) {
    return size > 0 && number_length(text, text + size) == size;
}

static bool read_value(reader *r, json_value *value);

static bool read_members(reader *r, json_value *parent, char close) {
    json_value **tail = &parent->first;
    skip_space(r);
    if (take_char(r, close)) {
        return true;
    }
    do {
        json_value *child = take(r->document, sizeof *child);
        *child = (json_value){.key = ""};
        size_t size;
        skip_space(r);
        if (parent->kind == JSON_OBJECT) {
            if (!take_char(r, '"')) {
                return fail(r, "a member's name in quotes is missing");
            }
            if (!read_string(r, &child->key, &size)) {
                return false;
            }
            skip_space(r);
            if (!take_char(r, ':')) {
                return fail(r, "':' is missing after a member's name");
            }
        }
        if (!read_value(r, child)) {
            return false;
        }
        *tail = child;
        tail = &child->next;
        parent->count++;
        skip_space(r);
    } while (take_char(r, ','));
    return take_char(r, close) ||
           fail(r, close == '}' ? "',' or '}' is missing" : "',' or ']' is missing");
}

static bool read_word(reader *r, json_value *value) {
    static const struct {
        const char *word;
        json_kind kind;
    } words[] = {{"null", JSON_NULL}, {"true", JSON_TRUE}, {"false", JSON_FALSE}};
    for (size_t i = 0; i < CLI_COUNT(words); i++) {
        size_t size = strlen(words[i].word);
        if ((size_t)(r->end - r->at) >= size && memcmp(r->at, words[i].word, size) == 0) {
            r->at += size;
            value->kind = words[i].kind;
            value->text = words[i].word;
            value->size = size;
            return true;
        }
    }
    return fail(r, "no JSON value");
}

static bool read_value(reader *r, json_value *value) {
    skip_space(r);
    value->text = "";
    value->raw = r->at;
    bool good;
    if (r->at >= r->end) {
        good = fail(r, "text ends where a value should be");
    } else if (*r->at == '{' || *r->at == '[') {
        value->kind = *r->at == '{' ? JSON_OBJECT : JSON_ARRAY;
        char close = *r->at++ == '{' ? '}' : ']';
        good =
            ++r->depth <= DEPTH_LIMIT ? read_members(r, value, close) : fail(r, "nested too deep");
        r->depth--;
    } else if (take_char(r, '"')) {
        value->kind = JSON_STRING;
        good = read_string(r, &value->text, &value->size);
    } else if (*r->at == '-' || (*r->at >= '0' && *r->at <= '9')) {
        size_t size = number_length(r->at, r->end);
        char *text = take(r->document, size + 1);
        memcpy(text, r->at, size);
        text[size] = 0;
        value->kind = JSON_NUMBER;
        value->text = text;
        value->size = size;
        r->at += size;
        good = size > 0 || fail(r, "malformed number");
    } else {
        good = read_word(r, value);
    }
    value->raw_size = (size_t)(r->at - value->raw);
    return good;
}

json_document *json_parse(const char *text, size_t size, const char **error, size_t *offset) {
    json_document *document = cli_calloc(1, sizeof *document);
    document->source = cli_strndup(text, size);
    reader r = {.document = document,
                .begin = document->source,
                .at = document->source,
                .end = document->source + size};
    document->root = take(document, sizeof *document->root);
    *document->root = (json_value){.key = ""};
    bool good = read_value(&r, document->root);
    skip_space(&r);
    if (good && r.at != r.end) {
        good = fail(&r, "something follows the value");
    }
    if (!good) {
        if (error != NULL) {
            *error = r.error;
        }
        if (offset != NULL) {
            *offset = (size_t)(r.at - r.begin);
        }
        json_free(document);
        return NULL;
    }
    return document;
}

void json_free(json_document *document) {
    if (document == NULL) {
        return;
    }
    while (document->blocks != NULL) {
        block *previous = document->blocks->previous;
        free(document->blocks);
        document->blocks = previous;
    }
    free(document->source);
    free(document);
}

const json_value *json_root(const json_document *document) {
    return document->root;
}

const json_value *json_at(const json_value *value, const char *path) {
    while (value != NULL && *path != 0) {
        size_t n = strcspn(path, ".");
        const json_value *child = value->kind == JSON_OBJECT ? value->first : NULL;
        while (child != NULL && !(strncmp(child->key, path, n) == 0 && child->key[n] == 0)) {
            child = child->next;
        }
        value = child;
        path += n + (path[n] == '.');
    }
    return value;
}

const char *json_text(const json_value *value, const char *path, const char *fallback) {
    const json_value *found = json_at(value, path);
    bool plain = found != NULL && found->kind != JSON_NULL && found->kind < JSON_ARRAY;
    return plain ? found->text : fallback;
}

double json_number(const json_value *value, const char *path, double fallback) {
    const json_value *found = json_at(value, path);
    return found != NULL && found->kind == JSON_NUMBER ? strtod(found->text, NULL) : fallback;
}

/* Bytes of one well-formed character at the front, 0 if it is none. */
static size_t utf8_length(const char *text, size_t size) {
    const unsigned char *p = (const unsigned char *)text;
    size_t n = p[0] < 0x80                   ? 1
               : p[0] >= 0xC2 && p[0] < 0xE0 ? 2
               : p[0] >= 0xE0 && p[0] < 0xF0 ? 3
               : p[0] >= 0xF0 && p[0] < 0xF5 ? 4
                                             : 0;
    if (n == 0 || n > size) {
        return 0;
    }
    for (size_t i = 1; i < n; i++) {
        if ((p[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool overlong = (p[0] == 0xE0 && p[1] < 0xA0) || (p[0] == 0xF0 && p[1] < 0x90);
    bool forbidden = (p[0] == 0xED && p[1] >= 0xA0) || (p[0] == 0xF4 && p[1] >= 0x90);
    return overlong || forbidden ? 0 : n;
}

void json_put_string(cli_text *out, const char *text, size_t size) {
    cli_put(out, "\"", 1);
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)text[i];
        size_t n = utf8_length(text + i, size - i);
        if (c == '"' || c == '\\') {
            cli_putf(out, "\\%c", c);
        } else if (c < 0x20) {
            cli_putf(out, "\\u%04x", c);
        } else if (n == 0) {
            cli_puts(out, "\xEF\xBF\xBD");
        } else {
            cli_put(out, text + i, n);
        }
        i += n > 0 ? n : 1;
    }
    cli_put(out, "\"", 1);
}

void json_put_key(cli_text *out, const char *key) {
    if (out->size > 0 && out->data[out->size - 1] != '{') {
        cli_put(out, ",", 1);
    }
    json_put_string(out, key, strlen(key));
    cli_put(out, ":", 1);
}

void json_put_member(cli_text *out, const char *key, const char *text) {
    json_put_key(out, key);
    json_put_string(out, text, strlen(text));
}
