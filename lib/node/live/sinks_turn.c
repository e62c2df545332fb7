/* SPDX-License-Identifier: Apache-2.0 */
/* Who sends next: sinks in turn, each up to its share of what may be under way, and trials, for which
 * one sink has the link for itself. On a new link a sink has one message under way until the first
 * is acknowledged. */

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "node/live/sinks_state.h"

#define TRIALS_FOR (5 * EDGEOPS_SECOND) /* on a new link, until all may send */
#define PUMP_AGAIN (20 * EDGEOPS_MILLISECOND)

typedef struct sending {
    eop_sink *sink;
    edgeops_duration now;
    size_t listed;
} sending;

static void took_off(eop_sink *sink, const eop_outbox_message *message, edgeops_duration now) {
    eop_sinks *s = sink->owner;
    s->flights[s->flying++] =
        (eop_flight){.id = message->id, .sink = sink, .sent = now, .qos = message->qos};
    sink->under_way++;
    sink->sent = sink->newest_id = message->id;
    sink->newest = now;
    sink->trying = sink->hold != EOP_HOLD_NONE || sink->suspect;
    sink->size = message->size;
    sink->retain = message->retain;
    if (sink->topic == NULL || strcmp(sink->topic, message->topic) != 0) {
        eop_free(sink->topic);
        sink->topic = eop_strdup(message->topic);
    }
}

/* EDGEOPS_DONE: the sink is held. */
static edgeops_status send_one(const eop_outbox_message *message, void *user_data) {
    sending *turn = user_data;
    eop_sink *sink = turn->sink;
    eop_sinks *s = sink->owner;
    turn->listed++;
    sink->qos = message->qos;
    if (eop_sinks_find(s, message->id) != NULL || eop_sinks_acked(s, message->id)) {
        sink->sent = message->id;
        return EDGEOPS_OK;
    }
    edgeops_status status = s->port.send(message, s->port.user_data);
    if (status == EDGEOPS_OK) {
        took_off(sink, message, turn->now);
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_E_AGAIN || status == EDGEOPS_E_NOMEM) {
        return status;
    }
    eop_sink_refuse(sink, message, status, turn->now);
    return sink->hold != EOP_HOLD_NONE ? EDGEOPS_DONE : EDGEOPS_OK;
}

/* E_AGAIN: no sink can send now. */
static edgeops_status serve(eop_sink *sink, size_t max, edgeops_duration now) {
    eop_sinks *s = sink->owner;
    sending turn = {.sink = sink, .now = now};
    edgeops_status status =
        s->port.list(sink->name, sink->sent, max, send_one, &turn, s->port.user_data);
    if (status == EDGEOPS_OK) {
        sink->more = turn.listed == max;
    } else if (status != EDGEOPS_DONE && status != EDGEOPS_E_AGAIN) {
        eop_sinks_say(s, EDGEOPS_LOG_WARN, eop_strdup(edgeops_error_last()->message));
        status = EDGEOPS_E_AGAIN; /* the next tick tries again */
    }
    return status;
}

/* A message of QoS 0 counts as taken when the link still stands a while later. */
static void settle(eop_sinks *s, edgeops_duration now) {
    for (size_t i = 0; i < s->count; i++) {
        eop_sink *sink = s->items[i];
        if (sink->trying && sink->under_way == 0 && sink->wrote != 0 &&
            now - sink->wrote >= EOP_SINK_QUIET) {
            eop_sink_clear(sink);
            sink->proved = true;
        }
    }
}

static bool is_plain(const eop_sink *sink) {
    return sink->hold == EOP_HOLD_NONE && !sink->suspect;
}

/* One that broke a link by itself lets the others send for a moment first. */
static bool must_wait(const eop_sinks *s, const eop_sink *sink, edgeops_duration now) {
    if (sink->strikes == 0 || now >= s->up_at + EOP_SINK_RETRY_FIRST) {
        return false;
    }
    for (size_t i = 0; i < s->count; i++) {
        const eop_sink *other = s->items[i];
        if (other != sink && is_plain(other) && (other->more || other->under_way > 0)) {
            return true;
        }
    }
    return false;
}

static bool goes_before(const eop_sink *a, const eop_sink *b) {
    if ((a->hold != EOP_HOLD_NONE) != (b->hold != EOP_HOLD_NONE)) {
        return b->hold != EOP_HOLD_NONE;
    }
    return a->strikes != b->strikes ? a->strikes < b->strikes : a->tried_at < b->tried_at;
}

