/* SPDX-License-Identifier: Apache-2.0 */
/* Cells of one time and seq are one row: what arrives of an input goes on as a part of the row of
 * its time, whenever it comes. The store puts the parts together, so that nothing waits and no
 * order matters. An input's `seen` is what is stored. */
#include <string.h>

#include "base/column_view.h"
#include "base/error.h"
#include "base/memory.h"
#include "join/state.h"

/* Tables over runs of rows that have a value: one that has none would make an empty row. */
typedef struct runs {
    edgeops_table *tables;
    edgeops_column *columns;
    size_t count;
} runs;

static bool has_value(const edgeops_table *block, uint64_t row) {
    for (size_t k = 0; k < block->column_count; k++) {
        const edgeops_column *c = &block->columns[k];
        if (c->valid == NULL || c->valid[row] != 0) {
            return true;
        }
    }
    return false;
}

/* Rows [from, ...) of a column, under another name. */
static edgeops_column part_of(const edgeops_column *c, uint64_t from, const char *name) {
    edgeops_column part = *c;
    size_t width = eop_type_width(c->type) * eop_column_length(c);
    part.name = name;
    part.f64 = c->f64 != NULL ? c->f64 + from : NULL;
    part.i64 = c->i64 != NULL ? c->i64 + from : NULL;
    part.u8 = c->u8 != NULL ? c->u8 + from : NULL;
    part.offsets = c->offsets != NULL ? c->offsets + from : NULL;
    part.valid = c->valid != NULL ? c->valid + from : NULL;
    part.quality = c->quality != NULL ? c->quality + from : NULL;
    part.data = c->data != NULL ? (const char *)c->data + from * width : NULL;
    return part;
}

static void add_run(runs *r, const eop_join *join, const eop_join_input *input, uint64_t from,
                    uint64_t to) {
    const edgeops_table *block = input->block;
    edgeops_column *columns = r->columns + r->count * block->column_count;
    for (size_t k = 0; k < block->column_count; k++) {
        const char *as = join->spec->channels[input->columns[k]].as;
        columns[k] = part_of(&block->columns[k], from, as);
    }
    r->tables[r->count++] = (edgeops_table){.asset = join->spec->name,
                                            .rows = to - from,
                                            .times = block->times + from,
                                            .seqs = block->seqs + from,
                                            .column_count = block->column_count,
                                            .columns = columns};
}

static edgeops_status make_runs(runs *r, const eop_join *join, const eop_join_input *input) {
    const edgeops_table *block = input->block;
    size_t most = 0;
    for (uint64_t i = 0; i < block->rows; i++) {
        most += has_value(block, i) && (i == 0 || !has_value(block, i - 1));
    }
    r->tables = eop_calloc(most, sizeof *r->tables);
    r->columns = eop_calloc(most * block->column_count, sizeof *r->columns);
    if (r->tables == NULL || r->columns == NULL) {
        return eop_fail_nomem("join");
    }
    uint64_t from = 0;
    for (uint64_t i = 0; i <= block->rows; i++) {
        bool there = i < block->rows && has_value(block, i);
        if (!there && i > from) {
            add_run(r, join, input, from, i);
        }
        from = there ? from : i + 1;
    }
    return EDGEOPS_OK;
}

static edgeops_status pass_on(eop_join *join, eop_join_input *input) {
    runs r = {0};
    edgeops_status status = make_runs(&r, join, input);
    if (status == EDGEOPS_OK && r.count > 0) {
        status = eop_join_append(join, r.tables, r.count);
    }
    eop_free(r.tables);
    eop_free(r.columns);
    if (status == EDGEOPS_OK) {
        input->seen = input->block->ordinals[input->block->rows - 1];
        input->block = NULL;
        join->dirty = true;
    }
    return status;
}

edgeops_status eop_join_exact_step(eop_join *join) {
    edgeops_status result = EDGEOPS_DONE;
    edgeops_status status = eop_join_look_at_inputs(join);
    for (size_t i = 0; status == EDGEOPS_OK && i < join->input_count; i++) {
        eop_join_input *input = &join->inputs[i];
        if (input->version_of_types != join->version) {
            /* A block would still have the columns of before. */
            eop_join_close_cursor(input);
            input->version_of_types = join->version;
        }
        status = eop_join_open_cursor(join, input);
        if (status == EDGEOPS_OK && input->block == NULL) {
            status = eop_join_next_block(join, input);
        }
        if (status == EDGEOPS_OK) {
            status = pass_on(join, input);
            result = EDGEOPS_OK;
        }
        status = status == EDGEOPS_DONE ? EDGEOPS_OK : status;
    }
    return status == EDGEOPS_OK ? result : status;
}
