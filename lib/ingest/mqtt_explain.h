/* SPDX-License-Identifier: Apache-2.0 */
/* Why a connection failed, for people. */
#ifndef EOP_INGEST_MQTT_EXPLAIN_H
#define EOP_INGEST_MQTT_EXPLAIN_H

#include <stdbool.h>
#include <stddef.h>

#include "edgeops/status.h"
#include "ingest/mqtt_config.h"

#define EOP_MQTT_REASON_SIZE       256
#define EOP_MQTT_CONNECT_TIMEOUT_S 10
/* Beginnings of reasons why a link ended: see eop_mqtt_explained(). */
#define EOP_MQTT_ENDED  "the broker ended it: "
#define EOP_MQTT_SILENT "the broker has not answered for "

/** Turns what Paho knows about a failed attempt into an error: code (of CONNACK, or negative), its
 * text, and what OpenSSL said; both "" where there is none. */
edgeops_status eop_mqtt_explain(const eop_mqtt_config *config, int code, const char *reason,
                                const char *tls);
/** A reason code of MQTT 5 (0x80 and over) in words: "not authorized (0x87)", and what the broker
 * added to it, size bytes, not terminated, may be NULL. */
void eop_mqtt_reason(char *out, size_t out_size, int code, const char *said, size_t size);
/** Whether the text of a lost connection says why, so that there is nothing to guess: the broker gave
 * its reason, or did not answer. */
bool eop_mqtt_explained(const char *detail);
/** What a refused PUBLISH means for its sender: as edgeops_publisher_options.on_refused has it. */
edgeops_status eop_mqtt_refusal(int code);
/** The reason out of a line of OpenSSL's: "140...:error:0A000086:SSL
 * routines:(function):certificate verify failed:(file):(line):". *out stays as it is when there is
 * none. */
void eop_mqtt_tls_reason(char *out, size_t out_size, const char *text, size_t size);

#endif /* EOP_INGEST_MQTT_EXPLAIN_H */
