/* SPDX-License-Identifier: Apache-2.0 */
/* Whose message goes when, against a broker of four answers and a clock of the test's: refusals and
 * hang-ups stay with the deployment that they are about. */
#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/time.h"
#include "node/live/sinks.h"

#define MS EDGEOPS_MILLISECOND

enum { MESSAGES = 4000, WIRE = 300, SINKS = 20 };

typedef enum place { WAITS, ASIDE, GONE } place;
typedef enum answer { ACK, REFUSE, HANG_UP, REFUSE_AND_HANG_UP, SILENCE } answer;

typedef struct message {
    int sink;
    place place;
    uint8_t qos;
    size_t size;
    int got; /* times that the broker took it */
    char reason[200];
} message;

static struct {
    edgeops_duration now;
    message messages[MESSAGES + 1]; /* by id, from 1 */
    uint64_t count;
    uint64_t wire[WIRE];
    size_t flying;
    size_t flying_max;
    size_t receive_maximum;
    bool up;
    edgeops_duration back_at; /* link: a while after it broke */
    int links;
    bool renews; /* the link, at the end of the step */
    bool storage_fails;
    edgeops_status refusal; /* what REFUSE says */
    edgeops_status at_once; /* what send() says of sink 0 */
    answer (*broker)(uint64_t id);
    char log[16384];
} world;

static eop_sinks *sinks;
static eop_sink *sink[SINKS];
static const char *const names[SINKS] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j",
                                         "k", "l", "m", "n", "o", "p", "q", "r", "s", "t"};

static int sink_of(const char *name) {
    return name[0] - 'a';
}

static edgeops_status list(const char *name, uint64_t after, size_t max, eop_outbox_fn fn,
                           void *fn_data, void *user_data) {
    (void)user_data;
    edgeops_status status = EDGEOPS_OK;
    for (uint64_t id = after + 1; status == EDGEOPS_OK && id <= world.count && max > 0; id++) {
        const message *m = &world.messages[id];
        if (m->place == WAITS && m->sink == sink_of(name)) {
            eop_outbox_message out = {
                .id = id, .topic = name, .payload = "", .size = m->size, .qos = m->qos};
            status = fn(&out, fn_data);
            max--;
        }
    }
    return status;
}

static edgeops_status send_message(const eop_outbox_message *m, void *user_data) {
    (void)user_data;
    if (m->topic[0] == 'a' && world.at_once != EDGEOPS_OK) {
        return eop_fail(world.at_once, "test", "the broker takes no such message");
    }
    size_t sure = 0;
    for (size_t i = 0; i < world.flying; i++) {
        sure += world.messages[world.wire[i]].qos == 2;
    }
    if (!world.up || world.flying >= world.receive_maximum || (m->qos == 2 && sure >= 16)) {
        return eop_fail(EDGEOPS_E_AGAIN, "test", "not now");
    }
    world.wire[world.flying++] = m->id;
    world.flying_max = world.flying > world.flying_max ? world.flying : world.flying_max;
    return EDGEOPS_OK;
}

static edgeops_status done(const uint64_t *ids, size_t n, void *user_data) {
    (void)user_data;
    if (world.storage_fails) {
        return eop_fail(EDGEOPS_E_LIMIT, "test", "the disk is full");
    }
    for (size_t i = 0; i < n; i++) {
        world.messages[ids[i]].place = GONE;
    }
    return EDGEOPS_OK;
}

static size_t count_of(int of, place p) {
    size_t n = 0;
    for (uint64_t id = 1; id <= world.count; id++) {
        n += world.messages[id].sink == of && world.messages[id].place == p;
    }
    return n;
}

static edgeops_status set_aside(const char *name, uint64_t id, const char *reason,
                                void *user_data) {
    (void)user_data;
    message *m = &world.messages[id];
    if (count_of(sink_of(name), ASIDE) >= 10) {
        return eop_fail(EDGEOPS_E_LIMIT, "test", "10 messages are set aside already");
    }
    m->place = ASIDE;
    (void)snprintf(m->reason, sizeof m->reason, "%s", reason);
    return EDGEOPS_OK;
}

