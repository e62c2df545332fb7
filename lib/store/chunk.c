/* SPDX-License-Identifier: Apache-2.0 */
#include "store/chunk.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"

enum { HEADER = 16, VERSION = 1, RAW = 0, HAS_NULLS = 1 };

typedef struct header {
    uint8_t version;
    uint8_t encoding;
    uint8_t type;
    uint8_t flags;
    uint32_t rows;
    uint32_t crc;
    uint32_t zero;
} header;
static_assert(sizeof(header) == HEADER, "the header of a column has 16 bytes");

static uint32_t checksum(const char *blob, size_t size) {
    return eop_crc32c(eop_crc32c(0, blob, 8), blob + 12, size - 12);
}

static void seal(eop_buf *buf, size_t start) {
    if (!buf->failed) {
        uint32_t crc = checksum(buf->data + start, buf->size - start);
        memcpy(buf->data + start + offsetof(header, crc), &crc, sizeof crc);
    }
}

static void put_bitmap(eop_buf *buf, const eop_vector *vector) {
    size_t n = (vector->filled + 7) / 8;
    char *bits = eop_buf_reserve(buf, n);
    if (bits == NULL) {
        return;
    }
    memset(bits, 0, n);
    for (size_t i = 0; i < vector->filled; i++) {
        if (vector->valid[i] == 0) {
            bits[i / 8] = (char)((unsigned char)bits[i / 8] | 1u << i % 8);
        }
    }
    buf->size += n;
}

static void put_values(eop_buf *buf, const eop_vector *vector) {
    static const uint32_t zero;
    size_t width = eop_vector_width(vector->type);
    if (vector->type == EDGEOPS_TYPE_STRING) {
        if (vector->filled == 0) {
            eop_buf_put(buf, &zero, sizeof zero);
        } else {
            eop_buf_put(buf, vector->data, (vector->filled + 1) * width);
            eop_buf_put(buf, vector->bytes, vector->bytes_size);
        }
        return;
    }
    size_t start = buf->size;
    eop_buf_put(buf, vector->data, vector->filled * width);
    if (vector->nulls > 0 && !buf->failed) {
        for (size_t i = 0; i < vector->filled; i++) {
            if (vector->valid[i] == 0) {
                memset(buf->data + start + i * width, 0, width);
            }
        }
    }
}

void eop_chunk_encode(eop_buf *buf, const eop_vector *vector) {
    size_t start = buf->size;
    header head = {.version = VERSION,
                   .encoding = RAW,
                   .type = (uint8_t)vector->type,
                   .flags = vector->nulls > 0 ? HAS_NULLS : 0,
                   .rows = (uint32_t)vector->filled};
    eop_buf_put(buf, &head, sizeof head);
    if (vector->nulls > 0) {
        put_bitmap(buf, vector);
    }
    put_values(buf, vector);
    seal(buf, start);
}

void eop_chunk_encode_int(eop_buf *buf, const int64_t *values, size_t n) {
    size_t start = buf->size;
    header head = {
        .version = VERSION, .encoding = RAW, .type = EDGEOPS_TYPE_INT64, .rows = (uint32_t)n};
    eop_buf_put(buf, &head, sizeof head);
    eop_buf_put(buf, values, n * sizeof *values);
    seal(buf, start);
}

static edgeops_status damaged(const char *what) {
    return eop_fail(EDGEOPS_E_CORRUPT, "store", "a column in data/telemetry.db is damaged: %s",
                    what);
}

/* Checks the frame of a BLOB and gives its parts. */
static edgeops_status open_blob(const char **bitmap, const char **values, size_t *size,
                                const char *blob, size_t blob_size, edgeops_type type,
                                size_t rows) {
    header head;
    if (blob == NULL || blob_size < HEADER) {
        return damaged("too short");
    }
    memcpy(&head, blob, sizeof head);
    if (checksum(blob, blob_size) != head.crc) {
        return damaged("wrong checksum");
    }
    if (head.version != VERSION || head.encoding != RAW) {
        return eop_fail(EDGEOPS_E_VERSION, "store",
                        "a column has format %u.%u, this program reads %d.%d: use a newer edgeops",
                        head.version, head.encoding, VERSION, RAW);
    }
    if (head.rows != rows || head.type != (uint8_t)type) {
        return damaged("rows or type differ from the catalog's");
    }
    size_t at = HEADER;
    size_t bits = (rows + 7) / 8;
    *bitmap = NULL;
    if ((head.flags & HAS_NULLS) != 0) {
        if (blob_size - at < bits) {
            return damaged("too short");
        }
        *bitmap = blob + at;
        at += bits;
    }
    *values = blob + at;
    *size = blob_size - at;
    return EDGEOPS_OK;
}

