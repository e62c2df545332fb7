/* SPDX-License-Identifier: Apache-2.0 */
/* The store. Locks, in the order in which they are taken: `spare_lock`, `lock` (memtable, journal,
 * queues of the writer), then the catalog's; `hold` comes before all; `pool_lock`, `watch_lock` and
 * `wake_lock` are leaves. The connection that writes chunks and the segment `written` belong to the
 * background writer.
 *
 * A row is in the memtable and the journal until the background writer has put its segment into
 * chunks; only then it leaves the memtable. Who reads begins its snapshot of the chunks under
 * `lock` and takes of the memtable the blocks of segments that are not `applied` in that snapshot:
 * so it sees each row once. */
#ifndef EOP_STORE_INTERNAL_H
#define EOP_STORE_INTERNAL_H

#include <pthread.h>

#include "base/log.h"
#include "journal/journal.h"
#include "store/catalog_db.h"
#include "store/lookup.h"
#include "store/memtable.h"
#include "store/telemetry.h"
#include "store/tries.h"

#define EOP_READERS       4
#define EOP_SEALED_SLOW   2 /* segments that wait for the writer: then appends are slowed down */
#define EOP_SEALED_MAX    8 /* then they wait */
#define EOP_SLOW_MS       5 /* how long an append waits that is slowed down */
#define EOP_MEMORY_FACTOR 4 /* of a segment's size: then it is sealed, however little it holds */
#define EOP_OUTBOX_LIMIT  1000000u
#define EOP_STRING_MAX    65536u
#define EOP_WAL_LIMIT     (64u * 1024 * 1024)
#define EOP_DAMAGED_MAX   256u /* damaged chunks that are told apart */

typedef struct eop_append_scratch eop_append_scratch;

struct edgeops_store {
    char *home;
    char *telemetry_path;
    edgeops_store_options options;
    int lock_fd;
    eop_catalog catalog;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* a segment left the queue, or writing it failed; monotonic clock */
    eop_memtable mem;
    eop_journal *journal;
    eop_segment *active;
    eop_segment *sealed; /* oldest first */
    eop_segment *last_sealed;
    size_t sealed_count;
    bool power;                /* appends wait for the disk */
    bool syncing;              /* somebody syncs the journal */
    uint64_t writes;           /* into the journal, so far */
    uint64_t synced;           /* of them, on the disk: the first so many */
    uint64_t doubtful;         /* the first so many are safe in chunks only */
    uint64_t doubtful_segment; /* segments up to this one take no more rows then */
    uint64_t chunk_epoch;      /* grows when the chunks change */
    eop_lookup lookup;
    eop_append_scratch *scratch;
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
    pthread_mutex_t spare_lock; /* taken before `lock`: who makes the spare */
    pthread_mutex_t wake_lock;
    pthread_cond_t wake; /* monotonic clock */
    bool woken;
    bool stop;
    bool checkpoint_due;
    int ballast;                      /* of ballast.c */
    int64_t damaged[EOP_DAMAGED_MAX]; /* chunks found unreadable */
    size_t damaged_count;
    size_t damaged_told; /* so many of them were logged */

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
    pthread_rwlock_t blob_lock; /* taken first: who makes rows that refer to blobs reads, who
                                 * removes files writes */

    pthread_mutex_t watch_lock;
    struct edgeops_watch *watches;
    eop_log log;
};

/* -- store.c -- */
/** A line of the store's. Without a lock that the host's log could want; any thread. */
void eop_store_log(edgeops_store *store, edgeops_log_level level, const char *format, ...)
    EOP_PRINTF(3, 4);

/* -- home.c -- */
/** Whether something is beside catalog.db that only comes after it. */
edgeops_status eop_home_in_use(bool *out, const char *home);
/** The catalog is loaded: opens `writer`, or makes its file where the home is not complete yet.
 * E_CORRUPT where the file was lost or is of another home. */
edgeops_status eop_home_open_telemetry(edgeops_store *store);

/* -- wal.c: the writer's thread -- */
/** After the chunks changed. The WAL cannot start anew as long as snapshots overlap: when it is too
 * long, or at once, they are held back for a moment. */
void eop_store_checkpoint_chunks(edgeops_store *store, bool at_once);

/* -- writer.c -- */
/** Makes the journal's spare where there is none, and holds `lock` for a moment only. */
edgeops_status eop_store_make_spare(edgeops_store *store);
edgeops_status eop_writer_start(edgeops_store *store);
void eop_writer_stop(edgeops_store *store);
/** There is work. Any thread, any lock. */
void eop_writer_wake(edgeops_store *store);
/** New assets or channels are in the catalog: the writer brings it to the disk, before any chunk
 * that uses them. A power cut may take what was appended last, but rows must not lose their names.
 * Any thread, any lock. */
