/* SPDX-License-Identifier: Apache-2.0 */
/* predict.follow: a stage whose answers are events. */
#include "node/ops/follow.h"

#include <string.h>

#include "node/home/inputs.h"
#include "node/home/runs.h"
#include "node/live/stage.h"
#include "node/ops/groups.h"

#define AGAIN_AFTER (50 * EDGEOPS_MILLISECOND)

typedef struct follow {
    edgeops_call *call;
    edgeops_model *model;
    eop_run *run;
    eop_stage *stage;
    eop_timer *timer; /**< while the receiver lags; and for the end */
    bool ready;
    edgeops_status status;
    char *message;
} follow;

static void follow_free(follow *f) {
    if (f != NULL) {
        eop_stage_close(f->stage);
        eop_timer_free(f->timer);
        edgeops_model_close(f->model);
        eop_run_free(f->run);
        eop_free(f->message);
        eop_free(f);
    }
}

/* Never from a callback of the stage: the timer calls it. */
static void finish(follow *f, edgeops_status status, const char *message) {
    eop_run_end(f->run, status, message);
    f->run = NULL;
    f->call->cancel = NULL;
    eop_call_fail(f->call, status, message);
    follow_free(f);
}

static void end_soon(follow *f, edgeops_status status, const char *message) {
    if (f->status == EDGEOPS_OK) {
        f->status = status;
        f->message = eop_strdup(message);
        eop_timer_start(f->timer, 0, 0);
    }
}

/* May be called from inside an event, which is inside a callback of the stage. */
static void cancel(edgeops_call *call) {
    end_soon(call->data, EDGEOPS_E_CANCELED, "ended on request");
}

static void on_timer(void *user_data) {
    follow *f = user_data;
    if (f->status != EDGEOPS_OK) {
        char *message = f->message;
        f->message = NULL;
        finish(f, f->status, message != NULL ? message : "out of memory");
        eop_free(message);
    } else {
        eop_stage_wake(f->stage);
    }
}

static void on_answer(const eop_answer *answer, void *user_data) {
    follow *f = user_data;
    const edgeops_prediction *given = answer->given;
    const edgeops_manifest *m = edgeops_model_info_of(f->model)->manifest;
    if (given->status == EDGEOPS_DONE) {
        return;
    }
    eop_json *event = eop_json_object();
    eop_json_set_string(event, "type", given->status == EDGEOPS_OK ? "prediction" : "error");
    eop_json_set_time(event, "time", answer->time);
    eop_json_set_integer(event, "seq", answer->seq);
    if (given->status == EDGEOPS_OK) {
        eop_json *outputs = eop_json_object();
        for (size_t i = 0; i < given->count; i++) {
            eop_json_set_value(outputs, m->outputs[i].name, &given->values[i]);
        }
        eop_json_set(event, "outputs", outputs);
    } else {
        eop_json_set_string(event, "message", given->message);
    }
    if (answer->durable != 0) {
        eop_json_set_integer(event, "latency_us", (eop_monotonic() - answer->durable) / 1000);
    }
    eop_call_event(f->call, event);
}

static bool on_turn(void *user_data) {
    follow *f = user_data;
    if (f->status == EDGEOPS_OK && eop_call_congested(f->call)) {
        eop_timer_start(f->timer, AGAIN_AFTER, 0);
        return false;
    }
    return f->status == EDGEOPS_OK;
}

static void tell_state(follow *f, const char *missing) {
    eop_json *event = eop_json_object();
    eop_json_set_string(event, "type", "state");
    eop_json_set_string(event, "state", missing != NULL ? "waiting" : "running");
    if (missing != NULL) {
        eop_json_set_string(event, "detail", missing);
    }
    eop_call_event(f->call, event);
}

static void on_wait(const char *missing, void *user_data) {
    follow *f = user_data;
    if (f->ready) {
        tell_state(f, missing);
    }
}

static void on_state(edgeops_status status, const char *message, bool final, void *user_data) {
    follow *f = user_data;
    if (status == EDGEOPS_OK) {
        f->ready = true;
        tell_state(f, eop_stage_missing(f->stage));
        return;
    }
    eop_run_log(f->run, "%s", message);
    if (final || !f->ready) {
        end_soon(f, status, message);
    }
}

edgeops_status eop_follow_start(edgeops_call *call) {
    const char *model = eop_json_string(call->args, "model", "");
    const char *asset = eop_json_string(call->args, "asset", "");
    follow *f = eop_calloc(1, sizeof(*f));
    if (f == NULL) {
        return eop_fail_nomem("node");
    }
    f->call = call;
    edgeops_status status =
        eop_name_valid(asset, strlen(asset), 200)
            ? EDGEOPS_OK
            : eop_fail(EDGEOPS_E_INVALID, "node", "'%.200s' is not a name for an asset", asset);
    if (status == EDGEOPS_OK) {
        status = eop_home_model(&f->model, call->node, model);
    }
    if (status == EDGEOPS_OK) {
        status =
            eop_inputs_require(call->node->store, edgeops_model_info_of(f->model)->manifest, asset);
    }
    if (status == EDGEOPS_OK) {
        status = eop_timer_new(&f->timer, call->node->ctx, on_timer, f);
    }
    if (status == EDGEOPS_OK) {
        status = eop_run_begin(&f->run, call->node, "predict",
                               edgeops_model_info_of(f->model)->manifest->name, NULL, model);
    }
    if (status == EDGEOPS_OK) {
        bool from_start = strcmp(eop_json_string(call->args, "from", "now"), "start") == 0;
        eop_stage_options options = {.node = call->node,
                                     .model = f->model,
                                     .asset = asset,
                                     .run_dir = f->run->directory,
                                     .after = from_start ? 0 : UINT64_MAX,
                                     .wait = -1,
                                     .on_answer = on_answer,
                                     .on_turn = on_turn,
                                     .on_state = on_state,
                                     .on_wait = on_wait,
                                     .user_data = f};
        status = eop_stage_open(&f->stage, &options);
    }
    if (status != EDGEOPS_OK) {
        eop_kept_error kept;
        eop_keep_error(&kept);
        eop_run_end(f->run, status, kept.message);
        f->run = NULL;
        follow_free(f);
        return eop_fail_kept(&kept);
    }
    call->run = f->run->id;
    call->data = f;
    call->cancel = cancel;
    return EDGEOPS_OK;
}
