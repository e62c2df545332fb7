/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from the catalog to the brokers: one publisher for each source that deployments publish
 * through, with a sink for each of them. A row is removed from the catalog when the broker has it.
 * sinks.c decides what goes when; here it meets the publisher, the catalog and the loop. */

#include "node/live/outbox.h"

#include <string.h>

#include "catalog/outbox.h"
#include "catalog/record.h"
#include "ingest/publisher.h"
#include "node/live/sources.h"

#define ASIDE_MAX 1000u /* of one deployment */

struct eop_outbox {
    eop_outbox *next;
    edgeops_node *node;
    char *source;
    size_t references;
    edgeops_publisher *publisher;
    eop_sinks *sinks;
    bool up;
    edgeops_duration since; /* of up */
    char *detail;
    eop_wake *wake;
    eop_timer *timer;
};

static void set_link(eop_outbox *o, bool up, const char *detail) {
    if (o->up != up || o->since == 0) {
        o->since = eop_monotonic();
    }
    o->up = up;
    eop_free(o->detail);
    o->detail = eop_strdup(detail);
}

/* -- the port of the sinks -- */

static edgeops_status list_messages(const char *sink, uint64_t after, size_t max, eop_outbox_fn fn,
                                    void *fn_data, void *user_data) {
    eop_outbox *o = user_data;
    return eop_outbox_list(o->node->catalog, o->source, sink, after, max, fn, fn_data);
}

static edgeops_status send_message(const eop_outbox_message *message, void *user_data) {
    eop_outbox *o = user_data;
    edgeops_message out = {.id = message->id,
                           .topic = message->topic,
                           .payload = message->payload,
                           .size = message->size,
                           .qos = message->qos,
                           .retain = message->retain};
    return edgeops_publisher_send(o->publisher, &out);
}

static edgeops_status remove_messages(const uint64_t *ids, size_t n, void *user_data) {
    eop_outbox *o = user_data;
    return eop_outbox_done(o->node->catalog, ids, n);
}

static edgeops_status set_aside(const char *sink, uint64_t id, const char *reason,
                                void *user_data) {
    eop_outbox *o = user_data;
    eop_outbox_counts counts;
    eop_outbox_count(&counts, o->node->catalog, o->source, sink);
    if (counts.refused >= ASIDE_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "node", "%u messages are set aside already", ASIDE_MAX);
    }
    return eop_outbox_set_aside(o->node->catalog, id, reason);
}

static void renew(void *user_data) {
    eop_outbox *o = user_data;
    eop_publisher_renew(o->publisher);
}

static void say(edgeops_log_level level, const char *text, void *user_data) {
    eop_outbox *o = user_data;
    eop_log_write(node_log(o->node), level, "node", "publishing through '%s': %s", o->source, text);
}

/* -- the publisher's callbacks and the loop -- */

static void pump(void *user_data) {
    eop_outbox *o = user_data;
    edgeops_duration now = eop_monotonic();
    edgeops_duration due = eop_sinks_pump(o->sinks, now);
    if (due == EDGEOPS_FOREVER) {
        eop_timer_stop(o->timer);
    } else {
        eop_timer_start(o->timer, due - now, 0);
    }
}

static void on_link(edgeops_status status, const char *detail, void *user_data) {
    eop_outbox *o = user_data;
    bool up = status == EDGEOPS_OK;
    say(up ? EDGEOPS_LOG_INFO : EDGEOPS_LOG_WARN, detail, o);
    if (up && !o->up) {
        eop_sinks_up(o->sinks, eop_monotonic());
    } else if (!up) {
        eop_sinks_down(o->sinks, eop_monotonic());
    }
    set_link(o, up, detail);
    eop_wake_send(o->wake);
}

static void on_delivered(const uint64_t *ids, size_t n, void *user_data) {
    eop_outbox *o = user_data;
    eop_sinks_delivered(o->sinks, ids, n, eop_monotonic());
    eop_wake_send(o->wake);
}

