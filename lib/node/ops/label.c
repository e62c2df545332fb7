/* SPDX-License-Identifier: Apache-2.0 */
/* label.*: lists come in pages, which the answer's cursor leads through. */
#include <string.h>

#include "dataset/label.h"
#include "node/control/job.h"
#include "node/ops/groups.h"
#include "node/ops/label_import.h"

/* As many labels as fit into an answer, whatever their length. */
#define PAGE_MAX 5000

/* -- adding -- */

/* A label of `json`; absent members are taken from the call. Borrowed. */
static edgeops_status read_label(edgeops_label *out, const eop_json *json, const eop_json *call) {
    *out = (edgeops_label){
        .asset = eop_json_string(json, "asset", eop_json_string(call, "asset", NULL)),
        .label = eop_json_string(json, "label", NULL),
        .author = eop_json_string(json, "author", eop_json_string(call, "author", "")),
        .source = eop_json_string(call, "source", NULL)};
    edgeops_status status = eop_arg_time(&out->start, json, "start", 0);
    return status == EDGEOPS_OK ? eop_arg_time(&out->end, json, "end", out->start) : status;
}

static edgeops_status run_add(edgeops_call *call, eop_json **result) {
    int64_t id = 0;
    edgeops_label label;
    edgeops_status status = read_label(&label, call->args, NULL);
    label.source = eop_json_string(call->args, "source", NULL);
    if (status == EDGEOPS_OK) {
        status = edgeops_label_add(&id, call->node->store, &label, 1);
    }
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_integer(*result, "id", id);
    }
    return status;
}

static edgeops_status run_add_many(edgeops_call *call, eop_json **result) {
    const eop_json *items = eop_json_get(call->args, "items");
    size_t n = eop_json_size(items);
    edgeops_label_result done = EDGEOPS_LABEL_RESULT_INIT;
    done.added = n;
    int64_t first = 0;
    edgeops_label *labels = eop_calloc(n, sizeof(*labels));
    edgeops_status status = labels != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    const eop_json *item = eop_json_first(items);
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++, item = eop_json_next(item)) {
        status = read_label(&labels[i], item, call->args);
        if (status == EDGEOPS_OK && labels[i].asset == NULL) {
            status = eop_fail(EDGEOPS_E_INVALID, "node",
                              "items/%zu: no asset, and the call names none", i);
        }
    }
    bool once = eop_json_bool(call->args, "once", false);
    if (status == EDGEOPS_OK) {
        status = once ? edgeops_label_add_new(&done, call->node->store, labels, n)
                      : edgeops_label_add(&first, call->node->store, labels, n);
    }
    eop_free(labels);
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_integer(*result, "labels", (int64_t)done.added);
        eop_json_set_integer(*result, "duplicates", (int64_t)done.duplicates);
        if (!once) {
            eop_json_set_integer(*result, "first_id", first);
        }
    }
    return status;
}

/* -- looking -- */

static edgeops_status list_one(const edgeops_label *label, void *user_data) {
    eop_json *json = eop_json_object();
    eop_json_set_integer(json, "id", label->id);
    eop_json_set_string(json, "asset", label->asset);
    eop_json_set_time(json, "start", label->start);
    eop_json_set_time(json, "end", label->end);
    eop_json_set_string(json, "label", label->label);
    eop_json_set_string(json, "author", label->author);
    eop_json_set_time(json, "created", label->created);
    eop_json_set_string(json, "source", label->source);
    eop_json_set_integer(json, "version", (int64_t)label->version);
    if (label->replaces != 0) {
        eop_json_set_integer(json, "replaces", label->replaces);
    }
    if (label->withdrawn != 0) {
        eop_json_set_integer(json, "withdrawn", (int64_t)label->withdrawn);
    }
    eop_json_append(user_data, json);
    return EDGEOPS_OK;
}

/* A page, and the label after which the next page begins. */
static edgeops_status list(eop_json **result, edgeops_call *call, edgeops_label_query *query) {
    eop_json *items = NULL;
    uint64_t version = 0;
    query->version = (uint64_t)eop_json_integer(call->args, "at_version", 0);
    query->limit = (uint64_t)eop_json_integer(call->args, "limit", PAGE_MAX);
    query->after = eop_json_integer(call->args, "after", 0);
    *result = eop_items(&items);
    edgeops_status status = edgeops_label_list(&version, call->node->store, query, list_one, items);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_json_set_integer(*result, "version", (int64_t)version);
    if (eop_json_size(items) == query->limit) {
        int64_t last = 0;
        for (const eop_json *i = eop_json_first(items); i != NULL; i = eop_json_next(i)) {
            last = eop_json_integer(i, "id", 0);
        }
        eop_json_set_integer(*result, "next", last);
    }
    return EDGEOPS_OK;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    query.asset = eop_json_string(call->args, "asset", NULL);
    query.label = eop_json_string(call->args, "label", NULL);
    query.author = eop_json_string(call->args, "author", NULL);
    edgeops_status status = eop_arg_time(&query.start, call->args, "start", EDGEOPS_TIME_MIN);
    if (status == EDGEOPS_OK) {
        status = eop_arg_time(&query.end, call->args, "end", EDGEOPS_TIME_MAX);
    }
    return status == EDGEOPS_OK ? list(result, call, &query) : status;
}

