/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/hash.h"
#include "codec/csv.h"
#include "codec/table_csv.h"
#include "node/bulk.h"
#include "node/ops.h"
#include "node/predict.h"

#define LABELS_MAX 1000000u
#define FIELD_MAX  256u
#define TEXT_MAX   (256u << 20)

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

/* -- import: a CSV with columns asset?, start, end?, label, author? All of it or nothing is added,
 * and what is in force already is not added again: a file can be imported twice. -- */

enum { COLUMN_ASSET, COLUMN_START, COLUMN_END, COLUMN_LABEL, COLUMN_AUTHOR, COLUMNS };
static const char *const column_names[COLUMNS] = {"asset", "start", "end", "label", "author"};

typedef struct import_row {
    edgeops_time start;
    edgeops_time end;
    int32_t texts[3]; /**< asset, label, author */
    bool known;       /**< in force already */
} import_row;

typedef struct import_work {
    edgeops_call *call;
    size_t at[COLUMNS]; /**< place in a record, SIZE_MAX: not there */
    eop_texts texts;
    size_t text_bytes;
    import_row *rows;
    size_t count;
    size_t capacity;
    uint32_t *slots; /**< row + 1 by what it says; open addressing */
    size_t slot_count;
    uint64_t added;
    uint64_t duplicates;
} import_work;

static void import_free(import_work *w) {
    eop_texts_dispose(&w->texts);
    eop_free(w->rows);
    eop_free(w->slots);
    eop_free(w);
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

/* Place of a row that says the same, or the free one where it belongs. */
static uint32_t *row_slot(const import_work *w, uint32_t *slots, size_t count,
                          const import_row *row) {
    uint64_t key[4] = {(uint64_t)row->start, (uint64_t)row->end,
                       ((uint64_t)(uint32_t)row->texts[0] << 32) | (uint32_t)row->texts[1],
                       (uint32_t)row->texts[2]};
    size_t at = (size_t)eop_hash64(key, sizeof(key)) & (count - 1);
    while (slots[at] != 0) {
        const import_row *other = &w->rows[slots[at] - 1];
        if (other->start == row->start && other->end == row->end &&
            memcmp(other->texts, row->texts, sizeof(row->texts)) == 0) {
            break;
        }
        at = (at + 1) & (count - 1);
    }
    return &slots[at];
}

static bool grow_slots(import_work *w) {
    if ((w->count + 1) * 2 <= w->slot_count) {
        return true;
    }
    size_t count = w->slot_count != 0 ? w->slot_count * 2 : 1024;
    uint32_t *slots = eop_calloc(count, sizeof(*slots));
    if (slots == NULL) {
        return false;
    }
    for (size_t i = 0; i < w->count; i++) {
        *row_slot(w, slots, count, &w->rows[i]) = (uint32_t)i + 1;
    }
    eop_free(w->slots);
    w->slots = slots;
    w->slot_count = count;
    return true;
}

static edgeops_status add_row(import_work *w, const import_row *row) {
    if (!grow_slots(w)) {
        return eop_fail_nomem("node");
    }
    uint32_t *slot = row_slot(w, w->slots, w->slot_count, row);
    if (*slot != 0) {
        w->duplicates++;
        return EDGEOPS_OK;
    }
    if (w->count >= LABELS_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "node",
                        "labels: one import takes at most %u labels; split the file", LABELS_MAX);
    }
    if (!eop_grow(&w->rows, &w->capacity, w->count + 1, sizeof(*w->rows))) {
        return eop_fail_nomem("node");
    }
    w->rows[w->count++] = *row;
    *slot = (uint32_t)w->count;
    return EDGEOPS_OK;
}

static edgeops_status number_of(import_work *w, int32_t *out, const char *text) {
    size_t before = w->texts.count;
    size_t size = strlen(text);
    edgeops_status status =
        eop_texts_add(out, &w->texts, text, size, (size_t)LABELS_MAX * 3, "texts in the labels");
    w->text_bytes += w->texts.count > before ? size + 1 : 0;
    if (status == EDGEOPS_OK && w->text_bytes > TEXT_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "node",
                          "labels: the file has over %u MiB of different texts; split it",
                          TEXT_MAX >> 20);
    }
    return status;
}

static const char *field_of(const import_work *w, const eop_csv_field *fields, size_t n, int column,
                            const char *otherwise) {
    size_t at = w->at[column];
    return at < n && fields[at].size > 0 ? fields[at].text : otherwise;
}

