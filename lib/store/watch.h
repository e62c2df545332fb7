/* SPDX-License-Identifier: Apache-2.0 */
/* The watchers of a store: functions that are called after samples became durable. The list is
 * guarded by the store's watch_lock, which an append also holds while it calls them: so an asset's
 * ordinals come in order, and a watcher that was closed is not called any more. */
#ifndef EOP_STORE_WATCH_H
#define EOP_STORE_WATCH_H

#include "edgeops/store.h"

/** Under watch_lock: tells all watchers. */
void eop_watches_tell(const edgeops_store *store, const char *asset, uint64_t ordinal);
/** The store is being closed: forgets watchers that were not closed. */
void eop_watches_dispose(edgeops_store *store);

#endif /* EOP_STORE_WATCH_H */
