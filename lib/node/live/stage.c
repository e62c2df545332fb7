/* SPDX-License-Identifier: Apache-2.0 */
/* Pulls rows from a cursor, puts them together where they come in parts, cuts windows and submits
 * them to the lane, in slices of the loop's time; gives the answers in the order of the windows.
 * Waits while the asset lacks an input. */
#include "node/live/stage.h"

#include <string.h>

#include "node/home/inputs.h"
#include "node/live/feed.h"
#include "store/inner.h"

/* One turn's share of the loop while many rows are behind. */
#define BUDGET     (2 * EDGEOPS_MILLISECOND)
#define BLOCK_ROWS 1024u
/* How often an asset that lacks an input is looked at while samples come. */
#define LOOK_EVERY (100 * EDGEOPS_MILLISECOND)

typedef struct pending {
    edgeops_time time;
    int64_t seq;
    edgeops_duration durable;
    bool incomplete;
    eop_window_state state;
} pending;

struct eop_stage {
    edgeops_node *node;
    eop_stage_options options;
    edgeops_cursor *cursor;
    eop_fold *fold; /**< NULL: rows come whole and pass at once */
    eop_timer *due; /**< of the oldest row that the fold holds */
    eop_window_cutter *cutter;
    edgeops_lane *lane;
    eop_tap *tap;
    eop_wake *wake;
    eop_timer *look;
    edgeops_duration looked;
    char *missing;     /**< NULL: every input is there */
    eop_window window; /**< cut, waits for room in the lane */
    bool has_window;
    bool draining;
    bool ready; /* a worker has been ready */
    bool failed;
    uint64_t base;   /**< newest ordinal of the asset when the stage was opened */
    uint64_t pulled; /**< newest ordinal that was read */
    uint64_t answered;
    uint64_t next_id;
    pending ring[EOP_STAGE_DEPTH];
    size_t first;
    size_t count;
};

static void fail(eop_stage *s) {
    char *message = eop_strdup(edgeops_error_last()->message);
    s->failed = true;
    s->options.on_state(edgeops_error_last()->code, message != NULL ? message : "out of memory",
                        true, s->options.user_data);
    eop_free(message);
}

/* -- rows -- */

/* Rows come in parts from here on. given, counted: as in fold.h. */
static edgeops_status start_fold(eop_stage *s, uint64_t given, uint64_t counted) {
    const edgeops_manifest *m = edgeops_model_info_of(s->options.model)->manifest;
    eop_fold_options options = {.inputs = m->inputs,
                                .input_count = m->input_count,
                                .wait = s->options.wait < 0 ? m->window.wait : s->options.wait,
                                .given = given,
                                .counted = counted,
                                .there = s->base};
    s->options.wait = options.wait;
    return eop_fold_new(&s->fold, &options);
}

static edgeops_status take_arrivals(eop_stage *s) {
    edgeops_duration now = eop_monotonic();
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && !eop_fold_full(s->fold) && eop_fold_next(s->fold) != 0) {
        edgeops_duration durable = 0;
        s->pulled = eop_fold_next(s->fold);
        (void)eop_tap_durable(s->tap, s->pulled, &durable);
        status = eop_fold_take(s->fold, durable, now);
        if (status == EDGEOPS_DONE) {
            edgeops_time time = 0;
            int64_t seq = 0;
            const edgeops_value *values = eop_fold_late(s->fold, &time, &seq);
            status = eop_window_learn(s->cutter, values, time, seq);
        }
    }
    return status;
}

