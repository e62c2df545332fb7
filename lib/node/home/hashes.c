/* SPDX-License-Identifier: Apache-2.0 */
/* A set of hashes with open addressing. It has no lock: its owner has. */
#include "node/home/hashes.h"

#include <string.h>

#include "base/hash.h"
#include "base/memory.h"

static uint64_t *slot_of(const eop_hashes *h, uint64_t hash) {
    /* Mixed once more: what was hashed may come from strangers. */
    size_t at = (size_t)eop_hash64(&hash, sizeof(hash)) & (h->slot_count - 1);
    while (h->slots[at] != 0 && h->slots[at] != hash) {
        at = (at + 1) & (h->slot_count - 1);
    }
    return &h->slots[at];
}

static bool grow(eop_hashes *h) {
    eop_hashes larger = {.slot_count = h->slot_count != 0 ? h->slot_count * 2 : 64,
                         .count = h->count};
    larger.slots = eop_calloc(larger.slot_count, sizeof(*larger.slots));
    if (larger.slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < h->slot_count; i++) {
        if (h->slots[i] != 0) {
            *slot_of(&larger, h->slots[i]) = h->slots[i];
        }
    }
    eop_free(h->slots);
    *h = larger;
    return true;
}

bool eop_hashes_has(const eop_hashes *h, uint64_t hash) {
    hash += hash == 0;
    return h->slot_count > 0 && *slot_of(h, hash) == hash;
}

bool eop_hashes_add(eop_hashes *h, uint64_t hash, bool *fresh) {
    hash += hash == 0;
    if ((h->count + 1) * 2 > h->slot_count && !grow(h)) {
        return false;
    }
    uint64_t *slot = slot_of(h, hash);
    *fresh = *slot == 0;
    h->count += *fresh;
    *slot = hash;
    return true;
}

void eop_hashes_dispose(eop_hashes *h) {
    eop_free(h->slots);
    memset(h, 0, sizeof(*h));
}
