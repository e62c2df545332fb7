/* SPDX-License-Identifier: Apache-2.0 */
/* Counts what the values of a dataset look like, batch by batch, while it is frozen. Memory does
 * not grow with the rows. profile.h describes the result. */
#include "dataset/profile.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"

#define TWINS EOP_PROFILE_TWINS

void eop_profile_dispose(eop_profile *p) {
    for (size_t k = 0; p->channels != NULL && k < p->frozen->channel_count; k++) {
        eop_quantiles_dispose(&p->channels[k].quantiles);
        eop_free(p->channels[k].values);
    }
    eop_free(p->channels);
    eop_free(p->assets);
    eop_free(p->labels);
    eop_free(p->twins);
    eop_free(p->hashes);
    *p = (eop_profile){0};
}

edgeops_status eop_profile_init(eop_profile *p, const eop_frozen *frozen) {
    *p = (eop_profile){.frozen = frozen, .twin_limit = UINT64_MAX};
    p->assets = eop_calloc(frozen->asset_count, sizeof *p->assets);
    p->channels = eop_calloc(frozen->channel_count, sizeof *p->channels);
    p->labels = eop_calloc(frozen->labels.count, sizeof *p->labels);
    bool failed = p->assets == NULL || p->channels == NULL || p->labels == NULL;
    if (!failed && frozen->spec.split != EDGEOPS_SPLIT_NONE) {
        p->twins = eop_calloc(TWINS, sizeof *p->twins);
        failed = p->twins == NULL;
    }
    if (failed) {
        eop_profile_dispose(p);
        return eop_fail_nomem("store");
    }
    return EDGEOPS_OK;
}

/* -- times, labels, subsets -- */

uint64_t eop_profile_sum(uint64_t a, uint64_t b) {
    return a > INT64_MAX || b > INT64_MAX - a ? INT64_MAX : a + b;
}

static void add_time(eop_profile_asset *asset, int64_t time, uint64_t limit) {
    uint64_t pause = (uint64_t)time - (uint64_t)asset->last;
    if (pause == 0) {
        asset->same_time++;
    } else if (pause > limit) {
        pause = eop_profile_sum(pause, 0);
        asset->gaps++;
        asset->gap_total = eop_profile_sum(asset->gap_total, pause);
        asset->longest_gap = pause > asset->longest_gap ? pause : asset->longest_gap;
    }
}

static void add_subset(eop_profile_asset *asset, uint8_t subset, int64_t time) {
    if (asset->subset_rows[subset]++ == 0) {
        asset->subset_first[subset] = time;
    }
    asset->subset_last[subset] = time;
}

static void add_rows(eop_profile *p, size_t number, const eop_batch *batch) {
    eop_profile_asset *asset = &p->assets[number];
    int64_t interval = p->frozen->assets[number].interval;
    uint64_t limit = interval > 0 && interval < INT64_MAX / EOP_PROFILE_GAP
                         ? (uint64_t)interval * EOP_PROFILE_GAP
                         : UINT64_MAX;
    for (size_t i = 0; i < batch->rows.rows; i++) {
        int64_t time = batch->rows.times[i];
        int32_t label = batch->labels[i];
        uint8_t subset = batch->subsets != NULL ? batch->subsets[i] : 0;
        bool begins = asset->rows == 0;
        if (begins) {
            asset->first = time;
        } else {
            add_time(asset, time, limit);
            p->cuts += subset != asset->last_subset;
        }
        if (label < 0) {
            p->unlabelled++;
        } else {
            eop_profile_label *l = &p->labels[label];
            l->rows++;
            l->subset_rows[subset]++;
            l->intervals += begins || label != asset->last_label;
        }
        add_subset(asset, subset, time);
        asset->rows++;
        asset->last = time;
        asset->last_label = label;
        asset->last_subset = subset;
    }
}

/* -- points that are far from their row -- */

static void end_run(eop_profile_runs *runs) {
    if (runs->size > 0) {
        size_t bits = 63 - (size_t)__builtin_clzll(runs->size);
        runs->runs[bits]++;
        runs->points[bits] += runs->size;
        runs->longest = runs->size > runs->longest ? runs->size : runs->longest;
        runs->size = 0;
    }
}

