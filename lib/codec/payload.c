/* SPDX-License-Identifier: Apache-2.0 */
/* Messages to samples. One pass over the strict reader's tokens; members are looked up by path
 * (payload_members.c) and get their role once. What a call gives out lives in the decoder's memory
 * until the next call, so that no sample costs an allocation. */
#include "codec/payload.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"
#include "base/time.h"
#include "codec/json.h"
#include "codec/json_reader.h"
#include "codec/payload_members.h"
#include "codec/time_text.h"
#include "codec/value.h"

#define MAX_BYTES    ((size_t)1 << 20)
#define MAX_CHANNELS 1024
#define MAX_DEPTH    32
#define MAX_STRING   65536
#define TWO_53       ((uint64_t)1 << 53)

/* A quality code in a member beside its value. */
typedef struct rate {
    const char *channel;
    uint16_t code;
} rate;

/* An open object or array of a sample. */
typedef struct nest {
    uint32_t path_size; /* of the path to it */
    uint32_t index;     /* next element */
    bool array;
} nest;

struct eop_payload {
    eop_payload_config config;
    eop_members members;
    uint64_t serial;            /* of the sample that is being read */
    char topic[EOP_PATH_BYTES]; /* whose name is in asset; "" for none */
    char asset[EOP_ASSET_BYTES + 1];

    /* What the last call gave out; grows, never shrinks. */
    edgeops_sample *samples;
    size_t sample_count;
    size_t sample_capacity;
    const char **channels; /* of all samples, one after the other */
    size_t channel_capacity;
    edgeops_value *values;
    size_t value_capacity;
    size_t value_count;
    uint16_t *qualities; /* of all values, where a sample has any */
    size_t quality_capacity;
    rate *rates; /* of the sample under way */
    size_t rate_count;
    size_t rate_capacity;
    bool rated;     /* a value of this message has a code */
    eop_buf arrays; /* elements; a value holds where they begin until the message is read */
    char *text;     /* unescaped strings; as big as the message, so that it never moves */
    size_t text_capacity;
    size_t text_used;

    /* The message under way. */
    eop_reader reader;
    eop_member *last;
    char path[EOP_PATH_BYTES + 64];
    nest nests[MAX_DEPTH + 1];
    uint32_t depth;     /* of nests in use */
    const char *member; /* path of the value at hand, for errors; NULL at the top */
    size_t member_size;
};

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
    eop_free(payload->channels);
    eop_free(payload->values);
    eop_free(payload->qualities);
    eop_free(payload->rates);
    eop_buf_dispose(&payload->arrays);
    eop_free(payload->text);
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

/* Refuses a message: "byte 17, member 'a.b': ..." */
EOP_PRINTF(3, 4)
static edgeops_status refuse(const eop_payload *p, edgeops_status code, const char *format, ...) {
    char quoted[EOP_QUOTE_BYTES];
    char text[512];
    va_list args;
    va_start(args, format);
    eop_vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (p->member == NULL) {
        return eop_fail(code, "payload", "byte %zu: %s", p->reader.start, text);
    }
    return eop_fail(code, "payload", "byte %zu, member '%s': %s", p->reader.start,
                    eop_quote(quoted, p->member, p->member_size), text);
}

/* The text of the token, unescaped where it must be. */
static bool token_text(eop_payload *p, const char **text, size_t *size) {
    const eop_reader *r = &p->reader;
    *text = r->raw;
    *size = r->raw_size;
    if (!r->escaped) {
        return true;
    }
    if (p->text_capacity < r->size) {
        /* The first escape of this message: nothing points into the old text any more. */
        char *grown = eop_alloc(r->size);
        if (grown == NULL) {
            return false;
        }
        eop_free(p->text);
        p->text = grown;
        p->text_capacity = r->size;
    }
    *text = p->text + p->text_used;
    *size = eop_reader_unescape(p->text + p->text_used, r->raw, r->raw_size);
    p->text_used += *size;
    return true;
}

/* -- values -- */