static void renew(void *user_data) {
    (void)user_data;
    world.renews = true;
}

static void say(edgeops_log_level level, const char *text, void *user_data) {
    (void)level;
    (void)user_data;
    size_t used = strlen(world.log);
    (void)snprintf(world.log + used, sizeof world.log - used, "%s\n", text);
}

static answer takes_all(uint64_t id) {
    (void)id;
    return ACK;
}

static void enter(void) {
    eop_sinks_port port = {list, send_message, done, set_aside, renew, say, NULL};
    memset(&world, 0, sizeof world);
    world.now = 1000 * EDGEOPS_SECOND;
    world.receive_maximum = WIRE;
    world.broker = takes_all;
    world.refusal = EDGEOPS_E_DENIED;
    cr_assert(eq(int, eop_sinks_new(&sinks, &port), EDGEOPS_OK));
    for (int i = 0; i < SINKS; i++) {
        cr_assert(eq(int, eop_sinks_add(&sink[i], sinks, names[i]), EDGEOPS_OK));
    }
}

static void leave(void) {
    eop_sinks_free(sinks);
}

TestSuite(node_live_sinks, .init = enter, .fini = leave, .timeout = 60);

static void add(int to, size_t n, uint8_t qos) {
    for (size_t i = 0; i < n; i++) {
        cr_assert(lt(u64, world.count, MESSAGES));
        world.messages[++world.count] = (message){.sink = to, .qos = qos, .size = 10};
    }
    eop_sink_kick(sink[to]);
}

static void link_up(void) {
    world.up = true;
    world.links++;
    eop_sinks_up(sinks, world.now);
}

static void link_down(void) {
    world.up = false;
    world.flying = 0;
    world.renews = false;
    world.back_at = world.now + 100 * MS;
    eop_sinks_down(sinks, world.now);
}

/* The answers to all that is on the wire. */
static void answer_all(void) {
    uint64_t wire[WIRE];
    size_t n = world.flying;
    memcpy(wire, world.wire, sizeof wire);
    world.flying = 0;
    for (size_t i = 0; i < n; i++) {
        message *m = &world.messages[wire[i]];
        answer a = world.broker(wire[i]);
        if (a == ACK || m->qos == 0) {
            m->got += a == ACK;
            eop_sinks_delivered(sinks, &wire[i], 1, world.now);
        }
        if (a == REFUSE || a == REFUSE_AND_HANG_UP) {
            eop_sinks_refused(sinks, wire[i], world.refusal, "not for you", world.now);
        }
        if (a == REFUSE_AND_HANG_UP) {
            (void)eop_sinks_pump(sinks, world.now); /* it takes its time */
            link_down();
            return;
        }
        if (a == HANG_UP) {
            link_down();
            return;
        } else if (a == SILENCE) {
            world.wire[world.flying++] = wire[i];
        }
    }
}

/* Turns the world for a time, in steps of 10 ms. */
static void turn(edgeops_duration time) {
    for (edgeops_duration until = world.now + time; world.now < until; world.now += 10 * MS) {
        if (!world.up && world.now >= world.back_at) {
            link_up();
        }
        (void)eop_sinks_pump(sinks, world.now);
        answer_all();
        if (world.renews) {
            link_down();
        }
    }
}

static void expect_once(int of) {
    for (uint64_t id = 1; id <= world.count; id++) {
        const message *m = &world.messages[id];
        cr_assert(m->sink != of || (m->place == GONE && m->got == 1), "message %d of %d: %d, %d",
                  (int)id, of, (int)m->place, m->got);
    }
}

static eop_sink_status ask(int of) {
    eop_sink_status status;
    eop_sink_ask(&status, sink[of], world.now);
    return status;
}

