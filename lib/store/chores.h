/* SPDX-License-Identifier: Apache-2.0 */
/* The chores of the background writer. They run in its thread, the only one that changes chunks, so
 * none of them can interrupt one of its transactions. */
#ifndef EOP_STORE_CHORES_H
#define EOP_STORE_CHORES_H

#include "edgeops/store.h"

/** The writer's thread: does one step. DONE: there is nothing to do. */
edgeops_status eop_chores_some(edgeops_store *store);
/** The writer ends: all waiting work is ended with E_CANCELED. */
void eop_chores_stop(edgeops_store *store);

#endif /* EOP_STORE_CHORES_H */
