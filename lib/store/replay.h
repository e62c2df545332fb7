/* SPDX-License-Identifier: Apache-2.0 */
/* Replaying the journal at the opening. */
#ifndef EOP_STORE_REPLAY_H
#define EOP_STORE_REPLAY_H

#include "edgeops/store.h"

/** The catalog and the chunks are open: opens the journal and puts what is in no chunk yet into the
 * memtable. */
edgeops_status eop_replay_journal(edgeops_store *store);

#endif /* EOP_STORE_REPLAY_H */
