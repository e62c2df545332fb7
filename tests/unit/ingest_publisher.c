/* SPDX-License-Identifier: Apache-2.0 */
/* The publisher against a real broker, seen through mosquitto_sub. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "edgeops/context.h"
#include "edgeops/ingest.h"
#include "support/broker.h"
#include "support/collector.h"

#define MAX_IDS 20000

typedef struct told {
    size_t ups;
    size_t downs;
    edgeops_status last;
    char detail[256];
    size_t delivered;
    size_t batches;
    unsigned char count[MAX_IDS];
} told;

static edgeops_ctx *ctx;
static test_broker *broker;
static edgeops_publisher *publisher;
static int sub;
static told t;

static void setup(void) {
    const char *missing = test_broker_missing();
    if (edgeops_source_check("mqtt", "{}") == EDGEOPS_E_NOTFOUND) {
        missing = "built without MQTT";
    }
    if (missing != NULL) {
        cr_skip("%s", missing);
    }
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
}

static void teardown(void) {
    if (ctx == NULL) {
        return;
    }
    edgeops_publisher_close(publisher);
    edgeops_ctx_free(ctx);
    if (sub > 0) {
        test_unsubscribe(sub);
    }
    test_broker_free(broker);
}

TestSuite(ingest_publisher, .init = setup, .fini = teardown, .timeout = 100);

static void on_state(edgeops_status status, const char *detail, void *user_data) {
    (void)user_data;
    t.ups += status == EDGEOPS_OK;
    t.downs += status != EDGEOPS_OK;
    t.last = status;
    snprintf(t.detail, sizeof(t.detail), "%s", detail);
}

static void on_delivered(const uint64_t *ids, size_t n, void *user_data) {
    (void)user_data;
    t.batches++;
    t.delivered += n;
    for (size_t i = 0; i < n; i++) {
        cr_assert_lt(ids[i], MAX_IDS);
        t.count[ids[i]]++;
    }
}

static void open_publisher(const char *more, uint32_t in_flight) {
    char config[2048];
    snprintf(config, sizeof(config), "{\"url\": \"%s\"%s}", test_broker_url(broker), more);
    edgeops_publisher_options options = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    options.config_json = config;
    options.in_flight = in_flight;
    options.on_state = on_state;
    options.on_delivered = on_delivered;
    options.instance = "test";
    cr_assert_eq(edgeops_publisher_open(&publisher, ctx, &options), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    cr_assert_eq(t.ups + t.downs, 0, "a callback came inside open()");
}

static bool is_up(void *unused) {
    (void)unused;
    return t.ups > 0 && t.last == EDGEOPS_OK;
}

static bool is_down(void *unused) {
    (void)unused;
    return t.downs > 0 && t.last != EDGEOPS_OK;
}

static void run_up(const char *more, uint32_t in_flight) {
    open_publisher(more, in_flight);
    cr_assert(test_run_until(ctx, is_up, NULL), "%s", t.detail);
}

static edgeops_status send_one(uint64_t id, uint8_t qos, uint8_t retain) {
    char payload[32];
    edgeops_message message = {
        .id = id, .topic = "out/p", .payload = payload, .qos = qos, .retain = retain};
    message.size = (size_t)snprintf(payload, sizeof(payload), "m%llu", (unsigned long long)id);
    return edgeops_publisher_send(publisher, &message);
}

/* Sends ids [first, last) as fast as places are there. */
static void send_all(uint64_t first, uint64_t last, uint8_t qos) {
    while (first < last) {
        edgeops_status rc = send_one(first, qos, 0);
        if (rc == EDGEOPS_OK) {
            first++;
        } else {
            cr_assert_eq(rc, EDGEOPS_E_AGAIN);
            test_turn(ctx, EDGEOPS_MILLISECOND);
        }
    }
}

static size_t wanted;
static bool has_delivered(void *unused) {
    (void)unused;
    return t.delivered >= wanted;
}

static void run_delivered(size_t n) {
    wanted = n;
    cr_assert(test_run_until(ctx, has_delivered, NULL), "%zu of %zu", t.delivered, n);
}

static void delivers(const char *more, uint8_t qos) {
    broker = test_broker_new(&(test_broker_options){0});
    test_broker_start(broker);
    sub = test_subscribe(broker, "out/#", "got");
    run_up(more, 0);
    send_all(0, 1000, qos);
    run_delivered(1000);
    char *text = test_wait_messages(broker, "got", 1000);
    const char *at = text;
    for (int i = 0; i < 1000; i++) {
        char line[64];
        snprintf(line, sizeof(line), "> out/p %d 0 m%d\n", qos, i);
        cr_assert_eq(strncmp(at, line, strlen(line)), 0, "'%.40s' instead of %s", at, line);
        at += strlen(line);
        cr_assert_eq(t.count[i], 1);
    }
    cr_expect_eq(*at, '\0');
    free(text);
    cr_expect_lt(t.batches, 1000);
}

