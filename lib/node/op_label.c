/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/hash.h"
#include "codec/csv.h"
#include "codec/table_csv.h"
#include "node/bulk.h"
#include "node/hashes.h"
#include "node/ops.h"

#define BATCH 1000u

static edgeops_status run_add(edgeops_call *call, eop_json **result) {
    int64_t id = 0;
    edgeops_label label = {.asset = eop_json_string(call->args, "asset", ""),
                           .label = eop_json_string(call->args, "label", ""),
                           .author = eop_json_string(call->args, "author", "")};
    edgeops_status status = eop_arg_time(&label.start, call->args, "start", 0);
    if (status == EDGEOPS_OK) {
        status = eop_arg_time(&label.end, call->args, "end", label.start);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_store_label(call->node->store, &label, 1, &id);
    }
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_integer(*result, "id", id);
    }
    return status;
}

static edgeops_status list_one(const edgeops_label *label, void *user_data) {
    eop_json *json = eop_json_object();
    eop_json_set_integer(json, "id", label->id);
    eop_json_set_string(json, "asset", label->asset);
    eop_json_set_time(json, "start", label->start);
    eop_json_set_time(json, "end", label->end);
    eop_json_set_string(json, "label", label->label);
    eop_json_set_string(json, "author", label->author);
    eop_json_set_time(json, "created", label->created);
    eop_json_append(user_data, json);
    return EDGEOPS_OK;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    eop_json *items = NULL;
    *result = eop_items(&items);
    return edgeops_store_labels(call->node->store, eop_json_string(call->args, "asset", NULL),
                                list_one, items);
}

static edgeops_status run_rm(edgeops_call *call, eop_json **result) {
    (void)result;
    return edgeops_store_unlabel(call->node->store, eop_json_integer(call->args, "id", 0));
}

/* -- import: a CSV with columns asset?, start, end?, label, author? -- */

enum { COLUMN_ASSET, COLUMN_START, COLUMN_END, COLUMN_LABEL, COLUMN_AUTHOR, COLUMNS };
static const char *const column_names[COLUMNS] = {"asset", "start", "end", "label", "author"};

typedef struct import_work {
    edgeops_call *call;
    size_t at[COLUMNS]; /**< place in a record, SIZE_MAX: not there */
    edgeops_label labels[BATCH];
    size_t places[BATCH][3]; /**< of asset, label and author in text */
    size_t count;
    eop_buf text;
    eop_hashes known; /**< labels that are there: once more changes nothing */
    uint64_t added;
    uint64_t duplicates;
} import_work;

static void import_free(import_work *w) {
    eop_buf_dispose(&w->text);
    eop_hashes_dispose(&w->known);
    eop_free(w);
}

/* Two people who say the same have said it twice; one has not. */
static edgeops_status know(import_work *w, const edgeops_label *label, bool *fresh) {
    uint64_t parts[5] = {eop_hash64(label->asset, strlen(label->asset)), (uint64_t)label->start,
                         (uint64_t)label->end, eop_hash64(label->label, strlen(label->label)),
                         eop_hash64(label->author, strlen(label->author))};
    return eop_hashes_add(&w->known, eop_hash64(parts, sizeof(parts)), fresh)
               ? EDGEOPS_OK
               : eop_fail_nomem("node");
}

static edgeops_status know_label(const edgeops_label *label, void *user_data) {
    bool fresh = false;
    return know(user_data, label, &fresh);
}

static edgeops_status read_header(import_work *w, eop_csv_reader *csv) {
    const eop_csv_field *fields = NULL;
    size_t n = 0;
    edgeops_status status = eop_csv_next(csv, &fields, &n);
    if (status == EDGEOPS_DONE) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "labels: the input is empty");
    }
    for (size_t c = 0; c < COLUMNS; c++) {
        w->at[c] = SIZE_MAX;
        for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
            if (strcmp(fields[i].text, column_names[c]) == 0) {
                w->at[c] = i;
            }
        }
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    bool has_asset =
        w->at[COLUMN_ASSET] != SIZE_MAX || eop_json_get(w->call->args, "asset") != NULL;
    if (w->at[COLUMN_START] == SIZE_MAX || w->at[COLUMN_LABEL] == SIZE_MAX || !has_asset) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "labels: the first line must name the columns start, label and (unless an "
                        "asset is given) asset; end and author are optional");
    }
    return EDGEOPS_OK;
}

