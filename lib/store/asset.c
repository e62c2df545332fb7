/* SPDX-License-Identifier: Apache-2.0 */
/* Declares, lists and removes assets, and sets the units of their channels. A removed asset leaves
 * the memtable at once; the writer drops its chunks later. */
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "store/append.h"
#include "store/birth.h"
#include "store/internal.h"
#include "store/queue.h"
#include "store/room.h"

/* -- declaring -- */

static edgeops_status commit_declared(edgeops_store *store, const eop_asset *asset, bool made,
                                      uint32_t channels_before) {
    edgeops_status status = eop_catalog_begin(&store->catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (made) {
        status = eop_catalog_add_asset(&store->catalog, asset);
    }
    if (status == EDGEOPS_OK) {
        status = eop_catalog_add_channels(&store->catalog, asset, channels_before);
    }
    return eop_catalog_end(&store->catalog, status);
}

static edgeops_status make_channel(edgeops_store *store, const char *asset_name,
                                   const edgeops_channel_info *channel) {
    eop_series *series = eop_series_find(&store->assets, asset_name);
    bool made = series == NULL;
    edgeops_status status = EDGEOPS_OK;
    if (made) {
        status = eop_store_make_asset(&series, store, asset_name);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    uint32_t before = series->asset.channel_count;
    status = eop_asset_add_channel(&series->asset, channel->name, channel->type, channel->length,
                                   channel->unit);
    if (status == EDGEOPS_OK) {
        status = commit_declared(store, &series->asset, made, before);
    }
    if (status == EDGEOPS_OK) {
        eop_writer_sync_names(store);
    } else {
        eop_series_drop_channels(series, before);
        if (made) {
            eop_asset_list_remove(&store->assets, &series->asset);
        }
    }
    return status;
}

static edgeops_status set_unit(edgeops_store *store, eop_asset *asset, eop_channel *channel,
                               const char *unit) {
    sqlite3_stmt *update = NULL;
    if (strcmp(channel->unit, unit) == 0) {
        return EDGEOPS_OK;
    }
    char *copy = eop_strdup(unit);
    if (copy == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_catalog_begin(&store->catalog);
    if (status == EDGEOPS_OK) {
        status = eop_catalog_get(&update, &store->catalog, EOP_CHANNEL_UNIT);
        if (status == EDGEOPS_OK) {
            eop_sql_bind_int(update, 1, asset->id);
            eop_sql_bind_int(update, 2, channel->position);
            eop_sql_bind_text(update, 3, unit);
            status = eop_sql_run(&store->catalog.sql, update);
        }
        status = eop_catalog_end(&store->catalog, status);
    }
    if (status != EDGEOPS_OK) {
        eop_free(copy);
        return status;
    }
    eop_free(channel->unit);
    channel->unit = copy;
    asset->version++;
    return EDGEOPS_OK;
}

static edgeops_status check_channel(const char *asset, const edgeops_channel_info *channel) {
    size_t size = strlen(channel->unit);
    if (!eop_type_known((int64_t)channel->type)) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "asset '%s', channel '%s': no such type", asset,
                        channel->name);
    }
    if (!eop_type_has_length(channel->type, channel->length)) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s', channel '%s': no arrays of %u %s; 1 to %u elements of a "
                        "numeric type",
                        asset, channel->name, channel->length, eop_type_name(channel->type),
                        EDGEOPS_LENGTH_MAX);
    }
    if (size > 64 || eop_utf8_valid(channel->unit, size) != size) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s', channel '%s': a unit has at most 64 bytes of UTF-8", asset,
                        channel->name);
    }
    edgeops_status status = eop_check_asset_name(asset);
    return status == EDGEOPS_OK ? eop_check_channel_name(asset, channel->name) : status;
}

