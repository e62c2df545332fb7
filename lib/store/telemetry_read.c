/* SPDX-License-Identifier: Apache-2.0 */
/* Reads what is in a chunk: its keys and parts, cells, statistics, and rows of it as they were at
 * an ordinal. A connection belongs to one thread at a time. */
#include <sqlite3.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "column/chunk.h"
#include "store/telemetry_db.h"

enum { FEW = 16 }; /* so many channels are read without a look at which of them a chunk has */

/* Moves a statement to the row of a cell id. DONE: there is none. */
static edgeops_status at_cell(sqlite3_stmt **select, eop_telemetry *telemetry, statement number,
                              const eop_chunk_info *chunk, uint32_t slot) {
    if (slot > SLOT_LAST) {
        return EDGEOPS_DONE;
    }
    edgeops_status status = eop_sql_get(select, &telemetry->sql, number);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(*select, 1, eop_cell_id(chunk->id, slot));
    return eop_sql_next(&telemetry->sql, *select);
}

/* DONE: the chunk has no such cell. */
static edgeops_status read_key(int64_t *out, eop_telemetry *telemetry, const eop_chunk_info *chunk,
                               uint32_t slot) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = at_cell(&select, telemetry, CELL_GET, chunk, slot);
    if (status == EDGEOPS_OK) {
        status = eop_chunk_decode_int(out, sqlite3_column_blob(select, 0),
                                      (size_t)sqlite3_column_bytes(select, 0), chunk->rows);
        sqlite3_reset(select);
    }
    return status;
}

edgeops_status eop_telemetry_parts(eop_parts *parts, eop_telemetry *telemetry,
                                   const eop_chunk_info *chunk) {
    sqlite3_stmt *select = NULL;
    if (EOP_LIKELY(!eop_chunk_has_parts(chunk))) {
        return EDGEOPS_DONE;
    }
    edgeops_status status = at_cell(&select, telemetry, CELL_GET, chunk, SLOT_PARTS);
    if (status == EDGEOPS_OK) {
        status = eop_parts_decode(
            parts, sqlite3_column_blob(select, 0), (size_t)sqlite3_column_bytes(select, 0),
            (size_t)(chunk->ord1 - chunk->ord0 + 1), chunk->rows, EOP_CHANNELS_MAX);
        sqlite3_reset(select);
    }
    if (status == EDGEOPS_DONE || (status == EDGEOPS_OK && parts->later_count != chunk->later)) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store",
                        "chunk %lld in data/telemetry.db has lost which samples came in parts",
                        (long long)chunk->id);
    }
    return status;
}

/* Turns places in the chunk into ordinals. */
static void place_ordinals(eop_rows *keys, const eop_chunk_info *chunk) {
    for (size_t i = 0; i < chunk->rows; i++) {
        uint64_t offset = keys->ordinals[i];
        keys->ordinals[i] = chunk->ord0 + (offset < chunk->rows ? offset : 0);
    }
}

/* Those of the parts, else those that were written because the rows did not come in order. */
static edgeops_status read_ordinals(eop_rows *keys, eop_telemetry *telemetry,
                                    const eop_chunk_info *chunk) {
    edgeops_status status = eop_rows_keep_ordinals(keys);
    if (status == EDGEOPS_OK && eop_chunk_has_parts(chunk)) {
        eop_parts_clear(&telemetry->parts);
        status = eop_telemetry_parts(&telemetry->parts, telemetry, chunk);
        if (status == EDGEOPS_OK) {
            eop_parts_ordinals(keys->ordinals, &telemetry->parts, chunk->ord0);
        }
        return status;
    }
    if (status == EDGEOPS_OK) {
        status = read_key((int64_t *)keys->ordinals, telemetry, chunk, SLOT_ORDINALS);
    }
    if (status == EDGEOPS_OK) {
        place_ordinals(keys, chunk);
    } else if (status == EDGEOPS_DONE) {
        eop_rows_drop_ordinals(keys);
        status = EDGEOPS_OK;
    }
    return status;
}

