/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that are in the journal but not in chunks yet, by series and by segment; see memtable.h.
 * Under the store's lock. */
#include "store/memtable.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

void eop_series_begin(eop_series *series) {
    series->all.ordinal = series->asset.base;
    series->stored.ordinal = series->asset.base;
    series->blobs_synced = series->asset.base;
    series->until = INT64_MIN;
}

edgeops_status eop_series_add(eop_series **out, eop_asset_list *list, const char *name,
                              uint64_t base) {
    eop_asset *asset = NULL;
    edgeops_status status = eop_asset_list_add(&asset, list, name, list->next_id);
    if (status == EDGEOPS_OK) {
        asset->base = base;
        *out = (eop_series *)asset;
        eop_series_begin(*out);
    }
    return status;
}

void eop_series_drop_channels(eop_series *series, uint32_t n) {
    eop_asset_drop_channels(&series->asset, n);
    /* Rows that were rolled back leave empty columns behind, and the next channel in that position
     * may have another type. Only the newest block can have such columns. */
    if (series->newest != NULL) {
        eop_rows *data = &series->newest->data;
        while (data->vector_count > series->asset.channel_count) {
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

/* Adds the block's newest rows to the keys. */
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

edgeops_status eop_memtable_lookup(eop_block **out, size_t *row, const eop_series *series,
                                   int64_t time, int64_t seq) {
    *out = NULL;
    for (eop_block *block = series->blocks; block != NULL; block = block->next) {
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

/* Finds or makes the block for the asset's next row. */
static edgeops_status open_block(eop_block **out, eop_series *series, eop_segment *segment,
                                 uint64_t ordinal) {
    eop_block *block = series->newest;
    if (EOP_LIKELY(block != NULL && block->segment == segment->number &&
                   eop_block_end(block) == ordinal)) {
        *out = block;
        return EDGEOPS_OK;
    }
    block = eop_calloc(1, sizeof *block);
    if (block == NULL) {
        return eop_fail_nomem("store");
    }
    block->data.first_ordinal = ordinal;
    block->sorted = true;
    block->series = series;
    block->asset_id = series->asset.id;
    block->segment = segment->number;
    block->next_in_segment = segment->blocks;
    segment->blocks = block;
    if (series->newest != NULL) {
        series->newest->next = block;
    } else {
        series->blocks = block;
    }
    series->newest = block;
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
        block->whole =
            block->series != NULL &&
            eop_asset_columns(&block->data, &block->series->asset, EOP_CHANNELS_MAX) == EDGEOPS_OK;
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

/* Fast path: a number at the end of a column without nulls and codes, with room. */
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

/* *memory: grows by the memory that the columns grow. */
static edgeops_status put_cells(uint64_t *memory, eop_block *block, const eop_cell *cells,
                                size_t n) {
    eop_rows *data = &block->data;
    for (size_t i = 0; i < n; i++) {
        if (cells[i].value.type == EDGEOPS_TYPE_NULL) {
            continue;
        }
        while (data->vector_count <= cells[i].channel) {
            eop_channel *channel = block->series->asset.channels[data->vector_count];
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

edgeops_status eop_memtable_push(eop_series *series, eop_segment *segment, uint64_t ordinal,
                                 int64_t time, int64_t seq, const eop_cell *cells, size_t n) {
    eop_block *block = NULL;
    edgeops_status status = open_block(&block, series, segment, ordinal);
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
        eop_memtable_pop(series, segment, row);
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
    grow_extent(&series->all, ordinal, time, seq);
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

/* Makes the block's columns for the channels and finds the vector for each. */
static edgeops_status map_columns(uint32_t *map, eop_block *block, const eop_rows *rows,
                                  const uint32_t *channels) {
    eop_rows *data = &block->data;
    for (size_t k = 0; k < rows->vector_count; k++) {
        while (channels[k] != UINT32_MAX && data->vector_count <= channels[k]) {
            const eop_channel *channel = block->series->asset.channels[data->vector_count];
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

edgeops_status eop_memtable_push_rows(eop_series *series, eop_segment *segment, eop_rows *rows,
                                      const uint32_t *channels, bool give) {
    uint32_t map[EOP_CHANNELS_MAX];
    eop_block *block = NULL;
    edgeops_status status = open_block(&block, series, segment, rows->first_ordinal);
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
        eop_memtable_pop(series, segment, row);
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
    grow_extent(&series->all, data->first_ordinal + first, data->times[first], data->seqs[first]);
    if (n > 1) {
        grow_extent(&series->all, data->first_ordinal + last, data->times[last], data->seqs[last]);
        series->all.rows += n - 2;
    }
    return EDGEOPS_OK;
}

/* Takes the block out of its asset's list. */
static void unlink_block(eop_block *block) {
    eop_series *series = block->series;
    eop_block *before = NULL;
    for (eop_block *at = series->blocks; at != NULL; at = at->next) {
        if (at == block) {
            if (before != NULL) {
                before->next = block->next;
            } else {
                series->blocks = block->next;
            }
            if (series->newest == block) {
                series->newest = before;
            }
            return;
        }
        before = at;
    }
}

void eop_memtable_pop(eop_series *series, eop_segment *segment, size_t n) {
    eop_block *block = series->newest;
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
        if (block->series != NULL) {
            unlink_block(block);
            eop_extent_merge(&block->series->stored, &block->extent);
            if (block->series->blobs_synced < block->extent.ordinal) {
                block->series->blobs_synced = block->extent.ordinal;
            }
        }
    }
}

void eop_segment_drop_series(eop_segment *segment, const eop_series *series, bool in_use) {
    eop_block **at = &segment->blocks;
    while (*at != NULL) {
        eop_block *block = *at;
        bool gone = block->series == series;
        if (gone && series != NULL) {
            unlink_block(block);
            block->series = NULL;
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

void eop_series_note_write(eop_series *series, uint64_t before, uint64_t write, uint64_t durable) {
    eop_progress *progress = &series->progress;
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

uint64_t eop_series_durable(const eop_series *series, uint64_t durable) {
    const eop_progress *progress = &series->progress;
    if (EOP_LIKELY(progress->write <= durable)) {
        return series->all.ordinal;
    }
    return progress->mid_write != 0 && progress->mid_write <= durable ? progress->mid_ordinal
                                                                      : progress->ordinal;
}
