/* SPDX-License-Identifier: Apache-2.0 */
/* Builds and reads the messages between host and worker. Every size and offset that is read is
 * checked before it is used: the other end runs foreign code. */
#include "codec/wire.h"

#include <math.h>
#include <string.h>

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"

_Static_assert(sizeof(eop_wire_head) == 16, "a block after the head must be aligned to 8");
_Static_assert(sizeof(eop_wire_block) == 16, "layout");
_Static_assert(sizeof(eop_wire_extra) == 40, "layout");
_Static_assert(sizeof(eop_wire_dataset) == 72, "layout");

/* One value of an answer; a string's bits are its offset in the tail. */
typedef struct wire_value {
    uint32_t type;
    uint32_t size;
    uint64_t bits;
} wire_value;
_Static_assert(sizeof(wire_value) == 16, "layout");

static edgeops_status broken(const char *what) {
    return eop_fail(EDGEOPS_E_PROTOCOL, "wire", "malformed message: %s", what);
}

static void put_head(eop_buf *buf, eop_wire_kind kind, uint64_t id, int32_t code) {
    eop_wire_head head = {.kind = (uint8_t)kind, .code = code, .id = id};
    eop_buf_put(buf, &head, sizeof head);
}

edgeops_status eop_wire_open(eop_wire_head *head, const char **body, size_t *body_size,
                             const char *data, size_t size) {
    if (size < sizeof *head) {
        return broken("no head");
    }
    memcpy(head, data, sizeof *head);
    if (head->reserved != 0) {
        return broken("reserved bits are set");
    }
    *body = data + sizeof *head;
    *body_size = size - sizeof *head;
    return EDGEOPS_OK;
}

void eop_wire_put_text(eop_buf *buf, eop_wire_kind kind, uint64_t id, int32_t code,
                       const char *text, size_t size) {
    put_head(buf, kind, id, code);
    if (size > 0) {
        eop_buf_put(buf, text, size);
    }
}

void eop_wire_put_answer(eop_buf *buf, uint64_t id, const edgeops_value *values, size_t count) {
    uint64_t tail = 0;

    put_head(buf, EOP_WIRE_ANSWER, id, (int32_t)count);
    for (size_t i = 0; i < count; i++) {
        wire_value v = {.type = (uint32_t)values[i].type};
        switch (values[i].type) {
        case EDGEOPS_TYPE_FLOAT64:
            memcpy(&v.bits, &values[i].as.f64, sizeof v.bits);
            break;
        case EDGEOPS_TYPE_INT64:
        case EDGEOPS_TYPE_BOOL:
            memcpy(&v.bits, &values[i].as.i64, sizeof v.bits);
            break;
        case EDGEOPS_TYPE_STRING:
            v.size = values[i].size;
            v.bits = tail;
            tail += v.size;
            break;
        case EDGEOPS_TYPE_NULL:
        default:
            v.type = EDGEOPS_TYPE_NULL;
            break;
        }
        eop_buf_put(buf, &v, sizeof v);
    }
    for (size_t i = 0; i < count; i++) {
        if (values[i].type == EDGEOPS_TYPE_STRING && values[i].size > 0) {
            eop_buf_put(buf, values[i].as.str, values[i].size);
        }
    }
}

static edgeops_status get_string(edgeops_value *out, const wire_value *v, const char *tail,
                                 size_t tail_size) {
    if (v->size > EOP_WIRE_MAX_STRING || v->bits > tail_size || v->size > tail_size - v->bits) {
        return broken("a string reaches past the end");
    }
    const char *text = tail + v->bits;
    if (eop_utf8_valid(text, v->size) != v->size ||
        (v->size > 0 && memchr(text, 0, v->size) != NULL)) {
        return broken("a string is not UTF-8");
    }
    out->size = v->size;
    out->as.str = text;
    return EDGEOPS_OK;
}

