/* SPDX-License-Identifier: Apache-2.0 */
/* The last look at what goes to a worker: a wrong column would give a wrong prediction in silence.
 * No state, any thread. */
#include "runtime/lane_window.h"

#include <math.h>
#include <string.h>

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "base/type.h"

static edgeops_status check_texts(const edgeops_column *c, uint64_t first, uint64_t rows) {
    for (uint64_t row = first; row < first + rows; row++) {
        uint32_t at = c->offsets[row];
        uint32_t end = c->offsets[row + 1];
        if (end < at || (end > at && c->bytes == NULL)) {
            return eop_fail(EDGEOPS_E_INVALID, "runtime",
                            "the offsets of column '%s' do not ascend at row %llu", c->name,
                            (unsigned long long)row);
        }
        if (end > at && eop_utf8_valid(c->bytes + at, end - at) != end - at) {
            return eop_fail(EDGEOPS_E_INVALID, "runtime", "column '%s' is not UTF-8 in row %llu",
                            c->name, (unsigned long long)row);
        }
    }
    return EDGEOPS_OK;
}

static edgeops_status check_column(const edgeops_manifest *m, size_t i, const edgeops_column *c,
                                   uint64_t first, uint64_t rows) {
    const edgeops_port *input = &m->inputs[i];
    uint32_t length = input->length > 1 ? input->length : 1;
    char has[EOP_TYPE_TEXT];
    char wants[EOP_TYPE_TEXT];

    if (c->name == NULL || strcmp(c->name, input->name) != 0) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "column %zu of a window is '%s', but input %zu of '%s' is '%s': give the "
                        "columns in the manifest's order",
                        i + 1, c->name != NULL ? c->name : "", i + 1, m->name, input->name);
    }
    if (c->type != input->type || eop_column_length(c) != length) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "column '%s' of a window is %s, but the input of '%s' is %s", c->name,
                        eop_type_text(has, c->type, eop_column_length(c)), m->name,
                        eop_type_text(wants, input->type, length));
    }
    if (c->type == EDGEOPS_TYPE_STRING ? c->offsets == NULL : eop_column_data(c) == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime", "column '%s' of a window has no values",
                        c->name);
    }
    return c->type == EDGEOPS_TYPE_STRING ? check_texts(c, first, rows) : EDGEOPS_OK;
}

static edgeops_status fail_time(uint64_t row) {
    return eop_fail(EDGEOPS_E_INVALID, "runtime",
                    "the times of a window must ascend, but that of row %llu is not after the one "
                    "before it",
                    (unsigned long long)row);
}

static edgeops_status check_times(const edgeops_table *table, uint64_t first, uint64_t rows) {
    const edgeops_time *times = table->times;
    if (times == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime", "a window needs the times of its rows");
    }
    for (uint64_t row = first + 1; row < first + rows; row++) {
        bool same = times[row] == times[row - 1];
        if (times[row] < times[row - 1] ||
            (same && (table->seqs == NULL || table->seqs[row] <= table->seqs[row - 1]))) {
            return fail_time(row);
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_window_check(const edgeops_manifest *m, const edgeops_table *table,
                                uint64_t first, uint64_t rows) {
    if (rows != m->window.rows || first > table->rows || rows > table->rows - first) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "a window of '%s' has %u rows; these are rows %llu to %llu of a table of "
                        "%llu",
                        m->name, m->window.rows, (unsigned long long)first,
                        (unsigned long long)(first + rows), (unsigned long long)table->rows);
    }
    if (table->parts != NULL || table->reserved[0] != NULL || table->reserved[1] != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime",
                        "parts and reserved members of a table are NULL in a window");
    }
    if (table->column_count > 0 && table->columns == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime", "a window needs its columns");
    }
    if (table->column_count != m->input_count) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime", "a window of '%s' has %zu columns, not %zu",
                        m->name, m->input_count, table->column_count);
    }
    edgeops_status status = check_times(table, first, rows);
    for (size_t i = 0; status == EDGEOPS_OK && i < m->input_count; i++) {
        status = check_column(m, i, &table->columns[i], first, rows);
    }
    return status;
}

/* -- arrays of numbers -- */

edgeops_status eop_arrays_check(const edgeops_manifest *m, const double *values,
                                const edgeops_time *times, uint64_t rows) {
    for (size_t i = 0; i < m->input_count; i++) {
        const edgeops_port *input = &m->inputs[i];
        bool number = input->type == EDGEOPS_TYPE_BOOL || eop_type_is_numeric(input->type);
        if (!number || input->length > 1) {
            char text[EOP_TYPE_TEXT];
            return eop_fail(EDGEOPS_E_INVALID, "runtime",
                            "input '%s' of '%s' is %s, which is not one number: give a table to "
                            "edgeops_lane_submit()",
                            input->name, m->name, eop_type_text(text, input->type, input->length));
        }
    }
    if (rows > 0 && (values == NULL || times == NULL)) {
        return eop_fail(EDGEOPS_E_INVALID, "runtime", "a window needs %s of its rows",
                        values == NULL ? "the values" : "the times");
    }
    for (uint64_t row = 1; row < rows; row++) {
        if (times[row] <= times[row - 1]) {
            return fail_time(row);
        }
    }
    return EDGEOPS_OK;
}

/* NaN is a null, but for float64, which has it, unless nulls are filled. */
static bool convert(edgeops_value *out, double number, edgeops_type type, edgeops_missing missing) {
    const edgeops_value value = {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = number};
    bool has_nan = type == EDGEOPS_TYPE_FLOAT64 && missing == EDGEOPS_MISSING_NULL;
    if (isnan(number) && !has_nan) {
        *out = (edgeops_value){.type = EDGEOPS_TYPE_NULL};
        return true;
    }
    if (type == EDGEOPS_TYPE_FLOAT64) {
        *out = value;
        return true;
    }
    if (type == EDGEOPS_TYPE_BOOL) {
        *out = (edgeops_value){.type = type, .as.i64 = number != 0};
        return number == 0 || number == 1;
    }
    return eop_value_convert(out, &value, type);
}

static edgeops_status append_row(eop_rows *out, const edgeops_manifest *m, edgeops_value *row,
                                 const double *values, edgeops_time time, uint64_t number) {
    const eop_row_note note = {.label = -1, .history = number + 1};
    for (size_t i = 0; i < m->input_count; i++) {
        if (!convert(&row[i], values[i], m->inputs[i].type, m->window.missing)) {
            return eop_fail(EDGEOPS_E_INVALID, "runtime",
                            "row %llu has %.17g for input '%s', which is of type %s",
                            (unsigned long long)number, values[i], m->inputs[i].name,
                            eop_type_name(m->inputs[i].type));
        }
    }
    return eop_rows_append_values(out, time, 0, number + 1, row, note);
}

edgeops_status eop_arrays_append(eop_rows *out, const edgeops_manifest *m, const double *values,
                                 const edgeops_time *times, uint64_t first, uint64_t n) {
    edgeops_value *row = eop_calloc(m->input_count, sizeof *row);
    edgeops_status status = row != NULL ? EDGEOPS_OK : eop_fail_nomem("runtime");
    for (uint64_t i = first; status == EDGEOPS_OK && i < first + n; i++) {
        status = append_row(out, m, row, values + i * m->input_count, times[i], i);
    }
    eop_free(row);
    return status;
}
