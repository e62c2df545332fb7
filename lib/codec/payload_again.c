/* SPDX-License-Identifier: Apache-2.0 */
/* An array of samples, two of which say something else of one channel at one time: without numbers of
 * their own they count up, as the rows of a table do. Those that complete each other keep one number.
 * Costs nothing where times go up. All memory is freed before the end. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/map.h"
#include "base/memory.h"
#include "codec/payload_decoder.h"

typedef struct again {
    edgeops_time time;
    const char *asset;
    size_t sample;
    size_t first; /* of its values */
} again;

static bool go_up(const eop_payload *p) {
    size_t i = 1;
    while (i < p->sample_count && p->samples[i].time > p->samples[i - 1].time) {
        i++;
    }
    return i >= p->sample_count;
}

static int by_time(const void *a, const void *b) {
    const again *x = a;
    const again *y = b;
    int order = (x->time > y->time) - (x->time < y->time);
    order = order != 0 ? order : strcmp(x->asset, y->asset);
    return order != 0 ? order : (x->sample > y->sample) - (x->sample < y->sample);
}

static void fill(again *out, const eop_payload *p) {
    bool members = p->config.asset_member_count > 0;
    size_t first = 0;
    for (size_t i = 0; i < p->sample_count; i++) {
        const edgeops_sample *s = &p->samples[i];
        const char *asset = members ? p->names.data + (uintptr_t)s->asset : p->asset;
        out[i] = (again){s->time, asset, i, first};
        first += s->count;
    }
}

/* Adds the channels of a sample; *known: one of them was there. Each channel has one address. */
static bool add_channels(eop_map *row, const eop_payload *p, const again *at, bool *known) {
    *known = false;
    for (size_t k = 0; k < p->samples[at->sample].count; k++) {
        bool fresh = false;
        uint64_t hash =
            (uint64_t)(uintptr_t)p->channels[at->first + k] * UINT64_C(0x9e3779b97f4a7c15);
        if (!eop_map_note(row, hash, &fresh)) {
            return false;
        }
        *known = *known || !fresh;
    }
    return true;
}

static bool count_up(eop_payload *p, const again *sorted) {
    eop_map row = {0};
    bool good = true;
    for (size_t i = 0; good && i < p->sample_count; i++) {
        const again *at = &sorted[i];
        bool known = false;
        bool same = i > 0 && at->time == at[-1].time && strcmp(at->asset, at[-1].asset) == 0;
        edgeops_sample *sample = &p->samples[at->sample];
        if (!same) {
            eop_map_dispose(&row);
            row = (eop_map){0};
        }
        good = add_channels(&row, p, at, &known);
        sample->seq = same ? p->samples[at[-1].sample].seq + known : 0;
        if (good && known) {
            eop_map_dispose(&row);
            row = (eop_map){0};
            good = add_channels(&row, p, at, &known);
        }
    }
    eop_map_dispose(&row);
    return good;
}

edgeops_status eop_payload_count_again(eop_payload *p) {
    if (go_up(p)) {
        return EDGEOPS_OK;
    }
    again *sorted = eop_realloc_array(NULL, p->sample_count, sizeof *sorted);
    if (sorted == NULL) {
        return eop_fail_nomem("payload");
    }
    fill(sorted, p);
    qsort(sorted, p->sample_count, sizeof *sorted, by_time);
    bool good = count_up(p, sorted);
    eop_free(sorted);
    return good ? EDGEOPS_OK : eop_fail_nomem("payload");
}
