/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that a cutter of windows holds, in the order and the types of the inputs. */
#ifndef EOP_RUNTIME_ROWS_H
#define EOP_RUNTIME_ROWS_H

#include <stdbool.h>

#include "edgeops/store.h"
#include "edgeops/workflow.h"

/** A growing table with the columns of a manifest's inputs, that forgets rows at its front. */
typedef struct eop_rows eop_rows;

/** inputs: copied. count may be 0: only times then. */
edgeops_status eop_rows_new(eop_rows **out, const edgeops_port *inputs, size_t count);
/** NULL is allowed. */
void eop_rows_free(eop_rows *rows);

/** The rows, borrowed until the next call that changes them. */
const edgeops_table *eop_rows_table(const eop_rows *rows);
uint64_t eop_rows_count(const eop_rows *rows);

/** Finds the column of each input by name: map[i] is its place in the table.
 *  E_INVALID names the input that is missing or of a type that does not fit. A column without any
 * value fits every type. */
edgeops_status eop_rows_map(size_t *map, const eop_rows *rows, const edgeops_table *table);

/** The values of row `row` of a mapped table: one for each input, of its type or null. They borrow
 * from the table. */
void eop_rows_load(edgeops_value *values, const eop_rows *rows, const edgeops_table *table,
                   const size_t *map, uint64_t row);

/** What is kept of a row beside its values. */
typedef struct eop_row_note {
    int32_t label;    /**< -1: none */
    uint32_t run;     /**< rows with the same label from here on, this one included */
    uint64_t history; /**< ordinal of the oldest sample that had a part in this row */
} eop_row_note;

/** Appends row `row` of a mapped table; all or nothing. */
edgeops_status eop_rows_append(eop_rows *rows, const edgeops_table *table, const size_t *map,
                               uint64_t row, eop_row_note note);
/** Appends a row of values: one for each input, of its type or null. */
edgeops_status eop_rows_append_values(eop_rows *rows, edgeops_time time, int64_t seq,
                                      uint64_t ordinal, const edgeops_value *values,
                                      eop_row_note note);
const eop_row_note *eop_rows_note(const eop_rows *rows, uint64_t row);
/** Forgets the first n rows. */
void eop_rows_drop(eop_rows *rows, uint64_t n);

#endif /* EOP_RUNTIME_ROWS_H */
