/* SPDX-License-Identifier: Apache-2.0 */
/* The store of a node home: samples in, by the row or by the table; out by range, in order of arrival,
 * into the caller's arrays, or as aggregates. Labels and datasets over it: label.h and dataset.h. */
#ifndef EDGEOPS_STORE_H
#define EDGEOPS_STORE_H

#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** What is still there afterwards. The home remembers it.
 *
 *  What a dataset holds, removing an asset and removing a dataset are on the disk when the call
 *  returns, whatever is chosen here. */
typedef enum edgeops_durability {
    EDGEOPS_DURABILITY_DEFAULT = 0, /**< as the home was last set, PROCESS for a new one */
    /** What was acknowledged survives kill -9 of any program. When the power fails, the newest of
     * it may be lost; what is left is consistent. */
    EDGEOPS_DURABILITY_PROCESS = 1,
    /** It survives the plug, too: an append returns when its samples are on the disk. Threads that
     * append at the same time share one sync; cursors give, and the watcher is told, only what is
     * on the disk, while edgeops_store_read() also gives what is on its way. */
    EDGEOPS_DURABILITY_POWER = 2
} edgeops_durability;

/** Append-only. Zero means default for every field but struct_size. */
typedef struct edgeops_store_options {
    size_t struct_size;
    uint64_t segment_bytes; /**< size of a journal segment, 1 MiB..1 GiB, default 2 MiB; memory for
                               about three times as much is taken while samples come in */
    uint64_t free_floor_bytes; /**< below this much free disk nothing is taken, default 64 MiB */
    edgeops_durability durability; /**< not DEFAULT: sets that of the home */
    /** A sample further ahead of the wall clock than this came from a clock that jumped: it is
     * taken and counted (edgeops_append_result.ahead), and does not make those that come after it
     * late. The one rule for this: a node counts what its store finds. Default 1 day;
     * EDGEOPS_FOREVER: none is. */
    edgeops_duration ahead_limit;
} edgeops_store_options;
#define EDGEOPS_STORE_OPTIONS_INIT                                                                 \
    { sizeof(edgeops_store_options), 0, 0, EDGEOPS_DURABILITY_DEFAULT, 0 }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_store_options_init(edgeops_store_options *options, size_t struct_size);

/** Opens (creates where absent) the store of a node home: `catalog.db` and `data/`.
 *
 *  One process at a time. A journal tail torn by a crash is cut; what was acknowledged is there.
 *
 *  @param out   NULL after a failure; close with edgeops_store_close()
 *  @param home  directory, created with mode 0700
 *  @return EDGEOPS_OK; EDGEOPS_E_BUSY if another process has it; EDGEOPS_E_VERSION for a newer
 *          home; EDGEOPS_E_CORRUPT; EDGEOPS_E_IO
 *  Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_store_open(edgeops_store **out, const char *home, const edgeops_store_options *options);

/** Sets the durability of the home, from now on and when it is opened again. With POWER all that
 *  was acknowledged before is on the disk when it returns.
 *
 *  @param durability  DEFAULT changes nothing
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for none of edgeops_durability; EDGEOPS_E_IO
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_store_set_durability(edgeops_store *store, edgeops_durability durability);

/** PROCESS or POWER. Any thread. Since 0.1. */
EDGEOPS_API edgeops_durability edgeops_store_durability(edgeops_store *store);

/** Closes. Waits for the background writer. NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_store_close(edgeops_store *store);

/** What became of one sample of an append. Numbers never change. */
typedef enum edgeops_outcome {
    EDGEOPS_OUTCOME_APPENDED = 1,
    EDGEOPS_OUTCOME_DUPLICATE = 2, /**< asset, time, seq and values are there: left out */
    EDGEOPS_OUTCOME_MERGED = 3,    /**< joins a row that is there as a later part of it. Reserved:
                                        samples are whole rows in this version */
    EDGEOPS_OUTCOME_CONFLICT = 4,  /**< asset, time and seq are there with other values: left out */
    EDGEOPS_OUTCOME_EXPIRED = 5    /**< not newer than what retention dropped: left out */
} edgeops_outcome;

