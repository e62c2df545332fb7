/* SPDX-License-Identifier: Apache-2.0 */
/* Which assets a source has fed, and how many of them it made: noted by the driver's threads and
 * kept over restarts, so that a deployment finds the broker of its asset before the first sample
 * comes, and a source makes no more assets than it may. Names are kept as hashes; a collision only
 * adds a candidate. */
#ifndef EOP_NODE_LIVE_FED_H
#define EOP_NODE_LIVE_FED_H

#include "base/map.h"
#include "node/home/home.h"

typedef struct eop_fed {
    pthread_mutex_t lock;
    eop_map now;    /**< guarded by lock: seen since the source was opened */
    eop_map before; /**< guarded by lock: what was kept */
    uint64_t made;  /**< guarded by lock: assets that were not there before */
    size_t saved;   /**< loop: of `now` */
    uint64_t saved_made;
    edgeops_duration saved_at;
} eop_fed;

void eop_fed_init(eop_fed *fed);
void eop_fed_dispose(eop_fed *fed);
uint64_t eop_fed_hash(const char *asset);
/** True for an asset that was not seen since the source was opened. Any thread. */
bool eop_fed_note(eop_fed *fed, uint64_t hash);
/** Takes an asset out again that was noted and did not come about. Any thread. */
void eop_fed_drop(eop_fed *fed, uint64_t hash);
/** The asset was removed: it counts no more. Any thread. */
void eop_fed_removed(eop_fed *fed, uint64_t hash);
/** Any thread. */
bool eop_fed_has(eop_fed *fed, uint64_t hash);
/** How many assets the source made, in this process and earlier ones. Any thread. */
uint64_t eop_fed_made(eop_fed *fed);
/** One more. Any thread. */
void eop_fed_count_made(eop_fed *fed);
/** What an earlier process kept for a source; nothing where there is nothing. */
void eop_fed_load(eop_fed *fed, edgeops_node *node, const char *source);
/** Keeps what came since; now, or, being cheap to call, when it is time again: the sooner, the less
 * there is to write. */
void eop_fed_save(eop_fed *fed, edgeops_node *node, const char *source, bool now);
void eop_fed_forget(edgeops_node *node, const char *source);

#endif /* EOP_NODE_LIVE_FED_H */
