/* SPDX-License-Identifier: Apache-2.0 */
/* catalog.db: schema and migrations, the texts of all statements, transactions under its lock, and
 * the tables of assets and channels. The other tables belong to record.c, outbox.c, dead_letter.c
 * and the room of datasets. */
#include "catalog/catalog.h"

#include <sqlite3.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "catalog/version.h"

#define LABEL_INDEX_OF_2                                                                           \
    "CREATE INDEX label_replaces ON label(replaces) WHERE replaces IS NOT NULL;"

/* A row with a reason in `refused` is set aside: the broker did not take it. */
#define OUTBOX_INDEXES_OF_3                                                                        \
    "CREATE INDEX outbox_waiting ON outbox(destination, deployment, id) WHERE refused IS NULL;"    \
    "CREATE INDEX outbox_refused ON outbox(destination, deployment, id)"                           \
    " WHERE refused IS NOT NULL;"

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('label_version', 0);"
    "CREATE TABLE asset(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
    " base INTEGER NOT NULL, created INTEGER NOT NULL);"
    "CREATE TABLE channel(asset INTEGER NOT NULL REFERENCES asset ON DELETE CASCADE,"
    " position INTEGER NOT NULL, name TEXT NOT NULL, type INTEGER NOT NULL, unit TEXT NOT NULL,"
    " length INTEGER NOT NULL DEFAULT 1,"
    " PRIMARY KEY(asset, position), UNIQUE(asset, name)) WITHOUT ROWID;"
    "CREATE TABLE retired(name TEXT PRIMARY KEY, ordinal INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE label(id INTEGER PRIMARY KEY AUTOINCREMENT,"
    " asset INTEGER NOT NULL REFERENCES asset ON DELETE CASCADE, start INTEGER NOT NULL,"
    " \"end\" INTEGER NOT NULL, label TEXT NOT NULL, author TEXT NOT NULL,"
    " created INTEGER NOT NULL, version INTEGER NOT NULL, withdrawn INTEGER,"
    " source TEXT NOT NULL DEFAULT '', replaces INTEGER, place INTEGER);"
    "CREATE INDEX label_asset ON label(asset, start);" LABEL_INDEX_OF_2
    "CREATE TABLE record(id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL,"
    " name TEXT NOT NULL, json TEXT NOT NULL, UNIQUE(kind, name));"
    "CREATE TABLE sequence(name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE outbox(id INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL,"
    " topic TEXT NOT NULL, payload BLOB NOT NULL, qos INTEGER NOT NULL, retain INTEGER NOT NULL,"
    " deployment TEXT NOT NULL DEFAULT '', refused TEXT);" OUTBOX_INDEXES_OF_3
    "CREATE TABLE checkpoint(deployment TEXT PRIMARY KEY, ordinal INTEGER NOT NULL, state TEXT)"
    " WITHOUT ROWID;"
    "CREATE TABLE dead_letter(id INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL,"
    " time INTEGER NOT NULL, topic TEXT NOT NULL, reason TEXT NOT NULL, payload BLOB NOT NULL,"
    " message_size INTEGER NOT NULL);"
    "CREATE INDEX dead_letter_source ON dead_letter(source, id);"
    "CREATE TABLE dataset(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE,"
    " digest TEXT NOT NULL, created INTEGER NOT NULL, start INTEGER NOT NULL,"
    " \"end\" INTEGER NOT NULL, labelled_only INTEGER NOT NULL, label_version INTEGER NOT NULL,"
    " rows INTEGER NOT NULL, spec TEXT, profile TEXT);"
    "CREATE TABLE dataset_asset(dataset INTEGER NOT NULL REFERENCES dataset ON DELETE CASCADE,"
    " position INTEGER NOT NULL, asset INTEGER NOT NULL REFERENCES asset, name TEXT NOT NULL,"
    " rows INTEGER NOT NULL, max_ordinal INTEGER NOT NULL, PRIMARY KEY(dataset, position))"
    " WITHOUT ROWID;"
    "CREATE INDEX dataset_asset_asset ON dataset_asset(asset);"
    "CREATE TABLE dataset_channel(dataset INTEGER NOT NULL REFERENCES dataset ON DELETE CASCADE,"
    " position INTEGER NOT NULL, name TEXT NOT NULL, type INTEGER NOT NULL, unit TEXT NOT NULL,"
    " length INTEGER NOT NULL DEFAULT 1, PRIMARY KEY(dataset, position)) WITHOUT ROWID;"
    "CREATE TABLE dataset_column(dataset INTEGER NOT NULL REFERENCES dataset ON DELETE CASCADE,"
    " asset INTEGER NOT NULL, position INTEGER NOT NULL, channel INTEGER NOT NULL,"
    " PRIMARY KEY(dataset, asset, position)) WITHOUT ROWID;"
    "CREATE TABLE dataset_label(dataset INTEGER NOT NULL REFERENCES dataset ON DELETE CASCADE,"
    " label TEXT NOT NULL, rows INTEGER NOT NULL, PRIMARY KEY(dataset, label)) WITHOUT ROWID;";

