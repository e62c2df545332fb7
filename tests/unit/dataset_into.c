/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets read into the caller's arrays equal the same datasets read as tables. */
#include <math.h>

#include "base/type.h"
#include "edgeops/dataset.h"
#include "edgeops/label.h"
#include "store_fixture.h"

TestSuite(dataset_into, .init = make_home, .fini = remove_home);

enum { ASSETS = 3, ROWS = 7000 };
static const char *const assets[ASSETS] = {"m/1", "m/2", "m/3"};

static void fill(edgeops_store *store, dice *d) {
    static const char *const names[] = {"x", "i", "b"};
    for (int a = 0; a < ASSETS; a++) {
        int64_t clock = 0;
        for (int row = 0; row < ROWS - a * 1000; row++) {
            edgeops_value values[3] = {f64((double)below(d, 1000) / 4), i64((int64_t)below(d, 9)),
                                       boolean((int)below(d, 2))};
            for (int k = 0; k < 3; k++) {
                values[k].type = below(d, 9) == 0 ? EDGEOPS_TYPE_NULL : values[k].type;
            }
            clock += (int64_t)below(d, 1000);
            edgeops_sample sample = {.asset = assets[a],
                                     .time = clock - (below(d, 30) == 0 ? 3000 : 0),
                                     .seq = (int64_t)below(d, 2),
                                     .count = 3,
                                     .channels = names,
                                     .values = values};
            CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
        }
        for (int n = 0; n < 6; n++) {
            edgeops_label label = {.asset = assets[a],
                                   .start = n * 300000,
                                   .end = n * 300000 + 200000,
                                   .label = n % 2 > 0 ? "good" : "bad"};
            CHECK_OK(edgeops_label_add(NULL, store, &label, 1));
        }
    }
    CHECK_OK(eop_store_flush(store));
    for (int a = 0; a < ASSETS; a++) {
        CHECK_OK(put(store, assets[a], 9000000, 0, "x", f64(a), NULL));
    }
}

static void create(edgeops_store *store, const edgeops_dataset_options *given) {
    static const char *const pattern = "m/*";
    edgeops_dataset_options options = *given;
    options.name = "d";
    options.assets = &pattern;
    options.asset_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
}

/* Bits of a cell as a double. */
static uint64_t cell(const edgeops_column *column, uint64_t row) {
    edgeops_value value = edgeops_column_value(column, row);
    double number = value.type == EDGEOPS_TYPE_NULL ? (double)NAN : eop_value_double(&value);
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    return bits;
}

static void check(edgeops_store *store) {
    static const char *const channels[] = {"i", "x"};
    edgeops_dataset *whole = NULL;
    edgeops_dataset *head = NULL;
    CHECK_OK(edgeops_dataset_read_unchecked(&whole, store, "d"));
    CHECK_OK(edgeops_dataset_head(&head, store, "d"));
    size_t n = (size_t)whole->rows;
    cr_assert_eq(head->rows, n);
    cr_assert_str_eq(head->digest, whole->digest);
    cr_assert_eq(head->part_count, whole->part_count);
    edgeops_dataset_layout layout = EDGEOPS_DATASET_LAYOUT_INIT;
    layout.capacity = n;
    layout.channels = channels;
    layout.channel_count = 2;
    layout.values = malloc(n * 2 * sizeof(double));
    layout.times = malloc(n * 8);
    layout.seqs = malloc(n * 8);
    layout.labels = malloc(n * 4);
    layout.groups = malloc(n * 4);
    layout.subsets = malloc(n);
    for (int with_times = 0; with_times < 2; with_times++) {
        edgeops_time *times = layout.times;
        memset(layout.labels, 0x5a, n * 4);
        layout.times = with_times > 0 ? times : NULL;
        CHECK_OK(edgeops_dataset_read_into(store, "d", &layout));
        layout.times = times;
    }
    size_t at = 0;
    for (size_t p = 0; p < whole->part_count; p++) {
        const edgeops_dataset_part *part = &whole->parts[p];
        cr_assert_eq(head->parts[p].table->rows, part->table->rows);
        cr_assert_str_eq(head->parts[p].table->asset, part->table->asset);
        cr_assert_eq(head->parts[p].table->column_count, 3);
        cr_assert_str_eq(part->table->columns[0].name, "b");
        for (uint64_t row = 0; row < part->table->rows; row++, at++) {
            cr_assert_eq(layout.times[at], part->table->times[row]);
            cr_assert_eq(layout.seqs[at], part->table->seqs[row]);
            cr_assert_eq(layout.groups[at], (int32_t)p);
            cr_assert_eq(layout.labels[at], part->labels[row]);
            cr_assert_eq(layout.subsets[at], part->subsets != NULL ? part->subsets[row] : 0);
            for (int k = 0; k < 2; k++) {
                uint64_t bits;
                memcpy(&bits, &layout.values[at * 2 + (size_t)k], sizeof bits);
                cr_assert_eq(bits, cell(&part->table->columns[k + 1], row));
            }
        }
    }
    cr_assert_eq(at, n);
    layout.capacity = n - 1;
    CHECK_CODE(EDGEOPS_E_LIMIT, edgeops_dataset_read_into(store, "d", &layout));
    free(layout.values);
    free(layout.times);
    free(layout.seqs);
    free(layout.labels);
    free(layout.groups);
    free(layout.subsets);
    edgeops_dataset_free(whole);
    edgeops_dataset_free(head);
    CHECK_OK(edgeops_dataset_remove(store, "d"));
}

