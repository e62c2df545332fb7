/* SPDX-License-Identifier: Apache-2.0 */
/* A worker process as the host sees it: started, talked to, ended. What it may do to itself is
 * in lib/worker. */
#ifndef EOP_RUNTIME_WORKER_H
#define EOP_RUNTIME_WORKER_H

#include "codec/wire.h"
#include "runtime/runlog.h"
#include "runtime/runtime.h"

/** One worker process under supervision: started with a job, talked to in messages, ended by
 * SIGKILL. */
typedef struct eop_worker eop_worker;

typedef struct eop_worker_handler {
    /** A message. Returning an error (its detail is set) ends the worker for breaking the protocol.
     * May free the worker; must return EDGEOPS_OK then. */
    edgeops_status (*on_message)(const eop_wire_head *head, const char *body, size_t size,
                                 void *user_data);
    /** All queued messages are written. */
    void (*on_drain)(void *user_data);
    /** The process is gone, its output is in the log. status: E_WORKER, or why it was killed;
     * message: one line, also when it ended by itself with code 0. May free the worker. */
    void (*on_exit)(edgeops_status status, const char *message, const edgeops_usage *usage,
                    void *user_data);
} eop_worker_handler;

typedef struct eop_worker_options {
    const char *mode; /**< "train" or "predict" */
    const edgeops_workflow *workflow;
    const char *directory; /**< working directory */
    const char *job;       /**< text of the first message */
    int dataset_fd;        /**< -1: none */
    eop_runlog *log;       /**< borrowed until the worker is freed */
} eop_worker_options;

/** handler: static. */
edgeops_status eop_worker_start(eop_worker **out, edgeops_runtime *runtime,
                                const eop_worker_options *options,
                                const eop_worker_handler *handler, void *user_data);
/** Queues a message. E_CLOSED when the worker is going. */
edgeops_status eop_worker_send(eop_worker *worker, const void *data, size_t size);
/** Bytes of messages that are not written yet. */
size_t eop_worker_queued(const eop_worker *worker);
/** Asks for a trace of where the code stands, into the log. */
void eop_worker_trace(eop_worker *worker);
/** Kills the worker and its children; the first reason given is what on_exit tells. */
void eop_worker_kill(eop_worker *worker, edgeops_status status, const char *message);
/** Kills and reaps if it still runs; on_exit does not fire. NULL is allowed. */
void eop_worker_free(eop_worker *worker);

#endif /* EOP_RUNTIME_WORKER_H */
