/* SPDX-License-Identifier: Apache-2.0 */
/* Reads rows into the caller's arrays. */
#ifndef EOP_STORE_READ_INTO_H
#define EOP_STORE_READ_INTO_H

#include "store/read.h"

/** Where a column goes. */
typedef struct eop_read_sink {
    char *data; /**< NULL: nowhere */
    size_t stride;
    size_t row_bytes;
    uint8_t *valid;
    edgeops_type type; /**< of the channel */
    uint32_t length;
    bool convert; /**< from another type to doubles */
} eop_read_sink;

typedef struct eop_read_into {
    edgeops_layout layout;
    eop_read_sink *sinks;
    size_t count; /**< number of sinks; 0 when only keys are wanted */
    size_t at;    /**< rows written so far */
    eop_vector scratch;
} eop_read_into;

/** columns and names: type and name of each of the `count` channels. E_INVALID when the layout does
 * not fit. Dispose of it also after a failure. */
edgeops_status eop_read_into_init(eop_read_into *r, const edgeops_layout *layout,
                                  const eop_vector *columns, const char *const *names,
                                  size_t count);
void eop_read_into_dispose(eop_read_into *r);
/** Writes the rows of a selection behind those written so far. E_LIMIT: no room. */
edgeops_status eop_read_into_scan(eop_read_into *r, edgeops_store *store, const eop_selection *want,
                                  const eop_vector *columns);
/** Writes rows, which are complete and have these columns. */
edgeops_status eop_read_into_rows(eop_read_into *r, const eop_rows *rows);

#endif /* EOP_STORE_READ_INTO_H */