void eop_writer_sync_names(edgeops_store *store);
/** A chunk cannot be read: it is counted, and the writer logs it, once. Any thread, any lock. */
void eop_store_note_damage(int64_t chunk, void *store);
/** Under `lock`: a new active segment for such a payload; the one before goes into the queue. */
edgeops_status eop_store_rotate(edgeops_store *store, size_t payload);
/** Under `lock`, which may be free meanwhile: the active segment takes such a payload afterwards and
 * its rows do not take too much memory: a channel that comes seldom takes its place in each row.
 *
 * When the writer is behind, each call waits up to EOP_SLOW_MS, so that whoever appends flat out
 * comes down to the writer's pace and no single append waits long; when its queue is full, up to
 * `wait`, then E_AGAIN. wait < 0: it does not wait. */
edgeops_status eop_store_make_room(edgeops_store *store, size_t payload, edgeops_duration wait);
/** Under `lock`, which is free meanwhile: waits until something changes. False: the deadline has
 * passed, a time of eop_monotonic(). */
bool eop_store_wait_changed(edgeops_store *store, edgeops_duration deadline);
/** Under `lock`: puts a segment at the end of the queue. */
void eop_store_seal(edgeops_store *store, eop_segment *segment);

/* -- store.c, while the journal is replayed -- */
/** Rows up to this ordinal use channels that the catalog does not know, and are left out. */
void eop_store_note_misfit(edgeops_store *store, eop_asset *asset, uint64_t ordinal);

/* -- durable.c -- */
/** Under `lock`: rows that came with a write up to this one are as durable as they must be. */
uint64_t eop_store_durable(const edgeops_store *store);
/** Under `lock`: so many writes are on the disk. */
void eop_store_note_synced(edgeops_store *store, uint64_t write);
/** Under `lock`, which is free while it waits: so many writes are on the disk afterwards. E_IO when
 * that cannot be. */
edgeops_status eop_store_wait_synced(edgeops_store *store, uint64_t write);
/** The journal is open: the durability is that of the options or of the home from here on. */
edgeops_status eop_store_begin_durability(edgeops_store *store);

/* -- append.c -- */
/** Puts the rows of one append into the memtable and its frame; under `lock`, with the room that
 * was asked for. What it put is taken back when it fails. */
typedef edgeops_status (*eop_append_fn)(edgeops_store *store, void *input);
/** One append, all or nothing: rows by fn, names to the catalog, the frame to the journal, then the
 * watchers. bound: bytes of payload at most. options: complete, see eop_append_take(). */
edgeops_status eop_append_run(edgeops_append_result *result, edgeops_store *store, size_t bound,
                              eop_append_fn fn, void *input, const edgeops_append_options *options);
/** Takes the caller's options, with the defaults filled in, and looks at its result. */
edgeops_status eop_append_take(edgeops_append_options *out, const edgeops_append_options *options,
                               const edgeops_append_result *result);
/** For eop_append_fn: one row. index: of the sample in its append. */
edgeops_status eop_append_sample(edgeops_store *store, const edgeops_sample *sample, size_t index);
/** For eop_append_fn: rows, ascending strictly by (time, seq), whose vectors are the columns of the
 * table; blocks: the same as eop_table_frame_put() made them. DONE: they do not follow the newest
 * row of the asset or have other types, take them one by one. give: see eop_memtable_push_rows().
 */
edgeops_status eop_append_rows(edgeops_store *store, const edgeops_table *table, eop_rows *rows,
                               eop_buf *blocks, bool give);
edgeops_status eop_check_text(const char *asset, const char *channel, const edgeops_value *value);
edgeops_status eop_append_scratch_new(eop_append_scratch **out);
void eop_append_scratch_free(eop_append_scratch *scratch);
edgeops_status eop_check_asset_name(const char *name);
edgeops_status eop_check_channel_name(const char *asset, const char *name);
/** Under `lock`: an asset in the memtable that is not in the catalog yet. */
edgeops_status eop_store_make_asset(eop_asset **out, edgeops_store *store, const char *name);

/* -- append_table.c -- */
#define EOP_TABLE_MAX (256u * 1024 * 1024) /* bytes that one appended table takes at most */
/** At the opening: takes a block of rows off the front of *data and puts it into the memtable.
 * E_CORRUPT when it is malformed. */
edgeops_status eop_replay_table(edgeops_store *store, const char **data, const char *end);

#endif /* EOP_STORE_INTERNAL_H */
