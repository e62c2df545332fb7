/* SPDX-License-Identifier: Apache-2.0 */
/* data.stats and data.aggregate: what the store knows of samples without reading them. */
#include "node/ops/aggregate.h"

#include "base/type.h"
#include "node/control/job.h"
#include "node/ops/groups.h"

#define ITEMS_MAX 20000u

typedef struct summary_work {
    edgeops_call *call;
    const char **channels;
    edgeops_query query;
    edgeops_duration every;
    edgeops_summary *summary;
    eop_json *(*answer)(const edgeops_summary *summary);
} summary_work;

static void work_free(summary_work *w) {
    edgeops_summary_free(w->summary);
    eop_free(w->channels);
    eop_free(w);
}

static void set_aggregate(eop_json *out, const edgeops_aggregate *a, edgeops_type type) {
    eop_json_set_integer(out, "count", (int64_t)a->count);
    eop_json_set_integer(out, "nulls", (int64_t)a->nulls);
    if (eop_type_is_float(type)) {
        eop_json_set_integer(out, "non_finite", (int64_t)a->non_finite);
    }
    if (a->min.type != EDGEOPS_TYPE_NULL) {
        eop_json_set_value(out, "min", &a->min);
        eop_json_set_value(out, "max", &a->max);
        eop_json_set_number(out, "mean", a->mean);
    }
}

static eop_json *stats_answer(const edgeops_summary *s) {
    static const edgeops_aggregate none;
    eop_json *result = eop_json_object();
    eop_json *channels = eop_json_array();
    const edgeops_bucket *all = s->bucket_count > 0 ? &s->buckets[0] : NULL;
    eop_json_set_integer(result, "rows", all != NULL ? (int64_t)all->rows : 0);
    if (all != NULL) {
        eop_json_set_time(result, "first", all->first);
        eop_json_set_time(result, "last", all->last);
    } else {
        eop_json_set_string(result, "first", NULL);
        eop_json_set_string(result, "last", NULL);
    }
    for (size_t k = 0; k < s->channel_count; k++) {
        const edgeops_channel_info *info = &s->channels[k];
        char type[EOP_TYPE_TEXT];
        eop_json *channel = eop_json_object();
        eop_json_set_string(channel, "name", info->name);
        eop_json_set_string(channel, "type", eop_type_text(type, info->type, info->length));
        eop_json_set_string(channel, "unit", info->unit);
        set_aggregate(channel, all != NULL ? &all->channels[k] : &none, info->type);
        eop_json_append(channels, channel);
    }
    eop_json_set(result, "channels", channels);
    return result;
}

static eop_json *aggregate_answer(const edgeops_summary *s) {
    eop_json *items = NULL;
    eop_json *result = eop_items(&items);
    for (size_t i = 0; i < s->bucket_count; i++) {
        const edgeops_bucket *bucket = &s->buckets[i];
        for (size_t k = 0; k < s->channel_count; k++) {
            eop_json *item = eop_json_object();
            /* An open range begins and ends with its samples. */
            eop_json_set_time(item, "start",
                              bucket->start == EDGEOPS_TIME_MIN ? bucket->first : bucket->start);
            eop_json_set_time(item, "end",
                              bucket->end == EDGEOPS_TIME_MAX ? bucket->last : bucket->end);
            eop_json_set_time(item, "first", bucket->first);
            eop_json_set_time(item, "last", bucket->last);
            eop_json_set_string(item, "channel", s->channels[k].name);
            eop_json_set_integer(item, "rows", (int64_t)bucket->rows);
            set_aggregate(item, &bucket->channels[k], s->channels[k].type);
            if (bucket->channels[k].min.type != EDGEOPS_TYPE_NULL) {
                eop_json_set_number(item, "sum", bucket->channels[k].sum);
            }
            eop_json_append(items, item);
        }
    }
    return result;
}

static void summary_job(eop_job *job, void *user_data) {
    summary_work *w = user_data;
    edgeops_status status =
        edgeops_store_aggregate(&w->summary, w->call->node->store, &w->query, w->every);
    if (status == EDGEOPS_OK && w->every > 0 &&
        w->summary->bucket_count * w->summary->channel_count > ITEMS_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "node",
                          "%zu stretches of %zu channels are more than %u lines: take longer ones, "
                          "fewer channels or a shorter range",
                          w->summary->bucket_count, w->summary->channel_count, ITEMS_MAX);
    }
    eop_job_end(job, status);
}

static void summary_done(eop_job *job, void *user_data) {
    summary_work *w = user_data;
    edgeops_status status = eop_job_status(job);
    eop_call_finish(w->call, status, status == EDGEOPS_OK ? w->answer(w->summary) : NULL);
    work_free(w);
}

static edgeops_status read_args(summary_work *w, const eop_json *args) {
    const char *every = eop_json_string(args, "every", NULL);
    w->query = (edgeops_query)EDGEOPS_QUERY_INIT;
    w->query.asset = eop_json_string(args, "asset", "");
    if (every != NULL && (!eop_parse_duration(&w->every, every) || w->every <= 0)) {
        return eop_fail(EDGEOPS_E_INVALID, "node", "every: '%.32s' is not a duration such as 1h",
                        every);
    }
    edgeops_status status = eop_arg_time(&w->query.start, args, "start", EDGEOPS_TIME_MIN);
    if (status == EDGEOPS_OK) {
        status = eop_arg_time(&w->query.end, args, "end", EDGEOPS_TIME_MAX);
    }
    if (status == EDGEOPS_OK) {
        status = eop_arg_strings(&w->channels, &w->query.channel_count, args, "channels");
        w->query.channels = w->channels;
    }
    return status;
}

static edgeops_status start(edgeops_call *call, eop_json *(*answer)(const edgeops_summary *)) {
    summary_work *w = eop_calloc(1, sizeof(*w));
    if (w == NULL) {
        return eop_fail_nomem("node");
    }
    w->call = call;
    w->answer = answer;
    edgeops_status status = read_args(w, call->args);
    if (status == EDGEOPS_OK) {
        status = eop_job_start(NULL, call->node, call, summary_job, summary_done, w);
    }
    if (status != EDGEOPS_OK) {
        work_free(w);
    }
    return status;
}

edgeops_status eop_stats_start(edgeops_call *call) {
    return start(call, stats_answer);
}

edgeops_status eop_aggregate_start(edgeops_call *call) {
    return start(call, aggregate_answer);
}
