/* SPDX-License-Identifier: Apache-2.0 */
/* Aggregates, mostly from the statistics beside the chunks: only chunks that cross a bucket are
 * decoded. The order of chunks does not matter, so late samples cost nothing, nor do the parts of a
 * row: each value is in one of them, and the row is counted where it began. Only conditions on rows
 * that came in parts need them whole. Reads one snapshot and holds no lock. */
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"
#include "store/birth.h"
#include "store/inner.h"
#include "store/rollup.h"
#include "store/scan_chunk.h"

enum { BUCKETS_MAX = 1000000, AGGREGATES_MAX = 1 << 24 };

typedef struct summary {
    edgeops_summary view; /* first */
    eop_table *table;     /* the names */
    edgeops_channel_info *infos;
    edgeops_bucket *buckets; /* by start */
    size_t capacity;
    size_t last; /* index of the bucket found last */
    edgeops_aggregate **aggregates;
    size_t aggregates_capacity;
    edgeops_duration every;
    edgeops_time start; /* start of the one bucket when `every` is 0 */
    edgeops_time end;
    eop_vector scratch;
    size_t *order; /* the channels by position in the asset */
    bool walk;     /* their positions are close together: one walk reads all statistics */
    bool loose;    /* a row may come several times, but once only where it is not `later` */
} summary;

void edgeops_summary_free(edgeops_summary *view) {
    summary *s = (summary *)view;
    if (s == NULL) {
        return;
    }
    for (size_t i = 0; i < s->view.bucket_count; i++) {
        eop_free(s->aggregates[i]);
    }
    if (s->table != NULL) {
        edgeops_table_free(&s->table->view);
    }
    eop_vector_dispose(&s->scratch);
    eop_free(s->order);
    eop_free(s->aggregates);
    eop_free(s->buckets);
    eop_free(s->infos);
    eop_free(s);
}

/* -- buckets -- */

/* The time since the start of the bucket. */
static edgeops_duration time_in_bucket(const summary *s, edgeops_time time) {
    edgeops_duration rest = time % s->every;
    return rest < 0 ? rest + s->every : rest;
}

static edgeops_time bucket_start(const summary *s, edgeops_time time) {
    if (s->every == 0) {
        return s->start;
    }
    edgeops_duration rest = time_in_bucket(s, time);
    return time < EDGEOPS_TIME_MIN + rest ? EDGEOPS_TIME_MIN : time - rest;
}

static edgeops_time bucket_end(const summary *s, edgeops_time time) {
    if (s->every == 0) {
        return s->end;
    }
    edgeops_duration rest = s->every - time_in_bucket(s, time);
    return time > EDGEOPS_TIME_MAX - rest ? EDGEOPS_TIME_MAX : time + rest;
}

static edgeops_status add_bucket(summary *s, size_t at, edgeops_time start, edgeops_time time) {
    size_t count = s->view.bucket_count;
    if (count >= BUCKETS_MAX || (count + 1) * s->view.channel_count > AGGREGATES_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "more than %zu buckets: take longer ones, fewer channels or a shorter "
                        "range",
                        count);
    }
    edgeops_aggregate *aggregates = eop_calloc(s->view.channel_count, sizeof *aggregates);
    if (aggregates == NULL || !eop_grow(&s->buckets, &s->capacity, count + 1, sizeof *s->buckets) ||
        !eop_grow(&s->aggregates, &s->aggregates_capacity, count + 1, sizeof *s->aggregates)) {
        eop_free(aggregates);
        return eop_fail_nomem("store");
    }
    memmove(s->buckets + at + 1, s->buckets + at, (count - at) * sizeof *s->buckets);
    memmove(s->aggregates + at + 1, s->aggregates + at, (count - at) * sizeof *s->aggregates);
    s->aggregates[at] = aggregates;
    s->buckets[at] = (edgeops_bucket){.start = start,
                                      .end = bucket_end(s, time),
                                      .first = EDGEOPS_TIME_MAX,
                                      .last = EDGEOPS_TIME_MIN,
                                      .channels = aggregates};
    s->view.bucket_count++;
    s->view.buckets = s->buckets;
    return EDGEOPS_OK;
}

