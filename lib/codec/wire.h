/* SPDX-License-Identifier: Apache-2.0 */
/* What the host and edgeops-worker say to each other. A message is one frame of an eop_link (u32
 * little-endian size, then that many bytes): a head and a body. Numbers are in the machine's byte
 * order: both ends run on one machine and come from one build. The worker is not trusted, so every
 * reader here checks what it reads; E_PROTOCOL is the answer to anything odd. */
#ifndef EOP_CODEC_WIRE_H
#define EOP_CODEC_WIRE_H

#include "base/str.h"
#include "edgeops/store.h"
#include "edgeops/types.h"

#define EOP_WIRE_VERSION 1
/** Descriptors of a worker: 0 is /dev/null, 1 and 2 the log. */
#define EOP_WIRE_CONTROL_FD 3
#define EOP_WIRE_DATASET_FD 4
/** Host to worker. A window may have EOP_WIRE_MAX_WINDOW bytes of numbers. */
#define EOP_WIRE_MAX_FRAME  ((size_t)64 << 20)
#define EOP_WIRE_MAX_WINDOW ((size_t)32 << 20)
/** Worker to host: 64 outputs of at most 64 KiB each. */
#define EOP_WIRE_MAX_ANSWER ((size_t)5 << 20)
#define EOP_WIRE_MAX_STRING ((size_t)64 << 10)
/** Windows that a worker takes at once for predict_batch(). */
#define EOP_WIRE_MAX_BATCH 64

typedef enum eop_wire_kind {
    EOP_WIRE_JOB = 1,     /**< host: JSON text, the first frame */
    EOP_WIRE_PREDICT = 2, /**< host: a block, the rows of one window */
    EOP_WIRE_READY = 16,  /**< worker: the model is loaded */
    EOP_WIRE_ANSWER = 17, /**< worker: values, one for each output */
    EOP_WIRE_NONE = 18,   /**< worker: the window gave nothing to publish */
    EOP_WIRE_ERROR = 19,  /**< worker: code and text; id 0: of the job itself */
    EOP_WIRE_BATCH = 20,  /**< worker: the next `code` windows are answered together */
    EOP_WIRE_PROGRESS = 21,
    EOP_WIRE_METRIC = 22,
    EOP_WIRE_DONE = 23 /**< worker: trained, files are in the artifact directory */
} eop_wire_kind;

/** Flag of PREDICT: never in a batch, so that a window that kills its worker can be identified. */
#define EOP_WIRE_SINGLE 1u

typedef struct eop_wire_head {
    uint8_t kind;
    uint8_t flags;
    uint16_t reserved; /**< 0 */
    int32_t code;      /**< edgeops_status, or a count */
    uint64_t id;       /**< of the window, from 1 */
} eop_wire_head;

/** Splits a frame. @param body  borrowed, inside data */
edgeops_status eop_wire_open(eop_wire_head *head, const char **body, size_t *body_size,
                             const char *data, size_t size);

/** Puts a message whose body is text (or empty). A failed allocation shows in buf->failed. */
void eop_wire_put_text(eop_buf *buf, eop_wire_kind kind, uint64_t id, int32_t code,
                       const char *text, size_t size);

/** Puts an answer: count values, strings of at most EOP_WIRE_MAX_STRING bytes. */
void eop_wire_put_answer(eop_buf *buf, uint64_t id, const edgeops_value *values, size_t count);
/** Reads exactly count values into `values`; strings are borrowed from body. types[i] or null. */
edgeops_status eop_wire_get_answer(edgeops_value *values, const edgeops_type *types, size_t count,
                                   const char *body, size_t size);

void eop_wire_put_progress(eop_buf *buf, double progress);
edgeops_status eop_wire_get_progress(double *progress, const char *body, size_t size);

