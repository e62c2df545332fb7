/* SPDX-License-Identifier: Apache-2.0 */
/* Replays the journal when a store is opened; see replay.c. */
#ifndef EOP_STORE_REPLAY_H
#define EOP_STORE_REPLAY_H

#include "edgeops/store.h"

/** After catalog and chunks were opened: opens the journal and puts the rows that are in no chunk
 * into the memtable. */
edgeops_status eop_replay_journal(edgeops_store *store);

#endif /* EOP_STORE_REPLAY_H */
