/* SPDX-License-Identifier: Apache-2.0 */
/* Messages with lists of objects. The message is read as a whole first (payload_tree.c), since a
 * member may come behind what it is about; payload_entries.c finds what is a sample, or a part of
 * one; here entries of one asset and time become a sample, with their values. Elements of lists go
 * by the member that names them, never by place. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "codec/payload_tree.h"

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
    for (uint32_t c = object + 1; status == EDGEOPS_OK && c < eop_tree_next(p, object);
         c = eop_tree_next(p, c)) {
        status = put_value(p, c, join(p, path, p->nodes[c].key, p->nodes[c].key_size));
    }
    return status;
}

/* A list or an object gave several values: each has the code of the whole, unless it has its own. */
static edgeops_status spread_rate(eop_payload *p, size_t first_value, size_t first_rate) {
    size_t own = p->rate_count - 1;
    uint16_t code = p->rates[own].code;
    for (size_t k = first_value; k < p->value_count; k++) {
        bool rated = false;
        for (size_t i = first_rate; i <= own && !rated; i++) {
            rated = p->rates[i].channel == p->channels[k];
        }
        if (rated) {
            continue;
        }
        if (!eop_grow(&p->rates, &p->rate_capacity, p->rate_count + 1, sizeof(*p->rates))) {
            return eop_fail_nomem("payload");
        }
        p->rates[p->rate_count++] = (eop_rate){p->channels[k], code};
    }
    return EDGEOPS_OK;
}

/* The code of the values that were put last, from the given ones on, or of a null. */
static edgeops_status put_quality(eop_payload *p, uint32_t element, size_t path, size_t first_value,
                                  size_t first_rate) {
    const eop_list_config *list = &p->config.list;
    const char *const members[] = {list->extended, list->quality};
    eop_member *m =
        path <= EOP_PATH_BYTES ? eop_members_get(&p->members, &p->config, p->path, path) : NULL;
    for (size_t i = 0; m != NULL && m->channel != NULL && i < EOP_COUNT(members); i++) {
        uint32_t node = members[i][0] != '\0'
                            ? eop_tree_find_path(p, element, members[i], strlen(members[i]))
                            : (uint32_t)EOP_NOWHERE;
        if (node != EOP_NOWHERE && p->nodes[node].token != EOP_TOKEN_NULL) {
            eop_tree_point(p, node);
            bool qc = i == 1 && p->config.quality_is_qc;
            edgeops_status status = eop_payload_put_rate(p, m, eop_tree_seek(p, node), qc);
            return status == EDGEOPS_OK ? spread_rate(p, first_value, first_rate) : status;
        }
    }
    return EDGEOPS_OK;
}

/* An element of a list, by its name. */
static edgeops_status put_element(eop_payload *p, uint32_t element, int by, size_t path) {
    const eop_list_config *list = &p->config.list;
    size_t used = p->text_used;
    eop_part name;
    edgeops_status status = eop_tree_read_name(p, element, by, &name);
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
    uint32_t value = eop_tree_find_path(p, element, list->value, strlen(list->value));
    if (value == EOP_NOWHERE) {
        return EDGEOPS_OK; /* as a null */
    }
    size_t first_value = p->value_count;
    size_t first_rate = p->rate_count;
    status = put_value(p, value, path);
    return status == EDGEOPS_OK ? put_quality(p, element, path, first_value, first_rate) : status;
}

