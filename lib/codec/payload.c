/* SPDX-License-Identifier: Apache-2.0 */
/* One call of the decoder: chooses how a message is read, and hands out what came of it. What a
 * call gives out lives in the decoder's memory until the next call, so that no sample costs an
 * allocation. */
#include "codec/payload.h"

#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/payload_decoder.h"
#include "codec/value.h"

#define MAX_BYTES  ((size_t)1 << 20)
#define KEPT_NODES 4096 /* memory for larger messages is given back at the next call */

edgeops_status eop_payload_new(eop_payload **out, const char *config_json) {
    *out = NULL;
    eop_payload *p = eop_calloc(1, sizeof(*p));
    if (p == NULL) {
        return eop_fail_nomem("payload");
    }
    edgeops_status status = eop_payload_config_read(&p->config, config_json);
    if (status != EDGEOPS_OK) {
        eop_payload_free(p);
        return status;
    }
    *out = p;
    return EDGEOPS_OK;
}

void eop_payload_free(eop_payload *payload) {
    if (payload == NULL) {
        return;
    }
    eop_payload_config_dispose(&payload->config);
    eop_members_dispose(&payload->members);
    eop_free(payload->samples);
    eop_free(payload->places);
    eop_free(payload->channels);
    eop_free(payload->values);
    eop_free(payload->qualities);
    eop_free(payload->rates);
    eop_buf_dispose(&payload->arrays);
    eop_buf_dispose(&payload->names);
    eop_free(payload->text);
    eop_free(payload->nodes);
    eop_free(payload->keys);
    eop_free(payload->entries);
    eop_free(payload);
}

edgeops_status eop_payload_channels(const eop_payload *payload, eop_payload_channel_fn fn,
                                    void *user_data) {
    for (size_t i = 0; i < payload->config.channel_count; i++) {
        const eop_channel *channel = &payload->config.channels[i];
        edgeops_status status = fn(channel->name, channel->type, channel->unit, user_data);
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
    return EDGEOPS_OK;
}

size_t eop_payload_arrived_count(const eop_payload *payload) {
    return payload->untimed;
}

size_t eop_payload_skipped_count(const eop_payload *payload) {
    return payload->skipped;
}

/* What the topic alone decides. The same one mostly comes again. */
static edgeops_status name_topic(eop_payload *p, const char *topic) {
    if (p->topic[0] != '\0' && strcmp(p->topic, topic) == 0) {
        return EDGEOPS_OK;
    }
    p->topic[0] = '\0';
    edgeops_status status = EDGEOPS_OK;
    if (p->config.asset_member_count == 0) {
        status =
            eop_template_fill(&p->config.asset, p->asset, EOP_ASSET_BYTES, "asset", topic, NULL);
    }
    if (status == EDGEOPS_OK && p->config.format == EOP_FORMAT_VALUE) {
        status = eop_template_fill(&p->config.channel, p->channel, EOP_CHANNEL_BYTES, "channel",
                                   topic, NULL);
    }
    size_t size = strlen(topic);
    if (status == EDGEOPS_OK && size < sizeof(p->topic)) {
        memcpy(p->topic, topic, size + 1);
    }
    return status;
}

static void begin_message(eop_payload *p, const char *data, size_t size) {
    p->member = NULL;
    p->sample_count = 0;
    p->value_count = 0;
    p->text_used = 0;
    p->rated = false;
    p->untimed = 0;
    p->skipped = 0;
    p->name_at = 0;
    p->has_lists = false;
    eop_buf_clear(&p->arrays);
    eop_buf_clear(&p->names);
    eop_reader_init(&p->reader, data, size, EOP_PAYLOAD_DEPTH);
    p->reader.words = true;
    if (size >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        p->reader.at = 3; /* a mark of UTF-8 */
    }
}

static void give_back(eop_payload *p) {
    if (p->node_capacity > KEPT_NODES) {
        eop_free(p->nodes);
        p->nodes = NULL;
        p->node_capacity = 0;
    }
    if (p->key_capacity > KEPT_NODES) {
        eop_free(p->keys);
        p->keys = NULL;
        p->key_capacity = 0;
    }
    if (p->entry_capacity > KEPT_NODES) {
        eop_free(p->entries);
        p->entries = NULL;
        p->entry_capacity = 0;
    }
}

static edgeops_status read_message(eop_payload *p, const char *data, size_t size) {
    const eop_payload_config *config = &p->config;
    begin_message(p, data, size);
    if (config->format == EOP_FORMAT_VALUE) {
        return eop_payload_read_value(p);
    }
    if (!config->list.given) {
        edgeops_status status = eop_payload_walk(p);
        if (!p->has_lists) {
            return status;
        }
        begin_message(p, data, size);
    }
    return eop_payload_read_lists(p);
}

/* Memory does not move any more: places become addresses. */
static void hand_out(eop_payload *p) {
    for (size_t i = 0; p->arrays.size > 0 && i < p->value_count; i++) {
        if (eop_value_is_array(&p->values[i])) {
            p->values[i].as.data = p->arrays.data + p->values[i].as.u64;
        }
    }
    size_t first = 0;
    for (size_t i = 0; i < p->sample_count; i++) {
        p->samples[i].channels = p->channels + first;
        p->samples[i].values = p->values + first;
        p->samples[i].qualities = p->rated ? p->qualities + first : NULL;
        if (p->config.asset_member_count > 0) {
            p->samples[i].asset = p->names.data + (uintptr_t)p->samples[i].asset;
        }
        first += p->samples[i].count;
    }
}

edgeops_status eop_payload_decode(eop_payload *payload, const char *topic, const void *data,
                                  size_t size, edgeops_time arrived, const edgeops_sample **samples,
                                  size_t *n) {
    eop_payload *p = payload;
    if (size > MAX_BYTES) {
        return eop_fail(EDGEOPS_E_LIMIT, "payload", "the message has %zu bytes; 1 MiB is the most",
                        size);
    }
    eop_members_trim(&p->members);
    give_back(p);
    p->topic_now = topic != NULL ? topic : "";
    p->arrived = arrived;
    edgeops_status status = name_topic(p, p->topic_now);
    if (status == EDGEOPS_OK) {
        status = read_message(p, data, size);
    }
    if (status == EDGEOPS_OK) {
        status = eop_payload_number_samples(p);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    hand_out(p);
    *samples = p->samples;
    *n = p->sample_count;
    return EDGEOPS_OK;
}
