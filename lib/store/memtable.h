/* SPDX-License-Identifier: Apache-2.0 */
/* The series: assets with those of their rows that are in the journal only, and with what is known
 * of the others. Under the store's lock, but for the blocks of a sealed segment, which no longer
 * change. */
#ifndef EOP_STORE_MEMTABLE_H
#define EOP_STORE_MEMTABLE_H

#include "catalog/asset_list.h"
#include "column/parts.h"
#include "column/rows.h"
#include "journal/frame.h"

/** Memory of each block that is not counted: every asset costs it, however few rows it has.
 * Counting it would seal segments of many assets early, into smaller chunks, and save no memory. */
#define EOP_BLOCK_FREE 2048u

typedef struct eop_series eop_series;
typedef struct eop_keys eop_keys;

/** Bounds of some rows of an asset. */
typedef struct eop_extent {
    uint64_t rows;    /**< first parts: a later part of a row is not a row */
    uint64_t parts;   /**< later parts */
    uint64_t ordinal; /**< of the last row or part */
    int64_t first;    /**< least time of a row or part; 0 without rows */
    int64_t last;     /**< greatest (time, seq) */
    int64_t last_seq;
} eop_extent;

/** Rows of one asset in one segment, with consecutive ordinals; column k is channel k. With parts a
 * later part whose row is in the block sets cells of that row; any other one is a row of its own,
 * marked later. Then data.ordinals has the ordinals of the rows, and those of all arrivals begin
 * with data.first_ordinal. */
typedef struct eop_block {
    eop_rows data;
    eop_parts *parts; /**< NULL: each row came whole and began here */
    int64_t t_min;
    int64_t t_max;
    bool whole;         /**< sealed, and has a column for each channel of the asset */
    bool sorted;        /**< strictly ascending by (time, seq) */
    bool splits;        /**< no chunk gets rows from both sides of `split` */
    int64_t split;      /**< a time; set by the writer's thread under the lock */
    eop_keys *keys;     /**< of an unsorted block, see find.h; made at the first search */
    size_t found;       /**< the row that the last search found */
    eop_series *series; /**< NULL: the asset was removed while the segment was written */
    uint32_t asset_id;
    uint64_t segment;
    uint64_t memory;                   /**< memory of its rows; never shrinks */
    eop_extent extent;                 /**< set by eop_block_measure() */
    struct eop_block *next;            /**< the asset's next newer block */
    struct eop_block *next_in_segment; /**< the segment's next block, in no order */
} eop_block;

/** How many ordinals the block has. */
static inline size_t eop_block_arrivals(const eop_block *block) {
    return block->parts != NULL ? block->parts->count : block->data.rows;
}
/** The ordinal behind the last of the block. */
static inline uint64_t eop_block_end(const eop_block *block) {
    return block->data.first_ordinal + eop_block_arrivals(block);
}

/** The rows of a segment. */
typedef struct eop_segment {
    uint64_t number;
    uint64_t bytes;
    uint64_t memory; /**< memory of its blocks, each beyond EOP_BLOCK_FREE; never shrinks */
    uint64_t write;  /**< number of the last write that brought rows */
    eop_block *blocks;
    struct eop_segment *next;
} eop_segment;

/** Up to which row an asset is surely durable. Writes are numbered by the store. */
typedef struct eop_progress {
    uint64_t ordinal;     /**< durable up to this ordinal */
    uint64_t mid_ordinal; /**< durable up to this one once mid_write is on the disk */
    uint64_t mid_write;   /**< 0: there is none */
    uint64_t write;       /**< the write that brought the newest rows */
} eop_progress;

/** An asset with its rows and what is known of them. */
struct eop_series {
    eop_asset asset; /* first: eop_asset_list */
    eop_extent all;
    eop_extent stored; /**< of the rows in chunks */
    bool seen_known;
    int64_t seen;     /**< if seen_known: greatest time that was not ahead of the clock; INT64_MIN:
                           none */
    uint64_t dropped; /**< rows that retention dropped */
    int64_t until;    /**< their greatest time, INT64_MIN: none; samples up to it are expired */
    eop_progress progress;
    uint64_t blobs_synced; /**< the blobs of rows up to this ordinal are on the disk */
    uint64_t replayed;     /**< newest ordinal that came from the journal, 0: none */
    bool torn;             /**< the journal lacked some of its arrivals, or they did not fit */
    eop_block *blocks;     /**< oldest first */
    eop_block *newest;
    uint64_t touch; /**< number of the call that appended last, and the index in its list */
    size_t touch_index;
};

