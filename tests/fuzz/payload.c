/* SPDX-License-Identifier: Apache-2.0 */
/* The first byte chooses a config, the first line is the topic, the rest the message. */
#include "codec/payload.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "codec/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const configs[] = {
    "{}",
    "{\"asset\":\"a/{2}-{1}\",\"non_finite\":\"null\"}",
    "{\"asset\":\"a\",\"values\":\"d.v\",\"time\":\"d.t\",\"seq\":\"n\",\"time_unit\":\"ms\","
    "\"channels\":{\"T\":{\"from\":\"t.0\",\"unit\":\"K\"},\"i\":{\"type\":\"int64\"}}}",
    "{\"asset\":\"a\",\"new_channels\":\"ignore\",\"channels\":{\"a\":{\"type\":\"int64\"},\"b\":{"
    "\"type\":"
    "\"bool\"},\"c\":{\"type\":\"string\"},\"d\":{}}}",
    "{\"asset\":\"a\",\"new_channels\":\"refuse\",\"time\":\"\",\"seq\":\"\",\"channels\":{\"a\":{}"
    "}}",
    "{\"asset\":\"{d}/{/m/i}\",\"values\":\"r\",\"time\":\"t\",\"on_missing_time\":\"arrival\","
    "\"channels\":{\"d\":{\"type\":\"string\"},\"a\":{\"type\":\"int16[2]\"}}}",
    "{\"asset\":\"{d}\",\"values\":\"r.v\",\"list\":{\"name\":\"i\",\"value\":\"v\",\"time\":\"t\","
    "\"quality\":\"q\"},\"channels\":{\"x\":{\"from\":\"1\"}},\"null\":[\"no\"],\"decimal\":\",\"}",
    "{\"format\":\"databus\",\"asset\":\"a\"}",
    "{\"format\":\"value\",\"asset\":\"a\",\"channel\":\"{1}\",\"channels\":{\"f\":{},\"b\":{"
    "\"type\":"
    "\"bool\"},\"v\":{\"type\":\"int8[2]\"}}}",
    "{\"asset\":\"{i}\",\"values\":\"v\",\"list\":{\"name\":\"\"},\"time_format\":\"%d.%m.%y %H\","
    "\"time_zone\":\"+05:30\"}",
};
#define CONFIGS (sizeof(configs) / sizeof(configs[0]))

static void check_reason(void) {
    const char *reason = edgeops_error_last()->message;
    if (eop_utf8_valid(reason, strlen(reason)) != strlen(reason)) {
        abort();
    }
    for (const char *p = reason; *p != '\0'; p++) {
        bool c1 = *p == '\xc2' && (unsigned char)p[1] < 0xa0;
        if ((unsigned char)*p < 0x20 || *p == 0x7f || c1) {
            abort();
        }
    }
}

static void check_samples(const edgeops_sample *samples, size_t n) {
    eop_buf buf = {0};
    if (n == 0) {
        abort();
    }
    for (size_t i = 0; i < n; i++) {
        if (!eop_name_valid(samples[i].asset, strlen(samples[i].asset), 200) ||
            samples[i].count == 0 || samples[i].count > 1024) {
            abort();
        }
        for (size_t k = 0; k < samples[i].count; k++) {
            const char *name = samples[i].channels[k];
            for (size_t j = k < 64 ? 0 : k; j < k; j++) {
                if (strcmp(name, samples[i].channels[j]) == 0) {
                    abort();
                }
            }
            if (!eop_name_valid(name, strlen(name), 128) ||
                samples[i].values[k].type == EDGEOPS_TYPE_NULL) {
                abort();
            }
        }
        eop_message_put_sample(&buf, &samples[i], NULL);
        eop_buf_clear(&buf);
    }
    eop_buf_dispose(&buf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static eop_payload
        *payloads[CONFIGS]; /* kept: what one message leaves must not harm the next */
    const edgeops_sample *samples = NULL;
    size_t n = 0;
    char topic[64];
    if (size == 0) {
        return 0;
    }
    size_t which = data[0] % CONFIGS;
    const uint8_t *line = memchr(data, '\n', size);
    size_t topic_size = line != NULL ? (size_t)(line - data) - 1 : 0;
    size_t skip = line != NULL ? topic_size + 2 : 1;
    topic_size = topic_size < sizeof(topic) - 1 ? topic_size : sizeof(topic) - 1;
    if (line == data) {
        topic_size = 0;
        skip = 1;
    }
    memcpy(topic, data + 1, topic_size);
    topic[topic_size] = '\0';
    if (payloads[which] == NULL &&
        eop_payload_new(&payloads[which], configs[which]) != EDGEOPS_OK) {
        abort();
    }
    edgeops_status status =
        eop_payload_decode(payloads[which], topic, data + skip, size - skip, 0, &samples, &n);
    if (status == EDGEOPS_OK) {
        if (eop_payload_arrived_count(payloads[which]) > n) {
            abort();
        }
        check_samples(samples, n);
    } else {
        check_reason();
    }
    return 0;
}
