/* SPDX-License-Identifier: Apache-2.0 */
/* A page: up to 4096 elements of one column of a chunk; chunk.h has the format. Not for STRING. */
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

/** E_CORRUPT: the one message for a column that cannot be decoded. */
edgeops_status eop_column_damaged(const char *what);

/** Appends n (1..4096) elements that stand one after the other, in their own width. saving: see
 * eop_pack(). */
void eop_page_put(eop_buf *buf, edgeops_type type, const void *elements, size_t n, size_t saving);

/** Gives the elements back, a tile at a time. */
typedef struct eop_page {
    edgeops_type type;
    size_t width;
    size_t count;
    size_t done;
    uint8_t mode;
    eop_decimal decimal;
    const uint8_t *elements; /**< raw, the constant one, the odd ones, those to select from */
    size_t choices;
    const uint8_t *places; /**< of the odd ones */
    size_t odd;
    size_t next_odd;
    eop_unpack unpack;
} eop_page;

/** For a page of `count` elements, of which the first `need` are asked for at most. Trusts nothing;
 * false: damaged. data: borrowed as long as it is read from. */
bool eop_page_open(eop_page *page, edgeops_type type, const void *data, size_t size, size_t count,
                   size_t need);
/** The next ones: a tile, or what is left; aligned to their width. */
bool eop_page_next(eop_page *page, void *out);
/** Passes over what eop_page_next() would give. */
bool eop_page_skip(eop_page *page);

#endif /* EOP_COLUMN_CHUNK_PAGE_H */
