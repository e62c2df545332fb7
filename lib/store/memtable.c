/* SPDX-License-Identifier: Apache-2.0 */
/* Assets, channels and the rows that are in the journal only; see memtable.h. Under the store's
 * lock. */
#include "store/memtable.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

/* -- assets and channels -- */

static void free_channel(eop_channel *channel) {
    if (channel != NULL) {
        eop_free(channel->name);
        eop_free(channel->unit);
        eop_free(channel);
    }
}

static void free_asset(eop_asset *asset) {
    if (asset == NULL) {
        return;
    }
    for (uint32_t i = 0; i < asset->channel_count; i++) {
        free_channel(asset->channels[i]);
    }
    eop_map_dispose(&asset->by_name);
    eop_free(asset->channels);
    eop_free(asset->layout);
    eop_free(asset->name);
    eop_free(asset);
}

void eop_memtable_dispose(eop_memtable *table) {
    for (size_t i = 0; i < table->count; i++) {
        free_asset(table->assets[i]);
    }
    eop_free(table->assets);
    eop_map_dispose(&table->by_name);
    *table = (eop_memtable){0};
}

void eop_memtable_skip_id(eop_memtable *table, uint32_t id) {
    if (id >= table->next_id && id < UINT32_MAX) {
        table->next_id = id + 1;
    }
}

eop_asset *eop_memtable_find(const eop_memtable *table, const char *name) {
    return eop_names_find(&table->by_name, name, eop_names_hash(name));
}

eop_asset *eop_memtable_by_id(const eop_memtable *table, uint32_t id) {
    size_t low = 0;
    size_t high = table->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (table->assets[middle]->id < id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < table->count && table->assets[low]->id == id ? table->assets[low] : NULL;
}

edgeops_status eop_memtable_add(eop_asset **out, eop_memtable *table, const char *name,
                                uint32_t id) {
    if (table->count >= EOP_ASSETS_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store", "there are %u assets already, '%s' is one more",
                        EOP_ASSETS_MAX, name);
    }
    eop_asset *asset = eop_calloc(1, sizeof *asset);
    if (asset == NULL) {
        return eop_fail_nomem("store");
    }
    asset->name = eop_strdup(name);
    asset->hash = eop_names_hash(name);
    asset->id = id;
    asset->until = INT64_MIN;
    if (asset->name == NULL || !eop_map_reserve(&table->by_name) ||
        !eop_grow(&table->assets, &table->capacity, table->count + 1, sizeof(eop_asset *))) {
        free_asset(asset);
        return eop_fail_nomem("store");
    }
    eop_names_add(&table->by_name, asset, asset->hash);
    table->assets[table->count++] = asset;
    eop_memtable_skip_id(table, id);
    *out = asset;
    return EDGEOPS_OK;
}

void eop_memtable_remove(eop_memtable *table, eop_asset *asset) {
    for (size_t i = table->count; i-- > 0;) {
        if (table->assets[i] == asset) {
            memmove(&table->assets[i], &table->assets[i + 1],
                    (table->count - i - 1) * sizeof(eop_asset *));
            table->count--;
            break;
        }
    }
    eop_names_remove(&table->by_name, asset, asset->hash);
    table->epoch++;
    free_asset(asset);
}

eop_channel *eop_asset_channel(const eop_asset *asset, const char *name) {
    return eop_names_find(&asset->by_name, name, eop_names_hash(name));
}

edgeops_status eop_asset_add_channel(eop_asset *asset, const char *name, edgeops_type type,
                                     uint32_t length, const char *unit) {
    if (asset->channel_count >= EOP_CHANNELS_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "asset '%s' has %u channels already, '%s' is one more", asset->name,
                        EOP_CHANNELS_MAX, name);
    }
    eop_channel *channel = eop_calloc(1, sizeof *channel);
    if (channel == NULL) {
        return eop_fail_nomem("store");
    }
    channel->name = eop_strdup(name);
    channel->unit = eop_strdup(unit);
    channel->type = type;
    channel->length = length;
    channel->hash = eop_names_hash(name);
    if (channel->name == NULL || channel->unit == NULL || !eop_map_reserve(&asset->by_name) ||
        !eop_grow(&asset->channels, &asset->channel_capacity, asset->channel_count + 1u,
                  sizeof(eop_channel *))) {
        free_channel(channel);
        return eop_fail_nomem("store");
    }
    channel->position = asset->channel_count;
    eop_names_add(&asset->by_name, channel, channel->hash);
    asset->channels[asset->channel_count++] = channel;
    asset->version++;
    return EDGEOPS_OK;
}

