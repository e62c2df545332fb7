/* SPDX-License-Identifier: Apache-2.0 */
/* Runs: a folder with log and metrics first, then a record. What a crash leaves has no record, or
 * one that says "running" while no process works on it. */

#include "node/home/runs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "catalog/record.h"
#include "node/home/models.h"
#include "node/home/records.h"

#define RUNS_MAX  2000u
#define LINES_MAX 1000u

char *eop_run_directory(const edgeops_node *node, int64_t id) {
    char name[24];
    snprintf(name, sizeof(name), "%lld", (long long)id);
    return eop_node_path(node, "runs", name);
}

eop_json *eop_usage_json(const edgeops_usage *usage) {
    eop_json *json = eop_json_object();
    eop_json_set_number(json, "user_s", usage->user_s);
    eop_json_set_number(json, "system_s", usage->system_s);
    eop_json_set_number(json, "wall_s", usage->wall_s);
    eop_json_set_integer(json, "peak_memory_bytes", (int64_t)usage->peak_memory_bytes);
    return json;
}

static int open_append(const char *directory, const char *name) {
    char *path = eop_path_join(directory, name);
    if (path == NULL) {
        errno = ENOMEM;
        return -1;
    }
    int fd = eop_open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    eop_free(path);
    return fd;
}

static edgeops_status save(const edgeops_node *node, int64_t id, const eop_json *record) {
    char name[24];
    snprintf(name, sizeof(name), "%lld", (long long)id);
    char *text = eop_json_print(record);
    if (text == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = eop_record_put(node->catalog, "run", name, text, false);
    eop_free(text);
    return status;
}

edgeops_status eop_run_save(eop_run *run) {
    return save(run->node, run->id, run->record);
}

static void set_text(eop_json *record, const char *key, const char *value) {
    if (value != NULL) {
        eop_json_set_string(record, key, value);
    }
}

edgeops_status eop_run_begin(eop_run **out, edgeops_node *node, const char *kind,
                             const char *workflow, const char *dataset, const char *model) {
    edgeops_status status = EDGEOPS_OK;
    eop_run *run = eop_calloc(1, sizeof(*run));
    if (run == NULL) {
        return eop_fail_nomem("node");
    }
    run->node = node;
    run->log_fd = run->metrics_fd = -1;
    status = eop_record_number(&run->id, node->catalog, "run");
    if (status != EDGEOPS_OK) {
        goto out;
    }
    run->directory = eop_run_directory(node, run->id);
    run->record = eop_json_object();
    if (run->directory == NULL || run->record == NULL) {
        status = eop_fail_nomem("node");
        goto out;
    }
    eop_json_set_integer(run->record, "id", run->id);
    eop_json_set_string(run->record, "kind", kind);
    eop_json_set_string(run->record, "state", "running");
    set_text(run->record, "workflow", workflow);
    set_text(run->record, "dataset", dataset);
    set_text(run->record, "model", model);
    eop_json_set_time(run->record, "started", eop_now());
    status = eop_mkdirs(run->directory, 0700);
    if (status == EDGEOPS_OK) {
        run->log_fd = open_append(run->directory, "log");
        status = run->log_fd >= 0
                     ? eop_run_save(run)
                     : eop_fail_errno(errno, "node", "the log of run %lld", (long long)run->id);
    }
    if (status == EDGEOPS_OK) {
        /* A deployment runs for an unlimited time and is counted elsewhere. */
        run->begun = strcmp(kind, "deployment") != 0;
        node->runs_running += run->begun;
        *out = run;
        run = NULL;
    }
out:
    eop_run_free(run);
    return status;
}

void eop_run_free(eop_run *run) {
    if (run != NULL) {
        run->node->runs_running -= run->begun;
        if (run->log_fd >= 0) {
            close(run->log_fd);
        }
        if (run->metrics_fd >= 0) {
            close(run->metrics_fd);
        }
        eop_json_free(run->record);
        eop_free(run->directory);
        eop_free(run);
    }
}

void eop_run_end(eop_run *run, edgeops_status status, const char *message) {
    if (run == NULL) {
        return;
    }
    const char *state = status >= 0                    ? "succeeded"
                        : status == EDGEOPS_E_CANCELED ? "canceled"
                                                       : "failed";
    eop_json_set_string(run->record, "state", state);
    eop_json_set_time(run->record, "ended", eop_now());
    if (status < 0 && message != NULL) {
        eop_json_set_string(run->record, "message", message);
    }
    if (eop_run_save(run) != EDGEOPS_OK) {
        /* The next open of the home calls it lost. */
        eop_log_write(node_log(run->node), EDGEOPS_LOG_ERROR, "node",
                      "the end of run %lld is not recorded: %s", (long long)run->id,
                      edgeops_error_last()->message);
    }
    eop_run_free(run);
}

void eop_run_log(eop_run *run, const char *format, ...) {
    if (run == NULL || run->lines > LINES_MAX) {
        return;
    }
    va_list args;
    va_start(args, format);
    char *text = run->lines++ == LINES_MAX ? eop_strdup("more of these lines are left out")
                                           : eop_vformat(format, args);
    va_end(args);
    char *line = text != NULL ? eop_format("edgeops: %s\n", text) : NULL;
    if (line != NULL) {
        (void)eop_write_all(run->log_fd, line, strlen(line)); /* a full disk: the log is shorter */
    }
    eop_free(line);
    eop_free(text);
}

void eop_run_metric(eop_run *run, const char *name, double value, int64_t step) {
    if (run->metrics_fd < 0) {
        run->metrics_fd = open_append(run->directory, "metrics.jsonl");
    }
    eop_json *line = eop_json_object();
    eop_json_set_string(line, "name", name);
    eop_json_set_number(line, "value", value);
    if (step >= 0) {
        eop_json_set_integer(line, "step", step);
    }
    char *text = eop_json_print(line);
    eop_json_free(line);
    char *whole = text != NULL ? eop_format("%s\n", text) : NULL;
    if (whole != NULL && run->metrics_fd >= 0) {
        (void)eop_write_all(run->metrics_fd, whole, strlen(whole));
    }
    eop_free(whole);
    eop_free(text);
    /* The last value of each counts. */
    const eop_json *old = eop_json_get(run->record, "metrics");
    eop_json *metrics = old != NULL ? eop_json_copy(old) : eop_json_object();
    eop_json_set_number(metrics, name, value);
    eop_json_set(run->record, "metrics", metrics);
}

/* -- after a crash -- */

typedef struct recovery {
    edgeops_node *node;
    int64_t *lost;
    size_t lost_count;
    size_t lost_capacity;
    int64_t *ended;
    size_t ended_count;
    size_t ended_capacity;
} recovery;

static edgeops_status note_run(const char *name, const char *json, void *user_data) {
    recovery *r = user_data;
    eop_json *record = NULL;
    if (eop_json_parse(&record, json, strlen(json), "run record", NULL) != EDGEOPS_OK) {
        return EDGEOPS_OK;
    }
    bool running = strcmp(eop_json_string(record, "state", ""), "running") == 0;
    eop_json_free(record);
    int64_t id = strtoll(name, NULL, 10);
    bool room = running ? eop_grow(&r->lost, &r->lost_capacity, r->lost_count + 1, sizeof(id))
                        : eop_grow(&r->ended, &r->ended_capacity, r->ended_count + 1, sizeof(id));
    if (!room) {
        return eop_fail_nomem("node");
    }
    if (running) {
        r->lost[r->lost_count++] = id;
    } else {
        r->ended[r->ended_count++] = id;
    }
    return EDGEOPS_OK;
}

static edgeops_status mark_lost(edgeops_node *node, int64_t id) {
    char name[24];
    eop_json *record = NULL;
    snprintf(name, sizeof(name), "%lld", (long long)id);
    edgeops_status status = eop_get_record(&record, node, "run", name);
    if (status == EDGEOPS_OK) {
        bool deployment = strcmp(eop_json_string(record, "kind", ""), "deployment") == 0;
        eop_json_set_string(record, "state", "lost");
        eop_json_set_time(record, "ended", eop_now());
        eop_json_set_string(record, "message",
                            deployment ? "the node ended without a stop; the deployment goes on in "
                                         "a later run"
                                       : "the node ended while it ran");
        status = save(node, id, record);
    }
    eop_json_free(record);
    return status;
}

static edgeops_status forget(edgeops_node *node, int64_t id) {
    char name[24];
    snprintf(name, sizeof(name), "%lld", (long long)id);
    char *directory = eop_run_directory(node, id);
    if (directory == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = eop_record_remove(node->catalog, "run", name);
    if (status == EDGEOPS_OK) {
        status = eop_remove_tree(directory);
    }
    eop_free(directory);
    return status;
}

typedef struct sweep_context {
    edgeops_node *node;
    const char *directory;
} sweep_context;

/* A folder of models without a record is from a training that did not end. */
static edgeops_status sweep_model(const char *name, void *user_data) {
    sweep_context *c = user_data;
    if (name[0] != '.' && eop_model_exists(c->node, name)) {
        return EDGEOPS_OK;
    }
    char *path = eop_path_join(c->directory, name);
    edgeops_status status = path != NULL ? eop_remove_tree(path) : eop_fail_nomem("node");
    eop_free(path);
    return status;
}

static edgeops_status sweep_models(edgeops_node *node) {
    char *directory = eop_node_path(node, "models", NULL);
    char *uploads = eop_node_path(node, "tmp", NULL);
    edgeops_status status = EDGEOPS_OK;
    if (directory == NULL || uploads == NULL) {
        status = eop_fail_nomem("node");
        goto out;
    }
    if (eop_file_exists(directory)) {
        sweep_context c = {node, directory};
        status = eop_dir_walk(directory, sweep_model, &c);
    }
    if (status == EDGEOPS_OK) {
        status = eop_remove_tree(uploads);
    }
out:
    eop_free(directory);
    eop_free(uploads);
    return status;
}

edgeops_status eop_runs_recover(edgeops_node *node) {
    recovery r = {.node = node};
    edgeops_status status = eop_record_list(node->catalog, "run", note_run, &r);
    for (size_t i = 0; status == EDGEOPS_OK && i < r.lost_count; i++) {
        status = mark_lost(node, r.lost[i]);
    }
    for (size_t i = 0; status == EDGEOPS_OK && r.ended_count - i > RUNS_MAX; i++) {
        status = forget(node, r.ended[i]);
    }
    if (status == EDGEOPS_OK) {
        status = sweep_models(node);
    }
    if (status == EDGEOPS_E_LIMIT) {
        /* A full disk is not a reason to refuse the home: a later open repeats this. */
        eop_log_write(node_log(node), EDGEOPS_LOG_WARN, "node", "%s",
                      edgeops_error_last()->message);
        status = EDGEOPS_OK;
    }
    eop_free(r.lost);
    eop_free(r.ended);
    return status;
}
