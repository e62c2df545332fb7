/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one connection: makes a Paho handle, connects, subscribes, waits, and ends it. The
 * callbacks run on Paho's threads and only move `phase` under the connection's mutex, on which the
 * link's thread waits. The rules of Paho that this relies on are in mqtt_conn.h. */
#include "ingest/mqtt_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <MQTTAsync.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "ingest/mqtt_anchor.h"
#include "ingest/mqtt_explain.h"
#include "ingest/mqtt_private.h"

#define AGAIN_FOR         (2 * EDGEOPS_SECOND)
#define AGAIN_EVERY       (50 * EDGEOPS_MILLISECOND)
#define REPLY_TIMEOUT     (15 * EDGEOPS_SECOND)
#define DRAIN_TIMEOUT     (EDGEOPS_SECOND / 2)
#define CLOSE_TIMEOUT     (5 * EDGEOPS_SECOND)
#define MAX_PASSWORD_FILE 65536

static unsigned left_handles;

unsigned eop_mqtt_conn_left(void) {
    return __atomic_load_n(&left_handles, __ATOMIC_RELAXED);
}

/* -- connecting -- */

static bool wants_clean_session(const eop_mqtt_conn *conn) {
    return conn->clear || (!conn->publisher && conn->config->clean_session);
}

/* Paho gives up after 2.5 times this: 1.5 times the keep-alive, as a broker does. */
static uint16_t ping_interval(uint16_t keep_alive_s) {
    return keep_alive_s * 3 / 5 > 0 ? (uint16_t)(keep_alive_s * 3 / 5) : 1;
}

static void connected(eop_mqtt_conn *conn) {
    conn->ping_s = ping_interval(conn->announced.keep_alive_s);
    pthread_mutex_lock(&conn->mutex);
    if (conn->phase == EOP_MQTT_OPENING) {
        conn->phase = EOP_MQTT_CONNECTED;
        pthread_cond_broadcast(&conn->cond);
    }
    pthread_mutex_unlock(&conn->mutex);
}

static void on_connected(void *context, MQTTAsync_successData *data) {
    eop_mqtt_conn *conn = context;
    conn->announced.session_present = data->alt.connect.sessionPresent != 0;
    connected(conn);
}

static void on_connected5(void *context, MQTTAsync_successData5 *data) {
    eop_mqtt_conn *conn = context;
    conn->announced.session_present = data->alt.connect.sessionPresent != 0;
    char why[EOP_MQTT_REASON_SIZE];
    if (eop_mqtt_terms_take(&conn->announced, &data->properties, why, sizeof(why))) {
        connected(conn);
    } else {
        eop_mqtt_conn_end(conn, EOP_MQTT_BROKEN, 0, why);
    }
}

static void on_failed(void *context, MQTTAsync_failureData *data) {
    eop_mqtt_conn_end(context, EOP_MQTT_FAILED, data->code, data->message);
}

static void on_failed5(void *context, MQTTAsync_failureData5 *data) {
    int code =
        data->reasonCode >= MQTTREASONCODE_UNSPECIFIED_ERROR ? (int)data->reasonCode : data->code;
    eop_mqtt_conn_end(context, EOP_MQTT_FAILED, code, data->message);
}

static void on_lost(void *context, char *cause) {
    (void)cause;
    eop_mqtt_conn_end(context, EOP_MQTT_LOST, 0, NULL);
}

/* Why a connection that was up has ended: called right after on_lost, see set_watch(). Paho itself
 * closes it when a ping is not answered, and otherwise when the socket has an error. */
static void note_end(eop_mqtt_conn *conn, const char *message) {
    char text[EOP_MQTT_REASON_SIZE] = "the broker closed it and gave no reason";
    if (message != NULL && strcmp(message, "MQTTProtocol_closeSession") == 0) {
        snprintf(text, sizeof(text), EOP_MQTT_SILENT "%d s", conn->ping_s * 3 / 2);
    }
    pthread_mutex_lock(&conn->mutex);
    if (conn->phase == EOP_MQTT_LOST && conn->reason[0] == '\0') {
        memcpy(conn->reason, text, sizeof(text));
    }
    pthread_mutex_unlock(&conn->mutex);
}

