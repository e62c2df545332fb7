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
    "{\"type\": \"object\", \"additionalProperties\": false,"
    " \"description\": \"How messages become samples\","
    " \"properties\": {"
    "  \"format\": {\"enum\": [\"json\"], \"default\": \"json\","
    "   \"description\": \"One object a sample, or an array of objects\"},"
    "  \"asset\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 512,"
    "   \"default\": \"{topic}\","
    "   \"description\": \"Name of the asset; {topic} is the topic, {2} its second level\"},"
    "  \"time\": {\"type\": \"string\", \"maxLength\": 256, \"default\": \"time\","
    "   \"description\": \"Member with the time stamp, dots for nesting; without it the time of"
    " arrival counts\"},"
    "  \"time_unit\": {\"enum\": [\"s\", \"ms\", \"us\", \"ns\"],"
    "   \"description\": \"Unit of a time stamp that is a number; by its magnitude if not given\"},"
    "  \"seq\": {\"type\": \"string\", \"maxLength\": 256, \"default\": \"seq\","
    "   \"description\": \"Member with the sequence number, an integer\"},"
    "  \"values\": {\"type\": \"string\", \"maxLength\": 256, \"default\": \"\","
    "   \"description\": \"Member that holds the values, dots for nesting; empty: the object"
    " itself\"},"
    "  \"channels\": {\"type\": \"object\", \"default\": {},"
    "   \"description\": \"Types and units of channels\","
    "   \"additionalProperties\": {\"type\": \"object\", \"additionalProperties\": false,"
    "    \"properties\": {"
    "     \"type\": " EOP_TYPE_SCHEMA ","
    "     \"unit\": {\"type\": \"string\", \"maxLength\": 64, \"default\": \"\"},"
    "     \"from\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 256,"
    "      \"description\": \"Member it comes from, within values; by default that of its"
    " name\"},"
    "     \"quality\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 256,"
    "      \"description\": \"Member with the quality code of its value, within values\"}}}},"
    "  \"quality\": {\"enum\": [\"code\", \"qc\"], \"default\": \"code\","
    "   \"description\": \"What the quality members hold: codes of 16 bits, or a databus' qc"
    " 0..3\"},"
    "  \"new_channels\": {\"enum\": [\"add\", \"ignore\", \"refuse\"], \"default\": \"add\","
    "   \"description\": \"What to do with a member that channels does not list\"},"
    "  \"non_finite\": {\"enum\": [\"refuse\", \"null\"], \"default\": \"refuse\","
    "   \"description\": \"What to do with NaN, Infinity and -Infinity\"}}}";

static edgeops_status add_piece(eop_payload_config *config, size_t *capacity, const char *text,
                                size_t size, int level) {
    eop_piece piece = {.level = level};
    if (text != NULL && size == 0) {
        return EDGEOPS_OK;
    }
    if (text != NULL && (piece.text = eop_strndup(text, size)) == NULL) {
        return eop_fail_nomem("payload");
    }
    if (!eop_grow(&config->pieces, capacity, config->piece_count + 1, sizeof(*config->pieces))) {
        eop_free(piece.text);
        return eop_fail_nomem("payload");
    }
    config->pieces[config->piece_count++] = piece;
    return EDGEOPS_OK;
}

/* "{topic}" is 0, "{7}" is 7, all else -1. */
static int placeholder(const char *text, size_t size) {
    int64_t level = 0;
    if (size == 5 && memcmp(text, "topic", 5) == 0) {
        return 0;
    }
    return eop_int64_text(&level, text, size) && level >= 1 && level <= MAX_LEVEL ? (int)level : -1;
}

