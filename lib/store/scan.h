/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of an asset that a selection wants, in the order of (time, seq), a slice at a time: one
 * state of the store from the opening to the end, in the memory of a few chunks.
 *
 * A chunk that overlaps with no other chunk and no row in memory is returned undecoded: the caller
 * decodes only what it needs. Overlapping chunks (late samples, rows that came in parts) are merged
 * first, a piece of time after the other, and the parts of a row become one. A chunk is not read
 * when its statistics show that none of its rows is wanted. */
#ifndef EOP_STORE_SCAN_H
#define EOP_STORE_SCAN_H

#include "column/merge.h"
#include "store/pieces.h"
#include "store/read.h"
#include "store/readers.h"
#include "store/scan_memory.h"
#include "store/telemetry.h"

/** At least one row, in order. */
typedef struct eop_slice {
    const eop_chunk_info *chunk; /**< NULL: the rows are in `rows` */
    const eop_rows *rows;        /**< complete, with the columns of the scan; borrowed until the
                                      next step */
    size_t from;
    size_t to;
    const uint32_t *keep; /**< NULL: all of [from, to); else `count` of them, ascending */
    size_t count;
    const uint8_t *later; /**< NULL, or for each of `rows` 1 where it began elsewhere; only of
                               eop_scan_next_loose() */
} eop_slice;

/** The row of the slice's chunk, or of its `rows`, that is number i of the slice. */
static inline size_t eop_slice_row(const eop_slice *slice, size_t i) {
    return slice->keep != NULL ? slice->keep[i] : slice->from + i;
}

/** What a scan knows of a chunk. */
typedef struct eop_scan_entry {
    eop_rows *rows; /**< decoded; NULL: not, or no longer */
    size_t bytes;   /**< of them */
    bool judged;
    bool out; /**< none of its rows is wanted */
} eop_scan_entry;

typedef struct eop_scan {
    edgeops_store *store;
    eop_selection want;
    uint32_t *channels;  /**< channels of the columns, then of the conditions */
    size_t column_count; /**< columns without those of the conditions */
    eop_telemetry reader;
    bool reading;
    eop_scan_rows memory; /**< rows that are not in chunks, sorted, each once */
    eop_chunk_list chunks;
    bool splits;       /**< rows in some chunks, or in memory, began elsewhere */
    eop_pieces pieces; /**< when `cut` */
    bool cut;
    size_t next;
    uint64_t skip;            /**< rows to skip, for `last` */
    uint64_t left;            /**< rows left, for `limit` */
    const eop_piece *merging; /**< the piece whose blocks are given; NULL: none */
    eop_merge merge;
    uint32_t *sources; /**< for each run of the merge: the chunk, UINT32_MAX: memory */
    size_t *firsts;    /**< and its first row there */
    size_t source_capacity;
    size_t first_capacity;
    size_t block;    /**< rows of a block */
    size_t at;       /**< merged rows that were given */
    eop_rows merged; /**< the block; `shown` borrows from it and from decoded chunks */
    eop_rows shown;
    eop_scan_entry *entries; /**< for each chunk; NULL: nothing is known yet */
    size_t cached;           /**< bytes of the decoded chunks */
    eop_rows spare;          /**< the decoded chunk that is not kept */
    eop_rows spare_keys;     /**< the same without columns */
    uint8_t *cut_later;      /**< slice->later of a chunk that was cut at an ordinal */
    eop_vector tested;       /**< the column of a condition */
    uint32_t *keep;
    size_t keep_capacity;
    bool has_keys; /**< reader.keys belong to the slice's chunk */
} eop_scan;

/** Opens a scan; dispose of it also after a failure. columns: n, with the types of want->channels;
 * their elements are not read. E_NOTFOUND when the asset is gone. */
edgeops_status eop_scan_open(eop_scan *scan, edgeops_store *store, const eop_selection *want,
                             const eop_vector *columns, size_t n);
void eop_scan_dispose(eop_scan *scan);
/** EDGEOPS_DONE: no more. */
edgeops_status eop_scan_next(eop_scan *scan, eop_slice *slice);
/** An upper bound of the number of rows. */
uint64_t eop_scan_bound(const eop_scan *scan);
/* Without an order, and without joining the parts of a row: the wanted rows of each chunk, and
 * those in memory. Each cell is there once, each row once where it is not `later`. */

/** *loose: that gives the wanted cells and rows, because no row is split, or no condition asks for
 * whole rows and retention dropped no chunk in which one of the rows began. */
edgeops_status eop_scan_is_loose(bool *loose, eop_scan *scan);
/** The next of these slices, which may be empty; not beside eop_scan_next(). EDGEOPS_DONE: no
 * more. */
edgeops_status eop_scan_next_loose(eop_scan *scan, eop_slice *slice);

#endif /* EOP_STORE_SCAN_H */