static void on_ended(void *context, MQTTAsync_failureData *data) {
    note_end(context, data->message);
}

static void on_ended5(void *context, MQTTAsync_failureData5 *data) {
    note_end(context, data->message);
}

/* Paho takes its pace of pings from what CONNECT asks for, whatever CONNACK says, and tells why a
 * connection ended to the attempt's onFailure only, which it clears on success. To connect a handle
 * that is connected sets both again and does nothing else, here on Paho's thread, after the
 * clearing. Should the connection break before Paho looks at that request, Paho connects once more,
 * without credentials, until the link closes the handle. */
static void set_watch(void *context, char *cause) {
    eop_mqtt_conn *conn = context;
    MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions connect5 = MQTTAsync_connectOptions_initializer5;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    (void)cause;
    if (conn->config->v5) {
        connect = connect5;
        connect.onFailure5 = on_ended5;
    } else {
        connect.MQTTVersion = MQTTVERSION_3_1_1;
        connect.cleansession = wants_clean_session(conn);
        connect.onFailure = on_ended;
    }
    connect.context = conn;
    connect.keepAliveInterval = conn->ping_s;
    connect.ssl = conn->config->tls ? &tls : NULL;
    (void)MQTTAsync_connect(conn->handle, &connect);
}

/* MQTT 5: the broker says why it hangs up. Paho closes the socket and says nothing more: this is
 * the end of the link. */
static void on_disconnected(void *context, MQTTProperties *properties,
                            enum MQTTReasonCodes reason) {
    char words[EOP_MQTT_REASON_SIZE - 32];
    char text[EOP_MQTT_REASON_SIZE];
    const MQTTProperty *said =
        MQTTProperties_getProperty(properties, MQTTPROPERTY_CODE_REASON_STRING);
    eop_mqtt_reason(words, sizeof(words), (int)reason, said != NULL ? said->value.data.data : NULL,
                    said != NULL ? (size_t)said->value.data.len : 0);
    snprintf(text, sizeof(text), EOP_MQTT_ENDED "%s", words);
    eop_mqtt_conn_end(context, EOP_MQTT_LOST, (int)reason, text);
}

static int on_tls_error(const char *text, size_t size, void *context) {
    eop_mqtt_conn *conn = context;
    pthread_mutex_lock(&conn->mutex);
    eop_mqtt_tls_reason(conn->tls, sizeof(conn->tls), text, size);
    pthread_mutex_unlock(&conn->mutex);
    return 1;
}

/* -- opening -- */

static edgeops_status check_file(const char *key, const char *path) {
    if (path == NULL || access(path, R_OK) == 0) {
        return EDGEOPS_OK;
    }
    return eop_fail_errno(errno, "mqtt", "%s: cannot read '%s'", key, path);
}

static edgeops_status read_password(char **out, const eop_mqtt_config *config) {
    size_t size = 0;
    if (config->password_file == NULL) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_file_read(out, &size, config->password_file, MAX_PASSWORD_FILE);
    if (status < 0) {
        return status;
    }
    while (size > 0 && ((*out)[size - 1] == '\n' || (*out)[size - 1] == '\r')) {
        (*out)[--size] = '\0';
    }
    return EDGEOPS_OK;
}

static char *make_uri(const eop_mqtt_config *config, const char *address) {
    /* With TLS Paho checks the certificate against the host of this URI, so it must be the name. */
    const char *host = config->tls || address == NULL ? config->host : address;
    bool v6 = strchr(host, ':') != NULL;
    return eop_format("%s://%s%s%s:%u", config->tls ? "ssl" : "tcp", v6 ? "[" : "", host,
                      v6 ? "]" : "", (unsigned)config->port);
}

