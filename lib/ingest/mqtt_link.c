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
#include "ingest/mqtt_explain.h"
#include "ingest/mqtt_thread.h"

#define BACKOFF_FIRST (500 * EDGEOPS_MILLISECOND)
#define BACKOFF_LAST  (30 * EDGEOPS_SECOND)
/* For so long the broker may be on its way back, and is to find us within two seconds. */
#define YOUNG         (60 * EDGEOPS_SECOND)
#define BACKOFF_YOUNG (1200 * EDGEOPS_MILLISECOND)
/* A connection that lived this long was a good one: the back-off starts afresh, and lower. Two
 * clients that take each other's id away never get there, nor where the broker says that they do,
 * since then the pauses grow. */
#define GOOD_LIFE      (10 * EDGEOPS_SECOND)
#define GOOD_LIFE_TOLD (120 * EDGEOPS_SECOND)
#define BACKOFF_AGAIN  (100 * EDGEOPS_MILLISECOND)
/* After a connection that was made at all, the broker is there: a short wait is enough. */
#define BACKOFF_SHORT (4 * EDGEOPS_SECOND)
/* With an answer to an attempt. After one that hung the next is made only once TCP connects, which
 * costs a broker nothing and tells soon, and waits longer for CONNACK: it may be a slow one. */
#define PATIENCE_FIRST (1500 * EDGEOPS_MILLISECOND)
#define PATIENCE_LAST  (15 * EDGEOPS_SECOND)
#define PATIENCE_TCP   (1 * EDGEOPS_SECOND)
#define BACKOFF_HUNG   (250 * EDGEOPS_MILLISECOND) /* the attempt itself was pause enough */
#define REPEATS        3
#define MAX_LEFT       256 /* with this many handles left alone only the longest back-off is used */
#define DETAIL         256

struct eop_mqtt_link {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    eop_mqtt_link_options options;

    /* Guarded by mutex. */
    int references; /* the owner's and the thread's */
    bool stopping;
    bool hung_up;
    bool renewing;  /* the connection is to end, and another to be made */
    bool resolving; /* the thread may take long, and then touches nothing of the owner's */
    bool done;
    eop_mqtt_conn *conn;
    uint64_t generation; /* written by the thread only */
    uint32_t senders;

