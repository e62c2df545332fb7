/* SPDX-License-Identifier: Apache-2.0 */
/* A model of one asset whose rows come in parts: a list of arrivals, each with some cells of one
 * key. Makes the collections that a memtable would make of some of them, and says what a reader
 * must see of any range of them at any ordinal. */
#ifndef PARTS_MODEL_H
#define PARTS_MODEL_H

#include <stdio.h>

#include "column/parts.h"
#include "value_fixture.h"

enum { MODEL_CHANNELS = 9, MODEL_ARRIVALS = 20000 };

static const struct {
    edgeops_type type;
    uint32_t length;
} model_channels[MODEL_CHANNELS] = {
    {EDGEOPS_TYPE_FLOAT64, 1}, {EDGEOPS_TYPE_INT64, 1},   {EDGEOPS_TYPE_STRING, 1},
    {EDGEOPS_TYPE_BOOL, 1},    {EDGEOPS_TYPE_FLOAT32, 3}, {EDGEOPS_TYPE_BLOB, 1},
    {EDGEOPS_TYPE_UINT16, 1},  {EDGEOPS_TYPE_INT8, 1},    {EDGEOPS_TYPE_UINT64, 1},
};

/* Ordinal i + 1. */
typedef struct model_arrival {
    int64_t time;
    int64_t seq;
    uint32_t cells; /* bit k: channel k */
    bool later;     /* its key came before */
} model_arrival;

typedef struct model {
    model_arrival arrivals[MODEL_ARRIVALS];
    size_t count;
} model;

/* The value of a cell: told by its key and its channel. Texts, arrays and blobs live until the next
 * call. */
static inline edgeops_value model_value(const model_arrival *a, uint32_t k) {
    static char words[64];
    static float numbers[3];
    static edgeops_blob blob;
    uint64_t n = (uint64_t)(a->time * 31 + a->seq * 7 + k);
    edgeops_value value = {.type = model_channels[k].type};
    switch (value.type) {
    case EDGEOPS_TYPE_FLOAT64:
        value.as.f64 = (double)n / 8;
        break;
    case EDGEOPS_TYPE_STRING:
        snprintf(words, sizeof words, "%.*s%d", (int)(n % 20), "abcdefghijklmnopqrst", (int)n);
        return text(words);
    case EDGEOPS_TYPE_BOOL:
        value.as.i64 = n % 2 == 0;
        break;
    case EDGEOPS_TYPE_FLOAT32:
        numbers[0] = (float)n;
        numbers[1] = 0;
        numbers[2] = -(float)n;
        value.size = sizeof numbers;
        value.as.data = numbers;
        break;
    case EDGEOPS_TYPE_BLOB:
        memset(&blob, 0, sizeof blob);
        memcpy(blob.digest, &n, sizeof n);
        blob.size = n;
        value.size = sizeof blob;
        value.as.data = &blob;
        break;
    case EDGEOPS_TYPE_UINT16:
        value.as.u64 = n % 65536;
        break;
    case EDGEOPS_TYPE_INT8:
        value.as.i64 = (int64_t)(n % 256) - 128;
        break;
    default:
        value.as.u64 = n;
        break;
    }
    return value;
}

/* Every third value has a quality code. */
static inline uint16_t model_quality(const model_arrival *a, uint32_t k) {
    return (a->time + (int64_t)k) % 3 == 0 ? (uint16_t)(k + 1) : EDGEOPS_QUALITY_NONE;
}

static inline bool model_same_key(const model_arrival *a, const model_arrival *b) {
    return a->time == b->time && a->seq == b->seq;
}

/* An arrival with those of the cells that its key has not got yet; none with a key that came before
 * and nothing new. */
static inline void model_add(model *m, int64_t time, int64_t seq, uint32_t cells) {
    model_arrival a = {time, seq, cells, false};
    for (size_t i = m->count; i-- > 0;) {
        if (model_same_key(&m->arrivals[i], &a)) {
            a.cells &= ~m->arrivals[i].cells;
            a.later = true;
        }
    }
    if (m->count < MODEL_ARRIVALS && (a.cells != 0 || !a.later)) {
        m->arrivals[m->count++] = a;
    }
}

static inline void model_columns(eop_rows *rows) {
    for (uint32_t k = 0; k < MODEL_CHANNELS; k++) {
        CHECK_OK(eop_rows_add_vector(rows, model_channels[k].type, model_channels[k].length));
    }
}

