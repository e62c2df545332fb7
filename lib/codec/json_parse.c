/* SPDX-License-Identifier: Apache-2.0 */
/* Text to tree. cJSON's own parser is too lax for what comes from outside (it takes trailing bytes,
 * 01, 1e999, invalid UTF-8, cuts numbers at 63 bytes), so that the tree is built from the strict
 * reader's tokens. */
#include <cjson/cJSON.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/memory.h"
#include "codec/json.h"
#include "codec/json_reader.h"

#define TWO_53        9007199254740992.0
#define DEFAULT_BYTES ((size_t)16 << 20)
#define DEFAULT_DEPTH 64
#define DEFAULT_NODES 1000000

typedef struct parser {
    eop_reader reader;
    const char *what;
    size_t max_nodes;
    size_t nodes;
    eop_map keys; /* members so far, by object and key, to find a double one in constant time */
    cJSON *root;
    cJSON *open[EOP_READER_DEPTH];
    char *key; /* of the value to come, cJSON's memory */
    size_t key_at;
} parser;

static edgeops_status refuse(const parser *p, edgeops_status code, size_t at, const char *problem,
                             const char *detail) {
    size_t line = 0;
    size_t column = 0;
    eop_text_position(&line, &column, p->reader.text, p->reader.size, at);
    return eop_fail(code, "json", "%s:%zu:%zu: %s%s", p->what, line, column, problem, detail);
}

/* Two keys of one text have the same hash only in the same object: what the object adds is mixed
 * without loss. */
static uint64_t key_hash(const cJSON *object, const char *key) {
    uint64_t hash = eop_hash64(key, strlen(key)) + (uintptr_t)object;
    hash = (hash ^ hash >> 29) * 0x9e3779b97f4a7c15u;
    return hash ^ hash >> 32;
}

static bool is_known_key(const parser *p, uint64_t hash) {
    size_t step = 0;
    uintptr_t member;
    while ((member = eop_map_next(&p->keys, hash, &step)) != 0) {
        if (strcmp(((const cJSON *)member)->string, p->key) == 0) {
            return true;
        }
    }
    return false;
}

/* A NUL-terminated copy of the token's text in cJSON's memory, as cJSON_Delete() frees it. */
static edgeops_status take_text(char **out, const parser *p) {
    const eop_reader *r = &p->reader;
    char *text = cJSON_malloc(r->raw_size + 1);
    if (text == NULL) {
        return eop_fail_nomem("json");
    }
    size_t size = r->raw_size;
    if (r->escaped) {
        size = eop_reader_unescape(text, r->raw, r->raw_size);
    } else {
        memcpy(text, r->raw, size);
    }
    text[size] = '\0';
    if (memchr(text, '\0', size) != NULL) {
        cJSON_free(text);
        return refuse(p, EDGEOPS_E_INVALID, r->start, "\\u0000 has no place in a text", "");
    }
    *out = text;
    return EDGEOPS_OK;
}

/* Hangs the node into the innermost open object or array; takes it, also on failure. */
static edgeops_status attach(parser *p, cJSON *node, uint32_t depth) {
    if (node == NULL) {
        return eop_fail_nomem("json");
    }
    if (depth == 0) {
        p->root = node;
        return EDGEOPS_OK;
    }
    cJSON *parent = p->open[depth - 1];
    if (p->key != NULL) {
        uint64_t hash = key_hash(parent, p->key);
        if (!eop_map_reserve(&p->keys)) {
            cJSON_Delete(node);
            return eop_fail_nomem("json");
        }
        if (is_known_key(p, hash)) {
            cJSON_Delete(node);
            return refuse(p, EDGEOPS_E_INVALID, p->key_at,
                          "this key is there twice in one object: ", p->key);
        }
        eop_map_add(&p->keys, hash, (uintptr_t)node);
        node->string = p->key;
        p->key = NULL;
    }
    /* For an object too: its key is set already. */
    if (!cJSON_AddItemToArray(parent, node)) {
        cJSON_Delete(node);
        return eop_fail(EDGEOPS_E_INTERNAL, "json", "%s: a member could not be added", p->what);
    }
    return EDGEOPS_OK;
}

