/* SPDX-License-Identifier: Apache-2.0 */
/* A real mosquitto for tests, on a loopback port of its own; and independent clients. */
#ifndef TESTS_SUPPORT_BROKER_H
#define TESTS_SUPPORT_BROKER_H

#include <stdbool.h>
#include <stddef.h>

typedef struct test_broker test_broker;

/** Zero means default: anybody may connect, no TLS, nothing kept over a restart. */
typedef struct test_broker_options {
    const char *user; /* with password: only this one may connect */
    const char *password;
    bool tls;
    bool client_cert; /* with tls: clients must show one */
    bool persistence; /* sessions and queued messages survive a restart */
    const char *acl;  /* content of an access list */
} test_broker_options;

/** What is missing for such tests on this machine; NULL: nothing. */
const char *test_broker_missing(void);
/** Makes folder, port, certificates; does not start. Fails the test when it cannot. */
test_broker *test_broker_new(const test_broker_options *options);
/** Starts; returns when the port answers. */
void test_broker_start(test_broker *broker);
/** SIGTERM (a persistent one saves) and waits. */
void test_broker_stop(test_broker *broker);
/** SIGKILL. */
void test_broker_kill(test_broker *broker);
/** Stops and removes the folder. NULL is allowed. */
void test_broker_free(test_broker *broker);

int test_broker_port(const test_broker *broker);
/** "mqtt://127.0.0.1:PORT" or "mqtts://localhost:PORT". */
const char *test_broker_url(const test_broker *broker);
/** Path in the broker's folder: ca.crt, client.crt, client.key, other-ca.crt. Static buffer. */
const char *test_broker_file(const test_broker *broker, const char *name);

/** Publishes lines with mosquitto_pub -l; waits for its end. extra: more arguments or NULL. */
void test_publish(const test_broker *broker, const char *topic, int qos, const char *lines,
                  const char *const *extra);
/** Starts mosquitto_sub writing lines "> TOPIC QOS RETAIN PAYLOAD" to a file of the
 * broker's folder; returns when it has subscribed. */
int test_subscribe(const test_broker *broker, const char *topic, const char *file);
/** Waits until the file has n such lines (20 s at most); gives its content, free() it. */
char *test_wait_messages(const test_broker *broker, const char *file, size_t n);
/** Ends what test_subscribe() started. */
void test_unsubscribe(int pid);

#endif /* TESTS_SUPPORT_BROKER_H */
