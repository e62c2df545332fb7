/* SPDX-License-Identifier: Apache-2.0 */
/* A lane: windows in flight and the worker that answers them, in a ring, the oldest first.
 * Windows of a worker that dies are sent again to the next one. All of it runs in the loop; a
 * callback may close the lane, so its caller looks at the answer before it touches the lane. */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/time.h"
#include "runtime/lane.h"
#include "runtime/model.h"
#include "runtime/params.h"
#include "runtime/window.h"
#include "runtime/worker.h"

#define MAX_DEPTH     4096
#define DEFAULT_DEPTH 64
/* Interpreter, libraries and model must be there by then. */
#define LOAD_TIMEOUT (120 * EDGEOPS_SECOND)
/* From the request for a trace of where the code hangs to the end; an answer that comes meanwhile
 * (this process may have been the one that was late) still counts. */
#define TRACE_TIME  (50 * EDGEOPS_MILLISECOND)
#define FIRST_RETRY (100 * EDGEOPS_MILLISECOND)
#define LAST_RETRY  (30 * EDGEOPS_SECOND)
/* Messages wait in the lane, not in the link, so that a dead worker's can be replayed. */
#define MAX_QUEUED ((size_t)1 << 20)
#define MAX_BYTES  ((size_t)64 << 20)

/* A window in flight. */
typedef struct slot {
    uint64_t id;
    edgeops_duration submitted;
    bool waited;    /* for the call that waits */
    bool forgotten; /* for a call that did, and ended: its answer is for nobody */
    eop_buf frame;  /* the memory is kept for the next window */
} slot;

typedef enum lane_state {
    LANE_LOADING,
    LANE_READY,
    LANE_WAITING /* for the next try */
} lane_state;

struct edgeops_lane {
    edgeops_runtime *runtime;
    edgeops_lane_options options; /* texts: not kept */
    edgeops_model *model;
    const edgeops_manifest *manifest;
    edgeops_type *input_types;
    edgeops_type *output_types;
    edgeops_value *values;
    char *job;
    char *work_dir;
    eop_runlog *log;
    eop_worker *worker;
    eop_timer *deadline;
    eop_timer *retry;
    lane_state state;
    edgeops_duration retry_after;
    bool tracing;
    bool starved; /* a submit was refused */
    bool *gone;   /* set by close, for callbacks that close the lane */
    eop_lane_wait *wait;
    eop_predictions answers;
    /* ring of windows in flight, the oldest first; `sent` of them are with the worker */
    slot *slots;
    size_t first;
    size_t count;
    size_t sent;
    size_t bytes;
    size_t batch;  /* windows that are answered together */
    size_t single; /* windows that must not be taken into a batch */
    uint64_t next_wire_id;
    uint64_t head_wire_id;
    edgeops_duration head_since;
};

static slot *slot_at(edgeops_lane *lane, size_t i) {
    return &lane->slots[(lane->first + i) % lane->options.depth];
}

static void start_worker(edgeops_lane *lane);

/* -- callbacks: each returns true when it closed the lane -- */

static bool tell_state(edgeops_lane *lane, edgeops_status status, const char *message) {
    bool gone = false;

    if (lane->options.on_state != NULL) {
        lane->gone = &gone;
        lane->options.on_state(status, message, lane->options.user_data);
        if (!gone) {
            lane->gone = NULL;
        }
    }
    return gone;
}

static bool answer_caller(edgeops_lane *lane, const edgeops_prediction *prediction) {
    bool gone = false;

    lane->gone = &gone;
    lane->options.on_prediction(prediction, lane->options.user_data);
    if (!gone) {
        lane->gone = NULL;
    }
    return gone;
}

/* After a refusal: there is room again. */
static bool tell_room(edgeops_lane *lane) {
    bool gone = false;

    if (!lane->starved || lane->count > lane->options.depth - (lane->options.depth + 3) / 4) {
        return false;
    }
    lane->starved = false;
    if (lane->options.on_drain != NULL) {
        lane->gone = &gone;
        lane->options.on_drain(lane->options.user_data);
        if (!gone) {
            lane->gone = NULL;
        }
    }
    return gone;
}

