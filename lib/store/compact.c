/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses which small chunks are merged with new rows, and reads them back; see compact.h. Runs in
 * the writer's transaction. */
#include "store/compact.h"

#include <sqlite3.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/telemetry_db.h"

/* The newest small chunks right below an ordinal, without a gap, newest first. */
typedef struct run {
    eop_chunk_info chunks[EOP_COMPACT_RUN];
    size_t count;
} run;

/* The number of the run's chunks worth merging with n rows. */
static size_t chunks_worth_merging(const run *r, size_t n, size_t cut) {
    size_t sum = n;
    size_t largest = n;
    size_t best = 0;
    for (size_t i = 0; i < r->count; i++) {
        sum += r->chunks[i].rows;
        largest = r->chunks[i].rows > largest ? r->chunks[i].rows : largest;
        if (sum >= cut) {
            return i + 1;
        }
        if (sum >= EOP_COMPACT_FACTOR * largest) {
            best = i + 1;
        }
    }
    return best;
}

static edgeops_status find_run(run *r, eop_telemetry *telemetry, uint32_t asset, uint64_t first,
                               size_t full, size_t limit) {
    sqlite3_stmt *select = NULL;
    uint64_t next = first;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, CHUNK_BACK);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(select, 1, asset);
    eop_sql_bind_int(select, 2, (int64_t)first);
    while (r->count < limit && (status = eop_sql_next(&telemetry->sql, select)) == EDGEOPS_OK) {
        eop_chunk_info *chunk = &r->chunks[r->count];
        if (eop_telemetry_take_info(chunk, select) != EDGEOPS_OK || chunk->ord1 + 1 != next ||
            chunk->rows >= full) {
            break;
        }
        next = chunk->ord0;
        r->count++;
    }
    sqlite3_reset(select);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

/* Sorts by arrival. E_CORRUPT when a row is missing or there twice. */
static edgeops_status order_by_arrival(eop_rows *rows, uint64_t first, uint64_t end) {
    edgeops_status status = eop_rows_complete(rows);
    if (status == EDGEOPS_OK) {
        status = eop_rows_sort_by_arrival(rows);
    }
    bool good = status == EDGEOPS_OK && rows->rows == end - first;
    for (size_t i = 0; good && i < rows->rows; i++) {
        good = eop_rows_ordinal(rows, i) == first + i;
    }
    if (status == EDGEOPS_OK && !good) {
        return eop_fail(EDGEOPS_E_CORRUPT, "store", "chunks in data/telemetry.db lack rows");
    }
    eop_free(rows->ordinals);
    rows->ordinals = NULL;
    rows->first_ordinal = first;
    return status;
}

static void clear_rows(eop_rows *rows) {
    eop_rows_clear(rows);
    eop_free(rows->ordinals);
    rows->ordinals = NULL;
}

edgeops_status eop_compact_read(eop_rows *rows, size_t *count, eop_telemetry *telemetry,
                                const eop_chunk_info *chunks) {
    static const eop_chunk_filter all = {INT64_MIN, INT64_MAX, UINT64_MAX};
    uint32_t channels[EOP_CHANNELS_MAX];
    for (uint32_t k = 0; k < EOP_CHANNELS_MAX; k++) {
        channels[k] = k;
    }
    edgeops_status status = EDGEOPS_OK;
    size_t left = *count;
    for (size_t i = *count; i-- > 0;) {
        status = eop_telemetry_read(rows, telemetry, &chunks[i], &all, channels);
        if (eop_sql_unreadable(status)) {
            clear_rows(rows);
            left = i;
        } else if (status != EDGEOPS_OK) {
            return status;
        }
    }
    *count = left;
    if (left == 0) {
        return EDGEOPS_OK;
    }
    status = order_by_arrival(rows, chunks[left - 1].ord0, chunks[0].ord1 + 1);
    if (eop_sql_unreadable(status)) {
        clear_rows(rows);
        *count = 0;
        return EDGEOPS_OK;
    }
    return status;
}

edgeops_status eop_compact_take(eop_rows *rows, eop_telemetry *telemetry, uint32_t asset,
                                uint64_t first, size_t n, size_t cut, size_t *budget) {
    run r = {.count = 0};
    size_t limit = *budget < EOP_COMPACT_RUN ? *budget : EOP_COMPACT_RUN;
    if (limit == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = find_run(&r, telemetry, asset, first, cut / 4 * 3, limit);
    size_t count = status == EDGEOPS_OK ? chunks_worth_merging(&r, n, cut) : 0;
    if (count > 0) {
        *budget -= count;
        status = eop_compact_read(rows, &count, telemetry, r.chunks);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        status = eop_telemetry_remove_chunk(telemetry, r.chunks[i].id);
    }
    return status;
}
