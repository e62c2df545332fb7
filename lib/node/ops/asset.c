/* SPDX-License-Identifier: Apache-2.0 */
/* asset.*: what the store has of each asset, and who feeds and uses it. */
#include <string.h>

#include "base/column_view.h"
#include "catalog/catalog.h"
#include "catalog/policy.h"
#include "codec/value.h"
#include "node/control/job.h"
#include "node/live/deployment.h"
#include "node/live/deployments.h"
#include "node/live/sources.h"
#include "node/ops/groups.h"
#include "node/ops/join.h"
#include "store/inner.h"
#include "store/retention.h"
#include "store/retype.h"

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

typedef struct listing {
    edgeops_node *node;
    eop_json *items;
} listing;

static edgeops_status list_one(const edgeops_asset_info *info, void *user_data) {
    const listing *l = user_data;
    const eop_node_join *join = eop_joins_find(l->node, info->name);
    eop_json *json = times_of(info);
    eop_json_set_integer(json, "channels", (int64_t)info->channel_count);
    if (join != NULL) {
        eop_json *definition = eop_node_join_definition(join);
        eop_json_set_string(json, "joined", eop_json_string(definition, "rule", ""));
        eop_json_free(definition);
    }
    eop_json_append(l->items, json);
    return EDGEOPS_OK;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    listing l = {.node = call->node};
    *result = eop_items(&l.items);
    return edgeops_asset_list(call->node->store, eop_json_string(call->args, "pattern", NULL),
                              list_one, &l);
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
        eop_node_join *join = eop_joins_find(call->node, name);
        *result = describe(info);
        if (join != NULL) {
            eop_json_set(*result, "join", eop_node_join_describe(join));
        }
        if (info->parts > 0) {
            eop_json_set_integer(*result, "parts", (int64_t)info->parts);
        }
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

/* In the definitions of joins, then in the store. channel: NULL for the asset itself. */
static edgeops_status rename_joined(eop_json *joins, const edgeops_call *call, const char *name,
                                    const char *channel, const char *to) {
    edgeops_node *node = call->node;
    edgeops_status status = eop_joins_rename(joins, node, name, channel, to);
    if (status == EDGEOPS_OK) {
        status = channel == NULL ? edgeops_asset_rename(node->store, name, to)
                                 : edgeops_channel_rename(node->store, name, channel, to);
        if (status != EDGEOPS_OK) {
            eop_kept_error error;
            eop_keep_error(&error);
            (void)!eop_joins_rename(NULL, node, channel == NULL ? to : name,
                                    channel == NULL ? NULL : to, channel == NULL ? name : channel);
            status = eop_fail_kept(&error);
        }
    }
    eop_kept_error error;
    eop_keep_error(&error);
    eop_joins_reopen(node);
    return status == EDGEOPS_OK ? EDGEOPS_OK : eop_fail_kept(&error);
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
    eop_json *joins = eop_json_array();
    if (status == EDGEOPS_OK) {
        status = rename_joined(joins, call, name, NULL, to);
    }
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_string(*result, "name", to);
        eop_json_set_string(*result, "was", name);
        eop_json_set(*result, "joins", joins);
        joins = NULL;
        eop_json_set(*result, "sources", feeding(call, name));
        eop_json_set(*result, "retention", retaining(call, name));
    }
    eop_json_free(joins);
    return status;
}

static edgeops_status run_rename_channel(edgeops_call *call, eop_json **result) {
    const char *name = eop_json_string(call->args, "name", "");
    const char *channel = eop_json_string(call->args, "channel", "");
    const char *to = eop_json_string(call->args, "to", "");
    edgeops_status status = check_free(call, name);
    eop_json *joins = eop_json_array();
    if (status == EDGEOPS_OK) {
        status = rename_joined(joins, call, name, channel, to);
    }
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_string(*result, "name", name);
        eop_json_set_string(*result, "channel", to);
        eop_json_set_string(*result, "was", channel);
        eop_json_set(*result, "joins", joins);
        joins = NULL;
        eop_json_set(*result, "sources", feeding(call, name));
    }
    eop_json_free(joins);
    return status;
}

/* -- another type or unit -- */

typedef struct work {
    edgeops_call *call;
    eop_job *job;
    edgeops_retype_options options;
    edgeops_retype_result sum;
    char *channel;
    const char *type; /**< NULL: it stays */
    const char **nulls;
    char *unit; /**< that it has now */
    eop_json *in_the_way;
} work;

static void free_work(work *w) {
    eop_free(w->channel);
    eop_free(w->unit);
    eop_free(w->nulls);
    eop_json_free(w->in_the_way);
    eop_free(w);
}

/* Deployments that could not go on with the type: one that takes another as input, and one that
 * writes the channel. Each in a sentence. */
