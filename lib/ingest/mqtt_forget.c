/* SPDX-License-Identifier: Apache-2.0 */
/* Ends sessions at brokers, in the background. A list of the process holds those under way, since a
 * source with the client id of a removed one may be added at once. */
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/time.h"
#include "ingest/mqtt_link.h"
#include "ingest/mqtt_thread.h"

#define PATIENCE (5 * EDGEOPS_SECOND)

typedef struct parting {
    struct parting *next;
    eop_mqtt_config *config;
    edgeops_duration deadline;
    bool connecting; /* from here on it ends soon: the resolver is done */
    bool canceled;
} parting;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t cond_once = PTHREAD_ONCE_INIT;
static pthread_cond_t cond;
static parting *first; /* guarded by mutex, with all that it points to */

static void make_cond(void) {
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&cond, &attributes);
    pthread_condattr_destroy(&attributes);
}

static void part_from(parting *p) {
    static const eop_mqtt_conn_handler nobody = {0};
    char address[EOP_MQTT_MAX_HOST] = "";
    char detail[256];
    eop_mqtt_conn *conn = NULL;
    eop_mqtt_conn_options options = {
        .config = p->config,
        .address = address,
        .client_id_suffix = "",
        .clear = true,
        .patience = PATIENCE,
        .handler = &nobody,
    };
    if (eop_mqtt_resolve(p->config->host, 0, address, NULL) < 0) {
        return;
    }
    pthread_mutex_lock(&mutex);
    p->connecting = !p->canceled && eop_monotonic() < p->deadline;
    bool go = p->connecting;
    pthread_mutex_unlock(&mutex);
    if (go && eop_mqtt_conn_open(&conn, &options) == EDGEOPS_OK) {
        (void)eop_mqtt_conn_wait_up(conn, detail, sizeof(detail));
        eop_mqtt_conn_close(conn);
    }
}

static void parting_free(parting *p) {
    eop_mqtt_config_unref(p->config);
    eop_free(p);
}

static void *run(void *argument) {
    parting *p = argument;
    part_from(p);
    pthread_mutex_lock(&mutex);
    parting **at = &first;
    while (*at != p) {
        at = &(*at)->next;
    }
    *at = p->next;
    pthread_cond_broadcast(&cond);
    pthread_mutex_unlock(&mutex);
    parting_free(p);
    return NULL;
}

void eop_mqtt_forget(eop_mqtt_config *config) {
    pthread_once(&cond_once, make_cond);
    parting *p = eop_calloc(1, sizeof(*p));
    if (p == NULL) {
        return;
    }
    p->config = eop_mqtt_config_ref(config);
    p->deadline = eop_monotonic() + PATIENCE;
    pthread_mutex_lock(&mutex);
    bool started = eop_mqtt_thread(run, p) == EDGEOPS_OK;
    if (started) {
        p->next = first;
        first = p;
    }
    pthread_mutex_unlock(&mutex);
    if (!started) {
        parting_free(p);
    }
}

static parting *find(const eop_mqtt_config *config) {
    const char *id = config->client_id != NULL ? config->client_id : "";
    for (parting *p = first; p != NULL; p = p->next) {
        const char *other = p->config->client_id != NULL ? p->config->client_id : "";
        if (!p->canceled && strcmp(other, id) == 0 && p->config->port == config->port &&
            strcmp(p->config->host, config->host) == 0) {
            return p;
        }
    }
    return NULL;
}

void eop_mqtt_forget_wait(const eop_mqtt_config *config) {
    pthread_once(&cond_once, make_cond);
    pthread_mutex_lock(&mutex);
    for (parting *p = find(config); p != NULL; p = find(config)) {
        if (p->connecting) {
            pthread_cond_wait(&cond, &mutex);
        } else if (eop_monotonic() >= p->deadline) {
            p->canceled = true;
        } else {
            struct timespec at = {.tv_sec = (time_t)(p->deadline / EDGEOPS_SECOND),
                                  .tv_nsec = (long)(p->deadline % EDGEOPS_SECOND)};
            (void)pthread_cond_timedwait(&cond, &mutex, &at);
        }
    }
    pthread_mutex_unlock(&mutex);
}
