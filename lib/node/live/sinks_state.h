/* SPDX-License-Identifier: Apache-2.0 */
/* What sinks.c (answers, holds, who is to blame) and sinks_turn.c (who sends) share. Only these two
 * include it; sinks_turn.c calls sinks.c, never the other way round. */
#ifndef EOP_NODE_LIVE_SINKS_STATE_H
#define EOP_NODE_LIVE_SINKS_STATE_H

#include "base/time.h"
#include "node/live/sinks.h"

#define EOP_SINK_RETRY_FIRST EDGEOPS_SECOND
#define EOP_SINK_QUIET       (500 * EDGEOPS_MILLISECOND)
#define EOP_SINK_ALONE_FOR   (2 * EDGEOPS_SECOND) /* the others wait no longer for a trial */
#define EOP_SINK_SLOW_AFTER  (10 * EDGEOPS_SECOND)
/* With a message that is not acknowledged for so long the link is made again, so that it is sent
 * again; with a growing pause while that does not help. */
#define EOP_SINK_RENEW_AFTER (60 * EDGEOPS_SECOND)
#define EOP_SINK_RENEW_LAST  (15 * 60 * EDGEOPS_SECOND)
/* Acknowledged, but the storage cannot remove them now: with so many nothing more is sent. */
#define EOP_SINK_ACKED_MAX 4096u

typedef enum eop_hold { EOP_HOLD_NONE, EOP_HOLD_REFUSED, EOP_HOLD_HUNG_UP } eop_hold;

typedef struct eop_flight {
    uint64_t id;
    eop_sink *sink; /* NULL: removed meanwhile */
    edgeops_duration sent;
    uint8_t qos;
} eop_flight;

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
    eop_hold hold;
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
    bool renewing;             /* the link is about to end, by our own doing */
    bool renewed;              /* the last one ended so */
    edgeops_duration renew_at; /* not before */
    edgeops_duration renew_pause;
    eop_sink **items;
    size_t count;
    size_t capacity;
    size_t turn;
    eop_sink *hung_up_on; /* held, and alone to blame for the end of the last link; or NULL */
    eop_sink *alone;      /* has the link for itself */
    edgeops_duration alone_at;
    eop_flight flights[EOP_SINKS_IN_FLIGHT];
    size_t flying;
    uint64_t acked[EOP_SINK_ACKED_MAX]; /* not removed from the storage yet */
    size_t acked_count;
    edgeops_duration acked_at; /* when their removal was tried last */
};

/** text: taken, may be NULL. */
void eop_sinks_say(const eop_sinks *sinks, edgeops_log_level level, char *text);
/** A message that is under way; NULL: it is not. */
eop_flight *eop_sinks_find(eop_sinks *sinks, uint64_t id);
/** Age of the oldest message that the broker should acknowledge, 0: none; sink NULL: of any. */
edgeops_duration eop_sinks_oldest(const eop_sinks *sinks, const eop_sink *sink,
                                  edgeops_duration now);
/** When the link is to be made again; EDGEOPS_FOREVER: nothing waits for an acknowledgement. */
edgeops_duration eop_sinks_renew_due(const eop_sinks *sinks, edgeops_duration now);
/** Asks for the next link; that this one ends counts against no sink. */
void eop_sinks_renew(eop_sinks *sinks, edgeops_duration now);
/** Whether the broker has it, though the storage lists it still. */
bool eop_sinks_acked(const eop_sinks *sinks, uint64_t id);
void eop_sinks_remove_acked(eop_sinks *sinks, edgeops_duration now);
void eop_sink_end_alone(eop_sink *sink);
/** The broker took, or answered, the message of a trial. */
void eop_sink_clear(eop_sink *sink);
/** The link refused a message at once, with this error: it is set aside or the sink held. */
void eop_sink_refuse(eop_sink *sink, const eop_outbox_message *message, edgeops_status status,
                     edgeops_duration now);

#endif /* EOP_NODE_LIVE_SINKS_STATE_H */
