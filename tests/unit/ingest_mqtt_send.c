/* SPDX-License-Identifier: Apache-2.0 */
/* The publisher and a broker that does what its script says: refusals, limits, losses with messages
 * under way. Needs no broker program. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/time.h"
#include "edgeops/context.h"
#include "edgeops/ingest.h"
#include "ingest/mqtt_conn.h"
#include "support/collector.h"
#include "support/fake_broker.h"

#define MAX_IDS 4096

typedef struct told {
    size_t ups;
    size_t downs;
    edgeops_status last;
    char detail[256];
    size_t delivered;
    size_t refused;
    uint64_t refused_id;
    edgeops_status refused_status;
    char refused_reason[256];
    unsigned char count[MAX_IDS];
} told;

static edgeops_ctx *ctx;
static fake_broker *broker;
static edgeops_publisher *publisher;
static told t;

static void setup(void) {
    if (edgeops_source_check("mqtt", "{}") == EDGEOPS_E_NOTFOUND) {
        cr_skip("built without MQTT");
    }
    cr_assert_eq(edgeops_ctx_new(&ctx, NULL), EDGEOPS_OK);
}

static void teardown(void) {
    if (ctx != NULL) {
        edgeops_publisher_close(publisher);
        edgeops_ctx_free(ctx);
        fake_broker_free(broker);
    }
}

TestSuite(ingest_mqtt_send, .init = setup, .fini = teardown, .timeout = 100);

static void on_state(edgeops_status status, const char *detail, void *user_data) {
    (void)user_data;
    t.ups += status == EDGEOPS_OK;
    t.downs += status != EDGEOPS_OK;
    t.last = status;
    snprintf(t.detail, sizeof(t.detail), "%s", detail);
}

static void on_delivered(const uint64_t *ids, size_t n, void *user_data) {
    (void)user_data;
    t.delivered += n;
    for (size_t i = 0; i < n; i++) {
        cr_assert_lt(ids[i], MAX_IDS);
        t.count[ids[i]]++;
    }
}

static void on_refused(uint64_t id, edgeops_status status, const char *reason, void *user_data) {
    (void)user_data;
    t.refused++;
    t.refused_id = id;
    t.refused_status = status;
    snprintf(t.refused_reason, sizeof(t.refused_reason), "%s", reason);
}

static bool is_up(void *unused) {
    (void)unused;
    return t.ups > 0 && t.last == EDGEOPS_OK;
}

static bool is_down(void *unused) {
    (void)unused;
    return t.last != EDGEOPS_OK;
}

/* All that were sent have an end. */
static size_t sent;
static bool is_done(void *unused) {
    (void)unused;
    return t.delivered + t.refused >= sent;
}

