/* SPDX-License-Identifier: Apache-2.0 */
/* data/telemetry.db: the chunks. A chunk is what an asset got with the ordinals ord0..ord1
 * without a gap, at most EOP_CHUNK_ROWS rows of it, sorted by (time, seq). Later parts of a row of
 * the chunk are in that row; those of an older row are a row of the chunk, marked later.
 *
 *   chunk   id, asset, t0, t1, ord0, ord1, rows + 65536 * later: the number of its rows, and of
 *           those that began in an older chunk
 *   cell    id = chunk id << 11 | slot; data: a BLOB of column/chunk.h. Slots:
 *             0..1023  the channel at that position; no cell when it is null in all rows
 *             1024     times
 *             1025     seqs; no cell when all are 0
 *             1026     ordinals minus ord0; no cell when they ascend, or with parts
 *             1027     parts (column/parts.h): which of the appends ord0..ord1 brought which
 *                      cells; no cell when each row came whole and began here
 *           One table for all, because rows of different sizes fill its pages better.
 *   stat    for each cell of a channel, under its id: count, nulls, min, max, sum
 *   blob    digest, size and number of cells' values that refer to it
 *   state   what is known of an asset's rows in chunks; bytes of their columns; number of rows that
 *           retention dropped, and their greatest time
 *   rollup  what is left of an asset's dropped rows: `id` is the asset of the chunks that hold it
 *   meta    'applied': number of the last journal segment whose rows are here; 'home': see home.c
 *
 * A segment becomes chunks, state and `applied` in one transaction. */
#ifndef EOP_STORE_TELEMETRY_H
#define EOP_STORE_TELEMETRY_H

#include "catalog/sql.h"
#include "column/chunk.h"
#include "store/memtable.h"

typedef struct eop_telemetry {
    eop_sql sql;
    eop_rows keys;   /* keys of the chunk read last */
    eop_parts parts; /* of that chunk, if it has some */
    /* Of that chunk: a bit for each channel that it has, once `known`. */
    uint64_t channels[EOP_CHANNELS_MAX / 64];
    bool known;
    /* Ids of the next small and the next full chunk; 0: not known yet. */
    int64_t next_id[2];
    int wal_pages; /* of the writing connection: pages in the WAL after its last commit */
    int64_t grown; /* bytes of columns written minus those removed since the last reset */
} eop_telemetry;

/** make: create the file when it is missing. access: as for eop_sql_open(). */
edgeops_status eop_telemetry_open(eop_telemetry *telemetry, const char *path, bool make,
                                  const eop_access *access);
void eop_telemetry_close(eop_telemetry *telemetry);

/** Ids of assets from this one on are rollups. */
#define EOP_ROLLUP_ID UINT32_C(0x80000000)

/** Reads the number of its home, 0 when it has none yet. */
edgeops_status eop_telemetry_home(int64_t *out, eop_telemetry *telemetry);
edgeops_status eop_telemetry_set_home(eop_telemetry *telemetry, int64_t number);
/** For the writing connection, whose struct must not move: a commit and all before it are on the
 * disk when it returns, because a segment of the journal is removed once its rows are in chunks. */
edgeops_status eop_telemetry_begin_writing(eop_telemetry *telemetry);

/* -- writing; one connection, one thread at a time -- */

/** Writes a sealed segment as chunks, after measuring its blocks. Writes nothing when the segment
 * is applied: the commit of an earlier try was reported as failed but took effect. */
edgeops_status eop_telemetry_write(eop_telemetry *telemetry, const eop_segment *segment);
/** Removes some chunks of an asset. DONE: none was left, and the asset is forgotten. */
edgeops_status eop_telemetry_drop(eop_telemetry *telemetry, uint32_t asset);

/** Returns some free pages to the file system. DONE: there are none. */
edgeops_status eop_telemetry_shrink(eop_telemetry *telemetry);
/** Size of the WAL after the last commit, including what was copied. */
uint64_t eop_telemetry_wal_bytes(const eop_telemetry *telemetry);
/** Copies as much of the WAL as snapshots allow; *bytes: size of the WAL, including what was
 * copied. Nothing else checkpoints, so call it after writing. */
void eop_telemetry_checkpoint(uint64_t *bytes, eop_telemetry *telemetry);
/** Copies all of the WAL and empties it. False when somebody reads or writes. */
bool eop_telemetry_truncate(eop_telemetry *telemetry);

/* -- reading -- */

/** Begins a snapshot: until eop_telemetry_end() all reads see one state. */
edgeops_status eop_telemetry_begin(eop_telemetry *telemetry);
void eop_telemetry_end(eop_telemetry *telemetry);
edgeops_status eop_telemetry_applied(uint64_t *out, eop_telemetry *telemetry);

