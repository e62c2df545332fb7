/* SPDX-License-Identifier: Apache-2.0 */
/* Rows whose cells came in parts. A time's values may come in several appends: each is an arrival
 * with an ordinal of its own, and all of one (time, seq) are one row. Here rows are whole, one for
 * each (time, seq), and an eop_parts beside them says which arrival brought which of their cells:
 * so rows can be read at once, and still be cut at an ordinal or given in order of arrival.
 *
 * A collection is an eop_rows and its eop_parts: the block of a memtable, or a chunk. Its arrivals
 * have the ordinals first .. first + count - 1 without a gap, and eop_rows.ordinals has for each
 * row the ordinal of its first arrival in the collection: whoever joins rows keeps ordinals. A row
 * whose first part of all is not in the collection, but in an older one, is marked `later`. Rows
 * that all came whole need no eop_parts. A cell comes once: no two arrivals of a row have a channel
 * in common. Not locked.
 *
 * Costs, also where a row has 1,000 arrivals: adding an arrival takes the time of its channels;
 * hiding, slicing and reading arrivals take the time of the rows and arrivals that they touch, not
 * of the collection; append, sort, encode and decode are one pass over the collection, and the sort
 * of its rows. */
#ifndef EOP_COLUMN_PARTS_H
#define EOP_COLUMN_PARTS_H

#include "base/map.h"
#include "base/str.h"
#include "column/rows.h"

/** Arrivals of a collection are fewer: at most 12 MiB of memory beside its rows. */
#define EOP_PARTS_MAX  (1u << 20)
#define EOP_PARTS_NONE UINT32_MAX

