/* SPDX-License-Identifier: Apache-2.0 */
/* Finds the row of a (time, seq) in a block of the memtable. Under the store's lock, also for a
 * block of a sealed segment: what is learned for the next search is kept in the block. */
#ifndef EOP_STORE_FIND_H
#define EOP_STORE_FIND_H

#include "store/memtable.h"

/** EDGEOPS_OK; EDGEOPS_DONE: the block has no such row; EDGEOPS_E_NOMEM */
edgeops_status eop_block_find(size_t *row, eop_block *block, int64_t time, int64_t seq);
/** Forgets what was learned: after rows were removed. */
void eop_block_forget(eop_block *block);

#endif /* EOP_STORE_FIND_H */
