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
    eop_free(w->columns);
    eop_free(w->skip);
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
    return w->options.column_count > 0 ? w->columns[0].name : "value";
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
    if (w->options.label_column != NULL) {
        status = edgeops_label_list(NULL, w->call->node->store, NULL, eop_import_know_label, w);
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_check_input(job);
    }
    if (status == EDGEOPS_OK) {
        w->options.cancel_fd = eop_job_cancel_fd(job);
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

/* Units without a type would need the type that is only known later. */
static edgeops_status read_columns(eop_import *w, const eop_json *columns) {
    size_t n = columns != NULL ? eop_json_size(columns) : 0;
    w->columns = eop_calloc(n + 1, sizeof(*w->columns));
    if (w->columns == NULL) {
        return eop_fail_nomem("node");
    }
    for (const eop_json *c = n > 0 ? eop_json_first(columns) : NULL; c != NULL;
         c = eop_json_next(c)) {
        const char *type = eop_json_string(c, "type", NULL);
        if (type == NULL && eop_json_get(c, "unit") != NULL) {
            return eop_fail(EDGEOPS_E_INVALID, "node",
                            "columns: '%s' has a unit and no type; give both", eop_json_key(c));
        }
        eop_table_column *column = &w->columns[w->options.column_count++];
        *column = (eop_table_column){eop_json_key(c), EDGEOPS_TYPE_NULL, 1};
        if (type != NULL) {
            edgeops_status status =
                eop_type_read(&column->type, &column->length, type, "columns/", column->name);
            if (status != EDGEOPS_OK) {
                return status;
            }
        }
    }
    w->options.columns = w->columns;
    return EDGEOPS_OK;
}

static edgeops_status read_times(eop_import *w, const eop_json *args) {
    const char *period = eop_json_string(args, "period", NULL);
    w->options.time_column = eop_json_string(args, "time_column", NULL);
    w->options.rules.times.unit = eop_json_string(args, "time_unit", NULL);
    bool generated = eop_json_get(args, "start") != NULL;
    if (generated && w->options.time_column != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "start and time_column exclude each other");
    }
    if (!generated && w->options.time_column == NULL) {
        w->options.time_column =
            strcmp(eop_json_string(args, "format", "csv"), "npz") == 0 ? "times" : "time";
    }
    if (period != NULL && !eop_parse_duration(&w->options.period, period)) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "period: '%.32s' is not a duration such as 20ms",
                        period);
    }
    return eop_arg_time(&w->options.start, args, "start", 0);
}

static edgeops_status read_args(eop_import *w, const eop_json *args) {
    const char *separator = eop_json_string(args, "separator", ",");
    w->options.what = eop_json_string(args, "what", "input");
    w->options.dialect.separator = strcmp(separator, "tab") == 0 ? "\t" : separator;
    w->options.asset = eop_json_string(args, "asset", "");
    w->options.seq_column = eop_json_string(args, "seq_column", NULL);
    w->options.label_column = eop_json_string(args, "label_column", NULL);
    w->options.on_label = w->options.label_column != NULL ? eop_import_label_run : NULL;
    w->options.user_data = w;
    w->batch = (size_t)eop_json_integer(args, "batch", 1000);
    edgeops_status status = read_times(w, args);
    if (status == EDGEOPS_OK) {
        status = read_columns(w, eop_json_get(args, "columns"));
    }
    if (status == EDGEOPS_OK) {
        status = eop_arg_strings(&w->skip, &w->options.skip_count, args, "skip_columns");
        w->options.skip = w->skip;
    }
    return status;
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
