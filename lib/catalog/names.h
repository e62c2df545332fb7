/* SPDX-License-Identifier: Apache-2.0 */
/* Objects by name in a hash table (base/map).
 * The first member of an object is its name: `char *name`. */
#ifndef EOP_CATALOG_NAMES_H
#define EOP_CATALOG_NAMES_H

#include "base/map.h"

/** Objects are borrowed. */
typedef eop_map eop_names;

uint64_t eop_names_hash(const char *name);
void *eop_names_find(const eop_names *names, const char *name, uint64_t hash);
/** Cannot fail: eop_map_reserve() has made room. */
void eop_names_add(eop_names *names, void *object, uint64_t hash);
void eop_names_remove(eop_names *names, const void *object, uint64_t hash);

#endif /* EOP_CATALOG_NAMES_H */
