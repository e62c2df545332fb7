/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: records in the catalog, drivers that run, and the letters they could not take. Samples
 * go from a driver's thread straight into the store; dead letters wait here for the next tick,
 * bounded, since the catalog is no place for a hot path. */

#include "node/live/sources.h"

#include <stdio.h>
#include <string.h>

#include "catalog/record.h"
#include "ingest/drivers.h"
#include "ingest/source_memory.h"
#include "ingest/source_state.h"
#include "node/home/args.h"
#include "node/home/records.h"
#include "node/live/admit.h"
#include "node/live/connection.h"
#include "node/live/fed.h"
#include "node/live/fit.h"
#include "node/live/joins.h"
#include "node/live/letters.h"
#include "node/live/told.h"
#include "store/room.h"

/** How fast a counter grows, sampled by the node's tick. */
typedef struct rate {
    uint64_t last;
    double per_s;
} rate;

struct eop_source {
    edgeops_node *node;
    char *name;
    eop_json *record;       /**< name, driver, config, enabled, created; loop's thread */
    eop_json *channels;     /**< the configuration's, never changed: driver's threads read it */
    edgeops_source *source; /**< NULL when it cannot be opened, see problem */
    char *problem;
    bool running;
    rate rate;
    eop_fed fed;
    eop_connection connection;
    atomic_uint_fast64_t max_assets; /**< that it may make; driver's threads read it */
    atomic_bool capped;              /**< a sample was refused because of max_assets */
    atomic_bool declare_failed;      /**< said once */
    pthread_mutex_t lock;
    /* Guarded by lock: a driver's threads write them, once. NULL: there was none. */
    char *conflict; /**< the first sample that contradicted a stored one */
    char *declared; /**< the first channel whose unit or type is not as configured */
    eop_letters letters;
};

/* -- driver's threads -- */

/* Keeps the first of its kind. text: taken. */
static void note_once(eop_source *s, char **kept, char *text) {
    pthread_mutex_lock(&s->lock);
    if (*kept == NULL) {
        *kept = text;
        text = NULL;
    }
    pthread_mutex_unlock(&s->lock);
    eop_free(text);
}

/* The units of the configuration: the payload decoder gives values, the store keeps units. */
static void declare_channels(eop_source *s, const char *asset) {
    if (s->channels == NULL) {
        return;
    }
    for (const eop_json *c = eop_json_first(s->channels); c != NULL; c = eop_json_next(c)) {
        const char *unit = eop_json_string(c, "unit", "");
        edgeops_type type;
        uint32_t length;
        bool known = eop_type_parse(&type, &length, eop_json_string(c, "type", "float64"));
        if (unit[0] != '\0' && known) {
            edgeops_status status =
                edgeops_store_declare(s->node->store, asset,
                                      &(edgeops_channel_info){eop_json_key(c), unit, type, length});
            if (status != EDGEOPS_OK && !atomic_exchange(&s->declare_failed, true)) {
                /* Such as a channel that exists with another type: the samples will say so, too. */
                eop_log_write(node_log(s->node), EDGEOPS_LOG_WARN, "node", "source '%s': %s",
                              s->name, edgeops_error_last()->message);
                note_once(s, &s->declared, eop_strdup(edgeops_error_last()->message));
            }
        }
    }
}

/* The rest of the message is stored: the source counts both. */
static edgeops_status refuse_asset(eop_source *s) {
    if (!atomic_exchange(&s->capped, true)) {
        eop_log_write(node_log(s->node), EDGEOPS_LOG_WARN, "node",
                      "source '%s' made %llu assets, as many as max_assets allows: messages for "
                      "others become dead letters",
                      s->name, (unsigned long long)eop_fed_made(&s->fed));
    }
    return eop_fail(EDGEOPS_E_INVALID, "node", "would make asset %llu; max_assets is %llu",
                    (unsigned long long)eop_fed_made(&s->fed) + 1,
                    (unsigned long long)atomic_load(&s->max_assets));
}

