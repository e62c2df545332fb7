/* SPDX-License-Identifier: Apache-2.0 */
/* The reading thread of a batch prediction: a file, a dataset or an asset's range, as blocks. */
#include "node/files/predict_read.h"

#include <string.h>

#include "codec/table_options.h"
#include "node/control/job.h"
#include "node/files/slices.h"
#include "node/home/inputs.h"
#include "runtime/dataset.h"
#include "runtime/rows.h"

#define BLOCK_ROWS 4096u
#define LABELS_MAX 65536u
#define GROUPS_MAX 10000u

static edgeops_status canceled(void) {
    return eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
}

/* Lends the loop a block and waits until it is given back. A cutter reads it meanwhile, so neither
 * a cancel nor a failed writer takes it away: the loop sees both and gives it back by itself. */
static edgeops_status hand_over(eop_job *job, eop_predict *p, const eop_block *block) {
    if (block->count == 0) {
        return EDGEOPS_OK;
    }
    pthread_mutex_lock(&p->lock);
    p->block = block;
    eop_wake_send(p->wake);
    while (p->block != NULL && (p->held || (!p->ended && !eop_job_canceled(job)))) {
        pthread_cond_wait(&p->moved, &p->lock);
    }
    bool used = p->block == NULL && !p->ended;
    p->block = NULL;
    pthread_mutex_unlock(&p->lock);
    return used ? EDGEOPS_OK : canceled();
}

static edgeops_status number_of(eop_predict *p, eop_texts *texts, const char *text, int32_t *out,
                                size_t max, const char *what) {
    pthread_mutex_lock(&p->lock);
    edgeops_status status = eop_texts_add(out, texts, text, strlen(text), max, what);
    pthread_mutex_unlock(&p->lock);
    return status;
}

/* -- dataset -- */

