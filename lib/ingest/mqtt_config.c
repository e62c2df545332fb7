/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a connection: URL, topics, TLS, will and times, checked against the schema
 * and read into a struct. Counted references, since a link's thread may outlive its owner; secrets
 * are wiped when the last one goes. */
#include "ingest/mqtt_config.h"

#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "codec/json.h"
#include "codec/schema.h"
#include "ingest/drivers.h"
#include "ingest/label_reader.h"

#define DEFAULT_KEEP_ALIVE_S     20
#define DEFAULT_SESSION_EXPIRY_S (7u * 86400u)
#define MAX_TEXT                 65535 /* of any string on the wire */
/* What a packet may have beside its payload: a topic, and as much again of properties. */
#define MAX_BESIDE (2u * 65536u)

const char eop_mqtt_schema[] =
    "{\"type\":\"object\","
    "\"additionalProperties\":false,\"required\":[\"url\"],\"properties\":{"
    "\"url\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":512,\"description\":"
    "\"broker: host, host:port, tcp://, mqtt://, ssl:// or mqtts://host[:port]; default ports 1883 "
    "and 8883\"},"
    "\"topics\":{\"type\":\"array\",\"minItems\":1,\"maxItems\":256,\"description\":"
    "\"filters to subscribe to; $share/GROUP/FILTER shares the load between nodes\","
    "\"items\":{\"anyOf\":[{\"type\":\"string\"},{\"type\":\"object\","
    "\"additionalProperties\":false,\"required\":[\"filter\"],\"properties\":{"
    "\"filter\":{\"type\":\"string\"},"
    "\"qos\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":2}}}]}},"
    "\"qos\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":2,\"default\":1,\"description\":"
    "\"of filters without their own; with version 3.1.1 a 2 is subscribed as 1: a crash then loses "
    "nothing\"},"
    "\"client_id\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,\"description\":"
    "\"of no other client, and always the same; default: from the source's name and the "
    "installation\"},"
    "\"version\":{\"enum\":[\"3.1.1\",\"5\"],\"default\":\"3.1.1\"},"
    "\"clean_session\":{\"type\":\"boolean\",\"default\":false,\"description\":"
    "\"true: the broker keeps nothing while there is no connection\"},"
    "\"session_expiry\":{\"type\":\"string\",\"default\":\"7d\",\"description\":"
    "\"version 5: how long the broker keeps messages for an absent node, a duration or 'never'\"},"
    "\"keep_alive\":{\"type\":\"string\",\"default\":\"20s\",\"description\":\"1s to 18h\"},"
    "\"user\":{\"type\":\"string\",\"maxLength\":65535},"
    "\"password\":{\"type\":\"string\",\"maxLength\":65535,\"writeOnly\":true},"
    "\"password_file\":{\"type\":\"string\",\"minLength\":1,\"description\":"
    "\"file that holds the password, read for each connection\"},"
    "\"tls\":{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{"
    "\"ca\":{\"type\":\"string\",\"minLength\":1,\"description\":"
    "\"PEM file of trusted certificates; default: the system's\"},"
    "\"cert\":{\"type\":\"string\",\"minLength\":1,\"description\":\"PEM file, client "
    "certificate\"},"
    "\"key\":{\"type\":\"string\",\"minLength\":1,\"description\":\"PEM file, private key\"},"
    "\"key_password\":{\"type\":\"string\",\"writeOnly\":true},"
    "\"verify\":{\"type\":\"boolean\",\"default\":true,\"description\":"
    "\"false: take any certificate, for tests only\"}}},"
    "\"will\":{\"type\":\"object\",\"additionalProperties\":false,\"required\":[\"topic\"],"
    "\"properties\":{\"topic\":{\"type\":\"string\"},\"payload\":{\"type\":\"string\",\"default\":"
    "\"\"},\"qos\":{\"type\":\"integer\",\"minimum\":0,\"maximum\":2,\"default\":1},"
    "\"retain\":{\"type\":\"boolean\",\"default\":false}},\"description\":"
    "\"what the broker publishes when the connection breaks\"},"
    "\"retained\":{\"enum\":[\"take\",\"ignore\"],\"default\":\"take\",\"description\":"
    "\"retained messages that come after subscribing; take: each once\"},"
    "\"max_payload\":{\"type\":\"string\",\"default\":\"1MiB\",\"description\":"
    "\"at most 1MiB; a larger message is a dead letter, or, with version 5, dropped by the "
    "broker\"},"
    "\"max_assets\":" EOP_MAX_ASSETS_SCHEMA ","
    "\"labels\":" EOP_LABELS_SCHEMA ","
    "\"payload\":{\"type\":\"object\",\"description\":\"what the messages hold\"}}}";

