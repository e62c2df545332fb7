/* SPDX-License-Identifier: Apache-2.0 */
/* Reads rows of one asset into columns: turns a query into a selection and walks over its scan.
 * Holds no lock while it reads. */

#include "base/abi.h"
#include "base/error.h"
#include "base/memory.h"
#include "catalog/catalog.h"
#include "store/birth.h"
#include "store/internal.h"
#include "store/scan_chunk.h"

void edgeops_query_init(edgeops_query *query, size_t struct_size) {
    static const edgeops_query defaults = EDGEOPS_QUERY_INIT;
    eop_struct_init(query, struct_size, &defaults, sizeof defaults);
}

bool eop_time_bounds(int64_t *from, int64_t *to, edgeops_time start, edgeops_time end) {
    *from = start;
    *to = end == EDGEOPS_TIME_MAX ? end : end - (end > EDGEOPS_TIME_MIN);
    return end > start || end == EDGEOPS_TIME_MAX;
}

/* -- rows as columns -- */

/* Appends only some rows of a slice, through `part`. */
static edgeops_status append_kept(eop_rows *rows, eop_rows *part, eop_scan *scan,
                                  const eop_slice *slice, const uint32_t *map) {
    edgeops_status status = EDGEOPS_OK;
    uint32_t *index = eop_realloc_array(NULL, slice->count, sizeof *index);
    if (index == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < slice->count; i++) {
        index[i] = slice->keep[i] - (uint32_t)slice->from;
    }
    for (size_t k = part->vector_count; status == EDGEOPS_OK && k < rows->vector_count; k++) {
        status = eop_rows_add_vector(part, rows->vectors[k].type, rows->vectors[k].length);
    }
    if (status == EDGEOPS_OK && slice->chunk != NULL) {
        status = eop_telemetry_slice(part, &scan->reader, slice->chunk, scan->channels, slice->from,
                                     slice->to);
    } else if (status == EDGEOPS_OK) {
        status = eop_rows_copy(part, slice->rows, slice->from, slice->to, map);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_gather(part, index, slice->count);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_copy(rows, part, 0, slice->count, NULL);
    }
    eop_free(index);
    eop_rows_dispose(part);
    return status;
}

static edgeops_status append_slice(eop_rows *rows, eop_scan *scan, const eop_slice *slice,
                                   const uint32_t *map) {
    edgeops_status status = EDGEOPS_OK;
    if (slice->chunk != NULL) {
        status = eop_scan_keys(scan, slice);
    }
    if (status == EDGEOPS_OK && slice->keep != NULL) {
        eop_rows part = {0};
        status = append_kept(rows, &part, scan, slice, map);
    } else if (status == EDGEOPS_OK && slice->chunk != NULL) {
        status = eop_telemetry_slice(rows, &scan->reader, slice->chunk, scan->channels, slice->from,
                                     slice->to);
    } else if (status == EDGEOPS_OK) {
        status = eop_rows_copy(rows, slice->rows, slice->from, slice->to, map);
    }
    return status;
}

edgeops_status eop_store_read_rows(eop_rows *rows, edgeops_store *store,
                                   const eop_selection *selection) {
    eop_scan scan;
    eop_slice slice;
    /* The scan has the columns of the rows first, in the same order. */
    uint32_t *map = eop_realloc_array(NULL, rows->vector_count, sizeof *map);
    edgeops_status status =
        eop_scan_open(&scan, store, selection, rows->vectors, rows->vector_count);
    if (status == EDGEOPS_OK && map == NULL) {
        status = eop_fail_nomem("store");
    }
    if (status == EDGEOPS_OK) {
        for (size_t k = 0; k < rows->vector_count; k++) {
            map[k] = (uint32_t)k;
        }
        status = eop_rows_reserve(rows, (size_t)eop_scan_bound(&scan));
    }
    while (status == EDGEOPS_OK && (status = eop_scan_next(&scan, &slice)) == EDGEOPS_OK) {
        status = append_slice(rows, &scan, &slice, map);
    }
    eop_scan_dispose(&scan);
    eop_free(map);
    return status == EDGEOPS_DONE ? eop_rows_complete(rows) : status;
}

