/* SPDX-License-Identifier: Apache-2.0 */
/* The sequence numbers of a message's samples: those that have none of their own get them by the
 * rule of seqs.h, counted from the number around them. Costs nothing where times go up. All memory is
 * freed before the end. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/payload_decoder.h"
#include "codec/seqs.h"

typedef struct numbering {
    eop_payload *p;
    eop_seqs seqs;
    eop_map channels; /* by address, which each has one of: its id + 1 */
    uint32_t *ids;    /* of the sample at hand */
    size_t capacity;
    size_t first; /* value of the sample that they are of */
    size_t count;
} numbering;

static bool go_up(const eop_payload *p) {
    size_t i = 1;
    while (i < p->sample_count && p->samples[i].time > p->samples[i - 1].time) {
        i++;
    }
    return i >= p->sample_count;
}

/* Mostly all samples have the same channels. */
static bool find_ids(numbering *n, size_t first, size_t count) {
    const char *const *channels = n->p->channels + first;
    if (n->ids != NULL && count == n->count &&
        memcmp(channels, n->p->channels + n->first, count * sizeof *channels) == 0) {
        return true;
    }
    if (!eop_grow(&n->ids, &n->capacity, count + 1, sizeof *n->ids)) {
        return false;
    }
    n->first = first;
    n->count = count;
    for (size_t i = 0; i < count; i++) {
        uint64_t hash = (uint64_t)(uintptr_t)channels[i] * UINT64_C(0x9e3779b97f4a7c15);
        size_t step = 0;
        uintptr_t item = eop_map_next(&n->channels, hash, &step);
        if (item == 0 && !eop_map_reserve(&n->channels)) {
            return false;
        }
        if (item == 0) {
            item = n->channels.count + 1;
            eop_map_add(&n->channels, hash, item);
        }
        n->ids[i] = (uint32_t)item;
    }
    return true;
}

static eop_seqs_outcome number_sample(numbering *n, size_t i, size_t first) {
    const eop_payload *p = n->p;
    const eop_place *place = &p->places[i];
    edgeops_sample *sample = &p->samples[i];
    bool members = p->config.asset_member_count > 0;
    const char *asset = members ? p->names.data + (uintptr_t)sample->asset : p->asset;
    int64_t number = sample->seq;
    eop_seqs_times *of =
        eop_seqs_asset(&n->seqs, asset, strlen(asset), place->numbered ? 0 : place->base);
    if (of == NULL || !find_ids(n, first, sample->count)) {
        return EOP_SEQS_NO_MEMORY;
    }
    eop_seqs_outcome outcome =
        eop_seqs_take(&n->seqs, of, sample->time, n->ids, sample->count, place->numbered, &number);
    if (outcome == EOP_SEQS_OK && !place->numbered &&
        __builtin_add_overflow(place->base, number, &sample->seq)) {
        return EOP_SEQS_NONE_LEFT;
    }
    return outcome;
}

edgeops_status eop_payload_number_samples(eop_payload *p) {
    numbering n = {.p = p};
    edgeops_status status = EDGEOPS_OK;
    size_t first = 0;
    if (go_up(p)) {
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < p->sample_count && status == EDGEOPS_OK; i++) {
        eop_seqs_outcome outcome = number_sample(&n, i, first);
        if (outcome == EOP_SEQS_NO_MEMORY) {
            status = eop_fail_nomem("payload");
        } else if (outcome != EOP_SEQS_OK) {
            p->member = NULL;
            p->reader.start = p->places[i].at;
            status =
                eop_payload_refuse(p, EDGEOPS_E_INVALID, "there is no sequence number left for it");
        }
        first += p->samples[i].count;
    }
    eop_seqs_dispose(&n.seqs);
    eop_map_dispose(&n.channels);
    eop_free(n.ids);
    return status;
}
