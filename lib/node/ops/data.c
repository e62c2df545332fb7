/* SPDX-License-Identifier: Apache-2.0 */
/* data.*: samples in and out as bulk, and a look at them. */
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "codec/value.h"
#include "node/control/job.h"
#include "node/files/arrays.h"
#include "node/files/arrow.h"
#include "node/files/slices.h"
#include "node/files/table_write.h"
#include "node/files/text_out.h"
#include "node/ops/aggregate.h"
#include "node/ops/groups.h"
#include "node/ops/import.h"

/* -- export -- */

typedef struct export_work {
    edgeops_call *call;
    const char **channels;
    size_t channel_count;
    edgeops_time start;
    edgeops_time end;
    const char *format;
    eop_table_shape rows_as;
    eop_table_writer *writer;
    eop_labels *labels;
    edgeops_table *head; /* no rows: the columns of what is written */
    const char **names;  /* of those */
    uint64_t last_ordinal;
    eop_text_out out;
    uint64_t rows;
    eop_arrow_end arrow; /* makes Parquet or Arrow of the rows */
} export_work;

static void export_free(export_work *w) {
    eop_labels_close(w->labels);
    eop_table_writer_free(w->writer);
    edgeops_table_free(w->head);
    eop_text_out_dispose(&w->out);
    eop_arrow_end_dispose(&w->arrow);
    eop_free(w->channels);
    eop_free(w->names);
    eop_free(w);
}

/* The channels as they are now, and the last row: what comes meanwhile is not part of it. */
static edgeops_status export_head(export_work *w) {
    const char *asset = eop_json_string(w->call->args, "asset", "");
    edgeops_store *store = w->call->node->store;
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_status status = eop_asset_last(&w->last_ordinal, store, asset);
    if (status != EDGEOPS_OK) {
        return status;
    }
    query.asset = asset;
    query.channels = w->channels;
    query.channel_count = w->channel_count;
    query.limit = 1;
    status = edgeops_store_read(&w->head, store, &query);
    if (status != EDGEOPS_OK) {
        return status;
    }
    size_t n = w->head->column_count;
    edgeops_channel_info *channels = eop_calloc(n + 1, sizeof *channels);
    w->names = eop_calloc(n + 1, sizeof *w->names);
    if (channels == NULL || w->names == NULL) {
        eop_free(channels);
        return eop_fail_nomem("node");
    }
    for (size_t k = 0; k < n; k++) {
        const edgeops_column *c = &w->head->columns[k];
        w->names[k] = c->name;
        channels[k] = (edgeops_channel_info){
            .name = c->name, .unit = c->unit, .type = c->type, .length = c->length};
    }
    status = eop_table_writer_new(&w->writer, &w->rows_as, channels, n);
    eop_free(channels);
    return status;
}

static edgeops_status put_slice(eop_job *job, export_work *w, const edgeops_table *table,
                                uint64_t first) {
    edgeops_status status = EDGEOPS_OK;
    for (uint64_t row = first; row < table->rows && status == EDGEOPS_OK; row++) {
        const char *label = w->labels != NULL ? eop_labels_at(w->labels, table->times[row]) : NULL;
        eop_table_writer_row(w->writer, &w->out.text, table, row, label);
        w->rows++;
        status = eop_text_out_row(&w->out, job);
    }
    if (status == EDGEOPS_OK && eop_job_due(job)) {
        eop_json *event = eop_json_object();
        eop_json_set_string(event, "type", "progress");
        eop_json_set_integer(event, "rows", (int64_t)w->rows);
        eop_job_event(job, event);
    }
    return status;
}