static edgeops_status run_history(edgeops_call *call, eop_json **result) {
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    query.asset = eop_json_string(call->args, "asset", NULL);
    query.id = eop_json_integer(call->args, "id", 0);
    query.history = 1;
    if ((query.asset == NULL) == (query.id == 0)) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "give one of asset and id");
    }
    return list(result, call, &query);
}

/* -- correcting and taking back -- */

typedef struct corrected {
    edgeops_call *call;
    int64_t id;
    int64_t made;
} corrected;

/* Absent arguments leave the label as it was. */
static edgeops_status correct_one(const edgeops_label *old, void *user_data) {
    corrected *c = user_data;
    const eop_json *args = c->call->args;
    edgeops_label label = *old;
    if (old->id != c->id) {
        return EDGEOPS_OK;
    }
    label.label = eop_json_string(args, "label", old->label);
    label.author = eop_json_string(args, "author", old->author);
    label.source = eop_json_string(args, "source", NULL);
    edgeops_status status = eop_arg_time(&label.start, args, "start", old->start);
    if (status == EDGEOPS_OK) {
        bool point = old->start == old->end;
        status = eop_arg_time(&label.end, args, "end", point ? label.start : old->end);
    }
    return status == EDGEOPS_OK
               ? edgeops_label_correct(&c->made, c->call->node->store, c->id, &label)
               : status;
}

static edgeops_status run_correct(edgeops_call *call, eop_json **result) {
    static const char *const members[] = {"label", "start", "end"};
    edgeops_label_query query = EDGEOPS_LABEL_QUERY_INIT;
    corrected c = {.call = call, .id = eop_json_integer(call->args, "id", 0)};
    bool given = false;
    for (size_t i = 0; i < EOP_COUNT(members); i++) {
        given = given || eop_json_get(call->args, members[i]) != NULL;
    }
    if (!given) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "say what is right: give label, start or end; 'label.rm' takes it back");
    }
    query.id = c.id;
    edgeops_status status = edgeops_label_list(NULL, call->node->store, &query, correct_one, &c);
    if (status == EDGEOPS_OK) {
        *result = eop_json_object();
        eop_json_set_integer(*result, "id", c.made);
        eop_json_set_integer(*result, "replaces", c.id);
    }
    return status;
}

static edgeops_status run_rm(edgeops_call *call, eop_json **result) {
    (void)result;
    return edgeops_label_remove(call->node->store, eop_json_integer(call->args, "id", 0));
}

/* -- stats: rows are read, which may take a while -- */

typedef struct stats_work {
    edgeops_call *call;
    eop_job *job;
    eop_label_stats_options options;
    char *json;
} stats_work;

static void stats_free(stats_work *w) {
    eop_free(w->json);
    eop_free(w);
}

static bool stats_canceled(void *user_data) {
    const stats_work *w = user_data;
    return eop_job_canceled(w->job);
}

static void stats_run(eop_job *job, void *user_data) {
    stats_work *w = user_data;
    w->job = job;
    eop_job_end(job, eop_label_stats(&w->json, w->call->node->store, &w->options));
}

static void stats_done(eop_job *job, void *user_data) {
    stats_work *w = user_data;
    eop_json *result = NULL;
    edgeops_status status = eop_job_status(job);
    if (status == EDGEOPS_OK) {
        status = eop_json_parse(&result, w->json, strlen(w->json), "label.stats", NULL);
    }
    eop_call_finish(w->call, status, result);
    stats_free(w);
}

static edgeops_status stats_start(edgeops_call *call) {
    stats_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    w->options = (eop_label_stats_options){
        .pattern = eop_json_string(call->args, "asset", NULL),
        .version = (uint64_t)eop_json_integer(call->args, "at_version", 0),
        .conflicts = (size_t)eop_json_integer(call->args, "conflicts", 0),
        .canceled = stats_canceled,
        .user_data = w};
    edgeops_status status = eop_arg_time(&w->options.start, call->args, "start", EDGEOPS_TIME_MIN);
    if (status == EDGEOPS_OK) {
        status = eop_arg_time(&w->options.end, call->args, "end", EDGEOPS_TIME_MAX);
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, stats_run, stats_done, w);
    }
    if (status != EDGEOPS_OK) {
        stats_free(w);
    }
    return status;
}

const eop_op eop_label_ops[] = {
    {&eop_spec_label_add, .run = run_add},
    {&eop_spec_label_add_many, .run = run_add_many},
    {&eop_spec_label_correct, .run = run_correct},
    {&eop_spec_label_history, .run = run_history},
    {&eop_spec_label_import, .start = eop_label_import_start},
    {&eop_spec_label_ls, .run = run_ls},
    {&eop_spec_label_rm, .run = run_rm},
    {&eop_spec_label_stats, .start = stats_start},
    {0},
};