static edgeops_status make_handle(eop_mqtt_conn *conn, const eop_mqtt_conn_options *options) {
    const eop_mqtt_config *config = conn->config;
    edgeops_status status = EDGEOPS_OK;
    MQTTAsync_createOptions create = MQTTAsync_createOptions_initializer;
    char *uri = make_uri(config, options->address);
    char *id = options->client_id != NULL
                   ? eop_strdup(options->client_id)
                   : eop_format("%s%s", config->client_id != NULL ? config->client_id : "edgeops",
                                options->client_id_suffix);
    if (uri == NULL || id == NULL) {
        status = eop_fail_nomem("mqtt");
        goto out;
    }
    snprintf(conn->client_id, sizeof(conn->client_id), "%s", id);
    create.MQTTVersion = config->v5 ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    create.sendWhileDisconnected = 0;
    create.maxBufferedMessages = (int)options->in_flight + 16;
    bool early = !config->v5 && !conn->publisher;
    if (early) {
        eop_mqtt_conn_take_early(conn);
    }
    eop_fd_fill_stdio(); /* no printf() of the host into the broker's socket */
    int code = MQTTAsync_createWithOptions(
        &conn->handle, uri, id, early ? MQTTCLIENT_PERSISTENCE_USER : MQTTCLIENT_PERSISTENCE_NONE,
        early ? &conn->early : NULL, &create);
    if (code != MQTTASYNC_SUCCESS) {
        status = code == EOP_PAHO_NO_MEMORY
                     ? eop_fail_nomem("mqtt")
                     : eop_fail(EDGEOPS_E_INVALID, "mqtt", "client for %s cannot be made (%d)", uri,
                                code);
        goto out;
    }
    MQTTAsync_setCallbacks(conn->handle, conn, on_lost, eop_mqtt_conn_arrived, NULL);
    MQTTAsync_setConnected(conn->handle, conn, set_watch);
    if (config->v5) {
        MQTTAsync_setDisconnected(conn->handle, conn, on_disconnected);
    }
out:
    eop_free(uri);
    eop_free(id);
    return status;
}

static void add_property(MQTTProperties *properties, enum MQTTPropertyCodes code, uint32_t value) {
    MQTTProperty property;
    memset(&property, 0, sizeof(property));
    property.identifier = code;
    property.value.integer4 = value;
    MQTTProperties_add(properties, &property);
}

/* See the head of mqtt_conn.h for why a publisher's session is never "clean" in Paho's eyes. */
static void set_session(const eop_mqtt_conn *conn, MQTTAsync_connectOptions *connect,
                        MQTTProperties *properties) {
    const eop_mqtt_config *config = conn->config;
    if (!config->v5) {
        connect->MQTTVersion = MQTTVERSION_3_1_1;
        connect->cleansession = wants_clean_session(conn);
        return;
    }
    connect->cleanstart = conn->publisher || conn->clear || config->clean_session;
    uint32_t expiry = config->session_expiry_s;
    if (conn->clear || config->clean_session) {
        expiry = 0;
    }
    if (conn->publisher) {
        expiry = 1;
    }
    add_property(properties, MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL, expiry);
    if (!conn->publisher && !conn->clear) {
        add_property(properties, MQTTPROPERTY_CODE_MAXIMUM_PACKET_SIZE, config->max_packet);
    }
    connect->connectProperties = properties;
}

