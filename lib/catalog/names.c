/* SPDX-License-Identifier: Apache-2.0 */
/* Finds objects by their names: base/map.h with the name as the key. The caller's lock guards
 * it. */
#include "catalog/names.h"

#include <string.h>

#include "base/hash.h"

uint64_t eop_names_hash(const char *name) {
    return eop_hash64(name, strlen(name));
}

void *eop_names_find(const eop_names *names, const char *name, uint64_t hash) {
    size_t step = 0;
    uintptr_t item;
    while ((item = eop_map_next(names, hash, &step)) != 0) {
        if (strcmp(*(char *const *)item, name) == 0) {
            return (void *)item;
        }
    }
    return NULL;
}

void eop_names_add(eop_names *names, void *object, uint64_t hash) {
    eop_map_add(names, hash, (uintptr_t)object);
}

void eop_names_remove(eop_names *names, const void *object, uint64_t hash) {
    eop_map_remove(names, hash, (uintptr_t)object);
}
