/* SPDX-License-Identifier: Apache-2.0 */
/* run.*: records of runs, their metrics, and their logs, which may be followed. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"
#include "catalog/record.h"
#include "node/control/job.h"
#include "node/home/records.h"
#include "node/home/runs.h"
#include "node/ops/groups.h"

#define FOLLOW_EVERY  (200 * EDGEOPS_MILLISECOND)
#define METRICS_BYTES ((size_t)4 << 20)
#define METRICS_MAX   10000u

static const char *const brief_keys[] = {"id",    "kind",    "state", "workflow", "dataset",
                                         "model", "started", "ended", "message",  "deployment"};

static eop_json *brief(const eop_json *record) {
    eop_json *item = eop_json_object();
    for (size_t i = 0; i < EOP_COUNT(brief_keys); i++) {
        const eop_json *member = eop_json_get(record, brief_keys[i]);
        if (member != NULL) {
            eop_json_set(item, brief_keys[i], eop_json_copy(member));
        }
    }
    return item;
}

/* The newest `limit` in a ring. */
typedef struct newest {
    eop_json **items;
    size_t limit;
    size_t seen;
} newest;

static edgeops_status keep_one(const char *name, const char *json, void *user_data) {
    (void)name;
    newest *n = user_data;
    eop_json *record = NULL;
    edgeops_status status = eop_json_parse(&record, json, strlen(json), "run", NULL);
    if (status == EDGEOPS_OK) {
        eop_json **place = &n->items[n->seen++ % n->limit];
        eop_json_free(*place);
        *place = record;
    }
    return status;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    newest n = {.limit = (size_t)eop_json_integer(call->args, "limit", 50)};
    eop_json *items = NULL;
    n.items = eop_calloc(n.limit, sizeof(*n.items));
    if (n.items == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status = eop_record_list(call->node->catalog, "run", keep_one, &n);
    *result = eop_items(&items);
    for (size_t i = 0; i < n.limit && i < n.seen; i++) {
        eop_json_append(items, brief(n.items[(n.seen - 1 - i) % n.limit]));
    }
    for (size_t i = 0; i < n.limit; i++) {
        eop_json_free(n.items[i]);
    }
    eop_free(n.items);
    return status;
}

static edgeops_status get_run(eop_json **record, edgeops_call *call, int64_t *id) {
    *id = eop_json_integer(call->args, "id", 0);
    char *name = eop_format("%lld", (long long)*id);
    edgeops_status status =
        name != NULL ? eop_get_record(record, call->node, "run", name) : eop_fail_nomem("node");
    eop_free(name);
    return status;
}

/* metrics.jsonl as an array; a line that a crash cut off is left out. */
static eop_json *read_metrics(const edgeops_node *node, int64_t id) {
    eop_json *metrics = eop_json_array();
    char *directory = eop_run_directory(node, id);
    char *path = directory != NULL ? eop_path_join(directory, "metrics.jsonl") : NULL;
    char *text = NULL;
    size_t size = 0;
    if (path != NULL && eop_file_read(&text, &size, path, METRICS_BYTES) == EDGEOPS_OK) {
        size_t count = 0;
        char *save = NULL;
        for (char *line = strtok_r(text, "\n", &save); line != NULL && count < METRICS_MAX;
             line = strtok_r(NULL, "\n", &save)) {
            eop_json *metric = NULL;
            if (eop_json_parse(&metric, line, strlen(line), "metric", NULL) == EDGEOPS_OK) {
                eop_json_append(metrics, metric);
                count++;
            }
        }
    }
    eop_free(text);
    eop_free(path);
    eop_free(directory);
    return metrics;
}

static edgeops_status run_show(edgeops_call *call, eop_json **result) {
    int64_t id = 0;
    edgeops_status status = get_run(result, call, &id);
    if (status == EDGEOPS_OK) {
        eop_json_set(*result, "history", read_metrics(call->node, id));
    }
    return status;
}

/* The call that works on a run; NULL: none. */
static edgeops_call *call_on(const edgeops_node *node, int64_t id) {
    for (edgeops_call *call = node->calls; call != NULL; call = call->next) {
        if (call->run == id) {
            return call;
        }
    }
    return NULL;
}

static edgeops_status run_cancel(edgeops_call *call, eop_json **result) {
    int64_t id = 0;
    eop_json *record = NULL;
    edgeops_status status = get_run(&record, call, &id);
    if (status == EDGEOPS_OK) {
        edgeops_call *working = call_on(call->node, id);
        bool deployment = strcmp(eop_json_string(record, "kind", ""), "deployment") == 0;
        if (working != NULL) {
            edgeops_call_cancel(working);
        } else if (deployment && strcmp(eop_json_string(record, "state", ""), "running") == 0) {
            status = eop_fail(EDGEOPS_E_INVALID, "node",
                              "run %lld is a deployment's; stop it with 'deployment stop %s'",
                              (long long)id, eop_json_string(record, "deployment", ""));
        } else {
            status = eop_fail(EDGEOPS_E_INVALID, "node", "run %lld does not run: it is '%s'",
                              (long long)id, eop_json_string(record, "state", ""));
        }
    }
    (void)result;
    eop_json_free(record);
    return status;
}

/* -- log -- */

typedef struct log_work {
    edgeops_call *call;
    int64_t id;
    char *path;
    bool follow;
    uint64_t bytes;
} log_work;

static bool still_runs(const log_work *w) {
    char *json = NULL;
    char *name = eop_format("%lld", (long long)w->id);
    bool runs = name != NULL &&
                eop_record_get(&json, w->call->node->catalog, "run", name) == EDGEOPS_OK &&
                strstr(json, "\"state\":\"running\"") != NULL;
    eop_free(json);
    eop_free(name);
    return runs;
}

static edgeops_status copy_log(eop_job *job, log_work *w, int fd) {
    char data[16384];
    edgeops_status status = EDGEOPS_OK;
    bool last = !w->follow;
    while (status == EDGEOPS_OK) {
        ssize_t n = read(fd, data, sizeof(data));
        if (n > 0) {
            status = eop_job_write(job, w->call->output, data, (size_t)n);
            w->bytes += (uint64_t)n;
        } else if (n < 0 && errno != EINTR) {
            status = eop_fail_errno(errno, "node", "the log of run %lld", (long long)w->id);
        } else if (n == 0 && last) {
            break;
        } else if (n == 0 && !still_runs(w)) {
            last = true; /* what was written between the read and its end */
        } else if (n == 0) {
            status = eop_job_pause(job, FOLLOW_EVERY);
        }
    }
    return status;
}

static void log_work_fn(eop_job *job, void *user_data) {
    log_work *w = user_data;
    edgeops_status status = EDGEOPS_OK;
    int fd = eop_open(w->path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0) {
        status = copy_log(job, w, fd);
        close(fd);
    } else if (errno != ENOENT) {
        status = eop_fail_errno(errno, "node", "the log of run %lld", (long long)w->id);
    }
    eop_job_end(job, status);
}

static void log_free(log_work *w) {
    eop_free(w->path);
    eop_free(w);
}

static void log_done(eop_job *job, void *user_data) {
    log_work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_json *result = NULL;
    if (status == EDGEOPS_OK) {
        result = eop_json_object();
        eop_json_set_integer(result, "bytes", (int64_t)w->bytes);
    }
    eop_call_finish(w->call, status, result);
    log_free(w);
}

static edgeops_status log_start(edgeops_call *call) {
    eop_json *record = NULL;
    log_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    w->follow = eop_json_bool(call->args, "follow", false);
    edgeops_status status = get_run(&record, call, &w->id);
    eop_json_free(record);
    if (status == EDGEOPS_OK) {
        char *directory = eop_run_directory(call->node, w->id);
        w->path = directory != NULL ? eop_path_join(directory, "log") : NULL;
        eop_free(directory);
        status = w->path != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, log_work_fn, log_done, w);
    }
    if (status != EDGEOPS_OK) {
        log_free(w);
    }
    return status;
}

const eop_op eop_run_ops[] = {
    {&eop_spec_run_ls, .run = run_ls},
    {&eop_spec_run_show, .run = run_show},
    {&eop_spec_run_log, .start = log_start},
    {&eop_spec_run_cancel, .run = run_cancel},
    {0},
};
