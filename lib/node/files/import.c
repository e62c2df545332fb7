/* SPDX-License-Identifier: Apache-2.0 */
/* The batch of an import: the readers of CSV, JSON lines and arrays put rows and labels into it,
 * and it stores them when it is full. It belongs to the job's thread. */
#include "node/files/import.h"

#include <string.h>

#include "base/hash.h"
#include "codec/value.h"
#include "node/home/derived.h"
#include "store/room.h"

#define BATCH_VALUES_MAX 1000000u

/* -- labels -- */

static uint64_t label_hash(const char *asset, edgeops_time start, edgeops_time end,
                           const char *label) {
    uint64_t parts[4] = {eop_hash64(asset, strlen(asset)), (uint64_t)start, (uint64_t)end,
                         eop_hash64(label, strlen(label))};
    return eop_hash64(parts, sizeof(parts));
}

/* *fresh: it was not there. */
static edgeops_status know(eop_import *w, uint64_t hash, bool *fresh) {
    return eop_map_note(&w->known, hash, fresh) ? EDGEOPS_OK : eop_fail_nomem("node");
}

edgeops_status eop_import_know_label(const edgeops_label *label, void *user_data) {
    bool fresh = false;
    return know(user_data, label_hash(label->asset, label->start, label->end, label->label),
                &fresh);
}

edgeops_status eop_import_label_run(const char *asset, edgeops_time start, edgeops_time end,
                                    const char *label, void *user_data) {
    eop_import *w = user_data;
    bool fresh = false;
    edgeops_status status = know(w, label_hash(asset, start, end, label), &fresh);
    if (status != EDGEOPS_OK || !fresh) {
        return status;
    }
    eop_import_label row = {eop_strdup(asset), eop_strdup(label), start, end};
    if (row.asset == NULL || row.label == NULL ||
        !eop_grow(&w->labels, &w->label_capacity, w->label_count + 1, sizeof(*w->labels))) {
        eop_free(row.asset);
        eop_free(row.label);
        return eop_fail_nomem("node");
    }
    w->labels[w->label_count++] = row;
    return EDGEOPS_OK;
}

static bool has_asset(const eop_import *w, const char *name) {
    edgeops_asset_info *info = NULL;
    bool found = edgeops_asset_get(&info, w->call->node->store, name) == EDGEOPS_OK;
    edgeops_free(info);
    return found;
}

/* Those of assets that have no sample yet come to the end: one may come still. */
static size_t count_ready(eop_import *w) {
    size_t ready = 0;
    for (size_t i = 0; i < w->label_count; i++) {
        const char *asset = w->labels[i].asset;
        if ((i > 0 && ready == i && strcmp(asset, w->labels[i - 1].asset) == 0) ||
            has_asset(w, asset)) {
            eop_import_label label = w->labels[i];
            w->labels[i] = w->labels[ready];
            w->labels[ready++] = label;
        }
    }
    return ready;
}

static void drop_labels(eop_import *w, size_t n) {
    for (size_t i = 0; i < n; i++) {
        eop_free(w->labels[i].asset);
        eop_free(w->labels[i].label);
    }
    w->label_count -= n;
    memmove(w->labels, w->labels + n, w->label_count * sizeof(*w->labels));
}

edgeops_status eop_import_flush_labels(eop_import *w) {
    size_t n = w->dry_run ? w->label_count : count_ready(w);
    edgeops_status status = EDGEOPS_OK;
    if (n == 0) {
        return EDGEOPS_OK;
    }
    edgeops_label *labels = eop_calloc(n, sizeof(*labels));
    if (labels == NULL) {
        return eop_fail_nomem("node");
    }
    for (size_t i = 0; i < n; i++) {
        labels[i] = (edgeops_label){.asset = w->labels[i].asset,
                                    .start = w->labels[i].start,
                                    .end = w->labels[i].end,
                                    .label = w->labels[i].label,
                                    .author = "import",
                                    .source = "import"};
    }
    status = w->dry_run ? EDGEOPS_OK : edgeops_label_add(NULL, w->call->node->store, labels, n);
    eop_free(labels);
    if (status == EDGEOPS_OK) {
        w->labelled += n;
        drop_labels(w, n);
    }
    return status;
}

/* -- samples -- */

edgeops_status eop_import_asset(eop_import *w, const char *asset) {
    bool fresh = false;
    edgeops_status status = know(w, label_hash(asset, 0, -1, "asset"), &fresh);
    if (status != EDGEOPS_OK || !fresh) {
        return status;
    }
    status = eop_derived_refuse(w->call->node->derived, asset);
    if (status != EDGEOPS_OK) {
        return status;
    }
    char *copy = eop_strdup(asset);
    if (copy == NULL ||
        !eop_grow(&w->assets, &w->asset_capacity, w->asset_count + 1, sizeof(*w->assets))) {
        eop_free(copy);
        return eop_fail_nomem("node");
    }
    w->assets[w->asset_count++] = copy;
    return EDGEOPS_OK;
}

