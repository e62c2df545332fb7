/* SPDX-License-Identifier: Apache-2.0 */
/* Makes an edgeops_table from rows: copies the names and points the view into the vectors. The
 * table owns both. */
#include "column/table.h"

#include <string.h>

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"

static const char *keep_text(char **at, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = *at;
    memcpy(copy, text, size);
    *at += size;
    return copy;
}

edgeops_status eop_table_name(eop_table *table, const char *asset,
                              const edgeops_channel_info *channels, size_t count) {
    size_t bytes = strlen(asset) + 1;
    for (size_t k = 0; k < count; k++) {
        bytes += strlen(channels[k].name) + strlen(channels[k].unit) + 2;
    }
    char *names = eop_alloc(bytes);
    edgeops_column *columns = eop_calloc(count, sizeof *columns);
    if (names == NULL || columns == NULL) {
        eop_free(names);
        eop_free(columns);
        return eop_fail_nomem("store");
    }
    eop_free(table->names);
    eop_free(table->columns);
    table->names = names;
    table->columns = columns;
    table->view.asset = keep_text(&names, asset);
    for (size_t k = 0; k < count; k++) {
        columns[k].name = keep_text(&names, channels[k].name);
        columns[k].unit = keep_text(&names, channels[k].unit);
        columns[k].type = channels[k].type;
        columns[k].length = channels[k].length;
    }
    table->view.column_count = count;
    table->view.columns = columns;
    return EDGEOPS_OK;
}

static void show_column(edgeops_column *column, const eop_vector *vector) {
    static const uint32_t no_offsets[1];
    bool scalar = eop_vector_length(vector) == 1;
    column->f64 = NULL;
    column->i64 = NULL;
    column->u8 = NULL;
    column->offsets = NULL;
    column->bytes = NULL;
    column->data = vector->data;
    column->nulls = vector->nulls;
    column->valid = vector->nulls > 0 ? vector->valid : NULL;
    column->quality = vector->quality;
    switch (vector->type) {
    case EDGEOPS_TYPE_FLOAT64:
        column->f64 = scalar ? vector->data : NULL;
        break;
    case EDGEOPS_TYPE_INT64:
        column->i64 = scalar ? vector->data : NULL;
        break;
    case EDGEOPS_TYPE_BOOL:
        column->u8 = vector->data;
        break;
    case EDGEOPS_TYPE_STRING:
        column->offsets = vector->data != NULL ? vector->data : no_offsets;
        column->bytes = vector->bytes != NULL ? vector->bytes : "";
        column->data = NULL;
        break;
    default:
        break;
    }
}

edgeops_value edgeops_column_value(const edgeops_column *column, uint64_t row) {
    /* The table of a dataset's head has columns without arrays. */
    bool empty =
        column == NULL || (column->type == EDGEOPS_TYPE_STRING ? column->offsets == NULL
                                                               : eop_column_data(column) == NULL);
    return empty ? (edgeops_value){.type = EDGEOPS_TYPE_NULL} : eop_column_load(column, row);
}

void eop_table_clear(eop_table *table) {
    eop_rows_clear(&table->rows);
    table->parts_count = 0;
}

/* Sets the flags up to n rows; those that are not known yet are 0. */
static edgeops_status grow_parts(eop_table *table, size_t n) {
    if (!eop_grow(&table->parts, &table->parts_capacity, n, sizeof *table->parts)) {
        return eop_fail_nomem("store");
    }
    if (n > table->parts_count) {
        memset(table->parts + table->parts_count, 0, n - table->parts_count);
    }
    table->parts_count = n;
    return EDGEOPS_OK;
}

edgeops_status eop_table_mark(uint8_t **flags, eop_table *table, size_t n) {
    edgeops_status status = grow_parts(table, table->rows.rows + n);
    if (status == EDGEOPS_OK) {
        *flags = table->parts + table->rows.rows;
    }
    return status;
}

