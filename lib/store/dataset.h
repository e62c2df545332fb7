/* SPDX-License-Identifier: Apache-2.0 */
/* What a dataset was frozen with, and its values.
 *
 * The digest is the SHA-256 of this text (lengths in bytes, numbers decimal, `\n` at the end of
 * each line), in which HASH is the SHA-256, 64 hex digits, of a plain little-endian array:
 *
 *   edgeops dataset 1
 *   channel TYPE LENGTH NAME       for each column; TYPE: number of the edgeops_type
 *   array COLUMN ELEMENTS          behind the line of a channel of arrays; COLUMN: its number from
 * 0 label LENGTH TEXT              for each different label of a row, sorted by bytes part LENGTH
 * ASSET ROWS         for each asset, sorted by bytes; assets without a row are not in a dataset
 *   times HASH                     int64 of each row
 *   seqs HASH                      int64 of each row; "-" instead when all are 0
 *   column HASH NULLS              for each column: the values as their type stores them (a bool in
 *                                  one byte, a blob as its 32 bytes of SHA-256 and uint64 size, an
 *                                  array as its elements); a null is the NaN 0x7ff8000000000000 or
 *                                  0x7fc00000, or 0, in each element. NULLS: "-" without a null,
 *                                  else HASH of one byte a row, 0 for null
 *   column SIZES BYTES NULLS       a column of strings: HASH of the uint32 sizes, HASH of all bytes
 *   qualities HASH                 behind the line of a column in which a value has a quality code:
 *                                  uint16 of each row, 0xffff for none
 *   labels HASH                    int32 of each row, number of its label from 0, -1 for none; "-"
 *                                  when no row has one
 *
 * Rows are sorted by (time, seq). So it covers all that a training sees and nothing else: not the
 * name of the dataset, not how the rows are stored, not when or where they arrived. Each array can
 * be hashed piece by piece. */
#ifndef EOP_STORE_DATASET_H
#define EOP_STORE_DATASET_H

#include "store/internal.h"
#include "store/label.h"

typedef struct eop_frozen_asset {
    uint32_t id;
    char *name;
    uint64_t max_ordinal;
    uint64_t rows;
    uint32_t *channels; /**< position within the asset, for each column */
} eop_frozen_asset;

typedef struct eop_frozen {
    int64_t id; /**< in the catalog */
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
    eop_label_names labels; /**< with their rows */
} eop_frozen;

void eop_frozen_dispose(eop_frozen *frozen);
/** Reads all of it from the catalog, but for the labels. E_NOTFOUND. */
edgeops_status eop_frozen_load(eop_frozen *frozen, eop_catalog *catalog, const char *name);
/** Writes it into the catalog. E_EXISTS; E_NOTFOUND when an asset was removed meanwhile. */
edgeops_status eop_frozen_save(const eop_frozen *frozen, eop_catalog *catalog);

/** An asset's rows with its labels. */
typedef struct eop_frozen_part {
    eop_table *table;
    int32_t *labels;
    size_t rows;
} eop_frozen_part;

typedef struct eop_frozen_values {
    eop_frozen_part *parts; /**< for each asset */
    size_t part_count;
    eop_label_names labels; /**< those that are used, sorted */
    uint64_t rows;
    char digest[65];
} eop_frozen_values;

void eop_frozen_values_dispose(eop_frozen_values *values);
/** Reads what is frozen and makes the digest. keep: the tables stay in values->parts. */
edgeops_status eop_frozen_read(eop_frozen_values *values, edgeops_store *store,
                               const eop_frozen *frozen, bool keep);
/** Number of rows of one asset that are in. */
edgeops_status eop_frozen_count(uint64_t *out, edgeops_store *store, const eop_frozen *frozen,
                                const eop_frozen_asset *asset);

#endif /* EOP_STORE_DATASET_H */
