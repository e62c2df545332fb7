/* SPDX-License-Identifier: Apache-2.0 */
/* The deployments of a home: made, started, shown. deployment.h has what one of them is. */
#ifndef EOP_NODE_LIVE_DEPLOYMENTS_H
#define EOP_NODE_LIVE_DEPLOYMENTS_H

#include "node/home/home.h"

edgeops_status eop_deployments_load(edgeops_node *node);
void eop_deployments_start(edgeops_node *node);
void eop_deployments_drain(edgeops_node *node);
bool eop_deployments_busy(const edgeops_node *node);
void eop_deployments_stop(edgeops_node *node);
void eop_deployments_free(edgeops_node *node);
void eop_deployments_tick(edgeops_node *node);
eop_deployment *eop_deployment_find(edgeops_node *node, const char *name);
/** record: taken. */
edgeops_status eop_deployment_add(eop_deployment **out, edgeops_node *node, eop_json *record);
edgeops_status eop_deployment_enable(eop_deployment *deployment, bool enable);
/** *dropped: predictions that were not published yet, which go with it. */
edgeops_status eop_deployment_remove(uint64_t *dropped, eop_deployment *deployment);
/** What was set aside waits again, *again of them; one that is held tries at once. */
edgeops_status eop_deployment_retry(uint64_t *again, eop_deployment *deployment);

typedef enum eop_skip {
    EOP_SKIP_WAITING,
    EOP_SKIP_REFUSED, /**< those that are set aside */
    EOP_SKIP_ALL
} eop_skip;
/** Drops messages that were not published yet, at most max, the oldest first. *dropped: how
 * many. */
edgeops_status eop_deployment_skip(uint64_t *dropped, eop_deployment *deployment, eop_skip which,
                                   uint64_t max);
eop_json *eop_deployment_brief(eop_deployment *deployment);
eop_json *eop_deployment_describe(eop_deployment *deployment);
/** Of the newest windows, how many failed, and how many they are. */
uint32_t eop_deployment_failing(const eop_deployment *deployment, uint32_t *of);
const eop_json *eop_deployment_record(const eop_deployment *deployment);

#endif /* EOP_NODE_LIVE_DEPLOYMENTS_H */
