/* SPDX-License-Identifier: Apache-2.0 */
/* One column of a chunk in format 2, which was written until format 3 (chunk.h) came.
 * Little-endian:
 *
 *   u8 version = 2, u8 encoding = 0, u8 type (edgeops_type), u8 flags, u32 rows,
 *   u32 crc32c of the bytes 0..7 and of all from 12 on, u32 count of the rows that are not null,
 *   flag 1, bitmap: (rows + 7) / 8 bytes, bit i % 8 of byte i / 8 set: row i is not null; or
 *   flag 2, places: u16 row [count], ascending, those that are not null,
 *   flag 4, quality codes: u16 [count], 0xffff: none,
 *   values of the rows that are not null: each element of a row as its type stores it (rows.h),
 *   STRING u32 offsets [count + 1] from 0 and the bytes. */
#ifndef EOP_COLUMN_CHUNK_V2_H
#define EOP_COLUMN_CHUNK_V2_H

#include "column/rows.h"

bool eop_chunk2_is(const void *blob, size_t size);
/** Like eop_chunk_decode(). */
edgeops_status eop_chunk2_decode(eop_vector *vector, const void *blob, size_t size, size_t rows,
                                 size_t from, size_t to);

#endif /* EOP_COLUMN_CHUNK_V2_H */
