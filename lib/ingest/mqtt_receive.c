/* SPDX-License-Identifier: Apache-2.0 */
/* Hands messages to the connection's owner before the broker is told that they are here. For QoS 0
 * and 1, and for 2 in MQTT 5, Paho's message callback comes in time. For QoS 2 in 3.1.1 it comes
 * after PUBREC; but Paho offers a received QoS 2 message to its persistence before that, so this
 * file is such a persistence: it hands the message over and keeps nothing. All on Paho's receiving
 * thread, under its global mutex. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/memory.h"
#include "ingest/mqtt_private.h"

/* Of a received QoS 2 message in 3.1.1, before its number. */
#define KEY "r-"

/* What was handed over early by that number: a hash of topic, number and payload; 0: nothing. */
static uint64_t taken_by(const eop_mqtt_conn *conn, unsigned number) {
    return conn->taken != NULL ? conn->taken[number] : 0;
}

int eop_mqtt_conn_arrived(void *context, char *topic, int topic_size, MQTTAsync_message *message) {
    eop_mqtt_conn *conn = context;
    /* MQTT forbids a NUL in a topic; a topic_size of 0 says that there is none. */
    bool whole = topic_size == 0 || strlen(topic) == (size_t)topic_size;
    bool before = message->qos == 2 && taken_by(conn, (uint16_t)message->msgid) != 0;
    if (whole && !before && conn->handler->on_message != NULL) {
        conn->handler->on_message(topic, message->payload, (size_t)message->payloadlen,
                                  message->retained != 0, conn->user_data);
    }
    MQTTAsync_freeMessage(&message);
    MQTTAsync_free(topic);
    return 1;
}

/* The number of a message that came with QoS 2; -1: this is something else. */
static int number_of(const char *key) {
    long number = strncmp(key, KEY, sizeof(KEY) - 1) == 0 ? strtol(key + 2, NULL, 10) : -1;
    return number >= 0 && number <= UINT16_MAX ? (int)number : -1;
}

static int popen_none(void **handle, const char *client_id, const char *uri, void *context) {
    (void)client_id;
    (void)uri;
    *handle = context;
    return 0;
}

static int pclose_none(void *handle) {
    (void)handle;
    return 0;
}

/* buffers: the fixed header, and the rest of the packet: topic, number, payload. Where memory lacks
 * the message is handed over at PUBREL, as Paho would. */
static int put(void *handle, char *key, int count, char *buffers[], int sizes[]) {
    eop_mqtt_conn *conn = handle;
    int number = number_of(key);
    if (number < 0 || count != 2 || sizes[1] < 4) {
        return 0;
    }
    const unsigned char *rest = (const unsigned char *)buffers[1];
    size_t size = (size_t)sizes[1];
    uint64_t hash = eop_hash64(rest, size) | 1;
    /* Only what is the same was sent again. aedes may give two messages under way one number, and
     * passes on the DUP of who published, so that it tells nothing. */
    if (taken_by(conn, (unsigned)number) == hash) {
        return 0;
    }
    size_t topic_size = (size_t)rest[0] << 8 | rest[1];
    if (topic_size + 4 > size || memchr(rest + 2, 0, topic_size) != NULL ||
        conn->handler->on_message == NULL) {
        return 0;
    }
    if (conn->taken == NULL) {
        conn->taken = eop_calloc(UINT16_MAX + 1, sizeof(*conn->taken));
    }
    char *topic = eop_alloc(topic_size + 1);
    if (topic != NULL && conn->taken != NULL) {
        memcpy(topic, rest + 2, topic_size);
        topic[topic_size] = '\0';
        conn->taken[number] = hash;
        conn->handler->on_message(topic, rest + 4 + topic_size, size - 4 - topic_size,
                                  (buffers[0][0] & 1) != 0, conn->user_data);
    }
    eop_free(topic);
    return 0;
}

static int get_none(void *handle, char *key, char **buffer, int *size) {
    (void)handle;
    (void)key;
    (void)buffer;
    (void)size;
    return MQTTCLIENT_PERSISTENCE_ERROR;
}

/* PUBREL came: the number is free for another message. */
static int take_away(void *handle, char *key) {
    eop_mqtt_conn *conn = handle;
    int number = number_of(key);
    if (number >= 0 && conn->taken != NULL) {
        conn->taken[number] = 0;
    }
    return 0;
}

static int no_keys(void *handle, char ***keys, int *count) {
    (void)handle;
    *keys = NULL;
    *count = 0;
    return 0;
}

static int clear_none(void *handle) {
    (void)handle;
    return 0;
}

static int contains_none(void *handle, char *key) {
    (void)handle;
    (void)key;
    return MQTTCLIENT_PERSISTENCE_ERROR;
}

void eop_mqtt_conn_take_early(eop_mqtt_conn *conn) {
    conn->early = (MQTTClient_persistence){
        .context = conn,
        .popen = popen_none,
        .pclose = pclose_none,
        .pput = put,
        .pget = get_none,
        .premove = take_away,
        .pkeys = no_keys,
        .pclear = clear_none,
        .pcontainskey = contains_none,
    };
}
