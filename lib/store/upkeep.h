/* SPDX-License-Identifier: Apache-2.0 */
/* Work that a thread hands to the background writer and waits for: retention, compacting. The
 * writer does one step at a time, between its transactions (chores.c). */
#ifndef EOP_STORE_UPKEEP_H
#define EOP_STORE_UPKEEP_H

#include <stdbool.h>

#include "edgeops/store.h"

/** One step, in the writer's thread, without a lock. EDGEOPS_DONE: it was the last one. */
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

/** Lets the writer do the steps one after the other and waits for the end. go_on: called about ten
 * times a second, without a lock; false: E_CANCELED. May be NULL. */
edgeops_status eop_upkeep_do(edgeops_store *store, eop_upkeep_fn step, void *data,
                             bool (*go_on)(void *user_data), void *user_data);
/** Under `lock`: ends the work at the front and wakes the thread that waits for it. */
void eop_upkeep_end(edgeops_store *store, edgeops_status status, const char *message);

#endif /* EOP_STORE_UPKEEP_H */