static void expect_state(int of, eop_sink_state state, const char *part) {
    eop_sink_status status = ask(of);
    cr_assert(eq(int, (int)status.state, (int)state), "%s: %s", names[of],
              status.reason != NULL ? status.reason : "");
    cr_assert(part == NULL || strstr(status.reason, part) != NULL, "%s", status.reason);
}

Test(node_live_sinks, all_goes_once_and_within_the_limit) {
    add(0, 900, 1);
    add(1, 900, 2);
    add(2, 900, 0);
    turn(EDGEOPS_SECOND);
    expect_once(0);
    expect_once(1);
    expect_once(2);
    cr_expect(le(sz, world.flying_max, EOP_SINKS_IN_FLIGHT));
    cr_expect(gt(sz, world.flying_max, 180));
}

static uint64_t silent_from;

static answer silent(uint64_t id) {
    return id >= silent_from ? SILENCE : ACK;
}

Test(node_live_sinks, a_new_link_begins_with_one_message_each) {
    silent_from = 0;
    world.broker = silent;
    add(0, 300, 1);
    add(1, 300, 1);
    turn(50 * MS);
    cr_expect(eq(sz, world.flying, 2));
    world.broker = takes_all;
    turn(EDGEOPS_SECOND);
    expect_once(0);
    expect_once(1);
}

static answer silent_for_a(uint64_t id) {
    return world.messages[id].sink == 0 && id > 1 ? SILENCE : ACK;
}

Test(node_live_sinks, one_that_is_not_acknowledged_leaves_room_for_the_others) {
    world.broker = silent_for_a;
    add(0, 1000, 1);
    add(1, 1000, 1);
    turn(EDGEOPS_SECOND);
    expect_once(1);
    cr_expect(le(sz, world.flying, EOP_SINKS_IN_FLIGHT));
    turn(10 * EDGEOPS_SECOND);
    expect_state(0, EOP_SINK_SLOW, NULL);
    expect_state(1, EOP_SINK_OK, NULL);
    cr_expect(gt(i64, ask(0).oldest, 9 * EDGEOPS_SECOND));
    cr_expect(ne(ptr, strstr(world.log, "has not acknowledged for 10 s"), NULL), "%s", world.log);
    world.broker = takes_all;
    turn(EDGEOPS_SECOND);
    expect_once(0);
    expect_state(0, EOP_SINK_OK, NULL);
    cr_expect(ne(ptr, strstr(world.log, "acknowledges again"), NULL), "%s", world.log);
}

static uint64_t lost_id;
static int lost_links; /* it is never acknowledged over so many */

static answer loses_one(uint64_t id) {
    return id == lost_id && world.links <= lost_links ? SILENCE : ACK;
}

static void lose(uint64_t id, int links) {
    lost_id = id;
    lost_links = links;
    world.broker = loses_one;
}

Test(node_live_sinks, a_message_that_is_not_acknowledged_goes_again_over_a_new_link) {
    lose(2, 1);
    add(0, 100, 1);
    add(1, 100, 1);
    turn(59 * EDGEOPS_SECOND);
    expect_state(0, EOP_SINK_SLOW, NULL);
    expect_once(1);
    cr_expect(le(i64, ask(0).renews, 2 * EDGEOPS_SECOND));
    cr_expect(eq(int, world.links, 1));
    turn(2 * EDGEOPS_SECOND);
    cr_expect(eq(int, world.links, 2));
    expect_once(0);
    expect_state(0, EOP_SINK_OK, NULL);
    turn(600 * EDGEOPS_SECOND);
    cr_expect(eq(int, world.links, 2));
}

Test(node_live_sinks, one_that_is_never_acknowledged_costs_a_link_less_and_less_often) {
    lose(2, 10000);
    add(0, 100, 1);
    turn(6 * 3600 * EDGEOPS_SECOND);
    /* After 1, 2, 4, 8 and 15 minutes, and each 15 more. */
    cr_expect(world.links >= 26 && world.links <= 28, "%d links", world.links);
    cr_expect(eq(sz, count_of(0, WAITS), 1));
    cr_expect(eq(u64, ask(0).refused, 0), "our own doing counts against nobody");
    /* It helps: the next time it is a minute again. */
    lose(0, 0);
    turn(20 * 60 * EDGEOPS_SECOND);
    expect_once(0);
    int links = world.links;
    add(0, 2, 1);
    lose(world.count, links);
    turn(62 * EDGEOPS_SECOND);
    cr_expect(eq(int, world.links, links + 1));
    expect_once(0);
}

