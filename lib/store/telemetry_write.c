/* SPDX-License-Identifier: Apache-2.0 */
/* Writes chunks into telemetry.db: cuts, sorts and encodes rows, with their statistics and the
 * state of their asset. The writer's thread only; one transaction for a segment. */

#include <sqlite3.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "column/chunk.h"
#include "store/compact.h"
#include "store/telemetry_db.h"

enum { MERGE_MIN = 1024, CHUNK_MAX = 4 * 1024 * 1024, SPLITS_MAX = 8 };

static edgeops_status write_stats(eop_telemetry *telemetry, int64_t id, const eop_vector *vector) {
    sqlite3_stmt *insert = NULL;
    eop_chunk_stats stats;
    edgeops_status status = eop_sql_get(&insert, &telemetry->sql, STAT_ADD);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_chunk_measure(&stats, vector);
    eop_sql_bind_int(insert, 1, id);
    eop_sql_bind_int(insert, 2, (int64_t)stats.count);
    eop_sql_bind_int(insert, 3, (int64_t)stats.nulls);
    if (eop_chunk_measures(vector) && stats.count > 0) {
        if (eop_type_is_float(vector->type)) {
            sqlite3_bind_double(insert, 4, stats.min);
            sqlite3_bind_double(insert, 5, stats.max);
        } else {
            eop_sql_bind_int(insert, 4, stats.min_i64);
            eop_sql_bind_int(insert, 5, stats.max_i64);
        }
        sqlite3_bind_double(insert, 6, stats.sum);
    }
    return eop_sql_run(&telemetry->sql, insert);
}

/* Writes the BLOB in buf as a cell. */
static edgeops_status write_cell(eop_telemetry *telemetry, int64_t id, const eop_buf *buf) {
    sqlite3_stmt *insert = NULL;
    if (buf->failed) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_sql_get(&insert, &telemetry->sql, CELL_ADD);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(insert, 1, id);
        eop_sql_bind_blob(insert, 2, buf->data, buf->size);
        status = eop_sql_run(&telemetry->sql, insert);
        telemetry->grown += (int64_t)buf->size;
    }
    return status;
}

static edgeops_status write_channel(eop_telemetry *telemetry, int64_t chunk, uint32_t slot,
                                    const eop_vector *vector, eop_buf *buf) {
    int64_t id = eop_cell_id(chunk, slot);
    eop_buf_clear(buf);
    eop_chunk_encode(buf, vector);
    edgeops_status status = write_cell(telemetry, id, buf);
    return status == EDGEOPS_OK ? write_stats(telemetry, id, vector) : status;
}

edgeops_status eop_telemetry_put_cell(eop_telemetry *telemetry, int64_t chunk, uint32_t slot,
                                      const eop_vector *vector, eop_buf *buf) {
    edgeops_status status = eop_telemetry_remove_cells(telemetry, chunk, slot, slot);
    return status == EDGEOPS_OK && vector->nulls < vector->filled
               ? write_channel(telemetry, chunk, slot, vector, buf)
               : status;
}

