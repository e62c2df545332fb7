/* SPDX-License-Identifier: Apache-2.0 */
/* One publisher for each MQTT source that deployments publish through. */
#ifndef EOP_NODE_LIVE_OUTBOX_H
#define EOP_NODE_LIVE_OUTBOX_H

#include "node/home/home.h"

/** Counted: give back with eop_outbox_release(). */
edgeops_status eop_outbox_acquire(eop_outbox **out, edgeops_node *node, const char *source);
void eop_outbox_release(eop_outbox *outbox);
/** Forgets what waits for a source. */
edgeops_status eop_outbox_purge(edgeops_node *node, const char *source);
/** There are new messages. */
void eop_outbox_kick(eop_outbox *outbox);
void eop_outboxes_tick(edgeops_node *node);
void eop_outboxes_free(edgeops_node *node);
/** "" while the link is up, else why not. */
const char *eop_outbox_detail(const eop_outbox *outbox);

#endif /* EOP_NODE_LIVE_OUTBOX_H */