void eop_profile_finish(eop_profile *p) {
    eop_profile_runs *runs = &p->runs;
    uint64_t count = 0;
    uint64_t below = 0;
    uint64_t filled = 0;
    size_t median = 0;
    end_run(runs);
    for (size_t b = 0; b < 64; b++) {
        count += runs->runs[b];
    }
    while (median < 63 && (below += runs->runs[median]) * 2 < count) {
        median++;
    }
    for (size_t b = median + EOP_PROFILE_FAR; b < 64; b++) {
        filled += runs->points[b];
    }
    if (filled > 0) {
        p->filled += filled;
        p->longest_filled = runs->longest > p->longest_filled ? runs->longest : p->longest_filled;
    }
    *runs = (eop_profile_runs){0};
}

/* Relies on points of one row being consecutive. */
static void add_runs(eop_profile *p, size_t asset, const eop_rows *rows) {
    eop_profile_runs *runs = &p->runs;
    const eop_spec *spec = &p->frozen->spec;
    if (spec->period == 0 || spec->tolerance > 0 || spec->fill == EDGEOPS_FILL_NONE) {
        return;
    }
    if (asset != p->runs_asset) {
        eop_profile_finish(p);
        p->runs_asset = asset;
    }
    for (size_t i = 0; i < rows->rows; i++) {
        uint64_t ordinal = eop_rows_ordinal(rows, i);
        if (ordinal != runs->last) {
            end_run(runs);
            runs->last = ordinal;
        }
        runs->size++;
    }
}

/* -- channels -- */

static uint64_t mix_hash(uint64_t a, uint64_t b) {
    uint64_t x = (a ^ b) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
    return x ^ (x >> 32);
}

static uint64_t hash_bytes(const void *data, size_t size) {
    const unsigned char *bytes = data;
    uint64_t hash = size;
    for (; size >= 8; size -= 8, bytes += 8) {
        uint64_t word;
        memcpy(&word, bytes, 8);
        hash = mix_hash(hash, word);
    }
    uint64_t word = 0;
    if (size > 0) {
        memcpy(&word, bytes, size);
    }
    return mix_hash(hash, word);
}

static uint64_t hash_value(const eop_vector *vector, size_t row) {
    if (eop_vector_is_null(vector, row)) {
        return 0;
    }
    if (vector->type == EDGEOPS_TYPE_STRING) {
        const uint32_t *offsets = vector->data;
        return hash_bytes(vector->bytes + offsets[row], offsets[row + 1] - offsets[row]);
    }
    size_t size = eop_vector_row_bytes(vector);
    return hash_bytes((const char *)vector->data + row * size, size);
}

/* Counts a value with its label while there are few different values. */
static edgeops_status add_distinct(eop_profile_channel *c, uint64_t hash, int32_t label) {
    if (c->many) {
        return EDGEOPS_OK;
    }
    if (c->values == NULL) {
        c->values = eop_calloc(EOP_PROFILE_DISTINCT, sizeof *c->values);
        if (c->values == NULL) {
            return eop_fail_nomem("store");
        }
    }
    size_t i = 0;
    while (i < c->value_count && c->values[i].hash != hash) {
        i++;
    }
    if (i == EOP_PROFILE_DISTINCT) {
        c->many = true;
        eop_free(c->values);
        c->values = NULL;
        return EDGEOPS_OK;
    }
    if (i == c->value_count) {
        c->values[c->value_count++].hash = hash;
    }
    if (label >= 0 && label < (int32_t)EOP_PROFILE_LABELS) {
        c->values[i].labels[label]++;
    }
    return EDGEOPS_OK;
}

static edgeops_status add_number(eop_profile_channel *c, double value) {
    if (!isfinite(value)) {
        c->non_finite++;
        return EDGEOPS_OK;
    }
    if (c->count++ == 0) {
        c->min = c->max = c->shift = value;
    }
    c->min = value < c->min ? value : c->min;
    c->max = value > c->max ? value : c->max;
    double more = value - c->shift;
    c->sum += more;
    c->squares += more * more;
    return eop_quantiles_add(&c->quantiles, value);
}

