/* SPDX-License-Identifier: Apache-2.0 */
/* A table that a caller gets (edgeops_table): it owns its rows, and its view points into them. */
#ifndef EOP_COLUMN_TABLE_H
#define EOP_COLUMN_TABLE_H

#include <stdatomic.h>

#include "column/rows.h"

typedef struct eop_table {
    edgeops_table view; /* first */
    eop_rows rows;
    edgeops_column *columns;
    char *names;        /* asset, and name and unit of each column */
    atomic_uint shares; /* holders beside the first one */
    bool borrowed;      /* a cursor's: its memory is used again, nobody can share it */
} eop_table;
/** One more holder: edgeops_table_free() frees it when all of them have called it. Any thread. */
void eop_table_share(edgeops_table *view);
bool eop_table_is_borrowed(const edgeops_table *view);
/** Names of the columns, copied. units may be NULL. */
edgeops_status eop_table_name(eop_table *table, const char *asset,
                              const edgeops_channel_info *channels, size_t count);
/** Points the view at the rows; they are complete. */
edgeops_status eop_table_show(eop_table *table);
void eop_table_dispose(eop_table *table);

#endif /* EOP_COLUMN_TABLE_H */
