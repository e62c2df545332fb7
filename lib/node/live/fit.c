/* SPDX-License-Identifier: Apache-2.0 */
/* What an asset has decided on its channels is asked before its samples are refused for good. */
#include "node/live/fit.h"

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/rules.h"

/* True: a text was read as what its channel holds. */
static bool fit_value(edgeops_value *value, const edgeops_asset_info *info, const char *channel) {
    const edgeops_channel_info *known =
        value->type == EDGEOPS_TYPE_STRING ? eop_info_channel(info, channel) : NULL;
    return known != NULL && known->length <= 1 &&
           (eop_type_is_numeric(known->type) || known->type == EDGEOPS_TYPE_BOOL) &&
           eop_rules_value(NULL, value, known->type, value->as.str, value->size);
}

static edgeops_status fit_sample(edgeops_sample *sample, edgeops_value *values, bool *changed,
                                 edgeops_store *store) {
    edgeops_asset_info *info = NULL;
    edgeops_status status = edgeops_asset_get(&info, store, sample->asset);
    if (status != EDGEOPS_OK) {
        return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
    }
    for (size_t i = 0; i < sample->count; i++) {
        values[i] = sample->values[i];
        *changed |= fit_value(&values[i], info, sample->channels[i]);
    }
    sample->values = values;
    edgeops_free(info);
    return EDGEOPS_OK;
}

edgeops_status eop_fit(eop_fitted *out, edgeops_store *store, const edgeops_sample *samples,
                       size_t n) {
    size_t count = 0;
    bool changed = false;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < n; i++) {
        count += samples[i].count;
    }
    out->samples = eop_calloc(n, sizeof(*out->samples));
    out->values = eop_calloc(count, sizeof(*out->values));
    if (out->samples == NULL || out->values == NULL) {
        status = eop_fail_nomem("node");
    }
    count = 0;
    for (size_t i = 0; i < n && status == EDGEOPS_OK; i++) {
        out->samples[i] = samples[i];
        status = fit_sample(&out->samples[i], out->values + count, &changed, store);
        count += samples[i].count;
    }
    if (status != EDGEOPS_OK || !changed) {
        eop_fitted_dispose(out);
    }
    return status;
}

void eop_fitted_dispose(eop_fitted *fitted) {
    eop_free(fitted->samples);
    eop_free(fitted->values);
    *fitted = (eop_fitted){NULL, NULL};
}
