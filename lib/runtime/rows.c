/* SPDX-License-Identifier: Apache-2.0 */
#include "runtime/rows.h"

#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/wire.h"

typedef struct column {
    edgeops_type type;
    union {
        void *any;
        double *f64;
        int64_t *i64;
        uint8_t *u8;
        uint32_t *offsets; /* one more than rows */
    } data;
    uint8_t *valid;
    char *bytes;
    size_t bytes_capacity;
    size_t bytes_size;
} column;

struct eop_rows {
    size_t column_count;
    column *columns;
    size_t capacity;
    size_t start; /* rows before it are forgotten */
    size_t end;
    edgeops_time *times;
    int64_t *seqs;
    uint64_t *ordinals;
    eop_row_note *notes;
    edgeops_column *view_columns;
    edgeops_table view;
};

static size_t width_of(edgeops_type type) {
    return type == EDGEOPS_TYPE_BOOL ? 1 : type == EDGEOPS_TYPE_STRING ? 4 : 8;
}

edgeops_status eop_rows_new(eop_rows **out, const edgeops_port *inputs, size_t count) {
    *out = NULL;
    eop_rows *rows = eop_calloc(1, sizeof *rows);
    if (rows == NULL) {
        return eop_fail_nomem("runtime");
    }
    rows->columns = eop_calloc(count, sizeof *rows->columns);
    rows->view_columns = eop_calloc(count, sizeof *rows->view_columns);
    if (rows->columns == NULL || rows->view_columns == NULL) {
        eop_rows_free(rows);
        return eop_fail_nomem("runtime");
    }
    rows->column_count = count;
    for (size_t i = 0; i < count; i++) {
        char *name = eop_strdup(inputs[i].name);
        char *unit = eop_strdup(inputs[i].unit != NULL ? inputs[i].unit : "");
        rows->columns[i].type = inputs[i].type;
        rows->view_columns[i].type = inputs[i].type;
        rows->view_columns[i].name = name;
        rows->view_columns[i].unit = unit;
        if (name == NULL || unit == NULL) {
            eop_rows_free(rows);
            return eop_fail_nomem("runtime");
        }
    }
    rows->view.asset = "";
    rows->view.column_count = count;
    rows->view.columns = rows->view_columns;
    *out = rows;
    return EDGEOPS_OK;
}

/* The view's names are owned, though the public struct says const. */
static void free_text(const char *text) {
    union {
        const char *in;
        char *out;
    } cast = {.in = text};
    eop_free(cast.out);
}

void eop_rows_free(eop_rows *rows) {
    if (rows == NULL) {
        return;
    }
    for (size_t i = 0; i < rows->column_count; i++) {
        eop_free(rows->columns[i].data.any);
        eop_free(rows->columns[i].valid);
        eop_free(rows->columns[i].bytes);
        free_text(rows->view_columns[i].name);
        free_text(rows->view_columns[i].unit);
    }
    eop_free(rows->columns);
    eop_free(rows->view_columns);
    eop_free(rows->times);
    eop_free(rows->seqs);
    eop_free(rows->ordinals);
    eop_free(rows->notes);
    eop_free(rows);
}

const edgeops_table *eop_rows_table(const eop_rows *rows) {
    return &rows->view;
}

uint64_t eop_rows_count(const eop_rows *rows) {
    return rows->end - rows->start;
}

const eop_row_note *eop_rows_note(const eop_rows *rows, uint64_t row) {
    return &rows->notes[rows->start + row];
}

static void refresh(eop_rows *rows) {
    size_t start = rows->start;

    rows->view.rows = rows->end - start;
    rows->view.times = rows->times + start;
    rows->view.seqs = rows->seqs + start;
    rows->view.ordinals = rows->ordinals + start;
    for (size_t i = 0; i < rows->column_count; i++) {
        const column *c = &rows->columns[i];
        edgeops_column *v = &rows->view_columns[i];
        switch (c->type) {
        case EDGEOPS_TYPE_INT64:
            v->i64 = c->data.i64 + start;
            break;
        case EDGEOPS_TYPE_BOOL:
            v->u8 = c->data.u8 + start;
            break;
        case EDGEOPS_TYPE_STRING:
            v->offsets = c->data.offsets + start;
            v->bytes = c->bytes;
            break;
        case EDGEOPS_TYPE_NULL:
        case EDGEOPS_TYPE_FLOAT64:
        default:
            v->f64 = c->data.f64 + start;
            break;
        }
        v->valid = v->nulls > 0 ? c->valid + start : NULL;
    }
}