edgeops_status eop_telemetry_keys(eop_telemetry *telemetry, const eop_chunk_info *chunk) {
    eop_rows *keys = &telemetry->keys;
    size_t n = chunk->rows;
    eop_rows_drop_ordinals(keys);
    keys->rows = 0;
    keys->first_ordinal = chunk->ord0;
    telemetry->known = false;
    edgeops_status status = eop_rows_reserve(keys, n);
    if (status == EDGEOPS_OK) {
        status = read_key(keys->times, telemetry, chunk, SLOT_TIMES);
    }
    if (status == EDGEOPS_DONE) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "a chunk in data/telemetry.db is gone");
    }
    if (status == EDGEOPS_OK) {
        status = read_key(keys->seqs, telemetry, chunk, SLOT_SEQS);
    }
    if (status == EDGEOPS_DONE) {
        memset(keys->seqs, 0, n * sizeof *keys->seqs);
        status = EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        status = read_ordinals(keys, telemetry, chunk);
    }
    keys->rows = status == EDGEOPS_OK ? n : 0;
    return status;
}

edgeops_status eop_telemetry_cell(const void **blob, size_t *size, eop_telemetry *telemetry,
                                  const eop_chunk_info *chunk, uint32_t channel) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = at_cell(&select, telemetry, CELL_GET, chunk, channel);
    if (status == EDGEOPS_OK) {
        *blob = sqlite3_column_blob(select, 0);
        *size = (size_t)sqlite3_column_bytes(select, 0);
    }
    return status;
}

static void take_stats(eop_chunk_stats *stats, sqlite3_stmt *select) {
    *stats = (eop_chunk_stats){.count = (uint64_t)sqlite3_column_int64(select, 0),
                               .nulls = (uint64_t)sqlite3_column_int64(select, 1),
                               .min = sqlite3_column_double(select, 2),
                               .max = sqlite3_column_double(select, 3),
                               .sum = sqlite3_column_double(select, 4)};
    if (sqlite3_column_type(select, 2) == SQLITE_INTEGER) {
        stats->min_i64 = sqlite3_column_int64(select, 2);
        stats->max_i64 = sqlite3_column_int64(select, 3);
    }
}

edgeops_status eop_telemetry_stats(eop_chunk_stats *stats, eop_telemetry *telemetry,
                                   const eop_chunk_info *chunk, uint32_t channel) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = at_cell(&select, telemetry, STAT_GET, chunk, channel);
    if (status == EDGEOPS_OK) {
        take_stats(stats, select);
        sqlite3_reset(select);
    }
    return status;
}

edgeops_status eop_telemetry_stats_begin(eop_telemetry *telemetry, const eop_chunk_info *chunk,
                                         uint32_t first, uint32_t last) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, STATS_WALK);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, eop_cell_id(chunk->id, first));
        eop_sql_bind_int(select, 2, eop_cell_id(chunk->id, last));
    }
    return status;
}

edgeops_status eop_telemetry_stats_next(uint32_t *channel, eop_chunk_stats *stats,
                                        eop_telemetry *telemetry) {
    sqlite3_stmt *select = telemetry->sql.statements[STATS_WALK];
    edgeops_status status = eop_sql_next(&telemetry->sql, select);
    if (status == EDGEOPS_OK) {
        take_stats(stats, select);
        *channel = (uint32_t)sqlite3_column_int64(select, 5) & SLOT_LAST;
    }
    return status;
}

static edgeops_status read_cell(eop_vector *vector, eop_telemetry *telemetry,
                                const eop_chunk_info *chunk, uint32_t channel, size_t row,
                                size_t from, size_t to) {
    const void *blob = NULL;
    size_t size = 0;
    edgeops_status status = eop_telemetry_cell(&blob, &size, telemetry, chunk, channel);
    if (status != EDGEOPS_OK) {
        return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    }
    status = eop_vector_pad(vector, row);
    if (status == EDGEOPS_OK) {
        status = eop_chunk_decode(vector, blob, size, chunk->rows, from, to);
    }
    /* Without this the statement would hold a snapshot until the next cell. */
    sqlite3_reset(telemetry->sql.statements[CELL_GET]);
    return status;
}

