/* SPDX-License-Identifier: Apache-2.0 */
#ifndef EDGEOPS_STORE_H
#define EDGEOPS_STORE_H

#include "edgeops/types.h"

EDGEOPS_BEGIN_DECLS

/** What is still there afterwards. The home remembers it.
 *
 *  What a dataset holds, removing an asset and removing a dataset are on the disk when the call
 * returns, whatever is chosen here. */
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
     * taken and counted, and does not make those that come after it late. Default 1 day;
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
 *  @param out   NULL after a failure; close with edgeops_store_close()
 *  @param home  directory, created with mode 0700
 *  @return EDGEOPS_OK; EDGEOPS_E_BUSY if another process has it; EDGEOPS_E_VERSION for a newer
 * home; EDGEOPS_E_CORRUPT; EDGEOPS_E_IO Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_store_open(edgeops_store **out, const char *home, const edgeops_store_options *options);

/** Sets the durability of the home, from now on and when it is opened again. With POWER all that
 * was acknowledged before is on the disk when it returns.
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

/** What an append did. */
typedef struct edgeops_append_result {
    uint64_t appended;   /**< new samples */
    uint64_t duplicates; /**< same asset, time, seq and values as one that is there: left out */
    uint64_t conflicts;  /**< same asset, time and seq, other values: the first one stays */
    uint64_t late;       /**< of the appended ones: older than the newest of their asset that was
                          * not ahead of the clock when it came */
    uint64_t expired;    /**< not newer than what retention dropped of their asset: left out */
    uint64_t ahead;      /**< of the appended ones: further ahead of the wall clock than
                          * edgeops_store_options.ahead_limit */
} edgeops_append_result;

/** Appends n samples: all or none. Unknown assets and channels are made (a null value makes none).
 *
 *  Durable as edgeops_durability says when it returns. An asset name has 1..200 bytes of UTF-8, no
 * control characters, no leading, trailing or doubled '/', no '.' or '..' level; a channel
 * name 1..128 bytes likewise. At most 1,024 channels an asset and 100,000 assets. The first value
 * of a channel decides its type and length, unless edgeops_store_declare() did. A number of another
 * numeric type is taken where the channel's type has it exactly (a whole FLOAT64 by an integer
 * channel, an INT64 by a FLOAT64 channel); only a FLOAT64 for a FLOAT32 channel is rounded, which
 * is what declaring it so means.
 *  @param samples  copied; times need not be sorted
 *  @param result   optional; untouched after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a bad name or a value that its channel does
 * not hold; EDGEOPS_E_LIMIT over a limit (one call takes at most 1 GiB) or below the free-disk
 * floor; EDGEOPS_E_IO (nothing written; with durability POWER the samples may be there, but perhaps
 * not on the disk: append them again, those that are there are duplicates then) Threads: any.
 * Blocks: one write(2), with durability POWER also one fdatasync(2), which the threads that append
 * at the same time share. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_append(edgeops_store *store,
                                                                  const edgeops_sample *samples,
                                                                  size_t n,
                                                                  edgeops_append_result *result);

/** Called on the appending thread after samples of an asset became durable; must return at once and
 *  must not call edgeops (wake a loop). The ordinals of an asset never go back; with durability
 * POWER one call may tell of the samples of several threads. */
typedef void (*edgeops_store_watch_fn)(const char *asset, uint64_t last_ordinal, void *user_data);

/** Sets the one watcher, NULL for none. After it returns the old one is not called any more.
 *  Any thread. Since 0.1. */
EDGEOPS_API void edgeops_store_watch(edgeops_store *store, edgeops_store_watch_fn fn,
                                     void *user_data);

/** Declares a channel before its first sample, or sets unit of one that exists.
 *
 *  @param unit  copied, UCUM text such as "um" or "m/s2"; NULL or "" for none
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID for a bad name or if it exists with another type
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_declare(edgeops_store *store,
                                                                   const char *asset,
                                                                   const char *channel,
                                                                   edgeops_type type,
                                                                   const char *unit);

/** Declares a channel of arrays: each sample of it has `length` elements of a numeric type. The
 *  same as edgeops_store_declare() with length 1.
 *
 *  @param length  1..EDGEOPS_LENGTH_MAX
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID also for a length that the type cannot have, or if it
 * exists with another one
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_store_declare_array(edgeops_store *store, const char *asset, const char *channel,
                            edgeops_type type, uint32_t length, const char *unit);

/** One column of a table: contiguous, `length` elements a row. `data` has the elements as the type
 * stores them, row by row; of f64, i64, u8 and offsets only the one that belongs to a scalar column
 * of its type is set. Where `valid` is set, valid[i] == 0 says row i is null (each element is then
 * NaN, 0, all-zero for a BLOB, or "").
 */
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

