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

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_runtime_options_init(edgeops_runtime_options *options, size_t struct_size);

/** Makes a runtime, the host side of the workers. Starts nothing yet.
 *
 *  @param out      NULL after a failure; free with edgeops_runtime_free()
 *  @param ctx      must outlive it; all callbacks fire in its loop
 *  @param options  NULL for defaults; copied
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (options); EDGEOPS_E_NOTFOUND if there is no worker
 *          program; EDGEOPS_E_NOMEM
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_runtime_new(
    edgeops_runtime **out, edgeops_ctx *ctx, const edgeops_runtime_options *options);

/** Frees a runtime, once the last of its trainings and lanes is gone. NULL is allowed.
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API void edgeops_runtime_free(edgeops_runtime *runtime);

/* -- training: a workflow and a frozen dataset make a model -- */

/** What an event of a training is about. Numbers never change. */
typedef enum edgeops_train_kind {
    EDGEOPS_TRAIN_PROGRESS = 1,
    EDGEOPS_TRAIN_METRIC = 2,
    EDGEOPS_TRAIN_LOG = 3,
    EDGEOPS_TRAIN_STATE = 4
} edgeops_train_kind;

/** What a training says while it runs. Borrowed for the call. */
typedef struct edgeops_train_event {
    edgeops_train_kind kind;
    double progress;  /**< PROGRESS: 0..1 */
    const char *name; /**< METRIC */
    double value;     /**< METRIC */
    int64_t step;     /**< METRIC; -1 if none was given */
    const char *text; /**< LOG: one line; STATE: "training" (the dataset is loaded), "verifying" (it
                         is done, the dataset's digest is still being compared), "saving" */
} edgeops_train_event;
/** Gets the events of a training, in order, in the context's loop. */
typedef void (*edgeops_train_event_fn)(const edgeops_train_event *event, void *user_data);

/** Resources a worker took, from the operating system. */
typedef struct edgeops_usage {
    double user_s;
    double system_s;
    double wall_s;
    uint64_t peak_memory_bytes;
} edgeops_usage;

/** The end of a training. Fires once, then the handle is gone.
 *
 *  @param status   EDGEOPS_OK: the model is there, for edgeops_model_open(). Else there is none:
 *                  EDGEOPS_E_WORKER (the workflow failed; message: last line of the traceback, or
 *                  how the worker died); EDGEOPS_E_TIMEOUT (also of reading what the training left,
 *                  which has train_timeout once more); EDGEOPS_E_CANCELED; EDGEOPS_E_LIMIT
 *                  (memory, disk); EDGEOPS_E_INVALID (the dataset does not have an input of the
 *                  manifest: named); EDGEOPS_E_CORRUPT (its digest is not what it was frozen with);
 *                  EDGEOPS_E_DENIED (the training left a link or a device); EDGEOPS_E_NOTFOUND (the
 *                  dataset was removed meanwhile); EDGEOPS_E_EXISTS (another training took the
 *                  directory first); EDGEOPS_E_IO
 *  @param message  "" after EDGEOPS_OK
 *  @param usage    all 0 when no worker was started */
typedef void (*edgeops_train_done_fn)(edgeops_status status, const char *message,
                                      const edgeops_usage *usage, void *user_data);

/** What to train. Append-only. workflow, store, dataset, directory and on_done are required; zero
 *  means default for all else. Texts are copied. */
