/* SPDX-License-Identifier: Apache-2.0 */
/* A page: up to 4096 elements of one column of a chunk, of any type but STRING (chunk_text.h).
 * chunk.h has the format. */
#ifndef EOP_COLUMN_CHUNK_PAGE_H
#define EOP_COLUMN_CHUNK_PAGE_H

#include "column/pack.h"
#include "edgeops/types.h"

#define EOP_PAGE_MAX EOP_PACK_MAX

enum {
    EOP_PAGE_RAW,
    EOP_PAGE_CONSTANT,
    EOP_PAGE_WHOLE,
    EOP_PAGE_DECIMAL,
    EOP_PAGE_BITS,
    EOP_PAGE_SELECTED
};
enum { EOP_PAGE_EXPONENT = 15, EOP_PAGE_NARROW = 0x80 };

/** Reports E_CORRUPT: all readers of columns report damage through this function. */
edgeops_status eop_column_damaged(const char *what);

/** Appends a page of n (1..4096) adjacent elements. saving: see eop_pack(). */
void eop_page_put(eop_buf *buf, edgeops_type type, const void *elements, size_t n, size_t saving);

/** Reads the elements of a page one tile at a time. */
typedef struct eop_page {
    edgeops_type type;
    size_t width;
    size_t count;
    size_t done;
    uint8_t mode;
    eop_decimal decimal;
    const uint8_t *elements; /**< by mode: all, the constant, the odd ones or the choices */
    size_t choices;
    const uint8_t *places; /**< of the odd elements */
    size_t odd;
    size_t next_odd;
    eop_unpack unpack;
} eop_page;

/** Opens a page of `count` elements, of which at most the first `need` will be read. Trusts nothing
 * in it; false: damaged. data: borrowed while the page is read. */
bool eop_page_open(eop_page *page, edgeops_type type, const void *data, size_t size, size_t count,
                   size_t need);
/** Reads the next tile, or what is left. out: aligned to the type. False: damaged. */
bool eop_page_next(eop_page *page, void *out);
/** Skips what eop_page_next() would read. */
bool eop_page_skip(eop_page *page);

#endif /* EOP_COLUMN_CHUNK_PAGE_H */
