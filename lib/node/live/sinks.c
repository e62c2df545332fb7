/* SPDX-License-Identifier: Apache-2.0 */
/* The turns of the sinks of one link, and who is to blame when the broker hangs up. On a new link a
 * sink has one message under way until the first is acknowledged. When a link breaks, all sinks
 * that had sent just before are suspects: on the next link each has it for itself with one message.
 * One whose message broke the link twice like that is held, and tries again with a growing pause,
 * alone, at first with the message behind: when the broker takes that one, only the other message is
 * to blame. Only the message of a trial (`trying`) ends a suspicion or a hold. */

#include "node/live/sinks.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"

#define RETRY_FIRST EDGEOPS_SECOND
#define RETRY_LAST  (60 * EDGEOPS_SECOND)
/* Of a trial that costs all a connection, and Paho a client handle. */
#define RETRY_LAST_ALONE (15 * 60 * EDGEOPS_SECOND)
/* A link that breaks this soon after a message was sent may break because of it. */
#define BLAME_SENT (5 * EDGEOPS_SECOND)
/* The same for QoS 0, which no broker acknowledges, and for what was refused: there are brokers that
 * refuse a message and hang up. After QUIET such a message is done with. */
#define BLAME_WRITTEN EDGEOPS_SECOND
#define QUIET         (500 * EDGEOPS_MILLISECOND)
#define STRIKES       2
#define TRIALS_FOR    (5 * EDGEOPS_SECOND) /* on a new link, until all may send */
#define ALONE_FOR     (2 * EDGEOPS_SECOND) /* the others wait no longer for a trial */
#define SLOW_AFTER    (10 * EDGEOPS_SECOND)
#define SAY_EVERY     (60 * EDGEOPS_SECOND)
#define DRAIN_FOR     (500 * EDGEOPS_MILLISECOND) /* a broker that is well needs no longer */
#define PUMP_AGAIN    (20 * EDGEOPS_MILLISECOND)
/* Acknowledged, but the storage cannot remove them now: with so many nothing more is sent. */
#define ACKED_MAX 4096u

typedef enum hold { HOLD_NONE, HOLD_REFUSED, HOLD_HUNG_UP } hold;

typedef struct flight {
    uint64_t id;
    eop_sink *sink; /* NULL: removed meanwhile */
    edgeops_duration sent;
    uint8_t qos;
} flight;

struct eop_sink {
    eop_sinks *owner;
    char *name;
    uint64_t sent; /* id of the newest message handed over on this link */
    bool more;     /* there may be messages past `sent` */
    bool proved;   /* the broker took one on this link */
    bool suspect;
    edgeops_duration tried_at;
    bool blamed; /* for the end of the last link */
    bool trying; /* a message is under way that decides */
    uint32_t under_way;
    unsigned strikes; /* links that broke while only it had sent, in a row */
    edgeops_duration newest;
    edgeops_duration wrote;    /* a message of QoS 0; 0: none on this link */
    edgeops_duration answered; /* with a refusal; 0: not on this link */
    hold hold;
    char *reason;
    edgeops_duration held_at;
    edgeops_duration pause;
    edgeops_duration retry_at;
    edgeops_duration said_at;
    uint64_t refused;
    uint64_t refused_id;
    uint64_t newest_id;
    uint64_t culprit; /* a message that may be alone to blame; 0: none */
    size_t culprit_size;
    bool probing; /* the trial is of the message behind the culprit */
    size_t size;  /* of the newest message, as topic, qos and retain */
    char *topic;
    uint8_t qos;
    uint8_t retain;
};

struct eop_sinks {
    eop_sinks_port port;
    bool up;
    bool slow;
    bool draining;
    int below;     /* the link took only messages of a lower QoS at the last pump; 3: all */
    size_t window; /* QoS 1 and 2: what it takes, as far as is known */
    edgeops_duration up_at;
    eop_sink **items;
    size_t count;
    size_t capacity;
    size_t turn;
    eop_sink *alone; /* has the link for itself */
    edgeops_duration alone_at;
    flight flights[EOP_SINKS_IN_FLIGHT];
    size_t flying;
    uint64_t acked[ACKED_MAX]; /* not removed from the storage yet */
    size_t acked_count;
    edgeops_duration acked_at; /* when their removal was tried last */
};

