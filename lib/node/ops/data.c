/* SPDX-License-Identifier: Apache-2.0 */
/* data.*: samples in and out as bulk, and a look at them. */
#include <math.h>
#include <string.h>

#include "codec/csv.h"
#include "codec/gzip.h"
#include "codec/message.h"
#include "node/control/job.h"
#include "node/files/arrays.h"
#include "node/files/slices.h"
#include "node/ops/aggregate.h"
#include "node/ops/groups.h"
#include "node/ops/import.h"

#define FLUSH_BYTES 65536u

/* -- export -- */

typedef struct export_work {
    edgeops_call *call;
    const char **channels;
    size_t channel_count;
    edgeops_time start;
    edgeops_time end;
    bool jsonl;
    const char *format;
    bool with_labels;
    bool with_seq;
    eop_labels *labels;
    eop_buf buf;
    eop_gzip *gzip; /* NULL: plain */
    eop_buf packed;
    uint64_t rows;
    /* one row as a sample, for JSON lines */
    const char **names;
    edgeops_value *values;
} export_work;

static void export_free(export_work *w) {
    eop_labels_close(w->labels);
    eop_buf_dispose(&w->buf);
    eop_buf_dispose(&w->packed);
    eop_gzip_free(w->gzip);
    eop_free(w->channels);
    eop_free(w->names);
    eop_free(w->values);
    eop_free(w);
}

/* above 0: the last bytes. */
static edgeops_status write_out(eop_job *job, export_work *w, size_t above) {
    eop_buf *out = &w->buf;
    if (w->buf.failed) {
        return eop_fail_nomem("node");
    }
    if (w->buf.size <= above && (w->gzip == NULL || above > 0)) {
        return EDGEOPS_OK;
    }
    if (w->gzip != NULL) {
        edgeops_status status =
            eop_gzip_put(w->gzip, &w->packed, w->buf.data, w->buf.size, above == 0);
        if (status != EDGEOPS_OK) {
            return status;
        }
        out = &w->packed;
    }
    edgeops_status status = eop_job_write(job, w->call->output, out->data, out->size);
    eop_buf_clear(&w->buf);
    eop_buf_clear(&w->packed);
    return status;
}

static void put_header(export_work *w, const edgeops_table *table) {
    eop_buf_puts(&w->buf, w->with_seq ? "time,seq" : "time");
    for (size_t c = 0; c < table->column_count; c++) {
        eop_buf_puts(&w->buf, ",");
        eop_csv_put(&w->buf, table->columns[c].name, strlen(table->columns[c].name), ',');
    }
    eop_buf_puts(&w->buf, w->with_labels ? ",label\n" : "\n");
}

static void put_csv_value(eop_buf *buf, const edgeops_value *value) {
    if (value->type == EDGEOPS_TYPE_STRING) {
        eop_csv_put(buf, value->as.str, value->size, ',');
    } else if (eop_value_is_array(value)) {
        eop_buf_put(buf, "\"", 1);
        eop_value_put_text(buf, value);
        eop_buf_put(buf, "\"", 1);
    } else {
        eop_value_put_text(buf, value);
    }
}

static void put_csv_row(export_work *w, const edgeops_table *table, uint64_t row,
                        const char *label) {
    char time[40];
    eop_buf_put(&w->buf, time, eop_format_time(time, table->times[row]));
    if (w->with_seq) {
        eop_buf_printf(&w->buf, ",%lld", (long long)table->seqs[row]);
    }
    for (size_t c = 0; c < table->column_count; c++) {
        edgeops_value value = edgeops_column_value(&table->columns[c], row);
        eop_buf_puts(&w->buf, ",");
        put_csv_value(&w->buf, &value);
    }
    if (w->with_labels) {
        eop_buf_puts(&w->buf, ",");
        eop_csv_put(&w->buf, label, label != NULL ? strlen(label) : 0, ',');
    }
    eop_buf_puts(&w->buf, "\n");
}

static void put_json_row(export_work *w, const edgeops_table *table, uint64_t row,
                         const char *label) {
    size_t n = 0;
    for (size_t c = 0; c < table->column_count; c++) {
        edgeops_value value = edgeops_column_value(&table->columns[c], row);
        if (value.type != EDGEOPS_TYPE_NULL) {
            w->names[n] = table->columns[c].name;
            w->values[n++] = value;
        }
    }
    if (label != NULL) {
        w->names[n] = "label";
        w->values[n++] = (edgeops_value){
            .type = EDGEOPS_TYPE_STRING, .size = (uint32_t)strlen(label), .as.str = label};
    }
    edgeops_sample sample = {.asset = table->asset,
                             .time = table->times[row],
                             .seq = table->seqs[row],
                             .count = n,
                             .channels = w->names,
                             .values = w->values};
    eop_message_put_sample(&w->buf, &sample, NULL);
    eop_buf_puts(&w->buf, "\n");
}

