/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/wire.h"
#include "runtime/rows.h"
#include "runtime/runtime.h"
#include "runtime/window.h"

/* One asset's rows as the worker will see them. */
typedef struct part {
    const edgeops_dataset_part *given;
    eop_window_cutter *cutter; /* on a grid: holds the rows; else made of times only */
    edgeops_column *columns;   /* without a grid: the given columns in the inputs' order */
    edgeops_table table;
} part;

typedef struct plan {
    const edgeops_manifest *manifest;
    const edgeops_dataset *dataset;
    edgeops_type *types;
    part *parts;
    eop_wire_part *wire;
    int64_t *starts;
    int32_t *window_labels;
    size_t window_capacity;
    size_t label_capacity;
    uint64_t windows;
    uint64_t rows;
} plan;

static void plan_dispose(plan *p) {
    for (size_t i = 0; p->parts != NULL && i < p->dataset->part_count; i++) {
        eop_window_free(p->parts[i].cutter);
        eop_free(p->parts[i].columns);
    }
    eop_free(p->types);
    eop_free(p->parts);
    eop_free(p->wire);
    eop_free(p->starts);
    eop_free(p->window_labels);
}

static edgeops_status plan_init(plan *p, const edgeops_manifest *manifest,
                                const edgeops_dataset *dataset) {
    *p = (plan){.manifest = manifest, .dataset = dataset};
    p->types = eop_calloc(manifest->input_count, sizeof *p->types);
    p->parts = eop_calloc(dataset->part_count, sizeof *p->parts);
    p->wire = eop_calloc(dataset->part_count, sizeof *p->wire);
    if (p->types == NULL || p->parts == NULL || p->wire == NULL) {
        return eop_fail_nomem("runtime");
    }
    for (size_t i = 0; i < manifest->input_count; i++) {
        p->types[i] = manifest->inputs[i].type;
    }
    return EDGEOPS_OK;
}

/* Without a grid the rows stay where they are: only the columns are put in order. */
static edgeops_status project(part *out, const edgeops_manifest *m) {
    const edgeops_table *table = out->given->table;
    eop_rows *inputs = NULL;
    size_t *map = eop_calloc(m->input_count, sizeof *map);

    out->columns = eop_calloc(m->input_count, sizeof *out->columns);
    if (map == NULL || out->columns == NULL) {
        eop_free(map);
        return eop_fail_nomem("runtime");
    }
    edgeops_status status = eop_rows_new(&inputs, m->inputs, m->input_count);
    if (status == EDGEOPS_OK) {
        status = eop_rows_map(map, inputs, table);
    }
    if (status == EDGEOPS_OK) {
        for (size_t i = 0; i < m->input_count; i++) {
            out->columns[i] = table->columns[map[i]];
        }
        out->table = *table;
        out->table.columns = out->columns;
        out->table.column_count = m->input_count;
    }
    eop_rows_free(inputs);
    eop_free(map);
    return status;
}

static edgeops_status add_window(plan *p, uint64_t first_row, const eop_window *window) {
    size_t need = (size_t)p->windows + 1;

    if (!eop_grow(&p->starts, &p->window_capacity, need, sizeof *p->starts) ||
        !eop_grow(&p->window_labels, &p->label_capacity, need, sizeof *p->window_labels)) {
        return eop_fail_nomem("runtime");
    }
    p->starts[p->windows] = (int64_t)(first_row + window->first);
    p->window_labels[p->windows] = window->label;
    p->windows++;
    return EDGEOPS_OK;
}

static edgeops_status cut(plan *p, part *out) {
    const edgeops_manifest *m = p->manifest;
    bool on_grid = m->window.period > 0;
    const edgeops_table *table = out->given->table;
    eop_window window;

    edgeops_status status = EDGEOPS_OK;
    if (!on_grid) {
        status = project(out, m);
    }
    if (status == EDGEOPS_OK) {
        status = eop_window_new(&out->cutter, &m->window, m->inputs, on_grid ? m->input_count : 0);
    }
    if (status < 0) {
        return status;
    }
    eop_window_keep(out->cutter);
    status = eop_window_feed(out->cutter, table, 0, table->rows, out->given->labels);
    if (status < 0) {
        return status;
    }
    while ((status = eop_window_next(out->cutter, &window)) == EDGEOPS_OK) {
        status = add_window(p, p->rows, &window);
        if (status < 0) {
            return status;
        }
    }
    if (status < 0) {
        return status;
    }
    if (on_grid) {
        out->table = *eop_window_table(out->cutter);
    } else {
        eop_window_free(out->cutter);
        out->cutter = NULL;
    }
    return EDGEOPS_OK;
}

