/* SPDX-License-Identifier: Apache-2.0 */
/* Views of the public structs: where the elements of an edgeops_column are and what a row holds, in
 * tables of the library and of hosts; channels by name. Owns nothing and allocates nothing. */
#include "base/column_view.h"

#include <string.h>

const void *eop_column_data(const edgeops_column *column) {
    return column->data != NULL                   ? column->data
           : column->type == EDGEOPS_TYPE_FLOAT64 ? (const void *)column->f64
           : column->type == EDGEOPS_TYPE_INT64   ? (const void *)column->i64
           : column->type == EDGEOPS_TYPE_BOOL    ? (const void *)column->u8
                                                  : NULL;
}

edgeops_value eop_column_load(const edgeops_column *column, uint64_t row) {
    if (column->valid != NULL && column->valid[row] == 0) {
        return (edgeops_value){.type = EDGEOPS_TYPE_NULL};
    }
    if (column->type == EDGEOPS_TYPE_STRING) {
        return (edgeops_value){.type = EDGEOPS_TYPE_STRING,
                               .size = column->offsets[row + 1] - column->offsets[row],
                               .as.str = column->bytes + column->offsets[row]};
    }
    size_t row_bytes = eop_type_width(column->type) * eop_column_length(column);
    const char *place = (const char *)eop_column_data(column) + row * row_bytes;
    if (column->type == EDGEOPS_TYPE_BLOB || column->length > 1) {
        return (edgeops_value){.type = column->type, .size = (uint32_t)row_bytes, .as.data = place};
    }
    return eop_value_load(column->type, place);
}

bool eop_type_widens(edgeops_type from, edgeops_type to) {
    size_t from_width = eop_type_width(from);
    size_t to_width = eop_type_width(to);
    if (from == to) {
        return true;
    }
    if (!eop_type_is_numeric(to) || !(eop_type_is_numeric(from) || from == EDGEOPS_TYPE_BOOL)) {
        return false;
    }
    if (to == EDGEOPS_TYPE_FLOAT64 || from == EDGEOPS_TYPE_BOOL) {
        return true;
    }
    if (to == EDGEOPS_TYPE_FLOAT32) {
        return eop_type_is_integer(from) && from_width <= 2;
    }
    if (!eop_type_is_integer(from)) {
        return false;
    }
    return eop_type_is_unsigned(from) == eop_type_is_unsigned(to)
               ? from_width <= to_width
               : eop_type_is_unsigned(from) && from_width < to_width;
}

edgeops_value eop_column_widen(const edgeops_column *column, uint64_t row, edgeops_type type) {
    edgeops_value none = {.type = EDGEOPS_TYPE_NULL};
    edgeops_value value = none;
    if (eop_type_widens(column->type, type) && (column->length <= 1 || column->type == type)) {
        value = eop_column_load(column, row);
    }
    if (value.type == type || value.type == EDGEOPS_TYPE_NULL) {
        return value;
    }
    if (type == EDGEOPS_TYPE_FLOAT64) {
        return (edgeops_value){.type = type, .as.f64 = eop_value_double(&value)};
    }
    if (value.type == EDGEOPS_TYPE_BOOL) {
        value.type = EDGEOPS_TYPE_INT64;
    }
    return eop_value_convert(&value, &value, type) ? value : none;
}

const edgeops_channel_info *eop_info_channel(const edgeops_asset_info *info, const char *name) {
    for (size_t i = 0; info != NULL && i < info->channel_count; i++) {
        if (strcmp(info->channels[i].name, name) == 0) {
            return &info->channels[i];
        }
    }
    return NULL;
}

edgeops_value eop_sample_value(uint16_t *quality, const edgeops_sample *sample,
                               const char *channel) {
    *quality = EDGEOPS_QUALITY_NONE;
    for (size_t i = 0; i < sample->count; i++) {
        if (strcmp(sample->channels[i], channel) == 0) {
            *quality = sample->qualities != NULL ? sample->qualities[i] : *quality;
            return sample->values[i];
        }
    }
    return (edgeops_value){.type = EDGEOPS_TYPE_NULL};
}
