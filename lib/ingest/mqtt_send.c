/* SPDX-License-Identifier: Apache-2.0 */
/* Sends, each with a slot from the call to its end, which comes on Paho's threads. */
#include <stdint.h>

#include "base/error.h"
#include "ingest/mqtt_private.h"

/* In 3.1.1 a broker does not say how many it takes; mosquitto hangs up at the 21st. In 5 it says
 * so, and Paho obeys. */
#define MAX_PENDING_QOS2 16

/* Takes the slot back. Returns the id and whether its owner may still be called. */
static bool end_send(eop_mqtt_slot *s, bool socket_error, uint64_t *id) {
    eop_mqtt_conn *conn = s->conn;
    pthread_mutex_lock(&conn->mutex);
    *id = s->id;
    conn->pending--;
    conn->pending_qos2 -= s->qos == 2;
    conn->poisoned = conn->poisoned || socket_error;
    bool tell = !conn->dead;
    s->next = conn->free_slots;
    conn->free_slots = s;
    if (conn->pending == 0) {
        pthread_cond_broadcast(&conn->cond);
    }
    pthread_mutex_unlock(&conn->mutex);
    return tell;
}

static void delivered(eop_mqtt_slot *s) {
    eop_mqtt_conn *conn = s->conn;
    uint64_t id = 0;
    if (end_send(s, false, &id) && conn->handler->on_delivered != NULL) {
        conn->handler->on_delivered(id, conn->user_data);
    }
}

static void on_sent(void *context, MQTTAsync_successData *data) {
    (void)data;
    delivered(context);
}

static void on_sent5(void *context, MQTTAsync_successData5 *data) {
    (void)data;
    delivered(context);
}

static void on_unsent(void *context, MQTTAsync_failureData *data) {
    uint64_t id = 0;
    (void)end_send(context, data->code != MQTTASYNC_OPERATION_INCOMPLETE, &id);
}

/* Whether sending again would be refused again. */
static bool refused_for_good(int reason) {
    return reason == MQTTREASONCODE_UNSPECIFIED_ERROR ||
           reason == MQTTREASONCODE_IMPLEMENTATION_SPECIFIC_ERROR ||
           reason == MQTTREASONCODE_NOT_AUTHORIZED || reason == MQTTREASONCODE_TOPIC_NAME_INVALID ||
           reason == MQTTREASONCODE_PAYLOAD_FORMAT_INVALID;
}

static void on_unsent5(void *context, MQTTAsync_failureData5 *data) {
    eop_mqtt_slot *s = context;
    eop_mqtt_conn *conn = s->conn;
    int reason = (int)data->reasonCode;
    if (reason < MQTTREASONCODE_UNSPECIFIED_ERROR) {
        uint64_t id = 0;
        (void)end_send(s, data->code != MQTTASYNC_OPERATION_INCOMPLETE, &id);
        return;
    }
    const char *text = MQTTReasonCode_toString(data->reasonCode);
    if (refused_for_good(reason)) {
        if (conn->handler->on_refused != NULL) {
            conn->handler->on_refused(text, conn->user_data);
        }
        delivered(s);
    } else {
        /* Over a quota or the like: goes again over the next connection, after the back-off. */
        uint64_t id = 0;
        (void)end_send(s, false, &id);
        eop_mqtt_conn_end(conn, EOP_MQTT_LOST, reason, text);
    }
}

edgeops_status eop_mqtt_conn_send(eop_mqtt_conn *conn, const edgeops_message *message) {
    if (message->size > INT32_MAX / 2 || message->qos > 2 ||
        !eop_mqtt_topic_valid(message->topic)) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt",
                        "'%s' is not a topic to publish to, or the message is too large",
                        message->topic);
    }
    pthread_mutex_lock(&conn->mutex);
    eop_mqtt_slot *s = conn->phase == EOP_MQTT_CONNECTED ? conn->free_slots : NULL;
    bool crowded = message->qos == 2 && !conn->config->v5 && conn->pending_qos2 >= MAX_PENDING_QOS2;
    if (s == NULL || crowded) {
        pthread_mutex_unlock(&conn->mutex);
        return eop_fail(EDGEOPS_E_AGAIN, "mqtt", "no link, or too many messages under way");
    }
    conn->free_slots = s->next;
    s->id = message->id;
    s->qos = message->qos;
    conn->pending++;
    conn->pending_qos2 += message->qos == 2;
    conn->users++;
    pthread_mutex_unlock(&conn->mutex);

    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    response.context = s;
    if (conn->config->v5) {
        response.onSuccess5 = on_sent5;
        response.onFailure5 = on_unsent5;
    } else {
        response.onSuccess = on_sent;
        response.onFailure = on_unsent;
    }
    int code = MQTTAsync_send(conn->handle, message->topic, (int)message->size,
                              message->size > 0 ? message->payload : "", message->qos,
                              message->retain, &response);
    if (code != MQTTASYNC_SUCCESS) {
        uint64_t id = 0;
        (void)end_send(s, false, &id);
    }
    pthread_mutex_lock(&conn->mutex);
    if (--conn->users == 0) {
        pthread_cond_broadcast(&conn->cond);
    }
    pthread_mutex_unlock(&conn->mutex);
    if (code == MQTTASYNC_SUCCESS) {
        return EDGEOPS_OK;
    }
    if (code == EOP_PAHO_NO_MEMORY) {
        return eop_fail_nomem("mqtt");
    }
    return eop_fail(EDGEOPS_E_AGAIN, "mqtt", "no link (%d)", code);
}

bool eop_mqtt_conn_left_qos2(eop_mqtt_conn *conn) {
    pthread_mutex_lock(&conn->mutex);
    bool left = conn->pending_qos2 > 0;
    pthread_mutex_unlock(&conn->mutex);
    return left;
}
