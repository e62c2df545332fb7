/* SPDX-License-Identifier: Apache-2.0 */
/* What an import declares of the channels of its assets: their order before the first row, and behind
 * the last one units and channels without a value. */
#include <string.h>

#include "node/files/import.h"

static const eop_table_column *given_column(const eop_import *w, const char *name) {
    for (size_t i = 0; i < w->args.options.column_count; i++) {
        if (strcmp(w->args.columns[i].name, name) == 0) {
            return &w->args.columns[i];
        }
    }
    return NULL;
}

static void warn_of_unit(eop_import *w, const char *asset, const edgeops_channel_info *stored,
                         const char *unit) {
    eop_json_append_format(
        w->warnings,
        "channel '%s' of '%s' is in '%s', the input says '%s': the unit stays as "
        "it is; see that the values fit it",
        stored->name, asset, stored->unit, unit);
}

/* Of one asset: of many the type of a column may differ. */
static void warn_of_type(eop_import *w, const char *asset, const edgeops_channel_info *stored,
                         const eop_table_column *column) {
    char holds[EOP_TYPE_TEXT], read[EOP_TYPE_TEXT];
    uint32_t length = column->length > 1 ? column->length : 1;
    if (w->asset_count > 1 || column->type == EDGEOPS_TYPE_NULL ||
        stored->type == EDGEOPS_TYPE_NULL || stored->type == EDGEOPS_TYPE_BLOB ||
        (stored->type == column->type && (stored->length > 1 ? stored->length : 1) == length)) {
        return;
    }
    eop_json_append_format(w->warnings,
                           "channel '%s' of '%s' is %s and stays so, whatever the input says (%s); "
                           "asset set --type changes it",
                           stored->name, asset, eop_type_text(holds, stored->type, stored->length),
                           eop_type_text(read, column->type, length));
}

/* A unit that was given is set; one that was found is, where there is none. */
static edgeops_status declare(eop_import *w, const char *asset, const eop_table_column *column) {
    const edgeops_channel_info *stored = eop_import_channel(w, asset, column->name);
    const eop_table_column *given = given_column(w, column->name);
    const char *unit = given != NULL && given->unit != NULL ? given->unit : column->unit;
    bool asked = given != NULL && (given->unit != NULL || given->type != EDGEOPS_TYPE_NULL);
    if (stored == NULL && !asked && w->asset_count > 1) {
        return EDGEOPS_OK; /* a channel of another of the assets */
    }
    if (stored != NULL) {
        warn_of_type(w, asset, stored, column);
    }
    if (stored != NULL && (unit == NULL || strcmp(unit, stored->unit) == 0)) {
        return EDGEOPS_OK;
    }
    if (stored != NULL && stored->unit[0] != '\0' && (given == NULL || given->unit == NULL)) {
        warn_of_unit(w, asset, stored, unit);
        return EDGEOPS_OK;
    }
    edgeops_channel_info info = {column->name, unit, column->type, column->length};
    if (stored != NULL) {
        info.type = stored->type;
        info.length = stored->length;
    }
    return w->dry_run || info.type == EDGEOPS_TYPE_NULL
               ? EDGEOPS_OK
               : edgeops_store_declare(w->call->node->store, asset, &info);
}

edgeops_status eop_import_order(eop_import *w, const eop_table_column *channels, size_t count) {
    edgeops_status status = EDGEOPS_OK;
    if (w->asset_count != 1 || w->args.options.column_pattern != NULL ||
        eop_import_info(w, w->assets[0]) != NULL) {
        return EDGEOPS_OK;
    }
    for (size_t c = 0; c < count && status == EDGEOPS_OK; c++) {
        status = declare(w, w->assets[0], &channels[c]);
    }
    return status;
}

edgeops_status eop_import_declare(eop_import *w, const eop_table_column *channels, size_t count) {
    const eop_table_options *o = &w->args.options;
    edgeops_status status = EDGEOPS_OK;
    if (w->asset_count == 0 && strchr(o->asset, '{') == NULL && o->column_pattern == NULL) {
        status = eop_import_asset(w, o->asset); /* no row, but perhaps channels */
    }
    for (size_t a = 0; a < w->asset_count; a++) {
        edgeops_free(w->info);
        w->info = NULL;
        for (size_t c = 0; c < count && status == EDGEOPS_OK; c++) {
            status = declare(w, w->assets[a], &channels[c]);
        }
    }
    return status;
}
