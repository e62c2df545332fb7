/* SPDX-License-Identifier: Apache-2.0 */
/* The scripted broker: a thread that polls the listener, a pipe that wakes it, and the connections,
 * all under one mutex but while it polls. */
#include "support/fake_broker.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_CONNECTIONS 32
#define BUFFER          65536

typedef struct connection {
    int fd;
    bool v5;
    uint64_t connack_at; /* ms; 0: none due */
    size_t under_way;
    size_t used;
    uint8_t data[BUFFER];
} connection;

struct fake_broker {
    pthread_t thread;
    pthread_mutex_t mutex;
    int wake[2];
    int listener; /* -1: away */
    int port;
    bool over;
    fake_script script;
    fake_seen seen;
    connection *connections[MAX_CONNECTIONS];
};

static uint64_t now_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static void put(connection *c, const void *bytes, size_t size) {
    (void)!send(c->fd, bytes, size, MSG_NOSIGNAL);
}

static void drop(fake_broker *b, size_t i) {
    if (b->connections[i] != NULL) {
        b->seen.under_way -= b->connections[i]->under_way;
        close(b->connections[i]->fd);
        free(b->connections[i]);
        b->connections[i] = NULL;
        b->seen.live--;
    }
}

/* -- what it answers -- */

static void send_connack(fake_broker *b, connection *c) {
    uint8_t packet[256] = {0x20, 2, b->script.session, b->script.connack};
    size_t size = 4;
    c->connack_at = 0;
    if (c->v5) {
        packet[1] = (uint8_t)(3 + b->script.properties_size);
        packet[4] = (uint8_t)b->script.properties_size;
        if (b->script.properties_size > 0) {
            memcpy(packet + 5, b->script.properties, b->script.properties_size);
        }
        size = 5 + b->script.properties_size;
    }
    put(c, packet, size);
}

static void take_connect(fake_broker *b, connection *c, const uint8_t *p) {
    b->seen.connects++;
    c->v5 = p[6] == 5;
    b->seen.keep_alive = (uint16_t)(p[8] << 8 | p[9]);
    b->seen.maximum_packet = 0;
    const uint8_t *at = p + 10;
    if (c->v5) {
        size_t size = *at++; /* short lists only */
        for (const uint8_t *q = at; q < at + size; q += 5) {
            cr_assert(*q == 0x11 || *q == 0x27, "a property that the fake does not know: %d", *q);
            if (*q == 0x27) {
                b->seen.maximum_packet =
                    (uint32_t)q[1] << 24 | (uint32_t)q[2] << 16 | (uint32_t)q[3] << 8 | q[4];
            }
        }
        at += size;
    }
    size_t length = (size_t)(at[0] << 8 | at[1]);
    cr_assert_lt(length, sizeof(b->seen.client_id));
    memcpy(b->seen.client_id, at + 2, length);
    b->seen.client_id[length] = '\0';
    c->connack_at = now_ms() + (uint64_t)b->script.connack_ms;
}

static void take_subscribe(fake_broker *b, connection *c, const uint8_t *p, size_t size) {
    uint8_t code = p[size - 1] & 3;
    b->seen.subscribes++;
    if (b->script.suback != 0) {
        code = (uint8_t)(b->script.suback >= 0x80 ? b->script.suback : b->script.suback - 1);
    }
    size_t codes = b->script.suback_codes != 0 ? b->script.suback_codes - 1 : 1;
    size_t head = c->v5 ? 5 : 4;
    uint8_t packet[64] = {0x90, (uint8_t)(head - 2 + codes), p[0], p[1], 0};
    cr_assert_leq(head + codes, sizeof(packet));
    memset(packet + head, code, codes);
    put(c, packet, head + codes);
}

static bool is_meant(const fake_script *script, const uint8_t *topic, size_t size) {
    size_t wanted = script->only != NULL ? strlen(script->only) : 0;
    return size >= wanted && (wanted == 0 || memcmp(topic, script->only, wanted) == 0);
}

