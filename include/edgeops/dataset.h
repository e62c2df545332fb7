/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets: frozen selections of samples and labels, with a digest, that models are trained on. */
#ifndef EDGEOPS_DATASET_H
#define EDGEOPS_DATASET_H

#include "edgeops/store.h"
#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** How a dataset is split into what a model learns from and what it is measured with. */
typedef enum edgeops_split {
    EDGEOPS_SPLIT_NONE = 0,
    EDGEOPS_SPLIT_TIME = 1,    /**< the test has the newest rows */
    EDGEOPS_SPLIT_GROUP = 2,   /**< the test has whole assets */
    EDGEOPS_SPLIT_FRACTION = 3 /**< the test has blocks of time of each asset, drawn by the seed */
} edgeops_split;

/** Which part of a split dataset a row belongs to. */
typedef enum edgeops_subset {
    EDGEOPS_SUBSET_TRAIN = 0,
    EDGEOPS_SUBSET_TEST = 1,
    EDGEOPS_SUBSET_VALIDATION = 2
} edgeops_subset;

/** What to freeze. Start with the INIT macro or the _init function: they set the range to all
 *  times. Append-only. Zero means default for every member after `end`.
 *
 *  The steps in order: take the rows of the range; put them on the common rate; filter; label;
 *  split.
 *
 *  Common rate (period > 0): each asset's rows become points at the multiples of the period since
 *  the epoch, from its first row in the range to its last one; a pause of more than 65,536 points
 *  starts anew. A point takes values as `fill` says, the label of the last row at or before it, and
 *  seq 0. It is the grid of a workflow's window with a rate: both give the same points.
 *
 *  Filter: conditions joined by "and", at most 16: `temp >= 20`, `state == 'run'`, `ok == true`, `x
 *  is not null`; names with blanks or < > = ! in "...". A null fulfils no comparison. The channels
 *  need not be among the dataset's. With a period the filter looks at points, else at rows.
 *
 *  Windows: what a training must cut, in rows or in time. A training with a workflow whose manifest
 *  says otherwise is refused.
 *
 *  Split: it is frozen, and the same on every machine. TIME: rows from test_from on, or the last
 *  `test` (0..1) of the time from the dataset's first row to its last one; validation comes before
 *  the test. GROUP: test_assets, or a part `test` of the assets, at least one, in the order of
 *  mix(F(asset) + seed * 0x9e3779b97f4a7c15). FRACTION: block b = floor(time / block) of an asset
 *  is for the test when mix(mix(F(asset) + seed * 0x9e3779b97f4a7c15) ^ b) >> 11 is below test *
 *  2^53, and for validation when it is below (test + validation) * 2^53. mix is the end of
 *  splitmix64 (Steele, Lea, Flood 2014), F is FNV-1a of 64 bits (RFC 9923) over the name. A block
 *  of time stays together since samples that stand side by side are alike: a model would be
 *  measured with what it has learnt. */
