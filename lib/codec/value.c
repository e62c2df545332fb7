/* SPDX-License-Identifier: Apache-2.0 */
/* Values of all types to text and JSON, and what a blob is called in both. */
#include "codec/value.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "base/locale.h"

edgeops_status eop_type_read(edgeops_type *type, uint32_t *length, const char *text,
                             const char *where, const char *name) {
    if (!eop_type_parse(type, length, text) || *type == EDGEOPS_TYPE_BLOB) {
        return eop_fail(
            EDGEOPS_E_INVALID, "codec",
            "%s%.128s/type: '%.32s' is not a type: choose one of float64, float32, int8, int16, "
            "int32, int64, uint8, uint16, uint32, uint64, bool, string, or an array of "
            "2 to %u numbers such as float32[4096]",
            where, name, text, EDGEOPS_LENGTH_MAX);
    }
    return EDGEOPS_OK;
}

#define TWO_53 9007199254740992

size_t eop_blob_format(char out[EOP_BLOB_TEXT], const edgeops_blob *blob) {
    char hex[65];
    eop_hex_put(hex, blob->digest, sizeof blob->digest);
    return (size_t)snprintf(out, EOP_BLOB_TEXT, "sha256:%s:%" PRIu64, hex, blob->size);
}

bool eop_blob_parse(edgeops_blob *out, const char *text, size_t size) {
    edgeops_blob blob = {0};
    if (size < 7 + 64 + 2 || size > 7 + 64 + 1 + 20 || memcmp(text, "sha256:", 7) != 0 ||
        !eop_hex_take(blob.digest, sizeof blob.digest, text + 7) || text[71] != ':') {
        return false;
    }
    for (size_t i = 72; i < size; i++) {
        if (text[i] < '0' || text[i] > '9' ||
            __builtin_mul_overflow(blob.size, UINT64_C(10), &blob.size) ||
            __builtin_add_overflow(blob.size, (uint64_t)(text[i] - '0'), &blob.size)) {
            return false;
        }
    }
    *out = blob;
    return true;
}

static void put_blob(eop_buf *buf, const edgeops_value *value) {
    char text[EOP_BLOB_TEXT];
    edgeops_blob blob;
    memcpy(&blob, value->as.data, sizeof blob);
    eop_buf_put(buf, text, eop_blob_format(text, &blob));
}

typedef void (*put_fn)(eop_buf *buf, const edgeops_value *value);

static void put_array(eop_buf *buf, const edgeops_value *value, put_fn put) {
    size_t width = eop_type_width(value->type);
    uint32_t n = eop_value_length(value);
    eop_buf_puts(buf, "[");
    for (uint32_t i = 0; i < n; i++) {
        edgeops_value element =
            eop_value_load(value->type, (const char *)value->as.data + i * width);
        if (i > 0) {
            eop_buf_put(buf, ",", 1);
        }
        put(buf, &element);
    }
    eop_buf_puts(buf, "]");
}

/* Digits alone would read as an int64. */
static void put_double(eop_buf *buf, double value) {
    char text[40];
    size_t size = eop_format_double(text, value);
    eop_buf_put(buf, text, size);
    if (fabs(value) > TWO_53 && strspn(text, "-0123456789") == size) {
        eop_buf_put(buf, ".0", 2);
    }
}

void eop_value_put_text(eop_buf *buf, const edgeops_value *value) {
    char text[EOP_VALUE_TEXT];
    if (value->type == EDGEOPS_TYPE_STRING) {
        eop_buf_put(buf, value->as.str, value->size);
    } else if (value->type == EDGEOPS_TYPE_BLOB) {
        put_blob(buf, value);
    } else if (eop_value_is_array(value)) {
        put_array(buf, value, eop_value_put_text);
    } else if (value->type == EDGEOPS_TYPE_FLOAT64) {
        put_double(buf, value->as.f64);
    } else {
        eop_buf_put(buf, text, eop_value_format(text, value));
    }
}

/* JSON has no word for what is not finite. */
static bool has_json(const edgeops_value *value) {
    return value->type != EDGEOPS_TYPE_NULL &&
           (!eop_type_is_float(value->type) || isfinite(eop_value_double(value)));
}

void eop_value_put_json(eop_buf *buf, const edgeops_value *value) {
    if (value->type == EDGEOPS_TYPE_STRING) {
        eop_json_put_string(buf, value->as.str, value->size);
    } else if (value->type == EDGEOPS_TYPE_BLOB) {
        eop_buf_put(buf, "\"", 1);
        put_blob(buf, value);
        eop_buf_put(buf, "\"", 1);
    } else if (eop_value_is_array(value)) {
        put_array(buf, value, eop_value_put_json);
    } else if (!has_json(value)) {
        eop_buf_puts(buf, "null");
    } else {
        eop_value_put_text(buf, value);
    }
}

static bool has_json_elements(const edgeops_value *value) {
    size_t width = eop_type_width(value->type);
    uint32_t n = eop_type_is_float(value->type) ? eop_value_length(value) : 0;
    for (uint32_t i = 0; i < n; i++) {
        edgeops_value element =
            eop_value_load(value->type, (const char *)value->as.data + i * width);
        if (!has_json(&element)) {
            return false;
        }
    }
    return true;
}

void eop_value_put_json_whole(eop_buf *buf, const edgeops_value *value) {
    bool whole = eop_value_is_array(value) ? has_json_elements(value)
                                           : !eop_type_is_float(value->type) || has_json(value);
    if (whole) {
        eop_value_put_json(buf, value);
    } else {
        eop_buf_put(buf, "\"", 1);
        eop_value_put_text(buf, value);
        eop_buf_put(buf, "\"", 1);
    }
}

static bool beyond_double(const edgeops_value *value) {
    if (!eop_type_is_integer(value->type)) {
        return false;
    }
    return eop_type_is_unsigned(value->type) ? value->as.u64 > TWO_53
                                             : value->as.i64 > TWO_53 || value->as.i64 < -TWO_53;
}

static eop_json *json_array(const edgeops_value *value) {
    size_t width = eop_type_width(value->type);
    uint32_t n = eop_value_length(value);
    eop_json *array = eop_json_array();
    for (uint32_t i = 0; i < n; i++) {
        edgeops_value element =
            eop_value_load(value->type, (const char *)value->as.data + i * width);
        eop_json_append(array, eop_value_json(&element));
    }
    return array;
}

eop_json *eop_value_json(const edgeops_value *value) {
    eop_buf text = {0};
    eop_json *json = NULL;
    if (eop_value_is_array(value)) {
        return json_array(value);
    }
    if (value->type == EDGEOPS_TYPE_BOOL) {
        return eop_json_new_bool(value->as.i64 != 0);
    }
    if (!has_json(value)) {
        return eop_json_new_string(NULL);
    }
    if (eop_type_is_numeric(value->type) && !beyond_double(value)) {
        /* A float32 as the decimal number that one writes for it, not with the digits of a
         * double. */
        char number[EOP_VALUE_TEXT];
        eop_value_format(number, value);
        return eop_json_new_number(value->type == EDGEOPS_TYPE_FLOAT32 ? eop_strtod(number, NULL)
                                                                       : eop_value_double(value));
    }
    eop_value_put_text(&text, value);
    eop_buf_put(&text, "", 1);
    if (!text.failed) {
        json = eop_json_new_string(text.data);
    }
    eop_buf_dispose(&text);
    return json;
}