Test(dataset_into, agrees_with_the_tables) {
    dice d = {77};
    edgeops_store *store = open_store();
    fill(store, &d);
    for (int i = 0; i < 6; i++) {
        edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
        options.start = i > 0 ? 10000 : EDGEOPS_TIME_MIN;
        options.end = i > 0 ? 3000000 : EDGEOPS_TIME_MAX;
        options.labelled_only = i == 2;
        options.filter = i == 3 ? "x > 100 and i is not null" : NULL;
        options.period = i == 4 ? 700 : 0;
        options.split = i == 5 ? EDGEOPS_SPLIT_FRACTION : EDGEOPS_SPLIT_NONE;
        options.test = i == 5 ? 0.25 : 0;
        create(store, &options);
        check(store);
    }
    edgeops_store_close(store);
}

Test(dataset_into, two_threads_tell_of_a_failure) {
    static const char *const x = "x";
    edgeops_store *store = open_store();
    edgeops_sample *samples = calloc(1000, sizeof *samples);
    edgeops_value value = f64(1);
    for (int a = 0; a < ASSETS; a++) {
        for (int i = 0; i < 200; i++) {
            for (int k = 0; k < 1000; k++) {
                samples[k] = (edgeops_sample){.asset = assets[a],
                                              .time = i * 1000 + k,
                                              .count = 1,
                                              .channels = &x,
                                              .values = &value};
            }
            CHECK_OK(edgeops_store_append(NULL, store, samples, 1000, NULL));
        }
    }
    free(samples);
    CHECK_OK(eop_store_flush(store));
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    create(store, &options);
    edgeops_dataset_layout layout = EDGEOPS_DATASET_LAYOUT_INIT;
    layout.capacity = ASSETS * 200000;
    layout.channel_count = 1;
    layout.values = malloc(layout.capacity * sizeof(double));
    CHECK_OK(edgeops_dataset_read_into(store, "d", &layout));
    cr_assert_eq(layout.values[layout.capacity - 1], 1);
    edgeops_store_close(store);
    run_sql("data/telemetry.db",
            "UPDATE cell SET data = x'00' WHERE id = (SELECT max(id) FROM stat)");
    store = open_store();
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_dataset_read_into(store, "d", &layout));
    free(layout.values);
    edgeops_store_close(store);
}

Test(dataset_into, macro_and_function_agree) {
    edgeops_dataset_layout macro = EDGEOPS_DATASET_LAYOUT_INIT;
    edgeops_dataset_layout function;
    edgeops_dataset_layout_init(&function, sizeof function);
    cr_assert_eq(memcmp(&macro, &function, sizeof macro), 0);
}
