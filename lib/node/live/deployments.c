/* SPDX-License-Identifier: Apache-2.0 */
/* The deployments of a home: records, and what is shown of them. */
#include "node/live/deployments.h"
#include "node/home/inputs.h"

#include <math.h>
#include <string.h>

#include "catalog/record.h"
#include "node/home/args.h"
#include "node/home/records.h"
#include "node/live/deployment.h"
#include "node/live/sources.h"

const eop_json *eop_deployment_record(const eop_deployment *d) {
    return d->record;
}

uint32_t eop_deployment_failing(const eop_deployment *d, uint32_t *of) {
    *of = d->recent_count;
    return eop_deployment_recent_errors(d);
}

static void deployment_free(eop_deployment *d) {
    if (d != NULL) {
        eop_buf_dispose(&d->payload_head);
        eop_json_free(d->last);
        eop_json_free(d->record);
        eop_free(d->detail);
        eop_free(d->last_error);
        eop_free(d->output);
        eop_free(d->name);
        eop_free(d);
    }
}

/* record: taken, also on failure. */
static edgeops_status deployment_new(eop_deployment **out, edgeops_node *node, const char *name,
                                     eop_json *record) {
    eop_deployment *d = eop_calloc(1, sizeof(*d));
    if (d == NULL) {
        eop_json_free(record);
        return eop_fail_nomem("node");
    }
    d->node = node;
    d->record = record;
    d->qos = (uint8_t)eop_json_integer(record, "qos", 1);
    d->retain = eop_json_bool(record, "retain", false);
    d->name = eop_strdup(name);
    d->output = eop_format("predictions/%s", name);
    if (d->name == NULL || d->output == NULL) {
        deployment_free(d);
        return eop_fail_nomem("node");
    }
    *out = d;
    return EDGEOPS_OK;
}

static edgeops_status check_room(const edgeops_node *node) {
    return node->deployment_count < EOP_NODE_DEPLOYMENTS_MAX
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_LIMIT, "node", "a node has at most %d deployments",
                          EOP_NODE_DEPLOYMENTS_MAX);
}

static edgeops_status load_one(const char *name, const char *json, void *user_data) {
    edgeops_node *node = user_data;
    eop_json *record = NULL;
    eop_deployment *d = NULL;
    edgeops_status status = check_room(node);
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(&record, json, strlen(json), "deployment record", NULL);
    }
    if (status == EDGEOPS_OK) {
        status = deployment_new(&d, node, name, record);
    }
    if (status == EDGEOPS_OK) {
        node->deployments[node->deployment_count++] = d;
    }
    return status;
}

static void load_counters(eop_deployment *d) {
    uint64_t ordinal = 0;
    eop_json *state = NULL;
    if (eop_deployment_checkpoint(&ordinal, &state, d) == EDGEOPS_OK && state != NULL) {
        eop_deployment_read_counters(d, state);
    }
    eop_json_free(state);
}

edgeops_status eop_deployments_load(edgeops_node *node) {
    edgeops_status status = eop_record_list(node->catalog, "deployment", load_one, node);
    for (size_t i = 0; status == EDGEOPS_OK && i < node->deployment_count; i++) {
        load_counters(node->deployments[i]);
    }
    return status;
}

void eop_deployments_start(edgeops_node *node) {
    for (size_t i = 0; i < node->deployment_count; i++) {
        if (eop_deployment_enabled(node->deployments[i])) {
            (void)eop_deployment_run(node->deployments[i]); /* its state tells */
        }
    }
}

void eop_deployments_drain(edgeops_node *node) {
    for (size_t i = 0; i < node->deployment_count; i++) {
        if (node->deployments[i]->stage != NULL) {
            eop_stage_drain(node->deployments[i]->stage);
        }
    }
}

/* A worker that is still starting will not answer in time. Its windows are predicted after the next
 * start. */
bool eop_deployments_busy(const edgeops_node *node) {
    for (size_t i = 0; i < node->deployment_count; i++) {
        const eop_deployment *d = node->deployments[i];
        if (d->stage != NULL && d->state == EOP_DEPLOYMENT_RUNNING &&
            eop_stage_in_flight(d->stage) > 0) {
            return true;
        }
    }
    return false;
}

void eop_deployments_stop(edgeops_node *node) {
    for (size_t i = 0; i < node->deployment_count; i++) {
        eop_deployment_halt(node->deployments[i]);
    }
}

void eop_deployments_free(edgeops_node *node) {
    for (size_t i = 0; i < node->deployment_count; i++) {
        deployment_free(node->deployments[i]);
    }
    node->deployment_count = 0;
}

