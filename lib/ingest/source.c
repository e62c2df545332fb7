/* SPDX-License-Identifier: Apache-2.0 */
/* The host side of a driver: decodes, appends, counts, keeps the state, and stops a driver while
 * there is no room. */
#include <pthread.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/hash.h"
#include "base/map.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/time.h"
#include "codec/json.h"
#include "codec/message.h"
#include "codec/payload.h"
#include "edgeops/ingest.h"
#include "ingest/drivers.h"
#include "ingest/label_reader.h"
#include "ingest/source_config.h"
#include "ingest/source_memory.h"
#include "ingest/source_state.h"
#include "platform/platform.h"

#define EVENTS         16
#define DETAIL         256
#define DEAD_PAYLOAD   512
#define READY_INTERVAL EDGEOPS_SECOND
#define RETRY_INTERVAL (2 * EDGEOPS_SECOND)
#define UNREADABLE_MAX 4096
#define YEAR_2000      ((edgeops_time)946684800 * EDGEOPS_SECOND)

typedef struct event {
    edgeops_source_state state;
    char detail[DETAIL];
} event;

struct edgeops_source {
    edgeops_ctx *ctx;
    edgeops_source_options options;
    char *name;
    const edgeops_hld_driver *driver;
    void *driver_state;
    edgeops_hld_host host;
    eop_payload *payload; /* NULL: a driver that makes samples itself */
    uint64_t max_payload;
    eop_label_reader *labels; /* NULL: there are none */
    eop_wake *wake;
    eop_timer *timer;
    bool wanted;  /* start() was called */
    bool driving; /* the driver is started */
    bool calling; /* inside a callback of the host's */
    bool gone;    /* closed in there: freed when it is over */

    pthread_mutex_t gate; /* around decode and append: order, and the payload's one thread */
    bool taking;
    eop_source_memory *memory;
    eop_map unreadable; /* kept messages that were told as dead letters: at most UNREADABLE_MAX */
    bool told_skipped;  /* of times that the clocks left out */

    pthread_mutex_t lock; /* the rest; innermost */
    edgeops_source_stats stats;
    event events[EVENTS];
    size_t event_first;
    size_t event_count;
    bool pause_wanted;
    char pause_reason[DETAIL];
    uint64_t ups;
};

/* -- state -- */

static void copy_text(char out[DETAIL], const char *text) {
    snprintf(out, DETAIL, "%s", text != NULL ? text : "");
    /* Not within a character. */
    out[eop_utf8_valid(out, strlen(out))] = '\0';
}

const char *eop_source_state_name(edgeops_source_state state) {
    static const char *const names[] = {"stopped", "connecting", "running", "done", "paused"};
    return (size_t)state < EOP_COUNT(names) ? names[state] : "?";
}

/* Under the lock. When the context's thread is slow the older half-way states are left out: the
 * last one always arrives. */
static void put_event(edgeops_source *source, edgeops_source_state state,
                      const char detail[DETAIL]) {
    size_t at = (source->event_first + source->event_count) % EVENTS;
    if (source->event_count == EVENTS) {
        source->event_first = (source->event_first + 1) % EVENTS;
    } else {
        source->event_count++;
    }
    source->events[at].state = state;
    memcpy(source->events[at].detail, detail, DETAIL);
}

/* Any thread. The only place that logs a source's state: a host with on_state need not log it. A
 * state that comes again unchanged, such as a broker that is still away, is neither logged nor
 * reported. */
static void push_state(edgeops_source *source, edgeops_source_state state, edgeops_log_level level,
                       const char *detail) {
    char text[DETAIL];
    copy_text(text, detail);
    pthread_mutex_lock(&source->lock);
    bool same = source->stats.state == state && strcmp(source->stats.detail, text) == 0;
    if (!same) {
        source->stats.state = state;
        memcpy(source->stats.detail, text, sizeof(text));
        put_event(source, state, text);
    }
    pthread_mutex_unlock(&source->lock);
    if (!same) {
        eop_log_write(eop_ctx_log(source->ctx), level, "source", "'%s' %s: %s", source->name,
                      eop_source_state_name(state), text);
        eop_wake_send(source->wake);
    }
}