static int32_t row_label(const part *from, uint64_t row) {
    if (from->cutter != NULL) {
        return eop_window_row_label(from->cutter, row);
    }
    return from->given->labels != NULL ? from->given->labels[row] : -1;
}

static bool place(uint64_t *at, size_t *end, uint64_t count, size_t width) {
    size_t bytes;

    *at = *end;
    return count <= SIZE_MAX / 16 && eop_mul_size(&bytes, (size_t)count, width) &&
           eop_add_size(&bytes, bytes, 7) && eop_add_size(end, *end, bytes & ~(size_t)7);
}

static void fill(char *memory, const plan *p, const eop_wire_dataset *head) {
    size_t parts = p->dataset->part_count;
    uint64_t k = 0;

    memcpy(memory, head, sizeof *head);
    eop_wire_block_write(memory + head->block, p->types, p->manifest->input_count, p->wire, parts);
    for (size_t i = 0; i < parts; i++) {
        for (uint64_t row = 0; row < p->wire[i].rows; row++, k++) {
            int32_t group = (int32_t)i;
            int32_t label = row_label(&p->parts[i], row);
            memcpy(memory + head->groups + k * 4, &group, 4);
            memcpy(memory + head->labels + k * 4, &label, 4);
        }
    }
    if (p->windows > 0) {
        memcpy(memory + head->starts, p->starts, (size_t)p->windows * sizeof *p->starts);
        memcpy(memory + head->window_labels, p->window_labels,
               (size_t)p->windows * sizeof *p->window_labels);
    }
}

static edgeops_status write_out(eop_share *out, const plan *p) {
    eop_wire_dataset head = {.rows = p->rows, .windows = p->windows};
    size_t end = (sizeof head + 7) & ~(size_t)7;
    size_t block = 0;

    memcpy(head.magic, EOP_WIRE_MAGIC, sizeof head.magic);
    edgeops_status status = eop_wire_block_size(&block, p->types, p->manifest->input_count, p->wire,
                                                p->dataset->part_count);
    if (status < 0) {
        return status;
    }
    head.block_size = block;
    if (!place(&head.block, &end, block, 1) || !place(&head.groups, &end, p->rows, 4) ||
        !place(&head.labels, &end, p->rows, 4) || !place(&head.starts, &end, p->windows, 8) ||
        !place(&head.window_labels, &end, p->windows, 4)) {
        return eop_fail(EDGEOPS_E_LIMIT, "runtime", "dataset '%s' does not fit in memory",
                        p->dataset->name);
    }
    status = eop_shm_new(&out->fd, &out->memory, end, "edgeops-dataset");
    if (status < 0) {
        out->fd = -1;
        return status;
    }
    out->size = end;
    fill(out->memory, p, &head);
    return eop_shm_seal(out->fd);
}

static eop_json *describe(const plan *p) {
    eop_json *json = eop_json_object();
    eop_json *groups = eop_json_array();
    eop_json *labels = eop_json_array();

    for (size_t i = 0; i < p->dataset->part_count; i++) {
        eop_json_append_string(groups, p->dataset->parts[i].table->asset);
    }
    for (size_t i = 0; i < p->dataset->label_count; i++) {
        eop_json_append_string(labels, p->dataset->label_names[i]);
    }
    eop_json_set_string(json, "name", p->dataset->name);
    eop_json_set(json, "groups", groups);
    eop_json_set(json, "labels", labels);
    return json;
}

edgeops_status eop_share_dataset(eop_share *out, const edgeops_manifest *manifest,
                                 const edgeops_dataset *dataset) {
    plan p;

    *out = (eop_share){.fd = -1};
    edgeops_status status = plan_init(&p, manifest, dataset);
    for (size_t i = 0; status == EDGEOPS_OK && i < dataset->part_count; i++) {
        p.parts[i].given = &dataset->parts[i];
        status = cut(&p, &p.parts[i]);
        p.wire[i] = (eop_wire_part){&p.parts[i].table, 0, p.parts[i].table.rows};
        p.rows += p.parts[i].table.rows;
    }
    if (status == EDGEOPS_OK && p.rows == 0) {
        status = eop_fail(EDGEOPS_E_INVALID, "runtime", "dataset '%s' has no rows", dataset->name);
    }
    if (status == EDGEOPS_OK) {
        status = write_out(out, &p);
    }
    if (status == EDGEOPS_OK) {
        out->description = describe(&p);
        status = out->description == NULL ? eop_fail_nomem("runtime") : EDGEOPS_OK;
    }
    plan_dispose(&p);
    if (status < 0) {
        eop_share_dispose(out);
    }
    return status;
}

void eop_share_dispose(eop_share *share) {
    if (share->fd >= 0) {
        eop_shm_free(share->fd, share->memory, share->size);
    }
    eop_json_free(share->description);
    *share = (eop_share){.fd = -1};
}
