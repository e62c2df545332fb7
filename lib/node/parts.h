/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a node, one file each. Context's thread unless said otherwise. */
#ifndef EOP_NODE_PARTS_H
#define EOP_NODE_PARTS_H

#include "base/type.h"
#include "codec/value.h"
#include "node/controller.h"

/** Said of what would run if this process ran it. */
#define EOP_NOTE_NOT_STARTED "starts with 'edgeopsctl node serve'"

/* -- util.c: arguments and answers -- */
edgeops_status eop_put_record(edgeops_node *node, const char *kind, const char *name,
                              const eop_json *record, bool insert_only);
/** *out: free with eop_json_free. E_NOTFOUND names kind and name. */
edgeops_status eop_get_record(eop_json **out, edgeops_node *node, const char *kind,
                              const char *name);
/** ISO 8601 or integer nanoseconds, as text; absent: otherwise. E_INVALID names the key. */
edgeops_status eop_arg_time(edgeops_time *out, const eop_json *args, const char *key,
                            edgeops_time otherwise);
/** Texts of an array, borrowed from args; *out free with eop_free, NULL when absent or empty. */
edgeops_status eop_arg_strings(const char ***out, size_t *count, const eop_json *args,
                               const char *key);
/** E_INVALID unless eop_id_valid(). */
edgeops_status eop_check_id(const char *what, const char *name);
/** {"items": [...]} with room for members. *items is borrowed from what is given. */
eop_json *eop_items(eop_json **items);
void eop_json_set_value(eop_json *object, const char *key, const edgeops_value *value);
eop_json *eop_latency_json(const void *histogram);

/* -- feed.c: which deployment waits for which asset; knows when a sample became durable -- */
typedef struct eop_tap eop_tap;
edgeops_status eop_feed_new(eop_feed **out, edgeops_node *node);
void eop_feed_free(eop_feed *feed);
/** fn: on the loop, some time after samples of the asset became durable. */
edgeops_status eop_tap_new(eop_tap **out, eop_feed *feed, const char *asset, eop_fn fn,
                           void *user_data);
/** Monotonic time at which the sample with this ordinal became durable. Ask with rising ordinals.
 *  False for one that was there before the tap. */
bool eop_tap_durable(eop_tap *tap, uint64_t ordinal, edgeops_duration *monotonic);
/** Newest ordinal seen, 0 for none. */
uint64_t eop_tap_newest(eop_tap *tap);
void eop_tap_free(eop_tap *tap);

/* -- sources.c -- */
edgeops_status eop_sources_load(edgeops_node *node);
void eop_sources_start(edgeops_node *node);
void eop_sources_stop(edgeops_node *node);
void eop_sources_free(edgeops_node *node);
void eop_sources_tick(edgeops_node *node);
eop_source *eop_source_find(edgeops_node *node, const char *name);
/** config: copied. */
edgeops_status eop_source_add(eop_source **out, edgeops_node *node, const char *name,
                              const char *driver, const eop_json *config, bool start);
edgeops_status eop_source_enable(eop_source *source, bool enable);
/** For one that nothing publishes through, with nothing left in its outbox. */
edgeops_status eop_source_remove(eop_source *source);
eop_json *eop_source_brief(eop_source *source);
eop_json *eop_source_describe(eop_source *source);
const char *eop_source_name(const eop_source *source);
const char *eop_source_driver(const eop_source *source);
const eop_json *eop_source_config(const eop_source *source);
/** True when samples of the asset came through it, in this process or an earlier one. */
bool eop_source_feeds(eop_source *source, const char *asset);
bool eop_source_enabled(const eop_source *source);
/** True while it was started and is not told yet how that went. */
bool eop_source_settling(eop_source *source);
const char *eop_source_state_name(edgeops_source_state state);
/** True when messages can be published through it. */
bool eop_source_publishes(const eop_source *source);
/** How many MQTT sources fit for publishing what is predicted of an asset, *out: the one, or the
 * first. Those that feed it; with none of them, unless feeding_only, those that are enabled. */
