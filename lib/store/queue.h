/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of sealed segments between appends and the background writer. */
#ifndef EOP_STORE_QUEUE_H
#define EOP_STORE_QUEUE_H

#include <stdbool.h>

#include "edgeops/store.h"
#include "store/memtable.h"

/** Wakes the writer because there is work. Any thread, under any lock. */
void eop_writer_wake(edgeops_store *store);
/** Call after new assets or channels were committed: the writer syncs the catalog before it writes
 * a chunk that uses them. A power cut may take the newest rows, but rows must not lose their names.
 * Any thread, under any lock. */
void eop_writer_sync_names(edgeops_store *store);
/** Under `lock`: puts a segment at the end of the queue. */
void eop_store_seal(edgeops_store *store, eop_segment *segment);
/** Under `lock`, or while the store is opened: the next segments get a size that suits such ones as
 * this, which is full. */
void eop_store_fit_segments(edgeops_store *store, const eop_segment *segment);
/** Under `lock`: makes a new active segment with room for such a payload; the old one goes into the
 * queue. */
edgeops_status eop_store_rotate(edgeops_store *store, size_t payload);
/** Under `lock`, which may be free meanwhile: makes room in the active segment for such a payload.
 * Also seals a segment whose rows take too much memory: a rare channel takes its place in each row.
 *
 * When the writer is behind, each call waits up to EOP_SLOW_MS: appends slow down to its pace and
 * none waits long. When the queue is full, waits up to `wait`, then E_AGAIN. wait < 0: never waits.
 */
edgeops_status eop_store_make_room(edgeops_store *store, size_t payload, edgeops_duration wait);
/** Under `lock`, which is free meanwhile: waits until something changes. deadline: of
 * eop_monotonic(). False: it has passed. */
bool eop_store_wait_changed(edgeops_store *store, edgeops_duration deadline);
/** Makes the journal's spare when there is none; holds `lock` only for a moment. */
edgeops_status eop_store_make_spare(edgeops_store *store);
/** Moves all rows of the journal into chunks now, and drops the chunks of removed assets. */
edgeops_status eop_store_flush(edgeops_store *store);

#endif /* EOP_STORE_QUEUE_H */
