/* SPDX-License-Identifier: Apache-2.0 */
/* The configuration of a payload format: schema, template of the asset's name, channels, and the
 * rules that a schema cannot say. Read once, then constant. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/payload_members.h"
#include "codec/schema.h"
#include "codec/value.h"

#define MAX_LEVEL 64

const char *const eop_payload_schema =
    "{\"type\":\"object\",\"additionalProperties\":false,"
    "\"description\":\"How messages become samples\","
    "\"properties\":{"
    "\"format\":{\"enum\":[\"json\",\"value\",\"databus\"],\"default\":\"json\","
    "\"description\":\"json: objects or lists of them; value: one bare value such as 21.5;"
    " databus: Siemens' common payload format\"},"
    "\"asset\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":512,"
    "\"default\":\"{topic}\","
    "\"description\":\"Name of the asset; {topic} is the topic, {2} its second level, {device}"
    " or {meta.id} or {/meta/id} a member of the message (of the list's element first)\"},"
    "\"channel\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":512,"
    "\"description\":\"Of format value: name of the channel, made of the topic; value if not"
    " given\"},"
    "\"time\":{\"type\":\"string\",\"maxLength\":256,\"default\":\"time\","
    "\"description\":\"Member with the time stamp, dots for nesting (of a list's element first,"
    " then of the message); empty: the time of arrival\"},"
    "\"time_unit\":{\"enum\":[\"s\",\"ms\",\"us\",\"ns\"],"
    "\"description\":\"Unit of a time stamp that is a number; by its magnitude if not given\"},"
    "\"time_format\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":128,"
    "\"description\":\"How times are written, in strptime's words such as %d.%m.%Y %H:%M:%S\"},"
    "\"time_zone\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":64,"
    "\"description\":\"Time zone of times without one, such as Europe/Vienna; UTC if not given."
    " Of an hour that comes twice the pass that is nearer to the arrival counts\"},"
    "\"on_missing_time\":{\"enum\":[\"refuse\",\"arrival\"],"
    "\"description\":\"A message without its time: a dead letter, or the time of arrival (also for"
    " what is not a time), counted. refuse if time is given, else arrival where there is none\"},"
    "\"seq\":{\"type\":\"string\",\"maxLength\":256,\"default\":\"seq\","
    "\"description\":\"Member with the sequence number, an integer\"},"
    "\"values\":{\"type\":\"string\",\"maxLength\":256,\"default\":\"\","
    "\"description\":\"Member that holds the values, dots for nesting; empty: the object"
    " itself. A list of objects there gives a sample for each, or channels (see list)\"},"
    "\"list\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"description\":\"How the elements of a list of objects are told apart, never by place\","
    "\"properties\":{"
    "\"name\":{\"type\":\"string\",\"maxLength\":256,"
    "\"description\":\"Member that names an element, such as id: elements are channels of"
    " that name; empty: each element is a sample. id, name, tag or the like if not"
    " given\"},"
    "\"value\":{\"type\":\"string\",\"maxLength\":256,"
    "\"description\":\"Member of an element with its value: the channel is called by the name"
    " alone; else each member is a channel NAME.member\"},"
    "\"time\":{\"type\":\"string\",\"maxLength\":256,"
    "\"description\":\"Member of an element with its time; by default called as the"
    " message's\"},"
    "\"quality\":{\"type\":\"string\",\"maxLength\":256,"
    "\"description\":\"Member of an element with the quality code of its value\"}}},"
    "\"channels\":{\"type\":\"object\",\"default\":{},"
    "\"description\":\"Types and units of channels\","
    "\"additionalProperties\":{\"type\":\"object\",\"additionalProperties\":false,"
    "\"properties\":{"
    "\"type\":" EOP_TYPE_SCHEMA ","
    "\"unit\":{\"type\":\"string\",\"maxLength\":64,\"default\":\"\"},"
    "\"from\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,"
    "\"description\":\"Member it comes from, within values; by default that of its"
    " name\"},"
    "\"quality\":{\"type\":\"string\",\"minLength\":1,\"maxLength\":256,"
    "\"description\":\"Member with the quality code of its value, within values\"}}}},"
    "\"quality\":{\"enum\":[\"code\",\"qc\"],"
    "\"description\":\"What the quality members hold: codes of 16 bits, or a databus' qc"
    " 0..3\"},"
    "\"null\":{\"type\":\"array\",\"maxItems\":64,\"items\":{\"type\":\"string\","
    "\"maxLength\":64},\"description\":\"Texts that mean no value among numbers, beside NA,"
    " N/A, null, NaN, None, ?, - and empty ones\"},"
    "\"decimal\":{\"enum\":[\".\",\",\"],\"default\":\".\","
    "\"description\":\"Decimal sign of numbers in quotes and of bare values\"},"
    "\"new_channels\":{\"enum\":[\"add\",\"ignore\",\"refuse\"],\"default\":\"add\","
    "\"description\":\"What to do with a member that channels does not list\"},"
    "\"non_finite\":{\"enum\":[\"refuse\",\"null\"],\"default\":\"refuse\","
    "\"description\":\"What to do with NaN, Infinity and -Infinity\"}}}";

static edgeops_status add_piece(eop_template *template, const char *text, size_t size, int level) {
    eop_piece piece = {.level = level};
    if (text != NULL && size == 0) {
        return EDGEOPS_OK;
    }
    if (text != NULL && (piece.text = eop_strndup(text, size)) == NULL) {
        return eop_fail_nomem("payload");
    }
    if (!eop_grow(&template->pieces, &template->capacity, template->count + 1,
                  sizeof(*template->pieces))) {
        eop_free(piece.text);
        return eop_fail_nomem("payload");
    }
    template->pieces[template->count++] = piece;
    return EDGEOPS_OK;
}

/* Of "meta.id" or "/meta/id" (RFC 6901): the path "meta.id". NULL: no memory. */
static char *member_path(const char *text, size_t size) {
    bool pointer = *text == '/';
    char *path = eop_strndup(text + pointer, size - pointer);
    char *w = path;
    for (const char *r = path; pointer && r != NULL && *r != '\0'; r++) {
        bool escaped = *r == '~' && (r[1] == '0' || r[1] == '1');
        *w++ = escaped ? (r[1] == '0' ? '~' : '/') : (char)(*r == '/' ? '.' : *r);
        r += escaped;
    }
    if (pointer && path != NULL) {
        *w = '\0';
    }
    return path;
}

