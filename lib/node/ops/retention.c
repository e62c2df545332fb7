/* SPDX-License-Identifier: Apache-2.0 */
/* retention.* and data.compact: what is kept for how long, and in how much room. */
#include <inttypes.h>
#include <string.h>

#include "catalog/policy.h"
#include "node/control/job.h"
#include "node/ops/groups.h"
#include "store/compact.h"
#include "store/retention.h"

/* -- policies -- */

/* In the largest unit that says it exactly. */
static void set_duration(eop_json *json, const char *key, edgeops_duration duration) {
    static const struct {
        const char *name;
        int64_t ns;
    } units[] = {{"d", 86400 * EDGEOPS_SECOND},
                 {"h", 3600 * EDGEOPS_SECOND},
                 {"m", 60 * EDGEOPS_SECOND},
                 {"s", EDGEOPS_SECOND},
                 {"ms", EDGEOPS_MILLISECOND},
                 {"us", 1000},
                 {"ns", 1}};
    size_t i = 0;
    while (duration % units[i].ns != 0) {
        i++;
    }
    char *text = eop_format("%" PRId64 "%s", duration / units[i].ns, units[i].name);
    if (key != NULL) {
        eop_json_set_string(json, key, text);
    } else {
        eop_json_append_string(json, text);
    }
    eop_free(text);
}

static edgeops_status read_duration(edgeops_duration *out, const char *key, const char *text) {
    if (text != NULL && (!eop_parse_duration(out, text) || *out <= 0)) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "%s: '%.100s' is not a duration such as 90d, 12h or 1m", key, text);
    }
    return EDGEOPS_OK;
}

static edgeops_status read_size(uint64_t *out, const eop_json *args, const char *key) {
    const char *text = eop_json_string(args, key, NULL);
    if (text != NULL && (!eop_parse_size(out, text) || *out == 0 || *out > INT64_MAX)) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "%s: '%.100s' is not a size such as 10GB or 500MiB", key, text);
    }
    return EDGEOPS_OK;
}

static edgeops_status read_rollups(eop_policy *policy, const eop_json *list) {
    for (const eop_json *item = eop_json_first(list); item != NULL; item = eop_json_next(item)) {
        edgeops_duration period = 0;
        edgeops_status status = read_duration(&period, "rollups", eop_json_text(item));
        if (status != EDGEOPS_OK) {
            return status;
        }
        size_t at = policy->rollup_count;
        while (at > 0 && policy->rollups[at - 1] > period) {
            at--;
        }
        if (policy->rollup_count == EOP_ROLLUPS_MAX) {
            return eop_fail(EDGEOPS_E_INVALID, "node", "rollups: there are at most %u",
                            EOP_ROLLUPS_MAX);
        }
        memmove(policy->rollups + at + 1, policy->rollups + at,
                (policy->rollup_count - at) * sizeof(*policy->rollups));
        policy->rollups[at] = period;
        policy->rollup_count++;
    }
    return EDGEOPS_OK;
}

static eop_json *show(const eop_policy *policy) {
    eop_json *json = eop_json_object();
    eop_json *rollups = eop_json_array();
    eop_json_set_string(json, "pattern", policy->pattern);
    if (policy->max_age > 0) {
        set_duration(json, "max_age", policy->max_age);
    }
    if (policy->max_bytes > 0) {
        eop_json_set_integer(json, "max_size", (int64_t)policy->max_bytes);
    }
    if (policy->min_free > 0) {
        eop_json_set_integer(json, "min_free", (int64_t)policy->min_free);
    }
    for (size_t i = 0; i < policy->rollup_count; i++) {
        set_duration(rollups, NULL, policy->rollups[i]);
    }
    eop_json_set(json, "rollups", rollups);
    return json;
}

static edgeops_status run_set(edgeops_call *call, eop_json **result) {
    eop_policy policy = {.pattern = eop_json_string(call->args, "pattern", "")};
    edgeops_status status =
        read_duration(&policy.max_age, "max_age", eop_json_string(call->args, "max_age", NULL));
    if (status == EDGEOPS_OK) {
        status = read_size(&policy.max_bytes, call->args, "max_size");
    }
    if (status == EDGEOPS_OK) {
        status = read_size(&policy.min_free, call->args, "min_free");
    }
    if (status == EDGEOPS_OK) {
        status = read_rollups(&policy, eop_json_get(call->args, "rollups"));
    }
    if (status == EDGEOPS_OK) {
        status = eop_policy_put(call->node->catalog, &policy);
    }
    if (status == EDGEOPS_OK) {
        *result = show(&policy);
    }
    return status;
}

