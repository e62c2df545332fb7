/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/time.h"
#include "runtime/params.h"
#include "runtime/share.h"
#include "runtime/worker.h"

/* From the request for a trace of where the code hangs to the end. */
#define TRACE_TIME (50 * EDGEOPS_MILLISECOND)
/* A worker that has said DONE has this long to go. */
#define LEAVE_TIME (5 * EDGEOPS_SECOND)

struct edgeops_training {
    edgeops_runtime *runtime;
    eop_worker *worker;
    eop_runlog *log;
    eop_timer *timer;
    char *artifact_dir;
    char *work_dir; /* the worker's working directory, removed at the end */
    edgeops_train_event_fn on_event;
    edgeops_train_done_fn on_done;
    void *user_data;
    edgeops_duration timeout;
    bool tracing; /* the deadline has passed, the end comes in TRACE_TIME */
    bool done;
    bool canceled;
    edgeops_status failure; /* as the worker told it */
    char *message;
};

static void dispose(edgeops_training *t) {
    if (t == NULL) {
        return;
    }
    eop_worker_free(t->worker);
    eop_runlog_close(t->log);
    eop_timer_free(t->timer);
    if (t->work_dir != NULL) {
        (void)eop_remove_tree(t->work_dir);
    }
    eop_free(t->work_dir);
    eop_free(t->artifact_dir);
    eop_free(t->message);
    t->runtime->users--;
    eop_free(t);
}

static void on_line(const char *line, void *user_data) {
    edgeops_training *t = user_data;
    edgeops_train_event event = {.kind = EDGEOPS_TRAIN_LOG, .text = line};

    if (t->on_event != NULL) {
        t->on_event(&event, t->user_data);
    }
}

static edgeops_status on_progress(edgeops_training *t, const char *body, size_t size) {
    edgeops_train_event event = {.kind = EDGEOPS_TRAIN_PROGRESS};
    edgeops_status status = eop_wire_get_progress(&event.progress, body, size);

    if (status == EDGEOPS_OK && t->on_event != NULL) {
        t->on_event(&event, t->user_data);
    }
    return status;
}

static edgeops_status on_metric(edgeops_training *t, const char *body, size_t size) {
    edgeops_train_event event = {.kind = EDGEOPS_TRAIN_METRIC};
    eop_wire_metric metric;
    char name[129];

    edgeops_status status = eop_wire_get_metric(&metric, body, size);
    if (status < 0) {
        return status;
    }
    memcpy(name, metric.name, metric.name_size);
    name[metric.name_size] = '\0';
    event.name = name;
    event.value = metric.value;
    event.step = metric.step;
    if (t->on_event != NULL) {
        t->on_event(&event, t->user_data);
    }
    return EDGEOPS_OK;
}

/* The worker tells why it gives up, and goes. */
static edgeops_status on_error(edgeops_training *t, int32_t code, const char *body, size_t size) {
    t->failure = code == EDGEOPS_E_LIMIT ? EDGEOPS_E_LIMIT : EDGEOPS_E_WORKER;
    eop_free(t->message);
    t->message = eop_strndup(body, eop_utf8_valid(body, size < 1000 ? size : 1000));
    eop_timer_start(t->timer, LEAVE_TIME, 0);
    return EDGEOPS_OK;
}

static edgeops_status on_message(const eop_wire_head *head, const char *body, size_t size,
                                 void *user_data) {
    edgeops_training *t = user_data;

    switch (head->kind) {
    case EOP_WIRE_PROGRESS:
        return on_progress(t, body, size);
    case EOP_WIRE_METRIC:
        return on_metric(t, body, size);
    case EOP_WIRE_ERROR:
        return on_error(t, head->code, body, size);
    case EOP_WIRE_DONE:
        t->done = true;
        t->tracing = false;
        eop_timer_start(t->timer, LEAVE_TIME, 0);
        return EDGEOPS_OK;
    default:
        return eop_fail(EDGEOPS_E_PROTOCOL, "runtime", "unexpected message %u while training",
                        (unsigned)head->kind);
    }
}

static void on_drain(void *user_data) {
    (void)user_data;
}

static edgeops_status count_entry(const char *name, void *user_data) {
    size_t *count = user_data;

    (void)name;
    ++*count;
    return EDGEOPS_OK;
}

static bool has_artifacts(const edgeops_training *t) {
    size_t count = 0;

    return eop_dir_walk(t->artifact_dir, count_entry, &count) == EDGEOPS_OK && count > 0;
}

/* A workflow can say DONE itself, by writing to the worker's connection: what counts is that there
 * are files. */
static void on_exit_of_worker(edgeops_status status, const char *message,
                              const edgeops_usage *usage, void *user_data) {
    edgeops_training *t = user_data;

    if (t->canceled) {
        status = EDGEOPS_E_CANCELED;
    } else if (t->done) {
        status = has_artifacts(t) ? EDGEOPS_OK : EDGEOPS_E_WORKER;
        message = status == EDGEOPS_OK ? "" : "the training left no file in the artifact directory";
    } else if (t->tracing) {
        status = EDGEOPS_E_TIMEOUT; /* died of the trace */
        message = "the training took longer than the manifest's train_timeout";
    } else if (t->failure != EDGEOPS_OK && t->message != NULL) {
        status = t->failure;
        message = t->message;
    }
    if (status < 0) {
        eop_runlog_say(t->log, "training ended: %s: %s", edgeops_status_name(status), message);
    } else {
        eop_runlog_say(t->log, "training done in %.3f s", usage->wall_s);
    }
    /* The texts live in t and in its worker: they go after the callback. */
    t->on_done(status, message, usage, t->user_data);
    dispose(t);
}

static const eop_worker_handler handler = {on_message, on_drain, on_exit_of_worker};

