/* SPDX-License-Identifier: Apache-2.0 */
/* Starts a worker process, passes its messages on and sees it out. The order at the end: the
 * process is reaped, its output is drained into the log, then on_exit fires. All calls are made
 * on the thread of the context. */
#include "runtime/worker.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"

struct eop_worker {
    edgeops_runtime *runtime;
    eop_runlog *log;
    eop_process *process;
    eop_link *link;
    const eop_worker_handler *handler;
    void *user_data;
    edgeops_duration started;
    edgeops_status reason; /* why it was killed, EDGEOPS_OK: it was not */
    char *message;
    /* Its end comes in two parts, in any order: the process is gone, and the connection is closed
     * (behind its last messages). A moment after the first one the other is not waited for. */
    eop_timer *grace;
    bool exited;
    eop_exit exit;
    uint64_t peak; /* memory in bytes, 0: not known */
};

#define GRACE (250 * EDGEOPS_MILLISECOND)

/* Only these variables of the host's environment reach a workflow: others may hold secrets.
 * Python finds its libraries by PATH, see lib/worker/main.c. */
static const char *const passed_on[] = {
    "TZ",           "TMPDIR",        "LD_LIBRARY_PATH",
#if defined(__SANITIZE_ADDRESS__)
    "ASAN_OPTIONS", "UBSAN_OPTIONS",
#endif
};
static const char *const always[] = {
    "LANG=C.UTF-8",      "LC_ALL=C.UTF-8",        "OPENBLAS_NUM_THREADS=1", "OMP_NUM_THREADS=1",
    "MKL_NUM_THREADS=1", "NUMEXPR_NUM_THREADS=1", "PYTHONHASHSEED=0",       "MPLBACKEND=Agg",
};
enum { MAX_ENV = EOP_COUNT(passed_on) + EOP_COUNT(always) + 2 };

typedef struct environment {
    char *made[EOP_COUNT(passed_on) + 1];
    size_t made_count;
    const char *all[MAX_ENV];
} environment;

static void environment_dispose(environment *env) {
    for (size_t i = 0; i < env->made_count; i++) {
        eop_free(env->made[i]);
    }
}

static edgeops_status environment_init(environment *env, const char *home) {
    size_t n = 0;

    memset(env, 0, sizeof *env);
    for (size_t i = 0; i < EOP_COUNT(always); i++) {
        env->all[n++] = always[i];
    }
    for (size_t i = 0; i <= EOP_COUNT(passed_on); i++) {
        const char *name = i == EOP_COUNT(passed_on) ? "HOME" : passed_on[i];
        const char *value = i == EOP_COUNT(passed_on) ? home : getenv(name);
        if (value == NULL) {
            continue;
        }
        char *text = eop_format("%s=%s", name, value);
        if (text == NULL) {
            environment_dispose(env);
            return eop_fail_nomem("runtime");
        }
        env->made[env->made_count++] = text;
        env->all[n++] = text;
    }
    return EDGEOPS_OK;
}

static const char *signal_text(int number) {
    switch (number) {
    case SIGSEGV:
        return "SIGSEGV, a crash in native code; the run's log may have a trace";
    case SIGBUS:
        return "SIGBUS, a crash in native code";
    case SIGABRT:
        return "SIGABRT, given up by a library, perhaps for want of memory";
    case SIGFPE:
        return "SIGFPE";
    case SIGILL:
        return "SIGILL, an instruction this processor does not have";
    case SIGKILL:
        return "SIGKILL, from outside: perhaps the system ran out of memory";
    case SIGTERM:
        return "SIGTERM, from outside";
    case SIGXCPU:
        return "SIGXCPU";
    default:
        return "";
    }
}

static void describe_exit(char *out, size_t size, const eop_exit *result) {
    if (result->signal != 0) {
        const char *text = signal_text(result->signal);
        (void)snprintf(out, size, "the worker was ended by signal %d%s%s%s", result->signal,
                       text[0] != '\0' ? " (" : "", text, text[0] != '\0' ? ")" : "");
    } else {
        (void)snprintf(out, size, "the worker exited with code %d on its own", result->code);
    }
}

