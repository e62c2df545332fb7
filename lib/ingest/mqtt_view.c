/* SPDX-License-Identifier: Apache-2.0 */
/* Keeps what the link and the messages said, under `mutex`, the innermost lock, and makes an object
 * of it when asked. What a connection had is shown while it lives; what went wrong (lost sessions,
 * a client of the same id) longer. */
#include "ingest/mqtt_view.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "ingest/label_reader.h"
#include "ingest/mqtt_explain.h"

/* With no message for so long a connection is said to be silent: at first, and later, where
 * messages came that often before. */
#define SILENT_FIRST (EDGEOPS_SECOND * 60)
#define SILENT_LATER (10 * 60 * EDGEOPS_SECOND)
#define SILENT_TIMES 20
/* So many connections in a row that broke so soon, each made again at once: another client has the
 * same id, as MQTT 5 says and 3.1.1 does not. Said for a while. */
#define SHORT_LIFE (60 * EDGEOPS_SECOND)
#define SHORT_RUN  3
#define TAKEN_SAID (10 * 60 * EDGEOPS_SECOND)
#define TAKEN_OVER 0x8E

struct eop_mqtt_view {
    const eop_mqtt_config *config;
    pthread_mutex_t mutex;
    bool up;
    eop_mqtt_announced announced;
    eop_mqtt_granted *granted; /* topic_count places */
    const char *session;
    edgeops_time since;
    edgeops_duration up_at; /* monotonic, as all below */
    bool had_session;
    uint64_t connections;
    uint64_t lost_sessions;
    edgeops_time lost_at; /* wall clock */
    unsigned short_lives; /* in a row */
    edgeops_duration taken_at;
    bool taken_sure;
    uint64_t messages;
    edgeops_duration first_at;
    edgeops_duration last_at;
    bool *came; /* a message, for each filter that is shared in 3.1.1 */
};

static const char *id_of(const eop_mqtt_config *config) {
    return config->client_id != NULL ? config->client_id : "";
}

static bool is_shared311(const eop_mqtt_config *config, size_t i) {
    return !config->v5 && strncmp(config->topics[i].filter, "$share/", 7) == 0;
}

eop_mqtt_view *eop_mqtt_view_new(const eop_mqtt_config *config) {
    eop_mqtt_view *view = eop_calloc(1, sizeof(*view));
    if (view == NULL) {
        return NULL;
    }
    view->config = config;
    pthread_mutex_init(&view->mutex, NULL);
    view->granted = eop_calloc(config->topic_count, sizeof(*view->granted));
    view->came = eop_calloc(config->topic_count, sizeof(*view->came));
    if (view->granted == NULL || view->came == NULL) {
        eop_mqtt_view_free(view);
        return NULL;
    }
    return view;
}

void eop_mqtt_view_free(eop_mqtt_view *view) {
    if (view != NULL) {
        pthread_mutex_destroy(&view->mutex);
        eop_free(view->granted);
        eop_free(view->came);
        eop_free(view);
    }
}

/* -- what happens -- */

static void judge_session(eop_mqtt_view *view) {
    bool kept = view->announced.session_expiry_s > 0;
    bool lost = view->had_session && !view->announced.session_present;
    view->session = !kept && !lost                    ? "none"
                    : view->announced.session_present ? "resumed"
                    : lost                            ? "lost"
                                                      : "new";
    if (lost) {
        view->lost_sessions++;
        view->lost_at = eop_now();
    }
    view->had_session = kept;
}

void eop_mqtt_view_up(eop_mqtt_view *view, const eop_mqtt_terms *terms, edgeops_duration now) {
    pthread_mutex_lock(&view->mutex);
    view->up = true;
    view->announced = *terms->announced;
    for (size_t i = 0; i < terms->granted_count && i < view->config->topic_count; i++) {
        view->granted[i] = terms->granted[i];
    }
    view->since = eop_now();
    view->up_at = now;
    view->connections++;
    judge_session(view);
    pthread_mutex_unlock(&view->mutex);
}

