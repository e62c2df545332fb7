/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a frozen dataset straight into the caller's arrays, with a second thread for large ones.
 * The threads take parts in turn by an atomic counter and write to separate rows, so they need no
 * lock. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/thread.h"
#include "dataset/frozen.h"
#include "store/birth.h"
#include "store/read_into.h"

/* With fewer rows one thread is done before a second has begun. */
#define ROWS_FOR_TWO 500000u

void edgeops_dataset_layout_init(edgeops_dataset_layout *layout, size_t struct_size) {
    static const edgeops_dataset_layout defaults = EDGEOPS_DATASET_LAYOUT_INIT;
    eop_struct_init(layout, struct_size, &defaults, sizeof defaults);
}

typedef struct reading {
    edgeops_store *store;
    eop_frozen frozen;
    edgeops_dataset_layout layout;
    eop_vector *columns; /* the columns that are read */
    const char **names;
    size_t *order; /* for each: its column in the dataset */
    size_t count;
    uint64_t *starts; /* first row of each part */
    atomic_size_t next;
    atomic_bool failed;
} reading;

/* -- what is asked -- */

static edgeops_status choose_columns(reading *r) {
    const eop_frozen *frozen = &r->frozen;
    const edgeops_dataset_layout *layout = &r->layout;
    r->count = layout->channels != NULL ? layout->channel_count : frozen->channel_count;
    r->columns = eop_calloc(r->count, sizeof *r->columns);
    r->names = eop_calloc(r->count, sizeof *r->names);
    r->order = eop_calloc(r->count, sizeof *r->order);
    r->starts = eop_calloc(frozen->asset_count + 1, sizeof *r->starts);
    if (r->columns == NULL || r->names == NULL || r->order == NULL || r->starts == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t k = 0; k < r->count; k++) {
        size_t at = layout->channels != NULL ? 0 : k;
        EOP_REQUIRE(layout->channels == NULL || layout->channels[k] != NULL, "store");
        while (layout->channels != NULL && at < frozen->channel_count &&
               strcmp(frozen->channels[at].name, layout->channels[k]) != 0) {
            at++;
        }
        if (at == frozen->channel_count) {
            return eop_fail(EDGEOPS_E_NOTFOUND, "store", "dataset '%s' has no channel '%s'",
                            frozen->name, layout->channels[k]);
        }
        const edgeops_channel_info *channel = &frozen->channels[at];
        r->order[k] = at;
        r->names[k] = channel->name;
        r->columns[k] = (eop_vector){.type = channel->type, .length = channel->length};
    }
    for (size_t i = 0; i < frozen->asset_count; i++) {
        r->starts[i + 1] = r->starts[i] + frozen->assets[i].rows;
    }
    if (r->starts[frozen->asset_count] > layout->capacity) {
        return eop_fail(EDGEOPS_E_LIMIT, "store",
                        "dataset '%s' has %llu rows, the layout room "
                        "for %llu",
                        frozen->name, (unsigned long long)r->starts[frozen->asset_count],
                        (unsigned long long)layout->capacity);
    }
    return EDGEOPS_OK;
}

static edgeops_status fail_changed(const reading *r, size_t part, uint64_t rows) {
    const eop_frozen_asset *asset = &r->frozen.assets[part];
    return eop_fail(EDGEOPS_E_CORRUPT, "store",
                    "dataset '%s' is not what was frozen: it has %llu rows of asset '%s', not %llu",
                    r->frozen.name, (unsigned long long)rows, asset->name,
                    (unsigned long long)asset->rows);
}

/* -- a part -- */

/* The caller's arrays from the first row of a part on. Free *targets with eop_free. */
static edgeops_status lay_out(edgeops_layout *out, edgeops_target **targets, const reading *r,
                              size_t part) {
    const edgeops_dataset_layout *from = &r->layout;
    size_t first = (size_t)r->starts[part];
    *out = (edgeops_layout)EDGEOPS_LAYOUT_INIT;
    *targets = NULL;
    out->capacity = r->frozen.assets[part].rows;
    out->channel_count = r->count;
    out->times = from->times != NULL ? from->times + first : NULL;
    out->seqs = from->seqs != NULL ? from->seqs + first : NULL;
    out->values = from->values != NULL ? from->values + first * r->count : NULL;
    if (from->targets == NULL) {
        return EDGEOPS_OK;
    }
    *targets = eop_calloc(r->count, sizeof **targets);
    if (*targets == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t k = 0; k < r->count; k++) {
        edgeops_target *target = &(*targets)[k];
        *target = from->targets[k];
        edgeops_type type = target->type != EDGEOPS_TYPE_NULL ? target->type : r->columns[k].type;
        size_t stride = target->stride > 0
                            ? target->stride
                            : eop_vector_width(type) * eop_vector_length(&r->columns[k]);
        if (target->data != NULL) {
            target->data = (char *)target->data + first * stride;
        }
        target->valid = target->valid != NULL ? target->valid + first : NULL;
    }
    out->targets = *targets;
    return EDGEOPS_OK;
}