/** What is special about a sample that was appended; bits of edgeops_verdict.marks. */
typedef enum edgeops_mark {
    EDGEOPS_MARK_LATE =
        1, /**< older than the newest of its asset that was not ahead of the clock */
    EDGEOPS_MARK_AHEAD = 2 /**< further ahead of the clock than edgeops_store_options.ahead_limit */
} edgeops_mark;

/** The verdict on one sample. An array of them is given: its size never changes. 64 bytes. */
typedef struct edgeops_verdict {
    edgeops_outcome outcome;
    uint32_t marks;       /**< edgeops_mark, of an appended sample; else 0 */
    uint64_t ordinal;     /**< of an appended sample in its asset; else 0 */
    const char *channel;  /**< CONFLICT: the first channel whose value or quality code differs, or
                               that one of the two does not have; else NULL */
    edgeops_value stored; /**< CONFLICT: what is stored of it; type NULL: nothing. A blob as it is
                               read: an edgeops_blob */
    uint16_t quality;     /**< CONFLICT: its quality code; else EDGEOPS_QUALITY_NONE */
    uint16_t reserved16[3];
    uint64_t reserved[2]; /**< 0 */
} edgeops_verdict;

/** What an append did. Make it with the INIT macro. Append-only. */
typedef struct edgeops_append_result {
    size_t struct_size;
    uint64_t appended;   /**< new samples */
    uint64_t duplicates; /**< same asset, time, seq and values as one that is there: left out */
    uint64_t conflicts;  /**< same asset, time and seq, other values: the first one stays */
    uint64_t late;       /**< of the appended ones: older than the newest of their asset that was
                              not ahead of the clock when it came */
    uint64_t expired;    /**< not newer than what retention dropped of their asset: left out */
    uint64_t ahead;      /**< of the appended ones: further ahead of the wall clock than
                              edgeops_store_options.ahead_limit */
    uint64_t merged;     /**< samples that joined a row that was there; 0 in this version */
    edgeops_verdict *verdicts; /**< NULL, or with edgeops_append_options.verdicts one for each
                                    sample, or each row of the tables one after the other: given to
                                    the caller with all that they point to, free with
                                    edgeops_free() */
    uint64_t verdict_count;
} edgeops_append_result;
#define EDGEOPS_APPEND_RESULT_INIT                                                                 \
    { sizeof(edgeops_append_result), 0, 0, 0, 0, 0, 0, 0, NULL, 0 }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_append_result_init(edgeops_append_result *result, size_t struct_size);

/** Append-only. Zero means default for every field but struct_size. */
typedef struct edgeops_append_options {
    size_t struct_size;
    /** How long one call waits at most when samples come in faster than the background writer makes
     * chunks of them and its queue is full. Default 10 s; below 0: it does not wait at all. */
    edgeops_duration wait;
    uint32_t verdicts; /**< not 0: give a verdict on each sample */
    uint32_t reserved; /**< 0 */
} edgeops_append_options;
#define EDGEOPS_APPEND_OPTIONS_INIT                                                                \
    { sizeof(edgeops_append_options), 0, 0, 0 }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_append_options_init(edgeops_append_options *options, size_t struct_size);

