/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a row of a block by its key: by the rows where the last search ended, else by halving, and
 * in a block that is not sorted by a hash table made at the first search. See find.h. */
#include "store/find.h"

#include "base/error.h"
#include "base/memory.h"

struct eop_keys {
    uint32_t *slots; /* row + 1, 0 for none */
    size_t mask;
    size_t count;
};

void eop_block_forget(eop_block *block) {
    if (block->keys != NULL) {
        eop_free(block->keys->slots);
        eop_free(block->keys);
        block->keys = NULL;
    }
    block->found = 0;
}

static size_t key_hash(int64_t time, int64_t seq) {
    uint64_t h = ((uint64_t)time ^ ((uint64_t)seq << 32 | (uint64_t)seq >> 32)) *
                 UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h ^ h >> 29);
}

static void keys_insert(eop_keys *keys, const eop_rows *data, size_t row) {
    size_t i = key_hash(data->times[row], data->seqs[row]) & keys->mask;
    while (keys->slots[i] != 0) {
        i = (i + 1) & keys->mask;
    }
    keys->slots[i] = (uint32_t)row + 1;
    keys->count++;
}

/* Adds the block's newest rows to the keys. */
static edgeops_status keys_update(eop_block *block) {
    eop_keys *keys = block->keys;
    const eop_rows *data = &block->data;
    if (keys == NULL) {
        keys = eop_calloc(1, sizeof *keys);
        if (keys == NULL) {
            return eop_fail_nomem("store");
        }
        block->keys = keys;
    }
    if (keys->slots == NULL || data->rows * 2 > keys->mask) {
        size_t size = 64;
        while (size < data->rows * 4) {
            size *= 2;
        }
        uint32_t *slots = eop_calloc(size, sizeof *slots);
        if (slots == NULL) {
            return eop_fail_nomem("store");
        }
        eop_free(keys->slots);
        *keys = (eop_keys){.slots = slots, .mask = size - 1};
    }
    while (keys->count < data->rows) {
        keys_insert(keys, data, keys->count);
    }
    return EDGEOPS_OK;
}

static bool is_at(const eop_rows *data, size_t row, int64_t time, int64_t seq) {
    return row < data->rows && data->times[row] == time && data->seqs[row] == seq;
}

static bool keys_find(size_t *row, const eop_block *block, int64_t time, int64_t seq) {
    const eop_keys *keys = block->keys;
    for (size_t i = key_hash(time, seq) & keys->mask; keys->slots[i] != 0;
         i = (i + 1) & keys->mask) {
        size_t at = keys->slots[i] - 1;
        if (is_at(&block->data, at, time, seq)) {
            *row = at;
            return true;
        }
    }
    return false;
}

edgeops_status eop_block_find(size_t *row, eop_block *block, int64_t time, int64_t seq) {
    const eop_rows *data = &block->data;
    if (data->rows == 0 || time < block->t_min || time > block->t_max) {
        return EDGEOPS_DONE;
    }
    /* Parts mostly come for the newest row, or row by row. */
    size_t guesses[] = {data->rows - 1, block->found, block->found + 1};
    for (size_t i = 0; i < sizeof guesses / sizeof *guesses; i++) {
        if (is_at(data, guesses[i], time, seq)) {
            block->found = guesses[i];
            *row = guesses[i];
            return EDGEOPS_OK;
        }
    }
    bool there;
    if (block->sorted) {
        there = eop_rows_find(row, data, time, seq);
    } else {
        edgeops_status status = keys_update(block);
        if (status != EDGEOPS_OK) {
            return status;
        }
        there = keys_find(row, block, time, seq);
    }
    if (!there) {
        return EDGEOPS_DONE;
    }
    block->found = *row;
    return EDGEOPS_OK;
}