/* While it still runs: what the system tells after its end starts from the peak of this process,
 * which exec passes on. */
static void note_peak(eop_worker *worker) {
    uint64_t peak = eop_process_peak_memory(worker->process);
    worker->peak = peak > worker->peak ? peak : worker->peak;
}

static void finish(eop_worker *worker) {
    const eop_exit *result = &worker->exit;
    char how[256];
    edgeops_usage usage = {
        .user_s = result->user_s,
        .system_s = result->system_s,
        .wall_s = (double)(eop_monotonic() - worker->started) * 1e-9,
        .peak_memory_bytes = worker->peak > 0 ? worker->peak : result->peak_memory_bytes,
    };

    eop_timer_stop(worker->grace);
    eop_runlog_drain(worker->log);
    describe_exit(how, sizeof how, result);
    edgeops_status status = worker->reason != EDGEOPS_OK ? worker->reason : EDGEOPS_E_WORKER;
    const char *message = worker->message != NULL ? worker->message : how;
    worker->handler->on_exit(status, message, &usage, worker->user_data);
}

static void on_process_exit(const eop_exit *result, void *user_data) {
    eop_worker *worker = user_data;

    worker->exit = *result;
    worker->exited = true;
    if (worker->link == NULL) {
        finish(worker);
    } else {
        eop_timer_start(worker->grace, GRACE, 0);
    }
}

static void on_grace(void *user_data) {
    eop_worker *worker = user_data;

    if (worker->exited) {
        finish(worker); /* a process that left the group still holds the connection */
    } else {
        eop_worker_kill(worker, EDGEOPS_E_WORKER,
                        "the workflow closed the worker's connection (descriptor 3)");
    }
}

static void on_frame(eop_link *link, const char *data, size_t size, const int *fds, size_t fd_count,
                     void *user_data) {
    eop_worker *worker = user_data;
    eop_wire_head head;
    const char *body;
    size_t body_size;

    (void)link;
    for (size_t i = 0; i < fd_count; i++) {
        (void)close(fds[i]); /* a worker has none to give */
    }
    if (worker->reason != EDGEOPS_OK) {
        return; /* killed; what it still said does not count */
    }
    edgeops_status status = eop_wire_open(&head, &body, &body_size, data, size);
    if (status == EDGEOPS_OK && (head.kind == EOP_WIRE_DONE || head.kind == EOP_WIRE_ERROR)) {
        note_peak(worker);
    }
    if (status == EDGEOPS_OK) {
        status = worker->handler->on_message(&head, body, body_size, worker->user_data);
    }
    if (status < 0) {
        char *text = eop_format("the worker broke the protocol: %s", edgeops_error_last()->message);
        eop_worker_kill(worker, EDGEOPS_E_WORKER, text != NULL ? text : "protocol error");
        eop_free(text);
    }
}

static void on_close(eop_link *link, edgeops_status reason, void *user_data) {
    eop_worker *worker = user_data;

    (void)link;
    eop_link_free(worker->link);
    worker->link = NULL;
    if (worker->exited) {
        finish(worker);
        return;
    }
    if (reason == EDGEOPS_E_PROTOCOL) {
        eop_worker_kill(worker, EDGEOPS_E_WORKER,
                        "the worker broke the protocol: garbage on descriptor 3");
    } else if (reason == EDGEOPS_E_NOMEM) {
        eop_worker_kill(worker, EDGEOPS_E_NOMEM, "out of memory while the worker was heard");
    }
    /* Usually the worker died: its exit comes in a moment and says more. */
    eop_timer_start(worker->grace, GRACE, 0);
}

static void on_link_drain(eop_link *link, void *user_data) {
    eop_worker *worker = user_data;

    (void)link;
    if (worker->reason == EDGEOPS_OK) {
        worker->handler->on_drain(worker->user_data);
    }
}

static const eop_link_handler link_handler = {on_frame, on_close, on_link_drain};

