/* SPDX-License-Identifier: Apache-2.0 */
/* Sends messages over a link of its own and reports what the broker has and what it refuses. Paho's
 * threads only note deliveries, refusals and changes of the link under `mutex` and wake the loop.
 * The host's callbacks run on the context's thread: what became of messages before the loss of
 * their link. */
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/str.h"
#include "codec/json.h"
#include "edgeops/ingest.h"
#include "ingest/mqtt_link.h"
#include "ingest/publisher.h"
#include "platform/platform.h"

#define DEFAULT_IN_FLIGHT 256
#define MAX_IN_FLIGHT     16384
#define DETAIL            256
#define REFUSAL           128

typedef struct refusal {
    uint64_t id;
    edgeops_status status;
    char reason[REFUSAL];
} refusal;

struct edgeops_publisher {
    edgeops_ctx *ctx;
    edgeops_publisher_options options;
    eop_mqtt_config *config;
    eop_mqtt_link *link;
    eop_wake *wake;
    bool calling; /* inside a callback of the host's */
    bool gone;    /* closed in there: freed when it is over */

    /* Context's thread. */
    uint64_t generation;  /* of the link that the host knows of; 0: none */
    uint32_t outstanding; /* sent over it, and not yet reported */
    uint64_t *reported;
    refusal *refused_before; /* in_flight places, exchanged with `refused` */

    pthread_mutex_t mutex; /* the rest; innermost */
    uint64_t *delivered;   /* in_flight places */
    uint32_t delivered_count;
    refusal *refused; /* in_flight places */
    uint32_t refused_count;
    uint64_t up; /* generation that is up; 0: none */
    edgeops_status reason;
    bool changed;
    char up_detail[DETAIL];
    char down_detail[DETAIL];
};

/* -- the link's threads -- */

static void on_delivered(uint64_t id, void *user_data) {
    edgeops_publisher *p = user_data;
    pthread_mutex_lock(&p->mutex);
    if (p->delivered_count < p->options.in_flight) {
        p->delivered[p->delivered_count++] = id;
    }
    pthread_mutex_unlock(&p->mutex);
    eop_wake_send(p->wake);
}

static void on_refused(uint64_t id, edgeops_status status, const char *reason, void *user_data) {
    edgeops_publisher *p = user_data;
    pthread_mutex_lock(&p->mutex);
    if (p->refused_count < p->options.in_flight) {
        refusal *r = &p->refused[p->refused_count++];
        r->id = id;
        r->status = status;
        snprintf(r->reason, sizeof(r->reason), "%s", reason);
    }
    pthread_mutex_unlock(&p->mutex);
    eop_wake_send(p->wake);
}

static void on_link(edgeops_status reason, const char *detail, uint64_t generation,
                    const eop_mqtt_terms *terms, void *user_data) {
    edgeops_publisher *p = user_data;
    (void)terms;
    pthread_mutex_lock(&p->mutex);
    if (reason == EDGEOPS_OK) {
        p->up = generation;
        snprintf(p->up_detail, sizeof(p->up_detail), "%s", detail);
    } else {
        p->up = 0;
        p->reason = reason;
        snprintf(p->down_detail, sizeof(p->down_detail), "%s", detail);
    }
    p->changed = true;
    pthread_mutex_unlock(&p->mutex);
    eop_wake_send(p->wake);
}

/* -- the context's thread -- */

static void report_delivered(edgeops_publisher *p) {
    pthread_mutex_lock(&p->mutex);
    uint32_t n = p->delivered_count;
    memcpy(p->reported, p->delivered, n * sizeof(*p->reported));
    p->delivered_count = 0;
    pthread_mutex_unlock(&p->mutex);
    p->outstanding -= n < p->outstanding ? n : p->outstanding;
    if (n > 0 && p->options.on_delivered != NULL) {
        p->options.on_delivered(p->reported, n, p->options.user_data);
    }
}

static void tell(edgeops_publisher *p, edgeops_status status, const char *detail) {
    if (p->options.on_state != NULL && !p->gone) {
        p->options.on_state(status, detail, p->options.user_data);
    }
}

