/* SPDX-License-Identifier: Apache-2.0 */
/* What the writer does in between, a step at a time: retention, compacting. Only its thread changes
 * chunks, so nothing of this can come between two of its transactions. */
#ifndef EOP_STORE_UPKEEP_H
#define EOP_STORE_UPKEEP_H

#include "store/internal.h"

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
/** The writer's thread: one step of what is to be done. DONE: there is nothing. */
edgeops_status eop_upkeep_some(edgeops_store *store);
/** The writer ends: who waits is told so. */
void eop_upkeep_stop(edgeops_store *store);

/* -- retention.c -- */
/** A run of the policies; the writer's thread makes, steps and frees it. */
typedef struct eop_retain_run eop_retain_run;
edgeops_status eop_retain_new(eop_retain_run **out, edgeops_store *store);
edgeops_status eop_retain_step(edgeops_store *store, void *run);
void eop_retain_free(eop_retain_run *run);

#endif /* EOP_STORE_UPKEEP_H */
