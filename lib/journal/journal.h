/* SPDX-License-Identifier: Apache-2.0 */
/* The journal: what was appended and is not in chunks yet. It is a folder of preallocated segment
 * files, so that a write neither allocates nor runs out of space. One spare file waits, so that a
 * full segment is replaced at once. Files may differ in size; each header has its own.
 * Little-endian:
 *
 *   NUMBER.seg = header, frames, rest       NUMBER: 16 decimal digits, ascending, never used twice
 *   header     = "EOPJRNL1", u32 version = 2, u32 header bytes = 64, u64 number, u64 salt,
 *                u64 file bytes, u64 before, u64 since, u32 fresh, u32 crc32c of the 60 bytes
 *                before
 *   fresh      = 1: all else of the file was 0 when the header was written; 0: not known
 *   before     = offset behind the last frame of segment NUMBER - 1; 0: not known
 *   frame      = u32 payload bytes, u32 crc32c of the salt, these 4 bytes, the mark and the
 *                payload, u64 mark = salt ^ (synced << 32 | offset of the frame in the file),
 *                payload (frame.h and table_frame.h), zeros up to a multiple of 8
 *   synced     = when the frame was written, the bytes of the file before this offset were on the
 *                disk, and so were segments since..NUMBER - 1; 0: not known
 *   spare.seg  = the file of a future segment; its content means nothing
 *   NUMBER.seg.bad = a segment that was damaged: without a sound header, or a second name of one
 *                with damaged frames; stays until somebody removes it
 *
 * One frame is one append: all of it is valid or nothing. A recycled file gets a new salt, so the
 * marks of its old frames are wrong. A reader that meets a wrong mark or checksum goes on in steps
 * of 8 bytes: so it finds sound frames behind a damaged one. A frame without a payload closes the
 * journal: all before it was on the disk when it was written, no frame follows, and the file is cut
 * behind it. judge.h says how damage is told from what a power cut leaves.
 *
 * Version 1 has no salt in the checksum, no closing frame, and before, since, fresh and synced are
 * 0.
 *
 * The caller's lock guards the journal. */
#ifndef EOP_JOURNAL_JOURNAL_H
#define EOP_JOURNAL_JOURNAL_H

#include <stdbool.h>

#include "base/str.h"
#include "edgeops/types.h"
#include "journal/judge.h"

#define EOP_FRAME_HEADER 16u /* also the size of a closing frame */
/** The largest payload of a frame; an append that needs more is refused. */
#define EOP_FRAME_MAX (1024u * 1024u * 1024u)

typedef struct eop_journal eop_journal;

typedef struct eop_journal_options {
    const char *folder;
    uint64_t segment_bytes;
    uint64_t floor_bytes; /**< no spare is made that would leave less of the disk free */
    uint64_t applied;     /**< segments up to this number are in chunks, on the disk */
    uint64_t closed;      /**< the segment that the last settling closed; 0: not known */
    bool read_only;       /**< nothing is made, renamed or removed; there is no active segment */
} eop_journal_options;

/** Called for each sound frame, oldest first. Any status but EDGEOPS_OK ends the opening. */
typedef edgeops_status (*eop_journal_fn)(uint64_t segment, const char *payload, size_t size,
                                         void *user_data);

/** Lets the kernel read the segments ahead, so that the replay need not wait for them; returns at
 * once. Does nothing when the folder is missing. */
void eop_journal_prefetch(const char *folder);

/** Opens the folder: removes segments that are in chunks, replays the others and continues behind
 * the last sound frame. What is not sound is noted as places. */
edgeops_status eop_journal_open(eop_journal **out, const eop_journal_options *options,
                                eop_journal_fn fn, void *user_data);
void eop_journal_close(eop_journal *journal);
/** Before closing: brings all frames to the disk, writes the closing frame and gives the disk space
 * back that is kept for future frames. The next opening begins a new segment. pending: there are
 * sealed segments that are not in chunks. @return the number of the closed segment; 0: none was
 * closed, or that is not known to be on the disk */
uint64_t eop_journal_settle(eop_journal *journal, bool pending);

