/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a sample in the chunks by (time, seq): is what arrives out of order there already? Keeps
 * what it found out about where an asset has chunks, and the chunks it decoded last, so that a
 * second import of the same data does not read the same chunk for every row. Under the store's
 * lock. */
#ifndef EOP_STORE_LOOKUP_H
#define EOP_STORE_LOOKUP_H

#include "store/telemetry.h"

#define EOP_LOOKUP_SPANS  16
#define EOP_LOOKUP_CHUNKS 8

/** In all of [from, to] the same chunks of the asset may have rows. */
typedef struct eop_lookup_span {
    uint32_t asset; /**< 0: not used */
    int64_t from;
    int64_t to;
    eop_chunk_list chunks;
    uint64_t used;
} eop_lookup_span;

typedef struct eop_lookup_chunk {
    int64_t id; /**< 0: not used */
    eop_rows rows;
    uint64_t used;
} eop_lookup_chunk;

typedef struct eop_lookup {
    eop_telemetry reader;
    uint64_t epoch; /**< of the chunks, when the spans were true */
    uint64_t clock;
    eop_lookup_span spans[EOP_LOOKUP_SPANS];
    eop_lookup_chunk chunks[EOP_LOOKUP_CHUNKS];
} eop_lookup;

edgeops_status eop_lookup_open(eop_lookup *lookup, const char *path);
void eop_lookup_close(eop_lookup *lookup);
/** After an asset was removed. */
void eop_lookup_forget(eop_lookup *lookup);

/** *rows NULL: there is no such sample in the chunks. Column k is channel k. Borrowed until the
 * next call. */
edgeops_status eop_lookup_find(const eop_rows **rows, size_t *row, eop_lookup *lookup,
                               const eop_asset *asset, uint64_t epoch, int64_t time, int64_t seq);

#endif /* EOP_STORE_LOOKUP_H */