/* The rest of the message is stored, as above. */
static edgeops_status refuse_conflict(eop_source *s, const edgeops_sample *samples, size_t n) {
    char *text = eop_tell_conflict(s->node->store, samples, n);
    if (text == NULL) {
        return EDGEOPS_OK; /* the source has words of its own */
    }
    edgeops_status status = eop_fail(EDGEOPS_E_INVALID, "node", "contradicts the store: %s", text);
    note_once(s, &s->conflict, text);
    return status;
}

/* As they are, or, where the store has none of that, with texts read as what their assets hold. */
static edgeops_status append_fitting(edgeops_append_result *result, const eop_source *s,
                                     const eop_admitted *a, const edgeops_append_options *options) {
    edgeops_status status =
        edgeops_store_append(result, s->node->store, a->samples, a->count, options);
    if (status != EDGEOPS_E_INVALID) {
        return status;
    }
    eop_kept_error error;
    eop_fitted fitted;
    eop_keep_error(&error);
    status = eop_fit(&fitted, s->node->store, a->samples, a->count);
    if (status == EDGEOPS_OK && fitted.samples != NULL) {
        status = edgeops_store_append(result, s->node->store, fitted.samples, a->count, options);
        eop_fitted_dispose(&fitted);
        return status;
    }
    return status == EDGEOPS_OK ? eop_fail_kept(&error) : status;
}

static edgeops_status on_samples(edgeops_append_result *result, const edgeops_sample *samples,
                                 size_t n, const edgeops_append_options *options, void *user_data) {
    eop_source *s = user_data;
    eop_admitted a;
    edgeops_status status = eop_admit(&a, &s->fed, s->node->store, s->node->derived, samples, n,
                                      atomic_load(&s->max_assets));
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (size_t i = 0; i < a.count; i++) {
        bool same = i > 0 && strcmp(a.samples[i].asset, a.samples[i - 1].asset) == 0;
        if (!same && eop_fed_note(&s->fed, eop_fed_hash(a.samples[i].asset))) {
            declare_channels(s, a.samples[i].asset);
        }
    }
    if (a.count > 0) {
        status = append_fitting(result, s, &a, options);
    }
    if (status == EDGEOPS_OK && result->conflicts > 0) {
        status = refuse_conflict(s, a.samples, a.count);
    }
    size_t refused = a.refused;
    const char *derived = a.derived;
    eop_kept_error error;
    eop_keep_error(&error);
    eop_admit_end(&a, &s->fed, s->node->store);
    if (status < 0) {
        return eop_fail_kept(&error);
    }
    if (derived != NULL) {
        return eop_derived_refuse(s->node->derived, derived);
    }
    return refused > 0 ? refuse_asset(s) : status;
}

static edgeops_status on_labels(edgeops_label_result *result, const edgeops_label *labels, size_t n,
                                void *user_data) {
    const eop_source *s = user_data;
    return edgeops_label_add_new(result, s->node->store, labels, n);
}

static edgeops_status on_ready(void *user_data) {
    eop_source *s = user_data;
    return eop_store_ready(s->node->store);
}

static void on_dead_letter(const edgeops_dead_letter *given, void *user_data) {
    eop_source *s = user_data;
    eop_letters_put(&s->letters, given);
}

/* -- loop -- */

static void flush_letters(eop_source *s) {
    eop_letters_flush(&s->letters, s->node, s->name);
}

edgeops_status eop_source_letters(eop_source *s, size_t max, eop_dead_letter_fn fn,
                                  void *user_data) {
    return eop_letters_list(&s->letters, s->node, s->name, max, fn, user_data);
}

static void set_problem(eop_source *s, const char *problem) {
    eop_free(s->problem);
    s->problem = problem != NULL ? eop_strdup(problem) : NULL;
}