static void on_timer(void *user_data) {
    edgeops_training *t = user_data;

    if (t->done || t->failure != EDGEOPS_OK) {
        eop_worker_kill(t->worker, EDGEOPS_E_WORKER, "the worker did not end");
    } else if (!t->tracing) {
        t->tracing = true;
        eop_worker_trace(t->worker);
        eop_timer_start(t->timer, TRACE_TIME, 0);
    } else {
        char limit[32];
        char text[128];
        (void)eop_format_duration(limit, t->timeout);
        (void)snprintf(text, sizeof text,
                       "the training took longer than its limit of %s (manifest: train_timeout)",
                       limit);
        t->tracing = false;
        eop_worker_kill(t->worker, EDGEOPS_E_TIMEOUT, text);
    }
}

static edgeops_status check_options(const edgeops_train_options *o) {
    EOP_REQUIRE(o->workflow != NULL && o->on_done != NULL, "runtime");
    EOP_REQUIRE(o->run_dir != NULL && o->artifact_dir != NULL, "runtime");
    if (edgeops_workflow_info_of(o->workflow)->directory[0] == '\0') {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "workflow '%s' is not installed; add it first",
                        edgeops_workflow_info_of(o->workflow)->manifest->name);
    }
    return EDGEOPS_OK;
}

static edgeops_status prepare(edgeops_training *t, const edgeops_train_options *o) {
    t->on_event = o->on_event;
    t->on_done = o->on_done;
    t->user_data = o->user_data;
    t->timeout = edgeops_workflow_info_of(o->workflow)->manifest->train_timeout;
    edgeops_status status = eop_absolute(&t->artifact_dir, o->artifact_dir);
    if (status == EDGEOPS_OK) {
        status = eop_work_dir(&t->work_dir, o->run_dir);
    }
    if (status == EDGEOPS_OK) {
        status = eop_timer_new(&t->timer, t->runtime->ctx, on_timer, t);
    }
    if (status == EDGEOPS_OK) {
        status = eop_runlog_open(&t->log, t->runtime->ctx, o->run_dir, t->runtime->log_limit_bytes,
                                 on_line, t);
    }
    return status;
}

static edgeops_status start(edgeops_training *t, const edgeops_train_options *o,
                            const eop_json *params, eop_share *share) {
    edgeops_status status = EDGEOPS_OK;
    char *job = eop_job_text("train", o->workflow, t->artifact_dir, params, share->description);
    share->description = NULL; /* taken */
    if (job == NULL) {
        status = eop_fail_nomem("runtime");
    } else {
        const eop_worker_options options = {
            .mode = "train",
            .workflow = o->workflow,
            .directory = t->work_dir,
            .job = job,
            .dataset_fd = share->fd,
            .log = t->log,
        };
        status = eop_worker_start(&t->worker, t->runtime, &options, &handler, t);
    }
    eop_free(job);
    return status;
}

static edgeops_status check(edgeops_train_options *out, const edgeops_train_options *given,
                            eop_json **params) {
    edgeops_status status = EOP_STRUCT_TAKE(out, given, "runtime", EDGEOPS_TRAIN_OPTIONS_INIT);
    status = status == EDGEOPS_OK ? check_options(out) : status;
    return status == EDGEOPS_OK
               ? eop_params_resolve(params, edgeops_workflow_info_of(out->workflow)->manifest,
                                    out->params_json)
               : status;
}

static edgeops_status train(edgeops_training **out, edgeops_runtime *runtime,
                            const edgeops_train_options *options, const eop_json *params,
                            eop_share *share) {
    edgeops_training *t = eop_calloc(1, sizeof *t);
    if (t == NULL) {
        return eop_fail_nomem("runtime");
    }
    t->runtime = runtime;
    runtime->users++;
    edgeops_status status = prepare(t, options);
    if (status == EDGEOPS_OK) {
        status = start(t, options, params, share);
    }
    if (status < 0) {
        dispose(t);
        return status;
    }
    eop_timer_start(t->timer, t->timeout, 0);
    *out = t;
    return EDGEOPS_OK;
}

edgeops_status eop_training_start(edgeops_training **out, edgeops_runtime *runtime,
                                  const edgeops_train_options *given, eop_share *share) {
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    eop_json *params = NULL;
    *out = NULL;
    edgeops_status status = check(&options, given, &params);
    if (status == EDGEOPS_OK) {
        status = train(out, runtime, &options, params, share);
    }
    /* The worker has the memory now; it lives as long as either side holds it. */
    eop_share_dispose(share);
    eop_json_free(params);
    return status;
}

edgeops_status edgeops_runtime_train(edgeops_training **out, edgeops_runtime *runtime,
                                     const edgeops_train_options *given) {
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    eop_json *params = NULL;
    eop_share share = {.fd = -1};

    EOP_REQUIRE(out != NULL && runtime != NULL && given != NULL, "runtime");
    *out = NULL;
    edgeops_status status = check(&options, given, &params);
    if (status == EDGEOPS_OK && options.dataset == NULL) {
        status = eop_fail(EDGEOPS_E_INVALID, "runtime", "a training needs a dataset");
    }
    if (status == EDGEOPS_OK) {
        status = eop_share_dataset(&share, edgeops_workflow_info_of(options.workflow)->manifest,
                                   options.dataset);
    }
    if (status == EDGEOPS_OK) {
        status = train(out, runtime, &options, params, &share);
    }
    eop_share_dispose(&share);
    eop_json_free(params);
    return status;
}

void edgeops_training_cancel(edgeops_training *training) {
    if (training != NULL && !training->done) {
        training->canceled = true;
        eop_worker_kill(training->worker, EDGEOPS_E_CANCELED, "canceled");
    }
}
