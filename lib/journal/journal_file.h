/* SPDX-License-Identifier: Apache-2.0 */
/* One segment file of the journal: header, preallocation, and the walk over its frames. journal.h
 * has the format. Knows neither the folder nor a lock. */
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
/** Reads the header. E_CORRUPT when the file is not a segment; E_VERSION. */
edgeops_status eop_segment_check(eop_segment_header *header, int fd, const char *path);
/** Makes a file with all its blocks allocated; written: also written and synced with their
 * metadata. E_LIMIT on a full disk. Leaves no file after a failure. */
edgeops_status eop_segment_make(const char *path, uint64_t bytes, bool written);
/** Calls fn for each sound frame. *end: offset behind the last one; *damaged grows by one for each
 * gap. */
edgeops_status eop_segment_walk(int fd, const char *path, const eop_segment_header *header,
                                uint64_t *end, uint64_t *damaged, eop_journal_fn fn,
                                void *user_data);
/** Writes all `size` bytes. */
edgeops_status eop_segment_write(int fd, const char *path, const void *data, size_t size,
                                 uint64_t offset);

#endif /* EOP_JOURNAL_JOURNAL_FILE_H */
