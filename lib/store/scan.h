/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of an asset that a selection wants, in the order of (time, seq), a slice at a time: one
 * state of the store from the opening to the end, in the memory of a few chunks.
 *
 * A chunk that overlaps with no other chunk and no row in memory is returned undecoded: the caller
 * decodes only what it needs. Overlapping chunks (late samples) are merged first. A chunk is not
 * read when its statistics show that none of its rows is wanted. */
#ifndef EOP_STORE_SCAN_H
#define EOP_STORE_SCAN_H

#include "store/read.h"
#include "store/readers.h"
#include "store/telemetry.h"

/** One chunk, rows in memory, or chunks and rows in memory that must be merged. */
typedef struct eop_piece {
    size_t chunk;
    size_t chunk_count;
    size_t from; /**< rows in memory */
    size_t to;
} eop_piece;

/** At least one row, in order. */
typedef struct eop_slice {
    const eop_chunk_info *chunk; /**< NULL: the rows are in `rows` */
    const eop_rows *rows;        /**< complete, with the columns of the scan; borrowed until the
                                      next step */
    size_t from;
    size_t to;
    const uint32_t *keep; /**< NULL: all of [from, to); else `count` of them, ascending */
    size_t count;
} eop_slice;

typedef struct eop_scan {
    edgeops_store *store;
    eop_selection want;
    uint32_t *channels;  /**< channels of the columns, then of the conditions */
    size_t column_count; /**< columns without those of the conditions */
    eop_telemetry reader;
    bool reading;
    eop_rows memory; /**< rows that are not in chunks, sorted */
    eop_chunk_list chunks;
    eop_piece *pieces;
    size_t piece_count;
    size_t piece_capacity;
    size_t next;
    uint64_t skip; /**< rows of the next piece to skip, for `last` */
    uint64_t left; /**< rows left, for `limit` */
    eop_rows merged;
    eop_vector tested; /**< the column of a condition */
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
/** The same without an order: the wanted rows of chunk i, and those in memory. A slice may be
 * empty. */
edgeops_status eop_scan_chunk(eop_slice *slice, eop_scan *scan, size_t i);
edgeops_status eop_scan_memory(eop_slice *slice, eop_scan *scan);
/** Decodes times, seqs and ordinals of the slice's chunk into scan->reader.keys, unless they are
 * there. */
edgeops_status eop_scan_keys(eop_scan *scan, const eop_slice *slice);

#endif /* EOP_STORE_SCAN_H */
