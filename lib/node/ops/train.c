/* SPDX-License-Identifier: Apache-2.0 */
/* train: the run's record, a training of the runtime, the model's record. The model's folder comes
 * before its record: a crash leaves a run that the next open calls lost and folders that it sweeps,
 * never half a model. */
#include <string.h>

#include "dataset/dataset.h"
#include "node/control/job.h"
#include "node/files/dataset_diff.h"
#include "node/home/models.h"
#include "node/home/records.h"
#include "node/home/runs.h"
#include "node/ops/groups.h"
#include "runtime/model_file.h"
#include "runtime/params.h"
#include "store/room.h"

typedef struct train {
    edgeops_call *call;
    edgeops_node *node;
    edgeops_workflow *workflow;
    eop_json *params;
    char *params_json;
    char *model;     /**< name */
    char *directory; /**< HOME/models/NAME */
    eop_run *run;
    edgeops_training *training;
} train;

static void train_free(train *t) {
    if (t != NULL) {
        edgeops_workflow_close(t->workflow);
        eop_json_free(t->params);
        eop_free(t->params_json);
        eop_free(t->model);
        eop_free(t->directory);
        eop_run_free(t->run);
        eop_free(t);
    }
}

/* Ends a training that did not make a model. */
static void give_up(train *t, edgeops_status status, const char *message) {
    char *copy = eop_strdup(message);
    const char *text = copy != NULL ? copy : "out of memory";
    eop_run_log(t->run, "%s", text);
    eop_run_end(t->run, status, text);
    t->run = NULL;
    eop_call_fail(t->call, status, text);
    eop_free(copy);
    train_free(t);
}

static void give_up_last(train *t, edgeops_status status) {
    char *copy = eop_strdup(edgeops_error_last()->message);
    give_up(t, status, copy != NULL ? copy : "out of memory");
    eop_free(copy);
}

static void send_state(train *t, const char *state) {
    eop_json *event = eop_json_object();
    eop_json_set_string(event, "type", "state");
    eop_json_set_string(event, "state", state);
    eop_json_set_integer(event, "run", t->run->id);
    eop_json_set_string(event, "model", t->model);
    eop_call_event(t->call, event);
}

static void cancel(edgeops_call *call) {
    train *t = call->data;
    edgeops_training_cancel(t->training);
}

/* -- the model's record -- */

static void set_copy(eop_json *to, const char *key, const eop_json *value) {
    eop_json_set(to, key, value != NULL ? eop_json_copy(value) : eop_json_object());
}

/* What model.json says, and what only the node knows. */
static edgeops_status put_model(train *t) {
    eop_json *record = NULL;
    edgeops_status status = eop_model_read(&record, t->directory);
    if (status == EDGEOPS_OK) {
        eop_json_remove(record, "format");
        eop_json_set_string(record, "name", t->model);
        eop_json_set_integer(record, "run", t->run->id);
        status = eop_put_record(t->node, "model", t->model, record, true);
    }
    eop_json_free(record);
    return status;
}

static void finish(train *t) {
    edgeops_status status = put_model(t);
    if (status != EDGEOPS_OK) {
        char *message = eop_strdup(edgeops_error_last()->message);
        (void)eop_remove_tree(t->directory);
        give_up(t, status, message != NULL ? message : "out of memory");
        eop_free(message);
        return;
    }
    eop_json *result = eop_json_object();
    eop_json_set_integer(result, "run", t->run->id);
    eop_json_set_string(result, "model", t->model);
    set_copy(result, "metrics", eop_json_get(t->run->record, "metrics"));
    set_copy(result, "usage", eop_json_get(t->run->record, "usage"));
    eop_json_set_string(t->run->record, "model", t->model);
    eop_run_end(t->run, EDGEOPS_OK, NULL);
    t->run = NULL;
    eop_call_finish(t->call, EDGEOPS_OK, result);
    train_free(t);
}

/* -- the training -- */

static void on_event(const edgeops_train_event *event, void *user_data) {
    train *t = user_data;
    if (event->kind == EDGEOPS_TRAIN_STATE) {
        send_state(t, event->text);
        return;
    }
    eop_json *json = eop_json_object();
    if (event->kind == EDGEOPS_TRAIN_PROGRESS) {
        eop_json_set_string(json, "type", "progress");
        eop_json_set_number(json, "progress", event->progress);
    } else if (event->kind == EDGEOPS_TRAIN_METRIC) {
        eop_run_metric(t->run, event->name, event->value, event->step);
        eop_json_set_string(json, "type", "metric");
        eop_json_set_string(json, "name", event->name);
        eop_json_set_number(json, "value", event->value);
        if (event->step >= 0) {
            eop_json_set_integer(json, "step", event->step);
        }
    } else {
        eop_json_set_string(json, "type", "log");
        eop_json_set_string(json, "text", event->text);
    }
    if (eop_call_congested(t->call)) {
        eop_json_free(json); /* the log and the metrics have it */
        return;
    }
    eop_call_event(t->call, json);
}

static void on_done(edgeops_status status, const char *message, const edgeops_usage *usage,
                    void *user_data) {
    train *t = user_data;
    t->training = NULL;
    if (usage->wall_s > 0) {
        eop_json_set(t->run->record, "usage", eop_usage_json(usage));
    }
    if (status == EDGEOPS_OK) {
        finish(t);
    } else {
        give_up(t, status, message);
    }
}

