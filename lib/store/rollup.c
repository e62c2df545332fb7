/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of dropped samples: extended when chunks are dropped, read by aggregates; rollup.h describes
 * them. Written by the writer's thread, in the transaction that drops the chunk. */
#include "store/rollup.h"

#include <math.h>
#include <sqlite3.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "store/inner.h"
#include "store/internal.h"
#include "store/readers.h"
#include "store/telemetry_db.h"

void eop_rollup_dispose(eop_rollup *rollup) {
    eop_free(rollup->times);
    eop_free(rollup->cells);
    *rollup = (eop_rollup){0};
}

/* -- periods -- */

static int64_t period_of(int64_t time, int64_t period) {
    int64_t rest = time % period;
    if (rest < 0) {
        rest += period;
    }
    /* The period with INT64_MIN is cut short. */
    return time < INT64_MIN + rest ? INT64_MIN : time - rest;
}

/* Finds the index of the period that begins at this time; makes a missing one. */
static edgeops_status find_period(size_t *out, eop_rollup *rollup, int64_t start) {
    size_t n = rollup->count;
    size_t at =
        n > 0 && rollup->times[n - 1] < start ? n : eop_times_lower(rollup->times, n, start);
    if (at < n && rollup->times[at] == start) {
        *out = at;
        return EDGEOPS_OK;
    }
    size_t channels = rollup->channels;
    if (!eop_grow(&rollup->times, &rollup->time_capacity, n + 1, sizeof *rollup->times) ||
        !eop_grow(&rollup->cells, &rollup->cell_capacity, (n + 1) * channels,
                  sizeof *rollup->cells)) {
        return eop_fail_nomem("store");
    }
    memmove(rollup->times + at + 1, rollup->times + at, (n - at) * sizeof *rollup->times);
    memmove(rollup->cells + (at + 1) * channels, rollup->cells + at * channels,
            (n - at) * channels * sizeof *rollup->cells);
    rollup->times[at] = start;
    for (size_t k = 0; k < channels; k++) {
        rollup->cells[at * channels + k] = (eop_rollup_cell){.min = INFINITY, .max = -INFINITY};
    }
    rollup->count++;
    *out = at;
    return EDGEOPS_OK;
}

static void add_value(eop_rollup_cell *cell, double value) {
    if (isnan(value)) {
        return;
    }
    cell->min = value < cell->min ? value : cell->min;
    cell->max = value > cell->max ? value : cell->max;
    cell->sum += value;
    cell->count++;
}

/* NaN when the row has no number. */
static double number_at(const eop_vector *vector, size_t row) {
    if (row >= vector->filled || eop_vector_length(vector) > 1 || eop_vector_is_null(vector, row)) {
        return NAN;
    }
    if (EOP_LIKELY(vector->type == EDGEOPS_TYPE_FLOAT64)) {
        return ((const double *)vector->data)[row];
    }
    edgeops_value value = eop_vector_value(vector, row);
    switch (value.type) {
    case EDGEOPS_TYPE_FLOAT32:
        return value.as.f32;
    case EDGEOPS_TYPE_UINT8:
    case EDGEOPS_TYPE_UINT16:
    case EDGEOPS_TYPE_UINT32:
    case EDGEOPS_TYPE_UINT64:
        return (double)value.as.u64;
    case EDGEOPS_TYPE_STRING:
    case EDGEOPS_TYPE_BLOB:
        return NAN;
    default:
        return (double)value.as.i64;
    }
}

