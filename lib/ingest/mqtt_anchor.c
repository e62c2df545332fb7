/* SPDX-License-Identifier: Apache-2.0 */
/* A Paho client that is connected to this process itself, and stays so. It keeps Paho's threads
 * alive between connections and lets us wake them; mqtt_anchor.h says why. One a process, made
 * once, never destroyed; `mutex` guards its two descriptors. */
#include "ingest/mqtt_anchor.h"
#include "base/fd.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <MQTTAsync.h>

#define CONNECT_TIMEOUT_S 10

static pthread_once_t once = PTHREAD_ONCE_INIT;
static MQTTAsync anchor;

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER; /* around the rest */
static int listener = -1;                                 /* until the anchor has come */
static int peer = -1;                                     /* our end of its connection */
static bool up;                                           /* CONNACK has come */
static size_t sent; /* bytes of the last PINGRESP, should the buffer be full in between */

static void close_fd(int *fd) {
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

static void on_success(void *context, MQTTAsync_successData *data) {
    (void)context;
    (void)data;
    pthread_mutex_lock(&mutex);
    up = true;
    pthread_mutex_unlock(&mutex);
}

/* The anchor will not connect: nobody else may. */
static void on_failure(void *context, MQTTAsync_failureData *data) {
    (void)context;
    (void)data;
    pthread_mutex_lock(&mutex);
    close_fd(&listener);
    pthread_mutex_unlock(&mutex);
}

unsigned eop_mqtt_anchor_listen(int *fd) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof(address);
    *fd = -1;
    if (getenv("http_proxy") != NULL) {
        return 0;
    }
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    *fd = eop_socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0 || bind(*fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(*fd, 1) != 0 || getsockname(*fd, (struct sockaddr *)&address, &size) != 0) {
        close_fd(fd);
        return 0;
    }
    return ntohs(address.sin_port);
}

static void connect_anchor(void) {
    MQTTAsync_connectOptions connect = MQTTAsync_connectOptions_initializer;
    connect.MQTTVersion = MQTTVERSION_3_1_1;
    connect.cleansession = 1;
    connect.keepAliveInterval = 0; /* nobody answers a ping */
    connect.connectTimeout = CONNECT_TIMEOUT_S;
    connect.onSuccess = on_success;
    connect.onFailure = on_failure;
    if (MQTTAsync_connect(anchor, &connect) != MQTTASYNC_SUCCESS) {
        pthread_mutex_lock(&mutex);
        close_fd(&listener);
        pthread_mutex_unlock(&mutex);
    }
}

/* The first handle makes Paho ignore SIGPIPE in the whole process. That is the host's to decide:
 * the old disposition comes back. */
static void make(void) {
    char uri[64];
    struct sigaction before;
    MQTTAsync_createOptions options = MQTTAsync_createOptions_initializer;
    int known = sigaction(SIGPIPE, NULL, &before);
    unsigned port = eop_mqtt_anchor_listen(&listener);
    snprintf(uri, sizeof(uri), "tcp://127.0.0.1:%u", port != 0 ? port : 1);
    options.MQTTVersion = MQTTVERSION_3_1_1;
    if (MQTTAsync_createWithOptions(&anchor, uri, "edgeops-anchor", MQTTCLIENT_PERSISTENCE_NONE,
                                    NULL, &options) != MQTTASYNC_SUCCESS) {
        anchor = NULL;
        close_fd(&listener);
    }
    if (known == 0) {
        sigaction(SIGPIPE, &before, NULL);
    }
    if (listener >= 0) {
        connect_anchor();
    }
}

void eop_mqtt_anchor_make(void) {
    pthread_once(&once, make);
}

/* CONNACK may be there before CONNECT is: it waits in the buffer. CONNECT is never read. */
static void accept_anchor(void) {
    static const unsigned char connack[] = {0x20, 2, 0, 0};
    int one = 1;
    peer = eop_accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer < 0) {
        return;
    }
    close_fd(&listener);
    setsockopt(peer, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (send(peer, connack, sizeof(connack), MSG_NOSIGNAL) != (ssize_t)sizeof(connack)) {
        close_fd(&peer);
    }
}

/* Connecting a handle that is connected changes nothing but that pace; 0 for the keep-alive makes
 * it the shortest. */
void eop_mqtt_anchor_pace(void) {
    pthread_mutex_lock(&mutex);
    bool known = up;
    pthread_mutex_unlock(&mutex);
    if (known) {
        connect_anchor();
    }
}

void eop_mqtt_anchor_wake(void) {
    static const unsigned char pingresp[] = {0xD0, 0};
    pthread_mutex_lock(&mutex);
    if (listener >= 0) {
        accept_anchor();
    }
    if (peer >= 0) {
        ssize_t n = send(peer, pingresp + sent, sizeof(pingresp) - sent, MSG_NOSIGNAL);
        sent = n > 0 ? (sent + (size_t)n) % sizeof(pingresp) : sent;
    }
    pthread_mutex_unlock(&mutex);
}