Test(node_live_sinks, one_that_is_slow_is_sent_again_at_a_word) {
    lose(2, 1);
    add(0, 100, 1);
    turn(5 * EDGEOPS_SECOND);
    eop_sink_retry(sink[0], world.now);
    turn(EDGEOPS_SECOND);
    cr_expect(eq(int, world.links, 1), "it may still come");
    turn(5 * EDGEOPS_SECOND);
    eop_sink_retry(sink[0], world.now);
    eop_sink_retry(sink[0], world.now);
    turn(EDGEOPS_SECOND);
    cr_expect(eq(int, world.links, 2));
    expect_once(0);
}

/* It has just sent when we end the link. */
Test(node_live_sinks, a_link_that_we_end_counts_against_nobody) {
    world.broker = silent_for_a;
    add(0, 3, 1);
    add(1, 100, 1);
    for (int i = 0; i < 5; i++) {
        turn(12 * EDGEOPS_SECOND);
        add(0, 1, 1);
        turn(EDGEOPS_SECOND);
        eop_sink_retry(sink[0], world.now);
        add(1, 1, 1);
        turn(EDGEOPS_SECOND);
        cr_expect(eq(int, world.links, i + 2));
        expect_once(1);
        expect_state(0, EOP_SINK_OK, NULL);
    }
    world.broker = takes_all;
    turn(EDGEOPS_SECOND);
    expect_once(0);
}

Test(node_live_sinks, a_receive_maximum_of_one_is_free_again_over_a_new_link) {
    world.receive_maximum = 1;
    lose(1, 3);
    add(0, 1, 1);
    turn(50 * MS);
    add(1, 50, 1);
    turn(11 * EDGEOPS_SECOND);
    expect_state(1, EOP_SINK_SLOW, NULL);
    eop_sink_retry(sink[1], world.now);
    turn(EDGEOPS_SECOND);
    cr_expect(eq(int, world.links, 2));
    turn(240 * EDGEOPS_SECOND);
    cr_expect(eq(int, world.links, 4));
    expect_once(0);
    expect_once(1);
}

Test(node_live_sinks, a_small_receive_maximum_is_shared) {
    world.receive_maximum = 1;
    add(0, 100, 1);
    add(1, 100, 1);
    turn(EDGEOPS_SECOND);
    size_t a = count_of(0, GONE);
    size_t b = count_of(1, GONE);
    cr_expect(a + b >= 95, "%zu and %zu", a, b);
    cr_expect(a > 35 && b > 35, "%zu and %zu", a, b);
}

Test(node_live_sinks, what_one_has_under_way_does_not_keep_the_others_from_sending) {
    add(0, 1, 2);
    add(1, 1, 1);
    turn(50 * MS);
    world.broker = silent_for_a;
    add(0, 100, 2); /* the link takes 16 of QoS 2 */
    turn(50 * MS);
    add(1, 500, 1);
    add(2, 500, 0);
    turn(EDGEOPS_SECOND);
    expect_once(1);
    expect_once(2);
}

Test(node_live_sinks, a_small_receive_maximum_is_not_used_up_by_one) {
    world.receive_maximum = 10;
    add(0, 100, 1);
    add(1, 100, 1);
    turn(50 * MS); /* both are at it when the first is not acknowledged any more */
    world.broker = silent_for_a;
    turn(EDGEOPS_SECOND);
    expect_once(1);
    /* Alone it may use all of it; then the other is shown to wait, too. */
    world.broker = takes_all;
    turn(EDGEOPS_SECOND);
    expect_once(0);
    world.broker = silent_for_a;
    add(0, 100, 1);
    turn(50 * MS);
    add(1, 1, 1);
    turn(11 * EDGEOPS_SECOND);
    expect_state(0, EOP_SINK_SLOW, NULL);
    expect_state(1, EOP_SINK_SLOW, NULL);
    expect_state(2, EOP_SINK_OK, NULL);
}