static edgeops_status list_one(const eop_policy *policy, void *user_data) {
    eop_json_append(user_data, show(policy));
    return EDGEOPS_OK;
}

static edgeops_status run_ls(edgeops_call *call, eop_json **result) {
    eop_json *items = NULL;
    *result = eop_items(&items);
    return eop_policy_list(call->node->catalog, list_one, items);
}

static edgeops_status run_rm(edgeops_call *call, eop_json **result) {
    (void)result;
    return eop_policy_remove(call->node->catalog, eop_json_string(call->args, "pattern", ""));
}

/* -- work that takes its time -- */

typedef struct work {
    edgeops_call *call;
    eop_job *job;
    eop_retained retained;
    eop_compacted compacted;
} work;

static bool go_on(void *user_data) {
    const work *w = user_data;
    return !eop_job_canceled(w->job);
}

static void retain_work(eop_job *job, void *user_data) {
    work *w = user_data;
    bool dry = eop_json_bool(w->call->args, "dry_run", false);
    w->job = job;
    eop_job_end(job, eop_retention_run(&w->retained, w->call->node->store,
                                       dry ? EOP_RETENTION_DRY : EOP_RETENTION_DROP, go_on, w));
}

static eop_json *retain_result(const work *w) {
    const eop_retained *done = &w->retained;
    eop_json *json = eop_json_object();
    eop_json_set_bool(json, "dry_run", eop_json_bool(w->call->args, "dry_run", false));
    eop_json_set_integer(json, "rows", (int64_t)done->rows);
    eop_json_set_integer(json, "bytes", (int64_t)done->bytes);
    eop_json_set_integer(json, "chunks", (int64_t)done->chunks);
    eop_json_set_integer(json, "assets", (int64_t)done->assets);
    eop_json_set_integer(json, "held", (int64_t)done->held);
    if (done->chunks > 0) {
        eop_json_set_time(json, "until", done->until);
    }
    eop_json_set_bool(json, "reached", !done->short_of);
    return json;
}

static void retain_done(eop_job *job, void *user_data) {
    work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_call_finish(w->call, status, status == EDGEOPS_OK ? retain_result(w) : NULL);
    eop_free(w);
}

static bool on_compact(const eop_compacted *so_far, void *user_data) {
    work *w = user_data;
    if (eop_job_due(w->job)) {
        eop_json *event = eop_json_object();
        double n = so_far->asset_count > 0 ? (double)so_far->asset_count : 1;
        eop_json_set_string(event, "type", "progress");
        eop_json_set_number(event, "progress", (double)so_far->assets / n);
        eop_json_set_integer(event, "assets", (int64_t)so_far->assets);
        eop_json_set_integer(event, "chunks", (int64_t)so_far->chunks);
        eop_job_event(w->job, event);
    }
    return go_on(w);
}

static void compact_work(eop_job *job, void *user_data) {
    work *w = user_data;
    w->job = job;
    eop_job_end(job,
                eop_store_compact(&w->compacted, w->call->node->store,
                                  eop_json_string(w->call->args, "pattern", NULL), on_compact, w));
}

static void compact_done(eop_job *job, void *user_data) {
    work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_json *json = NULL;
    if (status == EDGEOPS_OK) {
        json = eop_json_object();
        eop_json_set_integer(json, "assets", (int64_t)w->compacted.assets);
        eop_json_set_integer(json, "chunks", (int64_t)w->compacted.chunks);
        eop_json_set_integer(json, "into", (int64_t)w->compacted.into);
        eop_json_set_integer(json, "bytes_before", (int64_t)w->compacted.before);
        eop_json_set_integer(json, "bytes_after", (int64_t)w->compacted.after);
    }
    eop_call_finish(w->call, status, json);
    eop_free(w);
}

static edgeops_status start(edgeops_call *call, eop_job_fn fn, eop_job_fn done) {
    work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    edgeops_status status = eop_job_start(NULL, call->node, call, fn, done, w);
    if (status != EDGEOPS_OK) {
        eop_free(w);
    }
    return status;
}

static edgeops_status retain_start(edgeops_call *call) {
    return start(call, retain_work, retain_done);
}

static edgeops_status compact_start(edgeops_call *call) {
    return start(call, compact_work, compact_done);
}

const eop_op eop_retention_ops[] = {
    {&eop_spec_retention_set, .run = run_set},
    {&eop_spec_retention_ls, .run = run_ls},
    {&eop_spec_retention_rm, .run = run_rm},
    {&eop_spec_retention_run, .start = retain_start},
    {&eop_spec_data_compact, .start = compact_start},
    {0},
};