typedef struct eop_wire_metric {
    const char *name; /**< 1..128 bytes, not NUL-terminated */
    size_t name_size;
    double value;
    int64_t step; /**< -1: none */
} eop_wire_metric;
void eop_wire_put_metric(eop_buf *buf, const eop_wire_metric *metric);
/** name borrowed from body. */
edgeops_status eop_wire_get_metric(eop_wire_metric *metric, const char *body, size_t size);

/* -- blocks: rows of numbers and texts. A block starts at a multiple of 8 and holds, in this order:
 * eop_wire_block, `extras` x eop_wire_extra, int64 times[rows], float64 values[rows][columns] (NaN
 * for null, for texts and for arrays), then what the extras point at. A column that is not of
 * scalar float64 has an extra with its exact values. -- */
typedef struct eop_wire_block {
    uint64_t rows;
    uint32_t columns;
    uint32_t extras;
} eop_wire_block;

typedef struct eop_wire_extra {
    uint32_t column;
    uint32_t type;   /**< STRING: uint64 offsets[rows + 1]; else elements [rows][length] of it */
    uint64_t data;   /**< offsets from the start of the block */
    uint64_t bytes;  /**< STRING: where its texts are */
    uint64_t length; /**< STRING: and how many bytes; else elements of a row, 1 for scalars */
    uint64_t valid;  /**< uint8[rows], 0 says null; 0 when there are no nulls */
} eop_wire_extra;

/** Rows `first` .. `first + rows` of a table whose columns are those of the block, in order. */
typedef struct eop_wire_part {
    const edgeops_table *table;
    uint64_t first;
    uint64_t rows;
} eop_wire_part;

/** Whether values of a column can be given as `type`, see eop_type_widens(); arrays only as they
 * are. */
bool eop_wire_fits(const edgeops_column *column, edgeops_type type);

/** Bytes of a block of all the parts, a multiple of 8. types: columns of them, which each part's
 * columns fit. E_LIMIT when it does not fit in memory. */
edgeops_status eop_wire_block_size(size_t *out, const edgeops_type *types, size_t columns,
                                   const eop_wire_part *parts, size_t n);
/** Writes exactly those bytes. out: aligned to 8. */
void eop_wire_block_write(char *out, const edgeops_type *types, size_t columns,
                          const eop_wire_part *parts, size_t n);

/** The head of a block of float64 columns alone; times and values are still to be written, to where
 * these point. */
void eop_wire_block_begin(int64_t **times, double **values, char *out, uint64_t rows,
                          size_t columns);

/** Puts a PREDICT message. */
edgeops_status eop_wire_put_window(eop_buf *buf, uint64_t id, const edgeops_type *types,
                                   size_t columns, const eop_wire_part *part);

/** Where the parts of a block are. */
typedef struct eop_wire_view {
    uint64_t rows;
    uint32_t columns;
    uint32_t extra_count;
    const eop_wire_extra *extras;
    size_t times; /**< offsets from the start of the block */
    size_t values;
} eop_wire_view;
/** data: aligned to 8. All offsets are checked. */
edgeops_status eop_wire_block_read(eop_wire_view *view, const char *data, size_t size);

/* -- a dataset in a memory file: this head, then what its offsets (multiples of 8) point at -- */
#define EOP_WIRE_MAGIC "EOPDATA1"
typedef struct eop_wire_dataset {
    char magic[8];
    uint64_t rows;
    uint64_t windows;
    uint64_t block;
    uint64_t block_size;
    uint64_t groups; /**< int32[rows]: index into the job's "groups"; 0: each has as many rows as
                        its "group_rows" says */
    uint64_t
        labels; /**< int32[rows]: index into the job's "labels", -1 for none; 0: all are none */
    uint64_t starts;        /**< int64[windows]: first row; 0: each row is a window */
    uint64_t window_labels; /**< int32[windows]; 0: all are none */
} eop_wire_dataset;
/** Checks the head against the size of the file. */
edgeops_status eop_wire_dataset_read(eop_wire_dataset *out, const char *data, size_t size);

#endif /* EOP_CODEC_WIRE_H */
