/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a sample in the chunks by (time, seq): is what arrives out of order there already? Keeps
 * what it found out about where an asset has chunks, and the chunks it decoded last, so that a
 * second import of the same data does not read the same chunk for every row. A chunk does not
 * change, but it may be merged with others: what is found out together is of one snapshot, and a
 * chunk that is gone makes it look again. Under the store's lock. */
#ifndef EOP_STORE_LOOKUP_H
#define EOP_STORE_LOOKUP_H

#include "store/telemetry.h"

#define EOP_LOOKUP_WAYS  4
#define EOP_LOOKUP_SLOTS 4096 /* in sets of EOP_LOOKUP_WAYS */
#define EOP_LOOKUP_BYTES (16u * 1024 * 1024)

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
    size_t bytes;
    uint64_t used;
} eop_lookup_chunk;

typedef struct eop_lookup {
    eop_telemetry reader;
    bool snapshot;  /**< the reader is in one */
    uint64_t epoch; /**< of the chunks, when the spans were true */
    uint64_t clock;
    uint64_t clock_before;  /**< at the last eop_lookup_tick() */
    eop_lookup_span *spans; /**< EOP_LOOKUP_SLOTS; NULL until something is looked up */
    eop_lookup_chunk *chunks;
    size_t bytes;  /**< of the decoded chunks */
    size_t victim; /**< slot to look at next when they are too many */
    /** Called when a chunk cannot be read; 0: where the asset has chunks cannot. May be NULL. */
    void (*on_damage)(int64_t chunk, void *user_data);
    void *user_data;
} eop_lookup;

edgeops_status eop_lookup_open(eop_lookup *lookup, const char *path);
void eop_lookup_close(eop_lookup *lookup);
/** After an asset was removed. */
void eop_lookup_forget(eop_lookup *lookup);
/** Now and then: gives the memory back when nothing was looked up since the last time. */
void eop_lookup_tick(eop_lookup *lookup);

/** *rows NULL: there is no such sample in the chunks, as far as they can be read: a damaged chunk
 * must not keep an asset from taking samples. Column k is channel k. Borrowed until the
 * next call. */
edgeops_status eop_lookup_find(const eop_rows **rows, size_t *row, eop_lookup *lookup,
                               const eop_series *series, uint64_t epoch, int64_t time, int64_t seq);

#endif /* EOP_STORE_LOOKUP_H */
