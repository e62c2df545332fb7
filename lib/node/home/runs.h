/* SPDX-License-Identifier: Apache-2.0 */
/* Runs: one execution of a training, a prediction or a deployment each. */
#ifndef EOP_NODE_HOME_RUNS_H
#define EOP_NODE_HOME_RUNS_H

#include "node/home/home.h"

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
/** One value of a metric: a line of metrics.jsonl, and the last value in the record. step -1:
 * none. */
void eop_run_metric(eop_run *run, const char *name, double value, int64_t step);
/** Writes what was set in run->record. */
edgeops_status eop_run_save(eop_run *run);
eop_json *eop_usage_json(const edgeops_usage *usage);
/** HOME/runs/ID; NULL when there is no memory. */
char *eop_run_directory(const edgeops_node *node, int64_t id);

#endif /* EOP_NODE_HOME_RUNS_H */
