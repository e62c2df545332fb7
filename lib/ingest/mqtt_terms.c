/* SPDX-License-Identifier: Apache-2.0 */
/* The terms of a connection: what CONNACK announces, and whether a message keeps to it. No state of
 * its own; the connection calls it on Paho's thread and on the sender's. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "ingest/mqtt_private.h"

void eop_mqtt_terms_default(eop_mqtt_announced *out, const eop_mqtt_config *config) {
    *out = (eop_mqtt_announced){
        .v5 = config->v5,
        .receive_maximum = UINT16_MAX,
        .maximum_qos = 2,
        .retain_available = true,
        .wildcard_available = true,
        .shared_available = true,
        .keep_alive_s = config->keep_alive_s,
        .session_expiry_s = config->clean_session ? 0 : config->session_expiry_s,
    };
    if (!config->v5) {
        out->session_expiry_s = config->clean_session ? 0 : UINT32_MAX;
    }
}

static void take_client_id(eop_mqtt_announced *out, const MQTTProperty *property) {
    const char *text = property->value.data.data;
    int size = property->value.data.len;
    /* One that does not fit cannot be used again: the next connection asks for another. */
    if (text != NULL && size > 0 && size < EOP_MQTT_MAX_CLIENT_ID) {
        memcpy(out->client_id, text, (size_t)size);
        out->client_id[size] = '\0';
    }
}

/* Brokers may leave a limit out, not set one with which nothing goes. A maximum QoS of 2 is forbidden,
 * too, but brokers that announce it are in use, and they mean what it says. */
static bool is_forbidden(char *why, size_t size, const MQTTProperty *p) {
    const char *limit = NULL;
    unsigned value = 0;
    if (p->identifier == MQTTPROPERTY_CODE_RECEIVE_MAXIMUM && p->value.integer2 == 0) {
        limit = "receive maximum";
    } else if (p->identifier == MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE && p->value.integer4 == 0) {
        limit = "maximum packet size";
    } else if (p->identifier == MQTTPROPERTY_CODE_MAXIMUM_QOS && p->value.byte > 2) {
        limit = "maximum QoS";
        value = p->value.byte;
    }
    if (limit != NULL) {
        snprintf(why, size, "the broker announces a %s of %u, which MQTT forbids", limit, value);
    }
    return limit != NULL;
}

bool eop_mqtt_terms_take(eop_mqtt_announced *out, const MQTTProperties *properties, char *why,
                         size_t size) {
    for (int i = 0; i < properties->count; i++) {
        const MQTTProperty *p = &properties->array[i];
        if (is_forbidden(why, size, p)) {
            return false;
        }
        switch (p->identifier) {
        case MQTTPROPERTY_CODE_RECEIVE_MAXIMUM:
            out->receive_maximum = p->value.integer2;
            break;
        case MQTTPROPERTY_CODE_MAXIMUM_QOS:
            out->maximum_qos = p->value.byte;
            break;
        case MQTTPROPERTY_CODE_RETAIN_AVAILABLE:
            out->retain_available = p->value.byte != 0;
            break;
        case MQTTPROPERTY_CODE_WILDCARD_SUBSCRIPTION_AVAILABLE:
            out->wildcard_available = p->value.byte != 0;
            break;
        case MQTTPROPERTY_CODE_SHARED_SUBSCRIPTION_AVAILABLE:
            out->shared_available = p->value.byte != 0;
            break;
        case MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE:
            out->maximum_packet = p->value.integer4;
            break;
        case MQTTPROPERTY_CODE_SERVER_KEEP_ALIVE:
            /* 0: it never gives up on a silent client. We go on asking whether it is there. */
            out->keep_alive_s = p->value.integer2 > 0 ? p->value.integer2 : out->keep_alive_s;
            break;
        case MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL:
            out->session_expiry_s = p->value.integer4;
            break;
        case MQTTPROPERTY_CODE_ASSIGNED_CLIENT_IDENTIFER:
            take_client_id(out, p);
            break;
        default:
            break;
        }
    }
    return true;
}

/* Fixed header, topic, packet identifier, the length of no properties, payload. */
static uint64_t publish_size(const edgeops_message *message) {
    uint64_t rest = 2 + strlen(message->topic) + (message->qos > 0 ? 2 : 0) + 1 + message->size;
    uint64_t size = 1 + rest;
    do {
        size++;
        rest >>= 7;
    } while (rest > 0);
    return size;
}

edgeops_status eop_mqtt_terms_check(const eop_mqtt_announced *announced,
                                    const edgeops_message *message) {
    if (message->qos > announced->maximum_qos) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "mqtt",
                        "the broker takes messages of at most QoS %u, this one has %u",
                        announced->maximum_qos, message->qos);
    }
    if (message->retain != 0 && !announced->retain_available) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "mqtt", "the broker takes no retained messages");
    }
    uint64_t size = publish_size(message);
    if (announced->maximum_packet > 0 && size > announced->maximum_packet) {
        return eop_fail(EDGEOPS_E_LIMIT, "mqtt",
                        "the message makes a packet of %llu bytes, the broker takes at most %u",
                        (unsigned long long)size, (unsigned)announced->maximum_packet);
    }
    return EDGEOPS_OK;
}
