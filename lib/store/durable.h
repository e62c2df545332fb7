/* SPDX-License-Identifier: Apache-2.0 */
/* What is on the disk, and waiting for it (durable.c). */
#ifndef EOP_STORE_DURABLE_H
#define EOP_STORE_DURABLE_H

#include <stdint.h>

#include "edgeops/store.h"

/** Under `lock`: rows that came with a write up to this one are as durable as they must be. */
uint64_t eop_store_durable(const edgeops_store *store);
/** Under `lock`: the writes 1..write are on the disk. */
void eop_store_note_synced(edgeops_store *store, uint64_t write);
/** Under `lock`, which is free while it waits: the writes 1..write are on the disk afterwards. E_IO
 * when that cannot be. */
edgeops_status eop_store_wait_synced(edgeops_store *store, uint64_t write);
/** The journal is open: the durability is that of the options or of the home from here on. */
edgeops_status eop_store_begin_durability(edgeops_store *store);

#endif /* EOP_STORE_DURABLE_H */
