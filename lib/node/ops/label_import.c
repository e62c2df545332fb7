/* SPDX-License-Identifier: Apache-2.0 */
/* label.import: a table with columns asset?, start, end?, label, author? Its good rows are added all
 * or none, and what is there already is not added again: a file can be imported twice. The table
 * reader gives all but the start as texts; what an end is follows the same rules here. */
#include "node/ops/label_import.h"

#include <stdio.h>
#include <string.h>

#include "codec/table_options.h"
#include "dataset/label.h"
#include "node/control/job.h"
#include "node/files/bad_list.h"
#include "node/files/predict.h"
#include "node/ops/groups.h"

#define LABELS_MAX 1000000u
#define FIELD_MAX  256u
#define TEXT_MAX   (256u << 20)

typedef struct import_work {
    edgeops_call *call;
    eop_job *job;
    bool dry_run;    /**< nothing is added */
    eop_json *table; /**< the arguments in the table reader's words */
    eop_table_args args;
    char *asset; /**< pattern of the asset's name */
    const char *end_column;
    const char *label_column;
    const char *author_column;
    eop_rules *rules;
    eop_table_reader *reader;
    eop_json *report;
    eop_bad_list bad;
    eop_texts assets[2]; /**< with bad rows skipped: names that there are not, that there are */
    eop_texts texts;
    size_t text_bytes;
    char source[FIELD_MAX + 1];
    edgeops_label *labels; /**< their texts are those of `texts` */
    size_t count;
    size_t capacity;
    edgeops_label_result result;
} import_work;

static void import_free(import_work *w) {
    if (w == NULL) {
        return;
    }
    eop_table_reader_close(w->reader);
    eop_table_args_dispose(&w->args);
    eop_rules_free(w->rules);
    eop_json_free(w->table);
    eop_json_free(w->report);
    eop_free(w->asset);
    eop_bad_list_dispose(&w->bad);
    eop_texts_dispose(&w->assets[0]);
    eop_texts_dispose(&w->assets[1]);
    eop_texts_dispose(&w->texts);
    eop_free(w->labels);
    eop_free(w);
}

/* -- one row -- */

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

