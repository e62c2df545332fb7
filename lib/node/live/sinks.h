/* SPDX-License-Identifier: Apache-2.0 */
/* Which message goes to a broker next: a sink for each deployment that publishes over one link. The
 * sinks take turns and share what may be under way. What the broker refuses, and what it hangs up
 * on, holds the sink that it came from, and the others go on. Times are monotonic and given by the
 * caller; storage and link are behind eop_sinks_port. The context's thread. */
#ifndef EOP_NODE_LIVE_SINKS_H
#define EOP_NODE_LIVE_SINKS_H

#include "catalog/outbox.h"
#include "edgeops/context.h"

/** Messages under way at most, over one link. */
#define EOP_SINKS_IN_FLIGHT 256u

typedef struct eop_sinks eop_sinks;
typedef struct eop_sink eop_sink;

typedef struct eop_sinks_port {
    /** Walks at most max waiting messages of a sink with id > after, ascending. */
    edgeops_status (*list)(const char *sink, uint64_t after, size_t max, eop_outbox_fn fn,
                           void *fn_data, void *user_data);
    /** Hands a message over; errors as edgeops_publisher_send(). Calls nothing back. */
    edgeops_status (*send)(const eop_outbox_message *message, void *user_data);
    /** The broker has them: they must not be listed any more. */
    edgeops_status (*done)(const uint64_t *ids, size_t n, void *user_data);
    /** Keeps a message that the broker does not take, so that it is not listed any more. */
    edgeops_status (*set_aside)(const char *sink, uint64_t id, const char *reason, void *user_data);
    /** Ends the link soon and makes it again, which eop_sinks_down() and _up() tell. Calls nothing
     * back. */
    void (*renew)(void *user_data);
    void (*say)(edgeops_log_level level, const char *text, void *user_data);
    void *user_data;
} eop_sinks_port;

/** port: copied. */
edgeops_status eop_sinks_new(eop_sinks **out, const eop_sinks_port *port);
void eop_sinks_free(eop_sinks *sinks);
/** The link is there; nothing is under way on it. */
void eop_sinks_up(eop_sinks *sinks, edgeops_duration now);
/** The link broke: what was not acknowledged is sent again. */
void eop_sinks_down(eop_sinks *sinks, edgeops_duration now);
/** The sink on whose message the broker ended the link that is to come back; NULL: not so. Borrowed. */
const char *eop_sinks_hung_up_on(const eop_sinks *sinks);
void eop_sinks_delivered(eop_sinks *sinks, const uint64_t *ids, size_t n, edgeops_duration now);
void eop_sinks_refused(eop_sinks *sinks, uint64_t id, edgeops_status status, const char *reason,
                       edgeops_duration now);
/** Sends what may be sent now. Gives the time of the next call that is due without an event,
 * EDGEOPS_FOREVER: there is none. */
edgeops_duration eop_sinks_pump(eop_sinks *sinks, edgeops_duration now);

/** Sends nothing more. */
void eop_sinks_drain(eop_sinks *sinks);
/** Whether what was sent is about to be acknowledged. */
bool eop_sinks_busy(const eop_sinks *sinks, edgeops_duration now);

/** The sink of that name, made when it is missing. */
edgeops_status eop_sinks_add(eop_sink **out, eop_sinks *sinks, const char *name);
/** Its messages stay where they are. NULL is allowed. */
void eop_sinks_remove(eop_sinks *sinks, eop_sink *sink);
/** Its messages are others than before: looks at all of them again. */
void eop_sink_look(eop_sink *sink);
/** There are new messages. */
void eop_sink_kick(eop_sink *sink);
/** One that is held tries again at the next pump; for one that is slow the link is made again. */
void eop_sink_retry(eop_sink *sink, edgeops_duration now);

typedef enum eop_sink_state {
    EOP_SINK_OK,
    EOP_SINK_SLOW, /**< the broker has not acknowledged for long */
    EOP_SINK_HELD, /**< the broker does not take its messages */
} eop_sink_state;

typedef struct eop_sink_status {
    eop_sink_state state;
    const char *reason;      /**< of HELD; borrowed until the sinks are used again */
    edgeops_duration lasts;  /**< HELD: since when */
    edgeops_duration oldest; /**< age of the oldest message under way, but for QoS 0; 0: none */
    edgeops_duration renews; /**< SLOW: in so long the link is made again */
    uint64_t refused;        /**< messages, since the sink was added; each once */
} eop_sink_status;
void eop_sink_ask(eop_sink_status *out, const eop_sink *sink, edgeops_duration now);

#endif /* EOP_NODE_LIVE_SINKS_H */
