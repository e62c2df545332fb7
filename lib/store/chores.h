/* SPDX-License-Identifier: Apache-2.0 */
/* The chores of the background writer. Only its thread changes chunks, so nothing of this can come
 * between two of its transactions. */
#ifndef EOP_STORE_CHORES_H
#define EOP_STORE_CHORES_H

#include "edgeops/store.h"

/** The writer's thread: one step of what is to be done. DONE: there is nothing. */
edgeops_status eop_chores_some(edgeops_store *store);
/** The writer ends: all that waits for it gets E_CANCELED. */
void eop_chores_stop(edgeops_store *store);

#endif /* EOP_STORE_CHORES_H */
