/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the columns of a table, made by the library or by a host, and finds what an asset or a sample
 * has of a channel. */
#ifndef EOP_BASE_COLUMN_VIEW_H
#define EOP_BASE_COLUMN_VIEW_H

#include "base/type.h"
#include "edgeops/store.h"

/** Elements a row; 1 for a scalar. */
static inline uint32_t eop_column_length(const edgeops_column *column) {
    return column->length > 1 ? column->length : 1;
}
/** Where the elements are, also of a table made by hand that has only f64, i64 or u8. NULL for
 * strings. */
const void *eop_column_data(const edgeops_column *column);
/** The value of a row, as edgeops_column_value() gives it. */
edgeops_value eop_column_load(const edgeops_column *column, uint64_t row);
/** Whether each value of a type can be given as another one: the same, a bool or a narrower integer
 * as a wider one, FLOAT32 as FLOAT64, and any integer as FLOAT64, beyond 2^53 the nearest. */
bool eop_type_widens(edgeops_type from, edgeops_type to);
/** The value of a row as such a type; NULL type for a null, and where the types do not fit. */
edgeops_value eop_column_widen(const edgeops_column *column, uint64_t row, edgeops_type type);
/** Whether a row of a cursor's block is a later part of a row. */
static inline bool eop_is_later_part(const edgeops_table *block, uint64_t row) {
    return block->parts != NULL && block->parts[row] != 0;
}

/** The channel of that name; NULL: there is none, or info is NULL. */
const edgeops_channel_info *eop_info_channel(const edgeops_asset_info *info, const char *name);
/** What a sample has of a channel; NULL type where it has nothing. */
edgeops_value eop_sample_value(uint16_t *quality, const edgeops_sample *sample,
                               const char *channel);

#endif /* EOP_BASE_COLUMN_VIEW_H */
