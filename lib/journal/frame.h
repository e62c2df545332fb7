/* SPDX-License-Identifier: Apache-2.0 */
/* What a journal frame carries: rows, one after the other. Little-endian, not aligned:
 *
 *   row   = u32 asset id, u16 cells, u64 ordinal, i64 time, i64 seq, then the cells
 *   cell  = u16 tag (channel | type << 12), then by type: 8, 4, 2 or 1 bytes for a number of that
 *           width, BOOL 1 byte, STRING u32 size and that many bytes, BLOB 40 bytes (edgeops_blob);
 *           14: an array: u8 element type, u8 0, u16 0, u32 bytes, the elements
 *   A cell of a value with a quality code is led by u16 tag (channel | 15 << 12), u16 code; both
 *   count as one.
 *
 * A null is a cell that is not there. */
#ifndef EOP_JOURNAL_FRAME_H
#define EOP_JOURNAL_FRAME_H

#include <stdbool.h>

#include "base/str.h"
#include "base/type.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the files of the store are little-endian: give frame.c, journal.c and chunk.c byte swaps"
#endif

#define EOP_FRAME_ROW_MAX 30u /* bytes of a row without cells */

typedef struct eop_cell {
    uint32_t channel; /**< position within the asset, < EOP_CHANNELS_MAX */
    uint16_t quality; /**< EDGEOPS_QUALITY_NONE: it has none */
    edgeops_value value;
} eop_cell;

typedef struct eop_frame_row {
    uint32_t asset;
    uint32_t cell_count;
    uint64_t ordinal;
    int64_t time;
    int64_t seq;
} eop_frame_row;

/** Bytes that a value takes at most in a frame, without a quality code. */
static inline size_t eop_frame_cell_bound(const edgeops_value *value) {
    return value->type == EDGEOPS_TYPE_BLOB ? 2 + sizeof(edgeops_blob) : 10 + (size_t)value->size;
}
#define EOP_FRAME_QUALITY 4u /* bytes of a quality code */

/** Puts a row; null cells are left out. Sets buf->failed when there is no memory. */
void eop_frame_put(eop_buf *buf, const eop_frame_row *row, const eop_cell *cells);

/** Takes the next row off the front of *data. cells: EOP_CHANNELS_MAX of them; strings,
 * arrays and blobs point into the data.
 *  @return EDGEOPS_OK; EDGEOPS_DONE at the end; EDGEOPS_E_CORRUPT */
edgeops_status eop_frame_next(eop_frame_row *row, eop_cell *cells, const char **data,
                              const char *end);

#endif /* EOP_JOURNAL_FRAME_H */
