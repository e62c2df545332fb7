/* SPDX-License-Identifier: Apache-2.0 */
/* The one hash table: from 64-bit hashes to items, which are the owner's: pointers, or numbers from
 * 1. It knows neither keys nor their comparison: its user looks at the items of a hash one by one.
 * Open addressing, at most half full, no tombstones. It has no lock: its owner has. */
#ifndef EOP_BASE_MAP_H
#define EOP_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct eop_map_slot {
    uint64_t hash;
    uintptr_t item; /**< 0: free */
} eop_map_slot;

/** {0} is an empty one. Walk the slots for all items. */
typedef struct eop_map {
    eop_map_slot *slots;
    size_t slot_count; /**< a power of two, or 0 */
    size_t count;
} eop_map;

/** The next item with this hash, in any order, 0 when there is none. *step is 0 before the first:
 *
 *      size_t step = 0;
 *      while ((item = eop_map_next(map, hash, &step)) != 0 && !is_it(item, key)) {
 *      } */
uintptr_t eop_map_next(const eop_map *map, uint64_t hash, size_t *step);
/** Makes room for one more item, so that the next eop_map_add() cannot fail. False: no memory. */
bool eop_map_reserve(eop_map *map);
/** Adds an item, which is not 0. There is room for it. */
void eop_map_add(eop_map *map, uint64_t hash, uintptr_t item);
/** Removes the item if it is there. */
void eop_map_remove(eop_map *map, uint64_t hash, uintptr_t item);
void eop_map_dispose(eop_map *map);

/* As a set of hashes, where two that fall together may count as one. */
bool eop_map_has(const eop_map *map, uint64_t hash);
/** Adds the hash unless it is there; *fresh: it was not. False: no memory. */
bool eop_map_note(eop_map *map, uint64_t hash, bool *fresh);

#endif /* EOP_BASE_MAP_H */
