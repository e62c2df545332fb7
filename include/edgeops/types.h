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

typedef struct edgeops_ctx edgeops_ctx;
typedef struct edgeops_node edgeops_node;
typedef struct edgeops_store edgeops_store;
typedef struct edgeops_workflow edgeops_workflow;
typedef struct edgeops_runtime edgeops_runtime;

/** What a channel holds. A channel keeps its type for ever. */
typedef enum edgeops_type {
    EDGEOPS_TYPE_NULL = 0, /**< only in edgeops_value: absent */
    EDGEOPS_TYPE_FLOAT64 =
        1, /**< IEEE 754 binary64; NaN, infinities and -0.0 come back bit-exact */
    EDGEOPS_TYPE_INT64 = 2,
    EDGEOPS_TYPE_BOOL = 3,  /**< as.i64 is 0 or 1 */
    EDGEOPS_TYPE_STRING = 4 /**< UTF-8 without NUL, at most 64 KiB */
} edgeops_type;

/** One value. 16 bytes. */
typedef struct edgeops_value {
    edgeops_type type;
    uint32_t size; /**< bytes of as.str, else 0 */
    union {
        double f64;
        int64_t i64;
        const char *str; /**< not NUL-terminated necessarily; borrowed */
    } as;
} edgeops_value;

/** One sample on its way in: a time stamp and the values of some channels of one asset. Channels
 * that are not listed are null. Everything is borrowed for the length of the call. */
typedef struct edgeops_sample {
    const char *asset; /**< name, see edgeops_store_append() */
    edgeops_time time;
    int64_t seq;  /**< tells samples of one time stamp apart, 0 if there is no such number */
    size_t count; /**< number of channels here, 1..1024 */
    const char *const *channels; /**< count names, no two the same */
    const edgeops_value *values; /**< count values */
} edgeops_sample;

/** Frees memory that a call gave away. NULL is allowed. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_free(void *memory);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_TYPES_H */
