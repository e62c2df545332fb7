/* SPDX-License-Identifier: Apache-2.0 */
/* Leads one worker through a training: its messages become events, its deadline asks for a trace
 * and then kills it. The trainer owns the worker and the share. All calls are made on the thread
 * of the context. */
#include <stdio.h>
#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/time.h"
#include "runtime/trainer.h"
#include "runtime/worker.h"

/* From the request for a trace of where the code hangs to the end. */
#define TRACE_TIME (50 * EDGEOPS_MILLISECOND)
/* A worker that has said DONE has this long to go. */
#define LEAVE_TIME   (5 * EDGEOPS_SECOND)
#define PYTHON_BYTES ((size_t)64 << 10)

struct eop_trainer {
    eop_worker *worker;
    eop_runlog *log;
    eop_timer *timer;
    char *artifact_dir;
    edgeops_train_event_fn on_event;
    edgeops_train_done_fn on_end;
    void *user_data;
    edgeops_duration timeout;
    bool tracing; /* the deadline has passed, the end comes in TRACE_TIME */
    bool done;
    bool canceled;
    edgeops_status failure; /* as the worker reported it */
    char *message;
    eop_json *python;
};

static edgeops_status on_progress(eop_trainer *t, const char *body, size_t size) {
    edgeops_train_event event = {.kind = EDGEOPS_TRAIN_PROGRESS};
    edgeops_status status = eop_wire_get_progress(&event.progress, body, size);

    if (status == EDGEOPS_OK) {
        t->on_event(&event, t->user_data);
    }
    return status;
}

static edgeops_status on_metric(eop_trainer *t, const char *body, size_t size) {
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
    t->on_event(&event, t->user_data);
    return EDGEOPS_OK;
}

/* The worker says why it gives up, then ends. */
static edgeops_status on_error(eop_trainer *t, int32_t code, const char *body, size_t size) {
    t->failure = code == EDGEOPS_E_LIMIT ? EDGEOPS_E_LIMIT : EDGEOPS_E_WORKER;
    eop_free(t->message);
    t->message = eop_strndup(body, eop_utf8_valid(body, size < 1000 ? size : 1000));
    eop_timer_start(t->timer, LEAVE_TIME, 0);
    return EDGEOPS_OK;
}

/* {version, libraries} and nothing else of what a worker says of its Python; NULL when it is not
 * that or there is no memory. */
static eop_json *python_of(const char *body, size_t size) {
    const eop_json_limits limits = {.max_bytes = PYTHON_BYTES, .max_depth = 4, .max_nodes = 4096};
    eop_json *said = NULL;

    if (size == 0 ||
        eop_json_parse(&said, body, size, "what a worker says of Python", &limits) != EDGEOPS_OK) {
        return NULL;
    }
    const eop_json *libraries = eop_json_get(said, "libraries");
    eop_json *python = eop_json_object();
    eop_json *kept = eop_json_object();
    eop_json_set_string(python, "version", eop_json_string(said, "version", ""));
    for (const eop_json *l = eop_json_first(libraries); l != NULL; l = eop_json_next(l)) {
        if (eop_json_key(l) != NULL && eop_json_text(l) != NULL) {
            eop_json_set_string(kept, eop_json_key(l), eop_json_text(l));
        }
    }
    eop_json_set(python, "libraries", kept);
    eop_json_free(said);
    return python;
}

static edgeops_status on_done(eop_trainer *t, const char *body, size_t size) {
    t->done = true;
    t->tracing = false;
    eop_timer_start(t->timer, LEAVE_TIME, 0);
    eop_json_free(t->python);
    t->python = python_of(body, size); /* worth knowing; nothing hangs on it */
    return EDGEOPS_OK;
}

