/* SPDX-License-Identifier: Apache-2.0 */
/* Points on a common rate against a slow reference that searches all rows for each point. */
#include "column/align.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define COLUMNS 4

static const edgeops_type types[COLUMNS] = {EDGEOPS_TYPE_FLOAT64, EDGEOPS_TYPE_INT64,
                                            EDGEOPS_TYPE_STRING, EDGEOPS_TYPE_FLOAT64};
static uint64_t state = 1;

static uint32_t roll(uint32_t n) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % n;
}

static void add_columns(eop_rows *rows) {
    for (size_t k = 0; k < COLUMNS; k++) {
        cr_assert_eq(eop_rows_add_vector(rows, types[k], 1), EDGEOPS_OK);
    }
}

static void add_row(eop_rows *rows, int64_t time, int64_t seq) {
    size_t at = rows->rows;
    char word[8];
    cr_assert_eq(eop_rows_reserve(rows, at + 1), EDGEOPS_OK);
    rows->times[at] = time;
    rows->seqs[at] = seq;
    snprintf(word, sizeof word, "w%u", roll(50));
    const edgeops_value values[COLUMNS] = {
        {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = roll(1000) * 0.5},
        {.type = EDGEOPS_TYPE_INT64, .as.i64 = roll(1000)},
        {.type = EDGEOPS_TYPE_STRING, .size = (uint32_t)strlen(word), .as.str = word},
        {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = roll(1000)}};
    const edgeops_value null = {.type = EDGEOPS_TYPE_NULL};
    for (size_t k = 0; k < COLUMNS; k++) {
        bool absent = k < 3 && roll(3) == 0;
        cr_assert_eq(eop_vector_put(&rows->vectors[k], absent ? &null : &values[k]), EDGEOPS_OK);
    }
    rows->rows++;
}

static void make_rows(eop_rows *rows, size_t n, int64_t period) {
    int64_t time = (int64_t)roll(100000) - 50000;
    int64_t seq = 0;
    rows->first_ordinal = 1;
    add_columns(rows);
    for (size_t i = 0; i < n; i++) {
        add_row(rows, time, seq);
        uint32_t what = roll(40);
        int64_t step =
            what == 0 ? period * (EOP_ALIGN_PAUSE + 2) : (int64_t)roll(3 * (uint32_t)period);
        step = what == 1 ? (period - time % period) % period : step;
        seq = step == 0 ? seq + 1 : 0;
        time += step;
    }
    cr_assert_eq(eop_rows_complete(rows), EDGEOPS_OK);
}

/* -- the reference -- */

static int64_t floor_to(int64_t time, int64_t period) {
    return time - ((time % period) + period) % period;
}

/* The first of several rows of the very time of the point, else the last one before it; rows of
 * another start do not count. */
static size_t row_before(const eop_rows *rows, int64_t time) {
    size_t best = SIZE_MAX;
    for (size_t i = 0; i < rows->rows && rows->times[i] <= time; i++) {
        if (rows->times[i] < time || best == SIZE_MAX || rows->times[best] < time) {
            best = i;
        }
    }
    return best;
}

static size_t start_of(const eop_rows *rows, size_t row, int64_t period) {
    while (row > 0 && (rows->times[row] - rows->times[row - 1]) / period <= EOP_ALIGN_PAUSE) {
        row--;
    }
    return row;
}

static size_t value_before(const eop_rows *rows, size_t k, size_t row, size_t start) {
    for (size_t i = row + 1; i > start; i--) {
        if (!eop_vector_is_null(&rows->vectors[k], i - 1)) {
            return i - 1;
        }
    }
    return SIZE_MAX;
}

