/* SPDX-License-Identifier: Apache-2.0 */
/* Converts the values of a channel that changes its type; retype_value.h has the rules. */
#include "store/retype_value.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/locale.h"
#include "codec/rules.h"
#include "codec/value.h"

edgeops_status eop_retype_check(edgeops_type from, uint32_t from_length,
                                const eop_retype_rule *rule) {
    char was[EOP_TYPE_TEXT];
    char wanted[EOP_TYPE_TEXT];
    eop_type_text(was, from, from_length);
    if (!eop_type_known((int64_t)rule->type) || !eop_type_has_length(rule->type, rule->length)) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "a channel cannot have this type");
    }
    eop_type_text(wanted, rule->type, rule->length);
    if (from == EDGEOPS_TYPE_BLOB || rule->type == EDGEOPS_TYPE_BLOB) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "%s cannot become %s: blobs stay blobs", was,
                        wanted);
    }
    if (from_length != rule->length) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "%s cannot become %s: the number of elements stays", was, wanted);
    }
    return EDGEOPS_OK;
}

/* Bits, but for NaNs, of which there is one. */
static bool same(const edgeops_value *a, const edgeops_value *b) {
    if (eop_type_is_float(a->type)) {
        double x = eop_value_double(a);
        double y = eop_value_double(b);
        return (isnan(x) && isnan(y)) || memcmp(&x, &y, sizeof x) == 0;
    }
    return a->as.u64 == b->as.u64;
}

static bool convert_number(edgeops_value *out, const edgeops_value *value, edgeops_type type) {
    edgeops_value given = *value;
    edgeops_value back;
    if (given.type == EDGEOPS_TYPE_BOOL) {
        given.type = EDGEOPS_TYPE_INT64;
    }
    bool is_bool = type == EDGEOPS_TYPE_BOOL;
    if (!eop_value_convert(out, &given, is_bool ? EDGEOPS_TYPE_INT64 : type) ||
        (is_bool && (out->as.u64 > 1)) || !eop_value_convert(&back, out, given.type) ||
        !same(&back, &given)) {
        return false;
    }
    out->type = type;
    return true;
}

static bool convert_array(edgeops_value *out, const edgeops_value *value, edgeops_type type,
                          eop_buf *buf) {
    size_t from = eop_type_width(value->type);
    size_t to = eop_type_width(type);
    uint32_t n = eop_value_length(value);
    eop_buf_clear(buf);
    char *at = eop_buf_reserve(buf, n * to);
    for (uint32_t i = 0; at != NULL && i < n; i++) {
        edgeops_value element =
            eop_value_load(value->type, (const char *)value->as.data + i * from);
        if (!convert_number(&element, &element, type)) {
            return false;
        }
        eop_value_save(at + i * to, &element);
    }
    *out = (edgeops_value){.type = type, .size = (uint32_t)(n * to), .as.data = at};
    return true;
}

static bool is_text(const edgeops_value *value, const char *text) {
    return strlen(text) == value->size && memcmp(text, value->as.str, value->size) == 0;
}

static bool becomes_null(const edgeops_value *value, const eop_retype_rule *rule) {
    for (size_t i = 0; i < rule->null_count; i++) {
        if (is_text(value, rule->nulls[i])) {
            return true;
        }
    }
    return false;
}

static eop_retyped convert_text(edgeops_value *out, const edgeops_value *value,
                                const eop_retype_rule *rule, eop_buf *buf) {
    if (becomes_null(value, rule)) {
        *out = (edgeops_value){.type = EDGEOPS_TYPE_NULL};
        return EOP_RETYPED_NULLED;
    }
    bool is_nan = is_text(value, "NaN") && eop_type_is_float(rule->type);
    edgeops_value nan = {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = (double)NAN};
    bool good = is_nan ? eop_value_convert(out, &nan, rule->type)
                       : eop_rules_value(NULL, out, rule->type, value->as.str, value->size);
    if (!good || out->type == EDGEOPS_TYPE_NULL) {
        return EOP_RETYPED_MISFIT;
    }
    eop_buf_clear(buf);
    eop_value_put_text(buf, out);
    return buf->size == value->size && memcmp(buf->data, value->as.str, value->size) == 0
               ? EOP_RETYPED
               : EOP_RETYPED_RESPELLED;
}

eop_retyped eop_retype_value(edgeops_value *out, const edgeops_value *value,
                             const eop_retype_rule *rule, eop_buf *buf) {
    if (value->type == EDGEOPS_TYPE_NULL || value->type == rule->type) {
        *out = *value;
        return EOP_RETYPED;
    }
    if (eop_value_is_array(value)) {
        return convert_array(out, value, rule->type, buf) ? EOP_RETYPED : EOP_RETYPED_MISFIT;
    }
    if (value->type == EDGEOPS_TYPE_STRING) {
        return convert_text(out, value, rule, buf);
    }
    if (rule->type == EDGEOPS_TYPE_STRING) {
        eop_buf_clear(buf);
        eop_value_put_text(buf, value);
        *out = (edgeops_value){
            .type = EDGEOPS_TYPE_STRING, .size = (uint32_t)buf->size, .as.str = buf->data};
        return EOP_RETYPED;
    }
    return convert_number(out, value, rule->type) ? EOP_RETYPED : EOP_RETYPED_MISFIT;
}

void eop_retype_explain(char out[EOP_MISFIT_TEXT], const edgeops_value *value,
                        const eop_retype_rule *rule) {
    char wanted[EOP_TYPE_TEXT];
    char text[EOP_VALUE_TEXT];
    eop_type_text(wanted, rule->type, rule->length);
    if (eop_value_is_array(value)) {
        eop_snprintf(out, EOP_MISFIT_TEXT, "an array has an element that is not exactly a %s",
                     eop_type_name(rule->type));
    } else if (value->type != EDGEOPS_TYPE_STRING) {
        eop_value_format(text, value);
        eop_snprintf(out, EOP_MISFIT_TEXT, "%s is not exactly %s %s", text,
                     eop_type_article(rule->type), wanted);
    } else {
        int shown = (int)eop_utf8_valid(value->as.str, value->size < 60 ? value->size : 60);
        bool is_null = eop_rules_null(NULL, value->as.str, value->size) != NULL;
        eop_snprintf(out, EOP_MISFIT_TEXT, "'%.*s'%s is not %s %s%s", shown, value->as.str,
                     (size_t)shown < value->size ? "..." : "", eop_type_article(rule->type), wanted,
                     is_null ? "; name it as a text that becomes null (--null), if it means none"
                             : "");
    }
}
