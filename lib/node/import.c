/* SPDX-License-Identifier: Apache-2.0 */
/* data.import: rows of CSV, JSON lines or NumPy arrays into the store, in batches. Doing it twice
 * changes nothing: the samples are duplicates then, and a label that is there already is not added
 * again. */
#include <string.h>

#include "base/hash.h"
#include "node/bulk.h"
#include "node/import.h"
#include "node/ops.h"

#define BATCH_VALUES_MAX 1000000u

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
    eop_hashes_dispose(&w->known);
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

/* -- labels -- */

static uint64_t label_hash(const char *asset, edgeops_time start, edgeops_time end,
                           const char *label) {
    uint64_t parts[4] = {eop_hash64(asset, strlen(asset)), (uint64_t)start, (uint64_t)end,
                         eop_hash64(label, strlen(label))};
    return eop_hash64(parts, sizeof(parts));
}

/* *fresh: it was not there. */
static edgeops_status know(eop_import *w, uint64_t hash, bool *fresh) {
    return eop_hashes_add(&w->known, hash, fresh) ? EDGEOPS_OK : eop_fail_nomem("node");
}

static edgeops_status know_label(const edgeops_label *label, void *user_data) {
    bool fresh = false;
    return know(user_data, label_hash(label->asset, label->start, label->end, label->label),
                &fresh);
}

edgeops_status eop_import_label_run(const char *asset, edgeops_time start, edgeops_time end,
                                    const char *label, void *user_data) {
    eop_import *w = user_data;
    bool fresh = false;
    edgeops_status status = know(w, label_hash(asset, start, end, label), &fresh);
    if (status != EDGEOPS_OK || !fresh) {
        return status;
    }
    eop_import_label row = {eop_strdup(asset), eop_strdup(label), start, end};
    if (row.asset == NULL || row.label == NULL ||
        !eop_grow(&w->labels, &w->label_capacity, w->label_count + 1, sizeof(*w->labels))) {
        eop_free(row.asset);
        eop_free(row.label);
        return eop_fail_nomem("node");
    }
    w->labels[w->label_count++] = row;
    return EDGEOPS_OK;
}

edgeops_status eop_import_flush_labels(eop_import *w) {
    edgeops_label *labels = NULL;
    edgeops_status status = EDGEOPS_OK;
    if (w->label_count == 0) {
        return EDGEOPS_OK;
    }
    labels = eop_calloc(w->label_count, sizeof(*labels));
    if (labels == NULL) {
        return eop_fail_nomem("node");
    }
    for (size_t i = 0; i < w->label_count; i++) {
        labels[i] = (edgeops_label){.asset = w->labels[i].asset,
                                    .start = w->labels[i].start,
                                    .end = w->labels[i].end,
                                    .label = w->labels[i].label,
                                    .author = "import",
                                    .source = "import"};
    }
    status = edgeops_store_label(w->call->node->store, labels, w->label_count, NULL);
    eop_free(labels);
    if (status == EDGEOPS_OK) {
        w->labelled += w->label_count;
        for (size_t i = 0; i < w->label_count; i++) {
            eop_free(w->labels[i].asset);
            eop_free(w->labels[i].label);
        }
        w->label_count = 0;
    }
    return status;
}

/* -- samples -- */

