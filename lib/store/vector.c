/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/rows.h"

size_t eop_vector_width(edgeops_type type) {
    switch (type) {
    case EDGEOPS_TYPE_BOOL:
        return 1;
    case EDGEOPS_TYPE_STRING:
        return sizeof(uint32_t);
    default:
        return 8;
    }
}

size_t eop_vector_bytes(const eop_vector *vector) {
    return vector->capacity * (eop_vector_width(vector->type) + (vector->valid != NULL)) +
           vector->bytes_capacity;
}

void eop_vector_dispose(eop_vector *vector) {
    eop_free(vector->data);
    eop_free(vector->valid);
    eop_free(vector->bytes);
    *vector = (eop_vector){.type = vector->type};
}

void eop_vector_clear(eop_vector *vector) {
    eop_free(vector->valid);
    vector->valid = NULL;
    vector->filled = 0;
    vector->nulls = 0;
    vector->bytes_size = 0;
}

edgeops_status eop_vector_reserve(eop_vector *vector, size_t rows) {
    if (EOP_LIKELY(rows <= vector->capacity)) {
        return EDGEOPS_OK;
    }
    size_t capacity = vector->capacity > 0 ? vector->capacity : 8;
    while (capacity < rows) {
        if (capacity > SIZE_MAX / 32) {
            return eop_fail_nomem("store");
        }
        capacity *= 2;
    }
    size_t extra = vector->type == EDGEOPS_TYPE_STRING ? 1 : 0;
    void *data = eop_realloc_array(vector->data, capacity + extra, eop_vector_width(vector->type));
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
    vector->capacity = capacity;
    return EDGEOPS_OK;
}

/* The flags come with the first null. */
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

static void fill_null(eop_vector *vector, size_t from, size_t to) {
    switch (vector->type) {
    case EDGEOPS_TYPE_FLOAT64:
        for (size_t i = from; i < to; i++) {
            ((double *)vector->data)[i] = (double)NAN;
        }
        break;
    case EDGEOPS_TYPE_BOOL:
        memset((uint8_t *)vector->data + from, 0, to - from);
        break;
    case EDGEOPS_TYPE_STRING:
        for (size_t i = from; i < to; i++) {
            ((uint32_t *)vector->data)[i + 1] = ((uint32_t *)vector->data)[i];
        }
        break;
    default:
        memset((int64_t *)vector->data + from, 0, (to - from) * sizeof(int64_t));
        break;
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
    memset(vector->valid + vector->filled, 0, rows - vector->filled);
    vector->nulls += rows - vector->filled;
    vector->filled = rows;
    return EDGEOPS_OK;
}

static edgeops_status put_bytes(eop_vector *vector, const char *bytes, size_t size) {
    if (size > UINT32_MAX - vector->bytes_size) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "a column holds at most 4 GiB of text; read a shorter range");
    }
    if (!eop_grow(&vector->bytes, &vector->bytes_capacity, vector->bytes_size + size + 1, 1)) {
        return eop_fail_nomem("store");
    }
    if (size > 0) {
        memcpy(vector->bytes + vector->bytes_size, bytes, size);
    }
    vector->bytes_size += size;
    return EDGEOPS_OK;
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
    switch (vector->type) {
    case EDGEOPS_TYPE_FLOAT64:
        memcpy((double *)vector->data + row, &value->as.f64, sizeof(double));
        break;
    case EDGEOPS_TYPE_BOOL:
        ((uint8_t *)vector->data)[row] = value->as.i64 != 0;
        break;
    case EDGEOPS_TYPE_STRING:
        status = put_bytes(vector, value->as.str, value->size);
        if (status != EDGEOPS_OK) {
            return status;
        }
        ((uint32_t *)vector->data)[row + 1] = (uint32_t)vector->bytes_size;
        break;
    default:
        ((int64_t *)vector->data)[row] = value->as.i64;
        break;
    }
    if (vector->valid != NULL) {
        vector->valid[row] = 1;
    }
    vector->filled = row + 1;
    return EDGEOPS_OK;
}

