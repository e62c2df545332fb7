/* SPDX-License-Identifier: Apache-2.0 */
/* What a dataset's definition says beyond assets, channels and range: filter, common rate, windows,
 * split. The catalog keeps it as JSON (dataset.spec), with all times and durations in ns:
 *
 *   {"filter": TEXT,
 *    "align": {"period_ns", "fill": "previous"|"linear"|"none", "tolerance_ns"},
 *    "window": {"rows", "step"} or {"duration_ns", "step_ns"},
 *    "split": {"by": "time"|"group"|"fraction", "test", "validation",
 *              "test_from_ns", "validation_from_ns",       time: the cuts, also of fractions
 *              "test_assets", "validation_assets",         group: names, also of fractions
 *              "seed", "block_ns"}}
 *
 * Members with their default are left out; a plain dataset has no JSON at all (NULL). */
#ifndef EOP_DATASET_SPEC_H
#define EOP_DATASET_SPEC_H

#include "codec/json.h"
#include "dataset/filter.h"
#include "edgeops/dataset.h"

typedef struct eop_spec {
    eop_filter filter;
    int64_t period; /**< 0: none */
    uint32_t fill;
    int64_t tolerance; /**< 0: none */
    uint32_t window_rows;
    uint32_t window_step;
    int64_t window_time;
    int64_t step_time;
    uint32_t split;
    double test;
    double validation;
    int64_t test_from; /**< TIME */
    int64_t validation_from;
    bool has_cut; /**< TIME: test_from and validation_from are set */
    uint64_t seed;
    int64_t block;      /**< FRACTION */
    char **test_assets; /**< GROUP */
    size_t test_count;
    char **validation_assets;
    size_t validation_count;
} eop_spec;

/** Checks the options and copies them. E_INVALID. */
edgeops_status eop_spec_init(eop_spec *spec, const edgeops_dataset_options *options);
void eop_spec_dispose(eop_spec *spec);
/** Whether the dataset is plain: rows as they came, without filter, rate, windows or split. */
bool eop_spec_is_plain(const eop_spec *spec);
/** The JSON above, NULL for a plain dataset. When memory runs out, eop_json_print() of it fails. */
eop_json *eop_spec_json(const eop_spec *spec);
edgeops_status eop_spec_parse(eop_spec *spec, const char *json);

/* -- the split: see edgeops_dataset_options -- */
/** The hash F(asset), mixed with the seed. */
uint64_t eop_split_hash(const char *asset, uint64_t seed);
/** Settles what depends on the rows: the cuts of a split by time and the length of a block. */
edgeops_status eop_split_settle(eop_spec *spec, int64_t first, int64_t last);
/** GROUP: settles which asset is in which subset. names: `count` of them, sorted. */
edgeops_status eop_split_groups(eop_spec *spec, const char *const *names, size_t count);
/** GROUP: the subset of one asset. */
edgeops_subset eop_split_of_asset(const eop_spec *spec, const char *asset);
/** The subsets of n rows of an asset; out[i] is an edgeops_subset. */
void eop_split_rows(uint8_t *out, const eop_spec *spec, const char *asset, const int64_t *times,
                    size_t n);

#endif /* EOP_DATASET_SPEC_H */
