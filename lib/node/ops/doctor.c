/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: what an operator would look at first, each with what to do. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "catalog/policy.h"
#include "dataset/dataset.h"
#include "node/control/job.h"
#include "node/files/doctor_files.h"
#include "node/home/models.h"
#include "node/live/deployments.h"
#include "node/live/joins.h"
#include "node/live/sources.h"
#include "node/ops/groups.h"
#include "store/home.h"
#include "store/retention.h"
#include "store/room.h"

#define FINDINGS_MAX 200
#define HARMLESS_MAX 20 /* of those that are no damage */

typedef struct doctor {
    edgeops_call *call;
    edgeops_node *node;
    eop_job *job; /**< while it looks at files */
    eop_json *checks;
    bool ok;
    bool deep;
    uint64_t findings; /**< of the store */
    uint64_t harmless; /**< beside these: no damage */
} doctor;

/* More members may be set in what is given; borrowed from the answer. */
static eop_json *put(doctor *d, const char *name, const char *state, const char *detail,
                     const char *hint) {
    eop_json *check = eop_json_object();
    eop_json_set_string(check, "name", name);
    eop_json_set_string(check, "state", state);
    eop_json_set_string(check, "detail", detail);
    eop_json_set_string(check, "hint", hint);
    eop_json_append(d->checks, check);
    if (strcmp(state, "fail") == 0) {
        d->ok = false;
    }
    return check;
}

