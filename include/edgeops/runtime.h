/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_RUNTIME_H
#define EDGEOPS_RUNTIME_H

#include "edgeops/dataset.h"
#include "edgeops/types.h"
#include "edgeops/workflow.h"

EDGEOPS_BEGIN_DECLS

/** Append-only. Zero means default for every field but struct_size. */
typedef struct edgeops_runtime_options {
    size_t struct_size;
    const char *worker; /**< path of edgeops-worker; NULL: $EDGEOPS_WORKER, else beside the library,
                           else where it was installed */
    uint64_t log_limit_bytes; /**< of one run's log, default 16 MiB; more is counted and left out */
} edgeops_runtime_options;
#define EDGEOPS_RUNTIME_OPTIONS_INIT                                                               \
    { sizeof(edgeops_runtime_options), NULL, 0 }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_runtime_options_init(edgeops_runtime_options *options, size_t struct_size);

/** Makes a runtime, the host side of the workers. Starts nothing yet.
 *
 *  @param ctx  must outlive it; all callbacks fire in its loop
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND if there is no worker program; EDGEOPS_E_NOMEM
 *  Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_runtime_new(
    edgeops_runtime **out, edgeops_ctx *ctx, const edgeops_runtime_options *options);

/** Frees a runtime; its trainings and lanes must be gone. NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_runtime_free(edgeops_runtime *runtime);

typedef enum edgeops_train_kind {
    EDGEOPS_TRAIN_PROGRESS = 1,
    EDGEOPS_TRAIN_METRIC = 2,
    EDGEOPS_TRAIN_LOG = 3
} edgeops_train_kind;

/** What a training says while it runs. Borrowed for the call. */
typedef struct edgeops_train_event {
    edgeops_train_kind kind;
    double progress;  /**< PROGRESS: 0..1 */
    const char *name; /**< METRIC */
    double value;     /**< METRIC */
    int64_t step;     /**< METRIC; -1 if none was given */
    const char *text; /**< LOG: one line */
} edgeops_train_event;
typedef void (*edgeops_train_event_fn)(const edgeops_train_event *event, void *user_data);

/** Resources a worker took, from the operating system. */
typedef struct edgeops_usage {
    double user_s;
    double system_s;
    double wall_s;
    uint64_t peak_memory_bytes;
} edgeops_usage;

/** The end of a training: status EDGEOPS_OK with files in the artifact directory, EDGEOPS_E_WORKER
 * when the workflow failed (message: last line of the traceback, or how the worker died),
 * EDGEOPS_E_TIMEOUT, EDGEOPS_E_CANCELED, EDGEOPS_E_LIMIT (memory). Fires once, then the handle is
 * gone. */
typedef void (*edgeops_train_done_fn)(edgeops_status status, const char *message,
                                      const edgeops_usage *usage, void *user_data);

