/* SPDX-License-Identifier: Apache-2.0 */
/* The assets that the catalog knows and their channels: by name, by id, by position. What the store
 * has of an asset beside this begins with an eop_asset (series), so that one list serves both. Not
 * locked: the caller's lock. */
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
    uint32_t position; /**< within the asset */
    uint64_t hash;
    uint64_t stamp; /**< of the last sample that set it: finds a name given twice */
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
    uint64_t base;    /**< when it was loaded or added: ordinal that its rows follow */
    uint64_t version; /**< grows when a channel comes or changes its unit */
    uint64_t mark;    /**< stamp of the walk that took it last */
} eop_asset;

typedef struct eop_asset_list {
    size_t item_bytes; /**< of an item, which begins with an eop_asset; 0: just that */
    eop_names by_name;
    eop_asset **items; /**< ascending id */
    size_t count;
    size_t capacity;
    uint32_t next_id;
    uint64_t epoch; /**< grows when an asset goes: pointers to assets kept are void then */
    uint64_t stamp;
} eop_asset_list;

void eop_asset_list_dispose(eop_asset_list *list);
/** An id is in use somewhere: no new asset gets it. */
void eop_asset_list_skip_id(eop_asset_list *list, uint32_t id);
eop_asset *eop_asset_list_find(const eop_asset_list *list, const char *name);
eop_asset *eop_asset_list_by_id(const eop_asset_list *list, uint32_t id);
/** A new asset, all 0 but for its name; id above all that are there. E_LIMIT. */
edgeops_status eop_asset_list_add(eop_asset **out, eop_asset_list *list, const char *name,
                                  uint32_t id);
/** Takes it out and frees it. */
void eop_asset_list_remove(eop_asset_list *list, eop_asset *asset);

eop_channel *eop_asset_channel(const eop_asset *asset, const char *name);
/** A new channel at the next position. E_LIMIT. */
edgeops_status eop_asset_add_channel(eop_asset *asset, const char *name, edgeops_type type,
                                     uint32_t length, const char *unit);
/** Removes the last channels until n are left. */
void eop_asset_drop_channels(eop_asset *asset, uint32_t n);
/** Whether a value that is not null is what the channel holds. */
static inline bool eop_channel_holds(const eop_channel *channel, const edgeops_value *value) {
    return value->type == channel->type && eop_value_length(value) == channel->length;
}

#endif /* EOP_CATALOG_ASSET_LIST_H */
