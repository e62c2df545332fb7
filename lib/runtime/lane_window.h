/* SPDX-License-Identifier: Apache-2.0 */
/* Windows as callers give them: whether they are what a manifest asks for, and tables of arrays of
 * numbers. */
#ifndef EOP_RUNTIME_LANE_WINDOW_H
#define EOP_RUNTIME_LANE_WINDOW_H

#include "runtime/rows.h"

/** Whether rows first .. first + rows of a table are one window: the manifest's inputs by name,
 * type and length in their order, as many rows as it says, all arrays there, texts UTF-8, times in
 * order (two rows of one time in the order of their seqs). E_INVALID says what is wrong. */
edgeops_status eop_window_check(const edgeops_manifest *manifest, const edgeops_table *table,
                                uint64_t first, uint64_t rows);

/** Whether arrays can be windows: there, with times that ascend, and no input that is not a number.
 * E_INVALID. */
edgeops_status eop_arrays_check(const edgeops_manifest *manifest, const double *values,
                                const edgeops_time *times, uint64_t rows);
/** Appends rows first .. first + n of checked arrays in the types of the inputs, with their
 * number from 1 as the ordinal. E_INVALID names the row and the input of a number that its type
 * does not have. */
edgeops_status eop_arrays_append(eop_rows *out, const edgeops_manifest *manifest,
                                 const double *values, const edgeops_time *times, uint64_t first,
                                 uint64_t n);

#endif /* EOP_RUNTIME_LANE_WINDOW_H */
