/* SPDX-License-Identifier: Apache-2.0 */
/* The verdicts of one append, while it runs: one for each sample, in their order. Texts are kept
 * beside them, since what they were taken from may move; eop_verdicts_give() makes one block of all
 * of it. Belongs to the append that runs, under the store's `lock`. */
#ifndef EOP_STORE_VERDICT_H
#define EOP_STORE_VERDICT_H

#include <stdbool.h>

#include "base/str.h"
#include "edgeops/store.h"

typedef struct eop_verdicts {
    bool wanted; /* false: all calls below do nothing */
    edgeops_verdict *items;
    size_t count;
    size_t capacity;
    eop_buf bytes; /* the texts and values that verdicts refer to by offset */
} eop_verdicts;

/** Begins a new list. */
void eop_verdicts_begin(eop_verdicts *verdicts, bool wanted);
/** Adds a verdict on the next sample. */
edgeops_status eop_verdicts_add(eop_verdicts *verdicts, edgeops_outcome outcome, uint32_t marks,
                                uint64_t ordinal);
/** A conflict: what is stored of the channel; both copied. */
edgeops_status eop_verdicts_conflict(eop_verdicts *verdicts, const char *channel,
                                     const edgeops_value *stored, uint16_t quality);
/** All of them in one block, free with eop_free(); NULL when there are none. Removes all
 * verdicts. */
edgeops_status eop_verdicts_give(edgeops_verdict **out, uint64_t *count, eop_verdicts *verdicts);
void eop_verdicts_dispose(eop_verdicts *verdicts);

#endif /* EOP_STORE_VERDICT_H */
