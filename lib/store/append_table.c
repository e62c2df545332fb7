/* SPDX-License-Identifier: Apache-2.0 */
/* Appends rows that come as columns. Copies and packs them before taking the lock. When they are
 * newer than all rows of the asset and have the types of its channels, as usual, they enter the
 * memtable by column; otherwise one by one, like samples. */
#include <string.h>

#include "base/abi.h"
#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/str.h"
#include "column/chunk.h"
#include "journal/table_frame.h"
#include "store/append.h"
#include "store/birth.h"

#define EOP_TABLE_MAX (256u * 1024 * 1024) /* most bytes of one appended table */

typedef struct input {
    const edgeops_table *table;
    eop_rows rows;  /* copied; column k is the table's */
    eop_buf blocks; /* packed, without asset and channels */
    bool ascending; /* strictly ascending by (time, seq) */
    size_t bound;   /* most bytes of payload as single rows */
    const char **names;
    edgeops_value *values;
    uint16_t *qualities;
} input;

static void input_dispose(input *in) {
    eop_rows_dispose(&in->rows);
    eop_buf_dispose(&in->blocks);
    eop_free(in->names);
    eop_free(in->values);
    eop_free(in->qualities);
}

/* -- taking the caller's columns -- */

static edgeops_status bad_column(const edgeops_table *table, const edgeops_column *column,
                                 const char *why) {
    return eop_fail(EDGEOPS_E_INVALID, "store", "asset '%s', channel '%s': %s", table->asset,
                    column->name != NULL ? column->name : "", why);
}

static edgeops_status check_column(const edgeops_table *table, const edgeops_column *column) {
    uint32_t length = column->length > 1 ? column->length : 1;
    if (column->name == NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "store", "asset '%s': a channel has no name",
                        table->asset);
    }
    edgeops_status status = eop_check_channel_name(table->asset, column->name);
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (column->type == EDGEOPS_TYPE_STRING) {
        return column->offsets != NULL && column->bytes != NULL
                   ? EDGEOPS_OK
                   : bad_column(table, column, "a column of strings has offsets and bytes");
    }
    if (eop_type_width(column->type) == 0 || column->type == EDGEOPS_TYPE_BLOB) {
        return bad_column(table, column,
                          "a table has columns of numbers, bools and strings; append "
                          "blobs as samples");
    }
    if (length > EDGEOPS_LENGTH_MAX || (length > 1 && column->type == EDGEOPS_TYPE_BOOL)) {
        return bad_column(table, column, "its arrays are too long");
    }
    return eop_column_data(column) != NULL ? EDGEOPS_OK
                                           : bad_column(table, column, "the column has no data");
}

static edgeops_status take_texts(eop_vector *out, const edgeops_table *table,
                                 const edgeops_column *column) {
    edgeops_status status = EDGEOPS_OK;
    for (uint64_t i = 0; status == EDGEOPS_OK && i < table->rows; i++) {
        if (column->valid != NULL && column->valid[i] == 0) {
            status = eop_vector_pad(out, (size_t)i + 1);
            continue;
        }
        if (column->offsets[i + 1] < column->offsets[i]) {
            return bad_column(table, column, "the offsets of its texts do not ascend");
        }
        edgeops_value value = {.type = EDGEOPS_TYPE_STRING,
                               .size = column->offsets[i + 1] - column->offsets[i],
                               .as.str = column->bytes + column->offsets[i]};
        status = eop_check_text(table->asset, column->name, &value);
        if (status == EDGEOPS_OK) {
            status = eop_vector_put(out, &value);
        }
    }
    return status;
}

static edgeops_status take_numbers(eop_vector *out, const edgeops_table *table,
                                   const edgeops_column *column) {
    void *place = NULL;
    size_t n = (size_t)table->rows;
    edgeops_status status = eop_vector_extend(&place, out, n);
    if (status != EDGEOPS_OK) {
        return status;
    }
    memcpy(place, eop_column_data(column), n * eop_vector_row_bytes(out));
    if (column->valid != NULL) {
        /* Also sets the values under nulls to their one form. */
        status = eop_vector_mark(out, column->valid, n);
    }
    if (status == EDGEOPS_OK && column->type == EDGEOPS_TYPE_BOOL) {
        uint8_t any = 0;
        for (size_t i = 0; i < n; i++) {
            any |= ((const uint8_t *)out->data)[i];
        }
        if (any > 1) {
            status = bad_column(table, column, "a bool is 0 or 1");
        }
    }
    return status;
}

