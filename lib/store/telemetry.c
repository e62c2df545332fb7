/* SPDX-License-Identifier: Apache-2.0 */
/* telemetry.db: its schema, opening it, finding chunks, and the states of assets. telemetry.h
 * describes the tables; telemetry_read.c reads what is in a chunk, telemetry_write.c and
 * telemetry_drop.c change them. A connection belongs to one thread at a time. */
#include "store/telemetry_db.h"

#include <sqlite3.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "column/chunk.h"
#include "store/compact.h"

/* Large pages: most of the file is BLOBs of a few KiB. */
enum { VERSION = 3, PAGE_SIZE = 16384 };

/* `stat` is separate from `cell`, so that aggregates and filters read no BLOBs. */
#define TABLES_OF_2                                                                                \
    "CREATE TABLE cell(id INTEGER PRIMARY KEY, data BLOB NOT NULL);"                               \
    "CREATE TABLE stat(id INTEGER PRIMARY KEY, count INTEGER NOT NULL, nulls INTEGER NOT NULL,"    \
    " min, max, sum REAL);"                                                                        \
    "CREATE TABLE blob(digest BLOB PRIMARY KEY, size INTEGER NOT NULL, refs INTEGER NOT NULL)"     \
    " WITHOUT ROWID;"                                                                              \
    "CREATE TABLE rollup(id INTEGER PRIMARY KEY, asset INTEGER NOT NULL,"                          \
    " period INTEGER NOT NULL, UNIQUE(asset, period));"

#define SMALL "id < 1099511627776"
#define FULL  "id >= 1099511627776"
_Static_assert(EOP_CHUNK_FULL_ID == 1099511627776, "SMALL and FULL have it as text");

/* Covering indexes: finding chunks does not touch the table. Small chunks have their own, because
 * they come and go with each segment, a few of each asset: they are on a few pages, while a page of
 * the others may have chunks of a single asset. */
#define INDEXES_OF_3                                                                               \
    "CREATE INDEX small_time ON chunk(asset, t1, t0, ord0, ord1, rows) WHERE " SMALL ";"           \
    "CREATE INDEX small_ordinal ON chunk(asset, ord1, ord0, t0, t1, rows) WHERE " SMALL ";"        \
    "CREATE INDEX full_time ON chunk(asset, t1, t0, ord0, ord1, rows) WHERE " FULL ";"             \
    "CREATE INDEX full_ordinal ON chunk(asset, ord1, ord0, t0, t1, rows) WHERE " FULL ";"

