/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets by the leading bits of a value: recording is a count of leading zeros and an addition. */
#include "monitor/histogram.h"

#include <string.h>

enum { SUB = 1 << EOP_HISTOGRAM_SUB_BITS, LAST = EOP_HISTOGRAM_BUCKETS - 1 };

/* The 5 bits behind the leading one choose the bucket within its power of two. */
static size_t bucket_of(uint64_t value) {
    int shift = 0;
    if (value < SUB) {
        return (size_t)value;
    }
    if (value >> EOP_HISTOGRAM_TOP_BITS != 0) {
        return LAST;
    }
    shift = 63 - __builtin_clzll(value) - EOP_HISTOGRAM_SUB_BITS;
    return ((size_t)shift << EOP_HISTOGRAM_SUB_BITS) + (size_t)(value >> shift);
}

/* Middle of the bucket: at most half its width, 1/64 of the value, away from any record in it. */
static edgeops_duration value_of(size_t bucket) {
    size_t power = bucket >> EOP_HISTOGRAM_SUB_BITS;
    uint64_t low = 0;
    if (power <= 1) {
        return (edgeops_duration)bucket;
    }
    low = (uint64_t)(SUB + (bucket & (SUB - 1))) << (power - 1);
    return (edgeops_duration)(low + (((uint64_t)1 << (power - 1)) - 1) / 2);
}

void eop_histogram_reset(eop_histogram *histogram) {
    memset(histogram, 0, sizeof(*histogram));
}

void eop_histogram_record(eop_histogram *histogram, edgeops_duration value) {
    if (value < 0) {
        value = 0;
    }
    histogram->buckets[bucket_of((uint64_t)value)]++;
    histogram->count++;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

edgeops_duration eop_histogram_quantile(const eop_histogram *histogram, double q) {
    double rank = q * (double)histogram->count;
    uint64_t seen = 0;
    for (size_t i = 0; i < LAST && q < 1; i++) {
        seen += histogram->buckets[i];
        if (seen > 0 && (double)seen >= rank) {
            edgeops_duration value = value_of(i);
            return value < histogram->max ? value : histogram->max;
        }
    }
    return histogram->max;
}

uint64_t eop_histogram_count(const eop_histogram *histogram) {
    return histogram->count;
}

edgeops_duration eop_histogram_max(const eop_histogram *histogram) {
    return histogram->max;
}

void eop_histogram_merge(eop_histogram *histogram, const eop_histogram *other) {
    for (size_t i = 0; i < EOP_HISTOGRAM_BUCKETS; i++) {
        histogram->buckets[i] += other->buckets[i];
    }
    histogram->count += other->count;
    if (other->max > histogram->max) {
        histogram->max = other->max;
    }
}
