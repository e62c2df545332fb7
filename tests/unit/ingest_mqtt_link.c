/* SPDX-License-Identifier: Apache-2.0 */
/* A subscribing link and a broker that does what its script says: what brokers announce, refuse and
 * end, and how soon the link is back. Needs no broker program. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/time.h"
#include "edgeops/ingest.h"
#include "ingest/mqtt_link.h"
#include "support/fake_broker.h"

/* What the link's threads report. */
typedef struct heard {
    pthread_mutex_t mutex;
    size_t ups;
    size_t downs;
    edgeops_duration last_down;
    edgeops_duration gap; /* smallest between two downs in a row; 0: none */
    bool up;
    edgeops_status reason;
    char detail[512]; /* of the last loss */
    eop_mqtt_announced announced;
    eop_mqtt_granted granted[4];
    size_t granted_count;
    bool session_lost;
    size_t messages;
    char topic[64];
    char payload[64];
    bool retained;
} heard;

static heard h = {.mutex = PTHREAD_MUTEX_INITIALIZER};
static fake_broker *broker;
static eop_mqtt_link *link_;
static eop_mqtt_config *config;

static void on_state(edgeops_status reason, const char *detail, uint64_t generation,
                     const eop_mqtt_terms *terms, void *user_data) {
    (void)generation;
    (void)user_data;
    pthread_mutex_lock(&h.mutex);
    h.up = reason == EDGEOPS_OK;
    h.ups += h.up;
    h.downs += !h.up;
    h.reason = reason;
    if (h.up) {
        h.announced = *terms->announced;
        h.granted_count = terms->granted_count;
        for (size_t i = 0; i < terms->granted_count && i < 4; i++) {
            h.granted[i] = terms->granted[i];
        }
        h.session_lost = terms->session_lost;
    } else {
        edgeops_duration now = eop_monotonic();
        h.gap = h.gap == 0 || now - h.last_down < h.gap ? now - h.last_down : h.gap;
        h.last_down = now;
        snprintf(h.detail, sizeof(h.detail), "%s", detail);
    }
    cr_expect_eq(terms != NULL, h.up);
    pthread_mutex_unlock(&h.mutex);
}

/* What on_session gives, one after the other; 0: there is none. */
static atomic_int verdicts[4];
static atomic_size_t judged;
static atomic_bool resumed_first;

static edgeops_status on_session(bool resumed, void *user_data) {
    (void)user_data;
    size_t i = atomic_fetch_add(&judged, 1);
    if (i == 0) {
        atomic_store(&resumed_first, resumed);
    }
    int verdict = i < 4 ? atomic_load(&verdicts[i]) : 0;
    return verdict < 0 ? eop_fail(verdict, "test", "not noted") : (edgeops_status)verdict;
}

static void on_message(const char *topic, const void *payload, size_t size, bool retained,
                       void *user_data) {
    (void)user_data;
    pthread_mutex_lock(&h.mutex);
    h.messages++;
    h.retained = retained;
    snprintf(h.topic, sizeof(h.topic), "%s", topic);
    snprintf(h.payload, sizeof(h.payload), "%.*s", (int)size, (const char *)payload);
    pthread_mutex_unlock(&h.mutex);
}

static heard now_heard(void) {
    pthread_mutex_lock(&h.mutex);
    heard copy = h;
    pthread_mutex_unlock(&h.mutex);
    return copy;
}

static void setup(void) {
    if (edgeops_source_check("mqtt", "{}") == EDGEOPS_E_NOTFOUND) {
        cr_skip("built without MQTT");
    }
}

static void teardown(void) {
    eop_mqtt_link_stop(link_);
    eop_mqtt_config_unref(config);
    fake_broker_free(broker);
}

TestSuite(ingest_mqtt_link, .init = setup, .fini = teardown, .timeout = 100);

/* more: further members, each with a comma before it. */
static void named(const char *host, const fake_script *script, const char *topics,
                  const char *more) {
    static const eop_mqtt_conn_handler handler = {.on_message = on_message};
    char text[1024];
    broker = fake_broker_new(script);
    snprintf(text, sizeof(text), "{\"url\": \"mqtt://%s:%d\", \"topics\": [%s]%s}", host,
             fake_broker_port(broker), topics, more);
    cr_assert_eq(eop_mqtt_config_new(&config, text, false), EDGEOPS_OK, "%s",
                 edgeops_error_last()->message);
    eop_mqtt_link_options options = {
        .config = config,
        .client_id_suffix = "",
        .handler = &handler,
        .on_state = on_state,
        .on_session = on_session,
    };
    cr_assert_eq(eop_mqtt_link_start(&link_, &options), EDGEOPS_OK);
}