/** Appends n samples: all or none. Unknown assets and channels are made (a null value makes none).
 *
 *  Durable as edgeops_durability says when it returns. An asset name has 1..200 bytes of UTF-8, no
 *  control characters, no leading, trailing or doubled '/', no '.' or '..' level; a channel name
 *  1..128 bytes likewise. At most 1,024 channels an asset and 100,000 assets. The first value of a
 *  channel decides its type and length, unless edgeops_store_declare() did. A number of another
 *  numeric type is taken where the channel's type has it exactly (a whole FLOAT64 by an integer
 *  channel, an INT64 by a FLOAT64 channel); only a FLOAT64 for a FLOAT32 channel is rounded, which
 *  is what declaring it so means.
 *
 *  @param result   optional; untouched after a failure
 *  @param samples  copied; times need not be sorted
 *  @param options  NULL for defaults
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a bad name or a value that its channel does not hold;
 *          EDGEOPS_E_LIMIT over a limit (one call takes at most 1 GiB) or below the free-disk
 *          floor; EDGEOPS_E_AGAIN when the background writer was behind for longer than
 *          options->wait: append again; EDGEOPS_E_IO (nothing written; with durability POWER the
 *          samples may be there, but perhaps not on the disk: append them again, those that are
 *          there are duplicates then)
 *  Threads: any. Blocks: one write(2); with durability POWER also one fdatasync(2), which threads
 *  that append at the same time share; when a journal segment is full and no spare one is ready,
 *  making one; at most 5 ms when the writer is behind, and options->wait when its queue is full.
 *  Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_append(
    edgeops_append_result *result, edgeops_store *store, const edgeops_sample *samples, size_t n,
    const edgeops_append_options *options);

/** Called on the appending thread after samples of an asset became durable; must return at once and
 *  must not call edgeops (wake a loop). The ordinals of an asset never go back; with durability
 *  POWER one call may tell of the samples of several threads. */
typedef void (*edgeops_watch_fn)(const char *asset, uint64_t last_ordinal, void *user_data);

/** A watcher of a store. A store has any number of them; a node has one of its own. */
typedef struct edgeops_watch edgeops_watch;

/** Adds a watcher.
 *
 *  @param out  NULL after a failure; close with edgeops_watch_close() before the store is closed
 *  @return EDGEOPS_OK; EDGEOPS_E_NOMEM
 *  Threads: any, not inside a watcher. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_watch_open(edgeops_watch **out,
                                                                edgeops_store *store,
                                                                edgeops_watch_fn fn,
                                                                void *user_data);

/** Removes a watcher; after it returns the function is not called any more. NULL is allowed.
 *  Threads: any, not inside a watcher. Since 0.1. */
EDGEOPS_API void edgeops_watch_close(edgeops_watch *watch);

/** A channel: what is known of it, or what it is declared to be. Passed in arrays: its size never
 *  changes. */
typedef struct edgeops_channel_info {
    const char *name;
    const char *unit; /**< UCUM text such as "um" or "m/s2"; "" for none */
    edgeops_type type;
    uint32_t length; /**< elements of a value, 1 for a scalar, at most EDGEOPS_LENGTH_MAX */
} edgeops_channel_info;

/** Declares a channel before its first sample, or sets the unit of one that exists.
 *
 *  @param channel  copied; unit NULL reads as "", length 0 as 1. With a length above 1 each sample
 *                  of it has that many elements of a numeric type
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a bad name, for a length that the type cannot have, or
 *          if it exists with another type or length
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_store_declare(edgeops_store *store, const char *asset, const edgeops_channel_info *channel);

/** One column of a table: contiguous, `length` elements a row. `data` has the elements as the type
 *  stores them, row by row; of f64, i64, u8 and offsets only the one that belongs to a scalar
 *  column of its type is set. Where `valid` is set, valid[i] == 0 says row i is null (each element
 *  is then NaN, 0, all-zero for a BLOB, or ""). */
typedef struct edgeops_column {
    const char *name;
    const char *unit; /**< never NULL */
    edgeops_type type;
    const double *f64;       /**< FLOAT64 of length 1 */
    const int64_t *i64;      /**< INT64 of length 1 */
    const uint8_t *u8;       /**< BOOL */
    const uint32_t *offsets; /**< STRING: row i is bytes[offsets[i]] .. bytes[offsets[i + 1]] */
    const char *bytes;
    const uint8_t *valid; /**< NULL: no nulls */
    uint64_t nulls;
    const void *data;        /**< all but STRING: rows x length elements; edgeops_blob for BLOB */
    uint32_t length;         /**< elements a row, 1 for a scalar */
    const uint16_t *quality; /**< NULL: no value has a code; else of each row, see edgeops_sample */
} edgeops_column;

