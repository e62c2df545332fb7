/* SPDX-License-Identifier: Apache-2.0 */
/* From a message down to where its values are, through lists on the way: an entry for each object
 * that is a sample, and for each element that is a value by name, with its asset, time and number:
 * its own, else those around it. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/payload_tree.h"

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

/* A path of the config, of which an element may be the beginning. */
static uint32_t find_in_scope(eop_payload *p, const scope *s, const char *path) {
    size_t size = strlen(path);
    size_t skip = s->prefix_size + 1;
    if (s->prefix_size > 0 && size > skip && memcmp(path, s->prefix, skip - 1) == 0 &&
        path[skip - 1] == '.') {
        path += skip;
        size -= skip;
    }
    return size > 0 ? eop_tree_find(p, s->node, path, size) : EOP_NOWHERE;
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

static edgeops_status find_time(eop_payload *p, const scope *s, eop_entry *entry) {
    bool timed = false;
    edgeops_status status = EDGEOPS_OK;
    uint32_t at = s->node;
    for (; status == EDGEOPS_OK && !timed && s != NULL; s = s->outer) {
        if (s->time != EOP_NOWHERE) {
            p->nodes[s->time].used = true;
            eop_tree_point(p, s->time);
            status = eop_payload_read_time(p, eop_tree_seek(p, s->time), &entry->time, &timed);
        }
    }
    if (status == EDGEOPS_OK && !timed) {
        entry->time = p->arrived;
        entry->untimed = true;
        if (p->config.untimed_refused) {
            eop_tree_point(p, at);
            status = eop_payload_untimed(p);
        }
    }
    return status;
}

static edgeops_status find_seq(eop_payload *p, const scope *s, eop_entry *entry) {
    bool numbered = false;
    edgeops_status status = EDGEOPS_OK;
    for (const scope *at = s; status == EDGEOPS_OK && !numbered && at != NULL; at = at->outer) {
        if (at->seq != EOP_NOWHERE) {
            p->nodes[at->seq].used = true;
            eop_tree_point(p, at->seq);
            status = eop_payload_read_seq(p, eop_tree_seek(p, at->seq), &entry->seq, &numbered);
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
            if (at->parts[i] != EOP_NOWHERE) {
                p->nodes[at->parts[i]].used = true;
                eop_tree_point(p, at->parts[i]);
                status = eop_payload_read_part(p, eop_tree_seek(p, at->parts[i]), &p->parts[i]);
            }
        }
    }
    if (status == EDGEOPS_OK && p->config.asset_member_count > 0) {
        eop_tree_point(p, s->node);
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

edgeops_status eop_entries_refuse_empty(eop_payload *p, uint32_t node) {
    eop_tree_point(p, node);
    p->member = NULL;
    return p->config.values_size > 0
               ? eop_payload_refuse(p, EDGEOPS_E_INVALID, "the sample has no values in '%s'",
                                    p->config.values)
               : eop_payload_refuse(p, EDGEOPS_E_INVALID, "the sample has no values");
}

static edgeops_status refuse_element(eop_payload *p, uint32_t list, uint32_t element) {
    eop_tree_point(p, list);
    p->reader.start = p->nodes[element].at;
    return eop_payload_refuse(p, EDGEOPS_E_INVALID, "each element of the %s must be an object",
                              p->member != NULL ? "list" : "array");
}

static edgeops_status take_list(eop_payload *p, const scope *outer, uint32_t list) {
    const eop_list_config *config = &p->config.list;
    int by = eop_tree_named_by(p, list);
    bool must = config->name != NULL && config->name[0] != '\0';
    edgeops_status status = EDGEOPS_OK;
    for (uint32_t c = list + 1; status == EDGEOPS_OK && c < eop_tree_next(p, list);
         c = eop_tree_next(p, c)) {
        scope s = {outer, p->config.values, p->config.values_size, c, 0, 0, {0}};
        if (p->nodes[c].token != EOP_TOKEN_OBJECT) {
            return refuse_element(p, list, c);
        }
        if (by == EOP_SOME_NAMED || (must && by == EOP_UNNAMED)) {
            return eop_tree_refuse_unnamed(p, list);
        }
        look_around(p, &s, true);
        if (by >= 0 && config->name == NULL && s.time != EOP_NOWHERE) {
            char quoted[EOP_QUOTE_BYTES];
            const char *key = eop_tree_naming_key(p, list, by, quoted);
            eop_tree_point(p, list);
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

/* A message that is itself what elements of its lists would be: {"tag": "T1", "value": 21.5}. */
static bool is_element(const eop_payload *p, uint32_t object) {
    const eop_list_config *list = &p->config.list;
    return p->config.values_size == 0 && list->value[0] != '\0' && list->name != NULL &&
           eop_tree_is_named(p, object, 0) &&
           eop_tree_find_path(p, object, list->value, strlen(list->value)) != EOP_NOWHERE;
}

static edgeops_status take_values(eop_payload *p, const scope *s, uint32_t node) {
    if (p->nodes[node].token == EOP_TOKEN_ARRAY) {
        return take_list(p, s, node);
    }
    if (p->nodes[node].token != EOP_TOKEN_OBJECT) {
        return eop_entries_refuse_empty(p, s->node);
    }
    if (p->config.list.value[0] != '\0' && p->config.values_size > 0) {
        eop_tree_point(p, node);
        return eop_payload_refuse(p, EDGEOPS_E_INVALID, "it is an object, where a list belongs");
    }
    return add_entry(p, s, node, is_element(p, node) ? 0 : EOP_UNNAMED);
}

/* The member with that path, else one that begins it; *used: bytes of its key. */
static uint32_t next_level(const eop_payload *p, uint32_t object, const char *path, size_t *used) {
    size_t size = strlen(path);
    uint32_t found = EOP_NOWHERE;
    for (uint32_t c = object + 1; c < eop_tree_next(p, object); c = eop_tree_next(p, c)) {
        size_t k = p->nodes[c].key_size;
        bool begins = k <= size && memcmp(p->nodes[c].key, path, k) == 0;
        if (begins && (k == size || (path[k] == '.' && found == EOP_NOWHERE))) {
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
    uint32_t element = eop_tree_find_element(p, list, path, level);
    char quoted[EOP_QUOTE_BYTES];
    int by = p->config.list.name == NULL ? eop_tree_named_by(p, list) : EOP_UNNAMED;
    edgeops_status status = EDGEOPS_OK;
    if (element != EOP_NOWHERE) {
        path += level + (path[level] == '.');
        return p->nodes[element].token == EOP_TOKEN_OBJECT
                   ? descend_element(p, s, element, full, path)
                   : descend(p, s, element, full, path);
    }
    if (by != EOP_UNNAMED) {
        eop_tree_point(p, list);
        return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                  "its elements have a name, '%s': make the asset's name of it, or "
                                  "\"list\": {\"name\": \"\"} takes each as a sample",
                                  eop_tree_naming_key(p, list, by, quoted));
    }
    for (uint32_t c = list + 1; status == EDGEOPS_OK && c < eop_tree_next(p, list);
         c = eop_tree_next(p, c)) {
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
                                                              : (uint32_t)EOP_NOWHERE;
    if (inner == EOP_NOWHERE) {
        return eop_entries_refuse_empty(p, s->node);
    }
    path += used;
    return descend(p, s, inner, full, path + (*path == '.'));
}

static edgeops_status take_object(eop_payload *p, uint32_t object) {
    scope s = {NULL, "", 0, object, 0, 0, {0}};
    const char *path = p->config.values;
    if (p->config.format == EOP_FORMAT_DATABUS && strcmp(path, "vals") == 0) {
        uint32_t records = eop_tree_find_path(p, object, "records", 7);
        bool some = records != EOP_NOWHERE && p->nodes[records].count > 0;
        if (some && eop_tree_find_path(p, object, "vals", 4) != EOP_NOWHERE) {
            eop_tree_point(p, records);
            return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                      "the message has both 'records' and 'vals'");
        }
        path = some ? "records.vals" : path;
    }
    look_around(p, &s, false);
    return descend(p, &s, object, path, path);
}

edgeops_status eop_entries_read(eop_payload *p) {
    edgeops_status status = EDGEOPS_OK;
    p->entry_count = 0;
    if (p->nodes[0].token == EOP_TOKEN_OBJECT) {
        return take_object(p, 0);
    }
    if (p->nodes[0].token != EOP_TOKEN_ARRAY) {
        eop_tree_point(p, 0);
        return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                  "a message is one object or an array of objects; \"format\": "
                                  "\"value\" takes a bare value");
    }
    if (p->config.list.given && p->config.values_size == 0) {
        return take_list(p, NULL, 0);
    }
    for (uint32_t c = 1; status == EDGEOPS_OK && c < eop_tree_next(p, 0); c = eop_tree_next(p, c)) {
        status =
            p->nodes[c].token == EOP_TOKEN_OBJECT ? take_object(p, c) : refuse_element(p, 0, c);
    }
    return status;
}