static edgeops_status declare_units(eop_import *w, const char *asset) {
    const eop_json *columns = eop_json_get(w->call->args, "columns");
    for (const eop_json *c = columns != NULL ? eop_json_first(columns) : NULL; c != NULL;
         c = eop_json_next(c)) {
        const char *unit = eop_json_string(c, "unit", NULL);
        const char *word = eop_json_string(c, "type", NULL);
        edgeops_type type;
        uint32_t length;
        if (word == NULL) {
            continue;
        }
        edgeops_status status = eop_type_read(&type, &length, word, "columns/", eop_json_key(c));
        if (status == EDGEOPS_OK && unit != NULL) {
            status = edgeops_store_declare_array(w->call->node->store, asset, eop_json_key(c), type,
                                                 length, unit);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_import_asset(eop_import *w, const char *asset) {
    bool fresh = false;
    edgeops_status status = know(w, label_hash(asset, 0, -1, "asset"), &fresh);
    if (status != EDGEOPS_OK || !fresh) {
        return status;
    }
    char *copy = eop_strdup(asset);
    if (copy == NULL ||
        !eop_grow(&w->assets, &w->asset_capacity, w->asset_count + 1, sizeof(*w->assets))) {
        eop_free(copy);
        return eop_fail_nomem("node");
    }
    w->assets[w->asset_count++] = copy;
    return declare_units(w, asset);
}

edgeops_status eop_import_put(eop_import *w, const edgeops_sample *sample) {
    size_t n = w->value_count + sample->count;
    bool same = w->sample_count > 0 &&
                strcmp(w->text.data + w->asset_at[w->sample_count - 1], sample->asset) == 0;
    if (!eop_grow(&w->values, &w->value_capacity, n, sizeof(*w->values)) ||
        !eop_grow(&w->names, &w->name_capacity, n, sizeof(*w->names))) {
        return eop_fail_nomem("node");
    }
    w->first[w->sample_count] = w->value_count;
    if (same) {
        w->asset_at[w->sample_count] = w->asset_at[w->sample_count - 1];
    } else {
        edgeops_status status = eop_import_asset(w, sample->asset);
        if (status != EDGEOPS_OK) {
            return status;
        }
        w->asset_at[w->sample_count] = w->text.size;
        eop_buf_put(&w->text, sample->asset, strlen(sample->asset) + 1);
    }
    for (size_t i = 0; i < sample->count; i++) {
        edgeops_value value = sample->values[i];
        if (value.type == EDGEOPS_TYPE_STRING || value.size > 0) {
            size_t at = w->text.size;
            eop_buf_put(&w->text, value.as.data, value.size);
            value.as.u64 = at;
        }
        w->names[w->value_count] = sample->channels[i];
        w->values[w->value_count++] = value;
    }
    w->samples[w->sample_count++] =
        (edgeops_sample){.time = sample->time, .seq = sample->seq, .count = sample->count};
    w->rows++;
    return w->text.failed ? eop_fail_nomem("node") : EDGEOPS_OK;
}

bool eop_import_is_full(const eop_import *w) {
    return w->sample_count == w->batch || w->value_count >= BATCH_VALUES_MAX;
}

void eop_import_add(eop_import *w, const edgeops_append_result *result) {
    w->sum.appended += result->appended;
    w->sum.duplicates += result->duplicates;
    w->sum.conflicts += result->conflicts;
    w->sum.late += result->late;
    w->sum.expired += result->expired;
}

edgeops_status eop_import_flush(eop_import *w) {
    edgeops_append_result result = {0};
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < w->value_count; i++) {
        if (w->values[i].type == EDGEOPS_TYPE_STRING || w->values[i].size > 0) {
            w->values[i].as.data = w->text.data + w->values[i].as.u64;
        }
    }
    for (size_t i = 0; i < w->sample_count; i++) {
        w->samples[i].asset = w->text.data + w->asset_at[i];
        w->samples[i].channels = w->names + w->first[i];
        w->samples[i].values = w->values + w->first[i];
    }
    if (w->sample_count > 0) {
        status = eop_store_ready(w->call->node->store);
    }
    if (w->sample_count > 0 && status == EDGEOPS_OK) {
        status = edgeops_store_append(w->call->node->store, w->samples, w->sample_count, &result);
    }
    if (status == EDGEOPS_OK) {
        eop_import_add(w, &result);
        status = eop_import_flush_labels(w);
    }
    w->sample_count = w->value_count = 0;
    eop_buf_clear(&w->text);
    return status;
}

/* bytes: of the input; total: rows, 0 where they are not known. */
void eop_import_report(eop_job *job, const eop_import *w, uint64_t bytes, uint64_t total) {
    if (eop_job_due(job)) {
        eop_json *event = eop_json_object();
        eop_json_set_string(event, "type", "progress");
        eop_json_set_integer(event, "rows", (int64_t)w->rows);
        if (total > 0) {
            eop_json_set_number(event, "progress", (double)w->rows / (double)total);
        } else {
            eop_json_set_integer(event, "bytes", (int64_t)bytes);
        }
        eop_job_event(job, event);
    }
}

static edgeops_status take_rows(eop_job *job, eop_import *w, eop_csv_samples *csv) {
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && !eop_job_canceled(job)) {
        eop_csv_row row;
        status = eop_csv_samples_next(csv, &row);
        if (status == EDGEOPS_OK) {
            status = eop_import_put(w, &row.sample);
        }
        if (status == EDGEOPS_OK && eop_import_is_full(w)) {
            status = eop_import_flush(w);
            eop_import_report(job, w, eop_csv_samples_offset(csv), 0);
        }
    }
    if (status == EDGEOPS_DONE) {
        status = eop_import_flush(w);
    }
    return eop_job_canceled(job) ? eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request")
                                 : status;
}

static edgeops_status take_csv(eop_job *job, eop_import *w, int fd) {
    eop_csv_samples *csv = NULL;
    edgeops_status status = eop_csv_samples_open(&csv, fd, &w->options);
    if (status == EDGEOPS_OK) {
        status = take_rows(job, w, csv);
    }
    eop_csv_samples_close(csv);
    return status;
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
                                      : take_csv(job, w, fd);
}

static void work(eop_job *job, void *user_data) {
    eop_import *w = user_data;
    eop_bulk *bulk = NULL;
    edgeops_status status = EDGEOPS_OK;
    if (w->options.label_column != NULL) {
        status = edgeops_store_labels(w->call->node->store, NULL, know_label, w);
    }
    if (status == EDGEOPS_OK) {
        status = eop_bulk_open(&bulk, job, w->input);
    }
    if (status == EDGEOPS_OK) {
        status = take(job, w, eop_bulk_fd(bulk));
    }
    eop_job_end(job, status);
    eop_bulk_close(bulk);
}

/* Batches are stored as they fill: what came before the end is there. */
static void tell_stored(const eop_import *w, edgeops_status status) {
    uint64_t there = w->sum.appended + w->sum.duplicates;
    char *said = eop_strdup(edgeops_error_last()->message);
    if (said != NULL && there > 0) {
        (void)!eop_fail(status, "node",
                        "%s; %llu rows before it are stored: importing all of it again is safe, "
                        "rows that are there are recognised",
                        said, (unsigned long long)there);
    } else if (said != NULL) {
        (void)!eop_fail(status, "node", "%s; no row was stored", said);
    }
    eop_free(said);
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
        eop_csv_column *column = &w->columns[w->options.column_count++];
        *column = (eop_csv_column){eop_json_key(c), EDGEOPS_TYPE_NULL, 1};
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
    w->options.time_unit = eop_json_string(args, "time_unit", NULL);
    bool generated = eop_json_get(args, "start") != NULL;
    if (generated && w->options.time_column != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "start and time_column exclude each other");
    }
    if (!generated && w->options.time_column == NULL) {
        w->options.time_column =
            strcmp(eop_json_string(args, "format", "csv"), "npz") == 0 ? "times" : "time";
    }
    if (period != NULL && !eop_parse_duration(&w->options.period, period)) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "period: '%.32s' is no duration such as 20ms",
                        period);
    }
    return eop_arg_time(&w->options.start, args, "start", 0);
}

static edgeops_status read_args(eop_import *w, const eop_json *args) {
    const char *separator = eop_json_string(args, "separator", ",");
    w->options.what = eop_json_string(args, "what", "input");
    w->options.separator = strcmp(separator, "tab") == 0 ? '\t' : separator[0];
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
    w->input = call->input;
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