static answer refuses_a(uint64_t id) {
    return world.messages[id].sink == 0 ? REFUSE : ACK;
}

Test(node_live_sinks, one_that_is_denied_is_held_and_the_others_go_on) {
    world.broker = refuses_a;
    add(0, 500, 1);
    add(1, 500, 1);
    turn(EDGEOPS_SECOND / 2);
    expect_once(1);
    expect_state(0, EOP_SINK_HELD, "not for you");
    cr_expect(eq(int, world.links, 1));
    turn(300 * EDGEOPS_SECOND);
    expect_state(0, EOP_SINK_HELD, "not for you");
    cr_expect(eq(u64, ask(0).refused, 1), "one message, however often it is tried");
    cr_expect(eq(sz, count_of(0, WAITS), 500));
    /* By hand: at once, in order. */
    world.broker = takes_all;
    eop_sink_retry(sink[0], world.now);
    turn(EDGEOPS_SECOND / 2);
    expect_once(0);
    expect_state(0, EOP_SINK_OK, NULL);
    cr_expect(ne(ptr, strstr(world.log, "takes its messages again"), NULL), "%s", world.log);
}

static int tries;

static answer counts_a(uint64_t id) {
    tries += world.messages[id].sink == 0;
    return refuses_a(id);
}

Test(node_live_sinks, one_that_is_held_tries_with_a_growing_pause_and_on_each_new_link) {
    tries = 0;
    world.broker = counts_a;
    add(0, 5, 1);
    turn(600 * EDGEOPS_SECOND);
    cr_expect(tries >= 12 && tries <= 18, "%d tries", tries);
    int before = tries;
    link_down();
    turn(EDGEOPS_SECOND);
    cr_expect(eq(int, tries, before + 1));
}

Test(node_live_sinks, refusals_that_come_while_more_is_under_way_keep_the_order) {
    add(0, 1, 1);
    turn(20 * MS);
    add(0, 200, 1);
    world.broker = refuses_a;
    turn(100 * MS);
    expect_state(0, EOP_SINK_HELD, NULL);
    cr_expect(eq(sz, count_of(0, WAITS), 200));
    world.broker = takes_all;
    turn(2 * EDGEOPS_SECOND);
    expect_once(0);
}

static answer refuses_tenth(uint64_t id) {
    return world.messages[id].sink == 0 && id % 10 == 0 ? REFUSE : ACK;
}

Test(node_live_sinks, what_is_too_large_is_set_aside_and_the_rest_goes) {
    world.broker = refuses_tenth;
    world.refusal = EDGEOPS_E_LIMIT;
    add(0, 95, 1);
    turn(EDGEOPS_SECOND);
    cr_expect(eq(sz, count_of(0, ASIDE), 9));
    cr_expect(eq(sz, count_of(0, GONE), 86));
    cr_expect(eq(u64, ask(0).refused, 9));
    cr_expect(eq(str, world.messages[20].reason, "not for you"));
    expect_state(0, EOP_SINK_OK, NULL);
    /* No more than may be kept: then it is held. */
    add(0, 95, 1);
    turn(EDGEOPS_SECOND);
    cr_expect(eq(sz, count_of(0, ASIDE), 10));
    expect_state(0, EOP_SINK_HELD, "10 messages are set aside already");
    /* Put back and refused again: in the old places, and once more aside. */
    world.broker = takes_all;
    for (uint64_t id = 1; id <= world.count; id++) {
        world.messages[id].place =
            world.messages[id].place == ASIDE ? WAITS : world.messages[id].place;
    }
    eop_sink_retry(sink[0], world.now);
    turn(EDGEOPS_SECOND);
    expect_once(0);
}