static edgeops_status put_value(eop_payload *p, const eop_member *m, edgeops_value value) {
    edgeops_sample *sample = &p->samples[p->sample_count];
    if (sample->count == MAX_CHANNELS) {
        return refuse(p, EDGEOPS_E_LIMIT, "the sample has over 1,024 channels");
    }
    size_t n = p->value_count + 1;
    if (EOP_UNLIKELY(n > p->value_capacity || n > p->channel_capacity) &&
        (!eop_grow(&p->values, &p->value_capacity, n, sizeof(*p->values)) ||
         !eop_grow(&p->channels, &p->channel_capacity, n, sizeof(*p->channels)))) {
        return eop_fail_nomem("payload");
    }
    p->values[p->value_count] = value;
    p->channels[p->value_count] = m->channel;
    p->value_count = n;
    sample->count++;
    return EDGEOPS_OK;
}

static edgeops_status not_finite(const eop_payload *p, const char *text, size_t size) {
    char quoted[EOP_QUOTE_BYTES];
    if (p->config.non_finite_null) {
        return EDGEOPS_OK;
    }
    return refuse(p, EDGEOPS_E_INVALID,
                  "%s stands where a number belongs; \"non_finite\": \"null\" takes it as missing",
                  eop_quote(quoted, text, size));
}

static bool is_not_finite(const char *text, size_t size) {
    return (size == 3 && memcmp(text, "NaN", 3) == 0) ||
           (size == 8 && memcmp(text, "Infinity", 8) == 0) ||
           (size == 9 && memcmp(text, "-Infinity", 9) == 0);
}

static edgeops_status put_number(eop_payload *p, const eop_member *m) {
    const eop_reader *r = &p->reader;
    char quoted[EOP_QUOTE_BYTES];
    edgeops_value value = {.type = (edgeops_type)m->type};
    switch (value.type) {
    case EDGEOPS_TYPE_BOOL:
        if (!eop_decimal_int64(&value.as.i64, &r->number) || value.as.i64 < 0 || value.as.i64 > 1) {
            return refuse(p, EDGEOPS_E_INVALID, "%s is not a bool",
                          eop_quote(quoted, r->raw, r->raw_size));
        }
        return put_value(p, m, value);
    case EDGEOPS_TYPE_STRING:
        if (r->raw_size > MAX_STRING) {
            return refuse(p, EDGEOPS_E_LIMIT, "a text of over 64 KiB");
        }
        value.as.str = r->raw;
        value.size = (uint32_t)r->raw_size;
        return put_value(p, m, value);
    case EDGEOPS_TYPE_NULL:
        if (eop_decimal_is_integer(&r->number) &&
            (r->number.digits > TWO_53 || r->number.exponent > 0)) {
            return refuse(p, EDGEOPS_E_INVALID,
                          "%s is beyond 2^53 and would lose digits; list the channel as int64 or "
                          "string",
                          eop_quote(quoted, r->raw, r->raw_size));
        }
        break;
    case EDGEOPS_TYPE_FLOAT64:
        break;
    default:
        if (!eop_decimal_value(&value, value.type, &r->number, r->raw, r->raw_size)) {
            return refuse(p, EDGEOPS_E_INVALID, "%s is not %s %s",
                          eop_quote(quoted, r->raw, r->raw_size), eop_type_article(value.type),
                          eop_type_name(value.type));
        }
        return put_value(p, m, value);
    }
    value.type = EDGEOPS_TYPE_FLOAT64;
    if (!eop_decimal_double(&value.as.f64, &r->number, r->raw, r->raw_size)) {
        return refuse(p, EDGEOPS_E_INVALID, "%s is beyond float64",
                      eop_quote(quoted, r->raw, r->raw_size));
    }
    return put_value(p, m, value);
}

/* The whole text is an integer of the value's type. */
static bool integer_text(edgeops_value *value, const char *text, size_t size) {
    eop_decimal d;
    return size > 0 && size <= 20 && eop_decimal_scan(&d, text, size) == size && d.shape == 0 &&
           !(d.negative && d.digits == 0) && eop_decimal_value(value, value->type, &d, text, size);
}