size_t eop_publish_sources(const char **out, edgeops_node *node, const char *asset,
                           bool feeding_only);

/* -- outbox.c: one publisher for each MQTT source that deployments publish through -- */
/** Counted: give back with eop_outbox_release(). */
edgeops_status eop_outbox_acquire(eop_outbox **out, edgeops_node *node, const char *source);
void eop_outbox_release(eop_outbox *outbox);
/** Forgets what waits for a source. */
edgeops_status eop_outbox_purge(edgeops_node *node, const char *source);
/** There are new messages. */
void eop_outbox_kick(eop_outbox *outbox);
void eop_outboxes_tick(edgeops_node *node);
void eop_outboxes_free(edgeops_node *node);
/** "" while the link is up, else why not. */
const char *eop_outbox_detail(const eop_outbox *outbox);

/* -- runs.c -- */
typedef struct eop_run {
    edgeops_node *node;
    int64_t id;
    char *directory;
    eop_json *record;
    int log_fd;
    int metrics_fd;
    uint32_t lines; /**< of the log, said by this host */
    bool begun;     /**< counted among those that run */
} eop_run;
/** Marks runs that a crash cut off as lost, sweeps half-made models, forgets the oldest runs. */
edgeops_status eop_runs_recover(edgeops_node *node);
/** Makes the folder, then the record with state "running". */
edgeops_status eop_run_begin(eop_run **out, edgeops_node *node, const char *kind,
                             const char *workflow, const char *dataset, const char *model);
/** Takes usage, metrics, ... that were set in run->record along. Frees the run. */
void eop_run_end(eop_run *run, edgeops_status status, const char *message);
/** Frees what is in memory; the record stays as it is. */
void eop_run_free(eop_run *run);
/** A line for the run's log. */
void eop_run_log(eop_run *run, const char *format, ...) EOP_PRINTF(2, 3);
/** One value of a metric: a line of metrics.jsonl, and the last value in the record. step -1: none.
 */
void eop_run_metric(eop_run *run, const char *name, double value, int64_t step);
/** Writes what was set in run->record. */
edgeops_status eop_run_save(eop_run *run);
eop_json *eop_usage_json(const edgeops_usage *usage);
/** HOME/runs/ID; NULL when there is no memory. */
char *eop_run_directory(const edgeops_node *node, int64_t id);

/* -- models.c -- */
typedef struct eop_model {
    eop_json *record;
    edgeops_workflow *workflow;
    char *directory;
    char *params_json;
} eop_model;
/** Finds a model and its workflow. E_NOTFOUND, E_CORRUPT. */
edgeops_status eop_model_open(eop_model **out, edgeops_node *node, const char *name);
void eop_model_free(eop_model *model);
bool eop_model_exists(edgeops_node *node, const char *name);
/** HOME/store: any thread. */
char *eop_workflow_store(const edgeops_node *node);

/* -- deployment.c -- */
edgeops_status eop_deployments_load(edgeops_node *node);
void eop_deployments_start(edgeops_node *node);
void eop_deployments_drain(edgeops_node *node);
bool eop_deployments_busy(const edgeops_node *node);
void eop_deployments_stop(edgeops_node *node);
void eop_deployments_free(edgeops_node *node);
void eop_deployments_tick(edgeops_node *node);
eop_deployment *eop_deployment_find(edgeops_node *node, const char *name);
/** record: taken. */
edgeops_status eop_deployment_add(eop_deployment **out, edgeops_node *node, eop_json *record);
edgeops_status eop_deployment_enable(eop_deployment *deployment, bool enable);
edgeops_status eop_deployment_remove(eop_deployment *deployment);
eop_json *eop_deployment_brief(eop_deployment *deployment);
eop_json *eop_deployment_describe(eop_deployment *deployment);
/** Of the newest windows, how many failed, and how many they are. */
uint32_t eop_deployment_failing(const eop_deployment *deployment, uint32_t *of);
const eop_json *eop_deployment_record(const eop_deployment *deployment);

#endif /* EOP_NODE_PARTS_H */
