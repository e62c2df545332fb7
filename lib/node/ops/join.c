/* SPDX-License-Identifier: Apache-2.0 */
/* asset.join makes a derived asset, or brings one up to date; datasets that need their assets side
 * by side get one, too. The rows are made on the job's thread, or beside it by the node's. */
#include "node/ops/join.h"

#include <string.h>

#include "node/home/args.h"
#include "node/home/derived.h"
#include "node/ops/groups.h"
#include "store/room.h"

/* How long is waited for rows that wait themselves. */
#define PATIENCE (2500 * EDGEOPS_MILLISECOND)

static bool go_on(double part, void *user_data) {
    eop_job *job = user_data;
    if (eop_job_due(job)) {
        eop_json *event = eop_json_object();
        eop_json_set_string(event, "type", "progress");
        eop_json_set_number(event, "progress", part);
        eop_job_event(job, event);
    }
    return !eop_job_canceled(job);
}

/* -- asset.join -- */

typedef struct work {
    edgeops_call *call;
    eop_node_join *join;
    bool made;
} work;

static void join_work(eop_job *job, void *user_data) {
    work *w = user_data;
    eop_job_end(job, eop_node_join_work(w->join, PATIENCE, go_on, job));
}

static eop_json *join_result(const work *w) {
    edgeops_asset_info *info = NULL;
    const char *name = eop_node_join_spec(w->join)->name;
    eop_json *json = eop_json_object();
    eop_json_set_string(json, "name", name);
    eop_json_set_bool(json, "made", w->made);
    bool there = edgeops_asset_get(&info, w->call->node->store, name) == EDGEOPS_OK;
    eop_json_set_integer(json, "rows", there ? (int64_t)info->rows : 0);
    edgeops_free(info);
    eop_json_set(json, "join", eop_node_join_describe(w->join));
    return json;
}

static void join_done(eop_job *job, void *user_data) {
    work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_call_finish(w->call, status, status == EDGEOPS_OK ? join_result(w) : NULL);
    eop_node_join_release(w->join);
    eop_free(w);
}

static edgeops_status read_spec(eop_join_spec *spec, edgeops_call *call) {
    const eop_json *args = call->args;
    const eop_json *channels = eop_json_get(args, "channels");
    const char *wait = eop_json_string(args, "wait", NULL);
    *spec = (eop_join_spec){.name = eop_strdup(eop_json_string(args, "name", "")),
                            .wait = EOP_JOIN_WAIT};
    edgeops_status status = spec->name != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    for (const eop_json *c = eop_json_first(channels); status == EDGEOPS_OK && c != NULL;
         c = eop_json_next(c)) {
        status = eop_join_spec_add_text(spec, call->node->store, eop_json_text(c));
    }
    if (status == EDGEOPS_OK) {
        status = eop_arg_period(&spec->period, args);
    }
    if (status == EDGEOPS_OK) {
        status = eop_arg_duration(&spec->tolerance, args, "tolerance");
    }
    if (status == EDGEOPS_OK && wait != NULL && !eop_parse_duration(&spec->wait, wait)) {
        status = eop_fail(EDGEOPS_E_INVALID, "node",
                          "wait: '%.64s' is not a duration; write it as 0s, 200ms or 1m", wait);
    }
    if (status == EDGEOPS_OK && wait != NULL && spec->period == 0 && spec->tolerance == 0) {
        status =
            eop_fail(EDGEOPS_E_INVALID, "node",
                     "wait goes with a rate or a tolerance: rows of the same time do not wait");
    }
    return status == EDGEOPS_OK ? eop_join_spec_settle(spec) : status;
}

static edgeops_status refuse_rule(const eop_json *args) {
    static const char *const keys[] = {"rate", "period", "tolerance", "wait"};
    for (size_t i = 0; i < EOP_COUNT(keys); i++) {
        if (eop_json_get(args, keys[i]) != NULL) {
            return eop_fail(EDGEOPS_E_INVALID, "node", "%s goes with channels: give them, too",
                            keys[i]);
        }
    }
    return EDGEOPS_OK;
}

