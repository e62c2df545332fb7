/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: what was appended and is not in chunks yet. A folder of preallocated segment files,
 * so that a write into one neither allocates nor runs out of space, and one spare, so that a new
 * one need not be made when one is full. Little-endian:
 *
 *   NUMBER.seg = header, frames, rest       NUMBER: 16 decimal digits, ascending, never used twice
 *   header     = "EOPJRNL1", u32 version = 1, u32 header bytes = 64, u64 number, u64 salt,
 *                u64 file bytes, zeros, u32 crc32c of the 60 bytes before
 *   frame      = u32 payload bytes, u32 crc32c of those 4 bytes, mark and payload,
 *                u64 mark = salt ^ offset of the frame, payload, zeros up to a multiple of 8
 *   spare.seg  = a segment that waits; its content means nothing
 *
 * One frame is one append: all of it or nothing. The mark makes the frames of an earlier life of a
 * recycled file invalid, and finds the next frame behind a damaged one. Not locked: the caller's
 * lock. */
#ifndef EOP_JOURNAL_JOURNAL_H
#define EOP_JOURNAL_JOURNAL_H

#include <stdbool.h>

#include "base/str.h"
#include "edgeops/types.h"

#define EOP_FRAME_HEADER 16u
/** The largest frame; an append that needs more is refused. */
#define EOP_FRAME_MAX (1024u * 1024u * 1024u)

typedef struct eop_journal eop_journal;

typedef struct eop_journal_options {
    const char *folder;
    uint64_t segment_bytes;
    uint64_t floor_bytes; /**< no spare is made that leaves less free disk */
    uint64_t applied;     /**< segments up to this one are in chunks, on the disk */
} eop_journal_options;

/** Called for each sound frame, oldest first. Anything but EDGEOPS_OK ends the opening. */
typedef edgeops_status (*eop_journal_fn)(uint64_t segment, const char *payload, size_t size,
                                         void *user_data);

/** Has the kernel read what the folder holds, so that it is there when it is replayed; returns at
 * once. Without the folder it does nothing. */
void eop_journal_prefetch(const char *folder);

/** Opens the folder: removes what is in chunks, replays the rest and goes on behind the last sound
 * frame. */
edgeops_status eop_journal_open(eop_journal **out, const eop_journal_options *options,
                                eop_journal_fn fn, void *user_data);
void eop_journal_close(eop_journal *journal);
/** Before the closing: gives the room back that is kept for what comes. The next opening goes on
 * with a new segment. */
void eop_journal_settle(eop_journal *journal);

/** Number of the segment that is written, 0 when there is none. */
uint64_t eop_journal_active(const eop_journal *journal);
/** Bytes of frames in the active segment. */
uint64_t eop_journal_used(const eop_journal *journal);
/** Whether a frame with such a payload fits into the active segment. */
bool eop_journal_fits(const eop_journal *journal, size_t payload);
/** Frames and files that were damaged and passed over at the opening. */
uint64_t eop_journal_damaged(const eop_journal *journal);

/** Begins a new segment, big enough for such a payload: the spare or, where there is none or it is
 * too small, a new file. The one before is sealed. E_LIMIT when there is no room. */
edgeops_status eop_journal_rotate(eop_journal *journal, size_t payload);
/** Makes the spare if there is none. E_LIMIT below the floor and on a full disk. */
edgeops_status eop_journal_make_spare(eop_journal *journal);
/** The same in two steps, so that the lock is not held while the disk is written: the first one
 * without it, by one thread at a time, when there is no spare; then the second one with it. */
edgeops_status eop_journal_prepare_spare(const eop_journal *journal);
void eop_journal_adopt_spare(eop_journal *journal);
bool eop_journal_has_spare(const eop_journal *journal);
/** A sealed segment is in chunks, and they are on the disk: its file becomes the spare or goes. */
void eop_journal_retire(eop_journal *journal, uint64_t segment);

/** Whether the blocks of new segments are written before they are used, so that syncing a frame
 * writes no more than the frame. */
void eop_journal_set_written(eop_journal *journal, bool written);

/** What must be brought to the disk. */
typedef struct eop_journal_sync {
    uint64_t from; /**< sealed segments [from, to) */
    uint64_t to;
    int fd; /**< of the active segment, -1 for none */
    bool folder;
} eop_journal_sync;
/** Brings all frames written so far to the disk, in three steps, so that the lock is not held
 * while the disk is written: the first and the last one with it, the second one without. `run` is
 * called once after each `begin` that gave EDGEOPS_OK, `end` when all is on the disk. */
edgeops_status eop_journal_sync_begin(eop_journal_sync *out, const eop_journal *journal);
edgeops_status eop_journal_sync_run(const eop_journal_sync *sync, const eop_journal *journal);
void eop_journal_sync_end(eop_journal *journal, const eop_journal_sync *sync);

/** A segment as it is now. */
typedef struct eop_journal_pin {
    uint64_t number;
    int fd; /**< for reading; owned */
    uint64_t
        bytes; /**< up to where it is copied: what was written so far, or all of a sealed one */
} eop_journal_pin;
/** Opens a segment for a copy. Until eop_journal_release() no file is used again for another
 * segment, so that what is open stays what it is. E_NOTFOUND: its file is gone. */
edgeops_status eop_journal_hold(eop_journal_pin *out, eop_journal *journal, uint64_t number);
/** Closes what was held; once for each that was. */
void eop_journal_release(eop_journal *journal, eop_journal_pin *pin);

/** frame: EOP_FRAME_HEADER bytes of any content, then the payload; is padded. E_IO, E_LIMIT:
 * nothing was written. The payload fits. */
edgeops_status eop_journal_write(eop_journal *journal, eop_buf *frame);

#endif /* EOP_JOURNAL_JOURNAL_H */