static void drop_events(edgeops_source *source) {
    pthread_mutex_lock(&source->lock);
    source->event_count = 0;
    source->pause_wanted = false;
    pthread_mutex_unlock(&source->lock);
}

static bool pop_event(edgeops_source *source, event *out) {
    pthread_mutex_lock(&source->lock);
    bool some = source->event_count > 0;
    if (some) {
        *out = source->events[source->event_first];
        source->event_first = (source->event_first + 1) % EVENTS;
        source->event_count--;
    }
    pthread_mutex_unlock(&source->lock);
    return some;
}

static void host_state(void *self, edgeops_status reason, const char *detail) {
    edgeops_source *source = self;
    edgeops_source_state state = reason == EDGEOPS_OK     ? EDGEOPS_SOURCE_RUNNING
                                 : reason == EDGEOPS_DONE ? EDGEOPS_SOURCE_DONE
                                                          : EDGEOPS_SOURCE_CONNECTING;
    pthread_mutex_lock(&source->lock);
    if (reason == EDGEOPS_OK && source->stats.state != EDGEOPS_SOURCE_RUNNING &&
        source->ups++ > 0) {
        source->stats.reconnects++;
    }
    pthread_mutex_unlock(&source->lock);
    push_state(source, state, reason < 0 ? EDGEOPS_LOG_WARN : EDGEOPS_LOG_INFO,
               detail != NULL ? detail : "");
}

/* -- samples -- */

static void want_pause(edgeops_source *source, const char *reason) {
    pthread_mutex_lock(&source->lock);
    if (!source->pause_wanted) {
        source->pause_wanted = true;
        copy_text(source->pause_reason, reason);
    }
    pthread_mutex_unlock(&source->lock);
    eop_wake_send(source->wake);
}

/* What is to know of a message beside the samples that it gave. */
typedef struct arrival {
    edgeops_time at;
    bool kept;            /* the peer had kept it: it may have been taken before */
    bool repeat;          /* it was */
    bool unreadable;      /* and will be so when it comes again */
    uint64_t untimed;     /* samples that have the time of arrival */
    uint64_t unset_clock; /* samples whose time is that of a clock that was not set */
} arrival;

