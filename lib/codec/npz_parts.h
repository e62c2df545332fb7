/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the reader of arrays share: the arrays of a file and what each is for.
 * npz_roles.c decides, npz_dataset.c knows datasets, table_npz.c makes rows. */
#ifndef EOP_CODEC_NPZ_PARTS_H
#define EOP_CODEC_NPZ_PARTS_H

#include "codec/npz_times.h"
#include "codec/seqs.h"
#include "codec/table_npz.h"

typedef enum eop_npz_role {
    EOP_NPZ_CHANNEL,
    EOP_NPZ_TIMES,
    EOP_NPZ_SEQS,
    EOP_NPZ_LABELS,
    EOP_NPZ_ASSETS,
    EOP_NPZ_VALID,
    EOP_NPZ_QUALITY,
    EOP_NPZ_SKIPPED
} eop_npz_role;

/** An array, a field of one, or a column of one in two dimensions; and its rows of the batch. */
typedef struct eop_npz_array {
    char *name;
    const char *channel; /**< inside name */
    eop_npz_role role;
    eop_npz_source *source; /**< NULL: it was not opened */
    size_t field;
    uint32_t first;  /**< element */
    uint32_t length; /**< elements */
    void *data;      /**< of a type with a width */
    uint32_t *offsets;
    eop_buf text;
    uint8_t *valid; /**< what is no NaT, and not masked; NULL: all are there */
    bool nan_is_null;
    struct eop_npz_array *mask;
    struct eop_npz_array *codes;
    uint16_t *quality;
} eop_npz_array;

struct eop_npz {
    eop_npz_options options;
    int fd;
    eop_zip zip;
    eop_npz_source **sources;
    size_t source_count;
    eop_npz_array *arrays;
    size_t count;
    size_t capacity;
    uint64_t rows;
    eop_times *times_rules;
    eop_npz_times by_time_as;
    eop_npz_bad bad;
    eop_report *report;
    bool is_dataset;
    eop_npz_array *by_time;
    eop_npz_array *by_seq;
    eop_npz_array *labels;
    eop_npz_array *assets;
    eop_table_column *channels;
    eop_npz_array **channel_arrays;
    size_t channel_count;
    /* rows */
    size_t batch;
    uint64_t at;   /**< rows before the batch */
    size_t filled; /**< rows of the batch */
    size_t given;  /**< of those */
    size_t first;  /**< row of the batch that the last table begins with */
    edgeops_time *times;
    int64_t *seqs;
    eop_seqs seqs_known; /**< of rows without a number of their own */
    uint32_t *ids;       /**< channels of which a row has a value */
    eop_buf asset;
    edgeops_column *columns;
    edgeops_table table;
};

/** What an element of it is. */
static inline const eop_npy_field *eop_npz_field(const eop_npz_array *a) {
    return &a->source->npy.fields[a->field];
}
edgeops_status eop_npz_invalid(const eop_npz *npz, const eop_npz_array *a, const char *why);
eop_npz_array *eop_npz_find(const eop_npz *npz, const char *name);
/** Adds one like another; the name is copied. Moves the arrays. */
edgeops_status eop_npz_add_array(eop_npz *npz, const char *name, size_t size,
                                 const eop_npz_array *like);
/** Splits what dataset.export wrote into the channels that it has; else nothing. */
edgeops_status eop_npz_split_dataset(eop_npz *npz);
/** Opens what is not left out and splits it into arrays. */
edgeops_status eop_npz_open_arrays(eop_npz *npz);
/** Decides what each array is for, and makes the list of channels. */
edgeops_status eop_npz_set_roles(eop_npz *npz);

#endif /* EOP_CODEC_NPZ_PARTS_H */