static edgeops_status put_slice(eop_job *job, export_work *w, const edgeops_table *table,
                                uint64_t first) {
    edgeops_status status = EDGEOPS_OK;
    if (w->rows == 0) {
        w->names = eop_calloc(table->column_count + 1, sizeof(*w->names));
        w->values = eop_calloc(table->column_count + 1, sizeof(*w->values));
        if (w->names == NULL || w->values == NULL) {
            return eop_fail_nomem("node");
        }
        if (!w->jsonl) {
            put_header(w, table);
        }
    }
    for (uint64_t row = first; row < table->rows && status == EDGEOPS_OK; row++) {
        const char *label = w->labels != NULL ? eop_labels_at(w->labels, table->times[row]) : NULL;
        if (w->jsonl) {
            put_json_row(w, table, row, label);
        } else {
            put_csv_row(w, table, row, label);
        }
        w->rows++;
        status = write_out(job, w, FLUSH_BYTES);
    }
    return status;
}

/* No row in the range: still a header. */
static edgeops_status put_empty(export_work *w, const char *asset) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = asset;
    query.channels = w->channels;
    query.channel_count = w->channel_count;
    query.limit = 1;
    edgeops_status status = edgeops_store_read(&table, w->call->node->store, &query);
    if (status == EDGEOPS_OK) {
        put_header(w, table);
        edgeops_table_free(table);
    }
    return status;
}

static edgeops_status export_rows(eop_job *job, export_work *w) {
    eop_slices *slices = NULL;
    const edgeops_table *table = NULL;
    uint64_t first = 0;
    const char *asset = eop_json_string(w->call->args, "asset", "");
    edgeops_store *store = w->call->node->store;
    edgeops_status status =
        eop_slices_open(&slices, store, asset, w->channels, w->channel_count, w->start, w->end);
    if (status == EDGEOPS_OK && w->with_labels) {
        status = eop_labels_open(&w->labels, store, asset);
    }
    while (status == EDGEOPS_OK &&
           (status = eop_slices_next(slices, &table, &first)) == EDGEOPS_OK) {
        status = put_slice(job, w, table, first);
        if (status == EDGEOPS_OK && eop_job_due(job)) {
            eop_json *event = eop_json_object();
            eop_json_set_string(event, "type", "progress");
            eop_json_set_integer(event, "rows", (int64_t)w->rows);
            eop_job_event(job, event);
        }
    }
    eop_slices_close(slices);
    if (status == EDGEOPS_DONE) {
        status = w->rows == 0 && !w->jsonl ? put_empty(w, asset) : EDGEOPS_OK;
    }
    return status == EDGEOPS_OK ? write_out(job, w, 0) : status;
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
                                   .with_labels = w->with_labels};
    edgeops_status status = eop_asset_arrays_write(&w->rows, &arrays, &what);
    eop_arrays_dispose(&arrays);
    return status;
}

static void export_work_fn(eop_job *job, void *user_data) {
    export_work *w = user_data;
    bool arrays = w->format[0] == 'n';
    eop_job_end(job, arrays ? export_arrays(job, w) : export_rows(job, w));
}

static void export_done(eop_job *job, void *user_data) {
    export_work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_json *result = NULL;
    if (status == EDGEOPS_OK) {
        result = eop_json_object();
        eop_json_set_integer(result, "rows", (int64_t)w->rows);
    }
    eop_call_finish(w->call, status, result);
    export_free(w);
}

static edgeops_status export_start(edgeops_call *call) {
    export_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    w->format = eop_json_string(call->args, "format", "csv");
    w->jsonl = strcmp(w->format, "jsonl") == 0;
    w->with_labels = eop_json_bool(call->args, "labels", false);
    w->with_seq = eop_json_bool(call->args, "seq", false);
    edgeops_status status = eop_arg_time(&w->start, call->args, "start", EDGEOPS_TIME_MIN);
    if (status == EDGEOPS_OK) {
        status = eop_arg_time(&w->end, call->args, "end", EDGEOPS_TIME_MAX);
    }
    if (status == EDGEOPS_OK) {
        status = eop_arg_strings(&w->channels, &w->channel_count, call->args, "channels");
    }
    if (status == EDGEOPS_OK && eop_json_bool(call->args, "gzip", false)) {
        status = w->format[0] == 'n' ? eop_fail(EDGEOPS_E_INVALID, "node",
                                                "gzip is for csv and jsonl, not for %s", w->format)
                                     : eop_gzip_new(&w->gzip);
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