/* What an element calls its time: the config's word, or one that is usual; NULL: it has none. */
static const char *own_time(const eop_payload *p, uint32_t element) {
    const char *const words[] = {p->config.time, "ts", "time", "timestamp"};
    for (size_t i = 0; i < EOP_COUNT(words); i++) {
        uint32_t node = words[i][0] != '\0'
                            ? eop_tree_find_path(p, element, words[i], strlen(words[i]))
                            : (uint32_t)EOP_NOWHERE;
        if (node != EOP_NOWHERE && (p->nodes[node].token == EOP_TOKEN_STRING ||
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
    for (uint32_t c = list + 1; c < eop_tree_next(p, list); c = eop_tree_next(p, c)) {
        const char *time = p->nodes[c].token == EOP_TOKEN_OBJECT ? own_time(p, c) : NULL;
        if (time != NULL) {
            p->reader.start = p->nodes[list].at;
            return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                      "its elements have a time each, in '%s': \"values\": \"%s\" "
                                      "and \"time\" take them",
                                      time, eop_quote(quoted, p->path, path));
        }
    }
    return by == EOP_SOME_NAMED ? eop_tree_refuse_unnamed(p, list) : EDGEOPS_OK;
}

static edgeops_status put_list(eop_payload *p, uint32_t list, size_t path) {
    int by = eop_tree_named_inside(p, list, p->path, path);
    uint32_t place = 0;
    edgeops_status status = check_list(p, list, path, by);
    for (uint32_t c = list + 1; status == EDGEOPS_OK && c < eop_tree_next(p, list);
         c = eop_tree_next(p, c)) {
        char index[EOP_PLACE_BYTES];
        if (by >= 0) {
            status = put_element(p, c, by, path);
            continue;
        }
        size_t size = eop_payload_place(index, place++);
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
        (void)eop_tree_seek(p, node);
        return eop_payload_put_array(p, m);
    }
    if (token == EOP_TOKEN_ARRAY) {
        return put_list(p, node, path);
    }
    if (token == EOP_TOKEN_OBJECT) {
        return put_members(p, node, path);
    }
    return eop_payload_put_member(p, m, eop_tree_seek(p, node));
}

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

static bool is_same(const eop_entry *a, const eop_entry *b) {
    return a->time == b->time && a->seq == b->seq && strcmp(a->name, b->name) == 0;
}

/* Whether an element is called as one of the sample before it; *names: those of the sample. */
static edgeops_status repeats(eop_payload *p, const eop_entry *e, eop_map *names, bool *again) {
    size_t used = p->text_used;
    eop_part name;
    bool fresh = true;
    edgeops_status status = eop_tree_read_name(p, e->node, e->by, &name);
    p->text_used = used;
    if (status == EDGEOPS_OK && !eop_map_note(names, eop_hash64(name.text, name.size), &fresh)) {
        status = eop_fail_nomem("payload");
    }
    *again = !fresh;
    return status;
}

/* Named elements of one asset and time come together, at the place of the first; from where a name
 * comes again they are the next sample, unless they say themselves that they are one. The entries
 * are in the order of their samples. */
static edgeops_status join_named(eop_payload *p) {
    eop_map names = {0};
    eop_entry *last = NULL; /* named, of the sample that the next may belong to */
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < p->entry_count && status == EDGEOPS_OK; i++) {
        eop_entry *e = &p->entries[i];
        bool again = false;
        if (!e->named) {
            continue;
        }
        bool same = last != NULL && is_same(e, last);
        if (!same) {
            eop_map_dispose(&names);
        }
        if (!e->numbered) {
            status = repeats(p, e, &names, &again);
        }
        if (again && status == EDGEOPS_OK) {
            eop_map_dispose(&names);
            status = repeats(p, e, &names, &same);
            same = false;
        }
        e->rank = same ? last->rank : e->rank;
        last = e;
    }
    eop_map_dispose(&names);
    return status;
}

static edgeops_status group(eop_payload *p) {
    if (p->entry_count < 2) {
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < p->entry_count; i++) {
        bool members = p->config.asset_member_count > 0;
        p->entries[i].name = members ? p->names.data + p->entries[i].asset : p->asset;
        p->entries[i].rank = p->entries[i].order;
    }
    qsort(p->entries, p->entry_count, sizeof(*p->entries), by_sample);
    edgeops_status status = join_named(p);
    qsort(p->entries, p->entry_count, sizeof(*p->entries), by_rank);
    return status;
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
    if (status == EDGEOPS_OK) {
        status = eop_payload_place_sample(p, e->seq, e->numbered, p->nodes[e->node].at);
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
        eop_tree_read_name(p, e->node, e->by, &name) != EDGEOPS_OK) {
        return eop_entries_refuse_empty(p, 0);
    }
    p->member = NULL;
    p->reader.start = p->nodes[e->node].at;
    return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                              "the sample has no values in '%s'; elements go by their names, as "
                              "'%s', not by place",
                              p->config.values, eop_quote(quoted, name.text, name.size));
}

edgeops_status eop_payload_read_lists(eop_payload *p) {
    edgeops_status status = eop_tree_read(p);
    size_t at = 0;
    if (status == EDGEOPS_OK) {
        status = eop_entries_read(p);
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