void eop_mqtt_view_down(eop_mqtt_view *view, const char *detail, edgeops_duration now) {
    char taken[EOP_MQTT_REASON_SIZE];
    eop_mqtt_reason(taken, sizeof(taken), TAKEN_OVER, NULL, 0);
    pthread_mutex_lock(&view->mutex);
    if (view->up && detail != NULL) {
        bool sure = strstr(detail, taken) != NULL;
        bool brief = now - view->up_at < SHORT_LIFE && !eop_mqtt_explained(detail);
        view->short_lives = brief ? view->short_lives + 1 : 0;
        if (sure || view->short_lives >= SHORT_RUN) {
            view->taken_at = now;
            view->taken_sure = sure;
        }
    } else {
        view->short_lives = 0; /* the broker is not there, or this side went away */
    }
    view->up = false;
    pthread_mutex_unlock(&view->mutex);
}

void eop_mqtt_view_message(eop_mqtt_view *view, const char *topic, edgeops_duration now) {
    const eop_mqtt_config *config = view->config;
    pthread_mutex_lock(&view->mutex);
    view->last_at = now;
    if (view->messages++ == 0) {
        view->first_at = view->last_at;
    }
    for (size_t i = 0; i < config->topic_count; i++) {
        if (!view->came[i] && is_shared311(config, i)) {
            view->came[i] = eop_topic_matches(config->topics[i].filter, topic);
        }
    }
    pthread_mutex_unlock(&view->mutex);
}

/* -- what is said of it; under the mutex -- */

typedef struct grants {
    size_t refused;
    size_t lower;
    size_t first_refused;
    size_t first_lower;
    unsigned least; /* QoS of those that are not refused */
} grants;

static grants sum_up(const eop_mqtt_view *view) {
    grants g = {.least = 2};
    for (size_t i = 0; i < view->config->topic_count; i++) {
        const eop_mqtt_granted *f = &view->granted[i];
        if (f->refused != 0) {
            g.first_refused = g.refused++ == 0 ? i : g.first_refused;
            continue;
        }
        g.least = f->granted < g.least ? f->granted : g.least;
        if (f->granted < f->asked) {
            g.first_lower = g.lower++ == 0 ? i : g.first_lower;
        }
    }
    return g;
}

/* "'a/b'" or "'a/b' and 3 more filters" */
static char *name_filters(const eop_mqtt_view *view, size_t first, size_t count) {
    const char *filter = view->config->topics[first].filter;
    return count > 1 ? eop_format("'%s' and %zu more", filter, count - 1)
                     : eop_format("'%s'", filter);
}

static void warn_grants(const eop_mqtt_view *view, eop_json *warnings) {
    grants g = sum_up(view);
    if (g.refused > 0) {
        char why[EOP_MQTT_REASON_SIZE];
        char *names = name_filters(view, g.first_refused, g.refused);
        eop_mqtt_reason(why, sizeof(why), view->granted[g.first_refused].refused, NULL, 0);
        eop_json_append_format(
            warnings,
            "the broker refuses the filter %s: %s; nothing comes from there, check its access list",
            names != NULL ? names : "", why);
        eop_free(names);
    }
    if (g.lower > 0) {
        const eop_mqtt_granted *f = &view->granted[g.first_lower];
        char *names = name_filters(view, g.first_lower, g.lower);
        eop_json_append_format(
            warnings,
            "the broker grants QoS %u for %s, asked for was %u: %s; have the broker allow it, or "
            "ask for %u if that will do",
            f->granted, names != NULL ? names : "", f->asked,
            f->granted == 0 ? "messages may be lost" : "messages may come twice", f->granted);
        eop_free(names);
    }
}

static void warn_session(const eop_mqtt_view *view, eop_json *warnings) {
    const eop_mqtt_config *config = view->config;
    if (view->lost_sessions > 0) {
        char at[40];
        eop_format_time(at, view->lost_at);
        eop_json_append_format(
            warnings,
            "the broker lost the session of client id '%s', %" PRIu64
            " time%s so far, last at %s: what was sent while this source was away is lost; let the "
            "broker keep sessions on disk, and long enough",
            id_of(config), view->lost_sessions, view->lost_sessions == 1 ? "" : "s", at);
    }
    if (view->up && config->v5 && !config->clean_session &&
        view->announced.session_expiry_s < config->session_expiry_s) {
        char asked[32] = "for ever";
        char given[32];
        if (config->session_expiry_s != UINT32_MAX) {
            eop_format_duration(asked, (edgeops_duration)config->session_expiry_s * EDGEOPS_SECOND);
        }
        eop_format_duration(given,
                            (edgeops_duration)view->announced.session_expiry_s * EDGEOPS_SECOND);
        eop_json_append_format(
            warnings,
            "the broker keeps the session for %s only, asked for was %s: what is sent while this "
            "source is away for longer is lost; raise the broker's limit",
            given, asked);
    }
}

