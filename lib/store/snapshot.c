/* SPDX-License-Identifier: Apache-2.0 */
/* Takes and releases a snapshot: both databases and the segments of the journal as of one moment,
 * for backup and verify. snapshot.h says which locks make that moment. */
#include "store/snapshot.h"

#include "base/error.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "catalog/version.h"
#include "store/internal.h"

static edgeops_status hold_segments(eop_snapshot *s) {
    edgeops_store *store = s->store;
    edgeops_status status = EDGEOPS_OK;
    s->pins = eop_calloc(store->sealed_count + 1, sizeof *s->pins);
    if (s->pins == NULL) {
        return eop_fail_nomem("store");
    }
    for (const eop_segment *g = store->sealed; status == EDGEOPS_OK && g != NULL; g = g->next) {
        status = eop_journal_hold(&s->pins[s->pin_count], store->journal, g->number);
        s->pin_count += status == EDGEOPS_OK;
    }
    uint64_t active = eop_journal_active(store->journal);
    if (status == EDGEOPS_OK && active != 0) {
        status = eop_journal_hold(&s->pins[s->pin_count], store->journal, active);
        s->pin_count += status == EDGEOPS_OK;
    }
    return status;
}

/* SQLite begins a snapshot at the first read. */
static edgeops_status begin_snapshots(eop_snapshot *s) {
    uint64_t applied = 0;
    edgeops_status status = eop_sql_exec(&s->catalog, "BEGIN; SELECT value FROM meta LIMIT 1");
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_begin(&s->chunks);
    }
    return status == EDGEOPS_OK ? eop_telemetry_applied(&applied, &s->chunks) : status;
}

edgeops_status eop_snapshot_take(eop_snapshot *s, edgeops_store *store) {
    *s = (eop_snapshot){.store = store};
    eop_sql_options options = {
        .path = store->catalog.sql.path, .version = EOP_HOME_VERSION, .access = &store->access};
    edgeops_status status = eop_sql_open(&s->catalog, &options);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_open(&s->chunks, store->telemetry_path, false, &store->access);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    pthread_mutex_lock(&store->lock);
    eop_catalog_lock(&store->catalog);
    status = begin_snapshots(s);
    eop_catalog_unlock(&store->catalog);
    if (status == EDGEOPS_OK) {
        status = hold_segments(s);
    }
    store->backups++;
    s->held = true;
    pthread_mutex_unlock(&store->lock);
    return status;
}

void eop_snapshot_release(eop_snapshot *s) {
    edgeops_store *store = s->store;
    if (s->held) {
        pthread_mutex_lock(&store->lock);
        for (size_t i = 0; i < s->pin_count; i++) {
            eop_journal_release(store->journal, &s->pins[i]);
        }
        store->backups--;
        pthread_mutex_unlock(&store->lock);
    }
    eop_free(s->pins);
    eop_sql_close(&s->catalog);
    eop_telemetry_close(&s->chunks);
    *s = (eop_snapshot){0};
}
