/* SPDX-License-Identifier: Apache-2.0 */
/* The rows that are in the journal but not in chunks yet, by series and by segment; see memtable.h.
 * Under the store's lock. */
#include "store/memtable.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/find.h"

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

static edgeops_status search_block(eop_search *search, eop_block *block) {
    size_t row = 0;
    edgeops_status status = eop_block_find(&row, block, search->time, search->seq);
    if (status == EDGEOPS_OK) {
        bool later = block->parts != NULL && eop_parts_later(block->parts, row);
        eop_search_give(search, &block->data, row, later);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_memtable_lookup(eop_search *search, const eop_series *series) {
    eop_block *newest = series->newest;
    edgeops_status status = newest != NULL ? search_block(search, newest) : EDGEOPS_OK;
    bool done = search->whole;
    /* One of the older ones has the first part, others may have later parts: each is searched. */
    for (eop_block *block = series->blocks;
         status == EDGEOPS_OK && !done && !search->stop && block != newest; block = block->next) {
        status = search_block(search, block);
    }
    return status;
}

/* -- rows -- */

static void free_parts(eop_block *block) {
    if (block->parts != NULL) {
        eop_parts_dispose(block->parts);
        eop_free(block->parts);
        block->parts = NULL;
    }
}

static void free_block(eop_block *block) {
    eop_block_forget(block);
    free_parts(block);
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

static void widen_extent(eop_extent *extent, int64_t time, int64_t seq) {
    if (eop_key_compare(time, seq, extent->last, extent->last_seq) > 0) {
        extent->last = time;
        extent->last_seq = seq;
    }
    if (time < extent->first) {
        extent->first = time;
    }
}

static void grow_extent(eop_extent *extent, uint64_t ordinal, int64_t time, int64_t seq,
                        bool later) {
    if (extent->rows == 0 && (!later || extent->parts == 0)) {
        extent->first = time;
        extent->last = time;
        extent->last_seq = seq;
    } else {
        widen_extent(extent, time, seq);
    }
    extent->rows += !later;
    extent->parts += later;
    extent->ordinal = ordinal;
}

void eop_block_measure(eop_block *block) {
    const eop_rows *data = &block->data;
    block->extent = (eop_extent){0};
    if (data->rows == 0) {
        return;
    }
    size_t last = data->rows - 1;
    size_t rows = data->rows - (block->parts != NULL ? block->parts->later_count : 0);
    block->extent = (eop_extent){.rows = rows,
                                 .parts = eop_block_arrivals(block) - rows,
                                 .ordinal = eop_block_end(block) - 1,
                                 .first = data->times[0],
                                 .last = data->times[last],
                                 .last_seq = data->seqs[last]};
    for (size_t i = 0; !block->sorted && i < data->rows; i++) {
        widen_extent(&block->extent, data->times[i], data->seqs[i]);
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
    if (other->rows == 0 && other->parts == 0) {
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
    extent->parts += other->parts;
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

static edgeops_status put_value(eop_vector *vector, size_t row, const eop_cell *cell) {
    if (EOP_UNLIKELY(vector->filled > row)) {
        return eop_vector_set(vector, row, &cell->value, cell->quality);
    }
    edgeops_status status = eop_vector_pad(vector, row);
    if (status == EDGEOPS_OK) {
        status = eop_vector_put(vector, &cell->value);
    }
    if (EOP_UNLIKELY(cell->quality != EDGEOPS_QUALITY_NONE) && status == EDGEOPS_OK) {
        status = eop_vector_rate(vector, row, &cell->quality, 1);
    }
    return status;
}

/* Sets cells of a row that are null. *memory: grows by the memory that the columns grow. */
static edgeops_status put_cells(uint64_t *memory, eop_block *block, size_t row,
                                const eop_cell *cells, size_t n) {
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
        if (EOP_LIKELY(put_number(vector, row, &cells[i])) || !eop_vector_is_null(vector, row)) {
            continue;
        }
        size_t before = eop_vector_bytes(vector);
        edgeops_status status = put_value(vector, row, &cells[i]);
        *memory += eop_vector_bytes(vector) - before;
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status put_row(eop_block *block, const eop_frame_row *given, const eop_cell *cells) {
    eop_rows *data = &block->data;
    size_t row = data->rows;
    size_t capacity = data->capacity;
    edgeops_status status = eop_rows_reserve(data, row + 1);
    if (status == EDGEOPS_OK) {
        block->memory += (data->capacity - capacity) * 2 * sizeof(int64_t);
        status = put_cells(&block->memory, block, row, cells, given->cell_count);
    }
    if (EOP_UNLIKELY(status != EDGEOPS_OK)) {
        return status;
    }
    data->times[row] = given->time;
    data->seqs[row] = given->seq;
    if (EOP_UNLIKELY(data->ordinals != NULL)) {
        data->ordinals[row] = given->ordinal;
    }
    if (row == 0) {
        block->t_min = given->time;
        block->t_max = given->time;
    } else {
        block->sorted = block->sorted && eop_key_compare(data->times[row - 1], data->seqs[row - 1],
                                                         given->time, given->seq) < 0;
        block->t_min = given->time < block->t_min ? given->time : block->t_min;
        block->t_max = given->time > block->t_max ? given->time : block->t_max;
    }
    data->rows = row + 1;
    return EDGEOPS_OK;
}

/* -- parts -- */

static edgeops_status begin_parts(eop_block *block) {
    if (EOP_LIKELY(block->parts != NULL)) {
        return EDGEOPS_OK;
    }
    block->parts = eop_calloc(1, sizeof *block->parts);
    if (block->parts == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_parts_begin(block->parts, block->data.rows);
    if (status == EDGEOPS_OK) {
        status = eop_rows_keep_ordinals(&block->data);
    }
    if (status != EDGEOPS_OK) {
        free_parts(block);
    }
    return status;
}

static uint64_t parts_memory(const eop_block *block) {
    return block->parts != NULL ? sizeof *block->parts + eop_parts_bytes(block->parts) +
                                      block->data.capacity * sizeof *block->data.ordinals
                                : 0;
}

static bool lacks(const eop_rows *data, size_t row, const eop_cell *cell) {
    return cell->value.type != EDGEOPS_TYPE_NULL &&
           (cell->channel >= data->vector_count ||
            eop_vector_is_null(&data->vectors[cell->channel], row));
}

/* The channels of the cells that the row lacks, ascending. */
static size_t lacking(uint16_t *channels, const eop_rows *data, size_t row, const eop_cell *cells,
                      size_t n) {
    if (EOP_LIKELY(n == 1)) {
        channels[0] = (uint16_t)cells[0].channel;
        return lacks(data, row, &cells[0]);
    }
    uint64_t set[EOP_CHANNELS_MAX / 64] = {0};
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        if (lacks(data, row, &cells[i])) {
            set[cells[i].channel / 64] |= UINT64_C(1) << cells[i].channel % 64;
        }
    }
    for (uint32_t word = 0; word < sizeof set / sizeof *set; word++) {
        for (uint64_t left = set[word]; left != 0; left &= left - 1) {
            channels[count++] = (uint16_t)(word * 64 + (uint32_t)__builtin_ctzll(left));
        }
    }
    return count;
}

static edgeops_status join_row(eop_block *block, size_t row, const eop_cell *cells, size_t n) {
    uint16_t channels[EOP_CHANNELS_MAX];
    size_t count = lacking(channels, &block->data, row, cells, n);
    edgeops_status status = eop_parts_join(block->parts, (uint32_t)row, channels, count);
    return status == EDGEOPS_OK ? put_cells(&block->memory, block, row, cells, n) : status;
}

static edgeops_status push_part(eop_block *block, const eop_frame_row *given,
                                const eop_cell *cells) {
    uint64_t memory = parts_memory(block);
    size_t row = 0;
    edgeops_status status = begin_parts(block);
    if (status == EDGEOPS_OK) {
        status = given->later ? eop_block_find(&row, block, given->time, given->seq) : EDGEOPS_DONE;
        if (status == EDGEOPS_OK) {
            status = join_row(block, row, cells, given->cell_count);
        } else if (status == EDGEOPS_DONE) {
            status = eop_parts_row(block->parts, given->later);
            status = status == EDGEOPS_OK ? put_row(block, given, cells) : status;
        }
    }
    uint64_t now = parts_memory(block);
    block->memory += now > memory ? now - memory : 0;
    return status;
}

edgeops_status eop_memtable_push(eop_series *series, eop_segment *segment, const eop_frame_row *row,
                                 const eop_cell *cells) {
    eop_block *block = NULL;
    edgeops_status status = open_block(&block, series, segment, row->ordinal);
    if (status != EDGEOPS_OK) {
        return status;
    }
    size_t arrivals = eop_block_arrivals(block);
    uint64_t before = beyond_free(block->memory);
    status = EOP_LIKELY(!row->later && block->parts == NULL) ? put_row(block, row, cells)
                                                             : push_part(block, row, cells);
    segment->memory += beyond_free(block->memory) - before;
    if (EOP_UNLIKELY(status != EDGEOPS_OK)) {
        eop_memtable_pop(series, segment, arrivals);
        return status;
    }
    grow_extent(&series->all, row->ordinal, row->time, row->seq, row->later);
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
    size_t arrivals = eop_block_arrivals(block);
    uint64_t before = beyond_free(block->memory);
    uint64_t columns = columns_memory(data);
    uint64_t parts = parts_memory(block);
    uint64_t ordinal = rows->first_ordinal;
    status = map_columns(map, block, rows, channels);
    size_t n = rows->rows;
    if (status == EDGEOPS_OK && give && row == 0 && data->ordinals == NULL) {
        take_rows(data, rows, channels);
    } else if (status == EDGEOPS_OK) {
        status = eop_rows_copy(data, rows, 0, n, map);
    }
    block->memory += (data->capacity - capacity) * 2 * sizeof(int64_t);
    block->memory += columns_memory(data) - columns;
    for (size_t i = 0; block->parts != NULL && status == EDGEOPS_OK && i < n; i++) {
        status = eop_parts_row(block->parts, false);
    }
    block->memory += parts_memory(block) - parts;
    segment->memory += beyond_free(block->memory) - before;
    if (status != EDGEOPS_OK) {
        eop_memtable_pop(series, segment, arrivals);
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
    grow_extent(&series->all, ordinal, data->times[first], data->seqs[first], false);
    if (n > 1) {
        grow_extent(&series->all, ordinal + n - 1, data->times[last], data->seqs[last], false);
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

/* Makes a cell null that a part has set. */
static void unset_cell(eop_rows *data, size_t row, uint16_t channel) {
    eop_vector *vector = channel < data->vector_count ? &data->vectors[channel] : NULL;
    if (vector == NULL || eop_vector_is_null(vector, row)) {
        return; /* the part failed before it was set */
    }
    if (vector->filled == row + 1) {
        eop_vector_truncate(vector, row);
    } else {
        /* Rows behind this one were filled when it was null: so there are flags, and nothing is
         * allocated. */
        (void)eop_vector_unset(vector, row);
    }
}

/* Undoes the arrivals from n on, newest first. */
static void pop_parts(eop_block *block, size_t n) {
    eop_parts *parts = block->parts;
    size_t rows = parts->row_count;
    for (size_t i = n; i < parts->count; i++) {
        rows -= parts->shapes[i] == 0;
    }
    eop_rows_truncate(&block->data, rows);
    for (size_t i = parts->count; i-- > n;) {
        size_t count = 0;
        if (parts->shapes[i] == 0 || parts->rows[i] >= rows) {
            continue;
        }
        const uint16_t *channels = eop_parts_shape(&count, parts, parts->shapes[i]);
        for (size_t k = 0; k < count; k++) {
            unset_cell(&block->data, parts->rows[i], channels[k]);
        }
    }
    eop_parts_truncate(parts, n);
    if (parts->count == rows && parts->later_count == 0) {
        free_parts(block);
        eop_rows_drop_ordinals(&block->data);
    }
}

void eop_memtable_pop(eop_series *series, eop_segment *segment, size_t n) {
    eop_block *block = series->newest;
    if (block == NULL) {
        return;
    }
    if (block->parts != NULL) {
        pop_parts(block, n);
    } else {
        eop_rows_truncate(&block->data, n);
    }
    eop_block_forget(block);
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
