/* SPDX-License-Identifier: Apache-2.0 */
/* Writes members one after the other; the last byte of the buffer decides about the comma. */
#include "codec/message.h"

#include <string.h>

#include "base/time.h"
#include "codec/json.h"
#include "codec/value.h"

void eop_message_put_key(eop_buf *buf, const char *key) {
    if (buf->size > 0 && buf->data[buf->size - 1] != '{') {
        eop_buf_put(buf, ",", 1);
    }
    eop_json_put_string(buf, key, strlen(key));
    eop_buf_put(buf, ":", 1);
}

void eop_message_put_text(eop_buf *buf, const char *key, const char *text) {
    if (text != NULL) {
        eop_message_put_key(buf, key);
        eop_json_put_string(buf, text, strlen(text));
    }
}

void eop_message_put_time(eop_buf *buf, edgeops_time time, int64_t seq) {
    char text[48];
    eop_format_time(text, time);
    eop_message_put_text(buf, "time", text);
    if (seq != 0) {
        eop_message_put_key(buf, "seq");
        eop_buf_printf(buf, "%lld", (long long)seq);
    }
}

void eop_message_put_value(eop_buf *buf, const char *name, const edgeops_value *value) {
    eop_message_put_key(buf, name);
    eop_value_put_json(buf, value);
}

void eop_message_put_sample(eop_buf *buf, const edgeops_sample *sample, const char *asset) {
    eop_buf_put(buf, "{", 1);
    eop_message_put_text(buf, "asset", asset);
    eop_message_put_time(buf, sample->time, sample->seq);
    for (size_t i = 0; i < sample->count; i++) {
        eop_message_put_value(buf, sample->channels[i], &sample->values[i]);
    }
    eop_buf_put(buf, "}", 1);
}
