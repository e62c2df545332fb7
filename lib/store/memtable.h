/* SPDX-License-Identifier: Apache-2.0 */
/* The series: assets with those of their rows that are in the journal only, and with what is known
 * of the others. Under the store's lock, but for the blocks of a sealed segment, which no longer
 * change. */
#ifndef EOP_STORE_MEMTABLE_H
#define EOP_STORE_MEMTABLE_H

#include "catalog/asset_list.h"
#include "column/rows.h"
#include "journal/frame.h"

/** Memory that each block has free: what an asset costs however few its rows are. Counting it would
 * seal a segment of many assets early, into smaller chunks, and give none of it back. */
#define EOP_BLOCK_FREE 2048u

typedef struct eop_series eop_series;
typedef struct eop_keys eop_keys;

/** What is known of all rows of an asset, wherever they are. */
typedef struct eop_extent {
    uint64_t rows;
    uint64_t ordinal; /**< of the last row */
    int64_t first;    /**< least time; 0 without rows */
    int64_t last;     /**< greatest (time, seq) */
    int64_t last_seq;
} eop_extent;

/** Rows of one asset from one segment, with ascending ordinals without a gap; column k is channel
 * k. */
typedef struct eop_block {
    eop_rows data;
    int64_t t_min;
    int64_t t_max;
    bool whole;         /**< sealed, and has a column for each channel of the asset */
    bool sorted;        /**< strictly ascending by (time, seq) */
    eop_keys *keys;     /**< where not sorted: finds (time, seq), made when first asked */
    eop_series *series; /**< NULL: it was removed while the segment was written */
    uint32_t asset_id;
    uint64_t segment;
    uint64_t memory;                   /**< that its rows took; grows only */
    eop_extent extent;                 /**< set by eop_block_measure() */
    struct eop_block *next;            /**< of the asset, newer */
    struct eop_block *next_in_segment; /**< of the segment, no order */
} eop_block;

/** The rows of a segment. */
typedef struct eop_segment {
    uint64_t number;
    uint64_t bytes;
    uint64_t memory; /**< that its blocks took, each beyond EOP_BLOCK_FREE; grows only */
    uint64_t write;  /**< the last one that brought rows */
    eop_block *blocks;
    struct eop_segment *next;
} eop_segment;

/** How far an asset's rows are surely durable. Writes are those of the store. */
typedef struct eop_progress {
    uint64_t ordinal;     /**< up to here */
    uint64_t mid_ordinal; /**< up to here as soon as mid_write is */
    uint64_t mid_write;   /**< 0: there is none */
    uint64_t write;       /**< that brought the newest rows */
} eop_progress;

/** An asset with what the store knows of its rows. */
struct eop_series {
    eop_asset asset; /* first: eop_asset_list */
    eop_extent all;
    eop_extent stored; /**< of the rows in chunks */
    bool seen_known;
    int64_t seen;     /**< where known: greatest time that was not ahead of the clock when it came;
                           INT64_MIN: none */
    uint64_t dropped; /**< rows that retention dropped */
    int64_t until;    /**< their greatest time, INT64_MIN for none: what is not newer is expired */
    eop_progress progress;
    eop_block *blocks; /**< oldest first */
    eop_block *newest;
    uint64_t touch; /**< call that appended last, and where in its list */
    size_t touch_index;
};

/** The item of a list whose items are series. NULL stays NULL. */
static inline eop_series *eop_series_find(const eop_asset_list *list, const char *name) {
    return (eop_series *)eop_asset_list_find(list, name);
}
static inline eop_series *eop_series_by_id(const eop_asset_list *list, uint32_t id) {
    return (eop_series *)eop_asset_list_by_id(list, id);
}
static inline eop_series *eop_series_at(const eop_asset_list *list, size_t i) {
    return (eop_series *)list->items[i];
}
/** The asset was loaded: it has no rows yet, and they follow its base. */
void eop_series_begin(eop_series *series);
/** A new one with the next id, whose rows follow an ordinal. */
edgeops_status eop_series_add(eop_series **out, eop_asset_list *list, const char *name,
                              uint64_t base);
/** Removes the last channels, which no row uses any more, until n are left. */
void eop_series_drop_channels(eop_series *series, uint32_t n);

/** A row at the end of the asset's block in the segment, which is made where there is none or the
 * ordinal does not follow. The asset's extent grows. All or nothing. */
edgeops_status eop_memtable_push(eop_series *series, eop_segment *segment, uint64_t ordinal,
                                 int64_t time, int64_t seq, const eop_cell *cells, size_t n);
/** A write brought the rows behind the ordinal `before`; those up to `durable` are durable. */
void eop_series_note_write(eop_series *series, uint64_t before, uint64_t write, uint64_t durable);
/** Ordinal up to which the rows are surely durable. It does not go back, and it reaches the newest
 * row when all writes are durable. */
uint64_t eop_series_durable(const eop_series *series, uint64_t durable);
/** Complete rows, strictly ascending by (time, seq) and newer than all of the asset, with their
 * first_ordinal set. channels: of each vector; UINT32_MAX: it is left out. give: its
 * arrays may be taken, and what is in `rows` is void then. All or nothing. */
edgeops_status eop_memtable_push_rows(eop_series *series, eop_segment *segment, eop_rows *rows,
                                      const uint32_t *channels, bool give);
/** Takes the newest rows of the asset's newest block away until n are left; an empty block goes. */
void eop_memtable_pop(eop_series *series, eop_segment *segment, size_t n);
/** Finds a row in the blocks. *block NULL: there is none. */
edgeops_status eop_memtable_lookup(eop_block **block, size_t *row, const eop_series *series,
                                   int64_t time, int64_t seq);
/** Columns of the asset's channels up to `limit` of them, as far as the rows lack them. */
edgeops_status eop_asset_columns(eop_rows *rows, const eop_asset *asset, uint32_t limit);
/** The blocks of a sealed segment get a column for each channel that their asset has, as far as
 * there is memory: chunks may be merged with them. */
void eop_segment_complete(eop_segment *segment);
/** Sums the rows of a sealed block up. */
void eop_block_measure(eop_block *block);
void eop_extent_merge(eop_extent *extent, const eop_extent *other);
/** Rows of a segment, measured, are in chunks: they leave their assets. The blocks stay in the
 * segment until eop_segment_free(). */
void eop_memtable_release(eop_segment *segment);
/** Takes the blocks of an asset, NULL: of all that were removed, out of a segment and frees them.
 * in_use: someone reads the segment without the lock; then they only leave the asset. */
void eop_segment_drop_series(eop_segment *segment, const eop_series *series, bool in_use);
void eop_segment_free(eop_segment *segment);

#endif /* EOP_STORE_MEMTABLE_H */