/** Rows of one asset. Owned by whoever gave it. */
typedef struct edgeops_table {
    const char *asset;
    uint64_t rows;
    const edgeops_time *times; /**< rows */
    const int64_t *seqs;       /**< rows */
    const uint64_t *ordinals;  /**< rows; arrival number within the asset, from 1 */
    size_t column_count;
    const edgeops_column *columns;
} edgeops_table;

/** Appends the rows of a table, all of one asset: all or none. The fast way for many rows.
 *
 *  The same rules as edgeops_store_append(): names, types, duplicates, durability. Rows in order of
 *  (time, seq), newer than what the asset has and of its channels' types go in by column, others
 * one by one. A column without a value makes no channel.
 *  @param table   copied. asset, rows, times and columns are read, seqs too (NULL: all 0); the
 *                 columns' name, type, length (0 reads as 1), data (or f64, i64, u8), offsets and
 *                 bytes, valid (any content under a null), quality. No BLOB
 *  @param result  optional; untouched after a failure
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID; EDGEOPS_E_LIMIT over a limit (a table takes at most 256
 * MiB as single rows) or below the free-disk floor; EDGEOPS_E_IO (nothing written) Threads: any.
 * Blocks: one write(2), and one sync with durability power. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_append_table(
    edgeops_store *store, const edgeops_table *table, edgeops_append_result *result);

/** The same for n tables, all or none of them in one write and one sync.
 *
 *  @param tables  n; their assets may differ or be the same, they go in in their order; all
 * together take at most 256 MiB as single rows Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_append_tables(
    edgeops_store *store, const edgeops_table *tables, size_t n, edgeops_append_result *result);

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
 * NOT_NULL. Numbers of all types are compared exactly, text by its bytes, a bool as 0 or 1. */
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
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_blob(void **data, size_t *size,
                                                                edgeops_store *store,
                                                                const uint8_t *digest);

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
 * macro. */
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
 *  @param rows    how many were written
 *  @param layout  arrays of `capacity` rows; what is in them after a failure is not defined
 *  @return EDGEOPS_OK; EDGEOPS_E_LIMIT when there are more than `capacity` rows; EDGEOPS_E_INVALID
 *          for text (as FLOAT64 also for a blob) or a type that is not allowed, channel named;
 *          else as edgeops_store_read()
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_read_into(uint64_t *rows,
                                                                     edgeops_store *store,
                                                                     const edgeops_query *query,
                                                                     const edgeops_layout *layout);

typedef struct edgeops_cursor edgeops_cursor;

/** Opens a cursor over an asset in order of arrival, which goes on for ever: the feed of a
 * deployment.
 *
 *  @param asset     need not exist yet
 *  @param channels  NULL: all; a channel that does not exist yet reads as null float64
 *  @param after     ordinal after which to start, 0 for the first sample, UINT64_MAX for what comes
 *  Threads: one at a time. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_cursor_open(edgeops_cursor **out, edgeops_store *store, const char *asset,
                    const char *const *channels, size_t channel_count, uint64_t after);

/** The next rows in order of arrival.
 *
 *  @param block     borrowed until the next call on this cursor
 *  @param max_rows  1..65536
 *  @return EDGEOPS_OK with at least one row; EDGEOPS_DONE when there is nothing now
 *  Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_cursor_next(edgeops_cursor *cursor,
                                                                 size_t max_rows,
                                                                 const edgeops_table **block);

/** How many ordinals it passed over since it was opened, because their rows are not there any more:
 * retention dropped them, or they cannot be read. Since 0.1. */
EDGEOPS_API uint64_t edgeops_cursor_skipped(const edgeops_cursor *cursor);

/** NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_cursor_close(edgeops_cursor *cursor);

/** What is known of a channel. */
typedef struct edgeops_channel_info {
    const char *name;
    const char *unit;
    edgeops_type type;
    uint32_t length; /**< elements of a value, 1 for a scalar */
} edgeops_channel_info;

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
 * and is passed through. */
typedef edgeops_status (*edgeops_asset_fn)(const edgeops_asset_info *asset, void *user_data);

/** Walks the assets.
 *
 *  @param pattern  NULL for all, else a name in which '*' stands for any run of characters
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_assets(edgeops_store *store,
                                                                  const char *pattern,
                                                                  edgeops_asset_fn fn,
                                                                  void *user_data);

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
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_rename_asset(edgeops_store *store,
                                                                        const char *from,
                                                                        const char *to);

/** Gives a channel of an asset another name; the same holds as for an asset.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (asset, channel); EDGEOPS_E_EXISTS; EDGEOPS_E_INVALID
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_rename_channel(edgeops_store *store,
                                                                          const char *asset,
                                                                          const char *from,
                                                                          const char *to);

/** Removes an asset with its samples and labels. The ordinals of one that is made later under the
 * same name go on behind those of this one.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_BUSY when a dataset holds it (named in the
 * detail) Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_remove_asset(edgeops_store *store,
                                                                        const char *asset);

/** What someone says about a time or an interval of an asset. Labels are never changed: a
 * correction is a label of its own, and what was taken back or replaced stays in the history. Each
 * call that adds or takes back makes a new version of all labels, counted from 1. */
typedef struct edgeops_label {
    int64_t id; /**< given by the store, from 1; ignored when adding */
    const char *asset;
    edgeops_time start;
    edgeops_time end;     /**< exclusive; == start: a point in time */
    const char *label;    /**< 1..256 bytes of UTF-8 */
    const char *author;   /**< who says it, at most 256 bytes; "" if not known */
    edgeops_time created; /**< set by the store */
    const char *source;   /**< how it came, at most 256 bytes, such as "cli", "import:FILE" or
                             "mqtt:SOURCE/TOPIC"; NULL when adding: "api" */
    uint64_t version;     /**< of the labels that it came with; set by the store */
    int64_t replaces;     /**< id of the label that it corrects, 0 for none; set by the store */
    uint64_t
        withdrawn; /**< version from which on it counts no more, 0: it does; set by the store */
    int64_t place; /**< of the labels that cover one instant the one with the highest place wins:
                      its id, for a correction the place of what it corrects; set by the store */
} edgeops_label;

/** Adds n labels: all or none. The newest of two labels that cover one instant wins.
 *
 *  @param first_id  optional; id of the first, the others follow
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (end before start, bad text); EDGEOPS_E_NOTFOUND (asset)
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_label(edgeops_store *store,
                                                                 const edgeops_label *labels,
                                                                 size_t n, int64_t *first_id);

/** What edgeops_store_label_new() did. */
typedef struct edgeops_label_result {
    uint64_t added;
    uint64_t duplicates; /**< left out */
} edgeops_label_result;

/** Adds those of n labels that are not there yet, all or none of them, so that it can be called
 * again: for files that are imported twice and messages that are delivered twice. The same asset,
 * start, end, text and author as a label that is in force, as one that was corrected since, or as
 * an earlier one of these n: it is there. One that was taken back is not.
 *
 *  @param result  optional; untouched after a failure
 *  @return as edgeops_store_label()
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_label_new(edgeops_store *store,
                                                                     const edgeops_label *labels,
                                                                     size_t n,
                                                                     edgeops_label_result *result);

/** Corrects a label: adds one that takes its place and its rank among others that cover the same
 * instants. What a dataset was frozen with stays.
 *
 *  @param new_id  optional
 *  @param id      one that is in force
 *  @param label   asset NULL or the same one; everything else as in edgeops_store_label()
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID (as there, or another asset); EDGEOPS_E_NOTFOUND (no such
 * label, or it was replaced or taken back: the detail tells by what)
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_correct(int64_t *new_id,
                                                                   edgeops_store *store, int64_t id,
                                                                   const edgeops_label *label);

/** Borrowed for the call. Anything but EDGEOPS_OK ends the walk and is passed through. */
typedef edgeops_status (*edgeops_label_fn)(const edgeops_label *label, void *user_data);