static uint64_t least(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* Of a message that is refused a part may have been stored. */
static void count(edgeops_source *source, size_t bytes, const edgeops_append_result *result,
                  const arrival *came, bool dead) {
    edgeops_time now = eop_now();
    pthread_mutex_lock(&source->lock);
    source->stats.messages++;
    source->stats.bytes += bytes;
    source->stats.dead += dead;
    source->stats.retained_repeats += came->repeat;
    source->stats.untimed += least(came->untimed, result->appended + result->merged);
    source->stats.unset_clock += least(came->unset_clock, result->appended + result->merged);
    source->stats.samples += result->appended;
    source->stats.merged += result->merged;
    source->stats.ahead += result->ahead;
    source->stats.duplicates += result->duplicates;
    source->stats.conflicts += result->conflicts;
    source->stats.late += result->late;
    source->stats.expired += result->expired;
    source->stats.last = now;
    pthread_mutex_unlock(&source->lock);
}

static void look_at_times(arrival *came, const edgeops_sample *samples, size_t n) {
    for (size_t i = 0; i < n; i++) {
        edgeops_time time = samples[i].time;
        came->unset_clock += time < YEAR_2000 || (time == came->at && eop_clock_unset(time));
    }
}

/* Appends. E_INVALID: the samples are at fault; any other error: there is no room now. */
static edgeops_status append(edgeops_source *source, const edgeops_sample *samples, size_t n,
                             edgeops_append_result *result) {
    const edgeops_source_options *options = &source->options;
    edgeops_status status = options->append(result, samples, n, NULL, options->user_data);
    if (status == EDGEOPS_E_LIMIT && options->ready != NULL &&
        options->ready(options->user_data) == EDGEOPS_OK) {
        /* There is room, perhaps since a moment ago. If the append fails again, these samples break
         * a limit, and trying again would never help. */
        *result = (edgeops_append_result)EDGEOPS_APPEND_RESULT_INIT;
        status = options->append(result, samples, n, NULL, options->user_data);
        status = status == EDGEOPS_E_LIMIT ? EDGEOPS_E_INVALID : status;
    }
    if (status >= 0 && result->conflicts > 0) {
        return eop_fail(EDGEOPS_E_INVALID, "source",
                        "%llu of its samples contradict stored ones: same asset, time and seq, "
                        "other values",
                        (unsigned long long)result->conflicts);
    }
    return status < 0 ? status : EDGEOPS_OK;
}

static void tell_dead(edgeops_source *source, const char *topic, const char *reason,
                      const void *payload, size_t size, edgeops_time arrived) {
    eop_log_write(eop_ctx_log(source->ctx), EDGEOPS_LOG_DEBUG, "source", "%s: refused from %s: %s",
                  source->name, topic, reason);
    if (source->options.on_dead_letter != NULL) {
        edgeops_dead_letter letter = {
            .time = arrived,
            .topic = topic,
            .reason = reason,
            .payload = payload,
            .payload_size = size < DEAD_PAYLOAD ? size : DEAD_PAYLOAD,
            .message_size = size,
        };
        source->options.on_dead_letter(&letter, source->options.user_data);
    }
}

/* Adds labels; errors as append(). The same ones again change nothing. */
static edgeops_status add_labels(edgeops_source *source, const edgeops_label *labels, size_t n,
                                 edgeops_append_result *result) {
    const edgeops_source_options *options = &source->options;
    edgeops_label_result done = EDGEOPS_LABEL_RESULT_INIT;
    edgeops_status status = options->label(&done, labels, n, options->user_data);
    if (status == EDGEOPS_E_LIMIT && options->ready != NULL &&
        options->ready(options->user_data) == EDGEOPS_OK) {
        status = options->label(&done, labels, n, options->user_data);
    }
    if (status < 0) {
        return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_E_INVALID : status;
    }
    result->duplicates = done.duplicates;
    pthread_mutex_lock(&source->lock);
    source->stats.labels += done.added;
    pthread_mutex_unlock(&source->lock);
    return EDGEOPS_OK;
}

static edgeops_status take_labels(edgeops_source *source, const char *topic, const void *payload,
                                  size_t size, edgeops_append_result *result) {
    const edgeops_label *labels = NULL;
    size_t n = 0;
    edgeops_status status =
        eop_label_reader_decode(source->labels, topic, payload, size, &labels, &n);
    return status == EDGEOPS_OK ? add_labels(source, labels, n, result) : status;
}

/* Under the gate. A zone that is not that of the times is seen by them; once for a source. */
static void tell_skipped(edgeops_source *source, const char *topic) {
    if (eop_payload_skipped_count(source->payload) > 0 && !source->told_skipped) {
        source->told_skipped = true;
        eop_log_write(eop_ctx_log(source->ctx), EDGEOPS_LOG_WARN, "source",
                      "'%s' has times in an hour that the clocks left out, the first on topic "
                      "'%.200s', and reads them by the clock before it: is the time_zone right?",
                      source->name, topic);
    }
}

/* Under the gate. E_INVALID with the reason as the error's text: a dead letter. */
static edgeops_status take_message(edgeops_source *source, const char *topic, const void *payload,
                                   size_t size, arrival *came, edgeops_append_result *result) {
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    if (size > source->max_payload) {
        came->unreadable = true;
        return eop_fail(EDGEOPS_E_INVALID, "source", "%zu bytes are over max_payload (%llu)", size,
                        (unsigned long long)source->max_payload);
    }
    if (eop_label_reader_takes(source->labels, topic)) {
        return take_labels(source, topic, payload, size, result);
    }
    edgeops_status status =
        eop_payload_decode(source->payload, topic, payload, size, came->at, &samples, &n);
    if (status < 0) {
        came->unreadable = status != EDGEOPS_E_NOMEM;
        return status == EDGEOPS_E_NOMEM ? status : EDGEOPS_E_INVALID;
    }
    came->untimed = eop_payload_arrived_count(source->payload);
    tell_skipped(source, topic);
    look_at_times(came, samples, n);
    status = append(source, samples, n, result);
    if (status == EDGEOPS_OK && came->kept && result->duplicates == n) {
        came->repeat = true;
        result->duplicates = 0;
    }
    return status;
}

/* Under the gate. A message that cannot be read is told once and not with each connection. True: it
 * was told. */
static bool is_told(edgeops_source *source, const char *topic, const void *payload, size_t size) {
    bool fresh = true;
    uint64_t parts[] = {eop_hash64(topic, strlen(topic)), eop_hash64(payload, size)};
    uint64_t hash = eop_hash64(parts, sizeof(parts));
    if (eop_map_has(&source->unreadable, hash)) {
        return true;
    }
    return source->unreadable.count < UNREADABLE_MAX &&
           eop_map_note(&source->unreadable, hash, &fresh) && !fresh;
}

/* Under the gate. What has a time of its own the store knows when it comes again, unless it is too
 * old for the store. What has none is remembered by its topic, also when it came as it was published:
 * the peer may keep it. */
static edgeops_status take_once(edgeops_source *source, const char *topic, const void *payload,
                                size_t size, arrival *came, edgeops_append_result *result) {
    eop_seen seen;
    bool same = eop_source_memory_look(source->memory, &seen, topic, payload, size);
    if (same && came->kept) {
        came->repeat = true;
        return EDGEOPS_OK;
    }
    edgeops_status status = take_message(source, topic, payload, size, came, result);
    if (came->kept && came->unreadable && is_told(source, topic, payload, size)) {
        came->repeat = true;
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK && (came->untimed > 0 || (came->kept && result->expired > 0))) {
        bool full = eop_source_memory_full(source->memory);
        eop_source_memory_note(source->memory, &seen, topic, payload, size);
        if (!full && eop_source_memory_full(source->memory)) {
            eop_log_write(eop_ctx_log(source->ctx), EDGEOPS_LOG_WARN, "source",
                          "'%s' has %u topics of messages without a time: retained ones of further "
                          "topics are taken again at each connection",
                          source->name, EOP_SOURCE_TOPICS_MAX);
        }
    }
    return status;
}

/* The common end of both ways in, behind the gate: reports to the driver, the counters and the
 * context. */
static edgeops_status finish(edgeops_source *source, edgeops_status status, const char *reason,
                             const char *topic, const void *payload, size_t size,
                             const arrival *came, const edgeops_append_result *result) {
    if (status == EDGEOPS_OK) {
        count(source, size, result, came, false);
        return status;
    }
    if (status == EDGEOPS_E_INVALID) {
        count(source, size, result, came, true);
        tell_dead(source, topic, reason, payload, size, came->at);
        return eop_fail_with(status, "source", reason);
    }
    want_pause(source, reason);
    return eop_fail_with(status == EDGEOPS_E_LIMIT || status == EDGEOPS_E_NOMEM ? status
                                                                                : EDGEOPS_E_IO,
                         "source", reason);
}

static edgeops_status take(edgeops_source *source, const char *topic, const void *payload,
                           size_t size, arrival *came) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    char reason[DETAIL];
    if (source->payload == NULL) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "source", "driver '%s' has no payload format",
                        source->driver->name);
    }
    pthread_mutex_lock(&source->gate);
    if (!source->taking) {
        pthread_mutex_unlock(&source->gate);
        return eop_fail(EDGEOPS_E_CLOSED, "source", "source '%s' is stopped", source->name);
    }
    edgeops_status status = take_once(source, topic, payload, size, came, &result);
    copy_text(reason, status < 0 ? edgeops_error_last()->message : "");
    pthread_mutex_unlock(&source->gate);
    return finish(source, status, reason, topic, payload, size, came, &result);
}

