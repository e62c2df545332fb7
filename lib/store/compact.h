/* SPDX-License-Identifier: Apache-2.0 */
/* Merging chunks. A segment has few rows of a slow asset, often one, and a chunk costs more than a
 * few values. So the newest chunks of an asset, while they are small, are merged with new rows when
 * that makes a full chunk, or one EOP_COMPACT_FACTOR times as large as the largest of them. So each
 * row is written at most log(EOP_CHUNK_CUT) times, to the base of that factor. Ordinals stay the
 * same, so readers see no difference.
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

/** Inside a transaction: takes the chunks that are worth merging with the n rows from ordinal
 * `first` on, in chunks of `cut`, out of the database; `rows` has their columns, no rows, and gets
 * those of the chunks in order of arrival, complete and without a gap up to `first`. None: nothing
 * is to be merged. *budget: chunks that may be taken; is made smaller. A chunk that cannot be read
 * stays, with all before it. */
edgeops_status eop_compact_take(eop_rows *rows, eop_telemetry *telemetry, uint32_t asset,
                                uint64_t first, size_t n, size_t cut, size_t *budget);

/** Reads chunks without a gap, given newest first, into `rows`, in order of arrival; `rows` has
 * their columns and no rows. *count shrinks when a chunk cannot be read: it and those before it are
 * left out. */
edgeops_status eop_compact_read(eop_rows *rows, size_t *count, eop_telemetry *telemetry,
                                const eop_chunk_info *chunks);

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