static void run_up(const fake_script *script, const char *more, bool wants_refusals) {
    char config[512];
    broker = fake_broker_new(script);
    snprintf(config, sizeof(config), "{\"url\": \"mqtt://127.0.0.1:%d\"%s}",
             fake_broker_port(broker), more);
    edgeops_publisher_options options = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    options.config_json = config;
    options.on_state = on_state;
    options.on_delivered = on_delivered;
    options.on_refused = wants_refusals ? on_refused : NULL;
    options.instance = "test";
    cr_assert_eq(edgeops_publisher_open(&publisher, ctx, &options), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    cr_assert(test_run_until(ctx, is_up, NULL), "%s", t.detail);
}

static edgeops_status send_to(uint64_t id, const char *topic, size_t size, uint8_t qos,
                              uint8_t retain) {
    static char payload[70000];
    edgeops_message message = {
        .id = id, .topic = topic, .payload = payload, .size = size, .qos = qos, .retain = retain};
    edgeops_status status = edgeops_publisher_send(publisher, &message);
    sent += status == EDGEOPS_OK;
    return status;
}

#define V5 ", \"version\": \"5\""

/* -- refused by the broker -- */

/* That message only: the link stays, and its neighbours arrive. */
static void refuses(uint8_t code, uint8_t qos, edgeops_status status, const char *words) {
    fake_script script = {.puback = code, .puback_text = "no\ttwo", .only = "bad/"};
    run_up(&script, V5, true);
    cr_assert_eq(send_to(1, "good", 10, qos, 0), EDGEOPS_OK);
    cr_assert_eq(send_to(2, "bad/x", 10, qos, 0), EDGEOPS_OK);
    cr_assert_eq(send_to(3, "good", 10, qos, 0), EDGEOPS_OK);
    cr_assert(test_run_until(ctx, is_done, NULL));
    cr_expect_eq(t.refused, 1);
    cr_expect_eq(t.refused_id, 2);
    cr_expect_eq(t.refused_status, status);
    cr_expect_str_eq(t.refused_reason, words);
    cr_expect(t.delivered == 2 && t.count[1] == 1 && t.count[3] == 1);
    cr_expect(t.ups == 1 && t.downs == 0);
    cr_expect_eq(fake_broker_seen(broker).pubrels, qos == 2 ? 2 : 0);
    cr_expect_eq(fake_broker_seen(broker).under_way, 0);
}

Test(ingest_mqtt_send, refused_unspecified) {
    refuses(0x80, 1, EDGEOPS_E_BUSY, "unspecified error (0x80): no two");
}
Test(ingest_mqtt_send, refused_for_reasons_of_its_own) {
    refuses(0x83, 1, EDGEOPS_E_BUSY, "the broker's own reason (0x83): no two");
}
Test(ingest_mqtt_send, refused_not_authorized) {
    refuses(0x87, 1, EDGEOPS_E_DENIED, "not authorized (0x87): no two");
}
Test(ingest_mqtt_send, refused_not_authorized_qos2) {
    refuses(0x87, 2, EDGEOPS_E_DENIED, "not authorized (0x87): no two");
}
Test(ingest_mqtt_send, refused_topic) {
    refuses(0x90, 2, EDGEOPS_E_INVALID, "topic not accepted (0x90): no two");
}
Test(ingest_mqtt_send, refused_too_large) {
    refuses(0x95, 1, EDGEOPS_E_LIMIT, "packet too large (0x95): no two");
}
Test(ingest_mqtt_send, refused_quota) {
    refuses(0x97, 2, EDGEOPS_E_BUSY, "quota exceeded (0x97): no two");
}
Test(ingest_mqtt_send, refused_payload) {
    refuses(0x99, 1, EDGEOPS_E_INVALID, "payload format not accepted (0x99): no two");
}
Test(ingest_mqtt_send, refused_retain) {
    refuses(0x9A, 1, EDGEOPS_E_UNSUPPORTED, "retained messages are not supported (0x9A): no two");
}
Test(ingest_mqtt_send, refused_qos) {
    refuses(0x9B, 1, EDGEOPS_E_UNSUPPORTED, "this QoS is not supported (0x9B): no two");
}

/* Many brokers repeat the code in words. */
Test(ingest_mqtt_send, refused_with_nothing_to_add) {
    run_up(&(fake_script){.puback = 0x87, .puback_text = "Not Authorized"}, V5, true);
    cr_assert_eq(send_to(1, "a", 10, 1, 0), EDGEOPS_OK);
    cr_assert(test_run_until(ctx, is_done, NULL));
    cr_expect_str_eq(t.refused_reason, "not authorized (0x87)");
}

Test(ingest_mqtt_send, nobody_subscribed_is_no_refusal) {
    run_up(&(fake_script){.puback = 0x10}, V5, true);
    cr_assert_eq(send_to(1, "a", 10, 1, 0), EDGEOPS_OK);
    cr_assert_eq(send_to(2, "a", 10, 2, 0), EDGEOPS_OK);
    cr_assert(test_run_until(ctx, is_done, NULL));
    cr_expect(t.delivered == 2 && t.refused == 0);
}

/* A broker may have forgotten the number by PUBREL; the message it had. */
Test(ingest_mqtt_send, a_forgotten_number_is_no_refusal) {
    run_up(&(fake_script){.pubcomp = 0x92}, V5, true);
    cr_assert_eq(send_to(1, "a", 10, 2, 0), EDGEOPS_OK);
    cr_assert(test_run_until(ctx, is_done, NULL));
    cr_expect(t.delivered == 1 && t.refused == 0);
}

Test(ingest_mqtt_send, a_host_that_does_not_ask_is_told_by_the_state) {
    run_up(&(fake_script){.puback = 0x97}, V5, false);
    cr_assert_eq(send_to(5, "a", 10, 1, 0), EDGEOPS_OK);
    cr_assert(test_run_until(ctx, is_done, NULL));
    test_turn(ctx, 20 * EDGEOPS_MILLISECOND);
    cr_expect(t.delivered == 1 && t.count[5] == 1);
    cr_expect(t.downs == 0 && t.last == EDGEOPS_OK);
    cr_expect_not_null(strstr(t.detail, "quota exceeded (0x97)"), "%s", t.detail);
}

/* All 500 refused, one after the other: no storm, no lost place. */
Test(ingest_mqtt_send, a_broker_that_refuses_all) {
    run_up(&(fake_script){.puback = 0x87, .only = "bad"}, V5, true);
    for (uint64_t id = 0; id < 1000; id++) {
        while (send_to(id, id % 2 == 0 ? "bad" : "good", 20, 1, 0) == EDGEOPS_E_AGAIN) {
            test_turn(ctx, EDGEOPS_MILLISECOND);
        }
    }
    cr_assert(test_run_until(ctx, is_done, NULL));
    cr_expect(t.refused == 500 && t.delivered == 500);
    cr_expect(t.downs == 0);
    cr_expect_eq(fake_broker_seen(broker).publishes, 1000);
    cr_expect_eq(fake_broker_seen(broker).connects, 1);
}

static void close_here(uint64_t id, edgeops_status status, const char *reason, void *user_data) {
    on_refused(id, status, reason, user_data);
    edgeops_publisher_close(publisher);
    publisher = NULL;
}

Test(ingest_mqtt_send, may_be_closed_in_its_refusal) {
    char config[128];
    broker = fake_broker_new(&(fake_script){.puback = 0x87});
    snprintf(config, sizeof(config), "{\"url\": \"mqtt://127.0.0.1:%d\"" V5 "}",
             fake_broker_port(broker));
    edgeops_publisher_options options = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    options.config_json = config;
    options.on_state = on_state;
    options.on_refused = close_here;
    cr_assert_eq(edgeops_publisher_open(&publisher, ctx, &options), EDGEOPS_OK);
    cr_assert(test_run_until(ctx, is_up, NULL));
    for (uint64_t id = 0; id < 10; id++) {
        cr_assert_eq(send_to(id, "a", 1, 1, 0), EDGEOPS_OK);
    }
    sent = 1;
    cr_assert(test_run_until(ctx, is_done, NULL));
    test_turn(ctx, 50 * EDGEOPS_MILLISECOND);
    cr_expect_eq(t.refused, 1, "a callback came after close()");
}

/* -- what the broker announced -- */

static void keeps_to_receive_maximum(uint8_t qos) {
    static const uint8_t properties[] = {0x21, 0, 10};
    fake_script script = {.properties = properties, .properties_size = sizeof(properties)};
    run_up(&script, V5, true);
    edgeops_duration begin = eop_monotonic();
    for (uint64_t id = 0; id < 2000; id++) {
        while (send_to(id, "a", 20, qos, 0) == EDGEOPS_E_AGAIN) {
            test_turn(ctx, EDGEOPS_MILLISECOND / 10);
        }
    }
    cr_assert(test_run_until(ctx, is_done, NULL));
    cr_expect_eq(t.delivered, 2000);
    cr_expect_leq(fake_broker_seen(broker).most_under_way, 10);
    /* Paho's own way of waiting takes a second per window. */
    cr_expect_lt(eop_monotonic() - begin, 4 * EDGEOPS_SECOND);
    cr_expect_eq(t.downs, 0);
}

Test(ingest_mqtt_send, keeps_to_the_receive_maximum_qos1) {
    keeps_to_receive_maximum(1);
}
Test(ingest_mqtt_send, keeps_to_the_receive_maximum_qos2) {
    keeps_to_receive_maximum(2);
}

Test(ingest_mqtt_send, qos0_does_not_count_for_the_receive_maximum) {
    static const uint8_t properties[] = {0x21, 0, 1};
    fake_script script = {
        .properties = properties, .properties_size = sizeof(properties), .withhold = true};
    run_up(&script, V5, true);
    cr_assert_eq(send_to(1, "a", 20, 1, 0), EDGEOPS_OK);
    cr_expect_eq(send_to(2, "a", 20, 1, 0), EDGEOPS_E_AGAIN);
    for (uint64_t id = 3; id < 20; id++) {
        cr_assert_eq(send_to(id, "a", 20, 0, 0), EDGEOPS_OK);
    }
}

static void expect_refused_here(edgeops_status status, edgeops_status wanted, const char *words) {
    cr_expect_eq(status, wanted);
    cr_expect_not_null(strstr(edgeops_error_last()->message, words), "%s",
                       edgeops_error_last()->message);
}

Test(ingest_mqtt_send, refuses_what_is_over_the_maximum_packet) {
    static const uint8_t properties[] = {0x27, 0, 0, 1, 0}; /* 256 bytes */
    fake_script script = {.properties = properties, .properties_size = sizeof(properties)};
    run_up(&script, V5, true);
    /* Fixed header 3, topic 2 + 3, no properties 1, and for QoS 1 and 2 a number 2. */
    cr_expect_eq(send_to(1, "abc", 256 - 9, 0, 0), EDGEOPS_OK);
    expect_refused_here(send_to(2, "abc", 256 - 8, 0, 0), EDGEOPS_E_LIMIT,
                        "a packet of 257 bytes, the broker takes at most 256");
    cr_expect_eq(send_to(3, "abc", 256 - 11, 1, 0), EDGEOPS_OK);
    expect_refused_here(send_to(4, "abc", 256 - 10, 1, 0), EDGEOPS_E_LIMIT, "257 bytes");
    expect_refused_here(send_to(5, "abc", 66000, 2, 0), EDGEOPS_E_LIMIT, "66012 bytes");
    cr_assert(test_run_until(ctx, is_done, NULL));
    cr_expect_eq(fake_broker_seen(broker).publishes, 2);
    cr_expect_eq(t.downs, 0);
}

Test(ingest_mqtt_send, refuses_qos_and_retain_that_the_broker_has_not) {
    static const uint8_t properties[] = {0x24, 0, 0x25, 0};
    fake_script script = {.properties = properties, .properties_size = sizeof(properties)};
    run_up(&script, V5, true);
    expect_refused_here(send_to(1, "a", 5, 1, 0), EDGEOPS_E_UNSUPPORTED, "at most QoS 0");
    expect_refused_here(send_to(2, "a", 5, 0, 1), EDGEOPS_E_UNSUPPORTED, "no retained messages");
    cr_expect_eq(send_to(3, "a", 5, 0, 0), EDGEOPS_OK);
    cr_assert(test_run_until(ctx, is_done, NULL));
    cr_expect_eq(t.downs, 0);
}

/* -- losses -- */

/* The broker ends the link again and again with messages under way: each loss is reported, the
 * link comes back, and the client handles are given back. */
static void survives_ends(const char *more, bool says_why, uint8_t qos) {
    fake_script script = {.withhold = true};
    run_up(&script, more, true);
    for (int round = 0; round < 5; round++) {
        cr_assert(test_run_until(ctx, is_up, NULL), "%s", t.detail);
        for (uint64_t id = 0; id < 20; id++) {
            cr_assert_leq(send_to(id, "a", 2000, qos, 0), EDGEOPS_OK);
        }
        test_turn(ctx, 20 * EDGEOPS_MILLISECOND);
        size_t downs = t.downs;
        if (says_why) {
            fake_broker_disconnect(broker, 0x8B);
        } else {
            fake_broker_hang_up(broker, false);
        }
        cr_assert(test_run_until(ctx, is_down, NULL));
        cr_expect_eq(t.downs, downs + 1);
        cr_expect_not_null(
            strstr(t.detail, says_why ? "shutting down (0x8B)" : "closed it and gave no reason"),
            "%s", t.detail);
    }
    cr_expect_eq(t.delivered, 0);
    cr_expect_eq(eop_mqtt_conn_left(), 0, "%u handles are left", eop_mqtt_conn_left());
}

Test(ingest_mqtt_send, survives_disconnects_with_messages_under_way) {
    survives_ends(V5, true, 1);
}
Test(ingest_mqtt_send, survives_disconnects_with_messages_under_way_qos2) {
    survives_ends(V5, true, 2);
}
Test(ingest_mqtt_send, survives_hang_ups_with_messages_under_way) {
    survives_ends("", false, 1);
}

Test(ingest_mqtt_send, a_silent_broker_is_noticed) {
    fake_script mute = {.mute = true, .withhold = true};
    run_up(&(fake_script){0}, V5 ", \"keep_alive\": \"1s\"", true);
    fake_broker_script(broker, &mute);
    cr_assert_eq(send_to(1, "a", 5, 1, 0), EDGEOPS_OK);
    edgeops_duration begin = eop_monotonic();
    cr_assert(test_run_until(ctx, is_down, NULL));
    cr_expect_lt(eop_monotonic() - begin, 4 * EDGEOPS_SECOND);
    cr_expect_not_null(strstr(t.detail, "has not answered for 1 s"), "%s", t.detail);
}

/* The same with its buffers full: there is no room for a ping. More than a kernel holds: where the
 * last message alone is cut, nobody can tell it from one that was sent. */
Test(ingest_mqtt_send, a_frozen_broker_is_noticed) {
    fake_script frozen = {.frozen = true};
    run_up(&(fake_script){0}, V5 ", \"keep_alive\": \"1s\"", true);
    fake_broker_script(broker, &frozen);
    for (uint64_t id = 0; id < 250; id++) {
        cr_assert_eq(send_to(id, "a", 16600, 1, 0), EDGEOPS_OK);
    }
    edgeops_duration begin = eop_monotonic();
    cr_assert(test_run_until(ctx, is_down, NULL));
    cr_expect_lt(eop_monotonic() - begin, 14 * EDGEOPS_SECOND);
    cr_expect_not_null(strstr(t.detail, "takes no more data"), "%s", t.detail);
    /* And nothing of it stays: it comes back, and all goes once more. */
    fake_broker_script(broker, &(fake_script){0});
    cr_assert(test_run_until(ctx, is_up, NULL));
    t.delivered = 0;
    sent = 0;
    for (uint64_t id = 0; id < 250; id++) {
        cr_assert_eq(send_to(id, "a", 6000, 1, 0), EDGEOPS_OK);
    }
    cr_assert(test_run_until(ctx, is_done, NULL));
}

Test(ingest_mqtt_send, a_takeover_is_named) {
    run_up(&(fake_script){0}, V5 ", \"client_id\": \"press\"", true);
    fake_broker_disconnect(broker, 0x8E);
    cr_assert(test_run_until(ctx, is_down, NULL));
    cr_expect_not_null(strstr(t.detail, "another client uses the client id 'press-out'"), "%s",
                       t.detail);
}
