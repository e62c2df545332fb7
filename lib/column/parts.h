/* SPDX-License-Identifier: Apache-2.0 */
/* Rows whose cells came in parts. A time's values may come in several appends: each is an arrival
 * with an ordinal of its own, and all of one (time, seq) are one row. Here rows are whole, one for
 * each (time, seq), and an eop_parts beside them says which arrival brought which of their cells:
 * so rows can be read at once, and still be cut at an ordinal or given in order of arrival.
 *
 * A collection is an eop_rows and its eop_parts: the block of a memtable, or a chunk. Its arrivals
 * have the ordinals first .. first + count - 1 without a gap, and eop_rows.ordinals has for each
 * row
 * the ordinal of its first arrival in the collection. A row whose first part of all is not in the
 * collection, but in an older one, is marked `later`. Rows that all came whole need no eop_parts.
 * Not locked. */
#ifndef EOP_COLUMN_PARTS_H
#define EOP_COLUMN_PARTS_H

#include "base/str.h"
#include "column/rows.h"

typedef struct eop_parts {
    uint32_t *rows;   /**< arrival i went to this row */
    uint32_t *shapes; /**< 0: it was the first of its row here, and brought all cells of the row
                           that no other arrival here brought; else the number of a shape */
    size_t count;
    size_t capacity;
    uint8_t *later; /**< one a row: 1 when the row began in an older collection; NULL: none did */
    size_t later_capacity;
    size_t row_count;
    size_t later_count;
    /* Shapes: sets of channels, ascending. Shape s > 0 is channels[ends[s - 1] .. ends[s]), with
     * ends[0] = 0. Equal sets have one number. */
    uint16_t *channels;
    size_t channel_capacity;
    uint32_t *ends;
    size_t shape_count; /**< ends has shape_count + 1 entries */
    size_t end_capacity;
    uint32_t *slots; /**< finds a shape by its channels */
    size_t slot_mask;
} eop_parts;

void eop_parts_dispose(eop_parts *parts);
/** Forgets all; keeps memory. */
void eop_parts_clear(eop_parts *parts);
/** n rows that each came whole: arrival i is row i. `parts` is empty. */
edgeops_status eop_parts_begin(eop_parts *parts, size_t n);
/** The next arrival begins the next row. later: the row began in an older collection. */
edgeops_status eop_parts_row(eop_parts *parts, bool later);
/** The next arrival joins a row that is here, with these n channels, ascending, n may be 0. */
edgeops_status eop_parts_join(eop_parts *parts, uint32_t row, const uint16_t *channels, size_t n);
/** Back to the first n arrivals and the rows that they began. Cells are the caller's. */
void eop_parts_truncate(eop_parts *parts, size_t n);
/** The channels of a shape > 0. */
static inline const uint16_t *eop_parts_shape(size_t *n, const eop_parts *parts, uint32_t shape) {
    *n = parts->ends[shape] - parts->ends[shape - 1];
    return parts->channels + parts->ends[shape - 1];
}
static inline bool eop_parts_later(const eop_parts *parts, size_t row) {
    return parts->later != NULL && parts->later[row] != 0;
}
/** Whether arrival i is a later part of its row: not the first of all. */
static inline bool eop_parts_is_later(const eop_parts *parts, size_t i) {
    return parts->shapes[i] != 0 || eop_parts_later(parts, parts->rows[i]);
}
size_t eop_parts_bytes(const eop_parts *parts);

/** Makes null what came after an ordinal: rows [at, at + to - from) of `rows` are rows [from, to)
 * of
 * the collection; column k is channel channels[k] (UINT32_MAX: none; channels NULL: k). Rows whose
 * first arrival came after it stay; the caller leaves them out by their ordinals. first: ordinal of
 * arrival 0. The columns may lag. */
edgeops_status eop_parts_hide(eop_rows *rows, size_t at, const eop_parts *parts, uint64_t first,
                              size_t from, size_t to, uint64_t max_ordinal,
                              const uint32_t *channels);
/** Appends arrivals [from, to) as rows with the cells that each brought, in order of arrival, with
 * their ordinals kept. rows: of the collection, complete or lagging, sorted or not; column k is
 * channel channels[k] as above, and column k of `out`. flags: gets 1 for each later part, else 0;
 * may be NULL. */
edgeops_status eop_parts_arrivals(eop_rows *out, uint8_t *flags, const eop_rows *rows,
                                  const eop_parts *parts, uint64_t first, size_t from, size_t to,
                                  const uint32_t *channels);

/* -- collections whose column k is channel k -- */

/** How many arrivals from `from` on touch at most max_rows rows; at least 1. */
size_t eop_parts_fit(const eop_parts *parts, size_t from, size_t max_rows);
/** Arrivals [from, to) as a collection: the rows that they touch with the cells that they brought;
 * rows that began before `from` are marked later. out and out_parts are empty. */
edgeops_status eop_parts_slice(eop_rows *out, eop_parts *out_parts, const eop_rows *rows,
                               const eop_parts *parts, uint64_t first, size_t from, size_t to);
/** Appends a collection whose arrivals follow. source NULL: its rows came whole, in order of
 * arrival. A row may then be there several times until eop_parts_sort(). */
edgeops_status eop_parts_append(eop_rows *rows, eop_parts *parts, const eop_rows *source_rows,
                                const eop_parts *source);
/** Sorts the rows by (time, seq) and joins those of one key: cells of the older one win, which
 * makes
 * no difference where no cell is there twice. The rows become complete. */
edgeops_status eop_parts_sort(eop_rows *rows, eop_parts *parts, uint64_t first);
/** Joins adjacent rows of one (time, seq): each cell is the first that is not null, the ordinal the
 * least. For sorted, complete rows without parts; ordinals are kept from then on if any are
 * joined. */
edgeops_status eop_rows_fold(eop_rows *rows);

/* -- as a BLOB: the slot PARTS of a chunk --
 *
 *   u8      version = 1
 *   u8      form of the body: 0 plain, 1 a zstd frame
 *   u16     0
 *   u32     crc32c of bytes 0..3 and of all bytes from 8 on
 *   varint  arrivals, varint rows, varint later rows, varint shapes, varint bytes of the body in
 * full
 *   body    for each shape: varint channels, then each as varint difference to the one before;
 *           for each arrival: zigzag varint of its row minus the row of the arrival before (the
 * first:
 *           minus 0), varint shape;
 *           with later rows: a bitmap of (rows + 7) / 8 bytes, bit i % 8 of byte i / 8 */

void eop_parts_encode(eop_buf *buf, const eop_parts *parts);
/** Trusts nothing: E_CORRUPT for damage, E_VERSION for an unknown version. arrivals and rows: what
 * the
 * chunk says; channel_limit: channels are below it. `parts` is empty. */
edgeops_status eop_parts_decode(eop_parts *parts, const void *blob, size_t size, size_t arrivals,
                                size_t rows, uint32_t channel_limit);
/** The ordinals of the rows: of the first arrival of each. ordinals: row_count. */
void eop_parts_ordinals(uint64_t *ordinals, const eop_parts *parts, uint64_t first);

#endif /* EOP_COLUMN_PARTS_H */