static void check_home(doctor *d) {
    struct stat info;
    if (eop_store_check_writable(d->node->store) == EDGEOPS_E_DENIED) {
        put(d, "home", "warn", edgeops_error_last()->message, "");
    } else if (stat(d->node->home, &info) != 0 || access(d->node->home, W_OK) != 0) {
        put(d, "home", "fail", "the home cannot be written", "check its owner and permissions");
    } else if ((info.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        put(d, "home", "warn", "other users can look into the home", "chmod 700 it");
    } else {
        put(d, "home", "ok", d->node->home, "");
    }
}

static void check_disk(doctor *d) {
    eop_store_stats stats;
    char detail[160];
    if (eop_store_get_stats(d->node->store, &stats) != EDGEOPS_OK) {
        put(d, "disk", "fail", edgeops_error_last()->message, "");
        return;
    }
    snprintf(detail, sizeof(detail), "%llu MiB free, nothing is taken below %llu MiB",
             (unsigned long long)(stats.free_bytes >> 20),
             (unsigned long long)(stats.floor_bytes >> 20));
    if (atomic_load(&d->node->disk_full) &&
        eop_store_check_writable(d->node->store) != EDGEOPS_E_DENIED) {
        put(d, "disk", "fail", d->node->disk_detail,
            "make room; the sources go on by themselves then");
    } else if (stats.free_bytes < stats.floor_bytes * 4) {
        put(d, "disk", "warn", detail, "make room before the sources have to pause");
    } else {
        put(d, "disk", "ok", detail, "");
    }
}

static edgeops_status count_aside(const char *name, void *user_data) {
    size_t size = strlen(name);
    *(uint64_t *)user_data += size > 4 && strcmp(name + size - 4, ".bad") == 0;
    return EDGEOPS_OK;
}

/* What the store found when it was opened, and chunks that could not be read since. */
static void check_store(doctor *d) {
    eop_store_stats stats;
    char detail[160];
    uint64_t aside = 0;
    char *journal = eop_node_path(d->node, "data", "journal");
    if (eop_store_get_stats(d->node->store, &stats) != EDGEOPS_OK || journal == NULL ||
        eop_dir_walk(journal, count_aside, &aside) != EDGEOPS_OK) {
        put(d, "store", "fail", journal != NULL ? edgeops_error_last()->message : "out of memory",
            "look after the home's disk");
    } else if (stats.damaged > 0) {
        snprintf(detail, sizeof(detail), "%llu places of the stored samples are damaged",
                 (unsigned long long)stats.damaged);
        put(d, "store", "fail", detail,
            "what stood there is lost, all else is kept: the log of the start names the files; "
            "import it again or restore a backup, and look after the disk");
    } else if (aside > 0) {
        snprintf(detail, sizeof(detail), "%llu damaged files were put aside in data/journal",
                 (unsigned long long)aside);
        put(d, "store", "fail", detail,
            "import again what they held, then remove the files named *.bad");
    } else if (stats.torn > 0) {
        snprintf(detail, sizeof(detail),
                 "no damage was found; %llu bytes at the end of the journal were not complete "
                 "(normal after a crash or power cut)",
                 (unsigned long long)stats.torn);
        put(d, "store", "ok", detail, "");
    } else {
        put(d, "store", "ok", "no damage was found", "");
    }
    eop_free(journal);
}

static void check_clock(doctor *d) {
    char text[40];
    edgeops_time now = eop_now();
    eop_format_time(text, now);
    if (eop_clock_unset(now)) {
        put(d, "clock", "fail", text, "set the clock: samples without a time get this one");
    } else {
        put(d, "clock", "ok", text, "");
    }
}

static void check_worker(doctor *d) {
    edgeops_runtime *runtime = NULL;
    if (eop_node_runtime(&runtime, d->node) != EDGEOPS_OK) {
        put(d, "worker", "fail", edgeops_error_last()->message,
            "install edgeops-worker, or name it in EDGEOPS_WORKER; without it nothing can be "
            "trained or predicted");
    } else {
        put(d, "worker", "ok", "the worker program is there", "");
    }
}

static edgeops_status find_mqtt(const edgeops_hld_driver *driver, void *user_data) {
    bool *found = user_data;
    *found = *found || strcmp(driver->name, "mqtt") == 0;
    return EDGEOPS_OK;
}

static void check_drivers(doctor *d) {
    bool found = false;
    if (edgeops_driver_list(find_mqtt, &found) != EDGEOPS_OK) {
        found = false;
    }
    put(d, "mqtt", found ? "ok" : "warn", found ? "built in" : "built without MQTT",
        found ? "" : "build with paho-mqtt3as to connect to a broker");
}

/* By the states of publishing that want something done. */
static const char *const publishing_hints[][3] = {
    {"away", "warn", "predictions are kept and sent when the broker is back: see 'source show'"},
    {"slow", "warn",
     "predictions are kept; look after the broker, or what is between here and it; 'deployment "
     "retry' makes the connection again at once"},
    {"held", "fail",
     "mend what the reason names (the broker's access list or limits, or deploy again with another "
     "--publish or --qos), then 'deployment retry'; 'deployment skip' drops what waits"},
    {"refused", "warn",
     "'deployment retry' sends them again, 'deployment skip --refused' drops them"},
    {"stopped", "warn",
     "'deployment retry' has them sent again when it runs, 'deployment skip --refused' drops them"},
};

/* Predictions reach nobody: the source is stopped, the broker is out of reach or refuses them. What
 * was refused is told while nothing is sent, too. */
static void check_publishing(doctor *d, const eop_json *shown) {
    const char *source = eop_json_string(shown, "source", NULL);
    const eop_json *publishing = eop_json_get(shown, "publishing");
    const char *state = eop_json_string(publishing, "state", "");
    eop_source *s = source != NULL ? eop_source_find(d->node, source) : NULL;
    const char *reason = eop_json_string(publishing, "reason", NULL);
    if (source == NULL) {
        return;
    }
    char *name = eop_format("deployment %s broker", eop_json_string(shown, "name", ""));
    long long outbox = (long long)eop_json_integer(shown, "outbox", 0);
    char *detail =
        eop_format("%s; %lld predictions are not published", reason != NULL ? reason : "", outbox);
    bool runs = strcmp(eop_json_string(shown, "state", ""), "stopped") != 0;
    if (runs && s != NULL && !eop_source_enabled(s)) {
        /* It publishes all the same, and its samples may come from another one. */
        char *stopped = eop_format("source '%s' is stopped: no samples come in from there", source);
        put(d, name, "warn", stopped, "start it with 'source start'");
        eop_free(stopped);
    }
    for (size_t i = 0; i < EOP_COUNT(publishing_hints); i++) {
        if (reason != NULL && strcmp(state, publishing_hints[i][0]) == 0) {
            put(d, name, publishing_hints[i][1], detail, publishing_hints[i][2]);
        }
    }
    if (reason == NULL && outbox > 0 && strcmp(state, "stopped") == 0) {
        char *waits = eop_format("%lld predictions wait and are not sent", outbox);
        put(d, name, "warn", waits,
            "they are sent once it runs: 'deployment start', and the daemon; 'deployment skip' "
            "drops them");
        eop_free(waits);
    }
    eop_free(detail);
    eop_free(name);
}

/* A part by its state: bad, waiting for something, or as it should be. */
static void put_state(doctor *d, const char *name, const eop_json *shown, bool bad, bool waits,
                      const char *hint) {
    put(d, name,
        bad     ? "fail"
        : waits ? "warn"
                : "ok",
        eop_json_string(shown, bad || waits ? "detail" : "state", ""), bad || waits ? hint : "");
}

/* A few late parts are what an outage leaves; more say that rows do not wait long enough. */
static void check_late_parts(doctor *d, const eop_json *shown) {
    const eop_json *parts = eop_json_get(shown, "parts");
    int64_t late = eop_json_integer(parts, "late_parts", 0);
    int64_t windows = eop_json_integer(shown, "windows", 0);
    if (late * 100 <= windows) {
        return;
    }
    char *name = eop_format("deployment %s parts", eop_json_string(shown, "name", ""));
    char *text = eop_format("parts that came after their rows were predicted: %lld, windows: %lld",
                            (long long)late, (long long)windows);
    put(d, name, "warn", text,
        "if that goes on, 'deployment rm' it and deploy with a longer --wait");
    eop_free(text);
    eop_free(name);
}

static void check_deployment(doctor *d, eop_deployment *deployment) {
    eop_json *shown = eop_deployment_describe(deployment);
    const char *state = eop_json_string(shown, "state", "");
    char *name = eop_format("deployment %s", eop_json_string(shown, "name", ""));
    bool bad = strcmp(state, "failed") == 0;
    uint32_t of = 0;
    uint32_t failing = eop_deployment_failing(deployment, &of);
    bool waits = strcmp(state, "waiting") == 0 || failing * 2 > of;
    put_state(d, name, shown, bad, waits, "see 'deployment show' and the log of its run");
    check_publishing(d, shown);
    check_late_parts(d, shown);
    eop_free(name);
    eop_json_free(shown);
}

/* One line where all is well, else one for each thing to know. */
static void check_source(doctor *d, eop_source *source) {
    eop_json *shown = eop_source_describe(source);
    const eop_json *warnings = eop_json_get(shown, "warnings");
    const char *state = eop_json_string(shown, "state", "");
    char *name = eop_format("source %s", eop_source_name(source));
    bool bad = strcmp(state, "failed") == 0 || strcmp(state, "paused") == 0;
    bool waits = d->node->started && strcmp(state, "connecting") == 0;
    if (bad || waits || eop_json_size(warnings) == 0) {
        put_state(d, name, shown, bad, waits, "see 'source show' and try 'source test'");
    }
    for (const eop_json *w = eop_json_first(warnings); w != NULL; w = eop_json_next(w)) {
        put(d, name, "warn", eop_json_text(w), "see 'source show'");
    }
    int64_t dead = eop_json_integer(eop_json_get(shown, "stats"), "dead", 0);
    if (dead > 0) {
        char detail[96];
        snprintf(detail, sizeof(detail), "%lld messages could not be taken since the node started",
                 (long long)dead);
        put(d, name, "warn", detail, "'source show' has them as dead letters, with the reasons");
    }
    eop_free(name);
    eop_json_free(shown);
}

static void check_join(doctor *d, eop_node_join *join) {
    eop_json *shown = eop_node_join_describe(join);
    const char *state = eop_json_string(shown, "state", "");
    char *name = eop_format("asset %s", eop_node_join_spec(join)->name);
    int64_t late = eop_json_integer(shown, "late", 0);
    int64_t lost = eop_json_integer(shown, "lost", 0);
    put_state(d, name, shown, strcmp(state, "failed") == 0, strcmp(state, "waiting") == 0,
              "see 'asset show'");
    if (late > 0 || lost > 0) {
        char detail[192];
        snprintf(
            detail, sizeof(detail),
            "%lld samples of its inputs came after the rows in which they would have been, %lld "
            "were dropped by retention before",
            (long long)late, (long long)lost);
        put(d, name, "warn", detail,
            "'asset rm' and 'asset join', with a longer --wait, make it anew");
    }
    eop_free(name);
    eop_json_free(shown);
}

static void check_parts(doctor *d) {
    edgeops_node *node = d->node;
    for (size_t i = 0; i < eop_joins_count(node); i++) {
        check_join(d, eop_joins_at(node, i));
    }
    for (size_t i = 0; i < node->source_count; i++) {
        check_source(d, node->sources[i]);
    }
    for (size_t i = 0; i < node->deployment_count; i++) {
        check_deployment(d, node->deployments[i]);
    }
}

/* -- what the store has: on a thread of its own, reading all of it may take hours -- */

static void put_span(char *out, size_t size, const eop_finding *f) {
    char first[40] = "";
    char last[40] = "";
    if (f->has_range) {
        eop_format_time(first, f->first);
        eop_format_time(last, f->last);
    }
    (void)snprintf(out, size, "%s%s%s%s%s%s%s%s%s%s%s%s", f->asset != NULL ? "asset '" : "",
                   f->asset != NULL ? f->asset : "", f->asset != NULL ? "'" : "",
                   f->channel != NULL ? " channel '" : "", f->channel != NULL ? f->channel : "",
                   f->channel != NULL ? "'" : "", f->has_range ? ", " : "", first,
                   f->has_range ? " to " : "", last, f->asset != NULL || f->has_range ? ": " : "",
                   f->detail);
}

static void on_finding(const eop_finding *f, void *user_data) {
    doctor *d = user_data;
    char detail[1200];
    if (f->harmless ? d->harmless++ >= HARMLESS_MAX : d->findings++ >= FINDINGS_MAX) {
        return;
    }
    put_span(detail, sizeof(detail), f);
    eop_json *check = put(d, f->what, f->harmless ? "warn" : "fail", detail, f->hint);
    if (f->asset != NULL) {
        eop_json_set_string(check, "asset", f->asset);
    }
    if (f->channel != NULL) {
        eop_json_set_string(check, "channel", f->channel);
    }
    if (f->has_range) {
        eop_json_set_time(check, "first", f->first);
        eop_json_set_time(check, "last", f->last);
    }
}

static edgeops_status on_verified(double part, void *user_data) {
    doctor *d = user_data;
    if (eop_job_canceled(d->job)) {
        return eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request");
    }
    if (eop_job_due(d->job)) {
        eop_json *event = eop_json_object();
        eop_json_set_string(event, "type", "progress");
        eop_json_set_number(event, "progress", part);
        eop_job_event(d->job, event);
    }
    return EDGEOPS_OK;
}

static void check_samples(doctor *d) {
    eop_verify_handler handler = {.finding = on_finding,
                                  .progress = on_verified,
                                  .above = eop_datasets_check,
                                  .user_data = d};
    eop_verified sum = {0};
    char detail[256];
    edgeops_status status = eop_store_verify(&sum, d->node->store, &handler);
    (void)snprintf(detail, sizeof(detail),
                   "read %llu columns of %llu chunks with %llu rows, %llu frames of the journal, "
                   "%llu datasets, %llu blobs",
                   (unsigned long long)sum.columns, (unsigned long long)sum.chunks,
                   (unsigned long long)sum.rows, (unsigned long long)sum.frames,
                   (unsigned long long)sum.datasets, (unsigned long long)sum.blobs);
    if (status != EDGEOPS_OK) {
        put(d, "samples", "fail", edgeops_error_last()->message, "ask again");
    } else if (sum.findings > FINDINGS_MAX) {
        size_t used = strlen(detail);
        (void)snprintf(detail + used, sizeof(detail) - used, "; %llu more findings are not shown",
                       (unsigned long long)(sum.findings - FINDINGS_MAX));
        put(d, "samples", "fail", detail, "restore a backup, and look after the disk");
    } else {
        put(d, "samples", sum.findings > 0 ? "fail" : "ok", detail,
            sum.findings > 0 ? "see what was found above" : "");
    }
}

/* Goals that cannot be reached even if all that may be dropped is dropped. */
static bool go_on(void *user_data) {
    const doctor *d = user_data;
    return !eop_job_canceled(d->job);
}

static edgeops_status count_policy(const eop_policy *policy, void *user_data) {
    (void)policy;
    ++*(size_t *)user_data;
    return EDGEOPS_OK;
}

static void check_retention(doctor *d) {
    eop_retained due;
    size_t policies = 0;
    char detail[200];
    edgeops_status status = eop_policy_list(d->node->catalog, count_policy, &policies);
    if (status == EDGEOPS_OK && policies > 0) {
        status = eop_retention_run(&due, d->node->store, EOP_RETENTION_LOOK, go_on, d);
    }
    if (status == EDGEOPS_E_CANCELED || status == EDGEOPS_E_BUSY ||
        (status == EDGEOPS_OK && policies == 0)) {
        return;
    }
    if (status != EDGEOPS_OK) {
        put(d, "retention", "fail", edgeops_error_last()->message, "see 'retention ls'");
    } else if (due.short_of) {
        (void)snprintf(detail, sizeof(detail),
                       "a size or the free disk that was asked for cannot be reached: all that may "
                       "go is dropped, datasets hold %llu chunks",
                       (unsigned long long)due.held);
        put(d, "retention", "warn", detail,
            "remove datasets that are not needed, or ask for less: see 'retention ls'");
    } else {
        (void)snprintf(detail, sizeof(detail), "%zu policies, %llu rows are due", policies,
                       (unsigned long long)due.rows);
        put(d, "retention", "ok", detail, "");
    }
}

/* -- files: on the same thread -- */

static void put_files(doctor *d, const char *what, const char *name, edgeops_status status,
                      const char *hint) {
    char *check = eop_format("%s %s", what, name);
    put(d, check != NULL ? check : what, status == EDGEOPS_OK ? "ok" : "fail",
        status == EDGEOPS_OK
            ? (d->deep ? "its files have not changed" : "its files have their sizes")
            : edgeops_error_last()->message,
        status == EDGEOPS_OK ? "" : hint);
    eop_free(check);
}

static edgeops_status check_workflow(const edgeops_workflow *workflow, void *user_data) {
    doctor *d = user_data;
    const edgeops_manifest *m = edgeops_workflow_info_of(workflow)->manifest;
    char *name = eop_format("%s@%s", m->name, m->version);
    put_files(d, "workflow", name != NULL ? name : m->name, eop_check_workflow(workflow, d->deep),
              "remove it with 'workflow rm' and add it again from its package");
    eop_free(name);
    return eop_job_canceled(d->job) ? EDGEOPS_E_CANCELED : EDGEOPS_OK;
}

static edgeops_status check_model(const char *name, const char *json, void *user_data) {
    doctor *d = user_data;
    eop_json *record = NULL;
    const char *hint = "train it again, or restore its folder from a backup";
    edgeops_status status = eop_json_parse(&record, json, strlen(json), "model", NULL);
    if (status == EDGEOPS_OK) {
        status = eop_check_model(d->node, record, d->deep);
    }
    if (status == EDGEOPS_OK) {
        status = eop_check_model_workflow(d->node, record);
        hint = "add the workflow again from its package: the model works on then";
    }
    put_files(d, "model", name, status, hint);
    eop_json_free(record);
    return eop_job_canceled(d->job) ? EDGEOPS_E_CANCELED : EDGEOPS_OK;
}

static void files_work(eop_job *job, void *user_data) {
    doctor *d = user_data;
    char *store = eop_workflow_store(d->node);
    d->job = job;
    check_retention(d);
    if (d->deep) {
        check_samples(d);
    }
    edgeops_status status =
        store != NULL ? edgeops_workflow_list(store, check_workflow, d) : eop_fail_nomem("node");
    if (status == EDGEOPS_OK) {
        status = eop_record_list(d->node->catalog, "model", check_model, d);
    }
    if (status != EDGEOPS_OK && !eop_job_canceled(job)) {
        put(d, "files", "fail", edgeops_error_last()->message, "look after the home's disk");
    }
    eop_free(store);
    eop_job_end(job, EDGEOPS_OK);
}

/* A training and an installation have such folders while they run. */
static bool makes_temporary(const edgeops_node *node) {
    for (const edgeops_call *call = node->calls; call != NULL; call = call->next) {
        if (call->state == EOP_CALL_RUNNING &&
            (strcmp(call->op->spec->name, "train") == 0 ||
             strcmp(call->op->spec->name, "workflow.add") == 0)) {
            return true;
        }
    }
    return false;
}

static void check_temporary(doctor *d) {
    static const char *const folders[][2] = {{"models", NULL}, {"store", "workflows/objects"}};
    char detail[160];
    uint64_t count = 0;
    for (size_t i = 0; i < EOP_COUNT(folders) && !makes_temporary(d->node); i++) {
        char *folder = eop_node_path(d->node, folders[i][0], folders[i][1]);
        count += folder != NULL ? eop_count_temporary(folder) : 0;
        eop_free(folder);
    }
    if (count > 0) {
        snprintf(detail, sizeof(detail), "%llu folders of unfinished work are left",
                 (unsigned long long)count);
        put(d, "temporary", "warn", detail,
            "the next start of the node and the next 'workflow add' remove them");
    }
}

static void finish(doctor *d) {
    check_temporary(d);
    eop_json *result = eop_json_object();
    eop_json_set_bool(result, "ok", d->ok);
    eop_json_set(result, "checks", d->checks);
    eop_call_finish(d->call, EDGEOPS_OK, result);
    eop_free(d);
}

static void files_done(eop_job *job, void *user_data) {
    doctor *d = user_data;
    if (eop_job_canceled(job)) {
        eop_json_free(d->checks);
        eop_call_fail(d->call, EDGEOPS_E_CANCELED, "ended on request");
        eop_free(d);
        return;
    }
    finish(d);
}

static edgeops_status doctor_start(edgeops_call *call) {
    doctor *d = eop_calloc(1, sizeof(*d));
    if (d == NULL) {
        return eop_fail_nomem("node");
    }
    *d = (doctor){.call = call,
                  .node = call->node,
                  .checks = eop_json_array(),
                  .ok = true,
                  .deep = eop_json_bool(call->args, "deep", false)};
    check_home(d);
    check_disk(d);
    check_store(d);
    check_clock(d);
    check_worker(d);
    check_drivers(d);
    put(d, "daemon", eop_node_is_daemon(call->node) ? "ok" : "warn",
        eop_node_is_daemon(call->node) ? "runs" : "no daemon runs on this home",
        eop_node_is_daemon(call->node) ? ""
                                       : "'edgeopsctl node serve' starts sources and "
                                         "deployments");
    check_parts(d);
    if (eop_job_start(NULL, call->node, call, files_work, files_done, d) != EDGEOPS_OK) {
        /* A node that is too busy for this still answers the rest. */
        put(d, "files", "warn", edgeops_error_last()->message, "ask again");
        finish(d);
    }
    return EDGEOPS_OK;
}

const eop_op eop_doctor_ops[] = {
    {&eop_spec_doctor, .start = doctor_start},
    {0},
};