static void pop(edgeops_lane *lane) {
    slot *head = slot_at(lane, 0);

    lane->bytes -= head->frame.size;
    if (head->frame.capacity > 65536) {
        eop_buf_dispose(&head->frame);
    } else {
        eop_buf_clear(&head->frame);
    }
    lane->first = (lane->first + 1) % lane->options.depth;
    lane->count--;
    lane->sent -= lane->sent > 0;
    lane->batch -= lane->batch > 0;
    lane->single -= lane->single > 0;
    lane->head_wire_id++;
    lane->head_since = eop_monotonic();
    lane->tracing = false;
}

/* Answers the oldest window. */
static bool answer(edgeops_lane *lane, edgeops_status status, const char *message) {
    const slot *head = slot_at(lane, 0);
    bool waited = head->waited;
    bool forgotten = head->forgotten;
    bool gone = false;
    edgeops_prediction prediction = {
        .id = head->id,
        .status = status,
        .message = message,
        .count = status == EDGEOPS_OK ? lane->manifest->output_count : 0,
        .values = status == EDGEOPS_OK ? lane->values : NULL,
        .duration = eop_monotonic() - head->submitted,
    };

    pop(lane);
    if (waited) {
        lane->wait->on_answer(&prediction, lane->wait->user_data);
    } else if (!forgotten) {
        gone = answer_caller(lane, &prediction);
    }
    return gone || tell_room(lane);
}

/* -- windows to the worker -- */

/* How long the oldest window may take. The worker sizes a batch so that it takes about as long as
 * one window may; a batch of four may always take as long as four. */
static edgeops_duration head_limit(const edgeops_lane *lane) {
    edgeops_duration n = lane->batch > 4 ? 4 : lane->batch > 1 ? (edgeops_duration)lane->batch : 1;
    edgeops_duration limit;

    return __builtin_mul_overflow(lane->manifest->predict_timeout, n, &limit) ? EDGEOPS_FOREVER
                                                                              : limit;
}

static void arm_deadline(edgeops_lane *lane) {
    edgeops_duration limit = head_limit(lane);
    edgeops_duration passed = eop_monotonic() - lane->head_since;

    eop_timer_start(lane->deadline, limit > passed ? limit - passed : 0, 0);
}

static void pump(edgeops_lane *lane) {
    while (lane->state == LANE_READY && lane->sent < lane->count &&
           eop_worker_queued(lane->worker) < MAX_QUEUED) {
        slot *s = slot_at(lane, lane->sent);
        if (lane->sent < lane->single) {
            s->frame.data[offsetof(eop_wire_head, flags)] = EOP_WIRE_SINGLE;
        }
        edgeops_status status = eop_worker_send(lane->worker, s->frame.data, s->frame.size);
        if (status == EDGEOPS_E_NOMEM || status == EDGEOPS_E_AGAIN) {
            /* Some answer, or the deadline, brings us here again. */
            if (lane->sent == 0) {
                lane->head_since = eop_monotonic();
            }
            arm_deadline(lane);
            return;
        }
        if (status < 0) {
            return; /* the worker is going; its end replays */
        }
        if (lane->sent++ == 0) {
            lane->head_since = eop_monotonic();
            arm_deadline(lane);
        }
    }
}

/* -- messages of the worker -- */

static edgeops_status on_ready(edgeops_lane *lane) {
    if (lane->state != LANE_LOADING) {
        return eop_fail(EDGEOPS_E_PROTOCOL, "runtime", "ready twice");
    }
    eop_timer_stop(lane->deadline);
    lane->state = LANE_READY;
    lane->tracing = false;
    if (!tell_state(lane, EDGEOPS_OK, "")) {
        pump(lane);
    }
    return EDGEOPS_OK;
}

static edgeops_status on_batch(edgeops_lane *lane, int32_t n) {
    if (n < 2 || n > EOP_WIRE_MAX_BATCH || (size_t)n > lane->sent) {
        return eop_fail(EDGEOPS_E_PROTOCOL, "runtime", "a batch of %d windows", (int)n);
    }
    lane->batch = (size_t)n;
    lane->head_since = eop_monotonic();
    arm_deadline(lane);
    return EDGEOPS_OK;
}