edgeops_status edgeops_store_declare(edgeops_store *store, const char *asset,
                                     const edgeops_channel_info *channel) {
    EOP_REQUIRE(store != NULL && asset != NULL && channel != NULL && channel->name != NULL,
                "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_channel_info wanted = *channel;
    wanted.unit = wanted.unit != NULL ? wanted.unit : "";
    wanted.length = wanted.length > 0 ? wanted.length : 1;
    char has[EOP_TYPE_TEXT];
    char asked[EOP_TYPE_TEXT];
    edgeops_status status = check_channel(asset, &wanted);
    if (status != EDGEOPS_OK) {
        return status;
    }
    pthread_mutex_lock(&store->lock);
    eop_asset *known = eop_asset_list_find(&store->assets, asset);
    eop_channel *found = known != NULL ? eop_asset_channel(known, wanted.name) : NULL;
    if (found == NULL) {
        status = make_channel(store, asset, &wanted);
    } else if (found->type != wanted.type || found->length != wanted.length) {
        status = eop_fail(EDGEOPS_E_INVALID, "store",
                          "asset '%s': channel '%s' holds %s, it cannot become %s", asset,
                          wanted.name, eop_type_text(has, found->type, found->length),
                          eop_type_text(asked, wanted.type, wanted.length));
    } else {
        status = set_unit(store, known, found, wanted.unit);
    }
    pthread_mutex_unlock(&store->lock);
    return status;
}

/* -- walking -- */

static const char *keep_text(char **at, const char *text) {
    const char *copy = *at;
    size_t size = strlen(text) + 1;
    memcpy(*at, text, size);
    *at += size;
    return copy;
}

/* Copies an asset into one block, so that no lock is held while the host reads it. */
static edgeops_status copy_asset(edgeops_asset_info **out, const eop_series *series) {
    size_t bytes = sizeof **out + strlen(series->asset.name) + 1;
    uint32_t place = 0;
    const eop_channel *channel = NULL;
    while ((channel = eop_asset_next_channel(&series->asset, &place)) != NULL) {
        bytes += sizeof(edgeops_channel_info) + strlen(channel->name) + strlen(channel->unit) + 2;
    }
    edgeops_asset_info *info = eop_calloc(1, bytes);
    if (info == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_channel_info *channels = (edgeops_channel_info *)(info + 1);
    char *at = (char *)(channels + eop_asset_shown(&series->asset));
    *info = (edgeops_asset_info){.name = keep_text(&at, series->asset.name),
                                 .rows = series->all.rows,
                                 .last_ordinal = series->all.ordinal,
                                 .first = series->all.rows > 0 ? series->all.first : 0,
                                 .last = series->all.rows > 0 ? series->all.last : 0,
                                 .dropped = series->dropped,
                                 .dropped_until = series->dropped > 0 ? series->until : 0,
                                 .parts = series->all.parts,
                                 .channel_count = eop_asset_shown(&series->asset),
                                 .channels = channels};
    place = 0;
    for (; (channel = eop_asset_next_channel(&series->asset, &place)) != NULL; channels++) {
        channels->name = keep_text(&at, channel->name);
        channels->unit = keep_text(&at, channel->unit);
        channels->type = channel->type;
        channels->length = channel->length;
    }
    *out = info;
    return EDGEOPS_OK;
}

edgeops_status edgeops_asset_get(edgeops_asset_info **out, edgeops_store *store, const char *name) {
    EOP_REQUIRE(out != NULL, "store");
    *out = NULL;
    EOP_REQUIRE(store != NULL && name != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    pthread_mutex_lock(&store->lock);
    const eop_series *series = eop_series_find(&store->assets, name);
    edgeops_status status =
        series != NULL ? copy_asset(out, series)
                       : eop_fail(EDGEOPS_E_NOTFOUND, "store", "asset '%s' does not exist", name);
    pthread_mutex_unlock(&store->lock);
    return status;
}

static void free_infos(edgeops_asset_info **infos, size_t count) {
    for (size_t i = 0; i < count; i++) {
        eop_free(infos[i]);
    }
    eop_free(infos);
}

static int by_name(const void *a, const void *b) {
    return strcmp((*(edgeops_asset_info *const *)a)->name, (*(edgeops_asset_info *const *)b)->name);
}

edgeops_status edgeops_asset_list(edgeops_store *store, const char *pattern, edgeops_asset_fn fn,
                                  void *user_data) {
    EOP_REQUIRE(store != NULL && fn != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    size_t count = 0;
    edgeops_status status = EDGEOPS_OK;
    pthread_mutex_lock(&store->lock);
    edgeops_asset_info **infos = eop_calloc(store->assets.count, sizeof *infos);
    if (infos == NULL) {
        status = eop_fail_nomem("store");
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < store->assets.count; i++) {
        const eop_series *series = eop_series_at(&store->assets, i);
        if (pattern == NULL || eop_glob(pattern, series->asset.name)) {
            status = copy_asset(&infos[count], series);
            count += status == EDGEOPS_OK;
        }
    }
    pthread_mutex_unlock(&store->lock);
    if (status == EDGEOPS_OK && count > 1) {
        qsort(infos, count, sizeof *infos, by_name);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        status = fn(infos[i], user_data);
    }
    free_infos(infos, count);
    return status;
}

/* -- removing -- */

static edgeops_status check_not_held(eop_catalog *catalog, const eop_asset *asset) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_DATASET_HOLDS);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, asset->id);
    status = eop_sql_next(&catalog->sql, select);
    if (status == EDGEOPS_OK) {
        status = eop_fail(EDGEOPS_E_BUSY, "store",
                          "dataset '%s' holds asset '%s': remove the dataset first",
                          eop_sql_text(select, 0), asset->name);
        sqlite3_reset(select);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status remove_from_catalog(eop_catalog *catalog, const eop_series *series) {
    sqlite3_stmt *statement = NULL;
    /* SAFE: its chunks on the disk are dropped next. */
    edgeops_status status = eop_catalog_begin_as(catalog, EOP_COMMIT_SAFE);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = check_not_held(catalog, &series->asset);
    if (status == EDGEOPS_OK) {
        status = eop_catalog_get(&statement, catalog, EOP_ASSET_RETIRE);
    }
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(statement, 1, series->asset.name);
        eop_sql_bind_int(statement, 2, (int64_t)series->all.ordinal);
        status = eop_sql_run(&catalog->sql, statement);
    }
    if (status == EDGEOPS_OK) {
        status = eop_catalog_get(&statement, catalog, EOP_ASSET_REMOVE);
    }
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(statement, 1, series->asset.id);
        status = eop_sql_run(&catalog->sql, statement);
    }
    return eop_catalog_end(catalog, status);
}

edgeops_status edgeops_asset_remove(edgeops_store *store, const char *name) {
    EOP_REQUIRE(store != NULL && name != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_status status = EDGEOPS_OK;
    eop_store_make_way(store);
    pthread_mutex_lock(&store->lock);
    eop_series *series = eop_series_find(&store->assets, name);
    if (series == NULL) {
        status = eop_fail_no_asset(name);
    } else if (!eop_grow(&store->drops, &store->drop_capacity, store->drop_count + 1,
                         sizeof *store->drops)) {
        status = eop_fail_nomem("store");
    } else {
        status = remove_from_catalog(&store->catalog, series);
    }
    if (status == EDGEOPS_OK) {
        store->drops[store->drop_count++] = series->asset.id;
        for (eop_segment *segment = store->sealed; segment != NULL; segment = segment->next) {
            eop_segment_drop_series(segment, series, segment == store->written);
        }
        if (store->active != NULL) {
            eop_segment_drop_series(store->active, series, false);
        }
        eop_asset_list_remove(&store->assets, &series->asset);
        eop_lookup_forget(&store->lookup);
    }
    pthread_mutex_unlock(&store->lock);
    if (status == EDGEOPS_OK) {
        eop_writer_wake(store);
    }
    return status;
}