/** The value of a row, whatever its type: what reads a column where speed does not matter.
 *
 *  @param row  below the table's rows
 *  @return type NULL for a null; text, an array's elements and an edgeops_blob are borrowed from
 *          the column
 *  Threads: any. Since 0.1. */
EDGEOPS_API edgeops_value edgeops_column_value(const edgeops_column *column, uint64_t row);

/** Rows of one asset. Owned by whoever gave it. Passed in arrays: its size never changes; set all
 *  members that you do not use to 0. */
typedef struct edgeops_table {
    const char *asset;
    uint64_t rows;
    const edgeops_time *times; /**< rows */
    const int64_t *seqs;       /**< rows */
    const uint64_t *ordinals;  /**< rows; arrival number within the asset, from 1 */
    size_t column_count;
    const edgeops_column *columns;
    /** NULL: each row is whole. Else of each row 1 where it is a later part of the row of the same
     * (time, seq) before it. Reserved: NULL in this version, and must be NULL in an append. */
    const uint8_t *parts;
    const void *reserved[2]; /**< NULL */
} edgeops_table;

/** Appends the rows of n tables, each of one asset: all of them or none, in one write and one sync.
 *  The fast way for many rows.
 *
 *  The same rules as edgeops_store_append(): names, types, duplicates, durability. Rows in order of
 *  (time, seq), newer than what the asset has and of its channels' types go in by column, others
 *  one by one. A column without a value makes no channel.
 *
 *  @param result   optional; untouched after a failure
 *  @param tables   copied; their assets may differ or be the same, they go in in their order.
 *                  asset, rows, times and columns are read, seqs too (NULL: all 0); the columns'
 *                  name, type, length (0 reads as 1), data (or f64, i64, u8), offsets and bytes,
 *                  valid (any content under a null), quality. No BLOB
 *  @param options  NULL for defaults
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID; EDGEOPS_E_LIMIT over a limit (all tables together take at
 *          most 256 MiB as single rows) or below the free-disk floor; EDGEOPS_E_AGAIN; EDGEOPS_E_IO
 *          (nothing written)
 *  Threads and what it blocks on: as edgeops_store_append(). Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_append_tables(
    edgeops_append_result *result, edgeops_store *store, const edgeops_table *tables, size_t n,
    const edgeops_append_options *options);

/** How a value is compared with that of a condition. */
typedef enum edgeops_compare {
    EDGEOPS_COMPARE_EQ = 1,
    EDGEOPS_COMPARE_NE = 2,
    EDGEOPS_COMPARE_LT = 3,
    EDGEOPS_COMPARE_LE = 4,
    EDGEOPS_COMPARE_GT = 5,
    EDGEOPS_COMPARE_GE = 6,
    EDGEOPS_COMPARE_IS_NULL = 7, /**< without a value */
    EDGEOPS_COMPARE_NOT_NULL = 8 /**< without a value */
} edgeops_compare;

/** What a row must fulfil: `channel compare value`. A null fulfils IS_NULL only; a NaN NE and
 *  NOT_NULL. Numbers of all types are compared exactly, text by its bytes, a bool as 0 or 1. */
typedef struct edgeops_condition {
    const char *channel; /**< need not be one that is read */
    edgeops_compare compare;
    edgeops_value value; /**< a number or bool, for a text channel a text; borrowed for the call */
} edgeops_condition;