/* Suspects first: those with the fewest strikes, then those that were tried longest ago. */
static eop_sink *choose(const eop_sinks *s, edgeops_duration now) {
    eop_sink *best = NULL;
    for (size_t i = 0; i < s->count; i++) {
        eop_sink *sink = s->items[i];
        bool held = sink->hold == EOP_HOLD_HUNG_UP;
        if (!sink->more || sink->trying || is_plain(sink) || sink->hold == EOP_HOLD_REFUSED ||
            (held ? now < sink->retry_at : must_wait(s, sink, now))) {
            continue;
        }
        if (best == NULL || goes_before(sink, best)) {
            best = sink;
        }
    }
    return best;
}

/* The trial takes too long, or what the others have under way does. */
static void give_up(eop_sink *sink, edgeops_duration now) {
    sink->suspect = false;
    sink->retry_at = now + sink->pause;
    eop_sink_end_alone(sink);
}

/* With many suspects: those that did not get their turn go first the next time. */
static void end_trials(eop_sinks *s) {
    for (size_t i = 0; i < s->count; i++) {
        s->items[i]->suspect = s->items[i]->suspect && s->items[i]->strikes > 0;
    }
}

/* E_AGAIN: the sink cannot send now. */
static edgeops_status serve_trial(eop_sink *sink, edgeops_duration now) {
    sink->tried_at = now;
    if (sink->culprit != 0) {
        sink->sent = sink->sent > sink->culprit ? sink->sent : sink->culprit;
        sink->probing = true;
        edgeops_status status = serve(sink, 1, now);
        if (sink->trying || status != EDGEOPS_OK) {
            return status;
        }
        sink->probing = false; /* there is none behind, or not one that can be sent */
        eop_sink_look(sink);
    }
    return serve(sink, 1, now);
}

/* Nobody acknowledges these: they count as under way for a moment. */
static bool wrote_just_now(const eop_sinks *s, const eop_sink *but, edgeops_duration now) {
    for (size_t i = 0; i < s->count; i++) {
        const eop_sink *sink = s->items[i];
        if (sink != but && sink->wrote != 0 && now - sink->wrote < EOP_SINK_QUIET) {
            return true;
        }
    }
    return false;
}

/* Whether one sink has the link for itself now. */
static bool serve_alone(eop_sinks *s, edgeops_duration now) {
    if (s->alone != NULL && now - s->alone_at >= EOP_SINK_ALONE_FOR) {
        give_up(s->alone, now);
    }
    for (;;) {
        if (s->alone == NULL && now - s->up_at >= TRIALS_FOR) {
            end_trials(s);
        }
        if (s->alone == NULL) {
            s->alone = choose(s, now);
            s->alone_at = now;
        }
        eop_sink *sink = s->alone;
        if (sink == NULL) {
            return false;
        }
        bool waits = sink->trying || (sink->hold != EOP_HOLD_NONE && now < sink->retry_at);
        if (waits || s->flying > 0 || wrote_just_now(s, sink, now) ||
            serve_trial(sink, now) == EDGEOPS_E_AGAIN) {
            return true;
        }
        if (!sink->trying && !sink->more && s->alone == sink) {
            sink->suspect = false; /* it has nothing to send */
            eop_sink_end_alone(sink);
        }
    }
}

static size_t allowance(const eop_sinks *s, const eop_sink *sink, size_t share,
                        edgeops_duration now) {
    if (!sink->more || sink->suspect || sink->hold == EOP_HOLD_HUNG_UP ||
        s->flying >= EOP_SINKS_IN_FLIGHT) {
        return 0;
    }
    if (!sink->proved) {
        bool due = sink->hold == EOP_HOLD_NONE || now >= sink->retry_at;
        return due && !sink->trying && sink->under_way == 0;
    }
    size_t mine = share > sink->under_way ? share - sink->under_way : 0;
    size_t left = EOP_SINKS_IN_FLIGHT - s->flying;
    return mine < left ? mine : left;
}

static size_t acked_flights(const eop_sinks *s) {
    size_t n = 0;
    for (size_t i = 0; i < s->flying; i++) {
        n += s->flights[i].qos > 0;
    }
    return n;
}

