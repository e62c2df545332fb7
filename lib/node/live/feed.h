/* SPDX-License-Identifier: Apache-2.0 */
/* Which deployment waits for which asset; knows when a sample became durable. */
#ifndef EOP_NODE_LIVE_FEED_H
#define EOP_NODE_LIVE_FEED_H

#include "node/home/home.h"

typedef struct eop_tap eop_tap;
edgeops_status eop_feed_new(eop_feed **out, edgeops_node *node);
void eop_feed_free(eop_feed *feed);
/** fn: on the loop, some time after samples of the asset became durable. */
edgeops_status eop_tap_new(eop_tap **out, eop_feed *feed, const char *asset, eop_fn fn,
                           void *user_data);
/** Monotonic time at which the sample with this ordinal became durable. Ask with rising ordinals.
 *  False for one that was there before the tap. */
bool eop_tap_durable(eop_tap *tap, uint64_t ordinal, edgeops_duration *monotonic);
/** Newest ordinal seen, 0 for none. */
uint64_t eop_tap_newest(eop_tap *tap);
void eop_tap_free(eop_tap *tap);

#endif /* EOP_NODE_LIVE_FEED_H */
