/* SPDX-License-Identifier: Apache-2.0 */
/* Batch prediction: a thread reads rows and hands them over block by block, the loop cuts windows
 * and asks a lane, another thread writes the rows of the answer. Each stage holds little: a block,
 * a lane's depth of windows, a MiB of text. */
#ifndef EOP_NODE_FILES_PREDICT_H
#define EOP_NODE_FILES_PREDICT_H

#include "node/control/call.h"
#include "node/control/job.h"
#include "node/files/score.h"
#include "node/home/models.h"
#include "node/home/runs.h"
#include "runtime/window.h"

#define EOP_PREDICT_DEPTH 256u

/** Rows on their way from the reading thread to the loop. They stay the reader's, who keeps them
 * while the loop holds them. */
typedef struct eop_block {
    const edgeops_table *table;
    uint64_t first;
    uint64_t count;
    const int32_t *labels; /**< by row of the table, numbers of predict.labels; NULL: none */
    uint32_t group;
    bool fresh; /**< no window spans what was before */
} eop_block;

typedef struct eop_predict {
    edgeops_call *call;
    edgeops_node *node;
    edgeops_model *model;
    const edgeops_manifest *manifest;
    edgeops_window_spec window_spec; /**< set before the first block */
    eop_run *run;
    eop_wake *wake;
    edgeops_lane *lane;
    eop_job *reader;
    eop_job *writer;
    edgeops_duration started;
    edgeops_duration reported;

    /* between the reading thread and the loop */
    pthread_mutex_t lock;
    pthread_cond_t moved;    /**< block given back, text to write, the end */
    const eop_block *block;  /**< guarded by lock; NULL: none is offered or held */
    bool held;               /**< guarded by lock: the loop reads block, only it lets go */
    bool read_all;           /**< guarded by lock */
    bool ended;              /**< guarded by lock: no more is wanted */
    eop_texts labels;        /**< guarded by lock */
    eop_texts groups;        /**< guarded by lock */
    edgeops_time start, end; /**< of an asset's range */

    /* the loop's */
    const eop_block *current; /**< block while it is held: a cutter reads it until it says DONE */
    eop_window_cutter **cutters;
    size_t cutter_count;
    size_t cutter_capacity;
    eop_window window;
    bool has_window;
    uint64_t next_id;
    struct {
        edgeops_time time;
        uint32_t group;
        int32_t label;
    } ring[EOP_PREDICT_DEPTH];
    size_t first;
    size_t count;
    bool ready; /**< the worker was ready at least once */
    edgeops_status status;
    char *message;
    bool finished;

    /* rows of the answer */
    bool jsonl;
    bool with_group;
    bool with_label;
    size_t compared; /**< output that labels are compared with, SIZE_MAX: none */
    eop_buf rows;    /**< loop */
    eop_buf queue;   /**< guarded by lock: what the writer takes next */
    bool wrote_all;  /**< guarded by lock: no more comes */

    uint64_t rows_read;
    uint64_t windows;
    uint64_t predictions;
    uint64_t errors;
    uint64_t skipped;
    char *first_error; /**< of a window */
    eop_json *input;   /**< what the reading thread met in an input; NULL: nothing was read */
    eop_score score;
} eop_predict;

#endif /* EOP_NODE_FILES_PREDICT_H */
