/* SPDX-License-Identifier: Apache-2.0 */
/* A message as a whole: its values in the order of the text, each with where it ends, so that a
 * member may be looked at before what stands in front of it. Values themselves are read where they
 * lie. Knows what names the elements of a list. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"
#include "codec/payload_tree.h"

/* Of the first STRICT_WORDS it is an error when only some elements have them. */
static const char *const name_words[] = {"id",     "name",     "tag",     "tagname",  "key",
                                         "sensor", "signal",   "metric",  "variable", "channel",
                                         "device", "sensorid", "deviceid"};
#define STRICT_WORDS 4

#define KEYS_FEW     16 /* of an object: compared each with each */

eop_token eop_tree_seek(eop_payload *p, uint32_t node) {
    eop_reader_seek(&p->reader, p->nodes[node].at);
    return eop_reader_next(&p->reader);
}

void eop_tree_point(eop_payload *p, uint32_t node) {
    p->reader.start = p->nodes[node].at;
    p->member = p->nodes[node].key;
    p->member_size = p->nodes[node].key_size;
}

static edgeops_status add_node(eop_payload *p, const char *key, size_t key_size, eop_token token) {
    if (!eop_grow(&p->nodes, &p->node_capacity, p->node_count + 1, sizeof(*p->nodes))) {
        return eop_fail_nomem("payload");
    }
    p->nodes[p->node_count] = (eop_node){.key = key,
                                         .key_size = (uint32_t)key_size,
                                         .at = (uint32_t)p->reader.start,
                                         .end = (uint32_t)p->node_count + 1,
                                         .token = (uint8_t)token};
    p->node_count++;
    return EDGEOPS_OK;
}

static edgeops_status refuse_key(eop_payload *p, uint32_t object, const eop_part *key) {
    p->reader.start = p->nodes[object].at;
    p->member = key->text;
    p->member_size = key->size;
    return eop_payload_refuse(p, EDGEOPS_E_INVALID, "it is there twice in one object");
}

static int by_key(const void *a, const void *b) {
    const eop_part *x = a;
    const eop_part *y = b;
    int order = (x->size > y->size) - (x->size < y->size);
    return order != 0 ? order : memcmp(x->text, y->text, x->size);
}

/* A member that an object has twice is refused, as in a message without lists: which of the two is
 * meant nobody can say. */
