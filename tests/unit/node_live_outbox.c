/* SPDX-License-Identifier: Apache-2.0 */
/* Two deployments on one broker that takes not all of what one of them publishes: the other goes
 * on, and what became of each message is told, kept, sent again or dropped by hand. */
#include "node_fixture.h"

#include "support/fake_broker.h"

static fake_broker *broker;
static size_t rows;
static size_t first_row; /* of those that the deployments see */

static void enter(void) {
    fixture_enter();
    rows = first_row = 20; /* past the values that the model has no answer to */
}

static void leave(void) {
    fixture_leave();
    fake_broker_free(broker);
}

TestSuite(node_live_outbox, .init = enter, .fini = leave, .timeout = 60);

static void append(size_t n) {
    for (size_t i = 0; i < n; i++, rows++) {
        append_row(edgeops_node_store(fixture_node),
                   T0 + (edgeops_time)(100 + rows) * EDGEOPS_SECOND, (double)rows);
    }
}

static void deploy(const char *name, const char *topic, const char *more) {
    char *args =
        eop_format("{\"model\":\"m1\",\"asset\":\"m/1\",\"name\":\"%s\",\"publish\":\"%s\","
                   "\"source\":\"line\"%s}",
                   name, topic, more);
    must_do("deploy", args);
    eop_free(args);
}

/* A node with the deployments `fine` and `other`, which publishes to this topic. */
static void begin(const fake_script *script, const char *version, const char *topic,
                  const char *more) {
    if (!has_mqtt()) {
        cr_skip_test("built without MQTT");
    }
    broker = fake_broker_new(script);
    make_model(1);
    cr_assert(eq(int, edgeops_node_start(fixture_node), EDGEOPS_OK));
    char *args = eop_format("{\"name\":\"line\",\"driver\":\"mqtt\",\"config\":{\"url\":"
                            "\"mqtt://127.0.0.1:%d\",\"topics\":[\"m/#\"],\"version\":\"%s\"}}",
                            fake_broker_port(broker), version);
    must_do("source.add", args);
    eop_free(args);
    deploy("fine", "ok/fine", "");
    deploy("other", topic, more);
}

static eop_json *show(const char *name) {
    char *args = eop_format("{\"name\":\"%s\"}", name);
    eop_json *shown = must("deployment.show", args);
    eop_free(args);
    return shown;
}

static int64_t count_of(const eop_json *shown, const char *key) {
    int64_t count = eop_json_integer(eop_json_get(shown, "publishing"), key, -1);
    return count >= 0 ? count : eop_json_integer(shown, key, -1);
}

/* Turns the loop until publishing has this state and the outbox this many messages. */
static eop_json *wait_state(const char *name, const char *state, int64_t outbox) {
    edgeops_duration until = eop_monotonic() + 25 * EDGEOPS_SECOND;
    for (;;) {
        eop_json *shown = show(name);
        const eop_json *publishing = eop_json_get(shown, "publishing");
        if (strcmp(eop_json_string(publishing, "state", ""), state) == 0 &&
            eop_json_integer(shown, "outbox", -1) == outbox &&
            eop_json_integer(shown, "predictions", -1) >= (int64_t)(rows - first_row)) {
            return shown;
        }
        char *text = eop_json_print(shown);
        cr_assert(lt(i64, eop_monotonic(), until), "%s is not %s with %d: %s", name, state,
                  (int)outbox, text);
        eop_free(text);
        eop_json_free(shown);
        (void)!edgeops_ctx_run(fixture_ctx, 5 * EDGEOPS_MILLISECOND);
    }
}

static void expect_state(const char *name, const char *state, int64_t outbox) {
    eop_json_free(wait_state(name, state, outbox));
}