static edgeops_status host_message(void *self, const char *topic, const void *payload, size_t size,
                                   edgeops_time arrived) {
    arrival came = {.at = arrived};
    return take(self, topic, payload, size, &came);
}

static edgeops_status host_kept(void *self, const char *topic, const void *payload, size_t size,
                                edgeops_time arrived) {
    arrival came = {.at = arrived, .kept = true};
    return take(self, topic, payload, size, &came);
}

static void host_refused(void *self, const char *topic, const void *payload, size_t size,
                         edgeops_time arrived, const char *reason) {
    edgeops_source *source = self;
    const edgeops_append_result nothing = EDGEOPS_APPEND_RESULT_INIT;
    const arrival came = {.at = arrived};
    char text[DETAIL];
    copy_text(text, reason);
    count(source, size, &nothing, &came, true);
    tell_dead(source, topic, text, payload, size, arrived);
}

static void host_stray(void *self, const char *topic, const void *payload, size_t size,
                       edgeops_time arrived, const char *reason) {
    edgeops_source *source = self;
    pthread_mutex_lock(&source->lock);
    source->stats.unmatched++;
    pthread_mutex_unlock(&source->lock);
    host_refused(self, topic, payload, size, arrived, reason);
}

static int host_fresh(void *self) {
    edgeops_source *source = self;
    pthread_mutex_lock(&source->gate);
    bool fresh = eop_source_memory_fresh(source->memory);
    pthread_mutex_unlock(&source->gate);
    return fresh;
}

