/* SPDX-License-Identifier: Apache-2.0 */
/* One column in memory: grows, truncates, copies and reorders it, with its null flags and its
 * quality codes. A vector owns its arrays and is not locked. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"
#include "column/rows.h"

size_t eop_vector_width(edgeops_type type) {
    return type == EDGEOPS_TYPE_STRING ? sizeof(uint32_t) : eop_type_width(type);
}

size_t eop_vector_bytes(const eop_vector *vector) {
    return vector->capacity * (eop_vector_row_bytes(vector) + (vector->valid != NULL) +
                               (vector->quality != NULL ? sizeof *vector->quality : 0)) +
           vector->bytes_capacity;
}

void eop_vector_dispose(eop_vector *vector) {
    eop_free(vector->data);
    eop_free(vector->valid);
    eop_free(vector->quality);
    eop_free(vector->bytes);
    *vector = (eop_vector){.type = vector->type, .length = vector->length};
}

void eop_vector_clear(eop_vector *vector) {
    eop_free(vector->valid);
    vector->valid = NULL;
    eop_free(vector->quality);
    vector->quality = NULL;
    vector->filled = 0;
    vector->nulls = 0;
    vector->bytes_size = 0;
}

edgeops_status eop_vector_reserve(eop_vector *vector, size_t rows) {
    if (EOP_LIKELY(rows <= vector->capacity)) {
        return EDGEOPS_OK;
    }
    size_t row_bytes = eop_vector_row_bytes(vector);
    /* A few rows of a wide array already take much memory. */
    size_t capacity = row_bytes <= 64 ? 8 : 1;
    capacity = vector->capacity > 0 ? vector->capacity : capacity;
    while (capacity < rows) {
        if (capacity > SIZE_MAX / 32) {
            return eop_fail_nomem("store");
        }
        capacity = eop_rows_more(capacity);
    }
    size_t extra = vector->type == EDGEOPS_TYPE_STRING ? 1 : 0;
    void *data = eop_realloc_array(vector->data, capacity + extra, row_bytes);
    if (data == NULL) {
        return eop_fail_nomem("store");
    }
    if (extra > 0 && vector->data == NULL) {
        *(uint32_t *)data = 0;
    }
    vector->data = data;
    if (vector->valid != NULL) {
        uint8_t *valid = eop_realloc(vector->valid, capacity);
        if (valid == NULL) {
            return eop_fail_nomem("store");
        }
        vector->valid = valid;
    }
    if (vector->quality != NULL) {
        uint16_t *quality = eop_realloc_array(vector->quality, capacity, sizeof *quality);
        if (quality == NULL) {
            return eop_fail_nomem("store");
        }
        vector->quality = quality;
    }
    vector->capacity = capacity;
    return EDGEOPS_OK;
}

/* Flags are allocated at the first null. */
static edgeops_status need_valid(eop_vector *vector) {
    if (vector->valid == NULL) {
        vector->valid = eop_alloc(vector->capacity > 0 ? vector->capacity : 1);
        if (vector->valid == NULL) {
            return eop_fail_nomem("store");
        }
        memset(vector->valid, 1, vector->capacity);
    }
    return EDGEOPS_OK;
}

/* Codes are allocated at the first one. */
static edgeops_status need_quality(eop_vector *vector) {
    if (vector->quality == NULL) {
        size_t n = vector->capacity > 0 ? vector->capacity : 1;
        vector->quality = eop_realloc_array(NULL, n, sizeof *vector->quality);
        if (vector->quality == NULL) {
            return eop_fail_nomem("store");
        }
        memset(vector->quality, 0xff, n * sizeof *vector->quality);
    }
    return EDGEOPS_OK;
}

/* Marks the next n rows behind the filled ones as valid and without codes. */
static void mark_plain(eop_vector *vector, size_t n) {
    if (vector->valid != NULL) {
        memset(vector->valid + vector->filled, 1, n);
    }
    if (vector->quality != NULL) {
        memset(vector->quality + vector->filled, 0xff, n * sizeof *vector->quality);
    }
}

