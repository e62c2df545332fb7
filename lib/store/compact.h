/* SPDX-License-Identifier: Apache-2.0 */
/* Merging chunks. A segment has few rows of a slow asset, often one, and a chunk costs more than a
 * few values. So the newest chunks of an asset, while they are small, are merged with new rows when
 * that makes a full chunk, or one EOP_COMPACT_FACTOR times as large as the largest of them. So each
 * row is written at most log(EOP_CHUNK_CUT) times, to the base of that factor. Ordinals stay the
 * same, so readers see no difference.
 *
 * Parts of a row become one row of the merged chunk, so its rows may be no more than before. How
 * large a chunk is, is counted in arrivals then, which never become fewer; and a chunk is thought
 * to become full only when it surely does: what began in a chunk is a row of its own. So a merge
 * makes a full chunk, which is not touched again, or one with EOP_COMPACT_FACTOR times the
 * arrivals; and each arrival is written at most log(EOP_PARTS_MAX) times, to the base of that
 * factor, and once more when a full chunk is cut off it.
 *
 * Full chunks get ids from EOP_CHUNK_FULL_ID on, small ones ids below. Full ones are only ever
 * added at the end of their tables, which fills the pages; small ones reuse the pages of earlier
 * small ones. */
#ifndef EOP_STORE_COMPACT_H
#define EOP_STORE_COMPACT_H

#include "store/telemetry.h"

#define EOP_COMPACT_FACTOR 8u
#define EOP_COMPACT_RUN    64u /* chunks that are merged at once */
/** Rows of a cut chunk: a column of plain 8-byte values fills two pages. Fewer where rows are wide.
 * A chunk with three quarters of this is full and is not merged again. */
#define EOP_CHUNK_CUT     4080u
#define EOP_CHUNK_CUT_MIN 16u
#define EOP_CHUNK_FULL_ID (INT64_C(1) << 40)

/** Chunks that overlap in time, so that their rows may be parts of one another. */
typedef struct eop_compact_group {
    int64_t t0;
    int64_t t1;
    size_t begun; /**< rows that began in them: no two of these are the same */
    size_t most;  /**< rows of the largest */
} eop_compact_group;

/** What is known of what some chunks would become. At most EOP_COMPACT_RUN of them and new rows. */
typedef struct eop_compact_sum {
    eop_compact_group groups[EOP_COMPACT_RUN + 1]; /**< no two overlap */
    size_t group_count;
    size_t rows; /**< at most */
    size_t arrivals;
    size_t largest; /**< most arrivals of one of them */
    bool parts;     /**< some came in parts */
} eop_compact_sum;
void eop_compact_add(eop_compact_sum *sum, const eop_chunk_info *chunk);
/** Whether they surely become a full chunk. */
bool eop_compact_makes_full(const eop_compact_sum *sum, size_t cut);
/** Whether parts make them too many to merge at once. */
bool eop_compact_too_much(const eop_compact_sum *sum, size_t cut);

/** Inside a transaction: takes the chunks that are worth merging with new rows, in chunks of `cut`,
 * out of the database. news: what the new rows would be as one chunk. `rows` has the columns of the
 * chunks, no rows, and gets what eop_compact_read() gives, without a gap up to the new ones. None:
 * nothing is to be merged. *budget: chunks that may be taken; is made smaller. A chunk that cannot
 * be read stays, with all before it. */
edgeops_status eop_compact_take(eop_rows *rows, eop_parts *parts, eop_telemetry *telemetry,
                                uint32_t asset, const eop_chunk_info *news, size_t cut,
                                size_t *budget);

/** Reads chunks without a gap, given newest first, into `rows`, which has their columns and no
 * rows. Where all came whole, `parts` stays empty and the rows are complete and in order of
 * arrival. Else `parts` belongs to them, and parts of one row may still be several:
 * eop_parts_sort(). rows->first_ordinal is the first one. *count shrinks when a chunk cannot be
 * read: it and those before it are left out. cut: rows of a full chunk. */
edgeops_status eop_compact_read(eop_rows *rows, eop_parts *parts, size_t *count,
                                eop_telemetry *telemetry, const eop_chunk_info *chunks, size_t cut);

typedef struct eop_compacted {
    uint64_t assets;
    uint64_t asset_count; /**< of them to look at; the rest of the work is done behind them */
    uint64_t chunks;      /**< that were rewritten */
    uint64_t into;        /**< how many they became */
    uint64_t before;      /**< bytes of catalog, journal and chunks */
    uint64_t after;
} eop_compacted;
/** Called now and then with the progress; false ends the work (E_CANCELED). */
typedef bool (*eop_compact_fn)(const eop_compacted *so_far, void *user_data);
/** Merges all chunks that are not full of the assets that match (NULL: all), rewrites those of an
 * older format, and returns free pages to the file system. Reads and appends go on. fn may be NULL.
 * Not from the writer's thread. */
edgeops_status eop_store_compact(eop_compacted *out, edgeops_store *store, const char *pattern,
                                 eop_compact_fn fn, void *user_data);

#endif /* EOP_STORE_COMPACT_H */
