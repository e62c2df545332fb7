/* SPDX-License-Identifier: Apache-2.0 */
/* data.import: rows of CSV, JSON lines or NumPy arrays into the store, in batches. Doing it twice
 * changes nothing: the samples are duplicates then, and a label that is there already is not added
 * again. */
#include "node/ops/import.h"

#include <string.h>

#include "node/control/job.h"
#include "node/files/import_arrays.h"
#include "node/files/import_csv.h"
#include "node/files/import_lines.h"
#include "node/ops/groups.h"

static void import_free(eop_import *w) {
    if (w == NULL) {
        return;
    }
    for (size_t i = 0; i < w->label_count; i++) {
        eop_free(w->labels[i].asset);
        eop_free(w->labels[i].label);
    }
    for (size_t i = 0; i < w->asset_count; i++) {
        eop_free(w->assets[i]);
    }
    for (size_t i = 0; i < w->kept_count; i++) {
        eop_free(w->kept[i]);
    }
    eop_free(w->kept);
    eop_free(w->labels);
    eop_free(w->assets);
    eop_map_dispose(&w->known);
    eop_table_args_dispose(&w->args);
    eop_free(w->samples);
    eop_free(w->first);
    eop_free(w->asset_at);
    eop_free(w->names);
    eop_free(w->values);
    eop_buf_dispose(&w->text);
    eop_free(w);
}

/* A .npy has no name for what it holds: that of the one column, or "value". */
static const char *only_channel(const eop_import *w) {
    return w->args.options.column_count > 0 ? w->args.columns[0].name : "value";
}

static edgeops_status take(eop_job *job, eop_import *w, int fd) {
    const char *format = eop_json_string(w->call->args, "format", "csv");
    if (strcmp(format, "jsonl") == 0) {
        return eop_import_lines(job, w, fd);
    }
    if (strcmp(format, "npz") == 0) {
        return eop_import_arrays(job, w, fd, NULL);
    }
    return strcmp(format, "npy") == 0 ? eop_import_arrays(job, w, fd, only_channel(w))
                                      : eop_import_csv(job, w, fd);
}

static void work(eop_job *job, void *user_data) {
    eop_import *w = user_data;
    edgeops_status status = EDGEOPS_OK;
    if (w->args.options.label_column != NULL) {
        status = edgeops_label_list(NULL, w->call->node->store, NULL, eop_import_know_label, w);
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_check_input(job);
    }
    if (status == EDGEOPS_OK) {
        w->args.options.cancel_fd = eop_job_cancel_fd(job);
        status = take(job, w, w->call->input);
    }
    eop_job_end(job, status);
}

/* Batches are stored as they fill: what came before the end is there. */
static void tell_stored(const eop_import *w, edgeops_status status) {
    uint64_t there = w->sum.appended + w->sum.duplicates;
    const char *said = edgeops_error_last()->message;
    if (there > 0) {
        (void)!eop_fail(status, "node",
                        "%s; %llu rows before it are stored: importing all of it again is safe, "
                        "rows that are there are recognised",
                        said, (unsigned long long)there);
    } else {
        (void)!eop_fail(status, "node", "%s; no row was stored", said);
    }
}

static void done(eop_job *job, void *user_data) {
    eop_import *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_json *result = NULL;
    if (status == EDGEOPS_OK) {
        result = eop_json_object();
        eop_json *assets = eop_json_array();
        eop_json_set_integer(result, "rows", (int64_t)w->rows);
        eop_json_set_integer(result, "appended", (int64_t)w->sum.appended);
        eop_json_set_integer(result, "duplicates", (int64_t)w->sum.duplicates);
        eop_json_set_integer(result, "conflicts", (int64_t)w->sum.conflicts);
        eop_json_set_integer(result, "late", (int64_t)w->sum.late);
        eop_json_set_integer(result, "expired", (int64_t)w->sum.expired);
        eop_json_set_integer(result, "labels", (int64_t)w->labelled);
        for (size_t i = 0; i < w->asset_count; i++) {
            eop_json_append_string(assets, w->assets[i]);
        }
        eop_json_set(result, "assets", assets);
    } else {
        tell_stored(w, status);
    }
    eop_call_finish(w->call, status, result);
    import_free(w);
}

static edgeops_status read_args(eop_import *w, const eop_json *args) {
    const char *format = eop_json_string(args, "format", "csv");
    edgeops_status status = eop_table_args_read(&w->args, args, w->call->op->spec->name);
    eop_table_options *o = &w->args.options;
    if (status != EDGEOPS_OK) {
        return status;
    }
    o->what = eop_json_string(args, "what", "input");
    o->asset = eop_json_string(args, "asset", "");
    o->on_label = o->label_column != NULL ? eop_import_label_run : NULL;
    o->user_data = w;
    if (o->time_column == NULL && eop_json_get(args, "start") == NULL) {
        o->time_column = strcmp(format, "npz") == 0 ? "times" : "time";
    }
    w->batch = (size_t)eop_json_integer(args, "batch", 1000);
    return EDGEOPS_OK;
}

edgeops_status eop_import_start(edgeops_call *call) {
    eop_import *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    edgeops_status status = read_args(w, call->args);
    if (status == EDGEOPS_OK) {
        w->samples = eop_calloc(w->batch, sizeof(*w->samples));
        w->first = eop_calloc(w->batch, sizeof(*w->first));
        w->asset_at = eop_calloc(w->batch, sizeof(*w->asset_at));
        if (w->samples == NULL || w->first == NULL || w->asset_at == NULL) {
            status = eop_fail_nomem("node");
        }
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, work, done, w);
    }
    if (status != EDGEOPS_OK) {
        import_free(w);
    }
    return status;
}