static edgeops_status add_channel(eop_profile_channel *c, const eop_vector *vector,
                                  const eop_batch *batch) {
    bool number = eop_vector_length(vector) == 1 &&
                  (eop_type_is_numeric(vector->type) || vector->type == EDGEOPS_TYPE_BOOL);
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < batch->rows.rows; i++) {
        if (eop_vector_is_null(vector, i)) {
            c->missing++;
            continue;
        }
        if (!c->many) {
            status = add_distinct(c, hash_value(vector, i), batch->labels[i]);
        }
        if (number && status == EDGEOPS_OK) {
            edgeops_value value;
            double x;
            if (vector->type == EDGEOPS_TYPE_FLOAT64) {
                x = ((const double *)vector->data)[i];
            } else {
                value = eop_vector_value(vector, i);
                x = eop_value_double(&value);
            }
            status = add_number(c, x);
        } else {
            c->count++;
        }
    }
    return status;
}

/* -- rows that are alike -- */

static eop_profile_twin *twin_of(eop_profile *p, uint64_t hash) {
    size_t at = (size_t)(hash & (TWINS - 1));
    while (p->twins[at].hash != 0 && p->twins[at].hash != hash) {
        at = (at + 1) & (TWINS - 1);
    }
    return &p->twins[at];
}

/* Drops half of the hashes; the rest is still a fair sample of all rows. */
static edgeops_status halve_twins(eop_profile *p) {
    eop_profile_twin *old = p->twins;
    eop_profile_twin *fresh = eop_calloc(TWINS, sizeof *fresh);
    if (fresh == NULL) {
        return eop_fail_nomem("store");
    }
    p->twins = fresh;
    p->twin_count = 0;
    p->twin_limit /= 2;
    for (size_t i = 0; i < TWINS; i++) {
        if (old[i].hash != 0 && old[i].hash <= p->twin_limit) {
            *twin_of(p, old[i].hash) = old[i];
            p->twin_count++;
        }
    }
    eop_free(old);
    return EDGEOPS_OK;
}

static edgeops_status add_twins(eop_profile *p, const eop_batch *batch) {
    size_t n = batch->rows.rows;
    if (!eop_grow(&p->hashes, &p->hash_capacity, n, sizeof *p->hashes)) {
        return eop_fail_nomem("store");
    }
    memset(p->hashes, 0, n * sizeof *p->hashes);
    for (size_t k = 0; k < batch->rows.vector_count; k++) {
        for (size_t i = 0; i < n; i++) {
            p->hashes[i] = mix_hash(p->hashes[i] + k + 1, hash_value(&batch->rows.vectors[k], i));
        }
    }
    for (size_t i = 0; i < n; i++) {
        if (p->hashes[i] == 0 || p->hashes[i] > p->twin_limit) {
            continue;
        }
        eop_profile_twin *twin = twin_of(p, p->hashes[i]);
        p->twin_count += twin->hash == 0;
        twin->hash = p->hashes[i];
        twin->train += batch->subsets[i] == EDGEOPS_SUBSET_TRAIN;
        twin->others += batch->subsets[i] != EDGEOPS_SUBSET_TRAIN;
        if (p->twin_count > TWINS / 2) {
            edgeops_status status = halve_twins(p);
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_profile_add(eop_profile *p, size_t asset, const eop_batch *batch) {
    add_rows(p, asset, batch);
    add_runs(p, asset, &batch->rows);
    edgeops_status status = EDGEOPS_OK;
    for (size_t k = 0; status == EDGEOPS_OK && k < p->frozen->channel_count; k++) {
        status = add_channel(&p->channels[k], &batch->rows.vectors[k], batch);
    }
    return status == EDGEOPS_OK && p->twins != NULL && batch->subsets != NULL ? add_twins(p, batch)
                                                                              : status;
}
