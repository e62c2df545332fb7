/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that the store contradicts take the next number of their time: --on-conflict seq. */
#ifndef EOP_NODE_FILES_IMPORT_RENUMBER_H
#define EOP_NODE_FILES_IMPORT_RENUMBER_H

#include "base/error.h"
#include "base/map.h"
#include "edgeops/types.h"

/** Where the last row of a time went that did not stay at its number. */
typedef struct eop_moved {
    uint64_t asset; /**< hash of its name */
    edgeops_time time;
    int64_t seq; /**< of the file */
    int64_t to;
} eop_moved;

typedef struct eop_renumber {
    bool on;       /**< else nothing here is called */
    eop_map times; /**< of the batch: hashes of assets with a time */
    eop_moved *moved;
    size_t count;
    size_t capacity;
    eop_map by_time; /**< index + 1 of a moved one, by the same hash */
} eop_renumber;

/** Whether the batch has a row of that asset and time: it must be stored before another one is put
 * into it, since that one goes where the first one goes, or behind it. */
bool eop_renumber_waits(const eop_renumber *r, const char *asset, edgeops_time time);
/** Notes a row of the batch; *seq: its number in the file, out: the first that it may have. */
edgeops_status eop_renumber_put(eop_renumber *r, const char *asset, edgeops_time time,
                                int64_t *seq);
/** Notes where a row went; seq: its number in the file. */
edgeops_status eop_renumber_moved(eop_renumber *r, const char *asset, edgeops_time time,
                                  int64_t seq, int64_t to);
/** The batch is stored. */
void eop_renumber_next(eop_renumber *r);
void eop_renumber_dispose(eop_renumber *r);

#endif /* EOP_NODE_FILES_IMPORT_RENUMBER_H */