typedef struct edgeops_train_options {
    size_t struct_size;
    const edgeops_workflow *workflow; /**< installed; borrowed until done */
    const edgeops_dataset *dataset;   /**< borrowed for the call */
    const char *params_json;  /**< JSON object, NULL: all defaults; checked against the manifest */
    const char *run_dir;      /**< exists; gets `log`; copied */
    const char *artifact_dir; /**< exists, empty; gets the model's files; copied */
    edgeops_train_event_fn on_event; /**< optional */
    edgeops_train_done_fn on_done;
    void *user_data;
} edgeops_train_options;
#define EDGEOPS_TRAIN_OPTIONS_INIT                                                                 \
    { sizeof(edgeops_train_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_train_options_init(edgeops_train_options *options, size_t struct_size);

typedef struct edgeops_training edgeops_training;

/** Trains in a worker of its own, killed at the manifest's train_timeout and held to its memory
 * limit: what the worker allocates, libraries' data and memory that is only reserved included, the
 * bare interpreter and the dataset not.
 *
 * The worker ends with the thread that made this call, if that thread ends before the process.
 * Blocks while the dataset is copied into shared memory.
 *  @param out  valid until on_done; NULL after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (parameter named; dataset without an input of the manifest
 * named); EDGEOPS_E_IO; EDGEOPS_E_NOMEM Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_runtime_train(
    edgeops_training **out, edgeops_runtime *runtime, const edgeops_train_options *options);

/** Ends a training: on_done fires with EDGEOPS_E_CANCELED once the worker is gone. Since 0.1. */
EDGEOPS_API void edgeops_training_cancel(edgeops_training *training);

/** One answer. Borrowed for the call. */
typedef struct edgeops_prediction {
    uint64_t id;                 /**< as given to edgeops_lane_submit() */
    edgeops_status status;       /**< OK; DONE: nothing to publish (None); E_WORKER; E_TIMEOUT */
    const char *message;         /**< after an error: what and where; else "" */
    size_t count;                /**< outputs of the manifest; 0 unless status is OK */
    const edgeops_value *values; /**< count, in the manifest's order */
    edgeops_duration duration;   /**< from submit to answer */
} edgeops_prediction;

/** Answers come in the order of submission. */
typedef void (*edgeops_prediction_fn)(const edgeops_prediction *prediction, void *user_data);

typedef struct edgeops_lane_options {
    size_t struct_size;
    const edgeops_workflow *workflow; /**< installed; borrowed until the lane is closed */
    const char *model_dir;            /**< artifacts of a training; copied */
    const char *params_json;          /**< as the model was trained with; copied */
    const char *run_dir;              /**< exists; gets `log`; copied */
    uint32_t depth;                   /**< windows in flight, 1..4096, default 64 */
    edgeops_prediction_fn on_prediction;
    /** Optional: the worker is ready (OK), or died and is started again (E_WORKER, E_TIMEOUT). */
    void (*on_state)(edgeops_status status, const char *message, void *user_data);
    /** Optional: after EDGEOPS_E_AGAIN there is room again. */
    void (*on_drain)(void *user_data);
    void *user_data;
} edgeops_lane_options;
#define EDGEOPS_LANE_OPTIONS_INIT                                                                  \
    { sizeof(edgeops_lane_options), NULL, NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_lane_options_init(edgeops_lane_options *options, size_t struct_size);

typedef struct edgeops_lane edgeops_lane;

/** Opens a prediction lane: a worker with the model loaded. A worker that hangs is killed at its
 *  deadline, one that dies is started again (after 0.1 s, doubling to 30 s); windows that were
 * waiting are replayed, the one it hung or died on is answered with the error.
 *
 * A model that does not load is told through on_state and tried again like any death: windows wait
 * meanwhile, so a caller that must come to an end closes the lane. Where the workflow has
 * predict_batch(), windows that wait go to it together; when that fails they are tried one by one.
 * A float64 output may be NaN. The worker ends with the thread that opened the lane, or on which it
 * was last started again, if that thread ends before the process: it is started again then.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (parameter named); EDGEOPS_E_NOTFOUND (model_dir);
 * EDGEOPS_E_LIMIT for a window over 32 MiB; EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_lane_open(edgeops_lane **out,
                                                               edgeops_runtime *runtime,
                                                               const edgeops_lane_options *options);

/** Submits one window for prediction.
 *
 *  @param id     comes back with the answer
 *  @param table  columns in the order of the manifest's inputs, of their types; copied
 *  @param first  first row of the window; the manifest's window.rows rows follow
 *  @param rows   as the manifest says
 *  @return EDGEOPS_OK; EDGEOPS_E_AGAIN when depth windows or 64 MiB of them are in flight;
 * EDGEOPS_E_INVALID; EDGEOPS_E_NOMEM
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_lane_submit(edgeops_lane *lane, uint64_t id,
                                                                 const edgeops_table *table,
                                                                 uint64_t first, uint64_t rows);

/** Closes a lane; what is in flight is dropped, no callback fires any more. NULL is allowed. Since
 * 0.1. */
EDGEOPS_API void edgeops_lane_close(edgeops_lane *lane);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_RUNTIME_H */
