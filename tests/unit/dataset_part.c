/* SPDX-License-Identifier: Apache-2.0 */
/* Datasets with a filter, a common rate, windows and a split. */
#include "codec/json.h"
#include "dataset/dataset.h"
#include "edgeops/context.h"
#include "edgeops/dataset.h"
#include "edgeops/label.h"
#include "failing_memory.h"
#include "store_fixture.h"

TestSuite(dataset_part, .init = make_home, .fini = remove_home, .timeout = 110);

#define ROWS 600

static const char *const all[1] = {"p/*"};

/* Row i of an asset: x, now and then a state. */
static void put_row(edgeops_store *store, const char *asset, int i) {
    const char *names[2] = {"x", "state"};
    edgeops_value values[2] = {f64(i % 50), text(i / 100 % 2 == 0 ? "run" : "idle")};
    edgeops_sample sample = {asset, i * 10 + i % 3, 0, i % 3 == 0 ? 2u : 1u, names, values};
    CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
}

static edgeops_dataset_options options_of(const char *name) {
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    options.name = name;
    options.assets = all;
    options.asset_count = 1;
    return options;
}

static edgeops_dataset_options full_options(const char *name) {
    edgeops_dataset_options options = options_of(name);
    options.filter = "state == 'run' and x >= 10";
    options.period = 5;
    options.fill = EDGEOPS_FILL_LINEAR;
    options.tolerance = 100;
    options.window_rows = 8;
    options.window_step = 4;
    options.split = EDGEOPS_SPLIT_FRACTION;
    options.test = 0.2;
    options.validation = 0.2;
    options.seed = 11;
    return options;
}

static edgeops_dataset *make(edgeops_store *store, const edgeops_dataset_options *options) {
    edgeops_dataset *set = NULL;
    CHECK_OK(edgeops_dataset_create(store, options));
    CHECK_OK(edgeops_dataset_read(&set, store, options->name));
    return set;
}

static void label(edgeops_store *store, const char *asset, edgeops_time start, edgeops_time end,
                  const char *name) {
    edgeops_label l = {.asset = asset, .start = start, .end = end, .label = name, .author = "me"};
    CHECK_OK(edgeops_label_add(NULL, store, &l, 1));
}

Test(dataset_part, digest_does_not_depend_on_how_rows_came) {
    edgeops_store *store = open_store();
    edgeops_dataset_options options = full_options("d");
    char digest[65];
    for (int i = 0; i < ROWS; i++) {
        put_row(store, i % 2 == 0 ? "p/a" : "p/b", i);
    }
    label(store, "p/a", 1000, 3000, "ok");
    edgeops_dataset *set = make(store, &options);
    strcpy(digest, set->digest);
    cr_assert_eq(set->part_count, 2);
    cr_assert_eq(set->period, 5);
    cr_assert_eq(set->window_rows, 8);
    cr_assert(set->rows > 100);
    edgeops_dataset_free(set);
    edgeops_store_close(store);

    strcat(home, "2");
    store = open_store();
    for (int i = ROWS - 1; i >= 0; i--) {
        put_row(store, i % 2 == 0 ? "p/a" : "p/b", i);
        if (i % 97 == 0) {
            CHECK_OK(eop_store_flush(store));
        }
    }
    label(store, "p/a", 2000, 3000, "ok");
    label(store, "p/a", 1000, 2000, "ok");
    set = make(store, &options);
    cr_assert_str_eq(set->digest, digest);
    edgeops_dataset_free(set);
    /* What is another dataset has another digest. */
    options.name = "other-seed";
    options.seed = 12;
    set = make(store, &options);
    cr_assert_str_neq(set->digest, digest);
    edgeops_dataset_free(set);
    options.name = "other-window";
    options.seed = 11;
    options.window_step = 2;
    set = make(store, &options);
    cr_assert_str_neq(set->digest, digest);
    edgeops_dataset_free(set);
    edgeops_store_close(store);
}