static void check_point(const eop_rows *rows, const eop_align_rule *spec, const eop_rows *out,
                        size_t point) {
    int64_t time = out->times[point];
    size_t row = row_before(rows, time);
    cr_assert_neq(row, SIZE_MAX);
    cr_assert_eq(eop_rows_ordinal(out, point), row + 1);
    size_t start = start_of(rows, row, spec->period);
    for (size_t k = 0; k < COLUMNS; k++) {
        const eop_vector *vector = &rows->vectors[k];
        const eop_vector *got = &out->vectors[k];
        size_t from = value_before(rows, k, row, start);
        bool null = from == SIZE_MAX ||
                    (spec->fill == EDGEOPS_FILL_NONE && time - rows->times[from] >= spec->period) ||
                    (spec->tolerance > 0 && time - rows->times[from] > spec->tolerance);
        cr_assert_eq(eop_vector_is_null(got, point), null, "column %zu at %lld", k,
                     (long long)time);
        if (null) {
            continue;
        }
        edgeops_value want = {.type = types[k]};
        if (types[k] == EDGEOPS_TYPE_STRING) {
            const uint32_t *offsets = vector->data;
            want.as.str = vector->bytes + offsets[from];
            want.size = offsets[from + 1] - offsets[from];
        } else {
            memcpy(&want.as, (const char *)vector->data + from * 8, 8);
        }
        if (spec->fill == EDGEOPS_FILL_LINEAR && types[k] == EDGEOPS_TYPE_FLOAT64 &&
            rows->times[row] < time && row + 1 < rows->rows &&
            !eop_vector_is_null(vector, row + 1)) {
            double part = (double)(time - rows->times[from]) /
                          (double)(rows->times[row + 1] - rows->times[from]);
            want.as.f64 += (((const double *)vector->data)[row + 1] - want.as.f64) * part;
        }
        cr_assert(eop_vector_equals(got, point, &want), "column %zu at %lld", k, (long long)time);
    }
}

/* Points from the first row of each start to its last one. */
static size_t count_points(const eop_rows *rows, int64_t period) {
    size_t count = 0;
    for (size_t from = 0, to = 0; from < rows->rows; from = to) {
        for (to = from + 1; to < rows->rows && start_of(rows, to, period) == from; to++) {
        }
        count += (size_t)((floor_to(rows->times[to - 1], period) -
                           floor_to(rows->times[from] - 1, period)) /
                          period);
    }
    return count;
}

/* Feeds pieces of at most `slice` rows. */
static void align(eop_rows *out, const eop_rows *rows, const eop_align_rule *spec, size_t slice,
                  size_t max) {
    eop_align *a = NULL;
    int32_t *labels = malloc((rows->rows + 1) * sizeof *labels);
    int32_t *got = malloc(max * sizeof *got);
    for (size_t i = 0; i < rows->rows; i++) {
        labels[i] = (int32_t)i;
    }
    cr_assert_eq(eop_align_new(&a, spec), EDGEOPS_OK);
    add_columns(out);
    for (size_t from = 0; from < rows->rows; from += slice) {
        size_t to = from + slice < rows->rows ? from + slice : rows->rows;
        eop_rows piece = {0};
        add_columns(&piece);
        cr_assert_eq(eop_rows_copy(&piece, rows, from, to, NULL), EDGEOPS_OK);
        cr_assert_eq(eop_rows_complete(&piece), EDGEOPS_OK);
        cr_assert_eq(eop_align_feed(a, &piece, labels + from), EDGEOPS_OK);
        size_t count = 0;
        while (eop_align_next(a, out, got, max, &count) == EDGEOPS_OK) {
            cr_assert(count > 0 && count <= max);
            for (size_t i = 0; i < count; i++) {
                cr_assert_eq((uint64_t)got[i] + 1, eop_rows_ordinal(out, out->rows - count + i));
            }
        }
        eop_rows_dispose(&piece);
    }
    eop_align_free(a);
    free(labels);
    free(got);
}

Test(column_align, points_are_those_of_a_plain_search) {
    for (int round = 0; round < 60; round++) {
        eop_rows rows = {0};
        eop_rows out = {0};
        eop_align_rule spec = {.period = 1 + roll(200),
                               .fill = roll(3),
                               .tolerance = roll(2) == 0 ? 0 : 1 + roll(400)};
        make_rows(&rows, 1 + roll(300), spec.period);
        align(&out, &rows, &spec, 1 + roll(400), 1 + roll(100));
        cr_assert_eq(out.rows, count_points(&rows, spec.period));
        for (size_t i = 0; i < out.rows; i++) {
            cr_assert_eq(out.times[i] % spec.period, 0);
            cr_assert(i == 0 || out.times[i] > out.times[i - 1]);
            check_point(&rows, &spec, &out, i);
        }
        eop_rows_dispose(&rows);
        eop_rows_dispose(&out);
    }
}