static const char schema[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO meta VALUES('applied', 0);"
    "CREATE TABLE chunk(id INTEGER PRIMARY KEY AUTOINCREMENT, asset INTEGER NOT NULL,"
    " t0 INTEGER NOT NULL, t1 INTEGER NOT NULL, ord0 INTEGER NOT NULL, ord1 INTEGER NOT NULL,"
    " rows INTEGER NOT NULL);" INDEXES_OF_3
    "CREATE TABLE state(asset INTEGER PRIMARY KEY, rows INTEGER NOT NULL,"
    " ordinal INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " last_seq INTEGER NOT NULL, bytes INTEGER NOT NULL DEFAULT 0,"
    " dropped INTEGER NOT NULL DEFAULT 0, until INTEGER,"
    " parts INTEGER NOT NULL DEFAULT 0);" TABLES_OF_2;

static const char version_2[] =
    "ALTER TABLE cell RENAME TO cell_1;" TABLES_OF_2
    "INSERT INTO cell SELECT id / 1024 * 2048 + id % 1024, data FROM cell_1 UNION ALL"
    " SELECT id * 2048 + 1024, times FROM chunk UNION ALL"
    " SELECT id * 2048 + 1025, seqs FROM chunk WHERE seqs IS NOT NULL UNION ALL"
    " SELECT id * 2048 + 1026, ordinals FROM chunk WHERE ordinals IS NOT NULL ORDER BY 1;"
    "INSERT INTO stat SELECT id / 1024 * 2048 + id % 1024, count, nulls, min, max, sum FROM cell_1"
    " ORDER BY id;"
    "DROP TABLE cell_1;"
    "ALTER TABLE chunk DROP COLUMN times;"
    "ALTER TABLE chunk DROP COLUMN seqs;"
    "ALTER TABLE chunk DROP COLUMN ordinals;"
    "ALTER TABLE state ADD COLUMN bytes INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN dropped INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE state ADD COLUMN until INTEGER;"
    "CREATE TEMP TABLE chunk_bytes AS SELECT asset, sum(length(data)) AS bytes FROM cell JOIN chunk"
    " ON chunk.id = cell.id / 2048 GROUP BY 1;"
    "UPDATE state SET bytes = coalesce((SELECT bytes FROM chunk_bytes WHERE chunk_bytes.asset ="
    " state.asset), 0);"
    "DROP TABLE chunk_bytes;";

/* Chunks of version 2 have no parts. The number tells a program of before that others may. */
static const char version_3[] = "ALTER TABLE state ADD COLUMN parts INTEGER NOT NULL DEFAULT 0;"
                                "DROP INDEX chunk_time; DROP INDEX chunk_ordinal;" INDEXES_OF_3;

static const char *const migrations[VERSION - 1] = {version_2, version_3};

/* The small and the full ones: a condition must name an index's own for it to be used. */
#define CHUNKS(what, where)                                                                        \
    "SELECT " what " FROM chunk WHERE " SMALL " AND " where " UNION ALL"                           \
    " SELECT " what " FROM chunk WHERE " FULL " AND " where
#define INFO "id, t0, t1, ord0, ord1, rows"

static const char *const texts[STATEMENTS] = {
    [HOME_GET] = "SELECT value FROM meta WHERE key = 'home'",
    [HOME_SET] = "INSERT INTO meta VALUES('home', ?)",
    [APPLIED_GET] = "SELECT value FROM meta WHERE key = 'applied'",
    [APPLIED_SET] = "UPDATE meta SET value = ? WHERE key = 'applied'",
    [CHUNK_ADD] = "INSERT INTO chunk VALUES(?, ?, ?, ?, ?, ?, ?)",
    [CELL_ADD] = "INSERT INTO cell VALUES(?, ?)",
    [STAT_ADD] = "INSERT INTO stat VALUES(?, ?, ?, ?, ?, ?)",
    [STATE_ADD] =
        "INSERT INTO state VALUES(?, ?, ?, ?, ?, ?, ?, 0, NULL, ?) ON CONFLICT(asset) DO UPDATE SET"
        " bytes = bytes + excluded.bytes, rows = rows + excluded.rows,"
        " parts = parts + excluded.parts, ordinal = max(ordinal, excluded.ordinal),"
        " first = CASE WHEN rows = 0 THEN excluded.first ELSE min(first, excluded.first) END,"
        " last = CASE WHEN rows = 0 THEN excluded.last ELSE max(last, excluded.last) END,"
        " last_seq = CASE WHEN rows = 0 OR (excluded.last, excluded.last_seq) > (last, last_seq)"
        " THEN excluded.last_seq ELSE last_seq END",
    [STATE_LIST] = "SELECT asset, rows, ordinal, first, last, last_seq, bytes, dropped, until, "
                   "parts FROM state",
    [STATE_REMOVE] = "DELETE FROM state WHERE asset = ?",
    [CHUNK_IDS] = CHUNKS("id", "asset = ?1") " LIMIT 1",
    [CHUNK_REMOVE] = "DELETE FROM chunk WHERE id = ?",
    [CELLS_REMOVE] = "DELETE FROM cell WHERE id BETWEEN ? AND ?",
    [STATS_REMOVE] = "DELETE FROM stat WHERE id BETWEEN ? AND ?",
    [CHUNK_FIND] = CHUNKS(INFO, "asset = ?1 AND t1 >= ?2 AND t0 <= ?3") " ORDER BY t0, id",
    [CHUNK_AT] = CHUNKS(INFO, "asset = ?1 AND ord1 >= ?2") " ORDER BY ord1 LIMIT 1",
    [CHUNK_BACK] = CHUNKS(INFO, "asset = ?1 AND ord1 < ?2") " ORDER BY ord1 DESC",
    [CHUNK_LAST_ID] = "SELECT max(id) FROM chunk WHERE id < ?",
    [CHUNK_BELOW] = "SELECT max(t) FROM (" CHUNKS("max(t1) AS t", "asset = ?1 AND t1 < ?2") ")",
    [CHUNK_ABOVE] =
        "SELECT min(t) FROM (" CHUNKS("min(t0) AS t", "asset = ?1 AND t1 > ?2 AND t0 > ?2") ")",
    [CELL_GET] = "SELECT data FROM cell WHERE id = ?",
    [CELL_IDS] = "SELECT id FROM cell WHERE id BETWEEN ? AND ?",
    [STAT_GET] = "SELECT count, nulls, min, max, sum FROM stat WHERE id = ?",
    [STATS_WALK] = "SELECT count, nulls, min, max, sum, id FROM stat WHERE id BETWEEN ? AND ?",
    [CHUNK_OLDEST] = CHUNKS(INFO, "asset = ?1 AND t1 >= ?2") " ORDER BY t1, t0, ord0",
    [CHUNK_BYTES] = "SELECT coalesce(sum(length(data)), 0) FROM cell WHERE id BETWEEN ? AND ?",
    [CHUNK_VERSIONS] = "SELECT min(substr(data, 1, 1)) FROM cell WHERE id BETWEEN ? AND ?",
    [STATE_GREW] = "UPDATE state SET bytes = max(bytes + ?2, 0) WHERE asset = ?1",
    [STATE_DROP] =
        "UPDATE state SET rows = rows - ?2, bytes = max(bytes - ?3, 0), dropped = dropped"
        " + ?2, until = max(coalesce(until, ?4), ?4), first = coalesce((SELECT min(t)"
        " FROM (" CHUNKS("min(t0) AS t", "asset = ?1") ")), first) WHERE asset = ?1"
                                                       " RETURNING first",
    [ROLLUP_FIND] = "SELECT id FROM rollup WHERE asset = ? AND period = ?",
    [ROLLUP_ADD] = "INSERT INTO rollup SELECT coalesce(max(id) + 1, 2147483648), ?, ? FROM rollup"
                   " RETURNING id",
    [ROLLUP_LIST] = "SELECT id, period FROM rollup WHERE asset = ? ORDER BY period",
    [ROLLUP_REMOVE] = "DELETE FROM rollup WHERE id = ?",
    [ROLLUP_ORDINAL] = "SELECT ordinal FROM state WHERE asset = ?",
    [CELLS_MOVE] = "INSERT INTO cell SELECT id + ?3, data FROM cell WHERE id BETWEEN ?1 AND ?2",
    [STATS_MOVE] = "INSERT INTO stat SELECT id + ?3, count, nulls, min, max, sum FROM stat"
                   " WHERE id BETWEEN ?1 AND ?2",
    [FREE_PAGES] = "PRAGMA freelist_count",
    [READ_BEGIN] = "BEGIN",
    [READ_END] = "COMMIT",
};

edgeops_status eop_telemetry_open(eop_telemetry *telemetry, const char *path, bool make,
                                  const eop_access *access) {
    eop_sql_options options = {.path = path,
                               .texts = texts,
                               .count = STATEMENTS,
                               .page_size = PAGE_SIZE,
                               .version = VERSION,
                               .schema = make ? schema : NULL,
                               .migrations = migrations,
                               .access = access};
    *telemetry = (eop_telemetry){0};
    edgeops_status status = eop_sql_open(&telemetry->sql, &options);
    if (status == EDGEOPS_OK) {
        sqlite3_wal_autocheckpoint(telemetry->sql.db, 0);
    }
    return status;
}

void eop_telemetry_close(eop_telemetry *telemetry) {
    eop_sql_close(&telemetry->sql);
    eop_rows_dispose(&telemetry->keys);
    eop_parts_dispose(&telemetry->parts);
}

edgeops_status eop_telemetry_home(int64_t *out, eop_telemetry *telemetry) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, HOME_GET);
    if (status == EDGEOPS_OK) {
        status = eop_sql_next(&telemetry->sql, select);
        *out = status == EDGEOPS_OK ? sqlite3_column_int64(select, 0) : 0;
        sqlite3_reset(select);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_telemetry_set_home(eop_telemetry *telemetry, int64_t number) {
    sqlite3_stmt *insert = NULL;
    edgeops_status status = eop_sql_get(&insert, &telemetry->sql, HOME_SET);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(insert, 1, number);
        status = eop_sql_run(&telemetry->sql, insert);
    }
    return status;
}

