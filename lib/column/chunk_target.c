/* SPDX-License-Identifier: Apache-2.0 */
/* Decodes columns straight into the caller's arrays, without a vector in between. Owns nothing; a
 * tile on the stack is the only copy. */
#include <string.h>

#include "base/error.h"
#include "base/type.h"
#include "column/chunk.h"
#include "column/chunk_column.h"
#include "column/chunk_v2.h"

#define WIDEN(kind)                                                                                \
    for (size_t i = 0; i < n; i++) {                                                               \
        kind element;                                                                              \
        memcpy(&element, from + i * sizeof element, sizeof element);                               \
        out[i] = (double)element;                                                                  \
    }                                                                                              \
    break

static void to_doubles(double *out, edgeops_type type, const char *from, size_t n) {
    switch (type) {
    case EDGEOPS_TYPE_FLOAT64:
        memcpy(out, from, n * sizeof *out);
        break;
    case EDGEOPS_TYPE_FLOAT32:
        WIDEN(float);
    case EDGEOPS_TYPE_INT8:
        WIDEN(int8_t);
    case EDGEOPS_TYPE_INT16:
        WIDEN(int16_t);
    case EDGEOPS_TYPE_INT32:
        WIDEN(int32_t);
    case EDGEOPS_TYPE_INT64:
        WIDEN(int64_t);
    case EDGEOPS_TYPE_BOOL:
    case EDGEOPS_TYPE_UINT8:
        WIDEN(uint8_t);
    case EDGEOPS_TYPE_UINT16:
        WIDEN(uint16_t);
    case EDGEOPS_TYPE_UINT32:
        WIDEN(uint32_t);
    default:
        WIDEN(uint64_t);
    }
}

/* Writes the numbers of one column into a target. */
typedef struct writer {
    char *at; /* where the next row goes */
    const eop_chunk_target *target;
    edgeops_type type; /* the column's */
    size_t length;
} writer;

/* Writes n elements: those of one row, or one of each of `rows` rows. */
static void write_elements(const writer *w, const char *from, size_t rows, size_t n) {
    size_t width = eop_type_width(w->target->type);
    double tile[EOP_PACK_TILE];
    if (w->target->type != w->type) {
        to_doubles(tile, w->type, from, n);
        from = (const char *)tile;
    }
    if (rows == 1 || w->target->stride == width) {
        memcpy(w->at, from, n * width);
    } else if (width == sizeof *tile) {
        for (size_t i = 0; i < n; i++) {
            memcpy(w->at + i * w->target->stride, from + i * sizeof *tile, sizeof *tile);
        }
    } else {
        for (size_t i = 0; i < n; i++) {
            memcpy(w->at + i * w->target->stride, from + i * width, width);
        }
    }
}

static edgeops_status write_array(writer *w, eop_column *c) {
    uint64_t tile[EOP_PACK_TILE];
    edgeops_status status = EDGEOPS_OK;
    writer part = *w;
    for (size_t at = 0; status == EDGEOPS_OK && at < c->length; at += EOP_PACK_TILE) {
        size_t n = c->length - at < EOP_PACK_TILE ? c->length - at : EOP_PACK_TILE;
        status = eop_column_take(tile, c, n);
        if (status == EDGEOPS_OK) {
            write_elements(&part, (const char *)tile, 1, n);
        }
        part.at += n * eop_type_width(w->target->type);
    }
    return status;
}

/* Up to a tile of rows of one element, none of them null. */
static edgeops_status write_full(writer *w, eop_column *c, size_t n) {
    uint64_t tile[EOP_PACK_TILE];
    edgeops_status status = eop_column_take(tile, c, n);
    if (status == EDGEOPS_OK) {
        write_elements(w, (const char *)tile, n, n);
        w->at += n * w->target->stride;
    }
    return status;
}

static edgeops_status write_some(writer *w, eop_column *c, const uint8_t *flags, size_t n) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++, w->at += w->target->stride) {
        if (flags != NULL && flags[i] == 0) {
            eop_null_fill(w->at, w->target->type, w->length);
        } else {
            status = write_array(w, c);
        }
    }
    return status;
}

static edgeops_status write_column(writer *w, eop_column *c, size_t n) {
    uint8_t flags[EOP_PACK_TILE];
    const eop_chunk_target *target = w->target;
    uint8_t *valid = target->valid;
    bool nulls = eop_column_has_nulls(c);
    edgeops_status status = EDGEOPS_OK;
    if (!nulls && target->type == w->type &&
        target->stride == eop_type_width(w->type) * w->length) {
        if (valid != NULL) {
            memset(valid, 1, n);
        }
        return eop_column_take(w->at, c, n * w->length);
    }
    while (status == EDGEOPS_OK && n > 0) {
        size_t m = n < EOP_PACK_TILE ? n : EOP_PACK_TILE;
        size_t found = m;
        if (nulls) {
            status = eop_column_flags(&found, flags, c, m);
        } else if (valid != NULL) {
            memset(flags, 1, m);
        }
        if (status == EDGEOPS_OK && valid != NULL) {
            memcpy(valid, flags, m);
            valid += m;
        }
        if (status == EDGEOPS_OK) {
            status = found == m && w->length == 1 ? write_full(w, c, m)
                                                  : write_some(w, c, nulls ? flags : NULL, m);
        }
        n -= m;
    }
    return status;
}

/* Format 2 goes through a vector: it occurs in old homes only and need not be fast. */
static edgeops_status write_old(writer *w, const void *blob, size_t size, size_t rows, size_t from,
                                size_t to) {
    const eop_chunk_target *target = w->target;
    eop_vector vector = {.type = w->type, .length = (uint32_t)w->length};
    edgeops_status status = eop_chunk2_decode(&vector, blob, size, rows, from, to);
    for (size_t i = 0; status == EDGEOPS_OK && i < to - from; i++, w->at += target->stride) {
        bool null = eop_vector_is_null(&vector, i);
        size_t row_bytes = eop_vector_row_bytes(&vector);
        const char *row = (const char *)vector.data + i * row_bytes;
        if (target->valid != NULL) {
            target->valid[i] = !null;
        }
        if (null) {
            eop_null_fill(w->at, target->type, w->length);
            continue;
        }
        writer part = *w;
        size_t width = eop_type_width(w->type);
        for (size_t at = 0; at < w->length; at += EOP_PACK_TILE) {
            size_t n = w->length - at < EOP_PACK_TILE ? w->length - at : EOP_PACK_TILE;
            write_elements(&part, row + at * width, 1, n);
            part.at += n * eop_type_width(target->type);
        }
    }
    eop_vector_dispose(&vector);
    return status;
}

edgeops_status eop_chunk_decode_to(const eop_chunk_target *target, const void *blob, size_t size,
                                   edgeops_type type, uint32_t length, size_t rows, size_t from,
                                   size_t to) {
    writer w = {
        .at = target->out, .target = target, .type = type, .length = length > 1 ? length : 1};
    eop_column c;
    if (type == EDGEOPS_TYPE_STRING || type == EDGEOPS_TYPE_BLOB ||
        (target->type != type && target->type != EDGEOPS_TYPE_FLOAT64)) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a column of type %s is not read as %s",
                        eop_type_name(type), eop_type_name(target->type));
    }
    if (eop_chunk2_is(blob, size)) {
        return write_old(&w, blob, size, rows, from, to);
    }
    eop_column_shape shape = {type, length, rows, to};
    edgeops_status status = eop_column_open_at(&c, blob, size, &shape, from);
    if (status == EDGEOPS_OK && from < to) {
        status = write_column(&w, &c, to - from);
    }
    eop_column_dispose(&c);
    return status;
}
