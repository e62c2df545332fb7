/* SPDX-License-Identifier: Apache-2.0 */
/* dataset.*: long work, such as creating and exporting, runs as a job. */
#include <string.h>
#include <unistd.h>

#include "dataset/dataset.h"
#include "node/control/job.h"
#include "node/files/arrays.h"
#include "node/files/arrow.h"
#include "node/files/dataset_diff.h"
#include "node/files/dataset_options.h"
#include "node/files/table_write.h"
#include "node/files/text_out.h"
#include "node/ops/groups.h"
#include "node/ops/join.h"
#include "store/room.h"

static edgeops_status describe(eop_json **result, edgeops_node *node, const char *name) {
    char *json = NULL;
    edgeops_status status = eop_dataset_describe(&json, node->store, name);
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(result, json, strlen(json), "dataset", NULL);
    }
    if (status == EDGEOPS_OK) {
        eop_joins_add_lineage(*result, node, eop_json_get(*result, "assets"));
    }
    eop_free(json);
    return status;
}

/* -- create: reads and hashes every value -- */

typedef struct create_work {
    edgeops_call *call;
    eop_dataset_args args;
    eop_join_list joins; /**< that are brought up to date first */
    const char *joined;  /**< name of the derived asset that holds its rows; NULL: none is needed */
} create_work;

static void create_free(create_work *w) {
    eop_join_list_release(&w->joins);
    eop_dataset_args_dispose(&w->args);
    eop_free(w);
}

