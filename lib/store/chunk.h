/* SPDX-License-Identifier: Apache-2.0 */
/* One column of a chunk as a BLOB. Little-endian:
 *
 *   u8 version = 2, u8 encoding, u8 type (edgeops_type), u8 flags, u32 rows,
 *   u32 crc32c of the bytes 0..7 and of all from 12 on, u32 count of the rows that are not null,
 *   flag 1, bitmap: (rows + 7) / 8 bytes, bit i % 8 of byte i / 8 set: row i is not null; or
 *   flag 2, places: u16 row [count], ascending, those that are not null,
 *   flag 4, quality codes: u16 [count], 0xffff: none,
 *   values of the rows that are not null
 *   encoding 0 (raw): each element of a row as its type stores it (rows.h), STRING u32 offsets
 *   [count + 1] from 0 and the bytes.
 *
 * A version or an encoding that is not known is E_VERSION: a newer program wrote it. */
#ifndef EOP_STORE_CHUNK_H
#define EOP_STORE_CHUNK_H

#include "base/str.h"
#include "store/rows.h"

#define EOP_CHUNK_ROWS 4096u

/** Appends the BLOB of all elements to buf; sets buf->failed when there is no memory. */
void eop_chunk_encode(eop_buf *buf, const eop_vector *vector);
/** The same for plain int64 without nulls: times, seqs and ordinals. */
void eop_chunk_encode_int(eop_buf *buf, const int64_t *values, size_t n);

/** Appends rows [from, to) of a BLOB of `rows` rows to a vector of its type. Trusts nothing in the
 * BLOB: E_CORRUPT. */
edgeops_status eop_chunk_decode(eop_vector *vector, const void *blob, size_t size, size_t rows,
                                size_t from, size_t to);
/** All values of a BLOB of plain int64. */
edgeops_status eop_chunk_decode_int(int64_t *values, const void *blob, size_t size, size_t rows);

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

#endif /* EOP_STORE_CHUNK_H */
