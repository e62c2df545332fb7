/* SPDX-License-Identifier: Apache-2.0 */
/* The members of one object to one sample, in one pass over the strict reader's tokens: the hot
 * path. Members are looked up by path (payload_members.c) and get their role once. All memory is
 * the decoder's (payload_decoder.h). */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"
#include "codec/payload_decoder.h"
#include "codec/value.h"

#define MAX_CHANNELS 1024
#define MAX_STRING   65536
#define TWO_53       ((uint64_t)1 << 53)

edgeops_status eop_payload_refuse(const eop_payload *p, edgeops_status code, const char *format,
                                  ...) {
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

bool eop_payload_text(eop_payload *p, const char **text, size_t *size) {
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
        return eop_payload_refuse(p, EDGEOPS_E_LIMIT, "the sample has over 1,024 channels");
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
    return eop_payload_refuse(
        p, EDGEOPS_E_INVALID,
        "%s stands where a number belongs; \"non_finite\": \"null\" takes it as missing",
        eop_quote(quoted, text, size));
}

static edgeops_status put_number(eop_payload *p, const eop_member *m) {
    const eop_reader *r = &p->reader;
    char quoted[EOP_QUOTE_BYTES];
    char name[EOP_QUOTE_BYTES];
    edgeops_value value = {.type = (edgeops_type)m->type};
    switch (value.type) {
    case EDGEOPS_TYPE_BOOL:
        if (!eop_decimal_int64(&value.as.i64, &r->number) || value.as.i64 < 0 || value.as.i64 > 1) {
            return eop_payload_refuse(p, EDGEOPS_E_INVALID, "%s is not a bool",
                                      eop_quote(quoted, r->raw, r->raw_size));
        }
        return put_value(p, m, value);
    case EDGEOPS_TYPE_STRING:
        if (r->raw_size > MAX_STRING) {
            return eop_payload_refuse(p, EDGEOPS_E_LIMIT, "a text of over 64 KiB");
        }
        value.as.str = r->raw;
        value.size = (uint32_t)r->raw_size;
        return put_value(p, m, value);
    case EDGEOPS_TYPE_NULL:
        if (eop_decimal_is_integer(&r->number) &&
            (r->number.digits > TWO_53 || r->number.exponent > 0)) {
            return eop_payload_refuse(
                p, EDGEOPS_E_INVALID,
                "%s is beyond 2^53 and would lose digits; list the channel '%s' as int64 or string",
                eop_quote(quoted, r->raw, r->raw_size),
                eop_quote(name, m->channel, strlen(m->channel)));
        }
        break;
    case EDGEOPS_TYPE_FLOAT64:
        break;
    default:
        if (!eop_decimal_value(&value, value.type, &r->number, r->raw, r->raw_size)) {
            return eop_payload_refuse(p, EDGEOPS_E_INVALID, "%s is not %s %s",
                                      eop_quote(quoted, r->raw, r->raw_size),
                                      eop_type_article(value.type), eop_type_name(value.type));
        }
        return put_value(p, m, value);
    }
    value.type = EDGEOPS_TYPE_FLOAT64;
    if (!eop_decimal_double(&value.as.f64, &r->number, r->raw, r->raw_size)) {
        return eop_payload_refuse(p, EDGEOPS_E_INVALID, "%s is beyond float64",
                                  eop_quote(quoted, r->raw, r->raw_size));
    }
    return put_value(p, m, value);
}

/* Words for a bool that the rules of tables do not take: what switches and home automation send. */
static bool bool_word(edgeops_value *value, const char *text, size_t size) {
    static const char *const words[] = {"off", "on", "no", "yes"};
    for (size_t i = 0; i < EOP_COUNT(words); i++) {
        if (strlen(words[i]) == size && eop_ascii_equal(text, words[i], size)) {
            value->as.i64 = (int64_t)(i % 2);
            return true;
        }
    }
    return false;
}

/* A text for a channel that is listed as a number or a bool: many write what JavaScript would
 * round, or cannot write otherwise. */
static edgeops_status put_quoted(eop_payload *p, const eop_member *m, const char *text,
                                 size_t size) {
    char quoted[EOP_QUOTE_BYTES];
    edgeops_value value = {.type = (edgeops_type)m->type};
    if (eop_rules_null(p->config.rules, text, size) != NULL) {
        return EDGEOPS_OK;
    }
    if (eop_rules_value(p->config.rules, &value, value.type, text, size)) {
        bool infinite = eop_type_is_float(value.type) &&
                        (memchr(text, 'n', size) != NULL || memchr(text, 'N', size) != NULL);
        if (infinite) {
            return not_finite(p, text, size);
        }
        return value.type != EDGEOPS_TYPE_NULL ? put_value(p, m, value) : EDGEOPS_OK;
    }
    value.type = (edgeops_type)m->type;
    if (value.type == EDGEOPS_TYPE_BOOL && bool_word(&value, text, size)) {
        return put_value(p, m, value);
    }
    return eop_payload_refuse(p, EDGEOPS_E_INVALID, "the text '%s' stands where a %s belongs",
                              eop_quote(quoted, text, size),
                              value.type == EDGEOPS_TYPE_BOOL ? "bool" : "number");
}

static edgeops_status put_text(eop_payload *p, const eop_member *m) {
    const char *text = NULL;
    size_t size = 0;
    if (!eop_payload_text(p, &text, &size)) {
        return eop_fail_nomem("payload");
    }
    if (m->type != EDGEOPS_TYPE_NULL && m->type != EDGEOPS_TYPE_STRING) {
        return put_quoted(p, m, text, size);
    }
    if (size > MAX_STRING) {
        return eop_payload_refuse(p, EDGEOPS_E_LIMIT, "a text of over 64 KiB");
    }
    if (p->reader.escaped && memchr(text, '\0', size) != NULL) {
        return eop_payload_refuse(p, EDGEOPS_E_INVALID, "\\u0000 in a text");
    }
    edgeops_value value = {.type = EDGEOPS_TYPE_STRING, .as.str = text, .size = (uint32_t)size};
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
                   ? eop_payload_refuse(p, EDGEOPS_E_INVALID, "%s", r->problem)
                   : eop_payload_refuse(p, EDGEOPS_E_INVALID, "%s, an element, is not %s %s",
                                        eop_quote(quoted, r->text + r->start, r->at - r->start),
                                        eop_type_article((edgeops_type)m->type),
                                        eop_type_name((edgeops_type)m->type));
    }
    eop_value_save(at, &element);
    return EDGEOPS_OK;
}

