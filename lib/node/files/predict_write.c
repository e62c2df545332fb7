/* SPDX-License-Identifier: Apache-2.0 */
/* The answers of a batch prediction as rows of text. */
#include "node/files/predict_write.h"

#include <string.h>

#include "codec/column_name.h"
#include "codec/csv.h"
#include "codec/message.h"
#include "node/files/table_write.h"
#include "node/home/args.h"

size_t eop_predict_compared(const edgeops_manifest *m) {
    if (m->label[0] == '\0') {
        return SIZE_MAX;
    }
    for (size_t i = 0; i < m->output_count; i++) {
        if (strcmp(m->outputs[i].name, m->label) == 0) {
            return i;
        }
    }
    for (size_t i = 0; i < m->output_count; i++) {
        if (m->outputs[i].type == EDGEOPS_TYPE_STRING) {
            return i;
        }
    }
    return SIZE_MAX;
}

static void put_text(eop_buf *buf, const char *text) {
    eop_csv_put(buf, text, text != NULL ? strlen(text) : 0, ',');
}

/* An output of the name of another column has its type behind it, as channels of exports. */
static bool is_taken(const eop_predict *p, const char *name) {
    eop_column_name parts;
    return strcmp(name, "time") == 0 || strcmp(name, "error") == 0 ||
           (p->with_group && strcmp(name, "asset") == 0) ||
           (p->with_label && strcmp(name, "label") == 0) ||
           eop_column_name_read(&parts, name, strlen(name));
}

static void put_output_name(eop_predict *p, const edgeops_port *output) {
    eop_buf name = {0};
    eop_column_name_put(&name, output->name,
                        is_taken(p, output->name) ? output->type : EDGEOPS_TYPE_NULL, 1);
    if (!name.failed) {
        eop_csv_put(&p->rows, name.data, name.size, ',');
    }
    p->rows.failed = p->rows.failed || name.failed;
    eop_buf_dispose(&name);
}

void eop_predict_put_header(eop_predict *p) {
    if (p->jsonl) {
        return;
    }
    eop_buf_puts(&p->rows, p->with_group ? "time,asset" : "time");
    for (size_t i = 0; i < p->manifest->output_count; i++) {
        eop_buf_puts(&p->rows, ",");
        put_output_name(p, &p->manifest->outputs[i]);
    }
    eop_buf_puts(&p->rows, p->with_label ? ",label,error\n" : ",error\n");
}

static void put_csv(eop_predict *p, const edgeops_prediction *answer, const char *time,
                    const char *group, const char *label) {
    eop_buf *buf = &p->rows;
    eop_buf_puts(buf, time);
    if (p->with_group) {
        eop_buf_puts(buf, ",");
        put_text(buf, group);
    }
    for (size_t i = 0; i < p->manifest->output_count; i++) {
        eop_buf_puts(buf, ",");
        if (i < answer->count) {
            eop_table_put_field(buf, &answer->values[i]);
        }
    }
    if (p->with_label) {
        eop_buf_puts(buf, ",");
        put_text(buf, label);
    }
    eop_buf_puts(buf, ",");
    put_text(buf, answer->status < 0 ? answer->message : NULL);
    eop_buf_puts(buf, "\n");
}

static void put_json(eop_predict *p, const edgeops_prediction *answer, const char *time,
                     const char *group, const char *label) {
    eop_buf *buf = &p->rows;
    eop_buf_puts(buf, "{");
    eop_message_put_text(buf, "time", time);
    eop_message_put_text(buf, "asset", p->with_group ? group : NULL);
    if (answer->status == EDGEOPS_OK) {
        eop_message_put_key(buf, "outputs");
        eop_buf_puts(buf, "{");
        for (size_t i = 0; i < answer->count; i++) {
            eop_message_put_value(buf, p->manifest->outputs[i].name, &answer->values[i]);
        }
        eop_buf_puts(buf, "}");
    } else {
        eop_message_put_text(buf, "error", answer->message);
    }
    eop_message_put_text(buf, "label", label);
    eop_buf_puts(buf, "}\n");
}

static edgeops_status compare(eop_predict *p, const edgeops_prediction *answer, const char *label) {
    const edgeops_value *value = &answer->values[p->compared];
    if (value->type == EDGEOPS_TYPE_STRING) {
        return eop_score_add(&p->score, label, value->as.str, value->size);
    }
    eop_buf text = {0};
    eop_value_put_text(&text, value);
    edgeops_status status =
        text.failed
            ? eop_fail_nomem("node")
            : eop_score_add(&p->score, label, text.data != NULL ? text.data : "", text.size);
    eop_buf_dispose(&text);
    return status;
}

/* The text stays where it is; the list of texts grows under the reader's hands. */
static const char *text_of(eop_predict *p, const eop_texts *texts, size_t number) {
    pthread_mutex_lock(&p->lock);
    const char *text = texts->items[number];
    pthread_mutex_unlock(&p->lock);
    return text;
}

edgeops_status eop_predict_put(eop_predict *p, const edgeops_prediction *answer, edgeops_time time,
                               uint32_t group, int32_t label) {
    char text[40];
    const char *label_text = label >= 0 ? text_of(p, &p->labels, (size_t)label) : NULL;
    edgeops_status status = EDGEOPS_OK;
    p->predictions += answer->status == EDGEOPS_OK;
    p->errors += answer->status < 0;
    p->skipped += answer->status == EDGEOPS_DONE;
    if (answer->status == EDGEOPS_OK && label_text != NULL && p->compared != SIZE_MAX) {
        status = compare(p, answer, label_text);
    }
    if (answer->status == EDGEOPS_DONE || p->call->output < 0 || status != EDGEOPS_OK) {
        return status;
    }
    eop_format_time(text, time);
    const char *group_text = text_of(p, &p->groups, group);
    if (p->jsonl) {
        put_json(p, answer, text, group_text, label_text);
    } else {
        put_csv(p, answer, text, group_text, label_text);
    }
    return p->rows.failed ? eop_fail_nomem("node") : EDGEOPS_OK;
}

void eop_predict_write(eop_job *job, void *user_data) {
    eop_predict *p = user_data;
    edgeops_status status = EDGEOPS_OK;
    bool last = false;
    while (status == EDGEOPS_OK && !last) {
        eop_buf text = {0};
        pthread_mutex_lock(&p->lock);
        while (p->queue.size == 0 && !p->wrote_all && !p->ended && !eop_job_canceled(job)) {
            pthread_cond_wait(&p->moved, &p->lock);
        }
        text = p->queue;
        p->queue = (eop_buf){0};
        last = p->wrote_all || p->ended || eop_job_canceled(job);
        eop_wake_send(p->wake);
        pthread_mutex_unlock(&p->lock);
        if (text.size > 0) {
            status = eop_job_write(job, p->call->output, text.data, text.size);
        }
        eop_buf_dispose(&text);
    }
    eop_job_end(job, status);
    pthread_mutex_lock(&p->lock);
    p->ended = p->ended || status != EDGEOPS_OK;
    pthread_cond_broadcast(&p->moved);
    eop_wake_send(p->wake);
    pthread_mutex_unlock(&p->lock);
}