static edgeops_status check_keys(eop_payload *p, uint32_t object) {
    size_t n = 0;
    size_t count = p->nodes[object].count;
    if (count < 2 || p->nodes[object].token != EOP_TOKEN_OBJECT) {
        return EDGEOPS_OK;
    }
    if (!eop_grow(&p->keys, &p->key_capacity, count, sizeof(*p->keys))) {
        return eop_fail_nomem("payload");
    }
    for (uint32_t c = object + 1; c < p->node_count; c = eop_tree_next(p, c)) {
        p->keys[n++] = (eop_part){p->nodes[c].key, p->nodes[c].key_size};
    }
    for (size_t i = 1; n <= KEYS_FEW && i < n; i++) {
        for (size_t k = 0; k < i; k++) {
            if (p->keys[i].size == p->keys[k].size &&
                memcmp(p->keys[i].text, p->keys[k].text, p->keys[i].size) == 0) {
                return refuse_key(p, object, &p->keys[i]);
            }
        }
    }
    if (n > KEYS_FEW) {
        qsort(p->keys, n, sizeof(*p->keys), by_key);
        for (size_t i = 1; i < n; i++) {
            if (by_key(&p->keys[i], &p->keys[i - 1]) == 0) {
                return refuse_key(p, object, &p->keys[i]);
            }
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_tree_read(eop_payload *p) {
    uint32_t open[EOP_PAYLOAD_DEPTH + 1];
    uint32_t depth = 0;
    const char *key = NULL;
    size_t key_size = 0;
    edgeops_status status = EDGEOPS_OK;
    p->node_count = 0;
    while (status == EDGEOPS_OK) {
        eop_token token = eop_reader_next(&p->reader);
        switch (token) {
        case EOP_TOKEN_ERROR:
            return eop_payload_refuse_json(p);
        case EOP_TOKEN_END:
            p->member = NULL;
            return EDGEOPS_OK;
        case EOP_TOKEN_KEY:
            if (!eop_payload_text(p, &key, &key_size)) {
                return eop_fail_nomem("payload");
            }
            p->member = key;
            p->member_size = key_size;
            continue;
        case EOP_TOKEN_OBJECT_END:
        case EOP_TOKEN_ARRAY_END:
            p->nodes[open[--depth]].end = (uint32_t)p->node_count;
            status = check_keys(p, open[depth]);
            continue;
        default:
            break;
        }
        if (depth > 0) {
            p->nodes[open[depth - 1]].count++;
        }
        status = add_node(p, key, key_size, token);
        if (token == EOP_TOKEN_OBJECT || token == EOP_TOKEN_ARRAY) {
            open[depth++] = (uint32_t)p->node_count - 1;
        }
        key = NULL;
        key_size = 0;
    }
    return status;
}

static bool is_list_of_objects(const eop_payload *p, uint32_t list) {
    for (uint32_t c = list + 1; c < eop_tree_next(p, list); c = eop_tree_next(p, c)) {
        if (p->nodes[c].token != EOP_TOKEN_OBJECT) {
            return false;
        }
    }
    return p->nodes[list].token == EOP_TOKEN_ARRAY && p->nodes[list].count > 0;
}

/* A key says the same as a word but for case, '_' and '-': "Tag_Name". */
static bool says(const char *key, size_t size, const char *word) {
    for (size_t i = 0; i < size; i++) {
        if (key[i] == '_' || key[i] == '-') {
            continue;
        }
        if (*word == '\0' || !eop_ascii_equal(&key[i], word, 1)) {
            return false;
        }
        word++;
    }
    return *word == '\0';
}

static uint32_t find_word(const eop_payload *p, uint32_t object, const char *word) {
    for (uint32_t c = object + 1; c < eop_tree_next(p, object); c = eop_tree_next(p, c)) {
        if (says(p->nodes[c].key, p->nodes[c].key_size, word)) {
            return c;
        }
    }
    return EOP_NOWHERE;
}

uint32_t eop_tree_find_path(const eop_payload *p, uint32_t object, const char *path, size_t size) {
    if (p->nodes[object].token != EOP_TOKEN_OBJECT) {
        return EOP_NOWHERE;
    }
    for (uint32_t c = object + 1; c < eop_tree_next(p, object); c = eop_tree_next(p, c)) {
        size_t k = p->nodes[c].key_size;
        if (k > size || memcmp(p->nodes[c].key, path, k) != 0) {
            continue;
        }
        if (k == size) {
            return c;
        }
        uint32_t inner = path[k] == '.' ? eop_tree_find_path(p, c, path + k + 1, size - k - 1)
                                        : (uint32_t)EOP_NOWHERE;
        if (inner != EOP_NOWHERE) {
            return inner;
        }
    }
    return EOP_NOWHERE;
}

static bool is_integer(const eop_payload *p, uint32_t node) {
    const char *end = p->reader.text + p->reader.size;
    for (const char *c = p->reader.text + p->nodes[node].at; c < end; c++) {
        if (*c == '.' || *c == 'e' || *c == 'E') {
            return false;
        }
        if (*c != '-' && (*c < '0' || *c > '9')) {
            break;
        }
    }
    return p->nodes[node].token == EOP_TOKEN_NUMBER;
}

/* Of an element: what names it, a text or an integer. */
static uint32_t name_node(const eop_payload *p, uint32_t element, int by) {
    const char *name = p->config.list.name;
    uint32_t node = name != NULL ? eop_tree_find_path(p, element, name, strlen(name))
                                 : find_word(p, element, name_words[by]);
    bool good =
        node != EOP_NOWHERE && (p->nodes[node].token == EOP_TOKEN_STRING || is_integer(p, node));
    return good ? node : EOP_NOWHERE;
}

bool eop_tree_is_named(const eop_payload *p, uint32_t element, int by) {
    return name_node(p, element, by) != EOP_NOWHERE;
}

/* The asset's name is made of it: of one inside the list with that path, NULL: of any. */
static bool names_asset(const eop_payload *p, const char *word, const char *path, size_t size) {
    for (size_t i = 0; i < p->config.asset_member_count; i++) {
        const char *member = p->config.asset_members[i];
        const char *dot = strrchr(member, '.');
        const char *last = dot != NULL ? dot + 1 : member;
        bool inside = path == NULL || (strlen(member) > size && memcmp(member, path, size) == 0 &&
                                       member[size] == '.');
        if (!inside) {
            continue;
        }
        if (says(last, strlen(last), word)) {
            return true;
        }
    }
    return false;
}

static uint32_t count_named(const eop_payload *p, uint32_t list, int by) {
    uint32_t n = 0;
    for (uint32_t c = list + 1; c < eop_tree_next(p, list); c = eop_tree_next(p, c)) {
        n += name_node(p, c, by) != EOP_NOWHERE;
    }
    return n;
}

/* Index of the word, or EOP_UNNAMED, or EOP_SOME_NAMED. */
static int named_by(const eop_payload *p, uint32_t list, const char *path, size_t size) {
    const char *given = p->config.list.name;
    int some = EOP_UNNAMED;
    if ((given != NULL && given[0] == '\0') || !is_list_of_objects(p, list)) {
        return EOP_UNNAMED;
    }
    for (int by = 0; by < (given != NULL ? 1 : (int)EOP_COUNT(name_words)); by++) {
        bool strict = given != NULL || by < STRICT_WORDS;
        if ((given == NULL && names_asset(p, name_words[by], path, size)) ||
            (!strict && name_node(p, list + 1, by) == EOP_NOWHERE)) {
            continue;
        }
        uint32_t n = count_named(p, list, by);
        if (n == p->nodes[list].count) {
            return by;
        }
        some = strict && n > 0 ? EOP_SOME_NAMED : some;
    }
    return some;
}

int eop_tree_named_by(const eop_payload *p, uint32_t list) {
    return named_by(p, list, NULL, 0);
}

int eop_tree_named_inside(const eop_payload *p, uint32_t list, const char *path, size_t size) {
    return named_by(p, list, path, size);
}

const char *eop_tree_naming_key(const eop_payload *p, uint32_t list, int by,
                                char quoted[EOP_QUOTE_BYTES]) {
    uint32_t node = by >= 0 ? name_node(p, list + 1, by) : (uint32_t)EOP_NOWHERE;
    return node != EOP_NOWHERE ? eop_quote(quoted, p->nodes[node].key, p->nodes[node].key_size)
                               : "id, name or tag";
}

edgeops_status eop_tree_refuse_unnamed(eop_payload *p, uint32_t list) {
    uint32_t n = 0;
    for (uint32_t c = list + 1; c < eop_tree_next(p, list); c = eop_tree_next(p, c), n++) {
        bool named = false;
        for (int by = 0; by < (p->config.list.name != NULL ? 1 : (int)EOP_COUNT(name_words));
             by++) {
            named = named || name_node(p, c, by) != EOP_NOWHERE;
        }
        if (!named || p->config.list.name == NULL) {
            eop_tree_point(p, list);
            p->reader.start = p->nodes[c].at;
            break;
        }
    }
    return p->config.list.name != NULL
               ? eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                    "element %u of the list has no '%s', which names it", n,
                                    p->config.list.name)
               : eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                    "only some elements of the list have a name (id, name or tag); "
                                    "\"list\" says what names them");
}

edgeops_status eop_tree_read_name(eop_payload *p, uint32_t element, int by, eop_part *out) {
    uint32_t node = name_node(p, element, by);
    p->nodes[node].used = true;
    *out = (eop_part){0};
    edgeops_status status = EDGEOPS_OK;
    eop_tree_point(p, node);
    if (eop_tree_seek(p, node) == EOP_TOKEN_NUMBER) {
        *out = (eop_part){p->reader.raw, p->reader.raw_size};
    } else if (!eop_payload_text(p, &out->text, &out->size)) {
        return eop_fail_nomem("payload");
    } else if (out->size == 0) {
        status = eop_payload_refuse(p, EDGEOPS_E_INVALID, "an element's name is empty");
    }
    return status;
}

uint32_t eop_tree_find(eop_payload *p, uint32_t node, const char *path, size_t size) {
    uint8_t token = p->nodes[node].token;
    if (size == 0) {
        return node;
    }
    if (token == EOP_TOKEN_ARRAY) {
        const char *dot = memchr(path, '.', size);
        size_t level = dot != NULL ? (size_t)(dot - path) : size;
        uint32_t element = eop_tree_find_element(p, node, path, level);
        return element == EOP_NOWHERE || dot == NULL
                   ? element
                   : eop_tree_find(p, element, dot + 1, size - level - 1);
    }
    for (uint32_t c = node + 1; token == EOP_TOKEN_OBJECT && c < eop_tree_next(p, node);
         c = eop_tree_next(p, c)) {
        size_t k = p->nodes[c].key_size;
        if (k > size || memcmp(p->nodes[c].key, path, k) != 0 || (k < size && path[k] != '.')) {
            continue;
        }
        uint32_t found = k == size ? c : eop_tree_find(p, c, path + k + 1, size - k - 1);
        if (found != EOP_NOWHERE) {
            return found;
        }
    }
    return EOP_NOWHERE;
}

uint32_t eop_tree_find_element(eop_payload *p, uint32_t list, const char *key, size_t size) {
    int by = eop_tree_named_by(p, list);
    int64_t place = -1;
    int64_t at = 0;
    if (by == EOP_UNNAMED && !eop_int64_text(&place, key, size)) {
        return EOP_NOWHERE;
    }
    for (uint32_t c = list + 1; by != EOP_SOME_NAMED && c < eop_tree_next(p, list);
         c = eop_tree_next(p, c), at++) {
        size_t used = p->text_used;
        eop_part name = {0};
        if (by == EOP_UNNAMED ? at == place
                              : eop_tree_read_name(p, c, by, &name) == EDGEOPS_OK &&
                                    name.size == size && memcmp(name.text, key, size) == 0) {
            p->text_used = used;
            return c;
        }
        p->text_used = used;
    }
    return EOP_NOWHERE;
}