static edgeops_status on_message(const eop_wire_head *head, const char *body, size_t size,
                                 void *user_data) {
    eop_trainer *t = user_data;

    switch (head->kind) {
    case EOP_WIRE_PROGRESS:
        return on_progress(t, body, size);
    case EOP_WIRE_METRIC:
        return on_metric(t, body, size);
    case EOP_WIRE_ERROR:
        return on_error(t, head->code, body, size);
    case EOP_WIRE_DONE:
        return on_done(t, body, size);
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

static edgeops_status check_artifacts(const eop_trainer *t) {
    size_t count = 0;
    edgeops_status status = eop_dir_walk(t->artifact_dir, count_entry, &count);
    return status != EDGEOPS_OK || count > 0
               ? status
               : eop_fail(EDGEOPS_E_WORKER, "runtime",
                          "the training left no file in the artifact directory");
}

/* A workflow can say DONE itself, by writing to the worker's connection: what counts is that there
 * are files. */
static void on_exit_of_worker(edgeops_status status, const char *message,
                              const edgeops_usage *usage, void *user_data) {
    eop_trainer *t = user_data;

    if (t->canceled) {
        status = EDGEOPS_E_CANCELED;
    } else if (t->done) {
        status = check_artifacts(t);
        message = status == EDGEOPS_OK ? "" : edgeops_error_last()->message;
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
    t->on_end(status, message, usage, t->user_data);
}

static const eop_worker_handler handler = {on_message, on_drain, on_exit_of_worker};

static void on_timer(void *user_data) {
    eop_trainer *t = user_data;

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

static edgeops_status start_worker(eop_trainer *t, edgeops_runtime *runtime,
                                   const eop_trainer_options *o) {
    edgeops_status status = EDGEOPS_OK;
    char *job =
        eop_job_text("train", o->workflow, t->artifact_dir, o->params, o->share->description);
    o->share->description = NULL; /* taken */
    if (job == NULL) {
        status = eop_fail_nomem("runtime");
    } else {
        const eop_worker_options options = {
            .mode = "train",
            .workflow = o->workflow,
            .directory = o->work_dir,
            .job = job,
            .dataset_fd = o->share->fd,
            .log = t->log,
        };
        status = eop_worker_start(&t->worker, runtime, &options, &handler, t);
    }
    eop_free(job);
    /* The worker has the memory now; it lives as long as either side holds it. */
    eop_share_dispose(o->share);
    return status;
}

edgeops_status eop_trainer_start(eop_trainer **out, edgeops_runtime *runtime,
                                 const eop_trainer_options *o) {
    *out = NULL;
    eop_trainer *t = eop_calloc(1, sizeof *t);
    if (t == NULL) {
        eop_share_dispose(o->share);
        return eop_fail_nomem("runtime");
    }
    t->log = o->log;
    t->on_event = o->on_event;
    t->on_end = o->on_end;
    t->user_data = o->user_data;
    t->timeout = edgeops_workflow_info_of(o->workflow)->manifest->train_timeout;
    t->artifact_dir = eop_strdup(o->artifact_dir);
    edgeops_status status = t->artifact_dir != NULL ? EDGEOPS_OK : eop_fail_nomem("runtime");
    if (status == EDGEOPS_OK) {
        status = eop_timer_new(&t->timer, runtime->ctx, on_timer, t);
    }
    if (status == EDGEOPS_OK) {
        status = start_worker(t, runtime, o);
    }
    if (status < 0) {
        eop_share_dispose(o->share);
        eop_trainer_free(t);
        return status;
    }
    eop_timer_start(t->timer, t->timeout, 0);
    *out = t;
    return EDGEOPS_OK;
}

void eop_trainer_cancel(eop_trainer *trainer) {
    if (trainer != NULL && !trainer->done) {
        trainer->canceled = true;
        eop_worker_kill(trainer->worker, EDGEOPS_E_CANCELED, "canceled");
    }
}

const eop_json *eop_trainer_python(const eop_trainer *trainer) {
    return trainer->python;
}

void eop_trainer_free(eop_trainer *trainer) {
    if (trainer == NULL) {
        return;
    }
    eop_worker_free(trainer->worker);
    eop_timer_free(trainer->timer);
    eop_free(trainer->artifact_dir);
    eop_free(trainer->message);
    eop_json_free(trainer->python);
    eop_free(trainer);
}
