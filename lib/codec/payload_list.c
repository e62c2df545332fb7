/* SPDX-License-Identifier: Apache-2.0 */
/* Messages with lists of objects. The message is read as a whole first, since a member may come
 * behind what it is about; then the values' place is looked for, each element of a list there gets
 * its asset, time and number (its own, else those around it), and entries of one asset and time
 * become a sample. Elements are told apart by a member that names them, never by place. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"
#include "codec/payload_decoder.h"

#define NOWHERE UINT32_MAX

/* What names the elements of a list. */
enum { UNNAMED = -1, SOME_NAMED = -2 };
/* Of the first STRICT_WORDS it is an error when only some elements have them. */
static const char *const name_words[] = {"id",     "name",     "tag",     "tagname",  "key",
                                         "sensor", "signal",   "metric",  "variable", "channel",
                                         "device", "sensorid", "deviceid"};
#define STRICT_WORDS 4

/* An object that what is inside it may share: the message, or an element of a list on the way. */
typedef struct scope {
    const struct scope *outer;
    const char *prefix; /* its path as the config writes it, without places in lists */
    size_t prefix_size;
    uint32_t node;
    uint32_t time;
    uint32_t seq;
    uint32_t parts[EOP_ASSET_MEMBERS];
} scope;

static uint32_t next_of(const eop_payload *p, uint32_t node) {
    return p->nodes[node].end;
}

static eop_token seek(eop_payload *p, uint32_t node) {
    eop_reader_seek(&p->reader, p->nodes[node].at);
    return eop_reader_next(&p->reader);
}

/* So that an error names its place. */
static void point_at(eop_payload *p, uint32_t node) {
    p->reader.start = p->nodes[node].at;
    p->member = p->nodes[node].key;
    p->member_size = p->nodes[node].key_size;
}

/* -- the message as a whole -- */

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

