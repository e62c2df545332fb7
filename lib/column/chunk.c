/* SPDX-License-Identifier: Apache-2.0 */
/* Encodes a vector as a BLOB (chunk.h has the format) and decodes a BLOB into a vector.
 * chunk_column.c reads a BLOB step by step; chunk_page.c and chunk_text.c handle single pages. */
#include "column/chunk.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/type.h"
#include "column/chunk_column.h"
#include "column/chunk_v2.h"

static_assert(EOP_CHUNK_ROWS <= EOP_PAGE_MAX, "a column of scalars is one page");

/* -- encoding -- */

static void seal_checksum(eop_buf *buf, size_t start) {
    if (!buf->failed) {
        char *blob = buf->data + start;
        uint32_t crc = eop_crc32c(eop_crc32c(0, blob, 4), blob + EOP_COLUMN_HEADER,
                                  buf->size - start - EOP_COLUMN_HEADER);
        memcpy(blob + 4, &crc, sizeof crc);
    }
}

static void put_header(eop_buf *buf, edgeops_type type, unsigned flags, size_t rows) {
    char head[EOP_COLUMN_HEADER] = {EOP_COLUMN_VERSION, (char)type, (char)flags};
    eop_buf_put(buf, head, sizeof head);
    eop_put_varint(buf, rows);
}

static void put_form(eop_buf *buf, unsigned form) {
    char byte = (char)form;
    eop_buf_put(buf, &byte, 1);
}

/* Writes runs, or the bitmap where the runs would be longer. */
static void put_nulls(eop_buf *buf, const eop_vector *vector) {
    size_t n = vector->filled;
    size_t size = (n + 7) / 8;
    size_t start = buf->size;
    uint8_t flag = 1;
    put_form(buf, EOP_FORM_RUNS);
    for (size_t from = 0; from < n && buf->size - start <= size; flag = !flag) {
        size_t to = from;
        while (to < n && vector->valid[to] == flag) {
            to++;
        }
        eop_put_varint(buf, to - from);
        from = to;
    }
    if (buf->failed || buf->size - start <= size) {
        return;
    }
    buf->size = start;
    put_form(buf, EOP_FORM_PLAIN);
    char *bits = eop_buf_reserve(buf, size);
    if (bits == NULL) {
        return;
    }
    memset(bits, 0, size);
    for (size_t i = 0; i < n; i++) {
        bits[i / 8] = (char)((unsigned char)bits[i / 8] | (unsigned)vector->valid[i] << i % 8);
    }
    buf->size += size;
}

static bool is_there(const eop_vector *vector, size_t row) {
    return vector->valid == NULL || vector->valid[row] != 0;
}

static void put_quality(eop_buf *buf, const eop_vector *vector, size_t count) {
    size_t size = count * sizeof *vector->quality;
    size_t start = buf->size;
    size_t run = 0;
    uint16_t code = 0;
    put_form(buf, EOP_FORM_RUNS);
    for (size_t i = 0; i <= vector->filled && buf->size - start <= size; i++) {
        if (i < vector->filled && !is_there(vector, i)) {
            continue;
        }
        if (run > 0 && (i == vector->filled || vector->quality[i] != code)) {
            eop_put_varint(buf, run);
            eop_buf_put(buf, &code, sizeof code);
            run = 0;
        }
        if (i < vector->filled) {
            code = vector->quality[i];
            run++;
        }
    }
    if (buf->failed || buf->size - start <= size) {
        return;
    }
    buf->size = start;
    put_form(buf, EOP_FORM_PLAIN);
    for (size_t i = 0; i < vector->filled; i++) {
        if (is_there(vector, i)) {
            eop_buf_put(buf, &vector->quality[i], sizeof *vector->quality);
        }
    }
}

static void put_pages(eop_buf *buf, edgeops_type type, const char *elements, size_t count,
                      size_t saving) {
    size_t width = eop_type_width(type);
    for (size_t at = 0; at < count; at += EOP_PAGE_MAX) {
        size_t n = count - at < EOP_PAGE_MAX ? count - at : EOP_PAGE_MAX;
        size_t start = buf->size;
        uint32_t size = 0;
        if (count > EOP_PAGE_MAX) {
            eop_buf_put(buf, &size, sizeof size);
        }
        eop_page_put(buf, type, elements + at * width, n, saving);
        if (count > EOP_PAGE_MAX && !buf->failed) {
            size = (uint32_t)(buf->size - start - sizeof size);
            memcpy(buf->data + start, &size, sizeof size);
        }
    }
}

