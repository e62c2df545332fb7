/* SPDX-License-Identifier: Apache-2.0 */
/* Profiles of datasets: quantiles within their bounds, counts, and the warnings about splits that
 * leak and rows that are filled. */
#include <math.h>

#include "codec/json.h"
#include "dataset/dataset.h"
#include "dataset/quantiles.h"
#include "edgeops/dataset.h"
#include "edgeops/label.h"
#include "store_fixture.h"

TestSuite(dataset_profile, .init = make_home, .fini = remove_home);

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The rank of each answer against the promise of quantiles.h. */
static void check_quantiles(size_t n, int shape) {
    static const double parts[] = {0, 0.01, 0.25, 0.5, 0.75, 0.99, 1};
    eop_quantiles q = {0};
    double *values = malloc(n * sizeof *values);
    double got[7];
    uint64_t state = n;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double random = (double)(state >> 11) * 0x1p-53;
        values[i] = shape == 0 ? (double)i : shape == 1 ? -(double)i : exp(20 * random) - 1e4;
        CHECK_OK(eop_quantiles_add(&q, values[i]));
    }
    CHECK_OK(eop_quantiles_get(got, &q, parts, 7));
    qsort(values, n, sizeof *values, by_value);
    double levels = n > EOP_QUANTILES_KEPT ? log2((double)n / EOP_QUANTILES_KEPT) : 0;
    double off = (double)n * levels / (2 * EOP_QUANTILES_KEPT) + 1;
    for (size_t i = 0; i < 7; i++) {
        double rank = parts[i] * (double)(n - 1);
        size_t low = rank > off ? (size_t)(rank - off) : 0;
        size_t high = rank + off < (double)n - 1 ? (size_t)(rank + off) : n - 1;
        cr_assert(got[i] >= values[low] && got[i] <= values[high], "%zu values: part %g is %g", n,
                  parts[i], got[i]);
    }
    eop_quantiles_dispose(&q);
    free(values);
}

Test(dataset_profile, quantiles_are_as_near_as_promised) {
    static const size_t sizes[] = {1, 2, 2047, 2048, 2049, 10000, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int shape = 0; shape < 3; shape++) {
            check_quantiles(sizes[i], shape);
        }
    }
}

static const eop_json *find(const eop_json *list, const char *key, const char *value) {
    for (const eop_json *item = eop_json_first(list); item != NULL; item = eop_json_next(item)) {
        if (strcmp(eop_json_string(item, key, ""), value) == 0) {
            return item;
        }
    }
    return NULL;
}

/* 400 rows a second apart with a pause and a doubled time; code tells the label. */
static void fill(edgeops_store *store, const char *asset, edgeops_time start) {
    static const char *const names[] = {"x", "code", "same"};
    edgeops_time time = start;
    for (int i = 0; i < 400; i++) {
        edgeops_value values[] = {f64(i == 5 ? NAN : i % 20), i64(i / 200), f64(7)};
        edgeops_sample sample = {asset, time, i, 3, names, values};
        if (i == 6) {
            values[0].type = EDGEOPS_TYPE_NULL;
        }
        CHECK_OK(edgeops_store_append(NULL, store, &sample, 1, NULL));
        time += i == 100 ? 60 * EDGEOPS_SECOND : i == 50 ? 0 : EDGEOPS_SECOND;
        if (i % 200 == 199) {
            edgeops_label l = {.asset = asset, .start = start, .end = time};
            l.start = i == 399 ? time - 200 * EDGEOPS_SECOND : start;
            l.label = i == 399 ? "bad" : "good";
            CHECK_OK(edgeops_label_add(NULL, store, &l, 1));
        }
    }
}

static eop_json *profile_of(edgeops_store *store, const char *name) {
    char *json = NULL;
    eop_json *root = NULL;
    CHECK_OK(eop_dataset_describe(&json, store, name));
    CHECK_OK(eop_json_parse(&root, json, strlen(json), "description", NULL));
    eop_free(json);
    return root;
}

