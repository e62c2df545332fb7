/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy arrays to tables: a .npz with arrays of equally many rows, or a .npy with one channel. */
#ifndef EOP_CODEC_TABLE_NPZ_H
#define EOP_CODEC_TABLE_NPZ_H

#include <stdbool.h>

#include "edgeops/store.h"

/** Borrowed. Zero means default. */
typedef struct eop_npz_options {
    const char *what;        /**< names the file in errors; default "arrays" */
    const char *asset;       /**< of the tables */
    const char *time_array;  /**< NULL: row i has the time start + i * period */
    const char *time_unit;   /**< of integers: "s", "ms", "us"; default "ns" */
    edgeops_time start;      /**< without a time array */
    edgeops_duration period; /**< without a time array; default 1 s */
    const char *seq_array;   /**< default "seqs" where there is one */
    const char *label_array; /**< NULL: no labels */
    const char *channel;     /**< .npy: name of the channel; NULL: a .npz */
    const char *const *skip; /**< arrays to leave out; each must be there */
    size_t skip_count;
    int cancel_fd; /**< as for eop_read_some() */
} eop_npz_options;

typedef struct eop_npz eop_npz;
/** Reads the heads of all arrays. `valid/NAME` says which rows of NAME are null; "times", "seqs"
 * and "labels" are not channels.
 *
 *  @param fd  stays the caller's; a .npz must be a regular file
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID names the array that does not fit; E_UNSUPPORTED;
 *  E_CORRUPT; E_LIMIT; E_NOMEM; E_IO */
edgeops_status eop_npz_open(eop_npz **out, int fd, const eop_npz_options *options);
/** The next rows, borrowed until the next call. EDGEOPS_DONE at the end. */
edgeops_status eop_npz_next(eop_npz *npz, const edgeops_table **table);
/** Label of a row of the table that was given last; not NUL-terminated, "" for none. */
void eop_npz_label(const eop_npz *npz, uint64_t row, const char **text, size_t *size);
uint64_t eop_npz_rows(const eop_npz *npz);
void eop_npz_close(eop_npz *npz);

#endif /* EOP_CODEC_TABLE_NPZ_H */