/* Moves the rows to the front of their memory. */
static void compact(eop_rows *rows) {
    size_t n = rows->end - rows->start;
    size_t start = rows->start;

    if (start == 0) {
        return;
    }
    memmove(rows->times, rows->times + start, n * sizeof *rows->times);
    memmove(rows->seqs, rows->seqs + start, n * sizeof *rows->seqs);
    memmove(rows->ordinals, rows->ordinals + start, n * sizeof *rows->ordinals);
    memmove(rows->notes, rows->notes + start, n * sizeof *rows->notes);
    for (size_t i = 0; i < rows->column_count; i++) {
        column *c = &rows->columns[i];
        memmove(c->valid, c->valid + start, n);
        if (c->type == EDGEOPS_TYPE_STRING) {
            uint32_t base = c->data.offsets[start];
            if (base > 0) {
                memmove(c->bytes, c->bytes + base, c->bytes_size - base);
                c->bytes_size -= base;
            }
            for (size_t r = 0; r <= n; r++) {
                c->data.offsets[r] = c->data.offsets[start + r] - base;
            }
        } else {
            size_t width = width_of(c->type);
            char *data = c->data.any;
            memmove(data, data + start * width, n * width);
        }
    }
    rows->start = 0;
    rows->end = n;
}

static bool resize(void *array_pointer, size_t count, size_t size) {
    void **array = array_pointer;
    void *grown = eop_realloc_array(*array, count, size);
    if (grown == NULL) {
        return false;
    }
    *array = grown;
    return true;
}

static edgeops_status grow(eop_rows *rows) {
    if (rows->end < rows->capacity) {
        return EDGEOPS_OK;
    }
    if (rows->start >= rows->capacity - rows->start && rows->start > 0) {
        compact(rows); /* at least half is free again: amortized O(1) a row */
        return EDGEOPS_OK;
    }
    size_t capacity = rows->capacity == 0 ? 64 : rows->capacity * 2;
    if (capacity > (SIZE_MAX >> 8)) {
        return eop_fail(EDGEOPS_E_LIMIT, "runtime", "too many rows");
    }
    if (!resize(&rows->times, capacity, sizeof *rows->times) ||
        !resize(&rows->seqs, capacity, sizeof *rows->seqs) ||
        !resize(&rows->ordinals, capacity, sizeof *rows->ordinals) ||
        !resize(&rows->notes, capacity, sizeof *rows->notes)) {
        return eop_fail_nomem("runtime");
    }
    for (size_t i = 0; i < rows->column_count; i++) {
        column *c = &rows->columns[i];
        size_t extra = c->type == EDGEOPS_TYPE_STRING ? 1 : 0;
        bool fresh = c->data.any == NULL;
        if (!resize(&c->data.any, capacity + extra, width_of(c->type)) ||
            !resize(&c->valid, capacity, 1)) {
            return eop_fail_nomem("runtime");
        }
        if (fresh && c->type == EDGEOPS_TYPE_STRING) {
            c->data.offsets[0] = 0;
        }
    }
    rows->capacity = capacity;
    return EDGEOPS_OK;
}

static bool nothing_but_nulls(const edgeops_column *c, uint64_t rows) {
    if (c->valid == NULL) {
        return rows == 0;
    }
    for (uint64_t r = 0; r < rows; r++) {
        if (c->valid[r] != 0) {
            return false;
        }
    }
    return true;
}

static const char *type_name(edgeops_type type) {
    static const char *const names[] = {"null", "float64", "int64", "bool", "string"};
    return (size_t)type < EOP_COUNT(names) ? names[type] : "?";
}

edgeops_status eop_rows_map(size_t *map, const eop_rows *rows, const edgeops_table *table) {
    for (size_t i = 0; i < rows->column_count; i++) {
        const char *name = rows->view_columns[i].name;
        size_t at = i; /* the usual place */
        if (at >= table->column_count || strcmp(table->columns[at].name, name) != 0) {
            for (at = 0; at < table->column_count; at++) {
                if (strcmp(table->columns[at].name, name) == 0) {
                    break;
                }
            }
        }
        if (at == table->column_count) {
            return eop_fail(EDGEOPS_E_INVALID, "runtime",
                            "'%s' has no channel '%s', which the workflow needs as an input",
                            table->asset != NULL ? table->asset : "", name);
        }
        const edgeops_column *c = &table->columns[at];
        if (!eop_wire_fits(c, rows->columns[i].type) && !nothing_but_nulls(c, table->rows)) {
            return eop_fail(EDGEOPS_E_INVALID, "runtime",
                            "channel '%s' of '%s' is %s, but the workflow's input is %s", name,
                            table->asset != NULL ? table->asset : "", type_name(c->type),
                            type_name(rows->columns[i].type));
        }
        map[i] = at;
    }
    return EDGEOPS_OK;
}

edgeops_value eop_column_value(const edgeops_column *c, uint64_t row, edgeops_type type) {
    edgeops_value value = {.type = EDGEOPS_TYPE_NULL};

    if ((c->valid != NULL && c->valid[row] == 0) || !eop_wire_fits(c, type)) {
        return value;
    }
    value.type = type;
    switch (type) {
    case EDGEOPS_TYPE_FLOAT64:
        value.as.f64 = c->type == EDGEOPS_TYPE_FLOAT64 ? c->f64[row]
                       : c->type == EDGEOPS_TYPE_INT64 ? (double)c->i64[row]
                                                       : (double)(c->u8[row] != 0);
        break;
    case EDGEOPS_TYPE_INT64:
        value.as.i64 = c->type == EDGEOPS_TYPE_INT64 ? c->i64[row] : c->u8[row] != 0;
        break;
    case EDGEOPS_TYPE_BOOL:
        value.as.i64 = c->u8[row] != 0;
        break;
    case EDGEOPS_TYPE_STRING:
        value.as.str = c->bytes + c->offsets[row];
        value.size = c->offsets[row + 1] - c->offsets[row];
        break;
    case EDGEOPS_TYPE_NULL:
    default:
        value.type = EDGEOPS_TYPE_NULL;
        break;
    }
    return value;
}

