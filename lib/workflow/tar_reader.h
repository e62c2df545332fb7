/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over a tar that is packed with gzip, zstd or xz: entries in the order of the file, their
 * contents on demand. Only regular files and folders come out; a tar that grows too large, is cut
 * short or has anything behind its end is an error. One thread at a time. */
#ifndef EOP_WORKFLOW_TAR_READER_H
#define EOP_WORKFLOW_TAR_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/status.h"

typedef struct eop_tar eop_tar;

typedef struct eop_tar_entry {
    const char *path; /**< without a leading "./"; borrowed until the next entry */
    size_t path_size;
    uint64_t size;
    bool directory;
} eop_tar_entry;

/** Loads libarchive where it is not yet loaded. Moves the offset of fd.
 *
 *  @param fd    borrowed; a regular file
 *  @param what  borrowed; names the file in errors
 *  @return EDGEOPS_OK; E_UNSUPPORTED (no libarchive, or one without zstd or xz); E_CORRUPT; E_IO;
 *  E_NOMEM */
edgeops_status eop_tar_open(eop_tar **out, int fd, const char *what);
/** DONE: the end, and all of the file was read. E_DENIED names the kind of entry that is refused;
 * E_LIMIT; E_CORRUPT; E_IO; E_NOMEM */
edgeops_status eop_tar_next(eop_tar_entry *out, eop_tar *tar);
/** The content of the entry that came last; *got is 0 at its end. */
edgeops_status eop_tar_read(eop_tar *tar, void *data, size_t size, size_t *got);
/** Bytes of the file. */
uint64_t eop_tar_packed(const eop_tar *tar);
/** NULL is allowed. */
void eop_tar_close(eop_tar *tar);

#endif /* EOP_WORKFLOW_TAR_READER_H */
