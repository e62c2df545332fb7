/* SPDX-License-Identifier: Apache-2.0 */
/* The arrivals of a chunk. Eight bytes say what the chunk knows and how the rest is meant: u16
 * arrivals, u16 rows, u16 later rows, u8 shapes, u8 form: 0 the rest is the BLOB, else its body,
 * plain. The checksum is made right, so that what is behind it is reached. */
#include "column/parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "column/pack.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { LEAD = 8, CHANNELS = 5, FIRST = 100 };

static void seal(eop_buf *blob) {
    if (!blob->failed && blob->size >= 8) {
        uint32_t crc = eop_crc32c(eop_crc32c(0, blob->data, 4), blob->data + 8, blob->size - 8);
        memcpy(blob->data + 4, &crc, sizeof crc);
    }
}

static void must(bool good) {
    if (!good) {
        abort();
    }
}

static void put_body(eop_buf *blob, const uint8_t *data, size_t size, size_t arrivals,
                     size_t rows) {
    static const char head[8] = {1};
    eop_buf_put(blob, head, sizeof head);
    eop_put_varint(blob, arrivals);
    eop_put_varint(blob, rows);
    eop_put_varint(blob, data[4] | (size_t)data[5] << 8);
    eop_put_varint(blob, data[6]);
    eop_put_varint(blob, size - LEAD);
    eop_buf_put(blob, "", 1);
    eop_put_varint(blob, size - LEAD);
    eop_buf_put(blob, data + LEAD, size - LEAD);
}

/* What was decoded is a collection: all may be done with it. */
static void use(eop_parts *parts, size_t cut) {
    eop_rows rows = {0};
    eop_rows out = {0};
    eop_parts out_parts = {0};
    const edgeops_value one = {.type = EDGEOPS_TYPE_INT64, .as.i64 = 1};
    must(eop_rows_reserve(&rows, parts->row_count) == EDGEOPS_OK);
    for (size_t k = 0; k < CHANNELS; k++) {
        must(eop_rows_add_vector(&rows, EDGEOPS_TYPE_INT64, 1) == EDGEOPS_OK);
    }
    for (size_t row = 0; row < parts->row_count; row++) {
        rows.times[row] = (int64_t)(row * 5 % 64);
        rows.seqs[row] = 0;
        for (size_t k = 0; k < CHANNELS; k++) {
            must(eop_vector_put(&rows.vectors[k], &one) == EDGEOPS_OK);
        }
        rows.rows++;
    }
    must(eop_parts_slice(&out, &out_parts, &rows, parts, FIRST, cut, parts->count) == EDGEOPS_OK);
    must(eop_parts_append(&out, &out_parts, &rows, parts) == EDGEOPS_OK);
    must(eop_parts_sort(&out, &out_parts, FIRST) == EDGEOPS_OK);
    must(out_parts.count == 2 * parts->count - cut && out.rows == out_parts.row_count);
    must(eop_parts_hide(&out, 0, &out_parts, FIRST, 0, out.rows, FIRST + cut, NULL) == EDGEOPS_OK);
    eop_rows_clear(&out);
    must(eop_parts_arrivals(&out, NULL, &rows, parts, FIRST, cut, parts->count, NULL) ==
         EDGEOPS_OK);
    eop_rows_dispose(&rows);
    eop_rows_dispose(&out);
    eop_parts_dispose(&out_parts);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < LEAD) {
        return 0;
    }
    size_t arrivals = data[0] | (size_t)data[1] << 8;
    size_t rows = data[2] | (size_t)data[3] << 8;
    eop_buf blob = {0};
    eop_parts parts = {0};
    if (data[7] == 0) {
        eop_buf_put(&blob, data + LEAD, size - LEAD);
    } else {
        put_body(&blob, data, size, arrivals, rows);
    }
    seal(&blob);
    edgeops_status status = eop_parts_decode(&parts, blob.size > 0 ? blob.data : "", blob.size,
                                             arrivals, rows, CHANNELS);
    must(status == EDGEOPS_OK || status == EDGEOPS_E_CORRUPT || status == EDGEOPS_E_VERSION);
    if (status == EDGEOPS_OK) {
        must(parts.count == arrivals && parts.row_count == rows);
        use(&parts, arrivals / 2);
        eop_buf_clear(&blob);
        eop_parts_encode(&blob, &parts);
        eop_parts_dispose(&parts);
        must(eop_parts_decode(&parts, blob.data, blob.size, arrivals, rows, CHANNELS) ==
             EDGEOPS_OK);
    } else {
        must(parts.count == 0 && parts.row_count == 0);
    }
    eop_parts_dispose(&parts);
    eop_buf_dispose(&blob);
    return 0;
}