typedef struct eop_parts {
    uint32_t *rows;   /**< arrival i went to this row */
    uint32_t *shapes; /**< 0: it was the first of its row here, and brought all cells of the row
                           that no other arrival here brought; else the number of a shape */
    uint32_t *before; /**< the arrival before it of the same row; EOP_PARTS_NONE: the first */
    size_t count;
    size_t capacity;
    uint32_t *last; /**< one a row: its newest arrival */
    uint8_t *later; /**< one a row: 1 when the row began in an older collection; NULL: none did */
    size_t row_count;
    size_t row_capacity;
    size_t later_count;
    /* Shapes: sets of channels, ascending. Shape s > 0 is channels[ends[s - 1] .. ends[s]), with
     * ends[0] = 0. Equal sets have one number. */
    uint16_t *channels; /**< not NULL when there is a shape, also an empty one */
    size_t channel_capacity;
    uint32_t *ends;
    size_t shape_count; /**< ends has shape_count + 1 entries, or is NULL when it is 0 */
    size_t end_capacity;
    uint32_t channel_limit; /**< all channels of shapes are below it */
    eop_map numbers;        /**< finds shapes 1 .. numbered by their channels */
    size_t numbered;
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
/** Back to the first n arrivals and the rows that they began, which are the first ones: not for
 * rows that were sorted. Cells are the caller's. */
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
/** Whether no arrival is a later part: the rows need no eop_parts. */
static inline bool eop_parts_all_whole(const eop_parts *parts) {
    return parts->later_count == 0 && parts->count == parts->row_count;
}
/** Whoever brought a channel brought another one, too: its values in another type. DONE: no shape has
 * it, or each has the other one already. */
edgeops_status eop_parts_alias(eop_parts *parts, uint16_t channel, uint16_t also);
size_t eop_parts_bytes(const eop_parts *parts);
/** The ordinals of the rows: of the first arrival of each. ordinals: row_count. */
void eop_parts_ordinals(uint64_t *ordinals, const eop_parts *parts, uint64_t first);

/* -- parts_cut.c: some arrivals of a collection -- */

/** Makes null what came after an ordinal: rows [at, at + to - from) of `rows` are rows [from, to)
 * of the collection; column k is channel channels[k] (UINT32_MAX: none; channels NULL: k). Rows
 * whose first arrival came after it stay; the caller leaves them out by their ordinals. first:
 * ordinal of arrival 0. The columns may lag. After a failure some cells are null, others not. */
edgeops_status eop_parts_hide(eop_rows *rows, size_t at, const eop_parts *parts, uint64_t first,
                              size_t from, size_t to, uint64_t max_ordinal,
                              const uint32_t *channels);
/** Appends arrivals [from, to) as rows with the cells that each brought, in order of arrival, with
 * their ordinals kept. rows: of the collection, complete or lagging, sorted or not; column k is
 * channel channels[k] as above, and column k of `out`, to which missing columns are added. Columns
 * of `out` may lag. flags: gets 1 for each later part, else 0; may be NULL. All or nothing. */
edgeops_status eop_parts_arrivals(eop_rows *out, uint8_t *flags, const eop_rows *rows,
                                  const eop_parts *parts, uint64_t first, size_t from, size_t to,
                                  const uint32_t *channels);
/** How many arrivals from `from` on touch at most max_rows rows; at least 1, at most
 * EOP_PARTS_MAX. */
size_t eop_parts_fit(const eop_parts *parts, size_t from, size_t max_rows);
/** Arrivals [from, to) as a collection, whose first ordinal is first + from: the rows that they
 * touch, in the order of their first arrival, with the cells that they brought; rows that began
 * before `from` are marked later. Column k is channel k. out and out_parts are empty, and are of
 * no use after a failure. */
edgeops_status eop_parts_slice(eop_rows *out, eop_parts *out_parts, const eop_rows *rows,
                               const eop_parts *parts, uint64_t first, size_t from, size_t to);

/* -- parts_fold.c: collections, whose column k is channel k, become one -- */

/** Appends a collection whose arrivals follow. source NULL: its rows came whole, in order of
 * arrival. A row may then be there several times until eop_parts_sort(). All or nothing. */
edgeops_status eop_parts_append(eop_rows *rows, eop_parts *parts, const eop_rows *source_rows,
                                const eop_parts *source);
/** Sorts the rows by (time, seq) and joins those of one key: cells of the older one win, which
 * makes no difference where no cell is there twice. The rows become complete, and get the ordinals
 * of their first arrivals. After a failure both are of no use. */
edgeops_status eop_parts_sort(eop_rows *rows, eop_parts *parts, uint64_t first);
/** Joins adjacent rows of one (time, seq): each cell is the first that is not null, the ordinal the
 * least. For sorted, complete rows without parts; ordinals are kept from then on if any are
 * joined. After a failure the rows are of no use. */
edgeops_status eop_rows_fold(eop_rows *rows);

/* -- parts_code.c: as a BLOB, the slot PARTS of a chunk; numbers as in pack.h --
 *
 *   u8      version = 1
 *   u8 [3]  0
 *   u32     crc32c of bytes 0..3 and of all bytes from 8 on
 *   varint  arrivals, varint rows, varint later rows, varint shapes, varint bytes of the body
 *   bytes   the body, packed as packed_bytes.h says:
 *             for each shape: varint channels, then each as varint difference to the one before,
 *             the first to -1, so that none is 0;
 *             for each arrival: zigzag varint of its row minus the row of the arrival before, the
 *             first minus 0;
 *             for each arrival: varint shape;
 *             with later rows: a bitmap of (rows + 7) / 8 bytes, bit i % 8 of byte i / 8 */

/** Appends the BLOB; sets buf->failed when there is no memory. */
void eop_parts_encode(eop_buf *buf, const eop_parts *parts);
/** Trusts nothing: E_CORRUPT for damage, E_VERSION for an unknown version. arrivals and rows: what
 * the chunk says; channel_limit: channels are below it. `parts` is empty, and stays so after a
 * failure. */
edgeops_status eop_parts_decode(eop_parts *parts, const void *blob, size_t size, size_t arrivals,
                                size_t rows, uint32_t channel_limit);

/* -- what these files share -- */

/** The number of a shape, which is added where it is new. */
edgeops_status eop_parts_number(uint32_t *shape, eop_parts *parts, const uint16_t *channels,
                                size_t n);
/** Makes room for as many arrivals and rows more. */
edgeops_status eop_parts_reserve(eop_parts *parts, size_t arrivals, size_t rows);
/** Appends the arrivals of another collection, whose row 0 is the next row. All or nothing. */
edgeops_status eop_parts_extend(eop_parts *parts, const eop_parts *source);
/** Sets `before` and `last` by `rows`. */
void eop_parts_chain(eop_parts *parts);

#endif /* EOP_COLUMN_PARTS_H */
