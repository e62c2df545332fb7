/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a document against a schema: walks both together and keeps the first error; of several
 * branches, the error of the one that came furthest. */
#include "codec/schema.h"

#include <cjson/cJSON.h>
#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"
#include "codec/schema_words.h"

/* Steps into schema and document together. Documents are at most 512 deep; what goes further is a
 * schema that refers to itself without an end. */
#define MAX_DEPTH EOP_SCHEMA_DEPTH

/* One check. The first error ends it; those of the branches of anyOf and oneOf are weighed. */
typedef struct checker {
    const eop_json *root; /* the schema */
    eop_buf pointer;      /* RFC 6901, to the value under the check */
    char *problem;        /* NULL: none so far */
    char *place;          /* pointer of the problem */
    size_t place_steps;
    bool in_key; /* the key is wrong, not the value */
    unsigned depth;
    edgeops_status fatal; /* E_INTERNAL, E_NOMEM: nothing more to weigh */
} checker;

static bool check(checker *c, const eop_json *schema, const eop_json *json);

/* -- where we are, and what is wrong there -- */

static size_t push_key(checker *c, const char *key) {
    size_t mark = c->pointer.size;
    eop_buf_put(&c->pointer, "/", 1);
    for (const char *p = key; *p != '\0'; p++) {
        if (*p == '~' || *p == '/') {
            eop_buf_put(&c->pointer, *p == '~' ? "~0" : "~1", 2);
        } else {
            eop_buf_put(&c->pointer, p, 1);
        }
    }
    return mark;
}

static size_t push_index(checker *c, size_t index) {
    size_t mark = c->pointer.size;
    eop_buf_printf(&c->pointer, "/%zu", index);
    return mark;
}

static void pop(checker *c, size_t mark) {
    if (c->pointer.data != NULL) {
        c->pointer.size = mark;
        c->pointer.data[mark] = '\0';
    }
}

static const char *place_name(const checker *c) {
    return c->pointer.size == 0 ? "the document" : c->pointer.data;
}

static bool fatal(checker *c, edgeops_status code) {
    c->fatal = code;
    return false;
}

static void forget_problem(checker *c) {
    eop_free(c->problem);
    eop_free(c->place);
    c->problem = NULL;
    c->place = NULL;
}

/* Takes the text of buf as the error at this place. Returns false, to be passed on. */
static bool complain(checker *c, eop_buf *buf, bool in_key) {
    forget_problem(c);
    c->problem = buf->failed ? NULL : eop_buf_take(buf);
    c->place = c->pointer.failed ? NULL : eop_strdup(c->pointer.size == 0 ? "" : c->pointer.data);
    eop_buf_dispose(buf);
    if (c->problem == NULL || c->place == NULL) {
        return fatal(c, eop_fail_nomem("json"));
    }
    c->place_steps = 0;
    for (const char *p = c->place; *p != '\0'; p++) {
        c->place_steps += *p == '/';
    }
    c->in_key = in_key;
    return false;
}

/* "/a/b must be WANTED, not VALUE" */
static bool complain_value(checker *c, const char *wanted, const eop_json *json) {
    eop_buf buf = {0};
    eop_buf_puts(&buf, place_name(c));
    eop_buf_puts(&buf, " must be ");
    eop_buf_puts(&buf, wanted);
    eop_buf_puts(&buf, ", not ");
    eop_put_brief(&buf, json);
    return complain(c, &buf, false);
}

static bool complain_number(checker *c, const char *relation, double limit, const eop_json *json) {
    char number[32];
    char *wanted = NULL;
    eop_format_double(number, limit);
    wanted = eop_format("%s %s", relation, number);
    bool ok = wanted == NULL ? fatal(c, eop_fail_nomem("json")) : complain_value(c, wanted, json);
    eop_free(wanted);
    return ok;
}

static bool complain_count(checker *c, const char *relation, size_t limit, const char *things,
                           size_t is) {
    eop_buf buf = {0};
    eop_buf_puts(&buf, place_name(c));
    eop_buf_printf(&buf, " must have %s %zu %s, not %zu", relation, limit, things, is);
    return complain(c, &buf, false);
}

/* -- keywords for values of any type -- */

static bool has_type(const eop_json *json, const char *type) {
    static const char *const words[] = {"null", "boolean", "number", "string", "array", "object"};
    eop_json_kind kind = eop_json_type(json);
    if (strcmp(type, "integer") == 0) {
        double value = eop_json_value(json);
        return kind == EOP_JSON_NUMBER && value == floor(value);
    }
    return strcmp(type, words[kind]) == 0;
}