/** Walks the labels that are in force, sorted by asset, start and id.
 *
 *  @param asset  NULL for all
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (asset)
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_labels(edgeops_store *store,
                                                                  const char *asset,
                                                                  edgeops_label_fn fn,
                                                                  void *user_data);

/** Which labels to walk. Make it with the INIT macro; zero or NULL means no condition. */
typedef struct edgeops_label_query {
    size_t struct_size;
    const char *asset;  /**< name, '*' stands for any run of characters */
    const char *label;  /**< exactly this text */
    const char *author; /**< exactly this one; "" for those without */
    edgeops_time start; /**< those that cover an instant from here on */
    edgeops_time end;   /**< and before this one; EDGEOPS_TIME_MAX: to the last */
    uint64_t version;   /**< those that were in force at this version; 0: now */
    int64_t id;         /**< this one with all that it corrects and that corrects it, by id; nothing
                           else is looked at then */
    uint32_t history;   /**< not 0: also what is not in force any more, at any version */
    uint64_t limit;     /**< first so many; 0: all */
    int64_t after;      /**< go on behind the label with this id, the last one of the page before */
} edgeops_label_query;
#define EDGEOPS_LABEL_QUERY_INIT                                                                   \
    {                                                                                              \
        sizeof(edgeops_label_query), NULL, NULL, NULL, EDGEOPS_TIME_MIN, EDGEOPS_TIME_MAX, 0, 0,   \
            0, 0, 0                                                                                \
    }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_label_query_init(edgeops_label_query *query, size_t struct_size);

/** Walks labels, sorted by asset, start and id; those that come while it walks are left out, unless
 * with `history`.
 *
 *  @param version  optional; the version at which was looked: give it to get further pages of the
 *                  same state
 *  @return EDGEOPS_OK (also with none); EDGEOPS_E_INVALID for a version that is yet to come;
 *          EDGEOPS_E_NOTFOUND (`id` or `after`)
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_store_find_labels(uint64_t *version, edgeops_store *store, const edgeops_label_query *query,
                          edgeops_label_fn fn, void *user_data);

/** Takes a label back. What a dataset was frozen with stays. EDGEOPS_E_NOTFOUND if there is none.
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_store_unlabel(edgeops_store *store,
                                                                   int64_t id);

/** What a point on a common rate takes of a channel whose samples stand beside it. */
typedef enum edgeops_fill {
    EDGEOPS_FILL_PREVIOUS = 0, /**< its last value at or before the point */
    EDGEOPS_FILL_LINEAR = 1, /**< float64: on the line to the value of the very next row, where that
                                has one; all else as PREVIOUS */
    EDGEOPS_FILL_NONE = 2    /**< its last value within the period that ends at the point */
} edgeops_fill;

/** How a dataset is parted into what a model learns from and what it is measured with. */
typedef enum edgeops_split {
    EDGEOPS_SPLIT_NONE = 0,
    EDGEOPS_SPLIT_TIME = 1,    /**< the newest rows are for the test */
    EDGEOPS_SPLIT_GROUP = 2,   /**< whole assets are */
    EDGEOPS_SPLIT_FRACTION = 3 /**< blocks of time of each asset, drawn by the seed */
} edgeops_split;

/** Where a row of a parted dataset belongs. */
typedef enum edgeops_subset {
    EDGEOPS_SUBSET_TRAIN = 0,
    EDGEOPS_SUBSET_TEST = 1,
    EDGEOPS_SUBSET_VALIDATION = 2
} edgeops_subset;