edgeops_status eop_wire_get_answer(edgeops_value *values, const edgeops_type *types, size_t count,
                                   const char *body, size_t size) {
    size_t fixed = count * sizeof(wire_value);

    if (size < fixed) {
        return broken("an answer without all its values");
    }
    for (size_t i = 0; i < count; i++) {
        wire_value v;
        edgeops_value out = {0};
        memcpy(&v, body + i * sizeof v, sizeof v);
        if (v.type != EDGEOPS_TYPE_NULL && v.type != (uint32_t)types[i]) {
            return broken("an answer of another type than its output");
        }
        out.type = (edgeops_type)v.type;
        if (out.type == EDGEOPS_TYPE_STRING) {
            edgeops_status status = get_string(&out, &v, body + fixed, size - fixed);
            if (status < 0) {
                return status;
            }
        } else if (out.type == EDGEOPS_TYPE_FLOAT64) {
            memcpy(&out.as.f64, &v.bits, sizeof out.as.f64);
        } else if (out.type != EDGEOPS_TYPE_NULL) {
            memcpy(&out.as.i64, &v.bits, sizeof out.as.i64);
            if (out.type == EDGEOPS_TYPE_BOOL && v.bits > 1) {
                return broken("a bool that is neither 0 nor 1");
            }
        }
        values[i] = out;
    }
    return EDGEOPS_OK;
}

void eop_wire_put_progress(eop_buf *buf, double progress) {
    put_head(buf, EOP_WIRE_PROGRESS, 0, 0);
    eop_buf_put(buf, &progress, sizeof progress);
}

edgeops_status eop_wire_get_progress(double *progress, const char *body, size_t size) {
    double value;

    if (size != sizeof value) {
        return broken("progress of a wrong size");
    }
    memcpy(&value, body, sizeof value);
    if (!(value >= 0.0 && value <= 1.0)) {
        return broken("progress outside 0..1");
    }
    *progress = value;
    return EDGEOPS_OK;
}

void eop_wire_put_metric(eop_buf *buf, const eop_wire_metric *metric) {
    put_head(buf, EOP_WIRE_METRIC, 0, 0);
    eop_buf_put(buf, &metric->value, sizeof metric->value);
    eop_buf_put(buf, &metric->step, sizeof metric->step);
    eop_buf_put(buf, metric->name, metric->name_size);
}

edgeops_status eop_wire_get_metric(eop_wire_metric *metric, const char *body, size_t size) {
    const size_t fixed = sizeof metric->value + sizeof metric->step;

    if (size <= fixed || size - fixed > 128) {
        return broken("a metric's name must have 1 to 128 bytes");
    }
    if (!eop_name_valid(body + fixed, size - fixed, 128)) {
        return broken("a metric's name with control characters or empty levels");
    }
    memcpy(&metric->value, body, sizeof metric->value);
    memcpy(&metric->step, body + sizeof metric->value, sizeof metric->step);
    metric->name = body + fixed;
    metric->name_size = size - fixed;
    return EDGEOPS_OK;
}

bool eop_wire_fits(const edgeops_column *column, edgeops_type type) {
    return column->type == type || (column->length <= 1 && eop_type_widens(column->type, type));
}

/* A column of another type may take the place of one that has no value yet: all of it is null
 * then. */
static bool is_null(const edgeops_column *c, uint64_t row, edgeops_type type) {
    return (c->valid != NULL && c->valid[row] == 0) || !eop_wire_fits(c, type);
}

static uint64_t total_rows(const eop_wire_part *parts, size_t n) {
    uint64_t rows = 0;
    for (size_t i = 0; i < n; i++) {
        rows += parts[i].rows;
    }
    return rows;
}

static bool has_nulls(const eop_wire_part *parts, size_t n, size_t column, edgeops_type type) {
    for (size_t i = 0; i < n; i++) {
        const edgeops_column *c = &parts[i].table->columns[column];
        if (parts[i].rows > 0 && (c->valid != NULL || !eop_wire_fits(c, type))) {
            return true;
        }
    }
    return false;
}

