/* SPDX-License-Identifier: Apache-2.0 */
/* node.*: what the node is and how it is, and the list of operations. */
#include <string.h>
#include <unistd.h>

#include "edgeops/version.h"
#include "monitor/memory.h"
#include "node/control/dispatch.h"
#include "node/live/deployments.h"
#include "node/live/sources.h"
#include "node/ops/ops.h"

static eop_json *disk_json(edgeops_node *node, const eop_store_stats *stats) {
    eop_json *disk = eop_json_object();
    bool full = atomic_load(&node->disk_full);
    eop_json_set_string(disk, "state", full ? "full" : "ok");
    if (full) {
        eop_json_set_string(disk, "detail", node->disk_detail);
    }
    eop_json_set_integer(disk, "free_bytes", (int64_t)stats->free_bytes);
    eop_json_set_integer(disk, "floor_bytes", (int64_t)stats->floor_bytes);
    eop_json_set_integer(disk, "used_bytes", (int64_t)stats->disk_bytes);
    eop_json_set_integer(disk, "damaged", (int64_t)stats->damaged);
    return disk;
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
    for (size_t i = 0; i < node->source_count; i++) {
        eop_json_append(sources, eop_source_brief(node->sources[i]));
    }
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

static edgeops_status run_ops(edgeops_call *call, eop_json **result) {
    (void)call;
    eop_json *items = NULL;
    *result = eop_items(&items);
    const eop_op *op = NULL;
    for (size_t i = 0; (op = eop_op_at(call->node, i)) != NULL; i++) {
        eop_json *args = NULL;
        edgeops_status status = eop_json_parse(&args, op->args, strlen(op->args), op->name, NULL);
        if (status != EDGEOPS_OK) {
            return status;
        }
        eop_json *item = eop_json_object();
        eop_json_set_string(item, "name", op->name);
        eop_json_set_string(item, "summary", op->summary);
        eop_json_set(item, "args", args);
        eop_json_set_bool(item, "bulk_in", (op->flags & EOP_OP_INPUT) != 0);
        eop_json_set_bool(item, "bulk_out", (op->flags & EOP_OP_OUTPUT) != 0);
        eop_json_set_bool(item, "streams", (op->flags & EOP_OP_STREAMS) != 0);
        eop_json_append(items, item);
    }
    return EDGEOPS_OK;
}

/* The server ends the daemon once this is answered. */
static edgeops_status run_stop(edgeops_call *call, eop_json **result) {
    (void)call;
    (void)result;
    return EDGEOPS_OK;
}

const eop_op eop_node_ops[] = {
    {.name = "node.status",
     .summary = "show what runs and how it does",
     .args = EOP_ARGS_NONE,
     .run = run_status},
    {.name = "node.set",
     .summary = "change what is kept when the power fails",
     .args = EOP_ARGS("", "\"durability\":{\"enum\":[\"process\",\"power\"],\"description\":"
                          "\"what was acknowledged survives the end of any process, or also a "
                          "power cut\"}"),
     .run = run_set},
    {.name = "node.ops",
     .summary = "list the operations and their arguments",
     .args = EOP_ARGS_NONE,
     .run = run_ops},
    {.name = "node.stop",
     .summary = "end the daemon",
     .args = EOP_ARGS_NONE,
     .flags = EOP_OP_DAEMON,
     .run = run_stop},
    {0},
};
