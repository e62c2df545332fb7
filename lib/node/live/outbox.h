/* SPDX-License-Identifier: Apache-2.0 */
/* What deployments publish through: a publisher for each MQTT source, a sink for each deployment.
 * The context's thread. */
#ifndef EOP_NODE_LIVE_OUTBOX_H
#define EOP_NODE_LIVE_OUTBOX_H

#include "node/home/home.h"
#include "node/live/sinks.h"

/** For a deployment that runs: its messages go from now on. Give back with eop_outbox_release();
 * what is left waits in the catalog. */
edgeops_status eop_outbox_acquire(eop_outbox **out, eop_sink **sink, edgeops_node *node,
                                  const char *source, const char *deployment);
void eop_outbox_release(eop_outbox *outbox, eop_sink *sink);
/** There are new messages. */
void eop_outbox_kick(eop_outbox *outbox, eop_sink *sink);
/** Looks at all messages again, and tries at once when it is held. */
void eop_outbox_retry(eop_outbox *outbox, eop_sink *sink);
void eop_outboxes_tick(edgeops_node *node);
/** Before the end: nothing more is sent, so that what is under way can be acknowledged and does not
 * go again. */
void eop_outboxes_drain(edgeops_node *node);
bool eop_outboxes_busy(const edgeops_node *node);
void eop_outboxes_free(edgeops_node *node);

typedef struct eop_outbox_state {
    const char *name;        /**< "ok", "away", "held" or "slow"; static */
    char *reason;            /**< but for ok; free with eop_free */
    edgeops_duration lasts;  /**< but for ok */
    edgeops_duration oldest; /**< age of the oldest message that the broker should acknowledge */
} eop_outbox_state;
/** waiting: messages of the deployment, for the reason. */
void eop_outbox_ask(eop_outbox_state *out, const eop_outbox *outbox, const eop_sink *sink,
                    uint64_t waiting);
/** Messages that the broker refused since the outbox was acquired, each once. */
uint64_t eop_outbox_refused(const eop_sink *sink);

#endif /* EOP_NODE_LIVE_OUTBOX_H */
