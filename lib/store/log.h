/* SPDX-License-Identifier: Apache-2.0 */
/* What the store says to its host. */
#ifndef EOP_STORE_LOG_H
#define EOP_STORE_LOG_H

#include "base/log.h"
#include "edgeops/store.h"

/** A line of the store's. Without a lock that the host's log could want; any thread. */
void eop_store_log(edgeops_store *store, edgeops_log_level level, const char *format, ...)
    EOP_PRINTF(3, 4);
/** Where the lines go; what was found at the opening is written at once. */
void eop_store_set_log(edgeops_store *store, const eop_log *log);
/** A chunk cannot be read: it is counted, and the writer logs it, once. 0: where it says which
 * chunks there are cannot. Any thread, any lock. */
void eop_store_note_damage(int64_t chunk, void *store);
/** The writer's thread: logs the chunks that were noted since the last call. */
void eop_store_log_damage(edgeops_store *store);

#endif /* EOP_STORE_LOG_H */
