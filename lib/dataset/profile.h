/* SPDX-License-Identifier: Apache-2.0 */
/* What the values of a dataset look like, counted while it is frozen. JSON:
 *
 *   {"rows", "first", "last",
 *    "subsets": {"train", "test", "validation"}          rows; only with a split
 *    "gaps": {"count", "longest_ns", "total_ns"},        pauses longer than 10 times the median
 *                                                        time from one row of the asset to the next;
 *                                                        a pause and the sum of all are at most
 *                                                        2^63 - 1 ns, 292 years
 *    "same_time"                                         rows with the time of the one before
 *    "assets": [{"name", "rows", "first", "last", "interval_ns", "gaps", "longest_gap_ns",
 *                "same_time"}], "assets_left_out"        the first 100; interval_ns: the median
 *    "channels": [{"name", "missing", "non_finite", "distinct", "constant", "min", "max", "mean",
 *                  "std", "p1", "p5", "p25", "p50", "p75", "p95", "p99"}]
 *        non_finite: number of NaN and infinite values, which the members behind it leave out;
 *        distinct: number of different values, only up to 64; std: of the population; p1 to p99:
 *        quantiles (quantiles.h); arrays, blobs and texts have no numbers
 *    "classes": [{"label", "rows", "intervals", "train", "test", "validation"}], "unlabelled"
 *        intervals: runs of consecutive rows of one label; train to validation: only with a split
 *    "warnings": [{"kind", "text"}]}
 *        kinds that may make a model look better than it is: asset_in_both, test_before_train,
 *        identical_rows, neighbours, window_over_block, label_not_in_train, label_only_in_train,
 *        label_copy; further kinds: constant, filled */
#ifndef EOP_DATASET_PROFILE_H
#define EOP_DATASET_PROFILE_H

#include "dataset/frozen.h"
#include "dataset/quantiles.h"

#define EOP_PROFILE_DISTINCT 64u
#define EOP_PROFILE_LABELS   64u /**< with more labels channels are not compared with the label */
#define EOP_PROFILE_ASSETS   100u
#define EOP_PROFILE_GAP      10
#define EOP_PROFILE_FAR      4u      /**< in bits: runs over 8 to 16 times as long as the median */
#define EOP_PROFILE_FILLED   0.2     /**< warn above this share of rows */
#define EOP_PROFILE_TWINS    131072u /**< slots for hashes of rows */

/** One of a few different values, and how often it occurs with each label. */
typedef struct eop_profile_value {
    uint64_t hash;
    uint64_t labels[EOP_PROFILE_LABELS];
} eop_profile_value;

typedef struct eop_profile_channel {
    uint64_t count; /**< values that are neither null nor non-finite */
    uint64_t missing;
    uint64_t non_finite;
    double min;
    double max;
    double shift; /**< the first value; sums are of value - shift */
    double sum;
    double squares;
    eop_quantiles quantiles;
    eop_profile_value *values; /**< NULL: too many different values */
    size_t value_count;
    bool many;
} eop_profile_channel;

typedef struct eop_profile_asset {
    uint64_t rows;
    int64_t first;
    int64_t last;
    int32_t last_label;
    uint8_t last_subset;
    uint64_t gaps;
    uint64_t longest_gap; /**< like gap_total at most INT64_MAX */
    uint64_t gap_total;
    uint64_t same_time;
    uint64_t subset_rows[3];
    int64_t subset_first[3];
    int64_t subset_last[3];
} eop_profile_asset;

typedef struct eop_profile_label {
    uint64_t rows;
    uint64_t intervals;
    uint64_t subset_rows[3];
} eop_profile_label;

/** Counts of rows by a hash of their values; only hashes up to `limit` are kept. */
typedef struct eop_profile_twin {
    uint64_t hash; /**< 0: free */
    uint32_t train;
    uint32_t others;
} eop_profile_twin;

/** Runs of points of a common rate that one row fills, by length: [b] counts runs of 2^b to 2^(b+1)
 * - 1 points. */
typedef struct eop_profile_runs {
    uint64_t last; /**< ordinal of the row of the current run */
    uint64_t size; /**< points in the current run, 0: none yet */
    uint64_t runs[64];
    uint64_t points[64];
    uint64_t longest;
} eop_profile_runs;

typedef struct eop_profile {
    const eop_frozen *frozen;
    eop_profile_asset *assets;
    eop_profile_channel *channels;
    eop_profile_label *labels;
    uint64_t unlabelled;
    uint64_t cuts; /**< rows next to a row of another subset */
    eop_profile_twin *twins;
    size_t twin_count;
    uint64_t twin_limit;
    uint64_t *hashes; /**< hashes of the rows of a batch */
    size_t hash_capacity;
    eop_profile_runs runs; /**< runs of the current asset */
    size_t runs_asset;
    uint64_t filled;         /**< points in runs far longer than the median run of their asset */
    uint64_t longest_filled; /**< length of the longest such run in points */
} eop_profile;

/** frozen: channels, labels and split must be settled; borrowed. */
edgeops_status eop_profile_init(eop_profile *profile, const eop_frozen *frozen);
void eop_profile_dispose(eop_profile *profile);
/** Adds the next batch of an asset; assets come one after the other. */
edgeops_status eop_profile_add(eop_profile *profile, size_t asset, const eop_batch *batch);
/** Sum of two spans of time, at most INT64_MAX: longer ones count as that. */
uint64_t eop_profile_sum(uint64_t a, uint64_t b);
/** Call after the last batch, before printing. */
void eop_profile_finish(eop_profile *profile);
/** *json: given to the caller, free with eop_free. */
edgeops_status eop_profile_print(char **json, eop_profile *profile);

#endif /* EOP_DATASET_PROFILE_H */