/* Whether rows go out as they are in the store. */
static bool is_plain(const eop_frozen *frozen) {
    return frozen->spec.period == 0 && frozen->spec.filter.count == 0 && !frozen->labelled_only;
}

static edgeops_status put_labels(const reading *r, size_t part, const int64_t *times, size_t n) {
    const eop_frozen *frozen = &r->frozen;
    int32_t *labels = r->layout.labels + r->starts[part];
    eop_label_names names = {0};
    if (frozen->labels.count == 0) {
        memset(labels, 0xff, n * sizeof *labels);
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_label_names_copy(&names, &frozen->labels);
    if (status == EDGEOPS_OK) {
        status = eop_label_paint(labels, &names, eop_store_catalog(r->store),
                                 frozen->assets[part].id, frozen->label_version, times, n);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        if (labels[i] >= 0 && (size_t)labels[i] >= frozen->labels.count) {
            status = eop_frozen_fail_label(frozen, names.items[labels[i]]->name);
        }
    }
    eop_label_names_dispose(&names);
    return status;
}

/* Writes labels and subsets, which follow from the times. */
static edgeops_status put_marks(const reading *r, size_t part, const int64_t *times, size_t n) {
    const eop_frozen *frozen = &r->frozen;
    edgeops_status status = EDGEOPS_OK;
    if (r->layout.labels != NULL) {
        status = put_labels(r, part, times, n);
    }
    if (r->layout.subsets != NULL && frozen->spec.split == EDGEOPS_SPLIT_NONE) {
        memset(r->layout.subsets + r->starts[part], 0, n);
    } else if (r->layout.subsets != NULL) {
        eop_split_rows(r->layout.subsets + r->starts[part], &frozen->spec,
                       frozen->assets[part].name, times, n);
    }
    return status;
}

static edgeops_status read_plain(eop_read_into *into, const reading *r, size_t part) {
    const eop_frozen_asset *asset = &r->frozen.assets[part];
    edgeops_status status = EDGEOPS_OK;
    int64_t *times = NULL;
    uint32_t *channels = eop_calloc(r->count, sizeof *channels);
    bool marks = (r->layout.labels != NULL && r->frozen.labels.count > 0) ||
                 (r->layout.subsets != NULL && r->frozen.spec.split != EDGEOPS_SPLIT_NONE);
    if (marks && into->layout.times == NULL) {
        into->layout.times = times = eop_realloc_array(NULL, (size_t)asset->rows, sizeof *times);
    }
    if (channels == NULL || (marks && into->layout.times == NULL)) {
        status = eop_fail_nomem("store");
        goto out;
    }
    for (size_t k = 0; k < r->count; k++) {
        channels[k] = asset->channels[r->order[k]];
    }
    eop_selection want = {
        .asset = asset->id, .max_ordinal = asset->max_ordinal, .channels = channels};
    if (eop_time_bounds(&want.from, &want.to, r->frozen.start, r->frozen.end)) {
        status = eop_read_into_scan(into, r->store, &want, r->columns);
    }
    if (status == EDGEOPS_OK) {
        status = put_marks(r, part, into->layout.times, into->at);
    }
out:
    eop_free(times);
    eop_free(channels);
    return status;
}

/* Writes the columns of a batch in the order of the layout. */
static edgeops_status put_batch(eop_read_into *into, const reading *r, size_t part,
                                const eop_batch *batch) {
    size_t at = (size_t)r->starts[part] + into->at;
    size_t n = batch->rows.rows;
    eop_rows view = batch->rows;
    if (n > r->frozen.assets[part].rows - into->at) {
        return fail_changed(r, part, into->at + n);
    }
    view.vectors = eop_calloc(r->count, sizeof *view.vectors);
    if (view.vectors == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t k = 0; k < r->count; k++) {
        view.vectors[k] = batch->rows.vectors[r->order[k]];
    }
    edgeops_status status = eop_read_into_rows(into, &view);
    eop_free(view.vectors);
    if (r->layout.labels != NULL) {
        memcpy(r->layout.labels + at, batch->labels, n * sizeof *batch->labels);
    }
    if (r->layout.subsets != NULL && batch->subsets != NULL) {
        memcpy(r->layout.subsets + at, batch->subsets, n);
    } else if (r->layout.subsets != NULL) {
        memset(r->layout.subsets + at, 0, n);
    }
    return status;
}

static edgeops_status read_batches(eop_read_into *into, const reading *r, size_t part) {
    eop_part_reader *reader = NULL;
    eop_label_names names = {0};
    eop_batch batch = {0};
    edgeops_status status = eop_label_names_copy(&names, &r->frozen.labels);
    if (status == EDGEOPS_OK) {
        status = eop_part_open(&reader, r->store, &r->frozen, &r->frozen.assets[part], &names,
                               EOP_PART_SLICES);
    }
    while (status == EDGEOPS_OK && (status = eop_part_next(reader, &batch)) == EDGEOPS_OK) {
        status = put_batch(into, r, part, &batch);
    }
    eop_part_close(reader);
    eop_batch_dispose(&batch);
    eop_label_names_dispose(&names);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status read_part(const reading *r, size_t part) {
    edgeops_layout layout;
    edgeops_target *targets = NULL;
    eop_read_into into = {0};
    edgeops_status status = lay_out(&layout, &targets, r, part);
    if (status == EDGEOPS_OK) {
        status = eop_read_into_init(&into, &layout, r->columns, r->names, r->count);
    }
    if (status == EDGEOPS_OK) {
        status = is_plain(&r->frozen) ? read_plain(&into, r, part) : read_batches(&into, r, part);
    }
    if (status == EDGEOPS_OK && into.at != r->frozen.assets[part].rows) {
        status = fail_changed(r, part, into.at);
    }
    for (uint64_t i = r->starts[part]; r->layout.groups != NULL && i < r->starts[part + 1]; i++) {
        r->layout.groups[i] = (int32_t)part;
    }
    eop_read_into_dispose(&into);
    eop_free(targets);
    return status;
}

/* -- all parts -- */

static edgeops_status read_parts(reading *r) {
    size_t part = 0;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && !atomic_load(&r->failed) &&
           (part = atomic_fetch_add(&r->next, 1)) < r->frozen.asset_count) {
        status = read_part(r, part);
    }
    if (status != EDGEOPS_OK) {
        atomic_store(&r->failed, true);
    }
    return status;
}

typedef struct helper {
    reading *r;
    edgeops_status status;
    char message[512];
} helper;

static void *help_reading(void *user_data) {
    helper *h = user_data;
    h->status = read_parts(h->r);
    if (h->status != EDGEOPS_OK) {
        strncpy(h->message, edgeops_error_last()->message, sizeof h->message - 1);
    }
    return NULL;
}

static edgeops_status read_on_two(reading *r) {
    helper h = {.r = r};
    pthread_t thread;
    if (eop_thread_create(&thread, NULL, help_reading, &h) != 0) {
        return read_parts(r);
    }
    edgeops_status status = read_parts(r);
    pthread_join(thread, NULL);
    if (status == EDGEOPS_OK && h.status != EDGEOPS_OK) {
        status = eop_fail(h.status, "store", "%s", h.message);
    }
    return status;
}

edgeops_status edgeops_dataset_read_into(edgeops_store *store, const char *name,
                                         const edgeops_dataset_layout *layout) {
    EOP_REQUIRE(store != NULL && name != NULL && layout != NULL, "store");
    EOP_STORE_REQUIRE_HERE(store);
    reading r = {.store = store, .layout = EDGEOPS_DATASET_LAYOUT_INIT};
    edgeops_status status =
        EOP_STRUCT_TAKE(&r.layout, layout, "store", EDGEOPS_DATASET_LAYOUT_INIT);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = eop_frozen_load(&r.frozen, eop_store_catalog(store), name);
    if (status == EDGEOPS_OK) {
        status = choose_columns(&r);
    }
    if (status == EDGEOPS_OK) {
        bool two = r.frozen.asset_count > 1 && r.frozen.rows >= ROWS_FOR_TWO;
        status = two ? read_on_two(&r) : read_parts(&r);
    }
    eop_frozen_dispose(&r.frozen);
    eop_free(r.columns);
    eop_free(r.names);
    eop_free(r.order);
    eop_free(r.starts);
    return status;
}