static edgeops_status on_answer(edgeops_lane *lane, const eop_wire_head *head, const char *body,
                                size_t size) {
    char text[1024] = "";
    edgeops_status status = EDGEOPS_OK;

    if (lane->sent == 0 || head->id != lane->head_wire_id) {
        return eop_fail(EDGEOPS_E_PROTOCOL, "runtime", "an answer that nobody waits for");
    }
    if (head->kind == EOP_WIRE_ANSWER) {
        status = eop_wire_get_answer(lane->values, lane->output_types, lane->manifest->output_count,
                                     body, size);
        if (status < 0) {
            return status;
        }
        lane->retry_after = FIRST_RETRY;
    } else if (head->kind == EOP_WIRE_NONE) {
        status = EDGEOPS_DONE;
        lane->retry_after = FIRST_RETRY;
    } else {
        size_t n = eop_utf8_valid(body, size < sizeof text - 1 ? size : sizeof text - 1);
        if (n > 0) {
            memcpy(text, body, n);
        }
        status = EDGEOPS_E_WORKER;
    }
    if (!answer(lane, status, text)) {
        pump(lane);
    }
    return EDGEOPS_OK;
}

/* The model could not be loaded: the worker ends by itself, and its end is reported with this
 * text. */
static edgeops_status on_load_error(edgeops_lane *lane, const char *body, size_t size) {
    char text[1024] = "";
    size_t n = eop_utf8_valid(body, size < sizeof text - 1 ? size : sizeof text - 1);

    if (n > 0) {
        memcpy(text, body, n);
    }
    eop_worker_kill(lane->worker, EDGEOPS_E_WORKER, text);
    return EDGEOPS_OK;
}

static edgeops_status on_message(const eop_wire_head *head, const char *body, size_t size,
                                 void *user_data) {
    edgeops_lane *lane = user_data;

    switch (head->kind) {
    case EOP_WIRE_READY:
        return on_ready(lane);
    case EOP_WIRE_BATCH:
        return on_batch(lane, head->code);
    case EOP_WIRE_ANSWER:
    case EOP_WIRE_NONE:
        return on_answer(lane, head, body, size);
    case EOP_WIRE_ERROR:
        return head->id == 0 ? on_load_error(lane, body, size) : on_answer(lane, head, body, size);
    default:
        return eop_fail(EDGEOPS_E_PROTOCOL, "runtime", "unexpected message %u while predicting",
                        (unsigned)head->kind);
    }
}

static void on_link_drain(void *user_data) {
    pump(user_data);
}

/* -- death and life of the worker -- */

/* A call that waits comes to an end when the model does not load. */
static void fail_wait(edgeops_lane *lane, edgeops_status status, const char *message) {
    if (lane->wait != NULL && lane->wait->failed == EDGEOPS_OK) {
        lane->wait->failed = status;
        (void)snprintf(lane->wait->message, sizeof lane->wait->message, "%s", message);
    }
}

static void schedule_retry(edgeops_lane *lane) {
    lane->state = LANE_WAITING;
    eop_timer_start(lane->retry, lane->retry_after, 0);
    lane->retry_after *= 2;
    if (lane->retry_after > LAST_RETRY) {
        lane->retry_after = LAST_RETRY;
    }
}

/* The worker is gone. In a batch nobody knows which window it was: they are tried one by one. */
static void on_exit_of_worker(edgeops_status status, const char *message,
                              const edgeops_usage *usage, void *user_data) {
    edgeops_lane *lane = user_data;
    eop_worker *worker = lane->worker;
    bool blame = lane->state == LANE_READY && lane->sent > 0 && lane->batch <= 1;

    (void)usage;
    eop_timer_stop(lane->deadline);
    eop_runlog_say(lane->log, "worker ended: %s", message);
    if (lane->batch > 1) {
        lane->single = lane->batch > lane->single ? lane->batch : lane->single;
    }
    if (lane->tracing && status == EDGEOPS_E_WORKER) {
        status = EDGEOPS_E_TIMEOUT; /* died of the trace */
        message = "predict() took longer than the manifest's predict_timeout";
    }
    lane->worker = NULL; /* lives on in `worker`, since it owns the message */
    lane->sent = 0;
    lane->batch = 0;
    lane->tracing = false;
    if (lane->state == LANE_LOADING) {
        fail_wait(lane, status, message);
    }
    schedule_retry(lane);
    if (!(blame && answer(lane, status, message))) {
        (void)tell_state(lane, status, message);
    }
    eop_worker_free(worker);
}