typedef struct edgeops_dataset_options {
    size_t struct_size;
    const char *name;            /**< [a-z0-9][a-z0-9._-]{0,63}; required */
    const char *const *assets;   /**< names or patterns with '*'; each must match an asset */
    size_t asset_count;          /**< at least 1 */
    const char *const *channels; /**< NULL: those that all the assets have, sorted by name */
    size_t channel_count;
    edgeops_time start;           /**< inclusive */
    edgeops_time end;             /**< exclusive */
    uint32_t labelled_only;       /**< not 0: rows that no label covers are left out */
    edgeops_fill fill;            /**< on the common rate */
    const char *filter;           /**< NULL: all rows */
    edgeops_duration period;      /**< 0: rows stay as they came */
    edgeops_duration tolerance;   /**< with a period: a value older than this is null; 0: any age */
    uint32_t window_rows;         /**< 1..1,000,000; 0: as the workflow says */
    uint32_t window_step;         /**< rows from one window to the next, default 1 */
    edgeops_duration window;      /**< instead of rows: needs a rate here or in the manifest */
    edgeops_duration step;        /**< of such a window, default one row */
    edgeops_split split;          /**< into train, validation and test */
    uint32_t reserved;            /**< 0, else EDGEOPS_E_INVALID */
    double test;                  /**< 0..1 */
    double validation;            /**< 0..1, together below 1 */
    edgeops_time test_from;       /**< TIME: instead of test; 0: not given */
    edgeops_time validation_from; /**< TIME: instead of validation */
    const char *const *test_assets; /**< GROUP: instead of test; names or patterns */
    size_t test_asset_count;
    const char *const *validation_assets; /**< GROUP: instead of validation */
    size_t validation_asset_count;
    uint64_t seed;          /**< GROUP and FRACTION */
    edgeops_duration block; /**< FRACTION; default: a 100th of the time from the first row to the
                               last one */
    /** Reserved: NULL in this version, else EDGEOPS_E_UNSUPPORTED. In a later version the asset
     * that each of `channels` comes from, so that rows of several assets become one. */
    const char *const *channel_assets;
    edgeops_label_rule mixed; /**< reserved: SKIP in this version, else EDGEOPS_E_UNSUPPORTED; for
                                 windows whose rows have different labels */
    uint32_t reserved32;      /**< 0, else EDGEOPS_E_INVALID */
} edgeops_dataset_options;
#define EDGEOPS_DATASET_OPTIONS_INIT                                                               \
    {                                                                                              \
        sizeof(edgeops_dataset_options), NULL, NULL, 0, NULL, 0, EDGEOPS_TIME_MIN,                 \
            EDGEOPS_TIME_MAX, 0, EDGEOPS_FILL_PREVIOUS, NULL, 0, 0, 0, 0, 0, 0,                    \
            EDGEOPS_SPLIT_NONE, 0, 0.0, 0.0, 0, 0, NULL, 0, NULL, 0, 0, 0, NULL,                   \
            EDGEOPS_LABEL_RULE_SKIP, 0                                                             \
    }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_dataset_options_init(edgeops_dataset_options *options, size_t struct_size);

/** Freezes a dataset: later samples and labels do not change it. Assets that have no row for it are
 *  left out.
 *
 *  @param options  borrowed for the call
 *  @return EDGEOPS_OK; EDGEOPS_E_EXISTS; EDGEOPS_E_NOTFOUND (asset, channel); EDGEOPS_E_INVALID (an
 *          option, the filter, no rows, or a channel that has another type in another asset);
 *          EDGEOPS_E_UNSUPPORTED (a reserved member is used); EDGEOPS_E_CORRUPT, also when the file
 *          of a blob that it would hold is missing or has another size: the text names the sample;
 *          EDGEOPS_E_LIMIT (disk); EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Blocks while all its rows are read and hashed, and while what is not on the disk
 *  is synced. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_dataset_create(edgeops_store *store, const edgeops_dataset_options *options);

/** One asset's part of a dataset: a table and, for each row, the label that covers it. */
typedef struct edgeops_dataset_part {
    edgeops_table *table;
    const int32_t *labels;  /**< one a row: index into edgeops_dataset.label_names, -1 for none */
    const uint8_t *subsets; /**< one a row: edgeops_subset; NULL without a split */
} edgeops_dataset_part;

/** A dataset in memory. Parts are sorted by asset and have the same columns. */
typedef struct edgeops_dataset {
    const char *name;
    const char *digest; /**< SHA-256, 64 hex digits, over names, types, every value and label */
    uint64_t rows;
    size_t part_count;
    const edgeops_dataset_part *parts;
    size_t label_count;
    const char *const *label_names; /**< sorted */
    edgeops_duration period;        /**< as it was made: see edgeops_dataset_options */
    edgeops_fill fill;
    edgeops_split split;
    uint32_t window_rows;
    uint32_t window_step;
    edgeops_duration window;
    edgeops_duration step;
} edgeops_dataset;

