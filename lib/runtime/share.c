/* SPDX-License-Identifier: Apache-2.0 */
/* Lays a dataset out in a memory file and seals it: rows in the order of the inputs, windows,
 * labels and groups for each subset. First everything is planned and measured, then the file
 * gets its size, then it is filled. It needs no lock and no loop. */
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "codec/wire.h"
#include "runtime/dataset.h"
#include "runtime/rows.h"
#include "runtime/runtime.h"
#include "runtime/share.h"
#include "runtime/window.h"

/* One asset's columns in the inputs' order. */
typedef struct source {
    edgeops_column *columns;
    edgeops_table table;
} source;

/* Rows that stand side by side, as the worker will see them. */
typedef struct run {
    eop_dataset_run of;
    eop_window_cutter *cutter; /* where rows are made: holds them */
} run;

/* One subset. */
typedef struct plan {
    edgeops_subset subset;
    run *runs;
    size_t run_count;
    size_t run_capacity;
    eop_wire_part *wire;
    int64_t *starts;
    int32_t *window_labels;
    size_t window_capacity;
    size_t label_capacity;
    uint64_t windows;
    uint64_t rows;
    eop_wire_dataset head;
    size_t at;   /* in the memory */
    bool direct; /* whole parts, straight from the store */
} plan;

typedef struct layout {
    const edgeops_manifest *manifest;
    const edgeops_dataset *dataset;
    edgeops_window_spec window;
    bool made; /* the rows are not those of the dataset: on a grid, or with nulls filled */
    edgeops_type *types;
    source *sources; /* for each part */
    plan plans[3];
    size_t plan_count;
    size_t size;
} layout;

static void dispose(layout *l) {
    for (size_t i = 0; i < l->plan_count; i++) {
        plan *p = &l->plans[i];
        for (size_t k = 0; k < p->run_count; k++) {
            eop_window_free(p->runs[k].cutter);
        }
        eop_free(p->runs);
        eop_free(p->wire);
        eop_free(p->starts);
        eop_free(p->window_labels);
    }
    for (size_t i = 0; l->sources != NULL && i < l->dataset->part_count; i++) {
        eop_free(l->sources[i].columns);
    }
    eop_free(l->sources);
    eop_free(l->types);
}