/* A deployment that was made before its asset had samples publishes through the source that brings
 * them. */
static void find_source(eop_deployment *d) {
    if (d->stage == NULL || eop_json_get(d->record, "source") != NULL) {
        return;
    }
    const char *source = NULL;
    size_t n = eop_publish_sources(&source, d->node, eop_json_string(d->record, "asset", ""), true);
    char *topic = n == 1 ? eop_format("edgeops/predictions/%s", d->name) : NULL;
    if (topic != NULL && eop_deployment_bind(d, source, topic) != EDGEOPS_OK) {
        eop_log_write(node_log(d->node), EDGEOPS_LOG_WARN, "node", "deployment '%s': %s", d->name,
                      edgeops_error_last()->message);
    }
    eop_free(topic);
}

void eop_deployments_tick(edgeops_node *node) {
    for (size_t i = 0; i < node->deployment_count; i++) {
        find_source(node->deployments[i]);
        eop_deployment_tick(node->deployments[i]);
    }
}

eop_deployment *eop_deployment_find(edgeops_node *node, const char *name) {
    for (size_t i = 0; i < node->deployment_count; i++) {
        if (strcmp(node->deployments[i]->name, name) == 0) {
            return node->deployments[i];
        }
    }
    (void)eop_fail(EDGEOPS_E_NOTFOUND, "node",
                   "there is no deployment '%.64s'; 'deployment ls' shows those there are", name);
    return NULL;
}

/* The first checkpoint says where it starts, so that a crash before the first window does not move
 * "now"; and which predictions another deployment of this name left. */
static edgeops_status put_start(eop_deployment *d, const char *from) {
    uint64_t ordinal = 0;
    uint64_t stored = 0;
    edgeops_status status = eop_asset_last_ordinal(&stored, d->node->store, d->output);
    if (status == EDGEOPS_OK && strcmp(from, "now") == 0) {
        status = eop_asset_last_ordinal(&ordinal, d->node->store,
                                        eop_json_string(d->record, "asset", ""));
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_json *json = eop_json_object();
    eop_json_set_integer(json, "stored", (int64_t)stored);
    return eop_deployment_commit(d, ordinal, json, NULL, 0);
}

edgeops_status eop_deployment_add(eop_deployment **out, edgeops_node *node, eop_json *record) {
    eop_deployment *d = NULL;
    const char *name = eop_json_string(record, "name", "");
    edgeops_status status = check_room(node);
    if (status != EDGEOPS_OK) {
        eop_json_free(record);
        return status;
    }
    for (size_t i = 0; i < node->deployment_count; i++) {
        if (strcmp(node->deployments[i]->name, name) == 0) {
            status = eop_fail(EDGEOPS_E_EXISTS, "node",
                              "there is a deployment '%s' already; take another name or remove it",
                              name);
            eop_json_free(record);
            return status;
        }
    }
    status = deployment_new(&d, node, name, record);
    if (status == EDGEOPS_OK) {
        status = put_start(d, eop_json_string(record, "from", "now"));
    }
    if (status == EDGEOPS_OK) {
        status = eop_put_record(node, "deployment", d->name, record, true);
    }
    if (status != EDGEOPS_OK) {
        deployment_free(d);
        return status;
    }
    node->deployments[node->deployment_count++] = d;
    *out = d;
    if (node->started) {
        (void)eop_deployment_run(d); /* its state tells */
    }
    return EDGEOPS_OK;
}

edgeops_status eop_deployment_enable(eop_deployment *d, bool enable) {
    if (eop_deployment_enabled(d) != enable) {
        eop_json_set_bool(d->record, "enabled", enable);
        edgeops_status status = eop_put_record(d->node, "deployment", d->name, d->record, false);
        if (status != EDGEOPS_OK) {
            eop_json_set_bool(d->record, "enabled", !enable);
            return status;
        }
    }
    if (!enable) {
        eop_deployment_halt(d);
        return EDGEOPS_OK;
    }
    return d->node->started ? eop_deployment_run(d) : EDGEOPS_OK;
}

/* The predictions stay. An asset without samples is removed, too. */
static void remove_output(const eop_deployment *d) {
    edgeops_asset_info *info = NULL;
    if (edgeops_asset_get(&info, d->node->store, d->output) == EDGEOPS_OK && info->rows == 0) {
        (void)!edgeops_asset_remove(d->node->store, d->output); /* it may be held */
    }
    edgeops_free(info);
}

static const char *source_of(const eop_deployment *d) {
    return eop_json_string(d->record, "source", "");
}

static edgeops_status drop(uint64_t *dropped, const eop_deployment *d, eop_skip which,
                           uint64_t max) {
    uint64_t n = 0;
    edgeops_status status = EDGEOPS_OK;
    *dropped = 0;
    if (which != EOP_SKIP_REFUSED) {
        status = eop_outbox_drop(&n, d->node->catalog, source_of(d), d->name, false, max);
        *dropped += n;
    }
    if (status == EDGEOPS_OK && which != EOP_SKIP_WAITING) {
        status = eop_outbox_drop(&n, d->node->catalog, source_of(d), d->name, true, max);
        *dropped += n;
    }
    return status;
}

edgeops_status eop_deployment_remove(uint64_t *dropped, eop_deployment *d) {
    edgeops_node *node = d->node;
    edgeops_status status = eop_record_remove(node->catalog, "deployment", d->name);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_deployment_halt(d);
    remove_output(d);
    status = drop(dropped, d, EOP_SKIP_ALL, UINT64_MAX);
    if (status == EDGEOPS_OK) {
        status = eop_checkpoint_remove(node->catalog, d->name);
    }
    for (size_t i = 0; i < node->deployment_count; i++) {
        if (node->deployments[i] == d) {
            node->deployments[i] = node->deployments[--node->deployment_count];
            break;
        }
    }
    deployment_free(d);
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
}

static edgeops_status check_published(const eop_deployment *d) {
    return source_of(d)[0] != '\0'
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_INVALID, "node", "deployment '%s' is not published", d->name);
}

