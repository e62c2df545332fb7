/* SPDX-License-Identifier: Apache-2.0 */
/* Merged rows against a table of all keys that says which source has which cell. */
#include "column/merge.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "edgeops/context.h"
#include "value_fixture.h"

enum { COLUMNS = 4, KEYS = 900, SOURCES = 6, LENGTH = 3, NOBODY = -1 };

static const edgeops_type types[COLUMNS] = {EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_STRING,
                                            EDGEOPS_TYPE_INT16, EDGEOPS_TYPE_INT8};

/* Key i is (i / 3, i % 3). */
typedef struct model {
    dice d;
    size_t keys;
    int sources;
    bool has[SOURCES][KEYS];
    uint64_t ordinals[SOURCES][KEYS];
    int owner[KEYS][COLUMNS]; /* of the cell; NOBODY: null everywhere */
    uint16_t quality[KEYS][COLUMNS];
    eop_rows rows[SOURCES];
} model;

typedef enum keying { ANY, SAME, RUNS, ONE_OF_MANY, SHAPES } keying;

static bool draw_key(model *m, keying shape, int source, size_t key) {
    switch (shape) {
    case SAME:
        return key % 7 != 3;
    case RUNS:
        return (key / 40 + (size_t)source) % 3 == 0;
    case ONE_OF_MANY:
        return source == (int)(key * 7 % (size_t)m->sources);
    default:
        return below(&m->d, 3) > 0;
    }
}

static edgeops_value cell(model *m, size_t key, int column, char place[16], int16_t array[LENGTH]) {
    (void)m;
    edgeops_value value = {.type = types[column]};
    if (column == 0) {
        value.as.f64 = (double)key * 0.5;
    } else if (column == 1) {
        value.size = (uint32_t)snprintf(place, 16, "%.*s%d", (int)(key % 5), "long", (int)key);
        value.as.str = place;
    } else if (column == 2) {
        for (int e = 0; e < LENGTH; e++) {
            array[e] = (int16_t)(key + (size_t)e);
        }
        value.size = LENGTH * sizeof *array;
        value.as.data = array;
    } else {
        value.as.i64 = (int64_t)(key % 100);
    }
    return value;
}

static void add_columns(eop_rows *rows) {
    for (int k = 0; k < COLUMNS; k++) {
        CHECK_OK(eop_rows_add_vector(rows, types[k], k == 2 ? LENGTH : 1));
    }
}

static void add_row(model *m, int source, size_t key, bool lag) {
    eop_rows *rows = &m->rows[source];
    size_t at = rows->rows;
    CHECK_OK(eop_rows_reserve(rows, at + 1));
    CHECK_OK(eop_rows_keep_ordinals(rows));
    rows->times[at] = (int64_t)(key / 3);
    rows->seqs[at] = (int64_t)(key % 3);
    rows->ordinals[at] = m->ordinals[source][key];
    for (int k = 0; k < COLUMNS; k++) {
        char place[16];
        int16_t array[LENGTH];
        edgeops_value value = {.type = EDGEOPS_TYPE_NULL};
        if (m->owner[key][k] == source) {
            value = cell(m, key, k, place, array);
        } else if (lag) {
            continue;
        }
        CHECK_OK(eop_vector_pad(&rows->vectors[k], at));
        CHECK_OK(eop_vector_put(&rows->vectors[k], &value));
        if (value.type != EDGEOPS_TYPE_NULL) {
            CHECK_OK(eop_vector_rate(&rows->vectors[k], at, &m->quality[key][k], 1));
        }
    }
    rows->rows++;
}

