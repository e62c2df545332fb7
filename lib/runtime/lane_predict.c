/* SPDX-License-Identifier: Apache-2.0 */
/* The calls that put windows into a lane. Those that wait turn the loop: while they do,
 * callbacks of the context fire and may close the lane, which the call then says instead of
 * touching it. */
#include "base/error.h"
#include "base/memory.h"
#include "platform/platform.h"
#include "runtime/lane.h"
#include "runtime/lane_window.h"
#include "runtime/window.h"

/* Rows that are made into a table at a time. */
#define BLOCK_ROWS 4096u

/* A call that waits. */
typedef struct waiting {
    eop_lane_wait wait; /* the lane's side */
    edgeops_lane *lane;
    edgeops_ctx *ctx;
    const edgeops_manifest *manifest;
    eop_predictions *answers;
    eop_rows *rows;
    eop_window_cutter *cutter;
    size_t pending;
    bool nomem;
} waiting;

static edgeops_status check_submit(const edgeops_lane *lane) {
    return eop_lane_has_callback(lane)
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_INVALID, "runtime",
                          "a lane that was opened without on_prediction has nobody to answer");
}

edgeops_status edgeops_lane_submit(edgeops_lane *lane, uint64_t id, const edgeops_table *table,
                                   uint64_t first, uint64_t rows) {
    EOP_REQUIRE(lane != NULL && table != NULL, "runtime");
    EOP_REQUIRE_HERE(eop_ctx_birth(eop_lane_ctx(lane)), "runtime", "lane");
    edgeops_status status = check_submit(lane);
    if (status == EDGEOPS_OK) {
        status = eop_window_check(eop_lane_manifest(lane), table, first, rows);
    }
    return status == EDGEOPS_OK ? eop_lane_put(lane, id, table, first, rows, false) : status;
}

static edgeops_status check_one(const edgeops_manifest *m, const double *values,
                                const edgeops_time *times, uint64_t rows) {
    if (rows != m->window.rows) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime", "a window of '%s' has %u rows, not %llu",
                        m->name, m->window.rows, (unsigned long long)rows);
    }
    return eop_arrays_check(m, values, times, rows);
}

edgeops_status edgeops_lane_submit_rows(edgeops_lane *lane, uint64_t id, const double *values,
                                        const edgeops_time *times, uint64_t rows) {
    eop_rows *window = NULL;

    EOP_REQUIRE(lane != NULL, "runtime");
    EOP_REQUIRE_HERE(eop_ctx_birth(eop_lane_ctx(lane)), "runtime", "lane");
    const edgeops_manifest *m = eop_lane_manifest(lane);
    edgeops_status status = check_submit(lane);
    if (status == EDGEOPS_OK) {
        status = check_one(m, values, times, rows);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_new(&window, m->inputs, m->input_count);
    }
    if (status == EDGEOPS_OK) {
        status = eop_arrays_append(window, m, values, times, 0, rows);
    }
    if (status == EDGEOPS_OK) {
        status = eop_lane_put(lane, id, eop_rows_table(window), 0, rows, false);
    }
    eop_rows_free(window);
    return status;
}

static void on_answer(const edgeops_prediction *prediction, void *user_data) {
    waiting *w = user_data;
    w->pending--;
    w->nomem = w->nomem || !eop_predictions_keep(w->answers, prediction);
}

/* One turn of the loop. E_CLOSED: the lane is gone. */
static edgeops_status turn(waiting *w, edgeops_duration max_wait) {
    edgeops_status status = eop_ctx_turn(w->ctx, max_wait);
    if (status == EDGEOPS_OK && w->wait.closed) {
        status = eop_fail(EDGEOPS_E_CLOSED, "runtime", "the lane was closed meanwhile");
    } else if (status == EDGEOPS_OK && w->wait.failed != EDGEOPS_OK) {
        status =
            eop_fail(w->wait.failed, "runtime", "the model does not load: %s", w->wait.message);
    } else if (status == EDGEOPS_OK && w->nomem) {
        status = eop_fail_nomem("runtime");
    }
    return status;
}

static edgeops_status put(waiting *w, uint64_t id, const edgeops_table *table, uint64_t first,
                          uint64_t rows) {
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && !eop_lane_has_room(w->lane)) {
        status = turn(w, EDGEOPS_FOREVER);
    }
    if (status == EDGEOPS_OK) {
        status = eop_lane_put(w->lane, id, table, first, rows, true);
    }
    w->pending += status == EDGEOPS_OK;
    return status;
}

