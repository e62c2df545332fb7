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
#define MAX_NULLS   256

struct eop_rules {
    eop_times *times;
    char **nulls; /* the user's words */
    size_t null_count;
    char decimal;
    char thousands; /* '\0': none */
    bool nan_is_value;
    bool is_plain; /* a point and no groups: numbers are read where they lie */
};

static edgeops_status copy_nulls(eop_rules *rules, const eop_rules_options *options) {
    if (options->null_count > MAX_NULLS) {
        return eop_fail(EDGEOPS_E_INVALID, "codec", "over %d words for null", MAX_NULLS);
    }
    rules->nulls = eop_calloc(options->null_count, sizeof(*rules->nulls));
    if (rules->nulls == NULL) {
        return eop_fail_nomem("codec");
    }
    for (size_t i = 0; i < options->null_count; i++) {
        rules->nulls[i] = eop_strdup(options->nulls[i]);
        if (rules->nulls[i] == NULL) {
            return eop_fail_nomem("codec");
        }
        rules->null_count++;
    }
    return EDGEOPS_OK;
}

static edgeops_status take_signs(eop_rules *rules, const eop_rules_options *options) {
    rules->decimal = options->decimal != '\0' ? options->decimal : '.';
    rules->thousands = options->thousands;
    if (rules->decimal != '.' && rules->decimal != ',') {
        return eop_fail(EDGEOPS_E_INVALID, "codec", "decimal is '%c'; it can be '.' or ','",
                        rules->decimal);
    }
    if (rules->thousands != '\0' && memchr(".,' ", rules->thousands, 4) == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "thousands is '%c'; it can be '.', ',', a blank or an apostrophe",
                        rules->thousands);
    }
    if (rules->decimal == rules->thousands) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "'%c' cannot part both thousands and the fraction; give decimal, too",
                        rules->decimal);
    }
    rules->is_plain = rules->decimal == '.' && rules->thousands == '\0';
    return EDGEOPS_OK;
}

edgeops_status eop_rules_new(eop_rules **out, const eop_rules_options *options) {
    *out = NULL;
    eop_rules *rules = eop_calloc(1, sizeof(*rules));
    if (rules == NULL) {
        return eop_fail_nomem("codec");
    }
    rules->nan_is_value = options->nan_is_value;
    edgeops_status status = take_signs(rules, options);
    if (status == EDGEOPS_OK) {
        status = copy_nulls(rules, options);
    }
    if (status == EDGEOPS_OK) {
        status = eop_times_new(&rules->times, &options->times);
    }
    if (status != EDGEOPS_OK) {
        eop_rules_free(rules);
        return status;
    }
    *out = rules;
    return EDGEOPS_OK;
}

void eop_rules_free(eop_rules *rules) {
    if (rules != NULL) {
        for (size_t i = 0; i < rules->null_count; i++) {
            eop_free(rules->nulls[i]);
        }
        eop_free(rules->nulls);
        eop_times_free(rules->times);
        eop_free(rules);
    }
}

