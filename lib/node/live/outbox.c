/* SPDX-License-Identifier: Apache-2.0 */
/* Messages from the catalog to a broker. A row is removed from the catalog when the broker has it;
 * after a lost link all remaining rows are sent again. Only messages in flight are in memory. */

#include "node/live/outbox.h"

#include <string.h>

#include "catalog/outbox.h"
#include "node/live/sources.h"

#define IN_FLIGHT 256u

struct eop_outbox {
    eop_outbox *next;
    edgeops_node *node;
    char *source;
    size_t references;
    edgeops_publisher *publisher;
    bool up;
    char *detail;
    uint64_t sent; /**< id of the newest message handed over on this link */
    bool more;     /**< there may be rows past `sent` */
    size_t in_flight;
    eop_wake *wake;
};

static void set_detail(eop_outbox *o, const char *detail) {
    eop_free(o->detail);
    o->detail = eop_strdup(detail);
}

static edgeops_status send_one(const eop_outbox_message *message, void *user_data) {
    eop_outbox *o = user_data;
    edgeops_message out = {.id = message->id,
                           .topic = message->topic,
                           .payload = message->payload,
                           .size = message->size,
                           .qos = message->qos,
                           .retain = message->retain};
    edgeops_status status = edgeops_publisher_send(o->publisher, &out);
    if (status == EDGEOPS_E_INVALID) {
        /* The broker will never accept it. What can be checked was checked by deploy. */
        eop_log_write(node_log(o->node), EDGEOPS_LOG_ERROR, "node",
                      "a message for '%s' is dropped: %s", o->source,
                      edgeops_error_last()->message);
        o->sent = message->id;
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        o->sent = message->id;
        o->in_flight++;
    }
    return status;
}

static void pump(eop_outbox *o) {
    while (o->up && o->more && o->in_flight < IN_FLIGHT) {
        uint64_t before = o->sent;
        edgeops_status status = eop_outbox_list(o->node->catalog, o->source, o->sent,
                                                IN_FLIGHT - o->in_flight, send_one, o);
        if (status == EDGEOPS_E_AGAIN) {
            return; /* on_delivered or on_state comes */
        }
        if (status != EDGEOPS_OK) {
            eop_log_write(node_log(o->node), EDGEOPS_LOG_WARN, "node", "outbox of '%s': %s",
                          o->source, edgeops_error_last()->message);
            return; /* the next tick tries again */
        }
        o->more = o->sent != before;
    }
}

static void on_wake(void *user_data) {
    pump(user_data);
}

static void on_link(edgeops_status status, const char *detail, void *user_data) {
    eop_outbox *o = user_data;
    o->up = status == EDGEOPS_OK;
    set_detail(o, o->up ? "" : detail);
    eop_log_write(node_log(o->node), o->up ? EDGEOPS_LOG_INFO : EDGEOPS_LOG_WARN, "node",
                  "publishing through '%s': %s", o->source, detail);
    o->sent = 0;
    o->in_flight = 0;
    o->more = true;
    eop_wake_send(o->wake);
}

static void on_delivered(const uint64_t *ids, size_t n, void *user_data) {
    eop_outbox *o = user_data;
    if (eop_outbox_done(o->node->catalog, ids, n) != EDGEOPS_OK) {
        /* They stay, and go once more on the next link. */
        eop_log_write(node_log(o->node), EDGEOPS_LOG_WARN, "node", "outbox of '%s': %s", o->source,
                      edgeops_error_last()->message);
    }
    o->in_flight -= n < o->in_flight ? n : o->in_flight;
    eop_wake_send(o->wake);
}

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
    options.in_flight = IN_FLIGHT;
    options.on_state = on_link;
    options.on_delivered = on_delivered;
    options.user_data = o;
    edgeops_status status = edgeops_publisher_open(&o->publisher, o->node->ctx, &options);
    eop_free(config);
    eop_free(instance);
    return status;
}

static void outbox_free(eop_outbox *o) {
    if (o != NULL) {
        edgeops_publisher_close(o->publisher);
        eop_wake_free(o->wake);
        eop_free(o->detail);
        eop_free(o->source);
        eop_free(o);
    }
}

edgeops_status eop_outbox_acquire(eop_outbox **out, edgeops_node *node, const char *source) {
    for (eop_outbox *o = node->outboxes; o != NULL; o = o->next) {
        if (strcmp(o->source, source) == 0) {
            o->references++;
            *out = o;
            return EDGEOPS_OK;
        }
    }
    edgeops_status status = EDGEOPS_OK;
    eop_outbox *o = eop_calloc(1, sizeof(*o));
    if (o == NULL) {
        return eop_fail_nomem("node");
    }
    o->node = node;
    o->references = 1;
    o->more = true;
    o->source = eop_strdup(source);
    o->detail = eop_strdup("not connected yet");
    if (o->source == NULL || o->detail == NULL) {
        status = eop_fail_nomem("node");
    }
    if (status == EDGEOPS_OK) {
        status = eop_wake_new(&o->wake, node->ctx, on_wake, o);
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

void eop_outbox_release(eop_outbox *outbox) {
    if (outbox == NULL || --outbox->references > 0) {
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

typedef struct purge {
    uint64_t ids[IN_FLIGHT];
    size_t n;
} purge;

static edgeops_status collect(const eop_outbox_message *message, void *user_data) {
    purge *p = user_data;
    p->ids[p->n++] = message->id;
    return EDGEOPS_OK;
}

edgeops_status eop_outbox_purge(edgeops_node *node, const char *source) {
    purge p;
    edgeops_status status = EDGEOPS_OK;
    do {
        p.n = 0;
        status = eop_outbox_list(node->catalog, source, 0, IN_FLIGHT, collect, &p);
        if (status == EDGEOPS_OK && p.n > 0) {
            status = eop_outbox_done(node->catalog, p.ids, p.n);
        }
    } while (status == EDGEOPS_OK && p.n == IN_FLIGHT);
    return status;
}

void eop_outbox_kick(eop_outbox *outbox) {
    outbox->more = true;
    eop_wake_send(outbox->wake);
}

void eop_outboxes_tick(edgeops_node *node) {
    for (eop_outbox *o = node->outboxes; o != NULL; o = o->next) {
        pump(o);
    }
}

void eop_outboxes_free(edgeops_node *node) {
    while (node->outboxes != NULL) {
        eop_outbox *o = node->outboxes;
        node->outboxes = o->next;
        outbox_free(o);
    }
}

const char *eop_outbox_detail(const eop_outbox *outbox) {
    return outbox->detail != NULL ? outbox->detail : "";
}