/* It is "refused" from the first on, while the others wait. */
static void wait_set_aside(const char *name, int64_t count) {
    edgeops_duration until = eop_monotonic() + 25 * EDGEOPS_SECOND;
    int64_t aside = -1;
    while (aside != count) {
        cr_assert(lt(i64, eop_monotonic(), until), "%d are set aside", (int)aside);
        (void)!edgeops_ctx_run(fixture_ctx, 5 * EDGEOPS_MILLISECOND);
        eop_json *shown = show(name);
        aside = count_of(shown, "set_aside");
        eop_json_free(shown);
    }
}

static void expect_part(const eop_json *json, const char *key, const char *part) {
    const char *text = eop_json_string(json, key, "");
    cr_expect(ne(ptr, strstr(text, part), NULL), "%s: '%s'", key, text);
}

/* What doctor says about the broker of `other`. */
static void expect_doctor(const char *state, const char *detail, const char *hint) {
    eop_json *doctor = must("doctor", NULL);
    const eop_json *check = eop_json_first(eop_json_get(doctor, "checks"));
    while (check != NULL &&
           strcmp(eop_json_string(check, "name", ""), "deployment other broker") != 0) {
        check = eop_json_next(check);
    }
    cr_assert(ne(ptr, (void *)check, NULL), "doctor says nothing");
    cr_expect(eq(str, (char *)eop_json_string(check, "state", ""), (char *)state));
    expect_part(check, "detail", detail);
    expect_part(check, "hint", hint);
    eop_json_free(doctor);
}

static int64_t call_count(const char *operation, const char *args, const char *key) {
    eop_json *result = must(operation, args);
    int64_t count = eop_json_integer(result, key, -1);
    eop_json_free(result);
    return count;
}

#define SKIP(args, key) call_count("deployment.skip", "{\"name\":\"other\"," args "}", key)
#define RETRY(key)      call_count("deployment.retry", "{\"name\":\"other\"}", key)

Test(node_live_outbox, one_that_is_not_authorised_is_held_and_told) {
    fake_script script = {.puback = 0x87, .puback_text = "ask the plant", .only = "deny/"};
    begin(&script, "5", "deny/x", "");
    append(60);
    expect_state("fine", "ok", 0);
    eop_json *shown = wait_state("other", "held", 60);
    expect_part(shown, "state", "running");
    expect_part(shown, "detail", "publishing held: the broker refuses 'deny/x'");
    expect_part(shown, "broker", "ask the plant");
    cr_expect(eq(i64, count_of(shown, "refused"), 1));
    cr_expect(eq(i64, count_of(shown, "set_aside"), 0));
    eop_json_free(shown);
    expect_doctor("fail", "ask the plant", "deployment retry");
    eop_json *status = must("node.status", NULL);
    char *text = eop_json_print(eop_json_get(status, "deployments"));
    cr_expect(ne(ptr, strstr(text, "ask the plant"), NULL), "%s", text);
    eop_free(text);
    eop_json_free(status);
    cr_expect(eq(sz, fake_broker_seen(broker).connects, 2), "the link stays");
    /* Dropped by hand, and the rest once the broker takes them. */
    must_fail(EDGEOPS_E_INVALID, "deployment.skip", "{\"name\":\"other\"}", "--count N");
    must_fail(EDGEOPS_E_INVALID, "deployment.skip", "{\"name\":\"other\",\"count\":1,\"all\":true}",
              "--refused");
    must_fail(EDGEOPS_E_NOTFOUND, "deployment.retry", "{\"name\":\"none\"}", "none");
    cr_expect(eq(i64, SKIP("\"count\":10", "dropped"), 10));
    cr_expect(eq(i64, SKIP("\"refused\":true", "outbox"), 50));
    script.puback = 0;
    fake_broker_script(broker, &script);
    eop_json *retried = must("deployment.retry", "{\"name\":\"other\"}");
    cr_expect(eq(i64, eop_json_integer(retried, "again", -1), 0));
    cr_expect(eop_json_bool(retried, "now", false), "it tries at once");
    eop_json_free(retried);
    shown = wait_state("other", "ok", 0);
    expect_part(shown, "detail", "");
    cr_expect(eq(i64, count_of(shown, "skipped"), 10));
    eop_json_free(shown);
}

