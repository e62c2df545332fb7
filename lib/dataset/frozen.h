/* SPDX-License-Identifier: Apache-2.0 */
/* What a dataset was frozen with, and its values.
 *
 * The digest of a dataset is the SHA-256 of the text below. Lengths are in bytes, numbers decimal,
 * and each line ends with `\n`. HASH is the SHA-256 of a plain little-endian array, in 64 hex
 * digits:
 *
 *   edgeops dataset 1
 *   period NS                      only on a common rate
 *   window rows ROWS STEP          or: window time NS NS; only where one is defined
 *   channel TYPE LENGTH NAME       for each column; TYPE: number of the edgeops_type
 *   array COLUMN ELEMENTS          behind the line of a channel of arrays; COLUMN: from 0
 *   label LENGTH TEXT              for each different label of a row, sorted by bytes
 *   part LENGTH ASSET ROWS         for each asset, sorted by bytes, with the lines below; an
 *                                  asset without rows is not in a dataset
 *   times HASH                     int64 of each row
 *   seqs HASH                      int64 of each row; "-" for HASH when all are 0
 *   column HASH NULLS              for each column: the values as their type stores them (a bool in
 *                                  one byte, a blob as its 32 bytes of SHA-256 and uint64 size, an
 *                                  array as its elements); each element of a null is the NaN
 *                                  0x7ff8000000000000 or 0x7fc00000, or 0. NULLS: "-" without a
 *                                  null, else HASH of one byte a row, 0 for null and 1 else
 *   column SIZES BYTES NULLS       a column of strings: HASH of the uint32 sizes, HASH of all bytes
 *   qualities HASH                 behind the line of a column in which a value has a quality code:
 *                                  uint16 of each row, 0xffff for none
 *   labels HASH                    int32 of each row: index of its label from 0, -1 for none; "-"
 *                                  for HASH when no row has a label
 *   subsets HASH                   one byte for each row, its edgeops_subset; only with a split
 *
 * Rows are sorted by (time, seq), points of a common rate by time. The digest covers all that a
 * training sees and nothing else: not the name of the dataset, not how the rows are stored, not
 * when or where they arrived. Each array can be hashed piece by piece. */
#ifndef EOP_DATASET_FROZEN_H
#define EOP_DATASET_FROZEN_H

#include "dataset/label.h"
#include "dataset/spec.h"
#include "store/inner.h"
#include "store/read.h"

typedef struct eop_frozen_asset {
    uint32_t id;
    char *name;
    uint64_t max_ordinal;
    uint64_t rows;
    int64_t interval;   /**< only while it is made: median time from row to row, 0: none */
    uint32_t *channels; /**< for each column: position in the asset */
    uint32_t *tested;   /**< for each condition: the same; UINT32_MAX: lacks it */
} eop_frozen_asset;

typedef struct eop_frozen {
    int64_t id; /**< id in the catalog */
    char *name;
    char digest[65];
    edgeops_time created;
    edgeops_time start;
    edgeops_time end;
    bool labelled_only;
    uint64_t label_version;
    uint64_t rows;
    edgeops_channel_info *channels; /**< names and units are owned */
    size_t channel_count;
    eop_frozen_asset *assets;
    size_t asset_count;
    eop_label_names labels; /**< sorted, with numbers of rows */
    eop_spec spec;
    char *profile; /**< JSON; NULL: none */
} eop_frozen;

void eop_frozen_dispose(eop_frozen *frozen);
void eop_frozen_asset_dispose(eop_frozen_asset *asset);
/** Reads the dataset from the catalog. E_NOTFOUND. */
edgeops_status eop_frozen_load(eop_frozen *frozen, eop_catalog *catalog, const char *name);
/** Writes the dataset into the catalog. E_EXISTS; E_NOTFOUND when an asset was removed
 * meanwhile. */
edgeops_status eop_frozen_save(const eop_frozen *frozen, eop_catalog *catalog);

/* -- part.c: the rows of one asset in the dataset, a batch at a time -- */

typedef struct eop_batch {
    eop_rows rows;
    int32_t *labels;
    uint8_t *subsets; /**< NULL without a split */
    size_t label_capacity;
    size_t subset_capacity;
} eop_batch;
void eop_batch_dispose(eop_batch *batch);

/** Reports E_CORRUPT: a row has a label that the dataset did not have. */
edgeops_status eop_frozen_fail_label(const eop_frozen *frozen, const char *label);

typedef enum eop_part_mode {
    EOP_PART_KEYS,   /**< no columns; they need not be chosen yet */
    EOP_PART_SLICES, /**< a few MiB at a time */
    EOP_PART_WHOLE   /**< one batch with all rows */
} eop_part_mode;

typedef struct eop_part_reader eop_part_reader;
/** names: with KEYS it receives the labels that rows have; otherwise it holds those of the dataset,
 * and a row with another label is E_CORRUPT. All arguments are borrowed until the reader is
 * closed. */
edgeops_status eop_part_open(eop_part_reader **out, edgeops_store *store, const eop_frozen *frozen,
                             const eop_frozen_asset *asset, eop_label_names *names,
                             eop_part_mode mode);
/** NULL is allowed. */
void eop_part_close(eop_part_reader *reader);
/** Fills a batch with at least one row. EDGEOPS_DONE: there are no more. */
edgeops_status eop_part_next(eop_part_reader *reader, eop_batch *batch);

/* -- blobs.c -- */

/** Checks that the file of each blob of a batch is there and has its size, with `content` also its
 * digest. E_CORRUPT: one is not, also where it is missing; the text names the sample. */
edgeops_status eop_frozen_check_blobs(edgeops_store *store, const eop_frozen *frozen, size_t asset,
                                      const eop_batch *batch, bool content);

/* -- digest.c: the digest -- */

typedef struct eop_part_hash eop_part_hash;
edgeops_status eop_part_hash_new(eop_part_hash **out, const eop_frozen *frozen);
/** NULL is allowed. */
void eop_part_hash_free(eop_part_hash *hash);
edgeops_status eop_part_hash_add(eop_part_hash *hash, const eop_batch *batch);
/** Appends the lines of the part and frees the hash. */
void eop_part_hash_finish(eop_buf *text, eop_part_hash *hash, const char *asset);
/** Appends the lines before those of the parts. frozen->labels must be sorted. */
void eop_digest_head(eop_buf *text, const eop_frozen *frozen);

/* -- read.c -- */

/** Called for each batch. */
typedef edgeops_status (*eop_batch_fn)(size_t asset, const eop_batch *batch, void *user_data);
/** Reads the dataset in slices and computes its digest. fn: optional. */
edgeops_status eop_frozen_digest(char digest[65], edgeops_store *store, const eop_frozen *frozen,
                                 eop_batch_fn fn, void *user_data);

#endif /* EOP_DATASET_FROZEN_H */