/* Rows that are not made stay where they are: only the columns are put in order. */
static edgeops_status project(source *out, const edgeops_table *table, const edgeops_manifest *m) {
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

static edgeops_status init(layout *l, const edgeops_manifest *m, const edgeops_dataset *dataset) {
    *l = (layout){.manifest = m, .dataset = dataset};
    edgeops_status status = eop_dataset_window(&l->window, m, dataset);
    if (status < 0) {
        return status;
    }
    l->made = l->window.period > 0 || l->window.missing != EDGEOPS_MISSING_NULL;
    l->types = eop_calloc(m->input_count, sizeof *l->types);
    l->sources = eop_calloc(dataset->part_count, sizeof *l->sources);
    if (l->types == NULL || l->sources == NULL) {
        return eop_fail_nomem("runtime");
    }
    for (size_t i = 0; i < m->input_count; i++) {
        l->types[i] = m->inputs[i].type;
    }
    for (size_t i = 0; status == EDGEOPS_OK && i < dataset->part_count; i++) {
        status = project(&l->sources[i], dataset->parts[i].table, m);
    }
    return status;
}

/* -- windows -- */

static edgeops_status room_for_windows(plan *p, uint64_t more) {
    size_t need = (size_t)(p->windows + more);
    return eop_grow(&p->starts, &p->window_capacity, need, sizeof *p->starts) &&
                   eop_grow(&p->window_labels, &p->label_capacity, need, sizeof *p->window_labels)
               ? EDGEOPS_OK
               : eop_fail_nomem("runtime");
}

/* Each row is a window. */
static bool each_row(const layout *l) {
    return l->window.rows == 1 && l->window.step <= 1 && !l->made;
}

static edgeops_status cut_rows(plan *p, const layout *l, const run *r) {
    const int32_t *labels = l->dataset->parts[r->of.part].labels;
    edgeops_status status = room_for_windows(p, r->of.rows);
    for (uint64_t i = 0; status == EDGEOPS_OK && i < r->of.rows; i++) {
        p->starts[p->windows] = (int64_t)(p->rows + i);
        p->window_labels[p->windows++] = labels != NULL ? labels[r->of.first + i] : -1;
    }
    return status;
}

static edgeops_status cut_run(plan *p, const layout *l, run *r) {
    const edgeops_manifest *m = l->manifest;
    const edgeops_dataset_part *part = &l->dataset->parts[r->of.part];
    eop_window window;

    edgeops_status status =
        eop_window_new(&r->cutter, &l->window, m->inputs, l->made ? m->input_count : 0);
    if (status < 0) {
        return status;
    }
    eop_window_keep(r->cutter);
    status = eop_window_feed(r->cutter, part->table, r->of.first, r->of.rows, part->labels);
    while (status >= 0 && (status = eop_window_next(r->cutter, &window)) == EDGEOPS_OK) {
        status = room_for_windows(p, 1);
        if (status == EDGEOPS_OK) {
            p->starts[p->windows] = (int64_t)(p->rows + window.first);
            p->window_labels[p->windows++] = window.label;
        }
    }
    return status == EDGEOPS_DONE ? EDGEOPS_OK : status;
}

static edgeops_status add_run(plan *p, const layout *l, const eop_dataset_run *of) {
    if (!eop_grow(&p->runs, &p->run_capacity, p->run_count + 1, sizeof *p->runs)) {
        return eop_fail_nomem("runtime");
    }
    run *r = &p->runs[p->run_count++];
    *r = (run){.of = *of};
    edgeops_status status = each_row(l) ? cut_rows(p, l, r) : cut_run(p, l, r);
    if (status == EDGEOPS_OK && !l->made) {
        eop_window_free(r->cutter);
        r->cutter = NULL;
    }
    p->rows += r->cutter != NULL ? eop_window_table(r->cutter)->rows : r->of.rows;
    return status;
}

/* Takes a subset that has rows. */
static edgeops_status add_plan(layout *l, uint32_t subset) {
    plan *p = &l->plans[l->plan_count];
    eop_dataset_run of = {0};
    edgeops_status status = EDGEOPS_OK;
    *p = (plan){.subset = (edgeops_subset)(subset != EOP_SUBSET_ALL ? subset : 0)};
    l->plan_count++;
    while (status == EDGEOPS_OK && eop_dataset_next(&of, l->dataset, subset)) {
        status = add_run(p, l, &of);
    }
    if (status != EDGEOPS_OK) {
        return status;
    }
    if (p->rows == 0) {
        l->plan_count--;
        return EDGEOPS_OK;
    }
    p->wire = eop_calloc(p->run_count, sizeof *p->wire);
    for (size_t i = 0; p->wire != NULL && i < p->run_count; i++) {
        const run *r = &p->runs[i];
        const edgeops_table *table = r->cutter != NULL ? eop_window_table(r->cutter) : NULL;
        p->wire[i] = table != NULL
                         ? (eop_wire_part){table, 0, table->rows}
                         : (eop_wire_part){&l->sources[r->of.part].table, r->of.first, r->of.rows};
    }
    return p->wire != NULL ? EDGEOPS_OK : eop_fail_nomem("runtime");
}

static int32_t row_label(const layout *l, const run *r, uint64_t row) {
    if (r->cutter != NULL) {
        return eop_window_row_label(r->cutter, row);
    }
    const int32_t *labels = l->dataset->parts[r->of.part].labels;
    return labels != NULL ? labels[r->of.first + row] : -1;
}

/* -- memory -- */

static bool place(uint64_t *at, size_t *end, uint64_t count, size_t width) {
    size_t bytes;

    *at = *end;
    return count <= SIZE_MAX / 16 && eop_mul_size(&bytes, (size_t)count, width) &&
           eop_add_size(&bytes, bytes, 7) && eop_add_size(end, *end, bytes & ~(size_t)7);
}

/* What the worker can make itself gets no place and offset 0: the groups of whole parts, labels
 * where there are none, the windows of single rows. */
static bool place_marks(plan *p, const layout *l, size_t *end) {
    eop_wire_dataset *head = &p->head;
    bool labels = !p->direct || l->dataset->label_count > 0;
    bool windows = !p->direct || !each_row(l);
    if ((!p->direct && !place(&head->groups, end, p->rows, 4)) ||
        (labels && !place(&head->labels, end, p->rows, 4)) ||
        (windows && (!place(&head->starts, end, p->windows, 8) ||
                     !place(&head->window_labels, end, p->windows, 4)))) {
        return false;
    }
    head->window_labels = windows ? head->window_labels : head->labels;
    return true;
}

static edgeops_status place_plan(plan *p, layout *l) {
    size_t block = 0;
    size_t end = (sizeof p->head + 7) & ~(size_t)7;
    p->head = (eop_wire_dataset){.rows = p->rows, .windows = p->windows};
    memcpy(p->head.magic, EOP_WIRE_MAGIC, sizeof p->head.magic);
    edgeops_status status =
        eop_wire_block_size(&block, l->types, l->manifest->input_count, p->wire, p->run_count);
    if (status < 0) {
        return status;
    }
    p->head.block_size = block;
    p->at = l->size;
    if (!place(&p->head.block, &end, block, 1) || !place_marks(p, l, &end) ||
        !eop_add_size(&l->size, l->size, end)) {
        return eop_fail(EDGEOPS_E_LIMIT, "runtime", "dataset '%s' does not fit in memory",
                        l->dataset->name);
    }
    return EDGEOPS_OK;
}

static void fill(char *memory, const plan *p, const layout *l) {
    const eop_wire_dataset *head = &p->head;
    uint64_t k = 0;

    memcpy(memory, head, sizeof *head);
    eop_wire_block_write(memory + head->block, l->types, l->manifest->input_count, p->wire,
                         p->run_count);
    int32_t *groups = (int32_t *)(void *)(memory + head->groups);
    int32_t *labels = (int32_t *)(void *)(memory + head->labels);
    for (size_t i = 0; i < p->run_count; i++) {
        for (uint64_t row = 0; row < p->wire[i].rows; row++, k++) {
            groups[k] = (int32_t)p->runs[i].of.part;
            labels[k] = row_label(l, &p->runs[i], row);
        }
    }
    if (p->windows > 0) {
        memcpy(memory + head->starts, p->starts, (size_t)p->windows * sizeof *p->starts);
        memcpy(memory + head->window_labels, p->window_labels,
               (size_t)p->windows * sizeof *p->window_labels);
    }
}

static edgeops_status write_out(eop_share *out, layout *l) {
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < l->plan_count; i++) {
        status = place_plan(&l->plans[i], l);
    }
    if (status == EDGEOPS_OK) {
        status = eop_shm_new(&out->fd, &out->memory, l->size, "edgeops-dataset");
    }
    if (status < 0) {
        out->fd = -1;
        return status;
    }
    out->size = l->size;
    eop_shm_use_large_pages(out->memory, out->size);
    for (size_t i = 0; i < l->plan_count; i++) {
        fill((char *)out->memory + l->plans[i].at, &l->plans[i], l);
    }
    return eop_shm_seal(out->fd);
}

