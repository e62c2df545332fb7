/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a link to a broker up: a thread of its own that resolves the name, makes a fresh connection
 * each time, and backs off between the attempts: 0.5 s, after a long life 0.1 s, doubling, with
 * jitter; to under 2 s while the broker has been away for less than a minute, then to 30 s. */
#ifndef EOP_INGEST_MQTT_LINK_H
#define EOP_INGEST_MQTT_LINK_H

#include "ingest/mqtt_conn.h"

typedef struct eop_mqtt_link eop_mqtt_link;

typedef struct eop_mqtt_link_options {
    eop_mqtt_config *config;      /**< a reference is taken */
    const char *client_id_suffix; /**< static */
    bool publisher;
    uint32_t in_flight;
    /** Borrowed, static; user_data below. */
    const eop_mqtt_conn_handler *handler;
    /** Link's thread, no lock held: up (EDGEOPS_OK; generation counts connections from 1) or down
     * (reason; terms is NULL). */
    void (*on_state)(edgeops_status reason, const char *detail, uint64_t generation,
                     const eop_mqtt_terms *terms, void *user_data);
    /** Link's thread, no lock held: connected, before anything is subscribed to. EDGEOPS_OK: go on;
     * EDGEOPS_DONE: have the broker drop the session and connect again, which `resumed` says once
     * only; an error: try again later. NULL: go on. */
    edgeops_status (*on_session)(bool resumed, void *user_data);
    void *user_data;
} eop_mqtt_link_options;

/** Starts; returns at once. *out is set before the first callback. */
edgeops_status eop_mqtt_link_start(eop_mqtt_link **out, const eop_mqtt_link_options *options);
/** Disconnects soon and stays away until stopped. Any thread, callbacks too. */
void eop_mqtt_link_hang_up(eop_mqtt_link *link);
/** Ends the connection of that generation, when it is the current one, and makes another: what is
 * under way on it is not waited for any longer. Any thread. */
void eop_mqtt_link_renew(eop_mqtt_link *link, uint64_t generation);
/** Sends over the connection of that generation; E_AGAIN when it is not the current one. */
edgeops_status eop_mqtt_link_send(eop_mqtt_link *link, uint64_t generation,
                                  const edgeops_message *message);
/** Stops and frees; no callback comes after it returned. Does not wait for the resolver. NULL is
 * allowed. */
void eop_mqtt_link_stop(eop_mqtt_link *link);

/** Ends the persistent session of a subscriber's client id at the broker: connects once with a
 * clean session, in the background, within five seconds, best effort. Links of the same broker and
 * client id that start meanwhile wait for it, so that it does not end their session. */
void eop_mqtt_forget(eop_mqtt_config *config);
/** Waits until none for the client id of this configuration is under way. */
void eop_mqtt_forget_wait(const eop_mqtt_config *config);

#endif /* EOP_INGEST_MQTT_LINK_H */