/* The default of a string shows what such a string looks like: of a duration, a size. */
static void put_type(eop_buf *wanted, const char *type, const eop_json *schema) {
    const eop_json *example = eop_json_get(schema, "default");
    const char *text = eop_json_text(example);
    eop_buf_puts(wanted, eop_type_phrase(type));
    if (strcmp(type, "string") == 0 && text != NULL && text[0] != '\0') {
        eop_buf_puts(wanted, " such as ");
        eop_put_brief(wanted, example);
    }
}

static bool check_type(checker *c, const eop_json *schema, const eop_json *json) {
    const eop_json *types = eop_json_get(schema, "type");
    const char *one = eop_json_text(types);
    eop_buf wanted = {0};
    bool fits = types == NULL || (one != NULL && has_type(json, one));
    if (!fits && one != NULL) {
        put_type(&wanted, one, schema);
    }
    for (const eop_json *t = eop_json_first(types); t != NULL; t = eop_json_next(t)) {
        fits = fits || has_type(json, eop_json_text(t));
        eop_buf_puts(&wanted, wanted.size > 0 ? " or " : "");
        put_type(&wanted, eop_json_text(t), schema);
    }
    if (!fits) {
        if (wanted.failed) {
            fatal(c, eop_fail_nomem("json"));
        } else {
            complain_value(c, wanted.data, json);
        }
    }
    eop_buf_dispose(&wanted);
    return fits;
}

static bool check_enum(checker *c, const eop_json *allowed, const eop_json *json) {
    eop_buf wanted = {0};
    const eop_json *first = eop_json_first(allowed);
    for (const eop_json *value = first; value != NULL; value = eop_json_next(value)) {
        if (eop_json_equal(value, json)) {
            eop_buf_dispose(&wanted);
            return true;
        }
        eop_buf_puts(&wanted, value != first                 ? ", "
                              : eop_json_next(value) != NULL ? "one of "
                                                             : "");
        eop_put_brief(&wanted, value);
    }
    eop_buf buf = {0};
    buf.failed = wanted.failed || wanted.data == NULL;
    eop_buf_puts(&buf, place_name(c));
    eop_buf_puts(&buf, " must be ");
    eop_buf_puts(&buf, wanted.data);
    eop_buf_puts(&buf, ", not ");
    eop_put_brief(&buf, json);
    if (eop_json_text(json) != NULL) {
        eop_put_suggestion(&buf, eop_json_text(json), allowed, false);
    }
    eop_buf_dispose(&wanted);
    return complain(c, &buf, false);
}

static bool check_const(checker *c, const eop_json *wanted, const eop_json *json) {
    eop_buf buf = {0};
    if (eop_json_equal(wanted, json)) {
        return true;
    }
    eop_put_brief(&buf, wanted);
    bool ok = buf.failed ? fatal(c, eop_fail_nomem("json")) : complain_value(c, buf.data, json);
    eop_buf_dispose(&buf);
    return ok;
}

/* -- numbers and strings -- */

static bool check_number(checker *c, const eop_json *schema, const eop_json *json) {
    double value = eop_json_value(json);
    double minimum = eop_json_number(schema, "minimum", -INFINITY);
    double maximum = eop_json_number(schema, "maximum", INFINITY);
    double above = eop_json_number(schema, "exclusiveMinimum", -INFINITY);
    double below = eop_json_number(schema, "exclusiveMaximum", INFINITY);
    if (value < minimum) {
        return complain_number(c, "at least", minimum, json);
    }
    if (value > maximum) {
        return complain_number(c, "at most", maximum, json);
    }
    if (value <= above) {
        return complain_number(c, "more than", above, json);
    }
    if (value >= below) {
        return complain_number(c, "less than", below, json);
    }
    return true;
}

static size_t count_limit(const eop_json *schema, const char *keyword, size_t otherwise) {
    int64_t limit = eop_json_integer(schema, keyword, -1);
    return limit < 0 ? otherwise : (size_t)limit;
}

