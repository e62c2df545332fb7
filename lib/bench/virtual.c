/* SPDX-License-Identifier: Apache-2.0 */
/* What the virtual assets have in common: time, the sample that is handed out, and the labels that
 * wait for their hour. The models are in virtual_pcb.c and virtual_imu.c. */
#include "bench/virtual.h"

#include <math.h>
#include <string.h>

#include "base/abi.h"
#include "base/compiler.h"
#include "base/error.h"
#include "base/memory.h"

/* 2026-01-01T00:00:00Z */
#define DEFAULT_START (INT64_C(1767225600) * EDGEOPS_SECOND)
/* An inspector that far behind gives up: the next label is lost. */
#define PENDING_LIMIT ((size_t)1 << 20)
#define MAX_CHANNELS  16
#define RATE_MAX_HZ   1e6

typedef struct pending {
    edgeops_virtual_label label;
    uint64_t order; /* decides between labels given at one instant */
} pending;

struct edgeops_virtual {
    const eop_virtual_kind *kind;
    void *state;
    char *asset;
    edgeops_time start;
    double rate_hz;
    uint64_t index; /* of the next sample */
    edgeops_time now;
    edgeops_sample sample;
    edgeops_value values[MAX_CHANNELS];
    pending *heap; /* by given, then order */
    size_t heap_size, heap_capacity;
    uint64_t order;
    edgeops_virtual_label label; /* the one handed out */
};

static const eop_virtual_kind *const kinds[] = {&eop_virtual_pcb, &eop_virtual_imu};