static int note_wal(void *user_data, sqlite3 *db, const char *name, int pages) {
    eop_telemetry *telemetry = user_data;
    (void)db;
    (void)name;
    telemetry->wal_pages = pages;
    return SQLITE_OK;
}

edgeops_status eop_telemetry_begin_writing(eop_telemetry *telemetry) {
    sqlite3_wal_hook(telemetry->sql.db, note_wal, telemetry);
    edgeops_status status = eop_sql_sync_wal(&telemetry->sql);
    if (status == EDGEOPS_OK) {
        /* An asset's part of a segment changes pages of three tables and two indexes, and those of
         * the chunks that are merged. With too few in memory each is written once an asset. */
        status = eop_sql_exec(&telemetry->sql, "PRAGMA cache_size=-2048");
    }
    return status == EDGEOPS_OK ? eop_sql_set_full(&telemetry->sql, true) : status;
}

uint64_t eop_telemetry_wal_bytes(const eop_telemetry *telemetry) {
    return (uint64_t)telemetry->wal_pages * PAGE_SIZE;
}

void eop_telemetry_checkpoint(uint64_t *bytes, eop_telemetry *telemetry) {
    int in_wal = 0;
    int rc = sqlite3_wal_checkpoint_v2(telemetry->sql.db, NULL, SQLITE_CHECKPOINT_PASSIVE, &in_wal,
                                       NULL);
    *bytes = rc == SQLITE_OK && in_wal > 0 ? (uint64_t)in_wal * PAGE_SIZE : 0;
}

