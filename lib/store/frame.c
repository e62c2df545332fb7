/* SPDX-License-Identifier: Apache-2.0 */
#include "store/frame.h"

#include <string.h>

#include "base/error.h"

static char *put(char *at, const void *data, size_t size) {
    memcpy(at, data, size);
    return at + size;
}

void eop_frame_put(eop_buf *buf, const eop_frame_row *row, const eop_cell *cells) {
    size_t bound = EOP_FRAME_ROW_MAX;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        bound += eop_frame_cell_bound(&cells[i].value);
    }
    char *start = eop_buf_reserve(buf, bound);
    if (start == NULL) {
        return;
    }
    char *at = put(start, &row->asset, 4);
    char *count_at = at;
    uint16_t count = 0;
    at += sizeof count;
    at = put(at, &row->ordinal, 8);
    at = put(at, &row->time, 8);
    at = put(at, &row->seq, 8);
    for (uint32_t i = 0; i < row->cell_count; i++) {
        const edgeops_value *value = &cells[i].value;
        if (value->type == EDGEOPS_TYPE_NULL) {
            continue;
        }
        uint16_t tag = (uint16_t)(cells[i].channel | (uint32_t)value->type << 12);
        at = put(at, &tag, sizeof tag);
        if (value->type == EDGEOPS_TYPE_STRING) {
            at = put(at, &value->size, 4);
            if (value->size > 0) {
                at = put(at, value->as.str, value->size);
            }
        } else if (value->type == EDGEOPS_TYPE_BOOL) {
            *at++ = value->as.i64 != 0;
        } else {
            at = put(at, &value->as, 8);
        }
        count++;
    }
    memcpy(count_at, &count, sizeof count);
    buf->size += (size_t)(at - start);
}

static bool take(void *out, size_t size, const char **data, const char *end) {
    if ((size_t)(end - *data) < size) {
        return false;
    }
    memcpy(out, *data, size);
    *data += size;
    return true;
}

static bool take_cell(eop_cell *cell, const char **data, const char *end) {
    uint16_t tag = 0;
    uint8_t byte = 0;
    if (!take(&tag, sizeof tag, data, end)) {
        return false;
    }
    cell->channel = tag & 0xfffu;
    cell->value = (edgeops_value){.type = (edgeops_type)(tag >> 12)};
    if (cell->channel >= EOP_CHANNELS_MAX) {
        return false;
    }
    switch (cell->value.type) {
    case EDGEOPS_TYPE_FLOAT64:
    case EDGEOPS_TYPE_INT64:
        return take(&cell->value.as, 8, data, end);
    case EDGEOPS_TYPE_BOOL:
        if (!take(&byte, 1, data, end) || byte > 1) {
            return false;
        }
        cell->value.as.i64 = byte;
        return true;
    case EDGEOPS_TYPE_STRING:
        if (!take(&cell->value.size, 4, data, end) || (size_t)(end - *data) < cell->value.size) {
            return false;
        }
        cell->value.as.str = *data;
        *data += cell->value.size;
        return true;
    default:
        return false;
    }
}

edgeops_status eop_frame_next(eop_frame_row *row, eop_cell *cells, const char **data,
                              const char *end) {
    if (*data == end) {
        return EDGEOPS_DONE;
    }
    uint16_t count = 0;
    bool good = take(&row->asset, 4, data, end) && take(&count, sizeof count, data, end) &&
                take(&row->ordinal, 8, data, end) && take(&row->time, 8, data, end) &&
                take(&row->seq, 8, data, end) && count <= EOP_CHANNELS_MAX;
    for (uint32_t i = 0; good && i < count; i++) {
        good = take_cell(&cells[i], data, end);
    }
    if (!good) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "a row in the journal is malformed");
    }
    row->cell_count = count;
    return EDGEOPS_OK;
}