/* -- what a query names -- */

static edgeops_status resolve_channels(eop_request *request, const eop_asset *asset,
                                       const edgeops_query *query) {
    size_t count = query->channels != NULL ? query->channel_count : eop_asset_shown(asset);
    uint32_t place = 0;
    edgeops_channel_info *infos = eop_calloc(count, sizeof *infos);
    request->channels = eop_calloc(count, sizeof *request->channels);
    edgeops_status status =
        infos != NULL && request->channels != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    for (size_t k = 0; status == EDGEOPS_OK && k < count; k++) {
        const eop_channel *channel = query->channels != NULL
                                         ? eop_asset_channel(asset, query->channels[k])
                                         : eop_asset_next_channel(asset, &place);
        if (channel == NULL) {
            status = eop_fail_no_channel(query->asset, query->channels[k]);
            break;
        }
        request->channels[k] = channel->position;
        infos[k] =
            (edgeops_channel_info){channel->name, channel->unit, channel->type, channel->length};
        status = eop_rows_add_vector(&request->table->rows, channel->type, channel->length);
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_name(request->table, query->asset, infos, count);
    }
    eop_free(infos);
    return status;
}

static edgeops_status resolve_conditions(eop_request *request, const eop_asset *asset,
                                         const edgeops_query *query) {
    if (query->condition_count > EOP_CONDITIONS_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store", "a query has at most %u conditions",
                        EOP_CONDITIONS_MAX);
    }
    for (size_t i = 0; i < query->condition_count; i++) {
        const edgeops_condition *given = &query->conditions[i];
        EOP_REQUIRE(given->channel != NULL, "store");
        const eop_channel *channel = eop_asset_channel(asset, given->channel);
        if (channel == NULL) {
            return eop_fail_no_channel(query->asset, given->channel);
        }
        edgeops_status status = eop_condition_check(given, channel->type, channel->length);
        if (status != EDGEOPS_OK) {
            return status;
        }
        request->conditions[i] = (eop_condition){channel->position, channel->type, channel->length,
                                                 given->compare, given->value};
    }
    return EDGEOPS_OK;
}

void eop_request_dispose(eop_request *request) {
    if (request->table != NULL) {
        edgeops_table_free(&request->table->view);
    }
    eop_free(request->channels);
    *request = (eop_request){0};
}

static edgeops_status check_query(const edgeops_query *query) {
    EOP_REQUIRE(query->asset != NULL, "store");
    EOP_REQUIRE(query->conditions != NULL || query->condition_count == 0, "store");
    for (size_t k = 0; query->channels != NULL && k < query->channel_count; k++) {
        EOP_REQUIRE(query->channels[k] != NULL, "store");
    }
    return EDGEOPS_OK;
}

edgeops_status eop_request_init(eop_request *request, edgeops_store *store,
                                const edgeops_query *query) {
    edgeops_query q = EDGEOPS_QUERY_INIT;
    *request = (eop_request){0};
    edgeops_status status = EOP_STRUCT_TAKE(&q, query, "store", EDGEOPS_QUERY_INIT);
    status = status == EDGEOPS_OK ? check_query(&q) : status;
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (q.limit > 0 && q.last > 0) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "a query has a limit of first or of last rows, not both");
    }
    request->table = eop_calloc(1, sizeof *request->table);
    if (request->table == NULL) {
        return eop_fail_nomem("store");
    }
    pthread_mutex_lock(&store->lock);
    const eop_asset *asset = eop_asset_list_find(&store->assets, q.asset);
    status = asset != NULL ? resolve_channels(request, asset, &q) : eop_fail_no_asset(q.asset);
    if (status == EDGEOPS_OK) {
        status = resolve_conditions(request, asset, &q);
    }
    request->want.asset = asset != NULL ? asset->id : 0;
    pthread_mutex_unlock(&store->lock);
    request->want.max_ordinal = q.max_ordinal > 0 ? q.max_ordinal : UINT64_MAX;
    request->want.limit = q.limit;
    request->want.last = q.last;
    request->want.channels = request->channels;
    request->want.conditions = request->conditions;
    request->want.condition_count = q.condition_count;
    request->none = !eop_time_bounds(&request->want.from, &request->want.to, q.start, q.end);
    return status;
}