static void put_texts(eop_buf *buf, const eop_vector *vector, size_t count) {
    uint32_t *starts = eop_alloc(2 * EOP_PAGE_MAX * sizeof *starts);
    uint32_t *ends = starts != NULL ? starts + EOP_PAGE_MAX : NULL;
    const uint32_t *offsets = vector->data;
    const char *bytes = vector->bytes != NULL ? vector->bytes : "";
    size_t n = 0;
    if (starts == NULL) {
        buf->failed = true;
        return;
    }
    for (size_t i = 0; i < vector->filled; i++) {
        if (is_there(vector, i)) {
            starts[n] = offsets[i];
            ends[n++] = offsets[i + 1];
        }
        if (n == EOP_PAGE_MAX || (i + 1 == vector->filled && n > 0)) {
            size_t start = buf->size;
            uint32_t size = 0;
            if (count > EOP_PAGE_MAX) {
                eop_buf_put(buf, &size, sizeof size);
            }
            eop_text_put(buf, bytes, starts, ends, n);
            if (count > EOP_PAGE_MAX && !buf->failed) {
                size = (uint32_t)(buf->size - start - sizeof size);
                memcpy(buf->data + start, &size, sizeof size);
            }
            n = 0;
        }
    }
    eop_free(starts);
}

static void put_elements(eop_buf *buf, const eop_vector *vector, size_t count, size_t saving) {
    size_t row_bytes = eop_vector_row_bytes(vector);
    size_t length = eop_vector_length(vector);
    if (vector->type == EDGEOPS_TYPE_STRING) {
        put_texts(buf, vector, count);
        return;
    }
    if (vector->nulls == 0) {
        put_pages(buf, vector->type, vector->data, count * length, saving);
        return;
    }
    eop_buf there = {0};
    for (size_t i = 0; i < vector->filled; i++) {
        if (vector->valid[i] != 0) {
            eop_buf_put(&there, (const char *)vector->data + i * row_bytes, row_bytes);
        }
    }
    if (!there.failed) {
        put_pages(buf, vector->type, there.data, count * length, saving);
    }
    buf->failed |= there.failed;
    eop_buf_dispose(&there);
}

static void encode_column(eop_buf *buf, const eop_vector *vector, size_t saving) {
    size_t start = buf->size;
    size_t count = vector->filled - (size_t)vector->nulls;
    unsigned flags = 0;
    flags |= eop_vector_length(vector) > 1 ? EOP_COLUMN_ARRAY : 0;
    flags |= vector->nulls > 0 ? EOP_COLUMN_NULLS : 0;
    flags |= vector->quality != NULL ? EOP_COLUMN_QUALITY : 0;
    put_header(buf, vector->type, flags, vector->filled);
    if ((flags & EOP_COLUMN_ARRAY) != 0) {
        eop_put_varint(buf, eop_vector_length(vector));
    }
    if ((flags & EOP_COLUMN_NULLS) != 0) {
        eop_put_varint(buf, count);
        put_nulls(buf, vector);
    }
    if ((flags & EOP_COLUMN_QUALITY) != 0) {
        put_quality(buf, vector, count);
    }
    put_elements(buf, vector, count, saving);
    seal_checksum(buf, start);
}

void eop_chunk_encode(eop_buf *buf, const eop_vector *vector) {
    encode_column(buf, vector, EOP_SAVING_FAST);
}

void eop_chunk_encode_quick(eop_buf *buf, const eop_vector *vector) {
    encode_column(buf, vector, EOP_SAVING_NONE);
}

static void encode_int(eop_buf *buf, const int64_t *values, size_t n, size_t saving) {
    size_t start = buf->size;
    put_header(buf, EDGEOPS_TYPE_INT64, 0, n);
    put_pages(buf, EDGEOPS_TYPE_INT64, (const char *)values, n, saving);
    seal_checksum(buf, start);
}

void eop_chunk_encode_int(eop_buf *buf, const int64_t *values, size_t n) {
    encode_int(buf, values, n, EOP_SAVING_SMALL);
}

void eop_chunk_encode_int_quick(eop_buf *buf, const int64_t *values, size_t n) {
    encode_int(buf, values, n, EOP_SAVING_NONE);
}

/* -- decoding -- */

/* Decodes the elements of `found` rows into the places of those of the n rows whose flag is set. */
static edgeops_status scatter_elements(char *place, eop_column *c, const uint8_t *flags, size_t n,
                                       size_t found) {
    uint64_t tile[EOP_PACK_TILE * sizeof(edgeops_blob) / sizeof(uint64_t)];
    size_t row_bytes = c->width * c->length;
    edgeops_status status = EDGEOPS_OK;
    if (c->length > 1) {
        for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
            if (flags[i] != 0) {
                status = eop_column_take(place + i * row_bytes, c, c->length);
            }
        }
        return status;
    }
    status = eop_column_take(tile, c, found);
    const char *next = (const char *)tile;
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        if (flags[i] != 0) {
            memcpy(place + i * row_bytes, next, row_bytes);
            next += row_bytes;
        }
    }
    return status;
}

