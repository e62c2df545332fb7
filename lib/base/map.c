/* SPDX-License-Identifier: Apache-2.0 */
/* Linear probing. A removal moves later items of the run back, so that a search may always end at
 * the first free slot. */
#include "base/map.h"

#include "base/memory.h"

#define FIRST_SLOTS 16

uintptr_t eop_map_next(const eop_map *map, uint64_t hash, size_t *step) {
    while (map->count > 0) {
        const eop_map_slot *slot = &map->slots[((size_t)hash + (*step)++) & (map->slot_count - 1)];
        if (slot->item == 0 || slot->hash == hash) {
            return slot->item;
        }
    }
    return 0;
}

static void insert(eop_map_slot *slots, size_t slot_count, eop_map_slot slot) {
    size_t at = (size_t)slot.hash & (slot_count - 1);
    while (slots[at].item != 0) {
        at = (at + 1) & (slot_count - 1);
    }
    slots[at] = slot;
}

bool eop_map_reserve(eop_map *map) {
    if ((map->count + 1) * 2 <= map->slot_count) {
        return true;
    }
    size_t wanted = map->slot_count > 0 ? map->slot_count * 2 : FIRST_SLOTS;
    eop_map_slot *slots = eop_calloc(wanted, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < map->slot_count; i++) {
        if (map->slots[i].item != 0) {
            insert(slots, wanted, map->slots[i]);
        }
    }
    eop_free(map->slots);
    map->slots = slots;
    map->slot_count = wanted;
    return true;
}

void eop_map_add(eop_map *map, uint64_t hash, uintptr_t item) {
    insert(map->slots, map->slot_count, (eop_map_slot){hash, item});
    map->count++;
}

void eop_map_remove(eop_map *map, uint64_t hash, uintptr_t item) {
    size_t mask = map->slot_count - 1;
    if (map->count == 0) {
        return;
    }
    size_t at = (size_t)hash & mask;
    while (map->slots[at].item != item || map->slots[at].hash != hash) {
        if (map->slots[at].item == 0) {
            return;
        }
        at = (at + 1) & mask;
    }
    map->count--;
    /* Items behind the gap move into it unless they would come to lie before their place. */
    for (size_t next = (at + 1) & mask; map->slots[next].item != 0; next = (next + 1) & mask) {
        size_t home = (size_t)map->slots[next].hash & mask;
        if (((next - home) & mask) >= ((next - at) & mask)) {
            map->slots[at] = map->slots[next];
            at = next;
        }
    }
    map->slots[at] = (eop_map_slot){0};
}

bool eop_map_has(const eop_map *map, uint64_t hash) {
    size_t step = 0;
    return eop_map_next(map, hash, &step) != 0;
}

bool eop_map_note(eop_map *map, uint64_t hash, bool *fresh) {
    if (!eop_map_reserve(map)) {
        return false;
    }
    *fresh = !eop_map_has(map, hash);
    if (*fresh) {
        eop_map_add(map, hash, 1);
    }
    return true;
}

void eop_map_dispose(eop_map *map) {
    eop_free(map->slots);
    *map = (eop_map){0};
}