edgeops_status eop_deployment_retry(uint64_t *again, eop_deployment *d) {
    edgeops_status status = check_published(d);
    if (status == EDGEOPS_OK) {
        status = eop_outbox_again(again, d->node->catalog, source_of(d), d->name);
    }
    if (status == EDGEOPS_OK && d->sink != NULL) {
        eop_outbox_retry(d->outbox, d->sink);
    }
    return status;
}

edgeops_status eop_deployment_skip(uint64_t *dropped, eop_deployment *d, eop_skip which,
                                   uint64_t max) {
    edgeops_status status = check_published(d);
    *dropped = 0;
    if (status == EDGEOPS_OK) {
        status = drop(dropped, d, which, max);
    }
    if (*dropped > 0) {
        eop_log_write(node_log(d->node), EDGEOPS_LOG_WARN, "node",
                      "deployment '%s': %llu predictions that were not published are skipped",
                      d->name, (unsigned long long)*dropped);
        d->counters.dropped += *dropped;
        edgeops_status saved = eop_deployment_save_counters(d);
        status = status == EDGEOPS_OK ? saved : status;
    }
    if (d->sink != NULL) {
        eop_outbox_retry(d->outbox, d->sink);
    }
    return status;
}

static char *why_refused(const eop_deployment *d, uint64_t count) {
    char *reason = NULL;
    edgeops_status status = eop_outbox_reason(&reason, d->node->catalog, source_of(d), d->name);
    char *text = eop_format("%llu of its messages %s set aside, the last one: %s",
                            (unsigned long long)count, count == 1 ? "is" : "are",
                            status != EDGEOPS_OK ? edgeops_error_last()->message
                            : reason != NULL     ? reason
                                                 : "?");
    eop_free(reason);
    return text;
}

/* How what it predicts reaches its broker; NULL where it is not published. */
static eop_json *publishing_json(const eop_deployment *d, const eop_outbox_counts *counts) {
    eop_outbox_state state = {.name = "stopped"};
    if (source_of(d)[0] == '\0') {
        return NULL;
    }
    if (d->sink != NULL) {
        eop_outbox_ask(&state, d->outbox, d->sink, counts->waiting);
        state.name = counts->refused > 0 && strcmp(state.name, "ok") == 0 ? "refused" : state.name;
    }
    if (counts->refused > 0 && state.reason == NULL) {
        state.reason = why_refused(d, counts->refused);
    }
    eop_json *json = eop_json_object();
    eop_json_set_string(json, "state", state.name);
    eop_json_set_string(json, "reason", state.reason);
    if (state.lasts > 0) {
        eop_json_set_time(json, "since", eop_now() - state.lasts);
    } else {
        eop_json_set_string(json, "since", NULL);
    }
    eop_json_set_integer(json, "set_aside", (int64_t)counts->refused);
    eop_json_set_integer(json, "refused", (int64_t)d->counters.refused);
    eop_json_set_integer(json, "skipped", (int64_t)d->counters.dropped);
    eop_json_set_number(json, "oldest_s", round((double)state.oldest / 1e8) / 10.0);
    eop_free(state.reason);
    return json;
}

