/* SPDX-License-Identifier: Apache-2.0 */
/* The queue of sealed segments between appends and the background writer. */
#ifndef EOP_STORE_QUEUE_H
#define EOP_STORE_QUEUE_H

#include <stdbool.h>

#include "edgeops/store.h"
#include "store/memtable.h"

/** There is work for the writer. Any thread, any lock. */
void eop_writer_wake(edgeops_store *store);
/** New assets or channels are in the catalog: the writer brings it to the disk, before any chunk
 * that uses them. A power cut may take what was appended last, but rows must not lose their names.
 * Any thread, any lock. */
void eop_writer_sync_names(edgeops_store *store);
/** Under `lock`: puts a segment at the end of the queue. */
void eop_store_seal(edgeops_store *store, eop_segment *segment);
/** Under `lock`: a new active segment for such a payload; the one before goes into the queue. */
edgeops_status eop_store_rotate(edgeops_store *store, size_t payload);
/** Under `lock`, which may be free meanwhile: the active segment takes such a payload afterwards
 * and its rows do not take too much memory: a channel that comes seldom takes its place in each
 * row.
 *
 * When the writer is behind, each call waits up to EOP_SLOW_MS, so that whoever appends flat out
 * comes down to the writer's pace and no single append waits long; when its queue is full, up to
 * `wait`, then E_AGAIN. wait < 0: it does not wait. */
edgeops_status eop_store_make_room(edgeops_store *store, size_t payload, edgeops_duration wait);
/** Under `lock`, which is free meanwhile: waits until something changes. False: the deadline has
 * passed, a time of eop_monotonic(). */
bool eop_store_wait_changed(edgeops_store *store, edgeops_duration deadline);
/** Makes the journal's spare where there is none, and holds `lock` for a moment only. */
edgeops_status eop_store_make_spare(edgeops_store *store);
/** Moves all that is in the journal into chunks now, and what was removed out of them (tests,
 * backup). */
edgeops_status eop_store_flush(edgeops_store *store);

#endif /* EOP_STORE_QUEUE_H */
