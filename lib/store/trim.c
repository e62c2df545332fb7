/* SPDX-License-Identifier: Apache-2.0 */
/* Takes the later parts of dropped rows out of the chunks that stay; see trim.h. A chunk is read,
 * removed and written anew, with another id. */
#include "store/trim.h"

#include "base/error.h"
#include "base/memory.h"
#include "store/inner.h"
#include "store/rollup.h"
#include "store/telemetry_db.h"

void eop_gone_dispose(eop_gone *gone) {
    eop_rows_dispose(&gone->keys);
    *gone = (eop_gone){0};
}

edgeops_status eop_gone_note(eop_gone *gone, eop_telemetry *telemetry,
                             const eop_chunk_info *chunk) {
    edgeops_status status = eop_telemetry_keys(telemetry, chunk);
    const eop_rows *keys = &telemetry->keys;
    if (eop_sql_unreadable(status)) {
        return EDGEOPS_OK;
    }
    for (size_t to, from = 0; status == EDGEOPS_OK && from < keys->rows; from = to) {
        bool later = chunk->later > 0 && eop_parts_later(&telemetry->parts, from);
        to = from + 1;
        while (to < keys->rows &&
               (chunk->later > 0 && eop_parts_later(&telemetry->parts, to)) == later) {
            to++;
        }
        if (!later) {
            status = eop_rows_append_keys(&gone->keys, keys, from, to);
            gone->keys.rows += status == EDGEOPS_OK ? to - from : 0;
        }
    }
    return status;
}

/* A chunk that stays. */
typedef struct rest {
    eop_rows rows; /* of the chunk, later of what remains of it */
    eop_parts parts;
    uint32_t *numbers; /* for each old row: its number by the first arrival; UINT32_MAX: it goes */
    uint32_t *order;   /* for each new row: the old one */
    size_t count;      /* new rows */
    eop_rows lost;     /* rows that go */
} rest;

static void dispose_rest(rest *r) {
    eop_rows_dispose(&r->rows);
    eop_parts_dispose(&r->parts);
    eop_rows_dispose(&r->lost);
    eop_free(r->numbers);
    eop_free(r->order);
}

/* Whether a row of the chunk whose keys were read last goes. */
static bool has_gone(const eop_gone *gone, eop_telemetry *telemetry) {
    const eop_rows *keys = &telemetry->keys;
    size_t at = 0;
    bool any = false;
    for (size_t row = 0; !any && row < keys->rows; row++) {
        any = eop_parts_later(&telemetry->parts, row) &&
              eop_rows_find(&at, &gone->keys, keys->times[row], keys->seqs[row]);
    }
    return any;
}

edgeops_status eop_trim_has_parts(bool *has, eop_telemetry *telemetry, const eop_chunk_info *chunk,
                                  const eop_chunk_info *first) {
    eop_gone began = {0};
    *has = false;
    edgeops_status status = eop_gone_note(&began, telemetry, first);
    if (status == EDGEOPS_OK && began.keys.rows > 0) {
        status = eop_rows_sort(&began.keys);
        status = status == EDGEOPS_OK ? eop_telemetry_keys(telemetry, chunk) : status;
        *has = status == EDGEOPS_OK && has_gone(&began, telemetry);
    }
    eop_gone_dispose(&began);
    return eop_sql_unreadable(status) ? EDGEOPS_OK : status;
}

static edgeops_status read_rest(rest *r, const eop_gone *gone, eop_telemetry *telemetry,
                                const eop_trim *trim, const eop_chunk_info *chunk) {
    size_t at = 0;
    edgeops_status status = eop_store_columns(&r->rows, trim->store, trim->asset, EOP_CHANNELS_MAX);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_read(&r->rows, telemetry, chunk, NULL, NULL);
    }
    r->numbers = eop_calloc(chunk->rows, sizeof *r->numbers);
    r->order = eop_calloc(chunk->rows, sizeof *r->order);
    if (status == EDGEOPS_OK && (r->numbers == NULL || r->order == NULL)) {
        status = eop_fail_nomem("store");
    }
    for (size_t row = 0; status == EDGEOPS_OK && row < chunk->rows; row++) {
        if (eop_parts_later(&telemetry->parts, row) &&
            eop_rows_find(&at, &gone->keys, r->rows.times[row], r->rows.seqs[row])) {
            r->numbers[row] = UINT32_MAX;
            status = eop_rows_copy(&r->lost, &r->rows, row, row + 1, NULL);
        }
    }
    return status;
}