static edgeops_status add_member(eop_payload_config *config, const char *text, size_t size) {
    size_t i = 0;
    char *path = member_path(text, size);
    if (path == NULL) {
        return eop_fail_nomem("payload");
    }
    while (i < config->asset_member_count && strcmp(config->asset_members[i], path) != 0) {
        i++;
    }
    if (i == EOP_ASSET_MEMBERS) {
        eop_free(path);
        return eop_fail(EDGEOPS_E_INVALID, "payload", "payload: /asset: over %d members",
                        EOP_ASSET_MEMBERS);
    }
    if (i == config->asset_member_count) {
        config->asset_members[config->asset_member_count++] = path;
    } else {
        eop_free(path);
    }
    return add_piece(&config->asset, NULL, 0, -1 - (int)i);
}

/* What stands in braces. */
static edgeops_status add_place(eop_payload_config *config, eop_template *template, const char *key,
                                const char *text, size_t size) {
    int64_t level = 0;
    if (size == 5 && memcmp(text, "topic", 5) == 0) {
        return add_piece(template, NULL, 0, 0);
    }
    if (strspn(text, "0123456789") >= size) {
        if (eop_int64_text(&level, text, size) && level >= 1 && level <= MAX_LEVEL) {
            return add_piece(template, NULL, 0, (int)level);
        }
    } else if (template == &config->asset && size <= 256 && !(*text == '/' && size == 1)) {
        return add_member(config, text, size);
    }
    return eop_fail(EDGEOPS_E_INVALID, "payload",
                    "payload: %s: braces hold 'topic' or a level from 1 to %d%s", key, MAX_LEVEL,
                    template == &config->asset
                        ? ", or a member of the message: \"{topic}\", \"watch/{2}\", \"{device}\""
                        : ", such as \"{topic}\" or \"{3}\"");
}

static edgeops_status read_template(eop_payload_config *config, eop_template *template,
                                    const char *key, const char *text) {
    edgeops_status status = EDGEOPS_OK;
    while (status == EDGEOPS_OK && *text != '\0') {
        size_t literal = strcspn(text, "{}");
        status = add_piece(template, text, literal, 0);
        text += literal;
        if (*text == '\0' || status != EDGEOPS_OK) {
            break;
        }
        size_t inside = strcspn(text + 1, "{}");
        bool closed = *text == '{' && text[1 + inside] == '}';
        status = add_place(config, template, key, text + 1, closed ? inside : 0);
        text += inside + 2;
    }
    return status;
}

static int by_from(const void *a, const void *b) {
    return strcmp(((const eop_channel *)a)->from, ((const eop_channel *)b)->from);
}