/* What is there already is brought up to date, if it is what was asked for. */
static edgeops_status find_join(work *w) {
    edgeops_node *node = w->call->node;
    const char *name = eop_json_string(w->call->args, "name", "");
    eop_node_join *there = eop_joins_find(node, name);
    if (eop_json_get(w->call->args, "channels") == NULL) {
        w->join = there;
        edgeops_status status = refuse_rule(w->call->args);
        return status != EDGEOPS_OK || there != NULL
                   ? status
                   : eop_fail(EDGEOPS_E_NOTFOUND, "node",
                              "there is no derived asset '%.200s'; to make one give its channels: "
                              "--channel ASSET:CHANNEL",
                              name);
    }
    eop_join_spec spec;
    edgeops_status status = read_spec(&spec, w->call);
    if (status == EDGEOPS_OK && there != NULL &&
        eop_join_spec_equal(&spec, eop_node_join_spec(there))) {
        eop_join_spec_dispose(&spec);
        w->join = there;
        return EDGEOPS_OK;
    }
    if (status == EDGEOPS_OK) {
        w->made = true;
        return eop_joins_add(&w->join, node, &spec,
                             eop_json_bool(w->call->args, "allow_missing", false));
    }
    eop_join_spec_dispose(&spec);
    return status;
}

edgeops_status eop_asset_join_start(edgeops_call *call) {
    work *w = eop_calloc(1, sizeof *w);
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    edgeops_status status = eop_store_ready(call->node->store);
    if (status == EDGEOPS_OK) {
        status = find_join(w);
    }
    if (status == EDGEOPS_OK) {
        eop_node_join_hold(w->join);
        status = eop_job_start(NULL, call->node, call, join_work, join_done, w);
        if (status != EDGEOPS_OK) {
            eop_node_join_release(w->join);
        }
    }
    if (status != EDGEOPS_OK) {
        eop_free(w);
    }
    return status;
}

/* -- for a dataset -- */

typedef struct gather {
    edgeops_node *node;
    const edgeops_dataset_options *options;
    eop_join_spec spec;
    size_t assets;
    eop_json *common; /**< names of channels that all of the assets have */
} gather;

static bool is_meant(const gather *g, const char *asset) {
    bool named = false;
    bool matched = false;
    for (size_t i = 0; i < g->options->asset_count; i++) {
        named = named || strcmp(g->options->assets[i], asset) == 0;
        matched = matched || eop_glob(g->options->assets[i], asset);
    }
    return named || (matched && !eop_derived_has(g->node->derived, asset));
}

static bool is_wanted(const edgeops_dataset_options *o, const char *channel) {
    bool wanted = o->channels == NULL;
    for (size_t i = 0; i < o->channel_count && !wanted; i++) {
        wanted = strcmp(o->channels[i], channel) == 0;
    }
    return wanted;
}

static void keep_common(gather *g, const edgeops_asset_info *info) {
    eop_json *common = eop_json_array();
    for (size_t k = 0; k < info->channel_count; k++) {
        bool found = g->assets == 0;
        for (const eop_json *c = eop_json_first(g->common); c != NULL && !found;
             c = eop_json_next(c)) {
            found = strcmp(eop_json_text(c), info->channels[k].name) == 0;
        }
        if (found) {
            eop_json_append_string(common, info->channels[k].name);
        }
    }
    eop_json_free(g->common);
    g->common = common;
}

static edgeops_status gather_asset(const edgeops_asset_info *info, void *user_data) {
    gather *g = user_data;
    edgeops_status status = EDGEOPS_OK;
    if (info->rows == 0 || !is_meant(g, info->name)) {
        return EDGEOPS_OK;
    }
    keep_common(g, info);
    g->assets++;
    for (size_t k = 0; status == EDGEOPS_OK && k < info->channel_count; k++) {
        if (info->channels[k].type != EDGEOPS_TYPE_BLOB &&
            is_wanted(g->options, info->channels[k].name)) {
            status = eop_join_spec_add(&g->spec, info->name, info->channels[k].name, NULL);
        }
    }
    return status;
}