/* Elements of a row: as many as the columns that fit have, which are of one length. */
static uint32_t elements(const eop_wire_part *parts, size_t n, size_t column, edgeops_type type) {
    for (size_t i = 0; i < n; i++) {
        const edgeops_column *c = &parts[i].table->columns[column];
        if (c->type == type && c->length > 1) {
            return c->length;
        }
    }
    return 1;
}

static uint64_t string_bytes(const eop_wire_part *parts, size_t n, size_t column) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const edgeops_column *c = &parts[i].table->columns[column];
        if (c->type == EDGEOPS_TYPE_STRING) {
            bytes += c->offsets[parts[i].first + parts[i].rows] - c->offsets[parts[i].first];
        }
    }
    return bytes;
}

/* Places `size` elements of `width` bytes after what is there; false when it overflows. */
static bool place(size_t *end, uint64_t *at, uint64_t size, size_t width) {
    size_t bytes;

    if (size > SIZE_MAX / 2 || !eop_mul_size(&bytes, (size_t)size, width) ||
        !eop_add_size(&bytes, bytes, 7)) {
        return false;
    }
    *at = *end;
    return eop_add_size(end, *end, bytes & ~(size_t)7);
}

/* Whether a part of the column is not in `values`. */
static bool has_extra(const eop_wire_part *parts, size_t n, size_t column, edgeops_type type) {
    return type != EDGEOPS_TYPE_FLOAT64 || elements(parts, n, column, type) > 1;
}

/* Walks the layout of a block: the one place that knows it. extras may be NULL. */
static bool lay_out(size_t *size, eop_wire_view *view, eop_wire_extra *extras,
                    const edgeops_type *types, size_t columns, const eop_wire_part *parts,
                    size_t n) {
    uint64_t rows = total_rows(parts, n);
    uint64_t at;
    size_t end = sizeof(eop_wire_block);
    size_t extra_count = 0;

    for (size_t i = 0; i < columns; i++) {
        extra_count += has_extra(parts, n, i, types[i]);
    }
    end += extra_count * sizeof(eop_wire_extra);
    view->rows = rows;
    view->columns = (uint32_t)columns;
    view->extra_count = (uint32_t)extra_count;
    if (!place(&end, &at, rows, 8)) {
        return false;
    }
    view->times = (size_t)at;
    if (rows > SIZE_MAX / 8 / (columns + 1) || !place(&end, &at, rows * columns, 8)) {
        return false;
    }
    view->values = (size_t)at;
    for (size_t i = 0, k = 0; i < columns; i++) {
        if (!has_extra(parts, n, i, types[i])) {
            continue;
        }
        eop_wire_extra extra = {.column = (uint32_t)i, .type = (uint32_t)types[i]};
        bool fits;
        if (types[i] == EDGEOPS_TYPE_STRING) {
            extra.length = string_bytes(parts, n, i);
            fits =
                place(&end, &extra.data, rows + 1, 8) && place(&end, &extra.bytes, extra.length, 1);
        } else {
            extra.length = elements(parts, n, i, types[i]);
            fits = place(&end, &extra.data, rows, eop_type_width(types[i]) * extra.length);
        }
        if (fits && has_nulls(parts, n, i, types[i])) {
            fits = place(&end, &extra.valid, rows, 1);
        }
        if (!fits) {
            return false;
        }
        if (extras != NULL) {
            extras[k++] = extra;
        }
    }
    *size = end;
    return true;
}

edgeops_status eop_wire_block_size(size_t *out, const edgeops_type *types, size_t columns,
                                   const eop_wire_part *parts, size_t n) {
    eop_wire_view view;

    if (!lay_out(out, &view, NULL, types, columns, parts, n)) {
        return eop_fail(EDGEOPS_E_LIMIT, "wire", "the rows do not fit in memory");
    }
    return EDGEOPS_OK;
}