/* The host's locale must not decide what [a-z] means. */
static bool check_pattern(checker *c, const char *pattern, const eop_json *json) {
    regex_t regex;
    locale_t before = eop_locale_enter();
    int rc = regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB);
    int match = 0;
    if (rc == 0) {
        match = regexec(&regex, eop_json_text(json), 0, NULL, 0);
        regfree(&regex);
    }
    eop_locale_leave(before);
    if (rc != 0) {
        return fatal(c, eop_fail(rc == REG_ESPACE ? EDGEOPS_E_NOMEM : EDGEOPS_E_INTERNAL, "json",
                                 "the schema's pattern '%s' is no POSIX expression", pattern));
    }
    if (match == 0) {
        return true;
    }
    eop_buf buf = {0};
    eop_buf_puts(&buf, place_name(c));
    eop_buf_puts(&buf, " is ");
    eop_put_brief(&buf, json);
    eop_buf_puts(&buf, ", which does not match ");
    eop_buf_puts(&buf, pattern);
    return complain(c, &buf, false);
}

static bool check_string(checker *c, const eop_json *schema, const eop_json *json) {
    size_t min = count_limit(schema, "minLength", 0);
    size_t max = count_limit(schema, "maxLength", SIZE_MAX);
    const char *pattern = eop_json_string(schema, "pattern", NULL);
    size_t length = 0;
    for (const char *p = eop_json_text(json); *p != '\0'; p++) {
        length += ((unsigned char)*p & 0xc0) != 0x80;
    }
    if (length < min) {
        return complain_count(c, "at least", min, min == 1 ? "character" : "characters", length);
    }
    if (length > max) {
        return complain_count(c, "at most", max, "characters", length);
    }
    return pattern == NULL || check_pattern(c, pattern, json);
}

/* -- arrays -- */

typedef struct hashed {
    uint64_t hash;
    size_t index;
    const eop_json *json;
} hashed;

static int by_hash(const void *a, const void *b) {
    const hashed *x = a;
    const hashed *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->index < y->index ? -1 : 1;
}

static bool check_unique(checker *c, const eop_json *json, size_t size) {
    hashed *items = eop_calloc(size, sizeof(*items));
    size_t n = 0;
    bool ok = true;
    if (items == NULL) {
        return fatal(c, eop_fail_nomem("json"));
    }
    for (const eop_json *m = eop_json_first(json); m != NULL; m = eop_json_next(m), n++) {
        items[n] = (hashed){eop_json_hash(m), n, m};
    }
    qsort(items, n, sizeof(*items), by_hash);
    for (size_t i = 1; ok && i < n; i++) {
        if (items[i].hash == items[i - 1].hash &&
            eop_json_equal(items[i].json, items[i - 1].json)) {
            eop_buf buf = {0};
            size_t mark = push_index(c, items[i].index);
            eop_buf_puts(&buf, place_name(c));
            eop_buf_puts(&buf, " is there already: ");
            eop_put_brief(&buf, items[i].json);
            ok = complain(c, &buf, false);
            pop(c, mark);
        }
    }
    eop_free(items);
    return ok;
}

static bool check_array(checker *c, const eop_json *schema, const eop_json *json) {
    size_t min = count_limit(schema, "minItems", 0);
    size_t max = count_limit(schema, "maxItems", SIZE_MAX);
    size_t size = eop_json_size(json);
    if (size < min) {
        return complain_count(c, "at least", min, min == 1 ? "item" : "items", size);
    }
    if (size > max) {
        return complain_count(c, "at most", max, max == 1 ? "item" : "items", size);
    }
    const eop_json *prefix = eop_json_first(eop_json_get(schema, "prefixItems"));
    const eop_json *items = eop_json_get(schema, "items");
    size_t i = 0;
    for (const eop_json *m = eop_json_first(json); m != NULL; m = eop_json_next(m), i++) {
        const eop_json *its = prefix != NULL ? prefix : items;
        prefix = eop_json_next(prefix);
        if (its == NULL) {
            continue;
        }
        size_t mark = push_index(c, i);
        bool ok = check(c, its, m);
        pop(c, mark);
        if (!ok) {
            return false;
        }
    }
    return !eop_json_bool(schema, "uniqueItems", false) || check_unique(c, json, size);
}

/* -- objects -- */

static bool check_required(checker *c, const eop_json *required, const eop_json *json) {
    for (const eop_json *key = eop_json_first(required); key != NULL; key = eop_json_next(key)) {
        if (eop_json_get(json, eop_json_text(key)) == NULL) {
            eop_buf buf = {0};
            eop_buf_puts(&buf, "key '");
            eop_buf_puts(&buf, eop_json_text(key));
            eop_buf_puts(&buf, "' is missing in ");
            eop_buf_puts(&buf, place_name(c));
            return complain(c, &buf, false);
        }
    }
    return true;
}

