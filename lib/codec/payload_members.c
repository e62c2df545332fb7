/* SPDX-License-Identifier: Apache-2.0 */
/* The members met so far, by path, each with its role under the configuration. The hash has a seed
 * of its own, since names come from the network. */
#include "codec/payload_members.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/time.h"

#define MAX_MEMBERS 16384

static uint64_t hash_path(uint64_t seed, const char *path, size_t size) {
    uint64_t h = seed ^ size;
    while (size >= 8) {
        uint64_t word;
        memcpy(&word, path, 8);
        h = (h ^ word) * 0x9e3779b97f4a7c15u;
        h ^= h >> 32;
        path += 8;
        size -= 8;
    }
    uint64_t rest = 0;
    memcpy(&rest, path, size);
    h = (h ^ rest) * 0xd6e8feb86659fd93u;
    return h ^ h >> 32;
}

static bool is_path(const char *config_path, const char *path, size_t size) {
    return size > 0 && strlen(config_path) == size && memcmp(config_path, path, size) == 0;
}

static int compare_from(const void *key, const void *channel) {
    return strcmp(key, ((const eop_channel *)channel)->from);
}

static bool is_listed(const eop_payload_config *config, const char *name) {
    for (size_t i = 0; i < config->channel_count; i++) {
        if (strcmp(config->channels[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static const eop_channel *rated_by(const eop_payload_config *config, const char *name) {
    for (size_t i = 0; i < config->channel_count; i++) {
        if (config->channels[i].quality[0] != '\0' &&
            strcmp(config->channels[i].quality, name) == 0) {
            return &config->channels[i];
        }
    }
    return NULL;
}

/* What a path that is in "values" is, name being what follows there. */
static void give_channel_role(eop_member *m, const eop_payload_config *config, const char *name) {
    const eop_channel *listed = NULL;
    size_t size = m->size - (size_t)(name - m->path);
    const eop_channel *rated = rated_by(config, name);
    m->channel = name;
    m->length = 1;
    if (config->channel_count > 0) {
        listed = bsearch(name, config->channels, config->channel_count, sizeof(*config->channels),
                         compare_from);
    }
    if (strlen(name) != size) {
        m->role = EOP_MEMBER_BAD_NAME; /* a NUL inside */
    } else if (listed != NULL) {
        m->role = EOP_MEMBER_CHANNEL;
        m->listed = true;
        m->channel = listed->name;
        m->type = (uint8_t)listed->type;
        m->length = listed->length;
    } else if (rated != NULL) {
        m->role = EOP_MEMBER_QUALITY;
        m->channel = rated->name;
    } else if (config->new_channels != EOP_NEW_ADD) {
        m->role = config->new_channels == EOP_NEW_IGNORE ? EOP_MEMBER_IGNORED : EOP_MEMBER_UNLISTED;
    } else if (!eop_name_valid(name, size, EOP_CHANNEL_BYTES)) {
        m->role = EOP_MEMBER_BAD_NAME;
    } else {
        m->role = is_listed(config, name) ? EOP_MEMBER_TAKEN : EOP_MEMBER_CHANNEL;
    }
}

/* A member that names the asset is a channel only where it is listed. */
static void give_asset_role(eop_member *m, const eop_payload_config *config) {
    for (size_t i = 0; i < config->asset_member_count; i++) {
        if (is_path(config->asset_members[i], m->path, m->size)) {
            m->channel = m->listed ? m->channel : NULL;
            m->role = EOP_MEMBER_ASSET;
            m->part = (uint8_t)i;
        }
    }
}

static void give_role(eop_member *m, const eop_payload_config *config) {
    size_t prefix = config->values_size;
    m->role = EOP_MEMBER_IGNORED;
    if (is_path(config->time, m->path, m->size)) {
        m->role = EOP_MEMBER_TIME;
    } else if (is_path(config->seq, m->path, m->size)) {
        m->role = EOP_MEMBER_SEQ;
    } else if (prefix == 0) {
        give_channel_role(m, config, m->path);
    } else if (m->size > prefix && memcmp(m->path, config->values, prefix) == 0 &&
               m->path[prefix] == '.') {
        give_channel_role(m, config, m->path + prefix + 1);
    }
    if (m->role != EOP_MEMBER_TIME && m->role != EOP_MEMBER_SEQ) {
        give_asset_role(m, config);
    }
}

static eop_member *find(const eop_members *members, uint64_t hash, const char *path, size_t size) {
    size_t step = 0;
    uintptr_t item;
    while ((item = eop_map_next(&members->by_path, hash, &step)) != 0) {
        eop_member *m = (eop_member *)item;
        if (m->size == size && memcmp(m->path, path, size) == 0) {
            return m;
        }
    }
    return NULL;
}

eop_member *eop_members_get(eop_members *members, const eop_payload_config *config,
                            const char *path, size_t size) {
    if (members->seed == 0) {
        members->seed = ((uint64_t)eop_now() ^ (uint64_t)(uintptr_t)members << 20) | 1;
    }
    uint64_t hash = hash_path(members->seed, path, size);
    eop_member *m = find(members, hash, path, size);
    if (m != NULL) {
        return m;
    }
    m = eop_map_reserve(&members->by_path) ? eop_calloc(1, sizeof(*m) + size + 1) : NULL;
    if (m == NULL) {
        return NULL;
    }
    memcpy(m->path, path, size);
    m->size = (uint32_t)size;
    give_role(m, config);
    m->next_made = members->made;
    members->made = m;
    eop_map_add(&members->by_path, hash, (uintptr_t)m);
    return m;
}

void eop_members_trim(eop_members *members) {
    if (members->by_path.count > MAX_MEMBERS) {
        eop_members_dispose(members);
    }
}

void eop_members_dispose(eop_members *members) {
    while (members->made != NULL) {
        eop_member *m = members->made;
        members->made = m->next_made;
        eop_free(m);
    }
    eop_map_dispose(&members->by_path);
    *members = (eop_members){0};
}

const char *eop_quote(char out[EOP_QUOTE_BYTES], const char *text, size_t size) {
    const size_t most = EOP_QUOTE_BYTES - 20;
    size_t w = 0;
    size_t i = 0;
    while (i < size && w < most) {
        unsigned char c = (unsigned char)text[i];
        size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        bool whole = i + length <= size && eop_utf8_valid(text + i, length) == length;
        bool control =
            c < 0x20 || c == 0x7f || (whole && c == 0xc2 && (unsigned char)text[i + 1] < 0xa0);
        if (!whole || control) {
            out[w++] = '?';
            i += whole ? length : 1;
            continue;
        }
        memcpy(out + w, text + i, length);
        w += length;
        i += length;
    }
    memcpy(out + w, i < size ? "..." : "", i < size ? 4 : 1);
    return out;
}
