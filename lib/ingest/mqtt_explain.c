/* SPDX-License-Identifier: Apache-2.0 */
/* Turns codes of the broker, of Paho and of OpenSSL into one line that names the broker and what to
 * change. Tables only; no state. */
#include "ingest/mqtt_explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/error.h"
#include "base/locale.h"

#define UNSPECIFIED 0x80
#define NO_REASON   "no reason given"

void eop_mqtt_tls_reason(char *out, size_t out_size, const char *text, size_t size) {
    static const char mark[] = "error:";
    const char *end = text + size;
    const char *p = memmem(text, size, mark, sizeof(mark) - 1);
    p = p != NULL ? p + sizeof(mark) - 1 : NULL;
    for (int field = 0; field < 3 && p != NULL; field++) {
        p = memchr(p, ':', (size_t)(end - p));
        p = p != NULL ? p + 1 : NULL;
    }
    if (p != NULL) {
        const char *colon = memchr(p, ':', (size_t)(end - p));
        snprintf(out, out_size, "%.*s", (int)((colon != NULL ? colon : end) - p), p);
    }
}

static const struct {
    int code;
    const char *words;
} reasons[] = {
    {UNSPECIFIED, "unspecified error"},
    {0x81, "malformed packet"},
    {0x82, "protocol error"},
    {0x83, "the broker's own reason"},
    {0x87, "not authorized"},
    {0x89, "the broker is busy"},
    {0x8B, "the broker is shutting down"},
    {0x8D, "keep-alive timeout"},
    {0x8E, "session taken over"},
    {0x8F, "topic filter not accepted"},
    {0x90, "topic not accepted"},
    {0x91, "packet identifier in use"},
    {0x93, "receive maximum exceeded"},
    {0x94, "topic alias not valid"},
    {0x95, "packet too large"},
    {0x96, "messages come too fast"},
    {0x97, "quota exceeded"},
    {0x98, "ended by an administrator"},
    {0x99, "payload format not accepted"},
    {0x9A, "retained messages are not supported"},
    {0x9B, "this QoS is not supported"},
    {0x9C, "use another broker"},
    {0x9D, "the broker has moved"},
    {0x9E, "shared subscriptions are not supported"},
    {0x9F, "connections come too fast"},
    {0xA0, "the longest time for a connection is over"},
    {0xA1, "subscription identifiers are not supported"},
    {0xA2, "wildcards are not supported"},
};

void eop_mqtt_reason(char *out, size_t out_size, int code, const char *said, size_t size) {
    const char *words = NO_REASON;
    for (size_t i = 0; i < EOP_COUNT(reasons); i++) {
        if (reasons[i].code == code) {
            words = reasons[i].words;
        }
    }
    int used = snprintf(out, out_size, "%s", words);
    if (code >= 0x80) {
        used = snprintf(out, out_size, "%s (0x%02X)", words, (unsigned)code);
    }
    bool same = said != NULL && size == strlen(words) && eop_ascii_equal(words, said, size);
    if (said == NULL || size == 0 || same || (size_t)used + 3 >= out_size) {
        return;
    }
    char *at = out + used;
    *at++ = ':';
    *at++ = ' ';
    /* The broker's text goes into logs and on terminals: one line, no control characters. */
    for (const char *end = out + out_size - 1; size > 0 && at < end; size--, said++) {
        *at++ = (unsigned char)*said < ' ' || *said == 0x7F ? ' ' : *said;
    }
    *at = '\0';
}

bool eop_mqtt_explained(const char *detail) {
    char unspecified[EOP_MQTT_REASON_SIZE];
    eop_mqtt_reason(unspecified, sizeof(unspecified), UNSPECIFIED, NULL, 0);
    return strstr(detail, EOP_MQTT_SILENT) != NULL ||
           (strstr(detail, EOP_MQTT_ENDED) != NULL && strstr(detail, NO_REASON) == NULL &&
            strstr(detail, unspecified) == NULL);
}

edgeops_status eop_mqtt_refusal(int code) {
    switch (code) {
    case 0x95:
        return EDGEOPS_E_LIMIT;
    case 0x90:
    case 0x99:
        return EDGEOPS_E_INVALID;
    case 0x87:
        return EDGEOPS_E_DENIED;
    case 0x9A:
    case 0x9B:
        return EDGEOPS_E_UNSUPPORTED;
    default:
        return EDGEOPS_E_BUSY;
    }
}

