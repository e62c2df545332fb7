/* SPDX-License-Identifier: Apache-2.0 */
/* One column of a chunk as a BLOB, format 3. Little-endian; varints as in pack.h.
 *
 *   u8      version = 3
 *   u8      type (edgeops_type)
 *   u8      flags: 1 array, 2 nulls, 4 quality
 *   u8      0
 *   u32     crc32c of bytes 0..3 and of all bytes from 8 on
 *   varint  rows
 *   only with flag 1 (else a row has one element):
 *     varint  length: elements of a row, >= 2
 *   only with flag 2 (else no row is null):
 *     varint  count of the rows that are not null
 *     u8      form: 0 bitmap, 1 runs
 *     bitmap  (rows + 7) / 8 bytes; bit i % 8 of byte i / 8 is set when row i is not null
 *     runs    varints: the length of a run of rows that are not null, of a run of null rows, and so
 *             on in turn until all rows are covered; only the first one may be 0
 *   only with flag 4: the quality codes of the rows that are not null, 0xffff for none:
 *     u8      form: 0 plain, 1 runs
 *     plain   a u16 for each
 *     runs    varint run, u16 code, and so on until each row has one
 *   pages   the elements of the rows that are not null, 4096 a page (fewer in the last one); where
 *           there is more than one page, a u32 with its size in bytes stands before each
 *
 * A page of any type but STRING. An element in its width is the number as its type stores it (8
 * bytes for FLOAT64 down to one byte, 0 or 1, for BOOL), or the 40 bytes of an edgeops_blob.
 *
 *   u8      mode
 *   0 raw       the elements in their width
 *   1 constant  the one element that all are
 *   2 whole     packed integers (pack.h); those of unsigned types and of BOOL have no sign
 *   3 decimal   FLOAT64 and FLOAT32 only:
 *                 u8         bits 0..3 exponent, bit 7 narrow
 *                 varint     odd
 *                 u16 [odd]  places, ascending
 *                 elements   those of these places, in their width
 *                 packed integers; those of odd places do not count
 *               element = integer / 10^exponent in double arithmetic, rounded to nearest; when
 *               narrow or FLOAT32, then rounded to a float
 *   4 bits      FLOAT64 and FLOAT32 only: packed integers. With b the bits of the element as a
 *               signed number of its width, the integer is b where b is not negative, else b with
 *               all bits but the sign inverted
 *   5 selected  varint choices, the choices in their width, packed integers: the number of the
 *               choice of each element
 *
 * A page of STRING:
 *
 *   varint  choices
 *   u32     size of what follows
 *           packed integers: the bytes of each choice
 *   u8      form of the text of all choices: 0 plain, 1 a zstd frame
 *   varint  size of what follows
 *           the text
 *           packed integers: the number of the choice of each element
 *
 * Format 2, which is only read, is in chunk_v2.h. A version, flag, form or mode that is not known
 * was written by a newer program (version and flags: E_VERSION), or the column is damaged. */
#ifndef EOP_COLUMN_CHUNK_H
#define EOP_COLUMN_CHUNK_H

#include "base/str.h"
#include "column/rows.h"

#define EOP_CHUNK_ROWS 4096u

/** Appends the BLOB of all elements to buf; sets buf->failed when there is no memory. */
void eop_chunk_encode(eop_buf *buf, const eop_vector *vector);
/** The same for plain int64 without nulls: times, seqs and ordinals. */
void eop_chunk_encode_int(eop_buf *buf, const int64_t *values, size_t n);
/** Both in less time and more bytes: for what is kept for a moment only, as in the journal. */
void eop_chunk_encode_quick(eop_buf *buf, const eop_vector *vector);
void eop_chunk_encode_int_quick(eop_buf *buf, const int64_t *values, size_t n);

/** Appends rows [from, to) of a BLOB of `rows` rows to a vector of its type and length. Trusts
 * nothing in the BLOB: E_CORRUPT. */
edgeops_status eop_chunk_decode(eop_vector *vector, const void *blob, size_t size, size_t rows,
                                size_t from, size_t to);
/** All values of a BLOB of plain int64. */
edgeops_status eop_chunk_decode_int(int64_t *values, const void *blob, size_t size, size_t rows);

/** Where decoded numbers go: row i of the range to out + i * stride, its elements one after the
 * other there. */
typedef struct eop_chunk_target {
    void *out;         /**< aligned to the type */
    size_t stride;     /**< bytes from row to row */
    edgeops_type type; /**< the column's or FLOAT64; FLOAT64 takes the nearest double of any number,
                            1 and 0 of BOOL */
    uint8_t *valid;    /**< NULL, or a flag for each row: 1, or 0 for null */
} eop_chunk_target;

/** Writes rows [from, to) of a BLOB of `rows` rows of `length` elements of a numeric type or BOOL.
 * Nulls are NaN, or 0 where the target's type has none. What is in the target after a failure is
 * undefined. */
edgeops_status eop_chunk_decode_to(const eop_chunk_target *target, const void *blob, size_t size,
                                   edgeops_type type, uint32_t length, size_t rows, size_t from,
                                   size_t to);
/** What stands beside a BLOB. min, max and sum are of the values that are neither null nor NaN;
 * STRING, BLOB and arrays have none. */
typedef struct eop_chunk_stats {
    uint64_t count; /**< of those values */
    uint64_t nulls;
    double min;
    double max;
    double sum;
    int64_t min_i64; /**< integers and BOOL: exact, but INT64_MAX for a UINT64 above it */
    int64_t max_i64;
} eop_chunk_stats;
/** Whether it has min, max and sum. */
bool eop_chunk_measures(const eop_vector *vector);
void eop_chunk_measure(eop_chunk_stats *stats, const eop_vector *vector);

#endif /* EOP_COLUMN_CHUNK_H */
