/* SPDX-License-Identifier: Apache-2.0 */
/* predict: the loop's part, and its end. */
#include <string.h>

#include "node/files/predict_read.h"
#include "node/files/predict_write.h"
#include "node/home/inputs.h"
#include "node/ops/follow.h"
#include "node/ops/groups.h"

#define BUDGET         (2 * EDGEOPS_MILLISECOND)
#define QUEUE_MAX      ((size_t)1 << 20)
#define PROGRESS_EVERY (100 * EDGEOPS_MILLISECOND)

static void predict_free(eop_predict *p) {
    if (p == NULL) {
        return;
    }
    edgeops_lane_close(p->lane);
    for (size_t i = 0; i < p->cutter_count; i++) {
        eop_window_free(p->cutters[i]);
    }
    eop_free(p->cutters);
    eop_wake_free(p->wake);
    edgeops_model_close(p->model);
    eop_run_free(p->run);
    pthread_cond_destroy(&p->moved);
    pthread_mutex_destroy(&p->lock);
    eop_texts_dispose(&p->labels);
    eop_texts_dispose(&p->groups);
    eop_score_dispose(&p->score);
    eop_buf_dispose(&p->rows);
    eop_buf_dispose(&p->queue);
    eop_free(p->message);
    eop_free(p->first_error);
    eop_json_free(p->input);
    eop_free(p);
}

/* The first error counts. The threads end first, then the call. */
static void stop(eop_predict *p, edgeops_status status, const char *message) {
    if (p->status == EDGEOPS_OK) {
        p->status = status;
        p->message = eop_strdup(message);
    }
    eop_job_cancel(p->reader);
    eop_job_cancel(p->writer);
    p->has_window = false;
    p->current = NULL; /* and no cutter is asked any more: pump() looks at the status */
    pthread_mutex_lock(&p->lock);
    p->ended = true;
    p->block = NULL;
    p->held = false;
    pthread_cond_broadcast(&p->moved);
    pthread_mutex_unlock(&p->lock);
}

static void stop_last(eop_predict *p, edgeops_status status) {
    char *copy = eop_strdup(edgeops_error_last()->message);
    stop(p, status, copy != NULL ? copy : "out of memory");
    eop_free(copy);
}

static eop_json *summary(const eop_predict *p) {
    eop_json *result = eop_json_object();
    edgeops_duration took = eop_monotonic() - p->started;
    eop_json_set_integer(result, "run", p->run->id);
    eop_json_set_integer(result, "windows", (int64_t)p->windows);
    eop_json_set_integer(result, "predictions", (int64_t)p->predictions);
    eop_json_set_integer(result, "errors", (int64_t)p->errors);
    eop_json_set_integer(result, "skipped", (int64_t)p->skipped);
    eop_json_set_number(result, "seconds", (double)took / (double)EDGEOPS_SECOND);
    if (p->first_error != NULL) {
        eop_json_set_string(result, "first_error", p->first_error);
    }
    if (p->score.total > 0) {
        eop_json_set(result, "metrics", eop_score_json(&p->score));
    }
    return result;
}

/* What was met in the input; the run keeps how many rows were left out. */
static void give_input(eop_predict *p, eop_json *result) {
    int64_t skipped = eop_json_integer(p->input, "skipped", 0);
    const eop_json *reasons = eop_json_get(p->input, "reasons");
    if (skipped > 0) {
        eop_run_log(p->run, "%lld rows of the input were left out: the first since: %s",
                    (long long)skipped, eop_json_string(eop_json_first(reasons), "reason", "-"));
    }
    if (p->input != NULL) {
        eop_json_set(result, "input", p->input);
        p->input = NULL;
    }
}

/* No window could be predicted: the call itself fails, for those who only look at its end. */
static void fail_all(eop_predict *p) {
    char *message =
        eop_format("all %llu windows failed, the first one with: %s", (unsigned long long)p->errors,
                   p->first_error != NULL ? p->first_error : "out of memory");
    const char *text = message != NULL ? message : "out of memory";
    eop_run_end(p->run, EDGEOPS_E_WORKER, text);
    eop_call_fail(p->call, EDGEOPS_E_WORKER, text);
    eop_free(message);
}

