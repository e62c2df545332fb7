/* SPDX-License-Identifier: Apache-2.0 */
/* One column of a chunk as a BLOB, format 3. Little-endian; varints as in pack.h.
 *
 *   u8      version = 3
 *   u8      type (edgeops_type)
 *   u8      flags: 1 array, 2 nulls, 4 quality
 *   u8      0
 *   u32     crc32c of bytes 0..3 and of all bytes from 8 on
 *   varint  rows
 *   only with flag 1 (otherwise a row has one element):
 *     varint  length: elements of a row, >= 2
 *   only with flag 2 (otherwise no row is null):
 *     varint  number of rows that are not null
 *     u8      form: 0 bitmap, 1 runs
 *     bitmap  (rows + 7) / 8 bytes; bit i % 8 of byte i / 8 is set when row i is not null; the bits
 *             behind the last row are 0
 *     runs    varints: the length of a run of rows that are not null, then of a run of null rows,
 *             in turn until all rows are covered; only the first length may be 0
 *   only with flag 4: the quality codes of the rows that are not null; 0xffff means none:
 *     u8      form: 0 plain, 1 runs
 *     plain   a u16 for each
 *     runs    varint length, u16 code; repeated until each row has a code
 *   pages   the elements of the rows that are not null, 4096 a page; the last page may have fewer.
 *           With more than one page, a u32 before each page is its size in bytes
 *
 * A page of any type but STRING. "In full" means as the type stores an element: 8 bytes for FLOAT64
 * down to one byte, 0 or 1, for BOOL, and the 40 bytes of an edgeops_blob.
 *
 *   u8      mode
 *   0 raw       all elements in full
 *   1 constant  one element in full; all elements equal it
 *   2 whole     packed integers (pack.h), sign-extended to 64 bits for signed types and
 *               zero-extended for unsigned types and BOOL
 *   3 decimal   FLOAT64 and FLOAT32 only:
 *                 u8         bits 0..3 exponent, bit 7 narrow
 *                 varint     odd: number of elements that are stored in full
 *                 u16 [odd]  their places in the page, ascending
 *                 elements   [odd], in full
 *                 packed integers; those at odd places are ignored
 *               element = integer / 10^exponent in double arithmetic, rounded to nearest; when
 *               narrow or FLOAT32, then rounded to a float
 *   4 bits      FLOAT64 and FLOAT32 only: packed integers. Let b be the bits of the element as a
 *               signed number of its width. The integer is b where b is not negative, otherwise b
 *               with all bits but the sign inverted
 *   5 selected  varint number of choices, the choices in full, then packed integers: for each
 *               element the index of its choice
 *
 * A page of STRING:
 *
 *   varint  number of choices: the different texts of the page
 *   u32     size in bytes of the next field
 *   packed  integers: the length in bytes of each choice
 *   u8      form of the next text: 0 plain, 1 a zstd frame
 *   varint  size in bytes of the next field
 *   text    all choices one after the other, without terminators
 *   packed  integers: for each element the index of its choice
 *
 * Format 2, which is only read, is in chunk_v2.h. An unknown version or flag was written by a newer
 * program (E_VERSION). An unknown form or mode is reported as damage (E_CORRUPT). */
#ifndef EOP_COLUMN_CHUNK_H
#define EOP_COLUMN_CHUNK_H

#include "base/str.h"
#include "column/rows.h"

#define EOP_CHUNK_ROWS 4096u

/** Appends the BLOB of all elements to buf; sets buf->failed when there is no memory. */
void eop_chunk_encode(eop_buf *buf, const eop_vector *vector);
/** The same for int64 without nulls: times, seqs and ordinals. */
void eop_chunk_encode_int(eop_buf *buf, const int64_t *values, size_t n);
/** As the two above, but faster and larger: for data that is kept for a short time, as in the
 * journal. */
void eop_chunk_encode_quick(eop_buf *buf, const eop_vector *vector);
void eop_chunk_encode_int_quick(eop_buf *buf, const int64_t *values, size_t n);

/** Appends rows [from, to) of a BLOB of `rows` rows to a vector of its type and length. Trusts
 * nothing in the BLOB: a damaged one is E_CORRUPT. */
edgeops_status eop_chunk_decode(eop_vector *vector, const void *blob, size_t size, size_t rows,
                                size_t from, size_t to);
/** All values of a BLOB of plain int64. */
edgeops_status eop_chunk_decode_int(int64_t *values, const void *blob, size_t size, size_t rows);

/** Where decoded numbers go: the elements of row i of the range are written one after the other
 * from out + i * stride. */
typedef struct eop_chunk_target {
    void *out;         /**< aligned to the type */
    size_t stride;     /**< bytes from row to row */
    edgeops_type type; /**< the column's type or FLOAT64; FLOAT64 takes the nearest double of any
                            number, and 1 or 0 of BOOL */
    uint8_t *valid;    /**< NULL, or a flag for each row: 1, or 0 for null */
} eop_chunk_target;

/** Writes rows [from, to) of a BLOB of `rows` rows of `length` elements of a numeric type or BOOL.
 * Nulls become NaN, or 0 where the target's type has no NaN. After a failure the contents of the
 * target are undefined. */
edgeops_status eop_chunk_decode_to(const eop_chunk_target *target, const void *blob, size_t size,
                                   edgeops_type type, uint32_t length, size_t rows, size_t from,
                                   size_t to);
/** Statistics that the catalog keeps with a BLOB. min, max and sum cover the values that are
 * neither null nor NaN; STRING, BLOB and arrays have none. */
typedef struct eop_chunk_stats {
    uint64_t count; /**< values that are neither null nor NaN */
    uint64_t nulls;
    double min;
    double max;
    double sum;
    int64_t min_i64; /**< integers and BOOL: exact; INT64_MAX for a UINT64 above that */
    int64_t max_i64;
} eop_chunk_stats;
/** Whether the vector's type has min, max and sum. */
bool eop_chunk_measures(const eop_vector *vector);
void eop_chunk_measure(eop_chunk_stats *stats, const eop_vector *vector);

#endif /* EOP_COLUMN_CHUNK_H */
