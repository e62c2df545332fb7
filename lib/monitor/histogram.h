/* SPDX-License-Identifier: Apache-2.0 */
/* Latencies in bounded memory (9.6 KiB): log-linear buckets, 32 to each power of two, as in
 * HdrHistogram (hdrhistogram.org). Exact below 64 ns; above, what is read back is within 1.6 % of
 * what was recorded. Not locked: one thread at a time. Never allocates. */
#ifndef EOP_MONITOR_HISTOGRAM_H
#define EOP_MONITOR_HISTOGRAM_H

#include "edgeops/types.h"

enum {
    EOP_HISTOGRAM_SUB_BITS = 5,
    EOP_HISTOGRAM_TOP_BITS = 42, /* 2^42 ns = 73 min; longer ones share the last bucket */
    EOP_HISTOGRAM_BUCKETS =
        ((EOP_HISTOGRAM_TOP_BITS - EOP_HISTOGRAM_SUB_BITS + 1) << EOP_HISTOGRAM_SUB_BITS) + 1
};

/** {0} is an empty one; may be copied. Read it through the functions. */
typedef struct eop_histogram {
    uint64_t count;
    edgeops_duration max;
    uint64_t buckets[EOP_HISTOGRAM_BUCKETS];
} eop_histogram;

void eop_histogram_reset(eop_histogram *histogram);
/** Below 0 counts as 0. */
void eop_histogram_record(eop_histogram *histogram, edgeops_duration value);
/** Smallest duration that at least q (0..1) of the records do not exceed, within 1.6 %; q 1 is the
 * maximum; 0 when there are none. */
edgeops_duration eop_histogram_quantile(const eop_histogram *histogram, double q);
uint64_t eop_histogram_count(const eop_histogram *histogram);
/** Exact. */
edgeops_duration eop_histogram_max(const eop_histogram *histogram);
/** Adds the records of other. */
void eop_histogram_merge(eop_histogram *histogram, const eop_histogram *other);

#endif /* EOP_MONITOR_HISTOGRAM_H */
