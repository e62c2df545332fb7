/* SPDX-License-Identifier: Apache-2.0 */
/* What the text of a table's field is: a number, a bool, a string or nothing. The one set of rules
 * for all that reads tables. */
#include <math.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/locale.h"
#include "base/memory.h"
#include "base/type.h"
#include "codec/number.h"
#include "codec/rules.h"

#define MAX_STRING  65536
#define TWO_53      ((uint64_t)1 << 53)
#define NUMBER_SIZE 400

struct eop_rules {
    eop_times *times;
};

edgeops_status eop_rules_new(eop_rules **out, const eop_rules_options *options) {
    *out = NULL;
    eop_rules *rules = eop_calloc(1, sizeof(*rules));
    if (rules == NULL) {
        return eop_fail_nomem("codec");
    }
    edgeops_status status = eop_times_new(&rules->times, &options->times);
    if (status != EDGEOPS_OK) {
        eop_rules_free(rules);
        return status;
    }
    *out = rules;
    return EDGEOPS_OK;
}

void eop_rules_free(eop_rules *rules) {
    if (rules != NULL) {
        eop_times_free(rules->times);
        eop_free(rules);
    }
}

const eop_times *eop_rules_times(const eop_rules *rules) {
    return rules != NULL ? rules->times : NULL;
}

const char *eop_rules_null(const eop_rules *rules, const char *text, size_t size) {
    (void)rules;
    (void)text;
    return size == 0 ? "" : NULL;
}

static void trim(const char **text, size_t *size) {
    while (*size > 0 && (**text == ' ' || **text == '\t')) {
        *text += 1;
        *size -= 1;
    }
    while (*size > 0 && ((*text)[*size - 1] == ' ' || (*text)[*size - 1] == '\t')) {
        *size -= 1;
    }
}

static bool is_word(const char *text, size_t size, const char *word) {
    return strlen(word) == size && eop_ascii_equal(text, word, size);
}

static bool not_finite(double *out, const char *text, size_t size) {
    bool sign = size > 0 && (*text == '-' || *text == '+');
    bool negative = sign && *text == '-';
    text += sign;
    size -= sign;
    if (!sign && is_word(text, size, "nan")) {
        *out = (double)NAN;
        return true;
    }
    if (is_word(text, size, "inf") || is_word(text, size, "infinity")) {
        *out = negative ? -(double)INFINITY : (double)INFINITY;
        return true;
    }
    return false;
}

/* "true", "True" and "TRUE", likewise false: what programs write. */
static bool is_bool(int64_t *out, const char *text, size_t size) {
    static const char *const words[] = {"false", "true", "False", "True", "FALSE", "TRUE"};
    for (size_t i = 0; i < EOP_COUNT(words); i++) {
        if (strlen(words[i]) == size && memcmp(words[i], text, size) == 0) {
            *out = (int64_t)(i % 2);
            return true;
        }
    }
    return false;
}

/* A number in a form that cannot be an id: no leading zero, no '+' before bare digits. */
static bool is_number(eop_decimal *d, const char *text, size_t size) {
    return size <= NUMBER_SIZE && eop_decimal_scan(d, text, size) == size && size > 0 &&
           (d->shape & EOP_DECIMAL_LEADING_ZERO) == 0 &&
           !(eop_decimal_is_integer(d) && (d->shape & EOP_DECIMAL_PLUS) != 0);
}

/* Bare digits must be a double exactly; a fraction is rounded. */
static bool to_double(double *out, const eop_decimal *d, const char *text, size_t size) {
    double value = 0.0;
    if (!eop_decimal_double(&value, d, text, size)) {
        return false;
    }
    if (eop_decimal_is_integer(d) && d->digits > TWO_53 &&
        (d->exponent != 0 || value >= 18446744073709551616.0 || value <= -18446744073709551616.0 ||
         (uint64_t)fabs(value) != d->digits)) {
        return false;
    }
    *out = value;
    return true;
}

