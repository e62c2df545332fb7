/* SPDX-License-Identifier: Apache-2.0 */
/* Compares values with that of a condition, exactly even across integer and float types, and judges
 * by a chunk's statistics whether its rows need to be read at all. */
#include "column/condition.h"

#include <string.h>

#include "base/error.h"
#include "base/type.h"

/* -1, 0, 1; UNORDERED when one of them is NaN. */
enum { UNORDERED = 2 };

static int order_doubles(double a, double b) {
    return a < b ? -1 : a > b ? 1 : a == b ? 0 : UNORDERED;
}

/* Exact: an int64 may have more digits than a double holds. */
static int order_int_double(int64_t a, double b) {
    if (b != b) {
        return UNORDERED;
    }
    if (b >= 0x1p63) {
        return -1;
    }
    if (b < -0x1p63) {
        return 1;
    }
    int64_t whole = (int64_t)b;
    if (a != whole) {
        return a < whole ? -1 : 1;
    }
    return order_doubles((double)whole, b);
}

static int order_uint_double(uint64_t a, double b) {
    if (b != b) {
        return UNORDERED;
    }
    if (b >= 0x1p64) {
        return -1;
    }
    if (b < 0) {
        return 1;
    }
    uint64_t whole = (uint64_t)b;
    if (a != whole) {
        return a < whole ? -1 : 1;
    }
    return order_doubles((double)whole, b);
}

static int order_uint_int(uint64_t a, int64_t b) {
    if (b < 0) {
        return 1;
    }
    return (a > (uint64_t)b) - (a < (uint64_t)b);
}

static int reversed(int order) {
    return order == UNORDERED ? order : -order;
}

static double float_of(const edgeops_value *value) {
    return value->type == EDGEOPS_TYPE_FLOAT32 ? (double)value->as.f32 : value->as.f64;
}

static int order_numbers(const edgeops_value *a, const edgeops_value *b) {
    if (eop_type_is_float(b->type)) {
        double y = float_of(b);
        if (eop_type_is_float(a->type)) {
            return order_doubles(float_of(a), y);
        }
        return eop_type_is_unsigned(a->type) ? order_uint_double(a->as.u64, y)
                                             : order_int_double(a->as.i64, y);
    }
    if (eop_type_is_float(a->type)) {
        return reversed(order_numbers(b, a));
    }
    if (eop_type_is_unsigned(a->type)) {
        return eop_type_is_unsigned(b->type) ? (a->as.u64 > b->as.u64) - (a->as.u64 < b->as.u64)
                                             : order_uint_int(a->as.u64, b->as.i64);
    }
    return eop_type_is_unsigned(b->type) ? -order_uint_int(b->as.u64, a->as.i64)
                                         : (a->as.i64 > b->as.i64) - (a->as.i64 < b->as.i64);
}

static int order_text(const char *a, size_t a_size, const char *b, size_t b_size) {
    size_t n = a_size < b_size ? a_size : b_size;
    int order = n > 0 ? memcmp(a, b, n) : 0;
    if (order == 0) {
        return (a_size > b_size) - (a_size < b_size);
    }
    return order < 0 ? -1 : 1;
}

static bool fits(edgeops_compare compare, int order) {
    switch (compare) {
    case EDGEOPS_COMPARE_EQ:
        return order == 0;
    case EDGEOPS_COMPARE_NE:
        return order != 0;
    case EDGEOPS_COMPARE_LT:
        return order == -1;
    case EDGEOPS_COMPARE_LE:
        return order == -1 || order == 0;
    case EDGEOPS_COMPARE_GT:
        return order == 1;
    case EDGEOPS_COMPARE_GE:
        return order == 1 || order == 0;
    default:
        return false;
    }
}

edgeops_status eop_condition_check(const edgeops_condition *condition, edgeops_type type,
                                   uint32_t length) {
    const edgeops_value *value = &condition->value;
    bool text = type == EDGEOPS_TYPE_STRING;
    if (condition->compare < EDGEOPS_COMPARE_EQ || condition->compare > EDGEOPS_COMPARE_NOT_NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a condition on '%s' has no comparison",
                        condition->channel);
    }
    if (condition->compare >= EDGEOPS_COMPARE_IS_NULL) {
        return EDGEOPS_OK;
    }
    if (length > 1 || type == EDGEOPS_TYPE_BLOB) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "channel '%s' has no single number or text: it can only be asked whether "
                        "it is null",
                        condition->channel);
    }
    bool number =
        (eop_type_is_numeric(value->type) && value->size == 0) || value->type == EDGEOPS_TYPE_BOOL;
    if (text ? value->type != EDGEOPS_TYPE_STRING : !number) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "channel '%s' is %s: compare it with %s",
                        condition->channel, eop_type_name(type), text ? "a text" : "a number");
    }
    return EDGEOPS_OK;
}