static edgeops_status make_number(cJSON **out, const parser *p) {
    const eop_reader *r = &p->reader;
    double value = 0.0;
    if (!eop_decimal_double(&value, &r->number, r->raw, r->raw_size)) {
        return refuse(p, EDGEOPS_E_INVALID, r->start, "this number is beyond float64", "");
    }
    if (eop_decimal_is_integer(&r->number) &&
        (fabs(value) > TWO_53 || (fabs(value) == TWO_53 && r->number.digits != 1ULL << 53))) {
        return refuse(p, EDGEOPS_E_INVALID, r->start,
                      "this integer is beyond +-2^53 and would lose digits: write it as a string",
                      "");
    }
    *out = cJSON_CreateNumber(value);
    return EDGEOPS_OK;
}

static edgeops_status make_string(cJSON **out, const parser *p) {
    char *text = NULL;
    edgeops_status status = take_text(&text, p);
    if (status != EDGEOPS_OK) {
        return status;
    }
    cJSON *node = cJSON_CreateNull();
    if (node == NULL) {
        cJSON_free(text);
        return eop_fail_nomem("json");
    }
    node->type = cJSON_String;
    node->valuestring = text;
    *out = node;
    return EDGEOPS_OK;
}

static edgeops_status make_node(cJSON **out, const parser *p, eop_token token) {
    switch (token) {
    case EOP_TOKEN_OBJECT:
        *out = cJSON_CreateObject();
        return EDGEOPS_OK;
    case EOP_TOKEN_ARRAY:
        *out = cJSON_CreateArray();
        return EDGEOPS_OK;
    case EOP_TOKEN_STRING:
        return make_string(out, p);
    case EOP_TOKEN_NUMBER:
        return make_number(out, p);
    case EOP_TOKEN_TRUE:
        *out = cJSON_CreateTrue();
        return EDGEOPS_OK;
    case EOP_TOKEN_FALSE:
        *out = cJSON_CreateFalse();
        return EDGEOPS_OK;
    default:
        *out = cJSON_CreateNull();
        return EDGEOPS_OK;
    }
}

static edgeops_status take_value(parser *p, eop_token token) {
    bool nest = token == EOP_TOKEN_OBJECT || token == EOP_TOKEN_ARRAY;
    uint32_t depth = p->reader.depth - (nest ? 1 : 0);
    if (++p->nodes > p->max_nodes) {
        return refuse(p, EDGEOPS_E_LIMIT, p->reader.start, "more values than are allowed", "");
    }
    cJSON *node = NULL;
    edgeops_status status = make_node(&node, p, token);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = attach(p, node, depth);
    if (status == EDGEOPS_OK && nest) {
        p->open[depth] = node;
    }
    return status;
}

static edgeops_status take_error(const parser *p) {
    const eop_reader *r = &p->reader;
    if (r->too_deep) {
        return refuse(p, EDGEOPS_E_LIMIT, r->start, r->problem, "");
    }
    if (r->start == 0 && r->size >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0) {
        return refuse(p, EDGEOPS_E_INVALID, 0,
                      "a byte order mark: save the file as UTF-8 without one", "");
    }
    return refuse(p, EDGEOPS_E_INVALID, r->start, r->problem, "");
}

