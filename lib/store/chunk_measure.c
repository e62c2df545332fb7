/* SPDX-License-Identifier: Apache-2.0 */
#include "base/type.h"
#include "store/chunk.h"

static void add(eop_chunk_stats *stats, double value) {
    if (stats->count == 0 || value < stats->min) {
        stats->min = value;
    }
    if (stats->count == 0 || value > stats->max) {
        stats->max = value;
    }
    stats->sum += value;
}

/* Statistics in doubles only: of the floats, and of integers above INT64_MAX. */
static void add_integer(eop_chunk_stats *stats, const edgeops_value *value) {
    int64_t integer = value->as.i64;
    if (value->type == EDGEOPS_TYPE_UINT64 && value->as.u64 > INT64_MAX) {
        integer = INT64_MAX;
    }
    if (stats->count == 0 || integer < stats->min_i64) {
        stats->min_i64 = integer;
    }
    if (stats->count == 0 || integer > stats->max_i64) {
        stats->max_i64 = integer;
    }
    add(stats, eop_value_double(value));
}

bool eop_chunk_measures(const eop_vector *vector) {
    return eop_vector_length(vector) == 1 && vector->type != EDGEOPS_TYPE_STRING &&
           vector->type != EDGEOPS_TYPE_BLOB;
}

void eop_chunk_measure(eop_chunk_stats *stats, const eop_vector *vector) {
    *stats = (eop_chunk_stats){.nulls = vector->nulls};
    bool numbers = eop_chunk_measures(vector);
    for (size_t i = 0; i < vector->filled; i++) {
        if (eop_vector_is_null(vector, i)) {
            continue;
        }
        if (numbers) {
            edgeops_value value = eop_vector_value(vector, i);
            double number = eop_value_double(&value);
            if (!eop_type_is_float(value.type)) {
                add_integer(stats, &value);
            } else if (number == number) {
                add(stats, number);
            } else {
                continue;
            }
        }
        stats->count++;
    }
}
