/* SPDX-License-Identifier: Apache-2.0 */
/* Each input keeps its newest value, by (time, seq) of the row that brought it, so that a row that
 * comes late puts no older value back. Owns copies of the values; not locked. */
#include "runtime/carry.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

bool eop_cell_set(eop_cell *cell, const edgeops_value *value) {
    if (value->size > 0 && !eop_grow(&cell->owned, &cell->capacity, value->size, 1)) {
        return false;
    }
    cell->value = *value;
    if (value->size > 0) {
        memcpy(cell->owned, value->as.data, value->size);
        cell->value.as.data = cell->owned;
    }
    return true;
}

void eop_cell_dispose(eop_cell *cell) {
    eop_free(cell->owned);
    *cell = (eop_cell){0};
}

typedef struct last {
    eop_cell cell;
    bool there;
    edgeops_time time;
    int64_t seq;
} last;

struct eop_carry {
    size_t count;
    last *inputs;
};

edgeops_status eop_carry_new(eop_carry **out, size_t count) {
    *out = NULL;
    eop_carry *carry = eop_calloc(1, sizeof *carry);
    if (carry != NULL) {
        carry->inputs = eop_calloc(count, sizeof *carry->inputs);
    }
    if (carry == NULL || carry->inputs == NULL) {
        eop_free(carry);
        return eop_fail_nomem("runtime");
    }
    carry->count = count;
    *out = carry;
    return EDGEOPS_OK;
}

void eop_carry_free(eop_carry *carry) {
    if (carry == NULL) {
        return;
    }
    for (size_t i = 0; i < carry->count; i++) {
        eop_cell_dispose(&carry->inputs[i].cell);
    }
    eop_free(carry->inputs);
    eop_free(carry);
}

static bool is_older(const last *input, edgeops_time time, int64_t seq) {
    return input->there && (time < input->time || (time == input->time && seq < input->seq));
}

static edgeops_status take_in(last *input, const edgeops_value *value, edgeops_time time,
                              int64_t seq) {
    if (value->type == EDGEOPS_TYPE_NULL || is_older(input, time, seq)) {
        return EDGEOPS_OK;
    }
    if (!eop_cell_set(&input->cell, value)) {
        return eop_fail_nomem("runtime");
    }
    input->there = true;
    input->time = time;
    input->seq = seq;
    return EDGEOPS_OK;
}

edgeops_status eop_carry_learn(eop_carry *carry, const edgeops_value *values, edgeops_time time,
                               int64_t seq) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < carry->count; i++) {
        status = take_in(&carry->inputs[i], &values[i], time, seq);
    }
    return status;
}

edgeops_status eop_carry_fill(edgeops_value *values, eop_carry *carry, edgeops_time time,
                              int64_t seq) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < carry->count; i++) {
        last *input = &carry->inputs[i];
        if (values[i].type == EDGEOPS_TYPE_NULL) {
            values[i] = input->cell.value;
        } else {
            status = take_in(input, &values[i], time, seq);
        }
    }
    return status;
}

void eop_carry_age(eop_carry *carry) {
    for (size_t i = 0; i < carry->count; i++) {
        carry->inputs[i].time = EDGEOPS_TIME_MIN;
        carry->inputs[i].seq = INT64_MIN;
    }
}

void eop_carry_forget(eop_carry *carry) {
    for (size_t i = 0; i < carry->count; i++) {
        eop_cell_dispose(&carry->inputs[i].cell);
        carry->inputs[i].there = false;
    }
}