static void say(const eop_sinks *s, edgeops_log_level level, char *text) {
    if (text != NULL) {
        s->port.say(level, text, s->port.user_data);
    }
    eop_free(text);
}

/* -- what is under way -- */

static flight *find_flight(eop_sinks *s, uint64_t id) {
    for (size_t i = 0; i < s->flying; i++) {
        if (s->flights[i].id == id) {
            return &s->flights[i];
        }
    }
    return NULL;
}

static bool land(eop_sinks *s, uint64_t id, flight *out) {
    flight *f = find_flight(s, id);
    if (f == NULL) {
        return false;
    }
    *out = *f;
    *f = s->flights[--s->flying];
    if (out->sink != NULL) {
        out->sink->under_way--;
    }
    return true;
}

/* Age of the oldest message that the broker should acknowledge; sink NULL: of any. */
static edgeops_duration oldest_of(const eop_sinks *s, const eop_sink *sink, edgeops_duration now) {
    edgeops_duration oldest = 0;
    for (size_t i = 0; i < s->flying; i++) {
        const flight *f = &s->flights[i];
        if (f->qos > 0 && (sink == NULL || f->sink == sink) && now - f->sent > oldest) {
            oldest = now - f->sent;
        }
    }
    return oldest;
}

static bool is_acked(const eop_sinks *s, uint64_t id) {
    for (size_t i = 0; i < s->acked_count; i++) {
        if (s->acked[i] == id) {
            return true;
        }
    }
    return false;
}

static void remove_acked(eop_sinks *s, edgeops_duration now) {
    if (s->acked_count == 0 || now - s->acked_at < RETRY_FIRST) {
        return;
    }
    s->acked_at = now;
    if (s->port.done(s->acked, s->acked_count, s->port.user_data) == EDGEOPS_OK) {
        s->acked_count = 0;
    }
}

/* -- refusals -- */

static void count_refusal(eop_sink *sink, uint64_t id) {
    sink->refused += sink->refused_id != id;
    sink->refused_id = id;
}

static void end_alone(eop_sink *sink) {
    if (sink->owner->alone == sink) {
        sink->owner->alone = NULL;
    }
}

/* The broker took the message behind it. */
static void convict(eop_sink *sink) {
    const eop_sinks *s = sink->owner;
    char *reason = eop_format("the broker hangs up on this message to '%s' (%zu bytes), not on the "
                              "next one",
                              sink->topic != NULL ? sink->topic : "?", sink->culprit_size);
    if (reason == NULL ||
        s->port.set_aside(sink->name, sink->culprit, reason, s->port.user_data) != EDGEOPS_OK) {
        eop_sink_look(sink);
    } else {
        say(s, EDGEOPS_LOG_WARN,
            eop_format("deployment '%s': a message is set aside: %s", sink->name, reason));
    }
    eop_free(reason);
}

/* The broker took, or answered, the message of a trial. */
static void clear(eop_sink *sink) {
    if (sink->probing) {
        convict(sink);
    }
    sink->probing = false;
    sink->culprit = 0;
    if (sink->hold != HOLD_NONE) {
        say(sink->owner, EDGEOPS_LOG_INFO,
            eop_format("deployment '%s': the broker takes its messages again", sink->name));
    }
    sink->hold = HOLD_NONE;
    eop_free(sink->reason);
    sink->reason = NULL;
    sink->suspect = sink->trying = false;
    sink->strikes = 0;
    end_alone(sink);
}

/* reason: taken. Refusals of what was sent before the hold tell nothing new. */
static void hold_sink(eop_sink *sink, hold kind, char *reason, edgeops_duration now) {
    bool fresh = sink->hold == HOLD_NONE;
    eop_sink_look(sink);
    if (!fresh && !sink->trying) {
        eop_free(reason);
        return;
    }
    if (fresh || sink->reason == NULL || (reason != NULL && strcmp(reason, sink->reason) != 0)) {
        say(sink->owner, EDGEOPS_LOG_WARN,
            eop_format("deployment '%s' is held: %s", sink->name,
                       reason != NULL ? reason : "out of memory"));
    }
    if (fresh) {
        sink->held_at = now;
    }
    edgeops_duration last = kind == HOLD_HUNG_UP ? RETRY_LAST_ALONE : RETRY_LAST;
    edgeops_duration pause = fresh ? RETRY_FIRST : sink->pause * 2;
    sink->pause = pause < last ? pause : last;
    sink->retry_at = now + sink->pause;
    sink->hold = kind;
    eop_free(sink->reason);
    sink->reason = reason;
    sink->proved = sink->suspect = sink->trying = false;
    end_alone(sink);
}