Test(dataset_profile, tells_what_is_in_a_dataset) {
    static const char *const assets[] = {"a", "b"};
    edgeops_store *store = open_store();
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    fill(store, "a", 0);
    fill(store, "b", 0);
    options.name = "d";
    options.assets = assets;
    options.asset_count = 2;
    CHECK_OK(edgeops_dataset_create(store, &options));
    eop_json *root = profile_of(store, "d");
    const eop_json *profile = eop_json_get(root, "profile");
    const eop_json *gaps = eop_json_get(profile, "gaps");
    cr_assert_eq(eop_json_integer(profile, "rows", 0), 800);
    cr_assert_eq(eop_json_integer(gaps, "count", 0), 2);
    cr_assert_eq(eop_json_integer(gaps, "longest_ns", 0), 60 * EDGEOPS_SECOND);
    cr_assert_eq(eop_json_integer(profile, "same_time", 0), 2);
    const eop_json *x = find(eop_json_get(profile, "channels"), "name", "x");
    cr_assert_eq(eop_json_integer(x, "missing", 0), 2);
    cr_assert_eq(eop_json_integer(x, "non_finite", 0), 2);
    cr_assert_eq(eop_json_number(x, "max", 0), 19);
    cr_assert_float_eq(eop_json_number(x, "mean", 0), 9.5201, 1e-4);
    cr_assert_float_eq(eop_json_number(x, "std", 0), 5.7736, 1e-4);
    cr_assert_eq(eop_json_number(x, "p50", 0), 10);
    const eop_json *good = find(eop_json_get(profile, "classes"), "label", "good");
    cr_assert_eq(eop_json_integer(good, "rows", 0), 400);
    cr_assert_eq(eop_json_integer(good, "intervals", 0), 2);
    const eop_json *warnings = eop_json_get(profile, "warnings");
    cr_assert(find(warnings, "kind", "label_copy") != NULL);
    cr_assert(find(warnings, "kind", "constant") != NULL);
    cr_assert(find(warnings, "kind", "asset_in_both") == NULL);
    eop_json_free(root);
    edgeops_store_close(store);
}

/* Ten rows a second apart from each of the times on. */
static void fill_at(edgeops_store *store, const char *asset, const edgeops_time *starts, size_t n) {
    for (size_t i = 0; i < n; i++) {
        for (int k = 0; k < 10; k++) {
            edgeops_time time = starts[i] + k * EDGEOPS_SECOND;
            CHECK_OK(put(store, asset, time, 0, "x", f64(k), NULL));
        }
    }
}

Test(dataset_profile, pauses_of_centuries_do_not_run_over) {
    /* The first pause of "all" is 2^64 ns but for 20 s, those of "old" are 250 years each. */
    static const edgeops_time all[] = {EDGEOPS_TIME_MIN, EDGEOPS_TIME_MAX - 20 * EDGEOPS_SECOND};
    static const edgeops_time old[] = {-EDGEOPS_TIME_MAX / 10 * 9, 0, EDGEOPS_TIME_MAX / 10 * 9};
    static const char *const assets[] = {"all", "old", "older"};
    edgeops_store *store = open_store();
    fill_at(store, "all", all, 2);
    fill_at(store, "old", old, 3);
    fill_at(store, "older", old, 2);
    for (size_t n = 1; n <= 4; n++) {
        edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
        options.name = n == 4 ? "both" : assets[n - 1];
        options.assets = n == 4 ? assets : &assets[n - 1];
        options.asset_count = n == 4 ? 3 : 1;
        CHECK_OK(edgeops_dataset_create(store, &options));
        eop_json *root = profile_of(store, options.name);
        const eop_json *profile = eop_json_get(root, "profile");
        const eop_json *gaps = eop_json_get(profile, "gaps");
        int64_t one = EDGEOPS_TIME_MAX / 10 * 9 - 9 * EDGEOPS_SECOND;
        bool single = n == 3;
        cr_expect_eq(eop_json_integer(gaps, "count", 0), n == 4 ? 4 : n == 2 ? 2 : 1);
        cr_expect_eq(eop_json_integer(gaps, "longest_ns", 0), n == 1 || n == 4 ? INT64_MAX : one);
        cr_expect_eq(eop_json_integer(gaps, "total_ns", 0), single ? one : INT64_MAX);
        const eop_json *first = eop_json_first(eop_json_get(profile, "assets"));
        cr_expect_eq(eop_json_integer(first, "longest_gap_ns", 0),
                     n == 1 || n == 4 ? INT64_MAX : one);
        eop_json_free(root);
    }
    edgeops_store_close(store);
}

static bool warns(edgeops_store *store, const char *name, const char *kind) {
    eop_json *root = profile_of(store, name);
    const eop_json *profile = eop_json_get(root, "profile");
    bool found = find(eop_json_get(profile, "warnings"), "kind", kind) != NULL;
    eop_json_free(root);
    return found;
}