/** What to read. Make it with the INIT macro; zero means default for every field after `end`. */
typedef struct edgeops_query {
    size_t struct_size;
    const char *asset;
    edgeops_time start;          /**< inclusive */
    edgeops_time end;            /**< exclusive; EDGEOPS_TIME_MAX: to the last */
    const char *const *channels; /**< NULL: all, in the order they were first seen */
    size_t channel_count;
    uint64_t max_ordinal; /**< only samples that arrived up to this one; 0: all */
    uint64_t limit;       /**< first so many; 0: all */
    uint64_t last;        /**< last so many; 0: all; not together with limit */
    /** Only rows that fulfil all of these, at most 16; the limits above are of those rows. What the
     * statistics of stored chunks rule out is not decoded. */
    const edgeops_condition *conditions;
    size_t condition_count;
} edgeops_query;
#define EDGEOPS_QUERY_INIT                                                                         \
    { sizeof(edgeops_query), NULL, EDGEOPS_TIME_MIN, EDGEOPS_TIME_MAX, NULL, 0, 0, 0, 0, NULL, 0 }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_query_init(edgeops_query *query, size_t struct_size);

/** Reads samples of one asset, sorted by (time, seq).
 *
 *  @param out  given to the caller, free with edgeops_table_free()
 *  @return EDGEOPS_OK (also with no rows); EDGEOPS_E_NOTFOUND for an unknown asset or channel;
 *          EDGEOPS_E_NOMEM; EDGEOPS_E_CORRUPT
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_read(edgeops_table **out,
                                                                edgeops_store *store,
                                                                const edgeops_query *query);

/** Reads the bytes of a blob and checks them.
 *
 *  @param data    given to the caller, free with edgeops_free(); NULL after a failure
 *  @param size    0 for an empty one; untouched after a failure
 *  @param digest  32 bytes: edgeops_blob.digest of a row
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_CORRUPT when the bytes have another SHA-256;
 *          EDGEOPS_E_NOMEM; EDGEOPS_E_IO
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_blob_read(void **data, size_t *size,
                                                               edgeops_store *store,
                                                               const uint8_t *digest);

/** Copies a table, such as the block of a cursor, which goes with the cursor's next step.
 *
 *  @param out    given to the caller, free with edgeops_table_free(); NULL after a failure
 *  @param table  one that the library gave
 *  @return EDGEOPS_OK; EDGEOPS_E_NOMEM
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_table_copy(edgeops_table **out,
                                                                const edgeops_table *table);

/** NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_table_free(edgeops_table *table);

/** Counts the rows that edgeops_store_read() would give, decoding next to nothing unless the query
 *  has conditions. Errors as there.
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_count(uint64_t *out,
                                                                 edgeops_store *store,
                                                                 const edgeops_query *query);

/** Where the values of one channel go. */
typedef struct edgeops_target {
    void *data;        /**< of the first row; aligned or not; NULL: the channel is left out */
    size_t stride;     /**< bytes from a row to the next; 0: one after the other */
    edgeops_type type; /**< FLOAT64: a number or bool as a double (an integer beyond 2^53 is rounded
                          to the nearest), a null as NaN; NULL or the channel's own type: as in
                          edgeops_column.data */
    uint8_t *valid;    /**< optional, one a row: 1, or 0 for a null */
} edgeops_target;

/** Memory of the caller's for rows; a shared block as well as an array. Make it with the INIT
 *  macro. */
typedef struct edgeops_layout {
    size_t struct_size;
    uint64_t capacity;             /**< rows for which each of the arrays has room */
    edgeops_time *times;           /**< optional */
    int64_t *seqs;                 /**< optional */
    uint64_t *ordinals;            /**< optional */
    double *values;                /**< float64[rows, channels], row-major; or NULL and `targets` */
    const edgeops_target *targets; /**< for each channel */
    size_t channel_count;          /**< of `values` or `targets`: that of the query */
} edgeops_layout;
#define EDGEOPS_LAYOUT_INIT                                                                        \
    { sizeof(edgeops_layout), 0, NULL, NULL, NULL, NULL, NULL, 0 }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_layout_init(edgeops_layout *layout, size_t struct_size);