Test(node_live_sinks, what_the_link_refuses_at_once_holds_or_is_set_aside) {
    world.at_once = EDGEOPS_E_UNSUPPORTED;
    add(0, 20, 2);
    add(1, 300, 1);
    turn(EDGEOPS_SECOND);
    expect_once(1);
    expect_state(0, EOP_SINK_HELD, "takes no such message");
    cr_expect(eq(u64, ask(0).refused, 1));
    world.at_once = EDGEOPS_E_LIMIT;
    turn(100 * EDGEOPS_SECOND);
    cr_expect(eq(sz, count_of(0, ASIDE), 10));
    expect_state(0, EOP_SINK_HELD, "10 messages are set aside already");
    cr_expect(eq(int, world.links, 1));
}

static answer hangs_up_on_a(uint64_t id) {
    return world.messages[id].sink == 0 ? HANG_UP : ACK;
}

Test(node_live_sinks, who_makes_the_broker_hang_up_is_found_and_held) {
    world.broker = hangs_up_on_a;
    add(1, 300, 1);
    add(0, 300, 2);
    add(2, 300, 1);
    turn(3 * EDGEOPS_SECOND);
    expect_once(1);
    expect_once(2);
    expect_state(0, EOP_SINK_HELD, "the broker hangs up when 'a' is published (QoS 2)");
    cr_expect(eq(sz, count_of(0, WAITS), 300));
    /* It harms the others seldom, and less and less. */
    int before = world.links;
    for (int i = 0; i < 600; i++) {
        add(1, 2, 1);
        turn(EDGEOPS_SECOND);
    }
    cr_expect(world.links - before < 12, "%d links", world.links - before);
    turn(EDGEOPS_SECOND);
    expect_once(1);
    world.broker = takes_all;
    turn(15 * 60 * EDGEOPS_SECOND);
    expect_once(0);
    expect_state(0, EOP_SINK_OK, NULL);
}

static answer refuses_a_and_hangs_up(uint64_t id) {
    return world.messages[id].sink == 0 ? REFUSE_AND_HANG_UP : ACK;
}

Test(node_live_sinks, a_broker_that_refuses_and_hangs_up_harms_the_others_seldom) {
    world.broker = refuses_a_and_hangs_up;
    add(0, 300, 1);
    add(1, 300, 1);
    turn(5 * EDGEOPS_SECOND);
    expect_once(1);
    expect_state(0, EOP_SINK_HELD, "not for you");
    int before = world.links;
    for (int i = 0; i < 600; i++) {
        add(1, 2, 1);
        turn(EDGEOPS_SECOND);
    }
    cr_expect(world.links - before < 12, "%d links", world.links - before);
    turn(EDGEOPS_SECOND);
    expect_once(1);
    expect_state(1, EOP_SINK_OK, NULL);
    cr_expect(eq(sz, count_of(0, WAITS), 300));
    world.broker = takes_all;
    eop_sink_retry(sink[0], world.now);
    turn(EDGEOPS_SECOND);
    expect_once(0);
}

static answer hangs_up_on_large(uint64_t id) {
    return world.messages[id].size > 1000 ? HANG_UP : ACK;
}

Test(node_live_sinks, a_message_that_makes_the_broker_hang_up_is_set_aside_alone) {
    world.broker = hangs_up_on_large;
    add(0, 50, 1);
    world.messages[20].size = 5000;
    add(1, 50, 1);
    turn(5 * EDGEOPS_SECOND);
    expect_once(1);
    expect_state(0, EOP_SINK_OK, NULL);
    cr_expect(eq(sz, count_of(0, GONE), 49));
    cr_expect(eq(int, (int)world.messages[20].place, (int)ASIDE));
    cr_expect(ne(ptr, strstr(world.messages[20].reason, "5000 bytes"), NULL), "%s",
              world.messages[20].reason);
    cr_expect(eq(u64, ask(0).refused, 1));
}