/* Not running, it lags by all that came since it was stopped. */
static uint64_t lag(const eop_deployment *d) {
    uint64_t newest = 0;
    uint64_t position = UINT64_MAX; /* not known: then no lag is shown */
    eop_json *state = NULL;
    if (d->stage != NULL) {
        return eop_stage_lag(d->stage);
    }
    if (eop_asset_last_ordinal(&newest, d->node->store, eop_json_string(d->record, "asset", "")) ==
        EDGEOPS_OK) {
        (void)eop_deployment_checkpoint(&position, &state, d);
    }
    uint64_t done = (uint64_t)eop_json_integer(state, "done", 0); /* with parts of the last row */
    position = done > position ? done : position;
    eop_json_free(state);
    return newest > position ? newest - position : 0;
}

/* The state's own words, else how the newest windows went; then what is wrong with publishing. */
static void set_detail(eop_json *json, const eop_deployment *d, const eop_json *publishing) {
    uint32_t failed = eop_deployment_recent_errors(d);
    const char *reason = eop_json_string(publishing, "reason", NULL);
    eop_buf text = {0};
    if (d->detail != NULL && d->detail[0] != '\0') {
        eop_buf_puts(&text, d->detail);
    } else if (failed > 0 && d->state == EOP_DEPLOYMENT_RUNNING) {
        eop_buf_printf(&text,
                       "%u of the last %u windows failed (%llu in all), the last one with: %s",
                       failed, d->recent_count, (unsigned long long)d->counters.errors,
                       d->last_error != NULL ? d->last_error : "?");
    }
    if (reason != NULL) {
        eop_buf_printf(&text, "%spublishing %s: %s", text.size > 0 ? "; " : "",
                       eop_json_string(publishing, "state", ""), reason);
    }
    char *taken = text.size > 0 ? eop_buf_take(&text) : NULL;
    eop_json_set_string(json, "detail", taken != NULL ? taken : "");
    eop_free(taken);
    eop_buf_dispose(&text);
}

static double microseconds(edgeops_duration duration) {
    return round((double)duration / 100.0) / 10.0;
}

static eop_json *latency_json(const eop_histogram *h) {
    eop_json *json = eop_json_object();
    if (eop_histogram_count(h) == 0) {
        eop_json_set_string(json, "p50", NULL);
        eop_json_set_string(json, "p99", NULL);
        eop_json_set_string(json, "max", NULL);
        eop_json_set_integer(json, "count", 0);
        return json;
    }
    eop_json_set_number(json, "p50", microseconds(eop_histogram_quantile(h, 0.5)));
    eop_json_set_number(json, "p99", microseconds(eop_histogram_quantile(h, 0.99)));
    eop_json_set_number(json, "max", microseconds(eop_histogram_max(h)));
    eop_json_set_integer(json, "count", (int64_t)eop_histogram_count(h));
    return json;
}

/* value: taken. */
static void set_or_null(eop_json *json, const char *key, eop_json *value) {
    if (value != NULL) {
        eop_json_set(json, key, value);
    } else {
        eop_json_set_string(json, key, NULL);
    }
}

eop_json *eop_deployment_brief(eop_deployment *d) {
    eop_json *json = eop_json_object();
    eop_deployment_count(d);
    eop_outbox_counts counts;
    eop_outbox_count(&counts, d->node->catalog, source_of(d), d->name);
    eop_json *publishing = publishing_json(d, &counts);
    eop_json_set_string(json, "name", d->name);
    eop_json_set_string(json, "model", eop_json_string(d->record, "model", ""));
    eop_json_set_string(json, "asset", eop_json_string(d->record, "asset", ""));
    eop_json_set_string(json, "state", eop_deployment_state_name(d));
    set_detail(json, d, publishing);
    eop_json_set_integer(json, "predictions", (int64_t)d->counters.predictions);
    eop_json_set_integer(json, "errors", (int64_t)d->counters.errors);
    eop_json_set_integer(json, "lag", (int64_t)lag(d));
    eop_json_set(json, "latency_us", latency_json(&d->latency));
    eop_json_set_integer(json, "outbox", (int64_t)(counts.waiting + counts.refused));
    set_or_null(json, "publishing", publishing);
    return json;
}

static void set_optional(eop_json *json, const char *key, const char *value) {
    eop_json_set_string(json, key, value != NULL && value[0] != '\0' ? value : NULL);
}