static void create_work_fn(eop_job *job, void *user_data) {
    create_work *w = user_data;
    edgeops_status status = eop_join_list_work(&w->joins, job);
    if (status == EDGEOPS_OK) {
        status = edgeops_dataset_create(w->call->node->store, &w->args.options);
    }
    eop_job_end(job, status);
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

/* Creating says so, too, but a derived asset would be there by then. */
static edgeops_status check_free_name(edgeops_node *node, const char *name) {
    char *json = NULL;
    edgeops_status status = eop_dataset_describe(&json, node->store, name);
    eop_free(json);
    return status == EDGEOPS_OK
               ? eop_fail(EDGEOPS_E_EXISTS, "node", "dataset '%s' exists already", name)
           : status == EDGEOPS_E_NOTFOUND ? EDGEOPS_OK
                                          : status;
}

/* The derived assets that it is made of, with one that puts its assets side by side. */
static edgeops_status find_joins(create_work *w) {
    edgeops_dataset_options *o = &w->args.options;
    eop_node_join *join = NULL;
    edgeops_status status = check_free_name(w->call->node, o->name);
    if (status == EDGEOPS_OK) {
        status = eop_join_for_dataset(&join, w->call, o);
    }
    if (status == EDGEOPS_OK && join != NULL) {
        w->joined = eop_node_join_spec(join)->name;
        o->assets = &w->joined;
        o->asset_count = 1;
    }
    if (status == EDGEOPS_OK) {
        eop_join_list_hold(&w->joins, w->call->node, o->assets, o->asset_count);
    }
    return status;
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
        status = find_joins(w);
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
    eop_text_out out;
    uint64_t rows;
    eop_arrow_end arrow; /* makes Parquet or Arrow of the rows */
} export_work;

static void export_free(export_work *w) {
    edgeops_dataset_free(w->dataset);
    eop_text_out_dispose(&w->out);
    eop_arrow_end_dispose(&w->arrow);
    eop_free(w);
}

static const char *label_of(const edgeops_dataset *d, const edgeops_dataset_part *part,
                            uint64_t row) {
    int32_t label = part->labels != NULL ? part->labels[row] : -1;
    return label >= 0 ? d->label_names[label] : NULL;
}

static edgeops_status open_writer(eop_table_writer **out, const edgeops_dataset *d, bool jsonl,
                                  bool plain_names) {
    const eop_table_shape shape = {
        .json_lines = jsonl, .with_asset = true, .with_labels = true, .plain_names = plain_names};
    const edgeops_table *first = d->part_count > 0 ? d->parts[0].table : NULL;
    size_t n = first != NULL ? first->column_count : 0;
    edgeops_channel_info *channels = eop_calloc(n + 1, sizeof *channels);
    if (channels == NULL) {
        return eop_fail_nomem("node");
    }
    for (size_t k = 0; k < n; k++) {
        const edgeops_column *c = &first->columns[k];
        channels[k] = (edgeops_channel_info){
            .name = c->name, .unit = c->unit, .type = c->type, .length = c->length};
    }
    edgeops_status status = eop_table_writer_new(out, &shape, channels, n);
    eop_free(channels);
    return status;
}

static edgeops_status export_rows(eop_job *job, export_work *w, bool jsonl) {
    const edgeops_dataset *d = w->dataset;
    eop_table_writer *writer = NULL;
    edgeops_status status =
        open_writer(&writer, d, jsonl, eop_json_bool(w->call->args, "plain_names", false));
    for (size_t p = 0; p < d->part_count && status == EDGEOPS_OK; p++) {
        eop_table_writer_look(writer, d->parts[p].table, 0);
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_writer_head(writer, &w->out.text);
    }
    for (size_t p = 0; p < d->part_count; p++) {
        const edgeops_dataset_part *part = &d->parts[p];
        for (uint64_t r = 0; r < part->table->rows && status == EDGEOPS_OK; r++) {
            eop_table_writer_row(writer, &w->out.text, part->table, r, label_of(d, part, r));
            w->rows++;
            status = eop_text_out_row(&w->out, job);
        }
    }
    eop_table_writer_free(writer);
    return status == EDGEOPS_OK ? eop_text_out_finish(&w->out, job) : status;
}

static void export_work_fn(eop_job *job, void *user_data) {
    export_work *w = user_data;
    const char *name = eop_json_string(w->call->args, "name", "");
    const char *format = eop_json_string(w->call->args, "format", "csv");
    if (strcmp(format, "npz") == 0) {
        eop_arrays arrays = {.job = job, .output = w->call->output, .npz = true};
        eop_job_end(job, eop_dataset_arrays_write(&w->rows, &arrays, w->call->node->store, name));
        eop_arrays_dispose(&arrays);
        return;
    }
    edgeops_status status = edgeops_dataset_read(&w->dataset, w->call->node->store, name);
    bool jsonl = strcmp(format, "jsonl") == 0;
    status = status == EDGEOPS_OK ? export_rows(job, w, jsonl) : status;
    if (status == EDGEOPS_OK) {
        eop_arrow_end_close(&w->arrow);
    }
    eop_job_end(job, status);
}

static void export_finish(void *user_data) {
    export_work *w = user_data;
    edgeops_status status =
        eop_arrow_end_result(&w->arrow, eop_json_string(w->call->args, "format", ""));
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

static edgeops_status start_arrow(export_work *w, const char *format) {
    eop_json *shown = NULL;
    edgeops_status status =
        describe(&shown, w->call->node, eop_json_string(w->call->args, "name", ""));
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_json *options = eop_json_object();
    eop_json *channels = eop_json_object();
    const eop_json *all = eop_json_get(shown, "channels");
    for (const eop_json *c = eop_json_first(all); c != NULL; c = eop_json_next(c)) {
        eop_arrow_add_channel(channels, eop_json_string(c, "name", ""),
                              eop_json_string(c, "type", ""), eop_json_string(c, "unit", ""));
    }
    eop_json_set_string(options, "format", format);
    eop_json_set(options, "channels", channels);
    status = eop_arrow_start_writer(&w->arrow.arrow, &w->arrow.rows, w->call->node, options,
                                    w->call->output);
    w->out.output = w->arrow.rows;
    eop_json_free(options);
    eop_json_free(shown);
    return status;
}

static edgeops_status export_start(edgeops_call *call) {
    export_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    w->out.output = call->output;
    edgeops_status status = EDGEOPS_OK;
    const char *format = eop_json_string(call->args, "format", "csv");
    if (eop_json_bool(call->args, "gzip", false)) {
        bool text = strcmp(format, "csv") == 0 || strcmp(format, "jsonl") == 0;
        status = !text ? eop_fail(EDGEOPS_E_INVALID, "node",
                                  "gzip is for csv and jsonl, not for %s", format)
                       : eop_gzip_new(&w->out.gzip);
    }
    if (status == EDGEOPS_OK && (strcmp(format, "parquet") == 0 || strcmp(format, "arrow") == 0)) {
        status = start_arrow(w, format);
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, export_work_fn, export_done, w);
    }
    if (status != EDGEOPS_OK) {
        export_free(w);
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