static edgeops_status begin_connect(eop_mqtt_conn *conn, const char *password) {
    const eop_mqtt_config *config = conn->config;
    MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
    MQTTAsync_connectOptions connect5 = MQTTAsync_connectOptions_initializer5;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTAsync_SSLOptions tls = MQTTAsync_SSLOptions_initializer;
    MQTTAsync_willOptions will = MQTTAsync_willOptions_initializer;
    if (config->v5) {
        connect = connect5;
        connect.onSuccess5 = on_connected5;
        connect.onFailure5 = on_failed5;
    } else {
        connect.onSuccess = on_connected;
        connect.onFailure = on_failed;
    }
    connect.context = conn;
    set_session(conn, &connect, &properties);
    connect.keepAliveInterval = config->keep_alive_s;
    connect.connectTimeout = EOP_MQTT_CONNECT_TIMEOUT_S;
    connect.automaticReconnect = 0;
    connect.username = config->user;
    connect.password = password != NULL ? password : config->password;
    if (config->tls) {
        tls.trustStore = config->ca;
        tls.keyStore = config->cert;
        tls.privateKey = config->key != NULL ? config->key : config->cert;
        tls.privateKeyPassword = config->key_password;
        tls.enableServerCertAuth = config->verify;
        tls.verify = config->verify;
        tls.sslVersion = MQTT_SSL_VERSION_DEFAULT;
        tls.ssl_error_cb = on_tls_error;
        tls.ssl_error_context = conn;
        connect.ssl = &tls;
    }
    if (config->will_topic != NULL && !conn->clear) {
        const char *payload = config->will_payload != NULL ? config->will_payload : "";
        will.topicName = config->will_topic;
        will.message = payload;
        will.qos = config->will_qos;
        will.retained = config->will_retain;
        connect.will = &will;
    }
    int code = MQTTAsync_connect(conn->handle, &connect);
    MQTTProperties_free(&properties);
    if (code != MQTTASYNC_SUCCESS) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt", "the connection's options are refused (%d)",
                        code);
    }
    return EDGEOPS_OK;
}

static edgeops_status init_locks(eop_mqtt_conn *conn) {
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&conn->mutex, NULL) != 0) {
        return eop_fail_nomem("mqtt");
    }
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    int code = pthread_cond_init(&conn->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    if (code != 0) {
        pthread_mutex_destroy(&conn->mutex);
        return eop_fail_nomem("mqtt");
    }
    return EDGEOPS_OK;
}

static void conn_free(eop_mqtt_conn *conn) {
    pthread_cond_destroy(&conn->cond);
    pthread_mutex_destroy(&conn->mutex);
    eop_mqtt_config_unref(conn->config);
    eop_free(conn->slots);
    eop_free(conn->requests);
    eop_free(conn->granted);
    eop_free(conn->taken);
    eop_free(conn);
}

edgeops_status eop_mqtt_conn_open(eop_mqtt_conn **out, const eop_mqtt_conn_options *options) {
    edgeops_status status = EDGEOPS_OK;
    char *password = NULL;
    *out = NULL;
    eop_mqtt_anchor_make();
    eop_mqtt_conn *conn = eop_calloc(1, sizeof(*conn));
    if (conn == NULL) {
        return eop_fail_nomem("mqtt");
    }
    if ((status = init_locks(conn)) < 0) {
        eop_free(conn);
        return status;
    }
    conn->config = eop_mqtt_config_ref(options->config);
    conn->handler = options->handler;
    conn->on_session = options->on_session;
    conn->user_data = options->user_data;
    conn->publisher = options->publisher;
    conn->clear = options->clear;
    eop_mqtt_terms_default(&conn->announced, conn->config);
    conn->patience = options->patience > 0 ? options->patience : REPLY_TIMEOUT;
    if (options->in_flight > 0) {
        conn->slots = eop_calloc(options->in_flight, sizeof(*conn->slots));
        if (conn->slots == NULL) {
            status = eop_fail_nomem("mqtt");
            goto out;
        }
    }
    for (uint32_t i = 0; i < options->in_flight; i++) {
        conn->slots[i].conn = conn;
        conn->slots[i].next = conn->free_slots;
        conn->free_slots = &conn->slots[i];
    }
    if ((status = check_file("tls/ca", conn->config->ca)) < 0 ||
        (status = check_file("tls/cert", conn->config->cert)) < 0 ||
        (status = check_file("tls/key", conn->config->key)) < 0 ||
        (status = read_password(&password, conn->config)) < 0 ||
        (status = make_handle(conn, options)) < 0 || (status = begin_connect(conn, password)) < 0) {
        goto out;
    }
    *out = conn;
    conn = NULL;
out:
    if (password != NULL) {
        explicit_bzero(password, strlen(password));
        eop_free(password);
    }
    if (conn != NULL) {
        if (conn->handle != NULL) {
            MQTTAsync_destroy(&conn->handle);
        }
        conn_free(conn);
    }
    return status;
}

