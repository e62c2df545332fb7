/* SPDX-License-Identifier: Apache-2.0 */
/* Holds what the store has in a home at one moment, while appends and reads go on.
 *
 * The moment is when the store's lock and the catalog's are both held: no append and no change of
 * the catalog is half done then. Both databases get a snapshot; the segments of the journal that
 * are not in chunks are opened and their ends noted. SQLite keeps what a snapshot needs, and the
 * journal recycles no file until the snapshot is released. */
#ifndef EOP_STORE_SNAPSHOT_H
#define EOP_STORE_SNAPSHOT_H

#include "catalog/sql.h"
#include "journal/journal.h"
#include "store/telemetry.h"

typedef struct eop_snapshot {
    edgeops_store *store;
    eop_sql catalog; /**< a connection without prepared statements */
    eop_telemetry chunks;
    eop_journal_pin *pins; /**< oldest first; the last one may be the active segment */
    size_t pin_count;
    bool held;
} eop_snapshot;

/** Takes a snapshot; not under a lock. Must be released also after a failure. */
edgeops_status eop_snapshot_take(eop_snapshot *snapshot, edgeops_store *store);
void eop_snapshot_release(eop_snapshot *snapshot);

#endif /* EOP_STORE_SNAPSHOT_H */
