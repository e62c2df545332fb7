/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of an asset that a selection wants, in the order of (time, seq), a slice at a time: one
 * state of the store from the opening to the end, in the memory of a few chunks.
 *
 * Chunks that no other chunk and no row in memory reaches into are given as they are, undecoded:
 * who takes the slice decodes only what it needs. Where chunks overlap (late samples) their rows
 * are merged first. A chunk of which the statistics say that none of its rows is wanted is not
 * read. */
#ifndef EOP_STORE_SCAN_H
#define EOP_STORE_SCAN_H

#include "store/read.h"
#include "store/readers.h"
#include "store/telemetry.h"

/** Chunks and rows in memory that must be merged, or one chunk, or rows in memory alone. */
typedef struct eop_piece {
    size_t chunk;
    size_t chunk_count;
    size_t from; /**< rows in memory */
    size_t to;
} eop_piece;

/** Rows one after the other; never none. */
typedef struct eop_slice {
    const eop_chunk_info *chunk; /**< NULL: they are in `rows` */
    const eop_rows *rows;        /**< with the columns of the scan, complete; borrowed until next */
    size_t from;
    size_t to;
    const uint32_t *keep; /**< NULL: all of [from, to); else `count` of them, ascending */
    size_t count;
} eop_slice;

typedef struct eop_scan {
    edgeops_store *store;
    eop_selection want;
    uint32_t *channels;  /**< of the columns, then of the conditions */
    size_t column_count; /**< without those of the conditions */
    eop_telemetry reader;
    bool reading;
    eop_rows memory; /**< rows that are not in the chunks, sorted */
    eop_chunk_list chunks;
    eop_piece *pieces;
    size_t piece_count;
    size_t piece_capacity;
    size_t next;
    uint64_t skip; /**< rows of the next piece, for `last` */
    uint64_t left; /**< for `limit` */
    eop_rows merged;
    eop_vector tested; /**< column of a condition */
    uint32_t *keep;
    size_t keep_capacity;
    bool has_keys; /**< reader.keys are of the chunk of the slice */
} eop_scan;

/** Opens a scan; dispose it in any case. columns: types of the columns of want->channels, n of
 * them; their elements are not read. E_NOTFOUND when the asset is gone. */
edgeops_status eop_scan_open(eop_scan *scan, edgeops_store *store, const eop_selection *want,
                             const eop_vector *columns, size_t n);
void eop_scan_dispose(eop_scan *scan);
/** EDGEOPS_DONE: no more. */
edgeops_status eop_scan_next(eop_scan *scan, eop_slice *slice);
/** As many rows as there may be at most. */
uint64_t eop_scan_bound(const eop_scan *scan);
/** The same without an order, for who needs none: the wanted rows of chunk i, and those in memory.
 * They may be none. */
edgeops_status eop_scan_chunk(eop_slice *slice, eop_scan *scan, size_t i);
edgeops_status eop_scan_memory(eop_slice *slice, eop_scan *scan);
/** Decodes times, seqs and ordinals of the slice's chunk into scan->reader.keys, once. */
edgeops_status eop_scan_keys(eop_scan *scan, const eop_slice *slice);

#endif /* EOP_STORE_SCAN_H */
