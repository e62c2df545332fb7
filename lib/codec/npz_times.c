/* SPDX-License-Identifier: Apache-2.0 */
/* Times of arrays, a batch at a time. The unit of whole numbers is decided by the first row and said
 * in the report: one array has one unit. */
#include "codec/npz_times.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/type.h"

#define YEAR_1980 INT64_C(315532800000000000)
#define YEAR_2100 INT64_C(4102444800000000000)

edgeops_status eop_npz_refuse(const eop_npz_bad *bad, size_t row, const char *array,
                              const char *reason, const char *text) {
    uint64_t number = bad->at + row + 1;
    size_t size = text != NULL ? strlen(text) : 0;
    if (bad->rows == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "codec",
                        "%s: row %llu of array '%s' %s%s%s; to leave it out: bad_rows skip",
                        bad->what, (unsigned long long)number, array, reason,
                        text != NULL ? ": " : "", text != NULL ? text : "");
    }
    if (bad->rows[row] == 0) {
        bad->rows[row] = 1;
        eop_report_bad(bad->report, number, array, reason, text, size);
        if (bad->on_bad != NULL) {
            bad->on_bad(number, array, reason, text, size, bad->user_data);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status no_time(const eop_npz_times *t, size_t row, const char *text) {
    return eop_npz_refuse(t->bad, row, t->name, "has no time from 1677 to 2262", text);
}

/* The time of a row that is good so far. */
static void see_time(const eop_npz_times *t, size_t row, edgeops_time time,
                     const eop_time_seen *seen) {
    if (!eop_npz_is_bad(t->bad, row)) {
        eop_report_time(t->report, time, seen);
    }
}

edgeops_status eop_npz_times_check(const eop_npz_times *t, const eop_npy_field *field) {
    const eop_npy_element *e = &field->element;
    const char *why = NULL;
    if (field->length != 1) {
        why = "has more than one element a row, a time is one";
    } else if (e->type == EDGEOPS_TYPE_FLOAT32) {
        why = "has no times: float16 and float32 cannot hold them, save float64, int64 or "
              "datetime64";
    } else if (e->type == EDGEOPS_TYPE_BOOL || e->span) {
        why = "is not int64, float64, datetime64 or text: it has no times";
    }
    return why == NULL
               ? EDGEOPS_OK
               : eop_fail(EDGEOPS_E_INVALID, "codec", "%s: array '%s' %s", t->what, t->name, why);
}

static bool by_unit(edgeops_time *out, const edgeops_value *value, eop_time_unit unit) {
    bool is_unsigned = eop_type_is_unsigned(value->type);
    bool negative = !is_unsigned && value->as.i64 < 0;
    uint64_t digits = is_unsigned ? value->as.u64
                      : negative  ? (uint64_t)0 - (uint64_t)value->as.i64
                                  : (uint64_t)value->as.i64;
    eop_decimal decimal = {.digits = digits, .negative = negative};
    return eop_decimal_time(out, &decimal, unit);
}

static bool is_usual(edgeops_time time) {
    return time >= YEAR_1980 && time < YEAR_2100;
}

static bool is_compact(const eop_npz_times *t, const edgeops_value *value) {
    char text[EOP_VALUE_TEXT];
    eop_time_seen seen;
    edgeops_time time = 0;
    return eop_time_text(&time, &seen, t->rules, text, eop_value_format(text, value)) &&
           seen.form == EOP_TIME_COMPACT;
}

/* The unit of whole numbers, by the first of them. */
static void find_unit(eop_npz_times *t, const edgeops_value *value) {
    static const char *const names[] = {"", "s", "ms", "us", "ns"};
    edgeops_time time = 0;
    t->unit = EOP_UNIT_NS;
    bool usual = by_unit(&time, value, EOP_UNIT_NS) && is_usual(time);
    for (int unit = EOP_UNIT_S; !t->ns && !usual && unit < EOP_UNIT_NS; unit++) {
        if (by_unit(&time, value, (eop_time_unit)unit) && is_usual(time)) {
            t->unit = (eop_time_unit)unit;
            usual = true;
        }
    }
    t->compact = !t->ns && !usual && is_compact(t, value);
    if (t->compact) {
        eop_report_note(t->report, "the whole numbers of array '%s' are taken as dates", t->name);
    } else if (!t->ns) {
        eop_report_note(
            t->report,
            "the whole numbers of array '%s' are taken as %s since 1970; --time-unit for "
            "another",
            t->name, names[t->unit]);
    }
}

static bool number_time(edgeops_time *out, eop_time_seen *seen, eop_npz_times *t,
                        const edgeops_value *value, char text[EOP_VALUE_TEXT]) {
    size_t size = eop_value_format(text, value);
    bool by_text = t->given || value->type == EDGEOPS_TYPE_FLOAT64;
    if (!by_text && t->unit == EOP_UNIT_GUESS) {
        find_unit(t, value);
    }
    if (by_text || t->compact) {
        return eop_time_text(out, seen, t->rules, text, size);
    }
    seen->unit = t->unit;
    return by_unit(out, value, t->unit);
}

static edgeops_status take_numbers(edgeops_time *out, eop_npz_times *t, const eop_npz_source *s,
                                   const eop_npy_field *field, size_t n) {
    edgeops_type type = field->element.type;
    size_t width = eop_type_width(type);
    edgeops_status status = EDGEOPS_OK;
    char *values = eop_realloc_array(NULL, n, width);
    if (values == NULL) {
        return eop_fail_nomem("codec");
    }
    eop_npz_source_take(values, s, field, 0, 1, n);
    for (size_t i = 0; i < n && status == EDGEOPS_OK; i++) {
        char text[EOP_VALUE_TEXT];
        eop_time_seen seen = {.form = EOP_TIME_NUMBER, .unit = EOP_UNIT_NS, .zoned = true};
        edgeops_value value = eop_value_load(type, values + i * width);
        if (!number_time(&out[i], &seen, t, &value, text)) {
            out[i] = 0;
            status = no_time(t, i, text);
        } else {
            see_time(t, i, out[i], &seen);
        }
    }
    eop_free(values);
    return status;
}

static edgeops_status take_counts(edgeops_time *out, const eop_npz_times *t,
                                  const eop_npz_source *s, const eop_npy_field *field, size_t n) {
    const eop_time_seen seen = {.form = EOP_TIME_NUMBER, .unit = EOP_UNIT_NS, .zoned = true};
    edgeops_status status = EDGEOPS_OK;
    eop_npz_source_take(out, s, field, 0, 1, n);
    for (size_t i = 0; i < n && status == EDGEOPS_OK; i++) {
        bool is_nat = out[i] == INT64_MIN;
        if (is_nat || !eop_npy_time(&out[i], &field->element, out[i])) {
            out[i] = 0;
            status = no_time(t, i, is_nat ? "NaT" : "it is beyond");
        } else {
            see_time(t, i, out[i], &seen);
        }
    }
    return status;
}

static edgeops_status take_texts(edgeops_time *out, const eop_npz_times *t, const eop_npz_source *s,
                                 const eop_npy_field *field, size_t n) {
    eop_buf text = {0};
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; i < n && status == EDGEOPS_OK; i++) {
        eop_time_seen seen;
        eop_buf_clear(&text);
        bool read = eop_npz_source_text(&text, s, field, 0, i);
        eop_buf_put(&text, "", 1);
        if (text.failed) {
            status = eop_fail_nomem("codec");
        } else if (!read || !eop_time_text(&out[i], &seen, t->rules, text.data, text.size - 1)) {
            char shown[80];
            size_t size = text.size - 1 < 60 ? text.size - 1 : 60;
            shown[0] = '\'';
            memcpy(shown + 1, text.data, size);
            memcpy(shown + 1 + size, "'", 2);
            out[i] = 0;
            status = no_time(t, i, shown);
        } else {
            see_time(t, i, out[i], &seen);
        }
    }
    eop_buf_dispose(&text);
    return status;
}

edgeops_status eop_npz_times_take(edgeops_time *out, eop_npz_times *t, const eop_npz_source *s,
                                  const eop_npy_field *field, size_t n) {
    if (field->element.time) {
        return take_counts(out, t, s, field, n);
    }
    return field->element.type == EDGEOPS_TYPE_STRING ? take_texts(out, t, s, field, n)
                                                      : take_numbers(out, t, s, field, n);
}