/* -- the public calls -- */

static edgeops_status read_once(edgeops_table **out, edgeops_store *store,
                                const edgeops_query *query) {
    eop_request request;
    edgeops_status status = eop_request_init(&request, store, query);
    if (status == EDGEOPS_OK && !request.none) {
        status = eop_store_read_rows(&request.table->rows, store, &request.want);
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_show(request.table);
    }
    if (status == EDGEOPS_OK) {
        *out = &request.table->view;
        request.table = NULL;
    }
    eop_request_dispose(&request);
    return status;
}

edgeops_status edgeops_store_read(edgeops_table **out, edgeops_store *store,
                                  const edgeops_query *query) {
    EOP_REQUIRE(out != NULL, "store");
    *out = NULL;
    EOP_REQUIRE(store != NULL && query != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_status status = EDGEOPS_E_AGAIN;
    while (status == EDGEOPS_E_AGAIN) {
        status = read_once(out, store, query);
    }
    return status;
}

/* Adds the rows of a slice that began in its chunk, or in memory. */
static edgeops_status count_begun(uint64_t *rows, eop_scan *scan, const eop_slice *slice) {
    const eop_chunk_info *chunk = slice->chunk;
    *rows += slice->count;
    if (chunk != NULL && chunk->later > 0 && slice->count > 0) {
        if (slice->count == chunk->rows) {
            *rows -= chunk->later;
            return EDGEOPS_OK;
        }
        edgeops_status status = eop_scan_keys(scan, slice);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    const uint8_t *later = eop_scan_later(scan, slice);
    for (size_t i = 0; later != NULL && i < slice->count; i++) {
        *rows -= later[eop_slice_row(slice, i)] != 0;
    }
    return EDGEOPS_OK;
}

static edgeops_status count_scan(uint64_t *rows, eop_scan *scan) {
    eop_slice slice;
    bool loose = false;
    edgeops_status status = EDGEOPS_OK;
    if (scan->want.limit == 0 && scan->want.last == 0) {
        status = eop_scan_is_loose(&loose, scan);
    }
    while (status == EDGEOPS_OK && loose &&
           (status = eop_scan_next_loose(scan, &slice)) == EDGEOPS_OK) {
        status = count_begun(rows, scan, &slice);
    }
    while (status == EDGEOPS_OK && (status = eop_scan_next(scan, &slice)) == EDGEOPS_OK) {
        *rows += slice.count;
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status count_once(uint64_t *out, edgeops_store *store, const edgeops_query *query) {
    eop_request request;
    uint64_t rows = 0;
    edgeops_status status = eop_request_init(&request, store, query);
    if (status == EDGEOPS_OK && !request.none) {
        eop_scan scan;
        status = eop_scan_open(&scan, store, &request.want, NULL, 0);
        if (status == EDGEOPS_OK) {
            status = count_scan(&rows, &scan);
        }
        eop_scan_dispose(&scan);
    }
    eop_request_dispose(&request);
    if (status == EDGEOPS_OK) {
        *out = rows;
    }
    return status;
}

edgeops_status edgeops_store_count(uint64_t *out, edgeops_store *store,
                                   const edgeops_query *query) {
    EOP_REQUIRE(out != NULL && store != NULL && query != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_status status = EDGEOPS_E_AGAIN;
    while (status == EDGEOPS_E_AGAIN) {
        status = count_once(out, store, query);
    }
    return status;
}
