/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps a link to a broker: one thread connects, stays while the connection lives, and tries again
 * with a growing pause. The owner and the thread share the link by counted references, so that
 * stopping never waits for a name server. Lock order: Paho, link, connection. */
#include "ingest/mqtt_link.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/time.h"
#include "ingest/mqtt_thread.h"

#define BACKOFF_FIRST (500 * EDGEOPS_MILLISECOND)
#define BACKOFF_LAST  (30 * EDGEOPS_SECOND)
/* A connection that lived this long was a good one: the back-off starts afresh, and lower. Two
 * clients that take each other's id away never get there. */
#define GOOD_LIFE     (10 * EDGEOPS_SECOND)
#define BACKOFF_AGAIN (100 * EDGEOPS_MILLISECOND)
/* After a connection that was made at all, the broker is there: a short wait is enough. */
#define BACKOFF_SHORT (4 * EDGEOPS_SECOND)
#define MAX_LEFT      256 /* with this many handles left alone only the longest back-off is used */
#define DETAIL        256

struct eop_mqtt_link {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    eop_mqtt_link_options options;

    /* Guarded by mutex. */
    int references; /* the owner's and the thread's */
    bool stopping;
    bool hung_up;
    bool resolving; /* the thread may take long, and then touches nothing of the owner's */
    bool done;
    eop_mqtt_conn *conn;
    uint64_t generation; /* written by the thread only */
    uint32_t senders;

    /* The thread's own. */
    uint64_t attempts;
    bool had_session; /* the broker was to keep the session of the connection before */
    bool cleared;     /* 3.1.1 publisher: the broker has no session of an earlier connection */
};

static void link_unref(eop_mqtt_link *link) {
    pthread_mutex_lock(&link->mutex);
    bool last = --link->references == 0;
    pthread_mutex_unlock(&link->mutex);
    if (last) {
        pthread_cond_destroy(&link->cond);
        pthread_mutex_destroy(&link->mutex);
        eop_mqtt_config_unref(link->options.config);
        eop_free(link);
    }
}

/* OK, or E_CANCELED when the owner is gone. */
static edgeops_status resolve_unwatched(eop_mqtt_link *link, char address[EOP_MQTT_MAX_HOST]) {
    pthread_mutex_lock(&link->mutex);
    bool stopping = link->stopping;
    link->resolving = !stopping;
    pthread_cond_broadcast(&link->cond);
    pthread_mutex_unlock(&link->mutex);
    if (stopping) {
        return EDGEOPS_E_CANCELED;
    }
    if (!link->options.publisher) {
        eop_mqtt_forget_wait(link->options.config);
    }
    edgeops_status status = eop_mqtt_resolve(link->options.config->host, link->attempts++, address);
    pthread_mutex_lock(&link->mutex);
    link->resolving = false;
    stopping = link->stopping;
    pthread_mutex_unlock(&link->mutex);
    return stopping ? EDGEOPS_E_CANCELED : status;
}

/* -- one connection -- */

static void set_conn(eop_mqtt_link *link, eop_mqtt_conn *conn) {
    pthread_mutex_lock(&link->mutex);
    link->conn = conn;
    link->generation += conn != NULL;
    while (conn == NULL && link->senders > 0) {
        pthread_cond_wait(&link->cond, &link->mutex);
    }
    if (conn != NULL && (link->stopping || link->hung_up)) {
        eop_mqtt_conn_interrupt(conn);
    }
    pthread_mutex_unlock(&link->mutex);
}

static eop_mqtt_conn_options conn_options(const eop_mqtt_link *link, const char *address) {
    return (eop_mqtt_conn_options){
        .config = link->options.config,
        .address = address,
        .client_id_suffix = link->options.client_id_suffix,
        .publisher = link->options.publisher,
        .in_flight = link->options.in_flight,
        .handler = link->options.handler,
        .user_data = link->options.user_data,
    };
}

/* A 3.1.1 publisher must not say "clean session" on the connection it sends on (mqtt_conn.h), yet a
 * broker that remembers the QoS 2 numbers of an earlier one would take new messages for old ones.
 * So a connection that sends nothing clears the session first. */
