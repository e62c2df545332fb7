/* SPDX-License-Identifier: Apache-2.0 */
/* Blobs: the bytes of images and the like, each stored once in a file of its own (blob_file.h). A
 * file is complete before a row refers to it, and stays until eop_blob_sweep() finds that no row
 * does. blob_sync.h says when it is on the disk. */
#ifndef EOP_STORE_BLOB_H
#define EOP_STORE_BLOB_H

#include "column/rows.h"
#include "store/blob_file.h"

/** The blobs of one append. */
typedef struct eop_blobs {
    edgeops_blob *items; /**< for each BLOB value, in order */
    size_t count;
    bool synced; /**< all of them are on the disk */
    bool fresh;  /**< some of them were not there before */
} eop_blobs;

/** Stores the bytes of all BLOB values of the samples; with durability POWER on the disk. A file
 * with other bytes is replaced, in either durability on the disk, because rows in chunks may refer
 * to it. After EDGEOPS_OK no sweep runs until eop_blob_end(), which frees the list, so that rows
 * that refer to them can be made. */
edgeops_status eop_blob_begin(eop_blobs *out, edgeops_store *store, const edgeops_sample *samples,
                              size_t n);
/** Between the two: brings them to the disk. */
edgeops_status eop_blob_sync(edgeops_store *store, eop_blobs *blobs);
void eop_blob_end(edgeops_store *store, eop_blobs *blobs);
/** Waits until the appends of blobs that are under way have ended, some 20 s at most. One of them
 * may have brought back the file of a row that counts as synced: it is seen at once, and on the
 * disk when the append ends. E_AGAIN. Not on the writer's thread. */
edgeops_status eop_blob_settle(edgeops_store *store);

/** Called with some rows of an asset; vector k has those of channel channels[k]. rows NULL: a chunk
 * cannot be read, the last error says why. */
typedef edgeops_status (*eop_blob_fn)(uint32_t asset, const uint32_t *channels,
                                      const eop_rows *rows, void *user_data);
/** Gives all rows of all assets with channels of blobs, in memory and in chunks, a piece at a
 * time. */
edgeops_status eop_blob_walk(edgeops_store *store, eop_blob_fn fn, void *user_data);

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
 *  @return EDGEOPS_OK; EDGEOPS_E_BUSY while a backup copies them; EDGEOPS_E_AGAIN when an append of
 *          blobs does not end */
edgeops_status eop_blob_sweep(edgeops_store *store, eop_blob_stats *stats);

#endif /* EOP_STORE_BLOB_H */