Test(node_live_outbox, what_is_too_large_is_set_aside_and_the_counts_stay) {
    /* At most 330 bytes a packet: less than the long topic with its payload has. */
    static const uint8_t properties[] = {0x27, 0, 0, 1, 74};
    fake_script script = {.properties = properties, .properties_size = sizeof properties};
    char topic[260];
    memset(topic, 't', sizeof topic - 1);
    topic[sizeof topic - 1] = '\0';
    begin(&script, "5", topic, "");
    append(7);
    expect_state("fine", "ok", 0);
    eop_json *shown = wait_state("other", "refused", 7);
    cr_expect(eq(i64, count_of(shown, "set_aside"), 7));
    cr_expect(eq(i64, count_of(shown, "refused"), 7));
    expect_part(shown, "detail", "7 of its messages are set aside, the last one");
    expect_part(shown, "detail", "the broker takes at most 330");
    eop_json_free(shown);
    expect_doctor("warn", "at most 330", "deployment skip --refused");
    cr_expect(eq(i64, RETRY("again"), 7));
    shown = wait_state("other", "refused", 7);
    cr_expect(eq(i64, count_of(shown, "refused"), 14));
    eop_json_free(shown);
    /* Stopped: the counts and the messages stay, also over a restart. */
    must_do("deployment.stop", "{\"name\":\"other\"}");
    cr_expect(eq(i64, SKIP("\"count\":3", "dropped"), 0), "none waits");
    edgeops_node_close(fixture_node);
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    shown = wait_state("other", "stopped", 7);
    cr_expect(eq(i64, count_of(shown, "set_aside"), 7));
    cr_expect(eq(i64, count_of(shown, "refused"), 14));
    eop_json_free(shown);
    cr_expect(eq(i64, SKIP("\"refused\":true", "dropped"), 7));
    edgeops_node_close(fixture_node);
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    shown = wait_state("other", "stopped", 0);
    cr_expect(eq(i64, count_of(shown, "skipped"), 7));
    eop_json_free(shown);
}

/* It is kept, and waits for a word: while nothing is sent, too. */
Test(node_live_outbox, what_is_set_aside_is_told_while_it_is_stopped) {
    fake_script script = {.puback = 0x90, .only = "deny/"};
    begin(&script, "5", "deny/x", "");
    append(7);
    wait_set_aside("other", 7);
    expect_state("fine", "ok", 0);
    must_do("deployment.stop", "{\"name\":\"other\"}");
    expect_doctor("warn", "7 predictions are not published", "deployment retry");
    edgeops_node_close(fixture_node); /* as without a daemon */
    fixture_node = open_node(fixture_ctx, EDGEOPS_NODE_LOCAL);
    eop_json *shown = wait_state("other", "stopped", 7);
    expect_part(shown, "detail",
                "7 of its messages are set aside, the last one: topic not accepted");
    eop_json_free(shown);
    expect_doctor("warn", "topic not accepted", "skip --refused");
    cr_expect(eq(i64, SKIP("\"refused\":true", "dropped"), 7));
    shown = show("other");
    cr_expect(eq(str, (char *)eop_json_string(shown, "detail", "?"), ""));
    eop_json_free(shown);
}

/* Its samples may come from elsewhere, and it publishes all the same. */
Test(node_live_outbox, a_stopped_source_is_told_by_name) {
    fake_script script = {0};
    begin(&script, "3.1.1", "ok/other", "");
    must_do("source.stop", "{\"name\":\"line\"}");
    expect_doctor("warn", "source 'line' is stopped: no samples come in from there",
                  "source start");
    append(5);
    expect_state("other", "ok", 0);
}

