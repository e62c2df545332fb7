/* SPDX-License-Identifier: Apache-2.0 */
/* Samples and datasets as NumPy arrays: .npy, and .npz, which is a zip of such. */
#ifndef EOP_NODE_FILES_ARRAYS_H
#define EOP_NODE_FILES_ARRAYS_H

#include "codec/zip.h"
#include "node/home/home.h"

/** Arrays on their way out. */
typedef struct eop_arrays {
    eop_job *job;
    int output;
    bool npz;
    eop_zip_writer zip;
    eop_buf buf;
} eop_arrays;

/** Begins an array of `rows` rows of `length` elements, 0 for one without a second dimension; descr
 * as for eop_npy_put_header(). A .npy holds one array. */
edgeops_status eop_array_begin(eop_arrays *a, const char *name, const char *descr, uint64_t rows,
                               uint32_t length, size_t row_bytes);
/** Elements of it, one after the other. */
edgeops_status eop_array_put(eop_arrays *a, const void *data, size_t size);
edgeops_status eop_array_end(eop_arrays *a);
/** Writes the rest. */
edgeops_status eop_arrays_finish(eop_arrays *a);
void eop_arrays_dispose(eop_arrays *a);

/** A column of texts: UCS-4 of equal width. Measure all of them, begin, then put each. */
typedef struct eop_wide_texts {
    size_t characters; /**< of the longest */
} eop_wide_texts;
void eop_wide_texts_measure(eop_wide_texts *t, const char *text, size_t size);
edgeops_status eop_wide_texts_begin(eop_wide_texts *t, eop_arrays *a, const char *name,
                                    uint64_t rows);
edgeops_status eop_wide_texts_put(const eop_wide_texts *t, eop_arrays *a, const char *text,
                                  size_t size);

/** What to write of an asset. */
typedef struct eop_asset_arrays {
    edgeops_store *store;
    const char *asset;
    const char *const *channels; /**< NULL: all */
    size_t channel_count;
    edgeops_time start;
    edgeops_time end;
    bool with_labels;
} eop_asset_arrays;
/** times int64 (ns), seqs int64, each channel under its name or as `channel/NAME` where that means
 * something else, `valid/NAME` bool for one that has nulls, `quality/NAME` uint16 for one with
 * codes, labels with with_labels; in a .npy the one channel. *rows: how many. */
edgeops_status eop_asset_arrays_write(uint64_t *rows, eop_arrays *a, const eop_asset_arrays *what);
/** X float64[rows, columns], y texts, times int64 (ns), groups, split where there is one,
 * columns. */
edgeops_status eop_dataset_arrays_write(uint64_t *rows, eop_arrays *a, edgeops_store *store,
                                        const char *dataset);

#endif /* EOP_NODE_FILES_ARRAYS_H */
