/* SPDX-License-Identifier: Apache-2.0 */
/* driver.* and source.*. A source is added and started here; live/sources.c keeps it. An answer to
 * a start waits a little for the link, so that the client sees whether it works. */
#include <string.h>

#include "catalog/outbox.h"
#include "codec/payload.h"
#include "node/live/deployments.h"
#include "node/live/sources.h"
#include "node/ops/groups.h"

/* -- drivers -- */

static edgeops_status list_driver(const edgeops_hld_driver *driver, void *user_data) {
    eop_json *json = eop_json_object();
    eop_json_set_string(json, "name", driver->name);
    eop_json_set_string(json, "version", driver->version);
    eop_json_set_string(json, "summary", driver->summary);
    eop_json_append(user_data, json);
    return EDGEOPS_OK;
}

static edgeops_status run_driver_ls(edgeops_call *call, eop_json **result) {
    (void)call;
    eop_json *items = NULL;
    *result = eop_items(&items);
    return edgeops_driver_list(list_driver, items);
}

typedef struct wanted {
    const char *name;
    const edgeops_hld_driver *driver;
} wanted;

static edgeops_status match(const edgeops_hld_driver *driver, void *user_data) {
    wanted *w = user_data;
    if (strcmp(driver->name, w->name) == 0) {
        w->driver = driver;
    }
    return EDGEOPS_OK;
}

/* The host reads payloads, for all drivers alike: in place of the member that takes their options,
 * what they are. */
static edgeops_status show_payload(eop_json *schema) {
    eop_json *payload = NULL;
    const eop_json *properties = eop_json_get(schema, "properties");
    if (eop_json_get(properties, "payload") == NULL) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_json_parse(&payload, eop_payload_schema, strlen(eop_payload_schema),
                                           "payload schema", NULL);
    if (status == EDGEOPS_OK) {
        eop_json *shown = eop_json_copy(properties);
        eop_json_set(shown, "payload", payload);
        eop_json_set(schema, "properties", shown);
    }
    return status;
}

static edgeops_status run_driver_show(edgeops_call *call, eop_json **result) {
    wanted w = {eop_json_string(call->args, "name", ""), NULL};
    eop_json *schema = NULL;
    edgeops_status status = edgeops_driver_list(match, &w);
    if (status == EDGEOPS_OK && w.driver == NULL) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "node",
                          "there is no driver '%.64s'; 'driver ls' shows those there are", w.name);
    }
    if (status == EDGEOPS_OK) {
        const char *text = w.driver->config_schema_json;
        status = eop_json_parse(&schema, text, strlen(text), "driver schema", NULL);
    }
    if (status == EDGEOPS_OK && (status = show_payload(schema)) != EDGEOPS_OK) {
        eop_json_free(schema);
    }
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_string(*result, "name", w.driver->name);
        eop_json_set_string(*result, "version", w.driver->version);
        eop_json_set_string(*result, "summary", w.driver->summary);
        eop_json_set(*result, "config", schema);
    }
    return status;
}

/* -- sources -- */

/* How long an answer to a start waits for the link, so that what is published right after it is not
 * missed. */
#define SETTLE_WITHIN (3 * EDGEOPS_SECOND)
#define SETTLE_LOOK   (10 * EDGEOPS_MILLISECOND)

typedef struct settling {
    edgeops_call *call;
    eop_timer *timer;
    edgeops_duration until;
    char name[65]; /**< it may be removed meanwhile */
} settling;

static void settle_end(settling *w, edgeops_status status, eop_json *result) {
    edgeops_call *call = w->call;
    call->cancel = NULL;
    eop_timer_free(w->timer);
    eop_free(w);
    eop_call_finish(call, status, result);
}

static void settle_look(void *user_data) {
    settling *w = user_data;
    eop_source *source = eop_source_find(w->call->node, w->name);
    if (source == NULL) {
        settle_end(w, EDGEOPS_E_NOTFOUND, NULL);
    } else if (!eop_source_settling(source) || eop_monotonic() >= w->until) {
        settle_end(w, EDGEOPS_OK, eop_source_describe(source));
    }
}

