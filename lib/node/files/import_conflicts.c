/* SPDX-License-Identifier: Apache-2.0 */
/* What an import could not store because the store says something else of the same asset, time and
 * seq: counted, and the first of them with both values. Appends give verdicts only when asked, which
 * costs; so only a batch with conflicts is appended again. */
#include <inttypes.h>
#include <string.h>

#include "base/column_view.h"
#include "base/memory.h"
#include "codec/value.h"
#include "node/files/import.h"

void eop_import_add(eop_import *w, const edgeops_append_result *result) {
    w->sum.appended += result->appended;
    w->sum.duplicates += result->duplicates;
    w->sum.merged += result->merged;
    w->sum.conflicts += result->conflicts;
    w->sum.late += result->late;
    w->sum.expired += result->expired;
    w->sum.ahead += result->ahead;
}

static bool is_full(eop_import *w) {
    if (w->conflicts == NULL) {
        w->conflicts = eop_json_array();
    }
    return eop_json_size(w->conflicts) >= EOP_IMPORT_CONFLICTS;
}

static void put_quality(eop_json *item, const char *key, uint16_t quality) {
    if (quality != EDGEOPS_QUALITY_NONE) {
        eop_json_set_integer(item, key, quality);
    }
}

static void put_conflict(eop_import *w, const edgeops_verdict *verdict, const char *asset,
                         edgeops_time time, int64_t seq, uint64_t line, const edgeops_value *value,
                         uint16_t quality) {
    eop_json *item = eop_json_object();
    eop_json_set_string(item, "asset", asset);
    eop_json_set_time(item, "time", time);
    eop_json_set_integer(item, "seq", seq);
    if (line > 0) {
        eop_json_set_integer(item, "line", (int64_t)line);
    }
    eop_json_set_string(item, "channel", verdict->channel);
    eop_json_set(item, "stored", eop_value_json(&verdict->stored));
    eop_json_set(item, "new", eop_value_json(value));
    if (quality != verdict->quality) {
        put_quality(item, "stored_quality", verdict->quality);
        put_quality(item, "new_quality", quality);
    }
    eop_json_append(w->conflicts, item);
}

edgeops_status eop_import_conflicts(eop_import *w) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    options.verdicts = 1;
    if (w->renumber.on) {
        edgeops_status moved = eop_import_next_numbers(w);
        if (moved != EDGEOPS_OK || w->sum.conflicts == 0) {
            return moved;
        }
    }
    if (is_full(w)) {
        return EDGEOPS_OK;
    }
    edgeops_status status =
        edgeops_store_append(&result, w->call->node->store, w->samples, w->sample_count, &options);
    for (size_t i = 0; status == EDGEOPS_OK && i < result.verdict_count && !is_full(w); i++) {
        const edgeops_verdict *verdict = &result.verdicts[i];
        const edgeops_sample *sample = &w->samples[i];
        if (verdict->outcome == EDGEOPS_OUTCOME_CONFLICT) {
            uint16_t quality;
            edgeops_value value = eop_sample_value(&quality, sample, verdict->channel);
            put_conflict(w, verdict, sample->asset, sample->time, sample->seq, w->lines[i], &value,
                         quality);
        }
    }
    edgeops_free(result.verdicts);
    return status;
}

/* Samples of the batch that are tried under the next numbers. */
typedef struct tried {
    size_t *at;
    edgeops_sample *samples;
    size_t count;
} tried;

/* Which of the batch the store contradicts. */
static edgeops_status find_conflicts(eop_import *w, tried *t) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    options.verdicts = 1;
    edgeops_status status =
        edgeops_store_append(&result, w->call->node->store, w->samples, w->sample_count, &options);
    for (size_t i = 0; status == EDGEOPS_OK && i < result.verdict_count; i++) {
        if (result.verdicts[i].outcome == EDGEOPS_OUTCOME_CONFLICT) {
            t->at[t->count++] = i;
        }
    }
    edgeops_free(result.verdicts);
    return status;
}

/* Leaves those that are still contradicted. */
static edgeops_status try_next(eop_import *w, tried *t) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    size_t left = 0;
    size_t n = 0;
    options.verdicts = 1;
    for (size_t i = 0; i < t->count; i++) {
        edgeops_sample *sample = &w->samples[t->at[i]];
        if (sample->seq < INT64_MAX) { /* else it stays a conflict */
            sample->seq++;
            t->at[n] = t->at[i];
            t->samples[n++] = *sample;
        }
    }
    edgeops_status status =
        edgeops_store_append(&result, w->call->node->store, t->samples, n, &options);
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        const edgeops_sample *sample = &t->samples[i];
        if (result.verdicts[i].outcome == EDGEOPS_OUTCOME_CONFLICT) {
            t->at[left++] = t->at[i];
        } else {
            status = eop_renumber_moved(&w->renumber, sample->asset, sample->time,
                                        w->seqs[t->at[i]], sample->seq);
        }
    }
    if (status == EDGEOPS_OK) {
        w->sum.conflicts -= n; /* those of `left` come back with the result */
        eop_import_add(w, &result);
    }
    edgeops_free(result.verdicts);
    t->count = left;
    return status;
}

