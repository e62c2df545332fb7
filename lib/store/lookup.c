/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a sample in the chunks by (time, seq) and keeps what it learned for the next search; see
 * lookup.h. Under the store's lock. */
#include "store/lookup.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"

enum { FEW = 8 }; /* so many chunks of one time are searched without knowing their channels */

edgeops_status eop_lookup_open(eop_lookup *lookup, const char *path, const eop_access *access) {
    return eop_telemetry_open(&lookup->reader, path, false, access);
}

/* Allocated late: most stores never search, because their samples come in order. */
static edgeops_status make_tables(eop_lookup *lookup) {
    if (EOP_LIKELY(lookup->spans != NULL)) {
        return EDGEOPS_OK;
    }
    lookup->spans = eop_calloc(EOP_LOOKUP_SLOTS, sizeof *lookup->spans);
    lookup->chunks = eop_calloc(EOP_LOOKUP_SLOTS, sizeof *lookup->chunks);
    if (lookup->spans == NULL || lookup->chunks == NULL) {
        eop_free(lookup->spans);
        eop_free(lookup->chunks);
        lookup->spans = NULL;
        lookup->chunks = NULL;
        return eop_fail_nomem("store");
    }
    return EDGEOPS_OK;
}

static void forget_spans(eop_lookup *lookup) {
    for (size_t i = 0; lookup->spans != NULL && i < EOP_LOOKUP_SLOTS; i++) {
        lookup->spans[i].asset = 0;
    }
}

static void forget_chunk(eop_lookup *lookup, eop_lookup_chunk *chunk) {
    lookup->bytes -= chunk->bytes;
    eop_rows_dispose(&chunk->rows);
    chunk->bytes = 0;
    chunk->id = 0;
}

void eop_lookup_forget(eop_lookup *lookup) {
    for (size_t i = 0; lookup->spans != NULL && i < EOP_LOOKUP_SLOTS; i++) {
        eop_free(lookup->spans[i].chunks.items);
        eop_free(lookup->spans[i].channels);
        forget_chunk(lookup, &lookup->chunks[i]);
    }
    eop_free(lookup->spans);
    eop_free(lookup->chunks);
    lookup->spans = NULL;
    lookup->chunks = NULL;
}

void eop_lookup_tick(eop_lookup *lookup) {
    if (lookup->spans != NULL && lookup->clock == lookup->clock_before) {
        eop_lookup_forget(lookup);
    }
    lookup->clock_before = lookup->clock;
}

void eop_lookup_close(eop_lookup *lookup) {
    eop_lookup_forget(lookup);
    eop_telemetry_close(&lookup->reader);
}

static size_t set_of(uint64_t key) {
    uint64_t h = key * UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h >> 32) % (EOP_LOOKUP_SLOTS / EOP_LOOKUP_WAYS) * EOP_LOOKUP_WAYS;
}

static edgeops_status begin_lookup(eop_lookup *lookup) {
    edgeops_status status = lookup->snapshot ? EDGEOPS_OK : eop_telemetry_begin(&lookup->reader);
    lookup->snapshot = status == EDGEOPS_OK;
    return status;
}

static void end_lookup(eop_lookup *lookup) {
    if (lookup->snapshot) {
        eop_telemetry_end(&lookup->reader);
        lookup->snapshot = false;
    }
}

static int by_age(const void *a, const void *b) {
    uint64_t x = ((const eop_chunk_info *)a)->ord0;
    uint64_t y = ((const eop_chunk_info *)b)->ord0;
    return (x < y) - (x > y);
}

/* Reads which channels each chunk has. Where that cannot be read, each of them is searched. */
static edgeops_status learn_channels(eop_lookup_span *span, eop_lookup *lookup,
                                     const eop_asset *asset) {
    size_t words = (asset->channel_count + 63) / 64;
    size_t count = span->chunks.count * words;
    uint64_t *channels = eop_realloc_array(span->channels, count, sizeof *channels);
    if (channels == NULL) {
        return eop_fail_nomem("store");
    }
    span->channels = channels;
    for (size_t i = 0; i < span->chunks.count; i++, channels += words) {
        uint64_t set[EOP_CHANNELS_MAX / 64];
        edgeops_status status =
            eop_telemetry_channels(set, &lookup->reader, &span->chunks.items[i]);
        if (status != EDGEOPS_OK) {
            return eop_sql_unreadable(status) ? EDGEOPS_OK : status;
        }
        memcpy(channels, set, words * sizeof *set);
    }
    span->words = words;
    return EDGEOPS_OK;
}

/* Many chunks have rows at the time: takes all that overlap the shortest of them, so that what is
 * learned is good for more than a few rows. */
