/* SPDX-License-Identifier: Apache-2.0 */
/* Deployments: the answers of a stage become samples of `predictions/NAME` and messages in the
 * outbox. The answers of one turn of the loop are made durable together: first the samples, then,
 * in one transaction, the messages and the checkpoint. A crash between the two makes the same
 * samples once more, which the store leaves out, and no message twice. Where a part came meanwhile
 * they may come out otherwise: then what is stored is what is published. */

#include "node/live/deployment.h"

#include <stdio.h>
#include <string.h>

#include "codec/message.h"
#include "node/home/args.h"
#include "node/home/inputs.h"
#include "node/home/records.h"

#define CHECKPOINT_EVERY EDGEOPS_SECOND
#define RETRY_AFTER      (10 * EDGEOPS_SECOND)
#define SAY_EVERY        (60 * EDGEOPS_SECOND)

static const char *const state_names[] = {"stopped", "starting", "running", "waiting", "failed"};

bool eop_deployment_enabled(const eop_deployment *d) {
    return eop_json_bool(d->record, "enabled", true);
}

static void set_state(eop_deployment *d, eop_deployment_state state, const char *detail) {
    char *copy = eop_strdup(detail);
    eop_free(d->detail);
    d->detail = copy;
    if (d->state != state) {
        eop_log_write(node_log(d->node),
                      state == EOP_DEPLOYMENT_FAILED ? EDGEOPS_LOG_ERROR : EDGEOPS_LOG_INFO, "node",
                      "deployment '%s' %s%s%s", d->name, state_names[state],
                      detail[0] != '\0' ? ": " : "", detail);
    }
    d->state = state;
}

/* The next tick closes the stage, and a later one opens it again. */
static void end_stage(eop_deployment *d, const char *message) {
    set_state(d, EOP_DEPLOYMENT_FAILED, message);
    d->ended = true;
    d->retry_at = eop_monotonic() + RETRY_AFTER;
}

/* -- answers of a turn -- */

static void batch_clear(eop_batch *b) {
    for (size_t i = 0; i < b->count; i++) {
        edgeops_table_free(b->items[i].stored);
    }
    b->count = 0;
    b->good = 0;
    eop_buf_clear(&b->text);
}

static bool batch_new(eop_batch *b, size_t outputs) {
    b->outputs = outputs;
    b->items = eop_calloc(EOP_STAGE_DEPTH, sizeof(*b->items));
    b->values = eop_calloc(EOP_STAGE_DEPTH * outputs, sizeof(*b->values));
    b->samples = eop_calloc(EOP_STAGE_DEPTH, sizeof(*b->samples));
    b->messages = eop_calloc(EOP_STAGE_DEPTH, sizeof(*b->messages));
    b->names = eop_calloc(outputs, sizeof(*b->names));
    return b->items != NULL && b->values != NULL && b->samples != NULL && b->messages != NULL &&
           b->names != NULL;
}

static void batch_dispose(eop_batch *b) {
    batch_clear(b);
    eop_free(b->items);
    eop_free(b->values);
    eop_free(b->samples);
    eop_free(b->messages);
    eop_free(b->names);
    eop_buf_dispose(&b->text);
    eop_buf_dispose(&b->payload);
    memset(b, 0, sizeof(*b));
}

/* Texts move while the batch grows: until it is complete a value holds its offset in the text. */
static void batch_put(eop_batch *b, const eop_answer *answer) {
    eop_batch_item *item = &b->items[b->count];
    edgeops_status status = answer->given->status;
    *item = (eop_batch_item){.time = answer->time,
                             .seq = answer->seq,
                             .durable = answer->durable,
                             .status = status,
                             .message = b->text.size};
    if (status < 0) {
        eop_buf_puts(&b->text, answer->given->message);
        eop_buf_put(&b->text, "", 1);
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < b->outputs; i++) {
        edgeops_value *value = &b->values[b->count * b->outputs + i];
        *value = answer->given->values[i];
        if (value->type == EDGEOPS_TYPE_STRING) {
            size_t at = b->text.size;
            eop_buf_put(&b->text, value->as.str, value->size);
            value->as.i64 = (int64_t)at;
        }
    }
    b->good += status == EDGEOPS_OK;
    b->count++;
}

