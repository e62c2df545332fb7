/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a link: terms, sessions, warnings. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/memory.h"
#include "ingest/mqtt_view.h"

static eop_mqtt_topic topics[] = {{(char *)(uintptr_t) "a/#", 1}, {(char *)(uintptr_t) "b", 2}};
static char id[] = "press";
static char host[] = "broker";
static eop_mqtt_config config;
static eop_mqtt_announced announced;
static eop_mqtt_granted granted[2];
static eop_mqtt_view *view;
static edgeops_duration now = EDGEOPS_SECOND;

static void setup(void) {
    config = (eop_mqtt_config){.host = host,
                               .port = 1883,
                               .v5 = true,
                               .client_id = id,
                               .session_expiry_s = 3600,
                               .keep_alive_s = 20,
                               .max_payload = 1000,
                               .topics = topics,
                               .topic_count = 2,
                               .data_topic_count = 2};
    announced = (eop_mqtt_announced){.v5 = true, .keep_alive_s = 20, .session_expiry_s = 3600};
    granted[0] = (eop_mqtt_granted){.filter = "a/#", .asked = 1, .granted = 1};
    granted[1] = (eop_mqtt_granted){.filter = "b", .asked = 2, .granted = 2};
    view = eop_mqtt_view_new(&config);
    cr_assert_not_null(view);
}

static void teardown(void) {
    eop_mqtt_view_free(view);
}

TestSuite(ingest_mqtt_view, .init = setup, .fini = teardown, .timeout = 20);

static void up(bool present) {
    announced.session_present = present;
    eop_mqtt_terms terms = {.announced = &announced, .granted = granted, .granted_count = 2};
    eop_mqtt_view_up(view, &terms, now);
}

static void expect_text(const char *member, const char *text) {
    eop_json *json = eop_mqtt_view_json(view, now);
    cr_expect_str_eq(eop_json_string(json, member, "(none)"), text, "%s", member);
    eop_json_free(json);
}

/* Exactly so many warnings, with that text in the first. */
static void expect_warning(size_t count, const char *text) {
    eop_json *json = eop_mqtt_view_json(view, now);
    const eop_json *warnings = eop_json_get(json, "warnings");
    cr_assert_eq(eop_json_size(warnings), count);
    if (count > 0) {
        const char *first = eop_json_text(eop_json_first(warnings));
        cr_expect_not_null(strstr(first, text), "%s", first);
    }
    eop_json_free(json);
}

Test(ingest_mqtt_view, a_guarantee_follows_the_lowest_grant_and_the_session) {
    up(false);
    expect_text("guarantee", "each message at least once, if this source is not away for over 1h");
    announced.session_expiry_s = UINT32_MAX;
    up(true);
    expect_text("guarantee", "each message at least once, as long as the broker keeps the session");
    announced.session_expiry_s = 0;
    up(false);
    expect_text("guarantee", "each message at least once while connected; what is sent while this "
                             "source is away is lost (no session)");
    granted[1].granted = 0;
    up(false);
    expect_text("guarantee", "messages may be lost: QoS 0 granted");
    granted[1].asked = 0;
    up(false);
    expect_text("guarantee", "messages may be lost: QoS 0 asked for");
    granted[1].refused = 0x87;
    announced.session_expiry_s = 3600;
    up(true);
    expect_text("guarantee", "each message at least once, if this source is not away for over 1h; "
                             "nothing from 1 filter that the broker refuses");
}

Test(ingest_mqtt_view, filters_that_overlap_are_said) {
    static const struct {
        const char *a;
        const char *b;
        bool overlap;
    } cases[] = {
        {"a/#", "b", false},        {"a/#", "a", true},         {"a/#", "a/b/c", true},
        {"+/b", "a/+", true},       {"+/b", "a/c", false},      {"a/+", "a/+/c", false},
        {"#", "x", true},           {"a/b", "a/b", false},      {"a/+", "a/b", true},
        {"a/b/#", "a/b", true},     {"a/b", "a/bc", false},     {"+", "a/#", true},
        {"$share/g/a", "a", false}, {"a/+/c/#", "+/b/#", true}, {"a/", "a", false},
    };
    for (size_t i = 0; i < EOP_COUNT(cases); i++) {
        eop_mqtt_topic pair[] = {{(char *)(uintptr_t)cases[i].a, 1},
                                 {(char *)(uintptr_t)cases[i].b, 1}};
        config.topics = pair;
        for (int turn = 0; turn < 2; turn++) {
            up(i + (size_t)turn > 0);
            eop_json *json = eop_mqtt_view_json(view, now);
            const char *text = eop_json_text(eop_json_first(eop_json_get(json, "warnings")));
            bool said = text != NULL && strstr(text, "overlap: a broker may send") != NULL;
            cr_expect_eq(said, cases[i].overlap, "%s %s: %s", cases[i].a, cases[i].b,
                         text != NULL ? text : "-");
            eop_json_free(json);
            eop_mqtt_topic first = pair[0];
            pair[0] = pair[1];
            pair[1] = first;
        }
    }
    /* Those of labels come after those of data. */
    eop_mqtt_topic pair[] = {{(char *)(uintptr_t) "a/#", 1}, {(char *)(uintptr_t) "a/l", 1}};
    config.topics = pair;
    config.data_topic_count = 1;
    expect_warning(0, "");
}

