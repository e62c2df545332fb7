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

typedef struct eop_channel {
    char *name; /* first: eop_names */
    char *unit;
    edgeops_type type;
    uint32_t length;   /**< elements of a value */
    uint32_t position; /**< in the asset */
    uint64_t hash;
    uint64_t stamp; /**< of the last sample that set it, to find a name given twice */
} eop_channel;

typedef struct eop_asset {
    char *name; /* first: eop_names */
    uint64_t hash;
    uint32_t id;
    uint32_t channel_count;
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

eop_channel *eop_asset_channel(const eop_asset *asset, const char *name);
/** Adds a channel at the next position. E_LIMIT. */
edgeops_status eop_asset_add_channel(eop_asset *asset, const char *name, edgeops_type type,
                                     uint32_t length, const char *unit);
/** Removes trailing channels until n remain. */
void eop_asset_drop_channels(eop_asset *asset, uint32_t n);
/** Whether a value, which is not null, has the channel's type and length. */
static inline bool eop_channel_holds(const eop_channel *channel, const edgeops_value *value) {
    return value->type == channel->type && eop_value_length(value) == channel->length;
}

#endif /* EOP_CATALOG_ASSET_LIST_H */