static void write_values(double *out, size_t stride, const eop_wire_part *part, size_t column,
                         edgeops_type type) {
    const edgeops_column *c = &part->table->columns[column];

    if (!eop_wire_fits(c, type) || c->type == EDGEOPS_TYPE_STRING || c->length > 1) {
        for (uint64_t r = 0; r < part->rows; r++) {
            out[r * stride] = NAN;
        }
    } else if (c->type == EDGEOPS_TYPE_FLOAT64 && c->valid == NULL) {
        const double *from = (const double *)eop_column_data(c) + part->first;
        for (uint64_t r = 0; r < part->rows; r++) {
            out[r * stride] = from[r];
        }
    } else {
        for (uint64_t r = 0; r < part->rows; r++) {
            edgeops_value value = eop_column_load(c, part->first + r);
            out[r * stride] = eop_value_double(&value);
        }
    }
}

/* Row k of the block is row `row` of this column. */
static void write_extra_row(char *out, const eop_wire_extra *extra, uint64_t k, uint64_t *tail,
                            const edgeops_column *c, uint64_t row) {
    bool null = is_null(c, row, (edgeops_type)extra->type);

    if (extra->valid != 0) {
        out[extra->valid + k] = !null;
    }
    if (extra->type == EDGEOPS_TYPE_STRING) {
        if (!null) {
            uint32_t size = c->offsets[row + 1] - c->offsets[row];
            if (size > 0) {
                memcpy(out + extra->bytes + *tail, c->bytes + c->offsets[row], size);
                *tail += size;
            }
        }
        memcpy(out + extra->data + (k + 1) * 8, tail, 8);
    } else {
        edgeops_type type = (edgeops_type)extra->type;
        size_t bytes = eop_type_width(type) * (size_t)extra->length;
        char *place_of_row = out + extra->data + k * bytes;
        edgeops_value value = eop_column_widen(c, row, type);
        if (value.type == EDGEOPS_TYPE_NULL) {
            eop_null_fill(place_of_row, type, (size_t)extra->length);
        } else if (value.size > 0) {
            memcpy(place_of_row, value.as.data, bytes);
        } else {
            eop_value_save(place_of_row, &value);
        }
    }
}

static void write_extra(char *out, const eop_wire_extra *extra, const eop_wire_part *parts,
                        size_t n) {
    uint64_t k = 0;
    uint64_t tail = 0;

    if (extra->type == EDGEOPS_TYPE_STRING) {
        memset(out + extra->data, 0, 8);
    }
    for (size_t i = 0; i < n; i++) {
        const edgeops_column *c = &parts[i].table->columns[extra->column];
        for (uint64_t r = 0; r < parts[i].rows; r++) {
            write_extra_row(out, extra, k++, &tail, c, parts[i].first + r);
        }
    }
}

void eop_wire_block_write(char *out, const edgeops_type *types, size_t columns,
                          const eop_wire_part *parts, size_t n) {
    eop_wire_view view;
    size_t size = 0;
    void *start = out;
    eop_wire_block *block = start;
    void *after = out + sizeof *block;
    eop_wire_extra *extras = after;

    if (!lay_out(&size, &view, extras, types, columns, parts, n)) {
        return; /* eop_wire_block_size() has refused it */
    }
    *block = (eop_wire_block){view.rows, view.columns, view.extra_count};
    size_t numbers_end = view.values + (size_t)view.rows * columns * 8;
    memset(out + numbers_end, 0, size - numbers_end); /* no byte of this heap in the gaps */
    uint64_t row = 0;
    for (size_t i = 0; i < n; i++) {
        void *place_of_values = out + view.values + row * columns * 8;
        double *values = place_of_values;
        if (parts[i].rows > 0) {
            memcpy(out + view.times + row * 8, parts[i].table->times + parts[i].first,
                   (size_t)parts[i].rows * 8);
        }
        for (size_t c = 0; c < columns; c++) {
            write_values(values + c, columns, &parts[i], c, types[c]);
        }
        row += parts[i].rows;
    }
    for (uint32_t k = 0; k < view.extra_count; k++) {
        write_extra(out, &extras[k], parts, n);
    }
}

void eop_wire_block_begin(int64_t **times, double **values, char *out, uint64_t rows,
                          size_t columns) {
    const eop_wire_block block = {rows, (uint32_t)columns, 0};
    void *numbers = out + sizeof block;
    memcpy(out, &block, sizeof block);
    *times = numbers;
    numbers = *times + rows;
    *values = numbers;
}