Test(dataset_profile, warns_of_a_split_that_leaks) {
    static const char *const assets[] = {"a", "b"};
    static const char *const tests[] = {"b"};
    edgeops_store *store = open_store();
    edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
    fill(store, "a", 0);
    fill(store, "b", 0);
    CHECK_OK(put(store, "b", 900 * EDGEOPS_SECOND, 0, "x", f64(1), NULL));
    options.assets = assets;
    options.asset_count = 2;
    options.name = "drawn";
    options.split = EDGEOPS_SPLIT_FRACTION;
    options.test = 0.3;
    options.seed = 4;
    options.block = 20 * EDGEOPS_SECOND;
    options.period = EDGEOPS_SECOND;
    options.window = 30 * EDGEOPS_SECOND;
    CHECK_OK(edgeops_dataset_create(store, &options));
    static const char *const expected[] = {"asset_in_both", "test_before_train", "identical_rows",
                                           "neighbours", "window_over_block"};
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        cr_assert(warns(store, "drawn", expected[i]), "%s", expected[i]);
    }
    options = (edgeops_dataset_options)EDGEOPS_DATASET_OPTIONS_INIT;
    options.assets = assets;
    options.asset_count = 2;
    options.name = "grouped";
    options.split = EDGEOPS_SPLIT_GROUP;
    options.test_assets = tests;
    options.test_asset_count = 1;
    CHECK_OK(edgeops_dataset_create(store, &options));
    cr_assert_not(warns(store, "grouped", "asset_in_both"));
    cr_assert_not(warns(store, "grouped", "test_before_train"));
    cr_assert(warns(store, "grouped", "identical_rows"));
    options.name = "timed";
    options.split = EDGEOPS_SPLIT_TIME;
    options.test_assets = NULL;
    options.test_asset_count = 0;
    options.test = 0.4;
    options.end = 500 * EDGEOPS_SECOND;
    CHECK_OK(edgeops_dataset_create(store, &options));
    cr_assert(warns(store, "timed", "label_only_in_train"));
    cr_assert_not(warns(store, "timed", "test_before_train"));
    edgeops_store_close(store);
}

/* Six rows a second apart, then a pause; the second asset is slow, but steady. */
Test(dataset_profile, warns_of_rows_filled_over_gaps) {
    static const char *const assets[] = {"gaps", "slow"};
    static const struct {
        size_t asset;
        uint32_t fill;
        edgeops_duration tolerance;
        bool warned;
    } cases[] = {{0, EDGEOPS_FILL_PREVIOUS, 0, true},
                 {0, EDGEOPS_FILL_LINEAR, 0, true},
                 {0, EDGEOPS_FILL_NONE, 0, false},
                 {0, EDGEOPS_FILL_PREVIOUS, 5 * EDGEOPS_SECOND, false},
                 {1, EDGEOPS_FILL_PREVIOUS, 0, false}};
    edgeops_store *store = open_store();
    for (int i = 0; i < 60; i++) {
        int pauses = i / 6;
        CHECK_OK(put(store, "gaps", (i + 180 * pauses) * EDGEOPS_SECOND, 0, "x", f64(i), NULL));
        CHECK_OK(put(store, "slow", i * 180 * EDGEOPS_SECOND, 0, "x", f64(i), NULL));
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[8];
        edgeops_dataset_options options = EDGEOPS_DATASET_OPTIONS_INIT;
        (void)snprintf(name, sizeof name, "d%zu", i);
        options.name = name;
        options.assets = &assets[cases[i].asset];
        options.asset_count = 1;
        options.period = EDGEOPS_SECOND;
        options.fill = cases[i].fill;
        options.tolerance = cases[i].tolerance;
        CHECK_OK(edgeops_dataset_create(store, &options));
        cr_expect(warns(store, name, "filled") == cases[i].warned, "case %zu", i);
    }
    eop_json *root = profile_of(store, "d0");
    const eop_json *warnings = eop_json_get(eop_json_get(root, "profile"), "warnings");
    const char *text = eop_json_string(find(warnings, "kind", "filled"), "text", "");
    cr_expect_str_eq(text, "97 % of the rows are filled over gaps of the source, of up to 181 s: "
                           "give a tolerance");
    eop_json_free(root);
    edgeops_store_close(store);
}
