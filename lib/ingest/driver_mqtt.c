/* SPDX-License-Identifier: Apache-2.0 */
/* The driver `mqtt`: one subscribing link to a broker, whose messages go to the host inside Paho's
 * callback, so that they are durable before they are acknowledged. It owns the messages that came
 * when there was no room. */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"
#include "edgeops/context.h"
#include "ingest/drivers.h"
#include "ingest/label_reader.h"
#include "ingest/mqtt_link.h"
#include "ingest/mqtt_release.h"
#include "ingest/mqtt_view.h"

/* PUBACK cannot be withheld (mqtt_conn.h). The host stops this driver before the disk is full, so
 * that the broker queues; but a message that arrives when the room has just run out is acknowledged
 * before we know. Such messages wait here, in order, with the link cut, until there is room again:
 * only a full disk and the death of the process together lose them. */
#define MAX_HELD       20000
#define MAX_HELD_BYTES (64u * 1024 * 1024)

typedef struct held {
    struct held *next;
    edgeops_time arrived;
    size_t size;
    bool retained;
    const char *topic; /* behind the payload */
    char payload[];
} held;

/* Paho's thread touches the held messages while the link lives, the host's thread otherwise:
 * starting and stopping the link separates the two. */
typedef struct mqtt {
    const edgeops_hld_host *host;
    eop_mqtt_config *config;
    eop_mqtt_view *view;
    eop_mqtt_link *link;
    held *first;
    held **last;
    size_t held_count;
    size_t held_bytes;
    atomic_bool fresh;  /* never had a link: what comes is of another one's session */
    bool dropped;       /* the link's thread: such a session was there */
    bool strays_logged; /* Paho's thread */
    size_t matched;     /* Paho's thread: the filter that had the last topic */
} mqtt;

static bool is_full(edgeops_status status) {
    return status == EDGEOPS_E_LIMIT || status == EDGEOPS_E_IO || status == EDGEOPS_E_NOMEM;
}

static void hold(mqtt *m, const char *topic, const void *payload, size_t size, bool retained,
                 edgeops_time arrived) {
    size_t topic_size = strlen(topic) + 1;
    held *h = NULL;
    if (m->held_count < MAX_HELD && m->held_bytes + size <= MAX_HELD_BYTES) {
        h = eop_alloc(sizeof(*h) + size + topic_size);
    }
    if (h == NULL) {
        m->host->lost(m->host->self, 1,
                      "there is no room on disk, and no more in memory for those that wait");
        return;
    }
    memcpy(h->payload, payload, size);
    memcpy(h->payload + size, topic, topic_size);
    h->topic = h->payload + size;
    h->size = size;
    h->arrived = arrived;
    h->retained = retained;
    h->next = NULL;
    *m->last = h;
    m->last = &h->next;
    m->held_count++;
    m->held_bytes += size;
}

static edgeops_status hand(const mqtt *m, const char *topic, const void *payload, size_t size,
                           bool retained, edgeops_time arrived) {
    const edgeops_hld_host *host = m->host;
    return retained ? host->kept(host->self, topic, payload, size, arrived)
                    : host->message(host->self, topic, payload, size, arrived);
}

/* Hands the held messages to the host until it takes no more. */
static edgeops_status hand_over(mqtt *m) {
    while (m->first != NULL) {
        held *h = m->first;
        edgeops_status status = hand(m, h->topic, h->payload, h->size, h->retained, h->arrived);
        if (is_full(status) || status == EDGEOPS_E_CLOSED) {
            return status;
        }
        m->first = h->next;
        m->held_count--;
        m->held_bytes -= h->size;
        eop_free(h);
    }
    m->last = &m->first;
    return EDGEOPS_OK;
}

/* Brokers have prefixes of their own beside $share, such as $queue/FILTER and $exclusive/FILTER. */
static bool has_topic(const char *filter, const char *topic) {
    const char *rest =
        filter[0] == '$' && strncmp(filter, "$share/", 7) != 0 ? strchr(filter, '/') : NULL;
    return eop_topic_matches(filter, topic) || (rest != NULL && eop_topic_matches(rest + 1, topic));
}

static bool is_asked_for(mqtt *m, const char *topic) {
    const eop_mqtt_config *config = m->config;
    for (size_t i = 0; i < config->topic_count; i++) {
        size_t at = (m->matched + i) % config->topic_count;
        if (has_topic(config->topics[at].filter, topic)) {
            m->matched = at;
            return true;
        }
    }
    return false;
}

/* A session that the broker kept may have subscriptions of a configuration that is gone. */
static void tell_stray(mqtt *m, const char *topic, const void *payload, size_t size) {
    if (!m->strays_logged) {
        char text[200];
        m->strays_logged = true;
        snprintf(text, sizeof(text), "takes no messages of '%.100s': none of its filters has it",
                 topic);
        m->host->log(m->host->self, EDGEOPS_LOG_WARN, text);
    }
    m->host->stray(m->host->self, topic, payload, size, m->host->now(m->host->self),
                   "none of the source's topic filters has this topic: the broker kept another "
                   "subscription of this client id");
}

