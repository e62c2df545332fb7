/* SPDX-License-Identifier: Apache-2.0 */
/* The table of types, and what follows from it: values in memory, as text, and as values of another
 * type without a loss. */
#include "base/type.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/str.h"

enum { FLOAT = 1, SIGNED = 2, UNSIGNED = 4, NUMERIC = FLOAT | SIGNED | UNSIGNED };

static const struct {
    const char *name;
    uint8_t width;
    uint8_t kind;
} types[] = {
    [EDGEOPS_TYPE_NULL] = {"null", 0, 0},
    [EDGEOPS_TYPE_FLOAT64] = {"float64", 8, FLOAT},
    [EDGEOPS_TYPE_INT64] = {"int64", 8, SIGNED},
    [EDGEOPS_TYPE_BOOL] = {"bool", 1, 0},
    [EDGEOPS_TYPE_STRING] = {"string", 0, 0},
    [EDGEOPS_TYPE_FLOAT32] = {"float32", 4, FLOAT},
    [EDGEOPS_TYPE_INT8] = {"int8", 1, SIGNED},
    [EDGEOPS_TYPE_INT16] = {"int16", 2, SIGNED},
    [EDGEOPS_TYPE_INT32] = {"int32", 4, SIGNED},
    [EDGEOPS_TYPE_UINT8] = {"uint8", 1, UNSIGNED},
    [EDGEOPS_TYPE_UINT16] = {"uint16", 2, UNSIGNED},
    [EDGEOPS_TYPE_UINT32] = {"uint32", 4, UNSIGNED},
    [EDGEOPS_TYPE_UINT64] = {"uint64", 8, UNSIGNED},
    [EDGEOPS_TYPE_BLOB] = {"blob", sizeof(edgeops_blob), 0},
};
static_assert(EOP_COUNT(types) == EOP_TYPES, "each type has its line");
static_assert(sizeof(edgeops_value) == 16, "a value has 16 bytes");
static_assert(sizeof(edgeops_blob) == 40, "rows hold 40 bytes of a blob");

static unsigned kind(edgeops_type type) {
    return (unsigned)type < EOP_TYPES ? types[type].kind : 0;
}

const char *eop_type_name(edgeops_type type) {
    return (unsigned)type < EOP_TYPES ? types[type].name : "unknown";
}

const char *eop_type_article(edgeops_type type) {
    return eop_type_name(type)[0] == 'i' ? "an" : "a";
}

edgeops_type eop_type_from_name(const char *name) {
    for (unsigned i = 1; i < EOP_TYPES; i++) {
        if (strcmp(types[i].name, name) == 0) {
            return (edgeops_type)i;
        }
    }
    return EDGEOPS_TYPE_NULL;
}

const char *eop_type_text(char out[EOP_TYPE_TEXT], edgeops_type type, uint32_t length) {
    if (length > 1) {
        snprintf(out, EOP_TYPE_TEXT, "%s[%u]", eop_type_name(type), length);
    } else {
        snprintf(out, EOP_TYPE_TEXT, "%s", eop_type_name(type));
    }
    return out;
}

bool eop_type_parse(edgeops_type *type, uint32_t *length, const char *text) {
    char name[EOP_TYPE_TEXT];
    size_t size = strcspn(text, "[");
    unsigned long count = 1;
    if (size >= sizeof name) {
        return false;
    }
    memcpy(name, text, size);
    name[size] = '\0';
    if (text[size] == '[') {
        char *end = NULL;
        if (text[size + 1] < '1' || text[size + 1] > '9') {
            return false;
        }
        count = strtoul(text + size + 1, &end, 10);
        if (count < 2 || strcmp(end, "]") != 0) {
            return false;
        }
    }
    edgeops_type found = eop_type_from_name(name);
    if (count > EOP_LENGTH_MAX || !eop_type_has_length(found, (int64_t)count)) {
        return false;
    }
    *type = found;
    *length = (uint32_t)count;
    return true;
}

bool eop_type_has_length(edgeops_type type, int64_t length) {
    return eop_type_known((int64_t)type) &&
           (length == 1 ||
            (length > 1 && length <= (int64_t)EOP_LENGTH_MAX && eop_type_is_numeric(type)));
}

size_t eop_type_width(edgeops_type type) {
    return (unsigned)type < EOP_TYPES ? types[type].width : 0;
}