/* From version 1: value types with a length, labels with a source and corrections, datasets with
 * alignment, split and profile (JSON). */
static const char version_2[] = "ALTER TABLE channel ADD COLUMN length INTEGER NOT NULL DEFAULT 1;"
                                "ALTER TABLE label ADD COLUMN source TEXT NOT NULL DEFAULT '';"
                                "ALTER TABLE label ADD COLUMN replaces INTEGER;"
                                "ALTER TABLE label ADD COLUMN place INTEGER;" LABEL_INDEX_OF_2
                                "ALTER TABLE dataset_channel ADD COLUMN length INTEGER NOT NULL"
                                " DEFAULT 1;"
                                "ALTER TABLE dataset ADD COLUMN spec TEXT;"
                                "ALTER TABLE dataset ADD COLUMN profile TEXT;";

/* From version 2: messages belong to their deployment, whose name begins each payload. */
static const char version_3[] =
    "DROP INDEX outbox_destination;"
    "ALTER TABLE outbox ADD COLUMN deployment TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE outbox ADD COLUMN refused TEXT;"
    "UPDATE outbox SET deployment = substr(CAST(payload AS TEXT), 16,"
    " instr(substr(CAST(payload AS TEXT), 16), '\"') - 1)"
    " WHERE CAST(payload AS TEXT) LIKE '{\"deployment\":\"%';" OUTBOX_INDEXES_OF_3;

static const char *const migrations[EOP_HOME_VERSION - 1] = {version_2, version_3};

#define LABEL_COLUMNS                                                                              \
    "label.id, label.start, label.\"end\", label.label, label.author, label.created, "             \
    "label.source,"                                                                                \
    " label.version, label.replaces, label.withdrawn, coalesce(label.place, label.id)"
#define LABEL_VERSION_NOW "(SELECT value FROM meta WHERE key = 'label_version')"