static edgeops_status host_begun(void *self) {
    edgeops_source *source = self;
    pthread_mutex_lock(&source->gate);
    edgeops_status status = eop_source_memory_begun(source->memory);
    pthread_mutex_unlock(&source->gate);
    return status == EDGEOPS_OK ? status : EDGEOPS_E_IO;
}

static edgeops_status host_emit(void *self, const edgeops_sample *samples, size_t n) {
    edgeops_source *source = self;
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    arrival came = {.at = eop_now()};
    eop_buf text = {0};
    char reason[DETAIL];
    if (n == 0) {
        return EDGEOPS_OK;
    }
    pthread_mutex_lock(&source->gate);
    if (!source->taking) {
        pthread_mutex_unlock(&source->gate);
        return eop_fail(EDGEOPS_E_CLOSED, "source", "source '%s' is stopped", source->name);
    }
    look_at_times(&came, samples, n);
    edgeops_status status = append(source, samples, n, &result);
    copy_text(reason, status < 0 ? edgeops_error_last()->message : "");
    pthread_mutex_unlock(&source->gate);
    if (status == EDGEOPS_E_INVALID) {
        eop_message_put_sample(&text, &samples[0], NULL);
    }
    status = finish(source, status, reason, samples[0].asset, text.data,
                    text.failed ? 0 : text.size, &came, &result);
    eop_buf_dispose(&text);
    return status;
}

static void host_log(void *self, int level, const char *message) {
    edgeops_source *source = self;
    eop_log_write(eop_ctx_log(source->ctx), (edgeops_log_level)level, "source", "%s: %s",
                  source->name, message);
}

static void host_lost(void *self, uint64_t messages, const char *reason) {
    edgeops_source *source = self;
    pthread_mutex_lock(&source->lock);
    bool first = source->stats.lost == 0;
    source->stats.lost += messages;
    pthread_mutex_unlock(&source->lock);
    if (first) {
        eop_log_write(eop_ctx_log(source->ctx), EDGEOPS_LOG_ERROR, "source",
                      "'%s' loses messages: %s", source->name, reason);
    }
}

static edgeops_time host_now(void *self) {
    (void)self;
    return eop_now();
}

/* -- the driver: started, stopped, paused; context's thread -- */

static void set_taking(edgeops_source *source, bool taking) {
    pthread_mutex_lock(&source->gate);
    source->taking = taking;
    pthread_mutex_unlock(&source->gate);
}

static void stop_driver(edgeops_source *source) {
    if (source->driving) {
        source->driving = false;
        source->driver->stop(source->driver_state);
    }
    set_taking(source, false);
}