static edgeops_status mark_nulls(eop_vector *vector, const char *bitmap, size_t from, size_t to) {
    uint8_t flags[256];
    size_t first = vector->filled - (to - from);
    size_t total = vector->filled;
    edgeops_status status = EDGEOPS_OK;
    for (size_t at = from; status == EDGEOPS_OK && at < to;) {
        size_t n = to - at < sizeof flags ? to - at : sizeof flags;
        for (size_t i = 0; i < n; i++) {
            flags[i] = (((unsigned char)bitmap[(at + i) / 8] >> (at + i) % 8) & 1u) == 0;
        }
        /* eop_vector_mark() works on the end of the vector. */
        vector->filled = first + (at - from) + n;
        status = eop_vector_mark(vector, flags, n);
        vector->filled = total;
        at += n;
    }
    return status;
}

static edgeops_status decode_strings(eop_vector *vector, const char *values, size_t size,
                                     size_t rows, size_t from, size_t to) {
    if (size / sizeof(uint32_t) < rows + 1) {
        return damaged("too short");
    }
    const char *bytes = values + (rows + 1) * sizeof(uint32_t);
    size_t bytes_size = size - (rows + 1) * sizeof(uint32_t);
    uint32_t start;
    memcpy(&start, values + from * sizeof start, sizeof start);
    for (size_t i = from; i < to; i++) {
        uint32_t end;
        memcpy(&end, values + (i + 1) * sizeof end, sizeof end);
        if (end < start || end > bytes_size) {
            return damaged("text runs over its end");
        }
        edgeops_value value = {
            .type = EDGEOPS_TYPE_STRING, .size = end - start, .as.str = bytes + start};
        edgeops_status status = eop_vector_put(vector, &value);
        if (status != EDGEOPS_OK) {
            return status;
        }
        start = end;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_chunk_decode(eop_vector *vector, const void *blob, size_t size, size_t rows,
                                size_t from, size_t to) {
    const char *bitmap = NULL;
    const char *values = NULL;
    size_t values_size = 0;
    edgeops_status status =
        open_blob(&bitmap, &values, &values_size, blob, size, vector->type, rows);
    if (status != EDGEOPS_OK || from == to) {
        return status;
    }
    if (vector->type == EDGEOPS_TYPE_STRING) {
        status = decode_strings(vector, values, values_size, rows, from, to);
    } else {
        void *place = NULL;
        size_t width = eop_vector_width(vector->type);
        if (values_size != rows * width) {
            return damaged("wrong size");
        }
        status = eop_vector_extend(&place, vector, to - from);
        if (status == EDGEOPS_OK) {
            memcpy(place, values + from * width, (to - from) * width);
        }
    }
    if (status == EDGEOPS_OK && bitmap != NULL) {
        status = mark_nulls(vector, bitmap, from, to);
    }
    return status;
}

edgeops_status eop_chunk_decode_int(int64_t *values, const void *blob, size_t size, size_t rows) {
    const char *bitmap = NULL;
    const char *data = NULL;
    size_t data_size = 0;
    edgeops_status status =
        open_blob(&bitmap, &data, &data_size, blob, size, EDGEOPS_TYPE_INT64, rows);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (bitmap != NULL || data_size != rows * sizeof *values) {
        return damaged("wrong size");
    }
    memcpy(values, data, data_size);
    return EDGEOPS_OK;
}

static void add(eop_chunk_stats *stats, double value) {
    if (stats->count == 0 || value < stats->min) {
        stats->min = value;
    }
    if (stats->count == 0 || value > stats->max) {
        stats->max = value;
    }
    stats->sum += value;
}

void eop_chunk_measure(eop_chunk_stats *stats, const eop_vector *vector) {
    *stats = (eop_chunk_stats){.nulls = vector->nulls};
    for (size_t i = 0; i < vector->filled; i++) {
        int64_t integer = 0;
        if (eop_vector_is_null(vector, i)) {
            continue;
        }
        if (vector->type == EDGEOPS_TYPE_FLOAT64) {
            double value = ((const double *)vector->data)[i];
            if (value != value) {
                continue;
            }
            add(stats, value);
        } else if (vector->type != EDGEOPS_TYPE_STRING) {
            integer = vector->type == EDGEOPS_TYPE_BOOL ? ((const uint8_t *)vector->data)[i]
                                                        : ((const int64_t *)vector->data)[i];
            if (stats->count == 0 || integer < stats->min_i64) {
                stats->min_i64 = integer;
            }
            if (stats->count == 0 || integer > stats->max_i64) {
                stats->max_i64 = integer;
            }
            add(stats, (double)integer);
        }
        stats->count++;
    }
}