static edgeops_status read_nodes(eop_payload *p) {
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

/* -- names of elements -- */

static bool is_list_of_objects(const eop_payload *p, uint32_t list) {
    for (uint32_t c = list + 1; c < next_of(p, list); c = next_of(p, c)) {
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
    for (uint32_t c = object + 1; c < next_of(p, object); c = next_of(p, c)) {
        if (says(p->nodes[c].key, p->nodes[c].key_size, word)) {
            return c;
        }
    }
    return NOWHERE;
}

/* Of an object, by keys alone. */
static uint32_t find_path(const eop_payload *p, uint32_t object, const char *path, size_t size) {
    if (p->nodes[object].token != EOP_TOKEN_OBJECT) {
        return NOWHERE;
    }
    for (uint32_t c = object + 1; c < next_of(p, object); c = next_of(p, c)) {
        size_t k = p->nodes[c].key_size;
        if (k > size || memcmp(p->nodes[c].key, path, k) != 0) {
            continue;
        }
        if (k == size) {
            return c;
        }
        uint32_t inner =
            path[k] == '.' ? find_path(p, c, path + k + 1, size - k - 1) : (uint32_t)NOWHERE;
        if (inner != NOWHERE) {
            return inner;
        }
    }
    return NOWHERE;
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
    uint32_t node = name != NULL ? find_path(p, element, name, strlen(name))
                                 : find_word(p, element, name_words[by]);
    bool good =
        node != NOWHERE && (p->nodes[node].token == EOP_TOKEN_STRING || is_integer(p, node));
    return good ? node : NOWHERE;
}

/* The asset's name is made of it. */
static bool names_asset(const eop_payload *p, const char *word) {
    for (size_t i = 0; i < p->config.asset_member_count; i++) {
        const char *dot = strrchr(p->config.asset_members[i], '.');
        const char *last = dot != NULL ? dot + 1 : p->config.asset_members[i];
        if (says(last, strlen(last), word)) {
            return true;
        }
    }
    return false;
}

static uint32_t count_named(const eop_payload *p, uint32_t list, int by) {
    uint32_t n = 0;
    for (uint32_t c = list + 1; c < next_of(p, list); c = next_of(p, c)) {
        n += name_node(p, c, by) != NOWHERE;
    }
    return n;
}

/* Index of the word, or UNNAMED, or SOME_NAMED. */
static int named_by(const eop_payload *p, uint32_t list) {
    const char *given = p->config.list.name;
    int some = UNNAMED;
    if ((given != NULL && given[0] == '\0') || !is_list_of_objects(p, list)) {
        return UNNAMED;
    }
    for (int by = 0; by < (given != NULL ? 1 : (int)EOP_COUNT(name_words)); by++) {
        bool strict = given != NULL || by < STRICT_WORDS;
        if ((given == NULL && names_asset(p, name_words[by])) ||
            (!strict && name_node(p, list + 1, by) == NOWHERE)) {
            continue;
        }
        uint32_t n = count_named(p, list, by);
        if (n == p->nodes[list].count) {
            return by;
        }
        some = strict && n > 0 ? SOME_NAMED : some;
    }
    return some;
}

/* How the elements of a list call what names them. */
static const char *naming_key(const eop_payload *p, uint32_t list, int by,
                              char quoted[EOP_QUOTE_BYTES]) {
    uint32_t node = by >= 0 ? name_node(p, list + 1, by) : (uint32_t)NOWHERE;
    return node != NOWHERE ? eop_quote(quoted, p->nodes[node].key, p->nodes[node].key_size)
                           : "id, name or tag";
}

static edgeops_status refuse_unnamed(eop_payload *p, uint32_t list) {
    uint32_t n = 0;
    for (uint32_t c = list + 1; c < next_of(p, list); c = next_of(p, c), n++) {
        bool named = false;
        for (int by = 0; by < (p->config.list.name != NULL ? 1 : (int)EOP_COUNT(name_words));
             by++) {
            named = named || name_node(p, c, by) != NOWHERE;
        }
        if (!named || p->config.list.name == NULL) {
            point_at(p, list);
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

/* An element's name; the text is borrowed until text_used is put back. */
static edgeops_status read_name(eop_payload *p, uint32_t element, int by, eop_part *out) {
    uint32_t node = name_node(p, element, by);
    p->nodes[node].used = true;
    *out = (eop_part){0};
    edgeops_status status = EDGEOPS_OK;
    point_at(p, node);
    if (seek(p, node) == EOP_TOKEN_NUMBER) {
        *out = (eop_part){p->reader.raw, p->reader.raw_size};
    } else if (!eop_payload_text(p, &out->text, &out->size)) {
        return eop_fail_nomem("payload");
    } else if (out->size == 0) {
        status = eop_payload_refuse(p, EDGEOPS_E_INVALID, "an element's name is empty");
    }
    return status;
}

/* -- where things are -- */

static uint32_t find_element(eop_payload *p, uint32_t list, const char *key, size_t size);

/* A path from an object or a list; in a list by name, in one without names by place. */
static uint32_t find(eop_payload *p, uint32_t node, const char *path, size_t size) {
    uint8_t token = p->nodes[node].token;
    if (size == 0) {
        return node;
    }
    if (token == EOP_TOKEN_ARRAY) {
        const char *dot = memchr(path, '.', size);
        size_t level = dot != NULL ? (size_t)(dot - path) : size;
        uint32_t element = find_element(p, node, path, level);
        return element == NOWHERE || dot == NULL ? element
                                                 : find(p, element, dot + 1, size - level - 1);
    }
    for (uint32_t c = node + 1; token == EOP_TOKEN_OBJECT && c < next_of(p, node);
         c = next_of(p, c)) {
        size_t k = p->nodes[c].key_size;
        if (k > size || memcmp(p->nodes[c].key, path, k) != 0 || (k < size && path[k] != '.')) {
            continue;
        }
        uint32_t found = k == size ? c : find(p, c, path + k + 1, size - k - 1);
        if (found != NOWHERE) {
            return found;
        }
    }
    return NOWHERE;
}

static uint32_t find_element(eop_payload *p, uint32_t list, const char *key, size_t size) {
    int by = named_by(p, list);
    int64_t place = -1;
    int64_t at = 0;
    if (by == UNNAMED && !eop_int64_text(&place, key, size)) {
        return NOWHERE;
    }
    for (uint32_t c = list + 1; by != SOME_NAMED && c < next_of(p, list); c = next_of(p, c), at++) {
        size_t used = p->text_used;
        eop_part name = {0};
        if (by == UNNAMED ? at == place
                          : read_name(p, c, by, &name) == EDGEOPS_OK && name.size == size &&
                                memcmp(name.text, key, size) == 0) {
            p->text_used = used;
            return c;
        }
        p->text_used = used;
    }
    return NOWHERE;
}

/* A path of the config, of which an element may be the beginning. */
static uint32_t find_in_scope(eop_payload *p, const scope *s, const char *path) {
    size_t size = strlen(path);
    size_t skip = s->prefix_size + 1;
    if (s->prefix_size > 0 && size > skip && memcmp(path, s->prefix, skip - 1) == 0 &&
        path[skip - 1] == '.') {
        path += skip;
        size -= skip;
    }
    return size > 0 ? find(p, s->node, path, size) : NOWHERE;
}

static void look_around(eop_payload *p, scope *s, bool element) {
    const eop_payload_config *config = &p->config;
    bool own = element && config->list.time[0] != '\0';
    s->time = find_in_scope(p, s, own ? config->list.time : config->time);
    s->seq = find_in_scope(p, s, config->seq);
    for (size_t i = 0; i < config->asset_member_count; i++) {
        s->parts[i] = find_in_scope(p, s, config->asset_members[i]);
    }
}

/* -- entries -- */

static edgeops_status find_time(eop_payload *p, const scope *s, eop_entry *entry) {
    bool timed = false;
    edgeops_status status = EDGEOPS_OK;
    uint32_t at = s->node;
    for (; status == EDGEOPS_OK && !timed && s != NULL; s = s->outer) {
        if (s->time != NOWHERE) {
            p->nodes[s->time].used = true;
            point_at(p, s->time);
            status = eop_payload_read_time(p, seek(p, s->time), &entry->time, &timed);
        }
    }
    if (status == EDGEOPS_OK && !timed) {
        entry->time = p->arrived;
        entry->untimed = true;
        if (p->config.untimed_refused) {
            point_at(p, at);
            status = eop_payload_untimed(p);
        }
    }
    return status;
}

static edgeops_status find_seq(eop_payload *p, const scope *s, eop_entry *entry) {
    bool numbered = false;
    edgeops_status status = EDGEOPS_OK;
    for (const scope *at = s; status == EDGEOPS_OK && !numbered && at != NULL; at = at->outer) {
        if (at->seq != NOWHERE) {
            p->nodes[at->seq].used = true;
            point_at(p, at->seq);
            status = eop_payload_read_seq(p, seek(p, at->seq), &entry->seq, &numbered);
            entry->numbered = numbered && at == s;
        }
    }
    return status;
}

static edgeops_status find_asset(eop_payload *p, const scope *s, eop_entry *entry) {
    size_t used = p->text_used;
    edgeops_status status = EDGEOPS_OK;
    memset(p->parts, 0, sizeof(p->parts));
    for (size_t i = 0; i < p->config.asset_member_count; i++) {
        for (const scope *at = s; status == EDGEOPS_OK && p->parts[i].text == NULL && at != NULL;
             at = at->outer) {
            if (at->parts[i] != NOWHERE) {
                p->nodes[at->parts[i]].used = true;
                point_at(p, at->parts[i]);
                status = eop_payload_read_part(p, seek(p, at->parts[i]), &p->parts[i]);
            }
        }
    }
    if (status == EDGEOPS_OK && p->config.asset_member_count > 0) {
        point_at(p, s->node);
        status = eop_payload_name_asset(p);
        entry->asset = p->name_at;
    }
    p->text_used = used;
    return status;
}

static edgeops_status add_entry(eop_payload *p, const scope *s, uint32_t node, int by) {
    if (!eop_grow(&p->entries, &p->entry_capacity, p->entry_count + 1, sizeof(*p->entries))) {
        return eop_fail_nomem("payload");
    }
    eop_entry *entry = &p->entries[p->entry_count];
    *entry = (eop_entry){
        .node = node, .order = (uint32_t)p->entry_count, .by = (int8_t)by, .named = by >= 0};
    edgeops_status status = find_time(p, s, entry);
    if (status == EDGEOPS_OK) {
        status = find_seq(p, s, entry);
    }
    if (status == EDGEOPS_OK) {
        status = find_asset(p, s, entry);
    }
    p->entry_count += status == EDGEOPS_OK;
    return status;
}

/* -- from the message down to its values -- */

static edgeops_status refuse_empty(eop_payload *p, uint32_t node) {
    point_at(p, node);
    p->member = NULL;
    return p->config.values_size > 0
               ? eop_payload_refuse(p, EDGEOPS_E_INVALID, "the sample has no values in '%s'",
                                    p->config.values)
               : eop_payload_refuse(p, EDGEOPS_E_INVALID, "the sample has no values");
}

static edgeops_status refuse_element(eop_payload *p, uint32_t list, uint32_t element) {
    point_at(p, list);
    p->reader.start = p->nodes[element].at;
    return eop_payload_refuse(p, EDGEOPS_E_INVALID, "each element of the %s must be an object",
                              p->member != NULL ? "list" : "array");
}

static edgeops_status take_list(eop_payload *p, const scope *outer, uint32_t list) {
    const eop_list_config *config = &p->config.list;
    int by = named_by(p, list);
    bool must = config->name != NULL && config->name[0] != '\0';
    edgeops_status status = EDGEOPS_OK;
    for (uint32_t c = list + 1; status == EDGEOPS_OK && c < next_of(p, list); c = next_of(p, c)) {
        scope s = {outer, p->config.values, p->config.values_size, c, 0, 0, {0}};
        if (p->nodes[c].token != EOP_TOKEN_OBJECT) {
            return refuse_element(p, list, c);
        }
        if (by == SOME_NAMED || (must && by == UNNAMED)) {
            return refuse_unnamed(p, list);
        }
        look_around(p, &s, true);
        if (by >= 0 && config->name == NULL && s.time != NOWHERE) {
            char quoted[EOP_QUOTE_BYTES];
            const char *key = naming_key(p, list, by, quoted);
            point_at(p, list);
            return eop_payload_refuse(
                p, EDGEOPS_E_INVALID,
                "its elements have both '%s' and a time: \"list\": {\"name\": \"%s\"} makes "
                "channels of them, \"list\": {\"name\": \"\"} samples",
                key, key);
        }
        status = add_entry(p, &s, c, by);
    }
    return status;
}

static edgeops_status take_values(eop_payload *p, const scope *s, uint32_t node) {
    if (p->nodes[node].token == EOP_TOKEN_ARRAY) {
        return take_list(p, s, node);
    }
    if (p->nodes[node].token != EOP_TOKEN_OBJECT) {
        return refuse_empty(p, s->node);
    }
    if (p->config.list.value[0] != '\0' && p->config.values_size > 0) {
        point_at(p, node);
        return eop_payload_refuse(p, EDGEOPS_E_INVALID, "it is an object, where a list belongs");
    }
    return add_entry(p, s, node, UNNAMED);
}

/* The member with that path, else one that begins it; *used: bytes of its key. */
static uint32_t next_level(const eop_payload *p, uint32_t object, const char *path, size_t *used) {
    size_t size = strlen(path);
    uint32_t found = NOWHERE;
    for (uint32_t c = object + 1; c < next_of(p, object); c = next_of(p, c)) {
        size_t k = p->nodes[c].key_size;
        bool begins = k <= size && memcmp(p->nodes[c].key, path, k) == 0;
        if (begins && (k == size || (path[k] == '.' && found == NOWHERE))) {
            found = c;
            *used = k;
        }
    }
    return found;
}

static edgeops_status descend(eop_payload *p, const scope *s, uint32_t node, const char *full,
                              const char *path);

/* An element of a list on the way; path: what is behind it, of the config's `full`. */
static edgeops_status descend_element(eop_payload *p, const scope *outer, uint32_t element,
                                      const char *full, const char *path) {
    scope s = {outer, full, path > full ? (size_t)(path - full) - 1 : 0, element, 0, 0, {0}};
    if (*path == '\0') {
        s.prefix_size = strlen(full);
    }
    look_around(p, &s, false);
    return descend(p, &s, element, full, path);
}

/* A list on the way to the values: by name or place where the path says so, else each element. */
static edgeops_status descend_list(eop_payload *p, const scope *s, uint32_t list, const char *full,
                                   const char *path) {
    size_t level = strcspn(path, ".");
    uint32_t element = find_element(p, list, path, level);
    char quoted[EOP_QUOTE_BYTES];
    int by = p->config.list.name == NULL ? named_by(p, list) : UNNAMED;
    edgeops_status status = EDGEOPS_OK;
    if (element != NOWHERE) {
        path += level + (path[level] == '.');
        return p->nodes[element].token == EOP_TOKEN_OBJECT
                   ? descend_element(p, s, element, full, path)
                   : descend(p, s, element, full, path);
    }
    if (by != UNNAMED) {
        point_at(p, list);
        return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                  "its elements have a name, '%s': make the asset's name of it, or "
                                  "\"list\": {\"name\": \"\"} takes each as a sample",
                                  naming_key(p, list, by, quoted));
    }
    for (uint32_t c = list + 1; status == EDGEOPS_OK && c < next_of(p, list); c = next_of(p, c)) {
        status = p->nodes[c].token == EOP_TOKEN_OBJECT ? descend_element(p, s, c, full, path)
                                                       : refuse_element(p, list, c);
    }
    return status;
}

static edgeops_status descend(eop_payload *p, const scope *s, uint32_t node, const char *full,
                              const char *path) {
    size_t used = 0;
    if (*path == '\0') {
        return take_values(p, s, node);
    }
    if (p->nodes[node].token == EOP_TOKEN_ARRAY) {
        return descend_list(p, s, node, full, path);
    }
    uint32_t inner = p->nodes[node].token == EOP_TOKEN_OBJECT ? next_level(p, node, path, &used)
                                                              : (uint32_t)NOWHERE;
    if (inner == NOWHERE) {
        return refuse_empty(p, s->node);
    }
    path += used;
    return descend(p, s, inner, full, path + (*path == '.'));
}

static edgeops_status take_object(eop_payload *p, uint32_t object) {
    scope s = {NULL, "", 0, object, 0, 0, {0}};
    const char *path = p->config.values;
    if (p->config.format == EOP_FORMAT_DATABUS && strcmp(path, "vals") == 0 &&
        find_path(p, object, "records", 7) != NOWHERE) {
        path = "records.vals";
    }
    look_around(p, &s, false);
    return descend(p, &s, object, path, path);
}

static edgeops_status take_root(eop_payload *p) {
    edgeops_status status = EDGEOPS_OK;
    p->entry_count = 0;
    if (p->nodes[0].token == EOP_TOKEN_OBJECT) {
        return take_object(p, 0);
    }
    if (p->nodes[0].token != EOP_TOKEN_ARRAY) {
        point_at(p, 0);
        return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                  "a message is one object or an array of objects; \"format\": "
                                  "\"value\" takes a bare value");
    }
    if (p->config.list.given && p->config.values_size == 0) {
        return take_list(p, NULL, 0);
    }
    for (uint32_t c = 1; status == EDGEOPS_OK && c < next_of(p, 0); c = next_of(p, c)) {
        status =
            p->nodes[c].token == EOP_TOKEN_OBJECT ? take_object(p, c) : refuse_element(p, 0, c);
    }
    return status;
}

/* -- values -- */

/* Puts a level behind the first `prefix` bytes of the path; returns its new size. */
static size_t join(eop_payload *p, size_t prefix, const char *key, size_t size) {
    size_t dot = prefix > 0;
    size_t room = sizeof(p->path) - prefix - dot;
    size_t kept = size < room ? size : room;
    p->path[prefix] = '.';
    memcpy(p->path + prefix + dot, key, kept);
    size_t whole = prefix + dot + kept;
    return whole < EOP_PATH_BYTES + 1 ? whole : EOP_PATH_BYTES + 1;
}

static edgeops_status put_value(eop_payload *p, uint32_t node, size_t path);

static edgeops_status put_members(eop_payload *p, uint32_t object, size_t path) {
    edgeops_status status = EDGEOPS_OK;
    for (uint32_t c = object + 1; status == EDGEOPS_OK && c < next_of(p, object);
         c = next_of(p, c)) {
        status = put_value(p, c, join(p, path, p->nodes[c].key, p->nodes[c].key_size));
    }
    return status;
}

/* The code of the value that was put last, or of a null. */
static edgeops_status put_quality(eop_payload *p, uint32_t element, size_t path) {
    const eop_list_config *list = &p->config.list;
    const char *const members[] = {list->extended, list->quality};
    eop_member *m =
        path <= EOP_PATH_BYTES ? eop_members_get(&p->members, &p->config, p->path, path) : NULL;
    for (size_t i = 0; m != NULL && m->channel != NULL && i < EOP_COUNT(members); i++) {
        uint32_t node = members[i][0] != '\0'
                            ? find_path(p, element, members[i], strlen(members[i]))
                            : (uint32_t)NOWHERE;
        if (node != NOWHERE && p->nodes[node].token != EOP_TOKEN_NULL) {
            point_at(p, node);
            bool qc = i == 1 && p->config.quality_is_qc;
            return eop_payload_put_rate(p, m, seek(p, node), qc);
        }
    }
    return EDGEOPS_OK;
}

/* An element of a list, by its name. */
static edgeops_status put_element(eop_payload *p, uint32_t element, int by, size_t path) {
    const eop_list_config *list = &p->config.list;
    size_t used = p->text_used;
    eop_part name;
    edgeops_status status = read_name(p, element, by, &name);
    if (status != EDGEOPS_OK) {
        return status;
    }
    path = join(p, path, name.text, name.size);
    p->text_used = used;
    if (list->value[0] == '\0') {
        eop_member *m = NULL;
        p->reader.start = p->nodes[element].at;
        status = eop_payload_meet(p, &m, p->path, path);
        return status == EDGEOPS_OK ? put_members(p, element, path) : status;
    }
    uint32_t value = find_path(p, element, list->value, strlen(list->value));
    if (value == NOWHERE) {
        return EDGEOPS_OK; /* as a null */
    }
    status = put_value(p, value, path);
    return status == EDGEOPS_OK ? put_quality(p, element, path) : status;
}

/* What an element calls its time: the config's word, or one that is usual; NULL: it has none. */
static const char *own_time(const eop_payload *p, uint32_t element) {
    const char *const words[] = {p->config.time, "ts", "time", "timestamp"};
    for (size_t i = 0; i < EOP_COUNT(words); i++) {
        uint32_t node = words[i][0] != '\0' ? find_path(p, element, words[i], strlen(words[i]))
                                            : (uint32_t)NOWHERE;
        if (node != NOWHERE && (p->nodes[node].token == EOP_TOKEN_STRING ||
                                p->nodes[node].token == EOP_TOKEN_NUMBER)) {
            return words[i];
        }
    }
    return NULL;
}

/* A list of objects among the values: would be lost what tells its elements apart? Only where new
 * channels are added: else the config lists what is wanted of it. */
static edgeops_status check_list(eop_payload *p, uint32_t list, size_t path, int by) {
    char quoted[EOP_QUOTE_BYTES];
    if (p->config.new_channels != EOP_NEW_ADD) {
        return EDGEOPS_OK;
    }
    for (uint32_t c = list + 1; c < next_of(p, list); c = next_of(p, c)) {
        const char *time = p->nodes[c].token == EOP_TOKEN_OBJECT ? own_time(p, c) : NULL;
        if (time != NULL) {
            p->reader.start = p->nodes[list].at;
            return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                      "its elements have a time each, in '%s': \"values\": \"%s\" "
                                      "and \"time\" take them",
                                      time, eop_quote(quoted, p->path, path));
        }
    }
    return by == SOME_NAMED ? refuse_unnamed(p, list) : EDGEOPS_OK;
}

static edgeops_status put_list(eop_payload *p, uint32_t list, size_t path) {
    int by = named_by(p, list);
    uint32_t place = 0;
    edgeops_status status = check_list(p, list, path, by);
    for (uint32_t c = list + 1; status == EDGEOPS_OK && c < next_of(p, list); c = next_of(p, c)) {
        char index[16];
        if (by >= 0) {
            status = put_element(p, c, by, path);
            continue;
        }
        size_t size = (size_t)snprintf(index, sizeof(index), "%u", (unsigned)place++);
        status = put_value(p, c, join(p, path, index, size));
    }
    return status;
}

/* A value with its path, which stands in p->path. */
static edgeops_status put_value(eop_payload *p, uint32_t node, size_t path) {
    eop_member *m = NULL;
    eop_token token = (eop_token)p->nodes[node].token;
    p->reader.start = p->nodes[node].at;
    edgeops_status status = eop_payload_meet(p, &m, p->path, path);
    if (status != EDGEOPS_OK || m == NULL || (p->nodes[node].used && !m->listed) ||
        m->role == EOP_MEMBER_TIME || m->role == EOP_MEMBER_SEQ) {
        return status;
    }
    if (token == EOP_TOKEN_ARRAY && m->role == EOP_MEMBER_CHANNEL && m->length > 1) {
        (void)seek(p, node);
        return eop_payload_put_array(p, m);
    }
    if (token == EOP_TOKEN_ARRAY) {
        return put_list(p, node, path);
    }
    if (token == EOP_TOKEN_OBJECT) {
        return put_members(p, node, path);
    }
    return eop_payload_put_member(p, m, seek(p, node));
}

/* -- entries to samples -- */

static int compare_times(edgeops_time a, edgeops_time b) {
    return (a > b) - (a < b);
}

/* By what makes a sample one. */
static int by_sample(const void *a, const void *b) {
    const eop_entry *x = a;
    const eop_entry *y = b;
    int order = compare_times(x->time, y->time);
    order = order != 0 ? order : strcmp(x->name, y->name);
    order = order != 0 ? order : compare_times(x->seq, y->seq);
    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

static int by_rank(const void *a, const void *b) {
    const eop_entry *x = a;
    const eop_entry *y = b;
    int order = (x->rank > y->rank) - (x->rank < y->rank);
    return order != 0 ? order : (x->order > y->order) - (x->order < y->order);
}

/* Named elements of one asset and time come together, at the place of the first; samples of one
 * asset and time that have no number of their own count up. */
static edgeops_status group(eop_payload *p) {
    size_t first = 0;
    int64_t more = 0;
    for (size_t i = 0; i < p->entry_count; i++) {
        bool members = p->config.asset_member_count > 0;
        p->entries[i].name = members ? p->names.data + p->entries[i].asset : p->asset;
        p->entries[i].rank = p->entries[i].order;
    }
    qsort(p->entries, p->entry_count, sizeof(*p->entries), by_sample);
    for (size_t i = 1; i < p->entry_count; i++) {
        eop_entry *e = &p->entries[i];
        const eop_entry *of = &p->entries[first];
        if (e->time != of->time || e->seq != of->seq || strcmp(e->name, of->name) != 0) {
            first = i;
            more = 0;
        } else if (e->named && of->named) {
            e->rank = of->rank;
        }
        more += first < i && !e->named && !e->numbered;
        e->more = e->named || e->numbered ? 0 : more;
    }
    for (size_t i = 0; i < p->entry_count; i++) {
        eop_entry *e = &p->entries[i];
        if (__builtin_add_overflow(e->seq, e->more, &e->seq)) {
            point_at(p, e->node);
            return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                      "there is no sequence number left for it");
        }
    }
    qsort(p->entries, p->entry_count, sizeof(*p->entries), by_rank);
    return EDGEOPS_OK;
}

static edgeops_status put_entry(eop_payload *p, const eop_entry *entry) {
    size_t prefix = p->config.values_size;
    memcpy(p->path, p->config.values, prefix);
    if (!entry->named) {
        return put_members(p, entry->node, prefix);
    }
    return put_element(p, entry->node, entry->by, prefix);
}

/* The entries of one rank, from *at on. */
static edgeops_status put_sample(eop_payload *p, size_t *at) {
    const eop_entry *e = &p->entries[*at];
    size_t first = 0;
    edgeops_status status = eop_payload_begin(p, &first);
    if (status != EDGEOPS_OK) {
        return status;
    }
    edgeops_sample *sample = &p->samples[p->sample_count];
    sample->time = e->time;
    sample->seq = e->seq;
    if (p->config.asset_member_count > 0) {
        sample->asset = (const char *)(uintptr_t)e->asset;
    }
    for (size_t i = *at; status == EDGEOPS_OK && i < p->entry_count; i++) {
        if (p->entries[i].rank != e->rank) {
            break;
        }
        status = put_entry(p, &p->entries[i]);
        *at = i + 1;
    }
    if (status != EDGEOPS_OK || (e->named && sample->count == 0)) {
        return status; /* nothing but nulls: other times may have more */
    }
    status = eop_payload_end(p, first, p->nodes[e->node].at);
    if (status == EDGEOPS_OK && e->untimed) {
        status = eop_payload_untimed(p);
    }
    p->sample_count += status == EDGEOPS_OK;
    return status;
}

/* Nothing but nulls, or the config looks for elements where they stand. */
static edgeops_status refuse_nothing(eop_payload *p) {
    char quoted[EOP_QUOTE_BYTES];
    eop_part name = {0};
    const eop_entry *e = p->entries;
    if (p->entry_count == 0 || !e->named || p->config.new_channels == EOP_NEW_ADD ||
        read_name(p, e->node, e->by, &name) != EDGEOPS_OK) {
        return refuse_empty(p, 0);
    }
    p->member = NULL;
    p->reader.start = p->nodes[e->node].at;
    return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                              "the sample has no values in '%s'; elements go by their names, as "
                              "'%s', not by place",
                              p->config.values, eop_quote(quoted, name.text, name.size));
}

edgeops_status eop_payload_read_lists(eop_payload *p) {
    edgeops_status status = read_nodes(p);
    size_t at = 0;
    if (status == EDGEOPS_OK) {
        status = take_root(p);
    }
    if (status == EDGEOPS_OK) {
        status = group(p);
    }
    while (status == EDGEOPS_OK && at < p->entry_count) {
        status = put_sample(p, &at);
    }
    if (status == EDGEOPS_OK && p->sample_count == 0) {
        status = refuse_nothing(p);
    }
    return status;
}
