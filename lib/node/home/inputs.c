/* SPDX-License-Identifier: Apache-2.0 */
/* Compares the channels of an asset with the inputs of a model, and reads what these had before.
 * Walks the assets of the store, so that those who ask often should space their looks. */
#include "node/home/inputs.h"

#include <string.h>

#include "base/column_view.h"

#define NAMED_MAX 16u

typedef struct look {
    const edgeops_manifest *manifest;
    const char *asset;
    bool has_samples;
    size_t missing_count;
    eop_buf missing; /**< names in quotes */
    edgeops_status status;
} look;

static void put_missing(look *l, const char *name) {
    if (l->missing_count++ < NAMED_MAX) {
        eop_buf_printf(&l->missing, "%s'%s'", l->missing_count > 1 ? ", " : "", name);
    } else if (l->missing_count == NAMED_MAX + 1) {
        eop_buf_puts(&l->missing, ", ...");
    }
}

static edgeops_status look_at(look *l, const edgeops_asset_info *info) {
    l->has_samples = info->last_ordinal > 0 && info->rows > 0;
    for (size_t i = 0; i < l->manifest->input_count; i++) {
        const edgeops_port *input = &l->manifest->inputs[i];
        const edgeops_channel_info *channel = eop_info_channel(info, input->name);
        if (channel == NULL) {
            put_missing(l, input->name);
        } else if (!eop_type_widens(channel->type, input->type) ||
                   channel->length != input->length) {
            char has[EOP_TYPE_TEXT];
            char wants[EOP_TYPE_TEXT];
            return eop_fail(EDGEOPS_E_INVALID, "node",
                            "asset '%s': channel '%s' is %s, workflow '%s' takes it as %s",
                            l->asset, input->name,
                            eop_type_text(has, channel->type, channel->length), l->manifest->name,
                            eop_type_text(wants, input->type, input->length));
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status walk(look *l, edgeops_store *store) {
    edgeops_asset_info *info = NULL;
    edgeops_status status = edgeops_asset_get(&info, store, l->asset);
    if (status == EDGEOPS_E_NOTFOUND) {
        return EDGEOPS_OK; /* it may come yet */
    }
    if (status == EDGEOPS_OK) {
        status = look_at(l, info);
    }
    edgeops_free(info);
    if (status == EDGEOPS_OK && l->missing.failed) {
        status = eop_fail_nomem("node");
    }
    return status;
}

edgeops_status eop_inputs_look(char **missing, edgeops_store *store, const edgeops_manifest *m,
                               const char *asset) {
    look l = {.manifest = m, .asset = asset};
    char *text = NULL;
    edgeops_status status = walk(&l, store);
    bool complete = l.has_samples && l.missing_count == 0;
    if (status == EDGEOPS_OK && !complete) {
        text = !l.has_samples ? eop_format("asset '%s' has no samples yet", asset)
                              : eop_format("channel%s %s of asset '%s' %s not come yet",
                                           l.missing_count > 1 ? "s" : "", l.missing.data, asset,
                                           l.missing_count > 1 ? "have" : "has");
        status = text != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    }
    eop_buf_dispose(&l.missing);
    if (status == EDGEOPS_OK) {
        *missing = text;
    }
    return status;
}

edgeops_status eop_inputs_require(edgeops_store *store, const edgeops_manifest *m,
                                  const char *asset) {
    look l = {.manifest = m, .asset = asset};
    edgeops_status status = walk(&l, store);
    if (status == EDGEOPS_OK && l.has_samples && l.missing_count > 0) {
        status = eop_fail(EDGEOPS_E_INVALID, "node",
                          "asset '%s' has no channel %s, which workflow '%s' takes as input", asset,
                          l.missing.data, m->name);
    }
    eop_buf_dispose(&l.missing);
    return status;
}

/* The newest value of one input; none where the channel is not there yet. */
static edgeops_status learn_input(eop_window_cutter *cutter, edgeops_store *store,
                                  edgeops_query *query, edgeops_value *values,
                                  const edgeops_manifest *m, size_t i) {
    const edgeops_condition there = {.channel = m->inputs[i].name,
                                     .compare = EDGEOPS_COMPARE_NOT_NULL};
    edgeops_table *table = NULL;
    query->channels = &m->inputs[i].name;
    query->channel_count = 1;
    query->conditions = &there;
    query->condition_count = 1;
    edgeops_status status = edgeops_store_read(&table, store, query);
    if (status == EDGEOPS_E_NOTFOUND) {
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK && table->rows > 0) {
        bool any = query->end == EDGEOPS_TIME_MAX;
        values[i] = eop_column_widen(&table->columns[0], 0, m->inputs[i].type);
        if (eop_column_length(&table->columns[0]) != m->inputs[i].length) {
            values[i].type = EDGEOPS_TYPE_NULL;
        }
        status = eop_window_learn(cutter, values, any ? EDGEOPS_TIME_MIN : table->times[0],
                                  any ? INT64_MIN : table->seqs[0]);
        values[i] = (edgeops_value){.type = EDGEOPS_TYPE_NULL};
    }
    edgeops_table_free(table);
    return status;
}

edgeops_status eop_inputs_before(eop_window_cutter *cutter, edgeops_store *store,
                                 const edgeops_manifest *m, const char *asset, uint64_t max_ordinal,
                                 edgeops_time newest) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    query.asset = asset;
    query.max_ordinal = max_ordinal;
    query.end = newest < EDGEOPS_TIME_MAX ? newest + 1 : EDGEOPS_TIME_MAX;
    query.last = 1;
    edgeops_value *values = eop_calloc(m->input_count, sizeof(*values));
    edgeops_status status = values != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    for (size_t i = 0; status == EDGEOPS_OK && max_ordinal > 0 && i < m->input_count; i++) {
        status = learn_input(cutter, store, &query, values, m, i);
    }
    eop_free(values);
    return status;
}

edgeops_status eop_asset_last_ordinal(uint64_t *out, edgeops_store *store, const char *asset) {
    edgeops_asset_info *info = NULL;
    edgeops_status status = edgeops_asset_get(&info, store, asset);
    if (status == EDGEOPS_OK || status == EDGEOPS_E_NOTFOUND) {
        *out = info != NULL ? info->last_ordinal : 0;
        status = EDGEOPS_OK;
    }
    edgeops_free(info);
    return status;
}