static void on_message(const char *topic, const void *payload, size_t size, bool retained,
                       void *user_data) {
    mqtt *m = user_data;
    eop_mqtt_release(size);
    if (atomic_load(&m->fresh)) {
        return;
    }
    if (!is_asked_for(m, topic)) {
        tell_stray(m, topic, payload, size);
        return;
    }
    eop_mqtt_view_message(m->view, topic, eop_monotonic());
    if (retained && !m->config->take_retained) {
        return;
    }
    edgeops_time now = m->host->now(m->host->self);
    /* One that is too large needs no room: the host refuses it at once, and says why. */
    if (m->first != NULL && size <= m->config->max_payload) {
        hold(m, topic, payload, size, retained, now);
        return;
    }
    if (is_full(hand(m, topic, payload, size, retained, now))) {
        hold(m, topic, payload, size, retained, now);
        eop_mqtt_link_hang_up(m->link);
    }
}

/* The first link of a source: the broker may have a session that one of the same client id left,
 * with messages of its filters. */
static edgeops_status on_session(bool resumed, void *user_data) {
    mqtt *m = user_data;
    const edgeops_hld_host *host = m->host;
    if (!atomic_load(&m->fresh)) {
        return EDGEOPS_OK;
    }
    if (resumed && !m->dropped) {
        char text[320];
        m->dropped = true;
        snprintf(text, sizeof(text),
                 "the broker has a session of client id '%.200s' that is not of this source: it is "
                 "dropped, with the messages in it",
                 m->config->client_id != NULL ? m->config->client_id : "");
        host->log(host->self, EDGEOPS_LOG_WARN, text);
        return EDGEOPS_DONE;
    }
    edgeops_status status = host->begun(host->self);
    if (status == EDGEOPS_OK) {
        atomic_store(&m->fresh, false);
    }
    return status == EDGEOPS_OK
               ? status
               : eop_fail(EDGEOPS_E_IO, "mqtt", "cannot note that the link was made: %s",
                          edgeops_error_last()->message);
}

static void on_state(edgeops_status reason, const char *detail, uint64_t generation,
                     const eop_mqtt_terms *terms, void *user_data) {
    mqtt *m = user_data;
    (void)generation;
    if (terms != NULL) {
        eop_mqtt_view_up(m->view, terms, eop_monotonic());
    } else {
        eop_mqtt_view_down(m->view, detail, eop_monotonic());
    }
    m->host->state(m->host->self, reason, detail);
}

static void mqtt_close(void *state) {
    mqtt *m = state;
    if (m == NULL) {
        return;
    }
    if (m->held_count > 0) {
        char text[120];
        snprintf(text, sizeof(text), "%zu messages that waited for room on disk are lost",
                 m->held_count);
        m->host->log(m->host->self, EDGEOPS_LOG_ERROR, text);
    }
    while (m->first != NULL) {
        held *next = m->first->next;
        eop_free(m->first);
        m->first = next;
    }
    eop_mqtt_view_free(m->view);
    eop_mqtt_config_unref(m->config);
    eop_free(m);
}

static edgeops_status mqtt_open(void **state, const edgeops_hld_host *host,
                                const char *config_json) {
    *state = NULL;
    mqtt *m = eop_calloc(1, sizeof(*m));
    if (m == NULL) {
        return eop_fail_nomem("mqtt");
    }
    m->host = host;
    m->last = &m->first;
    edgeops_status status = eop_mqtt_config_new(&m->config, config_json, false);
    if (status == EDGEOPS_OK && (m->view = eop_mqtt_view_new(m->config)) == NULL) {
        status = eop_fail_nomem("mqtt");
    }
    if (status < 0) {
        mqtt_close(m);
        return status;
    }
    *state = m;
    return EDGEOPS_OK;
}

static edgeops_status mqtt_start(void *state) {
    static const eop_mqtt_conn_handler handler = {.on_message = on_message};
    mqtt *m = state;
    if (m->link != NULL) {
        return EDGEOPS_OK;
    }
    atomic_store(&m->fresh, m->host->fresh(m->host->self) != 0);
    m->dropped = false;
    edgeops_status status = hand_over(m);
    if (status < 0) {
        return status;
    }
    eop_mqtt_link_options options = {
        .config = m->config,
        .client_id_suffix = "",
        .handler = &handler,
        .on_state = on_state,
        .on_session = on_session,
        .user_data = m,
    };
    return eop_mqtt_link_start(&m->link, &options);
}

static void mqtt_stop(void *state) {
    mqtt *m = state;
    eop_mqtt_link_stop(m->link);
    m->link = NULL;
    eop_mqtt_view_down(m->view, NULL, eop_monotonic());
    (void)hand_over(m);
}

static void mqtt_forget(void *state) {
    mqtt *m = state;
    const eop_mqtt_config *config = m->config;
    if (config->v5 ? config->session_expiry_s > 0 && !config->clean_session
                   : !config->clean_session) {
        eop_mqtt_forget(m->config);
    }
}

static void mqtt_describe(void *state, void (*put)(void *user_data, const char *json),
                          void *user_data) {
    const mqtt *m = state;
    eop_json *json = eop_mqtt_view_json(m->view, eop_monotonic());
    char *text = eop_json_print(json);
    if (text != NULL) {
        put(user_data, text);
    }
    eop_free(text);
    eop_json_free(json);
}

const edgeops_hld_driver eop_driver_mqtt = {
    .struct_size = sizeof(edgeops_hld_driver),
    .abi_minor = EDGEOPS_HLD_ABI_MINOR,
    .name = "mqtt",
    .version = "1.0.0",
    .summary = "Subscribes to topics of an MQTT 3.1.1 or 5 broker",
    .config_schema_json = eop_mqtt_schema,
    .open = mqtt_open,
    .start = mqtt_start,
    .stop = mqtt_stop,
    .close = mqtt_close,
    .forget = mqtt_forget,
    .describe = mqtt_describe,
};
