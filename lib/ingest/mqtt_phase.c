/* SPDX-License-Identifier: Apache-2.0 */
/* Where a connection stands: Paho's threads move its phase, the link's thread waits until it moves.
 * Both under the connection's mutex, which is innermost. */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "base/error.h"
#include "base/time.h"
#include "ingest/mqtt_anchor.h"
#include "ingest/mqtt_private.h"

/* How often Paho is woken while a connection is being made, in its first second and later. */
#define WAKE_OFTEN  (5 * EDGEOPS_MILLISECOND)
#define WAKE_SELDOM (50 * EDGEOPS_MILLISECOND)
/* A ping each second would be late while Paho sleeps in its poll. */
#define WAKE_TO_PING (200 * EDGEOPS_MILLISECOND)

void eop_mqtt_conn_end(eop_mqtt_conn *conn, eop_mqtt_phase next, int code, const char *reason) {
    pthread_mutex_lock(&conn->mutex);
    if (conn->phase == EOP_MQTT_OPENING || conn->phase == EOP_MQTT_CONNECTED ||
        conn->phase == EOP_MQTT_SUBSCRIBED) {
        conn->phase = next;
        conn->code = code;
        if (conn->reason[0] == '\0') {
            snprintf(conn->reason, sizeof(conn->reason), "%s", reason != NULL ? reason : "");
        }
        pthread_cond_broadcast(&conn->cond);
    }
    pthread_mutex_unlock(&conn->mutex);
}

bool eop_mqtt_conn_wait_until(eop_mqtt_conn *conn, edgeops_duration deadline) {
    if (deadline == EDGEOPS_FOREVER) {
        return pthread_cond_wait(&conn->cond, &conn->mutex) == 0;
    }
    struct timespec at = {.tv_sec = (time_t)(deadline / EDGEOPS_SECOND),
                          .tv_nsec = (long)(deadline % EDGEOPS_SECOND)};
    return pthread_cond_timedwait(&conn->cond, &conn->mutex, &at) != ETIMEDOUT;
}

/* The time of the next look at a phase that ends by itself, or has to be helped. */
static edgeops_duration next_look(const eop_mqtt_conn *conn, edgeops_duration begin,
                                  edgeops_duration deadline) {
    edgeops_duration now = eop_monotonic();
    edgeops_duration pause = now - begin < EDGEOPS_SECOND ? WAKE_OFTEN : WAKE_SELDOM;
    if (conn->phase != EOP_MQTT_OPENING) {
        if (conn->ping_s > 1) {
            return deadline;
        }
        pause = WAKE_TO_PING;
    }
    eop_mqtt_anchor_wake();
    return deadline - now > pause ? now + pause : deadline;
}

edgeops_status eop_mqtt_conn_wait_phase(eop_mqtt_conn *conn, eop_mqtt_phase current,
                                        edgeops_duration deadline, eop_mqtt_phase *next) {
    edgeops_status status = EDGEOPS_OK;
    edgeops_duration begin = eop_monotonic();
    bool late = false;
    pthread_mutex_lock(&conn->mutex);
    while (conn->phase == current && !conn->interrupted && !late) {
        edgeops_duration look = next_look(conn, begin, deadline);
        late = !eop_mqtt_conn_wait_until(conn, look) && look == deadline;
    }
    *next = conn->phase;
    if (conn->interrupted) {
        status = EDGEOPS_E_CANCELED;
    } else if (conn->phase == current) {
        status = EDGEOPS_E_TIMEOUT;
    }
    pthread_mutex_unlock(&conn->mutex);
    if (status == EDGEOPS_E_CANCELED) {
        return eop_fail(status, "mqtt", "stopped");
    }
    if (status == EDGEOPS_E_TIMEOUT) {
        return eop_fail(status, "mqtt",
                        "no answer from the broker %s:%u within %.1f s; check the address and the "
                        "firewall",
                        conn->config->host, (unsigned)conn->config->port,
                        (double)(eop_monotonic() - begin) / (double)EDGEOPS_SECOND);
    }
    return status;
}
