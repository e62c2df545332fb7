/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the rows of one asset of a dataset, puts them on the common rate, filters, labels and
 * splits them. A reader owns its batches; reading takes the store's locks itself. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "column/align.h"
#include "dataset/frozen.h"

#define SLICE_BYTES (8u << 20)
#define SLICE_LEAST 4096u
#define SLICE_MOST  262144u
/* The most points of one asset on a common rate. */
#define MAX_POINTS 1000000000u

typedef struct shape {
    edgeops_type type;
    uint32_t length;
} shape;

struct eop_part_reader {
    edgeops_store *store;
    const eop_frozen *frozen;
    const eop_frozen_asset *asset;
    eop_label_names *names;
    eop_part_mode mode;
    size_t name_count; /* labels from this index on are not the dataset's */
    eop_selection want;
    uint32_t *channels; /* channels to read: the columns, then those that only the filter needs */
    shape *shapes;
    size_t channel_count;
    size_t column_count;
    eop_condition conditions[EOP_CONDITIONS_MAX]; /* of the filter */
    size_t tested[EOP_CONDITIONS_MAX];            /* common rate: index in `channels` */
    size_t slice;                                 /* rows of a slice; 0: all at once */
    bool ended;
    eop_align *align;
    eop_batch source; /* rows before alignment */
    uint32_t *index;
    size_t index_capacity;
};

void eop_batch_dispose(eop_batch *batch) {
    eop_rows_dispose(&batch->rows);
    eop_free(batch->labels);
    eop_free(batch->subsets);
    *batch = (eop_batch){0};
}

/* -- opening -- */

static size_t place_of(eop_part_reader *r, uint32_t channel, shape of) {
    for (size_t i = 0; i < r->channel_count; i++) {
        if (r->channels[i] == channel) {
            return i;
        }
    }
    r->channels[r->channel_count] = channel;
    r->shapes[r->channel_count] = of;
    return r->channel_count++;
}

/* Resolves the filter's conditions, under the store's lock. Points of a common rate are tested here
 * and so need the channels; plain rows are tested by the store. */
