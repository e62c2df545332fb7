/* SPDX-License-Identifier: Apache-2.0 */
/* The accessors that the room of datasets uses instead of the store's members. */
#include "store/inner.h"

#include "base/error.h"
#include "store/internal.h"

eop_catalog *eop_store_catalog(edgeops_store *store) {
    return store != NULL ? &store->catalog : NULL;
}

eop_asset_list *eop_store_lock_assets(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    return &store->assets;
}

uint64_t eop_store_newest(const eop_asset *asset) {
    const eop_series *series = (const eop_series *)asset;
    return series->all.rows > 0 ? series->all.ordinal : 0;
}

void eop_store_unlock_assets(edgeops_store *store) {
    pthread_mutex_unlock(&store->lock);
}

uint64_t eop_store_parts(edgeops_store *store, const char *asset) {
    pthread_mutex_lock(&store->lock);
    const eop_series *series = eop_series_find(&store->assets, asset);
    uint64_t parts = series != NULL ? series->all.parts : 0;
    pthread_mutex_unlock(&store->lock);
    return parts;
}

void eop_store_hold_rows(edgeops_store *store) {
    pthread_rwlock_rdlock(&store->hold);
}

void eop_store_release_rows(edgeops_store *store) {
    pthread_rwlock_unlock(&store->hold);
}

edgeops_status eop_store_columns(eop_rows *rows, edgeops_store *store, uint32_t asset,
                                 uint32_t limit) {
    pthread_mutex_lock(&store->lock);
    const eop_asset *found = eop_asset_list_by_id(&store->assets, asset);
    edgeops_status status = found != NULL
                                ? eop_asset_columns(rows, found, limit)
                                : eop_fail(EDGEOPS_E_NOTFOUND, "store", "the asset was removed");
    pthread_mutex_unlock(&store->lock);
    return status;
}