/* The time stamp or sequence number cannot be a channel as well. */
static bool is_used(const eop_payload_config *config, const char *from) {
    size_t skip = config->values_size > 0 ? config->values_size + 1 : 0;
    const char *const used[] = {config->time, config->seq};
    for (size_t i = 0; i < EOP_COUNT(used); i++) {
        bool inside = skip == 0 ||
                      (strncmp(used[i], config->values, skip - 1) == 0 && used[i][skip - 1] == '.');
        if (inside && strcmp(used[i] + skip, from) == 0) {
            return true;
        }
    }
    return false;
}

static edgeops_status read_channels(eop_payload_config *config, const eop_json *channels) {
    size_t n = eop_json_size(channels);
    if (n > 1024) {
        return eop_fail(EDGEOPS_E_LIMIT, "payload", "payload: /channels: over 1,024 channels");
    }
    config->channels = eop_calloc(n, sizeof(*config->channels));
    if (config->channels == NULL) {
        return eop_fail_nomem("payload");
    }
    for (const eop_json *m = eop_json_first(channels); m != NULL; m = eop_json_next(m)) {
        eop_channel *channel = &config->channels[config->channel_count++];
        const char *name = eop_json_key(m);
        channel->name = eop_strdup(name);
        channel->unit = eop_strdup(eop_json_string(m, "unit", ""));
        channel->from = eop_strdup(eop_json_string(m, "from", name));
        channel->quality = eop_strdup(eop_json_string(m, "quality", ""));
        if (channel->name == NULL || channel->unit == NULL || channel->from == NULL ||
            channel->quality == NULL) {
            return eop_fail_nomem("payload");
        }
        edgeops_status status =
            eop_type_read(&channel->type, &channel->length, eop_json_string(m, "type", "float64"),
                          "payload: /channels/", name);
        if (status != EDGEOPS_OK) {
            return status;
        }
        config->has_qualities = config->has_qualities || channel->quality[0] != '\0';
        if (!eop_name_valid(name, strlen(name), EOP_CHANNEL_BYTES)) {
            return eop_fail(EDGEOPS_E_INVALID, "payload",
                            "payload: /channels: '%s' is not a valid name for a channel", name);
        }
        if (is_used(config, channel->from)) {
            return eop_fail(EDGEOPS_E_INVALID, "payload",
                            "payload: /channels/%s comes from '%s', which is the time stamp or the "
                            "sequence number; name another member in /time or /seq",
                            name, channel->from);
        }
    }
    qsort(config->channels, n, sizeof(*config->channels), by_from);
    for (size_t i = 1; i < n; i++) {
        if (strcmp(config->channels[i].from, config->channels[i - 1].from) == 0) {
            return eop_fail(EDGEOPS_E_INVALID, "payload",
                            "payload: /channels: '%s' and '%s' both come from '%s'",
                            config->channels[i - 1].name, config->channels[i].name,
                            config->channels[i].from);
        }
    }
    return EDGEOPS_OK;
}

static int index_of(const char *const *words, size_t count, const char *word) {
    for (size_t i = 0; i < count; i++) {
        if (strcmp(words[i], word) == 0) {
            return (int)i;
        }
    }
    return 0;
}

static edgeops_status read_list(eop_payload_config *config, const eop_json *json) {
    bool databus = config->format == EOP_FORMAT_DATABUS;
    eop_list_config *list = &config->list;
    const eop_json *given = eop_json_get(json, "list");
    const char *name = eop_json_string(given, "name", databus ? "id" : NULL);
    list->given = given != NULL || databus;
    list->name = name != NULL ? eop_strdup(name) : NULL;
    list->value = eop_strdup(eop_json_string(given, "value", databus ? "val" : ""));
    list->time = eop_strdup(eop_json_string(given, "time", ""));
    list->quality = eop_strdup(eop_json_string(given, "quality", databus ? "qc" : ""));
    list->extended = eop_strdup(databus ? "qx" : "");
    if ((name != NULL && list->name == NULL) || list->value == NULL || list->time == NULL ||
        list->quality == NULL || list->extended == NULL) {
        return eop_fail_nomem("payload");
    }
    if (list->value[0] == '\0' && list->quality[0] != '\0') {
        return eop_fail(EDGEOPS_E_INVALID, "payload",
                        "payload: /list/quality needs /list/value: the value that it is of");
    }
    if (name != NULL && name[0] == '\0' && list->value[0] != '\0') {
        return eop_fail(EDGEOPS_E_INVALID, "payload",
                        "payload: /list/value needs /list/name: the member that names the channel");
    }
    config->has_qualities = config->has_qualities || list->quality[0] != '\0';
    return EDGEOPS_OK;
}