static edgeops_status take_column(input *in, const edgeops_column *column) {
    const edgeops_table *table = in->table;
    edgeops_status status = check_column(table, column);
    if (status == EDGEOPS_OK) {
        status =
            eop_rows_add_vector(&in->rows, column->type, column->length > 1 ? column->length : 1);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    eop_vector *out = &in->rows.vectors[in->rows.vector_count - 1];
    status = eop_vector_reserve(out, (size_t)table->rows);
    if (status == EDGEOPS_OK) {
        status = column->type == EDGEOPS_TYPE_STRING ? take_texts(out, table, column)
                                                     : take_numbers(out, table, column);
    }
    if (status == EDGEOPS_OK && column->quality != NULL) {
        status = eop_vector_rate(out, 0, column->quality, (size_t)table->rows);
        for (size_t i = 0; status == EDGEOPS_OK && out->quality != NULL && i < table->rows; i++) {
            if (eop_vector_is_null(out, i)) {
                out->quality[i] = EDGEOPS_QUALITY_NONE;
            }
        }
    }
    return status;
}

static edgeops_status take_keys(input *in) {
    const edgeops_table *table = in->table;
    size_t n = (size_t)table->rows;
    edgeops_status status = eop_rows_reserve(&in->rows, n);
    if (status != EDGEOPS_OK) {
        return status;
    }
    memcpy(in->rows.times, table->times, n * sizeof *in->rows.times);
    if (table->seqs != NULL) {
        memcpy(in->rows.seqs, table->seqs, n * sizeof *in->rows.seqs);
    } else {
        memset(in->rows.seqs, 0, n * sizeof *in->rows.seqs);
    }
    in->rows.rows = n;
    in->ascending = true;
    for (size_t i = 1; in->ascending && i < n; i++) {
        in->ascending = eop_key_compare(in->rows.times[i - 1], in->rows.seqs[i - 1],
                                        in->rows.times[i], in->rows.seqs[i]) < 0;
    }
    return EDGEOPS_OK;
}

/* Most bytes of payload when the rows are appended one by one. */
static bool bound_rows(size_t *bound, const input *in) {
    size_t row = EOP_FRAME_ROW_MAX;
    size_t texts = 0;
    for (size_t k = 0; k < in->rows.vector_count; k++) {
        const eop_vector *vector = &in->rows.vectors[k];
        row += 10 + EOP_FRAME_QUALITY +
               (vector->type == EDGEOPS_TYPE_STRING ? 0 : eop_vector_row_bytes(vector));
        texts += vector->bytes_size;
    }
    return eop_mul_size(bound, row, in->rows.rows) && eop_add_size(bound, *bound, texts) &&
           *bound <= EOP_TABLE_MAX;
}

static edgeops_status pack_blocks(input *in) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t from = 0; status == EDGEOPS_OK && from < in->rows.rows; from += EOP_CHUNK_ROWS) {
        size_t left = in->rows.rows - from;
        eop_rows piece = {0};
        status = eop_rows_view(&piece, &in->rows, from,
                               from + (left < EOP_CHUNK_ROWS ? left : EOP_CHUNK_ROWS));
        if (status == EDGEOPS_OK) {
            eop_table_frame_put(&in->blocks, &piece);
        }
        eop_rows_view_dispose(&piece);
    }
    return status == EDGEOPS_OK && in->blocks.failed ? eop_fail_nomem("store") : status;
}

static edgeops_status take_table(input *in) {
    edgeops_status status = take_keys(in);
    for (size_t k = 0; status == EDGEOPS_OK && k < in->table->column_count; k++) {
        status = take_column(in, &in->table->columns[k]);
    }
    if (status == EDGEOPS_OK && !bound_rows(&in->bound, in)) {
        status = eop_fail(EDGEOPS_E_LIMIT, "store",
                          "asset '%s': one table takes at most %u MiB; split it", in->table->asset,
                          EOP_TABLE_MAX >> 20);
    }
    if (status == EDGEOPS_OK && in->ascending) {
        status = pack_blocks(in);
    }
    return status;
}

/* -- under the lock -- */

typedef struct inputs {
    input *items;
    size_t count;
} inputs;