static void warn_shared(const eop_mqtt_view *view, eop_json *warnings) {
    for (size_t i = 0; view->up && i < view->config->topic_count; i++) {
        if (is_shared311(view->config, i) && !view->came[i] && view->granted[i].refused == 0) {
            eop_json_append_format(
                warnings,
                "no message came through '%s' so far: a broker without shared subscriptions takes "
                "it for a plain topic in MQTT 3.1.1, and does not say so; try version 5, or the "
                "filter without $share",
                view->config->topics[i].filter);
        }
    }
}

/* A topic that both have. Those with $share and the like go by rules of their own. */
static bool overlap(const char *a, const char *b) {
    if (*a == '$' || *b == '$' || strcmp(a, b) == 0) {
        return false; /* the second of the same replaces the first */
    }
    for (;;) {
        size_t n = strcspn(a, "/");
        size_t m = strcspn(b, "/");
        if (*a == '#' || *b == '#') {
            return true;
        }
        if (*a != '+' && *b != '+' && (n != m || memcmp(a, b, n) != 0)) {
            return false;
        }
        a += n;
        b += m;
        if (*a == '\0' || *b == '\0') {
            return *a == *b || strcmp(a, "/#") == 0 || strcmp(b, "/#") == 0;
        }
        a++;
        b++;
    }
}

/* Labels that come again change nothing. */
static void warn_overlap(const eop_mqtt_view *view, eop_json *warnings) {
    const eop_mqtt_config *config = view->config;
    for (size_t i = 1; view->up && i < config->data_topic_count; i++) {
        for (size_t k = 0; k < i; k++) {
            if (overlap(config->topics[k].filter, config->topics[i].filter)) {
                eop_json_append_format(
                    warnings,
                    "the filters '%s' and '%s' overlap: a broker may send a message once for each, "
                    "and one without a time of its own is then stored twice; leave one out",
                    config->topics[k].filter, config->topics[i].filter);
                return;
            }
        }
    }
}

static void warn_silence(const eop_mqtt_view *view, eop_json *warnings, edgeops_duration now) {
    char text[32];
    if (!view->up) {
        return;
    }
    if (view->messages == 0 && now - view->up_at >= SILENT_FIRST) {
        char *names = name_filters(view, 0, view->config->topic_count);
        eop_format_duration(text, (now - view->up_at) / EDGEOPS_SECOND * EDGEOPS_SECOND);
        eop_json_append_format(
            warnings,
            "connected for %s, and no message came: see whether anything is published to %s", text,
            names != NULL ? names : "");
        eop_free(names);
    }
    if (view->messages > 1) {
        edgeops_duration begin = view->last_at > view->up_at ? view->last_at : view->up_at;
        edgeops_duration usual =
            (view->last_at - view->first_at) / (edgeops_duration)(view->messages - 1);
        if (now - begin >= SILENT_LATER && (now - begin) / SILENT_TIMES >= usual) {
            eop_format_duration(text, (now - begin) / EDGEOPS_SECOND * EDGEOPS_SECOND);
            eop_json_append_format(
                warnings,
                "no message for %s, though the link is up: see whether the publishers still send",
                text);
        }
    }
}

static eop_json *make_warnings(const eop_mqtt_view *view, edgeops_duration now) {
    eop_json *warnings = eop_json_array();
    if (view->up) {
        warn_grants(view, warnings);
    }
    warn_session(view, warnings);
    if (view->taken_at != 0 && now - view->taken_at < TAKEN_SAID) {
        const char *id = id_of(view->config);
        if (view->taken_sure) {
            eop_json_append_format(
                warnings,
                "another client uses the client id '%s' and took the connection: give each its "
                "own (client_id)",
                id);
        } else {
            eop_json_append_format(
                warnings,
                "the connection breaks again and again soon after it was made: most often "
                "another client uses the client id '%s'; give each its own (client_id)",
                id);
        }
    }
    warn_shared(view, warnings);
    warn_overlap(view, warnings);
    warn_silence(view, warnings, now);
    return warnings;
}