/* None where no row is a later part. */
static edgeops_status show_parts(eop_table *table) {
    edgeops_status status = EDGEOPS_OK;
    size_t n = table->rows.rows;
    table->view.parts = NULL;
    if (table->parts_count > 0) {
        status = grow_parts(table, n);
    }
    if (status == EDGEOPS_OK && table->parts_count > 0 && memchr(table->parts, 1, n) != NULL) {
        table->view.parts = table->parts;
    }
    return status;
}

edgeops_status eop_table_show(eop_table *table) {
    edgeops_status status = eop_rows_keep_ordinals(&table->rows);
    if (status == EDGEOPS_OK) {
        status = show_parts(table);
    }
    /* An empty column gets an array as well: the contract is "exactly one is set by type". */
    for (size_t k = 0; status == EDGEOPS_OK && k < table->rows.vector_count; k++) {
        status = eop_vector_reserve(&table->rows.vectors[k], 1);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_reserve(&table->rows, 1);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    table->view.rows = table->rows.rows;
    table->view.times = table->rows.times;
    table->view.seqs = table->rows.seqs;
    table->view.ordinals = table->rows.ordinals;
    for (size_t k = 0; k < table->rows.vector_count; k++) {
        show_column(&table->columns[k], &table->rows.vectors[k]);
    }
    return EDGEOPS_OK;
}

void eop_table_dispose(eop_table *table) {
    eop_rows_dispose(&table->rows);
    eop_free(table->columns);
    eop_free(table->names);
    eop_free(table->parts);
    *table = (eop_table){0};
}

void edgeops_table_free(edgeops_table *view) {
    eop_table *table = (eop_table *)view;
    if (table != NULL && atomic_fetch_sub(&table->shares, 1) == 0) {
        eop_table_dispose(table);
        eop_free(table);
    }
}

void eop_table_share(edgeops_table *view) {
    atomic_fetch_add(&((eop_table *)view)->shares, 1);
}

bool eop_table_is_borrowed(const edgeops_table *view) {
    return ((const eop_table *)view)->borrowed;
}

static edgeops_status copy_names(eop_table *copy, const edgeops_table *view) {
    edgeops_channel_info *infos = eop_calloc(view->column_count, sizeof *infos);
    if (infos == NULL) {
        return eop_fail_nomem("store");
    }
    for (size_t k = 0; k < view->column_count; k++) {
        const edgeops_column *column = &view->columns[k];
        infos[k] = (edgeops_channel_info){column->name, column->unit, column->type, column->length};
    }
    edgeops_status status = eop_table_name(copy, view->asset, infos, view->column_count);
    eop_free(infos);
    return status;
}

edgeops_status edgeops_table_copy(edgeops_table **out, const edgeops_table *view) {
    EOP_REQUIRE(out != NULL, "store");
    *out = NULL;
    EOP_REQUIRE(view != NULL, "store");
    const eop_table *table = (const eop_table *)view;
    eop_table *copy = eop_calloc(1, sizeof *copy);
    if (copy == NULL) {
        return eop_fail_nomem("store");
    }
    edgeops_status status = copy_names(copy, view);
    for (size_t k = 0; status == EDGEOPS_OK && k < view->column_count; k++) {
        status = eop_rows_add_vector(&copy->rows, view->columns[k].type, view->columns[k].length);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_keep_ordinals(&copy->rows);
    }
    if (status == EDGEOPS_OK && view->parts != NULL) {
        uint8_t *flags = NULL;
        status = eop_table_mark(&flags, copy, table->rows.rows);
        if (status == EDGEOPS_OK) {
            memcpy(flags, view->parts, table->rows.rows);
        }
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_copy(&copy->rows, &table->rows, 0, table->rows.rows, NULL);
    }
    if (status == EDGEOPS_OK) {
        status = eop_rows_complete(&copy->rows);
    }
    if (status == EDGEOPS_OK) {
        status = eop_table_show(copy);
    }
    if (status != EDGEOPS_OK) {
        edgeops_table_free(&copy->view);
        return status;
    }
    *out = &copy->view;
    return EDGEOPS_OK;
}
