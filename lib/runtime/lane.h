/* SPDX-License-Identifier: Apache-2.0 */
/* What lane.c, which keeps windows and their worker, shows to those who put windows in. */
#ifndef EOP_RUNTIME_LANE_H
#define EOP_RUNTIME_LANE_H

#include <stdbool.h>

#include "runtime/predictions.h"

/** A call that waits for answers, on its caller's stack. At most one a lane, since the loop does
 * not turn inside itself. */
typedef struct eop_lane_wait {
    /** Gets the answer to each window that was put in for it, in their order. */
    void (*on_answer)(const edgeops_prediction *prediction, void *user_data);
    void *user_data;
    bool closed;           /**< the lane is gone */
    edgeops_status failed; /**< the model did not load; the error's text is in message */
    char message[256];
} eop_lane_wait;

const edgeops_manifest *eop_lane_manifest(const edgeops_lane *lane);
edgeops_ctx *eop_lane_ctx(const edgeops_lane *lane);
bool eop_lane_has_callback(const edgeops_lane *lane);
/** Whether a window would be taken. */
bool eop_lane_has_room(const edgeops_lane *lane);

/** Puts in a window that eop_window_check() found right.
 *
 *  @param waited  its answer is for the call that waits, else for on_prediction
 *  @return E_AGAIN when the lane is full: on_drain will say when it is not; E_LIMIT, E_NOMEM */
edgeops_status eop_lane_put(edgeops_lane *lane, uint64_t id, const edgeops_table *table,
                            uint64_t first, uint64_t rows, bool waited);

/** Answers that the last call which waited left for its caller. */
eop_predictions *eop_lane_answers(edgeops_lane *lane);
/** Says that a call waits, until eop_lane_leave(). E_INVALID when another one does. */
edgeops_status eop_lane_enter(edgeops_lane *lane, eop_lane_wait *wait);
/** Ends that, and forgets those of its windows that are not answered. Not when wait->closed;
 * nothing happens when it was not let in. */
void eop_lane_leave(edgeops_lane *lane, const eop_lane_wait *wait);

#endif /* EOP_RUNTIME_LANE_H */