const eop_times *eop_rules_times(const eop_rules *rules) {
    return rules != NULL ? rules->times : NULL;
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

/* What programs and people write where there is no value. */
static const char *word_in(const char *const *words, size_t count, const char *text, size_t size) {
    for (size_t i = 0; i < count; i++) {
        if (strlen(words[i]) == size && memcmp(words[i], text, size) == 0) {
            return words[i];
        }
    }
    return NULL;
}

static const char *user_null(const eop_rules *rules, const char *text, size_t size) {
    return rules != NULL && rules->null_count > 0
               ? word_in((const char *const *)rules->nulls, rules->null_count, text, size)
               : NULL;
}

static const char *usual_null(const eop_rules *rules, const char *text, size_t size) {
    static const char *const words[] = {"NA",   "N/A",  "#N/A", "n/a",  "null",
                                        "NULL", "Null", "None", "none", "?",
                                        "-",    "--",   "<NA>", "#NA",  "NaT"};
    static const char *const nans[] = {"NaN",     "nan",      "NAN",    "-nan",   "-NaN",
                                       "1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND"};
    const char *word = word_in(words, EOP_COUNT(words), text, size);
    if (word == NULL && (rules == NULL || !rules->nan_is_value)) {
        word = word_in(nans, EOP_COUNT(nans), text, size);
    }
    return word;
}

const char *eop_rules_null(const eop_rules *rules, const char *text, size_t size) {
    trim(&text, &size);
    if (size == 0) {
        return "";
    }
    const char *word = user_null(rules, text, size);
    return word != NULL || size > 8 ? word : usual_null(rules, text, size);
}

static bool is_word(const char *text, size_t size, const char *word) {
    return strlen(word) == size && eop_ascii_equal(text, word, size);
}

static bool not_finite(double *out, const char *text, size_t size) {
    bool sign = size > 0 && (*text == '-' || *text == '+');
    bool negative = sign && *text == '-';
    text += sign;
    size -= sign;
    if (is_word(text, size, "nan")) {
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

/* Bytes of the sign between thousands at text; also the blanks that do not break a line. */
static size_t group_sign(const eop_rules *rules, const char *text, size_t size) {
    if (size > 0 && *text == rules->thousands) {
        return 1;
    }
    if (rules->thousands == ' ' && size >= 3 && memcmp(text, "\xe2\x80\xaf", 3) == 0) {
        return 3;
    }
    return rules->thousands == ' ' && size >= 2 && memcmp(text, "\xc2\xa0", 2) == 0 ? 2 : 0;
}

/* Puts the digits before the fraction; groups have three, the first one to three. Returns the bytes
 * of text that were taken, SIZE_MAX for groups that are none. */
static size_t put_groups(const eop_rules *rules, char *out, size_t *used, const char *text,
                         size_t size) {
    size_t i = 0, run = 0;
    bool grouped = false;
    for (;;) {
        if (i < size && text[i] >= '0' && text[i] <= '9') {
            out[(*used)++] = text[i++];
            run++;
            continue;
        }
        size_t sign = rules->thousands != '\0' ? group_sign(rules, text + i, size - i) : 0;
        if ((sign > 0 || grouped) && (grouped ? run != 3 : run == 0 || run > 3)) {
            return SIZE_MAX;
        }
        if (sign == 0) {
            return i;
        }
        grouped = true;
        run = 0;
        i += sign;
    }
}

/* The number as it would be with a point and without groups; 0: it is none. */
static size_t normalize(const eop_rules *rules, char out[NUMBER_SIZE], const char *text,
                        size_t size) {
    size_t used = 0;
    if (size == 0 || size > NUMBER_SIZE) {
        return 0;
    }
    size_t i = *text == '-' || *text == '+' ? 1 : 0;
    if (i > 0) {
        out[used++] = *text;
    }
    size_t whole = put_groups(rules, out, &used, text + i, size - i);
    if (whole == SIZE_MAX) {
        return 0;
    }
    i += whole;
    if (i < size && text[i] == rules->decimal) {
        out[used++] = '.';
        i++;
    } else if (i < size && text[i] == '.') {
        return 0;
    }
    memcpy(out + used, text + i, size - i);
    return used + size - i;
}

/* A number in a form that cannot be an id: no leading zero, no '+' before bare digits. */
static bool is_number(eop_decimal *d, const char *text, size_t size) {
    return size <= NUMBER_SIZE && eop_decimal_scan(d, text, size) == size && size > 0 &&
           (d->shape & EOP_DECIMAL_LEADING_ZERO) == 0 &&
           !(eop_decimal_is_integer(d) && (d->shape & EOP_DECIMAL_PLUS) != 0);
}

/* A number by the rules; *text may be moved into the buffer. */
static bool read_number(const eop_rules *rules, eop_decimal *d, char buffer[NUMBER_SIZE],
                        const char **text, size_t *size) {
    if (rules != NULL && !rules->is_plain) {
        size_t used = normalize(rules, buffer, *text, *size);
        if (used == 0 || !is_number(d, buffer, used)) {
            return false;
        }
        *text = buffer;
        *size = used;
        return true;
    }
    return is_number(d, *text, *size);
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
static bool to_number(const eop_rules *rules, edgeops_value *out, edgeops_type type,
                      const char *text, size_t size) {
    char buffer[NUMBER_SIZE];
    eop_decimal d;
    edgeops_value value = {.type = EDGEOPS_TYPE_FLOAT64};
    if (read_number(rules, &d, buffer, &text, &size)) {
        if (type != EDGEOPS_TYPE_FLOAT64) {
            return eop_decimal_value(out, type, &d, text, size);
        }
        *out = value;
        return to_double(&out->as.f64, &d, text, size);
    }
    return eop_type_is_float(type) && not_finite(&value.as.f64, text, size) &&
           (!isnan(value.as.f64) || (rules != NULL && rules->nan_is_value)) &&
           eop_value_convert(out, &value, type);
}

edgeops_type eop_rules_type(const eop_rules *rules, const char *text, size_t size) {
    char buffer[NUMBER_SIZE];
    eop_decimal d;
    double real = 0.0;
    int64_t integer = 0;
    trim(&text, &size);
    if (size == 0 || user_null(rules, text, size) != NULL) {
        return EDGEOPS_TYPE_NULL;
    }
    const char *digits = text;
    size_t length = size;
    if (read_number(rules, &d, buffer, &digits, &length)) {
        if (!eop_decimal_is_integer(&d) || (d.digits == 0 && d.negative)) {
            return to_double(&real, &d, digits, length) ? EDGEOPS_TYPE_FLOAT64
                                                        : EDGEOPS_TYPE_STRING;
        }
        return eop_decimal_int64(&integer, &d) ? EDGEOPS_TYPE_INT64 : EDGEOPS_TYPE_STRING;
    }
    if (eop_rules_null(rules, text, size) != NULL) {
        return EDGEOPS_TYPE_NULL;
    }
    if (not_finite(&real, text, size)) {
        return EDGEOPS_TYPE_FLOAT64;
    }
    return is_bool(&integer, text, size) ? EDGEOPS_TYPE_BOOL : EDGEOPS_TYPE_STRING;
}

static bool to_bool(edgeops_value *out, const char *text, size_t size) {
    *out = (edgeops_value){.type = EDGEOPS_TYPE_BOOL};
    if (size == 1 && (*text == '0' || *text == '1')) {
        out->as.i64 = *text - '0';
        return true;
    }
    return is_bool(&out->as.i64, text, size);
}

bool eop_rules_value(const eop_rules *rules, edgeops_value *out, edgeops_type type,
                     const char *text, size_t size) {
    edgeops_value value = {.type = EDGEOPS_TYPE_NULL};
    if (size == 0) {
        *out = value;
        return true;
    }
    if (type == EDGEOPS_TYPE_STRING) {
        if (size <= MAX_STRING) {
            *out = (edgeops_value){.type = type, .as.str = text, .size = (uint32_t)size};
        }
        return size <= MAX_STRING;
    }
    trim(&text, &size);
    bool ok = size == 0 || user_null(rules, text, size) != NULL;
    if (!ok) {
        ok = type == EDGEOPS_TYPE_BOOL ? to_bool(&value, text, size)
                                       : to_number(rules, &value, type, text, size);
    }
    if (!ok && eop_rules_null(rules, text, size) != NULL) {
        value = (edgeops_value){.type = EDGEOPS_TYPE_NULL};
        ok = true;
    }
    if (ok) {
        *out = value;
    }
    return ok;
}

bool eop_rules_array(const eop_rules *rules, edgeops_value *out, void *elements, edgeops_type type,
                     uint32_t length, const char *text, size_t size) {
    /* A comma parts elements, and an array has no nulls. */
    static const eop_rules plain = {.decimal = '.', .nan_is_value = true, .is_plain = true};
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
        if (!to_number(&plain, &element, type, from, used)) {
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