Test(node_live_outbox, a_quality_of_service_that_the_broker_has_not_is_told) {
    static const uint8_t properties[] = {0x24, 1};
    fake_script script = {.properties = properties, .properties_size = sizeof properties};
    begin(&script, "5", "sure", ",\"qos\":2");
    append(5);
    expect_state("fine", "ok", 0);
    eop_json *shown = wait_state("other", "held", 5);
    expect_part(shown, "detail", "at most QoS 1");
    expect_part(shown, "detail", "deploy again with a lower --qos");
    eop_json_free(shown);
    /* Removed with what it could not publish. */
    cr_expect(eq(i64, call_count("deployment.rm", "{\"name\":\"other\"}", "dropped"), 5));
    deploy("other", "sure", ",\"qos\":1");
    first_row = rows;
    append(5);
    expect_state("other", "ok", 0);
}

Test(node_live_outbox, a_broker_that_hangs_up_on_one_is_found_out) {
    fake_script script = {.hang_up = true, .only = "deny/"};
    begin(&script, "3.1.1", "deny/x", "");
    append(40);
    eop_json *shown = wait_state("other", "held", 40);
    expect_part(shown, "detail", "the broker hangs up when 'deny/x' is published (QoS 1)");
    cr_expect(eq(i64, count_of(shown, "refused"), 1));
    eop_json_free(shown);
    expect_state("fine", "ok", 0);
    append(40);
    expect_state("fine", "ok", 0);
    /* The next trial ends the link of all: the others are told whose it was. */
    shown = wait_state("fine", "away", 0);
    expect_part(shown, "detail", "the broker hung up on a message of deployment 'other'; the link");
    eop_json_free(shown);
    expect_state("fine", "ok", 0);
    /* Stopped by hand: what is left is told. */
    must_do("deployment.stop", "{\"name\":\"other\"}");
    expect_doctor("warn", "80 predictions wait and are not sent", "'deployment start'");
    must_do("deployment.start", "{\"name\":\"other\"}");
    script.hang_up = false;
    fake_broker_script(broker, &script);
    (void)RETRY("again");
    expect_state("other", "ok", 0);
}

Test(node_live_outbox, what_is_not_acknowledged_goes_again_at_a_word) {
    fake_script script = {.withhold = true, .only = "mute/"};
    begin(&script, "3.1.1", "mute/x", "");
    append(30);
    expect_state("fine", "ok", 0);
    expect_state("other", "slow", 30);
    script.withhold = false;
    fake_broker_script(broker, &script);
    size_t connects = fake_broker_seen(broker).connects;
    (void)RETRY("again");
    expect_state("other", "ok", 0);
    expect_state("fine", "ok", 0);
    cr_expect(eq(sz, fake_broker_seen(broker).connects, connects + 1));
    eop_json *shown = show("other");
    cr_expect(eq(i64, count_of(shown, "refused"), 0));
    eop_json_free(shown);
}

Test(node_live_outbox, a_broker_that_does_not_acknowledge_is_shown_as_such) {
    fake_script script = {.withhold = true, .only = "mute/"};
    begin(&script, "3.1.1", "mute/x", "");
    append(30);
    expect_state("fine", "ok", 0);
    eop_json *shown = wait_state("other", "slow", 30);
    expect_part(shown, "detail", "has not acknowledged for 1");
    expect_part(shown, "detail", "30 predictions wait; the connection is made again in 5");
    eop_json_free(shown);
    expect_doctor("warn", "has not acknowledged", "look after the broker");
    append(10);
    expect_state("fine", "ok", 0);
    /* Away is another thing, and one that is back another still. */
    fake_broker_hang_up(broker, true);
    expect_state("fine", "away", 0);
    shown = wait_state("other", "away", 40);
    cr_expect(
        ne(ptr, (void *)eop_json_string(eop_json_get(shown, "publishing"), "since", NULL), NULL));
    eop_json_free(shown);
    expect_doctor("warn", "40 predictions are not published", "when the broker is back");
    script.withhold = false;
    fake_broker_script(broker, &script);
    fake_broker_back(broker);
    expect_state("other", "ok", 0);
}