static edgeops_status keep(import_work *w, const char **out, const char *text, size_t size) {
    size_t before = w->texts.count;
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

/* The text in a column; empty where the row has none. */
static edgeops_value text_in(const eop_table_row *row, const char *column) {
    for (size_t i = 0; i < row->sample.count; i++) {
        if (strcmp(row->sample.channels[i], column) == 0) {
            return row->sample.values[i];
        }
    }
    return (edgeops_value){.type = EDGEOPS_TYPE_STRING, .as.str = ""};
}

static edgeops_status refuse(const import_work *w, const char *column, const char *reason,
                             const edgeops_value *text) {
    return eop_table_reader_refuse(w->reader, column, reason, text->as.str, text->size);
}

/* Where bad rows are left out, so are those of assets that are not there; else the end of it says
 * which one is missing. */
static edgeops_status find_asset(import_work *w, bool *out, const char *name) {
    size_t size = strlen(name);
    *out = true;
    if (w->args.options.bad_rows != EOP_BAD_SKIP ||
        eop_texts_find(&w->assets[1], name, size) >= 0) {
        return EDGEOPS_OK;
    }
    *out = false;
    if (eop_texts_find(&w->assets[0], name, size) >= 0) {
        return EDGEOPS_OK;
    }
    edgeops_asset_info *info = NULL;
    int32_t number = 0;
    edgeops_status status = edgeops_asset_get(&info, w->call->node->store, name);
    edgeops_free(info);
    if (status == EDGEOPS_E_NOMEM) {
        return status;
    }
    *out = status == EDGEOPS_OK;
    return eop_texts_add(&number, &w->assets[*out ? 1 : 0], name, size, LABELS_MAX,
                         "assets in the labels");
}

/* A word for null is no end and no author; a label is what it says. */
static edgeops_status take_row(import_work *w, const eop_table_row *row) {
    edgeops_value label = text_in(row, w->label_column);
    edgeops_value end = text_in(row, w->end_column);
    edgeops_value author = text_in(row, w->author_column);
    edgeops_label out = {.source = w->source, .start = row->sample.time, .end = row->sample.time};
    if (eop_rules_null(w->rules, author.as.str, author.size) != NULL) {
        author.size = 0;
    }
    if (label.size == 0 || label.size > FIELD_MAX) {
        return refuse(w, w->label_column,
                      label.size == 0 ? "no label" : "a label of over 256 bytes", &label);
    }
    if (author.size > FIELD_MAX) {
        return refuse(w, w->author_column, "an author of over 256 bytes", &author);
    }
    if (eop_rules_null(w->rules, end.as.str, end.size) == NULL &&
        !eop_table_reader_end(w->reader, &out.end, out.start, end.as.str, end.size)) {
        return refuse(w, w->end_column,
                      w->args.options.rules.times.format != NULL
                          ? "not a time of the given format"
                          : "not a time (ISO 8601 or a number)",
                      &end);
    }
    if (out.end < out.start) {
        return refuse(w, w->end_column, "before the start", &end);
    }
    bool there = false;
    edgeops_status status = find_asset(w, &there, row->sample.asset);
    if (status == EDGEOPS_OK && !there) {
        edgeops_value asset = {.size = (uint32_t)strlen(row->sample.asset),
                               .as.str = row->sample.asset};
        return refuse(w, "asset", "not an asset of this home", &asset);
    }
    if (status == EDGEOPS_OK) {
        status = keep(w, &out.asset, row->sample.asset, strlen(row->sample.asset));
    }
    if (status == EDGEOPS_OK) {
        status = keep(w, &out.label, label.as.str, label.size);
    }
    if (status == EDGEOPS_OK) {
        status = keep(w, &out.author, author.as.str, author.size);
    }
    return status == EDGEOPS_OK ? add_label(w, &out) : status;
}

/* -- the file -- */

/* The columns of CSV are known before the first row. */
static edgeops_status check_columns(const import_work *w) {
    const eop_table_column *columns = NULL;
    size_t n = eop_table_reader_channels(w->reader, &columns);
    bool found = w->args.options.format != EOP_TABLE_CSV;
    for (size_t i = 0; i < n; i++) {
        found = found || strcmp(columns[i].name, w->label_column) == 0;
    }
    return found ? EDGEOPS_OK
                 : eop_fail(EDGEOPS_E_INVALID, "node",
                            "%s: there is no column '%s'; labels need the columns start, label and "
                            "(unless an asset is given) asset, or options that name them; end and "
                            "author are optional",
                            w->args.options.what, w->label_column);
}

static bool is_used(const import_work *w, const char *name) {
    const eop_table_options *o = &w->args.options;
    const char *const names[] = {w->label_column, w->end_column, w->author_column, o->time_column,
                                 o->clock_column};
    size_t size = strlen(name);
    for (size_t i = 0; i < EOP_COUNT(names); i++) {
        if (names[i] != NULL && strcmp(names[i], name) == 0) {
            return true;
        }
    }
    const char *at = w->asset;
    while ((at = strchr(at, '{')) != NULL) {
        at++;
        if (strncmp(at, name, size) == 0 && at[size] == '}') {
            return true;
        }
    }
    return false;
}

/* A column of another name may be meant for something. */
static void tell_unused(import_work *w) {
    const eop_table_column *columns = NULL;
    size_t n = eop_table_reader_channels(w->reader, &columns);
    eop_buf names = {0};
    for (size_t i = 0; i < n; i++) {
        if (!is_used(w, columns[i].name)) {
            eop_buf_printf(&names, "%s%s", names.size > 0 ? ", " : "columns that no label takes: ",
                           columns[i].name);
        }
    }
    if (names.size > 0 && !names.failed) {
        eop_table_reader_note(w->reader, names.data);
    }
    eop_buf_dispose(&names);
}

static void report_progress(import_work *w, uint64_t rows) {
    if (rows % 1000 == 0 && eop_job_due(w->job)) {
        eop_json *event = eop_json_object();
        eop_json_set_string(event, "type", "progress");
        eop_json_set_integer(event, "rows", (int64_t)rows);
        eop_json_set_integer(event, "bytes", (int64_t)eop_table_reader_offset(w->reader));
        eop_job_event(w->job, event);
    }
}

static void list_bad(uint64_t line, const char *column, const char *reason, const char *text,
                     size_t size, void *user_data) {
    import_work *w = user_data;
    eop_bad_list_add(&w->bad, line, column, reason, text, size);
}

static edgeops_status read_labels(import_work *w) {
    eop_table_options *o = &w->args.options;
    o->cancel_fd = eop_job_cancel_fd(w->job);
    o->on_bad = list_bad;
    o->user_data = w;
    eop_bad_list_begin(&w->bad, w->job, w->call->output);
    edgeops_status status = eop_table_reader_open(&w->reader, w->call->input, o);
    if (status == EDGEOPS_OK) {
        status = check_columns(w);
    }
    for (uint64_t rows = 1;
         status == EDGEOPS_OK && w->bad.status == EDGEOPS_OK && !eop_job_canceled(w->job); rows++) {
        eop_table_row row;
        status = eop_table_reader_next(w->reader, &row);
        if (status == EDGEOPS_OK) {
            status = take_row(w, &row);
        }
        report_progress(w, rows);
    }
    if (eop_job_canceled(w->job)) {
        return eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
    }
    if (status != EDGEOPS_DONE) {
        return status;
    }
    tell_unused(w);
    w->report = eop_table_reader_report(w->reader);
    return w->report != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
}

static void import_work_fn(eop_job *job, void *user_data) {
    import_work *w = user_data;
    w->job = job;
    edgeops_status status = eop_job_check_input(job);
    if (status == EDGEOPS_OK) {
        status = eop_bad_list_end(&w->bad, read_labels(w));
        if (status == EDGEOPS_E_INVALID) {
            status =
                eop_fail(status, "node", "%s; no label was added", edgeops_error_last()->message);
        }
    }
    if (status == EDGEOPS_OK) {
        edgeops_store *store = w->call->node->store;
        status = w->dry_run ? eop_label_try_new(&w->result, store, w->labels, w->count)
                            : edgeops_label_add_new(&w->result, store, w->labels, w->count);
    }
    eop_job_end(job, status);
}

static void import_done(eop_job *job, void *user_data) {
    import_work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_json *result = NULL;
    if (status == EDGEOPS_OK) {
        result = eop_json_object();
        if (w->dry_run) {
            eop_json_set_bool(result, "dry_run", true);
        }
        eop_json_set_integer(result, "labels", (int64_t)w->result.added);
        eop_json_set_integer(result, "duplicates", (int64_t)w->result.duplicates);
        for (const eop_json *m = eop_json_first(w->report); m != NULL; m = eop_json_next(m)) {
            if (strcmp(eop_json_key(m), "channels") != 0) { /* all are texts */
                eop_json_set(result, eop_json_key(m), eop_json_copy(m));
            }
        }
    }
    eop_call_finish(w->call, status, result);
    import_free(w);
}

/* -- the arguments -- */

static edgeops_status read_args(import_work *w) {
    const eop_json *args = w->call->args;
    const char *asset = eop_json_string(args, "asset", NULL);
    w->end_column = eop_json_string(args, "end_column", "end");
    w->label_column = eop_json_string(args, "label_column", "label");
    w->author_column = eop_json_string(args, "author_column", "author");
    w->asset = asset != NULL ? eop_strdup(asset)
                             : eop_format("{%s}", eop_json_string(args, "asset_column", "asset"));
    w->table = eop_json_copy(args);
    if (w->asset == NULL || w->table == NULL) {
        return eop_fail_nomem("node");
    }
    eop_json_set_string(w->table, "time_column", eop_json_string(args, "start_column", "start"));
    edgeops_status status = eop_table_args_read(&w->args, w->table, "label.import");
    if (status == EDGEOPS_OK) {
        status = eop_rules_new(&w->rules, &w->args.options.rules);
    }
    eop_table_options *o = &w->args.options;
    w->dry_run = eop_json_bool(args, "dry_run", false);
    o->what = eop_json_string(args, "what", "labels");
    o->format = strcmp(eop_json_string(args, "format", "csv"), "jsonl") == 0 ? EOP_TABLE_JSON_LINES
                                                                             : EOP_TABLE_CSV;
    o->asset = w->asset;
    o->label_column = NULL; /* a row is a label, not a run of them */
    o->as_text = true;
    return status;
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
    edgeops_status status = read_args(w);
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, import_work_fn, import_done, w);
    }
    if (status != EDGEOPS_OK) {
        import_free(w);
    }
    return status;
}
