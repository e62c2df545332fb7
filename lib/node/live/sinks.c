/* SPDX-License-Identifier: Apache-2.0 */
/* The sinks of one link: what the broker answers, and who is to blame when it hangs up. When a link
 * breaks, all sinks that had sent just before are suspects: on the next link each has it for itself
 * with one message. One whose message broke the link twice like that is held, and tries again with
 * a growing pause, alone, at first with the message behind: when the broker takes that one, only the
 * other message is to blame. Only the message of a trial (`trying`) ends a suspicion or a hold. */

#include "node/live/sinks.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "node/live/sinks_state.h"

#define RETRY_LAST (60 * EDGEOPS_SECOND)
/* Of a trial that costs all a connection, and Paho a client handle. */
#define RETRY_LAST_ALONE (15 * 60 * EDGEOPS_SECOND)
/* A link that breaks this soon after a message was sent may break because of it. */
#define BLAME_SENT (5 * EDGEOPS_SECOND)
/* The same for QoS 0, which no broker acknowledges, and for what was refused: there are brokers that
 * refuse a message and hang up. After QUIET such a message is done with. */
#define BLAME_WRITTEN EDGEOPS_SECOND
#define STRIKES       2
#define SAY_EVERY     (60 * EDGEOPS_SECOND)
#define DRAIN_FOR     (500 * EDGEOPS_MILLISECOND) /* a broker that is well needs no longer */

void eop_sinks_say(const eop_sinks *s, edgeops_log_level level, char *text) {
    if (text != NULL) {
        s->port.say(level, text, s->port.user_data);
    }
    eop_free(text);
}

eop_flight *eop_sinks_find(eop_sinks *s, uint64_t id) {
    for (size_t i = 0; i < s->flying; i++) {
        if (s->flights[i].id == id) {
            return &s->flights[i];
        }
    }
    return NULL;
}

static bool land(eop_sinks *s, uint64_t id, eop_flight *out) {
    eop_flight *f = eop_sinks_find(s, id);
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
edgeops_duration eop_sinks_oldest(const eop_sinks *s, const eop_sink *sink, edgeops_duration now) {
    edgeops_duration oldest = 0;
    for (size_t i = 0; i < s->flying; i++) {
        const eop_flight *f = &s->flights[i];
        if (f->qos > 0 && (sink == NULL || f->sink == sink) && now - f->sent > oldest) {
            oldest = now - f->sent;
        }
    }
    return oldest;
}

edgeops_duration eop_sinks_renew_due(const eop_sinks *s, edgeops_duration now) {
    edgeops_duration oldest = eop_sinks_oldest(s, NULL, now);
    if (oldest == 0 || !s->up || s->renewing || s->draining) {
        return EDGEOPS_FOREVER;
    }
    edgeops_duration due = now - oldest + EOP_SINK_RENEW_AFTER;
    return due > s->renew_at ? due : s->renew_at;
}

void eop_sinks_renew(eop_sinks *s, edgeops_duration now) {
    edgeops_duration next = s->renew_pause * 2;
    next = next > EOP_SINK_RENEW_AFTER ? next : EOP_SINK_RENEW_AFTER;
    s->renew_pause = next < EOP_SINK_RENEW_LAST ? next : EOP_SINK_RENEW_LAST;
    s->renew_at = now + s->renew_pause;
    s->renewing = true;
    eop_sinks_say(s, EDGEOPS_LOG_WARN,
                  eop_format("the broker has not acknowledged a message for %lld s: the connection "
                             "is made again, and what was not acknowledged sent again",
                             (long long)(eop_sinks_oldest(s, NULL, now) / EDGEOPS_SECOND)));
    s->port.renew(s->port.user_data);
}

bool eop_sinks_acked(const eop_sinks *s, uint64_t id) {
    for (size_t i = 0; i < s->acked_count; i++) {
        if (s->acked[i] == id) {
            return true;
        }
    }
    return false;
}

void eop_sinks_remove_acked(eop_sinks *s, edgeops_duration now) {
    if (s->acked_count == 0 || now - s->acked_at < EOP_SINK_RETRY_FIRST) {
        return;
    }
    s->acked_at = now;
    if (s->port.done(s->acked, s->acked_count, s->port.user_data) == EDGEOPS_OK) {
        s->acked_count = 0;
    }
}

static void count_refusal(eop_sink *sink, uint64_t id) {
    sink->refused += sink->refused_id != id;
    sink->refused_id = id;
}

void eop_sink_end_alone(eop_sink *sink) {
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
        eop_sinks_say(
            s, EDGEOPS_LOG_WARN,
            eop_format("deployment '%s': a message is set aside: %s", sink->name, reason));
    }
    eop_free(reason);
}

