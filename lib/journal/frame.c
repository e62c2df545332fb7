/* SPDX-License-Identifier: Apache-2.0 */
/* Writes rows into a frame and reads them back; frame.h has the format. Reading trusts nothing:
 * each size is checked against the end. */
#include "journal/frame.h"

#include <string.h>

#include "base/compiler.h"
#include "base/error.h"

static char *put_bytes(char *at, const void *data, size_t size) {
    memcpy(at, data, size);
    return at + size;
}

enum { ARRAY = 14, QUALITY = 15 };
enum { LATER = 0x8000 }; /* in the number of cells */

static char *put_tag(char *at, uint32_t channel, unsigned type) {
    uint16_t tag = (uint16_t)(channel | type << 12);
    return put_bytes(at, &tag, sizeof tag);
}

static char *put_cell(char *at, const eop_cell *cell) {
    const edgeops_value *value = &cell->value;
    if (cell->quality != EDGEOPS_QUALITY_NONE) {
        at = put_tag(at, cell->channel, QUALITY);
        at = put_bytes(at, &cell->quality, sizeof cell->quality);
    }
    if (EOP_UNLIKELY(eop_value_is_array(value))) {
        at = put_tag(at, cell->channel, ARRAY);
        at = put_bytes(at, (const uint8_t[4]){(uint8_t)value->type}, 4);
        at = put_bytes(at, &value->size, 4);
        return put_bytes(at, value->as.data, value->size);
    }
    at = put_tag(at, cell->channel, (unsigned)value->type);
    switch (value->type) {
    case EDGEOPS_TYPE_STRING:
        at = put_bytes(at, &value->size, 4);
        return value->size > 0 ? put_bytes(at, value->as.str, value->size) : at;
    case EDGEOPS_TYPE_BLOB:
        return put_bytes(at, value->as.data, sizeof(edgeops_blob));
    case EDGEOPS_TYPE_FLOAT64:
        return put_bytes(at, &value->as.f64, 8);
    default:
        eop_value_save(at, value);
        return at + eop_type_width(value->type);
    }
}

void eop_frame_put(eop_buf *buf, const eop_frame_row *row, const eop_cell *cells) {
    size_t bound = EOP_FRAME_ROW_MAX;
    for (uint32_t i = 0; i < row->cell_count; i++) {
        bound += eop_frame_cell_bound(&cells[i].value) + EOP_FRAME_QUALITY;
    }
    char *start = eop_buf_reserve(buf, bound);
    if (start == NULL) {
        return;
    }
    char *at = put_bytes(start, &row->asset, 4);
    char *count_at = at;
    uint16_t count = 0;
    at += sizeof count;
    at = put_bytes(at, &row->ordinal, 8);
    at = put_bytes(at, &row->time, 8);
    at = put_bytes(at, &row->seq, 8);
    for (uint32_t i = 0; i < row->cell_count; i++) {
        if (cells[i].value.type != EDGEOPS_TYPE_NULL) {
            at = put_cell(at, &cells[i]);
            count++;
        }
    }
    count |= row->later ? LATER : 0;
    memcpy(count_at, &count, sizeof count);
    buf->size += (size_t)(at - start);
}

static bool take_bytes(void *out, size_t size, const char **data, const char *end) {
    if ((size_t)(end - *data) < size) {
        return false;
    }
    memcpy(out, *data, size);
    *data += size;
    return true;
}

static bool skip_bytes(const void **place, size_t size, const char **data, const char *end) {
    if ((size_t)(end - *data) < size) {
        return false;
    }
    *place = *data;
    *data += size;
    return true;
}

static bool take_tag(uint32_t *channel, unsigned *type, const char **data, const char *end) {
    uint16_t tag = 0;
    if (!take_bytes(&tag, sizeof tag, data, end)) {
        return false;
    }
    *channel = tag & 0xfffu;
    *type = tag >> 12;
    return *channel < EOP_CHANNELS_MAX;
}

static bool take_array(edgeops_value *value, const char **data, const char *end) {
    uint8_t head[4];
    if (!take_bytes(head, sizeof head, data, end) || !take_bytes(&value->size, 4, data, end) ||
        head[1] != 0 || head[2] != 0 || head[3] != 0) {
        return false;
    }
    value->type = (edgeops_type)head[0];
    size_t width = eop_type_width(value->type);
    return width > 0 && value->size % width == 0 &&
           eop_type_has_length(value->type, (int64_t)(value->size / width)) &&
           value->size > width && skip_bytes(&value->as.data, value->size, data, end);
}

static bool take_cell(eop_cell *cell, const char **data, const char *end) {
    unsigned type = 0;
    const void *place = NULL;
    edgeops_value *value = &cell->value;
    if (!take_tag(&cell->channel, &type, data, end)) {
        return false;
    }
    cell->quality = EDGEOPS_QUALITY_NONE;
    if (type == QUALITY) {
        uint32_t channel = 0;
        if (!take_bytes(&cell->quality, sizeof cell->quality, data, end) ||
            !take_tag(&channel, &type, data, end) || channel != cell->channel) {
            return false;
        }
    }
    *value = (edgeops_value){.type = (edgeops_type)type};
    switch (type) {
    case EDGEOPS_TYPE_FLOAT64:
        return take_bytes(&value->as.f64, 8, data, end);
    case EDGEOPS_TYPE_STRING:
        return take_bytes(&value->size, 4, data, end) &&
               skip_bytes(&value->as.data, value->size, data, end);
    case EDGEOPS_TYPE_BLOB:
        value->size = sizeof(edgeops_blob);
        return skip_bytes(&value->as.data, value->size, data, end);
    case ARRAY:
        return take_array(value, data, end);
    default:
        if (!eop_type_known(type) || !skip_bytes(&place, eop_type_width(value->type), data, end)) {
            return false;
        }
        *value = eop_value_load(value->type, place);
        return type != EDGEOPS_TYPE_BOOL || value->as.i64 <= 1;
    }
}

/* Fast path for a FLOAT64 without a code, the most common cell; false: another kind of cell. */
static inline bool take_float(eop_cell *cell, const char **data, const char *end) {
    uint16_t tag = 0;
    if ((size_t)(end - *data) < sizeof tag + sizeof(double)) {
        return false;
    }
    memcpy(&tag, *data, sizeof tag);
    if (tag >> 12 != EDGEOPS_TYPE_FLOAT64 || (tag & 0xfffu) >= EOP_CHANNELS_MAX) {
        return false;
    }
    cell->channel = tag & 0xfffu;
    cell->quality = EDGEOPS_QUALITY_NONE;
    cell->value = (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64};
    memcpy(&cell->value.as.f64, *data + sizeof tag, sizeof(double));
    *data += sizeof tag + sizeof(double);
    return true;
}

edgeops_status eop_frame_next(eop_frame_row *row, eop_cell *cells, const char **data,
                              const char *end) {
    if (*data == end) {
        return EDGEOPS_DONE;
    }
    uint16_t count = 0;
    bool good = take_bytes(&row->asset, 4, data, end) &&
                take_bytes(&count, sizeof count, data, end) &&
                take_bytes(&row->ordinal, 8, data, end) && take_bytes(&row->time, 8, data, end) &&
                take_bytes(&row->seq, 8, data, end);
    row->later = (count & LATER) != 0;
    count &= LATER - 1;
    good = good && count <= EOP_CHANNELS_MAX;
    for (uint32_t i = 0; good && i < count; i++) {
        good = take_float(&cells[i], data, end) || take_cell(&cells[i], data, end);
    }
    if (!good) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "a row in the journal is malformed");
    }
    row->cell_count = count;
    return EDGEOPS_OK;
}