static edgeops_status place_conditions(eop_part_reader *r, const eop_asset_list *assets) {
    const eop_filter *filter = &r->frozen->spec.filter;
    const eop_asset *asset = eop_asset_list_by_id(assets, r->asset->id);
    if (asset == NULL) {
        return eop_fail_no_asset(r->asset->name);
    }
    for (size_t i = 0; i < filter->count; i++) {
        uint32_t channel = r->asset->tested[i];
        if (channel != UINT32_MAX && channel >= asset->channel_count) {
            return eop_fail(EDGEOPS_E_CORRUPT, "store", "dataset '%s' has lost a channel",
                            r->frozen->name);
        }
        const eop_channel *known = channel != UINT32_MAX ? asset->channels[channel] : NULL;
        shape of =
            known != NULL ? (shape){known->type, known->length} : (shape){EDGEOPS_TYPE_FLOAT64, 1};
        r->conditions[i] = (eop_condition){.channel = channel,
                                           .type = of.type,
                                           .length = of.length,
                                           .compare = filter->items[i].compare,
                                           .value = filter->items[i].value};
        if (r->frozen->spec.period > 0) {
            r->tested[i] = place_of(r, channel, of);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status choose_columns(eop_part_reader *r) {
    const eop_frozen *frozen = r->frozen;
    size_t tested = frozen->spec.filter.count;
    r->column_count = r->mode == EOP_PART_KEYS ? 0 : frozen->channel_count;
    r->channels = eop_calloc(r->column_count + tested, sizeof *r->channels);
    r->shapes = eop_calloc(r->column_count + tested, sizeof *r->shapes);
    if (r->channels == NULL || r->shapes == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t k = 0; k < r->column_count; k++) {
        r->channels[k] = r->asset->channels[k];
        r->shapes[k] = (shape){frozen->channels[k].type, frozen->channels[k].length};
    }
    r->channel_count = r->column_count;
    if (tested == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = place_conditions(r, eop_store_lock_assets(r->store));
    eop_store_unlock_assets(r->store);
    return status;
}

edgeops_status eop_part_open(eop_part_reader **out, edgeops_store *store, const eop_frozen *frozen,
                             const eop_frozen_asset *asset, eop_label_names *names,
                             eop_part_mode mode) {
    *out = NULL;
    eop_part_reader *r = eop_calloc(1, sizeof *r);
    if (r == NULL) {
        return eop_fail_nomem("store");
    }
    r->store = store;
    r->frozen = frozen;
    r->asset = asset;
    r->names = names;
    r->mode = mode;
    r->name_count = mode == EOP_PART_KEYS ? SIZE_MAX : names->count;
    edgeops_status status = choose_columns(r);
    if (status == EDGEOPS_OK && frozen->spec.period > 0) {
        status = eop_align_new(&r->align, &(eop_align_rule){.period = frozen->spec.period,
                                                            .fill = frozen->spec.fill,
                                                            .tolerance = frozen->spec.tolerance,
                                                            .max_points = MAX_POINTS});
    }
    if (status != EDGEOPS_OK) {
        eop_part_close(r);
        return status;
    }
    r->want = (eop_selection){
        .asset = asset->id, .max_ordinal = asset->max_ordinal, .channels = r->channels};
    if (r->align == NULL) {
        r->want.conditions = r->conditions;
        r->want.condition_count = frozen->spec.filter.count;
    }
    r->ended = !eop_time_bounds(&r->want.from, &r->want.to, frozen->start, frozen->end);
    if (mode != EOP_PART_WHOLE) {
        size_t slice = SLICE_BYTES / (8 * (r->channel_count + 3));
        r->slice = slice < SLICE_LEAST ? SLICE_LEAST : slice > SLICE_MOST ? SLICE_MOST : slice;
    }
    *out = r;
    return EDGEOPS_OK;
}

void eop_part_close(eop_part_reader *r) {
    if (r != NULL) {
        eop_align_free(r->align);
        eop_batch_dispose(&r->source);
        eop_free(r->channels);
        eop_free(r->shapes);
        eop_free(r->index);
        eop_free(r);
    }
}

/* -- reading -- */

/* Empties the batch and sets up its columns. */
static edgeops_status prepare_batch(const eop_part_reader *r, eop_batch *batch) {
    eop_rows_clear(&batch->rows);
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = batch->rows.vector_count; status == EDGEOPS_OK && k < r->channel_count; k++) {
        status = eop_rows_add_vector(&batch->rows, r->shapes[k].type, r->shapes[k].length);
    }
    return status;
}

/* Reads the next rows as they are in the store. A slice never splits the rows of one time. */
static edgeops_status read_slice(eop_part_reader *r, eop_batch *batch) {
    uint64_t limit = r->slice;
    eop_rows *rows = &batch->rows;
    while (!r->ended) {
        edgeops_status status = prepare_batch(r, batch);
        r->want.limit = limit;
        if (status == EDGEOPS_OK) {
            status = eop_store_read_rows(rows, r->store, &r->want);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
        r->ended = limit == 0 || rows->rows < limit;
        if (!r->ended) {
            int64_t last = rows->times[rows->rows - 1];
            eop_rows_truncate(rows, eop_times_lower(rows->times, rows->rows, last));
            r->want.from = last;
        }
        if (rows->rows > 0) {
            return EDGEOPS_OK;
        }
        limit *= 2; /* one time has more rows than a slice */
    }
    return EDGEOPS_DONE;
}

static edgeops_status label_rows(eop_part_reader *r, eop_batch *batch) {
    size_t n = batch->rows.rows;
    if (!eop_grow(&batch->labels, &batch->label_capacity, n, sizeof *batch->labels)) {
        return eop_fail_nomem("store");
    }
    return eop_label_paint(batch->labels, r->names, eop_store_catalog(r->store), r->asset->id,
                           r->frozen->label_version, batch->rows.times, n);
}

/* Reads the next points; all points at once when the reader has no slices. */
static edgeops_status read_points(eop_part_reader *r, eop_batch *batch) {
    size_t max = r->slice > 0 ? r->slice : SLICE_MOST;
    edgeops_status status = prepare_batch(r, batch);
    eop_rows *rows = &batch->rows;
    while (status == EDGEOPS_OK) {
        size_t count = 0;
        if (!eop_grow(&batch->labels, &batch->label_capacity, rows->rows + max,
                      sizeof *batch->labels)) {
            return eop_fail_nomem("store");
        }
        status = eop_align_next(r->align, rows, batch->labels + rows->rows, max, &count);
        if (status == EDGEOPS_OK && r->slice > 0) {
            return EDGEOPS_OK;
        }
        if (status != EDGEOPS_DONE) {
            continue;
        }
        status = read_slice(r, &r->source);
        if (status == EDGEOPS_DONE) {
            return rows->rows > 0 ? EDGEOPS_OK : EDGEOPS_DONE;
        }
        if (status == EDGEOPS_OK) {
            status = label_rows(r, &r->source);
        }
        if (status == EDGEOPS_OK) {
            status = eop_align_feed(r->align, &r->source.rows, r->source.labels);
        }
    }
    return status;
}

/* -- choosing -- */

/* Keeps points that meet the filter and, where wanted, rows with a label only. */
static edgeops_status choose_rows(eop_part_reader *r, eop_batch *batch) {
    size_t conditions = r->align != NULL ? r->frozen->spec.filter.count : 0;
    eop_rows *rows = &batch->rows;
    size_t n = 0;
    if (conditions == 0 && !r->frozen->labelled_only) {
        return EDGEOPS_OK;
    }
    if (!eop_grow(&r->index, &r->index_capacity, rows->rows, sizeof *r->index)) {
        return eop_fail_nomem("store");
    }
    for (size_t i = 0; i < rows->rows; i++) {
        if (batch->labels[i] >= 0 || !r->frozen->labelled_only) {
            r->index[n++] = (uint32_t)i;
        }
    }
    for (size_t i = 0; i < conditions; i++) {
        n = eop_condition_filter(r->index, n, &r->conditions[i], &rows->vectors[r->tested[i]], 0);
    }
    if (n == rows->rows) {
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < n; i++) {
        batch->labels[i] = batch->labels[r->index[i]];
    }
    return eop_rows_gather(rows, r->index, n);
}

edgeops_status eop_frozen_fail_label(const eop_frozen *frozen, const char *label) {
    return eop_fail(EDGEOPS_E_CORRUPT, "store",
                    "dataset '%s' is not what was frozen: a row has label '%s', which the dataset "
                    "had not",
                    frozen->name, label);
}

static edgeops_status check_labels(const eop_part_reader *r, const eop_batch *batch) {
    if (r->names->count <= r->name_count) {
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < batch->rows.rows; i++) {
        if (batch->labels[i] >= 0 && (size_t)batch->labels[i] >= r->name_count) {
            return eop_frozen_fail_label(r->frozen, r->names->items[batch->labels[i]]->name);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status part_rows(const eop_part_reader *r, eop_batch *batch) {
    if (r->frozen->spec.split == EDGEOPS_SPLIT_NONE || r->mode == EOP_PART_KEYS) {
        return EDGEOPS_OK;
    }
    if (!eop_grow(&batch->subsets, &batch->subset_capacity, batch->rows.rows, 1)) {
        return eop_fail_nomem("store");
    }
    eop_split_rows(batch->subsets, &r->frozen->spec, r->asset->name, batch->rows.times,
                   batch->rows.rows);
    return EDGEOPS_OK;
}

/* Drops the columns that only the filter needed. */
static void drop_tested(const eop_part_reader *r, eop_rows *rows) {
    while (rows->vector_count > r->column_count) {
        eop_vector_dispose(&rows->vectors[--rows->vector_count]);
    }
}

edgeops_status eop_part_next(eop_part_reader *r, eop_batch *batch) {
    edgeops_status status;
    do {
        if (r->align != NULL) {
            status = read_points(r, batch);
        } else {
            status = read_slice(r, batch);
            status = status == EDGEOPS_OK ? label_rows(r, batch) : status;
        }
        if (status == EDGEOPS_OK) {
            status = choose_rows(r, batch);
        }
    } while (status == EDGEOPS_OK && batch->rows.rows == 0);
    if (status == EDGEOPS_OK) {
        status = check_labels(r, batch);
    }
    if (status == EDGEOPS_OK) {
        status = part_rows(r, batch);
    }
    drop_tested(r, &batch->rows);
    return status;
}