Test(dataset_part, a_filter_keeps_the_rows_that_meet_it) {
    edgeops_store *store = open_store();
    edgeops_dataset_options options = options_of("d");
    const char *columns[1] = {"x"};
    for (int i = 0; i < ROWS; i++) {
        put_row(store, "p/a", i);
    }
    CHECK_OK(put(store, "p/c", 1, 0, "x", f64(1), NULL)); /* has no state: no row of it is in */
    options.channels = columns;
    options.channel_count = 1;
    options.filter = "state = 'run' and x < 20";
    edgeops_dataset *set = make(store, &options);
    size_t expected = 0;
    cr_assert_eq(set->part_count, 1);
    cr_assert_eq(set->parts[0].table->column_count, 1);
    for (int i = 0; i < ROWS; i++) {
        if (i % 3 == 0 && i / 100 % 2 == 0 && i % 50 < 20) {
            cr_assert_eq(set->parts[0].table->times[expected], i * 10 + i % 3);
            cr_assert_eq(set->parts[0].table->columns[0].f64[expected], i % 50);
            expected++;
        }
    }
    cr_assert_eq(set->rows, expected);
    edgeops_dataset_free(set);
    options.name = "e";
    options.filter = "none == 3";
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_dataset_create(store, &options));
    options.filter = "state == 3";
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_dataset_create(store, &options));
    options.filter = "x > 1000";
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_dataset_create(store, &options));
    cr_assert(strstr(edgeops_error_last()->message, "filter") != NULL);
    options.filter = NULL;
    options.split = EDGEOPS_SPLIT_TIME;
    options.test_from = 1000000;
    CHECK_CODE(EDGEOPS_E_INVALID, edgeops_dataset_create(store, &options));
    cr_assert(strstr(edgeops_error_last()->message, "the test") != NULL);
    edgeops_store_close(store);
}

Test(dataset_part, slices_and_the_whole_are_the_same) {
    edgeops_store *store = open_store();
    edgeops_dataset_options options = options_of("plain");
    char name[20];
    for (int k = 0; k < 300; k++) { /* wide, so that a slice has few rows */
        snprintf(name, sizeof name, "c%d", k);
        CHECK_OK(edgeops_store_declare(
            store, "p/a", &(edgeops_channel_info){name, NULL, EDGEOPS_TYPE_FLOAT64, 1}));
    }
    edgeops_sample *samples = calloc(20000, sizeof *samples);
    edgeops_value *values = calloc(20000, sizeof *values);
    static const char *const channels[3] = {"c7", "c0", "c299"};
    for (int i = 0; i < 20000; i++) {
        values[i] = f64(i);
        /* 9,000 rows share one time. */
        int time = i < 6000 ? i : i < 15000 ? 6000 : i - 9000;
        samples[i] = (edgeops_sample){"p/a", time, i, 1, &channels[i % 3], &values[i]};
    }
    CHECK_OK(edgeops_store_append(NULL, store, samples, 20000, NULL));
    label(store, "p/a", 100, 9000, "on");
    edgeops_dataset *set = make(store, &options);
    cr_assert_eq(set->rows, 20000);
    edgeops_dataset_free(set);
    options.name = "filtered";
    options.filter = "c0 is not null";
    options.split = EDGEOPS_SPLIT_TIME;
    options.test = 0.3;
    set = make(store, &options);
    cr_assert_eq(set->rows, 6667);
    cr_assert(set->parts[0].subsets != NULL);
    edgeops_dataset_free(set);
    options.name = "aligned";
    options.filter = NULL;
    options.period = 2;
    options.labelled_only = 1;
    set = make(store, &options);
    cr_assert_eq(set->rows, 4450);
    edgeops_dataset_free(set);
    free(samples);
    free(values);
    edgeops_store_close(store);
}

