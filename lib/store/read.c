/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/internal.h"

void edgeops_query_init(edgeops_query *query, size_t struct_size) {
    edgeops_query defaults = EDGEOPS_QUERY_INIT;
    memset(query, 0, struct_size);
    memcpy(query, &defaults, struct_size < sizeof defaults ? struct_size : sizeof defaults);
    query->struct_size = struct_size;
}

edgeops_status eop_reader_take(eop_telemetry *out, edgeops_store *store) {
    bool pooled = false;
    pthread_mutex_lock(&store->pool_lock);
    while (store->hold_readers) {
        pthread_cond_wait(&store->pool_changed, &store->pool_lock);
    }
    store->reading++;
    if (store->pool_count > 0) {
        *out = store->pool[--store->pool_count];
        pooled = true;
    }
    pthread_mutex_unlock(&store->pool_lock);
    if (pooled) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_telemetry_open(out, store->telemetry_path, false);
    if (status != EDGEOPS_OK) {
        eop_reader_give(store, out);
    }
    return status;
}

void eop_reader_give(edgeops_store *store, eop_telemetry *reader) {
    pthread_mutex_lock(&store->pool_lock);
    if (--store->reading == 0 && store->hold_readers) {
        pthread_cond_broadcast(&store->pool_changed);
    }
    if (reader->sql.db != NULL && store->pool_count < EOP_READERS) {
        store->pool[store->pool_count++] = *reader;
        *reader = (eop_telemetry){0};
    }
    pthread_mutex_unlock(&store->pool_lock);
    if (reader->sql.db != NULL) {
        eop_telemetry_close(reader);
    }
}

bool eop_time_bounds(int64_t *from, int64_t *to, edgeops_time start, edgeops_time end) {
    *from = start;
    *to = end == EDGEOPS_TIME_MAX ? end : end - (end > EDGEOPS_TIME_MIN);
    return end > start || end == EDGEOPS_TIME_MAX;
}

/* Rows with times in [t0, t1] that are all wanted: enough of them make the range of a read with a
 * limit shorter. */
typedef struct piece {
    int64_t t0;
    int64_t t1;
    uint64_t rows;
} piece;

typedef struct pieces {
    piece *items;
    size_t count;
    size_t capacity;
} pieces;

static edgeops_status add_piece(pieces *list, int64_t t0, int64_t t1, uint64_t rows) {
    if (!eop_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
        return eop_fail_nomem("store");
    }
    list->items[list->count++] = (piece){t0, t1, rows};
    return EDGEOPS_OK;
}

/* -- the memtable's part -- */

/* Sorted block: the wanted rows stand together. */
static edgeops_status copy_sorted(eop_rows *out, pieces *list, const eop_block *block,
                                  const eop_selection *want) {
    const eop_rows *data = &block->data;
    size_t from = eop_times_lower(data->times, data->rows, want->from);
    size_t to = eop_times_upper(data->times, data->rows, want->to);
    if (data->first_ordinal > want->max_ordinal) {
        return EDGEOPS_OK;
    }
    if (want->max_ordinal - data->first_ordinal < to) {
        to = (size_t)(want->max_ordinal - data->first_ordinal) + 1;
    }
    if (from >= to) {
        return EDGEOPS_OK;
    }
    if (want->limit > 0 && to - from > want->limit) {
        to = from + (size_t)want->limit;
    }
    if (want->last > 0 && to - from > want->last) {
        from = to - (size_t)want->last;
    }
    edgeops_status status = add_piece(list, data->times[from], data->times[to - 1], to - from);
    return status == EDGEOPS_OK ? eop_rows_copy(out, data, from, to, want->channels) : status;
}

static bool wanted(const eop_rows *data, size_t row, const eop_selection *want) {
    return data->times[row] >= want->from && data->times[row] <= want->to &&
           data->first_ordinal + row <= want->max_ordinal;
}