static edgeops_status put_text(eop_payload *p, const eop_member *m) {
    char quoted[EOP_QUOTE_BYTES];
    edgeops_value value = {.type = (edgeops_type)m->type};
    const char *text = NULL;
    size_t size = 0;
    if (!token_text(p, &text, &size)) {
        return eop_fail_nomem("payload");
    }
    if (eop_type_is_numeric(value.type) && is_not_finite(text, size)) {
        return not_finite(p, text, size);
    }
    if (eop_type_is_integer(value.type) && integer_text(&value, text, size)) {
        return put_value(p, m, value); /* as many write what JavaScript would round */
    }
    if (value.type != EDGEOPS_TYPE_NULL && value.type != EDGEOPS_TYPE_STRING) {
        return refuse(p, EDGEOPS_E_INVALID, "the text '%s' stands where a %s belongs",
                      eop_quote(quoted, text, size),
                      value.type == EDGEOPS_TYPE_BOOL ? "bool" : "number");
    }
    if (size > MAX_STRING) {
        return refuse(p, EDGEOPS_E_LIMIT, "a text of over 64 KiB");
    }
    if (p->reader.escaped && memchr(text, '\0', size) != NULL) {
        return refuse(p, EDGEOPS_E_INVALID, "\\u0000 in a text");
    }
    value.type = EDGEOPS_TYPE_STRING;
    value.as.str = text;
    value.size = (uint32_t)size;
    return put_value(p, m, value);
}

static edgeops_status put_element(eop_payload *p, const eop_member *m, eop_token token, char *at) {
    const eop_reader *r = &p->reader;
    edgeops_value element = {.type = EDGEOPS_TYPE_NULL};
    char quoted[EOP_QUOTE_BYTES];
    bool good = token == EOP_TOKEN_NUMBER &&
                eop_decimal_value(&element, (edgeops_type)m->type, &r->number, r->raw, r->raw_size);
    if (!good) {
        return token == EOP_TOKEN_ERROR
                   ? refuse(p, EDGEOPS_E_INVALID, "%s", r->problem)
                   : refuse(p, EDGEOPS_E_INVALID, "%s, an element, is not %s %s",
                            eop_quote(quoted, r->text + r->start, r->at - r->start),
                            eop_type_article((edgeops_type)m->type),
                            eop_type_name((edgeops_type)m->type));
    }
    eop_value_save(at, &element);
    return EDGEOPS_OK;
}

