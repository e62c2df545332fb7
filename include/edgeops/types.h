/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_TYPES_H
#define EDGEOPS_TYPES_H

#include <stddef.h>
#include <stdint.h>

#include "edgeops/export.h"
#include "edgeops/status.h"

EDGEOPS_BEGIN_DECLS

/** Nanoseconds since 1970-01-01T00:00:00Z, UTC. The full int64 range is stored (1677 to 2262). */
typedef int64_t edgeops_time;
/** Nanoseconds. */
typedef int64_t edgeops_duration;

#define EDGEOPS_TIME_MIN    INT64_MIN /**< as a range start: from the first sample */
#define EDGEOPS_TIME_MAX    INT64_MAX /**< as a range end: to the last sample */
#define EDGEOPS_FOREVER     INT64_MAX /**< as a duration: no limit */
#define EDGEOPS_MILLISECOND ((edgeops_duration)1000000)
#define EDGEOPS_SECOND      ((edgeops_duration)1000000000)

/* A context, a store, and what is made from one of them belong to the process that made them. In
 * the child of a fork() each call on them is refused with EDGEOPS_E_INVALID, and closing them does
 * nothing, so that the parent comes to no harm. The child makes objects of its own. Tables,
 * datasets, summaries, models, workflows and virtual assets are only memory and work there, too.
 *
 * Close what was made from an object before that object: cursors and watchers before their store,
 * all before their context. Threads "any" means any number at once, "one at a time" any thread, one
 * after the other, "the context's" the thread that turns its loop. */

/** An event loop, in context.h. */
typedef struct edgeops_ctx edgeops_ctx;
/** A home with all that runs in it, in node.h. */
typedef struct edgeops_node edgeops_node;
/** Samples, labels and datasets of a home, in store.h. */
typedef struct edgeops_store edgeops_store;
/** A workflow package or an installed workflow, in workflow.h. */
typedef struct edgeops_workflow edgeops_workflow;
/** The host side of the workers, in runtime.h. */
typedef struct edgeops_runtime edgeops_runtime;

/** What a channel holds. A channel keeps its type, and its length, for ever. The numbers are part
 *  of files and never change. */
typedef enum edgeops_type {
    EDGEOPS_TYPE_NULL = 0,    /**< only in edgeops_value: absent */
    EDGEOPS_TYPE_FLOAT64 = 1, /**< IEEE 754 binary64, bit-exact: NaN payloads, infinities, -0.0 */
    EDGEOPS_TYPE_INT64 = 2,
    EDGEOPS_TYPE_BOOL = 3,    /**< as.i64 is 0 or 1 */
    EDGEOPS_TYPE_STRING = 4,  /**< UTF-8 without NUL, at most 64 KiB */
    EDGEOPS_TYPE_FLOAT32 = 5, /**< IEEE 754 binary32, bit-exact */
    EDGEOPS_TYPE_INT8 = 6,
    EDGEOPS_TYPE_INT16 = 7,
    EDGEOPS_TYPE_INT32 = 8,
    EDGEOPS_TYPE_UINT8 = 9,
    EDGEOPS_TYPE_UINT16 = 10,
    EDGEOPS_TYPE_UINT32 = 11,
    EDGEOPS_TYPE_UINT64 = 12,
    EDGEOPS_TYPE_BLOB = 13 /**< bytes, such as an image: kept once in `data/blobs/` */
} edgeops_type;

/** Most elements in one value of an array channel: an audio block of 4,096 numbers is one value of
 *  length 4096. Arrays are of the float and integer types. */
#define EDGEOPS_LENGTH_MAX 65536u
/** Most bytes in one blob. */
#define EDGEOPS_BLOB_MAX (64u * 1024 * 1024)

/** One value. 16 bytes.
 *
 *  A number or bool has size 0. An array has the type of its elements; as.data points to them, one
 *  after the other in the machine's byte order, aligned or not, and size is the bytes of all of
 *  them. A BLOB that is appended has its bytes in as.data. One that was read has size 40, as.data
 *  points to an edgeops_blob, and edgeops_blob_read() reads its bytes. */
typedef struct edgeops_value {
    edgeops_type type;
    uint32_t size; /**< bytes of as.str or as.data, else 0 */
    union {
        double f64;
        float f32;
        int64_t i64;      /**< INT8 to INT64, BOOL */
        uint64_t u64;     /**< UINT8 to UINT64 */
        const char *str;  /**< not NUL-terminated necessarily; borrowed */
        const void *data; /**< borrowed */
    } as;
} edgeops_value;