/* The source goes on by itself: it was added, or told to start. */
static void settle_cancel(edgeops_call *call) {
    settling *w = call->data;
    settle_end(w, eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request"), NULL);
}

static edgeops_status settle(edgeops_call *call, eop_source *source) {
    if (!eop_source_settling(source)) {
        eop_call_finish(call, EDGEOPS_OK, eop_source_describe(source));
        return EDGEOPS_OK;
    }
    settling *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    w->until = eop_monotonic() + SETTLE_WITHIN;
    size_t size = strnlen(eop_source_name(source), sizeof(w->name) - 1);
    memcpy(w->name, eop_source_name(source), size);
    edgeops_status status = eop_timer_new(&w->timer, call->node->ctx, settle_look, w);
    if (status != EDGEOPS_OK) {
        eop_free(w);
        return status;
    }
    call->data = w;
    call->cancel = settle_cancel;
    eop_timer_start(w->timer, SETTLE_LOOK, SETTLE_LOOK);
    return EDGEOPS_OK;
}

static edgeops_status add_start(edgeops_call *call) {
    eop_source *source = NULL;
    eop_json *none = NULL;
    const eop_json *config = eop_json_get(call->args, "config");
    if (config == NULL) {
        config = none = eop_json_object();
    }
    edgeops_status status =
        eop_source_add(&source, call->node, eop_json_string(call->args, "name", ""),
                       eop_json_string(call->args, "driver", ""), config,
                       eop_json_bool(call->args, "start", true));
    eop_json_free(none);
    return status == EDGEOPS_OK ? settle(call, source) : status;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    eop_json *items = NULL;
    *result = eop_items(&items);
    for (size_t i = 0; i < call->node->source_count; i++) {
        eop_json_append(items, eop_source_brief(call->node->sources[i]));
    }
    return EDGEOPS_OK;
}

static eop_source *named(edgeops_call *call) {
    return eop_source_find(call->node, eop_json_string(call->args, "name", ""));
}

/* A payload may be anything: plain text is shown as it is, all else byte by byte as \xNN. */
static void set_payload(eop_json *json, const unsigned char *data, size_t size) {
    eop_buf text = {0};
    for (size_t i = 0; i < size;) {
        size_t left = size - i;
        size_t n = left > 1 && data[i] >= 0x80 ? 4 : 1;
        n = n < left ? n : left;
        while (n > 1 && eop_utf8_valid((const char *)data + i, n) != n) {
            n--;
        }
        bool plain =
            data[i] >= 0x20 && data[i] != 0x7f && eop_utf8_valid((const char *)data + i, n) == n;
        if (plain) {
            eop_buf_put(&text, data + i, n);
        } else {
            n = 1;
            eop_buf_printf(&text, "\\x%02x", data[i]);
        }
        i += n;
    }
    char *taken = eop_buf_take(&text);
    eop_json_set_string(json, "payload", taken);
    eop_free(taken);
}

static edgeops_status list_letter(const eop_dead_letter *letter, void *user_data) {
    eop_json *json = eop_json_object();
    eop_json_set_time(json, "time", letter->time);
    eop_json_set_string(json, "topic", letter->topic);
    eop_json_set_string(json, "reason", letter->reason);
    set_payload(json, letter->payload, letter->payload_size);
    eop_json_set_integer(json, "message_size", (int64_t)letter->message_size);
    eop_json_append(user_data, json);
    return EDGEOPS_OK;
}

static edgeops_status run_show(edgeops_call *call, eop_json **result) {
    eop_source *source = named(call);
    if (source == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    *result = eop_source_describe(source);
    eop_json *letters = eop_json_array();
    size_t max = (size_t)eop_json_integer(call->args, "dead_letters", 20);
    edgeops_status status = EDGEOPS_OK;
    if (max > 0) {
        status = eop_source_letters(source, max, list_letter, letters);
    }
    eop_json_set(*result, "dead_letters", letters);
    return status;
}

static edgeops_status start_start(edgeops_call *call) {
    eop_source *source = named(call);
    if (source == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    edgeops_status status = eop_source_enable(source, true);
    return status == EDGEOPS_OK ? settle(call, source) : status;
}

static edgeops_status run_stop(edgeops_call *call, eop_json **result) {
    eop_source *source = named(call);
    if (source == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    edgeops_status status = eop_source_enable(source, false);
    if (status == EDGEOPS_OK) {
        *result = eop_source_describe(source);
    }
    return status;
}

static edgeops_status run_set(edgeops_call *call, eop_json **result) {
    eop_source *source = named(call);
    if (source == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    uint64_t max = (uint64_t)eop_json_integer(call->args, "max_assets", 0);
    edgeops_status status = eop_source_set_max_assets(source, max);
    if (status == EDGEOPS_OK) {
        *result = eop_source_describe(source);
    }
    return status;
}

static edgeops_status check_unused(const edgeops_node *node, const char *source) {
    for (size_t i = 0; i < node->deployment_count; i++) {
        const eop_json *record = eop_deployment_record(node->deployments[i]);
        if (strcmp(eop_json_string(record, "source", ""), source) == 0) {
            return eop_fail(EDGEOPS_E_BUSY, "node",
                            "deployment '%s' publishes through source '%s'; remove it first",
                            eop_json_string(record, "name", ""), source);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status run_rm(edgeops_call *call, eop_json **result) {
    (void)result;
    eop_source *source = named(call);
    if (source == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    edgeops_status status = check_unused(call->node, eop_source_name(source));
    if (status == EDGEOPS_OK) {
        status = eop_outbox_purge(call->node->catalog, eop_source_name(source));
    }
    return status == EDGEOPS_OK ? eop_source_remove(source) : status;
}

/* -- test: connects and counts, stores nothing -- */

#define LINK_WITHIN (10 * EDGEOPS_SECOND)

typedef struct test_work {
    edgeops_call *call;
    edgeops_source *source;
    eop_timer *timer;
    char *config;
    char *reason; /**< why the first refused message was; guarded by lock */
    char *topic;  /**< where it came; guarded by lock */
    pthread_mutex_t lock;
    edgeops_duration seconds; /**< counted from the link on */
    bool linked;
} test_work;

static edgeops_status test_append(edgeops_append_result *result, const edgeops_sample *samples,
                                  size_t n, const edgeops_append_options *options,
                                  void *user_data) {
    (void)options;
    (void)samples;
    (void)user_data;
    if (result != NULL) {
        result->appended = n;
    }
    return EDGEOPS_OK;
}

static edgeops_status test_labels(edgeops_label_result *result, const edgeops_label *labels,
                                  size_t n, void *user_data) {
    (void)labels;
    (void)user_data;
    result->added = n;
    return EDGEOPS_OK;
}

static void test_letter(const edgeops_dead_letter *letter, void *user_data) {
    test_work *w = user_data;
    pthread_mutex_lock(&w->lock);
    if (w->reason == NULL) {
        w->reason = eop_strdup(letter->reason);
        w->topic = eop_strndup(letter->topic, strnlen(letter->topic, 1024));
    }
    pthread_mutex_unlock(&w->lock);
}

static void test_state(edgeops_source_state state, const char *detail, void *user_data) {
    (void)detail;
    test_work *w = user_data;
    bool up = state == EDGEOPS_SOURCE_RUNNING || state == EDGEOPS_SOURCE_DONE;
    if (state == EDGEOPS_SOURCE_DONE) {
        eop_timer_start(w->timer, 0, 0);
    } else if (up && !w->linked) {
        eop_timer_start(w->timer, w->seconds, 0);
    }
    w->linked = w->linked || up;
}

static void test_free(test_work *w) {
    edgeops_source_close(w->source);
    eop_timer_free(w->timer);
    pthread_mutex_destroy(&w->lock);
    eop_free(w->reason);
    eop_free(w->topic);
    eop_free(w->config);
    eop_free(w);
}

/* What the driver warns of while the link is up, such as a lower QoS than was asked for. */
static eop_json *test_warnings(edgeops_source *source) {
    char *text = NULL;
    eop_json *json = NULL;
    const eop_json *said = NULL;
    if (edgeops_source_connection(&text, source) == EDGEOPS_OK &&
        eop_json_parse(&json, text, strlen(text), "connection", NULL) == EDGEOPS_OK) {
        said = eop_json_get(json, "warnings");
    }
    eop_json *warnings = said != NULL ? eop_json_copy(said) : eop_json_array();
    eop_json_free(json);
    edgeops_free(text);
    return warnings;
}

static void test_end(void *user_data) {
    test_work *w = user_data;
    edgeops_source_stats stats = EDGEOPS_SOURCE_STATS_INIT;
    edgeops_source_get_stats(&stats, w->source);
    eop_json *warnings = test_warnings(w->source);
    edgeops_source_stop(w->source);
    bool ok = w->linked && stats.dead == 0;
    eop_json *result = eop_json_object();
    eop_json_set_bool(result, "ok", ok);
    eop_json_set_string(result, "detail",
                        stats.dead > 0 && w->reason != NULL ? w->reason : stats.detail);
    eop_json_set_integer(result, "messages", (int64_t)stats.messages);
    eop_json_set_integer(result, "samples", (int64_t)stats.samples);
    eop_json_set_integer(result, "labels", (int64_t)stats.labels);
    eop_json_set_integer(result, "refused", (int64_t)stats.dead);
    eop_json_set(result, "warnings", warnings);
    if (w->reason != NULL) {
        eop_json_set_string(result, "first_refused_topic", w->topic);
        eop_json_set_string(result, "first_refused_reason", w->reason);
    }
    eop_call_finish(w->call, EDGEOPS_OK, result);
    test_free(w);
}

static void test_cancel(edgeops_call *call) {
    test_work *w = call->data;
    eop_call_fail(call, EDGEOPS_E_CANCELED, "ended on request");
    test_free(w);
}

/* A test must not take over the client id of the source it tests, nor leave a session at the broker
 * that collects messages. */
static char *test_config(const eop_json *args) {
    const eop_json *given = eop_json_get(args, "config");
    eop_json *config = given != NULL ? eop_json_copy(given) : eop_json_object();
    if (strcmp(eop_json_string(args, "driver", ""), "mqtt") == 0) {
        eop_json_remove(config, "client_id");
        eop_json_remove(config, "session_expiry");
        eop_json_remove(config, "will");
        eop_json_set_bool(config, "clean_session", true);
    }
    char *text = eop_json_print(config);
    eop_json_free(config);
    return text;
}

static edgeops_status test_start(edgeops_call *call) {
    test_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    pthread_mutex_init(&w->lock, NULL);
    w->call = call;
    w->config = test_config(call->args);
    edgeops_source_options options = EDGEOPS_SOURCE_OPTIONS_INIT;
    options.name = "source-test";
    options.driver = eop_json_string(call->args, "driver", "");
    options.config_json = w->config;
    options.append = test_append;
    options.label = test_labels;
    options.on_state = test_state;
    options.on_dead_letter = test_letter;
    options.user_data = w;
    edgeops_status status = w->config != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    if (status == EDGEOPS_OK) {
        status = eop_timer_new(&w->timer, call->node->ctx, test_end, w);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_source_open(&w->source, call->node->ctx, &options);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_source_start(w->source);
    }
    if (status != EDGEOPS_OK) {
        test_free(w);
        return status;
    }
    call->data = w;
    call->cancel = test_cancel;
    double seconds = eop_json_number(call->args, "seconds", 5.0);
    w->seconds = (edgeops_duration)(seconds * (double)EDGEOPS_SECOND);
    eop_timer_start(w->timer, w->seconds > LINK_WITHIN ? w->seconds : LINK_WITHIN, 0);
    return EDGEOPS_OK;
}

const eop_op eop_source_ops[] = {
    {&eop_spec_driver_ls, .run = run_driver_ls},
    {&eop_spec_driver_show, .run = run_driver_show},
    {&eop_spec_source_add, .start = add_start},
    {&eop_spec_source_ls, .run = run_ls},
    {&eop_spec_source_show, .run = run_show},
    {&eop_spec_source_start, .start = start_start},
    {&eop_spec_source_stop, .run = run_stop},
    {&eop_spec_source_rm, .run = run_rm},
    {&eop_spec_source_set, .run = run_set},
    {&eop_spec_source_test, .start = test_start},
    {0},
};