static edgeops_status widen_span(eop_lookup_span *span, eop_lookup *lookup,
                                 const eop_asset *asset) {
    const eop_chunk_info *items = span->chunks.items;
    size_t least = 0;
    for (size_t i = 1; i < span->chunks.count; i++) {
        if ((uint64_t)items[i].t1 - (uint64_t)items[i].t0 <
            (uint64_t)items[least].t1 - (uint64_t)items[least].t0) {
            least = i;
        }
    }
    span->from = items[least].t0;
    span->to = items[least].t1;
    span->chunks.count = 0;
    edgeops_status status =
        eop_telemetry_find(&span->chunks, &lookup->reader, asset->id, span->from, span->to);
    if (status == EDGEOPS_OK) {
        qsort(span->chunks.items, span->chunks.count, sizeof *span->chunks.items, by_age);
        status = asset->channel_count > 0 ? learn_channels(span, lookup, asset) : EDGEOPS_OK;
    }
    return status;
}

/* The span of times for which the chunks found are those that may have rows. */
static edgeops_status bound_span(eop_lookup_span *span, eop_lookup *lookup, const eop_asset *asset,
                                 int64_t time) {
    int64_t below = 0;
    int64_t above = 0;
    edgeops_status status = eop_telemetry_gap(&below, &above, &lookup->reader, asset->id, time);
    if (status != EDGEOPS_OK) {
        return status;
    }
    span->from = below == INT64_MIN ? below : below + 1;
    span->to = above == INT64_MAX ? above : above - 1;
    for (size_t i = 0; i < span->chunks.count; i++) {
        const eop_chunk_info *chunk = &span->chunks.items[i];
        span->from = chunk->t0 > span->from ? chunk->t0 : span->from;
        span->to = chunk->t1 < span->to ? chunk->t1 : span->to;
    }
    if (span->chunks.count > 1) {
        qsort(span->chunks.items, span->chunks.count, sizeof *span->chunks.items, by_age);
    }
    return EDGEOPS_OK;
}

/* Finds which chunks may have rows at `time`, and a span of times for which they are known. */
static edgeops_status learn_span(eop_lookup_span *span, eop_lookup *lookup, const eop_asset *asset,
                                 int64_t time) {
    span->asset = 0;
    span->words = 0;
    span->chunks.count = 0;
    edgeops_status status = begin_lookup(lookup);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_find(&span->chunks, &lookup->reader, asset->id, time, time);
    }
    if (status == EDGEOPS_OK) {
        status = span->chunks.count > FEW ? widen_span(span, lookup, asset)
                                          : bound_span(span, lookup, asset, time);
    }
    span->asset = status == EDGEOPS_OK ? asset->id : 0;
    return status;
}

static edgeops_status get_span(eop_lookup_span **out, eop_lookup *lookup, const eop_asset *asset,
                               int64_t time) {
    eop_lookup_span *set = &lookup->spans[set_of(asset->id)];
    eop_lookup_span *oldest = set;
    for (eop_lookup_span *span = set; span < set + EOP_LOOKUP_WAYS; span++) {
        if (span->asset == asset->id && time >= span->from && time <= span->to) {
            span->used = ++lookup->clock;
            *out = span;
            return EDGEOPS_OK;
        }
        if (span->asset == 0 || (oldest->asset != 0 && span->used < oldest->used)) {
            oldest = span;
        }
    }
    oldest->used = ++lookup->clock;
    *out = oldest;
    return learn_span(oldest, lookup, asset, time);
}

static edgeops_status decode_chunk(eop_rows *rows, eop_lookup *lookup, const eop_asset *asset,
                                   const eop_chunk_info *chunk) {
    uint32_t channels[EOP_CHANNELS_MAX];
    edgeops_status status = EDGEOPS_OK;
    for (uint32_t i = 0; status == EDGEOPS_OK && i < asset->channel_count; i++) {
        channels[i] = asset->channels[i]->state == EOP_CHANNEL_LIVE ? i : UINT32_MAX;
        status = eop_rows_add_vector(rows, asset->channels[i]->type, asset->channels[i]->length);
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_read(rows, &lookup->reader, chunk, NULL, channels);
    }
    return status;
}

static void tell_damage(const eop_lookup *lookup, int64_t chunk) {
    if (lookup->on_damage != NULL) {
        lookup->on_damage(chunk, lookup->user_data);
    }
}

/* DONE: the chunk is gone; its rows are in another one now. */
static edgeops_status look_for(eop_lookup *lookup, uint32_t asset, const eop_chunk_info *chunk) {
    eop_chunk_info now = {0};
    edgeops_status status = begin_lookup(lookup);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_at(&now, &lookup->reader, asset, chunk->ord0);
    }
    return status == EDGEOPS_OK && now.id != chunk->id ? EDGEOPS_DONE : status;
}

