/* SPDX-License-Identifier: Apache-2.0 */
/* A training from a dataset's name to the folder of a model: dataset to shared memory (thread), the
 * worker, beside it the dataset's digest (thread), files and model.json to the disk (thread). A
 * model is made only of a dataset whose digest was right; where it was wrong the training says so,
 * whichever of the two ended first. All but the work of the three threads runs in the loop; a
 * thread and the loop never touch the same member at once, except `stop`. */
#include <stdatomic.h>
#include <string.h>

#include "base/abi.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/time.h"
#include "dataset/dataset.h"
#include "runtime/folder.h"
#include "runtime/load.h"
#include "runtime/model_file.h"
#include "runtime/params.h"
#include "runtime/trainer.h"

/* How a part of it ended. */
typedef struct outcome {
    edgeops_status status;
    char *message;
} outcome;

struct edgeops_training {
    edgeops_runtime *runtime;
    edgeops_train_options options; /* texts: not kept */
    char *dataset;
    char *digest; /* as the catalog says */
    eop_json *params;
    eop_json *metrics; /* the last value of each */
    eop_new_folder folder;
    char *artifacts; /* in it */
    char *work_dir;  /* the worker's working directory, removed at its end */
    eop_runlog *log;
    eop_share share;
    eop_trainer *trainer;
    edgeops_usage usage;
    bool training;
    bool verifying;
    bool canceled;    /* by the caller */
    atomic_bool stop; /* asked by the verifying and the saving thread */
    edgeops_duration save_until;
    outcome loaded;
    outcome trained;
    outcome verified;
    outcome sealed;
};

static void note(outcome *o, edgeops_status status, const char *message) {
    eop_free(o->message);
    o->status = status;
    o->message = status < 0 ? eop_strdup(message) : NULL;
}

/* With the thread's error detail. */
static void note_last(outcome *o, edgeops_status status) {
    note(o, status, status < 0 ? edgeops_error_last()->message : "");
}

static const char *message_of(const outcome *o) {
    return o->status >= 0 ? "" : o->message != NULL ? o->message : "out of memory";
}

static void remove_work_dir(edgeops_training *t) {
    if (t->work_dir != NULL) {
        (void)eop_remove_tree(t->work_dir);
    }
    eop_free(t->work_dir);
    t->work_dir = NULL;
}

static void dispose(edgeops_training *t) {
    eop_trainer_free(t->trainer);
    eop_share_dispose(&t->share);
    eop_runlog_close(t->log);
    remove_work_dir(t);
    eop_new_folder_dispose(&t->folder);
    eop_json_free(t->params);
    eop_json_free(t->metrics);
    eop_free(t->artifacts);
    eop_free(t->dataset);
    eop_free(t->digest);
    eop_free(t->loaded.message);
    eop_free(t->trained.message);
    eop_free(t->verified.message);
    eop_free(t->sealed.message);
    eop_runtime_release(t->runtime);
    eop_free(t);
}

/* The message is part of t, so t is freed after the callback. */
static void end(edgeops_training *t, edgeops_status status, const char *message) {
    t->options.on_done(status, message, &t->usage, t->options.user_data);
    dispose(t);
}

static void end_with(edgeops_training *t, const outcome *o) {
    eop_runlog_say(t->log, "no model: %s", message_of(o));
    end(t, o->status, message_of(o));
}

static void give(edgeops_training *t, const edgeops_train_event *event) {
    if (t->options.on_event != NULL) {
        t->options.on_event(event, t->options.user_data);
    }
}

static void give_state(edgeops_training *t, const char *state) {
    const edgeops_train_event event = {.kind = EDGEOPS_TRAIN_STATE, .text = state};
    give(t, &event);
}

/* -- the model to the disk -- */

/* Saving may take as long as the training: files can be far larger than what they hold. */
static edgeops_status may_go_on(void *user_data) {
    edgeops_training *t = user_data;
    if (atomic_load(&t->stop)) {
        return eop_fail(EDGEOPS_E_CANCELED, "runtime", "ended on request");
    }
    if (eop_monotonic() > t->save_until) {
        return eop_fail(EDGEOPS_E_TIMEOUT, "runtime",
                        "reading the files that the training left took longer than the manifest's "
                        "train_timeout");
    }
    return EDGEOPS_OK;
}

