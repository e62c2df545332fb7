/* SPDX-License-Identifier: Apache-2.0 */
/* The edgeops_table that a caller gets: it owns its rows, and its view points into them. The share
 * count is atomic; everything else belongs to one thread at a time. */
#ifndef EOP_COLUMN_TABLE_H
#define EOP_COLUMN_TABLE_H

#include <stdatomic.h>

#include "column/rows.h"

typedef struct eop_table {
    edgeops_table view; /* first */
    eop_rows rows;
    edgeops_column *columns;
    char *names;        /* asset, and name and unit of each column */
    uint8_t *parts;     /* 1 for rows that are later parts */
    size_t parts_count; /* of the first so many rows; the others are none */
    size_t parts_capacity;
    atomic_uint shares; /* holders besides the first */
    bool borrowed;      /* a cursor's: its memory is reused, so it cannot be shared */
} eop_table;
/** Adds a holder: edgeops_table_free() frees the table when all holders have called it. Any
 * thread. */
void eop_table_share(edgeops_table *view);
bool eop_table_is_borrowed(const edgeops_table *view);
/** Sets the names of asset and columns; all are copied. */
edgeops_status eop_table_name(eop_table *table, const char *asset,
                              const edgeops_channel_info *channels, size_t count);
/** Removes all rows; keeps memory and columns. */
void eop_table_clear(eop_table *table);
/** *flags: where the caller writes which of the next n rows, which it appends, are later parts. */
edgeops_status eop_table_mark(uint8_t **flags, eop_table *table, size_t n);
/** Points the view at the rows, which must be complete. */
edgeops_status eop_table_show(eop_table *table);
void eop_table_dispose(eop_table *table);

#endif /* EOP_COLUMN_TABLE_H */