static bool is_false(const eop_json *schema) {
    return eop_json_type(schema) == EOP_JSON_BOOL && eop_json_value(schema) == 0.0;
}

static bool complain_unknown(checker *c, const char *key, const eop_json *properties) {
    eop_buf buf = {0};
    eop_buf_puts(&buf, "unknown key '");
    eop_buf_puts(&buf, key);
    eop_buf_puts(&buf, "' in ");
    eop_buf_puts(&buf, place_name(c));
    eop_put_suggestion(&buf, key, properties, true);
    size_t mark = push_key(c, key);
    complain(c, &buf, true);
    pop(c, mark);
    return false;
}

static bool check_object(checker *c, const eop_json *schema, const eop_json *json) {
    const eop_json *properties = eop_json_get(schema, "properties");
    const eop_json *others = eop_json_get(schema, "additionalProperties");
    /* An unknown key comes first: it is often the misspelt one that "required" misses. */
    for (const eop_json *m = eop_json_first(json); m != NULL && is_false(others);
         m = eop_json_next(m)) {
        if (eop_json_get(properties, eop_json_key(m)) == NULL) {
            return complain_unknown(c, eop_json_key(m), properties);
        }
    }
    if (!check_required(c, eop_json_get(schema, "required"), json)) {
        return false;
    }
    for (const eop_json *m = eop_json_first(json); m != NULL; m = eop_json_next(m)) {
        const eop_json *its = eop_json_get(properties, eop_json_key(m));
        its = its != NULL ? its : others;
        if (its == NULL) {
            continue;
        }
        size_t mark = push_key(c, eop_json_key(m));
        bool ok = check(c, its, m);
        pop(c, mark);
        if (!ok) {
            return false;
        }
    }
    return true;
}

/* -- choices -- */

/* Keeps the error of the branch that came furthest: most likely the one that was meant. */
static bool check_choice(checker *c, const eop_json *branches, const eop_json *json,
                         bool only_one) {
    size_t matches = 0;
    char *best = NULL;
    char *best_place = NULL;
    size_t best_steps = 0;
    bool best_in_key = false;
    size_t here = 0;
    for (size_t i = 0; i < c->pointer.size; i++) {
        here += c->pointer.data[i] == '/';
    }
    for (const eop_json *b = eop_json_first(branches); b != NULL; b = eop_json_next(b)) {
        if (check(c, b, json)) {
            matches++;
            if (!only_one) {
                break;
            }
            continue;
        }
        if (c->fatal != EDGEOPS_OK) {
            break;
        }
        if (best == NULL || c->place_steps > best_steps) {
            eop_free(best);
            eop_free(best_place);
            best = c->problem;
            best_place = c->place;
            best_steps = c->place_steps;
            best_in_key = c->in_key;
            c->problem = NULL;
            c->place = NULL;
        }
        forget_problem(c);
    }
    bool ok = c->fatal == EDGEOPS_OK && (only_one ? matches == 1 : matches > 0);
    if (!ok && c->fatal == EDGEOPS_OK) {
        eop_buf buf = {0};
        if (matches > 1) {
            eop_buf_printf(&buf, "%s fits %zu forms of which only one may fit", place_name(c),
                           matches);
            complain(c, &buf, false);
        } else if (best_steps > here || eop_json_size(branches) == 1) {
            c->problem = best;
            c->place = best_place;
            c->place_steps = best_steps;
            c->in_key = best_in_key;
            best = NULL;
            best_place = NULL;
        } else {
            eop_buf_printf(&buf, "%s has none of the allowed forms, for one: ", place_name(c));
            eop_buf_puts(&buf, best != NULL ? best : "there are none");
            complain(c, &buf, false);
        }
    }
    eop_free(best);
    eop_free(best_place);
    return ok;
}

static bool check_keywords(checker *c, const eop_json *schema, const eop_json *json) {
    const char *reference = eop_json_string(schema, "$ref", NULL);
    const eop_json *keyword = NULL;
    if (reference != NULL && !check(c, eop_schema_resolve(c->root, reference), json)) {
        return false;
    }
    if (!check_type(c, schema, json)) {
        return false;
    }
    if ((keyword = eop_json_get(schema, "enum")) != NULL && !check_enum(c, keyword, json)) {
        return false;
    }
    if ((keyword = eop_json_get(schema, "const")) != NULL && !check_const(c, keyword, json)) {
        return false;
    }
    if ((keyword = eop_json_get(schema, "anyOf")) != NULL &&
        !check_choice(c, keyword, json, false)) {
        return false;
    }
    if ((keyword = eop_json_get(schema, "oneOf")) != NULL &&
        !check_choice(c, keyword, json, true)) {
        return false;
    }
    switch (eop_json_type(json)) {
    case EOP_JSON_NUMBER:
        return check_number(c, schema, json);
    case EOP_JSON_STRING:
        return check_string(c, schema, json);
    case EOP_JSON_ARRAY:
        return check_array(c, schema, json);
    case EOP_JSON_OBJECT:
        return check_object(c, schema, json);
    default:
        return true;
    }
}