/* An array that is one value, its '[' being taken. */
static edgeops_status put_array(eop_payload *p, const eop_member *m) {
    size_t width = eop_type_width((edgeops_type)m->type);
    char *at = eop_buf_reserve(&p->arrays, m->length * width);
    edgeops_status status = EDGEOPS_OK;
    if (at == NULL) {
        eop_buf_dispose(&p->arrays);
        return eop_fail_nomem("payload");
    }
    uint32_t n = 0;
    eop_token token = eop_reader_next(&p->reader);
    while (status == EDGEOPS_OK && token != EOP_TOKEN_ARRAY_END && n < m->length) {
        status = put_element(p, m, token, at + n++ * width);
        token = status == EDGEOPS_OK ? eop_reader_next(&p->reader) : token;
    }
    if (status == EDGEOPS_OK && (token != EOP_TOKEN_ARRAY_END || n != m->length)) {
        status = refuse(p, EDGEOPS_E_INVALID, "an array of %u numbers belongs here", m->length);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    edgeops_value value = {.type = (edgeops_type)m->type,
                           .size = (uint32_t)(m->length * width),
                           .as.u64 = p->arrays.size};
    p->arrays.size += value.size;
    return put_value(p, m, value);
}

static edgeops_status put_channel(eop_payload *p, const eop_member *m, eop_token token) {
    edgeops_value value = {.type = EDGEOPS_TYPE_BOOL};
    if (m->length > 1 && token != EOP_TOKEN_NULL) {
        return refuse(p, EDGEOPS_E_INVALID, "an array of %u numbers belongs here", m->length);
    }
    switch (token) {
    case EOP_TOKEN_NUMBER:
        return put_number(p, m);
    case EOP_TOKEN_STRING:
        return put_text(p, m);
    case EOP_TOKEN_WORD:
        return not_finite(p, p->reader.raw, p->reader.raw_size);
    case EOP_TOKEN_NULL:
        return EDGEOPS_OK;
    default:
        break;
    }
    value.as.i64 = token == EOP_TOKEN_TRUE;
    if (m->type != EDGEOPS_TYPE_NULL && m->type != EDGEOPS_TYPE_BOOL) {
        return refuse(p, EDGEOPS_E_INVALID, "%s stands where a %s belongs",
                      token == EOP_TOKEN_TRUE ? "true" : "false",
                      m->type == EDGEOPS_TYPE_STRING ? "text" : "number");
    }
    return put_value(p, m, value);
}

static edgeops_status put_time(eop_payload *p, eop_token token, bool *timed) {
    edgeops_sample *sample = &p->samples[p->sample_count];
    char quoted[EOP_QUOTE_BYTES];
    const eop_reader *r = &p->reader;
    bool ok = false;
    if (token == EOP_TOKEN_NULL) {
        return EDGEOPS_OK;
    }
    if (token == EOP_TOKEN_NUMBER) {
        ok = eop_decimal_time(&sample->time, &r->number, p->config.time_unit);
    } else if (token == EOP_TOKEN_STRING) {
        ok = eop_time_text(&sample->time, NULL, NULL, r->raw, r->raw_size);
    }
    if (!ok) {
        size_t size = r->at - r->start;
        return refuse(p, EDGEOPS_E_INVALID,
                      "%s is not a time stamp (ISO 8601 text, or a number between 1677 and 2262)",
                      eop_quote(quoted, r->text + r->start, size));
    }
    *timed = true;
    return EDGEOPS_OK;
}

static edgeops_status put_seq(eop_payload *p, eop_token token, bool *numbered) {
    char quoted[EOP_QUOTE_BYTES];
    const eop_reader *r = &p->reader;
    if (token == EOP_TOKEN_NULL) {
        return EDGEOPS_OK;
    }
    if (token != EOP_TOKEN_NUMBER ||
        !eop_decimal_int64(&p->samples[p->sample_count].seq, &r->number)) {
        return refuse(p, EDGEOPS_E_INVALID, "%s is not a sequence number, which is an int64",
                      eop_quote(quoted, r->text + r->start, r->at - r->start));
    }
    *numbered = true;
    return EDGEOPS_OK;
}

/* -- quality -- */

static edgeops_status put_rate(eop_payload *p, const eop_member *m, eop_token token) {
    const eop_reader *r = &p->reader;
    char quoted[EOP_QUOTE_BYTES];
    int64_t code = -1;
    int64_t most = p->config.quality_is_qc ? 3 : EDGEOPS_QUALITY_NONE - 1;
    if (token == EOP_TOKEN_NULL) {
        return EDGEOPS_OK;
    }
    if (token != EOP_TOKEN_NUMBER || !eop_decimal_int64(&code, &r->number) || code < 0 ||
        code > most) {
        return refuse(p, EDGEOPS_E_INVALID, "%s is not a quality code from 0 to %d",
                      eop_quote(quoted, r->text + r->start, r->at - r->start), (int)most);
    }
    if (!eop_grow(&p->rates, &p->rate_capacity, p->rate_count + 1, sizeof(*p->rates))) {
        return eop_fail_nomem("payload");
    }
    p->rates[p->rate_count++] =
        (rate){m->channel, (uint16_t)(p->config.quality_is_qc ? code << 6 : code)};
    return EDGEOPS_OK;
}

/* Puts each code to its value, which may come before or after it. first: of the sample's values. */
static edgeops_status rate_values(eop_payload *p, size_t first) {
    if (!eop_grow(&p->qualities, &p->quality_capacity, p->value_count, sizeof(*p->qualities))) {
        return eop_fail_nomem("payload");
    }
    memset(p->qualities + first, 0xff, (p->value_count - first) * sizeof(*p->qualities));
    for (size_t i = 0; i < p->rate_count; i++) {
        for (size_t k = first; k < p->value_count; k++) {
            if (p->channels[k] == p->rates[i].channel) {
                p->qualities[k] = p->rates[i].code;
                p->rated = true;
            }
        }
    }
    return EDGEOPS_OK;
}

/* -- paths -- */

/* Finds the member at a path and marks it as met. *out is NULL for a path too long to matter. */
static edgeops_status meet_member(eop_payload *p, eop_member **out, const char *path, size_t size) {
    eop_member *m = p->last != NULL ? p->last->follower : NULL;
    p->member = path;
    p->member_size = size;
    *out = NULL;
    if (size > EOP_PATH_BYTES) {
        size_t scope = p->config.values_size;
        bool inside = memcmp(path, p->config.values, scope) == 0;
        return inside && p->config.new_channels == EOP_NEW_ADD
                   ? refuse(p, EDGEOPS_E_INVALID, "the name is too long")
                   : EDGEOPS_OK;
    }
    if (m == NULL || m->size != size || memcmp(m->path, path, size) != 0) {
        m = eop_members_get(&p->members, &p->config, path, size);
        if (m == NULL) {
            return eop_fail_nomem("payload");
        }
        if (p->last != NULL) {
            p->last->follower = m;
        }
    }
    p->last = m;
    if (m->seen == p->serial) {
        return refuse(p, EDGEOPS_E_INVALID, "it is there twice in one sample");
    }
    m->seen = p->serial;
    *out = m;
    return EDGEOPS_OK;
}

/* Path of the next value: where we are, a dot, and its key or index. */
static void join_path(eop_payload *p, const char *key, size_t key_size, const char **path,
                      size_t *size) {
    uint32_t prefix = p->nests[p->depth - 1].path_size;
    if (prefix == 0) {
        *path = key;
        *size = key_size;
        return;
    }
    size_t room = sizeof(p->path) - prefix - 1;
    size_t used = key_size < room ? key_size : room;
    p->path[prefix] = '.';
    memcpy(p->path + prefix + 1, key, used);
    *path = p->path;
    *size = prefix + 1 + used;
}

static void open_nest(eop_payload *p, const char *path, size_t size, bool array) {
    size_t kept = size < EOP_PATH_BYTES + 1 ? size : EOP_PATH_BYTES + 1;
    if (path != p->path) {
        memcpy(p->path, path, kept);
    }
    p->nests[p->depth++] = (nest){.path_size = (uint32_t)kept, .array = array};
}

/* -- samples -- */

typedef struct sample_state {
    bool timed;
    bool numbered;
} sample_state;

static edgeops_status take_scalar(eop_payload *p, const eop_member *m, eop_token token,
                                  sample_state *state) {
    if (m == NULL) {
        return EDGEOPS_OK;
    }
    switch ((eop_member_role)m->role) {
    case EOP_MEMBER_CHANNEL:
        return put_channel(p, m, token);
    case EOP_MEMBER_TIME:
        return put_time(p, token, &state->timed);
    case EOP_MEMBER_SEQ:
        return put_seq(p, token, &state->numbered);
    case EOP_MEMBER_QUALITY:
        return put_rate(p, m, token);
    case EOP_MEMBER_UNLISTED:
        return refuse(p, EDGEOPS_E_INVALID,
                      "the config does not list this channel, and \"new_channels\" is \"refuse\"");
    case EOP_MEMBER_TAKEN:
        return refuse(p, EDGEOPS_E_INVALID,
                      "the channel of this name comes from another member; rename one of them");
    case EOP_MEMBER_BAD_NAME:
        return refuse(
            p, EDGEOPS_E_INVALID,
            "this is not a valid name for a channel (1 to 128 bytes, no control characters, no "
            "empty level between slashes)");
    default:
        return EDGEOPS_OK;
    }
}

/* One value with its path; opens it when it is an object or an array. */
static edgeops_status take_member(eop_payload *p, const char *key, size_t key_size, eop_token token,
                                  sample_state *state) {
    const char *path = NULL;
    size_t size = 0;
    eop_member *m = NULL;
    join_path(p, key, key_size, &path, &size);
    edgeops_status status = meet_member(p, &m, path, size);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (token == EOP_TOKEN_ARRAY && m != NULL && m->role == EOP_MEMBER_CHANNEL && m->length > 1) {
        return put_array(p, m);
    }
    if (token == EOP_TOKEN_OBJECT || token == EOP_TOKEN_ARRAY) {
        open_nest(p, path, size, token == EOP_TOKEN_ARRAY);
        return EDGEOPS_OK;
    }
    return take_scalar(p, m, token, state);
}

static edgeops_status refuse_json(const eop_payload *p) {
    return refuse(p, p->reader.too_deep ? EDGEOPS_E_LIMIT : EDGEOPS_E_INVALID, "%s",
                  p->reader.problem);
}

/* The members of a sample, its '{' being taken, up to and with its '}'. */
static edgeops_status take_members(eop_payload *p, sample_state *state) {
    edgeops_status status = EDGEOPS_OK;
    p->depth = 1;
    p->nests[0] = (nest){0};
    while (status == EDGEOPS_OK && p->depth > 0) {
        nest *at = &p->nests[p->depth - 1];
        char index[16];
        const char *key = index;
        size_t key_size = 0;
        eop_token token = eop_reader_next(&p->reader);
        if (token == EOP_TOKEN_OBJECT_END || token == EOP_TOKEN_ARRAY_END) {
            p->depth--;
            continue;
        }
        if (token == EOP_TOKEN_ERROR) {
            return refuse_json(p);
        }
        if (at->array) {
            key_size = (size_t)snprintf(index, sizeof(index), "%u", (unsigned)at->index++);
        } else {
            if (!token_text(p, &key, &key_size)) {
                return eop_fail_nomem("payload");
            }
            p->member = key;
            p->member_size = key_size;
            token = eop_reader_next(&p->reader);
            if (token == EOP_TOKEN_ERROR) {
                return refuse_json(p);
            }
        }
        status = take_member(p, key, key_size, token, state);
        if (at->array) {
            p->member = NULL; /* index goes out of scope */
        }
    }
    p->member = NULL;
    return status;
}

static edgeops_status take_sample(eop_payload *p, edgeops_time arrived, bool in_array) {
    sample_state state = {0};
    size_t start = p->reader.start;
    if (!eop_grow(&p->samples, &p->sample_capacity, p->sample_count + 1, sizeof(*p->samples))) {
        return eop_fail_nomem("payload");
    }
    p->samples[p->sample_count] = (edgeops_sample){.asset = p->asset, .time = arrived};
    p->serial++;
    p->last = NULL;
    p->rate_count = 0;
    size_t first = p->value_count;
    edgeops_status status = take_members(p, &state);
    if (status == EDGEOPS_OK && p->config.has_qualities) {
        status = rate_values(p, first);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    edgeops_sample *sample = &p->samples[p->sample_count];
    if (sample->count == 0) {
        p->reader.start = start;
        return p->config.values_size > 0
                   ? refuse(p, EDGEOPS_E_INVALID, "the sample has no values in '%s'",
                            p->config.values)
                   : refuse(p, EDGEOPS_E_INVALID, "the sample has no values");
    }
    if (in_array && !state.timed && !state.numbered) {
        sample->seq = (int64_t)p->sample_count; /* all arrived at one time */
    }
    p->sample_count++;
    return EDGEOPS_OK;
}

static edgeops_status take_array(eop_payload *p, edgeops_time arrived) {
    for (;;) {
        eop_token token = eop_reader_next(&p->reader);
        edgeops_status status = EDGEOPS_OK;
        switch (token) {
        case EOP_TOKEN_OBJECT:
            status = take_sample(p, arrived, true);
            break;
        case EOP_TOKEN_ARRAY_END:
            return p->sample_count > 0 ? EDGEOPS_OK
                                       : refuse(p, EDGEOPS_E_INVALID, "an array without samples");
        case EOP_TOKEN_ERROR:
            return refuse_json(p);
        default:
            return refuse(p, EDGEOPS_E_INVALID, "each element of the array must be an object");
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
}

static edgeops_status take_message(eop_payload *p, edgeops_time arrived) {
    edgeops_status status = EDGEOPS_OK;
    switch (eop_reader_next(&p->reader)) {
    case EOP_TOKEN_OBJECT:
        status = take_sample(p, arrived, false);
        break;
    case EOP_TOKEN_ARRAY:
        status = take_array(p, arrived);
        break;
    case EOP_TOKEN_ERROR:
        return refuse_json(p);
    default:
        return refuse(p, EDGEOPS_E_INVALID, "a message is one object or an array of objects");
    }
    if (status == EDGEOPS_OK && eop_reader_next(&p->reader) != EOP_TOKEN_END) {
        return refuse_json(p);
    }
    return status;
}

/* The same topic mostly comes again. */
static edgeops_status name_asset(eop_payload *p, const char *topic) {
    if (p->topic[0] != '\0' && strcmp(p->topic, topic) == 0) {
        return EDGEOPS_OK;
    }
    p->topic[0] = '\0';
    edgeops_status status = eop_payload_asset(&p->config, p->asset, topic);
    size_t size = strlen(topic);
    if (status == EDGEOPS_OK && size < sizeof(p->topic)) {
        memcpy(p->topic, topic, size + 1);
    }
    return status;
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
    p->member = NULL;
    p->sample_count = 0;
    p->value_count = 0;
    p->text_used = 0;
    p->rated = false;
    eop_buf_clear(&p->arrays);
    edgeops_status status = name_asset(p, topic != NULL ? topic : "");
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_reader_init(&p->reader, data, size, MAX_DEPTH);
    p->reader.words = true;
    status = take_message(p, arrived);
    if (status != EDGEOPS_OK) {
        return status;
    }
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
        first += p->samples[i].count;
    }
    *samples = p->samples;
    *n = p->sample_count;
    return EDGEOPS_OK;
}
