/* SPDX-License-Identifier: Apache-2.0 */
/* Subscribes a connection to the filters of its configuration and keeps what was granted: one
 * request a filter, since the list that Paho gives for several may be shorter than what was asked
 * for. The answers come on Paho's threads. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "ingest/mqtt_private.h"

/* The broker answered for one filter: with a QoS, or from 0x80 with a refusal. */
static void answered(eop_mqtt_request *r, int reason) {
    eop_mqtt_conn *conn = r->conn;
    pthread_mutex_lock(&conn->mutex);
    if (conn->phase == EOP_MQTT_CONNECTED) {
        bool refused = reason >= MQTTREASONCODE_UNSPECIFIED_ERROR;
        r->answer->granted = (uint8_t)(refused ? 0 : reason);
        r->answer->refused = (uint8_t)(refused ? reason : 0);
        if (refused && conn->refused++ == 0) {
            conn->first_refused = r->answer;
        }
        if (--conn->unanswered == 0) {
            conn->phase = EOP_MQTT_SUBSCRIBED;
            pthread_cond_broadcast(&conn->cond);
        }
    }
    pthread_mutex_unlock(&conn->mutex);
}

static void on_subscribed(void *context, MQTTAsync_successData *data) {
    answered(context, data->alt.qos);
}

static void on_subscribed5(void *context, MQTTAsync_successData5 *data) {
    answered(context, (int)data->reasonCode);
}

static void on_not_subscribed(void *context, MQTTAsync_failureData *data) {
    eop_mqtt_request *r = context;
    if (data->code >= MQTTREASONCODE_UNSPECIFIED_ERROR) {
        answered(r, data->code);
    } else {
        eop_mqtt_conn_end(r->conn, EOP_MQTT_LOST, data->code, data->message);
    }
}

static void on_not_subscribed5(void *context, MQTTAsync_failureData5 *data) {
    eop_mqtt_request *r = context;
    if (data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR) {
        answered(r, (int)data->reasonCode);
    } else {
        eop_mqtt_conn_end(r->conn, EOP_MQTT_LOST, data->code, data->message);
    }
}

static bool is_shared(const char *filter) {
    static const char share[] = "$share/";
    return strncmp(filter, share, sizeof(share) - 1) == 0;
}

/* What the broker has said that it does not have is not asked for: some answer with a hang-up. */
static edgeops_status check_filters(const eop_mqtt_conn *conn) {
    const eop_mqtt_config *config = conn->config;
    for (size_t i = 0; i < config->topic_count; i++) {
        const char *filter = config->topics[i].filter;
        if (!conn->announced.shared_available && is_shared(filter)) {
            return eop_fail(EDGEOPS_E_UNSUPPORTED, "mqtt",
                            "the broker %s:%u has no shared subscriptions: '%s' cannot be "
                            "subscribed to, leave out $share/GROUP/",
                            config->host, (unsigned)config->port, filter);
        }
        if (!conn->announced.wildcard_available && strpbrk(filter, "+#") != NULL) {
            return eop_fail(EDGEOPS_E_UNSUPPORTED, "mqtt",
                            "the broker %s:%u takes no wildcards: '%s' cannot be subscribed to, "
                            "name the topics one by one",
                            config->host, (unsigned)config->port, filter);
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_mqtt_conn_subscribe(eop_mqtt_conn *conn) {
    const eop_mqtt_config *config = conn->config;
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    MQTTSubscribe_options options = MQTTSubscribe_options_initializer;
    edgeops_status status = check_filters(conn);
    if (status < 0) {
        return status;
    }
    conn->requests = eop_calloc(config->topic_count, sizeof(*conn->requests));
    conn->granted = eop_calloc(config->topic_count, sizeof(*conn->granted));
    if (conn->requests == NULL || conn->granted == NULL) {
        return eop_fail_nomem("mqtt");
    }
    conn->granted_count = config->topic_count;
    pthread_mutex_lock(&conn->mutex);
    conn->unanswered = config->topic_count;
    pthread_mutex_unlock(&conn->mutex);
    if (config->v5) {
        options.retainHandling = 1; /* retained messages once, not after each reconnect */
        response.subscribeOptions = options;
        response.onSuccess5 = on_subscribed5;
        response.onFailure5 = on_not_subscribed5;
    } else {
        response.onSuccess = on_subscribed;
        response.onFailure = on_not_subscribed;
    }
    for (size_t i = 0; i < config->topic_count; i++) {
        const eop_mqtt_topic *topic = &config->topics[i];
        int qos = topic->qos == 2 && !config->v5 ? 1 : topic->qos;
        conn->granted[i] = (eop_mqtt_granted){
            .filter = topic->filter,
            .asked = (uint8_t)qos,
            .shared_unsure = !config->v5 && is_shared(topic->filter),
        };
        conn->requests[i] = (eop_mqtt_request){conn, &conn->granted[i]};
        response.context = &conn->requests[i];
        int code = MQTTAsync_subscribe(conn->handle, topic->filter, qos, &response);
        if (code != MQTTASYNC_SUCCESS) {
            return eop_fail(EDGEOPS_E_CLOSED, "mqtt",
                            "connection to %s:%u lost while subscribing (%d)", config->host,
                            (unsigned)config->port, code);
        }
    }
    return EDGEOPS_OK;
}