    /* The thread's own. */
    uint64_t attempts;
    bool more_addresses;  /* of the name, that come before the pause */
    bool cleared;         /* 3.1.1 publisher: the broker has no session of an earlier connection */
    bool unwanted;        /* it has one of somebody else: that is to be cleared */
    bool had_session;     /* the broker was to keep the session of the connection before */
    bool hung;            /* the last attempt got no answer */
    bool taken_over;      /* the last connection ended so */
    bool renewed;         /* we ended it ourselves */
    unsigned short_lives; /* connections in a row that ended soon */
    edgeops_duration patience;
    edgeops_duration away; /* since when there is no connection */
    edgeops_duration backoff;
    char client_id[EOP_MQTT_MAX_CLIENT_ID]; /* that the broker gave; "": none */
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
    const eop_mqtt_config *config = link->options.config;
    size_t count = 1;
    edgeops_status status = eop_mqtt_resolve(config->host, link->attempts++, address, &count);
    link->more_addresses = link->attempts % count != 0;
    if (status == EDGEOPS_OK && link->hung) {
        status = eop_mqtt_reach(address, config->port, PATIENCE_TCP);
    }
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
        .client_id = link->client_id[0] != '\0' ? link->client_id : NULL,
        .patience = link->patience,
        .publisher = link->options.publisher,
        .in_flight = link->options.in_flight,
        .handler = link->options.handler,
        .on_session = link->options.on_session,
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
    options.on_session = NULL;
    edgeops_status status = eop_mqtt_conn_open(&conn, &options);
    if (status == EDGEOPS_OK) {
        set_conn(link, conn);
        status = eop_mqtt_conn_wait_up(conn, detail, sizeof(detail));
        set_conn(link, NULL);
    }
    if (status == EDGEOPS_OK) {
        link->cleared = true;
        link->unwanted = false;
    }
    /* Closing may set another error's text, and no error. */
    char reason[1024];
    strncpy(reason, edgeops_error_last()->message, sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    eop_mqtt_conn_close(conn);
    return status < 0 ? eop_fail_with(status, "mqtt", reason) : status;
}

static bool wants_clear(const eop_mqtt_link *link) {
    return link->unwanted ||
           (link->options.publisher && !link->options.config->v5 && !link->cleared);
}

static edgeops_status connect_once(eop_mqtt_conn **conn, eop_mqtt_link *link, const char *address,
                                   char detail[DETAIL]) {
    edgeops_status status = wants_clear(link) ? clear_session(link, address) : EDGEOPS_OK;
    if (status == EDGEOPS_OK) {
        eop_mqtt_conn_options options = conn_options(link, address);
        status = eop_mqtt_conn_open(conn, &options);
    }
    if (status == EDGEOPS_OK) {
        set_conn(link, *conn);
        status = eop_mqtt_conn_wait_up(*conn, detail, DETAIL);
    }
    return status;
}

/* Once more, where the broker had a session that is not ours: its messages are nobody's. */
static edgeops_status connect_clean(eop_mqtt_conn **conn, eop_mqtt_link *link, const char *address,
                                    char detail[DETAIL]) {
    edgeops_status status = connect_once(conn, link, address, detail);
    if (status == EDGEOPS_DONE) {
        set_conn(link, NULL);
        eop_mqtt_conn_close(*conn);
        *conn = NULL;
        link->unwanted = true;
        status = connect_once(conn, link, address, detail);
    }
    return status == EDGEOPS_DONE
               ? eop_fail(EDGEOPS_E_PROTOCOL, "mqtt", "the broker does not drop the session")
               : status;
}

static void report_up(eop_mqtt_link *link, eop_mqtt_conn *conn, const char *detail) {
    eop_mqtt_terms terms = {.announced = eop_mqtt_conn_announced(conn)};
    terms.granted = eop_mqtt_conn_granted(conn, &terms.granted_count);
    bool kept = !link->options.publisher && terms.announced->session_expiry_s > 0;
    /* What the broker gave is ours from now on: another client id would lose the session. */
    if (terms.announced->client_id[0] != '\0') {
        memcpy(link->client_id, terms.announced->client_id, sizeof(link->client_id));
    }
    terms.session_lost = link->had_session && !terms.announced->session_present;
    link->had_session = kept;
    link->options.on_state(EDGEOPS_OK, detail, link->generation, &terms, link->options.user_data);
}

/* Why the connection ended: it may be our own doing. */
static edgeops_status take_end(eop_mqtt_link *link, edgeops_status status) {
    pthread_mutex_lock(&link->mutex);
    link->renewed =
        link->renewing && status == EDGEOPS_E_CANCELED && !link->stopping && !link->hung_up;
    link->renewing = false;
    pthread_mutex_unlock(&link->mutex);
    return link->renewed
               ? eop_fail(EDGEOPS_E_CLOSED, "mqtt",
                          "the broker did not acknowledge a message for long: the connection is "
                          "made again")
               : status;
}

/* Connects, stays until the link breaks. Gives the reason, its text in `detail`, and how long the
 * link was up. */
static edgeops_status run_once(eop_mqtt_link *link, char detail[DETAIL], edgeops_duration *life) {
    char address[EOP_MQTT_MAX_HOST] = "";
    eop_mqtt_conn *conn = NULL;
    *life = 0;
    link->taken_over = link->renewed = false;
    edgeops_status status = resolve_unwatched(link, address);
    bool reached = status == EDGEOPS_OK;
    if (status == EDGEOPS_OK) {
        status = connect_clean(&conn, link, address, detail);
    }
    link->hung = status == EDGEOPS_E_TIMEOUT;
    if (link->hung && reached) {
        link->patience += link->patience / 2;
    }
    if (status == EDGEOPS_OK) {
        edgeops_duration up = eop_monotonic();
        report_up(link, conn, detail);
        status = take_end(link, eop_mqtt_conn_wait_down(conn));
        *life = eop_monotonic() - up;
        link->cleared = !eop_mqtt_conn_left_qos2(conn);
        link->taken_over = eop_mqtt_conn_taken_over(conn);
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

/* Whether the broker may be there the next moment: what was refused, or cannot be, is not. */
static bool may_pass(edgeops_status status) {
    return status == EDGEOPS_E_IO || status == EDGEOPS_E_TIMEOUT || status == EDGEOPS_E_CLOSED ||
           status == EDGEOPS_E_BUSY || status == EDGEOPS_E_NOTFOUND;
}

/* The pause before the next attempt, after a connection of that life or, with 0, a failed
 * attempt. */
static edgeops_duration next_pause(eop_mqtt_link *link, edgeops_status status,
                                   edgeops_duration life) {
    edgeops_duration now = eop_monotonic();
    if (life > 0) {
        link->away = now;
        link->patience = PATIENCE_FIRST;
    }
    if (now - link->away > YOUNG || link->patience > PATIENCE_LAST) {
        link->patience = PATIENCE_LAST;
    }
    if (life >= (link->taken_over ? GOOD_LIFE_TOLD : GOOD_LIFE)) {
        link->backoff = BACKOFF_AGAIN;
    } else if (life > 0 && link->backoff > BACKOFF_SHORT && !link->taken_over) {
        link->backoff = BACKOFF_SHORT;
    }
    edgeops_duration pause = link->backoff;
    /* A connection that ended soon may be the second restart in a row; more are a quarrel. */
    bool young = life == 0 || (!link->taken_over && link->short_lives < REPEATS);
    if (young && may_pass(status) && now - link->away < YOUNG) {
        edgeops_duration most = link->hung ? BACKOFF_HUNG : BACKOFF_YOUNG;
        pause = pause < most ? pause : most;
        /* The doubling begins when it counts. */
        link->backoff = pause;
    }
    if (eop_mqtt_conn_left() >= MAX_LEFT) {
        pause = BACKOFF_LAST;
    } else if (life == 0 && status == EDGEOPS_E_IO && link->more_addresses) {
        return 0; /* "localhost" is ::1, too, where many brokers do not listen */
    }
    link->backoff = link->backoff * 2 < BACKOFF_LAST ? link->backoff * 2 : BACKOFF_LAST;
    return jitter(link, pause);
}

/* In 3.1.1 a broker cannot say that two clients have one id, or that it does not take a message: it
 * hangs up, each time. Where the reason is known there is nothing to guess. */
static void hint_at_repeats(eop_mqtt_link *link, edgeops_duration life, char detail[DETAIL]) {
    if (life >= GOOD_LIFE) {
        link->short_lives = 0;
    }
    if (life == 0 || life >= GOOD_LIFE || link->taken_over || link->renewed ||
        ++link->short_lives < REPEATS) {
        return;
    }
    char guess[128];
    const char *id = link->options.config->client_id;
    snprintf(guess, sizeof(guess), ": another client may have this client id%s%.80s%s",
             id != NULL ? " '" : "", id != NULL ? id : "", id != NULL ? "'" : "");
    const char *also = link->options.publisher ? ", or it does not take what is published" : "";
    size_t used = strlen(detail);
    bool explained = eop_mqtt_explained(detail);
    snprintf(detail + used, DETAIL - used, ", %u times in a row%s%s", link->short_lives,
             explained ? "" : guess, explained ? "" : also);
}

static void *control(void *argument) {
    eop_mqtt_link *link = argument;
    link->away = eop_monotonic();
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
        }
        hint_at_repeats(link, life, detail);
        if (status != EDGEOPS_E_CANCELED) {
            link->options.on_state(status, detail, link->generation, NULL, link->options.user_data);
        }
        sleep_until(link, eop_monotonic() + next_pause(link, status, life));
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
    link->backoff = BACKOFF_FIRST;
    link->patience = PATIENCE_FIRST;
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

void eop_mqtt_link_renew(eop_mqtt_link *link, uint64_t generation) {
    pthread_mutex_lock(&link->mutex);
    if (link->conn != NULL && link->generation == generation) {
        link->renewing = true;
        eop_mqtt_conn_interrupt(link->conn);
    }
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
