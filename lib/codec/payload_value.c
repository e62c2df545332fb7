/* SPDX-License-Identifier: Apache-2.0 */
/* Messages that are one bare value: 21.5, true, ON, a text, an array for a channel that is listed
 * as one. JSON's scalars are read as in an object; all else is a text, which the rules of tables
 * (rules.h) read. The topic names asset and channel, the time is that of arrival. */
#include <string.h>

#include "base/error.h"
#include "codec/payload_decoder.h"

#define MAX_STRING 65536

static void trim(const char **text, size_t *size) {
    while (*size > 0 && strchr(" \t\r\n", **text) != NULL && **text != '\0') {
        *text += 1;
        *size -= 1;
    }
    while (*size > 0 && strchr(" \t\r\n", (*text)[*size - 1]) != NULL &&
           (*text)[*size - 1] != '\0') {
        *size -= 1;
    }
}

/* As if it stood in quotes. */
static void take_as_text(eop_payload *p, const char *text, size_t size) {
    p->reader.start = (size_t)(text - p->reader.text);
    p->reader.at = p->reader.start + size;
    p->reader.raw = text;
    p->reader.raw_size = size;
    p->reader.escaped = false;
}

static edgeops_status check_text(eop_payload *p, const char *text, size_t size) {
    if (eop_utf8_valid(text, size) != size || memchr(text, '\0', size) != NULL) {
        return eop_payload_refuse(p, EDGEOPS_E_INVALID, "it is not a text in UTF-8");
    }
    return size <= MAX_STRING ? EDGEOPS_OK
                              : eop_payload_refuse(p, EDGEOPS_E_LIMIT, "a text of over 64 KiB");
}

/* A text of a channel without a type: a number or a bool where the rules see one. */
static edgeops_status put_found(eop_payload *p, const eop_member *m, const char *text,
                                size_t size) {
    eop_member typed = *m;
    edgeops_type type = eop_rules_type(p->config.rules, text, size);
    if (eop_rules_null(p->config.rules, text, size) != NULL || type == EDGEOPS_TYPE_NULL) {
        return EDGEOPS_OK;
    }
    typed.type = (uint8_t)(eop_type_is_numeric(type) ? EDGEOPS_TYPE_FLOAT64 : type);
    take_as_text(p, text, size);
    return eop_payload_put(p, &typed, EOP_TOKEN_STRING);
}

static edgeops_status put_text(eop_payload *p, const eop_member *m, const char *text, size_t size) {
    edgeops_status status = check_text(p, text, size);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (m->type == EDGEOPS_TYPE_NULL) {
        return put_found(p, m, text, size);
    }
    take_as_text(p, text, size);
    return eop_payload_put(p, m, EOP_TOKEN_STRING);
}

static bool is_scalar(eop_token token) {
    return token == EOP_TOKEN_STRING || token == EOP_TOKEN_NUMBER || token == EOP_TOKEN_TRUE ||
           token == EOP_TOKEN_FALSE || token == EOP_TOKEN_NULL || token == EOP_TOKEN_WORD;
}

static edgeops_status put_any(eop_payload *p, const eop_member *m, const char *text, size_t size) {
    eop_reader ahead = p->reader;
    eop_token token = eop_reader_next(&ahead);
    bool whole = is_scalar(token) && eop_reader_next(&ahead) == EOP_TOKEN_END;
    bool listed_text = m->type == EDGEOPS_TYPE_STRING && token != EOP_TOKEN_STRING;
    if (token == EOP_TOKEN_OBJECT || (token == EOP_TOKEN_ARRAY && m->length <= 1)) {
        return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                  "a bare value belongs here; \"format\": \"json\" takes %s",
                                  token == EOP_TOKEN_OBJECT ? "an object" : "a list");
    }
    if (token == EOP_TOKEN_ARRAY) {
        edgeops_status status = EDGEOPS_OK;
        (void)eop_reader_next(&p->reader);
        status = eop_payload_put_array(p, m);
        return status == EDGEOPS_OK && eop_reader_next(&p->reader) != EOP_TOKEN_END
                   ? eop_payload_refuse_json(p)
                   : status;
    }
    if (!whole || listed_text) {
        return put_text(p, m, text, size);
    }
    token = eop_reader_next(&p->reader);
    return eop_payload_put(p, m, token);
}

edgeops_status eop_payload_read_value(eop_payload *p) {
    const char *text = p->reader.text + p->reader.at;
    size_t size = p->reader.size - p->reader.at;
    size_t first = 0;
    eop_member *m = NULL;
    trim(&text, &size);
    if (size == 0) {
        return eop_payload_refuse(p, EDGEOPS_E_INVALID, "the message is empty");
    }
    edgeops_status status = eop_payload_begin(p, &first);
    if (status == EDGEOPS_OK) {
        status = eop_payload_meet(p, &m, p->channel, strlen(p->channel));
    }
    if (status == EDGEOPS_OK && m != NULL) {
        bool plain = m->role == EOP_MEMBER_CHANNEL;
        status = plain ? put_any(p, m, text, size) : eop_payload_put_member(p, m, EOP_TOKEN_NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_payload_end(p, first, 0);
    }
    if (status == EDGEOPS_OK) {
        status = eop_payload_untimed(p);
        p->sample_count += status == EDGEOPS_OK;
    }
    return status;
}
