/* SPDX-License-Identifier: Apache-2.0 */
/* Hash table from name to object. The first member of an object is its name: `char *name`. */
#ifndef EOP_STORE_NAMES_H
#define EOP_STORE_NAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct eop_names_slot {
    uint64_t hash;
    void *object; /**< borrowed */
} eop_names_slot;

typedef struct eop_names {
    eop_names_slot *slots;
    size_t mask;
    size_t count;
} eop_names;

uint64_t eop_names_hash(const char *name);
void *eop_names_find(const eop_names *names, const char *name, uint64_t hash);
/** Makes room for one more, so that the next eop_names_add() cannot fail. */
bool eop_names_reserve(eop_names *names);
void eop_names_add(eop_names *names, void *object, uint64_t hash);
void eop_names_remove(eop_names *names, const void *object, uint64_t hash);
void eop_names_dispose(eop_names *names);

#endif /* EOP_STORE_NAMES_H */
