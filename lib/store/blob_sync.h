/* SPDX-License-Identifier: Apache-2.0 */
/* Brings the blobs of rows to the disk. With durability POWER an append does it itself. With
 * PROCESS they are on the disk before the rows that refer to them are in a chunk, and sooner when
 * many have come. Which ones are left to do is told by the rows: eop_series.blobs_synced. So rows
 * that the journal brought back after a crash count, too: their blobs are also read and compared
 * with their digests, because the power may have gone. A file that it left incomplete is removed,
 * like the incomplete end of the journal. */
#ifndef EOP_STORE_BLOB_SYNC_H
#define EOP_STORE_BLOB_SYNC_H

#include "store/memtable.h"

/** With so many blobs that are not on the disk the writer syncs them without waiting for their
 * segment. */
#define EOP_BLOBS_LOOSE 1024u

/** Syncs the blobs of all rows appended so far. Blobs that are missing or damaged do not stop it:
 * they are logged. Call without a lock. E_IO, E_LIMIT: the disk; E_NOMEM. */
edgeops_status eop_blob_sync_rows(edgeops_store *store);
/** The writer's thread: the same for the rows of the segment that it is about to write. */
edgeops_status eop_blob_sync_segment(edgeops_store *store, const eop_segment *segment);
/** The writer's thread: the same for all rows when many of their blobs are not on the disk. */
void eop_blob_sync_loose(edgeops_store *store);

#endif /* EOP_STORE_BLOB_SYNC_H */
