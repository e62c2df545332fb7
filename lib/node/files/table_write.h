/* SPDX-License-Identifier: Apache-2.0 */
/* Samples as CSV or JSON lines, such that data.import reads the same samples from them. A first look
 * at all rows decides what is said of a column: its type stands behind its name only where a reader
 * would decide otherwise, and columns of sequence numbers and quality codes are there only where
 * something is in them. One thread. */
#ifndef EOP_NODE_FILES_TABLE_WRITE_H
#define EOP_NODE_FILES_TABLE_WRITE_H

#include "node/home/home.h"

/** Zero means default. */
typedef struct eop_table_shape {
    bool json_lines;
    bool with_asset;  /**< a column for the asset's name */
    bool with_seq;    /**< sequence numbers also where a reader counts the same ones */
    bool with_labels; /**< a column for the label */
    bool plain_names; /**< no types but where two columns would have one name */
} eop_table_shape;

typedef struct eop_table_writer eop_table_writer;
/** channels: those of all tables, in their order; copied. */
edgeops_status eop_table_writer_new(eop_table_writer **out, const eop_table_shape *format,
                                    const edgeops_channel_info *channels, size_t count);
void eop_table_writer_free(eop_table_writer *writer);

/** First all rows in their order: looks at rows first .. rows of a table. A table of another asset
 * than the one before begins that asset. */
void eop_table_writer_look(eop_table_writer *writer, const edgeops_table *table, uint64_t first);
/** Then the head; puts nothing for JSON lines. Decides by what was seen. */
edgeops_status eop_table_writer_head(eop_table_writer *writer, eop_buf *out);
/** Then all rows once more, one by one. label: NULL: none. */
void eop_table_writer_row(eop_table_writer *writer, eop_buf *out, const edgeops_table *table,
                          uint64_t row, const char *label);

/** A value as a field of CSV, quoted where it must be. */
void eop_table_put_field(eop_buf *out, const edgeops_value *value);

#endif /* EOP_NODE_FILES_TABLE_WRITE_H */