static char *refuses(const char *topic, edgeops_status status, const char *reason) {
    return eop_format("the broker refuses '%s': %s%s", topic != NULL ? topic : "?", reason,
                      status == EDGEOPS_E_UNSUPPORTED
                          ? "; deploy again with a lower --qos or without --retain"
                          : "");
}

/* About this message only: the sink goes on without it, unless it cannot be kept. */
static void reject(eop_sink *sink, uint64_t id, const char *reason, edgeops_duration now) {
    eop_sinks *s = sink->owner;
    count_refusal(sink, id);
    if (s->port.set_aside(sink->name, id, reason, s->port.user_data) != EDGEOPS_OK) {
        hold_sink(sink, HOLD_REFUSED, eop_format("%s; %s", reason, edgeops_error_last()->message),
                  now);
        return;
    }
    if (sink->said_at == 0 || now - sink->said_at >= SAY_EVERY) {
        sink->said_at = now;
        say(s, EDGEOPS_LOG_WARN,
            eop_format("deployment '%s': a message is set aside: %s", sink->name, reason));
    }
}

static bool is_about_message(edgeops_status status) {
    return status == EDGEOPS_E_LIMIT || status == EDGEOPS_E_INVALID;
}

void eop_sinks_refused(eop_sinks *s, uint64_t id, edgeops_status status, const char *reason,
                       edgeops_duration now) {
    flight f;
    if (!land(s, id, &f)) {
        return;
    }
    if (f.sink == NULL) {
        for (size_t i = 0; i < s->count; i++) {
            eop_sink_look(s->items[i]);
        }
        return;
    }
    f.sink->answered = now;
    if (is_about_message(status)) {
        reject(f.sink, id, reason, now);
        if (f.sink->trying) {
            clear(f.sink);
        }
    } else {
        count_refusal(f.sink, id);
        f.sink->strikes = 0;
        f.sink->culprit = 0;
        f.sink->probing = false;
        bool alone = f.sink->hold == HOLD_HUNG_UP && f.sink->trying;
        hold_sink(f.sink, alone ? HOLD_HUNG_UP : HOLD_REFUSED,
                  refuses(f.sink->topic, status, reason), now);
        if (alone) { /* a while longer: the broker may hang up now */
            s->alone = f.sink;
            s->alone_at = now - ALONE_FOR + QUIET;
        }
    }
}

void eop_sinks_delivered(eop_sinks *s, const uint64_t *ids, size_t n, edgeops_duration now) {
    for (size_t i = 0; i < n; i++) {
        flight f;
        if (!land(s, ids[i], &f) || f.sink == NULL) {
            continue;
        }
        if (f.qos == 0) {
            f.sink->wrote = now;
            f.sink->proved = f.sink->proved || !f.sink->trying;
        } else {
            if (f.sink->trying) {
                clear(f.sink);
            }
            f.sink->proved = f.sink->proved || f.sink->hold == HOLD_NONE;
            f.sink->strikes = 0;
        }
    }
    if (s->port.done(ids, n, s->port.user_data) == EDGEOPS_OK) {
        return;
    }
    if (s->acked_count == 0) {
        say(s, EDGEOPS_LOG_WARN,
            eop_format("what the broker has cannot be removed now: %s",
                       edgeops_error_last()->message));
    }
    s->acked_at = now;
    for (size_t i = 0; i < n && s->acked_count < ACKED_MAX; i++) {
        s->acked[s->acked_count++] = ids[i];
    }
}

/* -- the link -- */