static void batch_fix(eop_batch *b) {
    for (size_t i = 0; i < b->count * b->outputs; i++) {
        edgeops_value *value = &b->values[i];
        if (b->items[i / b->outputs].status == EDGEOPS_OK && !b->items[i / b->outputs].fixed &&
            value->type == EDGEOPS_TYPE_STRING) {
            value->as.str = b->text.data + value->as.i64;
        }
    }
    for (size_t i = 0; i < b->count; i++) {
        b->items[i].fixed = true;
    }
}

static void on_answer(const eop_answer *answer, void *user_data) {
    eop_deployment *d = user_data;
    edgeops_status status = answer->given->status;
    d->answered = *answer->state;
    d->dirty = true;
    d->counters.windows++;
    d->counters.predictions += status == EDGEOPS_OK;
    d->counters.errors += status < 0;
    d->counters.timeouts += status == EDGEOPS_E_TIMEOUT;
    d->counters.skipped += status == EDGEOPS_DONE;
    d->counters.incomplete += answer->incomplete;
    d->recent = (d->recent << 1 | (status < 0)) & ((UINT64_C(1) << EOP_RECENT) - 1);
    d->recent_count += d->recent_count < EOP_RECENT;
    if (status < 0) {
        char time[40];
        eop_format_time(time, answer->time);
        eop_run_log(d->run, "window of %s: %s: %s", time, edgeops_status_name(status),
                    answer->given->message);
        eop_free(d->last_error);
        d->last_error = eop_strdup(answer->given->message);
    }
    if (status != EDGEOPS_DONE) {
        batch_put(&d->batch, answer);
    }
}

/* -- making them durable -- */

/* What an earlier life stored for this window without committing it, as the answer. */
static edgeops_status take_stored(eop_deployment *d, eop_batch_item *item, edgeops_value *values) {
    edgeops_query query = EDGEOPS_QUERY_INIT;
    edgeops_table *table = NULL;
    query.asset = d->output;
    query.start = item->time;
    query.end = item->time + 1;
    query.channels = d->batch.names;
    query.channel_count = d->batch.outputs;
    query.max_ordinal = d->stored;
    edgeops_status status = edgeops_store_read(&table, d->node->store, &query);
    if (status != EDGEOPS_OK) {
        return status;
    }
    uint64_t row = 0;
    while (row < table->rows &&
           (table->seqs[row] != item->seq || table->ordinals[row] <= d->published)) {
        row++;
    }
    if (row == table->rows) {
        edgeops_table_free(table);
        return EDGEOPS_OK;
    }
    for (size_t i = 0; i < d->batch.outputs; i++) {
        values[i] = edgeops_column_value(&table->columns[i], row);
    }
    item->stored = table;
    return EDGEOPS_OK;
}

/* Of those that conflict: the same as what is stored is a duplicate. */
static edgeops_status settle_conflicts(eop_deployment *d, eop_deployment_counters *done) {
    eop_batch *b = &d->batch;
    edgeops_status status = EDGEOPS_OK;
    bool any = done->conflicts > 0 && d->stored > d->published;
    for (size_t i = 0; status == EDGEOPS_OK && i < b->count; i++) {
        eop_batch_item *item = &b->items[i];
        if (item->stored != NULL) {
            done->conflicts++; /* found when this batch was tried before */
        } else if (any && item->status == EDGEOPS_OK) {
            status = take_stored(d, item, &b->values[i * b->outputs]);
        }
    }
    return status;
}

