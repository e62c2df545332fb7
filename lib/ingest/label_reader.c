/* SPDX-License-Identifier: Apache-2.0 */
/* Reads label messages through the payload decoder, as samples whose channels are texts: paths,
 * exactness of numbers and limits are those of samples. */
#include "ingest/label_reader.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "codec/payload.h"
#include "codec/rules.h"

#define LABELS_MAX 10000u
#define SOURCE_MAX 256u

typedef enum part { ASSET, START, TIME, END, LABEL, AUTHOR, PARTS } part;
static const char *const part_names[PARTS] = {"asset", "start", "time", "end", "label", "author"};

struct eop_label_reader {
    eop_payload *payload;
    char **filters;
    size_t filter_count;
    eop_times *times;
    char *kind;
    char *source;
    edgeops_label *labels;
    size_t capacity;
    eop_buf texts; /**< of all labels; while reading a label holds places in it */
    char from[SOURCE_MAX + 1];
};

void eop_label_reader_free(eop_label_reader *reader) {
    if (reader == NULL) {
        return;
    }
    for (size_t i = 0; i < reader->filter_count; i++) {
        eop_free(reader->filters[i]);
    }
    eop_free(reader->filters);
    eop_payload_free(reader->payload);
    eop_times_free(reader->times);
    eop_free(reader->kind);
    eop_free(reader->source);
    eop_free(reader->labels);
    eop_buf_dispose(&reader->texts);
    eop_free(reader);
}

/* -- configuration -- */

static edgeops_status make_payload(eop_label_reader *reader, const eop_json *config) {
    const eop_json *members = eop_json_get(config, "members");
    eop_json *json = eop_json_object();
    eop_json *channels = eop_json_object();
    eop_json_set_string(json, "asset", eop_json_string(config, "asset", "{topic}"));
    eop_json_set_string(json, "time", "");
    eop_json_set_string(json, "seq", "");
    eop_json_set_string(json, "new_channels", "ignore");
    for (size_t i = 0; i < PARTS; i++) {
        const char *from = eop_json_string(members, part_names[i], part_names[i]);
        eop_json *channel = eop_json_object();
        if (i == TIME && strcmp(eop_json_string(members, "start", "start"), "time") == 0) {
            eop_json_free(channel);
            continue;
        }
        eop_json_set_string(channel, "type", "string");
        eop_json_set_string(channel, "from", from);
        eop_json_set(channels, part_names[i], channel);
    }
    eop_json_set(json, "channels", channels);
    char *text = eop_json_print(json);
    eop_json_free(json);
    if (text == NULL) {
        return eop_fail_nomem("source");
    }
    edgeops_status status = eop_payload_new(&reader->payload, text);
    eop_free(text);
    if (status == EDGEOPS_E_INVALID) {
        char *why = eop_strdup(edgeops_error_last()->message);
        status = eop_fail(EDGEOPS_E_INVALID, "source", "labels: %s",
                          why != NULL ? why : "the members are not sound");
        eop_free(why);
    }
    return status;
}

static edgeops_status take_filters(eop_label_reader *reader, const eop_json *topics) {
    reader->filters = eop_calloc(eop_json_size(topics) + 1, sizeof(*reader->filters));
    bool good = reader->filters != NULL;
    for (const eop_json *t = eop_json_first(topics); good && t != NULL; t = eop_json_next(t)) {
        reader->filters[reader->filter_count] = eop_strdup(eop_json_text(t));
        good = reader->filters[reader->filter_count] != NULL;
        reader->filter_count += good;
    }
    return good ? EDGEOPS_OK : eop_fail_nomem("source");
}

edgeops_status eop_label_reader_new(eop_label_reader **out, const eop_json *config,
                                    const char *kind, const char *source) {
    *out = NULL;
    if (config == NULL) {
        return EDGEOPS_OK;
    }
    eop_label_reader *reader = eop_calloc(1, sizeof(*reader));
    if (reader == NULL) {
        return eop_fail_nomem("source");
    }
    const eop_times_options times = {.unit = eop_json_string(config, "time_unit", NULL),
                                     .format = eop_json_string(config, "time_format", NULL),
                                     .zone = eop_json_string(config, "time_zone", NULL)};
    reader->kind = eop_strdup(kind);
    reader->source = eop_strdup(source);
    edgeops_status status = eop_times_new(&reader->times, &times);
    if (status == EDGEOPS_OK && (reader->kind == NULL || reader->source == NULL)) {
        status = eop_fail_nomem("source");
    }
    if (status == EDGEOPS_OK) {
        status = take_filters(reader, eop_json_get(config, "topics"));
    }
    if (status == EDGEOPS_OK) {
        status = make_payload(reader, config);
    }
    if (status != EDGEOPS_OK) {
        eop_label_reader_free(reader);
        return status;
    }
    *out = reader;
    return EDGEOPS_OK;
}

/* -- topics: MQTT 3.1.1, 4.7 -- */

static const char *without_group(const char *filter) {
    static const char share[] = "$share/";
    if (strncmp(filter, share, sizeof(share) - 1) != 0) {
        return filter;
    }
    const char *slash = strchr(filter + sizeof(share) - 1, '/');
    return slash != NULL ? slash + 1 : filter;
}