static void *place_of(const eop_vector *vector, size_t row) {
    return (char *)vector->data + row * eop_vector_row_bytes(vector);
}

static void fill_null(eop_vector *vector, size_t from, size_t to) {
    if (vector->type == EDGEOPS_TYPE_STRING) {
        for (size_t i = from; i < to; i++) {
            ((uint32_t *)vector->data)[i + 1] = ((uint32_t *)vector->data)[i];
        }
    } else {
        eop_null_fill(place_of(vector, from), vector->type,
                      (to - from) * eop_vector_length(vector));
    }
}

edgeops_status eop_vector_pad(eop_vector *vector, size_t rows) {
    if (EOP_LIKELY(vector->filled >= rows)) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_vector_reserve(vector, rows);
    if (status == EDGEOPS_OK) {
        status = need_valid(vector);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    fill_null(vector, vector->filled, rows);
    mark_plain(vector, rows - vector->filled);
    memset(vector->valid + vector->filled, 0, rows - vector->filled);
    vector->nulls += rows - vector->filled;
    vector->filled = rows;
    return EDGEOPS_OK;
}

static edgeops_status need_bytes(eop_vector *vector, size_t size) {
    if (size > UINT32_MAX - vector->bytes_size) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "a column holds at most 4 GiB of text; read a shorter range");
    }
    return eop_grow(&vector->bytes, &vector->bytes_capacity, vector->bytes_size + size + 1, 1)
               ? EDGEOPS_OK
               : eop_fail_nomem("store");
}

static edgeops_status put_bytes(eop_vector *vector, const char *bytes, size_t size) {
    edgeops_status status = need_bytes(vector, size);
    if (status == EDGEOPS_OK && size > 0) {
        memcpy(vector->bytes + vector->bytes_size, bytes, size);
        vector->bytes_size += size;
    }
    return status;
}

/* Not of a STRING. */
static void save_value(eop_vector *vector, size_t row, const edgeops_value *value) {
    if (EOP_UNLIKELY(value->size > 0)) {
        memcpy(place_of(vector, row), value->as.data, eop_vector_row_bytes(vector));
    } else if (EOP_LIKELY(vector->type == EDGEOPS_TYPE_FLOAT64)) {
        memcpy((double *)vector->data + row, &value->as.f64, sizeof(double));
    } else {
        eop_value_save(place_of(vector, row), value);
    }
}

edgeops_status eop_vector_put(eop_vector *vector, const edgeops_value *value) {
    size_t row = vector->filled;
    if (value->type == EDGEOPS_TYPE_NULL) {
        return eop_vector_pad(vector, row + 1);
    }
    edgeops_status status = eop_vector_reserve(vector, row + 1);
    if (EOP_UNLIKELY(status != EDGEOPS_OK)) {
        return status;
    }
    if (vector->type == EDGEOPS_TYPE_STRING) {
        status = put_bytes(vector, value->as.str, value->size);
        if (status != EDGEOPS_OK) {
            return status;
        }
        ((uint32_t *)vector->data)[row + 1] = (uint32_t)vector->bytes_size;
    } else {
        save_value(vector, row, value);
    }
    mark_plain(vector, 1);
    vector->filled = row + 1;
    return EDGEOPS_OK;
}

edgeops_status eop_vector_rate(eop_vector *vector, size_t from, const uint16_t *qualities,
                               size_t n) {
    size_t i = 0;
    while (i < n && qualities[i] == EDGEOPS_QUALITY_NONE) {
        i++;
    }
    if (i == n) {
        return EDGEOPS_OK;
    }
    edgeops_status status = need_quality(vector);
    if (status == EDGEOPS_OK) {
        memcpy(vector->quality + from, qualities, n * sizeof *qualities);
    }
    return status;
}

edgeops_status eop_vector_extend(void **place, eop_vector *vector, size_t n) {
    edgeops_status status = eop_vector_reserve(vector, vector->filled + n);
    if (status != EDGEOPS_OK) {
        return status;
    }
    *place = place_of(vector, vector->filled);
    mark_plain(vector, n);
    vector->filled += n;
    return EDGEOPS_OK;
}