bool eop_type_is_float(edgeops_type type) {
    return kind(type) == FLOAT;
}

bool eop_type_is_integer(edgeops_type type) {
    return (kind(type) & (SIGNED | UNSIGNED)) != 0;
}

bool eop_type_is_unsigned(edgeops_type type) {
    return kind(type) == UNSIGNED;
}

bool eop_type_is_numeric(edgeops_type type) {
    return (kind(type) & NUMERIC) != 0;
}

/* -- values -- */

#define LOAD(member, c_type)                                                                       \
    do {                                                                                           \
        c_type number;                                                                             \
        memcpy(&number, at, sizeof number);                                                        \
        value.as.member = number;                                                                  \
    } while (0)

edgeops_value eop_value_load(edgeops_type type, const void *at) {
    edgeops_value value = {.type = type};
    switch (type) {
    case EDGEOPS_TYPE_FLOAT64:
    case EDGEOPS_TYPE_INT64:
    case EDGEOPS_TYPE_UINT64:
        memcpy(&value.as, at, sizeof value.as.u64);
        break;
    case EDGEOPS_TYPE_FLOAT32:
        /* Not as a number: a register could quieten a signalling NaN. */
        memcpy(&value.as.f32, at, sizeof value.as.f32);
        break;
    case EDGEOPS_TYPE_INT8:
        LOAD(i64, int8_t);
        break;
    case EDGEOPS_TYPE_INT16:
        LOAD(i64, int16_t);
        break;
    case EDGEOPS_TYPE_INT32:
        LOAD(i64, int32_t);
        break;
    case EDGEOPS_TYPE_BOOL:
        LOAD(i64, uint8_t);
        break;
    case EDGEOPS_TYPE_UINT8:
        LOAD(u64, uint8_t);
        break;
    case EDGEOPS_TYPE_UINT16:
        LOAD(u64, uint16_t);
        break;
    case EDGEOPS_TYPE_UINT32:
        LOAD(u64, uint32_t);
        break;
    case EDGEOPS_TYPE_NULL:
    case EDGEOPS_TYPE_STRING:
    case EDGEOPS_TYPE_BLOB:
        value.type = EDGEOPS_TYPE_NULL;
        break;
    }
    return value;
}

void eop_value_save(void *at, const edgeops_value *value) {
    switch (eop_type_width(value->type)) {
    case 1: {
        uint8_t number = (uint8_t)value->as.u64;
        memcpy(at, &number, sizeof number);
        break;
    }
    case 2: {
        uint16_t number = (uint16_t)value->as.u64;
        memcpy(at, &number, sizeof number);
        break;
    }
    case 4:
        if (value->type == EDGEOPS_TYPE_FLOAT32) {
            memcpy(at, &value->as.f32, sizeof value->as.f32);
        } else {
            uint32_t number = (uint32_t)value->as.u64;
            memcpy(at, &number, sizeof number);
        }
        break;
    case 8:
        memcpy(at, &value->as, sizeof value->as.u64);
        break;
    default:
        break;
    }
}

void eop_null_fill(void *at, edgeops_type type, size_t n) {
    static const uint64_t nan64 = UINT64_C(0x7ff8000000000000);
    static const uint32_t nan32 = UINT32_C(0x7fc00000);
    if (type == EDGEOPS_TYPE_FLOAT64) {
        for (size_t i = 0; i < n; i++) {
            memcpy((char *)at + i * sizeof nan64, &nan64, sizeof nan64);
        }
    } else if (type == EDGEOPS_TYPE_FLOAT32) {
        for (size_t i = 0; i < n; i++) {
            memcpy((char *)at + i * sizeof nan32, &nan32, sizeof nan32);
        }
    } else if (n > 0) {
        memset(at, 0, n * eop_type_width(type));
    }
}

uint32_t eop_value_length(const edgeops_value *value) {
    return eop_value_is_array(value) ? value->size / (uint32_t)types[value->type].width : 1;
}

double eop_value_double(const edgeops_value *value) {
    if (value->size == 0) {
        switch (kind(value->type)) {
        case FLOAT:
            return value->type == EDGEOPS_TYPE_FLOAT64 ? value->as.f64 : (double)value->as.f32;
        case SIGNED:
            return (double)value->as.i64;
        case UNSIGNED:
            return (double)value->as.u64;
        default:
            if (value->type == EDGEOPS_TYPE_BOOL) {
                return (double)value->as.i64;
            }
            break;
        }
    }
    return (double)NAN;
}

