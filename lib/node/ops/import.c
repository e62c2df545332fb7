/* SPDX-License-Identifier: Apache-2.0 */
/* data.import: rows of CSV, JSON lines or NumPy arrays into the store, in batches. Doing it twice
 * changes nothing: the samples are duplicates then, and a label that is there already is not added
 * again. */
#include "node/ops/import.h"

#include <string.h>
#include <unistd.h>

#include "node/control/job.h"
#include "node/files/import_arrays.h"
#include "node/files/import_arrow.h"
#include "node/files/import_table.h"
#include "node/ops/groups.h"
#include "store/room.h"

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
    eop_free(w->labels);
    eop_free(w->assets);
    eop_map_dispose(&w->known);
    edgeops_free(w->info);
    eop_json_free(w->conflicts);
    eop_renumber_dispose(&w->renumber);
    eop_json_free(w->report);
    eop_json_free(w->warnings);
    eop_arrow_end_dispose(&w->arrow);
    if (w->arrow_plan > 0) {
        close(w->arrow_plan);
    }
    eop_json_free(w->plan);
    eop_bad_list_dispose(&w->bad);
    eop_table_args_dispose(&w->args);
    eop_free(w->samples);
    eop_free(w->first);
    eop_free(w->asset_at);
    eop_free(w->seqs);
    eop_free(w->lines);
    eop_free(w->names);
    eop_free(w->values);
    eop_free(w->qualities);
    eop_buf_dispose(&w->text);
    eop_free(w);
}

/* A .npy has no name for what it holds: that of the one column, or "value". */
static const char *only_channel(const eop_import *w) {
    return w->args.options.column_count > 0 ? w->args.columns[0].name : "value";
}

static edgeops_status take(eop_import *w, int fd) {
    const char *format = eop_json_string(w->call->args, "format", "csv");
    if (strcmp(format, "npz") == 0) {
        return eop_import_arrays(w, fd, NULL);
    }
    if (w->arrow.arrow != NULL) {
        return eop_import_arrow(w);
    }
    return strcmp(format, "npy") == 0 ? eop_import_arrays(w, fd, only_channel(w))
                                      : eop_import_rows(w, fd);
}

static void work(eop_job *job, void *user_data) {
    eop_import *w = user_data;
    edgeops_status status = EDGEOPS_OK;
    w->job = job;
    if (!w->dry_run) {
        status = eop_store_ready(w->call->node->store); /* before anything is declared */
    }
    if (status == EDGEOPS_OK && w->args.options.label_column != NULL) {
        status = edgeops_label_list(NULL, w->call->node->store, NULL, eop_import_know_label, w);
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_check_input(job);
    }
    if (status == EDGEOPS_OK) {
        w->args.options.cancel_fd = eop_job_cancel_fd(job);
        status = take(w, w->call->input);
    }
    eop_job_end(job, status);
}

/* What came before the end is there. */
static void tell_stored(const eop_import *w, edgeops_status status) {
    uint64_t there = w->sum.appended + w->sum.merged + w->sum.duplicates;
    const char *said = edgeops_error_last()->message;
    if (w->dry_run) {
        (void)!eop_fail(status, "node", "%s; a dry run stores nothing", said);
    } else if (there > 0) {
        (void)!eop_fail(status, "node",
                        "%s; %llu row%s before it %s stored: importing all of it again is safe, "
                        "rows that are there are recognised",
                        said, (unsigned long long)there, there == 1 ? "" : "s",
                        there == 1 ? "is" : "are");
    } else {
        (void)!eop_fail(status, "node", "%s; no row was stored", said);
    }
}

static void put_counts(eop_json *result, const eop_import *w) {
    const struct {
        const char *name;
        uint64_t value;
        bool compared; /* with what is stored, which a dry run does not do */
    } counts[] = {{"rows", w->rows, false},
                  {"appended", w->sum.appended, true},
                  {"merged", w->sum.merged, true},
                  {"duplicates", w->sum.duplicates, true},
                  {"conflicts", w->sum.conflicts, true},
                  {"late", w->sum.late, true},
                  {"ahead", w->sum.ahead, true},
                  {"expired", w->sum.expired, true},
                  {"labels", w->labelled, false}};
    eop_json *assets = eop_json_array();
    for (size_t i = 0; i < EOP_COUNT(counts); i++) {
        if (!counts[i].compared || !w->dry_run) {
            eop_json_set_integer(result, counts[i].name, (int64_t)counts[i].value);
        }
    }
    for (size_t i = 0; i < w->asset_count; i++) {
        eop_json_append_string(assets, w->assets[i]);
    }
    eop_json_set(result, "assets", assets);
    if (w->renumber.on) {
        eop_json_set_integer(result, "renumbered", (int64_t)w->renumbered);
    }
    if (w->dry_run) {
        eop_json_set_bool(result, "dry_run", true);
    }
}

