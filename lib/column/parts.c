/* SPDX-License-Identifier: Apache-2.0 */
/* What arrived, for rows whose cells came in parts: adds arrivals and takes them back. Here is no
 * cell: parts_cut.c and parts_fold.c work on the rows. Arrivals of one row are a chain from its
 * newest to its first, so that nobody has to search for them. */
#include "column/parts.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"

void eop_parts_dispose(eop_parts *parts) {
    eop_free(parts->rows);
    eop_free(parts->shapes);
    eop_free(parts->before);
    eop_free(parts->last);
    eop_free(parts->later);
    eop_free(parts->channels);
    eop_free(parts->ends);
    eop_map_dispose(&parts->numbers);
    *parts = (eop_parts){0};
}

void eop_parts_clear(eop_parts *parts) {
    parts->count = 0;
    parts->row_count = 0;
    parts->later_count = 0;
    parts->shape_count = 0;
    parts->channel_limit = 0;
    parts->numbered = 0;
    eop_map_dispose(&parts->numbers);
    eop_free(parts->later);
    parts->later = NULL;
}

size_t eop_parts_bytes(const eop_parts *parts) {
    return parts->capacity * (sizeof *parts->rows + sizeof *parts->shapes + sizeof *parts->before) +
           parts->row_capacity * (sizeof *parts->last + (parts->later != NULL)) +
           parts->channel_capacity * sizeof *parts->channels +
           parts->end_capacity * sizeof *parts->ends +
           parts->numbers.slot_count * sizeof *parts->numbers.slots;
}

static bool grow(uint32_t **array, size_t capacity) {
    uint32_t *grown = eop_realloc_array(*array, capacity, sizeof *grown);
    *array = grown != NULL ? grown : *array;
    return grown != NULL;
}

static bool more(size_t *capacity, size_t old, size_t need) {
    *capacity = old > 0 ? old : 8;
    while (*capacity < need) {
        *capacity = eop_rows_more(*capacity);
    }
    /* Rows and arrivals are numbers of 32 bits, and the largest one is EOP_PARTS_NONE. */
    return need < EOP_PARTS_NONE;
}

static edgeops_status reserve_arrivals(eop_parts *parts, size_t n) {
    size_t need = parts->count + n;
    size_t capacity;
    if (EOP_LIKELY(need <= parts->capacity)) {
        return EDGEOPS_OK;
    }
    if (!more(&capacity, parts->capacity, need) || !grow(&parts->rows, capacity) ||
        !grow(&parts->shapes, capacity) || !grow(&parts->before, capacity)) {
        return eop_fail_nomem("store");
    }
    parts->capacity = capacity;
    return EDGEOPS_OK;
}

static edgeops_status reserve_rows(eop_parts *parts, size_t n) {
    size_t need = parts->row_count + n;
    size_t capacity;
    if (EOP_LIKELY(need <= parts->row_capacity)) {
        return EDGEOPS_OK;
    }
    if (!more(&capacity, parts->row_capacity, need) || !grow(&parts->last, capacity)) {
        return eop_fail_nomem("store");
    }
    if (parts->later != NULL) {
        uint8_t *later = eop_realloc(parts->later, capacity);
        if (later == NULL) {
            return eop_fail_nomem("store");
        }
        parts->later = later;
    }
    parts->row_capacity = capacity;
    return EDGEOPS_OK;
}

/* Flags are allocated at the first later row. */
static edgeops_status need_later(eop_parts *parts) {
    if (parts->later == NULL) {
        parts->later = eop_alloc(parts->row_capacity);
        if (parts->later == NULL) {
            return eop_fail_nomem("store");
        }
        memset(parts->later, 0, parts->row_count);
    }
    return EDGEOPS_OK;
}

static void add_arrival(eop_parts *parts, uint32_t row, uint32_t shape, uint32_t before) {
    size_t i = parts->count++;
    parts->rows[i] = row;
    parts->shapes[i] = shape;
    parts->before[i] = before;
    parts->last[row] = (uint32_t)i;
}

static void add_row(eop_parts *parts, bool later) {
    size_t row = parts->row_count++;
    if (parts->later != NULL) {
        parts->later[row] = later ? 1 : 0;
    }
    parts->later_count += later ? 1 : 0;
    add_arrival(parts, (uint32_t)row, 0, EOP_PARTS_NONE);
}

edgeops_status eop_parts_begin(eop_parts *parts, size_t n) {
    edgeops_status status = reserve_arrivals(parts, n);
    if (status == EDGEOPS_OK) {
        status = reserve_rows(parts, n);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        add_row(parts, false);
    }
    return status;
}