edgeops_status eop_import_put(eop_import *w, const edgeops_sample *sample, uint64_t line) {
    size_t n = w->value_count + sample->count;
    bool same = w->sample_count > 0 &&
                strcmp(w->text.data + w->asset_at[w->sample_count - 1], sample->asset) == 0;
    if (!eop_grow(&w->values, &w->value_capacity, n, sizeof(*w->values)) ||
        !eop_grow(&w->names, &w->name_capacity, n, sizeof(*w->names)) ||
        !eop_grow(&w->qualities, &w->quality_capacity, n, sizeof(*w->qualities))) {
        return eop_fail_nomem("node");
    }
    int64_t seq = sample->seq;
    edgeops_status status = w->renumber.on
                                ? eop_renumber_put(&w->renumber, sample->asset, sample->time, &seq)
                                : EDGEOPS_OK;
    if (status != EDGEOPS_OK) {
        return status;
    }
    w->first[w->sample_count] = w->value_count;
    w->seqs[w->sample_count] = sample->seq;
    w->lines[w->sample_count] = line;
    if (same) {
        w->asset_at[w->sample_count] = w->asset_at[w->sample_count - 1];
    } else {
        status = eop_import_asset(w, sample->asset);
        if (status != EDGEOPS_OK) {
            return status;
        }
        w->asset_at[w->sample_count] = w->text.size;
        eop_buf_put(&w->text, sample->asset, strlen(sample->asset) + 1);
    }
    for (size_t i = 0; i < sample->count; i++) {
        edgeops_value value = sample->values[i];
        if (value.type == EDGEOPS_TYPE_STRING || value.size > 0) {
            size_t at = w->text.size;
            eop_buf_put(&w->text, value.as.data, value.size);
            value.as.u64 = at;
        }
        w->names[w->value_count] = sample->channels[i];
        w->qualities[w->value_count] =
            sample->qualities != NULL ? sample->qualities[i] : EDGEOPS_QUALITY_NONE;
        w->values[w->value_count++] = value;
    }
    w->samples[w->sample_count++] =
        (edgeops_sample){.time = sample->time, .seq = seq, .count = sample->count};
    w->has_qualities = w->has_qualities || sample->qualities != NULL;
    w->rows++;
    return w->text.failed ? eop_fail_nomem("node") : EDGEOPS_OK;
}

bool eop_import_is_full(const eop_import *w) {
    return w->sample_count == w->batch || w->value_count >= BATCH_VALUES_MAX;
}

bool eop_import_must_flush(const eop_import *w, const edgeops_sample *sample) {
    return w->renumber.on && eop_renumber_waits(&w->renumber, sample->asset, sample->time);
}

/* The samples of the batch, whose texts do not move any more. */
static void complete_batch(eop_import *w) {
    for (size_t i = 0; i < w->value_count; i++) {
        if (w->values[i].type == EDGEOPS_TYPE_STRING || w->values[i].size > 0) {
            w->values[i].as.data = w->text.data + w->values[i].as.u64;
        }
    }
    for (size_t i = 0; i < w->sample_count; i++) {
        w->samples[i].asset = w->text.data + w->asset_at[i];
        w->samples[i].channels = w->names + w->first[i];
        w->samples[i].values = w->values + w->first[i];
        w->samples[i].qualities = w->has_qualities ? w->qualities + w->first[i] : NULL;
    }
}

static void note_renumbered(eop_import *w) {
    for (size_t i = 0; w->renumber.on && i < w->sample_count; i++) {
        w->renumbered += w->samples[i].seq != w->seqs[i];
    }
}

edgeops_status eop_import_flush(eop_import *w) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_store *store = w->call->node->store;
    edgeops_status status = EDGEOPS_OK;
    complete_batch(w);
    if (w->dry_run) {
        status = eop_import_try(w);
    } else if (w->sample_count > 0) {
        status = eop_store_ready(store);
        if (status == EDGEOPS_OK) {
            status = edgeops_store_append(&result, store, w->samples, w->sample_count, NULL);
        }
        if (status == EDGEOPS_OK) {
            eop_import_add(w, &result);
            status = result.conflicts > 0 ? eop_import_conflicts(w) : EDGEOPS_OK;
            note_renumbered(w);
        }
    }
    if (status == EDGEOPS_OK) {
        status = eop_import_flush_labels(w);
    }
    w->sample_count = w->value_count = 0;
    w->has_qualities = false;
    eop_renumber_next(&w->renumber);
    eop_buf_clear(&w->text);
    return status;
}

void eop_import_progress(const eop_import *w, uint64_t bytes, uint64_t total) {
    if (eop_job_due(w->job)) {
        eop_json *event = eop_json_object();
        eop_json_set_string(event, "type", "progress");
        eop_json_set_integer(event, "rows", (int64_t)w->rows);
        if (total > 0) {
            eop_json_set_number(event, "progress", (double)w->rows / (double)total);
        } else {
            eop_json_set_integer(event, "bytes", (int64_t)bytes);
        }
        eop_job_event(w->job, event);
    }
}

void eop_import_bad(uint64_t line, const char *column, const char *reason, const char *text,
                    size_t size, void *user_data) {
    eop_import *w = user_data;
    eop_bad_list_add(&w->bad, line, column, reason, text, size);
}