void eop_asset_drop_channels(eop_asset *asset, uint32_t n) {
    while (asset->channel_count > n) {
        eop_channel *channel = asset->channels[--asset->channel_count];
        eop_names_remove(&asset->by_name, channel, channel->hash);
        free_channel(channel);
        asset->version++;
        asset->layout_count = 0;
    }
    /* Rows that were taken back leave empty columns behind, of a type that the next channel in that
     * place need not have. Only the newest block can have them. */
    if (asset->newest != NULL) {
        eop_rows *data = &asset->newest->data;
        while (data->vector_count > asset->channel_count) {
            eop_vector_dispose(&data->vectors[--data->vector_count]);
        }
    }
}

/* -- keys of a block that is not sorted -- */

struct eop_keys {
    uint32_t *slots; /* row + 1, 0 for none */
    size_t mask;
    size_t count;
};

static void keys_free(eop_keys *keys) {
    if (keys != NULL) {
        eop_free(keys->slots);
        eop_free(keys);
    }
}

static size_t key_hash(int64_t time, int64_t seq) {
    uint64_t h = ((uint64_t)time ^ ((uint64_t)seq << 32 | (uint64_t)seq >> 32)) *
                 UINT64_C(0x9e3779b97f4a7c15);
    return (size_t)(h ^ h >> 29);
}

static void keys_insert(eop_keys *keys, const eop_rows *data, size_t row) {
    size_t i = key_hash(data->times[row], data->seqs[row]) & keys->mask;
    while (keys->slots[i] != 0) {
        i = (i + 1) & keys->mask;
    }
    keys->slots[i] = (uint32_t)row + 1;
    keys->count++;
}

/* Brings the keys up to all rows of the block. */
static edgeops_status keys_update(eop_block *block) {
    eop_keys *keys = block->keys;
    const eop_rows *data = &block->data;
    if (keys == NULL) {
        keys = eop_calloc(1, sizeof *keys);
        if (keys == NULL) {
            return eop_fail_nomem("store");
        }
        block->keys = keys;
    }
    if (keys->slots == NULL || data->rows * 2 > keys->mask) {
        size_t size = 64;
        while (size < data->rows * 4) {
            size *= 2;
        }
        uint32_t *slots = eop_calloc(size, sizeof *slots);
        if (slots == NULL) {
            return eop_fail_nomem("store");
        }
        eop_free(keys->slots);
        *keys = (eop_keys){.slots = slots, .mask = size - 1};
    }
    while (keys->count < data->rows) {
        keys_insert(keys, data, keys->count);
    }
    return EDGEOPS_OK;
}

static bool keys_find(size_t *row, const eop_block *block, int64_t time, int64_t seq) {
    const eop_keys *keys = block->keys;
    for (size_t i = key_hash(time, seq) & keys->mask; keys->slots[i] != 0;
         i = (i + 1) & keys->mask) {
        size_t at = keys->slots[i] - 1;
        if (block->data.times[at] == time && block->data.seqs[at] == seq) {
            *row = at;
            return true;
        }
    }
    return false;
}

edgeops_status eop_memtable_lookup(eop_block **out, size_t *row, const eop_asset *asset,
                                   int64_t time, int64_t seq) {
    *out = NULL;
    for (eop_block *block = asset->blocks; block != NULL; block = block->next) {
        if (block->data.rows == 0 || time < block->t_min || time > block->t_max) {
            continue;
        }
        bool found;
        if (block->sorted) {
            found = eop_rows_find(row, &block->data, time, seq);
        } else {
            edgeops_status status = keys_update(block);
            if (status != EDGEOPS_OK) {
                return status;
            }
            found = keys_find(row, block, time, seq);
        }
        if (found) {
            *out = block;
            return EDGEOPS_OK;
        }
    }
    return EDGEOPS_OK;
}

/* -- rows -- */

static void free_block(eop_block *block) {
    keys_free(block->keys);
    eop_rows_dispose(&block->data);
    eop_free(block);
}