Test(ingest_publisher, delivers_v311_qos0) {
    delivers("", 0);
}
Test(ingest_publisher, delivers_v311_qos1) {
    delivers("", 1);
}
Test(ingest_publisher, delivers_v311_qos2) {
    delivers("", 2);
}
Test(ingest_publisher, delivers_v5_qos0) {
    delivers(", \"version\": \"5\"", 0);
}
Test(ingest_publisher, delivers_v5_qos1) {
    delivers(", \"version\": \"5\"", 1);
}
Test(ingest_publisher, delivers_v5_qos2) {
    delivers(", \"version\": \"5\"", 2);
}

/* The whole configuration of a source will do. */
Test(ingest_publisher, takes_a_source_s_configuration) {
    broker = test_broker_new(&(test_broker_options){0});
    test_broker_start(broker);
    run_up(", \"topics\": [\"a\"], \"payload\": {\"asset\": \"x\"}, \"client_id\": \"abc\"", 0);
    send_all(0, 1, 1);
    run_delivered(1);
}

Test(ingest_publisher, refuses_a_bad_configuration) {
    edgeops_publisher_options options = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    options.config_json = "{\"topics\": [\"a\"]}";
    cr_assert_eq(edgeops_publisher_open(&publisher, ctx, &options), EDGEOPS_E_INVALID);
    cr_assert_null(publisher);
    cr_assert_not_null(strstr(edgeops_error_last()->message, "url"));
}

Test(ingest_publisher, bounds_what_is_under_way) {
    broker = test_broker_new(&(test_broker_options){0});
    test_broker_start(broker);
    run_up("", 4);
    for (uint64_t i = 0; i < 4; i++) {
        cr_assert_eq(send_one(i, 1, 0), EDGEOPS_OK);
    }
    cr_assert_eq(send_one(4, 1, 0), EDGEOPS_E_AGAIN);
    run_delivered(4);
    cr_assert_eq(send_one(4, 1, 0), EDGEOPS_OK);
    run_delivered(5);
}

Test(ingest_publisher, refuses_a_bad_topic) {
    broker = test_broker_new(&(test_broker_options){0});
    test_broker_start(broker);
    run_up("", 0);
    edgeops_message message = {.topic = "a/+", .payload = "x", .size = 1};
    cr_assert_eq(edgeops_publisher_send(publisher, &message), EDGEOPS_E_INVALID);
    message.topic = "a";
    message.qos = 3;
    cr_assert_eq(edgeops_publisher_send(publisher, &message), EDGEOPS_E_INVALID);
}

Test(ingest_publisher, empty_and_retained) {
    broker = test_broker_new(&(test_broker_options){0});
    test_broker_start(broker);
    run_up("", 0);
    cr_assert_eq(send_one(7, 1, 1), EDGEOPS_OK);
    edgeops_message empty = {.id = 8, .topic = "out/e", .qos = 1};
    cr_assert_eq(edgeops_publisher_send(publisher, &empty), EDGEOPS_OK);
    run_delivered(2);
    sub = test_subscribe(broker, "out/#", "got");
    char *text = test_wait_messages(broker, "got", 1);
    cr_expect_str_eq(text, "> out/p 1 1 m7\n");
    free(text);
}

Test(ingest_publisher, no_link_is_again) {
    broker = test_broker_new(&(test_broker_options){0});
    open_publisher("", 0);
    cr_assert_eq(send_one(0, 1, 0), EDGEOPS_E_AGAIN);
    cr_assert(test_run_until(ctx, is_down, NULL));
    cr_expect_not_null(strstr(t.detail, "cannot connect"), "%s", t.detail);
    test_broker_start(broker);
    cr_assert(test_run_until(ctx, is_up, NULL));
    send_all(0, 10, 1);
    run_delivered(10);
}

/* The broker dies while sends are under way, again and again: what was not reported as delivered is
 * sent again, and all of it arrives at whoever listens. */
