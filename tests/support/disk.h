/* SPDX-License-Identifier: Apache-2.0 */
/* A disk that fails, ends the process or loses its power. Linked into a test it stands between the
 * program, its libraries too, and the kernel: it defines open, write, fsync and their like, and
 * looks at what goes to the files below one folder. Files named *-shm are memory and left alone.
 *
 * The power: each file remembers what was synced and what was written since; each folder what its
 * entries were when it was synced and how they were changed since. A cut keeps of a folder's
 * changes the first so many, and of a file's writes none, all, the first so many with the last one
 * torn at sectors of 512 bytes, or in any order: each sector or page as it was after some of them. A sync that is made to fail may lose what it should have brought to
 * the disk, although it can still be read: so does a kernel. */
#ifndef TESTS_SUPPORT_DISK_H
#define TESTS_SUPPORT_DISK_H

#include <stdbool.h>
#include <stdint.h>

typedef enum disk_call {
    DISK_OPEN = 1,
    DISK_WRITE = 2,
    DISK_SYNC = 4,
    DISK_RENAME = 8,
    DISK_UNLINK = 16,
    DISK_RESIZE = 32, /* ftruncate, posix_fallocate */
    DISK_ANY = 63
} disk_call;

typedef enum disk_action {
    DISK_NOTHING, /* only counts */
    DISK_FAIL,
    DISK_SHORT, /* a write writes half, and the next one fails; other calls fail */
    DISK_KILL,  /* SIGKILL before the call */
    DISK_CUT    /* the power goes before the call */
} disk_action;

typedef struct disk_plan {
    unsigned calls;   /* which ones count: disk_call, or'ed */
    const char *name; /* and of them those to a path that holds this; NULL: all */
    uint64_t nth;     /* from 1 */
    uint64_t times;   /* so many in a row fail; 0: one */
    int error;        /* errno of a failure; 0: EIO */
    disk_action action;
    uint64_t seed; /* of a cut, and of what a failed sync loses */
} disk_plan;

/** Begins to look at a folder, an absolute path without links. Syncs below it do nothing else any
 * more. power: what it holds now counts as synced, and the power can be cut. */
void disk_watch(const char *folder, bool power);
/** After disk_watch() with power: what is in this folder below the other, and its name, counts as
 * written but not synced, as a process left it that was killed. */
void disk_doubt(const char *folder);
/** From now on, counted anew. Copied, but for the name. */
void disk_set(const disk_plan *plan);
/** Calls that the plan counted so far. */
uint64_t disk_counted(void);
/** Whether the plan has done something. */
bool disk_happened(void);
/** Ends it all; what was remembered is forgotten. */
void disk_release(void);
/** Cuts the power now: writes what the disk holds to FOLDER.cut and kills the process. */
void disk_cut(uint64_t seed);
/** For another process: the folder becomes what disk_cut() left, if it left something. */
bool disk_restore(const char *folder);

#endif /* TESTS_SUPPORT_DISK_H */