static edgeops_status start_process(eop_worker *worker, const eop_worker_options *options,
                                    int control_fd) {
    const edgeops_manifest *manifest = edgeops_workflow_info_of(options->workflow)->manifest;
    char parent[24];
    char memory[24];
    environment env;
    int output = eop_runlog_fd(options->log);
    const int fds[] = {-1, output, output, control_fd, options->dataset_fd};

    edgeops_status status = environment_init(&env, options->directory);
    if (status < 0) {
        return status;
    }
    (void)snprintf(parent, sizeof parent, "%ld", (long)getpid());
    (void)snprintf(memory, sizeof memory, "%llu", (unsigned long long)manifest->memory_bytes);
    /* The last two are for people who look at the list of processes. */
    const char *const argv[] = {"edgeops-worker", options->mode,     parent, memory,
                                manifest->name,   manifest->version, NULL};
    const eop_process_options process = {
        .file = worker->runtime->worker,
        .argv = argv,
        .envp = env.all,
        .directory = options->directory,
        .fds = fds,
        .fd_count = options->dataset_fd >= 0 ? 5 : 4,
    };
    status = eop_process_start(&worker->process, worker->runtime->ctx, &process, on_process_exit,
                               worker);
    environment_dispose(&env);
    return status;
}

edgeops_status eop_worker_start(eop_worker **out, edgeops_runtime *runtime,
                                const eop_worker_options *options,
                                const eop_worker_handler *handler, void *user_data) {
    int fds[2] = {-1, -1};
    eop_buf frame = {0};
    edgeops_status status = EDGEOPS_OK;

    *out = NULL;
    eop_worker *worker = eop_calloc(1, sizeof *worker);
    if (worker == NULL) {
        return eop_fail_nomem("runtime");
    }
    worker->runtime = runtime;
    worker->log = options->log;
    worker->handler = handler;
    worker->user_data = user_data;
    worker->started = eop_monotonic();
    eop_wire_put_text(&frame, EOP_WIRE_JOB, 0, EOP_WIRE_VERSION, options->job,
                      strlen(options->job));
    if (frame.failed) {
        status = eop_fail_nomem("runtime");
        goto out;
    }
    status = eop_timer_new(&worker->grace, runtime->ctx, on_grace, worker);
    if (status == EDGEOPS_OK) {
        status = eop_socketpair(fds);
    }
    if (status < 0) {
        goto out;
    }
    status = eop_link_new(&worker->link, runtime->ctx, fds[0], EOP_WIRE_MAX_ANSWER, &link_handler,
                          worker);
    fds[0] = -1; /* taken */
    if (status == EDGEOPS_OK) {
        status = start_process(worker, options, fds[1]);
    }
    if (status == EDGEOPS_OK) {
        status = eop_link_send(worker->link, frame.data, frame.size, NULL, 0);
    }
    if (status == EDGEOPS_OK) {
        *out = worker;
        worker = NULL;
    }
out:
    if (fds[1] >= 0) {
        (void)close(fds[1]);
    }
    eop_buf_dispose(&frame);
    eop_worker_free(worker);
    return status;
}

edgeops_status eop_worker_send(eop_worker *worker, const void *data, size_t size) {
    if (worker->link == NULL || worker->reason != EDGEOPS_OK) {
        return eop_fail(EDGEOPS_E_CLOSED, "runtime", "the worker is going");
    }
    return eop_link_send(worker->link, data, size, NULL, 0);
}

size_t eop_worker_queued(const eop_worker *worker) {
    return worker->link != NULL ? eop_link_queued(worker->link) : 0;
}

void eop_worker_trace(eop_worker *worker) {
    eop_process_kill(worker->process, SIGUSR1);
}

void eop_worker_kill(eop_worker *worker, edgeops_status status, const char *message) {
    if (worker->reason == EDGEOPS_OK) {
        worker->reason = status;
        worker->message = eop_strdup(message); /* NULL: the exit is reported instead */
    }
    note_peak(worker);
    eop_process_kill(worker->process, SIGKILL);
}

void eop_worker_free(eop_worker *worker) {
    if (worker == NULL) {
        return;
    }
    eop_process_free(worker->process);
    eop_link_free(worker->link);
    eop_timer_free(worker->grace);
    eop_free(worker->message);
    eop_free(worker);
}