static void start(const fake_script *script, const char *topics, const char *more) {
    named("127.0.0.1", script, topics, more);
}

static double since(edgeops_duration begin) {
    return (double)(eop_monotonic() - begin) / (double)EDGEOPS_SECOND;
}

static void pause_ms(long ms) {
    struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&t, NULL);
}

/* The condition is looked at every 5 ms, 20 s at most. */
#define WAIT_FOR(condition)                                                                        \
    do {                                                                                           \
        edgeops_duration begin_ = eop_monotonic();                                                 \
        while (!(condition) && since(begin_) < 20) {                                               \
            pause_ms(5);                                                                           \
        }                                                                                          \
        cr_assert(condition, #condition " (%s)", now_heard().detail);                              \
    } while (0)

static const fake_script plain = {0};
#define V5 ", \"version\": \"5\", \"client_id\": \"line-3\""

/* -- whose session it is -- */

/* The broker is asked to drop it, with a connection that subscribes to nothing. */
static void drops_a_session(const char *more) {
    fake_script script = {.session = true};
    atomic_store(&verdicts[0], EDGEOPS_DONE);
    start(&script, "\"a\", \"b\"", more);
    WAIT_FOR(now_heard().up);
    fake_seen seen = fake_broker_seen(broker);
    cr_expect(atomic_load(&resumed_first));
    cr_expect_eq(atomic_load(&judged), 2);
    cr_expect_eq(seen.connects, 3);
    cr_expect_eq(seen.subscribes, 2);
    cr_expect_eq(now_heard().downs, 0, "nothing was lost");
    fake_broker_hang_up(broker, false);
    WAIT_FOR(now_heard().ups == 2);
    cr_expect_eq(fake_broker_seen(broker).connects, 4, "from then on it is ours");
}

Test(ingest_mqtt_link, session_of_another_is_dropped) {
    drops_a_session("");
}

Test(ingest_mqtt_link, session_of_another_is_dropped_v5) {
    drops_a_session(V5);
}

Test(ingest_mqtt_link, session_that_cannot_be_noted_is_not_subscribed_to) {
    atomic_store(&verdicts[0], EDGEOPS_E_IO);
    atomic_store(&verdicts[1], EDGEOPS_E_IO);
    start(&plain, "\"a\"", "");
    WAIT_FOR(now_heard().downs == 2);
    cr_expect_eq(fake_broker_seen(broker).subscribes, 0);
    cr_expect_eq(now_heard().reason, EDGEOPS_E_IO);
    cr_expect_not_null(strstr(now_heard().detail, "not noted"));
    WAIT_FOR(now_heard().up);
    cr_expect_eq(fake_broker_seen(broker).subscribes, 1);
}

Test(ingest_mqtt_link, session_that_is_never_dropped_is_said) {
    fake_script script = {.session = true};
    atomic_store(&verdicts[0], EDGEOPS_DONE);
    atomic_store(&verdicts[1], EDGEOPS_DONE);
    start(&script, "\"a\"", "");
    WAIT_FOR(now_heard().downs == 1);
    cr_expect_eq(now_heard().reason, EDGEOPS_E_PROTOCOL);
    cr_expect_eq(fake_broker_seen(broker).subscribes, 0);
    WAIT_FOR(now_heard().up);
}

/* -- the broker ends it -- */

static void ends(uint8_t reason, const char *words) {
    start(&plain, "\"a\"", V5);
    WAIT_FOR(now_heard().up);
    edgeops_duration begin = eop_monotonic();
    fake_broker_disconnect(broker, reason);
    WAIT_FOR(now_heard().downs == 1);
    cr_expect_lt(since(begin), 1.0);
    heard is = now_heard();
    cr_expect_eq(is.reason, EDGEOPS_E_CLOSED);
    cr_expect_not_null(strstr(is.detail, words), "%s", is.detail);
    WAIT_FOR(now_heard().ups == 2);
    cr_expect_lt(since(begin), 3.0);
}

Test(ingest_mqtt_link, a_disconnect_ends_it_shutting_down) {
    ends(0x8B, "the broker is shutting down (0x8B)");
}
Test(ingest_mqtt_link, a_disconnect_ends_it_keep_alive) {
    ends(0x8D, "keep-alive timeout (0x8D)");
}
Test(ingest_mqtt_link, a_disconnect_ends_it_too_large) {
    ends(0x95, "packet too large (0x95)");
}
Test(ingest_mqtt_link, a_disconnect_ends_it_without_a_reason) {
    ends(0x00, "no reason given");
}
Test(ingest_mqtt_link, a_takeover_is_named_with_the_next_step) {
    ends(0x8E, "another client uses the client id 'line-3'; set client_id");
}

/* Two clients of one id: the pauses grow, instead of both taking it by turns for ever. */
Test(ingest_mqtt_link, clients_of_one_id_do_not_storm) {
    start(&plain, "\"a\"", V5);
    edgeops_duration begin = eop_monotonic();
    size_t ups = 0;
    while (since(begin) < 6) {
        if (now_heard().ups > ups) {
            ups = now_heard().ups;
            fake_broker_disconnect(broker, 0x8E);
        }
        pause_ms(5);
    }
    cr_expect_geq(ups, 2);
    cr_expect_leq(ups, 5, "%zu connections in 6 s", ups);
}

Test(ingest_mqtt_link, a_hang_up_without_a_word_is_called_one) {
    start(&plain, "\"a\"", "");
    WAIT_FOR(now_heard().up);
    fake_broker_hang_up(broker, false);
    WAIT_FOR(now_heard().downs == 1);
    heard is = now_heard();
    cr_expect_not_null(strstr(is.detail, "the broker closed it and gave no reason"), "%s",
                       is.detail);
}

/* In 3.1.1 it has no word for a second client of the same id. */
Test(ingest_mqtt_link, hang_ups_in_a_row_are_called_that) {
    start(&plain, "\"a\"", "");
    for (size_t n = 1; n <= 3; n++) {
        WAIT_FOR(now_heard().ups == n);
        fake_broker_hang_up(broker, false);
        WAIT_FOR(now_heard().downs == n);
        cr_expect_eq(strstr(now_heard().detail,
                            "3 times in a row: another client may have this client "
                            "id") != NULL,
                     n == 3, "%s", now_heard().detail);
    }
}

/* Shutting down, busy: the broker told why, and another client is not to blame. */
Test(ingest_mqtt_link, ends_with_a_reason_are_not_guessed_about) {
    static const uint8_t codes[] = {0x8B, 0x89, 0x97};
    start(&plain, "\"a\"", V5);
    for (size_t n = 1; n <= 3; n++) {
        WAIT_FOR(now_heard().ups == n);
        fake_broker_disconnect(broker, codes[n - 1]);
        WAIT_FOR(now_heard().downs == n);
    }
    heard is = now_heard();
    cr_expect_not_null(strstr(is.detail, "quota exceeded (0x97), 3 times in a row"), "%s",
                       is.detail);
    cr_expect_null(strstr(is.detail, "another client"), "%s", is.detail);
}

/* -- what it announces -- */

Test(ingest_mqtt_link, takes_what_is_announced) {
    static const uint8_t properties[] = {0x21, 0, 7,                          /* receive max */
                                         0x24, 1,                             /* QoS */
                                         0x25, 0,                             /* no retain */
                                         0x27, 0, 1,    0x11, 0x70,           /* 70000 bytes */
                                         0x12, 0, 4,    'g',  'i',  'v', 'n', /* client id */
                                         0x28, 1, 0x2A, 1,                    /* all filters */
                                         0x11, 0, 0,    0,    60,             /* expiry */
                                         0x22, 0, 9};
    fake_script script = {.properties = properties, .properties_size = sizeof(properties)};
    start(&script, "\"a/+\"", V5);
    WAIT_FOR(now_heard().up);
    eop_mqtt_announced is = now_heard().announced;
    cr_expect(is.v5 && !is.session_present && !is.retain_available);
    cr_expect(is.wildcard_available && is.shared_available);
    cr_expect_eq(is.receive_maximum, 7);
    cr_expect_eq(is.maximum_qos, 1);
    cr_expect_eq(is.maximum_packet, 70000);
    cr_expect_eq(is.keep_alive_s, 20);
    cr_expect_eq(is.session_expiry_s, 60);
    cr_expect_str_eq(is.client_id, "givn");
    /* The id is kept: another would lose the session. */
    cr_expect_str_eq(fake_broker_seen(broker).client_id, "line-3");
    fake_broker_hang_up(broker, false);
    WAIT_FOR(now_heard().ups == 2);
    cr_expect_str_eq(fake_broker_seen(broker).client_id, "givn");
}

Test(ingest_mqtt_link, what_is_not_announced_is_not_limited) {
    start(&plain, "\"a\"", "");
    WAIT_FOR(now_heard().up);
    eop_mqtt_announced is = now_heard().announced;
    cr_expect(!is.v5 && is.retain_available && is.wildcard_available && is.shared_available);
    cr_expect_eq(is.receive_maximum, 65535);
    cr_expect_eq(is.maximum_qos, 2);
    cr_expect_eq(is.maximum_packet, 0);
    cr_expect_eq(is.session_expiry_s, UINT32_MAX);
    cr_expect_str_eq(is.client_id, "");
}

/* Paho takes no notice of it by itself. */
Test(ingest_mqtt_link, pings_as_often_as_the_broker_wants) {
    static const uint8_t properties[] = {0x13, 0, 1};
    fake_script script = {.properties = properties, .properties_size = sizeof(properties)};
    start(&script, "\"a\"", V5 ", \"keep_alive\": \"10m\"");
    WAIT_FOR(now_heard().up);
    cr_expect_eq(fake_broker_seen(broker).keep_alive, 600);
    cr_expect_eq(now_heard().announced.keep_alive_s, 1);
    pause_ms(5000);
    cr_expect_geq(fake_broker_seen(broker).pings, 3);
    cr_expect_eq(now_heard().downs, 0);
    cr_expect_eq(fake_broker_seen(broker).connects, 1);
}

Test(ingest_mqtt_link, a_longer_keep_alive_changes_nothing) {
    static const uint8_t properties[] = {0x13, 2, 0};
    fake_script script = {.properties = properties, .properties_size = sizeof(properties)};
    start(&script, "\"a\"", V5);
    WAIT_FOR(now_heard().up);
    cr_expect_eq(fake_broker_seen(broker).connects, 1);
}

Test(ingest_mqtt_link, tells_the_broker_how_large_a_packet_may_be) {
    start(&plain, "\"a\"", V5 ", \"max_payload\": \"10KiB\"");
    WAIT_FOR(now_heard().up);
    cr_expect_eq(fake_broker_seen(broker).maximum_packet, 10 * 1024 + 128 * 1024);
}

/* Limits with which nothing could be sent, or that there are not: said, and no reason to wait. */
static void forbidden(const uint8_t *properties, size_t size, const char *what) {
    char words[128];
    start(&(fake_script){.properties = properties, .properties_size = size}, "\"a\"", V5);
    WAIT_FOR(now_heard().downs > 0);
    cr_expect_eq(now_heard().reason, EDGEOPS_E_PROTOCOL);
    snprintf(words, sizeof(words), ": the broker announces a %s, which MQTT forbids", what);
    cr_expect_not_null(strstr(now_heard().detail, words), "%s", now_heard().detail);
    pause_ms(1500);
    cr_expect_eq(now_heard().ups, 0);
    cr_expect_leq(fake_broker_seen(broker).connects, 3);
    WAIT_FOR(fake_broker_seen(broker).live == 0);
    cr_expect_eq(fake_broker_seen(broker).disconnects, fake_broker_seen(broker).connects);
    edgeops_duration begin = eop_monotonic();
    eop_mqtt_link_stop(link_);
    link_ = NULL;
    cr_expect_lt(since(begin), 1.0, "%.2f s", since(begin));
}

Test(ingest_mqtt_link, a_receive_maximum_of_0_is_forbidden) {
    static const uint8_t properties[] = {0x21, 0, 0};
    forbidden(properties, sizeof(properties), "receive maximum of 0");
}

Test(ingest_mqtt_link, a_maximum_packet_size_of_0_is_forbidden) {
    static const uint8_t properties[] = {0x25, 1, 0x27, 0, 0, 0, 0};
    forbidden(properties, sizeof(properties), "maximum packet size of 0");
}

Test(ingest_mqtt_link, a_maximum_qos_of_3_is_forbidden) {
    static const uint8_t properties[] = {0x24, 3};
    forbidden(properties, sizeof(properties), "maximum QoS of 3");
}

Test(ingest_mqtt_link, a_maximum_qos_of_2_is_no_limit) {
    static const uint8_t properties[] = {0x24, 2};
    start(&(fake_script){.properties = properties, .properties_size = sizeof(properties)}, "\"a\"",
          V5);
    WAIT_FOR(now_heard().up);
    cr_expect_eq(now_heard().announced.maximum_qos, 2);
}

/* -- what it grants -- */

Test(ingest_mqtt_link, a_lower_qos_is_reported) {
    fake_script script = {.suback = 0 + 1};
    start(&script, "\"a\", {\"filter\": \"b\", \"qos\": 0}", V5 ", \"qos\": 2");
    WAIT_FOR(now_heard().up);
    heard is = now_heard();
    cr_assert_eq(is.granted_count, 2);
    cr_expect_str_eq(is.granted[0].filter, "a");
    cr_expect_eq(is.granted[0].asked, 2);
    cr_expect_eq(is.granted[0].granted, 0);
    cr_expect_eq(is.granted[1].asked, 0);
    cr_expect_eq(is.granted[0].refused, 0);
}

Test(ingest_mqtt_link, a_refused_filter_is_named_with_the_reason) {
    fake_script script = {.suback = 0x97};
    start(&script, "\"a\"", V5);
    WAIT_FOR(now_heard().downs > 0);
    cr_expect_eq(now_heard().reason, EDGEOPS_E_DENIED);
    cr_expect_not_null(strstr(now_heard().detail, "'a': quota exceeded (0x97)"), "%s",
                       now_heard().detail);
}

/* More codes than filters were asked for, or one that is neither a QoS nor a refusal: no answer to
 * go by, nor one to ask for many times a second. */
static void malformed(const fake_script *script, const char *more) {
    start(script, "\"a\", \"b\"", more);
    WAIT_FOR(now_heard().downs > 0);
    cr_expect_eq(now_heard().reason, EDGEOPS_E_PROTOCOL);
    cr_expect_not_null(
        strstr(now_heard().detail, ": the broker's answer to SUBSCRIBE is malformed"), "%s",
        now_heard().detail);
    pause_ms(2000);
    cr_expect_eq(now_heard().ups, 0);
    cr_expect_leq(fake_broker_seen(broker).connects, 3);
    WAIT_FOR(fake_broker_seen(broker).live == 0);
    /* The end is said, or the broker would publish the will. */
    cr_expect_eq(fake_broker_seen(broker).disconnects, fake_broker_seen(broker).connects);
}

Test(ingest_mqtt_link, too_many_codes_for_a_filter_are_malformed_v311) {
    malformed(&(fake_script){.suback = 1 + 1, .suback_codes = 20 + 1}, "");
}

Test(ingest_mqtt_link, two_codes_for_a_filter_are_malformed_v311) {
    malformed(&(fake_script){.suback_codes = 2 + 1}, "");
}

Test(ingest_mqtt_link, too_many_codes_for_a_filter_are_malformed_v5) {
    malformed(&(fake_script){.suback = 1 + 1, .suback_codes = 20 + 1}, V5);
}

Test(ingest_mqtt_link, refusals_for_one_filter_are_malformed_v5) {
    malformed(&(fake_script){.suback = 0x87, .suback_codes = 2 + 1}, V5);
}

Test(ingest_mqtt_link, a_qos_of_three_is_malformed_v311) {
    malformed(&(fake_script){.suback = 3 + 1}, "");
}

Test(ingest_mqtt_link, a_qos_of_three_is_malformed_v5) {
    malformed(&(fake_script){.suback = 3 + 1}, V5);
}

/* It is reached and has said so: nothing is wrong with the address or the firewall. */
Test(ingest_mqtt_link, a_subscribe_that_is_not_answered_is_told) {
    start(&(fake_script){.no_suback = true}, "\"a\"", "");
    WAIT_FOR(now_heard().downs > 0);
    heard is = now_heard();
    cr_expect_eq(is.reason, EDGEOPS_E_TIMEOUT);
    cr_expect_not_null(strstr(is.detail, "has not answered SUBSCRIBE for 15 s"), "%s", is.detail);
    cr_expect_null(strstr(is.detail, "firewall"), "%s", is.detail);
    edgeops_duration begin = eop_monotonic();
    eop_mqtt_link_stop(link_);
    link_ = NULL;
    cr_expect_lt(since(begin), 2.0, "%.2f s", since(begin));
}

/* As mochi does while messages that it kept have the packet ids of the requests. */
static void asks_again(int refusal, bool session, const char *more) {
    fake_script script = {.suback = refusal, .session = session};
    start(&script, "\"a\", \"b\"", more);
    WAIT_FOR(fake_broker_seen(broker).subscribes >= 4);
    script.suback = 0;
    fake_broker_script(broker, &script);
    WAIT_FOR(now_heard().up);
    cr_expect_eq(now_heard().downs, 0);
    cr_expect_eq(now_heard().granted[1].refused, 0);
    cr_expect_eq(fake_broker_seen(broker).connects, 1);
}

Test(ingest_mqtt_link, a_filter_refused_for_its_packet_id_is_asked_for_again_v311) {
    asks_again(0x80, true, "");
}

Test(ingest_mqtt_link, a_filter_refused_for_its_packet_id_is_asked_for_again_v5) {
    asks_again(0x91, false, V5);
}

Test(ingest_mqtt_link, a_packet_id_that_stays_in_use_is_told) {
    fake_script script = {.suback = 0x91};
    start(&script, "\"a\"", V5);
    WAIT_FOR(now_heard().downs > 0);
    cr_expect_not_null(strstr(now_heard().detail, "packet identifier in use (0x91)"), "%s",
                       now_heard().detail);
}

Test(ingest_mqtt_link, shared_filters_that_the_broker_has_not) {
    static const uint8_t properties[] = {0x2A, 0};
    fake_script script = {.properties = properties, .properties_size = sizeof(properties)};
    start(&script, "\"a\", \"$share/g/a\"", V5);
    WAIT_FOR(now_heard().downs > 0);
    cr_expect_eq(now_heard().reason, EDGEOPS_E_UNSUPPORTED);
    cr_expect_not_null(strstr(now_heard().detail, "no shared subscriptions: '$share/g/a'"), "%s",
                       now_heard().detail);
    cr_expect_eq(fake_broker_seen(broker).subscribes, 0);
}

Test(ingest_mqtt_link, shared_filters_in_311_are_doubtful) {
    start(&plain, "\"a\", \"$share/g/a\"", ", \"qos\": 2");
    WAIT_FOR(now_heard().up);
    heard is = now_heard();
    cr_assert_eq(is.granted_count, 2);
    cr_expect(!is.granted[0].shared_unsure && is.granted[1].shared_unsure);
    cr_expect_eq(is.granted[0].asked, 1);
    cr_expect_eq(is.granted[0].granted, 1);
}

static void notices_a_lost_session(const char *more) {
    fake_script script = {.session = true};
    start(&plain, "\"a\"", more);
    WAIT_FOR(now_heard().up);
    cr_expect_not(now_heard().session_lost, "there was none before");
    fake_broker_script(broker, &script);
    fake_broker_hang_up(broker, false);
    WAIT_FOR(now_heard().ups == 2);
    cr_expect(!now_heard().session_lost && now_heard().announced.session_present);
    fake_broker_script(broker, &plain);
    fake_broker_hang_up(broker, false);
    WAIT_FOR(now_heard().ups == 3);
    cr_expect(now_heard().session_lost && !now_heard().announced.session_present);
}

Test(ingest_mqtt_link, notices_a_lost_session_v311) {
    notices_a_lost_session("");
}
Test(ingest_mqtt_link, notices_a_lost_session_v5) {
    notices_a_lost_session(V5);
}

/* -- QoS 2 -- */

/* Some brokers deliver QoS 2 to a subscription of QoS 1. The message must be with its owner before
 * the broker hears PUBREC, and once only. */
static void takes_qos2_before_pubrec(const char *more, bool v5) {
    uint8_t publish[] = {0x35, 9, 0, 1, 't', 1, 2, 'o', 'n', 'e', ' '};
    uint8_t publish5[] = {0x35, 9, 0, 1, 't', 1, 2, 0, 'o', 'n', 'e'};
    static const uint8_t pubrel[] = {0x62, 2, 1, 2};
    fake_script script = {.withhold = true}; /* no PUBREL by itself */
    start(&script, "\"t\"", more);
    WAIT_FOR(now_heard().up);
    fake_broker_send(broker, v5 ? publish5 : publish, sizeof(publish));
    WAIT_FOR(fake_broker_seen(broker).pubrecs == 1);
    heard is = now_heard();
    cr_assert_eq(is.messages, 1);
    cr_expect_str_eq(is.topic, "t");
    cr_expect_str_eq(is.payload, v5 ? "one" : "one ");
    cr_expect(is.retained);
    /* Once more with the same number: the same message. */
    publish[0] = publish5[0] = 0x3D;
    fake_broker_send(broker, v5 ? publish5 : publish, sizeof(publish));
    WAIT_FOR(fake_broker_seen(broker).pubrecs == 2);
    fake_broker_send(broker, pubrel, sizeof(pubrel));
    WAIT_FOR(fake_broker_seen(broker).pubcomps == 1);
    cr_expect_eq(now_heard().messages, 1);
    /* The number is free: another message. */
    publish[0] = publish5[0] = 0x34;
    fake_broker_send(broker, v5 ? publish5 : publish, sizeof(publish));
    WAIT_FOR(fake_broker_seen(broker).pubrecs == 3);
    cr_expect_eq(now_heard().messages, 2);
    cr_expect_not(now_heard().retained);
    fake_broker_send(broker, pubrel, sizeof(pubrel));
    WAIT_FOR(fake_broker_seen(broker).pubcomps == 2);
    cr_expect_eq(now_heard().messages, 2);
}

/* aedes gives two messages one number, and its DUP tells nothing, in neither direction. */
static void takes_another_message(uint8_t dup) {
    uint8_t publish[] = {0x34 | dup, 8, 0, 1, 't', 1, 2, 'o', 'n', 'e'};
    fake_script script = {.withhold = true};
    start(&script, "\"t\"", "");
    WAIT_FOR(now_heard().up);
    for (size_t i = 1; i <= 2; i++) {
        fake_broker_send(broker, publish, sizeof(publish));
        WAIT_FOR(fake_broker_seen(broker).pubrecs == 2 * i - 1);
        cr_expect_eq(now_heard().messages, i);
        fake_broker_send(broker, publish, sizeof(publish));
        WAIT_FOR(fake_broker_seen(broker).pubrecs == 2 * i);
        cr_expect_eq(now_heard().messages, i);
        publish[9]++;
    }
}

Test(ingest_mqtt_link, takes_another_qos2_message_of_the_same_number) {
    takes_another_message(0);
}

Test(ingest_mqtt_link, takes_another_qos2_message_of_the_same_number_with_dup) {
    takes_another_message(8);
}

Test(ingest_mqtt_link, takes_qos2_before_pubrec_v311) {
    takes_qos2_before_pubrec("", false);
}
Test(ingest_mqtt_link, takes_qos2_before_pubrec_v5) {
    takes_qos2_before_pubrec(V5, true);
}

/* -- a broker that is away, or silent -- */

/* Within 1.5 times the keep-alive, as a broker notices a silent client. */
Test(ingest_mqtt_link, a_silent_broker_is_noticed_in_time) {
    fake_script mute = {.mute = true};
    start(&plain, "\"a\"", ", \"keep_alive\": \"5s\"");
    WAIT_FOR(now_heard().up);
    fake_broker_script(broker, &mute);
    edgeops_duration begin = eop_monotonic();
    WAIT_FOR(now_heard().downs > 0);
    cr_expect_lt(since(begin), 7.5 + 1.5, "%.1f s", since(begin));
    cr_expect_not_null(strstr(now_heard().detail, "has not answered for 4 s"), "%s",
                       now_heard().detail);
}

Test(ingest_mqtt_link, a_silent_broker_is_noticed) {
    fake_script mute = {.mute = true};
    start(&plain, "\"a\"", ", \"keep_alive\": \"1s\"");
    WAIT_FOR(now_heard().up);
    pause_ms(3000);
    cr_expect_eq(now_heard().downs, 0, "pings are answered");
    fake_broker_script(broker, &mute);
    edgeops_duration begin = eop_monotonic();
    WAIT_FOR(now_heard().downs > 0);
    cr_expect_lt(since(begin), 2.5 + 1.5);
    cr_expect_not_null(strstr(now_heard().detail, "lost: the broker has not answered for 1 s"),
                       "%s", now_heard().detail);
}

/* Quiet for longer than the keep-alive, but answering: it is not called silent when it goes. */
Test(ingest_mqtt_link, a_quiet_broker_that_hangs_up_is_not_called_silent) {
    start(&plain, "\"a\"", V5 ", \"keep_alive\": \"1s\"");
    WAIT_FOR(now_heard().up);
    pause_ms(3000);
    fake_broker_hang_up(broker, false);
    WAIT_FOR(now_heard().downs > 0);
    cr_expect_not_null(strstr(now_heard().detail, "the broker closed it and gave no reason"), "%s",
                       now_heard().detail);
}

/* Away in one of several ways for `away` ms, then back: is the link, within two seconds? */
static void comes_back(long away, const fake_script *meanwhile) {
    start(&plain, "\"a\"", "");
    WAIT_FOR(now_heard().up);
    fake_broker_hang_up(broker, meanwhile == NULL);
    if (meanwhile != NULL) {
        fake_broker_script(broker, meanwhile);
        fake_broker_hang_up(broker, false);
    }
    WAIT_FOR(!now_heard().up);
    pause_ms(away);
    edgeops_duration begin = eop_monotonic();
    if (meanwhile == NULL) {
        fake_broker_back(broker);
    } else {
        fake_broker_script(broker, &plain);
    }
    WAIT_FOR(now_heard().up);
    cr_expect_lt(since(begin), 2.2, "%.2f s", since(begin));
}

Test(ingest_mqtt_link, is_back_soon_after_nobody_listened) {
    comes_back(8000, NULL);
}
Test(ingest_mqtt_link, is_back_soon_after_a_broker_that_was_not_available) {
    comes_back(7000, &(fake_script){.connack = 3});
}

/* Nothing listens to SYN: the queue of a listener is full. */
Test(ingest_mqtt_link, is_back_soon_after_the_second_restart_in_a_row) {
    comes_back(2500, NULL);
    fake_broker_hang_up(broker, true);
    WAIT_FOR(!now_heard().up);
    edgeops_duration begin = eop_monotonic();
    fake_broker_back(broker);
    WAIT_FOR(now_heard().up);
    cr_expect_lt(since(begin), 1.7, "%.2f s", since(begin));
}

Test(ingest_mqtt_link, is_back_soon_after_a_void) {
    enum { FILL = 8 };
    struct sockaddr_in address = {.sin_family = AF_INET};
    int fill[FILL];
    start(&plain, "\"a\"", "");
    WAIT_FOR(now_heard().up);
    fake_broker_hang_up(broker, true);
    int void_ = fake_broker_listen(fake_broker_port(broker), 0);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons((uint16_t)fake_broker_port(broker));
    for (int i = 0; i < FILL; i++) {
        fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)!connect(fill[i], (struct sockaddr *)&address, sizeof(address));
    }
    pause_ms(7000);
    cr_expect_not(now_heard().up);
    cr_expect_not_null(strstr(now_heard().detail, "no answer from"), "%s", now_heard().detail);
    for (int i = 0; i < FILL; i++) {
        close(fill[i]);
    }
    close(void_);
    edgeops_duration begin = eop_monotonic();
    fake_broker_back(broker);
    WAIT_FOR(now_heard().up);
    cr_expect_lt(since(begin), 2.2, "%.2f s", since(begin));
}