static const eop_worker_handler handler = {on_message, on_link_drain, on_exit_of_worker};

static void on_deadline(void *user_data) {
    edgeops_lane *lane = user_data;
    edgeops_duration limit = lane->manifest->predict_timeout;
    char text[128];
    char shown[32];

    if (lane->worker == NULL) {
        return;
    }
    if (lane->state == LANE_LOADING) {
        eop_worker_kill(lane->worker, EDGEOPS_E_TIMEOUT, "loading the model took over 2 minutes");
        return;
    }
    if (lane->sent == 0) {
        pump(lane);
        return;
    }
    if (!lane->tracing && eop_monotonic() - lane->head_since < head_limit(lane)) {
        arm_deadline(lane); /* another window has become the oldest since */
        return;
    }
    if (!lane->tracing) {
        lane->tracing = true;
        eop_worker_trace(lane->worker);
        eop_timer_start(lane->deadline, TRACE_TIME, 0);
        return;
    }
    (void)eop_format_duration(shown, limit);
    (void)snprintf(text, sizeof text,
                   "predict() took longer than its limit of %s (manifest: predict_timeout)", shown);
    eop_worker_kill(lane->worker, EDGEOPS_E_TIMEOUT, text);
}

static void on_retry(void *user_data) {
    start_worker(user_data);
}

static edgeops_status try_start(edgeops_lane *lane) {
    const eop_worker_options options = {
        .mode = "predict",
        .workflow = lane->model->workflow,
        .directory = lane->work_dir,
        .job = lane->job,
        .dataset_fd = -1,
        .log = lane->log,
    };

    edgeops_status status =
        eop_worker_start(&lane->worker, lane->runtime, &options, &handler, lane);
    if (status == EDGEOPS_OK) {
        lane->state = LANE_LOADING;
        eop_timer_start(lane->deadline, LOAD_TIMEOUT, 0);
    }
    return status;
}

static void start_worker(edgeops_lane *lane) {
    edgeops_status status = try_start(lane);

    if (status < 0) {
        fail_wait(lane, EDGEOPS_E_WORKER, edgeops_error_last()->message);
        schedule_retry(lane);
        (void)tell_state(lane, EDGEOPS_E_WORKER, edgeops_error_last()->message);
    }
}

/* -- the public face -- */

static edgeops_status check_options(const edgeops_lane_options *o, const edgeops_manifest *m) {
    if (o->depth > MAX_DEPTH) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime", "a lane holds 1 to %d windows", MAX_DEPTH);
    }
    if ((uint64_t)m->window.rows * (m->input_count + 1) * 8 > EOP_WIRE_MAX_WINDOW) {
        return eop_fail(EDGEOPS_E_LIMIT, "runtime",
                        "a window of %u rows and %zu inputs is over 32 MiB; take fewer rows",
                        m->window.rows, m->input_count);
    }
    return EDGEOPS_OK;
}

/* With the parameters that the model was trained with. */
static edgeops_status make_job(edgeops_lane *lane) {
    const edgeops_model *model = lane->model;
    eop_json *params = NULL;

    edgeops_status status = eop_params_resolve(&params, lane->manifest, model->info.params_json);
    if (status == EDGEOPS_OK) {
        lane->job = eop_job_text("predict", model->workflow, model->artifacts, params, NULL);
        status = lane->job == NULL ? eop_fail_nomem("runtime") : EDGEOPS_OK;
    }
    eop_json_free(params);
    return status;
}