/* by_column: a column is of one source. */
static void draw(model *m, keying shape, bool by_column) {
    m->keys = 1 + below(&m->d, KEYS);
    m->sources = 1 + (int)below(&m->d, SOURCES);
    uint64_t ordinal = 1;
    for (int s = 0; s < m->sources; s++) {
        for (size_t key = 0; key < m->keys; key++) {
            m->has[s][key] = draw_key(m, shape, s, key);
            m->ordinals[s][key] = ordinal++;
        }
    }
    for (size_t key = 0; key < m->keys; key++) {
        for (int k = 0; k < COLUMNS; k++) {
            int owner = by_column ? k % m->sources : (int)below(&m->d, (uint64_t)m->sources + 1);
            m->owner[key][k] = owner < m->sources && m->has[owner][key] ? owner : NOBODY;
            m->quality[key][k] =
                below(&m->d, 9) == 0 ? (uint16_t)below(&m->d, 99) : EDGEOPS_QUALITY_NONE;
        }
    }
    for (int s = 0; s < m->sources; s++) {
        m->rows[s] = (eop_rows){0};
        add_columns(&m->rows[s]);
        for (size_t key = 0; key < m->keys; key++) {
            if (m->has[s][key]) {
                add_row(m, s, key, s % 2 == 0);
            }
        }
    }
}

static void check_row(model *m, const eop_rows *out, size_t row, size_t key) {
    uint64_t ordinal = UINT64_MAX;
    for (int s = 0; s < m->sources; s++) {
        if (m->has[s][key] && m->ordinals[s][key] < ordinal) {
            ordinal = m->ordinals[s][key];
        }
    }
    cr_assert_eq(out->times[row], (int64_t)(key / 3));
    cr_assert_eq(out->seqs[row], (int64_t)(key % 3));
    cr_assert_eq(eop_rows_ordinal(out, row), ordinal);
    for (int k = 0; k < COLUMNS; k++) {
        char place[16];
        int16_t array[LENGTH];
        edgeops_value value = {.type = EDGEOPS_TYPE_NULL};
        uint16_t quality = EDGEOPS_QUALITY_NONE;
        if (m->owner[key][k] != NOBODY) {
            value = cell(m, key, k, place, array);
            quality = m->quality[key][k];
        }
        cr_assert_gt(out->vectors[k].filled, row);
        cr_assert(eop_vector_equals(&out->vectors[k], row, &value), "key %d, column %d", (int)key,
                  k);
        cr_assert_eq(eop_vector_quality(&out->vectors[k], row), quality);
    }
}

/* A source is added in several runs, and put as decoded chunks are: each from its own rows. */
static edgeops_status merge_all(eop_merge *merge, model *m, bool fold, size_t pieces,
                                int source_of[], size_t first_of[]) {
    edgeops_status status = EDGEOPS_OK;
    eop_merge_begin(merge, fold);
    for (int s = 0; s < m->sources; s++) {
        for (size_t i = 0; i < pieces; i++) {
            size_t from = m->rows[s].rows * i / pieces;
            size_t to = m->rows[s].rows * (i + 1) / pieces;
            if (from < to && status == EDGEOPS_OK) {
                source_of[merge->run_count] = s;
                first_of[merge->run_count] = from;
                status = eop_merge_add(merge, &m->rows[s], from, to);
            }
        }
    }
    return status == EDGEOPS_OK ? eop_merge_finish(merge) : status;
}

static edgeops_status put_block(eop_rows *shown, eop_merge *merge, model *m, eop_rows *out,
                                size_t from, size_t to, const int source_of[],
                                const size_t first_of[]) {
    edgeops_status status = eop_merge_block(merge, out, from, to);
    for (size_t run = 0; status == EDGEOPS_OK && run < merge->run_count; run++) {
        status = eop_merge_put(merge, out, run, &m->rows[source_of[run]], first_of[run],
                               below(&m->d, 2) > 0);
    }
    return status == EDGEOPS_OK ? eop_merge_end(shown, merge, out) : status;
}

static void check_merge(eop_merge *merge, model *m, bool fold) {
    int source_of[SOURCES * 4];
    size_t first_of[SOURCES * 4];
    eop_rows out = {0};
    eop_rows shown = {0};
    size_t at = 0;
    size_t key = 0;
    add_columns(&out);
    CHECK_OK(merge_all(merge, m, fold, 1 + below(&m->d, 4), source_of, first_of));
    size_t n = merge->run_count > 0 ? eop_merge_keys(merge)->rows : 0;
    while (at < n) {
        size_t to = at + 1 + below(&m->d, n - at);
        CHECK_OK(put_block(&shown, merge, m, &out, at, to, source_of, first_of));
        cr_assert_eq(shown.rows, to - at);
        for (size_t row = 0; row < shown.rows; row++, key++) {
            bool there = false;
            while (!there) {
                cr_assert_lt(key, m->keys);
                for (int s = 0; s < m->sources; s++) {
                    there = there || m->has[s][key];
                }
                key += there ? 0 : 1;
            }
            check_row(m, &shown, row, key);
        }
        at = to;
    }
    for (; key < m->keys; key++) {
        for (int s = 0; s < m->sources; s++) {
            cr_assert_not(m->has[s][key]);
        }
    }
    eop_rows_dispose(&out);
}