/* Sets s->last to the bucket of a time; makes a missing one. */
static edgeops_status find_bucket(summary *s, edgeops_time time) {
    size_t low = 0;
    size_t high = s->view.bucket_count;
    edgeops_time start = bucket_start(s, time);
    if (s->last < high && s->buckets[s->last].start == start) {
        return EDGEOPS_OK;
    }
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (s->buckets[middle].start < start) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    s->last = low;
    if (low < s->view.bucket_count && s->buckets[low].start == start) {
        return EDGEOPS_OK;
    }
    return add_bucket(s, low, start, time);
}

static void add_rows(summary *s, uint64_t rows, edgeops_time first, edgeops_time last) {
    edgeops_bucket *bucket = &s->buckets[s->last];
    bucket->rows += rows;
    bucket->first = first < bucket->first ? first : bucket->first;
    bucket->last = last > bucket->last ? last : bucket->last;
}

/* -- values -- */

static bool is_less(const edgeops_value *a, const edgeops_value *b) {
    if (eop_type_is_float(a->type)) {
        return eop_value_double(a) < eop_value_double(b);
    }
    return eop_type_is_unsigned(a->type) ? a->as.u64 < b->as.u64 : a->as.i64 < b->as.i64;
}

/* Adds n numbers with this mean. */
static void add_numbers(edgeops_aggregate *out, uint64_t n, const edgeops_value *min,
                        const edgeops_value *max, double sum, double mean) {
    uint64_t before = out->count - out->non_finite;
    if (before == 0 || is_less(min, &out->min)) {
        out->min = *min;
    }
    if (before == 0 || is_less(&out->max, max)) {
        out->max = *max;
    }
    double weight = (double)n / (double)(before + n);
    double step = mean - out->mean; /* may overflow: a difference of two doubles */
    out->mean += isfinite(step) ? step * weight : mean * weight - out->mean * weight;
    out->sum += sum;
    out->count += n;
}

static void add_value(edgeops_aggregate *out, const edgeops_value *value, bool number) {
    if (!number) {
        out->count++;
        return;
    }
    double x = eop_value_double(value);
    if (eop_type_is_float(value->type) && !isfinite(x)) {
        out->count++;
        out->non_finite++;
        return;
    }
    add_numbers(out, 1, value, value, x, x);
}

/* Adds a channel in all rows of a chunk by its statistics. False: its values must be read. */
static bool add_stats(edgeops_aggregate *out, const eop_vector *column,
                      const eop_chunk_stats *stats, size_t rows) {
    if (stats->nulls > rows || stats->count > rows - stats->nulls) {
        return false;
    }
    uint64_t values = rows - stats->nulls;
    if (!eop_chunk_measures(column)) {
        out->count += values;
        return true;
    }
    if (!isfinite(stats->min) || !isfinite(stats->max) || !isfinite(stats->sum) ||
        (column->type == EDGEOPS_TYPE_UINT64 && stats->max_i64 == INT64_MAX)) {
        return false;
    }
    if (stats->count > 0) {
        edgeops_value min = {.type = column->type};
        edgeops_value max = {.type = column->type};
        if (column->type == EDGEOPS_TYPE_FLOAT64) {
            min.as.f64 = stats->min;
            max.as.f64 = stats->max;
        } else if (column->type == EDGEOPS_TYPE_FLOAT32) {
            min.as.f32 = (float)stats->min;
            max.as.f32 = (float)stats->max;
        } else {
            min.as.i64 = stats->min_i64;
            max.as.i64 = stats->max_i64;
        }
        add_numbers(out, stats->count, &min, &max, stats->sum, stats->sum / (double)stats->count);
    }
    out->count += values - stats->count;
    out->non_finite += values - stats->count;
    return true;
}