static eop_json *describe(const layout *l) {
    static const char *const names[] = {"train", "test", "validation"};
    eop_json *json = eop_json_object();
    eop_json *groups = eop_json_array();
    eop_json *labels = eop_json_array();
    eop_json *subsets = eop_json_object();
    eop_json *rows = eop_json_array();

    for (size_t i = 0; i < l->dataset->part_count; i++) {
        eop_json_append_string(groups, l->dataset->parts[i].table->asset);
        eop_json_append(rows, eop_json_new_number((double)l->dataset->parts[i].table->rows));
    }
    for (size_t i = 0; i < l->dataset->label_count; i++) {
        eop_json_append_string(labels, l->dataset->label_names[i]);
    }
    for (size_t i = 0; i < l->plan_count; i++) {
        eop_json_set_integer(subsets, names[l->plans[i].subset], (int64_t)l->plans[i].at);
    }
    eop_json_set_string(json, "name", l->dataset->name);
    eop_json_set(json, "groups", groups);
    eop_json_set(json, "group_rows", rows);
    eop_json_set(json, "labels", labels);
    eop_json_set(json, "subsets", subsets);
    return json;
}

static edgeops_status plan_subsets(layout *l) {
    if (l->dataset->split == EDGEOPS_SPLIT_NONE) {
        return add_plan(l, EOP_SUBSET_ALL);
    }
    edgeops_status status = EDGEOPS_OK;
    for (uint32_t subset = 0; status == EDGEOPS_OK && subset < EOP_COUNT(l->plans); subset++) {
        status = add_plan(l, subset);
    }
    return status;
}