/* Once both threads are gone and nothing is in flight, or the run was stopped. */
static void finish(eop_predict *p) {
    if (p->finished || p->reader != NULL || p->writer != NULL) {
        return;
    }
    p->finished = true;
    if (p->status == EDGEOPS_OK) {
        eop_json *result = summary(p);
        eop_json_set(p->run->record, "summary", eop_json_copy(result));
        give_input(p, result);
        if (p->errors > 0 && p->predictions + p->skipped == 0) {
            fail_all(p);
            eop_json_free(result);
        } else {
            eop_run_end(p->run, EDGEOPS_OK, NULL);
            eop_call_finish(p->call, EDGEOPS_OK, result);
        }
    } else {
        const char *message = p->message != NULL ? p->message : "out of memory";
        eop_run_log(p->run, "%s", message);
        eop_run_end(p->run, p->status, message);
        eop_call_fail(p->call, p->status, message);
    }
    p->run = NULL;
    predict_free(p);
}

static void cancel(edgeops_call *call) {
    stop(call->data, EDGEOPS_E_CANCELED, "ended on request");
}

/* -- windows -- */

/* What the asset's inputs were before the first row. */
static edgeops_status look_back(const eop_predict *p, eop_window_cutter *cutter) {
    const char *asset = eop_json_string(p->call->args, "asset", NULL);
    if (asset == NULL || p->start == EDGEOPS_TIME_MIN ||
        p->window_spec.missing != EDGEOPS_MISSING_PREVIOUS) {
        return EDGEOPS_OK;
    }
    return eop_inputs_before(cutter, p->node->store, p->manifest, asset, UINT64_MAX, p->start - 1);
}

