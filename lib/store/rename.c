/* SPDX-License-Identifier: Apache-2.0 */
/* Renames assets and channels. Only the catalog and the list of assets hold names; everything else
 * uses numbers. Under `lock`, with one transaction of the catalog. */

#include <sqlite3.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/append.h"
#include "store/birth.h"
#include "store/internal.h"
#include "store/queue.h"

/* Ordinals must continue behind those of any earlier asset of the new name. Rows that are in the
 * journal only would then be taken for older ones in a replay. */
static edgeops_status raise_ordinal(eop_series *series, uint64_t ordinal) {
    if (ordinal <= series->all.ordinal) {
        return EDGEOPS_OK;
    }
    if (series->blocks != NULL) {
        return EDGEOPS_E_AGAIN;
    }
    series->all.ordinal = ordinal;
    series->stored.ordinal = ordinal;
    return EDGEOPS_OK;
}

static edgeops_status save_asset(eop_catalog *catalog, const eop_series *series, const char *name) {
    sqlite3_stmt *statement = NULL;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&statement, catalog, EOP_ASSET_RETIRE);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(statement, 1, series->asset.name);
        eop_sql_bind_int(statement, 2, (int64_t)series->all.ordinal);
        status = eop_sql_run(&catalog->sql, statement);
    }
    if (status == EDGEOPS_OK) {
        status = eop_catalog_get(&statement, catalog, EOP_ASSET_RENAME);
    }
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(statement, 1, series->asset.id);
        eop_sql_bind_text(statement, 2, name);
        eop_sql_bind_int(statement, 3, (int64_t)series->stored.ordinal);
        status = eop_sql_run(&catalog->sql, statement);
    }
    return eop_catalog_end(catalog, status);
}

/* Under `lock`. E_AGAIN: its rows must be moved into chunks first. */
static edgeops_status rename_asset(edgeops_store *store, const char *from, const char *to) {
    uint64_t ordinal = 0;
    eop_asset_list *list = &store->assets;
    eop_series *series = eop_series_find(list, from);
    if (series == NULL) {
        return eop_fail_no_asset(from);
    }
    if (eop_asset_list_find(list, to) != NULL) {
        return eop_fail(EDGEOPS_E_EXISTS, "store", "there is an asset '%s' already", to);
    }
    char *name = eop_strdup(to);
    if (name == NULL || !eop_map_reserve(&list->by_name)) {
        eop_free(name);
        return eop_fail_nomem("store");
    }
    eop_extent all = series->all;
    eop_extent stored = series->stored;
    edgeops_status status = eop_catalog_retired(&ordinal, &store->catalog, to);
    if (status == EDGEOPS_OK) {
        status = raise_ordinal(series, ordinal);
    }
    if (status == EDGEOPS_OK) {
        status = save_asset(&store->catalog, series, to);
    }
    if (status != EDGEOPS_OK) {
        series->all = all;
        series->stored = stored;
        eop_free(name);
        return status;
    }
    eop_names_remove(&list->by_name, series, series->asset.hash);
    eop_free(series->asset.name);
    series->asset.name = name;
    series->asset.hash = eop_names_hash(name);
    eop_names_add(&list->by_name, series, series->asset.hash);
    /* Cursors that follow the old name no longer follow this asset. */
    list->epoch++;
    return EDGEOPS_OK;
}

edgeops_status edgeops_asset_rename(edgeops_store *store, const char *from, const char *to) {
    EOP_REQUIRE(store != NULL && from != NULL && to != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_status status = eop_check_asset_name(to);
    for (int tries = 0; status == EDGEOPS_OK && tries < 4; tries++) {
        pthread_mutex_lock(&store->lock);
        status = rename_asset(store, from, to);
        pthread_mutex_unlock(&store->lock);
        if (status != EDGEOPS_E_AGAIN) {
            break;
        }
        status = eop_store_flush(store);
        if (status == EDGEOPS_OK && tries == 3) {
            status = eop_fail(EDGEOPS_E_BUSY, "store",
                              "samples of asset '%s' keep coming: stop its source first", from);
        }
    }
    if (status == EDGEOPS_OK) {
        eop_writer_sync_names(store);
    }
    return status;
}

static edgeops_status save_channel(eop_catalog *catalog, const eop_asset *asset,
                                   const eop_channel *channel, const char *name) {
    sqlite3_stmt *statement = NULL;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&statement, catalog, EOP_CHANNEL_RENAME);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(statement, 1, asset->id);
        eop_sql_bind_int(statement, 2, channel->position);
        eop_sql_bind_text(statement, 3, name);
        status = eop_sql_run(&catalog->sql, statement);
    }
    return eop_catalog_end(catalog, status);
}

static edgeops_status rename_channel(edgeops_store *store, const char *asset_name, const char *from,
                                     const char *to) {
    eop_asset *asset = eop_asset_list_find(&store->assets, asset_name);
    if (asset == NULL) {
        return eop_fail_no_asset(asset_name);
    }
    eop_channel *channel = eop_asset_channel(asset, from);
    if (channel == NULL) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "store", "asset '%s' has no channel '%s'", asset_name,
                        from);
    }
    if (eop_asset_channel(asset, to) != NULL) {
        return eop_fail(EDGEOPS_E_EXISTS, "store", "asset '%s' has a channel '%s' already",
                        asset_name, to);
    }
    char *name = eop_strdup(to);
    if (name == NULL || !eop_map_reserve(&asset->by_name)) {
        eop_free(name);
        return eop_fail_nomem("store");
    }
    edgeops_status status = save_channel(&store->catalog, asset, channel, to);
    if (status != EDGEOPS_OK) {
        eop_free(name);
        return status;
    }
    eop_names_remove(&asset->by_name, channel, channel->hash);
    eop_free(channel->name);
    channel->name = name;
    channel->hash = eop_names_hash(name);
    eop_names_add(&asset->by_name, channel, channel->hash);
    asset->version++;
    return EDGEOPS_OK;
}

edgeops_status edgeops_channel_rename(edgeops_store *store, const char *asset, const char *from,
                                      const char *to) {
    EOP_REQUIRE(store != NULL && asset != NULL && from != NULL && to != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_status status = eop_check_channel_name(asset, to);
    if (status != EDGEOPS_OK) {
        return status;
    }
    pthread_mutex_lock(&store->lock);
    status = rename_channel(store, asset, from, to);
    pthread_mutex_unlock(&store->lock);
    if (status == EDGEOPS_OK) {
        eop_writer_sync_names(store);
    }
    return status;
}