static edgeops_status write_cells(eop_telemetry *telemetry, int64_t chunk, const eop_rows *rows,
                                  eop_buf *buf) {
    for (size_t k = 0; k < rows->vector_count; k++) {
        const eop_vector *vector = &rows->vectors[k];
        if (vector->nulls == rows->rows) {
            continue;
        }
        edgeops_status status = write_channel(telemetry, chunk, (uint32_t)k, vector, buf);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status write_key(eop_telemetry *telemetry, int64_t chunk, uint32_t slot,
                                const int64_t *values, size_t n, eop_buf *buf) {
    eop_buf_clear(buf);
    eop_chunk_encode_int(buf, values, n);
    return write_cell(telemetry, eop_cell_id(chunk, slot), buf);
}

static edgeops_status write_parts_cell(eop_telemetry *telemetry, int64_t chunk,
                                       const eop_parts *parts, eop_buf *buf) {
    eop_buf_clear(buf);
    eop_parts_encode(buf, parts);
    return write_cell(telemetry, eop_cell_id(chunk, SLOT_PARTS), buf);
}

edgeops_status eop_telemetry_put_parts(eop_telemetry *telemetry, int64_t chunk,
                                       const eop_parts *parts, eop_buf *buf) {
    edgeops_status status = eop_telemetry_remove_cells(telemetry, chunk, SLOT_PARTS, SLOT_PARTS);
    return status == EDGEOPS_OK ? write_parts_cell(telemetry, chunk, parts, buf) : status;
}

/* Called after the channels, so that cells are inserted with ascending ids. parts: have the
 * ordinals, too; NULL: none. */
static edgeops_status write_keys(eop_telemetry *telemetry, int64_t chunk, eop_rows *rows,
                                 const eop_parts *parts, uint64_t first_ordinal, eop_buf *buf) {
    size_t n = rows->rows;
    edgeops_status status = write_key(telemetry, chunk, SLOT_TIMES, rows->times, n, buf);
    if (status == EDGEOPS_OK && !eop_all_zero(rows->seqs, n)) {
        status = write_key(telemetry, chunk, SLOT_SEQS, rows->seqs, n, buf);
    }
    if (status == EDGEOPS_OK && parts != NULL) {
        return write_parts_cell(telemetry, chunk, parts, buf);
    }
    if (status == EDGEOPS_OK && rows->ordinals != NULL) {
        for (size_t i = 0; i < n; i++) {
            rows->ordinals[i] -= first_ordinal;
        }
        status =
            write_key(telemetry, chunk, SLOT_ORDINALS, (const int64_t *)rows->ordinals, n, buf);
    }
    return status;
}

/* Fewer rows where they are wide. */
size_t eop_telemetry_cut(const eop_rows *rows) {
    size_t bytes = 1;
    for (size_t k = 0; k < rows->vector_count; k++) {
        const eop_vector *vector = &rows->vectors[k];
        bytes += eop_vector_row_bytes(vector);
        bytes += rows->rows > 0 ? vector->bytes_size / rows->rows : 0;
    }
    size_t cut = CHUNK_MAX / bytes;
    return cut > EOP_CHUNK_CUT ? EOP_CHUNK_CUT : cut < EOP_CHUNK_CUT_MIN ? EOP_CHUNK_CUT_MIN : cut;
}

/* Writes sorted rows. Their ordinals are first_ordinal.. in some order, or those of the parts. */
static edgeops_status write_chunk(eop_telemetry *telemetry, uint32_t asset, uint64_t first_ordinal,
                                  eop_rows *rows, const eop_parts *parts, eop_buf *buf) {
    sqlite3_stmt *insert = NULL;
    size_t n = rows->rows;
    size_t arrivals = parts != NULL ? parts->count : n;
    size_t later = parts != NULL ? parts->later_count : 0;
    bool full = n >= eop_telemetry_cut(rows) / 4 * 3;
    edgeops_status status = eop_telemetry_know_ids(telemetry);
    if (status == EDGEOPS_OK) {
        status = eop_sql_get(&insert, &telemetry->sql, CHUNK_ADD);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    int64_t id = telemetry->next_id[full]++;
    eop_sql_bind_int(insert, 1, id);
    eop_sql_bind_int(insert, 2, asset);
    eop_sql_bind_int(insert, 3, rows->times[0]);
    eop_sql_bind_int(insert, 4, rows->times[n - 1]);
    eop_sql_bind_int(insert, 5, (int64_t)first_ordinal);
    eop_sql_bind_int(insert, 6, (int64_t)(first_ordinal + arrivals - 1));
    eop_sql_bind_int(insert, 7, (int64_t)(n + later * LATER_UNIT));
    status = eop_sql_run(&telemetry->sql, insert);
    if (status == EDGEOPS_OK) {
        status = write_cells(telemetry, id, rows, buf);
    }
    return status == EDGEOPS_OK ? write_keys(telemetry, id, rows, parts, first_ordinal, buf)
                                : status;
}

static edgeops_status write_state(eop_telemetry *telemetry, uint32_t asset,
                                  const eop_extent *extent) {
    sqlite3_stmt *upsert = NULL;
    edgeops_status status = eop_sql_get(&upsert, &telemetry->sql, STATE_ADD);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_sql_bind_int(upsert, 1, asset);
    eop_sql_bind_int(upsert, 2, (int64_t)extent->rows);
    eop_sql_bind_int(upsert, 3, (int64_t)extent->ordinal);
    eop_sql_bind_int(upsert, 4, extent->first);
    eop_sql_bind_int(upsert, 5, extent->last);
    eop_sql_bind_int(upsert, 6, extent->last_seq);
    eop_sql_bind_int(upsert, 7, telemetry->grown);
    eop_sql_bind_int(upsert, 8, (int64_t)extent->parts);
    return eop_sql_run(&telemetry->sql, upsert);
}

/* The time of arrival i. */
static int64_t time_of(const eop_rows *data, const eop_parts *parts, size_t i) {
    return data->times[parts != NULL ? parts->rows[i] : i];
}

/* The end of the arrivals from `from` on that are on one side of the time. */
static size_t end_of_side(const eop_rows *data, const eop_parts *parts, size_t from, size_t to,
                          int64_t split) {
    bool older = time_of(data, parts, from) < split;
    size_t i = from + 1;
    while (i < to && (time_of(data, parts, i) < split) == older) {
        i++;
    }
    return i;
}

/* Writes arrivals [from, to) of rows that came whole. */
static edgeops_status write_whole(eop_telemetry *telemetry, uint32_t asset, const eop_rows *data,
                                  bool sorted, size_t from, size_t to, eop_buf *buf) {
    eop_rows piece = {0};
    edgeops_status status = sorted ? eop_rows_view(&piece, data, from, to) : EDGEOPS_DONE;
    if (status == EDGEOPS_OK) {
        status = write_chunk(telemetry, asset, piece.first_ordinal, &piece, NULL, buf);
        eop_rows_view_dispose(&piece);
        return status;
    }
    if (status == EDGEOPS_DONE) {
        status = eop_rows_copy(&piece, data, from, to, NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_complete(&piece);
    }
    if (status == EDGEOPS_OK && !sorted) {
        status = eop_rows_sort(&piece);
    }
    if (status == EDGEOPS_OK) {
        status = write_chunk(telemetry, asset, data->first_ordinal + from, &piece, NULL, buf);
    }
    eop_rows_dispose(&piece);
    return status;
}

/* Writes a sorted collection. Where each row came whole and began in it, nothing tells it from one
 * without parts. */
static edgeops_status write_collection(eop_telemetry *telemetry, uint32_t asset, uint64_t first,
                                       eop_rows *rows, const eop_parts *parts, eop_buf *buf) {
    bool whole = eop_parts_all_whole(parts);
    bool ascending = true;
    for (size_t i = 0; whole && ascending && i < rows->rows; i++) {
        ascending = parts->rows[i] == i;
    }
    if (whole && ascending) {
        eop_rows_drop_ordinals(rows);
        rows->first_ordinal = first;
    }
    return write_chunk(telemetry, asset, first, rows, whole ? NULL : parts, buf);
}

/* Writes arrivals [from, to) of a collection, with the rows that they made. */
static edgeops_status write_parts(eop_telemetry *telemetry, uint32_t asset, const eop_rows *data,
                                  const eop_parts *parts, size_t from, size_t to, eop_buf *buf) {
    eop_rows piece = {0};
    eop_parts of_piece = {0};
    uint64_t first = data->first_ordinal + from;
    edgeops_status status =
        eop_parts_slice(&piece, &of_piece, data, parts, data->first_ordinal, from, to);
    if (status == EDGEOPS_OK) {
        status = eop_parts_sort(&piece, &of_piece, first);
    }
    if (status == EDGEOPS_OK) {
        status = write_collection(telemetry, asset, first, &piece, &of_piece, buf);
    }
    eop_parts_dispose(&of_piece);
    eop_rows_dispose(&piece);
    return status;
}

/* Writes rows, which are in order of arrival or have parts. Cuts before it sorts: so the ordinals
 * of a chunk have no gap, and a cursor reads each chunk once. split: a time at which to cut, too, a
 * few times; may be NULL. */
static edgeops_status write_rows(eop_telemetry *telemetry, uint32_t asset, const eop_rows *data,
                                 const eop_parts *parts, bool sorted, const int64_t *split,
                                 eop_buf *buf) {
    edgeops_status status = EDGEOPS_OK;
    size_t cut = eop_telemetry_cut(data);
    size_t count = parts != NULL ? parts->count : data->rows;
    size_t to = 0;
    int splits = 0;
    for (size_t from = 0; status == EDGEOPS_OK && from < count; from = to) {
        size_t fit = parts != NULL ? eop_parts_fit(parts, from, cut) : cut;
        to = count - from > fit ? from + fit : count;
        if (split != NULL && splits++ < SPLITS_MAX) {
            to = end_of_side(data, parts, from, to, *split);
        }
        status = parts != NULL ? write_parts(telemetry, asset, data, parts, from, to, buf)
                               : write_whole(telemetry, asset, data, sorted, from, to, buf);
    }
    return status;
}

/* Writes what was merged; sorts it. */
static edgeops_status write_merged(eop_telemetry *telemetry, uint32_t asset, eop_rows *rows,
                                   eop_parts *parts, eop_buf *buf) {
    if (parts->count == 0) {
        return write_rows(telemetry, asset, rows, NULL, false, NULL, buf);
    }
    edgeops_status status = eop_parts_sort(rows, parts, rows->first_ordinal);
    if (status == EDGEOPS_OK && rows->rows <= eop_telemetry_cut(rows)) {
        return write_collection(telemetry, asset, rows->first_ordinal, rows, parts, buf);
    }
    return status == EDGEOPS_OK ? write_rows(telemetry, asset, rows, parts, false, NULL, buf)
                                : status;
}

edgeops_status eop_telemetry_replace_rows(eop_telemetry *telemetry, uint32_t asset, eop_rows *rows,
                                          eop_parts *parts, eop_buf *buf) {
    edgeops_status status = write_merged(telemetry, asset, rows, parts, buf);
    return status == EDGEOPS_OK ? eop_telemetry_note_grown(telemetry, asset) : status;
}

edgeops_status eop_telemetry_note_grown(eop_telemetry *telemetry, uint32_t asset) {
    sqlite3_stmt *update = NULL;
    edgeops_status status = eop_sql_get(&update, &telemetry->sql, STATE_GREW);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(update, 1, asset);
        eop_sql_bind_int(update, 2, telemetry->grown);
        status = eop_sql_run(&telemetry->sql, update);
    }
    return status;
}

/* New rows of an asset. */
typedef struct news {
    const eop_rows *data;
    const eop_parts *parts; /* NULL: they came whole */
    bool sorted;
    const int64_t *split; /* see write_rows() */
    int64_t t_min;
    int64_t t_max;
    const eop_extent *extent;
} news;

/* What they would be as one chunk. */
static eop_chunk_info describe_news(const news *n) {
    size_t arrivals = n->parts != NULL ? n->parts->count : n->data->rows;
    return (eop_chunk_info){.t0 = n->t_min,
                            .t1 = n->t_max,
                            .ord0 = n->data->first_ordinal,
                            .ord1 = n->data->first_ordinal + arrivals - 1,
                            .rows = n->data->rows,
                            .later = n->parts != NULL ? n->parts->later_count : 0};
}

/* Appends the new rows to those of the chunks before them. */
static edgeops_status merge_news(eop_rows *rows, eop_parts *parts, const news *n) {
    edgeops_status status = EDGEOPS_OK;
    if (n->parts == NULL && parts->count == 0) {
        return eop_rows_copy(rows, n->data, 0, n->data->rows, NULL);
    }
    if (parts->count == 0) {
        status = eop_parts_begin(parts, rows->rows);
    }
    return status == EDGEOPS_OK ? eop_parts_append(rows, parts, n->data, n->parts) : status;
}

/* Writes new rows of an asset, merged with the small chunks before them. */
static edgeops_status put_rows(eop_telemetry *telemetry, uint32_t asset, const news *n,
                               eop_buf *buf, size_t *budget) {
    eop_rows merged = {0};
    eop_parts parts = {0};
    const eop_rows *data = n->data;
    const eop_chunk_info like = describe_news(n);
    edgeops_status status = EDGEOPS_OK;
    telemetry->grown = 0;
    for (size_t k = 0; *budget > 0 && status == EDGEOPS_OK && k < data->vector_count; k++) {
        status = eop_rows_add_vector(&merged, data->vectors[k].type, data->vectors[k].length);
    }
    if (status == EDGEOPS_OK) {
        status = eop_compact_take(&merged, &parts, telemetry, asset, &like, eop_telemetry_cut(data),
                                  budget);
    }
    if (status == EDGEOPS_OK && merged.rows > 0) {
        status = merge_news(&merged, &parts, n);
        if (status == EDGEOPS_OK) {
            status = write_merged(telemetry, asset, &merged, &parts, buf);
        }
    } else if (status == EDGEOPS_OK) {
        status = write_rows(telemetry, asset, data, n->parts, n->sorted, n->split, buf);
    }
    if (status == EDGEOPS_OK) {
        status = write_state(telemetry, asset, n->extent);
    }
    eop_parts_dispose(&parts);
    eop_rows_dispose(&merged);
    return status;
}

edgeops_status eop_telemetry_put_rows(eop_telemetry *telemetry, uint32_t asset,
                                      const eop_rows *rows, eop_buf *buf) {
    size_t n = rows->rows;
    size_t budget = EOP_COMPACT_RUN;
    if (n == 0) {
        return EDGEOPS_OK;
    }
    eop_extent extent = {.rows = n,
                         .ordinal = rows->first_ordinal + n - 1,
                         .first = rows->times[0],
                         .last = rows->times[n - 1],
                         .last_seq = rows->seqs[n - 1]};
    const news all = {.data = rows,
                      .sorted = true,
                      .t_min = extent.first,
                      .t_max = extent.last,
                      .extent = &extent};
    return put_rows(telemetry, asset, &all, buf, &budget);
}

static edgeops_status write_block(eop_telemetry *telemetry, eop_block *block, eop_buf *buf,
                                  size_t *budget) {
    size_t none = 0;
    eop_block_measure(block);
    if (block->data.rows == 0) {
        return EDGEOPS_OK;
    }
    const news all = {.data = &block->data,
                      .parts = block->parts,
                      .sorted = block->sorted,
                      .split = block->splits ? &block->split : NULL,
                      .t_min = block->t_min,
                      .t_max = block->t_max,
                      .extent = &block->extent};
    /* What is split is not merged with what it is split from. */
    return put_rows(telemetry, block->asset_id, &all, buf,
                    block->whole && !block->splits ? budget : &none);
}

static int compare_blocks(const void *a, const void *b) {
    const eop_block *left = *(eop_block *const *)a;
    const eop_block *right = *(eop_block *const *)b;
    if (left->asset_id != right->asset_id) {
        return left->asset_id < right->asset_id ? -1 : 1;
    }
    return left->data.first_ordinal < right->data.first_ordinal ? -1 : 1;
}

/* The segment's blocks by asset, as the tables have them: so neighbors change the same pages while
 * these are in memory, and each page is written once and not once an asset. */
static edgeops_status sort_blocks(eop_block ***out, size_t *count, const eop_segment *segment) {
    size_t n = 0;
    for (eop_block *block = segment->blocks; block != NULL; block = block->next_in_segment) {
        n++;
    }
    eop_block **blocks = eop_calloc(n + 1, sizeof(eop_block *));
    if (blocks == NULL) {
        return eop_fail_nomem("store");
    }
    n = 0;
    for (eop_block *block = segment->blocks; block != NULL; block = block->next_in_segment) {
        blocks[n++] = block;
    }
    qsort(blocks, n, sizeof(eop_block *), compare_blocks);
    *out = blocks;
    *count = n;
    return EDGEOPS_OK;
}

static edgeops_status write_applied(eop_telemetry *telemetry, uint64_t number) {
    sqlite3_stmt *applied = NULL;
    edgeops_status status = eop_sql_get(&applied, &telemetry->sql, APPLIED_SET);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(applied, 1, (int64_t)number);
        status = eop_sql_run(&telemetry->sql, applied);
    }
    return status;
}

edgeops_status eop_telemetry_write(eop_telemetry *telemetry, const eop_segment *segment) {
    eop_buf buf = {0};
    uint64_t before = 0;
    size_t count = 0;
    eop_block **blocks = NULL;
    edgeops_status status = sort_blocks(&blocks, &count, segment);
    if (status == EDGEOPS_OK) {
        status = eop_sql_begin(&telemetry->sql);
    }
    if (status != EDGEOPS_OK) {
        eop_free(blocks);
        return status;
    }
    status = eop_telemetry_applied(&before, telemetry);
    bool write = status == EDGEOPS_OK && before < segment->number;
    /* Twice the segment's chunks, so that merging keeps up and catches up after late rows. */
    size_t budget = MERGE_MIN + 2 * count;
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        if (write) {
            status = write_block(telemetry, blocks[i], &buf, &budget);
        } else {
            eop_block_measure(blocks[i]);
        }
    }
    if (status == EDGEOPS_OK && write) {
        status = write_applied(telemetry, segment->number);
    }
    eop_buf_dispose(&buf);
    eop_free(blocks);
    return eop_sql_end(&telemetry->sql, status);
}
