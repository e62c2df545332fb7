/* SPDX-License-Identifier: Apache-2.0 */
/* Writes the rows of a scan straight into the caller's arrays, without columns in between. Owns the
 * sinks; the arrays are the caller's. */
#include "store/read_into.h"
#include "store/birth.h"

#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"
#include "store/scan_chunk.h"

void edgeops_layout_init(edgeops_layout *layout, size_t struct_size) {
    static const edgeops_layout defaults = EDGEOPS_LAYOUT_INIT;
    eop_struct_init(layout, struct_size, &defaults, sizeof defaults);
}

/* -- what is asked -- */

static edgeops_status set_sink(eop_read_sink *out, const edgeops_target *target, const char *name,
                               const eop_vector *vector) {
    *out = (eop_read_sink){.type = vector->type, .length = eop_vector_length(vector)};
    if (target->data == NULL) {
        return EDGEOPS_OK;
    }
    bool native = target->type == EDGEOPS_TYPE_NULL || target->type == vector->type;
    bool number = vector->type == EDGEOPS_TYPE_BOOL || eop_type_is_numeric(vector->type);
    if (vector->type == EDGEOPS_TYPE_STRING ||
        (!native && !(target->type == EDGEOPS_TYPE_FLOAT64 && number))) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "channel '%s' is %s and cannot be read as %s; leave it out or read a table",
                        name, eop_type_name(vector->type), eop_type_name(target->type));
    }
    out->data = target->data;
    out->valid = target->valid;
    out->convert = !native;
    out->row_bytes = eop_type_width(native ? vector->type : EDGEOPS_TYPE_FLOAT64) * out->length;
    out->stride = target->stride > 0 ? target->stride : out->row_bytes;
    if (out->stride < out->row_bytes) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "a row of channel '%s' takes %zu bytes, more than its stride of %zu", name,
                        out->row_bytes, out->stride);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_read_into_init(eop_read_into *r, const edgeops_layout *layout,
                                  const eop_vector *columns, const char *const *names,
                                  size_t count) {
    *r = (eop_read_into){.layout = *layout};
    if (layout->values != NULL && layout->targets != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a layout has values or targets, not both");
    }
    if (layout->values == NULL && layout->targets == NULL) {
        return EDGEOPS_OK;
    }
    if (layout->channel_count != count) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "the layout has room for %zu channels, there are %zu",
                        layout->channel_count, count);
    }
    r->count = count;
    r->sinks = eop_calloc(count, sizeof *r->sinks);
    if (r->sinks == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < count; k++) {
        edgeops_target cell = {.type = EDGEOPS_TYPE_FLOAT64};
        if (layout->values != NULL) {
            cell.data = layout->values + k;
            cell.stride = count * sizeof(double);
        } else {
            cell = layout->targets[k];
        }
        status = set_sink(&r->sinks[k], &cell, names[k], &columns[k]);
    }
    return status;
}

void eop_read_into_dispose(eop_read_into *r) {
    eop_vector_dispose(&r->scratch);
    eop_free(r->sinks);
    *r = (eop_read_into){0};
}

/* -- putting -- */

static void put_doubles(char *out, edgeops_type type, const char *from, size_t n) {
    for (size_t i = 0; i < n; i++) {
        edgeops_value value = eop_value_load(type, from + i * eop_type_width(type));
        double number = eop_value_double(&value);
        memcpy(out + i * sizeof number, &number, sizeof number);
    }
}

static void put_nulls(const eop_read_sink *s, size_t at, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char *out = s->data + (at + i) * s->stride;
        eop_null_fill(out, s->convert ? EDGEOPS_TYPE_FLOAT64 : s->type, s->length);
    }
    if (s->valid != NULL) {
        memset(s->valid + at, 0, n);
    }
}