static edgeops_status read_rules(eop_payload_config *config, const eop_json *json) {
    static const char *const units[] = {"", "s", "ms", "us", "ns"};
    const char *words[64];
    const eop_json *nulls = eop_json_get(json, "null");
    eop_rules_options options = {.nulls = words,
                                 .decimal = *eop_json_string(json, "decimal", "."),
                                 .times = {.format = eop_json_string(json, "time_format", NULL),
                                           .unit = eop_json_string(json, "time_unit", NULL),
                                           .zone = eop_json_string(json, "time_zone", NULL)}};
    for (const eop_json *w = eop_json_first(nulls); w != NULL; w = eop_json_next(w)) {
        words[options.null_count++] = eop_json_text(w);
    }
    edgeops_status status = eop_rules_new(&config->rules, &options);
    config->times = eop_rules_times(config->rules);
    config->time_unit =
        (eop_time_unit)index_of(units, EOP_COUNT(units), eop_json_string(json, "time_unit", ""));
    if (options.times.format != NULL) {
        config->time_format = eop_strdup(options.times.format);
        status = status == EDGEOPS_OK && config->time_format == NULL ? eop_fail_nomem("payload")
                                                                     : status;
    }
    config->times_plain = options.times.format == NULL && options.times.zone == NULL;
    const char *missing = eop_json_string(json, "on_missing_time", "");
    config->bad_time_is_missing = strcmp(missing, "arrival") == 0;
    config->untimed_refused = strcmp(missing, "refuse") == 0 ||
                              (missing[0] == '\0' && eop_json_string(json, "time", "")[0] != '\0');
    if (status == EDGEOPS_OK && config->time[0] == '\0' && strcmp(missing, "refuse") == 0) {
        status = eop_fail(EDGEOPS_E_INVALID, "payload",
                          "payload: /on_missing_time is \"refuse\", and /time names no member");
    }
    return status;
}

/* A bare value has no members. */
static edgeops_status check_format(const eop_payload_config *config, const eop_json *json) {
    static const char *const members[] = {"time",      "seq",         "values",   "list",
                                          "time_unit", "time_format", "time_zone"};
    bool bare = config->format == EOP_FORMAT_VALUE;
    for (size_t i = 0; bare && i < EOP_COUNT(members); i++) {
        if (eop_json_get(json, members[i]) != NULL) {
            return eop_fail(EDGEOPS_E_INVALID, "payload",
                            "payload: /%s: a message of format \"value\" has no members",
                            members[i]);
        }
    }
    if (bare && config->asset_member_count > 0) {
        return eop_fail(EDGEOPS_E_INVALID, "payload",
                        "payload: /asset: a message of format \"value\" has no member '%s'",
                        config->asset_members[0]);
    }
    if (!bare && eop_json_get(json, "channel") != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "payload",
                        "payload: /channel is for format \"value\", see /channels");
    }
    return EDGEOPS_OK;
}

