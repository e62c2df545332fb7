/* SPDX-License-Identifier: Apache-2.0 */
/* The schema itself: a keyword that we do not know would be a check that is not made. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "codec/schema_words.h"

#define MAX_COPIES  20000 /* of parts of a pattern */
#define MAX_PATTERN 512

const eop_json *eop_schema_resolve(const eop_json *root, const char *reference) {
    static const char prefix[] = "#/$defs/";
    if (strncmp(reference, prefix, sizeof(prefix) - 1) != 0) {
        return NULL;
    }
    return eop_json_get(eop_json_get(root, "$defs"), reference + sizeof(prefix) - 1);
}

typedef enum keyword_kind {
    VALUE,
    SCHEMA,
    SCHEMA_LIST,
    SCHEMA_MAP,
    TYPE,
    REFERENCE,
    PATTERN
} keyword_kind;

static const struct {
    const char *name;
    keyword_kind kind;
    eop_json_kind json;
} keywords[] = {
    {"type", TYPE, 0},
    {"properties", SCHEMA_MAP, EOP_JSON_OBJECT},
    {"required", VALUE, EOP_JSON_ARRAY},
    {"additionalProperties", SCHEMA, 0},
    {"items", SCHEMA, 0},
    {"prefixItems", SCHEMA_LIST, EOP_JSON_ARRAY},
    {"enum", VALUE, EOP_JSON_ARRAY},
    {"minimum", VALUE, EOP_JSON_NUMBER},
    {"maximum", VALUE, EOP_JSON_NUMBER},
    {"exclusiveMinimum", VALUE, EOP_JSON_NUMBER},
    {"exclusiveMaximum", VALUE, EOP_JSON_NUMBER},
    {"minLength", VALUE, EOP_JSON_NUMBER},
    {"maxLength", VALUE, EOP_JSON_NUMBER},
    {"pattern", PATTERN, EOP_JSON_STRING},
    {"minItems", VALUE, EOP_JSON_NUMBER},
    {"maxItems", VALUE, EOP_JSON_NUMBER},
    {"uniqueItems", VALUE, EOP_JSON_BOOL},
    {"anyOf", SCHEMA_LIST, EOP_JSON_ARRAY},
    {"oneOf", SCHEMA_LIST, EOP_JSON_ARRAY},
    {"$ref", REFERENCE, EOP_JSON_STRING},
    {"$defs", SCHEMA_MAP, EOP_JSON_OBJECT},
};
/* Those of any value, and annotations. */
static const char *const free_keywords[] = {
    "const",
    "default",
    "examples",
    "title",
    "description",
    "$comment",
    "$schema",
    "$id",
    "deprecated",
    "readOnly",
    "writeOnly",
    "format",
    "contentMediaType",
    "contentEncoding",
};

static edgeops_status lint(const eop_json *root, const eop_json *schema, unsigned depth);

static edgeops_status bad_keyword(const char *name) {
    return eop_fail(EDGEOPS_E_INTERNAL, "json", "the schema's keyword '%s' has a wrong value",
                    name);
}

static edgeops_status lint_type(const eop_json *type) {
    static const char *const names[] = {"null",   "boolean", "number", "string",
                                        "object", "array",   "integer"};
    const char *text = eop_json_text(type);
    for (size_t i = 0; text != NULL && i < EOP_COUNT(names); i++) {
        if (strcmp(text, names[i]) == 0) {
            return EDGEOPS_OK;
        }
    }
    edgeops_status status = eop_json_size(type) > 0 ? EDGEOPS_OK : bad_keyword("type");
    for (const eop_json *t = eop_json_first(type); t != NULL && status == EDGEOPS_OK;
         t = eop_json_next(t)) {
        status = eop_json_text(t) != NULL ? lint_type(t) : bad_keyword("type");
    }
    return status;
}

/* regcomp() copies what is repeated: ((a{99}){99}){99} would take all memory. Gives how many copies
 * there can be at most. */
static double pattern_cost(const char *pattern) {
    double cost = 1;
    for (const char *p = pattern; *p != '\0'; p++) {
        if (*p == '+') {
            cost *= 2;
        } else if (*p == '{') {
            char *end = NULL;
            unsigned long low = strtoul(p + 1, &end, 10);
            unsigned long high = *end == ',' ? strtoul(end + 1, NULL, 10) : 0;
            cost *= 1.0 + (double)(high > low ? high : low);
        }
    }
    return cost;
}

static edgeops_status lint_all(const eop_json *root, const eop_json *schemas, unsigned depth) {
    edgeops_status status = EDGEOPS_OK;
    for (const eop_json *s = eop_json_first(schemas); s != NULL && status == EDGEOPS_OK;
         s = eop_json_next(s)) {
        status = lint(root, s, depth);
    }
    return status;
}

static edgeops_status lint_keyword(const eop_json *root, const eop_json *member, unsigned depth) {
    const char *name = eop_json_key(member);
    for (size_t i = 0; i < EOP_COUNT(free_keywords); i++) {
        if (strcmp(name, free_keywords[i]) == 0) {
            return EDGEOPS_OK;
        }
    }
    for (size_t i = 0; i < EOP_COUNT(keywords); i++) {
        if (strcmp(name, keywords[i].name) != 0) {
            continue;
        }
        if (keywords[i].kind == TYPE) {
            return lint_type(member);
        }
        if (keywords[i].kind == SCHEMA) {
            return lint(root, member, depth);
        }
        if (eop_json_type(member) != keywords[i].json) {
            return bad_keyword(name);
        }
        if (keywords[i].kind == REFERENCE) {
            return eop_schema_resolve(root, eop_json_text(member)) != NULL ? EDGEOPS_OK
                                                                           : bad_keyword(name);
        }
        if (keywords[i].kind == PATTERN && (strlen(eop_json_text(member)) > MAX_PATTERN ||
                                            pattern_cost(eop_json_text(member)) > MAX_COPIES)) {
            return eop_fail(EDGEOPS_E_INTERNAL, "json", "the schema's pattern '%s' costs too much",
                            eop_json_text(member));
        }
        return keywords[i].kind == VALUE || keywords[i].kind == PATTERN
                   ? EDGEOPS_OK
                   : lint_all(root, member, depth);
    }
    return eop_fail(EDGEOPS_E_INTERNAL, "json", "the schema's keyword '%s' is not supported", name);
}

static edgeops_status lint(const eop_json *root, const eop_json *schema, unsigned depth) {
    eop_json_kind kind = eop_json_type(schema);
    if (kind == EOP_JSON_BOOL) {
        return EDGEOPS_OK;
    }
    if (kind != EOP_JSON_OBJECT || depth > EOP_SCHEMA_DEPTH) {
        return eop_fail(EDGEOPS_E_INTERNAL, "json", "a schema is an object, true or false");
    }
    edgeops_status status = EDGEOPS_OK;
    for (const eop_json *m = eop_json_first(schema); m != NULL && status == EDGEOPS_OK;
         m = eop_json_next(m)) {
        status = lint_keyword(root, m, depth + 1);
    }
    for (const eop_json *key = eop_json_first(eop_json_get(schema, "required"));
         key != NULL && status == EDGEOPS_OK; key = eop_json_next(key)) {
        status = eop_json_text(key) != NULL ? EDGEOPS_OK : bad_keyword("required");
    }
    return status;
}

edgeops_status eop_schema_lint(const eop_json *schema) {
    return lint(schema, schema, 0);
}