/* Writes the rows of the slice from a vector that begins with row `first`. */
static void put_vector(const eop_read_sink *s, size_t at, const eop_vector *vector,
                       const eop_slice *slice, size_t first) {
    size_t source_bytes = eop_vector_row_bytes(vector);
    const char *source = vector->data;
    if (!s->convert && slice->keep == NULL && s->stride == source_bytes) {
        memcpy(s->data + at * s->stride, source + (slice->from - first) * source_bytes,
               slice->count * source_bytes);
    } else if (!s->convert && source_bytes == sizeof(double)) {
        /* The most frequent width is a plain load and store. */
        for (size_t i = 0; i < slice->count; i++) {
            memcpy(s->data + (at + i) * s->stride,
                   source + (eop_slice_row(slice, i) - first) * sizeof(double), sizeof(double));
        }
    } else {
        for (size_t i = 0; i < slice->count; i++) {
            char *out = s->data + (at + i) * s->stride;
            const char *from = source + (eop_slice_row(slice, i) - first) * source_bytes;
            if (s->convert) {
                put_doubles(out, s->type, from, s->length);
            } else {
                memcpy(out, from, source_bytes);
            }
        }
    }
    for (size_t i = 0; vector->valid != NULL && i < slice->count; i++) {
        bool valid = vector->valid[eop_slice_row(slice, i) - first] != 0;
        if (!valid && s->convert) {
            put_nulls(s, at + i, 1);
        } else if (s->valid != NULL) {
            s->valid[at + i] = valid;
        }
    }
    if (vector->valid == NULL && s->valid != NULL) {
        memset(s->valid + at, 1, slice->count);
    }
}

/* Decodes the rows directly into the caller's array. */
static edgeops_status decode_in_place(const eop_read_sink *s, size_t at, const void *blob,
                                      size_t size, const eop_slice *slice) {
    eop_chunk_target target = {.out = s->data + at * s->stride,
                               .stride = s->stride,
                               .type = s->convert ? EDGEOPS_TYPE_FLOAT64 : s->type,
                               .valid = s->valid != NULL ? s->valid + at : NULL};
    return eop_chunk_decode_to(&target, blob, size, s->type, s->length, slice->chunk->rows,
                               slice->from, slice->to);
}

/* The decoder writes whole elements and needs an aligned target. */
static bool is_aligned(const eop_read_sink *s) {
    size_t width = s->convert ? sizeof(double) : eop_type_width(s->type);
    return s->type != EDGEOPS_TYPE_BLOB && (uintptr_t)s->data % width == 0 &&
           s->stride % width == 0;
}

static edgeops_status put_cell(eop_read_into *r, const eop_read_sink *s, eop_scan *scan,
                               const eop_slice *slice, uint32_t channel) {
    const void *blob = NULL;
    size_t size = 0;
    edgeops_status status = eop_telemetry_cell(&blob, &size, &scan->reader, slice->chunk, channel);
    if (status == EDGEOPS_DONE) {
        put_nulls(s, r->at, slice->count);
        return EDGEOPS_OK;
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (slice->keep == NULL && is_aligned(s)) {
        return decode_in_place(s, r->at, blob, size, slice);
    }
    if (r->scratch.type != s->type || eop_vector_length(&r->scratch) != s->length) {
        eop_vector_dispose(&r->scratch);
        r->scratch = (eop_vector){.type = s->type, .length = s->length};
    }
    eop_vector_clear(&r->scratch);
    status = eop_chunk_decode(&r->scratch, blob, size, slice->chunk->rows, slice->from, slice->to);
    if (status == EDGEOPS_OK) {
        put_vector(s, r->at, &r->scratch, slice, slice->from);
    }
    return status;
}

static void put_ints(int64_t *out, const int64_t *from, const eop_slice *slice) {
    if (slice->keep == NULL) {
        memcpy(out, from + slice->from, slice->count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < slice->count; i++) {
        out[i] = from[slice->keep[i]];
    }
}

static edgeops_status put_keys(eop_read_into *r, eop_scan *scan, const eop_slice *slice) {
    const edgeops_layout *layout = &r->layout;
    const eop_rows *keys = slice->rows;
    if (layout->times == NULL && layout->seqs == NULL && layout->ordinals == NULL) {
        return EDGEOPS_OK;
    }
    if (slice->chunk != NULL) {
        edgeops_status status = eop_scan_keys(scan, slice);
        if (status != EDGEOPS_OK) {
            return status;
        }
        keys = &scan->reader.keys;
    }
    if (layout->times != NULL) {
        put_ints(layout->times + r->at, keys->times, slice);
    }
    if (layout->seqs != NULL) {
        put_ints(layout->seqs + r->at, keys->seqs, slice);
    }
    for (size_t i = 0; layout->ordinals != NULL && i < slice->count; i++) {
        layout->ordinals[r->at + i] = eop_rows_ordinal(keys, eop_slice_row(slice, i));
    }
    return EDGEOPS_OK;
}

static edgeops_status put_slice(eop_read_into *r, eop_scan *scan, const eop_slice *slice) {
    if (slice->count > r->layout.capacity - r->at) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "there are more than %llu rows: make room for as many as "
                        "edgeops_store_count() returns",
                        (unsigned long long)r->layout.capacity);
    }
    edgeops_status status = put_keys(r, scan, slice);
    for (size_t k = 0; status == EDGEOPS_OK && k < r->count; k++) {
        const eop_read_sink *s = &r->sinks[k];
        if (s->data == NULL) {
            continue;
        }
        if (slice->chunk != NULL) {
            status = put_cell(r, s, scan, slice, scan->channels[k]);
        } else {
            put_vector(s, r->at, &slice->rows->vectors[k], slice, 0);
        }
    }
    r->at += status == EDGEOPS_OK ? slice->count : 0;
    return status;
}