static bool holds(const eop_condition *condition, const eop_vector *vector, size_t row) {
    if (eop_vector_is_null(vector, row)) {
        return condition->compare == EDGEOPS_COMPARE_IS_NULL;
    }
    if (condition->compare >= EDGEOPS_COMPARE_IS_NULL) {
        return condition->compare == EDGEOPS_COMPARE_NOT_NULL;
    }
    const edgeops_value *wanted = &condition->value;
    edgeops_value value = eop_vector_value(vector, row);
    int order = value.type == EDGEOPS_TYPE_STRING
                    ? order_text(value.as.str, value.size, wanted->as.str, wanted->size)
                    : order_numbers(&value, wanted);
    return fits(condition->compare, order);
}

size_t eop_condition_filter(uint32_t *keep, size_t n, const eop_condition *condition,
                            const eop_vector *vector, size_t first) {
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (holds(condition, vector, keep[i] - first)) {
            keep[kept++] = keep[i];
        }
    }
    return kept;
}

static eop_verdict judge_nulls(const eop_condition *condition, uint64_t nulls, size_t rows) {
    bool wants_null = condition->compare == EDGEOPS_COMPARE_IS_NULL;
    if (nulls == 0) {
        return wants_null ? EOP_NO_ROWS : EOP_ALL_ROWS;
    }
    return nulls < rows ? EOP_SOME_ROWS : wants_null ? EOP_ALL_ROWS : EOP_NO_ROWS;
}

eop_verdict eop_condition_judge(const eop_condition *condition, const eop_chunk_stats *stats,
                                size_t rows) {
    edgeops_compare compare = condition->compare;
    uint64_t nulls = stats != NULL ? stats->nulls : rows;
    if (compare >= EDGEOPS_COMPARE_IS_NULL) {
        return judge_nulls(condition, nulls, rows);
    }
    if (nulls >= rows) {
        return EOP_NO_ROWS;
    }
    /* Texts have no minimum and maximum; a uint64 may exceed the maximum in the statistics. */
    if (condition->type == EDGEOPS_TYPE_STRING ||
        (condition->type == EDGEOPS_TYPE_UINT64 && stats->max_i64 == INT64_MAX)) {
        return EOP_SOME_ROWS;
    }
    bool nans = stats->count + nulls < rows;
    if (stats->count == 0) {
        return compare == EDGEOPS_COMPARE_NE ? EOP_SOME_ROWS : EOP_NO_ROWS;
    }
    bool floats = eop_type_is_float(condition->type);
    edgeops_value least = {.type = floats ? EDGEOPS_TYPE_FLOAT64 : EDGEOPS_TYPE_INT64};
    edgeops_value greatest = least;
    if (floats) {
        least.as.f64 = stats->min;
        greatest.as.f64 = stats->max;
    } else {
        least.as.i64 = stats->min_i64;
        greatest.as.i64 = stats->max_i64;
    }
    int low = order_numbers(&least, &condition->value);
    int high = order_numbers(&greatest, &condition->value);
    if (low == UNORDERED || high == UNORDERED) {
        return EOP_SOME_ROWS;
    }
    /* What holds for minimum and maximum holds for all values between; what holds for neither holds
     * for none. == and != are different. */
    bool equal = compare == EDGEOPS_COMPARE_EQ || compare == EDGEOPS_COMPARE_NE;
    bool outside = low > 0 || high < 0;
    bool constant = low == 0 && high == 0;
    bool all = equal ? (compare == EDGEOPS_COMPARE_EQ ? constant : outside)
                     : fits(compare, low) && fits(compare, high);
    bool none = equal ? (compare == EDGEOPS_COMPARE_EQ ? outside : constant && !nans)
                      : !fits(compare, low) && !fits(compare, high);
    if (none) {
        return EOP_NO_ROWS;
    }
    return all && stats->count == rows ? EOP_ALL_ROWS : EOP_SOME_ROWS;
}
