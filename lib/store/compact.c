/* SPDX-License-Identifier: Apache-2.0 */
/* Chooses which small chunks are merged with new rows, and reads them back; see compact.h. Runs in
 * the writer's transaction. */
#include "store/compact.h"

#include <sqlite3.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/telemetry_db.h"

/* Bounds the memory of a merge: rows that may be parts of one another, in full chunks. */
enum { ROWS_FACTOR = 16 };

/* The newest small chunks right below an ordinal, without a gap, newest first. */
typedef struct run {
    eop_chunk_info chunks[EOP_COMPACT_RUN];
    size_t count;
} run;

/* The next group that overlaps with this one. sum->group_count: none. */
static size_t find_overlap(const eop_compact_sum *sum, const eop_compact_group *with) {
    size_t i = 0;
    while (i < sum->group_count && (sum->groups[i].t0 > with->t1 || sum->groups[i].t1 < with->t0)) {
        i++;
    }
    return i;
}

void eop_compact_add(eop_compact_sum *sum, const eop_chunk_info *chunk) {
    eop_compact_group all = {chunk->t0, chunk->t1, chunk->rows - chunk->later, chunk->rows};
    for (size_t i = find_overlap(sum, &all); i < sum->group_count; i = find_overlap(sum, &all)) {
        const eop_compact_group *item = &sum->groups[i];
        all.t0 = item->t0 < all.t0 ? item->t0 : all.t0;
        all.t1 = item->t1 > all.t1 ? item->t1 : all.t1;
        all.begun += item->begun;
        all.most = item->most > all.most ? item->most : all.most;
        sum->groups[i] = sum->groups[--sum->group_count];
    }
    sum->groups[sum->group_count++] = all;
    size_t arrivals = (size_t)(chunk->ord1 - chunk->ord0 + 1);
    sum->arrivals += arrivals;
    sum->largest = arrivals > sum->largest ? arrivals : sum->largest;
    sum->rows += chunk->rows;
    sum->parts = sum->parts || eop_chunk_has_parts(chunk);
}

bool eop_compact_makes_full(const eop_compact_sum *sum, size_t cut) {
    size_t rows = 0;
    for (size_t i = 0; i < sum->group_count; i++) {
        const eop_compact_group *item = &sum->groups[i];
        rows += item->begun > item->most ? item->begun : item->most;
    }
    return rows >= cut;
}

bool eop_compact_too_much(const eop_compact_sum *sum, size_t cut) {
    return sum->parts && (sum->rows > ROWS_FACTOR * cut || sum->arrivals >= EOP_PARTS_MAX);
}

/* The number of the run's chunks worth merging with the new rows. */
static size_t chunks_worth_merging(const run *r, const eop_chunk_info *news, size_t cut) {
    eop_compact_sum sum = {.group_count = 0};
    size_t best = 0;
    eop_compact_add(&sum, news);
    for (size_t i = 0; i < r->count; i++) {
        eop_compact_add(&sum, &r->chunks[i]);
        if (eop_compact_too_much(&sum, cut)) {
            return best;
        }
        if (eop_compact_makes_full(&sum, cut)) {
            return i + 1;
        }
        if (sum.arrivals >= EOP_COMPACT_FACTOR * sum.largest) {
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
    eop_rows_drop_ordinals(rows);
    rows->first_ordinal = first;
    return status;
}

static void clear_rows(eop_rows *rows, eop_parts *parts) {
    eop_rows_clear(rows);
    eop_rows_drop_ordinals(rows);
    eop_parts_clear(parts);
}

/* Joins what is the same row already, when that may halve the memory. */
static edgeops_status fold_early(eop_rows *rows, eop_parts *parts, size_t *limit) {
    if (rows->rows < *limit) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_parts_sort(rows, parts, rows->first_ordinal);
    *limit = rows->rows > *limit / 2 ? 2 * rows->rows : *limit;
    return status;
}

/* Appends a chunk to a collection. E_CORRUPT. */
static edgeops_status append_chunk(eop_rows *rows, eop_parts *parts, eop_telemetry *telemetry,
                                   const eop_chunk_info *chunk) {
    eop_rows piece = {0};
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        status = eop_rows_add_vector(&piece, rows->vectors[k].type, rows->vectors[k].length);
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_read(&piece, telemetry, chunk, NULL, NULL);
    }
    if (status == EDGEOPS_OK && eop_chunk_has_parts(chunk)) {
        status = eop_parts_append(rows, parts, &piece, &telemetry->parts);
    } else if (status == EDGEOPS_OK) {
        status = order_by_arrival(&piece, chunk->ord0, chunk->ord1 + 1);
        if (status == EDGEOPS_OK) {
            status = eop_parts_append(rows, parts, &piece, NULL);
        }
    }
    eop_rows_dispose(&piece);
    return status;
}

/* eop_compact_read() where a chunk has parts. */
static edgeops_status read_collection(eop_rows *rows, eop_parts *parts, size_t *count,
                                      eop_telemetry *telemetry, const eop_chunk_info *chunks,
                                      size_t cut) {
    size_t left = *count;
    size_t limit = 2 * cut;
    for (size_t i = *count; i-- > 0;) {
        edgeops_status status = append_chunk(rows, parts, telemetry, &chunks[i]);
        if (eop_sql_unreadable(status)) {
            clear_rows(rows, parts);
            left = i;
            status = EDGEOPS_OK;
        } else if (status == EDGEOPS_OK) {
            rows->first_ordinal = chunks[left - 1].ord0;
            status = fold_early(rows, parts, &limit);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    *count = left;
    return EDGEOPS_OK;
}

/* eop_compact_read() where all rows came whole. */
static edgeops_status read_whole(eop_rows *rows, size_t *count, eop_telemetry *telemetry,
                                 const eop_chunk_info *chunks) {
    eop_parts none = {0};
    edgeops_status status = EDGEOPS_OK;
    size_t left = *count;
    for (size_t i = *count; i-- > 0;) {
        status = eop_telemetry_read(rows, telemetry, &chunks[i], NULL, NULL);
        if (eop_sql_unreadable(status)) {
            clear_rows(rows, &none);
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
        clear_rows(rows, &none);
        *count = 0;
        return EDGEOPS_OK;
    }
    return status;
}

edgeops_status eop_compact_read(eop_rows *rows, eop_parts *parts, size_t *count,
                                eop_telemetry *telemetry, const eop_chunk_info *chunks,
                                size_t cut) {
    bool whole = true;
    for (size_t i = 0; i < *count; i++) {
        whole = whole && !eop_chunk_has_parts(&chunks[i]);
    }
    return whole ? read_whole(rows, count, telemetry, chunks)
                 : read_collection(rows, parts, count, telemetry, chunks, cut);
}

edgeops_status eop_compact_take(eop_rows *rows, eop_parts *parts, eop_telemetry *telemetry,
                                uint32_t asset, const eop_chunk_info *news, size_t cut,
                                size_t *budget) {
    run r = {.count = 0};
    size_t limit = *budget < EOP_COMPACT_RUN ? *budget : EOP_COMPACT_RUN;
    if (limit == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = find_run(&r, telemetry, asset, news->ord0, cut / 4 * 3, limit);
    size_t count = status == EDGEOPS_OK ? chunks_worth_merging(&r, news, cut) : 0;
    if (count > 0) {
        *budget -= count;
        status = eop_compact_read(rows, parts, &count, telemetry, r.chunks, cut);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        status = eop_telemetry_remove_chunk(telemetry, r.chunks[i].id);
    }
    return status;
}
