/* SPDX-License-Identifier: Apache-2.0 */
/* Sorted runs of times: a file that goes forward is one of them, each step back begins the next, and
 * runs of like length are merged, so that there are few whatever the order is. */
#include "codec/table_stamps.h"

#include <string.h>

#include "base/memory.h"

/* Elements below (or, with `through`, up to) the time. */
static size_t count_below(const eop_stamps_run *run, edgeops_time time, bool through) {
    size_t low = 0;
    size_t high = run->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (run->times[middle] < time || (through && run->times[middle] == time)) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static uint64_t count_of(const eop_stamps_run *run, edgeops_time time) {
    if (time < run->times[0] || time > run->times[run->count - 1]) {
        return 0;
    }
    return count_below(run, time, true) - count_below(run, time, false);
}

/* The two last runs become one. */
static bool merge_last(eop_stamps *seen) {
    eop_stamps_run *a = &seen->runs[seen->run_count - 2];
    eop_stamps_run *b = a + 1;
    eop_stamps_run both = {.count = a->count + b->count, .capacity = a->count + b->count};
    both.times = eop_realloc_array(NULL, both.count, sizeof(*both.times));
    if (both.times == NULL) {
        return false;
    }
    size_t i = 0, k = 0;
    for (size_t n = 0; n < both.count; n++) {
        bool from_a = k == b->count || (i < a->count && a->times[i] <= b->times[k]);
        both.times[n] = from_a ? a->times[i++] : b->times[k++];
    }
    eop_free(a->times);
    eop_free(b->times);
    *a = both;
    seen->run_count--;
    return true;
}

static bool close_run(eop_stamps *seen) {
    if (!eop_grow(&seen->runs, &seen->run_capacity, seen->run_count + 1, sizeof(*seen->runs))) {
        return false;
    }
    seen->runs[seen->run_count++] = seen->open;
    seen->open = (eop_stamps_run){0};
    while (seen->run_count > 1 &&
           seen->runs[seen->run_count - 2].count <= 2 * seen->runs[seen->run_count - 1].count) {
        if (!merge_last(seen)) {
            return false;
        }
    }
    return true;
}

bool eop_stamps_add(eop_stamps *seen, edgeops_time time, uint64_t *before) {
    eop_stamps_run *open = &seen->open;
    if (open->count > 0 && time < open->times[open->count - 1] && !close_run(seen)) {
        return false;
    }
    if (!eop_grow(&open->times, &open->capacity, open->count + 1, sizeof(*open->times))) {
        return false;
    }
    uint64_t n = 0;
    for (size_t i = 0; i < seen->run_count; i++) {
        n += count_of(&seen->runs[i], time);
    }
    if (open->count > 0 && open->times[open->count - 1] == time) {
        n += count_of(open, time);
    }
    open->times[open->count++] = time;
    *before = n;
    return true;
}

void eop_stamps_dispose(eop_stamps *seen) {
    for (size_t i = 0; i < seen->run_count; i++) {
        eop_free(seen->runs[i].times);
    }
    eop_free(seen->runs);
    eop_free(seen->open.times);
    *seen = (eop_stamps){0};
}
