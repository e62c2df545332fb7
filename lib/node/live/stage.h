/* SPDX-License-Identifier: Apache-2.0 */
/* The prediction stage: an asset's samples in order of arrival, cut into windows, through a lane.
 * Where they come in parts, each row waits until it has all inputs of the model, or for its time.
 * Its owner decides about the answers: a deployment stores and publishes them, a follower shows
 * them. The store is the queue: at most EOP_STAGE_DEPTH windows are in progress. What is held is
 * read again after a restart, and so are the rows that a window still needs: with the parts that
 * came since. */
#ifndef EOP_NODE_LIVE_STAGE_H
#define EOP_NODE_LIVE_STAGE_H

#include "node/home/models.h"
#include "runtime/fold.h"
#include "runtime/window.h"

#define EOP_STAGE_DEPTH 128u

typedef struct eop_stage eop_stage;

/** One answer, in the order of the windows. Borrowed for the call. */
typedef struct eop_answer {
    edgeops_time time; /**< of the newest sample of the window */
    int64_t seq;
    edgeops_duration durable;        /**< monotonic, when that sample became durable, its newest
                                        part where it came in parts; 0: not known */
    bool incomplete;                 /**< its time was over before all inputs were there */
    const eop_window_state *state;   /**< for a checkpoint after this answer */
    const edgeops_prediction *given; /**< status, message, values */
} eop_answer;

typedef struct eop_stage_options {
    edgeops_node *node;
    const edgeops_model *model;    /**< borrowed until the stage is closed */
    const char *asset;             /**< copied */
    const char *run_dir;           /**< copied */
    uint64_t after;                /**< ordinal, as edgeops_cursor_open(); not used with state */
    const eop_window_state *state; /**< where to go on; NULL: anew */
    uint64_t seen;                 /**< eop_stage_seen() of then */
    edgeops_duration wait;         /**< of rows that lack an input; < 0: the manifest's, once the
                                        asset's rows come in parts */
    void (*on_answer)(const eop_answer *answer, void *user_data);
    /** After the answers of a turn; nothing more is submitted while it returns false. Called again
     * after eop_stage_wake(). */
    bool (*on_turn)(void *user_data);
    /** The worker is ready (OK) or died; or the stage cannot go on: `final`. */
    void (*on_state)(edgeops_status status, const char *message, bool final, void *user_data);
    /** Optional: nothing is predicted for now since the asset lacks samples or inputs, for people;
     * NULL: no longer. */
    void (*on_wait)(const char *missing, void *user_data);
    void *user_data;
} eop_stage_options;

typedef struct eop_stage_stats {
    eop_window_stats windows;
    eop_fold_stats parts;
    size_t held; /**< rows that wait for their parts */
} eop_stage_stats;

edgeops_status eop_stage_open(eop_stage **out, const eop_stage_options *options);
/** What is in flight is dropped. NULL is allowed. */
void eop_stage_close(eop_stage *stage);
/** Makes on_turn run soon. */
void eop_stage_wake(eop_stage *stage);
/** Nothing more is submitted; what is in flight still answers. */
void eop_stage_drain(eop_stage *stage);
/** Windows without an answer. */
size_t eop_stage_in_flight(const eop_stage *stage);
/** Samples that were durable and not answered for yet. */
uint64_t eop_stage_lag(const eop_stage *stage);
/** All samples up to this ordinal are answered for, also those that are parts of a row. */
uint64_t eop_stage_done(const eop_stage *stage);
/** What on_wait said last, NULL: nothing is missing. */
const char *eop_stage_missing(const eop_stage *stage);
/** How long a row that lacks an input waits; -1: rows come whole. */
edgeops_duration eop_stage_wait(const eop_stage *stage);
/** The newest ordinal that was read: late parts up to it are in the stats. */
uint64_t eop_stage_seen(const eop_stage *stage);
void eop_stage_get_stats(const eop_stage *stage, eop_stage_stats *stats);

#endif /* EOP_NODE_LIVE_STAGE_H */