static edgeops_status take_texts(eop_vector *vector, eop_column *c, const uint8_t *flags,
                                 size_t n) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        edgeops_value value;
        if (flags != NULL && flags[i] == 0) {
            status = eop_vector_pad(vector, vector->filled + 1);
            continue;
        }
        status = eop_column_take_text(&value, c);
        if (status == EDGEOPS_OK) {
            status = eop_vector_put(vector, &value);
        }
    }
    return status;
}

/* Appends n rows, null where the flag is 0; flags NULL: no row is null. */
static edgeops_status take_rows(eop_vector *vector, eop_column *c, const uint8_t *flags, size_t n,
                                size_t found) {
    void *place = NULL;
    if (vector->type == EDGEOPS_TYPE_STRING) {
        return take_texts(vector, c, flags, n);
    }
    edgeops_status status = eop_vector_extend(&place, vector, n);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (flags == NULL) {
        return eop_column_take(place, c, n * c->length);
    }
    memset(place, 0, n * eop_vector_row_bytes(vector));
    status = scatter_elements(place, c, flags, n, found);
    return status == EDGEOPS_OK ? eop_vector_mark(vector, flags, n) : status;
}

/* Reads the quality codes of the last n rows. */
static edgeops_status take_codes(eop_vector *vector, eop_column *c, const uint8_t *flags, size_t n,
                                 size_t found) {
    uint16_t codes[EOP_PACK_TILE];
    uint16_t all[EOP_PACK_TILE];
    edgeops_status status = eop_column_take_codes(codes, c, found);
    for (size_t i = 0, next = 0; i < n; i++) {
        all[i] = flags == NULL || flags[i] != 0 ? codes[next++] : EDGEOPS_QUALITY_NONE;
    }
    return status == EDGEOPS_OK ? eop_vector_rate(vector, vector->filled - n, all, n) : status;
}

static edgeops_status decode_column(eop_vector *vector, eop_column *c, size_t n) {
    edgeops_status status = EDGEOPS_OK;
    if (!eop_column_has_nulls(c) && c->codes == NULL) {
        return take_rows(vector, c, NULL, n, n);
    }
    while (status == EDGEOPS_OK && n > 0) {
        uint8_t flags[EOP_PACK_TILE];
        const uint8_t *some = NULL;
        size_t m = n < sizeof flags ? n : sizeof flags;
        size_t found = m;
        if (eop_column_has_nulls(c)) {
            status = eop_column_flags(&found, flags, c, m);
            some = flags;
        }
        if (status == EDGEOPS_OK) {
            status = take_rows(vector, c, some, m, found);
        }
        if (status == EDGEOPS_OK && c->codes != NULL) {
            status = take_codes(vector, c, some, m, found);
        }
        n -= m;
    }
    return status;
}

edgeops_status eop_chunk_decode(eop_vector *vector, const void *blob, size_t size, size_t rows,
                                size_t from, size_t to) {
    eop_column c;
    if (eop_chunk2_is(blob, size)) {
        return eop_chunk2_decode(vector, blob, size, rows, from, to);
    }
    eop_column_shape shape = {vector->type, eop_vector_length(vector), rows, to};
    edgeops_status status = eop_column_open_at(&c, blob, size, &shape, from);
    if (status == EDGEOPS_OK && from < to) {
        status = decode_column(vector, &c, to - from);
    }
    eop_column_dispose(&c);
    return status;
}

edgeops_status eop_chunk_decode_int(int64_t *values, const void *blob, size_t size, size_t rows) {
    eop_chunk_target target = {values, sizeof *values, EDGEOPS_TYPE_INT64, NULL};
    eop_column c;
    if (eop_chunk2_is(blob, size)) {
        return eop_chunk_decode_to(&target, blob, size, EDGEOPS_TYPE_INT64, 1, rows, 0, rows);
    }
    eop_column_shape shape = {EDGEOPS_TYPE_INT64, 1, rows, rows};
    edgeops_status status = eop_column_open(&c, blob, size, &shape);
    if (status == EDGEOPS_OK && c.count != rows) {
        status = eop_column_damaged("rows do not add up");
    }
    return status == EDGEOPS_OK ? eop_column_take(values, &c, rows) : status;
}