static bool check(checker *c, const eop_json *schema, const eop_json *json) {
    if (c->depth >= MAX_DEPTH) {
        return fatal(
            c, eop_fail(EDGEOPS_E_INTERNAL, "json", "the schema refers to itself without end"));
    }
    if (is_false(schema)) {
        eop_buf buf = {0};
        eop_buf_puts(&buf, place_name(c));
        eop_buf_puts(&buf, " is not allowed");
        return complain(c, &buf, false);
    }
    c->depth++;
    bool ok = check_keywords(c, schema, json);
    c->depth--;
    return ok;
}

/* -- doors -- */

edgeops_status eop_schema_check(const eop_json *schema, const eop_json *json, const char *text,
                                size_t size, const char *what) {
    checker c = {.root = schema};
    size_t line = 0;
    size_t column = 0;
    edgeops_status status = eop_schema_lint(schema);
    if (status != EDGEOPS_OK) {
        return status;
    }
    bool ok = check(&c, schema, json);
    if (c.fatal != EDGEOPS_OK) {
        status = c.fatal;
    } else if (!ok && text != NULL &&
               eop_json_locate(text, size, c.place, c.in_key, &line, &column)) {
        status =
            eop_fail(EDGEOPS_E_INVALID, "json", "%s:%zu:%zu: %s", what, line, column, c.problem);
    } else if (!ok) {
        status = eop_fail(EDGEOPS_E_INVALID, "json", "%s: %s", what, c.problem);
    }
    forget_problem(&c);
    eop_buf_dispose(&c.pointer);
    return status;
}

edgeops_status eop_schema_check_text(const char *schema, const eop_json *json, const char *text,
                                     size_t size, const char *what) {
    eop_json *parsed = NULL;
    edgeops_status status = eop_json_parse(&parsed, schema, strlen(schema), "schema", NULL);
    if (status != EDGEOPS_OK) {
        return status == EDGEOPS_E_INVALID
                   ? eop_fail(EDGEOPS_E_INTERNAL, "json", "the schema for %s is no JSON", what)
                   : status;
    }
    status = eop_schema_check(parsed, json, text, size, what);
    eop_json_free(parsed);
    return status;
}

static void put_defaults(const checker *c, const eop_json *schema, eop_json *json, unsigned depth) {
    if (depth > MAX_DEPTH || schema == NULL || json == NULL) {
        return;
    }
    const char *reference = eop_json_string(schema, "$ref", NULL);
    if (reference != NULL) {
        put_defaults(c, eop_schema_resolve(c->root, reference), json, depth + 1);
    }
    const eop_json *properties = eop_json_get(schema, "properties");
    if (eop_json_type(json) == EOP_JSON_OBJECT) {
        for (const eop_json *p = eop_json_first(properties); p != NULL; p = eop_json_next(p)) {
            const eop_json *value = eop_json_get(p, "default");
            if (value != NULL && eop_json_get(json, eop_json_key(p)) == NULL) {
                eop_json_set(json, eop_json_key(p), eop_json_copy(value));
            }
        }
    }
    const eop_json *prefix = eop_json_first(eop_json_get(schema, "prefixItems"));
    bool nest = eop_json_first(json) != NULL;
    for (cJSON *m = nest ? json->child : NULL; m != NULL; m = m->next) {
        const eop_json *its = NULL;
        if (eop_json_type(json) == EOP_JSON_OBJECT) {
            its = eop_json_get(properties, eop_json_key(m));
            its = its != NULL ? its : eop_json_get(schema, "additionalProperties");
        } else {
            its = prefix != NULL ? prefix : eop_json_get(schema, "items");
            prefix = eop_json_next(prefix);
        }
        put_defaults(c, its, m, depth + 1);
    }
}

void eop_schema_defaults(const eop_json *schema, eop_json *json) {
    checker c = {.root = schema};
    put_defaults(&c, schema, json, 0);
}