/* DONE: as above. */
static edgeops_status get_chunk(eop_lookup_chunk **out, eop_lookup *lookup, const eop_asset *asset,
                                const eop_chunk_info *chunk) {
    eop_lookup_chunk *set = &lookup->chunks[set_of((uint64_t)chunk->id)];
    eop_lookup_chunk *oldest = set;
    for (eop_lookup_chunk *item = set; item < set + EOP_LOOKUP_WAYS; item++) {
        if (item->id == chunk->id) {
            item->used = ++lookup->clock;
            *out = item;
            return EDGEOPS_OK;
        }
        if (item->id == 0 || (oldest->id != 0 && item->used < oldest->used)) {
            oldest = item;
        }
    }
    edgeops_status status = look_for(lookup, asset->id, chunk);
    if (status == EDGEOPS_DONE) {
        return status;
    }
    forget_chunk(lookup, oldest);
    if (status == EDGEOPS_OK) {
        status = decode_chunk(&oldest->rows, lookup, asset, chunk);
    }
    if (status != EDGEOPS_OK) {
        eop_rows_dispose(&oldest->rows);
        if (!eop_sql_unreadable(status)) {
            return status;
        }
        /* Cached without rows, so that it is not read again for each sample. */
        tell_damage(lookup, chunk->id);
    }
    oldest->id = chunk->id;
    oldest->used = ++lookup->clock;
    oldest->bytes = eop_rows_bytes(&oldest->rows);
    lookup->bytes += oldest->bytes;
    while (lookup->bytes > EOP_LOOKUP_BYTES && lookup->bytes > oldest->bytes) {
        eop_lookup_chunk *victim = &lookup->chunks[lookup->victim++ % EOP_LOOKUP_SLOTS];
        if (victim != oldest) {
            forget_chunk(lookup, victim);
        }
    }
    *out = oldest;
    return EDGEOPS_OK;
}

static bool is_at(const eop_chunk_info *chunk, const eop_search *search) {
    return search->time >= chunk->t0 && search->time <= chunk->t1;
}

/* Whether a chunk of the span may have one of the cells that are searched. */
static bool may_have(const eop_lookup_span *span, size_t chunk, const eop_search *search) {
    if (span->words == 0 || search->cells == NULL) {
        return true;
    }
    const uint64_t *channels = span->channels + chunk * span->words;
    bool may = false;
    for (size_t i = 0; !may && i < search->count; i++) {
        uint32_t channel = search->cells[i].channel;
        may = channel / 64 < span->words && (channels[channel / 64] >> channel % 64 & 1) != 0;
    }
    return may;
}

/* DONE: the chunk is gone. */
static edgeops_status search_chunk(eop_search *search, eop_lookup *lookup, const eop_asset *asset,
                                   const eop_chunk_info *info) {
    eop_lookup_chunk *chunk = NULL;
    size_t row = 0;
    edgeops_status status = get_chunk(&chunk, lookup, asset, info);
    if (status == EDGEOPS_OK && eop_rows_find(&row, &chunk->rows, search->time, search->seq)) {
        eop_search_give(search, &chunk->rows, row, info->later > 0);
    }
    return status;
}

/* First those chunks that may have a cell, newest first. When nothing is found, the others may still
 * have the row: the oldest is the likeliest. DONE: a chunk of the span is gone. */
static edgeops_status search_span(eop_search *search, eop_lookup *lookup, const eop_asset *asset,
                                  const eop_lookup_span *span) {
    const eop_chunk_info *items = span->chunks.items;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0;
         status == EDGEOPS_OK && !search->stop && !search->whole && i < span->chunks.count; i++) {
        if (is_at(&items[i], search) && may_have(span, i, search)) {
            status = search_chunk(search, lookup, asset, &items[i]);
        }
    }
    for (size_t i = span->chunks.count; status == EDGEOPS_OK && !search->any && i-- > 0;) {
        if (is_at(&items[i], search) && !may_have(span, i, search)) {
            status = search_chunk(search, lookup, asset, &items[i]);
        }
    }
    return status;
}

edgeops_status eop_lookup_find(eop_search *search, eop_lookup *lookup, const eop_series *series,
                               uint64_t epoch) {
    const eop_asset *asset = &series->asset;
    if (series->stored.rows == 0 || search->time < series->stored.first ||
        search->time > series->stored.last) {
        return EDGEOPS_OK;
    }
    edgeops_status status = make_tables(lookup);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (lookup->epoch != epoch) {
        forget_spans(lookup);
        lookup->epoch = epoch;
    }
    eop_lookup_span *span = NULL;
    status = get_span(&span, lookup, asset, search->time);
    if (status == EDGEOPS_OK) {
        status = search_span(search, lookup, asset, span);
    }
    if (status == EDGEOPS_DONE) {
        /* In the snapshot without the old chunk all chunks of the new span exist. Rows that were
         * found are found again. */
        status = learn_span(span, lookup, asset, search->time);
        if (status == EDGEOPS_OK) {
            status = search_span(search, lookup, asset, span);
        }
    }
    end_lookup(lookup);
    if (status == EDGEOPS_DONE) {
        status = eop_fail(EDGEOPS_E_CORRUPT, "store", "chunks in data/telemetry.db overlap");
    }
    if (eop_sql_unreadable(status)) {
        tell_damage(lookup, 0);
        return EDGEOPS_OK;
    }
    return status;
}
