/* SPDX-License-Identifier: Apache-2.0 */
/* A thread for what may take long on the way to a broker, and what is done on it: the lookup of a
 * name, a look whether an address answers. Used by
 * the link (mqtt_link.c) and by what ends a session in the background (mqtt_forget.c). */
#ifndef EOP_INGEST_MQTT_THREAD_H
#define EOP_INGEST_MQTT_THREAD_H

#include <stdint.h>

#include "edgeops/status.h"
#include "edgeops/types.h"

#define EOP_MQTT_MAX_HOST 64
/** Gives one of the numeric addresses of a name, in turns by `attempt`, and how many there are
 * (count may be NULL). */
edgeops_status eop_mqtt_resolve(const char *host, uint64_t attempt, char address[EOP_MQTT_MAX_HOST],
                                size_t *count);
/** Whether TCP connects to a numeric address; the connection is closed at once. E_TIMEOUT, E_IO.
 * With http_proxy in the environment, which Paho obeys, always OK. */
edgeops_status eop_mqtt_reach(const char *address, uint16_t port, edgeops_duration patience);
/** Starts a detached thread with all signals blocked; Paho's own threads inherit that. */
edgeops_status eop_mqtt_thread(void *(*run)(void *argument), void *argument);

#endif /* EOP_INGEST_MQTT_THREAD_H */