/* All rows once: for the look, or to be put. */
static edgeops_status each_slice(eop_job *job, export_work *w, bool put) {
    eop_slices *slices = NULL;
    const edgeops_table *table = NULL;
    uint64_t first = 0;
    const char *asset = eop_json_string(w->call->args, "asset", "");
    edgeops_status status = eop_slices_open(&slices, w->call->node->store, asset, w->names,
                                            w->head->column_count, w->start, w->end);
    if (status == EDGEOPS_OK) {
        eop_slices_limit(slices, w->last_ordinal);
    }
    while (status == EDGEOPS_OK &&
           (status = eop_slices_next(slices, &table, &first)) == EDGEOPS_OK) {
        if (put) {
            status = put_slice(job, w, table, first);
        } else {
            eop_table_writer_look(w->writer, table, first);
        }
        if (status == EDGEOPS_OK && eop_job_canceled(job)) {
            status = eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
        }
    }
    eop_slices_close(slices);
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status export_rows(eop_job *job, export_work *w) {
    edgeops_status status = export_head(w);
    if (status == EDGEOPS_OK) {
        status = each_slice(job, w, false);
    }
    if (status == EDGEOPS_OK && w->rows_as.with_labels) {
        status = eop_labels_open(&w->labels, w->call->node->store, w->head->asset);
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_writer_head(w->writer, &w->out.text);
    }
    if (status == EDGEOPS_OK) {
        status = each_slice(job, w, true);
    }
    return status == EDGEOPS_OK ? eop_text_out_finish(&w->out, job) : status;
}

static edgeops_status export_arrays(eop_job *job, export_work *w) {
    eop_arrays arrays = {
        .job = job, .output = w->call->output, .npz = strcmp(w->format, "npz") == 0};
    const eop_asset_arrays what = {.store = w->call->node->store,
                                   .asset = eop_json_string(w->call->args, "asset", ""),
                                   .channels = w->channels,
                                   .channel_count = w->channel_count,
                                   .start = w->start,
                                   .end = w->end,
                                   .with_labels = w->rows_as.with_labels};
    edgeops_status status = eop_asset_arrays_write(&w->rows, &arrays, &what);
    eop_arrays_dispose(&arrays);
    return status;
}

static void export_work_fn(eop_job *job, void *user_data) {
    export_work *w = user_data;
    bool arrays = w->format[0] == 'n';
    edgeops_status status = arrays ? export_arrays(job, w) : export_rows(job, w);
    if (status == EDGEOPS_OK) {
        eop_arrow_end_close(&w->arrow);
    }
    eop_job_end(job, status);
}

static void export_finish(void *user_data) {
    export_work *w = user_data;
    edgeops_status status = eop_arrow_end_result(&w->arrow, w->format);
    eop_json *result = NULL;
    if (status == EDGEOPS_OK) {
        result = eop_json_object();
        eop_json_set_integer(result, "rows", (int64_t)w->rows);
    }
    eop_call_finish(w->call, status, result);
    export_free(w);
}

static void export_done(eop_job *job, void *user_data) {
    export_work *w = user_data;
    eop_arrow_end_wait(&w->arrow, eop_job_status(job), export_finish, w);
}

/* {"format", "asset", "channels": {"name": [type, unit]}} */
static edgeops_status arrow_options(eop_json **out, const export_work *w) {
    const char *asset = eop_json_string(w->call->args, "asset", "");
    edgeops_asset_info *info = NULL;
    edgeops_status status = edgeops_asset_get(&info, w->call->node->store, asset);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_json *options = eop_json_object();
    eop_json *channels = eop_json_object();
    eop_json_set_string(options, "format", w->format);
    eop_json_set_string(options, "asset", asset);
    for (size_t i = 0; i < info->channel_count; i++) {
        const edgeops_channel_info *c = &info->channels[i];
        char type[EOP_TYPE_TEXT];
        eop_arrow_add_channel(channels, c->name, eop_type_text(type, c->type, c->length), c->unit);
    }
    eop_json_set(options, "channels", channels);
    edgeops_free(info);
    *out = options;
    return EDGEOPS_OK;
}

/* The rows go to a program as CSV, which writes the file. */
static edgeops_status start_arrow(export_work *w) {
    eop_json *options = NULL;
    edgeops_status status = arrow_options(&options, w);
    if (status == EDGEOPS_OK) {
        status = eop_arrow_start_writer(&w->arrow.arrow, &w->arrow.rows, w->call->node, options,
                                        w->call->output);
        w->out.output = w->arrow.rows;
    }
    eop_json_free(options);
    return status;
}

static edgeops_status export_start(edgeops_call *call) {
    export_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    w->out.output = call->output;
    w->format = eop_json_string(call->args, "format", "csv");
    w->rows_as.json_lines = strcmp(w->format, "jsonl") == 0;
    w->rows_as.with_labels = eop_json_bool(call->args, "labels", false);
    w->rows_as.with_seq = eop_json_bool(call->args, "seq", false);
    w->rows_as.plain_names = eop_json_bool(call->args, "plain_names", false);
    edgeops_status status = eop_arg_time(&w->start, call->args, "start", EDGEOPS_TIME_MIN);
    if (status == EDGEOPS_OK) {
        status = eop_arg_time(&w->end, call->args, "end", EDGEOPS_TIME_MAX);
    }
    if (status == EDGEOPS_OK) {
        status = eop_arg_strings(&w->channels, &w->channel_count, call->args, "channels");
    }
    if (status == EDGEOPS_OK && eop_json_bool(call->args, "gzip", false)) {
        bool text = strcmp(w->format, "csv") == 0 || w->rows_as.json_lines;
        status = !text ? eop_fail(EDGEOPS_E_INVALID, "node",
                                  "gzip is for csv and jsonl, not for %s", w->format)
                       : eop_gzip_new(&w->out.gzip);
    }
    if (status == EDGEOPS_OK &&
        (strcmp(w->format, "parquet") == 0 || strcmp(w->format, "arrow") == 0)) {
        status = start_arrow(w);
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, export_work_fn, export_done, w);
    }
    if (status != EDGEOPS_OK) {
        export_free(w);
    }
    return status;
}