static char *memory_path(const edgeops_node *node, const char *name) {
    return eop_node_path(node, "sources", name);
}

static edgeops_status open_source(eop_source *s) {
    edgeops_status status = EDGEOPS_OK;
    char *config = eop_json_print(eop_json_get(s->record, "config"));
    char *memory = memory_path(s->node, s->name);
    if (config == NULL || memory == NULL) {
        status = eop_fail_nomem("node");
        goto out;
    }
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    options.name = s->name;
    options.driver = eop_source_driver(s);
    options.config_json = config;
    options.append = on_samples;
    options.label = on_labels;
    options.ready = on_ready;
    options.instance = s->node->id;
    options.on_dead_letter = on_dead_letter;
    options.user_data = s;
    options.memory = memory;
    status = edgeops_source_open(&s->source, s->node->ctx, &options);
out:
    eop_free(config);
    eop_free(memory);
    return status;
}

static void source_free(eop_source *s) {
    if (s == NULL) {
        return;
    }
    edgeops_source_close(s->source);
    if (s->source != NULL) {
        flush_letters(s);
    }
    eop_letters_dispose(&s->letters);
    pthread_mutex_destroy(&s->lock);
    eop_fed_dispose(&s->fed);
    eop_connection_dispose(&s->connection);
    eop_free(s->problem);
    eop_free(s->conflict);
    eop_free(s->declared);
    eop_json_free(s->record);
    eop_json_free(s->channels);
    eop_free(s->name);
    eop_free(s);
}

/* record: taken, also on failure. */
static edgeops_status source_new(eop_source **out, edgeops_node *node, const char *name,
                                 eop_json *record) {
    eop_source *s = eop_calloc(1, sizeof(*s));
    if (s == NULL) {
        eop_json_free(record);
        return eop_fail_nomem("node");
    }
    s->node = node;
    s->record = record;
    pthread_mutex_init(&s->lock, NULL);
    eop_fed_init(&s->fed);
    eop_letters_init(&s->letters);
    atomic_init(&s->capped, false);
    atomic_init(&s->declare_failed, false);
    atomic_init(&s->max_assets, (uint64_t)eop_json_integer(eop_json_get(record, "config"),
                                                           "max_assets", EOP_MAX_ASSETS));
    const eop_json *payload = eop_json_get(eop_json_get(record, "config"), "payload");
    const eop_json *channels = eop_json_get(payload, "channels");
    s->channels = channels != NULL ? eop_json_copy(channels) : NULL;
    s->name = eop_strdup(name);
    if (s->name == NULL) {
        source_free(s);
        return eop_fail_nomem("node");
    }
    eop_connection_load(&s->connection, node, s->name);
    *out = s;
    return EDGEOPS_OK;
}

static edgeops_status check_room(const edgeops_node *node) {
    return node->source_count < EOP_NODE_SOURCES_MAX
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_LIMIT, "node", "a node has at most %d sources",
                          EOP_NODE_SOURCES_MAX);
}

static edgeops_status load_one(const char *name, const char *json, void *user_data) {
    edgeops_node *node = user_data;
    eop_json *record = NULL;
    eop_source *s = NULL;
    edgeops_status status = check_room(node);
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(&record, json, strlen(json), "source record", NULL);
    }
    if (status == EDGEOPS_OK) {
        status = source_new(&s, node, name, record);
    }
    if (status == EDGEOPS_OK) {
        node->sources[node->source_count++] = s;
    }
    return status;
}

edgeops_status eop_sources_load(edgeops_node *node) {
    edgeops_status status = eop_record_list(node->catalog, "source", load_one, node);
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (size_t i = 0; i < node->source_count; i++) {
        eop_fed_load(&node->sources[i]->fed, node, node->sources[i]->name);
        /* A source that cannot be opened any more (its driver is gone) must not prevent the home
         * from opening. */
        if (open_source(node->sources[i]) != EDGEOPS_OK) {
            set_problem(node->sources[i], edgeops_error_last()->message);
        }
    }
    return EDGEOPS_OK;
}