bool eop_mqtt_topic_valid(const char *topic) {
    size_t size = strlen(topic);
    return size > 0 && size <= MAX_TEXT && strpbrk(topic, "+#") == NULL &&
           eop_utf8_valid(topic, size) == size;
}

static bool plain_filter_valid(const char *filter) {
    if (*filter == '\0') {
        return false;
    }
    for (const char *p = filter; *p != '\0'; p++) {
        bool alone = (p == filter || p[-1] == '/');
        if (*p == '+' && (!alone || (p[1] != '\0' && p[1] != '/'))) {
            return false;
        }
        if (*p == '#' && (!alone || p[1] != '\0')) {
            return false;
        }
    }
    return true;
}

bool eop_mqtt_filter_valid(const char *filter) {
    size_t size = strlen(filter);
    if (size > MAX_TEXT || eop_utf8_valid(filter, size) != size) {
        return false;
    }
    static const char share[] = "$share/";
    if (strncmp(filter, share, sizeof(share) - 1) == 0) {
        const char *group = filter + sizeof(share) - 1;
        size_t length = strcspn(group, "/+#");
        return length > 0 && group[length] == '/' && plain_filter_valid(group + length + 1);
    }
    return plain_filter_valid(filter);
}

static edgeops_status bad_url(const char *url, const char *why) {
    return eop_fail(EDGEOPS_E_INVALID, "mqtt",
                    "url '%s': %s; write it as mqtt://host:1883 or mqtts://host:8883", url, why);
}

/* "host", "host:1883", "[::1]", "[::1]:1883" */
static edgeops_status split_address(const char *url, const char *text, size_t size,
                                    const char **host, size_t *host_size, const char **port,
                                    size_t *port_size) {
    *port = NULL;
    *port_size = 0;
    if (size > 0 && text[0] == '[') {
        const char *end = memchr(text, ']', size);
        if (end == NULL) {
            return bad_url(url, "']' is missing");
        }
        *host = text + 1;
        *host_size = (size_t)(end - text) - 1;
        size_t rest = size - (size_t)(end - text) - 1;
        if (rest > 0 && end[1] != ':') {
            return bad_url(url, "a ':' must follow the ']'");
        }
        if (rest > 0) {
            *port = end + 2;
            *port_size = rest - 1;
        }
        return EDGEOPS_OK;
    }
    const char *colon = memchr(text, ':', size);
    *host = text;
    *host_size = colon != NULL ? (size_t)(colon - text) : size;
    if (colon != NULL) {
        *port = colon + 1;
        *port_size = size - *host_size - 1;
    }
    return EDGEOPS_OK;
}

static bool parse_port(uint16_t *out, const char *text, size_t size) {
    unsigned value = 0;
    if (size == 0 || size > 5) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        if (text[i] < '0' || text[i] > '9') {
            return false;
        }
        value = value * 10 + (unsigned)(text[i] - '0');
    }
    if (value == 0 || value > 65535) {
        return false;
    }
    *out = (uint16_t)value;
    return true;
}

