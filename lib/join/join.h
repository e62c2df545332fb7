/* SPDX-License-Identifier: Apache-2.0 */
/* Makes the rows of a derived asset of those of its inputs, a bounded step at a time, from history
 * and from what comes in alike: the rows are the same whichever way and in whatever order their
 * samples came, as long as none was longer on its way than the wait.
 *
 * What is stored is never changed. How far the inputs are in is kept beside the definition and may
 * lag behind the rows: going over the same input again makes the same rows, which the store finds to
 * be there. So a kill -9 at any moment loses and doubles nothing.
 *
 * One thread at a time uses a join, but eop_join_look(), which any thread may call. */
#ifndef EOP_JOIN_JOIN_H
#define EOP_JOIN_JOIN_H

#include "catalog/catalog.h"
#include "join/spec.h"

typedef struct eop_join eop_join;

/** What a join did and does. Counts are since it was made. */
typedef struct eop_join_view {
    uint64_t rows;          /**< rows and later parts of rows that were stored */
    uint64_t late;          /**< samples that came after rows in which they would have been */
    uint64_t conflicts;     /**< rows that were there with other values and stayed so */
    uint64_t lost;          /**< samples that retention dropped before they were joined */
    uint64_t behind;        /**< samples of inputs that are not looked at yet */
    edgeops_duration waits; /**< how long the oldest row has yet to wait; -1: none waits */
    double part;            /**< of what was there, done: 0..1 */
    char problem[512];      /**< why it cannot go on; "" */
} eop_join_view;

/** Opens a join where it was: state is what eop_join_state() printed, NULL for one that is new.
 *
 *  @param store  borrowed, and so is its catalog
 *  @param spec   borrowed; does not change while the join is open */
edgeops_status eop_join_open(eop_join **out, edgeops_store *store, const eop_join_spec *spec,
                             const eop_json *state);
/** NULL is allowed. */
void eop_join_close(eop_join *join);
/** Does a piece of the work, at most some 10,000 rows. EDGEOPS_OK: call again, there is more;
 * EDGEOPS_DONE: nothing can be done before something comes in or, unless it is INT64_MAX, before
 * the monotonic time *due. A failure is shown by eop_join_look() until a step succeeds.
 *
 *  @param now  monotonic */
edgeops_status eop_join_step(eop_join *join, edgeops_duration now, edgeops_duration *due);
/** Where it is, to be kept once everything that was appended is synced; NULL when nothing changed
 * since the last call, or without memory. */
eop_json *eop_join_state(eop_join *join);
/** Whether eop_join_state() would give something. */
bool eop_join_is_dirty(const eop_join *join);
/** Any thread. */
void eop_join_look(eop_join_view *out, eop_join *join);

#endif /* EOP_JOIN_JOIN_H */
