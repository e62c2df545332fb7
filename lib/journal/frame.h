/* SPDX-License-Identifier: Apache-2.0 */
/* The payload of a journal frame: rows, one after the other. Little-endian, not aligned:
 *
 *   row   = u32 asset id, u16 number of cells | 0x8000 for a later part, u64 ordinal, i64 time,
 *           i64 seq, then the cells
 *   cell  = u16 tag (channel | type << 12), then by type (edgeops_type):
 *           a number  its 8, 4, 2 or 1 bytes; BOOL 1 byte
 *           STRING    u32 size, then that many bytes
 *           BLOB      40 bytes (edgeops_blob)
 *           14        an array: u8 element type, u8 0, u16 0, u32 size, then that many bytes of
 *                     elements
 *
 * Before the cell of a value with a quality code come u16 tag (channel | 15 << 12) and u16 code;
 * both together count as one cell. A null has no cell. A later part joins a row that is stored
 * already, here or in an older segment, and has only cells that are new in it. */
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
    uint32_t channel; /**< position in the asset, < EOP_CHANNELS_MAX */
    uint16_t quality; /**< EDGEOPS_QUALITY_NONE: no code */
    edgeops_value value;
} eop_cell;

typedef struct eop_frame_row {
    uint32_t asset;
    uint32_t cell_count;
    uint64_t ordinal;
    int64_t time;
    int64_t seq;
    bool later; /**< a later part of the row of this (time, seq) */
} eop_frame_row;

/** The most bytes that a value takes in a frame, without a quality code. */
static inline size_t eop_frame_cell_bound(const edgeops_value *value) {
    return value->type == EDGEOPS_TYPE_BLOB ? 2 + sizeof(edgeops_blob) : 10 + (size_t)value->size;
}
#define EOP_FRAME_QUALITY 4u /* bytes of a quality code */

/** Appends a row without its null cells. Sets buf->failed when memory runs out. */
void eop_frame_put(eop_buf *buf, const eop_frame_row *row, const eop_cell *cells);

/** Takes the next row off the front of *data. cells: room for EOP_CHANNELS_MAX; strings, arrays and
 * blobs are borrowed from the data. @return EDGEOPS_OK; EDGEOPS_DONE at the end;
 * EDGEOPS_E_CORRUPT */
edgeops_status eop_frame_next(eop_frame_row *row, eop_cell *cells, const char **data,
                              const char *end);

#endif /* EOP_JOURNAL_FRAME_H */