static size_t share_of(const eop_sinks *s) {
    size_t active = 0;
    for (size_t i = 0; i < s->count; i++) {
        const eop_sink *sink = s->items[i];
        active += is_plain(sink) && (sink->more || sink->under_way > 0);
    }
    return active < s->window ? s->window / (active > 0 ? active : 1) : 1;
}

/* The sinks in turn, each up to its share. When the link takes no more of one quality of service, it
 * may still take lower ones. */
static void serve_all(eop_sinks *s, edgeops_duration now) {
    size_t share = share_of(s);
    size_t first = s->turn;
    int below = 3;
    for (size_t i = 0; i < s->count; i++) {
        size_t at = (first + i) % s->count;
        eop_sink *sink = s->items[at];
        size_t before = s->flying;
        size_t max = 0;
        while (sink->qos < below && (max = allowance(s, sink, share, now)) > 0) {
            if (serve(sink, max, now) == EDGEOPS_E_AGAIN) {
                below = sink->qos < below ? sink->qos : below;
            }
        }
        if (s->flying > before && s->turn == first) {
            s->turn = at + 1; /* it was the first to send: the next one is, the next time */
        }
    }
    s->below = below;
    if (below == 1) { /* with 2 there may be a limit for it alone */
        s->window = acked_flights(s) > 0 ? acked_flights(s) : 1;
    }
}

static void watch(eop_sinks *s, edgeops_duration now) {
    edgeops_duration oldest = s->up ? eop_sinks_oldest(s, NULL, now) : 0;
    if (!s->slow && oldest >= EOP_SINK_SLOW_AFTER) {
        s->slow = true;
        eop_sinks_say(s, EDGEOPS_LOG_WARN,
                      eop_format("the broker has not acknowledged for %lld s",
                                 (long long)(oldest / EDGEOPS_SECOND)));
    } else if (s->slow && oldest < EOP_SINK_SLOW_AFTER) {
        s->slow = false;
        eop_sinks_say(s, EDGEOPS_LOG_INFO,
                      eop_strdup(s->up
                                     ? "the broker acknowledges again"
                                     : "the link to the broker that did not acknowledge is gone"));
    }
}

/* The broker acknowledged soon after the last renewal: the next need is a new one. */
static bool is_well(const eop_sinks *s, edgeops_duration now) {
    return s->up && now - s->up_at >= EOP_SINK_RENEW_AFTER &&
           eop_sinks_oldest(s, NULL, now) < EOP_SINK_RENEW_AFTER / 2;
}

static void renew(eop_sinks *s, edgeops_duration now) {
    if (is_well(s, now)) {
        s->renew_pause = 0;
    }
    if (now >= eop_sinks_renew_due(s, now)) {
        eop_sinks_renew(s, now);
    }
}

static edgeops_duration due_of(const eop_sinks *s, const eop_sink *sink) {
    if (sink->trying) {
        return sink->under_way == 0 && sink->wrote != 0 ? sink->wrote + EOP_SINK_QUIET
                                                        : EDGEOPS_FOREVER;
    }
    if (!sink->more || sink->under_way > 0) {
        return EDGEOPS_FOREVER;
    }
    return sink->hold != EOP_HOLD_NONE ? sink->retry_at
           : sink->suspect             ? s->up_at + EOP_SINK_RETRY_FIRST
                                       : EDGEOPS_FOREVER;
}

static edgeops_duration next_due(const eop_sinks *s, edgeops_duration now) {
    edgeops_duration due = s->alone == NULL   ? EDGEOPS_FOREVER
                           : s->alone->trying ? s->alone_at + EOP_SINK_ALONE_FOR
                                              : now + PUMP_AGAIN;
    edgeops_duration renewal = eop_sinks_renew_due(s, now);
    due = renewal < due ? renewal : due;
    for (size_t i = 0; i < s->count; i++) {
        edgeops_duration at = due_of(s, s->items[i]);
        due = at < due ? at : due;
    }
    return !s->up ? EDGEOPS_FOREVER : due > now + PUMP_AGAIN ? due : now + PUMP_AGAIN;
}

edgeops_duration eop_sinks_pump(eop_sinks *s, edgeops_duration now) {
    eop_sinks_remove_acked(s, now);
    settle(s, now);
    watch(s, now);
    renew(s, now);
    if (s->up && !s->draining && s->acked_count < EOP_SINK_ACKED_MAX - EOP_SINKS_IN_FLIGHT &&
        !serve_alone(s, now)) {
        serve_all(s, now);
    }
    return next_due(s, now);
}
