/* SPDX-License-Identifier: Apache-2.0 */
/* Subscribes a connection to the filters of its configuration and keeps what was granted: one
 * request a filter, since the list that Paho gives for several may be shorter than what was asked
 * for. The answers come on Paho's threads. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "ingest/mqtt_private.h"

#define MALFORMED "the broker's answer to SUBSCRIBE is malformed"
#define NOT_ONE   (-1) /* codes for one filter */

/* The broker answered for one filter: with a QoS, or from 0x80 with a refusal. */
static void answered(eop_mqtt_request *r, int reason) {
    eop_mqtt_conn *conn = r->conn;
    if (reason < 0 || (reason > 2 && reason < MQTTREASONCODE_UNSPECIFIED_ERROR) || reason > 0xFF) {
        eop_mqtt_conn_end(conn, EOP_MQTT_BROKEN, 0, MALFORMED);
        return;
    }
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

/* For one code Paho fills alt.qos, for more alt.qosList, and does not say which. Either fills all of
 * the int, and half of an address is neither a QoS nor a refusal. */
static void on_subscribed(void *context, MQTTAsync_successData *data) {
    answered(context, data->alt.qos);
}

static void on_subscribed5(void *context, MQTTAsync_successData5 *data) {
    answered(context, data->alt.sub.reasonCodeCount == 1 ? (int)data->reasonCode : NOT_ONE);
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

static edgeops_status make_requests(eop_mqtt_conn *conn) {
    const eop_mqtt_config *config = conn->config;
    conn->requests = eop_calloc(config->topic_count, sizeof(*conn->requests));
    conn->granted = eop_calloc(config->topic_count, sizeof(*conn->granted));
    if (conn->requests == NULL || conn->granted == NULL) {
        return eop_fail_nomem("mqtt");
    }
    conn->granted_count = config->topic_count;
    for (size_t i = 0; i < config->topic_count; i++) {
        const eop_mqtt_topic *topic = &config->topics[i];
        conn->granted[i] = (eop_mqtt_granted){
            .filter = topic->filter,
            .asked = (uint8_t)(topic->qos == 2 && !config->v5 ? 1 : topic->qos),
            .shared_unsure = !config->v5 && is_shared(topic->filter),
        };
        conn->requests[i] = (eop_mqtt_request){conn, &conn->granted[i]};
    }
    return EDGEOPS_OK;
}

static edgeops_status request(eop_mqtt_conn *conn, eop_mqtt_request *r) {
    const eop_mqtt_config *config = conn->config;
    MQTTAsync_responseOptions response = MQTTAsync_responseOptions_initializer;
    MQTTSubscribe_options options = MQTTSubscribe_options_initializer;
    if (config->v5) {
        /* At each reconnect: what changed while this side was away may be there only. The host
         * knows what it has taken before. */
        options.retainHandling = 0;
        response.subscribeOptions = options;
        response.onSuccess5 = on_subscribed5;
        response.onFailure5 = on_not_subscribed5;
    } else {
        response.onSuccess = on_subscribed;
        response.onFailure = on_not_subscribed;
    }
    response.context = r;
    int code = MQTTAsync_subscribe(conn->handle, r->answer->filter, r->answer->asked, &response);
    if (code != MQTTASYNC_SUCCESS) {
        return eop_fail(EDGEOPS_E_CLOSED, "mqtt", "connection to %s:%u lost while subscribing (%d)",
                        config->host, (unsigned)config->port, code);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_mqtt_conn_subscribe(eop_mqtt_conn *conn) {
    edgeops_status status = check_filters(conn);
    if (status == EDGEOPS_OK) {
        status = make_requests(conn);
    }
    if (status < 0) {
        return status;
    }
    pthread_mutex_lock(&conn->mutex);
    conn->unanswered = conn->granted_count;
    pthread_mutex_unlock(&conn->mutex);
    for (size_t i = 0; status == EDGEOPS_OK && i < conn->granted_count; i++) {
        status = request(conn, &conn->requests[i]);
    }
    return status;
}

/* A broker that does not tell its packet ids from ours (mochi) refuses a request whose id one of
 * its own messages has, 3.1.1 without a reason: only where it had kept messages for us. */
static bool may_be_the_id(const eop_mqtt_conn *conn, const eop_mqtt_granted *answer) {
    return answer->refused == MQTTREASONCODE_PACKET_IDENTIFIER_IN_USE ||
           (answer->refused != 0 && !conn->config->v5 && conn->announced.session_present);
}

edgeops_status eop_mqtt_conn_subscribe_again(eop_mqtt_conn *conn) {
    edgeops_status status = EDGEOPS_OK;
    size_t n = 0;
    for (size_t i = 0; i < conn->granted_count; i++) {
        n += may_be_the_id(conn, &conn->granted[i]);
    }
    if (n == 0) {
        return EDGEOPS_DONE;
    }
    pthread_mutex_lock(&conn->mutex);
    bool up = conn->phase == EOP_MQTT_SUBSCRIBED;
    if (up) {
        conn->phase = EOP_MQTT_CONNECTED;
        conn->unanswered = n;
        conn->refused -= n;
        conn->first_refused = NULL;
    }
    for (size_t i = 0; i < conn->granted_count && conn->first_refused == NULL; i++) {
        const eop_mqtt_granted *answer = &conn->granted[i];
        conn->first_refused = answer->refused != 0 && !may_be_the_id(conn, answer) ? answer : NULL;
    }
    pthread_mutex_unlock(&conn->mutex);
    for (size_t i = 0; up && n > 0 && status == EDGEOPS_OK; i++) {
        if (may_be_the_id(conn, conn->requests[i].answer)) {
            n--;
            status = request(conn, &conn->requests[i]);
        }
    }
    return status;
}