static edgeops_status copy_unsorted(eop_rows *out, const eop_block *block,
                                    const eop_selection *want) {
    const eop_rows *data = &block->data;
    for (size_t from = 0; from < data->rows;) {
        size_t to = from;
        while (to < data->rows && wanted(data, to, want)) {
            to++;
        }
        if (to > from) {
            edgeops_status status = eop_rows_copy(out, data, from, to, want->channels);
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
        from = to + 1;
    }
    return EDGEOPS_OK;
}

static edgeops_status copy_memtable(eop_rows *out, pieces *list, const edgeops_store *store,
                                    uint64_t applied, const eop_selection *want) {
    const eop_asset *asset = eop_memtable_by_id(&store->mem, want->asset);
    if (asset == NULL) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "store", "the asset was removed");
    }
    edgeops_status status = EDGEOPS_OK;
    for (const eop_block *block = asset->blocks; status == EDGEOPS_OK && block != NULL;
         block = block->next) {
        if (block->segment <= applied || block->data.rows == 0 || block->t_max < want->from ||
            block->t_min > want->to) {
            continue;
        }
        status =
            block->sorted ? copy_sorted(out, list, block, want) : copy_unsorted(out, block, want);
    }
    return status;
}

/* Begins the snapshot and takes the memtable's rows that are not in it. */
static edgeops_status take_snapshot(eop_rows *memory, pieces *list, edgeops_store *store,
                                    eop_telemetry *reader, const eop_selection *want) {
    uint64_t applied = 0;
    pthread_mutex_lock(&store->lock);
    edgeops_status status = eop_telemetry_begin(reader);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_applied(&applied, reader);
    }
    if (status == EDGEOPS_OK) {
        status = copy_memtable(memory, list, store, applied, want);
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* -- the chunks' part -- */

static int by_start_down(const void *a, const void *b) {
    int64_t x = ((const piece *)a)->t0;
    int64_t y = ((const piece *)b)->t0;
    return (x < y) - (x > y);
}

static int by_end_up(const void *a, const void *b) {
    int64_t x = ((const piece *)a)->t1;
    int64_t y = ((const piece *)b)->t1;
    return (x > y) - (x < y);
}

/* Makes the range shorter where `limit` or `last` rows are surely in a part of it. */
static edgeops_status narrow(eop_selection *want, pieces *list, const eop_chunk_list *chunks) {
    uint64_t sum = 0;
    if (want->limit == 0 && want->last == 0) {
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < chunks->count; i++) {
        const eop_chunk_info *chunk = &chunks->items[i];
        if (chunk->t0 >= want->from && chunk->t1 <= want->to && chunk->ord1 <= want->max_ordinal) {
            edgeops_status status = add_piece(list, chunk->t0, chunk->t1, chunk->rows);
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
    }
    if (list->count == 0) {
        return EDGEOPS_OK;
    }
    qsort(list->items, list->count, sizeof *list->items,
          want->limit > 0 ? by_end_up : by_start_down);
    for (size_t i = 0; i < list->count; i++) {
        sum += list->items[i].rows;
        if (want->limit > 0 && sum >= want->limit) {
            want->to = list->items[i].t1;
            break;
        }
        if (want->last > 0 && sum >= want->last) {
            want->from = list->items[i].t0;
            break;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status read_chunks(eop_rows *rows, eop_telemetry *reader, pieces *list,
                                  const eop_selection *selection) {
    eop_selection want = *selection;
    eop_chunk_list chunks = {0};
    size_t total = 0;
    edgeops_status status = eop_telemetry_find(&chunks, reader, want.asset, want.from, want.to);
    if (status == EDGEOPS_OK) {
        status = narrow(&want, list, &chunks);
    }
    for (size_t i = 0; i < chunks.count; i++) {
        bool in = chunks.items[i].t1 >= want.from && chunks.items[i].t0 <= want.to;
        total += in ? chunks.items[i].rows : 0;
    }
    if (status == EDGEOPS_OK && total > 0) {
        status = eop_rows_reserve(rows, total);
    }
    eop_chunk_filter filter = {want.from, want.to, want.max_ordinal};
    for (size_t i = 0; status == EDGEOPS_OK && i < chunks.count; i++) {
        if (chunks.items[i].t1 >= want.from && chunks.items[i].t0 <= want.to) {
            status = eop_telemetry_read(rows, reader, &chunks.items[i], &filter, want.channels);
        }
    }
    eop_free(chunks.items);
    return status;
}

/* -- both -- */

static edgeops_status cut(eop_rows *rows, const eop_selection *want) {
    if (want->limit > 0 && rows->rows > want->limit) {
        eop_rows_truncate(rows, (size_t)want->limit);
    }
    if (want->last > 0 && rows->rows > want->last) {
        eop_rows tail = {0};
        size_t from = rows->rows - (size_t)want->last;
        edgeops_status status = eop_rows_copy(&tail, rows, from, rows->rows, NULL);
        if (status == EDGEOPS_OK) {
            status = eop_rows_complete(&tail);
        }
        if (status != EDGEOPS_OK) {
            eop_rows_dispose(&tail);
            return status;
        }
        eop_rows_dispose(rows);
        *rows = tail;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_store_read_rows(eop_rows *rows, edgeops_store *store,
                                   const eop_selection *selection) {
    eop_telemetry reader = {0};
    eop_rows memory = {0};
    pieces list = {0};
    edgeops_status status = eop_reader_take(&reader, store);
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        status = eop_rows_add_vector(&memory, rows->vectors[k].type, rows->vectors[k].length);
    }
    if (status == EDGEOPS_OK) {
        status = take_snapshot(&memory, &list, store, &reader, selection);
    }
    if (status == EDGEOPS_OK) {
        status = read_chunks(rows, &reader, &list, selection);
    }
    eop_telemetry_end(&reader);
    eop_reader_give(store, &reader);
    if (status == EDGEOPS_OK && memory.rows > 0) {
        status = eop_rows_copy(rows, &memory, 0, memory.rows, NULL);
    }
    eop_rows_dispose(&memory);
    eop_free(list.items);
    if (status == EDGEOPS_OK) {
        status = eop_rows_complete(rows);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_sort(rows);
    }
    return status == EDGEOPS_OK ? cut(rows, selection) : status;
}

/* -- the public call -- */

/* What the query names, under `lock`. infos and channels: count of them, allocated. */
static edgeops_status resolve(eop_table *table, uint32_t **channels, uint32_t *id,
                              edgeops_store *store, const edgeops_query *query) {
    const eop_asset *asset = eop_memtable_find(&store->mem, query->asset);
    if (asset == NULL) {
        return eop_fail_no_asset(query->asset);
    }
    size_t count = query->channels != NULL ? query->channel_count : asset->channel_count;
    edgeops_channel_info *infos = eop_calloc(count, sizeof *infos);
    *channels = eop_calloc(count, sizeof **channels);
    edgeops_status status =
        infos != NULL && *channels != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    for (size_t k = 0; status == EDGEOPS_OK && k < count; k++) {
        const eop_channel *channel = query->channels != NULL
                                         ? eop_asset_channel(asset, query->channels[k])
                                         : asset->channels[k];
        if (channel == NULL) {
            status = eop_fail(EDGEOPS_E_NOTFOUND, "store", "asset '%s' has no channel '%s'",
                              query->asset, query->channels[k]);
            break;
        }
        (*channels)[k] = channel->position;
        infos[k] =
            (edgeops_channel_info){channel->name, channel->unit, channel->type, channel->length};
        status = eop_rows_add_vector(&table->rows, channel->type, channel->length);
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_name(table, query->asset, infos, count);
    }
    *id = asset->id;
    eop_free(infos);
    return status;
}

edgeops_status edgeops_store_read(edgeops_table **out, edgeops_store *store,
                                  const edgeops_query *query) {
    EOP_REQUIRE(out != NULL && store != NULL && query != NULL, "store");
    *out = NULL;
    edgeops_query q = EDGEOPS_QUERY_INIT;
    EOP_OPTIONS_COPY(&q, query);
    EOP_REQUIRE(q.asset != NULL, "store");
    if (q.limit > 0 && q.last > 0) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "a query has a limit of first or of last rows, not both");
    }
    uint32_t *channels = NULL;
    uint32_t id = 0;
    eop_selection want = {.max_ordinal = q.max_ordinal > 0 ? q.max_ordinal : UINT64_MAX,
                          .limit = q.limit,
                          .last = q.last};
    eop_table *table = eop_calloc(1, sizeof *table);
    if (table == NULL) {
        return eop_fail_nomem("store");
    }
    pthread_mutex_lock(&store->lock);
    edgeops_status status = resolve(table, &channels, &id, store, &q);
    pthread_mutex_unlock(&store->lock);
    if (status == EDGEOPS_OK && eop_time_bounds(&want.from, &want.to, q.start, q.end)) {
        want.asset = id;
        want.channels = channels;
        status = eop_store_read_rows(&table->rows, store, &want);
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_show(table);
    }
    eop_free(channels);
    if (status != EDGEOPS_OK) {
        edgeops_table_free(&table->view);
        return status;
    }
    *out = &table->view;
    return EDGEOPS_OK;
}
