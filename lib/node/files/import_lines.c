/* SPDX-License-Identifier: Apache-2.0 */
/* JSON lines, plain or gzip: one object a sample, as data.export writes them. */
#include "node/files/import_lines.h"

#include <string.h>

#include "codec/input.h"
#include "codec/payload.h"

#define LINE_MAX ((size_t)1 << 20)

/* Names mostly come in the same order in each line. */
static const char *keep_name(eop_import *w, size_t at, const char *name) {
    if (at < w->kept_count && strcmp(w->kept[at], name) == 0) {
        return w->kept[at];
    }
    for (size_t i = 0; i < w->kept_count; i++) {
        if (strcmp(w->kept[i], name) == 0) {
            return w->kept[i];
        }
    }
    char *copy = eop_strdup(name);
    if (copy == NULL || !eop_grow(&w->kept, &w->kept_capacity, w->kept_count + 1, sizeof(char *))) {
        eop_free(copy);
        return NULL;
    }
    w->kept[w->kept_count++] = copy;
    return copy;
}

static edgeops_status put_borrowed(eop_import *w, const edgeops_sample *sample) {
    size_t first = w->value_count;
    edgeops_status status = eop_import_put(w, sample, 0);
    for (size_t i = 0; status == EDGEOPS_OK && i < sample->count; i++) {
        w->names[first + i] = keep_name(w, i, sample->channels[i]);
        status = w->names[first + i] != NULL ? EDGEOPS_OK : eop_fail_nomem("node");
    }
    if (status == EDGEOPS_OK && eop_import_is_full(w)) {
        status = eop_import_flush(w);
    }
    return status;
}

static edgeops_status take_line(eop_import *w, eop_payload *payload, const char *line, size_t size,
                                uint64_t number) {
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    while (size > 0 && strchr(" \t\r", line[size - 1]) != NULL) {
        size--;
    }
    if (size == 0) {
        return EDGEOPS_OK;
    }
    edgeops_status status = eop_payload_decode(payload, w->args.options.asset, line, size,
                                               EDGEOPS_TIME_MIN, &samples, &n);
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        status = samples[i].time != EDGEOPS_TIME_MIN
                     ? put_borrowed(w, &samples[i])
                     : eop_fail(EDGEOPS_E_INVALID, "node", "there is no time");
    }
    if (status == EDGEOPS_E_INVALID || status == EDGEOPS_E_LIMIT) {
        status = eop_fail(status, "node", "%s:%llu: %s", w->args.options.what,
                          (unsigned long long)number, edgeops_error_last()->message);
    }
    return status;
}

static eop_payload *line_reader(eop_import *w, edgeops_status *status) {
    const eop_json *columns = eop_json_get(w->call->args, "columns");
    eop_payload *payload = NULL;
    eop_json *config = eop_json_object();
    if (w->args.options.time_column != NULL) {
        eop_json_set_string(config, "time", w->args.options.time_column);
    }
    if (w->args.options.rules.times.unit != NULL) {
        eop_json_set_string(config, "time_unit", w->args.options.rules.times.unit);
    }
    if (w->args.options.seq_column != NULL) {
        eop_json_set_string(config, "seq", w->args.options.seq_column);
    }
    if (columns != NULL) {
        eop_json_set(config, "channels", eop_json_copy(columns));
    }
    char *text = eop_json_print(config);
    eop_json_free(config);
    *status = text != NULL ? eop_payload_new(&payload, text) : eop_fail_nomem("node");
    eop_free(text);
    return payload;
}

/* Lines that are whole; the rest stays in the buffer. */
static edgeops_status take_whole_lines(eop_import *w, eop_payload *payload, eop_buf *buf,
                                       uint64_t *number, bool last) {
    edgeops_status status = EDGEOPS_OK;
    size_t at = 0;
    while (status == EDGEOPS_OK && at < buf->size) {
        const char *line = buf->data + at;
        const char *end = memchr(line, '\n', buf->size - at);
        if (end == NULL && !last) {
            break;
        }
        size_t size = end != NULL ? (size_t)(end - line) : buf->size - at;
        status = take_line(w, payload, line, size, ++*number);
        at += size + (end != NULL);
    }
    memmove(buf->data, buf->data + at, buf->size - at);
    buf->size -= at;
    if (status == EDGEOPS_OK && buf->size > LINE_MAX) {
        status = eop_fail(EDGEOPS_E_LIMIT, "node", "%s:%llu: the line is longer than 1 MiB",
                          w->args.options.what, (unsigned long long)*number + 1);
    }
    return status;
}

edgeops_status eop_import_lines(eop_job *job, eop_import *w, int fd) {
    eop_input *input = NULL;
    eop_buf buf = {0};
    uint64_t number = 0;
    size_t got = 1;
    edgeops_status status = EDGEOPS_OK;
    if (w->args.options.label_column != NULL || w->args.options.skip_count > 0 ||
        w->args.options.time_column == NULL || strchr(w->args.options.asset, '{') != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "node",
                        "jsonl: rows have a time and one asset; labels and columns to skip are for "
                        "csv");
    }
    eop_payload *payload = line_reader(w, &status);
    if (status == EDGEOPS_OK) {
        status = eop_input_open(&input, fd, w->args.options.cancel_fd, w->args.options.what);
    }
    while (status == EDGEOPS_OK && got > 0 && !eop_job_canceled(job)) {
        char *place = eop_buf_reserve(&buf, 65536);
        status = place != NULL ? eop_input_read(input, place, 65536, &got) : eop_fail_nomem("node");
        if (status == EDGEOPS_OK) {
            buf.size += got;
            status = take_whole_lines(w, payload, &buf, &number, got == 0);
            eop_import_progress(w, eop_input_taken(input), 0);
        }
    }
    if (status == EDGEOPS_OK) {
        status = eop_job_canceled(job) ? eop_fail(EDGEOPS_E_CANCELED, "node", "ended on request")
                                       : eop_import_flush(w);
    }
    eop_input_close(input);
    eop_payload_free(payload);
    eop_buf_dispose(&buf);
    return status;
}