static edgeops_status parse_all(parser *p) {
    for (;;) {
        eop_token token = eop_reader_next(&p->reader);
        edgeops_status status = EDGEOPS_OK;
        switch (token) {
        case EOP_TOKEN_ERROR:
            return take_error(p);
        case EOP_TOKEN_END:
            return EDGEOPS_OK;
        case EOP_TOKEN_OBJECT_END:
        case EOP_TOKEN_ARRAY_END:
            break;
        case EOP_TOKEN_KEY:
            p->key_at = p->reader.start;
            status = take_text(&p->key, p);
            break;
        default:
            status = take_value(p, token);
            break;
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
}

edgeops_status eop_json_parse(eop_json **out, const char *text, size_t size, const char *what,
                              const eop_json_limits *limits) {
    size_t max_bytes = limits != NULL && limits->max_bytes != 0 ? limits->max_bytes : DEFAULT_BYTES;
    size_t max_depth = limits != NULL && limits->max_depth != 0 ? limits->max_depth : DEFAULT_DEPTH;
    size_t max_nodes = limits != NULL && limits->max_nodes != 0 ? limits->max_nodes : DEFAULT_NODES;
    *out = NULL;
    what = what != NULL ? what : "json";
    if (size > max_bytes) {
        return eop_fail(EDGEOPS_E_LIMIT, "json", "%s: %zu bytes are more than the %zu allowed",
                        what, size, max_bytes);
    }
    parser *p = eop_calloc(1, sizeof(*p));
    if (p == NULL) {
        return eop_fail_nomem("json");
    }
    p->what = what;
    p->max_nodes = max_nodes;
    eop_reader_init(&p->reader, text, size,
                    max_depth < EOP_READER_DEPTH ? (uint32_t)max_depth : EOP_READER_DEPTH);
    edgeops_status status = parse_all(p);
    if (status == EDGEOPS_OK) {
        *out = p->root;
        p->root = NULL;
    }
    cJSON_Delete(p->root);
    cJSON_free(p->key);
    eop_map_dispose(&p->keys);
    eop_free(p);
    return status;
}

/* Takes the rest of the value whose first token was just given. */
static bool skip_value(eop_reader *reader, eop_token token) {
    if (token != EOP_TOKEN_OBJECT && token != EOP_TOKEN_ARRAY) {
        return token != EOP_TOKEN_ERROR;
    }
    uint32_t depth = reader->depth;
    while (reader->depth >= depth) {
        if (eop_reader_next(reader) == EOP_TOKEN_ERROR) {
            return false;
        }
    }
    return true;
}

/* Compares the reader's key with a pointer's step, in which ~1 is '/' and ~0 is '~'. */
static bool key_is_step(const eop_reader *reader, const char *step, size_t step_size) {
    const char *key = reader->raw;
    size_t size = reader->raw_size;
    char *plain = NULL;
    if (reader->escaped) {
        plain = eop_alloc(size);
        if (plain == NULL) {
            return false;
        }
        size = eop_reader_unescape(plain, key, size);
        key = plain;
    }
    size_t at = 0;
    size_t i = 0;
    bool same = true;
    for (; same && i < step_size && at < size; i++, at++) {
        char c = step[i];
        if (c == '~' && i + 1 < step_size) {
            c = step[++i] == '1' ? '/' : '~';
        }
        same = c == key[at];
    }
    same = same && i == step_size && at == size;
    eop_free(plain);
    return same;
}

static bool find_member(eop_reader *reader, const char *step, size_t step_size, size_t *key_at,
                        eop_token *value) {
    for (;;) {
        if (eop_reader_next(reader) != EOP_TOKEN_KEY) {
            return false;
        }
        *key_at = reader->start;
        bool found = key_is_step(reader, step, step_size);
        *value = eop_reader_next(reader);
        if (found) {
            return *value != EOP_TOKEN_ERROR;
        }
        if (!skip_value(reader, *value)) {
            return false;
        }
    }
}

static bool find_element(eop_reader *reader, const char *step, size_t step_size, eop_token *value) {
    int64_t index = 0;
    if (!eop_int64_text(&index, step, step_size) || index < 0) {
        return false;
    }
    for (;; index--) {
        *value = eop_reader_next(reader);
        if (*value == EOP_TOKEN_ARRAY_END || *value == EOP_TOKEN_ERROR) {
            return false;
        }
        if (index == 0) {
            return true;
        }
        if (!skip_value(reader, *value)) {
            return false;
        }
    }
}

bool eop_json_locate(const char *text, size_t size, const char *pointer, bool key_only,
                     size_t *line, size_t *column) {
    eop_reader reader;
    eop_reader_init(&reader, text, size, EOP_READER_DEPTH);
    eop_token value = eop_reader_next(&reader);
    size_t key_at = reader.start;
    bool in_object = false;
    if (value == EOP_TOKEN_ERROR) {
        return false;
    }
    while (*pointer == '/') {
        const char *step = pointer + 1;
        size_t step_size = strcspn(step, "/");
        pointer = step + step_size;
        in_object = value == EOP_TOKEN_OBJECT;
        bool found =
            in_object ? find_member(&reader, step, step_size, &key_at, &value)
                      : value == EOP_TOKEN_ARRAY && find_element(&reader, step, step_size, &value);
        if (!found) {
            return false;
        }
    }
    eop_text_position(line, column, text, size, key_only && in_object ? key_at : reader.start);
    return true;
}