typedef struct refusal {
    int code;
    edgeops_status status;
    const char *text;
} refusal;

static const refusal refusals311[] = {
    {1, EDGEOPS_E_VERSION, "does not speak MQTT 3.1.1; try \"version\": \"5\""},
    {2, EDGEOPS_E_DENIED, "refuses the client id; set client_id"},
    {3, EDGEOPS_E_BUSY, "is not available at the moment"},
    {4, EDGEOPS_E_DENIED, "refuses user name or password; check user and password"},
    {5, EDGEOPS_E_DENIED, "says: not authorised; check user and password"},
};

static const refusal refusals5[] = {
    {0x84, EDGEOPS_E_VERSION, "does not speak MQTT 5; set \"version\": \"3.1.1\""},
    {1, EDGEOPS_E_VERSION, "does not speak MQTT 5; set \"version\": \"3.1.1\""},
    {0x85, EDGEOPS_E_DENIED, "refuses the client id; set client_id"},
    {0x86, EDGEOPS_E_DENIED, "refuses user name or password; check user and password"},
    {0x87, EDGEOPS_E_DENIED, "says: not authorised; check user and password"},
    {0x88, EDGEOPS_E_BUSY, "is not available at the moment"},
    {0x89, EDGEOPS_E_BUSY, "is busy"},
    {0x8A, EDGEOPS_E_DENIED, "has banned this client"},
    {0x8B, EDGEOPS_E_BUSY, "is shutting down"},
    {0x97, EDGEOPS_E_BUSY, "says: quota exceeded"},
    {0x9A, EDGEOPS_E_UNSUPPORTED, "keeps no retained messages; set retain in will to false"},
    {0x9B, EDGEOPS_E_UNSUPPORTED, "does not take this QoS of the will; set a lower qos in will"},
    {0x9F, EDGEOPS_E_BUSY, "says: connections come too fast"},
};

edgeops_status eop_mqtt_explain(const eop_mqtt_config *config, int code, const char *reason,
                                const char *tls) {
    const refusal *table = config->v5 ? refusals5 : refusals311;
    size_t count = config->v5 ? EOP_COUNT(refusals5) : EOP_COUNT(refusals311);
    const char *host = config->host;
    unsigned port = config->port;
    for (size_t i = 0; i < count; i++) {
        if (table[i].code == code) {
            return eop_fail(table[i].status, "mqtt", "the broker %s:%u %s", host, port,
                            table[i].text);
        }
    }
    if (code >= 0x80) {
        char words[64];
        eop_mqtt_reason(words, sizeof(words), code, NULL, 0);
        return eop_fail(EDGEOPS_E_DENIED, "mqtt", "the broker %s:%u refuses the connection: %s",
                        host, port, words);
    }
    if (code > 0) {
        return eop_fail(EDGEOPS_E_DENIED, "mqtt", "the broker %s:%u refuses the connection (%d)",
                        host, port, code);
    }
    if (tls[0] != '\0') {
        return eop_fail(EDGEOPS_E_DENIED, "mqtt",
                        "TLS with %s:%u: %s; check tls (ca, cert, key) and the broker's "
                        "certificate",
                        host, port, tls);
    }
    if (strstr(reason, "timeout") != NULL) {
        return eop_fail(EDGEOPS_E_TIMEOUT, "mqtt",
                        "no answer from the broker %s:%u within %d s; check the address and the "
                        "firewall",
                        host, port, EOP_MQTT_CONNECT_TIMEOUT_S);
    }
    if (strstr(reason, "completion") != NULL || strstr(reason, "socket error") != NULL) {
        return eop_fail(EDGEOPS_E_CLOSED, "mqtt", "%s:%u closed the connection at once; %s", host,
                        port,
                        config->tls ? "does it want a client certificate (tls/cert)?"
                                    : "does it want TLS (mqtts://)?");
    }
    if (config->tls) {
        /* Paho says the same for all three, unless the peer's alert comes before its hang-up. */
        return eop_fail(EDGEOPS_E_IO, "mqtt",
                        "cannot connect to %s:%u: not running, its certificate is not for the name "
                        "'%s', or it wants a client certificate (tls/cert)",
                        host, port, host);
    }
    return eop_fail(
        EDGEOPS_E_IO, "mqtt", "cannot connect to %s:%u; is the broker running there?%s", host, port,
        getenv("http_proxy") != NULL ? " (http_proxy is set, and the MQTT library obeys it)" : "");
}
