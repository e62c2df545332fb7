/* SPDX-License-Identifier: Apache-2.0 */
/* Checks incoming values and converts them to the types of their channels. Checking needs no lock;
 * converting runs under the store's. */
#include "store/convert.h"

#include <string.h>

#include "base/error.h"
#include "store/append.h"
#include "store/internal.h"

#define STRING_MAX 65536u

/* -- checking -- */

edgeops_status eop_check_text(const char *asset, const char *channel, const edgeops_value *value) {
    const char *text = value->as.str;
    if (value->size > STRING_MAX || (text == NULL && value->size > 0)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s', channel '%s': a text has at most %u bytes, not %u", asset,
                        channel, STRING_MAX, value->size);
    }
    if (value->size > 0 && (memchr(text, 0, value->size) != NULL ||
                            eop_utf8_valid(text, value->size) != value->size)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s', channel '%s': a text is not UTF-8, or has a NUL", asset,
                        channel);
    }
    return EDGEOPS_OK;
}

static edgeops_status check_array(const char *asset, const char *channel,
                                  const edgeops_value *value) {
    size_t width = eop_type_width(value->type);
    if (value->as.data == NULL || value->size % width != 0 ||
        value->size / width > EDGEOPS_LENGTH_MAX) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s', channel '%s': an array has 2 to %u whole elements, not %u "
                        "bytes of %s",
                        asset, channel, EDGEOPS_LENGTH_MAX, value->size,
                        eop_type_name(value->type));
    }
    return EDGEOPS_OK;
}

static edgeops_status check_value(const char *asset, const char *channel,
                                  const edgeops_value *value) {
    if (EOP_LIKELY(value->type == EDGEOPS_TYPE_FLOAT64 && value->size == 0)) {
        return EDGEOPS_OK;
    }
    if (value->type == EDGEOPS_TYPE_STRING) {
        return eop_check_text(asset, channel, value);
    }
    if (eop_value_is_array(value)) {
        return check_array(asset, channel, value);
    }
    if (value->type == EDGEOPS_TYPE_BLOB) {
        return value->size <= EDGEOPS_BLOB_MAX && (value->size == 0 || value->as.data != NULL)
                   ? EDGEOPS_OK
                   : eop_fail(EDGEOPS_E_INVALID, "store",
                              "asset '%s', channel '%s': a blob has at most 64 MiB, not %u bytes",
                              asset, channel, value->size);
    }
    if (value->type == EDGEOPS_TYPE_BOOL && (value->as.i64 & ~INT64_C(1)) != 0) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "asset '%s', channel '%s': a bool is 0 or 1",
                        asset, channel);
    }
    if (value->type != EDGEOPS_TYPE_NULL && !eop_type_known((int64_t)value->type)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s', channel '%s': a value has no known type", asset, channel);
    }
    if (!eop_value_in_range(value)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s', channel '%s': a value is out of the range of %s", asset,
                        channel, eop_type_name(value->type));
    }
    return EDGEOPS_OK;
}

edgeops_status eop_sample_check(size_t *bound, bool *has_blobs, const edgeops_sample *sample) {
    if (sample->asset == NULL ||
        (sample->count > 0 && (sample->channels == NULL || sample->values == NULL))) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a sample has no asset, channels or values");
    }
    if (sample->count < 1 || sample->count > EOP_CHANNELS_MAX) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s': a sample has 1 to %u channels, not %zu", sample->asset,
                        EOP_CHANNELS_MAX, sample->count);
    }
    *bound += EOP_FRAME_ROW_MAX;
    if (sample->qualities != NULL) {
        *bound += sample->count * EOP_FRAME_QUALITY;
    }
    for (size_t i = 0; i < sample->count; i++) {
        const edgeops_value *value = &sample->values[i];
        if (sample->channels[i] == NULL) {
            return eop_fail(EDGEOPS_E_INVALID, "store", "asset '%s': a channel has no name",
                            sample->asset);
        }
        edgeops_status status = check_value(sample->asset, sample->channels[i], value);
        if (status != EDGEOPS_OK) {
            return status;
        }
        *has_blobs = *has_blobs || value->type == EDGEOPS_TYPE_BLOB;
        *bound += eop_frame_cell_bound(value);
    }
    if (*bound > EOP_FRAME_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "one append takes at most 1 GiB; split the samples");
    }
    return EDGEOPS_OK;
}

