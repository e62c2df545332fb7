/* SPDX-License-Identifier: Apache-2.0 */
/* Cuts what is read of an asset into pieces of time: one after the other they are all of it, and
 * each lists the chunks and the rows in memory that it has to do with. Chunks that overlap are cut
 * inside, so that a piece never needs more than the chunks of one stretch of time. All rows of one
 * time are in one piece. No SQL, no lock. */
#ifndef EOP_STORE_PIECES_H
#define EOP_STORE_PIECES_H

#include "store/telemetry.h"

typedef struct eop_piece {
    int64_t from; /**< inclusive; the chunks may have rows before it */
    int64_t to;   /**< inclusive; and behind it */
    size_t first; /**< of eop_pieces.chunks */
    size_t count;
    size_t row; /**< its rows in memory */
    size_t row_end;
    bool later; /**< some of its rows began in an older chunk or segment */
} eop_piece;

typedef struct eop_pieces {
    eop_piece *items;
    size_t count;
    size_t capacity;
    uint32_t *chunks; /**< indexes of chunks; those of a piece in order of arrival */
    size_t chunk_count;
    size_t chunk_capacity;
} eop_pieces;

/** chunks: sorted by t0. memory: sorted. later: some rows in memory began in an older segment or
 * chunk. `pieces` is empty. */
edgeops_status eop_pieces_cut(eop_pieces *pieces, const eop_chunk_list *chunks,
                              const eop_rows *memory, bool later);
void eop_pieces_dispose(eop_pieces *pieces);

#endif /* EOP_STORE_PIECES_H */