edgeops_status eop_parts_row(eop_parts *parts, bool later) {
    edgeops_status status = reserve_arrivals(parts, 1);
    if (status == EDGEOPS_OK) {
        status = reserve_rows(parts, 1);
    }
    if (status == EDGEOPS_OK && later) {
        status = need_later(parts);
    }
    if (status == EDGEOPS_OK) {
        add_row(parts, later);
    }
    return status;
}

static bool shape_is(const eop_parts *parts, uint32_t shape, const uint16_t *channels, size_t n) {
    size_t have;
    const uint16_t *of_shape = eop_parts_shape(&have, parts, shape);
    return have == n && (n == 0 || memcmp(of_shape, channels, n * sizeof *channels) == 0);
}

static uint64_t hash_of(const uint16_t *channels, size_t n) {
    return eop_hash64(n > 0 ? channels : (const uint16_t[]){0}, n * sizeof *channels);
}

static edgeops_status add_shape(eop_parts *parts, const uint16_t *channels, size_t n,
                                uint64_t hash) {
    size_t used = parts->shape_count > 0 ? parts->ends[parts->shape_count] : 0;
    if (used + n > UINT32_MAX ||
        !eop_grow(&parts->ends, &parts->end_capacity, parts->shape_count + 2,
                  sizeof *parts->ends) ||
        !eop_grow(&parts->channels, &parts->channel_capacity, used + n + 1,
                  sizeof *parts->channels) ||
        !eop_map_reserve(&parts->numbers)) {
        return eop_fail_nomem("store");
    }
    parts->ends[0] = 0;
    if (n > 0) {
        memcpy(parts->channels + used, channels, n * sizeof *channels);
        parts->channel_limit = parts->channel_limit > channels[n - 1]
                                   ? parts->channel_limit
                                   : (uint32_t)channels[n - 1] + 1;
    }
    parts->ends[++parts->shape_count] = (uint32_t)(used + n);
    eop_map_add(&parts->numbers, hash, parts->shape_count);
    parts->numbered = parts->shape_count;
    return EDGEOPS_OK;
}

