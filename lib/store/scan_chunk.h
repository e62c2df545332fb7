/* SPDX-License-Identifier: Apache-2.0 */
/* What a scan does with one chunk: judges it by its statistics, finds its wanted rows undecoded, or
 * decodes it. */
#ifndef EOP_STORE_SCAN_CHUNK_H
#define EOP_STORE_SCAN_CHUNK_H

#include "store/scan.h"

/** The wanted rows of chunk i; may be empty. */
edgeops_status eop_scan_chunk(eop_slice *slice, eop_scan *scan, size_t i);
/** For each row of the slice's chunk, whose keys are decoded, or of slice->rows: 1 where it began
 * elsewhere. NULL: none did. */
const uint8_t *eop_scan_later(const eop_scan *scan, const eop_slice *slice);
/** Decodes times, seqs, ordinals and parts of the slice's chunk into scan->reader, unless they are
 * there. */
edgeops_status eop_scan_keys(eop_scan *scan, const eop_slice *slice);
/** Keeps of slice->rows those that meet the conditions. */
edgeops_status eop_scan_test(eop_scan *scan, eop_slice *slice);
/** *out: by its statistics no row of chunk i is wanted. Not where some of its rows may have cells
 * elsewhere. */
edgeops_status eop_scan_is_out(bool *out, eop_scan *scan, uint32_t i);
/** *out: by their statistics none of these chunks has a cell that meets one of the conditions. */
edgeops_status eop_scan_are_out(bool *out, eop_scan *scan, const uint32_t *chunks, size_t n);

/** Decodes chunk i as it was at want.max_ordinal, the rows in want's range of time. The columns may
 * lag. Borrowed until another chunk is decoded; *kept: until eop_scan_forget(). */
edgeops_status eop_scan_load(const eop_rows **out, bool *kept, eop_scan *scan, uint32_t i);
/** The same, but perhaps without columns: for its keys. */
edgeops_status eop_scan_load_keys(const eop_rows **out, eop_scan *scan, uint32_t i);
void eop_scan_forget(eop_scan *scan, uint32_t i);

#endif /* EOP_STORE_SCAN_CHUNK_H */