void eop_sinks_up(eop_sinks *s, edgeops_duration now) {
    s->up = true;
    s->up_at = now;
    s->window = EOP_SINKS_IN_FLIGHT;
    s->below = 3;
    for (size_t i = 0; i < s->count; i++) {
        eop_sink *sink = s->items[i];
        edgeops_duration pause = sink->hold != HOLD_HUNG_UP ? 0 : sink->pause;
        if (!sink->blamed && pause > RETRY_LAST) {
            pause = RETRY_LAST; /* the broker was away for another reason: it may be mended */
        }
        sink->retry_at = now + pause;
    }
}

static bool is_blamed(const eop_sink *sink, edgeops_duration now) {
    return (sink->under_way > 0 && now - sink->newest <= BLAME_SENT) ||
           (sink->wrote != 0 && now - sink->wrote <= BLAME_WRITTEN) ||
           (sink->answered != 0 && now - sink->answered <= BLAME_WRITTEN);
}

static char *hung_up(const eop_sink *sink) {
    return eop_format("the broker hangs up when '%s' is published (QoS %u%s)",
                      sink->topic != NULL ? sink->topic : "?", (unsigned)sink->qos,
                      sink->retain ? ", retained" : "");
}

static void blame(eop_sink *sink, bool alone, edgeops_duration now) {
    if (sink->hold != HOLD_NONE) {
        sink->trying = true; /* the next one has the link for itself */
        sink->culprit = sink->probing ? 0 : sink->culprit;
        sink->probing = false;
        hold_sink(sink, HOLD_HUNG_UP,
                  alone && sink->answered == 0 ? hung_up(sink) : eop_strdup(sink->reason), now);
        return;
    }
    sink->suspect = true;
    sink->strikes += alone;
    if (alone && sink->strikes >= STRIKES) {
        count_refusal(sink, sink->newest_id);
        sink->culprit = sink->under_way == 1 ? sink->newest_id : 0;
        sink->culprit_size = sink->size;
        hold_sink(sink, HOLD_HUNG_UP, hung_up(sink), now);
    }
}

void eop_sinks_down(eop_sinks *s, edgeops_duration now) {
    size_t blamed = 0;
    if (!s->up) {
        return; /* told again that there is none */
    }
    /* One that had the link for itself answers for it alone. */
    const eop_sink *only = s->alone != NULL && is_blamed(s->alone, now) ? s->alone : NULL;
    for (size_t i = 0; i < s->count; i++) {
        eop_sink *sink = s->items[i];
        sink->blamed = only != NULL ? sink == only : is_blamed(sink, now);
        blamed += sink->blamed;
    }
    for (size_t i = 0; i < s->count; i++) {
        eop_sink *sink = s->items[i];
        if (sink->blamed) {
            blame(sink, blamed == 1, now);
        }
        eop_sink_look(sink);
        sink->under_way = 0;
        sink->wrote = sink->answered = 0;
        sink->proved = sink->trying = false;
    }
    s->up = false;
    s->alone = NULL;
    s->flying = 0;
}

/* -- sending -- */

typedef struct sending {
    eop_sink *sink;
    edgeops_duration now;
    size_t listed;
} sending;

static void took_off(eop_sink *sink, const eop_outbox_message *message, edgeops_duration now) {
    eop_sinks *s = sink->owner;
    s->flights[s->flying++] =
        (flight){.id = message->id, .sink = sink, .sent = now, .qos = message->qos};
    sink->under_way++;
    sink->sent = sink->newest_id = message->id;
    sink->newest = now;
    sink->trying = sink->hold != HOLD_NONE || sink->suspect;
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
    if (find_flight(s, message->id) != NULL || is_acked(s, message->id)) {
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
    char *reason = eop_strdup(edgeops_error_last()->message);
    const char *text = reason != NULL ? reason : "out of memory";
    sink->trying = sink->hold != HOLD_NONE;
    sink->sent = message->id;
    if (is_about_message(status)) {
        reject(sink, message->id, text, turn->now);
    } else {
        count_refusal(sink, message->id);
        hold_sink(sink, HOLD_REFUSED, refuses(message->topic, status, text), turn->now);
    }
    eop_free(reason);
    sink->trying = false;
    return sink->hold != HOLD_NONE ? EDGEOPS_DONE : EDGEOPS_OK;
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
        say(s, EDGEOPS_LOG_WARN, eop_strdup(edgeops_error_last()->message));
        status = EDGEOPS_E_AGAIN; /* the next tick tries again */
    }
    return status;
}