edgeops_status eop_payload_put_array(eop_payload *p, const eop_member *m) {
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
        status = eop_payload_refuse(p, EDGEOPS_E_INVALID, "an array of %u numbers belongs here",
                                    m->length);
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

EOP_INLINE edgeops_status put_channel(eop_payload *p, const eop_member *m, eop_token token) {
    edgeops_value value = {.type = EDGEOPS_TYPE_BOOL};
    if (m->length > 1 && token != EOP_TOKEN_NULL) {
        return eop_payload_refuse(p, EDGEOPS_E_INVALID, "an array of %u numbers belongs here",
                                  m->length);
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
        return eop_payload_refuse(p, EDGEOPS_E_INVALID, "%s stands where a %s belongs",
                                  token == EOP_TOKEN_TRUE ? "true" : "false",
                                  m->type == EDGEOPS_TYPE_STRING ? "text" : "number");
    }
    return put_value(p, m, value);
}

edgeops_status eop_payload_put(eop_payload *p, const eop_member *m, eop_token token) {
    return put_channel(p, m, token);
}

/* Of an hour that the clocks showed twice, the pass that is nearer to the arrival. */
static edgeops_time nearer(edgeops_time first, edgeops_time second, edgeops_time arrived) {
    double one = fabs((double)arrived - (double)first);
    return fabs((double)arrived - (double)second) < one ? second : first;
}

edgeops_status eop_payload_read_time(eop_payload *p, eop_token token, edgeops_time *out,
                                     bool *timed) {
    char quoted[EOP_QUOTE_BYTES];
    const eop_reader *r = &p->reader;
    const eop_times *times = p->config.times;
    eop_time_seen known = {0};
    eop_time_seen *seen = p->config.times_plain ? NULL : &known; /* it costs */
    const char *text = NULL;
    size_t size = 0;
    if (token == EOP_TOKEN_NULL) {
        return EDGEOPS_OK;
    }
    if (token == EOP_TOKEN_NUMBER) {
        *timed = eop_time_number(out, seen, times, &r->number, r->raw, r->raw_size);
    } else if (token == EOP_TOKEN_STRING) {
        size_t used = p->text_used;
        if (!eop_payload_text(p, &text, &size)) {
            return eop_fail_nomem("payload");
        }
        p->text_used = used;
        *timed = eop_time_text(out, seen, times, text, size);
    }
    if (*timed) {
        *out = known.repeated ? nearer(*out, known.second, p->arrived) : *out;
        p->skipped += known.missing;
        return EDGEOPS_OK;
    }
    if (p->config.bad_time_is_missing) {
        return EDGEOPS_OK;
    }
    const char *bad = eop_quote(quoted, r->text + r->start, r->at - r->start);
    return p->config.time_format != NULL
               ? eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                    "%s is not a time stamp of the form '%s' (time_format)", bad,
                                    p->config.time_format)
               : eop_payload_refuse(
                     p, EDGEOPS_E_INVALID,
                     "%s is not a time stamp (ISO 8601 text, or a number between 1677 and 2262)",
                     bad);
}

