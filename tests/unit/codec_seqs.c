/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "codec/seqs.h"

#define TIMES    100000u
#define CHANNELS 6u

static eop_seqs seqs;
static eop_seqs_times times;

static void teardown(void) {
    eop_seqs_times_dispose(&times);
    eop_seqs_dispose(&seqs);
}

TestSuite(codec_seqs, .fini = teardown, .timeout = 60);

/* What the rule says, kept as simply as it can be: of each time the newest number and its channels. */
typedef struct known {
    int64_t number; /* -1: the time did not come yet */
    unsigned set;
} known;

static int64_t by_rule(known *k, unsigned set, bool numbered, int64_t own) {
    if (numbered) {
        if (own > k->number) {
            *k = (known){own, set};
        } else if (own == k->number && (k->set & set) == 0) {
            k->set |= set;
        }
        return own;
    }
    bool first = k->number < 0;
    bool again = !first && (k->set & set) != 0;
    k->set = first || again ? set : k->set | set;
    k->number += first || again;
    return k->number;
}

static size_t list(uint32_t ids[CHANNELS], unsigned set, bool backward) {
    size_t n = 0;
    for (uint32_t i = 0; i < CHANNELS; i++) {
        uint32_t channel = backward ? CHANNELS - 1 - i : i;
        if ((set >> channel & 1) != 0) {
            ids[n++] = channel * 7;
        }
    }
    return n;
}

static uint32_t random_state = 1;

static uint32_t draw(void) {
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

/* numbered: one row in so many has a number of its own; 0: none. */
static void check(size_t n, edgeops_time (*at)(size_t i), unsigned (*set_of)(size_t i),
                  unsigned numbered) {
    known *model = malloc(TIMES * sizeof *model);
    cr_assert_not_null(model);
    for (size_t i = 0; i < TIMES; i++) {
        model[i] = (known){-1, 0};
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t ids[CHANNELS];
        edgeops_time time = at(i);
        unsigned set = set_of(i);
        bool own = numbered > 0 && draw() % numbered == 0;
        int64_t number = own ? draw() % 4 : 77;
        int64_t expected = by_rule(&model[time], set, own, number);
        size_t count = list(ids, set, draw() % 2 == 0);
        cr_assert_eq(eop_seqs_take(&seqs, &times, time, ids, count, own, &number), EOP_SEQS_OK);
        cr_assert_eq(number, expected, "row %zu, time %lld: %lld, not %lld", i, (long long)time,
                     (long long)number, (long long)expected);
    }
    free(model);
    teardown();
}

static edgeops_time forward(size_t i) {
    return (edgeops_time)(i / 3);
}

static edgeops_time backward(size_t i) {
    return 90000 - (edgeops_time)i;
}

static edgeops_time scattered(size_t i) {
    return (edgeops_time)((i * 2654435761u) % 5000);
}

static edgeops_time saw(size_t i) {
    return (edgeops_time)(i % 1000);
}

static edgeops_time still(size_t i) {
    (void)i;
    return 5;
}

static unsigned all(size_t i) {
    (void)i;
    return (1u << CHANNELS) - 1;
}

static unsigned some(size_t i) {
    (void)i;
    return draw() % (1u << CHANNELS);
}

static unsigned one(size_t i) {
    return 1u << i / 1000 % CHANNELS; /* with `saw`: one after the other, as files of sensors are */
}

Test(codec_seqs, rows_are_numbered_by_the_rule_in_any_order) {
    edgeops_time (*const orders[])(size_t) = {forward, backward, scattered, saw, still};
    unsigned (*const sets[])(size_t) = {all, some, one};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
            check(50000, orders[i], sets[k], 0);
            check(50000, orders[i], sets[k], 5);
        }
    }
}

static int64_t take(edgeops_time time, uint32_t first, size_t n) {
    uint32_t ids[2] = {first, first + 1};
    int64_t number = -1;
    cr_assert_eq(eop_seqs_take(&seqs, &times, time, ids, n, false, &number), EOP_SEQS_OK);
    return number;
}

Test(codec_seqs, nulls_count_for_nothing) {
    cr_assert_eq(take(1, 0, 0), 0);
    cr_assert_eq(take(1, 0, 1), 0);
    cr_assert_eq(take(1, 0, 0), 0);
    cr_assert_eq(take(1, 0, 1), 1);
    cr_assert_eq(seqs.next, 1);
    cr_assert_eq(seqs.parts, 1);
}

Test(codec_seqs, times_that_were_forgotten_are_not_guessed) {
    int64_t number = 0;
    uint32_t id = 0;
    seqs.limit = 64 * sizeof(edgeops_time);
    for (edgeops_time t = 0; t < 200; t++) {
        cr_assert_eq(take(t, 0, 1), 0);
        cr_assert_eq(take(t, 1, 1), 0);
        cr_assert_eq(take(t, 1, 1), 1, "neighbours are known");
    }
    cr_assert(seqs.forgotten);
    cr_assert_leq(times.open.capacity, 0);
    cr_assert_eq(eop_seqs_take(&seqs, &times, 3, &id, 1, false, &number), EOP_SEQS_FORGOTTEN);
}

Test(codec_seqs, rows_whose_channels_were_forgotten_count_as_whole) {
    seqs.limit = 64u << 10;
    cr_assert_eq(take(0, 0, 2), 0);
    for (edgeops_time t = 1; t < 1000; t++) {
        cr_assert_eq(take(t, (uint32_t)t * 2, 2), 0);
    }
    cr_assert_gt(seqs.base, 0);
    cr_assert(!seqs.forgotten);
    cr_assert_eq(take(0, 9, 1), 1, "it could repeat a channel");
    cr_assert_eq(take(999, 9, 1), 0);
}

Test(codec_seqs, no_number_is_left_behind_the_last) {
    int64_t number = INT64_MAX;
    uint32_t id = 0;
    cr_assert_eq(eop_seqs_take(&seqs, &times, 1, &id, 1, true, &number), EOP_SEQS_OK);
    cr_assert_eq(eop_seqs_take(&seqs, &times, 1, &id, 1, false, &number), EOP_SEQS_NONE_LEFT);
    number = -5;
    cr_assert_eq(eop_seqs_take(&seqs, &times, 2, &id, 1, true, &number), EOP_SEQS_OK);
    cr_assert_eq(take(2, 0, 1), 0);
}

Test(codec_seqs, assets_are_told_apart) {
    uint32_t id = 0;
    int64_t number = 0;
    const char *const names[] = {"a", "b", "a", "ab"};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 4; i++) {
            eop_seqs_times *of = eop_seqs_asset(&seqs, names[i], 1, i == 3);
            cr_assert_not_null(of);
            cr_assert_eq(eop_seqs_take(&seqs, of, 1, &id, 1, false, &number), EOP_SEQS_OK);
            int64_t expected = i == 0 ? 2 * round : i == 2 ? 2 * round + 1 : round;
            cr_assert_eq(number, expected, "%zu: %lld", i, (long long)number);
        }
    }
}
