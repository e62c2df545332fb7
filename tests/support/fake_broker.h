/* SPDX-License-Identifier: Apache-2.0 */
/* A broker that does what its script says, on a loopback port of its own: for what real brokers do
 * seldom or on another day. One thread of its own serves all connections; the functions may be
 * called from any thread. Delivers nothing by itself. */
#ifndef TESTS_SUPPORT_FAKE_BROKER_H
#define TESTS_SUPPORT_FAKE_BROKER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct fake_broker fake_broker;

/** Zero means: accepts, grants what is asked for, acknowledges. */
typedef struct fake_script {
    bool mute;                 /* reads, and answers nothing */
    bool frozen;               /* does not even read */
    int connack_ms;            /* CONNACK comes so late */
    uint8_t connack;           /* return code or reason */
    bool session;              /* session present */
    const uint8_t *properties; /* of CONNACK; static */
    size_t properties_size;
    int suback;              /* what is granted: 0 as asked, else this + 1, or a code >= 0x80 */
    size_t suback_codes;     /* in a SUBACK: 0 one, else this - 1 */
    bool no_suback;          /* SUBSCRIBE is not answered */
    bool withhold;           /* no PUBACK, PUBREC, PUBCOMP */
    uint8_t puback;          /* reason in PUBACK and PUBREC, MQTT 5 */
    uint8_t pubcomp;         /* reason in PUBCOMP */
    const char *puback_text; /* and its reason string; static */
    bool hang_up;            /* closes the connection instead of an answer */
    const char *only;        /* for topics that begin so; NULL: for all; static */
} fake_script;

typedef struct fake_seen {
    size_t connects; /* CONNECT packets */
    size_t accepted; /* TCP connections */
    size_t live;     /* connections now */
    size_t subscribes;
    size_t publishes;
    size_t under_way; /* QoS 1 and 2 not acknowledged */
    size_t most_under_way;
    size_t pings;
    size_t pubacks; /* from the client */
    size_t pubrecs;
    size_t pubcomps;
    size_t pubrels;
    size_t disconnects;
    /* Of the last CONNECT. */
    char client_id[128];
    uint16_t keep_alive;
    uint32_t maximum_packet; /* 0: not announced */
} fake_seen;

/** Listens. */
fake_broker *fake_broker_new(const fake_script *script);
/** NULL is allowed. */
void fake_broker_free(fake_broker *broker);
int fake_broker_port(const fake_broker *broker);
void fake_broker_script(fake_broker *broker, const fake_script *script);
fake_seen fake_broker_seen(fake_broker *broker);
/** Closes all connections; with away the port, too, until fake_broker_back(). */
void fake_broker_hang_up(fake_broker *broker, bool away);
void fake_broker_back(fake_broker *broker);
/** A listener on this port of 127.0.0.1, 0: on any. */
int fake_broker_listen(int port, int backlog);
/** Writes bytes to all connections. */
void fake_broker_send(fake_broker *broker, const void *bytes, size_t size);
/** Says DISCONNECT (MQTT 5) with this reason to all, and closes the connections. */
void fake_broker_disconnect(fake_broker *broker, uint8_t reason);

#endif /* TESTS_SUPPORT_FAKE_BROKER_H */
