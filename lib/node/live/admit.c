/* SPDX-License-Identifier: Apache-2.0 */
/* Which samples of a batch may go to the store. What a source has fed is known by its fed list; for
 * any other name the store is asked. An asset counts when it is there after the append: a name that
 * the store refuses costs nothing. */
#include "node/live/admit.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"

static bool exists(edgeops_store *store, const char *asset) {
    edgeops_asset_info *info = NULL;
    bool found = edgeops_asset_get(&info, store, asset) == EDGEOPS_OK;
    edgeops_free(info);
    return found;
}

/* Notes an asset that is to be made. */
static edgeops_status add_fresh(eop_admitted *a, const char *asset, uint64_t hash) {
    bool fresh = false;
    if (!eop_grow(&a->fresh, &a->fresh_capacity, a->fresh_count + 1, sizeof(*a->fresh)) ||
        !eop_map_note(&a->fresh_set, hash, &fresh)) {
        return eop_fail_nomem("node");
    }
    a->fresh[a->fresh_count++] = asset;
    return EDGEOPS_OK;
}

static edgeops_status judge(bool *admit, eop_admitted *a, eop_fed *fed, edgeops_store *store,
                            const char *asset, uint64_t max) {
    uint64_t hash = eop_fed_hash(asset);
    *admit = true;
    if (eop_fed_has(fed, hash) || eop_map_has(&a->fresh_set, hash) || exists(store, asset)) {
        return EDGEOPS_OK;
    }
    *admit = eop_fed_made(fed) + a->fresh_count < max;
    return *admit ? add_fresh(a, asset, hash) : EDGEOPS_OK;
}

/* From the first refused sample on the admitted ones are copied. */
static edgeops_status begin_copy(eop_admitted *a, const edgeops_sample *samples, size_t n) {
    a->copy = eop_calloc(n, sizeof(*a->copy));
    if (a->copy == NULL) {
        return eop_fail_nomem("node");
    }
    memcpy(a->copy, samples, a->count * sizeof(*a->copy));
    a->samples = a->copy;
    return EDGEOPS_OK;
}

static void dispose(eop_admitted *a) {
    eop_free(a->copy);
    eop_free(a->fresh);
    eop_map_dispose(&a->fresh_set);
}

edgeops_status eop_admit(eop_admitted *out, eop_fed *fed, edgeops_store *store,
                         eop_derived *derived, const edgeops_sample *samples, size_t n,
                         uint64_t max) {
    edgeops_status status = EDGEOPS_OK;
    bool admit = true;
    *out = (eop_admitted){.samples = samples};
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        if (i == 0 || strcmp(samples[i].asset, samples[i - 1].asset) != 0) {
            if (eop_derived_has(derived, samples[i].asset)) {
                out->derived = samples[i].asset;
                admit = false;
            } else {
                status = judge(&admit, out, fed, store, samples[i].asset, max);
            }
        }
        if (status == EDGEOPS_OK && !admit && out->refused++ == 0) {
            status = begin_copy(out, samples, n);
        } else if (status == EDGEOPS_OK && admit) {
            if (out->copy != NULL) {
                out->copy[out->count] = samples[i];
            }
            out->count++;
        }
    }
    if (status != EDGEOPS_OK) {
        dispose(out);
    }
    return status;
}

void eop_admit_end(eop_admitted *a, eop_fed *fed, edgeops_store *store) {
    for (size_t i = 0; i < a->fresh_count; i++) {
        if (exists(store, a->fresh[i])) {
            eop_fed_count_made(fed);
        } else {
            eop_fed_drop(fed, eop_fed_hash(a->fresh[i]));
        }
    }
    dispose(a);
}
