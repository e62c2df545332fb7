/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of an array as times, by the rules that hold for texts and numbers of CSV, too. */
#ifndef EOP_CODEC_NPZ_TIMES_H
#define EOP_CODEC_NPZ_TIMES_H

#include "codec/npz_source.h"
#include "codec/report.h"
#include "codec/table_reader.h"

/** The rows of a batch that are left out. */
typedef struct eop_npz_bad {
    const char *what;
    uint8_t *rows; /**< by row of the batch, 1: is bad; NULL: a bad row is an error */
    uint64_t at;   /**< rows before the batch */
    eop_report *report;
    eop_table_bad_fn on_bad; /**< optional */
    void *user_data;
} eop_npz_bad;

/** Leaves a row of the batch out, or fails with the same words. Of a row that is bad already nothing
 * more is said.
 *
 *  @param reason  "is no time", goes on after the row's place
 *  @param text  what is there; NULL: it cannot be shown */
edgeops_status eop_npz_refuse(const eop_npz_bad *bad, size_t row, const char *array,
                              const char *reason, const char *text);
static inline bool eop_npz_is_bad(const eop_npz_bad *bad, size_t row) {
    return bad->rows != NULL && bad->rows[row] != 0;
}

typedef struct eop_npz_times {
    const char *what;
    const char *name; /**< of the array */
    const eop_npz_bad *bad;
    const eop_times *rules;
    bool given;         /**< the rules have a unit or a format */
    bool ns;            /**< whole numbers are ns: an array of our own */
    eop_time_unit unit; /**< of whole numbers; GUESS until the first row */
    bool compact;       /**< whole numbers are dates such as 20260131 */
    eop_report *report;
} eop_npz_times;

/** Whether times can be of such elements. */
edgeops_status eop_npz_times_check(const eop_npz_times *times, const eop_npy_field *field);
/** Times of the n rows of the last batch; of one that has none, bad is told. Rows are counted from 1
 * at the file's first. A datetime64 is what it is; whole numbers are ns, unless the rules have a unit or
 * the first one is from 1980 to 2100 only in another one or a date such as 20260131; floats are what their shortest decimal
 * text is in a CSV; texts are what they are there. */
edgeops_status eop_npz_times_take(edgeops_time *out, eop_npz_times *times,
                                  const eop_npz_source *source, const eop_npy_field *field,
                                  size_t n);

#endif /* EOP_CODEC_NPZ_TIMES_H */
