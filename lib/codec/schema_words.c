/* SPDX-License-Identifier: Apache-2.0 */
/* How the check speaks about values and suggests keys, and equality and hashes of JSON values. */
#include "codec/schema_words.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

#define BRIEF_BYTES 40
#define CLOSE_BYTES 48 /* longer names get no suggestion */

void eop_put_brief(eop_buf *buf, const eop_json *json) {
    const char *text = eop_json_text(json);
    if (text != NULL) {
        size_t size = strlen(text);
        size_t shown = size;
        if (size > BRIEF_BYTES) {
            shown = eop_utf8_valid(text, BRIEF_BYTES);
        }
        eop_buf_put(buf, "'", 1);
        eop_buf_put(buf, text, shown);
        eop_buf_puts(buf, shown < size ? "...'" : "'");
        return;
    }
    switch (eop_json_type(json)) {
    case EOP_JSON_OBJECT:
        eop_buf_puts(buf, "an object");
        return;
    case EOP_JSON_ARRAY:
        eop_buf_puts(buf, "an array");
        return;
    default: {
        char *printed = eop_json_print(json);
        buf->failed = buf->failed || printed == NULL;
        eop_buf_puts(buf, printed != NULL ? printed : "");
        eop_free(printed);
    }
    }
}

const char *eop_type_phrase(const char *type) {
    static const char *const phrases[][2] = {
        {"string", "a string"},  {"number", "a number"}, {"integer", "a whole number"},
        {"object", "an object"}, {"array", "an array"},  {"boolean", "true or false"},
        {"null", "null"},
    };
    for (size_t i = 0; i < EOP_COUNT(phrases); i++) {
        if (strcmp(type, phrases[i][0]) == 0) {
            return phrases[i][1];
        }
    }
    return type;
}

static unsigned least(unsigned a, unsigned b) {
    return a < b ? a : b;
}

/* Optimal string alignment distance: inserted, lost, changed and swapped bytes. */
static unsigned distance(const char *a, const char *b) {
    unsigned rows[3][CLOSE_BYTES + 1];
    size_t na = strlen(a);
    size_t nb = strlen(b);
    if (na > CLOSE_BYTES || nb > CLOSE_BYTES) {
        return CLOSE_BYTES;
    }
    for (size_t j = 0; j <= nb; j++) {
        rows[0][j] = (unsigned)j;
    }
    for (size_t i = 1; i <= na; i++) {
        unsigned *now = rows[i % 3];
        const unsigned *before = rows[(i + 2) % 3];
        now[0] = (unsigned)i;
        for (size_t j = 1; j <= nb; j++) {
            unsigned cost = a[i - 1] != b[j - 1];
            now[j] = least(least(before[j] + 1, now[j - 1] + 1), before[j - 1] + cost);
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
                now[j] = least(now[j], rows[(i + 1) % 3][j - 2] + 1);
            }
        }
    }
    return rows[na % 3][nb];
}

void eop_put_suggestion(eop_buf *buf, const char *name, const eop_json *among, bool keys) {
    const char *best = NULL;
    unsigned best_distance = 3;
    for (const eop_json *m = eop_json_first(among); m != NULL; m = eop_json_next(m)) {
        const char *candidate = keys ? eop_json_key(m) : eop_json_text(m);
        if (candidate == NULL) {
            continue;
        }
        /* The British colour and the American color are 1 apart; 'a' and 'b' are not a
         * misspelling. */
        unsigned d = distance(name, candidate);
        if (d < best_distance && d * 2 <= strlen(candidate)) {
            best = candidate;
            best_distance = d;
        }
    }
    if (best != NULL) {
        eop_buf_puts(buf, "; did you mean '");
        eop_buf_puts(buf, best);
        eop_buf_puts(buf, "'?");
    }
}

static bool equal_objects(const eop_json *a, const eop_json *b) {
    if (eop_json_size(a) != eop_json_size(b)) {
        return false;
    }
    for (const eop_json *m = eop_json_first(a); m != NULL; m = eop_json_next(m)) {
        const eop_json *other = eop_json_get(b, eop_json_key(m));
        if (other == NULL || !eop_json_equal(m, other)) {
            return false;
        }
    }
    return true;
}

bool eop_json_equal(const eop_json *a, const eop_json *b) {
    eop_json_kind kind = eop_json_type(a);
    if (kind != eop_json_type(b)) {
        return false;
    }
    switch (kind) {
    case EOP_JSON_NULL:
        return true;
    case EOP_JSON_STRING:
        return strcmp(eop_json_text(a), eop_json_text(b)) == 0;
    case EOP_JSON_OBJECT:
        return equal_objects(a, b);
    case EOP_JSON_ARRAY:
        break;
    default:
        return eop_json_value(a) == eop_json_value(b);
    }
    const eop_json *x = eop_json_first(a);
    const eop_json *y = eop_json_first(b);
    while (x != NULL && y != NULL && eop_json_equal(x, y)) {
        x = eop_json_next(x);
        y = eop_json_next(y);
    }
    return x == NULL && y == NULL;
}

uint64_t eop_json_hash(const eop_json *json) {
    eop_json_kind kind = eop_json_type(json);
    uint64_t hash = (uint64_t)kind + 1;
    if (kind == EOP_JSON_STRING) {
        const char *text = eop_json_text(json);
        return hash ^ eop_hash64(text, strlen(text));
    }
    if (kind == EOP_JSON_NUMBER || kind == EOP_JSON_BOOL) {
        double value = eop_json_value(json) + 0.0; /* -0.0 becomes 0.0 */
        return hash ^ eop_hash64(&value, sizeof(value));
    }
    for (const eop_json *m = eop_json_first(json); m != NULL; m = eop_json_next(m)) {
        uint64_t one = eop_json_hash(m);
        if (kind == EOP_JSON_OBJECT) {
            hash += one ^ eop_hash64(eop_json_key(m), strlen(eop_json_key(m)));
        } else {
            hash = (hash ^ one) * 0x9e3779b97f4a7c15u;
        }
    }
    return hash;
}