/* Arrivals [from, to) as a memtable keeps them. Returns whether they need the parts. */
static inline bool model_collection(eop_rows *rows, eop_parts *parts, const model *m, size_t from,
                                    size_t to) {
    model_columns(rows);
    rows->first_ordinal = from + 1;
    for (size_t i = from; i < to; i++) {
        const model_arrival *a = &m->arrivals[i];
        uint16_t channels[MODEL_CHANNELS];
        size_t n = 0;
        size_t row = 0;
        while (row < rows->rows && (rows->times[row] != a->time || rows->seqs[row] != a->seq)) {
            row++;
        }
        for (uint16_t k = 0; k < MODEL_CHANNELS; k++) {
            if ((a->cells >> k & 1) != 0) {
                channels[n++] = k;
            }
        }
        if (row < rows->rows) {
            CHECK_OK(eop_parts_join(parts, (uint32_t)row, channels, n));
        } else {
            CHECK_OK(eop_rows_reserve(rows, row + 1));
            CHECK_OK(eop_rows_keep_ordinals(rows));
            CHECK_OK(eop_parts_row(parts, a->later));
            rows->times[row] = a->time;
            rows->seqs[row] = a->seq;
            rows->ordinals[row] = i + 1;
            rows->rows++;
        }
        for (size_t j = 0; j < n; j++) {
            edgeops_value value = model_value(a, channels[j]);
            CHECK_OK(eop_vector_set(&rows->vectors[channels[j]], row, &value,
                                    model_quality(a, channels[j])));
        }
    }
    return !eop_parts_all_whole(parts);
}

/* What row `row` must be, if some of arrivals [from, to) up to ordinal `upto` made it. */
static inline void model_check_row(const eop_rows *rows, size_t row, const model *m, size_t from,
                                   size_t to, uint64_t upto) {
    model_arrival all = {rows->times[row], rows->seqs[row], 0, false};
    uint64_t ordinal = 0;
    for (size_t i = from; i < to && i < upto; i++) {
        if (model_same_key(&m->arrivals[i], &all)) {
            all.cells |= m->arrivals[i].cells;
            ordinal = ordinal != 0 ? ordinal : i + 1;
        }
    }
    cr_assert_neq(ordinal, 0, "no arrival made row %zu", row);
    cr_assert_eq(eop_rows_ordinal(rows, row), ordinal);
    for (uint32_t k = 0; k < MODEL_CHANNELS; k++) {
        const eop_vector *v = &rows->vectors[k];
        bool there = (all.cells >> k & 1) != 0;
        edgeops_value value =
            there ? model_value(&all, k) : (edgeops_value){.type = EDGEOPS_TYPE_NULL};
        cr_assert(row < v->filled ? eop_vector_equals(v, row, &value) : !there,
                  "time %lld, channel %u", (long long)all.time, k);
        cr_assert_eq(eop_vector_quality(v, row),
                     there ? model_quality(&all, k) : EDGEOPS_QUALITY_NONE);
    }
}

/* How many rows arrivals [from, to) up to an ordinal make; *later: those of keys that came before
 * `from`. */
static inline size_t model_count(size_t *later, const model *m, size_t from, size_t to,
                                 uint64_t upto) {
    size_t rows = 0;
    *later = 0;
    for (size_t i = from; i < to && i < upto; i++) {
        bool here = false;
        for (size_t j = from; m->arrivals[i].later && !here && j < i; j++) {
            here = model_same_key(&m->arrivals[i], &m->arrivals[j]);
        }
        rows += !here;
        *later += !here && m->arrivals[i].later;
    }
    return rows;
}

/* Some messages: each time comes in parts of a few channels, mostly soon after one another, some
 * late, some never. mask: channels that have cells. */
static inline void model_roll(model *m, dice *d, size_t arrivals, uint32_t mask) {
    int64_t now = m->count > 0 ? m->arrivals[m->count - 1].time : 0;
    for (size_t n = 0; n < arrivals; n++) {
        int64_t time = now;
        if (below(d, 4) == 0) {
            now += 1 + (int64_t)below(d, 3);
        } else if (below(d, 8) == 0) {
            time -= (int64_t)below(d, 60);
        }
        uint32_t cells =
            below(d, 5) == 0 ? (1u << MODEL_CHANNELS) - 1 : 1u << below(d, MODEL_CHANNELS);
        cells |= below(d, 3) == 0 ? 1u << below(d, MODEL_CHANNELS) : 0;
        model_add(m, time, below(d, 20) == 0, below(d, 50) == 0 ? 0 : cells & mask);
    }
}

#endif /* PARTS_MODEL_H */
