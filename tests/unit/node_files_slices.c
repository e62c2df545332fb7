/* SPDX-License-Identifier: Apache-2.0 */
/* Rows slice by slice, and the labels over them. */
#include "node_fixture.h"

#include "node/files/slices.h"

TestSuite(node_files_slices, .init = fixture_enter, .fini = fixture_leave, .timeout = 60);

static edgeops_store *store(void) {
    return edgeops_node_store(fixture_node);
}

/* n rows of asset "x": value i, time and seq as the functions say. */
static void append(size_t n, edgeops_time (*time)(size_t), int64_t (*seq)(size_t)) {
    static const char *const channels[] = {"v"};
    edgeops_value *values = eop_calloc(n, sizeof *values);
    edgeops_sample *samples = eop_calloc(n, sizeof *samples);
    edgeops_append_result result = EDGEOPS_APPEND_RESULT_INIT;
    for (size_t i = 0; i < n; i++) {
        values[i] = (edgeops_value){.type = EDGEOPS_TYPE_FLOAT64, .as.f64 = (double)i};
        samples[i] = (edgeops_sample){.asset = "x",
                                      .time = time(i),
                                      .seq = seq(i),
                                      .count = 1,
                                      .channels = channels,
                                      .values = &values[i]};
    }
    cr_assert(eq(int, edgeops_store_append(&result, store(), samples, n, NULL), EDGEOPS_OK), "%s",
              edgeops_error_last()->message);
    cr_assert(eq(u64, result.appended, n));
    eop_free(values);
    eop_free(samples);
}

/* Every row once, in order: their values are 0, 1, 2, ... */
static void expect_rows(size_t n) {
    eop_slices *slices = NULL;
    const edgeops_table *table = NULL;
    uint64_t first = 0;
    size_t seen = 0;
    edgeops_status status = EDGEOPS_OK;
    cr_assert(
        eq(int, eop_slices_open(&slices, store(), "x", NULL, 0, EDGEOPS_TIME_MIN, EDGEOPS_TIME_MAX),
           EDGEOPS_OK));
    while ((status = eop_slices_next(slices, &table, &first)) == EDGEOPS_OK) {
        for (uint64_t r = first; r < table->rows; r++) {
            cr_assert(eq(dbl, table->columns[0].f64[r], (double)seen));
            seen++;
        }
    }
    cr_expect(eq(int, status, EDGEOPS_DONE));
    cr_expect(eq(sz, seen, n));
    eop_slices_close(slices);
}

static edgeops_time each(size_t i) {
    return (edgeops_time)i;
}
static edgeops_time one(size_t i) {
    (void)i;
    return 7;
}
static edgeops_time in_tens(size_t i) {
    return (edgeops_time)(i / 10);
}
static int64_t count(size_t i) {
    return (int64_t)i;
}
static int64_t none(size_t i) {
    (void)i;
    return 0;
}

Test(node_files_slices, rows_of_many_slices_come_once) {
    append(70000, each, none);
    expect_rows(70000);
}

Test(node_files_slices, a_time_may_span_slices) {
    append(70003, in_tens, count);
    expect_rows(70003);
}

Test(node_files_slices, one_time_may_be_larger_than_a_slice) {
    append(100000, one, count);
    expect_rows(100000);
}

Test(node_files_slices, a_slice_that_is_full_may_be_the_last) {
    append(32768, each, none);
    expect_rows(32768);
}

Test(node_files_slices, a_change_of_type_between_slices_is_told) {
    eop_slices *slices = NULL;
    const edgeops_table *table = NULL;
    uint64_t first = 0;
    edgeops_retype_options options = EDGEOPS_RETYPE_OPTIONS_INIT;
    append(70000, each, none);
    cr_assert(
        eq(int, eop_slices_open(&slices, store(), "x", NULL, 0, EDGEOPS_TIME_MIN, EDGEOPS_TIME_MAX),
           EDGEOPS_OK));
    cr_assert(eq(int, eop_slices_next(slices, &table, &first), EDGEOPS_OK));
    options.asset = "x";
    options.channel = "v";
    options.type = EDGEOPS_TYPE_INT64;
    cr_assert(eq(int, edgeops_channel_retype(NULL, store(), &options), EDGEOPS_OK));
    cr_expect(eq(int, eop_slices_next(slices, &table, &first), EDGEOPS_E_AGAIN));
    eop_slices_close(slices);
}

Test(node_files_slices, an_unknown_asset_is_told) {
    eop_slices *slices = NULL;
    cr_expect(
        eq(int, eop_slices_open(&slices, store(), "y", NULL, 0, EDGEOPS_TIME_MIN, EDGEOPS_TIME_MAX),
           EDGEOPS_E_NOTFOUND));
}

static void label(edgeops_time start, edgeops_time end, const char *text) {
    edgeops_label l = {.asset = "x", .start = start, .end = end, .label = text, .author = ""};
    cr_assert(eq(int, edgeops_label_add(NULL, store(), &l, 1), EDGEOPS_OK));
}

Test(node_files_slices, the_newest_label_wins) {
    static const char *const expected[] = {NULL, NULL, "a", "b", "c", "b",
                                           "b",  "a",  "a", "p", NULL};
    eop_labels *labels = NULL;
    append(1, each, none);
    label(2, 10, "a");
    label(3, 7, "b");
    label(4, 5, "c");
    label(9, 9, "p");
    cr_assert(eq(int, eop_labels_open(&labels, store(), "x"), EDGEOPS_OK));
    for (size_t t = 0; t < EOP_COUNT(expected); t++) {
        const char *found = eop_labels_at(labels, (edgeops_time)t);
        cr_expect(eq(str, (char *)(found != NULL ? found : ""),
                     (char *)(expected[t] != NULL ? expected[t] : "")),
                  "%zu", t);
    }
    eop_labels_close(labels);
}
