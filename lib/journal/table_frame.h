/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of one asset as columns in a journal frame. A payload holds such blocks and rows of frame.h,
 * one after the other. Little-endian, not aligned:
 *
 *   block  = u32 0xffffffff (no asset has that id), u32 bytes of the rest of the block,
 *            u32 asset id, u32 rows (1 .. EOP_CHUNK_ROWS), u64 ordinal of the first row,
 *            u16 columns, u16 0, u32 times bytes, u32 seqs bytes, times, seqs, columns
 *   times  = an int64 for each row, as a BLOB of chunk.h
 *   seqs   = the same; 0 bytes when all are 0
 *   column = u16 channel, u8 type, u8 0, u32 elements of a row, u32 bytes, a BLOB of chunk.h
 *
 * A channel that is null in all rows has no column. */
#ifndef EOP_JOURNAL_TABLE_FRAME_H
#define EOP_JOURNAL_TABLE_FRAME_H

#include "base/str.h"
#include "column/rows.h"

/** Marks a block; a row has its asset id here. */
#define EOP_TABLE_MARK UINT32_MAX

/** Appends a block of rows, complete and at most EOP_CHUNK_ROWS, that has no asset, ordinal and
 * channels yet. Sets buf->failed when memory runs out. */
void eop_table_frame_put(eop_buf *buf, const eop_rows *rows);

/** Sets asset, ordinal and channels of the block at `block` and returns the place of the next one.
 * channels: one for each vector of the rows. */
char *eop_table_frame_assign(char *block, uint32_t asset, uint64_t ordinal,
                             const uint32_t *channels);

typedef struct eop_table_frame_column {
    uint32_t channel;
    edgeops_type type;
    uint32_t length;
    const char *blob;
    size_t size;
} eop_table_frame_column;

typedef struct eop_table_frame {
    uint32_t asset;
    uint64_t ordinal;
    size_t rows;
    size_t column_count;
    const char *at; /**< the next column */
    const char *end;
    const char *times;
    size_t times_size;
    const char *seqs;
    size_t seqs_size;
} eop_table_frame;

/** Whether a block, not a row, is next. */
bool eop_table_frame_is_next(const char *data, const char *end);
/** Takes a block off the front of *data. E_CORRUPT: malformed. */
edgeops_status eop_table_frame_open(eop_table_frame *out, const char **data, const char *end);
/** Reads the next column. DONE: there are no more. E_CORRUPT: malformed. */
edgeops_status eop_table_frame_next(eop_table_frame_column *out, eop_table_frame *frame);
/** Reads times and seqs of all rows into `rows`, which is empty. */
edgeops_status eop_table_frame_keys(eop_rows *rows, const eop_table_frame *frame);

#endif /* EOP_JOURNAL_TABLE_FRAME_H */
