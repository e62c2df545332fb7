/* SPDX-License-Identifier: Apache-2.0 */
/* The store. Locks, in the order in which they are taken: `spare_lock`, `lock` (memtable, journal,
 * queues of the writer), then the catalog's; `hold` comes before all; `pool_lock`, `watch_lock` and
 * `wake_lock` are leaves. The connection that writes chunks and the segment `written` belong to the
 * background writer.
 *
 * A row is in the memtable and the journal until the background writer has put its segment into
 * chunks; only then it leaves the memtable. A reader begins its snapshot of the chunks under
 * `lock` and takes of the memtable the blocks of segments that are not `applied` in that snapshot:
 * so it sees each row once. */
#ifndef EOP_STORE_INTERNAL_H
#define EOP_STORE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/log.h"
#include "catalog/catalog.h"
#include "journal/journal.h"
#include "store/birth.h"
#include "store/lookup.h"
#include "store/memtable.h"
#include "store/telemetry.h"
#include "store/tries.h"

#define EOP_READERS       4
#define EOP_SEALED_FAIR   2 /* with N sealed segments no more are sealed while writing them fails */
#define EOP_SEALED_SLOW   3 /* with N sealed segments appends are slowed down */
#define EOP_SEALED_MAX    8 /* with N sealed segments appends wait */
#define EOP_SLOW_MS       5 /* delay of a slowed-down append */
#define EOP_MEMORY_FACTOR 4 /* a segment is sealed when its rows take N times its size in memory */

/* Each asset's part of a segment becomes a chunk, which costs much the same however few rows it has.
 * So the next segment has room for a part that is worth it of each asset that had rows in one. The
 * size of the options is the least; fewer segments wait once they have grown. */
#define EOP_PART_BYTES   (8u * 1024)
#define EOP_GROWN_MAX    (32u * 1024 * 1024)
#define EOP_GROWN_SHARE  32u /* of the memory */
#define EOP_MEMORY_GROWN 2   /* as EOP_MEMORY_FACTOR, for one that has grown */

#define EOP_WAL_LIMIT    (64u * 1024 * 1024)
#define EOP_DAMAGED_MAX  256u /* damaged chunks that are kept in mind */
#define EOP_LOSSES_MAX   64u  /* gaps in the ordinals of the journal that are kept in mind */

/* Ordinals of an asset that should be in the journal and were not when it was replayed. */
typedef struct eop_loss {
    uint32_t asset;
    uint64_t first;
    uint64_t last;
} eop_loss;

/* The position whose cells the writer removes; see retype.h. */
typedef struct eop_purging {
    uint32_t asset; /* 0: none */
    uint32_t position;
    uint64_t next; /* chunks that end before this ordinal are done */
} eop_purging;

struct edgeops_store {
    eop_birth birth; /* first: see birth.h */
    char *home;
    char *telemetry_path;
    edgeops_store_options options;
    int lock_fd;
    int index_fds[2];  /* of the indexes of catalog.db and telemetry.db, -1 */
    eop_access access; /* set while the store is opened, constant since */
    eop_catalog catalog;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a segment left the queue, or writing it failed; monotonic clock */
    eop_asset_list assets;  /* of series */
    eop_journal *journal;
    eop_segment *active;
    eop_segment *sealed; /* oldest first */
    eop_segment *last_sealed;
    size_t sealed_count;
    uint64_t grown_bytes;      /* the greatest size of a segment; constant since the opening */
    size_t waiting;            /* appends that wait for room */
    bool power;                /* durability POWER: appends wait for the disk */
    bool syncing;              /* a thread is syncing the journal */
    bool sync_idle;            /* the next append wakes the writer, which then syncs in time */
    uint64_t writes;           /* number of writes into the journal so far */
    uint64_t synced;           /* writes 1..synced are on the disk */
    uint64_t doubtful;         /* writes 1..doubtful are safe in chunks only */
    uint64_t doubtful_segment; /* segments up to this one take no more rows */
    uint64_t chunk_epoch;      /* grows when the chunks change */
    eop_lookup lookup;
    struct eop_append_scratch *scratch;
    eop_tries writes_tried;          /* tries to put the oldest sealed segment into chunks */
    uint64_t skipped_rows;           /* replayed rows left out: asset gone, or do not fit */
    bool misfits;                    /* some of them use channels that the catalog does not know */
    eop_loss losses[EOP_LOSSES_MAX]; /* set by the opening, like the next one */
    size_t loss_count;
    int64_t journal_closed;     /* meta 'journal': the segment that was closed last; 0: not known */
    const eop_segment *written; /* the segment being written: its blocks do not change */
    uint32_t *drops;            /* removed assets whose chunks must go */
    size_t drop_count;
    size_t drop_capacity;
    eop_tries drops_tried; /* tries to drop the chunks of removed assets */
    bool shrink_due;       /* the file can be made shorter */
    bool sweep_due;        /* rows were dropped: blobs may be unused */
    bool purge_due;        /* positions of channels may have cells to remove */
    bool still;            /* appends wait: a channel is changing its type */
    eop_purging purging;   /* the writer's thread only */

    pthread_rwlock_t hold; /* the writer drops no rows while it is held */
    struct eop_upkeep *upkeep;
    bool retain_due;
    bool retain_failing; /* the writer's thread only */
    struct eop_retain_run *retaining;

    eop_telemetry writer;
    eop_sql checkpoint; /* of catalog.db */
    pthread_t thread;
    bool thread_made;
    pthread_mutex_t spare_lock; /* taken before `lock`, to make the spare */
    pthread_mutex_t wake_lock;
    pthread_cond_t wake; /* monotonic clock */
    bool woken;
    bool stop;
    bool checkpoint_due;
    int ballast;                      /* of ballast.c */
    int64_t damaged[EOP_DAMAGED_MAX]; /* chunks found unreadable */
    size_t damaged_count;
    size_t damaged_told; /* how many of them were logged */

    pthread_mutex_t pool_lock;
    pthread_cond_t pool_changed; /* monotonic clock */
    eop_telemetry pool[EOP_READERS];
    size_t pool_count;
    size_t reading;     /* connections in use */
    bool hold_readers;  /* the writer waits: readers get no connection */
    uint64_t wal_limit; /* size of the chunks' WAL above which it is emptied */

    /* Under `lock`: backups under way. Blobs must not be removed meanwhile: a backup copies the
     * files some time after the rows that refer to them. */
    size_t backups;
    /* Taken first: for reading to make rows that refer to blobs, for writing to remove files. */
    pthread_rwlock_t blob_lock;
    _Atomic uint64_t blob_folders[4]; /* of data/blobs: those whose names are on the disk */
    size_t loose_blobs;   /* under `lock`: blobs of rows since the last sync of them was begun */
    uint64_t mended;      /* under `wake_lock`: damaged files of blobs that were replaced */
    uint64_t mended_told; /* how many of them were logged */

    pthread_mutex_t watch_lock;
    struct edgeops_watch *watches;
    eop_log log;
};

#endif /* EOP_STORE_INTERNAL_H */
