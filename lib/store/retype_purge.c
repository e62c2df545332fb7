/* SPDX-License-Identifier: Apache-2.0 */
/* Removes the cells of positions that no channel has any more, some in each transaction: those of a
 * type that was replaced, and those of a change of type that did not come to its end. The writer's
 * thread only; it takes `lock` to find a position and to mark it. */
#include "base/error.h"
#include "base/memory.h"
#include "store/internal.h"
#include "store/retype.h"
#include "store/rollup.h"
#include "store/telemetry_db.h"
#include "store/wal.h"

enum { PURGE_CHUNKS = 64 };

static bool has_old(uint32_t *position, const eop_asset *asset) {
    for (uint32_t i = 0; asset->hidden_count > 0 && i < asset->channel_count; i++) {
        if (asset->channels[i]->state == EOP_CHANNEL_OLD) {
            *position = i;
            return true;
        }
    }
    return false;
}

bool eop_retype_purge_due(const edgeops_store *store) {
    uint32_t position = 0;
    for (size_t i = 0; i < store->assets.count; i++) {
        if (has_old(&position, store->assets.items[i])) {
            return true;
        }
    }
    return false;
}

/* Under `lock`: goes on with the position that is being purged, or takes another. */
static bool find_position(edgeops_store *store) {
    eop_purging *p = &store->purging;
    const eop_asset *asset = eop_asset_list_by_id(&store->assets, p->asset);
    if (asset != NULL && asset->channels[p->position]->state == EOP_CHANNEL_OLD) {
        return true;
    }
    for (size_t i = 0; i < store->assets.count; i++) {
        uint32_t position = 0;
        asset = store->assets.items[i];
        if (has_old(&position, asset)) {
            *p = (eop_purging){.asset = asset->id, .position = position, .next = 1};
            return true;
        }
    }
    return false;
}

/* Inside a transaction. DONE: it was the last one. */
static edgeops_status purge_chunks(eop_purging *p, eop_telemetry *telemetry) {
    edgeops_status status = EDGEOPS_OK;
    telemetry->grown = 0;
    for (int n = 0; status == EDGEOPS_OK && n < PURGE_CHUNKS; n++) {
        eop_chunk_info chunk;
        status = eop_telemetry_at(&chunk, telemetry, p->asset, p->next);
        if (status == EDGEOPS_OK) {
            status = eop_telemetry_remove_cells(telemetry, chunk.id, p->position, p->position);
            p->next = chunk.ord1 + 1;
        }
    }
    edgeops_status grown = status >= 0 ? eop_telemetry_note_grown(telemetry, p->asset) : EDGEOPS_OK;
    if (grown == EDGEOPS_OK && status == EDGEOPS_DONE) {
        grown = eop_rollup_forget(telemetry, p->asset, p->position);
    }
    return grown == EDGEOPS_OK ? status : grown;
}

/* Under `lock`. */
static edgeops_status mark_gone(edgeops_store *store) {
    const eop_purging *p = &store->purging;
    const eop_asset *asset = eop_asset_list_by_id(&store->assets, p->asset);
    eop_sql_statement *update = NULL;
    char name[EOP_HIDDEN_NAME];
    if (asset == NULL) {
        return EDGEOPS_OK;
    }
    eop_channel *channel = asset->channels[p->position];
    eop_hidden_name(name, EOP_CHANNEL_GONE, p->position, channel->successor);
    char *copy = eop_strdup(name);
    if (copy == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_catalog_begin_as(&store->catalog, EOP_COMMIT_LAX);
    if (status == EDGEOPS_OK) {
        status = eop_catalog_get(&update, &store->catalog, EOP_CHANNEL_RENAME);
        if (status == EDGEOPS_OK) {
            eop_sql_bind_int(update, 1, asset->id);
            eop_sql_bind_int(update, 2, p->position);
            eop_sql_bind_text(update, 3, name);
            status = eop_sql_run(&store->catalog.sql, update);
        }
        status = eop_catalog_end(&store->catalog, status);
    }
    if (status != EDGEOPS_OK) {
        eop_free(copy);
        return status;
    }
    eop_free(channel->name);
    channel->name = copy;
    channel->state = EOP_CHANNEL_GONE;
    store->shrink_due = true;
    return EDGEOPS_OK;
}

edgeops_status eop_retype_purge(edgeops_store *store) {
    pthread_mutex_lock(&store->lock);
    store->purge_due = store->purge_due && find_position(store);
    bool due = store->purge_due;
    pthread_mutex_unlock(&store->lock);
    if (!due) {
        return EDGEOPS_DONE;
    }
    uint64_t next = store->purging.next;
    edgeops_status status = eop_sql_begin(&store->writer.sql);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = purge_chunks(&store->purging, &store->writer);
    bool done = status == EDGEOPS_DONE;
    status = eop_sql_end(&store->writer.sql, done ? EDGEOPS_OK : status);
    if (status != EDGEOPS_OK) {
        store->purging.next = next;
        return status;
    }
    eop_store_checkpoint_chunks(store, false);
    pthread_mutex_lock(&store->lock);
    status = done ? mark_gone(store) : EDGEOPS_OK;
    pthread_mutex_unlock(&store->lock);
    return status;
}