static const char *const texts[EOP_CATALOG_STATEMENTS] = {
    [EOP_META_GET] = "SELECT value FROM meta WHERE key = ?",
    [EOP_META_SET] = "INSERT INTO meta VALUES(?, ?) ON CONFLICT(key) DO UPDATE SET"
                     " value = excluded.value",
    [EOP_ASSET_ADD] = "INSERT INTO asset(id, name, base, created) VALUES(?, ?, ?, ?)",
    [EOP_ASSET_LIST] = "SELECT id, name, base FROM asset ORDER BY id",
    [EOP_ASSET_FIND] = "SELECT id FROM asset WHERE name = ?",
    [EOP_ASSET_REMOVE] = "DELETE FROM asset WHERE id = ?",
    [EOP_ASSET_NEXT_ID] = "SELECT seq + 1 FROM sqlite_sequence WHERE name = 'asset'",
    [EOP_ASSET_RETIRE] = "INSERT INTO retired VALUES(?, ?) ON CONFLICT(name) DO UPDATE SET"
                         " ordinal = excluded.ordinal",
    [EOP_ASSET_RETIRED] = "SELECT ordinal FROM retired WHERE name = ?",
    [EOP_CHANNEL_ADD] = "INSERT INTO channel(asset, position, name, type, unit, length)"
                        " VALUES(?, ?, ?, ?, ?, ?)",
    [EOP_CHANNEL_LIST] =
        "SELECT asset, position, name, type, unit, length FROM channel ORDER BY asset, position",
    [EOP_ASSET_RENAME] = "UPDATE asset SET name = ?2, base = max(base, ?3) WHERE id = ?1",
    [EOP_CHANNEL_RENAME] = "UPDATE channel SET name = ?3 WHERE asset = ?1 AND position = ?2",
    [EOP_CHANNEL_UNIT] = "UPDATE channel SET unit = ?3 WHERE asset = ?1 AND position = ?2",
    [EOP_LABEL_BUMP] = "UPDATE meta SET value = value + 1 WHERE key = 'label_version'",
    [EOP_LABEL_VERSION] = "SELECT value FROM meta WHERE key = 'label_version'",
    [EOP_LABEL_ADD] =
        "INSERT INTO label(asset, start, \"end\", label, author, created, source,"
        " replaces, place, version) VALUES(?, ?, ?, ?, ?, ?, ?, ?,"
        " (SELECT coalesce(place, id) FROM label WHERE id = ?8)," LABEL_VERSION_NOW ")",
    [EOP_LABEL_WITHDRAW] =
        "UPDATE label SET withdrawn = " LABEL_VERSION_NOW " WHERE id = ? AND withdrawn IS NULL",
    [EOP_LABEL_SAME] = "SELECT id FROM label WHERE asset = ?1 AND start = ?2 AND \"end\" = ?3"
                       " AND label = ?4 AND author = ?5 AND (withdrawn IS NULL OR EXISTS(SELECT 1"
                       " FROM label AS by WHERE by.replaces = label.id)) LIMIT 1",
    [EOP_LABEL_GET] = "SELECT asset, withdrawn, (SELECT by.id FROM label AS by WHERE by.replaces ="
                      " label.id) FROM label WHERE id = ?",
    /* The labels of an asset behind (?2, ?3). */
    [EOP_LABEL_PAGE] = "SELECT " LABEL_COLUMNS " FROM label WHERE asset = ?1 AND start >= ?2"
                       " AND (start > ?2 OR id > ?3) AND start <= ?5"
                       " AND (\"end\" > ?4 OR (start = \"end\" AND start >= ?4))"
                       " AND (?6 IS NULL OR (version <= ?6"
                       " AND (withdrawn IS NULL OR withdrawn > ?6)))"
                       " AND (?7 IS NULL OR label = ?7) AND (?8 IS NULL OR author = ?8)"
                       " ORDER BY start, id LIMIT ?9",
    [EOP_LABEL_CHAIN] = "WITH RECURSIVE back(id) AS (VALUES(?1) UNION SELECT replaces FROM label"
                        " JOIN back USING(id) WHERE replaces IS NOT NULL), onward(id) AS"
                        " (VALUES(?1) UNION SELECT label.id FROM label JOIN onward ON"
                        " label.replaces = onward.id) SELECT " LABEL_COLUMNS
                        " FROM label WHERE id IN (SELECT id FROM back UNION SELECT id FROM onward)"
                        " AND id > ?3 ORDER BY id LIMIT ?9",
    [EOP_LABEL_WHERE] = "SELECT asset.name, label.start, asset.id FROM label JOIN asset"
                        " ON asset.id = label.asset WHERE label.id = ?",
    [EOP_LABELLED_NEXT] = "SELECT id, name FROM asset WHERE name > ? AND EXISTS(SELECT 1 FROM label"
                          " WHERE label.asset = asset.id) ORDER BY name LIMIT 1",
    [EOP_LABEL_AT] = "SELECT start, \"end\", label FROM label WHERE asset = ?1 AND version <= ?2"
                     " AND (withdrawn IS NULL OR withdrawn > ?2)"
                     " AND start <= ?4 AND \"end\" >= ?3 ORDER BY coalesce(place, id) DESC",
    [EOP_RECORD_INSERT] = "INSERT INTO record(kind, name, json) VALUES(?, ?, ?)",
    [EOP_RECORD_UPSERT] = "INSERT INTO record(kind, name, json) VALUES(?, ?, ?)"
                          " ON CONFLICT(kind, name) DO UPDATE SET json = excluded.json",
    [EOP_RECORD_GET] = "SELECT json FROM record WHERE kind = ? AND name = ?",
    [EOP_RECORD_LIST] = "SELECT name, json FROM record WHERE kind = ? ORDER BY id",
    [EOP_RECORD_REMOVE] = "DELETE FROM record WHERE kind = ? AND name = ?",
    [EOP_RECORD_NUMBER] = "INSERT INTO sequence VALUES(?, 1) ON CONFLICT(name) DO UPDATE SET"
                          " value = value + 1 RETURNING value",
    [EOP_OUTBOX_ADD] = "INSERT INTO outbox(destination, topic, payload, qos, retain, deployment)"
                       " VALUES(?, ?, ?, ?, ?, ?)",
    [EOP_OUTBOX_LIST] = "SELECT id, topic, payload, qos, retain FROM outbox WHERE destination = ?"
                        " AND deployment = ? AND refused IS NULL AND id > ? ORDER BY id LIMIT ?",
    [EOP_OUTBOX_REMOVE] = "DELETE FROM outbox WHERE id = ?"
                          " RETURNING destination, deployment, refused IS NOT NULL",
    [EOP_OUTBOX_COUNT] = "SELECT destination, deployment, COUNT(*), COUNT(refused) FROM outbox"
                         " GROUP BY destination, deployment",
    [EOP_OUTBOX_SET_ASIDE] = "UPDATE outbox SET refused = ? WHERE id = ? AND refused IS NULL"
                             " RETURNING destination, deployment",
    [EOP_OUTBOX_AGAIN] = "UPDATE outbox SET refused = NULL WHERE destination = ? AND deployment = ?"
                         " AND refused IS NOT NULL",
    [EOP_OUTBOX_REASON] = "SELECT refused FROM outbox WHERE destination = ? AND deployment = ?"
                          " AND refused IS NOT NULL ORDER BY id DESC LIMIT 1",
    [EOP_OUTBOX_DROP] =
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE destination = ?"
        " AND deployment = ? AND refused IS NULL ORDER BY id LIMIT ?)",
    [EOP_OUTBOX_DROP_REFUSED] =
        "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE destination = ?"
        " AND deployment = ? AND refused IS NOT NULL ORDER BY id LIMIT ?)",
    [EOP_OUTBOX_PURGE] = "DELETE FROM outbox WHERE destination = ?",
    [EOP_CHECKPOINT_PUT] = "INSERT INTO checkpoint VALUES(?, ?, ?) ON CONFLICT(deployment) DO"
                           " UPDATE SET ordinal = excluded.ordinal, state = excluded.state",
    [EOP_CHECKPOINT_GET] = "SELECT ordinal, state FROM checkpoint WHERE deployment = ?",
    [EOP_CHECKPOINT_REMOVE] = "DELETE FROM checkpoint WHERE deployment = ?",
    [EOP_DEAD_ADD] = "INSERT INTO dead_letter(source, time, topic, reason, payload, message_size)"
                     " VALUES(?, ?, ?, ?, ?, ?)",
    [EOP_DEAD_TRIM] = "DELETE FROM dead_letter WHERE source = ?1 AND id <= (SELECT id FROM"
                      " dead_letter WHERE source = ?1 ORDER BY id DESC LIMIT 1 OFFSET 1000)",
    [EOP_DEAD_LIST] = "SELECT time, topic, reason, payload, message_size FROM dead_letter"
                      " WHERE source = ? ORDER BY id DESC LIMIT ?",
    [EOP_DEAD_REMOVE] = "DELETE FROM dead_letter WHERE source = ?",
    [EOP_DATASET_ADD] = "INSERT INTO dataset(name, digest, created, start, \"end\", labelled_only,"
                        " label_version, rows, spec, profile)"
                        " VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    [EOP_DATASET_GET] = "SELECT id, digest, created, start, \"end\", labelled_only, label_version,"
                        " rows, spec, profile FROM dataset WHERE name = ?",
    [EOP_DATASET_LIST] = "SELECT name FROM dataset ORDER BY name",
    [EOP_DATASET_REMOVE] = "DELETE FROM dataset WHERE name = ?",
    [EOP_DATASET_HOLDS] = "SELECT dataset.name FROM dataset JOIN dataset_asset ON"
                          " dataset_asset.dataset = dataset.id WHERE dataset_asset.asset = ?"
                          " ORDER BY dataset.name LIMIT 1",
    [EOP_DATASET_HOLDS_CHANNEL] =
        "SELECT DISTINCT dataset.name FROM dataset_column JOIN dataset ON"
        " dataset.id = dataset_column.dataset WHERE dataset_column.asset = ?"
        " AND dataset_column.channel = ? ORDER BY dataset.name",
    [EOP_DATASET_PINS] = "SELECT start, \"end\", max_ordinal FROM dataset_asset JOIN dataset ON"
                         " dataset.id = dataset_asset.dataset WHERE asset = ?",
    [EOP_DATASET_ASSET_ADD] = "INSERT INTO dataset_asset VALUES(?, ?, ?, ?, ?, ?)",
    [EOP_DATASET_ASSET_LIST] = "SELECT asset, name, rows, max_ordinal FROM dataset_asset"
                               " WHERE dataset = ? ORDER BY position",
    [EOP_DATASET_CHANNEL_ADD] =
        "INSERT INTO dataset_channel(dataset, position, name, type, unit, length)"
        " VALUES(?, ?, ?, ?, ?, ?)",
    [EOP_DATASET_CHANNEL_LIST] =
        "SELECT name, type, unit, length FROM dataset_channel WHERE dataset = ?"
        " ORDER BY position",
    [EOP_DATASET_COLUMN_ADD] = "INSERT INTO dataset_column VALUES(?, ?, ?, ?)",
    [EOP_DATASET_COLUMN_LIST] = "SELECT channel FROM dataset_column WHERE dataset = ?"
                                " AND asset = ? ORDER BY position",
    [EOP_DATASET_LABEL_ADD] = "INSERT INTO dataset_label VALUES(?, ?, ?)",
    [EOP_DATASET_LABEL_LIST] = "SELECT label, rows FROM dataset_label WHERE dataset = ?"
                               " ORDER BY label",
};