typedef struct eop_state {
    eop_extent extent;
    uint64_t bytes;   /**< bytes of the columns in chunks */
    uint64_t dropped; /**< rows that retention dropped */
    int64_t until;    /**< their greatest time; INT64_MIN: none */
} eop_state;
typedef edgeops_status (*eop_state_fn)(uint32_t asset, const eop_state *state, void *user_data);
edgeops_status eop_telemetry_states(eop_telemetry *telemetry, eop_state_fn fn, void *user_data);

typedef struct eop_chunk_info {
    int64_t id;
    int64_t t0;
    int64_t t1;
    uint64_t ord0;
    uint64_t ord1;
    size_t rows;
    size_t later; /**< of the rows: they began in an older chunk or segment */
} eop_chunk_info;

/** Whether the chunk has a slot of parts: then ord1 - ord0 + 1 >= rows. */
static inline bool eop_chunk_has_parts(const eop_chunk_info *chunk) {
    return chunk->later > 0 || chunk->ord1 - chunk->ord0 != chunk->rows - 1;
}

typedef struct eop_chunk_list {
    eop_chunk_info *items;
    size_t count;
    size_t capacity;
} eop_chunk_list;

/** Appends the chunks of an asset that may have rows in [from, to], sorted by t0. */
edgeops_status eop_telemetry_find(eop_chunk_list *list, eop_telemetry *telemetry, uint32_t asset,
                                  int64_t from, int64_t to);
/** Finds the chunk with this ordinal, else the next one. EDGEOPS_DONE: none. */
edgeops_status eop_telemetry_at(eop_chunk_info *out, eop_telemetry *telemetry, uint32_t asset,
                                uint64_t ordinal);
/** The greatest t1 below and the least t0 above a time; INT64_MIN and INT64_MAX when there is
 * none. */
edgeops_status eop_telemetry_gap(int64_t *below, int64_t *above, eop_telemetry *telemetry,
                                 uint32_t asset, int64_t time);

/** Which rows of a chunk are wanted. */
typedef struct eop_chunk_filter {
    int64_t from; /**< time, inclusive */
    int64_t to;   /**< inclusive */
    uint64_t max_ordinal;
} eop_chunk_filter;
/** Appends the rows of a chunk as they were at max_ordinal: rows that came later are left out,
 * cells that came later are null. filter NULL: all rows. channels[k] is the channel of column k of
 * `rows`, or UINT32_MAX for one that is always null; NULL: k. */
edgeops_status eop_telemetry_read(eop_rows *rows, eop_telemetry *telemetry,
                                  const eop_chunk_info *chunk, const eop_chunk_filter *filter,
                                  const uint32_t *channels);

/* Parts of eop_telemetry_read(), for callers that do not need all of it. */

/** Reads which arrivals brought what of a chunk's rows. `parts` is empty. DONE: the chunk has no
 * parts. */
edgeops_status eop_telemetry_parts(eop_parts *parts, eop_telemetry *telemetry,
                                   const eop_chunk_info *chunk);
/** Reads times, seqs and ordinals of a chunk into telemetry->keys, and its parts, if it has some,
 * into telemetry->parts. The ordinal of a row is that of its first arrival in the chunk. */
edgeops_status eop_telemetry_keys(eop_telemetry *telemetry, const eop_chunk_info *chunk);
/** Appends rows [from, to) of the chunk whose keys were read last. */
edgeops_status eop_telemetry_slice(eop_rows *rows, eop_telemetry *telemetry,
                                   const eop_chunk_info *chunk, const uint32_t *channels,
                                   size_t from, size_t to);
/** Which channels have a value in the chunk: a bit for each, EOP_CHANNELS_MAX of them. */
edgeops_status eop_telemetry_channels(uint64_t *set, eop_telemetry *telemetry,
                                      const eop_chunk_info *chunk);
/** The BLOB of a channel, borrowed until the next call. DONE: the channel is null in all rows. */
edgeops_status eop_telemetry_cell(const void **blob, size_t *size, eop_telemetry *telemetry,
                                  const eop_chunk_info *chunk, uint32_t channel);
/** The statistics of a channel. DONE as above. */
edgeops_status eop_telemetry_stats(eop_chunk_stats *stats, eop_telemetry *telemetry,
                                   const eop_chunk_info *chunk, uint32_t channel);
/** The statistics of the channels first..last, ascending, that have some: call begin, then next
 * until it returns DONE. In a snapshot. */
edgeops_status eop_telemetry_stats_begin(eop_telemetry *telemetry, const eop_chunk_info *chunk,
                                         uint32_t first, uint32_t last);
edgeops_status eop_telemetry_stats_next(uint32_t *channel, eop_chunk_stats *stats,
                                        eop_telemetry *telemetry);

#endif /* EOP_STORE_TELEMETRY_H */
