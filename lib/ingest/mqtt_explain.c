/* SPDX-License-Identifier: Apache-2.0 */
/* Turns codes of the broker, of Paho and of OpenSSL into one line that names the broker and what to
 * change. Tables only; no state. */
#include "ingest/mqtt_explain.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/error.h"

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
                        "no answer from %s:%u within %d s; check the address and the firewall",
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