/* A model is measured with the part of a split that it was not trained on. */
static edgeops_status choose_subset(uint32_t *out, const edgeops_dataset *dataset,
                                    const char *part) {
    static const char *const names[] = {"train", "test", "validation"};
    *out = EOP_SUBSET_ALL;
    if (dataset->split == EDGEOPS_SPLIT_NONE) {
        return part == NULL || strcmp(part, "all") == 0
                   ? EDGEOPS_OK
                   : eop_fail(EDGEOPS_E_INVALID, "node",
                              "dataset '%s' has no split, so that it has no part '%s'",
                              dataset->name, part);
    }
    for (uint32_t i = 0; i < EOP_COUNT(names); i++) {
        if (strcmp(part != NULL ? part : "test", names[i]) == 0) {
            *out = i;
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status read_run(eop_job *job, eop_predict *p, const edgeops_dataset *dataset,
                               const eop_dataset_run *run) {
    const edgeops_dataset_part *part = &dataset->parts[run->part];
    int32_t group = 0;
    edgeops_status status =
        number_of(p, &p->groups, part->table->asset, &group, GROUPS_MAX, "assets");
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_block block = {part->table, run->first, run->rows, part->labels, (uint32_t)group, true};
    return hand_over(job, p, &block);
}

static edgeops_status read_dataset(eop_job *job, eop_predict *p, const char *name) {
    edgeops_dataset *dataset = NULL;
    eop_dataset_run run = {0};
    uint32_t subset = EOP_SUBSET_ALL;
    uint64_t rows = 0;
    edgeops_status status = edgeops_dataset_read(&dataset, p->node->store, name);
    if (status != EDGEOPS_OK) {
        return status;
    }
    status = choose_subset(&subset, dataset, eop_json_string(p->call->args, "part", NULL));
    if (status == EDGEOPS_OK) {
        status = eop_dataset_window(&p->window_spec, p->manifest, dataset);
    }
    /* Added first and in the dataset's order, so that the numbers of its labels are also ours. */
    for (size_t i = 0; status == EDGEOPS_OK && i < dataset->label_count; i++) {
        int32_t number = 0;
        status = number_of(p, &p->labels, dataset->label_names[i], &number, LABELS_MAX, "labels");
    }
    while (status == EDGEOPS_OK && eop_dataset_next(&run, dataset, subset)) {
        rows += run.rows;
        status = read_run(job, p, dataset, &run);
    }
    if (status == EDGEOPS_OK && rows == 0) {
        status = eop_fail(EDGEOPS_E_INVALID, "node", "dataset '%s' has no rows in that part", name);
    }
    edgeops_dataset_free(dataset);
    return status;
}

/* -- asset -- */

static edgeops_status label_slice(eop_predict *p, eop_labels *labels, const edgeops_table *table,
                                  uint64_t first, int32_t *numbers) {
    edgeops_status status = EDGEOPS_OK;
    for (uint64_t row = first; row < table->rows && status == EDGEOPS_OK; row++) {
        const char *label = eop_labels_at(labels, table->times[row]);
        numbers[row] = -1;
        if (label != NULL) {
            status = number_of(p, &p->labels, label, &numbers[row], LABELS_MAX, "labels");
        }
    }
    return status;
}

static edgeops_status read_slices(eop_job *job, eop_predict *p, eop_slices *slices,
                                  eop_labels *labels) {
    const edgeops_table *table = NULL;
    uint64_t first = 0;
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK &&
           (status = eop_slices_next(slices, &table, &first)) == EDGEOPS_OK) {
        int32_t *numbers = eop_calloc(table->rows, sizeof(*numbers));
        status = numbers != NULL ? label_slice(p, labels, table, first, numbers)
                                 : eop_fail_nomem("node");
        if (status == EDGEOPS_OK) {
            eop_block block = {table, first, table->rows - first, numbers, 0, false};
            status = hand_over(job, p, &block);
        }
        eop_free(numbers);
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status read_asset(eop_job *job, eop_predict *p, const char *asset) {
    eop_slices *slices = NULL;
    eop_labels *labels = NULL;
    int32_t group = 0;
    const edgeops_manifest *m = p->manifest;
    const char **names = eop_calloc(m->input_count, sizeof(*names));
    edgeops_status status = names != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    for (size_t i = 0; names != NULL && i < m->input_count; i++) {
        names[i] = m->inputs[i].name;
    }
    if (status == EDGEOPS_OK) {
        status = eop_inputs_require(p->node->store, m, asset);
    }
    if (status == EDGEOPS_OK) {
        status = eop_slices_open(&slices, p->node->store, asset, names, m->input_count, p->start,
                                 p->end);
    }
    if (status == EDGEOPS_OK) {
        status = eop_labels_open(&labels, p->node->store, asset);
    }
    if (status == EDGEOPS_OK) {
        status = number_of(p, &p->groups, asset, &group, GROUPS_MAX, "assets");
    }
    if (status == EDGEOPS_OK) {
        status = read_slices(job, p, slices, labels);
    }
    eop_labels_close(labels);
    eop_slices_close(slices);
    eop_free(names);
    return status;
}

/* -- CSV and JSON lines -- */

typedef struct table_blocks {
    eop_predict *p;
    eop_job *job;
    eop_rows *rows;
    int32_t labels[BLOCK_ROWS];
    uint64_t ordinal;
    int32_t group;
    /* the last row, until one comes that is no part of it */
    bool held;
    edgeops_time time;
    int64_t seq;
    int32_t held_group;
    int32_t label;
    edgeops_value *values; /**< in the order of the inputs; a place in `bytes` until it is put */
    eop_buf bytes;
} table_blocks;

static edgeops_status flush_block(table_blocks *c) {
    const edgeops_table *table = eop_rows_table(c->rows);
    eop_block block = {table, 0, table->rows, c->labels, (uint32_t)c->group, false};
    edgeops_status status = hand_over(c->job, c->p, &block);
    eop_rows_drop(c->rows, table->rows);
    return status;
}

static bool has_bytes(const edgeops_value *value) {
    return value->type == EDGEOPS_TYPE_STRING || value->size > 0;
}

static edgeops_status put_held(table_blocks *c) {
    edgeops_status status = EDGEOPS_OK;
    if (!c->held) {
        return EDGEOPS_OK;
    }
    /* A block has rows of one group, up to BLOCK_ROWS of them. */
    uint64_t n = eop_rows_count(c->rows);
    if (n > 0 && (c->held_group != c->group || n == BLOCK_ROWS)) {
        status = flush_block(c);
        n = 0;
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    c->group = c->held_group;
    for (size_t i = 0; i < c->p->manifest->input_count; i++) {
        if (has_bytes(&c->values[i])) {
            c->values[i].as.data = c->bytes.data + c->values[i].as.u64;
        }
    }
    eop_row_note note = {.label = -1, .run = 0, .history = ++c->ordinal};
    status = eop_rows_append_values(c->rows, c->time, c->seq, c->ordinal, c->values, note);
    c->labels[n] = c->label;
    c->held = false;
    return status;
}

/* Its values, those of the inputs, become the held row's. */
static edgeops_status hold_values(table_blocks *c, const edgeops_sample *sample) {
    const edgeops_manifest *m = c->p->manifest;
    for (size_t i = 0; i < m->input_count; i++) {
        size_t j = 0;
        while (j < sample->count && strcmp(sample->channels[j], m->inputs[i].name) != 0) {
            j++;
        }
        if (j == sample->count || c->values[i].type != EDGEOPS_TYPE_NULL) {
            continue;
        }
        c->values[i] = sample->values[j];
        if (has_bytes(&c->values[i])) {
            c->values[i].as.u64 = c->bytes.size;
            eop_buf_put(&c->bytes, sample->values[j].as.data, sample->values[j].size);
        }
    }
    return c->bytes.failed ? eop_fail_nomem("node") : EDGEOPS_OK;
}

static edgeops_status put_row(table_blocks *c, eop_table_reader *reader, const eop_table_row *row) {
    int32_t group = 0;
    int32_t label = -1;
    edgeops_status status = number_of(c->p, &c->p->groups, row->group != NULL ? row->group : "",
                                      &group, GROUPS_MAX, "groups");
    if (status == EDGEOPS_OK && row->label != NULL) {
        status = number_of(c->p, &c->p->labels, row->label, &label, LABELS_MAX, "labels");
    }
    if (status == EDGEOPS_OK && row->part) {
        bool next = c->held && group == c->held_group && row->sample.time == c->time &&
                    row->sample.seq == c->seq;
        return next ? hold_values(c, &row->sample)
                    : eop_table_reader_refuse(reader, NULL,
                                              "it completes a row that does not stand in front of "
                                              "it: sort the file by time, or import it and predict "
                                              "from the asset",
                                              NULL, 0);
    }
    if (status == EDGEOPS_OK) {
        status = put_held(c);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    c->held = true;
    c->time = row->sample.time;
    c->seq = row->sample.seq;
    c->held_group = group;
    c->label = label;
    eop_buf_clear(&c->bytes);
    memset(c->values, 0, c->p->manifest->input_count * sizeof *c->values);
    return hold_values(c, &row->sample);
}

/* CSV says so before the first row; JSON lines may have a member late. */
static edgeops_status check_inputs(const table_blocks *c, const eop_table_reader *reader) {
    const edgeops_manifest *m = c->p->manifest;
    const eop_table_column *channels = NULL;
    size_t n = eop_table_reader_channels(reader, &channels);
    for (size_t i = 0; i < m->input_count; i++) {
        bool found = false;
        for (size_t j = 0; j < n; j++) {
            found = found || strcmp(channels[j].name, m->inputs[i].name) == 0;
        }
        if (!found) {
            return eop_fail(EDGEOPS_E_INVALID, "node",
                            "%s: no record has '%s', which the model takes",
                            eop_json_string(c->p->call->args, "what", "input"), m->inputs[i].name);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status read_rows(table_blocks *c, int fd, const eop_table_options *options) {
    eop_table_reader *reader = NULL;
    edgeops_status status = eop_table_reader_open(&reader, fd, options);
    while (status == EDGEOPS_OK && !eop_job_canceled(c->job)) {
        eop_table_row row;
        status = eop_table_reader_next(reader, &row);
        if (status == EDGEOPS_OK) {
            status = put_row(c, reader, &row);
        }
    }
    if (status == EDGEOPS_DONE) {
        c->p->input = eop_table_reader_report(reader);
        status = check_inputs(c, reader);
        status = status == EDGEOPS_OK ? EDGEOPS_DONE : status;
    }
    eop_table_reader_close(reader);
    if (eop_job_canceled(c->job)) {
        return canceled();
    }
    if (status == EDGEOPS_DONE) {
        status = put_held(c);
        return status == EDGEOPS_OK ? flush_block(c) : status;
    }
    return status;
}

/* The model's inputs are the columns, whatever else the file has. */
static edgeops_status set_options(eop_table_options *o, eop_table_column **columns,
                                  const eop_job *job, const eop_predict *p) {
    const eop_json *args = p->call->args;
    const edgeops_manifest *m = p->manifest;
    *columns = eop_calloc(m->input_count, sizeof(**columns));
    if (*columns == NULL) {
        return eop_fail_nomem("node");
    }
    for (size_t i = 0; i < m->input_count; i++) {
        (*columns)[i] = (eop_table_column){
            .name = m->inputs[i].name, .type = m->inputs[i].type, .length = m->inputs[i].length};
    }
    o->what = eop_json_string(args, "what", "input");
    o->asset = "input";
    o->format = strcmp(eop_json_string(args, "input_format", "csv"), "jsonl") == 0
                    ? EOP_TABLE_JSON_LINES
                    : EOP_TABLE_CSV;
    o->time_optional = o->time_column == NULL && m->window.period == 0;
    o->time_column = o->time_column != NULL ? o->time_column : "time";
    o->group_column = eop_json_string(args, "group_column", NULL);
    o->columns = *columns;
    o->only_given = true;
    o->column_count = m->input_count;
    o->cancel_fd = eop_job_cancel_fd(job);
    return EDGEOPS_OK;
}

static edgeops_status read_input(eop_job *job, eop_predict *p) {
    const edgeops_manifest *m = p->manifest;
    eop_table_args args = {0};
    eop_table_column *columns = NULL;
    table_blocks *c = eop_calloc(1, sizeof(*c));
    edgeops_status status =
        c != NULL ? eop_table_args_read(&args, p->call->args, "predict") : eop_fail_nomem("node");
    if (status == EDGEOPS_OK) {
        c->p = p;
        c->job = job;
        c->values = eop_calloc(m->input_count, sizeof(*c->values));
        status = c->values != NULL ? eop_rows_new(&c->rows, m->inputs, m->input_count)
                                   : eop_fail_nomem("node");
    }
    if (status == EDGEOPS_OK) {
        status = set_options(&args.options, &columns, job, p);
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_check_input(job);
    }
    if (status == EDGEOPS_OK) {
        status = read_rows(c, p->call->input, &args.options);
    }
    eop_free(columns);
    eop_table_args_dispose(&args);
    if (c != NULL) {
        eop_rows_free(c->rows);
        eop_free(c->values);
        eop_buf_dispose(&c->bytes);
        eop_free(c);
    }
    return status;
}

void eop_predict_read(eop_job *job, void *user_data) {
    eop_predict *p = user_data;
    const char *dataset = eop_json_string(p->call->args, "dataset", NULL);
    const char *asset = eop_json_string(p->call->args, "asset", NULL);
    edgeops_status status = dataset != NULL ? read_dataset(job, p, dataset)
                            : asset != NULL ? read_asset(job, p, asset)
                                            : read_input(job, p);
    eop_job_end(job, status);
    pthread_mutex_lock(&p->lock);
    p->read_all = true;
    eop_wake_send(p->wake);
    pthread_mutex_unlock(&p->lock);
}