edgeops_status eop_telemetry_channels(uint64_t *set, eop_telemetry *telemetry,
                                      const eop_chunk_info *chunk) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, CELL_IDS);
    if (status != EDGEOPS_OK) {
        return status;
    }
    memset(set, 0, EOP_CHANNELS_MAX / 8);
    eop_sql_bind_int(select, 1, eop_cell_id(chunk->id, 0));
    eop_sql_bind_int(select, 2, eop_cell_id(chunk->id, EOP_CHANNELS_MAX - 1));
    while ((status = eop_sql_next(&telemetry->sql, select)) == EDGEOPS_OK) {
        uint32_t channel = (uint32_t)(sqlite3_column_int64(select, 0) & SLOT_LAST);
        set[channel / 64] |= UINT64_C(1) << channel % 64;
    }
    sqlite3_reset(select);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

/* Parts of wide rows have few channels, and looking for each that is not there would take longer
 * than reading those that are. */
static edgeops_status learn_channels(eop_telemetry *telemetry, const eop_chunk_info *chunk) {
    edgeops_status status = eop_telemetry_channels(telemetry->channels, telemetry, chunk);
    telemetry->known = status == EDGEOPS_OK;
    return status;
}

static bool has_channel(const eop_telemetry *telemetry, uint32_t channel) {
    return !telemetry->known || (channel < EOP_CHANNELS_MAX &&
                                 (telemetry->channels[channel / 64] >> channel % 64 & 1) != 0);
}

edgeops_status eop_telemetry_slice(eop_rows *rows, eop_telemetry *telemetry,
                                   const eop_chunk_info *chunk, const uint32_t *channels,
                                   size_t from, size_t to) {
    edgeops_status status = eop_rows_append_keys(rows, &telemetry->keys, from, to);
    if (status == EDGEOPS_OK && rows->vector_count > FEW && !telemetry->known) {
        status = learn_channels(telemetry, chunk);
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        uint32_t channel = channels != NULL ? channels[k] : (uint32_t)k;
        if (has_channel(telemetry, channel)) {
            status = read_cell(&rows->vectors[k], telemetry, chunk, channel, rows->rows, from, to);
        }
    }
    if (status == EDGEOPS_OK) {
        rows->rows += to - from;
    } else {
        eop_rows_truncate(rows, rows->rows);
    }
    return status;
}

/* The same, but only what had arrived by max_ordinal. */
static edgeops_status read_arrived(eop_rows *rows, eop_telemetry *telemetry,
                                   const eop_chunk_info *chunk, uint64_t max_ordinal,
                                   const uint32_t *channels, size_t from, size_t to) {
    eop_rows slice = {0};
    uint32_t keep[EOP_CHUNK_ROWS];
    size_t n = 0;
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        status = eop_rows_add_vector(&slice, rows->vectors[k].type, rows->vectors[k].length);
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_slice(&slice, telemetry, chunk, channels, from, to);
    }
    if (status == EDGEOPS_OK && eop_chunk_has_parts(chunk)) {
        status = eop_parts_hide(&slice, 0, &telemetry->parts, chunk->ord0, from, to, max_ordinal,
                                channels);
    }
    for (size_t i = 0; i < slice.rows; i++) {
        if (eop_rows_ordinal(&slice, i) <= max_ordinal) {
            keep[n++] = (uint32_t)i;
        }
    }
    if (status == EDGEOPS_OK && n > 0) {
        status = eop_rows_gather(&slice, keep, n);
        if (status == EDGEOPS_OK) {
            status = eop_rows_copy(rows, &slice, 0, n, NULL);
        }
    }
    eop_rows_dispose(&slice);
    return status;
}

edgeops_status eop_telemetry_read(eop_rows *rows, eop_telemetry *telemetry,
                                  const eop_chunk_info *chunk, const eop_chunk_filter *filter,
                                  const uint32_t *channels) {
    static const eop_chunk_filter all = {INT64_MIN, INT64_MAX, UINT64_MAX};
    filter = filter != NULL ? filter : &all;
    if (chunk->ord0 > filter->max_ordinal) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_telemetry_keys(telemetry, chunk);
    if (status != EDGEOPS_OK) {
        return status;
    }
    const eop_rows *keys = &telemetry->keys;
    size_t from = eop_times_lower(keys->times, keys->rows, filter->from);
    size_t to = eop_times_upper(keys->times, keys->rows, filter->to);
    if (from >= to) {
        return EDGEOPS_OK;
    }
    if (chunk->ord1 > filter->max_ordinal) {
        return read_arrived(rows, telemetry, chunk, filter->max_ordinal, channels, from, to);
    }
    return eop_telemetry_slice(rows, telemetry, chunk, channels, from, to);
}
