/* SPDX-License-Identifier: Apache-2.0 */
/* A set of 64-bit hashes: what was seen before. */
#ifndef EOP_NODE_HOME_HASHES_H
#define EOP_NODE_HOME_HASHES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct eop_hashes {
    uint64_t *slots; /**< open addressing, 0 is free */
    size_t slot_count;
    size_t count;
} eop_hashes;

bool eop_hashes_has(const eop_hashes *hashes, uint64_t hash);
/** *fresh: it was not there. False without memory. */
bool eop_hashes_add(eop_hashes *hashes, uint64_t hash, bool *fresh);
void eop_hashes_dispose(eop_hashes *hashes);

#endif /* EOP_NODE_HOME_HASHES_H */
