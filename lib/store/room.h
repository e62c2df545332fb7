/* SPDX-License-Identifier: Apache-2.0 */
/* Whether there is room for more, and what the store takes of the disk. Any thread. */
#ifndef EOP_STORE_ROOM_H
#define EOP_STORE_ROOM_H

#include "edgeops/store.h"

/** With fewer files (inodes) free than that no samples are taken. */
#define EOP_FILES_FLOOR 8u

/** Before something that makes room: gives the ballast back when the disk has hardly a byte or a file free, since even
 * that takes some. */
void eop_store_make_way(edgeops_store *store);
/** E_LIMIT with a reason when no samples can be taken now (below the floor, no file can be made, or
 * the next segment cannot be made), or as eop_store_check_writable(). Tries to get room each time, so call it from a timer. */
edgeops_status eop_store_ready(edgeops_store *store);
typedef struct eop_store_stats {
    uint64_t assets;
    uint64_t samples;
    uint64_t journal_bytes; /**< written, not yet in chunks */
    uint64_t disk_bytes;    /**< catalog, journal and chunks */
    uint64_t free_bytes;    /**< of the file system */
    uint64_t floor_bytes;
    uint64_t damaged; /**< damaged places of the journal at the opening, and unreadable chunks found
                           since, at most 256 */
    uint64_t torn;    /**< bytes of the journal that the opening found incomplete, as a crash or
                           power cut leaves them */
} eop_store_stats;
edgeops_status eop_store_get_stats(edgeops_store *store, eop_store_stats *stats);

#endif /* EOP_STORE_ROOM_H */