static void dispose(model *m) {
    for (int s = 0; s < m->sources; s++) {
        eop_rows_dispose(&m->rows[s]);
    }
}

Test(column_merge, joins_the_parts_of_rows) {
    static model m = {.d = {7}};
    eop_merge merge = {0};
    for (int i = 0; i < 400; i++) {
        draw(&m, (keying)(i % SHAPES), i % 3 == 0);
        check_merge(&merge, &m, true);
        dispose(&m);
    }
    eop_merge_dispose(&merge);
}

Test(column_merge, keeps_whole_rows_apart) {
    static model m = {.d = {8}};
    eop_merge merge = {0};
    for (int i = 0; i < 100; i++) {
        draw(&m, ONE_OF_MANY, false);
        check_merge(&merge, &m, false);
        dispose(&m);
    }
    eop_merge_dispose(&merge);
}

Test(column_merge, sources_with_the_same_keys_are_one_lead) {
    static model m = {.d = {9}};
    int source_of[SOURCES * 4];
    size_t first_of[SOURCES * 4];
    eop_merge merge = {0};
    draw(&m, SAME, true);
    CHECK_OK(merge_all(&merge, &m, true, 4, source_of, first_of));
    cr_assert_eq(merge.lead_count, 1);
    cr_assert_eq(eop_merge_keys(&merge)->rows, m.rows[0].rows);
    dispose(&m);
    eop_merge_dispose(&merge);
}

static long counter;
static long fail_at; /* 0: never */

static void *counting_alloc(void *data, size_t size) {
    (void)data;
    return ++counter == fail_at ? NULL : malloc(size);
}

static void *counting_realloc(void *data, void *memory, size_t size) {
    (void)data;
    return ++counter == fail_at ? NULL : realloc(memory, size);
}

static void counting_free(void *data, void *memory) {
    (void)data;
    free(memory);
}

static edgeops_status merge_once(model *m) {
    int source_of[SOURCES * 4];
    size_t first_of[SOURCES * 4];
    eop_merge merge = {0};
    eop_rows out = {0};
    eop_rows shown = {0};
    edgeops_status status = EDGEOPS_OK;
    for (int k = 0; status == EDGEOPS_OK && k < COLUMNS; k++) {
        status = eop_rows_add_vector(&out, types[k], k == 2 ? LENGTH : 1);
    }
    if (status == EDGEOPS_OK) {
        status = merge_all(&merge, m, true, 2, source_of, first_of);
    }
    size_t n = status == EDGEOPS_OK && merge.run_count > 0 ? eop_merge_keys(&merge)->rows : 0;
    if (status == EDGEOPS_OK && n > 0) {
        status = put_block(&shown, &merge, m, &out, 0, n, source_of, first_of);
    }
    eop_rows_dispose(&out);
    eop_merge_dispose(&merge);
    return status;
}

Test(column_merge, each_allocation_may_fail) {
    static model m = {.d = {10}};
    edgeops_allocator allocator = {counting_alloc, counting_realloc, counting_free, NULL};
    CHECK_OK(edgeops_set_allocator(&allocator));
    draw(&m, ANY, false);
    edgeops_status status = EDGEOPS_E_NOMEM;
    for (long i = 1; status != EDGEOPS_OK; i++) {
        counter = 0;
        fail_at = i;
        status = merge_once(&m);
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM);
        cr_assert(status == EDGEOPS_OK || i < 10000);
    }
    cr_assert_gt(fail_at, 20);
    fail_at = 0;
    dispose(&m);
}
