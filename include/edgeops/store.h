/* SPDX-License-Identifier: Apache-2.0 */
/* The store of a node home: samples in, by the row or by the table; out by range, in order of
 * arrival, into the caller's arrays, or as aggregates. Labels and datasets over it: label.h and
 * dataset.h. */
#ifndef EDGEOPS_STORE_H
#define EDGEOPS_STORE_H

#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** What survives a crash. The home remembers it.
 *
 *  Freezing a dataset, removing an asset and removing a dataset are on the disk when the call
 *  returns, whatever is chosen here; a frozen dataset is there with all its samples and the bytes
 *  of their blobs. */
typedef enum edgeops_durability {
    EDGEOPS_DURABILITY_DEFAULT = 0, /**< as the home was last set; PROCESS for a new home */
    /** What was acknowledged survives kill -9 of any program. When the power fails, the samples of
     * about the last two seconds may be lost: they are brought to the disk in the background every
     * edgeops_store_options.sync_interval, and that takes as long as the disk needs. What is left is
     * consistent, but for a sample of that time that may be there without the bytes of its blob:
     * reading them is EDGEOPS_E_NOTFOUND or EDGEOPS_E_CORRUPT then, and appending the sample or the
     * same bytes again mends it. Before a sample is in a chunk its bytes are on the disk. */
    EDGEOPS_DURABILITY_PROCESS = 1,
    /** It survives a power failure, too: an append returns when its samples are on the disk.
     * Threads that append at the same time share one sync. Cursors and watchers show only what is
     * on the disk; edgeops_store_read() also shows what is on its way there. */
    EDGEOPS_DURABILITY_POWER = 2
} edgeops_durability;

