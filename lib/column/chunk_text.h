/* SPDX-License-Identifier: Apache-2.0 */
/* A page of up to 4096 texts; chunk.h has the format. An open page owns its offsets and, when the
 * texts were compressed, the texts. */
#ifndef EOP_COLUMN_CHUNK_TEXT_H
#define EOP_COLUMN_CHUNK_TEXT_H

#include "column/chunk_page.h"

/** Appends a page of n (1..4096) texts: text i is bytes [starts[i], ends[i]). */
void eop_text_put(eop_buf *buf, const char *bytes, const uint32_t *starts, const uint32_t *ends,
                  size_t n);

typedef struct eop_text {
    size_t count;
    size_t done;
    size_t choices;
    uint32_t *offsets; /**< choices + 1 */
    const char *bytes;
    char *owned; /**< memory of `bytes` when the texts were compressed, else NULL */
    uint64_t tile[EOP_PACK_TILE];
    eop_unpack unpack;
} eop_text;

/** Opens a page of `count` texts. data: borrowed until eop_text_dispose(), which must be called
 * also after a failure. E_CORRUPT, E_NOMEM. */
edgeops_status eop_text_open(eop_text *text, const void *data, size_t size, size_t count);
/** Reads the next text, borrowed from the page. False: damaged. */
bool eop_text_next(edgeops_value *out, eop_text *text);
void eop_text_dispose(eop_text *text);

#endif /* EOP_COLUMN_CHUNK_TEXT_H */