/* The reader's report and what the store said. */
static void put_report(eop_json *result, eop_import *w) {
    eop_json *warnings = eop_json_array();
    const eop_json *told = eop_json_get(w->report, "warnings");
    for (const eop_json *m = eop_json_first(w->report); m != NULL; m = eop_json_next(m)) {
        eop_json_set(result, eop_json_key(m), eop_json_copy(m));
    }
    for (const eop_json *t = eop_json_first(told); t != NULL; t = eop_json_next(t)) {
        eop_json_append_string(warnings, eop_json_text(t));
    }
    eop_import_tell_conflicts(w);
    if (w->label_count > 0) {
        eop_json_append_format(w->warnings,
                               "%zu labels are of assets without a sample, such as '%s', and are "
                               "left out",
                               w->label_count, w->labels[0].asset);
    }
    for (const eop_json *t = eop_json_first(w->warnings); t != NULL; t = eop_json_next(t)) {
        eop_json_append_string(warnings, eop_json_text(t));
    }
    eop_json_set(result, "warnings", warnings);
    if (w->conflicts != NULL) {
        eop_json_set(result, "conflicting", w->conflicts);
        w->conflicts = NULL;
    }
}

static void finish(void *user_data) {
    eop_import *w = user_data;
    edgeops_status status = eop_arrow_end_result(&w->arrow, w->args.options.what);
    eop_json *result = NULL;
    if (status == EDGEOPS_OK) {
        result = eop_json_object();
        put_counts(result, w);
        put_report(result, w);
    } else {
        tell_stored(w, status);
    }
    eop_call_finish(w->call, status, result);
    import_free(w);
}

static void done(eop_job *job, void *user_data) {
    eop_import *w = user_data;
    eop_arrow_end_wait(&w->arrow, eop_job_status(job), finish, w);
}

/* Options that say nothing to a format are refused: they were meant for something. */
static edgeops_status check_format(const eop_json *args, const char *format) {
    static const struct {
        const char *option, *formats;
    } fits[] = {{"separator", "csv"},
                {"quote", "csv"},
                {"escape", "csv"},
                {"comment", "csv"},
                {"skip_rows", "csv"},
                {"no_header", "csv"},
                {"names", "csv npy"},
                {"decimal", "csv jsonl"},
                {"thousands", "csv jsonl"},
                {"null", "csv jsonl"},
                {"as_text", "csv jsonl"},
                {"nan", "csv jsonl parquet arrow"},
                {"clock_column", "csv jsonl parquet arrow"},
                {"channel_column", "csv jsonl parquet arrow"},
                {"value_column", "csv jsonl parquet arrow"},
                {"column_pattern", "csv jsonl parquet arrow"}};
    for (size_t i = 0; i < EOP_COUNT(fits); i++) {
        if (eop_json_get(args, fits[i].option) != NULL && strstr(fits[i].formats, format) == NULL) {
            return eop_fail(EDGEOPS_E_INVALID, "node",
                            "data.import: %s is for these formats: %s; this is %s", fits[i].option,
                            fits[i].formats, format);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status read_args(eop_import *w, const eop_json *args) {
    const char *format = eop_json_string(args, "format", "csv");
    edgeops_status status = check_format(args, format);
    if (status == EDGEOPS_OK) {
        status = eop_table_args_read(&w->args, args, w->call->op->spec->name);
    }
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
    o->format = strcmp(format, "jsonl") == 0 ? EOP_TABLE_JSON_LINES : EOP_TABLE_CSV;
    w->batch = (size_t)eop_json_integer(args, "batch", 1000);
    w->dry_run = eop_json_bool(args, "dry_run", false);
    w->renumber.on = strcmp(eop_json_string(args, "on_conflict", "error"), "seq") == 0;
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
        w->seqs = eop_calloc(w->batch, sizeof(*w->seqs));
        w->lines = eop_calloc(w->batch, sizeof(*w->lines));
        w->warnings = eop_json_array();
        if (w->samples == NULL || w->first == NULL || w->asset_at == NULL || w->seqs == NULL ||
            w->lines == NULL || w->warnings == NULL) {
            status = eop_fail_nomem("node");
        }
    }
    const char *format = eop_json_string(call->args, "format", "csv");
    if (status == EDGEOPS_OK && (strcmp(format, "parquet") == 0 || strcmp(format, "arrow") == 0)) {
        status = eop_import_arrow_start(w);
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, work, done, w);
    }
    if (status != EDGEOPS_OK) {
        import_free(w);
    }
    return status;
}