edgeops_status eop_rollup_add(eop_rollup *rollup, const eop_rows *rows, size_t from, size_t to) {
    size_t columns = rows->vector_count < rollup->channels ? rows->vector_count : rollup->channels;
    int64_t start = 0;
    size_t at = SIZE_MAX;
    for (size_t i = from; i < to; i++) {
        int64_t of_row = period_of(rows->times[i], rollup->period);
        if (at == SIZE_MAX || of_row != start) {
            edgeops_status status = find_period(&at, rollup, of_row);
            if (status != EDGEOPS_OK) {
                return status;
            }
            start = of_row;
        }
        for (size_t k = 0; k < columns; k++) {
            add_value(&rollup->cells[at * rollup->channels + k], number_at(&rows->vectors[k], i));
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_rollup_merge(eop_rollup *rollup, const eop_rows *rows) {
    for (size_t i = 0; i < rows->rows; i++) {
        size_t at = 0;
        edgeops_status status = find_period(&at, rollup, period_of(rows->times[i], rollup->period));
        if (status != EDGEOPS_OK) {
            return status;
        }
        for (size_t k = 0; k < rollup->channels && 4 * k + 3 < rows->vector_count; k++) {
            const eop_vector *v = &rows->vectors[4 * k];
            eop_rollup_cell *cell = &rollup->cells[at * rollup->channels + k];
            double n = number_at(&v[3], i);
            if (isnan(n) || n < 1) {
                continue;
            }
            cell->min = fmin(cell->min, number_at(&v[0], i));
            cell->max = fmax(cell->max, number_at(&v[1], i));
            cell->sum += number_at(&v[2], i);
            cell->count += (uint64_t)n;
        }
    }
    return EDGEOPS_OK;
}

/* -- dropping -- */

static edgeops_status add_columns(eop_rows *rows, size_t channels) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < 4 * channels; k++) {
        status =
            eop_rows_add_vector(rows, k % 4 == 3 ? EDGEOPS_TYPE_INT64 : EDGEOPS_TYPE_FLOAT64, 1);
    }
    return status;
}

static edgeops_status put_cell(eop_vector *v, size_t row, const eop_rollup_cell *cell) {
    const edgeops_value values[] = {
        {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = cell->min},
        {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = cell->max},
        {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = cell->sum},
        {.type = EDGEOPS_TYPE_INT64, .as.i64 = (int64_t)cell->count},
    };
    for (size_t j = 0; j < EOP_COUNT(values); j++) {
        edgeops_status status = eop_vector_pad(&v[j], row);
        if (status == EDGEOPS_OK) {
            status = eop_vector_put(&v[j], &values[j]);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status to_rows(eop_rows *rows, const eop_rollup *rollup) {
    edgeops_status status = eop_rows_reserve(rows, rollup->count);
    if (status == EDGEOPS_OK) {
        status = add_columns(rows, rollup->channels);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < rollup->count; i++) {
        const eop_rollup_cell *cells = rollup->cells + i * rollup->channels;
        rows->times[i] = rollup->times[i];
        rows->seqs[i] = 0;
        for (size_t k = 0; status == EDGEOPS_OK && k < rollup->channels; k++) {
            if (cells[k].count > 0) {
                status = put_cell(&rows->vectors[4 * k], i, &cells[k]);
            }
        }
        rows->rows = i + 1;
    }
    return status == EDGEOPS_OK ? eop_rows_complete(rows) : status;
}

static edgeops_status one_number(int64_t *out, eop_telemetry *telemetry, statement number,
                                 int64_t a, int64_t b) {
    sqlite3_stmt *select = NULL;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, number);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, a);
        if (sqlite3_bind_parameter_count(select) > 1) {
            eop_sql_bind_int(select, 2, b);
        }
        status = eop_sql_next(&telemetry->sql, select);
    }
    if (status == EDGEOPS_OK) {
        *out = sqlite3_column_int64(select, 0);
        sqlite3_reset(select);
    }
    return status;
}

/* Finds the asset that holds such rollups, and the ordinal of its last row. */
static edgeops_status find_rollup(uint32_t *id, uint64_t *ordinal, eop_telemetry *telemetry,
                                  uint32_t asset, int64_t period) {
    int64_t found = 0;
    int64_t last = 0;
    edgeops_status status = one_number(&found, telemetry, ROLLUP_FIND, asset, period);
    if (status == EDGEOPS_DONE) {
        status = one_number(&found, telemetry, ROLLUP_ADD, asset, period);
    }
    if (status == EDGEOPS_OK) {
        status = one_number(&last, telemetry, ROLLUP_ORDINAL, found, 0);
    }
    if (status < 0) {
        return status;
    }
    *id = (uint32_t)found;
    *ordinal = (uint64_t)last;
    return EDGEOPS_OK;
}

static edgeops_status save_rollup(eop_telemetry *telemetry, uint32_t asset,
                                  const eop_rollup *rollup, eop_buf *buf) {
    eop_rows rows = {0};
    uint32_t id = 0;
    uint64_t ordinal = 0;
    edgeops_status status = find_rollup(&id, &ordinal, telemetry, asset, rollup->period);
    if (status == EDGEOPS_OK) {
        rows.first_ordinal = ordinal + 1;
        status = to_rows(&rows, rollup);
    }
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_put_rows(telemetry, id, &rows, buf);
    }
    eop_rows_dispose(&rows);
    return status;
}