/* A message of QoS 0 counts as taken when the link still stands a while later. */
static void settle(eop_sinks *s, edgeops_duration now) {
    for (size_t i = 0; i < s->count; i++) {
        eop_sink *sink = s->items[i];
        if (sink->trying && sink->under_way == 0 && sink->wrote != 0 &&
            now - sink->wrote >= QUIET) {
            clear(sink);
            sink->proved = true;
        }
    }
}

static bool is_plain(const eop_sink *sink) {
    return sink->hold == HOLD_NONE && !sink->suspect;
}

/* One that broke a link by itself lets the others send for a moment first. */
static bool must_wait(const eop_sinks *s, const eop_sink *sink, edgeops_duration now) {
    if (sink->strikes == 0 || now >= s->up_at + RETRY_FIRST) {
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
    if ((a->hold != HOLD_NONE) != (b->hold != HOLD_NONE)) {
        return b->hold != HOLD_NONE;
    }
    return a->strikes != b->strikes ? a->strikes < b->strikes : a->tried_at < b->tried_at;
}

/* Suspects first: those with the fewest strikes, then those that were tried longest ago. */
static eop_sink *choose(const eop_sinks *s, edgeops_duration now) {
    eop_sink *best = NULL;
    for (size_t i = 0; i < s->count; i++) {
        eop_sink *sink = s->items[i];
        bool held = sink->hold == HOLD_HUNG_UP;
        if (!sink->more || sink->trying || is_plain(sink) || sink->hold == HOLD_REFUSED ||
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
    end_alone(sink);
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
        if (sink != but && sink->wrote != 0 && now - sink->wrote < QUIET) {
            return true;
        }
    }
    return false;
}

/* Whether one sink has the link for itself now. */
static bool serve_alone(eop_sinks *s, edgeops_duration now) {
    if (s->alone != NULL && now - s->alone_at >= ALONE_FOR) {
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
        bool waits = sink->trying || (sink->hold != HOLD_NONE && now < sink->retry_at);
        if (waits || s->flying > 0 || wrote_just_now(s, sink, now) ||
            serve_trial(sink, now) == EDGEOPS_E_AGAIN) {
            return true;
        }
        if (!sink->trying && !sink->more && s->alone == sink) {
            sink->suspect = false; /* it has nothing to send */
            end_alone(sink);
        }
    }
}

static size_t allowance(const eop_sinks *s, const eop_sink *sink, size_t share,
                        edgeops_duration now) {
    if (!sink->more || sink->suspect || sink->hold == HOLD_HUNG_UP ||
        s->flying >= EOP_SINKS_IN_FLIGHT) {
        return 0;
    }
    if (!sink->proved) {
        bool due = sink->hold == HOLD_NONE || now >= sink->retry_at;
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
    edgeops_duration oldest = s->up ? oldest_of(s, NULL, now) : 0;
    if (!s->slow && oldest >= SLOW_AFTER) {
        s->slow = true;
        say(s, EDGEOPS_LOG_WARN,
            eop_format("the broker has not acknowledged for %lld s",
                       (long long)(oldest / EDGEOPS_SECOND)));
    } else if (s->slow && oldest < SLOW_AFTER) {
        s->slow = false;
        say(s, EDGEOPS_LOG_INFO,
            eop_strdup(s->up ? "the broker acknowledges again"
                             : "the link to the broker that did not acknowledge is gone"));
    }
}

static edgeops_duration due_of(const eop_sinks *s, const eop_sink *sink) {
    if (sink->trying) {
        return sink->under_way == 0 && sink->wrote != 0 ? sink->wrote + QUIET : EDGEOPS_FOREVER;
    }
    if (!sink->more || sink->under_way > 0) {
        return EDGEOPS_FOREVER;
    }
    return sink->hold != HOLD_NONE ? sink->retry_at
           : sink->suspect         ? s->up_at + RETRY_FIRST
                                   : EDGEOPS_FOREVER;
}

static edgeops_duration next_due(const eop_sinks *s, edgeops_duration now) {
    edgeops_duration due = s->alone == NULL   ? EDGEOPS_FOREVER
                           : s->alone->trying ? s->alone_at + ALONE_FOR
                                              : now + PUMP_AGAIN;
    for (size_t i = 0; i < s->count; i++) {
        edgeops_duration at = due_of(s, s->items[i]);
        due = at < due ? at : due;
    }
    return !s->up ? EDGEOPS_FOREVER : due > now + PUMP_AGAIN ? due : now + PUMP_AGAIN;
}

edgeops_duration eop_sinks_pump(eop_sinks *s, edgeops_duration now) {
    remove_acked(s, now);
    settle(s, now);
    watch(s, now);
    if (s->up && !s->draining && s->acked_count < ACKED_MAX - EOP_SINKS_IN_FLIGHT &&
        !serve_alone(s, now)) {
        serve_all(s, now);
    }
    return next_due(s, now);
}

void eop_sinks_drain(eop_sinks *s) {
    s->draining = true;
}

bool eop_sinks_busy(const eop_sinks *s, edgeops_duration now) {
    return s->up && s->flying > 0 && oldest_of(s, NULL, now) < DRAIN_FOR;
}

/* -- sinks -- */

edgeops_status eop_sinks_new(eop_sinks **out, const eop_sinks_port *port) {
    eop_sinks *s = eop_calloc(1, sizeof *s);
    if (s == NULL) {
        return eop_fail_nomem("node");
    }
    s->port = *port;
    *out = s;
    return EDGEOPS_OK;
}

static void sink_free(eop_sink *sink) {
    eop_free(sink->topic);
    eop_free(sink->reason);
    eop_free(sink->name);
    eop_free(sink);
}

void eop_sinks_free(eop_sinks *s) {
    for (size_t i = 0; s != NULL && i < s->count; i++) {
        sink_free(s->items[i]);
    }
    if (s != NULL) {
        eop_free(s->items);
        eop_free(s);
    }
}

edgeops_status eop_sinks_add(eop_sink **out, eop_sinks *s, const char *name) {
    for (size_t i = 0; i < s->count; i++) {
        if (strcmp(s->items[i]->name, name) == 0) {
            *out = s->items[i];
            return EDGEOPS_OK;
        }
    }
    eop_sink *sink = eop_calloc(1, sizeof *sink);
    char *copy = eop_strdup(name);
    if (sink == NULL || copy == NULL ||
        !eop_grow(&s->items, &s->capacity, s->count + 1, sizeof *s->items)) {
        eop_free(copy);
        eop_free(sink);
        return eop_fail_nomem("node");
    }
    *sink = (eop_sink){.owner = s, .name = copy, .more = true};
    s->items[s->count++] = sink;
    *out = sink;
    return EDGEOPS_OK;
}

void eop_sinks_remove(eop_sinks *s, eop_sink *sink) {
    for (size_t i = 0; sink != NULL && i < s->flying; i++) {
        if (s->flights[i].sink == sink) {
            s->flights[i].sink = NULL;
        }
    }
    for (size_t i = 0; i < s->count; i++) {
        if (s->items[i] == sink) {
            s->items[i] = s->items[--s->count];
            end_alone(sink);
            sink_free(sink);
            return;
        }
    }
}

void eop_sink_look(eop_sink *sink) {
    sink->sent = 0;
    sink->more = true;
}

void eop_sink_kick(eop_sink *sink) {
    sink->more = true;
}

void eop_sink_retry(eop_sink *sink, edgeops_duration now) {
    eop_sink_look(sink);
    sink->retry_at = now;
    sink->pause = RETRY_FIRST;
    sink->culprit = 0;
}

void eop_sink_ask(eop_sink_status *out, const eop_sink *sink, edgeops_duration now) {
    *out = (eop_sink_status){.oldest = oldest_of(sink->owner, sink, now), .refused = sink->refused};
    if (sink->hold != HOLD_NONE) {
        out->state = EOP_SINK_HELD;
        out->reason = sink->reason != NULL ? sink->reason : "out of memory";
        out->lasts = now - sink->held_at;
        return;
    }
    edgeops_duration oldest = oldest_of(sink->owner, NULL, now);
    if (sink->qos >= sink->owner->below && sink->more && oldest > out->oldest) {
        out->oldest = oldest; /* it waits for what another one has under way */
    }
    if (out->oldest >= SLOW_AFTER) {
        out->state = EOP_SINK_SLOW;
    }
}