/* The block that takes the next row of the asset. */
static edgeops_status open_block(eop_block **out, eop_asset *asset, eop_segment *segment,
                                 uint64_t ordinal) {
    eop_block *block = asset->newest;
    if (EOP_LIKELY(block != NULL && block->segment == segment->number &&
                   block->data.first_ordinal + block->data.rows == ordinal)) {
        *out = block;
        return EDGEOPS_OK;
    }
    block = eop_calloc(1, sizeof *block);
    if (block == NULL) {
        return eop_fail_nomem("store");
    }
    block->data.first_ordinal = ordinal;
    block->sorted = true;
    block->asset = asset;
    block->asset_id = asset->id;
    block->segment = segment->number;
    block->next_in_segment = segment->blocks;
    segment->blocks = block;
    if (asset->newest != NULL) {
        asset->newest->next = block;
    } else {
        asset->blocks = block;
    }
    asset->newest = block;
    *out = block;
    return EDGEOPS_OK;
}

static void grow_extent(eop_extent *extent, uint64_t ordinal, int64_t time, int64_t seq) {
    if (extent->rows == 0) {
        extent->first = time;
        extent->last = time;
        extent->last_seq = seq;
    } else if (eop_key_compare(time, seq, extent->last, extent->last_seq) > 0) {
        extent->last = time;
        extent->last_seq = seq;
    }
    if (time < extent->first) {
        extent->first = time;
    }
    extent->rows++;
    extent->ordinal = ordinal;
}

void eop_block_measure(eop_block *block) {
    const eop_rows *data = &block->data;
    block->extent = (eop_extent){0};
    if (block->sorted && data->rows > 0) {
        size_t last = data->rows - 1;
        block->extent = (eop_extent){.rows = data->rows,
                                     .ordinal = data->first_ordinal + last,
                                     .first = data->times[0],
                                     .last = data->times[last],
                                     .last_seq = data->seqs[last]};
        return;
    }
    for (size_t i = 0; i < data->rows; i++) {
        grow_extent(&block->extent, data->first_ordinal + i, data->times[i], data->seqs[i]);
    }
}

edgeops_status eop_asset_columns(eop_rows *rows, const eop_asset *asset, uint32_t limit) {
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && rows->vector_count < asset->channel_count &&
           rows->vector_count < limit) {
        const eop_channel *channel = asset->channels[rows->vector_count];
        status = eop_rows_add_vector(rows, channel->type, channel->length);
    }
    return status;
}

void eop_segment_complete(eop_segment *segment) {
    for (eop_block *block = segment->blocks; block != NULL; block = block->next_in_segment) {
        block->whole = block->asset != NULL && eop_asset_columns(&block->data, block->asset,
                                                                 EOP_CHANNELS_MAX) == EDGEOPS_OK;
    }
}

void eop_extent_merge(eop_extent *extent, const eop_extent *other) {
    if (other->rows == 0) {
        return;
    }
    if (extent->rows == 0 ||
        eop_key_compare(other->last, other->last_seq, extent->last, extent->last_seq) > 0) {
        extent->last = other->last;
        extent->last_seq = other->last_seq;
    }
    if (extent->rows == 0 || other->first < extent->first) {
        extent->first = other->first;
    }
    extent->rows += other->rows;
    if (other->ordinal > extent->ordinal) {
        extent->ordinal = other->ordinal;
    }
}

static uint64_t beyond_free(uint64_t memory) {
    return memory > EOP_BLOCK_FREE ? memory - EOP_BLOCK_FREE : 0;
}

/* The common case: a number at the end of a column that has no nulls, takes no quality code and has
 * room. */
static bool put_number(eop_vector *vector, size_t row, const eop_cell *cell) {
    if (vector->filled != row || row >= vector->capacity || vector->valid != NULL ||
        vector->quality != NULL || cell->quality != EDGEOPS_QUALITY_NONE || cell->value.size > 0 ||
        cell->value.type != vector->type ||
        (vector->type != EDGEOPS_TYPE_FLOAT64 && vector->type != EDGEOPS_TYPE_INT64)) {
        return false;
    }
    memcpy((uint64_t *)vector->data + row, &cell->value.as, sizeof(uint64_t));
    vector->filled = row + 1;
    return true;
}