edgeops_status eop_mqtt_parse_url(const char *url, char **host, uint16_t *port, bool *tls,
                                  bool *explicit_plain) {
    static const struct {
        const char *name;
        bool tls;
    } schemes[] = {{"tcp", false}, {"mqtt", false}, {"ssl", true}, {"mqtts", true}, {"tls", true}};
    const char *rest = url;
    const char *colon = strstr(url, "://");
    *tls = false;
    *explicit_plain = false;
    if (colon != NULL) {
        size_t i = 0;
        while (i < EOP_COUNT(schemes) && (strlen(schemes[i].name) != (size_t)(colon - url) ||
                                          strncmp(schemes[i].name, url, (size_t)(colon - url)))) {
            i++;
        }
        if (i == EOP_COUNT(schemes)) {
            return bad_url(url, "this scheme is not supported");
        }
        *tls = schemes[i].tls;
        *explicit_plain = !schemes[i].tls;
        rest = colon + 3;
    }
    if (strchr(rest, '@') != NULL) {
        /* Not repeated in the message: it may hold a password. */
        return eop_fail(EDGEOPS_E_INVALID, "mqtt",
                        "url: no user or password in the url; use the members user and password");
    }
    size_t size = strlen(rest);
    if (size > 0 && rest[size - 1] == '/') {
        size--;
    }
    const char *name = NULL;
    const char *number = NULL;
    size_t name_size = 0;
    size_t number_size = 0;
    edgeops_status status =
        split_address(url, rest, size, &name, &name_size, &number, &number_size);
    if (status < 0) {
        return status;
    }
    if (name_size == 0 || name_size > 255) {
        return bad_url(url, "the host is missing");
    }
    for (size_t i = 0; i < name_size; i++) {
        if ((unsigned char)name[i] <= ' ' || strchr("/?#", name[i]) != NULL) {
            return bad_url(url, "the host holds a forbidden character");
        }
    }
    uint16_t value = *tls ? 8883 : 1883;
    if (number != NULL && !parse_port(&value, number, number_size)) {
        return bad_url(url, "the port must be 1 to 65535");
    }
    *host = eop_strndup(name, name_size);
    if (*host == NULL) {
        return eop_fail_nomem("mqtt");
    }
    *port = value;
    return EDGEOPS_OK;
}

/* Copies an optional text member. */
static edgeops_status take_text(char **out, const eop_json *object, const char *key) {
    const char *text = eop_json_string(object, key, NULL);
    if (text != NULL && (*out = eop_strdup(text)) == NULL) {
        return eop_fail_nomem("mqtt");
    }
    return EDGEOPS_OK;
}

/* The same for the name of a file: it is read again at each connection, and the host may be in
 * another folder then. */
static edgeops_status take_path(char **out, const eop_json *object, const char *key) {
    const char *text = eop_json_string(object, key, NULL);
    return text != NULL ? eop_path_absolute(out, text) : EDGEOPS_OK;
}

/* Adds a topic of either list, with its own quality of service or the common one. */
static edgeops_status take_topic(eop_mqtt_config *config, const char *filter, int qos,
                                 const char *list, size_t index) {
    if (!eop_mqtt_filter_valid(filter)) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt",
                        "%s/%zu: '%s' is not a topic filter; '+' and '#' stand alone between "
                        "slashes, '#' only at the end",
                        list, index, filter);
    }
    eop_mqtt_topic *topic = &config->topics[config->topic_count];
    topic->qos = qos;
    topic->filter = eop_strdup(filter);
    if (topic->filter == NULL) {
        return eop_fail_nomem("mqtt");
    }
    config->topic_count++;
    return EDGEOPS_OK;
}

static edgeops_status take_topics(eop_mqtt_config *config, const eop_json *json) {
    const eop_json *lists[] = {eop_json_get(json, "topics"),
                               eop_json_get(eop_json_get(json, "labels"), "topics")};
    static const char *const names[] = {"topics", "labels/topics"};
    int qos = (int)eop_json_integer(json, "qos", 1);
    size_t count = eop_json_size(lists[0]) + eop_json_size(lists[1]);
    config->data_topic_count = eop_json_size(lists[0]);
    if (count == 0) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt",
                        "topics is missing: name the filters to subscribe to");
    }
    config->topics = eop_calloc(count, sizeof(*config->topics));
    if (config->topics == NULL) {
        return eop_fail_nomem("mqtt");
    }
    edgeops_status status = EDGEOPS_OK;
    for (size_t l = 0; l < EOP_COUNT(lists); l++) {
        size_t i = 0;
        for (const eop_json *item = lists[l] != NULL ? eop_json_first(lists[l]) : NULL;
             status == EDGEOPS_OK && item != NULL; item = eop_json_next(item)) {
            const char *filter = eop_json_text(item);
            status =
                take_topic(config, filter != NULL ? filter : eop_json_string(item, "filter", ""),
                           (int)eop_json_integer(item, "qos", qos), names[l], i++);
        }
    }
    return status;
}