/** What to freeze. Append-only. Zero means default for every field after `end`.
 *
 * The order of things: rows of the range; put on the common rate; filtered; labelled; parted.
 *
 * Common rate (period > 0): each asset's rows become points at the multiples of the period since
 * the epoch, from its first row in the range to its last one; a pause of more than 65,536 points
 * starts anew. A point takes values as `fill` says, the label of the last row at or before it, and
 * seq 0. It is the grid of a workflow's window with a rate: both give the same points.
 *
 * Filter: conditions parted by "and", at most 16: `temp >= 20`, `state == 'run'`, `ok == true`,
 * `x is not null`; names with blanks or < > = ! in "...". A null meets no comparison. The channels
 * need not be among the dataset's. With a period the points are looked at, else the rows.
 *
 * Windows: what a training must cut, in rows or in time; a workflow whose manifest says otherwise
 * is refused.
 *
 * Split: it is frozen, and the same on every machine. TIME: rows from test_from on, or the last
 * `test` (0..1) of the time from the dataset's first row to its last one; validation stands before
 * the test. GROUP: test_assets, or a part `test` of the assets, at least one, in the order of
 * mix(F(asset) + seed * 0x9e3779b97f4a7c15). FRACTION: block b = floor(time / block) of an asset
 * is for the test when mix(mix(F(asset) + seed * 0x9e3779b97f4a7c15) ^ b) >> 11 is below
 * test * 2^53, and for validation when it is below (test + validation) * 2^53. mix is the end of
 * splitmix64 (Steele, Lea, Flood 2014), F is FNV-1a of 64 bits (RFC 9923) over the name. A block of
 * time stays together since samples that stand side by side are alike: a model would be measured
 * with what it has learnt. */
typedef struct edgeops_dataset_options {
    size_t struct_size;
    const char *name;            /**< [a-z0-9][a-z0-9._-]{0,63} */
    const char *const *assets;   /**< names or patterns with '*' */
    size_t asset_count;          /**< at least 1 */
    const char *const *channels; /**< NULL: those that all the assets have, sorted by name */
    size_t channel_count;
    edgeops_time start;             /**< inclusive */
    edgeops_time end;               /**< exclusive */
    uint32_t labelled_only;         /**< not 0: leave rows out that no label covers */
    uint32_t fill;                  /**< edgeops_fill */
    const char *filter;             /**< NULL: all rows */
    edgeops_duration period;        /**< 0: rows stay as they came */
    edgeops_duration tolerance;     /**< with a period: an older value is null; 0: never too old */
    uint32_t window_rows;           /**< 0: none said; 1..1,000,000 */
    uint32_t window_step;           /**< rows from one window to the next, default 1 */
    edgeops_duration window;        /**< instead of rows: needs a rate here or in the manifest */
    edgeops_duration step;          /**< of such a window, default one row */
    uint32_t split;                 /**< edgeops_split */
    uint32_t reserved;              /**< 0 */
    double test;                    /**< 0..1 */
    double validation;              /**< 0..1, together below 1 */
    edgeops_time test_from;         /**< TIME: instead of test; 0: not given */
    edgeops_time validation_from;   /**< TIME: instead of validation */
    const char *const *test_assets; /**< GROUP: instead of test; names or patterns */
    size_t test_asset_count;
    const char *const *validation_assets; /**< GROUP: instead of validation */
    size_t validation_asset_count;
    uint64_t seed;          /**< GROUP and FRACTION */
    edgeops_duration block; /**< FRACTION; default: a 100th of the time from the first row to the
                               last one */
} edgeops_dataset_options;
#define EDGEOPS_DATASET_OPTIONS_INIT                                                               \
    {                                                                                              \
        sizeof(edgeops_dataset_options), NULL, NULL, 0, NULL, 0, EDGEOPS_TIME_MIN,                 \
            EDGEOPS_TIME_MAX, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0, 0, NULL, 0, NULL,   \
            0, 0, 0                                                                                \
    }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_dataset_options_init(edgeops_dataset_options *options, size_t struct_size);

/** Freezes a dataset: later samples and labels do not change it. Assets without a row in it are
 * left out.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_EXISTS; EDGEOPS_E_NOTFOUND (asset, channel); EDGEOPS_E_INVALID (no
 * rows, or a channel with different types) Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status
edgeops_dataset_create(edgeops_store *store, const edgeops_dataset_options *options);

/** One asset's part of a dataset: a table and, for each row, the label that covers it. */
typedef struct edgeops_dataset_part {
    edgeops_table *table;
    const int32_t *labels;  /**< rows; index into edgeops_dataset.label_names, -1 for none */
    const uint8_t *subsets; /**< rows; edgeops_subset; NULL without a split */
} edgeops_dataset_part;

