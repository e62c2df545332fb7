/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal frame carries: rows, one after the other. Little-endian, not aligned:
 *
 *   row   = u32 asset id, u16 cells, u64 ordinal, i64 time, i64 seq, then the cells
 *   cell  = u16 tag (channel | type << 12), then by type: FLOAT64 and INT64 8 bytes, BOOL 1 byte,
 *           STRING u32 size and that many bytes
 *
 * A null is a cell that is not there. */
#ifndef EOP_STORE_FRAME_H
#define EOP_STORE_FRAME_H

#include <stdbool.h>

#include "base/str.h"
#include "edgeops/types.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the files of the store are little-endian: give frame.c, journal.c and chunk.c byte swaps"
#endif

#define EOP_CHANNELS_MAX  1024u
#define EOP_FRAME_ROW_MAX 30u /* bytes of a row without cells */

typedef struct eop_cell {
    uint32_t channel; /**< position within the asset, < EOP_CHANNELS_MAX */
    edgeops_value value;
} eop_cell;

typedef struct eop_frame_row {
    uint32_t asset;
    uint32_t cell_count;
    uint64_t ordinal;
    int64_t time;
    int64_t seq;
} eop_frame_row;

/** Bytes that a value takes at most in a frame. */
static inline size_t eop_frame_cell_bound(const edgeops_value *value) {
    return value->type == EDGEOPS_TYPE_STRING ? 6 + (size_t)value->size : 10;
}

/** Puts a row; null cells are left out. Sets buf->failed when there is no memory. */
void eop_frame_put(eop_buf *buf, const eop_frame_row *row, const eop_cell *cells);

/** Takes the next row off the front of *data. cells: EOP_CHANNELS_MAX of them; strings point into
 * the data.
 *  @return EDGEOPS_OK; EDGEOPS_DONE at the end; EDGEOPS_E_CORRUPT */
edgeops_status eop_frame_next(eop_frame_row *row, eop_cell *cells, const char **data,
                              const char *end);

#endif /* EOP_STORE_FRAME_H */
