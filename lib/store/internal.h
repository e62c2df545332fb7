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

#include "base/log.h"
#include "catalog/catalog.h"
#include "journal/journal.h"
#include "store/birth.h"
#include "store/lookup.h"
#include "store/memtable.h"
#include "store/telemetry.h"
#include "store/tries.h"

#define EOP_READERS       4
#define EOP_SEALED_SLOW   2 /* segments that wait for the writer: then appends are slowed down */
#define EOP_SEALED_MAX    8 /* then they wait */
#define EOP_SLOW_MS       5 /* how long an append waits that is slowed down */
#define EOP_MEMORY_FACTOR 4 /* of a segment's size: then it is sealed, however little it holds */
#define EOP_WAL_LIMIT     (64u * 1024 * 1024)
#define EOP_DAMAGED_MAX   256u /* damaged chunks that are kept in mind */

struct edgeops_store {
    eop_birth birth; /* first: see birth.h */
    char *home;
    char *telemetry_path;
    edgeops_store_options options;
    int lock_fd;
    eop_catalog catalog;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a segment left the queue, or writing it failed; monotonic clock */
    eop_asset_list assets;  /* of series */
    eop_journal *journal;
    eop_segment *active;
    eop_segment *sealed; /* oldest first */
    eop_segment *last_sealed;
    size_t sealed_count;
    bool power;                /* appends wait for the disk */
    bool syncing;              /* somebody syncs the journal */
    uint64_t writes;           /* into the journal, so far */
    uint64_t synced;           /* writes 1..synced are on the disk */
    uint64_t doubtful;         /* writes 1..doubtful are safe in chunks only */
    uint64_t doubtful_segment; /* segments up to this one take no more rows then */
    uint64_t chunk_epoch;      /* grows when the chunks change */
    eop_lookup lookup;
    struct eop_append_scratch *scratch;
    eop_tries writes_tried;     /* at putting the oldest sealed segment into chunks */
    uint64_t skipped_rows;      /* of the journal: their asset is gone, or they do not fit */
    bool misfits;               /* some of them use channels that the catalog does not know */
    const eop_segment *written; /* its blocks stay as they are */
    uint32_t *drops;            /* removed assets whose chunks must go */
    size_t drop_count;
    size_t drop_capacity;
    eop_tries drops_tried; /* at dropping the chunks of removed assets */
    bool shrink_due;       /* the file can be made shorter */
    bool sweep_due;        /* rows went: blobs may be without any now */

    pthread_rwlock_t hold; /* the writer drops no rows while it is held */
    struct eop_upkeep *upkeep;
    bool retain_due;
    bool retain_failing; /* the writer's */
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
    size_t reading;     /* that were taken and not given back */
    bool hold_readers;  /* the writer waits for them: no more are given */
    uint64_t wal_limit; /* of the WAL of the chunks; then the writer wants it empty */

    /* Under `lock`: backups under way. No file in data/blobs may go meanwhile: a backup copies them
     * some time after it has seen who refers to them. */
    size_t backups;
    pthread_rwlock_t blob_lock; /* taken first: for reading to make rows that refer to blobs, for
                                 * writing to remove files */

    pthread_mutex_t watch_lock;
    struct edgeops_watch *watches;
    eop_log log;
};

#endif /* EOP_STORE_INTERNAL_H */