/* -- slices -- */

/* Adds n rows from `row` on by measuring them. False: the values must be added one by one. */
static bool add_measured(edgeops_aggregate *out, const eop_vector *vector, size_t row, size_t n) {
    eop_vector view = *vector;
    eop_chunk_stats stats;
    view.filled = n;
    view.data = (char *)vector->data + row * eop_vector_row_bytes(vector);
    view.nulls = 0;
    if (vector->valid != NULL) {
        view.valid = vector->valid + row;
        for (size_t i = 0; i < n; i++) {
            view.nulls += view.valid[i] == 0;
        }
    }
    eop_chunk_measure(&stats, &view);
    return add_stats(out, vector, &stats, n);
}

/* Adds rows [from, to) of the slice, all of one bucket. vector: begins with row `first`; NULL: all
 * null. */
static void add_vector(edgeops_aggregate *out, const eop_vector *vector, const eop_slice *slice,
                       size_t from, size_t to, size_t first) {
    if (vector == NULL) {
        return;
    }
    if (slice->keep == NULL && add_measured(out, vector, slice->from + from - first, to - from)) {
        return;
    }
    bool number = eop_chunk_measures(vector);
    for (size_t i = from; i < to; i++) {
        size_t row = eop_slice_row(slice, i) - first;
        if (!eop_vector_is_null(vector, row)) {
            edgeops_value value = eop_vector_value(vector, row);
            add_value(out, &value, number);
        }
    }
}

/* Rows that began elsewhere and are counted there. */
static const uint8_t *later_rows(const summary *s, const eop_scan *scan, const eop_slice *slice) {
    return s->loose ? eop_scan_later(scan, slice) : NULL;
}

/* Adds rows [from, to) of the slice to the bucket s->last. */
static void count_rows(summary *s, const int64_t *times, const eop_slice *slice,
                       const uint8_t *later, size_t from, size_t to) {
    uint64_t rows = to - from;
    for (size_t i = from; later != NULL && i < to; i++) {
        rows -= later[eop_slice_row(slice, i)] != 0;
    }
    add_rows(s, rows, times[eop_slice_row(slice, from)], times[eop_slice_row(slice, to - 1)]);
}

/* Adds the slice in runs of one bucket; channel NULL: only counts rows. */
static edgeops_status add_runs(summary *s, const int64_t *times, const eop_slice *slice,
                               const uint8_t *later, const eop_vector *vector, size_t first,
                               const size_t *channel) {
    for (size_t from = 0; from < slice->count;) {
        size_t to = from + 1;
        edgeops_status status = find_bucket(s, times[eop_slice_row(slice, from)]);
        if (status != EDGEOPS_OK) {
            return status;
        }
        edgeops_time end = s->buckets[s->last].end;
        while (to < slice->count &&
               (times[eop_slice_row(slice, to)] < end || end == EDGEOPS_TIME_MAX)) {
            to++;
        }
        if (channel != NULL) {
            add_vector(&s->aggregates[s->last][*channel], vector, slice, from, to, first);
        } else {
            count_rows(s, times, slice, later, from, to);
        }
        from = to;
    }
    return EDGEOPS_OK;
}