/** A dataset in memory. Parts sorted by asset; the same columns in each. */
typedef struct edgeops_dataset {
    const char *name;
    const char *digest; /**< SHA-256, 64 hex digits, over names, types, every value and label */
    uint64_t rows;
    size_t part_count;
    const edgeops_dataset_part *parts;
    size_t label_count;
    const char *const *label_names; /**< sorted */
    edgeops_duration period;        /**< as it was made: see edgeops_dataset_options */
    uint32_t fill;
    uint32_t split; /**< edgeops_split */
    uint32_t window_rows;
    uint32_t window_step;
    edgeops_duration window;
    edgeops_duration step;
} edgeops_dataset;

/** Reads a frozen dataset and checks its digest.
 *
 *  @param out  given to the caller, free with edgeops_dataset_free()
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_CORRUPT if the values are not the frozen ones
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_open(edgeops_dataset **out,
                                                                  edgeops_store *store,
                                                                  const char *name);

/** The same without looking at the digest, which takes longer than the reading: `digest` is the
 * frozen one. The checksums of the stored columns are checked all the same. For a training that has
 * edgeops_dataset_verify() run beside it. Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_read(edgeops_dataset **out,
                                                                  edgeops_store *store,
                                                                  const char *name);

/** A dataset without its values: each part's table has its asset, rows and the columns' names,
 *  units, types and lengths, and no arrays; labels and subsets are NULL.
 *
 *  @param out  given to the caller, free with edgeops_dataset_free()
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND. Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_head(edgeops_dataset **out,
                                                                  edgeops_store *store,
                                                                  const char *name);

/** Memory of the caller's for a dataset: each array has its `rows`, part after part. Make it with
 * the INIT macro. */
typedef struct edgeops_dataset_layout {
    size_t struct_size;
    uint64_t capacity;             /**< rows for which each of the arrays has room */
    const char *const *channels;   /**< which, in which order; NULL: those of the dataset */
    size_t channel_count;          /**< of `channels`, `values` and `targets` */
    edgeops_time *times;           /**< optional */
    int64_t *seqs;                 /**< optional */
    double *values;                /**< float64[rows, channels], row-major; or NULL and `targets` */
    const edgeops_target *targets; /**< for each channel */
    int32_t *labels;               /**< optional; index into label_names, -1 for none */
    int32_t *groups;               /**< optional; number of the part */
    uint8_t *subsets;              /**< optional; edgeops_subset, 0 without a split */
} edgeops_dataset_layout;
#define EDGEOPS_DATASET_LAYOUT_INIT                                                                \
    { sizeof(edgeops_dataset_layout), 0, NULL, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL }

/** Same as the INIT macro, for callers that cannot use it. Any thread. Since 0.1. */
EDGEOPS_API void edgeops_dataset_layout_init(edgeops_dataset_layout *layout, size_t struct_size);

/** Reads a frozen dataset straight into the caller's arrays, as edgeops_dataset_read() without
 *  memory in between; a large one of several parts on two threads. The digest is not looked at.
 *
 *  @param layout  what is in its arrays after a failure is not defined
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND (dataset, channel); EDGEOPS_E_LIMIT when it has more rows
 *          than `capacity`; EDGEOPS_E_INVALID as edgeops_store_read_into(); EDGEOPS_E_CORRUPT
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_read_into(
    edgeops_store *store, const char *name, const edgeops_dataset_layout *layout);

/** Reads a frozen dataset in pieces of a few MiB and checks its digest.
 *
 *  @return EDGEOPS_OK; EDGEOPS_E_NOTFOUND; EDGEOPS_E_CORRUPT if the values are not the frozen ones
 *  Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_verify(edgeops_store *store,
                                                                    const char *name);

/** NULL is allowed. Since 0.1. */
EDGEOPS_API void edgeops_dataset_free(edgeops_dataset *dataset);

/** Removes a dataset, not its samples. EDGEOPS_E_NOTFOUND. Threads: any. Since 0.1. */
EDGEOPS_API EDGEOPS_NODISCARD edgeops_status edgeops_dataset_remove(edgeops_store *store,
                                                                    const char *name);

EDGEOPS_END_DECLS

#endif /* EDGEOPS_STORE_H */