/* Reads the next block once the one before is taken. */
static edgeops_status read_on(eop_stage *s) {
    const edgeops_table *block = NULL;
    if (eop_fold_next(s->fold) != 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = edgeops_cursor_next(&block, s->cursor, BLOCK_ROWS);
    return status == EDGEOPS_OK ? eop_fold_feed(s->fold, block) : status;
}

/* None before there is a worker: rows that nothing can answer yet still take parts. */
static edgeops_status give(const edgeops_table **rows, eop_stage *s, edgeops_duration now) {
    return s->ready ? eop_fold_give(rows, s->fold, now) : EDGEOPS_DONE;
}

/* Whole rows for the cutter. Only once all that is durable was read do rows run out of time. */
static edgeops_status next_whole_rows(const edgeops_table **rows, eop_stage *s) {
    for (;;) {
        edgeops_status status = give(rows, s, 0);
        if (status != EDGEOPS_DONE || eop_fold_full(s->fold)) {
            return status;
        }
        status = read_on(s);
        if (status == EDGEOPS_DONE) {
            return give(rows, s, eop_monotonic());
        }
        if (status == EDGEOPS_OK) {
            status = take_arrivals(s);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
}

static void wait_for_parts(eop_stage *s) {
    edgeops_duration due = eop_fold_due(s->fold);
    edgeops_duration now = eop_monotonic();
    if (due != EOP_FOLD_NEVER && s->ready) { /* else on_lane_state wakes the stage */
        eop_timer_start(s->due, due > now ? due - now : 0, 0);
    }
}

/* EDGEOPS_OK with rows for the cutter, EDGEOPS_DONE when there are none now. */
static edgeops_status next_rows(const edgeops_table **rows, eop_stage *s) {
    if (s->fold == NULL) {
        edgeops_status status = edgeops_cursor_next(rows, s->cursor, BLOCK_ROWS);
        if (status != EDGEOPS_OK || (*rows)->parts == NULL) {
            s->pulled = status == EDGEOPS_OK ? (*rows)->ordinals[(*rows)->rows - 1] : s->pulled;
            return status;
        }
        status = start_fold(s, s->pulled, 0);
        if (status == EDGEOPS_OK) {
            status = eop_fold_feed(s->fold, *rows);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    edgeops_status status = next_whole_rows(rows, s);
    if (status == EDGEOPS_DONE) {
        wait_for_parts(s);
    }
    return status;
}

/* EDGEOPS_OK with a window in hand, EDGEOPS_DONE when there is none now. */
static edgeops_status next_window(eop_stage *s) {
    const edgeops_table *rows = NULL;
    for (;;) {
        edgeops_status status = eop_window_next(s->cutter, &s->window);
        if (status != EDGEOPS_DONE) {
            s->has_window = status == EDGEOPS_OK;
            return status;
        }
        status = next_rows(&rows, s);
        if (status == EDGEOPS_OK) {
            status = eop_window_feed(s->cutter, rows, 0, rows->rows, NULL);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
}

static edgeops_status submit(eop_stage *s) {
    const eop_window *w = &s->window;
    edgeops_status status = edgeops_lane_submit(s->lane, s->next_id, w->table, w->first, w->rows);
    if (status != EDGEOPS_OK) {
        return status;
    }
    pending *p = &s->ring[(s->first + s->count) % EOP_STAGE_DEPTH];
    *p = (pending){.time = w->time, .seq = w->seq, .state = w->state};
    if (s->fold != NULL) {
        eop_fold_row row = eop_fold_given(s->fold, w->state.ordinal);
        p->durable = row.durable;
        p->incomplete = row.incomplete;
    } else if (!eop_tap_durable(s->tap, w->state.ordinal, &p->durable)) {
        p->durable = 0;
    }
    s->count++;
    s->next_id++;
    s->has_window = false;
    return EDGEOPS_OK;
}

static void set_missing(eop_stage *s, char *missing) {
    bool same = (missing == NULL) == (s->missing == NULL) &&
                (missing == NULL || strcmp(missing, s->missing) == 0);
    eop_free(s->missing);
    s->missing = missing;
    if (!same && s->options.on_wait != NULL) {
        s->options.on_wait(missing, s->options.user_data);
    }
}

/* A row without an input would be predicted with gaps from then on: wait for all inputs. False
 * while something is missing. Looks are spaced, since each walks the assets. */
static bool look(eop_stage *s) {
    edgeops_duration now = eop_monotonic();
    char *missing = NULL;
    if (s->missing == NULL) {
        return true;
    }
    if (now - s->looked < LOOK_EVERY) {
        eop_timer_start(s->look, LOOK_EVERY, 0);
        return false;
    }
    s->looked = now;
    if (eop_inputs_look(&missing, s->node->store, edgeops_model_info_of(s->options.model)->manifest,
                        s->options.asset) != EDGEOPS_OK) {
        fail(s);
        return false;
    }
    set_missing(s, missing);
    return missing == NULL;
}

static void pump(eop_stage *s) {
    edgeops_duration until = eop_monotonic() + BUDGET;
    while (s->count < EOP_STAGE_DEPTH) {
        edgeops_status status = s->has_window ? EDGEOPS_OK : next_window(s);
        if (status == EDGEOPS_OK) {
            status = submit(s);
        }
        if (status == EDGEOPS_DONE || status == EDGEOPS_E_AGAIN) {
            return; /* the tap or on_drain wakes the stage */
        }
        if (status != EDGEOPS_OK) {
            fail(s);
            return;
        }
        if (eop_monotonic() > until) {
            eop_wake_send(s->wake);
            return;
        }
    }
}

static void on_wake(void *user_data) {
    eop_stage *s = user_data;
    if (s->options.on_turn(s->options.user_data) && !s->failed && !s->draining && look(s)) {
        pump(s);
    }
}

static void on_prediction(const edgeops_prediction *prediction, void *user_data) {
    eop_stage *s = user_data;
    if (s->count == 0) {
        return;
    }
    pending *p = &s->ring[s->first];
    eop_answer answer = {.time = p->time,
                         .seq = p->seq,
                         .durable = p->durable,
                         .incomplete = p->incomplete,
                         .state = &p->state,
                         .given = prediction};
    s->answered = p->state.ordinal;
    s->options.on_answer(&answer, s->options.user_data);
    s->first = (s->first + 1) % EOP_STAGE_DEPTH;
    s->count--;
    eop_wake_send(s->wake);
}

static void on_lane_state(edgeops_status status, const char *message, void *user_data) {
    eop_stage *s = user_data;
    if (status == EDGEOPS_OK && !s->ready) {
        s->ready = true;
        eop_wake_send(s->wake);
    }
    s->options.on_state(status, message != NULL ? message : "", false, s->options.user_data);
}

static void on_drain(void *user_data) {
    eop_stage *s = user_data;
    eop_wake_send(s->wake);
}

static void on_samples(void *user_data) {
    eop_stage *s = user_data;
    eop_wake_send(s->wake);
}

static edgeops_status open_input(eop_stage *s) {
    const edgeops_manifest *m = edgeops_model_info_of(s->options.model)->manifest;
    const eop_window_state *state = s->options.state;
    uint64_t after = s->options.after;
    const char **names = eop_calloc(m->input_count, sizeof(*names));
    edgeops_status status = names != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    for (size_t i = 0; names != NULL && i < m->input_count; i++) {
        names[i] = m->inputs[i].name;
    }
    if (status == EDGEOPS_OK) {
        status = eop_window_new(&s->cutter, &m->window, m->inputs, m->input_count);
    }
    if (status == EDGEOPS_OK && state != NULL) {
        eop_window_restore(s->cutter, state);
        after = state->history > 0 ? state->history - 1 : 0;
        s->pulled = s->answered = state->ordinal;
    }
    if (status == EDGEOPS_OK) {
        status = eop_asset_last_ordinal(&s->base, s->node->store, s->options.asset);
    }
    if (status == EDGEOPS_OK && after == UINT64_MAX) {
        after = s->base;
    }
    if (status == EDGEOPS_OK && m->window.missing == EDGEOPS_MISSING_PREVIOUS) {
        status = eop_inputs_before(s->cutter, s->node->store, m, s->options.asset, after,
                                   state != NULL ? state->newest : EDGEOPS_TIME_MAX);
    }
    /* A wait that was asked for holds rows even before the first of them comes in parts. */
    if (status == EDGEOPS_OK &&
        (s->options.wait > 0 || eop_store_parts(s->node->store, s->options.asset) > 0)) {
        status = start_fold(s, s->pulled, s->options.seen);
    }
    if (status == EDGEOPS_OK) {
        if (s->pulled == 0) {
            s->pulled = s->answered = after;
        }
        status = edgeops_cursor_open(&s->cursor, s->node->store,
                                     &(edgeops_cursor_options){sizeof(edgeops_cursor_options),
                                                               s->options.asset, names,
                                                               m->input_count, after});
    }
    eop_free(names);
    return status;
}

static edgeops_status open_look(eop_stage *s) {
    edgeops_status status = eop_timer_new(&s->look, s->node->ctx, on_samples, s);
    if (status == EDGEOPS_OK) {
        status = eop_timer_new(&s->due, s->node->ctx, on_samples, s);
    }
    s->looked = eop_monotonic();
    if (status == EDGEOPS_OK) {
        status =
            eop_inputs_look(&s->missing, s->node->store,
                            edgeops_model_info_of(s->options.model)->manifest, s->options.asset);
    }
    return status;
}

static edgeops_status open_lane(eop_stage *s) {
    edgeops_runtime *runtime = NULL;
    edgeops_status status = eop_node_runtime(&runtime, s->node);
    if (status != EDGEOPS_OK) {
        return status;
    }
    edgeops_lane_options options = EDGEOPS_LANE_OPTIONS_INIT;
    options.run_dir = s->options.run_dir;
    options.depth = EOP_STAGE_DEPTH;
    options.on_prediction = on_prediction;
    options.on_state = on_lane_state;
    options.on_drain = on_drain;
    options.user_data = s;
    return edgeops_lane_open(&s->lane, runtime, s->options.model, &options);
}

edgeops_status eop_stage_open(eop_stage **out, const eop_stage_options *options) {
    eop_stage *s = eop_calloc(1, sizeof(*s));
    if (s == NULL) {
        return eop_fail_nomem("node");
    }
    s->node = options->node;
    s->options = *options;
    s->options.state = NULL; /* read below, then gone */
    s->options.asset = eop_strdup(options->asset);
    edgeops_status status = s->options.asset != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    if (status == EDGEOPS_OK) {
        status = eop_wake_new(&s->wake, s->node->ctx, on_wake, s);
    }
    /* The tap before the cursor: a sample between the two wakes once too often, not too seldom. */
    if (status == EDGEOPS_OK) {
        status = eop_tap_new(&s->tap, s->node->feed, options->asset, on_samples, s);
    }
    if (status == EDGEOPS_OK) {
        s->options.state = options->state;
        status = open_input(s);
        s->options.state = NULL;
    }
    if (status == EDGEOPS_OK) {
        status = open_look(s);
    }
    if (status == EDGEOPS_OK) {
        status = open_lane(s);
    }
    if (status != EDGEOPS_OK) {
        eop_stage_close(s);
        return status;
    }
    eop_wake_send(s->wake);
    *out = s;
    return EDGEOPS_OK;
}

void eop_stage_close(eop_stage *s) {
    if (s != NULL) {
        edgeops_lane_close(s->lane);
        eop_tap_free(s->tap);
        eop_timer_free(s->look);
        eop_timer_free(s->due);
        eop_wake_free(s->wake);
        edgeops_cursor_close(s->cursor);
        eop_fold_free(s->fold);
        eop_window_free(s->cutter);
        eop_free(s->missing);
        eop_free((char *)(uintptr_t)s->options.asset);
        eop_free(s);
    }
}

void eop_stage_wake(eop_stage *stage) {
    eop_wake_send(stage->wake);
}

void eop_stage_drain(eop_stage *stage) {
    stage->draining = true;
}

size_t eop_stage_in_flight(const eop_stage *stage) {
    return stage->count;
}

uint64_t eop_stage_done(const eop_stage *s) {
    uint64_t held = s->fold != NULL ? eop_fold_oldest(s->fold) : 0;
    return s->count > 0 || s->has_window ? s->answered : held > 0 ? held - 1 : s->pulled;
}

uint64_t eop_stage_lag(const eop_stage *s) {
    uint64_t newest = eop_tap_newest(s->tap);
    uint64_t done = eop_stage_done(s);
    newest = newest > s->base ? newest : s->base;
    return newest > done ? newest - done : 0;
}

const char *eop_stage_missing(const eop_stage *stage) {
    return stage->missing;
}

edgeops_duration eop_stage_wait(const eop_stage *stage) {
    return stage->fold != NULL ? stage->options.wait : -1;
}

uint64_t eop_stage_seen(const eop_stage *stage) {
    return stage->pulled;
}

void eop_stage_get_stats(const eop_stage *stage, eop_stage_stats *stats) {
    *stats = (eop_stage_stats){0};
    eop_window_get_stats(stage->cutter, &stats->windows);
    if (stage->fold != NULL) {
        eop_fold_get_stats(stage->fold, &stats->parts);
        stats->held = eop_fold_held(stage->fold);
    }
}