static edgeops_status start_training(train *t) {
    edgeops_runtime *runtime = NULL;
    edgeops_status status = eop_node_runtime(&runtime, t->node);
    if (status != EDGEOPS_OK) {
        return status;
    }
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;
    options.workflow = t->workflow;
    options.store = t->node->store;
    options.dataset = eop_json_string(t->call->args, "dataset", "");
    options.params_json = t->params_json;
    options.directory = t->directory;
    options.run_dir = t->run->directory;
    options.on_event = on_event;
    options.on_done = on_done;
    options.user_data = t;
    return edgeops_training_start(&t->training, runtime, &options);
}

/* -- the beginning -- */

/* Two trainings with one name would otherwise notice only when the second one ends. */
static edgeops_status check_free(const train *t) {
    if (eop_model_exists(t->node, t->model)) {
        return eop_fail(EDGEOPS_E_EXISTS, "node",
                        "there is a model '%s' already; take another name or remove it", t->model);
    }
    for (const edgeops_call *call = t->node->calls; call != NULL; call = call->next) {
        const train *other = call->op == t->call->op ? call->data : NULL;
        if (call->state == EOP_CALL_RUNNING && other != NULL &&
            strcmp(other->model, t->model) == 0) {
            return eop_fail(EDGEOPS_E_BUSY, "node",
                            "run %lld is training a model '%s' at this moment; take another name",
                            (long long)call->run, t->model);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status choose_name(train *t) {
    const char *given = eop_json_string(t->call->args, "name", NULL);
    if (given != NULL) {
        t->model = eop_strdup(given);
        if (t->model == NULL) {
            return eop_fail_nomem("node");
        }
        edgeops_status status = eop_check_id("model", t->model);
        return status == EDGEOPS_OK ? check_free(t) : status;
    }
    const char *workflow = edgeops_workflow_info_of(t->workflow)->manifest->name;
    char *sequence = eop_format("model-%s", workflow);
    edgeops_status status = sequence != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    do {
        int64_t number = 0;
        if (status == EDGEOPS_OK) {
            status = eop_record_number(&number, t->node->catalog, sequence);
        }
        eop_free(t->model);
        t->model = eop_format("%.50s-%lld", workflow, (long long)number);
        if (t->model == NULL) {
            status = eop_fail_nomem("node");
        }
    } while (status == EDGEOPS_OK && eop_model_exists(t->node, t->model));
    eop_free(sequence);
    return status;
}

static edgeops_status resolve(train *t) {
    const eop_json *params = eop_json_get(t->call->args, "params");
    char *given = params != NULL ? eop_json_print(params) : NULL;
    if (params != NULL && given == NULL) {
        return eop_fail_nomem("node");
    }
    edgeops_status status =
        eop_params_resolve(&t->params, edgeops_workflow_info_of(t->workflow)->manifest, given);
    eop_free(given);
    if (status == EDGEOPS_OK) {
        t->params_json = eop_json_print(t->params);
        status = t->params_json != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    }
    return status;
}

static edgeops_status begin_run(train *t) {
    const char *dataset = eop_json_string(t->call->args, "dataset", "");
    char *json = NULL;
    edgeops_status status = eop_dataset_describe(&json, t->node->store, dataset);
    eop_free(json); /* only checks that it exists: reading it takes time */
    if (status == EDGEOPS_OK) {
        status =
            eop_run_begin(&t->run, t->node, "train",
                          edgeops_workflow_info_of(t->workflow)->manifest->name, dataset, NULL);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    t->call->run = t->run->id;
    set_copy(t->run->record, "params", t->params);
    t->directory = eop_node_path(t->node, "models", t->model);
    return t->directory != NULL ? eop_run_save(t->run) : eop_fail_nomem("node");
}

static edgeops_status train_start(edgeops_call *call) {
    train *t = eop_calloc(1, sizeof(*t));
    if (t == NULL) {
        return eop_fail_nomem("node");
    }
    t->call = call;
    t->node = call->node;
    char *store = eop_workflow_store(t->node);
    edgeops_status status = store != NULL
                                ? edgeops_workflow_open(&t->workflow, store,
                                                        eop_json_string(call->args, "workflow", ""))
                                : eop_fail_nomem("node");
    eop_free(store);
    if (status == EDGEOPS_OK) {
        status = resolve(t);
    }
    if (status == EDGEOPS_OK) {
        status = eop_store_ready(t->node->store); /* there must be room for the model */
    }
    if (status == EDGEOPS_OK) {
        status = choose_name(t);
    }
    if (status == EDGEOPS_OK) {
        status = begin_run(t);
    }
    if (status == EDGEOPS_OK) {
        call->data = t;
        call->cancel = cancel;
        status = start_training(t);
    }
    if (status == EDGEOPS_OK) {
        send_state(t, "loading");
    } else if (t->run != NULL) {
        give_up_last(t, status); /* ends the call, too */
        status = EDGEOPS_OK;
    } else {
        train_free(t);
    }
    return status;
}

const eop_op eop_train_ops[] = {
    {&eop_spec_train, .start = train_start},
    {0},
};