static void survives_kills(const char *more, uint8_t qos) {
    enum { N = 2000, KILLS = 3 };
    broker = test_broker_new(&(test_broker_options){0});
    test_broker_start(broker);
    run_up(more, 0);
    uint64_t next = 0;
    unsigned char sent[N] = {0};
    size_t downs = 0;
    size_t kills = 0;
    size_t left = N;
    while (left > 0) {
        if (t.downs != downs) {
            downs = t.downs;
            next = 0;
            memset(sent, 0, sizeof(sent));
        }
        while (next < N && (t.count[next] > 0 || sent[next])) {
            next++;
        }
        if (next < N && t.last == EDGEOPS_OK && send_one(next, qos, 0) == EDGEOPS_OK) {
            sent[next] = 1;
        } else {
            test_turn(ctx, EDGEOPS_MILLISECOND);
        }
        if (kills < KILLS && t.delivered > (kills + 1) * 400 && t.last == EDGEOPS_OK) {
            kills++;
            test_broker_kill(broker);
            /* Some more into the dying link: these meet the socket error. */
            for (int i = 0; i < 50 && next + 1 < N; i++) {
                uint64_t id = next + 1 + (uint64_t)i;
                if (id < N && !sent[id] && send_one(id, qos, 0) == EDGEOPS_OK) {
                    sent[id] = 1;
                }
            }
            cr_assert(test_run_until(ctx, is_down, NULL));
            test_broker_start(broker);
            cr_assert(test_run_until(ctx, is_up, NULL));
        }
        left = 0;
        for (size_t i = 0; i < N; i++) {
            left += t.count[i] == 0;
        }
    }
    cr_expect_eq(kills, KILLS);
}

Test(ingest_publisher, survives_kills_of_the_broker_v311) {
    survives_kills("", 1);
}
Test(ingest_publisher, survives_kills_of_the_broker_v311_qos2) {
    survives_kills("", 2);
}
Test(ingest_publisher, survives_kills_of_the_broker_v5) {
    survives_kills(", \"version\": \"5\"", 1);
}

Test(ingest_publisher, wrong_password_is_named) {
    broker = test_broker_new(&(test_broker_options){.user = "edge", .password = "right"});
    test_broker_start(broker);
    open_publisher(", \"user\": \"edge\", \"password\": \"wrong-one\"", 0);
    cr_assert(test_run_until(ctx, is_down, NULL));
    cr_expect_eq(t.last, EDGEOPS_E_DENIED);
    cr_expect_not_null(strstr(t.detail, "check user and password"), "%s", t.detail);
    cr_expect_null(strstr(t.detail, "wrong-one"));
}

Test(ingest_publisher, tls_with_a_client_certificate) {
    char more[1024];
    broker = test_broker_new(&(test_broker_options){.tls = true, .client_cert = true});
    test_broker_start(broker);
    snprintf(more, sizeof(more), ", \"tls\": {\"ca\": \"%s\", \"cert\": \"%s\", \"key\": \"%s\"}",
             test_broker_file(broker, "ca.crt"), test_broker_file(broker, "client.crt"),
             test_broker_file(broker, "client.key"));
    run_up(more, 0);
    send_all(0, 100, 1);
    run_delivered(100);
}

Test(ingest_publisher, a_proper_end_publishes_no_will) {
    broker = test_broker_new(&(test_broker_options){0});
    test_broker_start(broker);
    sub = test_subscribe(broker, "#", "got");
    run_up(", \"will\": {\"topic\": \"gone/p\", \"payload\": \"died\"}", 0);
    edgeops_publisher_close(publisher);
    publisher = NULL;
    test_publish(broker, "last", 1, "x\n", NULL);
    char *text = test_wait_messages(broker, "got", 1);
    cr_expect_str_eq(text, "> last 1 0 x\n", "%s", text);
    free(text);
}

Test(ingest_publisher, close_hands_over_what_is_under_way) {
    broker = test_broker_new(&(test_broker_options){0});
    test_broker_start(broker);
    sub = test_subscribe(broker, "out/#", "got");
    run_up("", 0);
    send_all(0, 200, 1);
    edgeops_publisher_close(publisher);
    publisher = NULL;
    free(test_wait_messages(broker, "got", 200));
}

static void close_in_callback(edgeops_status status, const char *detail, void *user_data) {
    (void)status;
    (void)detail;
    (*(int *)user_data)++;
    edgeops_publisher_close(publisher);
    publisher = NULL;
}

static int closes;
static bool has_closed(void *unused) {
    (void)unused;
    return closes > 0;
}

Test(ingest_publisher, may_be_closed_in_its_own_callback) {
    broker = test_broker_new(&(test_broker_options){0});
    test_broker_start(broker);
    char config[128];
    snprintf(config, sizeof(config), "{\"url\": \"%s\"}", test_broker_url(broker));
    edgeops_publisher_options options = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    options.config_json = config;
    options.on_state = close_in_callback;
    options.user_data = &closes;
    cr_assert_eq(edgeops_publisher_open(&publisher, ctx, &options), EDGEOPS_OK);
    cr_assert(test_run_until(ctx, has_closed, NULL));
    test_turn(ctx, 20 * EDGEOPS_MILLISECOND);
    cr_expect_eq(closes, 1);
}