bool eop_telemetry_truncate(eop_telemetry *telemetry) {
    sqlite3 *db = telemetry->sql.db;
    sqlite3_busy_timeout(db, 100);
    int rc = sqlite3_wal_checkpoint_v2(db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    sqlite3_busy_timeout(db, EOP_SQL_BUSY_MS);
    return rc == SQLITE_OK;
}

/* -- reading -- */

/* Prepared: parsing these statements would take a tenth of a short read. */
edgeops_status eop_telemetry_begin(eop_telemetry *telemetry) {
    sqlite3_stmt *begin = NULL;
    edgeops_status status = eop_sql_get(&begin, &telemetry->sql, READ_BEGIN);
    return status == EDGEOPS_OK ? eop_sql_run(&telemetry->sql, begin) : status;
}

void eop_telemetry_end(eop_telemetry *telemetry) {
    sqlite3_stmt *end = NULL;
    eop_sql_reset(&telemetry->sql);
    if (sqlite3_get_autocommit(telemetry->sql.db)) {
        return;
    }
    if (eop_sql_get(&end, &telemetry->sql, READ_END) != EDGEOPS_OK ||
        sqlite3_step(end) != SQLITE_DONE) {
        (void)eop_sql_end(&telemetry->sql, EDGEOPS_DONE);
    }
    sqlite3_reset(end);
}

edgeops_status eop_telemetry_applied(uint64_t *out, eop_telemetry *telemetry) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, APPLIED_GET);
    if (status == EDGEOPS_OK) {
        status = eop_sql_next(&telemetry->sql, select);
    }
    if (status == EDGEOPS_DONE) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "'%s' has lost its position in the journal",
                        telemetry->sql.path);
    }
    if (status == EDGEOPS_OK) {
        *out = (uint64_t)sqlite3_column_int64(select, 0);
        sqlite3_reset(select);
    }
    return status;
}

