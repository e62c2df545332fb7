/* SPDX-License-Identifier: Apache-2.0 */
/* The watchers of a store: functions that are called after samples became durable. watch_lock
 * guards the list, and an append holds it while it calls them: so watchers see an asset's ordinals
 * in order, and are never called after they were closed. */
#ifndef EOP_STORE_WATCH_H
#define EOP_STORE_WATCH_H

#include "edgeops/store.h"

/** Under watch_lock: calls all watchers. */
void eop_watches_tell(const edgeops_store *store, const char *asset, uint64_t ordinal);
/** Called when the store is closed: detaches watchers that were not closed. */
void eop_watches_dispose(edgeops_store *store);

#endif /* EOP_STORE_WATCH_H */