edgeops_status eop_rollup_rows(eop_telemetry *telemetry, uint32_t asset, const eop_rows *rows,
                               const edgeops_duration *periods, size_t count, eop_buf *buf) {
    edgeops_status status = EDGEOPS_OK;
    size_t channels =
        rows->vector_count < EOP_ROLLUP_CHANNELS ? rows->vector_count : EOP_ROLLUP_CHANNELS;
    for (size_t i = 0; status == EDGEOPS_OK && i < count && channels > 0; i++) {
        eop_rollup rollup = {.period = periods[i], .channels = channels};
        status = eop_rollup_add(&rollup, rows, 0, rows->rows);
        if (status == EDGEOPS_OK) {
            status = save_rollup(telemetry, asset, &rollup, buf);
        }
        eop_rollup_dispose(&rollup);
    }
    return status;
}

edgeops_status eop_rollup_chunk(edgeops_store *store, eop_telemetry *telemetry, uint32_t asset,
                                const eop_chunk_info *chunk, const edgeops_duration *periods,
                                size_t count, eop_buf *buf) {
    eop_rows rows = {0};
    edgeops_status status = eop_store_columns(&rows, store, asset, EOP_ROLLUP_CHANNELS);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_read(&rows, telemetry, chunk, NULL, NULL);
    }
    if (status == EDGEOPS_E_NOTFOUND || eop_sql_unreadable(status)) {
        eop_rows_dispose(&rows);
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        status = eop_rollup_rows(telemetry, asset, &rows, periods, count, buf);
    }
    eop_rows_dispose(&rows);
    return status;
}

/* -- a channel that gets another position -- */

static edgeops_status move_cells(eop_telemetry *telemetry, int64_t chunk, uint32_t from,
                                 uint32_t to) {
    static const statement of_channels[] = {CELLS_MOVE, STATS_MOVE};
    uint64_t bytes = 0;
    edgeops_status status =
        eop_telemetry_cell_bytes(&bytes, telemetry, chunk, 4 * from, 4 * from + 3);
    telemetry->grown += (int64_t)bytes;
    for (size_t i = 0; status == EDGEOPS_OK && i < EOP_COUNT(of_channels); i++) {
        sqlite3_stmt *insert = NULL;
        status = eop_sql_get(&insert, &telemetry->sql, of_channels[i]);
        if (status == EDGEOPS_OK) {
            eop_sql_bind_int(insert, 1, eop_cell_id(chunk, 4 * from));
            eop_sql_bind_int(insert, 2, eop_cell_id(chunk, 4 * from + 3));
            eop_sql_bind_int(insert, 3, 4 * ((int64_t)to - from));
            status = eop_sql_run(&telemetry->sql, insert);
        }
    }
    return status;
}

/* What a channel's change of position does with the chunks of one rollup. */
typedef struct change {
    uint32_t from; /* UINT32_MAX: nothing is copied */
    uint32_t to;   /* its cells are removed first */
} change;

static edgeops_status change_chunk(eop_telemetry *telemetry, int64_t chunk, const change *c) {
    const void *blob = NULL;
    size_t size = 0;
    edgeops_status status = EDGEOPS_OK;
    bool fits = c->to < EOP_ROLLUP_CHANNELS;
    if (fits) {
        status = eop_telemetry_remove_cells(telemetry, chunk, 4 * c->to, 4 * c->to + 3);
    }
    if (status != EDGEOPS_OK || c->from >= EOP_ROLLUP_CHANNELS) {
        return status;
    }
    if (fits) {
        return move_cells(telemetry, chunk, c->from, c->to);
    }
    const eop_chunk_info info = {.id = chunk};
    status = eop_telemetry_cell(&blob, &size, telemetry, &info, 4 * c->from);
    eop_sql_reset(&telemetry->sql);
    return status == EDGEOPS_OK
               ? eop_fail(EDGEOPS_E_LIMIT, "store",
                          "only the first %u channels of an asset have rollups, and this one would "
                          "lose its own",
                          EOP_ROLLUP_CHANNELS)
           : status == EDGEOPS_DONE ? EDGEOPS_OK
                                    : status;
}

static edgeops_status change_rollup(eop_telemetry *telemetry, uint32_t id, const change *c) {
    eop_chunk_list list = {0};
    telemetry->grown = 0;
    edgeops_status status = eop_telemetry_find(&list, telemetry, id, INT64_MIN, INT64_MAX);
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        status = change_chunk(telemetry, list.items[i].id, c);
    }
    eop_free(list.items);
    return status == EDGEOPS_OK ? eop_telemetry_note_grown(telemetry, id) : status;
}

