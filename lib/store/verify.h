/* SPDX-License-Identifier: Apache-2.0 */
/* Reads all that the store has and reports what is not as it was written. */
#ifndef EOP_STORE_VERIFY_H
#define EOP_STORE_VERIFY_H

#include <stdbool.h>

#include "edgeops/store.h"

/** What to do about a file that is damaged. */
#define EOP_HINT_FILE "restore a backup, and look after the disk"

/** Borrowed for the call. */
typedef struct eop_finding {
    const char *what;    /**< "chunk 17", "data/telemetry.db", "dataset d1", ... */
    const char *asset;   /**< whose samples are affected; NULL: none or not known */
    const char *channel; /**< NULL: all channels */
    bool has_range;
    edgeops_time first; /**< first and last affected sample, both inclusive */
    edgeops_time last;
    const char *detail; /**< one line */
    const char *hint;   /**< what to do */
    bool harmless;      /**< no sample is affected; not counted in eop_verified.findings */
} eop_finding;

/** What was checked. */
typedef struct eop_verified {
    uint64_t chunks;
    uint64_t columns; /**< of chunks */
    uint64_t rows;    /**< in chunks */
    uint64_t segments;
    uint64_t frames;
    uint64_t datasets;
    uint64_t blobs;
    uint64_t findings;
} eop_verified;

typedef struct eop_verify_handler eop_verify_handler;
struct eop_verify_handler {
    void (*finding)(const eop_finding *finding, void *user_data);
    /** Called often with the part done, 0 to 1. Any status but EDGEOPS_OK ends the check and is
     * returned. */
    edgeops_status (*progress)(double part, void *user_data);
    /** NULL, or a check of the rooms above the store, run between journal and blobs:
     * eop_datasets_check(). It adds its counts to the sum and reports to the handler that it
     * gets. */
    edgeops_status (*above)(eop_verified *sum, edgeops_store *store,
                            const eop_verify_handler *handler);
    void *user_data;
};

/** Checks both databases with SQLite's integrity check; that each chunk can be decoded, its order,
 * its ordinals and the statistics of each column; each frame of the journal; what handler->above
 * checks; the file of each blob, and that each row has its blobs. As of one moment, while appends
 * and reads go on; at the speed of the disk. Any thread. */
edgeops_status eop_store_verify(eop_verified *out, edgeops_store *store,
                                const eop_verify_handler *handler);

#endif /* EOP_STORE_VERIFY_H */
