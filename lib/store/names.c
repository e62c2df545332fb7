/* SPDX-License-Identifier: Apache-2.0 */
#include "store/names.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

uint64_t eop_names_hash(const char *name) {
    return eop_hash64(name, strlen(name));
}

static const char *name_of(const void *object) {
    return *(char *const *)object;
}

void *eop_names_find(const eop_names *names, const char *name, uint64_t hash) {
    if (names->count == 0) {
        return NULL;
    }
    for (size_t i = hash & names->mask; names->slots[i].object != NULL; i = (i + 1) & names->mask) {
        if (names->slots[i].hash == hash && strcmp(name_of(names->slots[i].object), name) == 0) {
            return names->slots[i].object;
        }
    }
    return NULL;
}

static void insert(eop_names_slot *slots, size_t mask, void *object, uint64_t hash) {
    size_t i = hash & mask;
    while (slots[i].object != NULL) {
        i = (i + 1) & mask;
    }
    slots[i] = (eop_names_slot){hash, object};
}

bool eop_names_reserve(eop_names *names) {
    size_t size = names->slots != NULL ? names->mask + 1 : 0;
    if ((names->count + 1) * 2 <= size) {
        return true;
    }
    size_t wanted = size > 0 ? size * 2 : 16;
    eop_names_slot *slots = eop_calloc(wanted, sizeof *slots);
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (names->slots[i].object != NULL) {
            insert(slots, wanted - 1, names->slots[i].object, names->slots[i].hash);
        }
    }
    eop_free(names->slots);
    names->slots = slots;
    names->mask = wanted - 1;
    return true;
}

void eop_names_add(eop_names *names, void *object, uint64_t hash) {
    insert(names->slots, names->mask, object, hash);
    names->count++;
}

void eop_names_remove(eop_names *names, const void *object, uint64_t hash) {
    if (names->count == 0) {
        return;
    }
    size_t i = hash & names->mask;
    while (names->slots[i].object != object) {
        if (names->slots[i].object == NULL) {
            return;
        }
        i = (i + 1) & names->mask;
    }
    names->count--;
    /* Closes the gap, so that no tombstone is needed. */
    for (size_t next = (i + 1) & names->mask;; next = (next + 1) & names->mask) {
        if (names->slots[next].object == NULL) {
            break;
        }
        size_t home = names->slots[next].hash & names->mask;
        if (((next - home) & names->mask) >= ((next - i) & names->mask)) {
            names->slots[i] = names->slots[next];
            i = next;
        }
    }
    names->slots[i] = (eop_names_slot){0, NULL};
}

void eop_names_dispose(eop_names *names) {
    eop_free(names->slots);
    *names = (eop_names){0};
}
