/* SPDX-License-Identifier: Apache-2.0 */
/* Parses the text of a filter into conditions, and prints conditions in one normal form. filter.h
 * has the grammar. */
#include "dataset/filter.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"
#include "codec/number.h"

static const char *const signs[] = {[EDGEOPS_COMPARE_EQ] = "==",
                                    [EDGEOPS_COMPARE_NE] = "!=",
                                    [EDGEOPS_COMPARE_LT] = "<",
                                    [EDGEOPS_COMPARE_LE] = "<=",
                                    [EDGEOPS_COMPARE_GT] = ">",
                                    [EDGEOPS_COMPARE_GE] = ">=",
                                    [EDGEOPS_COMPARE_IS_NULL] = "is null",
                                    [EDGEOPS_COMPARE_NOT_NULL] = "is not null"};

void eop_filter_dispose(eop_filter *filter) {
    for (size_t i = 0; i < filter->count; i++) {
        edgeops_condition *item = &filter->items[i];
        eop_free((void *)(uintptr_t)item->channel);
        if (item->value.type == EDGEOPS_TYPE_STRING) {
            eop_free((void *)(uintptr_t)item->value.as.str);
        }
    }
    eop_free(filter->items);
    *filter = (eop_filter){0};
}

/* -- reading the text -- */

typedef struct parser {
    const char *text;
    size_t at;
    size_t size;
} parser;

static edgeops_status fail_at(const parser *p, const char *wanted) {
    if (p->at >= p->size) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "the filter ends where %s should be", wanted);
    }
    return eop_fail(EDGEOPS_E_INVALID, "store", "the filter has '%.20s' at %zu, where %s should be",
                    p->text + p->at, p->at + 1, wanted);
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static void skip_blanks(parser *p) {
    while (p->at < p->size && is_blank(p->text[p->at])) {
        p->at++;
    }
}

static bool ends_name(char c) {
    return is_blank(c) || strchr("<>=!\"'", c) != NULL;
}

static char to_lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* Takes a word in any case, if no character of a name follows it. */
static bool take_word(parser *p, const char *word) {
    size_t n = strlen(word);
    if (p->size - p->at < n || (p->size - p->at > n && !ends_name(p->text[p->at + n]))) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        if (to_lower(p->text[p->at + i]) != word[i]) {
            return false;
        }
    }
    p->at += n;
    skip_blanks(p);
    return true;
}

/* Takes a text between quotes; a doubled quote is one. */
static edgeops_status take_quoted(parser *p, char **out, size_t *size) {
    char quote = p->text[p->at];
    size_t n = 0;
    char *copy = eop_alloc(p->size - p->at);
    if (copy == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = p->at + 1; i < p->size; i++) {
        if (p->text[i] == quote) {
            if (i + 1 == p->size || p->text[i + 1] != quote) {
                copy[n] = '\0';
                p->at = i + 1;
                skip_blanks(p);
                *out = copy;
                *size = n;
                return EDGEOPS_OK;
            }
            i++;
        }
        copy[n++] = p->text[i];
    }
    eop_free(copy);
    return eop_fail(EDGEOPS_E_INVALID, "store", "the filter has no end to the quote at %zu",
                    p->at + 1);
}

static edgeops_status take_channel(parser *p, edgeops_condition *out) {
    char *name = NULL;
    size_t size = 0;
    if (p->at < p->size && p->text[p->at] == '"') {
        edgeops_status status = take_quoted(p, &name, &size);
        out->channel = name;
        return status;
    }
    size_t end = p->at;
    while (end < p->size && !ends_name(p->text[end])) {
        end++;
    }
    if (end == p->at) {
        return fail_at(p, "the name of a channel");
    }
    out->channel = eop_strndup(p->text + p->at, end - p->at);
    p->at = end;
    skip_blanks(p);
    return out->channel != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
}

static bool take_sign(parser *p, edgeops_compare *out) {
    static const struct {
        const char *text;
        edgeops_compare compare;
    } known[] = {{"==", EDGEOPS_COMPARE_EQ}, {"!=", EDGEOPS_COMPARE_NE}, {"<=", EDGEOPS_COMPARE_LE},
                 {">=", EDGEOPS_COMPARE_GE}, {"=", EDGEOPS_COMPARE_EQ},  {"<", EDGEOPS_COMPARE_LT},
                 {">", EDGEOPS_COMPARE_GT}};
    for (size_t i = 0; i < EOP_COUNT(known); i++) {
        size_t n = strlen(known[i].text);
        if (p->size - p->at >= n && memcmp(p->text + p->at, known[i].text, n) == 0) {
            *out = known[i].compare;
            p->at += n;
            skip_blanks(p);
            return true;
        }
    }
    return false;
}

/* Digits above INT64_MAX that fit a uint64. */
static bool large_integer(uint64_t *out, const char *text, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(text[i] - '0'), &value)) {
            return false;
        }
    }
    *out = value;
    return true;
}

