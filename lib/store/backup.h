/* SPDX-License-Identifier: Apache-2.0 */
/* Copies what the store has in a home, while it is in use. */
#ifndef EOP_STORE_BACKUP_H
#define EOP_STORE_BACKUP_H

#include "base/tree.h"
#include "edgeops/store.h"

/** Copies catalog.db and data/ into an empty folder, all as of one moment inside this call: with
 * whatever was acknowledged before it, and nothing that comes after that moment; and brings it to
 * the disk. Appends wait for some microseconds only. What is in the folder after a failure means
 * nothing. Any thread.
 *
 *  @param fn  optional; told of the progress, ends it
 *  @param on_moment  optional; called when the moment is chosen, before anything is copied */
edgeops_status eop_store_backup(edgeops_store *store, const char *folder, eop_copy_fn fn,
                                void (*on_moment)(void *user_data), void *user_data);

#endif /* EOP_STORE_BACKUP_H */