Test(node_live_sinks, a_hang_up_on_the_only_message_waits_for_the_next) {
    world.broker = hangs_up_on_large;
    add(0, 1, 1);
    world.messages[1].size = 5000;
    turn(10 * EDGEOPS_SECOND);
    expect_state(0, EOP_SINK_HELD, "hangs up");
    add(0, 1, 1);
    turn(20 * EDGEOPS_SECOND);
    expect_state(0, EOP_SINK_OK, NULL);
    cr_expect(eq(int, (int)world.messages[1].place, (int)ASIDE));
    cr_expect(eq(int, (int)world.messages[2].place, (int)GONE));
}

Test(node_live_sinks, hang_ups_on_qos_0_are_found_too) {
    world.broker = hangs_up_on_a;
    add(0, 300, 0);
    add(1, 300, 1);
    turn(5 * EDGEOPS_SECOND);
    expect_once(1);
    expect_state(0, EOP_SINK_HELD, "the broker hangs up when 'a' is published (QoS 0)");
    cr_expect(gt(sz, count_of(0, WAITS), 290));
}

Test(node_live_sinks, a_broker_that_restarts_holds_nobody) {
    for (int i = 0; i < 10; i++) {
        silent_from = world.count + 1;
        world.broker = silent;
        add(0, 30, 1);
        add(1, 30, 2);
        add(2, 30, 0);
        turn(50 * MS);
        link_down();
        world.broker = takes_all;
        turn(EDGEOPS_SECOND);
        for (int s = 0; s < 3; s++) {
            expect_state(s, EOP_SINK_OK, NULL);
            cr_expect(eq(sz, count_of(s, WAITS), 0));
        }
    }
    expect_once(0);
    expect_once(1);
    /* Nor one that it always meets alone. */
    for (int i = 0; i < 10; i++) {
        add(0, 1, 1);
        silent_from = world.count;
        world.broker = silent;
        turn(20 * MS);
        link_down();
        world.broker = takes_all;
        turn(200 * MS);
        expect_state(0, EOP_SINK_OK, NULL);
    }
    expect_once(0);
}

Test(node_live_sinks, many_suspects_of_qos_0_do_not_keep_all_waiting) {
    for (int s = 0; s < SINKS; s++) {
        add(s, 5, 0);
    }
    turn(50 * MS);
    link_down();
    for (int s = 0; s < SINKS; s++) {
        add(s, 5, 0);
    }
    turn(6 * EDGEOPS_SECOND);
    for (int s = 0; s < SINKS; s++) {
        expect_once(s);
    }
}

static answer hangs_up_on_t(uint64_t id) {
    return world.messages[id].sink == SINKS - 1 ? HANG_UP : ACK;
}

Test(node_live_sinks, the_one_among_many_is_found) {
    world.broker = hangs_up_on_t;
    for (int i = 0; i < 40; i++) {
        for (int s = 0; s < SINKS; s++) {
            add(s, 2, 0);
        }
        turn(EDGEOPS_SECOND);
    }
    expect_state(SINKS - 1, EOP_SINK_HELD, "hangs up");
    for (int s = 0; s < SINKS - 1; s++) {
        expect_state(s, EOP_SINK_OK, NULL);
        cr_expect(lt(sz, count_of(s, WAITS), 20));
    }
}

Test(node_live_sinks, a_peer_that_was_silent_for_long_blames_nobody) {
    silent_from = 0;
    world.broker = silent;
    add(0, 10, 1);
    for (int i = 0; i < 5; i++) {
        turn(30 * EDGEOPS_SECOND);
        link_down();
        expect_state(0, EOP_SINK_OK, NULL);
    }
    world.broker = takes_all;
    turn(EDGEOPS_SECOND);
    expect_once(0);
}

Test(node_live_sinks, a_trial_that_gets_no_answer_lets_the_others_go_on) {
    silent_from = 0;
    world.broker = silent;
    add(0, 10, 1);
    add(1, 10, 1);
    turn(20 * MS);
    link_down();
    world.broker = silent_for_a;
    world.messages[1].sink = 0;
    silent_from = 1;
    add(2, 100, 1);
    turn(100 * MS);
    world.messages[1].place = GONE; /* so that all of a is silent */
    turn(6 * EDGEOPS_SECOND);
    expect_once(1);
    expect_once(2);
}