static const char *why_unpublished(const eop_deployment *d) {
    const char *source = NULL;
    size_t n = eop_publish_sources(&source, d->node, eop_json_string(d->record, "asset", ""), true);
    return n > 1 ? "several mqtt sources feed its asset; remove it and deploy again with --source"
           : n == 1 ? "it begins in a moment, through the source that feeds its asset"
                    : "no mqtt source feeds its asset; it begins when one does, or remove it and "
                      "deploy again with --source";
}

/* What a user has to know and would not see in the numbers. */
static void set_note(eop_json *json, const eop_deployment *d) {
    eop_buf note = {0};
    if (eop_deployment_enabled(d) && !d->node->started) {
        eop_buf_puts(&note, EOP_NOTE_NOT_STARTED);
    }
    if (eop_json_get(d->record, "source") == NULL) {
        eop_buf_printf(&note, "%snot published, only stored in '%s': %s", note.size > 0 ? "; " : "",
                       d->output, why_unpublished(d));
    }
    if (d->counters.conflicts > 0) {
        eop_buf_printf(&note,
                       "%s%llu predictions are not stored: '%s' has others for the same times, "
                       "made by an earlier deployment of this name or before its restart",
                       note.size > 0 ? "; " : "", (unsigned long long)d->counters.conflicts,
                       d->output);
    }
    if (d->counters.late_parts > 0) {
        eop_buf_printf(&note,
                       "%sparts that came after their rows were predicted: %llu; if that goes on, "
                       "'deployment rm' it and deploy with a longer --wait",
                       note.size > 0 ? "; " : "", (unsigned long long)d->counters.late_parts);
    }
    char *text = note.size > 0 ? eop_buf_take(&note) : NULL;
    if (text != NULL) {
        eop_json_set_string(json, "note", text);
    }
    eop_free(text);
    eop_buf_dispose(&note);
}

/* How its rows are put together; NULL where they come whole. */
static eop_json *parts_json(const eop_deployment *d) {
    const eop_deployment_counters *c = &d->counters;
    edgeops_duration wait = d->stage != NULL ? eop_stage_wait(d->stage) : eop_deployment_wait(d);
    eop_stage_stats stats = {0};
    char text[32];
    if (wait < 0 && c->incomplete + c->late_parts + c->early == 0) {
        return NULL;
    }
    if (d->stage != NULL) {
        eop_stage_get_stats(d->stage, &stats);
    }
    (void)eop_format_duration(text, wait);
    eop_json *json = eop_json_object();
    eop_json_set_string(json, "wait", wait >= 0 ? text : NULL);
    eop_json_set_integer(json, "held", (int64_t)stats.held);
    eop_json_set_integer(json, "incomplete", (int64_t)c->incomplete);
    eop_json_set_integer(json, "late_parts", (int64_t)c->late_parts);
    eop_json_set_integer(json, "early", (int64_t)c->early);
    return json;
}

eop_json *eop_deployment_describe(eop_deployment *d) {
    eop_json *json = eop_deployment_brief(d);
    eop_json_set_bool(json, "published", eop_json_get(d->record, "source") != NULL);
    set_optional(json, "publish", eop_json_string(d->record, "publish", NULL));
    set_optional(json, "source", eop_json_string(d->record, "source", NULL));
    eop_json_set_integer(json, "qos", d->qos);
    eop_json_set_bool(json, "retain", d->retain != 0);
    eop_json_set_string(json, "output", d->output);
    eop_json_set_bool(json, "enabled", eop_deployment_enabled(d));
    eop_json_set_integer(json, "windows", (int64_t)d->counters.windows);
    eop_json_set_integer(json, "timeouts", (int64_t)d->counters.timeouts);
    eop_json_set_integer(json, "skipped", (int64_t)d->counters.skipped);
    eop_json_set_integer(json, "conflicts", (int64_t)d->counters.conflicts);
    eop_json_set_integer(json, "unstored", (int64_t)d->counters.unstored);
    eop_json_set_integer(json, "restarts", (int64_t)d->restarts);
    eop_json_set_integer(json, "late", (int64_t)d->counters.late);
    set_or_null(json, "parts", parts_json(d));
    eop_json_set_integer(json, "position", (int64_t)d->committed);
    eop_json_set_string(json, "created", eop_json_string(d->record, "created", NULL));
    if (d->run != NULL) {
        eop_json_set_integer(json, "run", d->run->id);
    }
    set_optional(json, "broker", eop_json_string(eop_json_get(json, "publishing"), "reason", NULL));
    set_optional(json, "last_error", d->last_error);
    set_note(json, d);
    set_or_null(json, "last", d->last != NULL ? eop_json_copy(d->last) : NULL);
    return json;
}