edgeops_status eop_read_into_scan(eop_read_into *r, edgeops_store *store, const eop_selection *want,
                                  const eop_vector *columns) {
    eop_scan scan;
    eop_slice slice;
    edgeops_status status = eop_scan_open(&scan, store, want, columns, r->count);
    while (status == EDGEOPS_OK && (status = eop_scan_next(&scan, &slice)) == EDGEOPS_OK) {
        status = put_slice(r, &scan, &slice);
    }
    eop_scan_dispose(&scan);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

edgeops_status eop_read_into_rows(eop_read_into *r, const eop_rows *rows) {
    eop_slice slice = {.rows = rows, .to = rows->rows, .count = rows->rows};
    return put_slice(r, NULL, &slice);
}

static edgeops_status read_into_once(uint64_t *rows, edgeops_store *store,
                                     const edgeops_query *query, const edgeops_layout *layout) {
    eop_read_into r = {0};
    eop_request request;
    const char **names = NULL;
    edgeops_status status = eop_request_init(&request, store, query);
    size_t count = status == EDGEOPS_OK ? request.table->view.column_count : 0;
    if (status == EDGEOPS_OK) {
        names = eop_calloc(count, sizeof *names);
        status = names != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < count; k++) {
        names[k] = request.table->view.columns[k].name;
    }
    if (status == EDGEOPS_OK) {
        status = eop_read_into_init(&r, layout, request.table->rows.vectors, names, count);
    }
    if (status == EDGEOPS_OK && !request.none) {
        status = eop_read_into_scan(&r, store, &request.want, request.table->rows.vectors);
    }
    if (status == EDGEOPS_OK) {
        *rows = r.at;
    }
    eop_read_into_dispose(&r);
    eop_request_dispose(&request);
    eop_free(names);
    return status;
}

edgeops_status edgeops_store_read_into(uint64_t *rows, edgeops_store *store,
                                       const edgeops_query *query, const edgeops_layout *given) {
    EOP_REQUIRE(rows != NULL && store != NULL && query != NULL && given != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_layout layout = EDGEOPS_LAYOUT_INIT;
    edgeops_status status = EOP_STRUCT_TAKE(&layout, given, "store", EDGEOPS_LAYOUT_INIT);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = EDGEOPS_E_AGAIN;
    while (status == EDGEOPS_E_AGAIN) {
        status = read_into_once(rows, store, query, &layout);
    }
    return status;
}
