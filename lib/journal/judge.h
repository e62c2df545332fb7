/* SPDX-License-Identifier: Apache-2.0 */
/* Tells damage from what a crash or a power cut may leave. Bytes that were on the disk and are not
 * a sound frame any more are damage; bytes that perhaps never got there are not. What is known to
 * have been on the disk:
 *
 *   - what a later frame of the segment says (`synced`), or a later segment says of all of it
 *   - all of a journal that was closed: its last segment ends with a closing frame
 *   - what is in one sector with the beginning of a sound frame, and before it: a sector gets to
 *     the disk as it was at one moment, so with a frame come all bytes that were written before;
 *     the header of a file, too: one of zeros with bytes behind it in the first sector is damaged
 *   - what has no empty sector, in a file that was made of zeros
 *
 * All else may be lost by a power cut, in any order, because only a sync keeps an order. */
#ifndef EOP_JOURNAL_JUDGE_H
#define EOP_JOURNAL_JUDGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/types.h"

typedef enum eop_place_kind {
    EOP_PLACE_TORN,    /**< no damage: bytes that were incomplete after a crash or power cut */
    EOP_PLACE_FRAMES,  /**< frames are damaged or missing */
    EOP_PLACE_HEADER,  /**< the header of the file is damaged, so no frame can be read */
    EOP_PLACE_MISSING, /**< the file is not there */
    EOP_PLACE_BEHIND,  /**< there are bytes behind the end; no frame is affected */
    EOP_PLACE_MARK     /**< the closing frame alone is damaged; no other frame is affected */
} eop_place_kind;

/** A place of the journal that is not as it was written. */
typedef struct eop_place {
    eop_place_kind kind;
    uint64_t segment;
    uint64_t offset;
    uint64_t bytes; /**< 0: not known */
} eop_place;

/** Bytes that are no sound frame, in front of one. */
typedef struct eop_gap {
    uint64_t from;
    uint64_t to;
    bool written; /**< none of its sectors is missing */
} eop_gap;

/** What a walk found in the frames of a segment. */
typedef struct eop_walked {
    uint64_t end;    /**< offset behind the last sound frame */
    uint64_t synced; /**< the greatest of the sound frames */
    uint64_t torn;   /**< bytes of an incomplete frame at `end`; 0: none can be seen */
    bool whole;      /**< none of the sectors of `torn` is missing */
    bool stale;      /**< there is more than zeros behind `end` */
    bool closed;     /**< the last sound frame is a closing one */
    eop_gap *gaps;
    size_t gap_count;
    size_t gap_capacity;
} eop_walked;
void eop_walked_dispose(eop_walked *walked);

typedef enum eop_segment_state {
    EOP_SEGMENT_READ,
    EOP_SEGMENT_BLANK, /**< its first sector is empty or has the header of an older segment:
                            perhaps its own never got to the disk */
    EOP_SEGMENT_BAD    /**< its header is damaged */
} eop_segment_state;

/** A segment as it was found. */
typedef struct eop_segment_found {
    uint64_t number;
    eop_segment_state state;
    uint32_t version;
    uint64_t made;       /**< file bytes by its header */
    uint64_t before;     /**< by its header */
    uint64_t since;      /**< by its header */
    uint64_t file_bytes; /**< by the file system */
    eop_walked walked;   /**< of one that was READ */
} eop_segment_found;

/** Notes a place. */
typedef edgeops_status (*eop_place_fn)(const eop_place *place, void *user_data);

/** Judges the segments, which are in order of their numbers; those before them are in chunks.
 * closed: the segment that was closed last, 0: not known. Calls fn for each place, in no order;
 * any status but EDGEOPS_OK ends it and is returned. */
edgeops_status eop_journal_judge(const eop_segment_found *segments, size_t count, uint64_t closed,
                                 eop_place_fn fn, void *user_data);

#endif /* EOP_JOURNAL_JUDGE_H */