static edgeops_status make_work_dir(edgeops_lane *lane, const char *run_dir) {
    if (run_dir != NULL) {
        return eop_work_dir(&lane->work_dir, run_dir);
    }
    const char *parent = getenv("TMPDIR");
    char *path =
        eop_path_join(parent != NULL && parent[0] == '/' ? parent : "/tmp", "edgeops-lane-XXXXXX");
    if (path == NULL) {
        return eop_fail_nomem("runtime");
    }
    if (mkdtemp(path) == NULL) {
        edgeops_status status =
            eop_fail_errno(errno, "runtime", "a worker's folder cannot be made: '%s'", path);
        eop_free(path);
        return status;
    }
    lane->work_dir = path;
    return EDGEOPS_OK;
}

static edgeops_status prepare(edgeops_lane *lane, const edgeops_lane_options *o) {
    const edgeops_manifest *m = lane->manifest;
    edgeops_ctx *ctx = lane->runtime->ctx;

    lane->slots = eop_calloc(o->depth, sizeof *lane->slots);
    lane->input_types = eop_calloc(m->input_count, sizeof *lane->input_types);
    lane->output_types = eop_calloc(m->output_count, sizeof *lane->output_types);
    lane->values = eop_calloc(m->output_count, sizeof *lane->values);
    if (lane->slots == NULL || lane->input_types == NULL || lane->output_types == NULL ||
        lane->values == NULL) {
        return eop_fail_nomem("runtime");
    }
    for (size_t i = 0; i < m->input_count; i++) {
        lane->input_types[i] = m->inputs[i].type;
    }
    for (size_t i = 0; i < m->output_count; i++) {
        lane->output_types[i] = m->outputs[i].type;
    }
    edgeops_status status = make_job(lane);
    if (status == EDGEOPS_OK) {
        status = make_work_dir(lane, o->run_dir);
    }
    if (status == EDGEOPS_OK) {
        status = eop_runlog_open(&lane->log, ctx, o->run_dir, lane->runtime->log_limit_bytes, NULL,
                                 NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_timer_new(&lane->deadline, ctx, on_deadline, lane);
    }
    if (status == EDGEOPS_OK) {
        status = eop_timer_new(&lane->retry, ctx, on_retry, lane);
    }
    return status;
}

edgeops_status edgeops_lane_open(edgeops_lane **out, edgeops_runtime *runtime,
                                 const edgeops_model *model, const edgeops_lane_options *given) {
    edgeops_lane_options options = EDGEOPS_LANE_OPTIONS_INIT;

    EOP_REQUIRE(out != NULL, "runtime");
    *out = NULL;
    EOP_REQUIRE(runtime != NULL, "runtime");
    EOP_REQUIRE_HERE(eop_ctx_birth(runtime->ctx), "runtime", "runtime");
    edgeops_status status = EOP_STRUCT_TAKE(&options, given, "runtime", EDGEOPS_LANE_OPTIONS_INIT);
    if (status < 0) {
        return status;
    }
    EOP_REQUIRE(model != NULL, "runtime");
    options.depth = options.depth == 0 ? DEFAULT_DEPTH : options.depth;
    status = check_options(&options, model->info.manifest);
    if (status < 0) {
        return status;
    }
    edgeops_lane *lane = eop_calloc(1, sizeof *lane);
    if (lane == NULL) {
        return eop_fail_nomem("runtime");
    }
    lane->runtime = eop_runtime_hold(runtime);
    lane->model = eop_model_share(model);
    lane->manifest = model->info.manifest;
    lane->options = options;
    lane->retry_after = FIRST_RETRY;
    lane->head_wire_id = 1;
    lane->next_wire_id = 1;
    status = prepare(lane, &options);
    lane->options.run_dir = NULL;
    if (status == EDGEOPS_OK) {
        status = try_start(lane);
    }
    if (status < 0) {
        edgeops_lane_close(lane);
        return status;
    }
    *out = lane;
    return EDGEOPS_OK;
}

/* What lane.h shows to the files that put windows in. */

const edgeops_manifest *eop_lane_manifest(const edgeops_lane *lane) {
    return lane->manifest;
}

edgeops_ctx *eop_lane_ctx(const edgeops_lane *lane) {
    return lane->runtime->ctx;
}

bool eop_lane_has_callback(const edgeops_lane *lane) {
    return lane->options.on_prediction != NULL;
}

bool eop_lane_has_room(const edgeops_lane *lane) {
    return lane->count < lane->options.depth && (lane->count == 0 || lane->bytes <= MAX_BYTES);
}

edgeops_status eop_lane_put(edgeops_lane *lane, uint64_t id, const edgeops_table *table,
                            uint64_t first, uint64_t rows, bool waited) {
    if (!eop_lane_has_room(lane)) {
        lane->starved = true;
        return eop_fail(EDGEOPS_E_AGAIN, "runtime", "%zu windows are waiting for predictions",
                        lane->count);
    }
    slot *s = slot_at(lane, lane->count);
    eop_wire_part part = {table, first, rows};
    eop_buf_clear(&s->frame);
    edgeops_status status = eop_wire_put_window(&s->frame, lane->next_wire_id, lane->input_types,
                                                lane->manifest->input_count, &part);
    if (status < 0 || s->frame.failed) {
        eop_buf_dispose(&s->frame);
        return status < 0 ? status : eop_fail_nomem("runtime");
    }
    s->id = id;
    s->submitted = eop_monotonic();
    s->waited = waited;
    s->forgotten = false;
    lane->next_wire_id++;
    lane->bytes += s->frame.size;
    lane->count++;
    pump(lane);
    return EDGEOPS_OK;
}

eop_predictions *eop_lane_answers(edgeops_lane *lane) {
    return &lane->answers;
}

edgeops_status eop_lane_enter(edgeops_lane *lane, eop_lane_wait *wait) {
    if (lane->wait != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "another call waits for this lane; submit instead inside a callback");
    }
    lane->wait = wait;
    return EDGEOPS_OK;
}

