/* SPDX-License-Identifier: Apache-2.0 */
/* The node itself: its home, what it owns, and the heads of the lists that its parts keep. Only
 * those parts know what is in the lists. Unless a comment says otherwise, everything here and in
 * the rooms above is touched by the context's thread only; comments name the threads of jobs, of
 * drivers and of the store's watcher where they come in. */
#ifndef EOP_NODE_HOME_HOME_H
#define EOP_NODE_HOME_HOME_H

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
#include "edgeops/store.h"
#include "edgeops/workflow.h"
#include "platform/platform.h"

#define EOP_NODE_SOURCES_MAX     256
#define EOP_NODE_DEPLOYMENTS_MAX 256

typedef struct eop_catalog eop_catalog;
typedef struct eop_op eop_op;
typedef struct eop_job eop_job;
typedef struct eop_client eop_client;
typedef struct eop_server eop_server;
typedef struct eop_feed eop_feed;
typedef struct eop_source eop_source;
typedef struct eop_outbox eop_outbox;
typedef struct eop_deployment eop_deployment;
typedef struct eop_derived eop_derived;
typedef struct eop_joins eop_joins;

struct edgeops_node {
    edgeops_ctx *ctx;
    char *home;
    char *workflows;          /**< HOME/store of a local node */
    const eop_op *const *ops; /**< groups of operations, NULL at the end; not ours */
    eop_client *client;       /**< a remote node has this and nothing below */

    edgeops_store *store;
    eop_catalog *catalog;     /**< the store's */
    edgeops_runtime *runtime; /**< made when first needed */
    char *worker;
    char *layer;
    char *id; /**< unique to this home */
    edgeops_time opened;
    edgeops_duration opened_monotonic;
    bool started;
    bool closing;      /**< no more calls are taken */
    bool halting;      /**< stopped inside a callback: deployments end in a later turn */
    size_t turning;    /**< who turns the loop and looks at the node afterwards */
    eop_timer *closer; /**< of a node that was closed inside a callback */
    eop_server *server;
    eop_timer *tick;       /**< once a second */
    edgeops_time retained; /**< monotonic; when retention was asked for last */
    atomic_bool disk_full;
    char disk_detail[256];
    bool clock_unset; /**< when it was last looked at */

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
    bool backing_up;               /**< no model may be removed */

    eop_feed *feed;
    eop_source *sources[EOP_NODE_SOURCES_MAX];
    size_t source_count;
    eop_outbox *outboxes;
    eop_deployment *deployments[EOP_NODE_DEPLOYMENTS_MAX];
    size_t deployment_count;
    eop_derived *derived; /**< any thread */
    eop_joins *joins;

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

#endif /* EOP_NODE_HOME_HOME_H */
