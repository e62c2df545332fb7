/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of an MQTT connection: one schema and one reader for the driver and for the
 * publisher. Nothing here knows the MQTT library. */
#ifndef EOP_INGEST_MQTT_CONFIG_H
#define EOP_INGEST_MQTT_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "edgeops/types.h"

/** JSON Schema of the mqtt driver's configuration. */
extern const char eop_mqtt_schema[];

typedef struct eop_mqtt_topic {
    char *filter;
    int qos;
} eop_mqtt_topic;

/** Immutable once made, shared by counted references: a thread that still waits for the resolver
 * may outlive its owner. Texts are NULL where absent. */
typedef struct eop_mqtt_config {
    int references; /**< atomic */
    char *host;     /**< without the brackets of an IPv6 address */
    uint16_t port;
    bool tls;
    bool v5;
    char *client_id;
    bool clean_session;
    uint32_t session_expiry_s; /**< MQTT 5 only; UINT32_MAX: never */
    uint16_t keep_alive_s;
    char *user;
    char *password;
    char *password_file;
    char *ca;
    char *cert;
    char *key;
    char *key_password;
    bool verify;
    char *will_topic;
    char *will_payload;
    int will_qos;
    bool will_retain;
    bool take_retained;
    uint64_t max_payload; /**< of a message that is taken, bytes */
    uint32_t max_packet;  /**< what MQTT 5 announces, 0: nothing */
    eop_mqtt_topic *topics;
    size_t topic_count;
    size_t data_topic_count; /**< the others are those of labels */
} eop_mqtt_config;

/** Reads and checks a configuration. No I/O.
 *
 *  @param publisher  the subscribing members (topics, retained, payload, ...) may be absent and do
 * not count
 *  @return EDGEOPS_OK; EDGEOPS_E_INVALID with the key; EDGEOPS_E_NOMEM */
edgeops_status eop_mqtt_config_new(eop_mqtt_config **out, const char *config_json, bool publisher);
eop_mqtt_config *eop_mqtt_config_ref(eop_mqtt_config *config);
void eop_mqtt_config_unref(eop_mqtt_config *config);

/** Parts of "[scheme://]host[:port]": see eop_mqtt_config. *explicit_plain: the scheme says "no
 * TLS". */
edgeops_status eop_mqtt_parse_url(const char *url, char **host, uint16_t *port, bool *tls,
                                  bool *explicit_plain);
/** A topic filter as MQTT 3.1.1 section 4.7 has it, shared subscriptions included. */
bool eop_mqtt_filter_valid(const char *filter);
/** A topic name to publish to: no wildcards. */
bool eop_mqtt_topic_valid(const char *topic);

#endif /* EOP_INGEST_MQTT_CONFIG_H */
