/* SPDX-License-Identifier: Apache-2.0 */
/* One segment file of the journal: header, preallocation, and the walk over its frames. journal.h
 * has the format. Knows neither the folder nor a lock. */
#ifndef EOP_JOURNAL_JOURNAL_FILE_H
#define EOP_JOURNAL_JOURNAL_FILE_H

#include <inttypes.h>

#include "journal/journal.h"

/** The name of the file of a segment, by its number (uint64_t). */
#define EOP_SEGMENT_NAME   "%016" PRIu64 ".seg"
#define EOP_SEGMENT_HEADER 64u
#define EOP_SECTOR         512u /* a disk writes no less at once */

typedef struct eop_segment_header {
    uint64_t number;
    uint64_t salt;
    uint64_t bytes;  /**< those that can be read: `made` or, if it is less, the size of the file */
    uint64_t made;   /**< bytes of the file when it was made */
    uint64_t before; /**< where the frames of the segment before end; 0: not known */
    uint64_t since;  /**< the first segment that a `synced` in this one speaks of */
    bool fresh;      /**< the file was made of zeros */
    uint32_t version;
    uint32_t seed; /**< the checksum of each frame begins with it */
} eop_segment_header;

/** Writes a header with a new salt. given: number, bytes, before and since. A file without a header
 * is taken for a fresh one. */
edgeops_status eop_segment_begin(eop_segment_header *header, int fd,
                                 const eop_segment_header *given, const char *path);
/** Reads the header. E_CORRUPT when the file is not a segment; E_NOTFOUND when it has no header:
 * it is too short, or its first sector is empty; E_VERSION. */
edgeops_status eop_segment_check(eop_segment_header *header, int fd, const char *path);
/** Of a file with an empty first sector: whether a frame says that something was synced, and so the
 * header was. Without the salt no checksum can be checked: three frames in a row must agree on it,
 * and not on `synced`. False when there are none such. */
edgeops_status eop_segment_proves_sync(bool *out, int fd, const char *path, uint64_t file_bytes);
/** Fills in the header of a frame, before its payload; size 0: of a closing frame. */
void eop_segment_seal_frame(char *frame, uint32_t size, const eop_segment_header *header,
                            uint64_t offset, uint64_t synced);
/** Makes a file with all its blocks allocated; written: also written and synced with their
 * metadata. E_LIMIT on a full disk. Leaves no file after a failure. */
edgeops_status eop_segment_make(const char *path, uint64_t bytes, bool written);
/** Calls fn for each sound frame but a closing one. Dispose *out with eop_walked_dispose(), also
 * after a failure. */
edgeops_status eop_segment_walk(eop_walked *out, int fd, const char *path,
                                const eop_segment_header *header, eop_journal_fn fn,
                                void *user_data);
/** Writes all `size` bytes. */
edgeops_status eop_segment_write(int fd, const char *path, const void *data, size_t size,
                                 uint64_t offset);

#endif /* EOP_JOURNAL_JOURNAL_FILE_H */