size_t eop_value_format(char out[EOP_VALUE_TEXT], const edgeops_value *value) {
    out[0] = '\0';
    if (value->type == EDGEOPS_TYPE_BOOL) {
        return (size_t)snprintf(out, EOP_VALUE_TEXT, "%s", value->as.i64 != 0 ? "true" : "false");
    }
    if (value->size != 0) {
        return 0;
    }
    switch (kind(value->type)) {
    case FLOAT:
        return value->type == EDGEOPS_TYPE_FLOAT64 ? eop_format_double(out, value->as.f64)
                                                   : eop_format_float(out, value->as.f32);
    case SIGNED:
        return (size_t)snprintf(out, EOP_VALUE_TEXT, "%" PRId64, value->as.i64);
    case UNSIGNED:
        return (size_t)snprintf(out, EOP_VALUE_TEXT, "%" PRIu64, value->as.u64);
    default:
        return 0;
    }
}

/* -- converting -- */

/* An integer of any type: its value as i64 or, where it is too large for that, as u64. */
typedef struct integer {
    bool large;
    union {
        int64_t i64;
        uint64_t u64;
    } as;
} integer;

static bool to_integer(integer *out, const edgeops_value *value) {
    *out = (integer){0};
    if (kind(value->type) == SIGNED) {
        out->as.i64 = value->as.i64;
        return true;
    }
    if (kind(value->type) == UNSIGNED) {
        out->large = value->as.u64 > (uint64_t)INT64_MAX;
        out->as.u64 = value->as.u64;
        return true;
    }
    double number = eop_value_double(value);
    if (!(number >= -0x1p63 && number < 0x1p64) || floor(number) != number) {
        return false;
    }
    out->large = number >= 0x1p63;
    if (out->large) {
        out->as.u64 = (uint64_t)number;
    } else {
        out->as.i64 = (int64_t)number;
    }
    return true;
}

static bool in_range(const integer *number, edgeops_type type) {
    unsigned bits = 8u * types[type].width;
    if (types[type].kind == SIGNED) {
        int64_t most = (int64_t)(UINT64_MAX >> (65u - bits));
        return !number->large && number->as.i64 <= most && number->as.i64 >= -most - 1;
    }
    if (!number->large && number->as.i64 < 0) {
        return false;
    }
    return bits == 64 || number->as.u64 <= UINT64_MAX >> (64u - bits);
}

bool eop_value_in_range(const edgeops_value *value) {
    integer number;
    return value->size != 0 || !eop_type_is_integer(value->type) ||
           (to_integer(&number, value) && in_range(&number, value->type));
}

/* An integer as a double that is exactly it. */
static bool exact_double(double *out, const integer *number) {
    double near = number->large ? (double)number->as.u64 : (double)number->as.i64;
    integer back;
    edgeops_value value = {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = near};
    if (!to_integer(&back, &value) || back.large != number->large ||
        back.as.u64 != number->as.u64) {
        return false;
    }
    *out = near;
    return true;
}

static bool to_float(edgeops_value *out, const edgeops_value *value, edgeops_type type) {
    double number;
    if (kind(value->type) == FLOAT) {
        number = eop_value_double(value);
    } else {
        integer whole;
        if (!to_integer(&whole, value) || !exact_double(&number, &whole)) {
            return false;
        }
    }
    if (type == EDGEOPS_TYPE_FLOAT64) {
        out->as.f64 = number;
        return true;
    }
    float narrow = (float)number;
    if (isinf(narrow) && !isinf(number)) {
        return false;
    }
    if (kind(value->type) != FLOAT && (double)narrow != number) {
        return false;
    }
    out->as.f32 = narrow;
    return true;
}

bool eop_value_convert(edgeops_value *out, const edgeops_value *value, edgeops_type type) {
    if (value->type == type) {
        *out = *value;
        return true;
    }
    if (value->size != 0 || !eop_type_is_numeric(value->type) || !eop_type_is_numeric(type)) {
        return false;
    }
    edgeops_value result = {.type = type};
    if (eop_type_is_float(type)) {
        if (!to_float(&result, value, type)) {
            return false;
        }
    } else {
        integer number;
        if (!to_integer(&number, value) || !in_range(&number, type)) {
            return false;
        }
        result.as.u64 = number.as.u64;
    }
    *out = result;
    return true;
}