edgeops_status eop_fail_no_asset(const char *name) {
    return eop_fail(EDGEOPS_E_NOTFOUND, "store", "asset '%s' does not exist", name);
}

edgeops_status eop_fail_no_channel(const char *asset, const char *channel) {
    return eop_fail(EDGEOPS_E_NOTFOUND, "store", "asset '%s' has no channel '%s'", asset, channel);
}

/* About 4 MiB of WAL: from here on the background writer copies it into the database, so that no
 * commit has to. */
#define WAL_PAGES 1000
/* About 64 MiB: the writer has been away for long, so a commit does it. */
#define WAL_PAGES_MAX 16000

static int on_commit(void *user_data, sqlite3 *db, const char *name, int pages) {
    eop_catalog *catalog = user_data;
    catalog->wal_pages = pages;
    if (pages >= WAL_PAGES_MAX) {
        (void)sqlite3_wal_checkpoint_v2(db, name, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    }
    if (pages >= WAL_PAGES && catalog->on_wal != NULL) {
        catalog->on_wal(catalog->user_data);
    }
    return SQLITE_OK;
}

void eop_catalog_on_wal(eop_catalog *catalog, void (*fn)(void *user_data), void *user_data) {
    eop_catalog_lock(catalog);
    catalog->on_wal = fn;
    catalog->user_data = user_data;
    eop_catalog_unlock(catalog);
}

eop_outbox_counter *eop_catalog_find_outbox(eop_catalog *catalog, const char *destination,
                                            const char *deployment) {
    for (size_t i = 0; i < catalog->outbox_count; i++) {
        eop_outbox_counter *counter = &catalog->outbox[i];
        if (strcmp(counter->deployment, deployment) == 0 &&
            strcmp(counter->destination, destination) == 0) {
            return counter;
        }
    }
    return NULL;
}

edgeops_status eop_catalog_outbox_counter(eop_outbox_counter **out, eop_catalog *catalog,
                                          const char *destination, const char *deployment) {
    *out = eop_catalog_find_outbox(catalog, destination, deployment);
    if (*out != NULL) {
        return EDGEOPS_OK;
    }
    eop_outbox_counter fresh = {.destination = eop_strdup(destination),
                                .deployment = eop_strdup(deployment)};
    if (fresh.destination == NULL || fresh.deployment == NULL ||
        !eop_grow(&catalog->outbox, &catalog->outbox_capacity, catalog->outbox_count + 1,
                  sizeof *catalog->outbox)) {
        eop_free(fresh.destination);
        eop_free(fresh.deployment);
        return eop_fail_nomem("store");
    }
    *out = &catalog->outbox[catalog->outbox_count++];
    **out = fresh;
    return EDGEOPS_OK;
}

static edgeops_status count_outbox(eop_catalog *catalog) {
    sqlite3_stmt *statement = NULL;
    edgeops_status status = eop_sql_get(&statement, &catalog->sql, EOP_OUTBOX_COUNT);
    while (status == EDGEOPS_OK &&
           (status = eop_sql_next(&catalog->sql, statement)) == EDGEOPS_OK) {
        eop_outbox_counter *counter = NULL;
        status = eop_catalog_outbox_counter(&counter, catalog, eop_sql_text(statement, 0),
                                            eop_sql_text(statement, 1));
        if (status == EDGEOPS_OK) {
            counter->refused = (uint64_t)sqlite3_column_int64(statement, 3);
            counter->waiting = (uint64_t)sqlite3_column_int64(statement, 2) - counter->refused;
        }
    }
    sqlite3_reset(statement);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_catalog_open(eop_catalog *catalog, const char *path, bool make,
                                const eop_access *access) {
    eop_sql_options options = {.path = path,
                               .texts = texts,
                               .count = EOP_CATALOG_STATEMENTS,
                               .version = EOP_HOME_VERSION,
                               .schema = make ? schema : NULL,
                               .migrations = migrations,
                               .access = access};
    *catalog = (eop_catalog){0};
    edgeops_status status = eop_sql_open(&catalog->sql, &options);
    if (status == EDGEOPS_OK) {
        int rc = pthread_mutex_init(&catalog->lock, NULL);
        catalog->lock_made = rc == 0;
        status = rc == 0 ? count_outbox(catalog) : eop_fail_errno(rc, "store", "no lock");
    }
    if (status != EDGEOPS_OK) {
        eop_catalog_close(catalog);
        return status;
    }
    sqlite3_wal_hook(catalog->sql.db, on_commit, catalog);
    return EDGEOPS_OK;
}

void eop_catalog_close(eop_catalog *catalog) {
    eop_sql_close(&catalog->sql);
    for (size_t i = 0; i < catalog->outbox_count; i++) {
        eop_free(catalog->outbox[i].destination);
        eop_free(catalog->outbox[i].deployment);
    }
    eop_free(catalog->outbox);
    if (catalog->lock_made) {
        pthread_mutex_destroy(&catalog->lock);
    }
    *catalog = (eop_catalog){0};
}

void eop_catalog_lock(eop_catalog *catalog) {
    pthread_mutex_lock(&catalog->lock);
}

void eop_catalog_unlock(eop_catalog *catalog) {
    pthread_mutex_unlock(&catalog->lock);
}

edgeops_status eop_catalog_begin_as(eop_catalog *catalog, eop_commit commit) {
    eop_catalog_lock(catalog);
    bool full = commit == EOP_COMMIT_SAFE || (commit == EOP_COMMIT_PLAIN && catalog->power);
    edgeops_status status = eop_sql_set_full(&catalog->sql, full);
    if (status == EDGEOPS_OK) {
        status = eop_sql_begin(&catalog->sql);
    }
    if (status != EDGEOPS_OK) {
        eop_catalog_unlock(catalog);
    }
    return status;
}

edgeops_status eop_catalog_begin(eop_catalog *catalog) {
    return eop_catalog_begin_as(catalog, EOP_COMMIT_PLAIN);
}

edgeops_status eop_catalog_end(eop_catalog *catalog, edgeops_status status) {
    status = eop_sql_end(&catalog->sql, status);
    eop_catalog_unlock(catalog);
    return status;
}

edgeops_status eop_catalog_get(sqlite3_stmt **out, eop_catalog *catalog,
                               eop_catalog_statement number) {
    return eop_sql_get(out, &catalog->sql, number);
}

edgeops_status eop_catalog_set_meta(eop_catalog *catalog, const char *key, int64_t value) {
    sqlite3_stmt *upsert = NULL;
    edgeops_status status = eop_catalog_begin(catalog);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_catalog_get(&upsert, catalog, EOP_META_SET);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(upsert, 1, key);
        eop_sql_bind_int(upsert, 2, value);
        status = eop_sql_run(&catalog->sql, upsert);
    }
    return eop_catalog_end(catalog, status);
}

edgeops_status eop_catalog_meta(int64_t *out, eop_catalog *catalog, const char *key) {
    sqlite3_stmt *select = NULL;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&select, catalog, EOP_META_GET);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(select, 1, key);
        status = eop_sql_next(&catalog->sql, select);
        *out = status == EDGEOPS_OK ? sqlite3_column_int64(select, 0) : 0;
        sqlite3_reset(select);
    }
    eop_catalog_unlock(catalog);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