static void take_publish(fake_broker *b, connection *c, uint8_t header, const uint8_t *p) {
    size_t topic = (size_t)(p[0] << 8 | p[1]);
    int qos = header >> 1 & 3;
    uint8_t packet[256] = {(uint8_t)(qos == 1 ? 0x40 : 0x50), 2, p[topic + 2], p[topic + 3]};
    size_t size = 4;
    b->seen.publishes++;
    if (qos == 0) {
        return;
    }
    c->under_way++;
    b->seen.under_way++;
    if (b->seen.under_way > b->seen.most_under_way) {
        b->seen.most_under_way = b->seen.under_way;
    }
    bool meant = is_meant(&b->script, p + 2, topic);
    if (b->script.hang_up && meant) {
        shutdown(c->fd, SHUT_RDWR);
        return;
    }
    if (b->script.withhold && meant) {
        return;
    }
    if (b->script.puback != 0 && meant) {
        packet[4] = b->script.puback;
        packet[1] = 3;
        size = 5;
        if (b->script.puback_text != NULL) {
            size_t text = strlen(b->script.puback_text);
            packet[1] = (uint8_t)(7 + text);
            packet[5] = (uint8_t)(3 + text);
            packet[6] = 0x1F;
            packet[8] = (uint8_t)text;
            memcpy(packet + 9, b->script.puback_text, text);
            size = 9 + text;
        }
    }
    if (qos == 1 || packet[4] >= 0x80) {
        c->under_way--;
        b->seen.under_way--;
    }
    put(c, packet, size);
}

static void take_pubrel(fake_broker *b, connection *c, const uint8_t *p) {
    uint8_t packet[] = {0x70, b->script.pubcomp != 0 ? 3 : 2, p[0], p[1], b->script.pubcomp};
    b->seen.pubrels++;
    if (!b->script.withhold) {
        c->under_way--;
        b->seen.under_way--;
        put(c, packet, 2 + (size_t)packet[1]);
    }
}

static void take_packet(fake_broker *b, connection *c, uint8_t header, const uint8_t *p,
                        size_t size) {
    static const uint8_t pingresp[] = {0xD0, 0};
    switch (header >> 4) {
    case 1:
        take_connect(b, c, p);
        break;
    case 3:
        take_publish(b, c, header, p);
        break;
    case 4:
        b->seen.pubacks++;
        break;
    case 5: {
        uint8_t packet[] = {0x62, 2, p[0], p[1]};
        b->seen.pubrecs++;
        if (!b->script.withhold) {
            put(c, packet, sizeof(packet));
        }
        break;
    }
    case 6:
        take_pubrel(b, c, p);
        break;
    case 7:
        b->seen.pubcomps++;
        break;
    case 8:
        if (!b->script.mute && !b->script.no_suback) {
            take_subscribe(b, c, p, size);
        }
        break;
    case 12:
        b->seen.pings++;
        if (!b->script.mute) {
            put(c, pingresp, sizeof(pingresp));
        }
        break;
    case 14:
        b->seen.disconnects++;
        break;
    default:
        break;
    }
}

/* -- the thread -- */

/* Takes whole packets off the buffer. */
static void take_packets(fake_broker *b, connection *c) {
    for (;;) {
        size_t rest = 0;
        size_t at = 1;
        unsigned shift = 0;
        do {
            if (at >= c->used) {
                return;
            }
            rest |= (size_t)(c->data[at] & 0x7F) << shift;
            shift += 7;
        } while ((c->data[at++] & 0x80) != 0);
        cr_assert_lt(at + rest, BUFFER);
        if (c->used < at + rest) {
            return;
        }
        take_packet(b, c, c->data[0], c->data + at, rest);
        c->used -= at + rest;
        memmove(c->data, c->data + at + rest, c->used);
    }
}

static void read_from(fake_broker *b, size_t i) {
    connection *c = b->connections[i];
    ssize_t n = recv(c->fd, c->data + c->used, BUFFER - c->used, MSG_DONTWAIT);
    if (n == 0 || (n < 0 && errno != EAGAIN)) {
        drop(b, i);
        return;
    }
    if (n > 0) {
        c->used += (size_t)n;
        take_packets(b, c);
    }
}

static void accept_one(fake_broker *b) {
    int fd = accept(b->listener, NULL, NULL);
    size_t i = 0;
    if (fd < 0) {
        return;
    }
    while (i < MAX_CONNECTIONS && b->connections[i] != NULL) {
        i++;
    }
    cr_assert_lt(i, (size_t)MAX_CONNECTIONS);
    b->connections[i] = calloc(1, sizeof(connection));
    b->connections[i]->fd = fd;
    b->seen.accepted++;
    b->seen.live++;
}

static void answer_connects(fake_broker *b) {
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        connection *c = b->connections[i];
        if (c != NULL && c->connack_at != 0 && c->connack_at <= now_ms() && !b->script.mute) {
            send_connack(b, c);
        }
    }
}