/* Of a numeric type. */
static bool to_number(edgeops_value *out, edgeops_type type, const char *text, size_t size) {
    eop_decimal d;
    if (is_number(&d, text, size)) {
        return (eop_type_is_float(type) || eop_decimal_is_integer(&d)) &&
               eop_decimal_value(out, type, &d, text, size);
    }
    edgeops_value value = {.type = EDGEOPS_TYPE_FLOAT64};
    return eop_type_is_float(type) && not_finite(&value.as.f64, text, size) &&
           eop_value_convert(out, &value, type);
}

edgeops_type eop_rules_type(const eop_rules *rules, const char *text, size_t size) {
    (void)rules;
    eop_decimal d;
    double real = 0.0;
    int64_t integer = 0;
    trim(&text, &size);
    if (size == 0) {
        return EDGEOPS_TYPE_NULL;
    }
    if (is_number(&d, text, size)) {
        if (!eop_decimal_is_integer(&d) || (d.digits == 0 && d.negative)) {
            return to_double(&real, &d, text, size) ? EDGEOPS_TYPE_FLOAT64 : EDGEOPS_TYPE_STRING;
        }
        return eop_decimal_int64(&integer, &d) ? EDGEOPS_TYPE_INT64 : EDGEOPS_TYPE_STRING;
    }
    if (not_finite(&real, text, size)) {
        return EDGEOPS_TYPE_FLOAT64;
    }
    return is_bool(&integer, text, size) ? EDGEOPS_TYPE_BOOL : EDGEOPS_TYPE_STRING;
}

bool eop_rules_value(const eop_rules *rules, edgeops_value *out, edgeops_type type,
                     const char *text, size_t size) {
    (void)rules;
    const char *whole = text;
    size_t whole_size = size;
    edgeops_value value = {.type = type};
    eop_decimal d;
    bool ok = false;
    trim(&text, &size);
    if (whole_size == 0 || (size == 0 && type != EDGEOPS_TYPE_STRING)) {
        value.type = EDGEOPS_TYPE_NULL;
        *out = value;
        return true;
    }
    switch (type) {
    case EDGEOPS_TYPE_FLOAT64:
        ok = is_number(&d, text, size) ? to_double(&value.as.f64, &d, text, size)
                                       : not_finite(&value.as.f64, text, size);
        break;
    case EDGEOPS_TYPE_BOOL:
        ok = is_bool(&value.as.i64, text, size);
        if (!ok && size == 1 && (*text == '0' || *text == '1')) {
            value.as.i64 = *text - '0';
            ok = true;
        }
        break;
    case EDGEOPS_TYPE_STRING:
        value.as.str = whole;
        value.size = (uint32_t)whole_size;
        ok = whole_size <= MAX_STRING;
        break;
    default:
        ok = to_number(&value, type, text, size);
        break;
    }
    if (ok) {
        *out = value;
    }
    return ok;
}

bool eop_rules_array(const eop_rules *rules, edgeops_value *out, void *elements, edgeops_type type,
                     uint32_t length, const char *text, size_t size) {
    (void)rules;
    char *at = elements;
    size_t width = eop_type_width(type);
    uint32_t n = 0;
    trim(&text, &size);
    if (size == 0) {
        *out = (edgeops_value){.type = EDGEOPS_TYPE_NULL};
        return true;
    }
    if (size < 2 || text[0] != '[' || text[size - 1] != ']') {
        return false;
    }
    const char *end = text + size - 1;
    for (const char *from = text + 1; n < length; n++) {
        const char *to = memchr(from, ',', (size_t)(end - from));
        size_t used = (size_t)((to != NULL ? to : end) - from);
        edgeops_value element;
        trim(&from, &used);
        if (!to_number(&element, type, from, used)) {
            return false;
        }
        eop_value_save(at + n * width, &element);
        if (to == NULL) {
            n++;
            end = NULL;
            break;
        }
        from = to + 1;
    }
    if (end != NULL || n != length) {
        return false;
    }
    *out = (edgeops_value){.type = type, .size = (uint32_t)(length * width), .as.data = elements};
    return true;
}