/* Arrivals [*from, *to) are between the first and the last one of rows that stay. */
static void find_ends(size_t *from, size_t *to, const rest *r, const eop_parts *parts) {
    *from = 0;
    *to = parts->count;
    while (*from < *to && r->numbers[parts->rows[*from]] == UINT32_MAX) {
        ++*from;
    }
    while (*to > *from && r->numbers[parts->rows[*to - 1]] == UINT32_MAX) {
        --*to;
    }
}

/* Keeps of the arrivals what is of rows that stay. */
static edgeops_status keep_arrivals(rest *r, const eop_parts *parts, size_t from, size_t to) {
    uint32_t before = 0; /* the row of the arrival before */
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = from; status == EDGEOPS_OK && i < to; i++) {
        uint32_t row = parts->rows[i];
        uint32_t shape = parts->shapes[i];
        if (r->numbers[row] == UINT32_MAX) {
            status = eop_parts_join(&r->parts, before, NULL, 0);
            continue;
        }
        if (shape == 0) {
            r->order[r->count] = row;
            r->numbers[row] = (uint32_t)r->count++;
            status = eop_parts_row(&r->parts, eop_parts_later(parts, row));
        } else {
            size_t n = 0;
            const uint16_t *channels = eop_parts_shape(&n, parts, shape);
            status = eop_parts_join(&r->parts, r->numbers[row], channels, n);
        }
        before = r->numbers[row];
    }
    return status;
}

/* Writes what remains of a chunk, if anything does, in its place. */
static edgeops_status write_rest(rest *r, eop_telemetry *telemetry, const eop_trim *trim,
                                 const eop_chunk_info *chunk, eop_buf *buf) {
    size_t from = 0;
    size_t to = 0;
    find_ends(&from, &to, r, &telemetry->parts);
    edgeops_status status = keep_arrivals(r, &telemetry->parts, from, to);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_remove_chunk(telemetry, chunk->id);
    }
    if (status == EDGEOPS_OK && r->count > 0) {
        status = eop_rows_gather(&r->rows, r->order, r->count);
    }
    if (status == EDGEOPS_OK && r->count > 0) {
        r->rows.first_ordinal = chunk->ord0 + from;
        status = eop_telemetry_replace_rows(telemetry, trim->asset, &r->rows, &r->parts, buf);
    } else if (status == EDGEOPS_OK) {
        status = eop_telemetry_note_grown(telemetry, trim->asset);
    }
    return status;
}

static edgeops_status trim_chunk(const eop_gone *gone, eop_telemetry *telemetry,
                                 const eop_trim *trim, const eop_chunk_info *chunk, eop_buf *buf) {
    rest r = {.count = 0};
    edgeops_status status = eop_telemetry_keys(telemetry, chunk);
    if (eop_sql_unreadable(status)) {
        return EDGEOPS_OK;
    }
    if (status != EDGEOPS_OK || !has_gone(gone, telemetry)) {
        return status;
    }
    status = read_rest(&r, gone, telemetry, trim, chunk);
    if (eop_sql_unreadable(status) || status == EDGEOPS_E_NOTFOUND) {
        dispose_rest(&r);
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        telemetry->grown = 0;
        status = write_rest(&r, telemetry, trim, chunk, buf);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rollup_rows(telemetry, trim->asset, &r.lost, trim->rollups, trim->rollup_count,
                                 buf);
    }
    dispose_rest(&r);
    return status;
}

edgeops_status eop_trim_chunks(eop_gone *gone, eop_telemetry *telemetry, const eop_trim *trim,
                               eop_buf *buf) {
    eop_chunk_list list = {0};
    size_t n = gone->keys.rows;
    if (n == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_rows_sort(&gone->keys);
    if (status == EDGEOPS_OK) {
        status = eop_telemetry_find(&list, telemetry, trim->asset, gone->keys.times[0],
                                    gone->keys.times[n - 1]);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < list.count; i++) {
        const eop_chunk_info *chunk = &list.items[i];
        if (chunk->later > 0) {
            status = trim_chunk(gone, telemetry, trim, chunk, buf);
        }
    }
    eop_free(list.items);
    return status;
}