Test(dataset_part, verify_notices_what_a_plain_read_does_not) {
    edgeops_store *store = open_store();
    edgeops_dataset_options options = full_options("d");
    edgeops_dataset *set = NULL;
    for (int i = 0; i < ROWS; i++) {
        put_row(store, i % 2 == 0 ? "p/a" : "p/b", i);
    }
    edgeops_dataset_free(make(store, &options));
    CHECK_OK(edgeops_dataset_verify(store, "d"));
    CHECK_CODE(EDGEOPS_E_NOTFOUND, edgeops_dataset_verify(store, "e"));
    CHECK_OK(eop_store_flush(store));
    edgeops_store_close(store);
    run_sql("catalog.db", "UPDATE dataset SET digest = replace(digest, substr(digest, 1, 1), 'x')");
    store = open_store();
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_dataset_verify(store, "d"));
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_dataset_read(&set, store, "d"));
    CHECK_OK(edgeops_dataset_read_unchecked(&set, store, "d"));
    edgeops_dataset_free(set);
    edgeops_store_close(store);
    run_sql("catalog.db", "UPDATE dataset SET spec = '{\"split\":{\"by\":\"fraction\"}}'");
    store = open_store();
    CHECK_CODE(EDGEOPS_E_CORRUPT, edgeops_dataset_read_unchecked(&set, store, "d"));
    edgeops_store_close(store);
}

Test(dataset_part, description_tells_the_definition) {
    edgeops_store *store = open_store();
    edgeops_dataset_options options = full_options("d");
    char *json = NULL;
    eop_json *root = NULL;
    for (int i = 0; i < ROWS; i++) {
        put_row(store, "p/a", i);
    }
    edgeops_dataset_free(make(store, &options));
    CHECK_OK(eop_dataset_describe(&json, store, "d"));
    CHECK_OK(eop_json_parse(&root, json, strlen(json), "description", NULL));
    const eop_json *definition = eop_json_get(root, "definition");
    const eop_json *split = eop_json_get(definition, "split");
    cr_assert_str_eq(eop_json_string(definition, "filter", ""), "state == 'run' and x >= 10");
    cr_assert_eq(eop_json_integer(eop_json_get(definition, "align"), "period_ns", 0), 5);
    cr_assert_str_eq(eop_json_string(split, "by", ""), "fraction");
    cr_assert(eop_json_integer(split, "block_ns", 0) > 0);
    eop_json_free(root);
    eop_free(json);
    edgeops_store_close(store);
}

Test(dataset_part, a_failed_allocation_freezes_nothing) {
    take_failing_memory();
    edgeops_store *store = open_store();
    edgeops_dataset_options options = full_options("d");
    edgeops_dataset *set = NULL;
    edgeops_status status = EDGEOPS_E_NOMEM;
    long n = 0;
    for (int i = 0; i < 200; i++) {
        put_row(store, i % 2 == 0 ? "p/a" : "p/b", i);
    }
    label(store, "p/a", 100, 1500, "ok");
    for (; status != EDGEOPS_OK; n++) {
        fail_here = n + 1;
        status = edgeops_dataset_create(store, &options);
        fail_here = 0;
        cr_assert(status == EDGEOPS_OK || status == EDGEOPS_E_NOMEM, "allocation %ld: %s", n,
                  edgeops_error_last()->message);
        CHECK_CODE(status == EDGEOPS_OK ? EDGEOPS_OK : EDGEOPS_E_NOTFOUND,
                   edgeops_dataset_verify(store, "d"));
    }
    cr_assert(n > 100);
    status = EDGEOPS_E_NOMEM;
    for (n = 0; status != EDGEOPS_OK; n++) {
        fail_here = n + 1;
        status = edgeops_dataset_read(&set, store, "d");
        fail_here = 0;
        cr_assert(status == EDGEOPS_OK || (status == EDGEOPS_E_NOMEM && set == NULL),
                  "allocation %ld: %s", n, edgeops_error_last()->message);
    }
    edgeops_dataset_free(set);
    edgeops_store_close(store);
}