/* Shapes that were decoded are not yet in the map. */
static edgeops_status number_shapes(eop_parts *parts) {
    while (parts->numbered < parts->shape_count) {
        size_t n;
        const uint16_t *channels = eop_parts_shape(&n, parts, (uint32_t)parts->numbered + 1);
        if (!eop_map_reserve(&parts->numbers)) {
            return eop_fail_nomem("store");
        }
        eop_map_add(&parts->numbers, hash_of(channels, n), ++parts->numbered);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_parts_number(uint32_t *shape, eop_parts *parts, const uint16_t *channels,
                                size_t n) {
    edgeops_status status = number_shapes(parts);
    if (status != EDGEOPS_OK) {
        return status;
    }
    uint64_t hash = hash_of(channels, n);
    size_t step = 0;
    uintptr_t found;
    while ((found = eop_map_next(&parts->numbers, hash, &step)) != 0) {
        if (shape_is(parts, (uint32_t)found, channels, n)) {
            *shape = (uint32_t)found;
            return EDGEOPS_OK;
        }
    }
    status = add_shape(parts, channels, n, hash);
    if (status == EDGEOPS_OK) {
        *shape = (uint32_t)parts->shape_count;
    }
    return status;
}

/* Parts of one topic have the shape of the arrival before; parts of several topics mostly come in
 * turn, and their shapes were numbered in that order. */
static uint32_t guess_shape(const eop_parts *parts, const uint16_t *channels, size_t n) {
    uint32_t shape = parts->count > 0 ? parts->shapes[parts->count - 1] : 0;
    if (shape > 0 && shape_is(parts, shape, channels, n)) {
        return shape;
    }
    return shape < parts->shape_count && shape_is(parts, shape + 1, channels, n) ? shape + 1 : 0;
}

edgeops_status eop_parts_join(eop_parts *parts, uint32_t row, const uint16_t *channels, size_t n) {
    edgeops_status status = reserve_arrivals(parts, 1);
    uint32_t shape = guess_shape(parts, channels, n);
    if (status == EDGEOPS_OK && shape == 0) {
        status = eop_parts_number(&shape, parts, channels, n);
    }
    if (status == EDGEOPS_OK) {
        add_arrival(parts, row, shape, parts->last[row]);
    }
    return status;
}

/* Their shapes stay: they are likely to come again. */
void eop_parts_truncate(eop_parts *parts, size_t n) {
    while (parts->count > n) {
        size_t i = --parts->count;
        if (parts->before[i] == EOP_PARTS_NONE) {
            parts->row_count--;
            parts->later_count -= eop_parts_later(parts, parts->row_count) ? 1 : 0;
        } else {
            parts->last[parts->rows[i]] = parts->before[i];
        }
    }
}

void eop_parts_ordinals(uint64_t *ordinals, const eop_parts *parts, uint64_t first) {
    for (size_t i = 0; i < parts->count; i++) {
        if (parts->shapes[i] == 0) {
            ordinals[parts->rows[i]] = first + i;
        }
    }
}

edgeops_status eop_parts_reserve(eop_parts *parts, size_t arrivals, size_t rows) {
    edgeops_status status = reserve_arrivals(parts, arrivals);
    return status == EDGEOPS_OK ? reserve_rows(parts, rows) : status;
}

static bool has_channel(const uint16_t *channels, size_t n, uint16_t channel) {
    size_t i = 0;
    while (i < n && channels[i] < channel) {
        i++;
    }
    return i < n && channels[i] == channel;
}

/* The number of a shape with one channel more. */
static edgeops_status number_with(uint32_t *shape, eop_parts *parts, uint16_t also) {
    size_t n;
    size_t at = 0;
    const uint16_t *channels = eop_parts_shape(&n, parts, *shape);
    uint16_t *more = eop_realloc_array(NULL, n + 1, sizeof *more);
    if (more == NULL) {
        return eop_fail_nomem("store");
    }
    while (at < n && channels[at] < also) {
        at++;
    }
    memcpy(more, channels, at * sizeof *more);
    more[at] = also;
    memcpy(more + at + 1, channels + at, (n - at) * sizeof *more);
    edgeops_status status = eop_parts_number(shape, parts, more, n + 1);
    eop_free(more);
    return status;
}

edgeops_status eop_parts_alias(eop_parts *parts, uint16_t channel, uint16_t also) {
    size_t count = parts->shape_count;
    bool any = false;
    uint32_t *numbers = eop_calloc(count + 1, sizeof *numbers);
    edgeops_status status = numbers != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    /* Shapes that no arrival has any more stay as they are. */
    for (size_t i = 0; status == EDGEOPS_OK && i < parts->count; i++) {
        numbers[parts->shapes[i]] = parts->shapes[i];
    }
    for (uint32_t shape = 1; status == EDGEOPS_OK && shape <= count; shape++) {
        size_t n;
        const uint16_t *channels = eop_parts_shape(&n, parts, shape);
        if (numbers[shape] != 0 && has_channel(channels, n, channel) &&
            !has_channel(channels, n, also)) {
            status = number_with(&numbers[shape], parts, also);
            any = true;
        }
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < parts->count; i++) {
        parts->shapes[i] = numbers[parts->shapes[i]];
    }
    eop_free(numbers);
    return status == EDGEOPS_OK && !any ? EDGEOPS_DONE : status;
}

/* numbers[s]: what shape s of the source is called here. */
static edgeops_status number_all(uint32_t *numbers, eop_parts *parts, const eop_parts *source) {
    edgeops_status status = EDGEOPS_OK;
    for (uint32_t shape = 1; status == EDGEOPS_OK && shape <= source->shape_count; shape++) {
        size_t n;
        const uint16_t *channels = eop_parts_shape(&n, source, shape);
        status = eop_parts_number(&numbers[shape], parts, channels, n);
    }
    return status;
}

edgeops_status eop_parts_extend(eop_parts *parts, const eop_parts *source) {
    uint32_t base = (uint32_t)parts->row_count;
    uint32_t *numbers = eop_calloc(source->shape_count + 1, sizeof *numbers);
    edgeops_status status = numbers != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    if (status == EDGEOPS_OK) {
        status = number_all(numbers, parts, source);
    }
    if (status == EDGEOPS_OK) {
        status = eop_parts_reserve(parts, source->count, source->row_count);
    }
    if (status == EDGEOPS_OK && source->later_count > 0) {
        status = need_later(parts);
    }
    for (size_t row = 0; status == EDGEOPS_OK && row < source->row_count; row++) {
        parts->last[base + row] = EOP_PARTS_NONE;
        if (parts->later != NULL) {
            parts->later[base + row] = eop_parts_later(source, row);
        }
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < source->count; i++) {
        uint32_t row = base + source->rows[i];
        add_arrival(parts, row, numbers[source->shapes[i]], parts->last[row]);
    }
    if (status == EDGEOPS_OK) {
        parts->row_count += source->row_count;
        parts->later_count += source->later_count;
    }
    eop_free(numbers);
    return status;
}

void eop_parts_chain(eop_parts *parts) {
    for (size_t row = 0; row < parts->row_count; row++) {
        parts->last[row] = EOP_PARTS_NONE;
    }
    for (size_t i = 0; i < parts->count; i++) {
        parts->before[i] = parts->last[parts->rows[i]];
        parts->last[parts->rows[i]] = (uint32_t)i;
    }
}