/* The broker took, or answered, the message of a trial. */
void eop_sink_clear(eop_sink *sink) {
    if (sink->probing) {
        convict(sink);
    }
    sink->probing = false;
    sink->culprit = 0;
    if (sink->hold != EOP_HOLD_NONE) {
        eop_sinks_say(
            sink->owner, EDGEOPS_LOG_INFO,
            eop_format("deployment '%s': the broker takes its messages again", sink->name));
    }
    sink->hold = EOP_HOLD_NONE;
    eop_free(sink->reason);
    sink->reason = NULL;
    sink->suspect = sink->trying = false;
    sink->strikes = 0;
    eop_sink_end_alone(sink);
}

/* reason: taken. Refusals of what was sent before the hold tell nothing new. */
static void hold_sink(eop_sink *sink, eop_hold kind, char *reason, edgeops_duration now) {
    bool fresh = sink->hold == EOP_HOLD_NONE;
    eop_sink_look(sink);
    if (!fresh && !sink->trying) {
        eop_free(reason);
        return;
    }
    if (fresh || sink->reason == NULL || (reason != NULL && strcmp(reason, sink->reason) != 0)) {
        eop_sinks_say(sink->owner, EDGEOPS_LOG_WARN,
                      eop_format("deployment '%s' is held: %s", sink->name,
                                 reason != NULL ? reason : "out of memory"));
    }
    if (fresh) {
        sink->held_at = now;
    }
    edgeops_duration last = kind == EOP_HOLD_HUNG_UP ? RETRY_LAST_ALONE : RETRY_LAST;
    edgeops_duration pause = fresh ? EOP_SINK_RETRY_FIRST : sink->pause * 2;
    sink->pause = pause < last ? pause : last;
    sink->retry_at = now + sink->pause;
    sink->hold = kind;
    eop_free(sink->reason);
    sink->reason = reason;
    sink->proved = sink->suspect = sink->trying = false;
    eop_sink_end_alone(sink);
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
        hold_sink(sink, EOP_HOLD_REFUSED,
                  eop_format("%s; %s", reason, edgeops_error_last()->message), now);
        return;
    }
    if (sink->said_at == 0 || now - sink->said_at >= SAY_EVERY) {
        sink->said_at = now;
        eop_sinks_say(
            s, EDGEOPS_LOG_WARN,
            eop_format("deployment '%s': a message is set aside: %s", sink->name, reason));
    }
}

static bool is_about_message(edgeops_status status) {
    return status == EDGEOPS_E_LIMIT || status == EDGEOPS_E_INVALID;
}

void eop_sinks_refused(eop_sinks *s, uint64_t id, edgeops_status status, const char *reason,
                       edgeops_duration now) {
    eop_flight f;
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
            eop_sink_clear(f.sink);
        }
    } else {
        count_refusal(f.sink, id);
        f.sink->strikes = 0;
        f.sink->culprit = 0;
        f.sink->probing = false;
        bool alone = f.sink->hold == EOP_HOLD_HUNG_UP && f.sink->trying;
        hold_sink(f.sink, alone ? EOP_HOLD_HUNG_UP : EOP_HOLD_REFUSED,
                  refuses(f.sink->topic, status, reason), now);
        if (alone) { /* a while longer: the broker may hang up now */
            s->alone = f.sink;
            s->alone_at = now - EOP_SINK_ALONE_FOR + EOP_SINK_QUIET;
        }
    }
}

void eop_sink_refuse(eop_sink *sink, const eop_outbox_message *message, edgeops_status status,
                     edgeops_duration now) {
    char *reason = eop_strdup(edgeops_error_last()->message);
    const char *text = reason != NULL ? reason : "out of memory";
    sink->trying = sink->hold != EOP_HOLD_NONE;
    sink->sent = message->id;
    if (is_about_message(status)) {
        reject(sink, message->id, text, now);
    } else {
        count_refusal(sink, message->id);
        hold_sink(sink, EOP_HOLD_REFUSED, refuses(message->topic, status, text), now);
    }
    eop_free(reason);
    sink->trying = false;
}

void eop_sinks_delivered(eop_sinks *s, const uint64_t *ids, size_t n, edgeops_duration now) {
    for (size_t i = 0; i < n; i++) {
        eop_flight f;
        if (!land(s, ids[i], &f) || f.sink == NULL) {
            continue;
        }
        if (f.qos == 0) {
            f.sink->wrote = now;
            f.sink->proved = f.sink->proved || !f.sink->trying;
        } else {
            if (f.sink->trying) {
                eop_sink_clear(f.sink);
            }
            f.sink->proved = f.sink->proved || f.sink->hold == EOP_HOLD_NONE;
            f.sink->strikes = 0;
        }
    }
    if (s->port.done(ids, n, s->port.user_data) == EDGEOPS_OK) {
        return;
    }
    if (s->acked_count == 0) {
        eop_sinks_say(s, EDGEOPS_LOG_WARN,
                      eop_format("what the broker has cannot be removed now: %s",
                                 edgeops_error_last()->message));
    }
    s->acked_at = now;
    for (size_t i = 0; i < n && s->acked_count < EOP_SINK_ACKED_MAX; i++) {
        s->acked[s->acked_count++] = ids[i];
    }
}