/** Reads what edgeops_store_read() would give straight into the caller's arrays, without memory in
 *  between: chunks are decoded in place, and times only where they are wanted or decide.
 *
 *  edgeops_store_count() tells how many rows there are; with query.max_ordinal they do not grow
 *  meanwhile. Name the channels: without, `channel_count` must be how many the asset has.
 *
 *  @param rows    how many were written
 *  @param layout  arrays of `capacity` rows; what is in them after a failure is not defined
 *  @return EDGEOPS_OK; EDGEOPS_E_LIMIT when there are more than `capacity` rows; EDGEOPS_E_INVALID
 *          for text (as FLOAT64 also for a blob) or a type that is not allowed, channel named; else
 *          as edgeops_store_read()
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_read_into(uint64_t *rows,
                                                                     edgeops_store *store,
                                                                     const edgeops_query *query,
                                                                     const edgeops_layout *layout);

typedef struct edgeops_cursor edgeops_cursor;

/** Which rows a cursor gives. Make it with the INIT macro; zero means default for every field but
 *  struct_size and asset. Append-only. */
typedef struct edgeops_cursor_options {
    size_t struct_size;
    const char *asset; /**< need not exist yet */
    const char *const
        *channels; /**< NULL: all; one that does not exist yet reads as null float64 */
    size_t channel_count;
    uint64_t after; /**< ordinal after which to start: 0 for the first sample, UINT64_MAX for what
                         comes */
} edgeops_cursor_options;
#define EDGEOPS_CURSOR_OPTIONS_INIT                                                                \
    { sizeof(edgeops_cursor_options), NULL, NULL, 0, 0 }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_cursor_options_init(edgeops_cursor_options *options, size_t struct_size);

/** Opens a cursor over an asset in order of arrival, which goes on for ever: the feed of a
 *  deployment.
 *
 *  @param out      NULL after a failure; close with edgeops_cursor_close()
 *  @param options  copied
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID; EDGEOPS_E_NOMEM
 *  Threads: one at a time. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_cursor_open(
    edgeops_cursor **out, edgeops_store *store, const edgeops_cursor_options *options);

/** The next rows in order of arrival.
 *
 *  @param block     borrowed until the next call on this cursor
 *  @param max_rows  1..65536
 *  @return EDGEOPS_OK with at least one row; EDGEOPS_DONE when there is nothing now
 *  Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_cursor_next(const edgeops_table **block,
                                                                 edgeops_cursor *cursor,
                                                                 size_t max_rows);

/** How many ordinals it passed over since it was opened, because their rows are not there any more:
 *  retention dropped them, or they cannot be read. Since 0.1. */
EDGEOPS_API uint64_t edgeops_cursor_skipped(const edgeops_cursor *cursor);

/** NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_cursor_close(edgeops_cursor *cursor);

/** What is known of an asset. Given by the library; append-only. */
typedef struct edgeops_asset_info {
    const char *name;
    uint64_t rows;
    uint64_t last_ordinal;
    edgeops_time first; /**< of the samples; 0 without any */
    edgeops_time last;
    size_t channel_count;
    const edgeops_channel_info *channels;
    uint64_t dropped;           /**< samples that retention dropped; `rows` does not count them */
    edgeops_time dropped_until; /**< their greatest time; 0 without any */
} edgeops_asset_info;

/** Given each asset, sorted by name; borrowed for the call. Anything but EDGEOPS_OK ends the walk
 *  and is passed through. */
typedef edgeops_status (*edgeops_asset_fn)(const edgeops_asset_info *asset, void *user_data);

