/* SPDX-License-Identifier: Apache-2.0 */
/* The list of assets and their channels, by name, id and position; see asset_list.h. Memory only:
 * catalog.c reads and writes the tables. The caller's lock guards it. */
#include "catalog/asset_list.h"

#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"

static void free_channel(eop_channel *channel) {
    if (channel != NULL) {
        eop_free(channel->name);
        eop_free(channel->unit);
        eop_free(channel);
    }
}

static void free_asset(eop_asset *asset) {
    if (asset == NULL) {
        return;
    }
    for (uint32_t i = 0; i < asset->channel_count; i++) {
        free_channel(asset->channels[i]);
    }
    eop_map_dispose(&asset->by_name);
    eop_free(asset->channels);
    eop_free(asset->layout);
    eop_free(asset->name);
    eop_free(asset);
}

void eop_asset_list_dispose(eop_asset_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        free_asset(list->items[i]);
    }
    eop_free(list->items);
    eop_map_dispose(&list->by_name);
    *list = (eop_asset_list){0};
}

void eop_asset_list_skip_id(eop_asset_list *list, uint32_t id) {
    if (id >= list->next_id && id < UINT32_MAX) {
        list->next_id = id + 1;
    }
}

eop_asset *eop_asset_list_find(const eop_asset_list *list, const char *name) {
    return eop_names_find(&list->by_name, name, eop_names_hash(name));
}

eop_asset *eop_asset_list_by_id(const eop_asset_list *list, uint32_t id) {
    size_t low = 0;
    size_t high = list->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (list->items[middle]->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < list->count && list->items[low]->id == id ? list->items[low] : NULL;
}

edgeops_status eop_asset_list_add(eop_asset **out, eop_asset_list *list, const char *name,
                                  uint32_t id) {
    if (list->count >= EOP_ASSETS_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store", "there are %u assets already, '%s' is one more",
                        EOP_ASSETS_MAX, name);
    }
    eop_asset *asset = eop_calloc(1, list->item_bytes > 0 ? list->item_bytes : sizeof *asset);
    if (asset == NULL) {
        return eop_fail_nomem("store");
    }
    asset->name = eop_strdup(name);
    asset->hash = eop_names_hash(name);
    asset->id = id;
    if (asset->name == NULL || !eop_map_reserve(&list->by_name) ||
        !eop_grow(&list->items, &list->capacity, list->count + 1, sizeof(eop_asset *))) {
        free_asset(asset);
        return eop_fail_nomem("store");
    }
    eop_names_add(&list->by_name, asset, asset->hash);
    list->items[list->count++] = asset;
    eop_asset_list_skip_id(list, id);
    *out = asset;
    return EDGEOPS_OK;
}

void eop_asset_list_remove(eop_asset_list *list, eop_asset *asset) {
    for (size_t i = list->count; i-- > 0;) {
        if (list->items[i] == asset) {
            memmove(&list->items[i], &list->items[i + 1],
                    (list->count - i - 1) * sizeof(eop_asset *));
            list->count--;
            break;
        }
    }
    eop_names_remove(&list->by_name, asset, asset->hash);
    list->epoch++;
    free_asset(asset);
}

eop_channel *eop_asset_channel(const eop_asset *asset, const char *name) {
    return eop_names_find(&asset->by_name, name, eop_names_hash(name));
}

eop_channel *eop_asset_next_channel(const eop_asset *asset, uint32_t *place) {
    while (*place < asset->channel_count) {
        eop_channel *channel = asset->channels[(*place)++];
        if (channel->heir) {
            continue;
        }
        while (channel->successor != 0) {
            channel = asset->channels[channel->successor];
        }
        if (channel->state == EOP_CHANNEL_LIVE) {
            return channel;
        }
    }
    return NULL;
}

/* -- hidden channels -- */

static const char state_letters[] = {[EOP_CHANNEL_LIVE] = '?',
                                     [EOP_CHANNEL_NEW] = 'n',
                                     [EOP_CHANNEL_OLD] = 'o',
                                     [EOP_CHANNEL_GONE] = 'g'};

void eop_hidden_name(char out[EOP_HIDDEN_NAME], eop_channel_state state, uint32_t position,
                     uint32_t successor) {
    eop_snprintf(out, EOP_HIDDEN_NAME, "\x01%c%u>%u", state_letters[state], position, successor);
}

bool eop_hidden_name_read(eop_channel_state *state, uint32_t *successor, const char *name) {
    const char *letter =
        name[0] == '\x01' && name[1] != '\0' ? memchr(state_letters, name[1], 4) : NULL;
    const char *at = letter != NULL ? strchr(name, '>') : NULL;
    uint32_t n = 0;
    if (at == NULL) {
        return false;
    }
    for (at++; *at >= '0' && *at <= '9' && n < EOP_CHANNELS_MAX; at++) {
        n = n * 10 + (uint32_t)(*at - '0');
    }
    *state = (eop_channel_state)(letter - state_letters);
    *successor = n;
    return *at == '\0' && n < EOP_CHANNELS_MAX;
}

void eop_asset_hide(eop_asset *asset, eop_channel *channel, eop_channel_state state,
                    uint32_t successor) {
    if (channel->state == EOP_CHANNEL_LIVE) {
        eop_names_remove(&asset->by_name, channel, channel->hash);
        asset->hidden_count++;
    }
    channel->state = state;
    channel->successor = successor;
    asset->layout_count = 0;
    asset->version++;
}

void eop_asset_unhide(eop_asset *asset, eop_channel *channel) {
    channel->hash = eop_names_hash(channel->name);
    channel->state = EOP_CHANNEL_LIVE;
    asset->hidden_count--;
    eop_names_add(&asset->by_name, channel, channel->hash);
    asset->layout_count = 0;
    asset->version++;
}

/* -- adding and dropping -- */

edgeops_status eop_asset_add_channel(eop_asset *asset, const char *name, edgeops_type type,
                                     uint32_t length, const char *unit) {
    if (asset->channel_count >= EOP_CHANNELS_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "asset '%s' has %u channels already, '%s' is one more", asset->name,
                        EOP_CHANNELS_MAX, name);
    }
    eop_channel *channel = eop_calloc(1, sizeof *channel);
    if (channel == NULL) {
        return eop_fail_nomem("store");
    }
    channel->name = eop_strdup(name);
    channel->unit = eop_strdup(unit);
    channel->type = type;
    channel->length = length;
    channel->hash = eop_names_hash(name);
    if (channel->name == NULL || channel->unit == NULL || !eop_map_reserve(&asset->by_name) ||
        !eop_grow(&asset->channels, &asset->channel_capacity, asset->channel_count + 1u,
                  sizeof(eop_channel *))) {
        free_channel(channel);
        return eop_fail_nomem("store");
    }
    channel->position = asset->channel_count;
    eop_names_add(&asset->by_name, channel, channel->hash);
    asset->channels[asset->channel_count++] = channel;
    asset->version++;
    return EDGEOPS_OK;
}

void eop_asset_drop_channels(eop_asset *asset, uint32_t n) {
    while (asset->channel_count > n) {
        eop_channel *channel = asset->channels[--asset->channel_count];
        if (channel->state == EOP_CHANNEL_LIVE) {
            eop_names_remove(&asset->by_name, channel, channel->hash);
        } else {
            asset->hidden_count--;
        }
        free_channel(channel);
        asset->version++;
        asset->layout_count = 0;
    }
}