void eop_sinks_up(eop_sinks *s, edgeops_duration now) {
    s->up = true;
    s->up_at = now;
    s->window = EOP_SINKS_IN_FLIGHT;
    s->below = 3;
    for (size_t i = 0; !s->renewed && i < s->count; i++) {
        eop_sink *sink = s->items[i];
        edgeops_duration pause = sink->hold != EOP_HOLD_HUNG_UP ? 0 : sink->pause;
        if (!sink->blamed && pause > RETRY_LAST) {
            pause = RETRY_LAST; /* the broker was away for another reason: it may be mended */
        }
        sink->retry_at = now + pause;
    }
    s->renewed = false;
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
    if (sink->hold != EOP_HOLD_NONE) {
        sink->trying = true; /* the next one has the link for itself */
        sink->culprit = sink->probing ? 0 : sink->culprit;
        sink->probing = false;
        hold_sink(sink, EOP_HOLD_HUNG_UP,
                  alone && sink->answered == 0 ? hung_up(sink) : eop_strdup(sink->reason), now);
        return;
    }
    sink->suspect = true;
    sink->strikes += alone;
    if (alone && sink->strikes >= STRIKES) {
        count_refusal(sink, sink->newest_id);
        sink->culprit = sink->under_way == 1 ? sink->newest_id : 0;
        sink->culprit_size = sink->size;
        hold_sink(sink, EOP_HOLD_HUNG_UP, hung_up(sink), now);
    }
}

void eop_sinks_down(eop_sinks *s, edgeops_duration now) {
    size_t blamed = 0;
    s->renewed = s->renewing;
    s->renewing = false;
    s->hung_up_on = NULL;
    if (!s->up) {
        return; /* told again that there is none */
    }
    /* One that had the link for itself answers for it alone. */
    const eop_sink *only = s->alone != NULL && is_blamed(s->alone, now) ? s->alone : NULL;
    for (size_t i = 0; i < s->count; i++) {
        eop_sink *sink = s->items[i];
        sink->blamed = !s->renewed && (only != NULL ? sink == only : is_blamed(sink, now));
        blamed += sink->blamed;
    }
    for (size_t i = 0; i < s->count; i++) {
        eop_sink *sink = s->items[i];
        if (sink->blamed) {
            blame(sink, blamed == 1, now);
            bool held = blamed == 1 && sink->hold == EOP_HOLD_HUNG_UP;
            s->hung_up_on = held ? sink : s->hung_up_on;
        }
        eop_sink_look(sink);
        sink->under_way = 0;
        sink->wrote = sink->answered = 0;
        sink->proved = sink->proved && s->renewed;
        sink->trying = false;
    }
    s->up = false;
    s->alone = NULL;
    s->flying = 0;
}

const char *eop_sinks_hung_up_on(const eop_sinks *s) {
    return !s->up && s->hung_up_on != NULL ? s->hung_up_on->name : NULL;
}

void eop_sinks_drain(eop_sinks *s) {
    s->draining = true;
}

bool eop_sinks_busy(const eop_sinks *s, edgeops_duration now) {
    return s->up && s->flying > 0 && eop_sinks_oldest(s, NULL, now) < DRAIN_FOR;
}

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
            eop_sink_end_alone(sink);
            s->hung_up_on = s->hung_up_on != sink ? s->hung_up_on : NULL;
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

/* How long it has waited for an acknowledgement: of its own messages, or of one that is in the way. */
static edgeops_duration waits_for(const eop_sink *sink, edgeops_duration now) {
    edgeops_duration own = eop_sinks_oldest(sink->owner, sink, now);
    edgeops_duration any = eop_sinks_oldest(sink->owner, NULL, now);
    return sink->qos >= sink->owner->below && sink->more && any > own ? any : own;
}

void eop_sink_retry(eop_sink *sink, edgeops_duration now) {
    eop_sinks *s = sink->owner;
    if (s->up && !s->renewing && waits_for(sink, now) >= EOP_SINK_SLOW_AFTER) {
        s->renew_pause = 0;
        eop_sinks_renew(s, now);
    }
    eop_sink_look(sink);
    sink->retry_at = now;
    sink->pause = EOP_SINK_RETRY_FIRST;
    sink->culprit = 0;
}

void eop_sink_ask(eop_sink_status *out, const eop_sink *sink, edgeops_duration now) {
    *out = (eop_sink_status){.oldest = eop_sinks_oldest(sink->owner, sink, now),
                             .refused = sink->refused};
    if (sink->hold != EOP_HOLD_NONE) {
        out->state = EOP_SINK_HELD;
        out->reason = sink->reason != NULL ? sink->reason : "out of memory";
        out->lasts = now - sink->held_at;
        return;
    }
    out->oldest = waits_for(sink, now);
    if (out->oldest >= EOP_SINK_SLOW_AFTER) {
        edgeops_duration due = eop_sinks_renew_due(sink->owner, now);
        out->state = EOP_SINK_SLOW;
        out->renews = due > now && due != EDGEOPS_FOREVER ? due - now : 0;
    }
}
