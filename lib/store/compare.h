/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the cells of a sample with all that is stored of its (asset, time, seq). Under the
 * store's lock; owns nothing. */
#ifndef EOP_STORE_COMPARE_H
#define EOP_STORE_COMPARE_H

#include "store/memtable.h"

typedef struct eop_compare {
    eop_search search; /**< first */
    eop_cell *cells;   /**< those that are not stored, none of them null; others are removed */
    size_t count;
    bool known;           /**< a cell was there already, and was removed */
    uint32_t conflict;    /**< the first channel that contradicts; UINT32_MAX: none */
    edgeops_value stored; /**< of that channel; borrowed until rows change or the next search */
    uint16_t quality;
} eop_compare;

/** Begins with the n cells of a sample. Then search with compare->search until it stops or is
 * whole. whole: a stored row must have exactly these cells. */
void eop_compare_begin(eop_compare *compare, eop_cell *cells, size_t n, int64_t time, int64_t seq,
                       bool whole);

#endif /* EOP_STORE_COMPARE_H */
