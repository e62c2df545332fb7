/* SPDX-License-Identifier: Apache-2.0 */
/* An eop_parts as a BLOB; parts.h has the format. The reader trusts nothing: what it gives back is
 * a collection as others make it, whatever the bytes are. */
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "column/chunk_page.h"
#include "column/pack_kernels.h"
#include "column/packed_bytes.h"
#include "column/parts.h"

enum { VERSION = 1, CHECKSUM_AT = 4, HEAD = 8, VARINT_MAX = 5 };

static const char damage[] = "the parts of its rows";

/* -- writing -- */

/* There is room for it. */
static void put(eop_buf *buf, uint32_t value) {
    while (value >= 0x80) {
        buf->data[buf->size++] = (char)(value | 0x80);
        value >>= 7;
    }
    buf->data[buf->size++] = (char)value;
}

static void put_body(eop_buf *body, const eop_parts *parts) {
    size_t channels = parts->shape_count > 0 ? parts->ends[parts->shape_count] : 0;
    size_t flags = parts->later_count > 0 ? (parts->row_count + 7) / 8 : 0;
    size_t numbers = 2 * parts->count + parts->shape_count + channels;
    if (eop_buf_reserve(body, numbers * VARINT_MAX + flags) == NULL) {
        return;
    }
    for (uint32_t shape = 1; shape <= parts->shape_count; shape++) {
        size_t n;
        const uint16_t *of_shape = eop_parts_shape(&n, parts, shape);
        uint32_t next = 0;
        put(body, (uint32_t)n);
        for (size_t k = 0; k < n; k++) {
            put(body, of_shape[k] + 1 - next);
            next = (uint32_t)of_shape[k] + 1;
        }
    }
    for (size_t i = 0; i < parts->count; i++) {
        uint64_t before = i > 0 ? parts->rows[i - 1] : 0;
        put(body, (uint32_t)eop_zigzag(parts->rows[i] - before));
    }
    for (size_t i = 0; i < parts->count; i++) {
        put(body, parts->shapes[i]);
    }
    unsigned char *bits = (unsigned char *)body->data + body->size;
    memset(bits, 0, flags);
    for (size_t row = 0; flags > 0 && row < parts->row_count; row++) {
        bits[row / 8] = (unsigned char)(bits[row / 8] | parts->later[row] << row % 8);
    }
    body->size += flags;
}

void eop_parts_encode(eop_buf *buf, const eop_parts *parts) {
    const uint8_t head[HEAD] = {VERSION};
    size_t start = buf->size;
    eop_buf body = {0};
    put_body(&body, parts);
    eop_buf_put(buf, head, sizeof head);
    eop_put_varint(buf, parts->count);
    eop_put_varint(buf, parts->row_count);
    eop_put_varint(buf, parts->later_count);
    eop_put_varint(buf, parts->shape_count);
    eop_put_varint(buf, body.size);
    eop_packed_bytes_put(buf, body.size > 0 ? body.data : "", body.size);
    buf->failed |= body.failed;
    if (!buf->failed) {
        char *blob = buf->data + start;
        uint32_t crc =
            eop_crc32c(eop_crc32c(0, blob, CHECKSUM_AT), blob + HEAD, buf->size - start - HEAD);
        memcpy(blob + CHECKSUM_AT, &crc, sizeof crc);
    }
    eop_buf_dispose(&body);
}

/* -- reading -- */