static void *serve(void *argument) {
    fake_broker *b = argument;
    char byte;
    pthread_mutex_lock(&b->mutex);
    while (!b->over) {
        struct pollfd fds[MAX_CONNECTIONS + 2];
        fds[0] = (struct pollfd){.fd = b->wake[0], .events = POLLIN};
        fds[1] = (struct pollfd){.fd = b->listener, .events = POLLIN};
        for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
            bool reads = b->connections[i] != NULL && !b->script.frozen;
            fds[i + 2] =
                (struct pollfd){.fd = reads ? b->connections[i]->fd : -1, .events = POLLIN};
        }
        pthread_mutex_unlock(&b->mutex);
        poll(fds, MAX_CONNECTIONS + 2, 10);
        pthread_mutex_lock(&b->mutex);
        if ((fds[0].revents & POLLIN) != 0) {
            (void)!read(b->wake[0], &byte, 1);
        }
        for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
            connection *c = b->connections[i];
            if (c != NULL && c->fd == fds[i + 2].fd && fds[i + 2].revents != 0) {
                read_from(b, i);
            }
        }
        if ((fds[1].revents & POLLIN) != 0 && b->listener == fds[1].fd) {
            accept_one(b);
        }
        answer_connects(b);
    }
    pthread_mutex_unlock(&b->mutex);
    return NULL;
}

/* -- from outside -- */

int fake_broker_listen(int port, int backlog) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    int small = 32768;
    int tries = 0;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)); /* soon full when frozen */
    /* The thread's poll() holds a listener that was closed until it returns. */
    while (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && tries++ < 1000) {
        poll(NULL, 0, 5);
    }
    cr_assert_eq(listen(fd, backlog), 0);
    return fd;
}

static void listen_again(fake_broker *b) {
    struct sockaddr_in address;
    socklen_t size = sizeof(address);
    b->listener = fake_broker_listen(b->port, 16);
    cr_assert_eq(getsockname(b->listener, (struct sockaddr *)&address, &size), 0);
    b->port = ntohs(address.sin_port);
}

fake_broker *fake_broker_new(const fake_script *script) {
    fake_broker *b = calloc(1, sizeof(*b));
    cr_assert_not_null(b);
    b->script = *script;
    pthread_mutex_init(&b->mutex, NULL);
    cr_assert_eq(pipe(b->wake), 0);
    listen_again(b);
    cr_assert_eq(pthread_create(&b->thread, NULL, serve, b), 0);
    return b;
}

static void release(fake_broker *b) {
    pthread_mutex_unlock(&b->mutex);
    (void)!write(b->wake[1], "", 1);
}

void fake_broker_free(fake_broker *b) {
    if (b == NULL) {
        return;
    }
    pthread_mutex_lock(&b->mutex);
    b->over = true;
    release(b);
    pthread_join(b->thread, NULL);
    fake_broker_hang_up(b, true);
    close(b->wake[0]);
    close(b->wake[1]);
    pthread_mutex_destroy(&b->mutex);
    free(b);
}

int fake_broker_port(const fake_broker *b) {
    return b->port;
}

void fake_broker_script(fake_broker *b, const fake_script *script) {
    pthread_mutex_lock(&b->mutex);
    b->script = *script;
    release(b);
}

fake_seen fake_broker_seen(fake_broker *b) {
    pthread_mutex_lock(&b->mutex);
    fake_seen seen = b->seen;
    pthread_mutex_unlock(&b->mutex);
    return seen;
}

void fake_broker_hang_up(fake_broker *b, bool away) {
    pthread_mutex_lock(&b->mutex);
    if (away && b->listener >= 0) {
        close(b->listener);
        b->listener = -1;
    }
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        drop(b, i);
    }
    release(b);
}

void fake_broker_back(fake_broker *b) {
    int fd = fake_broker_listen(b->port, 16);
    pthread_mutex_lock(&b->mutex);
    b->listener = fd;
    release(b);
}

void fake_broker_send(fake_broker *b, const void *bytes, size_t size) {
    pthread_mutex_lock(&b->mutex);
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        if (b->connections[i] != NULL) {
            put(b->connections[i], bytes, size);
        }
    }
    release(b);
}

void fake_broker_disconnect(fake_broker *b, uint8_t reason) {
    uint8_t packet[] = {0xE0, 2, reason, 0};
    pthread_mutex_lock(&b->mutex);
    for (size_t i = 0; i < MAX_CONNECTIONS; i++) {
        if (b->connections[i] != NULL) {
            put(b->connections[i], packet, sizeof(packet));
        }
        drop(b, i);
    }
    release(b);
}