static void pause_driver(edgeops_source *source, const char *reason) {
    char detail[DETAIL];
    stop_driver(source);
    drop_events(source);
    snprintf(detail, sizeof(detail), "waits for room: %s", reason);
    push_state(source, EDGEOPS_SOURCE_PAUSED, EDGEOPS_LOG_ERROR, detail);
    eop_timer_start(source->timer, RETRY_INTERVAL, RETRY_INTERVAL);
}

static bool means_full(edgeops_status status) {
    return status == EDGEOPS_E_LIMIT || status == EDGEOPS_E_IO || status == EDGEOPS_E_NOMEM;
}

static edgeops_status start_driver(edgeops_source *source) {
    set_taking(source, true);
    push_state(source, EDGEOPS_SOURCE_CONNECTING, EDGEOPS_LOG_INFO, "starting");
    /* The driver may report before it returns: those reports count. */
    source->driving = true;
    edgeops_status status = source->driver->start(source->driver_state);
    if (status < 0) {
        char reason[DETAIL];
        copy_text(reason, edgeops_error_last()->message);
        source->driving = false;
        set_taking(source, false);
        if (means_full(status)) {
            pause_driver(source, reason);
            return EDGEOPS_OK;
        }
        return eop_fail_with(status, "source", reason);
    }
    if (source->options.ready != NULL) {
        eop_timer_start(source->timer, READY_INTERVAL, READY_INTERVAL);
    } else {
        eop_timer_stop(source->timer);
    }
    return EDGEOPS_OK;
}

/* Running: is there still room? Paused: is there again? */
static void on_timer(void *user_data) {
    edgeops_source *source = user_data;
    const edgeops_source_options *options = &source->options;
    char reason[DETAIL];
    pthread_mutex_lock(&source->lock);
    bool done = source->stats.state == EDGEOPS_SOURCE_DONE;
    pthread_mutex_unlock(&source->lock);
    if (done) {
        eop_timer_stop(source->timer);
        return;
    }
    edgeops_status status =
        options->ready != NULL ? options->ready(options->user_data) : EDGEOPS_OK;
    if (source->driving && status < 0) {
        copy_text(reason, edgeops_error_last()->message);
        pause_driver(source, reason);
    } else if (!source->driving && source->wanted && status >= 0) {
        if (start_driver(source) < 0) {
            copy_text(reason, edgeops_error_last()->message);
            push_state(source, EDGEOPS_SOURCE_PAUSED, EDGEOPS_LOG_ERROR, reason);
        }
    }
}

static void source_free(edgeops_source *source) {
    if (source->driver_state != NULL) {
        source->driver->close(source->driver_state);
    }
    eop_timer_free(source->timer);
    eop_wake_free(source->wake);
    eop_payload_free(source->payload);
    eop_label_reader_free(source->labels);
    eop_source_memory_free(source->memory);
    eop_map_dispose(&source->unreadable);
    eop_free(source->name);
    pthread_mutex_destroy(&source->gate);
    pthread_mutex_destroy(&source->lock);
    eop_free(source);
}

static void on_wake(void *user_data) {
    edgeops_source *source = user_data;
    char reason[DETAIL];
    pthread_mutex_lock(&source->lock);
    bool pause = source->pause_wanted;
    memcpy(reason, source->pause_reason, sizeof(reason));
    source->pause_wanted = false;
    pthread_mutex_unlock(&source->lock);
    if (pause && source->driving) {
        pause_driver(source, reason);
    }
    event e;
    source->calling = true;
    while (source->options.on_state != NULL && !source->gone && pop_event(source, &e)) {
        source->options.on_state(e.state, e.detail, source->options.user_data);
    }
    source->calling = false;
    if (source->gone) {
        source_free(source);
    }
}

/* -- life -- */

void edgeops_source_options_init(edgeops_source_options *options, size_t struct_size) {
    static const edgeops_source_options defaults = EDGEOPS_SOURCE_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &defaults, sizeof defaults);
}