edgeops_status eop_telemetry_states(eop_telemetry *telemetry, eop_state_fn fn, void *user_data) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, STATE_LIST);
    while (status == EDGEOPS_OK && (status = eop_sql_next(&telemetry->sql, select)) == EDGEOPS_OK) {
        eop_state state = {.extent = {.rows = (uint64_t)sqlite3_column_int64(select, 1),
                                      .parts = (uint64_t)sqlite3_column_int64(select, 9),
                                      .ordinal = (uint64_t)sqlite3_column_int64(select, 2),
                                      .first = sqlite3_column_int64(select, 3),
                                      .last = sqlite3_column_int64(select, 4),
                                      .last_seq = sqlite3_column_int64(select, 5)},
                           .bytes = (uint64_t)sqlite3_column_int64(select, 6),
                           .dropped = (uint64_t)sqlite3_column_int64(select, 7),
                           .until = sqlite3_column_type(select, 8) != SQLITE_NULL
                                        ? sqlite3_column_int64(select, 8)
                                        : INT64_MIN};
        status = fn((uint32_t)sqlite3_column_int64(select, 0), &state, user_data);
    }
    if (select != NULL) {
        sqlite3_reset(select);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_telemetry_take_info(eop_chunk_info *info, sqlite3_stmt *select) {
    int64_t packed = sqlite3_column_int64(select, 5);
    int64_t rows = packed % LATER_UNIT;
    *info = (eop_chunk_info){.id = sqlite3_column_int64(select, 0),
                             .t0 = sqlite3_column_int64(select, 1),
                             .t1 = sqlite3_column_int64(select, 2),
                             .ord0 = (uint64_t)sqlite3_column_int64(select, 3),
                             .ord1 = (uint64_t)sqlite3_column_int64(select, 4),
                             .rows = (size_t)rows,
                             .later = (size_t)(packed / LATER_UNIT)};
    if (packed < 1 || rows < 1 || rows > (int64_t)EOP_CHUNK_ROWS || info->later > info->rows ||
        info->ord1 - info->ord0 < info->rows - 1 || info->ord1 - info->ord0 >= EOP_PARTS_MAX) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "chunk %lld in data/telemetry.db is damaged",
                        (long long)info->id);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_telemetry_find(eop_chunk_list *list, eop_telemetry *telemetry, uint32_t asset,
                                  int64_t from, int64_t to) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, CHUNK_FIND);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, asset);
    eop_sql_bind_int(select, 2, from);
    eop_sql_bind_int(select, 3, to);
    while (status == EDGEOPS_OK && (status = eop_sql_next(&telemetry->sql, select)) == EDGEOPS_OK) {
        if (!eop_grow(&list->items, &list->capacity, list->count + 1, sizeof *list->items)) {
            status = eop_fail_nomem("store");
        } else {
            status = eop_telemetry_take_info(&list->items[list->count], select);
            list->count += status == EDGEOPS_OK;
        }
    }
    sqlite3_reset(select);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_telemetry_at(eop_chunk_info *out, eop_telemetry *telemetry, uint32_t asset,
                                uint64_t ordinal) {
    sqlite3_stmt *select = NULL;
    if (ordinal > INT64_MAX) {
        return EDGEOPS_DONE;
    }
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, CHUNK_AT);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, asset);
    eop_sql_bind_int(select, 2, (int64_t)ordinal);
    status = eop_sql_next(&telemetry->sql, select);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_take_info(out, select);
        sqlite3_reset(select);
    }
    return status;
}

static edgeops_status one_time(int64_t *out, eop_telemetry *telemetry, statement number,
                               uint32_t asset, int64_t time) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, number);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, asset);
    eop_sql_bind_int(select, 2, time);
    status = eop_sql_next(&telemetry->sql, select);
    if (status == EDGEOPS_OK) {
        if (sqlite3_column_type(select, 0) != SQLITE_NULL) {
            *out = sqlite3_column_int64(select, 0);
        }
        sqlite3_reset(select);
    }
    return status;
}

edgeops_status eop_telemetry_gap(int64_t *below, int64_t *above, eop_telemetry *telemetry,
                                 uint32_t asset, int64_t time) {
    *below = INT64_MIN;
    *above = INT64_MAX;
    edgeops_status status = one_time(below, telemetry, CHUNK_BELOW, asset, time);
    return status == EDGEOPS_OK ? one_time(above, telemetry, CHUNK_ABOVE, asset, time) : status;
}