/* Appends one by one: for late rows, duplicates and other types. */
static edgeops_status append_each(edgeops_store *store, input *in) {
    size_t count = in->rows.vector_count;
    edgeops_status status = EDGEOPS_OK;
    in->names = eop_realloc_array(NULL, count, sizeof(char *));
    in->values = eop_realloc_array(NULL, count, sizeof *in->values);
    in->qualities = eop_realloc_array(NULL, count, sizeof *in->qualities);
    if (in->names == NULL || in->values == NULL || in->qualities == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t k = 0; k < count; k++) {
        in->names[k] = in->table->columns[k].name;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < in->rows.rows; i++) {
        for (size_t k = 0; k < count; k++) {
            in->values[k] = eop_vector_value(&in->rows.vectors[k], i);
            in->qualities[k] = eop_vector_quality(&in->rows.vectors[k], i);
        }
        edgeops_sample sample = {.asset = in->table->asset,
                                 .time = in->rows.times[i],
                                 .seq = in->rows.seqs[i],
                                 .count = count,
                                 .channels = in->names,
                                 .values = in->values,
                                 .qualities = in->qualities};
        status = eop_append_sample(store, &sample, i);
    }
    return status;
}

static edgeops_status append_singly(edgeops_store *store, void *user_data) {
    inputs *all = user_data;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < all->count; i++) {
        status = append_each(store, &all->items[i]);
    }
    return status;
}

static edgeops_status append_blocks(edgeops_store *store, void *user_data) {
    inputs *all = user_data;
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < all->count; i++) {
        input *in = &all->items[i];
        /* With several tables the rows must stay: a later one may not fit, and then all are
         * appended again. */
        status = eop_append_rows(store, in->table, &in->rows, &in->blocks, all->count == 1);
    }
    return status;
}

/* -- the calls -- */

static edgeops_status fail_size(const edgeops_table *table) {
    return eop_fail(EDGEOPS_E_LIMIT, "store", "asset '%s': one call takes at most %u MiB; split it",
                    table->asset, EOP_TABLE_MAX >> 20);
}

static edgeops_status check_table(const edgeops_table *table) {
    EOP_REQUIRE(table->asset != NULL && (table->rows == 0 || table->times != NULL) &&
                    (table->column_count == 0 || table->columns != NULL),
                "store");
    if (table->parts != NULL || table->reserved[0] != NULL || table->reserved[1] != NULL) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s': parts and reserved members of a table are NULL in an append",
                        table->asset);
    }
    if (table->column_count < 1 || table->column_count > EOP_CHANNELS_MAX) {
        return eop_fail(EDGEOPS_E_INVALID, "store",
                        "asset '%s': a table has 1 to %u columns, not %zu", table->asset,
                        EOP_CHANNELS_MAX, table->column_count);
    }
    return table->rows <= EOP_TABLE_MAX ? EDGEOPS_OK : fail_size(table);
}

static edgeops_status append_inputs(edgeops_append_result *result, edgeops_store *store,
                                    inputs *all, const edgeops_append_options *options) {
    bool ascending = true;
    size_t singly = 0;
    size_t packed = 0;
    for (size_t i = 0; i < all->count; i++) {
        const input *in = &all->items[i];
        ascending = ascending && in->ascending;
        packed += in->blocks.size;
        if (!eop_add_size(&singly, singly, in->bound) || singly > EOP_TABLE_MAX) {
            return fail_size(in->table);
        }
    }
    edgeops_status status = ascending
                                ? eop_append_run(result, store, packed, append_blocks, all, options)
                                : EDGEOPS_DONE;
    return status == EDGEOPS_DONE
               ? eop_append_run(result, store, singly, append_singly, all, options)
               : status;
}

edgeops_status edgeops_store_append_tables(edgeops_append_result *result, edgeops_store *store,
                                           const edgeops_table *tables, size_t n,
                                           const edgeops_append_options *options) {
    EOP_REQUIRE(store != NULL && (tables != NULL || n == 0), "store");
    EOP_STORE_REQUIRE_HERE(store);
    edgeops_append_options taken;
    edgeops_status status = eop_append_take(&taken, options, result);
    if (status != EDGEOPS_OK) {
        return status;
    }
    inputs all = {.items = eop_calloc(n, sizeof *all.items)};
    status = all.items != NULL ? EDGEOPS_OK : eop_fail_nomem("store");
    for (size_t i = 0; status == EDGEOPS_OK && i < n; i++) {
        status = check_table(&tables[i]);
        if (status == EDGEOPS_OK && tables[i].rows > 0) {
            input *in = &all.items[all.count++];
            in->table = &tables[i];
            status = take_table(in);
        }
    }
    if (status == EDGEOPS_OK && all.count > 0) {
        status = append_inputs(result, store, &all, &taken);
    } else if (status == EDGEOPS_OK) {
        const edgeops_append_result nothing = EDGEOPS_APPEND_RESULT_INIT;
        eop_result_give(result, &nothing, sizeof nothing);
    }
    for (size_t i = 0; i < all.count; i++) {
        input_dispose(&all.items[i]);
    }
    eop_free(all.items);
    return status;
}