/** For lists whose items are series. NULL when there is none. */
static inline eop_series *eop_series_find(const eop_asset_list *list, const char *name) {
    return (eop_series *)eop_asset_list_find(list, name);
}
static inline eop_series *eop_series_by_id(const eop_asset_list *list, uint32_t id) {
    return (eop_series *)eop_asset_list_by_id(list, id);
}
static inline eop_series *eop_series_at(const eop_asset_list *list, size_t i) {
    return (eop_series *)list->items[i];
}
/** Initializes a loaded asset: no rows yet; the first follows its base. */
void eop_series_begin(eop_series *series);
/** Adds a series with the next id; its first row follows ordinal `base`. */
edgeops_status eop_series_add(eop_series **out, eop_asset_list *list, const char *name,
                              uint64_t base);
/** Removes trailing channels, which no row may use, until n remain. */
void eop_series_drop_channels(eop_series *series, uint32_t n);

/** Appends a row or a later part to the asset's block in the segment; makes a block when there is
 * none or the ordinal does not follow. A later part whose row is in the block sets cells of that
 * row; cells that the row has already are left out. Grows the asset's extent. All or nothing. */
edgeops_status eop_memtable_push(eop_series *series, eop_segment *segment, const eop_frame_row *row,
                                 const eop_cell *cells);
/** Notes the write that brought the rows behind ordinal `before`; those up to `durable` are
 * durable. */
void eop_series_note_write(eop_series *series, uint64_t before, uint64_t write, uint64_t durable);
/** The ordinal up to which rows are surely durable. Never decreases, and reaches the newest row
 * when all writes are durable. */
uint64_t eop_series_durable(const eop_series *series, uint64_t durable);
/** Complete rows, strictly ascending by (time, seq) and newer than all of the asset, with their
 * first_ordinal set. channels: of each vector; UINT32_MAX: it is left out. give: its
 * arrays may be taken, and what is in `rows` is void then. All or nothing. */
edgeops_status eop_memtable_push_rows(eop_series *series, eop_segment *segment, eop_rows *rows,
                                      const uint32_t *channels, bool give);
/** Undoes what came last into the asset's newest block until n arrivals remain; frees an empty
 * block. */
void eop_memtable_pop(eop_series *series, eop_segment *segment, size_t n);

/** A search for all that is stored of a (time, seq). Several collections may have some of it: each
 * a row. */
typedef struct eop_search eop_search;
struct eop_search {
    int64_t time;
    int64_t seq;
    /** Called for each row. True: the others do not matter. May be called again for one that it
     * was given already. */
    bool (*found)(eop_search *search, const eop_rows *rows, size_t row);
    /** What is searched: rows without a cell of these channels matter only when no row is found.
     * NULL: each row matters. found() may remove some. */
    const eop_cell *cells;
    size_t count;
    bool any;   /**< a row was found */
    bool stop;  /**< found() said that the others do not matter */
    bool whole; /**< the first part was found: nothing older has any */
};
/** Notes a row. later: it may have begun in an older collection. */
static inline void eop_search_give(eop_search *search, const eop_rows *rows, size_t row,
                                   bool later) {
    search->any = true;
    search->stop = search->found(search, rows, row) || search->stop;
    search->whole = search->whole || !later;
}
/** Searches the blocks. */
edgeops_status eop_memtable_lookup(eop_search *search, const eop_series *series);
/** Adds the columns of the asset's first `limit` channels that the rows lack. */
edgeops_status eop_asset_columns(eop_rows *rows, const eop_asset *asset, uint32_t limit);
/** Gives the blocks of a sealed segment a column for each channel of their asset, as far as memory
 * allows, so that chunks may be merged with them. */
void eop_segment_complete(eop_segment *segment);
/** Computes the extent of a sealed block. */
void eop_block_measure(eop_block *block);
void eop_extent_merge(eop_extent *extent, const eop_extent *other);
/** The measured rows of a segment are in chunks now: takes its blocks out of their assets. The
 * blocks stay in the segment until eop_segment_free(). */
void eop_memtable_release(eop_segment *segment);
/** Takes the blocks of an asset, NULL: of all that were removed, out of a segment and frees them.
 * in_use: someone reads the segment without the lock; then they only leave the asset. */
void eop_segment_drop_series(eop_segment *segment, const eop_series *series, bool in_use);
void eop_segment_free(eop_segment *segment);

#endif /* EOP_STORE_MEMTABLE_H */