static edgeops_status take_times(eop_mqtt_config *config, const eop_json *json) {
    edgeops_duration value = 0;
    const char *text = eop_json_string(json, "keep_alive", NULL);
    config->keep_alive_s = DEFAULT_KEEP_ALIVE_S;
    if (text != NULL) {
        if (!eop_parse_duration(&value, text) || value < EDGEOPS_SECOND ||
            value > 64800 * EDGEOPS_SECOND) {
            return eop_fail(EDGEOPS_E_INVALID, "mqtt",
                            "keep_alive: '%s' is not a duration from 1s to 18h", text);
        }
        config->keep_alive_s = (uint16_t)(value / EDGEOPS_SECOND);
    }
    text = eop_json_string(json, "session_expiry", NULL);
    config->session_expiry_s = DEFAULT_SESSION_EXPIRY_S;
    if (text != NULL && strcmp(text, "never") == 0) {
        config->session_expiry_s = UINT32_MAX;
    } else if (text != NULL) {
        if (!eop_parse_duration(&value, text) || value / EDGEOPS_SECOND >= UINT32_MAX) {
            return eop_fail(EDGEOPS_E_INVALID, "mqtt",
                            "session_expiry: '%s' is not a duration such as '12h' or 'never'",
                            text);
        }
        config->session_expiry_s = (uint32_t)(value / EDGEOPS_SECOND);
    }
    return EDGEOPS_OK;
}

static edgeops_status take_tls(eop_mqtt_config *config, const eop_json *tls) {
    edgeops_status status = EDGEOPS_OK;
    config->verify = eop_json_bool(tls, "verify", true);
    if ((status = take_path(&config->ca, tls, "ca")) < 0 ||
        (status = take_path(&config->cert, tls, "cert")) < 0 ||
        (status = take_path(&config->key, tls, "key")) < 0 ||
        (status = take_text(&config->key_password, tls, "key_password")) < 0) {
        return status;
    }
    if (config->key != NULL && config->cert == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt", "tls/key is given without tls/cert");
    }
    return EDGEOPS_OK;
}

/* The text was checked by who reads the payloads (source_config.c). */
static void take_limits(eop_mqtt_config *config, const eop_json *json) {
    const char *text = eop_json_string(json, "max_payload", NULL);
    uint64_t given = 0;
    bool valid = text != NULL && eop_parse_size(&given, text) && given < EOP_MAX_PAYLOAD;
    config->max_payload = valid ? given : EOP_MAX_PAYLOAD;
    config->max_packet = (uint32_t)config->max_payload + MAX_BESIDE;
}

static edgeops_status take_will(eop_mqtt_config *config, const eop_json *will) {
    if (will == NULL) {
        return EDGEOPS_OK;
    }
    edgeops_status status = take_text(&config->will_topic, will, "topic");
    if (status < 0 || (status = take_text(&config->will_payload, will, "payload")) < 0) {
        return status;
    }
    if (!eop_mqtt_topic_valid(config->will_topic)) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt", "will/topic: '%s' is not a topic to publish to",
                        config->will_topic);
    }
    if (config->will_payload != NULL && strlen(config->will_payload) > MAX_TEXT) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt", "will/payload: over 65535 bytes");
    }
    config->will_qos = (int)eop_json_integer(will, "qos", 1);
    config->will_retain = eop_json_bool(will, "retain", false);
    return EDGEOPS_OK;
}