static edgeops_status read_times(import_row *row, const char *start, const char *end,
                                 uint64_t line) {
    if (!eop_csv_time(&row->start, start, strlen(start), NULL) ||
        !eop_csv_time(&row->end, end, strlen(end), NULL)) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "labels:%llu: start '%.40s' or end '%.40s' is no time",
                        (unsigned long long)line, start, end);
    }
    if (row->end < row->start) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "labels:%llu: end '%.40s' is before start",
                        (unsigned long long)line, end);
    }
    return EDGEOPS_OK;
}

static edgeops_status take_record(import_work *w, const eop_csv_field *fields, size_t n,
                                  uint64_t line) {
    import_row row = {0};
    const char *start = field_of(w, fields, n, COLUMN_START, "");
    const char *label = field_of(w, fields, n, COLUMN_LABEL, "");
    const char *author = field_of(w, fields, n, COLUMN_AUTHOR, "");
    /* What the call says goes for all rows. */
    const char *given = eop_json_string(w->call->args, "asset", NULL);
    const char *asset = given != NULL ? given : field_of(w, fields, n, COLUMN_ASSET, "");
    edgeops_status status =
        read_times(&row, start, field_of(w, fields, n, COLUMN_END, start), line);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (label[0] == '\0' || strlen(label) > FIELD_MAX || strlen(author) > FIELD_MAX) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "labels:%llu: a label has 1 to %u bytes, an author at most as many",
                        (unsigned long long)line, FIELD_MAX);
    }
    status = number_of(w, &row.texts[0], asset);
    if (status == EDGEOPS_OK) {
        status = number_of(w, &row.texts[1], label);
    }
    if (status == EDGEOPS_OK) {
        status = number_of(w, &row.texts[2], author);
    }
    return status == EDGEOPS_OK ? add_row(w, &row) : status;
}

static edgeops_status note_known(const edgeops_label *label, void *user_data) {
    import_work *w = user_data;
    const char *const texts[3] = {label->asset, label->label, label->author};
    import_row row = {.start = label->start, .end = label->end};
    for (size_t i = 0; i < 3; i++) {
        row.texts[i] = eop_texts_find(&w->texts, texts[i], strlen(texts[i]));
        if (row.texts[i] < 0) {
            return EDGEOPS_OK;
        }
    }
    uint32_t slot = *row_slot(w, w->slots, w->slot_count, &row);
    if (slot != 0) {
        w->rows[slot - 1].known = true;
    }
    return EDGEOPS_OK;
}

static edgeops_status store_new(import_work *w) {
    edgeops_store *store = w->call->node->store;
    if (w->count == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status =
        edgeops_store_labels(store, eop_json_string(w->call->args, "asset", NULL), note_known, w);
    if (status != EDGEOPS_OK) {
        return status;
    }
    edgeops_label *labels = eop_calloc(w->count, sizeof(*labels));
    size_t n = 0;
    if (labels == NULL) {
        return eop_fail_nomem("node");
    }
    for (size_t i = 0; i < w->count; i++) {
        const import_row *row = &w->rows[i];
        if (!row->known) {
            labels[n++] = (edgeops_label){.asset = w->texts.items[row->texts[0]],
                                          .start = row->start,
                                          .end = row->end,
                                          .label = w->texts.items[row->texts[1]],
                                          .author = w->texts.items[row->texts[2]]};
        }
    }
    status = edgeops_store_label(store, labels, n, NULL);
    eop_free(labels);
    if (status == EDGEOPS_OK) {
        w->added = n;
        w->duplicates += w->count - n;
    }
    return status;
}

static edgeops_status read_labels(eop_job *job, import_work *w, int fd) {
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
    }
    eop_csv_close(csv);
    if (eop_job_canceled(job)) {
        return eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static void import_work_fn(eop_job *job, void *user_data) {
    import_work *w = user_data;
    eop_bulk *bulk = NULL;
    edgeops_status status = eop_bulk_open(&bulk, job, w->call->input);
    if (status == EDGEOPS_OK) {
        status = read_labels(job, w, eop_bulk_fd(bulk));
    }
    if (status == EDGEOPS_OK) {
        status = store_new(w);
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
         "add labels from a CSV file with the columns asset, start, end, label, author: all or "
         "none, without those that are there",
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