/* Makes room for a text, so that storing it cannot fail. */
static edgeops_status reserve_text(column *c, const edgeops_value *value) {
    if (c->type != EDGEOPS_TYPE_STRING || value->type != EDGEOPS_TYPE_STRING) {
        return EDGEOPS_OK;
    }
    if (c->bytes_size + (uint64_t)value->size > UINT32_MAX) {
        return eop_fail(EDGEOPS_E_LIMIT, "runtime", "the texts of a window take over 4 GiB");
    }
    if (!eop_grow(&c->bytes, &c->bytes_capacity, c->bytes_size + value->size + 1, 1)) {
        return eop_fail_nomem("runtime");
    }
    return EDGEOPS_OK;
}

static void store(column *c, edgeops_column *view, size_t row, const edgeops_value *value) {
    bool null = value->type == EDGEOPS_TYPE_NULL;

    c->valid[row] = !null;
    view->nulls += null;
    switch (c->type) {
    case EDGEOPS_TYPE_INT64:
        c->data.i64[row] = null ? 0 : value->as.i64;
        break;
    case EDGEOPS_TYPE_BOOL:
        c->data.u8[row] = !null && value->as.i64 != 0;
        break;
    case EDGEOPS_TYPE_STRING:
        if (!null && value->size > 0) {
            memcpy(c->bytes + c->bytes_size, value->as.str, value->size);
            c->bytes_size += value->size;
        }
        c->data.offsets[row + 1] = (uint32_t)c->bytes_size;
        break;
    case EDGEOPS_TYPE_NULL:
    case EDGEOPS_TYPE_FLOAT64:
    default:
        c->data.f64[row] = null ? NAN : value->as.f64;
        break;
    }
}

static void finish(eop_rows *rows, edgeops_time time, int64_t seq, uint64_t ordinal,
                   eop_row_note note) {
    size_t row = rows->end++;

    rows->times[row] = time;
    rows->seqs[row] = seq;
    rows->ordinals[row] = ordinal;
    rows->notes[row] = note;
    refresh(rows);
}

edgeops_status eop_rows_append(eop_rows *rows, const edgeops_table *table, const size_t *map,
                               uint64_t row, eop_row_note note) {
    edgeops_status status = grow(rows);

    for (size_t i = 0; status == EDGEOPS_OK && i < rows->column_count; i++) {
        if (rows->columns[i].type == EDGEOPS_TYPE_STRING) {
            edgeops_value value =
                eop_column_value(&table->columns[map[i]], row, EDGEOPS_TYPE_STRING);
            status = reserve_text(&rows->columns[i], &value);
        }
    }
    if (status < 0) {
        return status;
    }
    for (size_t i = 0; i < rows->column_count; i++) {
        edgeops_value value = eop_column_value(&table->columns[map[i]], row, rows->columns[i].type);
        store(&rows->columns[i], &rows->view_columns[i], rows->end, &value);
    }
    finish(rows, table->times[row], table->seqs != NULL ? table->seqs[row] : 0,
           table->ordinals != NULL ? table->ordinals[row] : 0, note);
    return EDGEOPS_OK;
}

edgeops_status eop_rows_append_values(eop_rows *rows, edgeops_time time, int64_t seq,
                                      uint64_t ordinal, const edgeops_value *values,
                                      eop_row_note note) {
    edgeops_status status = grow(rows);

    for (size_t i = 0; status == EDGEOPS_OK && i < rows->column_count; i++) {
        status = reserve_text(&rows->columns[i], &values[i]);
    }
    if (status < 0) {
        return status;
    }
    for (size_t i = 0; i < rows->column_count; i++) {
        store(&rows->columns[i], &rows->view_columns[i], rows->end, &values[i]);
    }
    finish(rows, time, seq, ordinal, note);
    return EDGEOPS_OK;
}

void eop_rows_drop(eop_rows *rows, uint64_t n) {
    for (size_t i = 0; i < rows->column_count; i++) {
        edgeops_column *v = &rows->view_columns[i];
        for (uint64_t r = 0; r < n && v->nulls > 0; r++) {
            v->nulls -= rows->columns[i].valid[rows->start + r] == 0;
        }
    }
    rows->start += n;
    if (rows->start == rows->end) {
        rows->start = 0;
        rows->end = 0;
        for (size_t i = 0; i < rows->column_count; i++) {
            rows->columns[i].bytes_size = 0;
        }
    }
    if (rows->times != NULL) {
        refresh(rows);
    }
}
