/* SPDX-License-Identifier: Apache-2.0 */
/* deploy and deployment.*: checks what a deployment needs (model, inputs, broker) before it is
 * made; live/deployments.c keeps them. */
#include <string.h>

#include "node/home/inputs.h"
#include "node/home/models.h"
#include "node/live/deployments.h"
#include "node/live/sources.h"
#include "node/ops/groups.h"
#include "workflow/manifest.h"

#define NAME_MAX_SIZE 64

/* MODEL-ASSET as a name: what a name cannot hold becomes '-', a level of the asset '.'. */
static char *default_name(const char *model, const char *asset) {
    char *name = eop_format("%s-%s", model, asset);
    if (name == NULL) {
        return NULL;
    }
    for (char *p = name; *p != '\0'; p++) {
        bool upper = *p >= 'A' && *p <= 'Z';
        bool good = (*p >= 'a' && *p <= 'z') || (*p >= '0' && *p <= '9') || *p == '.' ||
                    *p == '_' || *p == '-';
        *p = upper ? (char)(*p - 'A' + 'a') : *p == '/' ? '.' : good ? *p : '-';
    }
    if (strlen(name) > NAME_MAX_SIZE) {
        name[NAME_MAX_SIZE] = '\0';
    }
    return name;
}

static edgeops_status choose_source(const char **out, edgeops_call *call) {
    const char *given = eop_json_string(call->args, "source", NULL);
    *out = NULL;
    if (given != NULL) {
        eop_source *source = eop_source_find(call->node, given);
        if (source == NULL) {
            return EDGEOPS_E_NOTFOUND;
        }
        if (!eop_source_publishes(source)) {
            return eop_fail(
                EDGEOPS_E_INVALID, "node",
                "source '%s' is not an mqtt source: nothing can be published through it", given);
        }
        *out = eop_source_name(source);
        return EDGEOPS_OK;
    }
    const char *asset = eop_json_string(call->args, "asset", "");
    size_t fitting = eop_publish_sources(out, call->node, asset, false);
    if (fitting > 1) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "%zu mqtt sources could publish for asset '%s'; name one with --source",
                        fitting, asset);
    }
    if (*out == NULL && eop_json_get(call->args, "publish") != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "publish: which broker? Name an mqtt source with --source");
    }
    return EDGEOPS_OK;
}

static edgeops_status check_topic(const char *topic) {
    size_t size = strlen(topic);
    return size <= 1024 && strpbrk(topic, "+#") == NULL && eop_utf8_valid(topic, size) == size
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_INVALID, "node",
                          "publish: '%.100s' is not a topic to publish to (no '+', no '#', at most "
                          "1024 bytes)",
                          topic);
}

static edgeops_status check_wait(const edgeops_call *call) {
    const char *text = eop_json_string(call->args, "wait", "0s");
    edgeops_duration wait = 0;
    return eop_parse_duration(&wait, text) && wait <= EOP_WINDOW_MAX_WAIT
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_INVALID, "node",
                          "wait: '%.32s' is not a duration from 0s to 1h, such as 250ms or 2s",
                          text);
}

static eop_json *new_record(edgeops_call *call, const char *name, const char *source,
                            const char *topic) {
    eop_json *record = eop_json_object();
    eop_json_set_string(record, "name", name);
    eop_json_set_string(record, "model", eop_json_string(call->args, "model", ""));
    eop_json_set_string(record, "asset", eop_json_string(call->args, "asset", ""));
    if (source != NULL) {
        eop_json_set_string(record, "publish", topic);
        eop_json_set_string(record, "source", source);
    }
    eop_json_set_integer(record, "qos", eop_json_integer(call->args, "qos", 1));
    eop_json_set_bool(record, "retain", eop_json_bool(call->args, "retain", false));
    eop_json_set_string(record, "from", eop_json_string(call->args, "from", "now"));
    if (eop_json_get(call->args, "wait") != NULL) {
        eop_json_set_string(record, "wait", eop_json_string(call->args, "wait", ""));
    }
    eop_json_set_bool(record, "enabled", true);
    eop_json_set_time(record, "created", eop_now());
    return record;
}