/** What a row holds of a BLOB. 40 bytes. All zero for a null. */
typedef struct edgeops_blob {
    uint8_t digest[32]; /**< SHA-256 of its bytes */
    uint64_t size;      /**< of its bytes */
} edgeops_blob;

/** No quality code came with a value. */
#define EDGEOPS_QUALITY_NONE ((uint16_t)0xffff)

/** One sample on its way in: a time stamp and the values of some channels of one asset. Channels
 *  that are not listed are null. Everything is borrowed for the length of the call. Passed in
 *  arrays: its size never changes; set all members that you do not use to 0. */
typedef struct edgeops_sample {
    const char *asset; /**< name, see edgeops_store_append() */
    edgeops_time time;
    int64_t seq;  /**< tells samples of one time stamp apart; 0 where there is no such number */
    size_t count; /**< number of channels here, 1..1024 */
    const char *const *channels; /**< count names, all different */
    const edgeops_value *values; /**< count values */
    /** NULL, or count codes that say how good a value is. The store keeps them as the source gives
     * them and does not interpret them. Siemens databus: the 16 bits of `qx`, whose bits 6-7 are
     * `qc` (0 bad, 1 uncertain, 2 and 3 good); with `qc` alone those two bits. OPC UA: the upper 16
     * bits of the StatusCode. EDGEOPS_QUALITY_NONE: no code. A null value has no code. */
    const uint16_t *qualities;
} edgeops_sample;

/** Which value a point on a common rate takes of a channel whose samples have other times. */
typedef enum edgeops_fill {
    EDGEOPS_FILL_PREVIOUS = 0, /**< its last value at or before the point */
    EDGEOPS_FILL_LINEAR = 1,   /**< float64: on the line to the value of the next row, if that has
                                one; all else as PREVIOUS */
    EDGEOPS_FILL_NONE = 2      /**< its last value within the period that ends at the point */
} edgeops_fill;

/** What an input gets in a row that has no value of it. */
typedef enum edgeops_missing {
    EDGEOPS_MISSING_NULL = 0,     /**< the value is null: NaN for a float64 */
    EDGEOPS_MISSING_PREVIOUS = 1, /**< the channel's last value before; null while there is none */
    EDGEOPS_MISSING_SKIP = 2      /**< reserved, not in this version: the window is left out */
} edgeops_missing;

/** Which label a window has whose rows do not all have the same one. Reserved: not in this version,
 *  which knows SKIP only. */
typedef enum edgeops_label_rule {
    EDGEOPS_LABEL_RULE_SKIP = 0,     /**< none: trainings leave the window out */
    EDGEOPS_LABEL_RULE_MAJORITY = 1, /**< reserved: the label of most rows */
    EDGEOPS_LABEL_RULE_LAST = 2      /**< reserved: the label of the newest row */
} edgeops_label_rule;

/** Reads a moment from text, as the operations' `start` and `end` do:
 *  - ISO 8601: "2026-01-31T12:00:00.5Z" and its shorter forms such as "2026-01-31 12:00" and
 *    "2026-01-31", the basic form "20260131T120000Z", offsets such as "+02", "+0200", "+02:00"; UTC
 *    where there is none; digits of a fraction behind the ninth are cut off
 *  - dates as digits alone: "20260131", "202601311200", "20260131120000", of 1900 to 2100
 *  - numbers since 1970, also with a fraction or an exponent: of seconds below 1e11, of milliseconds
 *    below 1e14, of microseconds below 1e17, else of nanoseconds. One below 1e8 that is not 0 is
 *    refused: it may be a year or a count of anything
 *  - "now", and durations before and after it: "-1h", "+30m", "now-1d" (units ns, us, ms, s, m, min,
 *    h, d)
 *
 *  @param out   untouched on failure
 *  @param text  blanks around a time do not count
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID: not a time, or outside int64 (1677 to 2262)
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_time_parse(edgeops_time *out,
                                                                const char *text);

/** Frees memory that a call gave to the caller, where the call says so.
 *
 *  @param memory  NULL is allowed
 *  Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_free(void *memory);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_TYPES_H */