/* -- straight from the store -- */

/* All that the worker sees is float64 rows as they are in the dataset. */
static bool is_direct(const layout *l) {
    bool direct = l->dataset->split == EDGEOPS_SPLIT_NONE && !l->made;
    for (size_t k = 0; k < l->manifest->input_count; k++) {
        direct = direct && l->types[k] == EDGEOPS_TYPE_FLOAT64;
        for (size_t i = 0; i < l->dataset->part_count; i++) {
            const edgeops_column *column = &l->sources[i].columns[k];
            direct = direct && column->type == EDGEOPS_TYPE_FLOAT64 && column->length <= 1;
        }
    }
    return direct;
}

/* The rows are not read yet, so there is room for as many windows as there may be. */
static edgeops_status plan_direct(layout *l) {
    plan *p = &l->plans[l->plan_count++];
    size_t parts = l->dataset->part_count;
    *p = (plan){.subset = EDGEOPS_SUBSET_TRAIN, .direct = true};
    p->wire = eop_calloc(parts, sizeof *p->wire);
    if (p->wire == NULL || !eop_grow(&p->runs, &p->run_capacity, parts, sizeof *p->runs)) {
        return eop_fail_nomem("runtime");
    }
    for (; p->run_count < parts; p->run_count++) {
        uint64_t rows = l->dataset->parts[p->run_count].table->rows;
        p->runs[p->run_count] = (run){.of = {.part = p->run_count, .rows = rows}};
        p->wire[p->run_count] = (eop_wire_part){&l->sources[p->run_count].table, 0, rows};
        p->rows += rows;
        p->windows += rows / (l->window.step > 1 ? l->window.step : 1) + 1;
    }
    return place_plan(p, l);
}

/* By the times and labels that are in the memory now. */
static edgeops_status cut_direct(plan *p, const layout *l, char *memory,
                                 const edgeops_dataset_layout *filled) {
    void *starts = memory + p->head.starts;
    void *window_labels = memory + p->head.window_labels;
    edgeops_table table = {.times = filled->times, .seqs = filled->seqs};
    edgeops_dataset_part part = {.table = &table, .labels = filled->labels};
    edgeops_dataset view = {.part_count = 1, .parts = &part};
    layout one = {.manifest = l->manifest, .dataset = &view, .window = l->window};
    if (each_row(l)) {
        p->head.windows = p->rows;
        return EDGEOPS_OK;
    }
    plan cut = {0};
    edgeops_status status = EDGEOPS_OK;
    for (size_t i = 0; status == EDGEOPS_OK && i < p->run_count; i++) {
        eop_dataset_run of = {.rows = p->runs[i].of.rows};
        table.rows = of.rows;
        status = add_run(&cut, &one, &of);
        table.times += of.rows;
        table.seqs += of.rows;
        part.labels += part.labels != NULL ? of.rows : 0;
    }
    if (status == EDGEOPS_OK && cut.windows > 0) {
        memcpy(starts, cut.starts, (size_t)cut.windows * sizeof *cut.starts);
        memcpy(window_labels, cut.window_labels, (size_t)cut.windows * sizeof *cut.window_labels);
    }
    p->head.windows = cut.windows;
    one.plans[0] = cut;
    one.plan_count = 1;
    dispose(&one);
    return status;
}