static edgeops_status run_deploy(edgeops_call *call, eop_json **result) {
    const char *model = eop_json_string(call->args, "model", "");
    const char *asset = eop_json_string(call->args, "asset", "");
    const char *given = eop_json_string(call->args, "name", NULL);
    const char *source = NULL;
    edgeops_model *opened = NULL;
    eop_deployment *deployment = NULL;
    char *name = given != NULL ? eop_strdup(given) : default_name(model, asset);
    char *topic = name != NULL ? eop_format("edgeops/predictions/%s", name) : NULL;
    edgeops_status status = topic != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    if (status == EDGEOPS_OK) {
        status = eop_check_id("deployment", name);
    }
    if (status == EDGEOPS_OK && !eop_name_valid(asset, strlen(asset), 200)) {
        status = eop_fail(EDGEOPS_E_INVALID, "node", "'%.200s' is not a name for an asset", asset);
    }
    if (status == EDGEOPS_OK) {
        status = eop_home_model(&opened, call->node, model);
    }
    if (status == EDGEOPS_OK) {
        status =
            eop_inputs_require(call->node->store, edgeops_model_info_of(opened)->manifest, asset);
    }
    if (status == EDGEOPS_OK) {
        status = choose_source(&source, call);
    }
    if (status == EDGEOPS_OK) {
        status = check_wait(call);
    }
    if (status == EDGEOPS_OK) {
        const char *publish = eop_json_string(call->args, "publish", topic);
        status = check_topic(publish);
        if (status == EDGEOPS_OK) {
            status = eop_deployment_add(&deployment, call->node,
                                        new_record(call, name, source, publish));
        }
    }
    if (status == EDGEOPS_OK) {
        *result = eop_deployment_describe(deployment);
    }
    edgeops_model_close(opened);
    eop_free(topic);
    eop_free(name);
    return status;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    eop_json *items = NULL;
    *result = eop_items(&items);
    for (size_t i = 0; i < call->node->deployment_count; i++) {
        eop_json_append(items, eop_deployment_brief(call->node->deployments[i]));
    }
    return EDGEOPS_OK;
}

static eop_deployment *named(edgeops_call *call) {
    return eop_deployment_find(call->node, eop_json_string(call->args, "name", ""));
}

static edgeops_status run_show(edgeops_call *call, eop_json **result) {
    eop_deployment *deployment = named(call);
    if (deployment == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    *result = eop_deployment_describe(deployment);
    return EDGEOPS_OK;
}

static edgeops_status enable(edgeops_call *call, eop_json **result, bool on) {
    eop_deployment *deployment = named(call);
    if (deployment == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    edgeops_status status = eop_deployment_enable(deployment, on);
    if (status == EDGEOPS_OK) {
        *result = eop_deployment_describe(deployment);
    }
    return status;
}

static edgeops_status run_start(edgeops_call *call, eop_json **result) {
    return enable(call, result, true);
}

static edgeops_status run_stop(edgeops_call *call, eop_json **result) {
    return enable(call, result, false);
}

static void set_outbox(eop_json *result, eop_deployment *deployment) {
    eop_json *brief = eop_deployment_brief(deployment);
    eop_json_set_integer(result, "outbox", eop_json_integer(brief, "outbox", 0));
    eop_json_free(brief);
}

/* Whether there is something that a retry sends at once. */
static bool retries_now(const eop_json *brief) {
    const char *state = eop_json_string(eop_json_get(brief, "publishing"), "state", "");
    return strcmp(state, "held") == 0 || strcmp(state, "slow") == 0 ||
           strcmp(state, "refused") == 0;
}

/* What was set aside waits again, so the outbox has as many messages as before. */
static edgeops_status run_retry(edgeops_call *call, eop_json **result) {
    uint64_t again = 0;
    eop_deployment *deployment = named(call);
    if (deployment == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    eop_json *brief = eop_deployment_brief(deployment);
    edgeops_status status = eop_deployment_retry(&again, deployment);
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_integer(*result, "again", (int64_t)again);
        eop_json_set_bool(*result, "now", retries_now(brief));
        eop_json_set_integer(*result, "outbox", eop_json_integer(brief, "outbox", 0));
    }
    eop_json_free(brief);
    return status;
}

static edgeops_status run_skip(edgeops_call *call, eop_json **result) {
    uint64_t dropped = 0;
    int64_t count = eop_json_integer(call->args, "count", 0);
    bool refused = eop_json_bool(call->args, "refused", false);
    bool all = eop_json_bool(call->args, "all", false);
    eop_deployment *deployment = named(call);
    if (deployment == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    if ((count > 0) + refused + all != 1) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "say what to drop: the first messages that wait (--count N), those that "
                        "are set aside (--refused), or --all");
    }
    edgeops_status status = eop_deployment_skip(&dropped, deployment,
                                                refused ? EOP_SKIP_REFUSED
                                                : all   ? EOP_SKIP_ALL
                                                        : EOP_SKIP_WAITING,
                                                count > 0 ? (uint64_t)count : UINT64_MAX);
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_integer(*result, "dropped", (int64_t)dropped);
        set_outbox(*result, deployment);
    }
    return status;
}

static edgeops_status run_rm(edgeops_call *call, eop_json **result) {
    uint64_t dropped = 0;
    eop_deployment *deployment = named(call);
    if (deployment == NULL) {
        return EDGEOPS_E_NOTFOUND;
    }
    edgeops_status status = eop_deployment_remove(&dropped, deployment);
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_integer(*result, "dropped", (int64_t)dropped);
    }
    return status;
}

const eop_op eop_deployment_ops[] = {
    {&eop_spec_deploy, .run = run_deploy},
    {&eop_spec_deployment_ls, .run = run_ls},
    {&eop_spec_deployment_show, .run = run_show},
    {&eop_spec_deployment_start, .run = run_start},
    {&eop_spec_deployment_stop, .run = run_stop},
    {&eop_spec_deployment_retry, .run = run_retry},
    {&eop_spec_deployment_skip, .run = run_skip},
    {&eop_spec_deployment_rm, .run = run_rm},
    {0},
};