edgeops_status eop_payload_read_seq(eop_payload *p, eop_token token, int64_t *out, bool *numbered) {
    char quoted[EOP_QUOTE_BYTES];
    const eop_reader *r = &p->reader;
    if (token == EOP_TOKEN_NULL) {
        return EDGEOPS_OK;
    }
    if (token != EOP_TOKEN_NUMBER || !eop_decimal_int64(out, &r->number)) {
        return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                  "%s is not a sequence number, which is an int64",
                                  eop_quote(quoted, r->text + r->start, r->at - r->start));
    }
    *numbered = true;
    return EDGEOPS_OK;
}

/* -- the asset's name -- */

edgeops_status eop_payload_read_part(eop_payload *p, eop_token token, eop_part *out) {
    char quoted[EOP_QUOTE_BYTES];
    const eop_reader *r = &p->reader;
    bool ok = token == EOP_TOKEN_NUMBER && eop_decimal_is_integer(&r->number);
    if (token == EOP_TOKEN_NULL) {
        return EDGEOPS_OK;
    }
    if (token == EOP_TOKEN_STRING) {
        if (!eop_payload_text(p, &out->text, &out->size)) {
            return eop_fail_nomem("payload");
        }
        ok = out->size > 0;
    } else {
        out->text = r->raw;
        out->size = r->raw_size;
    }
    return ok ? EDGEOPS_OK
              : eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                   "%s names no asset: a text or an integer belongs there",
                                   token == EOP_TOKEN_OBJECT ? "an object"
                                   : token == EOP_TOKEN_ARRAY
                                       ? "a list"
                                       : eop_quote(quoted, r->text + r->start, r->at - r->start));
}

edgeops_status eop_payload_name_asset(eop_payload *p) {
    char name[EOP_ASSET_BYTES + 1];
    for (size_t i = 0; i < p->config.asset_member_count; i++) {
        if (p->parts[i].text == NULL) {
            p->member = NULL;
            return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                      "there is no '%s', which names the asset",
                                      p->config.asset_members[i]);
        }
    }
    edgeops_status status =
        eop_template_fill(&p->config.asset, name, EOP_ASSET_BYTES, "asset", p->topic_now, p->parts);
    if (status == EDGEOPS_OK &&
        (p->names.size == 0 || strcmp(p->names.data + p->name_at, name) != 0)) {
        p->name_at = p->names.size;
        eop_buf_put(&p->names, name, strlen(name) + 1);
        if (p->names.failed) {
            eop_buf_dispose(&p->names);
            return eop_fail_nomem("payload");
        }
    }
    return status;
}

/* -- quality -- */