Test(column_align, times_at_the_ends_of_int64_do_no_harm) {
    eop_rows rows = {.first_ordinal = 1};
    eop_rows out = {0};
    eop_align_rule spec = {.period = 1000};
    add_columns(&rows);
    add_row(&rows, INT64_MIN, 0);
    add_row(&rows, INT64_MIN + 5000, 0);
    add_row(&rows, INT64_MAX - 500, 0);
    add_row(&rows, INT64_MAX, 0);
    align(&out, &rows, &spec, 2, 100);
    cr_assert_eq(out.rows, 5);
    eop_rows_dispose(&rows);
    eop_rows_dispose(&out);
}

/* One row of one column is fed; the points it gives are written as "time:value ", null as "-". */
static void feed_one(eop_align *a, int64_t time, double value, char *said, size_t size) {
    eop_rows row = {.first_ordinal = 1};
    eop_rows out = {0};
    int32_t label = 0, labels[4];
    size_t count = 0;
    const edgeops_value given = {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = value};
    cr_assert_eq(eop_rows_add_vector(&row, EDGEOPS_TYPE_FLOAT64, 1), EDGEOPS_OK);
    cr_assert_eq(eop_rows_add_vector(&out, EDGEOPS_TYPE_FLOAT64, 1), EDGEOPS_OK);
    cr_assert_eq(eop_rows_reserve(&row, 1), EDGEOPS_OK);
    cr_assert_eq(eop_vector_put(&row.vectors[0], &given), EDGEOPS_OK);
    row.times[0] = time;
    row.seqs[0] = 0;
    row.rows = 1;
    said[0] = 0;
    cr_assert_eq(eop_align_feed(a, &row, &label), EDGEOPS_OK);
    while (eop_align_next(a, &out, labels, 4, &count) == EDGEOPS_OK) {
    }
    for (size_t i = 0; i < out.rows; i++) {
        edgeops_value v = eop_vector_value(&out.vectors[0], i);
        size_t used = strlen(said);
        (void)snprintf(said + used, size - used, "%lld:%g ", (long long)out.times[i],
                       v.type == EDGEOPS_TYPE_NULL ? -1 : v.as.f64);
    }
    eop_rows_dispose(&row);
    eop_rows_dispose(&out);
}

Test(column_align, rows_one_by_one_give_points_as_they_come) {
    eop_align *a = NULL;
    char said[128];
    cr_assert_eq(eop_align_new(&a, &(eop_align_rule){.period = 10, .fill = EDGEOPS_FILL_LINEAR}),
                 EDGEOPS_OK);
    feed_one(a, 5, 5, said, sizeof said);
    cr_expect_str_eq(said, "");
    feed_one(a, 20, 20, said, sizeof said);
    cr_expect_str_eq(said, "10:10 20:20 ");
    eop_align_restart(a);
    feed_one(a, 45, 45, said, sizeof said);
    cr_expect_str_eq(said, "", "no line from before the start");
    feed_one(a, 60, 60, said, sizeof said);
    cr_expect_str_eq(said, "50:50 60:60 ");
    eop_align_free(a);
}

Test(column_align, rows_that_were_let_go_leave_nothing_behind) {
    eop_align *a = NULL;
    char said[128];
    int32_t label = 0;
    eop_rows row = {.first_ordinal = 1};
    cr_assert_eq(eop_align_new(&a, &(eop_align_rule){.period = 10}), EDGEOPS_OK);
    feed_one(a, 1, 1, said, sizeof said);
    cr_assert_eq(eop_rows_add_vector(&row, EDGEOPS_TYPE_FLOAT64, 1), EDGEOPS_OK);
    cr_assert_eq(eop_rows_reserve(&row, 1), EDGEOPS_OK);
    const edgeops_value wrong = {.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = 99};
    cr_assert_eq(eop_vector_put(&row.vectors[0], &wrong), EDGEOPS_OK);
    row.times[0] = 9;
    row.seqs[0] = 0;
    row.rows = 1;
    cr_assert_eq(eop_align_feed(a, &row, &label), EDGEOPS_OK);
    eop_align_abandon(a);
    eop_rows_dispose(&row);
    feed_one(a, 11, 11, said, sizeof said);
    cr_expect_str_eq(said, "10:1 ");
    eop_align_free(a);
}