static edgeops_status read_template(eop_payload_config *config, const char *text) {
    size_t capacity = 0;
    edgeops_status status = EDGEOPS_OK;
    while (*text != '\0' && status == EDGEOPS_OK) {
        size_t literal = strcspn(text, "{}");
        status = add_piece(config, &capacity, text, literal, 0);
        text += literal;
        if (*text == '\0' || status != EDGEOPS_OK) {
            break;
        }
        size_t inside = strcspn(text + 1, "{}");
        int level = *text == '{' && text[1 + inside] == '}' ? placeholder(text + 1, inside) : -1;
        if (level < 0) {
            return eop_fail(EDGEOPS_E_INVALID, "payload",
                            "payload: /asset: braces hold 'topic' or a level from 1 to %d, such as "
                            "\"{topic}\" or \"watch/{2}\"",
                            MAX_LEVEL);
        }
        status = add_piece(config, &capacity, NULL, 0, level);
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

static edgeops_status read_members(eop_payload_config *config, const eop_json *json) {
    static const char *const units[] = {"", "s", "ms", "us", "ns"};
    static const char *const policies[] = {"add", "ignore", "refuse"};
    config->time = eop_strdup(eop_json_string(json, "time", "time"));
    config->seq = eop_strdup(eop_json_string(json, "seq", "seq"));
    config->values = eop_strdup(eop_json_string(json, "values", ""));
    if (config->time == NULL || config->seq == NULL || config->values == NULL) {
        return eop_fail_nomem("payload");
    }
    config->values_size = strlen(config->values);
    config->time_unit =
        (eop_time_unit)index_of(units, EOP_COUNT(units), eop_json_string(json, "time_unit", ""));
    config->new_channels = (eop_new_channels)index_of(policies, EOP_COUNT(policies),
                                                      eop_json_string(json, "new_channels", "add"));
    config->quality_is_qc = strcmp(eop_json_string(json, "quality", "code"), "qc") == 0;
    config->non_finite_null = strcmp(eop_json_string(json, "non_finite", "refuse"), "null") == 0;
    if (config->time[0] != '\0' && strcmp(config->time, config->seq) == 0) {
        return eop_fail(EDGEOPS_E_INVALID, "payload",
                        "payload: /time and /seq name the same member '%s'", config->time);
    }
    edgeops_status status = read_template(config, eop_json_string(json, "asset", "{topic}"));
    if (status != EDGEOPS_OK) {
        return status;
    }
    return read_channels(config, eop_json_get(json, "channels"));
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

void eop_payload_config_dispose(eop_payload_config *config) {
    for (size_t i = 0; i < config->piece_count; i++) {
        eop_free(config->pieces[i].text);
    }
    for (size_t i = 0; i < config->channel_count; i++) {
        eop_free(config->channels[i].name);
        eop_free(config->channels[i].unit);
        eop_free(config->channels[i].from);
        eop_free(config->channels[i].quality);
    }
    eop_free(config->pieces);
    eop_free(config->channels);
    eop_free(config->time);
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

edgeops_status eop_payload_asset(const eop_payload_config *config, char *asset, const char *topic) {
    char quoted[EOP_QUOTE_BYTES];
    size_t used = 0;
    for (size_t i = 0; i < config->piece_count; i++) {
        const eop_piece *piece = &config->pieces[i];
        const char *text = piece->text != NULL ? piece->text : topic;
        size_t size = strlen(text);
        if (piece->text == NULL && piece->level > 0) {
            text = topic_level(topic, piece->level, &size);
        }
        if (text == NULL) {
            return eop_fail(EDGEOPS_E_INVALID, "payload",
                            "topic '%s' has no level %d for the asset's name",
                            eop_quote(quoted, topic, strlen(topic)), piece->level);
        }
        if (size > EOP_ASSET_BYTES - used) {
            return eop_fail(EDGEOPS_E_INVALID, "payload",
                            "topic '%s' gives an asset name of over %d bytes",
                            eop_quote(quoted, topic, strlen(topic)), EOP_ASSET_BYTES);
        }
        memcpy(asset + used, text, size);
        used += size;
    }
    asset[used] = '\0';
    if (!eop_name_valid(asset, used, EOP_ASSET_BYTES)) {
        return eop_fail(
            EDGEOPS_E_INVALID, "payload",
            "'%s' is not a valid name for an asset; set \"asset\" in the payload config",
            eop_quote(quoted, asset, used));
    }
    return EDGEOPS_OK;
}