/* -- waiting -- */

/* Turns what Paho knows about a failed attempt into a line for the operator. */
static edgeops_status explain_failure(eop_mqtt_conn *conn) {
    char reason[EOP_MQTT_REASON_SIZE];
    char tls[EOP_MQTT_REASON_SIZE];
    pthread_mutex_lock(&conn->mutex);
    int code = conn->code;
    memcpy(reason, conn->reason, sizeof(reason));
    memcpy(tls, conn->tls, sizeof(tls));
    pthread_mutex_unlock(&conn->mutex);
    return eop_mqtt_explain(conn->config, code, reason, tls);
}

static edgeops_status explain_loss(eop_mqtt_conn *conn) {
    char reason[EOP_MQTT_REASON_SIZE];
    const char *host = conn->config->host;
    unsigned port = conn->config->port;
    pthread_mutex_lock(&conn->mutex);
    memcpy(reason, conn->reason, sizeof(reason));
    int code = conn->code;
    bool broken = conn->phase == EOP_MQTT_BROKEN;
    pthread_mutex_unlock(&conn->mutex);
    if (broken) {
        return eop_fail(EDGEOPS_E_PROTOCOL, "mqtt", "connection to %s:%u ended: %s", host, port,
                        reason);
    }
    if (code == MQTTREASONCODE_SESSION_TAKEN_OVER) {
        return eop_fail(EDGEOPS_E_CLOSED, "mqtt",
                        "connection to %s:%u lost: another client uses the client id '%s'; set "
                        "client_id, or end the other (%s)",
                        host, port, conn->client_id, reason);
    }
    return eop_fail(EDGEOPS_E_CLOSED, "mqtt", "connection to %s:%u lost%s%s", host, port,
                    reason[0] != '\0' ? ": " : "", reason);
}

/* Until all filters are answered; what was refused for its packet id is asked for again as the
 * broker's own messages, which have the ids, become fewer. */