/** After opening: the newest segment where it has its closing frame, else 0. */
uint64_t eop_journal_closed(const eop_journal *journal);
/** Number of the active segment, 0 when there is none. */
uint64_t eop_journal_active(const eop_journal *journal);
/** Size of the active segment's file. */
uint64_t eop_journal_bytes(const eop_journal *journal);
/** Bytes of frames in the active segment. */
uint64_t eop_journal_used(const eop_journal *journal);
/** Whether a frame with such a payload fits into the active segment. */
bool eop_journal_fits(const eop_journal *journal, size_t payload);
/** Places that the opening found damaged. */
uint64_t eop_journal_damaged(const eop_journal *journal);
/** Bytes of places that it found torn. */
uint64_t eop_journal_torn(const eop_journal *journal);
/** What the opening found, oldest first; valid until the journal is closed. No lock is needed. */
const eop_place *eop_journal_places(size_t *count, const eop_journal *journal);
/** Whether the opening found the same bytes damaged or torn. No lock is needed. */
bool eop_journal_knows(const eop_journal *journal, const eop_place *place);

/** Begins a new segment with room for such a payload: the spare, or a new file when there is no
 * spare or it is too small. Seals the segment before. E_LIMIT when the disk has no room. */
edgeops_status eop_journal_rotate(eop_journal *journal, size_t payload);
/** Makes the spare when there is none. E_LIMIT below the floor and on a full disk. */
edgeops_status eop_journal_make_spare(eop_journal *journal);
/** The same in two steps, so that the lock is not held while the disk is written. First step:
 * without the lock, one thread at a time, when there is no spare. Second step: with the lock.
 * *bytes: what is wanted, then the size that it has: the least one where the disk has little room. */
edgeops_status eop_journal_prepare_spare(uint64_t *bytes, const eop_journal *journal);
void eop_journal_adopt_spare(eop_journal *journal, uint64_t bytes);
bool eop_journal_has_spare(const eop_journal *journal);
/** Asks for larger spares from the next one on, or again for those of segment_bytes: the least. */
void eop_journal_want(eop_journal *journal, uint64_t bytes);
uint64_t eop_journal_wanted(const eop_journal *journal);
/** Call when a sealed segment is in chunks that are on the disk: its file becomes the spare or is
 * removed. */
void eop_journal_retire(eop_journal *journal, uint64_t segment);

/** Whether all blocks of new segments are written before use, so that syncing a frame writes the
 * frame and nothing else. */
void eop_journal_set_written(eop_journal *journal, bool written);

/** What a sync must bring to the disk. */
typedef struct eop_journal_sync {
    uint64_t from; /**< sealed segments [from, to) */
    uint64_t to;
    int fd;       /**< of the active segment, -1 for none */
    uint64_t end; /**< of its frames */
    bool folder;
} eop_journal_sync;
/** Syncs all frames written so far, in three steps, so that the lock is not held while the disk is
 * written: `begin` and `end` with the lock, `run` without. Call `run` once after each `begin` that
 * returned EDGEOPS_OK, and `end` when `run` succeeded. */
edgeops_status eop_journal_sync_begin(eop_journal_sync *out, const eop_journal *journal);
edgeops_status eop_journal_sync_run(const eop_journal_sync *sync, const eop_journal *journal);
void eop_journal_sync_end(eop_journal *journal, const eop_journal_sync *sync);
/** Instead of `end` when `run` failed: what was written so far is never taken for synced. */
void eop_journal_sync_failed(eop_journal *journal);

/** A segment as of one moment. */
typedef struct eop_journal_pin {
    uint64_t number;
    int fd;         /**< for reading; owned */
    uint64_t bytes; /**< copy up to here: what was written so far, or all of a sealed segment */
    uint64_t end;   /**< offset behind its last frame; 0: not known */
} eop_journal_pin;
/** Opens a segment for a copy. Until eop_journal_release() no file is reused for another segment,
 * so the open one keeps its content. E_NOTFOUND: its file is gone. */
edgeops_status eop_journal_hold(eop_journal_pin *out, eop_journal *journal, uint64_t number);
/** Ends a hold; call once for each. */
void eop_journal_release(eop_journal *journal, eop_journal_pin *pin);

/** Writes a frame. frame: EOP_FRAME_HEADER bytes that are overwritten, then the payload, which
 * fits; is padded. E_IO, E_LIMIT: nothing was written. */
edgeops_status eop_journal_write(eop_journal *journal, eop_buf *frame);

#endif /* EOP_JOURNAL_JOURNAL_H */