/* *done: what is added to the counters once all of it is durable. */
static edgeops_status store_samples(eop_deployment *d, eop_deployment_counters *done) {
    eop_batch *b = &d->batch;
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    size_t n = 0;
    for (size_t i = 0; i < b->count; i++) {
        if (b->items[i].status == EDGEOPS_OK) {
            b->samples[n++] = (edgeops_sample){.asset = d->output,
                                               .time = b->items[i].time,
                                               .seq = b->items[i].seq,
                                               .count = b->outputs,
                                               .channels = b->names,
                                               .values = &b->values[i * b->outputs]};
        }
    }
    if (n == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = edgeops_store_append(&result, d->node->store, b->samples, n, NULL);
    done->conflicts = result.conflicts;
    if (status == EDGEOPS_E_INVALID) {
        /* Such as outputs of other types than an earlier model of this name had. They are still
         * published, since a machine may wait for them. */
        eop_run_log(d->run, "%zu predictions are not stored: %s", n, edgeops_error_last()->message);
        set_state(d, d->state, edgeops_error_last()->message);
        done->unstored = n;
        return EDGEOPS_OK;
    }
    return status == EDGEOPS_OK ? settle_conflicts(d, done) : status;
}

static void put_payload(eop_deployment *d, const eop_batch_item *item, const edgeops_value *values,
                        edgeops_duration now) {
    eop_buf *buf = &d->batch.payload;
    eop_buf_put(buf, d->payload_head.data, d->payload_head.size);
    eop_message_put_time(buf, item->time, item->seq);
    eop_message_put_key(buf, "outputs");
    eop_buf_puts(buf, "{");
    for (size_t i = 0; i < d->batch.outputs; i++) {
        eop_message_put_value(buf, d->batch.names[i], &values[i]);
    }
    eop_buf_puts(buf, "}");
    if (item->durable != 0) {
        eop_message_put_key(buf, "latency_us");
        eop_buf_printf(buf, "%lld", (long long)((now - item->durable) / 1000));
    }
    eop_buf_puts(buf, "}");
}

/* The payloads are in one buffer, which may move: offsets first, pointers when it is complete. */
static edgeops_status make_messages(eop_deployment *d, size_t *count) {
    eop_batch *b = &d->batch;
    edgeops_duration now = eop_monotonic();
    size_t n = 0;
    eop_buf_clear(&b->payload);
    for (size_t i = 0; d->outbox != NULL && i < b->count; i++) {
        if (b->items[i].status == EDGEOPS_OK) {
            size_t before = b->payload.size;
            put_payload(d, &b->items[i], &b->values[i * b->outputs], now);
            b->messages[n++] =
                (eop_outbox_message){.destination = eop_json_string(d->record, "source", ""),
                                     .topic = eop_json_string(d->record, "publish", ""),
                                     .size = b->payload.size - before,
                                     .qos = d->qos,
                                     .retain = d->retain};
        }
    }
    if (b->payload.failed) {
        eop_buf_dispose(&b->payload);
        return eop_fail_nomem("node");
    }
    for (size_t i = 0, at = 0; i < n; i++) {
        b->messages[i].payload = b->payload.data + at;
        at += b->messages[i].size;
    }
    *count = n;
    return EDGEOPS_OK;
}

typedef struct counter {
    const char *key;
    size_t offset;
} counter;
#define COUNTER(name)                                                                              \
    { #name, offsetof(eop_deployment_counters, name) }
static const counter counter_list[] = {
    COUNTER(windows),    COUNTER(predictions), COUNTER(errors), COUNTER(timeouts), COUNTER(skipped),
    COUNTER(conflicts),  COUNTER(unstored),    COUNTER(late),   COUNTER(refused),  COUNTER(dropped),
    COUNTER(late_parts), COUNTER(incomplete),  COUNTER(early),
};

static uint64_t *counter_at(eop_deployment_counters *counters, size_t i) {
    return (uint64_t *)(void *)((char *)counters + counter_list[i].offset);
}

static eop_json *counters_json(eop_deployment_counters *counters) {
    eop_json *json = eop_json_object();
    for (size_t i = 0; i < EOP_COUNT(counter_list); i++) {
        eop_json_set_integer(json, counter_list[i].key, (int64_t)*counter_at(counters, i));
    }
    return json;
}

void eop_deployment_read_counters(eop_deployment *d, const eop_json *state) {
    const eop_json *json = eop_json_get(state, "counters");
    eop_deployment_counters before = d->counters;
    for (size_t i = 0; i < EOP_COUNT(counter_list); i++) {
        int64_t value = eop_json_integer(json, counter_list[i].key, 0);
        *counter_at(&d->counters, i) = value > 0 ? (uint64_t)value : 0;
    }
    d->before_stage = d->counters;
    d->late_parts_said = d->counters.late_parts;
    d->errors_said = d->counters.errors;
    /* These are not made again when windows are predicted again. */
    d->counters.refused =
        d->counters.refused > before.refused ? d->counters.refused : before.refused;
    d->counters.dropped =
        d->counters.dropped > before.dropped ? d->counters.dropped : before.dropped;
    d->refused_before = d->counters.refused - (d->sink != NULL ? eop_outbox_refused(d->sink) : 0);
}

uint32_t eop_deployment_recent_errors(const eop_deployment *d) {
    uint32_t count = 0;
    for (uint64_t bits = d->recent; bits != 0; bits &= bits - 1) {
        count++;
    }
    return count;
}

void eop_deployment_count(eop_deployment *d) {
    eop_stage_stats stats;
    if (d->stage != NULL) {
        eop_stage_get_stats(d->stage, &stats);
        uint64_t late_parts = d->before_stage.late_parts + stats.parts.late_parts;
        d->dirty = d->dirty || late_parts != d->counters.late_parts;
        d->counters.late = d->before_stage.late + stats.windows.late;
        d->counters.late_parts = late_parts;
        d->counters.early = d->before_stage.early + stats.parts.early;
    }
    if (d->sink != NULL) {
        uint64_t refused = d->refused_before + eop_outbox_refused(d->sink);
        d->dirty = d->dirty || refused != d->counters.refused;
        d->counters.refused = refused;
    }
}

edgeops_status eop_deployment_checkpoint(uint64_t *ordinal, eop_json **state,
                                         const eop_deployment *d) {
    char *text = NULL;
    *state = NULL;
    edgeops_status status = eop_checkpoint_get(ordinal, &text, d->node->catalog, d->name);
    if (status == EDGEOPS_OK && text != NULL && text[0] != '\0') {
        status = eop_json_parse(state, text, strlen(text), "checkpoint", NULL);
    }
    eop_free(text);
    return status;
}

edgeops_status eop_deployment_commit(eop_deployment *d, uint64_t ordinal, eop_json *state,
                                     eop_outbox_message *messages, size_t n) {
    char *text = eop_json_print(state);
    edgeops_status status =
        text != NULL ? eop_outbox_commit(d->node->catalog, d->name, ordinal, text, messages, n)
                     : eop_fail_nomem("node");
    eop_free(text);
    eop_json_free(state);
    return status;
}

static edgeops_status checkpoint(eop_deployment *d, eop_outbox_message *messages, size_t n,
                                 const eop_deployment_counters *done) {
    uint64_t stored = 0;
    edgeops_status status = eop_asset_last_ordinal(&stored, d->node->store, d->output);
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_json *json = eop_window_state_json(&d->answered);
    eop_deployment_count(d);
    eop_json_set_integer(json, "stored", (int64_t)stored);
    eop_json_set_integer(json, "seen", d->stage != NULL ? (int64_t)eop_stage_seen(d->stage) : 0);
    eop_json_set_integer(json, "done", d->stage != NULL ? (int64_t)eop_stage_done(d->stage) : 0);
    eop_deployment_counters counters = d->counters;
    counters.conflicts += done->conflicts;
    counters.unstored += done->unstored;
    eop_json_set(json, "counters", counters_json(&counters));
    status = eop_deployment_commit(d, d->answered.ordinal, json, messages, n);
    if (status == EDGEOPS_OK) {
        d->counters = counters;
        d->dirty = false;
        d->committed = d->answered.ordinal;
        d->checkpointed = eop_monotonic();
    }
    return status;
}

/* Of a stopped one: into the checkpoint that is there. */
static edgeops_status rewrite_counters(eop_deployment *d) {
    uint64_t ordinal = 0;
    eop_json *json = NULL;
    edgeops_status status = eop_deployment_checkpoint(&ordinal, &json, d);
    if (status != EDGEOPS_OK || json == NULL) {
        return status;
    }
    eop_json_set(json, "counters", counters_json(&d->counters));
    return eop_deployment_commit(d, ordinal, json, NULL, 0);
}

edgeops_status eop_deployment_save_counters(eop_deployment *d) {
    if (d->stage == NULL) {
        return rewrite_counters(d);
    }
    d->dirty = true;
    return d->batch.count == 0 ? checkpoint(d, NULL, 0, &(eop_deployment_counters){0}) : EDGEOPS_OK;
}

static void remember_last(eop_deployment *d, const eop_batch_item *item,
                          const edgeops_value *values) {
    eop_json *last = eop_json_object();
    eop_json *outputs = eop_json_object();
    eop_json_set_time(last, "time", item->time);
    for (size_t i = 0; i < d->batch.outputs; i++) {
        eop_json_set_value(outputs, d->batch.names[i], &values[i]);
    }
    eop_json_set(last, "outputs", outputs);
    eop_json_free(d->last);
    d->last = last;
}

static void tell(eop_deployment *d, edgeops_duration now) {
    eop_batch *b = &d->batch;
    size_t newest = b->count;
    for (size_t i = 0; i < b->count; i++) {
        const eop_batch_item *item = &b->items[i];
        bool good = item->status == EDGEOPS_OK;
        edgeops_duration latency = item->durable != 0 ? now - item->durable : 0;
        if (good) {
            newest = i;
            if (item->durable != 0) {
                eop_histogram_record(&d->latency, latency);
            }
        }
        if (d->node->on_prediction != NULL) { /* it may be taken away in its own call */
            edgeops_node_prediction p = {.deployment = d->name,
                                         .asset = eop_json_string(d->record, "asset", ""),
                                         .time = item->time,
                                         .seq = item->seq,
                                         .status = item->status,
                                         .message = good ? "" : b->text.data + item->message,
                                         .count = good ? b->outputs : 0,
                                         .names = b->names,
                                         .values = &b->values[i * b->outputs],
                                         .latency = latency};
            d->node->on_prediction(&p, d->node->prediction_data);
        }
    }
    if (newest < b->count) {
        remember_last(d, &b->items[newest], &b->values[newest * b->outputs]);
    }
}

/* What is not committed stays, and is tried again by the next tick; until then nothing more is
 * submitted. */
static edgeops_status commit(eop_deployment *d) {
    eop_batch *b = &d->batch;
    eop_deployment_counters done = {0};
    edgeops_status status = EDGEOPS_OK;
    size_t n = 0;
    if (b->text.failed) {
        /* Their answers are lost: predict these windows again, from the last checkpoint. */
        end_stage(d, "out of memory");
        return eop_fail_nomem("node");
    }
    batch_fix(b);
    status = store_samples(d, &done);
    if (status == EDGEOPS_OK) {
        status = make_messages(d, &n);
    }
    if (status == EDGEOPS_OK) {
        status = checkpoint(d, b->messages, n, &done);
    }
    if (status == EDGEOPS_OK) {
        if (n > 0) {
            eop_outbox_kick(d->outbox, d->sink);
        }
        tell(d, eop_monotonic());
        batch_clear(b);
    }
    if (status == EDGEOPS_OK && d->stalled) {
        d->stalled = false;
        set_state(d, d->state, "");
    } else if (status != EDGEOPS_OK) {
        bool first = !d->stalled;
        d->stalled = true;
        set_state(d, d->state, edgeops_error_last()->message);
        if (first) {
            eop_log_write(node_log(d->node), EDGEOPS_LOG_ERROR, "node", "deployment '%s' waits: %s",
                          d->name, d->detail);
        }
    }
    return status;
}

static bool on_turn(void *user_data) {
    eop_deployment *d = user_data;
    if (d->stalled || d->ended) {
        return false;
    }
    if (d->batch.count > 0) {
        return commit(d) == EDGEOPS_OK;
    }
    return true;
}

static void set_ready(eop_deployment *d) {
    const char *missing = eop_stage_missing(d->stage);
    if (missing != NULL) {
        set_state(d, EOP_DEPLOYMENT_WAITING, missing);
    } else {
        set_state(d, EOP_DEPLOYMENT_RUNNING, d->stalled && d->detail != NULL ? d->detail : "");
    }
}

static void on_wait(const char *missing, void *user_data) {
    (void)missing;
    eop_deployment *d = user_data;
    if (d->state == EOP_DEPLOYMENT_RUNNING || d->state == EOP_DEPLOYMENT_WAITING) {
        set_ready(d);
    }
}

static void on_state(edgeops_status status, const char *message, bool final, void *user_data) {
    eop_deployment *d = user_data;
    if (status == EDGEOPS_OK) {
        set_ready(d);
        return;
    }
    d->restarts += !final;
    eop_run_log(d->run, "%s: %s", edgeops_status_name(status), message);
    if (final) {
        end_stage(d, message);
    } else {
        set_state(d, EOP_DEPLOYMENT_FAILED, message);
    }
}

/* -- running -- */

static edgeops_status make_head(eop_deployment *d) {
    static const char *const keys[] = {"deployment", "model", "asset"};
    const char *values[] = {d->name, eop_json_string(d->record, "model", ""),
                            eop_json_string(d->record, "asset", "")};
    eop_buf_clear(&d->payload_head);
    eop_buf_puts(&d->payload_head, "{");
    for (size_t i = 0; i < EOP_COUNT(keys); i++) {
        eop_message_put_text(&d->payload_head, keys[i], values[i]);
    }
    return d->payload_head.failed ? eop_fail_nomem("node") : EDGEOPS_OK;
}

static edgeops_status open_batch(eop_deployment *d) {
    const edgeops_manifest *m = edgeops_model_info_of(d->model)->manifest;
    if (!batch_new(&d->batch, m->output_count)) {
        return eop_fail_nomem("node");
    }
    for (size_t i = 0; i < m->output_count; i++) {
        d->batch.names[i] = m->outputs[i].name;
    }
    return make_head(d);
}

edgeops_status eop_deployment_bind(eop_deployment *d, const char *source, const char *topic) {
    eop_json *record = eop_json_copy(d->record);
    eop_outbox *outbox = NULL;
    eop_sink *sink = NULL;
    eop_json_set_string(record, "source", source);
    eop_json_set_string(record, "publish", topic);
    edgeops_status status = d->stage != NULL
                                ? eop_outbox_acquire(&outbox, &sink, d->node, source, d->name)
                                : EDGEOPS_OK;
    if (status == EDGEOPS_OK) {
        status = eop_put_record(d->node, "deployment", d->name, record, false);
    }
    if (status != EDGEOPS_OK) {
        eop_outbox_release(outbox, sink);
        eop_json_free(record);
        return status;
    }
    eop_json_free(d->record);
    d->record = record;
    d->outbox = outbox;
    d->sink = sink;
    eop_log_write(node_log(d->node), EDGEOPS_LOG_INFO, "node",
                  "deployment '%s' publishes to '%s' through source '%s', which feeds its asset",
                  d->name, topic, source);
    return EDGEOPS_OK;
}

static edgeops_status open_outbox(eop_deployment *d) {
    const char *source = eop_json_string(d->record, "source", "");
    return source[0] != '\0' && d->outbox == NULL
               ? eop_outbox_acquire(&d->outbox, &d->sink, d->node, source, d->name)
               : EDGEOPS_OK;
}

static void close_outbox(eop_deployment *d) {
    eop_outbox_release(d->outbox, d->sink);
    d->outbox = NULL;
    d->sink = NULL;
    d->refused_before = d->counters.refused;
}

static edgeops_status declare_outputs(const eop_deployment *d) {
    const edgeops_manifest *m = edgeops_model_info_of(d->model)->manifest;
    for (size_t i = 0; i < m->output_count; i++) {
        edgeops_status status = edgeops_store_declare(
            d->node->store, d->output,
            &(edgeops_channel_info){m->outputs[i].name, m->outputs[i].unit, m->outputs[i].type, 1});
        if (status == EDGEOPS_E_INVALID) {
            return eop_fail(EDGEOPS_E_INVALID, "node",
                            "output '%s' has another type than in '%s', which an earlier model of "
                            "this deployment made; take another name or remove that asset",
                            m->outputs[i].name, d->output);
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

edgeops_duration eop_deployment_wait(const eop_deployment *d) {
    edgeops_duration wait = -1;
    const char *text = eop_json_string(d->record, "wait", NULL);
    return text != NULL && eop_parse_duration(&wait, text) ? wait : -1;
}

static edgeops_status open_stage(eop_deployment *d) {
    uint64_t after = 0;
    eop_json *json = NULL;
    eop_window_state state = {0};
    edgeops_status status = eop_deployment_checkpoint(&after, &json, d);
    bool has_state = eop_window_state_parse(&state, json);
    if (status == EDGEOPS_E_NOTFOUND) {
        status = EDGEOPS_OK; /* deploying writes one: only a home put together by hand has none */
    }
    if (status == EDGEOPS_OK) {
        d->answered = state;
        d->answered.ordinal = after;
        d->committed = after;
        eop_deployment_read_counters(d, json); /* what was not committed comes once more */
        d->published = (uint64_t)eop_json_integer(json, "stored", 0);
        status = eop_asset_last_ordinal(&d->stored, d->node->store, d->output);
        if (eop_json_get(json, "stored") == NULL) {
            d->published = d->stored; /* an earlier version's: nobody knows */
        }
    }
    if (status == EDGEOPS_OK) {
        eop_stage_options options = {.node = d->node,
                                     .model = d->model,
                                     .asset = eop_json_string(d->record, "asset", ""),
                                     .run_dir = d->run->directory,
                                     .after = after,
                                     .state = has_state ? &state : NULL,
                                     .seen = (uint64_t)eop_json_integer(json, "seen", 0),
                                     .wait = eop_deployment_wait(d),
                                     .on_answer = on_answer,
                                     .on_turn = on_turn,
                                     .on_state = on_state,
                                     .on_wait = on_wait,
                                     .user_data = d};
        status = eop_stage_open(&d->stage, &options);
    }
    eop_json_free(json);
    return status;
}

/* All but the outbox: what was predicted goes on to the broker while the stage is tried again. */
static void close_parts(eop_deployment *d) {
    eop_deployment_count(d);
    eop_stage_close(d->stage);
    d->stage = NULL;
    edgeops_model_close(d->model);
    d->model = NULL;
    batch_dispose(&d->batch);
    d->stalled = d->dirty = d->ended = false;
}

static edgeops_status open_parts(eop_deployment *d) {
    const char *model = eop_json_string(d->record, "model", "");
    edgeops_status status = eop_home_model(&d->model, d->node, model);
    if (status == EDGEOPS_OK && d->run == NULL) {
        status = eop_run_begin(&d->run, d->node, "deployment",
                               edgeops_model_info_of(d->model)->manifest->name, NULL, model);
    }
    if (status == EDGEOPS_OK) {
        eop_json_set_string(d->run->record, "deployment", d->name);
        status = eop_run_save(d->run);
    }
    if (status == EDGEOPS_OK) {
        status = open_batch(d);
    }
    if (status == EDGEOPS_OK) {
        status = declare_outputs(d);
    }
    return status == EDGEOPS_OK ? open_stage(d) : status;
}

edgeops_status eop_deployment_run(eop_deployment *d) {
    if (d->stage != NULL) {
        return EDGEOPS_OK;
    }
    set_state(d, EOP_DEPLOYMENT_STARTING, "the worker loads the model");
    edgeops_status status = open_outbox(d);
    if (status == EDGEOPS_OK) {
        status = open_parts(d);
    }
    if (status != EDGEOPS_OK) {
        char *message = eop_strdup(edgeops_error_last()->message);
        const char *text = message != NULL ? message : "out of memory";
        eop_run_log(d->run, "%s", text);
        close_parts(d);
        end_stage(d, text);
        status = eop_fail_with(status, "node", text);
        eop_free(message);
    }
    return status;
}

void eop_deployment_halt(eop_deployment *d) {
    eop_deployment_count(d);
    if (d->stage != NULL) {
        if (d->batch.count > 0) {
            (void)commit(d); /* fails: the windows are predicted again after the next start */
        } else if (d->dirty) {
            (void)checkpoint(d, NULL, 0, &(eop_deployment_counters){0});
        }
        close_parts(d);
    }
    close_outbox(d);
    bool failed = d->state == EOP_DEPLOYMENT_FAILED;
    eop_run_end(d->run, failed ? EDGEOPS_E_WORKER : EDGEOPS_OK, d->detail);
    d->run = NULL;
    d->ended = false;
    set_state(d, EOP_DEPLOYMENT_STOPPED, "");
}

static void say_errors(eop_deployment *d, edgeops_duration now) {
    uint64_t fresh = d->counters.errors > d->errors_said ? d->counters.errors - d->errors_said : 0;
    if (fresh > 0 && (d->said_at == 0 || now - d->said_at >= SAY_EVERY)) {
        eop_log_write(node_log(d->node), EDGEOPS_LOG_WARN, "node",
                      "deployment '%s': %llu windows failed, the last one with: %s", d->name,
                      (unsigned long long)fresh, d->last_error != NULL ? d->last_error : "");
        d->errors_said = d->counters.errors;
        d->said_at = now;
    }
}

static void say_late_parts(eop_deployment *d, edgeops_duration now) {
    uint64_t fresh = d->counters.late_parts > d->late_parts_said
                         ? d->counters.late_parts - d->late_parts_said
                         : 0;
    if (fresh > 0 && (d->parts_said_at == 0 || now - d->parts_said_at >= SAY_EVERY)) {
        char wait[32];
        (void)eop_format_duration(wait, eop_stage_wait(d->stage));
        eop_log_write(node_log(d->node), EDGEOPS_LOG_WARN, "node",
                      "deployment '%s': parts that came after their rows were predicted, which "
                      "waited %s: %llu",
                      d->name, wait, (unsigned long long)fresh);
        d->late_parts_said = d->counters.late_parts;
        d->parts_said_at = now;
    }
}

void eop_deployment_tick(eop_deployment *d) {
    edgeops_duration now = eop_monotonic();
    say_errors(d, now);
    eop_deployment_count(d);
    if (d->stage != NULL) {
        say_late_parts(d, now);
    }
    if (d->ended) {
        if (d->stage != NULL) {
            close_parts(d);
            d->ended = true;
        } else if (now >= d->retry_at && d->node->started && eop_deployment_enabled(d)) {
            d->ended = false;
            (void)eop_deployment_run(d); /* its state tells */
        }
        return;
    }
    if (d->stage == NULL) {
        return;
    }
    if (d->stalled) {
        if (commit(d) == EDGEOPS_OK) {
            eop_stage_wake(d->stage);
        }
    } else if (d->dirty && d->batch.count == 0 && now - d->checkpointed >= CHECKPOINT_EVERY) {
        /* Windows without a prediction move the position too. */
        if (checkpoint(d, NULL, 0, &(eop_deployment_counters){0}) != EDGEOPS_OK) {
            eop_log_write(node_log(d->node), EDGEOPS_LOG_WARN, "node", "deployment '%s': %s",
                          d->name, edgeops_error_last()->message);
        }
    }
}

const char *eop_deployment_state_name(const eop_deployment *d) {
    return state_names[d->state];
}