static edgeops_status subscribe(eop_mqtt_conn *conn, eop_mqtt_phase *next) {
    edgeops_duration begun = eop_monotonic();
    edgeops_status status = eop_mqtt_conn_subscribe(conn);
    while (status == EDGEOPS_OK) {
        status = eop_mqtt_conn_wait_phase(conn, EOP_MQTT_CONNECTED, begun + REPLY_TIMEOUT, next);
        if (status == EDGEOPS_E_TIMEOUT) {
            return eop_fail(status, "mqtt", "the broker %s:%u has not answered SUBSCRIBE for %d s",
                            conn->config->host, (unsigned)conn->config->port,
                            (int)((eop_monotonic() - begun) / EDGEOPS_SECOND));
        }
        if (status < 0 || *next != EOP_MQTT_SUBSCRIBED || conn->refused == 0 ||
            eop_monotonic() >= begun + AGAIN_FOR) {
            return status;
        }
        status = eop_mqtt_conn_wait_phase(conn, EOP_MQTT_SUBSCRIBED, eop_monotonic() + AGAIN_EVERY,
                                          next);
        if (status == EDGEOPS_E_TIMEOUT) {
            *next = EOP_MQTT_SUBSCRIBED;
            status = eop_mqtt_conn_subscribe_again(conn);
        }
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status wait_subscribed(eop_mqtt_conn *conn, char *detail, size_t size) {
    const eop_mqtt_config *config = conn->config;
    eop_mqtt_phase next = EOP_MQTT_CONNECTED;
    edgeops_status status = subscribe(conn, &next);
    if (status < 0) {
        return status;
    }
    if (next != EOP_MQTT_SUBSCRIBED) {
        return explain_loss(conn);
    }
    if (conn->refused == config->topic_count) {
        char words[64];
        eop_mqtt_reason(words, sizeof(words), conn->first_refused->refused, NULL, 0);
        return eop_fail(EDGEOPS_E_DENIED, "mqtt",
                        "the broker %s:%u does not allow to subscribe to '%s'%s%s; check its "
                        "access list",
                        config->host, (unsigned)config->port, conn->first_refused->filter,
                        config->v5 ? ": " : "", config->v5 ? words : "");
    }
    if (conn->refused > 0) {
        size_t used = strlen(detail);
        snprintf(detail + used, size - used, "; it refuses %zu of %zu filters, first '%s'",
                 conn->refused, config->topic_count, conn->first_refused->filter);
    }
    return EDGEOPS_OK;
}

edgeops_status eop_mqtt_conn_wait_up(eop_mqtt_conn *conn, char *detail, size_t size) {
    eop_mqtt_phase next = EOP_MQTT_OPENING;
    edgeops_status status =
        eop_mqtt_conn_wait_phase(conn, EOP_MQTT_OPENING, eop_monotonic() + conn->patience, &next);
    if (status < 0) {
        return status;
    }
    if (next == EOP_MQTT_FAILED) {
        return explain_failure(conn);
    }
    if (next != EOP_MQTT_CONNECTED) {
        return explain_loss(conn);
    }
    eop_mqtt_anchor_pace();
    snprintf(detail, size, "connected to %s:%u%s", conn->config->host, (unsigned)conn->config->port,
             conn->config->tls ? " (TLS)" : "");
    if (conn->publisher || conn->clear) {
        return EDGEOPS_OK;
    }
    status = conn->on_session != NULL
                 ? conn->on_session(conn->announced.session_present, conn->user_data)
                 : EDGEOPS_OK;
    return status == EDGEOPS_OK ? wait_subscribed(conn, detail, size) : status;
}

bool eop_mqtt_conn_taken_over(eop_mqtt_conn *conn) {
    pthread_mutex_lock(&conn->mutex);
    bool taken = conn->phase == EOP_MQTT_LOST && conn->code == MQTTREASONCODE_SESSION_TAKEN_OVER;
    pthread_mutex_unlock(&conn->mutex);
    return taken;
}

const eop_mqtt_announced *eop_mqtt_conn_announced(const eop_mqtt_conn *conn) {
    return &conn->announced;
}

const eop_mqtt_granted *eop_mqtt_conn_granted(const eop_mqtt_conn *conn, size_t *count) {
    *count = conn->granted_count;
    return conn->granted;
}

/* While a write does not complete, Paho neither pings nor looks whether pings are answered. */
static edgeops_status wait_publishing(eop_mqtt_conn *conn, eop_mqtt_phase *next) {
    edgeops_duration pause = conn->ping_s * EDGEOPS_SECOND / 2;
    edgeops_status status = EDGEOPS_E_TIMEOUT;
    while (status == EDGEOPS_E_TIMEOUT) {
        status = eop_mqtt_conn_wait_phase(conn, EOP_MQTT_CONNECTED, eop_monotonic() + pause, next);
        if (status == EDGEOPS_E_TIMEOUT && eop_mqtt_conn_stuck(conn)) {
            return eop_fail(EDGEOPS_E_CLOSED, "mqtt",
                            "connection to %s:%u lost: " EOP_MQTT_SILENT "%d s, and takes no more "
                            "data",
                            conn->config->host, (unsigned)conn->config->port, conn->ping_s * 5 / 2);
        }
    }
    return status;
}

edgeops_status eop_mqtt_conn_wait_down(eop_mqtt_conn *conn) {
    eop_mqtt_phase next = EOP_MQTT_OPENING;
    edgeops_status status = conn->publisher ? wait_publishing(conn, &next)
                                            : eop_mqtt_conn_wait_phase(conn, EOP_MQTT_SUBSCRIBED,
                                                                       EDGEOPS_FOREVER, &next);
    if (status < 0) {
        return status;
    }
    /* Takes Paho's mutex: whoever ended the connection has said why by then. */
    (void)MQTTAsync_isConnected(conn->handle);
    return explain_loss(conn);
}

void eop_mqtt_conn_interrupt(eop_mqtt_conn *conn) {
    pthread_mutex_lock(&conn->mutex);
    conn->interrupted = true;
    pthread_cond_broadcast(&conn->cond);
    pthread_mutex_unlock(&conn->mutex);
}

/* -- closing -- */

static void closed(eop_mqtt_conn *conn) {
    pthread_mutex_lock(&conn->mutex);
    conn->phase = EOP_MQTT_CLOSED;
    pthread_cond_broadcast(&conn->cond);
    pthread_mutex_unlock(&conn->mutex);
}

static void on_closed(void *context, MQTTAsync_successData *data) {
    (void)data;
    closed(context);
}

static void on_closed5(void *context, MQTTAsync_successData5 *data) {
    (void)data;
    closed(context);
}

static void disconnect(eop_mqtt_conn *conn) {
    MQTTAsync_disconnectOptions options = MQTTAsync_disconnectOptions_initializer;
    MQTTAsync_disconnectOptions options5 = MQTTAsync_disconnectOptions_initializer5;
    if (conn->config->v5) {
        options = options5;
        options.onSuccess5 = on_closed5;
    } else {
        options.onSuccess = on_closed;
    }
    options.context = conn;
    options.timeout = 0; /* the draining is done: Paho looks again only every three seconds */
    if (MQTTAsync_disconnect(conn->handle, &options) != MQTTASYNC_SUCCESS) {
        return;
    }
    edgeops_duration deadline = eop_monotonic() + CLOSE_TIMEOUT;
    pthread_mutex_lock(&conn->mutex);
    while (conn->phase == EOP_MQTT_CONNECTED || conn->phase == EOP_MQTT_SUBSCRIBED) {
        if (!eop_mqtt_conn_wait_until(conn, deadline)) {
            break;
        }
    }
    pthread_mutex_unlock(&conn->mutex);
}

void eop_mqtt_conn_close(eop_mqtt_conn *conn) {
    if (conn == NULL) {
        return;
    }
    edgeops_duration deadline = eop_monotonic() + DRAIN_TIMEOUT;
    pthread_mutex_lock(&conn->mutex);
    while (conn->phase == EOP_MQTT_CONNECTED && conn->pending > 0 &&
           eop_mqtt_conn_wait_until(conn, deadline)) {
    }
    bool linked = conn->phase == EOP_MQTT_CONNECTED || conn->phase == EOP_MQTT_SUBSCRIBED;
    pthread_mutex_unlock(&conn->mutex);
    if (linked) {
        disconnect(conn);
    }
    pthread_mutex_lock(&conn->mutex);
    /* Where Paho has closed the connection it sends nothing more that could still be poisoned. */
    bool over = conn->phase != EOP_MQTT_CONNECTED && conn->phase != EOP_MQTT_SUBSCRIBED;
    conn->phase = EOP_MQTT_CLOSED;
    while (conn->users > 0) {
        pthread_cond_wait(&conn->cond, &conn->mutex);
    }
    bool leave = conn->poisoned || (conn->pending > 0 && !over);
    conn->dead = true;
    pthread_mutex_unlock(&conn->mutex);
    if (leave) {
        __atomic_add_fetch(&left_handles, 1, __ATOMIC_RELAXED);
        return;
    }
    MQTTAsync_destroy(&conn->handle);
    conn_free(conn);
}