static void set_guarantee(eop_json *json, const eop_mqtt_view *view) {
    grants g = sum_up(view);
    uint32_t expiry = view->announced.session_expiry_s;
    char kept[32] = "";
    char *text = NULL;
    if (g.least == 0) {
        const eop_mqtt_granted *f = &view->granted[g.first_lower];
        text = eop_format("messages may be lost: QoS 0 %s",
                          g.lower > 0 && f->granted == 0 ? "granted" : "asked for");
    } else if (expiry == 0) {
        text = eop_format("each message at least once while connected; what is sent while this "
                          "source is away is lost (no session)");
    } else if (expiry == UINT32_MAX) {
        text = eop_format("each message at least once, as long as the broker keeps the session");
    } else {
        eop_format_duration(kept, (edgeops_duration)expiry * EDGEOPS_SECOND);
        text =
            eop_format("each message at least once, if this source is not away for over %s", kept);
    }
    if (text != NULL && g.refused > 0) {
        char *rest = text;
        text = eop_format("%s; nothing from %zu filter%s that the broker refuses", rest, g.refused,
                          g.refused == 1 ? "" : "s");
        eop_free(rest);
    }
    eop_json_set_string(json, "guarantee", text);
    eop_free(text);
}

static void set_limits(eop_json *json, const eop_mqtt_view *view) {
    const eop_mqtt_config *config = view->config;
    bool announced = config->v5 && config->max_packet > 0;
    char *text = announced
                     ? eop_format("the broker drops a packet of over %u bytes without telling",
                                  (unsigned)config->max_packet)
                     : eop_format("a message of over %" PRIu64 " bytes becomes a dead letter",
                                  config->max_payload);
    if (announced) {
        eop_json_set_integer(json, "maximum_packet", config->max_packet);
    }
    eop_json_set_string(json, "larger", text);
    eop_free(text);
}

static eop_json *make_filters(const eop_mqtt_view *view) {
    eop_json *filters = eop_json_array();
    for (size_t i = 0; i < view->config->topic_count; i++) {
        const eop_mqtt_granted *f = &view->granted[i];
        eop_json *item = eop_json_object();
        eop_json_set_string(item, "filter", view->config->topics[i].filter);
        eop_json_set_integer(item, "asked", f->asked);
        if (f->refused != 0) {
            char why[EOP_MQTT_REASON_SIZE];
            eop_mqtt_reason(why, sizeof(why), f->refused, NULL, 0);
            eop_json_set_string(item, "refused", why);
        } else {
            eop_json_set_integer(item, "granted", f->granted);
        }
        eop_json_append(filters, item);
    }
    return filters;
}

static void set_terms(eop_json *json, const eop_mqtt_view *view) {
    const eop_mqtt_announced *a = &view->announced;
    eop_json_set_time(json, "since", view->since);
    eop_json_set_string(json, "session", view->session);
    if (view->config->v5 && a->session_expiry_s != UINT32_MAX) {
        eop_json_set_integer(json, "session_expiry_s", a->session_expiry_s);
    }
    eop_json_set_integer(json, "keep_alive_s", a->keep_alive_s);
    set_guarantee(json, view);
    set_limits(json, view);
    eop_json_set(json, "filters", make_filters(view));
}

eop_json *eop_mqtt_view_json(eop_mqtt_view *view, edgeops_duration now) {
    const eop_mqtt_config *config = view->config;
    eop_json *json = eop_json_object();
    char *broker = eop_format("%s:%u", config->host, (unsigned)config->port);
    pthread_mutex_lock(&view->mutex);
    const char *given = view->announced.client_id;
    bool assigned =
        view->up && given[0] != '\0' && eop_utf8_valid(given, strlen(given)) == strlen(given);
    eop_json_set_bool(json, "up", view->up);
    eop_json_set_string(json, "broker", broker);
    eop_json_set_bool(json, "tls", config->tls);
    eop_json_set_string(json, "protocol", config->v5 ? "MQTT 5" : "MQTT 3.1.1");
    eop_json_set_string(json, "client_id", assigned ? given : id_of(config));
    eop_json_set_bool(json, "client_id_assigned", assigned);
    eop_json_set_integer(json, "connections", (int64_t)view->connections);
    eop_json_set_integer(json, "lost_sessions", (int64_t)view->lost_sessions);
    if (view->up) {
        set_terms(json, view);
    }
    eop_json_set(json, "warnings", make_warnings(view, now));
    pthread_mutex_unlock(&view->mutex);
    eop_free(broker);
    return json;
}
