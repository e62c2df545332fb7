/* SPDX-License-Identifier: Apache-2.0 */
/* Statistics of a chunk's column: count, nulls, minimum, maximum and sum. Reads let conditions skip
 * chunks by them, so they must be exact. */
#include <math.h>
#include <string.h>

#include "base/compiler.h"
#include "base/type.h"
#include "column/chunk.h"

bool eop_chunk_measures(const eop_vector *vector) {
    return eop_vector_length(vector) == 1 && vector->type != EDGEOPS_TYPE_STRING &&
           vector->type != EDGEOPS_TYPE_BLOB;
}

/* Adds into four sums in turn: with one sum each addition would wait for the one before. */
enum { SUMS = 4 };

typedef struct sums {
    double of[SUMS];
    double min;
    double max;
    size_t count;
} sums;

EOP_INLINE void add_value(sums *s, double value, size_t i) {
    bool number = value == value;
    s->of[i % SUMS] += number ? value : 0;
    s->min = value < s->min ? value : s->min;
    s->max = value > s->max ? value : s->max;
    s->count += number;
}

static void finish_sums(eop_chunk_stats *stats, const sums *s) {
    stats->count = s->count;
    if (s->count > 0) {
        stats->min = s->min;
        stats->max = s->max;
        stats->sum = s->of[0] + s->of[1] + (s->of[2] + s->of[3]);
    }
}

/* values: without nulls. */
static void measure_doubles(eop_chunk_stats *stats, const double *values, size_t n) {
    sums s = {.min = (double)INFINITY, .max = -(double)INFINITY};
    size_t i = 0;
    for (; i + SUMS <= n; i += SUMS) {
        for (size_t k = 0; k < SUMS; k++) {
            add_value(&s, values[i + k], k);
        }
    }
    for (; i < n; i++) {
        add_value(&s, values[i], i);
    }
    finish_sums(stats, &s);
}

static void measure_each(eop_chunk_stats *stats, const eop_vector *vector) {
    sums s = {.min = (double)INFINITY, .max = -(double)INFINITY};
    bool whole = !eop_type_is_float(vector->type);
    stats->min_i64 = INT64_MAX;
    stats->max_i64 = INT64_MIN;
    for (size_t i = 0; i < vector->filled; i++) {
        if (eop_vector_is_null(vector, i)) {
            continue;
        }
        edgeops_value value = eop_vector_value(vector, i);
        int64_t integer = value.as.i64;
        add_value(&s, eop_value_double(&value), i);
        if (value.type == EDGEOPS_TYPE_UINT64 && value.as.u64 > INT64_MAX) {
            integer = INT64_MAX;
        }
        if (whole) {
            stats->min_i64 = integer < stats->min_i64 ? integer : stats->min_i64;
            stats->max_i64 = integer > stats->max_i64 ? integer : stats->max_i64;
        }
    }
    if (!whole || s.count == 0) {
        stats->min_i64 = stats->max_i64 = 0;
    }
    finish_sums(stats, &s);
}

void eop_chunk_measure(eop_chunk_stats *stats, const eop_vector *vector) {
    *stats = (eop_chunk_stats){.nulls = vector->nulls};
    if (!eop_chunk_measures(vector)) {
        stats->count = vector->filled - (size_t)vector->nulls;
    } else if (vector->type == EDGEOPS_TYPE_FLOAT64 && vector->nulls == 0) {
        measure_doubles(stats, vector->data, vector->filled);
    } else {
        measure_each(stats, vector);
    }
}