static edgeops_status fill_direct(eop_share *out, layout *l, eop_share_fill_fn fill_from,
                                  void *user_data) {
    plan *p = &l->plans[0];
    size_t inputs = l->manifest->input_count;
    edgeops_dataset_layout rows = EDGEOPS_DATASET_LAYOUT_INIT;
    int64_t *seqs = NULL;
    edgeops_status status = eop_shm_new(&out->fd, &out->memory, l->size, "edgeops-dataset");
    if (status < 0) {
        out->fd = -1;
        return status;
    }
    out->size = l->size;
    eop_shm_use_large_pages(out->memory, out->size);
    const char **names = eop_calloc(inputs, sizeof *names);
    if (names == NULL) {
        return eop_fail_nomem("runtime");
    }
    for (size_t k = 0; k < inputs; k++) {
        names[k] = l->manifest->inputs[k].name;
    }
    char *memory = out->memory;
    void *labels = p->head.labels > 0 ? memory + p->head.labels : NULL;
    rows.capacity = p->rows;
    rows.channels = names;
    rows.channel_count = inputs;
    rows.labels = labels;
    eop_wire_block_begin(&rows.times, &rows.values, memory + p->head.block, p->rows, inputs);
    if (l->window.rows > 1) { /* rows of one time are distinct */
        seqs = rows.seqs = eop_realloc_array(NULL, (size_t)p->rows, sizeof *seqs);
        status = seqs != NULL ? EDGEOPS_OK : eop_fail_nomem("runtime");
    }
    if (status == EDGEOPS_OK) {
        status = fill_from(&rows, user_data);
    }
    if (status == EDGEOPS_OK) {
        status = cut_direct(p, l, memory, &rows);
    }
    if (status == EDGEOPS_OK) {
        memcpy(memory, &p->head, sizeof p->head);
        status = eop_shm_seal(out->fd);
    }
    eop_free(seqs);
    eop_free(names);
    return status;
}

/* -- the share -- */

static edgeops_status share(eop_share *out, layout *l, eop_share_fill_fn fill_from,
                            void *user_data) {
    edgeops_status status = fill_from != NULL ? plan_direct(l) : plan_subsets(l);
    if (status == EDGEOPS_OK && (l->plan_count == 0 || l->plans[0].rows == 0 ||
                                 l->plans[0].subset != EDGEOPS_SUBSET_TRAIN)) {
        status = eop_fail(EDGEOPS_E_INVALID, "runtime", "dataset '%s' has no rows to train on",
                          l->dataset->name);
    }
    if (status == EDGEOPS_OK) {
        status = fill_from != NULL ? fill_direct(out, l, fill_from, user_data) : write_out(out, l);
    }
    if (status == EDGEOPS_OK) {
        out->description = describe(l);
        status = out->description == NULL ? eop_fail_nomem("runtime") : EDGEOPS_OK;
    }
    if (status < 0) {
        eop_share_dispose(out);
    }
    return status;
}

edgeops_status eop_share_dataset(eop_share *out, const edgeops_manifest *manifest,
                                 const edgeops_dataset *dataset) {
    layout l;

    *out = (eop_share){.fd = -1};
    edgeops_status status = init(&l, manifest, dataset);
    if (status == EDGEOPS_OK) {
        status = share(out, &l, NULL, NULL);
    }
    dispose(&l);
    return status;
}

edgeops_status eop_share_head(eop_share *out, const edgeops_manifest *manifest,
                              const edgeops_dataset *head, eop_share_fill_fn fill_from,
                              void *user_data) {
    layout l;

    *out = (eop_share){.fd = -1};
    edgeops_status status = init(&l, manifest, head);
    if (status == EDGEOPS_OK) {
        status = is_direct(&l) ? share(out, &l, fill_from, user_data) : EDGEOPS_DONE;
    }
    dispose(&l);
    return status;
}

void eop_share_dispose(eop_share *share) {
    if (share->fd >= 0) {
        eop_shm_free(share->fd, share->memory, share->size);
    }
    eop_json_free(share->description);
    *share = (eop_share){.fd = -1};
}
