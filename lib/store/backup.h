/* SPDX-License-Identifier: Apache-2.0 */
/* Copies what the store has in a home, while it is in use. */
#ifndef EOP_STORE_BACKUP_H
#define EOP_STORE_BACKUP_H

#include "base/tree.h"
#include "edgeops/store.h"

/** Copies catalog.db and data/ into an empty folder, all as of one moment inside this call: with
 * everything acknowledged before the call and nothing after that moment. Syncs the copy. Appends
 * wait for microseconds only. After a failure the folder's content means nothing. Any thread.
 *
 *  What the journal's files lack of what was appended since the store was opened is made chunks
 *  first, and a new moment is chosen. E_CORRUPT: they lack it even then; the error names the file.
 *
 *  @param fn  optional; called with the progress, can end the copy
 *  @param on_moment  optional; called when a moment is chosen, the last one counts */
edgeops_status eop_store_backup(edgeops_store *store, const char *folder, eop_copy_fn fn,
                                void (*on_moment)(void *user_data), void *user_data);

#endif /* EOP_STORE_BACKUP_H */
