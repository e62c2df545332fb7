/* SPDX-License-Identifier: Apache-2.0 */
/* dataset.*: long work, such as creating and exporting, runs as a job. */
#include <string.h>

#include "codec/csv.h"
#include "dataset/dataset.h"
#include "node/control/job.h"
#include "node/files/arrays.h"
#include "node/files/dataset_diff.h"
#include "node/files/dataset_options.h"
#include "node/ops/groups.h"
#include "store/room.h"

#define FLUSH_BYTES 65536u

static edgeops_status describe(eop_json **result, edgeops_node *node, const char *name) {
    char *json = NULL;
    edgeops_status status = eop_dataset_describe(&json, node->store, name);
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(result, json, strlen(json), "dataset", NULL);
    }
    eop_free(json);
    return status;
}

/* -- create: reads and hashes every value -- */

typedef struct create_work {
    edgeops_call *call;
    eop_dataset_args args;
} create_work;

static void create_free(create_work *w) {
    eop_dataset_args_dispose(&w->args);
    eop_free(w);
}

static void create_work_fn(eop_job *job, void *user_data) {
    create_work *w = user_data;
    eop_job_end(job, edgeops_dataset_create(w->call->node->store, &w->args.options));
}

static void create_done(eop_job *job, void *user_data) {
    create_work *w = user_data;
    eop_json *result = NULL;
    /* Creating cannot be interrupted: the dataset stays, also after a cancel. */
    edgeops_status status = eop_job_status(job);
    if (status == EDGEOPS_OK) {
        status = describe(&result, w->call->node, w->args.options.name);
    }
    eop_call_finish(w->call, status, result);
    create_free(w);
}

static edgeops_status create_start(edgeops_call *call) {
    create_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    edgeops_status status = eop_dataset_args_read(&w->args, call->args);
    if (status == EDGEOPS_OK) {
        status = eop_store_ready(call->node->store); /* checked before all is read and hashed */
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, create_work_fn, create_done, w);
    }
    if (status != EDGEOPS_OK) {
        create_free(w);
    }
    return status;
}

/* -- export -- */

typedef struct export_work {
    edgeops_call *call;
    edgeops_dataset *dataset;
    eop_buf buf;
    uint64_t rows;
} export_work;

static edgeops_status write_out(eop_job *job, export_work *w, size_t above) {
    if (w->buf.failed) {
        return eop_fail_nomem("node");
    }
    if (w->buf.size <= above) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_job_write(job, w->call->output, w->buf.data, w->buf.size);
    eop_buf_clear(&w->buf);
    return status;
}

static void put_text(eop_buf *buf, const char *text) {
    eop_csv_put(buf, text, text != NULL ? strlen(text) : 0, ',');
}

static void put_row(export_work *w, const edgeops_dataset_part *part, uint64_t row) {
    char time[40];
    const edgeops_table *table = part->table;
    int32_t label = part->labels != NULL ? part->labels[row] : -1;
    put_text(&w->buf, table->asset);
    eop_buf_puts(&w->buf, ",");
    eop_buf_put(&w->buf, time, eop_format_time(time, table->times[row]));
    for (size_t c = 0; c < table->column_count; c++) {
        edgeops_value value = edgeops_column_value(&table->columns[c], row);
        eop_buf_puts(&w->buf, ",");
        if (value.type == EDGEOPS_TYPE_STRING) {
            eop_csv_put(&w->buf, value.as.str, value.size, ',');
        } else {
            eop_value_put_text(&w->buf, &value);
        }
    }
    eop_buf_puts(&w->buf, ",");
    put_text(&w->buf, label >= 0 ? w->dataset->label_names[label] : NULL);
    eop_buf_puts(&w->buf, "\n");
    w->rows++;
}

static edgeops_status export_rows(eop_job *job, export_work *w) {
    const edgeops_dataset *d = w->dataset;
    edgeops_status status = EDGEOPS_OK;
    eop_buf_puts(&w->buf, "asset,time");
    for (size_t c = 0; d->part_count > 0 && c < d->parts[0].table->column_count; c++) {
        eop_buf_puts(&w->buf, ",");
        put_text(&w->buf, d->parts[0].table->columns[c].name);
    }
    eop_buf_puts(&w->buf, ",label\n");
    for (size_t p = 0; p < d->part_count; p++) {
        for (uint64_t r = 0; r < d->parts[p].table->rows && status == EDGEOPS_OK; r++) {
            put_row(w, &d->parts[p], r);
            status = write_out(job, w, FLUSH_BYTES);
        }
    }
    return status == EDGEOPS_OK ? write_out(job, w, 0) : status;
}

static void export_work_fn(eop_job *job, void *user_data) {
    export_work *w = user_data;
    const char *name = eop_json_string(w->call->args, "name", "");
    if (strcmp(eop_json_string(w->call->args, "format", "csv"), "npz") == 0) {
        eop_arrays arrays = {.job = job, .output = w->call->output, .npz = true};
        eop_job_end(job, eop_dataset_arrays_write(&w->rows, &arrays, w->call->node->store, name));
        eop_arrays_dispose(&arrays);
        return;
    }
    edgeops_status status = edgeops_dataset_read(&w->dataset, w->call->node->store, name);
    eop_job_end(job, status == EDGEOPS_OK ? export_rows(job, w) : status);
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
    edgeops_dataset_free(w->dataset);
    eop_buf_dispose(&w->buf);
    eop_free(w);
}

static edgeops_status export_start(edgeops_call *call) {
    export_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    edgeops_status status = eop_job_start(NULL, call->node, call, export_work_fn, export_done, w);
    if (status != EDGEOPS_OK) {
        eop_free(w);
    }
    return status;
}

/* -- the rest -- */

static edgeops_status list_one(const char *name, const char *json, void *user_data) {
    (void)name;
    eop_json *item = NULL;
    edgeops_status status = eop_json_parse(&item, json, strlen(json), "dataset", NULL);
    eop_json_append(user_data, item);
    return status;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    eop_json *items = NULL;
    *result = eop_items(&items);
    return eop_dataset_list(call->node->store, list_one, items);
}

static edgeops_status run_show(edgeops_call *call, eop_json **result) {
    return describe(result, call->node, eop_json_string(call->args, "name", ""));
}

static edgeops_status run_diff(edgeops_call *call, eop_json **result) {
    eop_json *a = NULL;
    eop_json *b = NULL;
    edgeops_status status = describe(&a, call->node, eop_json_string(call->args, "name", ""));
    if (status == EDGEOPS_OK) {
        status = describe(&b, call->node, eop_json_string(call->args, "other", ""));
    }
    if (status == EDGEOPS_OK) {
        status = eop_dataset_diff(result, a, b);
    }
    eop_json_free(a);
    eop_json_free(b);
    return status;
}

static edgeops_status run_rm(edgeops_call *call, eop_json **result) {
    (void)result;
    return edgeops_dataset_remove(call->node->store, eop_json_string(call->args, "name", ""));
}

const eop_op eop_dataset_ops[] = {
    {&eop_spec_dataset_create, .start = create_start},
    {&eop_spec_dataset_ls, .run = run_ls},
    {&eop_spec_dataset_show, .run = run_show},
    {&eop_spec_dataset_diff, .run = run_diff},
    {&eop_spec_dataset_rm, .run = run_rm},
    {&eop_spec_dataset_export, .start = export_start},
    {0},
};
