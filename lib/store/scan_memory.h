/* SPDX-License-Identifier: Apache-2.0 */
/* What a scan wants of the rows in memory. */
#ifndef EOP_STORE_SCAN_MEMORY_H
#define EOP_STORE_SCAN_MEMORY_H

#include "store/read.h"

/** Rows of the memtable, as they were at an ordinal. */
typedef struct eop_scan_rows {
    eop_rows rows;
    uint8_t *later;     /**< for each row, whether it began elsewhere; NULL: none did */
    uint64_t *ordinals; /**< of rows that began elsewhere */
    size_t count;
    size_t capacity;
} eop_scan_rows;

/** Under `lock`, with the snapshot of the chunks begun: copies the wanted rows of the segments that
 * are not `applied`. channels: of the columns of out->rows. */
edgeops_status eop_scan_copy(eop_scan_rows *out, edgeops_store *store, const eop_selection *want,
                             const uint32_t *channels, uint64_t applied);
/** Not under a lock: sorts the rows and joins those of one key. */
edgeops_status eop_scan_arrange(eop_scan_rows *out);
void eop_scan_rows_dispose(eop_scan_rows *rows);

#endif /* EOP_STORE_SCAN_MEMORY_H */