static edgeops_status change_rollups(eop_telemetry *telemetry, uint32_t asset, const change *c) {
    sqlite3_stmt *select = NULL;
    uint32_t ids[EOP_ROLLUPS_OF_ASSET];
    size_t count = 0;
    edgeops_status status = eop_sql_get(&select, &telemetry->sql, ROLLUP_LIST);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, asset);
    }
    while (status == EDGEOPS_OK && (status = eop_sql_next(&telemetry->sql, select)) == EDGEOPS_OK) {
        if (count == EOP_ROLLUPS_OF_ASSET) {
            status = eop_fail(EDGEOPS_E_LIMIT, "store", "an asset has over %u rollups",
                              EOP_ROLLUPS_OF_ASSET);
            break;
        }
        ids[count++] = (uint32_t)sqlite3_column_int64(select, 0);
    }
    eop_sql_rewind(select);
    status = status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        status = change_rollup(telemetry, ids[i], c);
    }
    return status;
}

edgeops_status eop_rollup_copy(eop_telemetry *telemetry, uint32_t asset, uint32_t from, uint32_t to,
                               bool with) {
    return change_rollups(telemetry, asset, &(change){with ? from : UINT32_MAX, to});
}

edgeops_status eop_rollup_forget(eop_telemetry *telemetry, uint32_t asset, uint32_t position) {
    return change_rollups(telemetry, asset, &(change){UINT32_MAX, position});
}

/* -- reading -- */

/* Finds the longest period that divides `every`. DONE: there is none. */
static edgeops_status choose_period(uint32_t *id, edgeops_duration *period, eop_telemetry *reader,
                                    uint32_t asset, edgeops_duration every) {
    sqlite3_stmt *select = NULL;
    *period = 0;
    edgeops_status status = eop_sql_get(&select, &reader->sql, ROLLUP_LIST);
    if (status == EDGEOPS_OK) {
        eop_sql_bind_int(select, 1, asset);
    }
    while (status == EDGEOPS_OK && (status = eop_sql_next(&reader->sql, select)) == EDGEOPS_OK) {
        int64_t kept = sqlite3_column_int64(select, 1);
        if (kept > *period && every % kept == 0) {
            *id = (uint32_t)sqlite3_column_int64(select, 0);
            *period = kept;
        }
    }
    return status == EDGEOPS_DONE && *period > 0 ? EDGEOPS_OK : status;
}

static edgeops_status read_chunks(eop_rollup *rollup, eop_telemetry *reader, uint32_t id,
                                  const eop_chunk_filter *filter) {
    eop_chunk_list list = {0};
    eop_rows rows = {0};
    edgeops_status status = add_columns(&rows, rollup->channels);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_find(&list, reader, id, filter->from, filter->to);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        eop_rows_clear(&rows);
        status = eop_telemetry_read(&rows, reader, &list.items[i], filter, NULL);
        if (status == EDGEOPS_OK) {
            status = eop_rollup_merge(rollup, &rows);
        }
    }
    eop_free(list.items);
    eop_rows_dispose(&rows);
    return status;
}

/* Only the snapshot knows whether anything was dropped: the memtable learns of it later. */
static size_t channels_of(edgeops_store *store, uint32_t id) {
    pthread_mutex_lock(&store->lock);
    const eop_asset *asset = eop_asset_list_by_id(&store->assets, id);
    size_t n = asset != NULL ? asset->channel_count : 0;
    pthread_mutex_unlock(&store->lock);
    return n < EOP_ROLLUP_CHANNELS ? n : EOP_ROLLUP_CHANNELS;
}

edgeops_status eop_rollup_read(eop_rollup *rollup, edgeops_store *store, eop_telemetry *reader,
                               uint32_t asset, edgeops_duration every, int64_t from, int64_t to) {
    uint32_t id = 0;
    *rollup = (eop_rollup){.channels = channels_of(store, asset)};
    if (rollup->channels == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = choose_period(&id, &rollup->period, reader, asset, every);
    eop_chunk_filter filter = {from, to, UINT64_MAX};
    if (status == EDGEOPS_OK && to >= INT64_MIN + rollup->period) {
        /* Leaves out periods that cross a bound: what part of them is wanted cannot be known. */
        filter.to = to == INT64_MAX ? to : to - rollup->period + 1;
        status = read_chunks(rollup, reader, id, &filter);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}