Test(node_live_sinks, what_was_acknowledged_does_not_go_again_when_it_cannot_be_removed) {
    world.storage_fails = true;
    add(0, 600, 1);
    turn(EDGEOPS_SECOND);
    link_down();
    turn(EDGEOPS_SECOND);
    link_down();
    turn(EDGEOPS_SECOND);
    for (uint64_t id = 1; id <= world.count; id++) {
        cr_assert(eq(int, world.messages[id].got, 1));
    }
    cr_expect(eq(sz, count_of(0, WAITS), 600));
    world.storage_fails = false;
    turn(3 * EDGEOPS_SECOND);
    expect_once(0);
}

Test(node_live_sinks, a_storage_that_stays_full_stops_the_sending) {
    world.storage_fails = true;
    add(0, MESSAGES, 1);
    turn(20 * EDGEOPS_SECOND);
    size_t got = 0;
    for (uint64_t id = 1; id <= world.count; id++) {
        got += (size_t)world.messages[id].got;
        cr_assert(le(int, world.messages[id].got, 1));
    }
    cr_expect(le(sz, got, 4096));
    world.storage_fails = false;
    turn(5 * EDGEOPS_SECOND);
    expect_once(0);
}

Test(node_live_sinks, a_sink_may_go_and_come_back_while_its_messages_are_under_way) {
    silent_from = 0;
    world.broker = silent;
    add(0, 100, 1);
    add(1, 1, 1);
    turn(20 * MS);
    eop_sinks_remove(sinks, sink[0]);
    cr_assert(eq(int, eop_sinks_add(&sink[0], sinks, names[0]), EDGEOPS_OK));
    turn(50 * MS);
    world.broker = takes_all;
    turn(EDGEOPS_SECOND);
    expect_once(0);
    expect_once(1);
}

Test(node_live_sinks, one_that_ends_waits_for_what_is_under_way_and_sends_no_more) {
    add(0, 1, 1);
    turn(50 * MS);
    silent_from = 0;
    world.broker = silent;
    add(0, 400, 1);
    turn(50 * MS);
    size_t sent = world.flying;
    cr_expect(eq(sz, sent, EOP_SINKS_IN_FLIGHT));
    eop_sinks_drain(sinks);
    cr_expect(eop_sinks_busy(sinks, world.now));
    world.broker = takes_all;
    turn(50 * MS);
    cr_expect(not(eop_sinks_busy(sinks, world.now)));
    cr_expect(eq(sz, count_of(0, GONE), 1 + sent));
    cr_expect(eq(sz, count_of(0, WAITS), 400 - sent));
}

Test(node_live_sinks, one_that_ends_does_not_wait_for_a_silent_broker) {
    silent_from = 0;
    world.broker = silent;
    add(0, 1, 1);
    turn(600 * MS);
    eop_sinks_drain(sinks);
    cr_expect(not(eop_sinks_busy(sinks, world.now)));
}

Test(node_live_sinks, it_says_when_it_is_due_without_an_event) {
    cr_expect(eq(i64, eop_sinks_pump(sinks, world.now), EDGEOPS_FOREVER));
    world.broker = refuses_a;
    add(0, 1, 1);
    link_up();
    (void)eop_sinks_pump(sinks, world.now);
    answer_all();
    edgeops_duration due = eop_sinks_pump(sinks, world.now);
    cr_expect(eq(i64, due, world.now + EDGEOPS_SECOND));
    world.now = due;
    (void)eop_sinks_pump(sinks, world.now);
    cr_expect(eq(sz, world.flying, 1));
    answer_all();
    cr_expect(eq(i64, eop_sinks_pump(sinks, world.now), world.now + 2 * EDGEOPS_SECOND));
}
