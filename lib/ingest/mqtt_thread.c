/* SPDX-License-Identifier: Apache-2.0 */
/* Detached threads with a small stack, and names looked up outside Paho's global mutex. No
 * state. */
#include "ingest/mqtt_thread.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "base/fd.h"
#include "base/fork.h"
#include "base/locale.h"
#include "base/thread.h"

#define STACK_SIZE (512 * 1024)

/* In English, whatever language the host speaks. Static. */
static const char *address_error(int code) {
    locale_t before = eop_locale_enter();
    const char *text = gai_strerror(code);
    eop_locale_leave(before);
    return text;
}

/* Paho resolves under its global mutex, which would stop every other link for as long as a name
 * server keeps silent. So it is given a number; with TLS, where it needs the name, at least the
 * answer is in the resolver's cache, and a name that does not exist never gets there. */
edgeops_status eop_mqtt_resolve(const char *host, uint64_t attempt, char address[EOP_MQTT_MAX_HOST],
                                size_t *found_count) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    edgeops_status status = EDGEOPS_OK;
    int code = getaddrinfo(host, NULL, &hints, &list);
    if (code != 0) {
        return eop_fail(code == EAI_MEMORY ? EDGEOPS_E_NOMEM : EDGEOPS_E_NOTFOUND, "mqtt",
                        "the name '%s' does not resolve (%s); check the url", host,
                        address_error(code));
    }
    /* IPv4 first, as brokers in containers often have nothing else; then in turns. */
    size_t count = 0;
    for (struct addrinfo *a = list; a != NULL; a = a->ai_next) {
        count++;
    }
    if (found_count != NULL) {
        *found_count = count;
    }
    size_t wanted = (size_t)(attempt % count);
    struct addrinfo *found = list;
    size_t i = 0;
    for (int pass = 0; pass < 2; pass++) {
        for (struct addrinfo *a = list; a != NULL; a = a->ai_next) {
            if ((a->ai_family == AF_INET) == (pass == 0) && i++ == wanted) {
                found = a;
            }
        }
    }
    code = getnameinfo(found->ai_addr, found->ai_addrlen, address, EOP_MQTT_MAX_HOST, NULL, 0,
                       NI_NUMERICHOST);
    if (code != 0) {
        status = eop_fail(EDGEOPS_E_IO, "mqtt", "the address of '%s' is of no use (%s)", host,
                          address_error(code));
    }
    freeaddrinfo(list);
    return status;
}

static edgeops_status connect_within(int fd, const struct addrinfo *to, edgeops_duration patience) {
    int error = 0;
    socklen_t size = sizeof(error);
    struct pollfd pending = {.fd = fd, .events = POLLOUT};
    if (connect(fd, to->ai_addr, to->ai_addrlen) == 0) {
        return EDGEOPS_OK;
    }
    if (errno != EINPROGRESS) {
        return EDGEOPS_E_IO;
    }
    if (poll(&pending, 1, (int)(patience / EDGEOPS_MILLISECOND)) == 0) {
        return EDGEOPS_E_TIMEOUT;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
        return EDGEOPS_E_IO;
    }
    return EDGEOPS_OK;
}

edgeops_status eop_mqtt_reach(const char *address, uint16_t port, edgeops_duration patience) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    struct addrinfo *to = NULL;
    char service[8];
    snprintf(service, sizeof(service), "%u", (unsigned)port);
    if (getenv("http_proxy") != NULL || getenv("https_proxy") != NULL ||
        getaddrinfo(address, service, &hints, &to) != 0) {
        return EDGEOPS_OK; /* Paho will say what is wrong */
    }
    edgeops_status status = EDGEOPS_OK;
    int fd = eop_socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0) {
        status = connect_within(fd, to, patience);
        close(fd);
    }
    freeaddrinfo(to);
    if (status == EDGEOPS_E_TIMEOUT) {
        return eop_fail(status, "mqtt",
                        "no answer from the broker %s:%u; check the address and the firewall",
                        address, (unsigned)port);
    }
    if (status < 0) {
        return eop_fail(status, "mqtt", "cannot connect to %s:%u; is the broker running there?",
                        address, (unsigned)port);
    }
    return status;
}

static pthread_once_t first_use = PTHREAD_ONCE_INIT;
static eop_birth birth; /* of what Paho keeps for all of its handles */

static void note_birth(void) {
    eop_birth_set(&birth);
}

edgeops_status eop_mqtt_thread(void *(*run)(void *argument), void *argument) {
    (void)pthread_once(&first_use, note_birth);
    if (!eop_born_here(&birth)) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "mqtt",
                        "MQTT was in use in process %d, from which this one was forked: its "
                        "threads are not here, start a program of its own instead",
                        birth.pid);
    }
    pthread_attr_t attributes;
    pthread_t thread;
    if (pthread_attr_init(&attributes) != 0) {
        return eop_fail_nomem("mqtt");
    }
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, STACK_SIZE);
    /* Paho's own threads are made by this one and inherit its blocked signals. */
    int code = eop_thread_create(&thread, &attributes, run, argument);
    pthread_attr_destroy(&attributes);
    return code == 0 ? EDGEOPS_OK : eop_fail_errno(code, "mqtt", "no thread for a connection");
}
