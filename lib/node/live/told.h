/* SPDX-License-Identifier: Apache-2.0 */
/* What a source's counters mean to who runs the node: sentences, each with what to do. And what is
 * said of a sample that contradicts a stored one. No state, any thread. */
#ifndef EOP_NODE_LIVE_TOLD_H
#define EOP_NODE_LIVE_TOLD_H

#include "node/home/home.h"

/** What is known of a source that is shown. */
typedef struct eop_told {
    const char *name;
    const eop_json *config; /**< its configuration */
    bool running;
    edgeops_time now;     /**< wall clock */
    uint64_t made;        /**< assets */
    uint64_t max_assets;  /**< that it may make */
    const char *conflict; /**< the first one; NULL: none */
    const char
        *declared; /**< why a unit or type of the configuration does not hold; NULL: all do */
    const edgeops_source_stats *stats;
} eop_told;

/** Adds the warnings to an array. */
void eop_tell_source(eop_json *warnings, const eop_told *told);
/** "the clock says 1970-01-01T00:01:00Z, it was never set: ..."; free with eop_free. NULL: it is set,
 * or there is no memory. */
char *eop_tell_clock(edgeops_time now);

/** The first of the samples that contradicts what the store has of its asset, time and seq: which, in
 * which channel, and what the store has there. Free with eop_free; NULL: none does, or there is no
 * memory. All samples were given to the store before. */
char *eop_tell_conflict(edgeops_store *store, const edgeops_sample *samples, size_t n);

#endif /* EOP_NODE_LIVE_TOLD_H */
