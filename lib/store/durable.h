/* SPDX-License-Identifier: Apache-2.0 */
/* Which writes are on the disk, and waiting for them; durable.c says how waiting threads share a
 * sync. */
#ifndef EOP_STORE_DURABLE_H
#define EOP_STORE_DURABLE_H

#include <stdint.h>

#include "edgeops/store.h"

/** Under `lock`: the rows of writes 1..N are as durable as the setting asks; returns N. */
uint64_t eop_store_durable(const edgeops_store *store);
/** Under `lock`: notes that writes 1..write are on the disk. */
void eop_store_note_synced(edgeops_store *store, uint64_t write);
/** Under `lock`, which is free meanwhile: waits until writes 1..write are on the disk. E_IO when
 * that is impossible. */
edgeops_status eop_store_wait_synced(edgeops_store *store, uint64_t write);
/** The writer's thread, without a lock: with durability PROCESS syncs what was appended, the options'
 * sync_interval after it came. *due: 0 at first, then when to call again, by eop_monotonic(); 0: the
 * next append wakes the writer. */
void eop_store_sync_recent(edgeops_duration *due, edgeops_store *store);
/** After the journal was opened: sets the durability to that of the options, else of the home. */
edgeops_status eop_store_begin_durability(edgeops_store *store);

#endif /* EOP_STORE_DURABLE_H */