static edgeops_status look_at_deployments(work *w) {
    const edgeops_retype_options *o = &w->options;
    const edgeops_node *node = w->call->node;
    for (size_t i = 0; i < node->deployment_count; i++) {
        const eop_deployment *d = node->deployments[i];
        bool told = strcmp(d->output, o->asset) == 0;
        if (told) {
            eop_json_append_format(w->in_the_way,
                                   "deployment '%s' writes asset '%s'; remove it first", d->name,
                                   o->asset);
        }
        const edgeops_manifest *m =
            d->model != NULL && strcmp(eop_json_string(d->record, "asset", ""), o->asset) == 0
                ? edgeops_model_info_of(d->model)->manifest
                : NULL;
        for (size_t k = 0; m != NULL && !told && k < m->input_count; k++) {
            if (strcmp(m->inputs[k].name, o->channel) == 0 &&
                !eop_type_widens(o->type, m->inputs[k].type)) {
                told = true;
                eop_json_append_format(w->in_the_way,
                                       "deployment '%s' takes channel '%s' as %s; stop it first",
                                       d->name, o->channel, eop_type_name(m->inputs[k].type));
            }
        }
    }
    const eop_json *first = eop_json_first(w->in_the_way);
    return first == NULL || o->dry_run != 0
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_BUSY, "node", "%s", eop_json_text(first));
}

static edgeops_status on_retype(double part, void *user_data) {
    work *w = user_data;
    if (eop_job_due(w->job)) {
        eop_json *event = eop_json_object();
        eop_json_set_string(event, "type", "progress");
        eop_json_set_number(event, "progress", part);
        eop_job_event(w->job, event);
    }
    return eop_job_canceled(w->job) ? EDGEOPS_E_CANCELED : EDGEOPS_OK;
}

static edgeops_status try_type(work *w) {
    eop_retype_look look;
    edgeops_status status = eop_retype_look_at(&look, w->call->node->store, &w->options);
    if (status == EDGEOPS_OK) {
        w->sum = look.sum;
        if (look.datasets != NULL) {
            eop_json_append_format(w->in_the_way, "these datasets hold the channel: %s",
                                   look.datasets);
        }
        if (look.misfit != NULL) {
            eop_json_append_format(w->in_the_way, "%s; %llu values do not fit in all", look.misfit,
                                   (unsigned long long)look.misfits);
        }
    }
    eop_retype_look_dispose(&look);
    return status;
}

static edgeops_status set_unit(work *w, const char *unit) {
    const edgeops_channel_info channel = {w->options.channel, unit, w->options.type,
                                          w->options.length};
    edgeops_status status = edgeops_store_declare(w->call->node->store, w->options.asset, &channel);
    if (status == EDGEOPS_OK) {
        eop_free(w->unit);
        w->unit = eop_strdup(unit);
        status = w->unit != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    }
    return status;
}

static void set_work(eop_job *job, void *user_data) {
    work *w = user_data;
    const char *unit = eop_json_string(w->call->args, "unit", NULL);
    w->job = job;
    edgeops_status status =
        w->options.dry_run != 0
            ? try_type(w)
            : edgeops_channel_retype(&w->sum, w->call->node->store, &w->options);
    if (status == EDGEOPS_OK && unit != NULL && w->options.dry_run == 0) {
        status = set_unit(w, unit);
    }
    eop_job_end(job, status);
}

static eop_json *set_result(work *w) {
    const edgeops_retype_options *o = &w->options;
    eop_json *json = eop_json_object();
    char type[EOP_TYPE_TEXT];
    eop_json_set_string(json, "name", o->asset);
    eop_json_set_string(json, "channel", o->channel);
    eop_json_set_string(json, "type", eop_type_text(type, o->type, o->length));
    eop_json_set_string(json, "was", eop_type_text(type, w->sum.was, w->sum.was_length));
    eop_json_set_string(json, "unit", w->unit);
    eop_json_set_integer(json, "rows", (int64_t)w->sum.rows);
    eop_json_set_integer(json, "values", (int64_t)w->sum.values);
    eop_json_set_integer(json, "nulled", (int64_t)w->sum.nulled);
    eop_json_set_integer(json, "respelled", (int64_t)w->sum.respelled);
    eop_json_set_bool(json, "dry_run", o->dry_run != 0);
    eop_json_set(json, "in_the_way", w->in_the_way);
    w->in_the_way = NULL;
    eop_json_set(json, "sources", feeding(w->call, o->asset));
    return json;
}

static void set_done(eop_job *job, void *user_data) {
    work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_call_finish(w->call, status, status == EDGEOPS_OK ? set_result(w) : NULL);
    free_work(w);
}