typedef struct edgeops_train_options {
    size_t struct_size;
    const edgeops_workflow *workflow; /**< installed; borrowed until on_done */
    edgeops_store *store;             /**< borrowed until on_done */
    const char *dataset;              /**< name; its rows go straight into the worker's memory */
    const char *params_json; /**< JSON object, NULL: all defaults; checked against the manifest */
    const char *directory;   /**< of the model; must not exist */
    const char *run_dir;     /**< exists; gets `log`; NULL: no log is kept */
    edgeops_train_event_fn on_event; /**< optional */
    edgeops_train_done_fn on_done;
    void *user_data;
} edgeops_train_options;
#define EDGEOPS_TRAIN_OPTIONS_INIT                                                                 \
    { sizeof(edgeops_train_options), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_train_options_init(edgeops_train_options *options, size_t struct_size);

/** A training that runs. The handle is gone once on_done has fired: there is nothing to free. */
typedef struct edgeops_training edgeops_training;

/** Trains in a worker of its own, killed at the manifest's train_timeout and held to its memory
 *  limit: what the worker allocates, libraries' data and memory that is only reserved included, the
 *  bare interpreter and the dataset not. It ends with the process, however that ends; the threads
 *  of the host may come and go.
 *
 *  The model is a folder with model.json (what it was made of: workflow, dataset and parameters
 *  with their digests, metrics, versions of the libraries, the SHA-256 of each file) and files/
 *  (what the workflow left). It is filled under a temporary name beside its place, brought to the
 *  disk, then renamed: after a crash or a kill there is a whole model or none. The dataset's digest
 *  is compared beside the training; a model of a dataset that is not what was frozen is never kept.
 *
 *  @param out  valid until on_done; NULL after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (parameter named; workflow not installed);
 *          EDGEOPS_E_NOTFOUND (the dataset); EDGEOPS_E_EXISTS (directory); EDGEOPS_E_IO;
 *          EDGEOPS_E_NOMEM. on_done does not fire after a failure
 *  Threads: the context's; two threads of its own read and hash the dataset and the files. Does not
 *  block. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_training_start(
    edgeops_training **out, edgeops_runtime *runtime, const edgeops_train_options *options);

/** Ends a training: on_done fires, later, with EDGEOPS_E_CANCELED, unless it was about to end. NULL
 *  is allowed.
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API void edgeops_training_cancel(edgeops_training *training);

/* -- models: what a training made, a folder that says what it is -- */

/** The folder of a model and the workflow that it was trained with, open for lanes. */
typedef struct edgeops_model edgeops_model;

/** What is known of a model. Borrowed from it. */
typedef struct edgeops_model_info {
    const char *directory;            /**< absolute */
    const edgeops_manifest *manifest; /**< of its workflow */
    const char *workflow;             /**< name */
    const char *workflow_version;
    const char *workflow_digest; /**< 64 hex digits */
    const char *dataset;         /**< name */
    const char *dataset_digest;
    const char *params_json;  /**< JSON object: all parameters, as it was trained with */
    const char *metrics_json; /**< JSON object: the last value of each */
    edgeops_time created;
    uint64_t size_bytes; /**< of its files */
    const char *json;    /**< all that its model.json says */
} edgeops_model_info;

/** Opens the folder of a model, and in a content store the workflow that it was trained with.
 *
 *  @param directory  holds model.json and files/, as edgeops_training_start() makes them; may have
 *                    been moved or copied
 *  @param workflows  the store, as of edgeops_workflow_install()
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (no model there, or its workflow is not installed);
 *          EDGEOPS_E_CORRUPT (model.json is damaged, or a file is not what it says: named);
 *          EDGEOPS_E_VERSION (of a newer program); EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any; a model may be used by several at once. Blocks while all its files are read and
 *  compared with their SHA-256. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_model_open(edgeops_model **out,
                                                                const char *directory,
                                                                const char *workflows);

/** What is known of a model; NULL for NULL. Borrowed from the model.
 *  Threads: any. Since 0.1. */
EDGEOPS_API const edgeops_model_info *edgeops_model_info_of(const edgeops_model *model);

/** Closes the handle; lanes that were opened with the model go on.
 *
 *  @param model  NULL is allowed
 *  Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_model_close(edgeops_model *model);

/** One answer. Borrowed for the call. */
typedef struct edgeops_prediction {
    uint64_t id;                 /**< as given to edgeops_lane_submit() */
    edgeops_status status;       /**< OK; DONE: nothing to publish (None); E_WORKER; E_TIMEOUT */
    const char *message;         /**< after an error: what and where; else "" */
    size_t count;                /**< outputs of the manifest; 0 unless status is OK */
    const edgeops_value *values; /**< count, in the manifest's order */
    edgeops_duration duration;   /**< from submit to answer */
} edgeops_prediction;

/** Gets the answers of a lane in the order of submission, in the context's loop. */
typedef void (*edgeops_prediction_fn)(const edgeops_prediction *prediction, void *user_data);

/** How to open a lane. Append-only. Zero means default for every member but struct_size. */
typedef struct edgeops_lane_options {
    size_t struct_size;
    uint32_t depth;      /**< windows in flight, 1..4096, default 64 */
    const char *run_dir; /**< exists; gets `log`; copied. NULL: no log is kept, and the worker works
                            in a folder in $TMPDIR, else /tmp */
    edgeops_prediction_fn on_prediction; /**< for edgeops_lane_submit(); else optional */
    /** Optional: the worker is ready (OK), or died and is started again (E_WORKER, E_TIMEOUT). */
    void (*on_state)(edgeops_status status, const char *message, void *user_data);
    /** Optional: after EDGEOPS_E_AGAIN there is room again. */
    void (*on_drain)(void *user_data);
    void *user_data;
} edgeops_lane_options;
#define EDGEOPS_LANE_OPTIONS_INIT                                                                  \
    { sizeof(edgeops_lane_options), 0, NULL, NULL, NULL, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_lane_options_init(edgeops_lane_options *options, size_t struct_size);

/** A worker with a model, and the queue of windows before it. */
typedef struct edgeops_lane edgeops_lane;

/** Opens a prediction lane: a worker with the model loaded and the parameters that it was trained
 *  with. A worker that hangs is killed at its deadline. One that dies is started again, after 0.1
 *  s, doubling to 30 s; windows that were waiting are predicted by the new worker, the one that the
 *  old worker hung or died on is answered with the error.
 *
 *  A model that does not load is reported through on_state and tried again like any death. Windows
 *  wait meanwhile: a caller that cannot wait closes the lane. Where the workflow has
 *  predict_batch(), windows that wait go to it together; when that fails they are tried one by one.
 *  A float64 output may be NaN. A worker ends with the process, however that ends; the threads of
 *  the host may come and go.
 *
 *  @param out      NULL after a failure; close with edgeops_lane_close()
 *  @param model    kept as long as the lane needs it: the caller may close the handle
 *  @param options  NULL for the defaults, which are enough for the calls that wait
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (depth); EDGEOPS_E_NOTFOUND (run_dir); EDGEOPS_E_LIMIT for
 *          a window over 32 MiB; EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: the context's. Does not block. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_lane_open(edgeops_lane **out,
                                                               edgeops_runtime *runtime,
                                                               const edgeops_model *model,
                                                               const edgeops_lane_options *options);

/** Submits one window for prediction. on_prediction has the answer later, in the order of
 *  submission.
 *
 *  @param id     comes back with the answer
 *  @param table  copied. Columns in the order of the manifest's inputs, with their names, types and
 *                lengths (0 reads as 1); times in order, rows of one time in the order of their
 *                seqs
 *  @param first  first row of the window
 *  @param rows   the manifest's window.rows
 *  @return EDGEOPS_OK; EDGEOPS_E_AGAIN when depth windows or 64 MiB of them are in flight: on_drain
 *          says when there is room; EDGEOPS_E_INVALID (what does not fit is named; the lane has no
 *          on_prediction); EDGEOPS_E_NOMEM
 *  Threads: the context's. Does not block. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_lane_submit(edgeops_lane *lane, uint64_t id,
                                                                 const edgeops_table *table,
                                                                 uint64_t first, uint64_t rows);

/** The same with arrays, for a workflow whose inputs are all single numbers.
 *
 *  @param values  rows x inputs, row-major, in the order of the manifest's inputs; copied. NaN is a
 *                 null; a whole number for an input of an integer type, 0 or 1 for a bool
 *  @param times   rows, strictly ascending; copied. Rows of one time stamp go as a table, with
 *                 seqs: edgeops_lane_submit()
 *  @param rows    the manifest's window.rows
 *  @return as edgeops_lane_submit()
 *  Threads: the context's. Does not block. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_lane_submit_rows(edgeops_lane *lane,
                                                                      uint64_t id,
                                                                      const double *values,
                                                                      const edgeops_time *times,
                                                                      uint64_t rows);

/** Predicts on one window and waits for the answer.
 *
 *  @param out     the answer, also after an error of the workflow, else NULL; the lane's, valid
 *                 until its next call that waits, or its close. id is 0
 *  @param values  as for edgeops_lane_submit_rows()
 *  @return EDGEOPS_OK: out has the values; EDGEOPS_DONE: predict() had nothing to publish;
 *          EDGEOPS_E_WORKER (it raised or died, or the model does not load); EDGEOPS_E_TIMEOUT;
 *          EDGEOPS_E_INVALID (what does not fit is named; or called inside a callback of the
 *          context); EDGEOPS_E_CLOSED (a callback closed the lane); EDGEOPS_E_NOMEM
 *  Threads: the context's. Turns its loop until the answer is there: the load of the model, then at
 *  most the manifest's predict_timeout for each window in flight. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_lane_predict(const edgeops_prediction **out,
                                                                  edgeops_lane *lane,
                                                                  const double *values,
                                                                  const edgeops_time *times,
                                                                  uint64_t rows);

/** Predicts on many windows and waits for all answers. The windows are cut as live and in training:
 *  by the manifest's rows and step, anew after a pause longer than its max_gap, on its rate, with
 *  nulls as its `missing` says; what was before the first row is not known here.
 *
 *  @param out     the answers in the order of the windows, each with its own status; id is the
 *                 number of the row, from 0, with which its window was complete. The lane's, as in
 *                 edgeops_lane_predict()
 *  @param count   answers; 0 where the rows do not make one window
 *  @param values  as there; copied piece by piece
 *  @param rows    any number
 *  @return EDGEOPS_OK once every window has an answer, be it an error; else as
 *          edgeops_lane_predict(), and no answers
 *  Threads: as there. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_lane_predict_many(const edgeops_prediction **out, size_t *count, edgeops_lane *lane,
                          const double *values, const edgeops_time *times, uint64_t rows);

/** Closes a lane. Windows in flight are dropped; no callback fires any more. Allowed inside the
 *  lane's own callbacks.
 *
 *  @param lane  NULL is allowed
 *  Threads: the context's. Since 0.1. */
EDGEOPS_API void edgeops_lane_close(edgeops_lane *lane);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_RUNTIME_H */
