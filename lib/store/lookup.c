/* SPDX-License-Identifier: Apache-2.0 */
/* Finds a sample in the chunks by (time, seq) and keeps what it learned for the next search; see
 * lookup.h. Under the store's lock. */
#include "store/lookup.h"

#include "base/error.h"
#include "base/memory.h"

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

/* Newest first. They are few. */
static void sort_by_age(eop_chunk_list *list) {
    for (size_t i = 1; i < list->count; i++) {
        eop_chunk_info item = list->items[i];
        size_t at = i;
        for (; at > 0 && list->items[at - 1].ord0 < item.ord0; at--) {
            list->items[at] = list->items[at - 1];
        }
        list->items[at] = item;
    }
}

/* Finds which chunks may have rows at `time`, and the span of times for which that holds. */
static edgeops_status learn_span(eop_lookup_span *span, eop_lookup *lookup, uint32_t asset,
                                 int64_t time) {
    int64_t below = 0;
    int64_t above = 0;
    span->asset = 0;
    span->chunks.count = 0;
    edgeops_status status = begin_lookup(lookup);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_telemetry_find(&span->chunks, &lookup->reader, asset, time, time);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_gap(&below, &above, &lookup->reader, asset, time);
    }
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
    sort_by_age(&span->chunks);
    span->asset = asset;
    return EDGEOPS_OK;
}

static edgeops_status get_span(eop_lookup_span **out, eop_lookup *lookup, uint32_t asset,
                               int64_t time) {
    eop_lookup_span *set = &lookup->spans[set_of(asset)];
    eop_lookup_span *oldest = set;
    for (eop_lookup_span *span = set; span < set + EOP_LOOKUP_WAYS; span++) {
        if (span->asset == asset && time >= span->from && time <= span->to) {
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
    eop_chunk_filter all = {INT64_MIN, INT64_MAX, UINT64_MAX};
    uint32_t channels[EOP_CHANNELS_MAX];
    edgeops_status status = EDGEOPS_OK;
    for (uint32_t i = 0; status == EDGEOPS_OK && i < asset->channel_count; i++) {
        channels[i] = asset->channels[i]->state == EOP_CHANNEL_LIVE ? i : UINT32_MAX;
        status = eop_rows_add_vector(rows, asset->channels[i]->type, asset->channels[i]->length);
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_read(rows, &lookup->reader, chunk, &all, channels);
    }
    return status;
}

static size_t rows_bytes(const eop_rows *rows) {
    size_t bytes = rows->capacity * 2 * sizeof(int64_t);
    for (size_t k = 0; k < rows->vector_count; k++) {
        bytes += eop_vector_bytes(&rows->vectors[k]) + sizeof *rows->vectors;
    }
    return bytes;
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
    oldest->bytes = rows_bytes(&oldest->rows);
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

/* DONE: a chunk of the span is gone. */
static edgeops_status search_span(eop_search *search, eop_lookup *lookup, const eop_asset *asset,
                                  const eop_lookup_span *span) {
    for (size_t i = 0; i < span->chunks.count && !search->stop && !search->whole; i++) {
        const eop_chunk_info *info = &span->chunks.items[i];
        eop_lookup_chunk *chunk = NULL;
        size_t row = 0;
        edgeops_status status = get_chunk(&chunk, lookup, asset, info);
        if (status != EDGEOPS_OK) {
            return status;
        }
        if (eop_rows_find(&row, &chunk->rows, search->time, search->seq)) {
            eop_search_give(search, &chunk->rows, row, info->later > 0);
        }
    }
    return EDGEOPS_OK;
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
    status = get_span(&span, lookup, asset->id, search->time);
    if (status == EDGEOPS_OK) {
        status = search_span(search, lookup, asset, span);
    }
    if (status == EDGEOPS_DONE) {
        /* In the snapshot without the old chunk all chunks of the new span exist. Rows that were
         * found are found again. */
        status = learn_span(span, lookup, asset->id, search->time);
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