void edgeops_virtual_options_init(edgeops_virtual_options *options, size_t struct_size) {
    static const edgeops_virtual_options defaults = EDGEOPS_VIRTUAL_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

edgeops_status edgeops_virtual_open(edgeops_virtual **out, const char *kind,
                                    const edgeops_virtual_options *given) {
    EOP_REQUIRE(out != NULL, "bench");
    *out = NULL;
    EOP_REQUIRE(kind != NULL, "bench");
    edgeops_virtual_options options = EDGEOPS_VIRTUAL_OPTIONS_INIT;
    edgeops_status status = EOP_STRUCT_TAKE(&options, given, "bench", EDGEOPS_VIRTUAL_OPTIONS_INIT);
    if (status < 0) {
        return status;
    }
    const eop_virtual_kind *found = NULL;
    for (size_t i = 0; i < EOP_COUNT(kinds); i++) {
        found = strcmp(kinds[i]->name, kind) == 0 ? kinds[i] : found;
    }
    if (found == NULL) {
        return eop_fail(EDGEOPS_E_NOTFOUND, "bench",
                        "no virtual asset is called '%s': choose pcb or imu", kind);
    }
    if (options.rate_hz != 0 &&
        !(options.rate_hz >= found->rate_min_hz && options.rate_hz <= RATE_MAX_HZ)) {
        return eop_fail(EDGEOPS_E_INVALID, "bench",
                        "a rate of %g Hz is out of range for '%s': give %g to %g samples a second",
                        options.rate_hz, kind, found->rate_min_hz, RATE_MAX_HZ);
    }
    edgeops_virtual *asset = eop_calloc(1, sizeof *asset);
    if (asset == NULL) {
        return eop_fail_nomem("bench");
    }
    asset->kind = found;
    asset->start = options.start != 0 ? options.start : DEFAULT_START;
    asset->now = asset->start;
    asset->rate_hz = options.rate_hz > 0 ? options.rate_hz : found->rate_hz;
    asset->asset = eop_strdup(options.asset != NULL ? options.asset : found->asset);
    asset->state = eop_calloc(1, found->state_size);
    if (asset->asset == NULL || asset->state == NULL) {
        edgeops_virtual_close(asset);
        return eop_fail_nomem("bench");
    }
    found->init(asset->state, options.seed != 0 ? options.seed : 1);
    asset->sample.asset = asset->asset;
    asset->sample.count = found->channel_count;
    asset->sample.channels = found->channels;
    asset->sample.values = asset->values;
    *out = asset;
    return EDGEOPS_OK;
}

static bool before(const pending *a, const pending *b) {
    return a->label.given != b->label.given ? a->label.given < b->label.given : a->order < b->order;
}

static bool heap_push(edgeops_virtual *asset, const pending *item) {
    if (!eop_grow(&asset->heap, &asset->heap_capacity, asset->heap_size + 1, sizeof *asset->heap)) {
        return false;
    }
    size_t i = asset->heap_size++;
    for (; i > 0 && before(item, &asset->heap[(i - 1) / 2]); i = (i - 1) / 2) {
        asset->heap[i] = asset->heap[(i - 1) / 2];
    }
    asset->heap[i] = *item;
    return true;
}

static void heap_pop(edgeops_virtual *asset) {
    pending last = asset->heap[--asset->heap_size];
    size_t i = 0;
    for (;;) {
        size_t child = 2 * i + 1;
        if (child >= asset->heap_size) {
            break;
        }
        if (child + 1 < asset->heap_size && before(&asset->heap[child + 1], &asset->heap[child])) {
            child++;
        }
        if (!before(&asset->heap[child], &last)) {
            break;
        }
        asset->heap[i] = asset->heap[child];
        i = child;
    }
    asset->heap[i] = last;
}

/* Whole seconds and the rest apart, so that day-long runs keep their nanoseconds. False past the
 * end of time. */
static bool time_at(edgeops_time *out, edgeops_time start, double seconds) {
    double whole = floor(seconds);
    if (!(whole >= 0 && whole < 9.2e9)) {
        return false;
    }
    edgeops_time offset =
        (int64_t)whole * EDGEOPS_SECOND + (int64_t)llround((seconds - whole) * 1e9);
    return !__builtin_add_overflow(start, offset, out);
}

static edgeops_status keep_label(edgeops_virtual *asset, const eop_virtual_step *step) {
    double to = step->label_to > step->label_from ? step->label_to : step->label_from;
    pending item = {.order = asset->order++};
    item.label.label = step->label;
    if (asset->heap_size >= PENDING_LIMIT ||
        !time_at(&item.label.start, asset->start, step->label_from) ||
        !time_at(&item.label.end, asset->start, to) ||
        !time_at(&item.label.given, asset->start, to + step->label_delay)) {
        return EDGEOPS_OK;
    }
    return heap_push(asset, &item) ? EDGEOPS_OK : eop_fail_nomem("bench");
}

edgeops_status edgeops_virtual_next(const edgeops_sample **sample, edgeops_virtual *asset) {
    EOP_REQUIRE(asset != NULL && sample != NULL, "bench");
    double values[MAX_CHANNELS] = {0};
    double t = (double)asset->index / asset->rate_hz;
    edgeops_time time;
    if (!time_at(&time, asset->start, t)) {
        return eop_fail(EDGEOPS_E_LIMIT, "bench",
                        "the time of the next sample is past the year 2262");
    }
    eop_virtual_step step = {.values = values};
    asset->kind->next(asset->state, t, 1 / asset->rate_hz, &step);
    asset->index++;
    if (step.label != NULL) {
        edgeops_status status = keep_label(asset, &step);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    for (size_t i = 0; i < asset->kind->channel_count; i++) {
        asset->values[i].type = EDGEOPS_TYPE_FLOAT64;
        asset->values[i].size = 0;
        asset->values[i].as.f64 = values[i];
    }
    asset->now = time;
    asset->sample.time = time;
    *sample = &asset->sample;
    return EDGEOPS_OK;
}

edgeops_status edgeops_virtual_next_label(const edgeops_virtual_label **label,
                                          edgeops_virtual *asset) {
    EOP_REQUIRE(asset != NULL && label != NULL, "bench");
    if (asset->heap_size == 0 || asset->heap[0].label.given > asset->now) {
        return EDGEOPS_DONE;
    }
    asset->label = asset->heap[0].label;
    heap_pop(asset);
    *label = &asset->label;
    return EDGEOPS_OK;
}

const char *edgeops_virtual_unit(const edgeops_virtual *asset, const char *channel) {
    for (size_t i = 0; asset != NULL && channel != NULL && i < asset->kind->channel_count; i++) {
        if (strcmp(asset->kind->channels[i], channel) == 0) {
            return asset->kind->units[i];
        }
    }
    return "";
}

void edgeops_virtual_close(edgeops_virtual *asset) {
    if (asset == NULL) {
        return;
    }
    eop_free(asset->heap);
    eop_free(asset->state);
    eop_free(asset->asset);
    eop_free(asset);
}
