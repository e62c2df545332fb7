/* SPDX-License-Identifier: Apache-2.0 */
/* Sends, each with a slot from the call to its end, which comes on Paho's threads. */
#include <stdint.h>

#include "base/error.h"
#include "base/time.h"
#include "ingest/mqtt_private.h"

/* In 3.1.1 a broker does not say how many it takes; mosquitto hangs up at the 21st. In 5 it
 * announces its receive maximum: at that number Paho would stop its sending thread for up to a
 * second, so it is never reached there. */
#define MAX_PENDING_QOS2 16
#define SLOWEST          (512u * 1024) /* bytes a second that a network must make */

/* Takes the slot back. Returns the id and whether its owner may still be called. */
static bool end_send(eop_mqtt_slot *s, bool socket_error, uint64_t *id) {
    eop_mqtt_conn *conn = s->conn;
    pthread_mutex_lock(&conn->mutex);
    *id = s->id;
    conn->pending--;
    conn->pending_bytes -= s->size;
    conn->ended++;
    conn->pending_acked -= s->qos > 0;
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

/* A refused message has its end as a delivered one has: nothing of it is left in Paho, which after
 * a refused PUBREC sends no PUBREL. `code` is 0 then, but not for a lost link, where Paho may leave
 * reasonCode uninitialized. 0x10, no matching subscribers, is a success. */
static void on_unsent5(void *context, MQTTAsync_failureData5 *data) {
    eop_mqtt_slot *s = context;
    eop_mqtt_conn *conn = s->conn;
    uint64_t id = 0;
    if (data->code == 0 && data->reasonCode == MQTTREASONCODE_PACKET_IDENTIFIER_NOT_FOUND) {
        delivered(s); /* only PUBCOMP may say so: the broker had the message with PUBREC */
        return;
    }
    if (data->code != 0 || data->reasonCode < MQTTREASONCODE_UNSPECIFIED_ERROR) {
        (void)end_send(s, data->code != MQTTASYNC_OPERATION_INCOMPLETE, &id);
        return;
    }
    char text[EOP_MQTT_REASON_SIZE];
    const MQTTProperty *said =
        MQTTProperties_getProperty(&data->properties, MQTTPROPERTY_CODE_REASON_STRING);
    eop_mqtt_reason(text, sizeof(text), (int)data->reasonCode,
                    said != NULL ? said->value.data.data : NULL,
                    said != NULL ? (size_t)said->value.data.len : 0);
    if (end_send(s, false, &id) && conn->handler->on_refused != NULL) {
        conn->handler->on_refused(id, eop_mqtt_refusal((int)data->reasonCode), text,
                                  conn->user_data);
    }
}

static bool is_crowded(const eop_mqtt_conn *conn, const edgeops_message *message) {
    return (message->qos > 0 && conn->pending_acked >= conn->announced.receive_maximum) ||
           (message->qos == 2 && !conn->announced.v5 && conn->pending_qos2 >= MAX_PENDING_QOS2);
}

edgeops_status eop_mqtt_conn_send(eop_mqtt_conn *conn, const edgeops_message *message) {
    if (message->size > INT32_MAX / 2 || message->qos > 2 ||
        !eop_mqtt_topic_valid(message->topic)) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt",
                        "'%s' is not a topic to publish to, or the message is too large",
                        message->topic);
    }
    edgeops_status status = EDGEOPS_E_AGAIN;
    pthread_mutex_lock(&conn->mutex);
    eop_mqtt_slot *s = conn->phase == EOP_MQTT_CONNECTED ? conn->free_slots : NULL;
    if (s != NULL && !is_crowded(conn, message)) {
        status = eop_mqtt_terms_check(&conn->announced, message);
    }
    if (status < 0) {
        pthread_mutex_unlock(&conn->mutex);
        return status != EDGEOPS_E_AGAIN
                   ? status
                   : eop_fail(status, "mqtt", "no link, or too many messages under way");
    }
    conn->free_slots = s->next;
    s->id = message->id;
    s->qos = message->qos;
    s->size = message->size;
    conn->pending++;
    conn->pending_bytes += s->size;
    conn->pending_acked += message->qos > 0;
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

/* The first message that Paho has not begun to write; -1: it has begun all. Paho's list has the
 * numbers of those, 0 for QoS 0, and then of those that are not acknowledged yet. Both ascend, and
 * the ones not begun are the newer. */
static int first_unwritten(eop_mqtt_conn *conn) {
    MQTTAsync_token *tokens = NULL;
    if (MQTTAsync_getPendingTokens(conn->handle, &tokens) != MQTTASYNC_SUCCESS || tokens == NULL) {
        return -1;
    }
    int first = tokens[0] == 0 ? 0 : -1;
    for (size_t i = 1; first < 0 && tokens[i - 1] >= 0 && tokens[i] >= 0; i++) {
        if ((uint16_t)(tokens[i] - tokens[i - 1]) > UINT16_MAX / 2) {
            first = tokens[0];
        }
    }
    MQTTAsync_free(tokens);
    return first;
}

bool eop_mqtt_conn_stuck(eop_mqtt_conn *conn) {
    edgeops_duration now = eop_monotonic();
    pthread_mutex_lock(&conn->mutex);
    uint64_t ended = conn->ended;
    uint64_t bytes = conn->pending_bytes;
    bool pending = conn->pending > 0;
    pthread_mutex_unlock(&conn->mutex);
    int waiting = pending ? first_unwritten(conn) : -1;
    if (waiting < 0) {
        conn->waiting_since = 0;
        return false;
    }
    if (conn->waiting_since == 0 || waiting != conn->waiting || ended != conn->waiting_ended) {
        conn->waiting = waiting;
        conn->waiting_ended = ended;
        conn->waiting_since = now;
    }
    /* As long as Paho takes to notice a silent broker; more for what a slow network takes. */
    edgeops_duration patience = conn->ping_s * EDGEOPS_SECOND * 5 / 2 +
                                (edgeops_duration)(bytes / SLOWEST) * EDGEOPS_SECOND;
    return now - conn->waiting_since >= patience;
}

bool eop_mqtt_conn_left_qos2(eop_mqtt_conn *conn) {
    pthread_mutex_lock(&conn->mutex);
    bool left = conn->pending_qos2 > 0;
    pthread_mutex_unlock(&conn->mutex);
    return left;
}
