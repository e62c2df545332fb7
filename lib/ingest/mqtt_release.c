/* SPDX-License-Identifier: Apache-2.0 */
/* Gives Paho's receive buffer back after a large packet; mqtt_release.h says how. One detached
 * thread at a time does it and ends; `mutex` guards whether it runs and whether it has to go on. */
#include "ingest/mqtt_release.h"

#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <MQTTAsync.h>

#include "base/fd.h"
#include "base/time.h"
#include "ingest/mqtt_anchor.h"
#include "ingest/mqtt_thread.h"

#define LARGE    (4u * 1024 * 1024)
#define PATIENCE (5 * EDGEOPS_SECOND)
#define LOOK_MS  5
/* Before a round: the large packet is handed over and freed by then, and several in a row make one
 * round. The buffer may be in use by a packet that came in part: a second round finds it free. */
#define PAUSE_MS 100
#define ROUNDS   2

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static bool running;
static bool again;

static void note_end(void *context, MQTTAsync_failureData *data) {
    (void)data;
    __atomic_store_n((bool *)context, true, __ATOMIC_RELEASE);
}

/* A CONNACK of 16 bytes of which one comes: Paho reads it and then the end of the connection. */
static void answer(int listener) {
    static const unsigned char part[] = {0x20, 16, 0};
    int peer = eop_accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (peer >= 0) {
        (void)!send(peer, part, sizeof(part), MSG_NOSIGNAL);
        (void)shutdown(peer, SHUT_WR);
        close(peer);
    }
}

/* False when the client cannot even begin. */
static bool connect_client(MQTTAsync client, bool *over) {
    MQTTAsync_connectOptions options = MQTTAsync_connectOptions_initializer;
    options.MQTTVersion = MQTTVERSION_3_1_1;
    options.keepAliveInterval = 0; /* else Paho looks less often for pings: mqtt_anchor.h */
    options.connectTimeout = (int)(PATIENCE / EDGEOPS_SECOND);
    options.onFailure = note_end;
    options.context = over;
    return MQTTAsync_connect(client, &options) == MQTTASYNC_SUCCESS;
}

static void release_once(void) {
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    MQTTAsync client = NULL;
    bool over = false;
    char uri[64];
    int listener = -1;
    unsigned port = eop_mqtt_anchor_listen(&listener);
    if (port == 0) {
        return;
    }
    (void)snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%u", port);
    options.MQTTVersion = MQTTVERSION_3_1_1;
    if (MQTTAsync_createWithOptions(&client, uri, "edgeops-release", MQTTCLIENT_PERSISTENCE_NONE,
                                    NULL, &options) == MQTTASYNC_SUCCESS) {
        edgeops_duration deadline = eop_monotonic() + PATIENCE;
        bool wait = connect_client(client, &over);
        while (wait && !__atomic_load_n(&over, __ATOMIC_ACQUIRE) && eop_monotonic() < deadline) {
            struct pollfd entry = {.fd = listener, .events = POLLIN};
            eop_mqtt_anchor_wake();
            if (poll(&entry, 1, LOOK_MS) > 0) {
                answer(listener);
            }
        }
        MQTTAsync_destroy(&client);
    }
    close(listener);
}

static void *run(void *argument) {
    (void)argument;
    bool more = true;
    while (more) {
        for (int i = 0; i < ROUNDS; i++) {
            (void)poll(NULL, 0, PAUSE_MS);
            release_once();
        }
#ifdef __GLIBC__
        (void)malloc_trim(0); /* a few MiB are below what free() gives back by itself */
#endif
        pthread_mutex_lock(&mutex);
        more = again;
        again = false;
        running = more;
        pthread_mutex_unlock(&mutex);
    }
    return NULL;
}

void eop_mqtt_release(size_t packet_size) {
    if (packet_size <= LARGE) {
        return;
    }
    pthread_mutex_lock(&mutex);
    again = running;
    if (!running) {
        running = eop_mqtt_thread(run, NULL) == EDGEOPS_OK;
    }
    pthread_mutex_unlock(&mutex);
}
