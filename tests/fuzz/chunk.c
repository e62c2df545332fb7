/* SPDX-License-Identifier: Apache-2.0 */
/* A column of a chunk. Six bytes say what the catalog knows of it and which rows are read: type,
 * length, u16 rows, u16 first row; the rest is the BLOB, whose checksum is made right, so that what
 * is behind it is reached. */
#include "column/chunk.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/type.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEAD = 6 };

static void seal(uint8_t *blob, size_t size) {
    size_t at = size > 0 && blob[0] == 2 ? 8 : 4;
    if (size >= at + 4) {
        uint32_t crc = eop_crc32c(eop_crc32c(0, blob, at), blob + at + 4, size - at - 4);
        memcpy(blob + at, &crc, sizeof crc);
    }
}

static void must(edgeops_status status) {
    if (status != EDGEOPS_OK && status != EDGEOPS_E_CORRUPT && status != EDGEOPS_E_VERSION) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < LEAD) {
        return 0;
    }
    edgeops_type type = (edgeops_type)(1 + data[0] % (EOP_TYPES - 1));
    uint32_t length = eop_type_has_length(type, data[1]) ? data[1] : 1;
    size_t rows = 1 + (data[2] | (size_t)data[3] << 8) % EOP_CHUNK_ROWS;
    size_t from = (data[4] | (size_t)data[5] << 8) % rows;
    uint8_t *blob = eop_alloc(size - LEAD);
    eop_vector vector = {.type = type, .length = length};
    if (blob == NULL) {
        return 0;
    }
    memcpy(blob, data + LEAD, size - LEAD);
    seal(blob, size - LEAD);
    edgeops_status status = eop_chunk_decode(&vector, blob, size - LEAD, rows, from, rows);
    must(status);
    if (status == EDGEOPS_OK && vector.filled != rows - from) {
        abort();
    }
    if (type != EDGEOPS_TYPE_STRING && type != EDGEOPS_TYPE_BLOB) {
        size_t stride = length * sizeof(double);
        eop_chunk_target target = {.stride = stride, .type = EDGEOPS_TYPE_FLOAT64};
        target.out = eop_alloc((rows - from) * stride);
        target.valid = eop_alloc(rows - from);
        if (target.out != NULL && target.valid != NULL) {
            must(eop_chunk_decode_to(&target, blob, size - LEAD, type, length, rows, from, rows));
        }
        eop_free(target.out);
        eop_free(target.valid);
    }
    eop_vector_dispose(&vector);
    eop_free(blob);
    return 0;
}