static edgeops_status decode_column(summary *s, eop_scan *scan, const eop_slice *slice,
                                    size_t channel, bool *there) {
    const eop_vector *column = &s->table->rows.vectors[channel];
    const void *blob = NULL;
    size_t size = 0;
    edgeops_status status =
        eop_telemetry_cell(&blob, &size, &scan->reader, slice->chunk, scan->channels[channel]);
    *there = status == EDGEOPS_OK;
    if (status == EDGEOPS_OK) {
        eop_vector_dispose(&s->scratch);
        s->scratch = (eop_vector){.type = column->type, .length = column->length};
        status =
            eop_chunk_decode(&s->scratch, blob, size, slice->chunk->rows, slice->from, slice->to);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

/* Walks over the statistics of a chunk, channel by channel in ascending order. */
typedef struct walk {
    uint32_t channel;
    eop_chunk_stats stats;
    edgeops_status status;
} walk;

/* DONE: the channel is null in all rows. */
static edgeops_status stats_of(eop_chunk_stats *stats, walk *w, const summary *s, eop_scan *scan,
                               const eop_chunk_info *chunk, uint32_t channel) {
    if (!s->walk) {
        return eop_telemetry_stats(stats, &scan->reader, chunk, channel);
    }
    while (w->status == EDGEOPS_OK && w->channel < channel) {
        w->status = eop_telemetry_stats_next(&w->channel, &w->stats, &scan->reader);
    }
    if (w->status == EDGEOPS_OK && w->channel > channel) {
        return EDGEOPS_DONE;
    }
    *stats = w->stats;
    return w->status;
}

static edgeops_status begin_walk(walk *w, const summary *s, eop_scan *scan,
                                 const eop_chunk_info *chunk) {
    size_t count = s->view.channel_count;
    *w = (walk){.status = EDGEOPS_OK};
    if (!s->walk) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_telemetry_stats_begin(
        &scan->reader, chunk, scan->channels[s->order[0]], scan->channels[s->order[count - 1]]);
    if (status == EDGEOPS_OK) {
        w->status = eop_telemetry_stats_next(&w->channel, &w->stats, &scan->reader);
    }
    return status;
}

/* Adds a chunk that is wanted whole and lies in the bucket s->last. */
static edgeops_status add_whole(summary *s, eop_scan *scan, const eop_slice *slice) {
    const eop_chunk_info *chunk = slice->chunk;
    edgeops_aggregate *out = s->aggregates[s->last];
    walk w;
    edgeops_status status = begin_walk(&w, s, scan, chunk);
    add_rows(s, chunk->rows - (s->loose ? chunk->later : 0), chunk->t0, chunk->t1);
    for (size_t i = 0; status >= 0 && i < s->view.channel_count; i++) {
        size_t k = s->order[i];
        eop_chunk_stats stats;
        status = stats_of(&stats, &w, s, scan, chunk, scan->channels[k]);
        if (status == EDGEOPS_OK &&
            !add_stats(&out[k], &s->table->rows.vectors[k], &stats, chunk->rows)) {
            bool there = false;
            status = decode_column(s, scan, slice, k, &there);
            if (status == EDGEOPS_OK) {
                add_vector(&out[k], there ? &s->scratch : NULL, slice, 0, slice->count, 0);
            }
        }
    }
    return status < 0 ? status : EDGEOPS_OK;
}

static edgeops_status add_chunk(summary *s, eop_scan *scan, const eop_slice *slice) {
    const eop_chunk_info *chunk = slice->chunk;
    if (slice->count == chunk->rows && bucket_start(s, chunk->t0) == bucket_start(s, chunk->t1)) {
        edgeops_status status = find_bucket(s, chunk->t0);
        return status == EDGEOPS_OK ? add_whole(s, scan, slice) : status;
    }
    edgeops_status status = eop_scan_keys(scan, slice);
    if (status == EDGEOPS_OK) {
        status =
            add_runs(s, scan->reader.keys.times, slice, later_rows(s, scan, slice), NULL, 0, NULL);
    }
    for (size_t k = 0; status == EDGEOPS_OK && k < s->view.channel_count; k++) {
        bool there = false;
        status = decode_column(s, scan, slice, k, &there);
        if (status == EDGEOPS_OK) {
            status = add_runs(s, scan->reader.keys.times, slice, NULL, there ? &s->scratch : NULL,
                              slice->from, &k);
        }
    }
    return status;
}

/* Rows that are decoded. */
static edgeops_status add_decoded(summary *s, const eop_scan *scan, const eop_slice *slice) {
    const eop_rows *rows = slice->rows;
    edgeops_status status =
        add_runs(s, rows->times, slice, later_rows(s, scan, slice), NULL, 0, NULL);
    for (size_t k = 0; status == EDGEOPS_OK && k < s->view.channel_count; k++) {
        status = add_runs(s, rows->times, slice, NULL, &rows->vectors[k], 0, &k);
    }
    return status;
}

static edgeops_status add_slice(summary *s, eop_scan *scan, const eop_slice *slice) {
    if (slice->count == 0) {
        return EDGEOPS_OK;
    }
    return slice->chunk != NULL ? add_chunk(s, scan, slice) : add_decoded(s, scan, slice);
}

static edgeops_status add_slices(summary *s, eop_scan *scan) {
    eop_slice slice;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK) {
        status = s->loose ? eop_scan_next_loose(scan, &slice) : eop_scan_next(scan, &slice);
        if (status == EDGEOPS_OK) {
            status = add_slice(s, scan, &slice);
        }
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

/* Insertion sort: channels are mostly in order already. */
static edgeops_status order_channels(summary *s, const uint32_t *channels) {
    size_t count = s->view.channel_count;
    s->order = eop_calloc(count, sizeof *s->order);
    if (s->order == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t k = 0; k < count; k++) {
        size_t at = k;
        for (; at > 0 && channels[s->order[at - 1]] > channels[k]; at--) {
            s->order[at] = s->order[at - 1];
        }
        s->order[at] = k;
    }
    s->walk = count > 1 && channels[s->order[count - 1]] - channels[s->order[0]] < 4 * count;
    return EDGEOPS_OK;
}

/* -- what retention dropped -- */

static edgeops_value typed_value(edgeops_type type, double x) {
    edgeops_value value = {.type = type};
    if (type == EDGEOPS_TYPE_FLOAT64) {
        value.as.f64 = x;
    } else if (type == EDGEOPS_TYPE_FLOAT32) {
        value.as.f32 = (float)x;
    } else if (eop_type_is_unsigned(type)) {
        value.as.u64 = x < 0x1p64 ? (uint64_t)x : UINT64_MAX;
    } else {
        value.as.i64 = x < 0x1p63 ? (int64_t)x : INT64_MAX;
    }
    return value;
}

static edgeops_status add_period(summary *s, const eop_rollup *rollup, size_t i,
                                 const uint32_t *channels) {
    const eop_rollup_cell *cells = rollup->cells + i * rollup->channels;
    edgeops_time start = rollup->times[i];
    uint64_t rows = 0;
    edgeops_status status = find_bucket(s, start);
    for (size_t k = 0; k < rollup->channels; k++) {
        rows = cells[k].count > rows ? cells[k].count : rows;
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    add_rows(s, rows, start, start + (rollup->period - 1));
    for (size_t k = 0; k < s->view.channel_count; k++) {
        edgeops_aggregate *out = &s->aggregates[s->last][k];
        uint64_t n = channels[k] < rollup->channels ? cells[channels[k]].count : 0;
        if (n > 0) {
            const eop_rollup_cell *cell = &cells[channels[k]];
            edgeops_type type = s->infos[k].type;
            edgeops_value min = typed_value(type, cell->min);
            edgeops_value max = typed_value(type, cell->max);
            if (isfinite(cell->sum)) {
                add_numbers(out, n, &min, &max, cell->sum, cell->sum / (double)n);
            } else {
                out->count += n;
                out->non_finite += n;
            }
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status add_rollups(summary *s, eop_scan *scan) {
    const eop_selection *want = &scan->want;
    eop_rollup rollup = {0};
    edgeops_status status = eop_rollup_read(&rollup, scan->store, &scan->reader, want->asset,
                                            s->every, want->from, want->to);
    for (size_t i = 0; status == EDGEOPS_OK && i < rollup.count; i++) {
        status = add_period(s, &rollup, i, want->channels);
    }
    eop_rollup_dispose(&rollup);
    return status;
}

/* -- the call -- */

/* Reads one snapshot and holds no lock: retention goes on, however long this takes. */
static edgeops_status add_all(summary *s, edgeops_store *store, const eop_selection *want) {
    eop_scan scan;
    edgeops_status status =
        eop_scan_open(&scan, store, want, s->table->rows.vectors, s->view.channel_count);
    if (status == EDGEOPS_OK) {
        status = order_channels(s, want->channels);
    }
    if (status == EDGEOPS_OK) {
        status = eop_scan_is_loose(&s->loose, &scan);
    }
    if (status == EDGEOPS_OK) {
        status = add_slices(s, &scan);
    }
    if (status == EDGEOPS_OK && s->every > 0 && want->condition_count == 0) {
        status = add_rollups(s, &scan);
    }
    eop_scan_dispose(&scan);
    return status;
}

static edgeops_status set_up(summary *s, eop_request *request) {
    s->table = request->table;
    request->table = NULL;
    const edgeops_table *table = &s->table->view;
    s->infos = eop_calloc(table->column_count, sizeof *s->infos);
    if (s->infos == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t k = 0; k < table->column_count; k++) {
        const eop_vector *vector = &s->table->rows.vectors[k];
        s->infos[k] = (edgeops_channel_info){table->columns[k].name, table->columns[k].unit,
                                             vector->type, eop_vector_length(vector)};
    }
    s->view.asset = table->asset;
    s->view.channel_count = table->column_count;
    s->view.channels = s->infos;
    return EDGEOPS_OK;
}

static void finish_buckets(summary *s) {
    for (size_t i = 0; i < s->view.bucket_count; i++) {
        for (size_t k = 0; k < s->view.channel_count; k++) {
            edgeops_aggregate *out = &s->aggregates[i][k];
            uint64_t rows = s->buckets[i].rows;
            out->nulls = rows > out->count ? rows - out->count : 0;
            if (out->min.type == EDGEOPS_TYPE_NULL) {
                out->mean = (double)NAN;
            } else if (isfinite(out->sum)) {
                out->mean = out->sum / (double)(out->count - out->non_finite);
            }
        }
    }
}

static edgeops_status aggregate_once(edgeops_summary **out, edgeops_store *store,
                                     const edgeops_query *query, edgeops_duration every) {
    eop_request request;
    summary *s = eop_calloc(1, sizeof *s);
    if (s == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = eop_request_init(&request, store, query);
    if (status == EDGEOPS_OK && (request.want.limit > 0 || request.want.last > 0)) {
        status = eop_fail(EDGEOPS_E_INVALID, "store", "an aggregate has no limit of rows");
    }
    if (status == EDGEOPS_OK) {
        s->every = every;
        s->start = query->start;
        s->end = query->end;
        status = set_up(s, &request);
    }
    if (status == EDGEOPS_OK && !request.none) {
        status = add_all(s, store, &request.want);
    }
    eop_request_dispose(&request);
    if (status != EDGEOPS_OK) {
        edgeops_summary_free(&s->view);
        return status;
    }
    finish_buckets(s);
    *out = &s->view;
    return EDGEOPS_OK;
}

edgeops_status edgeops_store_aggregate(edgeops_summary **out, edgeops_store *store,
                                       const edgeops_query *query, edgeops_duration every) {
    EOP_REQUIRE(out != NULL, "store");
    *out = NULL;
    EOP_REQUIRE(store != NULL && query != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    if (every < 0) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "the length of a bucket is negative");
    }
    edgeops_status status = EDGEOPS_E_AGAIN;
    while (status == EDGEOPS_E_AGAIN) {
        status = aggregate_once(out, store, query, every);
    }
    return status;
}
