/* SPDX-License-Identifier: Apache-2.0 */
/* A table that grows at its end and forgets at its front. Memory is moved to the front before it
 * grows, so a live window takes constant memory. An append reserves all it needs first: it
 * happens as a whole or not at all. */
#include "runtime/rows.h"

#include <string.h>

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "codec/wire.h"

typedef struct column {
    edgeops_type type;
    size_t row_bytes;
    union {
        void *any;
        char *bytes;
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
        uint32_t length = inputs[i].length > 1 ? inputs[i].length : 1;
        rows->columns[i].type = inputs[i].type;
        rows->columns[i].row_bytes = inputs[i].type == EDGEOPS_TYPE_STRING
                                         ? sizeof(uint32_t)
                                         : eop_type_width(inputs[i].type) * length;
        rows->view_columns[i].type = inputs[i].type;
        rows->view_columns[i].length = length;
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
        void *data = c->data.bytes + start * c->row_bytes;
        if (c->type == EDGEOPS_TYPE_STRING) {
            v->offsets = data;
            v->bytes = c->bytes;
        } else {
            v->data = data;
            v->f64 = c->type == EDGEOPS_TYPE_FLOAT64 && v->length == 1 ? data : NULL;
            v->i64 = c->type == EDGEOPS_TYPE_INT64 && v->length == 1 ? data : NULL;
            v->u8 = c->type == EDGEOPS_TYPE_BOOL ? data : NULL;
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
            memmove(c->data.bytes, c->data.bytes + start * c->row_bytes, n * c->row_bytes);
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
        if (!resize(&c->data.any, capacity + extra, c->row_bytes) ||
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
        const edgeops_column *input = &rows->view_columns[i];
        bool fits = eop_wire_fits(c, input->type) && eop_column_length(c) == input->length;
        if (!fits && !nothing_but_nulls(c, table->rows)) {
            char has[EOP_TYPE_TEXT];
            char wants[EOP_TYPE_TEXT];
            return eop_fail(EDGEOPS_E_INVALID, "runtime",
                            "channel '%s' of '%s' is %s, but the workflow's input is %s", name,
                            table->asset != NULL ? table->asset : "",
                            eop_type_text(has, c->type, c->length),
                            eop_type_text(wants, input->type, input->length));
        }
        map[i] = at;
    }
    return EDGEOPS_OK;
}

void eop_rows_load(edgeops_value *values, const eop_rows *rows, const edgeops_table *table,
                   const size_t *map, uint64_t row) {
    for (size_t i = 0; i < rows->column_count; i++) {
        values[i] = eop_column_widen(&table->columns[map[i]], row, rows->columns[i].type);
    }
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
    if (c->type == EDGEOPS_TYPE_STRING) {
        if (!null && value->size > 0) {
            memcpy(c->bytes + c->bytes_size, value->as.str, value->size);
            c->bytes_size += value->size;
        }
        c->data.offsets[row + 1] = (uint32_t)c->bytes_size;
        return;
    }
    char *place = c->data.bytes + row * c->row_bytes;
    if (null) {
        eop_null_fill(place, c->type, view->length);
    } else if (value->size > 0) {
        memcpy(place, value->as.data, c->row_bytes);
    } else {
        eop_value_save(place, value);
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
                eop_column_widen(&table->columns[map[i]], row, EDGEOPS_TYPE_STRING);
            status = reserve_text(&rows->columns[i], &value);
        }
    }
    if (status < 0) {
        return status;
    }
    for (size_t i = 0; i < rows->column_count; i++) {
        edgeops_value value = eop_column_widen(&table->columns[map[i]], row, rows->columns[i].type);
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
