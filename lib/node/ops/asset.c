/* SPDX-License-Identifier: Apache-2.0 */
/* asset.*: what the store has of each asset, and who feeds and uses it. */
#include <string.h>

#include "catalog/policy.h"
#include "node/live/deployments.h"
#include "node/live/sources.h"
#include "node/ops/groups.h"
#include "store/retention.h"

static eop_json *times_of(const edgeops_asset_info *info) {
    eop_json *json = eop_json_object();
    eop_json_set_string(json, "name", info->name);
    eop_json_set_integer(json, "rows", (int64_t)info->rows);
    if (info->rows > 0) {
        eop_json_set_time(json, "first", info->first);
        eop_json_set_time(json, "last", info->last);
    } else {
        eop_json_set_string(json, "first", NULL);
        eop_json_set_string(json, "last", NULL);
    }
    return json;
}

static edgeops_status list_one(const edgeops_asset_info *info, void *user_data) {
    eop_json *json = times_of(info);
    eop_json_set_integer(json, "channels", (int64_t)info->channel_count);
    eop_json_append(user_data, json);
    return EDGEOPS_OK;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    eop_json *items = NULL;
    *result = eop_items(&items);
    return edgeops_asset_list(call->node->store, eop_json_string(call->args, "pattern", NULL),
                              list_one, items);
}

static eop_json *describe(const edgeops_asset_info *info) {
    eop_json *channels = eop_json_array();
    for (size_t i = 0; i < info->channel_count; i++) {
        eop_json *channel = eop_json_object();
        char type[EOP_TYPE_TEXT];
        eop_json_set_string(channel, "name", info->channels[i].name);
        eop_json_set_string(channel, "type",
                            eop_type_text(type, info->channels[i].type, info->channels[i].length));
        eop_json_set_string(channel, "unit", info->channels[i].unit);
        eop_json_append(channels, channel);
    }
    eop_json *described = times_of(info);
    eop_json_set_integer(described, "dropped", (int64_t)info->dropped);
    if (info->dropped > 0) {
        eop_json_set_time(described, "dropped_until", info->dropped_until);
    }
    eop_json_set(described, "channels", channels);
    return described;
}

static edgeops_status run_show(edgeops_call *call, eop_json **result) {
    const char *name = eop_json_string(call->args, "name", "");
    edgeops_asset_info *info = NULL;
    edgeops_status status = edgeops_asset_get(&info, call->node->store, name);
    if (status == EDGEOPS_OK) {
        *result = describe(info);
        edgeops_free(info);
    } else if (status == EDGEOPS_E_NOTFOUND) {
        status = eop_fail(EDGEOPS_E_NOTFOUND, "node",
                          "there is no asset '%.200s'; 'asset ls' shows those there are", name);
    }
    return status;
}

/* A deployment finds what it reads and writes by name. */
static edgeops_status check_free(const edgeops_call *call, const char *name) {
    for (size_t i = 0; i < call->node->deployment_count; i++) {
        const eop_json *record = eop_deployment_record(call->node->deployments[i]);
        const char *deployment = eop_json_string(record, "name", "");
        if (strcmp(eop_json_string(record, "asset", ""), name) == 0) {
            return eop_fail(EDGEOPS_E_BUSY, "node",
                            "deployment '%s' reads asset '%s'; remove it first", deployment, name);
        }
        if (strncmp(name, "predictions/", 12) == 0 && strcmp(name + 12, deployment) == 0) {
            return eop_fail(EDGEOPS_E_BUSY, "node",
                            "deployment '%s' writes to asset '%s'; remove it first", deployment,
                            name);
        }
    }
    return EDGEOPS_OK;
}

/* Sources that feed the asset: they will create it again under the old name. */
static eop_json *feeding(const edgeops_call *call, const char *name) {
    eop_json *names = eop_json_array();
    for (size_t i = 0; i < call->node->source_count; i++) {
        if (eop_source_feeds(call->node->sources[i], name)) {
            eop_json_append_string(names, eop_source_name(call->node->sources[i]));
        }
    }
    return names;
}

typedef struct named {
    const char *name;
    eop_json *patterns;
} named;

static edgeops_status add_named(const eop_policy *policy, void *user_data) {
    const named *n = user_data;
    if (strcmp(policy->pattern, n->name) == 0) {
        eop_json_append_string(n->patterns, policy->pattern);
    }
    return EDGEOPS_OK;
}

/* Policies for exactly this name, which a rename does not change. The asset has its new name
 * already, so that a list that cannot be read is not an error. */
static eop_json *retaining(const edgeops_call *call, const char *name) {
    named n = {name, eop_json_array()};
    if (eop_policy_list(call->node->catalog, add_named, &n) != EDGEOPS_OK) {
        eop_log_write(node_log(call->node), EDGEOPS_LOG_WARN, "node", "%s",
                      edgeops_error_last()->message);
    }
    return n.patterns;
}

static edgeops_status run_rename(edgeops_call *call, eop_json **result) {
    const char *name = eop_json_string(call->args, "name", "");
    const char *to = eop_json_string(call->args, "to", "");
    edgeops_status status = check_free(call, name);
    if (status == EDGEOPS_OK && strchr(to, '*') != NULL) {
        status =
            eop_fail(EDGEOPS_E_INVALID, "node",
                     "'%.200s': '*' stands for anything in patterns; take a name without it", to);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_asset_rename(call->node->store, name, to);
    }
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_string(*result, "name", to);
        eop_json_set_string(*result, "was", name);
        eop_json_set(*result, "sources", feeding(call, name));
        eop_json_set(*result, "retention", retaining(call, name));
    }
    return status;
}

static edgeops_status run_rename_channel(edgeops_call *call, eop_json **result) {
    const char *name = eop_json_string(call->args, "name", "");
    const char *channel = eop_json_string(call->args, "channel", "");
    const char *to = eop_json_string(call->args, "to", "");
    edgeops_status status = check_free(call, name);
    if (status == EDGEOPS_OK) {
        status = edgeops_channel_rename(call->node->store, name, channel, to);
    }
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_string(*result, "name", name);
        eop_json_set_string(*result, "channel", to);
        eop_json_set_string(*result, "was", channel);
        eop_json_set(*result, "sources", feeding(call, name));
    }
    return status;
}

static edgeops_status run_rm(edgeops_call *call, eop_json **result) {
    (void)result;
    const char *name = eop_json_string(call->args, "name", "");
    edgeops_status status = check_free(call, name);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = edgeops_asset_remove(call->node->store, name);
    if (status == EDGEOPS_OK) {
        eop_sources_asset_removed(call->node, name);
    }
    return status;
}

const eop_op eop_asset_ops[] = {
    {&eop_spec_asset_ls, .run = run_ls},
    {&eop_spec_asset_show, .run = run_show},
    {&eop_spec_asset_rm, .run = run_rm},
    {&eop_spec_asset_rename, .run = run_rename},
    {&eop_spec_asset_rename_channel, .run = run_rename_channel},
    {0},
};
