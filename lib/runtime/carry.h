/* SPDX-License-Identifier: Apache-2.0 */
/* The last value of each input, for windows whose manifest says `missing: previous`. */
#ifndef EOP_RUNTIME_CARRY_H
#define EOP_RUNTIME_CARRY_H

#include <stdbool.h>

#include "edgeops/types.h"

/** A value with a copy of its text or array. {0} is a null. */
typedef struct eop_cell {
    edgeops_value value;
    void *owned;
    size_t capacity;
} eop_cell;

/** Copies a value. False: no memory, and the cell is as it was. */
bool eop_cell_set(eop_cell *cell, const edgeops_value *value);
void eop_cell_dispose(eop_cell *cell);

typedef struct eop_carry eop_carry;

/** count: inputs, at least 1. */
edgeops_status eop_carry_new(eop_carry **out, size_t count);
/** NULL is allowed. */
void eop_carry_free(eop_carry *carry);
/** Puts the last values in place of the nulls of a row, borrowed until the next call; then takes in
 * the values that it has itself, but not where a newer row has brought one. E_NOMEM. */
edgeops_status eop_carry_fill(edgeops_value *values, eop_carry *carry, edgeops_time time,
                              int64_t seq);
/** Only takes them in. E_NOMEM. */
edgeops_status eop_carry_learn(eop_carry *carry, const edgeops_value *values, edgeops_time time,
                               int64_t seq);
/** The clock was set back: what comes is newer, whatever its time. */
void eop_carry_age(eop_carry *carry);
void eop_carry_forget(eop_carry *carry);

#endif /* EOP_RUNTIME_CARRY_H */