static bool take(uint32_t *out, const uint8_t **at, const uint8_t *end) {
    uint64_t value;
    if (EOP_LIKELY(*at < end && **at < 0x80)) {
        *out = *(*at)++;
        return true;
    }
    if (!eop_take_varint(&value, at, end) || value > UINT32_MAX) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

static edgeops_status take_shape(eop_parts *parts, uint32_t channel_limit, const uint8_t **at,
                                 const uint8_t *end) {
    size_t used = parts->shape_count > 0 ? parts->ends[parts->shape_count] : 0;
    uint32_t n;
    uint32_t next = 0;
    /* Each channel takes a byte at least: no memory for what is not there. */
    if (!take(&n, at, end) || n > channel_limit || n > (size_t)(end - *at)) {
        return eop_column_damaged(damage);
    }
    if (!eop_grow(&parts->ends, &parts->end_capacity, parts->shape_count + 2,
                  sizeof *parts->ends) ||
        !eop_grow(&parts->channels, &parts->channel_capacity, used + n + 1,
                  sizeof *parts->channels)) {
        return eop_fail_nomem("store");
    }
    for (uint32_t k = 0; k < n; k++) {
        uint32_t step;
        if (!take(&step, at, end) || step == 0 || step > channel_limit - next) {
            return eop_column_damaged(damage);
        }
        next += step;
        parts->channels[used++] = (uint16_t)(next - 1);
    }
    parts->channel_limit = next > parts->channel_limit ? next : parts->channel_limit;
    parts->ends[0] = 0;
    parts->ends[++parts->shape_count] = (uint32_t)used;
    return EDGEOPS_OK;
}

/* A row begins at its first arrival, which has shape 0, and no other arrival has. */
static bool take_arrivals(eop_parts *parts, size_t arrivals, size_t rows, const uint8_t **at,
                          const uint8_t *end) {
    size_t begun = 0;
    uint32_t row = 0;
    for (size_t i = 0; i < arrivals; i++) {
        uint32_t step;
        if (!take(&step, at, end)) {
            return false;
        }
        row += (uint32_t)eop_unzigzag(step);
        if (row >= rows) {
            return false;
        }
        parts->rows[i] = row;
    }
    for (size_t i = 0; i < arrivals; i++) {
        if (!take(&parts->shapes[i], at, end) || parts->shapes[i] > parts->shape_count) {
            return false;
        }
    }
    parts->count = arrivals;
    parts->row_count = rows;
    eop_parts_chain(parts);
    for (size_t i = 0; i < arrivals; i++) {
        if ((parts->before[i] == EOP_PARTS_NONE) != (parts->shapes[i] == 0)) {
            return false;
        }
        begun += parts->shapes[i] == 0 ? 1 : 0;
    }
    return begun == rows;
}

static edgeops_status take_flags(eop_parts *parts, size_t later_count, const uint8_t *at,
                                 const uint8_t *end) {
    size_t size = later_count > 0 ? (parts->row_count + 7) / 8 : 0;
    if ((size_t)(end - at) != size) {
        return eop_column_damaged(damage);
    }
    parts->later_count = later_count;
    if (size == 0) {
        return EDGEOPS_OK;
    }
    parts->later = eop_alloc(parts->row_capacity);
    if (parts->later == NULL) {
        return eop_fail_nomem("store");
    }
    size_t found = 0;
    for (size_t row = 0; row < size * 8; row++) {
        uint8_t flag = at[row / 8] >> row % 8 & 1;
        if (row < parts->row_count) {
            parts->later[row] = flag;
            found += flag;
        } else if (flag != 0) {
            return eop_column_damaged(damage);
        }
    }
    return found == later_count ? EDGEOPS_OK : eop_column_damaged(damage);
}

typedef struct head {
    uint64_t arrivals;
    uint64_t rows;
    uint64_t later;
    uint64_t shapes;
    uint64_t body;
} head;

static bool take_head(head *h, const uint8_t **at, const uint8_t *end) {
    return eop_take_varint(&h->arrivals, at, end) && eop_take_varint(&h->rows, at, end) &&
           eop_take_varint(&h->later, at, end) && eop_take_varint(&h->shapes, at, end) &&
           eop_take_varint(&h->body, at, end);
}

static edgeops_status take_body(eop_parts *parts, const head *h, uint32_t channel_limit,
                                const uint8_t *at, const uint8_t *end) {
    edgeops_status status = eop_parts_reserve(parts, (size_t)h->arrivals, (size_t)h->rows);
    for (uint64_t i = 0; status == EDGEOPS_OK && i < h->shapes; i++) {
        status = take_shape(parts, channel_limit, &at, end);
    }
    if (status == EDGEOPS_OK &&
        !take_arrivals(parts, (size_t)h->arrivals, (size_t)h->rows, &at, end)) {
        status = eop_column_damaged(damage);
    }
    return status == EDGEOPS_OK ? take_flags(parts, (size_t)h->later, at, end) : status;
}

edgeops_status eop_parts_decode(eop_parts *parts, const void *blob, size_t size, size_t arrivals,
                                size_t rows, uint32_t channel_limit) {
    const uint8_t *at = blob;
    const uint8_t *end = at + size;
    head h = {0};
    uint32_t crc;
    if (size < HEAD) {
        return eop_column_damaged(damage);
    }
    memcpy(&crc, at + CHECKSUM_AT, sizeof crc);
    if (crc != eop_crc32c(eop_crc32c(0, at, CHECKSUM_AT), at + HEAD, size - HEAD)) {
        return eop_column_damaged(damage);
    }
    if (at[0] != VERSION) {
        return eop_fail(EDGEOPS_E_VERSION, "store",
                        "the parts of rows in data/telemetry.db have version %u, this program "
                        "reads version %d",
                        at[0], VERSION);
    }
    at += HEAD;
    /* Each arrival takes two bytes at least. */
    if (!take_head(&h, &at, end) || h.arrivals != arrivals || h.rows != rows || rows > arrivals ||
        h.later > rows || h.shapes > h.body || h.body > SIZE_MAX / 2 || arrivals > h.body / 2) {
        return eop_column_damaged(damage);
    }
    const char *body = NULL;
    char *owned = NULL;
    edgeops_status status = eop_packed_bytes_take(&body, &owned, &at, end, (size_t)h.body, damage);
    if (status == EDGEOPS_OK && at != end) {
        status = eop_column_damaged(damage);
    }
    if (status == EDGEOPS_OK) {
        const uint8_t *content = (const uint8_t *)body;
        status = take_body(parts, &h, channel_limit, content, content + h.body);
    }
    eop_free(owned);
    if (status != EDGEOPS_OK) {
        eop_parts_clear(parts);
    }
    return status;
}