/* -- assets and channels -- */

static edgeops_status load_assets(eop_catalog *catalog, eop_asset_list *list) {
    sqlite3_stmt *statement = NULL;
    edgeops_status status = eop_catalog_get(&statement, catalog, EOP_ASSET_LIST);
    while (status == EDGEOPS_OK &&
           (status = eop_sql_next(&catalog->sql, statement)) == EDGEOPS_OK) {
        eop_asset *asset = NULL;
        status = eop_asset_list_add(&asset, list, eop_sql_text(statement, 1),
                                    (uint32_t)sqlite3_column_int64(statement, 0));
        if (status == EDGEOPS_OK) {
            asset->base = (uint64_t)sqlite3_column_int64(statement, 2);
        }
    }
    sqlite3_reset(statement);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

/* Of a channel that was being filled when the program ended nothing is shown, and what there is of
 * it is removed. */
static void load_hidden(eop_asset *asset, const char *name) {
    eop_channel_state state = EOP_CHANNEL_LIVE;
    uint32_t successor = 0;
    if (eop_hidden_name_read(&state, &successor, name)) {
        eop_asset_hide(asset, asset->channels[asset->channel_count - 1],
                       state == EOP_CHANNEL_GONE ? state : EOP_CHANNEL_OLD, successor);
    }
}

static edgeops_status link_successors(const eop_catalog *catalog, const eop_asset *asset) {
    for (uint32_t i = 0; i < asset->channel_count; i++) {
        uint32_t successor = asset->channels[i]->successor;
        if (successor != 0 && (successor <= i || successor >= asset->channel_count)) {
            return eop_fail(EDGEOPS_E_CORRUPT, "store", "'%s': a channel is out of place",
                            catalog->sql.path);
        }
        if (successor != 0) {
            asset->channels[successor]->heir = true;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status load_channels(eop_catalog *catalog, eop_asset_list *list) {
    sqlite3_stmt *statement = NULL;
    edgeops_status status = eop_catalog_get(&statement, catalog, EOP_CHANNEL_LIST);
    while (status == EDGEOPS_OK &&
           (status = eop_sql_next(&catalog->sql, statement)) == EDGEOPS_OK) {
        eop_asset *asset = eop_asset_list_by_id(list, (uint32_t)sqlite3_column_int64(statement, 0));
        int type = sqlite3_column_int(statement, 3);
        int64_t length = sqlite3_column_int64(statement, 5);
        if (asset == NULL || asset->channel_count != sqlite3_column_int64(statement, 1) ||
            !eop_type_has_length((edgeops_type)type, length)) {
            status = eop_fail(EDGEOPS_E_CORRUPT, "store", "'%s': a channel is out of place",
                              catalog->sql.path);
        } else {
            status = eop_asset_add_channel(asset, eop_sql_text(statement, 2), (edgeops_type)type,
                                           (uint32_t)length, eop_sql_text(statement, 4));
            if (status == EDGEOPS_OK) {
                load_hidden(asset, eop_sql_text(statement, 2));
            }
        }
    }
    sqlite3_reset(statement);
    status = status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    for (size_t i = 0; status == EDGEOPS_OK && i < list->count; i++) {
        status = link_successors(catalog, list->items[i]);
    }
    return status;
}

edgeops_status eop_catalog_load(eop_catalog *catalog, eop_asset_list *list) {
    sqlite3_stmt *statement = NULL;
    eop_catalog_lock(catalog);
    edgeops_status status = load_assets(catalog, list);
    if (status == EDGEOPS_OK) {
        status = load_channels(catalog, list);
    }
    if (status == EDGEOPS_OK) {
        status = eop_catalog_get(&statement, catalog, EOP_ASSET_NEXT_ID);
    }
    if (status == EDGEOPS_OK) {
        status = eop_sql_next(&catalog->sql, statement);
        if (status == EDGEOPS_OK) {
            list->next_id = (uint32_t)sqlite3_column_int64(statement, 0);
            sqlite3_reset(statement);
        }
        status = status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    }
    if (list->next_id == 0) {
        list->next_id = 1;
    }
    eop_catalog_unlock(catalog);
    return status;
}

edgeops_status eop_catalog_retired(uint64_t *out, eop_catalog *catalog, const char *name) {
    sqlite3_stmt *statement = NULL;
    eop_catalog_lock(catalog);
    edgeops_status status = eop_catalog_get(&statement, catalog, EOP_ASSET_RETIRED);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_text(statement, 1, name);
        status = eop_sql_next(&catalog->sql, statement);
        *out = status == EDGEOPS_OK ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
        sqlite3_reset(statement);
    }
    eop_catalog_unlock(catalog);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_catalog_add_asset(eop_catalog *catalog, const eop_asset *asset) {
    sqlite3_stmt *statement = NULL;
    edgeops_status status = eop_catalog_get(&statement, catalog, EOP_ASSET_ADD);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(statement, 1, asset->id);
    eop_sql_bind_text(statement, 2, asset->name);
    eop_sql_bind_int(statement, 3, (int64_t)asset->base);
    eop_sql_bind_int(statement, 4, eop_now());
    return eop_sql_run(&catalog->sql, statement);
}

edgeops_status eop_catalog_add_channels(eop_catalog *catalog, const eop_asset *asset,
                                        uint32_t from) {
    edgeops_status status = EDGEOPS_OK;
    for (uint32_t i = from; status == EDGEOPS_OK && i < asset->channel_count; i++) {
        const eop_channel *channel = asset->channels[i];
        sqlite3_stmt *statement = NULL;
        status = eop_catalog_get(&statement, catalog, EOP_CHANNEL_ADD);
        if (status == EDGEOPS_OK) {
            eop_sql_bind_int(statement, 1, asset->id);
            eop_sql_bind_int(statement, 2, i);
            eop_sql_bind_text(statement, 3, channel->name);
            eop_sql_bind_int(statement, 4, channel->type);
            eop_sql_bind_text(statement, 5, channel->unit);
            eop_sql_bind_int(statement, 6, channel->length);
            status = eop_sql_run(&catalog->sql, statement);
        }
    }
    return status;
}
