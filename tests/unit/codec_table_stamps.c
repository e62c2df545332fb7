/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "codec/table_stamps.h"

static eop_stamps stamps;

static void teardown(void) {
    eop_stamps_dispose(&stamps);
}

TestSuite(codec_table_stamps, .fini = teardown, .timeout = 60);

/* Any order gives the same numbers as a plain count. */
static void check(size_t n, edgeops_time (*at)(size_t i)) {
    uint64_t *counts = calloc(100000, sizeof *counts);
    cr_assert_not_null(counts);
    for (size_t i = 0; i < n; i++) {
        edgeops_time time = at(i);
        uint64_t before = 77;
        cr_assert(eop_stamps_add(&stamps, time, &before));
        cr_assert_eq(before, counts[time]++, "row %zu, time %lld", i, (long long)time);
    }
    free(counts);
    eop_stamps_dispose(&stamps);
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

Test(codec_table_stamps, count_in_any_order) {
    check(90000, forward);
    check(90000, backward);
    check(50000, scattered);
    check(50000, saw);
    check(50000, still);
}