void edgeops_source_stats_init(edgeops_source_stats *stats, size_t struct_size) {
    static const edgeops_source_stats defaults = EDGEOPS_SOURCE_STATS_INIT;
    eop_struct_init(stats, struct_size, &defaults, sizeof defaults);
}

static edgeops_status source_init(edgeops_source *source, eop_json *config) {
    const edgeops_source_options *options = &source->options;
    char *text = NULL;
    source->host = (edgeops_hld_host){
        .struct_size = sizeof(edgeops_hld_host),
        .abi_minor = EDGEOPS_HLD_ABI_MINOR,
        .self = source,
        .emit = host_emit,
        .message = host_message,
        .log = host_log,
        .now = host_now,
        .state = host_state,
        .lost = host_lost,
        .kept = host_kept,
        .stray = host_stray,
        .fresh = host_fresh,
        .begun = host_begun,
        .refused = host_refused,
    };
    edgeops_status status =
        eop_source_payload_open(&source->payload, &source->max_payload, source->driver, config);
    if (status == EDGEOPS_OK) {
        status = eop_label_reader_new(&source->labels, eop_json_get(config, "labels"),
                                      source->driver->name, source->name);
    }
    if (status == EDGEOPS_OK && source->labels != NULL && options->label == NULL) {
        status = eop_fail(EDGEOPS_E_INVALID, "source", "labels: this program takes no labels");
    }
    if (status < 0 || (status = eop_source_memory_new(&source->memory, options->memory)) < 0 ||
        (status = eop_source_client_id(config, source->driver, source->name, options->instance)) <
            0) {
        return status;
    }
    text = eop_json_print(config);
    if (text == NULL) {
        return eop_fail_nomem("source");
    }
    if ((status = eop_wake_new(&source->wake, source->ctx, on_wake, source)) < 0 ||
        (status = eop_timer_new(&source->timer, source->ctx, on_timer, source)) < 0) {
        goto out;
    }
    status = source->driver->open(&source->driver_state, &source->host, text);
out:
    eop_free(text);
    return status;
}

edgeops_status edgeops_source_open(edgeops_source **out, edgeops_ctx *ctx,
                                   const edgeops_source_options *given) {
    EOP_REQUIRE(out != NULL, "source");
    *out = NULL;
    EOP_REQUIRE(ctx != NULL && given != NULL, "source");
    EOP_REQUIRE_HERE(eop_ctx_birth(ctx), "source", "context");
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    eop_json *config = NULL;
    edgeops_source *source = NULL;
    edgeops_status status = EOP_STRUCT_TAKE(&options, given, "source", EDGEOPS_SOURCE_OPTIONS_INIT);
    if (status < 0) {
        return status;
    }
    if (options.name == NULL || !eop_id_valid(options.name)) {
        return eop_fail(EDGEOPS_E_INVALID, "source",
                        "'%s' is not a valid name for a source; use [a-z0-9][a-z0-9._-]{0,63}",
                        options.name != NULL ? options.name : "");
    }
    EOP_REQUIRE(options.driver != NULL && options.config_json != NULL && options.append != NULL,
                "source");
    status = edgeops_source_check(options.driver, options.config_json);
    if (status < 0) {
        return status;
    }
    const edgeops_hld_driver *driver = eop_driver_find(options.driver);
    if ((status = eop_source_config_check(driver, options.config_json, &config)) < 0) {
        return status;
    }
    source = eop_calloc(1, sizeof(*source));
    if (source == NULL) {
        status = eop_fail_nomem("source");
        goto out;
    }
    source->ctx = ctx;
    source->driver = driver;
    source->options = options;
    pthread_mutex_init(&source->gate, NULL);
    pthread_mutex_init(&source->lock, NULL);
    source->name = eop_strdup(options.name);
    status = source->name != NULL ? source_init(source, config) : eop_fail_nomem("source");
    if (status < 0) {
        goto out;
    }
    /* The caller's texts are not ours to keep. */
    source->options.name = NULL;
    source->options.driver = NULL;
    source->options.config_json = NULL;
    source->options.instance = NULL;
    source->options.memory = NULL;
    *out = source;
    source = NULL;
out:
    edgeops_source_close(source);
    eop_json_free(config);
    return status;
}