/* For a host that does not ask for refusals a refused message is one that is dealt with. */
static void report_refusal(edgeops_publisher *p, const refusal *r) {
    char text[DETAIL];
    if (p->options.on_refused != NULL) {
        p->options.on_refused(r->id, r->status, r->reason, p->options.user_data);
        return;
    }
    if (p->options.on_delivered != NULL) {
        p->options.on_delivered(&r->id, 1, p->options.user_data);
    }
    snprintf(text, sizeof(text), "the broker refused a message: %s", r->reason);
    tell(p, EDGEOPS_OK, text);
}

static void report_refused(edgeops_publisher *p) {
    pthread_mutex_lock(&p->mutex);
    uint32_t n = p->refused_count;
    refusal *list = p->refused;
    p->refused = p->refused_before;
    p->refused_before = list;
    p->refused_count = 0;
    pthread_mutex_unlock(&p->mutex);
    p->outstanding -= n < p->outstanding ? n : p->outstanding;
    for (uint32_t i = 0; i < n && !p->gone; i++) {
        report_refusal(p, &list[i]);
    }
}

typedef struct change {
    bool changed;
    uint64_t up;
    edgeops_status reason;
    char up_detail[DETAIL];
    char down_detail[DETAIL];
} change;

static void take_change(edgeops_publisher *p, change *c) {
    pthread_mutex_lock(&p->mutex);
    c->changed = p->changed;
    c->up = p->up;
    c->reason = p->reason;
    memcpy(c->up_detail, p->up_detail, DETAIL);
    memcpy(c->down_detail, p->down_detail, DETAIL);
    p->changed = false;
    pthread_mutex_unlock(&p->mutex);
}

static void report_change(edgeops_publisher *p, const change *c) {
    /* A loss and a new link may both have happened since: both are reported to the host. */
    bool lost = c->changed && p->generation != 0 && c->up != p->generation;
    if (lost) {
        p->generation = 0;
        p->outstanding = 0;
        tell(p, c->reason, c->down_detail);
    }
    if (c->changed && c->up != 0 && c->up != p->generation) {
        p->generation = p->gone ? 0 : c->up;
        tell(p, EDGEOPS_OK, c->up_detail);
    } else if (c->changed && c->up == 0 && !lost) {
        tell(p, c->reason, c->down_detail);
    }
}

static void publisher_free(edgeops_publisher *p) {
    eop_wake_free(p->wake);
    eop_mqtt_config_unref(p->config);
    pthread_mutex_destroy(&p->mutex);
    eop_free(p->delivered);
    eop_free(p->reported);
    eop_free(p->refused);
    eop_free(p->refused_before);
    eop_free(p);
}

static void on_wake(void *user_data) {
    edgeops_publisher *p = user_data;
    change c;
    p->calling = true;
    /* Taken before what was delivered: everything delivered or refused over a link that broke is
     * then reported before the break is. */
    take_change(p, &c);
    report_delivered(p);
    report_refused(p);
    report_change(p, &c);
    p->calling = false;
    if (p->gone) {
        publisher_free(p);
    }
}

edgeops_status edgeops_publisher_send(edgeops_publisher *publisher,
                                      const edgeops_message *message) {
    EOP_REQUIRE(publisher != NULL && message != NULL && message->topic != NULL, "publisher");
    EOP_REQUIRE_HERE(eop_ctx_birth(publisher->ctx), "publisher", "publisher");
    if (publisher->generation == 0 || publisher->link == NULL) {
        return eop_fail(EDGEOPS_E_AGAIN, "publisher", "no link to the broker");
    }
    if (publisher->outstanding >= publisher->options.in_flight) {
        return eop_fail(EDGEOPS_E_AGAIN, "publisher", "%u messages are under way",
                        (unsigned)publisher->outstanding);
    }
    edgeops_status status = eop_mqtt_link_send(publisher->link, publisher->generation, message);
    publisher->outstanding += status == EDGEOPS_OK;
    return status;
}

void eop_publisher_renew(edgeops_publisher *publisher) {
    if (publisher->generation != 0 && publisher->link != NULL) {
        eop_mqtt_link_renew(publisher->link, publisher->generation);
    }
}

/* -- life -- */

