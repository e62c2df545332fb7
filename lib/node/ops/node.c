/* SPDX-License-Identifier: Apache-2.0 */
/* node.*: what the node is and how it is, and the list of operations. */
#include <string.h>
#include <unistd.h>

#include "edgeops/version.h"
#include "monitor/memory.h"
#include "node/live/deployments.h"
#include "node/live/sources.h"
#include "node/live/told.h"
#include "node/ops/groups.h"
#include "store/home.h"
#include "store/room.h"

static eop_json *disk_json(edgeops_node *node, const eop_store_stats *stats) {
    eop_json *disk = eop_json_object();
    bool full = atomic_load(&node->disk_full);
    bool fixed = eop_store_check_writable(node->store) == EDGEOPS_E_DENIED;
    eop_json_set_string(disk, "state", fixed ? "read-only" : full ? "full" : "ok");
    if (full) {
        eop_json_set_string(disk, "detail", node->disk_detail);
    }
    eop_json_set_integer(disk, "free_bytes", (int64_t)stats->free_bytes);
    eop_json_set_integer(disk, "floor_bytes", (int64_t)stats->floor_bytes);
    eop_json_set_integer(disk, "used_bytes", (int64_t)stats->disk_bytes);
    eop_json_set_integer(disk, "damaged", (int64_t)stats->damaged);
    return disk;
}

static eop_json *clock_json(int64_t unset, int64_t ahead) {
    edgeops_time now = eop_now();
    eop_json *clock = eop_json_object();
    char *detail = eop_tell_clock(now);
    eop_json_set_string(clock, "state", eop_clock_unset(now) ? "unset" : "ok");
    eop_json_set_time(clock, "time", now);
    eop_json_set_integer(clock, "unset_samples", unset);
    eop_json_set_integer(clock, "ahead_samples", ahead);
    if (detail != NULL) {
        eop_json_set_string(clock, "detail", detail);
    }
    eop_free(detail);
    return clock;
}

static const char *durability_name(edgeops_node *node) {
    return edgeops_store_durability(node->store) == EDGEOPS_DURABILITY_POWER ? "power" : "process";
}

static edgeops_status run_status(edgeops_call *call, eop_json **result) {
    edgeops_node *node = call->node;
    eop_store_stats stats;
    uint64_t memory = 0;
    edgeops_status status = eop_store_get_stats(node->store, &stats);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_json *json = *result = eop_json_object();
    eop_json *sources = eop_json_array();
    eop_json *deployments = eop_json_array();
    eop_json *runs = eop_json_object();
    eop_json_set_string(json, "version", edgeops_version_string());
    eop_json_set_string(json, "layer", node->layer);
    eop_json_set_string(json, "durability", durability_name(node));
    eop_json_set_string(json, "home", node->home);
    eop_json_set_integer(json, "pid", getpid());
    eop_json_set_string(json, "mode", eop_node_is_daemon(node) ? "daemon" : "local");
    eop_json_set_time(json, "started", node->opened);
    eop_json_set_integer(json, "uptime_s",
                         (eop_monotonic() - node->opened_monotonic) / EDGEOPS_SECOND);
    if (eop_memory_resident(&memory) == EDGEOPS_OK) {
        eop_json_set_integer(json, "memory_bytes", (int64_t)memory);
    }
    eop_json_set(json, "disk", disk_json(node, &stats));
    eop_json_set_integer(json, "assets", (int64_t)stats.assets);
    eop_json_set_integer(json, "samples", (int64_t)stats.samples);
    int64_t unset = 0;
    int64_t ahead = 0;
    for (size_t i = 0; i < node->source_count; i++) {
        eop_json *brief = eop_source_brief(node->sources[i]);
        unset += eop_json_integer(brief, "unset_clock", 0);
        ahead += eop_json_integer(brief, "ahead", 0);
        eop_json_append(sources, brief);
    }
    eop_json_set(json, "clock", clock_json(unset, ahead));
    for (size_t i = 0; i < node->deployment_count; i++) {
        eop_json_append(deployments, eop_deployment_brief(node->deployments[i]));
    }
    eop_json_set_integer(runs, "running", (int64_t)node->runs_running);
    eop_json_set(json, "sources", sources);
    eop_json_set(json, "deployments", deployments);
    eop_json_set(json, "runs", runs);
    return EDGEOPS_OK;
}

static edgeops_status run_set(edgeops_call *call, eop_json **result) {
    edgeops_node *node = call->node;
    const char *durability = eop_json_string(call->args, "durability", NULL);
    edgeops_status status = EDGEOPS_OK;
    if (durability != NULL) {
        status = edgeops_store_set_durability(node->store, strcmp(durability, "power") == 0
                                                               ? EDGEOPS_DURABILITY_POWER
                                                               : EDGEOPS_DURABILITY_PROCESS);
    }
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_string(*result, "durability", durability_name(node));
    }
    return status;
}

static edgeops_status set_schema(eop_json *item, const char *key, const char *text) {
    eop_json *schema = NULL;
    edgeops_status status = eop_json_parse(&schema, text, strlen(text), key, NULL);
    eop_json_set(item, key, schema);
    return status;
}

static edgeops_status describe(eop_json **out, const eop_op_spec *spec) {
    static const char *const roles[] = {"viewer", "operator", "engineer", "admin"};
    static const char *const effects[] = {"read", "change", "remove"};
    eop_json *item = *out = eop_json_object();
    eop_json_set_string(item, "name", spec->name);
    eop_json_set_string(item, "summary", spec->summary);
    eop_json_set_string(item, "role", roles[spec->role]);
    eop_json_set_string(item, "effect", effects[spec->effect]);
    edgeops_status status = set_schema(item, "args", spec->args);
    if (status == EDGEOPS_OK) {
        status = set_schema(item, "result", spec->result);
    }
    if (status == EDGEOPS_OK) {
        status = set_schema(item, "events", spec->events);
    }
    eop_json_set_bool(item, "bulk_in", (spec->flags & EOP_OP_INPUT) != 0);
    eop_json_set_bool(item, "bulk_out", (spec->flags & EOP_OP_OUTPUT) != 0);
    eop_json_set_bool(item, "bulk_out_optional", (spec->flags & EOP_OP_OPTIONAL) != 0);
    eop_json_set_bool(item, "streams", (spec->flags & EOP_OP_STREAMS) != 0);
    eop_json_set_bool(item, "daemon", (spec->flags & EOP_OP_DAEMON) != 0);
    eop_json_set_bool(item, "detached", (spec->flags & EOP_OP_DETACHED) != 0);
    return status;
}

static edgeops_status run_ops(edgeops_call *call, eop_json **result) {
    (void)call;
    eop_json *items = NULL;
    edgeops_status status = EDGEOPS_OK;
    *result = eop_items(&items);
    for (size_t i = 0; status == EDGEOPS_OK && eop_op_specs[i] != NULL; i++) {
        eop_json *item = NULL;
        status = describe(&item, eop_op_specs[i]);
        eop_json_append(items, item);
    }
    return status;
}

/* The server ends the daemon once this is answered. */
static edgeops_status run_stop(edgeops_call *call, eop_json **result) {
    (void)call;
    (void)result;
    return EDGEOPS_OK;
}

const eop_op eop_node_ops[] = {
    {&eop_spec_node_status, .run = run_status},
    {&eop_spec_node_set, .run = run_set},
    {&eop_spec_node_ops, .run = run_ops},
    {&eop_spec_node_stop, .run = run_stop},
    {0},
};