edgeops_status edgeops_source_start(edgeops_source *source) {
    EOP_REQUIRE(source != NULL, "source");
    EOP_REQUIRE_HERE(eop_ctx_birth(source->ctx), "source", "source");
    if (source->driving || source->wanted) {
        pthread_mutex_lock(&source->lock);
        bool over = source->stats.state == EDGEOPS_SOURCE_DONE;
        pthread_mutex_unlock(&source->lock);
        if (!over) {
            return EDGEOPS_OK;
        }
        stop_driver(source);
    }
    source->wanted = true;
    const edgeops_source_options *options = &source->options;
    if (options->ready != NULL && options->ready(options->user_data) < 0) {
        char reason[DETAIL];
        copy_text(reason, edgeops_error_last()->message);
        pause_driver(source, reason);
        return EDGEOPS_OK;
    }
    edgeops_status status = start_driver(source);
    if (status < 0) {
        char reason[DETAIL];
        copy_text(reason, edgeops_error_last()->message);
        edgeops_source_stop(source);
        return eop_fail_with(status, "source", reason);
    }
    return status;
}

void edgeops_source_stop(edgeops_source *source) {
    if (source == NULL || !eop_born_here(eop_ctx_birth(source->ctx))) {
        return;
    }
    source->wanted = false;
    stop_driver(source);
    if (source->timer != NULL) {
        eop_timer_stop(source->timer);
    }
    pthread_mutex_lock(&source->lock);
    source->stats.state = EDGEOPS_SOURCE_STOPPED;
    source->stats.detail[0] = '\0';
    pthread_mutex_unlock(&source->lock);
    drop_events(source);
}

void edgeops_source_forget(edgeops_source *source) {
    if (source == NULL || !eop_born_here(eop_ctx_birth(source->ctx))) {
        return;
    }
    edgeops_source_stop(source);
    const edgeops_hld_driver *driver = source->driver;
    size_t known = offsetof(edgeops_hld_driver, forget) + sizeof(driver->forget);
    if (driver->struct_size >= known && driver->forget != NULL) {
        driver->forget(source->driver_state);
    }
}

static void keep_description(void *user_data, const char *json) {
    char **out = user_data;
    if (*out == NULL) {
        *out = eop_strdup(json);
    }
}

edgeops_status edgeops_source_connection(char **json, edgeops_source *source) {
    EOP_REQUIRE(json != NULL, "source");
    *json = NULL;
    EOP_REQUIRE(source != NULL, "source");
    EOP_REQUIRE_HERE(eop_ctx_birth(source->ctx), "source", "source");
    const edgeops_hld_driver *driver = source->driver;
    size_t known = offsetof(edgeops_hld_driver, describe) + sizeof(driver->describe);
    if (driver->struct_size < known || driver->describe == NULL) {
        return eop_fail(EDGEOPS_E_UNSUPPORTED, "source", "driver '%s' says nothing of its link",
                        driver->name);
    }
    driver->describe(source->driver_state, keep_description, json);
    return *json != NULL ? EDGEOPS_OK : eop_fail_nomem("source");
}

edgeops_status edgeops_source_get_stats(edgeops_source_stats *stats, edgeops_source *source) {
    EOP_REQUIRE(source != NULL && stats != NULL, "source");
    EOP_REQUIRE_HERE(eop_ctx_birth(source->ctx), "source", "source");
    edgeops_status status = eop_result_check(stats, "source", "EDGEOPS_SOURCE_STATS_INIT");
    if (status == EDGEOPS_OK) {
        pthread_mutex_lock(&source->lock);
        eop_result_give(stats, &source->stats, sizeof source->stats);
        pthread_mutex_unlock(&source->lock);
    }
    return status;
}

void edgeops_source_close(edgeops_source *source) {
    if (source == NULL || !eop_born_here(eop_ctx_birth(source->ctx))) {
        return;
    }
    edgeops_source_stop(source);
    source->gone = true;
    if (!source->calling) {
        source_free(source);
    }
}