static edgeops_status take_number(parser *p, edgeops_value *out) {
    eop_decimal decimal;
    const char *text = p->text + p->at;
    size_t n = eop_decimal_scan(&decimal, text, p->size - p->at);
    if (n == 0 || (p->at + n < p->size && !is_blank(text[n]))) {
        return fail_at(p, "a number, a text in '...', true or false");
    }
    if (eop_decimal_int64(&out->as.i64, &decimal)) {
        out->type = EDGEOPS_TYPE_INT64;
    } else if (large_integer(&out->as.u64, text, n)) {
        out->type = EDGEOPS_TYPE_UINT64;
    } else if (eop_decimal_double(&out->as.f64, &decimal, text, n)) {
        out->type = EDGEOPS_TYPE_FLOAT64;
    } else {
        return eop_fail(EDGEOPS_E_INVALID, "store", "the filter's number at %zu is too large",
                        p->at + 1);
    }
    p->at += n;
    skip_blanks(p);
    return EDGEOPS_OK;
}

static edgeops_status take_literal(parser *p, edgeops_value *out) {
    if (p->at < p->size && p->text[p->at] == '\'') {
        char *text = NULL;
        size_t size = 0;
        edgeops_status status = take_quoted(p, &text, &size);
        if (status == EDGEOPS_OK) {
            *out = (edgeops_value){
                .type = EDGEOPS_TYPE_STRING, .size = (uint32_t)size, .as.str = text};
        }
        return status;
    }
    bool yes = take_word(p, "true");
    if (yes || take_word(p, "false")) {
        *out = (edgeops_value){.type = EDGEOPS_TYPE_BOOL, .as.i64 = yes};
        return EDGEOPS_OK;
    }
    return take_number(p, out);
}

static edgeops_status take_condition(parser *p, edgeops_condition *out) {
    edgeops_status status = take_channel(p, out);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (take_word(p, "is")) {
        out->compare = take_word(p, "not") ? EDGEOPS_COMPARE_NOT_NULL : EDGEOPS_COMPARE_IS_NULL;
        return take_word(p, "null") ? EDGEOPS_OK : fail_at(p, "null");
    }
    if (!take_sign(p, &out->compare)) {
        return fail_at(p, "one of == != < <= > >= is");
    }
    return take_literal(p, &out->value);
}

edgeops_status eop_filter_parse(eop_filter *out, const char *text) {
    parser p = {text, 0, strlen(text)};
    size_t capacity = 0;
    edgeops_status status = EDGEOPS_OK;
    *out = (eop_filter){0};
    if (p.size > EOP_FILTER_BYTES || eop_utf8_valid(text, p.size) < p.size) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a filter has at most %u bytes of UTF-8",
                        EOP_FILTER_BYTES);
    }
    skip_blanks(&p);
    do {
        if (out->count == EOP_CONDITIONS_MAX) {
            status = eop_fail(EDGEOPS_E_LIMIT, "store", "a filter has at most %u conditions",
                              EOP_CONDITIONS_MAX);
        } else if (!eop_grow(&out->items, &capacity, out->count + 1, sizeof *out->items)) {
            status = eop_fail_nomem("store");
        } else {
            out->items[out->count] = (edgeops_condition){0};
            status = take_condition(&p, &out->items[out->count++]);
        }
    } while (status == EDGEOPS_OK && take_word(&p, "and"));
    if (status == EDGEOPS_OK && p.at < p.size) {
        status = fail_at(&p, "\"and\" or the end");
    }
    if (status != EDGEOPS_OK) {
        eop_filter_dispose(out);
    }
    return status;
}

/* -- writing it -- */

static void put_quoted(eop_buf *buf, char quote, const char *text, size_t size) {
    eop_buf_put(buf, &quote, 1);
    for (size_t i = 0; i < size; i++) {
        if (text[i] == quote) {
            eop_buf_put(buf, &quote, 1);
        }
        eop_buf_put(buf, &text[i], 1);
    }
    eop_buf_put(buf, &quote, 1);
}

static void put_literal(eop_buf *buf, const edgeops_value *value) {
    char number[EOP_VALUE_TEXT];
    if (value->type == EDGEOPS_TYPE_STRING) {
        put_quoted(buf, '\'', value->as.str, value->size);
    } else {
        eop_buf_put(buf, number, eop_value_format(number, value));
    }
}

static bool is_plain_name(const char *name) {
    size_t n = 0;
    while (name[n] != '\0' && !ends_name(name[n])) {
        n++;
    }
    return n > 0 && name[n] == '\0';
}

void eop_filter_print(eop_buf *buf, const eop_filter *filter) {
    for (size_t i = 0; i < filter->count; i++) {
        const edgeops_condition *c = &filter->items[i];
        eop_buf_puts(buf, i > 0 ? " and " : "");
        if (is_plain_name(c->channel)) {
            eop_buf_puts(buf, c->channel);
        } else {
            put_quoted(buf, '"', c->channel, strlen(c->channel));
        }
        eop_buf_printf(buf, " %s", signs[c->compare]);
        if (c->value.type != EDGEOPS_TYPE_NULL) {
            eop_buf_puts(buf, " ");
            put_literal(buf, &c->value);
        }
    }
}