static edgeops_status begin(waiting *w, edgeops_lane *lane) {
    *w = (waiting){.lane = lane, .ctx = eop_lane_ctx(lane), .manifest = eop_lane_manifest(lane)};
    w->wait = (eop_lane_wait){.on_answer = on_answer, .user_data = w};
    w->answers = eop_lane_answers(lane);
    edgeops_status status = eop_rows_new(&w->rows, w->manifest->inputs, w->manifest->input_count);
    if (status == EDGEOPS_OK) {
        status = eop_lane_enter(lane, &w->wait);
    }
    if (status == EDGEOPS_OK) {
        /* An empty turn first: inside a callback it says so, before anything was put in. */
        status = turn(w, 0);
    }
    if (status == EDGEOPS_OK) {
        eop_predictions_clear(w->answers);
    }
    return status;
}

static edgeops_status end(waiting *w, edgeops_status status) {
    while (status == EDGEOPS_OK && w->pending > 0) {
        status = turn(w, EDGEOPS_FOREVER);
    }
    if (!w->wait.closed) {
        eop_lane_leave(w->lane, &w->wait);
    }
    eop_window_free(w->cutter);
    eop_rows_free(w->rows);
    return status;
}

edgeops_status edgeops_lane_predict(const edgeops_prediction **out, edgeops_lane *lane,
                                    const double *values, const edgeops_time *times,
                                    uint64_t rows) {
    waiting w;

    EOP_REQUIRE(out != NULL, "runtime");
    *out = NULL;
    EOP_REQUIRE(lane != NULL, "runtime");
    EOP_REQUIRE_HERE(eop_ctx_birth(eop_lane_ctx(lane)), "runtime", "lane");
    edgeops_status status = check_one(eop_lane_manifest(lane), values, times, rows);
    if (status < 0) {
        return status;
    }
    status = begin(&w, lane);
    if (status == EDGEOPS_OK) {
        status = eop_arrays_append(w.rows, w.manifest, values, times, 0, rows);
    }
    if (status == EDGEOPS_OK) {
        status = put(&w, 0, eop_rows_table(w.rows), 0, rows);
    }
    status = end(&w, status);
    if (status < 0) {
        return status;
    }
    *out = &w.answers->items[0];
    return (*out)->status < 0 ? eop_fail_with((*out)->status, "runtime", (*out)->message)
                              : (*out)->status;
}

/* Cuts what the cutter was fed. */
static edgeops_status put_windows(waiting *w) {
    eop_window window;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && (status = eop_window_next(w->cutter, &window)) == EDGEOPS_OK) {
        status = put(w, window.state.ordinal - 1, window.table, window.first, window.rows);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status put_blocks(waiting *w, const double *values, const edgeops_time *times,
                                 uint64_t rows) {
    edgeops_status status = eop_window_new(&w->cutter, &w->manifest->window, w->manifest->inputs,
                                           w->manifest->input_count);
    for (uint64_t at = 0; status == EDGEOPS_OK && at < rows; at += BLOCK_ROWS) {
        uint64_t n = rows - at < BLOCK_ROWS ? rows - at : BLOCK_ROWS;
        eop_rows_drop(w->rows, eop_rows_count(w->rows));
        status = eop_arrays_append(w->rows, w->manifest, values, times, at, n);
        if (status == EDGEOPS_OK) {
            status = eop_window_feed(w->cutter, eop_rows_table(w->rows), 0, n, NULL);
        }
        if (status == EDGEOPS_OK) {
            status = put_windows(w);
        }
    }
    return status;
}

edgeops_status edgeops_lane_predict_many(const edgeops_prediction **out, size_t *count,
                                         edgeops_lane *lane, const double *values,
                                         const edgeops_time *times, uint64_t rows) {
    waiting w;

    EOP_REQUIRE(out != NULL && count != NULL, "runtime");
    *out = NULL;
    *count = 0;
    EOP_REQUIRE(lane != NULL, "runtime");
    EOP_REQUIRE_HERE(eop_ctx_birth(eop_lane_ctx(lane)), "runtime", "lane");
    edgeops_status status = eop_arrays_check(eop_lane_manifest(lane), values, times, rows);
    if (status < 0) {
        return status;
    }
    status = begin(&w, lane);
    if (status == EDGEOPS_OK) {
        status = put_blocks(&w, values, times, rows);
    }
    status = end(&w, status);
    if (status == EDGEOPS_OK) {
        *out = w.answers->items;
        *count = w.answers->count;
    }
    return status;
}
