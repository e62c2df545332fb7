/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one asset, from chunks and memory, each once. A query is resolved to a selection:
 * positions of channels and inclusive bounds. */
#ifndef EOP_STORE_READ_H
#define EOP_STORE_READ_H

#include "column/condition.h"
#include "column/table.h"
#include "edgeops/store.h"

/** What to read of an asset. */
typedef struct eop_selection {
    uint32_t asset;
    int64_t from; /**< inclusive */
    int64_t to;   /**< inclusive */
    uint64_t max_ordinal;
    uint64_t limit;                  /**< 0: all */
    uint64_t last;                   /**< 0: all */
    const uint32_t *channels;        /**< one for each column; UINT32_MAX: always null */
    const eop_condition *conditions; /**< a row must meet all of them; borrowed */
    size_t condition_count;
} eop_selection;
/** Reads the selected rows, sorted and complete, into `rows`, which is empty and has its columns
 * set up. E_NOTFOUND when the asset is gone. */
edgeops_status eop_store_read_rows(eop_rows *rows, edgeops_store *store,
                                   const eop_selection *selection);
/** A resolved query. */
typedef struct eop_request {
    eop_selection want;
    bool none; /**< the range is empty */
    uint32_t *channels;
    eop_condition conditions[EOP_CONDITIONS_MAX];
    eop_table *table; /**< names and columns, no rows */
} eop_request;
/** What is read by a request may be E_AGAIN: a channel has changed its type since the request was
 * resolved. Resolve it anew.
 *
 * The request must not be moved, and must be disposed of also after a failure. The conditions
 * borrow from the query. E_NOTFOUND, E_INVALID, E_LIMIT. */
edgeops_status eop_request_init(eop_request *request, edgeops_store *store,
                                const edgeops_query *query);
void eop_request_dispose(eop_request *request);
/** [start, end) as inclusive bounds; false when it is empty. */
bool eop_time_bounds(int64_t *from, int64_t *to, edgeops_time start, edgeops_time end);

#endif /* EOP_STORE_READ_H */
