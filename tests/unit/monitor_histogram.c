/* SPDX-License-Identifier: Apache-2.0 */
#include "monitor/histogram.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "monitor/memory.h"

static uint64_t state = 88172645463325252u;

/* xorshift64: the same numbers in every run */
static uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static int by_value(const void *a, const void *b) {
    edgeops_duration x = *(const edgeops_duration *)a;
    edgeops_duration y = *(const edgeops_duration *)b;
    return (x > y) - (x < y);
}

static void expect_near(edgeops_duration got, edgeops_duration want) {
    double slack = (double)want * 0.016;
    cr_expect((double)got >= (double)want - slack && (double)got <= (double)want + slack,
              "got %lld, want %lld", (long long)got, (long long)want);
}

Test(monitor_histogram, empty_one_is_all_zero) {
    eop_histogram h = {0};
    cr_expect_eq(eop_histogram_count(&h), 0);
    cr_expect_eq(eop_histogram_max(&h), 0);
    cr_expect_eq(eop_histogram_quantile(&h, 0.5), 0);
}

Test(monitor_histogram, every_magnitude_comes_back_within_the_error) {
    for (int bit = 0; bit < 42; bit++) {
        for (int i = 0; i < 200; i++) {
            uint64_t low = (uint64_t)1 << bit;
            edgeops_duration value = (edgeops_duration)(low + next_random() % low);
            eop_histogram h = {0};
            eop_histogram_record(&h, value);
            eop_histogram_record(&h, INT64_MAX); /* so that the maximum does not help */
            if (value < 64) {
                cr_expect_eq(eop_histogram_quantile(&h, 0.5), value);
            } else {
                expect_near(eop_histogram_quantile(&h, 0.5), value);
            }
        }
    }
}

Test(monitor_histogram, quantiles_are_those_of_the_sorted_records) {
    static edgeops_duration values[20000];
    static const double asked[] = {0.001, 0.25, 0.5, 0.9, 0.99, 0.999};
    size_t n = sizeof(values) / sizeof(values[0]);
    eop_histogram h = {0};
    for (size_t i = 0; i < n; i++) {
        values[i] = (edgeops_duration)(next_random() >> (30 + next_random() % 30));
        eop_histogram_record(&h, values[i]);
    }
    qsort(values, n, sizeof(values[0]), by_value);
    for (size_t i = 0; i < sizeof(asked) / sizeof(asked[0]); i++) {
        size_t rank = (size_t)(asked[i] * (double)n);
        expect_near(eop_histogram_quantile(&h, asked[i]), values[rank - 1]);
    }
    cr_expect_eq(eop_histogram_quantile(&h, 1.0), values[n - 1]);
    cr_expect_eq(eop_histogram_max(&h), values[n - 1]);
    cr_expect_eq(eop_histogram_count(&h), n);
}

Test(monitor_histogram, bounds_hold_what_lies_outside) {
    eop_histogram h = {0};
    eop_histogram_record(&h, -5);
    cr_expect_eq(eop_histogram_quantile(&h, 0.5), 0);
    eop_histogram_record(&h, (edgeops_duration)1 << 42);
    eop_histogram_record(&h, INT64_MAX);
    cr_expect_eq(eop_histogram_quantile(&h, 0.99), INT64_MAX);
    cr_expect_eq(eop_histogram_count(&h), 3);
    eop_histogram_reset(&h);
    cr_expect_eq(eop_histogram_count(&h), 0);
    cr_expect_eq(eop_histogram_quantile(&h, 1.0), 0);
}

Test(monitor_histogram, merge_equals_recording_into_one) {
    static eop_histogram a;
    static eop_histogram b;
    static eop_histogram both;
    for (int i = 0; i < 5000; i++) {
        edgeops_duration value = (edgeops_duration)(next_random() >> 40);
        eop_histogram_record(i % 3 == 0 ? &a : &b, value);
        eop_histogram_record(&both, value);
    }
    eop_histogram_merge(&a, &b);
    cr_expect_arr_eq(&a, &both, sizeof(a));
}

Test(monitor_histogram, memory_stays_small) {
    cr_expect_lt(sizeof(eop_histogram), 10 * 1024);
}

Test(monitor_memory, resident_memory_follows_what_is_touched) {
    size_t size = (size_t)32 << 20;
    uint64_t before = 0;
    uint64_t after = 0;
    volatile char *block = NULL;
    cr_assert_eq(eop_memory_resident(&before), EDGEOPS_OK);
    block = malloc(size);
    cr_assert_not_null((const void *)block);
    for (size_t i = 0; i < size; i += 4096) {
        block[i] = 1;
    }
    cr_assert_eq(eop_memory_resident(&after), EDGEOPS_OK);
    free((void *)block);
    cr_expect_gt(before, 0);
    cr_expect_geq(after, before + size / 2);
}