/* -- converting -- */

static edgeops_status no_fit(const edgeops_value *value, const eop_asset *asset,
                             const eop_channel *channel) {
    char holds[EOP_TYPE_TEXT];
    char given[EOP_TYPE_TEXT];
    char text[EOP_VALUE_TEXT];
    eop_type_text(holds, channel->type, channel->length);
    if (channel->length == 1 && value->size == 0 && eop_type_is_numeric(value->type) &&
        eop_type_is_numeric(channel->type)) {
        eop_value_format(text, value);
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s', channel '%s': %s does not fit %s exactly", asset->name,
                        channel->name, text, holds);
    }
    return eop_fail(EDGEOPS_E_INVALID, "store", "asset '%s', channel '%s' holds %s, not %s",
                    asset->name, channel->name, holds,
                    eop_type_text(given, value->type, eop_value_length(value)));
}

/* Converts the elements of an array to its channel's type, at the end of converter->arrays. */
static edgeops_status convert_array(edgeops_value *out, eop_converter *converter,
                                    const edgeops_value *value, const eop_asset *asset,
                                    const eop_channel *channel) {
    size_t from = eop_type_width(value->type);
    size_t to = eop_type_width(channel->type);
    if (eop_value_length(value) != channel->length) {
        return no_fit(value, asset, channel);
    }
    char *at = eop_buf_reserve(&converter->arrays, channel->length * to);
    if (at == NULL) {
        eop_buf_dispose(&converter->arrays);
        return eop_fail_nomem("store");
    }
    for (uint32_t i = 0; i < channel->length; i++) {
        edgeops_value element =
            eop_value_load(value->type, (const char *)value->as.data + i * from);
        if (!eop_value_convert(&element, &element, channel->type)) {
            char text[EOP_VALUE_TEXT];
            eop_value_format(text, &element);
            return eop_fail(EDGEOPS_E_INVALID, "store",
                            "asset '%s', channel '%s': %s, element %u, does not fit %s exactly",
                            asset->name, channel->name, text, i, eop_type_name(channel->type));
        }
        eop_value_save(at + i * to, &element);
    }
    /* The pointer is set later, by eop_convert_place(): the buffer still grows. */
    *out = (edgeops_value){.type = channel->type, .size = (uint32_t)(channel->length * to)};
    converter->arrays.size += out->size;
    return EDGEOPS_OK;
}

edgeops_status eop_convert(edgeops_value *out, eop_converter *converter, const edgeops_value *value,
                           const eop_asset *asset, const eop_channel *channel) {
    *out = *value;
    if (EOP_UNLIKELY(value->type == EDGEOPS_TYPE_BLOB)) {
        out->size = sizeof *converter->blobs;
        out->as.data = converter->blobs++;
    }
    if (EOP_LIKELY(eop_channel_holds(channel, value)) || value->type == EDGEOPS_TYPE_NULL) {
        if (EOP_UNLIKELY(channel->length == 1 && eop_value_is_array(value))) {
            *out = eop_value_load(value->type, value->as.data);
        }
        return EDGEOPS_OK;
    }
    if (eop_value_is_array(value) && channel->length > 1) {
        return convert_array(out, converter, value, asset, channel);
    }
    edgeops_value scalar = *value;
    if (eop_value_is_array(value) && eop_value_length(value) == 1) {
        scalar = eop_value_load(value->type, value->as.data);
    }
    return channel->length == 1 && eop_value_length(&scalar) == 1 &&
                   eop_value_convert(out, &scalar, channel->type)
               ? EDGEOPS_OK
               : no_fit(value, asset, channel);
}

void eop_convert_place(eop_converter *converter, eop_cell *cells, size_t n) {
    const char *at = converter->arrays.data;
    for (size_t i = 0; i < n; i++) {
        edgeops_value *value = &cells[i].value;
        if (eop_value_is_array(value) && value->as.data == NULL) {
            value->as.data = at;
            at += value->size;
        }
    }
}