/** Walks the assets.
 *
 *  @param pattern  NULL for all, else a name in which '*' stands for any run of characters
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_asset_list(edgeops_store *store,
                                                                const char *pattern,
                                                                edgeops_asset_fn fn,
                                                                void *user_data);

/** What is known of one asset, without a walk over all of them.
 *
 *  @param out  given to the caller with all that it points to, free with edgeops_free(); NULL after
 *              a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_NOMEM; EDGEOPS_E_IO
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_asset_get(edgeops_asset_info **out,
                                                               edgeops_store *store,
                                                               const char *name);

/** What the values of a channel in a bucket come to. */
typedef struct edgeops_aggregate {
    uint64_t count;      /**< values that are there */
    uint64_t nulls;      /**< rows without one */
    uint64_t non_finite; /**< of count: NaN and infinities, which are in none of the following */
    edgeops_value min;   /**< of the channel's type, exact; type NULL where there is no number */
    edgeops_value max;
    double sum;  /**< infinite when it is more than a double holds */
    double mean; /**< NaN where there is no number */
} edgeops_aggregate;

/** The rows with a time in [start, end); at least one. */
typedef struct edgeops_bucket {
    edgeops_time start; /**< a multiple of `every` since the epoch; without it: that asked for */
    edgeops_time end;
    uint64_t rows;
    edgeops_time first; /**< of the rows */
    edgeops_time last;
    const edgeops_aggregate *channels; /**< for each of edgeops_summary.channels */
} edgeops_bucket;

typedef struct edgeops_summary {
    const char *asset;
    size_t channel_count;
    const edgeops_channel_info *channels;
    size_t bucket_count; /**< those without a row are left out */
    const edgeops_bucket *buckets;
} edgeops_summary;

/** Counts, least, greatest and mean values of one asset, over all the query's rows or for each
 *  bucket of time.
 *
 *  They come from what is stored beside each chunk; only chunks that a border or a condition goes
 *  through are decoded. Text, blobs and arrays are only counted. With `every` and without
 *  conditions, samples that retention dropped are in it as far as their rollups were kept: periods
 *  that divide `every`, of which none is cut by an end of the range. `rows` of such a bucket is the
 *  greatest count of a channel, `first` and `last` are those of its periods, and minimum and
 *  maximum of an integer beyond 2^53 are rounded.
 *
 *  @param out    given to the caller, free with edgeops_summary_free()
 *  @param query  without limit and last
 *  @param every  length of a bucket; 0: one for all
 *  @return EDGEOPS_OK (also without a row: no bucket); EDGEOPS_E_INVALID for a negative length or a
 *          limit; EDGEOPS_E_LIMIT over 1,000,000 buckets or 16,777,216 aggregates; else as
 *          edgeops_store_read()
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_aggregate(edgeops_summary **out,
                                                                     edgeops_store *store,
                                                                     const edgeops_query *query,
                                                                     edgeops_duration every);

/** NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_summary_free(edgeops_summary *summary);

/** Gives an asset another name. Its samples, labels, ordinals and the datasets that hold it stay as
 *  they are; a dataset goes on to show the name that it was frozen with, which its digest covers.
 *  Who reads or appends by the old name finds no asset of it any more, or makes a new one.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_EXISTS; EDGEOPS_E_INVALID (bad name);
 *          EDGEOPS_E_BUSY where an asset that had the new name before had more samples, and samples
 *          of this one keep coming
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_asset_rename(edgeops_store *store,
                                                                  const char *from, const char *to);

/** Gives a channel of an asset another name; the same holds as for an asset.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (asset, channel); EDGEOPS_E_EXISTS; EDGEOPS_E_INVALID
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_channel_rename(edgeops_store *store,
                                                                    const char *asset,
                                                                    const char *from,
                                                                    const char *to);

/** Removes an asset with its samples and labels. The ordinals of one that is made later under the
 *  same name go on behind those of this one.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_BUSY when a dataset holds it (named in the
 *          detail)
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_asset_remove(edgeops_store *store,
                                                                  const char *asset);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_STORE_H */
