/* SPDX-License-Identifier: Apache-2.0 */
/* What the store has decided already of the assets that an import fills, which a reader asks first
 * and a dry run tries its rows on. Nothing is written here. */
#include <string.h>

#include "base/column_view.h"
#include "codec/value.h"
#include "node/files/import.h"

const edgeops_asset_info *eop_import_info(eop_import *w, const char *asset) {
    if (w->info == NULL || strcmp(w->info->name, asset) != 0) {
        edgeops_free(w->info);
        w->info = NULL;
        (void)!edgeops_asset_get(&w->info, w->call->node->store, asset);
    }
    return w->info;
}

const edgeops_channel_info *eop_import_channel(eop_import *w, const char *asset, const char *name) {
    return eop_info_channel(eop_import_info(w, asset), name);
}

bool eop_import_known(const char *asset, const char *channel, edgeops_type *type, uint32_t *length,
                      void *user_data) {
    const edgeops_channel_info *found = eop_import_channel(user_data, asset, channel);
    if (found != NULL) {
        *type = found->type;
        *length = found->length;
    }
    return found != NULL;
}

/* -- a dry run -- */

static bool fits(const edgeops_value *value, const edgeops_channel_info *channel) {
    uint32_t length = channel->length > 1 ? channel->length : 1;
    edgeops_value element = *value;
    if (value->type == EDGEOPS_TYPE_NULL || channel->type == EDGEOPS_TYPE_NULL) {
        return true;
    }
    if (!eop_value_is_array(value)) {
        return length == 1 &&
               (value->type == channel->type || eop_value_convert(&element, value, channel->type));
    }
    size_t width = eop_type_width(value->type);
    bool good = eop_value_length(value) == length;
    for (uint32_t i = 0; i < length && good; i++) {
        element = eop_value_load(value->type, (const char *)value->as.data + i * width);
        good = value->type == channel->type || eop_value_convert(&element, &element, channel->type);
    }
    return good;
}

/* Its asset is what w->info is of. */
static edgeops_status try_sample(const eop_import *w, const edgeops_sample *sample, uint64_t line) {
    const edgeops_asset_info *info = w->info;
    size_t next = 0; /* rows mostly have the order of the asset */
    for (size_t i = 0; info != NULL && i < sample->count; i++) {
        size_t k = 0;
        while (k < info->channel_count &&
               strcmp(info->channels[(next + k) % info->channel_count].name, sample->channels[i]) !=
                   0) {
            k++;
        }
        if (k == info->channel_count) {
            continue;
        }
        const edgeops_channel_info *c = &info->channels[(next + k) % info->channel_count];
        next = (size_t)(c - info->channels) + 1;
        if (!fits(&sample->values[i], c)) {
            char holds[EOP_TYPE_TEXT], given[EOP_TYPE_TEXT];
            return eop_fail(
                EDGEOPS_E_INVALID, "node",
                "%s:%llu: asset '%s', channel '%s' holds %s, and the value of type %s "
                "does not fit",
                w->args.options.what, (unsigned long long)line, info->name, c->name,
                eop_type_text(holds, c->type, c->length),
                eop_type_text(given, sample->values[i].type, eop_value_length(&sample->values[i])));
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_import_try(eop_import *w) {
    edgeops_status status = EDGEOPS_OK;
    const char *asset = NULL;
    for (size_t i = 0; i < w->sample_count && status == EDGEOPS_OK; i++) {
        if (asset == NULL || strcmp(asset, w->samples[i].asset) != 0) {
            asset = w->samples[i].asset;
            (void)!eop_import_info(w, asset);
        }
        status = try_sample(w, &w->samples[i], w->lines[i]);
    }
    return status;
}
