/* SPDX-License-Identifier: Apache-2.0 */
/* Segment files of the journal: header, preallocation, and the walk over their frames. */
#ifndef EOP_JOURNAL_JOURNAL_FILE_H
#define EOP_JOURNAL_JOURNAL_FILE_H

#include "journal/journal.h"

#define EOP_SEGMENT_HEADER 64u

typedef struct eop_segment_header {
    uint64_t number;
    uint64_t salt;
    uint64_t bytes;
} eop_segment_header;

/** Writes a header with a new salt. */
edgeops_status eop_segment_begin(eop_segment_header *header, int fd, uint64_t number,
                                 uint64_t bytes, const char *path);
/** E_CORRUPT when it is none. */
edgeops_status eop_segment_check(eop_segment_header *header, int fd, const char *path);
/** Makes a file of such a size whose blocks are there; written: and on the disk with all that tells
 * of them. E_LIMIT on a full disk, then no file stays. */
edgeops_status eop_segment_make(const char *path, uint64_t bytes, bool written);
/** Walks the sound frames. *end: behind the last one; *damaged grows by one for each gap. */
edgeops_status eop_segment_walk(int fd, const char *path, const eop_segment_header *header,
                                uint64_t *end, uint64_t *damaged, eop_journal_fn fn,
                                void *user_data);
/** All size bytes at offset. */
edgeops_status eop_segment_write(int fd, const char *path, const void *data, size_t size,
                                 uint64_t offset);

#endif /* EOP_JOURNAL_JOURNAL_FILE_H */
