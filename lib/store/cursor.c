/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over the rows of assets in order of arrival and continues where it was. Each step takes a
 * connection from the pool, and the store's lock while it reads the memtable. */

#include "base/abi.h"
#include "base/error.h"
#include "base/memory.h"
#include "store/append.h"
#include "store/birth.h"
#include "store/durable.h"
#include "store/internal.h"
#include "store/log.h"
#include "store/read.h"
#include "store/readers.h"

struct edgeops_cursor {
    edgeops_store *store;
    char *asset_name;
    bool all_channels;
    char **names; /* of the channels asked for */
    size_t name_count;
    uint64_t next;    /* ordinal of the next row */
    uint64_t skipped; /* number of ordinals that were skipped */

    eop_series *series; /* borrowed; valid while `epoch` equals the list's */
    uint64_t epoch;
    uint64_t end;     /* ordinal up to which the rows are durable */
    bool known;       /* the columns are set up */
    uint64_t version; /* version of the asset at that time */
    uint32_t *channels;
    size_t channel_capacity;
    eop_table table;

    eop_rows chunk;  /* the chunk read last; in order of arrival, unless it has parts */
    eop_parts parts; /* empty: it has none */
    uint64_t first;  /* its ordinals, if it has rows */
    uint64_t last;
};

void edgeops_cursor_close(edgeops_cursor *cursor) {
    if (cursor == NULL) {
        return;
    }
    for (size_t i = 0; i < cursor->name_count; i++) {
        eop_free(cursor->names[i]);
    }
    eop_free(cursor->names);
    eop_free(cursor->asset_name);
    eop_free(cursor->channels);
    eop_table_dispose(&cursor->table);
    eop_rows_dispose(&cursor->chunk);
    eop_parts_dispose(&cursor->parts);
    eop_free(cursor);
}

static edgeops_status copy_names(edgeops_cursor *cursor, const char *const *channels,
                                 size_t count) {
    cursor->all_channels = channels == NULL;
    if (channels == NULL) {
        return EDGEOPS_OK;
    }
    cursor->names = eop_calloc(count, sizeof(char *));
    if (cursor->names == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < count; i++) {
        EOP_REQUIRE(channels[i] != NULL, "store");
        cursor->names[i] = eop_strdup(channels[i]);
        if (cursor->names[i] == NULL) {
            return eop_fail_nomem("store");
        }
        cursor->name_count++;
    }
    return EDGEOPS_OK;
}

uint64_t edgeops_cursor_skipped(const edgeops_cursor *cursor) {
    return cursor != NULL ? cursor->skipped : 0;
}