static edgeops_status clear_session(eop_mqtt_link *link, const char *address) {
    char detail[DETAIL];
    eop_mqtt_conn *conn = NULL;
    eop_mqtt_conn_options options = conn_options(link, address);
    options.clear = true;
    options.in_flight = 0;
    edgeops_status status = eop_mqtt_conn_open(&conn, &options);
    if (status == EDGEOPS_OK) {
        set_conn(link, conn);
        status = eop_mqtt_conn_wait_up(conn, detail, sizeof(detail));
        set_conn(link, NULL);
    }
    if (status == EDGEOPS_OK) {
        link->cleared = true;
    }
    /* Closing may set another error's text, and no error. */
    char reason[1024];
    strncpy(reason, edgeops_error_last()->message, sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    eop_mqtt_conn_close(conn);
    return status < 0 ? eop_fail_with(status, "mqtt", reason) : status;
}

static bool wants_clear(const eop_mqtt_link *link) {
    return link->options.publisher && !link->options.config->v5 && !link->cleared;
}

static void report_up(eop_mqtt_link *link, eop_mqtt_conn *conn, const char *detail) {
    eop_mqtt_terms terms = {.announced = eop_mqtt_conn_announced(conn)};
    terms.granted = eop_mqtt_conn_granted(conn, &terms.granted_count);
    bool kept = !link->options.publisher && terms.announced->session_expiry_s > 0;
    terms.session_lost = link->had_session && !terms.announced->session_present;
    link->had_session = kept;
    link->options.on_state(EDGEOPS_OK, detail, link->generation, &terms, link->options.user_data);
}

/* Connects, stays until the link breaks. Gives the reason, its text in `detail`, and how long the
 * link was up. */
static edgeops_status run_once(eop_mqtt_link *link, char detail[DETAIL], edgeops_duration *life) {
    char address[EOP_MQTT_MAX_HOST] = "";
    eop_mqtt_conn *conn = NULL;
    eop_mqtt_conn_options options = conn_options(link, address);
    *life = 0;
    edgeops_status status = resolve_unwatched(link, address);
    if (status == EDGEOPS_OK && wants_clear(link)) {
        status = clear_session(link, address);
    }
    if (status == EDGEOPS_OK) {
        status = eop_mqtt_conn_open(&conn, &options);
    }
    if (status == EDGEOPS_OK) {
        set_conn(link, conn);
        status = eop_mqtt_conn_wait_up(conn, detail, DETAIL);
    }
    if (status == EDGEOPS_OK) {
        edgeops_duration up = eop_monotonic();
        report_up(link, conn, detail);
        status = eop_mqtt_conn_wait_down(conn);
        *life = eop_monotonic() - up;
        link->cleared = !eop_mqtt_conn_left_qos2(conn);
    }
    if (status != EDGEOPS_E_CANCELED) {
        strncpy(detail, edgeops_error_last()->message, DETAIL - 1);
        detail[DETAIL - 1] = '\0';
    }
    set_conn(link, NULL);
    eop_mqtt_conn_close(conn);
    return status;
}

/* -- the thread -- */

static void sleep_until(eop_mqtt_link *link, edgeops_duration deadline) {
    struct timespec at = {.tv_sec = (time_t)(deadline / EDGEOPS_SECOND),
                          .tv_nsec = (long)(deadline % EDGEOPS_SECOND)};
    pthread_mutex_lock(&link->mutex);
    while (!link->stopping && !link->hung_up &&
           pthread_cond_timedwait(&link->cond, &link->mutex, &at) != ETIMEDOUT) {
    }
    while (!link->stopping && link->hung_up) {
        pthread_cond_wait(&link->cond, &link->mutex);
    }
    pthread_mutex_unlock(&link->mutex);
}

static bool is_stopping(eop_mqtt_link *link) {
    pthread_mutex_lock(&link->mutex);
    bool stopping = link->stopping;
    pthread_mutex_unlock(&link->mutex);
    return stopping;
}

/* Three quarters to five quarters, so that many clients of one broker do not come back at once. */
static edgeops_duration jitter(const eop_mqtt_link *link, edgeops_duration backoff) {
    edgeops_duration seed[2] = {eop_monotonic(), (edgeops_duration)(uintptr_t)link};
    uint64_t random = eop_hash64(seed, sizeof(seed));
    return backoff * 3 / 4 + (edgeops_duration)(random % (uint64_t)(backoff / 2));
}

static void *control(void *argument) {
    eop_mqtt_link *link = argument;
    edgeops_duration backoff = BACKOFF_FIRST;
    while (!is_stopping(link)) {
        char detail[DETAIL] = "";
        edgeops_duration life = 0;
        edgeops_status status = run_once(link, detail, &life);
        if (is_stopping(link)) {
            break;
        }
        if (eop_mqtt_conn_left() >= MAX_LEFT) {
            size_t used = strlen(detail);
            snprintf(detail + used, sizeof(detail) - used,
                     "; %u client handles could not be freed, restart the program",
                     eop_mqtt_conn_left());
            backoff = BACKOFF_LAST;
        }
        if (status != EDGEOPS_E_CANCELED) {
            link->options.on_state(status, detail, link->generation, NULL, link->options.user_data);
        }
        if (life >= GOOD_LIFE) {
            backoff = BACKOFF_AGAIN;
        } else if (life > 0 && backoff > BACKOFF_SHORT) {
            backoff = BACKOFF_SHORT;
        }
        sleep_until(link, eop_monotonic() + jitter(link, backoff));
        backoff = backoff * 2 < BACKOFF_LAST ? backoff * 2 : BACKOFF_LAST;
    }
    pthread_mutex_lock(&link->mutex);
    link->done = true;
    pthread_cond_broadcast(&link->cond);
    pthread_mutex_unlock(&link->mutex);
    link_unref(link);
    return NULL;
}

edgeops_status eop_mqtt_link_start(eop_mqtt_link **out, const eop_mqtt_link_options *options) {
    pthread_condattr_t attributes;
    *out = NULL;
    eop_mqtt_link *link = eop_calloc(1, sizeof(*link));
    if (link == NULL) {
        return eop_fail_nomem("mqtt");
    }
    link->options = *options;
    link->options.config = eop_mqtt_config_ref(options->config);
    pthread_mutex_init(&link->mutex, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&link->cond, &attributes);
    pthread_condattr_destroy(&attributes);
    link->references = 2;
    *out = link; /* the first callback may come before this call is over */
    edgeops_status status = eop_mqtt_thread(control, link);
    if (status < 0) {
        *out = NULL;
        link->references = 1;
        link_unref(link);
    }
    return status;
}

void eop_mqtt_link_hang_up(eop_mqtt_link *link) {
    pthread_mutex_lock(&link->mutex);
    link->hung_up = true;
    if (link->conn != NULL) {
        eop_mqtt_conn_interrupt(link->conn);
    }
    pthread_cond_broadcast(&link->cond);
    pthread_mutex_unlock(&link->mutex);
}

edgeops_status eop_mqtt_link_send(eop_mqtt_link *link, uint64_t generation,
                                  const edgeops_message *message) {
    pthread_mutex_lock(&link->mutex);
    eop_mqtt_conn *conn = link->generation == generation ? link->conn : NULL;
    link->senders += conn != NULL;
    pthread_mutex_unlock(&link->mutex);
    if (conn == NULL) {
        return eop_fail(EDGEOPS_E_AGAIN, "mqtt", "no link to the broker");
    }
    edgeops_status status = eop_mqtt_conn_send(conn, message);
    pthread_mutex_lock(&link->mutex);
    if (--link->senders == 0) {
        pthread_cond_broadcast(&link->cond);
    }
    pthread_mutex_unlock(&link->mutex);
    return status;
}

void eop_mqtt_link_stop(eop_mqtt_link *link) {
    if (link == NULL) {
        return;
    }
    pthread_mutex_lock(&link->mutex);
    link->stopping = true;
    if (link->conn != NULL) {
        eop_mqtt_conn_interrupt(link->conn);
    }
    pthread_cond_broadcast(&link->cond);
    while (!link->done && !link->resolving) {
        pthread_cond_wait(&link->cond, &link->mutex);
    }
    pthread_mutex_unlock(&link->mutex);
    link_unref(link);
}