edgeops_status eop_import_next_numbers(eop_import *w) {
    tried t = {.at = eop_calloc(w->sample_count, sizeof *t.at),
               .samples = eop_calloc(w->sample_count, sizeof *t.samples)};
    edgeops_status status =
        t.at != NULL && t.samples != NULL ? find_conflicts(w, &t) : eop_fail_nomem("node");
    while (status == EDGEOPS_OK && t.count > 0) {
        status = eop_job_canceled(w->job) ? eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request")
                                          : try_next(w, &t);
    }
    eop_free(t.at);
    eop_free(t.samples);
    return status;
}

static edgeops_value table_value(uint16_t *quality, const edgeops_table *table, uint64_t row,
                                 const char *channel) {
    *quality = EDGEOPS_QUALITY_NONE;
    for (size_t i = 0; i < table->column_count; i++) {
        const edgeops_column *column = &table->columns[i];
        if (strcmp(column->name, channel) == 0) {
            *quality = column->quality != NULL ? column->quality[row] : *quality;
            return edgeops_column_value(column, row);
        }
    }
    return (edgeops_value){.type = EDGEOPS_TYPE_NULL};
}

edgeops_status eop_import_table_conflicts(eop_import *w, const edgeops_table *table) {
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    edgeops_append_options options = EDGEOPS_APPEND_OPTIONS_INIT;
    options.verdicts = 1;
    if (is_full(w)) {
        return EDGEOPS_OK;
    }
    edgeops_status status =
        edgeops_store_append_tables(&result, w->call->node->store, table, 1, &options);
    for (uint64_t i = 0; status == EDGEOPS_OK && i < result.verdict_count && !is_full(w); i++) {
        const edgeops_verdict *verdict = &result.verdicts[i];
        if (verdict->outcome == EDGEOPS_OUTCOME_CONFLICT) {
            uint16_t quality;
            edgeops_value value = table_value(&quality, table, i, verdict->channel);
            put_conflict(w, verdict, table->asset, table->times[i],
                         table->seqs != NULL ? table->seqs[i] : 0, 0, &value, quality);
        }
    }
    edgeops_free(result.verdicts);
    return status;
}

static void put_shown(eop_buf *buf, const eop_json *item, const char *key,
                      const char *quality_key) {
    const eop_json *quality = eop_json_get(item, quality_key);
    char *text = eop_json_print(eop_json_get(item, key));
    eop_buf_printf(buf, "%.80s", text != NULL ? text : "?");
    eop_free(text);
    if (quality != NULL) {
        text = eop_json_print(quality);
        eop_buf_printf(buf, " (quality code %s)", text != NULL ? text : "?");
        eop_free(text);
    }
}

static bool is_of_predictions(const eop_json *conflict) {
    return strncmp(eop_json_string(conflict, "asset", ""), "predictions/", 12) == 0;
}

void eop_import_tell_conflicts(eop_import *w) {
    const eop_json *first = eop_json_first(w->conflicts);
    eop_buf buf = {0};
    if (w->sum.conflicts == 0) {
        return;
    }
    eop_buf_printf(&buf,
                   "%" PRIu64 " row%s not stored: the store has other values for %s time and seq",
                   w->sum.conflicts, w->sum.conflicts == 1 ? " is" : "s are",
                   w->sum.conflicts == 1 ? "its" : "their");
    if (first != NULL) {
        eop_buf_printf(&buf, "; the first, %s of '%s', channel '%s': stored ",
                       eop_json_string(first, "time", "?"), eop_json_string(first, "asset", "?"),
                       eop_json_string(first, "channel", "?"));
        put_shown(&buf, first, "stored", "stored_quality");
        eop_buf_puts(&buf, ", new ");
        put_shown(&buf, first, "new", "new_quality");
    }
    eop_buf_puts(&buf, is_of_predictions(first)
                           ? "; predictions are stored as whole rows: import them as another asset"
                           : "; --on-conflict seq stores them as rows of their own; else import "
                             "them as another asset, or remove what is stored");
    eop_json_append_string(w->warnings, buf.failed ? "out of memory" : buf.data);
    eop_buf_dispose(&buf);
}