/** Reads a frozen dataset and checks its digest.
 *
 *  @param out  given to the caller, free with edgeops_dataset_free(); NULL after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_CORRUPT if the values are not the frozen ones;
 *          EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Blocks while all rows are read and hashed. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_read(edgeops_dataset **out,
                                                                  edgeops_store *store,
                                                                  const char *name);

/** As edgeops_dataset_read(), but does not compute the digest, which takes longer than reading:
 *  edgeops_dataset.digest is the frozen one. The checksums of the stored columns are checked all
 *  the same. For a training that runs edgeops_dataset_verify() beside it.
 *
 *  @param out  as edgeops_dataset_read()
 *  @return as edgeops_dataset_read()
 *  Threads: any. Blocks while all rows are read. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_read_unchecked(edgeops_dataset **out,
                                                                            edgeops_store *store,
                                                                            const char *name);

/** Reads a dataset without its values: each part's table has its asset, its number of rows and the
 *  columns' names, units, types and lengths, but no arrays; labels and subsets are NULL.
 *
 *  @param out  given to the caller, free with edgeops_dataset_free(); NULL after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_CORRUPT; EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_head(edgeops_dataset **out,
                                                                  edgeops_store *store,
                                                                  const char *name);

/** Memory of the caller for a dataset: each array gets all its rows, part after part. Start with
 *  the INIT macro or the _init function. Append-only. */
typedef struct edgeops_dataset_layout {
    size_t struct_size;
    uint64_t capacity;             /**< rows for which each of the arrays has room */
    const char *const *channels;   /**< which, in which order; NULL: all, in the dataset's order */
    size_t channel_count;          /**< of `channels`, `values` and `targets` */
    edgeops_time *times;           /**< optional */
    int64_t *seqs;                 /**< optional */
    double *values;                /**< float64[rows, channels], row-major; not with `targets` */
    const edgeops_target *targets; /**< one a channel */
    int32_t *labels;               /**< optional; index into label_names, -1 for none */
    int32_t *groups;               /**< optional; number of the part, from 0 */
    uint8_t *subsets;              /**< optional; edgeops_subset, 0 without a split */
} edgeops_dataset_layout;
#define EDGEOPS_DATASET_LAYOUT_INIT                                                                \
    { sizeof(edgeops_dataset_layout), 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_dataset_layout_init(edgeops_dataset_layout *layout, size_t struct_size);

/** Reads a frozen dataset straight into the caller's arrays. As in edgeops_dataset_read_unchecked()
 *  the digest is not computed. edgeops_dataset_head() gives the number of rows. A large dataset of
 *  several parts is read by two threads.
 *
 *  @param layout  borrowed for the call; what is in its arrays after a failure is not defined
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (dataset, channel); EDGEOPS_E_LIMIT when it has more rows
 *          than `capacity`; EDGEOPS_E_INVALID as edgeops_store_read_into(); EDGEOPS_E_CORRUPT;
 *          EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Blocks while all rows are read. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_read_into(
    edgeops_store *store, const char *name, const edgeops_dataset_layout *layout);

/** Reads a frozen dataset in pieces of a few MiB and checks its digest and the bytes of its blobs.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_CORRUPT if the values are not the frozen ones,
 *          or a blob is missing or damaged; EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Blocks while all rows and blobs are read and hashed. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_verify(edgeops_store *store,
                                                                    const char *name);

/** Frees a dataset in memory with all its parts.
 *
 *  @param dataset  NULL is allowed
 *  Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_dataset_free(edgeops_dataset *dataset);

/** Removes a dataset from the store. Its samples stay, but retention may drop them now.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Blocks: one transaction and its sync. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_remove(edgeops_store *store,
                                                                    const char *name);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_DATASET_H */
