/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_NODE_H
#define EDGEOPS_NODE_H

#include "edgeops/runtime.h"
#include "edgeops/store.h"
#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** Who works on the home of a node. */
typedef enum edgeops_node_mode {
    EDGEOPS_NODE_AUTO = 0,  /**< a running daemon's socket where there is one, else this process */
    EDGEOPS_NODE_LOCAL = 1, /**< this process owns the home; EDGEOPS_E_BUSY if another one does */
    EDGEOPS_NODE_REMOTE = 2 /**< only over the daemon's socket; EDGEOPS_E_NOTFOUND without one */
} edgeops_node_mode;

/** How to open a node. Append-only. Zero means default for every member but struct_size. */
typedef struct edgeops_node_options {
    size_t struct_size;
    edgeops_node_mode mode;
    const char *worker;  /**< as in edgeops_runtime_options */
    const char *layer;   /**< "edge" (default), "fog" or "cloud"; only when the home is made */
    uint32_t must_exist; /**< not 0: EDGEOPS_E_NOTFOUND instead of making a home */
    /** How long to wait for a home that another process has, unless a daemon serves it. Default 3
     * s, with LOCAL 10 s; below 0: does not wait. */
    edgeops_duration wait;
} edgeops_node_options;
#define EDGEOPS_NODE_OPTIONS_INIT                                                                  \
    { sizeof(edgeops_node_options), EDGEOPS_NODE_AUTO, NULL, NULL, 0, 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_node_options_init(edgeops_node_options *options, size_t struct_size);

/** Opens a node home, making it where absent. Sources and deployments do not run yet.
 *
 *  @param out      NULL after a failure; close with edgeops_node_close()
 *  @param ctx      must outlive it; all callbacks fire in its loop
 *  @param home     directory
 *  @param options  NULL for defaults; copied
 *  @return EDGEOPS_OK; EDGEOPS_E_BUSY after the wait (the message has the pid of the owner), at
 *          once with LOCAL while a daemon answers; EDGEOPS_E_INVALID (mode, layer);
 *          EDGEOPS_E_VERSION (home of a newer version); EDGEOPS_E_NOTFOUND (must_exist, or REMOTE
 *          without a daemon); EDGEOPS_E_CORRUPT; EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: the context's, as for all calls on the node. Blocks: options->wait, and while the
 *  journal is read. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_node_open(edgeops_node **out, edgeops_ctx *ctx,
                                                               const char *home,
                                                               const edgeops_node_options *options);

/** Starts the sources and deployments of the home that are not stopped. Each connects and loads in
 *  the background; how it is doing is in the operations "source.show" and "deployment.show".
 *
 *  @return EDGEOPS_OK, also when it was started already; EDGEOPS_E_INVALID for a remote node
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_node_start(edgeops_node *node);

/** Stops sources and deployments and keeps the position of each deployment. Turns the loop for at
 *  most 2 s until predictions in flight have finished. Inside a callback of the context it does not
 *  wait: deployments end in a later turn, and what was in flight is predicted again after the next
 *  start. Idempotent.
 *
 *  @param node  NULL is allowed
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API void edgeops_node_stop(edgeops_node *node);

/** Answers other processes of this user on HOME/edgeops.sock until the node is closed.
 *
 *  @return EDGEOPS_OK, also when it does already; EDGEOPS_E_INVALID for a remote node;
 *          EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_node_serve(edgeops_node *node);

/** Stops and closes. Turns the loop until the calls that are under way have ended: each on_done
 *  fires, with EDGEOPS_E_CANCELED (EDGEOPS_E_CLOSED where edgeops_node_serve() was called) unless
 *  it was done. Inside a callback of the context the node is closed in a later turn of the loop,
 *  and by edgeops_ctx_free() at the latest: the home is taken until then, and no prediction is
 *  shown any more.
 *
 *  @param node  NULL is allowed
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API void edgeops_node_close(edgeops_node *node);

/** Not 0 when calls go to a daemon. A remote node connects again by itself when the daemon was
 *  restarted.
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API int edgeops_node_is_remote(const edgeops_node *node);

/** The store of a local node.
 *
 *  @return borrowed until edgeops_node_close(): do not close it; NULL for a remote node
 *  Threads: the context's; the store itself: any. Since 0.1. */
EDGEOPS_API edgeops_store *edgeops_node_store(edgeops_node *node);

/** The content store of a local node's workflows, for edgeops_workflow_open() and
 *  edgeops_workflow_list(). To add or remove a workflow call "workflow.add" or "workflow.rm".
 *
 *  @return borrowed until edgeops_node_close(); NULL for a remote node
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API const char *edgeops_node_workflows(edgeops_node *node);

/** The runtime of a local node, for lanes and trainings of the host's own beside the node's. A
 *  training on the node's store must have ended before edgeops_node_close().
 *
 *  @param out  borrowed until edgeops_node_close(): do not free it; NULL after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (no worker program); EDGEOPS_E_UNSUPPORTED (remote node);
 *          EDGEOPS_E_NOMEM
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_node_runtime(edgeops_runtime **out,
                                                                  edgeops_node *node);

/** Opens a model of a local node by name. Its files are not read; "doctor" compares them. The node
 *  does not know of the handle: "model.rm" removes the files all the same.
 *
 *  @param out  close with edgeops_model_close(), before or after the node
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (no such model, or its workflow is not there any more);
 *          EDGEOPS_E_CORRUPT; EDGEOPS_E_UNSUPPORTED (remote node); EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_node_model(edgeops_model **out,
                                                                edgeops_node *node,
                                                                const char *name);

/** Something that happens while an operation runs: a JSON object. Borrowed for the call. */
typedef void (*edgeops_event_fn)(const char *event_json, void *user_data);

/** Gets the answer to an operation, once. After EDGEOPS_OK result_json is an object and message is
 *  NULL; after a failure result_json is NULL and message says why. Borrowed for the call. */
typedef void (*edgeops_call_fn)(edgeops_status status, const char *result_json, const char *message,
                                void *user_data);

/** How to call an operation. Append-only. Start with the INIT macro or the _init function: they set
 *  the descriptors to -1, and 0 is a descriptor. */
typedef struct edgeops_call_options {
    size_t struct_size;
    int input; /**< descriptor with bulk data for the operation, -1 for none; borrowed until done */
    int output; /**< descriptor that takes its bulk data, -1 for none; borrowed until done; a pipe
                   that nobody reads any more ends the operation (EDGEOPS_E_CLOSED) */
    edgeops_event_fn on_event; /**< optional */
    void *user_data;           /**< of on_event */
} edgeops_call_options;
#define EDGEOPS_CALL_OPTIONS_INIT                                                                  \
    { sizeof(edgeops_call_options), -1, -1, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_call_options_init(edgeops_call_options *options, size_t struct_size);

/** Runs one operation of the node's table and waits for its answer, turning the context's loop.
 *
 *  The operations, with their arguments, results and events as JSON Schema, are listed by
 *  "node.ops".
 *
 *  @param result     optional; JSON object, given to the caller, free with edgeops_free(); NULL
 *                    after a failure
 *  @param operation  "source.add", "train", ...
 *  @param args_json  JSON object; NULL: {}
 *  @param options    NULL for none
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (the key is named; or called inside a callback of the
 *          context); EDGEOPS_E_NOTFOUND (no such operation); EDGEOPS_E_CLOSED (the daemon went
 *          away); what the operation says
 *  Threads: the context's. Blocks until the answer is there. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_node_call(char **result, edgeops_node *node,
                                                               const char *operation,
                                                               const char *args_json,
                                                               const edgeops_call_options *options);

/** An operation that runs. The handle is gone once on_done has fired: there is nothing to free. */
typedef struct edgeops_call edgeops_call;

/** Starts one operation; on_done fires later, in the context's loop, never inside this call.
 *
 *  @param out      optional; valid until on_done; for edgeops_call_cancel()
 *  @param on_done  optional
 *  @return EDGEOPS_OK; what a local node finds wrong before it starts (EDGEOPS_E_NOTFOUND for an
 *          unknown operation, EDGEOPS_E_INVALID for its arguments): on_done does not fire then;
 *          EDGEOPS_E_BUSY with 256 operations under way
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_node_call_start(
    edgeops_call **out, edgeops_node *node, const char *operation, const char *args_json,
    const edgeops_call_options *options, edgeops_call_fn on_done, void *user_data);

/** Asks an operation to end; on_done still fires, later, with EDGEOPS_E_CANCELED unless it was
 *  done.
 *
 *  @param call  NULL is allowed
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API void edgeops_call_cancel(edgeops_call *call);

/** Gets how far a restore is.
 *
 *  @return EDGEOPS_OK to go on; anything else ends the restore and is passed through */
typedef edgeops_status (*edgeops_restore_fn)(uint64_t bytes, uint64_t total_bytes, void *user_data);

/** Makes a home from a backup that the operation "node.backup" made. Every file is compared with
 *  its size and SHA-256; the home is made beside its place and gets its name when all of it is
 *  right and on the disk: after a failure, or a kill, there is none.
 *
 *  The home keeps the id of its node, and its sources and deployments are as they were, started
 *  with the node: do not run it beside the one it was copied from.
 *
 *  @param result  optional; JSON object with home, files, bytes, node, layer, program and created,
 *                 given to the caller, free with edgeops_free(); NULL after a failure
 *  @param backup  folder
 *  @param home    must not be there, or be an empty folder; NULL: only checks the backup
 *  @param fn      optional
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (no backup, or one that was cut short); EDGEOPS_E_CORRUPT
 *          (the file is named); EDGEOPS_E_VERSION (of a newer program); EDGEOPS_E_EXISTS (home);
 *          EDGEOPS_E_LIMIT (disk); EDGEOPS_E_IO
 *  Threads: any. Blocks. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_node_restore(char **result, const char *backup,
                                                                  const char *home,
                                                                  edgeops_restore_fn fn,
                                                                  void *user_data);

/** A prediction of a deployment. Borrowed for the call. */
typedef struct edgeops_node_prediction {
    const char *deployment;
    const char *asset;
    edgeops_time time; /**< of the newest sample of its window */
    int64_t seq;
    edgeops_status status; /**< as edgeops_prediction.status */
    const char *message;
    size_t count;
    const char *const *names;
    const edgeops_value *values;
    edgeops_duration latency; /**< from the durable sample to here */
} edgeops_node_prediction;

/** Gets the predictions of all deployments, in the context's loop. */
typedef void (*edgeops_node_prediction_fn)(const edgeops_node_prediction *prediction,
                                           void *user_data);

/** Sets the one receiver of all predictions of a local node; a later call replaces it. A remote
 *  node shows none.
 *
 *  @param fn  NULL for none
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API void edgeops_node_on_prediction(edgeops_node *node, edgeops_node_prediction_fn fn,
                                            void *user_data);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_NODE_H */
