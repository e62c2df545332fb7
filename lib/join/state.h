/* SPDX-License-Identifier: Apache-2.0 */
/* A join from inside: its inputs, and what each of the three rules keeps from step to step. Used by
 * one thread at a time; `view` alone is guarded by view_lock. */
#ifndef EOP_JOIN_STATE_H
#define EOP_JOIN_STATE_H

#include <pthread.h>

#include "column/align.h"
#include "column/table.h"
#include "join/join.h"

/** Rows of an append, and of a slice of an input. */
#define EOP_JOIN_ROWS 8192u
/** The wait ends at most a 32nd of it too late: so many marks are enough. */
#define EOP_JOIN_MARKS 40u
/** Samples further ahead of the wall clock do not say how far an input is: its clock jumped. */
#define EOP_JOIN_AHEAD (86400 * EDGEOPS_SECOND)
#define EOP_JOIN_NEVER INT64_MIN

/** What was there when: everything up to `to`, a time or an ordinal, was seen at `at`. */
typedef struct eop_join_mark {
    int64_t to;
    edgeops_duration first; /**< monotonic; of the first one that is in this mark */
    edgeops_duration at;    /**< of the last one */
} eop_join_mark;

typedef struct eop_join_marks {
    eop_join_mark items[EOP_JOIN_MARKS];
    size_t count;
    int64_t released; /**< up to here the wait is over; EOP_JOIN_NEVER: nothing is */
} eop_join_marks;

/** An input asset with those of its channels that are joined. */
typedef struct eop_join_input {
    const char *asset; /**< borrowed from the spec, as are the names */
    const char **names;
    size_t *columns; /**< for each of them its column in the derived asset */
    size_t count;
    bool there;
    uint64_t version_of_types; /**< the join's when the cursor was opened */
    edgeops_cursor *cursor;
    const edgeops_table *block; /**< of the cursor, not all done; NULL: none */
    uint64_t seen;              /**< ordinal: up to here looked at, or for exact times stored */
    uint64_t last;              /**< the newest ordinal at the last look */
    uint64_t skipped;           /**< of the cursor, counted already */
    uint64_t gap;   /**< up to this ordinal it was there at the opening: perhaps joined before */
    bool parts;     /**< its rows come in parts: each channel says how far it is, not all of them */
    bool fresh;     /**< nothing was read: what is dropped already was never its own to lose */
    bool unordered; /**< its samples do not come in the order of their times */
} eop_join_input;

typedef struct eop_join_column {
    edgeops_type type; /**< NULL: neither the input nor the derived asset has it yet */
    uint32_t length;
    edgeops_type from; /**< of the input's channel; NULL: it is not there */
    char *unit;
    int64_t newest; /**< greatest time seen, not ahead of the clock; EOP_JOIN_NEVER: none */
} eop_join_column;

/** Points of a common rate, see rate.c. */
typedef struct eop_join_rate {
    eop_align *align;
    eop_rows fed; /**< what the points are made of now */
    int32_t *labels;
    size_t label_capacity;
    bool open;        /**< not all points of `fed` are given */
    int64_t made;     /**< time of the last point that is stored; NEVER: none */
    int64_t fed_to;   /**< rows up to here are in; NEVER: none */
    int64_t row_time; /**< of the last row with a value; NEVER: none */
    int64_t anew;     /**< first row after a pause, at which the points go on; NEVER: no pause */
    int64_t limit;    /**< of the last look: up to here nothing changes any more */
    int64_t first;    /**< where the points begin, for the progress */
} eop_join_rate;

/** Rows of the first channel's asset, see near.c. */
typedef struct eop_join_near {
    size_t at;    /**< in the first input's block */
    int64_t made; /**< greatest time of a row that was made; NEVER: none */
} eop_join_near;

struct eop_join {
    edgeops_store *store;
    const eop_join_spec *spec;
    eop_join_input *inputs; /**< in the order of their first channel */
    size_t input_count;
    eop_join_column *columns; /**< one for each channel of the spec */
    uint64_t version;         /**< rises when a type changes */
    eop_join_marks marks;
    edgeops_duration
        wait;      /**< of the spec; for nearest values it begins when the tolerance is over */
    eop_table out; /**< rows of the derived asset, on their way to the store */
    uint64_t version_of_out;
    eop_join_rate rate;
    eop_join_near near;
    int64_t made_before; /**< newest time made when the state was kept; NEVER: not known */
    int64_t late_before; /**< samples of a gap are late before this time; NEVER: none is */
    bool dirty;
    pthread_mutex_t view_lock;
    eop_join_view view;
};

/* -- input.c -- */

/** Looks at all inputs: which are there, types and units of their channels, which the derived asset
 * gets. A change raises join->version. E_INVALID: a type that does not fit any more. */
edgeops_status eop_join_look_at_inputs(eop_join *join);
/** Sets how far the channels of an input are from what is stored up to input->seen. */
edgeops_status eop_join_find_newest(eop_join *join, eop_join_input *input);
/** Opens the input's cursor where it is not. */
edgeops_status eop_join_open_cursor(eop_join *join, eop_join_input *input);
void eop_join_close_cursor(eop_join_input *input);
/** The next block into input->block. DONE: there is none now. */
edgeops_status eop_join_next_block(eop_join *join, eop_join_input *input);
/** Looks at what came of an input. *oldest: least time of it, INT64_MAX: nothing came. late: samples
 * before this time are late; NEVER: none is. OK: all was looked at; E_AGAIN: there is more, call
 * again. */
edgeops_status eop_join_drain(eop_join *join, eop_join_input *input, int64_t late, int64_t *oldest);
/** Up to which time all channels are there, leaving out the first `skip` inputs; of an input whose
 * samples come out of order, as far as none is on its way for less than the wait. NEVER: one has
 * nothing yet. */
int64_t eop_join_reached(const eop_join *join, size_t skip);
/** Notes that all up to `to` is there now. */
void eop_join_note(eop_join *join, int64_t to, edgeops_duration now);
/** Ends waits that are over; *due: when the next one is, INT64_MAX: none. */
void eop_join_release(eop_join *join, edgeops_duration now, edgeops_duration *due);
/** Rows of an input with time in [from, to] of what was seen, the first `limit` of them, with those
 * channels that are there; or, channel not SIZE_MAX, the last ones in which this channel has a value.
 * *out may be NULL: nothing is there. places: for each column of *out the column in the derived
 * asset; has room for input->count. */
edgeops_status eop_join_read(edgeops_table **out, size_t *places, const eop_join *join,
                             const eop_join_input *input, int64_t from, int64_t to, uint64_t limit,
                             size_t channel);
/** Counts and appends. */
edgeops_status eop_join_append(eop_join *join, const edgeops_table *tables, size_t n);
/** Empties join->out and sets up its columns by the types known. */
edgeops_status eop_join_begin_out(eop_join *join);
/** Appends join->out, which is complete, and empties it. */
edgeops_status eop_join_append_out(eop_join *join);
void eop_join_view_add(eop_join *join, uint64_t late, uint64_t lost);

/* -- the rules: one step each, as eop_join_step(); open: what there is besides the inputs -- */

edgeops_status eop_join_exact_step(eop_join *join);
edgeops_status eop_join_rate_open(eop_join *join);
void eop_join_rate_close(eop_join *join);
edgeops_status eop_join_rate_step(eop_join *join, edgeops_duration now, edgeops_duration *due);
edgeops_status eop_join_near_open(eop_join *join);
edgeops_status eop_join_near_step(eop_join *join, edgeops_duration now, edgeops_duration *due);

#endif /* EOP_JOIN_STATE_H */
