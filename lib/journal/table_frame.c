/* SPDX-License-Identifier: Apache-2.0 */
/* Writes and reads blocks of columns in a frame, for appends of whole tables. table_frame.h has the
 * format; the columns are BLOBs of column/chunk.h. Reading trusts nothing. */
#include "journal/table_frame.h"

#include <string.h>

#include "base/error.h"
#include "column/chunk.h"
#include "journal/frame.h"

typedef struct block_head {
    uint32_t mark;
    uint32_t bytes; /* of the block, behind this member */
    uint32_t asset;
    uint32_t rows;
    uint64_t ordinal;
    uint16_t columns;
    uint16_t zero;
    uint32_t times;
    uint32_t seqs;
    uint32_t zero_too; /* explicit, so that no padding is written */
} block_head;
static_assert(sizeof(block_head) == 40, "the head of a block of columns has 40 bytes");

typedef struct column_head {
    uint16_t channel;
    uint8_t type;
    uint8_t zero;
    uint32_t length;
    uint32_t bytes;
} column_head;
static_assert(sizeof(column_head) == 12, "the head of a column has 12 bytes");

/* -- writing -- */

/* index: of the vector in the rows; eop_table_frame_assign() replaces it by the channel. */
static void put_column(eop_buf *buf, const eop_vector *vector, uint16_t index) {
    column_head head = {.channel = index,
                        .type = (uint8_t)vector->type,
                        .length = vector->length > 0 ? vector->length : 1};
    size_t at = buf->size;
    eop_buf_put(buf, &head, sizeof head);
    size_t start = buf->size;
    eop_chunk_encode_quick(buf, vector);
    if (!buf->failed) {
        head.bytes = (uint32_t)(buf->size - start);
        memcpy(buf->data + at, &head, sizeof head);
    }
}

void eop_table_frame_put(eop_buf *buf, const eop_rows *rows) {
    block_head head = {.mark = EOP_TABLE_MARK, .rows = (uint32_t)rows->rows};
    size_t at = buf->size;
    eop_buf_put(buf, &head, sizeof head);
    size_t start = buf->size;
    eop_chunk_encode_int_quick(buf, rows->times, rows->rows);
    head.times = (uint32_t)(buf->size - start);
    if (!eop_all_zero(rows->seqs, rows->rows)) {
        start = buf->size;
        eop_chunk_encode_int_quick(buf, rows->seqs, rows->rows);
        head.seqs = (uint32_t)(buf->size - start);
    }
    for (size_t k = 0; k < rows->vector_count; k++) {
        if (rows->vectors[k].nulls < rows->rows) {
            put_column(buf, &rows->vectors[k], (uint16_t)k);
            head.columns++;
        }
    }
    if (!buf->failed) {
        head.bytes = (uint32_t)(buf->size - at - 8);
        memcpy(buf->data + at, &head, sizeof head);
    }
}

char *eop_table_frame_assign(char *block, uint32_t asset, uint64_t ordinal,
                             const uint32_t *channels) {
    block_head head;
    memcpy(&head, block, sizeof head);
    head.asset = asset;
    head.ordinal = ordinal;
    memcpy(block, &head, sizeof head);
    char *at = block + sizeof head + head.times + head.seqs;
    for (uint16_t i = 0; i < head.columns; i++) {
        column_head column;
        memcpy(&column, at, sizeof column);
        column.channel = (uint16_t)channels[column.channel];
        memcpy(at, &column, sizeof column);
        at += sizeof column + column.bytes;
    }
    return at;
}

/* -- reading -- */

static edgeops_status fail_malformed(void) {
    return eop_fail(EDGEOPS_E_CORRUPT, "store", "a block of rows in the journal is malformed");
}

bool eop_table_frame_is_next(const char *data, const char *end) {
    uint32_t mark = 0;
    if ((size_t)(end - data) < sizeof mark) {
        return false;
    }
    memcpy(&mark, data, sizeof mark);
    return mark == EOP_TABLE_MARK;
}

edgeops_status eop_table_frame_open(eop_table_frame *out, const char **data, const char *end) {
    block_head head;
    if ((size_t)(end - *data) < sizeof head) {
        return fail_malformed();
    }
    memcpy(&head, *data, sizeof head);
    size_t rest = sizeof head - 8;
    if (head.mark != EOP_TABLE_MARK || head.bytes < rest ||
        head.bytes > (size_t)(end - *data) - 8 || head.rows == 0 || head.rows > EOP_CHUNK_ROWS ||
        head.columns > EOP_CHANNELS_MAX || head.times > head.bytes - rest ||
        head.seqs > head.bytes - rest - head.times) {
        return fail_malformed();
    }
    const char *at = *data + sizeof head;
    *data += 8 + (size_t)head.bytes;
    *out = (eop_table_frame){.asset = head.asset,
                             .ordinal = head.ordinal,
                             .rows = head.rows,
                             .column_count = head.columns,
                             .times = at,
                             .times_size = head.times,
                             .seqs = at + head.times,
                             .seqs_size = head.seqs,
                             .at = at + head.times + head.seqs,
                             .end = *data};
    return EDGEOPS_OK;
}

edgeops_status eop_table_frame_next(eop_table_frame_column *out, eop_table_frame *frame) {
    column_head head;
    if (frame->column_count == 0) {
        return EDGEOPS_DONE;
    }
    if ((size_t)(frame->end - frame->at) < sizeof head) {
        return fail_malformed();
    }
    memcpy(&head, frame->at, sizeof head);
    if (head.bytes > (size_t)(frame->end - frame->at) - sizeof head ||
        head.channel >= EOP_CHANNELS_MAX) {
        return fail_malformed();
    }
    *out = (eop_table_frame_column){.channel = head.channel,
                                    .type = (edgeops_type)head.type,
                                    .length = head.length,
                                    .blob = frame->at + sizeof head,
                                    .size = head.bytes};
    frame->at += sizeof head + head.bytes;
    frame->column_count--;
    return EDGEOPS_OK;
}

edgeops_status eop_table_frame_keys(eop_rows *rows, const eop_table_frame *frame) {
    edgeops_status status = eop_rows_reserve(rows, frame->rows);
    if (status == EDGEOPS_OK) {
        status = eop_chunk_decode_int(rows->times, frame->times, frame->times_size, frame->rows);
    }
    if (status == EDGEOPS_OK && frame->seqs_size > 0) {
        status = eop_chunk_decode_int(rows->seqs, frame->seqs, frame->seqs_size, frame->rows);
    } else if (status == EDGEOPS_OK) {
        memset(rows->seqs, 0, frame->rows * sizeof *rows->seqs);
    }
    if (status == EDGEOPS_OK) {
        rows->rows = frame->rows;
        rows->first_ordinal = frame->ordinal;
    }
    return status;
}
