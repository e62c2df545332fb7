/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of a source's link, for people: the terms of the connection, what holds with them,
 * and what an operator should know, each with the next step. */
#ifndef EOP_INGEST_MQTT_VIEW_H
#define EOP_INGEST_MQTT_VIEW_H

#include "codec/json.h"
#include "ingest/mqtt_conn.h"

typedef struct eop_mqtt_view eop_mqtt_view;

/** config: borrowed. NULL: no memory. */
eop_mqtt_view *eop_mqtt_view_new(const eop_mqtt_config *config);
void eop_mqtt_view_free(eop_mqtt_view *view);
/** The link is up on these terms. All but new and free: any thread; now: the monotonic clock. */
void eop_mqtt_view_up(eop_mqtt_view *view, const eop_mqtt_terms *terms, edgeops_duration now);
/** The link is down, or still is; detail: why, NULL when this side ended it. */
void eop_mqtt_view_down(eop_mqtt_view *view, const char *detail, edgeops_duration now);
/** A message came. */
void eop_mqtt_view_message(eop_mqtt_view *view, const char *topic, edgeops_duration now);
/** An object as edgeops_source_connection() gives it. */
eop_json *eop_mqtt_view_json(eop_mqtt_view *view, edgeops_duration now);

#endif /* EOP_INGEST_MQTT_VIEW_H */
