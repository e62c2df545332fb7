/* SPDX-License-Identifier: Apache-2.0 */
/* The file of one blob, HOME/data/blobs/ab/REST, where abREST is the SHA-256 of its bytes in hex.
 * It is written beside its place and renamed, so it is there whole or not at all, unless the power
 * goes before it was synced or somebody damages it: therefore what is there is compared before it
 * is used again, and replaced where it differs. A file that is being written has a '.' in its name.
 * No lock. */
#ifndef EOP_STORE_BLOB_FILE_H
#define EOP_STORE_BLOB_FILE_H

#include <stdbool.h>

#include "edgeops/store.h"

#define EOP_BLOB_FOLDER "data/blobs"
#define EOP_BLOB_DIGEST 32u

/** A set of first bytes of digests, and so of folders. */
typedef struct eop_blob_folders {
    uint64_t bits[4];
} eop_blob_folders;
static inline void eop_blob_folders_add(eop_blob_folders *folders, const uint8_t *digest) {
    folders->bits[digest[0] / 64] |= UINT64_C(1) << digest[0] % 64;
}

/** Path of a blob's file, free with eop_free; NULL when memory runs out. */
char *eop_blob_path(const edgeops_store *store, const uint8_t *digest);

/** Writes the file, in place of whatever is there. sync: it is on the disk when the call returns,
 * its name too. */
edgeops_status eop_blob_write(edgeops_store *store, const uint8_t *digest, const void *data,
                              size_t size, bool sync);

typedef enum eop_blob_use {
    EOP_BLOB_USED,   /**< the file holds these bytes */
    EOP_BLOB_ABSENT, /**< there is none */
    EOP_BLOB_DAMAGED /**< there is something else, or it cannot be read or synced */
} eop_blob_use;
/** Compares the file with the bytes, and touches it when it holds them: a sweep that has begun sees
 * by the time that it is in use again. sync: as for eop_blob_write(). */
eop_blob_use eop_blob_use_again(edgeops_store *store, const uint8_t *digest, const void *data,
                                size_t size, bool sync);

/** Opens the file of a blob for reading, and checks that it has the blob's size, with `content`
 * also its digest. E_NOTFOUND; E_CORRUPT; other codes where it cannot be read. The text of each
 * says what to do. */
edgeops_status eop_blob_open(int *fd, const edgeops_store *store, const edgeops_blob *blob,
                             bool content);
/** The same; without `content` the file is not opened. */
edgeops_status eop_blob_check(const edgeops_store *store, const edgeops_blob *blob, bool content);

/** Brings the names of the files in these folders to the disk. */
edgeops_status eop_blob_sync_folders(edgeops_store *store, const eop_blob_folders *folders);

#endif /* EOP_STORE_BLOB_FILE_H */