static edgeops_status seal(edgeops_training *t) {
    const eop_model_parts parts = {
        .workflow = t->options.workflow,
        .dataset = t->dataset,
        .dataset_digest = t->digest,
        .params = t->params,
        .metrics = t->metrics,
        .python = eop_trainer_python(t->trainer),
        .usage = &t->usage,
    };
    edgeops_duration limit = edgeops_workflow_info_of(t->options.workflow)->manifest->train_timeout;
    if (__builtin_add_overflow(eop_monotonic(), limit, &t->save_until)) {
        t->save_until = EDGEOPS_FOREVER;
    }
    edgeops_status status = eop_model_write(t->folder.temporary, &parts, may_go_on, t);
    return status == EDGEOPS_OK ? eop_new_folder_commit(&t->folder) : status;
}

static void seal_work(void *user_data) {
    edgeops_training *t = user_data;
    note_last(&t->sealed, seal(t));
}

static void seal_done(void *user_data) {
    edgeops_training *t = user_data; /* a cancel after the last file came too late */
    if (t->sealed.status < 0) {
        end_with(t, &t->sealed);
    } else {
        end(t, EDGEOPS_OK, "");
    }
}

/* -- the training and the look at the digest -- */

/* When both have ended. */
static void settle(edgeops_training *t) {
    if (t->training || t->verifying) {
        if (!t->training && t->trained.status == EDGEOPS_OK) {
            give_state(t, "verifying");
        }
        return;
    }
    bool mismatch = t->verified.status < 0 && t->verified.status != EDGEOPS_E_CANCELED;
    if (t->trained.status < 0 && !mismatch) {
        end(t, t->trained.status, message_of(&t->trained)); /* the log has it */
        return;
    }
    if (t->verified.status < 0) {
        end_with(t, &t->verified);
        return;
    }
    give_state(t, "saving");
    if (eop_thread_start(t->runtime->ctx, seal_work, seal_done, t) < 0) {
        note_last(&t->sealed, edgeops_error_last()->code);
        end_with(t, &t->sealed);
    }
}

static void on_line(const char *line, void *user_data) {
    const edgeops_train_event event = {.kind = EDGEOPS_TRAIN_LOG, .text = line};
    give(user_data, &event);
}

static void on_event(const edgeops_train_event *event, void *user_data) {
    edgeops_training *t = user_data;
    if (event->kind == EDGEOPS_TRAIN_METRIC) {
        eop_json_set_number(t->metrics, event->name, event->value);
    }
    give(t, event);
}

static void on_trained(edgeops_status status, const char *message, const edgeops_usage *usage,
                       void *user_data) {
    edgeops_training *t = user_data;
    t->training = false;
    t->usage = *usage;
    note(&t->trained, status, message);
    if (status < 0) {
        atomic_store(&t->stop, true);
    }
    remove_work_dir(t);
    settle(t);
}

static bool is_stopped(void *user_data) {
    edgeops_training *t = user_data;
    return atomic_load(&t->stop);
}

static void verify_work(void *user_data) {
    edgeops_training *t = user_data;
    note_last(&t->verified,
              eop_dataset_verify(t->options.store, t->dataset, EOP_VERIFY_VALUES, is_stopped, t));
}

static void verify_done(void *user_data) {
    edgeops_training *t = user_data;
    t->verifying = false;
    if (t->verified.status < 0) {
        eop_trainer_cancel(t->trainer);
    }
    settle(t);
}

static edgeops_status start_worker(edgeops_training *t) {
    const eop_trainer_options options = {
        .workflow = t->options.workflow,
        .artifact_dir = t->artifacts,
        .work_dir = t->work_dir,
        .params = t->params,
        .share = &t->share,
        .log = t->log,
        .on_event = on_event,
        .on_end = on_trained,
        .user_data = t,
    };
    edgeops_status status = eop_trainer_start(&t->trainer, t->runtime, &options);
    t->training = status == EDGEOPS_OK;
    return status;
}

/* -- the dataset -- */

static void load_work(void *user_data) {
    edgeops_training *t = user_data;
    const edgeops_manifest *manifest = edgeops_workflow_info_of(t->options.workflow)->manifest;
    note_last(&t->loaded,
              eop_load_dataset(&t->share, &t->digest, manifest, t->options.store, t->dataset));
}

static void load_done(void *user_data) {
    edgeops_training *t = user_data;
    if (t->loaded.status == EDGEOPS_OK && t->canceled) {
        note(&t->loaded, EDGEOPS_E_CANCELED, "ended on request");
    }
    if (t->loaded.status == EDGEOPS_OK) {
        note_last(&t->loaded, start_worker(t));
    }
    if (t->loaded.status < 0) {
        end_with(t, &t->loaded);
        return;
    }
    t->verifying = eop_thread_start(t->runtime->ctx, verify_work, verify_done, t) == EDGEOPS_OK;
    if (!t->verifying) {
        note_last(&t->verified, edgeops_error_last()->code);
        eop_trainer_cancel(t->trainer);
    }
    give_state(t, "training");
}

