/* SPDX-License-Identifier: Apache-2.0 */
/* The definition of a derived asset: which channels of which assets become its rows, and by which
 * rule. Plain memory of its owner; it is kept and shown as JSON. */
#ifndef EOP_JOIN_SPEC_H
#define EOP_JOIN_SPEC_H

#include <stdbool.h>

#include "codec/json.h"
#include "edgeops/store.h"

#define EOP_JOIN_WAIT EDGEOPS_SECOND

typedef struct eop_join_channel {
    char *asset;
    char *channel;
    char *as; /**< its name in the derived asset; NULL until eop_join_spec_settle() */
} eop_join_channel;

/** The rule. Without period and tolerance cells of one time (and seq) are one row. With a period
 * rows are the points of a common rate, at its multiples since the epoch, and a channel has its last
 * value at or before the point; with a tolerance, null where that is older. With a tolerance alone
 * each row of the first channel's asset takes the nearest value of every other channel, the older of
 * two that are as near, null where none is within the tolerance. */
typedef struct eop_join_spec {
    char *name; /**< of the derived asset */
    eop_join_channel *channels;
    size_t count;
    size_t capacity;
    edgeops_duration period;
    edgeops_duration tolerance;
    edgeops_duration
        wait; /**< how long a row waits for a channel that has not reached its time, or for
                               nearest values the end of the tolerance */
} eop_join_spec;

void eop_join_spec_dispose(eop_join_spec *spec);
/** Adds "ASSET:CHANNEL" or "ASSET:CHANNEL=NAME". Names may hold ':' and '=' themselves: the store
 * decides where it knows the asset or the channel. */
edgeops_status eop_join_spec_add_text(eop_join_spec *spec, edgeops_store *store, const char *text);
edgeops_status eop_join_spec_add(eop_join_spec *spec, const char *asset, const char *channel,
                                 const char *as);
/** Names the channels that have no name yet: as in their asset, or where that is not the only one of
 * its name, ASSET/CHANNEL. E_INVALID: two have one name, or a name or number is not allowed. */
edgeops_status eop_join_spec_settle(eop_join_spec *spec);
/** Whether the inputs are there and can be joined. missing: an asset or a channel need not be there
 * yet. E_NOTFOUND, E_INVALID. */
edgeops_status eop_join_spec_check(const eop_join_spec *spec, edgeops_store *store, bool missing);
/** Same inputs, names of channels and rule; whatever the derived assets are called. */
bool eop_join_spec_equal(const eop_join_spec *a, const eop_join_spec *b);
bool eop_join_spec_reads(const eop_join_spec *spec, const char *asset);
/** Another name for an input, or for one of its channels (channel not NULL). After E_NOMEM some have
 * it and some do not: do it on a copy. */
edgeops_status eop_join_spec_rename(eop_join_spec *spec, const char *asset, const char *channel,
                                    const char *to);

/** Members channels, rule (a text for people), period_ns, tolerance_ns, wait_ns. */
eop_json *eop_join_spec_json(const eop_join_spec *spec);
/** Reads what eop_join_spec_json() makes. E_CORRUPT. */
edgeops_status eop_join_spec_parse(eop_join_spec *spec, const char *name, const eop_json *json);

#endif /* EOP_JOIN_SPEC_H */