static edgeops_status take_connection(eop_mqtt_config *config, const eop_json *json) {
    bool plain = false;
    const eop_json *tls = eop_json_get(json, "tls");
    edgeops_status status = eop_mqtt_parse_url(eop_json_string(json, "url", ""), &config->host,
                                               &config->port, &config->tls, &plain);
    if (status < 0) {
        return status;
    }
    if (tls != NULL && plain) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt",
                        "tls is given, but the url says no TLS; write mqtts:// in the url");
    }
    if (tls != NULL && !config->tls) {
        config->tls = true;
        if (strchr(eop_json_string(json, "url", ""), ':') == NULL) {
            config->port = 8883;
        }
    }
    config->v5 = strcmp(eop_json_string(json, "version", "3.1.1"), "5") == 0;
    config->clean_session = eop_json_bool(json, "clean_session", false);
    config->take_retained = strcmp(eop_json_string(json, "retained", "take"), "take") == 0;
    if ((status = take_text(&config->client_id, json, "client_id")) < 0 ||
        (status = take_text(&config->user, json, "user")) < 0 ||
        (status = take_text(&config->password, json, "password")) < 0 ||
        (status = take_path(&config->password_file, json, "password_file")) < 0 ||
        (status = take_times(config, json)) < 0 || (status = take_tls(config, tls)) < 0) {
        return status;
    }
    if (config->password != NULL && config->password_file != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt", "password and password_file exclude each other");
    }
    if ((config->password != NULL || config->password_file != NULL) && config->user == NULL &&
        !config->v5) {
        return eop_fail(EDGEOPS_E_INVALID, "mqtt",
                        "a password without a user needs \"version\": \"5\"");
    }
    return take_will(config, eop_json_get(json, "will"));
}

/* The publisher's schema is the driver's without the duty to subscribe. */
static edgeops_status check_schema(const eop_json *json, const char *text, bool publisher) {
    eop_json *schema = NULL;
    edgeops_status status =
        eop_json_parse(&schema, eop_mqtt_schema, sizeof(eop_mqtt_schema) - 1, "mqtt schema", NULL);
    if (status < 0) {
        return status;
    }
    if (publisher) {
        eop_json *required = eop_json_array();
        eop_json_append_string(required, "url");
        eop_json_remove(schema, "required");
        eop_json_set(schema, "required", required);
    }
    status = eop_schema_check(schema, json, text, strlen(text), "config");
    eop_json_free(schema);
    return status;
}

edgeops_status eop_mqtt_config_new(eop_mqtt_config **out, const char *config_json, bool publisher) {
    eop_json *json = NULL;
    eop_mqtt_config *config = NULL;
    *out = NULL;
    edgeops_status status = eop_json_parse(&json, config_json, strlen(config_json), "config", NULL);
    if (status < 0 || (status = check_schema(json, config_json, publisher)) < 0) {
        goto out;
    }
    config = eop_calloc(1, sizeof(*config));
    if (config == NULL) {
        status = eop_fail_nomem("mqtt");
        goto out;
    }
    config->references = 1;
    status = take_connection(config, json);
    if (status == EDGEOPS_OK && !publisher) {
        take_limits(config, json);
        status = take_topics(config, json);
    }
    if (status == EDGEOPS_OK) {
        *out = config;
        config = NULL;
    }
out:
    eop_mqtt_config_unref(config);
    eop_json_free(json);
    return status;
}

eop_mqtt_config *eop_mqtt_config_ref(eop_mqtt_config *config) {
    __atomic_add_fetch(&config->references, 1, __ATOMIC_RELAXED);
    return config;
}

/* The compiler may not leave the wiping out, as it may with memset before free. */
static void wipe(char *text) {
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
        eop_free(text);
    }
}

void eop_mqtt_config_unref(eop_mqtt_config *config) {
    if (config == NULL || __atomic_sub_fetch(&config->references, 1, __ATOMIC_ACQ_REL) > 0) {
        return;
    }
    for (size_t i = 0; config->topics != NULL && i < config->topic_count; i++) {
        eop_free(config->topics[i].filter);
    }
    eop_free(config->topics);
    eop_free(config->host);
    eop_free(config->client_id);
    eop_free(config->user);
    wipe(config->password);
    eop_free(config->password_file);
    eop_free(config->ca);
    eop_free(config->cert);
    eop_free(config->key);
    wipe(config->key_password);
    eop_free(config->will_topic);
    eop_free(config->will_payload);
    eop_free(config);
}
