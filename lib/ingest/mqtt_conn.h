/* SPDX-License-Identifier: Apache-2.0 */
/* One connection to a broker, on a client handle of its own (mqtt_conn.c and those that share
 * mqtt_private.h with it). With mqtt_anchor.c and mqtt_release.c the only files that know Paho; the
 * place of its rules:
 *
 * - Callbacks run on Paho's two threads under its one global mutex. So no lock of ours is held
 *   while Paho is called, and nothing waits in a callback. Lock order: Paho, link, connection.
 * - Paho 1.3.12 sends PUBACK right after the message callback, whatever it returns. What must not
 *   be lost is durable, or held, when the callback returns.
 * - In MQTT 3.1.1 Paho's callback gets a QoS 2 message only at PUBREL, after PUBREC made the broker
 *   forget it: a crash, or a fresh handle, between the two would lose it. Such filters are
 *   subscribed with QoS 1; and as some brokers (aedes) deliver what they had queued as QoS 2 all
 *   the same, mqtt_receive.c hands it over before PUBREC, where Paho offers it to its persistence.
 *   What comes twice the store drops. In MQTT 5 Paho's callback comes before PUBREC.
 * - A DISCONNECT from the broker (MQTT 5) makes Paho close the socket and call `disconnected`,
 *   nothing else: that is the end of the link.
 * - Paho pings when nothing was sent, or came, for an interval, and gives up when nothing comes for
 *   1.5 intervals after that; the interval is the keep-alive that we asked for in CONNECT, whatever
 *   CONNACK says, unless it is set again: set_watch() in mqtt_conn.c. It looks at most every tenth
 *   of the interval of whichever handle connected last in the process, and when a poll of a second
 *   ends: see eop_mqtt_anchor_pace(). It notices nothing while a write is under way, which
 *   eop_mqtt_conn_stuck() makes up for where more sends wait behind that one.
 * - When a QoS 1 or 2 send meets a socket error, Paho frees topic and payload but keeps them in its
 *   list of unacknowledged messages; cleaning the session, resending or destroying the handle then
 *   uses them again. So a publishing handle never has clean session set on Paho's side (MQTT 5:
 *   clean start and an expiry of one second instead), is never used after a loss, and is left alone
 *   if a send met such an error, which its callback says. Where the broker ended the link, with
 *   whatever under way, nothing is wrong with it.
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
    /** The broker refused this message (MQTT 5). Its slot is free again; the link stays. Status as
     * in edgeops_publisher_options. */
    void (*on_refused)(uint64_t id, edgeops_status status, const char *reason, void *user_data);
} eop_mqtt_conn_handler;

#define EOP_MQTT_MAX_CLIENT_ID 512

/** What the broker said when it accepted the connection. In 3.1.1 it can say session_present only;
 * the rest is then what that version takes for granted. */
typedef struct eop_mqtt_announced {
    bool v5;
    bool session_present;      /**< it had kept the session of this client id */
    uint16_t receive_maximum;  /**< QoS 1 and 2 messages of ours under way; 65535: no limit */
    uint8_t maximum_qos;       /**< that we may publish with: 0 to 2 */
    bool retain_available;     /**< we may publish retained messages */
    bool wildcard_available;   /**< filters may have '+' and '#' */
    bool shared_available;     /**< filters may begin with $share/ */
    uint32_t maximum_packet;   /**< bytes of a packet of ours; 0: no limit */
    uint16_t keep_alive_s;     /**< in force: the broker's, else ours */
    uint32_t session_expiry_s; /**< in force: the broker's, else ours; UINT32_MAX: never */
    char client_id[EOP_MQTT_MAX_CLIENT_ID]; /**< given by the broker; "": it kept ours */
} eop_mqtt_announced;

/** What the broker granted for one filter. */
typedef struct eop_mqtt_granted {
    const char *filter; /**< the configuration's */
    uint8_t asked;      /**< QoS on the wire: in 3.1.1 a 2 is asked for as 1 */
    uint8_t granted;    /**< QoS, where it was not refused */
    uint8_t refused;    /**< 0: granted; else MQTT 5's reason code (3.1.1: 0x80) */
    bool shared_unsure; /**< $share/ in 3.1.1: a broker may take it for a plain topic, and does not
                         * say which */
} eop_mqtt_granted;

/** The terms of a connection that is up. Borrowed for the call that it comes with. */
typedef struct eop_mqtt_terms {
    const eop_mqtt_announced *announced;
    const eop_mqtt_granted *granted; /**< one a filter, in the configuration's order */
    size_t granted_count;            /**< 0 for a publisher */
    /** This link had a session before, which the broker was to keep, and it has it no more. */
    bool session_lost;
} eop_mqtt_terms;

typedef struct eop_mqtt_conn_options {
    eop_mqtt_config *config;
    const char *address;          /**< numeric host, used instead of the name unless TLS is on */
    const char *client_id_suffix; /**< "" or what sets this client apart */
    const char *client_id;        /**< that the broker gave before; NULL: the configuration's */
    bool publisher;               /**< does not subscribe */
    bool clear;                   /**< only to make the broker forget the session */
    edgeops_duration patience;    /**< with an answer to the attempt; 0: 15 s */
    uint32_t in_flight;           /**< slots for sends */
    const eop_mqtt_conn_handler *handler;
    /** The waiting thread, no lock held: connected, before anything is subscribed to. An error ends
     * the attempt and is what wait_up gives. resumed: the broker had kept a session. NULL: go on. */
    edgeops_status (*on_session)(bool resumed, void *user_data);
    void *user_data;
} eop_mqtt_conn_options;

/** Makes the handle and begins to connect. Reads the password file, looks whether the TLS files can
 * be read. */
edgeops_status eop_mqtt_conn_open(eop_mqtt_conn **out, const eop_mqtt_conn_options *options);
/** Waits until connected and, unless it is a publisher, subscribed. E_CANCELED when interrupted;
 * what on_session gave; else an error whose detail is for the user. *detail: what we are connected to; at least 200
 * bytes. */
edgeops_status eop_mqtt_conn_wait_up(eop_mqtt_conn *conn, char *detail, size_t size);
/** What the broker announced and granted. Valid from a wait_up without an error to close. */
const eop_mqtt_announced *eop_mqtt_conn_announced(const eop_mqtt_conn *conn);
const eop_mqtt_granted *eop_mqtt_conn_granted(const eop_mqtt_conn *conn, size_t *count);
/** Waits for the end of the link: E_CANCELED when interrupted, else the reason. */
edgeops_status eop_mqtt_conn_wait_down(eop_mqtt_conn *conn);
/** Makes a wait return, now or when it begins. Any thread, callbacks too. */
void eop_mqtt_conn_interrupt(eop_mqtt_conn *conn);
/** E_AGAIN when all slots are taken or the link is down; E_INVALID. */
edgeops_status eop_mqtt_conn_send(eop_mqtt_conn *conn, const edgeops_message *message);
/** The broker gave our client id to another client (MQTT 5 says so). */
bool eop_mqtt_conn_taken_over(eop_mqtt_conn *conn);
/** QoS 2 sends were under way when the link broke (3.1.1: the broker may remember their
 * numbers). */
bool eop_mqtt_conn_left_qos2(eop_mqtt_conn *conn);
/** Disconnects; no callback comes after it returned. The handle is destroyed or, where that is not
 * safe, left. conn is freed in either case as far as it can be. NULL is allowed. */
void eop_mqtt_conn_close(eop_mqtt_conn *conn);
/** Handles left alone since the process began. */
unsigned eop_mqtt_conn_left(void);

#endif /* EOP_INGEST_MQTT_CONN_H */