static edgeops_status flush(import_work *w) {
    if (w->text.failed) {
        return eop_fail_nomem("node");
    }
    if (w->count == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = EDGEOPS_OK;
    size_t n = 0;
    for (size_t i = 0; i < w->count && status == EDGEOPS_OK; i++) {
        edgeops_label label = w->labels[i];
        bool fresh = false;
        label.asset = w->text.data + w->places[i][0];
        label.label = w->text.data + w->places[i][1];
        label.author = w->text.data + w->places[i][2];
        status = know(w, &label, &fresh);
        if (fresh) {
            w->labels[n++] = label;
        }
    }
    if (status == EDGEOPS_OK && n > 0) {
        status = edgeops_store_label(w->call->node->store, w->labels, n, NULL);
    }
    w->added += status == EDGEOPS_OK ? n : 0;
    w->duplicates += status == EDGEOPS_OK ? w->count - n : 0;
    w->count = 0;
    eop_buf_clear(&w->text);
    return status;
}

static size_t put_text(import_work *w, const char *text) {
    size_t at = w->text.size;
    eop_buf_put(&w->text, text, strlen(text) + 1);
    return at;
}

static const char *field_of(const import_work *w, const eop_csv_field *fields, size_t n, int column,
                            const char *otherwise) {
    size_t at = w->at[column];
    return at < n && fields[at].size > 0 ? fields[at].text : otherwise;
}

static edgeops_status take_record(import_work *w, const eop_csv_field *fields, size_t n,
                                  uint64_t line) {
    edgeops_label *label = &w->labels[w->count];
    const char *start = field_of(w, fields, n, COLUMN_START, "");
    const char *end = field_of(w, fields, n, COLUMN_END, start);
    /* What the call says goes for all rows. */
    const char *given = eop_json_string(w->call->args, "asset", NULL);
    const char *asset = given != NULL ? given : field_of(w, fields, n, COLUMN_ASSET, "");
    if (!eop_csv_time(&label->start, start, strlen(start), NULL) ||
        !eop_csv_time(&label->end, end, strlen(end), NULL)) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "labels:%llu: start '%.40s' or end '%.40s' is "
                        "no time",
                        (unsigned long long)line, start, end);
    }
    w->places[w->count][0] = put_text(w, asset);
    w->places[w->count][1] = put_text(w, field_of(w, fields, n, COLUMN_LABEL, ""));
    w->places[w->count][2] = put_text(w, field_of(w, fields, n, COLUMN_AUTHOR, ""));
    w->count++;
    return EDGEOPS_OK;
}

static edgeops_status take_labels(eop_job *job, import_work *w, int fd) {
    eop_csv_reader *csv = NULL;
    edgeops_status status = eop_csv_open(&csv, fd, ',', "labels");
    if (status == EDGEOPS_OK) {
        status = read_header(w, csv);
    }
    while (status == EDGEOPS_OK && !eop_job_canceled(job)) {
        const eop_csv_field *fields = NULL;
        size_t n = 0;
        status = eop_csv_next(csv, &fields, &n);
        if (status == EDGEOPS_OK) {
            status = take_record(w, fields, n, eop_csv_line(csv));
        }
        if (status == EDGEOPS_OK && w->count == BATCH) {
            status = flush(w);
        }
    }
    eop_csv_close(csv);
    if (eop_job_canceled(job)) {
        return eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
    }
    return status == EDGEOPS_DONE ? flush(w) : status;
}

static void import_work_fn(eop_job *job, void *user_data) {
    import_work *w = user_data;
    eop_bulk *bulk = NULL;
    const char *asset = eop_json_string(w->call->args, "asset", NULL);
    edgeops_status status = edgeops_store_labels(w->call->node->store, asset, know_label, w);
    if (status == EDGEOPS_E_NOTFOUND) {
        status = EDGEOPS_OK; /* adding to it will say so */
    }
    if (status == EDGEOPS_OK) {
        status = eop_bulk_open(&bulk, job, w->call->input);
    }
    if (status == EDGEOPS_OK) {
        status = take_labels(job, w, eop_bulk_fd(bulk));
    }
    eop_job_end(job, status);
    eop_bulk_close(bulk);
}

static void import_done(eop_job *job, void *user_data) {
    import_work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_json *result = NULL;
    if (status == EDGEOPS_OK) {
        result = eop_json_object();
        eop_json_set_integer(result, "labels", (int64_t)w->added);
        eop_json_set_integer(result, "duplicates", (int64_t)w->duplicates);
    }
    eop_call_finish(w->call, status, result);
    import_free(w);
}

static edgeops_status import_start(edgeops_call *call) {
    import_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    edgeops_status status = eop_job_start(NULL, call->node, call, import_work_fn, import_done, w);
    if (status != EDGEOPS_OK) {
        import_free(w);
    }
    return status;
}

#define ASSET EOP_STRING("asset", "name of the asset")

const eop_op eop_label_ops[] = {
    {.name = "label.add",
     .summary = "say what a time or an interval of an asset was",
     .args = EOP_ARGS(
         "\"asset\",\"start\",\"label\"",
         ASSET "," EOP_TIME("start", "inclusive") "," EOP_TIME(
             "end", "exclusive; absent: the instant of start") ","
                                                               "\"label\":{\"type\":\"string\","
                                                               "\"minLength\":1,\"maxLength\":256},"
                                                               "\"author\":{\"type\":\"string\","
                                                               "\"maxLength\":256}"),
     .run = run_add},
    {.name = "label.import",
     .summary =
         "add labels from a CSV file with the columns asset, start, end, label, author; those that "
         "are there are passed over",
     .args = EOP_ARGS("", EOP_STRING("asset", "of all rows, whatever they say")),
     .flags = EOP_OP_INPUT,
     .start = import_start},
    {.name = "label.ls", .summary = "list the labels", .args = EOP_ARGS("", ASSET), .run = run_ls},
    {.name = "label.rm",
     .summary = "take a label back",
     .args = EOP_ARGS("\"id\"", "\"id\":{\"type\":\"integer\",\"minimum\":1}"),
     .run = run_rm},
    {0},
};