edgeops_status eop_vector_mark(eop_vector *vector, const uint8_t *flags, size_t n) {
    size_t first = vector->filled - n;
    uint64_t nulls = 0;
    for (size_t i = 0; i < n; i++) {
        nulls += flags[i] == 0;
    }
    if (nulls == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = need_valid(vector);
    if (status != EDGEOPS_OK) {
        return status;
    }
    memcpy(vector->valid + first, flags, n);
    vector->nulls += nulls;
    if (vector->type != EDGEOPS_TYPE_STRING) {
        for (size_t i = 0; i < n; i++) {
            if (flags[i] == 0) {
                fill_null(vector, first + i, first + i + 1);
            }
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status append_strings(eop_vector *vector, const eop_vector *source, size_t from,
                                     size_t to) {
    if (from == to) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_vector_reserve(vector, vector->filled + (to - from));
    if (status != EDGEOPS_OK) {
        return status;
    }
    const uint32_t *offsets = source->data;
    uint32_t base = (uint32_t)vector->bytes_size;
    uint32_t size = offsets[to] - offsets[from];
    status = put_bytes(vector, size > 0 ? source->bytes + offsets[from] : "", size);
    if (status != EDGEOPS_OK) {
        return status;
    }
    uint32_t *out = (uint32_t *)vector->data + vector->filled + 1;
    for (size_t i = from; i < to; i++) {
        *out++ = base + (offsets[i + 1] - offsets[from]);
    }
    mark_plain(vector, to - from);
    vector->filled += to - from;
    return EDGEOPS_OK;
}

edgeops_status eop_vector_append(eop_vector *vector, const eop_vector *source, size_t from,
                                 size_t to) {
    size_t start = vector->filled;
    size_t end = start + (to - from);
    size_t have = source->filled < to ? source->filled : to;
    edgeops_status status = EDGEOPS_OK;
    if (have > from) {
        if (vector->type == EDGEOPS_TYPE_STRING) {
            status = append_strings(vector, source, from, have);
        } else {
            void *place = NULL;
            status = eop_vector_extend(&place, vector, have - from);
            if (status == EDGEOPS_OK) {
                memcpy(place, place_of(source, from), (have - from) * eop_vector_row_bytes(vector));
            }
        }
        if (status == EDGEOPS_OK && source->valid != NULL) {
            status = eop_vector_mark(vector, source->valid + from, have - from);
        }
        if (status == EDGEOPS_OK && source->quality != NULL) {
            status = eop_vector_rate(vector, start, source->quality + from, have - from);
        }
    }
    return status == EDGEOPS_OK ? eop_vector_pad(vector, end) : status;
}

void eop_vector_truncate(eop_vector *vector, size_t rows) {
    if (rows >= vector->filled) {
        return;
    }
    if (vector->valid != NULL) {
        for (size_t i = rows; i < vector->filled; i++) {
            vector->nulls -= vector->valid[i] == 0;
        }
    }
    vector->filled = rows;
    if (vector->type == EDGEOPS_TYPE_STRING) {
        vector->bytes_size = ((uint32_t *)vector->data)[rows];
    }
}

/* The text of a row that has none yet: those behind it move. There is room for it. */
static void insert_text(eop_vector *vector, size_t row, const char *text, uint32_t size) {
    uint32_t *offsets = vector->data;
    char *place = vector->bytes + offsets[row];
    memmove(place + size, place, vector->bytes_size - offsets[row]);
    if (size > 0) {
        memcpy(place, text, size);
    }
    for (size_t i = row; i < vector->filled; i++) {
        offsets[i + 1] += size;
    }
    vector->bytes_size += size;
}

edgeops_status eop_vector_set(eop_vector *vector, size_t row, const edgeops_value *value,
                              uint16_t quality) {
    size_t filled = vector->filled;
    bool text = vector->type == EDGEOPS_TYPE_STRING;
    edgeops_status status = eop_vector_pad(vector, row + 1);
    /* A row that it takes back again is null. */
    if (status == EDGEOPS_OK && quality != EDGEOPS_QUALITY_NONE) {
        status = need_quality(vector);
    }
    if (status == EDGEOPS_OK && text) {
        status = need_bytes(vector, value->size);
    }
    if (status != EDGEOPS_OK) {
        eop_vector_truncate(vector, filled);
        return status;
    }
    if (text) {
        insert_text(vector, row, value->as.str, value->size);
    } else {
        save_value(vector, row, value);
    }
    if (quality != EDGEOPS_QUALITY_NONE) {
        vector->quality[row] = quality;
    }
    vector->valid[row] = 1;
    vector->nulls--;
    return EDGEOPS_OK;
}

static void remove_texts(eop_vector *vector, const uint32_t *rows, size_t n) {
    uint32_t *offsets = vector->data;
    uint32_t from = offsets[rows[0]];
    uint32_t at = from;
    size_t next = 0;
    for (size_t row = rows[0]; row < vector->filled; row++) {
        uint32_t size = offsets[row + 1] - from;
        bool gone = next < n && rows[next] == row;
        if (size > 0 && !gone) {
            memmove(vector->bytes + at, vector->bytes + from, size);
            at += size;
        }
        while (next < n && rows[next] <= row) {
            next++;
        }
        from += size;
        offsets[row + 1] = at;
    }
    vector->bytes_size = at;
}

edgeops_status eop_vector_hide(eop_vector *vector, const uint32_t *rows, size_t n) {
    while (n > 0 && rows[n - 1] >= vector->filled) {
        n--;
    }
    if (n == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = need_valid(vector);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (vector->type == EDGEOPS_TYPE_STRING) {
        remove_texts(vector, rows, n);
    }
    for (size_t i = 0; i < n; i++) {
        size_t row = rows[i];
        if (vector->valid[row] != 0) {
            vector->valid[row] = 0;
            vector->nulls++;
            if (vector->type != EDGEOPS_TYPE_STRING) {
                fill_null(vector, row, row + 1);
            }
            if (vector->quality != NULL) {
                vector->quality[row] = EDGEOPS_QUALITY_NONE;
            }
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_vector_unset(eop_vector *vector, size_t row) {
    return eop_vector_hide(vector, &(uint32_t){(uint32_t)row}, 1);
}

static edgeops_status pick_texts(eop_vector *vector, const eop_vector *source,
                                 const uint32_t *index, size_t n) {
    const uint32_t *offsets = source->data;
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += index[i] < source->filled ? offsets[index[i] + 1] - offsets[index[i]] : 0;
    }
    edgeops_status status = need_bytes(vector, total);
    if (status != EDGEOPS_OK) {
        return status;
    }
    uint32_t *ends = (uint32_t *)vector->data + vector->filled + 1;
    for (size_t i = 0; i < n; i++) {
        uint32_t size = index[i] < source->filled ? offsets[index[i] + 1] - offsets[index[i]] : 0;
        if (size > 0) {
            memcpy(vector->bytes + vector->bytes_size, source->bytes + offsets[index[i]], size);
        }
        vector->bytes_size += size;
        ends[i] = (uint32_t)vector->bytes_size;
    }
    return EDGEOPS_OK;
}

/* Splits by width, so that the common widths are plain loads and stores. */
static void pick_data(eop_vector *vector, const eop_vector *source, const uint32_t *index, size_t n,
                      bool some) {
    size_t row_bytes = eop_vector_row_bytes(vector);
    char *place = place_of(vector, vector->filled);
    if (some) {
        for (size_t i = 0; i < n; i++) {
            if (index[i] < source->filled) {
                memcpy(place + i * row_bytes, place_of(source, index[i]), row_bytes);
            } else {
                fill_null(vector, vector->filled + i, vector->filled + i + 1);
            }
        }
    } else if (row_bytes == sizeof(uint64_t)) {
        for (size_t i = 0; i < n; i++) {
            ((uint64_t *)(void *)place)[i] = ((const uint64_t *)source->data)[index[i]];
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            memcpy(place + i * row_bytes, place_of(source, index[i]), row_bytes);
        }
    }
}

static void pick_flags(eop_vector *vector, const eop_vector *source, const uint32_t *index,
                       size_t n) {
    uint8_t *valid = vector->valid + vector->filled;
    for (size_t i = 0; i < n; i++) {
        valid[i] = index[i] < source->filled && (source->valid == NULL || source->valid[index[i]]);
        vector->nulls += valid[i] == 0;
    }
}

edgeops_status eop_vector_pick(eop_vector *vector, const eop_vector *source, const uint32_t *index,
                               size_t n) {
    uint32_t most = 0;
    for (size_t i = 0; i < n; i++) {
        most = index[i] > most ? index[i] : most;
    }
    bool some = most >= source->filled;
    bool flags = source->valid != NULL || some;
    edgeops_status status = eop_vector_reserve(vector, vector->filled + (n > 0 ? n : 1));
    if (status == EDGEOPS_OK && flags) {
        status = need_valid(vector);
    }
    if (status == EDGEOPS_OK && source->quality != NULL) {
        status = need_quality(vector);
    }
    if (status == EDGEOPS_OK && vector->type == EDGEOPS_TYPE_STRING) {
        status = pick_texts(vector, source, index, n);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (vector->type != EDGEOPS_TYPE_STRING) {
        pick_data(vector, source, index, n, some);
    }
    mark_plain(vector, n);
    if (flags) {
        pick_flags(vector, source, index, n);
    }
    for (size_t i = 0; source->quality != NULL && i < n; i++) {
        vector->quality[vector->filled + i] =
            index[i] < source->filled ? source->quality[index[i]] : EDGEOPS_QUALITY_NONE;
    }
    vector->filled += n;
    return EDGEOPS_OK;
}

edgeops_status eop_vector_gather(eop_vector *vector, const uint32_t *index, size_t n) {
    eop_vector out = {.type = vector->type, .length = vector->length};
    edgeops_status status = eop_vector_pick(&out, vector, index, n);
    if (status != EDGEOPS_OK) {
        eop_vector_dispose(&out);
        return status;
    }
    eop_vector_dispose(vector);
    *vector = out;
    return EDGEOPS_OK;
}

bool eop_vector_is_null(const eop_vector *vector, size_t row) {
    return row >= vector->filled || (vector->valid != NULL && vector->valid[row] == 0);
}

edgeops_value eop_vector_value(const eop_vector *vector, size_t row) {
    if (eop_vector_is_null(vector, row)) {
        return (edgeops_value){.type = EDGEOPS_TYPE_NULL};
    }
    if (vector->type == EDGEOPS_TYPE_STRING) {
        const uint32_t *offsets = vector->data;
        return (edgeops_value){.type = EDGEOPS_TYPE_STRING,
                               .size = offsets[row + 1] - offsets[row],
                               .as.str = vector->bytes != NULL ? vector->bytes + offsets[row] : ""};
    }
    if (vector->type == EDGEOPS_TYPE_BLOB || eop_vector_length(vector) > 1) {
        return (edgeops_value){.type = vector->type,
                               .size = (uint32_t)eop_vector_row_bytes(vector),
                               .as.data = place_of(vector, row)};
    }
    return eop_value_load(vector->type, place_of(vector, row));
}

bool eop_vector_equals(const eop_vector *vector, size_t row, const edgeops_value *value) {
    edgeops_value stored = eop_vector_value(vector, row);
    if (stored.type != value->type || stored.size != value->size) {
        return false;
    }
    if (stored.type == EDGEOPS_TYPE_NULL) {
        return true;
    }
    if (stored.size > 0) {
        return memcmp(stored.as.data, value->as.data, stored.size) == 0;
    }
    /* An empty text has no bytes to compare. */
    return stored.type == EDGEOPS_TYPE_STRING ||
           memcmp(&stored.as, &value->as,
                  stored.type == EDGEOPS_TYPE_FLOAT32 ? sizeof stored.as.f32
                                                      : sizeof stored.as.u64) == 0;
}
