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
edgeops_status eop_deployment_remove(eop_deployment *deployment);
eop_json *eop_deployment_brief(eop_deployment *deployment);
eop_json *eop_deployment_describe(eop_deployment *deployment);
/** Of the newest windows, how many failed, and how many they are. */
uint32_t eop_deployment_failing(const eop_deployment *deployment, uint32_t *of);
const eop_json *eop_deployment_record(const eop_deployment *deployment);

#endif /* EOP_NODE_LIVE_DEPLOYMENTS_H */
