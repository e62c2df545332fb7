/* SPDX-License-Identifier: Apache-2.0 */
/* NumPy arrays to tables: a .npz with arrays of equally many rows, or a .npy. */
#ifndef EOP_CODEC_TABLE_NPZ_H
#define EOP_CODEC_TABLE_NPZ_H

#include <stdbool.h>

#include "codec/json.h"
#include "codec/table_reader.h"
#include "edgeops/store.h"

/** Borrowed. Zero means default. */
typedef struct eop_npz_options {
    const char *what;         /**< names the file in errors; default "arrays" */
    const char *asset;        /**< of the tables; "{array}" is filled from an array of texts */
    const char *time_array;   /**< NULL: row i has the time start + i * period */
    eop_times_options times;  /**< of times that are texts or numbers */
    edgeops_time start;       /**< without a time array */
    edgeops_duration period;  /**< without a time array; default 1 s */
    const char *seq_array;    /**< default "seqs", or "seq" of whole numbers, where there is one */
    const char *label_array;  /**< NULL: no labels */
    const char *channel;      /**< .npy: name of the channel; NULL: a .npz */
    const char *const *names; /**< .npy: of the channels, one a column or field */
    size_t name_count;
    const char *const *skip; /**< arrays to leave out; each must be there */
    size_t skip_count;
    eop_bad_rows bad_rows;
    eop_table_bad_fn
        on_bad; /**< optional; with EOP_BAD_SKIP, each bad row; line: its number from 1 */
    void *user_data;
    int cancel_fd; /**< as for eop_read_some() */
} eop_npz_options;

typedef struct eop_npz eop_npz;
/** Reads the heads of all arrays. Each is a channel, but for those of the options and
 *  - `valid/NAME` (bool) says which values of NAME there are, `quality/NAME` has its quality codes
 *  - `channel/NAME` is a channel whose name means something else here, such as times
 *  - `times` and `labels` are left out where no option takes them
 * Arrays with fields are one array a field. What is no type of a channel becomes one: float16 is
 * widened to float32, datetime64 and timedelta64 are int64 with the unit ns and NaT is null. A word
 * such as NA is a text like any other. Without a seq array rows of one time are
 * numbered as seqs.h says.
 *
 *  @param fd  stays the caller's; a .npz must be a regular file
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID names the array that does not fit; E_UNSUPPORTED;
 *  E_CORRUPT; E_LIMIT; E_NOMEM; E_IO */
edgeops_status eop_npz_open(eop_npz **out, int fd, const eop_npz_options *options);
/** The next good rows, all of one asset, borrowed until the next call; E_INVALID names a bad row.
 * EDGEOPS_DONE at the end. */
edgeops_status eop_npz_next(eop_npz *npz, const edgeops_table **table);
/** Label of a row of the table that was given last; not NUL-terminated, "" for none. */
void eop_npz_label(const eop_npz *npz, uint64_t row, const char **text, size_t *size);
uint64_t eop_npz_rows(const eop_npz *npz);
/** The channels with their units. */
size_t eop_npz_channels(const eop_npz *npz, const eop_table_column **out);
/** What was met and decided so far (report.h). NULL: no memory. */
eop_json *eop_npz_report(const eop_npz *npz);
void eop_npz_close(eop_npz *npz);

/** Whether an array of that name is not a channel, or might not be: exports put "channel/" in front
 * of it. */
bool eop_npz_name_is_taken(const char *name);

#endif /* EOP_CODEC_TABLE_NPZ_H */
