/* SPDX-License-Identifier: Apache-2.0 */
/* What mqtt_conn.c (life of a connection) shares with mqtt_phase.c, mqtt_subscribe.c,
 * mqtt_receive.c, mqtt_send.c and mqtt_terms.c. */
#ifndef EOP_INGEST_MQTT_PRIVATE_H
#define EOP_INGEST_MQTT_PRIVATE_H

#include <pthread.h>

#include <MQTTAsync.h>

#include "ingest/mqtt_conn.h"
#include "ingest/mqtt_explain.h"

#define EOP_PAHO_NO_MEMORY (-99) /* its own name for it is in no installed header */

typedef enum {
    EOP_MQTT_OPENING,
    EOP_MQTT_CONNECTED,
    EOP_MQTT_SUBSCRIBED,
    EOP_MQTT_FAILED,
    EOP_MQTT_LOST,
    EOP_MQTT_BROKEN, /* ended by us: the broker breaks the protocol */
    EOP_MQTT_CLOSED
} eop_mqtt_phase;

typedef struct eop_mqtt_slot {
    eop_mqtt_conn *conn;
    struct eop_mqtt_slot *next; /* of the free ones */
    uint64_t id;
    uint64_t size;
    uint8_t qos;
} eop_mqtt_slot;

/* One SUBSCRIBE. */
typedef struct eop_mqtt_request {
    eop_mqtt_conn *conn;
    eop_mqtt_granted *answer; /* one of the connection's */
} eop_mqtt_request;

struct eop_mqtt_conn {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    eop_mqtt_config *config;
    const eop_mqtt_conn_handler *handler;
    edgeops_status (*on_session)(bool resumed, void *user_data);
    void *user_data;
    bool publisher;
    bool clear;
    edgeops_duration patience;
    uint16_t ping_s;    /* how often Paho pings; written until EOP_MQTT_CONNECTED */
    char client_id[64]; /* its beginning, for messages */
    MQTTAsync handle;
    MQTTClient_persistence early; /* mqtt_receive.c */
    uint64_t *taken;              /* a hash a number: QoS 2 messages of 3.1.1 handed over early */
    eop_mqtt_slot *slots;
    eop_mqtt_request *requests;
    eop_mqtt_granted *granted; /* written until EOP_MQTT_SUBSCRIBED */
    size_t granted_count;
    eop_mqtt_announced announced; /* written until EOP_MQTT_CONNECTED */

    /* Guarded by mutex. */
    eop_mqtt_phase phase;
    bool interrupted;
    bool dead;     /* user_data is gone */
    bool poisoned; /* a send met a socket error */
    int code;
    char reason[EOP_MQTT_REASON_SIZE]; /* of FAILED, LOST, BROKEN */
    char tls[EOP_MQTT_REASON_SIZE];    /* what OpenSSL had to say */
    size_t unanswered;                 /* filters */
    size_t refused;
    const eop_mqtt_granted *first_refused;
    eop_mqtt_slot *free_slots;
    uint32_t pending;       /* sends that have no end yet */
    uint32_t pending_acked; /* of QoS 1 and 2 */
    uint32_t pending_qos2;
    uint64_t pending_bytes;
    uint64_t ended; /* sends so far */
    uint32_t users; /* threads inside MQTTAsync_send */

    /* The link's thread: what waited to be written when it last looked. */
    int waiting;
    uint64_t waiting_ended;
    edgeops_duration waiting_since; /* 0: nothing waits */
};

/** Asks for the filters of the configuration; EOP_MQTT_SUBSCRIBED when all are answered. */
edgeops_status eop_mqtt_conn_subscribe(eop_mqtt_conn *conn);
/** Once all are answered: asks again for those refused for their packet id; EDGEOPS_DONE: none. */
edgeops_status eop_mqtt_conn_subscribe_again(eop_mqtt_conn *conn);
/** Paho's message callback. */
int eop_mqtt_conn_arrived(void *context, char *topic, int topic_size, MQTTAsync_message *message);
/** Makes conn->early the persistence that hands QoS 2 messages over before PUBREC. */
void eop_mqtt_conn_take_early(eop_mqtt_conn *conn);
/** Waits on the condition, its mutex held; false when the deadline passed. */
bool eop_mqtt_conn_wait_until(eop_mqtt_conn *conn, edgeops_duration deadline);
/** Waits while the phase is `current`: E_CANCELED, E_TIMEOUT, or OK and the next phase. */
edgeops_status eop_mqtt_conn_wait_phase(eop_mqtt_conn *conn, eop_mqtt_phase current,
                                        edgeops_duration deadline, eop_mqtt_phase *next);
/** Whether sends have waited behind one that the broker does not read for so long that it must be
 * gone. */
bool eop_mqtt_conn_stuck(eop_mqtt_conn *conn);
/** Ends the attempt or the link, unless it has ended before. */
void eop_mqtt_conn_end(eop_mqtt_conn *conn, eop_mqtt_phase next, int code, const char *reason);

/** What holds without a word of the broker's. */
void eop_mqtt_terms_default(eop_mqtt_announced *out, const eop_mqtt_config *config);
/** What CONNACK's properties say instead; false, and why, where they say what MQTT forbids. */
bool eop_mqtt_terms_take(eop_mqtt_announced *out, const MQTTProperties *properties, char *why,
                         size_t size);
/** E_LIMIT or E_UNSUPPORTED for a message that the broker has said that it does not take. */
edgeops_status eop_mqtt_terms_check(const eop_mqtt_announced *announced,
                                    const edgeops_message *message);

#endif /* EOP_INGEST_MQTT_PRIVATE_H */