edgeops_status eop_vector_extend(void **place, eop_vector *vector, size_t n) {
    edgeops_status status = eop_vector_reserve(vector, vector->filled + n);
    if (status != EDGEOPS_OK) {
        return status;
    }
    *place = (char *)vector->data + vector->filled * eop_vector_width(vector->type);
    if (vector->valid != NULL) {
        memset(vector->valid + vector->filled, 1, n);
    }
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
    if (vector->type == EDGEOPS_TYPE_FLOAT64) {
        for (size_t i = 0; i < n; i++) {
            if (flags[i] == 0) {
                ((double *)vector->data)[first + i] = (double)NAN;
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
    if (vector->valid != NULL) {
        memset(vector->valid + vector->filled, 1, to - from);
    }
    vector->filled += to - from;
    return EDGEOPS_OK;
}

edgeops_status eop_vector_append(eop_vector *vector, const eop_vector *source, size_t from,
                                 size_t to) {
    size_t end = vector->filled + (to - from);
    size_t have = source->filled < to ? source->filled : to;
    edgeops_status status = EDGEOPS_OK;
    if (have > from) {
        if (vector->type == EDGEOPS_TYPE_STRING) {
            status = append_strings(vector, source, from, have);
        } else {
            void *place = NULL;
            size_t width = eop_vector_width(vector->type);
            status = eop_vector_extend(&place, vector, have - from);
            if (status == EDGEOPS_OK) {
                memcpy(place, (const char *)source->data + from * width, (have - from) * width);
            }
        }
        if (status == EDGEOPS_OK && source->valid != NULL) {
            status = eop_vector_mark(vector, source->valid + from, have - from);
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

static edgeops_status gather_strings(eop_vector *out, const eop_vector *vector,
                                     const uint32_t *index, size_t n) {
    const uint32_t *offsets = vector->data;
    uint32_t *ends = out->data;
    size_t total = 0;
    for (size_t i = 0; i < n; i++) {
        total += offsets[index[i] + 1] - offsets[index[i]];
    }
    if (total > UINT32_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "a column holds at most 4 GiB of text; read a shorter range");
    }
    if (!eop_grow(&out->bytes, &out->bytes_capacity, total + 1, 1)) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < n; i++) {
        uint32_t size = offsets[index[i] + 1] - offsets[index[i]];
        if (size > 0) {
            memcpy(out->bytes + out->bytes_size, vector->bytes + offsets[index[i]], size);
        }
        out->bytes_size += size;
        ends[i + 1] = (uint32_t)out->bytes_size;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_vector_gather(eop_vector *vector, const uint32_t *index, size_t n) {
    eop_vector out = {.type = vector->type};
    edgeops_status status = eop_vector_reserve(&out, n > 0 ? n : 1);
    if (status == EDGEOPS_OK && vector->valid != NULL) {
        status = need_valid(&out);
    }
    if (status == EDGEOPS_OK && vector->type == EDGEOPS_TYPE_STRING) {
        status = gather_strings(&out, vector, index, n);
    }
    if (status != EDGEOPS_OK) {
        eop_vector_dispose(&out);
        return status;
    }
    if (vector->type == EDGEOPS_TYPE_BOOL) {
        for (size_t i = 0; i < n; i++) {
            ((uint8_t *)out.data)[i] = ((uint8_t *)vector->data)[index[i]];
        }
    } else if (vector->type != EDGEOPS_TYPE_STRING) {
        for (size_t i = 0; i < n; i++) {
            memcpy((char *)out.data + i * 8, (char *)vector->data + (size_t)index[i] * 8, 8);
        }
    }
    if (vector->valid != NULL) {
        for (size_t i = 0; i < n; i++) {
            out.valid[i] = vector->valid[index[i]];
            out.nulls += out.valid[i] == 0;
        }
    }
    out.filled = n;
    eop_vector_dispose(vector);
    *vector = out;
    return EDGEOPS_OK;
}

bool eop_vector_is_null(const eop_vector *vector, size_t row) {
    return row >= vector->filled || (vector->valid != NULL && vector->valid[row] == 0);
}

bool eop_vector_equals(const eop_vector *vector, size_t row, const edgeops_value *value) {
    if (eop_vector_is_null(vector, row) || value->type == EDGEOPS_TYPE_NULL) {
        return eop_vector_is_null(vector, row) && value->type == EDGEOPS_TYPE_NULL;
    }
    if (value->type != vector->type) {
        return false;
    }
    const uint32_t *offsets = vector->data;
    switch (vector->type) {
    case EDGEOPS_TYPE_BOOL:
        return ((const uint8_t *)vector->data)[row] == (value->as.i64 != 0);
    case EDGEOPS_TYPE_STRING:
        return offsets[row + 1] - offsets[row] == value->size &&
               (value->size == 0 ||
                memcmp(vector->bytes + offsets[row], value->as.str, value->size) == 0);
    default:
        return memcmp((const char *)vector->data + row * 8, &value->as, 8) == 0;
    }
}