/* A name with an address where nobody listens, "two.test": 127.0.0.2, then 127.0.0.1. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **list) {
    typedef int (*function)(const char *, const char *, const struct addrinfo *,
                            struct addrinfo **);
    function real = (function)dlsym(RTLD_NEXT, "getaddrinfo");
    bool two = node != NULL && strcmp(node, "two.test") == 0;
    int code = real(two ? "127.0.0.2" : node, service, hints, list);
    return code == 0 && two ? real("127.0.0.1", service, hints, &(*list)->ai_next) : code;
}

Test(ingest_mqtt_link, the_next_address_is_tried_without_a_pause) {
    named("two.test", &plain, "\"a\"", "");
    WAIT_FOR(now_heard().up);
    fake_broker_hang_up(broker, true);
    WAIT_FOR(!now_heard().up);
    size_t downs = now_heard().downs;
    WAIT_FOR(now_heard().downs >= downs + 6);
    /* A pause is at least 0.375 s. */
    cr_expect_lt(now_heard().gap, 200 * EDGEOPS_MILLISECOND);
    edgeops_duration begin = eop_monotonic();
    fake_broker_back(broker);
    WAIT_FOR(now_heard().up);
    cr_expect_lt(since(begin), 2.0, "%.2f s", since(begin));
}

/* It takes CONNECT and sends CONNACK late: patience grows until it is enough. */
Test(ingest_mqtt_link, a_slow_broker_is_waited_for) {
    fake_script slow = {.connack_ms = 3000};
    start(&slow, "\"a\"", "");
    WAIT_FOR(now_heard().up);
    cr_expect_leq(fake_broker_seen(broker).connects, 4);
}

/* A refusal that does not pass is not asked about again and again. */
Test(ingest_mqtt_link, a_refused_password_is_not_hammered) {
    start(&(fake_script){.connack = 4}, "\"a\"", ", \"user\": \"u\", \"password\": \"p\"");
    pause_ms(5000);
    cr_expect_leq(fake_broker_seen(broker).connects, 6);
    cr_expect_eq(now_heard().reason, EDGEOPS_E_DENIED);
}