/* -- head -- */

/* JSON has no such numbers, and null means no value: they become text. */
static void append_value(eop_json *line, const edgeops_value *value) {
    char number[40];
    if (eop_type_is_float(value->type) && value->size == 0 && !isfinite(eop_value_double(value))) {
        eop_value_format(number, value);
        eop_json_append_string(line, number);
    } else {
        eop_json_append(line, eop_value_json(value));
    }
}

static edgeops_status run_head(edgeops_call *call, eop_json **result) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    uint64_t rows = (uint64_t)eop_json_integer(call->args, "rows", 10);
    query.asset = eop_json_string(call->args, "asset", "");
    if (eop_json_bool(call->args, "last", false)) {
        query.last = rows;
    } else {
        query.limit = rows;
    }
    edgeops_status status = edgeops_store_read(&table, call->node->store, &query);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_json *columns = eop_json_array();
    eop_json *lines = eop_json_array();
    eop_json_append_string(columns, "time");
    for (size_t c = 0; c < table->column_count; c++) {
        eop_json_append_string(columns, table->columns[c].name);
    }
    for (uint64_t r = 0; r < table->rows; r++) {
        char time[40];
        eop_json *line = eop_json_array();
        eop_format_time(time, table->times[r]);
        eop_json_append_string(line, time);
        for (size_t c = 0; c < table->column_count; c++) {
            edgeops_value value = edgeops_column_value(&table->columns[c], r);
            append_value(line, &value);
        }
        eop_json_append(lines, line);
    }
    *result = eop_json_object();
    eop_json_set(*result, "columns", columns);
    eop_json_set(*result, "rows", lines);
    edgeops_table_free(table);
    return EDGEOPS_OK;
}

const eop_op eop_data_ops[] = {
    {&eop_spec_data_import, .start = eop_import_start},
    {&eop_spec_data_export, .start = export_start},
    {&eop_spec_data_head, .run = run_head},
    {&eop_spec_data_stats, .start = eop_stats_start},
    {&eop_spec_data_aggregate, .start = eop_aggregate_start},
    {0},
};