edgeops_status eop_wire_put_window(eop_buf *buf, uint64_t id, const edgeops_type *types,
                                   size_t columns, const eop_wire_part *part) {
    size_t size;
    edgeops_status status = eop_wire_block_size(&size, types, columns, part, 1);

    if (status < 0) {
        return status;
    }
    if (size > EOP_WIRE_MAX_FRAME - sizeof(eop_wire_head)) {
        return eop_fail(EDGEOPS_E_LIMIT, "wire", "a window of %zu bytes is over the limit of %zu",
                        size, EOP_WIRE_MAX_FRAME);
    }
    put_head(buf, EOP_WIRE_PREDICT, id, 0);
    char *place_of_block = eop_buf_reserve(buf, size);
    if (place_of_block == NULL) {
        return eop_fail_nomem("wire");
    }
    eop_wire_block_write(place_of_block, types, columns, part, 1);
    buf->size += size;
    return EDGEOPS_OK;
}

static bool inside(uint64_t at, uint64_t count, uint64_t width, size_t size) {
    return at <= size && count <= (size - at) / width;
}

static bool extra_is_sound(const eop_wire_extra *e, const eop_wire_view *view, const char *data,
                           size_t size) {
    uint64_t end;

    if (e->column >= view->columns || (e->valid != 0 && !inside(e->valid, view->rows, 1, size))) {
        return false;
    }
    if (e->type == EDGEOPS_TYPE_STRING) {
        if (!inside(e->data, view->rows + 1, 8, size) || !inside(e->bytes, e->length, 1, size)) {
            return false;
        }
        memcpy(&end, data + e->data + view->rows * 8, 8);
        return end <= e->length;
    }
    return e->type != EDGEOPS_TYPE_BLOB && e->length <= EDGEOPS_LENGTH_MAX &&
           eop_type_has_length((edgeops_type)e->type, (int64_t)e->length) &&
           inside(e->data, view->rows, eop_type_width((edgeops_type)e->type) * e->length, size);
}

edgeops_status eop_wire_block_read(eop_wire_view *view, const char *data, size_t size) {
    eop_wire_block block;

    if (size < sizeof block) {
        return broken("no block");
    }
    memcpy(&block, data, sizeof block);
    const void *after = data + sizeof block;
    view->rows = block.rows;
    view->columns = block.columns;
    view->extra_count = block.extras;
    view->extras = after;
    if (!inside(sizeof block, block.extras, sizeof(eop_wire_extra), size)) {
        return broken("a block that is too short");
    }
    view->times = sizeof block + block.extras * sizeof(eop_wire_extra);
    if (!inside(view->times, block.rows, 8, size)) {
        return broken("a block that is too short");
    }
    view->values = view->times + (size_t)block.rows * 8;
    if (block.columns > 0 && !inside(view->values, block.rows, (uint64_t)block.columns * 8, size)) {
        return broken("a block that is too short");
    }
    for (uint32_t i = 0; i < block.extras; i++) {
        if (!extra_is_sound(&view->extras[i], view, data, size)) {
            return broken("a column that reaches past its block");
        }
    }
    return EDGEOPS_OK;
}

edgeops_status eop_wire_dataset_read(eop_wire_dataset *out, const char *data, size_t size) {
    eop_wire_dataset head;

    if (size < sizeof head) {
        return broken("no dataset");
    }
    memcpy(&head, data, sizeof head);
    if (memcmp(head.magic, EOP_WIRE_MAGIC, sizeof head.magic) != 0 || head.block % 8 != 0 ||
        !inside(head.block, head.block_size, 1, size) || !inside(head.groups, head.rows, 4, size) ||
        !inside(head.labels, head.rows, 4, size) || !inside(head.starts, head.windows, 8, size) ||
        !inside(head.window_labels, head.windows, 4, size)) {
        return broken("a dataset that is not sound");
    }
    *out = head;
    return EDGEOPS_OK;
}
