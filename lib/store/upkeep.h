/* SPDX-License-Identifier: Apache-2.0 */
/* Work that somebody asks the background writer for, and waits for: retention, compacting. It is
 * done a step at a time, in between its transactions (chores.c). */
#ifndef EOP_STORE_UPKEEP_H
#define EOP_STORE_UPKEEP_H

#include <stdbool.h>

#include "edgeops/store.h"

/** One step, in the writer's thread, no lock held. EDGEOPS_DONE: it was the last one. */
typedef edgeops_status (*eop_upkeep_fn)(edgeops_store *store, void *data);

typedef struct eop_upkeep {
    eop_upkeep_fn step;
    void *data;
    bool canceled;
    bool ended;
    edgeops_status status;
    char message[512];
    struct eop_upkeep *next;
} eop_upkeep;

/** Has the writer do the steps one after the other and waits for it. go_on: asked about ten times a
 * second, without a lock; false: E_CANCELED. May be NULL. */
edgeops_status eop_upkeep_do(edgeops_store *store, eop_upkeep_fn step, void *data,
                             bool (*go_on)(void *user_data), void *user_data);
/** Under `lock`: the work at the front has ended; wakes whoever waits for it. */
void eop_upkeep_end(edgeops_store *store, edgeops_status status, const char *message);

#endif /* EOP_STORE_UPKEEP_H */
