/* SPDX-License-Identifier: Apache-2.0 */
/* Elements of an array as times, by the rules that hold for texts and numbers of CSV, too. */
#ifndef EOP_CODEC_NPZ_TIMES_H
#define EOP_CODEC_NPZ_TIMES_H

#include "codec/npz_source.h"
#include "codec/report.h"

typedef struct eop_npz_times {
    const char *what;
    const char *name; /**< of the array */
    const eop_times *rules;
    bool given;         /**< the rules have a unit or a format */
    bool ns;            /**< whole numbers are ns: an array of our own */
    eop_time_unit unit; /**< of whole numbers; GUESS until the first row */
    bool compact;       /**< whole numbers are dates such as 20260131 */
    eop_report *report;
} eop_npz_times;

/** Whether times can be of such elements. */
edgeops_status eop_npz_times_check(const eop_npz_times *times, const eop_npy_field *field);
/** Times of the n rows of the last batch. E_INVALID names the row that has none, counted from 1 at
 * the file's first. A datetime64 is what it is; whole numbers are ns, unless the rules have a unit or
 * the first one is from 1980 to 2100 only in another one or a date such as 20260131; floats are what their shortest decimal
 * text is in a CSV; texts are what they are there. */
edgeops_status eop_npz_times_take(edgeops_time *out, eop_npz_times *times,
                                  const eop_npz_source *source, const eop_npy_field *field,
                                  size_t n);

#endif /* EOP_CODEC_NPZ_TIMES_H */