/** How to open a store. Append-only. Zero means default for every member but struct_size. */
typedef struct edgeops_store_options {
    size_t struct_size;
    /** Size of a journal segment, 1 MiB..1 GiB, default 2 MiB; the store takes about three times as
     * much memory while samples come in. Where many assets have rows in a segment the next ones are
     * larger, 8 KiB for each of them: up to 32 MiB or, if that is less, a 32nd of the memory of the
     * machine or of the process's control group; and only while the disk has four times as much free
     * above the floor. */
    uint64_t segment_bytes;
    uint64_t free_floor_bytes;     /**< with less free disk than this appends are refused; default
                                  64 MiB */
    edgeops_durability durability; /**< not DEFAULT: sets the durability of the home */
    /** A sample that is further ahead of the wall clock than this is taken and counted
     * (edgeops_append_result.ahead), but later samples are not late because of it: a clock may have
     * jumped. A node counts by the same rule. Default 1 day, also for a negative value;
     * EDGEOPS_FOREVER: no sample is ahead. */
    edgeops_duration ahead_limit;
    /** With durability PROCESS new samples are synced in the background this long after they came,
     * once for all that came meanwhile; nothing is written while none come. Default 1 s, also for a
     * negative value; EDGEOPS_FOREVER: never, so that a power failure may take what the kernel has
     * not written by itself, often half a minute, or the last segment. */
    edgeops_duration sync_interval;
} edgeops_store_options;
#define EDGEOPS_STORE_OPTIONS_INIT                                                                 \
    { sizeof(edgeops_store_options), 0, 0, EDGEOPS_DURABILITY_DEFAULT, 0, 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_store_options_init(edgeops_store_options *options, size_t struct_size);

/** Opens the store of a node home, `catalog.db` and `data/`, and makes it where absent.
 *
 *  A home has one open store at a time. After a crash the incomplete end of the journal is cut off;
 *  what was acknowledged is there.
 *
 *  A home on a read-only file system, or one that this user may not write to, is opened for reading:
 *  changes fail with EDGEOPS_E_DENIED and say why. Several processes may do so at a time, and none
 *  can open it for writing meanwhile. The same where the disk is so full that the home's own files
 *  cannot be opened for writing, with EDGEOPS_E_LIMIT.
 *
 *  @param out      NULL after a failure; close with edgeops_store_close()
 *  @param home     directory, created with mode 0700
 *  @param options  NULL for defaults; copied
 *  @return EDGEOPS_OK; EDGEOPS_E_BUSY if the store is open already, here or in another process;
 *          EDGEOPS_E_INVALID (options); EDGEOPS_E_VERSION for a home of a newer version;
 *          EDGEOPS_E_CORRUPT; EDGEOPS_E_LIMIT (disk); EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Blocks while the journal is read. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_store_open(edgeops_store **out, const char *home, const edgeops_store_options *options);

/** Sets the durability of the home, from now on and when it is opened again. With POWER everything
 *  that was acknowledged before is on the disk when the call returns.
 *
 *  @param durability  DEFAULT changes nothing
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a value that is not in edgeops_durability;
 *          EDGEOPS_E_IO: it is as before
 *  Threads: any. Blocks: for POWER a sync of the journal and of the blobs that are not on the disk
 *  yet, one transaction. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_store_set_durability(edgeops_store *store, edgeops_durability durability);

/** The durability of the home.
 *
 *  @return PROCESS or POWER; DEFAULT for NULL and in a forked child
 *  Threads: any. Since 0.1. */
EDGEOPS_API edgeops_durability edgeops_store_durability(edgeops_store *store);

/** Closes a store. Waits for the background writer, and syncs the blobs that are not on the disk
 *  yet. Cursors are closed before; no other call on the store may be running.
 *
 *  @param store  NULL is allowed
 *  Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_store_close(edgeops_store *store);

/** What became of one sample of an append. Numbers never change. */
typedef enum edgeops_outcome {
    EDGEOPS_OUTCOME_APPENDED = 1,  /**< a new row: nothing was there of its asset, time and seq */
    EDGEOPS_OUTCOME_DUPLICATE = 2, /**< all of its values are there already: left out */
    EDGEOPS_OUTCOME_MERGED = 3,    /**< a later part of a row that is there: it brought values of
                                        channels that the row lacked */
    EDGEOPS_OUTCOME_CONFLICT = 4,  /**< a value or quality code differs from the one that is there:
                                        all of the sample is left out */
    EDGEOPS_OUTCOME_EXPIRED = 5    /**< not newer than what retention dropped: left out */
} edgeops_outcome;

/** What is special about a sample that was appended or merged; bits of edgeops_verdict.marks. */
typedef enum edgeops_mark {
    EDGEOPS_MARK_LATE =
        1, /**< older than the newest sample of its asset that was not ahead of the clock */
    EDGEOPS_MARK_AHEAD = 2 /**< further ahead of the clock than edgeops_store_options.ahead_limit */
} edgeops_mark;

/** The verdict on one sample. Given in arrays: its size never changes. 64 bytes. */
typedef struct edgeops_verdict {
    edgeops_outcome outcome;
    uint32_t marks;         /**< edgeops_mark bits of an appended or merged sample; else 0 */
    uint64_t ordinal;       /**< of an appended or merged sample in its asset; else 0 */
    const char *channel;    /**< CONFLICT: a channel whose value or quality code differs; below
                                 `predictions/` also one that only one of the two has; else NULL */
    edgeops_value stored;   /**< CONFLICT: what the store has of that channel; type NULL: nothing,
                                 which is only below `predictions/`. A blob is given as when it is
                                 read, as an edgeops_blob */
    uint16_t quality;       /**< CONFLICT: the stored quality code; else EDGEOPS_QUALITY_NONE */
    uint16_t reserved16[3]; /**< 0 in this version */
    uint64_t reserved[2];   /**< 0 in this version */
} edgeops_verdict;

/** What an append did. Start with the INIT macro or the _init function. Append-only. The numbers
 *  are of this call: each sample is one of appended, merged, duplicates, conflicts and expired. */
typedef struct edgeops_append_result {
    size_t struct_size;
    uint64_t appended;   /**< new rows */
    uint64_t duplicates; /**< all of their values are there already: left out */
    uint64_t conflicts;  /**< they contradict what is there of their asset, time and seq: left out,
                              what came first stays */
    uint64_t late;       /**< of the appended and merged ones: older than the newest of their asset
                              that was not ahead of the clock when it came */
    uint64_t expired;    /**< not newer than what retention dropped of their asset: left out */
    uint64_t ahead;      /**< of the appended and merged ones: further ahead of the wall clock than
                              edgeops_store_options.ahead_limit */
    uint64_t merged;     /**< later parts of rows that were there */
    edgeops_verdict *verdicts; /**< with edgeops_append_options.verdicts one for each sample, for
                                    tables one for each row, table after table; else NULL. Given to
                                    the caller, one block with all that they point to: free with
                                    edgeops_free() */
    uint64_t verdict_count;
} edgeops_append_result;
#define EDGEOPS_APPEND_RESULT_INIT                                                                 \
    { sizeof(edgeops_append_result), 0, 0, 0, 0, 0, 0, 0, NULL, 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_append_result_init(edgeops_append_result *result, size_t struct_size);

/** How to append. Append-only. Zero means default for every member but struct_size. */
typedef struct edgeops_append_options {
    size_t struct_size;
    /** How long the call may wait for room in the background writer's queue, which is full when
     * samples come in faster than the writer makes chunks of them. Default 10 s; below 0: the call
     * does not wait. */
    edgeops_duration wait;
    uint32_t verdicts; /**< not 0: edgeops_append_result.verdicts is given */
    uint32_t reserved; /**< 0, else EDGEOPS_E_INVALID */
} edgeops_append_options;
#define EDGEOPS_APPEND_OPTIONS_INIT                                                                \
    { sizeof(edgeops_append_options), 0, 0, 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_append_options_init(edgeops_append_options *options, size_t struct_size);

/** Appends n samples: all or none. Assets and channels that do not exist are made; a null value
 *  makes no channel, and neither does a sample that is left out.
 *
 *  A row is what is there of one asset, time and seq. Its values may come in parts: several samples
 *  of one call or of many, in any order, each with values of other channels. A sample is compared
 *  with all parts of its row; nulls are not compared. A value that is there with the same bits and
 *  the same quality code is skipped; one that differs in either refuses the whole sample, as a
 *  conflict. What remains is stored: as a new row, or as a later part with an ordinal of its own.
 *  Nothing that is stored changes. Assets whose name begins with `predictions/` take whole rows
 *  only: there a sample has exactly the values of the row that is there, as a duplicate, or is a
 *  conflict.
 *
 *  When it returns, the samples are durable as edgeops_durability says. An asset name has 1..200
 *  bytes of UTF-8, no control characters, no leading, trailing or doubled '/', no '.' or '..'
 *  level; a channel name has 1..128 bytes under the same rules. A store has at most 100,000 assets,
 *  an asset at most 1,024 channels. The first value of a channel decides its type and length,
 *  unless edgeops_store_declare() did. A number of another numeric type is taken if the channel's
 *  type holds it exactly (a whole FLOAT64 in an integer channel, an INT64 in a FLOAT64 channel).
 *  Only a FLOAT64 for a FLOAT32 channel is rounded.
 *
 *  @param result   optional; untouched after a failure
 *  @param samples  copied; times need not be sorted; NULL when n is 0
 *  @param n        0 does nothing
 *  @param options  NULL for defaults
 *  @return EDGEOPS_OK, also when all samples were left out: see the result; EDGEOPS_E_INVALID for a
 *          bad name or a value that its channel does not hold; EDGEOPS_E_LIMIT over a limit (one
 *          call takes at most 1 GiB) or with less free disk than the floor; EDGEOPS_E_AGAIN when
 *          the writer's queue stayed full for options->wait: append again; EDGEOPS_E_IO: nothing is
 *          written. With durability POWER the samples may be there after EDGEOPS_E_IO, but perhaps
 *          not on the disk: append them again, and those that are there are duplicates
 *  The bytes of a blob are kept once, in a file of their own. A file that is there already is
 *  compared with them, and replaced where it differs: so a damaged one is mended.
 *
 *  Threads: any, not inside a watcher. Blocks: one write(2); with durability POWER also one
 *  fdatasync(2), which threads that append at the same time share; for each blob hashing it and
 *  writing its file, with POWER syncing it; when a journal segment is full
 *  and no spare one is ready, making one; at most 5 ms when the writer is behind, and options->wait
 *  when its queue is full. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_append(
    edgeops_append_result *result, edgeops_store *store, const edgeops_sample *samples, size_t n,
    const edgeops_append_options *options);

/** Called on the appending thread after samples of an asset became durable. It must return at once
 *  and must not call edgeops, except edgeops_ctx_stop(): let it wake a loop. The ordinals of an
 *  asset never go back. With durability POWER one call may report the samples of several threads.
 *
 *  @param asset         borrowed for the call
 *  @param last_ordinal  of the newest durable sample of the asset */
typedef void (*edgeops_watch_fn)(const char *asset, uint64_t last_ordinal, void *user_data);

/** A watcher of a store. A store has any number of them; a node has one of its own. */
typedef struct edgeops_watch edgeops_watch;

/** Adds a watcher. It is called for the samples that are appended after this call.
 *
 *  @param out  NULL after a failure; close with edgeops_watch_close()
 *  @param fn   required
 *  @return EDGEOPS_OK; EDGEOPS_E_NOMEM
 *  Threads: any, not inside a watcher. Blocks while watchers are being called. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_watch_open(edgeops_watch **out,
                                                                edgeops_store *store,
                                                                edgeops_watch_fn fn,
                                                                void *user_data);

/** Removes a watcher, before or after its store is closed. When it returns, the function is not
 *  running and is not called any more.
 *
 *  @param watch  NULL is allowed
 *  Threads: any, not inside a watcher. Blocks while watchers are being called. Since 0.1. */
EDGEOPS_API void edgeops_watch_close(edgeops_watch *watch);

/** A channel: what is known of it, or what it is declared to be. Passed in arrays: its size never
 *  changes. */
typedef struct edgeops_channel_info {
    const char *name;
    const char *unit; /**< UCUM text such as "um" or "m/s2", at most 64 bytes; "" for none */
    edgeops_type type;
    uint32_t length; /**< elements of a value, 1 for a scalar, at most EDGEOPS_LENGTH_MAX */
} edgeops_channel_info;

/** Declares a channel before its first sample, or sets the unit of one that exists. Makes the asset
 *  where absent.
 *
 *  @param asset    name, see edgeops_store_append()
 *  @param channel  copied; unit NULL reads as "", length 0 as 1. With a length above 1 each value
 *                  of the channel has that many elements of a numeric type
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a bad name or unit, for a length that the type cannot
 *          have, or if the channel exists with another type or length; EDGEOPS_E_LIMIT (assets,
 *          channels); EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Blocks: one transaction. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_store_declare(edgeops_store *store, const char *asset, const edgeops_channel_info *channel);

/** One column of a table: contiguous, `length` elements a row. `data` has the elements as the type
 *  stores them, row by row. Of f64, i64, u8 and offsets at most one is set, the one for the
 *  column's type; an array column has `data` only. Where `valid` is set, valid[i] == 0 means that
 *  row i is null; each of its elements is then NaN, 0, all-zero for a BLOB, or "". Passed in
 *  arrays: its size never changes. */
typedef struct edgeops_column {
    const char *name;
    const char *unit; /**< never NULL */
    edgeops_type type;
    const double *f64;       /**< FLOAT64 of length 1 */
    const int64_t *i64;      /**< INT64 of length 1 */
    const uint8_t *u8;       /**< BOOL: 0 or 1 */
    const uint32_t *offsets; /**< STRING, rows + 1: row i is bytes[offsets[i]] up to, not with,
                                  bytes[offsets[i + 1]] */
    const char *bytes;
    const uint8_t *valid; /**< NULL: no nulls */
    uint64_t nulls;
    const void *data;        /**< all but STRING: rows x length elements; edgeops_blob for BLOB */
    uint32_t length;         /**< elements a row, 1 for a scalar */
    const uint16_t *quality; /**< NULL: no value has a code; else one a row, see edgeops_sample */
} edgeops_column;

/** The value of one row, for columns of any type. Reading the column's arrays is faster.
 *
 *  @param row  below the table's rows, which is not checked
 *  @return type NULL for a null; text, an array's elements and an edgeops_blob are borrowed from
 *          the column
 *  Threads: any. Since 0.1. */
EDGEOPS_API edgeops_value edgeops_column_value(const edgeops_column *column, uint64_t row);

/** Rows of one asset. The function that gives one says who owns it. Passed in arrays: its size
 *  never changes. In one that you make, set all members that you do not use to 0. */
typedef struct edgeops_table {
    const char *asset;
    uint64_t rows;
    const edgeops_time *times; /**< one a row */
    const int64_t *seqs;       /**< one a row */
    const uint64_t *ordinals;  /**< one a row: arrival number within the asset, from 1 */
    size_t column_count;
    const edgeops_column *columns;
    /** One a row: 1 for a later part of a row with the same time and seq, whose first part has a
     * lower ordinal. Only from a cursor, where each part is a row of its own; NULL when no row of
     * the table is a later part, in a table that was read, and in an append, else
     * EDGEOPS_E_INVALID. */
    const uint8_t *parts;
    const void *reserved[2]; /**< NULL, in an append too, else EDGEOPS_E_INVALID */
} edgeops_table;

/** Appends the rows of n tables, each of one asset: all of them or none, in one write and one sync.
 *  The fast way for many rows.
 *
 *  Names, types, parts, duplicates and durability follow the rules of edgeops_store_append(). Rows
 *  that are sorted by (time, seq), newer than what the asset has and of its channels' types are
 *  appended column by column, others row by row, which is slower. A column without a value makes no
 *  channel.
 *
 *  @param result   optional; untouched after a failure
 *  @param tables   copied, in their order; several may have the same asset. Read are asset, rows,
 *                  times, seqs (NULL: all 0) and columns; of a column name, type, length (0 reads
 *                  as 1), data (or f64, i64, u8), offsets and bytes, valid (what lies under a null
 *                  does not matter) and quality. 1..1024 columns, none of them a BLOB
 *  @param n        0 does nothing
 *  @param options  NULL for defaults
 *  @return as edgeops_store_append(); EDGEOPS_E_LIMIT also when all tables together take more than
 *          256 MiB as single rows
 *  Threads and what it blocks on: as edgeops_store_append(). Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_append_tables(
    edgeops_append_result *result, edgeops_store *store, const edgeops_table *tables, size_t n,
    const edgeops_append_options *options);

/** How a row's value is compared with the value of a condition. Numbers never change. */
typedef enum edgeops_compare {
    EDGEOPS_COMPARE_EQ = 1,
    EDGEOPS_COMPARE_NE = 2,
    EDGEOPS_COMPARE_LT = 3,
    EDGEOPS_COMPARE_LE = 4,
    EDGEOPS_COMPARE_GT = 5,
    EDGEOPS_COMPARE_GE = 6,
    EDGEOPS_COMPARE_IS_NULL = 7, /**< edgeops_condition.value is not read */
    EDGEOPS_COMPARE_NOT_NULL = 8 /**< likewise */
} edgeops_compare;

/** What a row must fulfil: `channel compare value`. A null fulfils IS_NULL only, a NaN fulfils NE
 *  and NOT_NULL only. Numbers of all types are compared exactly, text by its bytes, a bool as 0 or
 *  1. Passed in arrays: its size never changes. */
typedef struct edgeops_condition {
    const char *channel; /**< need not be one that is read */
    edgeops_compare compare;
    edgeops_value value; /**< a number or bool, for a text channel a text; borrowed for the call */
} edgeops_condition;

/** What to read. Start with the INIT macro or the _init function: they set the range to all times.
 *  Append-only. Zero means default for every member after `end`. */
typedef struct edgeops_query {
    size_t struct_size;
    const char *asset;           /**< name; required */
    edgeops_time start;          /**< inclusive */
    edgeops_time end;            /**< exclusive; EDGEOPS_TIME_MAX: to the last sample */
    const char *const *channels; /**< NULL: all, in the order in which they were made */
    size_t channel_count;        /**< of `channels`; 0 with `channels`: no columns */
    uint64_t max_ordinal;        /**< only samples with this ordinal or a lower one, and of a row in
                                      parts only these parts; 0: all */
    uint64_t limit;              /**< only the first N rows; 0: all */
    uint64_t last;               /**< only the last N rows; 0: all; not together with limit */
    /** Only rows that fulfil all of these, at most 16; `limit` and `last` count those rows. Chunks
     * that cannot have such a row by their statistics are not decoded. */
    const edgeops_condition *conditions;
    size_t condition_count;
} edgeops_query;
#define EDGEOPS_QUERY_INIT                                                                         \
    { sizeof(edgeops_query), NULL, EDGEOPS_TIME_MIN, EDGEOPS_TIME_MAX, NULL, 0, 0, 0, 0, NULL, 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_query_init(edgeops_query *query, size_t struct_size);

/** Reads samples of one asset, sorted by (time, seq).
 *
 *  @param out    given to the caller, free with edgeops_table_free(); NULL after a failure
 *  @param query  borrowed for the call
 *  @return EDGEOPS_OK, also without rows; EDGEOPS_E_NOTFOUND for an unknown asset or channel;
 *          EDGEOPS_E_INVALID for a condition that does not fit its channel, and for both limit and
 *          last; EDGEOPS_E_LIMIT over 16 conditions; EDGEOPS_E_CORRUPT; EDGEOPS_E_IO;
 *          EDGEOPS_E_NOMEM
 *  Threads: any. Blocks while it reads from the disk; appends go on meanwhile. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_read(edgeops_table **out,
                                                                edgeops_store *store,
                                                                const edgeops_query *query);

/** Reads the bytes of a blob and checks them.
 *
 *  @param data    given to the caller, free with edgeops_free(), also when size is 0; NULL after a
 *                 failure
 *  @param size    bytes of data; untouched after a failure
 *  @param digest  32 bytes: edgeops_blob.digest of a row
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND: there is no file, for a row that refers to it its bytes
 *          are lost; EDGEOPS_E_CORRUPT when they have another SHA-256 or are not all there: append
 *          the same bytes again, or restore the file from a backup; EDGEOPS_E_DENIED;
 *          EDGEOPS_E_NOMEM; EDGEOPS_E_IO
 *  Threads: any. Blocks while it reads and hashes the file. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_blob_read(void **data, size_t *size,
                                                               edgeops_store *store,
                                                               const uint8_t *digest);

/** Copies a table, such as the block of a cursor, to keep it beyond the cursor's next step.
 *
 *  @param out    given to the caller, free with edgeops_table_free(); NULL after a failure
 *  @param table  one that the library gave
 *  @return EDGEOPS_OK; EDGEOPS_E_NOMEM
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_table_copy(edgeops_table **out,
                                                                const edgeops_table *table);

/** Frees a table from edgeops_store_read() or edgeops_table_copy(), not a block of a cursor or a
 *  part of a dataset.
 *
 *  @param table  NULL is allowed
 *  Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_table_free(edgeops_table *table);

/** Counts the rows that edgeops_store_read() would give. Without conditions next to nothing is
 *  decoded.
 *
 *  @param out  rows; untouched after a failure
 *  @return as edgeops_store_read()
 *  Threads: any. Blocks as edgeops_store_read(). Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_count(uint64_t *out,
                                                                 edgeops_store *store,
                                                                 const edgeops_query *query);

/** Where the values of one channel go. Passed in arrays: its size never changes. */
typedef struct edgeops_target {
    void *data;        /**< of the first row; aligned or not; NULL: the channel is left out */
    size_t stride;     /**< bytes from one row to the next, at least a row; 0: no gap */
    edgeops_type type; /**< FLOAT64: a number or bool as a double (an integer beyond 2^53 is rounded
                          to the nearest), a null as NaN; NULL or the channel's own type: as in
                          edgeops_column.data */
    uint8_t *valid;    /**< optional, one a row: 1, or 0 for a null */
} edgeops_target;

/** Memory of the caller for rows: arrays, or a shared block. Start with the INIT macro or the _init
 *  function. Append-only. */
typedef struct edgeops_layout {
    size_t struct_size;
    uint64_t capacity;             /**< rows for which each of the arrays has room */
    edgeops_time *times;           /**< optional */
    int64_t *seqs;                 /**< optional */
    uint64_t *ordinals;            /**< optional */
    double *values;                /**< float64[rows, channels], row-major; not with `targets` */
    const edgeops_target *targets; /**< one a channel; NULL and no `values`: no channel is read */
    size_t channel_count;          /**< of `values` or `targets`: as many as the query has */
} edgeops_layout;
#define EDGEOPS_LAYOUT_INIT                                                                        \
    { sizeof(edgeops_layout), 0, NULL, NULL, NULL, NULL, NULL, 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_layout_init(edgeops_layout *layout, size_t struct_size);

/** Reads what edgeops_store_read() would give straight into the caller's arrays: chunks are decoded
 *  in place, times only where they are wanted or needed.
 *
 *  edgeops_store_count() gives the number of rows; with query.max_ordinal it does not grow in
 *  between. Name the channels in the query: without names `channel_count` must be the number of
 *  channels that the asset has.
 *
 *  @param rows    rows written; untouched after a failure
 *  @param layout  arrays of `capacity` rows; what is in them after a failure is not defined
 *  @return EDGEOPS_OK; EDGEOPS_E_LIMIT when there are more than `capacity` rows; EDGEOPS_E_INVALID
 *          for text, for a type that edgeops_target does not allow (the channel is named), for
 *          another number of channels, and for both values and targets; else as
 *          edgeops_store_read()
 *  Threads: any. Blocks as edgeops_store_read(). Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_read_into(uint64_t *rows,
                                                                     edgeops_store *store,
                                                                     const edgeops_query *query,
                                                                     const edgeops_layout *layout);

/** A walk over the samples of an asset in order of arrival. */
typedef struct edgeops_cursor edgeops_cursor;

/** Which rows a cursor gives. Append-only. Zero means default for every member but struct_size and
 *  asset. */
typedef struct edgeops_cursor_options {
    size_t struct_size;
    const char *asset; /**< required; need not exist yet */
    const char *const
        *channels; /**< NULL: all; one that does not exist yet reads as float64, all null */
    size_t channel_count;
    uint64_t after; /**< the ordinal before the first one to give: 0 starts with the oldest sample,
                         UINT64_MAX with the next one that comes */
} edgeops_cursor_options;
#define EDGEOPS_CURSOR_OPTIONS_INIT                                                                \
    { sizeof(edgeops_cursor_options), NULL, NULL, 0, 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_cursor_options_init(edgeops_cursor_options *options, size_t struct_size);

/** Opens a cursor over an asset. It has no end: after EDGEOPS_DONE it goes on with what comes. To
 *  go on in a later process, keep the last ordinal and give it as `after`.
 *
 *  @param out      NULL after a failure; close with edgeops_cursor_close()
 *  @param options  copied
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (name of the asset, options); EDGEOPS_E_NOMEM
 *  Threads: any; a cursor is used by one at a time. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_cursor_open(
    edgeops_cursor **out, edgeops_store *store, const edgeops_cursor_options *options);

/** Gives the next rows in order of arrival. A row that came in parts is given as these parts, each
 *  with the values that it brought and an ordinal of its own; block->parts marks those that came
 *  later. Where retention dropped the row of a part, the part may be left without a value.
 *
 *  @param block     borrowed until the next call on this cursor; untouched unless EDGEOPS_OK
 *  @param max_rows  1..65536; fewer may come though more are there
 *  @return EDGEOPS_OK with at least one row; EDGEOPS_DONE when there is none now;
 *          EDGEOPS_E_CORRUPT; EDGEOPS_E_IO; EDGEOPS_E_NOMEM: nothing is passed over, call again
 *  Threads: one at a time. Blocks while it reads from the disk, not for new rows: a watcher reports
 *  those. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_cursor_next(const edgeops_table **block,
                                                                 edgeops_cursor *cursor,
                                                                 size_t max_rows);

/** How many ordinals the cursor passed over since it was opened, because their rows are gone:
 *  retention dropped them, or they are damaged.
 *
 *  @return 0 for NULL
 *  Threads: one at a time. Since 0.1. */
EDGEOPS_API uint64_t edgeops_cursor_skipped(const edgeops_cursor *cursor);

/** Closes a cursor, before its store is closed.
 *
 *  @param cursor  NULL is allowed
 *  Threads: one at a time. Since 0.1. */
EDGEOPS_API void edgeops_cursor_close(edgeops_cursor *cursor);

/** What is known of an asset. Given by the library; append-only. */
typedef struct edgeops_asset_info {
    const char *name;
    uint64_t rows;         /**< samples that are there */
    uint64_t last_ordinal; /**< of the newest arrival; 0 without any */
    edgeops_time first;    /**< least time of the samples; 0 without any */
    edgeops_time last;     /**< greatest time of the samples; 0 without any */
    size_t channel_count;
    const edgeops_channel_info *channels; /**< in the order in which they were made */
    uint64_t dropped;           /**< samples that retention dropped; `rows` does not count them */
    edgeops_time dropped_until; /**< their greatest time; 0 without any */
    uint64_t parts; /**< later parts that it ever got, see edgeops_append_result.merged; they are
                         not counted in `rows`. 0: its samples come whole */
} edgeops_asset_info;

/** Gets one asset of a walk. It may call the store: no lock is held.
 *
 *  @param asset  borrowed for the call
 *  @return EDGEOPS_OK to go on; anything else ends the walk and is passed through */
typedef edgeops_status (*edgeops_asset_fn)(const edgeops_asset_info *asset, void *user_data);

/** Walks the assets as they are when the call begins, sorted by name.
 *
 *  @param pattern  NULL for all, else a name in which '*' matches any run of characters
 *  @param fn       called on this thread, inside the call
 *  @return EDGEOPS_OK, also without a match; EDGEOPS_E_NOMEM; what fn returned
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_asset_list(edgeops_store *store,
                                                                const char *pattern,
                                                                edgeops_asset_fn fn,
                                                                void *user_data);

/** What is known of one asset, without a walk over all of them.
 *
 *  @param out   given to the caller, one block with all that it points to: free with
 *               edgeops_free(); NULL after a failure
 *  @param name  not a pattern
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_NOMEM
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_asset_get(edgeops_asset_info **out,
                                                               edgeops_store *store,
                                                               const char *name);

/** Statistics of a channel's values in a bucket. Given in arrays: its size never changes. */
typedef struct edgeops_aggregate {
    uint64_t count;      /**< values that are not null */
    uint64_t nulls;      /**< rows without a value */
    uint64_t non_finite; /**< of count: NaN and infinities, which the members below leave out */
    edgeops_value min;   /**< of the channel's type, exact; type NULL without a finite number */
    edgeops_value max;   /**< likewise */
    double sum;          /**< infinite when it is more than a double holds */
    double mean;         /**< NaN without a finite number */
} edgeops_aggregate;

/** The rows with a time in [start, end); at least one. Given in arrays: its size never changes. */
typedef struct edgeops_bucket {
    edgeops_time start; /**< a multiple of `every` since the epoch; with `every` 0 that of the
                             query */
    edgeops_time end;   /**< start + `every`; with `every` 0 that of the query */
    uint64_t rows;
    edgeops_time first;                /**< least time of the rows */
    edgeops_time last;                 /**< greatest time of the rows */
    const edgeops_aggregate *channels; /**< one for each of edgeops_summary.channels */
} edgeops_bucket;

/** What edgeops_store_aggregate() gives. */
typedef struct edgeops_summary {
    const char *asset;
    size_t channel_count;
    const edgeops_channel_info *channels;
    size_t bucket_count; /**< buckets without a row are left out */
    const edgeops_bucket *buckets;
} edgeops_summary;

/** Count, minimum, maximum, sum and mean of the channels of one asset, over all rows of the query
 *  or for each bucket of time.
 *
 *  They come from the statistics that are stored beside each chunk; only chunks that the end of a
 *  bucket or a condition cuts are decoded. Text, blobs and arrays are only counted.
 *
 *  With `every` and without conditions, samples that retention dropped are counted too if their
 *  rollups were kept, the periods of the rollup divide `every`, and the range does not cut a
 *  period. In such a bucket `rows` is the greatest count of a channel, `first` and `last` are those
 *  of its periods, and minimum and maximum of an integer beyond 2^53 are rounded.
 *
 *  @param out    given to the caller, free with edgeops_summary_free(); NULL after a failure
 *  @param query  borrowed for the call; without limit and last
 *  @param every  length of a bucket in ns; 0: one bucket for all rows
 *  @return EDGEOPS_OK, also without rows: no bucket; EDGEOPS_E_INVALID for a negative length, limit
 *          or last; EDGEOPS_E_LIMIT over 1,000,000 buckets or 16,777,216 aggregates; else as
 *          edgeops_store_read()
 *  Threads: any. Blocks as edgeops_store_read(). Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_aggregate(edgeops_summary **out,
                                                                     edgeops_store *store,
                                                                     const edgeops_query *query,
                                                                     edgeops_duration every);

/** Frees a summary.
 *
 *  @param summary  NULL is allowed
 *  Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_summary_free(edgeops_summary *summary);

/** Gives an asset another name. Its samples, labels, ordinals and the datasets that hold it stay as
 *  they are. A dataset still shows the name that it was frozen with, because its digest covers the
 *  name. A read by the old name finds nothing; an append by the old name makes a new asset.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_EXISTS (the new name is taken, also by this
 *          asset); EDGEOPS_E_INVALID (bad name); EDGEOPS_E_BUSY: an earlier asset of the new name
 *          had more samples, so that ordinals must be skipped, and samples kept coming meanwhile:
 *          call again
 *  Threads: any. Blocks: one transaction. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_asset_rename(edgeops_store *store,
                                                                  const char *from, const char *to);

/** Gives a channel of an asset another name. What edgeops_asset_rename() says of names holds here,
 *  too.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (asset, channel); EDGEOPS_E_EXISTS; EDGEOPS_E_INVALID
 *          (bad name)
 *  Threads: any. Blocks: one transaction. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_channel_rename(edgeops_store *store,
                                                                    const char *asset,
                                                                    const char *from,
                                                                    const char *to);

/** What to make of a channel. Append-only. Zero means default for every member but struct_size,
 *  asset, channel and type. */
typedef struct edgeops_retype_options {
    size_t struct_size;
    const char *asset;
    const char *channel;
    edgeops_type type; /**< not BLOB */
    uint32_t length;   /**< the channel's, which is also the default */
    /** Texts that become null when texts become numbers or bools, such as "NA". Without a text here
     * none does. */
    const char *const *nulls;
    size_t null_count;
    uint32_t dry_run;  /**< not 0: only looks whether it can be done, and changes nothing */
    uint32_t reserved; /**< 0, else EDGEOPS_E_INVALID */
    /** Optional; called now and then by the calling thread, with no lock held. Anything but
     * EDGEOPS_OK ends the call with EDGEOPS_E_CANCELED and leaves the channel as it was.
     *
     *  @param part  0..1 */
    edgeops_status (*progress)(double part, void *user_data);
    void *user_data;
} edgeops_retype_options;
#define EDGEOPS_RETYPE_OPTIONS_INIT                                                                \
    { sizeof(edgeops_retype_options), NULL, NULL, EDGEOPS_TYPE_NULL, 0, NULL, 0, 0, 0, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_retype_options_init(edgeops_retype_options *options, size_t struct_size);

/** What a change of type met, as of its beginning. Start with the INIT macro or the _init function.
 *  Append-only. */
typedef struct edgeops_retype_result {
    size_t struct_size;
    uint64_t rows;      /**< samples of the asset */
    uint64_t values;    /**< of the channel that are not null; 0 where it has the type already */
    uint64_t nulled;    /**< of them: became null, see edgeops_retype_options.nulls */
    uint64_t respelled; /**< of them: texts that are written in another way now, "1.50" as 1.5 */
    edgeops_type was;   /**< the type before */
    uint32_t was_length;
} edgeops_retype_result;
#define EDGEOPS_RETYPE_RESULT_INIT                                                                 \
    { sizeof(edgeops_retype_result), 0, 0, 0, 0, EDGEOPS_TYPE_NULL, 0 }

/** Same as the INIT macro, for callers that cannot use it. Threads: any. Since 0.1. */
EDGEOPS_API void edgeops_retype_result_init(edgeops_retype_result *result, size_t struct_size);

/** Gives a channel another type, such as one whose type was decided by a first value that was not
 *  like the others. Name, unit, place among the channels, nulls and quality codes stay; rows and
 *  ordinals too. What is written stays as it is until the new column is there: a program that is
 *  killed at any moment leaves the old type or the new one, with all values.
 *
 *  No value may change. A number or bool becomes another number or bool only where it is exactly
 *  that and would come back: 1.5 is no int64, 0.1 no float32, 2^53 + 1 no float64. A text becomes a
 *  number where it is one in any spelling that an import takes for a number: "1e3" and "1.50" are,
 *  "007", "+5" and "" are not, nor are digits that the type does not hold exactly; a fraction
 *  becomes the nearest float, as in an import. "NaN", "Infinity" and "-Infinity" are floats. true
 *  and false in any case, 1 and 0 are bools. What becomes text is written as in a CSV export.
 *  Elements of an array follow the rule for numbers; their number stays.
 *
 *  Reads and appends go on meanwhile. Near the end appends wait until what the journal has is in
 *  chunks, some 100 ms, or are EDGEOPS_E_AGAIN where they may not wait. Values of both types are
 *  taken as edgeops_store_append() says, by the type that the channel has at the moment. A cursor
 *  goes on with the new type. Rollups that retention made of numbers stay those of the channel. Each change
 *  takes one of the 1,024 channels that an asset may have.
 *
 *  @param result   optional; untouched after a failure
 *  @param options  borrowed for the call. The type it has already: nothing is done
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (asset, channel); EDGEOPS_E_INVALID: a value does not fit
 *          (the message shows the first one with its time and seq, and how many there are), or types
 *          that cannot become one another; EDGEOPS_E_BUSY: a dataset holds the channel (the message
 *          names all that do), or such a change is under way; EDGEOPS_E_LIMIT: over 1,024 channels,
 *          or the disk; EDGEOPS_E_CANCELED; EDGEOPS_E_CORRUPT: a chunk cannot be read;
 *          EDGEOPS_E_IO; EDGEOPS_E_NOMEM
 *  Threads: any. Blocks until it is done: all rows of the channel are read twice and written once.
 *  Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_channel_retype(
    edgeops_retype_result *result, edgeops_store *store, const edgeops_retype_options *options);

/** Removes an asset with its samples and labels. They are gone when the call returns; the
 *  background writer frees the disk later. If an asset of the same name is made later, its ordinals
 *  continue after the last one of this asset.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_BUSY when a dataset holds it (the message
 *          names the dataset); EDGEOPS_E_IO
 *  Threads: any. Blocks: one transaction and its sync. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_asset_remove(edgeops_store *store,
                                                                  const char *asset);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_STORE_H */