static void on_refused(uint64_t id, edgeops_status status, const char *reason, void *user_data) {
    eop_outbox *o = user_data;
    eop_sinks_refused(o->sinks, id, status, reason, eop_monotonic());
    eop_wake_send(o->wake);
}

/* -- opening -- */

static edgeops_status open_publisher(eop_outbox *o) {
    const eop_source *source = eop_source_find(o->node, o->source);
    if (source == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    /* The publisher ignores what is only for subscribing. Where the source has no client id, two
     * publishers of one home must not use the same one. */
    char *config = eop_json_print(eop_source_config(source));
    char *instance = eop_format("%s/%s", o->node->id, o->source);
    if (config == NULL || instance == NULL) {
        eop_free(config);
        eop_free(instance);
        return eop_fail_nomem("node");
    }
    edgeops_publisher_options options = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    options.config_json = config;
    options.instance = instance;
    options.in_flight = EOP_SINKS_IN_FLIGHT;
    options.on_state = on_link;
    options.on_delivered = on_delivered;
    options.on_refused = on_refused;
    options.user_data = o;
    edgeops_status status = edgeops_publisher_open(&o->publisher, o->node->ctx, &options);
    eop_free(config);
    eop_free(instance);
    return status;
}

/* What an earlier version left of a deployment that was removed is sent, too. */
static edgeops_status adopt(eop_outbox *o) {
    char **names = NULL;
    size_t count = 0;
    edgeops_status status = eop_outbox_deployments(&names, &count, o->node->catalog, o->source);
    for (size_t i = 0; status == EDGEOPS_OK && i < count; i++) {
        char *record = NULL;
        eop_sink *sink = NULL;
        status = eop_record_get(&record, o->node->catalog, "deployment", names[i]);
        if (status == EDGEOPS_E_NOTFOUND) {
            eop_log_write(node_log(o->node), EDGEOPS_LOG_INFO, "node",
                          "publishing through '%s': what deployment '%s' left, which was removed, "
                          "is sent",
                          o->source, names[i]);
            status = eop_sinks_add(&sink, o->sinks, names[i]);
        }
        eop_free(record);
    }
    eop_outbox_free_names(names, count);
    return status;
}

static void outbox_free(eop_outbox *o) {
    if (o != NULL) {
        edgeops_publisher_close(o->publisher);
        eop_timer_free(o->timer);
        eop_wake_free(o->wake);
        eop_sinks_free(o->sinks);
        eop_free(o->detail);
        eop_free(o->source);
        eop_free(o);
    }
}

static edgeops_status outbox_new(eop_outbox **out, edgeops_node *node, const char *source) {
    edgeops_status status = EDGEOPS_OK;
    eop_outbox *o = eop_calloc(1, sizeof *o);
    if (o == NULL) {
        return eop_fail_nomem("node");
    }
    eop_sinks_port port = {.list = list_messages,
                           .send = send_message,
                           .done = remove_messages,
                           .set_aside = set_aside,
                           .renew = renew,
                           .say = say,
                           .user_data = o};
    o->node = node;
    o->source = eop_strdup(source);
    set_link(o, false, "not connected yet");
    status = o->source != NULL ? eop_sinks_new(&o->sinks, &port) : eop_fail_nomem("node");
    if (status == EDGEOPS_OK) {
        status = eop_wake_new(&o->wake, node->ctx, pump, o);
    }
    if (status == EDGEOPS_OK) {
        status = eop_timer_new(&o->timer, node->ctx, pump, o);
    }
    if (status == EDGEOPS_OK) {
        status = adopt(o);
    }
    if (status == EDGEOPS_OK) {
        status = open_publisher(o);
    }
    if (status != EDGEOPS_OK) {
        outbox_free(o);
        return status;
    }
    o->next = node->outboxes;
    node->outboxes = o;
    *out = o;
    return EDGEOPS_OK;
}

edgeops_status eop_outbox_acquire(eop_outbox **out, eop_sink **sink, edgeops_node *node,
                                  const char *source, const char *deployment) {
    edgeops_status status = EDGEOPS_OK;
    eop_outbox *o = node->outboxes;
    while (o != NULL && strcmp(o->source, source) != 0) {
        o = o->next;
    }
    if (o == NULL) {
        status = outbox_new(&o, node, source);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    o->references++;
    status = eop_sinks_add(sink, o->sinks, deployment);
    if (status != EDGEOPS_OK) {
        eop_outbox_release(o, NULL);
        return status;
    }
    *out = o;
    eop_wake_send(o->wake);
    return EDGEOPS_OK;
}

void eop_outbox_release(eop_outbox *outbox, eop_sink *sink) {
    if (outbox == NULL) {
        return;
    }
    eop_sinks_remove(outbox->sinks, sink);
    if (--outbox->references > 0) {
        return;
    }
    for (eop_outbox **at = &outbox->node->outboxes; *at != NULL; at = &(*at)->next) {
        if (*at == outbox) {
            *at = outbox->next;
            break;
        }
    }
    outbox_free(outbox);
}

void eop_outbox_kick(eop_outbox *outbox, eop_sink *sink) {
    eop_sink_kick(sink);
    eop_wake_send(outbox->wake);
}

void eop_outbox_retry(eop_outbox *outbox, eop_sink *sink) {
    eop_sink_retry(sink, eop_monotonic());
    eop_wake_send(outbox->wake);
}

void eop_outboxes_tick(edgeops_node *node) {
    for (eop_outbox *o = node->outboxes; o != NULL; o = o->next) {
        pump(o);
    }
}

void eop_outboxes_drain(edgeops_node *node) {
    for (eop_outbox *o = node->outboxes; o != NULL; o = o->next) {
        eop_sinks_drain(o->sinks);
    }
}

bool eop_outboxes_busy(const edgeops_node *node) {
    for (const eop_outbox *o = node->outboxes; o != NULL; o = o->next) {
        if (eop_sinks_busy(o->sinks, eop_monotonic())) {
            return true;
        }
    }
    return false;
}

void eop_outboxes_free(edgeops_node *node) {
    while (node->outboxes != NULL) {
        eop_outbox *o = node->outboxes;
        node->outboxes = o->next;
        outbox_free(o);
    }
}

/* -- how it is -- */

uint64_t eop_outbox_refused(const eop_sink *sink) {
    eop_sink_status status;
    eop_sink_ask(&status, sink, eop_monotonic());
    return status.refused;
}

void eop_outbox_ask(eop_outbox_state *out, const eop_outbox *o, const eop_sink *sink,
                    uint64_t waiting) {
    eop_sink_status status;
    edgeops_duration now = eop_monotonic();
    eop_sink_ask(&status, sink, now);
    const char *detail = o->detail != NULL ? o->detail : "out of memory";
    *out = (eop_outbox_state){.name = "ok", .oldest = status.oldest};
    if (!o->up) {
        out->name = "away";
        out->lasts = now - o->since;
        const char *culprit = eop_sinks_hung_up_on(o->sinks);
        out->reason = status.state == EOP_SINK_HELD
                          ? eop_format("%s; before that: %s", detail, status.reason)
                      : culprit != NULL
                          ? eop_format("the broker hung up on a message of deployment '%s'; the "
                                       "link comes back",
                                       culprit)
                          : eop_strdup(detail);
    } else if (status.state == EOP_SINK_HELD) {
        out->name = "held";
        out->lasts = status.lasts;
        out->reason = eop_strdup(status.reason);
    } else if (status.state == EOP_SINK_SLOW) {
        out->name = "slow";
        out->lasts = status.oldest;
        out->reason = eop_format("the broker of source '%s' has not acknowledged for %lld s; %llu "
                                 "predictions wait; the connection is made again in %lld s",
                                 o->source, (long long)(status.oldest / EDGEOPS_SECOND),
                                 (unsigned long long)waiting,
                                 (long long)(status.renews / EDGEOPS_SECOND) + 1);
    }
}
