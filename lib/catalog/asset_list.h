/* SPDX-License-Identifier: Apache-2.0 */
/* The assets of the catalog and their channels, found by name, id or position. The store's series
 * begin with an eop_asset, so that this one list serves both rooms. The caller's lock guards it. */
#ifndef EOP_CATALOG_ASSET_LIST_H
#define EOP_CATALOG_ASSET_LIST_H

#include <stdbool.h>

#include "base/type.h"
#include "catalog/names.h"

#define EOP_ASSETS_MAX       100000u
#define EOP_ASSET_NAME_MAX   200u
#define EOP_CHANNEL_NAME_MAX 128u

/** What is at a position. A channel that changes its type gets a new position (store/retype.h); its
 * earlier ones are hidden: they have no name that anybody can give. */
typedef enum eop_channel_state {
    EOP_CHANNEL_LIVE,
    EOP_CHANNEL_NEW, /**< hidden; is being filled */
    EOP_CHANNEL_OLD, /**< hidden; its cells are to be removed */
    EOP_CHANNEL_GONE /**< hidden; has no cells */
} eop_channel_state;

typedef struct eop_channel {
    char *name; /* first: eop_names */
    char *unit;
    edgeops_type type;
    uint32_t length;   /**< elements of a value */
    uint32_t position; /**< in the asset */
    uint64_t hash;
    uint64_t stamp; /**< of the last sample that set it, to find a name given twice */
    eop_channel_state state;
    uint32_t successor; /**< OLD, GONE: the position that its values went to; 0: none */
    bool heir;          /**< some channel's successor */
} eop_channel;

typedef struct eop_asset {
    char *name; /* first: eop_names */
    uint64_t hash;
    uint32_t id;
    uint32_t channel_count; /**< with the hidden ones */
    uint32_t hidden_count;
    eop_channel **channels; /**< by position */
    size_t channel_capacity;
    eop_names by_name;
    uint16_t *layout; /**< positions of the channels of the last sample, in its order */
    size_t layout_count;
    size_t layout_capacity;
    uint64_t base;    /**< ordinal before its first row, as of loading or adding */
    uint64_t version; /**< grows when a channel is added or changes its unit */
    uint64_t mark;    /**< stamp of the last walk that returned it */
} eop_asset;

typedef struct eop_asset_list {
    size_t item_bytes; /**< size of an item, which begins with an eop_asset; 0: only that */
    eop_names by_name;
    eop_asset **items; /**< by ascending id */
    size_t count;
    size_t capacity;
    uint32_t next_id;
    uint64_t epoch; /**< grows when an asset is removed: kept pointers to assets are then invalid */
    uint64_t stamp;
} eop_asset_list;

void eop_asset_list_dispose(eop_asset_list *list);
/** Marks an id as used elsewhere: no new asset gets it. */
void eop_asset_list_skip_id(eop_asset_list *list, uint32_t id);
eop_asset *eop_asset_list_find(const eop_asset_list *list, const char *name);
eop_asset *eop_asset_list_by_id(const eop_asset_list *list, uint32_t id);
/** Adds an asset, all 0 but for its name, with an id above all others. E_LIMIT. */
edgeops_status eop_asset_list_add(eop_asset **out, eop_asset_list *list, const char *name,
                                  uint32_t id);
/** Removes the asset and frees it. */
void eop_asset_list_remove(eop_asset_list *list, eop_asset *asset);

/** Never a hidden one. */
eop_channel *eop_asset_channel(const eop_asset *asset, const char *name);
/** Walks the channels that are not hidden, in the order in which they were first made, whatever
 * positions they have now. *place: 0 at the beginning. NULL: no more. */
eop_channel *eop_asset_next_channel(const eop_asset *asset, uint32_t *place);
/** How many of them there are. */
static inline uint32_t eop_asset_shown(const eop_asset *asset) {
    return asset->channel_count - asset->hidden_count;
}
/** Adds a channel at the next position. E_LIMIT. */
edgeops_status eop_asset_add_channel(eop_asset *asset, const char *name, edgeops_type type,
                                     uint32_t length, const char *unit);
/** The catalog's name for a hidden channel: with a control character, as no channel may have. */
#define EOP_HIDDEN_NAME 32u
void eop_hidden_name(char out[EOP_HIDDEN_NAME], eop_channel_state state, uint32_t position,
                     uint32_t successor);
/** Whether it is such a name, and what it says. */
bool eop_hidden_name_read(eop_channel_state *state, uint32_t *successor, const char *name);
/** Hides a channel; its name stays. successor: a position behind it, 0: none. */
void eop_asset_hide(eop_asset *asset, eop_channel *channel, eop_channel_state state,
                    uint32_t successor);
/** Shows a hidden channel under the name it has. Cannot fail: eop_map_reserve() has made room. */
void eop_asset_unhide(eop_asset *asset, eop_channel *channel);
/** Removes trailing channels until n remain. */
void eop_asset_drop_channels(eop_asset *asset, uint32_t n);
/** Whether a value, which is not null, has the channel's type and length. */
static inline bool eop_channel_holds(const eop_channel *channel, const edgeops_value *value) {
    return value->type == channel->type && eop_value_length(value) == channel->length;
}

#endif /* EOP_CATALOG_ASSET_LIST_H */