Test(ingest_mqtt_view, nothing_of_a_dead_connection_is_shown) {
    up(false);
    eop_mqtt_view_down(view, "connection lost", now);
    expect_text("guarantee", "(none)");
    expect_text("session", "(none)");
    expect_text("client_id", "press");
    expect_warning(0, "");
}

Test(ingest_mqtt_view, sessions_are_new_resumed_lost_or_none) {
    up(false);
    expect_text("session", "new");
    eop_mqtt_view_down(view, NULL, now);
    up(true);
    expect_text("session", "resumed");
    eop_mqtt_view_down(view, NULL, now);
    up(false);
    expect_text("session", "lost");
    expect_warning(1, "lost the session of client id 'press', 1 time so far");
    announced.session_expiry_s = 0;
    config.clean_session = true;
    up(true);
    up(false);
    expect_text("session", "none");
}

Test(ingest_mqtt_view, a_qos_2_that_becomes_1_may_come_twice) {
    granted[1].granted = 1;
    up(false);
    expect_warning(1, "grants QoS 1 for 'b', asked for was 2: messages may come twice");
}

Test(ingest_mqtt_view, several_filters_are_counted) {
    granted[0].refused = 0x80;
    granted[1].refused = 0x87;
    up(false);
    expect_warning(1, "refuses the filter 'a/#' and 1 more: unspecified error (0x80)");
}

Test(ingest_mqtt_view, losses_with_a_broker_that_was_away_are_no_twin) {
    for (int i = 0; i < 5; i++) {
        up(true);
        eop_mqtt_view_down(view, "connection lost", now);
        eop_mqtt_view_down(view, "cannot connect", now);
    }
    expect_warning(0, "");
    for (int i = 0; i < 3; i++) {
        up(true);
        eop_mqtt_view_down(view, "connection lost", now);
    }
    expect_warning(1, "most often another client uses the client id 'press'");
}

Test(ingest_mqtt_view, ends_with_a_reason_are_no_twin) {
    static const char *const told[] = {
        "connection lost: the broker ended it: the broker is shutting down (0x8B)",
        "connection lost: the broker has not answered for 4 s",
        "connection lost: the broker ended it: ended by an administrator (0x98), 3 times in a row"};
    for (size_t i = 0; i < 6; i++) {
        up(true);
        eop_mqtt_view_down(view, told[i % 3], now);
    }
    expect_warning(0, "");
    static const char *const untold[] = {
        "connection lost: the broker ended it: no reason given",
        "connection lost: the broker ended it: unspecified error (0x80)",
        "connection lost: the broker closed it and gave no reason"};
    for (size_t i = 0; i < 3; i++) {
        up(true);
        eop_mqtt_view_down(view, untold[i], now);
    }
    expect_warning(1, "most often another client uses the client id 'press'");
}

Test(ingest_mqtt_view, a_limit_is_said_where_it_is_announced) {
    up(false);
    expect_text("larger", "a message of over 1000 bytes becomes a dead letter");
    config.max_packet = 5000;
    expect_text("larger", "the broker drops a packet of over 5000 bytes without telling");
    config.v5 = false;
    expect_text("larger", "a message of over 1000 bytes becomes a dead letter");
}

Test(ingest_mqtt_view, a_silent_link_is_said) {
    up(false);
    now += 59 * EDGEOPS_SECOND;
    expect_warning(0, "");
    now += EDGEOPS_SECOND;
    expect_warning(1, "connected for 1m, and no message came: see whether anything is published "
                      "to 'a/#' and 1 more");
    /* One message a minute: a quarter of an hour is nothing yet. */
    for (int i = 0; i < 10; i++) {
        eop_mqtt_view_message(view, "a/b", now);
        now += 60 * EDGEOPS_SECOND;
    }
    expect_warning(0, "");
    now += 14 * 60 * EDGEOPS_SECOND;
    expect_warning(0, "");
    now += 5 * 60 * EDGEOPS_SECOND;
    expect_warning(1, "no message for 20m, though the link is up");
    eop_mqtt_view_down(view, NULL, now);
    expect_warning(0, "");
}

Test(ingest_mqtt_view, a_twin_is_said_for_ten_minutes) {
    up(false);
    eop_mqtt_view_down(view, "connection lost: (session taken over (0x8E))", now);
    expect_warning(1, "another client uses the client id 'press' and took the connection");
    up(true);
    now += 9 * 60 * EDGEOPS_SECOND;
    eop_mqtt_view_message(view, "b", now);
    expect_warning(1, "another client uses the client id");
    now += 60 * EDGEOPS_SECOND;
    expect_warning(0, "");
}
