/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes that are compressed where that helps: the texts of a page, the body of parts.
 *
 *   u8      form of the bytes: 0 plain, 1 a zstd frame that states the size of its content
 *   varint  size in bytes of the next field
 *   bytes   as the form says
 *
 * The reader knows the size of the content. */
#ifndef EOP_COLUMN_PACKED_BYTES_H
#define EOP_COLUMN_PACKED_BYTES_H

#include "base/str.h"
#include "edgeops/status.h"

/** Appends them; sets buf->failed when there is no memory for that. */
void eop_packed_bytes_put(eop_buf *buf, const void *data, size_t size);
/** Reads content of `total` bytes and moves *at behind it. *data: the content, borrowed from the
 * input, or from *owned when that is not NULL: free it with eop_free(). E_CORRUPT, said of `what`;
 * E_NOMEM. */
edgeops_status eop_packed_bytes_take(const char **data, char **owned, const uint8_t **at,
                                     const uint8_t *end, size_t total, const char *what);

#endif /* EOP_COLUMN_PACKED_BYTES_H */
