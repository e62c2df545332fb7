/* SPDX-License-Identifier: Apache-2.0 */
/* The hash table against a plain list of what was added and removed. */
#include "base/map.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdbool.h>

/* How often an item is found under a hash. */
static size_t found(const eop_map *map, uint64_t hash, uintptr_t item) {
    size_t step = 0, times = 0;
    uintptr_t at;
    while ((at = eop_map_next(map, hash, &step)) != 0) {
        times += at == item;
    }
    return times;
}

static void add(eop_map *map, uint64_t hash, uintptr_t item) {
    cr_assert(eop_map_reserve(map));
    eop_map_add(map, hash, item);
}

Test(base_map, an_empty_one_has_nothing) {
    eop_map map = {0};
    cr_expect_eq(found(&map, 7, 1), 0);
    eop_map_remove(&map, 7, 1);
    cr_expect_eq(map.count, 0);
    eop_map_dispose(&map);
}

Test(base_map, all_items_of_one_hash_are_given_and_no_others) {
    eop_map map = {0};
    for (uintptr_t i = 1; i <= 5; i++) {
        add(&map, 42, i);
        add(&map, 43, 100 + i); /* in the way of them */
    }
    size_t step = 0, given = 0;
    while (eop_map_next(&map, 42, &step) != 0) {
        given++;
    }
    cr_expect_eq(given, 5);
    for (uintptr_t i = 1; i <= 5; i++) {
        cr_expect_eq(found(&map, 42, i), 1);
        cr_expect_eq(found(&map, 43, 100 + i), 1);
        cr_expect_eq(found(&map, 42, 100 + i), 0);
    }
    eop_map_dispose(&map);
}

/* Few hashes, near each other and around the end of the slots, so that runs of slots form, wrap and
 * are cut again. */
Test(base_map, what_is_removed_is_gone_and_all_else_stays) {
    enum { HASHES = 12, ITEMS = 40 };
    static const uint64_t hashes[HASHES] = {
        0, 1, 2, 15, 16, 31, 63, 64, UINT64_MAX, UINT64_MAX - 1, 1u << 20, (1u << 20) - 1};
    bool there[HASHES][ITEMS] = {{false}};
    eop_map map = {0};
    size_t count = 0;
    uint32_t random = 1;
    for (int round = 0; round < 20000; round++) {
        random = random * 1664525u + 1013904223u;
        size_t h = (random >> 8) % HASHES, i = (random >> 16) % ITEMS;
        if (there[h][i]) {
            eop_map_remove(&map, hashes[h], i + 1);
            count--;
        } else {
            add(&map, hashes[h], i + 1);
            count++;
        }
        there[h][i] = !there[h][i];
        cr_assert_eq(map.count, count);
        cr_assert_eq(found(&map, hashes[h], i + 1), there[h][i], "round %d", round);
        if (round % 1000 == 0) {
            for (size_t all = 0; all < HASHES * ITEMS; all++) {
                cr_assert_eq(found(&map, hashes[all / ITEMS], all % ITEMS + 1),
                             there[all / ITEMS][all % ITEMS]);
            }
        }
    }
    cr_expect_leq(map.count * 2, map.slot_count);
    eop_map_dispose(&map);
}

Test(base_map, a_set_knows_what_was_noted) {
    eop_map map = {0};
    bool fresh = false;
    for (uint64_t i = 0; i < 1000; i++) {
        cr_expect_not(eop_map_has(&map, i * i));
        cr_assert(eop_map_note(&map, i * i, &fresh));
        cr_expect(fresh);
        cr_assert(eop_map_note(&map, i * i, &fresh));
        cr_expect_not(fresh);
    }
    cr_expect_eq(map.count, 1000);
    cr_expect(eop_map_has(&map, 0));
    cr_expect_not(eop_map_has(&map, 2));
    eop_map_dispose(&map);
}
