/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to a broker, on a client handle of its own (mqtt_conn.c, mqtt_send.c). With
 * mqtt_anchor.c the only files that know Paho; the place of its rules:
 *
 * - Callbacks run on Paho's two threads under its one global mutex. So no lock of ours is held
 *   while Paho is called, and nothing waits in a callback. Lock order: Paho, link, connection.
 * - Paho 1.3.12 sends PUBACK right after the message callback, whatever it returns. What must not
 *   be lost is durable, or held, when the callback returns.
 * - In MQTT 3.1.1 a QoS 2 message is handed over only at PUBREL, after PUBREC made the broker
 *   forget it: a crash, or a fresh handle, between the two loses it. Such filters are subscribed
 *   with QoS 1; the store drops what comes twice. In MQTT 5 Paho hands over before PUBREC.
 * - When a QoS 1 or 2 send meets a socket error, Paho frees topic and payload but keeps them in its
 *   list of unacknowledged messages; cleaning the session, resending or destroying the handle then
 *   uses them again. So a publishing handle never has clean session set on Paho's side (MQTT 5:
 *   clean start and an expiry of one second instead), is never connected twice, and is left alone
 *   if anything was under way when the link broke.
 * - Destroying the last handle stops Paho's threads, which races with a new one being made; and its
 *   threads sleep through new connections: see mqtt_anchor.h. */
#ifndef EOP_INGEST_MQTT_CONN_H
#define EOP_INGEST_MQTT_CONN_H

#include "edgeops/ingest.h"
#include "ingest/mqtt_config.h"

typedef struct eop_mqtt_conn eop_mqtt_conn;

/** Called on Paho's threads, under its global mutex. Members may be NULL. */
typedef struct eop_mqtt_conn_handler {
    void (*on_message)(const char *topic, const void *payload, size_t size, bool retained,
                       void *user_data);
    void (*on_delivered)(uint64_t id, void *user_data);
    /** The broker refused a message for good (MQTT 5); it counts as delivered. */
    void (*on_refused)(const char *reason, void *user_data);
} eop_mqtt_conn_handler;

typedef struct eop_mqtt_conn_options {
    eop_mqtt_config *config;
    const char *address;          /**< numeric host, used instead of the name unless TLS is on */
    const char *client_id_suffix; /**< "" or what sets this client apart */
    bool publisher;               /**< does not subscribe */
    bool clear;                   /**< only to make the broker forget the session */
    edgeops_duration patience;    /**< with an answer to the attempt; 0: the default */
    uint32_t in_flight;           /**< slots for sends */
    const eop_mqtt_conn_handler *handler;
    void *user_data;
} eop_mqtt_conn_options;

/** Makes the handle and begins to connect. Reads the password file, looks whether the TLS files can
 * be read. */
edgeops_status eop_mqtt_conn_open(eop_mqtt_conn **out, const eop_mqtt_conn_options *options);
/** Waits until connected and, unless it is a publisher, subscribed. E_CANCELED when interrupted;
 * else an error whose detail is for the user. *detail: what we are connected to; at least 200
 * bytes. */
edgeops_status eop_mqtt_conn_wait_up(eop_mqtt_conn *conn, char *detail, size_t size);
/** Waits for the end of the link: E_CANCELED when interrupted, else the reason. */
edgeops_status eop_mqtt_conn_wait_down(eop_mqtt_conn *conn);
/** Makes a wait return, now or when it begins. Any thread, callbacks too. */
void eop_mqtt_conn_interrupt(eop_mqtt_conn *conn);
/** E_AGAIN when all slots are taken or the link is down; E_INVALID. */
edgeops_status eop_mqtt_conn_send(eop_mqtt_conn *conn, const edgeops_message *message);
/** QoS 2 sends were under way when the link broke (3.1.1: the broker may remember their
 * numbers). */
bool eop_mqtt_conn_left_qos2(eop_mqtt_conn *conn);
/** Disconnects; no callback comes after it returned. The handle is destroyed or, where that is not
 * safe, left. conn is freed in either case as far as it can be. NULL is allowed. */
void eop_mqtt_conn_close(eop_mqtt_conn *conn);
/** Handles left alone since the process began. */
unsigned eop_mqtt_conn_left(void);

#endif /* EOP_INGEST_MQTT_CONN_H */