/* The channel and its type are given apart, or as "CHANNEL=TYPE". */
static edgeops_status name_channel(work *w) {
    const eop_json *args = w->call->args;
    const char *channel = eop_json_string(args, "channel", NULL);
    w->type = eop_json_string(args, "type", NULL);
    const char *equals = channel == NULL && w->type != NULL ? strrchr(w->type, '=') : NULL;
    if (channel == NULL && equals == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "which channel? give --channel NAME, or --type NAME=TYPE");
    }
    w->channel =
        channel != NULL ? eop_strdup(channel) : eop_strndup(w->type, (size_t)(equals - w->type));
    w->type = channel != NULL ? w->type : equals + 1;
    w->options.channel = w->channel;
    return w->channel != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
}

/* What the channel has now is what is not given. */
static edgeops_status take_channel(work *w) {
    edgeops_retype_options *o = &w->options;
    edgeops_asset_info *info = NULL;
    size_t at = 0;
    edgeops_status status = edgeops_asset_get(&info, w->call->node->store, o->asset);
    if (status != EDGEOPS_OK) {
        return status;
    }
    while (at < info->channel_count && strcmp(info->channels[at].name, o->channel) != 0) {
        at++;
    }
    if (at == info->channel_count) {
        status = eop_fail_no_channel(o->asset, o->channel);
    } else {
        o->type = info->channels[at].type;
        o->length = info->channels[at].length;
        w->unit = eop_strdup(info->channels[at].unit);
        if (w->type != NULL) {
            status = eop_type_read(&o->type, &o->length, w->type, "type of ", o->channel);
        }
        status = status == EDGEOPS_OK && w->unit == NULL ? eop_fail_nomem("node") : status;
    }
    edgeops_free(info);
    return status;
}

static edgeops_status take_nulls(work *w) {
    const eop_json *nulls = eop_json_get(w->call->args, "nulls");
    size_t n = 0;
    w->nulls = eop_calloc(eop_json_size(nulls) + 1, sizeof *w->nulls);
    if (w->nulls == NULL) {
        return eop_fail_nomem("node");
    }
    for (const eop_json *item = eop_json_first(nulls); item != NULL; item = eop_json_next(item)) {
        w->nulls[n++] = eop_json_text(item);
    }
    w->options.nulls = w->nulls;
    w->options.null_count = n;
    return EDGEOPS_OK;
}

static edgeops_status set_start(edgeops_call *call) {
    if (eop_json_get(call->args, "type") == NULL && eop_json_get(call->args, "unit") == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "give a type or a unit to set");
    }
    work *w = eop_calloc(1, sizeof *w);
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    w->in_the_way = eop_json_array();
    w->sum = (edgeops_retype_result)EDGEOPS_RETYPE_RESULT_INIT;
    w->options = (edgeops_retype_options)EDGEOPS_RETYPE_OPTIONS_INIT;
    w->options.asset = eop_json_string(call->args, "name", "");
    w->options.dry_run = eop_json_bool(call->args, "dry_run", false) ? 1 : 0;
    w->options.progress = on_retype;
    w->options.user_data = w;
    edgeops_status status = name_channel(w);
    if (status == EDGEOPS_OK) {
        status = take_channel(w);
    }
    if (status == EDGEOPS_OK) {
        status = take_nulls(w);
    }
    if (status == EDGEOPS_OK) {
        status = look_at_deployments(w);
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, set_work, set_done, w);
    }
    if (status != EDGEOPS_OK) {
        free_work(w);
    }
    return status;
}

/* A derived asset stands still meanwhile, or it would make the asset again; then its definition
 * goes, too. */
static edgeops_status remove_joined(edgeops_node *node, const char *name) {
    bool derived = eop_joins_find(node, name) != NULL;
    eop_joins_close(node, name);
    edgeops_status status = edgeops_asset_remove(node->store, name);
    if (derived && (status == EDGEOPS_OK || status == EDGEOPS_E_NOTFOUND)) {
        return eop_joins_removed(node, name);
    }
    if (derived) {
        eop_kept_error error;
        eop_keep_error(&error);
        eop_joins_reopen(node);
        status = eop_fail_kept(&error);
    }
    return status;
}

static edgeops_status run_rm(edgeops_call *call, eop_json **result) {
    (void)result;
    const char *name = eop_json_string(call->args, "name", "");
    edgeops_status status = check_free(call, name);
    if (status == EDGEOPS_OK) {
        status = eop_joins_check_unused(call->node, name);
    }
    if (status == EDGEOPS_OK) {
        status = remove_joined(call->node, name);
    }
    if (status == EDGEOPS_OK) {
        eop_sources_asset_removed(call->node, name);
    }
    return status;
}

const eop_op eop_asset_ops[] = {
    {&eop_spec_asset_ls, .run = run_ls},
    {&eop_spec_asset_show, .run = run_show},
    {&eop_spec_asset_set, .start = set_start},
    {&eop_spec_asset_join, .start = eop_asset_join_start},
    {&eop_spec_asset_rm, .run = run_rm},
    {&eop_spec_asset_rename, .run = run_rename},
    {&eop_spec_asset_rename_channel, .run = run_rename_channel},
    {0},
};