static edgeops_status check_named(const gather *g) {
    for (size_t i = 0; i < g->options->asset_count; i++) {
        edgeops_asset_info *info = NULL;
        edgeops_status status =
            strchr(g->options->assets[i], '*') != NULL
                ? EDGEOPS_OK
                : edgeops_asset_get(&info, g->node->store, g->options->assets[i]);
        edgeops_free(info);
        if (status == EDGEOPS_E_NOTFOUND) {
            return eop_fail(EDGEOPS_E_NOTFOUND, "node", "asset '%.200s' does not exist",
                            g->options->assets[i]);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status make_join(eop_node_join **out, gather *g) {
    edgeops_status status = check_named(g);
    if (status == EDGEOPS_OK && g->options->fill != EDGEOPS_FILL_PREVIOUS) {
        status = eop_fail(EDGEOPS_E_INVALID, "node",
                          "channels of several assets are put side by side with their previous "
                          "values: fill is not for that");
    }
    g->spec.name = eop_format("joined/%s", g->options->name);
    g->spec.period = g->options->period;
    g->spec.tolerance = g->options->tolerance;
    g->spec.wait = EOP_JOIN_WAIT;
    if (status == EDGEOPS_OK && g->spec.name == NULL) {
        status = eop_fail_nomem("node");
    }
    if (status == EDGEOPS_OK) {
        status = eop_join_spec_settle(&g->spec);
    }
    if (status == EDGEOPS_OK) {
        *out = eop_joins_find_equal(g->node, &g->spec);
        status = *out == NULL ? eop_joins_add(out, g->node, &g->spec, false) : EDGEOPS_OK;
    }
    return status;
}

edgeops_status eop_join_for_dataset(eop_node_join **out, edgeops_call *call,
                                    edgeops_dataset_options *options) {
    gather g = {.node = call->node, .options = options};
    bool asked = eop_json_bool(call->args, "join", false);
    *out = NULL;
    if (!asked && (options->period == 0 || options->channels != NULL)) {
        return EDGEOPS_OK;
    }
    edgeops_status status = edgeops_asset_list(call->node->store, NULL, gather_asset, &g);
    bool apart = g.assets > 1 && g.common != NULL && eop_json_size(g.common) == 0;
    if (status == EDGEOPS_OK && (asked || apart)) {
        status = make_join(out, &g);
    }
    eop_json_free(g.common);
    eop_join_spec_dispose(&g.spec);
    if (*out != NULL) {
        options->assets = NULL;
        options->channels = NULL;
        options->channel_count = 0;
        options->period = 0;
        options->tolerance = 0;
    }
    return status;
}

/* -- up to date -- */

static bool is_needed(const eop_join_list *list, const eop_node_join *join,
                      const char *const *patterns, size_t count) {
    const char *name = eop_node_join_spec(join)->name;
    for (size_t i = 0; i < count; i++) {
        if (strcmp(patterns[i], name) == 0 || eop_glob(patterns[i], name)) {
            return true;
        }
    }
    for (size_t i = 0; i < list->count; i++) {
        if (eop_join_spec_reads(eop_node_join_spec(list->items[i]), name)) {
            return true;
        }
    }
    return false;
}

void eop_join_list_hold(eop_join_list *list, edgeops_node *node, const char *const *patterns,
                        size_t count) {
    /* From the newest to the oldest: inputs are older than what is made of them. */
    for (size_t i = eop_joins_count(node); i > 0; i--) {
        eop_node_join *join = eop_joins_at(node, i - 1);
        if (is_needed(list, join, patterns, count)) {
            eop_node_join_hold(join);
            list->items[list->count++] = join;
        }
    }
}

edgeops_status eop_join_list_work(eop_join_list *list, eop_job *job) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = list->count; status == EDGEOPS_OK && i > 0; i--) {
        status = eop_node_join_work(list->items[i - 1], PATIENCE, go_on, job);
    }
    return status;
}

void eop_join_list_release(eop_join_list *list) {
    for (size_t i = 0; i < list->count; i++) {
        eop_node_join_release(list->items[i]);
    }
    list->count = 0;
}

/* -- lineage -- */

void eop_joins_add_lineage(eop_json *json, edgeops_node *node, const eop_json *assets) {
    eop_json *joins = NULL;
    for (const eop_json *a = eop_json_first(assets); a != NULL; a = eop_json_next(a)) {
        const char *name = eop_json_string(a, "name", "");
        const eop_node_join *join = eop_joins_find(node, name);
        if (join != NULL) {
            eop_json *item = eop_node_join_definition(join);
            eop_json_set_string(item, "asset", name);
            joins = joins != NULL ? joins : eop_json_array();
            eop_json_append(joins, item);
        }
    }
    if (joins != NULL) {
        eop_json_set(json, "joins", joins);
    }
}