static edgeops_status check_members(const eop_payload_config *config) {
    if (config->time[0] != '\0' && strcmp(config->time, config->seq) == 0) {
        return eop_fail(EDGEOPS_E_INVALID, "payload",
                        "payload: /time and /seq name the same member '%s'", config->time);
    }
    for (size_t i = 0; i < config->asset_member_count; i++) {
        const char *path = config->asset_members[i];
        if (strcmp(path, config->time) == 0 || strcmp(path, config->seq) == 0) {
            return eop_fail(EDGEOPS_E_INVALID, "payload",
                            "payload: /asset: '%s' is the time stamp or the sequence number", path);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status read_names(eop_payload_config *config, const eop_json *json) {
    static const char *const formats[] = {"json", "value", "databus"};
    static const struct {
        const char *time, *seq, *values;
    } usual[] = {{"time", "seq", ""}, {"", "", ""}, {"ts", "seq", "vals"}};
    config->format = (eop_payload_format)index_of(formats, EOP_COUNT(formats),
                                                  eop_json_string(json, "format", "json"));
    config->time = eop_strdup(eop_json_string(json, "time", usual[config->format].time));
    config->seq = eop_strdup(eop_json_string(json, "seq", usual[config->format].seq));
    config->values = eop_strdup(eop_json_string(json, "values", usual[config->format].values));
    if (config->time == NULL || config->seq == NULL || config->values == NULL) {
        return eop_fail_nomem("payload");
    }
    config->values_size = strlen(config->values);
    edgeops_status status =
        read_template(config, &config->asset, "/asset", eop_json_string(json, "asset", "{topic}"));
    if (status == EDGEOPS_OK) {
        status = read_template(config, &config->channel, "/channel",
                               eop_json_string(json, "channel", "value"));
    }
    if (status == EDGEOPS_OK) {
        status = check_format(config, json);
    }
    return status == EDGEOPS_OK ? check_members(config) : status;
}

static edgeops_status read_members(eop_payload_config *config, const eop_json *json) {
    static const char *const policies[] = {"add", "ignore", "refuse"};
    edgeops_status status = read_names(config, json);
    bool databus = config->format == EOP_FORMAT_DATABUS;
    config->new_channels = (eop_new_channels)index_of(policies, EOP_COUNT(policies),
                                                      eop_json_string(json, "new_channels", "add"));
    config->quality_is_qc =
        strcmp(eop_json_string(json, "quality", databus ? "qc" : "code"), "qc") == 0;
    config->non_finite_null = strcmp(eop_json_string(json, "non_finite", "refuse"), "null") == 0;
    if (status == EDGEOPS_OK) {
        status = read_rules(config, json);
    }
    if (status == EDGEOPS_OK) {
        status = read_list(config, json);
    }
    return status == EDGEOPS_OK ? read_channels(config, eop_json_get(json, "channels")) : status;
}

edgeops_status eop_payload_config_read(eop_payload_config *config, const char *config_json) {
    eop_json *json = NULL;
    const char *text = config_json != NULL ? config_json : "{}";
    edgeops_status status = eop_json_parse(&json, text, strlen(text), "payload", NULL);
    if (status == EDGEOPS_OK) {
        /* No text: it is a part of a bigger document, whose lines are not known here. */
        status = eop_schema_check_text(eop_payload_schema, json, NULL, 0, "payload");
    }
    if (status == EDGEOPS_OK) {
        status = read_members(config, json);
    }
    eop_json_free(json);
    return status;
}

static void template_dispose(eop_template *template) {
    for (size_t i = 0; i < template->count; i++) {
        eop_free(template->pieces[i].text);
    }
    eop_free(template->pieces);
}

void eop_payload_config_dispose(eop_payload_config *config) {
    template_dispose(&config->asset);
    template_dispose(&config->channel);
    for (size_t i = 0; i < config->asset_member_count; i++) {
        eop_free(config->asset_members[i]);
    }
    for (size_t i = 0; i < config->channel_count; i++) {
        eop_free(config->channels[i].name);
        eop_free(config->channels[i].unit);
        eop_free(config->channels[i].from);
        eop_free(config->channels[i].quality);
    }
    eop_rules_free(config->rules);
    eop_free(config->channels);
    eop_free(config->list.name);
    eop_free(config->list.value);
    eop_free(config->list.time);
    eop_free(config->list.quality);
    eop_free(config->list.extended);
    eop_free(config->time);
    eop_free(config->time_format);
    eop_free(config->seq);
    eop_free(config->values);
}

/* The n-th level of the topic, from 1; NULL when it has less. */
static const char *topic_level(const char *topic, int n, size_t *size) {
    for (; n > 1; n--) {
        topic = strchr(topic, '/');
        if (topic == NULL) {
            return NULL;
        }
        topic++;
    }
    *size = strcspn(topic, "/");
    return topic;
}

edgeops_status eop_template_fill(const eop_template *template, char *name, size_t most,
                                 const char *what, const char *topic, const eop_part *parts) {
    char quoted[EOP_QUOTE_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < template->count; i++) {
        const eop_piece *piece = &template->pieces[i];
        const char *text = piece->text != NULL ? piece->text : topic;
        size_t size = strlen(text);
        if (piece->level < 0) {
            text = parts[-1 - piece->level].text;
            size = parts[-1 - piece->level].size;
        } else if (piece->level > 0) {
            text = topic_level(topic, piece->level, &size);
        }
        if (text == NULL) {
            return eop_fail(EDGEOPS_E_INVALID, "payload",
                            "topic '%s' has no level %d for the %s's name",
                            eop_quote(quoted, topic, strlen(topic)), piece->level, what);
        }
        if (size > most - used) {
            const char *from = piece->level < 0 ? text : topic;
            return eop_fail(
                EDGEOPS_E_INVALID, "payload", "%s '%s' gives the %s a name of over %zu bytes",
                piece->level < 0 ? "the text" : "topic",
                eop_quote(quoted, from, piece->level < 0 ? size : strlen(topic)), what, most);
        }
        memcpy(name + used, text, size);
        used += size;
    }
    name[used] = '\0';
    if (!eop_name_valid(name, used, most)) {
        return eop_fail(EDGEOPS_E_INVALID, "payload",
                        "'%s' is not a valid name for %s; set \"%s\" in the payload config",
                        eop_quote(quoted, name, used), what[0] == 'a' ? "an asset" : "a channel",
                        what);
    }
    return EDGEOPS_OK;
}
