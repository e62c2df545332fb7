/* SPDX-License-Identifier: Apache-2.0 */
/* The WAL of telemetry.db. */
#ifndef EOP_STORE_WAL_H
#define EOP_STORE_WAL_H

#include <stdbool.h>

#include "edgeops/store.h"

/** The writer's thread, after the chunks changed. The WAL cannot start anew as long as snapshots
 * overlap: when it is too long, or at once, they are held back for a moment. */
void eop_store_checkpoint_chunks(edgeops_store *store, bool at_once);

#endif /* EOP_STORE_WAL_H */