void edgeops_cursor_options_init(edgeops_cursor_options *options, size_t struct_size) {
    const edgeops_cursor_options defaults = EDGEOPS_CURSOR_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

edgeops_status edgeops_cursor_open(edgeops_cursor **out, edgeops_store *store,
                                   const edgeops_cursor_options *options) {
    EOP_REQUIRE(out != NULL, "store");
    *out = NULL;
    EOP_REQUIRE(store != NULL && options != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_cursor_options taken = EDGEOPS_CURSOR_OPTIONS_INIT;
    edgeops_status status = EOP_STRUCT_TAKE(&taken, options, "store", EDGEOPS_CURSOR_OPTIONS_INIT);
    if (status == EDGEOPS_OK) {
        EOP_REQUIRE(taken.asset != NULL, "store");
        status = eop_check_asset_name(taken.asset);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    edgeops_cursor *cursor = eop_calloc(1, sizeof *cursor);
    if (cursor == NULL) {
        return eop_fail_nomem("store");
    }
    cursor->table.borrowed = true;
    cursor->store = store;
    cursor->asset_name = eop_strdup(taken.asset);
    status = cursor->asset_name != NULL ? copy_names(cursor, taken.channels, taken.channel_count)
                                        : eop_fail_nomem("store");
    if (status != EDGEOPS_OK) {
        edgeops_cursor_close(cursor);
        return status;
    }
    cursor->next = taken.after + 1;
    if (taken.after == UINT64_MAX) {
        pthread_mutex_lock(&store->lock);
        const eop_series *found = eop_series_find(&store->assets, taken.asset);
        cursor->next = found != NULL ? eop_series_durable(found, eop_store_durable(store)) + 1 : 1;
        pthread_mutex_unlock(&store->lock);
    }
    *out = cursor;
    return EDGEOPS_OK;
}

/* Under `lock`: sets the columns to those that the asset has now. */
static edgeops_status set_columns(edgeops_cursor *cursor) {
    const eop_asset *asset = &cursor->series->asset;
    if (EOP_LIKELY(cursor->known && cursor->version == asset->version)) {
        return EDGEOPS_OK;
    }
    cursor->known = false;
    size_t count = cursor->all_channels ? eop_asset_shown(asset) : cursor->name_count;
    uint32_t place = 0;
    edgeops_channel_info *infos = eop_calloc(count, sizeof *infos);
    edgeops_status status = EDGEOPS_OK;
    if (infos == NULL ||
        !eop_grow(&cursor->channels, &cursor->channel_capacity, count, sizeof *cursor->channels)) {
        status = eop_fail_nomem("store");
    }
    eop_rows_dispose(&cursor->table.rows);
    eop_rows_dispose(&cursor->chunk);
    for (size_t k = 0; status == EDGEOPS_OK && k < count; k++) {
        const eop_channel *channel = cursor->all_channels
                                         ? eop_asset_next_channel(asset, &place)
                                         : eop_asset_channel(asset, cursor->names[k]);
        if (channel != NULL) {
            infos[k] = (edgeops_channel_info){channel->name, channel->unit, channel->type,
                                              channel->length};
            cursor->channels[k] = channel->position;
        } else {
            infos[k] = (edgeops_channel_info){cursor->names[k], "", EDGEOPS_TYPE_FLOAT64, 1};
            cursor->channels[k] = UINT32_MAX;
        }
        status = eop_rows_add_vector(&cursor->table.rows, infos[k].type, infos[k].length);
        if (status == EDGEOPS_OK) {
            status = eop_rows_add_vector(&cursor->chunk, infos[k].type, infos[k].length);
        }
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_name(&cursor->table, cursor->asset_name, infos, count);
    }
    eop_free(infos);
    if (status == EDGEOPS_OK) {
        cursor->known = true;
        cursor->version = asset->version;
    }
    return status;
}

static void skip_to(edgeops_cursor *cursor, uint64_t next) {
    cursor->skipped += next - cursor->next;
    cursor->next = next;
}

/* Appends arrivals [from, to) of a collection to the table, each as a row. rows: have the columns
 * of the cursor. */
static edgeops_status copy_arrivals(edgeops_cursor *cursor, const eop_rows *rows,
                                    const eop_parts *parts, uint64_t first, size_t from,
                                    size_t to) {
    uint8_t *flags = NULL;
    edgeops_status status = eop_table_mark(&flags, &cursor->table, to - from);
    return status == EDGEOPS_OK ? eop_parts_arrivals(&cursor->table.rows, flags, rows, parts, first,
                                                     from, to, cursor->channels)
                                : status;
}

/* The same of a block in memory, whose columns are all channels of the asset. */
static edgeops_status copy_block(edgeops_cursor *cursor, const eop_block *block, size_t from,
                                 size_t to) {
    eop_rows *table = &cursor->table.rows;
    if (EOP_LIKELY(block->parts == NULL)) {
        return eop_rows_copy(table, &block->data, from, to, cursor->channels);
    }
    eop_rows view = block->data;
    view.vector_count = table->vector_count;
    view.vectors = eop_calloc(table->vector_count, sizeof *view.vectors);
    if (view.vectors == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t k = 0; k < table->vector_count; k++) {
        uint32_t channel = cursor->channels[k];
        const eop_vector *column = &table->vectors[k];
        view.vectors[k] = channel < block->data.vector_count
                              ? block->data.vectors[channel]
                              : (eop_vector){.type = column->type, .length = column->length};
    }
    edgeops_status status =
        copy_arrivals(cursor, &view, block->parts, block->data.first_ordinal, from, to);
    eop_free(view.vectors);
    return status;
}

/* Copies rows of the memtable from `next` on into the table. DONE: the next row is older, unless it
 * is known to be lost. */
static edgeops_status take_memory(edgeops_cursor *cursor, size_t max_rows, bool lost) {
    eop_rows *rows = &cursor->table.rows;
    const eop_block *block = cursor->series->blocks;
    if (block == NULL || (block->data.first_ordinal > cursor->next && !lost)) {
        return EDGEOPS_DONE;
    }
    for (; block != NULL && rows->rows < max_rows; block = block->next) {
        uint64_t first = block->data.first_ordinal;
        uint64_t end = eop_block_end(block);
        if (end <= cursor->next) {
            continue;
        }
        if (first > cursor->end) {
            break;
        }
        if (first > cursor->next) {
            /* Damage of the journal left a gap. */
            skip_to(cursor, first);
        }
        size_t from = (size_t)(cursor->next - first);
        size_t n = eop_block_arrivals(block) - from;
        if (end - 1 > cursor->end) {
            n -= (size_t)(end - 1 - cursor->end);
        }
        if (n > max_rows - rows->rows) {
            n = max_rows - rows->rows;
        }
        edgeops_status status = copy_block(cursor, block, from, from + n);
        if (status != EDGEOPS_OK) {
            return status;
        }
        cursor->next += n;
    }
    return rows->rows > 0 ? EDGEOPS_OK : EDGEOPS_DONE;
}

static void forget_chunk(edgeops_cursor *cursor) {
    eop_rows_clear(&cursor->chunk);
    eop_rows_drop_ordinals(&cursor->chunk);
    eop_parts_clear(&cursor->parts);
}

/* Keeps the chunk that was just read: rows that came whole in order of arrival, others as they are,
 * with the reader's parts. */
static edgeops_status keep_chunk(edgeops_cursor *cursor, eop_telemetry *reader,
                                 const eop_chunk_info *chunk) {
    cursor->first = chunk->ord0;
    cursor->last = chunk->ord1;
    if (eop_chunk_has_parts(chunk)) {
        eop_parts swap = cursor->parts;
        cursor->parts = reader->parts;
        reader->parts = swap;
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_rows_complete(&cursor->chunk);
    return status == EDGEOPS_OK ? eop_rows_sort_by_arrival(&cursor->chunk) : status;
}

/* Reads the chunk with `next`, or the one after. DONE: there is none. *chunk: set even when it
 * cannot be read. */
static edgeops_status read_chunk(eop_chunk_info *chunk, edgeops_cursor *cursor, uint32_t asset) {
    eop_telemetry reader = {0};
    forget_chunk(cursor);
    edgeops_status status = eop_reader_take(&reader, cursor->store);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_telemetry_begin(&reader);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_at(chunk, &reader, asset, cursor->next);
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_read(&cursor->chunk, &reader, chunk, NULL, cursor->channels);
    }
    if (status == EDGEOPS_OK) {
        status = keep_chunk(cursor, &reader, chunk);
    }
    eop_telemetry_end(&reader);
    eop_reader_give(cursor->store, &reader);
    return status;
}

/* Copies rows of the held chunk from `next` on. DONE: it has none. */
static edgeops_status take_chunk(edgeops_cursor *cursor, size_t max_rows) {
    if (cursor->chunk.rows == 0 || cursor->next < cursor->first || cursor->next > cursor->last) {
        return EDGEOPS_DONE;
    }
    size_t from = (size_t)(cursor->next - cursor->first);
    size_t count = (size_t)(cursor->last - cursor->first + 1);
    size_t n = count - from < max_rows ? count - from : max_rows;
    edgeops_status status =
        cursor->parts.count > 0
            ? copy_arrivals(cursor, &cursor->chunk, &cursor->parts, cursor->first, from, from + n)
            : eop_rows_copy(&cursor->table.rows, &cursor->chunk, from, from + n, NULL);
    if (status == EDGEOPS_OK) {
        cursor->next += n;
    }
    return status;
}

/* Under `lock`: finds the asset. DONE: it has nothing new. */
static edgeops_status find_asset(edgeops_cursor *cursor) {
    edgeops_store *store = cursor->store;
    if (cursor->series == NULL || cursor->epoch != store->assets.epoch) {
        cursor->series = eop_series_find(&store->assets, cursor->asset_name);
        cursor->epoch = store->assets.epoch;
        cursor->known = false;
    }
    if (cursor->series == NULL) {
        return EDGEOPS_DONE;
    }
    cursor->end = eop_series_durable(cursor->series, eop_store_durable(store));
    if (cursor->end < cursor->next) {
        return EDGEOPS_DONE;
    }
    return set_columns(cursor);
}

/* Reads from the memtable. DONE with *asset set: the next row is in a chunk. */
static edgeops_status next_in_memory(edgeops_cursor *cursor, size_t max_rows, bool lost,
                                     uint32_t *asset) {
    pthread_mutex_lock(&cursor->store->lock);
    edgeops_status status = find_asset(cursor);
    *asset = 0;
    if (status == EDGEOPS_OK) {
        eop_table_clear(&cursor->table);
        *asset = cursor->series->asset.id;
        status = take_chunk(cursor, max_rows);
        if (status == EDGEOPS_DONE) {
            status = take_memory(cursor, max_rows, lost);
        }
    }
    pthread_mutex_unlock(&cursor->store->lock);
    return status;
}

/* Whether what was read without the lock has the channels of the asset: one that changes its type
 * leaves its position. */
static bool is_current(const edgeops_cursor *cursor) {
    pthread_mutex_lock(&cursor->store->lock);
    bool current = cursor->epoch == cursor->store->assets.epoch &&
                   cursor->version == cursor->series->asset.version;
    pthread_mutex_unlock(&cursor->store->lock);
    return current;
}

/* Reads rows older than the memtable: rows leave it only after their chunk is written. *again: call
 * it again; the chunk is damaged and `next` is behind it, or the channels changed. */
static edgeops_status next_in_chunks(bool *again, edgeops_cursor *cursor, size_t max_rows,
                                     uint32_t asset) {
    eop_chunk_info chunk = {0};
    edgeops_status status = read_chunk(&chunk, cursor, asset);
    *again = status >= 0 && !is_current(cursor);
    if (*again) {
        forget_chunk(cursor);
        return EDGEOPS_DONE;
    }
    *again = eop_sql_unreadable(status) && chunk.id != 0 && chunk.ord1 >= cursor->next &&
             chunk.ord1 < INT64_MAX;
    if (*again) {
        eop_store_note_damage(chunk.id, cursor->store);
        skip_to(cursor, chunk.ord1 + 1);
        return EDGEOPS_DONE;
    }
    if (status == EDGEOPS_DONE) {
        /* Not in chunks either: damage of the journal left a gap; continue behind it. */
        return next_in_memory(cursor, max_rows, true, &asset);
    }
    if (status == EDGEOPS_OK && cursor->chunk.rows > 0) {
        if (cursor->first > cursor->next) {
            skip_to(cursor, cursor->first);
        }
        status = take_chunk(cursor, max_rows);
    }
    return status;
}

edgeops_status edgeops_cursor_next(const edgeops_table **block, edgeops_cursor *cursor,
                                   size_t max_rows) {
    EOP_REQUIRE(cursor != NULL && block != NULL && max_rows >= 1 && max_rows <= 65536, "store");
    EOP_STORE_REQUIRE_HERE(cursor->store);
    uint64_t start = cursor->next;
    uint64_t skipped = cursor->skipped;
    uint32_t asset = 0;
    edgeops_status status = EDGEOPS_OK;
    bool again = false;
    do {
        status = next_in_memory(cursor, max_rows, false, &asset);
        again = false;
        if (status == EDGEOPS_DONE && asset != 0) {
            status = next_in_chunks(&again, cursor, max_rows, asset);
        }
    } while (again);
    if (status == EDGEOPS_DONE) {
        return status;
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_complete(&cursor->table.rows);
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_show(&cursor->table);
    }
    if (status != EDGEOPS_OK) {
        cursor->next = start;
        cursor->skipped = skipped;
        return status;
    }
    *block = &cursor->table.view;
    return EDGEOPS_OK;
}