edgeops_status eop_payload_put_rate(eop_payload *p, const eop_member *m, eop_token token, bool qc) {
    const eop_reader *r = &p->reader;
    char quoted[EOP_QUOTE_BYTES];
    int64_t code = -1;
    int64_t most = qc ? 3 : EDGEOPS_QUALITY_NONE - 1;
    if (token == EOP_TOKEN_NULL) {
        return EDGEOPS_OK;
    }
    if (token != EOP_TOKEN_NUMBER || !eop_decimal_int64(&code, &r->number) || code < 0 ||
        code > most) {
        return eop_payload_refuse(p, EDGEOPS_E_INVALID, "%s is not a quality code from 0 to %d",
                                  eop_quote(quoted, r->text + r->start, r->at - r->start),
                                  (int)most);
    }
    if (!eop_grow(&p->rates, &p->rate_capacity, p->rate_count + 1, sizeof(*p->rates))) {
        return eop_fail_nomem("payload");
    }
    p->rates[p->rate_count++] = (eop_rate){m->channel, (uint16_t)(qc ? code << 6 : code)};
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

EOP_INLINE edgeops_status meet(eop_payload *p, eop_member **out, const char *path, size_t size) {
    eop_member *m = p->last != NULL ? p->last->follower : NULL;
    p->member = path;
    p->member_size = size;
    *out = NULL;
    if (size > EOP_PATH_BYTES) {
        size_t scope = p->config.values_size;
        bool inside = memcmp(path, p->config.values, scope) == 0;
        return inside && p->config.new_channels == EOP_NEW_ADD
                   ? eop_payload_refuse(p, EDGEOPS_E_INVALID, "the name is too long")
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
        return eop_payload_refuse(p, EDGEOPS_E_INVALID, "it is there twice in one sample");
    }
    m->seen = p->serial;
    *out = m;
    return EDGEOPS_OK;
}

edgeops_status eop_payload_meet(eop_payload *p, eop_member **out, const char *path, size_t size) {
    return meet(p, out, path, size);
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
    p->nests[p->depth++] = (eop_nest){.path_size = (uint32_t)kept, .array = array};
}

/* -- samples -- */

typedef struct sample_state {
    bool timed;
    bool numbered;
} sample_state;

edgeops_status eop_payload_put_member(eop_payload *p, const eop_member *m, eop_token token) {
    switch ((eop_member_role)m->role) {
    case EOP_MEMBER_CHANNEL:
        return eop_payload_put(p, m, token);
    case EOP_MEMBER_QUALITY:
        return eop_payload_put_rate(p, m, token, p->config.quality_is_qc);
    case EOP_MEMBER_ASSET:
        return m->channel != NULL ? eop_payload_put(p, m, token) : EDGEOPS_OK;
    case EOP_MEMBER_UNLISTED:
        return eop_payload_refuse(
            p, EDGEOPS_E_INVALID,
            "the config does not list this channel, and \"new_channels\" is \"refuse\"");
    case EOP_MEMBER_TAKEN:
        return eop_payload_refuse(
            p, EDGEOPS_E_INVALID,
            "the channel of this name comes from another member; rename one of them");
    case EOP_MEMBER_BAD_NAME:
        return eop_payload_refuse(
            p, EDGEOPS_E_INVALID,
            "this is not a valid name for a channel (1 to 128 bytes, no control characters, no "
            "empty level between slashes); \"channels\" with \"from\" names it");
    default:
        return EDGEOPS_OK;
    }
}

/* The usual forms first, which the rules of times take as they are. */
EOP_INLINE edgeops_status take_time(eop_payload *p, eop_token token, edgeops_time *out,
                                    bool *timed) {
    const eop_reader *r = &p->reader;
    const eop_times *times = p->config.times;
    if (p->config.times_plain && token == EOP_TOKEN_STRING) {
        *timed = eop_time_text(out, NULL, times, r->raw, r->raw_size);
    } else if (p->config.times_plain && token == EOP_TOKEN_NUMBER) {
        *timed = p->config.time_unit != EOP_UNIT_GUESS
                     ? eop_decimal_time(out, &r->number, p->config.time_unit)
                     : eop_time_number(out, NULL, times, &r->number, r->raw, r->raw_size);
    }
    return *timed ? EDGEOPS_OK : eop_payload_read_time(p, token, out, timed);
}

static edgeops_status take_scalar(eop_payload *p, const eop_member *m, eop_token token,
                                  sample_state *state) {
    if (m == NULL) {
        return EDGEOPS_OK;
    }
    switch ((eop_member_role)m->role) {
    case EOP_MEMBER_CHANNEL:
        return put_channel(p, m, token);
    case EOP_MEMBER_TIME:
        return take_time(p, token, &p->samples[p->sample_count].time, &state->timed);
    case EOP_MEMBER_SEQ:
        return eop_payload_read_seq(p, token, &p->samples[p->sample_count].seq, &state->numbered);
    case EOP_MEMBER_ASSET: {
        size_t used = p->text_used;
        edgeops_status status = eop_payload_read_part(p, token, &p->parts[m->part]);
        if (status == EDGEOPS_OK && m->channel != NULL) {
            p->text_used = used; /* the same text is written to the same place */
            status = eop_payload_put(p, m, token);
        }
        return status;
    }
    default:
        return eop_payload_put_member(p, m, token);
    }
}

/* The elements of a list may have a time, a number and a name of their own, so that one around them
 * does not count: whether there is such a list is known at the end. */
static edgeops_status put_off(eop_payload *p, const eop_member *m, edgeops_status status) {
    bool around =
        m->role == EOP_MEMBER_TIME || m->role == EOP_MEMBER_SEQ || m->role == EOP_MEMBER_ASSET;
    if (!around) {
        return status;
    }
    if (!p->put_off) {
        p->put_off = true;
        eop_keep_error(&p->wrong);
    }
    return EDGEOPS_OK;
}

/* One value with its path; opens it when it is an object or an array. */
static edgeops_status take_member(eop_payload *p, const char *key, size_t key_size, eop_token token,
                                  sample_state *state) {
    const char *path = NULL;
    size_t size = 0;
    eop_member *m = NULL;
    join_path(p, key, key_size, &path, &size);
    edgeops_status status = meet(p, &m, path, size);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (token == EOP_TOKEN_ARRAY && m != NULL && m->role == EOP_MEMBER_CHANNEL && m->length > 1) {
        return eop_payload_put_array(p, m);
    }
    if (EOP_UNLIKELY(token == EOP_TOKEN_OBJECT && p->nests[p->depth - 1].array)) {
        p->has_lists = true;
        return EDGEOPS_DONE;
    }
    if (token == EOP_TOKEN_OBJECT || token == EOP_TOKEN_ARRAY) {
        if (m != NULL && m->role == EOP_MEMBER_ASSET) {
            return eop_payload_read_part(p, token, &p->parts[m->part]);
        }
        open_nest(p, path, size, token == EOP_TOKEN_ARRAY);
        return EDGEOPS_OK;
    }
    status = take_scalar(p, m, token, state);
    return EOP_UNLIKELY(status == EDGEOPS_E_INVALID) ? put_off(p, m, status) : status;
}

edgeops_status eop_payload_refuse_json(const eop_payload *p) {
    return eop_payload_refuse(p, p->reader.too_deep ? EDGEOPS_E_LIMIT : EDGEOPS_E_INVALID, "%s",
                              p->reader.problem);
}

/* The members of a sample, its '{' being taken, up to and with its '}'. */
static edgeops_status take_members(eop_payload *p, sample_state *state) {
    edgeops_status status = EDGEOPS_OK;
    p->depth = 1;
    p->nests[0] = (eop_nest){0};
    while (status == EDGEOPS_OK && p->depth > 0) {
        eop_nest *at = &p->nests[p->depth - 1];
        char index[EOP_PLACE_BYTES];
        const char *key = index;
        size_t key_size = 0;
        eop_token token = eop_reader_next(&p->reader);
        if (token == EOP_TOKEN_OBJECT_END || token == EOP_TOKEN_ARRAY_END) {
            p->depth--;
            continue;
        }
        if (token == EOP_TOKEN_ERROR) {
            return eop_payload_refuse_json(p);
        }
        if (at->array) {
            key_size = eop_payload_place(index, at->index++);
        } else {
            if (!eop_payload_text(p, &key, &key_size)) {
                return eop_fail_nomem("payload");
            }
            p->member = key;
            p->member_size = key_size;
            token = eop_reader_next(&p->reader);
            if (token == EOP_TOKEN_ERROR) {
                return eop_payload_refuse_json(p);
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

EOP_INLINE edgeops_status begin(eop_payload *p, size_t *first) {
    if (!eop_grow(&p->samples, &p->sample_capacity, p->sample_count + 1, sizeof(*p->samples))) {
        return eop_fail_nomem("payload");
    }
    p->samples[p->sample_count] = (edgeops_sample){.asset = p->asset, .time = p->arrived};
    p->serial++;
    p->last = NULL;
    p->rate_count = 0;
    *first = p->value_count;
    return EDGEOPS_OK;
}

edgeops_status eop_payload_begin(eop_payload *p, size_t *first) {
    return begin(p, first);
}

edgeops_status eop_payload_end(eop_payload *p, size_t first, size_t start) {
    edgeops_status status = p->config.has_qualities ? rate_values(p, first) : EDGEOPS_OK;
    if (status == EDGEOPS_OK && p->samples[p->sample_count].count == 0) {
        p->member = NULL;
        p->reader.start = start;
        return p->config.values_size > 0
                   ? eop_payload_refuse(p, EDGEOPS_E_INVALID, "the sample has no values in '%s'",
                                        p->config.values)
                   : eop_payload_refuse(p, EDGEOPS_E_INVALID, "the sample has no values");
    }
    return status;
}

edgeops_status eop_payload_untimed(eop_payload *p) {
    if (!p->config.untimed_refused) {
        p->untimed++;
        return EDGEOPS_OK;
    }
    p->member = NULL;
    return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                              "there is no time in '%s'; \"on_missing_time\": \"arrival\" takes "
                              "that of arrival",
                              p->config.time);
}

edgeops_status eop_payload_place_sample(eop_payload *p, int64_t base, bool numbered, size_t at) {
    if (!eop_grow(&p->places, &p->place_capacity, p->sample_count + 1, sizeof *p->places)) {
        return eop_fail_nomem("payload");
    }
    p->places[p->sample_count] = (eop_place){base, (uint32_t)at, numbered};
    return EDGEOPS_OK;
}

static edgeops_status take_sample(eop_payload *p, bool in_array) {
    sample_state state = {0};
    size_t start = p->reader.start;
    size_t first = 0;
    edgeops_status status = begin(p, &first);
    if (p->config.asset_member_count > 0) {
        memset(p->parts, 0, sizeof(p->parts));
    }
    p->put_off = false;
    if (status == EDGEOPS_OK) {
        status = take_members(p, &state);
    }
    if (status == EDGEOPS_OK && p->put_off) {
        status = eop_fail_kept(&p->wrong);
    }
    bool plain = !p->config.has_qualities && p->value_count > first;
    if (status == EDGEOPS_OK && !plain) {
        status = eop_payload_end(p, first, start);
    }
    if (status == EDGEOPS_OK && !state.timed) {
        p->reader.start = start;
        status = eop_payload_untimed(p);
    }
    if (status == EDGEOPS_OK && p->config.asset_member_count > 0) {
        p->reader.start = start;
        status = eop_payload_name_asset(p);
        p->samples[p->sample_count].asset = (const char *)(uintptr_t)p->name_at;
    }
    if (status == EDGEOPS_OK && in_array) {
        status = eop_payload_place_sample(p, 0, state.numbered, start);
    }
    p->sample_count += status == EDGEOPS_OK;
    return status;
}

static edgeops_status take_array(eop_payload *p) {
    for (;;) {
        eop_token token = eop_reader_next(&p->reader);
        edgeops_status status = EDGEOPS_OK;
        switch (token) {
        case EOP_TOKEN_OBJECT:
            status = take_sample(p, true);
            break;
        case EOP_TOKEN_ARRAY_END:
            if (p->sample_count == 0) {
                return eop_payload_refuse(p, EDGEOPS_E_INVALID, "an array without samples");
            }
            return EDGEOPS_OK;
        case EOP_TOKEN_ERROR:
            return eop_payload_refuse_json(p);
        default:
            return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                      "each element of the array must be an object");
        }
        if (status != EDGEOPS_OK) {
            return status;
        }
    }
}

edgeops_status eop_payload_walk(eop_payload *p) {
    edgeops_status status = EDGEOPS_OK;
    switch (eop_reader_next(&p->reader)) {
    case EOP_TOKEN_OBJECT:
        status = take_sample(p, false);
        break;
    case EOP_TOKEN_ARRAY:
        status = take_array(p);
        break;
    case EOP_TOKEN_ERROR:
        return eop_payload_refuse_json(p);
    default:
        return eop_payload_refuse(p, EDGEOPS_E_INVALID,
                                  "a message is one object or an array of objects; \"format\": "
                                  "\"value\" takes a bare value");
    }
    if (status == EDGEOPS_OK && eop_reader_next(&p->reader) != EOP_TOKEN_END) {
        return eop_payload_refuse_json(p);
    }
    return status;
}
