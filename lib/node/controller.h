/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share. Unless said otherwise everything here is touched by the
 * context's thread only; threads of jobs, of drivers and of the store's watcher are named where
 * they come in. */
#ifndef EOP_NODE_CONTROLLER_H
#define EOP_NODE_CONTROLLER_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "codec/json.h"
#include "edgeops/ingest.h"
#include "edgeops/node.h"
#include "edgeops/runtime.h"
#include "edgeops/workflow.h"
#include "platform/platform.h"
#include "store/catalog.h"

#define EOP_NODE_CALLS_MAX       256
#define EOP_NODE_JOBS_MAX        32
#define EOP_NODE_SOURCES_MAX     256
#define EOP_NODE_DEPLOYMENTS_MAX 256
#define EOP_NODE_FRAME_MAX       ((size_t)16 << 20)

typedef struct eop_job eop_job;
typedef struct eop_client eop_client;
typedef struct eop_server eop_server;
typedef struct eop_feed eop_feed;
typedef struct eop_source eop_source;
typedef struct eop_outbox eop_outbox;
typedef struct eop_deployment eop_deployment;

/** How fast a counter grows, sampled by the node's tick. */
typedef struct eop_rate {
    uint64_t last;
    double per_s;
} eop_rate;

struct edgeops_node {
    edgeops_ctx *ctx;
    char *home;
    const struct eop_op *const *ops; /**< groups of operations, NULL at the end; not ours */
    eop_client *client;              /**< a remote node has this and nothing of what follows */

    edgeops_store *store;
    edgeops_runtime *runtime; /**< made when first needed */
    char *worker;
    char *layer;
    char *id; /**< tells this home from all others */
    edgeops_time opened;
    edgeops_duration opened_monotonic;
    bool started;
    bool closing; /**< no more calls are taken */
    eop_server *server;
    eop_timer *tick;       /**< once a second */
    edgeops_time retained; /**< monotonic; when retention was asked for last */
    atomic_bool disk_full;
    char disk_detail[256];

    edgeops_call *calls; /**< in the order in which they came */
    edgeops_call *calls_last;
    size_t call_count;
    eop_wake *turn; /**< calls that are ready to run or to be answered, jobs that ended */

    pthread_mutex_t lock; /**< guards finished and events of jobs */
    bool lock_made;
    size_t runs_running;
    eop_job *jobs;
    eop_job *finished;
    size_t job_count;
    pthread_mutex_t workflow_lock; /**< one writer of the workflow store; held by jobs only */
    bool backing_up;               /**< no model may go */

    eop_feed *feed;
    eop_source *sources[EOP_NODE_SOURCES_MAX];
    size_t source_count;
    eop_outbox *outboxes;
    eop_deployment *deployments[EOP_NODE_DEPLOYMENTS_MAX];
    size_t deployment_count;

    edgeops_node_prediction_fn on_prediction;
    void *prediction_data;
};

static inline const eop_log *node_log(const edgeops_node *node) {
    return eop_ctx_log(node->ctx);
}
/** Makes the runtime when it is not there. E_NOTFOUND without a worker program. */
edgeops_status eop_node_runtime(edgeops_runtime **out, edgeops_node *node);
/** HOME/a or HOME/a/b; NULL when there is no memory. */
char *eop_node_path(const edgeops_node *node, const char *a, const char *b);
bool eop_node_is_daemon(const edgeops_node *node);

/* -- operations -- */
enum {
    EOP_OP_INPUT = 1,     /**< takes bulk data */
    EOP_OP_OUTPUT = 2,    /**< gives bulk data */
    EOP_OP_STREAMS = 4,   /**< sends events */
    EOP_OP_DAEMON = 8,    /**< only where `node serve` runs */
    EOP_OP_DETACHED = 16, /**< goes on when the client that asked goes away */
    EOP_OP_OPTIONAL = 32  /**< may do without its output */
};
typedef struct eop_op {
    const char *name;
    const char *summary;
    const char *args;   /**< JSON Schema, text */
    const char *result; /**< JSON Schema, text; NULL: an object */
    unsigned flags;
    /** One of the two. run answers at once; *result is taken also after a failure. start answers
     * later through eop_call_finish(), unless it fails. */
    edgeops_status (*run)(edgeops_call *call, eop_json **result);
    edgeops_status (*start)(edgeops_call *call);
} eop_op;
/** NULL when there is none. */
const eop_op *eop_op_find(const edgeops_node *node, const char *name);
/** The index-th operation, NULL past the last: sorted by noun. */
const eop_op *eop_op_at(const edgeops_node *node, size_t index);