static edgeops_status feed(eop_predict *p, const eop_block *block) {
    const edgeops_manifest *m = p->manifest;
    if (!eop_grow(&p->cutters, &p->cutter_capacity, (size_t)block->group + 1,
                  sizeof(*p->cutters))) {
        return eop_fail_nomem("node");
    }
    while (p->cutter_count <= block->group) {
        p->cutters[p->cutter_count++] = NULL;
    }
    eop_window_cutter **cutter = &p->cutters[block->group];
    if (*cutter == NULL) {
        edgeops_status status = eop_window_new(cutter, &p->window_spec, m->inputs, m->input_count);
        if (status == EDGEOPS_OK) {
            status = look_back(p, *cutter);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (block->fresh) {
        eop_window_restart(*cutter);
    }
    return eop_window_feed(*cutter, block->table, block->first, block->count, block->labels);
}

/* EDGEOPS_OK with a window, EDGEOPS_DONE when there is none now. */
static edgeops_status next_window(eop_predict *p) {
    for (;;) {
        if (p->current == NULL) {
            pthread_mutex_lock(&p->lock);
            p->current = p->ended ? NULL : p->block;
            p->held = p->current != NULL;
            pthread_mutex_unlock(&p->lock);
            if (p->current == NULL) {
                return EDGEOPS_DONE;
            }
            edgeops_status status = feed(p, p->current);
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
        edgeops_status status = eop_window_next(p->cutters[p->current->group], &p->window);
        if (status != EDGEOPS_DONE) {
            p->has_window = status == EDGEOPS_OK;
            return status;
        }
        p->rows_read += p->current->count;
        p->current = NULL;
        pthread_mutex_lock(&p->lock);
        p->block = NULL;
        p->held = false;
        pthread_cond_broadcast(&p->moved);
        pthread_mutex_unlock(&p->lock);
    }
}

static edgeops_status submit(eop_predict *p) {
    const eop_window *w = &p->window;
    edgeops_status status = edgeops_lane_submit(p->lane, p->next_id, w->table, w->first, w->rows);
    if (status == EDGEOPS_OK) {
        size_t at = (p->first + p->count) % EOP_PREDICT_DEPTH;
        p->ring[at].time = w->time;
        p->ring[at].group = p->current->group;
        p->ring[at].label = w->label;
        p->count++;
        p->windows++;
        p->next_id++;
        p->has_window = false;
    }
    return status;
}

/* True when the writer has enough to do. */
static bool pass_rows(eop_predict *p) {
    pthread_mutex_lock(&p->lock);
    if (p->rows.size > 0) {
        eop_buf_put(&p->queue, p->rows.data, p->rows.size);
        eop_buf_clear(&p->rows);
        pthread_cond_broadcast(&p->moved);
    }
    bool full = p->queue.size > QUEUE_MAX;
    bool failed = p->queue.failed;
    pthread_mutex_unlock(&p->lock);
    if (failed) {
        (void)eop_fail_nomem("node");
        stop_last(p, EDGEOPS_E_NOMEM);
    }
    return full;
}

static void pump(eop_predict *p) {
    edgeops_duration until = eop_monotonic() + BUDGET;
    while (p->status == EDGEOPS_OK && p->count < EOP_PREDICT_DEPTH) {
        edgeops_status status = p->has_window ? EDGEOPS_OK : next_window(p);
        if (status == EDGEOPS_OK) {
            status = submit(p);
        }
        if (status == EDGEOPS_DONE || status == EDGEOPS_E_AGAIN) {
            return;
        }
        if (status != EDGEOPS_OK) {
            stop_last(p, status);
        } else if (eop_monotonic() > until) {
            eop_wake_send(p->wake);
            return;
        }
    }
}

static void report(eop_predict *p) {
    edgeops_duration now = eop_monotonic();
    if (now - p->reported >= PROGRESS_EVERY && !eop_call_congested(p->call)) {
        eop_json *event = eop_json_object();
        p->reported = now;
        eop_json_set_string(event, "type", "progress");
        eop_json_set_integer(event, "rows", (int64_t)p->rows_read);
        eop_json_set_integer(event, "windows", (int64_t)p->windows);
        eop_json_set_integer(event, "predictions", (int64_t)p->predictions);
        eop_call_event(p->call, event);
    }
}

static void on_wake(void *user_data) {
    eop_predict *p = user_data;
    if (p->status != EDGEOPS_OK) {
        return; /* the ends of the jobs finish it */
    }
    if (!pass_rows(p)) {
        pump(p);
    }
    report(p);
    pthread_mutex_lock(&p->lock);
    bool read_all = p->read_all && p->block == NULL;
    if (read_all && p->count == 0 && !p->has_window && p->current == NULL && p->rows.size == 0) {
        p->wrote_all = true;
        pthread_cond_broadcast(&p->moved);
    }
    pthread_mutex_unlock(&p->lock);
}

static void on_prediction(const edgeops_prediction *answer, void *user_data) {
    eop_predict *p = user_data;
    if (p->count == 0 || p->status != EDGEOPS_OK) {
        return;
    }
    size_t at = p->first;
    p->first = (p->first + 1) % EOP_PREDICT_DEPTH;
    p->count--;
    if (answer->status < 0) {
        char time[40];
        if (p->first_error == NULL) {
            p->first_error = eop_strdup(answer->message);
        }
        eop_format_time(time, p->ring[at].time);
        eop_run_log(p->run, "window of %s: %s", time, answer->message);
    }
    edgeops_status status =
        eop_predict_put(p, answer, p->ring[at].time, p->ring[at].group, p->ring[at].label);
    if (status != EDGEOPS_OK) {
        stop_last(p, status);
    }
    eop_wake_send(p->wake);
}

static void on_state(edgeops_status status, const char *message, void *user_data) {
    eop_predict *p = user_data;
    if (status == EDGEOPS_OK) {
        p->ready = true;
    } else if (!p->ready) {
        /* It never started: a second try would end the same way. */
        stop(p, status, message != NULL ? message : "");
    } else {
        eop_run_log(p->run, "%s", message != NULL ? message : "");
    }
}

static void on_drain(void *user_data) {
    eop_predict *p = user_data;
    eop_wake_send(p->wake);
}

/* -- threads' ends -- */

static void read_done(eop_job *job, void *user_data) {
    eop_predict *p = user_data;
    edgeops_status status = eop_job_status(job);
    p->reader = NULL;
    /* Where the reader was canceled since the writer failed, the writer has the reason. */
    if (status != EDGEOPS_OK && (status != EDGEOPS_E_CANCELED || p->call->canceled)) {
        stop_last(p, status);
    }
    eop_wake_send(p->wake);
    finish(p);
}

static void write_done(eop_job *job, void *user_data) {
    eop_predict *p = user_data;
    edgeops_status status = eop_job_status(job);
    p->writer = NULL;
    if (status != EDGEOPS_OK) {
        stop_last(p, status);
    }
    finish(p);
}

/* -- the beginning -- */

static edgeops_status open_lane(eop_predict *p) {
    edgeops_runtime *runtime = NULL;
    edgeops_status status = eop_node_runtime(&runtime, p->node);
    if (status != EDGEOPS_OK) {
        return status;
    }
    edgeops_lane_options options = EDGEOPS_LANE_OPTIONS_INIT;
    options.run_dir = p->run->directory;
    options.depth = EOP_PREDICT_DEPTH;
    options.on_prediction = on_prediction;
    options.on_state = on_state;
    options.on_drain = on_drain;
    options.user_data = p;
    return edgeops_lane_open(&p->lane, runtime, p->model, &options);
}

/* What says how an input is read would be ignored without one. */
static edgeops_status check_reading(const edgeops_call *call) {
    static const char *const others[] = {"model", "dataset", "part",   "asset",
                                         "start", "end",     "format", "what"};
    for (const eop_json *m = eop_json_first(call->args); m != NULL; m = eop_json_next(m)) {
        bool known = false;
        for (size_t i = 0; i < EOP_COUNT(others); i++) {
            known = known || strcmp(eop_json_key(m), others[i]) == 0;
        }
        if (!known) {
            return eop_fail(EDGEOPS_E_INVALID, "node", "%s goes with an input only",
                            eop_json_key(m));
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status check_args(const edgeops_call *call) {
    bool dataset = eop_json_get(call->args, "dataset") != NULL;
    bool asset = eop_json_get(call->args, "asset") != NULL;
    bool input = call->input >= 0;
    if ((int)dataset + (int)asset + (int)input != 1) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "predict on what? Give one of dataset, asset or an input with CSV or "
                        "JSON lines");
    }
    if (!dataset && eop_json_get(call->args, "part") != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "a part goes with a dataset");
    }
    if (!asset &&
        (eop_json_get(call->args, "start") != NULL || eop_json_get(call->args, "end") != NULL)) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "start and end go with an asset");
    }
    return input ? EDGEOPS_OK : check_reading(call);
}

static edgeops_status open_model(eop_predict *p) {
    const eop_json *args = p->call->args;
    const char *name = eop_json_string(args, "model", "");
    edgeops_status status = eop_home_model(&p->model, p->node, name);
    if (status != EDGEOPS_OK) {
        return status;
    }
    p->manifest = edgeops_model_info_of(p->model)->manifest;
    p->window_spec = p->manifest->window;
    bool dataset = eop_json_get(args, "dataset") != NULL;
    bool asset = eop_json_get(args, "asset") != NULL;
    p->jsonl = strcmp(eop_json_string(args, "format", "csv"), "jsonl") == 0;
    p->with_group = dataset || asset || eop_json_get(args, "group_column") != NULL;
    p->with_label = dataset || asset || eop_json_get(args, "label_column") != NULL;
    p->compared = eop_predict_compared(p->manifest);
    status = eop_arg_time(&p->start, args, "start", EDGEOPS_TIME_MIN);
    if (status == EDGEOPS_OK) {
        status = eop_arg_time(&p->end, args, "end", EDGEOPS_TIME_MAX);
    }
    if (status == EDGEOPS_OK) {
        status = eop_run_begin(&p->run, p->node, "predict", p->manifest->name,
                               eop_json_string(args, "dataset", NULL), name);
    }
    if (status == EDGEOPS_OK) {
        p->call->run = p->run->id;
    }
    return status;
}

static edgeops_status start_threads(eop_predict *p) {
    edgeops_status status = eop_wake_new(&p->wake, p->node->ctx, on_wake, p);
    if (status == EDGEOPS_OK) {
        status = open_lane(p);
    }
    if (status == EDGEOPS_OK) {
        p->call->data = p;
        p->call->cancel = cancel;
        if (p->call->output >= 0) {
            eop_predict_put_header(p);
        }
        status = eop_job_start(&p->reader, p->node, p->call, eop_predict_read, read_done, p);
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_start(&p->writer, p->node, p->call, eop_predict_write, write_done, p);
    }
    return status;
}

static edgeops_status predict_start(edgeops_call *call) {
    edgeops_status status = check_args(call);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_predict *p = eop_calloc(1, sizeof(*p));
    if (p == NULL) {
        return eop_fail_nomem("node");
    }
    p->call = call;
    p->node = call->node;
    p->started = eop_monotonic();
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->moved, NULL);
    status = open_model(p);
    if (status == EDGEOPS_OK) {
        status = start_threads(p);
    }
    if (status == EDGEOPS_OK) {
        return EDGEOPS_OK;
    }
    if (p->reader != NULL) {
        stop_last(p, status); /* its end ends the call */
        return EDGEOPS_OK;
    }
    call->cancel = NULL;
    eop_kept_error kept;
    eop_keep_error(&kept);
    eop_run_end(p->run, status, kept.message);
    p->run = NULL;
    predict_free(p);
    return eop_fail_kept(&kept);
}

const eop_op eop_predict_ops[] = {
    {&eop_spec_predict, .start = predict_start},
    {&eop_spec_predict_follow, .start = eop_follow_start},
    {0},
};
