/* SPDX-License-Identifier: Apache-2.0 */
/* label.import: a CSV with columns asset?, start, end?, label, author? All of it or nothing is
 * added, and what is there already is not added again: a file can be imported twice. */
#include "node/ops/label_import.h"

#include <stdio.h>
#include <string.h>

#include "codec/csv.h"
#include "codec/time_text.h"
#include "node/control/job.h"
#include "node/files/predict.h"
#include "node/ops/groups.h"

#define LABELS_MAX 1000000u
#define FIELD_MAX  256u
#define TEXT_MAX   (256u << 20)

enum { COLUMN_ASSET, COLUMN_START, COLUMN_END, COLUMN_LABEL, COLUMN_AUTHOR, COLUMNS };
static const char *const column_names[COLUMNS] = {"asset", "start", "end", "label", "author"};

typedef struct import_work {
    edgeops_call *call;
    size_t at[COLUMNS]; /**< place in a record, SIZE_MAX: not there */
    eop_texts texts;
    size_t text_bytes;
    char source[FIELD_MAX + 1];
    edgeops_label *labels; /**< their texts are those of `texts` */
    size_t count;
    size_t capacity;
    edgeops_label_result result;
} import_work;

static void import_free(import_work *w) {
    eop_texts_dispose(&w->texts);
    eop_free(w->labels);
    eop_free(w);
}

static edgeops_status read_header(import_work *w, eop_csv_reader *csv) {
    const eop_field *fields = NULL;
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

static edgeops_status add_label(import_work *w, const edgeops_label *label) {
    if (w->count >= LABELS_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "node",
                        "labels: one import takes at most %u labels; split the file", LABELS_MAX);
    }
    if (!eop_grow(&w->labels, &w->capacity, w->count + 1, sizeof(*w->labels))) {
        return eop_fail_nomem("node");
    }
    w->labels[w->count++] = *label;
    return EDGEOPS_OK;
}

static edgeops_status keep(import_work *w, const char **out, const char *text) {
    size_t before = w->texts.count;
    size_t size = strlen(text);
    int32_t number = 0;
    edgeops_status status = eop_texts_add(&number, &w->texts, text, size, (size_t)LABELS_MAX * 3,
                                          "texts in the labels");
    w->text_bytes += w->texts.count > before ? size + 1 : 0;
    if (status == EDGEOPS_OK && w->text_bytes > TEXT_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "node",
                          "labels: the file has over %u MiB of different texts; split it",
                          TEXT_MAX >> 20);
    }
    if (status == EDGEOPS_OK) {
        *out = w->texts.items[number];
    }
    return status;
}

static const char *field_of(const import_work *w, const eop_field *fields, size_t n, int column,
                            const char *otherwise) {
    size_t at = w->at[column];
    return at < n && fields[at].size > 0 ? fields[at].text : otherwise;
}

static edgeops_status read_times(edgeops_label *row, const char *start, const char *end,
                                 uint64_t line) {
    if (!eop_time_text(&row->start, NULL, NULL, start, strlen(start)) ||
        !eop_time_text(&row->end, NULL, NULL, end, strlen(end))) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "labels:%llu: start '%.40s' or end '%.40s' is not a time",
                        (unsigned long long)line, start, end);
    }
    if (row->end < row->start) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "labels:%llu: end '%.40s' is before start",
                        (unsigned long long)line, end);
    }
    return EDGEOPS_OK;
}

static edgeops_status take_record(import_work *w, const eop_field *fields, size_t n,
                                  uint64_t line) {
    edgeops_label row = {.source = w->source};
    const char *start = field_of(w, fields, n, COLUMN_START, "");
    const char *label = field_of(w, fields, n, COLUMN_LABEL, "");
    const char *author = field_of(w, fields, n, COLUMN_AUTHOR, "");
    /* The asset of the call is that of all rows. */
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
    status = keep(w, &row.asset, asset);
    if (status == EDGEOPS_OK) {
        status = keep(w, &row.label, label);
    }
    if (status == EDGEOPS_OK) {
        status = keep(w, &row.author, author);
    }
    return status == EDGEOPS_OK ? add_label(w, &row) : status;
}

static edgeops_status read_labels(eop_job *job, import_work *w) {
    eop_csv_reader *csv = NULL;
    edgeops_status status =
        eop_csv_open(&csv, w->call->input, eop_job_cancel_fd(job), &(eop_csv_dialect){0}, "labels");
    if (status == EDGEOPS_OK) {
        status = read_header(w, csv);
    }
    while (status == EDGEOPS_OK && !eop_job_canceled(job)) {
        const eop_field *fields = NULL;
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
    edgeops_status status = eop_job_check_input(job);
    if (status == EDGEOPS_OK) {
        status = read_labels(job, w);
    }
    if (status == EDGEOPS_OK) {
        status = edgeops_label_add_new(&w->result, w->call->node->store, w->labels, w->count);
    }
    eop_job_end(job, status);
}

static void import_done(eop_job *job, void *user_data) {
    import_work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_json *result = NULL;
    if (status == EDGEOPS_OK) {
        result = eop_json_object();
        eop_json_set_integer(result, "labels", (int64_t)w->result.added);
        eop_json_set_integer(result, "duplicates", (int64_t)w->result.duplicates);
    }
    eop_call_finish(w->call, status, result);
    import_free(w);
}

edgeops_status eop_label_import_start(edgeops_call *call) {
    import_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    w->result = (edgeops_label_result)EDGEOPS_LABEL_RESULT_INIT;
    const char *what = eop_json_string(call->args, "what", "input");
    (void)snprintf(w->source, sizeof(w->source), "import:%s", what);
    w->source[eop_utf8_valid(w->source, strlen(w->source))] = '\0'; /* not within a character */
    edgeops_status status = eop_job_start(NULL, call->node, call, import_work_fn, import_done, w);
    if (status != EDGEOPS_OK) {
        import_free(w);
    }
    return status;
}