/* -- the public face -- */

void edgeops_train_options_init(edgeops_train_options *options, size_t struct_size) {
    const edgeops_train_options init = EDGEOPS_TRAIN_OPTIONS_INIT;
    eop_struct_init(options, struct_size, &init, sizeof init);
}

static edgeops_status check_options(const edgeops_train_options *o) {
    EOP_REQUIRE(o->workflow != NULL && o->on_done != NULL, "runtime");
    EOP_REQUIRE(o->store != NULL && o->dataset != NULL && o->directory != NULL, "runtime");
    const edgeops_workflow_info *info = edgeops_workflow_info_of(o->workflow);
    if (info->directory[0] == '\0') {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "workflow '%s' is not installed; add it first", info->manifest->name);
    }
    char *json = NULL;
    edgeops_status status = eop_dataset_describe(&json, o->store, o->dataset);
    eop_free(json); /* only whether there is one: reading it takes a while */
    return status;
}

/* The folders and the log. */
static edgeops_status prepare_places(edgeops_training *t, const edgeops_train_options *o) {
    edgeops_status status = eop_new_folder_begin(&t->folder, o->directory);
    if (status == EDGEOPS_OK) {
        t->artifacts = eop_path_join(t->folder.temporary, EOP_MODEL_FILES);
        status = t->artifacts != NULL ? eop_mkdirs(t->artifacts, 0700) : eop_fail_nomem("runtime");
    }
    if (status == EDGEOPS_OK) {
        status = eop_work_dir(&t->work_dir, o->run_dir != NULL ? o->run_dir : t->folder.temporary);
    }
    if (status == EDGEOPS_OK) {
        status = eop_runlog_open(&t->log, t->runtime->ctx, o->run_dir, t->runtime->log_limit_bytes,
                                 on_line, t);
    }
    return status;
}

static edgeops_status prepare(edgeops_training *t, const edgeops_train_options *o) {
    const edgeops_manifest *manifest = edgeops_workflow_info_of(o->workflow)->manifest;
    t->options = *o;
    t->options.dataset = t->options.params_json = t->options.directory = t->options.run_dir = NULL;
    t->dataset = eop_strdup(o->dataset);
    t->metrics = eop_json_object();
    if (t->dataset == NULL || t->metrics == NULL) {
        return eop_fail_nomem("runtime");
    }
    edgeops_status status = eop_params_resolve(&t->params, manifest, o->params_json);
    return status == EDGEOPS_OK ? prepare_places(t, o) : status;
}

edgeops_status edgeops_training_start(edgeops_training **out, edgeops_runtime *runtime,
                                      const edgeops_train_options *given) {
    edgeops_train_options options = EDGEOPS_TRAIN_OPTIONS_INIT;

    EOP_REQUIRE(out != NULL, "runtime");
    *out = NULL;
    EOP_REQUIRE(runtime != NULL && given != NULL, "runtime");
    EOP_REQUIRE_HERE(eop_ctx_birth(runtime->ctx), "runtime", "runtime");
    edgeops_status status = EOP_STRUCT_TAKE(&options, given, "runtime", EDGEOPS_TRAIN_OPTIONS_INIT);
    if (status == EDGEOPS_OK) {
        status = check_options(&options);
    }
    if (status < 0) {
        return status;
    }
    edgeops_training *t = eop_calloc(1, sizeof *t);
    if (t == NULL) {
        return eop_fail_nomem("runtime");
    }
    t->share.fd = -1;
    t->folder = EOP_NEW_FOLDER_NONE;
    atomic_init(&t->stop, false);
    t->runtime = eop_runtime_hold(runtime);
    status = prepare(t, &options);
    if (status == EDGEOPS_OK) {
        status = eop_thread_start(runtime->ctx, load_work, load_done, t);
    }
    if (status < 0) {
        dispose(t);
        return status;
    }
    *out = t;
    return EDGEOPS_OK;
}

void edgeops_training_cancel(edgeops_training *training) {
    if (training != NULL && eop_born_here(eop_ctx_birth(training->runtime->ctx))) {
        training->canceled = true;
        atomic_store(&training->stop, true);
        eop_trainer_cancel(training->trainer);
    }
}
