/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps the WAL of telemetry.db short. */
#ifndef EOP_STORE_WAL_H
#define EOP_STORE_WAL_H

#include <stdbool.h>

#include "edgeops/store.h"

/** The writer's thread calls this after chunks changed. The WAL cannot begin anew while snapshots
 * overlap: when it is too long, or with `at_once`, new ones are held back for a moment. */
void eop_store_checkpoint_chunks(edgeops_store *store, bool at_once);

#endif /* EOP_STORE_WAL_H */