static bool matches(const char *filter, const char *topic) {
    for (;;) {
        size_t size = strcspn(topic, "/");
        size_t wanted = strcspn(filter, "/");
        if (strcmp(filter, "#") == 0) {
            return true;
        }
        if ((wanted != 1 || *filter != '+') &&
            (wanted != size || strncmp(filter, topic, size) != 0)) {
            return false;
        }
        topic += size;
        filter += wanted;
        if (*topic == '\0') {
            return *filter == '\0' || strcmp(filter, "/#") == 0; /* the parent, too */
        }
        if (*filter == '\0') {
            return false;
        }
        topic++;
        filter++;
    }
}

bool eop_topic_matches(const char *filter, const char *topic) {
    return matches(without_group(filter), topic);
}

bool eop_label_reader_takes(const eop_label_reader *reader, const char *topic) {
    for (size_t i = 0; reader != NULL && i < reader->filter_count; i++) {
        if (eop_topic_matches(reader->filters[i], topic)) {
            return true;
        }
    }
    return false;
}

/* -- messages -- */

static const edgeops_value *part_of(const edgeops_sample *sample, part which) {
    for (size_t i = 0; i < sample->count; i++) {
        if (strcmp(sample->channels[i], part_names[which]) == 0 &&
            sample->values[i].type == EDGEOPS_TYPE_STRING && sample->values[i].size > 0) {
            return &sample->values[i];
        }
    }
    return NULL;
}

static edgeops_status bad_time(const edgeops_value *value, const char *what, size_t index) {
    return eop_fail(EDGEOPS_E_INVALID, "source", "label %zu: %s '%.*s' is not a time", index + 1,
                    what, value->size < 40 ? (int)value->size : 40, value->as.str);
}

static edgeops_status read_times(edgeops_label *out, const eop_label_reader *reader,
                                 const edgeops_value *start, const edgeops_value *end,
                                 size_t index) {
    if (!eop_time_text(&out->start, NULL, reader->times, start->as.str, start->size)) {
        return bad_time(start, "start", index);
    }
    out->end = out->start;
    if (end != NULL && eop_rules_null(NULL, end->as.str, end->size) == NULL &&
        !eop_time_end(&out->end, NULL, reader->times, out->start, end->as.str, end->size)) {
        return bad_time(end, "end", index);
    }
    return EDGEOPS_OK;
}

/* Where the text begins; the buffer may still move. */
static size_t keep(eop_label_reader *reader, const char *text, size_t size) {
    size_t at = reader->texts.size;
    eop_buf_put(&reader->texts, text, size);
    eop_buf_put(&reader->texts, "", 1);
    return at;
}

static edgeops_status read_label(eop_label_reader *reader, edgeops_label *out, size_t texts[3],
                                 const edgeops_sample *sample, size_t index) {
    const edgeops_value *start = part_of(sample, START);
    const edgeops_value *end = part_of(sample, END);
    const edgeops_value *label = part_of(sample, LABEL);
    const edgeops_value *author = part_of(sample, AUTHOR);
    const edgeops_value *asset = part_of(sample, ASSET);
    start = start != NULL ? start : part_of(sample, TIME);
    if (start == NULL || label == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "source", "label %zu: it has no %s", index + 1,
                        label == NULL ? "text" : "start");
    }
    *out = (edgeops_label){.source = reader->from};
    edgeops_status status = read_times(out, reader, start, end, index);
    texts[0] = asset != NULL ? keep(reader, asset->as.str, asset->size)
                             : keep(reader, sample->asset, strlen(sample->asset));
    texts[1] = keep(reader, label->as.str, label->size);
    texts[2] =
        keep(reader, author != NULL ? author->as.str : "", author != NULL ? author->size : 0);
    return status;
}

static edgeops_status read_all(eop_label_reader *reader, const edgeops_sample *samples, size_t n) {
    size_t(*texts)[3] = eop_calloc(n, sizeof(*texts));
    edgeops_status status = EDGEOPS_OK;
    if (texts == NULL ||
        !eop_grow(&reader->labels, &reader->capacity, n, sizeof(*reader->labels))) {
        eop_free(texts);
        return eop_fail_nomem("source");
    }
    eop_buf_clear(&reader->texts);
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        status = read_label(reader, &reader->labels[i], texts[i], &samples[i], i);
    }
    if (status == EDGEOPS_OK && reader->texts.failed) {
        status = eop_fail_nomem("source");
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        reader->labels[i].asset = reader->texts.data + texts[i][0];
        reader->labels[i].label = reader->texts.data + texts[i][1];
        reader->labels[i].author = reader->texts.data + texts[i][2];
    }
    eop_free(texts);
    return status;
}

edgeops_status eop_label_reader_decode(eop_label_reader *reader, const char *topic,
                                       const void *data, size_t size, const edgeops_label **labels,
                                       size_t *n) {
    const edgeops_sample *samples = NULL;
    size_t count = 0;
    edgeops_status status =
        eop_payload_decode(reader->payload, topic, data, size, 0, &samples, &count);
    if (status == EDGEOPS_OK && count > LABELS_MAX) {
        status =
            eop_fail(EDGEOPS_E_INVALID, "source", "a message holds at most %u labels", LABELS_MAX);
    }
    if (status == EDGEOPS_OK) {
        (void)snprintf(reader->from, sizeof(reader->from), "%s:%s/%s", reader->kind, reader->source,
                       topic);
        reader->from[eop_utf8_valid(reader->from, strlen(reader->from))] = '\0';
        status = read_all(reader, samples, count);
    }
    if (status != EDGEOPS_OK) {
        return status == EDGEOPS_E_NOMEM ? status : EDGEOPS_E_INVALID;
    }
    *labels = reader->labels;
    *n = count;
    return EDGEOPS_OK;
}
