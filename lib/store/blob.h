/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs: the bytes of images and the like, each stored once in HOME/data/blobs/ab/REST, where
 * abREST is their SHA-256 in hex. A file is complete before a row refers to it, and stays until
 * eop_blob_sweep() finds that no row does. A half-written file has a '.' in its name. */
#ifndef EOP_STORE_BLOB_H
#define EOP_STORE_BLOB_H

#include "edgeops/store.h"

/** Stores the bytes of all BLOB values of the samples. *out: an edgeops_blob for each, in order;
 * free with eop_free. After EDGEOPS_OK no sweep runs until eop_blob_end(), so that rows that refer
 * to them can be made. */
edgeops_status eop_blob_begin(edgeops_blob **out, edgeops_store *store,
                              const edgeops_sample *samples, size_t n);
void eop_blob_end(edgeops_store *store);

typedef struct eop_blob_stats {
    uint64_t kept; /**< files */
    uint64_t removed;
    uint64_t removed_bytes;
} eop_blob_stats;
/** Removes the files that no row in memory or in chunks refers to. Call it after rows were
 * dropped. Reads only the columns of blobs of all assets; appends of blobs wait only while files
 * are removed.
 *
 *  @param stats  optional
 *  @return EDGEOPS_OK; EDGEOPS_E_BUSY while a backup copies them */
edgeops_status eop_blob_sweep(edgeops_store *store, eop_blob_stats *stats);

/** Path of a blob's file, free with eop_free; NULL when memory runs out. */
char *eop_blob_path(const edgeops_store *store, const uint8_t *digest);

#endif /* EOP_STORE_BLOB_H */