void edgeops_publisher_options_init(edgeops_publisher_options *options, size_t struct_size) {
    static const edgeops_publisher_options defaults = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

static edgeops_status default_client_id(eop_mqtt_config *config, const char *instance) {
    char host[256] = "";
    char hex[65];
    if (config->client_id != NULL) {
        return EDGEOPS_OK;
    }
    if (instance == NULL) {
        if (gethostname(host, sizeof(host) - 1) != 0) {
            host[0] = '\0';
        }
        instance = host;
    }
    edgeops_status status = eop_sha256_of(hex, instance, strlen(instance));
    if (status < 0) {
        return status;
    }
    config->client_id = eop_format("edgeops-%.10s", hex);
    return config->client_id != NULL ? EDGEOPS_OK : eop_fail_nomem("publisher");
}

static edgeops_status publisher_init(edgeops_publisher *p) {
    static const eop_mqtt_conn_handler handler = {
        .on_delivered = on_delivered,
        .on_refused = on_refused,
    };
    edgeops_status status = eop_mqtt_config_new(&p->config, p->options.config_json, true);
    if (status < 0 || (status = default_client_id(p->config, p->options.instance)) < 0) {
        return status;
    }
    p->delivered = eop_calloc(p->options.in_flight, sizeof(*p->delivered));
    p->reported = eop_calloc(p->options.in_flight, sizeof(*p->reported));
    p->refused = eop_calloc(p->options.in_flight, sizeof(*p->refused));
    p->refused_before = eop_calloc(p->options.in_flight, sizeof(*p->refused_before));
    if (p->delivered == NULL || p->reported == NULL || p->refused == NULL ||
        p->refused_before == NULL) {
        return eop_fail_nomem("publisher");
    }
    if ((status = eop_wake_new(&p->wake, p->ctx, on_wake, p)) < 0) {
        return status;
    }
    eop_mqtt_link_options options = {
        .config = p->config,
        .client_id_suffix = EOP_PUBLISHER_SUFFIX,
        .publisher = true,
        .in_flight = p->options.in_flight,
        .handler = &handler,
        .on_state = on_link,
        .user_data = p,
    };
    return eop_mqtt_link_start(&p->link, &options);
}

edgeops_status edgeops_publisher_open(edgeops_publisher **out, edgeops_ctx *ctx,
                                      const edgeops_publisher_options *given) {
    EOP_REQUIRE(out != NULL, "publisher");
    *out = NULL;
    EOP_REQUIRE(ctx != NULL && given != NULL, "publisher");
    EOP_REQUIRE_HERE(eop_ctx_birth(ctx), "publisher", "context");
    edgeops_publisher_options options = EDGEOPS_PUBLISHER_OPTIONS_INIT;
    edgeops_status status =
        EOP_STRUCT_TAKE(&options, given, "publisher", EDGEOPS_PUBLISHER_OPTIONS_INIT);
    if (status < 0) {
        return status;
    }
    EOP_REQUIRE(options.config_json != NULL, "publisher");
    if (options.in_flight == 0) {
        options.in_flight = DEFAULT_IN_FLIGHT;
    }
    if (options.in_flight > MAX_IN_FLIGHT) {
        return eop_fail(EDGEOPS_E_INVALID, "publisher", "in_flight is over %d", MAX_IN_FLIGHT);
    }
    edgeops_publisher *p = eop_calloc(1, sizeof(*p));
    if (p == NULL) {
        return eop_fail_nomem("publisher");
    }
    p->ctx = ctx;
    p->options = options;
    pthread_mutex_init(&p->mutex, NULL);
    status = publisher_init(p);
    if (status < 0) {
        edgeops_publisher_close(p);
        return status;
    }
    /* The caller's texts are not ours to keep. */
    p->options.config_json = NULL;
    p->options.instance = NULL;
    *out = p;
    return EDGEOPS_OK;
}

void edgeops_publisher_close(edgeops_publisher *publisher) {
    if (publisher == NULL || !eop_born_here(eop_ctx_birth(publisher->ctx))) {
        return;
    }
    eop_mqtt_link_stop(publisher->link);
    publisher->link = NULL;
    publisher->generation = 0;
    publisher->gone = true;
    if (!publisher->calling) {
        publisher_free(publisher);
    }
}