static bool is_enabled(const eop_source *s) {
    return eop_json_bool(s->record, "enabled", true);
}

static bool is_any(const eop_source *s) {
    (void)s;
    return true;
}

static bool is_running(const eop_source *s) {
    return s->running;
}

/* Another source of this client id at this broker, which lets in only one of them at a time and
 * keeps one session for both. */
static edgeops_status check_client(const eop_source *s, bool (*counts)(const eop_source *other)) {
    const edgeops_node *node = s->node;
    for (size_t i = 0; i < node->source_count; i++) {
        const eop_source *other = node->sources[i];
        char *client =
            other != s && counts(other) ? eop_connection_shared(s->source, other->source) : NULL;
        if (client != NULL) {
            edgeops_status status = eop_fail(
                EDGEOPS_E_EXISTS, "node",
                "source '%s' has the client id %s: a broker lets in one client of an id at a time; "
                "give each source its own (client_id), or leave it out",
                other->name, client);
            eop_free(client);
            return status;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status start_source(eop_source *s) {
    if (s->running || !s->node->started || !is_enabled(s)) {
        return EDGEOPS_OK;
    }
    edgeops_status status = s->source != NULL ? EDGEOPS_OK : open_source(s);
    if (status == EDGEOPS_OK) {
        status = check_client(s, is_running);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_source_start(s->source);
    }
    s->running = status == EDGEOPS_OK;
    set_problem(s, status == EDGEOPS_OK ? NULL : edgeops_error_last()->message);
    return status;
}

static void stop_source(eop_source *s) {
    if (s->source != NULL) {
        edgeops_source_stop(s->source);
    }
    s->running = false;
}

void eop_sources_start(edgeops_node *node) {
    for (size_t i = 0; i < node->source_count; i++) {
        if (start_source(node->sources[i]) != EDGEOPS_OK) {
            eop_log_write(node_log(node), EDGEOPS_LOG_ERROR, "node",
                          "source '%s' does not start: %s", node->sources[i]->name,
                          node->sources[i]->problem != NULL ? node->sources[i]->problem : "");
        }
    }
}

void eop_sources_stop(edgeops_node *node) {
    for (size_t i = 0; i < node->source_count; i++) {
        stop_source(node->sources[i]);
        flush_letters(node->sources[i]);
        eop_fed_save(&node->sources[i]->fed, node, node->sources[i]->name, true);
    }
}

void eop_sources_free(edgeops_node *node) {
    for (size_t i = 0; i < node->source_count; i++) {
        source_free(node->sources[i]);
    }
    node->source_count = 0;
}

void eop_sources_tick(edgeops_node *node) {
    for (size_t i = 0; i < node->source_count; i++) {
        eop_source *s = node->sources[i];
        flush_letters(s);
        eop_fed_save(&s->fed, node, s->name, false);
        eop_connection_tick(&s->connection, s->source);
        if (s->source != NULL) {
            edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
            edgeops_source_get_stats(&stats, s->source);
            /* Smoothed over some three seconds. */
            double now = (double)(stats.messages - s->rate.last);
            s->rate.per_s += (now - s->rate.per_s) * 0.3;
            s->rate.last = stats.messages;
        }
    }
}

eop_source *eop_source_find(edgeops_node *node, const char *name) {
    for (size_t i = 0; i < node->source_count; i++) {
        if (strcmp(node->sources[i]->name, name) == 0) {
            return node->sources[i];
        }
    }
    (void)eop_fail(EDGEOPS_E_NOTFOUND, "node",
                   "there is no source '%.64s'; 'source ls' shows those there are", name);
    return NULL;
}

static eop_json *new_record(const char *name, const char *driver, const eop_json *config,
                            bool start) {
    eop_json *record = eop_json_object();
    eop_json_set_string(record, "name", name);
    eop_json_set_string(record, "driver", driver);
    eop_json_set(record, "config", eop_json_copy(config));
    eop_json_set_bool(record, "enabled", start);
    eop_json_set_time(record, "created", eop_now());
    return record;
}

static bool is_there(const edgeops_node *node, const char *name) {
    for (size_t i = 0; i < node->source_count; i++) {
        if (strcmp(node->sources[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* What the broker keeps under its client id is not its own: the source's memory says so before the
 * source is there. */
static edgeops_status make_memory(edgeops_node *node, const char *name) {
    char *folder = eop_node_path(node, "sources", NULL);
    char *path = memory_path(node, name);
    edgeops_status status =
        folder != NULL && path != NULL ? eop_mkdirs(folder, 0700) : eop_fail_nomem("node");
    if (status == EDGEOPS_OK) {
        status = eop_source_memory_make(path);
    }
    eop_free(folder);
    eop_free(path);
    return status;
}

static void remove_memory(const edgeops_node *node, const char *name) {
    char *path = memory_path(node, name);
    if (path != NULL) {
        eop_source_memory_remove(path);
    }
    eop_free(path);
}

edgeops_status eop_source_add(eop_source **out, edgeops_node *node, const char *name,
                              const char *driver, const eop_json *config, bool start) {
    eop_source *s = NULL;
    edgeops_status status = eop_check_id("source", name);
    if (status == EDGEOPS_OK) {
        status = check_room(node);
    }
    if (status == EDGEOPS_OK) {
        status = source_new(&s, node, name, new_record(name, driver, config, start));
    }
    bool fresh = status == EDGEOPS_OK && !is_there(node, name);
    if (fresh) {
        status = make_memory(node, name);
    }
    if (status == EDGEOPS_OK) {
        status = open_source(s);
    }
    if (status == EDGEOPS_OK && fresh) {
        status = check_client(s, is_any);
    }
    if (status == EDGEOPS_OK) {
        status = eop_put_record(node, "source", name, s->record, true);
    }
    if (status == EDGEOPS_OK) {
        node->sources[node->source_count++] = s;
        *out = s;
        s = NULL;
        /* The source exists now: a failed start is shown as its state. */
        (void)start_source(*out);
    } else if (fresh) {
        eop_kept_error error;
        eop_keep_error(&error);
        remove_memory(node, name);
        status = eop_fail_kept(&error);
    }
    source_free(s);
    return status;
}

edgeops_status eop_source_set_max_assets(eop_source *s, uint64_t max) {
    eop_json *record = eop_json_copy(s->record);
    eop_json *config = eop_json_copy(eop_json_get(record, "config"));
    eop_json_set_integer(config, "max_assets", (int64_t)max);
    eop_json_set(record, "config", config);
    edgeops_status status = eop_put_record(s->node, "source", s->name, record, false);
    if (status == EDGEOPS_OK) {
        eop_json_free(s->record);
        s->record = record;
        record = NULL;
        atomic_store(&s->max_assets, max);
        atomic_store(&s->capped, false);
    }
    eop_json_free(record);
    return status;
}

void eop_sources_asset_removed(edgeops_node *node, const char *asset) {
    for (size_t i = 0; i < node->source_count; i++) {
        eop_fed_removed(&node->sources[i]->fed, eop_fed_hash(asset));
    }
}

edgeops_status eop_source_enable(eop_source *s, bool enable) {
    if (enable && !is_enabled(s)) {
        edgeops_status status = check_client(s, is_enabled);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    if (is_enabled(s) != enable) {
        eop_json_set_bool(s->record, "enabled", enable);
        edgeops_status status = eop_put_record(s->node, "source", s->name, s->record, false);
        if (status != EDGEOPS_OK) {
            eop_json_set_bool(s->record, "enabled", !enable);
            return status;
        }
    }
    if (!enable) {
        stop_source(s);
        return EDGEOPS_OK;
    }
    if (s->source != NULL && s->running) {
        edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
        edgeops_source_get_stats(&stats, s->source);
        if (stats.state == EDGEOPS_SOURCE_DONE) {
            stop_source(s); /* it came to its end: once more from the start */
        }
    }
    return start_source(s);
}

edgeops_status eop_source_remove(eop_source *s) {
    edgeops_node *node = s->node;
    edgeops_status status = eop_record_remove(node->catalog, "source", s->name);
    if (status != EDGEOPS_OK) {
        return status;
    }
    for (size_t i = 0; i < node->source_count; i++) {
        if (node->sources[i] == s) {
            node->sources[i] = node->sources[--node->source_count];
            break;
        }
    }
    char *name = eop_strdup(s->name);
    bool clean = eop_json_bool(eop_source_config(s), "clean_session", false);
    char *left = clean ? NULL : eop_connection_left(&s->connection, s->source);
    if (left != NULL) {
        eop_log_write(
            node_log(node), EDGEOPS_LOG_WARN, "node",
            "source '%s' is removed while there is no link: the broker may go on to keep a "
            "session, with messages in it, of client id %s; end it there. A new source of "
            "this id drops it",
            s->name, left);
    }
    eop_free(left);
    edgeops_source_forget(s->source);
    source_free(s);
    if (name != NULL) {
        eop_fed_forget(node, name);
        eop_connection_forget(node, name);
        remove_memory(node, name);
    }
    status = name != NULL ? eop_dead_letter_remove(node->catalog, name) : eop_fail_nomem("node");
    eop_free(name);
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
}

static void get_stats(const eop_source *s, edgeops_source_stats *stats) {
    *stats = (edgeops_source_stats)EDGEOPS_SOURCE_STATS_INIT;
    if (s->source != NULL) {
        edgeops_source_get_stats(stats, s->source);
    }
}

/* What the driver says of its link, and what an operator should know of the source. */
static void get_connection(eop_json **connection, eop_json **warnings, eop_source *s,
                           const edgeops_source_stats *stats) {
    eop_connection_get(connection, warnings, &s->connection, s->source);
    pthread_mutex_lock(&s->lock);
    const char *conflict = s->conflict; /* once set they stay */
    const char *declared = s->declared;
    pthread_mutex_unlock(&s->lock);
    eop_told told = {
        .name = s->name,
        .config = eop_source_config(s),
        .running = s->running,
        .now = eop_now(),
        .made = eop_fed_made(&s->fed),
        .max_assets = atomic_load(&s->max_assets),
        .conflict = conflict,
        .declared = declared,
        .stats = stats,
    };
    eop_tell_source(*warnings, &told);
}

static void put_state(eop_json *json, const eop_source *s, const edgeops_source_stats *stats) {
    eop_json_set_string(json, "state",
                        s->problem != NULL ? "failed" : eop_source_state_name(stats->state));
    eop_json_set_string(json, "detail", s->problem != NULL ? s->problem : stats->detail);
}

/* The first warning in the line of a list. */
static void put_short(eop_json *json, const eop_json *warnings) {
    size_t n = eop_json_size(warnings);
    if (n == 0) {
        return;
    }
    char more[64] = "";
    if (n > 1) {
        (void)snprintf(more, sizeof(more), " (and %zu more: see 'source show')", n - 1);
    }
    const char *detail = eop_json_string(json, "detail", "");
    char *text = eop_format("%s%swarning: %s%s", detail, detail[0] != '\0' ? "; " : "",
                            eop_json_text(eop_json_first(warnings)), more);
    eop_json_set_string(json, "detail", text != NULL ? text : detail);
    eop_free(text);
}

eop_json *eop_source_brief(eop_source *s) {
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    eop_json *json = eop_json_object();
    eop_json *connection = NULL;
    eop_json *warnings = NULL;
    get_stats(s, &stats);
    eop_json_set_string(json, "name", s->name);
    eop_json_set_string(json, "driver", eop_source_driver(s));
    put_state(json, s, &stats);
    get_connection(&connection, &warnings, s, &stats);
    put_short(json, warnings);
    eop_json_free(connection);
    eop_json_free(warnings);
    eop_json_set_integer(json, "messages", (int64_t)stats.messages);
    eop_json_set_integer(json, "samples", (int64_t)stats.samples);
    eop_json_set_integer(json, "merged", (int64_t)stats.merged);
    eop_json_set_integer(json, "labels", (int64_t)stats.labels);
    eop_json_set_integer(json, "conflicts", (int64_t)stats.conflicts);
    eop_json_set_integer(json, "untimed", (int64_t)stats.untimed);
    eop_json_set_integer(json, "unset_clock", (int64_t)stats.unset_clock);
    eop_json_set_integer(json, "ahead", (int64_t)stats.ahead);
    eop_json_set_integer(json, "dead", (int64_t)stats.dead);
    eop_json_set_number(json, "rate_per_s", (double)(int64_t)(s->rate.per_s * 10.0 + 0.5) / 10.0);
    return json;
}

/* Replaces what the driver's schema calls writeOnly. */
static void mask(eop_json *config, const eop_json *schema) {
    const eop_json *properties = eop_json_get(schema, "properties");
    for (const eop_json *p = properties != NULL ? eop_json_first(properties) : NULL; p != NULL;
         p = eop_json_next(p)) {
        const eop_json *member = eop_json_get(config, eop_json_key(p));
        if (member == NULL) {
            continue;
        }
        if (eop_json_bool(p, "writeOnly", false)) {
            eop_json_set_string(config, eop_json_key(p), "***");
        } else if (eop_json_type(member) == EOP_JSON_OBJECT) {
            eop_json *inner = eop_json_copy(member);
            mask(inner, p);
            eop_json_set(config, eop_json_key(p), inner);
        }
    }
}

typedef struct wanted_driver {
    const char *name;
    const char *schema;
} wanted_driver;

static edgeops_status match_driver(const edgeops_hld_driver *driver, void *user_data) {
    wanted_driver *wanted = user_data;
    if (strcmp(driver->name, wanted->name) == 0) {
        wanted->schema = driver->config_schema_json;
    }
    return EDGEOPS_OK;
}

/* An empty object rather than anything that was not masked. */
static eop_json *masked_config(const eop_source *s) {
    wanted_driver wanted = {eop_source_driver(s), NULL};
    eop_json *schema = NULL;
    eop_json *copy = NULL;
    if (edgeops_driver_list(match_driver, &wanted) == EDGEOPS_OK && wanted.schema != NULL &&
        eop_json_parse(&schema, wanted.schema, strlen(wanted.schema), "schema", NULL) ==
            EDGEOPS_OK) {
        copy = eop_json_copy(eop_json_get(s->record, "config"));
        mask(copy, schema);
    }
    eop_json_free(schema);
    return copy != NULL ? copy : eop_json_object();
}

eop_json *eop_source_describe(eop_source *s) {
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    eop_json *json = eop_json_object();
    eop_json *counters = eop_json_object();
    eop_json *connection = NULL;
    eop_json *warnings = NULL;
    get_stats(s, &stats);
    eop_json_set_string(json, "name", s->name);
    eop_json_set_string(json, "driver", eop_source_driver(s));
    eop_json_set(json, "config", masked_config(s));
    eop_json_set_bool(json, "enabled", is_enabled(s));
    put_state(json, s, &stats);
    if (is_enabled(s) && !s->node->started) {
        eop_json_set_string(json, "note", EOP_NOTE_NOT_STARTED);
    }
    eop_json_set_integer(counters, "messages", (int64_t)stats.messages);
    eop_json_set_integer(counters, "bytes", (int64_t)stats.bytes);
    eop_json_set_integer(counters, "samples", (int64_t)stats.samples);
    eop_json_set_integer(counters, "merged", (int64_t)stats.merged);
    eop_json_set_integer(counters, "labels", (int64_t)stats.labels);
    eop_json_set_integer(counters, "duplicates", (int64_t)stats.duplicates);
    eop_json_set_integer(counters, "conflicts", (int64_t)stats.conflicts);
    eop_json_set_integer(counters, "late", (int64_t)stats.late);
    eop_json_set_integer(counters, "expired", (int64_t)stats.expired);
    eop_json_set_integer(counters, "ahead", (int64_t)stats.ahead);
    eop_json_set_integer(counters, "untimed", (int64_t)stats.untimed);
    eop_json_set_integer(counters, "unset_clock", (int64_t)stats.unset_clock);
    eop_json_set_integer(counters, "retained_repeats", (int64_t)stats.retained_repeats);
    eop_json_set_integer(counters, "unmatched", (int64_t)stats.unmatched);
    eop_json_set_integer(counters, "dead", (int64_t)stats.dead);
    eop_json_set_integer(counters, "lost", (int64_t)stats.lost);
    eop_json_set_integer(counters, "reconnects", (int64_t)stats.reconnects);
    if (stats.last != 0) {
        eop_json_set_time(counters, "last", stats.last);
    } else {
        eop_json_set_string(counters, "last", NULL);
    }
    eop_json_set(json, "stats", counters);
    get_connection(&connection, &warnings, s, &stats);
    if (connection != NULL) {
        eop_json_set(json, "connection", connection);
    }
    eop_json_set(json, "warnings", warnings);
    return json;
}

const char *eop_source_name(const eop_source *s) {
    return s->name;
}

const char *eop_source_driver(const eop_source *s) {
    return eop_json_string(s->record, "driver", "");
}

const eop_json *eop_source_config(const eop_source *s) {
    return eop_json_get(s->record, "config");
}

bool eop_source_feeds(eop_source *s, const char *asset) {
    return eop_fed_has(&s->fed, eop_fed_hash(asset));
}

bool eop_source_enabled(const eop_source *s) {
    return is_enabled(s);
}

bool eop_source_settling(eop_source *s) {
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    get_stats(s, &stats);
    return s->running && s->problem == NULL && stats.state == EDGEOPS_SOURCE_CONNECTING;
}

bool eop_source_publishes(const eop_source *source) {
    return strcmp(eop_source_driver(source), "mqtt") == 0;
}

/* The asset, or what it is made of where it is a derived one. */
static bool feeds_inputs(eop_source *source, const char *asset) {
    const eop_node_join *join = eop_joins_find(source->node, asset);
    const eop_join_spec *spec = join != NULL ? eop_node_join_spec(join) : NULL;
    bool found = eop_source_feeds(source, asset);
    for (size_t i = 0; spec != NULL && !found && i < spec->count; i++) {
        const char *input = spec->channels[i].asset;
        found = (i == 0 || strcmp(input, spec->channels[i - 1].asset) != 0) &&
                feeds_inputs(source, input);
    }
    return found;
}

size_t eop_publish_sources(const char **out, edgeops_node *node, const char *asset,
                           bool feeding_only) {
    size_t feeding = 0;
    size_t enabled = 0;
    const char *feeds = NULL;
    const char *runs = NULL;
    for (size_t i = 0; i < node->source_count; i++) {
        eop_source *source = node->sources[i];
        if (!eop_source_publishes(source)) {
            continue;
        }
        if (feeds_inputs(source, asset) && feeding++ == 0) {
            feeds = eop_source_name(source);
        }
        if (eop_source_enabled(source) && enabled++ == 0) {
            runs = eop_source_name(source);
        }
    }
    *out = feeding > 0 ? feeds : feeding_only ? NULL : runs;
    return feeding > 0 ? feeding : feeding_only ? 0 : enabled;
}
