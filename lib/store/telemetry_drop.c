/* SPDX-License-Identifier: Apache-2.0 */
/* Removes chunks from telemetry.db: a single one, or all of an asset and its rollups in steps;
 * returns free pages to the file system. The writer's thread only. */
#include <sqlite3.h>

#include "store/compact.h"
#include "store/telemetry_db.h"

enum { DROP_CHUNKS = 16 };

/* The id after the last chunk below `end`. */
static edgeops_status find_next_id(int64_t *out, eop_telemetry *telemetry, int64_t end) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, CHUNK_LAST_ID);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, end);
        status = eop_sql_next(&telemetry->sql, select);
    }
    if (status == EDGEOPS_OK) {
        *out = sqlite3_column_int64(select, 0) + 1;
        sqlite3_reset(select);
    }
    return status;
}

edgeops_status eop_telemetry_know_ids(eop_telemetry *telemetry) {
    int64_t next[2] = {0};
    if (EOP_LIKELY(telemetry->next_id[0] != 0)) {
        return EDGEOPS_OK;
    }
    edgeops_status status = find_next_id(&next[0], telemetry, EOP_CHUNK_FULL_ID);
    if (status == EDGEOPS_OK) {
        status = find_next_id(&next[1], telemetry, INT64_MAX);
    }
    if (status == EDGEOPS_OK) {
        telemetry->next_id[0] = next[0];
        telemetry->next_id[1] = next[1] > EOP_CHUNK_FULL_ID ? next[1] : EOP_CHUNK_FULL_ID;
    }
    return status;
}

edgeops_status eop_telemetry_cell_bytes(uint64_t *out, eop_telemetry *telemetry, int64_t chunk,
                                        uint32_t first, uint32_t last) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, CHUNK_BYTES);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, eop_cell_id(chunk, first));
        eop_sql_bind_int(select, 2, eop_cell_id(chunk, last));
        status = eop_sql_next(&telemetry->sql, select);
    }
    if (status == EDGEOPS_OK) {
        *out = (uint64_t)sqlite3_column_int64(select, 0);
        sqlite3_reset(select);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_telemetry_chunk_bytes(uint64_t *out, eop_telemetry *telemetry, int64_t id) {
    return eop_telemetry_cell_bytes(out, telemetry, id, 0, SLOT_LAST);
}

edgeops_status eop_telemetry_remove_cells(eop_telemetry *telemetry, int64_t chunk, uint32_t first,
                                          uint32_t last) {
    static const statement of_channels[] = {CELLS_REMOVE, STATS_REMOVE};
    uint64_t bytes = 0;
    edgeops_status status = eop_telemetry_cell_bytes(&bytes, telemetry, chunk, first, last);
    telemetry->grown -= (int64_t)bytes;
    for (size_t i = 0; status == EDGEOPS_OK && i < EOP_COUNT(of_channels); i++) {
        sqlite3_stmt *remove = NULL;
        status = eop_sql_get(&remove, &telemetry->sql, of_channels[i]);
        if (status == EDGEOPS_OK) {
            eop_sql_bind_int(remove, 1, eop_cell_id(chunk, first));
            eop_sql_bind_int(remove, 2, eop_cell_id(chunk, last));
            status = eop_sql_run(&telemetry->sql, remove);
        }
    }
    return status;
}

edgeops_status eop_telemetry_remove_chunk(eop_telemetry *telemetry, int64_t id) {
    sqlite3_stmt *remove = NULL;
    edgeops_status status = eop_telemetry_know_ids(telemetry);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_remove_cells(telemetry, id, 0, SLOT_LAST);
    }
    if (status == EDGEOPS_OK) {
        status = eop_sql_get(&remove, &telemetry->sql, CHUNK_REMOVE);
    }
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(remove, 1, id);
        status = eop_sql_run(&telemetry->sql, remove);
    }
    return status;
}

/* EDGEOPS_OK: removed one. */
static edgeops_status drop_one(eop_telemetry *telemetry, uint32_t asset) {
    sqlite3_stmt *find = NULL;
    edgeops_status status = eop_sql_get(&find, &telemetry->sql, CHUNK_IDS);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(find, 1, asset);
        status = eop_sql_next(&telemetry->sql, find);
    }
    if (status == EDGEOPS_OK) {
        int64_t id = sqlite3_column_int64(find, 0);
        sqlite3_reset(find);
        status = eop_telemetry_remove_chunk(telemetry, id);
    }
    return status;
}

static edgeops_status delete_rows_of(eop_telemetry *telemetry, statement number, uint32_t asset) {
    sqlite3_stmt *remove = NULL;
    edgeops_status status = eop_sql_get(&remove, &telemetry->sql, number);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(remove, 1, asset);
        status = eop_sql_run(&telemetry->sql, remove);
    }
    return status;
}

/* Finds one of the asset's rollups. DONE: there is none. */
static edgeops_status one_rollup(uint32_t *out, eop_telemetry *telemetry, uint32_t asset) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, ROLLUP_LIST);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, asset);
        status = eop_sql_next(&telemetry->sql, select);
    }
    if (status == EDGEOPS_OK) {
        *out = (uint32_t)sqlite3_column_int64(select, 0);
        sqlite3_reset(select);
    }
    return status;
}

/* Removes a chunk of the asset, then of its rollups. DONE: nothing is left. */
static edgeops_status drop_next(eop_telemetry *telemetry, uint32_t asset) {
    uint32_t rollup = 0;
    edgeops_status status = drop_one(telemetry, asset);
    if (status == EDGEOPS_DONE) {
        status = one_rollup(&rollup, telemetry, asset);
        if (status == EDGEOPS_OK) {
            status = drop_one(telemetry, rollup);
        }
        if (status == EDGEOPS_DONE && rollup != 0) {
            status = delete_rows_of(telemetry, STATE_REMOVE, rollup);
            if (status == EDGEOPS_OK) {
                status = delete_rows_of(telemetry, ROLLUP_REMOVE, rollup);
            }
        }
    }
    return status;
}

edgeops_status eop_telemetry_drop(eop_telemetry *telemetry, uint32_t asset) {
    bool more = true;
    edgeops_status status = eop_sql_begin(&telemetry->sql);
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (int n = 0; status == EDGEOPS_OK && n < DROP_CHUNKS; n++) {
        status = drop_next(telemetry, asset);
    }
    if (status == EDGEOPS_DONE) {
        /* `state` is removed last: it tells the next opening that there is more to remove. */
        more = false;
        status = delete_rows_of(telemetry, STATE_REMOVE, asset);
    }
    status = eop_sql_end(&telemetry->sql, status);
    return status == EDGEOPS_OK && !more ? EDGEOPS_DONE : status;
}

edgeops_status eop_telemetry_shrink(eop_telemetry *telemetry) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, FREE_PAGES);
    if (status == EDGEOPS_OK) {
        status = eop_sql_next(&telemetry->sql, select);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    bool more = sqlite3_column_int64(select, 0) > 0;
    sqlite3_reset(select);
    return more ? eop_sql_exec(&telemetry->sql, "PRAGMA incremental_vacuum(64)") : EDGEOPS_DONE;
}
