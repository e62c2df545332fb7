/* SPDX-License-Identifier: Apache-2.0 */
/* The deployments of a home: records, and what is shown of them. */
#include <string.h>

#include "node/deployment.h"

const eop_json *eop_deployment_record(const eop_deployment *d) {
    return d->record;
}

bool eop_deployment_enabled(const eop_deployment *d) {
    return eop_json_bool(d->record, "enabled", true);
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

edgeops_status eop_deployments_load(edgeops_node *node) {
    return eop_record_list(node->store, "deployment", load_one, node);
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

/* A worker that only starts will not answer in time: what it holds is predicted after the next
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

void eop_deployments_tick(edgeops_node *node) {
    for (size_t i = 0; i < node->deployment_count; i++) {
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
 * "now". */
static edgeops_status put_start(eop_deployment *d, const char *from) {
    uint64_t ordinal = 0;
    edgeops_status status = EDGEOPS_OK;
    if (strcmp(from, "now") == 0) {
        status = eop_asset_last_ordinal(&ordinal, d->node, eop_json_string(d->record, "asset", ""));
    }
    return status == EDGEOPS_OK ? eop_outbox_commit(d->node->store, d->name, ordinal, NULL, NULL, 0)
                                : status;
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

edgeops_status eop_deployment_remove(eop_deployment *d) {
    edgeops_node *node = d->node;
    edgeops_status status = eop_record_remove(node->store, "deployment", d->name);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_deployment_halt(d);
    status = eop_checkpoint_remove(node->store, d->name);
    for (size_t i = 0; i < node->deployment_count; i++) {
        if (node->deployments[i] == d) {
            node->deployments[i] = node->deployments[--node->deployment_count];
            break;
        }
    }
    deployment_free(d);
    return status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK : status;
}

static uint64_t outbox_count(const eop_deployment *d) {
    uint64_t count = 0;
    const char *source = eop_json_string(d->record, "source", "");
    if (source[0] != '\0' && eop_outbox_count(&count, d->node->store, source) != EDGEOPS_OK) {
        count = 0;
    }
    return count;
}

/* Not running, it lags by all that came since it was stopped. */
static uint64_t lag(const eop_deployment *d) {
    uint64_t newest = 0;
    uint64_t position = d->committed;
    char *state = NULL;
    if (d->stage != NULL) {
        return eop_stage_lag(d->stage);
    }
    if (eop_asset_last_ordinal(&newest, d->node, eop_json_string(d->record, "asset", "")) !=
            EDGEOPS_OK ||
        eop_checkpoint_get(&position, &state, d->node->store, d->name) != EDGEOPS_OK) {
        position = newest;
    }
    eop_free(state);
    return newest > position ? newest - position : 0;
}

eop_json *eop_deployment_brief(eop_deployment *d) {
    eop_json *json = eop_json_object();
    eop_json_set_string(json, "name", d->name);
    eop_json_set_string(json, "model", eop_json_string(d->record, "model", ""));
    eop_json_set_string(json, "asset", eop_json_string(d->record, "asset", ""));
    eop_json_set_string(json, "state", eop_deployment_state_name(d));
    eop_json_set_string(json, "detail", d->detail != NULL ? d->detail : "");
    eop_json_set_integer(json, "predictions", (int64_t)d->predictions);
    eop_json_set_integer(json, "errors", (int64_t)d->errors);
    eop_json_set_integer(json, "lag", (int64_t)lag(d));
    eop_json_set(json, "latency_us", eop_latency_json(&d->latency));
    eop_json_set_integer(json, "outbox", (int64_t)outbox_count(d));
    return json;
}

static void set_optional(eop_json *json, const char *key, const char *value) {
    eop_json_set_string(json, key, value != NULL && value[0] != '\0' ? value : NULL);
}

eop_json *eop_deployment_describe(eop_deployment *d) {
    eop_window_stats stats = {0};
    eop_json *json = eop_deployment_brief(d);
    if (d->stage != NULL) {
        eop_stage_get_stats(d->stage, &stats);
    }
    set_optional(json, "publish", eop_json_string(d->record, "publish", NULL));
    set_optional(json, "source", eop_json_string(d->record, "source", NULL));
    eop_json_set_integer(json, "qos", d->qos);
    eop_json_set_bool(json, "retain", d->retain != 0);
    eop_json_set_string(json, "output", d->output);
    eop_json_set_bool(json, "enabled", eop_deployment_enabled(d));
    eop_json_set_integer(json, "windows", (int64_t)stats.windows);
    eop_json_set_integer(json, "timeouts", (int64_t)d->timeouts);
    eop_json_set_integer(json, "restarts", (int64_t)d->restarts);
    eop_json_set_integer(json, "late", (int64_t)stats.late);
    eop_json_set_integer(json, "position", (int64_t)d->committed);
    eop_json_set_string(json, "created", eop_json_string(d->record, "created", NULL));
    if (d->run != NULL) {
        eop_json_set_integer(json, "run", d->run->id);
    }
    set_optional(json, "broker", d->outbox != NULL ? eop_outbox_detail(d->outbox) : NULL);
    set_optional(json, "last_error", d->last_error);
    if (d->last != NULL) {
        eop_json_set(json, "last", eop_json_copy(d->last));
    } else {
        eop_json_set_string(json, "last", NULL);
    }
    return json;
}