/* *memory: grows by what the columns take more than before. */
static edgeops_status put_cells(uint64_t *memory, eop_block *block, const eop_cell *cells,
                                size_t n) {
    eop_rows *data = &block->data;
    for (size_t i = 0; i < n; i++) {
        if (cells[i].value.type == EDGEOPS_TYPE_NULL) {
            continue;
        }
        while (data->vector_count <= cells[i].channel) {
            eop_channel *channel = block->asset->channels[data->vector_count];
            edgeops_status status = eop_rows_add_vector(data, channel->type, channel->length);
            if (status != EDGEOPS_OK) {
                return status;
            }
            *memory += sizeof *data->vectors;
        }
        eop_vector *vector = &data->vectors[cells[i].channel];
        if (EOP_LIKELY(put_number(vector, data->rows, &cells[i]))) {
            continue;
        }
        size_t before = eop_vector_bytes(vector);
        edgeops_status status = eop_vector_pad(vector, data->rows);
        if (status == EDGEOPS_OK) {
            status = eop_vector_put(vector, &cells[i].value);
        }
        if (EOP_UNLIKELY(cells[i].quality != EDGEOPS_QUALITY_NONE) && status == EDGEOPS_OK) {
            status = eop_vector_rate(vector, data->rows, &cells[i].quality, 1);
        }
        *memory += eop_vector_bytes(vector) - before;
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_memtable_push(eop_asset *asset, eop_segment *segment, uint64_t ordinal,
                                 int64_t time, int64_t seq, const eop_cell *cells, size_t n) {
    eop_block *block = NULL;
    edgeops_status status = open_block(&block, asset, segment, ordinal);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_rows *data = &block->data;
    size_t row = data->rows;
    size_t capacity = data->capacity;
    uint64_t before = beyond_free(block->memory);
    status = eop_rows_reserve(data, row + 1);
    if (status == EDGEOPS_OK) {
        block->memory += (data->capacity - capacity) * 2 * sizeof(int64_t);
        status = put_cells(&block->memory, block, cells, n);
    }
    segment->memory += beyond_free(block->memory) - before;
    if (EOP_UNLIKELY(status != EDGEOPS_OK)) {
        eop_memtable_pop(asset, segment, row);
        return status;
    }
    data->times[row] = time;
    data->seqs[row] = seq;
    if (row == 0) {
        block->t_min = time;
        block->t_max = time;
    } else {
        block->sorted = block->sorted &&
                        eop_key_compare(data->times[row - 1], data->seqs[row - 1], time, seq) < 0;
        block->t_min = time < block->t_min ? time : block->t_min;
        block->t_max = time > block->t_max ? time : block->t_max;
    }
    data->rows = row + 1;
    grow_extent(&asset->all, ordinal, time, seq);
    return EDGEOPS_OK;
}

/* Memory of the columns. */
static uint64_t columns_memory(const eop_rows *data) {
    uint64_t bytes = data->vector_count * sizeof *data->vectors;
    for (size_t k = 0; k < data->vector_count; k++) {
        bytes += eop_vector_bytes(&data->vectors[k]);
    }
    return bytes;
}

/* The block's columns for the channels, and which vector each of them takes. */
static edgeops_status map_columns(uint32_t *map, eop_block *block, const eop_rows *rows,
                                  const uint32_t *channels) {
    eop_rows *data = &block->data;
    for (size_t k = 0; k < rows->vector_count; k++) {
        while (channels[k] != UINT32_MAX && data->vector_count <= channels[k]) {
            const eop_channel *channel = block->asset->channels[data->vector_count];
            edgeops_status status = eop_rows_add_vector(data, channel->type, channel->length);
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
    }
    for (size_t c = 0; c < data->vector_count; c++) {
        map[c] = UINT32_MAX;
    }
    for (size_t k = 0; k < rows->vector_count; k++) {
        if (channels[k] != UINT32_MAX) {
            map[channels[k]] = (uint32_t)k;
        }
    }
    return EDGEOPS_OK;
}

/* An empty block takes the arrays as they are. */
static void take_rows(eop_rows *data, eop_rows *rows, const uint32_t *channels) {
    for (size_t k = 0; k < rows->vector_count; k++) {
        if (channels[k] != UINT32_MAX) {
            eop_vector_dispose(&data->vectors[channels[k]]);
            data->vectors[channels[k]] = rows->vectors[k];
            rows->vectors[k] = (eop_vector){.type = rows->vectors[k].type};
        }
    }
    eop_free(data->times);
    eop_free(data->seqs);
    data->times = rows->times;
    data->seqs = rows->seqs;
    data->capacity = rows->capacity;
    data->rows = rows->rows;
    data->first_ordinal = rows->first_ordinal;
    rows->times = NULL;
    rows->seqs = NULL;
    eop_rows_dispose(rows);
}

edgeops_status eop_memtable_push_rows(eop_asset *asset, eop_segment *segment, eop_rows *rows,
                                      const uint32_t *channels, bool give) {
    uint32_t map[EOP_CHANNELS_MAX];
    eop_block *block = NULL;
    edgeops_status status = open_block(&block, asset, segment, rows->first_ordinal);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_rows *data = &block->data;
    size_t row = data->rows;
    size_t capacity = data->capacity;
    uint64_t before = beyond_free(block->memory);
    uint64_t columns = columns_memory(data);
    status = map_columns(map, block, rows, channels);
    size_t n = rows->rows;
    if (status == EDGEOPS_OK && give && row == 0 && data->ordinals == NULL) {
        take_rows(data, rows, channels);
    } else if (status == EDGEOPS_OK) {
        status = eop_rows_copy(data, rows, 0, n, map);
    }
    block->memory += (data->capacity - capacity) * 2 * sizeof(int64_t);
    block->memory += columns_memory(data) - columns;
    segment->memory += beyond_free(block->memory) - before;
    if (status != EDGEOPS_OK) {
        eop_memtable_pop(asset, segment, row);
        return status;
    }
    size_t first = row;
    size_t last = row + n - 1;
    block->sorted =
        block->sorted && (row == 0 || eop_key_compare(data->times[row - 1], data->seqs[row - 1],
                                                      data->times[first], data->seqs[first]) < 0);
    block->t_min =
        row == 0 || data->times[first] < block->t_min ? data->times[first] : block->t_min;
    block->t_max = row == 0 || data->times[last] > block->t_max ? data->times[last] : block->t_max;
    grow_extent(&asset->all, data->first_ordinal + first, data->times[first], data->seqs[first]);
    if (n > 1) {
        grow_extent(&asset->all, data->first_ordinal + last, data->times[last], data->seqs[last]);
        asset->all.rows += n - 2;
    }
    return EDGEOPS_OK;
}

/* The block leaves its asset. */
static void unlink_block(eop_block *block) {
    eop_asset *asset = block->asset;
    eop_block *before = NULL;
    for (eop_block *at = asset->blocks; at != NULL; at = at->next) {
        if (at == block) {
            if (before != NULL) {
                before->next = block->next;
            } else {
                asset->blocks = block->next;
            }
            if (asset->newest == block) {
                asset->newest = before;
            }
            return;
        }
        before = at;
    }
}

void eop_memtable_pop(eop_asset *asset, eop_segment *segment, size_t n) {
    eop_block *block = asset->newest;
    if (block == NULL) {
        return;
    }
    eop_rows_truncate(&block->data, n);
    keys_free(block->keys);
    block->keys = NULL;
    if (n > 0) {
        return;
    }
    unlink_block(block);
    for (eop_block **at = &segment->blocks; *at != NULL; at = &(*at)->next_in_segment) {
        if (*at == block) {
            *at = block->next_in_segment;
            break;
        }
    }
    free_block(block);
}

void eop_memtable_release(eop_segment *segment) {
    for (eop_block *block = segment->blocks; block != NULL; block = block->next_in_segment) {
        if (block->asset != NULL) {
            unlink_block(block);
            eop_extent_merge(&block->asset->stored, &block->extent);
        }
    }
}

void eop_segment_drop_asset(eop_segment *segment, const eop_asset *asset, bool in_use) {
    eop_block **at = &segment->blocks;
    while (*at != NULL) {
        eop_block *block = *at;
        bool gone = block->asset == asset;
        if (gone && asset != NULL) {
            unlink_block(block);
            block->asset = NULL;
        }
        if (gone && !in_use) {
            *at = block->next_in_segment;
            free_block(block);
        } else {
            at = &block->next_in_segment;
        }
    }
}

void eop_segment_free(eop_segment *segment) {
    if (segment == NULL) {
        return;
    }
    while (segment->blocks != NULL) {
        eop_block *block = segment->blocks;
        segment->blocks = block->next_in_segment;
        free_block(block);
    }
    eop_free(segment);
}

/* -- progress -- */

void eop_asset_note_write(eop_asset *asset, uint64_t before, uint64_t write, uint64_t durable) {
    eop_progress *progress = &asset->progress;
    if (EOP_LIKELY(progress->write <= durable)) {
        progress->ordinal = before;
        progress->mid_write = 0;
    } else if (progress->mid_write <= durable) {
        if (progress->mid_write != 0) {
            progress->ordinal = progress->mid_ordinal;
        }
        progress->mid_write = progress->write;
        progress->mid_ordinal = before;
    }
    progress->write = write;
}

uint64_t eop_asset_durable(const eop_asset *asset, uint64_t durable) {
    const eop_progress *progress = &asset->progress;
    if (EOP_LIKELY(progress->write <= durable)) {
        return asset->all.ordinal;
    }
    return progress->mid_write != 0 && progress->mid_write <= durable ? progress->mid_ordinal
                                                                      : progress->ordinal;
}