struct edgeops_call {
    edgeops_call *next;
    edgeops_call *previous;
    edgeops_node *node;
    const eop_op *op; /**< NULL in a remote node */
    uint64_t id;
    enum { EOP_CALL_READY, EOP_CALL_RUNNING, EOP_CALL_DONE } state;
    bool canceled;
    bool cut_off;   /**< canceled by the end of the daemon, not by who asked */
    eop_json *args; /**< checked, with defaults */
    int input;
    int output;
    edgeops_event_fn on_event;
    void *event_data;
    edgeops_call_fn on_done;
    void *done_data;
    edgeops_status status;
    char *result;
    char *message;
    /** Set by what takes time, an operation or the daemon; called once, by
     * edgeops_call_cancel(). */
    void (*cancel)(edgeops_call *call);
    void *data;  /**< the operation's */
    int64_t run; /**< that it works on, 0 for none */
    /** Bytes of events that the receiver has not taken yet; NULL: it takes them at once. */
    size_t (*queued)(void *user_data);
};

/** Ends a call: the answer goes out in a later turn. result: taken, NULL stands for {}. After a
 * failure the text is this thread's last error. A second end is passed over. */
void eop_call_finish(edgeops_call *call, edgeops_status status, eop_json *result);
void eop_call_fail(edgeops_call *call, edgeops_status status, const char *message);
/** Puts a new call into the list of its node, which runs or sends it in its next turn. */
void eop_call_link(edgeops_call *call);
/** For a call that was not linked. NULL is allowed. */
void eop_call_free(edgeops_call *call);
/** Sends an event. Taken. */
void eop_call_event(edgeops_call *call, eop_json *event);
/** True when the receiver of events lags: make no more for now. */
bool eop_call_congested(const edgeops_call *call);
/** Runs what is ready, answers what is done. */
void eop_calls_turn(edgeops_node *node);
/** Cancels all calls and turns the loop until each was answered and every job has ended. */
void eop_calls_end(edgeops_node *node);

/* -- jobs: long work on a thread of its own -- */
typedef void (*eop_job_fn)(eop_job *job, void *user_data);
/** work: on its own thread. done: on the loop, once. The status, result and text of work come with
 * eop_job_status(). call: optional, gets the job's events; its cancel cancels the job. */
edgeops_status eop_job_start(eop_job **out, edgeops_node *node, edgeops_call *call, eop_job_fn work,
                             eop_job_fn done, void *user_data);
/** Any thread. */
void eop_job_cancel(eop_job *job);
bool eop_job_canceled(const eop_job *job);
edgeops_node *eop_job_node(const eop_job *job);
/** Readable once the job is canceled. */
int eop_job_cancel_fd(const eop_job *job);
/** Job's thread: takes this thread's error detail along when status < 0. */
void eop_job_end(eop_job *job, edgeops_status status);
/** In done: the status; its text is then this thread's last error. */
edgeops_status eop_job_status(const eop_job *job);
/** Job's thread: an event for the call; a newer one replaces one that did not go out yet. Taken. */
void eop_job_event(eop_job *job, eop_json *event);
/** Job's thread: true at most ten times a second, for progress. */
bool eop_job_due(eop_job *job);
/** Job's thread: read(2) that a cancel ends (E_CANCELED). *got is 0 at the end. */
edgeops_status eop_job_read(eop_job *job, int fd, void *data, size_t size, size_t *got);
/** Job's thread: writes all; a cancel ends it. E_CLOSED when the reader is gone. */
edgeops_status eop_job_write(eop_job *job, int fd, const void *data, size_t size);
/** Job's thread: waits; E_CANCELED, else OK once the time has passed. */
edgeops_status eop_job_pause(eop_job *job, edgeops_duration duration);
/** Loop: reports the jobs that ended and the events that wait. */
void eop_jobs_turn(edgeops_node *node);

/* -- the socket face -- */
edgeops_status eop_client_new(eop_client **out, edgeops_node *node);
void eop_client_free(eop_client *client);
edgeops_status eop_client_send(eop_client *client, edgeops_call *call, const char *operation,
                               const char *args_json);
edgeops_status eop_server_new(eop_server **out, edgeops_node *node);
void eop_server_free(eop_server *server);

#endif /* EOP_NODE_CONTROLLER_H */
