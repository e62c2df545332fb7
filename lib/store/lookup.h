/* SPDX-License-Identifier: Apache-2.0 */
/* Finds what is stored of a sample in the chunks by (time, seq). Several chunks may have parts of
 * it. Caches where an asset has chunks, and the chunks decoded last, so that a second import of the
 * same times does not read the same chunk for every row. What a chunk has of a channel never
 * changes, but it may be merged with others: each search works on one snapshot, and begins again
 * when a chunk is gone. Under the store's lock. */
#ifndef EOP_STORE_LOOKUP_H
#define EOP_STORE_LOOKUP_H

#include "store/telemetry.h"

#define EOP_LOOKUP_WAYS  4
#define EOP_LOOKUP_SLOTS 4096 /* in sets of EOP_LOOKUP_WAYS */
#define EOP_LOOKUP_BYTES (16u * 1024 * 1024)

/** The chunks of an asset that may have rows at times of [from, to]. */
typedef struct eop_lookup_span {
    uint32_t asset; /**< 0: not used */
    int64_t from;
    int64_t to;
    eop_chunk_list chunks; /**< newest first */
    /** Of each chunk `words` words, a bit for each channel that it has. words 0: not known, because
     * the chunks are few. Many of the same times are files of a channel each, and most of them do
     * not matter for a sample. */
    uint64_t *channels;
    size_t words;
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
    bool snapshot;  /**< the reader has a snapshot */
    uint64_t epoch; /**< chunk_epoch at which the spans were true */
    uint64_t clock;
    uint64_t clock_before;  /**< at the last eop_lookup_tick() */
    eop_lookup_span *spans; /**< EOP_LOOKUP_SLOTS; NULL before the first search */
    eop_lookup_chunk *chunks;
    size_t bytes;  /**< of the decoded chunks */
    size_t victim; /**< next slot to evict from when they are too many */
    /** Called when a chunk cannot be read; 0: the index of chunks cannot be read. May be NULL. */
    void (*on_damage)(int64_t chunk, void *user_data);
    void *user_data;
} eop_lookup;

/** access: as for eop_sql_open(). */
edgeops_status eop_lookup_open(eop_lookup *lookup, const char *path, const eop_access *access);
void eop_lookup_close(eop_lookup *lookup);
/** Call after an asset was removed: drops all that is cached. */
void eop_lookup_forget(eop_lookup *lookup);
/** Call now and then: frees the cache when there was no search since the last call. */
void eop_lookup_tick(eop_lookup *lookup);

/** Searches the chunks, newest first, as far as they can be read: a damaged chunk must not keep an
 * asset from taking samples. Column k is channel k. Rows are borrowed until the next call. */
edgeops_status eop_lookup_find(eop_search *search, eop_lookup *lookup, const eop_series *series,
                               uint64_t epoch);

#endif /* EOP_STORE_LOOKUP_H */