/* Windows that are not with the worker are taken out; those behind them move up, with the number
 * that the worker will count. */
static void drop_forgotten(edgeops_lane *lane) {
    size_t kept = lane->sent;
    for (size_t i = lane->sent; i < lane->count; i++) {
        slot *from = slot_at(lane, i);
        slot *to = slot_at(lane, kept);
        if (from->forgotten) {
            lane->bytes -= from->frame.size;
            eop_buf_clear(&from->frame);
            continue;
        }
        if (from != to) {
            slot swapped = *to;
            *to = *from;
            *from = swapped;
        }
        uint64_t id = lane->head_wire_id + kept++;
        memcpy(to->frame.data + offsetof(eop_wire_head, id), &id, sizeof id);
    }
    lane->count = kept;
    lane->single = lane->single < kept ? lane->single : kept;
    lane->next_wire_id = lane->head_wire_id + kept;
}

void eop_lane_leave(edgeops_lane *lane, const eop_lane_wait *wait) {
    bool any = false;

    if (lane->wait != wait) {
        return;
    }
    lane->wait = NULL;
    for (size_t i = 0; i < lane->count; i++) {
        slot *s = slot_at(lane, i);
        s->forgotten = s->forgotten || s->waited;
        s->waited = false;
        any = any || s->forgotten;
    }
    if (any) {
        drop_forgotten(lane);
    }
}

void edgeops_lane_close(edgeops_lane *lane) {
    if (lane == NULL || !eop_born_here(eop_ctx_birth(lane->runtime->ctx))) {
        return;
    }
    if (lane->gone != NULL) {
        *lane->gone = true;
    }
    if (lane->wait != NULL) {
        lane->wait->closed = true;
    }
    eop_worker_free(lane->worker);
    eop_timer_free(lane->deadline);
    eop_timer_free(lane->retry);
    eop_runlog_close(lane->log);
    for (size_t i = 0; lane->slots != NULL && i < lane->options.depth; i++) {
        eop_buf_dispose(&lane->slots[i].frame);
    }
    if (lane->work_dir != NULL) {
        (void)eop_remove_tree(lane->work_dir);
    }
    eop_free(lane->slots);
    eop_free(lane->input_types);
    eop_free(lane->output_types);
    eop_free(lane->values);
    eop_free(lane->job);
    eop_free(lane->work_dir);
    eop_predictions_dispose(&lane->answers);
    edgeops_model_close(lane->model);
    eop_runtime_release(lane->runtime);
    eop_free(lane);
}
